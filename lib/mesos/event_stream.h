/* event_stream.h - the stream of a subscriber of a v1 API: events in RecordIO
 *
 * It is the answer to a SUBSCRIBE, and ends by event_stream_close, or when its client goes or does
 * not read (runtime.h, max_output_bytes): then `left` is called, once, as an event of the owner,
 * who is the only one to use the stream.  What is sent afterwards is thrown away.  Counted.
 */
#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"

struct buffer;
struct event_stream;
struct http_request;
struct process;

enum event_stream_format { EVENT_STREAM_JSON, EVENT_STREAM_PROTOBUF };

/* What the client's Accept allows, JSON before protobuf; false: neither, it has been told (406). */
bool event_stream_negotiate(struct http_request *r, enum event_stream_format *ret_format);

typedef void (*event_stream_left_f)(struct process *owner, struct event_stream *s);

/* Answers the request: 200.  `named`: with a Mesos-Stream-Id of its own. */
struct event_stream *event_stream_create(struct process *owner, struct http_request *r,
                                         enum event_stream_format format, bool named,
                                         event_stream_left_f left);
struct event_stream *event_stream_ref(struct event_stream *s);
void event_stream_unref(struct event_stream *s); /* NULL is fine */

enum event_stream_format event_stream_get_format(const struct event_stream *s);
/* Its Mesos-Stream-Id; "" unless named. */
const char *event_stream_id(const struct event_stream *s);
bool event_stream_is_open(const struct event_stream *s);

/* An event, one record, in one chunk. */
void event_stream_send(struct event_stream *s, const ProtobufCMessage *event);
/* The same event to many: formatted once for each format, behind what `out` holds, then written. */
void event_stream_pack(const ProtobufCMessage *event, enum event_stream_format format,
                       struct buffer *out);
void event_stream_write(struct event_stream *s, const struct buffer *record);
/* The event after each interval, whatever else is sent. */
void event_stream_beat(struct event_stream *s, struct duration interval,
                       const ProtobufCMessage *event);
void event_stream_close(struct event_stream *s);
/* For one who does not read: bytes that wait for it, and its end without them. */
size_t event_stream_backlog(const struct event_stream *s);
void event_stream_drop(struct event_stream *s);

#endif
