/* test_message.c - messages between processes of one node, and bytes from the wire */
#include "process/message.h"

#include "base/buffer.h"
#include "process/proto.h"
#include "process/runtime_private.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "tests/process/node.h"
#include "tests/unit.h"

struct player {
    struct process process;
    int pings, pongs;
    bool connected;
    struct message *kept;
    struct pid last_from;
};

CLASS(player, "player", player_begins, player_exited, player_ends);

#define MESSAGES(ON)                                                                               \
    ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_ping)                                      \
    ON(pb__pong_slave_message, Pb__PongSlaveMessage, on_pong)

HANDLERS(player, player_handlers, MESSAGES);

static void player_begins(struct player *p)
{
    process_install(&p->process, player_handlers);
}

static void player_exited(struct player *p UNUSED, const struct pid *peer UNUSED) {}

static void player_ends(struct player *p)
{
    message_unref(p->kept);
    pid_release(&p->last_from);
}

static void on_ping(struct player *p, const struct pid *from, const Pb__PingSlaveMessage *ping)
{
    Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;

    ck_assert_ptr_eq(from, process_sender(&p->process));
    p->pings++;
    p->connected = ping->connected;
    pid_assign(&p->last_from, from);
    message_unref(p->kept);
    p->kept = message_ref(process_message(&p->process));
    process_reply(&p->process, &pong.base);
}

static void on_pong(struct player *p, const struct pid *from,
                    const Pb__PongSlaveMessage *pong UNUSED)
{
    p->pongs++;
    pid_assign(&p->last_from, from);
}

struct serve_args {
    struct pid to;
    struct message *give;
};
CALL(player, serve, serve_args, NO_RELEASE);

static void serve(struct player *p, struct serve_args *a)
{
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;

    ping.connected = 1;
    if (a->give)
        process_give(&p->process, &a->to, a->give);
    else
        process_send(&p->process, &a->to, &ping.base);
}

struct match {
    struct node n;
    struct player a, b;
    struct pid a_pid, b_pid;
};

static void match_start(struct match *m)
{
    *m = (struct match){ .n = node_start(2) };
    ck_assert_int_eq(process_spawn(m->n.rt, &m->a.process, &player_class, "a", &m->a_pid, NULL), 0);
    ck_assert_int_eq(process_spawn(m->n.rt, &m->b.process, &player_class, "b", &m->b_pid, NULL), 0);
    node_settle(&m->n);
}

static void match_stop(struct match *m)
{
    pid_release(&m->a_pid);
    pid_release(&m->b_pid);
    node_stop(&m->n);
}

static uint64_t dropped(struct match *m)
{
    struct runtime_counts c;

    runtime_counts(m->n.rt, &c);
    return c.dropped_messages;
}

START_TEST(a_message_is_received_and_answered)
{
    struct match m;

    match_start(&m);
    dispatch(&m.a_pid, serve, .to = m.b_pid);
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 1);
    ck_assert(m.b.connected);
    ck_assert(pid_equal(&m.b.last_from, &m.a_pid));
    ck_assert_int_eq(m.a.pongs, 1);
    ck_assert(pid_equal(&m.a.last_from, &m.b_pid));
    match_stop(&m);
}
END_TEST

START_TEST(a_pid_of_which_only_the_text_is_known_finds_its_process)
{
    struct match m;
    struct pid text;

    match_start(&m);
    text = pid_create("b", runtime_address(m.n.rt));
    dispatch(&m.a_pid, serve, .to = text);
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 1);
    pid_release(&text);
    match_stop(&m);
}
END_TEST

START_TEST(a_message_that_is_given_is_the_same_for_the_receiver)
{
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;
    struct message *given = message_create(&ping.base);
    struct match m;

    match_start(&m);
    dispatch(&m.a_pid, serve, .to = m.b_pid, .give = message_ref(given));
    node_settle(&m.n);
    ck_assert_ptr_eq(m.b.kept, given);
    message_unref(given);
    match_stop(&m);
}
END_TEST

