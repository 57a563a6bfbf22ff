/* test_scheduler_api.c - schedulers that speak HTTP to the master, by hand */
#include "tests/master/master_place.h"
#include "tests/process/browser.h"

#include "process/proto.h"
#include "proto/scheduler.pb-c.h"
#include "tests/unit.h"

#define API "/api/v1/scheduler"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define JSON_BOTH JSON_TYPE "Accept: application/json\r\n"
#define INFO(more)                                                                                 \
    "{\"user\":\"nobody\",\"name\":\"by hand\",\"roles\":[\"*\"]," more "\"capabilities\":"        \
    "[{\"type\":\"MULTI_ROLE\"},{\"type\":\"PARTITION_AWARE\"}],\"failover_timeout\":60}"
#define SUBSCRIBE "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":" INFO("") "}}"

/* A master, an agent of the test's, and a node for the schedulers. */
struct scene {
    struct place w;
    struct player *agent;
    const char *agent_id;
    struct browser *stream; /* the last subscription */
    char *framework, *stream_id, *offer;
};

static void scene_start(struct scene *s)
{
    memset(s, 0, sizeof *s);
    place_start(&s->w);
    runtime_set_delegate(s->w.rt, "master");
    s->agent = place_add(&s->w, "slave(1)", 5051);
    s->agent_id = join(&s->w, s->agent);
    world = s->w.sim;
    rt = s->w.rt;
    client_node = sim_node_create(world, "client", CLIENT_IP + 100);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
}

static void scene_stop(struct scene *s)
{
    if (s->stream)
        browser_close(s->stream);
    mem_free(s->framework);
    mem_free(s->stream_id);
    mem_free(s->offer);
    host_loop_stop(client_loop);
    host_destroy(client_host);
    place_stop(&s->w);
}

/* ---- requests ---- */

static struct browser *post_bytes(const char *headers, const void *body, size_t size)
{
    struct browser *b = browser_open();
    struct buffer head = BUFFER_INIT;

    buffer_printf(&head, "POST " API " HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                  headers, size);
    buffer_append(&head, body, size);
    browser_send(b, buffer_data(&head), buffer_length(&head));
    buffer_release(&head);
    return b;
}

static struct browser *post(const char *headers, const char *body)
{
    return post_bytes(headers, body, strlen(body));
}

static void check_answered(struct browser *b, const char *status, const char *text)
{
    char *head = browser_read(b, "\r\n\r\n"), length[50];

    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(text));
    ck_assert_msg(strncmp(head + 9, status, 3) == 0, "not %s: %s", status, head);
    if (*text)
        browser_expect(b, text);
    ck_assert_msg(strstr(head, length) != NULL, "no %sin %s", length, head);
    mem_free(head);
    browser_close(b);
}

static void check_refused(const char *headers, const char *body, const char *status,
                          const char *text)
{
    check_answered(post(headers, body), status, text);
}

/* A call of the scene's framework, which ends in `rest`. */
static struct browser *call(struct scene *s, const char *type, const char *rest)
{
    char *headers = mem_printf(JSON_BOTH "Mesos-Stream-Id: %s\r\n", s->stream_id);
    char *body = mem_printf("{\"type\":\"%s\",\"framework_id\":{\"value\":\"%s\"}%s}", type,
                            s->framework, rest);
    struct browser *b = post(headers, body);

    mem_free(headers);
    mem_free(body);
    return b;
}

static void check_taken(struct scene *s, const char *type, const char *rest)
{
    check_answered(call(s, type, rest), "202", "");
}

/* ---- events ---- */

struct bytes_wish {
    struct browser *browser;
    size_t size;
};

static bool has_bytes(void *arg)
{
    struct bytes_wish *w = arg;

    return buffer_length(&w->browser->got) >= w->size;
}

