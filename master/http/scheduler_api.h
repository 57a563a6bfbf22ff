/* scheduler_api.h - POST /api/v1/scheduler: the calls of HTTP schedulers */
#ifndef SCHEDULER_API_H
#define SCHEDULER_API_H

struct master;

void scheduler_api_init(struct master *m);

#endif
