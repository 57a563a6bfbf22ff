/* executor_call.h - a call of the v1 executor API: is it whole, and what is it to the agent?
 *
 * Pure functions.  The agent serves drivers (v0) and HTTP executors (v1) with the same handlers,
 * which take the classic messages.  What they are made of is borrowed from the call, or in the
 * arena.
 */
#ifndef EXECUTOR_CALL_H
#define EXECUTOR_CALL_H

struct arena;
struct error;
typedef struct Pb__ExecutorToFrameworkMessage Pb__ExecutorToFrameworkMessage;
typedef struct Pb__ReregisterExecutorMessage Pb__ReregisterExecutorMessage;
typedef struct Pb__StatusUpdate Pb__StatusUpdate;
typedef struct PbExecutor__Call PbExecutor__Call;

/* The sentence on failure is Mesos's, what follows "Failed to validate Executor::Call: ".  A call
 * of type UNKNOWN is valid. */
int executor_call_validate(const PbExecutor__Call *call, struct error *err);

/* A valid UPDATE.  It has no agent id: the agent knows best. */
Pb__StatusUpdate *executor_call_to_update(const PbExecutor__Call *call, struct arena *arena);
/* A valid SUBSCRIBE, with its unacknowledged tasks and updates. */
Pb__ReregisterExecutorMessage *executor_call_to_reregistration(const PbExecutor__Call *call,
                                                               struct arena *arena);
/* A valid MESSAGE, of an executor on this agent. */
Pb__ExecutorToFrameworkMessage *executor_call_to_message(const PbExecutor__Call *call,
                                                         const char *agent, struct arena *arena);

#endif
