/* master_private.h - the master's state, for the files of this folder only
 *
 *   agent_record ---- offers, tasks, executors on it
 *   framework_record  offers, tasks, executors of it
 *
 * Tasks and offers belong to one agent and one framework and are in the maps
 * of both; they end through the functions below, which keep both sides, the
 * resources and the allocator right.  Resources of an agent:
 *
 *   total >= offered + used,   used = the tasks not terminal + their executors
 *
 * The sums (total, offered, used) say nothing of allocation roles; offers,
 * tasks and executors do.  Maps are uthash and iterate in the order of
 * insertion.  Messages kept as `struct message *` are immutable; what changes
 * has a field of its own.
 */
#ifndef MASTER_PRIVATE_H
#define MASTER_PRIVATE_H

#include <uthash.h>

#include "base/buffer.h"
#include "base/list.h"
#include "master/allocator/allocator.h"
#include "master/framework_metrics.h"
#include "master/master.h"
#include "master/master_metrics.h"
#include "master/registry/registrar.h"
#include "mesos/ids.h"
#include "mesos/resources.h"
#include "process/http.h"
#include "process/message.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"

struct election;
struct error;
struct json_rope_piece;
struct master_metrics;
struct event_stream;

struct master {
    struct process process;
    struct pid pid; /* for those outside of it */
    struct runtime *runtime;
    struct master_options options;
    struct text *id; /* a UUID of this start */
    struct text *hostname;
    struct arena arena; /* of info */
    Pb__MasterInfo *info;
    struct instant started; /* wall */

    struct election *election;
    struct message *leader; /* a Pb__MasterInfo; NULL: nobody leads */
    bool leads;             /* it is us */
    struct instant elected; /* wall; zero: not yet */
    bool recovered;         /* until then every message is dropped */
    char failure[400]; /* why it ended itself */
    uint64_t next_agent, next_framework, next_offer, next_incarnation;

    struct allocator *allocator;
    struct registrar *registrar;

    struct agent_record *agents;        /* registered, connected or not; by id */
    struct agent_record *agents_by_pid; /* the same ones, by the text of their PID */
    struct known_agent *known; /* recovered from the registry and not back, unreachable, gone */
    struct list admissions;    /* struct admission (agents.c): into the registry, under way */
    struct framework_record *frameworks; /* by id */
    struct offer *offers;                /* outstanding; by id */
    struct list completed_frameworks;    /* oldest first; options.max_completed_frameworks */
    size_t n_completed_frameworks;

    struct list subscribers; /* struct operator_subscriber (http/master_events.c) */
    size_t n_subscribers;
    struct master_metrics *metrics;
};

/* An agent that the registry knows and that is not registered now. */
struct known_agent {
    struct agent_id id;
    enum registry_agent_state state; /* ADMITTED: recovered, has not come back yet */
    struct message *info;            /* may be NULL */
    struct instant since;            /* wall */
    bool removing;                   /* a registry operation about it is under way */
    struct timer timer;              /* of recovered ones: agent_reregister_timeout */
    UT_hash_handle hh;
};

struct agent_record {
    struct agent_id id;
    uint64_t incarnation; /* of this record; the allocator's hand-outs say it, too */
    struct pid pid;
    struct text *pid_text;
    struct message *info; /* Pb__AgentInfo, id set */
    struct text *version;
    struct message *registration; /* Register- or ReregisterSlaveMessage, for its capabilities */
    bool has_resource_version;
    uint8_t resource_version[16];            /* a UUID; goes into its RunTaskMessages */
    struct instant registered, reregistered; /* wall; zero: not yet */
    bool connected;                          /* its link stands */
    bool active;                             /* offers are made of it */
    bool removing;                           /* a registry operation about it is under way */
    struct resources total, offered, used;
    struct list tasks, executors, offers; /* by their agent_link */
    struct pid observer;                  /* pings it (observer.c) */
    struct timer reregister_timer;        /* while disconnected */
    UT_hash_handle hh;
    UT_hash_handle pid_hh; /* in agents_by_pid */
};

