/* agent_recovery.c - what the agent's last start has left, and what becomes of it
 *
 * Before the actor is spawned the store is read into the books.  In its first
 * event each run is looked at (run.h's table):
 *
 *   ended, or lives   a built-in executor is spawned anew over it; a custom one
 *                     that lives is expected back (executor_registration.c)
 *   never started     TASK_DROPPED: it will not be started any more
 *   failed, unknown   TASK_FAILED
 *
 * Runs of frameworks that do not checkpoint are killed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/runtime.h"

struct rewriting { char unused; };
LAST(agent, info_stored, rewriting);

/* ---- reading ---- */

static int read_agent(void *arg, const Pb__AgentInfo *info, const char *boot_id,
                      struct error *err)
{
    struct agent *a = arg;

    if (!info->id)
        return error_set(err, EUCLEAN, "agent.db is damaged: table agent: no id");
    if (agent_id_parse(info->id->value, &a->id, err) < 0)
        return error_wrap(err, "agent.db is damaged: table agent");
    a->info->id = arena_alloc(&a->arena, sizeof *a->info->id);
    pb__agent_id__init(a->info->id);
    a->info->id->value = arena_strdup(&a->arena, a->id.text->bytes);
    if (agent_compare_info(info, a->info, err) < 0)
        return error_wrap(err, "agent %s cannot start with these flags (to start as a new agent, "
                               "remove meta/agent.db)", a->id.text->bytes);
    if (strcmp(boot_id, a->boot_id) != 0)
        log_info("the machine was started again since agent %s ran last", a->id.text->bytes);
    return 0;
}

static int read_framework(void *arg, const Pb__FrameworkInfo *info, const char *pid,
                          struct error *err)
{
    struct agent *a = arg;

    if (!info->id)
        return error_set(err, EUCLEAN, "agent.db is damaged: table frameworks: no id");
    hosted_framework_add(a, info, pid);
    return 0;
}

static int read_run(void *arg, const struct store_run *run, struct error *err)
{
    struct agent *a = arg;
    struct hosted_framework *f = hosted_framework_find(a, run->framework.text->bytes);
    struct hosted_executor *e;

    if (!f) {                           /* the two are stored together, or nothing was begun */
        log_warning("run %s is forgotten: its framework was not stored, so it was never begun",
                    run->id.text->bytes);
        return 0;
    }
    e = hosted_executor_find(f, run->executor.text->bytes);
    if (e)
        return error_set(err, EUCLEAN,
                         "agent.db is damaged: executor %.60s has two runs, %s and %s",
                         run->executor.text->bytes, e->container.text->bytes, run->id.text->bytes);
    e = hosted_executor_add(a, f, run->id, message_create(&run->info->base), run->builtin);
    e->recovered = e->stored = true;
    e->sandbox = mem_strdup(run->sandbox);
    snprintf(e->intent_boot_id, sizeof e->intent_boot_id, "%s", run->boot_id);
    if (executor_peer_parse(&e->peer, run->pid, err) < 0)
        return error_wrap(err, "agent.db is damaged: run %s", run->id.text->bytes);
    return resources_from_protobuf(run->info->resources, run->info->n_resources, &e->resources,
                                   err);
}

static int read_task(void *arg, struct container_id run, const Pb__TaskInfo *task,
                     const char *group, struct error *err)
{
    struct agent *a = arg;
    struct hosted_executor *e = hosted_executor_find_run(a, run);
    CLEANUP(resources_release) struct resources resources = RESOURCES_INIT;
    struct text *together;
    struct hosted_task *t;

    if (!e)                             /* of a run that was never begun */
        return 0;
    if (resources_from_protobuf(task->resources, task->n_resources, &resources, err) < 0)
        return error_wrap(err, "agent.db is damaged: task %.80s", task->task_id->value);
    together = group ? text_create(group) : NULL;
    t = hosted_task_add(e, task, &resources, together);
    text_unref(together);
    t->stored = true;
    t->sent = !e->builtin && e->peer.stored;     /* nothing is sent before that is stored */
    return 0;
}

static int read_update(void *arg, const Pb__StatusUpdate *update, bool acknowledged,
                       struct error *err)
{
    struct agent *a = arg;
    struct hosted_framework *f = hosted_framework_find(a, update->framework_id->value);
    struct hosted_task *t = f ? hosted_task_find(f, update->status->task_id->value) : NULL;

    if (!update->has_uuid || update->uuid.len != UUID_SIZE)
        return error_set(err, EUCLEAN, "agent.db is damaged: an update of task %.80s has no uuid",
                         update->status->task_id->value);
    if (acknowledged && !t)
        return 0;
    status_updates_recover(a, update, acknowledged);
    if (t && !task_state_is_terminal(t->state)) {
        t->state = update->status->state;
        hosted_task_add_status(t, update->status);
    }
    return 0;
}

int agent_recover(struct agent *a, struct error *err)
{
    static const struct store_reader reader = { read_agent, read_framework, read_run, read_task,
                                                read_update };

    return store_recover(a->store, &reader, a, err);
}

/* ---- each run ---- */

