/* json_protobuf_parse.c - JSON to protobuf, by descriptor
 *
 * json_text.h makes a tree of the text; convert walks tree and descriptor together and fills the
 * message.  Required fields that are missing are collected on the way: a wrong value is told
 * first, then all that is missing at once.
 */
#include "process/json_protobuf_parse.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/utf8.h"
#include "process/json_protobuf.h"
#include "process/json_text.h"
#include "process/proto.h"

/* More missing fields than an error has room for are not collected. */
enum { MISSING_ENOUGH = 256 };

#define SINGULAR SIZE_MAX

/* Where we are, for the path in an error and the depth. */
struct frame {
    const struct frame *parent;
    const char *name;                   /* of the field; NULL at the root */
    size_t index;                       /* in a repeated field, or SINGULAR */
    const char *key;                    /* in a map, or NULL */
    size_t depth;
};

struct converter {
    struct arena *arena;
    const struct proto_limits *limits;
    struct buffer missing;              /* "a.b, a.c[1].d" */
    struct error *err;
};

/* A number however it was written; magnitude has a meaning when it is whole. */
struct number {
    double real;
    uint64_t magnitude;
    bool negative, whole;
};

static ProtobufCMessage *message_convert(struct converter *c,
                                         const ProtobufCMessageDescriptor *type, json_t *object,
                                         const struct frame *frame);

/* Errors */

static void path_append(const struct frame *frame, struct buffer *to, size_t start)
{
    if (!frame->name)
        return;
    path_append(frame->parent, to, start);
    if (buffer_length(to) > start)
        buffer_append_char(to, '.');
    buffer_append_text(to, frame->name);
    if (frame->index != SINGULAR)
        buffer_printf(to, "[%zu]", frame->index);
    if (frame->key)
        buffer_printf(to, "[%s]", frame->key);
}

static int refuse(const struct converter *c, const struct frame *frame, const char *why)
{
    CLEANUP(buffer_release) struct buffer path = BUFFER_INIT;

    path_append(frame, &path, 0);
    return error_set(c->err, EINVAL, "%s for field '%s'", why, buffer_data(&path));
}

static int refuse_kind(const struct converter *c, const struct frame *frame, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return refuse(c, frame, "Not expecting a JSON object");
    case JSON_ARRAY:
        return refuse(c, frame, "Not expecting a JSON array");
    case JSON_STRING:
        return refuse(c, frame, "Not expecting a JSON string");
    case JSON_INTEGER:
    case JSON_REAL:
        return refuse(c, frame, "Not expecting a JSON number");
    default:
        return refuse(c, frame, "Not expecting a JSON boolean");
    }
}

/* The required fields that the object does not have. */
static void note_missing(struct converter *c, const ProtobufCMessageDescriptor *type,
                         const json_t *object, const struct frame *frame)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const struct frame leaf = { frame, field->name, SINGULAR, NULL, 0 };

        if (field->label != PROTOBUF_C_LABEL_REQUIRED)
            continue;
        if (buffer_length(&c->missing) > MISSING_ENOUGH)
            return;
        const json_t *value = json_object_get(object, field->name);
        if (value && !json_is_null(value))
            continue;
        if (buffer_length(&c->missing) > 0)
            buffer_append_text(&c->missing, ", ");
        path_append(&leaf, &c->missing, buffer_length(&c->missing));
    }
}

/* Numbers */

static struct number number_of_integer(json_int_t i)
{
    uint64_t bits = (uint64_t)i;

    return (struct number){ .real = (double)i, .magnitude = i < 0 ? 0 - bits : bits,
                            .negative = i < 0, .whole = true };
}

static struct number number_of_real(double d)
{
    bool whole = rint(d) == d && fabs(d) < 0x1p64;

    return (struct number){ .real = d, .magnitude = whole ? (uint64_t)fabs(d) : 0,
                            .negative = d < 0, .whole = whole };
}

