/* shared_future.h - a shared thing that becomes one's own, when the others have let go
 *
 *     f = THEN(shared_future_own(&s), log_is_mine, self, op);
 *
 * and in log_is_mine  struct owned log = shared_future_take(f);
 */
#ifndef SHARED_FUTURE_H
#define SHARED_FUTURE_H

#include "base/owned.h"
#include "process/typed.h"

FUTURE_TYPE(shared_future, struct owned);

/* Gives up s.  READY when the last other owner has given up, too; FAILED with EBUSY when
 * somebody has asked for the same thing before.  Who discards it, or lets go of it, ends
 * the thing with the last owner. */
struct future *shared_future_own(struct shared *s);
/* Out of a future that is READY; one may. */
struct owned shared_future_take(struct future *f);

#endif
