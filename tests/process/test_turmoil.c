/* test_turmoil.c - a crowd of processes does everything to each other at once
 *
 * They spawn, link, ask, wait, discard, terminate each other and themselves,
 * set and cancel timers, on four workers; what was begun must have ended,
 * exactly once, when the runtime is gone.  Under the thread sanitizer this is
 * the search for missing order; in the simulated world, for missing repetition.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "process/future.h"
#include "process/sim.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { PLACES = 24, MOVES = 30000, MOVES_IN_THE_WORLD = 3000 };

struct crowd {
    struct runtime *rt;
    pthread_mutex_t lock; /* of places */
    struct pid places[PLACES];
    _Atomic int moves; /* left */
    _Atomic int births, deaths;
    _Atomic int args_made, args_released;
    _Atomic int lasts_asked, lasts_run;
    _Atomic int links, exits;
};

struct soul {
    struct process process;
    struct crowd *crowd;
    uint64_t random;
    struct timer timer;
};

CLASS(soul, "soul", soul_begins, soul_exited, soul_ends);

static unsigned below(struct soul *s, unsigned n)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)(s->random % n);
}

static void bear(struct crowd *c, uint64_t random)
{
    struct soul *s = mem_alloc(sizeof *s);

    s->crowd = c;
    s->random = random * 2 + 1;
    atomic_fetch_add(&c->births, 1);
    ck_assert_int_eq(process_spawn(c->rt, &s->process, &soul_class, NULL, NULL, NULL), 0);
}

/* Somebody, who may be dead. */
static struct pid anybody(struct soul *s)
{
    unsigned i = below(s, PLACES);
    struct pid pid;

    pthread_mutex_lock(&s->crowd->lock);
    pid = pid_dup(&s->crowd->places[i]);
    pthread_mutex_unlock(&s->crowd->lock);
    return pid;
}

struct turn_args {
    struct crowd *crowd;
};

static struct crowd *made(struct crowd *c)
{
    atomic_fetch_add(&c->args_made, 1);
    return c;
}

static void turn_release(struct turn_args *a)
{
    atomic_fetch_add(&a->crowd->args_released, 1);
}

CALL(soul, move, turn_args, turn_release);
ASK(soul, answer, turn_args, turn_release);
STEP(soul, ask_on, crowd);
STEP(soul, give_up, crowd);
LAST(soul, count_last, crowd);

static struct future *answer(struct soul *s, struct turn_args *a)
{
    struct promise *p;
    struct future *f;

    switch (below(s, 4)) {
    case 0:
        return future_failed(&future_nothing, 5, "no");
    case 1:
        p = promise_create(&future_nothing);
        f = promise_future(p);
        promise_unref(p); /* abandoned */
        return f;
    case 2: {
        struct pid pid = anybody(s);

        f = ask(&pid, answer, .crowd = made(a->crowd));
        pid_release(&pid);
        return f;
    }
    default:
        return future_ready(&future_nothing, NULL);
    }
}

static struct future *ask_on(struct soul *s, struct future *f UNUSED, struct crowd *c)
{
    struct pid pid = anybody(s);
    struct future *next = ask(&pid, answer, .crowd = made(c));

    pid_release(&pid);
    return next;
}

static struct future *give_up(struct soul *s UNUSED, struct future *f, struct crowd *c UNUSED)
{
    future_discard(f);
    return future_ready(&future_nothing, NULL);
}

static void count_last(struct soul *s UNUSED, struct future *f, struct crowd *c)
{
    ck_assert_int_ne(future_state(f), FUTURE_PENDING);
    atomic_fetch_add(&c->lasts_run, 1);
}

static void rest(void *arg UNUSED) {}

static struct future *wish(struct soul *s)
{
    struct future *f[3];

    switch (below(s, 6)) {
    case 0:
        return THEN(ask_on(s, NULL, s->crowd), ask_on, s, s->crowd);
    case 1:
        return RECOVER(ask_on(s, NULL, s->crowd), ask_on, s, s->crowd);
    case 2:
        return AFTER(ask_on(s, NULL, s->crowd), MICROSECONDS(50), give_up, s, s->crowd);
    case 3:
        for (int i = 0; i < 3; i++)
            f[i] = ask_on(s, NULL, s->crowd);
        return below(s, 2) ? future_collect(f, 3) : future_select(f, 3);
    case 4:
        return process_async(s->crowd->rt, rest, NULL);
    default:
        f[0] = REPAIR(ask_on(s, NULL, s->crowd), ask_on, s, s->crowd);
        future_discard(f[0]);
        return f[0];
    }
}

