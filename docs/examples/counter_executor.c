/* counter_executor.c - the smallest useful executor: tasks that are timers
 *
 * An agent starts it for a framework's tasks.  A task's data is a number of
 * tenths of a second; the task runs for so long, inside of this one program,
 * which is what executors are for: many tasks, one start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "executor/executor.h"
#include "process/host.h"
#include "process/process.h"
#include "process/program.h"
#include "process/runtime.h"

struct counter {
    struct list tasks;
};

struct counter_task {
    struct executor *executor;
    struct timer timer;
    char *id;
    struct list link;
};

static void tell(struct executor *e, const char *id, Pb__TaskState state, const char *message)
{
    Pb__TaskID task = PB__TASK_ID__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    task.value = id;
    status.task_id = &task;
    status.state = state;
    status.message = message;
    executor_update(e, &status);
}

static void end_task(struct counter_task *t, Pb__TaskState state, const char *message)
{
    process_cancel(&t->timer);
    tell(t->executor, t->id, state, message);
    list_remove(&t->link);
    mem_free(t->id);
    mem_free(t);
}

/* A dispatch in the executor's own process: nothing runs beside it. */
static void time_is_up(struct process *self, void *args)
{
    struct counter_task *t = *(struct counter_task **)args;

    (void)self;
    end_task(t, PB__TASK_STATE__TASK_FINISHED, "the time is up");
}

static void on_launch(void *arg, struct executor *e, const Pb__TaskInfo *info)
{
    struct counter *x = arg;
    char *text = mem_strndup((const char *)info->data.data, info->data.len);
    unsigned long tenths = strtoul(text, NULL, 10);
    struct counter_task *t;

    mem_free(text);
    if (tenths == 0 || tenths > 36000) {
        tell(e, info->task_id->value, PB__TASK_STATE__TASK_FAILED,
             "the data is no number of tenths of a second, 1 to 36000");
        return;
    }
    t = mem_alloc(sizeof *t);
    t->executor = e;
    t->id = mem_strdup(info->task_id->value);
    list_append(&x->tasks, &t->link);
    tell(e, t->id, PB__TASK_STATE__TASK_RUNNING, NULL);
    t->timer = process_delay(executor_pid(e), MILLISECONDS(100 * (int64_t)tenths), time_is_up, &t,
                             sizeof t, NULL);
}

static void on_kill(void *arg, struct executor *e, const Pb__TaskID *task,
                    const Pb__KillPolicy *policy)
{
    struct counter *x = arg;

    (void)e, (void)policy;
    list_each_safe(t, &x->tasks, struct counter_task, link)
        if (strcmp(t->id, task->value) == 0)
            end_task(t, PB__TASK_STATE__TASK_KILLED, NULL);
}

static void on_shutdown(void *arg, struct executor *e)
{
    struct counter *x = arg;

    list_each_safe(t, &x->tasks, struct counter_task, link)
        end_task(t, PB__TASK_STATE__TASK_KILLED, "the executor was told to end");
    executor_stop(e);
}

static int run(struct counter *x, struct error *err)
{
    static const struct executor_callbacks callbacks = {
        .launch = on_launch, .kill = on_kill, .shutdown = on_shutdown,
    };
    struct program_options program_options = { .threads = 1, .log = "warning" };
    struct executor_options options;
    struct host *host = host_real_create();
    struct program program;
    struct executor *e = NULL;
    char ip[ADDRESS_TEXT];

    if (executor_options_from_environment(host, &options, err) < 0) {
        host_destroy(host);
        return -1;
    }
    program_options.ip = address_format_ip(options.agent.address.ip, ip); /* the same machine */
    if (program_start(&program, host, &program_options, err) == 0) {
        e = executor_create(program.runtime, &options, &callbacks, x, err);
        if (e)
            program_wait(&program, executor_pid(e));
        executor_destroy(e);
        program_stop(&program);
    }
    pid_release(&options.agent);
    return e ? 0 : -1;
}

int main(void)
{
    struct counter x;
    struct error err;

    list_init(&x.tasks);
    if (run(&x, &err) < 0) {
        fprintf(stderr, "counter_executor: %s\n", err.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
