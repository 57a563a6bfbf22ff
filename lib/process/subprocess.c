/* subprocess.c - children of the host, as counted objects with futures */
#include "process/subprocess.h"

#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/ref.h"
#include "process/runtime_private.h"
#include "process/subprocess_pipe.h"

struct subprocess {
    struct ref ref;
    struct host *host;
    pid_t pid;
    uint64_t start_time;
    struct promise *status;
    struct subprocess_pipe *pipes[3]; /* by enum subprocess_end; NULL: no pipe */
};

FUTURE_TYPE_DEFINE(subprocess_status, int, NULL);

/* On the loop. */
static void child_ended(void *arg, int status)
{
    subprocess_status_set(arg, status);
}

/* The child has ended; or the actor does that started it, and the executor takes
 * over; or the runtime does, whose loops have stopped by then.  Not the executor
 * from the start: one process that runs anyway is cheaper than two. */
static void forget(struct process *self, struct future *f, void *op)
{
    struct process *executor = runtime_executor(self->runtime);

    if (future_state(f) == FUTURE_DISCARDED && self != executor) {
        future_finally(promise_future(op), executor, forget, op);
        return;
    }
    promise_discard(op);
    promise_unref(op); /* child_ended does not come any more */
}

static struct process *who_forgets(struct runtime *rt)
{
    struct process *self = process_current();

    return self && self->runtime == rt ? self : runtime_executor(rt);
}

static struct subprocess_pipe *open_pipe(struct runtime *rt, struct worker *w,
                                         struct stream *stream, bool we_write)
{
    return stream ? subprocess_pipe_create(rt, w, stream, we_write) : NULL;
}

struct subprocess *subprocess_spawn(struct runtime *rt, const struct child_spec *spec,
                                    struct error *err)
{
    struct worker *w = worker_current(rt) ? worker_current(rt) : worker_next(rt);
    struct child_pipes pipes = { NULL, NULL, NULL };
    struct child_spec whole = *spec;
    struct subprocess *s;

    if (!worker_loop(w)) {
        error_set(err, ESHUTDOWN, "no program is started any more: this one is ending");
        return NULL;
    }
    whole.pipes = &pipes;
    s = mem_alloc(sizeof *s);
    ref_init(&s->ref);
    s->host = runtime_host(rt);
    s->status = subprocess_status_promise();
    if (host_spawn(worker_loop(w), &whole, child_ended, s->status, &s->pid, err) < 0) {
        promise_unref(s->status);
        mem_free(s);
        return NULL;
    }
    /* It is our child: until we have reaped it its pid is not used again. */
    if (host_start_time(s->host, s->pid, &s->start_time, NULL) < 0)
        s->start_time = 0;
    future_finally(promise_future(s->status), who_forgets(rt), forget, promise_ref(s->status));
    s->pipes[SUBPROCESS_IN] = open_pipe(rt, w, pipes.in, true);
    s->pipes[SUBPROCESS_OUT] = open_pipe(rt, w, pipes.out, false);
    s->pipes[SUBPROCESS_ERR] = open_pipe(rt, w, pipes.err, false);
    return s;
}

struct subprocess *subprocess_ref(struct subprocess *s)
{
    ref_get(&s->ref);
    return s;
}

void subprocess_unref(struct subprocess *s)
{
    if (!s || !ref_put(&s->ref))
        return;
    promise_unref(s->status);
    for (int i = 0; i < 3; i++)
        subprocess_pipe_unref(s->pipes[i]);
    mem_free(s);
}

pid_t subprocess_pid(const struct subprocess *s)
{
    return s->pid;
}

struct future *subprocess_wait(struct subprocess *s)
{
    return promise_future(s->status);
}

/* ---- signals ---- */

static int signal_pid(struct subprocess *s, pid_t pid, int signo, struct error *err)
{
    struct future *f = promise_future(s->status);
    bool ended = future_state(f) != FUTURE_PENDING;

    future_unref(f);
    if (ended || s->start_time == 0)
        return error_set(err, ESRCH, "process %d has ended", (int)s->pid);
    return host_signal(s->host, pid, s->start_time, signo, err);
}

int subprocess_signal(struct subprocess *s, int signo, struct error *err)
{
    return signal_pid(s, s->pid, signo, err);
}

/* host_signal: a negative pid is the process group of that leader. */
int subprocess_signal_group(struct subprocess *s, int signo, struct error *err)
{
    return signal_pid(s, -s->pid, signo, err);
}

/* ---- pipes ---- */

static struct future *no_pipe(const struct future_type *type)
{
    return future_failed(type, EINVAL, "The child was started without a pipe there");
}

struct future *subprocess_read(struct subprocess *s, enum subprocess_end from)
{
    return s->pipes[from] ? subprocess_pipe_read(s->pipes[from]) : no_pipe(&bytes_type);
}

struct future *subprocess_read_all(struct subprocess *s, enum subprocess_end from, size_t limit)
{
    return s->pipes[from] ? subprocess_pipe_read_all(s->pipes[from], limit) : no_pipe(&bytes_type);
}

struct future *subprocess_write(struct subprocess *s, const void *data, size_t size)
{
    return s->pipes[SUBPROCESS_IN] ? subprocess_pipe_write(s->pipes[SUBPROCESS_IN], data, size)
                                   : no_pipe(&future_nothing);
}

void subprocess_close(struct subprocess *s, enum subprocess_end end)
{
    if (s->pipes[end])
        subprocess_pipe_close(s->pipes[end]);
}
