/* agent_private.h - the agent's state, for the files of this folder only
 *
 *   hosted_framework -> hosted_executor (a run) -> hosted_task
 *
 * A hosted_executor is one run: a built-in command executor for one command
 * task, or a custom executor with any number of tasks.  A task is in its
 * executor's list from the moment it is accepted until its terminal update is
 * acknowledged.
 *
 * The actor's state is read before it is spawned (agent_recover) and freed after
 * it has ended (agent_destroy), both outside of actors; all else happens in its
 * events.  Continuations look things up again by the container id, which is
 * never used twice.
 */
#ifndef AGENT_PRIVATE_H
#define AGENT_PRIVATE_H

#include <uthash.h>

#include "agent/agent.h"
#include "agent/launcher.h"
#include "agent/store.h"
#include "base/arena.h"
#include "base/list.h"
#include "mesos/ids.h"
#include "mesos/resources.h"
#include "process/http.h"
#include "process/message.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"

struct agent_metrics;
struct event_stream;
struct file;
struct fetch;
struct update_stream;

enum agent_state { AGENT_RECOVERING, AGENT_DISCONNECTED, AGENT_RUNNING, AGENT_TERMINATING };

#define AGENT_MAX_COMPLETED_FRAMEWORKS 50
#define AGENT_MAX_COMPLETED_EXECUTORS 150      /* of a framework */
#define AGENT_MAX_COMPLETED_TASKS 200          /* of an executor */

struct agent {
    struct process process;
    struct pid pid;                              /* for those outside of it */
    struct runtime *runtime;
    struct agent_options options;                /* its own texts */
    enum agent_state state;
    char failure[200];

    struct agent_id id;                          /* empty until registered the first time */
    struct arena arena;                          /* of info */
    Pb__AgentInfo *info;
    struct resources total;
    char boot_id[64];
    uint8_t resource_version[16];                /* a UUID of this start */
    struct instant started;                      /* wall */
    struct instant born;                         /* monotonic, of the start of the recovery */
    struct duration recovery_time;

    struct pid master;                           /* the one that we talk to; empty: none found */
    struct text *master_hostname;
    struct duration backoff;                     /* of the next (re-)registration */
    struct timer register_timer, ping_timer, list_timer;
    struct duration ping_timeout;                /* from the master, 75 s */
    bool detecting;
    bool list_is_old; /* something of it has ended since we told the master our list */
    struct list held;                            /* of the master, until we have an id */

    struct file *lock;                           /* of the work directory */
    struct store *store;
    struct launcher *launcher;
    char *fetcher_program;

    struct update_stream *streams;               /* status_updates.c */
    struct hosted_framework *frameworks;         /* by id */
    struct list completed_frameworks;            /* oldest first */
    struct list container_questions;             /* http/agent_containers.c */
    bool counts_processes;
    struct timer gc_timer;
    bool gc_runs;
    struct agent_metrics *metrics;
};

struct hosted_framework {
    struct framework_id id;
    struct message *info;                        /* Pb__FrameworkInfo */
    struct pid pid;                              /* of its scheduler; may be empty */
    bool terminating;
    struct hosted_executor *executors;           /* by executor id */
    struct list completed_executors;             /* oldest first */
    UT_hash_handle hh;
    struct list link;                            /* in completed_frameworks */
};

enum executor_state {
    EXECUTOR_REGISTERING, EXECUTOR_RUNNING, EXECUTOR_TERMINATING, EXECUTOR_TERMINATED
};

/* Where an executor is: nowhere yet, or as executor_peer.c says. */
struct executor_peer {
    bool http;                                   /* it has subscribed; else a driver */
    bool stored;                                 /* that it is there */
    struct pid pid;                              /* of a driver; empty until it has registered */
    struct event_stream *stream;                 /* of an HTTP executor; NULL while it is away */
};

