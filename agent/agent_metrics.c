/* agent_metrics.c - the agent's numbers at /metrics/snapshot, by Mesos's names (FACTS 6.8) */
#include "agent/agent_private.h"
#include "base/memory.h"
#include "mesos/task_state.h"
#include "process/runtime.h"

struct agent_metrics {
    struct counter *finished, *failed, *killed, *lost, *gone;
    struct counter *executors_terminated, *launch_errors;
    struct counter *valid_updates, *invalid_updates, *valid_messages, *invalid_messages;
    struct counter *removals_succeeded, *removals_failed;
    struct gauge *removals_pending;
    struct counter *fetches_succeeded, *fetches_failed;
};

static struct agent *agent_of(struct process *p)
{
    return container_of(p, struct agent, process);
}

static double pull_registered(struct process *p)
{
    return agent_of(p)->state == AGENT_RUNNING;
}

static double pull_uptime(struct process *p)
{
    struct agent *a = agent_of(p);

    return duration_seconds(instant_since(runtime_now(a->runtime), a->born));
}

static double pull_recovery_time(struct process *p)
{
    return duration_seconds(agent_of(p)->recovery_time);
}

static double pull_gc_age(struct process *p)
{
    return duration_seconds(agent_of(p)->options.gc_delay);
}

static double pull_frameworks(struct process *p)
{
    return HASH_COUNT(agent_of(p)->frameworks);
}