/* The next record, which must fill a chunk of its own. */
static char *next_record(struct browser *b, size_t *ret_size)
{
    char *chunk = browser_read(b, "\r\n"), *length = browser_read(b, "\n"), *record;
    size_t size = strtoul(length, NULL, 10);
    struct bytes_wish wish = { b, size + 2 };

    ck_assert_uint_eq(strtoul(chunk, NULL, 16), strlen(length) + size);
    ck_assert(sim_run_until(world, has_bytes, &wish, BROWSER_LIMIT));
    record = mem_alloc(size + 1); /* zeroed */
    memcpy(record, buffer_data(&b->got), size);
    ck_assert_int_eq(memcmp(buffer_data(&b->got) + size, "\r\n", 2), 0);
    buffer_consume(&b->got, size + 2);
    mem_free(chunk);
    mem_free(length);
    *ret_size = size;
    return record;
}

/* The next event that is no heartbeat; the caller's. */
static char *next_event(struct browser *b, const char *type)
{
    char *wanted = mem_printf("\"type\":\"%s\"", type), *event;
    size_t size;

    for (;;) {
        event = next_record(b, &size);
        if (strcmp(event, "{\"type\":\"HEARTBEAT\"}") != 0)
            break;
        mem_free(event);
    }
    ck_assert_msg(strstr(event, wanted) != NULL, "no %s: %s", type, event);
    ck_assert_ptr_null(strchr(event, '\n'));
    mem_free(wanted);
    return event;
}

static void check_event(struct browser *b, const char *type, const char *has)
{
    char *event = next_event(b, type);

    ck_assert_msg(strstr(event, has) != NULL, "no %s in %s", has, event);
    mem_free(event);
}

/* What follows `key` up to the quote. */
static char *value_behind(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    ck_assert_msg(at != NULL, "no %s in %s", key, text);
    at += strlen(key);
    return mem_strndup(at, strcspn(at, "\"\r"));
}

static void replace(char **to, char *value)
{
    mem_free(*to);
    *to = value;
}

static void check_end(struct browser *b)
{
    browser_expect(b, "0\r\n\r\n");
    browser_close(b);
}

