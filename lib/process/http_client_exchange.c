/* http_client_exchange.c - a question and what becomes of it
 *
 * Its answer is collected, or, of a stream, put into the row that its reader
 * reads from.  A discard of its future, or the end of its reader, gives it up: the
 * connection then looks after it (http_client_connection.c).
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"
#include "process/http_gzip.h"

enum { ROW_BYTES = 256 * 1024 }; /* what a reader may leave lying */

static void release_response(void *value)
{
    struct http_response *r = value;

    mem_free(r->content_type);
    mem_free(r->body);
    if (r->headers) /* the texts are one piece, which begins with the first */
        mem_free((void *)(uintptr_t)r->headers[0].name);
    mem_free(r->headers);
}

FUTURE_TYPE_DEFINE(http_response, struct http_response, release_response);

/* ---- life ---- */

static void discard_asked(struct hook *h, struct future *f, struct list *work UNUSED)
{
    struct http_exchange *e = container_of(h, struct http_exchange, discard_hook);

    if (future_state(f) == FUTURE_PENDING)
        http_exchange_give_up(e);
    http_exchange_unref(e);
}

struct http_exchange *http_exchange_create(struct runtime *rt, const struct http_ask *ask,
                                           const struct http_url *origin, bool streams,
                                           struct error *err)
{
    struct http_exchange *e = mem_alloc(sizeof *e);

    ref_init(&e->ref);
    list_init(&e->link);
    e->runtime = rt;
    e->streams = streams;
    e->promise = streams ? http_opened_promise() : http_response_promise();
    pthread_mutex_init(&e->lock, NULL);
    buffer_init(&e->request);
    buffer_init(&e->body);
    bytes_row_init(&e->row);
    if (http_client_ask_fill(e, ask, origin, err) == 0)
        return e;
    http_exchange_unref(e);
    return NULL;
}

void http_exchange_ref(struct http_exchange *e)
{
    ref_get(&e->ref);
}

void http_exchange_unref(struct http_exchange *e)
{
    if (!ref_put(&e->ref))
        return;
    CHECK(!e->connection);
    if (e->writer)
        http_writer_die(e->writer);
    promise_unref(e->told);
    promise_unref(e->promise);
    http_url_release(&e->url);
    mem_free(e->method);
    buffer_release(&e->request);
    buffer_release(&e->body);
    mem_free(e->head_text);
    mem_free(e->headers);
    bytes_row_release(&e->row);
    pthread_mutex_destroy(&e->lock);
    mem_free(e);
}

struct future *http_exchange_future(struct http_exchange *e)
{
    struct future *f = promise_future(e->promise);
    struct list work;

    e->discard_hook.for_discard = true;
    e->discard_hook.fire = discard_asked;
    http_exchange_ref(e);
    list_init(&work);
    future_hook(f, &e->discard_hook, &work); /* nobody has f yet: it only waits */
    return f;
}

/* ---- who carries it ---- */

void http_exchange_carry(struct http_exchange *e, struct http_client *c)
{
    struct http_client *before;

    if (c)
        ref_get(&c->ref);
    pthread_mutex_lock(&e->lock);
    before = e->connection;
    e->connection = c;
    pthread_mutex_unlock(&e->lock);
    if (before)
        http_client_drop(before);
}

void http_exchange_poke(struct http_exchange *e)
{
    struct http_client *c;

    pthread_mutex_lock(&e->lock);
    c = e->connection;
    if (c)
        http_client_post(c, http_client_look); /* with a reference of its own */
    pthread_mutex_unlock(&e->lock);
}

/* With e->lock held: that nobody lets go of the connection, and with it of its runtime. */
static void post(struct http_exchange *e, void (*fn)(void *arg))
{
    http_exchange_ref(e);
    worker_post(e->connection->worker, fn, e);
}

void http_exchange_give_up(struct http_exchange *e)
{
    pthread_mutex_lock(&e->lock);
    e->given_up = true;
    if (e->connection)
        post(e, http_client_leave);
    pthread_mutex_unlock(&e->lock);
}

/* On the thread of the connection.  What that has let go of is everybody's, by the lock. */
static void read_asked(void *arg)
{
    struct http_exchange *e = arg;
    bool was_full = http_exchange_is_full(e);

    if (e->connection) {
        bytes_row_serve(&e->row);
        if (was_full) /* until now it was us who made it wait */
            e->connection->heard = runtime_now(e->runtime);
        http_client_serve(e->connection);
    } else {
        pthread_mutex_lock(&e->lock);
        bytes_row_serve(&e->row);
        pthread_mutex_unlock(&e->lock);
    }
    http_exchange_unref(e);
}

