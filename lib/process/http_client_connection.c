/* http_client_connection.c - a connection: its life, and whose turn it is
 *
 * create -> the name is resolved -> connected -> exchanges come and go -> end
 *
 * It ends by our wish, when its last user has gone and nothing is asked any more,
 * when the peer closes or breaks it, when something takes too long, or when the
 * peer speaks no HTTP.  Whatever is in its queue then fails, and it stays ended.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"
#include "process/tls.h"

enum { CONNECT_SECONDS = 10 };

void http_client_drop(struct http_client *c)
{
    if (!ref_put(&c->ref))
        return;
    promise_unref(c->over);
    promise_unref(c->disconnected);
    http_url_release(&c->url);
    pid_release(&c->pool);
    buffer_release(&c->in);
    http_parser_release(&c->parser);
    mem_free(c->late);
    mem_free(c);
}

/* What has ended needs nothing any more; nor may its runtime be there still. */
void http_client_post(struct http_client *c, void (*fn)(void *arg))
{
    if (c->runtime_gone || c->ended)
        return;
    ref_get(&c->ref);
    worker_post(c->worker, fn, c);
}

/* ---- the queue ---- */

static void put_in(struct http_client *c, struct http_exchange *e)
{
    e->number = ++c->n_asked;
    list_append(&c->queue, &e->link);
    if (!c->unsent)
        c->unsent = e;
    http_client_timeout_add(c, e);
}

void http_client_take_out(struct http_client *c, struct http_exchange *e)
{
    if (c->unsent == e)
        c->unsent = http_client_next(c, e);
    list_remove(&e->link);
    http_client_timeout_remove(c, e);
}

/* ---- the end ---- */

/* Nothing of an answer has come to what the server may not even have seen. */
static bool may_be_asked_again(struct http_client *c, struct http_exchange *e)
{
    bool is_stale = c->n_answered > 0 && e->status == 0 && buffer_length(&c->in) == 0;

    return c->is_lent && is_stale && !e->was_retried && !e->writer_began &&
           (e->is_idempotent || !http_exchange_has_begun(e)) && !http_exchange_is_given_up(e);
}

static void end_exchange(struct http_client *c, struct http_exchange *e, const struct error *err,
                         bool again)
{
    http_client_take_out(c, e);
    if (again) {
        http_exchange_carry(e, NULL);
        e->was_retried = true;
        e->sent = 0;
        e->was_offered = e->is_sent = false;
        http_client_pool_again(c, e);
        return;
    }
    if (http_exchange_is_given_up(e))
        http_exchange_discard(e);
    else
        http_exchange_fail(e, err);
    http_exchange_carry(e, NULL);
    http_exchange_unref(e);
}

void http_client_end(struct http_client *c, const struct error *err, enum http_client_fault fault)
{
    if (c->ended)
        return;
    c->ended = true;
    if (err) {
        c->reason = *err; /* it may be the stream's */
        promise_fail_with(c->disconnected, err);
    } else {
        error_set(&c->reason, ECONNABORTED, "the connection has ended");
        promise_set(c->disconnected, &future_nothing, NULL);
    }
    http_client_timeout_cancel(c);
    stream_close(c->stream);
    c->stream = NULL;
    list_each_safe (e, &c->queue, struct http_exchange, link)
        end_exchange(c, e, &c->reason, fault == HTTP_CLIENT_PEERS && may_be_asked_again(c, e));
    if (c->is_lent) {
        c->is_lent = false;
        http_client_unref(c);
    }
    promise_set(c->over, &future_nothing, NULL);
}

/* In the executor: it has ended, or the runtime does. */
static void runtime_ended(struct process *executor UNUSED, struct future *f, void *op)
{
    struct http_client *c = op;

    if (future_state(f) == FUTURE_DISCARDED) {
        c->runtime_gone = true;
        c->ended = true;
        stream_close(c->stream);
        c->stream = NULL;
        promise_discard(c->disconnected);
        list_each_safe (e, &c->queue, struct http_exchange, link) {
            http_client_take_out(c, e);
            http_exchange_discard(e);
            http_exchange_carry(e, NULL);
            http_exchange_unref(e);
        }
        if (c->is_lent)
            http_client_unref(c);
    }
    http_client_drop(c);
}

/* ---- whose turn it is ---- */

/* Nobody wants its answer.  What was sent is answered all the same: that is read
 * over, unless it may have no end, or the question is not whole. */
static void leave(struct http_client *c, struct http_exchange *e)
{
    struct error err;

    if (e->was_left)
        return;
    if (!http_exchange_has_begun(e)) {
        end_exchange(c, e, NULL, false);
    } else if (e->streams || c->is_pooled || !e->is_sent) {
        error_set(&err, ECANCELED, "a question before on this connection was given up");
        http_client_end(c, &err, HTTP_CLIENT_OURS);
    } else {
        e->was_left = true;
        http_exchange_discard(e);
    }
}

void http_client_serve(struct http_client *c)
{
    struct http_exchange *first;

    if (c->ended)
        return;
    if (c->connected)
        http_client_send_out(c);
    if (!c->ended && list_is_empty(&c->queue)) {
        if (c->closing)
            http_client_end(c, NULL, HTTP_CLIENT_OURS);
        else if (c->is_lent && c->connected) /* its question was given up */
            http_client_pool_keep(c);
        else if (c->is_lent)
            http_client_end(c, NULL, HTTP_CLIENT_OURS);
    }
    if (c->ended)
        return;
    first = http_client_first(c);
    if (c->stream)
        stream_want(c->stream, c->connected && !(first && http_exchange_is_full(first)),
                    c->connected && http_client_has_unsent(c));
    http_client_timeout_arm(c);
}

