/* launch_steps.c - from an intent to an executor that registers
 *
 *   the intent is stored → sandbox → URIs → the executor: built-in ones are
 *   actors of ours; custom ones are started by the launcher, and have
 *   executor_registration_timeout to register
 *
 * Between two steps the run may have been killed: then the chain ends where it
 * is, and the run with it, never started.
 */
#include <errno.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/fetcher.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"
#include "mesos/framework_info.h"
#include "process/runtime.h"

struct launch { struct container_id container; };
LAST(agent, intent_stored, launch);
LAST(agent, uris_fetched, launch);
LAST(agent, custom_started, launch);

static struct launch *launch_create(const struct hosted_executor *e)
{
    struct launch *op = mem_alloc(sizeof *op);

    op->container = container_id_dup(&e->container);
    return op;
}

static void launch_destroy(struct launch *op)
{
    container_id_release(&op->container);
    mem_free(op);
}

/* The run, unless it or we have ended. */
static struct hosted_executor *find_run(struct agent *a, struct future *f, struct launch *op)
{
    if (future_state(f) == FUTURE_DISCARDED && !future_has_discard(f))
        return NULL;
    return hosted_executor_find_run(a, op->container);
}

static void fail(struct agent *a, struct hosted_executor *e, const struct error *why)
{
    CLEANUP(mem_free_p) char *message = mem_printf("Failed to launch container: %s", why->text);

    log_warning("run %s of executor %s failed: %s", e->container.text->bytes, e->id.text->bytes,
                why->text);
    agent_metrics_launch_failed(a);
    hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                          PB__TASK_STATUS__REASON__REASON_CONTAINER_LAUNCH_FAILED, message);
    hosted_executor_ended(a, e);
}

void launch_begin(struct agent *a, struct hosted_executor *e, struct future *stored)
{
    FINALLY(stored, intent_stored, a, launch_create(e));
}

/* Nothing was started, nothing is remembered: the tasks are dropped. */
static void drop_run(struct agent *a, struct hosted_executor *e, const struct error *why)
{
    CLEANUP(mem_free_p) char *message =
        mem_printf("The agent cannot write to its database: %s", why->text);
    struct framework_id framework = framework_id_dup(&e->framework->id);
    struct executor_id executor = executor_id_dup(&e->id);
    struct message *info = message_ref(e->framework->info);
    struct refusal r = { .framework = framework.text->bytes, .executor = executor.text->bytes,
                         .info = (const Pb__FrameworkInfo *)info->body,
                         .partition_aware = hosted_is_partition_aware(e->framework),
                         .state = PB__TASK_STATE__TASK_DROPPED,
                         .reason = PB__TASK_STATUS__REASON__REASON_CONTAINER_LAUNCH_FAILED,
                         .message = message };
    struct hosted_task *t, *next;

    log_error("executor %s of framework %s is not launched, the database cannot be written: %s",
              executor.text->bytes, framework.text->bytes, why->text);
    agent_metrics_launch_failed(a);
    e->state = EXECUTOR_TERMINATED;
    future_unref(store_remove_run(a->store, e->container)); /* it may be there nonetheless */
    HASH_ITER(hh, e->tasks, t, next) {
        struct task_id id = task_id_dup(&t->id);
        bool last = HASH_COUNT(e->tasks) == 1;

        hosted_task_complete(a, t);          /* with the last one goes e */
        r.task = id.text->bytes;
        status_updates_refuse(a, &r);
        task_id_release(&id);
        if (last)
            break;
    }
    message_unref(info);
    framework_id_release(&framework);
    executor_id_release(&executor);
}

static void start(struct agent *a, struct hosted_executor *e);

/* The task that it is launched for, or all of its group. */
static void mark_stored(struct hosted_executor *e)
{
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (t == e->tasks || (t->group && e->tasks->group && text_equal(t->group, e->tasks->group)))
            t->stored = true;
}

