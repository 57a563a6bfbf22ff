/* test_scheduler_refusals.c - what the v1 scheduler API refuses, with which words, and ignores
 *
 * The table of statuses and texts, row by row; 307 and 503 of masters that do not lead are in
 * test_election.c.
 */
#include "tests/master/scheduler_scene.h"

#include "master/master_private.h"
#include "tests/unit.h"

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

START_TEST(a_call_of_a_framework_that_is_away_is_forbidden)
{
    struct scene s;

    scene_subscribed(&s);
    browser_close(s.stream);
    s.stream = NULL;
    sim_run_for(world, SECONDS(5));
    check_answered(call(&s, "SUPPRESS", ""), "403", "Framework is not subscribed");
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_without_its_part_is_refused)
{
    static const struct {
        const char *type, *part;
    } calls[] = {
        { "ACCEPT", "accept" },
        { "DECLINE", "decline" },
        { "ACCEPT_INVERSE_OFFERS", "accept_inverse_offers" },
        { "DECLINE_INVERSE_OFFERS", "decline_inverse_offers" },
        { "KILL", "kill" },
        { "SHUTDOWN", "shutdown" },
        { "ACKNOWLEDGE", "acknowledge" },
        { "ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status" },
        { "RECONCILE", "reconcile" },
        { "RECONCILE_OPERATIONS", "reconcile_operations" },
        { "MESSAGE", "message" },
        { "REQUEST", "request" },
        { "UPDATE_FRAMEWORK", "update_framework" },
    };
    struct scene s;

    scene_subscribed(&s);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        char *text = mem_printf("Failed to validate scheduler::Call: Expecting '%s' to be present",
                                calls[i].part);

        check_answered(call(&s, calls[i].type, ""), "400", text);
        mem_free(text);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(a_subscription_names_its_framework_the_same_way_twice)
{
    struct scene s;

    scene_start(&s);
    check_refused(JSON_BOTH,
                  "{\"type\":\"SUBSCRIBE\",\"framework_id\":{\"value\":\"a\"},\"subscribe\":"
                  "{\"framework_info\":" INFO("\"id\":{\"value\":\"b\"},") "}}",
                  "400",
                  "Failed to validate scheduler::Call: 'framework_id' differs from "
                  "'subscribe.framework_info.id'");
    check_refused(JSON_BOTH,
                  "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":" INFO(
                      "\"id\":{\"value\":\"b\"},") "}}",
                  "400",
                  "Failed to validate scheduler::Call: 'framework_id' differs from "
                  "'subscribe.framework_info.id'");
    scene_stop(&s);
}
END_TEST

START_TEST(until_the_registry_is_read_calls_are_refused)
{
    struct scene s;

    scene_start(&s);
    s.w.master->recovered = false;
    check_refused(JSON_BOTH, SUBSCRIBE, "503", "Master has not finished recovery");
    s.w.master->recovered = true;
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
    static const struct {
        const char *info, *text;
    } refused[] = {
        { "\"role\":\"a b\"", "'FrameworkInfo.role' is not a valid role: Role component 'a b' is "
                              "invalid because it contains backspace or whitespace" },
        { MULTI_ROLE "\"roles\":[\"a b\"]",
          "'FrameworkInfo.roles' contains invalid role: Role component 'a b' is invalid because "
          "it contains backspace or whitespace" },
        { MULTI_ROLE "\"roles\":[\"x\"],\"role\":\"x\"",
          "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable" },
        { MULTI_ROLE "\"roles\":[\"a\",\"a\"]",
          "'FrameworkInfo.roles' contains duplicate items: { a }" },
        { "\"failover_timeout\":-1", "The framework failover_timeout (-1) is invalid" },
    };
    struct scene s;

    scene_start(&s);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        char *body = mem_printf("{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":"
                                "{\"user\":\"nobody\",\"name\":\"x\",%s}}}",
                                refused[i].info);
        struct browser *b = post(JSON_BOTH, body);

        browser_expect_head(b, "200", "Mesos-Stream-Id: ", "Content-Length");
        check_event(b, "ERROR", refused[i].text);
        check_end(b);
        mem_free(body);
    }
    scene_stop(&s);
}
END_TEST

/* ---- operations, inverse offers, requests: there is nothing to say of them ---- */

