/* test_future.c - futures: ends, chains, discards, and processes that end first */
#include "process/future.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

FUTURE_TYPE(number, int);
FUTURE_TYPE_DEFINE(number, int, NULL);

struct letter {
    char *text;
};

static void free_letter(void *value)
{
    mem_free(((struct letter *)value)->text);
}

FUTURE_TYPE(letter, struct letter);
FUTURE_TYPE_DEFINE(letter, struct letter, free_letter);

/* ---- without processes ---- */

START_TEST(a_promise_is_settled_once)
{
    struct promise *p = number_promise();
    struct future *f = promise_future(p);

    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    ck_assert(number_set(p, 7));
    ck_assert(!number_set(p, 8));
    ck_assert(!promise_fail(p, EIO, "too late"));
    ck_assert(!promise_discard(p));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_int_eq(*number_get(f), 7);
    ck_assert_ptr_null(future_error(f));
    promise_unref(p);
    future_unref(f);
}
END_TEST

START_TEST(a_value_that_comes_too_late_is_released)
{
    struct promise *p = letter_promise();

    ck_assert(letter_set(p, (struct letter){ mem_strdup("first") }));
    ck_assert(!letter_set(
        p, (struct letter){ mem_strdup("second") })); /* the sanitizer would see a leak */
    promise_unref(p);
}
END_TEST

START_TEST(a_failure_says_why)
{
    struct future *f = future_failed(&number_type, ENOENT, "no %s", "milk");

    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_int_eq(future_error(f)->code, ENOENT);
    ck_assert_str_eq(future_error(f)->text, "no milk");
    future_unref(f);
}
END_TEST

START_TEST(an_abandoned_promise_is_discarded)
{
    struct promise *p = number_promise();
    struct future *f = promise_future(p);

    promise_unref(promise_ref(p));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    promise_unref(p);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
}
END_TEST

START_TEST(a_long_chain_of_followers_settles_and_is_discarded_without_recursion)
{
    const int N = place_many(200000);
    struct promise *first = number_promise(), *p = number_promise();
    struct future *source = promise_future(first), *last = promise_future(p);

    for (int i = 0; i < N; i++) {
        struct promise *next = number_promise();

        promise_follow(p, promise_future(next));
        promise_unref(p);
        p = next;
    }
    promise_follow(p, future_ref(source));
    promise_unref(p);
    future_discard(last);
    ck_assert(future_has_discard(source));
    number_set(first, 3);
    ck_assert_int_eq(*number_get(last), 3);
    promise_unref(first);
    future_unref(source);
    future_unref(last);
}
END_TEST

START_TEST(a_discard_asked_for_before_travels_when_it_follows)
{
    struct promise *p = number_promise(), *q = number_promise();
    struct future *f = promise_future(p), *source = promise_future(q);

    future_discard(f);
    ck_assert(future_has_discard(f));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING); /* asked, not done */
    promise_follow(p, future_ref(source));
    ck_assert(future_has_discard(source));
    promise_discard(q);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    promise_unref(p);
    promise_unref(q);
    future_unref(source);
    future_unref(f);
}
END_TEST

START_TEST(a_discard_travels_to_all_that_are_followed)
{
    struct promise *p = number_promise(), *q = number_promise(), *r = number_promise();
    struct future *f = promise_future(p), *first = promise_future(q), *second = promise_future(r);

    promise_follow(p, future_ref(first));
    promise_follow(p, future_ref(second));
    ck_assert(!future_has_discard(first) && !future_has_discard(second));
    future_discard(f);
    ck_assert(future_has_discard(first));
    ck_assert(future_has_discard(second));
    number_set(r, 2);
    ck_assert_int_eq(*number_get(f), 2);
    promise_unref(p);
    promise_unref(q);
    promise_unref(r);
    future_unref(first);
    future_unref(second);
    future_unref(f);
}
END_TEST

static void settle_three(struct promise *p[3], struct future *f[3])
{
    for (int i = 0; i < 3; i++) {
        p[i] = number_promise();
        f[i] = promise_future(p[i]);
    }
}

static void unref_three(struct promise *p[3], struct future *result)
{
    for (int i = 0; i < 3; i++)
        promise_unref(p[i]);
    future_unref(result);
}

