/* http_client_transfer.c - bytes through a connection, both ways
 *
 * Questions go out in their order, each when the one before has been sent; the
 * answers are those of the exchanges in the queue, one behind the other.
 */
#include <errno.h>

#include "base/error.h"
#include "process/http_client_private.h"

enum { READ_BYTES = 64 * 1024, LINE_BYTES = 16 * 1024 };

/* ---- out ---- */

/* What is left of the bytes of an exchange that are there; false when it stops. */
static bool send_bytes(struct http_client *c, struct http_exchange *e)
{
    struct error err;

    while (e->sent < buffer_length(&e->request)) {
        struct stream_bytes v = { buffer_data(&e->request) + e->sent,
                                  buffer_length(&e->request) - e->sent };
        ssize_t n = stream_write(c->stream, &v, 1, &err);

        if (n < 0) {
            e->was_offered = e->was_offered || c->url.secure;
            if (err.code != EAGAIN)
                http_client_end(c, &err, HTTP_CLIENT_PEERS);
            return false;
        }
        e->sent += (size_t)n;
        c->sent = runtime_now(c->runtime);
    }
    return true;
}

/* The writer's next piece takes the place of what was sent. */
static bool next_piece(struct http_exchange *e)
{
    if (e->told)
        promise_set(e->told, &future_nothing, NULL);
    promise_unref(e->told);
    e->told = NULL;
    e->writer_began = true;
    buffer_clear(&e->request);
    e->sent = 0;
    return http_writer_next(e->writer, &e->request, &e->told, &e->writer_ended);
}

/* False when it waits: for the kernel, or for its writer. */
static bool send_exchange(struct http_client *c, struct http_exchange *e)
{
    while (send_bytes(c, e)) {
        if (!e->writer || e->writer_ended) {
            e->is_sent = true;
            c->unsent = http_client_next(c, e);
            return true;
        }
        if (!next_piece(e))
            return false;
    }
    return false;
}

void http_client_send_out(struct http_client *c)
{
    while (!c->ended && c->unsent && send_exchange(c, c->unsent))
        ;
}

bool http_client_has_unsent(struct http_client *c)
{
    const struct http_exchange *e = c->unsent;

    return e && e->sent < buffer_length(&e->request);
}

/* ---- in ---- */

static bool fail(struct http_client *c, int code, const char *what, const char *reason)
{
    struct error err;

    error_set(&err, code, "%s%s", what, reason ? reason : "");
    http_client_end(c, &err, HTTP_CLIENT_OURS);
    return false;
}

static bool fail_too_long(struct http_client *c, const char *what, size_t limit)
{
    struct error err;

    error_set(&err, EMSGSIZE, "%s is longer than %zu bytes", what, limit);
    http_client_end(c, &err, HTTP_CLIENT_OURS);
    return false;
}

static enum http_client_body_kind kind_of_body(const struct http_exchange *e,
                                               const struct http_parser *p)
{
    if (e->is_head || p->response_status == 204 || p->response_status == 304)
        return HTTP_CLIENT_BODY_NONE;
    if (p->chunked)
        return HTTP_CLIENT_BODY_CHUNKED;
    return p->has_length ? HTTP_CLIENT_BODY_LENGTH : HTTP_CLIENT_BODY_TO_CLOSE;
}

static bool begin_answer(struct http_client *c, struct http_exchange *e)
{
    const struct http_parser *p = &c->parser;
    enum http_client_body_kind kind = kind_of_body(e, p);

    if (kind == HTTP_CLIENT_BODY_LENGTH && p->length > e->max_body)
        return fail_too_long(c, "the answer", e->max_body);
    http_exchange_head(e, p, buffer_data(&c->in));
    http_client_body_begin(&c->answer, kind, p->length, LINE_BYTES,
                           e->streams ? 0 : (uint64_t)e->max_body + e->max_head);
    buffer_consume(&c->in, p->consumed);
    return true;
}

static bool refuse_head(struct http_client *c, struct http_exchange *e)
{
    if (c->parser.status == 431)
        return fail_too_long(c, "the answer's head", e->max_head);
    return fail(c, EPROTO, "the answer is no HTTP: ", c->parser.reason);
}

/* "100 Continue" and its kind are read over: the answer follows. */
static bool take_head(struct http_client *c, struct http_exchange *e)
{
    struct http_parser *p = &c->parser;
    const struct http_parser_limits limits = { .uri_bytes = e->max_head,
                                               .head_bytes = e->max_head,
                                               .body_bytes = SIZE_MAX };

    if (!p->head_only) {
        http_parser_init(p, HTTP_PARSER_RESPONSE, &limits);
        http_parser_expect_head(p);
    }
    switch (http_parser_run(p, buffer_data(&c->in), buffer_length(&c->in))) {
    case HTTP_PARSER_MORE:
        return false;
    case HTTP_PARSER_REFUSED:
        return refuse_head(c, e);
    case HTTP_PARSER_DONE:
        break;
    }
    if (p->response_status >= 200)
        return begin_answer(c, e);
    if (p->response_status < 100 || p->response_status == 101)
        return fail(c, EPROTO, "the answer is no HTTP: its status means something else", NULL);
    buffer_consume(&c->in, p->consumed);
    http_parser_restart(p);
    return true;
}

