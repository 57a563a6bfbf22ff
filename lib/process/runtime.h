/* runtime.h - a node: its processes, workers, clock, connections and log
 *
 * There are no globals: a program has one runtime, a test as many as it wants.
 * A runtime listens on one port for messages and HTTP, owns the table of its
 * processes, and runs them on as many workers as the host has loops for.
 *
 * Wire and rules are libprocess's (FACTS 1.4 to 1.7).  Built-in processes:
 * help, metrics, version, logging, __processes__ routes, and the executor, in
 * whose context callbacks of code outside actors run.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stddef.h>

#include "base/instant.h"
#include "process/pid.h"

struct error;
struct future;
struct host;
struct log;
struct loop;
struct message;
struct process;
struct proto_limits;
struct runtime;
struct tls_options;

/* Zero means the default of each. */
struct runtime_options {
    struct address bind;              /* ip 0: 127.0.0.1; port 0: a free one */
    struct address advertise;         /* what goes into PIDs; zero parts: as bound */
    bool bind_any;                    /* bind 0.0.0.0 although bind.ip is 0 */
    unsigned workers;                 /* default: the host's CPUs */
    struct log *log;                  /* borrowed; default: glog lines to stderr */
    const char *version;              /* of /version; default PACKAGE_VERSION */
    const struct tls_options *tls;    /* tls.h; NULL: without.  Looked at in runtime_create only */
    /* A message whose sender's PID has another address than its connection gets 400. */
    bool require_peer_address_ip_match;

    /* Limits against strangers; each is also a metric or an HTTP answer. */
    size_t max_connections;           /* accepted ones; default 65536 */
    size_t max_head_bytes;            /* of a request line and headers; default 64 KiB; then 431 */
    size_t max_body_bytes;            /* of a message or request; default 64 MiB; then 413 */
    size_t max_output_bytes;   /* unsent, per connection, before it is closed; default 256 MiB */
    size_t max_mailbox_events; /* then HTTP gets 503 and connections are not read; default 100000 */
    /* For a request's head to arrive; then 408.  A body may take longer as long
     * as 16 KiB of it arrive in each; likewise a peer that is only to read its
     * last answers is closed when it reads less than that.  At worst noticed one
     * time-out late.  Default 60 s. */
    struct duration head_timeout;
    size_t max_headers;   /* of a request; default 256; then 431 */
    size_t max_fields;    /* of a query or form; default 10000; then 400, or no form */
    size_t max_pipelined; /* of a connection, unanswered, before it is not read; default 128 */
    /* Unanswered ones of all connections, long polls and open streams among them; each
     * worker may have its part.  Default 262144; then 503. */
    size_t max_requests;
    /* Messages within messages, and sub-messages, elements and unknown fields together, of one
     * that arrives, or of the body of a request that is one; defaults 100 and 1 Mi (proto.h);
     * then it is dropped, or gets 400. */
    size_t max_message_depth, max_message_elements;
    /* What /__processes__ tells: events of one process, bytes of a body or URL, bytes of all
     * events; defaults 100, 1024 and 8 MiB; the rest is only counted. */
    size_t max_listed_events, max_listed_body, max_listed_bytes;
    size_t max_metrics; /* names of counters, gauges and timers; default 100000; then not shown */
    /* How often /metrics/snapshot is answered, evenly spaced; who comes sooner waits.  Zero
     * permits, the default: as often as it is asked. */
    struct { unsigned permits; struct duration per; } metrics_rate;

    /* Called when all stands and before anybody outside is heard: who may ask for what
     * (http_access.h) is set here.  -1 with the reason: there is no runtime then. */
    int (*prepare)(struct runtime *rt, void *arg, struct error *err);
    void *prepare_arg;
};

/* Binds and starts the workers.  NULL with the reason. */
struct runtime *runtime_create(struct host *host, const struct runtime_options *options,
                               struct error *err);
/* Terminates every process, later spawned ones first, runs what must run once,
 * closes all connections.  Not on an actor's thread. */