struct hosted_executor {
    struct executor_id id;
    struct container_id container;
    struct hosted_framework *framework;
    struct message *info;                        /* Pb__ExecutorInfo */
    enum executor_state state;
    bool builtin;
    bool recovered;                              /* was there before this start of the agent */
    bool reconnecting;                           /* its connection broke; asked to come back */
    bool stored;                                 /* its intent is */
    char *sandbox, *run_folder;
    char intent_boot_id[64];
    struct run_started started;                  /* pid 0: not started (yet), as far as we know */
    bool has_exit;                               /* of a recovered run that has ended */
    struct run_exit exit;
    bool kill_run;                               /* as soon as it is known to have started */
    struct executor_peer peer;
    /* Pb__ReregisterExecutorMessage: what it said, while where it is is being stored. */
    struct message *subscription;
    struct command_executor *command;            /* of builtin ones */
    struct future *fetching;                     /* while its URIs are fetched */
    struct timer timer;                          /* (re-)registration, or shutdown grace */
    struct resources resources;                  /* the executor's own */
    bool has_end_reason;                         /* why we ended it, for the tasks that are left */
    Pb__TaskStatus__Reason end_reason;
    Pb__TaskState end_state;
    char *end_message;
    struct hosted_task *tasks;                   /* by task id */
    struct list completed_tasks;                 /* oldest first */
    UT_hash_handle hh;                           /* in framework->executors */
    struct list link;                            /* in framework->completed_executors */
};

struct hosted_task {
    struct task_id id;
    struct hosted_executor *executor;
    struct message *info;                        /* Pb__TaskInfo */
    struct resources resources;
    Pb__TaskState state;                         /* the last that is stored: latest_state */
    struct text *group;                          /* of those that are launched together, or NULL */
    bool stored;                                 /* it may be given to the executor */
    bool sent;                                   /* the executor was given it */
    bool end_listed;                             /* a re-registering agent told it as ended */
    struct message *kill;                        /* KillTaskMessage once asked for */
    struct list statuses;                        /* struct task_status, for /state */
    UT_hash_handle hh;                           /* in executor->tasks */
    struct list link;                            /* in completed_tasks */
};

struct task_status {
    struct message *status;                      /* Pb__TaskStatus without data */
    struct list link;
};

/* ---- each part: its handlers, and what the others may ask of it ---- */

/* agent.c */
void agent_fail(struct agent *a, const char *fmt, ...) PRINTF(2, 3);   /* says why and terminates */
/* All executors end, then the agent; its next start is a new agent. */
void agent_shut_down(struct agent *a, const char *why);
void agent_check_shutdown(struct agent *a);      /* an executor has ended: was it the last one? */
bool agent_is_master(const struct agent *a, const struct pid *from, const char *what);
/* <work_dir>/slaves/<id>, the caller's. */
char *agent_folder(const struct agent *a);
/* All that has not ended: tasks, and custom executors. */
struct resources agent_used(const struct agent *a);

void registration_init(struct agent *a);         /* registration.c: (re-)register, pings */
void registration_start(struct agent *a);        /* after recovery */
void registration_exited(struct agent *a, const struct pid *pid);
void registration_unregister(struct agent *a);
/* Something of the list that the master was sent is no more: it is sent again, soon. */
void registration_list_is_old(struct agent *a);
/* Of the message that runs: not now.  It is kept while the id that it is for is
 * being stored, and dropped while we are disconnected: the master learns then
 * that we do not have it. */
bool registration_hold(struct agent *a, const struct pid *from, process_receive_f receive);
void registration_release(struct agent *a);

void task_launch_init(struct agent *a);          /* task_launch.c: RunTaskMessage and the like */
void task_kill_init(struct agent *a);            /* task_kill.c: KillTaskMessage and the like */

/* launch_steps.c: from the stored intent to an executor that registers. */
void launch_begin(struct agent *a, struct hosted_executor *e, struct future *stored);
/* The built-in executor of this run, spawned; known: the last state that is stored. */
int launch_builtin(struct agent *a, struct hosted_executor *e, Pb__TaskState known,
                   struct error *err);

bool executor_peer_is_known(const struct executor_peer *p);    /* executor_peer.c */
bool executor_peer_is_here(const struct executor_peer *p);
bool executor_peer_is_at(const struct executor_peer *p, const struct pid *pid);
/* As the store has it. */
const char *executor_peer_text(const struct executor_peer *p, char *out, size_t size);
int executor_peer_parse(struct executor_peer *p, const char *text, struct error *err);
void executor_peer_take(struct executor_peer *p, struct event_stream *stream);
/* False: this is not its stream. */
bool executor_peer_left(struct executor_peer *p, const struct event_stream *stream);
void executor_peer_close(struct executor_peer *p);
void executor_peer_release(struct executor_peer *p);
/* A classic message; nothing happens while it is away. */
void executor_peer_send(struct agent *a, struct hosted_executor *e, const ProtobufCMessage *msg);