static void intent_stored(struct agent *a, struct future *f, struct launch *op)
{
    struct hosted_executor *e = find_run(a, f, op);
    const Pb__CommandInfo *command;
    struct error err;

    launch_destroy(op);
    if (!e)
        return;
    if (future_state(f) == FUTURE_FAILED) {
        drop_run(a, e, future_error(f));
        return;
    }
    e->stored = true;
    mark_stored(e);
    if (e->state != EXECUTOR_REGISTERING) {
        hosted_executor_ended(a, e);
        return;
    }
    if (sandbox_create(a, e, &err) < 0) {
        fail(a, e, &err);
        return;
    }
    command = sandbox_command(e);
    if (command->n_uris == 0) {
        start(a, e);
        return;
    }
    struct fetch fetch = { .container_id = e->container.text->bytes, .sandbox = e->sandbox,
                           .program = a->fetcher_program, .user = sandbox_user(a, e),
                           .n_uris = command->n_uris, .uris = command->uris };

    if (fetcher_validate(&fetch, &err) < 0) {
        fail(a, e, &err);
        return;
    }
    e->fetching = fetcher_fetch(a->runtime, &fetch);
    FINALLY(future_ref(e->fetching), uris_fetched, a, launch_create(e));
}

static void uris_fetched(struct agent *a, struct future *f, struct launch *op)
{
    struct hosted_executor *e = find_run(a, f, op);

    launch_destroy(op);
    if (!e)
        return;
    future_unref(e->fetching);
    e->fetching = NULL;
    if (future_state(f) != FUTURE_DISCARDED)
        agent_metrics_fetch(a, future_state(f) == FUTURE_READY);
    if (e->state != EXECUTOR_REGISTERING)
        hosted_executor_ended(a, e);
    else if (future_state(f) == FUTURE_FAILED)
        fail(a, e, future_error(f));
    else if (future_state(f) == FUTURE_READY)
        start(a, e);
}

/* ---- the executor ---- */

int launch_builtin(struct agent *a, struct hosted_executor *e, Pb__TaskState known,
                   struct error *err)
{
    const Pb__FrameworkInfo *framework = (const Pb__FrameworkInfo *)e->framework->info->body;
    struct command_executor_options options = {
        .executor = { .agent = a->process.pid, .framework_id = framework->id->value,
                      .executor_id = e->id.text->bytes, .checkpoint = true,
                      .recovery_timeout = DAYS(36500),
                      /* Within our OS process: it waits for the store as long as it takes. */
                      .shutdown_grace = DAYS(36500) },
        .task_killing_state = framework_info_has(framework, TASK_KILLING_STATE),
        .known_state = known,
    };
    struct command_runner *runner = builtin_runner_create(a, e, err);

    if (!runner)
        return -1;
    e->command = command_executor_create(a->runtime, &options, runner, err);
    if (!e->command)
        return -1;
    process_link(&a->process, command_executor_pid(e->command), LINK_REUSE);
    return 0;
}

static void start_custom(struct agent *a, struct hosted_executor *e)
{
    struct launch_request request;
    struct error err;

    if (sandbox_request(a, e, &request, &err) < 0) {
        fail(a, e, &err);
        return;
    }
    FINALLY(launcher_start(a->launcher, &request), custom_started, a, launch_create(e));
    launch_request_release(&request);
    executor_registration_await(a, e, a->options.executor_registration_timeout);
}

static void start(struct agent *a, struct hosted_executor *e)
{
    struct error err;

    if (!e->builtin)
        start_custom(a, e);
    else if (launch_builtin(a, e, PB__TASK_STATE__TASK_STAGING, &err) < 0)
        fail(a, e, &err);
}

static void custom_started(struct agent *a, struct future *f, struct launch *op)
{
    struct hosted_executor *e = find_run(a, f, op);

    launch_destroy(op);
    if (!e || future_state(f) == FUTURE_DISCARDED)
        return;
    if (future_state(f) == FUTURE_FAILED) {
        fail(a, e, future_error(f));
        return;
    }
    e->started = *run_started_get(f);
    log_info("executor %s of framework %s runs as process %d", e->id.text->bytes,
             e->framework->id.text->bytes, (int)e->started.pid);
    hosted_executor_follow(a, e);
    if (e->kill_run)
        hosted_executor_kill_run(a, e);
}