struct framework_record {
    struct framework_id id;
    struct pid pid;                    /* of its driver; empty: it is (or was) there by HTTP */
    struct event_stream *subscriber;   /* its stream while it is connected by HTTP, else NULL */
    struct message *info;              /* Pb__FrameworkInfo, id set */
    struct text *role;                 /* the one it has (MULTI_ROLE: the first); "*" if none */
    bool connected, active, recovered; /* recovered: only agents spoke of it so far */
    bool partition_aware, checkpoint;
    struct instant registered, reregistered, unregistered; /* wall; zero: not yet */
    struct timer failover_timer;
    struct task_record *tasks;                      /* not removed yet; by task id */
    struct list executors, offers;                  /* by their framework_link */
    struct list completed_tasks, unreachable_tasks; /* task_record.link, oldest first */
    size_t n_completed_tasks, n_unreachable_tasks;
    struct resources used;
    struct framework_metrics metrics;
    UT_hash_handle hh;
    struct list link; /* in completed_frameworks */
};

struct task_record {
    struct task_id id;
    struct framework_record *framework;
    struct agent_record *agent; /* NULL for unreachable and completed ones */
    struct agent_id agent_id;
    struct executor_id executor_id; /* empty for command tasks */
    struct message *info; /* Pb__Task as launched or as the agent told it: what does not change */
    struct resources resources;
    bool charged;           /* its resources count in agent->used */
    Pb__TaskState state;    /* latest_state */
    bool has_status_update; /* an update was forwarded by this master */
    Pb__TaskState status_update_state;
    uint8_t status_update_uuid[16];
    struct list statuses; /* struct task_status: one for each state, data cleared */
    struct json_rope_piece *json; /* what /state says of it; NULL: not asked since it changed */
    bool acknowledged; /* completed: its framework has acknowledged its end */
    bool may_return;   /* completed: its agent was removed before that, and still has its end */
    struct message *kill; /* KillTaskMessage once asked for; sent again when its agent is back */
    struct instant unreachable_time; /* wall */
    struct list agent_link;
    struct list link;  /* in completed_tasks or unreachable_tasks */
    UT_hash_handle hh; /* in framework->tasks */
};

struct task_status {
    struct message *status; /* Pb__TaskStatus */
    struct list link;
};

struct executor_record {
    struct executor_id id;
    struct framework_record *framework;
    struct agent_record *agent;
    struct message *info; /* Pb__ExecutorInfo */
    struct resources resources;
    struct list agent_link, framework_link;
};

struct offer {
    struct offer_id id;
    struct framework_record *framework;
    struct agent_record *agent;
    struct text *role;
    struct resources resources;
    struct timer timer; /* offer_timeout */
    struct list agent_link, framework_link;
    UT_hash_handle hh; /* in master->offers */
};

/* ---- each part: its handlers, and what the others may ask of it ---- */

/* Not recovered yet: the message is dropped and counted. */
bool master_is_deaf(struct master *m); /* master.c */
struct instant master_wall(const struct master *m);
/* The registry failed: a master without it must not go on. */
void master_give_up(struct master *m, const char *what, const struct future *f);
/* A message of somebody who may not send it: said once here, and counted. */
void master_drop(struct master *m, const char *what, const struct pid *from, const char *why);
/* The sums know no allocation roles. */
void master_sum_add(struct resources *sum, const struct resources *r);
void master_sum_subtract(struct resources *sum,
                         const struct resources *r); /* CHECKs that it is there */

void agents_init(struct master *m); /* agents.c: come, are told apart, are updated */
struct agent_record *agents_find(struct master *m, struct agent_id id);
struct agent_record *agents_find_pid(struct master *m, const struct pid *pid);
struct agent_record *agents_find_text(struct master *m,
                                      const char *id); /* of a message; NULL text is fine */
/* Of messages that name their agent: only from its PID; else NULL, said and counted. */
struct agent_record *agents_find_sender(struct master *m, const char *id, const struct pid *from,
                                        const char *what);
