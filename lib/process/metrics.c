/* metrics.c - numbers about a node
 *
 * GET /metrics/snapshot[?timeout=5secs] → each process with pulled gauges is
 * asked in its own context → one flat, sorted JSON object.  What has not been
 * answered at the time-out is left out, and so is what belonged to a process
 * that has gone; its table is then forgotten.  GET /metrics gives the same as
 * Prometheus text (metrics_text.c).  Both wait for a permit where there is a rate.
 */
#include "process/metrics.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/list.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_access.h"
#include "process/metrics_timer.h"
#include "process/rate_limiter.h"
#include "process/runtime_private.h"
#include "process/typed.h"

/* Atomic, relaxed: numbers of their own, which order nothing else. */
struct counter { _Atomic uint64_t value; char *name; UT_hash_handle hh; };
struct gauge { _Atomic double value; char *name; UT_hash_handle hh; };

struct timer_row { struct metrics_timer *timer; char *name; UT_hash_handle hh; };

/* How one process is asked: by its table, by a function of its own, or for one value that
 * takes time. */
struct asking {
    const struct metrics_pull *table;
    metrics_tell_f tell;
    const struct metrics_later *later;
};
struct pull { struct list link; struct pid pid; struct asking by; };

struct metrics {
    struct runtime *runtime;
    struct counter refused;         /* names beyond the limit, whose values nobody sees: */
    struct counter no_counter;
    struct gauge no_gauge;
    struct metrics_timer *no_timer; /* the lock's; NULL: none yet */
    pthread_mutex_t lock;           /* guards all below, not the values */
    struct counter *counters;
    struct gauge *gauges;
    struct timer_row *timers;
    size_t n_names; /* of the three */
    struct list pulls;
};

/* ---- registering ---- */

struct metrics *metrics_create(struct runtime *rt)
{
    struct metrics *m = mem_alloc(sizeof *m);

    m->runtime = rt;
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->pulls);
    return m;
}

static void pull_destroy(struct pull *p)
{
    list_remove(&p->link);
    pid_release(&p->pid);
    mem_free(p);
}

