/* test_process.c - the life of processes, dispatch, links and timers */
#include "process/process.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* A process that writes down what happens to it. */
struct diary {
    struct process process;
    struct buffer *pages;
    bool managed;
};

CLASS(diary, "diary", diary_begins, diary_hears_exit, diary_ends);

static void diary_begins(struct diary *d)
{
    buffer_append_text(d->pages, "begin ");
}

static void diary_hears_exit(struct diary *d, const struct pid *peer)
{
    buffer_printf(d->pages, "exited:%s ", peer->id->bytes);
}

static void diary_ends(struct diary *d)
{
    buffer_append_text(d->pages, "end ");
    if (d->managed)
        mem_free(d);
}

struct entry {
    const char *text;
    _Atomic int *released;
};

static void entry_release(struct entry *e)
{
    if (e->released)
        atomic_fetch_add(e->released, 1);
}

CALL(diary, note, entry, entry_release);

static void note(struct diary *d, struct entry *e)
{
    buffer_printf(d->pages, "%s ", e->text);
}

struct peer_args {
    struct pid peer;
};
CALL(diary, watch_peer, peer_args, NO_RELEASE);

static void watch_peer(struct diary *d, struct peer_args *a)
{
    process_link(&d->process, &a->peer, LINK_REUSE);
}

struct many_args {
    int n;
};
CALL(diary, end_yourself, many_args, NO_RELEASE);

/* Queues work behind its own end. */
static void end_yourself(struct diary *d, struct many_args *a)
{
    struct pid me = pid_dup(&d->process.pid);

    for (int i = 0; i < a->n; i++)
        dispatch(&me, note, .text = "late");
    process_terminate(&me, TERMINATE_NOW);
    dispatch(&me, note, .text = "later");
    pid_release(&me);
}

static struct pid spawn(struct node *n, struct diary *d, const char *id)
{
    struct error err;
    struct pid pid;

    ck_assert_msg(process_spawn(n->rt, &d->process, &diary_class, id, &pid, &err) == 0,
                  "spawn failed");
    return pid;
}

static void end_and_wait(struct pid *pid, enum terminate how)
{
    process_terminate(pid, how);
    ck_assert(process_wait(pid, LONG));
    pid_release(pid);
}

#define check_pages(b, text) ck_assert_str_eq(buffer_data(&(b)), (text))

