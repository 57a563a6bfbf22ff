/* operator_api.c - what the operator APIs of master and agent have in common
 *
 * Their messages are the same in two packages; here they are read and made by the names of
 * their fields.
 */
#include "mesos/operator_api.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "mesos/files.h"
#include "mesos/operator_call.h"
#include "process/build_info.h"
#include "process/future.h"
#include "process/http.h"
#include "process/logging.h"
#include "process/metrics.h"
#include "process/proto.h"
#include "proto/mesos.pb-c.h"

/* A call being served. */
struct serving {
    const struct operator_api *api;
    struct process *self;
    const void *options;
    struct http_request *request;
    const ProtobufCMessage *call;
    const char *type;                /* of the call, "GET_HEALTH" */
    const ProtobufCMessage *part;    /* of that name; may be NULL */
    struct arena *arena;
};

/* ---- fields by name ---- */

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *msg, const char *name)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);

    CHECK(f);
    return f;
}

/* Where its value is; NULL when it is not set. */
static const void *get(const ProtobufCMessage *msg, const char *name)
{
    const ProtobufCFieldDescriptor *f = field_of(msg, name);

    return proto_count(msg, f) > 0 ? proto_value(msg, f, 0) : NULL;
}

/* Where its value goes; from now on it is set. */
static void *set(ProtobufCMessage *msg, const char *name)
{
    const ProtobufCFieldDescriptor *f = field_of(msg, name);

    if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset)
        *(protobuf_c_boolean *)((char *)msg + f->quantifier_offset) = true;
    return (char *)msg + f->offset;
}

static size_t *count(ProtobufCMessage *msg, const char *name)
{
    return (size_t *)((char *)msg + field_of(msg, name)->quantifier_offset);
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    ProtobufCMessage *msg = arena_alloc(arena, type->sizeof_message);

    protobuf_c_message_init(type, msg);
    return msg;
}

/* A message for this field, in its place. */
static ProtobufCMessage *make_in(ProtobufCMessage *msg, const char *name, struct arena *arena)
{
    ProtobufCMessage *part = make(field_of(msg, name)->descriptor, arena);

    *(ProtobufCMessage **)set(msg, name) = part;
    return part;
}

/* "GET_HEALTH" → "get_health" */
static const char *part_name(const char *type, struct arena *arena)
{
    char *name = arena_strdup(arena, type);

    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

static ProtobufCMessage *make_response(const struct serving *s)
{
    ProtobufCMessage *response = make(s->api->response, s->arena);
    const ProtobufCFieldDescriptor *type = field_of(response, "type");
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(type->descriptor, s->type);

    CHECK(value);
    *(int *)set(response, "type") = value->value;
    return response;
}

/* ---- what both have ---- */

static void fill_health(const struct serving *s UNUSED, ProtobufCMessage *part)
{
    *(protobuf_c_boolean *)set(part, "healthy") = true;
}

static void fill_flags(const struct serving *s, ProtobufCMessage *part)
{
    *(Pb__Flag ***)set(part, "flags") =
        operator_call_flags(s->api->flags, s->options, s->arena, count(part, "flags"));
}

static void fill_version(const struct serving *s, ProtobufCMessage *part)
{
    Pb__VersionInfo *info = (Pb__VersionInfo *)make_in(part, "version_info", s->arena);

    info->version = s->api->version;
    info->build_date = BUILD_INFO_DATE;
    info->has_build_time = true;
    info->build_time = BUILD_INFO_TIME;
    info->build_user = BUILD_INFO_USER;
}

static void fill_logging_level(const struct serving *s, ProtobufCMessage *part)
{
    *(uint32_t *)set(part, "level") = logging_level(s->self->runtime);
}

static void answer_filled(const struct serving *s,
                          void (*fill)(const struct serving *s, ProtobufCMessage *part))
{
    ProtobufCMessage *response = make_response(s);

    fill(s, make_in(response, part_name(s->type, s->arena), s->arena));
    operator_call_answer(s->request, response);
}

static void get_health(const struct serving *s)
{
    answer_filled(s, fill_health);
}

static void get_flags(const struct serving *s)
{
    answer_filled(s, fill_flags);
}

static void get_version(const struct serving *s)
{
    answer_filled(s, fill_version);
}

static void get_logging_level(const struct serving *s)
{
    answer_filled(s, fill_logging_level);
}

static void set_logging_level(const struct serving *s)
{
    const Pb__DurationInfo *duration = *(Pb__DurationInfo *const *)get(s->part, "duration");
    struct duration d = { duration->nanoseconds };

    if (d.ns < 0) {
        http_answer_error(s->request, 400, "The duration is negative");
        return;
    }
    logging_toggle(s->self->runtime, *(const uint32_t *)get(s->part, "level"), d);
    operator_call_done(s->request);
}

/* ---- metrics: others are asked first ---- */

struct measuring {
    const struct operator_api *api;
    struct http_request *request;
};

static void metrics_measured(struct process *self, struct future *f, void *op)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct measuring *m = op;
    struct serving s = { .api = m->api, .self = self, .type = "GET_METRICS", .arena = &arena };
    ProtobufCMessage *response, *part;

    if (future_state(f) == FUTURE_READY) {
        response = make_response(&s);
        part = make_in(response, "get_metrics", &arena);
        *(Pb__Metric ***)set(part, "metrics") =
            operator_call_metrics(f, &arena, count(part, "metrics"));
        operator_call_answer(m->request, response);
    } else {
        http_answer_error(m->request, 503, NULL);
    }
    http_request_unref(m->request);
    mem_free(m);
}

