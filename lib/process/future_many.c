/* future_many.c - futures of several futures, and of a future or a time
 *
 * await, collect and select need no process: hooks count what has ended.
 * after is a race of the future and a timer, run by the process that asked, so
 * that one of the two wins and nothing is shared.
 */
#include "process/future_private.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/process.h"

/* ---- await, collect, select ---- */

enum how { AWAIT, COLLECT, SELECT };

struct many {
    struct ref ref; /* of each hook */
    enum how how;
    struct promise *result;
    _Atomic size_t left;
    size_t n;
    struct future *futures[];
};

struct many_hook {
    struct hook hook;
    struct many *many;
};

static void many_unref(struct many *m)
{
    if (!ref_put(&m->ref))
        return;
    for (size_t i = 0; i < m->n; i++)
        future_unref(m->futures[i]);
    promise_unref(m->result);
    mem_free(m);
}

static void discard_all(struct many *m, struct list *work)
{
    for (size_t i = 0; i < m->n; i++)
        future_discard_into(m->futures[i], work);
}

static void collect_fails(struct many *m, struct future *f, struct list *work)
{
    const struct error *why = future_error(f);
    struct error err;

    if (why)
        error_set(&err, why->code, "Collect failed: %s", why->text);
    else
        error_set(&err, ECANCELED, "Collect failed: future discarded");
    if (future_end(promise_owner(m->result), FUTURE_FAILED, NULL, NULL, &err, work))
        discard_all(m, work);
}

static void all_ended(struct many *m, struct list *work)
{
    static const struct error none = { ENOENT, "None of the futures became ready" };
    struct future *result = promise_owner(m->result);

    if (m->how == SELECT)
        future_end(result, FUTURE_FAILED, NULL, NULL, &none, work);
    else
        future_end(result, FUTURE_READY, &future_nothing, NULL, NULL, work);
}

static void one_ended(struct hook *h, struct future *f, struct list *work)
{
    struct many_hook *hook = (struct many_hook *)h;
    struct many *m = hook->many;
    bool ready = future_state(f) == FUTURE_READY;

    mem_free(hook);
    if (m->how == COLLECT && !ready)
        collect_fails(m, f, work);
    else if (m->how == SELECT && ready)
        future_end_like(promise_owner(m->result), future_ref(f), work);
    if (atomic_fetch_sub_explicit(&m->left, 1, memory_order_acq_rel) == 1)
        all_ended(m, work);
    many_unref(m);
}

static void result_discarded(struct hook *h, struct future *f, struct list *work)
{
    struct many_hook *hook = (struct many_hook *)h;

    if (future_has_discard(f))
        discard_all(hook->many, work);
    many_unref(hook->many);
    mem_free(hook);
}

static void add_hook(struct many *m, struct future *f, bool for_discard, struct list *work)
{
    struct many_hook *hook = mem_alloc(sizeof *hook);

    ref_get(&m->ref);
    hook->many = m;
    hook->hook.for_discard = for_discard;
    hook->hook.fire = for_discard ? result_discarded : one_ended;
    future_hook(f, &hook->hook, work);
}

static struct future *of_many(enum how how, struct future *const v[], size_t n)
{
    struct many *m = mem_alloc(sizeof *m + n * sizeof m->futures[0]);
    struct future *result;
    struct list work;

    ref_init(&m->ref);
    m->how = how;
    m->n = n;
    m->result = promise_create(NULL);
    atomic_init(&m->left, n);
    result = promise_future(m->result);
    list_init(&work);
    for (size_t i = 0; i < n; i++)
        m->futures[i] = v[i];
    for (size_t i = 0; i < n; i++)
        add_hook(m, v[i], false, &work);
    add_hook(m, result, true, &work);
    if (n == 0)
        all_ended(m, &work);
    future_run_work(&work);
    many_unref(m);
    return result;
}

struct future *future_await(struct future *const v[], size_t n)
{
    return of_many(AWAIT, v, n);
}

struct future *future_collect(struct future *const v[], size_t n)
{
    return of_many(COLLECT, v, n);
}

struct future *future_select(struct future *const v[], size_t n)
{
    return of_many(SELECT, v, n);
}

/* ---- after ---- */

struct after {
    struct future *future;
    struct promise *result;
    struct timer timer;
    future_step_f step;
    void *op;
    bool decided;   /* by either; from events of self only */
    struct ref ref; /* of the timer, and of the last */
};

static void after_unref(struct after *a)
{
    if (!ref_put(&a->ref))
        return;
    future_unref(a->future);
    promise_unref(a->result);
    mem_free(a);
}

static void after_release(void *args)
{
    after_unref(*(struct after **)args);
}

static void after_late(struct process *self, void *args)
{
    struct after *a = *(struct after **)args;

    if (a->decided || future_state(a->future) != FUTURE_PENDING)
        return;
    a->decided = true;
    promise_follow(a->result, a->step(self, a->future, a->op));
}

/* Also when the process ends first: then f is a discarded one, and so is the result. */
static void after_settled(struct process *self UNUSED, struct future *f, void *op)
{
    struct after *a = op;

    process_cancel(&a->timer);
    if (!a->decided) {
        a->decided = true;
        promise_follow(a->result, future_ref(f));
    }
    after_unref(a);
}

struct future *future_after(struct future *f, struct duration d, struct process *self,
                            future_step_f step, void *op)
{
    struct after *a = mem_alloc(sizeof *a);
    struct future *result;

    ref_init(&a->ref);
    a->future = f;
    a->result = promise_create(NULL);
    a->step = step;
    a->op = op;
    result = promise_future(a->result);
    future_discard_with(f, a->result);
    ref_get(&a->ref);
    /* Its time begins now, also when the executor is asked from outside. */
    a->timer = process_delay(&self->pid, d, after_late, &a, sizeof a, after_release);
    future_finally(future_ref(f), self, after_settled, a);
    return result;
}