START_TEST(a_process_begins_works_and_ends)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);

    dispatch(&pid, note, .text = "1");
    dispatch(&pid, note, .text = "2");
    dispatch(&pid, note, .text = "3");
    end_and_wait(&pid, TERMINATE_AFTER_QUEUED);
    check_pages(b, "begin 1 2 3 end ");
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(terminating_now_goes_ahead_of_what_is_queued)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);

    dispatch(&pid, end_yourself, .n = 3);
    ck_assert(process_wait(&pid, LONG));
    check_pages(b, "begin end ");
    pid_release(&pid);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_process_that_is_ended_at_once_has_begun)
{
    struct node n = node_start(2);
    struct buffer b = BUFFER_INIT;

    for (int i = 0; i < 200; i++) {
        struct diary d = { .pages = &b };
        struct pid pid = spawn(&n, &d, NULL);

        end_and_wait(&pid, TERMINATE_NOW);
        check_pages(b, "begin end ");
        buffer_clear(&b);
    }
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(arguments_are_released_exactly_once_also_when_dropped)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL), nobody = { 0 };
    _Atomic int released = 0;

    dispatch(&pid, note, .text = "in", .released = &released);
    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    dispatch(&pid, note, .text = "behind", .released = &released);
    ck_assert(process_wait(&pid, LONG));
    dispatch(&pid, note, .text = "after", .released = &released);
    dispatch(&nobody, note, .text = "nobody", .released = &released);
    node_settle(&n);
    ck_assert_int_eq(atomic_load(&released), 4);
    check_pages(b, "begin in end ");
    pid_release(&pid);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_managed_process_frees_itself)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary *d = mem_alloc(sizeof *d);
    struct pid pid;

    d->pages = &b;
    d->managed = true;
    pid = spawn(&n, d, NULL);
    end_and_wait(&pid, TERMINATE_NOW);
    check_pages(b, "begin end ");
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(ids_are_made_unique_or_refused)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d[4] = { { .pages = &b }, { .pages = &b }, { .pages = &b }, { .pages = &b } };
    struct error err;
    struct pid pid[4];

    pid[0] = spawn(&n, &d[0], NULL);
    pid[1] = spawn(&n, &d[1], "diary(2)");
    pid[2] = spawn(&n, &d[2], NULL);
    ck_assert_str_eq(pid[0].id->bytes, "diary(1)");
    ck_assert_str_eq(pid[2].id->bytes, "diary(3)");
    ck_assert_int_lt(process_spawn(n.rt, &d[3].process, &diary_class, "diary(1)", NULL, &err), 0);
    ck_assert_int_eq(err.code, EEXIST);
    ck_assert_int_lt(process_spawn(n.rt, &d[3].process, &diary_class, "a/b", NULL, &err), 0);
    ck_assert_int_eq(err.code, EINVAL);
    end_and_wait(&pid[0], TERMINATE_NOW);
    pid[3] = spawn(&n, &d[3], "diary(1)"); /* is free again */
    for (int i = 1; i < 4; i++)
        pid_release(&pid[i]);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_process_is_found_by_id_and_by_the_text_of_its_pid)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, "me"), found, parsed;
    char text[PID_TEXT];

    ck_assert(runtime_find(n.rt, "me", &found));
    ck_assert(!runtime_find(n.rt, "you", &parsed));
    ck_assert_int_eq(runtime_parse_pid(n.rt, pid_text(&pid, text, sizeof text), &parsed, NULL), 0);
    ck_assert_ptr_eq(parsed.runtime, n.rt);
    ck_assert_uint_eq(parsed.slot, pid.slot);
    ck_assert(pid_equal(&parsed, &found));
    pid_release(&parsed);
    pid_release(&found);
    end_and_wait(&pid, TERMINATE_NOW);
    ck_assert(!runtime_find(n.rt, "me", &found));
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_link_tells_once_of_the_end)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT, other = BUFFER_INIT;
    struct diary watcher = { .pages = &b }, watched = { .pages = &other };
    struct pid pid = spawn(&n, &watcher, "watcher"), peer = spawn(&n, &watched, "watched");

    dispatch(&pid, watch_peer, .peer = peer);
    dispatch(&pid, watch_peer, .peer = peer);
    node_settle(&n);
    process_terminate(&peer, TERMINATE_NOW);
    ck_assert(process_wait(&peer, LONG));
    node_settle(&n);
    check_pages(b, "begin exited:watched ");
    dispatch(&pid, watch_peer, .peer = peer); /* is gone already */
    node_settle(&n);
    check_pages(b, "begin exited:watched exited:watched ");
    pid_release(&peer);
    pid_release(&pid);
    node_stop(&n);
    buffer_release(&b);
    buffer_release(&other);
}
END_TEST

START_TEST(a_link_to_an_id_that_nobody_has_tells_at_once)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL), peer = pid_create("ghost", runtime_address(n.rt));

    dispatch(&pid, watch_peer, .peer = peer);
    node_settle(&n);
    check_pages(b, "begin exited:ghost ");
    pid_release(&peer);
    end_and_wait(&pid, TERMINATE_NOW);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_linker_that_is_gone_is_not_told)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT, other = BUFFER_INIT;
    struct diary watcher = { .pages = &b }, watched = { .pages = &other };
    struct pid pid = spawn(&n, &watcher, NULL), peer = spawn(&n, &watched, NULL);

    dispatch(&pid, watch_peer, .peer = peer);
    end_and_wait(&pid, TERMINATE_AFTER_QUEUED);
    end_and_wait(&peer, TERMINATE_NOW);
    node_settle(&n);
    check_pages(b, "begin end ");
    node_stop(&n);
    buffer_release(&b);
    buffer_release(&other);
}
END_TEST

START_TEST(destroying_a_runtime_ends_its_processes_the_youngest_first)
{
    struct node n = node_start(2);
    struct buffer b = BUFFER_INIT;
    struct diary d[3];
    _Atomic int released = 0;

    for (int i = 0; i < 3; i++) {
        struct pid pid;

        d[i] = (struct diary){ .pages = &b };
        ck_assert_int_eq(process_spawn(n.rt, &d[i].process, &diary_class, NULL, &pid, NULL), 0);
        node_settle(&n);
        delay(&pid, HOURS(1), note, .text = "never", .released = &released);
        pid_release(&pid);
    }
    node_stop(&n);
    check_pages(b, "begin begin begin end end end ");
    ck_assert_int_eq(atomic_load(&released), 3);
    buffer_release(&b);
}
END_TEST

