/* test_future_single.c - shields, timers, blocking gets, and what was abandoned */
#include "process/future.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "process/shared_future.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

FUTURE_TYPE(number, int);
FUTURE_TYPE_DEFINE(number, int, NULL);

/* ---- undiscardable ---- */

START_TEST(a_shield_passes_on_the_end_and_not_the_discard)
{
    struct promise *p = number_promise();
    struct future *source = promise_future(p), *f = future_undiscardable(promise_future(p));

    future_discard(f);
    ck_assert(future_has_discard(f));
    ck_assert(!future_has_discard(source));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    number_set(p, 5);
    ck_assert_int_eq(*number_get(f), 5);
    future_unref(f);
    future_unref(source);
    promise_unref(p);
}
END_TEST

START_TEST(a_shield_fails_and_is_discarded_with_what_is_behind_it)
{
    struct promise *p = number_promise(), *q = number_promise();
    struct future *failed = future_undiscardable(promise_future(p));
    struct future *left = future_undiscardable(promise_future(q));
    struct future *late = future_undiscardable(future_failed(&number_type, EIO, "broken"));

    promise_fail(p, EIO, "%s", "broken");
    promise_unref(q);
    ck_assert_str_eq(future_error(failed)->text, "broken");
    ck_assert_str_eq(future_error(late)->text, "broken");
    ck_assert_int_eq(future_state(left), FUTURE_DISCARDED);
    ck_assert(future_is_abandoned(left));
    future_unref(failed);
    future_unref(late);
    future_unref(left);
    promise_unref(p);
}
END_TEST

START_TEST(a_shield_that_nobody_looks_at_goes_with_what_is_behind_it)
{
    struct promise *p = number_promise();

    future_unref(future_undiscardable(promise_future(p)));
    number_set(p, 1);
    promise_unref(p);
}
END_TEST

/* ---- abandoned ---- */

START_TEST(a_future_says_whether_it_was_discarded_or_abandoned)
{
    struct promise *given_up = number_promise(), *left = number_promise();
    struct future *a = promise_future(given_up), *b = promise_future(left);

    ck_assert(!future_is_abandoned(b));
    promise_discard(given_up);
    promise_unref(given_up);
    promise_unref(left);
    ck_assert_int_eq(future_state(a), FUTURE_DISCARDED);
    ck_assert_int_eq(future_state(b), FUTURE_DISCARDED);
    ck_assert(!future_is_abandoned(a));
    ck_assert(future_is_abandoned(b));
    future_unref(a);
    future_unref(b);
}
END_TEST

START_TEST(who_follows_an_abandoned_one_is_abandoned)
{
    struct promise *p = number_promise(), *first = number_promise();
    struct future *f = promise_future(p);

    promise_follow(p, promise_future(first));
    promise_unref(p);
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    promise_unref(first);
    ck_assert(future_is_abandoned(f));
    future_unref(f);
}
END_TEST

/* ---- timers ---- */

START_TEST(a_timer_is_ready_when_its_time_has_come)
{
    struct node n = node_start(1);
    struct future *f, *g;

    runtime_clock_pause(n.rt);
    f = future_timer(n.rt, SECONDS(10));
    g = future_timer(n.rt, SECONDS(0));
    runtime_clock_advance(n.rt, SECONDS(9));
    node_settle(&n);
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    ck_assert_int_eq(future_state(g), FUTURE_READY);
    runtime_clock_advance(n.rt, SECONDS(1));
    node_settle(&n);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    future_unref(f);
    future_unref(g);
    node_stop(&n);
}
END_TEST

