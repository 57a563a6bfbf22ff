/* measure.h - what one measurement is, and a stop-watch for it
 *
 * A measurement runs in an OS process of its own, which bench.c starts, and
 * fills in a figure in the unit of its row, and the CPU time of one operation,
 * of all threads and of all children that it has waited for.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host;
struct runtime;

#define MEASURE_NAN __builtin_nan("")

struct measure {
    double figure; /* in the row's unit; not a number: not measured */
    double cpu;    /* nanoseconds for each operation; not a number: has none */
    char why[160]; /* it could not be measured: the reason */
};

/* 0, or -1 and `why` says what is missing here. */
typedef int (*measure_f)(struct measure *m);

struct stopwatch {
    double wall, cpu, children; /* children: of cpu, that of those that were waited for */
}; /* seconds */

struct stopwatch measure_start(void);
double measure_wall(const struct stopwatch *s); /* seconds since the start */
double measure_cpu(const struct stopwatch *s);

/* The figure is operations a second; for the end of what was timed.  CPU that
 * children used counts when they have been waited for: then say
 * measure_finish_cpu afterwards. */
int measure_finish(struct measure *m, const struct stopwatch *s, double operations);
int measure_finish_cpu(struct measure *m, const struct stopwatch *s, double operations);
/* The CPU time is the children's alone: of a server without its client. */
int measure_finish_children(struct measure *m, const struct stopwatch *s, double operations);
int measure_fail(struct measure *m, const char *why);

/* A million timers, due within a day and 1000 s from now, in no order; of which
 * so many are replaced, one after the other. */
enum { MEASURE_TIMERS = 1000000, MEASURE_REPLACED = 3000000 };
static inline uint64_t measure_spread(size_t i) /* in microseconds */
{
    return 1000000000 + i * UINT64_C(2654435761) % UINT64_C(86400000000);
}

/* What this OS process has in memory, in bytes. */
double measure_resident(void);

/* Of the rounds of a row; n is small. */
double measure_median(const double v[], int n);
double measure_least(const double v[], int n);
double measure_most(const double v[], int n);

/* A child that runs serve(in, out), which tells by writing lines to `out` and
 * returns when it has read the end of `in`. */
struct measure_peer {
    pid_t pid;
    int in, out;
};
typedef void (*measure_serve_f)(int in, int out);
struct measure_peer measure_peer_start(measure_serve_f serve);
/* One line of what it tells, without the newline; aborts when it has ended. */
void measure_peer_line(struct measure_peer *p, char *line, size_t size);
void measure_peer_stop(struct measure_peer *p); /* waits for it */
void measure_tell(int out, const char *line);   /* for the child; adds the newline */
void measure_await_end(int in);

/* A runtime of its own on the real host. */
struct measure_node {
    struct host *host;
    struct runtime *runtime;
};
struct measure_node measure_node_start(void);
void measure_node_stop(struct measure_node *n);

/* TCP on loopback. */
int measure_listen(unsigned short *ret_port);
int measure_connect(unsigned short port);
int measure_accept(int listener);
void measure_write(int fd, const void *data, size_t size); /* all of it, or aborts */

/* A Pb__FrameworkToExecutorMessage that packs to this many bytes; its memory is
 * the caller's. */
#define MEASURE_BODY 100
struct measure_body;
struct measure_body *measure_body_create(void);
void measure_body_free(struct measure_body *b);
const struct ProtobufCMessage *measure_body_message(const struct measure_body *b);

/* The rows' two sides, by file. */
int bench_actors_ping_pong(struct measure *m);
int bench_actors_ring(struct measure *m);
int bench_actors_fan_in(struct measure *m);
int bench_actors_idle(struct measure *m);
int bench_actors_lives(struct measure *m);
int bench_local_dispatch(struct measure *m);
int bench_local_give(struct measure *m);
int bench_local_send(struct measure *m);
int bench_local_spawn(struct measure *m);
int bench_local_spawn_many(struct measure *m);
int bench_local_timer_memory(struct measure *m);
int bench_local_timers(struct measure *m);
int bench_local_timers_million(struct measure *m);
int bench_local_then(struct measure *m);
int bench_bare_mailbox(struct measure *m);
int bench_bare_queue(struct measure *m);
int bench_bare_round_trips(struct measure *m);
int bench_bare_timers_million(struct measure *m);
int bench_bare_copies(struct measure *m);
int bench_bare_threads(struct measure *m);
int bench_bare_timers(struct measure *m);
int bench_bare_closures(struct measure *m);
int bench_remote_messages(struct measure *m);
int bench_remote_round_trip(struct measure *m);
int bench_socket_stream(struct measure *m);
int bench_socket_round_trip(struct measure *m);
int bench_http_ours(struct measure *m);
int bench_http_bare(struct measure *m);
int bench_json_ours(struct measure *m);
int bench_json_jansson(struct measure *m);
int bench_child_ours_small(struct measure *m);
int bench_child_ours_large(struct measure *m);
int bench_child_bare_small(struct measure *m);
int bench_child_bare_large(struct measure *m);
int bench_tasks_ours(struct measure *m);
int bench_tasks_bare(struct measure *m);
int bench_api_events_protobuf(struct measure *m);
int bench_api_events_json(struct measure *m);
int bench_api_calls_protobuf(struct measure *m);
int bench_api_calls_json(struct measure *m);
int bench_api_state(struct measure *m);
int bench_api_delay_loaded(struct measure *m);
int bench_api_delay_quiet(struct measure *m);
int bench_api_schedulers_cpu(struct measure *m);
int bench_api_schedulers_memory(struct measure *m);
int bench_idle_master_memory(struct measure *m);
int bench_idle_agent_memory(struct measure *m);
int bench_idle_master_cpu(struct measure *m);
int bench_idle_agent_cpu(struct measure *m);
int bench_idle_master_wakes(struct measure *m);
int bench_idle_agent_wakes(struct measure *m);

#endif
