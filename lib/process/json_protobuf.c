/* json_protobuf.c - protobuf to JSON, by descriptor */
#include "process/json_protobuf.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "process/proto.h"

/* The compiler names the type of the entries after the field: offer_filters, OfferFiltersEntry. */
bool json_protobuf_is_map(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t length;

    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    length = strlen(entry->name);
    return length > 5 && strcmp(entry->name + length - 5, "Entry") == 0 && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0 &&
           strcmp(entry->fields[1].name, "value") == 0 &&
           entry->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static void write_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

    if (value)
        json_write_string(w, value->name);
    else
        json_write_integer(w, number);
}

/* JSON has no infinity: as a string it is read again, by us and by Mesos. */
static void write_double(struct json_writer *w, double d)
{
    if (isinf(d))
        json_write_string(w, d < 0 ? "-Infinity" : "Infinity");
    else
        json_write_double(w, d);
}

static void write_message(struct json_writer *w, const ProtobufCMessage *msg,
                          json_protobuf_unset_f unset);

static void write_value(struct json_writer *w, const ProtobufCFieldDescriptor *field,
                        const void *value, json_protobuf_unset_f unset)
{
    const ProtobufCBinaryData *bytes = value;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        json_write_integer(w, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        json_write_integer(w, *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        json_write_unsigned(w, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        json_write_unsigned(w, *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        write_double(w, *(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_double(w, *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        json_write_bool(w, *(const protobuf_c_boolean *)value);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(w, field->descriptor, *(const int *)value);
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_write_string(w, *(const char *const *)value);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        json_write_base64(w, bytes->data, bytes->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        write_message(w, *(const ProtobufCMessage *const *)value, unset);
        break;
    }
}

/* Of two entries with one key, the last is the value. */
static bool is_overwritten(const ProtobufCMessage *const *entries, size_t at, size_t n)
{
    const ProtobufCFieldDescriptor *key = &entries[at]->descriptor->fields[0];
    const char *text = *(const char *const *)proto_value(entries[at], key, 0);

    for (size_t i = at + 1; i < n; i++)
        if (strcmp(*(const char *const *)proto_value(entries[i], key, 0), text) == 0)
            return true;
    return false;
}

static void write_map(struct json_writer *w, const ProtobufCMessage *const *entries, size_t n,
                      json_protobuf_unset_f unset)
{
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *fields = entries[i]->descriptor->fields;

        if (is_overwritten(entries, i, n))
            continue;
        json_key(w, *(const char *const *)proto_value(entries[i], &fields[0], 0));
        if (proto_count(entries[i], &fields[1]) > 0)
            write_value(w, &fields[1], proto_value(entries[i], &fields[1], 0), unset);
        else if (fields[1].type == PROTOBUF_C_TYPE_MESSAGE)
            json_write_raw(w, "{}", 2);
        else
            json_write_null(w);
    }
    json_end_object(w);
}

static bool has_default(const ProtobufCMessage *msg UNUSED, const ProtobufCFieldDescriptor *field)
{
    return field->default_value != NULL;
}

static void write_field(struct json_writer *w, const ProtobufCMessage *msg,
                        const ProtobufCFieldDescriptor *field, json_protobuf_unset_f unset)
{
    size_t n = proto_count(msg, field);

    if (n == 0 && !unset(msg, field))
        return;
    json_key(w, field->name);
    if (json_protobuf_is_map(field)) {
        write_map(w, *(const ProtobufCMessage *const *const *)
                     ((const char *)msg + field->offset), n, unset);
    } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        json_begin_array(w);
        for (size_t i = 0; i < n; i++)
            write_value(w, field, proto_value(msg, field, i), unset);
        json_end_array(w);
    } else {                                /* protobuf-c keeps a default in the field itself */
        write_value(w, field, proto_value(msg, field, 0), unset);
    }
}

static void write_message(struct json_writer *w, const ProtobufCMessage *msg,
                          json_protobuf_unset_f unset)
{
    json_begin_object(w);
    for (unsigned i = 0; i < msg->descriptor->n_fields; i++)
        write_field(w, msg, &msg->descriptor->fields[i], unset);
    json_end_object(w);
}

void json_protobuf_write(struct json_writer *w, const ProtobufCMessage *msg)
{
    write_message(w, msg, has_default);
}

void json_protobuf_write_with(struct json_writer *w, const ProtobufCMessage *msg,
                              json_protobuf_unset_f unset)
{
    write_message(w, msg, unset);
}

void json_protobuf_put_with(struct json_writer *w, const ProtobufCMessage *msg, const char *name,
                            json_protobuf_unset_f unset)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);

    CHECK(field);
    write_field(w, msg, field, unset);
}
