/* future_single.c - futures made of one other, or of a time */
#include "process/future_private.h"

#include "base/memory.h"
#include "process/process.h"
#include "process/runtime.h"

/* ---- what cannot be discarded ---- */

struct shield {
    struct hook hook; /* first; in the future behind it */
    struct promise *result;
};

static void shield_ends(struct hook *h, struct future *f, struct list *work)
{
    struct shield *s = (struct shield *)h;

    future_end_like(promise_owner(s->result), future_ref(f), work);
    promise_unref(s->result);
    mem_free(s);
}

struct future *future_undiscardable(struct future *f)
{
    struct shield *s = mem_alloc(sizeof *s);
    struct future *result;
    struct list work;

    s->hook.fire = shield_ends;
    s->result = promise_create(NULL);
    result = promise_future(s->result);
    list_init(&work);
    future_hook(f, &s->hook, &work);
    future_run_work(&work);
    future_unref(f);
    return result;
}

/* ---- a time ---- */

/* The event of the timer has the promise; whoever drops it discards the future. */
struct ring_args {
    struct promise *promise;
};

static void ring(struct process *self UNUSED, void *args)
{
    promise_set(((struct ring_args *)args)->promise, &future_nothing, NULL);
}

static void ring_release(void *args)
{
    promise_unref(((struct ring_args *)args)->promise);
}

struct timer_hook {
    struct hook hook; /* first; for a discard */
    struct timer timer;
};

static void timer_discarded(struct hook *h, struct future *f, struct list *work UNUSED)
{
    if (future_has_discard(f))
        process_cancel(&((struct timer_hook *)h)->timer);
    mem_free(h);
}

struct future *future_timer(struct runtime *rt, struct duration d)
{
    struct ring_args args = { promise_create(&future_nothing) };
    struct future *result = promise_future(args.promise);
    struct timer_hook *h = mem_alloc(sizeof *h);
    struct list work;

    h->hook.fire = timer_discarded;
    h->hook.for_discard = true;
    h->timer = process_delay(&runtime_executor(rt)->pid, d, ring, &args, sizeof args, ring_release);
    list_init(&work);
    future_hook(result, &h->hook, &work);
    future_run_work(&work);
    return result;
}
