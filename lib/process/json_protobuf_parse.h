/* json_protobuf_parse.h - a message from JSON that a stranger wrote
 *
 * The reading half of json_protobuf.h, with the input rules of FACTS 3.11: names as in the
 * .proto, unknown ones ignored; null is unset; one value may stand for a list of one; a string
 * may hold a number, "Infinity" or a bool; enums by name only, a name that the type does not
 * know is unset, or an error where the field is required; bytes in strict base64; of a key that
 * occurs twice the last one counts.  Strings are UTF-8 without NUL.  What is returned lives in
 * the arena, all of it.
 *
 * The sentences are those of Mesos where it is known what it says, with the path of the field:
 * "Not expecting a JSON number for field 'subscribe.framework_info.user'".
 */
#ifndef JSON_PROTOBUF_PARSE_H
#define JSON_PROTOBUF_PARSE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct arena;
struct error;
struct proto_limits;

/* NULL on failure; the code says why: EBADMSG it is no JSON, EINVAL no such message, EMSGSIZE
 * beyond a limit.  `limits` may be NULL: PROTO_LIMITS; the size is that of the text, the depth
 * that of the messages.  After a failure the arena holds rubbish, to be released as ever. */
ProtobufCMessage *json_protobuf_parse(const ProtobufCMessageDescriptor *type, const char *json,
                                      size_t size, struct arena *arena,
                                      const struct proto_limits *limits, struct error *err);

/* The same for the body of an HTTP request: the sentence is the whole answer, "Failed to parse
 * body into JSON: ..." or "Failed to convert JSON into Call protobuf: ...". */
ProtobufCMessage *json_protobuf_parse_body(const ProtobufCMessageDescriptor *type,
                                           const char *json, size_t size, struct arena *arena,
                                           const struct proto_limits *limits, struct error *err);

#endif
