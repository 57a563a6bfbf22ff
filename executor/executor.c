/* executor.c - the executor library: registration, tasks, updates until acknowledged
 *
 * executor                                  agent
 *    RegisterExecutorMessage       ->
 *                                  <-  ExecutorRegisteredMessage
 *                                  <-  RunTaskMessage, KillTaskMessage
 *    StatusUpdateMessage           ->
 *                                  <-  StatusUpdateAcknowledgementMessage
 *    (agent restarts)              <-  ReconnectExecutorMessage
 *    ReregisterExecutorMessage     ->  (unacknowledged tasks and updates)
 *                                  <-  ExecutorReregisteredMessage
 *                                  <-  ShutdownExecutorMessage
 *
 * What has no retry of its own is said again after a connection that broke: the
 * registration once a second, tasks and updates with the re-registration.  A
 * task is known by its id from its launch to the acknowledgement of its end; a
 * second launch of it meanwhile is the agent's repetition.
 */
#include "executor/executor.h"

#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/message.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"

struct executor {
    struct process process;
    struct pid pid;                      /* of the process, for those outside */
    struct executor_callbacks callbacks;
    void *arg;

    struct pid agent;
    struct text *framework_id, *executor_id, *agent_id;
    bool checkpoint;
    struct duration recovery_timeout, shutdown_grace;

    bool registered, connected;
    bool shutting_down;                  /* the user was told to end all tasks */
    bool stopping;                       /* the user has: only acknowledgements are awaited */
    struct instant register_until;
    struct launched_task *tasks;         /* uthash, by id */
    struct list updates;                 /* sent, not acknowledged; in order */
    struct timer register_timer, recovery_timer, grace_timer;
};

struct launched_task {
    UT_hash_handle hh;
    struct text *id;
    struct message *info;                /* Pb__TaskInfo; NULL once an update is acknowledged */
};
struct pending_update { struct message *body; struct list link; };   /* Pb__StatusUpdateMessage */

/* After a connection that broke before we were registered.  In the end the agent
 * has given us up (its executor_registration_timeout). */
#define REGISTER_RETRY SECONDS(1)
#define REGISTER_LIMIT MINUTES(1)

#define MESSAGES(ON)                                                                               \
    ON(pb__executor_registered_message, Pb__ExecutorRegisteredMessage, on_registered)              \
    ON(pb__executor_reregistered_message, Pb__ExecutorReregisteredMessage, on_reregistered)        \
    ON(pb__reconnect_executor_message, Pb__ReconnectExecutorMessage, on_reconnect)                 \
    ON(pb__run_task_message, Pb__RunTaskMessage, on_run_task)                                      \
    ON(pb__kill_task_message, Pb__KillTaskMessage, on_kill_task)                                   \
    ON(pb__status_update_acknowledgement_message, Pb__StatusUpdateAcknowledgementMessage,          \
       on_acknowledgement)                                                                         \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, on_framework_message)    \
    ON(pb__shutdown_executor_message, Pb__ShutdownExecutorMessage, on_shutdown)

HANDLERS(executor, executor_handlers, MESSAGES);

CLASS(executor, "executor", executor_initialize, executor_exited, executor_finalize);
CALL(executor, register_again, nothing, NO_RELEASE);
CALL(executor, recovery_timed_out, nothing, NO_RELEASE);
CALL(executor, grace_passed, nothing, NO_RELEASE);

static void arm_grace(struct executor *e);
static void end_if_done(struct executor *e);
static void shut_down(struct executor *e);

/* ---- life ---- */

struct executor *executor_create(struct runtime *rt, const struct executor_options *options,
                                 const struct executor_callbacks *callbacks, void *arg,
                                 struct error *err)
{
    struct executor *e = mem_alloc(sizeof *e);

