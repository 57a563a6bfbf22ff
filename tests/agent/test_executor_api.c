/* test_executor_api.c - executors that speak HTTP to the agent, by hand */
#include "executor_scene.h"

#include <jansson.h>

#include "process/proto.h"
#include "proto/executor.pb-c.h"
#include "tests/cluster/ledger.h"
#include "tests/unit.h"

#define STATE(name) PB__TASK_STATE__TASK_##name
#define U1 "AAAAAAAAAAAAAAAAAAAAAQ=="
#define U2 "AAAAAAAAAAAAAAAAAAAAAg=="
#define INVALID "Failed to validate Executor::Call: "
#define OF(framework, executor)                                                                    \
    "\"framework_id\":{\"value\":\"" framework "\"},\"executor_id\":{\"value\":\"" executor "\"}"
#define UPDATE(ids, status) "{\"type\":\"UPDATE\"," ids ",\"update\":{\"status\":{" status "}}}"
#define STATUS(more) "\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_RUNNING\"" more
#define SOURCE ",\"source\":\"SOURCE_EXECUTOR\""
#define UUID1 ",\"uuid\":\"" U1 "\""


/* ---- refusals: FACTS 3.9, one after the other ---- */

START_TEST(a_request_that_is_none_is_refused_by_its_form)
{
    struct scene s;
    struct browser *b;

    scene_start(&s);
    b = browser_open();
    browser_say(b, BROWSER_GET(API));
    browser_expect_head(b, "405", "Allow: POST\r\n", NULL);
    browser_close(b);
    check_refused("", SUBSCRIBE, "400", "Expecting 'Content-Type' to be present");
    check_refused("Content-Type: text/plain\r\n", SUBSCRIBE, "415",
                  "Expecting 'Content-Type' of application/json or application/x-protobuf");
    check_refused("Content-Type: application/json; charset=utf-8\r\n", SUBSCRIBE, "415",
                  "Expecting 'Content-Type' of application/json or application/x-protobuf");
    check_refused("Content-Type: application/x-protobuf\r\n", "\xff\xff", "400",
                  "Failed to parse body into Call protobuf");
    check_refused(JSON_TYPE, "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}", "400",
                  "Failed to convert JSON into Call protobuf: Missing required fields: "
                  "executor_id, framework_id");
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_that_is_not_whole_is_refused)
{
    struct scene s;

    scene_start(&s);
    check_refused(JSON_TYPE, "{" IDS "}", "400", INVALID "Expecting 'type' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"FLY\"," IDS "}", "400",
                  INVALID "Expecting 'type' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"SUBSCRIBE\"," IDS "}", "400",
                  INVALID "Expecting 'subscribe' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"UPDATE\"," IDS "}", "400",
                  INVALID "Expecting 'update' to be present");
    check_refused(JSON_TYPE, "{\"type\":\"MESSAGE\"," IDS "}", "400",
                  INVALID "Expecting 'message' to be present");
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_that_is_not_valid_is_refused)
{
    struct scene s;

    scene_start(&s);
    check_refused(JSON_TYPE, UPDATE(IDS, STATUS(SOURCE)), "400",
                  INVALID "Expecting 'uuid' to be present");
    check_refused(JSON_TYPE, UPDATE(IDS, STATUS(SOURCE ",\"uuid\":\"AAAA\"")), "400",
                  INVALID "Not a valid UUID");
    check_refused(JSON_TYPE,
                  UPDATE(IDS, STATUS(SOURCE UUID1 ",\"executor_id\":{\"value\":\"x\"}")), "400",
                  INVALID "ExecutorID in Call: e does not match ExecutorID in TaskStatus: x");
    check_refused(JSON_TYPE, UPDATE(IDS, STATUS(UUID1)), "400",
                  INVALID "Received Call from executor e of framework m-0001 with invalid source, "
                          "expecting 'SOURCE_EXECUTOR'");
    check_refused(JSON_TYPE,
                  UPDATE(IDS, "\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_STAGING\"" SOURCE
                              UUID1),
                  "400", INVALID "Received TASK_STAGING from executor e of framework m-0001 which "
                                 "is not allowed");
    check_refused(JSON_TYPE, UPDATE(IDS, STATUS(SOURCE UUID1 ",\"check_status\":{}")), "400",
                  INVALID "CheckStatusInfo must specify 'type'");
    check_refused(JSON_TYPE,
                  UPDATE(IDS, STATUS(SOURCE UUID1 ",\"check_status\":{\"type\":\"TCP\"}")), "400",
                  INVALID "Expecting 'tcp' to be set for TCP check's status");
    scene_stop(&s);
}
END_TEST

