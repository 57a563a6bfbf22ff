/* test_queue.c - values in order, to those who wait in order */
#include "process/queue.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "process/sim.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

FUTURE_TYPE(value, int);
FUTURE_TYPE_DEFINE(value, int, NULL);

struct string {
    char *text;
};

static void free_string(void *value)
{
    mem_free(((struct string *)value)->text);
}

FUTURE_TYPE(string, struct string);
FUTURE_TYPE_DEFINE(string, struct string, free_string);

static void put(struct queue *q, int value)
{
    queue_put(q, &value_type, &value);
}

/* Takes f. */
static void check_value(struct future *f, int value)
{
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_int_eq(*value_get(f), value);
    future_unref(f);
}

START_TEST(values_come_out_in_the_order_they_went_in)
{
    struct queue *q = queue_create(&value_type);

    for (int i = 0; i < 3; i++)
        put(q, i);
    ck_assert_uint_eq(queue_length(q), 3);
    for (int i = 0; i < 3; i++)
        check_value(queue_get(q), i);
    ck_assert_uint_eq(queue_length(q), 0);
    queue_destroy(q);
}
END_TEST

START_TEST(who_asked_first_gets_the_first_value)
{
    struct queue *q = queue_create(&value_type);
    struct future *first = queue_get(q), *second = queue_get(q);

    ck_assert_int_eq(future_state(first), FUTURE_PENDING);
    put(q, 1);
    ck_assert_int_eq(future_state(second), FUTURE_PENDING);
    check_value(first, 1);
    put(q, 2);
    put(q, 3);
    check_value(second, 2);
    check_value(queue_get(q), 3);
    queue_destroy(q);
}
END_TEST

START_TEST(a_discarded_get_leaves_the_queue)
{
    struct queue *q = queue_create(&value_type);
    struct future *first = queue_get(q), *second = queue_get(q), *third = queue_get(q);

    future_discard(second);
    ck_assert_int_eq(future_state(second), FUTURE_DISCARDED);
    put(q, 1);
    put(q, 2);
    check_value(first, 1);
    check_value(third, 2);
    future_unref(second);
    queue_destroy(q);
}
END_TEST

