/* core.h - the insides of a runtime: slots, workers, timers
 *
 * For slot.c, worker.c, process*.c, timers.c and runtime*.c only; the rest of
 * lib/process uses runtime_private.h.
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
#include <uthash.h>

#include "base/context.h"
#include "base/list.h"
#include "process/host.h"
#include "process/runtime_private.h"

struct timers;

/* ---- slots ---- */

struct local_link; /* process_link.c */

struct slot {
    struct runtime *runtime;
    uint32_t index;
    _Atomic uint32_t generation; /* of the process here, or of the next; changed in the turn */
    _Atomic uint32_t terminate;  /* this generation ends ahead of its queue */
    _Atomic unsigned home;       /* the worker that ran it last */

    _Atomic size_t pending; /* events pushed and not yet run */
    _Atomic(struct event *) tail;
    struct event *head; /* (turn) */
    struct event stub;

    struct process *process;             /* (turn) NULL: nobody */
    struct local_link *linkers, *linked; /* (turn) who watches us, whom we watch; local ones */
    bool linked_remote;                  /* (turn) */
    bool finalizing;                     /* (turn) */

    struct pid pid; /* (names) owns the id; the process' pid borrows it */
    union {
        struct text *text;      /* (turn) the pid's, when there is a process */
        struct slot *next_free; /* (names) of a slot that nobody has */
    };
    UT_hash_handle hh; /* (names) by pid.id, in the order of spawning */
};

/* Slots never move: chunk i holds SLOT_FIRST_CHUNK << i of them. */
enum { SLOT_FIRST_CHUNK = 64, SLOT_CHUNKS = 25 };

struct slot *slot_get(struct runtime *rt, uint32_t index); /* the index exists */
struct slot *slot_take_free(struct runtime *rt);           /* with the names lock held */
void slot_put_free(struct slot *s);                        /* likewise */
void slot_release_all(struct runtime *rt);                 /* all mailboxes are empty */
/* Runs up to max events in the slot's turn, then gives the turn on. */
unsigned slot_run(struct slot *s, struct worker *w, unsigned max);

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
    struct process *process;  /* own thread; NULL between events */
    const struct pid *sender; /* own thread; of the message that runs */
    struct message *message;
    struct list hooks;       /* own thread; struct turn_hook */
    struct instant deadline; /* own thread; what the loop was told */

    pthread_mutex_t lock; /* guards the queue, the posts, and waking */
    struct slot **queue;  /* a ring of runnable slots */
    size_t head, capacity;
    _Atomic size_t length; /* written under the lock */
    struct list posts;
    _Atomic bool has_posts;
    bool stopped;      /* under the lock: do not wake any more */
    _Atomic bool idle; /* its last turn found nothing */

    /* Deeds begun (slots made runnable, posts) and ended; equal sums: all is still. */
    _Atomic uint64_t begun, ended;
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
bool worker_all_still(struct runtime *rt);
/* Nobody else writes this count, so it needs no locked instruction. */
static inline void worker_count_event(struct worker *w)
{
    uint64_t n = atomic_load_explicit(&w->events, memory_order_relaxed);

    atomic_store_explicit(&w->events, n + 1, memory_order_relaxed);
}
/* The worker whose thread this is, of whatever runtime, during its turns; else NULL. */
struct worker *worker_of_thread(void);

/* ---- processes ---- */

void process_deliver(struct worker *w, struct slot *s, struct event *e); /* in the slot's turn */
void process_end(struct worker *w, struct slot *s);                      /* likewise */
struct event *process_open_bytes(struct worker *w, struct process *p, struct event *e);
extern const struct event_type process_bytes_event;
void process_counters_release(struct runtime *rt);
void process_links_end(struct slot *s, const struct pid *pid);
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
void timers_resume(struct timers *t);

/* ---- the runtime ---- */

struct id_counter;
struct resolution;

struct runtime {
    struct host *host;
    struct runtime_options options;
    struct address address;
    struct log *own_log;

    pthread_mutex_t names_lock;
    struct slot *names;          /* uthash */
    struct id_counter *counters; /* uthash */
    struct slot *free_slots;
    uint32_t slots_used;
    _Atomic(struct slot *) chunks[SLOT_CHUNKS];
    struct pid delegate;
    struct list resolutions; /* names being resolved */

    struct worker *workers;
    unsigned n_workers;
    _Atomic unsigned next_worker;
    _Atomic bool stopping;    /* workers take no turns any more */
    _Atomic unsigned waiting; /* threads in host_wait for something of ours */

    struct timers *timers;
    struct network *network;
    struct http_server *http_server;
    struct metrics *metrics;
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
