/* tasks.c - what happens to tasks between their launch and their end
 *
 * agent -> StatusUpdateMessage -> framework, with the agent's PID: it will be acknowledged
 * framework ACKNOWLEDGE        -> StatusUpdateAcknowledgementMessage -> agent; of a terminal
 *                                 update: the task is removed
 * framework KILL               -> KillTaskMessage -> agent, now and whenever it comes back
 * framework MESSAGE, SHUTDOWN  -> agent; ExecutorToFrameworkMessage -> framework
 *
 * A terminal latest_state frees the resources at once, however many updates of
 * the task are still to be delivered.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "master/master_private.h"
#include "mesos/task_state.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, on_status_update)                       \
    ON(pb__executor_to_framework_message, Pb__ExecutorToFrameworkMessage, on_executor_message)
HANDLERS(master, tasks_handlers, MESSAGES);

void tasks_init(struct master *m)
{
    process_install(&m->process, tasks_handlers);
}

/* ---- updates ---- */

enum { UUID_BYTES = 16 };

static void note_update(struct master *m, struct task_record *t, const Pb__StatusUpdate *update)
{
    Pb__TaskStatus status = *update->status;

    t->has_status_update = true;
    t->status_update_state = update->status->state;
    memcpy(t->status_update_uuid, update->uuid.data, UUID_BYTES);
    if (!status.executor_id)
        status.executor_id = update->executor_id;
    if (!status.has_timestamp) {
        status.has_timestamp = true;
        status.timestamp = update->timestamp;
    }
    task_records_update(m, t, &status,
                        update->has_latest_state ? update->latest_state : status.state);
    if (update->status->has_source && update->status->has_reason)
        master_metrics_count_task(m, update->status->state, update->status->source,
                                  update->status->reason);
}

static bool is_update_valid(const Pb__StatusUpdate *update, const struct framework_record *f)
{
    if (!update->has_uuid || update->uuid.len != UUID_BYTES) {
        log_warning("status update of task %s of framework %s dropped: it has no UUID",
                    update->status->task_id->value, update->framework_id->value);
        return false;
    }
    if (!f)
        log_warning("status update of task %s dropped: framework %s is unknown",
                    update->status->task_id->value, update->framework_id->value);
    return f != NULL;
}

/* The framework has acknowledged an end of this task: it has heard all that there
 * is to hear, and the agent is told so instead. */
static bool acknowledge_again(struct master *m, struct framework_record *f, struct agent_record *a,
                              const Pb__StatusUpdate *update)
{
    const char *id = update->status->task_id->value;
    const struct task_record *t = task_records_find_completed(f, id, agent_id_text(&a->id));
    Pb__StatusUpdateAcknowledgementMessage message =
        PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;

    if (!update->has_uuid || !t || !t->acknowledged || task_records_find(f, id))
        return false;
    log_info("status update %s of task %s of framework %s: its end was acknowledged before",
             task_state_name(update->status->state), id, framework_id_text(&f->id));
    message.slave_id = update->slave_id;
    message.framework_id = update->framework_id;
    message.task_id = update->status->task_id;
    message.uuid = update->uuid;
    process_send(&m->process, &a->pid, &message.base);
    return true;
}

static void on_status_update(struct master *m, const struct pid *from,
                             const Pb__StatusUpdateMessage *msg)
{
    const Pb__StatusUpdate *update = msg->update;

    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_STATUS_UPDATE);
    struct agent_record *a = agents_find_sender(
        m, update->slave_id ? update->slave_id->value : NULL, from, "StatusUpdateMessage");
    struct framework_record *f = frameworks_find_text(m, update->framework_id->value);

    if (!a || !is_update_valid(update, f)) {
        master_count(m, MASTER_INVALID_STATUS_UPDATES);
        return;
    }
    if (acknowledge_again(m, f, a, update))
        return;
    frameworks_send(m, f, &msg->base);
    struct task_record *t = task_records_find(f, update->status->task_id->value);

    if (!t || t->agent != a) { /* a retry: its acknowledgement did not reach the agent */
        log_warning("status update %s of task %s of framework %s: agent %s has no such task here",
                    task_state_name(update->status->state), update->status->task_id->value,
                    framework_id_text(&f->id), agent_id_text(&a->id));
        master_count(m, MASTER_INVALID_STATUS_UPDATES);
        return;
    }
    master_count(m, MASTER_VALID_STATUS_UPDATES);
    note_update(m, t, update);
    if (!msg->pid && task_state_is_terminal(t->state)) /* nobody is to acknowledge it */
        task_records_remove(m, t);
}

