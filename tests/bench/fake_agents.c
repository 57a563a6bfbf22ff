/* fake_agents.c - agents for measurements: registered, with tasks that cost nothing */
#include "tests/bench/fake_agents.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "tests/bench/measure.h"

enum { UPDATES_AT_ONCE = 50 };

struct fake_agent {
    struct process process;
    struct fake_agents *all;
    struct pid pid, master;
    char id[FAKE_ID];
    size_t index, next_task;
    bool confirmed;
    uint64_t next_uuid;
};

struct fake_agents {
    struct host *host;
    size_t n, tasks_each;
    _Atomic size_t confirmed, acknowledged, wanted;
    struct fake_agent agents[];
};

void fake_agents_id(size_t agent, char id[FAKE_ID])
{
    snprintf(id, FAKE_ID, "5f0e3c52-2b7f-4c65-a2a7-2b6e3f9f1d6a-S%zu", agent);
}

void fake_agents_task_id(size_t agent, size_t task, char id[FAKE_ID])
{
    snprintf(id, FAKE_ID, "task-%06zu-%04zu", agent, task);
}

/* ---- what an agent says of itself ---- */

/* Name and amount: "cpus", 8.  Memory is the arena's. */
static Pb__Resource *resource(struct arena *arena, const char *name, double amount)
{
    Pb__Resource *r = arena_alloc(arena, sizeof *r);

    pb__resource__init(r);
    r->name = name;
    r->type = PB__VALUE__TYPE__SCALAR;
    r->scalar = arena_alloc(arena, sizeof *r->scalar);
    pb__value__scalar__init(r->scalar);
    r->scalar->value = amount;
    return r;
}

static Pb__Resource **resources(struct arena *arena, double cpus, double mem)
{
    Pb__Resource **v = arena_alloc(arena, 2 * sizeof *v);

    v[0] = resource(arena, "cpus", cpus);
    v[1] = resource(arena, "mem", mem);
    return v;
}

static const char *text(struct arena *arena, const char *bytes)
{
    size_t size = strlen(bytes) + 1;

    return memcpy(arena_alloc(arena, size), bytes, size);
}

static Pb__FrameworkID *framework_id(struct arena *arena)
{
    Pb__FrameworkID *id = arena_alloc(arena, sizeof *id);

    pb__framework_id__init(id);
    id->value = FAKE_FRAMEWORK;
    return id;
}

static Pb__AgentID *agent_id(struct arena *arena, const struct fake_agent *a)
{
    Pb__AgentID *id = arena_alloc(arena, sizeof *id);

    pb__agent_id__init(id);
    id->value = a->id;
    return id;
}

static Pb__TaskID *task_id(struct arena *arena, const struct fake_agent *a, size_t task)
{
    Pb__TaskID *id = arena_alloc(arena, sizeof *id);
    char bytes[FAKE_ID];

    fake_agents_task_id(a->index, task, bytes);
    pb__task_id__init(id);
    id->value = text(arena, bytes);
    return id;
}

static Pb__TaskStatus *status(struct arena *arena, const struct fake_agent *a, size_t task)
{
    Pb__TaskStatus *s = arena_alloc(arena, sizeof *s);

    pb__task_status__init(s);
    s->task_id = task_id(arena, a, task);
    s->agent_id = agent_id(arena, a);
    s->state = PB__TASK_STATE__TASK_RUNNING;
    s->has_timestamp = true;
    s->timestamp = 1732281667.25;
    s->has_source = true;
    s->source = PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR;
    return s;
}

static Pb__Task *task_of(struct arena *arena, const struct fake_agent *a, size_t task)
{
    Pb__Task *t = arena_alloc(arena, sizeof *t);

    pb__task__init(t);
    t->name = "bench";
    t->task_id = task_id(arena, a, task);
    t->framework_id = framework_id(arena);
    t->agent_id = agent_id(arena, a);
    t->state = PB__TASK_STATE__TASK_RUNNING;
    t->n_resources = 2;
    t->resources = resources(arena, 0.1, 128);
    t->n_statuses = 1;
    t->statuses = arena_alloc(arena, sizeof *t->statuses);
    t->statuses[0] = status(arena, a, task);
    return t;
}

