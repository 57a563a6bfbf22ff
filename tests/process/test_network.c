/* test_network.c - messages and links between two nodes, and with a bare socket */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/line.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- an actor that writes down what it hears ---- */

struct talker {
    struct process process;
    pthread_mutex_t lock; /* of `heard`, which the test's own thread reads */
    struct buffer heard;
    bool answers;
};

#define MESSAGES(ON) ON(pb__authenticate_message, Pb__AuthenticateMessage, on_text)
HANDLERS(talker, talker_handlers, MESSAGES);
CLASS(talker, "talker", talker_initialize, talker_exited, talker_finalize);

static void note(struct talker *t, const char *text)
{
    pthread_mutex_lock(&t->lock);
    buffer_printf(&t->heard, "%s ", text);
    pthread_mutex_unlock(&t->lock);
    host_notify(runtime_host(t->process.runtime));
}

static void send_text(struct talker *t, const struct pid *to, const char *text)
{
    Pb__AuthenticateMessage m = PB__AUTHENTICATE_MESSAGE__INIT;

    m.pid = text;
    process_send(&t->process, to, &m.base);
}

static void on_text(struct talker *t, const struct pid *from, const Pb__AuthenticateMessage *m)
{
    note(t, m->pid);
    if (t->answers)
        send_text(t, from, "answer");
}

static void talker_initialize(struct talker *t)
{
    process_install(&t->process, talker_handlers);
}

static void talker_exited(struct talker *t, const struct pid *peer)
{
    char text[300];

    snprintf(text, sizeof text, "exited:%s", peer->id->bytes);
    note(t, text);
}

static void talker_finalize(struct talker *t UNUSED) {}

struct say_args {
    struct pid to;
    int first, last;
    size_t size;
};
struct watch_args {
    struct pid peer;
    enum link_mode mode;
};

static void say_release(struct say_args *a)
{
    pid_release(&a->to);
}
static void watch_release(struct watch_args *a)
{
    pid_release(&a->peer);
}

CALL(talker, say, say_args, say_release);
CALL(talker, watch, watch_args, watch_release);

/* The numbers from first to last, each filled up to `size` bytes. */
static void say(struct talker *t, struct say_args *a)
{
    for (int i = a->first; i <= a->last; i++) {
        char *text = mem_printf("%0*d", (int)a->size, i);
        send_text(t, &a->to, text);
        mem_free(text);
    }
}

static void watch(struct talker *t, struct watch_args *a)
{
    process_link(&t->process, &a->peer, a->mode);
}

static struct pid talker_start(struct node *n, struct talker *t, const char *id)
{
    struct error err;
    struct pid pid;

    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    ck_assert_int_eq(process_spawn(n->rt, &t->process, &talker_class, id, &pid, &err), 0);
    return pid;
}

struct much {
    struct talker *t;
    size_t length;
};

static bool has_heard_much(void *arg)
{
    struct much *m = arg;
    bool has;

    pthread_mutex_lock(&m->t->lock);
    has = buffer_length(&m->t->heard) >= m->length;
    pthread_mutex_unlock(&m->t->lock);
    return has;
}

static void wait_for(struct talker *t, size_t length)
{
    struct much m = { t, length };

    place_until(runtime_host(t->process.runtime), has_heard_much, &m);
}

/* Waits until that much was heard, and takes it. */
static void check_heard(struct talker *t, const char *text)
{
    wait_for(t, strlen(text));
    pthread_mutex_lock(&t->lock);
    ck_assert_str_eq(buffer_data(&t->heard), text);
    buffer_release(&t->heard);
    pthread_mutex_unlock(&t->lock);
}

static void check_numbers(struct talker *t, int first, int last)
{
    struct buffer text = BUFFER_INIT;

    for (int i = first; i <= last; i++)
        buffer_printf(&text, "%d ", i);
    check_heard(t, buffer_data(&text));
    buffer_release(&text);
}

/* Two nodes with a talker each; PIDs as the other node sees them: text only. */
static struct node here, there;
static struct talker a, b;
static struct pid a_pid, b_pid, a_remote, b_remote;

static void start(void)
{
    here = node_start(2);
    there = node_start(2);
    a_pid = talker_start(&here, &a, "a");
    b_pid = talker_start(&there, &b, "b");
    a_remote = pid_create("a", runtime_address(here.rt));
    b_remote = pid_create("b", runtime_address(there.rt));
}

static void stop_there(void)
{
    node_stop(&there);
    buffer_release(&b.heard);
    pid_release(&b_pid);
}

static void stop_here(void)
{
    node_stop(&here);
    ck_assert_str_eq(buffer_data(&a.heard), ""); /* nothing that no test has looked at */
    pid_release(&a_pid);
    pid_release(&a_remote);
    pid_release(&b_remote);
}

