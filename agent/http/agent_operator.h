/* agent_operator.h - the operator API of v1, /api/v1 */
#ifndef AGENT_OPERATOR_H
#define AGENT_OPERATOR_H

struct agent;
struct arena;
typedef struct PbAgent__Response__GetContainers PbAgent__Response__GetContainers;
typedef struct PbAgent__Response__GetExecutors PbAgent__Response__GetExecutors;
typedef struct PbAgent__Response__GetFrameworks PbAgent__Response__GetFrameworks;
typedef struct PbAgent__Response__GetTasks PbAgent__Response__GetTasks;

void agent_operator_init(struct agent *a);

/* agent_answers.c: the state as messages, in the arena or borrowed. */
PbAgent__Response__GetFrameworks *agent_answers_frameworks(const struct agent *a,
                                                           struct arena *arena);
PbAgent__Response__GetExecutors *agent_answers_executors(const struct agent *a,
                                                         struct arena *arena);
PbAgent__Response__GetTasks *agent_answers_tasks(const struct agent *a, struct arena *arena);
PbAgent__Response__GetContainers *agent_answers_containers(const struct agent *a,
                                                           struct arena *arena);

#endif
