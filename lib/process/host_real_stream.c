/* host_real_stream.c - streams and listeners of the real host
 *
 * A stream is a non-blocking socket with two persistent events, which are
 * added and removed only when what is wanted changes.  A connect that cannot
 * even begin leaves its reason in `failure` and activates the write event, so
 * that every outcome is told from the loop.  When the loop stops before a
 * stream is closed, the stream is cut off from it and only its descriptor is
 * left to close.
 */
#include "process/host_real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { WRITE_PIECES = 64, ACCEPTS_PER_TURN = 64 };

struct real_stream {
    struct stream stream;
    struct real_loop *loop; /* NULL: not attached yet, or the loop has stopped */
    struct list of_loop;
    int fd; /* -1: there is no socket, see failure */
    const struct stream_events *events;
    void *arg;
    struct event read_event, write_event;
    bool connecting;
    bool want_read, want_write;  /* the user's; the events follow once connected */
    bool is_reading, is_writing; /* the events are added */
    struct error failure;        /* of connecting; code 0: none */
};

struct real_listener {
    struct listener listener;
    struct real_loop *loop;
    struct list of_loop;
    struct real_post start;
    int fd;
    struct event *event, *pause;
    stream_accepted_f accepted;
    void *arg;
    bool accepting, closed; /* closed from inside `accepted`: freed after it */
};

static struct sockaddr_in to_sockaddr(struct address a)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a.port) };

    in.sin_addr.s_addr = htonl(a.ip);
    return in;
}

static struct address from_sockaddr(const struct sockaddr_in *in)
{
    return (struct address){ ntohl(in->sin_addr.s_addr), ntohs(in->sin_port) };
}

/* ---- reading and writing ---- */

/* The frequent case, without formatting a sentence. */
static ssize_t try_again(struct error *err)
{
    if (err) {
        err->code = EAGAIN;
        memcpy(err->text, "would block", sizeof "would block");
    }
    return -1;
}

static ssize_t stream_failed(const struct real_stream *s, const char *what, struct error *err)
{
    char peer[ADDRESS_TEXT];

    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return try_again(err);
    return error_errno(err, "Failed to %s %s", what, address_format(s->stream.peer, peer));
}

