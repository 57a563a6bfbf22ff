/* batch_plan.h - which resources of an offer a task gets: pure */
#ifndef BATCH_PLAN_H
#define BATCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "mesos/resources.h"

struct batch_need { int64_t cpus, mem, disk; };          /* millis */

/* Takes what one task needs out of `left`; false, and nothing is taken, when it
 * does not fit.  Only plain amounts are taken (no volumes, nothing revocable or
 * shared), reserved ones before unreserved ones: those others could not use. */
bool batch_plan_take(struct resources *left, const struct batch_need *need,
                     struct resources *ret_task) MUST_USE;

/* The same as a question. */
bool batch_plan_fits(const struct resources *offered, const struct batch_need *need);

#endif
