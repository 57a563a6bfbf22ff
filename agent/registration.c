/* registration.c - the agent and its master: found, registered with, heard of
 *
 * DISCONNECTED → the address is resolved → link → Register- or
 * ReregisterSlaveMessage, again after a random time that doubles up to 1 minute
 * → SlaveRegisteredMessage, whose id is stored → RUNNING → the link breaks, or
 * the master says that it thinks us lost, or no ping comes for 75 s →
 * DISCONNECTED.
 */
#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/framework_info.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/runtime.h"

#define BACKOFF_LAST MINUTES(1)
#define LIST_PAUSE SECONDS(1) /* so that one list tells of many ends */

#define MESSAGES(ON)                                                                               \
    ON(pb__slave_registered_message, Pb__SlaveRegisteredMessage, on_registered)                    \
    ON(pb__slave_reregistered_message, Pb__SlaveReregisteredMessage, on_reregistered)              \
    ON(pb__ping_slave_message, Pb__PingSlaveMessage, on_ping)                                      \
    ON(pb__shutdown_message, Pb__ShutdownMessage, on_shutdown)
HANDLERS(agent, registration_handlers, MESSAGES);

CALL(agent, register_now, nothing, NO_RELEASE);
CALL(agent, ping_missed, nothing, NO_RELEASE);
CALL(agent, list_again, nothing, NO_RELEASE);

struct detection { char unused; };
LAST(agent, master_resolved, detection);
struct identity { struct agent_id id; struct duration ping_timeout; };
LAST(agent, identity_stored, identity);

void registration_init(struct agent *a)
{
    process_install(&a->process, registration_handlers);
}

/* ---- trying ---- */

static void schedule(struct agent *a, struct duration max)
{
    process_cancel(&a->register_timer);
    a->register_timer = delay(&a->process.pid, host_random_duration(runtime_host(a->runtime), max),
                              register_now, .unused = 0);
}

void registration_start(struct agent *a)
{
    const char *colon = strrchr(a->options.master, ':');

    if (!a->master_hostname)
        a->master_hostname = colon ? text_create_n(a->options.master,
                                                   (size_t)(colon - a->options.master))
                                   : text_create(a->options.master);
    a->backoff = duration_times(a->options.registration_backoff_factor, 2);
    schedule(a, a->options.registration_backoff_factor);
}

/* The name may lead to another machine by now: it is resolved each time. */
static void register_now(struct agent *a, struct nothing *unused UNUSED)
{
    CLEANUP(mem_free_p) char *text = NULL;

    if (a->state != AGENT_DISCONNECTED || a->detecting)
        return;
    a->detecting = true;
    text = strchr(a->options.master, '@') ? mem_strdup(a->options.master)
                                          : mem_printf("master@%s", a->options.master);
    FINALLY(runtime_resolve_pid(a->runtime, text), master_resolved, a,
            (struct detection *)mem_alloc(sizeof(struct detection)));
}

static void retry_later(struct agent *a)
{
    schedule(a, a->backoff);
    a->backoff = duration_min(duration_times(a->backoff, 2), BACKOFF_LAST);
}

/* ---- what is said ---- */

static Pb__AgentInfo__Capability **capabilities(struct arena *arena, size_t *ret_n)
{
    static const Pb__AgentInfo__Capability__Type can[] = {
        PB__AGENT_INFO__CAPABILITY__TYPE__MULTI_ROLE,
        PB__AGENT_INFO__CAPABILITY__TYPE__HIERARCHICAL_ROLE,
        PB__AGENT_INFO__CAPABILITY__TYPE__RESERVATION_REFINEMENT,
    };
    Pb__AgentInfo__Capability **v = arena_alloc(arena, sizeof can / sizeof can[0] * sizeof *v);

    for (size_t i = 0; i < ARRAY_SIZE(can); i++) {
        v[i] = arena_alloc(arena, sizeof *v[i]);
        pb__agent_info__capability__init(v[i]);
        v[i]->has_type = 1;
        v[i]->type = can[i];
    }
    *ret_n = ARRAY_SIZE(can);
    return v;
}

static Pb__UUID resource_version(struct agent *a)
{
    Pb__UUID uuid = PB__UUID__INIT;

    uuid.value = (ProtobufCBinaryData){ sizeof a->resource_version, a->resource_version };
    return uuid;
}

