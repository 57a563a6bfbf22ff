/* http_connection_output.c - what a connection writes: answers in the order of the requests
 *
 *   answered → (compressed) → at the end of the turn what is ready at the head of
 *   the queue is written in one go; a stream at the head is written as it grows,
 *   and those behind it wait for its end
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_connection_private.h"
#include "process/http_gzip.h"

enum {
    COPY_BYTES = 16 * 1024,       /* bodies up to this are copied behind their heads */
    ROUNDS_PER_TURN = 16,         /* of writing: others want to be served too */
    GZIP_BYTES = 1024,            /* shorter bodies are not compressed */
    GZIP_ASIDE_BYTES = 16 * 1024, /* longer ones on a helper thread */
    KEPT_BYTES = 32 * 1024,       /* memory up to this is kept for the next answers */
    DISCARD_BYTES = 16 * 1024,
    DISCARDED_READS = 16 /* of what an erring peer has sent, before the close */
};

/* ---- the queue ---- */

void http_connection_enqueue(struct http_connection *c, struct http_request *r)
{
    http_connection_ref(c);
    r->connection = c;
    list_append(&c->requests, &r->link);
    c->shard->n_requests++;
    if (++c->n_requests == http_connection_options(c)->max_pipelined)
        http_server_count(c->shard->runtime, "process/connections_full_of_requests");
    c->held += r->ready ? http_answer_size(r) : 0;
    if (c->at_end || c->unheard)
        http_request_ends(r, HTTP_REQUEST_GONE);
}

/* Its answer is ready; its place ends, with all of it that was not taken. */
void http_connection_forget(struct http_connection *c, struct http_request *r)
{
    c->held -= http_answer_size(r);
    buffer_release(&r->body);
    if (r->stream) {
        c->held -= r->stream->held;
        r->stream->held = 0;
        http_stream_die(r->stream);
    }
    http_request_ends(r, HTTP_REQUEST_GONE); /* nothing if it was answered */
    list_remove(&r->link);
    c->n_requests--;
    c->shard->n_requests--;
    http_request_drop_memory(r);
}

bool http_connection_may_append(const struct http_connection *c)
{
    return c->n_requests == 0 && buffer_length(&c->large) == 0;
}

void http_connection_say(struct http_connection *c, int status, const char *text, bool close)
{
    struct http_request *r = http_request_canned(
        c->shard->runtime, status, text ? HTTP_TEXT_PLAIN : NULL, text, text ? strlen(text) : 0);

    r->close = close;
    r->keep_alive_1_0 = !close && c->parser.minor == 0 && c->parser.head_done;
    http_connection_enqueue(c, r);
    http_request_drop_memory(r); /* there are no hands */
    http_connection_write_later(c);
}

/* ---- from the queue into the bytes to be written ---- */

/* One piece of memory goes round among the connections of a shard: those that have
 * nothing to write keep none. */
struct buffer *http_connection_output(struct http_connection *c)
{
    if (!c->out.base) {
        c->out = c->shard->output;
        buffer_init(&c->shard->output);
    }
    return &c->out;
}

static void give_back_memory(struct http_connection *c)
{
    if (c->out.capacity > KEPT_BYTES || c->shard->output.base) {
        buffer_release(&c->out);
    } else {
        c->shard->output = c->out;
        buffer_init(&c->out);
    }
}

static void put_body(struct http_connection *c, struct http_request *r)
{
    struct buffer *out = http_connection_output(c);

    http_format_head(out, r, http_server_date(c->shard));
    if (r->without_body)
        return;
    buffer_append(out, r->short_body, r->short_size);
    if (buffer_length(&r->body) <= COPY_BYTES) {
        buffer_append(out, buffer_data(&r->body), buffer_length(&r->body));
    } else {
        c->held -= buffer_length(&r->body);
        c->large = r->body;
        buffer_init(&r->body);
    }
}

