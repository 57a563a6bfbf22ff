/* master_place.h - a master in the simulated world, with agents and schedulers played by the test
 *
 * Each player is an actor on a node of its own that keeps what it is sent; the
 * test says what it sends.  Agents answer pings unless they are mute.  The
 * master's books are checked before every step of the world.
 */
#ifndef MASTER_PLACE_H
#define MASTER_PLACE_H

#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/election.h"
#include "master/master.h"
#include "mesos/resources.h"
#include "process/host.h"
#include "process/message.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

enum { PLAYERS = 8 };

struct mail {
    struct message *message;
    struct list link;
};

struct player {
    struct process process;
    struct sim_node *node;
    struct host *host;
    struct runtime *rt;
    struct pid pid, master;
    struct list inbox, read;
    bool mute, exited;
};

struct place {
    struct sim *sim;
    struct sim_node *node;
    struct host *host;
    struct runtime *rt;
    struct log *log;
    struct master *master;
    struct master_options options;
    struct election *election; /* of the next master; NULL: it leads */
    struct arena arena; /* of the messages that the test makes */
    struct player players[PLAYERS];
    size_t n;
};

/* ---- players ---- */

CLASS(player, "player", player_begins, player_exited, player_ends);

static void player_ends(struct player *p)
{
    (void)p;
}
static void player_exited(struct player *p, const struct pid *peer)
{
    (void)peer;
    p->exited = true;
}

static void player_keep(struct process *self, const struct pid *from, const ProtobufCMessage *msg)
{
    struct player *p = STATE_(player, self);
    struct mail *mail;

    if (msg->descriptor == &pb__ping_slave_message__descriptor) {
        Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;

        if (!p->mute)
            process_send(self, from, &pong.base);
        return;
    }
    mail = mem_alloc(sizeof *mail);
    mail->message = message_create(msg);
    list_append(&p->inbox, &mail->link);
}

static const struct process_handler player_handlers[] = {
    { &pb__ping_slave_message__descriptor, player_keep },
    { &pb__slave_registered_message__descriptor, player_keep },
    { &pb__slave_reregistered_message__descriptor, player_keep },
    { &pb__shutdown_message__descriptor, player_keep },
    { &pb__run_task_message__descriptor, player_keep },
    { &pb__run_task_group_message__descriptor, player_keep },
    { &pb__kill_task_message__descriptor, player_keep },
    { &pb__status_update_acknowledgement_message__descriptor, player_keep },
    { &pb__shutdown_framework_message__descriptor, player_keep },
    { &pb__shutdown_executor_message__descriptor, player_keep },
    { &pb__update_framework_message__descriptor, player_keep },
    { &pb__framework_to_executor_message__descriptor, player_keep },
    { &pb__framework_registered_message__descriptor, player_keep },
    { &pb__framework_reregistered_message__descriptor, player_keep },
    { &pb__framework_error_message__descriptor, player_keep },
    { &pb__resource_offers_message__descriptor, player_keep },
    { &pb__rescind_resource_offer_message__descriptor, player_keep },
    { &pb__status_update_message__descriptor, player_keep },
    { &pb__lost_slave_message__descriptor, player_keep },
    { &pb__exited_executor_message__descriptor, player_keep },
    { &pb__executor_to_framework_message__descriptor, player_keep },
    { NULL, NULL },
};

static void player_begins(struct player *p)
{
    process_install(&p->process, player_handlers);
    process_link(&p->process, &p->master, LINK_REUSE);
}

struct player_mail {
    struct message *message;
};
static void player_mail_release(struct player_mail *m)
{
    message_unref(m->message);
}
CALL(player, player_send, player_mail, player_mail_release);

static void player_send(struct player *p, struct player_mail *m)
{
    process_send(&p->process, &p->master, m->message->body);
}

UNUSED static void say(struct player *p, const ProtobufCMessage *msg)
{
    dispatch(&p->pid, player_send, .message = message_create(msg));
}

/* ---- the place ---- */