START_TEST(await_is_ready_when_none_is_pending)
{
    struct future *f[3], *all;
    struct promise *p[3];

    settle_three(p, f);
    all = future_await(f, 3);
    number_set(p[0], 1);
    promise_fail(p[1], EIO, "broken");
    ck_assert_int_eq(future_state(all), FUTURE_PENDING);
    promise_discard(p[2]);
    ck_assert_int_eq(future_state(all), FUTURE_READY);
    unref_three(p, all);
}
END_TEST

START_TEST(collect_fails_with_the_first_and_asks_the_others_to_stop)
{
    struct future *f[3], *all, *other;
    struct promise *p[3];

    settle_three(p, f);
    other = future_ref(f[2]);
    all = future_collect(f, 3);
    number_set(p[0], 1);
    promise_fail(p[1], EIO, "broken");
    ck_assert_int_eq(future_state(all), FUTURE_FAILED);
    ck_assert_str_eq(future_error(all)->text, "Collect failed: broken");
    ck_assert_int_eq(future_error(all)->code, EIO);
    ck_assert(future_has_discard(other));
    future_unref(other);
    unref_three(p, all);
}
END_TEST

START_TEST(collect_is_ready_when_all_are)
{
    struct future *f[3], *all;
    struct promise *p[3];

    settle_three(p, f);
    all = future_collect(f, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(future_state(all), FUTURE_PENDING);
        number_set(p[i], i);
    }
    ck_assert_int_eq(future_state(all), FUTURE_READY);
    unref_three(p, all);
}
END_TEST

START_TEST(select_follows_the_first_that_is_ready)
{
    struct future *f[3], *one;
    struct promise *p[3];

    settle_three(p, f);
    one = future_select(f, 3);
    promise_fail(p[0], EIO, "broken");
    ck_assert_int_eq(future_state(one), FUTURE_PENDING);
    number_set(p[2], 3);
    number_set(p[1], 2);
    ck_assert_int_eq(*number_get(one), 3);
    unref_three(p, one);
}
END_TEST

START_TEST(select_fails_when_none_is_ready)
{
    struct future *f[3], *one;
    struct promise *p[3];

    settle_three(p, f);
    one = future_select(f, 3);
    for (int i = 0; i < 3; i++)
        promise_discard(p[i]);
    ck_assert_int_eq(future_state(one), FUTURE_FAILED);
    unref_three(p, one);
}
END_TEST

START_TEST(of_none_await_and_collect_are_ready_and_select_fails)
{
    struct future *a = future_await(NULL, 0), *c = future_collect(NULL, 0),
                  *s = future_select(NULL, 0);

    ck_assert_int_eq(future_state(a), FUTURE_READY);
    ck_assert_int_eq(future_state(c), FUTURE_READY);
    ck_assert_int_eq(future_state(s), FUTURE_FAILED);
    future_unref(a);
    future_unref(c);
    future_unref(s);
}
END_TEST

START_TEST(a_discard_of_many_is_asked_of_each)
{
    struct future *f[3], *all;
    struct promise *p[3];

    settle_three(p, f);
    all = future_await(f, 3);
    future_discard(all);
    for (int i = 0; i < 3; i++) {
        ck_assert(future_has_discard(f[i]));
        promise_discard(p[i]);
    }
    unref_three(p, all);
}
END_TEST

START_TEST(a_value_of_another_type_aborts)
{
    struct future *f = number_ready(1);

    letter_get(f);
}
END_TEST

/* ---- with a process ---- */

struct worker_state {
    struct process process;
    struct buffer log;
    struct promise *made;
};

CLASS(worker_state, "worker", worker_begins, worker_exited, worker_ends);
static void worker_begins(struct worker_state *w UNUSED) {}
static void worker_exited(struct worker_state *w UNUSED, const struct pid *peer UNUSED) {}
static void worker_ends(struct worker_state *w)
{
    buffer_append_text(&w->log, "finalize ");
}

struct job {
    struct future *in;
    struct promise *out;
    bool fail;
};

STEP(worker_state, add_one, job);
STEP(worker_state, make_zero, job);
STEP(worker_state, give_up, job);
LAST(worker_state, job_done, job);

static struct future *add_one(struct worker_state *w, struct future *f, struct job *op UNUSED)
{
    buffer_append_text(&w->log, "add ");
    return number_ready(*number_get(f) + 1);
}

static struct future *make_zero(struct worker_state *w, struct future *f UNUSED,
                                struct job *op UNUSED)
{
    buffer_append_text(&w->log, "zero ");
    return number_ready(0);
}

