/* measure.c - the stop-watch, peers, nodes and sockets of measurements */
#include "tests/bench/measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "proto/messages.pb-c.h"

/* ---- the stop-watch ---- */

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu_of(int who)
{
    struct rusage u;

    CHECK(getrusage(who, &u) == 0);
    return seconds_of(u.ru_utime) + seconds_of(u.ru_stime);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct stopwatch measure_start(void)
{
    double children = cpu_of(RUSAGE_CHILDREN);

    return (struct stopwatch){ now(), cpu_of(RUSAGE_SELF) + children, children };
}

double measure_wall(const struct stopwatch *s)
{
    return now() - s->wall;
}

double measure_cpu(const struct stopwatch *s)
{
    return cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) - s->cpu;
}

int measure_finish(struct measure *m, const struct stopwatch *s, double operations)
{
    m->figure = operations / measure_wall(s);
    return measure_finish_cpu(m, s, operations);
}

int measure_finish_cpu(struct measure *m, const struct stopwatch *s, double operations)
{
    m->cpu = measure_cpu(s) * 1e9 / operations;
    return 0;
}

int measure_finish_children(struct measure *m, const struct stopwatch *s, double operations)
{
    m->cpu = (cpu_of(RUSAGE_CHILDREN) - s->children) * 1e9 / operations;
    return 0;
}

int measure_fail(struct measure *m, const char *why)
{
    snprintf(m->why, sizeof m->why, "%s", why);
    m->figure = m->cpu = MEASURE_NAN;
    return -1;
}

double measure_resident(void)
{
    double pages;
    FILE *f = fopen("/proc/self/statm", "r");

    CHECK(f && fscanf(f, "%*f %lf", &pages) == 1);
    fclose(f);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- rounds ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double ranked(const double v[], int n, int rank)
{
    double sorted[16];

    CHECK(n > 0 && (size_t)n <= ARRAY_SIZE(sorted));
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    return sorted[rank];
}

double measure_median(const double v[], int n)
{
    return ranked(v, n, n / 2);
}

double measure_least(const double v[], int n)
{
    return ranked(v, n, 0);
}

double measure_most(const double v[], int n)
{
    return ranked(v, n, n - 1);
}

/* ---- peers ---- */

struct measure_peer measure_peer_start(measure_serve_f serve)
{
    struct measure_peer p;
    int in[2], out[2];

    CHECK(pipe(in) == 0 && pipe(out) == 0);
    fflush(NULL);
    p.pid = fork();
    CHECK(p.pid >= 0);
    if (p.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(in[1]);
        close(out[0]);
        serve(in[0], out[1]);
        _exit(0);
    }
    close(in[0]);
    close(out[1]);
    p.in = in[1];
    p.out = out[0];
    return p;
}

void measure_peer_line(struct measure_peer *p, char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        CHECK(read(p->out, line + i, 1) == 1);
        if (line[i] == '\n') {
            line[i] = '\0';
            return;
        }
    }
    UNREACHABLE();
}

void measure_peer_stop(struct measure_peer *p)
{
    close(p->in);
    CHECK(waitpid(p->pid, NULL, 0) == p->pid);
    close(p->out);
}

void measure_tell(int out, const char *line)
{
    measure_write(out, line, strlen(line));
    measure_write(out, "\n", 1);
}

void measure_await_end(int in)
{
    char c;

    while (read(in, &c, 1) > 0)
        continue;
}

/* ---- nodes ---- */

struct measure_node measure_node_start(void)
{
    struct measure_node n = { .host = host_real_create() };
    struct runtime_options options = { 0 };
    struct error err;

    n.runtime = runtime_create(n.host, &options, &err);
    if (!n.runtime)
        fprintf(stderr, "bench: %s\n", err.text);
    CHECK(n.runtime);
    return n;
}

void measure_node_stop(struct measure_node *n)
{
    runtime_destroy(n->runtime);
    host_destroy(n->host);
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(unsigned short port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void send_at_once(int fd)
{
    int on = 1;

    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

int measure_listen(unsigned short *ret_port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 128) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &size) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

int measure_connect(unsigned short port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    send_at_once(fd);
    return fd;
}

int measure_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    CHECK(fd >= 0);
    send_at_once(fd);
    return fd;
}

void measure_write(int fd, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t n = write(fd, p, size);
        CHECK(n > 0);
        p += n;
        size -= (size_t)n;
    }
}

/* ---- the message ---- */

struct measure_body {
    Pb__AgentID agent;
    Pb__FrameworkID framework;
    Pb__ExecutorID executor;
    Pb__FrameworkToExecutorMessage message;
    uint8_t data[MEASURE_BODY];
};

struct measure_body *measure_body_create(void)
{
    struct measure_body *b = mem_alloc(sizeof *b);
    size_t empty;

    pb__agent_id__init(&b->agent);
    pb__framework_id__init(&b->framework);
    pb__executor_id__init(&b->executor);
    pb__framework_to_executor_message__init(&b->message);
    b->agent.value = "agent-S17";
    b->framework.value = "framework-0042";
    b->executor.value = "executor-4711";
    b->message.slave_id = &b->agent;
    b->message.framework_id = &b->framework;
    b->message.executor_id = &b->executor;
    b->message.data.data = b->data;
    empty = protobuf_c_message_get_packed_size(&b->message.base);
    b->message.data.len = MEASURE_BODY - empty;
    memset(b->data, 'x', sizeof b->data);
    CHECK(protobuf_c_message_get_packed_size(&b->message.base) == MEASURE_BODY);
    return b;
}

void measure_body_free(struct measure_body *b)
{
    mem_free(b);
}

const ProtobufCMessage *measure_body_message(const struct measure_body *b)
{
    return &b->message.base;
}
