/* json_protobuf.h - any message as JSON, by its descriptor
 *
 * The mapping of FACTS 3.11: names as in the .proto, bytes in base64, enums by
 * name, 64-bit numbers plain, maps as objects; what is unset is left out, except
 * fields with a default that is not deprecated, which are written with it, and the
 * lists of the operator APIs' answers, which are written empty.  The way back is
 * json_protobuf_parse.h.
 */
#ifndef JSON_PROTOBUF_H
#define JSON_PROTOBUF_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct json_writer;

void json_protobuf_write(struct json_writer *w, const ProtobufCMessage *msg);
/* One field of msg as key and value; nothing when it is to be left out. */
void json_protobuf_put(struct json_writer *w, const ProtobufCMessage *msg, const char *field);

/* A map is a repeated message of a text key and a value. */
bool json_protobuf_is_map(const ProtobufCFieldDescriptor *field);

#endif
