/* operator_call.c - what the operator APIs of master and agent have in common */
#include "mesos/operator_call.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"
#include "mesos/recordio.h"
#include "process/future.h"
#include "process/http.h"
#include "process/json_protobuf_parse.h"
#include "process/metrics.h"
#include "process/process.h"
#include "process/proto.h"
#include "proto/mesos.pb-c.h"

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"
#define RECORDIO "application/recordio"

/* ---- validation ---- */

/* Parts that a call may do without. */
static const char *const optional[] = { "get_containers", "prune_images" };

static bool is_optional(const char *part)
{
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
        if (strcmp(optional[i], part) == 0)
            return true;
    return false;
}

const char *operator_call_type(const ProtobufCMessage *call)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(call->descriptor, "type");
    const ProtobufCEnumValue *value;

    CHECK(field && field->type == PROTOBUF_C_TYPE_ENUM);
    if (proto_count(call, field) == 0)
        return NULL;
    value = protobuf_c_enum_descriptor_get_value(field->descriptor,
                                                 *(const int *)proto_value(call, field, 0));
    return value ? value->name : NULL;
}

int operator_call_validate(const ProtobufCMessage *call, struct error *err)
{
    const char *name = operator_call_type(call);
    const ProtobufCFieldDescriptor *part;
    char lower[64];
    size_t n;

    if (!name)
        return error_set(err, EINVAL, "Expecting 'type' to be present");
    n = strlen(name);
    CHECK(n < sizeof lower);
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    part = protobuf_c_message_descriptor_get_field_by_name(call->descriptor, lower);
    if (part && !is_optional(lower) && proto_count(call, part) == 0)
        return error_set(err, EINVAL, "Expecting '%s' to be present", lower);
    return 0;
}

/* ---- receiving ---- */

static ProtobufCMessage *parse_as(struct http_request *r, const ProtobufCMessageDescriptor *type,
                                  const char *media, const char *bytes, size_t size,
                                  struct arena *arena)
{
    const struct proto_limits limits = runtime_message_limits(process_current()->runtime);
    bool json = strcmp(media, JSON) == 0;
    struct error err;
    ProtobufCMessage *call =
        json ? json_protobuf_parse_body(type, bytes, size, arena, &limits, &err)
             : proto_parse(type, bytes, size, arena, &limits, &err);

    if (!call && json)
        http_answer_error(r, 400, "%s", err.text);
    else if (!call)
        http_answer_error(r, 400, "Failed to parse body into %s protobuf", type->short_name);
    return call;
}

static bool is_message(const char *media)
{
    return strcmp(media, JSON) == 0 || strcmp(media, PROTOBUF) == 0;
}

/* The first record is the call. */
static ProtobufCMessage *parse_stream(struct http_request *r,
                                      const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    const char *media = http_request_header(r, "Message-Content-Type"), *body, *record;
    struct recordio_reader reader;
    ProtobufCMessage *call = NULL;
    size_t size, length;
    struct error err;

    if (!media || !is_message(media)) {
        http_answer_error(r, media ? 415 : 400,
                          media ? "Expecting 'Message-Content-Type' of " JSON " or " PROTOBUF
                                : "Expecting 'Message-Content-Type' to be present");
        return NULL;
    }
    body = http_request_body(r, &size);
    recordio_reader_init(&reader, size);
    recordio_feed(&reader, body, size);
    if (recordio_next(&reader, &record, &length, &err) != 1)
        http_answer_error(r, 400, "Failed to find a record in the body");
    else
        call = parse_as(r, type, media, record, length, arena);
    recordio_reader_release(&reader);
    return call;
}

static ProtobufCMessage *parse(struct http_request *r, const ProtobufCMessageDescriptor *type,
                               bool streams, struct arena *arena)
{
    const char *media = http_request_header(r, "Content-Type"), *body;
    size_t size;

    if (!media) {
        http_answer_error(r, 400, "Expecting 'Content-Type' to be present");
        return NULL;
    }
    if (streams && strcmp(media, RECORDIO) == 0)
        return parse_stream(r, type, arena);
    if (!is_message(media)) {
        http_answer_error(r, 415, streams ? "Expecting 'Content-Type' of " JSON " or " PROTOBUF
                                            " or " RECORDIO
                                          : "Expecting 'Content-Type' of " JSON " or " PROTOBUF);
        return NULL;
    }
    body = http_request_body(r, &size);
    return parse_as(r, type, media, body, size, arena);
}

