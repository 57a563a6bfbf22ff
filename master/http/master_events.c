/* master_events.c - the operator event stream
 *
 *   SUBSCRIBE -> SUBSCRIBED {the state}, HEARTBEAT; then what happens, and a HEARTBEAT every 15 s
 */
#include "master/http/master_events.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/http/master_operator.h"
#include "mesos/event_stream.h"
#include "proto/master.pb-c.h"

#define HEARTBEAT SECONDS(15)

struct operator_subscriber {
    struct event_stream *stream;
    size_t allowance; /* bytes that may wait: the backlog, and its own SUBSCRIBED */
    struct list link; /* in master->subscribers, the oldest first */
};

/* ---- subscribers ---- */

static void forget(struct master *m, struct operator_subscriber *s)
{
    list_remove(&s->link);
    m->n_subscribers--;
    event_stream_unref(s->stream);
    mem_free(s);
}

static void client_left(struct process *self, struct event_stream *stream)
{
    struct master *m = container_of(self, struct master, process);

    list_each_safe (s, &m->subscribers, struct operator_subscriber, link)
        if (s->stream == stream) {
            log_info("a subscriber of the operator event stream has left");
            forget(m, s);
        }
}

static void drop_slow(struct master *m, struct operator_subscriber *s)
{
    log_warning("a subscriber of the operator event stream does not read: disconnected with %zu "
                "bytes unsent",
                event_stream_backlog(s->stream));
    master_count(m, MASTER_OPERATOR_EVENT_STREAM_DROPPED);
    event_stream_drop(s->stream);
    forget(m, s);
}

static void drop_oldest(struct master *m)
{
    struct operator_subscriber *s =
        list_first(&m->subscribers, struct operator_subscriber, link);

    log_warning("more than %lld subscribers of the operator event stream: the oldest one is "
                "disconnected",
                (long long)m->options.max_operator_event_stream_subscribers);
    master_count(m, MASTER_OPERATOR_EVENT_STREAM_DROPPED);
    event_stream_close(s->stream);
    forget(m, s);
}

/* ---- SUBSCRIBE ---- */

static void send_state(struct master *m, struct operator_subscriber *s)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    CLEANUP(buffer_release) struct buffer record = BUFFER_INIT;
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__Subscribed subscribed = PB_MASTER__EVENT__SUBSCRIBED__INIT;

    subscribed.get_state = master_answers_state(m, &arena);
    subscribed.has_heartbeat_interval_seconds = true;
    subscribed.heartbeat_interval_seconds = duration_seconds(HEARTBEAT);
    event.has_type = true;
    event.type = PB_MASTER__EVENT__TYPE__SUBSCRIBED;
    event.subscribed = &subscribed;
    event_stream_pack(&event.base, event_stream_get_format(s->stream), &record);
    event_stream_write(s->stream, &record);
    s->allowance = buffer_length(&record) + (size_t)m->options.operator_event_stream_backlog;
}

void master_events_subscribe(struct master *m, struct http_request *r,
                             const ProtobufCMessage *none UNUSED)
{
    PbMaster__Event heartbeat = PB_MASTER__EVENT__INIT;
    struct operator_subscriber *s;
    enum event_stream_format format;

    if (!event_stream_negotiate(r, &format))
        return;
    s = mem_alloc(sizeof *s);
    s->stream = event_stream_create(&m->process, r, format, false, client_left);
    list_append(&m->subscribers, &s->link);
    m->n_subscribers++;
    log_info("somebody has subscribed to the operator event stream");
    send_state(m, s);
    heartbeat.has_type = true;
    heartbeat.type = PB_MASTER__EVENT__TYPE__HEARTBEAT;
    event_stream_send(s->stream, &heartbeat.base);
    event_stream_beat(s->stream, HEARTBEAT, &heartbeat.base);
    while ((int64_t)m->n_subscribers > m->options.max_operator_event_stream_subscribers)
        drop_oldest(m);
}

void master_events_release(struct master *m)
{
    list_each_safe (s, &m->subscribers, struct operator_subscriber, link)
        forget(m, s);
}

