/* example_executor.c - a custom executor, as a user would write one
 *
 * Runs each task's data as a shell command, any number at a time, and answers
 * framework messages with the number of tasks that run.  It shows all that the
 * executor library asks for: callbacks, updates, futures of subprocesses in the
 * executor's own process.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "executor/executor.h"
#include "process/host.h"
#include "process/program.h"
#include "process/runtime.h"
#include "process/subprocess.h"

struct example {
    struct runtime *runtime;
    struct list tasks;
    unsigned n_tasks;
    bool shutting_down;
};

struct example_task {
    struct example *example;
    struct executor *executor;
    struct subprocess *child;
    char *id;
    bool killed;
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

static void task_destroy(struct example_task *t)
{
    list_remove(&t->link);
    t->example->n_tasks--;
    subprocess_unref(t->child);
    mem_free(t->id);
    mem_free(t);
}

static Pb__TaskState state_of(const struct example_task *t, int status)
{
    if (t->killed)
        return PB__TASK_STATE__TASK_KILLED;
    return status == 0 ? PB__TASK_STATE__TASK_FINISHED : PB__TASK_STATE__TASK_FAILED;
}

static void task_ended(struct process *self UNUSED, struct future *f, void *op)
{
    struct example_task *t = op;
    struct executor *e = t->executor;
    struct example *x = t->example;
    int status;
    char text[100];

    if (future_state(f) == FUTURE_READY) {
        status = *subprocess_status_get(f);
        if (WIFEXITED(status))
            snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
        else
            snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
        tell(e, t->id, state_of(t, status), text);
    }
    task_destroy(t);
    if (x->shutting_down && x->n_tasks == 0)
        executor_stop(e);
}

static void on_launch(void *arg, struct executor *e, const Pb__TaskInfo *info)
{
    struct example *x = arg;
    char *command = mem_strndup((const char *)info->data.data, info->data.len);
    char *argv[] = { (char *)"sh", (char *)"-c", command, NULL };
    struct child_spec spec = { .path = "sh", .argv = argv, .in = CHILD_NULL, .new_session = true };
    struct error err;
    struct subprocess *child = subprocess_spawn(x->runtime, &spec, &err);
    struct example_task *t;

    mem_free(command);
    if (!child) {
        tell(e, info->task_id->value, PB__TASK_STATE__TASK_FAILED, err.text);
        return;
    }
    t = mem_alloc(sizeof *t);
    t->example = x;
    t->executor = e;
    t->child = child;
    t->id = mem_strdup(info->task_id->value);
    list_append(&x->tasks, &t->link);
    x->n_tasks++;
    tell(e, t->id, PB__TASK_STATE__TASK_RUNNING, NULL);
    future_finally(subprocess_wait(child), executor_process(e), task_ended, t);
}

static void kill_task(struct example_task *t)
{
    t->killed = true;
    subprocess_signal_group(t->child, SIGKILL, NULL);
}

static void on_kill(void *arg, struct executor *e UNUSED, const Pb__TaskID *task,
                    const Pb__KillPolicy *policy UNUSED)
{
    struct example *x = arg;

    list_each(t, &x->tasks, struct example_task, link)
        if (strcmp(t->id, task->value) == 0)
            kill_task(t);
}

static void on_message(void *arg, struct executor *e, const void *data UNUSED, size_t size UNUSED)
{
    struct example *x = arg;
    char text[32];

    snprintf(text, sizeof text, "%u", x->n_tasks);
    executor_send(e, text, strlen(text));
}

static void on_shutdown(void *arg, struct executor *e)
{
    struct example *x = arg;

    x->shutting_down = true;
    list_each(t, &x->tasks, struct example_task, link)
        kill_task(t);
    if (x->n_tasks == 0)
        executor_stop(e);
}

static int fail(const struct error *err)
{
    fprintf(stderr, "example_executor: %s\n", err->text);
    return EXIT_FAILURE;
}

int main(void)
{
    static const struct executor_callbacks callbacks = {
        .launch = on_launch, .kill = on_kill, .message = on_message, .shutdown = on_shutdown,
    };
    struct program_options options = { .threads = 1 };
    struct executor_options executor_options;
    struct example x = { 0 };
    struct host *host = host_real_create();
    struct executor *e;
    struct program p;
    struct error err;
    char ip[ADDRESS_TEXT];

    list_init(&x.tasks);
    if (executor_options_from_environment(host, &executor_options, &err) < 0) {
        host_destroy(host);
        return fail(&err);
    }
    options.ip = address_format_ip(executor_options.agent.address.ip, ip); /* the same machine */
    if (program_start(&p, host, &options, &err) < 0)
        return fail(&err);
    x.runtime = p.runtime;
    e = executor_create(p.runtime, &executor_options, &callbacks, &x, &err);
    if (e)
        program_wait(&p, executor_pid(e));
    executor_destroy(e);
    program_stop(&p);
    pid_release(&executor_options.agent);
    return e ? EXIT_SUCCESS : fail(&err);
}
