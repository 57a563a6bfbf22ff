/* agents.c - agents come, are admitted, come back, and are away
 *
 * RegisterSlaveMessage     -> validate -> registrar_admit          -> SlaveRegisteredMessage
 * ReregisterSlaveMessage   -> here still: at once; else
 *                             registrar_mark_reachable             -> SlaveReregisteredMessage
 *                             gone, moved: ShutdownMessage
 * away for agent_reregister_timeout, and every other end: agent_departures.c
 *
 * What the registry has not stored is told to nobody.  A message about an agent
 * whose registry operation is under way is left to its retry.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/http/master_events.h"
#include "master/master_private.h"
#include "process/runtime.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__register_slave_message, Pb__RegisterSlaveMessage, on_register_agent)                    \
    ON(pb__reregister_slave_message, Pb__ReregisterSlaveMessage, on_reregister_agent)              \
    ON(pb__update_slave_message, Pb__UpdateSlaveMessage, on_update_agent)                          \
    ON(pb__exited_executor_message, Pb__ExitedExecutorMessage, on_exited_executor)
HANDLERS(master, agents_handlers, MESSAGES);

/* A registration on its way through the registry. */
struct admission {
    struct pid pid;
    struct agent_id id;
    struct message *info; /* Pb__AgentInfo with its id */
    struct message *registration;
    struct resources total;
    struct list link; /* in master->admissions */
};
LAST(master, admission_done, admission);

struct away {
    struct agent_id id;
};
static void away_release(struct away *w)
{
    agent_id_release(&w->id);
}
CALL(master, reregister_late, away, away_release);

void agents_init(struct master *m)
{
    process_install(&m->process, agents_handlers);
}

/* ---- finding ---- */

static struct agent_record *find(struct master *m, const char *id, size_t length)
{
    struct agent_record *a;

    HASH_FIND(hh, m->agents, id, length, a);
    return a;
}

struct agent_record *agents_find(struct master *m, struct agent_id id)
{
    return id.text ? find(m, id.text->bytes, id.text->length) : NULL;
}

struct agent_record *agents_find_text(struct master *m, const char *id)
{
    return id ? find(m, id, strlen(id)) : NULL;
}

struct agent_record *agents_find_pid(struct master *m, const struct pid *pid)
{
    char text[PID_TEXT];
    struct agent_record *a;

    pid_text(pid, text, sizeof text);
    HASH_FIND(pid_hh, m->agents_by_pid, text, strlen(text), a);
    return a;
}

struct known_agent *agents_find_known(struct master *m, struct agent_id id)
{
    struct known_agent *k;

    if (!id.text)
        return NULL;
    HASH_FIND(hh, m->known, id.text->bytes, id.text->length, k);
    return k;
}

bool agents_is_any_away(const struct master *m)
{
    for (const struct known_agent *k = m->known; k; k = k->hh.next)
        if (k->state == REGISTRY_ADMITTED)
            return true;
    return false;
}

struct agent_record *agents_find_sender(struct master *m, const char *id, const struct pid *from,
                                        const char *what)
{
    struct agent_record *a = agents_find_text(m, id);

    if (a && pid_equal(&a->pid, from))
        return a;
    master_drop(m, what, from,
                a ? "the agent is registered at another PID" : "the agent is not registered");
    return NULL;
}

bool agents_is_being_admitted(struct master *m, const struct pid *pid, const char *id)
{
    list_each (op, &m->admissions, struct admission, link)
        if (pid_equal(&op->pid, pid) || (id && text_is(op->id.text, id)))
            return true;
    return false;
}

/* ---- admission ---- */

static struct message *info_with_id(const Pb__AgentInfo *info, const struct agent_id *id)
{
    Pb__AgentInfo with = *info;
    Pb__AgentID agent = PB__AGENT_ID__INIT;

    agent.value = id->text->bytes;
    with.id = &agent;
    return message_create(&with.base);
}

static struct message *keep(struct master *m, const ProtobufCMessage *msg)
{
    struct message *now = process_message(&m->process);

    return now && now->body == msg ? message_ref(now) : message_create(msg);
}

