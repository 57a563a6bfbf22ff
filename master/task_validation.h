/* task_validation.h - may this task be launched with what the offers hold?
 *
 * Pure: looks at the records and changes nothing.  What it had to parse on its
 * way is handed out: the resources of the task and of its executor, allocated
 * to the offers' role.
 */
#ifndef TASK_VALIDATION_H
#define TASK_VALIDATION_H

#include "master/master_private.h"

struct task_validation {
    struct resources task, executor; /* the executor's: also when it runs already */
    struct executor_record *running; /* NULL: it has to be launched, or there is none */
};

/* 0; or -1 with the sentence for TASK_ERROR in `why`, and nothing to release. */
int task_validation_check(struct framework_record *f, struct agent_record *a, const char *role,
                          const Pb__TaskInfo *task, const struct resources *pool,
                          struct task_validation *ret_v, struct buffer *why);
/* All tasks of the group, together with its executor; each v as if the group's executor were its
 * task's.  One that fails fails all. */
int task_validation_check_group(struct framework_record *f, struct agent_record *a,
                                const char *role, const Pb__Offer__Operation__LaunchGroup *group,
                                const struct resources *pool, struct task_validation ret_v[],
                                struct buffer *why);
void task_validation_release(struct task_validation *v);

#endif
