/* command_runner.h - how the command executor gets its command run
 *
 * The command executor is the same code inside the agent and as an OS process
 * of its own; what differs is who parents the command.  Inside the agent it is
 * the launcher (agent/builtin_runner.c), outside it is the executor's own OS
 * process (child_runner.c).
 */
#ifndef COMMAND_RUNNER_H
#define COMMAND_RUNNER_H

#include "executor/command_exit.h"
#include "proto/mesos.pb-c.h"

struct runtime;

struct command_runner;
struct command_runner_ops {
    /* A future of nothing: the command runs (or ran: a recovered run is adopted,
     * never started again).  FAILED: it does not and will not.  Called once,
     * before the others; those only when it is READY. */
    struct future *(*start)(struct command_runner *r, const Pb__TaskInfo *task);
    /* A future of command_exit. */
    struct future *(*wait)(struct command_runner *r);
    /* SIGTERM asks the command and its descendants, SIGKILL ends them all. */
    void (*signal)(struct command_runner *r, int signo);
    void (*destroy)(struct command_runner *r);         /* what runs goes on running */
};
struct command_runner { const struct command_runner_ops *ops; };

/* The command as a child of this OS process; stdout and stderr are inherited. */
struct command_runner *child_runner_create(struct runtime *rt);

#endif