static void send_register(struct agent *a, struct arena *arena)
{
    Pb__RegisterSlaveMessage msg = PB__REGISTER_SLAVE_MESSAGE__INIT;
    Pb__UUID version = resource_version(a);

    msg.slave = a->info;
    msg.version = AGENT_API_VERSION;
    msg.agent_capabilities = capabilities(arena, &msg.n_agent_capabilities);
    msg.resource_version_uuid = &version;
    process_send(&a->process, &a->master, &msg.base);
}

/* Tasks whose end is not acknowledged are told, too; executors only if the
 * framework made them (FACTS 2.4). */
static void add_framework(const struct hosted_framework *f, Pb__ReregisterSlaveMessage *msg,
                          struct arena *arena)
{
    msg->frameworks[msg->n_frameworks++] = (Pb__FrameworkInfo *)f->info->body;
    for (struct hosted_executor *e = f->executors; e; e = e->hh.next) {
        if (!e->builtin && e->state != EXECUTOR_TERMINATED)
            msg->executor_infos[msg->n_executor_infos++] = (Pb__ExecutorInfo *)e->info->body;
        for (struct hosted_task *t = e->tasks; t; t = t->hh.next) {
            msg->tasks[msg->n_tasks++] = hosted_task_to_protobuf(t, arena);
            t->end_listed = task_state_is_terminal(t->state);
        }
    }
}

static void send_reregister(struct agent *a, struct arena *arena)
{
    Pb__ReregisterSlaveMessage msg = PB__REREGISTER_SLAVE_MESSAGE__INIT;
    Pb__UUID version = resource_version(a);
    size_t frameworks = 1, executors = 1, tasks = 1;

    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next, frameworks++)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next, executors++)
            tasks += HASH_COUNT(e->tasks);
    msg.frameworks = arena_alloc(arena, frameworks * sizeof *msg.frameworks);
    msg.executor_infos = arena_alloc(arena, executors * sizeof *msg.executor_infos);
    msg.tasks = arena_alloc(arena, tasks * sizeof *msg.tasks);
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        if (!f->terminating)
            add_framework(f, &msg, arena);
    status_updates_list_refused(a, &msg, arena);
    msg.slave = a->info;
    msg.version = AGENT_API_VERSION;
    msg.agent_capabilities = capabilities(arena, &msg.n_agent_capabilities);
    msg.resource_version_uuid = &version;
    process_send(&a->process, &a->master, &msg.base);
}

static void master_resolved(struct agent *a, struct future *f, struct detection *op)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const struct pid *found;
    char text[PID_TEXT];

    mem_free(op);
    a->detecting = false;
    if (future_state(f) == FUTURE_DISCARDED || a->state != AGENT_DISCONNECTED)
        return;
    retry_later(a);
    if (future_state(f) == FUTURE_FAILED) {
        log_warning("master %s is not found, trying again: %s", a->options.master,
                    future_error(f)->text);
        return;
    }
    found = future_value(f, &runtime_pid_type);
    if (!pid_equal(found, &a->master)) {
        log_info("master is %s", pid_text(found, text, sizeof text));
        pid_assign(&a->master, found);
    }
    process_link(&a->process, &a->master, LINK_RECONNECT);
    if (agent_id_is_empty(&a->id))
        send_register(a, &arena);
    else
        send_reregister(a, &arena);
}

/* ---- registered ---- */

static void watch_pings(struct agent *a)
{
    process_cancel(&a->ping_timer);
    a->ping_timer = delay(&a->process.pid, a->ping_timeout, ping_missed, .unused = 0);
}

static void send_update(struct agent *a)
{
    Pb__UpdateSlaveMessage msg = PB__UPDATE_SLAVE_MESSAGE__INIT;
    Pb__UpdateSlaveMessage__Operations operations = PB__UPDATE_SLAVE_MESSAGE__OPERATIONS__INIT;
    Pb__UpdateSlaveMessage__ResourceProviders providers =
        PB__UPDATE_SLAVE_MESSAGE__RESOURCE_PROVIDERS__INIT;
    Pb__UUID version = resource_version(a);

    msg.slave_id = a->info->id;
    msg.has_update_oversubscribed_resources = 1;
    msg.update_oversubscribed_resources = 0;
    msg.operations = &operations;
    msg.resource_version_uuid = &version;
    msg.resource_providers = &providers;
    process_send(&a->process, &a->master, &msg.base);
}

