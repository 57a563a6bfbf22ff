/* agent_records.c - what the master keeps of an agent, from its admission to its end
 *
 * A record exists while the agent is registered; what the registry knows of
 * others is a struct known_agent.  An id is never in both maps.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/http/master_events.h"
#include "master/master_private.h"
#include "master/master_version.h"
#include "mesos/task_state.h"

/* ---- records ---- */

void agent_records_set_pid(struct master *m, struct agent_record *a, const struct pid *pid)
{
    if (a->pid_text) {
        HASH_DELETE(pid_hh, m->agents_by_pid, a);
        text_unref(a->pid_text);
    }
    pid_assign(&a->pid, pid);
    a->pid_text = pid_format(pid);
    HASH_ADD_KEYPTR(pid_hh, m->agents_by_pid, a->pid_text->bytes, a->pid_text->length, a);
}

struct agent_record *agent_records_add(struct master *m, const struct pid *pid,
                                       struct message *info, const struct resources *total)
{
    const Pb__AgentInfo *body = (const Pb__AgentInfo *)info->body;
    struct agent_record *a = mem_alloc(sizeof *a);

    CHECK(agent_id_parse(body->id->value, &a->id, NULL) == 0);
    a->incarnation = ++m->next_incarnation;
    a->info = message_ref(info);
    a->total = resources_dup(total);
    list_init(&a->tasks);
    list_init(&a->executors);
    list_init(&a->offers);
    HASH_ADD_KEYPTR(hh, m->agents, a->id.text->bytes, a->id.text->length, a);
    agent_records_set_pid(m, a, pid);
    return a;
}

void agent_records_destroy(struct agent_record *a)
{
    if (!a)
        return;
    process_cancel(&a->reregister_timer);
    observer_stop(&a->observer);
    agent_id_release(&a->id);
    pid_release(&a->pid);
    pid_release(&a->observer);
    text_unref(a->pid_text);
    text_unref(a->version);
    message_unref(a->info);
    message_unref(a->registration);
    resources_release(&a->total);
    resources_release(&a->offered);
    resources_release(&a->used);
    mem_free(a);
}

void agent_records_tell_lost(struct master *m, struct agent_id id)
{
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__LostSlaveMessage lost = PB__LOST_SLAVE_MESSAGE__INIT;

    agent.value = id.text->bytes;
    lost.slave_id = &agent;
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        frameworks_send(m, f, &lost.base);
}

static const char *hostname_of(const struct agent_record *a)
{
    return ((const Pb__AgentInfo *)a->info->body)->hostname;
}

/* The framework is told, with what the record still knows; then the books and the operators. */
static void settle_task(struct master *m, struct task_record *t, Pb__TaskState state,
                        Pb__TaskStatus__Reason reason, const char *message)
{
    bool unreachable = state == PB__TASK_STATE__TASK_UNREACHABLE;
    Pb__TimeInfo since = PB__TIME_INFO__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    id.value = t->id.text->bytes;
    agent.value = t->agent_id.text->bytes;
    since.nanoseconds = master_wall(m).ns;
    status.task_id = &id;
    status.agent_id = &agent;
    status.state = task_state_as_told(state, t->framework->partition_aware);
    status.has_reason = true;
    status.reason = reason;
    status.message = message;
    status.unreachable_time = unreachable ? &since : NULL;
    tasks_tell_status(m, t->framework, &status);
    if (unreachable) {
        task_records_add_status(t, &status);
        master_events_task_updated(m, t, &status, status.state);
        task_records_remove_unreachable(m, t);
    } else {
        task_records_update(m, t, &status, status.state);
    }
}

static void end_task(struct master *m, struct task_record *t, Pb__TaskState state,
                     const char *message)
{
    bool by_operator =
        state == PB__TASK_STATE__TASK_GONE_BY_OPERATOR && t->framework->partition_aware;

    settle_task(m, t, state,
                by_operator ? PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED_BY_OPERATOR
                            : PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED,
                message);
    if (state != PB__TASK_STATE__TASK_UNREACHABLE)
        task_records_remove(m, t);
}

/* A terminal task waits for its acknowledgement only: it needs no new state, and
 * when its agent comes back it waits again. */
static void end_tasks(struct master *m, struct agent_record *a, Pb__TaskState state,
                      const char *why)
{
    char *message = state == PB__TASK_STATE__TASK_UNREACHABLE
                        ? mem_printf("Agent %s is unreachable: %s", hostname_of(a), why)
                    : state == PB__TASK_STATE__TASK_GONE_BY_OPERATOR
                        ? mem_strdup(why)
                        : mem_printf("Agent %s removed: %s", hostname_of(a), why);

    list_each_safe (t, &a->tasks, struct task_record, agent_link) {
        if (task_state_is_terminal(t->state)) {
            t->may_return = true;
            task_records_remove(m, t);
        } else {
            end_task(m, t, state, message);
        }
    }
    mem_free(message);
}

