/* http_connection.c - one accepted connection: requests in, answers out
 *
 *   readable → bytes → parser → message: deliver, 202 or 404
 *                             → request: queue, route (http_route.c)
 *   answered → at the end of the turn: what is ready at the head of the queue
 *              is written in one go
 *
 * Requests may be pipelined; answers leave in their order.  Not read is a
 * connection that has many requests unanswered, or has sent a message to a
 * process whose mailbox is over the limit: a mark is put into that mailbox,
 * and reading goes on when the mark has come out of it (or died with it), by
 * which time everything before it has been handled.
 */
#include "process/http_connection.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime_private.h"
#include "process/wire.h"

enum {
    READ_BYTES = 16 * 1024, /* room that is made for a read */
    READS_PER_TURN = 16,
    MAX_PIPELINED = 128,    /* unanswered requests before reading stops */
    COPY_BYTES = 16 * 1024, /* bodies up to this are copied behind their heads */
    DISCARDED_READS = 16    /* of what an erring peer has sent, before the close */
};

struct http_connection {
    struct ref ref;
    struct http_shard *shard;
    struct stream *stream; /* NULL: closed */
    struct list link;      /* shard->connections */
    struct list waiting;   /* shard->waiting while a request is incomplete */
    struct instant waits_since;
    struct turn_hook hook;
    bool hooked;

    struct buffer in;
    struct http_parser parser;
    bool at_end;  /* the peer sends nothing more */
    bool closing; /* we read nothing more; closed when all is written */
    bool refused; /* ... because of what the peer has sent */
    bool paused;  /* until a mailbox has been emptied */
    bool said_continue;

    struct list requests;     /* in order of arrival */
    size_t n_requests, held;  /* held: bytes of bodies that are ready, not yet below */
    struct buffer out, large; /* large: a body that is written from where it is */
};

static const struct runtime_options *options_of(const struct http_connection *c)
{
    return runtime_get_options(c->shard->runtime);
}

static void connection_ref(struct http_connection *c)
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
    http_parser_release(&c->parser);
    mem_free(c);
}

static void request_forget(struct http_connection *c, struct http_request *r)
{
    list_remove(&r->link);
    c->n_requests--;
    http_request_drop_memory(r);
}

void http_connection_close(struct http_connection *c)
{
    if (!c->stream)
        return;
    stream_close(c->stream);
    c->stream = NULL;
    list_remove(&c->link);
    list_remove(&c->waiting);
    http_server_closed(c->shard->server);
    list_each_safe (r, &c->requests, struct http_request, link)
        if (r->ready)
            request_forget(c, r);
    http_connection_unref(c);
}

void http_connection_close_all(struct http_shard *shard)
{
    list_each_safe (c, &shard->connections, struct http_connection, link)
        http_connection_close(c);
}

/* ---- writing ---- */

static void turn_ends(struct turn_hook *hook);

static void write_at_turn_end(struct http_connection *c)
{
    if (c->hooked || !c->stream)
        return;
    c->hooked = true;
    connection_ref(c);
    worker_at_turn_end(c->shard->worker, &c->hook);
}

/* One answer behind what is to be written. */
static void put_answer(struct http_connection *c, struct http_request *r)
{
    http_format_head(&c->out, r, http_server_date(c->shard));
    c->held -= buffer_length(&r->body);
    if (!r->without_body) {
        if (buffer_length(&r->body) > COPY_BYTES) {
            c->large = r->body;
            buffer_init(&r->body);
        } else {
            buffer_append(&c->out, buffer_data(&r->body), buffer_length(&r->body));
        }
    }
    if (r->close)
        c->closing = true;
    request_forget(c, r);
}

/* Behind an answer that closes nothing more is said. */
static void take_ready(struct http_connection *c)
{
    struct http_request *r;

    while (buffer_length(&c->large) == 0 &&
           (r = list_first(&c->requests, struct http_request, link)) && r->ready) {
        bool last = r->close;
        put_answer(c, r);
        if (last) {
            list_each_safe (rest, &c->requests, struct http_request, link)
                if (rest->ready)
                    request_forget(c, rest);
            break;
        }
    }
}

