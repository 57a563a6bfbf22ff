/* process_call.c - functions that run in the context of a process
 *
 * Now (dispatch), with a result (call), after a time (delay); and, the other
 * way round, off the actors' threads (async).  The event owns the copy of the
 * arguments; their release runs exactly once, behind the function or instead
 * of it.
 */
#include "process/core.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "base/memory.h"
#include "process/future.h"

/* Of dispatch and delay. */
struct call_event {
    struct event event;
    process_call_f fn;
    process_release_f release;
    size_t size; /* of all */
    alignas(16) char args[];
};

static void call_finish(struct call_event *e)
{
    if (e->release)
        e->release(e->args);
    spares_put(e, e->size);
}

static void call_run(struct process *self, struct event *event)
{
    struct call_event *e = (struct call_event *)event;

    e->fn(self, e->args);
    call_finish(e);
}

static void call_drop(struct runtime *rt UNUSED, struct event *event)
{
    call_finish((struct call_event *)event);
}

static void describe(const struct event *e UNUSED, struct event_info *info UNUSED) {}

static const struct event_type call_event = { EVENT_DISPATCH, call_run, call_drop, describe };

static struct event *make_call(struct runtime *rt, process_call_f fn, const void *args, size_t size,
                               process_release_f release)
{
    struct call_event *e = spares_take(rt, sizeof *e + size);

    e->event.type = &call_event;
    e->fn = fn;
    e->release = release;
    e->size = sizeof *e + size;
    if (size > 0)
        memcpy(e->args, args, size);
    return &e->event;
}

/* Of call. */
struct ask_event {
    struct event event;
    process_ask_f ask;
    process_release_f release;
    struct promise *promise;
    struct text *id; /* who was asked */
    alignas(16) char args[];
};

static void ask_finish(struct ask_event *e)
{
    if (e->release)
        e->release(e->args);
    text_unref(e->id);
    promise_unref(e->promise);
    mem_free(e);
}

static void ask_run(struct process *self, struct event *event)
{
    struct ask_event *e = (struct ask_event *)event;

    promise_follow(e->promise, e->ask(self, e->args));
    ask_finish(e);
}

static void ask_drop(struct runtime *rt UNUSED, struct event *event)
{
    struct ask_event *e = (struct ask_event *)event;

    promise_fail(e->promise, ESRCH, "no such process: %s", e->id ? e->id->bytes : "");
    ask_finish(e);
}

static const struct event_type ask_event = { EVENT_DISPATCH, ask_run, ask_drop, describe };

/* A PID of which only the text is known may be of the node of who asks. */
static struct runtime *runtime_of(const struct pid *to)
{
    struct process *self;

    if (to->runtime)
        return to->runtime;
    self = process_current();
    return self ? self->runtime : NULL;
}

static void push(struct runtime *rt, const struct pid *to, struct event *e)
{
    uint32_t slot, generation;

    if (process_find_slot(rt, to, &slot, &generation))
        slot_push(rt, slot, generation, e);
    else
        e->type->drop(rt, e);
}

void process_dispatch(const struct pid *to, process_call_f fn, const void *args, size_t size,
                      process_release_f release)
{
    struct runtime *rt = runtime_of(to);

    push(rt, to, make_call(rt, fn, args, size, release));
}

struct future *process_call(const struct pid *to, process_ask_f fn, const void *args, size_t size,
                            process_release_f release)
{
    struct ask_event *e = mem_alloc(sizeof *e + size);
    struct future *f;

    e->event.type = &ask_event;
    e->ask = fn;
    e->release = release;
    e->promise = promise_create(NULL);
    e->id = text_ref(to->id);
    if (size > 0)
        memcpy(e->args, args, size);
    f = promise_future(e->promise);
    push(runtime_of(to), to, &e->event);
    return f;
}

/* ---- after a time ---- */

struct timer process_delay(const struct pid *to, struct duration d, process_call_f fn,
                           const void *args, size_t size, process_release_f release)
{
    struct runtime *rt = runtime_of(to);
    struct event *e = make_call(rt, fn, args, size, release);
    uint32_t slot, generation;

    if (process_find_slot(rt, to, &slot, &generation))
        return timers_add(rt, d, slot, generation, e);
    call_drop(rt, e);
    return (struct timer){ NULL, 0 };
}

bool process_cancel(struct timer *t)
{
    struct event *e = t->runtime ? timers_cancel(t->runtime->timers, t->id) : NULL;

    if (e)
        e->type->drop(t->runtime, e);
    *t = (struct timer){ NULL, 0 };
    return e != NULL;
}

/* ---- off the actors' threads ---- */

struct async {
    void (*work)(void *args);
    void *args;
    bool worked;
    struct promise *promise;
    struct worker *worker;
};

static void async_work(void *arg)
{
    struct async *a = arg;

    a->work(a->args);
    a->worked = true;
}

/* On the loop: work that was left out gives a future that is DISCARDED. */
static void async_done(void *arg)
{
    struct async *a = arg;

    if (a->worked)
        promise_set(a->promise, &future_nothing, NULL);
    promise_unref(a->promise);
    mem_free(a);
}

static void async_start(void *arg)
{
    struct async *a = arg;
    struct loop *loop = worker_loop(a->worker);

    if (loop)
        host_async(loop, async_work, async_done, a);
    else
        async_done(a);
}

struct future *process_async(struct runtime *rt, void (*work)(void *args), void *args)
{
    struct worker *here = worker_current(rt);
    struct async *a = mem_alloc(sizeof *a);
    struct future *f;

    *a = (struct async){ .work = work,
                         .args = args,
                         .promise = promise_create(&future_nothing),
                         .worker = here ? here : worker_next(rt) };
    f = promise_future(a->promise);
    if (here)
        async_start(a);
    else
        worker_post(a->worker, async_start, a);
    return f;
}
