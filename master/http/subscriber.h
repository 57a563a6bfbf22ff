/* subscriber.h - the stream of an HTTP scheduler
 *
 * It is made of the SUBSCRIBE that it answers, and ends by subscriber_close, or when
 * its client goes: then frameworks_left is called, once.  What is sent afterwards is
 * thrown away.  Counted; used from the master's events only.
 */
#ifndef SUBSCRIBER_H
#define SUBSCRIBER_H

#include <protobuf-c/protobuf-c.h>

#include "master/http/scheduler_events.h"

struct http_request;
struct master;
struct subscriber;

/* Answers the request: 200 with a Mesos-Stream-Id of its own. */
struct subscriber *subscriber_create(struct master *m, struct http_request *r,
                                     enum scheduler_format format);
struct subscriber *subscriber_ref(struct subscriber *s);
void subscriber_unref(struct subscriber *s); /* NULL is fine */

const char *subscriber_id(const struct subscriber *s); /* its Mesos-Stream-Id */
/* A classic message as its event, in one chunk.  A subscription begins the heartbeats. */
void subscriber_send(struct subscriber *s, const ProtobufCMessage *msg);
void subscriber_close(struct subscriber *s);

#endif
