/* rwlock.h - many readers or one writer, for deeds that take several events
 *
 * As mutex.h, with two kinds of holders.  Fair: all wait in the order they
 * asked, so a writer that waits holds up the readers behind it, and is not
 * starved by them.  A writer that leaves by a discard lets those behind it in.
 * May be used on any thread.
 */
#ifndef RWLOCK_H
#define RWLOCK_H

struct future;
struct rwlock;

struct rwlock *rwlock_create(void);
void rwlock_destroy(struct rwlock *l); /* who waits gets DISCARDED; NULL is fine */

/* READY with nothing: it is yours.  Unlocking CHECKs that it is held so. */
struct future *rwlock_read_lock(struct rwlock *l);
void rwlock_read_unlock(struct rwlock *l);
struct future *rwlock_write_lock(struct rwlock *l);
void rwlock_write_unlock(struct rwlock *l);

#endif
