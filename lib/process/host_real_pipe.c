/* host_real_pipe.c - our ends of children's input and output
 *
 * A pipe's end as a stream: non-blocking, and in one direction; it is read or
 * written, not both.  Writing to nobody is EPIPE and no signal (host_real_create
 * ignores SIGPIPE, children have it as it was).  When the loop stops before a
 * pipe is closed, it is cut off from it and only its descriptor is left to close.
 */
#include "process/host_real.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { WRITE_PIECES = 64 };

struct real_pipe {
    struct stream stream;
    struct real_loop *loop; /* NULL: not attached yet, or the loop has stopped */
    struct list of_loop;
    int fd;
    bool we_read;
    const struct stream_events *events;
    void *arg;
    struct event event;
    bool is_wanted, is_added;
};

static ssize_t pipe_failed(const char *what, struct error *err)
{
    if (errno == EAGAIN)
        return error_set(err, EAGAIN, "would block");
    return error_errno(err, "Failed to %s a child", what);
}

static ssize_t pipe_read(struct stream *stream, void *out, size_t size, struct error *err)
{
    struct real_pipe *p = (struct real_pipe *)stream;
    ssize_t n;

    do
        n = read(p->fd, out, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? pipe_failed("read from", err) : n;
}

static ssize_t pipe_write(struct stream *stream, const struct stream_bytes v[], unsigned n,
                          struct error *err)
{
    struct real_pipe *p = (struct real_pipe *)stream;
    struct iovec pieces[WRITE_PIECES];
    ssize_t taken;
    int used = 0;

    for (unsigned i = 0; i < n && i < WRITE_PIECES; i++)
        pieces[used++] = (struct iovec){ (void *)(uintptr_t)v[i].data, v[i].size };
    do
        taken = writev(p->fd, pieces, used);
    while (taken < 0 && errno == EINTR);
    return taken < 0 ? pipe_failed("write to", err) : taken;
}

static void update_event(struct real_pipe *p)
{
    if (p->is_added == p->is_wanted)
        return;
    CHECK((p->is_wanted ? event_add(&p->event, NULL) : event_del(&p->event)) == 0);
    p->is_added = p->is_wanted;
}

static void pipe_want(struct stream *stream, bool readable, bool writable)
{
    struct real_pipe *p = (struct real_pipe *)stream;

    p->is_wanted = p->we_read ? readable : writable;
    if (!p->loop)
        return;
    CHECK(host_real_loop_is_mine(p->loop));
    update_event(p);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct real_pipe *p = arg;

    (void)fd, (void)what;
    if (p->we_read)
        p->events->readable(p->arg); /* may close p */
    else
        p->events->writable(p->arg);
}

static void pipe_attach(struct stream *stream, struct loop *loop,
                        const struct stream_events *events, void *arg)
{
    struct real_pipe *p = (struct real_pipe *)stream;
    struct real_loop *l = real_loop(loop);

    CHECK(!p->loop && host_real_loop_is_current(loop));
    p->loop = l;
    p->events = events;
    p->arg = arg;
    list_append(&l->pipes, &p->of_loop);
    event_assign(&p->event, l->base, p->fd, (p->we_read ? EV_READ : EV_WRITE) | EV_PERSIST,
                 on_event, p);
    update_event(p);
}

static void detach(struct real_pipe *p)
{
    event_del(&p->event);
    list_remove(&p->of_loop);
    p->loop = NULL;
}

static void pipe_close(struct stream *stream)
{
    struct real_pipe *p = (struct real_pipe *)stream;

    if (p->loop) {
        CHECK(host_real_loop_is_mine(p->loop));
        detach(p);
    }
    close(p->fd);
    mem_free(p);
}

static const struct stream_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .want = pipe_want,
    .attach = pipe_attach,
    .close = pipe_close,
};

void host_real_pipe_detach_all(struct real_loop *l)
{
    list_each_safe (p, &l->pipes, struct real_pipe, of_loop)
        detach(p);
}

/* Only our end does not block: each end has flags of its own. */
struct stream *host_real_pipe_open(bool we_read, int *ret_theirs, struct error *err)
{
    struct real_pipe *p;
    int ends[2], ours, theirs;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        error_errno(err, "Failed to make a pipe");
        return NULL;
    }
    ours = ends[we_read ? 0 : 1];
    theirs = fcntl(ends[we_read ? 1 : 0], F_DUPFD_CLOEXEC, 3);
    close(ends[we_read ? 1 : 0]);
    if (theirs < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0) {
        error_errno(err, "Failed to make a pipe");
        close(ours);
        if (theirs >= 0)
            close(theirs);
        return NULL;
    }
    p = mem_alloc(sizeof *p);
    p->stream.ops = &pipe_ops;
    p->fd = ours;
    p->we_read = we_read;
    list_init(&p->of_loop);
    *ret_theirs = theirs;
    return &p->stream;
}
