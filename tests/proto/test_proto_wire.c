/* test_proto_wire.c - the messages that a real Mesos sent, byte for byte
 *
 * Splits the recorded connections into requests, parses every body with the type that
 * its path names, and packs it again.
 */
#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"
#include "process/proto.h"
#include "proto/messages.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &pb_scheduler__call__descriptor,
    &pb__framework_registered_message__descriptor,
    &pb__ping_slave_message__descriptor,
    &pb__pong_slave_message__descriptor,
    &pb__register_slave_message__descriptor,
    &pb__resource_offers_message__descriptor,
    &pb__shutdown_framework_message__descriptor,
    &pb__slave_registered_message__descriptor,
    &pb__status_update_message__descriptor,
    &pb__update_slave_message__descriptor,
};

enum { TYPES = sizeof(types) / sizeof(*types), REQUESTS = 34 };

typedef void (*request_f)(const char *name, const struct buffer *body, void *data);

/* Moves *at behind the line and returns it; the recording holds whole lines. */
static const char *line_take(const char **at, const char *end, size_t *ret_length)
{
    const char *line = *at, *crlf = memmem(line, (size_t)(end - line), "\r\n", 2);

    ck_assert(crlf);
    *at = crlf + 2;
    *ret_length = (size_t)(crlf - line);
    return line;
}

static void chunks_take(const char **at, const char *end, struct buffer *body)
{
    size_t length, size;

    do {
        size = strtoul(line_take(at, end, &length), NULL, 16);
        ck_assert_uint_le(size + 2, (size_t)(end - *at));
        buffer_append(body, *at, size);
        *at += size + 2;
    } while (size);
}

/* "POST /master/mesos.internal.PongSlaveMessage HTTP/1.1", headers, and a body if its
 * headers say that there is one. */
static void request_take(const char **at, const char *end, char name[128], struct buffer *body)
{
    size_t length;
    const char *line = line_take(at, end, &length);
    bool chunked = false;

    ck_assert_int_eq(sscanf(line, "POST /%*[^/]/%127[^ ] HTTP/1.1", name), 1);
    while (line = line_take(at, end, &length), length > 0) {
        chunked |= strncmp(line, "Transfer-Encoding: chunked", length) == 0;
        ck_assert(strncmp(line, "Content-Length:", 15) != 0 || strncmp(line + 15, " 0", 2) == 0);
    }
    if (chunked)
        chunks_take(at, end, body);
}

static void stream_each(const char *text, request_f each, void *data)
{
    struct buffer stream = BUFFER_INIT, body = BUFFER_INIT;
    char name[128];

    ck_assert_int_eq(base64_decode(text, strlen(text), &stream, NULL), 0);
    const char *at = buffer_data(&stream), *end = at + buffer_length(&stream);
    while (at < end && strncmp(at, "POST ", 5) == 0) {
        buffer_clear(&body);
        request_take(&at, end, name, &body);
        each(name, &body, data);
    }
    buffer_release(&body);
    buffer_release(&stream);
}

static void recording_each(request_f each, void *data)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    json_error_t fault;
    json_t *streams, *stream;
    size_t i;

    snprintf(path, sizeof(path), "%s/tests/data/wire.json", srcdir ? srcdir : ".");
    streams = json_load_file(path, 0, &fault);
    ck_assert_msg(streams, "%s: %s", path, fault.text);
    json_array_foreach(streams, i, stream)
        stream_each(json_string_value(json_object_get(stream, "bytes")), each, data);
    json_decref(streams);
}

static const ProtobufCMessageDescriptor *type_find(const char *name)
{
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    ck_abort_msg("no type for %s", name);
    return NULL;
}

static void check_round_trip(const char *name, const struct buffer *body, void *count)
{
    struct arena arena = ARENA_INIT;
    struct buffer again = BUFFER_INIT;
    struct error err = { 0 };
    ProtobufCMessage *msg = proto_parse(type_find(name), buffer_data(body), buffer_length(body),
                                        &arena, NULL, &err);
    ck_assert_msg(msg, "%s: %s", name, err.text);
    proto_pack(msg, &again);
    ck_assert_uint_eq(buffer_length(&again), buffer_length(body));
    ck_assert_mem_eq(buffer_data(&again), buffer_data(body), buffer_length(body));
    ++*(int *)count;

    ProtobufCMessage *copy = proto_dup(msg, &arena);
    ck_assert(proto_equal(copy, msg));
    buffer_release(&again);
    arena_release(&arena);
}

START_TEST(every_recorded_message_packs_to_the_bytes_it_came_in)
{
    int count = 0;

    recording_each(check_round_trip, &count);
    ck_assert_int_gt(count, 0);
}
END_TEST

static void count_request(const char *name, const struct buffer *body, void *data)
{
    int *counts = data;

    (void)body;
    for (size_t i = 0; i < TYPES; i++)
        if (types[i] == type_find(name))
            counts[i]++;
}

START_TEST(the_recording_holds_every_type_that_is_tried)
{
    int counts[TYPES] = { 0 }, sum = 0;

    recording_each(count_request, counts);
    for (size_t i = 0; i < TYPES; i++) {
        ck_assert_msg(counts[i], "%s does not occur", types[i]->name);
        sum += counts[i];
    }
    ck_assert_int_eq(sum, REQUESTS);
}
END_TEST

static void find_registration(const char *name, const struct buffer *body, void *data)
{
    if (strcmp(name, "mesos.internal.RegisterSlaveMessage") == 0)
        buffer_append(data, buffer_data(body), buffer_length(body));
}

START_TEST(a_recorded_registration_reads_as_what_the_agent_said)
{
    struct arena arena = ARENA_INIT;
    struct buffer body = BUFFER_INIT;

    recording_each(find_registration, &body);
    Pb__RegisterSlaveMessage *msg = (Pb__RegisterSlaveMessage *)proto_parse(
        &pb__register_slave_message__descriptor, buffer_data(&body), buffer_length(&body), &arena,
        NULL, NULL);
    ck_assert_ptr_nonnull(msg);
    ck_assert_str_eq(msg->version, "1.12.0");
    ck_assert_str_eq(msg->slave->resources[0]->name, "cpus");
    ck_assert_double_eq(msg->slave->resources[0]->scalar->value, 8);
    ck_assert(msg->slave->has_checkpoint && msg->slave->checkpoint);
    buffer_release(&body);
    arena_release(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proto_wire");
    TCase *tests = tcase_create("wire");
    SRunner *runner = srunner_create(suite);

    tcase_add_test(tests, every_recorded_message_packs_to_the_bytes_it_came_in);
    tcase_add_test(tests, the_recording_holds_every_type_that_is_tried);
    tcase_add_test(tests, a_recorded_registration_reads_as_what_the_agent_said);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