/* Reads what answers a SUBSCRIBE up to SUBSCRIBED. */
static void subscribed(struct scene *s, struct browser *b)
{
    char *head = browser_read(b, "\r\n\r\n"), *event;

    ck_assert_msg(strncmp(head, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", head);
    ck_assert_ptr_nonnull(strstr(head, "Content-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_null(strstr(head, "Content-Length"));
    replace(&s->stream_id, value_behind(head, "Mesos-Stream-Id: "));
    event = next_event(b, "SUBSCRIBED");
    replace(&s->framework, value_behind(event, "\"framework_id\":{\"value\":\""));
    ck_assert_ptr_nonnull(strstr(event, "\"heartbeat_interval_seconds\":15.0"));
    ck_assert_ptr_nonnull(strstr(event, "\"master_info\":{"));
    mem_free(event);
    mem_free(head);
    s->stream = b;
}

static void offered(struct scene *s)
{
    char *event = next_event(s->stream, "OFFERS");

    replace(&s->offer, value_behind(event, "\"offers\":[{\"id\":{\"value\":\""));
    ck_assert_ptr_null(strstr(event, "pids"));
    mem_free(event);
}

static void scene_subscribed(struct scene *s)
{
    scene_start(s);
    subscribed(s, post(JSON_BOTH, SUBSCRIBE));
    offered(s);
}

static void launch(struct scene *s, const char *task)
{
    char *rest = mem_printf(
        ",\"accept\":{\"offer_ids\":[{\"value\":\"%s\"}],\"operations\":[{\"type\":\"LAUNCH\","
        "\"launch\":{\"task_infos\":[{\"name\":\"t\",\"task_id\":{\"value\":\"%s\"},"
        "\"agent_id\":{\"value\":\"%s\"},\"command\":{\"value\":\"true\"},\"resources\":"
        "[{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":1}},{\"name\":\"mem\","
        "\"type\":\"SCALAR\",\"scalar\":{\"value\":64}}]}]}}],"
        "\"filters\":{\"refuse_seconds\":3600}}",
        s->offer, task, s->agent_id);

    check_taken(s, "ACCEPT", rest);
    mem_free(rest);
    const Pb__RunTaskMessage *run =
        EXPECT(&s->w, s->agent, pb__run_task_message, Pb__RunTaskMessage);
    ck_assert_str_eq(run->task->task_id->value, task);
    ck_assert_str_eq(run->pid ? run->pid : "", ""); /* its executors are to speak through us */
}

/* Subscribes again by its id, from another connection. */
static struct browser *subscribe_again(struct scene *s)
{
    char *body =
        mem_printf("{\"type\":\"SUBSCRIBE\",\"framework_id\":{\"value\":\"%s\"},"
                   "\"subscribe\":{\"framework_info\":" INFO("\"id\":{\"value\":\"%s\"},") "}}",
                   s->framework, s->framework);
    struct browser *b = post(JSON_BOTH, body);

    mem_free(body);
    return b;
}

/* ---- refusals ---- */

START_TEST(what_is_no_call_is_refused_with_the_words_of_mesos)
{
    struct scene s;
    struct browser *b;

    scene_start(&s);
    b = browser_open();
    browser_say(b, BROWSER_GET(API) BROWSER_GET("/master" API));
    browser_expect_head(b, "405", "Allow: POST", NULL);
    browser_skip(b, "received 'GET'.");
    browser_expect_head(b, "405", "Allow: POST", NULL);
    browser_close(b);
    check_refused("", SUBSCRIBE, "400", "Expecting 'Content-Type' to be present");
    check_refused("Content-Type: text/plain\r\n", SUBSCRIBE, "415",
                  "Expecting 'Content-Type' of application/json or application/x-protobuf");
    check_refused("Content-Type: application/json; charset=utf-8\r\n", SUBSCRIBE, "415",
                  "Expecting 'Content-Type' of application/json or application/x-protobuf");
    check_refused(JSON_TYPE, "{\"type\":", "400",
                  "Failed to parse body into JSON: syntax error at line 1 near: ");
    check_refused(JSON_TYPE, "{\"type\":1}", "400",
                  "Failed to convert JSON into Call protobuf: Not expecting a JSON number for "
                  "field 'type'");
    check_refused("Content-Type: application/x-protobuf\r\n", "\xff\xff\xff", "400",
                  "Failed to parse body into Call protobuf");
    check_refused(JSON_TYPE, "{\"type\":\"FLY\"}", "400",
                  "Failed to validate scheduler::Call: Expecting 'type' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"SUBSCRIBE\"}", "400",
                  "Failed to validate scheduler::Call: Expecting 'subscribe' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"SUPPRESS\"}", "400",
                  "Failed to validate scheduler::Call: Expecting 'framework_id' to be present");
    check_refused(JSON_TYPE "Accept: text/html\r\n", SUBSCRIBE, "406",
                  "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
    check_refused(JSON_TYPE "Mesos-Stream-Id: 7\r\n", SUBSCRIBE, "400",
                  "Subscribe calls should not include the 'Mesos-Stream-Id' header");
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_must_come_from_the_stream_of_its_framework)
{
    struct scene s;
    struct player *driver;
    char *text, *driven;

    scene_subscribed(&s);
    check_refused(JSON_BOTH, "{\"type\":\"SUPPRESS\",\"framework_id\":{\"value\":\"nobody\"}}",
                  "400", "Framework cannot be found");
    text = mem_printf("{\"type\":\"SUPPRESS\",\"framework_id\":{\"value\":\"%s\"}}", s.framework);
    check_refused(JSON_BOTH, text, "400",
                  "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    driven = mem_printf("The stream ID 'mine' included in this request didn't match the stream ID "
                        "currently associated with framework ID %s",
                        s.framework);
    check_refused(JSON_BOTH "Mesos-Stream-Id: mine\r\n", text, "400", driven);
    mem_free(text);
    mem_free(driven);

    driver = place_add(&s.w, "scheduler-1", 6000);
    text = mem_printf("{\"type\":\"SUPPRESS\",\"framework_id\":{\"value\":\"%s\"}}",
                      subscribe_new(&s.w, driver, true));
    check_refused(JSON_BOTH, text, "403", "Framework is not connected via HTTP");
    mem_free(text);
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_of_no_known_type_is_not_implemented)
{
    struct scene s;

    scene_subscribed(&s);
    check_answered(call(&s, "UNKNOWN", ""), "501", "501 Not Implemented.");
    scene_stop(&s);
}
END_TEST

START_TEST(a_subscription_that_is_refused_is_a_stream_with_one_error)
{
    struct scene s;
    struct browser *b;

    scene_start(&s);
    b = post(JSON_BOTH, "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":"
                        "{\"user\":\"nobody\",\"name\":\"x\",\"role\":\"a b\"}}}");
    browser_expect_head(b, "200", "Mesos-Stream-Id: ", "Content-Length");
    check_event(b, "ERROR", "role");
    check_end(b);
    scene_stop(&s);
}
END_TEST

/* ---- a life ---- */

START_TEST(a_heartbeat_follows_the_subscription_and_then_comes_every_15_seconds)
{
    struct scene s;
    struct instant last;
    size_t size;

    scene_start(&s);
    subscribed(&s, post(JSON_BOTH, SUBSCRIBE));
    char *event = next_record(s.stream, &size);

    ck_assert_str_eq(event, "{\"type\":\"HEARTBEAT\"}");
    mem_free(event);
    last = runtime_now(s.w.rt);
    offered(&s);
    for (int i = 0; i < 3; i++) {
        event = next_record(s.stream, &size);
        ck_assert_str_eq(event, "{\"type\":\"HEARTBEAT\"}");
        mem_free(event);
        struct instant now = runtime_now(s.w.rt);
        double after = (double)(now.ns - last.ns) / 1e9;

        ck_assert_msg(after > 14.5 && after < 15.5, "after %g s", after);
        last = now;
    }
    scene_stop(&s);
}
END_TEST

START_TEST(a_task_is_launched_its_update_arrives_with_a_uuid_and_is_acknowledged)
{
    struct scene s;
    char *event, *uuid, *rest;

    scene_subscribed(&s);
    launch(&s, "one");
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_FINISHED,
               PB__TASK_STATE__TASK_FINISHED, 5);
    event = next_event(s.stream, "UPDATE");
    ck_assert_ptr_nonnull(strstr(event, "\"state\":\"TASK_FINISHED\""));
    ck_assert_ptr_nonnull(strstr(event, s.agent_id));
    uuid = value_behind(event, "\"uuid\":\"");
    rest = mem_printf(",\"acknowledge\":{\"agent_id\":{\"value\":\"%s\"},\"task_id\":{\"value\":"
                      "\"one\"},\"uuid\":\"%s\"}",
                      s.agent_id, uuid);
    check_taken(&s, "ACKNOWLEDGE", rest);
    const Pb__StatusUpdateAcknowledgementMessage *ack =
        EXPECT(&s.w, s.agent, pb__status_update_acknowledgement_message,
               Pb__StatusUpdateAcknowledgementMessage);

    ck_assert_str_eq(ack->task_id->value, "one");
    ck_assert_uint_eq(ack->uuid.len, 16);
    ck_assert_uint_eq(ack->uuid.data[0], 5);
    check_answered(call(&s, "ACKNOWLEDGE",
                        ",\"acknowledge\":{\"agent_id\":{\"value\":\"a\"},"
                        "\"task_id\":{\"value\":\"one\"},\"uuid\":\"AAAA\"}"),
                   "400", "Failed to validate scheduler::Call: Not a valid UUID");
    mem_free(event);
    mem_free(uuid);
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(what_is_declined_is_offered_again_when_the_filter_ends)
{
    struct scene s;
    char *rest, *before;

    scene_subscribed(&s);
    before = mem_strdup(s.offer);
    rest = mem_printf(",\"decline\":{\"offer_ids\":[{\"value\":\"%s\"}],"
                      "\"filters\":{\"refuse_seconds\":0.1}}",
                      s.offer);
    check_taken(&s, "DECLINE", rest);
    offered(&s);
    ck_assert_str_ne(s.offer, before);
    mem_free(rest);
    mem_free(before);
    scene_stop(&s);
}
END_TEST

START_TEST(a_kill_reaches_the_agent_and_reconciliation_answers_without_a_uuid)
{
    struct scene s;
    char *event;

    scene_subscribed(&s);
    launch(&s, "one");
    check_taken(&s, "KILL", ",\"kill\":{\"task_id\":{\"value\":\"one\"}}");
    ck_assert_str_eq(
        EXPECT(&s.w, s.agent, pb__kill_task_message, Pb__KillTaskMessage)->task_id->value, "one");
    check_taken(&s, "RECONCILE", ",\"reconcile\":{\"tasks\":[]}");
    event = next_event(s.stream, "UPDATE");
    ck_assert_ptr_nonnull(strstr(event, "Reconciliation: Latest task state"));
    ck_assert_ptr_null(strstr(event, "uuid"));
    mem_free(event);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{\"tasks\":[{\"task_id\":{\"value\":\"who\"}}]}");
    check_event(s.stream, "UPDATE", "TASK_UNKNOWN");
    scene_stop(&s);
}
END_TEST

START_TEST(messages_pass_both_ways_and_the_loss_of_an_agent_is_a_failure)
{
    struct scene s;
    Pb__ExecutorToFrameworkMessage msg = PB__EXECUTOR_TO_FRAMEWORK_MESSAGE__INIT;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"message\":{\"agent_id\":{\"value\":\"%s\"},\"executor_id\":"
                      "{\"value\":\"e\"},\"data\":\"aGk=\"}",
                      s.agent_id);
    check_taken(&s, "MESSAGE", rest);
    mem_free(rest);
    const Pb__FrameworkToExecutorMessage *there =
        EXPECT(&s.w, s.agent, pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage);
    ck_assert_int_eq(memcmp(there->data.data, "hi", 2), 0);

    msg.slave_id = make_agent_id(&s.w, s.agent_id);
    msg.framework_id = make_framework_id(&s.w, s.framework);
    msg.executor_id = make_executor_id(&s.w, "e");
    msg.data = (ProtobufCBinaryData){ 2, (uint8_t *)"ho" };
    say(s.agent, &msg.base);
    check_event(s.stream, "MESSAGE", "\"data\":\"aG8=\"");

    s.agent->mute = true;
    check_event(s.stream, "RESCIND", s.offer);
    check_event(s.stream, "FAILURE", s.agent_id);
    scene_stop(&s);
}
END_TEST

/* ---- failover, disconnection, the end ---- */

START_TEST(another_subscription_wins_and_the_old_stream_ends_with_an_error)
{
    struct scene s;
    struct browser *old;
    char *stream_id;

    scene_subscribed(&s);
    launch(&s, "one");
    old = s.stream;
    stream_id = mem_strdup(s.stream_id);
    subscribed(&s, subscribe_again(&s));
    ck_assert_str_ne(s.stream_id, stream_id);
    check_event(old, "ERROR", "Framework failed over");
    check_end(old);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{}");
    offered(&s);
    check_event(s.stream, "UPDATE", "\"one\"");
    mem_free(stream_id);
    scene_stop(&s);
}
END_TEST

START_TEST(a_driver_takes_over_from_an_http_scheduler_and_back)
{
    struct scene s;
    struct player *driver;
    Pb__FrameworkInfo *info;

    scene_subscribed(&s);
    driver = place_add(&s.w, "scheduler-1", 6000);
    info = make_framework_info(&s.w, s.framework, 60, true);
    say_subscribe(&s.w, driver, info, true);
    EXPECT(&s.w, driver, pb__framework_registered_message, Pb__FrameworkRegisteredMessage);
    check_event(s.stream, "ERROR", "Framework failed over");
    check_end(s.stream);
    subscribed(&s, subscribe_again(&s));
    EXPECT(&s.w, driver, pb__framework_error_message, Pb__FrameworkErrorMessage);
    offered(&s);
    player_end(driver); /* whose link does not concern us any more */
    check_taken(&s, "KILL", ",\"kill\":{\"task_id\":{\"value\":\"who\"}}");
    check_event(s.stream, "UPDATE", "TASK_UNKNOWN");
    scene_stop(&s);
}
END_TEST

static bool is_refused_as_not_subscribed(struct scene *s)
{
    struct browser *b = call(s, "SUPPRESS", "");
    char *head = browser_read(b, "\r\n\r\n");
    bool refused = strncmp(head + 9, "403", 3) == 0;

    mem_free(head);
    browser_close(b);
    return refused;
}

START_TEST(a_client_that_goes_is_disconnected_and_removed_after_its_failover_timeout)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    browser_close(s.stream);
    s.stream = NULL;
    sim_run_for(world, SECONDS(5));
    ck_assert(is_refused_as_not_subscribed(&s));
    EXPECT_NONE(&s.w, s.agent, pb__shutdown_framework_message);
    EXPECT(&s.w, s.agent, pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage);
    struct browser *b = subscribe_again(&s);

    browser_expect_head(b, "200", "Mesos-Stream-Id: ", NULL);
    check_event(b, "ERROR", "Framework has been removed");
    check_end(b);
    scene_stop(&s);
}
END_TEST

START_TEST(a_client_that_comes_back_in_time_keeps_its_tasks)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    browser_close(s.stream);
    sim_run_for(world, SECONDS(5));
    subscribed(&s, subscribe_again(&s));
    offered(&s);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{}");
    check_event(s.stream, "UPDATE", "\"one\"");
    EXPECT_NONE(&s.w, s.agent, pb__shutdown_framework_message);
    scene_stop(&s);
}
END_TEST

START_TEST(a_teardown_ends_the_stream_and_the_framework)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    check_taken(&s, "TEARDOWN", "");
    check_end(s.stream);
    s.stream = NULL;
    EXPECT(&s.w, s.agent, pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage);
    check_answered(call(&s, "SUPPRESS", ""), "400", "Framework cannot be found");
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_of_a_framework_is_done_when_it_is_answered_and_keeps_what_is_fixed)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":" INFO(
                          "\"hostname\":\"new\",\"id\":{\"value\":\"%s\"},") "}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "200", "");
    mem_free(rest);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":" INFO(
                          "\"checkpoint\":true,\"id\":{\"value\":\"%s\"},") "}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "400",
                   "'FrameworkInfo.checkpoint' of a framework cannot be changed");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(another_role_of_a_framework_rescinds_its_offers_and_brings_those_of_that_role)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":{\"user\":\"nobody\",\"name\":"
                      "\"x\",\"id\":{\"value\":\"%s\"},\"roles\":[\"other\"],"
                      "\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]}}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "200", "");
    check_event(s.stream, "RESCIND", s.offer);
    check_event(s.stream, "OFFERS", "\"allocation_info\":{\"role\":\"other\"}");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(a_master_that_ends_drops_its_streams)
{
    struct scene s;

    scene_subscribed(&s);
    master_destroy(s.w.master);
    s.w.master = NULL;
    struct browser_wish end = { s.stream, NULL, 0 };
    ck_assert(sim_run_until(world, browser_has, &end, BROWSER_LIMIT));
    scene_stop(&s);
}
END_TEST

