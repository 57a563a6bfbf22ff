/* test_host_real_stream.c - the real host: streams, listeners, names */
#include "tests/process/host_real_place.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MEGABYTE = 1 << 20 };

/* One end of a connection.  Sends `to_send` pattern bytes, then closes or
 * stays; counts and checks what it gets. */
struct end {
    struct place *place;
    struct stream *stream;
    size_t to_send, sent, got;
    size_t enough; /* closes when it has got and sent that much; 0: never */
    bool stays;    /* closes after its peer did, not when all is sent */
    bool wrong;
    int code; /* of the connect, or of the first failure */
    struct event_count connected, closed;
};

static struct address here(void)
{
    return (struct address){ 0x7f000001, 0 };
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 11));
}

static void close_end(struct end *e)
{
    stream_close(e->stream);
    e->stream = NULL;
    happened(&e->closed);
}

static void close_when_enough(struct end *e)
{
    if (e->enough && e->got >= e->enough && e->sent == e->to_send)
        close_end(e);
}

static void on_writable(void *arg)
{
    struct end *e = arg;
    uint8_t bytes[30000];
    struct stream_bytes v[2];
    struct error err;
    size_t n = 0;
    ssize_t taken;

    while (n < sizeof bytes && e->sent + n < e->to_send) {
        bytes[n] = pattern(e->sent + n);
        n++;
    }
    v[0] = (struct stream_bytes){ bytes, n / 3 };
    v[1] = (struct stream_bytes){ bytes + n / 3, n - n / 3 };
    taken = stream_write(e->stream, v, 2, &err);
    if (taken < 0 && err.code != EAGAIN) {
        e->code = err.code;
        close_end(e);
        return;
    }
    e->sent += taken > 0 ? (size_t)taken : 0;
    if (e->sent < e->to_send)
        return;
    stream_want(e->stream, true, false);
    if (!e->stays)
        close_end(e);
    else
        close_when_enough(e);
}