static ssize_t real_read(struct stream *stream, void *out, size_t size, struct error *err)
{
    struct real_stream *s = (struct real_stream *)stream;
    ssize_t n;

    if (s->failure.code)
        return error_copy(err, &s->failure);
    if (s->connecting)
        return try_again(err);
    do
        n = recv(s->fd, out, size, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? stream_failed(s, "read from", err) : n;
}

static ssize_t real_write(struct stream *stream, const struct stream_bytes v[], unsigned n,
                          struct error *err)
{
    struct real_stream *s = (struct real_stream *)stream;
    struct iovec pieces[WRITE_PIECES];
    struct msghdr message = { .msg_iov = pieces };
    ssize_t taken;

    if (s->failure.code)
        return error_copy(err, &s->failure);
    if (s->connecting)
        return try_again(err);
    for (unsigned i = 0; i < n && i < WRITE_PIECES; i++) {
        pieces[i] = (struct iovec){ (void *)(uintptr_t)v[i].data, v[i].size };
        message.msg_iovlen++;
    }
    do
        taken = n == 1 ? send(s->fd, v->data, v->size, MSG_NOSIGNAL)
                       : sendmsg(s->fd, &message, MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR);
    return taken < 0 ? stream_failed(s, "write to", err) : taken;
}

/* ---- events ---- */

static void follow(struct event *event, bool *is_added, bool wanted)
{
    if (*is_added == wanted)
        return;
    CHECK((wanted ? event_add(event, NULL) : event_del(event)) == 0);
    *is_added = wanted;
}

static void update_events(struct real_stream *s)
{
    if (s->fd < 0)
        return;
    follow(&s->read_event, &s->is_reading, s->want_read && !s->connecting);
    follow(&s->write_event, &s->is_writing, s->want_write || s->connecting);
}

static void real_want(struct stream *stream, bool readable, bool writable)
{
    struct real_stream *s = (struct real_stream *)stream;

    s->want_read = readable;
    s->want_write = writable;
    if (!s->loop)
        return;
    CHECK(host_real_loop_is_mine(s->loop));
    if (!s->failure.code)
        update_events(s);
}

/* The connect has come to an end: which? */
static void finish_connect(struct real_stream *s)
{
    socklen_t size = sizeof(int);
    int code = 0;

    s->connecting = false;
    if (!s->failure.code) {
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
            code = errno;
        if (code) {
            char peer[ADDRESS_TEXT];

            errno = code;
            error_errno(&s->failure, "Failed to connect to %s",
                        address_format(s->stream.peer, peer));
        }
    }
    if (s->failure.code)
        s->want_read = s->want_write = false;
    update_events(s);
    if (s->events->connected)
        s->events->connected(s->arg, s->failure.code ? &s->failure : NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct real_stream *s = arg;

    (void)fd, (void)what;
    s->events->readable(s->arg); /* may close s */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct real_stream *s = arg;

    (void)fd, (void)what;
    if (s->connecting)
        finish_connect(s); /* may close s */
    else
        s->events->writable(s->arg); /* may close s */
}

static void attach_to(struct real_stream *s, struct real_loop *l,
                      const struct stream_events *events, void *arg)
{
    CHECK(host_real_loop_is_current(&l->loop));
    s->loop = l;
    s->events = events;
    s->arg = arg;
    list_append(&l->streams, &s->of_loop);
    event_assign(&s->read_event, l->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
    event_assign(&s->write_event, l->base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s);
}

static void real_attach(struct stream *stream, struct loop *l, const struct stream_events *events,
                        void *arg)
{
    struct real_stream *s = (struct real_stream *)stream;

    CHECK(!s->loop);
    attach_to(s, real_loop(l), events, arg);
    update_events(s);
}

static void detach(struct real_stream *s)
{
    event_del(&s->read_event);
    event_del(&s->write_event);
    list_remove(&s->of_loop);
    s->loop = NULL;
}

static void real_close(struct stream *stream)
{
    struct real_stream *s = (struct real_stream *)stream;

    if (s->loop) {
        CHECK(host_real_loop_is_mine(s->loop));
        detach(s);
    }
    if (s->fd >= 0)
        close(s->fd);
    mem_free(s);
}

static const struct stream_ops real_stream_ops = {
    .read = real_read,
    .write = real_write,
    .want = real_want,
    .attach = real_attach,
    .close = real_close,
};

/* ---- connecting ---- */

static struct real_stream *make_stream(int fd, struct address peer)
{
    struct real_stream *s = mem_alloc(sizeof *s);

    s->stream = (struct stream){ &real_stream_ops, peer };
    s->fd = fd;
    list_init(&s->of_loop);
    return s;
}

/* No waiting to fill a packet; and a peer that is gone is found out (host.h). */
static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },   { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 60 }, { IPPROTO_TCP, TCP_KEEPINTVL, 10 },
        { IPPROTO_TCP, TCP_KEEPCNT, 6 },   { IPPROTO_TCP, TCP_USER_TIMEOUT, 120000 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof options[i].value);
}

/* Watches a connect that was begun, or tells of its failure; soon, from the loop. */
static struct stream *connect_begun(struct real_stream *s, struct loop *l,
                                    const struct stream_events *events, void *arg)
{
    attach_to(s, real_loop(l), events, arg);
    s->connecting = true;
    if (s->failure.code)
        event_active(&s->write_event, EV_WRITE, 0);
    else
        update_events(s);
    return &s->stream;
}

struct stream *host_real_stream_connect(struct loop *l, struct address to,
                                        const struct stream_events *events, void *arg)
{
    struct real_stream *s =
        make_stream(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), to);
    struct sockaddr_in in = to_sockaddr(to);
    char peer[ADDRESS_TEXT];

    if (s->fd < 0) {
        error_errno(&s->failure, "Failed to make a socket");
        return connect_begun(s, l, events, arg);
    }
    set_options(s->fd);
    if (connect(s->fd, (struct sockaddr *)&in, sizeof in) < 0 && errno != EINPROGRESS &&
        errno != EINTR)
        error_errno(&s->failure, "Failed to connect to %s", address_format(to, peer));
    return connect_begun(s, l, events, arg);
}

/* A path that is too long for sun_path is reached by way of a descriptor of it. */
static int connect_unix(int fd, const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int at = -1, status, code;

    if (strlen(path) < sizeof un.sun_path) {
        memcpy(un.sun_path, path, strlen(path) + 1);
    } else {
        at = open(path, O_PATH | O_CLOEXEC);
        if (at < 0)
            return -1;
        snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d", at);
    }
    status = connect(fd, (struct sockaddr *)&un, sizeof un);
    code = errno;
    if (at >= 0)
        close(at);
    errno = code;
    return status;
}

