/* http_client.c - one GET: an actor that resolves, connects, asks, reads, and goes
 *
 * http_get → spawn → resolve the name → connect on this worker's loop
 *          → write, read, parse on that loop's thread → settle → terminate
 *          ⇢ time-out: hops to that loop, fails, closes, terminates
 *
 * The stream and what belongs to it (struct fetch below the line) are touched
 * on the loop's thread only, and by finalize, which comes after the stream was
 * closed or after the loop has stopped.  A post to the loop holds a reference.
 */
#include "process/http_client.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/ref.h"
#include "process/host.h"
#include "process/http_parser.h"
#include "process/runtime_private.h"

enum { READ_BYTES = 64 * 1024, HEAD_BYTES = 64 * 1024 };

static void response_release(void *value)
{
    struct http_response *r = value;

    mem_free(r->content_type);
    mem_free(r->body);
}

FUTURE_TYPE_DEFINE(http_response, struct http_response, response_release);

struct fetch {
    struct process process;
    struct ref ref;                   /* the actor's, and one for each post under way */
    struct promise *promise;
    char *authority, *host, *path;    /* "a:80", "a", "/x?y" */
    int port;
    size_t max_body;
    struct duration timeout;
    struct timer timer;
    struct worker *worker;            /* whose loop has the stream; set before it exists */

    struct stream *stream;            /* the loop's thread, as all below */
    bool ended;
    struct buffer out, in;
    struct http_parser parser;
};

CLASS(fetch, "http-get", fetch_initialize, fetch_exited, fetch_finalize);

struct resolution { char unused; };
LAST(fetch, resolved, resolution);
CALL(fetch, timed_out, nothing, NO_RELEASE);

/* ---- the URL ---- */

static bool has_forbidden(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '#')
            return true;
    return false;
}

static int parse_port(const char *text, int *ret_port)
{
    int port = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || port > 65535)
            return -1;
        port = port * 10 + (*text - '0');
    }
    if (port == 0 || port > 65535)
        return -1;
    *ret_port = port;
    return 0;
}

/* Fills in authority, host, port and path. */
static int parse_url(struct fetch *f, const char *url, struct error *err)
{
    static const char scheme[] = "http://";
    const char *at, *slash, *colon;

    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return error_set(err, EINVAL, "'%.100s' is no URL that begins with http://", url);
    if (has_forbidden(url))
        return error_set(err, EINVAL, "'%.100s' holds characters that a URL may not hold", url);
    at = url + strlen(scheme);
    slash = at + strcspn(at, "/?");
    f->authority = mem_strndup(at, (size_t)(slash - at));
    f->path = mem_printf("%s%s", *slash == '/' ? "" : "/", slash);
    colon = strrchr(f->authority, ':');
    f->port = 80;
    if (colon && parse_port(colon + 1, &f->port) < 0)
        return error_set(err, EINVAL, "'%.100s' has a port that is none", url);
    f->host = mem_strndup(f->authority, colon ? (size_t)(colon - f->authority)
                                              : strlen(f->authority));
    if (!*f->host || strchr(f->host, '@') || strchr(f->host, ':'))
        return error_set(err, EINVAL, "'%.100s' has no host that could be resolved", url);
    return 0;
}

/* ---- life ---- */

static void fetch_unref(struct fetch *f)
{
    if (!ref_put(&f->ref))
        return;
    promise_unref(f->promise);
    mem_free(f->authority);
    mem_free(f->host);
    mem_free(f->path);
    buffer_release(&f->out);
    buffer_release(&f->in);
    http_parser_release(&f->parser);
    mem_free(f);
}

struct future *http_get(struct runtime *rt, const char *url, size_t max_body,
                        struct duration timeout)
{
    const struct http_parser_limits limits = { HEAD_BYTES, HEAD_BYTES, max_body };
    struct fetch *f = mem_alloc(sizeof *f);
    struct future *future;
    struct error err;

    ref_init(&f->ref);
    f->promise = http_response_promise();
    f->max_body = max_body;
    f->timeout = timeout;
    buffer_init(&f->out);
    buffer_init(&f->in);
    http_parser_init(&f->parser, HTTP_PARSER_RESPONSE, &limits);
    future = promise_future(f->promise);
    if (parse_url(f, url, &err) < 0 ||
        process_spawn(rt, &f->process, &fetch_class, NULL, NULL, &err) < 0) {
        promise_fail_with(f->promise, &err);
        fetch_unref(f);
    }
    return future;
}

static void fetch_initialize(struct fetch *f)
{
    struct text *name = text_format("x@%s:%d", f->host, f->port);

    f->timer = delay(&f->process.pid, f->timeout, timed_out);
    FINALLY(runtime_resolve_pid(f->process.runtime, name->bytes), resolved, f, NULL);
    text_unref(name);
}

static void fetch_exited(struct fetch *f UNUSED, const struct pid *peer UNUSED) {}

static void fetch_finalize(struct fetch *f)
{
    process_cancel(&f->timer);
    stream_close(f->stream); /* open only when the runtime is being destroyed */
    f->stream = NULL;
    f->ended = true;
    fetch_unref(f);
}

