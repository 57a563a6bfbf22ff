/* http_connection.c - one accepted connection: requests in (answers out: http_connection_output.c)
 *
 *   readable → bytes → parser → message: deliver, 202 or 404 (http_connection_message.c)
 *                             → message in JSON: queue, and answer when it has been parsed
 *                             → request: queue, (inflate,) route (http_route.c)
 *   at the end → who has not answered yet is told that the client has gone
 *
 * Requests may be pipelined; answers leave in their order.  Not read is a
 * connection that has many requests unanswered, or has sent a message to a
 * process whose mailbox is over the limit: a mark is put into that mailbox,
 * and reading goes on when the mark has come out of it (or died with it), by
 * which time everything before it has been handled.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_connection_private.h"
#include "process/http_gzip.h"
#include "process/wire.h"

enum {
    READ_BYTES = 16 * 1024, /* one read, onto the stack: an idle connection keeps no room for it */
    READS_PER_TURN = 16,
    KEPT_FIELDS = 8,         /* of the head: room for more is given back */
    TAKEN_BYTES = 16 * 1024, /* from here on a request is not copied, if that can be */
    PROGRESS_BYTES = 16 * 1024 /* that a peer must move in a time-out, to be given another */
};

void http_connection_ref(struct http_connection *c)
{
    ref_get(&c->ref);
}

void http_connection_unref(struct http_connection *c)
{
    if (!ref_put(&c->ref))
        return;
    CHECK(!c->stream && list_is_empty(&c->requests));
    buffer_release(&c->in);
    buffer_release(&c->out);
    buffer_release(&c->large);
    http_connection_forget_head(c);
    http_parser_release(&c->parser);
    mem_free(c);
}

/* Those who are about to answer are told, and may: it goes nowhere then. */
void http_connection_close(struct http_connection *c)
{
    if (!c->stream)
        return;
    stream_close(c->stream);
    c->stream = NULL;
    list_remove(&c->link);
    list_remove(&c->waiting);
    http_server_closed(c->shard->server);
    list_each_safe (r, &c->requests, struct http_request, link) {
        if (r->ready)
            http_connection_forget(c, r);
        else
            http_request_ends(r, HTTP_REQUEST_GONE);
    }
    http_connection_unref(c);
}

void http_connection_close_all(struct http_shard *shard)
{
    list_each_safe (c, &shard->connections, struct http_connection, link)
        http_connection_close(c);
}

/* ---- answers of ours ---- */

/* Each status has its own counter: it says which limit it was. */
static void count_refused(struct runtime *rt, int status)
{
    CLEANUP(mem_free_p) char *counter = mem_printf("process/http_requests_refused_%d", status);

    http_server_count(rt, counter);
}

static void refuse(struct http_connection *c, int status, const char *reason)
{
    count_refused(c->shard->runtime, status);
    list_remove(&c->waiting);
    c->refused = c->last = true;
    http_connection_say(c, status, reason, true);
    buffer_release(&c->in);
}

/* ---- what was received ---- */

/* A long message that is all that is kept becomes the request's as it is; NULL: it is
 * to be copied. */
static char *take_bytes(struct http_connection *c, const char *data, size_t size)
{
    if (size < TAKEN_BYTES || data != buffer_data(&c->in) || size != buffer_length(&c->in))
        return NULL;
    return buffer_take(&c->in, NULL);
}

/* ---- bodies that come as gzip: inflated on a helper thread, nothing is parsed meanwhile ---- */

struct inflation {
    struct http_request *request;
    struct http_connection *connection; /* a reference */
    bool worked;
    int status;
    struct error error;
};

static void inflate_body(void *arg)
{
    struct inflation *job = arg;
    struct http_request *r = job->request;
    const struct http_part *body = &r->parser.body;

    job->worked = true;
    job->status = http_gzip_inflate(r->raw + body->at, body->length,
                                    http_connection_options(job->connection)->max_body_bytes,
                                    &r->inflated, &job->error);
}

static void route(struct http_request *r)
{
    if (r->is_message)
        http_connection_deliver_json(r);
    else
        http_route_request(r);
}

static void refuse_body(struct http_request *r, const struct error *err)
{
    int status = err->code == EFBIG ? 413 : 400;

    count_refused(r->runtime, status);
    http_answer_error(r, status, "%s", err->text);
}

static void inflated(void *arg)
{
    struct inflation *job = arg;
    struct http_request *r = job->request;

    if (job->worked && job->status == 0) {
        r->was_inflated = true;
        route(r);
    } else {
        if (job->worked)
            refuse_body(r, &job->error);
        http_request_unref(r);
    }
    http_connection_resume(job->connection);
    mem_free(job);
}

