/* fuzz_json.c - any text as JSON for a message, and as a stream of records
 *
 * The first byte chooses the type.  What is let in must come out as JSON that is let in again, as
 * the same message; its bytes must pass the door for protobuf.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/json_writer.h"
#include "mesos/json_protobuf.h"
#include "mesos/json_protobuf_parse.h"
#include "mesos/recordio.h"
#include "process/proto.h"
#include "proto/agent.pb-c.h"
#include "proto/executor.pb-c.h"
#include "proto/master.pb-c.h"
#include "proto/scheduler.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &pb_scheduler_v1__call__descriptor,  &pb_scheduler_v1__event__descriptor,
    &pb_executor__call__descriptor,      &pb_executor__event__descriptor,
    &pb_master__call__descriptor,        &pb_master__response__descriptor,
    &pb_master__event__descriptor,       &pb_agent__call__descriptor,
    &pb_agent__response__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const ProtobufCMessage *msg, struct arena *arena)
{
    struct buffer json = BUFFER_INIT, again = BUFFER_INIT, bytes = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &json);
    json_protobuf_write(&w, msg);
    ProtobufCMessage *read = json_protobuf_parse(msg->descriptor, buffer_data(&json),
                                                 buffer_length(&json), arena, NULL, NULL);
    CHECK(read);
    json_writer_init(&w, &again);
    json_protobuf_write(&w, read);
    CHECK(buffer_length(&json) == buffer_length(&again));

    proto_pack(msg, &bytes);
    CHECK(proto_parse(msg->descriptor, buffer_data(&bytes), buffer_length(&bytes), arena, NULL,
                      NULL));
    buffer_release(&json);
    buffer_release(&again);
    buffer_release(&bytes);
}

static void check_records(const char *data, size_t size)
{
    struct recordio_reader r;
    const char *record;
    size_t length, sum = 0;

    recordio_reader_init(&r, 1000);
    for (size_t at = 0, piece = 1; at < size; at += piece, piece = size - at < 7 ? size - at : 7) {
        recordio_feed(&r, data + at, piece);
        while (recordio_next(&r, &record, &length, NULL) == 1)
            sum += length;
    }
    CHECK(sum <= size);
    recordio_reader_release(&r);
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
    check_records(text, size - 1);
    arena_release(&arena);
    return 0;
}
