/* batch_jobs.c - the commands of a batch, and what became of each */
#include "framework/batch_jobs.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "process/address.h"

/* The line without blanks at its end; false when there is nothing to do in it. */
static bool read_line(const char *at, size_t *length)
{
    size_t n = *length, blank = 0;

    while (n > 0 && strchr(" \t\r", at[n - 1]))
        n--;
    while (blank < n && (at[blank] == ' ' || at[blank] == '\t'))
        blank++;
    *length = n;
    return n > blank && at[0] != '#';
}

static void add(struct batch_jobs *jobs, size_t *capacity, const char *command, size_t length)
{
    struct batch_job *job;

    if (jobs->n == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 64;
        jobs->v = mem_realloc(jobs->v, *capacity * sizeof *jobs->v);
    }
    job = &jobs->v[jobs->n++];
    *job = (struct batch_job){ .seq = jobs->n, .command = mem_strndup(command, length) };
}

static int parse_lines(struct batch_jobs *jobs, const char *text, size_t size, struct error *err)
{
    size_t capacity = 0, number = 0;

    for (const char *at = text, *end = text + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t whole = newline ? (size_t)(newline - at) : (size_t)(end - at), length = whole;

        number++;
        if (memchr(at, '\0', whole))
            return error_set(err, EINVAL, "line %zu of the commands holds a NUL byte", number);
        if (!utf8_is_valid(at, whole))
            return error_set(err, EINVAL, "line %zu of the commands is not valid UTF-8", number);
        if (read_line(at, &length))
            add(jobs, &capacity, at, length);
        at += whole + 1;
    }
    return 0;
}

int batch_jobs_parse(const char *text, size_t size, struct batch_jobs *ret_jobs,
                     struct error *err)
{
    struct batch_jobs jobs = { 0 };

    if (parse_lines(&jobs, text, size, err) < 0) {
        batch_jobs_release(&jobs);
        return -1;
    }
    *ret_jobs = jobs;
    list_init(&ret_jobs->waiting);
    for (size_t i = 0; i < jobs.n; i++)
        list_append(&ret_jobs->waiting, &ret_jobs->v[i].waiting);
    ret_jobs->n_waiting = jobs.n;
    return 0;
}

static void forget_attempt(struct batch_job *job)
{
    mem_free(job->task_id);
    mem_free(job->agent_id);
    mem_free(job->hostname);
    mem_free(job->agent_url);
    mem_free(job->executor_id);
    mem_free(job->container_id);
    job->task_id = job->agent_id = job->hostname = job->agent_url = NULL;
    job->executor_id = job->container_id = NULL;
    job->heard = job->started = job->unreachable = job->unanswered = job->killed = false;
    job->exit_value = job->signal = 0;
    job->received = 0;
}

void batch_jobs_release(struct batch_jobs *jobs)
{
    HASH_CLEAR(hh, jobs->running);
    for (size_t i = 0; i < jobs->n; i++) {
        forget_attempt(&jobs->v[i]);
        mem_free(jobs->v[i].command);
        mem_free(jobs->v[i].output[0]);
        mem_free(jobs->v[i].output[1]);
    }
    mem_free(jobs->v);
    *jobs = (struct batch_jobs){ 0 };
}

void batch_jobs_move(struct batch_jobs *to, struct batch_jobs *from)
{
    CHECK(from->n_waiting == from->n);
    *to = *from;
    list_init(&to->waiting);
    list_splice(&to->waiting, &from->waiting);
    *from = (struct batch_jobs){ 0 };
    list_init(&from->waiting);
}

struct batch_job *batch_jobs_next(struct batch_jobs *jobs)
{
    return list_first(&jobs->waiting, struct batch_job, waiting);
}

struct batch_job *batch_jobs_find(struct batch_jobs *jobs, const char *task_id)
{
    struct batch_job *job;

    HASH_FIND_STR(jobs->running, task_id, job);
    return job;
}

/* "http://10.0.0.1:5051", from the offer's url; NULL when it has none. */
static char *agent_url(const Pb__Offer *offer)
{
    const Pb__Address *a = offer->url ? offer->url->address : NULL;

    if (!a || !(a->ip || a->hostname))
        return NULL;
    return mem_printf("%s://%s:%d", offer->url->scheme, a->ip ? a->ip : a->hostname, (int)a->port);
}

void batch_jobs_launch(struct batch_jobs *jobs, struct batch_job *job, char *task_id,
                       const Pb__Offer *offer, struct instant now)
{
    CHECK(job->state == BATCH_JOB_WAITING);
    forget_attempt(job);
    list_remove(&job->waiting);
    jobs->n_waiting--;
    job->state = BATCH_JOB_RUNNING;
    job->attempts++;
    job->task_id = task_id;
    job->agent_id = mem_strdup(offer->agent_id->value);
    job->hostname = mem_strdup(offer->hostname);
    job->agent_url = agent_url(offer);
    job->begin = job->end = now;
    HASH_ADD_KEYPTR(hh, jobs->running, job->task_id, strlen(job->task_id), job);
    jobs->n_running++;
}

static void stop_running(struct batch_jobs *jobs, struct batch_job *job)
{
    CHECK(job->state == BATCH_JOB_RUNNING);
    HASH_DEL(jobs->running, job);
    jobs->n_running--;
}

void batch_jobs_again(struct batch_jobs *jobs, struct batch_job *job, bool first)
{
    stop_running(jobs, job);
    job->state = BATCH_JOB_WAITING;
    if (first)
        list_prepend(&jobs->waiting, &job->waiting);
    else
        list_append(&jobs->waiting, &job->waiting);
    jobs->n_waiting++;
}

void batch_jobs_collect(struct batch_jobs *jobs, struct batch_job *job)
{
    stop_running(jobs, job);
    job->state = BATCH_JOB_COLLECTING;
}

void batch_jobs_end(struct batch_jobs *jobs, struct batch_job *job, bool succeeded)
{
    CHECK(job->state == BATCH_JOB_COLLECTING || job->state == BATCH_JOB_WAITING);
    if (job->state == BATCH_JOB_WAITING) {
        list_remove(&job->waiting);
        jobs->n_waiting--;
    }
    job->state = BATCH_JOB_ENDED;
    job->succeeded = succeeded;
    if (succeeded)
        jobs->n_succeeded++;
    else
        jobs->n_failed++;
}
