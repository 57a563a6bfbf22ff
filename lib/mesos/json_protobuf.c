/* json_protobuf.c - protobuf to JSON, by descriptor */
#include "mesos/json_protobuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/check.h"
#include "base/json_writer.h"
#include "process/proto.h"

/* Deprecated, therefore not written unless set.  protobuf-c would make the
 * option in the .proto a warning at every use. */
static const struct { const char *type, *field; } deprecated[] = {
    { "mesos.v1.FrameworkInfo", "role" },
    { "mesos.v1.Resource", "role" },
};

static bool is_deprecated(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < ARRAY_SIZE(deprecated); i++)
        if (strcmp(field->name, deprecated[i].field) == 0 &&
            strcmp(msg->descriptor->name, deprecated[i].type) == 0)
            return true;
    return false;
}

/* A map is a repeated message of key and value, whose type the compiler names
 * after the field: offer_filters, OfferFiltersEntry. */
static bool is_map(const ProtobufCFieldDescriptor *field)
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

static void write_value(struct json_writer *w, const ProtobufCFieldDescriptor *field,
                        const void *value)
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
        json_write_double(w, *(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        json_write_double(w, *(const double *)value);
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
        json_protobuf_write(w, *(const ProtobufCMessage *const *)value);
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

static void write_map(struct json_writer *w, const ProtobufCMessage *const *entries, size_t n)
{
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *fields = entries[i]->descriptor->fields;

        if (is_overwritten(entries, i, n))
            continue;
        json_key(w, *(const char *const *)proto_value(entries[i], &fields[0], 0));
        if (proto_count(entries[i], &fields[1]) > 0)
            write_value(w, &fields[1], proto_value(entries[i], &fields[1], 0));
        else if (fields[1].type == PROTOBUF_C_TYPE_MESSAGE)
            json_write_raw(w, "{}", 2);
        else
            json_write_null(w);
    }
    json_end_object(w);
}

static void write_field(struct json_writer *w, const ProtobufCMessage *msg,
                        const ProtobufCFieldDescriptor *field)
{
    size_t n = proto_count(msg, field);

    if (n == 0 && (!field->default_value || is_deprecated(msg, field)))
        return;
    json_key(w, field->name);
    if (n == 0) {                           /* protobuf-c keeps the default in the field itself */
        write_value(w, field, proto_value(msg, field, 0));
    } else if (is_map(field)) {
        write_map(w, *(const ProtobufCMessage *const *const *)
                     ((const char *)msg + field->offset), n);
    } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        json_begin_array(w);
        for (size_t i = 0; i < n; i++)
            write_value(w, field, proto_value(msg, field, i));
        json_end_array(w);
    } else {
        write_value(w, field, proto_value(msg, field, 0));
    }
}

void json_protobuf_write(struct json_writer *w, const ProtobufCMessage *msg)
{
    json_begin_object(w);
    for (unsigned i = 0; i < msg->descriptor->n_fields; i++)
        write_field(w, msg, &msg->descriptor->fields[i]);
    json_end_object(w);
}

void json_protobuf_put(struct json_writer *w, const ProtobufCMessage *msg, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);

    CHECK(field);
    write_field(w, msg, field);
}
