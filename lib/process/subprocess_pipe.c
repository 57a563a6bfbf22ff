/* subprocess_pipe.c - a child's input or output, as futures
 *
 * The stream, and what is under way, belong to the thread of the stream's loop;
 * whoever wants something posts it there.  When the runtime ends, the loops have
 * stopped before the executor, whose last (runtime_ended) then has them alone.
 */
#include "process/subprocess_pipe.h"

#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/ref.h"
#include "process/bytes_row.h"
#include "process/host.h"
#include "process/runtime_private.h"
#include "process/subprocess.h"

enum { PIECE = 64 * 1024 };

struct subprocess_pipe {
    struct ref ref;   /* the memory: the users' together, the executor's, each post's */
    struct ref users; /* the handle, and those who read all */
    struct runtime *runtime;
    struct worker *worker;
    bool we_write;
    _Atomic bool runtime_gone;
    struct promise *ended;  /* set when there is nothing to do any more */
    struct bytes_row reads; /* read by any thread */

    struct stream *stream; /* the loop's thread, as all below; NULL: closed */
    struct list writes;    /* struct write */
    bool closing;          /* when nothing is under way */
    bool forsaken;         /* closing; nobody has the handle any more */
    struct error failure;  /* code 0: none; why the stream was closed before its end */
};

struct write {
    struct list link;
    struct subprocess_pipe *pipe;
    struct promise *promise;
    char *data;
    size_t size, done;
};

static void unref(struct subprocess_pipe *p)
{
    if (!ref_put(&p->ref))
        return;
    promise_unref(p->ended);
    bytes_row_release(&p->reads);
    mem_free(p);
}

/* ---- on the loop's thread ---- */

static void close_stream(struct subprocess_pipe *p)
{
    stream_close(p->stream);
    p->stream = NULL;
}

/* False when there is nothing for now. */
static bool read_piece(struct subprocess_pipe *p)
{
    char piece[PIECE];
    struct error err;
    ssize_t n = stream_read(p->stream, piece, sizeof piece, &err);

    if (n < 0 && err.code == EAGAIN)
        return false;
    if (n > 0) {
        bytes_row_put(&p->reads, piece, (size_t)n);
        return true;
    }
    bytes_row_end(&p->reads, n < 0 ? &err : NULL);
    close_stream(p);
    return false;
}

static void serve_readers(struct subprocess_pipe *p)
{
    bytes_row_serve(&p->reads);
    while (p->stream && bytes_row_is_wanted(&p->reads) && read_piece(p))
        ;
}

static void end_write(struct write *w, const struct error *err)
{
    if (err)
        promise_fail_with(w->promise, err);
    else
        promise_set(w->promise, &future_nothing, NULL);
    list_remove(&w->link);
    promise_unref(w->promise);
    mem_free(w->data);
    mem_free(w);
}

/* ECONNRESET is the simulated world's word for it. */
static void fail_writes(struct subprocess_pipe *p, const struct error *err)
{
    if (err->code == EPIPE || err->code == ECONNRESET)
        error_set(&p->failure, EPIPE, "The child does not read its input any more");
    else
        p->failure = *err;
    close_stream(p);
}

static void serve_writes(struct subprocess_pipe *p)
{
    list_each_safe (w, &p->writes, struct write, link) {
        struct stream_bytes rest = { w->data + w->done, w->size - w->done };
        struct error err;
        ssize_t n = p->stream && rest.size > 0 ? stream_write(p->stream, &rest, 1, &err) : 0;

        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0)
            fail_writes(p, &err);
        else
            w->done += (size_t)n;
        if (!p->stream)
            end_write(w, &p->failure);
        else if (w->done == w->size)
            end_write(w, NULL);
        else
            break; /* until it is writable again */
    }
}

static bool is_busy(struct subprocess_pipe *p)
{
    return (p->stream && bytes_row_is_wanted(&p->reads)) || !list_is_empty(&p->writes);
}

static void close_now(struct subprocess_pipe *p)
{
    if (!p->failure.code)
        error_set(&p->failure, EPIPE, "We have closed this end of the child's pipe");
    bytes_row_end(&p->reads, &p->failure);
    close_stream(p);
}

/* After anything has changed. */
static void serve(struct subprocess_pipe *p)
{
    if (!p->we_write)
        serve_readers(p);
    serve_writes(p);
    if (p->closing && !is_busy(p))
        close_now(p);
    if (p->forsaken && !is_busy(p))
        promise_set(p->ended, &future_nothing, NULL);
    if (p->stream)
        stream_want(p->stream, bytes_row_is_wanted(&p->reads), !list_is_empty(&p->writes));
}

