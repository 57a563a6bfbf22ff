/* sequence.c - one after the other, each to its end
 *
 * A lock that each step waits for, and that is given back when the step's
 * result has been settled.  That may be before the lock came (the process of
 * the step has ended): then the step leaves the row, so that a lock does not pass
 * through many of them, each inside the other's unlock; and whichever of the two
 * ends last sees whether there is something to give back.
 */
#include "process/sequence.h"

#include "base/memory.h"
#include "process/future_private.h"
#include "process/process.h"
#include "process/waiters.h"

struct sequence {
    struct waiters *waiters;
};

struct turn {
    struct hook result_ended, lock_ended;
    struct waiters *waiters;
    struct future *lock;
    _Atomic int left; /* of the two; acquire and release: who is last sees the other's end */
};

struct sequence *sequence_create(void)
{
    struct sequence *s = mem_alloc(sizeof *s);

    s->waiters = waiters_create(NULL);
    return s;
}

void sequence_destroy(struct sequence *s)
{
    if (!s)
        return;
    waiters_close(s->waiters);
    waiters_unref(s->waiters);
    mem_free(s);
}

static void one_ended(struct turn *t)
{
    if (atomic_fetch_sub_explicit(&t->left, 1, memory_order_acq_rel) > 1)
        return;
    if (future_state(t->lock) == FUTURE_READY)
        waiters_unlock(t->waiters);
    waiters_unref(t->waiters);
    future_unref(t->lock);
    mem_free(t);
}

static void on_result(struct hook *h, struct future *f UNUSED, struct list *work)
{
    struct turn *t = container_of(h, struct turn, result_ended);

    future_discard_into(t->lock, work); /* nothing when it is ours */
    one_ended(t);
}

static void on_lock(struct hook *h, struct future *f UNUSED, struct list *work UNUSED)
{
    one_ended(container_of(h, struct turn, lock_ended));
}

struct future *sequence_add(struct sequence *s, struct process *self, future_step_f step, void *op)
{
    struct turn *t = mem_alloc(sizeof *t);
    struct future *result;
    struct list work;

    t->lock = waiters_lock(s->waiters);
    t->waiters = s->waiters;
    ref_get(&t->waiters->ref);
    atomic_init(&t->left, 2);
    t->result_ended.fire = on_result;
    t->lock_ended.fire = on_lock;
    result = future_then(future_ref(t->lock), self, step, op);
    list_init(&work);
    future_hook(t->lock, &t->lock_ended, &work);
    future_hook(result, &t->result_ended, &work);
    future_run_work(&work);
    return result;
}