/* "-12": false when it is anything but digits behind a sign, or above 64 bits. */
static bool digits_read(const char *text, struct number *ret)
{
    struct number n = { .negative = *text == '-', .whole = true };
    const char *at = text + n.negative;

    if (!*at)
        return false;
    for (; *at; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';

        if (digit > 9 || n.magnitude > (UINT64_MAX - digit) / 10)
            return false;
        n.magnitude = n.magnitude * 10 + digit;
    }
    n.real = n.negative ? -(double)n.magnitude : (double)n.magnitude;
    *ret = n;
    return true;
}

/* What is no run of digits is read by jansson, whose decimal point no locale moves. */
static bool number_of_text(const char *text, size_t length, struct number *ret)
{
    bool negative = *text == '-';

    if (length == 0 || strpbrk(text, " \t\r\n"))
        return false;
    if (strcmp(text + negative, "Infinity") == 0) {
        *ret = (struct number){ .real = negative ? -INFINITY : INFINITY, .negative = negative };
        return true;
    }
    if (digits_read(text, ret))
        return true;

    json_t *json = json_loadb(text, length, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool real = json_is_real(json);

    if (real)
        *ret = number_of_real(json_real_value(json));
    json_decref(json);
    return real;
}

/* The largest magnitudes of an integer type, above and below 0. */
static void type_bounds(ProtobufCType type, uint64_t *ret_above, uint64_t *ret_below)
{
    size_t bits = 8 * proto_value_size(type);
    bool is_unsigned = type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_FIXED32 ||
                       type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;

    *ret_above = UINT64_MAX >> (64 - bits + (is_unsigned ? 0 : 1));
    *ret_below = is_unsigned ? 0 : *ret_above + 1;
}

static int integer_store(struct converter *c, ProtobufCType type, const struct number *n,
                         void *where, const struct frame *frame)
{
    uint64_t above, below, value = n->negative ? 0 - n->magnitude : n->magnitude;
    uint32_t low = (uint32_t)value;

    if (!n->whole)
        return refuse(c, frame, "Expecting a whole number");
    type_bounds(type, &above, &below);
    if (n->magnitude > (n->negative ? below : above))
        return refuse(c, frame, "The number is out of range");
    if (proto_value_size(type) == sizeof value)
        memcpy(where, &value, sizeof value);
    else
        memcpy(where, &low, sizeof low);
    return 1;
}

static int number_convert(struct converter *c, ProtobufCType type, const json_t *json, void *where,
                          const struct frame *frame)
{
    struct number n;

    if (json_is_integer(json))
        n = number_of_integer(json_integer_value(json));
    else if (json_is_real(json))
        n = number_of_real(json_real_value(json));
    else if (!json_is_string(json))
        return refuse_kind(c, frame, json);
    else if (!number_of_text(json_string_value(json), json_string_length(json), &n))
        return refuse(c, frame, "Expecting the JSON string to hold a number");

    if (type == PROTOBUF_C_TYPE_DOUBLE) {
        *(double *)where = n.real;
        return 1;
    }
    if (type == PROTOBUF_C_TYPE_FLOAT) {
        if (isfinite(n.real) && fabs(n.real) > (double)__FLT_MAX__)
            return refuse(c, frame, "The number is out of range");
        *(float *)where = (float)n.real;
        return 1;
    }
    return integer_store(c, type, &n, where, frame);
}

/* The other scalars */

static int bool_convert(struct converter *c, const json_t *json, protobuf_c_boolean *where,
                        const struct frame *frame)
{
    const char *text = json_string_value(json);

    if (!json_is_boolean(json) && !text)
        return refuse_kind(c, frame, json);
    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return refuse(c, frame, "Expecting the JSON string to be 'true' or 'false'");
    *where = text ? strcmp(text, "true") == 0 : json_is_true(json);
    return 1;
}

static int enum_convert(struct converter *c, const ProtobufCFieldDescriptor *field,
                        const json_t *json, int *where, const struct frame *frame)
{
    const ProtobufCEnumValue *value;

    if (!json_is_string(json))
        return refuse_kind(c, frame, json);
    value = protobuf_c_enum_descriptor_get_value_by_name(field->descriptor,
                                                         json_string_value(json));
    if (value) {
        *where = value->value;
        return 1;
    }
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return refuse(c, frame, "Failed to find the enum value");
    return 0;
}

static int string_convert(struct converter *c, const json_t *json, char **where,
                          const struct frame *frame)
{
    if (!json_is_string(json))
        return refuse_kind(c, frame, json);
    *where = arena_strndup(c->arena, json_string_value(json), json_string_length(json));
    return 1;
}

/* Here Mesos names the field alone, without its path. */
static int refuse_base64(const struct converter *c, const struct frame *frame, const char *why)
{
    return error_set(c->err, EINVAL, "Failed to base64 decode bytes field '%s': %s", frame->name,
                     why);
}

static int bytes_convert(struct converter *c, const json_t *json, ProtobufCBinaryData *where,
                         const struct frame *frame)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    CLEANUP(buffer_release) struct buffer bytes = BUFFER_INIT;
    const char *text = json_string_value(json);
    struct error why;

    if (!text)
        return refuse_kind(c, frame, json);
    size_t length = json_string_length(json), clean = strspn(text, alphabet);
    if (clean < length) {
        size_t odd = utf8_character(text + clean, length - clean);

        error_set(&why, EINVAL, "Invalid character '%.*s'", (int)odd, text + clean);
        return refuse_base64(c, frame, why.text);
    }
    if (base64_decode(text, length, &bytes, &why) < 0)
        return refuse_base64(c, frame, why.text);
    where->len = buffer_length(&bytes);
    where->data = arena_dup(c->arena, buffer_data(&bytes), where->len + 1);
    return 1;
}

