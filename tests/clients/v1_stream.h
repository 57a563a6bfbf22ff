/* v1_stream.h - the v1 scheduler API over plain sockets that block: calls, and a stream of events
 *
 * Of a client that shares nothing with the master but the messages' types: its HTTP is by hand.
 */
#ifndef V1_STREAM_H
#define V1_STREAM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "mesos/recordio.h"
#include "proto/scheduler.pb-c.h"

struct arena;

struct v1_stream {
    const char *host, *port;
    bool json;          /* else protobuf */
    int events, calls;  /* sockets; -1: none */
    char id[64];        /* Mesos-Stream-Id */
    struct buffer in;   /* of events: chunks not taken apart yet */
    struct recordio_reader records;
};

void v1_stream_init(struct v1_stream *s, const char *host, const char *port, bool json);
void v1_stream_close(struct v1_stream *s);
/* Sends a SUBSCRIBE and reads the answer's head; false: nobody is there, or it is no 200. */
bool v1_stream_subscribe(struct v1_stream *s, const PbSchedulerV1__Call *call);
/* Any other call: its status, 0 when the connection broke. */
int v1_stream_call(struct v1_stream *s, const PbSchedulerV1__Call *call);
/* The next event, in the arena; NULL: the stream has ended.  Ends the program when none comes. */
const PbSchedulerV1__Event *v1_stream_next(struct v1_stream *s, struct arena *arena);

/* Whether something of it comes within that time. */
bool v1_stream_has(struct v1_stream *s, int milliseconds);

/* Ends the program with a sentence. */
void v1_stream_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
