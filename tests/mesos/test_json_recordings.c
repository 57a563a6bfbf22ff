/* test_json_recordings.c - the v1 JSON of a real Mesos, read and written again
 *
 * tests/data/http.json and executor-v1.json hold questions and answers.  Every v1 answer and event
 * is read into its message and must come out as the same JSON, also after a journey as bytes; the
 * calls that Mesos could not read must be refused with its own words.
 */
#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"
#include "mesos/recordio.h"
#include "mesos/scheduler_call.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "proto/agent.pb-c.h"
#include "proto/executor.pb-c.h"
#include "proto/master.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "tests/unit.h"

/* An API: whose requests begin so, and what it talks of. */
static const struct api {
    const char *request;
    const ProtobufCMessageDescriptor *call, *response, *event;
} apis[] = {
    { "POST /api/v1/scheduler HTTP/1.1\r\nHost: 127.0.0.1:16060",
      &pb_scheduler_v1__call__descriptor, NULL, &pb_scheduler_v1__event__descriptor },
    { "POST /api/v1 HTTP/1.1\r\nHost: 127.0.0.1:16060", &pb_master__call__descriptor,
      &pb_master__response__descriptor, &pb_master__event__descriptor },
    { "POST /api/v1 HTTP/1.1\r\nHost: 127.0.0.1:16061", &pb_agent__call__descriptor,
      &pb_agent__response__descriptor, NULL },
};

static json_t *recordings_load(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    json_error_t error;

    snprintf(path, sizeof path, "%s/tests/data/%s", srcdir ? srcdir : ".", name);
    json_t *all = json_load_file(path, 0, &error);
    ck_assert_msg(all, "%s: %s", path, error.text);
    return all;
}

static const char *text_of(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));

    return text ? text : "";
}

static const struct api *api_of(const json_t *entry)
{
    const char *request = text_of(entry, "request");

    for (size_t i = 0; i < sizeof apis / sizeof *apis; i++)
        if (strncmp(request, apis[i].request, strlen(apis[i].request)) == 0)
            return &apis[i];
    return NULL;
}

static const char *body_of(const json_t *entry)
{
    const char *end = strstr(text_of(entry, "request"), "\r\n\r\n");

    return end ? end + 4 : "";
}

static json_t *written(const ProtobufCMessage *msg)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w;
    json_error_t error;

    json_writer_init(&w, &out);
    mesos_json_write(&w, msg);
    json_t *json = json_loadb(buffer_data(&out), buffer_length(&out), 0, &error);
    ck_assert_msg(json, "%s in %s", error.text, buffer_data(&out));
    buffer_release(&out);
    return json;
}

static void check_same(const char *name, const char *recorded, const ProtobufCMessage *msg)
{
    json_t *before = json_loads(recorded, 0, NULL), *after = written(msg);
    char *text = json_dumps(after, JSON_COMPACT);

    ck_assert_msg(json_equal(before, after), "%s: %s became %s", name, recorded, text);
    free(text);
    json_decref(before);
    json_decref(after);
}

static void check_round_trip(const char *name, const ProtobufCMessageDescriptor *type,
                             const char *recorded)
{
    struct arena arena = ARENA_INIT;
    struct buffer bytes = BUFFER_INIT;
    struct error err = { 0 };

    ProtobufCMessage *msg = json_protobuf_parse(type, recorded, strlen(recorded), &arena, NULL,
                                                &err);
    ck_assert_msg(msg, "%s: %s", name, err.text);
    check_same(name, recorded, msg);
    ck_assert_uint_eq(msg->n_unknown_fields, 0);

    proto_pack(msg, &bytes);
    ProtobufCMessage *again = proto_parse(type, buffer_data(&bytes), buffer_length(&bytes), &arena,
                                          NULL, &err);
    ck_assert_msg(again, "%s: %s", name, err.text);
    check_same(name, recorded, again);
    buffer_release(&bytes);
    arena_release(&arena);
}

