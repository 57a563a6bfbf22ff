/* agent_operator.h - the operator API of v1, /api/v1 */
#ifndef AGENT_OPERATOR_H
#define AGENT_OPERATOR_H

struct agent;
struct arena;
struct files;
struct http_request;
typedef struct PbAgent__Call__GetContainers PbAgent__Call__GetContainers;
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

/* agent_containers.c: GET_CONTAINERS. */
void agent_containers_get(struct agent *a, struct http_request *r,
                          const PbAgent__Call__GetContainers *call);

extern const struct files agent_files; /* agent_files.c: what is shown of the disk */

#endif
