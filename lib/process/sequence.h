/* sequence.h - one after the other, each to its end
 *
 * A step of a sequence runs when what the earlier steps returned has been
 * settled, whatever became of it.  Steps run as events of the process they are
 * given; different steps may have different processes.
 *
 * A discard of a step's future before its turn leaves the step out; later, it
 * is asked of what the step returned.  It never reaches the earlier ones.  When
 * a step's process ends first, the next step has its turn.
 *
 *     STEP(registrar, apply, change_op);
 *     struct future *f = SEQUENCE(changes, apply, registrar, op);
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include "process/future.h"

struct sequence;

struct sequence *sequence_create(void);
/* Steps that have not begun are left out: their futures become DISCARDED. */
void sequence_destroy(struct sequence *s); /* NULL is fine */

/* The step's `f` is of no interest: its turn, READY with nothing.  From self's own
 * events, or for the runtime's executor. */
struct future *sequence_add(struct sequence *s, struct process *self, future_step_f step, void *op);

/* The same for a STEP of typed.h, whose types the sizeof looks at. */
#define SEQUENCE(s, step, self, op)                                                                \
    ((void)sizeof(step##__on(future_then, NULL, (self), (op))),                                    \
     sequence_add((s), &(self)->process, step##__run, (op)))

#endif
