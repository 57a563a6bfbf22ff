/* master_metrics.c - what the master counts, and what it can say about itself */
#include "master/master_metrics.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "master/master_private.h"
#include "mesos/task_state.h"
#include "process/runtime.h"

struct master_metrics {
    struct counter *counters[MASTER_METRICS];
};

static struct master *master_of(struct process *self)
{
    return container_of(self, struct master, process);
}

/* ---- gauges: asked for in the master's context ---- */

static double pull_elected(struct process *self)
{
    return master_of(self)->recovered ? 1 : 0;
}

static double pull_uptime(struct process *self)
{
    struct master *m = master_of(self);

    return duration_seconds(instant_since(master_wall(m), m->started));
}

enum figure { TOTAL, USED };

static double sum(struct process *self, const char *resource, enum figure figure)
{
    struct agent_record *a, *next;
    int64_t millis = 0;

    HASH_ITER (hh, master_of(self)->agents, a, next)
        millis += resources_millis(figure == TOTAL ? &a->total : &a->used, resource);
    return (double)millis / 1000;
}

#define RESOURCE_GAUGES(name)                                                                      \
    static double pull_##name##_total(struct process *self)                                        \
    {                                                                                              \
        return sum(self, #name, TOTAL);                                                            \
    }                                                                                              \
    static double pull_##name##_used(struct process *self)                                         \
    {                                                                                              \
        return sum(self, #name, USED);                                                             \
    }                                                                                              \
    static double pull_##name##_percent(struct process *self)                                      \
    {                                                                                              \
        double total = sum(self, #name, TOTAL);                                                    \
                                                                                                   \
        return total > 0 ? sum(self, #name, USED) / total : 0;                                     \
    }                                                                                              \
    _Static_assert(1, "takes a ;")

RESOURCE_GAUGES(cpus);
RESOURCE_GAUGES(gpus);
RESOURCE_GAUGES(mem);
RESOURCE_GAUGES(disk);

static double count_agents(struct process *self, bool (*is)(const struct agent_record *a))
{
    struct agent_record *a, *next;
    unsigned n = 0;

    HASH_ITER (hh, master_of(self)->agents, a, next)
        n += is(a);
    return n;
}

static bool agent_active(const struct agent_record *a)
{
    return a->active;
}

static bool agent_connected(const struct agent_record *a)
{
    return a->connected;
}

static double pull_slaves_active(struct process *self)
{
    return count_agents(self, agent_active);
}

static double pull_slaves_inactive(struct process *self)
{
    return HASH_COUNT(master_of(self)->agents) - count_agents(self, agent_active);
}

static double pull_slaves_connected(struct process *self)
{
    return count_agents(self, agent_connected);
}

static double pull_slaves_disconnected(struct process *self)
{
    return HASH_COUNT(master_of(self)->agents) - count_agents(self, agent_connected);
}

static double pull_slaves_unreachable(struct process *self)
{
    struct known_agent *k, *next;
    unsigned n = 0;

    HASH_ITER (hh, master_of(self)->known, k, next)
        n += k->state == REGISTRY_UNREACHABLE;
    return n;
}

static double count_frameworks(struct process *self, bool (*is)(const struct framework_record *f))
{
    struct framework_record *f, *next;
    unsigned n = 0;

    HASH_ITER (hh, master_of(self)->frameworks, f, next)
        n += is(f);
    return n;
}

static bool framework_active(const struct framework_record *f)
{
    return f->active;
}

static bool framework_connected(const struct framework_record *f)
{
    return f->connected;
}

static double pull_frameworks_active(struct process *self)
{
    return count_frameworks(self, framework_active);
}

static double pull_frameworks_inactive(struct process *self)
{
    return HASH_COUNT(master_of(self)->frameworks) - count_frameworks(self, framework_active);
}

static double pull_frameworks_connected(struct process *self)
{
    return count_frameworks(self, framework_connected);
}

static double pull_frameworks_disconnected(struct process *self)
{
    return HASH_COUNT(master_of(self)->frameworks) - count_frameworks(self, framework_connected);
}

static double pull_outstanding_offers(struct process *self)
{
    return HASH_COUNT(master_of(self)->offers);
}

static double count_tasks(struct process *self, Pb__TaskState state)
{
    struct framework_record *f, *next_f;
    struct task_record *t, *next_t;
    unsigned n = 0;

    HASH_ITER (hh, master_of(self)->frameworks, f, next_f)
        HASH_ITER (hh, f->tasks, t, next_t)
            n += t->state == state;
    return n;
}

static double pull_tasks_staging(struct process *self)
{
    return count_tasks(self, PB__TASK_STATE__TASK_STAGING);
}

static double pull_tasks_starting(struct process *self)
{
    return count_tasks(self, PB__TASK_STATE__TASK_STARTING);
}

static double pull_tasks_running(struct process *self)
{
    return count_tasks(self, PB__TASK_STATE__TASK_RUNNING);
}

static double pull_tasks_killing(struct process *self)
{
    return count_tasks(self, PB__TASK_STATE__TASK_KILLING);
}

static double pull_tasks_unreachable(struct process *self)
{
    struct framework_record *f, *next;
    size_t n = 0;

    HASH_ITER (hh, master_of(self)->frameworks, f, next)
        n += f->n_unreachable_tasks;
    return (double)n;
}

#define RESOURCE_ROWS(name)                                                                        \
    { "master/" #name "_total", pull_##name##_total },                                             \
    { "master/" #name "_used", pull_##name##_used },                                               \
    { "master/" #name "_percent", pull_##name##_percent }

static const struct metrics_pull gauges[] = {
    { "master/elected", pull_elected },
    { "master/uptime_secs", pull_uptime },
    RESOURCE_ROWS(cpus),
    RESOURCE_ROWS(gpus),
    RESOURCE_ROWS(mem),
    RESOURCE_ROWS(disk),
    { "master/slaves_active", pull_slaves_active },
    { "master/slaves_inactive", pull_slaves_inactive },
    { "master/slaves_connected", pull_slaves_connected },
    { "master/slaves_disconnected", pull_slaves_disconnected },
    { "master/slaves_unreachable", pull_slaves_unreachable },
    { "master/frameworks_active", pull_frameworks_active },
    { "master/frameworks_inactive", pull_frameworks_inactive },
    { "master/frameworks_connected", pull_frameworks_connected },
    { "master/frameworks_disconnected", pull_frameworks_disconnected },
    { "master/outstanding_offers", pull_outstanding_offers },
    { "master/tasks_staging", pull_tasks_staging },
    { "master/tasks_starting", pull_tasks_starting },
    { "master/tasks_running", pull_tasks_running },
    { "master/tasks_killing", pull_tasks_killing },
    { "master/tasks_unreachable", pull_tasks_unreachable },
    { NULL, NULL },
};

/* ---- counters ---- */

#define KEY(name, key) key,
static const char *const counter_keys[] = { MASTER_COUNTERS(KEY) };
_Static_assert(ARRAY_SIZE(counter_keys) == MASTER_METRICS, "one key for each counter");

void master_metrics_init(struct master *m)
{
    m->metrics = mem_alloc(sizeof *m->metrics);
    for (size_t i = 0; i < MASTER_METRICS; i++)
        m->metrics->counters[i] = metrics_counter(m->runtime, counter_keys[i]);
    metrics_pull(&m->process, gauges);
}

void master_metrics_release(struct master *m)
{
    mem_free(m->metrics);
    m->metrics = NULL;
}

void master_metrics_count(struct master *m, enum master_metric which)
{
    counter_add(m->metrics->counters[which], 1);
}

static void lower(char *out, size_t size, const char *name, const char *prefix)
{
    size_t skip = strlen(prefix), i = 0;

    for (const char *s = strncmp(name, prefix, skip) == 0 ? name + skip : name; *s && i + 1 < size;
         s++)
        out[i++] = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
    out[i] = '\0';
}

void master_metrics_count_task(struct master *m, Pb__TaskState state, Pb__TaskStatus__Source source,
                               Pb__TaskStatus__Reason reason)
{
    char state_name[40], source_name[40], reason_name[60], key[200];

    lower(state_name, sizeof state_name, task_state_name(state), "TASK_");
    lower(source_name, sizeof source_name, task_state_source_name(source, TASK_STATE_V0),
          "SOURCE_");
    lower(reason_name, sizeof reason_name, task_state_reason_name(reason, TASK_STATE_V0),
          "REASON_");
    snprintf(key, sizeof key, "master/task_%s/source_%s/reason_%s", state_name, source_name,
             reason_name);
    counter_add(metrics_counter(m->runtime, key), 1);
}
