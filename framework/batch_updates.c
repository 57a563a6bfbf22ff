/* batch_updates.c - what became of tasks, asking about it, and killing them
 *
 * succeeded            the job's outputs are collected, it ends
 * failed, may have run again, within --retries; else as above, as a failure
 * not started          again, without counting
 * invalid              a failure at once
 * unreachable          waited for, and asked about now and then
 */
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "framework/batch_ending.h"
#include "framework/batch_private.h"
#include "mesos/task_state.h"
#include "process/runtime.h"

#define RECONCILE_FIRST SECONDS(1)
#define RECONCILE_MAX MINUTES(1)

static bool is_asked_about(const struct batch_job *job)
{
    return job->unanswered || job->unreachable;
}

/* ---- reconciliation ---- */

static void ask_again(struct process *self, void *args);

static void start_asking(struct batch *b)
{
    if (b->reconcile_timer.id != 0)
        return;
    b->reconcile_wait = RECONCILE_FIRST;
    b->reconcile_timer = batch_delay(b, b->reconcile_wait, ask_again);
}

/* About all whose fate we do not know; false when there are none. */
static bool ask(struct batch *b)
{
    struct scheduler_task *tasks = mem_array(b->jobs.n_running + 1, sizeof *tasks);
    struct batch_job *job, *next;
    size_t n = 0;

    HASH_ITER (hh, b->jobs.running, job, next)
        if (is_asked_about(job))
            tasks[n++] = (struct scheduler_task){ job->task_id, job->agent_id };
    if (n > 0)
        scheduler_reconcile(b->scheduler, n, tasks);
    mem_free(tasks);
    return n > 0;
}

/* Truncated exponential backoff, until all is answered. */
static void ask_again(struct process *self UNUSED, void *args)
{
    struct batch *b = ((struct batch_self *)args)->b;

    b->reconcile_timer = (struct timer){ 0 };
    if (!b->subscribed || !ask(b))
        return;
    b->reconcile_wait = duration_min(duration_times(b->reconcile_wait, 2), RECONCILE_MAX);
    b->reconcile_timer = batch_delay(b, b->reconcile_wait, ask_again);
}

void batch_updates_reconcile_all(struct batch *b)
{
    struct batch_job *job, *next;

    HASH_ITER (hh, b->jobs.running, job, next)
        job->unanswered = true;
    process_cancel(&b->reconcile_timer);
    if (ask(b))
        start_asking(b);
}

/* ---- killing ---- */

void batch_updates_kill_all(struct batch *b)
{
    struct batch_job *job, *next;

    if (!b->subscribed)
        return;
    HASH_ITER (hh, b->jobs.running, job, next) {
        Pb__TaskID task = PB__TASK_ID__INIT;
        Pb__AgentID agent = PB__AGENT_ID__INIT;

        task.value = job->task_id;
        agent.value = job->agent_id;
        job->killed = true;
        scheduler_kill(b->scheduler, &task, &agent);
    }
}

size_t batch_updates_reachable(const struct batch *b)
{
    struct batch_job *job, *next;
    size_t n = 0;

    HASH_ITER (hh, b->jobs.running, job, next)
        n += !job->unreachable;
    return n;
}

/* ---- endings ---- */

static const char *host_of(const struct batch_job *job)
{
    return job->hostname ? job->hostname : "?";
}

static void tell_failure(struct batch *b, const struct batch_job *job,
                         const struct batch_ending *ending, const Pb__TaskStatus *status,
                         bool again)
{
    const char *message = status->message && *status->message ? status->message
                                                              : task_state_name(status->state);

    if (job->killed)
        return;
    batch_report_line(b, "job %zu %s on %s: %s%s: %s", job->seq,
                      ending->verdict == BATCH_MAY_HAVE_RUN ? "is lost, and may have run,"
                                                            : "failed",
                      host_of(job), message, again ? "; trying again" : "", job->command);
}

/* The attempt is over: once more, or that was it. */
static void end_attempt(struct batch *b, struct batch_job *job, struct batch_ending ending,
                        const Pb__TaskStatus *status)
{
    bool succeeded = ending.verdict == BATCH_SUCCEEDED;
    bool again = !succeeded && ending.verdict != BATCH_INVALID && b->phase == BATCH_WORKING &&
                 ++job->tries <= (uint64_t)b->options->retries;

    job->end = runtime_wall(b->runtime);
    job->exit_value = ending.exit_value;
    job->signal = ending.signal;
    b->last_end = batch_now(b);
    if (!succeeded)
        tell_failure(b, job, &ending, status, again);
    if (again) {
        batch_output_log(b, job);
        b->jobs.n_retried++;
        batch_jobs_again(&b->jobs, job, false);
    } else {
        batch_jobs_collect(&b->jobs, job);
        batch_output_collect(b, job, succeeded);
    }
}

/* Nothing has happened yet: as if it had not been tried. */
static void not_started(struct batch *b, struct batch_job *job, const Pb__TaskStatus *status)
{
    log_info("task %s was not started, and is launched anew: %s", job->task_id,
             status->message ? status->message : "");
    batch_jobs_again(&b->jobs, job, true);
}

static void keep_text(char **kept, const char *text)
{
    if (*kept || !text)
        return;
    *kept = mem_strdup(text);
}

static void still_there(struct batch *b, struct batch_job *job, const Pb__TaskStatus *status)
{
    const Pb__ContainerStatus *container = status->container_status;

    job->unreachable = false;
    if (container && container->container_id)
        keep_text(&job->container_id, container->container_id->value);
    if (status->executor_id)
        keep_text(&job->executor_id, status->executor_id->value);
    if (status->state == PB__TASK_STATE__TASK_RUNNING && !job->started)
        job->begin = runtime_wall(b->runtime);
    job->heard = job->heard || status->state == PB__TASK_STATE__TASK_STARTING ||
                 status->state == PB__TASK_STATE__TASK_KILLING ||
                 (status->has_source && status->source != PB__TASK_STATUS__SOURCE__SOURCE_MASTER) ||
                 status->state == PB__TASK_STATE__TASK_RUNNING;
    job->started = job->started || status->state == PB__TASK_STATE__TASK_RUNNING ||
                   status->state == PB__TASK_STATE__TASK_FINISHED;
}

static void unreachable(struct batch *b, struct batch_job *job)
{
    if (!job->unreachable)
        batch_report_line(b, "job %zu: agent %s cannot be reached; waiting for it", job->seq,
                          host_of(job));
    job->unreachable = true;
    start_asking(b);
}

void batch_updates_status(struct batch *b, const Pb__TaskStatus *status)
{
    struct batch_job *job = batch_jobs_find(&b->jobs, status->task_id->value);
    struct batch_ending ending = batch_ending_of(status, job && job->heard);

    if (!job) {
        log_debug("an update of task %s is ignored: that attempt is over", status->task_id->value);
        return;
    }
    job->unanswered = false;
    if (ending.verdict == BATCH_UNREACHABLE) {
        unreachable(b, job);
    } else {
        still_there(b, job, status);
        if (ending.verdict == BATCH_NOT_STARTED)
            not_started(b, job, status);
        else if (ending.verdict != BATCH_ALIVE)
            end_attempt(b, job, ending, status);
    }
    batch_launch_update_interest(b);
    batch_check_end(b);
}