    e->callbacks = *callbacks;
    e->arg = arg;
    e->agent = pid_dup(&options->agent);
    e->framework_id = text_create(options->framework_id);
    e->executor_id = text_create(options->executor_id);
    e->checkpoint = options->checkpoint;
    e->recovery_timeout = options->recovery_timeout;
    e->shutdown_grace = options->shutdown_grace;
    list_init(&e->updates);
    if (process_spawn(rt, &e->process, &executor_class, NULL, &e->pid, err) < 0) {
        pid_release(&e->agent);
        text_unref(e->framework_id);
        text_unref(e->executor_id);
        mem_free(e);
        return NULL;
    }
    return e;
}

void executor_destroy(struct executor *e)
{
    if (!e)
        return;
    process_terminate(&e->pid, TERMINATE_NOW);
    process_wait(&e->pid, DAYS(1));
    executor_release(e);
}

void executor_release(struct executor *e)
{
    pid_release(&e->pid);
    mem_free(e);
}

struct process *executor_process(struct executor *e)
{
    return &e->process;
}

const struct pid *executor_pid(const struct executor *e)
{
    return &e->pid;
}

static void send_registration(struct executor *e)
{
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__RegisterExecutorMessage msg = PB__REGISTER_EXECUTOR_MESSAGE__INIT;

    framework.value = e->framework_id->bytes;
    executor.value = e->executor_id->bytes;
    msg.framework_id = &framework;
    msg.executor_id = &executor;
    process_link(&e->process, &e->agent, LINK_REUSE);
    process_send(&e->process, &e->agent, &msg.base);
}

static void executor_initialize(struct executor *e)
{
    process_install(&e->process, executor_handlers);
    e->register_until = instant_add(runtime_now(e->process.runtime), REGISTER_LIMIT);
    send_registration(e);
}

static void pending_update_destroy(struct pending_update *u)
{
    list_remove(&u->link);
    message_unref(u->body);
    mem_free(u);
}

static void launched_task_destroy(struct executor *e, struct launched_task *t)
{
    HASH_DEL(e->tasks, t);
    text_unref(t->id);
    message_unref(t->info);
    mem_free(t);
}

static void executor_finalize(struct executor *e)
{
    struct launched_task *t, *next;

    list_each_safe(u, &e->updates, struct pending_update, link)
        pending_update_destroy(u);
    HASH_ITER(hh, e->tasks, t, next)
        launched_task_destroy(e, t);
    process_cancel(&e->register_timer);
    process_cancel(&e->recovery_timer);
    process_cancel(&e->grace_timer);
    pid_release(&e->agent);
    text_unref(e->framework_id);
    text_unref(e->executor_id);
    text_unref(e->agent_id);
}

/* ---- registration, and the agent's absence ---- */

static void on_registered(struct executor *e, const struct pid *from,
                          const Pb__ExecutorRegisteredMessage *msg)
{
    if (!pid_equal(from, &e->agent)) {
        log_warning("executor %s ignores a registration by %s: its agent is another",
                    e->executor_id->bytes, from->id ? from->id->bytes : "nobody");
        return;
    }
    if (e->registered)
        return;                                     /* our first answer was slow: said twice */
    e->registered = e->connected = true;
    process_cancel(&e->register_timer);
    text_unref(e->agent_id);
    e->agent_id = text_create(msg->slave_id->value);
    log_info("executor %s registered with agent %s", e->executor_id->bytes, e->agent_id->bytes);
    if (e->callbacks.registered)
        e->callbacks.registered(e->arg, e, msg->executor_info, msg->framework_info,
                                msg->slave_info);
}

/* The tasks of which no update was acknowledged, and the updates, in their order. */
static void fill_in_unacknowledged(struct executor *e, Pb__ReregisterExecutorMessage *msg,
                                   struct arena *arena)
{
    struct launched_task *t, *next;
    size_t n = 0;