/* The terminal update was acknowledged, the task not removed yet. */
static void finish_tasks(struct agent *a, struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks, *next; t; t = next) {
        next = t->hh.next;
        if (task_state_is_terminal(t->state) &&
            !status_updates_finish(a, e->framework->id.text->bytes, t->id.text->bytes))
            hosted_task_complete(a, t);
    }
}

static bool all_tasks_have_ended(const struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (!task_state_is_terminal(t->state))
            return false;
    return true;
}

/* Its run lives and must not. */
static void kill_recovered(struct agent *a, struct hosted_executor *e)
{
    e->state = EXECUTOR_TERMINATING;
    hosted_executor_follow(a, e);
    hosted_executor_kill_run(a, e);
}

static void adopt_custom(struct agent *a, struct hosted_executor *e)
{
    hosted_executor_follow(a, e);
    executor_registration_expect_back(a, e);
}

static void adopt_builtin(struct agent *a, struct hosted_executor *e)
{
    struct error err;

    if (launch_builtin(a, e, e->tasks->state, &err) == 0)
        return;
    hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                          PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED, err.text);
    if (e->has_exit)
        hosted_executor_ended(a, e);
    else
        kill_recovered(a, e);
}

static void end_without_run(struct agent *a, struct hosted_executor *e, Pb__TaskState state,
                            Pb__TaskStatus__Reason reason, const char *message)
{
    hosted_executor_blame(e, state, reason, message);
    hosted_executor_ended(a, e);
}

static void judge(struct agent *a, struct hosted_executor *e, enum run_state state)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)e->framework->info->body;
    bool lives = state == RUN_LIVES;

    if (!info->has_checkpoint || !info->checkpoint)
        hosted_executor_blame(e,
                              hosted_is_partition_aware(e->framework) ? PB__TASK_STATE__TASK_FAILED
                                                                      : PB__TASK_STATE__TASK_LOST,
                              PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED,
                              "The agent was restarted, and the framework does not checkpoint");
    if (lives && (e->has_end_reason || (e->builtin && all_tasks_have_ended(e)))) {
        kill_recovered(a, e);
    } else if (e->has_end_reason || (e->builtin && all_tasks_have_ended(e))) {
        hosted_executor_ended(a, e);
    } else if (e->builtin && (lives || state == RUN_ENDED)) {
        adopt_builtin(a, e);
    } else if (lives) {
        adopt_custom(a, e);
    } else if (state == RUN_NEVER_STARTED) {
        end_without_run(a, e, PB__TASK_STATE__TASK_DROPPED,
                        PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED,
                        "Task launched during agent restart");
    } else if (state == RUN_UNKNOWN) {
        end_without_run(a, e, PB__TASK_STATE__TASK_FAILED,
                        PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED,
                        "The machine was restarted while the task was being launched; it may have "
                        "begun");
    } else if (state == RUN_FAILED) {
        end_without_run(a, e, PB__TASK_STATE__TASK_FAILED,
                        PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED,
                        "The task's supervisor was killed, and the task with it");
    } else {
        end_without_run(a, e, PB__TASK_STATE__TASK_FAILED,
                        PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED,
                        "Executor ended while the agent was down");
    }
}

static void recover_run(struct agent *a, struct hosted_executor *e)
{
    enum run_state state = RUN_FAILED;
    struct error err;

    if (run_inspect(runtime_host(a->runtime), e->run_folder, e->intent_boot_id, &state,
                    &e->started, &e->exit, &err) < 0) {
        log_error("record of run %s cannot be read, its task is given up: %s",
                  e->container.text->bytes, err.text);
        hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                              PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED, err.text);
    }
    e->has_exit = state == RUN_ENDED;
    log_info("run %s of executor %s %s", e->container.text->bytes, e->id.text->bytes,
             state == RUN_LIVES           ? "lives"
             : state == RUN_ENDED         ? "has ended"
             : state == RUN_NEVER_STARTED ? "was never started"
             : state == RUN_UNKNOWN       ? "was cut off by a restart of the machine"
                                          : "has failed");
    finish_tasks(a, e);
    judge(a, e, state);
}

/* ---- the first event ---- */

static void info_stored(struct agent *a UNUSED, struct future *f, struct rewriting *op)
{
    mem_free(op);
    if (future_state(f) == FUTURE_FAILED)
        log_error("agent's new resources or attributes cannot be stored: %s",
                  future_error(f)->text);
}

void agent_recover_runs(struct agent *a)
{
    struct hosted_framework *f, *next_f;
    struct hosted_executor *e, *next;

    if (agent_id_is_empty(&a->id))
        return;
    FINALLY(store_put_agent(a->store, a->info, a->boot_id), info_stored, a,
            (struct rewriting *)mem_alloc(sizeof(struct rewriting)));
    HASH_ITER(hh, a->frameworks, f, next_f) {
        if (!f->executors) {
            hosted_framework_remove(a, f);
            continue;
        }
        HASH_ITER(hh, f->executors, e, next) {
            bool last = !next;

            recover_run(a, e);
            if (last)
                break;
        }
    }
}
