/* test_message_json.c - messages whose bodies are JSON: from a person with curl, between nodes */
#include <string.h>

#include "process/json_protobuf.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "process/runtime_private.h"
#include "proto/messages.pb-c.h"
#include "tests/process/browser.h"
#include "tests/unit.h"

/* ---- an actor that is told to kill tasks, and says so ---- */

struct reaper {
    struct process process;
    char *killed;
    struct pid from;
    int pings, pongs;
};

CLASS(reaper, "reaper", reaper_begins, reaper_hears_exit, reaper_ends);
#define MESSAGES(ON)                                                                               \
    ON(pb__kill_task_message, Pb__KillTaskMessage, on_kill)                                        \
    ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_ping, connected)                           \
    ON(pb__pong_slave_message, Pb__PongSlaveMessage, on_pong)
HANDLERS(reaper, reaper_handlers, MESSAGES);

static void reaper_begins(struct reaper *r)
{
    process_install(&r->process, reaper_handlers);
}

static void reaper_hears_exit(struct reaper *r UNUSED, const struct pid *peer UNUSED) {}

static void reaper_ends(struct reaper *r)
{
    mem_free(r->killed);
    pid_release(&r->from);
}

static void on_kill(struct reaper *r, const struct pid *from, const Pb__KillTaskMessage *kill)
{
    mem_free(r->killed);
    r->killed = mem_printf("%s of %s", kill->task_id->value, kill->framework_id->value);
    pid_assign(&r->from, from);
}

static void on_ping(struct reaper *r, const struct pid *from, protobuf_c_boolean connected)
{
    Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;

    ck_assert(connected);
    r->pings++;
    pid_assign(&r->from, from);
    process_reply(&r->process, &pong.base);
}

static void on_pong(struct reaper *r, const struct pid *from,
                    const Pb__PongSlaveMessage *pong UNUSED)
{
    r->pongs++;
    pid_assign(&r->from, from);
}

struct greet_args {
    struct pid to;
};
CALL(reaper, greet, greet_args, NO_RELEASE);

static void greet(struct reaper *r, struct greet_args *a)
{
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;

    ping.connected = 1;
    process_send(&r->process, &a->to, &ping.base);
}

static struct reaper reaper;

static void start(struct runtime_options o)
{
    world_start(1, o);
    memset(&reaper, 0, sizeof reaper);
    ck_assert_int_eq(process_spawn(rt, &reaper.process, &reaper_class, "reaper", NULL, NULL), 0);
}

#define KILL "/reaper/mesos.internal.KillTaskMessage"