static void consume_written(struct http_connection *c, size_t written)
{
    size_t first = buffer_length(&c->out) < written ? buffer_length(&c->out) : written;

    buffer_consume(&c->out, first);
    buffer_consume(&c->large, written - first);
    if (buffer_length(&c->large) == 0)
        buffer_release(&c->large);
}

static size_t unsent(const struct http_connection *c)
{
    return buffer_length(&c->out) + buffer_length(&c->large) + c->held;
}

/* False when the connection is closed. */
static bool write_ready(struct http_connection *c)
{
    struct error err;

    for (;;) {
        take_ready(c);
        struct stream_bytes v[] = { { buffer_data(&c->out), buffer_length(&c->out) },
                                    { buffer_data(&c->large), buffer_length(&c->large) } };
        if (v[0].size + v[1].size == 0)
            break;
        ssize_t n = stream_write(c->stream, v, v[1].size ? 2 : 1, &err);
        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0) {
            http_connection_close(c);
            return false;
        }
        consume_written(c, (size_t)n);
    }
    if (buffer_length(&c->out) == 0)
        buffer_release(&c->out);
    if (unsent(c) > options_of(c)->max_output_bytes) {
        char peer[ADDRESS_TEXT];
        log_warning("connection from %s closed: it does not read our answers",
                    address_format(stream_peer(c->stream), peer));
        http_server_count(c->shard->runtime, "process/http_connections_not_reading");
        http_connection_close(c);
        return false;
    }
    return true;
}

/* What is still unread would make the kernel answer the close with a reset,
 * which may overtake our answer: read what is there, but not for ever. */
static void discard_input(struct http_connection *c)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < DISCARDED_READS; i++)
        if (stream_read(c->stream, bytes, sizeof bytes, NULL) <= 0)
            return;
}

static bool may_read(const struct http_connection *c)
{
    return !c->closing && !c->paused && !c->at_end && c->n_requests < MAX_PIPELINED;
}

/* After writing: close, or wait for what may come. */
static void settle(struct http_connection *c)
{
    bool empty = unsent(c) == 0;

    if (empty && (c->closing || (c->at_end && !c->paused && c->n_requests == 0))) {
        if (c->refused)
            discard_input(c);
        http_connection_close(c);
        return;
    }
    stream_want(c->stream, may_read(c), buffer_length(&c->out) + buffer_length(&c->large) > 0);
}

static void parse_input(struct http_connection *c);

static void turn_ends(struct turn_hook *hook)
{
    struct http_connection *c = container_of(hook, struct http_connection, hook);

    c->hooked = false;
    if (c->stream && write_ready(c)) {
        parse_input(c); /* requests that waited for the queue to become shorter */
        settle(c);
    }
    http_connection_unref(c);
}

/* ---- answers of ours, and of others ---- */

static void enqueue(struct http_connection *c, struct http_request *r)
{
    connection_ref(c);
    r->connection = c;
    list_append(&c->requests, &r->link);
    c->n_requests++;
    c->held += r->ready ? buffer_length(&r->body) : 0;
}

/* Nothing is before it: what is appended to `out` stands in its place. */
static bool may_write_directly(const struct http_connection *c)
{
    return c->n_requests == 0 && buffer_length(&c->large) == 0;
}

/* In its place among the answers. */
static void say(struct http_connection *c, int status, const char *text, bool close)
{
    struct http_request *r = http_request_canned(
        c->shard->runtime, status, text ? HTTP_TEXT_PLAIN : NULL, text, text ? strlen(text) : 0);

    r->close = close;
    r->keep_alive_1_0 = !close && c->parser.minor == 0 && c->parser.head_done;
    enqueue(c, r);
    http_request_drop_memory(r); /* there are no hands */
    write_at_turn_end(c);
}

static void say_standard(struct http_connection *c, int status, bool close)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;

    http_standard_body(status, &body);
    say(c, status, buffer_data(&body), close);
}