/* The answer is whole. */
static bool finish(struct http_client *c, struct http_exchange *e)
{
    bool stays = c->parser.keep_alive && c->answer.kind != HTTP_CLIENT_BODY_TO_CLOSE && e->is_sent;

    http_client_take_out(c, e);
    c->n_answered++;
    c->sent = runtime_now(c->runtime); /* the next one's turn begins */
    http_parser_release(&c->parser);
    if (list_is_empty(&c->queue) && buffer_length(&c->in) == 0)
        buffer_release(&c->in); /* it may be idle for long */
    if (stays && c->is_lent && buffer_length(&c->in) == 0)
        http_client_pool_keep(c); /* before anybody can know, and ask again */
    http_exchange_whole(e, worker_loop(c->worker));
    http_exchange_carry(e, NULL);
    http_exchange_unref(e);
    if (stays)
        return true;
    if (!list_is_empty(&c->queue))
        return fail(c, ECONNABORTED, "the server closed the connection behind an answer before",
                    NULL);
    http_client_end(c, NULL, HTTP_CLIENT_OURS);
    return false;
}

static bool take_body(struct http_client *c, struct http_exchange *e)
{
    size_t done = 0, n;
    struct http_part piece;
    struct error err;

    while ((n = http_client_body_take(&c->answer, buffer_data(&c->in) + done,
                                      buffer_length(&c->in) - done, &piece)) > 0) {
        if (piece.length > 0 &&
            http_exchange_body(e, buffer_data(&c->in) + done + piece.at, piece.length, &err) < 0) {
            http_client_end(c, &err, HTTP_CLIENT_OURS);
            return false;
        }
        done += n;
    }
    buffer_consume(&c->in, done);
    if (c->answer.end == HTTP_CLIENT_BODY_BAD)
        return fail(c, EPROTO, "the answer is no HTTP: ", c->answer.reason);
    return c->answer.end == HTTP_CLIENT_BODY_WHOLE && finish(c, e);
}

/* Whose answer comes: the first, when it has been asked. */
static struct http_exchange *first_asked(struct http_client *c)
{
    struct http_exchange *e = http_client_first(c);

    return e && http_exchange_has_begun(e) ? e : NULL;
}

static void take_answers(struct http_client *c)
{
    struct http_exchange *e;
    bool more = true;

    while (more && !c->ended && (e = first_asked(c)) != NULL)
        more = e->status == 0 ? buffer_length(&c->in) > 0 && take_head(c, e) : take_body(c, e);
    if (!c->ended && buffer_length(&c->in) > 0 && !first_asked(c))
        fail(c, EPROTO, "the server spoke without being asked", NULL);
}

/* The peer has closed. */
static void take_end(struct http_client *c)
{
    struct http_exchange *e = http_client_first(c);
    struct error err;

    if (!e) {
        http_client_end(c, NULL, HTTP_CLIENT_PEERS);
        return;
    }
    if (e->status > 0) {
        http_client_body_close(&c->answer);
        if (c->answer.end == HTTP_CLIENT_BODY_WHOLE) {
            finish(c, e);
            return;
        }
    }
    error_set(&err, ECONNRESET, "the server closed the connection before %s",
              e->status > 0 || buffer_length(&c->in) > 0 ? "its answer was whole" : "it answered");
    http_client_end(c, &err, HTTP_CLIENT_PEERS);
}

static void take_bytes(struct http_client *c)
{
    char *room = buffer_reserve(&c->in, READ_BYTES);
    struct error err;
    ssize_t n = stream_read(c->stream, room, READ_BYTES, &err);

    if (n > 0) {
        c->heard = runtime_now(c->runtime);
        buffer_commit(&c->in, (size_t)n);
        take_answers(c);
    } else if (n == 0) {
        take_end(c);
    } else if (err.code != EAGAIN) {
        http_client_end(c, &err, HTTP_CLIENT_PEERS);
    }
}

/* ---- events; c may end in them ---- */

static void on_connected(void *arg, const struct error *err)
{
    struct http_client *c = arg;

    ref_get(&c->ref);
    if (err) {
        http_client_end(c, err, HTTP_CLIENT_OURS);
    } else {
        c->connected = true;
        c->sent = c->heard = runtime_now(c->runtime);
        http_client_serve(c);
    }
    http_client_drop(c);
}

static void on_readable(void *arg)
{
    struct http_client *c = arg;

    ref_get(&c->ref);
    take_bytes(c);
    http_client_look(c);
}

static void on_writable(void *arg)
{
    struct http_client *c = arg;

    ref_get(&c->ref);
    http_client_look(c);
}

const struct stream_events http_client_events = { on_connected, on_readable, on_writable };
