/* http_executor_link.c - how an executor talks HTTP to its agent */
#include "http_executor_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "mesos/recordio.h"
#include "process/host.h"
#include "process/http_parser.h"
#include "process/json_protobuf.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"

enum { READ_BYTES = 16 * 1024, LIMIT = 1 << 20 };

struct connection {
    struct http_executor_link *link;
    struct stream *stream; /* NULL: none */
    bool up;
    struct buffer out, in;
};

struct http_executor_link {
    struct loop *loop;
    struct address agent;
    bool json_calls, json_events;
    struct http_executor_link_events events;
    void *arg;
    struct connection subscription, calls;
    bool streams; /* the head of the subscription's answer is read */
    struct recordio_reader reader;
};

static void close_connection(struct connection *c)
{
    stream_close(c->stream);
    c->stream = NULL;
    c->up = false;
    buffer_release(&c->out);
    buffer_release(&c->in);
}

void http_executor_link_close(struct http_executor_link *l)
{
    close_connection(&l->subscription);
    close_connection(&l->calls);
    recordio_reader_release(&l->reader);
    l->streams = false;
}

static void give_up(struct http_executor_link *l, int status)
{
    http_executor_link_close(l);
    l->events.broken(l->arg, status);
}

/* ---- the stream of events ---- */

static void take_event(struct http_executor_link *l, const char *record, size_t size)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const ProtobufCMessageDescriptor *type = &pb_executor__event__descriptor;
    struct error err;
    ProtobufCMessage *event = l->json_events
                                  ? json_protobuf_parse(type, record, size, &arena, NULL, &err)
                                  : proto_parse(type, record, size, &arena, NULL, &err);

    if (event)
        l->events.event(l->arg, (const PbExecutor__Event *)event);
    else
        give_up(l, 0);
}

static void take_events(struct http_executor_link *l)
{
    const char *record;
    struct error err;
    size_t size;
    int r;

    while (l->streams && (r = recordio_next(&l->reader, &record, &size, &err)) > 0)
        take_event(l, record, size);
    if (l->streams && r < 0)
        give_up(l, 0);
}

/* Whole chunks only; false: there is none yet.  The empty one is the end. */
static bool take_chunk(struct http_executor_link *l)
{
    struct buffer *in = &l->subscription.in;
    char *line = buffer_data(in), *end = strstr(line, "\r\n");
    size_t size, head;

    if (!end)
        return false;
    size = strtoul(line, NULL, 16);
    head = (size_t)(end - line) + 2;
    if (buffer_length(in) < head + size + 2)
        return false;
    recordio_feed(&l->reader, line + head, size);
    buffer_consume(in, head + size + 2);
    if (size == 0)
        give_up(l, 0);
    else
        take_events(l);
    return l->streams;
}

static void take_stream(struct http_executor_link *l)
{
    struct buffer *in = &l->subscription.in;
    const char *end = strstr(buffer_data(in), "\r\n\r\n");
    int status;

    if (!l->streams && end) {
        status = (int)strtol(buffer_data(in) + strlen("HTTP/1.1 "), NULL, 10);
        if (status != 200) {
            give_up(l, status);
            return;
        }
        l->streams = true;
        recordio_reader_init(&l->reader, LIMIT);
        buffer_consume(in, (size_t)(end + 4 - buffer_data(in)));
    }
    while (l->streams && take_chunk(l))
        ;
}

/* ---- answers to calls ---- */

static void take_answers(struct http_executor_link *l)
{
    const struct http_parser_limits limits = { LIMIT, LIMIT, LIMIT };
    struct buffer *in = &l->calls.in;
    enum http_parser_result r = HTTP_PARSER_DONE;
    struct http_parser p;
    int status = 202;

    while (r == HTTP_PARSER_DONE && status == 202 && buffer_length(in) > 0) {
        http_parser_init(&p, HTTP_PARSER_RESPONSE, &limits);
        r = http_parser_run(&p, buffer_data(in), buffer_length(in));
        if (r == HTTP_PARSER_DONE) {
            status = p.response_status;
            buffer_consume(in, p.consumed);
        }
        http_parser_release(&p);
    }
    if (status != 202 || r == HTTP_PARSER_REFUSED)
        give_up(l, status != 202 ? status : 0);
}

/* ---- connections ---- */

static void want(struct connection *c)
{
    if (c->stream)
        stream_want(c->stream, c->up, c->up && buffer_length(&c->out) > 0);
}

static void is_connected(void *arg, const struct error *err)
{
    struct connection *c = arg;

    c->up = !err;
    if (err)
        give_up(c->link, 0);
    else
        want(c);
}

static void is_readable(void *arg)
{
    struct connection *c = arg;
    char bytes[READ_BYTES];
    struct error err;
    ssize_t n = stream_read(c->stream, bytes, sizeof bytes, &err);

    if (n == 0 || (n < 0 && err.code != EAGAIN)) {
        give_up(c->link, 0);
        return;
    }
    if (n < 0)
        return;
    buffer_append(&c->in, bytes, (size_t)n);
    if (c == &c->link->calls)
        take_answers(c->link);
    else
        take_stream(c->link);
}

static void is_writable(void *arg)
{
    struct connection *c = arg;
    struct stream_bytes v = { buffer_data(&c->out), buffer_length(&c->out) };
    struct error err;
    ssize_t n = stream_write(c->stream, &v, 1, &err);

    if (n < 0 && err.code != EAGAIN) {
        give_up(c->link, 0);
        return;
    }
    if (n > 0)
        buffer_consume(&c->out, (size_t)n);
    want(c);
}

static void post(struct connection *c, const PbExecutor__Call *call)
{
    static const struct stream_events events = { is_connected, is_readable, is_writable };
    const struct http_executor_link *l = c->link;
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;
    struct json_writer w;
    char to[ADDRESS_TEXT];

    if (!c->stream)
        c->stream = host_connect(l->loop, l->agent, &events, c);
    if (l->json_calls) {
        json_writer_init(&w, &body);
        json_protobuf_write(&w, &call->base);
    } else {
        proto_pack(&call->base, &body);
    }
    buffer_printf(&c->out,
                  "POST /slave(1)/api/v1/executor HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n"
                  "Accept: %s\r\nContent-Length: %zu\r\n\r\n",
                  address_format(l->agent, to), l->json_calls ? JSON : PROTOBUF,
                  l->json_events ? JSON : PROTOBUF, buffer_length(&body));
    buffer_append(&c->out, buffer_data(&body), buffer_length(&body));
    want(c);
}

void http_executor_link_subscribe(struct http_executor_link *l, const PbExecutor__Call *call)
{
    post(&l->subscription, call);
}

void http_executor_link_call(struct http_executor_link *l, const PbExecutor__Call *call)
{
    post(&l->calls, call);
}

bool http_executor_link_is_open(const struct http_executor_link *l)
{
    return l->subscription.stream != NULL;
}

struct http_executor_link *
http_executor_link_create(struct loop *loop, struct address agent, bool json_calls,
                          bool json_events, const struct http_executor_link_events *events,
                          void *arg)
{
    struct http_executor_link *l = mem_alloc(sizeof *l);

    l->loop = loop;
    l->agent = agent;
    l->json_calls = json_calls;
    l->json_events = json_events;
    l->events = *events;
    l->arg = arg;
    l->subscription.link = l->calls.link = l;
    return l;
}

void http_executor_link_destroy(struct http_executor_link *l)
{
    if (!l)
        return;
    http_executor_link_close(l);
    mem_free(l);
}
