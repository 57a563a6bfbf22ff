/* agent_place.c - a simulated agent and its fake master */
#include "agent_place.h"

#include <check.h>
#include <string.h>

#include "agent/agent.h"
#include "base/error.h"
#include "base/memory.h"
#include "tests/cluster/ledger.h"
#include "tests/cluster/sim_launcher.h"
#include "mesos/resources.h"
#include "process/message.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"

#define MASTER_IP 0x0a000001u
#define AGENT_IP 0x0a000002u
#define LIMIT MINUTES(10)

struct fake_master {
    struct process process;
    struct pid pid, agent;
    struct list told;
    bool acknowledges;
};

#define MESSAGES(ON)                                                                               \
    ON(pb__register_slave_message, Pb__RegisterSlaveMessage, on_register)                          \
    ON(pb__reregister_slave_message, Pb__ReregisterSlaveMessage, on_reregister)                    \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, on_update)                              \
    ON(pb__update_slave_message, Pb__UpdateSlaveMessage, on_agent_update)                          \
    ON(pb__exited_executor_message, Pb__ExitedExecutorMessage, on_exited_executor)                 \
    ON(pb__unregister_slave_message, Pb__UnregisterSlaveMessage, on_unregister)                    \
    ON(pb__pong_slave_message, Pb__PongSlaveMessage, on_pong)
HANDLERS(fake_master, fake_handlers, MESSAGES);
CLASS(fake_master, "master", fake_initialize, fake_exited, fake_finalize);

struct give_args { struct message *message; };
static void give_args_release(struct give_args *g) { message_unref(g->message); }
CALL(fake_master, give, give_args, give_args_release);

static void fake_initialize(struct fake_master *m)
{
    process_install(&m->process, fake_handlers);
}

static void fake_exited(struct fake_master *m UNUSED, const struct pid *peer UNUSED) {}

static void fake_finalize(struct fake_master *m)
{
    list_each_safe (t, &m->told, struct told, link) {
        list_remove(&t->link);
        message_unref(t->message);
        mem_free(t);
    }
}

static void keep(struct fake_master *m)
{
    struct told *t = mem_alloc(sizeof *t);

    t->message = message_ref(process_message(&m->process));
    list_append(&m->told, &t->link);
}

static void on_register(struct fake_master *m, const struct pid *from,
                        const Pb__RegisterSlaveMessage *msg UNUSED)
{
    Pb__SlaveRegisteredMessage answer = PB__SLAVE_REGISTERED_MESSAGE__INIT;
    Pb__AgentID id = PB__AGENT_ID__INIT;

    keep(m);
    pid_assign(&m->agent, from);
    id.value = PLACE_AGENT;
    answer.slave_id = &id;
    process_reply(&m->process, &answer.base);
}

static void on_reregister(struct fake_master *m, const struct pid *from,
                          const Pb__ReregisterSlaveMessage *msg)
{
    Pb__SlaveReregisteredMessage answer = PB__SLAVE_REREGISTERED_MESSAGE__INIT;

    keep(m);
    pid_assign(&m->agent, from);
    answer.slave_id = msg->slave->id;
    process_reply(&m->process, &answer.base);
}

static void acknowledge(struct fake_master *m, const Pb__StatusUpdate *u)
{
    Pb__StatusUpdateAcknowledgementMessage answer =
        PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;

    answer.slave_id = u->slave_id;
    answer.framework_id = u->framework_id;
    answer.task_id = u->status->task_id;
    answer.uuid = u->uuid;
    process_send(&m->process, &m->agent, &answer.base);
}

static void on_update(struct fake_master *m, const struct pid *from UNUSED,
                      const Pb__StatusUpdateMessage *msg)
{
    keep(m);
    if (m->acknowledges)
        acknowledge(m, msg->update);
}

#define KEEP(name, Type)                                                                           \
    static void name(struct fake_master *m, const struct pid *from UNUSED, const Type *msg UNUSED) \
    {                                                                                              \
        keep(m);                                                                                   \
    }
KEEP(on_agent_update, Pb__UpdateSlaveMessage)
KEEP(on_exited_executor, Pb__ExitedExecutorMessage)
KEEP(on_unregister, Pb__UnregisterSlaveMessage)
KEEP(on_pong, Pb__PongSlaveMessage)

static void give(struct fake_master *m, struct give_args *g)
{
    process_send(&m->process, &m->agent, g->message->body);
}

void place_send(struct agent_place *p, const ProtobufCMessage *msg)
{
    dispatch(&p->master->pid, give, .message = message_create(msg));
}

void place_acknowledge_all(struct agent_place *p, bool on)
{
    p->master->acknowledges = on;
}

void place_acknowledge(struct agent_place *p, const Pb__StatusUpdate *u)
{
    Pb__StatusUpdateAcknowledgementMessage msg = PB__STATUS_UPDATE_ACKNOWLEDGEMENT_MESSAGE__INIT;

    msg.slave_id = u->slave_id;
    msg.framework_id = u->framework_id;
    msg.task_id = u->status->task_id;
    msg.uuid = u->uuid;
    place_send(p, &msg.base);
}

