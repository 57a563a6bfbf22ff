/* line.h - a bare connection, for tests that speak by hand, on whichever host (place.h)
 *
 * Calls wait until what they ask for has happened: on the real host they block, in
 * the simulated world they run it.  What arrives is read only by line_more.
 */
#ifndef LINE_H
#define LINE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/address.h"
#include "tests/process/place.h"

#define LINE_PATIENCE HOURS(10) /* of the world's time */

struct line {
    int fd;                /* real */
    struct stream *stream; /* simulated */
    struct buffer out, in;
    bool stands, ended;
};

struct line_listener {
    int fd;
    struct listener *listener;
    struct line *accepted; /* not yet given to the test */
    struct address address;
};

/* Of all lines in the world: an OS process of its own. */
static struct {
    struct host *host;
    struct loop *loop;
    unsigned users;
} line_side;

static inline bool line_idle(void *arg UNUSED)
{
    return false;
}

static inline struct loop *line_use_loop(void)
{
    if (line_side.users++ == 0) {
        line_side.host = place_host();
        line_side.loop = host_loop_start(line_side.host, line_idle, NULL);
    }
    return line_side.loop;
}

static inline void line_leave_loop(void)
{
    if (--line_side.users == 0) {
        host_loop_stop(line_side.loop);
        place_leave(line_side.host);
    }
}

static inline void line_run_until(bool (*done)(void *arg), void *arg)
{
    ck_assert(sim_run_until(test_place.world, done, arg, LINE_PATIENCE));
}

/* ---- simulated: callbacks ---- */

static inline void line_connected(void *arg, const struct error *err)
{
    struct line *l = arg;

    l->stands = true;
    l->ended = err != NULL;
}

static inline void line_reads(void *arg)
{
    struct line *l = arg;
    struct error err;
    ssize_t n = stream_read(l->stream, buffer_reserve(&l->in, 65536), 65536, &err);

    if (n > 0)
        buffer_commit(&l->in, (size_t)n);
    l->ended = n == 0 || (n < 0 && err.code != EAGAIN);
    stream_want(l->stream, false, buffer_length(&l->out) > 0);
}

static inline void line_writes(void *arg)
{
    struct line *l = arg;
    struct stream_bytes v = { buffer_data(&l->out), buffer_length(&l->out) };
    struct error err;
    ssize_t n = stream_write(l->stream, &v, 1, &err);

    if (n > 0)
        buffer_consume(&l->out, (size_t)n);
    if (n < 0 && err.code != EAGAIN)
        buffer_clear(&l->out); /* the other side has closed: it may have said something */
    stream_want(l->stream, false, buffer_length(&l->out) > 0);
}

static const struct stream_events line_events = { line_connected, line_reads, line_writes };

static inline bool line_stands(void *arg)
{
    return ((struct line *)arg)->stands;
}

static inline bool line_has_read(void *arg)
{
    struct line *l = arg;

    return l->ended || buffer_length(&l->in) > 0;
}

static inline bool line_has_written(void *arg)
{
    return buffer_length(&((struct line *)arg)->out) == 0;
}

/* ---- a connection ---- */

static inline struct sockaddr_in line_name(struct address a)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(a.port),
                                 .sin_addr.s_addr = htonl(a.ip) };
}

static inline struct line *line_open(struct address to)
{
    struct line *l = mem_alloc(sizeof *l);
    struct sockaddr_in in = line_name(to);

    if (place_is_simulated()) {
        l->stream = host_connect(line_use_loop(), to, &line_events, l);
        line_run_until(line_stands, l);
        return l;
    }
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(l->fd, (struct sockaddr *)&in, sizeof in), 0);
    return l;
}

static inline void line_close(struct line *l)
{
    if (place_is_simulated()) {
        stream_close(l->stream);
        line_leave_loop();
    } else {
        close(l->fd);
    }
    buffer_release(&l->out);
    buffer_release(&l->in);
    mem_free(l);
}