static struct future *give_up(struct worker_state *w, struct future *f, struct job *op UNUSED)
{
    buffer_append_text(&w->log, "late ");
    future_discard(f);
    return future_failed(&number_type, ETIMEDOUT, "too late");
}

static void job_done(struct worker_state *w, struct future *f, struct job *op UNUSED)
{
    static const char *const names[] = { "pending", "ready", "failed", "discarded" };

    buffer_printf(&w->log, "done:%s ", names[future_state(f)]);
}

typedef struct future *(*arrange_f)(struct worker_state *w, struct future *f);
struct arrange_args {
    arrange_f arrange;
    struct future *in;
};
ASK(worker_state, arrange, arrange_args, NO_RELEASE);

static struct future *arrange(struct worker_state *w, struct arrange_args *a)
{
    return a->arrange(w, a->in);
}

struct bench {
    struct node n;
    struct worker_state w;
    struct pid pid;
};

static void bench_start(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->n = node_start(2);
    buffer_init(&b->w.log);
    ck_assert_int_eq(
        process_spawn(b->n.rt, &b->w.process, &worker_state_class, NULL, &b->pid, NULL), 0);
}

static void bench_stop(struct bench *b)
{
    pid_release(&b->pid);
    node_stop(&b->n);
    buffer_release(&b->w.log);
}

/* Ends the process, and says what happened in it. */
static const char *bench_log(struct bench *b)
{
    process_terminate(&b->pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&b->pid, LONG));
    return buffer_data(&b->w.log);
}

static struct future *three_steps(struct worker_state *w, struct future *f)
{
    f = THEN(f, add_one, w, NULL);
    f = THEN(f, add_one, w, NULL);
    FINALLY(future_ref(f), job_done, w, NULL);
    return f;
}

START_TEST(steps_run_one_after_the_other)
{
    struct future *f;
    struct bench b;

    bench_start(&b);
    f = ask(&b.pid, arrange, .arrange = three_steps, .in = number_ready(1));
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_int_eq(*number_get(f), 3);
    future_unref(f);
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "add add done:ready finalize ");
    bench_stop(&b);
}
END_TEST

START_TEST(a_failure_skips_the_steps_and_reaches_the_last)
{
    struct future *f;
    struct bench b;

    bench_start(&b);
    f = ask(&b.pid, arrange, .arrange = three_steps,
            .in = future_failed(&number_type, EIO, "broken"));
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_str_eq(future_error(f)->text, "broken");
    future_unref(f);
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "done:failed finalize ");
    bench_stop(&b);
}
END_TEST

static struct future *recovered(struct worker_state *w, struct future *f)
{
    return RECOVER(f, make_zero, w, NULL);
}

static struct future *repaired(struct worker_state *w, struct future *f)
{
    return REPAIR(f, make_zero, w, NULL);
}

static enum future_state end_of(arrange_f how, struct future *in, const char *log)
{
    enum future_state state;
    struct future *f;
    struct bench b;

    bench_start(&b);
    f = ask(&b.pid, arrange, .arrange = how, .in = in);
    ck_assert(future_wait(f, b.n.host, LONG));
    state = future_state(f);
    future_unref(f);
    ck_assert_str_eq(bench_log(&b), log);
    bench_stop(&b);
    return state;
}

static struct future *discarded(void)
{
    struct promise *p = number_promise();
    struct future *f = promise_future(p);

    promise_unref(p);
    return f;
}

START_TEST(recover_runs_after_a_failure_or_a_discard_and_repair_after_a_failure)
{
    struct future *failed = future_failed(&number_type, EIO, "broken");

    ck_assert_int_eq(end_of(recovered, future_ref(failed), "zero finalize "), FUTURE_READY);
    ck_assert_int_eq(end_of(recovered, discarded(), "zero finalize "), FUTURE_READY);
    ck_assert_int_eq(end_of(recovered, number_ready(1), "finalize "), FUTURE_READY);
    ck_assert_int_eq(end_of(repaired, failed, "zero finalize "), FUTURE_READY);
    ck_assert_int_eq(end_of(repaired, discarded(), "finalize "), FUTURE_DISCARDED);
}
END_TEST

START_TEST(a_discard_travels_up_the_chain_and_leaves_out_the_steps)
{
    struct promise *p = number_promise();
    struct future *in = promise_future(p), *f;
    struct bench b;

    bench_start(&b);
    f = ask(&b.pid, arrange, .arrange = three_steps, .in = future_ref(in));
    node_settle(&b.n);
    ck_assert(!future_has_discard(in));
    future_discard(f);
    node_settle(&b.n);
    ck_assert(future_has_discard(in));
    number_set(p, 1); /* the producer was faster */
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "done:discarded finalize ");
    promise_unref(p);
    future_unref(in);
    future_unref(f);
    bench_stop(&b);
}
END_TEST