START_TEST(timers_fire_by_deadline_and_then_by_creation)
{
    struct node n = node_start(2);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);

    runtime_clock_pause(n.rt);
    delay(&pid, SECONDS(2), note, .text = "c");
    delay(&pid, SECONDS(1), note, .text = "a");
    delay(&pid, SECONDS(1), note, .text = "b");
    delay(&pid, SECONDS(3), note, .text = "d");
    node_settle(&n);
    check_pages(b, "begin ");
    runtime_clock_advance(n.rt, NANOSECONDS(999999999));
    node_settle(&n);
    check_pages(b, "begin ");
    runtime_clock_advance(n.rt, NANOSECONDS(1));
    node_settle(&n);
    check_pages(b, "begin a b ");
    runtime_clock_advance(n.rt, HOURS(1));
    node_settle(&n);
    check_pages(b, "begin a b c d ");
    end_and_wait(&pid, TERMINATE_NOW);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(a_timer_that_was_cancelled_does_not_fire)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);
    struct timer none = { NULL, 0 }, first, second;
    _Atomic int released = 0;

    runtime_clock_pause(n.rt);
    first = delay(&pid, SECONDS(1), note, .text = "first", .released = &released);
    second = delay(&pid, SECONDS(1), note, .text = "second", .released = &released);
    ck_assert(process_cancel(&first));
    ck_assert_int_eq(atomic_load(&released), 1);
    ck_assert(!process_cancel(&first));
    ck_assert(!process_cancel(&none));
    runtime_clock_advance(n.rt, SECONDS(1));
    node_settle(&n);
    ck_assert(!process_cancel(&second));
    check_pages(b, "begin second ");
    ck_assert_int_eq(atomic_load(&released), 2);
    end_and_wait(&pid, TERMINATE_NOW);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

struct count_args {
    int deadline, number;
};

/* Sees that timers come by deadline, and by number within one. */
struct clerk {
    struct process process;
    struct count_args last;
    int seen;
};
CALL(clerk, count, count_args, NO_RELEASE);
CLASS(clerk, "clerk", clerk_begins, clerk_hears_exit, clerk_ends);

static void clerk_begins(struct clerk *c UNUSED) {}
static void clerk_hears_exit(struct clerk *c UNUSED, const struct pid *peer UNUSED) {}
static void clerk_ends(struct clerk *c UNUSED) {}

static void count(struct clerk *c, struct count_args *args)
{
    ck_assert_int_ge(args->deadline, c->last.deadline);
    ck_assert(args->deadline > c->last.deadline || args->number > c->last.number);
    c->last = *args;
    c->seen++;
}

