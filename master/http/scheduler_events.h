/* scheduler_events.h - what an HTTP scheduler hears: events of mesos.v1.scheduler
 *
 * The master tells frameworks of everything by the classic messages.  For the
 * stream of an HTTP scheduler they become events here.  Pure functions.
 */
#ifndef SCHEDULER_EVENTS_H
#define SCHEDULER_EVENTS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct buffer;

enum scheduler_format { SCHEDULER_JSON, SCHEDULER_PROTOBUF };

/* How often a stream has a HEARTBEAT; a subscription says so. */
#define SCHEDULER_HEARTBEAT SECONDS(15)

/* The message's event, one record, behind what the buffer holds; false: there is none. */
bool scheduler_events_format(const ProtobufCMessage *msg, enum scheduler_format format,
                             struct buffer *out);
void scheduler_events_heartbeat(enum scheduler_format format, struct buffer *out);

#endif
