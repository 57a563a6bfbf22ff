/* api_body.h - the body of a request to the v1 scheduler and executor APIs
 *
 * JSON or protobuf, as its Content-Type says, within the limits of the runtime.  What a request
 * is refused for, in which words, is Mesos's (FACTS 3.1, 3.2).
 */
#ifndef API_BODY_H
#define API_BODY_H

#include <protobuf-c/protobuf-c.h>

struct arena;
struct http_request;

/* In an event of a process.  The call, in the arena; NULL: the request has been answered (400 or
 * 415). */
ProtobufCMessage *api_body_parse(struct http_request *r, const ProtobufCMessageDescriptor *type,
                                 struct arena *arena);

#endif
