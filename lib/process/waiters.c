/* waiters.c - those who wait for the same thing, in the order they came
 *
 * A waiter is a hook in its own future: it is fired once, when a discard is
 * asked for or when the future has been settled, and frees the waiter.
 */
#include "process/waiters.h"

#include "base/check.h"
#include "base/memory.h"
#include "process/future_private.h"

struct waiter {
    struct hook hook; /* first */
    struct list link; /* in the row, or in none */
    struct waiters *waiters;
    struct promise *promise; /* the row's; NULL when it was taken */
    int kind;
};

struct waiters *waiters_create(void (*left)(struct waiters *w))
{
    struct waiters *w = mem_alloc(sizeof *w);

    ref_init(&w->ref);
    pthread_mutex_init(&w->lock, NULL);
    list_init(&w->row);
    w->left = left;
    return w;
}

void waiters_unref(struct waiters *w)
{
    if (!w || !ref_put(&w->ref))
        return;
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

/* NULL also when somebody else has taken it. */
struct promise *waiters_take(struct waiter *one)
{
    struct promise *p;

    if (!one)
        return NULL;
    p = one->promise;
    list_remove(&one->link);
    one->promise = NULL;
    return p;
}

static void fire(struct hook *h, struct future *f, struct list *work)
{
    struct waiter *one = (struct waiter *)h;
    struct waiters *w = one->waiters;
    struct promise *p;

    pthread_mutex_lock(&w->lock);
    p = waiters_take(one);
    pthread_mutex_unlock(&w->lock);
    if (p) {
        future_end(f, FUTURE_DISCARDED, NULL, NULL, NULL, work);
        promise_unref(p);
        if (w->left)
            w->left(w);
    }
    waiters_unref(w);
    mem_free(one);
}

struct future *waiters_add(struct waiters *w, const struct future_type *type, int kind)
{
    struct promise *p = promise_create(type);
    struct future *f = promise_future(p);
    struct waiter *one;
    struct list work;

    if (w->closed) {
        promise_unref(p);
        return f;
    }
    one = mem_alloc(sizeof *one);
    one->hook.for_discard = true;
    one->hook.fire = fire;
    one->waiters = w;
    one->promise = p;
    one->kind = kind;
    ref_get(&w->ref);
    list_append(&w->row, &one->link);
    list_init(&work);
    future_hook(f, &one->hook, &work); /* nobody has f yet: it only waits */
    return f;
}

struct waiter *waiters_first(struct waiters *w)
{
    return list_first(&w->row, struct waiter, link);
}

int waiters_kind(const struct waiter *one)
{
    return one->kind;
}

void waiters_close(struct waiters *w)
{
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    for (;;) {
        struct waiter *one = waiters_first(w);
        struct promise *p;

        if (!one)
            break;
        p = waiters_take(one);
        pthread_mutex_unlock(&w->lock);
        promise_unref(p); /* one may be gone with it */
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- one at a time ---- */

struct future *waiters_lock(struct waiters *w)
{
    struct future *f = NULL;

    pthread_mutex_lock(&w->lock);
    if (w->held)
        f = waiters_add(w, &future_nothing, 0);
    else
        w->held = 1;
    pthread_mutex_unlock(&w->lock);
    return f ? f : future_ready(&future_nothing, NULL);
}

/* Hands it over without letting go. */
void waiters_unlock(struct waiters *w)
{
    struct promise *next;

    pthread_mutex_lock(&w->lock);
    CHECK(w->held == 1);
    next = waiters_take(waiters_first(w));
    if (!next)
        w->held = 0;
    pthread_mutex_unlock(&w->lock);
    if (next)
        promise_set(next, &future_nothing, NULL);
    promise_unref(next);
}
