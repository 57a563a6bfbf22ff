/* test_json_protobuf_parse.c - JSON from strangers: what is let in, and what is said to the rest */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "process/json_protobuf.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "proto/allocator.pb-c.h"
#include "proto/master.pb-c.h"
#include "proto/quota.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "tests/unit.h"

static struct arena arena;

static ProtobufCMessage *read_as(const ProtobufCMessageDescriptor *type, const char *json)
{
    struct error err = { 0 };
    ProtobufCMessage *msg = json_protobuf_parse(type, json, strlen(json), &arena, NULL, &err);

    ck_assert_msg(msg, "%s: %s", json, err.text);
    return msg;
}

/* Reads `json` and writes it again. */
static void check_reads(const ProtobufCMessageDescriptor *type, const char *json, const char *want)
{
    ProtobufCMessage *msg = read_as(type, json);
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_protobuf_write(&w, msg);
    ck_assert_str_eq(buffer_data(&out), want);
    buffer_release(&out);
    arena_release(&arena);
}

static void check_refuses_n(const ProtobufCMessageDescriptor *type, const char *json, size_t size,
                            const struct proto_limits *limits, int code, const char *why)
{
    struct error err = { 0 };

    ck_assert_msg(!json_protobuf_parse(type, json, size, &arena, limits, &err), "%s", json);
    ck_assert_str_eq(err.text, why);
    ck_assert_int_eq(err.code, code);
    arena_release(&arena);
}

static void check_refuses(const ProtobufCMessageDescriptor *type, const char *json, const char *why)
{
    check_refuses_n(type, json, strlen(json), NULL, EINVAL, why);
}

static void check_no_json(const char *json, const char *why)
{
    check_refuses_n(&pb__task_id__descriptor, json, strlen(json), NULL, EBADMSG, why);
}

#define OFFERS &pb_scheduler_v1__call__accept__descriptor
#define RANGE &pb__value__range__descriptor
#define SCALAR &pb__value__scalar__descriptor
#define STATUS &pb__task_status__descriptor

START_TEST(names_are_those_of_the_proto_and_unknown_ones_are_ignored)
{
    check_reads(&pb__task_id__descriptor,
                "{\"value\":\"a\",\"Value\":\"b\",\"more\":{\"x\":[1,null]}}", "{\"value\":\"a\"}");
    check_refuses(&pb_scheduler_v1__call__kill__descriptor, "{\"taskId\":{\"value\":\"a\"}}",
                  "Missing required fields: task_id");
}
END_TEST

START_TEST(null_is_unset)
{
    check_reads(&pb__machine_id__descriptor, "{\"hostname\":null,\"ip\":\"::1\"}",
                "{\"ip\":\"::1\"}");
    check_reads(&pb_scheduler_v1__call__revive__descriptor, "{\"roles\":[null,\"a\",null]}",
                "{\"roles\":[\"a\"]}");
    check_refuses(&pb__task_id__descriptor, "{\"value\":null}", "Missing required fields: value");
}
END_TEST

START_TEST(of_a_key_that_occurs_twice_the_last_one_counts)
{
    check_reads(&pb__task_id__descriptor, "{\"value\":\"a\",\"value\":\"b\"}", "{\"value\":\"b\"}");
    check_reads(&pb__machine_id__descriptor, "{\"ip\":\"a\",\"ip\":null}", "{}");
}
END_TEST

START_TEST(one_value_is_a_list_of_one_but_a_list_is_no_value)
{
    check_reads(OFFERS, "{\"offer_ids\":{\"value\":\"o\"}}", "{\"offer_ids\":[{\"value\":\"o\"}]}");
    check_reads(OFFERS, "{\"offer_ids\":[]}", "{}");
    check_refuses(OFFERS, "{\"filters\":[{}]}", "Not expecting a JSON array for field 'filters'");
    check_refuses(OFFERS, "{\"offer_ids\":[{\"value\":\"o\"},[]]}",
                  "Not expecting a JSON array for field 'offer_ids[1]'");
}
END_TEST

