/* agent_departures.c - agents go: what the registry has stored of it, all are told
 *
 * UnregisterSlaveMessage, or another agent in its place
 *                          -> registrar_remove           -> LostSlaveMessage
 * an operator's MARK_AGENT_GONE
 *                          -> registrar_mark_gone        -> ShutdownMessage, LostSlaveMessage
 * pings not answered, or away for agent_reregister_timeout
 *                          -> registrar_mark_unreachable -> LostSlaveMessage
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/http/master_events.h"
#include "master/master_private.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__unregister_slave_message, Pb__UnregisterSlaveMessage, on_unregister_agent)
HANDLERS(master, departures_handlers, MESSAGES);

struct departure {
    struct agent_id id;
    const char *why; /* a literal */
};
LAST(master, unreachable_done, departure);
LAST(master, removal_done, departure);
STEP(master, gone_stored, departure);
LAST(master, gone_done, departure);

void agent_departures_init(struct master *m)
{
    process_install(&m->process, departures_handlers);
}

static void tell_shutdown(struct master *m, const struct pid *to, const char *why)
{
    Pb__ShutdownMessage message = PB__SHUTDOWN_MESSAGE__INIT;

    message.message = why;
    process_send(&m->process, to, &message.base);
}

void agent_departures_refuse(struct master *m, const struct pid *to, const char *why)
{
    char text[PID_TEXT];

    log_warning("agent at %s told to shut down: %s", pid_text(to, text, sizeof text), why);
    tell_shutdown(m, to, why);
}

/* Until the registry has it nothing of it is offered: what the allocator hands out comes back at
 * once, and would be handed out again, round and round. */
static void begin_removal(struct master *m, struct agent_record *a)
{
    a->removing = true;
    allocator_deactivate_agent(m->allocator, a->id);
}

/* Another agent has its place: it cannot be alive any more. */
void agent_departures_evict(struct master *m, struct agent_record *a)
{
    if (a->removing)
        return;
    struct departure *op = mem_alloc(sizeof *op);

    begin_removal(m, a);
    op->id = agent_id_dup(&a->id);
    op->why = "a new agent registered at the same address";
    master_count(m, MASTER_SLAVE_REMOVALS_REASON_REGISTERED);
    FINALLY(registrar_remove(m->registrar, a->id), removal_done, m, op);
}

void agent_departures_mark_unreachable(struct master *m, struct agent_id id, const char *why)
{
    struct agent_record *a = agents_find(m, id);
    struct known_agent *k = agents_find_known(m, id);

    if (a ? a->removing : !k || k->removing || k->state != REGISTRY_ADMITTED)
        return;
    if (agents_is_being_admitted(m, &(struct pid){ 0 }, id.text->bytes)) /* it is coming back */
        return;
    struct departure *op = mem_alloc(sizeof *op);

    if (a)
        begin_removal(m, a);
    else
        k->removing = true;
    op->id = agent_id_dup(&id);
    op->why = why;
    master_count(m, MASTER_SLAVE_UNREACHABLE_SCHEDULED);
    log_info("agent %s is to be marked unreachable: %s", agent_id_text(&id), why);
    FINALLY(registrar_mark_unreachable(m->registrar, id), unreachable_done, m, op);
}

static void departure_destroy(struct departure *op)
{
    agent_id_release(&op->id);
    mem_free(op);
}

static void mark_unreachable(struct master *m, const struct departure *op)
{
    struct agent_record *a = agents_find(m, op->id);
    struct known_agent *k;

    master_count(m, MASTER_SLAVE_UNREACHABLE_COMPLETED);
    master_count(m, MASTER_SLAVE_REMOVALS);
    if (a) {
        struct message *info = message_ref(a->info);

        master_count(m, MASTER_SLAVE_REMOVALS_REASON_UNHEALTHY);
        k = agent_records_know(m, op->id, REGISTRY_UNREACHABLE, info, master_wall(m));
        agent_records_remove(m, a, PB__TASK_STATE__TASK_UNREACHABLE, op->why);
        message_unref(info);
    } else {
        master_count(m, MASTER_RECOVERY_SLAVE_REMOVALS);
        k = agent_records_know(m, op->id, REGISTRY_UNREACHABLE, NULL, master_wall(m));
        agent_records_tell_lost(m, op->id);
        master_events_agent_removed(m, &op->id);
        log_info("agent %s marked unreachable: %s", agent_id_text(&op->id), op->why);
    }
    k->removing = false;
}

