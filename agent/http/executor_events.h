/* executor_events.h - what an HTTP executor hears: events of mesos.v1.executor
 *
 * The agent tells executors of everything by the classic messages.  For the stream of an HTTP
 * executor they become events here.
 */
#ifndef EXECUTOR_EVENTS_H
#define EXECUTOR_EVENTS_H

#include <protobuf-c/protobuf-c.h>

struct event_stream;

/* How often a stream has a HEARTBEAT; the first comes after that time. */
#define EXECUTOR_HEARTBEAT MINUTES(30)

/* A classic message as its event.  A registration begins the heartbeats, and says the container,
 * which no classic message does. */
void executor_events_send(struct event_stream *s, const ProtobufCMessage *msg,
                          const char *container);

#endif