START_TEST(numbers_may_stand_in_strings)
{
    check_reads(RANGE, "{\"begin\":\"31000\",\"end\":32000}", "{\"begin\":31000,\"end\":32000}");
    check_reads(RANGE, "{\"begin\":1.0,\"end\":\"2e3\"}", "{\"begin\":1,\"end\":2000}");
    check_reads(RANGE, "{\"begin\":0,\"end\":\"18446744073709551615\"}",
                "{\"begin\":0,\"end\":18446744073709551615}");
    check_reads(&pb__time_info__descriptor, "{\"nanoseconds\":-9223372036854775808}",
                "{\"nanoseconds\":-9223372036854775808}");
    check_reads(SCALAR, "{\"value\":\"-1.5\"}", "{\"value\":-1.5}");
    check_reads(SCALAR, "{\"value\":7}", "{\"value\":7.0}");
    check_reads(SCALAR, "{\"value\":\"100000000000000000000\"}", "{\"value\":1e+20}");
}
END_TEST

START_TEST(what_is_no_number_or_does_not_fit_is_refused)
{
    static const char *const texts[] = { "", "-", "x", "0x10", " 1", "1 ", "nan", "NaN", "inf",
                                         "+1", "1,5", "[1]", "\\\"1\\\"", "true", "null" };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char json[64];

        snprintf(json, sizeof json, "{\"value\":\"%s\"}", texts[i]);
        check_refuses(SCALAR, json, "Expecting the JSON string to hold a number for field 'value'");
    }
    check_refuses(SCALAR, "{\"value\":true}", "Not expecting a JSON boolean for field 'value'");
    check_refuses(RANGE, "{\"begin\":1.5,\"end\":2}", "Expecting a whole number for field 'begin'");
    check_refuses(RANGE, "{\"begin\":1,\"end\":\"Infinity\"}",
                  "Expecting a whole number for field 'end'");
    check_refuses(RANGE, "{\"begin\":-1,\"end\":2}",
                  "The number is out of range for field 'begin'");
    check_refuses(&pb__address__descriptor, "{\"port\":2147483648}",
                  "The number is out of range for field 'port'");
    check_refuses(&pb__time_info__descriptor, "{\"nanoseconds\":\"9223372036854775808\"}",
                  "The number is out of range for field 'nanoseconds'");
    check_reads(&pb__address__descriptor, "{\"port\":\"-2147483648\"}", "{\"port\":-2147483648}");
}
END_TEST

START_TEST(integers_have_all_of_their_64_bits)
{
    check_reads(RANGE, "{\"end\":18446744073709551615,\"x\":\"\\\"12345678901234567890\","
                       "\"begin\":9223372036854775807}",
                "{\"begin\":9223372036854775807,\"end\":18446744073709551615}");
    check_reads(SCALAR, "{\"value\":-100000000000000000000}", "{\"value\":-1e+20}");
    check_refuses(RANGE, "{\"begin\":0,\"end\":18446744073709551616}",
                  "Expecting a whole number for field 'end'");
    check_no_json("{\"a\":12345678901234567890e999}", "a number at line 1 is out of range");
    check_no_json("[12345678901234567890,", "syntax error at line 1 near: ");
    check_no_json("[-12345678901234567890-]", "a number at line 1 is out of range");
}
END_TEST

START_TEST(infinity_is_a_string_both_ways)
{
    Pb__Value__Scalar *scalar =
        (Pb__Value__Scalar *)read_as(SCALAR, "{\"value\":\"-Infinity\"}");

    ck_assert(isinf(scalar->value) && scalar->value < 0);
    check_reads(SCALAR, "{\"value\":\"Infinity\"}", "{\"value\":\"Infinity\"}");
    check_reads(SCALAR, "{\"value\":\"-Infinity\"}", "{\"value\":\"-Infinity\"}");
}
END_TEST

START_TEST(bools_may_stand_in_strings)
{
    const ProtobufCMessageDescriptor *type = &pb_master__response__get_health__descriptor;

    check_reads(type, "{\"healthy\":\"true\"}", "{\"healthy\":true}");
    check_reads(type, "{\"healthy\":false}", "{\"healthy\":false}");
    check_refuses(type, "{\"healthy\":\"yes\"}",
                  "Expecting the JSON string to be 'true' or 'false' for field 'healthy'");
    check_refuses(type, "{\"healthy\":1}", "Not expecting a JSON number for field 'healthy'");
}
END_TEST

