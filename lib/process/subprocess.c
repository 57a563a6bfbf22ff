/* subprocess.c - children of the host, as counted objects with futures */
#include "process/subprocess.h"

#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/ref.h"
#include "process/runtime.h"

struct subprocess {
    struct ref ref;                      /* one is the host's: child_ended, forget */
    struct host *host;
    pid_t pid;
    uint64_t start_time;
    struct promise *status;
};

FUTURE_TYPE_DEFINE(subprocess_status, int, NULL);

/* On the loop.  Once the status is set s may be no more. */
static void child_ended(void *arg, int status)
{
    struct promise *p = promise_ref(((struct subprocess *)arg)->status);

    subprocess_status_set(p, status);
    promise_unref(p);
}

/* In the runtime's executor: the child has ended, or the runtime does, whose
 * loops have stopped by then.  Either way child_ended does not come any more. */
static void forget(struct process *executor UNUSED, struct future *f UNUSED, void *op)
{
    subprocess_unref(op);
}

struct subprocess *subprocess_spawn(struct runtime *rt, const struct child_spec *spec,
                                    struct error *err)
{
    struct loop *loop = runtime_loop(rt);
    struct subprocess *s;

    if (!loop) {
        error_set(err, ESHUTDOWN, "no program is started any more: this one is ending");
        return NULL;
    }
    s = mem_alloc(sizeof *s);
    ref_init(&s->ref);
    s->host = runtime_host(rt);
    s->status = subprocess_status_promise();
    if (host_spawn(loop, spec, child_ended, s, &s->pid, err) < 0) {
        promise_unref(s->status);
        mem_free(s);
        return NULL;
    }
    /* It is our child: until we have reaped it its pid is not used again. */
    if (host_start_time(s->host, s->pid, &s->start_time, NULL) < 0)
        s->start_time = 0;
    future_finally(promise_future(s->status), runtime_executor(rt), forget, subprocess_ref(s));
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
