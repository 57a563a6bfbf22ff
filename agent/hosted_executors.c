/* hosted_executors.c - executors register, are told to end, and end
 *
 *   REGISTERING → RegisterExecutorMessage → RUNNING → told to end → TERMINATING
 *       → its run has ended → TERMINATED → the last of its tasks' terminal
 *       updates is acknowledged → removed
 *
 * A built-in executor has ended when its process has and its run has; a custom
 * one when its run has.  Whatever is left of its tasks then gets what was
 * blamed, by default TASK_FAILED, REASON_EXECUTOR_TERMINATED.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"
#include "mesos/task_state.h"
#include "process/runtime.h"

#define COMMAND_GRACE SECONDS(3)         /* of a command, FACTS 5.5 */

#define MESSAGES(ON)                                                                               \
    ON(pb__register_executor_message, Pb__RegisterExecutorMessage, on_register)                    \
    ON(pb__reregister_executor_message, Pb__ReregisterExecutorMessage, on_reregister)
HANDLERS(agent, executor_handlers, MESSAGES);

struct run_args { struct container_id container; struct run_started started; };
static void run_args_release(struct run_args *r) { container_id_release(&r->container); }
CALL(agent, grace_passed, run_args, run_args_release);
CALL(agent, registration_late, run_args, run_args_release);
CALL(agent, run_has_started, run_args, run_args_release);

struct following { struct container_id container; };
LAST(agent, run_has_ended, following);
LAST(agent, pid_stored, following);
LAST(agent, run_signalled, following);

void hosted_executors_init(struct agent *a)
{
    process_install(&a->process, executor_handlers);
}

static struct following *following_create(const struct hosted_executor *e)
{
    struct following *op = mem_alloc(sizeof *op);

    op->container = container_id_dup(&e->container);
    return op;
}

static void following_destroy(struct following *op)
{
    container_id_release(&op->container);
    mem_free(op);
}

/* ---- tasks are given to it ---- */

void hosted_executor_send_task(struct agent *a, struct hosted_task *t)
{
    struct hosted_executor *e = t->executor;
    struct hosted_framework *f = e->framework;
    Pb__RunTaskMessage msg = PB__RUN_TASK_MESSAGE__INIT;
    char pid[PID_TEXT];

    if (e->state != EXECUTOR_RUNNING || !t->stored || t->sent || status_updates_has_end(a, t))
        return;
    msg.framework = (Pb__FrameworkInfo *)f->info->body;
    msg.framework_id = msg.framework->id;
    msg.task = (Pb__TaskInfo *)t->info->body;
    msg.pid = pid_text(&f->pid, pid, sizeof pid);
    process_send(&a->process, &e->pid, &msg.base);
    t->sent = true;
    if (t->kill)
        process_give(&a->process, &e->pid, message_ref(t->kill));
}

static void send_tasks(struct agent *a, struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (!t->sent)
            hosted_executor_send_task(a, t);
        else if (t->kill)
            process_give(&a->process, &e->pid, message_ref(t->kill));
}

/* ---- it registers ---- */

static void refuse(struct agent *a, const struct pid *from, const char *executor, const char *why)
{
    Pb__ShutdownExecutorMessage msg = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;

    log_warning("executor %s is refused: %s", executor, why);
    process_send(&a->process, from, &msg.base);
}

static void confirm(struct agent *a, struct hosted_executor *e)
{
    Pb__ExecutorRegisteredMessage msg = PB__EXECUTOR_REGISTERED_MESSAGE__INIT;

    msg.executor_info = (Pb__ExecutorInfo *)e->info->body;
    msg.framework_info = (Pb__FrameworkInfo *)e->framework->info->body;
    msg.framework_id = msg.framework_info->id;
    msg.slave_id = a->info->id;
    msg.slave_info = a->info;
    process_send(&a->process, &e->pid, &msg.base);
}

static void is_running(struct agent *a, struct hosted_executor *e)
{
    process_cancel(&e->timer);
    e->state = EXECUTOR_RUNNING;
    confirm(a, e);
    send_tasks(a, e);
}

/* Without it a restarted agent cannot find the executor; it will then be killed. */
static void pid_stored(struct agent *a, struct future *f, struct following *op)
{
    struct hosted_executor *e = future_state(f) == FUTURE_DISCARDED
                                    ? NULL
                                    : hosted_executor_find_run(a, op->container);

    following_destroy(op);
    if (!e || e->state != EXECUTOR_REGISTERING)
        return;
    if (future_state(f) == FUTURE_FAILED)
        log_error("executor %s cannot be stored; it will not survive a restart of the agent: %s",
                  e->id.text->bytes, future_error(f)->text);
    log_info("executor %s of framework %s registered", e->id.text->bytes,
             e->framework->id.text->bytes);
    is_running(a, e);
}