static void place_check(void *arg)
{
    struct place *w = arg;
    struct error err;

    if (w->master && master_check_invariants(w->master, &err) < 0)
        ck_abort_msg("the books are wrong: %s", err.text);
}

static struct runtime *place_runtime(struct host *host, uint32_t ip, uint16_t port, struct log *log)
{
    struct runtime_options options = { .bind = { .ip = ip, .port = port },
                                       .workers = 1,
                                       .log = log };
    struct error err;
    struct runtime *rt = runtime_create(host, &options, &err);

    ck_assert_msg(rt != NULL, "no runtime");
    return rt;
}

static void place_swallow(void *arg, const char *line, size_t length)
{
    (void)arg;
    if (getenv("MASTER_PLACE_LOG"))
        fwrite(line, 1, length, stderr);
}

#define MASTER_IP 0x0a000001u

static void place_start_master(struct place *w)
{
    struct error err = { 0, "" };

    w->host = sim_host_create(w->node, "master");
    w->rt = place_runtime(w->host, MASTER_IP, 5050, w->log);
    w->master = w->election ? master_create_candidate(w->rt, &w->options, w->election, &err)
                            : master_create(w->rt, &w->options, &err);
    w->election = NULL;
    ck_assert_msg(w->master != NULL, "no master: %s", err.text);
}

/* As by kill -9; its disk stays. */
UNUSED static void place_kill_master(struct place *w)
{
    struct master *m = w->master;

    w->master = NULL;
    sim_host_kill(w->host);
    master_destroy(m);
    runtime_destroy(w->rt);
    host_destroy(w->host);
}

UNUSED static void place_start_candidate(struct place *w, uint64_t seed, struct election *election)
{
    memset(w, 0, sizeof *w);
    w->election = election;
    w->options = (struct master_options){
        .work_dir = (char *)"/var/lib/mesos",
        .registry = (char *)"in_memory",
        .min_allocatable_resources = (char *)"cpus:0.01|mem:32",
        .agent_ping_timeout = SECONDS(15),
        .max_agent_ping_timeouts = 5,
        .agent_reregister_timeout = MINUTES(10),
        .allocation_interval = SECONDS(1),
        .max_completed_frameworks = 50,
        .max_operator_event_stream_subscribers = 1000,
        .operator_event_stream_backlog = 1 << 20,
        .max_completed_tasks_per_framework = 1000,
        .max_unreachable_tasks_per_framework = 1000,
        .root_submissions = true,
        .publish_per_framework_metrics = true,
    };
    w->sim = sim_create(seed);
    w->log = log_create(place_swallow, NULL, NULL, NULL);
    w->node = sim_node_create(w->sim, "master", MASTER_IP);
    place_start_master(w);
    sim_set_observer(w->sim, place_check, w);
}

UNUSED static void place_start_seeded(struct place *w, uint64_t seed)
{
    place_start_candidate(w, seed, NULL);
}

UNUSED static void place_start(struct place *w)
{
    place_start_seeded(w, 7);
}

UNUSED static struct player *place_add(struct place *w, const char *id, uint16_t port)
{
    struct player *p = &w->players[w->n++];
    uint32_t ip = MASTER_IP + (uint32_t)w->n;
    char name[20];

    list_init(&p->inbox);
    list_init(&p->read);
    snprintf(name, sizeof name, "player%zu", w->n);
    p->node = sim_node_create(w->sim, name, ip);
    p->host = sim_host_create(p->node, name);
    p->rt = place_runtime(p->host, ip, port, w->log);
    p->master = pid_create("master", (struct address){ MASTER_IP, 5050 });
    ck_assert_int_eq(process_spawn(p->rt, &p->process, &player_class, id, &p->pid, NULL), 0);
    return p;
}

/* As by kill -9. */
static void player_end(struct player *p)
{
    if (!p->rt)
        return;
    sim_host_kill(p->host);
    runtime_destroy(p->rt);
    host_destroy(p->host);
    p->rt = NULL;
    pid_release(&p->pid);
    pid_release(&p->master);
}

