/* test_workers.c - many processes on several threads at once
 *
 * What these tests are for is seen best under the thread sanitizer.
 */
#include <stdatomic.h>

#include "base/memory.h"
#include "process/future.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { RING = 1000, ROUNDS = 20, SENDERS = 16, LETTERS = 2000, LIVES = 2000 };

/* ---- a ring that passes tokens on ---- */

struct member {
    struct process process;
    struct pid next;
    struct promise *finished;
    int seen;
};

CLASS(member, "member", member_begins, member_exited, member_ends);
static void member_begins(struct member *m UNUSED) {}
static void member_exited(struct member *m UNUSED, const struct pid *peer UNUSED) {}
static void member_ends(struct member *m UNUSED) {}

struct token {
    int left;
};
CALL(member, pass_on, token, NO_RELEASE);

static void pass_on(struct member *m, struct token *t)
{
    m->seen++;
    if (t->left > 0)
        dispatch(&m->next, pass_on, .left = t->left - 1);
    else
        promise_set(m->finished, &future_nothing, NULL);
}

static void ring(unsigned workers, int tokens)
{
    struct node n = node_start(workers);
    struct member *members = mem_array(RING, sizeof *members);
    struct promise *finished = promise_create(&future_nothing);
    struct future *f = promise_future(finished);
    struct pid *pids = mem_array(RING, sizeof *pids);
    int seen = 0;

    for (int i = 0; i < RING; i++) {
        members[i].finished = finished;
        ck_assert_int_eq(
            process_spawn(n.rt, &members[i].process, &member_class, NULL, &pids[i], NULL), 0);
    }
    for (int i = 0; i < RING; i++) /* there is no token yet */
        members[i].next = pids[(i + 1) % RING];
    for (int i = 0; i < tokens; i++)
        dispatch(&pids[i * (RING / tokens)], pass_on, .left = RING * ROUNDS - 1);
    ck_assert(future_wait(f, n.host, LONG));
    node_settle(&n);
    node_stop(&n);
    for (int i = 0; i < RING; i++) {
        seen += members[i].seen;
        pid_release(&pids[i]);
    }
    ck_assert_int_eq(seen, tokens * RING * ROUNDS);
    promise_unref(finished);
    future_unref(f);
    mem_free(pids);
    mem_free(members);
}

START_TEST(a_token_goes_round_a_ring)
{
    ring(4, 1);
}
END_TEST

START_TEST(many_tokens_go_round_a_ring)
{
    ring(4, 20);
}
END_TEST

/* ---- many senders, one receiver ---- */

struct reader {
    struct process process;
    int next[SENDERS];
    int total;
    bool in_order;
};

CLASS(reader, "reader", reader_begins, reader_exited, reader_ends);
static void reader_begins(struct reader *r)
{
    r->in_order = true;
}
static void reader_exited(struct reader *r UNUSED, const struct pid *peer UNUSED) {}
static void reader_ends(struct reader *r UNUSED) {}

struct letter_args {
    int sender, number;
    _Atomic int *released;
};

static void letter_release(struct letter_args *a)
{
    atomic_fetch_add_explicit(a->released, 1, memory_order_relaxed);
}

CALL(reader, receive, letter_args, letter_release);

static void receive(struct reader *r, struct letter_args *a)
{
    r->total++;
    r->in_order = r->in_order && a->number == r->next[a->sender];
    r->next[a->sender] = a->number + 1;
}

struct writer {
    struct process process;
    struct pid reader;
    int index;
    _Atomic int *released;
};

CLASS(writer, "writer", writer_begins, writer_exited, writer_ends);
static void writer_exited(struct writer *w UNUSED, const struct pid *peer UNUSED) {}
static void writer_ends(struct writer *w UNUSED) {}

struct write_args {
    int number;
};
CALL(writer, write_next, write_args, NO_RELEASE);

static void writer_begins(struct writer *w)
{
    dispatch(&w->process.pid, write_next, .number = 0);
}

static void write_next(struct writer *w, struct write_args *a)
{
    dispatch(&w->reader, receive, .sender = w->index, .number = a->number, .released = w->released);
    if (a->number + 1 < LETTERS)
        dispatch(&w->process.pid, write_next, .number = a->number + 1);
    else
        process_terminate(&w->process.pid, TERMINATE_NOW);
}

/* Half of them are processes, half threads outside of actors. */
static void write_all(void *arg)
{
    struct writer *w = arg;

    for (int i = 0; i < LETTERS; i++)
        dispatch(&w->reader, receive, .sender = w->index, .number = i, .released = w->released);
}