/* The master of Mesos writes the infos of its agents in the types of v0, whose AgentInfo has a
 * field `checkpoint` that the one of v1 has not. */
static void forget_v0(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach(json, key, value) {
        if (strcmp(key, "agent_info") == 0)
            json_object_del(value, "checkpoint");
        forget_v0(value);
    }
    if (json_is_array(json))
        json_array_foreach(json, i, value)
            forget_v0(value);
}

static void check_value(const char *name, const ProtobufCMessageDescriptor *type,
                        json_t *recorded)
{
    forget_v0(recorded);
    char *text = json_dumps(recorded, JSON_COMPACT);

    check_round_trip(name, type, text);
    free(text);
}

START_TEST(every_v1_response_comes_out_as_it_went_in)
{
    json_t *all = recordings_load("http.json"), *entry;
    size_t i, found = 0;

    json_array_foreach(all, i, entry) {
        const struct api *api = api_of(entry);
        json_t *body = json_object_get(json_object_get(entry, "answer"), "body");

        if (!api || !api->response || !json_is_object(body) || json_object_size(body) == 0)
            continue;
        check_value(text_of(entry, "name"), api->response, body);
        found++;
    }
    ck_assert_uint_eq(found, 30);
    json_decref(all);
}
END_TEST

START_TEST(every_v1_event_comes_out_as_it_went_in)
{
    json_t *all = recordings_load("http.json"), *entry, *event;
    size_t i, k, found = 0;

    json_array_foreach(all, i, entry) {
        const struct api *api = api_of(entry);

        json_array_foreach(json_object_get(entry, "events"), k, event) {
            ck_assert(api && api->event);
            check_value(text_of(entry, "name"), api->event, event);
            found++;
        }
    }
    ck_assert_uint_gt(found, 40);
    json_decref(all);
}
END_TEST

/* What came in one chunk: its size, a record, an empty line. */
static void check_chunk(struct recordio_reader *reader, const char *chunk)
{
    const char *data = strstr(chunk, "\r\n"), *record;
    unsigned long size = strtoul(chunk, NULL, 16);
    struct error err;

    ck_assert(data && size < strlen(data));
    recordio_feed(reader, data + 2, size);
    size_t length;
    ck_assert_int_eq(recordio_next(reader, &record, &length, &err), 1);
    char *text = strndup(record, length);
    check_round_trip("the stream of an executor", &pb_executor__event__descriptor, text);
    free(text);
    ck_assert(recordio_is_complete(reader));
}

START_TEST(every_event_of_the_executor_comes_out_as_it_went_in)
{
    json_t *all = recordings_load("executor-v1.json"), *entry;
    struct recordio_reader reader;
    size_t i, found = 0;

    recordio_reader_init(&reader, 1 << 20);
    json_array_foreach(all, i, entry) {
        const char *chunk = text_of(entry, "stream chunk");

        if (!strstr(chunk, "\r\n{") && !strstr(chunk, "\n{"))
            continue;
        check_chunk(&reader, chunk);
        found++;
    }
    ck_assert_uint_ge(found, 4);
    recordio_reader_release(&reader);
    json_decref(all);
}
END_TEST

/* Reads it; checks that a call that Mesos took is the same when written and read again, and that
 * one that it could not read is refused in its words.  `said` is the body of the answer. */
static bool check_call(const char *name, const ProtobufCMessageDescriptor *type, const char *body,
                       const char *said)
{
    bool refused = strncmp(said, "Failed to parse body", 20) == 0 ||
                   strncmp(said, "Failed to convert JSON", 22) == 0;
    struct arena arena = ARENA_INIT;
    struct error err = { 0 };

    ProtobufCMessage *msg = json_protobuf_parse_body(type, body, strlen(body), &arena, NULL, &err);
    if (refused) {
        ck_assert_msg(!msg, "%s: is let in", name);
        ck_assert_str_eq(err.text, said);
    } else {
        ck_assert_msg(msg, "%s: %s", name, err.text);
        json_t *json = written(msg);
        char *text = json_dumps(json, 0);
        ProtobufCMessage *again = json_protobuf_parse(type, text, strlen(text), &arena, NULL, &err);
        ck_assert_msg(again, "%s: %s", name, err.text);
        json_t *twice = written(again);
        ck_assert_msg(json_equal(json, twice), "%s", name);
        json_decref(json);
        json_decref(twice);
        free(text);
    }
    arena_release(&arena);
    return refused;
}