static void on_readable(void *arg)
{
    struct end *e = arg;
    uint8_t bytes[20000];
    struct error err;
    ssize_t n = stream_read(e->stream, bytes, sizeof bytes, &err);

    if (n < 0 && err.code == EAGAIN)
        return;
    if (n <= 0) {
        e->code = n < 0 ? err.code : 0;
        close_end(e);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        e->wrong |= bytes[i] != pattern(e->got + (size_t)i);
    e->got += (size_t)n;
    close_when_enough(e);
}

static void on_connected(void *arg, const struct error *err)
{
    struct end *e = arg;

    e->code = err ? err->code : 0;
    happened(&e->connected);
    if (err)
        close_end(e);
}

static const struct stream_events end_events = { on_connected, on_readable, on_writable };

static void end_init(struct end *e, struct place *p, size_t to_send, bool stays)
{
    *e = (struct end){ .place = p,
                       .to_send = to_send,
                       .stays = stays,
                       .connected = { p->host, 0, 0 },
                       .closed = { p->host, 0, 0 } };
}

/* The accepted end lives on a loop of its own. */
struct meeting {
    struct place server, client;
    struct listener *listener;
    struct address bound;
    struct end accepted, connecting;
    struct stream *arrived;
    struct event_count arrivals;
};

static void keep_accepted(void *arg, struct stream *s)
{
    struct meeting *m = arg;

    m->arrived = s;
    happened(&m->arrivals);
}

static void begin_connect(void *arg)
{
    struct meeting *m = arg;

    m->connecting.stream = host_connect(m->client.loop, m->bound, &end_events, &m->connecting);
    stream_want(m->connecting.stream, true, m->connecting.to_send > 0);
}

static void attach_accepted(void *arg)
{
    struct meeting *m = arg;

    m->accepted.stream = m->arrived;
    stream_attach(m->arrived, m->server.loop, &end_events, &m->accepted);
    stream_want(m->arrived, true, m->accepted.to_send > 0);
}

/* The listener is on the client's loop, the accepted stream on the server's. */
static void meet(struct meeting *m)
{
    struct error err;

    m->arrivals = (struct event_count){ m->client.host, 0, 0 };
    m->listener = host_listen(m->client.loop, here(), keep_accepted, m, &m->bound, &err);
    ck_assert_msg(m->listener != NULL, "%s", err.text);
    ck_assert_uint_ne(m->bound.port, 0);
    place_do(&m->client, begin_connect, m);
    await(&m->arrivals, 1);
    ck_assert_uint_eq(stream_peer(m->arrived).ip, here().ip);
    place_do(&m->server, attach_accepted, m);
    await(&m->connecting.connected, 1);
}

static void part(struct meeting *m)
{
    host_listener_close(m->listener);
    place_close(&m->server);
    place_close(&m->client);
}

START_TEST(bytes_go_both_ways_in_order)
{
    struct meeting m;

    place_open(&m.server);
    place_open(&m.client);
    end_init(&m.accepted, &m.server, 3 * MEGABYTE, true);
    end_init(&m.connecting, &m.client, MEGABYTE + 7, true);
    m.connecting.enough = 3 * MEGABYTE; /* the client has all, then the server sees the end */
    meet(&m);
    await(&m.connecting.closed, 1);
    await(&m.accepted.closed, 1);
    ck_assert_uint_eq(m.connecting.got, 3 * MEGABYTE);
    ck_assert_uint_eq(m.accepted.got, MEGABYTE + 7);
    ck_assert(!m.connecting.wrong && !m.accepted.wrong);
    part(&m);
}
END_TEST

START_TEST(all_bytes_arrive_before_the_end_does)
{
    struct meeting m;

    place_open(&m.server);
    place_open(&m.client);
    end_init(&m.accepted, &m.server, 0, true);
    end_init(&m.connecting, &m.client, 5 * MEGABYTE + 3, false);
    meet(&m);
    await(&m.accepted.closed, 1);
    ck_assert_uint_eq(m.accepted.got, 5 * MEGABYTE + 3);
    ck_assert(!m.accepted.wrong);
    ck_assert_int_eq(m.accepted.code, 0);
    await(&m.connecting.closed, 1);
    part(&m);
}
END_TEST

/* Nobody listens at a port that was bound a moment ago and is bound still, but
 * does not listen. */
START_TEST(a_refused_connect_is_told_by_connected)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct meeting m;

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    place_open(&m.client);
    end_init(&m.connecting, &m.client, 10, false);
    m.bound = (struct address){ 0x7f000001, ntohs(in.sin_port) };
    place_do(&m.client, begin_connect, &m);
    await(&m.connecting.closed, 1);
    ck_assert_int_eq(m.connecting.connected.n, 1);
    ck_assert_int_eq(m.connecting.code, ECONNREFUSED);
    close(fd);
    place_close(&m.client);
}
END_TEST

/* ---- paths ---- */

struct path_meeting {
    struct place place;
    struct end end;
    char *path;
};

static void begin_connect_path(void *arg)
{
    struct path_meeting *m = arg;

    m->end.stream = host_connect_path(m->place.loop, m->path, &end_events, &m->end);
    stream_want(m->end.stream, true, m->end.to_send > 0);
}

/* Listens at folder/name, whatever the length of folder. */
static int listen_at(const char *folder, const char *name)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), at = open(folder, O_PATH | O_DIRECTORY);

    ck_assert(fd >= 0 && at >= 0);
    snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d/%s", at, name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    close(at);
    return fd;
}

START_TEST(a_socket_with_a_long_path_is_reached)
{
    struct path_meeting m;
    char folder[300], bytes[16];
    int listening, fd;

    place_open(&m.place);
    snprintf(folder, sizeof folder, "%s/%0200d", m.place.folder, 7);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    listening = listen_at(folder, "socket");
    m.path = mem_printf("%s/socket", folder);
    end_init(&m.end, &m.place, 10, true);
    place_do(&m.place, begin_connect_path, &m);
    fd = accept(listening, NULL, NULL);
    ck_assert_int_eq(recv(fd, bytes, 10, MSG_WAITALL), 10);
    ck_assert_uint_eq((uint8_t)bytes[9], pattern(9));
    close(fd);
    await(&m.end.closed, 1);
    ck_assert_int_eq(m.end.code, 0);
    close(listening);
    mem_free(m.path);
    place_close(&m.place);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_told_by_connected)
{
    struct path_meeting m;

    place_open(&m.place);
    m.path = mem_printf("%s/absent", m.place.folder);
    end_init(&m.end, &m.place, 10, true);
    place_do(&m.place, begin_connect_path, &m);
    await(&m.end.closed, 1);
    ck_assert_int_eq(m.end.connected.n, 1);
    ck_assert_int_eq(m.end.code, ENOENT);
    mem_free(m.path);
    place_close(&m.place);
}
END_TEST

