/* v1_stream.c - HTTP by hand: requests with a length, an answer in chunks */
#include "tests/clients/v1_stream.h"

#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"

enum { PATIENCE_MS = 60000 };

void v1_stream_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("v1_framework: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

void v1_stream_init(struct v1_stream *s, const char *host, const char *port, bool json)
{
    memset(s, 0, sizeof *s);
    s->host = host;
    s->port = port;
    s->json = json;
    s->events = s->calls = -1;
    recordio_reader_init(&s->records, 64 << 20);
}

static void hang_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void v1_stream_close(struct v1_stream *s)
{
    hang_up(&s->events);
    hang_up(&s->calls);
    buffer_release(&s->in);
    recordio_reader_release(&s->records);
}

static int dial(const struct v1_stream *s)
{
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list;
    int fd;

    if (getaddrinfo(s->host, s->port, &hints, &list) != 0)
        v1_stream_fail("no such host: %s", s->host);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) < 0)
        hang_up(&fd);
    freeaddrinfo(list);
    return fd;
}

static bool send_all(int fd, const struct buffer *b)
{
    for (size_t at = 0; at < buffer_length(b);) {
        ssize_t n = send(fd, buffer_data(b) + at, buffer_length(b) - at, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* False: the other side has closed. */
static bool receive(int fd, struct buffer *in)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char bytes[65536];
    ssize_t n;

    if (poll(&p, 1, PATIENCE_MS) == 0)
        v1_stream_fail("nothing came for %d s", PATIENCE_MS / 1000);
    n = recv(fd, bytes, sizeof bytes, 0);
    if (n > 0)
        buffer_append(in, bytes, (size_t)n);
    return n > 0;
}

/* ---- requests ---- */

static bool send_call(struct v1_stream *s, int fd, const PbSchedulerV1__Call *call)
{
    static const char *const types[] = { "application/x-protobuf", "application/json" };
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT, request = BUFFER_INIT;

    if (s->json) {
        struct json_writer w;

        json_writer_init(&w, &body);
        mesos_json_write(&w, &call->base);
    } else {
        proto_pack(&call->base, &body);
    }
    buffer_printf(&request,
                  "POST /api/v1/scheduler HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: %s\r\n"
                  "Accept: %s\r\n",
                  s->host, s->port, types[s->json], types[s->json]);
    if (call->type != PB_SCHEDULER_V1__CALL__TYPE__SUBSCRIBE)
        buffer_printf(&request, "Mesos-Stream-Id: %s\r\n", s->id);
    buffer_printf(&request, "Content-Length: %zu\r\n\r\n", buffer_length(&body));
    buffer_append(&request, buffer_data(&body), buffer_length(&body));
    return send_all(fd, &request);
}

/* Where the head ends, 0 while it has not. */
static size_t head_length(const struct buffer *in)
{
    const char *end = memmem(buffer_data(in), buffer_length(in), "\r\n\r\n", 4);

    return end ? (size_t)(end - buffer_data(in)) + 4 : 0;
}

/* Reads up to the end of the head, and gives its status; 0: the connection broke. */
static int read_head(int fd, struct buffer *in, size_t *ret_head)
{
    while ((*ret_head = head_length(in)) == 0)
        if (!receive(fd, in))
            return 0;
    return (int)strtol(buffer_data(in) + strlen("HTTP/1.1 "), NULL, 10);
}

/* The value of a header, up to the end of its line; NULL: it is not there. */
static const char *find_header(const struct buffer *in, size_t head, const char *name)
{
    const char *data = buffer_data(in), *line = data;

    while ((line = memmem(line, head - (size_t)(line - data), "\r\n", 2))) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            return line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " ");
    }
    return NULL;
}

bool v1_stream_subscribe(struct v1_stream *s, const PbSchedulerV1__Call *call)
{
    const char *id;
    size_t head;

    hang_up(&s->events);
    hang_up(&s->calls);
    buffer_clear(&s->in);
    recordio_reader_release(&s->records);
    recordio_reader_init(&s->records, 64 << 20);
    s->events = dial(s);
    s->calls = s->events < 0 ? -1 : dial(s);
    if (s->calls < 0 || !send_call(s, s->events, call) ||
        read_head(s->events, &s->in, &head) != 200)
        return false;
    id = find_header(&s->in, head, "Mesos-Stream-Id");
    if (!id)
        v1_stream_fail("the answer has no Mesos-Stream-Id");
    snprintf(s->id, sizeof s->id, "%.*s", (int)strcspn(id, "\r"), id);
    buffer_consume(&s->in, head);
    return true;
}

int v1_stream_call(struct v1_stream *s, const PbSchedulerV1__Call *call)
{
    CLEANUP(buffer_release) struct buffer in = BUFFER_INIT;
    const char *length;
    size_t head;
    int status;

    if (s->calls < 0 || !send_call(s, s->calls, call))
        return 0;
    status = read_head(s->calls, &in, &head);
    if (status == 0)
        return 0;
    length = find_header(&in, head, "Content-Length");
    for (size_t body = length ? strtoul(length, NULL, 10) : 0; buffer_length(&in) < head + body;)
        if (!receive(s->calls, &in))
            return 0;
    if (status >= 300)
        fprintf(stderr, "v1_framework: answered %d: %s\n", status, buffer_data(&in) + head);
    return status;
}

/* ---- events ---- */

/* The next chunk goes to the records: 1; 0: more bytes are needed; -1: it was the last one. */
static int take_chunk(struct v1_stream *s)
{
    const char *data = buffer_data(&s->in), *line = memmem(data, buffer_length(&s->in), "\r\n", 2);
    size_t size, skip;

    if (!line)
        return 0;
    size = strtoul(data, NULL, 16);
    skip = (size_t)(line - data) + 2;
    if (buffer_length(&s->in) < skip + size + 2)
        return 0;
    recordio_feed(&s->records, data + skip, size);
    buffer_consume(&s->in, skip + size + 2);
    return size > 0 ? 1 : -1;
}

static const PbSchedulerV1__Event *parse(const struct v1_stream *s, const char *record, size_t size,
                                         struct arena *arena)
{
    const ProtobufCMessageDescriptor *type = &pb_scheduler_v1__event__descriptor;
    struct error err;
    ProtobufCMessage *event =
        s->json ? json_protobuf_parse(type, record, size, arena, NULL, &err)
                : proto_parse(type, record, size, arena, NULL, &err);

    if (!event)
        v1_stream_fail("an event cannot be read: %s", err.text);
    return (const PbSchedulerV1__Event *)event;
}

const PbSchedulerV1__Event *v1_stream_next(struct v1_stream *s, struct arena *arena)
{
    const char *record;
    struct error err;
    size_t size;

    for (;;) {
        int found = recordio_next(&s->records, &record, &size, &err);

        if (found > 0)
            return parse(s, record, size, arena);
        if (found < 0)
            v1_stream_fail("the stream is no RecordIO: %s", err.text);
        found = take_chunk(s);
        if (found < 0 || (found == 0 && !receive(s->events, &s->in)))
            return NULL;
    }
}

bool v1_stream_has(struct v1_stream *s, int milliseconds)
{
    struct pollfd p = { .fd = s->events, .events = POLLIN };

    return buffer_length(&s->in) > 0 || poll(&p, 1, milliseconds) > 0;
}