    msg->tasks = arena_alloc(arena, (HASH_COUNT(e->tasks) + 1) * sizeof *msg->tasks);
    HASH_ITER(hh, e->tasks, t, next)
        if (t->info)
            msg->tasks[msg->n_tasks++] = (Pb__TaskInfo *)t->info->body;
    list_each(u, &e->updates, struct pending_update, link)
        n++;
    msg->updates = arena_alloc(arena, (n + 1) * sizeof *msg->updates);
    list_each(u, &e->updates, struct pending_update, link)
        msg->updates[msg->n_updates++] = ((const Pb__StatusUpdateMessage *)u->body->body)->update;
}

static void on_reconnect(struct executor *e, const struct pid *from,
                         const Pb__ReconnectExecutorMessage *msg)
{
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__ReregisterExecutorMessage answer = PB__REREGISTER_EXECUTOR_MESSAGE__INIT;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    if (pid_is_empty(from))
        return;
    if (e->agent_id && !text_is(e->agent_id, msg->slave_id->value)) {
        log_warning("executor %s ignores agent %s: it belongs to agent %s", e->executor_id->bytes,
                    msg->slave_id->value, e->agent_id->bytes);
        return;
    }
    pid_assign(&e->agent, from);
    process_link(&e->process, &e->agent, LINK_RECONNECT);

    framework.value = e->framework_id->bytes;
    executor.value = e->executor_id->bytes;
    answer.framework_id = &framework;
    answer.executor_id = &executor;
    fill_in_unacknowledged(e, &answer, &arena);
    process_send(&e->process, &e->agent, &answer.base);
}

static void on_reregistered(struct executor *e, const struct pid *from,
                            const Pb__ExecutorReregisteredMessage *msg)
{
    if (!pid_equal(from, &e->agent))
        return;
    e->registered = e->connected = true;
    process_cancel(&e->register_timer);
    process_cancel(&e->recovery_timer);
    text_unref(e->agent_id);
    e->agent_id = text_create(msg->slave_id->value);
    log_info("executor %s re-registered with agent %s", e->executor_id->bytes, e->agent_id->bytes);
    if (e->stopping)
        arm_grace(e);
    else if (e->callbacks.reregistered)
        e->callbacks.reregistered(e->arg, e, msg->slave_info);
}

static void register_again(struct executor *e, struct nothing *unused UNUSED)
{
    e->register_timer = (struct timer){ 0 };
    if (!e->registered && !e->stopping)
        send_registration(e);
}

/* Not registered: the agent may not be up yet, or be gone for good. */
static void registration_broke(struct executor *e)
{
    if (e->shutting_down)
        return;
    if (!instant_before(runtime_now(e->process.runtime), e->register_until)) {
        log_info("executor %s shuts down: it could not register with its agent",
                 e->executor_id->bytes);
        shut_down(e);
        return;
    }
    process_cancel(&e->register_timer);
    e->register_timer = delay(&e->process.pid, REGISTER_RETRY, register_again);
}

static void executor_exited(struct executor *e, const struct pid *peer)
{
    if (!pid_equal(peer, &e->agent))
        return;
    if (!e->registered) {
        registration_broke(e);
        return;
    }
    if (!e->connected)
        return;
    e->connected = false;
    if (e->callbacks.disconnected && !e->stopping)
        e->callbacks.disconnected(e->arg, e);
    if (!e->checkpoint) {
        log_info("executor %s shuts down: its agent is gone and the framework does not checkpoint",
                 e->executor_id->bytes);
        shut_down(e);
        return;
    }
    if (!e->shutting_down)
        process_cancel(&e->grace_timer);            /* of a stop: the agent may come back */
    process_cancel(&e->recovery_timer);
    e->recovery_timer = delay(&e->process.pid, e->recovery_timeout, recovery_timed_out);
}

static void recovery_timed_out(struct executor *e, struct nothing *unused UNUSED)
{
    e->recovery_timer = (struct timer){ 0 };
    if (e->connected)
        return;
    log_info("executor %s shuts down: its agent did not come back in time", e->executor_id->bytes);
    shut_down(e);
}

