/* mesos_json.h - Mesos's messages as JSON, as Mesos writes them
 *
 * process/json_protobuf.h with Mesos's exceptions: a deprecated field with a default is left out
 * unless it is set, and the lists of the operator APIs' answers are written also when they are
 * empty.  The way back needs no exceptions: process/json_protobuf_parse.h.
 */
#ifndef MESOS_JSON_H
#define MESOS_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "proto/mesos.pb-c.h"

struct json_writer;

void mesos_json_write(struct json_writer *w, const ProtobufCMessage *msg);
/* The "container_status" of a status in the state endpoints, which do not tell the executor's
 * process id; nothing when there is none. */
void mesos_json_put_container_status(struct json_writer *w, const Pb__TaskStatus *status);
/* One field of msg as key and value; nothing when it is to be left out. */
void mesos_json_put(struct json_writer *w, const ProtobufCMessage *msg, const char *field);

#endif