static void move(struct soul *s, struct turn_args *a)
{
    struct crowd *c = a->crowd;
    struct pid pid = anybody(s);

    if (atomic_fetch_sub(&c->moves, 1) > 0) {
        switch (below(s, 6)) {
        case 0:
            process_terminate(&pid, below(s, 2) ? TERMINATE_NOW : TERMINATE_AFTER_QUEUED);
            break;
        case 1:
            atomic_fetch_add(&c->links, 1);
            process_link(&s->process, &pid, LINK_REUSE);
            break;
        case 2:
            process_cancel(&s->timer);
            s->timer = delay(&pid, MICROSECONDS(below(s, 100)), move, .crowd = made(c));
            break;
        default:
            atomic_fetch_add(&c->lasts_asked, 1);
            FINALLY(wish(s), count_last, s, c);
        }
        dispatch(&s->process.pid, move, .crowd = made(c));
    }
    pid_release(&pid);
}

static void soul_begins(struct soul *s)
{
    unsigned i = below(s, PLACES);
    struct pid before;

    pthread_mutex_lock(&s->crowd->lock);
    before = s->crowd->places[i];
    s->crowd->places[i] = pid_dup(&s->process.pid);
    pthread_mutex_unlock(&s->crowd->lock);
    pid_release(&before);
    dispatch(&s->process.pid, move, .crowd = made(s->crowd));
    if (below(s, 10) == 0)
        process_terminate(&s->process.pid, TERMINATE_NOW);
}

static void soul_exited(struct soul *s, const struct pid *peer UNUSED)
{
    atomic_fetch_add(&s->crowd->exits, 1);
}

/* Also from here things may be asked, and somebody may be born. */
static void soul_ends(struct soul *s)
{
    struct crowd *c = s->crowd;

    process_cancel(&s->timer);
    if (atomic_load(&c->moves) > 0) {
        atomic_fetch_add(&c->lasts_asked, 1);
        FINALLY(wish(s), count_last, s, c);
        bear(c, s->random);
    }
    atomic_fetch_add(&c->deaths, 1);
    mem_free(s);
}

static void crowd_start(struct crowd *c, struct runtime *rt, int moves)
{
    c->rt = rt;
    pthread_mutex_init(&c->lock, NULL);
    atomic_store(&c->moves, moves);
    for (unsigned i = 0; i < PLACES; i++)
        bear(c, i + 1);
}

static bool is_tired(void *arg)
{
    return atomic_load(&((struct crowd *)arg)->moves) <= 0;
}

/* The runtime is gone. */
static void crowd_check(struct crowd *c)
{
    for (int i = 0; i < PLACES; i++)
        pid_release(&c->places[i]);
    ck_assert_int_eq(c->births, c->deaths);
    ck_assert_int_eq(c->args_made, c->args_released);
    ck_assert_int_eq(c->lasts_asked, c->lasts_run);
    ck_assert_int_ge(c->links, c->exits);
    ck_assert_int_gt(c->exits, 0);
}

static void toss(bool wait)
{
    struct node n = node_start(4);
    struct crowd c = { .rt = NULL };

    crowd_start(&c, n.rt, place_is_simulated() ? MOVES_IN_THE_WORLD : MOVES);
    if (wait) {
        while (!is_tired(&c))
            node_settle(&n);
        node_settle(&n);
    }
    node_stop(&n);
    if (!wait)
        atomic_fetch_add(&c.exits, 1); /* perhaps nobody had got so far */
    if (!wait)
        atomic_fetch_add(&c.links, 1);
    crowd_check(&c);
}

START_TEST(what_a_crowd_begins_is_ended_once)
{
    toss(true);
}
END_TEST

START_TEST(what_a_crowd_begins_is_ended_once_when_the_runtime_goes_first)
{
    for (int i = 0; i < 5; i++)
        toss(false);
}
END_TEST

static uint64_t toss_in_the_world(uint64_t seed)
{
    struct sim *sim = sim_create(seed);
    struct host *host = sim_host_create(sim_node_create(sim, "one", 0x0a000001), "crowd");
    struct runtime_options options = { .bind = { .ip = 0x0a000001 }, .workers = 4 };
    struct crowd c = { .rt = NULL };
    struct error err;
    uint64_t trace;

    crowd_start(&c, runtime_create(host, &options, &err), MOVES_IN_THE_WORLD);
    ck_assert(sim_run_until(sim, is_tired, &c, HOURS(1)));
    sim_run_for(sim, SECONDS(1));
    runtime_destroy(c.rt);
    host_destroy(host);
    trace = sim_trace(sim);
    sim_destroy(sim);
    crowd_check(&c);
    return trace;
}

START_TEST(a_crowd_in_the_world_repeats_itself)
{
    for (uint64_t seed = place_seed(1); seed <= place_seed(3); seed++)
        ck_assert_uint_eq(toss_in_the_world(seed), toss_in_the_world(seed));
    ck_assert_uint_ne(toss_in_the_world(place_seed(1)), toss_in_the_world(place_seed(1) + 1));
}
END_TEST

UNIT(turmoil, what_a_crowd_begins_is_ended_once,
     what_a_crowd_begins_is_ended_once_when_the_runtime_goes_first,
     a_crowd_in_the_world_repeats_itself);
