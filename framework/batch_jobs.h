/* batch_jobs.h - the commands of a batch, and what became of each
 *
 *   WAITING -> RUNNING -> COLLECTING (outputs on their way) -> ENDED
 *      ^---------'  again, with a fresh task id for each attempt
 *
 * All of them stay in memory until the batch ends, in the order of the input.
 */
#ifndef BATCH_JOBS_H
#define BATCH_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

#include "base/instant.h"
#include "base/list.h"
#include "proto/mesos.pb-c.h"

struct error;

enum batch_job_state {
    BATCH_JOB_WAITING,
    BATCH_JOB_RUNNING,
    BATCH_JOB_COLLECTING,
    BATCH_JOB_ENDED
};

struct batch_job {
    size_t seq;                          /* from 1 */
    char *command;
    enum batch_job_state state;
    bool succeeded;                      /* of an ended one */
    unsigned attempts;                   /* launched; number the task ids */
    unsigned tries;                      /* of those that may have run and have ended */
    struct list waiting;                 /* batch_jobs.waiting */
    UT_hash_handle hh;                   /* batch_jobs.running, by task_id */

    /* Of this attempt, or the last one. */
    char *task_id, *agent_id, *hostname, *agent_url, *executor_id, *container_id;
    bool heard;                          /* its agent has spoken of it */
    bool started;                        /* TASK_RUNNING was seen */
    bool unreachable;                    /* its agent is, we wait */
    bool unanswered;                     /* we asked the master what became of it */
    bool killed;                         /* we asked for that */
    struct instant begin, end;           /* wall */
    int exit_value, signal;

    char *output[2];                     /* stdout and stderr, while they wait to be printed */
    size_t output_size[2], received;
};

struct batch_jobs {
    struct batch_job *v;
    size_t n;
    struct list waiting;                 /* whose turn is next, first */
    struct batch_job *running;           /* uthash */
    size_t n_waiting, n_running, n_succeeded, n_failed, n_retried;
};

/* One command a line; empty lines and those that begin with '#' are skipped.
 * Refuses NUL bytes and invalid UTF-8, naming the line. */
int batch_jobs_parse(const char *text, size_t size, struct batch_jobs *ret_jobs,
                     struct error *err);
void batch_jobs_release(struct batch_jobs *jobs);
/* None of them has been launched; `from` is empty then. */
void batch_jobs_move(struct batch_jobs *to, struct batch_jobs *from);

struct batch_job *batch_jobs_next(struct batch_jobs *jobs);              /* NULL: none waits */
struct batch_job *batch_jobs_find(struct batch_jobs *jobs, const char *task_id);
/* From WAITING; takes task_id, the others are copied. */
void batch_jobs_launch(struct batch_jobs *jobs, struct batch_job *job, char *task_id,
                       const Pb__Offer *offer, struct instant now);
/* From RUNNING.  Again: to the end of those that wait; `first`: to their head. */
void batch_jobs_again(struct batch_jobs *jobs, struct batch_job *job, bool first);
void batch_jobs_collect(struct batch_jobs *jobs, struct batch_job *job);
/* From WAITING or COLLECTING. */
void batch_jobs_end(struct batch_jobs *jobs, struct batch_job *job, bool succeeded);
static inline size_t batch_jobs_ended(const struct batch_jobs *jobs)
{
    return jobs->n_succeeded + jobs->n_failed;
}

#endif