/* When there is nothing to do any more the executor lets go of it meanwhile. */
static void on_event(void *arg)
{
    struct subprocess_pipe *p = arg;

    ref_get(&p->ref);
    serve(p);
    unref(p);
}

static const struct stream_events events = { .readable = on_event, .writable = on_event };

/* ---- posts ---- */

static void post(struct subprocess_pipe *p, void (*fn)(void *arg), void *arg)
{
    ref_get(&p->ref);
    worker_post(p->worker, fn, arg);
}

static void start(void *arg)
{
    struct subprocess_pipe *p = arg;
    struct loop *loop = worker_loop(p->worker);

    if (loop && p->stream)
        stream_attach(p->stream, loop, &events, p);
    serve(p);
    unref(p);
}

static void look(void *arg)
{
    struct subprocess_pipe *p = arg;

    serve(p);
    unref(p);
}

static void start_write(void *arg)
{
    struct write *w = arg;
    struct subprocess_pipe *p = w->pipe;

    if (p->closing && !p->failure.code) /* asked for behind the close */
        error_set(&p->failure, EPIPE, "We have closed this end of the child's pipe");
    if (p->closing || !p->stream)
        end_write(w, &p->failure);
    else
        list_append(&p->writes, &w->link);
    serve(p);
    unref(p);
}

static void close_soon(void *arg)
{
    struct subprocess_pipe *p = arg;

    p->closing = true;
    serve(p);
    unref(p);
}

static void users_gone(void *arg)
{
    struct subprocess_pipe *p = arg;

    p->forsaken = true;
    close_soon(p);
}

/* ---- life ---- */

/* In the executor: nobody has anything to do with it any more, or the runtime ends. */
static void runtime_ended(struct process *executor UNUSED, struct future *f, void *op)
{
    struct subprocess_pipe *p = op;

    if (future_state(f) == FUTURE_DISCARDED) {
        p->runtime_gone = true;
        close_stream(p);
        bytes_row_discard(&p->reads);
        list_each_safe (w, &p->writes, struct write, link) {
            promise_discard(w->promise);
            end_write(w, NULL);
        }
    }
    unref(p);
}

struct subprocess_pipe *subprocess_pipe_create(struct runtime *rt, struct worker *w,
                                               struct stream *stream, bool we_write)
{
    struct subprocess_pipe *p = mem_alloc(sizeof *p);

    ref_init(&p->ref);
    ref_init(&p->users);
    p->runtime = rt;
    p->worker = w;
    p->we_write = we_write;
    p->stream = stream;
    p->ended = promise_create(&future_nothing);
    bytes_row_init(&p->reads);
    list_init(&p->writes);
    ref_get(&p->ref);
    future_finally(promise_future(p->ended), runtime_executor(rt), runtime_ended, p);
    post(p, start, p);
    return p;
}

void subprocess_pipe_unref(struct subprocess_pipe *p)
{
    if (!p || !ref_put(&p->users))
        return;
    if (!p->runtime_gone)
        post(p, users_gone, p);
    unref(p);
}

void subprocess_pipe_close(struct subprocess_pipe *p)
{
    if (!p->runtime_gone)
        post(p, close_soon, p);
}

/* ---- asking ---- */

struct future *subprocess_pipe_read(struct subprocess_pipe *p)
{
    struct future *f;

    if (p->we_write)
        return future_failed(&bytes_type, EINVAL, "A child's input is not read");
    f = bytes_row_read(&p->reads);
    if (!p->runtime_gone)
        post(p, look, p);
    return f;
}

struct future *subprocess_pipe_write(struct subprocess_pipe *p, const void *data, size_t size)
{
    struct write *w;
    struct future *f;

    if (!p->we_write)
        return future_failed(&future_nothing, EINVAL, "A child's output is not written");
    if (p->runtime_gone)
        return future_failed(&future_nothing, ESHUTDOWN, "This program is ending");
    w = mem_alloc(sizeof *w);
    list_init(&w->link);
    w->pipe = p;
    w->promise = promise_create(&future_nothing);
    w->data = size > 0 ? mem_dup(data, size) : NULL;
    w->size = size;
    f = promise_future(w->promise);
    post(p, start_write, w);
    return f;
}

static struct future *read_next(void *from)
{
    return subprocess_pipe_read(from);
}

static void close_it(void *from)
{
    subprocess_pipe_close(from);
}

static void unref_it(void *from)
{
    subprocess_pipe_unref(from);
}

struct future *subprocess_pipe_read_all(struct subprocess_pipe *p, size_t limit)
{
    static const struct bytes_source output = { "The child's output", read_next, close_it,
                                                unref_it };

    if (p->runtime_gone)
        return future_failed(&bytes_type, ESHUTDOWN, "This program is ending");
    ref_get(&p->users);
    return bytes_row_gather(p->runtime, &output, p, limit);
}