static void refuse(struct http_connection *c, int status, const char *reason)
{
    list_remove(&c->waiting);
    c->refused = true;
    say(c, status, reason, true);
    c->at_end = true;
    buffer_release(&c->in);
}

static void answer_arrived(void *arg)
{
    struct http_request *r = arg;
    struct http_connection *c = r->connection;

    r->ready = true;
    if (!c->stream) {
        request_forget(c, r);
    } else {
        c->held += buffer_length(&r->body);
        write_at_turn_end(c);
    }
    http_request_drop_memory(r);
}

void http_connection_answered(struct http_request *r)
{
    struct worker *worker = r->connection->shard->worker;

    ref_get(&r->ref);
    if (worker_current(r->runtime) == worker)
        answer_arrived(r);
    else
        worker_post(worker, answer_arrived, r);
}

/* 202: what almost every message gets, without a detour through the queue. */
static void accept_message(struct http_connection *c, bool close)
{
    if (close || c->parser.minor == 0 || !may_write_directly(c)) {
        say(c, 202, NULL, close);
        return;
    }
    buffer_append_text(&c->out, "HTTP/1.1 202 Accepted\r\nDate: ");
    buffer_append_text(&c->out, http_server_date(c->shard));
    buffer_append_text(&c->out, "\r\nContent-Length: 0\r\n\r\n");
    write_at_turn_end(c);
}

/* ---- backpressure ---- */

static void resume(void *arg)
{
    struct http_connection *c = arg;

    c->paused = false;
    if (c->stream) {
        parse_input(c);
        write_at_turn_end(c);
    }
    http_connection_unref(c);
}

struct mark {
    struct http_connection *connection;
};

static void mark_passed(struct process *self UNUSED, void *args UNUSED) {}

/* Handled or dropped: either way nothing is in front of it any more. */
static void mark_release(void *args)
{
    struct mark *m = args;

    worker_post(m->connection->shard->worker, resume, m->connection);
}

static void pause_if_over_limit(struct http_connection *c, const struct pid *to)
{
    if (c->paused ||
        process_backlog(c->shard->runtime, to->slot) < options_of(c)->max_mailbox_events)
        return;
    c->paused = true;
    connection_ref(c);
    http_server_count(c->shard->runtime, "process/connections_paused");
    struct mark mark = { c };
    process_dispatch(to, mark_passed, &mark, sizeof mark, mark_release);
}

/* ---- what was received ---- */

static void receive_message(struct http_connection *c, const char *data)
{
    struct runtime *rt = c->shard->runtime;
    bool close = !c->parser.keep_alive;
    struct wire_message m;
    struct pid to = { 0 }, from = { 0 };
    struct error err;
    int status;

    if (wire_parse(&c->parser, data, &m, &status, &err) < 0) {
        say(c, status, err.text, close);
        return;
    }
    runtime_parse_pid(rt, m.from, &from, NULL); /* what is no PID is delivered as from nobody */
    if (runtime_find(rt, m.id, &to) &&
        process_deliver_bytes(rt, m.id, &from, m.name, data + c->parser.body.at,
                              c->parser.body.length)) {
        accept_message(c, close);
        pause_if_over_limit(c, &to);
    } else {
        say_standard(c, 404, close);
    }
    pid_release(&to);
    pid_release(&from);
    wire_release(&m);
}

/* The bytes of the message become the request's: all of the buffer when
 * nothing follows, else a copy. */
static char *take_bytes(struct http_connection *c, size_t size)
{
    char *raw;

    if (buffer_length(&c->in) == size)
        return buffer_take(&c->in, NULL);
    raw = mem_alloc(size + 1);
    memcpy(raw, buffer_data(&c->in), size);
    buffer_consume(&c->in, size);
    return raw;
}

static void receive_request(struct http_connection *c)
{
    bool close = !c->parser.keep_alive;
    struct http_request *r;
    struct error err;
    char *raw;

    raw = take_bytes(c, c->parser.consumed);
    if (raw[c->parser.path.at] != '/' || c->parser.path.length == 0) {
        say(c, 400, "Request URL path must start with '/'", close);
        mem_free(raw);
        return;
    }
    r = http_request_create(c->shard->runtime, raw, &c->parser, &err);
    if (!r) {
        say(c, 400, err.text, close);
        return;
    }
    r->peer = stream_peer(c->stream);
    enqueue(c, r);
    http_route_request(r);
}

