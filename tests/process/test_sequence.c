/* test_sequence.c - one step after the other's end */
#include "process/sequence.h"

#include <errno.h>
#include <stdatomic.h>

#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

FUTURE_TYPE(place, int);
FUTURE_TYPE_DEFINE(place, int, NULL);

/* A step that has begun says so, and ends when its promise does. */
struct deed {
    struct promise *promise;
    struct future *result;
    bool begun;
};

struct scene {
    struct node n;
    struct sequence *sequence;
    struct deed deeds[4];
};

static struct future *begin(struct process *self, struct future *f, void *op)
{
    struct deed *d = op;

    ck_assert_ptr_eq(self, process_current());
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    d->begun = true;
    return promise_future(d->promise);
}

static void scene_start(struct scene *s)
{
    s->n = node_start(1);
    s->sequence = sequence_create();
    for (size_t i = 0; i < ARRAY_SIZE(s->deeds); i++) {
        struct deed *d = &s->deeds[i];

        d->promise = place_promise();
        d->begun = false;
        d->result = sequence_add(s->sequence, runtime_executor(s->n.rt), begin, d);
    }
    node_settle(&s->n);
}

static void scene_stop(struct scene *s)
{
    sequence_destroy(s->sequence);
    node_stop(&s->n);
    for (size_t i = 0; i < ARRAY_SIZE(s->deeds); i++) {
        future_unref(s->deeds[i].result);
        promise_unref(s->deeds[i].promise);
    }
}

/* "x" begun, "." not: one for each. */
static void check_begun(struct scene *s, const char *expected)
{
    char got[ARRAY_SIZE(s->deeds) + 1] = "";

    node_settle(&s->n);
    for (size_t i = 0; i < ARRAY_SIZE(s->deeds); i++)
        got[i] = s->deeds[i].begun ? 'x' : '.';
    ck_assert_str_eq(got, expected);
}

START_TEST(a_step_begins_when_the_earlier_one_has_ended)
{
    struct scene s;

    scene_start(&s);
    check_begun(&s, "x...");
    place_set(s.deeds[0].promise, 7);
    check_begun(&s, "xx..");
    ck_assert_int_eq(*place_get(s.deeds[0].result), 7);
    place_set(s.deeds[1].promise, 8);
    check_begun(&s, "xxx.");
    place_set(s.deeds[2].promise, 9);
    check_begun(&s, "xxxx");
    ck_assert_int_eq(future_state(s.deeds[3].result), FUTURE_PENDING);
    scene_stop(&s);
}
END_TEST

START_TEST(however_it_ended)
{
    struct scene s;

    scene_start(&s);
    promise_fail(s.deeds[0].promise, EIO, "broken");
    check_begun(&s, "xx..");
    ck_assert_str_eq(future_error(s.deeds[0].result)->text, "broken");
    promise_discard(s.deeds[1].promise);
    check_begun(&s, "xxx.");
    ck_assert_int_eq(future_state(s.deeds[1].result), FUTURE_DISCARDED);
    scene_stop(&s);
}
END_TEST

START_TEST(a_discard_before_its_turn_leaves_only_that_step_out)
{
    struct scene s;
    struct future *first;

    scene_start(&s);
    first = promise_future(s.deeds[0].promise);
    future_discard(s.deeds[1].result);
    check_begun(&s, "x...");
    ck_assert_int_eq(future_state(s.deeds[1].result), FUTURE_DISCARDED);
    ck_assert(!future_has_discard(first));
    place_set(s.deeds[0].promise, 1);
    check_begun(&s, "x.x.");
    future_unref(first);
    scene_stop(&s);
}
END_TEST

START_TEST(a_later_discard_is_asked_of_what_the_step_waits_for)
{
    struct scene s;
    struct future *first;

    scene_start(&s);
    first = promise_future(s.deeds[0].promise);
    future_discard(s.deeds[0].result);
    ck_assert(future_has_discard(first));
    check_begun(&s, "x...");
    promise_discard(s.deeds[0].promise);
    check_begun(&s, "xx..");
    future_unref(first);
    scene_stop(&s);
}
END_TEST

START_TEST(the_end_of_a_sequence_leaves_out_what_has_not_begun)
{
    struct scene s;

    scene_start(&s);
    sequence_destroy(s.sequence);
    s.sequence = NULL;
    check_begun(&s, "x...");
    ck_assert_int_eq(future_state(s.deeds[0].result), FUTURE_PENDING);
    for (size_t i = 1; i < ARRAY_SIZE(s.deeds); i++)
        ck_assert_int_eq(future_state(s.deeds[i].result), FUTURE_DISCARDED);
    place_set(s.deeds[0].promise, 1);
    check_begun(&s, "x...");
    ck_assert_int_eq(*place_get(s.deeds[0].result), 1);
    scene_stop(&s);
}
END_TEST