/* ---- protobuf ---- */

static PbSchedulerV1__Event *next_message(struct scene *s, struct browser *b)
{
    size_t size;
    char *record = next_record(b, &size);
    struct error err = { 0, "" };
    ProtobufCMessage *event =
        proto_parse(&pb_scheduler_v1__event__descriptor, record, size, &s->w.arena, NULL, &err);

    ck_assert_msg(event != NULL, "%s", err.text);
    mem_free(record);
    return (PbSchedulerV1__Event *)event;
}

START_TEST(a_scheduler_of_protobuf_has_its_events_in_protobuf)
{
    struct scene s;
    PbSchedulerV1__Call subscribe = PB_SCHEDULER_V1__CALL__INIT;
    PbSchedulerV1__Call__Subscribe part = PB_SCHEDULER_V1__CALL__SUBSCRIBE__INIT;
    struct buffer bytes = BUFFER_INIT;
    PbSchedulerV1__Event *event;

    scene_start(&s);
    subscribe.has_type = true;
    subscribe.type = PB_SCHEDULER_V1__CALL__TYPE__SUBSCRIBE;
    subscribe.subscribe = &part;
    part.framework_info = make_framework_info(&s.w, NULL, 60, true);
    proto_pack(&subscribe.base, &bytes);
    s.stream = post_bytes("Content-Type: application/x-protobuf\r\n"
                          "Accept: application/x-protobuf\r\n",
                          buffer_data(&bytes), buffer_length(&bytes));
    buffer_release(&bytes);
    browser_expect_head(s.stream, "200", "Content-Type: application/x-protobuf\r\n", NULL);
    event = next_message(&s, s.stream);
    ck_assert_int_eq(event->type, PB_SCHEDULER_V1__EVENT__TYPE__SUBSCRIBED);
    ck_assert(event->subscribed->heartbeat_interval_seconds == 15.0);
    ck_assert_int_eq(next_message(&s, s.stream)->type, PB_SCHEDULER_V1__EVENT__TYPE__HEARTBEAT);
    event = next_message(&s, s.stream);
    ck_assert_int_eq(event->type, PB_SCHEDULER_V1__EVENT__TYPE__OFFERS);
    ck_assert_str_eq(event->offers->offers[0]->agent_id->value, s.agent_id);
    scene_stop(&s);
}
END_TEST

