/* message.c - a protobuf message with its memory */
#include "process/message.h"

#include "base/memory.h"
#include "process/proto.h"

static struct message *allocate(void)
{
    struct message *m = mem_alloc(sizeof *m);

    ref_init(&m->ref);
    m->arena = (struct arena)ARENA_INIT;
    return m;
}

static void destroy(struct message *m)
{
    arena_release(&m->arena);
    mem_free(m);
}

struct message *message_create(const ProtobufCMessage *body)
{
    struct message *m = allocate();

    m->body = proto_dup(body, &m->arena);
    return m;
}

struct message *message_parse(const ProtobufCMessageDescriptor *type, const void *bytes,
                              size_t size, struct error *err)
{
    struct message *m = allocate();

    m->body = proto_parse(type, bytes, size, &m->arena, NULL, err);
    if (!m->body) {
        destroy(m);
        return NULL;
    }
    return m;
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