START_TEST(messages_travel_both_ways)
{
    start();
    b.answers = true;
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 3);
    check_numbers(&b, 1, 3);
    check_heard(&a, "answer answer answer ");
    dispatch(&b_pid, say, .to = pid_dup(&a_remote), .first = 7, .last = 7);
    check_numbers(&a, 7, 7);
    stop_there();
    stop_here();
}
END_TEST

START_TEST(messages_stay_in_order_before_and_after_a_link)
{
    start();
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 1000);
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1001, .last = 2000);
    check_numbers(&b, 1, 2000);
    stop_there();
    check_heard(&a, "exited:b ");
    stop_here();
}
END_TEST

START_TEST(a_large_message_arrives_whole)
{
    const size_t size = (size_t)place_many(3 << 20);
    start();
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 5, .last = 6, .size = size);
    wait_for(&b, 2 * (size + 1));
    pthread_mutex_lock(&b.lock);
    ck_assert_str_eq(buffer_data(&b.heard) + buffer_length(&b.heard) - 4, "006 ");
    pthread_mutex_unlock(&b.lock);
    stop_there();
    stop_here();
}
END_TEST

START_TEST(the_end_of_a_node_is_told_once_for_each_link)
{
    start();
    struct pid other = pid_create("nobody", runtime_address(there.rt));
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, watch, .peer = pid_dup(&other));
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 1);
    check_numbers(&b, 1, 1);
    stop_there();
    check_heard(&a, "exited:b exited:nobody ");
    node_settle(&here);
    pid_release(&other);
    stop_here();
}
END_TEST

START_TEST(a_link_to_where_nobody_listens_is_told_each_time)
{
    start();
    stop_there();
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    check_heard(&a, "exited:b ");
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote), .mode = LINK_RECONNECT);
    check_heard(&a, "exited:b ");
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 10); /* dropped */
    node_settle(&here);
    stop_here();
}
END_TEST

START_TEST(a_linker_that_ends_is_forgotten)
{
    start();
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 1);
    check_numbers(&b, 1, 1);
    process_terminate(&a_pid, TERMINATE_NOW);
    ck_assert(process_wait(&a_pid, LONG));
    stop_there();
    node_settle(&here);
    stop_here();
}
END_TEST

START_TEST(a_reconnect_takes_links_and_messages_with_it)
{
    start();
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 1);
    check_numbers(&b, 1, 1);
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote), .mode = LINK_RECONNECT);
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 2, .last = 3);
    check_numbers(&b, 2, 3);
    node_settle(&here);
    stop_there();
    check_heard(&a, "exited:b ");
    stop_here();
}
END_TEST

START_TEST(a_reconnect_before_the_first_connection_stands_loses_nothing)
{
    start();
    for (int i = 0; i < 20; i++) {
        dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = i, .last = i);
        dispatch(&a_pid, watch, .peer = pid_dup(&b_remote), .mode = LINK_RECONNECT);
    }
    wait_for(&b, 10 * 2 + 10 * 3);
    stop_there();
    check_heard(&a, "exited:b ");
    stop_here();
}
END_TEST

START_TEST(a_pid_of_our_own_that_is_only_text_needs_no_network)
{
    start();
    dispatch(&a_pid, say, .to = pid_dup(&a_remote), .first = 1, .last = 2);
    check_numbers(&a, 1, 2);
    stop_there();
    stop_here();
}
END_TEST

START_TEST(many_actors_send_to_one_peer)
{
    static struct talker many[50];
    struct pid pids[50];
    start();
    for (int i = 0; i < 50; i++)
        pids[i] = talker_start(&here, &many[i], NULL);
    for (int i = 0; i < 50; i++)
        dispatch(&pids[i], say, .to = pid_dup(&b_remote), .first = 100, .last = 199);
    wait_for(&b, 50 * 100 * 4);
    stop_there();
    stop_here();
    for (int i = 0; i < 50; i++)
        pid_release(&pids[i]);
}
END_TEST

/* ---- a peer that is a bare socket ---- */

static struct line_listener listener;

static struct pid listen_there(void)
{
    line_listen(&listener);
    return pid_create("x(1)", listener.address);
}

static void start_here(struct runtime_options o)
{
    o.workers = 2;
    here = node_start_with(o);
    a_pid = talker_start(&here, &a, "a");
}

static void read_until(struct line *l, const char *end, struct buffer *ret)
{
    while (!strstr(buffer_data(ret), end))
        ck_assert(line_more(l, ret));
}

#define ACCEPTED "HTTP/1.1 202 Accepted\r\nDate: x\r\nContent-Length: 0\r\n\r\n"

