/* executor_messages.c - what executors have to say
 *
 * StatusUpdateMessage         → made complete → status_updates.c
 * ExecutorToFrameworkMessage  → to the scheduler, best effort
 * FrameworkToExecutorMessage  → to the executor, best effort
 *
 * HTTP executors say the first two by UPDATE and MESSAGE (http/executor_api.c).
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/log.h"
#include "executor/command_executor.h"
#include "process/host.h"
#include "process/runtime.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, on_update)                              \
    ON(pb__executor_to_framework_message, Pb__ExecutorToFrameworkMessage, on_to_framework)         \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, on_to_executor)
HANDLERS(agent, executor_message_handlers, MESSAGES);

void executor_messages_init(struct agent *a)
{
    process_install(&a->process, executor_message_handlers);
}

/* The executor that the message claims to be from, when it is. */
static struct hosted_executor *find_sender(struct agent *a, const Pb__FrameworkID *framework,
                                           const Pb__ExecutorID *executor, const struct pid *from)
{
    struct hosted_framework *f = hosted_framework_find(a, framework->value);
    struct hosted_executor *e = f && executor ? hosted_executor_find(f, executor->value) : NULL;

    return e && executor_peer_is_at(&e->peer, from) ? e : NULL;
}

/* What the executor does not know of itself. */
static void receive_complete(struct agent *a, struct hosted_executor *e,
                             const Pb__StatusUpdate *given)
{
    Pb__StatusUpdate update = *given;
    Pb__TaskStatus status = *given->status;
    Pb__ContainerStatus container_status = PB__CONTAINER_STATUS__INIT;
    Pb__ContainerID container = PB__CONTAINER_ID__INIT;
    Pb__NetworkInfo network = PB__NETWORK_INFO__INIT, *networks[] = { &network };
    Pb__NetworkInfo__IPAddress address = PB__NETWORK_INFO__IPADDRESS__INIT;
    Pb__NetworkInfo__IPAddress *addresses[] = { &address };
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;
    char ip[ADDRESS_TEXT];

    if (!status.container_status) {
        address.ip_address = address_format_ip(a->process.pid.address.ip, ip);
        network.ip_addresses = addresses;
        network.n_ip_addresses = 1;
        container_status.network_infos = networks;
        container_status.n_network_infos = 1;
        container.value = e->container.text->bytes;
        container_status.container_id = &container;
        container_status.has_executor_pid = e->started.pid != 0;
        container_status.executor_pid = (uint32_t)e->started.pid;
        status.container_status = &container_status;
    }
    executor.value = e->id.text->bytes;
    status.executor_id = &executor;
    status.agent_id = a->info->id;
    status.has_source = 1;
    status.source = PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR;
    status.has_uuid = 1;
    status.uuid = update.uuid;
    if (!status.has_timestamp) {
        status.has_timestamp = 1;
        status.timestamp = update.timestamp;
    }
    update.framework_id = ((const Pb__FrameworkInfo *)e->framework->info->body)->id;
    update.executor_id = &executor;
    update.slave_id = a->info->id;
    update.status = &status;
    update.has_latest_state = 0;
    status_updates_receive(a, &update, e);
}

void executor_messages_update(struct agent *a, struct hosted_executor *e,
                              const Pb__StatusUpdate *update)
{
    const char *task = update->status->task_id->value;
    struct hosted_task *t = NULL;
    bool is_its;
    bool valid;

    HASH_FIND(hh, e->tasks, task, strlen(task), t);
    is_its = t || !hosted_task_find(e->framework, task);
    valid = update->has_uuid && update->uuid.len == UUID_SIZE && is_its;
    agent_metrics_update(a, valid);
    if (!valid) {
        log_warning("update of task %.80s by executor %s ignored: %s", task, e->id.text->bytes,
                    is_its ? "it has no uuid" : "another executor has that task");
        return;
    }
    if (update->status->state == PB__TASK_STATE__TASK_STAGING) {
        log_warning("executor %s is told to end: no executor may say TASK_STAGING",
                    e->id.text->bytes);
        hosted_executor_shutdown(a, e);
        return;
    }
    if (e->framework->terminating || !t) {   /* nobody asks for it; the executor may forget it */
        status_updates_acknowledge(a, e, update);
        return;
    }
    receive_complete(a, e, update);
}

static void on_update(struct agent *a, const struct pid *from, const Pb__StatusUpdateMessage *msg)
{
    const Pb__StatusUpdate *update = msg->update;
    struct hosted_executor *e = find_sender(a, update->framework_id, update->executor_id, from);

    if (e) {
        executor_messages_update(a, e, update);
        return;
    }
    agent_metrics_update(a, false);
    log_warning("update of task %.80s ignored: its executor is not known",
                update->status->task_id->value);
}

void executor_messages_forward(struct agent *a, struct hosted_executor *e,
                               const Pb__ExecutorToFrameworkMessage *msg)
{
    const struct pid *to = pid_is_empty(&e->framework->pid) ? &a->master : &e->framework->pid;

    agent_metrics_message(a, true);
    if (a->state == AGENT_RUNNING)
        process_send(&a->process, to, &msg->base);
}

static void on_to_framework(struct agent *a, const struct pid *from,
                            const Pb__ExecutorToFrameworkMessage *msg)
{
    struct hosted_executor *e = find_sender(a, msg->framework_id, msg->executor_id, from);

    if (e)
        executor_messages_forward(a, e, msg);
    else
        agent_metrics_message(a, false);
}

static void on_to_executor(struct agent *a, const struct pid *from UNUSED,
                           const Pb__FrameworkToExecutorMessage *msg)
{
    struct hosted_framework *f = hosted_framework_find(a, msg->framework_id->value);
    struct hosted_executor *e = f ? hosted_executor_find(f, msg->executor_id->value) : NULL;
    bool valid = e && e->state == EXECUTOR_RUNNING;

    agent_metrics_message(a, valid);
    if (valid)
        executor_peer_send(a, e, &msg->base);
}