START_TEST(a_timer_that_is_discarded_does_not_ring)
{
    struct node n = node_start(1);
    struct future *f = future_timer(n.rt, HOURS(1)), *left = future_timer(n.rt, HOURS(1));

    future_discard(f);
    future_discard(f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    node_stop(&n); /* ends what is left */
    ck_assert_int_eq(future_state(left), FUTURE_DISCARDED);
    future_unref(left);
}
END_TEST

/* The first of two that is ready: a limit of time on anything. */
START_TEST(a_timer_in_a_select_is_a_limit_of_time)
{
    struct node n = node_start(1);
    struct promise *p = number_promise();
    struct future *both[] = { promise_future(p), future_timer(n.rt, MILLISECONDS(1)) };
    struct future *first = future_select(both, 2);

    ck_assert_int_eq(future_get(first, n.host, LONG, &future_nothing, NULL, NULL), 0);
    future_unref(first);
    promise_unref(p);
    node_stop(&n);
}
END_TEST

/* ---- get ---- */

struct asker {
    struct process process;
    struct promise *done;
    struct future *in;
    struct error err;
};
CLASS(asker, "asker", asker_begins, asker_exited, asker_ends);

static void asker_begins(struct asker *a)
{
    ck_assert_ptr_null(number_wait(a->in, runtime_host(a->process.runtime), LONG, &a->err));
    promise_set(a->done, &future_nothing, NULL);
}

static void asker_exited(struct asker *a UNUSED, const struct pid *peer UNUSED) {}
static void asker_ends(struct asker *a UNUSED) {}

START_TEST(an_actor_that_would_wait_is_told_that_it_may_not)
{
    struct node n = node_start(1);
    struct promise *never = number_promise(), *done = promise_create(&future_nothing);
    struct asker a = { .done = done, .in = promise_future(never) };
    struct future *f = promise_future(done);

    ck_assert_int_eq(process_spawn(n.rt, &a.process, &asker_class, NULL, NULL, NULL), 0);
    ck_assert_int_eq(future_get(f, n.host, LONG, &future_nothing, NULL, NULL), 0);
    ck_assert_int_eq(a.err.code, EDEADLK);
    ck_assert_str_eq(a.err.text, "asker(1) is an actor and may not wait: use a step (THEN)");
    node_stop(&n);
    future_unref(a.in);
    future_unref(f);
    promise_unref(never);
    promise_unref(done);
}
END_TEST

static void check_get_fails(struct node *n, struct future *f, struct duration timeout, int code,
                            const char *why)
{
    struct error err;

    ck_assert_ptr_null(number_wait(f, n->host, timeout, &err));
    ck_assert_int_eq(err.code, code);
    ck_assert_str_eq(err.text, why);
}

START_TEST(get_gives_the_value_or_says_why_not)
{
    struct node n = node_start(1);
    struct promise *p = number_promise(), *given_up = number_promise(), *left = number_promise();
    struct future *f = promise_future(p), *discarded = promise_future(given_up);
    struct future *abandoned = promise_future(left);
    struct future *failed = future_failed(&number_type, EIO, "broken");
    struct error err;

    check_get_fails(&n, f, MILLISECONDS(2), ETIMEDOUT, "not settled after 2ms");
    number_set(p, 7);
    ck_assert_int_eq(*number_wait(f, n.host, LONG, &err), 7);
    promise_discard(given_up);
    promise_unref(left);
    check_get_fails(&n, failed, LONG, EIO, "broken");
    check_get_fails(&n, discarded, LONG, ECANCELED, "discarded");
    check_get_fails(&n, abandoned, LONG, ECANCELED, "nobody will settle it any more");
    future_unref(f);
    future_unref(failed);
    future_unref(discarded);
    future_unref(abandoned);
    promise_unref(p);
    promise_unref(given_up);
    node_stop(&n);
}
END_TEST

/* Await with a time-out: of many, too. */
START_TEST(many_are_awaited_for_a_time)
{
    struct node n = node_start(1);
    struct promise *p = number_promise(), *q = number_promise();
    struct future *v[] = { promise_future(p), promise_future(q) };
    struct future *all = future_await(v, 2);
    struct error err;

    number_set(p, 1);
    ck_assert_int_eq(future_get(all, n.host, MILLISECONDS(1), &future_nothing, NULL, &err), -1);
    ck_assert_int_eq(err.code, ETIMEDOUT);
    promise_fail(q, EIO, "%s", "broken");
    ck_assert_int_eq(future_get(all, n.host, LONG, &future_nothing, NULL, &err), 0);
    future_unref(all);
    promise_unref(p);
    promise_unref(q);
    node_stop(&n);
}
END_TEST

/* ---- shared things that become one's own ---- */

static void count(void *thing)
{
    atomic_fetch_add((_Atomic int *)thing, 1);
}

START_TEST(a_shared_thing_is_owned_when_the_last_other_owner_lets_go)
{
    _Atomic int ends = 0;
    struct shared mine = shared_create(&ends, count), theirs = shared_dup(&mine);
    struct weak w = weak_create(&mine);
    struct future *f = shared_future_own(&mine), *second;
    struct shared seen;
    struct owned o;

    ck_assert_ptr_null(shared_get(&mine));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    seen = shared_dup(&theirs);
    second = shared_future_own(&seen);
    ck_assert_int_eq(future_error(second)->code, EBUSY);
    shared_reset(&theirs);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    seen = weak_get(&w);
    ck_assert_ptr_null(shared_get(&seen));
    o = shared_future_take(f);
    ck_assert_ptr_eq(owned_get(&o), &ends);
    future_unref(f);
    future_unref(second);
    ck_assert_int_eq(ends, 0);
    owned_reset(&o);
    ck_assert_int_eq(ends, 1);
    weak_reset(&w);
}
END_TEST

START_TEST(a_shared_thing_that_nobody_wants_any_more_ends_with_its_last_owner)
{
    _Atomic int ends = 0;
    struct shared mine = shared_create(&ends, count), theirs = shared_dup(&mine);

    future_unref(shared_future_own(&mine));
    ck_assert_int_eq(ends, 0);
    shared_reset(&theirs);
    ck_assert_int_eq(ends, 1);

    mine = shared_create(&ends, count); /* at once when there is no other */
    future_unref(shared_future_own(&mine));
    ck_assert_int_eq(ends, 2);
}
END_TEST

enum { OWNERS = 4, ROUNDS = 300 };

static void *let_go(void *arg)
{
    struct shared *s = arg, copy = shared_dup(s);

    shared_reset(s);
    shared_reset(&copy);
    return NULL;
}

START_TEST(of_owners_on_many_threads_the_last_one_hands_it_over)
{
    for (int round = 0; round < ROUNDS; round++) {
        _Atomic int ends = 0;
        struct shared s = shared_create(&ends, count), shares[OWNERS];
        pthread_t threads[OWNERS];
        struct future *f;
        struct owned o;

        for (int i = 0; i < OWNERS; i++)
            shares[i] = shared_dup(&s);
        for (int i = 0; i < OWNERS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, let_go, &shares[i]), 0);
        f = shared_future_own(&s);
        for (int i = 0; i < OWNERS; i++)
            pthread_join(threads[i], NULL);
        o = shared_future_take(f);
        future_unref(f);
        ck_assert_int_eq(ends, 0);
        owned_reset(&o);
        ck_assert_int_eq(ends, 1);
    }
}
END_TEST

UNIT(future_single, a_shield_passes_on_the_end_and_not_the_discard,
     a_shield_fails_and_is_discarded_with_what_is_behind_it,
     a_shield_that_nobody_looks_at_goes_with_what_is_behind_it,
     a_future_says_whether_it_was_discarded_or_abandoned,
     who_follows_an_abandoned_one_is_abandoned, a_timer_is_ready_when_its_time_has_come,
     a_timer_that_is_discarded_does_not_ring, a_timer_in_a_select_is_a_limit_of_time,
     an_actor_that_would_wait_is_told_that_it_may_not, get_gives_the_value_or_says_why_not,
     many_are_awaited_for_a_time, a_shared_thing_is_owned_when_the_last_other_owner_lets_go,
     a_shared_thing_that_nobody_wants_any_more_ends_with_its_last_owner,
     of_owners_on_many_threads_the_last_one_hands_it_over);
