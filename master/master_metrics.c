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
    return master_of(self)->leads ? 1 : 0;
}

static double pull_uptime(struct process *self)
{
    struct master *m = master_of(self);

    return duration_seconds(instant_since(master_wall(m), m->started));
}

static double pull_event_queue_messages(struct process *self)
{
    return (double)process_count_events(self, EVENT_MESSAGE);
}

/* What futures bring are dispatches in Mesos. */
static double pull_event_queue_dispatches(struct process *self)
{
    return (double)(process_count_events(self, EVENT_DISPATCH) +
                    process_count_events(self, EVENT_FUTURE));
}

static double pull_event_queue_http_requests(struct process *self)
{
    return (double)process_count_events(self, EVENT_HTTP);
}

enum figure { TOTAL, USED };

static int64_t millis_of(const struct resources *r, const char *name, bool revocable)
{
    int64_t millis = 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].value.type == VALUE_SCALAR && resource_is_named(&r->v[i], name) &&
            resource_is_revocable(&r->v[i]) == revocable)
            millis += r->v[i].value.millis;
    return millis;
}

static double sum(struct process *self, const char *resource, bool revocable, enum figure figure)
{
    struct agent_record *a, *next;
    int64_t millis = 0;

    HASH_ITER (hh, master_of(self)->agents, a, next)
        millis += millis_of(figure == TOTAL ? &a->total : &a->used, resource, revocable);
    return (double)millis / 1000;
}

static double percent(struct process *self, const char *resource, bool revocable)
{
    double total = sum(self, resource, revocable, TOTAL);

    return total > 0 ? sum(self, resource, revocable, USED) / total : 0;
}

#define RESOURCES(ON)                                                                              \
    ON(cpus, cpus, false) ON(gpus, gpus, false) ON(mem, mem, false) ON(disk, disk, false)          \
    ON(cpus_revocable, cpus, true) ON(gpus_revocable, gpus, true)                                  \
    ON(mem_revocable, mem, true) ON(disk_revocable, disk, true)
#define RESOURCE_GAUGES(key, name, revocable)                                                      \
    static double pull_##key##_total(struct process *self)                                         \
    {                                                                                              \
        return sum(self, #name, revocable, TOTAL);                                                 \
    }                                                                                              \
    static double pull_##key##_used(struct process *self)                                          \
    {                                                                                              \
        return sum(self, #name, revocable, USED);                                                  \
    }                                                                                              \
    static double pull_##key##_percent(struct process *self)                                       \
    {                                                                                              \
        return percent(self, #name, revocable);                                                    \
    }
RESOURCES(RESOURCE_GAUGES)

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

static double pull_operator_event_stream_subscribers(struct process *self)
{
    return (double)master_of(self)->n_subscribers;
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

#define RESOURCE_ROWS(key, name, revocable)                                                        \
    { "master/" #key "_total", pull_##key##_total },                                               \
    { "master/" #key "_used", pull_##key##_used },                                                 \
    { "master/" #key "_percent", pull_##key##_percent },

static const struct metrics_pull gauges[] = {
    { "master/elected", pull_elected },
    { "master/uptime_secs", pull_uptime },
    { "master/operator_event_stream_subscribers", pull_operator_event_stream_subscribers },
    { "master/event_queue_messages", pull_event_queue_messages },
    { "master/event_queue_dispatches", pull_event_queue_dispatches },
    { "master/event_queue_http_requests", pull_event_queue_http_requests },
    RESOURCES(RESOURCE_ROWS)
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

/* ---- what cannot happen in this master: always 0, and there for who looks for it ---- */

static double pull_none(struct process *self UNUSED)
{
    return 0;
}

#define OPERATION_ROWS(kind)                                                                       \
    { "master/operations" kind "/dropped", pull_none },                                            \
    { "master/operations" kind "/error", pull_none },                                              \
    { "master/operations" kind "/failed", pull_none },                                             \
    { "master/operations" kind "/finished", pull_none },                                           \
    { "master/operations" kind "/gone_by_operator", pull_none },                                   \
    { "master/operations" kind "/pending", pull_none },                                            \
    { "master/operations" kind "/recovering", pull_none },                                         \
    { "master/operations" kind "/total", pull_none },                                              \
    { "master/operations" kind "/unreachable", pull_none }

static const struct metrics_pull never[] = {
    /* Operations on resources (RESERVE, CREATE, ...) are refused, so none is followed. */
    OPERATION_ROWS(""),
    OPERATION_ROWS("/create"),
    OPERATION_ROWS("/create_disk"),
    OPERATION_ROWS("/destroy"),
    OPERATION_ROWS("/destroy_disk"),
    OPERATION_ROWS("/grow_volume"),
    OPERATION_ROWS("/reserve"),
    OPERATION_ROWS("/shrink_volume"),
    OPERATION_ROWS("/unreserve"),
    { "master/messages_operation_status_update", pull_none },
    { "master/valid_operation_status_updates", pull_none },
    { "master/invalid_operation_status_updates", pull_none },
    { "master/valid_operation_status_update_acknowledgements", pull_none },
    /* Silent agents become unreachable; the master never plans to shut one down. */
    { "master/slave_shutdowns_scheduled", pull_none },
    { "master/slave_shutdowns_completed", pull_none },
    { "master/slave_shutdowns_canceled", pull_none },
    /* Every request is answered by itself, from pieces that are kept. */
    { "master/http_cache_hits", pull_none },
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
    metrics_pull(&m->process, never);
    framework_metrics_init(m);
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