static void player_release(struct player *p)
{
    player_end(p);
    list_splice(&p->inbox, &p->read);
    list_each_safe (mail, &p->inbox, struct mail, link) {
        list_remove(&mail->link);
        message_unref(mail->message);
        mem_free(mail);
    }
}

UNUSED static void place_stop(struct place *w)
{
    sim_set_observer(w->sim, NULL, NULL);
    for (size_t i = 0; i < w->n; i++)
        player_release(&w->players[i]);
    master_destroy(w->master);
    runtime_destroy(w->rt);
    host_destroy(w->host);
    sim_destroy(w->sim);
    log_destroy(w->log);
    arena_release(&w->arena);
}

/* ---- waiting ---- */

struct wanted {
    struct player *p;
    const ProtobufCMessageDescriptor *type;
    struct mail *found;
};

static bool player_has(void *arg)
{
    struct wanted *w = arg;

    list_each (mail, &w->p->inbox, struct mail, link)
        if (mail->message->body->descriptor == w->type) {
            w->found = mail;
            return true;
        }
    return false;
}

/* The oldest unread message of that type, now or within `limit`; NULL: none. */
UNUSED static const ProtobufCMessage *player_wait(struct place *w, struct player *p,
                                                  const ProtobufCMessageDescriptor *type,
                                                  struct duration limit)
{
    struct wanted wanted = { p, type, NULL };

    if (!sim_run_until(w->sim, player_has, &wanted, limit))
        return NULL;
    list_remove(&wanted.found->link);
    list_append(&p->read, &wanted.found->link);
    return wanted.found->message->body;
}

UNUSED static const ProtobufCMessage *player_expect(struct place *w, struct player *p,
                                                    const ProtobufCMessageDescriptor *type)
{
    const ProtobufCMessage *msg = player_wait(w, p, type, HOURS(1));

    ck_assert_msg(msg != NULL, "no %s came", type->name);
    return msg;
}

