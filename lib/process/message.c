/* message.c - a protobuf message with its memory */
#include "process/message.h"

#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "process/runtime_private.h"

static struct message *allocate(void)
{
    struct message *m = spares_take(NULL, sizeof *m);

    ref_init(&m->ref);
    m->arena = (struct arena)ARENA_INIT;
    m->body = NULL;
    return m;
}

static void destroy(struct message *m)
{
    arena_release(&m->arena);
    spares_put(m, sizeof *m);
}

struct message *message_create(const ProtobufCMessage *body)
{
    struct message *m = allocate();

    m->body = proto_dup(body, &m->arena);
    return m;
}

/* Takes m; NULL when it has no body. */
static struct message *with_body(struct message *m)
{
    if (m->body)
        return m;
    destroy(m);
    return NULL;
}

struct message *message_parse_within(const struct proto_limits *limits,
                                     const ProtobufCMessageDescriptor *type, const void *bytes,
                                     size_t size, struct error *err)
{
    struct message *m = allocate();

    m->body = proto_parse(type, bytes, size, &m->arena, limits, err);
    return with_body(m);
}

struct message *message_parse(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t size, struct error *err)
{
    return message_parse_within(NULL, type, bytes, size, err);
}

struct message *message_parse_json(const struct proto_limits *limits,
                                   const ProtobufCMessageDescriptor *type, const char *json,
                                   size_t size, struct error *err)
{
    struct message *m = allocate();

    m->body = json_protobuf_parse_body(type, json, size, &m->arena, limits, err);
    return with_body(m);
}

struct message *message_ref(struct message *m)
{
    ref_get(&m->ref);
    return m;
}

void message_unref(struct message *m)
{
    if (m && ref_put(&m->ref))
        destroy(m);
}
