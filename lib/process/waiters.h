/* waiters.h - those who wait for the same thing, in the order they came
 *
 * The ground of queue.c, mutex.c, rwlock.c, sequence.c and rate_limiter.c: a row
 * of promises.  One whose future is asked to be discarded leaves the row at once
 * and becomes DISCARDED.  The row's lock is also its owner's: it guards what
 * decides whether somebody has to wait.  Nothing is settled under the lock: a
 * promise is taken with it, and settled after it was given back.
 *
 * Counted, because a discard may still be on its way when the owner ends.
 */
#ifndef WAITERS_H
#define WAITERS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/ref.h"

struct future;
struct future_type;
struct promise;
struct waiter;

struct waiters {
    struct ref ref;
    pthread_mutex_t lock;
    struct list row;
    bool closed;
    int held;                        /* how often what they wait for is taken */
    void (*left)(struct waiters *w); /* somebody has gone; without the lock; NULL: nobody cares */
};

struct waiters *waiters_create(void (*left)(struct waiters *w));
void waiters_unref(struct waiters *w);
/* All that wait become DISCARDED, and who comes later at once. */
void waiters_close(struct waiters *w);

/* With the lock held.  add: joins at the end; the kind is the owner's.  first: who
 * is next, NULL if nobody.  take: its promise, which the caller settles without
 * the lock, and unrefs; NULL gives NULL. */
struct future *waiters_add(struct waiters *w, const struct future_type *type, int kind);
struct waiter *waiters_first(struct waiters *w);
int waiters_kind(const struct waiter *one);
struct promise *waiters_take(struct waiter *one);

/* Without: one at a time.  READY with nothing when it is ours; unlocking hands it
 * to the next. */
struct future *waiters_lock(struct waiters *w);
void waiters_unlock(struct waiters *w);

#endif