static void unreachable_done(struct master *m, struct future *f, struct departure *op)
{
    if (future_state(f) == FUTURE_READY)
        mark_unreachable(m, op);
    else
        master_give_up(m, "mark an agent unreachable", f);
    departure_destroy(op);
}

static void removal_done(struct master *m, struct future *f, struct departure *op)
{
    struct agent_record *a = agents_find(m, op->id);

    if (future_state(f) != FUTURE_READY) {
        master_give_up(m, "remove an agent", f);
    } else if (a) {
        master_count(m, MASTER_SLAVE_REMOVALS);
        agent_records_remove(m, a, PB__TASK_STATE__TASK_GONE, op->why);
    }
    departure_destroy(op);
}

/* ---- marked gone ---- */

struct future *agent_departures_mark_gone(struct master *m, const char *id, struct error *err)
{
    struct agent_record *a = agents_find_text(m, id);
    struct known_agent *k = NULL;
    struct departure *op;
    struct future *f;

    HASH_FIND(hh, m->known, id, strlen(id), k);
    if (!a && !k) {
        error_set(err, ENOENT, "Agent '%s' is not known", id);
        return NULL;
    }
    if (k && k->state == REGISTRY_GONE)
        return registrar_changed_ready(false);
    if ((a && a->removing) || (k && k->removing) ||
        agents_is_being_admitted(m, &(struct pid){ 0 }, id)) {
        error_set(err, EBUSY, "Another change of agent '%s' is under way: try again", id);
        return NULL;
    }
    op = mem_alloc(sizeof *op);
    if (a)
        begin_removal(m, a);
    else
        k->removing = true;
    op->id = agent_id_dup(a ? &a->id : &k->id);
    op->why = AGENT_MARKED_GONE;
    log_info("agent %s is to be marked gone, as an operator wants it", id);
    f = THEN(registrar_mark_gone(m->registrar, op->id), gone_stored, m, op);
    FINALLY(future_ref(f), gone_done, m, op);
    return f;
}

static struct future *gone_stored(struct master *m, struct future *f UNUSED, struct departure *op)
{
    struct agent_record *a = agents_find(m, op->id);
    struct known_agent *k = agents_find_known(m, op->id);
    bool was_recovered = k && k->state == REGISTRY_ADMITTED;

    master_count(m, MASTER_SLAVE_REMOVALS);
    k = agent_records_know(m, op->id, REGISTRY_GONE, NULL, master_wall(m));
    k->removing = false;
    process_cancel(&k->timer);
    if (a) {
        tell_shutdown(m, &a->pid, op->why);
        agent_records_remove(m, a, PB__TASK_STATE__TASK_GONE_BY_OPERATOR, op->why);
    } else if (was_recovered) {
        agent_records_tell_lost(m, op->id);
        master_events_agent_removed(m, &op->id);
    }
    agent_records_end_unreachable(m, op->id, op->why);
    log_info("agent %s marked gone", agent_id_text(&op->id));
    return registrar_changed_ready(true);
}

static void gone_done(struct master *m, struct future *f, struct departure *op)
{
    if (future_state(f) != FUTURE_READY)
        master_give_up(m, "mark an agent gone", f);
    departure_destroy(op);
}

static void on_unregister_agent(struct master *m, const struct pid *from,
                                const Pb__UnregisterSlaveMessage *msg)
{
    if (master_is_deaf(m))
        return;
    master_count(m, MASTER_MESSAGES_UNREGISTER_SLAVE);
    struct agent_record *a =
        agents_find_sender(m, msg->slave_id->value, from, "UnregisterSlaveMessage");

    if (!a || a->removing)
        return;
    struct departure *op = mem_alloc(sizeof *op);

    begin_removal(m, a);
    op->id = agent_id_dup(&a->id);
    op->why = "the agent unregistered";
    master_count(m, MASTER_SLAVE_REMOVALS_REASON_UNREGISTERED);
    FINALLY(registrar_remove(m->registrar, a->id), removal_done, m, op);
}
