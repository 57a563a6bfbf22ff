/* bench_local.c - what the core costs within one OS process
 *
 * A flow of events is kept going in bursts: the receiver asks for another burst
 * when it has taken one, with FLYING bursts under way.  So neither side waits
 * for the other and no mailbox grows.
 */
#include <semaphore.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/message.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "tests/bench/measure.h"

enum {
    BURST = 1000,
    FLYING = 4,
    BURSTS = 1000,
    SPAWNS = 20000,
    TIMERS = 10000,
    CHAINS = 100,
    STEPS = 10
};

static void wait_for(sem_t *s)
{
    while (sem_wait(s) != 0)
        continue;
}

/* ---- one process that counts, and one that feeds it ---- */

struct sink {
    struct process process;
    sem_t taken;       /* a burst */
    struct pid source; /* empty: the feeder is a thread */
    size_t count;
};

struct source {
    struct process process;
    struct pid sink;
    struct measure_body *body;
    struct message *message; /* NULL: sent, else given */
    size_t bursts;           /* still to come */
};

struct tick_args {
    size_t n;
};
CALL(sink, tick, tick_args, NO_RELEASE);
struct burst_args {
    size_t n;
};
CALL(source, burst, burst_args, NO_RELEASE);

#define MESSAGES(ON)                                                                               \
    ON(pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage, on_message)
HANDLERS(sink, sink_handlers, MESSAGES);
CLASS(sink, "sink", sink_initialize, sink_exited, sink_finalize);
CLASS(source, "source", source_initialize, source_exited, source_finalize);

static void sink_initialize(struct sink *s)
{
    process_install(&s->process, sink_handlers);
}

static void sink_exited(struct sink *s UNUSED, const struct pid *peer UNUSED) {}
static void sink_finalize(struct sink *s UNUSED) {}
static void source_initialize(struct source *s UNUSED) {}
static void source_exited(struct source *s UNUSED, const struct pid *peer UNUSED) {}
static void source_finalize(struct source *s UNUSED) {}

static void count_one(struct sink *s)
{
    if (++s->count % BURST != 0)
        return;
    if (!pid_is_empty(&s->source))
        dispatch(&s->source, burst, .n = BURST);
    sem_post(&s->taken);
}

static void tick(struct sink *s, struct tick_args *args UNUSED)
{
    count_one(s);
}

static void on_message(struct sink *s, const struct pid *from UNUSED,
                       const Pb__FrameworkToExecutorMessage *message)
{
    CHECK(message->data.len > 0);
    count_one(s);
}

static void burst(struct source *s, struct burst_args *args)
{
    if (s->bursts == 0)
        return;
    s->bursts--;
    for (size_t i = 0; i < args->n; i++)
        if (s->message)
            process_give(&s->process, &s->sink, message_ref(s->message));
        else
            process_send(&s->process, &s->sink, measure_body_message(s->body));
}

static struct sink *sink_start(struct runtime *rt)
{
    struct sink *s = mem_alloc(sizeof *s);

    CHECK(sem_init(&s->taken, 0, 0) == 0);
    CHECK(process_spawn(rt, &s->process, &sink_class, NULL, NULL, NULL) == 0);
    return s;
}

static void sink_stop(struct sink *s)
{
    struct pid pid = pid_dup(&s->process.pid);

    process_terminate(&pid, TERMINATE_NOW);
    process_wait(&pid, MINUTES(1));
    pid_release(&pid);
    pid_release(&s->source);
    sem_destroy(&s->taken);
    mem_free(s);
}

int bench_local_dispatch(struct measure *m)
{
    struct measure_node n = measure_node_start();
    struct sink *s = sink_start(n.runtime);
    struct stopwatch watch = measure_start();

    for (size_t b = 0; b < BURSTS; b++) {
        if (b >= FLYING)
            wait_for(&s->taken);
        for (size_t i = 0; i < BURST; i++)
            dispatch(&s->process.pid, tick, .n = i);
    }
    for (size_t b = 0; b < FLYING; b++)
        wait_for(&s->taken);
    measure_finish(m, &watch, (double)BURSTS * BURST);
    sink_stop(s);
    measure_node_stop(&n);
    return 0;
}

static int flow(struct measure *m, bool give)
{
    struct measure_node n = measure_node_start();
    struct sink *sink = sink_start(n.runtime);
    struct source source = { .sink = pid_dup(&sink->process.pid), .bursts = BURSTS };
    struct stopwatch watch;
    struct pid pid;

    source.body = measure_body_create();
    source.message = give ? message_create(measure_body_message(source.body)) : NULL;
    CHECK(process_spawn(n.runtime, &source.process, &source_class, NULL, &pid, NULL) == 0);
    sink->source = pid_dup(&pid);
    watch = measure_start();
    for (size_t b = 0; b < FLYING; b++)
        dispatch(&pid, burst, .n = BURST);
    for (size_t b = 0; b < BURSTS; b++)
        wait_for(&sink->taken);
    measure_finish(m, &watch, (double)BURSTS * BURST);
    process_terminate(&pid, TERMINATE_NOW);
    process_wait(&pid, MINUTES(1));
    sink_stop(sink);
    measure_node_stop(&n);
    message_unref(source.message);
    measure_body_free(source.body);
    pid_release(&source.sink);
    pid_release(&pid);
    return 0;
}

