/* master.h - the master: one actor that owns agents, frameworks, tasks and offers
 *
 * What main.c and the cluster tests need.  The actor's parts are files of this
 * folder, each with its own table of messages: agents.c, frameworks.c,
 * offers.c, tasks.c, reconcile.c; http/ serves what it knows; the allocator and
 * the registrar are actors of their own.
 */
#ifndef MASTER_H
#define MASTER_H

#include "master/master_options.h"
#include "process/pid.h"

struct election;
struct error;
struct master;
struct runtime;

/* Opens the registry and spawns the actors; the options are copied.  It leads. */
struct master *master_create(struct runtime *rt, const struct master_options *options,
                             struct error *err);
/* The same of one that leads when it is elected.  Takes the election, also on failure. */
struct master *master_create_candidate(struct runtime *rt, const struct master_options *options,
                                       struct election *election, struct error *err);
void master_destroy(struct master *m);              /* outside of actors */
const struct pid *master_pid(const struct master *m);
/* Why it ended itself, "" when it has not; once its process is gone. */
const char *master_failure(const struct master *m);

/* For tests and simulations: the books, checked.  Called from outside of
 * actors while none runs (simulated host).  0, or -1 with what is wrong. */
int master_check_invariants(const struct master *m, struct error *err);

#endif