START_TEST(of_many_timers_those_that_are_left_fire_in_order)
{
    enum { MANY = 20000, DEADLINES = 701 };
    struct node n = node_start(1);
    struct clerk c = { .seen = 0 };
    static struct timer timers[MANY];
    int left = 0;
    struct pid pid;

    ck_assert_int_eq(process_spawn(n.rt, &c.process, &clerk_class, NULL, &pid, NULL), 0);
    runtime_clock_pause(n.rt);
    for (int round = 0; round < 2; round++) { /* the second in the places of the first */
        for (int i = 0; i < MANY; i++) {
            int deadline = 1 + i * 7919 % DEADLINES + 1000 * round;
            timers[i] = delay(&pid, SECONDS(deadline), count, .deadline = deadline, .number = i);
        }
        for (int i = 0; i < MANY; i++)
            if (i % 5 == 3)
                left++;
            else
                ck_assert(process_cancel(&timers[i]));
    }
    for (int i = 0; i < 100; i++)
        runtime_clock_advance(n.rt, SECONDS(30));
    node_settle(&n);
    ck_assert_int_eq(c.seen, left);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

START_TEST(the_clock_stands_moves_and_never_goes_back)
{
    struct node n = node_start(1);
    struct instant t, wall;

    runtime_clock_pause(n.rt);
    t = runtime_now(n.rt);
    wall = runtime_wall(n.rt);
    ck_assert_int_eq(runtime_now(n.rt).ns, t.ns);
    runtime_clock_advance(n.rt, HOURS(5));
    ck_assert_int_eq(instant_since(runtime_now(n.rt), t).ns, HOURS(5).ns);
    ck_assert(instant_since(runtime_wall(n.rt), wall).ns > HOURS(4).ns);
    runtime_clock_resume(n.rt);
    ck_assert(instant_since(runtime_now(n.rt), t).ns >= HOURS(5).ns);
    node_stop(&n);
}
END_TEST

/* ---- the clock of one process ---- */

struct look_args {
    struct instant *ret_now;
    _Atomic int *rung;
};
CALL(diary, look, look_args, NO_RELEASE);
CALL(diary, ring, look_args, NO_RELEASE);

static void ring(struct diary *d UNUSED, struct look_args *args)
{
    atomic_fetch_add(args->rung, 1);
}

static void look(struct diary *d, struct look_args *args)
{
    *args->ret_now = runtime_now(d->process.runtime);
    if (args->rung)
        delay(&d->process.pid, MINUTES(1), ring, .rung = args->rung);
}

static int64_t hours_since(struct node *n, const struct pid *pid, struct instant t)
{
    struct instant there;

    dispatch(pid, look, .ret_now = &there);
    node_settle(n);
    return instant_since(there, t).ns / HOURS(1).ns;
}

START_TEST(one_process_may_be_ahead_of_the_clock_that_stands)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary ahead = { .pages = &b }, other = { .pages = &b };
    struct pid pid = spawn(&n, &ahead, NULL), other_pid = spawn(&n, &other, NULL);
    _Atomic int rung = 0;
    struct instant t, there;

    runtime_clock_pause(n.rt);
    t = runtime_now(n.rt);
    runtime_clock_advance_of(&pid, HOURS(2));
    runtime_clock_advance_of(&pid, HOURS(3));
    ck_assert_int_eq(hours_since(&n, &pid, t), 5);
    ck_assert_int_eq(hours_since(&n, &other_pid, t), 0);
    ck_assert_int_eq(instant_since(runtime_now(n.rt), t).ns, 0);
    dispatch(&pid, look, .ret_now = &there, .rung = &rung);
    node_settle(&n);
    runtime_clock_advance(n.rt, HOURS(5));
    node_settle(&n);
    ck_assert_int_eq(rung, 0);
    runtime_clock_advance(n.rt, MINUTES(1));
    node_settle(&n);
    ck_assert_int_eq(rung, 1);
    ck_assert_int_eq(hours_since(&n, &pid, t), 10);
    runtime_clock_resume(n.rt);
    runtime_clock_pause(n.rt);
    ck_assert_int_eq(hours_since(&n, &pid, t), 5);
    pid_release(&pid);
    pid_release(&other_pid);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

/* ---- who hears of one that is ahead ---- */

struct news_args {
    struct pid to;
    struct promise *promise;
    struct diary *child;
};
CALL(diary, tell, news_args, NO_RELEASE);
CALL(diary, write_to, news_args, NO_RELEASE);
CALL(diary, keep_promise, news_args, NO_RELEASE);
CALL(diary, bear, news_args, NO_RELEASE);
CALL(diary, await_news, news_args, NO_RELEASE);

static void tell(struct diary *d UNUSED, struct news_args *a)
{
    dispatch(&a->to, note, .text = "told");
}

static void write_to(struct diary *d, struct news_args *a)
{
    Pb__AuthenticateMessage m = PB__AUTHENTICATE_MESSAGE__INIT;

    m.pid = "x@127.0.0.1:1";
    process_send(&d->process, &a->to, &m.base);
}

static void keep_promise(struct diary *d UNUSED, struct news_args *a)
{
    promise_set(a->promise, &future_nothing, NULL);
    promise_unref(a->promise);
}

static void news_came(struct process *self UNUSED, struct future *f UNUSED, void *op UNUSED) {}

static void await_news(struct diary *d, struct news_args *a)
{
    future_finally(promise_future(a->promise), &d->process, news_came, NULL);
}

static void bear(struct diary *d, struct news_args *a)
{
    ck_assert_int_eq(
        process_spawn(d->process.runtime, &a->child->process, &diary_class, NULL, NULL, NULL), 0);
}

/* Processes 0 and 1 are 2 and 5 hours ahead. */
struct family {
    struct node node;
    struct instant t;
    struct buffer pages;
    struct diary diaries[7];
    struct pid pids[7];
};

static void family_start(struct family *f, unsigned workers)
{
    *f = (struct family){ .node = node_start(workers) };
    buffer_init(&f->pages);
    runtime_clock_pause(f->node.rt);
    f->t = runtime_now(f->node.rt);
    for (size_t i = 0; i < ARRAY_SIZE(f->pids); i++) {
        f->diaries[i].pages = &f->pages;
        f->pids[i] = spawn(&f->node, &f->diaries[i], NULL);
        node_settle(&f->node); /* they share their pages */
    }
    runtime_clock_advance_of(&f->pids[0], HOURS(2));
    runtime_clock_advance_of(&f->pids[1], HOURS(5));
}

static void family_stop(struct family *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(f->pids); i++)
        pid_release(&f->pids[i]);
    node_stop(&f->node);
    buffer_release(&f->pages);
}