/* As curl sends it with  -A libprocess/ -H 'Content-Type: application/json' -d BODY. */
static void post(struct browser *b, const char *path, const char *type, const char *body)
{
    char *request = mem_printf("POST %s HTTP/1.1\r\nHost: x\r\nUser-Agent: libprocess/\r\n"
                               "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                               path, type, strlen(body), body);

    browser_say(b, request);
    mem_free(request);
}

#define JSON "application/json"
#define WHOLE "{\"task_id\":{\"value\":\"t1\"},\"framework_id\":{\"value\":\"f1\"}}"

static void check_refused(struct browser *b, const char *path, const char *body, const char *status,
                          const char *why)
{
    post(b, path, JSON, body);
    browser_expect_head(b, status, NULL, NULL);
    browser_expect(b, why);
}

START_TEST(a_message_in_json_arrives_and_is_accepted_when_it_was_parsed)
{
    struct browser *b;

    start((struct runtime_options){ 0 });
    b = browser_open();
    post(b, KILL, JSON, WHOLE);
    browser_expect_head(b, "202", "Content-Length: 0", NULL);
    sim_run_for(world, SECONDS(1));
    ck_assert_str_eq(reaper.killed, "t1 of f1");
    ck_assert(pid_is_empty(&reaper.from));
    post(b, KILL, "Application/JSON; charset=utf-8",
         "{\"task_id\":{\"value\":\"t2\"},\"framework_id\":{\"value\":\"f2\"}}");
    browser_expect_head(b, "202", NULL, NULL);
    sim_run_for(world, SECONDS(1));
    ck_assert_str_eq(reaper.killed, "t2 of f2");
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(what_is_wrong_with_json_is_told_to_its_sender)
{
    struct browser *b;

    start((struct runtime_options){ 0 });
    b = browser_open();
    check_refused(b, KILL, "{\"task_id\":", "400",
                  "Failed to parse body into JSON: syntax error at line 1 near: ");
    check_refused(b, KILL, "{\"task_id\":{\"value\":\"t1\"}}", "400",
                  "Failed to convert JSON into KillTaskMessage protobuf: "
                  "Missing required fields: framework_id");
    check_refused(b, KILL, "", "400",
                  "Failed to parse body into JSON: syntax error at line 1 near: ");
    check_refused(b, "/reaper/mesos.internal.Kill", "{}", "404",
                  "reaper has no handler for mesos.internal.Kill");
    check_refused(b, "/nobody/mesos.internal.Kill", "{}", "404", "404 Not Found.");
    ck_assert_ptr_null(reaper.killed);
    browser_close(b);
    world_stop();
}
END_TEST

/* Protobuf that cannot be parsed is dropped behind a 202, as in libprocess. */
static void check_limited(struct runtime_options o, const char *why)
{
    struct browser *b;

    start(o);
    b = browser_open();
    check_refused(b, KILL, WHOLE, "400", why);
    post(b, KILL, "application/x-protobuf", "\n\004\n\002f1\022\004\n\002t1");
    browser_expect_head(b, "202", NULL, NULL);
    sim_run_for(world, SECONDS(1));
    ck_assert_ptr_null(reaper.killed);
    ck_assert_uint_eq(counter_value(metrics_counter(rt, "process/messages_malformed")), 2);
    browser_close(b);
    world_stop();
}

START_TEST(how_deep_and_how_much_a_message_may_be_is_an_option)
{
    struct browser *b;

    check_limited((struct runtime_options){ .max_message_depth = 1 },
                  "Failed to parse body into JSON: messages are nested too deeply");
    check_limited((struct runtime_options){ .max_message_elements = 1 },
                  "Failed to parse body into JSON: too many elements in the text");
    start((struct runtime_options){ .max_message_depth = 2, .max_message_elements = 2 });
    b = browser_open();
    post(b, KILL, "application/x-protobuf", "\n\004\n\002f1\022\004\n\002t1");
    browser_expect_head(b, "202", NULL, NULL);
    sim_run_for(world, SECONDS(1));
    ck_assert_str_eq(reaper.killed, "t1 of f1");
    ck_assert_uint_eq(counter_value(metrics_counter(rt, "process/messages_malformed")), 0);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(answers_stay_in_the_order_of_the_messages)
{
    struct browser *b;

    start((struct runtime_options){ 0 });
    b = browser_open();
    post(b, KILL, JSON, "[]");
    post(b, KILL, "application/x-protobuf", "rubbish");
    post(b, KILL, JSON, WHOLE);
    browser_say(b, BROWSER_GET("/nowhere"));
    browser_expect_head(b, "400", NULL, NULL);
    browser_expect(b, "Failed to convert JSON into KillTaskMessage protobuf: "
                      "Expecting a JSON object");
    browser_expect_head(b, "202", NULL, NULL);
    browser_expect_head(b, "202", NULL, NULL);
    browser_expect_head(b, "404", NULL, NULL);
    browser_expect(b, "404 Not Found.");
    browser_close(b);
    world_stop();
}
END_TEST

/* The same head again, and a body that is no protobuf. */
START_TEST(the_head_of_a_message_in_json_is_not_taken_for_one_in_protobuf)
{
    static const char again[] = "POST " KILL " HTTP/1.1\r\nUser-Agent: libprocess/a@10.0.0.2:1\r\n"
                                "Libprocess-From: a@10.0.0.2:1\r\nConnection: Keep-Alive\r\n"
                                "Host: x\r\nContent-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n38\r\n" WHOLE "\r\n0\r\n\r\n";
    struct browser *b;

    ck_assert_uint_eq(strlen(WHOLE), 0x38);
    start((struct runtime_options){ 0 });
    b = browser_open();
    for (int i = 0; i < 3; i++) {
        browser_say(b, again);
        browser_expect_head(b, "202", NULL, NULL);
        sim_run_for(world, SECONDS(1));
        ck_assert_str_eq(reaper.killed, "t1 of f1");
        mem_free(reaper.killed);
        reaper.killed = NULL;
    }
    ck_assert_str_eq(reaper.from.id->bytes, "a");
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_receiver_that_has_gone_or_is_busy_says_so)
{
    struct browser *b;
    struct pid to;

    start((struct runtime_options){ .max_mailbox_events = 1 });
    b = browser_open();
    ck_assert(runtime_find(rt, "reaper", &to));
    for (int i = 0; i < 100; i++)
        post(b, KILL, JSON, WHOLE); /* more than come in one turn find it busy */
    browser_skip(b, "202 Accepted");
    browser_skip(b, "503 Service Unavailable.");
    sim_run_for(world, SECONDS(10));
    buffer_clear(&b->got);
    process_terminate(&to, TERMINATE_NOW);
    post(b, KILL, JSON, WHOLE);
    browser_skip(b, "404 Not Found.");
    pid_release(&to);
    browser_close(b);
    world_stop();
}
END_TEST

/* ---- between nodes ---- */

struct far {
    struct host *host;
    struct runtime *rt;
    struct reaper reaper;
    struct pid pid;
};

static void far_start(struct far *f)
{
    struct runtime_options o = { .bind.ip = CLIENT_IP, .workers = 1 };

    *f = (struct far){ .host = sim_host_create(client_node, "far") };
    f->rt = runtime_create(f->host, &o, NULL);
    ck_assert_ptr_nonnull(f->rt);
    ck_assert_int_eq(process_spawn(f->rt, &f->reaper.process, &reaper_class, "far", &f->pid, NULL),
                     0);
}

static void far_stop(struct far *f)
{
    pid_release(&f->pid);
    runtime_destroy(f->rt);
    host_destroy(f->host);
}

START_TEST(a_peer_that_is_set_to_json_gets_json_and_answers_in_json)
{
    struct pid to, me;
    struct far far;

    start((struct runtime_options){ 0 });
    far_start(&far);
    ck_assert(runtime_find(rt, "reaper", &me));
    to = pid_create("far", runtime_address(far.rt));

    dispatch(&me, greet, .to = to);
    sim_run_for(world, SECONDS(1));
    ck_assert_int_eq(far.reaper.pings, 1);
    ck_assert(!far.reaper.from.json);
    ck_assert_int_eq(reaper.pongs, 1);
    ck_assert(!reaper.from.json);

    pid_set_json(&to, true);
    ck_assert(pid_equal(&to, &far.pid));
    dispatch(&me, greet, .to = to);
    sim_run_for(world, SECONDS(1));
    ck_assert_int_eq(far.reaper.pings, 2);
    ck_assert(far.reaper.from.json); /* it has come in JSON, */
    ck_assert_int_eq(reaper.pongs, 2);
    ck_assert(reaper.from.json);     /* and so has the reply */
    pid_release(&to);
    pid_release(&me);
    far_stop(&far);
    world_stop();
}
END_TEST

struct hand_over_args {
    struct pid to;
    const char *name;
};
CALL(reaper, hand_over, hand_over_args, NO_RELEASE);

static void hand_over(struct reaper *r, struct hand_over_args *a)
{
    process_delegate(&r->process, a->name, &a->to);
}

START_TEST(a_delegate_on_another_node_gets_bytes_as_they_came)
{
    static const uint8_t ping[] = { 0x08, 0x01 };
    struct process_class deaf_class = { "deaf", NULL, NULL, NULL };
    struct process deaf;
    struct browser *b;
    struct pid to, me;
    struct far far;

    start((struct runtime_options){ 0 });
    far_start(&far);
    ck_assert(runtime_find(rt, "reaper", &me));
    ck_assert_int_eq(process_spawn(far.rt, &deaf, &deaf_class, "deaf", NULL, NULL), 0);
    to = pid_create("deaf", runtime_address(far.rt));
    dispatch(&me, hand_over, .to = to, .name = "x.Y");
    sim_run_for(world, SECONDS(1));
    b = browser_open();
    post(b, "/reaper/x.Y", JSON, "{}");
    browser_expect_head(b, "202", NULL, NULL);
    process_deliver_bytes(rt, "reaper", &me, "x.Y", ping, sizeof ping);
    sim_run_for(world, SECONDS(1));
    ck_assert_uint_eq(counter_value(metrics_counter(far.rt, "process/messages_unknown")), 2);
    ck_assert_uint_eq(counter_value(metrics_counter(rt, "process/messages_unknown")), 0);
    browser_close(b);
    pid_release(&to);
    pid_release(&me);
    far_stop(&far);
    world_stop();
}
END_TEST

UNIT(message_json, how_deep_and_how_much_a_message_may_be_is_an_option,
     a_message_in_json_arrives_and_is_accepted_when_it_was_parsed,
     what_is_wrong_with_json_is_told_to_its_sender, answers_stay_in_the_order_of_the_messages,
     the_head_of_a_message_in_json_is_not_taken_for_one_in_protobuf,
     a_receiver_that_has_gone_or_is_busy_says_so,
     a_peer_that_is_set_to_json_gets_json_and_answers_in_json,
     a_delegate_on_another_node_gets_bytes_as_they_came);