/* ---- tasks ---- */

static struct launched_task *find_task(struct executor *e, const char *id)
{
    struct launched_task *t;

    HASH_FIND_STR(e->tasks, id, t);
    return t;
}

/* What comes when we are ending is not launched: the agent sees our end, and
 * tells about all tasks that have none. */
static void on_run_task(struct executor *e, const struct pid *from UNUSED,
                        const Pb__RunTaskMessage *msg)
{
    const char *id = msg->task->task_id->value;
    struct launched_task *t;
    struct message *info;

    if (e->stopping || e->shutting_down) {
        log_warning("executor %s does not launch task %s: it is ending", e->executor_id->bytes,
                    id);
        return;
    }
    if (find_task(e, id)) {
        log_warning("executor %s ignores a second launch of task %s", e->executor_id->bytes, id);
        return;
    }
    t = mem_alloc(sizeof *t);
    t->id = text_create(id);
    t->info = message_create(&msg->task->base);
    HASH_ADD_KEYPTR(hh, e->tasks, t->id->bytes, t->id->length, t);
    info = message_ref(t->info);
    if (e->callbacks.launch)
        e->callbacks.launch(e->arg, e, (const Pb__TaskInfo *)info->body);
    message_unref(info);
}

static void on_kill_task(struct executor *e, const struct pid *from UNUSED,
                         const Pb__KillTaskMessage *msg)
{
    if (e->callbacks.kill && !e->stopping)
        e->callbacks.kill(e->arg, e, msg->task_id, msg->kill_policy);
}

static void on_framework_message(struct executor *e, const struct pid *from UNUSED,
                                 const Pb__FrameworkToExecutorMessage *msg)
{
    if (e->callbacks.message && !e->stopping)
        e->callbacks.message(e->arg, e, msg->data.data, msg->data.len);
}

/* ---- updates ---- */

static const Pb__StatusUpdate *update_of(const struct pending_update *u)
{
    return ((const Pb__StatusUpdateMessage *)u->body->body)->update;
}

/* What the user left open. */
static void fill_in_status(struct executor *e, Pb__TaskStatus *status, uint8_t uuid[UUID_SIZE])
{
    if (!status->has_uuid) {
        host_uuid(runtime_host(e->process.runtime), uuid);
        status->has_uuid = 1;
        status->uuid = (ProtobufCBinaryData){ UUID_SIZE, uuid };
    }
    if (!status->has_timestamp) {
        status->has_timestamp = 1;
        status->timestamp = instant_seconds(runtime_wall(e->process.runtime));
    }
    status->has_source = 1;
    status->source = PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR;
}

void executor_update(struct executor *e, const Pb__TaskStatus *given)
{
    Pb__TaskStatus status = *given;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    Pb__StatusUpdateMessage msg = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    uint8_t uuid[UUID_SIZE];
    struct pending_update *u;
    char self[PID_TEXT];

    CHECK(process_current() == &e->process);
    framework.value = e->framework_id->bytes;
    executor.value = e->executor_id->bytes;
    fill_in_status(e, &status, uuid);
    if (!status.executor_id)
        status.executor_id = &executor;
    if (e->agent_id) {
        agent.value = e->agent_id->bytes;
        update.slave_id = &agent;
        if (!status.agent_id)
            status.agent_id = &agent;
    }
    update.framework_id = &framework;
    update.executor_id = &executor;
    update.status = &status;
    update.timestamp = status.timestamp;
    update.has_uuid = 1;
    update.uuid = status.uuid;
    msg.update = &update;
    msg.pid = pid_text(&e->process.pid, self, sizeof self);

    u = mem_alloc(sizeof *u);
    u->body = message_create(&msg.base);
    list_append(&e->updates, &u->link);
    process_give(&e->process, &e->agent, message_ref(u->body));
}

