/* bench_remote.c - messages between two OS processes on loopback
 *
 * The bodies have MEASURE_BODY bytes.  The receiver acknowledges each burst with
 * a message, and FLYING bursts are under way.
 */
#include <semaphore.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "tests/bench/measure.h"

enum { BURST = 1000, FLYING = 4, BURSTS = 150, TURNS = 5000 };

struct peer {
    struct process process;
    struct pid to; /* empty: the receiver */
    struct measure_body *body;
    sem_t done;
    size_t burst;              /* messages between two acknowledgements */
    size_t count;              /* received */
    size_t unsent, unanswered; /* bursts; with bursts of one, turns */
};

struct go_args {
    size_t bursts, answers;
};
CALL(peer, go, go_args, NO_RELEASE);

#define MESSAGES(ON)                                                                               \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, on_message)              \
    ON(pb__pong_slave_message, Pb__PongSlaveMessage, on_taken)
HANDLERS(peer, peer_handlers, MESSAGES);
CLASS(peer, "peer", peer_initialize, peer_exited, peer_finalize);

static void peer_initialize(struct peer *p)
{
    process_install(&p->process, peer_handlers);
}

static void peer_exited(struct peer *p UNUSED, const struct pid *peer UNUSED) {}
static void peer_finalize(struct peer *p UNUSED) {}

static void answer(struct peer *p, const struct pid *from)
{
    Pb__PongSlaveMessage taken = PB__PONG_SLAVE_MESSAGE__INIT;

    process_send(&p->process, from, &taken.base);
}

/* Back and forth; the receiver awaits no answers, so it goes on for ever. */
static void turn(struct peer *p, const struct pid *from)
{
    if (p->unanswered > 0 && --p->unanswered == 0)
        sem_post(&p->done);
    else
        process_send(&p->process, from, measure_body_message(p->body));
}

static void on_message(struct peer *p, const struct pid *from,
                       const Pb__FrameworkToExecutorMessage *message)
{
    CHECK(message->data.len > 0);
    if (p->burst == 1)
        turn(p, from);
    else if (++p->count % p->burst == 0)
        answer(p, from);
}

static void send_bursts(struct peer *p, size_t n)
{
    for (; n > 0 && p->unsent > 0; n--, p->unsent--)
        for (size_t i = 0; i < p->burst; i++)
            process_send(&p->process, &p->to, measure_body_message(p->body));
}

static void on_taken(struct peer *p, const struct pid *from UNUSED,
                     const Pb__PongSlaveMessage *message UNUSED)
{
    send_bursts(p, 1);
    if (--p->unanswered == 0)
        sem_post(&p->done);
}

static void go(struct peer *p, struct go_args *args)
{
    p->unsent = args->bursts;
    p->unanswered = args->answers;
    send_bursts(p, FLYING);
}

static struct peer *peer_start(struct runtime *rt, size_t burst, struct pid *ret_pid)
{
    struct peer *p = mem_alloc(sizeof *p);

    p->burst = burst;
    p->body = measure_body_create();
    CHECK(sem_init(&p->done, 0, 0) == 0);
    CHECK(process_spawn(rt, &p->process, &peer_class, NULL, ret_pid, NULL) == 0);
    return p;
}

static void peer_stop(struct peer *p, struct pid *pid)
{
    process_terminate(pid, TERMINATE_NOW);
    process_wait(pid, MINUTES(1));
    pid_release(pid);
    pid_release(&p->to);
    sem_destroy(&p->done);
    measure_body_free(p->body);
    mem_free(p);
}

static void serve(int in, int out, size_t burst)
{
    struct measure_node n = measure_node_start();
    struct pid pid;
    struct peer *p = peer_start(n.runtime, burst, &pid);
    char text[PID_TEXT];

    measure_tell(out, pid_text(&pid, text, sizeof text));
    measure_await_end(in);
    peer_stop(p, &pid);
    measure_node_stop(&n);
}

static void serve_bursts(int in, int out)
{
    serve(in, out, BURST);
}

static void serve_turns(int in, int out)
{
    serve(in, out, 1);
}

/* The figure is the time of one operation, in microseconds. */
static int talk(struct measure *m, measure_serve_f other_side, size_t burst, size_t bursts,
                size_t answers, size_t operations)
{
    struct measure_peer other = measure_peer_start(other_side);
    struct measure_node n = measure_node_start();
    struct stopwatch watch;
    struct pid pid;
    struct peer *p = peer_start(n.runtime, burst, &pid);
    char text[PID_TEXT];

    measure_peer_line(&other, text, sizeof text);
    CHECK(pid_parse(text, &p->to, NULL) == 0);
    watch = measure_start();
    dispatch(&pid, go, .bursts = bursts, .answers = answers);
    while (sem_wait(&p->done) != 0)
        continue;
    m->figure = measure_wall(&watch) * 1e6 / (double)operations;
    peer_stop(p, &pid);
    measure_node_stop(&n);
    measure_peer_stop(&other);
    return measure_finish_cpu(m, &watch, (double)operations);
}

int bench_remote_messages(struct measure *m)
{
    talk(m, serve_bursts, BURST, BURSTS, BURSTS, (size_t)BURSTS * BURST);
    m->figure = 1e6 / m->figure;
    return 0;
}

int bench_remote_round_trip(struct measure *m)
{
    return talk(m, serve_turns, 1, 1, TURNS, TURNS);
}