static struct future *limited(struct worker_state *w, struct future *f)
{
    return AFTER(f, SECONDS(10), give_up, w, NULL);
}

START_TEST(after_a_time_the_step_decides)
{
    struct promise *p = number_promise();
    struct future *in = promise_future(p), *f;
    struct bench b;

    bench_start(&b);
    runtime_clock_pause(b.n.rt);
    f = ask(&b.pid, arrange, .arrange = limited, .in = future_ref(in));
    node_settle(&b.n);
    runtime_clock_advance(b.n.rt, SECONDS(10));
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_str_eq(future_error(f)->text, "too late");
    ck_assert(future_has_discard(in));
    number_set(p, 1);
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "late finalize ");
    promise_unref(p);
    future_unref(in);
    future_unref(f);
    bench_stop(&b);
}
END_TEST

START_TEST(before_that_time_the_future_does)
{
    struct promise *p = number_promise();
    struct future *f;
    struct bench b;

    bench_start(&b);
    runtime_clock_pause(b.n.rt);
    f = ask(&b.pid, arrange, .arrange = limited, .in = promise_future(p));
    node_settle(&b.n);
    number_set(p, 5);
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_int_eq(*number_get(f), 5);
    node_settle(&b.n);
    runtime_clock_advance(b.n.rt, SECONDS(10));
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "finalize ");
    promise_unref(p);
    future_unref(f);
    bench_stop(&b);
}
END_TEST

START_TEST(when_the_process_ends_first_its_lasts_run_before_finalize_and_steps_do_not)
{
    struct promise *p = number_promise();
    struct future *f;
    struct bench b;

    bench_start(&b);
    f = ask(&b.pid, arrange, .arrange = three_steps, .in = promise_future(p));
    node_settle(&b.n);
    ck_assert_str_eq(bench_log(&b), "done:discarded finalize ");
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    number_set(p, 1); /* reaches nobody */
    promise_unref(p);
    future_unref(f);
    bench_stop(&b);
}
END_TEST

static struct future *settle_and_end(struct worker_state *w, struct future *f)
{
    FINALLY(f, job_done, w, NULL);
    number_set(w->made, 1); /* the event of the last is queued: */
    process_terminate(&w->process.pid, TERMINATE_NOW);
    return number_ready(0);
}

START_TEST(a_last_whose_event_was_queued_when_the_process_ended_ran_once)
{
    struct future *f;
    struct bench b;

    bench_start(&b);
    b.w.made = number_promise();
    f = ask(&b.pid, arrange, .arrange = settle_and_end, .in = promise_future(b.w.made));
    ck_assert(process_wait(&b.pid, LONG));
    node_settle(&b.n);
    ck_assert_str_eq(buffer_data(&b.w.log), "done:discarded finalize ");
    future_unref(f);
    promise_unref(b.w.made);
    bench_stop(&b);
}
END_TEST

START_TEST(a_call_to_a_process_that_is_gone_fails)
{
    struct future *f;
    struct bench b;

    bench_start(&b);
    bench_log(&b);
    f = ask(&b.pid, arrange, .arrange = three_steps, .in = NULL);
    ck_assert(future_wait(f, b.n.host, LONG));
    ck_assert_int_eq(future_error(f)->code, ESRCH);
    ck_assert_str_eq(future_error(f)->text, "no such process: worker(1)");
    future_unref(f);
    bench_stop(&b);
}
END_TEST

struct tally {
    _Atomic int ready, failed, discarded, any, asked;
};

static void count_one(struct process *self UNUSED, struct future *f UNUSED, void *op)
{
    atomic_fetch_add((_Atomic int *)op, 1);
}

static void count_all(struct node *n, struct future *f, struct tally *t)
{
    struct process *executor = runtime_executor(n->rt);

    future_on_ready(f, executor, count_one, &t->ready);
    future_on_failed(f, executor, count_one, &t->failed);
    future_on_discarded(f, executor, count_one, &t->discarded);
    future_on_any(f, executor, count_one, &t->any);
    future_on_discard(f, executor, count_one, &t->asked);
}

