/* proto.h - the one door for protobuf bytes from strangers
 *
 * proto_parse checks every byte before anybody sees a message: wire types,
 * lengths, numbers, depth, size and count limits, UTF-8 without NUL in strings,
 * required fields.  What it returns lives in the arena, all of it.  As protobuf
 * wants it, an unknown field, an enum value that the type does not know and a
 * field of another wire type read as unset and survive a round trip; a singular
 * sub-message that occurs twice is merged.  Groups are refused.  The types are
 * proto2 without oneofs.  protobuf-c's own unpack is used nowhere.
 * proto_parse.c is the door, proto.c the rest.
 */
#ifndef PROTO_H
#define PROTO_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buffer;
struct error;

struct proto_limits {
    size_t size;        /* bytes of the whole message */
    size_t depth;       /* messages within messages; the outermost is 1 */
    size_t count;       /* sub-messages, repeated elements and unknown fields, all together */
};

#define PROTO_LIMITS { .size = 64 << 20, .depth = 100, .count = 1 << 20 }

/* NULL on failure; the error begins with the path of the field
 * ("slave.resources[2].name: invalid UTF-8").  `limits` may be NULL: PROTO_LIMITS.
 * After a failure the arena holds rubbish, to be released as ever. */
ProtobufCMessage *proto_parse(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t size, struct arena *arena,
                              const struct proto_limits *limits, struct error *err);

size_t proto_packed_size(const ProtobufCMessage *msg);
void proto_pack(const ProtobufCMessage *msg, struct buffer *to);         /* appends */
/* The same for who has asked for the size already. */
void proto_pack_sized(const ProtobufCMessage *msg, size_t size, struct buffer *to);

/* A deep copy, unknown fields included, that lives in the arena. */
ProtobufCMessage *proto_dup(const ProtobufCMessage *msg, struct arena *arena);

/* The same type and the same packed bytes. */
bool proto_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* Fields by their descriptors: how many values are set (0 or 1 unless repeated), where the
 * one of that index is, and how many bytes it takes there. */
size_t proto_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field);
const void *proto_value(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field,
                        size_t index);
size_t proto_value_size(ProtobufCType type);

/* One line for the log, appended: `slave { hostname: "a" port: 5051 }`. */
void proto_format(const ProtobufCMessage *msg, struct buffer *to);

#endif