struct stream *host_real_stream_connect_path(struct loop *l, const char *path,
                                             const struct stream_events *events, void *arg)
{
    struct real_stream *s = make_stream(
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (struct address){ 0, 0 });

    if (s->fd < 0)
        error_errno(&s->failure, "Failed to make a socket");
    else if (connect_unix(s->fd, path) < 0)
        error_errno(&s->failure, "Failed to connect to '%s'", path);
    return connect_begun(s, l, events, arg);
}

/* ---- listening ---- */

/* For want of descriptors or memory: the connection stays in the backlog, and
 * trying at once again would only spin. */
static void pause_accepting(struct real_listener *l)
{
    const struct timeval moment = { 0, 100000 };

    event_del(l->event);
    CHECK(event_add(l->pause, &moment) == 0);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct real_listener *l = arg;

    (void)fd, (void)what;
    CHECK(event_add(l->event, NULL) == 0);
}

/* False when there is nothing more to accept for now. */
static bool accept_one(struct real_listener *l)
{
    struct sockaddr_in in = { 0 };
    socklen_t size = sizeof in;
    int fd = accept4(l->fd, (struct sockaddr *)&in, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        set_options(fd);
        l->accepted(l->arg, &make_stream(fd, from_sockaddr(&in))->stream);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(l);
        return false;
    }
    return errno != EAGAIN && errno != EWOULDBLOCK; /* others concern that one connection only */
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct real_listener *l = arg;

    (void)fd, (void)what;
    l->accepting = true;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l) && !l->closed; i++)
        ;
    l->accepting = false;
    if (l->closed)
        mem_free(l);
}

static int open_listening(struct address at, struct address *ret_bound, struct error *err)
{
    struct sockaddr_in in = to_sockaddr(at);
    socklen_t size = sizeof in;
    char text[ADDRESS_TEXT];
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return error_errno(err, "Failed to make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &size) < 0) {
        error_errno(err, "Failed to listen at %s", address_format(at, text));
        close(fd);
        return -1;
    }
    *ret_bound = from_sockaddr(&in);
    return fd;
}

/* On the loop. */
static void start_listening(void *arg)
{
    struct real_listener *l = arg;

    if (l->loop->finished)
        return;
    l->event = event_new(l->loop->base, l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
    l->pause = evtimer_new(l->loop->base, on_pause_over, l);
    CHECK(l->event && l->pause && event_add(l->event, NULL) == 0);
    list_append(&l->loop->listeners, &l->of_loop);
}

struct listener *host_real_stream_listen(struct loop *loop, struct address at,
                                         stream_accepted_f accepted, void *arg,
                                         struct address *ret_bound, struct error *err)
{
    struct address bound;
    int fd = open_listening(at, &bound, err);
    struct real_listener *l;

    if (fd < 0)
        return NULL;
    l = mem_alloc(sizeof *l);
    *l = (struct real_listener){ .listener = { loop->host },
                                 .loop = real_loop(loop),
                                 .fd = fd,
                                 .accepted = accepted,
                                 .arg = arg };
    list_init(&l->of_loop);
    if (ret_bound)
        *ret_bound = bound;
    l->start = (struct real_post){ .run = start_listening, .arg = l };
    host_real_loop_post(l->loop, &l->start);
    return &l->listener;
}

/* On the loop, or after it has stopped. */
static void stop_listening(void *arg)
{
    struct real_listener *l = arg;

    list_remove(&l->of_loop);
    if (l->event) {
        event_free(l->event);
        event_free(l->pause);
    }
    l->event = l->pause = NULL;
}

void host_real_stream_listener_close(struct listener *listener)
{
    struct real_listener *l = (struct real_listener *)listener;

    host_real_loop_call(l->loop, stop_listening, l);
    close(l->fd);
    l->closed = true;
    if (!l->accepting)
        mem_free(l);
}

void host_real_stream_detach_all(struct real_loop *l)
{
    list_each_safe (s, &l->streams, struct real_stream, of_loop)
        detach(s);
    list_each_safe (listener, &l->listeners, struct real_listener, of_loop)
        stop_listening(listener);
}
