/* store.h - what the agent alone owns, in meta/agent.db
 *
 * The agent's memory in SQLite: who it is, the frameworks, runs and tasks that
 * it hosts, and the status updates that are not acknowledged.  Every function
 * that changes something returns a future that is READY when the change is
 * durable; changes become durable in the order they were asked for.  The rule
 * that all of it serves: first remember, then act.
 *
 *   a run's intent     before the launcher is asked to start it
 *   a status update    before it is acknowledged to the executor or forwarded
 *   its acknowledgement before the next one of the stream is sent
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "mesos/ids.h"
#include "proto/messages.pb-c.h"

struct error;
struct future;
struct runtime;
struct store;

/* path: of agent.db; EAGAIN when another agent holds it. */
int store_open(struct runtime *rt, const char *path, struct store **ret_store, struct error *err);
void store_close(struct store *s);                        /* NULL is fine */

/* ---- changes ---- */

struct future *store_put_agent(struct store *s, const Pb__AgentInfo *info, const char *boot_id);
struct future *store_put_framework(struct store *s, const Pb__FrameworkInfo *info, const char *pid);
struct future *store_remove_framework(struct store *s, struct framework_id id);

/* A run: one start of an executor.  Tasks come with the run (the first one), or later. */
struct store_run {
    struct container_id id;
    struct framework_id framework;
    struct executor_id executor;
    bool builtin;                     /* a command task's; else a custom executor */
    const char *sandbox, *boot_id;    /* boot_id: of the intent */
    const Pb__ExecutorInfo *info;
    /* Once it has registered: libprocess PID of a custom executor, or what stands for one that is
     * connected by HTTP.  Else "". */
    const char *pid;
};
/* Tasks that are launched together.  group: the name by which they are found again as such;
 * NULL: it is one, alone. */
struct store_tasks { size_t n; Pb__TaskInfo *const *v; const char *group; };
/* With its framework, as store_put_framework puts it, and in the place of an earlier
 * run of the executor: all, or nothing. */
struct future *store_put_intent(struct store *s, const Pb__FrameworkInfo *framework,
                                const char *framework_pid, const struct store_run *run,
                                const struct store_tasks *tasks);
struct future *store_put_tasks(struct store *s, struct framework_id framework,
                               struct container_id run, const struct store_tasks *tasks);
struct future *store_put_executor_pid(struct store *s, struct container_id run, const char *pid);
struct future *store_remove_run(struct store *s,
                                struct container_id run); /* with its tasks and their updates */
struct future *store_remove_task(struct store *s, struct framework_id framework,
                                 struct task_id task);

/* Everything: the next start is a new agent. */
struct future *store_forget(struct store *s);

/* Streams of updates, by their uuid; an update that is there already changes nothing. */
struct future *store_put_update(struct store *s, const Pb__StatusUpdate *update);
struct future *store_acknowledge(struct store *s, struct framework_id framework,
                                 struct task_id task, const ProtobufCBinaryData *uuid);

/* ---- recovery: synchronous, before the first change ---- */

/* Each in the order it was put; what see borrows ends when it returns. */
struct store_reader {
    int (*agent)(void *arg, const Pb__AgentInfo *info, const char *boot_id, struct error *err);
    int (*framework)(void *arg, const Pb__FrameworkInfo *info, const char *pid, struct error *err);
    int (*run)(void *arg, const struct store_run *run, struct error *err);
    int (*task)(void *arg, struct container_id run, const Pb__TaskInfo *task, const char *group,
                struct error *err);
    int (*update)(void *arg, const Pb__StatusUpdate *update, bool acknowledged, struct error *err);
};
int store_recover(struct store *s, const struct store_reader *reader, void *arg, struct error *err);

#endif
