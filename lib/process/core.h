/* core.h - the insides of a runtime: slots, names, workers, timers
 *
 * For slot.c, names.c, spares.c, worker.c, process*.c, timers.c, future.c and
 * runtime*.c only; the rest of lib/process uses runtime_private.h.
 *
 * Who touches what: fields of a slot marked (turn) belong to the worker whose
 * turn the slot has; those marked (names) are guarded by the runtime's names
 * lock.  A slot's turn passes on through its mailbox's count and the workers'
 * queues: who raises the count from zero puts the slot on a queue, who lowers it
 * to zero gives the turn back.
 *
 * Order of locks: names, timers or a future first, a worker's queue last.
 */
#ifndef CORE_H
#define CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/context.h"
#include "base/list.h"
#include "process/host.h"
#include "process/runtime_private.h"

struct timers;

/* ---- slots ---- */

struct links; /* process_link.c */

/* What those write who push.  Away from the rest of the slot: a cache line that two
 * cores write goes back and forth between them, for each event. */
struct mailbox {
    _Atomic(struct event_link *) tail;
    _Atomic uint32_t pending; /* events pushed and not yet run */
    _Atomic uint16_t home;    /* the worker that ran it last */
    _Atomic uint8_t pusher;   /* the last one: a worker's index + 1, cut off, or 0 */
    _Atomic bool awaited;     /* by a thread in process_wait */
};

/* A million idle processes are normal: 72 bytes and the mailbox' 16, and nothing is
 * kept that can be made when somebody looks. */
struct slot {
    struct runtime *runtime;
    uint32_t index;
    _Atomic uint32_t generation; /* of the process here, or of the next; changed in the turn */
    _Atomic uint32_t terminate;  /* this generation ends ahead of its queue */
    uint32_t next; /* (names) with an id of like hash, or free; by number, as those below */

    struct event_link *head; /* (turn) the mailbox' other end */
    struct event_link stub;

    struct process *process; /* (turn) NULL: nobody */
    struct links *links;     /* (turn) NULL: none yet */

    struct text *id;         /* (names, turn) NULL: nobody has it; the process' pid borrows it */
    uint32_t older, younger; /* (names) in the order of spawning */
};

/* Slots never move: chunk i holds SLOT_FIRST_CHUNK << i of them. */
enum { SLOT_FIRST_CHUNK = 64, SLOT_CHUNKS = 25 };

struct slots {
    uint32_t used; /* (names) */
    _Atomic(struct slot *) chunks[SLOT_CHUNKS];
    _Atomic(struct mailbox *) mailboxes[SLOT_CHUNKS];
};

struct slot *slot_get(struct runtime *rt, uint32_t index); /* the index exists */
uint32_t slot_backlog(struct runtime *rt, uint32_t index); /* events that wait */
void slot_set_home(struct slot *s, const struct worker *w);
unsigned slot_home(struct slot *s);
void slot_await(struct slot *s);         /* a thread wants to know when the generation ends */
bool slot_stop_awaiting(struct slot *s); /* whether one did */
/* Numbers name slots in half the room of a pointer: index + 1; 0 is none, NULL. */
struct slot *slot_numbered(struct runtime *rt, uint32_t number);
static inline uint32_t slot_number(const struct slot *s)
{
    return s ? s->index + 1 : 0;
}
struct pid slot_pid(const struct slot *s); /* of the process that has it; borrows its id */
struct slot *slot_take_free(struct runtime *rt);           /* with the names lock held */
void slot_put_free(struct slot *s);                        /* likewise */
void slot_release_all(struct runtime *rt);                 /* all mailboxes are empty */
/* Runs up to max events in the slot's turn, then gives the turn on. */
unsigned slot_run(struct slot *s, struct worker *w, unsigned max);

/* All of them at once, in their order; each knows its generation. */
void slot_batch_add(struct event_batch *b, struct event *e);
void slot_push_batch(struct runtime *rt, uint32_t slot, struct event_batch *b);

/* In the slot's turn: what waits in its mailbox, in order, until see says false. */
void slot_each_event(struct slot *s, bool (*see)(void *arg, const struct event *e), void *arg);

/* ---- names: all with the names lock held ---- */

