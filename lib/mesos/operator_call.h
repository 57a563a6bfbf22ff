/* operator_call.h - the door of the operator APIs, the master's and the agent's
 *
 * Order and sentences of the refusals are Mesos's (FACTS 3.10): 405, no Content-Type 400, a body
 * that does not parse 400, 415, a call that is not whole 400, 406.  Answers are JSON unless the
 * client accepts protobuf only.
 */
#ifndef OPERATOR_CALL_H
#define OPERATOR_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct error;
struct flag;
struct future;
struct http_request;
typedef struct Pb__Flag Pb__Flag;
typedef struct Pb__Metric Pb__Metric;

/* In an event of a process.  The call, in the arena; NULL when the request has been answered.
 * `name` is for the sentence: "master::Call".  `streams`: of calls that attach to a container,
 * application/recordio, too. */
ProtobufCMessage *operator_call_receive(struct http_request *r,
                                        const ProtobufCMessageDescriptor *type, const char *name,
                                        bool streams, struct arena *arena);
/* Whether it has its type, and the part that its type wants.  A part is named as the type. */
int operator_call_validate(const ProtobufCMessage *call, struct error *err);
/* The name of its type; NULL when it has none. */
const char *operator_call_type(const ProtobufCMessage *call);

void operator_call_answer(struct http_request *r, const ProtobufCMessage *response);
/* 200 without a body. */
void operator_call_done(struct http_request *r);
/* 501, with a sentence that names the call's type. */
void operator_call_refuse(struct http_request *r, const char *type);

/* Pieces of answers, in the arena. */
Pb__Flag **operator_call_flags(const struct flag *table, const void *options,
                               struct arena *arena, size_t *ret_n);
Pb__Metric **operator_call_metrics(const struct future *samples, struct arena *arena,
                                   size_t *ret_n);

#endif