static struct hosted_executor *find_executor(struct agent *a, const Pb__FrameworkID *framework,
                                             const Pb__ExecutorID *executor)
{
    struct hosted_framework *f = hosted_framework_find(a, framework->value);

    return f ? hosted_executor_find(f, executor->value) : NULL;
}

static bool may_register(const struct hosted_executor *e, const struct pid *from)
{
    if (!e || e->framework->terminating || e->state != EXECUTOR_REGISTERING)
        return false;
    if (e->builtin)
        return e->command && pid_equal(from, command_executor_pid(e->command));
    return pid_is_empty(&e->pid) || pid_equal(&e->pid, from);
}

static void on_register(struct agent *a, const struct pid *from,
                        const Pb__RegisterExecutorMessage *msg)
{
    struct hosted_executor *e = find_executor(a, msg->framework_id, msg->executor_id);
    char text[PID_TEXT];

    if (!may_register(e, from)) {
        refuse(a, from, msg->executor_id->value, "it is not expected");
        return;
    }
    if (!pid_is_empty(&e->pid))
        return;                              /* said twice; being stored */
    pid_assign(&e->pid, from);
    if (e->builtin) {
        is_running(a, e);
        return;
    }
    process_link(&a->process, from, LINK_REUSE);
    FINALLY(store_put_executor_pid(a->store, e->container, pid_text(from, text, sizeof text)),
            pid_stored, a, following_create(e));
}

static bool knows_task(const Pb__ReregisterExecutorMessage *msg, const char *task)
{
    for (size_t i = 0; i < msg->n_tasks; i++)
        if (strcmp(msg->tasks[i]->task_id->value, task) == 0)
            return true;
    for (size_t i = 0; i < msg->n_updates; i++)
        if (strcmp(msg->updates[i]->status->task_id->value, task) == 0)
            return true;
    return false;
}

/* What the last start of the agent did not get to it is not given to it now: it
 * may be half there (FACTS 5.1 of Mesos's own recovery). */
static void on_reregister(struct agent *a, const struct pid *from,
                          const Pb__ReregisterExecutorMessage *msg)
{
    struct hosted_executor *e = find_executor(a, msg->framework_id, msg->executor_id);
    Pb__ExecutorReregisteredMessage answer = PB__EXECUTOR_REREGISTERED_MESSAGE__INIT;

    if (!e || e->builtin || !(e->recovered || e->reconnecting) ||
        e->state != EXECUTOR_REGISTERING ||
        e->framework->terminating || pid_is_empty(&e->pid) || !pid_equal(&e->pid, from)) {
        refuse(a, from, msg->executor_id->value, "it is not expected to come back");
        return;
    }
    process_cancel(&e->timer);
    e->state = EXECUTOR_RUNNING;
    answer.slave_id = a->info->id;
    answer.slave_info = a->info;
    process_send(&a->process, from, &answer.base);
    log_info("executor %s of framework %s came back", e->id.text->bytes,
             e->framework->id.text->bytes);
    for (struct hosted_task *t = e->tasks, *next; t; t = next) {
        next = t->hh.next;
        if (t->state != PB__TASK_STATE__TASK_STAGING || knows_task(msg, t->id.text->bytes))
            continue;
        if (e->reconnecting)
            t->sent = false;                 /* it ignores a second one */
        else
            status_updates_generate(a, t, PB__TASK_STATE__TASK_DROPPED,
                                    PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED,
                                    "Task launched during agent restart");
    }
    e->reconnecting = false;
    send_tasks(a, e);
}

/* Asks an executor that runs for what it has, on a new connection. */
void hosted_executor_reconnect(struct agent *a, struct hosted_executor *e)
{
    Pb__ReconnectExecutorMessage msg = PB__RECONNECT_EXECUTOR_MESSAGE__INIT;

    hosted_executor_await(a, e, a->options.executor_reregistration_timeout);
    if (pid_is_empty(&e->pid))
        return;                              /* had not registered; or it does now */
    process_link(&a->process, &e->pid, LINK_RECONNECT);
    msg.slave_id = a->info->id;
    process_send(&a->process, &e->pid, &msg.base);
}

/* ---- it does not register in time ---- */

void hosted_executor_await(struct agent *a, struct hosted_executor *e, struct duration d)
{
    process_cancel(&e->timer);
    e->timer = delay(&a->process.pid, d, registration_late,
                     .container = container_id_dup(&e->container));
}

