/* batch_output.c - what the tasks printed: fetched, kept, and printed here; the job log
 *
 * collect -> two GETs to the agent's /files/download, a few at a time over all
 *         -> [--results] written off the actors' threads
 *         -> printed, or with --keep_order held until it is its turn
 *         -> job log line, the job ends
 */
#include <errno.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/percent.h"
#include "framework/batch_private.h"
#include "framework/job_log.h"
#include "process/host.h"
#include "process/http_client.h"
#include "process/runtime.h"

#define FETCH_TIMEOUT SECONDS(60)
enum { FETCHES_AT_A_TIME = 32, FETCH_TRIES = 5, FETCH_MAX_BYTES = 256 << 20 };

static const char *const stream_names[] = { "stdout", "stderr" };

/* ---- the job log ---- */

int batch_output_open(struct batch *b, struct error *err)
{
    struct host *h = runtime_host(b->runtime);
    const char *path = b->options->joblog;

    if (b->options->results && host_mkdirs(h, b->options->results, 0755, err) < 0)
        return error_wrap(err, "--results");
    if (!path)
        return 0;
    if (host_open(h, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0644, &b->joblog, err) < 0 ||
        file_write(b->joblog, 0, job_log_header, strlen(job_log_header), err) < 0)
        return error_wrap(err, "--joblog");
    b->joblog_size = strlen(job_log_header);
    return 0;
}

void batch_output_log(struct batch *b, const struct batch_job *job)
{
    CLEANUP(buffer_release) struct buffer line = BUFFER_INIT;
    struct error err;

    if (!b->joblog)
        return;
    job_log_line(job, &line);
    if (file_write(b->joblog, b->joblog_size, buffer_data(&line), buffer_length(&line), &err) < 0) {
        batch_report_line(b, "the job log ends here: %s", err.text);
        b->lost_outputs++;
        file_close(b->joblog);
        b->joblog = NULL;
    }
    b->joblog_size += buffer_length(&line);
}

/* ---- printing ---- */

static void print_job(struct batch *b, struct batch_job *job)
{
    for (int i = 0; i < 2; i++) {
        if (job->output[i] && b->options->output)
            batch_report_output(b, i == 0 ? BATCH_STDOUT : BATCH_STDERR, job->output[i],
                                job->output_size[i]);
        mem_free(job->output[i]);
        job->output[i] = NULL;
    }
}

static void print_in_order(struct batch *b)
{
    while (b->next_to_print < b->jobs.n &&
           b->jobs.v[b->next_to_print].state == BATCH_JOB_ENDED)
        print_job(b, &b->jobs.v[b->next_to_print++]);
}

void batch_output_print_rest(struct batch *b)
{
    for (size_t i = 0; i < b->jobs.n; i++)
        if (b->jobs.v[i].state == BATCH_JOB_ENDED)
            print_job(b, &b->jobs.v[i]);
}

static void end_job(struct batch *b, struct batch_job *job, bool succeeded)
{
    b->n_collecting--;
    batch_output_log(b, job);
    batch_jobs_end(&b->jobs, job, succeeded);
    if (b->options->keep_order)
        print_in_order(b);
    else
        print_job(b, job);
    batch_check_end(b);
}

/* ---- --results: off the actors' threads ---- */

struct save {
    struct batch *b;                 /* looked at in the batch's context only */
    struct batch_job *job;
    bool succeeded;
    struct runtime *runtime;
    struct pid pid;
    char *folder, *data[2];
    size_t size[2];
    struct error err;                /* code 0: written */
};

static void save_free(struct save *s)
{
    pid_release(&s->pid);
    mem_free(s->folder);
    mem_free(s->data[0]);
    mem_free(s->data[1]);
    mem_free(s);
}

static int save_stream(struct host *h, struct save *s, int i)
{
    CLEANUP(mem_free_p) char *path = mem_printf("%s/%s", s->folder, stream_names[i]);
    struct file *file;
    int result;

    if (host_open(h, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0644, &file, &s->err) < 0)
        return -1;
    result = s->size[i] > 0 ? file_write(file, 0, s->data[i], s->size[i], &s->err) : 0;
    file_close(file);
    return result;
}

static void save_work(void *arg)
{
    struct save *s = arg;
    struct host *h = runtime_host(s->runtime);

    if (host_mkdirs(h, s->folder, 0755, &s->err) == 0 && save_stream(h, s, 0) == 0 &&
        save_stream(h, s, 1) == 0)
        s->err.code = 0;
}

struct saved_args { struct save *save; };

static void saved_release(void *args)
{
    save_free(((struct saved_args *)args)->save);
}

static void saved_in_batch(struct process *self UNUSED, void *args)
{
    struct save *s = ((struct saved_args *)args)->save;
    struct batch *b = s->b;

    if (s->err.code != 0) {
        batch_report_line(b, "the results of job %zu are not kept: %s", s->job->seq, s->err.text);
        b->lost_outputs++;
    }
    end_job(b, s->job, s->succeeded);
}

/* In the runtime's executor: the batch may have ended while the work went on. */
static void saved(struct process *self UNUSED, struct future *f UNUSED, void *op)
{
    struct saved_args args = { op };
    struct pid to = pid_dup(&args.save->pid);

    process_dispatch(&to, saved_in_batch, &args, sizeof args, saved_release);
    pid_release(&to);
}

