/* executor.h - what an executor is written with
 *
 * A ProtobufProcess that registers with its agent, receives tasks, and passes
 * status updates on until the agent has stored them.  The user gives callbacks
 * in a struct and calls functions; all callbacks run in the context of the
 * executor's process (executor_process), which also is the `self` for futures
 * and the target for dispatches of the user's code.  They may come before
 * executor_create has returned: the executor is the one they are given.
 *
 *   executor -> agent   RegisterExecutorMessage, StatusUpdateMessage,
 *                       ExecutorToFrameworkMessage, ReregisterExecutorMessage
 *   agent -> executor   ExecutorRegisteredMessage, RunTaskMessage,
 *                       KillTaskMessage, StatusUpdateAcknowledgementMessage,
 *                       FrameworkToExecutorMessage, ShutdownExecutorMessage,
 *                       ReconnectExecutorMessage, ExecutorReregisteredMessage
 *
 * Updates keep their uuid until acknowledged and are sent again after a
 * reconnection (FACTS 2.8).  When the agent's connection breaks, an executor of
 * a checkpointing framework waits recovery_timeout for it to come back; any
 * other shuts down at once.  One that is not registered yet tries again for a
 * minute.
 */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include "proto/mesos.pb-c.h"

#include "base/instant.h"
#include "process/pid.h"

struct error;
struct executor;
struct host;
struct process;
struct runtime;

struct executor_callbacks {
    void (*registered)(void *arg, struct executor *e, const Pb__ExecutorInfo *executor,
                       const Pb__FrameworkInfo *framework, const Pb__AgentInfo *agent);
    void (*reregistered)(void *arg, struct executor *e, const Pb__AgentInfo *agent);
    void (*disconnected)(void *arg, struct executor *e);
    void (*launch)(void *arg, struct executor *e, const Pb__TaskInfo *task);
    void (*kill)(void *arg, struct executor *e, const Pb__TaskID *task,
                 const Pb__KillPolicy *policy); /* policy may be NULL */
    void (*message)(void *arg, struct executor *e, const void *data, size_t size);
    /* End all tasks, then call executor_stop; nothing is launched any more. */
    void (*shutdown)(void *arg, struct executor *e);
    void (*acknowledged)(void *arg, struct executor *e,
                         const Pb__TaskID *task); /* no update of it is pending */
};                                                /* each may be NULL */

struct executor_options {
    struct pid agent;                   /* borrowed during the call */
    const char *framework_id, *executor_id;
    bool checkpoint;
    struct duration recovery_timeout;   /* 15 min */
    struct duration
        shutdown_grace; /* 5 s: after it, a shutdown that was not finished ends the process */
};

/* From MESOS_SLAVE_PID, MESOS_FRAMEWORK_ID, ... (FACTS 5.4); an error names the
 * variable that is missing or wrong.  Texts are borrowed from the environment;
 * the pid is the caller's to release. */
int executor_options_from_environment(struct host *h, struct executor_options *ret_options,
                                      struct error *err);

/* Spawns the process; registration begins. */
struct executor *executor_create(struct runtime *rt, const struct executor_options *options,
                                 const struct executor_callbacks *callbacks, void *arg,
                                 struct error *err);
void executor_destroy(struct executor *e); /* terminates and waits; outside of actors */

/* Frees one whose process has ended already; anywhere. */
void executor_release(struct executor *e);

struct process *executor_process(struct executor *e);
const struct pid *executor_pid(const struct executor *e);

/* ---- from its own events ---- */

/* Fills in uuid, timestamp, source, executor and agent ids where unset.  The
 * status stays the caller's. */
void executor_update(struct executor *e, const Pb__TaskStatus *status);
void executor_send(struct executor *e, const void *data, size_t size);     /* best effort */
/* Ends the process when its last update is acknowledged, or after the grace,
 * which does not run while the agent is away.  No callback comes any more. */
void executor_stop(struct executor *e);

#endif
