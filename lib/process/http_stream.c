/* http_stream.c - answers that are written piece by piece
 *
 *   write → a chunk in the stream's queue → the connection's worker is told
 *         → at the end of its turn the queue moves behind what is to be written,
 *           when all answers before it are written
 *
 * Writers are on any thread; the queue and the states are under the request's
 * lock.  The worker is told once for all that was written before it looks.
 */
#include "base/memory.h"
#include "process/future.h"
#include "process/http_private.h"
#include "process/runtime_private.h"

enum { CHUNK_FRAME = 2 * sizeof(size_t) + 4 }; /* its length and two line ends, at most */

/* ---- life ---- */

struct http_stream *http_answer_stream(struct http_request *r, int status, const char *content_type)
{
    struct http_stream *s = mem_alloc(sizeof *s);

    http_request_begin_answer(r, status, content_type);
    ref_init(&s->ref);
    s->request = http_request_ref(r);
    s->limit = runtime_get_options(r->runtime)->max_output_bytes;
    s->chunked = r->parser.minor == 1;
    s->told = true;
    if (!s->chunked) { /* the connection's end is the answer's */
        r->close = true;
        r->keep_alive_1_0 = false;
    }
    r->stream = s;
    http_connection_answered(r);
    return s;
}

struct http_stream *http_stream_ref(struct http_stream *s)
{
    ref_get(&s->ref);
    return s;
}

void http_stream_unref(struct http_stream *s)
{
    if (!s || !ref_put(&s->ref))
        return;
    http_stream_fail(s); /* nothing if it was closed */
    http_request_unref(s->request);
}

void http_stream_release(struct http_stream *s)
{
    if (!s)
        return;
    buffer_release(&s->queue);
    mem_free(s);
}

/* ---- writers ---- */

static void lock(struct http_stream *s)
{
    pthread_mutex_lock(&s->request->lock);
}

static void unlock(struct http_stream *s)
{
    pthread_mutex_unlock(&s->request->lock);
}

/* Takes the lock's hold. */
static void tell_worker(struct http_stream *s)
{
    bool first = !s->told;

    s->told = true;
    unlock(s);
    if (first)
        http_connection_stream_changed(s->request);
}

static bool is_over(const struct http_stream *s)
{
    return s->ended || s->failed || s->dead;
}

static void append_chunk(struct buffer *queue, const void *data, size_t size)
{
    char line[CHUNK_FRAME];
    char *end = line + sizeof line, *p = end;
    size_t n = size;

    *--p = '\n';
    *--p = '\r';
    do
        *--p = "0123456789abcdef"[n & 15];
    while ((n >>= 4) > 0);
    buffer_append(queue, p, (size_t)(end - p));
    buffer_append(queue, data, size);
    buffer_append(queue, "\r\n", 2);
}

static size_t backlog(const struct http_stream *s)
{
    return buffer_length(&s->queue) + s->moved;
}

void http_stream_write(struct http_stream *s, const void *data, size_t size)
{
    lock(s);
    if (size == 0 || is_over(s)) {
        unlock(s);
        return;
    }
    if (size > s->limit || backlog(s) + size + CHUNK_FRAME > s->limit) {
        s->overflowed = s->dead = true;
        buffer_release(&s->queue);
    } else if (s->chunked) {
        append_chunk(&s->queue, data, size);
    } else {
        buffer_append(&s->queue, data, size);
    }
    tell_worker(s);
}

void http_stream_drop(struct http_stream *s)
{
    lock(s);
    if (is_over(s)) {
        unlock(s);
        return;
    }
    s->overflowed = s->dead = true;
    buffer_release(&s->queue);
    tell_worker(s);
}

/* First of all it is ours that has ended: what the worker then does is no news. */
static void end(struct http_stream *s, bool *which)
{
    http_request_ends(s->request, HTTP_REQUEST_DONE);
    lock(s);
    if (s->ended || s->failed) {
        unlock(s);
        return;
    }
    *which = true;
    tell_worker(s);
}

void http_stream_close(struct http_stream *s)
{
    end(s, &s->ended);
}

void http_stream_fail(struct http_stream *s)
{
    end(s, &s->failed);
}

size_t http_stream_backlog(struct http_stream *s)
{
    size_t n;

    lock(s);
    n = s->dead ? 0 : backlog(s);
    unlock(s);
    return n;
}

struct future *http_stream_closed(struct http_stream *s)
{
    return http_request_closed(s->request);
}

/* ---- the connection's worker ---- */

bool http_stream_look(struct http_stream *s, size_t *ret_queued)
{
    bool fits;

    lock(s);
    s->told = false;
    *ret_queued = buffer_length(&s->queue);
    fits = !s->overflowed;
    unlock(s);
    return fits;
}

enum http_stream_state http_stream_take(struct http_stream *s, struct buffer *out)
{
    enum http_stream_state state;

    lock(s);
    s->moved += buffer_length(&s->queue);
    if (buffer_length(out) == 0) {
        buffer_release(out);
        *out = s->queue;
        buffer_init(&s->queue);
    } else {
        buffer_append(out, buffer_data(&s->queue), buffer_length(&s->queue));
        buffer_release(&s->queue);
    }
    state = s->failed ? HTTP_STREAM_FAILED : s->ended ? HTTP_STREAM_ENDED : HTTP_STREAM_OPEN;
    unlock(s);
    if (state == HTTP_STREAM_ENDED && s->chunked)
        buffer_append_text(out, "0\r\n\r\n");
    return state;
}

/* What the connection has is written in its order, and ours is the last of it. */
void http_stream_written(struct http_stream *s, size_t unsent)
{
    lock(s);
    if (s->moved > unsent)
        s->moved = unsent;
    unlock(s);
}

void http_stream_die(struct http_stream *s)
{
    lock(s);
    s->dead = true;
    buffer_release(&s->queue);
    unlock(s);
}