struct id_counter;

struct names {
    uint32_t *chains; /* of slots, by the hash of their ids; a power of 2 of them */
    uint32_t n_chains, n;
    uint32_t oldest, youngest;
    struct id_counter *counters; /* uthash */
    struct id_counter *recent;   /* the one that was used last */
};

void names_add(struct runtime *rt, struct slot *s, struct text *id); /* takes id; nobody has it */
struct text *names_remove(struct slot *s);                           /* the caller's */
struct slot *names_find(struct runtime *rt, const char *id, size_t length, uint32_t hash);
struct text *names_unique(struct runtime *rt, const char *prefix); /* "prefix(7)", the caller's */
void names_release(struct runtime *rt);

/* ---- spares: memory for small events, futures and requests ---- */

enum { SPARES_CLASSES = 5 }; /* of sizes: up to 56, 120, 248, 504 and 1016 bytes */

struct bundle;

/* Of one size; a worker's, own thread. */
struct spares {
    struct bundle *open, *other; /* NULL: none yet; the other is full or empty */
};

struct spares_depot {
    pthread_mutex_t lock; /* guards bundles; comes last */
    struct bundle *bundles[SPARES_CLASSES];
    _Atomic size_t n[SPARES_CLASSES];
    /* What threads that are no workers have open, one at a time. */
    struct {
        _Atomic bool is_taken;
        struct bundle *open[SPARES_CLASSES];
    } outside;
};

void spares_release(struct worker *w);
void spares_depot_init(struct spares_depot *d);
void spares_depot_release(struct spares_depot *d);

/* ---- workers ---- */

struct post {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};

struct worker {
    struct runtime *runtime;
    unsigned index;
    struct loop *loop;        /* NULL once it has stopped */
    struct context context;   /* own thread; what runs now */
    struct context callbacks; /* constant; of what the loop does outside of turns */
    struct context helpers;   /* constant; of what it has done on other threads */
    struct slot *slot;        /* own thread; whose event runs, NULL between events */
    bool finalizing;          /* own thread; it ends */
    const struct pid *sender; /* own thread; of the message that runs */
    struct message *message;
    struct list hooks;       /* own thread; struct turn_hook */
    struct instant deadline; /* own thread; what the loop was told */
    struct slot *next;       /* own thread; runnable, ahead of the backlog */
    bool is_at_heels;        /* own thread; of who fills the mailbox that it just emptied */
    struct spares spares[SPARES_CLASSES]; /* own thread */

    pthread_mutex_t lock; /* guards the backlog, the posts, and waking */
    struct slot **backlog; /* a ring of runnable slots, which others may steal */
    size_t head, capacity;
    _Atomic size_t length; /* written under the lock */
    struct list posts;
    _Atomic bool has_posts;
    bool stopped;              /* under the lock: do not wake any more */
    _Atomic bool idle;         /* its last turn found nothing */
    _Atomic uint32_t slot_ns;  /* how long a slot of its backlog keeps it, about */

    /* Deeds begun (slots made runnable, posts) and ended; equal sums: all is still.
     * begun and ended are written by the own thread only, sent under the lock. */
    _Atomic uint64_t begun, sent, ended;
    _Atomic uint64_t events, messages_in, messages_out, http_requests, dropped;
};

void worker_start_all(struct runtime *rt, unsigned n);
/* The loops end; what is queued stays. */
void worker_stop_all(struct runtime *rt);
/* After that: takes the workers' turns on this thread, once for each; true while
 * something is left. */
bool worker_run_stopped(struct runtime *rt);
void worker_free_all(struct runtime *rt);
void worker_enqueue(struct slot *s); /* made runnable by this thread */
void worker_requeue(struct worker *w, struct slot *s);
void worker_wake_timekeeper(struct runtime *rt);
/* ret_deeds: how many there were, ever. */
bool worker_all_still(struct runtime *rt, uint64_t *ret_deeds);
bool worker_has_helpers(struct runtime *rt); /* host_async is at work for one of them */
/* Raises a count that one writes at a time, which needs no locked instruction.
 * Release: who sees it sees what was counted before. */