struct list *place_told(struct agent_place *p)
{
    return &p->master->told;
}

/* ---- the world ---- */

static struct runtime *make_runtime(struct host *h, uint32_t ip, uint16_t port)
{
    struct runtime_options options = { .bind = { ip, port }, .workers = 1 };
    struct error err;
    struct runtime *rt = runtime_create(h, &options, &err);

    ck_assert_msg(rt != NULL, "%s", rt ? "" : err.text);
    return rt;
}

static void start_master(struct agent_place *p)
{
    struct error err;

    p->master_host = sim_host_create(p->master_node, "master");
    p->master_rt = make_runtime(p->master_host, MASTER_IP, 5050);
    p->master = mem_alloc(sizeof *p->master);
    list_init(&p->master->told);
    p->master->acknowledges = true;
    ck_assert_int_eq(process_spawn(p->master_rt, &p->master->process, &fake_master_class, "master",
                                   &p->master->pid, &err), 0);
}

int place_start_agent(struct agent_place *p, struct error *err)
{
    struct agent_options options = { 0 };
    char *words[16] = { (char *)"agent", (char *)"--work_dir=/var/lib/agent",
                        (char *)"--master=10.0.0.1:5050",
                        (char *)"--hostname=agent.example", (char *)"--no-switch_user" };
    char *none[] = { NULL };
    int n = 5;
    bool help;

    for (size_t i = 0; i < ARRAY_SIZE(p->flags) && p->flags[i]; i++)
        words[n++] = (char *)p->flags[i];
    p->agent_host = sim_host_create(p->agent_node, "agent");
    p->agent_rt =
        make_runtime(p->agent_host, AGENT_IP, p->agent_port ? p->agent_port : 5051);
    ck_assert_int_eq(flags_parse(agent_flags, &options, n, words, none, &help, NULL, err), 0);
    p->agent = agent_create(p->agent_rt, &options, err);
    flags_release(agent_flags, &options);
    if (p->agent)
        return 0;
    place_stop_agent(p);
    return -1;
}

void place_stop_agent(struct agent_place *p)
{
    agent_destroy(p->agent);
    runtime_destroy(p->agent_rt);
    host_destroy(p->agent_host);
    p->agent = NULL;
    p->agent_rt = NULL;
    p->agent_host = NULL;
}

void place_kill_agent(struct agent_place *p)
{
    sim_host_kill(p->agent_host);
    place_stop_agent(p);
}

void place_start(struct agent_place *p)
{
    struct error err;

    if (!p->flags[0])
        p->flags[0] = "--resources=cpus:4;mem:4096;disk:1000;ports:[31000-31009]";
    p->ledger = ledger_create();
    p->sim = sim_create(1);
    sim_launcher_add_programs(p->sim);
    p->master_node = sim_node_create(p->sim, "master.example", MASTER_IP);
    p->agent_node = sim_node_create(p->sim, "agent.example", AGENT_IP);
    start_master(p);
    ck_assert_msg(place_start_agent(p, &err) == 0, "%s", err.text);
    place_await_registration(p);
}

void place_stop(struct agent_place *p)
{
    if (p->agent_host)
        place_stop_agent(p);
    ck_assert_str_eq(p->ledger->violation, "");
    process_terminate(&p->master->pid, TERMINATE_NOW);
    runtime_destroy(p->master_rt);
    pid_release(&p->master->pid);
    pid_release(&p->master->agent);
    mem_free(p->master);
    host_destroy(p->master_host);
    sim_destroy(p->sim);
    ledger_destroy(p->ledger);
}

/* ---- what was told ---- */

unsigned place_count(struct agent_place *p, const ProtobufCMessageDescriptor *type)
{
    unsigned n = 0;

    list_each (t, place_told(p), struct told, link)
        n += t->message->body->descriptor == type;
    return n;
}

const void *place_last(struct agent_place *p, const ProtobufCMessageDescriptor *type)
{
    const void *last = NULL;

    list_each (t, place_told(p), struct told, link)
        if (t->message->body->descriptor == type)
            last = t->message->body;
    return last;
}

const Pb__StatusUpdate *place_update(struct agent_place *p, const char *task)
{
    const Pb__StatusUpdate *last = NULL;

    list_each (t, place_told(p), struct told, link)
        if (t->message->body->descriptor == &pb__status_update_message__descriptor) {
            const Pb__StatusUpdate *u =
                ((const Pb__StatusUpdateMessage *)t->message->body)->update;

            if (strcmp(u->status->task_id->value, task) == 0)
                last = u;
        }
    return last;
}

unsigned place_updates(struct agent_place *p, const char *task, Pb__TaskState state)
{
    unsigned n = 0;

    list_each (t, place_told(p), struct told, link)
        if (t->message->body->descriptor == &pb__status_update_message__descriptor) {
            const Pb__StatusUpdate *u =
                ((const Pb__StatusUpdateMessage *)t->message->body)->update;

            n += strcmp(u->status->task_id->value, task) == 0 && u->status->state == state;
        }
    return n;
}