int bench_local_give(struct measure *m)
{
    return flow(m, true);
}

int bench_local_send(struct measure *m)
{
    return flow(m, false);
}

/* ---- lives ---- */

int bench_local_spawn(struct measure *m)
{
    struct measure_node n = measure_node_start();
    struct stopwatch watch = measure_start();

    for (size_t i = 0; i < SPAWNS; i++) {
        struct source s = { .bursts = 0 };
        struct pid pid;

        CHECK(process_spawn(n.runtime, &s.process, &source_class, NULL, &pid, NULL) == 0);
        process_terminate(&pid, TERMINATE_NOW);
        CHECK(process_wait(&pid, MINUTES(1)));
        pid_release(&pid);
    }
    measure_finish(m, &watch, SPAWNS);
    measure_node_stop(&n);
    return 0;
}

/* ---- timers and futures, in the context of one actor ---- */

struct worker_actor {
    struct process process;
    sem_t done;
    size_t rounds;
};

struct round_args {
    size_t n;
};
CALL(worker_actor, timers_round, round_args, NO_RELEASE);
CALL(worker_actor, never, nothing, NO_RELEASE);
CALL(worker_actor, futures_round, round_args, NO_RELEASE);
STEP(worker_actor, next_step, nothing);
LAST(worker_actor, chain_ended, nothing);
CLASS(worker_actor, "worker", actor_initialize, actor_exited, actor_finalize);

static void actor_initialize(struct worker_actor *a UNUSED) {}
static void actor_exited(struct worker_actor *a UNUSED, const struct pid *peer UNUSED) {}
static void actor_finalize(struct worker_actor *a UNUSED) {}

static void never(struct worker_actor *a UNUSED, struct nothing *args UNUSED)
{
    UNREACHABLE();
}

static void timers_round(struct worker_actor *a, struct round_args *args)
{
    struct timer *t = mem_array(args->n, sizeof *t);

    for (size_t i = 0; i < args->n; i++)
        t[i] = delay(&a->process.pid, SECONDS(1000 + i % 7), never, 0);
    for (size_t i = 0; i < args->n; i++)
        CHECK(process_cancel(&t[i]));
    mem_free(t);
    sem_post(&a->done);
}

static struct future *next_step(struct worker_actor *a UNUSED, struct future *f,
                                struct nothing *op UNUSED)
{
    CHECK(future_state(f) == FUTURE_READY);
    return future_ready(&future_nothing, NULL);
}

/* The last of a round's chains posts. */
static void chain_ended(struct worker_actor *a, struct future *f, struct nothing *op UNUSED)
{
    CHECK(future_state(f) == FUTURE_READY);
    if (--a->rounds == 0)
        sem_post(&a->done);
}

static void futures_round(struct worker_actor *a, struct round_args *args)
{
    a->rounds = args->n;
    for (size_t i = 0; i < args->n; i++) {
        struct promise *p = promise_create(&future_nothing);
        struct future *f = promise_future(p);

        for (size_t j = 0; j < STEPS; j++)
            f = THEN(f, next_step, a, NULL);
        FINALLY(f, chain_ended, a, NULL);
        promise_set(p, &future_nothing, NULL);
        promise_unref(p);
    }
}

static int in_actor(struct measure *m, bool timers)
{
    struct measure_node n = measure_node_start();
    struct worker_actor a = { .rounds = 0 };
    size_t rounds = timers ? 50 : 500, per_round = timers ? TIMERS : CHAINS;
    struct stopwatch watch;
    struct pid pid;

    CHECK(sem_init(&a.done, 0, 0) == 0);
    CHECK(process_spawn(n.runtime, &a.process, &worker_actor_class, NULL, &pid, NULL) == 0);
    watch = measure_start();
    for (size_t i = 0; i < rounds; i++) {
        if (timers)
            dispatch(&pid, timers_round, .n = per_round);
        else
            dispatch(&pid, futures_round, .n = per_round);
        wait_for(&a.done);
    }
    measure_finish(m, &watch, (double)(rounds * per_round * (timers ? 1 : STEPS)));
    process_terminate(&pid, TERMINATE_NOW);
    process_wait(&pid, MINUTES(1));
    pid_release(&pid);
    measure_node_stop(&n);
    sem_destroy(&a.done);
    return 0;
}

int bench_local_timers(struct measure *m)
{
    return in_actor(m, true);
}

int bench_local_then(struct measure *m)
{
    return in_actor(m, false);
}
