/* launcher_link.c - one connection to the launcher */
#include "agent/launcher_link.h"

#include <errno.h>

#include "agent/launcher_protocol.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/pid.h"
#include "process/runtime.h"

enum { READ_BYTES = 4096 };

struct launcher_link {
    struct runtime *runtime;
    struct loop *loop;
    char *path;
    struct pid owner;
    uint64_t number;
    const struct launcher_link_events *events;
    struct stream *stream;              /* the loop's thread only, like all below */
    bool stands, broken;
    struct buffer in, out;
};

static void broke(struct launcher_link *k, const struct error *why)
{
    if (k->broken)
        return;
    k->broken = true;
    stream_want(k->stream, false, false);
    k->events->broke(&k->owner, k->number, why);
}

static void flush(struct launcher_link *k)
{
    struct error err;

    while (k->stands && !k->broken && buffer_length(&k->out) > 0) {
        struct stream_bytes bytes = { buffer_data(&k->out), buffer_length(&k->out) };
        ssize_t n = stream_write(k->stream, &bytes, 1, &err);

        if (n >= 0)
            buffer_consume(&k->out, (size_t)n);
        else if (err.code == EAGAIN)
            break;
        else
            broke(k, &err);
    }
    if (k->stands && !k->broken)
        stream_want(k->stream, true, buffer_length(&k->out) > 0);
}

static void on_connected(void *arg, const struct error *err)
{
    struct launcher_link *k = arg;

    if (err) {
        broke(k, err);
        return;
    }
    k->stands = true;
    k->events->stands(&k->owner, k->number);
    flush(k);
}

static void take_answers(struct launcher_link *k)
{
    struct launch_answer answer;
    struct error err;
    int got;

    while ((got = launch_answer_unpack(&k->in, &answer, &err)) > 0)
        k->events->answer(&k->owner, k->number, &answer);
    if (got < 0)
        broke(k, &err);
}

static void on_readable(void *arg)
{
    struct launcher_link *k = arg;
    struct error err;
    ssize_t n = stream_read(k->stream, buffer_reserve(&k->in, READ_BYTES), READ_BYTES, &err);

    if (n > 0) {
        buffer_commit(&k->in, (size_t)n);
        take_answers(k);
        return;
    }
    if (n == 0)
        error_set(&err, EPIPE, "it hung up");
    if (n == 0 || err.code != EAGAIN)
        broke(k, &err);
}

static void on_writable(void *arg)
{
    flush(arg);
}

static void open_here(void *arg)
{
    static const struct stream_events events = { on_connected, on_readable, on_writable };
    struct launcher_link *k = arg;

    if (runtime_loop(k->runtime))
        k->stream = host_connect_path(k->loop, k->path, &events, k);
}

void launcher_link_on_loop(struct runtime *rt, struct loop *loop, void (*fn)(void *arg), void *arg)
{
    if (runtime_loop(rt))
        runtime_on_loop(rt, loop, fn, arg);
    else
        fn(arg);
}

struct launcher_link *launcher_link_open(struct runtime *rt, const char *path,
                                         const struct pid *owner, uint64_t number,
                                         const struct launcher_link_events *events)
{
    struct launcher_link *k = mem_alloc(sizeof *k);

    k->runtime = rt;
    k->loop = runtime_loop(rt);
    k->path = mem_strdup(path);
    k->owner = pid_dup(owner);
    k->number = number;
    k->events = events;
    launcher_link_on_loop(rt, k->loop, open_here, k);
    return k;
}

struct sending { struct launcher_link *link; struct buffer frame; };

static void send_here(void *arg)
{
    struct sending *s = arg;

    buffer_append(&s->link->out, buffer_data(&s->frame), buffer_length(&s->frame));
    flush(s->link);
    buffer_release(&s->frame);
    mem_free(s);
}

void launcher_link_send(struct launcher_link *k, const struct launch_request *request)
{
    struct sending *s = mem_alloc(sizeof *s);

    s->link = k;
    launch_request_pack(request, &s->frame);
    launcher_link_on_loop(k->runtime, k->loop, send_here, s);
}

static void close_here(void *arg)
{
    struct launcher_link *k = arg;

    stream_close(k->stream);
    pid_release(&k->owner);
    buffer_release(&k->in);
    buffer_release(&k->out);
    mem_free(k->path);
    mem_free(k);
}

void launcher_link_close(struct launcher_link *k)
{
    if (k)
        launcher_link_on_loop(k->runtime, k->loop, close_here, k);
}