/* What a peer that has closed does not take is lost. */
static inline void line_put(struct line *l, const char *text)
{
    size_t length = strlen(text);

    if (place_is_simulated()) {
        buffer_append(&l->out, text, length);
        stream_want(l->stream, false, true);
        line_run_until(line_has_written, l);
        return;
    }
    for (size_t at = 0; at < length;) {
        ssize_t n = send(l->fd, text + at, length - at, MSG_NOSIGNAL);
        if (n < 0)
            return;
        at += (size_t)n;
    }
}

/* Appends what has come, at least a byte; false at the end. */
static inline bool line_more(struct line *l, struct buffer *to)
{
    ssize_t n;

    if (place_is_simulated()) {
        if (!l->ended)
            stream_want(l->stream, true, buffer_length(&l->out) > 0);
        line_run_until(line_has_read, l);
        n = (ssize_t)buffer_length(&l->in);
        buffer_append(to, buffer_data(&l->in), (size_t)n);
        buffer_clear(&l->in);
        return n > 0;
    }
    n = read(l->fd, buffer_reserve(to, 65536), 65536);
    if (n > 0)
        buffer_commit(to, (size_t)n);
    return n > 0;
}

/* Is there something to read by now?  It is not waited for. */
static inline bool line_has_input(struct line *l)
{
    char c;

    if (place_is_simulated()) {
        if (!l->ended && buffer_length(&l->in) == 0)
            stream_want(l->stream, true, buffer_length(&l->out) > 0);
        sim_run_for(test_place.world, MILLISECONDS(10));
        return line_has_read(l);
    }
    return recv(l->fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
}

/* Has the other side closed it?  Nothing is to come before. */
static inline bool line_has_ended(struct line *l)
{
    char c;

    if (place_is_simulated()) {
        if (!l->ended)
            stream_want(l->stream, true, buffer_length(&l->out) > 0);
        sim_run_for(test_place.world, MILLISECONDS(10));
        ck_assert_uint_eq(buffer_length(&l->in), 0);
        return l->ended;
    }
    return recv(l->fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* ---- those that others make ---- */

static inline void line_arrives(void *arg, struct stream *s)
{
    struct line_listener *listener = arg;
    struct line *l = mem_alloc(sizeof *l);

    ck_assert_ptr_null(listener->accepted);
    l->stands = true;
    l->stream = s;
    stream_attach(s, line_use_loop(), &line_events, l);
    listener->accepted = l;
}

static inline void line_listen(struct line_listener *l)
{
    struct sockaddr_in in = line_name((struct address){ INADDR_LOOPBACK, 0 });
    socklen_t size = sizeof in;

    *l = (struct line_listener){ .fd = -1 };
    if (place_is_simulated()) {
        l->listener = host_listen(line_use_loop(), (struct address){ INADDR_LOOPBACK, 0 },
                                  line_arrives, l, &l->address, NULL);
        ck_assert_ptr_nonnull(l->listener);
        return;
    }
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(l->fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(l->fd, 10), 0);
    ck_assert_int_eq(getsockname(l->fd, (struct sockaddr *)&in, &size), 0);
    l->address = (struct address){ INADDR_LOOPBACK, ntohs(in.sin_port) };
}

static inline bool line_has_accepted(void *arg)
{
    return ((struct line_listener *)arg)->accepted != NULL;
}

static inline struct line *line_accept(struct line_listener *listener)
{
    struct line *l;

    if (place_is_simulated()) {
        line_run_until(line_has_accepted, listener);
        l = listener->accepted;
        listener->accepted = NULL;
        return l;
    }
    l = mem_alloc(sizeof *l);
    l->fd = accept(listener->fd, NULL, NULL);
    ck_assert_int_ge(l->fd, 0);
    return l;
}

static inline void line_stop_listening(struct line_listener *l)
{
    if (place_is_simulated()) {
        if (l->accepted)
            line_close(l->accepted);
        host_listener_close(l->listener);
        line_leave_loop();
    } else {
        close(l->fd);
    }
}

#endif