#define EXPECT(w, p, prefix, Type) ((const Type *)player_expect((w), (p), &prefix##__descriptor))
#define EXPECT_NONE(w, p, prefix)                                                                  \
    ck_assert(!player_wait((w), (p), &prefix##__descriptor, SECONDS(3)))

/* ---- what players say ---- */

#define MAKE(w, Type, init, name)                                                                  \
    Type *name = arena_alloc(&(w)->arena, sizeof *name);                                           \
    init(name)

#define ID_MAKER(Type, init, name)                                                                 \
    UNUSED static Type *name(struct place *w, const char *value)                                   \
    {                                                                                              \
        MAKE(w, Type, init, id);                                                                   \
        id->value = arena_strdup(&w->arena, value);                                                \
        return id;                                                                                 \
    }
ID_MAKER(Pb__AgentID, pb__agent_id__init, make_agent_id)
ID_MAKER(Pb__FrameworkID, pb__framework_id__init, make_framework_id)
ID_MAKER(Pb__TaskID, pb__task_id__init, make_task_id)
ID_MAKER(Pb__ExecutorID, pb__executor_id__init, make_executor_id)
ID_MAKER(Pb__OfferID, pb__offer_id__init, make_offer_id)

static Pb__Resource **make_resources(struct place *w, const char *text, size_t *ret_n)
{
    struct resources r;
    Pb__Resource **v;

    ck_assert_int_eq(resources_parse(text, "*", &r, NULL), 0);
    v = resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, &w->arena, ret_n);
    resources_release(&r);
    return v;
}

static Pb__AgentInfo *make_agent_info(struct place *w, const char *id)
{
    MAKE(w, Pb__AgentInfo, pb__agent_info__init, info);
    info->hostname = "agent.example";
    info->has_port = true;
    info->port = 5051;
    info->resources = make_resources(w, "cpus:4;mem:1024", &info->n_resources);
    info->id = id ? make_agent_id(w, id) : NULL;
    return info;
}

UNUSED static void say_register(struct place *w, struct player *p)
{
    Pb__RegisterSlaveMessage msg = PB__REGISTER_SLAVE_MESSAGE__INIT;

    msg.slave = make_agent_info(w, NULL);
    msg.version = "1.11.0";
    say(p, &msg.base);
}

UNUSED static void say_reregister(struct place *w, struct player *p, const char *id, size_t n_tasks,
                                  Pb__Task **tasks, Pb__FrameworkInfo *framework)
{
    Pb__ReregisterSlaveMessage msg = PB__REREGISTER_SLAVE_MESSAGE__INIT;

    msg.slave = make_agent_info(w, id);
    msg.version = "1.11.0";
    msg.n_tasks = n_tasks;
    msg.tasks = tasks;
    msg.n_frameworks = framework ? 1 : 0;
    msg.frameworks = &framework;
    say(p, &msg.base);
}

/* With the id that the master gave it. */
UNUSED static const char *join(struct place *w, struct player *p)
{
    say_register(w, p);
    return EXPECT(w, p, pb__slave_registered_message, Pb__SlaveRegisteredMessage)->slave_id->value;
}

UNUSED static Pb__FrameworkInfo *make_framework_info(struct place *w, const char *id,
                                                     double failover, bool aware)
{
    MAKE(w, Pb__FrameworkInfo, pb__framework_info__init, info);
    MAKE(w, Pb__FrameworkInfo__Capability, pb__framework_info__capability__init, capability);
    capability->has_type = true;
    capability->type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    info->user = "nobody";
    info->name = "played";
    info->has_failover_timeout = info->has_checkpoint = true;
    info->failover_timeout = failover;
    info->checkpoint = true;
    info->id = id ? make_framework_id(w, id) : NULL;
    info->capabilities = arena_alloc(&w->arena, sizeof *info->capabilities);
    info->capabilities[0] = capability;
    info->n_capabilities = aware ? 1 : 0;
    return info;
}

UNUSED static PbScheduler__Call *make_call(struct place *w, const char *id,
                                           PbScheduler__Call__Type type)
{
    MAKE(w, PbScheduler__Call, pb_scheduler__call__init, call);
    call->framework_id = id ? make_framework_id(w, id) : NULL;
    call->has_type = true;
    call->type = type;
    return call;
}

UNUSED static void say_subscribe(struct place *w, struct player *p, Pb__FrameworkInfo *info,
                                 bool force)
{
    PbScheduler__Call *call =
        make_call(w, info->id ? info->id->value : NULL, PB_SCHEDULER__CALL__TYPE__SUBSCRIBE);
    MAKE(w, PbScheduler__Call__Subscribe, pb_scheduler__call__subscribe__init, subscribe);

    subscribe->framework_info = info;
    subscribe->has_force = true;
    subscribe->force = force;
    call->subscribe = subscribe;
    say(p, &call->base);
}

UNUSED static const char *subscribe_new(struct place *w, struct player *p, bool aware)
{
    say_subscribe(w, p, make_framework_info(w, NULL, 3600, aware), false);
    return EXPECT(w, p, pb__framework_registered_message, Pb__FrameworkRegisteredMessage)
        ->framework_id->value;
}

UNUSED static Pb__TaskInfo *make_task(struct place *w, const char *id, const char *agent,
                                      const char *resources)
{
    MAKE(w, Pb__TaskInfo, pb__task_info__init, task);
    MAKE(w, Pb__CommandInfo, pb__command_info__init, command);
    command->value = "true";
    task->name = id;
    task->task_id = make_task_id(w, id);
    task->agent_id = make_agent_id(w, agent);
    task->resources = make_resources(w, resources, &task->n_resources);
    task->command = command;
    return task;
}

UNUSED static void say_launch(struct place *w, struct player *p, const char *framework,
                              const char *offer, size_t n_tasks, Pb__TaskInfo **tasks)
{
    PbScheduler__Call *call = make_call(w, framework, PB_SCHEDULER__CALL__TYPE__ACCEPT);
    MAKE(w, PbScheduler__Call__Accept, pb_scheduler__call__accept__init, accept);
    MAKE(w, Pb__Offer__Operation, pb__offer__operation__init, operation);
    MAKE(w, Pb__Offer__Operation__Launch, pb__offer__operation__launch__init, launch);
    Pb__OfferID *id = make_offer_id(w, offer);

    launch->n_task_infos = n_tasks;
    launch->task_infos = tasks;
    operation->has_type = true;
    operation->type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation->launch = launch;
    accept->n_offer_ids = accept->n_operations = 1;
    accept->offer_ids = &id;
    accept->operations = &operation;
    call->accept = accept;
    say(p, &call->base);
}

/* The one offer of the next message. */
UNUSED static const Pb__Offer *next_offer(struct place *w, struct player *p)
{
    const Pb__ResourceOffersMessage *msg =
        EXPECT(w, p, pb__resource_offers_message, Pb__ResourceOffersMessage);

    ck_assert_uint_eq(msg->n_offers, 1);
    ck_assert_uint_eq(msg->n_pids, 1);
    return msg->offers[0];
}

UNUSED static void say_update(struct place *w, struct player *p, const char *framework,
                              const char *agent, const char *task, Pb__TaskState state,
                              Pb__TaskState latest, uint8_t uuid)
{
    Pb__StatusUpdateMessage msg = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    uint8_t bytes[16];
    char pid[PID_TEXT];

    memset(bytes, uuid, sizeof bytes);
    status.task_id = make_task_id(w, task);
    status.state = state;
    status.has_uuid = update.has_uuid = update.has_latest_state = true;
    status.uuid = update.uuid = (ProtobufCBinaryData){ sizeof bytes, bytes };
    update.framework_id = make_framework_id(w, framework);
    update.slave_id = make_agent_id(w, agent);
    update.status = &status;
    update.latest_state = latest;
    msg.update = &update;
    msg.pid = pid_text(&p->pid, pid, sizeof pid);
    say(p, &msg.base);
}

UNUSED static void say_acknowledge(struct place *w, struct player *p, const char *framework,
                                   const char *agent, const char *task, uint8_t uuid)
{
    PbScheduler__Call *call = make_call(w, framework, PB_SCHEDULER__CALL__TYPE__ACKNOWLEDGE);
    MAKE(w, PbScheduler__Call__Acknowledge, pb_scheduler__call__acknowledge__init, acknowledge);
    uint8_t bytes[16];

    memset(bytes, uuid, sizeof bytes);
    acknowledge->agent_id = make_agent_id(w, agent);
    acknowledge->task_id = make_task_id(w, task);
    acknowledge->uuid = (ProtobufCBinaryData){ sizeof bytes, bytes };
    call->acknowledge = acknowledge;
    say(p, &call->base);
}

UNUSED static void say_kill(struct place *w, struct player *p, const char *framework,
                            const char *task)
{
    PbScheduler__Call *call = make_call(w, framework, PB_SCHEDULER__CALL__TYPE__KILL);
    MAKE(w, PbScheduler__Call__Kill, pb_scheduler__call__kill__init, kill);

    kill->task_id = make_task_id(w, task);
    call->kill = kill;
    say(p, &call->base);
}

/* task NULL: about everything. */
UNUSED static void say_reconcile(struct place *w, struct player *p, const char *framework,
                                 const char *task, const char *agent)
{
    PbScheduler__Call *call = make_call(w, framework, PB_SCHEDULER__CALL__TYPE__RECONCILE);
    MAKE(w, PbScheduler__Call__Reconcile, pb_scheduler__call__reconcile__init, reconcile);
    MAKE(w, PbScheduler__Call__Reconcile__Task, pb_scheduler__call__reconcile__task__init, one);

    one->task_id = task ? make_task_id(w, task) : NULL;
    one->agent_id = agent ? make_agent_id(w, agent) : NULL;
    reconcile->n_tasks = task ? 1 : 0;
    reconcile->tasks = &one;
    call->reconcile = reconcile;
    say(p, &call->base);
}

#endif
