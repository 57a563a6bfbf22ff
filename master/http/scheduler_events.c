/* scheduler_events.c - classic messages as events of mesos.v1.scheduler
 *
 * FrameworkRegistered-, FrameworkReregisteredMessage -> SUBSCRIBED
 * ResourceOffersMessage                              -> OFFERS, without the agents' PIDs
 * RescindResourceOfferMessage                        -> RESCIND
 * StatusUpdateMessage                                -> UPDATE
 * UpdateOperationStatusMessage                       -> UPDATE_OPERATION_STATUS
 * ExecutorToFrameworkMessage                         -> MESSAGE
 * LostSlaveMessage, ExitedExecutorMessage            -> FAILURE
 * FrameworkErrorMessage                              -> ERROR
 */
#include "master/http/scheduler_events.h"

#include "base/compiler.h"
#include "base/instant.h"
#include "base/log.h"
#include "mesos/event_stream.h"
#include "proto/messages.pb-c.h"
#include "proto/scheduler.pb-c.h"

/* An event and all of its possible parts; what is in it is borrowed from the message. */
struct draft {
    PbSchedulerV1__Event event;
    PbSchedulerV1__Event__Subscribed subscribed;
    PbSchedulerV1__Event__Offers offers;
    PbSchedulerV1__Event__Rescind rescind;
    PbSchedulerV1__Event__Update update;
    PbSchedulerV1__Event__UpdateOperationStatus update_operation_status;
    PbSchedulerV1__Event__Message message;
    PbSchedulerV1__Event__Failure failure;
    PbSchedulerV1__Event__Error error;
    Pb__TaskStatus status;
};

#define BECOME(d, TYPE, part, PART)                                                                \
    ((d)->event.has_type = true, (d)->event.type = PB_SCHEDULER_V1__EVENT__TYPE__##TYPE,           \
     (d)->part = (typeof((d)->part))PB_SCHEDULER_V1__EVENT__##PART##__INIT,                        \
     (d)->event.part = &(d)->part)

static void subscribed(struct draft *d, Pb__FrameworkID *id, Pb__MasterInfo *master)
{
    BECOME(d, SUBSCRIBED, subscribed, SUBSCRIBED);
    d->subscribed.framework_id = id;
    d->subscribed.has_heartbeat_interval_seconds = true;
    d->subscribed.heartbeat_interval_seconds = duration_seconds(SCHEDULER_HEARTBEAT);
    d->subscribed.master_info = master;
}

static void from_registered(struct draft *d, const Pb__FrameworkRegisteredMessage *msg)
{
    subscribed(d, msg->framework_id, msg->master_info);
}

static void from_reregistered(struct draft *d, const Pb__FrameworkReregisteredMessage *msg)
{
    subscribed(d, msg->framework_id, msg->master_info);
}

static void from_offers(struct draft *d, const Pb__ResourceOffersMessage *msg)
{
    BECOME(d, OFFERS, offers, OFFERS);
    d->offers.n_offers = msg->n_offers;
    d->offers.offers = msg->offers;
}

static void from_rescind(struct draft *d, const Pb__RescindResourceOfferMessage *msg)
{
    BECOME(d, RESCIND, rescind, RESCIND);
    d->rescind.offer_id = msg->offer_id;
}

/* What the update says of the status goes into it.  A uuid is there only when somebody, whose
 * PID the message has, waits for its acknowledgement. */
static void from_update(struct draft *d, const Pb__StatusUpdateMessage *msg)
{
    const Pb__StatusUpdate *update = msg->update;

    BECOME(d, UPDATE, update, UPDATE);
    d->status = *update->status;
    d->update.status = &d->status;
    if (update->slave_id)
        d->status.agent_id = update->slave_id;
    if (update->executor_id)
        d->status.executor_id = update->executor_id;
    d->status.has_timestamp = true;
    d->status.timestamp = update->timestamp;
    d->status.has_uuid = update->has_uuid && update->uuid.len > 0 && msg->pid && *msg->pid;
    d->status.uuid = update->uuid;
}

