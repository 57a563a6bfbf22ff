/* test_repeat.c - loops over futures */
#include "process/repeat.h"

#include <errno.h>

#include "tests/process/node.h"
#include "tests/unit.h"

FUTURE_TYPE(count, int);
FUTURE_TYPE_DEFINE(count, int, NULL);

/* Counts to `until`, on futures that are READY or on a promise. */
struct counting {
    int n, until, bodies;
    bool slow;                /* the body decides an event later */
    struct promise *promise;  /* what iterate waits for, at n == wait_at */
    int wait_at, fail_at;
};

static struct future *next(struct process *self, void *op)
{
    struct counting *c = op;

    ck_assert_ptr_eq(self, process_current());
    c->n++;
    if (c->n == c->fail_at)
        return future_failed(&count_type, EIO, "no %d", c->n);
    if (c->n == c->wait_at)
        return promise_future(c->promise);
    return count_ready(c->n);
}

static struct future *decide(struct process *self UNUSED, struct future *f UNUSED, void *op)
{
    struct counting *c = op;

    return c->n < c->until ? repeat_again() : count_ready(c->n * 10);
}

static struct future *look(struct process *self, struct future *f, void *op)
{
    struct counting *c = op;

    ck_assert_ptr_eq(self, process_current());
    ck_assert_int_eq(*count_get(f), c->n);
    c->bodies++;
    if (c->slow)
        return future_then(future_ref(f), self, decide, c);
    return decide(self, f, c);
}

static struct future *run(struct node *n, struct counting *c)
{
    return repeat(runtime_executor(n->rt), next, look, c);
}

/* Takes f. */
static void check_count(struct node *n, struct future *f, int count)
{
    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_int_eq(*count_get(f), count);
    future_unref(f);
}

START_TEST(a_loop_goes_on_until_the_body_gives_a_result)
{
    struct node n = node_start(1);
    struct counting c = { .until = 3 }, slow = { .until = 4, .slow = true };

    check_count(&n, run(&n, &c), 30);
    ck_assert_int_eq(c.bodies, 3);
    check_count(&n, run(&n, &slow), 40);
    ck_assert_int_eq(slow.bodies, 4);
    node_stop(&n);
}
END_TEST

START_TEST(many_ready_futures_need_no_stack)
{
    struct node n = node_start(1);
    struct counting c = { .until = place_many(200000) };

    check_count(&n, run(&n, &c), c.until * 10);
    node_stop(&n);
}
END_TEST

START_TEST(a_failure_ends_the_loop_with_it)
{
    struct node n = node_start(1);
    struct counting c = { .until = 9, .fail_at = 3 };
    struct future *f = run(&n, &c);

    ck_assert(future_wait(f, n.host, LONG));
    ck_assert_str_eq(future_error(f)->text, "no 3");
    ck_assert_int_eq(c.bodies, 2);
    future_unref(f);
    node_stop(&n);
}
END_TEST

START_TEST(a_discard_is_asked_of_what_it_waits_for)
{
    struct node n = node_start(1);
    struct counting c = { .until = 9, .wait_at = 3, .promise = count_promise() };
    struct future *f = run(&n, &c), *waited = promise_future(c.promise);

    node_settle(&n);
    ck_assert_int_eq(c.n, 3);
    ck_assert(!future_has_discard(waited));
    future_discard(f);
    ck_assert(future_has_discard(waited));
    node_settle(&n);
    ck_assert_int_eq(future_state(f), FUTURE_PENDING); /* asked, not done */
    promise_discard(c.promise);
    node_settle(&n);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    ck_assert_int_eq(c.bodies, 2);
    future_unref(f);
    future_unref(waited);
    promise_unref(c.promise);
    node_stop(&n);
}
END_TEST

START_TEST(a_discard_ends_it_after_the_current_step)
{
    struct node n = node_start(1);
    struct counting c = { .until = 9, .wait_at = 3, .promise = count_promise() };
    struct future *f = run(&n, &c);

    node_settle(&n);
    future_discard(f);
    count_set(c.promise, 3); /* it comes all the same */
    node_settle(&n);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    ck_assert_int_eq(c.bodies, 2);
    ck_assert_int_eq(c.n, 3);
    future_unref(f);
    promise_unref(c.promise);
    node_stop(&n);
}
END_TEST

START_TEST(an_endless_loop_lets_others_have_their_turns_and_a_discard_ends_it)
{
    struct node n = node_start(1);
    struct counting endless = { .until = 1 << 30 }, c = { .until = 3 };
    struct future *f = run(&n, &endless);

    check_count(&n, run(&n, &c), 30); /* of the same process */
    future_discard(f);
    ck_assert(future_wait(f, n.host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    node_stop(&n);
}
END_TEST

/* ---- in a process of one's own ---- */

struct counter_actor {
    struct process process;
};

CLASS(counter_actor, "counter", counter_begins, counter_exited, counter_ends);
LOOP(counter_actor, take_next, taken, counting);

struct count_args {
    struct counting *counting;
};

ASK(counter_actor, count, count_args, NO_RELEASE);

static struct future *take_next(struct counter_actor *a, struct counting *c)
{
    return next(&a->process, c);
}

static struct future *taken(struct counter_actor *a, struct future *f, struct counting *c)
{
    return look(&a->process, f, c);
}

static struct future *count(struct counter_actor *a, struct count_args *args)
{
    return REPEAT(take_next, a, args->counting);
}

static void counter_begins(struct counter_actor *a UNUSED) {}
static void counter_exited(struct counter_actor *a UNUSED, const struct pid *peer UNUSED) {}
static void counter_ends(struct counter_actor *a UNUSED) {}

START_TEST(when_its_process_ends_the_result_is_discarded)
{
    struct node n = node_start(1);
    struct counting c = { .until = 5 };
    struct counting waits = { .until = 9, .wait_at = 3, .promise = count_promise() };
    struct counter_actor a;
    struct future *f;
    struct pid pid;

    ck_assert_int_eq(
        process_spawn(n.rt, &a.process, &counter_actor_class, NULL, &pid, NULL), 0);
    check_count(&n, ask(&pid, count, .counting = &c), 50);
    f = ask(&pid, count, .counting = &waits);
    node_settle(&n);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    promise_unref(waits.promise);
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

UNIT(repeat, a_loop_goes_on_until_the_body_gives_a_result,
     many_ready_futures_need_no_stack, a_failure_ends_the_loop_with_it,
     a_discard_is_asked_of_what_it_waits_for, a_discard_ends_it_after_the_current_step,
     an_endless_loop_lets_others_have_their_turns_and_a_discard_ends_it,
     when_its_process_ends_the_result_is_discarded);