/* Messages */

/* 1 when `where` got a value, 0 when it is to stay unset, -1 on failure. */
static int value_convert(struct converter *c, const ProtobufCFieldDescriptor *field, json_t *json,
                         void *where, const struct frame *frame)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (!json_is_object(json))
            return refuse_kind(c, frame, json);
        *(ProtobufCMessage **)where = message_convert(c, field->descriptor, json, frame);
        return *(ProtobufCMessage **)where ? 1 : -1;
    case PROTOBUF_C_TYPE_STRING:
        return string_convert(c, json, where, frame);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_convert(c, json, where, frame);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_convert(c, field, json, where, frame);
    case PROTOBUF_C_TYPE_BOOL:
        return bool_convert(c, json, where, frame);
    default:
        return number_convert(c, field->type, json, where, frame);
    }
}

static void *slot(ProtobufCMessage *msg, unsigned offset)
{
    return (char *)msg + offset;
}

static int singular_convert(struct converter *c, ProtobufCMessage *msg,
                            const ProtobufCFieldDescriptor *field, json_t *json,
                            const struct frame *frame)
{
    int set = value_convert(c, field, json, slot(msg, field->offset), frame);

    if (set > 0 && field->quantifier_offset)
        *(protobuf_c_boolean *)slot(msg, field->quantifier_offset) = true;
    return set < 0 ? -1 : 0;
}

static int repeated_convert(struct converter *c, ProtobufCMessage *msg,
                            const ProtobufCFieldDescriptor *field, json_t *json,
                            const struct frame *parent)
{
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    size_t size = proto_value_size(field->type), *count = slot(msg, field->quantifier_offset);
    char *values = arena_zalloc(c->arena, n * size);

    *(void **)slot(msg, field->offset) = values;
    for (size_t i = 0; i < n; i++) {
        const struct frame frame = { parent, field->name, i, NULL, parent->depth + 1 };
        json_t *element = json_is_array(json) ? json_array_get(json, i) : json;
        int set;

        if (json_is_null(element))
            continue;
        set = value_convert(c, field, element, values + *count * size, &frame);
        if (set < 0)
            return -1;
        *count += (size_t)set;
    }
    return 0;
}