static Pb__AgentInfo *agent_info(struct arena *arena, const struct fake_agent *a)
{
    Pb__AgentInfo *info = arena_alloc(arena, sizeof *info);

    pb__agent_info__init(info);
    info->hostname = "127.0.0.1";
    info->has_port = true;
    info->port = runtime_address(a->process.runtime).port;
    info->id = agent_id(arena, a);
    info->n_resources = 2;
    info->resources = resources(arena, 8, 16384);
    return info;
}

static Pb__FrameworkInfo *framework_info(struct arena *arena)
{
    Pb__FrameworkInfo *info = arena_alloc(arena, sizeof *info);

    pb__framework_info__init(info);
    info->user = "nobody";
    info->name = "bench";
    info->id = framework_id(arena);
    info->has_checkpoint = info->checkpoint = true;
    info->has_failover_timeout = true;
    info->failover_timeout = 3600;
    return info;
}

static void reregister(struct fake_agent *a)
{
    Pb__ReregisterSlaveMessage msg = PB__REREGISTER_SLAVE_MESSAGE__INIT;
    Pb__FrameworkInfo *framework;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    framework = framework_info(&arena);
    msg.slave = agent_info(&arena, a);
    msg.version = "1.11.0";
    msg.n_tasks = a->all->tasks_each;
    msg.tasks = arena_alloc(&arena, (msg.n_tasks + 1) * sizeof *msg.tasks);
    for (size_t i = 0; i < msg.n_tasks; i++)
        msg.tasks[i] = task_of(&arena, a, i);
    msg.n_frameworks = 1;
    msg.frameworks = &framework;
    process_send(&a->process, &a->master, &msg.base);
}

/* ---- the actor ---- */

#define MESSAGES(ON)                                                                               \
    ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_ping)                                      \
    ON(pb__slave_reregistered_message, Pb__SlaveReregisteredMessage, on_reregistered)              \
    ON(pb__status_update_acknowledgement_message, Pb__StatusUpdateAcknowledgementMessage,          \
       on_acknowledgement)                                                                        \
    ON(pb__update_framework_message, Pb__UpdateFrameworkMessage, on_update_framework)

HANDLERS(fake_agent, fake_agent_handlers, MESSAGES);
CLASS(fake_agent, "slave", fake_agent_initialize, fake_agent_exited, fake_agent_finalize);

/* A master that has not recovered yet drops it, so it is said until confirmed. */
CALL(fake_agent, insist, nothing, NO_RELEASE);

static void insist(struct fake_agent *a, struct nothing *args UNUSED)
{
    if (a->confirmed)
        return;
    reregister(a);
    delay(&a->process.pid, SECONDS(2), insist);
}

static void fake_agent_initialize(struct fake_agent *a)
{
    process_install(&a->process, fake_agent_handlers);
    dispatch(&a->process.pid, insist);
}

static void fake_agent_exited(struct fake_agent *a UNUSED, const struct pid *peer UNUSED) {}
static void fake_agent_finalize(struct fake_agent *a UNUSED) {}

static void on_ping(struct fake_agent *a, const struct pid *from,
                    const Pb__PingSlaveMessage *msg UNUSED)
{
    Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;

    process_send(&a->process, from, &pong.base);
}

static void on_reregistered(struct fake_agent *a, const struct pid *from UNUSED,
                            const Pb__SlaveReregisteredMessage *msg UNUSED)
{
    if (a->confirmed)
        return;
    a->confirmed = true;
    atomic_fetch_add(&a->all->confirmed, 1);
    host_notify(a->all->host);
}

static void on_acknowledgement(struct fake_agent *a, const struct pid *from UNUSED,
                               const Pb__StatusUpdateAcknowledgementMessage *msg UNUSED)
{
    if (atomic_fetch_add(&a->all->acknowledged, 1) + 1 >= atomic_load(&a->all->wanted))
        host_notify(a->all->host);
}

