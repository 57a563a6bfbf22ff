/* test_core.c - what the insides of a runtime promise: rest, shared work, timers, memory */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/context.h"
#include "base/memory.h"
#include "process/core.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

struct hand {
    struct process process;
    struct future *done; /* of work off the actors' threads */
    _Atomic int *result;
    int fired[4], n_fired;
};

CLASS(hand, "hand", hand_begins, hand_exited, hand_ends);
static void hand_begins(struct hand *h UNUSED) {}
static void hand_exited(struct hand *h UNUSED, const struct pid *peer UNUSED) {}
static void hand_ends(struct hand *h UNUSED) {}

static struct pid start(struct node *n, struct hand *h)
{
    struct pid pid;

    ck_assert_int_eq(process_spawn(n->rt, &h->process, &hand_class, NULL, &pid, NULL), 0);
    return pid;
}

/* ---- rest ---- */

CALL(hand, delegate, nothing, NO_RELEASE);
LAST(hand, worked, nothing);

static void work(void *args)
{
    for (int i = 0; i < 20; i++)
        sched_yield(); /* the one who settles has time to be wrong */
    atomic_fetch_add((_Atomic int *)args, 1);
}

static void delegate(struct hand *h, struct nothing *args UNUSED)
{
    FINALLY(process_async(h->process.runtime, work, h->result), worked, h, NULL);
}

static void worked(struct hand *h, struct future *f, struct nothing *op UNUSED)
{
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    if (atomic_load(h->result) < 5)
        dispatch(&h->process.pid, delegate, 0); /* more work */
}

