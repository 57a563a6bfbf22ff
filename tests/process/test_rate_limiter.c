/* test_rate_limiter.c - permits, evenly spaced, on a clock that stands */
#include "process/rate_limiter.h"

#include "process/future.h"
#include "process/process.h"
#include "process/sim.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { N = 4 };

struct scene {
    struct node n;
    struct rate_limiter *limiter;
    struct future *asked[N];
};

static struct rate_limiter *create(struct runtime *rt, unsigned permits, struct duration per)
{
    struct error err;
    struct rate_limiter *l = rate_limiter_create(rt, permits, per, &err);

    ck_assert_msg(l != NULL, "%s", l ? "" : err.text);
    return l;
}

/* Ten in a second; N ask. */
static void scene_start(struct scene *s)
{
    s->n = node_start(1);
    runtime_clock_pause(s->n.rt);
    s->limiter = create(s->n.rt, 10, SECONDS(1));
    for (int i = 0; i < N; i++)
        s->asked[i] = rate_limiter_acquire(s->limiter);
}

static void scene_stop(struct scene *s)
{
    rate_limiter_destroy(s->limiter);
    for (int i = 0; i < N; i++)
        future_unref(s->asked[i]);
    node_stop(&s->n);
}

/* "r" ready, "d" discarded, "." pending. */
static void check_asked(struct scene *s, const char *expected)
{
    char got[N + 1] = "";

    node_settle(&s->n);
    for (int i = 0; i < N; i++)
        got[i] = ".r?d"[future_state(s->asked[i])];
    ck_assert_str_eq(got, expected);
}

START_TEST(permits_come_evenly_spaced)
{
    struct scene s;

    scene_start(&s);
    check_asked(&s, "r...");
    runtime_clock_advance(s.n.rt, MILLISECONDS(99));
    check_asked(&s, "r...");
    runtime_clock_advance(s.n.rt, MILLISECONDS(1));
    check_asked(&s, "rr..");
    runtime_clock_advance(s.n.rt, MILLISECONDS(100));
    check_asked(&s, "rrr.");
    runtime_clock_advance(s.n.rt, MILLISECONDS(100));
    check_asked(&s, "rrrr");
    scene_stop(&s);
}
END_TEST

START_TEST(what_was_not_used_is_not_saved_up)
{
    struct scene s;
    struct future *first, *second;

    scene_start(&s);
    for (int i = 1; i < N; i++) {
        check_asked(&s, &"r...\0rr..\0rrr."[(i - 1) * 5]);
        runtime_clock_advance(s.n.rt, MILLISECONDS(100));
    }
    check_asked(&s, "rrrr");
    runtime_clock_advance(s.n.rt, SECONDS(10));
    first = rate_limiter_acquire(s.limiter);
    second = rate_limiter_acquire(s.limiter);
    node_settle(&s.n);
    ck_assert_int_eq(future_state(first), FUTURE_READY);
    ck_assert_int_eq(future_state(second), FUTURE_PENDING);
    future_unref(first);
    future_unref(second);
    scene_stop(&s);
}
END_TEST

START_TEST(one_that_is_discarded_leaves_and_uses_no_permit)
{
    struct scene s;

    scene_start(&s);
    check_asked(&s, "r...");
    future_discard(s.asked[1]);
    check_asked(&s, "rd..");
    runtime_clock_advance(s.n.rt, MILLISECONDS(100));
    check_asked(&s, "rdr.");
    future_discard(s.asked[3]);
    check_asked(&s, "rdrd");
    scene_stop(&s);
}
END_TEST

START_TEST(the_end_of_a_limiter_discards_those_who_wait)
{
    struct scene s;

    scene_start(&s);
    check_asked(&s, "r...");
    rate_limiter_destroy(s.limiter);
    s.limiter = NULL;
    check_asked(&s, "rddd");
    scene_stop(&s);
}
END_TEST

/* ---- in the world, where time flies ---- */

struct until {
    struct future *f;
};

static bool is_settled(void *arg)
{
    return future_state(((struct until *)arg)->f) != FUTURE_PENDING;
}

START_TEST(in_the_world_a_thousand_take_the_time_of_a_thousand)
{
    enum { MANY = 1000 };
    struct sim *sim = sim_create(7);
    struct host *host = sim_host_create(sim_node_create(sim, "one", 0x0a000001), "limiter");
    struct runtime_options options = { .bind = { .ip = 0x0a000001 }, .workers = 2 };
    struct runtime *rt = runtime_create(host, &options, NULL);
    struct rate_limiter *l = create(rt, 2, SECONDS(1));
    struct instant begun = sim_now(sim);
    struct until last = { NULL };
    double took;

    for (int i = 0; i < MANY; i++) {
        future_unref(last.f);
        last.f = rate_limiter_acquire(l);
    }
    ck_assert(sim_run_until(sim, is_settled, &last, HOURS(1)));
    ck_assert_int_eq(future_state(last.f), FUTURE_READY);
    took = duration_seconds(instant_since(sim_now(sim), begun));
    ck_assert_double_ge(took, (MANY - 1) / 2.0);
    ck_assert_double_lt(took, (MANY - 1) / 2.0 + 1);
    future_unref(last.f);
    rate_limiter_destroy(l);
    runtime_destroy(rt);
    host_destroy(host);
    sim_destroy(sim);
}
END_TEST

UNIT(rate_limiter, permits_come_evenly_spaced, what_was_not_used_is_not_saved_up,
     one_that_is_discarded_leaves_and_uses_no_permit,
     the_end_of_a_limiter_discards_those_who_wait,
     in_the_world_a_thousand_take_the_time_of_a_thousand);
