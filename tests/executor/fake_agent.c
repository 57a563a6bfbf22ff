/* fake_agent.c - the world of the executor's tests */
#include "tests/executor/fake_agent.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mesos/task_state.h"
#include "proto/messages.pb-c.h"

#define AGENT_IP 0x0a000001u
#define EXECUTOR_IP 0x0a000002u
#define AGENT_PORT 5051
#define AGENT_ID "agent-1"

enum what { RUN_TASK, KILL_TASK, SHUT_DOWN, RECONNECT, SEND, ACKNOWLEDGE };

struct order { enum what what; char text[32]; int64_t grace; };

struct fake_agent {
    struct process process;
    struct world *world;
    Pb__AgentID agent_id;
    Pb__AgentInfo agent_info;
    Pb__FrameworkID framework_id;
};

#define MESSAGES(ON)                                                                               \
    ON(pb__register_executor_message, Pb__RegisterExecutorMessage, on_register)                    \
    ON(pb__reregister_executor_message, Pb__ReregisterExecutorMessage, on_reregister)              \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, on_update)                              \
    ON(pb__executor_to_framework_message, Pb__ExecutorToFrameworkMessage, on_message)

HANDLERS(fake_agent, agent_handlers, MESSAGES);
CLASS(fake_agent, "slave", agent_initialize, agent_exited, agent_finalize);
CALL(fake_agent, obey, order, NO_RELEASE);

static void agent_initialize(struct fake_agent *a)
{
    process_install(&a->process, agent_handlers);
}

static void agent_exited(struct fake_agent *a UNUSED, const struct pid *peer UNUSED)
{
}

static void agent_finalize(struct fake_agent *a UNUSED)
{
}

/* ---- what it says by itself ---- */

static void on_register(struct fake_agent *a, const struct pid *from,
                        const Pb__RegisterExecutorMessage *msg)
{
    struct world *w = a->world;
    Pb__ExecutorInfo executor = PB__EXECUTOR_INFO__INIT;
    Pb__FrameworkInfo framework = PB__FRAMEWORK_INFO__INIT;
    Pb__FrameworkInfo__Capability killing = PB__FRAMEWORK_INFO__CAPABILITY__INIT;
    Pb__FrameworkInfo__Capability *capabilities[] = { &killing };
    Pb__ExecutorRegisteredMessage answer = PB__EXECUTOR_REGISTERED_MESSAGE__INIT;

    buffer_printf(&w->heard, "register\n");
    pid_assign(&w->executor, from);
    if (w->refuses_to_answer)
        return;
    executor.executor_id = msg->executor_id;
    framework.user = framework.name = "nobody";
    killing.has_type = 1;
    killing.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__TASK_KILLING_STATE;
    framework.n_capabilities = w->task_killing_state;
    framework.capabilities = capabilities;
    answer.executor_info = &executor;
    answer.framework_id = msg->framework_id;
    answer.framework_info = &framework;
    answer.slave_id = &a->agent_id;
    answer.slave_info = &a->agent_info;
    process_reply(&a->process, &answer.base);
}

static void acknowledge(struct fake_agent *a, const char *task, const uint8_t *uuid)
{
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__StatusUpdateAcknowledgementMessage m = PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;

    id.value = (char *)task;
    m.slave_id = &a->agent_id;
    m.framework_id = &a->framework_id;
    m.task_id = &id;
    m.uuid = (ProtobufCBinaryData){ UUID_SIZE, (uint8_t *)uuid };
    process_send(&a->process, &a->world->executor, &m.base);
}

static void remember(struct world *w, const Pb__StatusUpdate *u)
{
    size_t i = 0;

    ck_assert_uint_eq(u->uuid.len, UUID_SIZE);
    while (i < w->n_unacknowledged &&
           memcmp(w->unacknowledged[i].uuid, u->uuid.data, UUID_SIZE) != 0)
        i++;
    ck_assert_uint_lt(i, ARRAY_SIZE(w->unacknowledged));
    snprintf(w->unacknowledged[i].task, sizeof w->unacknowledged[i].task, "%s",
             u->status->task_id->value);
    memcpy(w->unacknowledged[i].uuid, u->uuid.data, UUID_SIZE);
    if (i == w->n_unacknowledged)
        w->n_unacknowledged++;
}

static void on_update(struct fake_agent *a, const struct pid *from UNUSED,
                      const Pb__StatusUpdateMessage *msg)
{
    const Pb__TaskStatus *s = msg->update->status;
    struct world *w = a->world;

    ck_assert_int_eq(s->source, PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR);
    ck_assert(s->has_timestamp && s->has_uuid && s->executor_id);
    buffer_printf(&w->heard, "update %s %s", s->task_id->value, task_state_name(s->state));
    if (s->has_reason)
        buffer_printf(&w->heard, " %s", task_state_reason_name(s->reason, TASK_STATE_V1));
    buffer_printf(&w->heard, s->message ? " '%s'\n" : "\n", s->message);
    if (w->acknowledges)
        acknowledge(a, s->task_id->value, msg->update->uuid.data);
    else
        remember(w, msg->update);
}

