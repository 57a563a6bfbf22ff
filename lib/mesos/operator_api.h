/* operator_api.h - POST /api/v1 of master and agent, by a table of calls
 *
 * Both roles have the same shape of API, in packages of their own: a Call has a type and a part
 * that is named like it, and so has the Response.  A read makes its part of the Response; an act
 * answers the request itself.  What both roles have (health, flags, version, metrics, the logging
 * level, files) is served here.  What is in no table gets 501 and a sentence.
 */
#ifndef OPERATOR_API_H
#define OPERATOR_API_H

#include "process/process.h"

struct arena;
struct files;
struct flag;

struct operator_row {
    const char *call; /* the type: "GET_AGENTS" */
    /* In the arena, or borrowed; NULL: the answer goes without it. */
    ProtobufCMessage *(*read)(struct process *self, struct arena *arena);
    /* Of rows without a read.  The part of the call may be NULL when it has none. */
    void (*act)(struct process *self, struct http_request *r, const ProtobufCMessage *part);
};

struct operator_api {
    const char *name; /* "master::Call" */
    const ProtobufCMessageDescriptor *call, *response;
    const struct operator_row *rows; /* the last has call NULL */
    const struct flag *flags;
    const char *version;
    const struct files *files;
    bool streams; /* some calls come, or are answered, as application/recordio */
};

/* `options` are what the flags fill. */
void operator_api_serve(const struct operator_api *api, struct process *self, const void *options,
                        struct http_request *r);

/* OPERATOR_ROWS(master, operator_rows, READS, ACTS);  behind the functions, with
 *     #define READS(READ) READ(GET_AGENTS, master_answers_agents)
 *     #define ACTS(ACT) ACT(TEARDOWN, teardown, PbMaster__Call__Teardown)
 * of
 *     T *master_answers_agents(const struct master *, struct arena *);  T a message
 *     void teardown(struct master *, struct http_request *, const PbMaster__Call__Teardown *); */
#define OPERATOR_ROWS(State, table, READS, ACTS)                                                   \
    typedef struct State operator_state_;                                                          \
    READS(OPERATOR_READ_THUNK_)                                                                    \
    ACTS(OPERATOR_ACT_THUNK_)                                                                      \
    static const struct operator_row table[] = {                                                   \
        READS(OPERATOR_READ_ROW_) ACTS(OPERATOR_ACT_ROW_){ NULL, NULL, NULL }                      \
    }
#define OPERATOR_READ_THUNK_(type, fn)                                                             \
    static ProtobufCMessage *fn##__read(struct process *p, struct arena *arena)                    \
    {                                                                                              \
        return (ProtobufCMessage *)fn(container_of(p, operator_state_, process), arena);           \
    }
#define OPERATOR_ACT_THUNK_(type, fn, Part)                                                        \
    static void fn##__act(struct process *p, struct http_request *r,                               \
                          const ProtobufCMessage *part)                                            \
    {                                                                                              \
        fn(container_of(p, operator_state_, process), r, (const Part *)part);                      \
    }
#define OPERATOR_READ_ROW_(type, fn) { #type, fn##__read, NULL },
#define OPERATOR_ACT_ROW_(type, fn, Part) { #type, NULL, fn##__act },

#endif