void http_client_look(void *arg)
{
    http_client_serve(arg);
    http_client_drop(arg);
}

/* Before it is in the queue, `enter` sees that it was given up. */
void http_client_leave(void *arg)
{
    struct http_exchange *e = arg;
    struct http_client *c = e->connection;

    if (c && !list_is_empty(&e->link)) {
        ref_get(&c->ref);
        leave(c, e);
        http_client_look(c);
    }
    http_exchange_unref(e);
}

/* ---- the beginning ---- */

static void connect_now(void *arg)
{
    struct http_client *c = arg;
    struct loop *loop = worker_loop(c->worker);

    if (!c->ended && loop)
        c->stream = c->url.secure ? tls_connect(c->runtime, loop, c->address, c->url.host,
                                                &http_client_events, c)
                                  : host_connect(loop, c->address, &http_client_events, c);
    http_client_look(c);
}

static void not_resolved(void *arg)
{
    struct http_client *c = arg;

    http_client_end(c, &c->unresolved, HTTP_CLIENT_OURS);
    http_client_drop(c);
}

static void resolved(struct process *executor UNUSED, struct future *f, void *op)
{
    struct http_client *c = op;

    if (future_state(f) == FUTURE_READY) {
        c->address = ((const struct pid *)future_value(f, &runtime_pid_type))->address;
        http_client_post(c, connect_now);
    } else if (future_state(f) == FUTURE_FAILED) {
        c->unresolved = *future_error(f);
        http_client_post(c, not_resolved);
    }
    http_client_drop(c);
}

static struct http_url copy_url(const struct http_url *url)
{
    struct http_url copy = *url;

    copy.authority = mem_strdup(url->authority);
    copy.host = mem_strdup(url->host);
    copy.target = mem_strdup(url->target);
    return copy;
}

struct http_client *http_client_create(struct runtime *rt, const struct http_url *url,
                                       struct duration connect_timeout)
{
    struct worker *w = worker_current(rt);
    struct http_client *c = mem_alloc(sizeof *c);
    struct text *name = text_format("x@%s:%u", url->host, url->port);

    ref_init(&c->ref);
    ref_init(&c->users);
    c->runtime = rt;
    c->worker = w ? w : worker_next(rt);
    c->url = copy_url(url);
    c->connect_timeout = connect_timeout.ns > 0 ? connect_timeout : SECONDS(CONNECT_SECONDS);
    c->over = promise_create(&future_nothing);
    c->disconnected = promise_create(&future_nothing);
    c->began = c->sent = c->heard = runtime_now(rt);
    c->armed = INSTANT_NEVER;
    list_init(&c->queue);
    buffer_init(&c->in);
    ref_get(&c->ref);
    future_finally(promise_future(c->over), runtime_executor(rt), runtime_ended, c);
    ref_get(&c->ref);
    future_finally(runtime_resolve_pid(rt, name->bytes), runtime_executor(rt), resolved, c);
    text_unref(name);
    return c;
}

/* ---- exchanges come ---- */

/* It had ended, or was going to, before e came; nothing of e was sent. */
static void come_too_late(struct http_client *c, struct http_exchange *e)
{
    if (!c->ended)
        error_set(&c->reason, ECONNABORTED, "the connection is ending");
    end_exchange(c, e, &c->reason,
                 c->is_lent && !e->was_retried && !http_exchange_is_given_up(e));
    if (c->is_lent) {
        c->is_lent = false;
        http_client_unref(c);
    }
}

static void enter(void *arg)
{
    struct http_exchange *e = arg;
    struct http_client *c = e->connection;

    ref_get(&c->ref);
    c->is_lent = e->is_pooled;
    if (list_is_empty(&c->queue))
        c->sent = runtime_now(c->runtime);
    put_in(c, e);
    if (c->ended || c->closing) {
        come_too_late(c, e);
    } else {
        if (http_exchange_is_given_up(e))
            leave(c, e);
        http_client_serve(c);
    }
    http_client_drop(c);
}

void http_client_submit(struct http_client *c, struct http_exchange *e)
{
    http_exchange_carry(e, c);
    if (!c->runtime_gone) {
        worker_post(c->worker, enter, e);
        return;
    }
    http_exchange_carry(e, NULL);
    http_exchange_discard(e);
    http_exchange_unref(e);
}

/* ---- handles ---- */

struct http_client *http_client_ref(struct http_client *c)
{
    ref_get(&c->users);
    return c;
}

static void close_soon(void *arg)
{
    ((struct http_client *)arg)->closing = true;
    http_client_look(arg);
}

void http_client_unref(struct http_client *c)
{
    if (!c || !ref_put(&c->users))
        return;
    http_client_post(c, close_soon);
    http_client_drop(c);
}

static void end_now(void *arg)
{
    struct http_client *c = arg;

    c->closing = true;
    http_client_end(c, NULL, HTTP_CLIENT_OURS);
    http_client_drop(c);
}

void http_client_disconnect(struct http_client *c)
{
    http_client_post(c, end_now);
}

struct future *http_client_disconnected(struct http_client *c)
{
    return promise_future(c->disconnected);
}