/* Each member of the object becomes a message of key and value. */
static int map_convert(struct converter *c, ProtobufCMessage *msg,
                       const ProtobufCFieldDescriptor *field, json_t *json,
                       const struct frame *parent)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    const struct frame whole = { parent, field->name, SINGULAR, NULL, parent->depth };
    size_t *count = slot(msg, field->quantifier_offset);
    ProtobufCMessage **entries;
    const char *key;
    json_t *value;

    if (!json_is_object(json))
        return refuse_kind(c, &whole, json);
    entries = arena_zalloc(c->arena, json_object_size(json) * sizeof(*entries));
    *(ProtobufCMessage ***)slot(msg, field->offset) = entries;
    json_object_foreach(json, key, value) {
        const struct frame frame = { parent, field->name, SINGULAR, key, parent->depth + 1 };
        ProtobufCMessage *entry = arena_alloc(c->arena, type->sizeof_message);

        if (json_is_null(value))
            continue;
        protobuf_c_message_init(type, entry);
        *(char **)slot(entry, type->fields[0].offset) = arena_strdup(c->arena, key);
        if (singular_convert(c, entry, &type->fields[1], value, &frame) < 0)
            return -1;
        entries[(*count)++] = entry;
    }
    return 0;
}

static int field_convert(struct converter *c, ProtobufCMessage *msg,
                         const ProtobufCFieldDescriptor *field, json_t *json,
                         const struct frame *parent)
{
    const struct frame frame = { parent, field->name, SINGULAR, NULL, parent->depth + 1 };

    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return singular_convert(c, msg, field, json, &frame);
    if (json_protobuf_is_map(field))
        return map_convert(c, msg, field, json, parent);
    return repeated_convert(c, msg, field, json, parent);
}

static ProtobufCMessage *message_convert(struct converter *c,
                                         const ProtobufCMessageDescriptor *type, json_t *object,
                                         const struct frame *frame)
{
    ProtobufCMessage *msg;
    const char *key;
    json_t *value;

    if (frame->depth > c->limits->depth) {
        error_set(c->err, EMSGSIZE, "messages are nested too deeply");
        return NULL;
    }
    msg = arena_alloc(c->arena, type->sizeof_message);
    protobuf_c_message_init(type, msg);
    note_missing(c, type, object, frame);
    json_object_foreach(object, key, value) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(type, key);

        if (field && !json_is_null(value) && field_convert(c, msg, field, value, frame) < 0)
            return NULL;
    }
    return msg;
}

static ProtobufCMessage *tree_convert(const ProtobufCMessageDescriptor *type, json_t *tree,
                                      struct arena *arena, const struct proto_limits *limits,
                                      struct error *err)
{
    struct converter c = { .arena = arena, .limits = limits, .missing = BUFFER_INIT, .err = err };
    const struct frame root = { NULL, NULL, SINGULAR, NULL, 1 };
    ProtobufCMessage *msg = NULL;

    if (json_is_object(tree))
        msg = message_convert(&c, type, tree, &root);
    else
        error_set(err, EINVAL, "Expecting a JSON object");
    if (msg && buffer_length(&c.missing) > 0) {
        error_set(err, EINVAL, "Missing required fields: %s", buffer_data(&c.missing));
        msg = NULL;
    }
    buffer_release(&c.missing);
    return msg;
}

ProtobufCMessage *json_protobuf_parse(const ProtobufCMessageDescriptor *type, const char *json,
                                      size_t size, struct arena *arena,
                                      const struct proto_limits *limits, struct error *err)
{
    static const struct proto_limits defaults = PROTO_LIMITS;
    ProtobufCMessage *msg;
    json_t *tree;

    if (!limits)
        limits = &defaults;
    tree = json_text_load(json, size, limits, err);
    if (!tree)
        return NULL;
    msg = tree_convert(type, tree, arena, limits, err);
    json_decref(tree);
    return msg;
}

ProtobufCMessage *json_protobuf_parse_body(const ProtobufCMessageDescriptor *type,
                                           const char *json, size_t size, struct arena *arena,
                                           const struct proto_limits *limits, struct error *err)
{
    struct error why;
    ProtobufCMessage *msg = json_protobuf_parse(type, json, size, arena, limits, &why);

    if (msg)
        return msg;
    if (why.code == EINVAL)
        error_wrap(&why, "Failed to convert JSON into %s protobuf", type->short_name);
    else
        error_wrap(&why, "Failed to parse body into JSON");
    error_copy(err, &why);
    return NULL;
}
