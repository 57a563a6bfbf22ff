/* command_executor.h - the executor of tasks that are a command
 *
 * One task each: STARTING, RUNNING, then by the command's end FINISHED, FAILED
 * or KILLED, with Mesos's words ("Command exited with status 1").  Kill: SIGTERM,
 * after the grace SIGKILL (FACTS 5.5); max_completion_time likewise.
 */
#ifndef COMMAND_EXECUTOR_H
#define COMMAND_EXECUTOR_H

#include "executor/command_runner.h"
#include "executor/executor.h"

struct command_executor;

struct command_executor_options {
    struct executor_options executor;
    bool task_killing_state;             /* the framework has TASK_KILLING_STATE */
    /* Of a recovered run: the last state that the agent has stored; STARTING and
     * RUNNING are not said again.  TASK_STAGING for a fresh one. */
    Pb__TaskState known_state;
};

/* Takes the runner, also on failure. */
struct command_executor *command_executor_create(struct runtime *rt,
                                                 const struct command_executor_options *options,
                                                 struct command_runner *runner, struct error *err);
void command_executor_destroy(struct command_executor *c);   /* outside of actors */
/* Frees one whose process has ended already; anywhere. */
void command_executor_release(struct command_executor *c);
const struct pid *command_executor_pid(const struct command_executor *c);

#endif