/* executor_registration.c */
void executor_registration_init(struct agent *a);
/* A SUBSCRIBE, as the message of a driver that comes back. */
void executor_registration_subscribe(struct agent *a, struct hosted_executor *e,
                                     struct event_stream *s,
                                     const Pb__ReregisterExecutorMessage *msg);
void executor_registration_left(struct agent *a, const struct event_stream *s);
void executor_registration_broke(struct agent *a, struct hosted_executor *e);
/* It may be there: a driver is asked to come back. */
void executor_registration_expect_back(struct agent *a, struct hosted_executor *e);
/* It is killed unless it is there in time. */
void executor_registration_await(struct agent *a, struct hosted_executor *e, struct duration d);

/* hosted_executors.c: their tasks, and their ends */
void hosted_executors_exited(struct agent *a, const struct pid *pid);
/* Tells it, and after the grace kills its run. */
void hosted_executor_shutdown(struct agent *a, struct hosted_executor *e);
/* What its tasks get when it has ended; the first one to say so is right. */
void hosted_executor_blame(struct hosted_executor *e, Pb__TaskState state,
                           Pb__TaskStatus__Reason reason, const char *message);
/* Unless it is here: the master, which counts with it since the launch, is told that it is not. */
void hosted_executors_tell_absent(struct agent *a, const char *framework, const char *executor);
/* Kills the run, when it has started; what follows comes from its end. */
void hosted_executor_kill_run(struct agent *a, struct hosted_executor *e);
/* Its run has ended, or never began: tasks that are not terminal get what was blamed. */
void hosted_executor_ended(struct agent *a, struct hosted_executor *e);
void hosted_executor_follow(struct agent *a, struct hosted_executor *e);   /* its run, to the end */
/* Unless it is not there yet, or was given it; with the task goes its group. */
void hosted_executor_send_task(struct agent *a, struct hosted_task *t);
/* All that wait, and all kills that it may have missed. */
void hosted_executor_send_tasks(struct agent *a, struct hosted_executor *e);
/* From the runner, in any context. */
void hosted_executors_tell_started(const struct pid *agent, struct container_id container,
                                   const struct run_started *started);

void executor_messages_init(struct agent *a);    /* executor_messages.c: updates, messages */
/* What this executor says, however it is connected. */
void executor_messages_update(struct agent *a, struct hosted_executor *e,
                              const Pb__StatusUpdate *update);
void executor_messages_forward(struct agent *a, struct hosted_executor *e,
                               const Pb__ExecutorToFrameworkMessage *msg);
void task_kill_framework(struct agent *a, struct hosted_framework *f);    /* task_kill.c */

/* hosted.c: the books.  Removing takes it out of the store, too. */
/* id NULL is fine. */
struct hosted_framework *hosted_framework_find(struct agent *a, const char *id);
struct hosted_framework *hosted_framework_add(struct agent *a, const Pb__FrameworkInfo *info,
                                              const char *pid);
void hosted_framework_remove(struct agent *a, struct hosted_framework *f);   /* no executors */
struct hosted_executor *hosted_executor_find(const struct hosted_framework *f, const char *id);
struct hosted_executor *hosted_executor_find_run(struct agent *a, struct container_id container);
struct hosted_executor *hosted_executor_find_pid(struct agent *a, const struct pid *pid);
struct hosted_executor *hosted_executor_find_stream(struct agent *a, const struct event_stream *s);
/* Takes info. */
struct hosted_executor *hosted_executor_add(struct agent *a, struct hosted_framework *f,
                                            struct container_id container, struct message *info,
                                            bool builtin);
/* Into the completed ones, when it has ended and has no tasks; its framework likewise. */
void hosted_executor_remove_if_done(struct agent *a, struct hosted_executor *e);
struct hosted_task *hosted_task_find(const struct hosted_framework *f, const char *id);
/* group NULL: it is launched alone. */
struct hosted_task *hosted_task_add(struct hosted_executor *e, const Pb__TaskInfo *info,
                                    const struct resources *resources, struct text *group);
void hosted_task_add_status(struct hosted_task *t, const Pb__TaskStatus *status);
void hosted_task_complete(struct agent *a, struct hosted_task *t);
/* Was here in this start of the agent, and its end is acknowledged. */
bool hosted_task_is_completed(const struct agent *a, const char *framework, const char *task);
void hosted_release(struct agent *a);            /* everything; outside of actors */
bool hosted_is_partition_aware(const struct hosted_framework *f);
Pb__Task *hosted_task_to_protobuf(const struct hosted_task *t, struct arena *arena);

