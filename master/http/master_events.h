/* master_events.h - the operator event stream: what whoever has subscribed is told
 *
 * SUBSCRIBE is answered by a stream that begins with the state (SUBSCRIBED) and a HEARTBEAT; then
 * follows each change, once, in its order, and a HEARTBEAT every 15 s.  An event is made, and
 * written once as JSON and once as protobuf, only when somebody wants it.  Who reads so slowly
 * that more than operator_event_stream_backlog bytes wait is disconnected.
 *
 * Those who change the books call these behind the change; a task that is about to be forgotten
 * still exists.
 */
#ifndef MASTER_EVENTS_H
#define MASTER_EVENTS_H

#include "master/master_private.h"

/* The call has no part. */
void master_events_subscribe(struct master *m, struct http_request *r,
                             const ProtobufCMessage *none);
void master_events_release(struct master *m);

void master_events_task_added(struct master *m, const struct task_record *t);
/* `state` is the latest that is known; what the status does not say of itself is filled in. */
void master_events_task_updated(struct master *m, const struct task_record *t,
                                const Pb__TaskStatus *status, Pb__TaskState state);
void master_events_agent_added(struct master *m, const struct agent_record *a);
void master_events_agent_removed(struct master *m, const struct agent_id *id);
void master_events_framework_added(struct master *m, const struct framework_record *f);
/* Also when it has disconnected, of which Mesos says nothing. */
void master_events_framework_updated(struct master *m, const struct framework_record *f);
void master_events_framework_removed(struct master *m, const struct framework_record *f);

#endif