/* ---- events ---- */

static bool is_wanted(const struct master *m)
{
    return !list_is_empty(&m->subscribers);
}

static void tell(struct master *m, PbMaster__Event *event, PbMaster__Event__Type type)
{
    struct buffer records[] = { [EVENT_STREAM_JSON] = BUFFER_INIT,
                                [EVENT_STREAM_PROTOBUF] = BUFFER_INIT };

    event->has_type = true;
    event->type = type;
    list_each_safe (s, &m->subscribers, struct operator_subscriber, link) {
        enum event_stream_format format = event_stream_get_format(s->stream);
        struct buffer *record = &records[format];

        if (buffer_length(record) == 0)
            event_stream_pack(&event->base, format, record);
        if (event_stream_backlog(s->stream) + buffer_length(record) > s->allowance)
            drop_slow(m, s);
        else
            event_stream_write(s->stream, record);
    }
    buffer_release(&records[EVENT_STREAM_JSON]);
    buffer_release(&records[EVENT_STREAM_PROTOBUF]);
}

void master_events_task_added(struct master *m, const struct task_record *t)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__TaskAdded part = PB_MASTER__EVENT__TASK_ADDED__INIT;

    if (!is_wanted(m))
        return;
    part.task = master_answers_task(t, &arena);
    event.task_added = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__TASK_ADDED);
}

void master_events_task_updated(struct master *m, const struct task_record *t,
                                const Pb__TaskStatus *status, Pb__TaskState state)
{
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__TaskUpdated part = PB_MASTER__EVENT__TASK_UPDATED__INIT;
    Pb__TaskStatus whole = *status;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;

    if (!is_wanted(m))
        return;
    agent.value = agent_id_text(&t->agent_id);
    if (!whole.agent_id)
        whole.agent_id = &agent;
    if (!whole.executor_id && !executor_id_is_empty(&t->executor_id)) {
        executor.value = executor_id_text(&t->executor_id);
        whole.executor_id = &executor;
    }
    part.framework_id = ((const Pb__FrameworkInfo *)t->framework->info->body)->id;
    part.status = &whole;
    part.state = state;
    event.task_updated = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__TASK_UPDATED);
}

void master_events_agent_added(struct master *m, const struct agent_record *a)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__AgentAdded part = PB_MASTER__EVENT__AGENT_ADDED__INIT;

    if (!is_wanted(m))
        return;
    part.agent = master_answers_agent(a, &arena);
    event.agent_added = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__AGENT_ADDED);
}

void master_events_agent_removed(struct master *m, const struct agent_id *id)
{
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__AgentRemoved part = PB_MASTER__EVENT__AGENT_REMOVED__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;

    if (!is_wanted(m))
        return;
    agent.value = agent_id_text(id);
    part.agent_id = &agent;
    event.agent_removed = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__AGENT_REMOVED);
}

void master_events_framework_added(struct master *m, const struct framework_record *f)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__FrameworkAdded part = PB_MASTER__EVENT__FRAMEWORK_ADDED__INIT;

    if (!is_wanted(m))
        return;
    part.framework = master_answers_framework(f, &arena);
    event.framework_added = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__FRAMEWORK_ADDED);
}

void master_events_framework_updated(struct master *m, const struct framework_record *f)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__FrameworkUpdated part = PB_MASTER__EVENT__FRAMEWORK_UPDATED__INIT;

    if (!is_wanted(m))
        return;
    part.framework = master_answers_framework(f, &arena);
    event.framework_updated = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__FRAMEWORK_UPDATED);
}

void master_events_framework_removed(struct master *m, const struct framework_record *f)
{
    PbMaster__Event event = PB_MASTER__EVENT__INIT;
    PbMaster__Event__FrameworkRemoved part = PB_MASTER__EVENT__FRAMEWORK_REMOVED__INIT;

    if (!is_wanted(m))
        return;
    part.framework_info = (Pb__FrameworkInfo *)f->info->body;
    event.framework_removed = &part;
    tell(m, &event, PB_MASTER__EVENT__TYPE__FRAMEWORK_REMOVED);
}