static int64_t family_hours(struct family *f, size_t i)
{
    return hours_since(&f->node, &f->pids[i], f->t);
}

#define family_do(f, i, fn, ...)                                                                   \
    do {                                                                                           \
        dispatch(&(f)->pids[i], fn, __VA_ARGS__);                                                  \
        node_settle(&(f)->node);                                                                   \
    } while (0)

START_TEST(who_hears_of_one_that_is_ahead_is_no_earlier)
{
    struct promise *promise = promise_create(&future_nothing);
    struct family f;

    family_start(&f, 2);
    family_do(&f, 2, await_news, .promise = promise);
    family_do(&f, 6, watch_peer, .peer = f.pids[0]);
    family_do(&f, 0, keep_promise, .promise = promise);
    family_do(&f, 0, tell, .to = f.pids[3]);
    family_do(&f, 3, write_to, .to = f.pids[4]);
    ck_assert_int_eq(family_hours(&f, 2), 2);
    ck_assert_int_eq(family_hours(&f, 3), 2);
    ck_assert_int_eq(family_hours(&f, 4), 2);
    ck_assert_int_eq(family_hours(&f, 5), 0);
    ck_assert_int_eq(family_hours(&f, 6), 0);
    process_terminate(&f.pids[0], TERMINATE_AFTER_QUEUED);
    node_settle(&f.node);
    ck_assert_int_eq(family_hours(&f, 6), 2);
    family_stop(&f);
}
END_TEST

START_TEST(of_two_times_a_process_has_the_later_one)
{
    struct family f;

    family_start(&f, 1);
    family_do(&f, 0, tell, .to = f.pids[1]);
    family_do(&f, 5, tell, .to = f.pids[1]);
    ck_assert_int_eq(family_hours(&f, 1), 5);
    family_do(&f, 0, tell, .to = f.pids[2]);
    family_do(&f, 1, tell, .to = f.pids[2]);
    family_do(&f, 0, tell, .to = f.pids[2]);
    ck_assert_int_eq(family_hours(&f, 2), 5);
    ck_assert_int_eq(family_hours(&f, 0), 2);
    runtime_clock_advance(f.node.rt, HOURS(1));
    node_settle(&f.node);
    ck_assert_int_eq(family_hours(&f, 2), 6);
    ck_assert_int_eq(family_hours(&f, 5), 1);
    runtime_clock_resume(f.node.rt);
    runtime_clock_pause(f.node.rt);
    family_do(&f, 1, tell, .to = f.pids[3]);
    ck_assert_int_eq(family_hours(&f, 1), 1);
    ck_assert_int_eq(family_hours(&f, 3), 1);
    family_stop(&f);
}
END_TEST

START_TEST(a_child_is_no_earlier_than_its_parent)
{
    struct family f;
    struct diary child;
    struct pid pid;

    family_start(&f, 1);
    child = (struct diary){ .pages = &f.pages };
    family_do(&f, 0, bear, .child = &child);
    pid = pid_dup(&child.process.pid);
    ck_assert_int_eq(hours_since(&f.node, &pid, f.t), 2);
    pid_release(&pid);
    family_stop(&f);
}
END_TEST