static void save_results(struct batch *b, struct batch_job *job, bool succeeded)
{
    struct save *s = mem_alloc(sizeof *s);

    s->b = b;
    s->job = job;
    s->succeeded = succeeded;
    s->runtime = b->runtime;
    s->pid = pid_dup(&b->pid);
    s->folder = mem_printf("%s/%zu", b->options->results, job->seq);
    error_set(&s->err, ECANCELED, "there was no time to write them");
    for (int i = 0; i < 2; i++) {
        s->size[i] = job->output[i] ? job->output_size[i] : 0;
        s->data[i] = s->size[i] > 0 ? mem_dup(job->output[i], s->size[i]) : NULL;
    }
    future_finally(process_async(b->runtime, save_work, s), runtime_executor(b->runtime), saved,
                   s);
}

/* ---- fetching ---- */

/* Both outputs of a job. */
struct collection { struct batch_job *job; bool succeeded; int left; };

struct fetch {
    struct list link;                /* batch.fetches, while it waits */
    struct batch *b;
    struct collection *collection;   /* shared by the two */
    int stream, tries;
    char *url;
};

static void start_fetches(struct batch *b);

static void fetch_free(struct fetch *f)
{
    if (--f->collection->left == 0)
        mem_free(f->collection);
    list_remove(&f->link);
    mem_free(f->url);
    mem_free(f);
}

static void fetch_ended(struct fetch *f)
{
    struct batch *b = f->b;
    struct batch_job *job = f->collection->job;
    bool succeeded = f->collection->succeeded, is_last = f->collection->left == 1;

    fetch_free(f);
    if (!is_last)
        return;
    job->received = job->output_size[0];
    if (b->options->results)
        save_results(b, job, succeeded);
    else
        end_job(b, job, succeeded);
}

struct retry_args { struct fetch *fetch; };

static void retry_release(void *args)
{
    struct fetch *f = ((struct retry_args *)args)->fetch;

    if (f)
        fetch_free(f);
}

static void retry(struct process *self UNUSED, void *args)
{
    struct retry_args *a = args;
    struct fetch *f = a->fetch;

    a->fetch = NULL;
    list_append(&f->b->fetches, &f->link);
    start_fetches(f->b);
}

/* Takes f: again after a while, or never. */
static void fetch_failed(struct fetch *f, const char *why)
{
    struct batch *b = f->b;
    struct retry_args args = { f };

    if (++f->tries < FETCH_TRIES && b->phase == BATCH_WORKING) {
        process_delay(&b->pid, MILLISECONDS(250 << f->tries), retry, &args, sizeof args,
                      retry_release);
        return;
    }
    batch_report_line(b, "the %s of job %zu cannot be fetched from %s: %s",
                      stream_names[f->stream], f->collection->job->seq, f->url, why);
    b->lost_outputs++;
    fetch_ended(f);
}

static void fetched(struct process *self UNUSED, struct future *future, void *op)
{
    struct fetch *f = op;
    struct batch *b = f->b;
    struct batch_job *job = f->collection->job;
    const struct http_response *r;
    char status[32];

    b->n_fetching--;
    if (future_state(future) == FUTURE_DISCARDED) { /* the batch ends */
        fetch_free(f);
        return;
    }
    if (future_state(future) == FUTURE_FAILED) {
        fetch_failed(f, future_error(future)->text);
    } else if ((r = http_response_get(future))->status != 200) {
        snprintf(status, sizeof status, "HTTP status %d", r->status);
        fetch_failed(f, status);
    } else {
        job->output[f->stream] = mem_dup(r->body, r->size + 1);
        job->output_size[f->stream] = r->size;
        fetch_ended(f);
    }
    start_fetches(b);
}

static void start_fetches(struct batch *b)
{
    while (b->n_fetching < FETCHES_AT_A_TIME && !list_is_empty(&b->fetches)) {
        struct fetch *f = list_first(&b->fetches, struct fetch, link);

        list_remove(&f->link);
        b->n_fetching++;
        future_finally(http_get(b->runtime, f->url, FETCH_MAX_BYTES, FETCH_TIMEOUT),
                       scheduler_process(b->scheduler), fetched, f);
    }
}

/* The sandbox of a command task: its executor has the task's id (FACTS 5.1). */
static char *output_url(const struct batch *b, const struct batch_job *job, int stream)
{
    CLEANUP(buffer_release) struct buffer path = BUFFER_INIT;
    char *plain = mem_printf("/frameworks/%s/executors/%s/runs/%s/%s", b->framework_id,
                             job->executor_id ? job->executor_id : job->task_id,
                             job->container_id ? job->container_id : "latest",
                             stream_names[stream]);

    percent_encode(plain, strlen(plain), &path);
    mem_free(plain);
    return mem_printf("%s/files/download?path=%s", job->agent_url, buffer_data(&path));
}

void batch_output_collect(struct batch *b, struct batch_job *job, bool succeeded)
{
    bool is_wanted = (b->options->output || b->options->results) && job->started &&
                     job->exit_value >= 0 && job->agent_url;
    struct collection *c;

    b->n_collecting++;
    if (!is_wanted) {
        end_job(b, job, succeeded);
        return;
    }
    c = mem_alloc(sizeof *c);
    *c = (struct collection){ job, succeeded, 2 };
    for (int i = 0; i < 2; i++) {
        struct fetch *f = mem_alloc(sizeof *f);

        f->b = b;
        f->collection = c;
        f->stream = i;
        f->url = output_url(b, job, i);
        list_append(&b->fetches, &f->link);
    }
    start_fetches(b);
}

void batch_output_release(struct batch *b)
{
    while (!list_is_empty(&b->fetches))
        fetch_free(list_first(&b->fetches, struct fetch, link));
    file_close(b->joblog);
}
