/* process.c - the life of a process: spawn, events one at a time, the end
 *
 * spawn gives a slot and a name and pushes the slot's first event, which makes
 * the process the slot's and calls initialize.  The end goes: lasts of futures,
 * finalize, the name, EXITED to those who are linked, the next generation, and
 * whoever waits.  Events that were pushed for an ended generation are dropped
 * when their turn comes.
 */
#include "process/core.h"

#include <errno.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

struct process *process_current(void)
{
    struct worker *w = worker_of_thread();

    return w ? w->process : NULL;
}

const struct pid *process_sender(struct process *self)
{
    static const struct pid nobody;
    struct worker *w = worker_of_thread();

    CHECK(self == process_current());
    return w->sender ? w->sender : &nobody;
}

struct message *process_message(struct process *self)
{
    CHECK(self == process_current());
    return worker_of_thread()->message;
}

size_t process_backlog(struct runtime *rt, uint32_t slot)
{
    return atomic_load_explicit(&slot_get(rt, slot)->pending, memory_order_relaxed);
}

/* ---- spawn ---- */

struct birth {
    struct event event;
    struct process *process;
};

static void birth_run(struct process *self UNUSED, struct event *e)
{
    struct process *p = ((struct birth *)e)->process;
    struct worker *w = worker_of_thread();

    mem_free(e);
    p->slot->process = p;
    p->slot->text = pid_format(&p->pid);
    w->process = p;
    w->context.actor = p->slot->text->bytes;
    w->context.event = "initialize";
    if (p->class->initialize)
        p->class->initialize(p);
}

/* Nobody but spawn knows a generation that is not born yet. */
static void birth_drop(struct runtime *rt UNUSED, struct event *e UNUSED)
{
    UNREACHABLE();
}

static const struct event_type birth_event = { EVENT_DISPATCH, birth_run, birth_drop, NULL };

struct id_counter {
    UT_hash_handle hh;
    uint64_t n;
    char prefix[];
};

static struct slot *find_name(struct runtime *rt, const char *id, size_t length)
{
    struct slot *s;

    HASH_FIND(hh, rt->names, id, length, s);
    return s;
}

static struct id_counter *counter_of(struct runtime *rt, const char *prefix)
{
    struct id_counter *c;

    HASH_FIND_STR(rt->counters, prefix, c);
    if (!c) {
        size_t size = strlen(prefix) + 1;

        c = mem_alloc(sizeof *c + size);
        memcpy(c->prefix, prefix, size);
        HASH_ADD_KEYPTR(hh, rt->counters, c->prefix, size - 1, c);
    }
    return c;
}

/* "prefix(n)", by hand: vsnprintf would take as long as all else in a spawn. */
static struct text *numbered_id(const char *prefix, uint64_t n)
{
    size_t length = strlen(prefix);
    char id[PID_TEXT], digits[20];
    int i = 0;

    CHECK(length + sizeof digits + 2 < sizeof id);
    memcpy(id, prefix, length);
    id[length++] = '(';
    do
        digits[i++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (i > 0)
        id[length++] = digits[--i];
    id[length++] = ')';
    return text_create_n(id, length);
}

static struct text *unique_id(struct runtime *rt, const char *prefix)
{
    struct id_counter *c = counter_of(rt, prefix);

    for (;;) {
        struct text *id = numbered_id(prefix, ++c->n);

        if (!find_name(rt, id->bytes, id->length))
            return id;
        text_unref(id);
    }
}

void process_counters_release(struct runtime *rt)
{
    struct id_counter *c, *next;

    HASH_ITER(hh, rt->counters, c, next)
    {
        HASH_DEL(rt->counters, c);
        mem_free(c);
    }
}

/* With the names lock held. */
static struct slot *settle_in(struct runtime *rt, struct text *id)
{
    struct slot *s = slot_take_free(rt);

