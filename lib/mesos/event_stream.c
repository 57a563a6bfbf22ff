/* event_stream.c - the stream of a subscriber of a v1 API, and its heartbeats */
#include "mesos/event_stream.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/ref.h"
#include "mesos/mesos_json.h"
#include "mesos/recordio.h"
#include "process/future.h"
#include "process/host.h"
#include "process/http.h"
#include "process/process.h"
#include "process/proto.h"
#include "process/runtime.h"

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"

struct event_stream {
    struct ref ref;
    struct process *owner;
    struct http_stream *stream;
    enum event_stream_format format;
    char id[UUID_TEXT];
    bool closed;
    event_stream_left_f left;
    struct duration interval;
    struct buffer heartbeat; /* its record */
    struct timer timer;
};

bool event_stream_negotiate(struct http_request *r, enum event_stream_format *ret_format)
{
    if (http_accepts(r, JSON))
        *ret_format = EVENT_STREAM_JSON;
    else if (http_accepts(r, PROTOBUF))
        *ret_format = EVENT_STREAM_PROTOBUF;
    else {
        http_answer_error(r, 406, "Expecting 'Accept' to allow '" PROTOBUF "' or '" JSON "'");
        return false;
    }
    return true;
}

/* ---- life ---- */

static void name(struct event_stream *s, struct http_request *r)
{
    uint8_t uuid[UUID_SIZE];

    host_uuid(runtime_host(s->owner->runtime), uuid);
    host_uuid_format(uuid, s->id);
    http_answer_header(r, "Mesos-Stream-Id", s->id);
}

static void stop(struct event_stream *s)
{
    s->closed = true;
    process_cancel(&s->timer);
}

/* READY: the client has gone; else we ended it, or the owner itself ends. */
static void stream_ended(struct process *owner, struct future *closed, void *op)
{
    struct event_stream *s = op;

    stop(s);
    if (future_state(closed) == FUTURE_READY)
        s->left(owner, s);
    event_stream_unref(s);
}

struct event_stream *event_stream_create(struct process *owner, struct http_request *r,
                                         enum event_stream_format format, bool named,
                                         event_stream_left_f left)
{
    struct event_stream *s = mem_alloc(sizeof *s);

    ref_init(&s->ref);
    s->owner = owner;
    s->format = format;
    s->left = left;
    buffer_init(&s->heartbeat);
    if (named)
        name(s, r);
    s->stream = http_answer_stream(r, 200, format == EVENT_STREAM_JSON ? JSON : PROTOBUF);
    future_finally(http_stream_closed(s->stream), owner, stream_ended, event_stream_ref(s));
    return s;
}

struct event_stream *event_stream_ref(struct event_stream *s)
{
    ref_get(&s->ref);
    return s;
}

void event_stream_unref(struct event_stream *s)
{
    if (!s || !ref_put(&s->ref))
        return;
    http_stream_unref(s->stream);
    buffer_release(&s->heartbeat);
    mem_free(s);
}

void event_stream_close(struct event_stream *s)
{
    stop(s);
    http_stream_close(s->stream);
}

size_t event_stream_backlog(const struct event_stream *s)
{
    return http_stream_backlog(s->stream);
}

void event_stream_drop(struct event_stream *s)
{
    stop(s);
    http_stream_drop(s->stream);
}

enum event_stream_format event_stream_get_format(const struct event_stream *s)
{
    return s->format;
}

const char *event_stream_id(const struct event_stream *s)
{
    return s->id;
}

bool event_stream_is_open(const struct event_stream *s)
{
    return !s->closed;
}

/* ---- events ---- */

void event_stream_pack(const ProtobufCMessage *event, enum event_stream_format format,
                       struct buffer *out)
{
    size_t mark = recordio_begin(out);

    if (format == EVENT_STREAM_JSON) {
        struct json_writer w;

        json_writer_init(&w, out);
        mesos_json_write(&w, event);
    } else {
        proto_pack(event, out);
    }
    recordio_end(out, mark);
}

void event_stream_write(struct event_stream *s, const struct buffer *record)
{
    if (!s->closed)
        http_stream_write(s->stream, buffer_data(record), buffer_length(record));
}

void event_stream_send(struct event_stream *s, const ProtobufCMessage *event)
{
    CLEANUP(buffer_release) struct buffer record = BUFFER_INIT;

    if (s->closed)
        return;
    event_stream_pack(event, s->format, &record);
    event_stream_write(s, &record);
}

/* ---- heartbeats ---- */

static void schedule(struct event_stream *s);

static void run_beat(struct process *owner, void *args)
{
    struct event_stream *s = *(struct event_stream **)args;

    (void)owner;
    if (s->closed)
        return;
    event_stream_write(s, &s->heartbeat);
    schedule(s);
}

static void drop_beat(void *args)
{
    event_stream_unref(*(struct event_stream **)args);
}

static void schedule(struct event_stream *s)
{
    struct event_stream *op = event_stream_ref(s);

    s->timer = process_delay(&s->owner->pid, s->interval, run_beat, &op, sizeof op, drop_beat);
}

void event_stream_beat(struct event_stream *s, struct duration interval,
                       const ProtobufCMessage *event)
{
    CHECK(buffer_length(&s->heartbeat) == 0);
    if (s->closed)
        return;
    event_stream_pack(event, s->format, &s->heartbeat);
    s->interval = interval;
    schedule(s);
}
