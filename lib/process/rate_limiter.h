/* rate_limiter.h - so many in so long, evenly
 *
 * Permits are spaced: 10 in a second are one each 100 ms, and what was not used
 * is not saved up.  Who waits gets one in the order they asked; one that is
 * discarded leaves.  Time is the runtime's clock, which tests may pause.  May
 * be used on any thread.
 */
#ifndef RATE_LIMITER_H
#define RATE_LIMITER_H

#include "base/instant.h"

struct error;
struct future;
struct rate_limiter;
struct runtime;

/* permits and per are positive (CHECKed).  Destroyed before the runtime. */
struct rate_limiter *rate_limiter_create(struct runtime *rt, unsigned permits, struct duration per,
                                         struct error *err);
void rate_limiter_destroy(struct rate_limiter *l); /* who waits gets DISCARDED; NULL is fine */

struct future *rate_limiter_acquire(struct rate_limiter *l); /* READY with nothing: go */

#endif
