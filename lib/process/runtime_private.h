/* runtime_private.h - what the files of lib/process know of each other
 *
 * A slot is a process' place in the runtime: its mailbox and its turn.  Slots
 * are never freed, only used again with the next generation, so anybody may
 * push an event to any slot at any time without a lock; an event whose
 * generation is not the slot's is dropped by the worker that takes it out.
 *
 * A worker is a loop of the host with a queue of runnable slots.  A slot is on
 * at most one worker's queue, and off all of them while it runs.
 */
#ifndef RUNTIME_PRIVATE_H
#define RUNTIME_PRIVATE_H

#include <stdatomic.h>

#include "process/process.h"
#include "process/runtime.h"

struct buffer;
struct event;
struct network;
struct http_request;
struct http_access;
struct http_server;
struct metrics;
struct tls;
struct worker;

/* ---- events ---- */

struct event_type {
    enum event_kind kind;
    void (*run)(struct process *self, struct event *e); /* consumes e */
    void (*drop)(struct runtime *rt,
                 struct event *e); /* the process is gone: settles what must be, consumes e */
    void (*describe)(const struct event *e, struct event_info *info);
};

struct event_link {
    _Atomic(struct event_link *) next;
};

/* First member of every event. */
struct event {
    union {
        struct event_link link; /* in a mailbox */
        uint32_t created;       /* of a timer's, while it waits */
    };
    const struct event_type *type;
    uint32_t generation;
    uint32_t slot; /* of a timer's, while it waits */
};

/* Memory of a few hundred bytes for what comes and goes (spares.c), from any thread.
 * What is taken holds anything; it is put back with the size it was taken with.  rt
 * NULL: from a thread that is no worker it is malloc's. */
void *spares_take(struct runtime *rt, size_t size);
void spares_put(void *spare, size_t size);

/* Events that nobody has yet; all zeros: none. */
struct event_batch {
    struct event_link *first, *last;
    uint32_t n;
};

/* Takes e.  Any thread. */
void slot_push(struct runtime *rt, uint32_t slot, uint32_t generation, struct event *e);

/* ---- workers ---- */

/* The worker of this thread, or NULL; and any one, in turn, for what comes from outside. */
struct worker *worker_current(struct runtime *rt);
struct worker *worker_next(struct runtime *rt);
struct loop *worker_loop(struct worker *w);
unsigned worker_count(const struct runtime *rt);
struct worker *worker_get(struct runtime *rt, unsigned i);
unsigned worker_index(const struct worker *w);

/* Runs fn(arg) on the worker's thread, soon.  Any thread.  Runs also when the
 * runtime is being destroyed. */
void worker_post(struct worker *w, void (*fn)(void *arg), void *arg);

/* Runs fn(hook) once at the end of this turn: connections write what the turn
 * gave them, in one go.  The worker's own thread; a hook that is queued already
 * stays queued once. */
struct turn_hook {
    struct list link;
    void (*fn)(struct turn_hook *hook);
};
void worker_at_turn_end(struct worker *w, struct turn_hook *hook);

/* ---- parts of a runtime, each in its own file ---- */

struct network *runtime_network(struct runtime *rt); /* network.c: outgoing connections, links */
struct http_server *
runtime_http_server(struct runtime *rt); /* http_server.c: accepted connections */
struct metrics *runtime_metrics(struct runtime *rt);
struct tls *runtime_tls(struct runtime *rt); /* tls.c; NULL: everything is plain */
struct http_access *runtime_http_access(struct runtime *rt); /* http_access.h */
const struct runtime_options *
runtime_get_options(const struct runtime *rt); /* defaults filled in */
bool runtime_get_delegate(struct runtime *rt, struct pid *ret_pid);

struct network *network_create(struct runtime *rt);
void network_destroy(struct network *n); /* after the workers' loops have stopped */
/* Packs the message before it returns; dropped when the connection cannot be made. */
void network_send(struct network *n, const struct pid *from, const struct pid *to,
                  const ProtobufCMessage *msg);
/* The same for a body that is in bytes already, of protobuf or JSON. */
void network_send_bytes(struct network *n, const struct pid *from, const struct pid *to,
                        const char *name, const void *body, size_t size, bool json);
/* One EXITED event to `linker` when the persistent connection to peer's address
 * ends or cannot be made. */
void network_link(struct network *n, const struct pid *linker, const struct pid *peer,
                  enum link_mode mode);
void network_unlink_all(struct network *n, const struct pid *linker); /* the linker is gone */

/* Binds; later accepts until destroyed. */
struct http_server *http_server_create(struct runtime *rt, struct address bind,
                                       struct address *ret_bound, struct error *err);
void http_server_destroy(struct http_server *s);

struct metrics *metrics_create(struct runtime *rt);
void metrics_destroy(struct metrics *m);
int metrics_spawn(struct runtime *rt, struct error *err); /* serves them */

/* ---- into processes, from the wire ---- */

/* A message in bytes for the process with this id: false when there is none
 * (the wire then answers 404).  Parsed in the receiver's context, by the type
 * that it installed under the name. */
bool process_deliver_bytes(struct runtime *rt, const char *id, const struct pid *from,
                           const char *name, const void *body, size_t size);
/* For one that runtime_find has found before, and that is not gone: many of them, which
 * are delivered together. */
bool process_is_there(const struct pid *pid);
void process_gather_bytes(struct event_batch *batch, const struct pid *to, const struct pid *from,
                          const char *name, const void *body, size_t size);
void process_deliver_gathered(struct event_batch *batch, const struct pid *to);
/* One in JSON, the body of a request: takes r's reference of the hands, and answers it. */
void process_deliver_json(const struct pid *to, const struct pid *from, const char *name,
                          struct http_request *r);
void process_deliver_exited(const struct pid *linker, const struct pid *peer);
/* How many events wait for the process; for backpressure. */
size_t process_backlog(struct runtime *rt, uint32_t slot);

/* The processes in the order they were spawned; pids are borrowed. */
void runtime_each_process(struct runtime *rt,
                          void (*see)(void *arg, const struct pid *pid, size_t events), void *arg);

/* The built-in processes (builtins.c): help, version, logging, metrics, ... */
int builtins_spawn(struct runtime *rt, struct error *err);

#endif