START_TEST(a_connection_that_nobody_needs_is_closed_when_all_was_answered)
{
    struct buffer got = BUFFER_INIT;
    struct pid peer;

    start_here((struct runtime_options){ 0 });
    runtime_clock_pause(here.rt);
    peer = listen_there();
    dispatch(&a_pid, say, .to = pid_dup(&peer), .first = 1, .last = 1);
    struct line *l = line_accept(&listener);
    read_until(l, "0\r\n\r\n", &got);
    ck_assert_int_eq(strncmp(buffer_data(&got),
                             "POST /x(1)/mesos.internal.AuthenticateMessage HTTP/1.1\r\n", 55),
                     0);

    node_settle(&here);
    runtime_clock_advance(here.rt, SECONDS(60));
    node_settle(&here);
    ck_assert(!line_has_ended(l)); /* open: its answer is missing */

    line_put(l, ACCEPTED);
    while (!line_has_ended(l))
        runtime_clock_advance(here.rt, SECONDS(5));
    line_close(l);
    line_stop_listening(&listener);
    buffer_release(&got);
    pid_release(&peer);
    node_stop(&here);
    pid_release(&a_pid);
}
END_TEST

/* Two messages have gone by the first one when the second takes its place. */
struct replaced {
    struct pid peer;
    struct line *old, *young;
};

static struct replaced replace_connection(void)
{
    struct buffer got = BUFFER_INIT;
    struct replaced r;

    start_here((struct runtime_options){ 0 });
    runtime_clock_pause(here.rt);
    r.peer = listen_there();
    dispatch(&a_pid, say, .to = pid_dup(&r.peer), .first = 1, .last = 2);
    r.old = line_accept(&listener);
    read_until(r.old, "2\r\n0\r\n\r\n", &got);
    dispatch(&a_pid, watch, .peer = pid_dup(&r.peer), .mode = LINK_RECONNECT);
    r.young = line_accept(&listener);
    node_settle(&here);
    buffer_release(&got);
    return r;
}

static void end_replaced(struct replaced *r)
{
    ck_assert(!line_has_ended(r->young));
    line_close(r->old);
    line_close(r->young);
    check_heard(&a, "exited:x(1) ");
    line_stop_listening(&listener);
    pid_release(&r->peer);
    node_stop(&here);
    pid_release(&a_pid);
}

/* What it wrote lies in the peer, unread perhaps: a close would lose it. */
START_TEST(a_connection_that_was_replaced_waits_for_its_answers)
{
    struct replaced r = replace_connection();

    for (int i = 0; i < 2; i++) {
        ck_assert(!line_has_ended(r.old));
        line_put(r.old, ACCEPTED);
        node_settle(&here);
    }
    while (!line_has_ended(r.old))
        node_settle(&here);
    end_replaced(&r);
}
END_TEST

START_TEST(a_connection_that_was_replaced_does_not_wait_for_ever)
{
    struct replaced r = replace_connection();

    for (int i = 0; i < 10; i++) {
        runtime_clock_advance(here.rt, SECONDS(10));
        node_settle(&here);
    }
    ck_assert(!line_has_ended(r.old));
    while (!line_has_ended(r.old))
        runtime_clock_advance(here.rt, SECONDS(10));
    end_replaced(&r);
}
END_TEST

/* As libprocess closes when nobody is linked.  In the world they may still be on the way. */
START_TEST(all_messages_of_a_peer_that_has_closed_are_taken)
{
    struct buffer messages = BUFFER_INIT;
    struct counter *unknown;
    struct line *l;

    if (place_is_simulated())
        return;
    start_here((struct runtime_options){ .max_mailbox_events = 1 });
    unknown = metrics_counter(here.rt, "process/messages_unknown");
    for (int i = 0; i < 100; i++)
        buffer_append_text(
            &messages,
            "POST /a/some.Message HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:9\r\n\r\n");
    l = line_open(runtime_address(here.rt));
    line_put(l, buffer_data(&messages));
    line_close(l);
    while (counter_value(unknown) < 100)
        node_settle(&here);
    buffer_release(&messages);
    node_stop(&here);
    pid_release(&a_pid);
}
END_TEST