static void inflate_done(void *arg)
{
    struct inflation *job = arg;

    worker_post(job->connection->shard->worker, inflated, job);
}

static void inflate_aside(struct http_connection *c, struct http_request *r)
{
    struct inflation *job = mem_alloc(sizeof *job);

    job->request = r;
    job->connection = c;
    http_connection_ref(c);
    c->paused = true;
    host_async(worker_loop(c->shard->worker), inflate_body, inflate_done, job);
}

static bool comes_as_gzip(const struct http_request *r)
{
    const char *encoding = http_request_header(r, "Content-Encoding");

    return encoding && strcasecmp(encoding, "gzip") == 0 && r->parser.body.length > 0;
}

/* Too many wait for their answers already. */
static void refuse_one_more(struct http_request *r)
{
    http_server_count(r->runtime, "process/http_requests_refused_open");
    http_answer_error(r, 503, NULL);
    http_request_unref(r);
}

static void receive_request(struct http_connection *c, const char *data, bool is_message)
{
    bool close = !c->parser.keep_alive;
    struct http_request *r;
    struct error err;

    if (data[c->parser.path.at] != '/' || c->parser.path.length == 0) {
        http_connection_say(c, 400, "Request URL path must start with '/'", close);
        return;
    }
    r = http_request_create(c->shard->runtime, data, take_bytes(c, data, c->parser.consumed),
                            &c->parser, &err);
    if (!r) {
        count_refused(c->shard->runtime, 400);
        http_connection_say(c, 400, err.text, close);
        return;
    }
    r->peer = stream_peer(c->stream);
    r->is_message = is_message;
    http_connection_enqueue(c, r);
    if (c->shard->n_requests > c->shard->max_requests)
        refuse_one_more(r);
    else if (comes_as_gzip(r))
        inflate_aside(c, r);
    else
        route(r);
}

/* An idle connection keeps no room for many fields. */
static void restart_parser(struct http_connection *c)
{
    struct http_parser_limits limits = c->parser.limits;

    if (c->parser.n_fields <= KEPT_FIELDS) {
        http_parser_restart(&c->parser);
    } else {
        http_parser_release(&c->parser);
        http_parser_init(&c->parser, HTTP_PARSER_REQUEST, &limits);
    }
}

/* What the parser has found at the front of data: its size. */
static size_t receive(struct http_connection *c, const char *data)
{
    size_t size = c->parser.consumed;

    list_remove(&c->waiting);
    c->said_continue = c->begun = false;
    if (!c->parser.keep_alive)
        c->last = true;
    bool is_message = wire_is_message(&c->parser, data);
    if (c->unheard && !is_message) {
        c->last = c->closing = true; /* who asks does not ask any more */
    } else if (is_message && !wire_is_json(&c->parser, data)) {
        http_connection_receive_message(c, data);
    } else {
        receive_request(c, data, is_message);
    }
    restart_parser(c);
    return size;
}

/* ---- reading ---- */

void http_connection_wait(struct http_connection *c)
{
    if (!list_is_empty(&c->waiting))
        return;
    c->waits_since = runtime_now(c->shard->runtime);
    c->progress = 0;
    list_append(&c->shard->waiting, &c->waiting);
    http_server_set_alarm(c->shard);
}

/* A request has begun and is not whole. */
static void wait_for_rest(struct http_connection *c)
{
    if (c->parser.head_done && c->parser.expects_continue && !c->said_continue &&
        http_connection_may_append(c)) {
        c->said_continue = true;
        buffer_append_text(http_connection_output(c), "HTTP/1.1 100 Continue\r\n\r\n");
        http_connection_write_later(c);
    }
    http_connection_wait(c);
}

bool http_connection_may_take(const struct http_connection *c)
{
    return c->stream && !c->closing && !c->paused &&
           c->n_requests < http_connection_options(c)->max_pipelined;
}

/* As many as may be; how many bytes of data need not be kept. */
static size_t take_requests(struct http_connection *c, char *data, size_t size)
{
    size_t taken = 0;

    while (taken < size) {
        taken += http_connection_take_repeats(c, data + taken, size - taken);
        if (taken == size || !http_connection_may_take(c))
            break;
        c->begun = true;
        switch (http_parser_run(&c->parser, data + taken, size - taken)) {
        case HTTP_PARSER_MORE:
            if (c->at_end)
                return size; /* half a request, and no more to come */
            wait_for_rest(c);
            return taken;
        case HTTP_PARSER_REFUSED:
            refuse(c, c->parser.status, c->parser.reason);
            return size;
        case HTTP_PARSER_DONE:
            taken += receive(c, data + taken);
            if (c->last)
                taken = size;
            break;
        }
    }
    /* Of who is to read what is left, the time goes on. */
    if (!http_connection_is_leaving(c) || buffer_length(&c->out) + buffer_length(&c->large) == 0)
        list_remove(&c->waiting);
    return taken;
}

