/* bench_socket.c - the references of the wire: the same bytes through a bare socket
 *
 * A message as lib/process frames it; written and read in large pieces for the
 * flow, one at a time for the round trip.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "process/pid.h"
#include "process/proto.h"
#include "process/wire.h"
#include "tests/bench/measure.h"

enum { MESSAGES = 150000, TURNS = 5000, PIECE = 64 << 10 };

/* Many of them; *ret_size is the size of one. */
static struct buffer framed(size_t n, size_t *ret_size)
{
    struct measure_body *body = measure_body_create();
    struct buffer bytes = BUFFER_INIT, out = BUFFER_INIT;
    struct pid from, to;

    CHECK(pid_parse("peer(1)@127.0.0.1:40001", &from, NULL) == 0);
    CHECK(pid_parse("peer(1)@127.0.0.1:40002", &to, NULL) == 0);
    proto_pack(measure_body_message(body), &bytes);
    for (size_t i = 0; i < n; i++)
        wire_format(&out, &from, &to, "mesos.internal.FrameworkToExecutorMessage",
                    buffer_data(&bytes), buffer_length(&bytes));
    *ret_size = buffer_length(&out) / n;
    buffer_release(&bytes);
    pid_release(&from);
    pid_release(&to);
    measure_body_free(body);
    return out;
}

static void listen_and_tell(int out, int *ret_fd)
{
    unsigned short port;
    int listener = measure_listen(&port);
    char line[20];

    snprintf(line, sizeof line, "%d", port);
    measure_tell(out, line);
    *ret_fd = measure_accept(listener);
    close(listener);
}

static int connect_to(struct measure_peer *peer)
{
    char line[20];

    measure_peer_line(peer, line, sizeof line);
    return measure_connect((unsigned short)strtoul(line, NULL, 10));
}

static void serve_stream(int in, int out)
{
    char *piece = mem_alloc(PIECE);
    size_t size, left;
    struct buffer one = framed(1, &size);
    int fd;

    buffer_release(&one);
    listen_and_tell(out, &fd);
    for (left = size * MESSAGES; left > 0;) {
        ssize_t n = read(fd, piece, PIECE);
        CHECK(n > 0);
        left -= (size_t)n;
    }
    measure_tell(out, "all");
    measure_await_end(in);
    mem_free(piece);
}

int bench_socket_stream(struct measure *m)
{
    struct measure_peer peer = measure_peer_start(serve_stream);
    size_t size, batch = 200;
    struct buffer bytes = framed(batch, &size);
    int fd = connect_to(&peer);
    struct stopwatch watch = measure_start();
    char line[20];

    for (size_t i = 0; i < MESSAGES; i += batch)
        measure_write(fd, buffer_data(&bytes), buffer_length(&bytes));
    measure_peer_line(&peer, line, sizeof line);
    measure_finish(m, &watch, MESSAGES);
    close(fd);
    measure_peer_stop(&peer);
    buffer_release(&bytes);
    return measure_finish_cpu(m, &watch, MESSAGES);
}

static void read_all(int fd, char *to, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, to, size);
        CHECK(n > 0);
        to += n;
        size -= (size_t)n;
    }
}

static void serve_turns(int in, int out)
{
    size_t size;
    struct buffer bytes = framed(1, &size);
    char *got = mem_alloc(size);
    int fd;

    listen_and_tell(out, &fd);
    for (size_t i = 0; i < TURNS; i++) {
        read_all(fd, got, size);
        measure_write(fd, buffer_data(&bytes), size);
    }
    measure_await_end(in);
    mem_free(got);
    buffer_release(&bytes);
}

int bench_socket_round_trip(struct measure *m)
{
    struct measure_peer peer = measure_peer_start(serve_turns);
    size_t size;
    struct buffer bytes = framed(1, &size);
    char *got = mem_alloc(size);
    int fd = connect_to(&peer);
    struct stopwatch watch = measure_start();

    for (size_t i = 0; i < TURNS; i++) {
        measure_write(fd, buffer_data(&bytes), size);
        read_all(fd, got, size);
    }
    m->figure = measure_wall(&watch) * 1e6 / TURNS;
    close(fd);
    measure_peer_stop(&peer);
    mem_free(got);
    buffer_release(&bytes);
    return measure_finish_cpu(m, &watch, TURNS);
}
