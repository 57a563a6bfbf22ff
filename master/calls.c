/* calls.c - what a scheduler driver says: mesos.scheduler.Call, and its forerunners
 *
 * The classic messages (RegisterFrameworkMessage, LaunchTasksMessage, ...) are
 * the same calls in an older form.  A call of a framework is taken only from
 * the PID that it is subscribed from.
 */
#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "master/master_private.h"
#include "proto/authentication.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

#include <string.h>

#define MESSAGES(ON)                                                                               \
    ON(pb_scheduler__call, PbScheduler__Call, on_call)                                             \
    ON(pb__register_framework_message, Pb__RegisterFrameworkMessage, on_register_framework)        \
    ON(pb__reregister_framework_message, Pb__ReregisterFrameworkMessage, on_reregister_framework)  \
    ON(pb__unregister_framework_message, Pb__UnregisterFrameworkMessage, on_unregister_framework)  \
    ON(pb__deactivate_framework_message, Pb__DeactivateFrameworkMessage, on_deactivate_framework)  \
    ON(pb__resource_request_message, Pb__ResourceRequestMessage, on_resource_request)              \
    ON(pb__launch_tasks_message, Pb__LaunchTasksMessage, on_launch_tasks)                          \
    ON(pb__revive_offers_message, Pb__ReviveOffersMessage, on_revive_offers)                       \
    ON(pb__kill_task_message, Pb__KillTaskMessage, on_kill_task)                                   \
    ON(pb__status_update_acknowledgement_message, Pb__StatusUpdateAcknowledgementMessage,          \
       on_acknowledgement)                                                                         \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, on_framework_message)    \
    ON(pb__reconcile_tasks_message, Pb__ReconcileTasksMessage, on_reconcile_tasks)                 \
    ON(pb__authenticate_message, Pb__AuthenticateMessage, on_authenticate)
HANDLERS(master, calls_handlers, MESSAGES);

void calls_init(struct master *m)
{
    process_install(&m->process, calls_handlers);
}

/* ---- mesos.scheduler.Call ---- */

static const struct pid nobody;

void calls_subscribe(struct master *m, const struct framework_peer *from,
                     const PbScheduler__Call *call)
{
    const struct pid *pid = from->pid ? from->pid : &nobody;
    const PbScheduler__Call__Subscribe *s = call->subscribe;
    const char *outer = call->framework_id ? call->framework_id->value : "";

    const char *inner = s && s->framework_info->id ? s->framework_info->id->value : "";

    if (!s) {
        master_drop(m, "SUBSCRIBE", pid, "it says nothing of a framework");
        return;
    }
    if (*outer && strcmp(outer, inner) != 0) {
        master_drop(m, "SUBSCRIBE", pid,
                    "'framework_id' differs from 'subscribe.framework_info.id'");
        return;
    }
    master_count(m, *inner ? MASTER_MESSAGES_REREGISTER_FRAMEWORK
                           : MASTER_MESSAGES_REGISTER_FRAMEWORK);
    frameworks_subscribe(m, from, s->framework_info, s->has_force && s->force,
                         s->n_suppressed_roles, s->suppressed_roles);
}

static void call_reconcile(struct master *m, struct framework_record *f,
                           const PbScheduler__Call__Reconcile *r)
{
    struct arena arena = ARENA_INIT;
    Pb__TaskStatus **statuses = arena_alloc(&arena, (r->n_tasks + 1) * sizeof *statuses);

    for (size_t i = 0; i < r->n_tasks; i++) {
        statuses[i] = arena_alloc(&arena, sizeof **statuses);
        pb__task_status__init(statuses[i]);
        statuses[i]->task_id = r->tasks[i]->task_id;
        statuses[i]->agent_id = r->tasks[i]->agent_id;
    }
    reconcile_tasks(m, f, r->n_tasks, statuses);
    arena_release(&arena);
}

static void teardown(struct master *m, struct framework_record *f)
{
    master_count(m, MASTER_MESSAGES_UNREGISTER_FRAMEWORK);
    framework_records_remove(m, f, "torn down");
}

#define TYPE(name) PB_SCHEDULER__CALL__TYPE__##name