void http_connection_parse(struct http_connection *c)
{
    size_t taken = take_requests(c, buffer_data(&c->in), buffer_length(&c->in));

    if (taken < buffer_length(&c->in))
        buffer_consume(&c->in, taken);
    else
        buffer_release(&c->in); /* an idle connection keeps no memory */
}

void http_connection_resume(void *arg)
{
    struct http_connection *c = arg;

    c->paused = false;
    if (c->stream) {
        http_connection_parse(c);
        http_connection_write_later(c);
    }
    http_connection_unref(c);
}

/* Also behind the last request: only so is it seen that the peer goes. */
bool http_connection_may_read(const struct http_connection *c)
{
    return !c->closing && !c->paused && !c->at_end &&
           (c->last || c->n_requests < http_connection_options(c)->max_pipelined);
}

/* Whole requests are taken from where they were read to; only the rest is kept. */
static void take_input(struct http_connection *c, char *bytes, size_t size)
{
    size_t taken;

    if (c->last)
        return;
    if (c->parser.head_done)
        c->progress += size;
    if (buffer_length(&c->in) > 0) {
        buffer_append(&c->in, bytes, size);
        http_connection_parse(c);
        return;
    }
    taken = take_requests(c, bytes, size);
    buffer_append(&c->in, bytes + taken, size - taken);
}

/* Whoever waits with an answer is told; it may still come, and is written. */
static void peer_ends(struct http_connection *c)
{
    c->at_end = true;
    list_remove(&c->waiting);
    list_each_safe (r, &c->requests, struct http_request, link)
        http_request_ends(r, HTTP_REQUEST_GONE);
}

/* A read that did not fill the room was the last for now: no second one to hear so. */
static void readable(void *arg)
{
    struct http_connection *c = arg;
    struct error err;
    char bytes[READ_BYTES];
    ssize_t n = sizeof bytes;

    for (int i = 0; i < READS_PER_TURN && n == sizeof bytes && http_connection_may_read(c); i++) {
        n = stream_read(c->stream, bytes, sizeof bytes, &err);
        if (n > 0)
            take_input(c, bytes, (size_t)n);
    }
    if (n < 0 && err.code != EAGAIN) {
        http_connection_close(c);
        return;
    }
    if (n == 0)
        peer_ends(c);
    http_connection_write_later(c);
}

static void writable(void *arg)
{
    http_connection_write_later(arg);
}

/* ---- life ---- */

void http_connection_open(struct http_shard *shard, struct stream *stream)
{
    static const struct stream_events events = { NULL, readable, writable };
    const struct runtime_options *o = runtime_get_options(shard->runtime);
    struct http_parser_limits limits = { o->max_head_bytes / 2, o->max_head_bytes,
                                         o->max_body_bytes, o->max_headers };
    struct http_connection *c = mem_alloc(sizeof *c);

    ref_init(&c->ref);
    c->shard = shard;
    c->stream = stream;
    list_init(&c->waiting);
    list_init(&c->writing);
    list_init(&c->requests);
    list_append(&shard->connections, &c->link);
    http_parser_init(&c->parser, HTTP_PARSER_REQUEST, &limits);
    stream_attach(stream, worker_loop(shard->worker), &events, c);
    stream_want(stream, true, false);
}

/* A body that goes on arriving, and an answer that goes on being read, have the
 * time anew: only a head must come as a whole in one time-out. */
static void be_late(struct http_connection *c)
{
    struct runtime *rt = c->shard->runtime;

    list_remove(&c->waiting);
    if (c->progress >= PROGRESS_BYTES) {
        http_connection_wait(c);
    } else if (http_connection_is_leaving(c)) {
        http_server_count(rt, "process/http_connections_not_reading");
        http_connection_close(c);
    } else {
        http_server_count(rt, "process/http_requests_timed_out");
        refuse(c, 408, "The request did not arrive in time");
    }
}

/* Those that began first stand first. */
void http_connection_expire(struct http_shard *shard)
{
    struct runtime *rt = shard->runtime;
    struct duration limit = runtime_get_options(rt)->head_timeout;
    struct http_connection *c;

    while ((c = list_first(&shard->waiting, struct http_connection, waiting))) {
        if (instant_before(runtime_now(rt), instant_add(c->waits_since, limit))) {
            http_server_set_alarm(shard);
            return;
        }
        be_late(c);
    }
}
