/* rate_limiter.c - so many in so long, evenly
 *
 * acquire joins the row and wakes the process; the process gives out a permit
 * when its time has come, and sets a timer for the next while somebody waits.
 */
#include "process/rate_limiter.h"

#include "base/check.h"
#include "base/memory.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "process/waiters.h"

struct rate_limiter {
    struct pid pid;
    struct waiters *waiters;
};

struct permits {
    struct process process; /* frees itself */
    struct waiters *waiters;
    struct duration interval;
    struct instant next; /* when the next permit is there */
    struct timer timer;
};

CLASS(permits, "rate-limiter", permits_initialize, permits_exited, permits_finalize);
CALL(permits, somebody_waits, nothing, NO_RELEASE);
CALL(permits, time_came, nothing, NO_RELEASE);

struct rate_limiter *rate_limiter_create(struct runtime *rt, unsigned permits, struct duration per,
                                         struct error *err)
{
    struct rate_limiter *l = mem_alloc(sizeof *l);
    struct permits *p = mem_alloc(sizeof *p);

    CHECK(permits > 0 && per.ns > 0);
    l->waiters = p->waiters = waiters_create(NULL);
    p->interval = NANOSECONDS(per.ns / permits);
    p->next = runtime_now(rt);
    ref_get(&p->waiters->ref);
    if (process_spawn(rt, &p->process, &permits_class, NULL, &l->pid, err) == 0)
        return l;
    waiters_unref(p->waiters);
    waiters_unref(l->waiters);
    mem_free(p);
    mem_free(l);
    return NULL;
}

void rate_limiter_destroy(struct rate_limiter *l)
{
    if (!l)
        return;
    waiters_close(l->waiters);
    process_terminate(&l->pid, TERMINATE_NOW);
    pid_release(&l->pid);
    waiters_unref(l->waiters);
    mem_free(l);
}

struct future *rate_limiter_acquire(struct rate_limiter *l)
{
    struct future *f;

    pthread_mutex_lock(&l->waiters->lock);
    f = waiters_add(l->waiters, &future_nothing, 0);
    pthread_mutex_unlock(&l->waiters->lock);
    dispatch(&l->pid, somebody_waits);
    return f;
}

/* The first of the row, if its time has come; *ret_more: somebody still waits. */
static struct promise *take_one(struct permits *p, struct instant now, bool *ret_more)
{
    struct promise *one = NULL;

    pthread_mutex_lock(&p->waiters->lock);
    if (!instant_before(now, p->next))
        one = waiters_take(waiters_first(p->waiters));
    *ret_more = waiters_first(p->waiters) != NULL;
    pthread_mutex_unlock(&p->waiters->lock);
    return one;
}

static void give(struct permits *p)
{
    struct instant now = runtime_now(p->process.runtime);
    struct promise *one;
    bool more;

    do {
        one = take_one(p, now, &more);
        if (one) {
            p->next = instant_add(now, p->interval);
            promise_set(one, &future_nothing, NULL);
            promise_unref(one);
        }
    } while (one && more);
    if (more && p->timer.id == 0)
        p->timer = delay(&p->process.pid, instant_since(p->next, now), time_came);
}

static void somebody_waits(struct permits *p, struct nothing *unused UNUSED)
{
    give(p);
}

static void time_came(struct permits *p, struct nothing *unused UNUSED)
{
    p->timer = (struct timer){ 0 };
    give(p);
}

static void permits_initialize(struct permits *p UNUSED) {}

static void permits_exited(struct permits *p UNUSED, const struct pid *peer UNUSED) {}

static void permits_finalize(struct permits *p)
{
    process_cancel(&p->timer);
    waiters_close(p->waiters); /* the runtime ends */
    waiters_unref(p->waiters);
    mem_free(p);
}