/* ---- on the loop's thread ---- */

/* The promise is settled, or will be discarded. */
static void end(struct fetch *f)
{
    f->ended = true;
    stream_close(f->stream);
    f->stream = NULL;
    process_terminate(&f->process.pid, TERMINATE_NOW);
}

static void fail(struct fetch *f, const struct error *err)
{
    promise_fail(f->promise, err->code, "http://%.80s: %s", f->authority, err->text);
    end(f);
}

static void fail_answer(struct fetch *f)
{
    struct error err;

    if (f->parser.status == 413)
        error_set(&err, EMSGSIZE, "the answer is longer than %zu bytes", f->max_body);
    else
        error_set(&err, EPROTO, "the answer is no HTTP: %s",
                  f->parser.reason ? f->parser.reason : "it ends too early");
    fail(f, &err);
}

static void succeed(struct fetch *f)
{
    const char *data = buffer_data(&f->in);
    const struct http_part *type = http_parser_find(&f->parser, data, "Content-Type");
    struct http_response r = { .status = f->parser.response_status,
                               .size = f->parser.body.length };

    r.body = mem_strndup("", 0);
    if (r.size > 0) {
        r.body = mem_realloc(r.body, r.size + 1);
        memcpy(r.body, data + f->parser.body.at, r.size);
        r.body[r.size] = '\0';
    }
    if (type)
        r.content_type = mem_strndup(data + type->at, type->length);
    http_response_set(f->promise, r);
    end(f);
}

static void take(struct fetch *f, enum http_parser_result result)
{
    if (result == HTTP_PARSER_DONE && f->parser.response_status >= 100 &&
        f->parser.response_status < 200 && f->parser.response_status != 101) {
        buffer_consume(&f->in, f->parser.consumed); /* "100 Continue": the answer follows */
        http_parser_restart(&f->parser);
        take(f, http_parser_run(&f->parser, buffer_data(&f->in), buffer_length(&f->in)));
    } else if (result == HTTP_PARSER_DONE) {
        succeed(f);
    } else if (result == HTTP_PARSER_REFUSED) {
        fail_answer(f);
    }
}

static void take_end(struct fetch *f)
{
    enum http_parser_result result = http_parser_end(&f->parser, buffer_length(&f->in));

    if (result == HTTP_PARSER_MORE)
        fail_answer(f);
    else
        take(f, result);
}

static void on_readable(void *arg)
{
    struct fetch *f = arg;
    char *room = buffer_reserve(&f->in, READ_BYTES);
    struct error err;
    ssize_t n = stream_read(f->stream, room, READ_BYTES, &err);

    if (n > 0) {
        buffer_commit(&f->in, (size_t)n);
        take(f, http_parser_run(&f->parser, buffer_data(&f->in), buffer_length(&f->in)));
    } else if (n == 0) {
        take_end(f);
    } else if (err.code != EAGAIN) {
        fail(f, &err);
    }
}

static void on_writable(void *arg)
{
    struct fetch *f = arg;
    struct stream_bytes v = { buffer_data(&f->out), buffer_length(&f->out) };
    struct error err;
    ssize_t n = stream_write(f->stream, &v, 1, &err);

    if (n < 0 && err.code != EAGAIN) {
        fail(f, &err);
        return;
    }
    if (n > 0)
        buffer_consume(&f->out, (size_t)n);
    stream_want(f->stream, true, buffer_length(&f->out) > 0);
}

static void on_connected(void *arg, const struct error *err)
{
    struct fetch *f = arg;

    if (err)
        fail(f, err);
    else
        stream_want(f->stream, true, true);
}

static const struct stream_events events = { on_connected, on_readable, on_writable };

/* ---- in the actor ---- */

static void resolved(struct fetch *f, struct future *address, struct resolution *op)
{
    struct loop *loop;

    (void)op;
    if (f->ended)
        return;
    if (future_state(address) != FUTURE_READY) {
        if (future_state(address) == FUTURE_FAILED)
            fail(f, future_error(address));
        else
            end(f);
        return;
    }
    f->worker = worker_current(f->process.runtime);
    loop = worker_loop(f->worker);
    if (!loop) { /* the runtime is being destroyed */
        end(f);
        return;
    }
    buffer_printf(&f->out,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept: */*\r\n\r\n",
                  f->path, f->authority);
    f->stream = host_connect(loop, ((const struct pid *)future_value(address, &runtime_pid_type))
                                       ->address, &events, f);
}

static void late(void *arg)
{
    struct fetch *f = arg;
    struct error err;

    if (!f->ended) {
        error_set(&err, ETIMEDOUT, "no whole answer within %.3g s", duration_seconds(f->timeout));
        fail(f, &err);
    }
    fetch_unref(f);
}

static void timed_out(struct fetch *f, struct nothing *unused)
{
    (void)unused;
    ref_get(&f->ref);
    if (f->worker)
        worker_post(f->worker, late, f);
    else
        late(f); /* the name is still being resolved */
}