struct future *http_exchange_read(struct http_exchange *e)
{
    struct future *f = bytes_row_read(&e->row);

    pthread_mutex_lock(&e->lock);
    if (e->connection)
        post(e, read_asked);
    else
        bytes_row_serve(&e->row);
    pthread_mutex_unlock(&e->lock);
    return f;
}

bool http_exchange_is_given_up(struct http_exchange *e)
{
    bool given_up;

    pthread_mutex_lock(&e->lock);
    given_up = e->given_up;
    pthread_mutex_unlock(&e->lock);
    return given_up;
}

/* ---- its answer ---- */

void http_exchange_head(struct http_exchange *e, const struct http_parser *p, const char *data)
{
    const char *encoding;

    e->status = p->response_status;
    e->headers = http_client_ask_headers(p, data, &e->head_text);
    encoding = http_client_ask_find(e->headers, "Content-Encoding");
    e->is_gzip = e->wants_gzip && encoding && strcmp(encoding, "gzip") == 0;
    if (!e->streams)
        return;
    ref_init(&e->reader.users);
    e->reader.exchange = e;
    http_exchange_ref(e);
    http_opened_set(e->promise,
                    (struct http_opened){ &e->reader }); /* too late: its release lets go again */
    promise_unref(e->promise);                           /* its future has us now */
    e->promise = NULL;
}

int http_exchange_body(struct http_exchange *e, const char *data, size_t size, struct error *err)
{
    if (size > e->max_body - e->n_body)
        return error_set(err, EMSGSIZE, "the answer is longer than %zu bytes", e->max_body);
    e->n_body += size;
    if (e->streams)
        bytes_row_put(&e->row, data, size);
    else if (!e->was_left)
        buffer_append(&e->body, data, size);
    return 0;
}

bool http_exchange_is_full(struct http_exchange *e)
{
    return e->streams && buffer_length(&e->row.held) >= ROW_BYTES;
}

static void respond(struct http_exchange *e)
{
    const char *type = http_client_ask_find(e->headers, "Content-Type");
    struct http_response r = { .status = e->status, .headers = e->headers };

    if (type)
        r.content_type = mem_strdup(type);
    if (!e->headers[0].name) {
        mem_free(e->headers);
        mem_free(e->head_text);
        r.headers = mem_array(1, sizeof *r.headers);
    }
    e->headers = NULL;
    e->head_text = NULL;
    r.body = buffer_take(&e->body, &r.size);
    http_response_set(e->promise, r);
}

/* Off the loop: a small body may become a long one. */
static void inflate(void *arg)
{
    struct http_exchange *e = arg;
    struct buffer inflated = BUFFER_INIT;

    if (http_gzip_inflate(buffer_data(&e->body), buffer_length(&e->body), e->max_body, &inflated,
                          &e->failure) == 0)
        e->failure.code = 0;
    else if (e->failure.code == EFBIG)
        error_set(&e->failure, EMSGSIZE, "the answer is longer than %zu bytes", e->max_body);
    buffer_release(&e->body);
    e->body = inflated;
    e->is_gzip = false;
}

static void inflated(void *arg)
{
    struct http_exchange *e = arg;

    if (e->is_gzip) /* the loop is stopping */
        promise_discard(e->promise);
    else if (e->failure.code)
        http_exchange_fail(e, &e->failure);
    else
        respond(e);
    http_exchange_unref(e);
}

static void end_request(struct http_exchange *e)
{
    if (e->writer)
        http_writer_die(e->writer);
    e->writer = NULL;
    if (e->told)
        promise_fail(e->told, EPIPE, "The question has been answered, or has failed, before");
    promise_unref(e->told);
    e->told = NULL;
}

void http_exchange_whole(struct http_exchange *e, struct loop *loop)
{
    end_request(e);
    if (e->streams) {
        bytes_row_end(&e->row, NULL);
    } else if (e->is_gzip && buffer_length(&e->body) > 0) {
        http_exchange_ref(e);
        host_async(loop, inflate, inflated, e);
    } else {
        respond(e);
    }
}

static const char *scheme(const struct http_exchange *e)
{
    return e->url.secure ? "https" : "http";
}

void http_exchange_fail(struct http_exchange *e, const struct error *err)
{
    struct error whole;

    end_request(e);
    error_set(&whole, err->code, "%.10s %s://%.60s%.40s: %s", e->method, scheme(e),
              e->url.authority, e->url.target, err->text);
    if (e->promise)
        promise_fail_with(e->promise, &whole);
    bytes_row_end(&e->row, &whole);
}

void http_exchange_discard(struct http_exchange *e)
{
    end_request(e);
    if (e->promise)
        promise_discard(e->promise);
    bytes_row_discard(&e->row);
}