/* ---- tasks ---- */

static const char *resources_text(const struct place_task *t, char *text, size_t size)
{
    snprintf(text, size, "cpus:%s;mem:32", t->cpus ? t->cpus : "1");
    return text;
}

void place_run(struct agent_place *p, const struct place_task *t)
{
    Pb__RunTaskMessage msg = PB__RUN_TASK_MESSAGE__INIT;
    Pb__FrameworkInfo framework = PB__FRAMEWORK_INFO__INIT;
    Pb__FrameworkID framework_id = PB__FRAMEWORK_ID__INIT;
    Pb__FrameworkInfo__Capability aware = PB__FRAMEWORK_INFO__CAPABILITY__INIT;
    Pb__FrameworkInfo__Capability *capabilities[] = { &aware };
    Pb__TaskInfo task = PB__TASK_INFO__INIT;
    Pb__TaskID task_id = PB__TASK_ID__INIT;
    Pb__AgentID agent_id = PB__AGENT_ID__INIT;
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    Pb__CommandInfo__URI uri = PB__COMMAND_INFO__URI__INIT, *uris[] = { &uri };
    Pb__ExecutorInfo executor = PB__EXECUTOR_INFO__INIT;
    Pb__ExecutorID executor_id = PB__EXECUTOR_ID__INIT;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    CLEANUP(resources_release) struct resources resources = RESOURCES_INIT;
    struct error err;
    char text[64];

    framework_id.value = PLACE_FRAMEWORK;
    framework.id = &framework_id;
    framework.user = "root";
    framework.name = "test";
    framework.has_checkpoint = framework.checkpoint = !t->no_checkpoint;
    aware.has_type = 1;
    aware.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    framework.capabilities = capabilities;
    framework.n_capabilities = !t->not_partition_aware;
    task_id.value = t->id;
    agent_id.value = PLACE_AGENT;
    task.name = t->id;
    task.task_id = &task_id;
    task.agent_id = &agent_id;
    ck_assert_int_eq(resources_parse(resources_text(t, text, sizeof text), "*", &resources, &err),
                     0);
    resources_allocate(&resources, "*");
    task.resources = resources_to_protobuf(&resources, RESOURCE_POST_REFINEMENT, &arena,
                                           &task.n_resources);
    command.value = t->executor ? "exec sim-executor" : t->command;
    uri.value = t->uri;
    command.uris = uris;
    command.n_uris = t->uri != NULL;
    executor_id.value = t->executor;
    executor.executor_id = &executor_id;
    executor.command = &command;
    if (t->executor) {
        task.executor = &executor;
        task.has_data = 1;
        task.data = (ProtobufCBinaryData){ strlen(t->command), (uint8_t *)t->command };
    } else {
        task.command = &command;
    }
    msg.framework = &framework;
    msg.task = &task;
    place_send(p, &msg.base);
}

void place_kill(struct agent_place *p, const char *task)
{
    Pb__KillTaskMessage msg = PB__KILL_TASK_MESSAGE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;

    framework.value = PLACE_FRAMEWORK;
    id.value = task;
    msg.framework_id = &framework;
    msg.task_id = &id;
    place_send(p, &msg.base);
}

unsigned place_starts(struct agent_place *p, const char *task)
{
    struct ledger_task *t = ledger_find(p->ledger, PLACE_FRAMEWORK, task);

    return t ? t->starts : 0;
}

/* ---- waiting ---- */

struct wanted {
    struct agent_place *place;
    const char *task;
    Pb__TaskState state;
    const ProtobufCMessageDescriptor *type;
    unsigned n;
};

static bool state_was_told(void *arg)
{
    struct wanted *w = arg;

    return place_updates(w->place, w->task, w->state) > 0;
}

static bool count_was_told(void *arg)
{
    struct wanted *w = arg;

    return place_count(w->place, w->type) >= w->n;
}

void place_await_state(struct agent_place *p, const char *task, Pb__TaskState state)
{
    struct wanted w = { .place = p, .task = task, .state = state };
    const Pb__StatusUpdate *u;

    if (sim_run_until(p->sim, state_was_told, &w, LIMIT))
        return;
    u = place_update(p, task);
    ck_abort_msg("task %s never came to state %d; its last is %d: %s", task, state,
                 u ? (int)u->status->state : -1, u && u->status->message ? u->status->message : "");
}

void place_await_count(struct agent_place *p, const ProtobufCMessageDescriptor *type, unsigned n)
{
    struct wanted w = { .place = p, .type = type, .n = n };

    ck_assert_msg(sim_run_until(p->sim, count_was_told, &w, LIMIT), "no %s came", type->name);
}

void place_await_registration(struct agent_place *p)
{
    place_await_count(p, &pb__update_slave_message__descriptor,
                      place_count(p, &pb__update_slave_message__descriptor) + 1);
}

void place_pass(struct agent_place *p, struct duration d)
{
    sim_run_for(p->sim, d);
}

void place_check(struct agent_place *p)
{
    struct error err;

    ck_assert_msg(agent_check_invariants(p->agent, &err) == 0, "%s", err.text);
}
