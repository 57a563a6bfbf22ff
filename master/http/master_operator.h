/* master_operator.h - the operator API of v1, /api/v1 */
#ifndef MASTER_OPERATOR_H
#define MASTER_OPERATOR_H

struct agent_record;
struct arena;
struct files;
struct framework_record;
struct master;
struct task_record;
typedef struct Pb__Task Pb__Task;
typedef struct PbMaster__Response__GetAgents PbMaster__Response__GetAgents;
typedef struct PbMaster__Response__GetExecutors PbMaster__Response__GetExecutors;
typedef struct PbMaster__Response__GetFrameworks PbMaster__Response__GetFrameworks;
typedef struct PbMaster__Response__GetRoles PbMaster__Response__GetRoles;
typedef struct PbMaster__Response__GetState PbMaster__Response__GetState;
typedef struct PbMaster__Response__GetTasks PbMaster__Response__GetTasks;
typedef struct PbMaster__Response__GetAgents__Agent PbMaster__Response__GetAgents__Agent;
typedef struct PbMaster__Response__GetFrameworks__Framework
    PbMaster__Response__GetFrameworks__Framework;

void master_operator_init(struct master *m);

/* master_answers.c: the state as messages, in the arena or borrowed from the records. */
PbMaster__Response__GetAgents *master_answers_agents(const struct master *m, struct arena *arena);
PbMaster__Response__GetExecutors *master_answers_executors(const struct master *m,
                                                           struct arena *arena);
PbMaster__Response__GetFrameworks *master_answers_frameworks(const struct master *m,
                                                             struct arena *arena);
PbMaster__Response__GetRoles *master_answers_roles(const struct master *m, struct arena *arena);
PbMaster__Response__GetTasks *master_answers_tasks(const struct master *m, struct arena *arena);
PbMaster__Response__GetState *master_answers_state(const struct master *m, struct arena *arena);

PbMaster__Response__GetAgents__Agent *master_answers_agent(const struct agent_record *a,
                                                           struct arena *arena);
PbMaster__Response__GetFrameworks__Framework *
master_answers_framework(const struct framework_record *f, struct arena *arena);
Pb__Task *master_answers_task(const struct task_record *t, struct arena *arena);

extern const struct files master_files; /* master_files.c: what is shown of the disk */

#endif