void runtime_destroy(struct runtime *rt);

struct host *runtime_host(struct runtime *rt);
struct address runtime_address(const struct runtime *rt);       /* the advertised one */
struct log *runtime_log(struct runtime *rt);
/* Of a message by a stranger, for whoever parses one (proto.h, json_protobuf_parse.h). */
struct proto_limits runtime_message_limits(const struct runtime *rt);
const char *runtime_scheme(const struct runtime *rt); /* of the URLs of its PIDs: "http", "https" */

/* For the few that use the host's streams, children and signals themselves: a
 * loop (on an actor's thread its own), and a way onto a loop's thread, soon; any
 * thread.  What comes back by a host's callback hops to a process by dispatch. */
struct loop *runtime_loop(struct runtime *rt);
void runtime_on_loop(struct runtime *rt, struct loop *l, void (*fn)(void *arg), void *arg);

/* In whose context callbacks of code outside of actors run. */
struct process *runtime_executor(struct runtime *rt);

/* HTTP requests whose first path segment names no process go to this one. */
void runtime_set_delegate(struct runtime *rt, const char *id);

/* Like pid_parse, and finds the slot when the PID is of this runtime. */
int runtime_parse_pid(struct runtime *rt, const char *text, struct pid *ret_pid, struct error *err);
bool runtime_find(struct runtime *rt, const char *id, struct pid *ret_pid);

/* "id@host:port": a host name is resolved.  A future of RUNTIME_PID (struct pid). */
struct future *runtime_resolve_pid(struct runtime *rt, const char *text);
extern const struct future_type runtime_pid_type;

/* ---- time: the runtime's clock, which tests may pause ---- */

struct instant runtime_now(struct runtime *rt);                  /* monotonic; for deadlines */
struct instant runtime_wall(struct runtime *rt);
/* Paused, the clock stands until advanced; due timers fire in order.  Settle
 * waits until no process has an event, no timer is due and no helper is at work
 * (host_async).  For code outside of actors. */
void runtime_clock_pause(struct runtime *rt);
void runtime_clock_advance(struct runtime *rt, struct duration d);
/* Puts one process (spawn's pid) ahead of all others until the clock goes on: so much
 * later it is in its own events, and timers set there count from then.  What it tells
 * others of its runtime, by events of any kind, its end and the birth of its children
 * among them, makes them no earlier than itself. */
void runtime_clock_advance_of(const struct pid *pid, struct duration d);
void runtime_clock_resume(struct runtime *rt);
bool runtime_clock_settle(struct runtime *rt,
                          struct duration timeout); /* false at the (host's) time-out */

/* ---- seeing events: traces and test hooks ---- */

enum event_kind {
    EVENT_MESSAGE,
    EVENT_DISPATCH,
    EVENT_FUTURE,
    EVENT_HTTP,
    EVENT_EXITED,
    EVENT_TERMINATE
};
const char *event_kind_name(enum event_kind kind);               /* "MESSAGE", ... */

/* Valid during the call. */
struct event_info {
    struct runtime *runtime;
    enum event_kind kind;
    const struct pid *to;
    const struct pid *from;           /* of messages and exited, else empty */
    const char *name;                 /* of the message type or URL path, else "" */
    const struct message *message;    /* of messages that came in one piece, else NULL */
};

/* Called before each event is delivered; false drops it as if it had never been
 * sent (only messages that have a retry may be dropped so).  NULL removes it. */
typedef bool (*runtime_filter_f)(void *arg, const struct event_info *event);
void runtime_set_filter(struct runtime *rt, runtime_filter_f filter, void *arg);

/* Tells a process of this runtime that a link of it to `peer` has broken, which
 * need not be so: for tests of what it does then. */
void runtime_inject_exited(const struct pid *to, const struct pid *peer);

/* Figures since the start. */
struct runtime_counts {
    uint64_t events, messages_in, messages_out, http_requests, dropped_messages;
};
void runtime_counts(struct runtime *rt, struct runtime_counts *ret_counts);

#endif