static void is_running(struct agent *a, struct duration ping_timeout)
{
    a->state = AGENT_RUNNING;
    a->ping_timeout = ping_timeout;
    process_cancel(&a->register_timer);
    watch_pings(a);
    send_update(a);
    status_updates_resume(a);
}

static struct duration timeout_of(const Pb__MasterSlaveConnection *c)
{
    if (!c || !c->has_total_ping_timeout_seconds || !(c->total_ping_timeout_seconds > 0))
        return SECONDS(75);
    return duration_from_seconds(c->total_ping_timeout_seconds);
}

/* Ours, or we must not go on: somebody else may be what we think we are. */
static bool check_id(struct agent *a, const char *id)
{
    if (agent_id_is_empty(&a->id) || text_is(a->id.text, id))
        return true;
    agent_fail(a, "the master knows this agent as %s, but it is %s", id, agent_id_text(&a->id));
    return false;
}

/* ---- what the master says before our id is stored ---- */

struct held_message {
    struct list link;
    struct message *message;
    struct pid from;
    process_receive_f receive;
};

bool registration_hold(struct agent *a, const struct pid *from, process_receive_f receive)
{
    struct held_message *h;

    if (a->state != AGENT_DISCONNECTED)
        return false;
    if (!agent_id_is_empty(&a->id)) {
        log_warning("%s ignored: the master is to hear from us first",
                    process_message(&a->process)->body->descriptor->name);
        return true;
    }
    h = mem_alloc(sizeof *h);
    h->message = message_ref(process_message(&a->process));
    h->from = pid_dup(from);
    h->receive = receive;
    list_append(&a->held, &h->link);
    return true;
}

static void held_free(struct held_message *h)
{
    list_remove(&h->link);
    message_unref(h->message);
    pid_release(&h->from);
    mem_free(h);
}

static void take_held(struct agent *a)
{
    list_each_safe(h, &a->held, struct held_message, link) {
        h->receive(&a->process, &h->from, h->message->body);
        held_free(h);
    }
}

void registration_release(struct agent *a)
{
    list_each_safe(h, &a->held, struct held_message, link)
        held_free(h);
}

static void identity_stored(struct agent *a, struct future *f, struct identity *op)
{
    if (future_state(f) == FUTURE_FAILED)
        log_error("agent's id %s cannot be stored, registering again: %s", op->id.text->bytes,
                  future_error(f)->text);
    else if (future_state(f) == FUTURE_READY && a->state == AGENT_DISCONNECTED &&
             agent_id_is_empty(&a->id)) {
        a->id = agent_id_dup(&op->id);
        a->info->id = arena_alloc(&a->arena, sizeof *a->info->id);
        pb__agent_id__init(a->info->id);
        a->info->id->value = arena_strdup(&a->arena, a->id.text->bytes);
        log_info("agent registered as %s", a->id.text->bytes);
        is_running(a, op->ping_timeout);
        take_held(a);
    }
    agent_id_release(&op->id);
    mem_free(op);
}

static void remember_identity(struct agent *a, struct agent_id id, struct duration ping_timeout)
{
    struct identity *op = mem_alloc(sizeof *op);
    Pb__AgentInfo info = *a->info;
    Pb__AgentID value = PB__AGENT_ID__INIT;

    op->id = id;
    op->ping_timeout = ping_timeout;
    value.value = id.text->bytes;
    info.id = &value;
    FINALLY(store_put_agent(a->store, &info, a->boot_id), identity_stored, a, op);
}

static void on_registered(struct agent *a, const struct pid *from,
                          const Pb__SlaveRegisteredMessage *msg)
{
    struct agent_id id;
    struct error err;

    if (!agent_is_master(a, from, "registration") || !check_id(a, msg->slave_id->value) ||
        a->state != AGENT_DISCONNECTED)
        return;
    if (!agent_id_is_empty(&a->id)) {
        is_running(a, timeout_of(msg->connection));
        return;
    }
    if (agent_id_parse(msg->slave_id->value, &id, &err) < 0) {
        log_warning("registration ignored: %s", err.text);
        return;
    }
    remember_identity(a, id, timeout_of(msg->connection));
}