START_TEST(enums_have_names_and_one_that_is_unknown_is_unset)
{
    const ProtobufCMessageDescriptor *call = &pb_scheduler_v1__call__descriptor;

    check_reads(call, "{\"type\":\"SUPPRESS\"}", "{\"type\":\"SUPPRESS\"}");
    check_reads(call, "{\"type\":\"FLY\"}", "{}");
    check_refuses(call, "{\"type\":12}", "Not expecting a JSON number for field 'type'");
    check_refuses(&pb__inverse_offer_status__descriptor, "{\"status\":\"MAYBE\"}",
                  "Failed to find the enum value for field 'status'");
}
END_TEST

START_TEST(strings_are_strings_only)
{
    check_refuses(&pb__task_id__descriptor, "{\"value\":7}",
                  "Not expecting a JSON number for field 'value'");
    check_refuses(&pb__task_id__descriptor, "{\"value\":{}}",
                  "Not expecting a JSON object for field 'value'");
    check_refuses(&pb_scheduler_v1__call__descriptor, "{\"framework_id\":\"f\"}",
                  "Not expecting a JSON string for field 'framework_id'");
    check_reads(&pb__task_id__descriptor, "{\"value\":\"\\u00e9\\ud83d\\ude00\"}",
                "{\"value\":\"\303\251\360\237\230\200\"}");
}
END_TEST

START_TEST(bytes_are_strict_base64)
{
    check_reads(STATUS, "{\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_LOST\",\"data\":\"AP9h\"}",
                "{\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_LOST\",\"data\":\"AP9h\"}");
    check_refuses(STATUS, "{\"data\":\"YWI\"}", "Failed to base64 decode bytes field 'data': "
                  "base64 text of 3 characters is no multiple of 4");
    check_refuses(STATUS, "{\"data\":\"YW I=\"}",
                  "Failed to base64 decode bytes field 'data': Invalid character ' '");
    check_refuses(STATUS, "{\"data\":\"a\303\251==\"}",
                  "Failed to base64 decode bytes field 'data': Invalid character '\303\251'");
}
END_TEST

START_TEST(maps_are_objects)
{
    const ProtobufCMessageDescriptor *quota = &pb__quota_config__descriptor;

    check_reads(quota, "{\"role\":\"r\",\"limits\":{\"cpus\":{\"value\":1},\"mem\":null,"
                       "\"disk\":{\"value\":2},\"cpus\":{\"value\":3}}}",
                "{\"role\":\"r\",\"limits\":{\"cpus\":{\"value\":3.0},\"disk\":{\"value\":2.0}}}");
    check_refuses(quota, "{\"role\":\"r\",\"limits\":[]}",
                  "Not expecting a JSON array for field 'limits'");
    check_refuses(quota, "{\"role\":\"r\",\"limits\":{\"cpus\":1}}",
                  "Not expecting a JSON number for field 'limits[cpus]'");
    check_refuses(quota, "{\"role\":\"r\",\"limits\":{\"cpus\":{}}}",
                  "Missing required fields: limits[cpus].value");
}
END_TEST

START_TEST(all_that_is_missing_is_told_at_once_with_its_path)
{
    const ProtobufCMessageDescriptor *call = &pb_scheduler_v1__call__descriptor;

    check_refuses(call,
                  "{\"kill\":{},\"accept\":{\"offer_ids\":[{\"value\":\"o\"},{}],\"operations\":"
                  "{\"launch\":{\"task_infos\":{\"task_id\":{}}}}}}",
                  "Missing required fields: kill.task_id, accept.offer_ids[1].value, "
                  "accept.operations[0].launch.task_infos[0].name, accept.operations[0].launch."
                  "task_infos[0].agent_id, accept.operations[0].launch.ta...");
    check_refuses(call, "{\"kill\":{},\"type\":[]}", "Not expecting a JSON array for field 'type'");
}
END_TEST

START_TEST(only_an_object_is_a_message)
{
    check_refuses(OFFERS, "[]", "Expecting a JSON object");
    check_refuses(OFFERS, " \"{}\" ", "Expecting a JSON object");
    check_refuses(OFFERS, "null", "Expecting a JSON object");
}
END_TEST