START_TEST(many_that_wait_end_without_recursion)
{
    const int N = place_many(100000);
    struct node n = node_start(1);
    struct sequence *s = sequence_create();
    struct deed first = { .promise = place_promise() }, other = { .promise = place_promise() };
    struct future *result = sequence_add(s, runtime_executor(n.rt), begin, &first);

    for (int i = 0; i < N; i++)
        future_unref(sequence_add(s, runtime_executor(n.rt), begin, &other));
    sequence_destroy(s);
    node_settle(&n);
    ck_assert(!other.begun);
    place_set(first.promise, 1);
    ck_assert(future_wait(result, n.host, LONG));
    node_stop(&n);
    future_unref(result);
    promise_unref(first.promise);
    promise_unref(other.promise);
}
END_TEST

/* ---- processes that end, and many at once ---- */

enum { STEPS = 500 };

struct clerk {
    struct process process;
    struct sequence *sequence;
    _Atomic int *inside, *left;
    struct host *host;
};

struct entry {
    int n;
};

CLASS(clerk, "clerk", clerk_initialize, clerk_exited, clerk_finalize);
STEP(clerk, entry_turn, entry);
STEP(clerk, entry_written, entry);
LAST(clerk, entry_done, entry);
ASK(clerk, write_entry, entry, NO_RELEASE);

/* Two events long. */
static struct future *entry_turn(struct clerk *c, struct future *f UNUSED, struct entry *op)
{
    ck_assert_int_eq(++*c->inside, 1);
    return THEN(place_ready(1), entry_written, c, op);
}

static struct future *entry_written(struct clerk *c, struct future *f UNUSED,
                                    struct entry *op UNUSED)
{
    --*c->inside;
    return place_ready(2);
}

static void entry_done(struct clerk *c, struct future *f, struct entry *op UNUSED)
{
    ck_assert(future_state(f) != FUTURE_FAILED);
    if (--*c->left == 0)
        host_notify(c->host);
}

static struct future *write_entry(struct clerk *c, struct entry *e)
{
    struct future *f = SEQUENCE(c->sequence, entry_turn, c, NULL);

    FINALLY(future_ref(f), entry_done, c, NULL);
    if (e->n < STEPS)
        future_unref(ask(&c->process.pid, write_entry, .n = e->n + 1));
    return f;
}

static void clerk_initialize(struct clerk *c UNUSED) {}
static void clerk_exited(struct clerk *c UNUSED, const struct pid *peer UNUSED) {}
static void clerk_finalize(struct clerk *c UNUSED) {}

static bool is_zero(void *arg)
{
    return *(_Atomic int *)arg == 0;
}

static struct pid clerk_start(struct node *n, struct clerk *c)
{
    struct pid pid;

    ck_assert_int_eq(process_spawn(n->rt, &c->process, &clerk_class, NULL, &pid, NULL), 0);
    return pid;
}

START_TEST(when_a_process_ends_its_many_steps_leave_and_those_of_others_go_on)
{
    const int MANY = place_many(100000);
    struct node n = node_start(1);
    struct sequence *s = sequence_create();
    _Atomic int inside = 0, left = 1000000;
    struct clerk c = { .sequence = s, .inside = &inside, .left = &left, .host = n.host };
    struct deed first = { .promise = place_promise() }, last = { .promise = place_promise() };
    struct future *before, *theirs, *after;
    struct pid pid = clerk_start(&n, &c);

    before = sequence_add(s, runtime_executor(n.rt), begin, &first);
    theirs = ask(&pid, write_entry, .n = STEPS - MANY);
    node_settle(&n);
    after = sequence_add(s, runtime_executor(n.rt), begin, &last);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    ck_assert_int_eq(future_state(theirs), FUTURE_DISCARDED);
    node_settle(&n);
    ck_assert(first.begun && !last.begun);
    place_set(first.promise, 1);
    node_settle(&n);
    ck_assert(last.begun);
    sequence_destroy(s);
    node_stop(&n);
    pid_release(&pid);
    future_unref(before);
    future_unref(theirs);
    future_unref(after);
    promise_unref(first.promise);
    promise_unref(last.promise);
}
END_TEST

START_TEST(on_many_threads_one_step_is_between_its_events)
{
    enum { CLERKS = 4 };
    struct node n = node_start(4);
    struct sequence *s = sequence_create();
    _Atomic int inside = 0, left = CLERKS * STEPS;
    struct clerk clerks[CLERKS];
    struct pid pids[CLERKS];

    for (int i = 0; i < CLERKS; i++) {
        clerks[i] =
            (struct clerk){ .sequence = s, .inside = &inside, .left = &left, .host = n.host };
        pids[i] = clerk_start(&n, &clerks[i]);
    }
    for (int i = 0; i < CLERKS; i++) {
        future_unref(ask(&pids[i], write_entry, .n = 1));
        pid_release(&pids[i]);
    }
    ck_assert(host_wait(n.host, is_zero, &left, instant_add(host_now(n.host), LONG)));
    node_stop(&n);
    sequence_destroy(s);
}
END_TEST

UNIT(sequence, a_step_begins_when_the_earlier_one_has_ended, however_it_ended,
     a_discard_before_its_turn_leaves_only_that_step_out,
     a_later_discard_is_asked_of_what_the_step_waits_for,
     the_end_of_a_sequence_leaves_out_what_has_not_begun, many_that_wait_end_without_recursion,
     when_a_process_ends_its_many_steps_leave_and_those_of_others_go_on,
     on_many_threads_one_step_is_between_its_events);