struct known_agent *agents_find_known(struct master *m, struct agent_id id);
/* Whether the registry knows one that has not come back to this master yet. */
bool agents_is_any_away(const struct master *m);
void agents_exited(struct master *m, const struct pid *pid);
void agents_recover(struct master *m, const struct registry_snapshot *snapshot);
/* Whether the registry is being told of an agent at this PID, or of this id (which may be NULL). */
bool agents_is_being_admitted(struct master *m, const struct pid *pid, const char *id);
void agents_release(struct master *m); /* at the end, from finalize */

#define AGENT_MARKED_GONE "Agent has been marked gone"

void agent_departures_init(struct master *m); /* agent_departures.c: they go, in several ways */
/* Pings were not answered: into the registry, then it is removed. */
void agent_departures_mark_unreachable(struct master *m, struct agent_id id, const char *why);
/* By an operator, for ever: into the registry, then it is removed.  The future says whether it is
 * there; NULL: ENOENT, or EBUSY while another change of it is under way. */
struct future *agent_departures_mark_gone(struct master *m, const char *id, struct error *err);
/* Another agent has its place: it cannot be alive any more. */
void agent_departures_evict(struct master *m, struct agent_record *a);
/* One that registers, and may not be here: it is to shut down. */
void agent_departures_refuse(struct master *m, const struct pid *to, const char *why);

/* agent_return.c: tasks, executors and frameworks that a ReregisterSlaveMessage speaks of; then
 * the allocator knows of the agent, and it is told what it ought to know. */
void agent_return_tasks(struct master *m, struct agent_record *a,
                        const Pb__ReregisterSlaveMessage *msg, bool fresh);
void agent_return_confirm(struct master *m, struct agent_record *a,
                          const Pb__ReregisterSlaveMessage *msg);

/* agent_records.c: what an agent record is made of, and its end. */
struct agent_record *agent_records_add(struct master *m, const struct pid *pid,
                                       struct message *info, const struct resources *total);
void agent_records_set_pid(struct master *m, struct agent_record *a, const struct pid *pid);
/* Offers rescinded, tasks UNREACHABLE or (GONE by the state) ended, frameworks told, forgotten. */
void agent_records_remove(struct master *m, struct agent_record *a, Pb__TaskState state,
                          const char *why);
/* Its link broke: no offers; frameworks that do not checkpoint lose their tasks on it. */
void agent_records_disconnect(struct master *m, struct agent_record *a);
/* Its tasks that are UNREACHABLE end as GONE_BY_OPERATOR. */
void agent_records_end_unreachable(struct master *m, struct agent_id id, const char *why);
/* All frameworks hear that an agent is lost. */
void agent_records_tell_lost(struct master *m, struct agent_id id);
void agent_records_destroy(struct agent_record *a);
struct known_agent *agent_records_know(struct master *m, struct agent_id id,
                                       enum registry_agent_state state, struct message *info,
                                       struct instant since);
void agent_records_forget(struct master *m, struct known_agent *k); /* NULL is fine */
int agent_records_validate(const Pb__AgentInfo *info, const char *version,
                           struct resources *ret_total, struct error *err);

/* executor_records.c: executors that are not made for one command task. */
struct executor_record *executor_records_find(struct agent_record *a,
                                              const struct framework_record *f, const char *id);
struct executor_record *executor_records_add(struct master *m, struct framework_record *f,
                                             struct agent_record *a, const Pb__ExecutorInfo *info,
                                             const struct resources *resources);
void executor_records_remove(struct master *m, struct executor_record *e);
void executor_records_destroy(struct executor_record *e);

/* Where a framework is: the PID of its driver, or the stream of its HTTP scheduler. */
struct framework_peer {
    const struct pid *pid;
    struct event_stream *subscriber;
};

struct framework_record *
frameworks_find(struct master *m,
                struct framework_id id); /* frameworks.c: subscribe, fail over, go */