START_TEST(a_runtime_is_not_at_rest_while_helpers_work_for_it)
{
    struct node n = node_start(2);
    _Atomic int result = 0;
    struct hand h = { .result = &result };
    struct pid pid = start(&n, &h);

    for (int i = 1; i <= 50; i++) {
        atomic_store(&result, 0);
        dispatch(&pid, delegate, 0);
        node_settle(&n);
        ck_assert_int_eq(atomic_load(&result), 5);
    }
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* ---- shared work ---- */

enum { HANDS = 8 };

struct shop {
    struct node n;
    pthread_mutex_t lock;
    pthread_t first;
    bool has_first;
    _Atomic bool is_shared; /* a second thread has worked */
    struct hand hands[HANDS];
};

struct toil_args {
    struct shop *shop;
};
CALL(hand, toil, toil_args, NO_RELEASE);

/* Each event keeps its worker for long; as all begin on one worker, another one
 * must come by for a second thread to be seen. */
static void toil(struct hand *h, struct toil_args *args)
{
    struct shop *s = args->shop;
    struct instant end = instant_add(host_now(s->n.host), MICROSECONDS(200));

    pthread_mutex_lock(&s->lock);
    if (!s->has_first)
        s->first = pthread_self();
    else if (!pthread_equal(s->first, pthread_self()))
        atomic_store(&s->is_shared, true);
    s->has_first = true;
    pthread_mutex_unlock(&s->lock);
    while (instant_before(host_now(s->n.host), end))
        continue;
    if (!atomic_load(&s->is_shared))
        dispatch(&h->process.pid, toil, .shop = s);
}

CALL(hand, employ, toil_args, NO_RELEASE);

static void employ(struct hand *h UNUSED, struct toil_args *args)
{
    for (size_t i = 0; i < HANDS; i++)
        dispatch(&args->shop->hands[i].process.pid, toil, .shop = args->shop);
}

START_TEST(a_backlog_that_lasts_long_is_shared_with_another_worker)
{
    struct shop s = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct pid pids[HANDS];

    if (place_is_simulated())
        return; /* time stands there while an event runs */
    s.n = node_start(2);
    for (size_t i = 0; i < HANDS; i++)
        pids[i] = start(&s.n, &s.hands[i]);
    node_settle(&s.n); /* they begin anywhere */
    dispatch(&pids[0], employ, .shop = &s);
    node_settle(&s.n); /* else it is never at rest */
    ck_assert(atomic_load(&s.is_shared));
    for (size_t i = 0; i < HANDS; i++)
        pid_release(&pids[i]);
    node_stop(&s.n);
}
END_TEST

/* ---- timers ---- */

struct ring_args {
    int number;
};
CALL(hand, ring, ring_args, NO_RELEASE);

static void ring(struct hand *h, struct ring_args *args)
{
    if (h->n_fired < 4)
        h->fired[h->n_fired] = args->number;
    h->n_fired++;
}

/* Many are cancelled, so that places are used again, by others. */
START_TEST(the_handle_of_a_timer_that_is_gone_cancels_no_other)
{
    struct node n = node_start(1);
    struct timer old[1000], copy, other;
    struct hand h = { 0 };
    struct pid pid = start(&n, &h);

    runtime_clock_pause(n.rt);
    for (int i = 0; i < 1000; i++)
        old[i] = delay(&pid, SECONDS(10), ring, .number = i);
    copy = old[17];
    for (int i = 0; i < 1000; i++)
        ck_assert(process_cancel(&old[i]));
    for (int i = 0; i < 1000; i++)
        other = delay(&pid, SECONDS(10), ring, .number = i);
    ck_assert(!process_cancel(&copy));
    runtime_clock_advance(n.rt, SECONDS(10));
    node_settle(&n);
    ck_assert_int_eq(h.n_fired, 1000);
    ck_assert(!process_cancel(&other));
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

START_TEST(timers_of_one_instant_fire_as_they_were_created_though_their_places_are_mixed)
{
    struct node n = node_start(1);
    struct timer t[300];
    struct hand h = { 0 };
    struct pid pid = start(&n, &h);

    runtime_clock_pause(n.rt);
    for (int i = 0; i < 300; i++)
        t[i] = delay(&pid, SECONDS(i % 2 ? 5 : 10), ring, .number = -1);
    for (int i = 299; i >= 0; i--)
        ck_assert(process_cancel(&t[i]));
    for (int i = 0; i < 4; i++)
        delay(&pid, SECONDS(10), ring, .number = i);
    runtime_clock_advance(n.rt, SECONDS(10));
    node_settle(&n);
    ck_assert_int_eq(h.n_fired, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(h.fired[i], i);
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* ---- who runs ---- */

CALL(hand, look_at_itself, nothing, NO_RELEASE);

static void look_at_itself(struct hand *h, struct nothing *args UNUSED)
{
    char made[PID_TEXT], text[PID_TEXT];

    ck_assert_str_eq(context_actor(context_current(), made, sizeof made),
                     pid_text(&h->process.pid, text, sizeof text));
    atomic_fetch_add(h->result, 1);
}

START_TEST(the_context_names_the_actor_when_it_is_asked)
{
    struct node n = node_start(1);
    _Atomic int result = 0;
    struct hand h = { .result = &result };
    struct pid pid = start(&n, &h);

    dispatch(&pid, look_at_itself, 0);
    node_settle(&n);
    ck_assert_int_eq(atomic_load(&result), 1);
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* ---- memory ---- */

enum { FEEDS = 20000 };

struct food_args {
    char bytes[300];
};
CALL(hand, eat, food_args, NO_RELEASE);
CALL(hand, snack, toil_args, NO_RELEASE);
CALL(hand, feed_others, toil_args, NO_RELEASE);

static void eat(struct hand *h, struct food_args *args)
{
    ck_assert_int_eq(args->bytes[299], 'x');
    h->n_fired++;
}

static void snack(struct hand *h, struct toil_args *args)
{
    ck_assert_ptr_nonnull(args->shop);
    h->n_fired++;
}

static void feed_others(struct hand *h UNUSED, struct toil_args *args)
{
    struct food_args food = { .bytes = "" };
    int feeds = place_many(FEEDS);

    food.bytes[299] = 'x';
    for (int i = 0; i < feeds; i++) {
        const struct pid *to = &args->shop->hands[i % HANDS].process.pid;

        if (i % 16 == 0)
            eat__dispatch(to, food);
        else
            dispatch(to, snack, .shop = args->shop);
    }
}

/* Made here, ended there, small and large: more than any worker or the depot keeps. */
START_TEST(events_of_all_sizes_go_from_every_thread_to_every_other)
{
    struct shop s = { .n = node_start(4) };
    int eaten = 0, feeds = place_many(FEEDS);

    for (size_t i = 0; i < HANDS; i++)
        pid_release(&(struct pid[]){ start(&s.n, &s.hands[i]) }[0]);
    for (size_t i = 0; i < HANDS; i++)
        dispatch(&s.hands[i].process.pid, feed_others, .shop = &s);
    for (int i = 0; i < feeds; i++)
        dispatch(&s.hands[i % HANDS].process.pid, snack, .shop = &s);
    node_settle(&s.n);
    for (size_t i = 0; i < HANDS; i++)
        eaten += s.hands[i].n_fired;
    ck_assert_int_eq(eaten, (HANDS + 1) * feeds);
    node_stop(&s.n);
}
END_TEST

START_TEST(a_process_that_does_nothing_takes_few_bytes)
{
    ck_assert_uint_le(sizeof(struct slot), 88);
    ck_assert_uint_le(sizeof(struct process), 96);
}
END_TEST

UNIT(core, a_runtime_is_not_at_rest_while_helpers_work_for_it,
     a_backlog_that_lasts_long_is_shared_with_another_worker,
     the_handle_of_a_timer_that_is_gone_cancels_no_other,
     timers_of_one_instant_fire_as_they_were_created_though_their_places_are_mixed,
     the_context_names_the_actor_when_it_is_asked,
     events_of_all_sizes_go_from_every_thread_to_every_other,
     a_process_that_does_nothing_takes_few_bytes);
