/* future.c - the consumers' side: looking at futures, steps and lasts
 *
 * A callback belongs to one process and waits in two lists: the future's, under
 * the future's lock, and the process's pending ones, which only the process
 * touches.  When its future ends it becomes an event of the process.  When the
 * process ends first, future_end_process runs or drops it there and then; an
 * event that was already on its way is only freed when it is dropped.
 *
 * Code outside of actors asks in the name of the executor: the callback then
 * first travels there as an event, and begins to wait when it arrives.
 *
 * A step's callback lies in the room of the future that is its result, and goes
 * with it: the callback holds the promise of it until its own end.
 */
#include "process/core.h"
#include "process/future_private.h"

#include "base/check.h"
#include "base/memory.h"

/* ---- looking ---- */

enum future_state future_state(const struct future *f)
{
    /* Acquire: whoever sees the end sees the value. */
    return atomic_load_explicit(&f->state, memory_order_acquire);
}

const struct error *future_error(const struct future *f)
{
    if (future_state(f) != FUTURE_FAILED)
        return NULL;
    return f->source ? f->source->error : f->error;
}

const void *future_value(const struct future *f, const struct future_type *type)
{
    CHECK(future_state(f) == FUTURE_READY);
    if (f->source)
        f = f->source;
    CHECK(f->type == type);
    return f->value;
}

bool future_is_abandoned(const struct future *f)
{
    return future_state(f) == FUTURE_DISCARDED && (f->source ? f->source : f)->abandoned;
}

bool future_has_discard(const struct future *f)
{
    return atomic_load_explicit(&f->discard, memory_order_acquire);
}

struct future *future_ref(struct future *f)
{
    ref_get(&f->ref);
    return f;
}

void future_unref(struct future *f)
{
    if (!f || !future_put(&f->ref))
        return;
    CHECK(list_is_empty(&f->hooks) && !f->upstream); /* a promise keeps it until the end */
    if (f->value && f->type->release)
        f->type->release(f->value);
    if (f->value != f->room)
        mem_free(f->value);
    mem_free(f->error);
    future_unref(f->source);
    pthread_mutex_destroy(&f->lock);
    spares_put(f, f->size);
}

/* ---- callbacks ---- */

enum callback_kind { STEP, LAST, ONE_END };

enum {
    ON_READY = 1 << FUTURE_READY,
    ON_FAILED = 1 << FUTURE_FAILED,
    ON_DISCARDED = 1 << FUTURE_DISCARDED
};

struct callback {
    struct hook hook; /* first */
    struct event event;
    struct list pending; /* in the process's, by the process only */
    struct process *process; /* alive while the hook waits */
    struct future *future;
    union {
        future_step_f step;
        future_last_f last;
    };
    void *op;
    uint8_t kind; /* enum callback_kind */
    uint8_t ends; /* which it is for */
    bool over;    /* the process ended first */
};

static struct callback *callback_of(struct event *e)
{
    return (struct callback *)((char *)e - offsetof(struct callback, event));
}

/* Of a step: in whose room it lies. */
static struct promise *result_of(struct callback *c)
{
    return &container_of((char *)c, struct future, room)->promise;
}

static void callback_free(struct callback *c)
{
    future_unref(c->future);
    if (c->kind == STEP)
        promise_unref(result_of(c));
    else
        spares_put(c, sizeof *c);
}

static void run_step(struct callback *c)
{
    struct promise *result = result_of(c);
    struct future *f = c->future;

    if (!(c->ends & 1u << future_state(f)))
        promise_follow(result, future_ref(f));
    else if (c->ends == ON_READY && future_has_discard(promise_owner(result)))
        promise_discard(result);
    else
        promise_follow(result, c->step(c->process, f, c->op));
}

static bool is_wanted(const struct callback *c)
{
    if (c->hook.for_discard)
        return future_has_discard(c->future);
    return c->ends & 1u << future_state(c->future);
}

static void callback_run(struct process *self UNUSED, struct event *e)
{
    struct callback *c = callback_of(e);

    list_remove(&c->pending);
    if (c->kind == STEP)
        run_step(c);
    else if (is_wanted(c))
        c->last(c->process, c->future, c->op);
    callback_free(c);
}

/* Its process has ended, and future_end_process has seen to it. */
static void callback_drop(struct runtime *rt UNUSED, struct event *e)
{
    CHECK(callback_of(e)->over);
    callback_free(callback_of(e));
}

static void describe(const struct event *e UNUSED, struct event_info *info UNUSED) {}

static const struct event_type callback_event = { EVENT_FUTURE, callback_run, callback_drop,
                                                  describe };

static void fire(struct hook *h, struct future *f UNUSED, struct list *work UNUSED)
{
    struct callback *c = (struct callback *)h;
    const struct pid *to = &c->process->pid;

    c->event.type = &callback_event;
    slot_push(to->runtime, to->slot, to->generation, &c->event);
}

/* A last runs, with a future that is DISCARDED, a step and the rest do not. */
static void callback_end(struct callback *c)
{
    if (c->kind == LAST) {
        struct promise *p = promise_create(c->future->type);
        struct future *f = promise_future(p);

        promise_unref(p);
        c->last(c->process, f, c->op);
        future_unref(f);
    }
}

