/* process.h - actors: state that only its own process touches
 *
 * A process is a mailbox and some state.  The runtime takes one event at a
 * time out of the mailbox and runs it to its end; no two events of a process
 * ever run at once, so handlers need no locks.  In return they never block and
 * never touch the state of another process: they send to it or dispatch.
 * Events of one sender to one receiver arrive in the order they were sent.
 *
 * Life: spawn, initialize (first event), ..., finalize (last event).  After
 * finalize nothing of the library touches the process any more: a managed
 * process frees itself there, others are freed after process_wait.
 *
 * Most is said in tables and by the macros of typed.h, which give handlers and
 * steps their types; this header is what those are built on.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <protobuf-c/protobuf-c.h>

#include "base/instant.h"
#include "base/list.h"
#include "process/pid.h"
#include "process/runtime.h"

struct delegation;
struct error;
struct future;
struct http_request;
struct message;
struct process;
struct runtime;
struct slot;

struct process_class {
    const char *name; /* "master" in master@10.0.0.1:5050 */
    void (*initialize)(struct process *self);
    void (*exited)(struct process *self, const struct pid *peer); /* a link broke; NULL: ignored */
    void (*finalize)(struct process *self);
};

/* Embedded, as the member `process`, in the state of every actor. */
struct process {
    struct pid pid;                          /* constant from spawn to the end of finalize */
    struct runtime *runtime;
    const struct process_class *class;
    struct slot *slot;                       /* all below is the library's */
    const struct process_handler *const *handlers;
    const struct process_route *const *routes;
    struct delegation *delegations;
    struct list pending;                     /* callbacks of futures that have not come yet */
};

/* ---- any thread ---- */

/* id NULL: the class's name with a number, "slave(1)"; else used as it is, and
 * EEXIST when it is taken.  The embedded struct needs no initialization.
 * ret_pid (may be NULL) gets a copy, the caller's, for those outside: p->pid is
 * the process's own and borrows its id, which ends with it. */
int process_spawn(struct runtime *rt, struct process *p, const struct process_class *class,
                  const char *id, struct pid *ret_pid, struct error *err) MUST_USE;

enum terminate { TERMINATE_NOW, TERMINATE_AFTER_QUEUED };      /* NOW: ahead of what is queued */
void process_terminate(const struct pid *pid, enum terminate when);
/* Until it is gone; false at the time-out.  Not on an actor's thread. */
bool process_wait(const struct pid *pid, struct duration timeout);

/* Runs fn(process, args) in the process's context; args are copied.  release
 * (may be NULL) ends what args own: it runs exactly once, after fn, or when the
 * event is dropped because the process is gone. */
typedef void (*process_call_f)(struct process *self, void *args);
typedef void (*process_release_f)(void *args);
void process_dispatch(const struct pid *to, process_call_f fn, const void *args, size_t size,
                      process_release_f release);

/* The same with a result: the future follows what fn returns; FAILED with
 * ESRCH when the process is gone. */
typedef struct future *(*process_ask_f)(struct process *self, void *args);
struct future *process_call(const struct pid *to, process_ask_f fn, const void *args, size_t size,
                            process_release_f release);

/* A dispatch after d.  Timers due at the same instant fire in the order of
 * their creation.  The handle is a value; cancelling one that has fired does
 * nothing.  True when it was cancelled: then it does not run any more. */
struct timer { struct runtime *runtime; uint64_t id; };
struct timer process_delay(const struct pid *to, struct duration d, process_call_f fn,
                           const void *args, size_t size, process_release_f release);
bool process_cancel(struct timer *t);                          /* t is zeroed; zero is fine */

/* work(args) off the actors' threads, where it may block; then the future is
 * READY with nothing (future_nothing), or DISCARDED when the runtime's end has
 * left it out.  args are the caller's and must live until then: a `last` of a
 * process that ends meanwhile comes too early to free them, one of
 * runtime_executor comes when the work is over. */
struct future *process_async(struct runtime *rt, void (*work)(void *args), void *args);

/* A message in the name of `from`, which may be empty or NULL: for code that is
 * no actor.  An actor sends by process_send. */
void process_post(struct runtime *rt, const struct pid *from, const struct pid *to,
                  const ProtobufCMessage *msg);

/* ---- from its own events only (CHECKed) ---- */

typedef void (*process_receive_f)(struct process *self, const struct pid *from,
                                  const ProtobufCMessage *msg);
struct process_handler { const ProtobufCMessageDescriptor *type; process_receive_f receive; };

typedef void (*process_serve_f)(struct process *self, struct http_request *request);
struct process_route {
    /* "/state", served at /<id>/state; "/files/read"; "" is /<id> itself; "/tasks/{id}/state"
     * has a variable: any one segment that is not empty (http_request_variable). */
    const char *path;
    process_serve_f serve;       /* http.h says how to answer */
    const char *help;            /* the text of /help: first line is the summary */
    const char *realm;           /* who asks must be known there (http_access.h); NULL: anybody */
};

/* Tables end with a zero row, live as long as the process, and add to the ones
 * before; of handlers of one type, the one that was installed last gets the
 * message.  What has no handler is dropped and counted, and logged once. */
void process_install(struct process *self, const struct process_handler table[]);
void process_route(struct process *self, const struct process_route table[]);
/* Messages of this name ("example.Hello") for which there is no handler go on to
 * `to` as they came, in the name of their sender.  The last call for a name counts. */
void process_delegate(struct process *self, const char *name, const struct pid *to);

/* The message stays the caller's (it may live on the stack and point at strings
 * that it does not own); it is packed or copied before this returns. */
void process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg);
/* Takes m: a local receiver gets that same message, a remote one its bytes. */
void process_give(struct process *self, const struct pid *to, struct message *m);
void process_reply(struct process *self,
                   const ProtobufCMessage *msg); /* to the sender of this event */

enum link_mode { LINK_REUSE, LINK_RECONNECT }; /* RECONNECT: a new connection even if one stands */
void process_link(struct process *self, const struct pid *peer, enum link_mode mode);

/* Of the event that runs now. */
struct process *process_current(void);                         /* NULL outside of actors */
const struct pid *process_sender(struct process *self);        /* empty unless a message */
struct message *process_message(struct process *self);         /* NULL unless a message; borrowed */

/* How many events of a kind wait in its mailbox now : walks it.
 * For metrics. */
size_t process_count_events(struct process *self, enum event_kind kind);

#endif