/* status_updates.c: one stream for each task; the head is sent until it is
 * acknowledged, 10 s doubling to 10 min. */
void status_updates_init(struct agent *a);
void status_updates_release(struct agent *a);
/* From an executor, complete; stored, acknowledged to it, forwarded. */
void status_updates_receive(struct agent *a, const Pb__StatusUpdate *update,
                            struct hosted_executor *e);
/* Made by the agent, for a task that is stored; partition-aware states are told
 * as the framework knows them. */
void status_updates_generate(struct agent *a, struct hosted_task *t, Pb__TaskState state,
                             Pb__TaskStatus__Reason reason, const char *message);
/* For a task that we do not have and will not have: forwarded, not stored. */
struct refusal {
    const char *framework, *task, *executor;     /* executor may be NULL */
    const Pb__FrameworkInfo *info;               /* NULL: not known */
    bool partition_aware;
    Pb__TaskState state;
    Pb__TaskStatus__Reason reason;
    const char *message;
};
void status_updates_refuse(struct agent *a, const struct refusal *refusal);
/* Those that are not acknowledged, for the list of a re-registration. */
void status_updates_list_refused(struct agent *a, Pb__ReregisterSlaveMessage *msg,
                                 struct arena *arena);
bool status_updates_has_stream(struct agent *a, const char *framework, const char *task);
/* The last update of the task that was received is a terminal one. */
bool status_updates_has_end(struct agent *a, const struct hosted_task *t);
void status_updates_resume(struct agent *a);     /* registered (again): all heads are sent now */
void status_updates_pause(struct agent *a);
/* After recovery: false, and the stream is gone, when its end was acknowledged. */
bool status_updates_finish(struct agent *a, const char *framework, const char *task);
void status_updates_recover(struct agent *a, const Pb__StatusUpdate *update, bool acknowledged);
void status_updates_drop(struct agent *a, const struct hosted_framework *f);   /* nobody will ask */
int status_updates_check(const struct agent *a, struct error *err);
void status_updates_acknowledge(struct agent *a, struct hosted_executor *e,
                                const Pb__StatusUpdate *update);

int agent_recover(struct agent *a, struct error *err);             /* agent_recovery.c */
void agent_recover_runs(struct agent *a);                          /* from its first event */
int agent_detect_resources(struct agent *a, struct error *err);    /* agent_resources.c */
/* What differs and what to do, when an agent that was `before` cannot go on as `now`. */
int agent_compare_info(const Pb__AgentInfo *before, const Pb__AgentInfo *now, struct error *err);

/* sandbox.c: the folders of FACTS 5.1 and the environment of FACTS 5.4 */
char *sandbox_path(const struct agent *a, const struct hosted_executor *e);   /* the caller's */
int sandbox_create(struct agent *a, struct hosted_executor *e, struct error *err);
const Pb__CommandInfo *sandbox_command(const struct hosted_executor *e);
const char *sandbox_user(const struct agent *a, const struct hosted_executor *e);   /* NULL: ours */
/* Of its command; the caller's, ended by launch_request_release. */
int sandbox_request(struct agent *a, struct hosted_executor *e, struct launch_request *ret_request,
                    struct error *err);

struct command_runner;                           /* builtin_runner.c: the launcher behind it */
struct command_runner *builtin_runner_create(struct agent *a, struct hosted_executor *e,
                                             struct error *err);

void agent_gc_start(struct agent *a);            /* agent_gc.c */
void agent_gc_mark_end(struct agent *a, const struct hosted_executor *e);

void agent_state_init(struct agent *a);          /* http/agent_state.c */
void executor_api_init(struct agent *a);         /* http/executor_api.c */
void agent_files_init(struct agent *a);          /* http/agent_files.c */
void agent_containers_init(struct agent *a);     /* http/agent_containers.c */
void agent_containers_release(struct agent *a);

/* agent_metrics.c */
void agent_metrics_init(struct agent *a);
void agent_metrics_release(struct agent *a);
void agent_metrics_task_ended(struct agent *a, Pb__TaskState state);
void agent_metrics_executor_ended(struct agent *a);
void agent_metrics_launch_failed(struct agent *a);
void agent_metrics_update(struct agent *a, bool valid);
void agent_metrics_message(struct agent *a, bool valid);
/* pending: sandboxes of runs that have ended, kept for now. */
void agent_metrics_removal(struct agent *a, unsigned succeeded, unsigned failed, unsigned pending);
void agent_metrics_fetch(struct agent *a, bool succeeded);

#endif