#define check_tally(t, ready_, failed_, discarded_, any_, asked_)                                  \
    ck_assert_msg((t).ready == (ready_) && (t).failed == (failed_) &&                              \
                      (t).discarded == (discarded_) && (t).any == (any_) && (t).asked == (asked_), \
                  "wrong callbacks")

START_TEST(callbacks_of_code_outside_run_in_the_executor_each_for_its_end)
{
    struct node n = node_start(2);
    struct promise *p = number_promise(), *q = number_promise(), *r = number_promise();
    struct future *f = promise_future(p), *g = promise_future(q), *h = promise_future(r);
    struct tally a = { 0 }, b = { 0 }, c = { 0 };

    count_all(&n, f, &a);
    count_all(&n, g, &b);
    count_all(&n, h, &c);
    node_settle(&n);
    check_tally(a, 0, 0, 0, 0, 0);
    future_discard(h);
    future_discard(h);
    node_settle(&n);
    check_tally(c, 0, 0, 0, 0, 1);
    number_set(p, 1);
    promise_fail(q, EIO, "broken");
    promise_discard(r);
    node_settle(&n);
    check_tally(a, 1, 0, 0, 1, 0);
    check_tally(b, 0, 1, 0, 1, 0);
    check_tally(c, 0, 0, 1, 1, 1);
    future_unref(f);
    future_unref(g);
    future_unref(h);
    promise_unref(p);
    promise_unref(q);
    promise_unref(r);
    node_stop(&n);
}
END_TEST

START_TEST(a_runtime_that_ends_lets_go_of_what_waits)
{
    struct node n = node_start(1);
    struct promise *p = number_promise();
    struct future *f = promise_future(p);
    struct tally t = { 0 };
    _Atomic int lasts = 0;

    future_finally(future_ref(f), runtime_executor(n.rt), count_one, &lasts);
    count_all(&n, f, &t);
    node_stop(&n);
    ck_assert_int_eq(lasts, 1);
    check_tally(t, 0, 0, 0, 0, 0);
    future_unref(f);
    promise_unref(p);
}
END_TEST

START_TEST(waiting_ends_at_the_time_out)
{
    struct node n = node_start(1);
    struct promise *p = number_promise();
    struct future *f = promise_future(p);

    ck_assert(!future_wait(f, n.host, MILLISECONDS(1)));
    number_set(p, 1);
    ck_assert(future_wait(f, n.host, NANOSECONDS(0)));
    future_unref(f);
    promise_unref(p);
    node_stop(&n);
}
END_TEST

static struct future *wait_inside(struct worker_state *w, struct future *f)
{
    future_wait(f, runtime_host(w->process.runtime), SECONDS(1));
    return f;
}

START_TEST(waiting_on_an_actors_thread_aborts)
{
    struct promise *p = number_promise();
    struct bench b;

    bench_start(&b);
    future_wait(ask(&b.pid, arrange, .arrange = wait_inside, .in = promise_future(p)), b.n.host,
                LONG);
}
END_TEST

UNIT(future, a_promise_is_settled_once, a_value_that_comes_too_late_is_released, a_failure_says_why,
     an_abandoned_promise_is_discarded,
     a_long_chain_of_followers_settles_and_is_discarded_without_recursion,
     a_discard_asked_for_before_travels_when_it_follows,
     a_discard_travels_to_all_that_are_followed, await_is_ready_when_none_is_pending,
     collect_fails_with_the_first_and_asks_the_others_to_stop, collect_is_ready_when_all_are,
     select_follows_the_first_that_is_ready, select_fails_when_none_is_ready,
     of_none_await_and_collect_are_ready_and_select_fails, a_discard_of_many_is_asked_of_each,
     steps_run_one_after_the_other, a_failure_skips_the_steps_and_reaches_the_last,
     recover_runs_after_a_failure_or_a_discard_and_repair_after_a_failure,
     a_discard_travels_up_the_chain_and_leaves_out_the_steps, after_a_time_the_step_decides,
     before_that_time_the_future_does,
     when_the_process_ends_first_its_lasts_run_before_finalize_and_steps_do_not,
     a_last_whose_event_was_queued_when_the_process_ended_ran_once,
     a_call_to_a_process_that_is_gone_fails,
     callbacks_of_code_outside_run_in_the_executor_each_for_its_end,
     a_runtime_that_ends_lets_go_of_what_waits, waiting_ends_at_the_time_out, THESE_ABORT,
     a_value_of_another_type_aborts, waiting_on_an_actors_thread_aborts);