static void registration_late(struct agent *a, struct run_args *args)
{
    struct hosted_executor *e = hosted_executor_find_run(a, args->container);

    if (!e || e->state != EXECUTOR_REGISTERING)
        return;
    if (e->recovered || e->reconnecting)
        hosted_executor_blame(e, PB__TASK_STATE__TASK_GONE,
                              PB__TASK_STATUS__REASON__REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                              e->reconnecting
                                  ? "Executor did not come back after its connection broke"
                                  : "Executor did not come back after a restart of the agent");
    else
        hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                              PB__TASK_STATUS__REASON__REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                              "Executor did not register within the time-out");
    log_warning("executor %s of framework %s is killed: %s", e->id.text->bytes,
                e->framework->id.text->bytes, e->end_message);
    e->state = EXECUTOR_TERMINATING;
    hosted_executor_kill_run(a, e);
}

/* ---- it is to end ---- */

void hosted_executor_blame(struct hosted_executor *e, Pb__TaskState state,
                           Pb__TaskStatus__Reason reason, const char *message)
{
    if (e->has_end_reason)
        return;
    e->has_end_reason = true;
    e->end_state = state;
    e->end_reason = reason;
    e->end_message = mem_strdup(message);
}

static void run_signalled(struct agent *a UNUSED, struct future *f, struct following *op)
{
    if (future_state(f) == FUTURE_FAILED)
        log_error("run %s cannot be killed: %s", op->container.text->bytes,
                  future_error(f)->text);
    following_destroy(op);
}

void hosted_executor_kill_run(struct agent *a, struct hosted_executor *e)
{
    e->kill_run = true;
    if (e->started.pid != 0 && !e->has_exit)
        FINALLY(launcher_signal(a->launcher, &e->started, RUN_SIGNAL_KILL), run_signalled, a,
                following_create(e));
}

static struct duration grace_of(const struct agent *a, const struct hosted_executor *e)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;
    const Pb__KillPolicy *policy =
        e->tasks ? ((const Pb__TaskInfo *)e->tasks->info->body)->kill_policy : NULL;
    struct duration grace = info->shutdown_grace_period
                                ? NANOSECONDS(info->shutdown_grace_period->nanoseconds)
                                : a->options.executor_shutdown_grace_period;

    if (!e->builtin)
        return grace;
    grace = policy && policy->grace_period ? NANOSECONDS(policy->grace_period->nanoseconds)
                                           : COMMAND_GRACE;
    return NANOSECONDS(grace.ns + SECONDS(2).ns);
}

/* Not registered: there is nobody to tell. */
static void end_unregistered(struct agent *a, struct hosted_executor *e)
{
    e->state = EXECUTOR_TERMINATING;
    if (e->fetching)
        future_discard(e->fetching);
    if (e->command)
        process_terminate(command_executor_pid(e->command), TERMINATE_NOW);
    hosted_executor_kill_run(a, e);
}

void hosted_executor_shutdown(struct agent *a, struct hosted_executor *e)
{
    Pb__ShutdownExecutorMessage msg = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;

    if (e->state == EXECUTOR_TERMINATING || e->state == EXECUTOR_TERMINATED)
        return;
    log_info("executor %s of framework %s is told to end", e->id.text->bytes,
             e->framework->id.text->bytes);
    process_cancel(&e->timer);
    if (e->state == EXECUTOR_REGISTERING) {
        end_unregistered(a, e);
        return;
    }
    e->state = EXECUTOR_TERMINATING;
    executor.value = e->id.text->bytes;
    framework.value = e->framework->id.text->bytes;
    msg.executor_id = &executor;
    msg.framework_id = &framework;
    process_send(&a->process, &e->pid, &msg.base);
    e->timer = delay(&a->process.pid, grace_of(a, e), grace_passed,
                     .container = container_id_dup(&e->container));
}

static void grace_passed(struct agent *a, struct run_args *args)
{
    struct hosted_executor *e = hosted_executor_find_run(a, args->container);

    if (!e || e->state != EXECUTOR_TERMINATING)
        return;
    log_info("executor %s of framework %s is killed: it did not end in time", e->id.text->bytes,
             e->framework->id.text->bytes);
    hosted_executor_kill_run(a, e);
}

/* ---- its run starts and ends ---- */

void hosted_executors_tell_started(const struct pid *agent, struct container_id container,
                                   const struct run_started *started)
{
    dispatch(agent, run_has_started, .container = container_id_dup(&container),
             .started = *started);
}

static void run_has_started(struct agent *a, struct run_args *args)
{
    struct hosted_executor *e = hosted_executor_find_run(a, args->container);

    if (!e)
        return;
    e->started = args->started;
    if (e->kill_run)
        hosted_executor_kill_run(a, e);
}

void hosted_executor_follow(struct agent *a, struct hosted_executor *e)
{
    FINALLY(launcher_wait(a->launcher, e->run_folder, &e->started), run_has_ended, a,
            following_create(e));
}

