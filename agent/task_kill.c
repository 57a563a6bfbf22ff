/* task_kill.c - the master wants something to end, or to be known otherwise
 *
 * KillTaskMessage          → a task that its executor has: told to it
 *                            not yet: TASK_KILLED by us, with its group, and nothing starts
 *                            unknown: TASK_DROPPED (TASK_LOST)
 * ShutdownFrameworkMessage → its executors end, its updates are dropped
 * ShutdownExecutorMessage  → that executor ends
 * UpdateFrameworkMessage   → its scheduler has moved
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"
#include "mesos/task_state.h"
#include "process/runtime.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__kill_task_message, Pb__KillTaskMessage, on_kill_task)                                   \
    ON(pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage, on_shutdown_framework)        \
    ON(pb__shutdown_executor_message, Pb__ShutdownExecutorMessage, on_shutdown_executor)           \
    ON(pb__update_framework_message, Pb__UpdateFrameworkMessage, on_update_framework)
HANDLERS(agent, kill_handlers, MESSAGES);

void task_kill_init(struct agent *a)
{
    process_install(&a->process, kill_handlers);
}

static void kill_unknown(struct agent *a, const struct hosted_framework *f,
                         const Pb__KillTaskMessage *msg)
{
    struct refusal r = { .framework = msg->framework_id->value, .task = msg->task_id->value,
                         .partition_aware = f && hosted_is_partition_aware(f),
                         .state = PB__TASK_STATE__TASK_DROPPED,
                         .reason = PB__TASK_STATUS__REASON__REASON_TASK_UNKNOWN,
                         .message = "Cannot kill a task that the agent does not know" };
    struct framework_id framework;
    struct task_id task;
    struct error err;

    if (framework_id_parse(r.framework, &framework, &err) < 0) {
        log_warning("kill of a task ignored: %s", err.text);
        return;
    }
    if (task_id_parse(r.task, &task, &err) < 0) {
        log_warning("kill of a task ignored: %s", err.text);
    } else {
        status_updates_refuse(a, &r);
        task_id_release(&task);
    }
    framework_id_release(&framework);
}

/* With it go all of its group, which would only have been launched together. */
static void kill_unsent(struct agent *a, struct hosted_task *killed)
{
    for (struct hosted_task *t = killed->executor->tasks; t; t = t->hh.next)
        if (t == killed || (killed->group && t->group && text_equal(t->group, killed->group)))
            status_updates_generate(a, t, PB__TASK_STATE__TASK_KILLED,
                                    PB__TASK_STATUS__REASON__REASON_TASK_KILLED_DURING_LAUNCH,
                                    "Killed before it was given to its executor");
}

/* An executor that has got none of its tasks, all of which are killed, need not be. */
static void end_idle_executor(struct agent *a, struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (t->sent || !status_updates_has_end(a, t))
            return;
    list_each(c, &e->completed_tasks, struct hosted_task, link)
        if (c->sent)
            return;
    hosted_executor_shutdown(a, e);
}

static void on_kill_task(struct agent *a, const struct pid *from, const Pb__KillTaskMessage *msg)
{
    struct hosted_framework *f;
    struct hosted_task *t;

    if (!agent_is_master(a, from, "kill of a task") ||
        registration_hold(a, from, on_kill_task__receive))
        return;
    f = hosted_framework_find(a, msg->framework_id->value);
    t = f ? hosted_task_find(f, msg->task_id->value) : NULL;
    if (!t) {
        if (hosted_task_is_completed(a, msg->framework_id->value, msg->task_id->value))
            log_info("kill of task %s ignored: it has ended", msg->task_id->value);
        else
            kill_unknown(a, f, msg);
        return;
    }
    if (f->terminating || status_updates_has_end(a, t))
        return;
    log_info("task %s of framework %s is to be killed", t->id.text->bytes, f->id.text->bytes);
    message_unref(t->kill);
    t->kill = message_create(&msg->base);
    if (!t->sent && !t->executor->recovered) {
        kill_unsent(a, t);
        end_idle_executor(a, t->executor);
    } else if (t->executor->state == EXECUTOR_RUNNING) {
        executor_peer_send(a, t->executor, t->kill->body);
    }
}

/* ---- frameworks ---- */

void task_kill_framework(struct agent *a, struct hosted_framework *f)
{
    struct hosted_executor *e, *next;

    if (f->terminating)
        return;
    log_info("framework %s ends", f->id.text->bytes);
    f->terminating = true;
    status_updates_drop(a, f);
    HASH_ITER(hh, f->executors, e, next) {
        bool last = !next;

        if (e->state == EXECUTOR_TERMINATED)
            hosted_executor_ended(a, e);     /* only updates were waited for */
        else
            hosted_executor_shutdown(a, e);
        if (last)
            break;                           /* f may be gone */
    }
}

static void on_shutdown_framework(struct agent *a, const struct pid *from,
                                  const Pb__ShutdownFrameworkMessage *msg)
{
    struct hosted_framework *f;

    if (!agent_is_master(a, from, "end of a framework"))
        return;
    f = hosted_framework_find(a, msg->framework_id->value);
    if (f)
        task_kill_framework(a, f);
}

static void on_shutdown_executor(struct agent *a, const struct pid *from,
                                 const Pb__ShutdownExecutorMessage *msg)
{
    struct hosted_framework *f;
    struct hosted_executor *e;

    if (!agent_is_master(a, from, "end of an executor") || !msg->framework_id || !msg->executor_id)
        return;
    f = hosted_framework_find(a, msg->framework_id->value);
    e = f ? hosted_executor_find(f, msg->executor_id->value) : NULL;
    if (e)
        hosted_executor_shutdown(a, e);
}

struct framework_update { char unused; };
LAST(agent, framework_stored, framework_update);

static void framework_stored(struct agent *a UNUSED, struct future *f, struct framework_update *op)
{
    if (future_state(f) == FUTURE_FAILED)
        log_error("a framework's new scheduler cannot be stored; a restarted agent will not know "
                  "it until the master says it again: %s",
                  future_error(f)->text);
    mem_free(op);
}

static void on_update_framework(struct agent *a, const struct pid *from,
                                const Pb__UpdateFrameworkMessage *msg)
{
    struct hosted_framework *f;
    struct error err;
    struct pid pid = { 0 };
    char text[PID_TEXT];

    if (!agent_is_master(a, from, "change of a framework"))
        return;
    f = hosted_framework_find(a, msg->framework_id->value);
    if (!f || f->terminating)
        return;
    if (msg->pid && *msg->pid && runtime_parse_pid(a->runtime, msg->pid, &pid, &err) < 0) {
        log_warning("change of framework %s ignored: %s", f->id.text->bytes, err.text);
        return;
    }
    pid_release(&f->pid);
    f->pid = pid;
    if (msg->framework_info && msg->framework_info->id &&
        text_is(f->id.text, msg->framework_info->id->value)) {
        message_unref(f->info);
        f->info = message_create(&msg->framework_info->base);
    }
    FINALLY(store_put_framework(a->store, (const Pb__FrameworkInfo *)f->info->body,
                                pid_text(&f->pid, text, sizeof text)),
            framework_stored, a,
            (struct framework_update *)mem_alloc(sizeof(struct framework_update)));
    status_updates_resume(a);
}