/* Takes id and total. */
static struct admission *admission_create(struct master *m, const struct pid *pid,
                                          struct agent_id id, const Pb__AgentInfo *info,
                                          const ProtobufCMessage *registration,
                                          struct resources total)
{
    struct admission *op = mem_alloc(sizeof *op);

    op->pid = pid_dup(pid);
    op->id = id;
    op->info = info_with_id(info, &id);
    op->registration = keep(m, registration);
    op->total = total;
    list_append(&m->admissions, &op->link);
    return op;
}

static void admission_destroy(struct admission *op)
{
    list_remove(&op->link);
    pid_release(&op->pid);
    agent_id_release(&op->id);
    message_unref(op->info);
    message_unref(op->registration);
    resources_release(&op->total);
    mem_free(op);
}

static void confirm_registration(struct master *m, struct agent_record *a)
{
    Pb__SlaveRegisteredMessage message = PB__SLAVE_REGISTERED_MESSAGE__INIT;
    Pb__MasterSlaveConnection connection = PB__MASTER_SLAVE_CONNECTION__INIT;
    Pb__AgentID id = PB__AGENT_ID__INIT;

    id.value = a->id.text->bytes;
    connection.has_total_ping_timeout_seconds = true;
    connection.total_ping_timeout_seconds = duration_seconds(
        duration_times(m->options.agent_ping_timeout, m->options.max_agent_ping_timeouts));
    message.slave_id = &id;
    message.connection = &connection;
    process_send(&m->process, &a->pid, &message.base);
}

/* Else the agent was killed before it knew its id, so fast that no connection broke, and knows
 * nothing of what was sent to it. */
static bool is_same_start(const struct agent_record *a, const Pb__UUID *version)
{
    return !version || !a->has_resource_version ||
           (version->value.len == sizeof a->resource_version &&
            memcmp(version->value.data, a->resource_version, sizeof a->resource_version) == 0);
}

static void on_register_agent(struct master *m, const struct pid *from,
                              const Pb__RegisterSlaveMessage *msg)
{
    char text[PID_TEXT];
    struct resources total = RESOURCES_INIT;
    struct error err;

    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_REGISTER_SLAVE);
    if (pid_is_empty(from) || agent_records_validate(msg->slave, msg->version, &total, &err) < 0) {
        master_drop(m, "registration", from, pid_is_empty(from) ? "it has no sender" : err.text);
        return;
    }
    struct agent_record *a = agents_find_pid(m, from);

    if (a && a->connected && !a->removing && is_same_start(a, msg->resource_version_uuid)) {
        /* our answer was late or lost */
        log_info("agent %s at %s already registered: told so again", agent_id_text(&a->id),
                 a->pid_text->bytes);
        confirm_registration(m, a);
    } else if (a) {
        agent_departures_evict(m, a);
    } else if (!agents_is_being_admitted(m, from, NULL)) {
        struct agent_id id = { text_format("%s-S%llu", m->id->bytes,
                                           (unsigned long long)m->next_agent++) };
        struct admission *op = admission_create(m, from, id, msg->slave, &msg->base, total);

        log_info("agent at %s (%s) registers as %s", pid_text(from, text, sizeof text),
                 msg->slave->hostname, agent_id_text(&op->id));
        FINALLY(registrar_admit(m->registrar, (const Pb__AgentInfo *)op->info->body),
                admission_done, m, op);
        return;
    }
    resources_release(&total);
}

/* ---- coming back ---- */

static void set_version(struct agent_record *a, const char *version, const Pb__UUID *uuid)
{
    struct text *copy = text_create(version);            /* first: it may be our own */

    text_unref(a->version);
    a->version = copy;
    a->has_resource_version = uuid && uuid->value.len == sizeof a->resource_version;
    if (a->has_resource_version)
        memcpy(a->resource_version, uuid->value.data, sizeof a->resource_version);
}

/* The same machine says so: its resources do not shrink below what is in use. */
static bool is_same_machine(const struct agent_record *a, const struct pid *from,
                            const Pb__AgentInfo *info)
{
    const Pb__AgentInfo *old = (const Pb__AgentInfo *)a->info->body;

    return a->pid.address.ip == from->address.ip && strcmp(old->hostname, info->hostname) == 0;
}