static inline void worker_raise(_Atomic uint64_t *n)
{
    uint64_t before = atomic_load_explicit(n, memory_order_relaxed);

    atomic_store_explicit(n, before + 1, memory_order_release);
}
/* The worker whose thread this is, of whatever runtime; else NULL. */
static inline struct worker *worker_of_thread(void)
{
    const struct context *c = context_current();

    return c ? (struct worker *)c->worker : NULL;
}

/* ---- processes ---- */

void process_deliver(struct worker *w, struct slot *s, struct event *e); /* in the slot's turn */
void process_end(struct worker *w, struct slot *s);                      /* likewise */
struct event *process_open_bytes(struct worker *w, struct process *p, struct event *e);
extern const struct event_type process_bytes_event;
/* Of one that still waits: sender, name, and the body. */
const void *process_describe_bytes(const struct event *e, struct event_info *info,
                                   size_t *ret_size);
void process_delegations_release(struct process *p);
const struct pid *process_find_delegate(const struct process *p, const char *name); /* or NULL */
void process_note_unknown(struct process *p, const struct pid *from, const char *name);
void process_unknown_release(struct runtime *rt);
void process_links_end(struct slot *s, const struct pid *pid); /* it has some */
bool process_find_slot(struct runtime *rt, const struct pid *pid, uint32_t *ret_slot,
                       uint32_t *ret_generation);

/* ---- futures: future.c ---- */

/* The process ends: drops its steps, runs its lasts. */
void future_end_process(struct process *p);

/* ---- timers ---- */

struct timers *timers_create(struct runtime *rt);
void timers_destroy(struct timers *t);
void timers_drop_all(struct timers *t);
struct timer timers_add(struct runtime *rt, struct duration d, uint32_t slot, uint32_t generation,
                        struct event *e);
struct event *timers_cancel(struct timers *t, uint64_t id); /* the event, or NULL */
void timers_fire(struct timers *t);           /* pushes the events of all that are due */
struct instant timers_next(struct timers *t); /* when to fire again, in host time */
bool timers_has_due(struct timers *t);
struct instant timers_now(struct timers *t);
void timers_pause(struct timers *t);
void timers_advance(struct timers *t, struct duration d);
void timers_advance_of(struct timers *t, const struct pid *pid, struct duration d);
void timers_resume(struct timers *t);
/* While rt->are_ahead: what this thread's process, or `from`, tells the process there
 * makes that one no earlier than itself. */
void timers_order_here(struct runtime *rt, uint32_t slot, uint32_t generation);
void timers_order(struct runtime *rt, const struct pid *from, const struct pid *to);

/* ---- the runtime ---- */

struct resolution;
struct unknown_name;

struct runtime {
    struct host *host;
    struct runtime_options options;
    struct address address;
    struct log *own_log;

    pthread_mutex_t names_lock;
    struct names names;
    struct unknown_name *unknown; /* uthash: messages without a handler that were logged */
    struct slot *free_slots;
    struct slots slots;
    struct pid delegate;
    struct list resolutions; /* names being resolved */
    struct spares_depot spares;

    struct worker *workers;
    unsigned n_workers;
    _Atomic unsigned next_worker;
    _Atomic bool stopping;    /* workers take no turns any more */
    _Atomic unsigned waiting; /* threads in host_wait for something of ours */

    struct timers *timers;
    struct network *network;
    struct http_server *http_server;
    struct metrics *metrics;
    struct tls *tls;
    struct http_access *http_access;
    struct process_list *process_list;
    _Atomic bool is_listed; /* somebody wants to know what is in the mailboxes */
    _Atomic bool are_ahead; /* some processes of the clock, which stands (timers.c) */
    struct process executor;

    pthread_mutex_t filter_lock;
    _Atomic bool has_filter;
    runtime_filter_f filter;
    void *filter_arg;
};

/* Waits outside of actors until done(arg); whoever may make it true says runtime_changed. */
bool runtime_wait_for(struct runtime *rt, bool (*done)(void *arg), void *arg,
                      struct duration timeout);
void runtime_changed(struct runtime *rt);
void runtime_names_stop(struct runtime *rt); /* host names that are not resolved never will be */
void runtime_names_release(struct runtime *rt);

#endif