/* Calls that consist of their body only; true when it was one and had it. */
static bool call_about_tasks(struct master *m, struct framework_record *f,
                             const PbScheduler__Call *c)
{
    if (c->type == TYPE(KILL) && c->kill)
        tasks_kill(m, f, c->kill->task_id, c->kill->agent_id, c->kill->kill_policy);
    else if (c->type == TYPE(SHUTDOWN) && c->shutdown)
        tasks_shutdown_executor(m, f, c->shutdown->agent_id, c->shutdown->executor_id);
    else if (c->type == TYPE(ACKNOWLEDGE) && c->acknowledge)
        tasks_acknowledge(m, f, c->acknowledge->agent_id, c->acknowledge->task_id,
                          &c->acknowledge->uuid);
    else if (c->type == TYPE(RECONCILE) && c->reconcile)
        call_reconcile(m, f, c->reconcile);
    else if (c->type == TYPE(MESSAGE) && c->message)
        tasks_message(m, f, c->message->agent_id, c->message->executor_id, &c->message->data);
    else
        return false;
    return true;
}

/* No agent is ever asked back for maintenance: there are no inverse offers to answer. */
static void call_inverse_offers(const struct framework_record *f, size_t n)
{
    if (n > 0)
        log_warning("framework %s answers %zu inverse offers that are not valid",
                    framework_id_text(&f->id), n);
}

static bool call_about_operations(struct master *m, struct framework_record *f,
                                  const PbScheduler__Call *c)
{
    if (c->type == TYPE(RECONCILE_OPERATIONS) && c->reconcile_operations)
        operations_reconcile(m, f, c->reconcile_operations);
    else if (c->type == TYPE(ACKNOWLEDGE_OPERATION_STATUS) && c->acknowledge_operation_status)
        operations_acknowledge(m, f, c->acknowledge_operation_status);
    else if (c->type == TYPE(ACCEPT_INVERSE_OFFERS) && c->accept_inverse_offers)
        call_inverse_offers(f, c->accept_inverse_offers->n_inverse_offer_ids);
    else if (c->type == TYPE(DECLINE_INVERSE_OFFERS) && c->decline_inverse_offers)
        call_inverse_offers(f, c->decline_inverse_offers->n_inverse_offer_ids);
    else
        return false;
    return true;
}

static bool call_about_offers(struct master *m, struct framework_record *f,
                              const PbScheduler__Call *c)
{
    if (c->type == TYPE(ACCEPT) && c->accept)
        accept_offers(m, f, c->accept->n_offer_ids, c->accept->offer_ids, c->accept->n_operations,
                      c->accept->operations, c->accept->filters);
    else if (c->type == TYPE(DECLINE) && c->decline)
        offers_decline(m, f, c->decline->n_offer_ids, c->decline->offer_ids, c->decline->filters);
    else if (c->type == TYPE(REVIVE))
        frameworks_revive(m, f, c->revive ? c->revive->n_roles : 0,
                          c->revive ? c->revive->roles : NULL);
    else if (c->type == TYPE(SUPPRESS))
        frameworks_suppress(m, f, c->suppress ? c->suppress->n_roles : 0,
                            c->suppress ? c->suppress->roles : NULL);
    else if (c->type == TYPE(REQUEST))
        master_count(m, MASTER_MESSAGES_RESOURCE_REQUEST); /* offers come without it */
    else
        return false;
    return true;
}

void calls_run(struct master *m, struct framework_record *f, const PbScheduler__Call *call)
{
    framework_metrics_call(f, (int)call->type);
    if (call->type == TYPE(TEARDOWN))
        teardown(m, f);
    else if (!call_about_tasks(m, f, call) && !call_about_offers(m, f, call) &&
             !call_about_operations(m, f, call))
        master_drop(m, "mesos.scheduler.Call", &f->pid,
                    "its type is not supported by this master, or its body is missing");
}

static void on_call(struct master *m, const struct pid *from, const PbScheduler__Call *call)
{
    struct framework_record *f;

    if (master_is_deaf(m))
        return;
    if (!call->has_type) {
        master_drop(m, "mesos.scheduler.Call", from, "it has no type that is known here");
        return;
    }
    if (call->type == TYPE(SUBSCRIBE)) {
        calls_subscribe(m, &(struct framework_peer){ .pid = from }, call);
        return;
    }
    f = frameworks_find_sender(m, call->framework_id, from, "mesos.scheduler.Call");
    if (f)
        calls_run(m, f, call);
}

/* ---- the classic messages ---- */

static void on_register_framework(struct master *m, const struct pid *from,
                                  const Pb__RegisterFrameworkMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_REGISTER_FRAMEWORK);
    if (msg->framework->id && *msg->framework->id->value)
        master_drop(m, "RegisterFrameworkMessage", from, "it has a framework id already");
    else
        frameworks_subscribe(m, &(struct framework_peer){ .pid = from }, msg->framework, false, 0,
                             NULL);
}

