/* test_message.c - messages between processes of one node, and bytes from the wire */
#include "process/message.h"

#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/metrics.h"
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

static void match_start_with(struct match *m, struct log *log)
{
    *m = (struct match){ .n = node_start_with(
                             (struct runtime_options){ .workers = 2, .log = log }) };
    ck_assert_int_eq(process_spawn(m->n.rt, &m->a.process, &player_class, "a", &m->a_pid, NULL), 0);
    ck_assert_int_eq(process_spawn(m->n.rt, &m->b.process, &player_class, "b", &m->b_pid, NULL), 0);
    node_settle(&m->n);
}

static void match_start(struct match *m)
{
    match_start_with(m, NULL);
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

/* ---- handlers of fields, and the last one that was installed ---- */

struct clerk {
    struct process process;
    bool connected, sent;
    char *task, *framework;
    int whole;
};

CLASS(clerk, "clerk", clerk_begins, clerk_hears_exit, clerk_ends);
static void clerk_hears_ping(struct process *p, const struct pid *from,
                             const ProtobufCMessage *ping);

static const struct process_handler clerk_pings[] = {
    { &pb__ping_slave_message__descriptor, clerk_hears_ping }, { NULL, NULL }
};

static void clerk_hears_ping(struct process *p, const struct pid *from UNUSED,
                             const ProtobufCMessage *ping UNUSED)
{
    STATE_(clerk, p)->whole++;
}

static void clerk_hears_exit(struct clerk *c, const struct pid *peer)
{
    ck_assert_str_eq(peer->id->bytes, "ghost");
    c->sent = true;
}

static void clerk_ends(struct clerk *c)
{
    mem_free(c->task);
    mem_free(c->framework);
}

/* One file has one HANDLERS, so this one has a name of its own. */
#define handlers_state_ clerk_state_
#define CLERK_MESSAGES(ON)                                                                         \
    ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_connected, connected)                      \
    ON(pb__kill_task_message, Pb__KillTaskMessage, on_kill, task_id, framework_id)
HANDLERS(clerk, clerk_handlers, CLERK_MESSAGES);
#undef handlers_state_

static void clerk_begins(struct clerk *c)
{
    process_install(&c->process, clerk_pings);
    process_install(&c->process, clerk_handlers);
}

static void on_connected(struct clerk *c, const struct pid *from UNUSED,
                         protobuf_c_boolean connected)
{
    c->connected = connected;
}

static void on_kill(struct clerk *c, const struct pid *from UNUSED, Pb__TaskID *task,
                    Pb__FrameworkID *framework)
{
    mem_free(c->task);
    mem_free(c->framework);
    c->task = mem_strdup(task->value);
    c->framework = mem_strdup(framework->value);
}

static void clerk_start(struct match *m, struct clerk *c)
{
    ck_assert_int_eq(process_spawn(m->n.rt, &c->process, &clerk_class, "clerk", NULL, NULL), 0);
    node_settle(&m->n);
}

static struct pid pid_of(struct match *m, const char *id)
{
    return pid_create(id, runtime_address(m->n.rt));
}

START_TEST(a_handler_may_name_its_fields_and_the_last_one_of_a_type_counts)
{
    Pb__KillTaskMessage kill = PB__KILL_TASK_MESSAGE__INIT;
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;
    Pb__TaskID task = PB__TASK_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    struct clerk c = { 0 };
    struct match m;
    struct pid to;

    match_start(&m);
    clerk_start(&m, &c);
    to = pid_of(&m, "clerk");
    task.value = "t1";
    framework.value = "f1";
    kill.task_id = &task;
    kill.framework_id = &framework;
    ping.connected = 1;
    process_post(m.n.rt, NULL, &to, &kill.base);
    process_post(m.n.rt, NULL, &to, &ping.base);
    node_settle(&m.n);
    ck_assert(c.connected);
    ck_assert_int_eq(c.whole, 0); /* that one was installed before */
    ck_assert_str_eq(c.task, "t1");
    ck_assert_str_eq(c.framework, "f1");
    pid_release(&to);
    match_stop(&m);
}
END_TEST

/* ---- post, delegates, what nobody knows ---- */

START_TEST(a_message_is_posted_from_outside_in_any_name_or_none)
{
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;
    struct match m;

    match_start(&m);
    process_post(m.n.rt, NULL, &m.b_pid, &ping.base);
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 1);
    ck_assert(pid_is_empty(&m.b.last_from));
    process_post(m.n.rt, &m.a_pid, &m.b_pid, &ping.base);
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 2);
    ck_assert(pid_equal(&m.b.last_from, &m.a_pid));
    ck_assert_int_eq(m.a.pongs, 1);
    match_stop(&m);
}
END_TEST

struct delegate_args {
    const char *name;
    struct pid to;
};
CALL(player, hand_over, delegate_args, NO_RELEASE);

static void hand_over(struct player *p, struct delegate_args *a)
{
    process_delegate(&p->process, a->name, &a->to);
}

#define KILL "mesos.internal.KillTaskMessage"

