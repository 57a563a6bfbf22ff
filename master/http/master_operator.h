/* master_operator.h - the operator API of v1, /api/v1 */
#ifndef MASTER_OPERATOR_H
#define MASTER_OPERATOR_H

struct arena;
struct master;
typedef struct PbMaster__Response__GetAgents PbMaster__Response__GetAgents;
typedef struct PbMaster__Response__GetExecutors PbMaster__Response__GetExecutors;
typedef struct PbMaster__Response__GetFrameworks PbMaster__Response__GetFrameworks;
typedef struct PbMaster__Response__GetRoles PbMaster__Response__GetRoles;
typedef struct PbMaster__Response__GetTasks PbMaster__Response__GetTasks;

void master_operator_init(struct master *m);

/* master_answers.c: the state as messages, in the arena or borrowed from the records. */
PbMaster__Response__GetAgents *master_answers_agents(const struct master *m, struct arena *arena);
PbMaster__Response__GetExecutors *master_answers_executors(const struct master *m,
                                                           struct arena *arena);
PbMaster__Response__GetFrameworks *master_answers_frameworks(const struct master *m,
                                                             struct arena *arena);
PbMaster__Response__GetRoles *master_answers_roles(const struct master *m, struct arena *arena);
PbMaster__Response__GetTasks *master_answers_tasks(const struct master *m, struct arena *arena);

#endif