START_TEST(a_timer_of_one_that_is_ahead_makes_nobody_else_later)
{
    struct family f;
    _Atomic int rung = 0;
    struct instant there;

    family_start(&f, 1);
    family_do(&f, 0, look, .ret_now = &there, .rung = &rung);
    runtime_clock_advance(f.node.rt, HOURS(2));
    runtime_clock_advance(f.node.rt, MINUTES(1));
    node_settle(&f.node);
    ck_assert_int_eq(rung, 1);
    ck_assert_int_eq(family_hours(&f, 0), 4);
    ck_assert_int_eq(family_hours(&f, 3), 2);
    family_stop(&f);
}
END_TEST

static bool has_fired(void *arg)
{
    return atomic_load((_Atomic int *)arg) > 0;
}

START_TEST(a_timer_fires_by_itself)
{
    struct node n = node_start(2);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);
    _Atomic int released = 0;

    delay(&pid, MILLISECONDS(1), note, .text = "now", .released = &released);
    while (!has_fired(&released)) /* nobody notifies: look again */
        host_wait(n.host, has_fired, &released, instant_add(host_now(n.host), MILLISECONDS(1)));
    end_and_wait(&pid, TERMINATE_AFTER_QUEUED);
    check_pages(b, "begin now end ");
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

static bool drop_dispatches(void *arg, const struct event_info *e)
{
    return e->kind != EVENT_DISPATCH || strcmp(e->to->id->bytes, arg) != 0;
}

START_TEST(a_filter_sees_and_drops_events)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, "filtered");
    _Atomic int released = 0;
    char id[] = "filtered";

    runtime_set_filter(n.rt, drop_dispatches, id);
    dispatch(&pid, note, .text = "dropped", .released = &released);
    node_settle(&n);
    runtime_set_filter(n.rt, NULL, NULL);
    dispatch(&pid, note, .text = "kept", .released = &released);
    end_and_wait(&pid, TERMINATE_AFTER_QUEUED);
    check_pages(b, "begin kept end ");
    ck_assert_int_eq(atomic_load(&released), 2);
    node_stop(&n);
    buffer_release(&b);
}
END_TEST

START_TEST(work_off_the_actors_threads_gives_a_future)
{
    struct node n = node_start(1);
    _Atomic int count = 0;
    struct entry e = { .released = &count };
    struct future *f = process_async(n.rt, note__release, &e);

    ck_assert(future_wait(f, n.host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_int_eq(atomic_load(&count), 1);
    future_unref(f);
    node_stop(&n);
}
END_TEST

START_TEST(a_link_by_another_hand_aborts)
{
    struct node n = node_start(1);
    struct buffer b = BUFFER_INIT;
    struct diary d = { .pages = &b };
    struct pid pid = spawn(&n, &d, NULL);

    process_link(&d.process, &pid, LINK_REUSE);
}
END_TEST

UNIT(process, a_process_begins_works_and_ends, terminating_now_goes_ahead_of_what_is_queued,
     a_process_that_is_ended_at_once_has_begun,
     arguments_are_released_exactly_once_also_when_dropped, a_managed_process_frees_itself,
     ids_are_made_unique_or_refused, a_process_is_found_by_id_and_by_the_text_of_its_pid,
     a_link_tells_once_of_the_end, a_link_to_an_id_that_nobody_has_tells_at_once,
     a_linker_that_is_gone_is_not_told, destroying_a_runtime_ends_its_processes_the_youngest_first,
     timers_fire_by_deadline_and_then_by_creation, a_timer_that_was_cancelled_does_not_fire,
     of_many_timers_those_that_are_left_fire_in_order,
     the_clock_stands_moves_and_never_goes_back,
     one_process_may_be_ahead_of_the_clock_that_stands,
     who_hears_of_one_that_is_ahead_is_no_earlier, of_two_times_a_process_has_the_later_one,
     a_child_is_no_earlier_than_its_parent,
     a_timer_of_one_that_is_ahead_makes_nobody_else_later, a_timer_fires_by_itself,
     a_filter_sees_and_drops_events, work_off_the_actors_threads_gives_a_future, THESE_ABORT,
     a_link_by_another_hand_aborts);
