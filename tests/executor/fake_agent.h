/* fake_agent.h - an agent that says what the test wants and writes down what it hears
 *
 * It lives on one node of a simulated world, the executor under test on another.
 * What it heard are lines: "register", "update t1 TASK_RUNNING", ...
 */
#ifndef FAKE_AGENT_H
#define FAKE_AGENT_H

#include <check.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "executor/executor.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"

struct fake_agent;

struct world {
    struct sim *sim;
    struct sim_node *agent_node, *executor_node;
    struct host *agent_host, *executor_host;
    struct runtime *agent_runtime, *executor_runtime;
    struct log *log;
    struct fake_agent *agent;            /* NULL while it is down */
    struct pid agent_pid;                /* of every incarnation */
    struct pid executor;                 /* who registered */
    bool refuses_to_answer;              /* a registration */
    bool acknowledges;                   /* every update, at once */
    struct { char task[32]; uint8_t uuid[UUID_SIZE]; } unacknowledged[16];
    size_t n_unacknowledged;
    const char *command;                 /* of the tasks: NULL for none */
    int64_t grace, max_completion;       /* of the tasks, seconds; 0: unset */
    bool task_killing_state;             /* of the framework */
    struct buffer heard;                 /* by the agent */
    struct buffer told;                  /* to the executor's user; lines of the test's own */
};

void world_start(struct world *w);
void world_stop(struct world *w);        /* the executor has been destroyed */
void world_kill_agent(struct world *w);  /* kill -9 */
void world_start_agent(struct world *w);
struct executor_options world_options(struct world *w);

void agent_run_task(struct world *w, const char *id);
void agent_kill_task(struct world *w, const char *id, int64_t grace);  /* seconds; -1: no policy */
void agent_shut_down(struct world *w);
void agent_reconnect(struct world *w, const char *agent_id);
void agent_send(struct world *w, const char *text);
void agent_acknowledge(struct world *w); /* the oldest update */
void agent_acknowledge_again(struct world *w);       /* the same once more */

/* Run the simulation until that much was heard or told; it must be that; forget it. */
void check_lines(struct world *w, struct buffer *lines, const char *text);
#define check_heard(w, text) check_lines((w), &(w)->heard, (text))
#define check_told(w, text) check_lines((w), &(w)->told, (text))
void check_ended(struct world *w, const struct pid *pid);
bool has_ended(struct world *w, const struct pid *pid);

#endif