/* Only of custom executors does the framework hear: it knows no others. */
static void tell_exited(struct agent *a, struct hosted_executor *e)
{
    Pb__ExitedExecutorMessage msg = PB__EXITED_EXECUTOR_MESSAGE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;

    if (e->builtin)
        return;
    if (a->state != AGENT_RUNNING) {
        a->list_is_old = true;
        return;
    }
    framework.value = e->framework->id.text->bytes;
    executor.value = e->id.text->bytes;
    msg.slave_id = a->info->id;
    msg.framework_id = &framework;
    msg.executor_id = &executor;
    msg.status = e->has_exit && e->exit.executed ? e->exit.status : -1;
    process_send(&a->process, &a->master, &msg.base);
}

void hosted_executors_tell_absent(struct agent *a, const char *framework, const char *executor)
{
    Pb__ExitedExecutorMessage msg = PB__EXITED_EXECUTOR_MESSAGE__INIT;
    Pb__FrameworkID framework_id = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor_id = PB__EXECUTOR_ID__INIT;
    const struct hosted_framework *f = hosted_framework_find(a, framework);
    const struct hosted_executor *e = f ? hosted_executor_find(f, executor) : NULL;

    if ((e && e->state != EXECUTOR_TERMINATED) || a->state != AGENT_RUNNING)
        return;
    framework_id.value = framework;
    executor_id.value = executor;
    msg.slave_id = a->info->id;
    msg.framework_id = &framework_id;
    msg.executor_id = &executor_id;
    msg.status = -1;
    process_send(&a->process, &a->master, &msg.base);
}

static void describe_exit(const struct run_exit *exit, char *text, size_t size)
{
    if (!exit->executed)
        snprintf(text, size, "%s", *exit->reason ? exit->reason : "Executor terminated");
    else if (WIFEXITED(exit->status))
        snprintf(text, size, "Executor exited with status %d", WEXITSTATUS(exit->status));
    else
        snprintf(text, size, "Executor terminated with signal %d", WTERMSIG(exit->status));
}

static void run_has_ended(struct agent *a, struct future *f, struct following *op)
{
    char why[sizeof(struct run_exit)];
    struct hosted_executor *e = future_state(f) == FUTURE_DISCARDED
                                    ? NULL
                                    : hosted_executor_find_run(a, op->container);

    following_destroy(op);
    if (!e)
        return;
    e->has_exit = true;
    if (future_state(f) == FUTURE_READY)
        e->exit = *run_exit_get(f);
    else
        snprintf(e->exit.reason, sizeof e->exit.reason, "%s", future_error(f)->text);
    describe_exit(&e->exit, why, sizeof why);
    hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                          PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED, why);
    hosted_executor_ended(a, e);
}

/* A custom executor has ended, of which its run tells, or only its connection has,
 * with what was on its way. */
static void connection_ended(struct agent *a, struct hosted_executor *e)
{
    if (e->state != EXECUTOR_RUNNING || e->has_exit)
        return;
    e->state = EXECUTOR_REGISTERING;
    e->reconnecting = true;
    hosted_executor_reconnect(a, e);
}

/* The process of a built-in executor has ended.  Its run may not have: then it
 * is killed and followed. */
void hosted_executors_exited(struct agent *a, const struct pid *pid)
{
    struct hosted_executor *e = hosted_executor_find_pid(a, pid);

    if (e && !e->builtin)
        connection_ended(a, e);
    if (!e || !e->builtin || !e->command)
        return;
    command_executor_release(e->command);
    e->command = NULL;
    if (e->tasks && e->started.pid != 0 && !e->has_exit &&
        (e->kill_run || !status_updates_has_end(a, e->tasks))) {
        e->state = EXECUTOR_TERMINATING;
        hosted_executor_follow(a, e);
        hosted_executor_kill_run(a, e);
        return;
    }
    hosted_executor_ended(a, e);
}

static void end_tasks(struct agent *a, struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks, *next; t; t = next) {
        next = t->hh.next;
        if (!t->stored)
            continue;                        /* task_stored comes back here */
        status_updates_generate(a, t, e->end_state, e->end_reason, e->end_message);
    }
}

void hosted_executor_ended(struct agent *a, struct hosted_executor *e)
{
    bool first = e->state != EXECUTOR_TERMINATED;

    process_cancel(&e->timer);
    e->state = EXECUTOR_TERMINATED;
    if (first) {
        log_info("executor %s of framework %s has ended", e->id.text->bytes,
                 e->framework->id.text->bytes);
        agent_metrics_executor_ended(a);
        tell_exited(a, e);
    }
    hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                          PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED,
                          "Executor terminated");
    if (!e->framework->terminating) {
        end_tasks(a, e);
        hosted_executor_remove_if_done(a, e);
        return;
    }
    while (e->tasks) {                       /* nobody asks for them any more */
        bool last = HASH_COUNT(e->tasks) == 1;

        hosted_task_complete(a, e->tasks);   /* with the last one goes e */
        if (last)
            return;
    }
    hosted_executor_remove_if_done(a, e);
}
