/* agent.h - the agent: runs tasks on its machine and survives its own death
 *
 * What main.c and the cluster tests need.  One actor, "slave(1)"; its parts are
 * files of this folder, each with its own table of messages: registration.c,
 * task_launch.c, hosted_executors.c, status_updates.c, agent_recovery.c; store.c keeps
 * what it alone owns in meta/agent.db; the launcher (launcher.h) and the
 * built-in command executors are actors of their own.
 */
#ifndef AGENT_H
#define AGENT_H

#include "agent/agent_options.h"
#include "process/pid.h"

#define AGENT_API_VERSION "1.11.0"             /* of Mesos, dotted digits (FACTS 10.19) */

struct agent;
struct error;
struct runtime;

/* Opens the work directory (refused when another agent holds it), recovers what
 * was there, then registers.  The options are copied. */
struct agent *agent_create(struct runtime *rt, const struct agent_options *options,
                           struct error *err);
/* Tasks live on.  Outside of actors. */
void agent_destroy(struct agent *a);
const struct pid *agent_pid(const struct agent *a);
/* Says good-bye to the master, ends all executors, then itself (SIGUSR1).  Any thread. */
void agent_unregister(struct agent *a);
/* Why it ended itself (told to shut down, id refused, ...), "" while it has not. */
const char *agent_failure(const struct agent *a);

/* For tests and simulations, as master_check_invariants. */
int agent_check_invariants(const struct agent *a, struct error *err);

#endif
