/* api_body.c - the body of a request to the v1 scheduler and executor APIs */
#include "mesos/api_body.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "process/http.h"
#include "process/json_protobuf_parse.h"
#include "process/process.h"
#include "process/proto.h"

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"

static ProtobufCMessage *parse_json(struct http_request *r,
                                    const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    const struct proto_limits limits = runtime_message_limits(process_current()->runtime);
    struct error err;
    size_t size;
    const char *body = http_request_body(r, &size);
    ProtobufCMessage *call = json_protobuf_parse_body(type, body, size, arena, &limits, &err);

    if (!call)
        http_answer_error(r, 400, "%s", err.text);
    return call;
}

static ProtobufCMessage *parse_protobuf(struct http_request *r,
                                        const ProtobufCMessageDescriptor *type,
                                        struct arena *arena)
{
    const struct proto_limits limits = runtime_message_limits(process_current()->runtime);
    struct error err;
    size_t size;
    const char *body = http_request_body(r, &size);
    ProtobufCMessage *call = proto_parse(type, body, size, arena, &limits, &err);

    if (!call) {
        log_info("%s refused: %s", type->name, err.text);
        http_answer_error(r, 400, "Failed to parse body into Call protobuf");
    }
    return call;
}

ProtobufCMessage *api_body_parse(struct http_request *r, const ProtobufCMessageDescriptor *type,
                                 struct arena *arena)
{
    const char *media = http_request_header(r, "Content-Type");

    if (!media)
        http_answer_error(r, 400, "Expecting 'Content-Type' to be present");
    else if (strcmp(media, JSON) == 0)
        return parse_json(r, type, arena);
    else if (strcmp(media, PROTOBUF) == 0)
        return parse_protobuf(r, type, arena);
    else
        http_answer_error(r, 415, "Expecting 'Content-Type' of " JSON " or " PROTOBUF);
    return NULL;
}