/* Streams are for who attaches: its input comes as one, its output goes as one. */
static bool may_come(struct http_request *r, const ProtobufCMessage *call)
{
    const char *media = http_request_header(r, "Content-Type");

    if (strcmp(media, RECORDIO) != 0 ||
        strcmp(operator_call_type(call), "ATTACH_CONTAINER_INPUT") == 0)
        return true;
    http_answer_error(r, 415, "Streams of " RECORDIO " are for ATTACH_CONTAINER_INPUT, not for %s",
                      operator_call_type(call));
    return false;
}

static bool may_be_answered(struct http_request *r, const ProtobufCMessage *call, bool streams)
{
    const char *type = operator_call_type(call);

    if (http_accepts(r, JSON) || http_accepts(r, PROTOBUF))
        return true;
    if (streams && http_accepts(r, RECORDIO) &&
        (strcmp(type, "ATTACH_CONTAINER_OUTPUT") == 0 ||
         strcmp(type, "LAUNCH_NESTED_CONTAINER_SESSION") == 0))
        return true;
    http_answer_error(r, 406, "Expecting 'Accept' to allow '" PROTOBUF "' or '" JSON "'");
    return false;
}

ProtobufCMessage *operator_call_receive(struct http_request *r,
                                        const ProtobufCMessageDescriptor *type, const char *name,
                                        bool streams, struct arena *arena)
{
    ProtobufCMessage *call;
    struct error err;

    if (!http_require_method(r, "POST"))
        return NULL;
    call = parse(r, type, streams, arena);
    if (!call)
        return NULL;
    if (operator_call_validate(call, &err) < 0) {
        http_answer_error(r, 400, "Failed to validate %s: %s", name, err.text);
        return NULL;
    }
    return may_come(r, call) && may_be_answered(r, call, streams) ? call : NULL;
}

/* ---- answering ---- */

void operator_call_answer(struct http_request *r, const ProtobufCMessage *response)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;
    struct json_writer w;

    if (http_accepts(r, JSON)) {
        json_writer_init(&w, &body);
        mesos_json_write(&w, response);
        http_answer_buffer(r, 200, JSON, &body);
    } else {
        proto_pack(response, &body);
        http_answer_buffer(r, 200, PROTOBUF, &body);
    }
}

void operator_call_done(struct http_request *r)
{
    http_answer(r, 200, NULL, NULL, 0);
}

void operator_call_refuse(struct http_request *r, const char *type)
{
    if (strcmp(type, "UNKNOWN") == 0)
        http_answer_error(r, 501, NULL);
    else
        http_answer_error(r, 501, "mesos-lite cannot serve the call %s yet: what it is for is "
                                  "still to come", type);
}

/* ---- pieces ---- */

Pb__Flag **operator_call_flags(const struct flag *table, const void *options,
                               struct arena *arena, size_t *ret_n)
{
    CLEANUP(buffer_release) struct buffer value = BUFFER_INIT;
    size_t rows = 0, n = 0;
    Pb__Flag **v;

    while (table[rows].name)
        rows++;
    v = arena_alloc(arena, rows * sizeof *v);
    for (size_t i = 0; i < rows; i++) {
        buffer_clear(&value);
        if (!flags_format(&table[i], options, &value))
            continue;
        v[n] = arena_alloc(arena, sizeof **v);
        pb__flag__init(v[n]);
        v[n]->name = table[i].name;
        v[n]->value = arena_strdup(arena, buffer_data(&value));
        n++;
    }
    *ret_n = n;
    return v;
}

Pb__Metric **operator_call_metrics(const struct future *samples, struct arena *arena,
                                   size_t *ret_n)
{
    const struct metrics_samples *s = future_value(samples, &metrics_samples_type);
    Pb__Metric **v = arena_alloc(arena, s->n * sizeof *v);
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (i > 0 && strcmp(s->v[i].name, s->v[i - 1].name) == 0)
            continue; /* of one name the first counts */
        v[n] = arena_alloc(arena, sizeof **v);
        pb__metric__init(v[n]);
        v[n]->name = arena_strdup(arena, s->v[i].name);
        v[n]->has_value = true;
        v[n]->value = s->v[i].value;
        n++;
    }
    *ret_n = n;
    return v;
}
