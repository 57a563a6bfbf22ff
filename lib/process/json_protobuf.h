/* json_protobuf.h - any message as JSON, by its descriptor
 *
 * Names as in the .proto, bytes in base64, enums by name, 64-bit numbers plain, maps as objects.
 * What is unset is left out, except fields with a default, which are written with it; who wants
 * it otherwise gives a rule.  The way back is json_protobuf_parse.h.
 */
#ifndef JSON_PROTOBUF_H
#define JSON_PROTOBUF_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct json_writer;

void json_protobuf_write(struct json_writer *w, const ProtobufCMessage *msg);

/* The rule: whether this field, which is not set and has a default or is a list, is written. */
typedef bool (*json_protobuf_unset_f)(const ProtobufCMessage *msg,
                                      const ProtobufCFieldDescriptor *field);
void json_protobuf_write_with(struct json_writer *w, const ProtobufCMessage *msg,
                              json_protobuf_unset_f unset);
/* One field of msg as key and value; nothing when it is to be left out. */
void json_protobuf_put_with(struct json_writer *w, const ProtobufCMessage *msg, const char *field,
                            json_protobuf_unset_f unset);

/* A map is a repeated message of a text key and a value. */
bool json_protobuf_is_map(const ProtobufCFieldDescriptor *field);

#endif