static void get_metrics(const struct serving *s)
{
    Pb__DurationInfo *const *timeout = get(s->part, "timeout");
    struct measuring *m = mem_alloc(sizeof *m);

    m->api = s->api;
    m->request = http_request_ref(s->request);
    future_finally(
        metrics_snapshot(s->self->runtime, (struct duration){ timeout ? (*timeout)->nanoseconds
                                                                      : -1 }),
        s->self, metrics_measured, m);
}

/* ---- files ---- */

static void list_files(const struct serving *s)
{
    const char *path = *(const char *const *)get(s->part, "path");
    ProtobufCMessage *response = make_response(s), *part;
    struct error err;

    part = make_in(response, "list_files", s->arena);
    if (files_list(s->api->files, s->self, path, s->arena, set(part, "file_infos"),
                   count(part, "file_infos"), &err) < 0)
        files_refuse(s->request, &err);
    else
        operator_call_answer(s->request, response);
}

static void read_file(const struct serving *s)
{
    const char *path = *(const char *const *)get(s->part, "path");
    const uint64_t *offset = get(s->part, "offset"), *length = get(s->part, "length");
    ProtobufCMessage *response = make_response(s), *part;
    struct files_piece piece;
    struct error err;

    if (files_get(s->api->files, s->self, path, *offset, length ? *length : UINT64_MAX, s->arena,
                  &piece, &err) < 0) {
        files_refuse(s->request, &err);
        return;
    }
    part = make_in(response, "read_file", s->arena);
    *(uint64_t *)set(part, "size") = piece.size;
    *(ProtobufCBinaryData *)set(part, "data") =
        (ProtobufCBinaryData){ piece.n, (uint8_t *)piece.data };
    operator_call_answer(s->request, response);
}

static const struct common {
    const char *call;
    void (*serve)(const struct serving *s);
} commons[] = {
    { "GET_HEALTH", get_health },
    { "GET_FLAGS", get_flags },
    { "GET_VERSION", get_version },
    { "GET_METRICS", get_metrics },
    { "GET_LOGGING_LEVEL", get_logging_level },
    { "SET_LOGGING_LEVEL", set_logging_level },
    { "LIST_FILES", list_files },
    { "READ_FILE", read_file },
};

/* ---- serving ---- */

static bool serve_common(const struct serving *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(commons); i++)
        if (strcmp(commons[i].call, s->type) == 0) {
            commons[i].serve(s);
            return true;
        }
    return false;
}

static void serve_row(const struct serving *s, const struct operator_row *row)
{
    ProtobufCMessage *response, *part;

    if (row->act) {
        row->act(s->self, s->request, s->part);
        return;
    }
    response = make_response(s);
    part = row->read(s->self, s->arena);
    if (part)
        *(ProtobufCMessage **)set(response, part_name(s->type, s->arena)) = part;
    operator_call_answer(s->request, response);
}

static const struct operator_row *find_row(const struct serving *s)
{
    for (const struct operator_row *row = s->api->rows; row->call; row++)
        if (strcmp(row->call, s->type) == 0)
            return row;
    return NULL;
}

static const ProtobufCMessage *find_part(const ProtobufCMessage *call, const char *name)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(call->descriptor, name);

    return f && proto_count(call, f) > 0
               ? *(ProtobufCMessage *const *)proto_value(call, f, 0)
               : NULL;
}

void operator_api_serve(const struct operator_api *api, struct process *self, const void *options,
                        struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct serving s = { .api = api, .self = self, .options = options, .request = r,
                         .arena = &arena };
    const struct operator_row *row;

    s.call = operator_call_receive(r, api->call, api->name, api->streams, &arena);
    if (!s.call)
        return;
    s.type = operator_call_type(s.call);
    s.part = find_part(s.call, part_name(s.type, &arena));
    row = find_row(&s);
    if (row)
        serve_row(&s, row);
    else if (!serve_common(&s))
        operator_call_refuse(r, s.type);
}