START_TEST(a_connection_whose_linkers_have_gone_is_closed_too)
{
    struct pid peer;

    start_here((struct runtime_options){ 0 });
    runtime_clock_pause(here.rt);
    peer = listen_there();
    dispatch(&a_pid, watch, .peer = pid_dup(&peer));
    struct line *l = line_accept(&listener);
    for (int i = 0; i < 10; i++) {
        node_settle(&here);
        runtime_clock_advance(here.rt, SECONDS(60));
    }
    ck_assert(!line_has_ended(l)); /* open: linked */

    process_terminate(&a_pid, TERMINATE_NOW);
    ck_assert(process_wait(&a_pid, LONG));
    while (!line_has_ended(l))
        runtime_clock_advance(here.rt, SECONDS(5));
    line_close(l);
    line_stop_listening(&listener);
    pid_release(&peer);
    node_stop(&here);
    pid_release(&a_pid);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_given_up)
{
    struct pid peer;

    start_here((struct runtime_options){ .max_output_bytes = 1 << 20 });
    peer = listen_there();
    dispatch(&a_pid, watch, .peer = pid_dup(&peer));
    dispatch(&a_pid, say, .to = pid_dup(&peer), .first = 1, .last = 200, .size = 100000);
    check_heard(&a, "exited:x(1) ");
    ck_assert_uint_ge(counter_value(metrics_counter(here.rt, "process/connections_overflown")), 1);
    line_stop_listening(&listener);
    pid_release(&peer);
    node_stop(&here);
    pid_release(&a_pid);
}
END_TEST

START_TEST(a_peer_that_closes_is_told_to_the_linker)
{
    struct pid peer;

    start_here((struct runtime_options){ 0 });
    peer = listen_there();
    dispatch(&a_pid, watch, .peer = pid_dup(&peer));
    struct line *l = line_accept(&listener);
    line_close(l);
    check_heard(&a, "exited:x(1) ");
    dispatch(&a_pid, watch, .peer = pid_dup(&peer)); /* a link is told once: link again */
    l = line_accept(&listener);
    line_close(l);
    check_heard(&a, "exited:x(1) ");
    line_stop_listening(&listener);
    pid_release(&peer);
    node_stop(&here);
    pid_release(&a_pid);
}
END_TEST

/* ---- in the simulated world ---- */

struct expected {
    struct talker *t;
    const char *text;
};

static bool has_heard(void *arg)
{
    struct expected *e = arg;

    return strcmp(buffer_data(&e->t->heard), e->text) == 0;
}

static void check_hears(struct sim *s, struct talker *t, const char *text)
{
    struct expected e = { t, text };

    ck_assert_msg(sim_run_until(s, has_heard, &e, MINUTES(1)), "heard %s", buffer_data(&t->heard));
    buffer_release(&t->heard);
}

START_TEST(it_is_the_same_in_the_simulated_world)
{
    struct sim *s = sim_create(7);
    struct sim_node *one = sim_node_create(s, "one", 0x0a000001);
    struct sim_node *two = sim_node_create(s, "two", 0x0a000002);
    struct runtime_options o1 = { .bind = { 0x0a000001, 5050 } };
    struct runtime_options o2 = { .bind = { 0x0a000002, 5050 } };
    struct error err;

    here.host = sim_host_create(one, "here");
    there.host = sim_host_create(two, "there");
    here.rt = runtime_create(here.host, &o1, &err);
    there.rt = runtime_create(there.host, &o2, &err);
    a_pid = talker_start(&here, &a, "a");
    b_pid = talker_start(&there, &b, "b");
    b_remote = pid_create("b", runtime_address(there.rt));
    b.answers = true;

    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 1, .last = 2);
    dispatch(&a_pid, watch, .peer = pid_dup(&b_remote));
    dispatch(&a_pid, say, .to = pid_dup(&b_remote), .first = 3, .last = 3);
    check_hears(s, &b, "1 2 3 ");
    check_hears(s, &a, "answer answer answer ");
    sim_run_for(s, MINUTES(1));
    sim_break_connections(one, two);
    check_hears(s, &a, "exited:b ");

    node_stop(&here);
    node_stop(&there);
    pid_release(&a_pid);
    pid_release(&b_pid);
    pid_release(&b_remote);
    sim_destroy(s);
}
END_TEST

UNIT(network, messages_travel_both_ways, messages_stay_in_order_before_and_after_a_link,
     a_large_message_arrives_whole, the_end_of_a_node_is_told_once_for_each_link,
     a_link_to_where_nobody_listens_is_told_each_time, a_linker_that_ends_is_forgotten,
     a_reconnect_takes_links_and_messages_with_it,
     a_reconnect_before_the_first_connection_stands_loses_nothing,
     a_pid_of_our_own_that_is_only_text_needs_no_network, many_actors_send_to_one_peer,
     a_connection_that_nobody_needs_is_closed_when_all_was_answered,
     a_connection_that_was_replaced_waits_for_its_answers,
     a_connection_that_was_replaced_does_not_wait_for_ever,
     all_messages_of_a_peer_that_has_closed_are_taken,
     a_connection_whose_linkers_have_gone_is_closed_too, a_peer_that_does_not_read_is_given_up,
     a_peer_that_closes_is_told_to_the_linker, it_is_the_same_in_the_simulated_world);