/* The master believes in tasks that we do not have. */
static void reconcile(struct agent *a, const Pb__ReconcileTasksMessage *r)
{
    struct hosted_framework *f = hosted_framework_find(a, r->framework_id->value);
    struct refusal refusal = {
        .framework = r->framework_id->value,
        .info = r->framework,
        .partition_aware = r->framework ? framework_info_has(r->framework, PARTITION_AWARE)
                                        : f && hosted_is_partition_aware(f),
        .state = PB__TASK_STATE__TASK_DROPPED,
        .reason = PB__TASK_STATUS__REASON__REASON_RECONCILIATION,
        .message = "Reconciliation: task unknown to the agent",
    };

    for (size_t i = 0; i < r->n_statuses; i++) {
        refusal.task = r->statuses[i]->task_id->value;
        refusal.executor =
            r->statuses[i]->executor_id ? r->statuses[i]->executor_id->value : NULL;
        if (!f || !hosted_task_find(f, refusal.task))
            status_updates_refuse(a, &refusal);
    }
}

static void on_reregistered(struct agent *a, const struct pid *from,
                            const Pb__SlaveReregisteredMessage *msg)
{
    if (!agent_is_master(a, from, "re-registration") || !check_id(a, msg->slave_id->value))
        return;
    if (agent_id_is_empty(&a->id)) {
        log_warning("re-registration ignored: this agent has no id yet");
        return;
    }
    if (a->state == AGENT_DISCONNECTED) {
        log_info("agent %s registered again", a->id.text->bytes);
        is_running(a, timeout_of(msg->connection));
    }
    for (size_t i = 0; i < msg->n_reconciliations; i++)
        reconcile(a, msg->reconciliations[i]);
    list_again(a, NULL); /* it may have taken the first of our messages */
}

/* An acknowledgement may be older than the list, which has crossed it: then nobody
 * but us can tell the master that what we listed as ended is settled. */
void registration_list_is_old(struct agent *a)
{
    a->list_is_old = true;
    if (a->state != AGENT_RUNNING)
        return;
    process_cancel(&a->list_timer);
    a->list_timer = delay(&a->process.pid, LIST_PAUSE, list_again, .unused = 0);
}

static void list_again(struct agent *a, struct nothing *unused UNUSED)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    if (!a->list_is_old || a->state != AGENT_RUNNING)
        return;
    a->list_is_old = false;
    process_cancel(&a->list_timer);
    send_reregister(a, &arena);
}

/* ---- lost, told to end ---- */

static void lose_master(struct agent *a, const char *why)
{
    if (a->state != AGENT_RUNNING)
        return;
    log_warning("agent registers again: %s", why);
    a->state = AGENT_DISCONNECTED;
    a->list_is_old = false;
    host_uuid(runtime_host(a->runtime), a->resource_version); /* launches on their way are stale */
    process_cancel(&a->ping_timer);
    process_cancel(&a->list_timer);
    status_updates_pause(a);
    registration_start(a);
}

static void ping_missed(struct agent *a, struct nothing *unused UNUSED)
{
    lose_master(a, "no ping of the master has come in time");
}

void registration_exited(struct agent *a, const struct pid *pid)
{
    if (pid_is_empty(&a->master) || !pid_equal(pid, &a->master))
        return;
    if (a->state == AGENT_DISCONNECTED)
        log_warning("master %s cannot be connected to, or hung up, trying again",
                    a->options.master);
    lose_master(a, "the connection to the master has ended");
}

static void on_ping(struct agent *a, const struct pid *from, const Pb__PingSlaveMessage *msg)
{
    Pb__PongSlaveMessage pong = PB__PONG_SLAVE_MESSAGE__INIT;

    if (!address_equal(from->address, a->master.address))
        return;                              /* of an observer of a former master */
    process_reply(&a->process, &pong.base);
    if (a->state != AGENT_RUNNING)
        return;
    if (!msg->connected)
        lose_master(a, "the master thinks that this agent is disconnected");
    else
        watch_pings(a);
}

static void on_shutdown(struct agent *a, const struct pid *from, const Pb__ShutdownMessage *msg)
{
    if (!agent_is_master(a, from, "order to shut down"))
        return;
    snprintf(a->failure, sizeof a->failure, "the master told it to shut down: %s",
             msg->message && *msg->message ? msg->message : "no reason given");
    agent_shut_down(a, a->failure);
}

void registration_unregister(struct agent *a)
{
    Pb__UnregisterSlaveMessage msg = PB__UNREGISTER_SLAVE_MESSAGE__INIT;

    if (a->state != AGENT_RUNNING)
        return;
    msg.slave_id = a->info->id;
    process_send(&a->process, &a->master, &msg.base);
}
