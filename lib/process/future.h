/* future.h - a value that will be there later
 *
 * A future is PENDING until its producer settles it, once, as READY with a
 * value, FAILED with an error or DISCARDED; later tries to settle do nothing
 * and say so.  Callbacks run as events of the process they are given, each
 * once, in the order they were asked for, never from inside a setter.  When
 * that process ends first its steps are dropped, and its lasts run, with the
 * future DISCARDED, before the process is finalized: a last runs exactly once,
 * always.  Code outside of actors gives the runtime's executor process
 * (runtime_executor) as `self`.
 *
 * A discard is a request that travels up a chain to the producer, who decides.
 * A future whose producer lets go of it unsettled (the last reference to its
 * promise ends) becomes DISCARDED, and says that it was abandoned: nobody waits
 * for ever.  (In libprocess it stays pending, with a callback of its own.)
 *
 * Futures and promises are counted and may be used on any thread, except that
 * callbacks are asked for from events of `self` (or for the executor).  Values
 * go in and out by FUTURE_TYPE of typed.h.
 */
#ifndef FUTURE_H
#define FUTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/instant.h"

struct future;
struct host;
struct process;
struct promise;
struct runtime;

enum future_state { FUTURE_PENDING, FUTURE_READY, FUTURE_FAILED, FUTURE_DISCARDED };

/* A type of value: its name for messages, its size, how to end one (NULL: nothing to do). */
struct future_type { const char *name; size_t size; void (*release)(void *value); };
extern const struct future_type future_nothing;       /* size 0: only that it happened */

/* ---- consumers ---- */

enum future_state future_state(const struct future *f);
const struct error *future_error(const struct future *f);      /* NULL unless FAILED */
const void *future_value(const struct future *f,
                         const struct future_type *type); /* CHECKs READY and type */
struct future *future_ref(struct future *f);
void future_unref(struct future *f);                            /* NULL is fine */
void future_discard(struct future *f);                          /* asks; may be asked again */
bool future_has_discard(const struct future *f);
bool future_is_abandoned(const struct future *f);               /* DISCARDED as nobody was left */

/* A step runs when f is READY; what it returns (takes; never NULL) becomes the
 * result of the chain.  A failure or discard passes by it unchanged, and when
 * a discard was asked for meanwhile the step is left out.  A recovering step
 * runs when f is FAILED or DISCARDED instead, a repairing one when FAILED
 * only.  All take f and give the result. */
typedef struct future *(*future_step_f)(struct process *self, struct future *f, void *op);
struct future *future_then(struct future *f, struct process *self, future_step_f step, void *op);
struct future *future_recover(struct future *f, struct process *self, future_step_f step, void *op);
struct future *future_repair(struct future *f, struct process *self, future_step_f step, void *op);
/* When f is still PENDING after d, the step decides about the result. */
struct future *future_after(struct future *f, struct duration d, struct process *self,
                            future_step_f step, void *op);

/* Becomes what f becomes; but a discard asked of it does not reach f.  Takes f. */
struct future *future_undiscardable(struct future *f);
/* READY with nothing after d on the runtime's clock.  A discard stops it. */
struct future *future_timer(struct runtime *rt, struct duration d);

/* The last step: runs when f is settled, whatever became of it.  Takes f, which
 * is borrowed by `last`. */
typedef void (*future_last_f)(struct process *self, struct future *f, void *op);
void future_finally(struct future *f, struct process *self, future_last_f last, void *op);

/* Callbacks for one end only, which do not take f.  They are dropped with their
 * process.  on_discard: a discard was asked for (for producers). */
void future_on_ready(struct future *f, struct process *self, future_last_f fn, void *op);
void future_on_failed(struct future *f, struct process *self, future_last_f fn, void *op);
void future_on_discarded(struct future *f, struct process *self, future_last_f fn, void *op);
void future_on_any(struct future *f, struct process *self, future_last_f fn, void *op);
void future_on_discard(struct future *f, struct process *self, future_last_f fn, void *op);

/* Of many; each future is taken, the array is not.
 * await: READY when none is PENDING any more, whatever became of them.
 * collect: READY when all are; else FAILED "Collect failed: ...", and a discard
 *          is asked of the others.
 * select: follows the first that is READY; FAILED when none is. */
struct future *future_await(struct future *const v[], size_t n);
struct future *future_collect(struct future *const v[], size_t n);
struct future *future_select(struct future *const v[], size_t n);

/* For code outside actors: blocks (simulated: runs the simulation) until f is
 * settled; false at the time-out.  CHECKs that no actor runs on this thread. */
bool future_wait(struct future *f, struct host *host, struct duration timeout);
/* The value, when it is READY in time (ret_value may be NULL); borrowed from f.  Else why
 * not: ETIMEDOUT; the failure; ECANCELED it was discarded; EDEADLK this is an actor's thread,
 * where nothing may wait. */
int future_get(struct future *f, struct host *host, struct duration timeout,
               const struct future_type *type, const void **ret_value,
               struct error *err) MUST_USE;

/* ---- producers ---- */

/* A promise is the right to settle one future; ends by promise_unref. */
struct promise *promise_create(const struct future_type *type);
struct promise *promise_ref(struct promise *p);
void promise_unref(struct promise *p);                          /* NULL is fine */
struct future *promise_future(struct promise *p);               /* a new reference */
/* True for the one who settled it.  The value is moved in on true; on false it
 * is released. */
bool promise_set(struct promise *p, const struct future_type *type, const void *value);
bool promise_fail(struct promise *p, int code, const char *fmt, ...) PRINTF(3, 4);
bool promise_fail_with(struct promise *p, const struct error *err);
bool promise_discard(struct promise *p);
/* The promise's future becomes what source becomes (takes source), and discards
 * asked of it travel to source. */
void promise_follow(struct promise *p, struct future *source);

/* Settled from the start. */
struct future *future_ready(const struct future_type *type, const void *value);
struct future *future_failed(const struct future_type *type, int code, const char *fmt, ...)
    PRINTF(3, 4);
struct future *future_failed_with(const struct future_type *type, const struct error *err);

#endif