struct framework_record *frameworks_find_text(struct master *m, const char *id);
void frameworks_exited(struct master *m, const struct pid *pid);
/* The client of it has gone. */
void frameworks_left(struct master *m, const struct event_stream *s);
/* One that agents speak of before it has come back itself. */
struct framework_record *frameworks_recover(struct master *m, const Pb__FrameworkInfo *info);
bool frameworks_is_completed(struct master *m, struct framework_id id);
/* The message goes to the framework however it is connected. */
void frameworks_send(struct master *m, struct framework_record *f, const ProtobufCMessage *msg);
/* Of messages that name their framework: only from its current PID; else NULL, said and counted. */
struct framework_record *frameworks_find_sender(struct master *m, const Pb__FrameworkID *id,
                                                const struct pid *from, const char *what);
void frameworks_subscribe(struct master *m, const struct framework_peer *from,
                          const Pb__FrameworkInfo *info, bool force, size_t n_suppressed,
                          const char *const *suppressed);
/* A new FrameworkInfo of one that stays subscribed as it is. */
int frameworks_update(struct master *m, struct framework_record *f, const Pb__FrameworkInfo *info,
                      size_t n_suppressed, const char *const *suppressed, struct error *err);
void frameworks_deactivate(struct master *m, struct framework_record *f);
void frameworks_suppress(struct master *m, struct framework_record *f, size_t n,
                         const char *const *roles);
void frameworks_revive(struct master *m, struct framework_record *f, size_t n,
                       const char *const *roles);
void frameworks_release(struct master *m);

/* framework_records.c: what a framework record is made of, and its end.  The suppressed roles are
 * these and no others. */
struct framework_record *framework_records_add(struct master *m, const struct framework_id *id,
                                               const Pb__FrameworkInfo *info, size_t n_suppressed,
                                               const char *const *suppressed);
/* What may not change keeps its first value. */
void framework_records_set_info(struct framework_record *f, const Pb__FrameworkInfo *info);
void framework_records_note_suppressed(struct framework_record *f, size_t n,
                                       const char *const *roles);
void framework_records_tell_allocator(struct master *m, struct framework_record *f,
                                      size_t n_suppressed, const char *const *suppressed);
/* Its stream is nobody's any more; whoever wants it to end has closed it. */
void framework_records_let_go(struct framework_record *f);
/* Its tasks are killed, and it is one of the completed ones, from the books of which it may go. */
void framework_records_remove(struct master *m, struct framework_record *f, const char *why);
void framework_records_destroy(struct framework_record *f);

typedef struct PbScheduler__Call PbScheduler__Call;

void calls_init(struct master *m); /* calls.c: mesos.scheduler.Call and its forerunners */
void calls_subscribe(struct master *m, const struct framework_peer *from,
                     const PbScheduler__Call *call);
/* Any other call, of a framework that may make it. */
void calls_run(struct master *m, struct framework_record *f, const PbScheduler__Call *call);

struct offer *offers_find_text(struct master *m,
                               const char *id); /* offers.c: offer, decline, rescind */
void offers_make(struct process *self, const struct allocations *a); /* the allocator's callback */
/* Ends it and gives its resources back; told: the framework gets a rescind. */
void offers_remove(struct master *m, struct offer *o, bool told, struct duration refuse);
/* Ends it; its resources are the caller's now. */
struct resources offers_take(struct master *m, struct offer *o);
void offers_remove_of_agent(struct master *m, struct agent_record *a, bool told);
void offers_remove_of_framework(struct master *m, struct framework_record *f, bool told);
void offers_decline(struct master *m, struct framework_record *f, size_t n_offers,
                    Pb__OfferID *const *offers, const Pb__Filters *filters);
struct duration offers_refusal(const Pb__Filters *filters); /* 5 s unless said */
/* The role that they are allocated to; the framework's unless they say so. */
const char *offers_role_of(const struct framework_record *f, const struct resources *r);
/* The only door back to the allocator. */
void offers_give_back(struct master *m, const struct framework_record *f,
                      const struct agent_record *a, const struct resources *r,
                      struct duration refuse);
void offers_release(struct master *m);