START_TEST(who_is_not_known_or_not_subscribed_is_refused)
{
    struct scene s;

    scene_start(&s);
    check_refused(JSON_TYPE, SUBSCRIBE, "400", "Framework cannot be found");
    scene_run(&s, "t");
    place_pass(&s.p, SECONDS(1));
    check_refused(JSON_TYPE, "{\"type\":\"SUBSCRIBE\"," OF("m-0001", "nope") ",\"subscribe\":{}}",
                  "400", "Executor cannot be found");
    check_update("t", "TASK_RUNNING", U1, "403", "Executor is not subscribed");
    check_refused(JSON_TYPE "Accept: text/html\r\n", SUBSCRIBE, "406",
                  "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
    check_refused(JSON_TYPE, "{\"type\":\"HEARTBEAT\"," OF("x", "y") "}", "202", "");
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_of_a_type_from_the_future_is_not_implemented)
{
    struct scene s;

    scene_with_task(&s, "t");
    check_refused(JSON_TYPE, "{\"type\":\"UNKNOWN\"," IDS "}", "501", "501 Not Implemented.");
    scene_stop(&s);
}
END_TEST

START_TEST(nobody_speaks_for_a_driver)
{
    struct scene s;

    scene_start(&s);
    place_run(&s.p, &(struct place_task){ .id = "c", .command = "sleep 1000" });
    place_run(&s.p, &(struct place_task){ .id = "d", .executor = "e", .command = "sleep 1000" });
    place_await_state(&s.p, "c", STATE(RUNNING));
    place_await_state(&s.p, "d", STATE(RUNNING));
    check_refused(JSON_BOTH, SUBSCRIBE, "403", "Executor is not connected via HTTP");
    check_refused(JSON_BOTH, "{\"type\":\"SUBSCRIBE\"," OF("m-0001", "c") ",\"subscribe\":{}}",
                  "403", "Executor is not connected via HTTP");
    check_update("d", "TASK_FAILED", U1, "403", "Executor is not connected via HTTP");
    scene_stop(&s);
}
END_TEST

/* ---- the life of an executor ---- */

/* The same fields, of the same types; lists of the same length. */
static void check_alike(const char *name, json_t *a, json_t *b)
{
    const char *key;
    json_t *value;
    size_t i;

    ck_assert_msg(a && b && json_typeof(a) == json_typeof(b), "%s", name);
    ck_assert_uint_eq(json_object_size(a), json_object_size(b));
    ck_assert_uint_eq(json_array_size(a), json_array_size(b));
    json_object_foreach (a, key, value)
        check_alike(key, value, json_object_get(b, key));
    json_array_foreach (a, i, value)
        check_alike(name, value, json_array_get(b, i));
}

static json_t *recording(void)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    json_t *all;

    snprintf(path, sizeof path, "%s/tests/data/executor-v1.json", srcdir ? srcdir : ".");
    all = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(all);
    return all;
}

/* The record of the nth chunk of the stream, behind its two lengths. */
static const char *recorded(const json_t *all, size_t nth)
{
    const char *chunk = NULL;

    for (size_t i = 0; i < json_array_size(all); i++) {
        chunk = json_string_value(json_object_get(json_array_get(all, i), "stream chunk"));
        if (chunk && nth-- == 0)
            break;
    }
    ck_assert_ptr_nonnull(chunk);
    return strchr(chunk, '{');
}

static void check_as_recorded(struct scene *s, const json_t *all, size_t nth)
{
    size_t size;
    char *record = next_record(s->stream, &size);
    json_t *ours = json_loads(record, JSON_DISABLE_EOF_CHECK, NULL);
    json_t *was = json_loads(recorded(all, nth), JSON_DISABLE_EOF_CHECK, NULL);

    ck_assert_str_eq(json_string_value(json_object_get(ours, "type")),
                     json_string_value(json_object_get(was, "type")));
    check_alike("event", ours, was);
    json_decref(ours);
    json_decref(was);
    mem_free(record);
}