static void on_reregister(struct fake_agent *a, const struct pid *from UNUSED,
                          const Pb__ReregisterExecutorMessage *msg)
{
    struct world *w = a->world;
    Pb__ExecutorReregisteredMessage answer = PB__EXECUTOR_REREGISTERED_MESSAGE__INIT;

    buffer_printf(&w->heard, "reregister");
    for (size_t i = 0; i < msg->n_tasks; i++)
        buffer_printf(&w->heard, " %s", msg->tasks[i]->task_id->value);
    w->n_unacknowledged = 0;
    for (size_t i = 0; i < msg->n_updates; i++) {
        buffer_printf(&w->heard, " %s:%s", msg->updates[i]->status->task_id->value,
                      task_state_name(msg->updates[i]->status->state));
        remember(w, msg->updates[i]);
    }
    buffer_printf(&w->heard, "\n");
    answer.slave_id = &a->agent_id;
    answer.slave_info = &a->agent_info;
    process_reply(&a->process, &answer.base);
}

static void on_message(struct fake_agent *a, const struct pid *from UNUSED,
                       const Pb__ExecutorToFrameworkMessage *msg)
{
    buffer_printf(&a->world->heard, "message %.*s\n", (int)msg->data.len,
                  (const char *)msg->data.data);
}

/* ---- what it is told to say ---- */

static void run_task(struct fake_agent *a, const char *id)
{
    struct world *w = a->world;
    Pb__FrameworkInfo framework = PB__FRAMEWORK_INFO__INIT;
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__TaskInfo task = PB__TASK_INFO__INIT;
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    Pb__KillPolicy policy = PB__KILL_POLICY__INIT;
    Pb__DurationInfo grace = PB__DURATION_INFO__INIT, most = PB__DURATION_INFO__INIT;
    Pb__RunTaskMessage m = PB__RUN_TASK_MESSAGE__INIT;

    framework.user = framework.name = "nobody";
    task_id.value = (char *)id;
    task.name = (char *)id;
    task.task_id = &task_id;
    task.agent_id = &a->agent_id;
    command.value = (char *)w->command;
    task.command = w->command ? &command : NULL;
    grace.nanoseconds = SECONDS(w->grace).ns;
    policy.grace_period = &grace;
    task.kill_policy = w->grace ? &policy : NULL;
    most.nanoseconds = SECONDS(w->max_completion).ns;
    task.max_completion_time = w->max_completion ? &most : NULL;
    m.framework = &framework;
    m.task = &task;
    process_send(&a->process, &w->executor, &m.base);
}

static void kill_task(struct fake_agent *a, const char *id, int64_t seconds)
{
    Pb__TaskID task = PB__TASK_ID__INIT;
    Pb__KillPolicy policy = PB__KILL_POLICY__INIT;
    Pb__DurationInfo grace = PB__DURATION_INFO__INIT;
    Pb__KillTaskMessage m = PB__KILL_TASK_MESSAGE__INIT;

    task.value = (char *)id;
    grace.nanoseconds = SECONDS(seconds).ns;
    policy.grace_period = &grace;
    m.framework_id = &a->framework_id;
    m.task_id = &task;
    m.kill_policy = seconds >= 0 ? &policy : NULL;
    process_send(&a->process, &a->world->executor, &m.base);
}

static void reconnect(struct fake_agent *a, const char *id)
{
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__ReconnectExecutorMessage m = PB__RECONNECT_EXECUTOR_MESSAGE__INIT;

    agent.value = (char *)id;
    m.slave_id = &agent;
    process_send(&a->process, &a->world->executor, &m.base);
}

static void send_text(struct fake_agent *a, const char *text)
{
    Pb__FrameworkToExecutorMessage m = PB__FRAMEWORK_TO_EXECUTOR_MESSAGE__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;

    executor.value = "executor-1";
    m.slave_id = &a->agent_id;
    m.framework_id = &a->framework_id;
    m.executor_id = &executor;
    m.data = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    process_send(&a->process, &a->world->executor, &m.base);
}

static void obey(struct fake_agent *a, struct order *o)
{
    Pb__ShutdownExecutorMessage shutdown = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;
    struct world *w = a->world;

    switch (o->what) {
    case RUN_TASK:
        run_task(a, o->text);
        break;
    case KILL_TASK:
        kill_task(a, o->text, o->grace);
        break;
    case SHUT_DOWN:
        process_send(&a->process, &w->executor, &shutdown.base);
        break;
    case RECONNECT:
        reconnect(a, o->text);
        break;
    case SEND:
        send_text(a, o->text);
        break;
    case ACKNOWLEDGE:
        acknowledge(a, w->unacknowledged[0].task, w->unacknowledged[0].uuid);
        break;
    }
}

static void give_order(struct world *w, enum what what, const char *text, int64_t grace)
{
    struct order o = { .what = what, .grace = grace };

    snprintf(o.text, sizeof o.text, "%s", text);
    obey__dispatch(&w->agent->process.pid, o);
}