START_TEST(what_has_no_handler_goes_on_to_its_delegate_in_its_senders_name)
{
    static const uint8_t kill[] = "\x0a\x04\x0a\x02" "f1" "\x12\x04\x0a\x02" "t1";
    Pb__KillTaskMessage message = PB__KILL_TASK_MESSAGE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__TaskID task = PB__TASK_ID__INIT;
    struct clerk c = { 0 };
    struct match m;
    struct pid to;

    match_start(&m);
    clerk_start(&m, &c);
    to = pid_of(&m, "clerk");
    dispatch(&m.b_pid, hand_over, .name = KILL, .to = m.a_pid);
    dispatch(&m.b_pid, hand_over, .name = KILL, .to = to); /* the last one */
    dispatch(&m.b_pid, hand_over, .name = "mesos.internal.PingSlaveMessage", .to = to);
    node_settle(&m.n);

    process_deliver_bytes(m.n.rt, "b", &m.a_pid, KILL, kill, sizeof kill - 1);
    node_settle(&m.n);
    ck_assert_str_eq(c.task, "t1");

    task.value = "t2";
    framework.value = "f2";
    message.task_id = &task;
    message.framework_id = &framework;
    process_post(m.n.rt, &m.a_pid, &m.b_pid, &message.base);
    node_settle(&m.n);
    ck_assert_str_eq(c.task, "t2");
    ck_assert_uint_eq(dropped(&m), 0);

    dispatch(&m.a_pid, serve, .to = m.b_pid); /* who has a handler keeps it */
    node_settle(&m.n);
    ck_assert_int_eq(m.b.pings, 1);
    pid_release(&to);
    match_stop(&m);
}
END_TEST

static void keep_line(void *arg, const char *line, size_t length)
{
    buffer_append(arg, line, length);
}

static size_t count_text(const char *in, const char *text)
{
    size_t n = 0;

    for (const char *at = in; (at = strstr(at, text)); at++)
        n++;
    return n;
}

START_TEST(what_nobody_knows_is_counted_each_time_and_logged_once)
{
    struct buffer lines = BUFFER_INIT;
    struct log *log = log_create(keep_line, &lines, NULL, NULL);
    struct match m;

    match_start_with(&m, log);
    for (int i = 0; i < 3; i++)
        process_deliver_bytes(m.n.rt, "b", &m.a_pid, "example.Unheard", NULL, 0);
    process_deliver_bytes(m.n.rt, "a", &m.a_pid, "example.Unheard", NULL, 0);
    node_settle(&m.n);
    ck_assert_uint_eq(dropped(&m), 4);
    ck_assert_uint_eq(counter_value(metrics_counter(m.n.rt, "process/messages_unknown")), 4);
    ck_assert_uint_eq(count_text(buffer_data(&lines), "has no handler for example.Unheard"), 1);
    ck_assert_uint_eq(count_text(buffer_data(&lines), "example.Unheard"), 1);

    buffer_clear(&lines); /* a stranger cannot fill the log with names */
    for (int i = 0; i < 300; i++) {
        char *name = mem_printf("example.Made%dUp", i);
        process_deliver_bytes(m.n.rt, "b", &m.a_pid, name, NULL, 0);
        mem_free(name);
    }
    node_settle(&m.n);
    ck_assert_uint_lt(count_text(buffer_data(&lines), "has no handler"), 100);
    ck_assert_uint_gt(count_text(buffer_data(&lines), "has no handler"), 10);
    match_stop(&m);
    log_destroy(log);
    buffer_release(&lines);
}
END_TEST

START_TEST(an_exit_can_be_faked)
{
    struct clerk c = { 0 };
    struct match m;
    struct pid to, ghost;

    match_start(&m);
    clerk_start(&m, &c);
    ghost = pid_create("ghost", (struct address){ 0x0a090909, 5050 });
    ck_assert(runtime_find(m.n.rt, "clerk", &to));
    runtime_inject_exited(&to, &ghost);
    node_settle(&m.n);
    ck_assert(c.sent);
    pid_release(&to);
    pid_release(&ghost);
    match_stop(&m);
}
END_TEST

UNIT(message, a_message_is_received_and_answered,
     a_pid_of_which_only_the_text_is_known_finds_its_process,
     a_message_that_is_given_is_the_same_for_the_receiver,
     messages_to_nobody_are_dropped_and_counted,
     bytes_from_the_wire_are_parsed_by_the_type_of_the_name,
     bytes_that_cannot_be_parsed_or_that_nobody_installed_are_dropped,
     a_filter_sees_messages_also_those_from_the_wire_and_drops_them,
     a_handler_may_name_its_fields_and_the_last_one_of_a_type_counts,
     a_message_is_posted_from_outside_in_any_name_or_none,
     what_has_no_handler_goes_on_to_its_delegate_in_its_senders_name,
     what_nobody_knows_is_counted_each_time_and_logged_once, an_exit_can_be_faked, THESE_ABORT,
     a_message_in_the_name_of_another_aborts);
