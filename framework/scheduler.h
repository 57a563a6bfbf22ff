/* scheduler.h - what a framework is written with
 *
 * A ProtobufProcess that finds the master, subscribes, subscribes again when
 * the connection or the master is lost, and turns the classic messages into
 * callbacks.  Calls are functions; they are sent as mesos.scheduler.Call.  All
 * callbacks run in the context of the scheduler's process (scheduler_process).
 *
 * Calls while disconnected: offers are gone then, so accept answers each task
 * with TASK_DROPPED (TASK_LOST without PARTITION_AWARE), reason
 * REASON_MASTER_DISCONNECTED, as Mesos' driver does; kill, acknowledge and the
 * like are dropped, and the framework says them again after `registered`.
 */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include "proto/mesos.pb-c.h"

#include "base/instant.h"
#include "process/pid.h"

struct error;
struct process;
struct runtime;
struct scheduler;

struct scheduler_callbacks {
    /* failover: we were subscribed before (with this id), by this object or an earlier one. */
    void (*registered)(void *arg, struct scheduler *s, const Pb__FrameworkID *id,
                       const Pb__MasterInfo *master, bool failover);
    void (*disconnected)(void *arg, struct scheduler *s, const char *why);
    void (*offers)(void *arg, struct scheduler *s, size_t n, Pb__Offer *const *offers);
    void (*rescinded)(void *arg, struct scheduler *s, const Pb__OfferID *offer);
    void (*status)(void *arg, struct scheduler *s, const Pb__TaskStatus *status);
    void (*message)(void *arg, struct scheduler *s, const Pb__AgentID *agent,
                    const Pb__ExecutorID *executor, const void *data, size_t size);
    void (*agent_lost)(void *arg, struct scheduler *s, const Pb__AgentID *agent);
    void (*executor_lost)(void *arg, struct scheduler *s, const Pb__AgentID *agent,
                          const Pb__ExecutorID *executor, int status);
    void (*error)(void *arg, struct scheduler *s,
                  const char *why); /* the framework is out; it must stop */
    /* Not subscribed, and this try came to nothing either; it goes on. */
    void (*no_master)(void *arg, struct scheduler *s, const char *why);
    void (*removed)(void *arg, struct scheduler *s); /* the master has heard of our teardown */
};                                                                       /* each may be NULL */

struct scheduler_options {
    const char *master; /* "host:port" or "ip:port"; resolved and tried again until it answers */
    const Pb__FrameworkInfo *info;       /* copied; with an id it is a failover */
    bool explicit_acknowledgements;      /* else each status is acknowledged after its callback */
    bool starts_later;           /* subscribes only after scheduler_start */
    struct duration backoff_max; /* of the first subscription retry; default 2 s (FACTS 2.6) */
};

struct scheduler *scheduler_create(struct runtime *rt, const struct scheduler_options *options,
                                   const struct scheduler_callbacks *callbacks, void *arg,
                                   struct error *err);
/* Terminates and waits, without a word to the master (who keeps the tasks for
 * failover_timeout); outside of actors. */
void scheduler_destroy(struct scheduler *s);

/* From its own events; for who must know the scheduler before a callback comes. */
void scheduler_start(struct scheduler *s);

struct process *scheduler_process(struct scheduler *s);
const struct pid *scheduler_pid(const struct scheduler *s);

/* ---- calls, from its own events; arguments stay the caller's ---- */

void scheduler_accept(struct scheduler *s, size_t n_offers, Pb__OfferID *const *offers,
                      size_t n_operations, Pb__Offer__Operation *const *operations,
                      double refuse_seconds);
void scheduler_decline(struct scheduler *s, size_t n_offers, Pb__OfferID *const *offers,
                       double refuse_seconds);
void scheduler_revive(struct scheduler *s);
void scheduler_suppress(struct scheduler *s);
void scheduler_kill(struct scheduler *s, const Pb__TaskID *task,
                    const Pb__AgentID *agent); /* agent may be NULL */
void scheduler_acknowledge(struct scheduler *s,
                           const Pb__TaskStatus *status); /* of one that has a uuid */
struct scheduler_task {
    const char *task_id, *agent_id;
}; /* agent_id may be NULL */
void scheduler_reconcile(struct scheduler *s, size_t n,
                         const struct scheduler_task tasks[]); /* n 0: implicit */
void scheduler_send(struct scheduler *s, const Pb__AgentID *agent, const Pb__ExecutorID *executor,
                    const void *data, size_t size);
/* Ends the framework and its tasks: says so until the master has heard it, also
 * over lost connections; then `removed`.  No other callbacks come meanwhile. */
void scheduler_teardown(struct scheduler *s);

#endif
