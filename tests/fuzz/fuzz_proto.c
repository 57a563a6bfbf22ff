/* fuzz_proto.c - any bytes at the door for protobuf
 *
 * The first byte chooses the type.  What is let in must pack, and come in again equal.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "process/proto.h"
#include "proto/messages.pb-c.h"
#include "proto/registry.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &pb_scheduler__call__descriptor,
    &pb__registry__descriptor,
    &pb__reregister_slave_message__descriptor,
    &pb__resource_offers_message__descriptor,
    &pb__run_task_group_message__descriptor,
    &pb__status_update_message__descriptor,
    &pb__update_slave_message__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct buffer packed = BUFFER_INIT, line = BUFFER_INIT;

    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof(types) / sizeof(*types))];
    ProtobufCMessage *msg = proto_parse(type, data + 1, size - 1, &arena, NULL, NULL);
    if (msg) {
        proto_pack(msg, &packed);
        proto_format(msg, &line);
        ProtobufCMessage *again = proto_parse(type, buffer_data(&packed), buffer_length(&packed),
                                              &arena, NULL, NULL);
        CHECK(again && proto_equal(msg, again));
        CHECK(proto_equal(msg, proto_dup(msg, &arena)));
    }
    buffer_release(&packed);
    buffer_release(&line);
    arena_release(&arena);
    return 0;
}