UNIT(scheduler_api, what_is_no_call_is_refused_with_the_words_of_mesos,
     a_call_must_come_from_the_stream_of_its_framework, a_call_of_no_known_type_is_not_implemented,
     a_subscription_that_is_refused_is_a_stream_with_one_error,
     a_heartbeat_follows_the_subscription_and_then_comes_every_15_seconds,
     a_task_is_launched_its_update_arrives_with_a_uuid_and_is_acknowledged,
     what_is_declined_is_offered_again_when_the_filter_ends,
     a_kill_reaches_the_agent_and_reconciliation_answers_without_a_uuid,
     messages_pass_both_ways_and_the_loss_of_an_agent_is_a_failure,
     another_subscription_wins_and_the_old_stream_ends_with_an_error,
     a_driver_takes_over_from_an_http_scheduler_and_back,
     a_client_that_goes_is_disconnected_and_removed_after_its_failover_timeout,
     a_client_that_comes_back_in_time_keeps_its_tasks, a_teardown_ends_the_stream_and_the_framework,
     an_update_of_a_framework_is_done_when_it_is_answered_and_keeps_what_is_fixed,
     another_role_of_a_framework_rescinds_its_offers_and_brings_those_of_that_role,
     a_master_that_ends_drops_its_streams, a_scheduler_of_protobuf_has_its_events_in_protobuf);