void metrics_destroy(struct metrics *m)
{
    struct counter *c, *next_counter;
    struct gauge *g, *next_gauge;
    struct timer_row *t, *next_timer;

    HASH_ITER (hh, m->counters, c, next_counter) {
        HASH_DEL(m->counters, c);
        mem_free(c->name);
        mem_free(c);
    }
    HASH_ITER (hh, m->gauges, g, next_gauge) {
        HASH_DEL(m->gauges, g);
        mem_free(g->name);
        mem_free(g);
    }
    HASH_ITER (hh, m->timers, t, next_timer) {
        HASH_DEL(m->timers, t);
        metrics_timer_destroy(t->timer);
        mem_free(t->name);
        mem_free(t);
    }
    list_each_safe (p, &m->pulls, struct pull, link)
        pull_destroy(p);
    metrics_timer_destroy(m->no_timer);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

/* With the lock held: is there room for one name more? */
static bool may_add(struct metrics *m)
{
    if (m->n_names >= runtime_get_options(m->runtime)->max_metrics) {
        counter_add(&m->refused, 1);
        return false;
    }
    m->n_names++;
    return true;
}

struct counter *metrics_counter(struct runtime *rt, const char *name)
{
    struct metrics *m = runtime_metrics(rt);
    struct counter *c;

    pthread_mutex_lock(&m->lock);
    HASH_FIND_STR(m->counters, name, c);
    if (!c && !may_add(m)) {
        c = &m->no_counter;
    } else if (!c) {
        c = mem_alloc(sizeof *c);
        c->name = mem_strdup(name);
        HASH_ADD_KEYPTR(hh, m->counters, c->name, strlen(c->name), c);
    }
    pthread_mutex_unlock(&m->lock);
    return c;
}

void counter_add(struct counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

uint64_t counter_value(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

struct gauge *metrics_gauge(struct runtime *rt, const char *name)
{
    struct metrics *m = runtime_metrics(rt);
    struct gauge *g;

    pthread_mutex_lock(&m->lock);
    HASH_FIND_STR(m->gauges, name, g);
    if (!g && !may_add(m)) {
        g = &m->no_gauge;
    } else if (!g) {
        g = mem_alloc(sizeof *g);
        g->name = mem_strdup(name);
        HASH_ADD_KEYPTR(hh, m->gauges, g->name, strlen(g->name), g);
    }
    pthread_mutex_unlock(&m->lock);
    return g;
}

void gauge_set(struct gauge *g, double value)
{
    atomic_store_explicit(&g->value, value, memory_order_relaxed);
}

struct metrics_timer *metrics_timer(struct runtime *rt, const char *name, struct duration window)
{
    struct metrics *m = runtime_metrics(rt);
    struct metrics_timer *timer;
    struct timer_row *t;

    pthread_mutex_lock(&m->lock);
    HASH_FIND_STR(m->timers, name, t);
    if (!t && may_add(m)) {
        t = mem_alloc(sizeof *t);
        t->name = mem_strdup(name);
        t->timer = metrics_timer_create(rt, window);
        HASH_ADD_KEYPTR(hh, m->timers, t->name, strlen(t->name), t);
    }
    if (!t && !m->no_timer)
        m->no_timer = metrics_timer_create(rt, window);
    timer = t ? t->timer : m->no_timer;
    pthread_mutex_unlock(&m->lock);
    return timer;
}

static void add_pull(struct process *self, struct asking by)
{
    struct metrics *m = runtime_metrics(self->runtime);
    struct pull *p = mem_alloc(sizeof *p);

    CHECK(process_current() == self);
    p->pid = pid_dup(&self->pid);
    p->by = by;
    pthread_mutex_lock(&m->lock);
    list_append(&m->pulls, &p->link);
    pthread_mutex_unlock(&m->lock);
}

void metrics_pull(struct process *self, const struct metrics_pull table[])
{
    add_pull(self, (struct asking){ .table = table });
}

void metrics_tell(struct process *self, metrics_tell_f tell)
{
    add_pull(self, (struct asking){ .tell = tell });
}

/* Each by itself: one that does not come keeps no other back. */
void metrics_pull_later(struct process *self, const struct metrics_later table[])
{
    for (; table->name; table++)
        add_pull(self, (struct asking){ .later = table });
}

static void forget(struct metrics *m, const struct asking *by, const struct pid *pid)
{
    pthread_mutex_lock(&m->lock);
    list_each_safe (p, &m->pulls, struct pull, link)
        if (p->by.table == by->table && p->by.tell == by->tell && p->by.later == by->later &&
            p->pid.slot == pid->slot && p->pid.generation == pid->generation)
            pull_destroy(p);
    pthread_mutex_unlock(&m->lock);
}

/* ---- samples ---- */

static void samples_add(struct metrics_samples *s, const char *name, double value,
                        enum metrics_kind kind)
{
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->v = mem_realloc(s->v, s->capacity * sizeof *s->v);
    }
    s->v[s->n++] = (struct metrics_sample){ mem_strdup(name), value, kind };
}

static void samples_release(struct metrics_samples *s)
{
    for (size_t i = 0; i < s->n; i++)
        mem_free(s->v[i].name);
    mem_free(s->v);
    *s = (struct metrics_samples){ 0 };
}

static void samples_end(void *value)
{
    samples_release(value);
}

FUTURE_TYPE(metrics_samples, struct metrics_samples);
FUTURE_TYPE_DEFINE(metrics_samples, struct metrics_samples, samples_end);

static int compare_samples(const void *left, const void *right)
{
    const struct metrics_sample *a = left, *b = right;

    return strcmp(a->name, b->name);
}

struct timer_samples { struct metrics_samples *samples; const char *name; };

static void add_timed(void *arg, const char *suffix, double value)
{
    struct timer_samples *to = arg;
    char *name = mem_printf("%s_ms%s", to->name, suffix);

    samples_add(to->samples, name, value, METRICS_GAUGE);
    mem_free(name);
}

static void add_machine(struct metrics *m, struct metrics_samples *s)
{
    struct host_facts facts;

    host_facts(runtime_host(m->runtime), &facts);
    samples_add(s, "system/cpus_total", facts.cpus, METRICS_GAUGE);
    samples_add(s, "system/load_1min", facts.load_1min, METRICS_GAUGE);
    samples_add(s, "system/load_5min", facts.load_5min, METRICS_GAUGE);
    samples_add(s, "system/load_15min", facts.load_15min, METRICS_GAUGE);
    samples_add(s, "system/mem_total_bytes", (double)facts.memory_bytes, METRICS_GAUGE);
    samples_add(s, "system/mem_free_bytes", (double)facts.memory_free_bytes, METRICS_GAUGE);
}

/* What needs asking nobody. */
static void add_own(struct metrics *m, struct metrics_samples *s)
{
    struct counter *c, *next_counter;
    struct gauge *g, *next_gauge;
    struct timer_row *t, *next_timer;

    pthread_mutex_lock(&m->lock);
    HASH_ITER (hh, m->counters, c, next_counter)
        samples_add(s, c->name, (double)counter_value(c), METRICS_COUNTER);
    HASH_ITER (hh, m->gauges, g, next_gauge)
        samples_add(s, g->name, atomic_load_explicit(&g->value, memory_order_relaxed),
                    METRICS_GAUGE);
    HASH_ITER (hh, m->timers, t, next_timer)
        metrics_timer_each(t->timer, add_timed, &(struct timer_samples){ s, t->name });
    pthread_mutex_unlock(&m->lock);
    if (counter_value(&m->refused) > 0)
        samples_add(s, "process/metrics_refused", (double)counter_value(&m->refused),
                    METRICS_COUNTER);
    add_machine(m, s);
}

/* Of one name the first counts. */
static void write_json(const struct metrics_samples *s, struct buffer *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    for (size_t i = 0; i < s->n; i++)
        if (isfinite(s->v[i].value) && (i == 0 || strcmp(s->v[i].name, s->v[i - 1].name) != 0))
            json_put_double(&w, s->v[i].name, s->v[i].value);
    json_end_object(&w);
}

/* ---- asking a process ---- */

FUTURE_TYPE(metrics_value, double);
FUTURE_TYPE_DEFINE(metrics_value, double, NULL);

struct pulled { struct metrics_samples samples; };

static void pulled_release(void *value)
{
    samples_release(&((struct pulled *)value)->samples);
}

void metrics_say(struct metrics_samples *to, const char *name, double value, enum metrics_kind kind)
{
    samples_add(to, name, value, kind);
}

FUTURE_TYPE(metrics_pulled, struct pulled);
FUTURE_TYPE_DEFINE(metrics_pulled, struct pulled, pulled_release);

/* In the context of the process with the gauges. */
static struct future *pull_all(struct process *self, void *args)
{
    const struct asking *by = args;
    struct pulled all = { { 0 } };

    if (by->later)
        return by->later->begin(self);
    if (by->tell)
        by->tell(self, &all.samples);
    for (const struct metrics_pull *row = by->table; row && row->name; row++)
        samples_add(&all.samples, row->name, row->pull(self), METRICS_GAUGE);
    return metrics_pulled_ready(all);
}

/* ---- the process that serves them ---- */

struct metrics_server {
    struct process process;
    struct rate_limiter *limiter; /* NULL: there is no limit */
};

struct asked { struct pid pid; struct asking by; struct future *future; };

/* For a request, or for who holds the promise's future. */
struct snapshot {
    struct http_request *request;
    struct promise *promise;
    struct duration timeout;
    struct instant came;
    void (*write)(const struct metrics_samples *s, struct buffer *out);
    struct asked *asked;
    size_t n;
};

CLASS(metrics_server, "metrics", server_initialize, server_exited, server_finalize);
struct snapshot_args { struct duration timeout; };
ASK(metrics_server, snapshot_take, snapshot_args, NO_RELEASE);
STEP(metrics_server, snapshot_late, snapshot);
LAST(metrics_server, snapshot_gathered, snapshot);
LAST(metrics_server, snapshot_permitted, snapshot);

static struct metrics *metrics_of(struct metrics_server *s)
{
    return runtime_metrics(s->process.runtime);
}

/* One question to each process; the futures are kept, and given to await. */
static struct future *ask_all(struct metrics *m, struct snapshot *op)
{
    struct future **waited, *all;
    size_t n = 0;

    pthread_mutex_lock(&m->lock);
    list_each (p, &m->pulls, struct pull, link)
        n++;
    op->asked = mem_array(n, sizeof *op->asked);
    list_each (p, &m->pulls, struct pull, link)
        op->asked[op->n++] = (struct asked){ pid_dup(&p->pid), p->by, NULL };
    pthread_mutex_unlock(&m->lock);
    waited = mem_array(n, sizeof *waited);
    for (size_t i = 0; i < n; i++) {
        struct asked *a = &op->asked[i];

        a->future = process_call(&a->pid, pull_all, &a->by, sizeof a->by, NULL);
        waited[i] = future_ref(a->future);
    }
    all = future_await(waited, n);
    mem_free(waited);
    return all;
}

static struct future *snapshot_late(struct metrics_server *s UNUSED, struct future *f UNUSED,
                                    struct snapshot *op UNUSED)
{
    return future_ready(&future_nothing, NULL);
}

static void add_asked(struct metrics *m, const struct asked *a, struct metrics_samples *s)
{
    if (future_state(a->future) == FUTURE_READY && a->by.later) {
        samples_add(s, a->by.later->name, *metrics_value_get(a->future), METRICS_GAUGE);
    } else if (future_state(a->future) == FUTURE_READY) {
        const struct metrics_samples *all = &metrics_pulled_get(a->future)->samples;

        for (size_t i = 0; i < all->n; i++)
            samples_add(s, all->v[i].name, all->v[i].value, all->v[i].kind);
    } else if (!process_is_there(&a->pid)) {
        forget(m, &a->by, &a->pid);
    }
}

static void snapshot_destroy(struct snapshot *op)
{
    for (size_t i = 0; i < op->n; i++) {
        future_unref(op->asked[i].future);
        pid_release(&op->asked[i].pid);
    }
    mem_free(op->asked);
    if (op->request)
        http_request_unref(op->request);
    promise_unref(op->promise);
    mem_free(op);
}

static void snapshot_answer(struct snapshot *op, const struct metrics_samples *samples)
{
    struct buffer body = BUFFER_INIT;

    op->write(samples, &body);
    if (op->write == write_json)
        http_answer_json(op->request, &body);
    else
        http_answer_buffer(op->request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void snapshot_gathered(struct metrics_server *s, struct future *f, struct snapshot *op)
{
    struct metrics_samples samples = { 0 };

    if (future_state(f) != FUTURE_READY) {              /* the runtime ends */
        if (op->request)
            http_answer_error(op->request, 503, NULL);
        snapshot_destroy(op);
        return;
    }
    for (size_t i = 0; i < op->n; i++)
        add_asked(metrics_of(s), &op->asked[i], &samples);
    add_own(metrics_of(s), &samples);
    qsort(samples.v, samples.n, sizeof *samples.v, compare_samples);
    if (op->promise) {
        promise_set(op->promise, &metrics_samples_type, &samples);
    } else {
        snapshot_answer(op, &samples);
        samples_release(&samples);
    }
    snapshot_destroy(op);
}

static void snapshot_begin(struct metrics_server *s, struct snapshot *op)
{
    struct future *f = ask_all(metrics_of(s), op);

    if (op->timeout.ns >= 0)
        f = AFTER(f, op->timeout, snapshot_late, s, op);
    FINALLY(f, snapshot_gathered, s, op);
}

static struct future *snapshot_take(struct metrics_server *s, struct snapshot_args *args)
{
    struct snapshot *op = mem_alloc(sizeof *op);
    struct future *f;

    op->promise = promise_create(&metrics_samples_type);
    f = promise_future(op->promise);
    op->timeout = args->timeout;
    snapshot_begin(s, op);
    return f;
}

struct future *metrics_snapshot(struct runtime *rt, struct duration timeout)
{
    struct future *f;
    struct pid pid;

    if (!runtime_find(rt, "metrics", &pid))
        return future_failed(&metrics_samples_type, ESRCH, "the runtime ends");
    f = ask(&pid, snapshot_take, .timeout = timeout);
    pid_release(&pid);
    return f;
}

#define DELAY MILLISECONDS(1) /* a shorter one is no wait for a permit */

static void snapshot_permitted(struct metrics_server *s, struct future *f, struct snapshot *op)
{
    struct runtime *rt = s->process.runtime;

    if (future_state(f) != FUTURE_READY) {
        snapshot_gathered(s, f, op); /* the runtime ends */
        return;
    }
    if (!instant_before(runtime_now(rt), instant_add(op->came, DELAY)))
        counter_add(metrics_counter(rt, "process/metrics_snapshots_delayed"), 1);
    snapshot_begin(s, op);
}

static void wait_for_permit(struct metrics_server *s, struct snapshot *op)
{
    op->came = runtime_now(s->process.runtime);
    FINALLY(rate_limiter_acquire(s->limiter), snapshot_permitted, s, op);
}

static void serve(struct process *p, struct http_request *r,
                  void (*write)(const struct metrics_samples *s, struct buffer *out))
{
    struct metrics_server *s = container_of(p, struct metrics_server, process);
    const char *timeout = http_request_query(r, "timeout");
    struct duration d = { 0 };
    struct snapshot *op;
    struct error err;

    if (!http_require_method(r, "GET"))
        return;
    if (timeout && (duration_parse(timeout, &d, &err) < 0 || d.ns < 0)) {
        http_answer_error(r, 400, "Invalid timeout '%.60s': a duration such as 5secs is wanted\n",
                          timeout);
        return;
    }
    op = mem_alloc(sizeof *op);
    op->request = http_request_ref(r);
    op->write = write;
    op->timeout = timeout ? d : (struct duration){ -1 };
    if (s->limiter)
        wait_for_permit(s, op);
    else
        snapshot_begin(s, op);
}

static void serve_snapshot(struct process *p, struct http_request *r)
{
    serve(p, r, write_json);
}

static void serve_text(struct process *p, struct http_request *r)
{
    serve(p, r, metrics_write_text);
}

static void server_initialize(struct metrics_server *s)
{
    static const struct process_route routes[] = {
        { "/snapshot", serve_snapshot,
          "Provides a snapshot of the current metrics.\n"
          "One flat JSON object of numbers.  With `timeout=VALUE` (such as 5secs) those that\n"
          "cannot be had within that time are left out.",
          HTTP_REALM_READONLY },
        { "", serve_text,
          "Provides the current metrics as Prometheus text.\n"
          "The names are those of /metrics/snapshot with '_' for what Prometheus does not allow.",
          HTTP_REALM_READONLY },
        { NULL, NULL, NULL, NULL },
    };
    const struct runtime_options *o = runtime_get_options(s->process.runtime);
    struct error err;

    process_route(&s->process, routes);
    if (o->metrics_rate.permits == 0)
        return;
    s->limiter = rate_limiter_create(s->process.runtime, o->metrics_rate.permits,
                                     o->metrics_rate.per, &err);
    CHECK(s->limiter); /* the name of its process is made unique */
}

static void server_exited(struct metrics_server *s UNUSED, const struct pid *peer UNUSED)
{
}

static void server_finalize(struct metrics_server *s)
{
    rate_limiter_destroy(s->limiter);
    mem_free(s);
}

int metrics_spawn(struct runtime *rt, struct error *err)
{
    struct metrics_server *s = mem_alloc(sizeof *s);

    if (process_spawn(rt, &s->process, &metrics_server_class, "metrics", NULL, err) == 0)
        return 0;
    mem_free(s);
    return -1;
}
