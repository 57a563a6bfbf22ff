/* scheduler_events.h - what an HTTP scheduler hears: events of mesos.v1.scheduler
 *
 * The master tells frameworks of everything by the classic messages.  For the
 * stream of an HTTP scheduler they become events here.
 */
#ifndef SCHEDULER_EVENTS_H
#define SCHEDULER_EVENTS_H

#include <protobuf-c/protobuf-c.h>

struct event_stream;

/* How often a stream has a HEARTBEAT; a subscription says so. */
#define SCHEDULER_HEARTBEAT SECONDS(15)

/* A classic message as its event.  A subscription begins the heartbeats. */
void scheduler_events_send(struct event_stream *s, const ProtobufCMessage *msg);

#endif
