/* fuzz_json.c - any text as JSON for a message
 *
 * The first byte chooses the type.  What is let in must come out as JSON that is let in again, as
 * the same message; its bytes must pass the door for protobuf.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "proto/agent.pb-c.h"
#include "proto/executor.pb-c.h"
#include "proto/master.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &pb_scheduler_v1__call__descriptor,  &pb_scheduler_v1__event__descriptor,
    &pb_executor__call__descriptor,      &pb_executor__event__descriptor,
    &pb_master__call__descriptor,        &pb_master__response__descriptor,
    &pb_master__event__descriptor,       &pb_agent__call__descriptor,
    &pb_agent__response__descriptor,
};

static void check_again(const ProtobufCMessage *msg, struct arena *arena)
{
    struct buffer json = BUFFER_INIT, again = BUFFER_INIT, bytes = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &json);
    mesos_json_write(&w, msg);
    ProtobufCMessage *read = json_protobuf_parse(msg->descriptor, buffer_data(&json),
                                                 buffer_length(&json), arena, NULL, NULL);
    CHECK(read);
    json_writer_init(&w, &again);
    mesos_json_write(&w, read);
    CHECK(buffer_length(&json) == buffer_length(&again));

    proto_pack(msg, &bytes);
    CHECK(proto_parse(msg->descriptor, buffer_data(&bytes), buffer_length(&bytes), arena, NULL,
                      NULL));
    buffer_release(&json);
    buffer_release(&again);
    buffer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;

    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    ProtobufCMessage *msg = json_protobuf_parse(types[data[0] % (sizeof types / sizeof *types)],
                                                text, size - 1, &arena, NULL, NULL);
    if (msg)
        check_again(msg, &arena);
    arena_release(&arena);
    return 0;
}