/* NULL when it was acknowledged before.  *ret_more: the task has others. */
static struct pending_update *find_update(struct executor *e, const char *task,
                                          const ProtobufCBinaryData *uuid, bool *ret_more)
{
    struct pending_update *found = NULL;

    *ret_more = false;
    list_each(u, &e->updates, struct pending_update, link) {
        const Pb__StatusUpdate *update = update_of(u);

        if (strcmp(update->status->task_id->value, task) != 0)
            continue;
        if (!found && update->uuid.len == uuid->len &&
            memcmp(update->uuid.data, uuid->data, uuid->len) == 0)
            found = u;
        else
            *ret_more = true;
    }
    return found;
}

static void on_acknowledgement(struct executor *e, const struct pid *from UNUSED,
                               const Pb__StatusUpdateAcknowledgementMessage *msg)
{
    const char *id = msg->task_id->value;
    struct launched_task *t = find_task(e, id);
    bool more;
    struct pending_update *u = find_update(e, id, &msg->uuid, &more);

    if (!u)
        return;                                     /* acknowledged twice: after a reconnection */
    if (t && task_state_is_terminal(update_of(u)->status->state)) {
        launched_task_destroy(e, t);
    } else if (t) {
        message_unref(t->info);
        t->info = NULL;
    }
    pending_update_destroy(u);
    if (!more && e->callbacks.acknowledged && !e->stopping)
        e->callbacks.acknowledged(e->arg, e, msg->task_id);
    end_if_done(e);
}

void executor_send(struct executor *e, const void *data, size_t size)
{
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    Pb__ExecutorToFrameworkMessage msg = PB__EXECUTOR_TO_FRAMEWORK_MESSAGE__INIT;

    if (!e->agent_id)
        return;
    agent.value = e->agent_id->bytes;
    framework.value = e->framework_id->bytes;
    executor.value = e->executor_id->bytes;
    msg.slave_id = &agent;
    msg.framework_id = &framework;
    msg.executor_id = &executor;
    msg.data = (ProtobufCBinaryData){ size, (uint8_t *)data };
    process_send(&e->process, &e->agent, &msg.base);
}

/* ---- the end ---- */

static void on_shutdown(struct executor *e, const struct pid *from UNUSED,
                        const Pb__ShutdownExecutorMessage *msg UNUSED)
{
    shut_down(e);
}

static void arm_grace(struct executor *e)
{
    if (e->grace_timer.id == 0)
        e->grace_timer = delay(&e->process.pid, e->shutdown_grace, grace_passed);
}

/* The user ends the tasks and calls executor_stop; after the grace we end anyway.
 * One that has stopped, and has lost its agent for good, has nothing to wait for. */
static void shut_down(struct executor *e)
{
    if (e->shutting_down)
        return;
    e->shutting_down = true;
    if (e->stopping && !e->connected) {
        process_terminate(&e->process.pid, TERMINATE_NOW);
        return;
    }
    arm_grace(e);
    if (e->stopping)
        return;
    if (e->callbacks.shutdown)
        e->callbacks.shutdown(e->arg, e);
    else
        executor_stop(e);
}

static void grace_passed(struct executor *e, struct nothing *unused UNUSED)
{
    process_terminate(&e->process.pid, TERMINATE_NOW);
}

static void end_if_done(struct executor *e)
{
    bool heard = e->connected || e->checkpoint || !e->shutting_down;   /* or will be */

    if (e->stopping && (!heard || list_is_empty(&e->updates)))
        process_terminate(&e->process.pid, TERMINATE_AFTER_QUEUED);
}

/* Who waits for an agent that is away, to tell it the end, waits as long as
 * recovery lasts; the grace begins when it is back. */
void executor_stop(struct executor *e)
{
    CHECK(process_current() == &e->process);
    e->stopping = true;
    if (e->connected || !e->checkpoint || !e->registered)
        arm_grace(e);
    end_if_done(e);
}
