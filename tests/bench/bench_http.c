/* bench_http.c - trivial answers over kept connections, ours and a bare loop's
 *
 * The client is one thread with CONNECTIONS connections, each with one request
 * under way; it knows the length of an answer from the first one.  The CPU time
 * is the server's.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "process/http.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "tests/bench/measure.h"

enum { CONNECTIONS = 64, REQUESTS = 200000, READ = 4096 };

static const char request[] =
    "GET /hello/world HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
static const char bare_answer[] =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 6\r\n\r\nhello\n";

/* ---- ours ---- */

struct greeter {
    struct process process;
};

#define ENDPOINTS(AT) AT("/world", serve_hello, "Says hello\n")
ROUTES(greeter, greeter_routes, ENDPOINTS);
CLASS(greeter, "greeter", greeter_initialize, greeter_exited, greeter_finalize);

static void greeter_initialize(struct greeter *g)
{
    process_route(&g->process, greeter_routes);
}

static void greeter_exited(struct greeter *g UNUSED, const struct pid *peer UNUSED) {}
static void greeter_finalize(struct greeter *g UNUSED) {}

static void serve_hello(struct greeter *g UNUSED, struct http_request *r)
{
    http_answer(r, 200, "text/plain", "hello\n", 6);
}

static void tell_port(int out, unsigned port)
{
    char line[20];

    snprintf(line, sizeof line, "%u", port);
    measure_tell(out, line);
}

static void serve_ours(int in, int out)
{
    struct measure_node n = measure_node_start();
    struct greeter g;
    struct pid pid;

    CHECK(process_spawn(n.runtime, &g.process, &greeter_class, "hello", &pid, NULL) == 0);
    tell_port(out, runtime_address(n.runtime).port);
    measure_await_end(in);
    process_terminate(&pid, TERMINATE_NOW);
    process_wait(&pid, MINUTES(1));
    pid_release(&pid);
    measure_node_stop(&n);
}

/* ---- the bare loop ---- */

static void watch_fd(int loop, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) == 0);
}

/* Whole requests only: the client has one under way. */
static void answer_bare(int fd)
{
    char bytes[READ];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n <= 0)
        close(fd);
    else if (memmem(bytes, (size_t)n, "\r\n\r\n", 4))
        measure_write(fd, bare_answer, sizeof bare_answer - 1);
}

static void serve_bare(int in, int out)
{
    unsigned short port;
    int listener = measure_listen(&port), loop = epoll_create1(0);

    watch_fd(loop, listener);
    watch_fd(loop, in);
    tell_port(out, port);
    for (;;) {
        struct epoll_event e[CONNECTIONS];
        int n = epoll_wait(loop, e, CONNECTIONS, -1);

        for (int i = 0; i < n; i++)
            if (e[i].data.fd == in)
                return;
            else if (e[i].data.fd == listener)
                watch_fd(loop, measure_accept(listener));
            else
                answer_bare(e[i].data.fd);
    }
}

/* ---- the client ---- */

/* Of a whole answer. */
static size_t length_of(const char *answer, size_t n)
{
    const char *head_end = memmem(answer, n, "\r\n\r\n", 4);
    const char *length = memmem(answer, n, "Content-Length:", 15);

    CHECK(head_end && length && length < head_end);
    CHECK(n >= 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0);
    return (size_t)(head_end + 4 - answer) + strtoul(length + 15, NULL, 10);
}

struct client {
    int loop;
    int fd[CONNECTIONS];
    size_t got[CONNECTIONS];
    size_t length, left;
};

static void client_start(struct client *c, unsigned short port)
{
    char answer[READ];
    size_t got = 0;

    *c = (struct client){ .loop = epoll_create1(0), .left = REQUESTS };
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };

        c->fd[i] = measure_connect(port);
        CHECK(epoll_ctl(c->loop, EPOLL_CTL_ADD, c->fd[i], &e) == 0);
    }
    measure_write(c->fd[0], request, sizeof request - 1);
    while (c->length == 0 || got < c->length) {
        ssize_t n = read(c->fd[0], answer + got, sizeof answer - got);
        CHECK(n > 0);
        got += (size_t)n;
        if (memmem(answer, got, "\r\n\r\n", 4))
            c->length = length_of(answer, got);
    }
    CHECK(got == c->length);
}

static void client_take(struct client *c, uint32_t i)
{
    char bytes[READ];
    ssize_t n = read(c->fd[i], bytes, sizeof bytes);

    CHECK(n > 0 && (c->got[i] > 0 || memcmp(bytes, "HTTP/1.1 200", 12) == 0));
    c->got[i] += (size_t)n;
    CHECK(c->got[i] <= c->length);
    if (c->got[i] < c->length)
        return;
    c->got[i] = 0;
    c->left--;
    if (c->left >= CONNECTIONS)
        measure_write(c->fd[i], request, sizeof request - 1);
}

static void client_run(struct client *c)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        measure_write(c->fd[i], request, sizeof request - 1);
    while (c->left > 0) {
        struct epoll_event e[CONNECTIONS];
        int n = epoll_wait(c->loop, e, CONNECTIONS, -1);

        for (int i = 0; i < n; i++)
            client_take(c, e[i].data.u32);
    }
}

static int load(struct measure *m, measure_serve_f serve)
{
    struct measure_peer peer = measure_peer_start(serve);
    struct stopwatch watch;
    struct client c;
    char line[20];

    measure_peer_line(&peer, line, sizeof line);
    client_start(&c, (unsigned short)strtoul(line, NULL, 10));
    watch = measure_start();
    client_run(&c);
    measure_finish(m, &watch, REQUESTS);
    for (size_t i = 0; i < CONNECTIONS; i++)
        close(c.fd[i]);
    close(c.loop);
    measure_peer_stop(&peer);
    return measure_finish_children(m, &watch, REQUESTS);
}

int bench_http_ours(struct measure *m)
{
    return load(m, serve_ours);
}

int bench_http_bare(struct measure *m)
{
    return load(m, serve_bare);
}
