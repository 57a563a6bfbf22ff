/* subscriber.c - the stream of an HTTP scheduler, and its heartbeats */
#include "master/http/subscriber.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/ref.h"
#include "master/master_private.h"
#include "process/host.h"
#include "process/runtime.h"

struct subscriber {
    struct ref ref;
    struct master *master;
    struct http_stream *stream;
    enum scheduler_format format;
    char id[UUID_TEXT];
    bool closed;
    struct timer heartbeat;
};

struct beat {
    struct subscriber *subscriber;
};
static void beat_release(struct beat *b)
{
    subscriber_unref(b->subscriber);
}
CALL(master, subscriber_beat, beat, beat_release);
LAST(master, subscriber_left, subscriber);

static const char *media_type(enum scheduler_format format)
{
    return format == SCHEDULER_JSON ? "application/json" : "application/x-protobuf";
}

struct subscriber *subscriber_create(struct master *m, struct http_request *r,
                                     enum scheduler_format format)
{
    struct subscriber *s = mem_alloc(sizeof *s);
    uint8_t uuid[UUID_SIZE];

    ref_init(&s->ref);
    s->master = m;
    s->format = format;
    host_uuid(runtime_host(m->runtime), uuid);
    host_uuid_format(uuid, s->id);
    http_answer_header(r, "Mesos-Stream-Id", s->id);
    s->stream = http_answer_stream(r, 200, media_type(format));
    FINALLY(http_stream_closed(s->stream), subscriber_left, m, subscriber_ref(s));
    return s;
}

struct subscriber *subscriber_ref(struct subscriber *s)
{
    ref_get(&s->ref);
    return s;
}

void subscriber_unref(struct subscriber *s)
{
    if (!s || !ref_put(&s->ref))
        return;
    http_stream_unref(s->stream);
    mem_free(s);
}

const char *subscriber_id(const struct subscriber *s)
{
    return s->id;
}

static void write_record(struct subscriber *s, const struct buffer *record)
{
    http_stream_write(s->stream, buffer_data(record), buffer_length(record));
}

static void beat(struct subscriber *s)
{
    CLEANUP(buffer_release) struct buffer record = BUFFER_INIT;

    scheduler_events_heartbeat(s->format, &record);
    write_record(s, &record);
    process_cancel(&s->heartbeat);
    s->heartbeat = delay(&s->master->pid, SCHEDULER_HEARTBEAT, subscriber_beat,
                         .subscriber = subscriber_ref(s));
}

static void subscriber_beat(struct master *m, struct beat *b)
{
    (void)m;
    if (!b->subscriber->closed)
        beat(b->subscriber);
}

void subscriber_send(struct subscriber *s, const ProtobufCMessage *msg)
{
    CLEANUP(buffer_release) struct buffer record = BUFFER_INIT;

    if (s->closed)
        return;
    if (!scheduler_events_format(msg, s->format, &record)) {
        log_warning("%s has no event for an HTTP scheduler: dropped", msg->descriptor->name);
        return;
    }
    write_record(s, &record);
    if (msg->descriptor == &pb__framework_registered_message__descriptor ||
        msg->descriptor == &pb__framework_reregistered_message__descriptor)
        beat(s);
}

static void stop(struct subscriber *s)
{
    s->closed = true;
    process_cancel(&s->heartbeat);
}

void subscriber_close(struct subscriber *s)
{
    stop(s);
    http_stream_close(s->stream);
}

/* READY: the client has gone; else we ended it, or the master itself ends. */
static void subscriber_left(struct master *m, struct future *f, struct subscriber *s)
{
    stop(s);
    if (future_state(f) == FUTURE_READY)
        frameworks_left(m, s);
    subscriber_unref(s);
}
