/* mutex.h - one at a time, for deeds that take several events
 *
 * An actor needs no lock for its state; this is for a chain of steps (ask,
 * wait, store) between whose events nobody else may begin.  Nothing blocks: the
 * lock is a future.  Those who wait get it in the order they asked; one that is
 * discarded while it waits leaves.  May be used on any thread.
 *
 *     f = THEN(mutex_lock(m), store_locked, registrar, op);
 *     FINALLY(f, store_done, registrar, op);          unlocks if it was locked
 *
 * A lock that became READY is held, also when the step after it is left out
 * because of a discard: keep the lock's future and look at it in the last.
 */
#ifndef MUTEX_H
#define MUTEX_H

struct future;
struct mutex;

struct mutex *mutex_create(void);
void mutex_destroy(struct mutex *m); /* who waits gets DISCARDED; NULL is fine */

struct future *mutex_lock(struct mutex *m); /* READY with nothing: it is yours */
void mutex_unlock(struct mutex *m);         /* and the next one's; CHECKs that it is held */

#endif