START_TEST(a_discard_through_a_future_that_follows_leaves_the_queue)
{
    struct queue *q = queue_create(&value_type);
    struct promise *p = value_promise();
    struct future *f = promise_future(p);

    promise_follow(p, queue_get(q));
    promise_unref(p);
    future_discard(f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    put(q, 1);
    ck_assert_uint_eq(queue_length(q), 1);
    future_unref(f);
    queue_destroy(q);
}
END_TEST

START_TEST(the_end_of_a_queue_releases_values_and_discards_gets)
{
    struct queue *q = queue_create(&string_type);
    struct future *f = queue_get(q);
    struct string got = { mem_strdup("got") }, left = { mem_strdup("left") };

    queue_put(q, &string_type, &got);
    queue_put(q, &string_type, &left); /* the sanitizer would see a leak */
    ck_assert_str_eq(string_get(f)->text, "got");
    future_unref(f);
    queue_destroy(q);

    q = queue_create(&string_type);
    f = queue_get(q);
    queue_destroy(q);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    queue_destroy(NULL);
}
END_TEST

START_TEST(a_value_of_another_type_aborts)
{
    queue_put(queue_create(&value_type), &string_type, &(struct string){ NULL });
}
END_TEST

/* ---- many at once ---- */

enum { EATERS = 4, FEEDERS = 4, MEALS = 2000 };

/* Eats what there is; now and then asks, and thinks better of it. */
struct eater {
    struct process process;
    struct queue *queue;
    _Atomic long *sum, *left;
    struct host *host;
    int asked;
};

struct meal {
    char unused;
};

CLASS(eater, "eater", eater_initialize, eater_exited, eater_finalize);
LAST(eater, meal_came, meal);

static void eat(struct eater *e)
{
    struct future *f = queue_get(e->queue);

    if (++e->asked % 3 == 0)
        future_discard(f);
    FINALLY(f, meal_came, e, NULL);
}

static void meal_came(struct eater *e, struct future *f, struct meal *op UNUSED)
{
    if (future_state(f) == FUTURE_READY) {
        *e->sum += *value_get(f);
        if (--*e->left == 0)
            host_notify(e->host);
    }
    if (*e->left > 0)
        eat(e);
}

static void eater_initialize(struct eater *e)
{
    eat(e);
}

static void eater_exited(struct eater *e UNUSED, const struct pid *peer UNUSED) {}
static void eater_finalize(struct eater *e UNUSED) {}

struct feeder {
    struct process process;
    struct queue *queue;
};

struct dish {
    int n;
};

CLASS(feeder, "feeder", feeder_initialize, feeder_exited, feeder_finalize);
CALL(feeder, feed, dish, NO_RELEASE);

static void feed(struct feeder *f, struct dish *d)
{
    put(f->queue, d->n);
    if (d->n < MEALS)
        dispatch(&f->process.pid, feed, .n = d->n + 1);
}

static void feeder_initialize(struct feeder *f)
{
    dispatch(&f->process.pid, feed, .n = 1);
}

static void feeder_exited(struct feeder *f UNUSED, const struct pid *peer UNUSED) {}
static void feeder_finalize(struct feeder *f UNUSED) {}

static bool is_zero(void *arg)
{
    return *(_Atomic long *)arg == 0;
}

struct canteen {
    struct queue *queue;
    _Atomic long sum, left;
    struct eater eaters[EATERS];
    struct feeder feeders[FEEDERS];
};

static void canteen_open(struct canteen *c, struct runtime *rt)
{
    c->queue = queue_create(&value_type);
    c->sum = 0;
    c->left = (long)FEEDERS * MEALS;
    for (int i = 0; i < EATERS; i++) {
        c->eaters[i] = (struct eater){ .queue = c->queue, .sum = &c->sum, .left = &c->left,
                                       .host = runtime_host(rt) };
        ck_assert_int_eq(
            process_spawn(rt, &c->eaters[i].process, &eater_class, NULL, NULL, NULL), 0);
    }
    for (int i = 0; i < FEEDERS; i++) {
        c->feeders[i].queue = c->queue;
        ck_assert_int_eq(
            process_spawn(rt, &c->feeders[i].process, &feeder_class, NULL, NULL, NULL), 0);
    }
}

/* When its runtime has ended. */
static void canteen_close(struct canteen *c)
{
    ck_assert_int_eq(c->sum, (long)FEEDERS * MEALS * (MEALS + 1) / 2);
    ck_assert_uint_eq(queue_length(c->queue), 0);
    queue_destroy(c->queue);
}

START_TEST(of_many_threads_each_value_reaches_one)
{
    struct node n = node_start(4);
    struct canteen c;

    canteen_open(&c, n.rt);
    ck_assert(host_wait(n.host, is_zero, &c.left, instant_add(host_now(n.host), LONG)));
    node_stop(&n);
    canteen_close(&c);
}
END_TEST

/* A figure that tells two runs apart. */
static uint64_t eat_in_the_world(uint64_t seed)
{
    struct sim *sim = sim_create(seed);
    struct host *host = sim_host_create(sim_node_create(sim, "one", 0x0a000001), "canteen");
    struct runtime_options options = { .bind = { .ip = 0x0a000001 }, .workers = 4 };
    struct runtime *rt = runtime_create(host, &options, NULL);
    struct canteen c;
    uint64_t trace;

    canteen_open(&c, rt);
    ck_assert(sim_run_until(sim, is_zero, &c.left, HOURS(1)));
    runtime_destroy(rt);
    host_destroy(host);
    trace = sim_trace(sim);
    sim_destroy(sim);
    canteen_close(&c);
    return trace;
}

START_TEST(in_the_world_the_same_seed_is_the_same_run)
{
    ck_assert_uint_eq(eat_in_the_world(1), eat_in_the_world(1));
    ck_assert_uint_ne(eat_in_the_world(1), eat_in_the_world(2));
}
END_TEST

UNIT(queue, values_come_out_in_the_order_they_went_in, who_asked_first_gets_the_first_value,
     a_discarded_get_leaves_the_queue,
     a_discard_through_a_future_that_follows_leaves_the_queue,
     the_end_of_a_queue_releases_values_and_discards_gets,
     of_many_threads_each_value_reaches_one, in_the_world_the_same_seed_is_the_same_run,
     THESE_ABORT, a_value_of_another_type_aborts);
