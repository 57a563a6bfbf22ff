/* test_mutex.c - one at a time, in the order they asked */
#include "process/mutex.h"

#include <stdatomic.h>

#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* Takes f. */
static void check_state(struct future *f, enum future_state state)
{
    ck_assert_int_eq(future_state(f), state);
    future_unref(f);
}

START_TEST(a_free_lock_is_ready_at_once)
{
    struct mutex *m = mutex_create();

    check_state(mutex_lock(m), FUTURE_READY);
    mutex_unlock(m);
    check_state(mutex_lock(m), FUTURE_READY);
    mutex_destroy(m);
}
END_TEST

START_TEST(an_unlock_hands_it_to_the_one_who_waits_longest)
{
    struct mutex *m = mutex_create();
    struct future *a = mutex_lock(m), *b = mutex_lock(m), *c = mutex_lock(m);

    ck_assert_int_eq(future_state(b), FUTURE_PENDING);
    mutex_unlock(m);
    ck_assert_int_eq(future_state(b), FUTURE_READY);
    ck_assert_int_eq(future_state(c), FUTURE_PENDING);
    mutex_unlock(m);
    check_state(c, FUTURE_READY);
    mutex_unlock(m);
    check_state(mutex_lock(m), FUTURE_READY);
    future_unref(a);
    future_unref(b);
    mutex_destroy(m);
}
END_TEST

START_TEST(a_discarded_lock_leaves_and_a_held_one_does_not)
{
    struct mutex *m = mutex_create();
    struct future *a = mutex_lock(m), *b = mutex_lock(m), *c = mutex_lock(m);

    future_discard(a);
    future_discard(b);
    ck_assert_int_eq(future_state(c), FUTURE_PENDING);
    check_state(a, FUTURE_READY);
    check_state(b, FUTURE_DISCARDED);
    mutex_unlock(m);
    check_state(c, FUTURE_READY);
    mutex_destroy(m);
}
END_TEST

START_TEST(the_end_of_a_mutex_discards_those_who_wait)
{
    struct mutex *m = mutex_create();
    struct future *a = mutex_lock(m), *b = mutex_lock(m);

    mutex_destroy(m);
    check_state(a, FUTURE_READY);
    check_state(b, FUTURE_DISCARDED);
    mutex_destroy(NULL);
}
END_TEST

START_TEST(unlocking_what_is_not_locked_aborts)
{
    mutex_unlock(mutex_create());
}
END_TEST

/* ---- many at once ---- */

enum { ACTORS = 4, TURNS = 2000 };

struct shared_place {
    struct mutex *mutex;
    int counter; /* no atomic: the mutex is what guards it */
    _Atomic int left;
    struct host *host;
};

struct turner {
    struct process process;
    struct shared_place *place;
    int turns, asked;
};

struct turn_args {
    char unused;
};

CLASS(turner, "turner", turner_initialize, turner_exited, turner_finalize);
CALL(turner, leave, turn_args, NO_RELEASE);
LAST(turner, entered, turn_args);

static void ask_again(struct turner *t)
{
    struct future *f = mutex_lock(t->place->mutex);

    if (++t->asked % 3 == 0)
        future_discard(f);
    FINALLY(f, entered, t, NULL);
}

static void entered(struct turner *t, struct future *f, struct turn_args *op UNUSED)
{
    if (future_state(f) != FUTURE_READY) {
        ask_again(t);
        return;
    }
    t->place->counter++;
    dispatch(&t->process.pid, leave); /* held over an event's end */
}

static void leave(struct turner *t, struct turn_args *args UNUSED)
{
    t->place->counter++;
    mutex_unlock(t->place->mutex);
    if (++t->turns < TURNS)
        ask_again(t);
    else if (--t->place->left == 0)
        host_notify(t->place->host);
}

static void turner_initialize(struct turner *t)
{
    ask_again(t);
}

static void turner_exited(struct turner *t UNUSED, const struct pid *peer UNUSED) {}
static void turner_finalize(struct turner *t UNUSED) {}

static bool is_zero(void *arg)
{
    return *(_Atomic int *)arg == 0;
}

START_TEST(on_many_threads_one_holds_it)
{
    struct node n = node_start(4);
    struct shared_place place = { .mutex = mutex_create(), .left = ACTORS, .host = n.host };
    struct turner turners[ACTORS] = { 0 };

    for (int i = 0; i < ACTORS; i++) {
        turners[i].place = &place;
        ck_assert_int_eq(
            process_spawn(n.rt, &turners[i].process, &turner_class, NULL, NULL, NULL), 0);
    }
    ck_assert(host_wait(n.host, is_zero, &place.left, instant_add(host_now(n.host), LONG)));
    ck_assert_int_eq(place.counter, 2 * ACTORS * TURNS);
    node_stop(&n);
    mutex_destroy(place.mutex);
}
END_TEST

UNIT(mutex, a_free_lock_is_ready_at_once, an_unlock_hands_it_to_the_one_who_waits_longest,
     a_discarded_lock_leaves_and_a_held_one_does_not,
     the_end_of_a_mutex_discards_those_who_wait, on_many_threads_one_holds_it, THESE_ABORT,
     unlocking_what_is_not_locked_aborts);