static void agent_connected(struct master *m, struct agent_record *a)
{
    bool was = a->active;

    process_cancel(&a->reregister_timer);
    a->connected = a->active = true;
    a->reregistered = master_wall(m);
    observer_update(a);
    if (!was)
        allocator_activate_agent(m->allocator, a->id);
}

static void reregister_here(struct master *m, struct agent_record *a, const struct pid *from,
                            const Pb__ReregisterSlaveMessage *msg)
{
    if (!is_same_machine(a, from, msg->slave)) {
        agent_departures_refuse(m, from,
                                "Agent attempted to reregister with different IP / hostname");
        return;
    }
    message_unref(a->registration);
    a->registration = keep(m, &msg->base);
    set_version(a, msg->version, msg->resource_version_uuid);
    agent_records_set_pid(m, a, from);
    process_link(&m->process, from, LINK_RECONNECT);
    agent_return_tasks(m, a, msg, false);
    agent_connected(m, a);
    agent_return_confirm(m, a, msg);
    master_count(m, MASTER_SLAVE_REREGISTRATIONS);
    log_info("agent %s reregistered at %s", agent_id_text(&a->id), a->pid_text->bytes);
}

/* True when the message is answered, or must be left to its retry. */
static bool is_reregistration_settled(struct master *m, const struct agent_id *id,
                                      const struct pid *from)
{
    struct agent_record *a = agents_find(m, *id), *other = agents_find_pid(m, from);
    struct known_agent *k = agents_find_known(m, *id);

    if (k && k->state == REGISTRY_GONE) {
        agent_departures_refuse(m, from, AGENT_MARKED_GONE);
        return true;
    }
    if (agents_is_being_admitted(m, from, id->text->bytes) || (a && a->removing) ||
        (k && k->removing)) {
        log_info("agent %s: a registry operation is under way, its reregistration has to wait",
                 agent_id_text(id));
        return true;
    }
    if (other && other != a) {
        agent_departures_evict(m, other);
        return true;
    }
    return false;
}

static int validate_reregistration(const struct pid *from, const Pb__ReregisterSlaveMessage *msg,
                                   struct agent_id *ret_id, struct resources *ret_total,
                                   struct error *err)
{
    if (pid_is_empty(from))
        return error_set(err, EINVAL, "it has no sender");
    if (agent_id_parse(msg->slave->id ? msg->slave->id->value : NULL, ret_id, err) < 0)
        return -1;
    if (agent_records_validate(msg->slave, msg->version, ret_total, err) == 0)
        return 0;
    agent_id_release(ret_id);
    return -1;
}

static void on_reregister_agent(struct master *m, const struct pid *from,
                                const Pb__ReregisterSlaveMessage *msg)
{
    struct resources total = RESOURCES_INIT;
    struct agent_id id = { NULL };
    struct error err;

    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_REREGISTER_SLAVE);
    if (validate_reregistration(from, msg, &id, &total, &err) < 0) {
        master_drop(m, "reregistration", from, err.text);
        return;
    }
    bool settled = is_reregistration_settled(m, &id, from);
    struct agent_record *a = agents_find(m, id);

    if (!settled && !a) {
        struct admission *op = admission_create(m, from, id, msg->slave, &msg->base, total);

        FINALLY(registrar_mark_reachable(m->registrar, (const Pb__AgentInfo *)op->info->body),
                admission_done, m, op);
        return;
    }
    if (!settled)
        reregister_here(m, a, from, msg);
    agent_id_release(&id);
    resources_release(&total);
}

static void admit_new(struct master *m, struct agent_record *a, const Pb__RegisterSlaveMessage *msg)
{
    set_version(a, msg->version, msg->resource_version_uuid);
    a->registered = master_wall(m);
    allocator_add_agent(m->allocator, a->id, a->incarnation, &a->total, NULL, 0);
    confirm_registration(m, a);
    master_count(m, MASTER_SLAVE_REGISTRATIONS);
}

static void admit_returned(struct master *m, struct agent_record *a,
                           const Pb__ReregisterSlaveMessage *msg)
{
    set_version(a, msg->version, msg->resource_version_uuid);
    a->registered = a->reregistered = master_wall(m);
    agent_return_tasks(m, a, msg, true);
    agent_return_confirm(m, a, msg);
    master_count(m, MASTER_SLAVE_REREGISTRATIONS);
}

