/* rwlock.c - many readers or one writer, for deeds that take several events */
#include "process/rwlock.h"

#include "base/check.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/waiters.h"

enum kind { READER, WRITER };

/* waiters->held: how many readers hold it, or WRITING. */
enum { WRITING = -1 };

struct rwlock {
    struct waiters *waiters;
};

static bool may_enter(const struct waiters *w, int kind)
{
    return kind == WRITER ? w->held == 0 : w->held != WRITING;
}

static void enter(struct waiters *w, int kind)
{
    w->held = kind == WRITER ? WRITING : w->held + 1;
}

/* Lets in, from the front, all that may. */
static void admit(struct waiters *w)
{
    struct promise *p;

    do {
        struct waiter *first;

        p = NULL;
        pthread_mutex_lock(&w->lock);
        first = waiters_first(w);
        if (first && may_enter(w, waiters_kind(first))) {
            enter(w, waiters_kind(first));
            p = waiters_take(first);
        }
        pthread_mutex_unlock(&w->lock);
        if (p)
            promise_set(p, &future_nothing, NULL);
        promise_unref(p);
    } while (p);
}

struct rwlock *rwlock_create(void)
{
    struct rwlock *l = mem_alloc(sizeof *l);

    l->waiters = waiters_create(admit);
    return l;
}

void rwlock_destroy(struct rwlock *l)
{
    if (!l)
        return;
    waiters_close(l->waiters);
    waiters_unref(l->waiters);
    mem_free(l);
}

static struct future *lock(struct waiters *w, enum kind kind)
{
    struct future *f = NULL;

    pthread_mutex_lock(&w->lock);
    if (waiters_first(w) || !may_enter(w, kind))
        f = waiters_add(w, &future_nothing, kind);
    else
        enter(w, kind);
    pthread_mutex_unlock(&w->lock);
    return f ? f : future_ready(&future_nothing, NULL);
}

static void unlock(struct waiters *w, enum kind kind)
{
    pthread_mutex_lock(&w->lock);
    CHECK(kind == WRITER ? w->held == WRITING : w->held > 0);
    w->held = kind == WRITER ? 0 : w->held - 1;
    pthread_mutex_unlock(&w->lock);
    admit(w);
}

struct future *rwlock_read_lock(struct rwlock *l)
{
    return lock(l->waiters, READER);
}

void rwlock_read_unlock(struct rwlock *l)
{
    unlock(l->waiters, READER);
}

struct future *rwlock_write_lock(struct rwlock *l)
{
    return lock(l->waiters, WRITER);
}

void rwlock_write_unlock(struct rwlock *l)
{
    unlock(l->waiters, WRITER);
}
