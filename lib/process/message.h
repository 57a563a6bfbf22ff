/* message.h - a protobuf message with its memory
 *
 * Immutable and counted, with its body in an arena of its own: one message can
 * be given to any number of local processes, and nothing is copied.  A handler
 * borrows the body until it returns; it keeps the message by message_ref.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/ref.h"

struct error;
struct proto_limits;

struct message {
    struct ref ref;
    struct arena arena;
    const ProtobufCMessage *body;
};

/* A deep copy of body, unknown fields included. */
struct message *message_create(const ProtobufCMessage *body);
/* Through the door for strangers' bytes (proto.h); NULL with the reason. */
struct message *message_parse(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t size, struct error *err);
struct message *message_parse_within(const struct proto_limits *limits,
                                     const ProtobufCMessageDescriptor *type, const void *bytes,
                                     size_t size, struct error *err);
/* The same for JSON (json_protobuf_parse.h). */
struct message *message_parse_json(const struct proto_limits *limits,
                                   const ProtobufCMessageDescriptor *type, const char *json,
                                   size_t size, struct error *err);
struct message *message_ref(struct message *m);
void message_unref(struct message *m);          /* NULL is fine */

#endif
