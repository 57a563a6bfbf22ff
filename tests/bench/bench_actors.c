/* bench_actors.c - many actors that wait for each other
 *
 * A token goes back and forth between two actors, or round a ring; many actors
 * feed one; an actor starts others, ends them and hears of their ends.
 */
#include <semaphore.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "tests/bench/measure.h"

enum {
    HOPS = 2000000,
    RING = 1000,
    FEEDERS = 100,
    BURST = 500,
    BURSTS = 8000, /* of all feeders */
    LIVES = 1000000,
    ALIVE = 100,
    IDLE = 1000000
};

static void wait_for(sem_t *s)
{
    while (sem_wait(s) != 0)
        continue;
}

/* An actor that says something to the next one. */
struct member {
    struct process process;
    struct pid next; /* empty: the one who is fed */
    size_t left;     /* hops of the token; bursts of all feeders */
    size_t fed;
    sem_t *done;
};

CALL(member, hop, nothing, NO_RELEASE);
CALL(member, feed, nothing, NO_RELEASE);
struct fed_args {
    struct pid by; /* borrowed: set in the last of a burst */
};
CALL(member, fed, fed_args, NO_RELEASE);
CLASS(member, "member", member_initialize, member_exited, member_finalize);

static void member_initialize(struct member *m UNUSED) {}
static void member_exited(struct member *m UNUSED, const struct pid *peer UNUSED) {}
static void member_finalize(struct member *m UNUSED) {}

static struct member *members_start(struct runtime *rt, size_t n, sem_t *done)
{
    struct member *v = mem_array(n, sizeof *v);

    CHECK(sem_init(done, 0, 0) == 0);
    for (size_t i = 0; i < n; i++) {
        v[i].done = done;
        CHECK(process_spawn(rt, &v[i].process, &member_class, NULL, NULL, NULL) == 0);
    }
    return v;
}

/* The runtime has ended, and with it they. */
static void members_free(struct member *v, size_t n, sem_t *done)
{
    for (size_t i = 0; i < n; i++)
        pid_release(&v[i].next);
    sem_destroy(done);
    mem_free(v);
}

/* ---- a token ---- */

static void hop(struct member *m, struct nothing *args UNUSED)
{
    if (m->left-- == 0)
        sem_post(m->done);
    else
        dispatch(&m->next, hop, 0);
}

static int pass_token(struct measure *m, size_t n, size_t operations)
{
    struct measure_node node = measure_node_start();
    struct stopwatch watch;
    struct member *v;
    sem_t done;

    v = members_start(node.runtime, n, &done);
    for (size_t i = 0; i < n; i++) {
        v[i].next = pid_dup(&v[(i + 1) % n].process.pid);
        v[i].left = HOPS / n;
    }
    watch = measure_start();
    dispatch(&v[0].process.pid, hop, 0);
    wait_for(&done);
    measure_finish(m, &watch, (double)operations);
    measure_node_stop(&node);
    members_free(v, n, &done);
    return 0;
}

int bench_actors_ping_pong(struct measure *m)
{
    return pass_token(m, 2, HOPS / 2); /* round trips */
}

int bench_actors_ring(struct measure *m)
{
    return pass_token(m, RING, HOPS);
}

/* ---- many to one ---- */

static void feed(struct member *m, struct nothing *args UNUSED)
{
    for (size_t i = 1; i < BURST; i++)
        dispatch(&m->next, fed, { 0 });
    dispatch(&m->next, fed, .by = m->process.pid);
}

static void fed(struct member *m, struct fed_args *args)
{
    m->fed++;
    if (pid_is_empty(&args->by))
        return;
    if (m->left > FEEDERS)
        dispatch(&args->by, feed, 0);
    if (--m->left == 0)
        sem_post(m->done);
}