/* What there is of it; false while it is open. */
static bool put_stream(struct http_connection *c, struct http_request *r)
{
    struct http_stream *s = r->stream;
    enum http_stream_state state;

    if (!s->begun) {
        s->begun = true;
        http_format_head(http_connection_output(c), r, http_server_date(c->shard));
    }
    if (r->without_body)
        return true;
    state = http_stream_take(s, &c->out);
    c->held -= s->held;
    s->held = 0;
    if (state == HTTP_STREAM_FAILED)
        r->close = true;
    return state != HTTP_STREAM_OPEN;
}

static void drop_ready(struct http_connection *c)
{
    list_each_safe (r, &c->requests, struct http_request, link)
        if (r->ready)
            http_connection_forget(c, r);
}

/* Behind an answer that closes nothing more is said. */
static void end_answers(struct http_connection *c)
{
    c->closing = true;
    list_remove(&c->waiting);
    drop_ready(c);
}

/* The peer takes no answers any more, as one that has sent its messages and closed.
 * What it has sent may still lie here unread: its messages are taken to the last. */
static void stop_answering(struct http_connection *c)
{
    c->unheard = true;
    list_each_safe (r, &c->requests, struct http_request, link)
        http_request_ends(r, HTTP_REQUEST_GONE);
}

static void drop_output(struct http_connection *c)
{
    buffer_release(&c->out);
    buffer_release(&c->large);
    drop_ready(c);
}

static void take_ready(struct http_connection *c)
{
    struct http_request *r;

    while (!c->closing && buffer_length(&c->large) == 0 &&
           (r = list_first(&c->requests, struct http_request, link)) && r->ready) {
        if (!r->stream)
            put_body(c, r);
        else if (!put_stream(c, r))
            break;
        bool last = r->close;
        http_connection_forget(c, r);
        if (last)
            end_answers(c);
    }
}

static size_t to_write(const struct http_connection *c)
{
    return buffer_length(&c->out) + buffer_length(&c->large);
}

static void consume_written(struct http_connection *c, size_t written)
{
    size_t first = buffer_length(&c->out) < written ? buffer_length(&c->out) : written;
    struct http_request *r = list_first(&c->requests, struct http_request, link);

    buffer_consume(&c->out, first);
    buffer_consume(&c->large, written - first);
    if (buffer_length(&c->large) == 0)
        buffer_release(&c->large);
    if (r && r->ready && r->stream)
        http_stream_written(r->stream, buffer_length(&c->out));
    if (http_connection_is_leaving(c))
        c->progress += written;
}

static void close_unread(struct http_connection *c)
{
    char peer[ADDRESS_TEXT];

    log_warning("connection from %s closed: it does not read our answers",
                address_format(stream_peer(c->stream), peer));
    http_server_count(c->shard->runtime, "process/http_connections_not_reading");
    http_connection_close(c);
}

/* False when the connection is closed. */
static bool write_ready(struct http_connection *c)
{
    struct error err;

    for (int i = 0;; i++) {
        if (i == ROUNDS_PER_TURN) {
            http_connection_write_later(c);
            break;
        }
        if (c->unheard)
            drop_output(c);
        else
            take_ready(c);
        if (to_write(c) == 0)
            break;
        struct stream_bytes v[] = { { buffer_data(&c->out), buffer_length(&c->out) },
                                    { buffer_data(&c->large), buffer_length(&c->large) } };
        ssize_t n = stream_write(c->stream, v, v[1].size ? 2 : 1, &err);
        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0) {
            stop_answering(c);
            continue;
        }
        consume_written(c, (size_t)n);
    }
    if (buffer_length(&c->out) == 0)
        give_back_memory(c);
    if (to_write(c) + c->held > http_connection_options(c)->max_output_bytes) {
        close_unread(c);
        return false;
    }
    return true;
}

/* What is still unread would make the kernel answer the close with a reset,
 * which may overtake our answer: read what is there, but not for ever. */
static void discard_input(struct http_connection *c)
{
    char bytes[DISCARD_BYTES];

    for (int i = 0; i < DISCARDED_READS; i++)
        if (stream_read(c->stream, bytes, sizeof bytes, NULL) <= 0)
            return;
}

