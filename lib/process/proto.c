/* proto.c - what one does with a message that one has: pack, copy, compare, show
 *
 * All of it goes by the descriptor, so it serves every type.
 */
#include "process/proto.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"

/* Fields by descriptor */

size_t proto_value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* protobuf-c says "unset" in four ways: a count, a NULL, a pointer to the default, a flag. */
size_t proto_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)msg;
    const void *const *pointer = (const void *const *)(base + field->offset);

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(base + field->quantifier_offset);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING)
        return *pointer && *pointer != field->default_value;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return 1;
    return *(const protobuf_c_boolean *)(base + field->quantifier_offset) != 0;
}

const void *proto_value(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field,
                        size_t index)
{
    const char *where = (const char *)msg + field->offset;

    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return where;
    return *(const char *const *)where + index * proto_value_size(field->type);
}

/* Bytes */

size_t proto_packed_size(const ProtobufCMessage *msg)
{
    return protobuf_c_message_get_packed_size(msg);
}

void proto_pack_sized(const ProtobufCMessage *msg, size_t size, struct buffer *to)
{
    char *room = buffer_reserve(to, size);

    CHECK(protobuf_c_message_pack(msg, (uint8_t *)room) == size);
    buffer_commit(to, size);
}

void proto_pack(const ProtobufCMessage *msg, struct buffer *to)
{
    proto_pack_sized(msg, proto_packed_size(msg), to);
}

bool proto_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    struct buffer bytes_a = BUFFER_INIT, bytes_b = BUFFER_INIT;

    if (a->descriptor != b->descriptor || proto_packed_size(a) != proto_packed_size(b))
        return false;
    proto_pack(a, &bytes_a);
    proto_pack(b, &bytes_b);

    bool same = memcmp(buffer_data(&bytes_a), buffer_data(&bytes_b), buffer_length(&bytes_a)) == 0;

    buffer_release(&bytes_a);
    buffer_release(&bytes_b);
    return same;
}

/* Copies */

static void *bytes_dup(struct arena *arena, const void *data, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);

    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

/* `where` holds what the original holds; from here on it owns its own. */
static void value_dup(const ProtobufCFieldDescriptor *field, void *where, struct arena *arena)
{
    ProtobufCBinaryData *bytes = where;
    void **pointer = where;

    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (*pointer)
            *pointer = proto_dup(*pointer, arena);
        break;
    case PROTOBUF_C_TYPE_STRING:
        if (*pointer && *pointer != field->default_value)       /* the default means unset */
            *pointer = arena_strdup(arena, *pointer);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        if (bytes->data)
            bytes->data = bytes_dup(arena, bytes->data, bytes->len);
        break;
    default:
        break;
    }
}

static void array_dup(const ProtobufCFieldDescriptor *field, size_t n, void **array,
                      struct arena *arena)
{
    size_t size = proto_value_size(field->type);

    *array = bytes_dup(arena, *array, n * size);
    for (size_t i = 0; i < n; i++)
        value_dup(field, (char *)*array + i * size, arena);
}

ProtobufCMessage *proto_dup(const ProtobufCMessage *msg, struct arena *arena)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;
    ProtobufCMessage *copy = arena_dup(arena, msg, type->sizeof_message);

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        void *where = (char *)copy + field->offset;

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            array_dup(field, proto_count(msg, field), where, arena);
        else
            value_dup(field, where, arena);
    }

    size_t n = msg->n_unknown_fields;
    copy->unknown_fields = bytes_dup(arena, msg->unknown_fields, n * sizeof(*msg->unknown_fields));
    for (size_t i = 0; i < n; i++)
        copy->unknown_fields[i].data =
            bytes_dup(arena, msg->unknown_fields[i].data, msg->unknown_fields[i].len);
    return copy;
}

/* Text */

static void quoted_format(const void *data, size_t size, struct buffer *to)
{
    const unsigned char *at = data;

    buffer_append_char(to, '"');
    for (size_t i = 0; i < size; i++) {
        if (at[i] == '"' || at[i] == '\\')
            buffer_printf(to, "\\%c", at[i]);
        else if (at[i] < 0x20 || at[i] == 0x7f)
            buffer_printf(to, "\\%03o", at[i]);
        else
            buffer_append_char(to, (char)at[i]);
    }
    buffer_append_char(to, '"');
}

/* Bytes need not be text, and a log line should stay one. */
static void bytes_format(const ProtobufCBinaryData *bytes, struct buffer *to)
{
    enum { SHOWN = 32 };

    for (size_t i = 0; i < bytes->len && i < SHOWN; i++)
        buffer_printf(to, "%02x", bytes->data[i]);
    if (bytes->len > SHOWN || bytes->len == 0)
        buffer_printf(to, "<%zu bytes>", bytes->len);
}

static void enum_format(const ProtobufCFieldDescriptor *field, int value, struct buffer *to)
{
    const ProtobufCEnumValue *known =
        protobuf_c_enum_descriptor_get_value(field->descriptor, value);

    if (known)
        buffer_append_text(to, known->name);
    else
        buffer_printf(to, "%d", value);
}

static void number_format(ProtobufCType type, const void *where, struct buffer *to)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buffer_printf(to, "%" PRId32, *(const int32_t *)where);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buffer_printf(to, "%" PRIu32, *(const uint32_t *)where);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        buffer_printf(to, "%" PRId64, *(const int64_t *)where);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        buffer_printf(to, "%" PRIu64, *(const uint64_t *)where);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        buffer_printf(to, "%.9g", (double)*(const float *)where);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        buffer_printf(to, "%.15g", *(const double *)where);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buffer_append_text(to, *(const protobuf_c_boolean *)where ? "true" : "false");
        break;
    default:
        UNREACHABLE();
    }
}

static void value_format(const ProtobufCFieldDescriptor *field, const void *where,
                         struct buffer *to)
{
    buffer_append_text(to, field->name);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        buffer_append_text(to, " { ");
        size_t before = buffer_length(to);
        proto_format(*(ProtobufCMessage *const *)where, to);
        buffer_append_text(to, buffer_length(to) > before ? " }" : "}");
        return;
    }
    buffer_append_text(to, ": ");
    if (field->type == PROTOBUF_C_TYPE_STRING)
        quoted_format(*(const char *const *)where, strlen(*(const char *const *)where), to);
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        bytes_format(where, to);
    else if (field->type == PROTOBUF_C_TYPE_ENUM)
        enum_format(field, *(const int *)where, to);
    else
        number_format(field->type, where, to);
}

static void separate(struct buffer *to, size_t start)
{
    if (buffer_length(to) > start)
        buffer_append_char(to, ' ');
}

void proto_format(const ProtobufCMessage *msg, struct buffer *to)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;
    size_t start = buffer_length(to);

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        size_t n = proto_count(msg, field);

        for (size_t k = 0; k < n; k++) {
            separate(to, start);
            value_format(field, proto_value(msg, field, k), to);
        }
    }
    for (unsigned i = 0; i < msg->n_unknown_fields; i++) {
        separate(to, start);
        buffer_printf(to, "%" PRIu32 ": <%zu bytes>", msg->unknown_fields[i].tag,
                      msg->unknown_fields[i].len);
    }
}