static void on_reregister_framework(struct master *m, const struct pid *from,
                                    const Pb__ReregisterFrameworkMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_REREGISTER_FRAMEWORK);
    if (!msg->framework->id || !*msg->framework->id->value)
        master_drop(m, "ReregisterFrameworkMessage", from, "it has no framework id");
    else
        frameworks_subscribe(m, &(struct framework_peer){ .pid = from }, msg->framework,
                             msg->failover, 0, NULL);
}

/* Its framework, or NULL when the message is to be dropped. */
static struct framework_record *sender(struct master *m, const Pb__FrameworkID *id,
                                       const struct pid *from, const char *what)
{
    return master_is_deaf(m) ? NULL : frameworks_find_sender(m, id, from, what);
}

static void on_unregister_framework(struct master *m, const struct pid *from,
                                    const Pb__UnregisterFrameworkMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "UnregisterFrameworkMessage");

    if (f)
        teardown(m, f);
}

static void on_deactivate_framework(struct master *m, const struct pid *from,
                                    const Pb__DeactivateFrameworkMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "DeactivateFrameworkMessage");

    if (!f)
        return;
    master_count(m, MASTER_MESSAGES_DEACTIVATE_FRAMEWORK);
    frameworks_deactivate(m, f);
}

static void on_resource_request(struct master *m, const struct pid *from,
                                const Pb__ResourceRequestMessage *msg)
{
    if (sender(m, msg->framework_id, from, "ResourceRequestMessage"))
        master_count(m, MASTER_MESSAGES_RESOURCE_REQUEST);
}

/* Without tasks it declines. */
static void on_launch_tasks(struct master *m, const struct pid *from,
                            const Pb__LaunchTasksMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "LaunchTasksMessage");
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT;
    Pb__Offer__Operation__Launch launch = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__Offer__Operation *const one = &operation;

    if (!f)
        return;
    master_count(m, MASTER_MESSAGES_LAUNCH_TASKS);
    if (msg->n_tasks == 0) {
        offers_decline(m, f, msg->n_offer_ids, msg->offer_ids, msg->filters);
        return;
    }
    launch.n_task_infos = msg->n_tasks;
    launch.task_infos = msg->tasks;
    operation.has_type = true;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launch;
    accept_offers(m, f, msg->n_offer_ids, msg->offer_ids, 1, &one, msg->filters);
}

static void on_revive_offers(struct master *m, const struct pid *from,
                             const Pb__ReviveOffersMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "ReviveOffersMessage");

    if (f)
        frameworks_revive(m, f, msg->n_roles, msg->roles);
}

static void on_kill_task(struct master *m, const struct pid *from, const Pb__KillTaskMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "KillTaskMessage");

    if (f)
        tasks_kill(m, f, msg->task_id, NULL, msg->kill_policy);
}

static void on_acknowledgement(struct master *m, const struct pid *from,
                               const Pb__StatusUpdateAcknowledgementMessage *msg)
{
    struct framework_record *f =
        sender(m, msg->framework_id, from, "StatusUpdateAcknowledgementMessage");

    if (f)
        tasks_acknowledge(m, f, msg->slave_id, msg->task_id, &msg->uuid);
}

static void on_framework_message(struct master *m, const struct pid *from,
                                 const Pb__FrameworkToExecutorMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "FrameworkToExecutorMessage");

    if (f)
        tasks_message(m, f, msg->slave_id, msg->executor_id, &msg->data);
}

static void on_reconcile_tasks(struct master *m, const struct pid *from,
                               const Pb__ReconcileTasksMessage *msg)
{
    struct framework_record *f = sender(m, msg->framework_id, from, "ReconcileTasksMessage");

    if (f)
        reconcile_tasks(m, f, msg->n_statuses, msg->statuses);
}

/* Of agents and drivers that were given credentials. */
static void on_authenticate(struct master *m, const struct pid *from,
                            const Pb__AuthenticateMessage *msg UNUSED)
{
    Pb__AuthenticationErrorMessage answer = PB__AUTHENTICATION_ERROR_MESSAGE__INIT;
    char text[PID_TEXT];

    master_count(m, MASTER_MESSAGES_AUTHENTICATE);
    log_warning("%s wants to be authenticated, which this master does not do",
                pid_text(from, text, sizeof text));
    answer.error = "This master does not authenticate";
    if (!pid_is_empty(from))
        process_send(&m->process, from, &answer.base);
}
