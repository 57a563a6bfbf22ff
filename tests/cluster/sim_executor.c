/* sim_executor.c - a custom executor as a simulated OS process */
#include "sim_executor.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/executor.h"
#include "ledger.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "sim_launcher.h"

#define IDLE SECONDS(30)

struct job {
    struct list link;
    char *id;
    int status; /* that it will exit with */
    struct timer timer;
};

struct sim_executor {
    struct host *host;
    struct log *log;
    struct runtime *rt;
    struct executor *executor;
    char *framework;
    struct list jobs;
    struct timer idle;
    struct process process; /* links to the executor: its end is ours */
};

CLASS(sim_executor, "watcher", watcher_initialize, watcher_exited, watcher_finalize);

static void watcher_initialize(struct sim_executor *x)
{
    if (x->executor) /* else we were killed before it ran */
        process_link(&x->process, executor_pid(x->executor), LINK_REUSE);
}

static void watcher_exited(struct sim_executor *x, const struct pid *peer UNUSED)
{
    sim_program_exit(x->host, 0);
}

static void watcher_finalize(struct sim_executor *x UNUSED) {}

/* ---- tasks; in the executor's context ---- */

static void tell(struct sim_executor *x, const char *task, Pb__TaskState state, const char *why)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;

    id.value = task;
    status.task_id = &id;
    status.state = state;
    status.message = why;
    executor_update(x->executor, &status);
}

struct job_args {
    struct sim_executor *executor;
    struct job *job;
};

static void call_stop(struct process *self UNUSED, void *args)
{
    executor_stop(((struct job_args *)args)->executor->executor);
}

static void rest(struct sim_executor *x)
{
    struct job_args args = { x, NULL };

    process_cancel(&x->idle);
    if (list_is_empty(&x->jobs))
        x->idle =
            process_delay(executor_pid(x->executor), IDLE, call_stop, &args, sizeof args, NULL);
}

static void job_free(struct job *j)
{
    process_cancel(&j->timer);
    list_remove(&j->link);
    mem_free(j->id);
    mem_free(j);
}

static void job_end(struct sim_executor *x, struct job *j, Pb__TaskState state, int status)
{
    struct ledger_task *t = ledger_find(ledger_current(), x->framework, j->id);

    if (t && !sim_host_is_dead(x->host)) {
        t->ended = true;
        t->status = status;
    }
    tell(x, j->id, state, NULL);
    job_free(j);
    rest(x);
}

static void call_end(struct process *self UNUSED, void *args)
{
    struct job_args *a = args;

    a->job->timer = (struct timer){ 0 };
    job_end(a->executor, a->job,
            a->job->status ? PB__TASK_STATE__TASK_FAILED : PB__TASK_STATE__TASK_FINISHED,
            a->job->status);
}

static void on_launch(void *arg, struct executor *e UNUSED, const Pb__TaskInfo *task)
{
    struct sim_executor *x = arg;
    CLEANUP(mem_free_p) char *text = mem_strndup((const char *)task->data.data, task->data.len);
    const char *sleep = strstr(text, "sleep "), *exit = strstr(text, "exit ");
    struct job *j = mem_alloc(sizeof *j);
    struct job_args args = { x, j };

    j->id = mem_strdup(task->task_id->value);
    j->status = exit ? (int)strtol(exit + strlen("exit "), NULL, 10) << 8 : 0;
    list_append(&x->jobs, &j->link);
    if (!sim_host_is_dead(x->host))
        ledger_start(ledger_current(), x->framework, j->id);
    tell(x, j->id, PB__TASK_STATE__TASK_RUNNING, NULL);
    j->timer =
        process_delay(executor_pid(x->executor),
                      duration_from_seconds(sleep ? strtod(sleep + strlen("sleep "), NULL) : 0),
                      call_end, &args, sizeof args, NULL);
    rest(x);
}

static void on_kill(void *arg, struct executor *e UNUSED, const Pb__TaskID *task,
                    const Pb__KillPolicy *policy UNUSED)
{
    struct sim_executor *x = arg;

    list_each_safe (j, &x->jobs, struct job, link)
        if (strcmp(j->id, task->value) == 0)
            job_end(x, j, PB__TASK_STATE__TASK_KILLED, 9);
}

static void on_shutdown(void *arg, struct executor *e)
{
    struct sim_executor *x = arg;

    list_each_safe (j, &x->jobs, struct job, link)
        job_end(x, j, PB__TASK_STATE__TASK_KILLED, 9);
    executor_stop(e);
}

/* ---- life ---- */

static const struct executor_callbacks callbacks = {
    .launch = on_launch,
    .kill = on_kill,
    .shutdown = on_shutdown,
};

static void ignore(void *arg UNUSED, const char *line UNUSED, size_t length UNUSED) {}

static int start(struct sim_executor *x, struct error *err)
{
    struct runtime_options options = { .workers = 1, .bind_any = true, .log = x->log };
    struct executor_options executor;

    if (executor_options_from_environment(x->host, &executor, err) < 0)
        return -1;
    address_parse_ip(sim_launcher_variable(host_environment(x->host), "LIBPROCESS_IP"),
                     &options.advertise.ip, err);
    x->framework = mem_strdup(executor.framework_id);
    x->rt = runtime_create(x->host, &options, err);
    if (x->rt)
        x->executor = executor_create(x->rt, &executor, &callbacks, x, err);
    pid_release(&executor.agent);
    return x->executor ? process_spawn(x->rt, &x->process, &sim_executor_class, NULL, NULL, err)
                       : -1;
}

static void *executor_start_program(struct host *h, const struct child_spec *spec UNUSED)
{
    struct sim_executor *x = mem_alloc(sizeof *x);
    struct error err;

    x->host = h;
    x->log = log_create(ignore, NULL, NULL, NULL);
    log_set_level(x->log, LOG_ERROR);
    list_init(&x->jobs);
    if (start(x, &err) < 0)
        sim_program_exit(h, 1 << 8);
    return x;
}

static void executor_stop_program(void *state)
{
    struct sim_executor *x = state;

    executor_destroy(x->executor);
    x->executor = NULL;
    list_each_safe (j, &x->jobs, struct job, link)
        job_free(j);
    runtime_destroy(x->rt);
    log_destroy(x->log);
    mem_free(x->framework);
    mem_free(x);
}

const struct sim_program sim_executor_program = { "sim-executor", executor_start_program, NULL,
                                                  executor_stop_program };