START_TEST(messages_to_nobody_are_dropped_and_counted)
{
    struct pid nobody = { 0 }, ghost;
    struct match m;

    match_start(&m);
    ghost = pid_create("ghost", runtime_address(m.n.rt));
    dispatch(&m.a_pid, serve, .to = nobody);
    dispatch(&m.a_pid, serve, .to = ghost);
    node_settle(&m.n);
    ck_assert_uint_eq(dropped(&m), 2);
    pid_release(&ghost);
    match_stop(&m);
}
END_TEST

START_TEST(bytes_from_the_wire_are_parsed_by_the_type_of_the_name)
{
    static const uint8_t ping[] = { 0x08, 0x01 };
    struct match m;

    match_start(&m);
    ck_assert(
        process_deliver_bytes(m.n.rt, "b", &m.a_pid, "mesos.internal.PingSlaveMessage", ping, 2));
    ck_assert(
        !process_deliver_bytes(m.n.rt, "c", &m.a_pid, "mesos.internal.PingSlaveMessage", ping, 2));
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 1);
    ck_assert(m.b.connected);
    ck_assert_int_eq(m.a.pongs, 1);
    match_stop(&m);
}
END_TEST

START_TEST(bytes_that_cannot_be_parsed_or_that_nobody_installed_are_dropped)
{
    static const uint8_t rubbish[] = { 0xff, 0xff };
    struct match m;

    match_start(&m);
    process_deliver_bytes(m.n.rt, "b", &m.a_pid, "mesos.internal.PingSlaveMessage", rubbish, 2);
    process_deliver_bytes(m.n.rt, "b", &m.a_pid, "mesos.internal.PingSlaveMessage", NULL, 0);
    process_deliver_bytes(m.n.rt, "b", &m.a_pid, "mesos.internal.Unheard", rubbish, 0);
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 0);
    ck_assert_uint_eq(dropped(&m), 3);
    match_stop(&m);
}
END_TEST

static bool drop_pings(void *arg, const struct event_info *e)
{
    if (e->kind != EVENT_MESSAGE ||
        e->message->body->descriptor != &pb__ping_slave_message__descriptor)
        return true;
    ck_assert_str_eq(e->name, "mesos.internal.PingSlaveMessage");
    ck_assert_str_eq(e->from->id->bytes, "a");
    ck_assert_str_eq(e->to->id->bytes, "b");
    ++*(int *)arg;
    return false;
}

START_TEST(a_filter_sees_messages_also_those_from_the_wire_and_drops_them)
{
    static const uint8_t ping[] = { 0x08, 0x01 };
    struct match m;
    int seen = 0;

    match_start(&m);
    runtime_set_filter(m.n.rt, drop_pings, &seen);
    dispatch(&m.a_pid, serve, .to = m.b_pid);
    process_deliver_bytes(m.n.rt, "b", &m.a_pid, "mesos.internal.PingSlaveMessage", ping, 2);
    node_settle(&m.n);
    ck_assert_int_eq(seen, 2);
    ck_assert_int_eq(m.b.pings, 0);
    match_stop(&m);
}
END_TEST

START_TEST(a_message_in_the_name_of_another_aborts)
{
    Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;
    struct match m;

    match_start(&m);
    process_send(&m.a.process, &m.b_pid, &pong.base);
}
END_TEST

UNIT(message, a_message_is_received_and_answered,
     a_pid_of_which_only_the_text_is_known_finds_its_process,
     a_message_that_is_given_is_the_same_for_the_receiver,
     messages_to_nobody_are_dropped_and_counted,
     bytes_from_the_wire_are_parsed_by_the_type_of_the_name,
     bytes_that_cannot_be_parsed_or_that_nobody_installed_are_dropped,
     a_filter_sees_messages_also_those_from_the_wire_and_drops_them, THESE_ABORT,
     a_message_in_the_name_of_another_aborts);
