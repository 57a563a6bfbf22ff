/* owned.h - references to things that know how to end
 *
 * owned:  one owner; moving leaves the source empty; the end runs the release.
 * shared: counted owners; the last one's end runs the release.
 * weak:   sees a shared thing without keeping it; can be tried.
 *
 * A release function runs exactly once, on the thread of the last owner.  All
 * three are plain structs to be embedded or kept on the stack; empty is {0}.
 * A single reference is used by one thread at a time; different references to
 * the same thing may be used on different threads.
 */
#ifndef OWNED_H
#define OWNED_H

#include <stdbool.h>
#include <stdint.h>

struct shared_block;

typedef void (*release_f)(void *thing);

struct owned { void *thing; release_f release; };
struct shared { struct shared_block *block; };
struct weak { struct shared_block *block; };

struct owned owned_create(void *thing, release_f release);   /* takes thing */
void *owned_get(const struct owned *o);                      /* borrowed; NULL when empty */
struct owned owned_move(struct owned *o);                    /* o is empty then */
void *owned_take(struct owned *o);                           /* the thing, without its release */
void owned_reset(struct owned *o);                           /* ends it; empty is fine */

struct shared shared_create(void *thing, release_f release); /* takes thing */
struct shared shared_from_owned(struct owned *o);            /* o is empty then */
void *shared_get(const struct shared *s);
struct shared shared_dup(const struct shared *s);
void shared_reset(struct shared *s);
uint32_t shared_use_count(const struct shared *s);           /* 0 when empty */
/* Unique again: the owned thing if s is the only owner, else s stays and the
 * result is empty; also when another is to own it, who then does. */
struct owned shared_own(struct shared *s);
/* Gives up s; who is named gets the owned thing when the last other owner has done so
 * too: on that one's thread, at once if there is none.  One can be named for a thing:
 * false, and s stays, when there is one already.  (process/shared_future.h makes a
 * future of it.) */
typedef void (*shared_heir_f)(void *arg, struct owned o);
bool shared_bequeath(struct shared *s, shared_heir_f heir, void *arg);

struct weak weak_create(const struct shared *s);
struct shared weak_get(const struct weak *w);                /* empty when the thing has ended */
void weak_reset(struct weak *w);

#endif