static void receive(struct http_connection *c)
{
    list_remove(&c->waiting);
    c->said_continue = false;
    if (!c->parser.keep_alive)
        c->at_end = true;
    if (wire_is_message(&c->parser, buffer_data(&c->in))) {
        receive_message(c, buffer_data(&c->in));
        buffer_consume(&c->in, c->parser.consumed);
    } else {
        receive_request(c);
    }
    http_parser_restart(&c->parser);
}

/* A request has begun and is not whole. */
static void wait_for_rest(struct http_connection *c)
{
    if (c->parser.head_done && c->parser.expects_continue && !c->said_continue &&
        may_write_directly(c)) {
        c->said_continue = true;
        buffer_append_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        write_at_turn_end(c);
    }
    if (list_is_empty(&c->waiting)) {
        c->waits_since = runtime_now(c->shard->runtime);
        list_append(&c->shard->waiting, &c->waiting);
        http_server_set_alarm(c->shard);
    }
}

/* Ours to give up: the last request said so, or the peer broke the rules. */
static bool may_parse(const struct http_connection *c)
{
    return c->stream && !c->closing && !c->paused && buffer_length(&c->in) > 0 &&
           c->n_requests < MAX_PIPELINED;
}

static void parse_input(struct http_connection *c)
{
    while (may_parse(c)) {
        switch (http_parser_run(&c->parser, buffer_data(&c->in), buffer_length(&c->in))) {
        case HTTP_PARSER_MORE:
            if (c->at_end)
                buffer_release(&c->in); /* half a request, and no more to come */
            else
                wait_for_rest(c);
            return;
        case HTTP_PARSER_REFUSED:
            refuse(c, c->parser.status, c->parser.reason);
            return;
        case HTTP_PARSER_DONE: {
            bool last = !c->parser.keep_alive;
            receive(c);
            if (last)
                buffer_release(&c->in);
            break;
        }
        }
    }
    if (buffer_length(&c->in) == 0)
        buffer_release(&c->in); /* an idle connection keeps no memory */
    list_remove(&c->waiting);
}

static void readable(void *arg)
{
    struct http_connection *c = arg;
    struct error err;
    ssize_t n = 0;

    for (int i = 0; i < READS_PER_TURN && may_read(c); i++) {
        n = stream_read(c->stream, buffer_reserve(&c->in, READ_BYTES), READ_BYTES, &err);
        if (n <= 0)
            break;
        buffer_commit(&c->in, (size_t)n);
        parse_input(c);
    }
    if (n < 0 && err.code != EAGAIN) {
        http_connection_close(c);
        return;
    }
    if (n == 0 && may_read(c)) {
        c->at_end = true;
        list_remove(&c->waiting);
    }
    write_at_turn_end(c);
}

static void writable(void *arg)
{
    write_at_turn_end(arg);
}

void http_connection_open(struct http_shard *shard, struct stream *stream)
{
    static const struct stream_events events = { NULL, readable, writable };
    const struct runtime_options *o = runtime_get_options(shard->runtime);
    struct http_parser_limits limits = { o->max_head_bytes / 2, o->max_head_bytes,
                                         o->max_body_bytes };
    struct http_connection *c = mem_alloc(sizeof *c);

    ref_init(&c->ref);
    c->shard = shard;
    c->stream = stream;
    c->hook.fn = turn_ends;
    list_init(&c->hook.link);
    list_init(&c->waiting);
    list_init(&c->requests);
    list_append(&shard->connections, &c->link);
    http_parser_init(&c->parser, HTTP_PARSER_REQUEST, &limits);
    stream_attach(stream, worker_loop(shard->worker), &events, c);
    stream_want(stream, true, false);
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
        http_server_count(rt, "process/http_requests_timed_out");
        refuse(c, 408, "The request did not arrive in time");
    }
}