static void admit(struct master *m, struct admission *op)
{
    const ProtobufCMessage *body = op->registration->body;
    struct agent_record *a = agent_records_add(m, &op->pid, op->info, &op->total);

    agent_records_forget(m, agents_find_known(m, op->id));
    a->registration = message_ref(op->registration);
    a->connected = a->active = true;
    process_link(&m->process, &a->pid, LINK_RECONNECT);
    a->observer = observer_start(m, a);
    if (body->descriptor == &pb__register_slave_message__descriptor)
        admit_new(m, a, (const Pb__RegisterSlaveMessage *)body);
    else
        admit_returned(m, a, (const Pb__ReregisterSlaveMessage *)body);
    master_events_agent_added(m, a);
    log_info("agent %s registered at %s (%s)", agent_id_text(&a->id), a->pid_text->bytes,
             ((const Pb__AgentInfo *)a->info->body)->hostname);
}

static void admission_done(struct master *m, struct future *f, struct admission *op)
{
    if (future_state(f) == FUTURE_READY)
        admit(m, op);
    else
        master_give_up(m, "admit an agent", f);
    admission_destroy(op);
}

/* ---- going ---- */

void agents_exited(struct master *m, const struct pid *pid)
{
    struct agent_record *a = agents_find_pid(m, pid);

    if (!a || !a->connected)
        return;
    agent_records_disconnect(m, a);
    a->reregister_timer = delay(&m->pid, m->options.agent_reregister_timeout, reregister_late,
                                .id = agent_id_dup(&a->id));
}

static void reregister_late(struct master *m, struct away *away)
{
    agent_departures_mark_unreachable(m, away->id,
                                      "it did not reregister within agent_reregister_timeout");
}

/* ---- news of it ---- */

static void on_update_agent(struct master *m, const struct pid *from,
                            const Pb__UpdateSlaveMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_UPDATE_SLAVE);
    struct agent_record *a =
        agents_find_sender(m, msg->slave_id->value, from, "UpdateSlaveMessage");

    if (!a)
        return;
    if (msg->resource_version_uuid)
        set_version(a, a->version->bytes, msg->resource_version_uuid);
    if (msg->n_oversubscribed_resources > 0 ||
        (msg->resource_providers && msg->resource_providers->n_providers > 0))
        log_warning(
            "agent %s: this master offers no oversubscribed resources nor those of providers",
            agent_id_text(&a->id));
}

static void on_exited_executor(struct master *m, const struct pid *from,
                               const Pb__ExitedExecutorMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_EXITED_EXECUTOR);
    struct agent_record *a =
        agents_find_sender(m, msg->slave_id->value, from, "ExitedExecutorMessage");
    struct framework_record *f = frameworks_find_text(m, msg->framework_id->value);
    struct executor_record *e =
        a && f ? executor_records_find(a, f, msg->executor_id->value) : NULL;

    if (!e) {
        if (a)
            log_warning("executor %s of framework %s on agent %s ended, but is not known",
                        msg->executor_id->value, msg->framework_id->value, agent_id_text(&a->id));
        return;
    }
    log_info("executor %s of framework %s on agent %s ended with status %d",
             executor_id_text(&e->id), framework_id_text(&f->id), agent_id_text(&a->id),
             msg->status);
    executor_records_remove(m, e);
    frameworks_send(m, f, &msg->base);
}

/* ---- the registry's agents; the end ---- */

void agents_recover(struct master *m, const struct registry_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n; i++) {
        const struct registry_agent *r = &snapshot->agents[i];
        struct known_agent *k = agent_records_know(m, r->id, r->state, r->info, r->since);

        if (k->state == REGISTRY_ADMITTED)
            k->timer = delay(&m->pid, m->options.agent_reregister_timeout, reregister_late,
                             .id = agent_id_dup(&k->id));
    }
}

void agents_release(struct master *m)
{
    struct agent_record *a, *next;
    struct known_agent *k, *after;

    HASH_CLEAR(pid_hh, m->agents_by_pid);
    HASH_ITER(hh, m->agents, a, next)
    {
        HASH_DEL(m->agents, a);
        agent_records_destroy(a);
    }
    HASH_ITER(hh, m->known, k, after)
    agent_records_forget(m, k);
}