static void from_operation(struct draft *d, const Pb__UpdateOperationStatusMessage *msg)
{
    BECOME(d, UPDATE_OPERATION_STATUS, update_operation_status, UPDATE_OPERATION_STATUS);
    d->update_operation_status.status = msg->status;
}

static void from_executor(struct draft *d, const Pb__ExecutorToFrameworkMessage *msg)
{
    BECOME(d, MESSAGE, message, MESSAGE);
    d->message.agent_id = msg->slave_id;
    d->message.executor_id = msg->executor_id;
    d->message.data = msg->data;
}

static void from_lost(struct draft *d, const Pb__LostSlaveMessage *msg)
{
    BECOME(d, FAILURE, failure, FAILURE);
    d->failure.agent_id = msg->slave_id;
}

static void from_exited(struct draft *d, const Pb__ExitedExecutorMessage *msg)
{
    BECOME(d, FAILURE, failure, FAILURE);
    d->failure.agent_id = msg->slave_id;
    d->failure.executor_id = msg->executor_id;
    d->failure.has_status = true;
    d->failure.status = msg->status;
}

static void from_error(struct draft *d, const Pb__FrameworkErrorMessage *msg)
{
    BECOME(d, ERROR, error, ERROR);
    d->error.message = msg->message;
}

#define CLASSICS(ON)                                                                               \
    ON(pb__framework_registered_message, Pb__FrameworkRegisteredMessage, from_registered)          \
    ON(pb__framework_reregistered_message, Pb__FrameworkReregisteredMessage, from_reregistered)    \
    ON(pb__resource_offers_message, Pb__ResourceOffersMessage, from_offers)                        \
    ON(pb__rescind_resource_offer_message, Pb__RescindResourceOfferMessage, from_rescind)          \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, from_update)                            \
    ON(pb__update_operation_status_message, Pb__UpdateOperationStatusMessage, from_operation)      \
    ON(pb__executor_to_framework_message, Pb__ExecutorToFrameworkMessage, from_executor)           \
    ON(pb__lost_slave_message, Pb__LostSlaveMessage, from_lost)                                    \
    ON(pb__exited_executor_message, Pb__ExitedExecutorMessage, from_exited)                        \
    ON(pb__framework_error_message, Pb__FrameworkErrorMessage, from_error)

#define CLASSIC_THUNK(prefix, Type, fn)                                                            \
    static void fn##__draft(struct draft *d, const ProtobufCMessage *msg)                          \
    {                                                                                              \
        fn(d, (const Type *)msg);                                                                  \
    }
#define CLASSIC_ROW(prefix, Type, fn) { &prefix##__descriptor, fn##__draft },

CLASSICS(CLASSIC_THUNK)

static const struct {
    const ProtobufCMessageDescriptor *type;
    void (*draft)(struct draft *d, const ProtobufCMessage *msg);
} classics[] = { CLASSICS(CLASSIC_ROW) };

/* The first of the heartbeats comes at once. */
static void begin_heartbeats(struct event_stream *s)
{
    PbSchedulerV1__Event event = PB_SCHEDULER_V1__EVENT__INIT;

    event.has_type = true;
    event.type = PB_SCHEDULER_V1__EVENT__TYPE__HEARTBEAT;
    event_stream_send(s, &event.base);
    event_stream_beat(s, SCHEDULER_HEARTBEAT, &event.base);
}

void scheduler_events_send(struct event_stream *s, const ProtobufCMessage *msg)
{
    struct draft d;

    d.event = (PbSchedulerV1__Event)PB_SCHEDULER_V1__EVENT__INIT;
    for (size_t i = 0; i < ARRAY_SIZE(classics); i++)
        if (classics[i].type == msg->descriptor) {
            classics[i].draft(&d, msg);
            event_stream_send(s, &d.event.base);
            if (d.event.subscribed)
                begin_heartbeats(s);
            return;
        }
    log_warning("%s has no event for an HTTP scheduler: dropped", msg->descriptor->name);
}
