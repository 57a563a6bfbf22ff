/* executor_events.c - classic messages as events of mesos.v1.executor
 *
 * ExecutorRegisteredMessage          -> SUBSCRIBED
 * RunTaskMessage                     -> LAUNCH
 * RunTaskGroupMessage                -> LAUNCH_GROUP
 * KillTaskMessage                    -> KILL
 * StatusUpdateAcknowledgementMessage -> ACKNOWLEDGED
 * FrameworkToExecutorMessage         -> MESSAGE
 * ShutdownExecutorMessage            -> SHUTDOWN
 */
#include "agent/http/executor_events.h"

#include "base/compiler.h"
#include "base/instant.h"
#include "base/log.h"
#include "mesos/event_stream.h"
#include "proto/executor.pb-c.h"
#include "proto/messages.pb-c.h"

/* An event and all of its possible parts; what is in it is borrowed from the message. */
struct draft {
    const char *run;
    PbExecutor__Event event;
    PbExecutor__Event__Subscribed subscribed;
    PbExecutor__Event__Launch launch;
    PbExecutor__Event__LaunchGroup launch_group;
    PbExecutor__Event__Kill kill;
    PbExecutor__Event__Acknowledged acknowledged;
    PbExecutor__Event__Message message;
    Pb__ContainerID container;
};

static void set_type(struct draft *d, PbExecutor__Event__Type type)
{
    d->event.has_type = true;
    d->event.type = type;
}

#define BECOME(d, TYPE, part)                                                                      \
    (set_type((d), PB_EXECUTOR__EVENT__TYPE__##TYPE),                                              \
     pb_executor__event__##part##__init(&(d)->part), (d)->event.part = &(d)->part)

static void from_registered(struct draft *d, const Pb__ExecutorRegisteredMessage *msg)
{
    BECOME(d, SUBSCRIBED, subscribed);
    d->subscribed.executor_info = msg->executor_info;
    d->subscribed.framework_info = msg->framework_info;
    d->subscribed.agent_info = msg->slave_info;
    pb__container_id__init(&d->container);
    d->container.value = d->run;
    d->subscribed.container_id = &d->container;
}

static void from_run_task(struct draft *d, const Pb__RunTaskMessage *msg)
{
    BECOME(d, LAUNCH, launch);
    d->launch.task = msg->task;
}

static void from_run_group(struct draft *d, const Pb__RunTaskGroupMessage *msg)
{
    BECOME(d, LAUNCH_GROUP, launch_group);
    d->launch_group.task_group = msg->task_group;
}

static void from_kill(struct draft *d, const Pb__KillTaskMessage *msg)
{
    BECOME(d, KILL, kill);
    d->kill.task_id = msg->task_id;
    d->kill.kill_policy = msg->kill_policy;
}

static void from_acknowledgement(struct draft *d, const Pb__StatusUpdateAcknowledgementMessage *msg)
{
    BECOME(d, ACKNOWLEDGED, acknowledged);
    d->acknowledged.task_id = msg->task_id;
    d->acknowledged.uuid = msg->uuid;
}

static void from_framework(struct draft *d, const Pb__FrameworkToExecutorMessage *msg)
{
    BECOME(d, MESSAGE, message);
    d->message.data = msg->data;
}

static void from_shutdown(struct draft *d, const Pb__ShutdownExecutorMessage *msg UNUSED)
{
    set_type(d, PB_EXECUTOR__EVENT__TYPE__SHUTDOWN);
}

#define CLASSICS(ON)                                                                               \
    ON(pb__executor_registered_message, Pb__ExecutorRegisteredMessage, from_registered)            \
    ON(pb__run_task_message, Pb__RunTaskMessage, from_run_task)                                    \
    ON(pb__run_task_group_message, Pb__RunTaskGroupMessage, from_run_group)                        \
    ON(pb__kill_task_message, Pb__KillTaskMessage, from_kill)                                      \
    ON(pb__status_update_acknowledgement_message, Pb__StatusUpdateAcknowledgementMessage,          \
       from_acknowledgement)                                                                       \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, from_framework)          \
    ON(pb__shutdown_executor_message, Pb__ShutdownExecutorMessage, from_shutdown)

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

static void begin_heartbeats(struct event_stream *s)
{
    PbExecutor__Event event = PB_EXECUTOR__EVENT__INIT;

    event.has_type = true;
    event.type = PB_EXECUTOR__EVENT__TYPE__HEARTBEAT;
    event_stream_beat(s, EXECUTOR_HEARTBEAT, &event.base);
}

void executor_events_send(struct event_stream *s, const ProtobufCMessage *msg,
                          const char *container)
{
    struct draft d;

    d.run = container;
    pb_executor__event__init(&d.event);
    for (size_t i = 0; i < ARRAY_SIZE(classics); i++)
        if (classics[i].type == msg->descriptor) {
            classics[i].draft(&d, msg);
            event_stream_send(s, &d.event.base);
            if (d.event.subscribed)
                begin_heartbeats(s);
            return;
        }
    log_warning("%s has no event for an HTTP executor: dropped", msg->descriptor->name);
}