/* ---- listeners ---- */

static void nothing(void *arg)
{
    (void)arg;
}

/* Descriptors run out: the connection waits in the backlog, the loop does not
 * spin, and once there is a descriptor again it is accepted. */
START_TEST(accepting_goes_on_when_there_are_descriptors_again)
{
    struct meeting m;
    struct rlimit limit, before;
    int next, turns;

    place_open(&m.server);
    place_open(&m.client);
    end_init(&m.accepted, &m.server, 0, true);
    end_init(&m.connecting, &m.client, 0, true);
    m.arrivals = (struct event_count){ m.client.host, 0, 0 };
    m.listener = host_listen(m.server.loop, here(), keep_accepted, &m, &m.bound, NULL);
    ck_assert_ptr_nonnull(m.listener);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    next = dup(0); /* the one that the connecting socket takes */
    close(next);
    limit.rlim_cur = (rlim_t)next + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    place_do(&m.client, begin_connect, &m);
    await(&m.connecting.connected, 1);
    for (int i = 0; i < 3; i++)
        place_do(&m.server, nothing, NULL); /* it has seen the connection by now */
    turns = m.server.turns;
    for (int i = 0; i < 3000; i++)
        place_do(&m.client, nothing, NULL);
    ck_assert_int_eq(m.arrivals.n, 0);
    ck_assert_int_lt(m.server.turns, turns + 300);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    await(&m.arrivals, 1);
    place_do(&m.server, attach_accepted, &m);
    host_loop_stop(m.client.loop);
    stream_close(m.connecting.stream);
    await(&m.accepted.closed, 1);
    ck_assert_int_eq(m.accepted.code, 0);
    part(&m);
}
END_TEST

START_TEST(a_port_that_is_taken_is_refused_with_the_reason)
{
    struct place p;
    struct address bound;
    struct error err;
    struct listener *first;

    place_open(&p);
    first = host_listen(p.loop, here(), keep_accepted, NULL, &bound, &err);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(host_listen(p.loop, bound, keep_accepted, NULL, NULL, &err));
    ck_assert_int_eq(err.code, EADDRINUSE);
    host_listener_close(first);
    place_close(&p);
}
END_TEST

/* ---- loops that stop, names ---- */

START_TEST(streams_may_be_closed_after_their_loop_has_stopped)
{
    struct meeting m;

    place_open(&m.server);
    place_open(&m.client);
    end_init(&m.accepted, &m.server, 0, true);
    end_init(&m.connecting, &m.client, 0, true);
    meet(&m);
    host_loop_stop(m.client.loop);
    host_loop_stop(m.server.loop);
    stream_close(m.connecting.stream);
    stream_close(m.accepted.stream);
    part(&m);
}
END_TEST

struct answer {
    struct place *place;
    struct event_count came;
    bool failed, on_loop;
    uint32_t ip;
};

static void on_resolved(void *arg, const struct error *err, uint32_t ip)
{
    struct answer *a = arg;

    a->failed = err != NULL;
    a->ip = ip;
    a->on_loop = host_loop_is_current(a->place->loop);
    happened(&a->came);
}

START_TEST(names_are_resolved_on_the_loop)
{
    struct place p;
    struct answer a = { .place = &p };

    place_open(&p);
    a.came.host = p.host;
    host_resolve(p.loop, "localhost", on_resolved, &a);
    await(&a.came, 1);
    ck_assert(!a.failed && a.on_loop);
    ck_assert_uint_eq(a.ip >> 24, 127);
    host_resolve(p.loop, "not a name", on_resolved, &a);
    await(&a.came, 2);
    ck_assert(a.failed);
    place_close(&p);
}
END_TEST

UNIT(host_real_stream, bytes_go_both_ways_in_order, all_bytes_arrive_before_the_end_does,
     a_refused_connect_is_told_by_connected, a_socket_with_a_long_path_is_reached,
     a_socket_that_is_not_there_is_told_by_connected,
     accepting_goes_on_when_there_are_descriptors_again,
     a_port_that_is_taken_is_refused_with_the_reason,
     streams_may_be_closed_after_their_loop_has_stopped, names_are_resolved_on_the_loop);