void accept_offers(struct master *m, struct framework_record *f, size_t n_offers,
                   Pb__OfferID *const *offers, size_t n_operations,
                   Pb__Offer__Operation *const *operations,
                   const Pb__Filters *filters); /* accept.c */

void tasks_init(
    struct master *m); /* tasks.c: kill, updates, acknowledgements, executors' messages */
void tasks_kill(struct master *m, struct framework_record *f, const Pb__TaskID *id,
                const Pb__AgentID *agent, const Pb__KillPolicy *policy);
void tasks_acknowledge(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                       const Pb__TaskID *task, const ProtobufCBinaryData *uuid);
void tasks_shutdown_executor(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                             const Pb__ExecutorID *executor);
void tasks_message(struct master *m, struct framework_record *f, const Pb__AgentID *agent,
                   const Pb__ExecutorID *executor, const ProtobufCBinaryData *data);
/* A status made by the master: no uuid, must not be acknowledged.  agent may be
 * NULL.  Partition-aware states become TASK_LOST for frameworks that do not know them. */
void tasks_tell(struct master *m, struct framework_record *f, const char *id, const char *agent,
                Pb__TaskState state, Pb__TaskStatus__Reason reason, const char *message);
/* The same of a status of the caller's; source, time and the state as told are filled in. */
void tasks_tell_status(struct master *m, struct framework_record *f, Pb__TaskStatus *status);

/* task_records.c: what a task record is made of, and its end. */
struct task_record *task_records_find(struct framework_record *f,
                                      const char *id); /* NULL text is fine */
/* A new task on its agent: listed, and charged unless terminal.  Its resources fit (the caller has
 * checked) and the allocator knows. */
struct task_record *task_records_add(struct master *m, struct framework_record *f,
                                     struct agent_record *a, const Pb__Task *task,
                                     const struct resources *resources);
/* New state; terminal ones free their resources at once. */
void task_records_set_state(struct master *m, struct task_record *t, Pb__TaskState state);
void task_records_add_status(struct task_record *t, const Pb__TaskStatus *status);
/* Both of these; operators who have subscribed are told when it is news. */
void task_records_update(struct master *m, struct task_record *t, const Pb__TaskStatus *status,
                         Pb__TaskState state);
void task_records_remove(struct master *m, struct task_record *t); /* into completed_tasks */
void task_records_remove_unreachable(struct master *m,
                                     struct task_record *t); /* into unreachable_tasks */
/* From there into completed_tasks: its agent will not come back. */
void task_records_complete_unreachable(struct master *m, struct task_record *t);
/* The completed one; NULL: none. */
struct task_record *task_records_find_completed(const struct framework_record *f, const char *id,
                                                const char *agent);
/* It is back: no longer among those that went with their agent. */
void task_records_take_back(struct framework_record *f, const char *id);
void task_records_destroy(struct task_record *t);

void reconcile_tasks(struct master *m, struct framework_record *f, size_t n,
                     Pb__TaskStatus *const *statuses); /* reconcile.c */

typedef struct PbScheduler__Call__ReconcileOperations PbScheduler__Call__ReconcileOperations;
typedef struct PbScheduler__Call__AcknowledgeOperationStatus
    PbScheduler__Call__AcknowledgeOperationStatus;

/* operations.c: those on resources, which this master does not carry out.  The framework is told
 * when the operation has an id. */
void operations_refuse(struct master *m, struct framework_record *f, const Pb__Offer__Operation *op,
                       const char *why);
void operations_reconcile(struct master *m, struct framework_record *f,
                          const PbScheduler__Call__ReconcileOperations *r);
void operations_acknowledge(struct master *m, struct framework_record *f,
                            const PbScheduler__Call__AcknowledgeOperationStatus *a);

struct pid observer_start(struct master *m,
                          const struct agent_record *a); /* observer.c: pings one agent */
void observer_update(const struct agent_record *a);      /* its pid or connection changed */
void observer_stop(const struct pid *observer);

void master_http_init(struct master *m); /* http/: the routes */

#endif