void agent_run_task(struct world *w, const char *id)
{
    give_order(w, RUN_TASK, id, 0);
}

void agent_kill_task(struct world *w, const char *id, int64_t grace)
{
    give_order(w, KILL_TASK, id, grace);
}

void agent_shut_down(struct world *w)
{
    give_order(w, SHUT_DOWN, "", 0);
}

void agent_reconnect(struct world *w, const char *id)
{
    give_order(w, RECONNECT, id, 0);
}

void agent_send(struct world *w, const char *text)
{
    give_order(w, SEND, text, 0);
}

void agent_acknowledge_again(struct world *w)
{
    give_order(w, ACKNOWLEDGE, "", 0);
    sim_run_for(w->sim, SECONDS(1));
}

void agent_acknowledge(struct world *w)
{
    ck_assert_uint_gt(w->n_unacknowledged, 0);
    agent_acknowledge_again(w);
    w->n_unacknowledged--;
    memmove(&w->unacknowledged[0], &w->unacknowledged[1],
            w->n_unacknowledged * sizeof w->unacknowledged[0]);
}

/* ---- the world ---- */

static struct runtime *start_runtime(struct world *w, struct host *h, uint32_t ip, uint16_t port)
{
    struct runtime_options options = { .bind = { ip, port }, .workers = 1, .log = w->log };
    struct error err;
    struct runtime *rt = runtime_create(h, &options, &err);

    ck_assert_msg(rt != NULL, "%s", rt ? "" : err.text);
    return rt;
}

void world_start_agent(struct world *w)
{
    struct error err;

    w->agent_host = sim_host_create(w->agent_node, "agent");
    w->agent_runtime = start_runtime(w, w->agent_host, AGENT_IP, AGENT_PORT);
    w->agent = mem_alloc(sizeof *w->agent);
    w->agent->world = w;
    pb__agent_id__init(&w->agent->agent_id);
    pb__agent_info__init(&w->agent->agent_info);
    pb__framework_id__init(&w->agent->framework_id);
    w->agent->agent_id.value = AGENT_ID;
    w->agent->agent_info.hostname = "agent";
    w->agent->framework_id.value = "framework-1";
    ck_assert_int_eq(process_spawn(w->agent_runtime, &w->agent->process, &fake_agent_class,
                                   "slave(1)", NULL, &err),
                     0);
}

void world_kill_agent(struct world *w)
{
    sim_host_kill(w->agent_host);
    runtime_destroy(w->agent_runtime);
    host_destroy(w->agent_host);
    mem_free(w->agent);
    w->agent = NULL;
}

void world_start(struct world *w)
{
    struct address agent = { AGENT_IP, AGENT_PORT };

    *w = (struct world){ .sim = sim_create((uint64_t)1), .acknowledges = true };
    w->log = log_create(NULL, NULL, NULL, NULL);
    log_set_level(w->log, LOG_ERROR);
    w->agent_node = sim_node_create(w->sim, "agent", AGENT_IP);
    w->executor_node = sim_node_create(w->sim, "executor", EXECUTOR_IP);
    w->agent_pid = pid_create("slave(1)", agent);
    world_start_agent(w);
    w->executor_host = sim_host_create(w->executor_node, "executor");
    w->executor_runtime = start_runtime(w, w->executor_host, EXECUTOR_IP, 0);
}

void world_stop(struct world *w)
{
    if (w->agent)
        world_kill_agent(w);
    runtime_destroy(w->executor_runtime);
    host_destroy(w->executor_host);
    pid_release(&w->executor);
    pid_release(&w->agent_pid);
    buffer_release(&w->heard);
    buffer_release(&w->told);
    sim_destroy(w->sim);
    log_destroy(w->log);
}

struct executor_options world_options(struct world *w)
{
    return (struct executor_options){ .agent = w->agent_pid,
                                      .framework_id = "framework-1",
                                      .executor_id = "executor-1",
                                      .recovery_timeout = MINUTES(15),
                                      .shutdown_grace = SECONDS(5) };
}

/* ---- looking ---- */

struct expectation { const struct buffer *lines; size_t length; };

static bool is_long_enough(void *arg)
{
    struct expectation *e = arg;

    return buffer_length(e->lines) >= e->length;
}

void check_lines(struct world *w, struct buffer *lines, const char *text)
{
    struct expectation e = { lines, strlen(text) };

    sim_run_until(w->sim, is_long_enough, &e, MINUTES(30));
    ck_assert_str_eq(buffer_data(lines), text);
    buffer_clear(lines);
}

bool has_ended(struct world *w, const struct pid *pid)
{
    struct pid found;
    bool there = runtime_find(w->executor_runtime, pid->id->bytes, &found);

    if (there)
        pid_release(&found);
    return !there;
}

struct life { struct world *world; const struct pid *pid; };

static bool life_is_over(void *arg)
{
    struct life *l = arg;

    return has_ended(l->world, l->pid);
}

void check_ended(struct world *w, const struct pid *pid)
{
    struct life l = { w, pid };

    ck_assert(sim_run_until(w->sim, life_is_over, &l, MINUTES(30)));
}