START_TEST(of_an_operation_a_framework_learns_what_is_known_of_its_agent)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"reconcile_operations\":{\"operations\":[{\"operation_id\":{\"value\":"
                      "\"op-1\"},\"agent_id\":{\"value\":\"%s\"}}]}",
                      s.agent_id);
    check_taken(&s, "RECONCILE_OPERATIONS", rest);
    check_event(s.stream, "UPDATE_OPERATION_STATUS",
                "{\"operation_id\":{\"value\":\"op-1\"},\"state\":\"OPERATION_UNKNOWN\"");
    s.agent->mute = true;
    check_event(s.stream, "RESCIND", s.offer);
    check_event(s.stream, "FAILURE", s.agent_id);
    check_taken(&s, "RECONCILE_OPERATIONS", rest);
    check_event(s.stream, "UPDATE_OPERATION_STATUS", "OPERATION_UNREACHABLE");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(who_takes_no_events_cannot_reconcile_operations)
{
    struct scene s;
    char *headers, *body;

    scene_subscribed(&s);
    headers = mem_printf(JSON_TYPE "Accept: text/html\r\nMesos-Stream-Id: %s\r\n", s.stream_id);
    body = mem_printf("{\"type\":\"RECONCILE_OPERATIONS\",\"framework_id\":{\"value\":\"%s\"},"
                      "\"reconcile_operations\":{}}",
                      s.framework);
    check_refused(headers, body, "406",
                  "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
    mem_free(headers);
    mem_free(body);
    scene_stop(&s);
}
END_TEST

START_TEST(an_operation_with_an_id_that_cannot_be_carried_out_is_told_as_an_error)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"accept\":{\"offer_ids\":[{\"value\":\"%s\"}],\"operations\":["
                      "{\"type\":\"RESERVE\",\"reserve\":{\"resources\":[]}},"
                      "{\"type\":\"UNRESERVE\",\"id\":{\"value\":\"op-2\"},"
                      "\"unreserve\":{\"resources\":[]}}]}",
                      s.offer);
    check_taken(&s, "ACCEPT", rest);
    check_event(s.stream, "UPDATE_OPERATION_STATUS",
                "{\"operation_id\":{\"value\":\"op-2\"},\"state\":\"OPERATION_ERROR\"");
    check_taken(&s, "ACCEPT", rest); /* the offer is gone */
    check_event(s.stream, "UPDATE_OPERATION_STATUS", "is no longer valid");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(what_is_said_of_things_that_are_not_there_is_taken_and_ignored)
{
    struct scene s;

    scene_subscribed(&s);
    check_taken(&s, "REQUEST", ",\"request\":{\"requests\":[]}");
    check_taken(&s, "ACCEPT_INVERSE_OFFERS",
                ",\"accept_inverse_offers\":{\"inverse_offer_ids\":[{\"value\":\"x\"}]}");
    check_taken(&s, "DECLINE_INVERSE_OFFERS",
                ",\"decline_inverse_offers\":{\"inverse_offer_ids\":[{\"value\":\"x\"}]}");
    check_taken(&s, "ACKNOWLEDGE_OPERATION_STATUS",
                ",\"acknowledge_operation_status\":{\"operation_id\":{\"value\":\"x\"},"
                "\"uuid\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}");
    check_answered(call(&s, "ACKNOWLEDGE_OPERATION_STATUS",
                        ",\"acknowledge_operation_status\":{\"operation_id\":{\"value\":\"x\"},"
                        "\"uuid\":\"AAAA\"}"),
                   "400", "Failed to validate scheduler::Call: Not a valid UUID");
    check_taken(&s, "SHUTDOWN",
                ",\"shutdown\":{\"executor_id\":{\"value\":\"e\"},\"agent_id\":{\"value\":\"a\"}}");
    check_taken(&s, "RECONCILE", ",\"reconcile\":{\"tasks\":[{\"task_id\":{\"value\":\"w\"}}]}");
    check_event(s.stream, "UPDATE", "TASK_UNKNOWN"); /* nothing came before it */
    scene_stop(&s);
}
END_TEST

UNIT(scheduler_refusals, what_is_no_call_is_refused_with_the_words_of_mesos,
     a_call_must_come_from_the_stream_of_its_framework,
     a_call_of_a_framework_that_is_away_is_forbidden, a_call_without_its_part_is_refused,
     a_subscription_names_its_framework_the_same_way_twice,
     until_the_registry_is_read_calls_are_refused, a_call_of_no_known_type_is_not_implemented,
     a_subscription_that_is_refused_is_a_stream_with_one_error,
     of_an_operation_a_framework_learns_what_is_known_of_its_agent,
     who_takes_no_events_cannot_reconcile_operations,
     an_operation_with_an_id_that_cannot_be_carried_out_is_told_as_an_error,
     what_is_said_of_things_that_are_not_there_is_taken_and_ignored);