    s->pid = (struct pid){
        .runtime = rt,
        .slot = s->index,
        .generation = atomic_load_explicit(&s->generation, memory_order_relaxed),
        .address = rt->address,
        .id = id,
    };
    HASH_ADD_KEYPTR(hh, rt->names, id->bytes, id->length, s);
    return s;
}

static void prepare(struct process *p, struct runtime *rt, struct slot *s,
                    const struct process_class *class)
{
    p->pid = s->pid;
    p->runtime = rt;
    p->class = class;
    p->slot = s;
    p->handlers = NULL;
    p->routes = NULL;
    list_init(&p->pending);
}

int process_spawn(struct runtime *rt, struct process *p, const struct process_class *class,
                  const char *id, struct pid *ret_pid, struct error *err)
{
    struct birth *birth;
    struct worker *here;
    struct slot *s;

    if (id && !pid_is_id(id, strlen(id)))
        return error_set(err, EINVAL, "'%.60s' is not a process id", id);
    here = worker_current(rt);
    birth = mem_alloc(sizeof *birth);
    birth->event.type = &birth_event;
    birth->process = p;
    pthread_mutex_lock(&rt->names_lock);
    if (id && find_name(rt, id, strlen(id))) {
        pthread_mutex_unlock(&rt->names_lock);
        mem_free(birth);
        return error_set(err, EEXIST, "there is a process '%.60s' already", id);
    }
    s = settle_in(rt, id ? text_create(id) : unique_id(rt, class->name));
    prepare(p, rt, s, class);
    if (ret_pid)
        *ret_pid = pid_dup(&s->pid);
    if (!here)
        atomic_store_explicit(&s->home, worker_next(rt)->index, memory_order_relaxed);
    /* With the lock, so that nobody finds the name before this first event is queued. */
    slot_push(rt, s->index, s->pid.generation, &birth->event);
    pthread_mutex_unlock(&rt->names_lock);
    return 0;
}

/* ---- an event ---- */

static bool passes_filter(struct worker *w, struct process *p, struct event *e)
{
    struct runtime *rt = w->runtime;
    static const struct pid nobody;
    struct event_info info = {
        .runtime = rt, .kind = e->type->kind, .to = &p->pid, .from = &nobody, .name = ""
    };
    bool pass = true;

    e->type->describe(e, &info);
    pthread_mutex_lock(&rt->filter_lock);
    if (rt->filter)
        pass = rt->filter(rt->filter_arg, &info);
    pthread_mutex_unlock(&rt->filter_lock);
    /* A step of a future or an end that got lost would be a process that hangs. */
    return pass || info.kind == EVENT_FUTURE || info.kind == EVENT_TERMINATE;
}

static void leave(struct worker *w)
{
    w->process = NULL;
    w->sender = NULL;
    w->message = NULL;
    w->context.actor = "";
    w->context.event = "";
}

static void run(struct worker *w, struct process *p, struct event *e)
{
    if (e->type == &process_bytes_event)
        e = process_open_bytes(w, p, e);
    if (!e)
        return;
    if (e->type->describe && atomic_load_explicit(&w->runtime->has_filter, memory_order_acquire) &&
        !passes_filter(w, p, e)) {
        e->type->drop(w->runtime, e);
        return;
    }
    if (e->type->kind == EVENT_HTTP)
        atomic_fetch_add_explicit(&w->http_requests, 1, memory_order_relaxed);
    e->type->run(p, e);
}

void process_deliver(struct worker *w, struct slot *s, struct event *e)
{
    if (e->generation != atomic_load_explicit(&s->generation, memory_order_relaxed)) {
        e->type->drop(w->runtime, e);
        return;
    }
    w->process = s->process; /* nobody yet, before the first event */
    w->context.actor = s->process ? s->text->bytes : "";
    w->context.event = event_kind_name(e->type->kind);
    worker_count_event(w);
    run(w, s->process, e);
    leave(w);
}

/* ---- the end ---- */

static void forget_name(struct slot *s, struct pid *ret_pid, struct text **ret_text)
{
    struct runtime *rt = s->runtime;

    pthread_mutex_lock(&rt->names_lock);
    HASH_DEL(rt->names, s);
    *ret_pid = s->pid;
    *ret_text = s->text;
    s->pid = (struct pid){ 0 };
    s->text = NULL;
    pthread_mutex_unlock(&rt->names_lock);
}

static void next_generation(struct slot *s)
{
    struct runtime *rt = s->runtime;
    uint32_t next = atomic_load_explicit(&s->generation, memory_order_relaxed) + 1;

    pthread_mutex_lock(&rt->names_lock);
    /* Sequentially consistent, as is the count of waiting threads that is read next. */
    atomic_store_explicit(&s->generation, next ? next : 1, memory_order_seq_cst);
    slot_put_free(s);
    pthread_mutex_unlock(&rt->names_lock);
}

static void finalize(struct worker *w, struct slot *s)
{
    struct process *p = s->process;
    void *handlers, *routes;

    w->process = p;
    w->sender = NULL;
    w->message = NULL;
    w->context.actor = s->text->bytes;
    w->context.event = "finalize";
    future_end_process(p);
    handlers = (void *)p->handlers;
    routes = (void *)p->routes;
    s->finalizing = true;
    if (p->class->finalize)
        p->class->finalize(p); /* p may be no more */
    s->finalizing = false;
    s->process = NULL;
    leave(w);
    mem_free(handlers);
    mem_free(routes);
}

void process_end(struct worker *w, struct slot *s)
{
    struct runtime *rt = s->runtime;
    struct text *text;
    struct pid pid;

    finalize(w, s);
    forget_name(s, &pid, &text);
    process_links_end(s, &pid);
    next_generation(s);
    runtime_changed(rt);
    pid_release(&pid);
    text_unref(text);
}

static void terminate_run(struct process *self, struct event *e)
{
    mem_free(e);
    process_end(worker_of_thread(), self->slot);
}

static void terminate_drop(struct runtime *rt UNUSED, struct event *e)
{
    mem_free(e);
}

static void terminate_describe(const struct event *e UNUSED, struct event_info *info UNUSED) {}

static const struct event_type terminate_event = { EVENT_TERMINATE, terminate_run, terminate_drop,
                                                   terminate_describe };

void process_terminate(const struct pid *pid, enum terminate when)
{
    uint32_t index, generation;
    struct event *e;
    struct slot *s;

    if (!process_find_slot(pid->runtime, pid, &index, &generation))
        return;
    s = slot_get(pid->runtime, index);
    if (atomic_load_explicit(&s->generation, memory_order_acquire) != generation)
        return;
    if (when == TERMINATE_NOW)
        atomic_store_explicit(&s->terminate, generation, memory_order_release);
    e = mem_alloc(sizeof *e); /* also what brings the slot to its turn */
    e->type = &terminate_event;
    slot_push(pid->runtime, index, generation, e);
}

/* ---- wait ---- */

static bool is_gone(void *arg)
{
    const struct pid *pid = arg;
    struct slot *s = slot_get(pid->runtime, pid->slot);

    return atomic_load_explicit(&s->generation, memory_order_seq_cst) != pid->generation;
}

bool process_wait(const struct pid *pid, struct duration timeout)
{
    struct pid slot = *pid; /* borrowed: pid may be inside the process that ends */

    CHECK(!process_current());
    if (!pid->runtime)
        return true;
    return runtime_wait_for(pid->runtime, is_gone, &slot, timeout);
}
