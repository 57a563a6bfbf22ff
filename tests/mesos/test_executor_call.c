/* test_executor_call.c - which calls of the v1 executor API are whole, and their classic form */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "mesos/executor_call.h"
#include "process/json_protobuf_parse.h"
#include "proto/executor.pb-c.h"
#include "proto/messages.pb-c.h"
#include "tests/unit.h"

static struct arena arena;

#define IDS "\"executor_id\":{\"value\":\"e\"},\"framework_id\":{\"value\":\"f\"}"
#define UUID "AAAAAAAAAAAAAAAAAAAAAQ=="
#define STATUS(more)                                                                               \
    "{\"status\":{\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_RUNNING\",\"uuid\":\"" UUID "\""  \
    more "}}"
#define SOURCE ",\"source\":\"SOURCE_EXECUTOR\""

static PbExecutor__Call *call_of(const char *json)
{
    struct error err = { 0 };
    ProtobufCMessage *msg = json_protobuf_parse(&pb_executor__call__descriptor, json, strlen(json),
                                                &arena, NULL, &err);

    ck_assert_msg(msg, "%s: %s", json, err.text);
    return (PbExecutor__Call *)msg;
}

static void check_invalid(const char *json, const char *why)
{
    struct error err = { 0 };

    ck_assert_msg(executor_call_validate(call_of(json), &err) < 0, "%s", json);
    ck_assert_str_eq(err.text, why);
    arena_release(&arena);
}

static void check_valid(const char *json)
{
    struct error err = { 0 };

    ck_assert_msg(executor_call_validate(call_of(json), &err) == 0, "%s", err.text);
    arena_release(&arena);
}

#define UPDATE(more) "{\"type\":\"UPDATE\"," IDS ",\"update\":" STATUS(more) "}"

START_TEST(each_type_wants_its_part)
{
    check_invalid("{" IDS "}", "Expecting 'type' to be present");
    check_invalid("{\"type\":\"SUBSCRIBE\"," IDS "}", "Expecting 'subscribe' to be present");
    check_invalid("{\"type\":\"UPDATE\"," IDS "}", "Expecting 'update' to be present");
    check_invalid("{\"type\":\"MESSAGE\"," IDS "}", "Expecting 'message' to be present");
    check_valid("{\"type\":\"SUBSCRIBE\"," IDS ",\"subscribe\":{}}");
    check_valid("{\"type\":\"MESSAGE\"," IDS ",\"message\":{\"data\":\"\"}}");
    check_valid("{\"type\":\"HEARTBEAT\"," IDS "}");
    check_valid("{\"type\":\"UNKNOWN\"," IDS "}");
}
END_TEST

START_TEST(an_update_says_who_it_is_of)
{
    check_valid(UPDATE(SOURCE));
    check_valid(UPDATE(SOURCE ",\"executor_id\":{\"value\":\"e\"}"));
    check_invalid(UPDATE(SOURCE ",\"executor_id\":{\"value\":\"x\"}"),
                  "ExecutorID in Call: e does not match ExecutorID in TaskStatus: x");
    check_invalid(UPDATE(""), "Received Call from executor e of framework f with invalid source, "
                              "expecting 'SOURCE_EXECUTOR'");
    check_invalid(UPDATE(",\"source\":\"SOURCE_AGENT\""),
                  "Received Call from executor e of framework f with invalid source, expecting "
                  "'SOURCE_EXECUTOR'");
}
END_TEST

START_TEST(a_check_status_has_what_its_type_says)
{
#define CHECK_STATUS(text) UPDATE(SOURCE ",\"check_status\":" text)
    check_invalid(CHECK_STATUS("{}"), "CheckStatusInfo must specify 'type'");
    check_invalid(CHECK_STATUS("{\"type\":\"UNKNOWN\"}"),
                  "'UNKNOWN' is not a valid check's status type");
    check_invalid(CHECK_STATUS("{\"type\":\"COMMAND\",\"http\":{}}"),
                  "Expecting 'command' to be set for COMMAND check's status");
    check_invalid(CHECK_STATUS("{\"type\":\"HTTP\",\"tcp\":{}}"),
                  "Expecting 'http' to be set for HTTP check's status");
    check_invalid(CHECK_STATUS("{\"type\":\"TCP\"}"),
                  "Expecting 'tcp' to be set for TCP check's status");
    check_valid(CHECK_STATUS("{\"type\":\"COMMAND\",\"command\":{\"exit_code\":0}}"));
    check_valid(CHECK_STATUS("{\"type\":\"HTTP\",\"http\":{}}"));
    check_valid(CHECK_STATUS("{\"type\":\"TCP\",\"tcp\":{}}"));
}
END_TEST

START_TEST(a_subscription_is_the_return_of_a_driver)
{
    const Pb__ReregisterExecutorMessage *m = executor_call_to_reregistration(
        call_of("{\"type\":\"SUBSCRIBE\"," IDS ",\"subscribe\":{\"unacknowledged_tasks\":"
                "[{\"name\":\"n\",\"task_id\":{\"value\":\"u\"},\"agent_id\":{\"value\":\"a\"}}],"
                "\"unacknowledged_updates\":[" STATUS(SOURCE ",\"timestamp\":7.5") "]}}"),
        &arena);

    ck_assert_str_eq(m->executor_id->value, "e");
    ck_assert_str_eq(m->framework_id->value, "f");
    ck_assert_uint_eq(m->n_tasks, 1);
    ck_assert_str_eq(m->tasks[0]->task_id->value, "u");
    ck_assert_uint_eq(m->n_updates, 1);
    ck_assert_str_eq(m->updates[0]->status->task_id->value, "t");
    ck_assert_str_eq(m->updates[0]->executor_id->value, "e");
    ck_assert(m->updates[0]->timestamp == 7.5);
    ck_assert_uint_eq(m->updates[0]->uuid.len, 16);
    ck_assert_uint_eq(m->updates[0]->uuid.data[15], 1);
    arena_release(&arena);
}
END_TEST

START_TEST(a_message_is_the_classic_one)
{
    const Pb__ExecutorToFrameworkMessage *m = executor_call_to_message(
        call_of("{\"type\":\"MESSAGE\"," IDS ",\"message\":{\"data\":\"aGVsbG8=\"}}"), "a",
        &arena);

    ck_assert_str_eq(m->slave_id->value, "a");
    ck_assert_str_eq(m->framework_id->value, "f");
    ck_assert_str_eq(m->executor_id->value, "e");
    ck_assert_uint_eq(m->data.len, 5);
    ck_assert_int_eq(memcmp(m->data.data, "hello", 5), 0);
    arena_release(&arena);
}
END_TEST

UNIT(executor_call, each_type_wants_its_part, an_update_says_who_it_is_of,
     a_check_status_has_what_its_type_says, a_subscription_is_the_return_of_a_driver,
     a_message_is_the_classic_one);
