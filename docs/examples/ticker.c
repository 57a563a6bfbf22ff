/* ticker.c - an actor that follows an event stream of another node
 *
 * The ticker serves a stream: a line now and then.  The listener opens it, gets
 * each piece as an event of its own, and has heard enough after three lines.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_client.h"
#include "process/http_reader.h"
#include "process/runtime.h"
#include "process/typed.h"

/* ---- who is followed ---- */

struct ticker {
    struct process process;
    struct http_stream *listener; /* NULL: nobody */
    int ticks;
};

#define ENDPOINTS(AT) AT("/ticks", serve_ticks, "A line for each tick.")

CLASS(ticker, "ticker", ticker_initialize, ticker_exited, ticker_finalize);
ROUTES(ticker, ticker_routes, ENDPOINTS);
CALL(ticker, tick, nothing, NO_RELEASE);

static void tick(struct ticker *t, struct nothing *args UNUSED)
{
    char line[32];

    snprintf(line, sizeof line, "tick %d\n", ++t->ticks);
    http_stream_write(t->listener, line, strlen(line));
    delay(&t->process.pid, MILLISECONDS(10), tick);
}

static void serve_ticks(struct ticker *t, struct http_request *request)
{
    if (t->listener) {
        http_answer_error(request, 503, "I have a listener");
        return;
    }
    t->listener = http_answer_stream(request, 200, "text/plain");
    dispatch(&t->process.pid, tick);
}

static void ticker_initialize(struct ticker *t)
{
    process_route(&t->process, ticker_routes);
}

static void ticker_exited(struct ticker *t UNUSED, const struct pid *peer UNUSED) {}

static void ticker_finalize(struct ticker *t)
{
    http_stream_unref(t->listener);
}

/* ---- who follows ---- */

struct listener {
    struct process process;
    char *url; /* of the ticks */
    struct http_reader *reader;
    struct buffer line; /* the beginning of one */
    int lines;
    struct promise *done;
};

struct feed {
    char unused;
};

CLASS(listener, "listener", listener_initialize, listener_exited, listener_finalize);
STEP(listener, feed_opened, feed);
LAST(listener, feed_ended, feed);

static void listener_initialize(struct listener *l)
{
    const struct http_ask ask = { .url = l->url, .idle_timeout = SECONDS(30) };
    struct future *f = http_fetch_stream(l->process.runtime, &ask);

    f = THEN(f, feed_opened, l, NULL);
    FINALLY(f, feed_ended, l, NULL);
}

/* An event of the listener's; the next piece is read when it has returned. */
static void piece_came(struct process *self UNUSED, const struct bytes *piece, void *op)
{
    struct listener *l = op;
    char *end;

    buffer_append(&l->line, piece->data, piece->size);
    while (l->lines < 3 && (end = strchr(buffer_data(&l->line), '\n')) != NULL) {
        size_t length = (size_t)(end - buffer_data(&l->line)) + 1;

        printf("%.*s", (int)length, buffer_data(&l->line));
        buffer_consume(&l->line, length);
        if (++l->lines == 3)
            promise_set(l->done, &future_nothing, NULL);
    }
}

static struct future *feed_opened(struct listener *l, struct future *f, struct feed *op UNUSED)
{
    l->reader = http_reader_ref(http_opened_get(f)->reader);
    printf("%d %s\n", http_reader_status(l->reader), http_reader_header(l->reader, "Content-Type"));
    return http_reader_each(l->reader, &l->process, piece_came, l);
}

/* A real one would open it again, after a while. */
static void feed_ended(struct listener *l, struct future *f, struct feed *op UNUSED)
{
    if (future_state(f) == FUTURE_FAILED)
        printf("%s\n", future_error(f)->text); /* "GET http://...: the server closed ..." */
    promise_set(l->done, &future_nothing, NULL);
}

static void listener_exited(struct listener *l UNUSED, const struct pid *peer UNUSED) {}

/* With the last reference the question is given up: the server sees us go. */
static void listener_finalize(struct listener *l)
{
    http_reader_unref(l->reader);
    buffer_release(&l->line);
    promise_unref(l->done);
    mem_free(l->url);
}

/* ---- the two nodes ---- */

int main(void)
{
    struct runtime_options options = { .workers = 1 };
    struct host *host = host_real_create();
    struct runtime *there = runtime_create(host, &options, NULL);
    struct runtime *here = runtime_create(host, &options, NULL);
    struct ticker t = { .ticks = 0 };
    struct listener l = { .done = promise_create(&future_nothing) };
    struct future *done = promise_future(l.done);
    char address[ADDRESS_TEXT];

    if (!there || !here)
        return 1;
    l.url = mem_printf("http://%s/ticker/ticks", address_format(runtime_address(there), address));
    if (process_spawn(there, &t.process, &ticker_class, "ticker", NULL, NULL) < 0 ||
        process_spawn(here, &l.process, &listener_class, NULL, NULL, NULL) < 0)
        return 1;
    future_wait(done, host, SECONDS(60));
    future_unref(done);
    runtime_destroy(here);
    runtime_destroy(there);
    host_destroy(host);
    return 0;
}
