/* bench_local.c - what the core costs within one OS process
 *
 * A flow of events is kept going in bursts: the receiver asks for another burst
 * when it has taken one, with FLYING bursts under way.  So neither side waits
 * for the other and no mailbox grows.
 */
#include <semaphore.h>
#include <string.h>

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
    BURSTS = 5000,
    SPAWNS = 20000,
    TIMERS = 10000,
    ROUNDS_OF_TIMERS = 100,
    CHAINS = 100,
    STEPS = 10,
    ROUNDS = 3000
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

/* ---- lives, from outside ---- */

static int lives(struct measure *m, size_t at_once)
{
    struct measure_node n = measure_node_start();
    struct source *v = mem_array(at_once, sizeof *v);
    struct pid *pids = mem_array(at_once, sizeof *pids);
    size_t rounds = at_once > 1 ? 100 * SPAWNS / at_once : SPAWNS;
    struct stopwatch watch = measure_start();

    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < at_once; i++) {
            CHECK(process_spawn(n.runtime, &v[i].process, &source_class, NULL, &pids[i], NULL) ==
                  0);
            process_terminate(&pids[i], TERMINATE_NOW);
        }
        for (size_t i = 0; i < at_once; i++) {
            CHECK(process_wait(&pids[i], MINUTES(1)));
            pid_release(&pids[i]);
        }
    }
    measure_finish(m, &watch, (double)(rounds * at_once));
    measure_node_stop(&n);
    mem_free(v);
    mem_free(pids);
    return 0;
}

int bench_local_spawn(struct measure *m)
{
    return lives(m, 1);
}

int bench_local_spawn_many(struct measure *m)
{
    return lives(m, 1000);
}

/* ---- timers and futures, in the context of one actor ---- */

struct worker_actor {
    struct process process;
    sem_t done;
    size_t rounds, chains; /* left */
    struct timer *timers;
};

struct round_args {
    size_t rounds, n; /* of each */
};
CALL(worker_actor, timers_rounds, round_args, NO_RELEASE);
CALL(worker_actor, timers_replace, nothing, NO_RELEASE);
CALL(worker_actor, never, nothing, NO_RELEASE);
CALL(worker_actor, futures_rounds, round_args, NO_RELEASE);
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

static void timers_rounds(struct worker_actor *a, struct round_args *args)
{
    struct timer *t = mem_array(args->n, sizeof *t);

    for (size_t r = 0; r < args->rounds; r++) {
        for (size_t i = 0; i < args->n; i++)
            t[i] = delay(&a->process.pid, SECONDS(1000 + i % 7), never, 0);
        for (size_t i = 0; i < args->n; i++)
            CHECK(process_cancel(&t[i]));
    }
    mem_free(t);
    sem_post(&a->done);
}

static struct future *next_step(struct worker_actor *a UNUSED, struct future *f,
                                struct nothing *op UNUSED)
{
    CHECK(future_state(f) == FUTURE_READY);
    return future_ready(&future_nothing, NULL);
}

/* One of a million goes, another one comes. */
static void timers_replace(struct worker_actor *a, struct nothing *args UNUSED)
{
    for (size_t i = MEASURE_TIMERS; i < MEASURE_TIMERS + MEASURE_REPLACED; i++) {
        struct timer *t = &a->timers[i % MEASURE_TIMERS];

        CHECK(process_cancel(t));
        *t = delay(&a->process.pid, MICROSECONDS(measure_spread(i)), never, 0);
    }
    sem_post(&a->done);
}

/* The last chain of a round begins the next one. */
static void chain_ended(struct worker_actor *a, struct future *f, struct nothing *op UNUSED)
{
    CHECK(future_state(f) == FUTURE_READY);
    if (--a->chains > 0)
        return;
    if (--a->rounds > 0)
        dispatch(&a->process.pid, futures_rounds, .rounds = a->rounds, .n = CHAINS);
    else
        sem_post(&a->done);
}

static void futures_rounds(struct worker_actor *a, struct round_args *args)
{
    a->rounds = args->rounds;
    a->chains = args->n;
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

static struct worker_actor *actor_start(struct runtime *rt)
{
    struct worker_actor *a = mem_alloc(sizeof *a);

    CHECK(sem_init(&a->done, 0, 0) == 0);
    CHECK(process_spawn(rt, &a->process, &worker_actor_class, NULL, NULL, NULL) == 0);
    return a;
}

/* The runtime has ended, and with it the actor. */
static void actor_free(struct worker_actor *a)
{
    sem_destroy(&a->done);
    mem_free(a);
}

int bench_local_timers(struct measure *m)
{
    struct measure_node node = measure_node_start();
    struct worker_actor *a = actor_start(node.runtime);
    struct stopwatch watch = measure_start();

    dispatch(&a->process.pid, timers_rounds, .rounds = ROUNDS_OF_TIMERS, .n = TIMERS);
    wait_for(&a->done);
    measure_finish(m, &watch, (double)ROUNDS_OF_TIMERS * TIMERS);
    measure_node_stop(&node);
    actor_free(a);
    return 0;
}

static int million(struct measure *m, bool replaces)
{
    struct measure_node node = measure_node_start();
    struct worker_actor *a = actor_start(node.runtime);
    struct stopwatch watch;
    double before;

    a->timers = mem_array(MEASURE_TIMERS, sizeof *a->timers);
    memset(a->timers, 0xff, MEASURE_TIMERS * sizeof *a->timers); /* is in memory now */
    before = measure_resident();
    for (size_t i = 0; i < MEASURE_TIMERS; i++)
        a->timers[i] = delay(&a->process.pid, MICROSECONDS(measure_spread(i)), never, 0);
    m->figure = (measure_resident() - before) / MEASURE_TIMERS;
    m->cpu = MEASURE_NAN;
    if (replaces) {
        watch = measure_start();
        dispatch(&a->process.pid, timers_replace, 0);
        wait_for(&a->done);
        measure_finish(m, &watch, MEASURE_REPLACED);
    }
    measure_node_stop(&node);
    mem_free(a->timers);
    actor_free(a);
    return 0;
}

int bench_local_timers_million(struct measure *m)
{
    return million(m, true);
}

int bench_local_timer_memory(struct measure *m)
{
    return million(m, false);
}

int bench_local_then(struct measure *m)
{
    struct measure_node node = measure_node_start();
    struct worker_actor *a = actor_start(node.runtime);
    struct stopwatch watch = measure_start();

    dispatch(&a->process.pid, futures_rounds, .rounds = ROUNDS, .n = CHAINS);
    wait_for(&a->done);
    measure_finish(m, &watch, (double)ROUNDS * CHAINS * STEPS);
    measure_node_stop(&node);
    actor_free(a);
    return 0;
}