void tasks_tell_status(struct master *m, struct framework_record *f, Pb__TaskStatus *status)
{
    Pb__StatusUpdateMessage message = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;

    status->state = task_state_as_told(status->state, f->partition_aware);
    status->has_source = true;
    status->source = PB__TASK_STATUS__SOURCE__SOURCE_MASTER;
    status->has_timestamp = true;
    status->timestamp = instant_seconds(master_wall(m));
    update.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    update.executor_id = status->executor_id;
    update.slave_id = status->agent_id;
    update.status = status;
    update.timestamp = status->timestamp;
    message.update = &update;
    if (status->has_reason)
        master_metrics_count_task(m, status->state, status->source, status->reason);
    log_info("framework %s told that task %s is %s: %s", framework_id_text(&f->id),
             status->task_id->value, task_state_name(status->state), status->message);
    frameworks_send(m, f, &message.base);
}

void tasks_tell(struct master *m, struct framework_record *f, const char *id, const char *agent,
                Pb__TaskState state, Pb__TaskStatus__Reason reason, const char *message)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__AgentID agent_id = PB__AGENT_ID__INIT;

    task_id.value = id;
    agent_id.value = agent;
    status.task_id = &task_id;
    status.agent_id = agent ? &agent_id : NULL;
    status.state = state;
    status.has_reason = true;
    status.reason = reason;
    status.message = message;
    tasks_tell_status(m, f, &status);
}

/* ---- acknowledgements ---- */

/* Why it must not go on to the agent; NULL: it may. */
static const char *refuse_acknowledgement(const struct agent_record *a, const struct task_record *t,
                                          const ProtobufCBinaryData *uuid)
{
    if (uuid->len != UUID_BYTES)
        return "its UUID is none";
    if (!a)
        return "its agent is not registered";
    if (!a->connected)
        return "its agent is disconnected";
    if (t && t->agent == a && !t->has_status_update)
        return "no update of it was sent yet";
    return NULL;
}

void tasks_acknowledge(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                       const Pb__TaskID *task, const ProtobufCBinaryData *uuid)
{
    struct agent_record *a = agents_find_text(m, agent->value);
    struct task_record *t = task_records_find(f, task->value);
    const char *why = refuse_acknowledgement(a, t, uuid);
    Pb__StatusUpdateAcknowledgementMessage message =
        PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;

    master_count(m, MASTER_MESSAGES_STATUS_UPDATE_ACKNOWLEDGEMENT);
    if (why) {
        log_warning("acknowledgement of task %s of framework %s dropped: %s", task->value,
                    framework_id_text(&f->id), why);
        master_count(m, MASTER_INVALID_STATUS_UPDATE_ACKNOWLEDGEMENTS);
        return;
    }
    if (t && t->agent == a && task_state_is_terminal(t->status_update_state) &&
        memcmp(t->status_update_uuid, uuid->data, UUID_BYTES) == 0) {
        t->acknowledged = true;
        task_records_remove(m, t);
    }
    message.slave_id = (Pb__AgentID *)agent;
    message.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    message.task_id = (Pb__TaskID *)task;
    message.uuid = *uuid;
    process_send(&m->process, &a->pid, &message.base);
    master_count(m, MASTER_VALID_STATUS_UPDATE_ACKNOWLEDGEMENTS);
}

/* ---- kills ---- */

static void answer_unknown(struct master *m, struct framework_record *f, const Pb__TaskID *id,
                           const Pb__AgentID *agent)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskStatus *const one = &status;

    status.task_id = (Pb__TaskID *)id;
    status.agent_id = (Pb__AgentID *)agent;
    log_info("task %s of framework %s is unknown and cannot be killed: reconciled", id->value,
             framework_id_text(&f->id));
    reconcile_tasks(m, f, 1, &one);
}