#define NOT_AWARE                                                                                  \
    "\"framework\":{\"user\":\"root\",\"name\":\"rec\",\"id\":{\"value\":\"m-0001\"},"             \
    "\"failover_timeout\":100.0,\"checkpoint\":false,\"capabilities\":"                            \
    "[{\"type\":\"GPU_RESOURCES\"}]}"

START_TEST(the_stream_is_as_that_of_a_real_mesos)
{
    struct scene s;
    json_t *all = recording();
    char *run = mem_printf("{" NOT_AWARE ",\"task\":" TASK(EXECUTOR("", "sleep 100") ",") "}",
                           "rec-1");

    scene_start(&s);
    scene_send(&s, &pb__run_task_message__descriptor, run);
    place_pass(&s.p, SECONDS(1));
    scene_subscribe_with(&s, SUBSCRIBE);
    check_as_recorded(&s, all, 1);
    check_as_recorded(&s, all, 2);
    check_update("rec-1", "TASK_RUNNING", U1, "202", "");
    check_refused(JSON_TYPE, "{\"type\":\"MESSAGE\"," IDS ",\"message\":{\"data\":\"aGVsbG8=\"}}",
                  "202", "");
    check_update("rec-1", "TASK_FINISHED", U2, "202", "");
    check_as_recorded(&s, all, 3);
    check_as_recorded(&s, all, 4);
    mem_free(run);
    json_decref(all);
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_is_acknowledged_and_told_once)
{
    struct scene s;
    const Pb__StatusUpdate *u;

    scene_with_task(&s, "t");
    check_update("t", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    check_update("t", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    check_update("t", "TASK_FINISHED", U2, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U2));
    place_await_state(&s.p, "t", STATE(FINISHED));
    ck_assert_uint_eq(place_updates(&s.p, "t", STATE(RUNNING)), 1);
    u = place_update(&s.p, "t");
    ck_assert_int_eq(u->status->source, PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR);
    ck_assert_str_eq(u->status->executor_id->value, "e");
    ck_assert(u->status->container_status != NULL);
    ck_assert(u->status->has_timestamp);
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_of_a_task_that_is_not_its_is_not_told)
{
    struct scene s;

    scene_with_task(&s, "t");
    place_run(&s.p, &(struct place_task){ .id = "c", .command = "sleep 1000" });
    place_await_state(&s.p, "c", STATE(RUNNING));
    check_update("c", "TASK_FAILED", U1, "202", "");
    check_update("gone", "TASK_FAILED", U2, "202", "");
    check_event(s.stream, ACKNOWLEDGED("gone", U2)); /* that it may forget it; not that of c */
    place_pass(&s.p, SECONDS(10));
    ck_assert_uint_eq(place_updates(&s.p, "c", STATE(FAILED)), 0);
    ck_assert_ptr_null(place_update(&s.p, "gone"));
    scene_stop(&s);
}
END_TEST

START_TEST(messages_go_both_ways)
{
    struct scene s;

    scene_with_task(&s, "t");
    scene_send(&s, &pb__framework_to_executor_message__descriptor,
               "{\"slave_id\":{\"value\":\"m-S0\"}," IDS ",\"data\":\"aGVsbG8=\"}");
    check_event(s.stream, EVENT("MESSAGE") ",\"message\":{\"data\":\"aGVsbG8=\"}}");
    scene_stop(&s);
}
END_TEST

START_TEST(a_kill_and_a_shutdown_are_events)
{
    struct scene s;

    scene_with_task(&s, "t");
    place_kill(&s.p, "t");
    check_event(s.stream, EVENT("KILL") ",\"kill\":{\"task_id\":{\"value\":\"t\"}}}");
    scene_send(&s, &pb__shutdown_executor_message__descriptor, "{" IDS "}");
    check_event(s.stream, EVENT("SHUTDOWN") "}");
    check_update("t", "TASK_KILLED", U1, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    check_end(s.stream); /* its run is killed when the grace is over */
    s.stream = NULL;
    place_await_count(&s.p, &pb__exited_executor_message__descriptor, 1);
    ck_assert_int_eq(place_update(&s.p, "t")->status->state, STATE(KILLED));
    scene_stop(&s);
}
END_TEST

START_TEST(an_executor_that_is_to_end_is_told_when_it_subscribes)
{
    struct scene s;

    scene_with_task(&s, "t");
    browser_close(s.stream);
    s.stream = NULL;
    place_pass(&s.p, SECONDS(1));
    scene_send(&s, &pb__shutdown_executor_message__descriptor, "{" IDS "}");
    place_pass(&s.p, SECONDS(1));
    scene_subscribe_with(&s, SUBSCRIBE);
    check_event(s.stream, EVENT("SHUTDOWN") "}");
    check_end(s.stream);
    s.stream = NULL;
    scene_stop(&s);
}
END_TEST

START_TEST(heartbeats_come_every_half_hour)
{
    struct scene s;

    scene_with_task(&s, "t");
    place_pass(&s.p, MINUTES(29));
    ck_assert_uint_eq(buffer_length(&s.stream->got), 0);
    place_pass(&s.p, MINUTES(2));
    check_event(s.stream, HEARTBEAT);
    ck_assert_uint_eq(buffer_length(&s.stream->got), 0);
    place_pass(&s.p, MINUTES(30));
    check_event(s.stream, HEARTBEAT);
    scene_stop(&s);
}
END_TEST

/* ---- media types ---- */

static void pack_subscription(struct buffer *out)
{
    PbExecutor__Call call = PB_EXECUTOR__CALL__INIT;
    PbExecutor__Call__Subscribe subscribe = PB_EXECUTOR__CALL__SUBSCRIBE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;

    framework.value = "m-0001";
    executor.value = "e";
    call.framework_id = &framework;
    call.executor_id = &executor;
    call.has_type = true;
    call.type = PB_EXECUTOR__CALL__TYPE__SUBSCRIBE;
    call.subscribe = &subscribe;
    proto_pack(&call.base, out);
}

static void check_protobuf_event(struct browser *b, PbExecutor__Event__Type type)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct error err;
    size_t size;
    char *record = next_record(b, &size);
    const PbExecutor__Event *e = (const PbExecutor__Event *)proto_parse(
        &pb_executor__event__descriptor, record, size, &arena, NULL, &err);

    ck_assert_msg(e != NULL, "%s", err.text);
    ck_assert_int_eq(e->type, type);
    mem_free(record);
}

START_TEST(calls_and_events_may_be_of_different_types)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;
    struct scene s;

    scene_start(&s);
    scene_run(&s, "t");
    place_pass(&s.p, SECONDS(1));
    s.stream = post(JSON_TYPE "Accept: application/x-protobuf\r\n", SUBSCRIBE);
    check_stream(s.stream, "application/x-protobuf");
    check_protobuf_event(s.stream, PB_EXECUTOR__EVENT__TYPE__SUBSCRIBED);
    check_protobuf_event(s.stream, PB_EXECUTOR__EVENT__TYPE__LAUNCH);
    browser_close(s.stream);
    pack_subscription(&body);
    s.stream = post_bytes("Content-Type: application/x-protobuf\r\n", buffer_data(&body),
                          buffer_length(&body));
    check_stream(s.stream, "application/json");
    check_event(s.stream, EVENT("SUBSCRIBED"));
    check_update("t", "TASK_RUNNING", U1, "202", "");
    scene_stop(&s);
}
END_TEST

UNIT(executor_api, a_request_that_is_none_is_refused_by_its_form,
     a_call_that_is_not_whole_is_refused, an_update_that_is_not_valid_is_refused,
     who_is_not_known_or_not_subscribed_is_refused,
     a_call_of_a_type_from_the_future_is_not_implemented, nobody_speaks_for_a_driver,
     the_stream_is_as_that_of_a_real_mesos, an_update_is_acknowledged_and_told_once,
     an_update_of_a_task_that_is_not_its_is_not_told, messages_go_both_ways,
     a_kill_and_a_shutdown_are_events, an_executor_that_is_to_end_is_told_when_it_subscribes,
     heartbeats_come_every_half_hour, calls_and_events_may_be_of_different_types);