START_TEST(what_each_of_many_senders_sends_arrives_in_order)
{
    struct node n = node_start(4);
    struct reader r = { .total = 0 };
    struct writer w[SENDERS];
    struct future *threads[SENDERS / 2], *all;
    _Atomic int released = 0;
    struct pid pid;

    ck_assert_int_eq(process_spawn(n.rt, &r.process, &reader_class, NULL, &pid, NULL), 0);
    for (int i = 0; i < SENDERS; i++) {
        w[i] = (struct writer){ .reader = pid, .index = i, .released = &released };
        if (i % 2)
            threads[i / 2] = process_async(n.rt, write_all, &w[i]);
        else
            ck_assert_int_eq(process_spawn(n.rt, &w[i].process, &writer_class, NULL, NULL, NULL),
                             0);
    }
    all = future_await(threads, SENDERS / 2);
    ck_assert(future_wait(all, n.host, LONG));
    future_unref(all);
    node_settle(&n);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    ck_assert(r.in_order);
    ck_assert_int_eq(r.total, SENDERS * LETTERS);
    ck_assert_int_eq(atomic_load(&released), SENDERS * LETTERS);
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* ---- processes come and go while others talk to them ---- */

struct mayfly {
    struct process process;
};

CLASS(mayfly, "mayfly", mayfly_begins, mayfly_exited, mayfly_ends);
static void mayfly_begins(struct mayfly *m UNUSED) {}
static void mayfly_exited(struct mayfly *m UNUSED, const struct pid *peer UNUSED) {}
static void mayfly_ends(struct mayfly *m)
{
    mem_free(m);
}

ASK(mayfly, greet, letter_args, letter_release);

static struct future *greet(struct mayfly *m, struct letter_args *a)
{
    if (a->number % 3 == 0)
        process_terminate(&m->process.pid, TERMINATE_NOW);
    return future_ready(&future_nothing, NULL);
}

static struct pid hatch(struct node *n)
{
    struct mayfly *m = mem_alloc(sizeof *m);
    struct pid pid;

    ck_assert_int_eq(process_spawn(n->rt, &m->process, &mayfly_class, NULL, &pid, NULL), 0);
    return pid;
}

START_TEST(every_call_is_answered_while_processes_come_and_go)
{
    struct node n = node_start(4);
    struct future **answers = mem_array(4 * LIVES, sizeof *answers), *all;
    _Atomic int released = 0;
    int failed = 0;

    for (int i = 0; i < LIVES; i++) {
        struct pid pid = hatch(&n);

        for (int j = 0; j < 4; j++)
            answers[4 * i + j] = ask(&pid, greet, .number = i + j, .released = &released);
        process_terminate(&pid, i % 2 ? TERMINATE_NOW : TERMINATE_AFTER_QUEUED);
        pid_release(&pid);
    }
    for (int i = 0; i < 4 * LIVES; i++)
        future_ref(answers[i]); /* await takes one */
    all = future_await(answers, 4 * LIVES);
    ck_assert(future_wait(all, n.host, LONG));
    node_settle(&n);
    for (int i = 0; i < 4 * LIVES; i++) {
        failed += future_state(answers[i]) == FUTURE_FAILED;
        ck_assert(future_state(answers[i]) == FUTURE_READY || future_error(answers[i])->code > 0);
        future_unref(answers[i]);
    }
    future_unref(all);
    ck_assert_int_gt(failed, 0);
    ck_assert_int_eq(atomic_load(&released), 4 * LIVES);
    mem_free(answers);
    node_stop(&n);
}
END_TEST

/* ---- an end in the middle of it all ---- */

START_TEST(a_runtime_is_destroyed_while_its_processes_are_busy)
{
    struct node n = node_start(4);
    struct member *members = mem_array(RING, sizeof *members);
    struct pid *pids = mem_array(RING, sizeof *pids);

    for (int i = 0; i < RING; i++)
        ck_assert_int_eq(
            process_spawn(n.rt, &members[i].process, &member_class, NULL, &pids[i], NULL), 0);
    for (int i = 0; i < RING; i++)
        members[i].next = pids[(i + 1) % RING];
    for (int i = 0; i < RING; i++)
        dispatch(&pids[i], pass_on, .left = 1 << 30);
    node_stop(&n);
    for (int i = 0; i < RING; i++)
        pid_release(&pids[i]);
    mem_free(pids);
    mem_free(members);
}
END_TEST

UNIT(workers, a_token_goes_round_a_ring, many_tokens_go_round_a_ring,
     what_each_of_many_senders_sends_arrives_in_order,
     every_call_is_answered_while_processes_come_and_go,
     a_runtime_is_destroyed_while_its_processes_are_busy);