void tasks_kill(struct master *m, struct framework_record *f, const Pb__TaskID *id,
                const Pb__AgentID *agent, const Pb__KillPolicy *policy)
{
    struct task_record *t = task_records_find(f, id->value);
    Pb__KillTaskMessage message = PB__KILL_TASK_MESSAGE__INIT;

    master_count(m, MASTER_MESSAGES_KILL_TASK);
    if (!t) {
        answer_unknown(m, f, id, agent);
        return;
    }
    if (agent && !text_is(t->agent_id.text, agent->value)) {
        log_warning("kill of task %s of framework %s ignored: it is on agent %s, not on %s",
                    id->value, framework_id_text(&f->id), agent_id_text(&t->agent_id),
                    agent->value);
        return;
    }
    message.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    message.task_id = (Pb__TaskID *)id;
    message.kill_policy = (Pb__KillPolicy *)policy;
    message_unref(t->kill);
    t->kill = message_create(&message.base);
    log_info("task %s of framework %s is to be killed on agent %s%s", id->value,
             framework_id_text(&f->id), agent_id_text(&t->agent_id),
             t->agent->connected ? "" : ", when it is back");
    if (t->agent->connected)
        process_send(&m->process, &t->agent->pid, &message.base);
}

/* ---- executors ---- */

void tasks_shutdown_executor(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                             const Pb__ExecutorID *executor)
{
    struct agent_record *a = agents_find_text(m, agent->value);
    struct executor_record *e = a ? executor_records_find(a, f, executor->value) : NULL;
    Pb__ShutdownExecutorMessage message = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;

    if (!e) {
        log_warning("executor %s of framework %s on agent %s is unknown and cannot be shut down",
                    executor->value, framework_id_text(&f->id), agent->value);
        return;
    }
    log_info("executor %s of framework %s on agent %s is to shut down", executor->value,
             framework_id_text(&f->id), agent->value);
    message.executor_id = (Pb__ExecutorID *)executor;
    message.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    process_send(&m->process, &a->pid, &message.base);
}

void tasks_message(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                   const Pb__ExecutorID *executor, const ProtobufCBinaryData *data)
{
    struct agent_record *a = agents_find_text(m, agent->value);
    Pb__FrameworkToExecutorMessage message = PB__FRAMEWORK_TO_EXECUTOR_MESSAGE__INIT;

    master_count(m, MASTER_MESSAGES_FRAMEWORK_TO_EXECUTOR);
    if (!a || !a->connected) {
        log_warning("message of framework %s to executor %s dropped: agent %s is not connected",
                    framework_id_text(&f->id), executor->value, agent->value);
        master_count(m, MASTER_INVALID_FRAMEWORK_TO_EXECUTOR_MESSAGES);
        return;
    }
    message.slave_id = (Pb__AgentID *)agent;
    message.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    message.executor_id = (Pb__ExecutorID *)executor;
    message.data = *data;
    process_send(&m->process, &a->pid, &message.base);
    master_count(m, MASTER_VALID_FRAMEWORK_TO_EXECUTOR_MESSAGES);
}

static void on_executor_message(struct master *m, const struct pid *from,
                                const Pb__ExecutorToFrameworkMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_EXECUTOR_TO_FRAMEWORK);
    struct agent_record *a =
        agents_find_sender(m, msg->slave_id->value, from, "ExecutorToFrameworkMessage");
    struct framework_record *f = frameworks_find_text(m, msg->framework_id->value);

    if (!a || !f || !f->connected) {
        if (a)
            log_warning("message of executor %s dropped: framework %s is not connected",
                        msg->executor_id->value, msg->framework_id->value);
        master_count(m, MASTER_INVALID_EXECUTOR_TO_FRAMEWORK_MESSAGES);
        return;
    }
    frameworks_send(m, f, &msg->base);
    master_count(m, MASTER_VALID_EXECUTOR_TO_FRAMEWORK_MESSAGES);
}
