/* hosted_executors.c - executors get their tasks, are told to end, and end
 *
 *   REGISTERING → is there (executor_registration.c) → RUNNING → told to end → TERMINATING
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

struct run_args { struct container_id container; struct run_started started; };
static void run_args_release(struct run_args *r) { container_id_release(&r->container); }
CALL(agent, grace_passed, run_args, run_args_release);
CALL(agent, run_has_started, run_args, run_args_release);

struct following { struct container_id container; };
LAST(agent, run_has_ended, following);
LAST(agent, run_signalled, following);

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

static bool may_be_sent(struct agent *a, const struct hosted_task *t)
{
    return t->stored && !t->sent && !status_updates_has_end(a, t);
}

static void send_one(struct agent *a, struct hosted_task *t)
{
    struct hosted_framework *f = t->executor->framework;
    Pb__RunTaskMessage msg = PB__RUN_TASK_MESSAGE__INIT;
    char pid[PID_TEXT];

    msg.framework = (Pb__FrameworkInfo *)f->info->body;
    msg.framework_id = msg.framework->id;
    msg.task = (Pb__TaskInfo *)t->info->body;
    msg.pid = pid_text(&f->pid, pid, sizeof pid);
    executor_peer_send(a, t->executor, &msg.base);
    t->sent = true;
}

/* All of them at once, or none: they were stored, and would have been killed, together. */
static void send_group(struct agent *a, struct hosted_executor *e, struct text *group)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__RunTaskGroupMessage msg = PB__RUN_TASK_GROUP_MESSAGE__INIT;
    Pb__TaskGroupInfo info = PB__TASK_GROUP_INFO__INIT;

    info.tasks = arena_alloc(&arena, HASH_COUNT(e->tasks) * sizeof *info.tasks);
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (t->group && text_equal(t->group, group) && may_be_sent(a, t)) {
            info.tasks[info.n_tasks++] = (Pb__TaskInfo *)t->info->body;
            t->sent = true;
        }
    msg.framework = (Pb__FrameworkInfo *)e->framework->info->body;
    msg.executor = (Pb__ExecutorInfo *)e->info->body;
    msg.task_group = &info;
    executor_peer_send(a, e, &msg.base);
}

/* A driver knows no groups: it gets the tasks one by one. */
void hosted_executor_send_task(struct agent *a, struct hosted_task *t)
{
    struct hosted_executor *e = t->executor;

    if (e->state != EXECUTOR_RUNNING || !may_be_sent(a, t))
        return;
    if (t->group && e->peer.http)
        send_group(a, e, t->group);
    else
        send_one(a, t);
    if (t->kill)
        executor_peer_send(a, e, t->kill->body);
}

void hosted_executor_send_tasks(struct agent *a, struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (!t->sent)
            hosted_executor_send_task(a, t);
        else if (t->kill && e->state == EXECUTOR_RUNNING)
            executor_peer_send(a, e, t->kill->body);
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

/* Not registered: there is nobody to tell.  (An HTTP executor that is away for a moment is told
 * when it is back.) */
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
    if (e->state == EXECUTOR_REGISTERING && !(e->peer.http && e->reconnecting)) {
        end_unregistered(a, e);
        return;
    }
    e->state = EXECUTOR_TERMINATING;
    executor.value = e->id.text->bytes;
    framework.value = e->framework->id.text->bytes;
    msg.executor_id = &executor;
    msg.framework_id = &framework;
    executor_peer_send(a, e, &msg.base);
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

/* The process of a built-in executor has ended.  Its run may not have: then it
 * is killed and followed. */
void hosted_executors_exited(struct agent *a, const struct pid *pid)
{
    struct hosted_executor *e = hosted_executor_find_pid(a, pid);

    if (e && !e->builtin)
        executor_registration_broke(a, e);
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
    executor_peer_close(&e->peer);
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