/* After writing: close, or wait for what may come. */
static void settle(struct http_connection *c)
{
    bool over =
        c->closing || (c->at_end && !c->paused && (c->unheard || c->n_requests == 0));

    if (over && to_write(c) + c->held == 0) {
        if (c->refused)
            discard_input(c);
        http_connection_close(c);
        return;
    }
    if (http_connection_is_leaving(c) && to_write(c) > 0)
        http_connection_wait(c);
    stream_want(c->stream, http_connection_may_read(c), to_write(c) > 0);
}

/* ---- once a turn ---- */

static void write_and_go_on(struct http_connection *c)
{
    list_remove(&c->writing);
    if (c->stream && write_ready(c)) {
        http_connection_parse(c); /* requests that waited for the queue to become shorter */
        settle(c);
    }
    http_connection_unref(c);
}

/* Who is not done with it comes again in the next turn. */
void http_connection_write_all(struct turn_hook *turn_end)
{
    struct http_shard *shard = container_of(turn_end, struct http_shard, turn_end);
    struct list writing;
    struct http_connection *c;

    list_init(&writing);
    list_splice(&writing, &shard->writing);
    while ((c = list_first(&writing, struct http_connection, writing)))
        write_and_go_on(c);
    shard->date_is_known = false;
}

void http_connection_write_later(struct http_connection *c)
{
    if (!list_is_empty(&c->writing) || !c->stream)
        return;
    http_connection_ref(c);
    list_append(&c->shard->writing, &c->writing);
    worker_at_turn_end(c->shard->worker, &c->shard->turn_end);
}

/* ---- answers of others: each of these takes a reference to the memory ---- */

/* False when the connection is closed, also by this. */
static bool look_at_stream(struct http_connection *c, struct http_request *r)
{
    size_t queued;

    if (!c->stream || list_is_empty(&r->link))
        return false;
    if (!http_stream_look(r->stream, &queued)) {
        close_unread(c);
        return false;
    }
    c->held += queued - r->stream->held;
    r->stream->held = queued;
    return true;
}

static void answer_is_ready(void *arg)
{
    struct http_request *r = arg;
    struct http_connection *c = r->connection;

    r->ready = true;
    c->held += http_answer_size(r);
    if (!c->stream)
        http_connection_forget(c, r);
    else if (!r->stream || look_at_stream(c, r))
        http_connection_write_later(c);
    http_request_drop_memory(r);
}

static void compress(void *arg)
{
    struct http_request *r = arg;

    if (!http_gzip_deflate(&r->body))
        return;
    http_answer_header(r, "Content-Encoding", "gzip");
    http_answer_header(r, "Vary", "Accept-Encoding");
}

static void compressed(void *arg)
{
    struct http_request *r = arg;

    worker_post(r->connection->shard->worker, answer_is_ready, r);
}

static bool wants_gzip(const struct http_request *r)
{
    return buffer_length(&r->body) >= GZIP_BYTES && !r->stream && !r->encoded && !r->without_body &&
           http_accepts_encoding(r, "gzip");
}

static void answer_arrived(void *arg)
{
    struct http_request *r = arg;
    struct http_connection *c = r->connection;

    if (c->stream && wants_gzip(r)) {
        if (buffer_length(&r->body) > GZIP_ASIDE_BYTES && worker_loop(c->shard->worker)) {
            host_async(worker_loop(c->shard->worker), compress, compressed, r);
            return;
        }
        compress(r);
    }
    answer_is_ready(r);
}

static void on_worker(struct http_request *r, void (*fn)(void *arg))
{
    struct worker *worker = r->connection->shard->worker;

    ref_get(&r->ref);
    if (worker_current(r->runtime) == worker)
        fn(r);
    else
        worker_post(worker, fn, r);
}

void http_connection_answered(struct http_request *r)
{
    on_worker(r, answer_arrived);
}

static void stream_changed(void *arg)
{
    struct http_request *r = arg;

    if (look_at_stream(r->connection, r))
        http_connection_write_later(r->connection);
    http_request_drop_memory(r);
}

void http_connection_stream_changed(struct http_request *r)
{
    on_worker(r, stream_changed);
}