void future_end_process(struct process *p)
{
    while (!list_is_empty(&p->pending)) { /* lasts may ask for more */
        struct callback *c = list_first(&p->pending, struct callback, pending);
        bool waits = future_unhook(c->future, &c->hook);

        list_remove(&c->pending);
        if (waits) {
            callback_end(c);
            callback_free(c);
        } else {
            c->over = true; /* its event is in our own queue, and frees it */
            callback_end(c);
            if (c->kind == STEP)
                promise_discard(result_of(c));
        }
    }
}

/* ---- asking ---- */

static void begin_to_wait(struct callback *c)
{
    struct list work;

    list_init(&work);
    list_append(&c->process->pending, &c->pending);
    future_hook(c->future, &c->hook, &work);
    CHECK(list_is_empty(&work));
}

static void arrive_run(struct process *self UNUSED, struct event *e)
{
    begin_to_wait(callback_of(e));
}

/* The executor has ended: so has its runtime, nearly. */
static void arrive_drop(struct runtime *rt UNUSED, struct event *e)
{
    callback_end(callback_of(e));
    callback_free(callback_of(e));
}

static const struct event_type arrive_event = { EVENT_FUTURE, arrive_run, arrive_drop, NULL };

static void ask(struct callback *c)
{
    struct process *p = c->process;

    if (p != process_current()) {
        CHECK(p == runtime_executor(p->runtime));
        c->event.type = &arrive_event;
        slot_push(p->runtime, p->pid.slot, p->pid.generation, &c->event);
    } else if (worker_of_thread()->finalizing) { /* there is no later */
        callback_end(c);
        callback_free(c);
    } else {
        begin_to_wait(c);
    }
}

/* Takes f. */
static void init(struct callback *c, enum callback_kind kind, unsigned ends, struct future *f,
                 struct process *self, void *op)
{
    *c = (struct callback){
        .hook = { .fire = fire, .pushes = true },
        .process = self,
        .future = f,
        .op = op,
        .kind = (uint8_t)kind,
        .ends = (uint8_t)ends,
    };
    list_init(&c->hook.link);
    list_init(&c->pending);
}

/* ---- steps ---- */

static struct future *add_step(unsigned ends, struct future *f, struct process *self,
                               future_step_f step, void *op)
{
    struct future *result = future_create(NULL, sizeof(struct callback));
    struct callback *c = (struct callback *)result->room;

    init(c, STEP, ends, f, self, op);
    c->step = step;
    future_discard_with(f, &result->promise);
    ask(c);
    return result;
}

struct future *future_then(struct future *f, struct process *self, future_step_f step, void *op)
{
    return add_step(ON_READY, f, self, step, op);
}

struct future *future_recover(struct future *f, struct process *self, future_step_f step, void *op)
{
    return add_step(ON_FAILED | ON_DISCARDED, f, self, step, op);
}

struct future *future_repair(struct future *f, struct process *self, future_step_f step, void *op)
{
    return add_step(ON_FAILED, f, self, step, op);
}

/* ---- ends ---- */

void future_finally(struct future *f, struct process *self, future_last_f last, void *op)
{
    struct callback *c = spares_take(self->runtime, sizeof *c);

    init(c, LAST, ON_READY | ON_FAILED | ON_DISCARDED, f, self, op);
    c->last = last;
    ask(c);
}

static void add_one_end(unsigned ends, struct future *f, struct process *self, future_last_f fn,
                        void *op)
{
    struct callback *c = spares_take(self->runtime, sizeof *c);

    init(c, ONE_END, ends, future_ref(f), self, op);
    c->last = fn;
    c->hook.for_discard = ends == 0;
    ask(c);
}

void future_on_ready(struct future *f, struct process *self, future_last_f fn, void *op)
{
    add_one_end(ON_READY, f, self, fn, op);
}

void future_on_failed(struct future *f, struct process *self, future_last_f fn, void *op)
{
    add_one_end(ON_FAILED, f, self, fn, op);
}

void future_on_discarded(struct future *f, struct process *self, future_last_f fn, void *op)
{
    add_one_end(ON_DISCARDED, f, self, fn, op);
}

void future_on_any(struct future *f, struct process *self, future_last_f fn, void *op)
{
    add_one_end(ON_READY | ON_FAILED | ON_DISCARDED, f, self, fn, op);
}

void future_on_discard(struct future *f, struct process *self, future_last_f fn, void *op)
{
    add_one_end(0, f, self, fn, op);
}

/* ---- waiting outside of actors ---- */

struct waiter {
    struct hook hook;
    struct host *host;
};

static void wake_waiter(struct hook *h, struct future *f UNUSED, struct list *work UNUSED)
{
    host_notify(((struct waiter *)h)->host);
    mem_free(h);
}

static bool is_settled(void *arg)
{
    return future_state(arg) != FUTURE_PENDING;
}

bool future_wait(struct future *f, struct host *host, struct duration timeout)
{
    struct waiter *w;
    struct list work;
    bool settled;

    CHECK(!process_current());
    if (is_settled(f))
        return true;
    w = mem_alloc(sizeof *w);
    w->hook.fire = wake_waiter;
    w->host = host;
    list_init(&work);
    future_hook(f, &w->hook, &work);
    future_run_work(&work);
    settled = host_wait(host, is_settled, f, instant_add(host_now(host), timeout));
    if (future_unhook(f, &w->hook))
        mem_free(w);
    return settled;
}