static void on_update_framework(struct fake_agent *a UNUSED, const struct pid *from UNUSED,
                                const Pb__UpdateFrameworkMessage *msg UNUSED)
{
}

static void send_update(struct fake_agent *a)
{
    Pb__StatusUpdateMessage msg = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    uint64_t uuid[2] = { a->index, a->next_uuid++ };
    char pid[PID_TEXT];

    update.framework_id = framework_id(&arena);
    update.slave_id = agent_id(&arena, a);
    update.status = status(&arena, a, a->next_task);
    update.status->has_uuid = update.has_uuid = true;
    update.status->uuid = update.uuid = (ProtobufCBinaryData){ sizeof uuid, (uint8_t *)uuid };
    update.timestamp = 1732281667.25;
    update.has_latest_state = true;
    update.latest_state = PB__TASK_STATE__TASK_RUNNING;
    msg.update = &update;
    msg.pid = pid_text(&a->process.pid, pid, sizeof pid);
    process_send(&a->process, &a->master, &msg.base);
    a->next_task = (a->next_task + 1) % a->all->tasks_each;
}

/* Some at a time, so that all of them are heard. */
struct update_args { size_t left; };
CALL(fake_agent, update, update_args, NO_RELEASE);

static void update(struct fake_agent *a, struct update_args *args)
{
    for (size_t i = 0; i < UPDATES_AT_ONCE && args->left > 0; i++, args->left--)
        send_update(a);
    if (args->left > 0)
        dispatch(&a->process.pid, update, .left = args->left);
}

/* ---- for those outside ---- */

static bool are_confirmed(void *arg)
{
    struct fake_agents *v = arg;

    return atomic_load(&v->confirmed) >= v->n;
}

static bool are_acknowledged(void *arg)
{
    struct fake_agents *v = arg;

    return atomic_load(&v->acknowledged) >= atomic_load(&v->wanted);
}

static void await(struct fake_agents *v, bool (*done)(void *))
{
    struct instant deadline = instant_add(host_now(v->host), MINUTES(2));

    CHECK(host_wait(v->host, done, v, deadline));
}

struct fake_agents *fake_agents_start(struct measure_node *node, const char *master, size_t agents,
                                      size_t tasks_each)
{
    struct fake_agents *v = mem_alloc(sizeof *v + agents * sizeof *v->agents);
    char text[100];

    *v = (struct fake_agents){ .host = node->host, .n = agents, .tasks_each = tasks_each };
    atomic_store(&v->wanted, SIZE_MAX);
    snprintf(text, sizeof text, "master@%s", master);
    for (size_t i = 0; i < agents; i++) {
        struct fake_agent *a = &v->agents[i];

        *a = (struct fake_agent){ .all = v, .index = i };
        fake_agents_id(i, a->id);
        CHECK(runtime_parse_pid(node->runtime, text, &a->master, NULL) == 0);
        CHECK(process_spawn(node->runtime, &a->process, &fake_agent_class, NULL, &a->pid, NULL) ==
              0);
    }
    await(v, are_confirmed);
    return v;
}

void fake_agents_stop(struct fake_agents *v)
{
    for (size_t i = 0; i < v->n; i++) {
        struct fake_agent *a = &v->agents[i];

        process_terminate(&a->pid, TERMINATE_NOW);
        process_wait(&a->pid, MINUTES(1));
        pid_release(&a->pid);
        pid_release(&a->master);
    }
    mem_free(v);
}

void fake_agents_update(struct fake_agents *v, size_t n)
{
    for (size_t i = 0; i < v->n; i++)
        dispatch(&v->agents[i].pid, update, .left = n);
}

void fake_agents_await_acknowledgements(struct fake_agents *v, size_t n)
{
    atomic_store(&v->wanted, n);
    await(v, are_acknowledged);
}