/* Frameworks that know of unreachable tasks learn that they will not come back. */
void agent_records_end_unreachable(struct master *m, struct agent_id id, const char *why)
{
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        list_each_safe (t, &f->unreachable_tasks, struct task_record, link)
            if (agent_id_equal(&t->agent_id, &id) && !task_state_is_terminal(t->state)) {
                settle_task(m, t, PB__TASK_STATE__TASK_GONE_BY_OPERATOR,
                            PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED_BY_OPERATOR, why);
                task_records_complete_unreachable(m, t);
            }
}

void agent_records_remove(struct master *m, struct agent_record *a, Pb__TaskState state,
                          const char *why)
{
    allocator_deactivate_agent(m->allocator, a->id);
    a->active = false;
    offers_remove_of_agent(m, a, true);
    end_tasks(m, a, state, why);
    list_each_safe (e, &a->executors, struct executor_record, agent_link)
        executor_records_remove(m, e);
    allocator_remove_agent(m->allocator, a->id);
    HASH_DEL(m->agents, a);
    HASH_DELETE(pid_hh, m->agents_by_pid, a);
    agent_records_tell_lost(m, a->id);
    master_events_agent_removed(m, &a->id);
    log_info("agent %s at %s (%s) removed: %s", agent_id_text(&a->id), a->pid_text->bytes,
             hostname_of(a), why);
    agent_records_destroy(a);
}

/* ---- a broken link ---- */

static void lose_task(struct master *m, struct task_record *t, const char *message)
{
    settle_task(m, t, PB__TASK_STATE__TASK_LOST,
                PB__TASK_STATUS__REASON__REASON_AGENT_DISCONNECTED, message);
    task_records_remove(m, t);
}

void agent_records_disconnect(struct master *m, struct agent_record *a)
{
    char *message = mem_printf("Agent %s disconnected", hostname_of(a));

    a->connected = a->active = false;
    allocator_deactivate_agent(m->allocator, a->id);
    observer_update(a);
    offers_remove_of_agent(m, a, true);
    list_each_safe (t, &a->tasks, struct task_record, agent_link)
        if (!t->framework->checkpoint && !task_state_is_terminal(t->state))
            lose_task(m, t, message);
    list_each_safe (e, &a->executors, struct executor_record, agent_link)
        if (!e->framework->checkpoint)
            executor_records_remove(m, e);
    mem_free(message);
    log_info("agent %s at %s disconnected", agent_id_text(&a->id), a->pid_text->bytes);
}

/* ---- agents that are not here ---- */

struct known_agent *agent_records_know(struct master *m, struct agent_id id,
                                       enum registry_agent_state state, struct message *info,
                                       struct instant since)
{
    struct known_agent *k = agents_find_known(m, id);

    if (!k) {
        k = mem_alloc(sizeof *k);
        k->id = agent_id_dup(&id);
        HASH_ADD_KEYPTR(hh, m->known, k->id.text->bytes, k->id.text->length, k);
    }
    if (info && info != k->info) {
        message_unref(k->info);
        k->info = message_ref(info);
    }
    k->state = state;
    k->since = since;
    return k;
}

void agent_records_forget(struct master *m, struct known_agent *k)
{
    if (!k)
        return;
    HASH_DEL(m->known, k);
    process_cancel(&k->timer);
    agent_id_release(&k->id);
    message_unref(k->info);
    mem_free(k);
}

/* ---- what may register ---- */

static int validate_version(const char *version, struct error *err)
{
    char *end = NULL;
    unsigned long major = version ? strtoul(version, &end, 10) : 0;

    if (!version || end == version || *end != '.')
        return error_set(err, EINVAL, "its version '%.50s' is none", version ? version : "");
    if (major < MASTER_MIN_AGENT_MAJOR)
        return error_set(err, EINVAL, "its version %.50s is older than %d.0.0", version,
                         MASTER_MIN_AGENT_MAJOR);
    return 0;
}

int agent_records_validate(const Pb__AgentInfo *info, const char *version,
                           struct resources *ret_total, struct error *err)
{
    if (validate_version(version, err) < 0)
        return -1;
    if (!*info->hostname)
        return error_set(err, EINVAL, "its hostname is empty");
    if (info->has_port && (info->port < 1 || info->port > 65535))
        return error_set(err, EINVAL, "its port %d is none", info->port);
    if (info->domain)
        return error_set(err, EINVAL, "it has a fault domain, and this master has none");
    if (resources_from_protobuf(info->resources, info->n_resources, ret_total, err) < 0)
        return error_wrap(err, "its resources");
    resources_allocate(ret_total, NULL);
    return 0;
}