int bench_actors_fan_in(struct measure *m)
{
    struct measure_node node = measure_node_start();
    struct stopwatch watch;
    struct member *v;
    sem_t done;

    v = members_start(node.runtime, FEEDERS + 1, &done);
    v[0].left = BURSTS;
    watch = measure_start();
    for (size_t i = 1; i <= FEEDERS; i++) {
        v[i].next = pid_dup(&v[0].process.pid);
        dispatch(&v[i].process.pid, feed, 0);
    }
    wait_for(&done);
    measure_finish(m, &watch, (double)BURSTS * BURST);
    measure_node_stop(&node);
    CHECK(v[0].fed == (size_t)BURSTS * BURST);
    members_free(v, FEEDERS + 1, &done);
    return 0;
}

/* ---- many that do nothing ---- */

/* With no state but the library's. */
struct idler {
    struct process process;
};

CLASS(idler, "idler", idler_initialize, idler_exited, idler_finalize);

static void idler_initialize(struct idler *i UNUSED) {}
static void idler_exited(struct idler *i UNUSED, const struct pid *peer UNUSED) {}
static void idler_finalize(struct idler *i)
{
    mem_free(i);
}

int bench_actors_idle(struct measure *m)
{
    struct measure_node node = measure_node_start();
    double before = measure_resident();

    for (size_t n = 0; n < IDLE; n++) {
        struct idler *i = mem_alloc(sizeof *i);

        CHECK(process_spawn(node.runtime, &i->process, &idler_class, NULL, NULL, NULL) == 0);
        if (n % BURST == 0) /* so that no mailbox has more than its own first event */
            CHECK(runtime_clock_settle(node.runtime, MINUTES(1)));
    }
    CHECK(runtime_clock_settle(node.runtime, MINUTES(1)));
    m->figure = (measure_resident() - before) / IDLE;
    m->cpu = MEASURE_NAN;
    measure_node_stop(&node);
    return 0;
}

/* ---- lives, from inside ---- */

struct parent {
    struct process process;
    size_t unborn, alive;
    sem_t done;
};
struct child {
    struct process process;
    struct pid parent; /* borrowed */
};

CALL(parent, begin, nothing, NO_RELEASE);
CALL(parent, one_ended, nothing, NO_RELEASE);
CLASS(parent, "parent", parent_initialize, parent_exited, parent_finalize);
CLASS(child, "child", child_initialize, child_exited, child_finalize);

static void parent_initialize(struct parent *p UNUSED) {}
static void parent_exited(struct parent *p UNUSED, const struct pid *peer UNUSED) {}
static void parent_finalize(struct parent *p UNUSED) {}
static void child_initialize(struct child *c UNUSED) {}
static void child_exited(struct child *c UNUSED, const struct pid *peer UNUSED) {}

static void child_finalize(struct child *c)
{
    dispatch(&c->parent, one_ended, 0);
    mem_free(c);
}

static void give_birth(struct parent *p)
{
    struct child *c = mem_alloc(sizeof *c);

    c->parent = p->process.pid;
    CHECK(process_spawn(p->process.runtime, &c->process, &child_class, NULL, NULL, NULL) == 0);
    process_terminate(&c->process.pid, TERMINATE_NOW);
    p->unborn--;
    p->alive++;
}

static void begin(struct parent *p, struct nothing *args UNUSED)
{
    while (p->alive < ALIVE)
        give_birth(p);
}

static void one_ended(struct parent *p, struct nothing *args UNUSED)
{
    p->alive--;
    if (p->unborn > 0)
        give_birth(p);
    else if (p->alive == 0)
        sem_post(&p->done);
}

int bench_actors_lives(struct measure *m)
{
    struct measure_node node = measure_node_start();
    struct parent p = { .unborn = LIVES };
    struct stopwatch watch;

    CHECK(sem_init(&p.done, 0, 0) == 0);
    CHECK(process_spawn(node.runtime, &p.process, &parent_class, NULL, NULL, NULL) == 0);
    watch = measure_start();
    dispatch(&p.process.pid, begin, 0);
    wait_for(&p.done);
    measure_finish(m, &watch, LIVES);
    measure_node_stop(&node);
    sem_destroy(&p.done);
    return 0;
}