START_TEST(calls_to_the_scheduler_api_are_validated_as_mesos_did)
{
    static const char prefix[] = "Failed to validate scheduler::Call: ";
    json_t *all = recordings_load("http.json"), *entry;
    size_t i, invalid = 0;

    json_array_foreach(all, i, entry) {
        const char *said = text_of(json_object_get(entry, "answer"), "body");
        const char *body = body_of(entry);
        struct arena arena = ARENA_INIT;
        struct error err = { 0 };

        if (api_of(entry) == &apis[0] && strncmp(said, "Failed to ", 10) != 0 &&
            strstr(text_of(entry, "request"), "Content-Type: application/json\r\n"))
            said = "";
        else if (strncmp(said, prefix, strlen(prefix)) == 0)
            said += strlen(prefix);
        else
            continue;
        ProtobufCMessage *msg = json_protobuf_parse(apis[0].call, body, strlen(body), &arena, NULL,
                                                    &err);
        ck_assert_msg(msg, "%s: %s", text_of(entry, "name"), err.text);
        int result = scheduler_call_validate((PbSchedulerV1__Call *)msg, NULL, &err);
        ck_assert_msg(result == (*said ? -1 : 0), "%s: %s", text_of(entry, "name"), err.text);
        ck_assert_str_eq(err.text, said);
        invalid += *said != '\0';
        arena_release(&arena);
    }
    ck_assert_uint_eq(invalid, 6);
    json_decref(all);
}
END_TEST

START_TEST(calls_are_read_or_refused_as_mesos_did)
{
    json_t *all = recordings_load("http.json"), *entry;
    size_t i, calls = 0, refused = 0;

    json_array_foreach(all, i, entry) {
        const struct api *api = api_of(entry);

        if (!api || !strstr(text_of(entry, "request"), "Content-Type: application/json\r\n"))
            continue;
        refused += check_call(text_of(entry, "name"), api->call, body_of(entry),
                              text_of(json_object_get(entry, "answer"), "body"));
        calls++;
    }
    ck_assert_uint_gt(calls, 70);
    ck_assert_uint_eq(refused, 5);
    json_decref(all);
}
END_TEST

START_TEST(calls_of_an_executor_are_read_or_refused_as_mesos_did)
{
    json_t *all = recordings_load("executor-v1.json"), *entry, *asked;
    size_t i, calls = 0, refused = 0;
    const char *name;

    json_array_foreach(all, i, entry) {
        json_object_foreach(entry, name, asked) {
            const char *said = strstr(text_of(asked, "answer"), "\r\n\r\n");

            if (!said || strstr(text_of(asked, "answer"), " 415 "))
                continue;
            char *body = json_dumps(json_object_get(asked, "request"), 0);
            refused += check_call(name, &pb_executor__call__descriptor, body, said + 4);
            free(body);
            calls++;
        }
    }
    ck_assert_uint_gt(calls, 6);
    ck_assert_uint_ge(refused, 1);
    json_decref(all);
}
END_TEST

UNIT(json_recordings, every_v1_response_comes_out_as_it_went_in,
     every_v1_event_comes_out_as_it_went_in,
     every_event_of_the_executor_comes_out_as_it_went_in, calls_are_read_or_refused_as_mesos_did,
     calls_of_an_executor_are_read_or_refused_as_mesos_did,
     calls_to_the_scheduler_api_are_validated_as_mesos_did);