START_TEST(what_is_no_json_is_told_with_its_line)
{
    check_no_json("", "syntax error at line 1 near: ");
    check_no_json("{\"value\":", "syntax error at line 1 near: ");
    check_no_json("{\n\"value\" 7, \"b\": 8}\n", "syntax error at line 2 near: , \"b\": 8}");
    check_no_json("{\"value\":\"a\"} {", "syntax error at line 1 near: ");
    check_no_json("{\"value\":\"\xff\"}", "invalid UTF-8 at line 1");
    check_no_json("{\"value\":\"\xed\xa0\x80\"}", "invalid UTF-8 at line 1");
    check_no_json("{\"value\":\"a\\u0000\"}", "NUL in a string at line 1");
    check_no_json("{\"a\\u0000\":1}", "NUL in a string at line 1");
    check_no_json("{\"a\":1e999}", "a number at line 1 is out of range");
    check_no_json("{'value':1}", "syntax error at line 1 near: value':1}");
    check_no_json("{\"value\":\"a\",}", "syntax error at line 1 near: ");
    check_refuses_n(OFFERS, "{}\0", 3, NULL, EBADMSG, "syntax error at line 1 near: ");
    check_refuses_n(OFFERS, NULL, 0, NULL, EBADMSG, "syntax error at line 1 near: ");
}
END_TEST

static void check_exceeds(const char *json, const char *why)
{
    const struct proto_limits small = { .size = 60, .depth = 3, .count = 6 };

    check_refuses_n(&pb__container_id__descriptor, json, strlen(json), &small, EMSGSIZE, why);
}

START_TEST(the_limits_hold_before_anything_is_built)
{
    static const char brackets[] = "{\"value\":\"[[[[[[[[,,,,,,,,\\\"{{{{{{{{\"}";
    const struct proto_limits small = { .size = 60, .depth = 3, .count = 6 };

    check_exceeds("{\"value\":\"1234567890123456789012345678901234567890\"}          ",
                  "the text is longer than 60 bytes");
    check_exceeds("{\"x\":[[[[[[]]]]]]}", "the text is nested too deeply");
    check_exceeds("{\"x\":[1,2,3,4,5,6]}", "too many elements in the text");
    check_exceeds("{\"parent\":{\"parent\":{\"parent\":{}}}}", "messages are nested too deeply");
    ck_assert(json_protobuf_parse(&pb__container_id__descriptor, brackets, strlen(brackets),
                                  &arena, &small, NULL));
    arena_release(&arena);
}
END_TEST

/* A million levels would overflow the stack of whoever recurses. */
START_TEST(deep_nesting_is_refused_without_recursion)
{
    struct buffer text = BUFFER_INIT;

    for (int i = 0; i < 1000000; i++)
        buffer_append_text(&text, i % 2 ? "[" : "{\"a\":");
    check_refuses_n(OFFERS, buffer_data(&text), buffer_length(&text), NULL, EMSGSIZE,
                    "the text is nested too deeply");
    buffer_release(&text);
}
END_TEST

START_TEST(the_answer_to_a_body_says_what_failed)
{
    struct error err;

    ck_assert(!json_protobuf_parse_body(&pb_master__call__descriptor, "[]", 2, &arena, NULL, &err));
    ck_assert_str_eq(err.text,
                     "Failed to convert JSON into Call protobuf: Expecting a JSON object");
    ck_assert(!json_protobuf_parse_body(&pb_master__call__descriptor, "{", 1, &arena, NULL, &err));
    ck_assert_str_eq(err.text, "Failed to parse body into JSON: syntax error at line 1 near: ");
    ck_assert(json_protobuf_parse_body(&pb_master__call__descriptor, "{}", 2, &arena, NULL, NULL));
    ck_assert(!json_protobuf_parse_body(&pb_master__call__descriptor, "{", 1, &arena, NULL, NULL));
    arena_release(&arena);
}
END_TEST

UNIT(json_protobuf_parse, names_are_those_of_the_proto_and_unknown_ones_are_ignored,
     null_is_unset, of_a_key_that_occurs_twice_the_last_one_counts,
     one_value_is_a_list_of_one_but_a_list_is_no_value, numbers_may_stand_in_strings,
     what_is_no_number_or_does_not_fit_is_refused, integers_have_all_of_their_64_bits,
     infinity_is_a_string_both_ways, bools_may_stand_in_strings,
     enums_have_names_and_one_that_is_unknown_is_unset,
     strings_are_strings_only, bytes_are_strict_base64, maps_are_objects,
     all_that_is_missing_is_told_at_once_with_its_path, only_an_object_is_a_message,
     what_is_no_json_is_told_with_its_line, the_limits_hold_before_anything_is_built,
     deep_nesting_is_refused_without_recursion, the_answer_to_a_body_says_what_failed);
