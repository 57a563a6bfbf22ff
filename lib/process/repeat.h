/* repeat.h - a loop over futures
 *
 * `iterate` gives a future; when it is READY, `body` looks at it and returns
 * repeat_again() to go on, or a future that becomes the result of the loop.
 * A body may decide later, by a chain that ends in one of the two.  A failure
 * or discard of either ends the loop with it.
 *
 * Both run as events of self, each turn as two of its own: the loop needs no
 * stack, however often it runs on futures that are READY, and the process's
 * other events get their turns between.  A discard of the result is asked of
 * what the loop waits for, and ends it after the current step.  When self ends,
 * the result becomes DISCARDED.  op is the caller's and must live until the
 * result is settled.
 */
#ifndef REPEAT_H
#define REPEAT_H

#include "process/future.h"
#include "process/typed.h"

typedef struct future *(*repeat_iterate_f)(struct process *self, void *op);
typedef future_step_f repeat_body_f;

/* From self's own events, or for the runtime's executor. */
struct future *repeat(struct process *self, repeat_iterate_f iterate, repeat_body_f body, void *op);
struct future *repeat_again(void);

/* LOOP(server, next_request, request_came, session);  wants
 *     static struct future *next_request(struct server *, struct session *);
 *     static struct future *request_came(struct server *, struct future *, struct session *);
 * and gives  struct future *f = REPEAT(next_request, server, session);        */
#define REPEAT(iterate, self, op) iterate##__repeat((self), (op))
#define LOOP(State, iterate, body, Op)                                                             \
    static struct future *iterate(struct State *, struct Op *);                                    \
    static struct future *body(struct State *, struct future *, struct Op *);                      \
    static struct future *iterate##__run(struct process *p, void *op)                              \
    { return iterate(STATE_(State, p), op); }                                                      \
    static struct future *body##__run(struct process *p, struct future *f, void *op)               \
    { return body(STATE_(State, p), f, op); }                                                      \
    UNUSED static inline struct future *iterate##__repeat(struct State *s, struct Op *op)          \
    { return repeat(&s->process, iterate##__run, body##__run, op); }                               \
    struct Op

#endif