static double count_tasks(struct process *p, Pb__TaskState state)
{
    double n = 0;

    for (struct hosted_framework *f = agent_of(p)->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
                n += t->state == state;
    return n;
}

static double count_executors(struct process *p, enum executor_state state)
{
    double n = 0;

    for (struct hosted_framework *f = agent_of(p)->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            n += e->state == state;
    return n;
}

#define TASKS(ON)                                                                                  \
    ON(staging, PB__TASK_STATE__TASK_STAGING) ON(starting, PB__TASK_STATE__TASK_STARTING)          \
    ON(running, PB__TASK_STATE__TASK_RUNNING) ON(killing, PB__TASK_STATE__TASK_KILLING)
#define PULL_TASKS(name, state)                                                                    \
    static double pull_tasks_##name(struct process *p) { return count_tasks(p, state); }
TASKS(PULL_TASKS)

#define EXECUTORS(ON)                                                                              \
    ON(registering, EXECUTOR_REGISTERING) ON(running, EXECUTOR_RUNNING)                            \
    ON(terminating, EXECUTOR_TERMINATING)
#define PULL_EXECUTORS(name, state)                                                                \
    static double pull_executors_##name(struct process *p) { return count_executors(p, state); }
EXECUTORS(PULL_EXECUTORS)

static double total_of(struct process *p, const char *name)
{
    return (double)resources_millis(&agent_of(p)->total, name) / 1000;
}

static double used_of(struct process *p, const char *name)
{
    CLEANUP(resources_release) struct resources used = agent_used(agent_of(p));

    return (double)resources_millis(&used, name) / 1000;
}

static double percent_of(struct process *p, const char *name)
{
    double total = total_of(p, name);

    return total > 0 ? used_of(p, name) / total : 0;
}

#define RESOURCES(ON) ON(cpus) ON(gpus) ON(mem) ON(disk)
#define PULL_RESOURCE(name)                                                                        \
    static double pull_##name##_total(struct process *p) { return total_of(p, #name); }            \
    static double pull_##name##_used(struct process *p) { return used_of(p, #name); }              \
    static double pull_##name##_percent(struct process *p) { return percent_of(p, #name); }
RESOURCES(PULL_RESOURCE)

#define TASKS_ROW(name, state) { "slave/tasks_" #name, pull_tasks_##name },
#define EXECUTORS_ROW(name, state) { "slave/executors_" #name, pull_executors_##name },
#define RESOURCE_ROWS(name)                                                                        \
    { "slave/" #name "_total", pull_##name##_total },                                              \
    { "slave/" #name "_used", pull_##name##_used },                                                \
    { "slave/" #name "_percent", pull_##name##_percent },

static const struct metrics_pull pulled[] = {
    { "slave/registered", pull_registered },
    { "slave/uptime_secs", pull_uptime },
    { "slave/recovery_time_secs", pull_recovery_time },
    { "slave/frameworks_active", pull_frameworks },
    { "slave/executor_directory_max_allowed_age_secs", pull_gc_age },
    TASKS(TASKS_ROW) EXECUTORS(EXECUTORS_ROW) RESOURCES(RESOURCE_ROWS)
    { NULL, NULL },
};

/* ---- what cannot happen at this agent: always 0, and there for who looks for it ---- */

static double pull_none(struct process *p UNUSED)
{
    return 0;
}

#define REVOCABLE_ROWS(name)                                                                       \
    { "slave/" #name "_revocable_total", pull_none },                                              \
    { "slave/" #name "_revocable_used", pull_none },                                               \
    { "slave/" #name "_revocable_percent", pull_none },

static const struct metrics_pull never[] = {
    /* It offers nothing that it may take back, so nothing is preempted. */
    RESOURCES(REVOCABLE_ROWS)
    { "slave/executors_preempted", pull_none },
    /* Its books are one database: they are read, or it does not start. */
    { "slave/recovery_errors", pull_none },
    /* Each task's files are fetched anew. */
    { "containerizer/fetcher/cache_size_total_bytes", pull_none },
    { "containerizer/fetcher/cache_size_used_bytes", pull_none },
    /* A container has no image of its own, and its end is awaited however long it takes. */
    { "containerizer/mesos/container_destroy_errors", pull_none },
    { "containerizer/mesos/provisioner/bind/remove_rootfs_errors", pull_none },
    { "containerizer/mesos/provisioner/remove_container_errors", pull_none },
    /* Nobody provides resources but the agent itself. */
    { "resource_provider_manager/events/disconnect", pull_none },
    { "resource_provider_manager/events/subscribe", pull_none },
    { "resource_provider_manager/subscribed", pull_none },
    { NULL, NULL },
};

void agent_metrics_init(struct agent *a)
{
    struct agent_metrics *m = mem_alloc(sizeof *m);
    struct runtime *rt = a->runtime;

    m->finished = metrics_counter(rt, "slave/tasks_finished");
    m->failed = metrics_counter(rt, "slave/tasks_failed");
    m->killed = metrics_counter(rt, "slave/tasks_killed");
    m->lost = metrics_counter(rt, "slave/tasks_lost");
    m->gone = metrics_counter(rt, "slave/tasks_gone");
    m->executors_terminated = metrics_counter(rt, "slave/executors_terminated");
    m->launch_errors = metrics_counter(rt, "slave/container_launch_errors");
    m->valid_updates = metrics_counter(rt, "slave/valid_status_updates");
    m->invalid_updates = metrics_counter(rt, "slave/invalid_status_updates");
    m->valid_messages = metrics_counter(rt, "slave/valid_framework_messages");
    m->invalid_messages = metrics_counter(rt, "slave/invalid_framework_messages");
    m->removals_succeeded = metrics_counter(rt, "gc/path_removals_succeeded");
    m->removals_failed = metrics_counter(rt, "gc/path_removals_failed");
    m->removals_pending = metrics_gauge(rt, "gc/path_removals_pending");
    m->fetches_succeeded = metrics_counter(rt, "containerizer/fetcher/task_fetches_succeeded");
    m->fetches_failed = metrics_counter(rt, "containerizer/fetcher/task_fetches_failed");
    a->metrics = m;
    metrics_pull(&a->process, pulled);
    metrics_pull(&a->process, never);
}

void agent_metrics_release(struct agent *a)
{
    mem_free(a->metrics);
}

void agent_metrics_task_ended(struct agent *a, Pb__TaskState state)
{
    struct agent_metrics *m = a->metrics;

    switch (state) {
    case PB__TASK_STATE__TASK_FINISHED: counter_add(m->finished, 1); break;
    case PB__TASK_STATE__TASK_FAILED: counter_add(m->failed, 1); break;
    case PB__TASK_STATE__TASK_KILLED: counter_add(m->killed, 1); break;
    case PB__TASK_STATE__TASK_LOST: counter_add(m->lost, 1); break;
    case PB__TASK_STATE__TASK_GONE: counter_add(m->gone, 1); break;
    default: break;
    }
}

void agent_metrics_executor_ended(struct agent *a)
{
    counter_add(a->metrics->executors_terminated, 1);
}

void agent_metrics_launch_failed(struct agent *a)
{
    counter_add(a->metrics->launch_errors, 1);
}

void agent_metrics_update(struct agent *a, bool valid)
{
    counter_add(valid ? a->metrics->valid_updates : a->metrics->invalid_updates, 1);
}

void agent_metrics_message(struct agent *a, bool valid)
{
    counter_add(valid ? a->metrics->valid_messages : a->metrics->invalid_messages, 1);
}

void agent_metrics_removal(struct agent *a, unsigned succeeded, unsigned failed, unsigned pending)
{
    counter_add(a->metrics->removals_succeeded, succeeded);
    counter_add(a->metrics->removals_failed, failed);
    gauge_set(a->metrics->removals_pending, pending);
}

void agent_metrics_fetch(struct agent *a, bool succeeded)
{
    counter_add(succeeded ? a->metrics->fetches_succeeded : a->metrics->fetches_failed, 1);
}
