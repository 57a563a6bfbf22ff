/* frameworks.c - frameworks subscribe, fail over, disconnect, and go
 *
 * subscription -> FrameworkRegisteredMessage (new, or failed over) or
 *                 FrameworkReregisteredMessage; refused: FrameworkErrorMessage
 * its link breaks, or its stream -> inactive, offers gone; after its failover_timeout removed
 *                 (framework_records.c)
 *
 * A driver is where its PID is, an HTTP scheduler where its stream goes (mesos/event_stream.h),
 * which has these messages as events.
 *
 * A framework is known to the allocator as long as it is in master->frameworks.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/http/master_events.h"
#include "master/http/scheduler_events.h"
#include "master/master_private.h"
#include "mesos/event_stream.h"
#include "mesos/framework_info.h"
#include "mesos/role.h"
#include "proto/scheduler.pb-c.h"

struct gone_framework {
    struct framework_id id;
};
static void gone_framework_release(struct gone_framework *g)
{
    framework_id_release(&g->id);
}
CALL(master, failover_late, gone_framework, gone_framework_release);

static const Pb__FrameworkInfo *info_of(const struct framework_record *f)
{
    return (const Pb__FrameworkInfo *)f->info->body;
}

/* ---- finding and telling ---- */

struct framework_record *frameworks_find_text(struct master *m, const char *id)
{
    struct framework_record *f = NULL;

    if (id)
        HASH_FIND(hh, m->frameworks, id, strlen(id), f);
    return f;
}

struct framework_record *frameworks_find(struct master *m, struct framework_id id)
{
    return id.text ? frameworks_find_text(m, id.text->bytes) : NULL;
}

static bool is_at(const struct framework_record *f, const struct framework_peer *peer)
{
    if (peer->subscriber || f->subscriber)
        return f->subscriber == peer->subscriber;
    return pid_equal(&f->pid, peer->pid);
}

static const char *where(const struct framework_peer *peer, char *out, size_t size)
{
    if (!peer->subscriber)
        return pid_text(peer->pid, out, size);
    snprintf(out, size, "HTTP stream %s", event_stream_id(peer->subscriber));
    return out;
}

static void connect_to(struct master *m, struct framework_record *f,
                       const struct framework_peer *from);

/* Our connection to it broke, its own to us did not: it does not know that we
 * took it for gone, and would never subscribe again. */
static void reconnect(struct master *m, struct framework_record *f)
{
    struct pid pid = pid_dup(&f->pid);

    log_info("framework %s is there after all: connected again", framework_id_text(&f->id));
    connect_to(m, f, &(struct framework_peer){ .pid = &pid });
    master_events_framework_updated(m, f);
    pid_release(&pid);
}

struct framework_record *frameworks_find_sender(struct master *m, const Pb__FrameworkID *id,
                                                const struct pid *from, const char *what)
{
    struct framework_record *f = frameworks_find_text(m, id ? id->value : NULL);
    bool here = f && !pid_is_empty(&f->pid) && pid_equal(&f->pid, from);

    if (here && !f->connected && !f->recovered)
        reconnect(m, f);
    if (here && f->connected)
        return f;
    master_drop(m, what, from,
                !f              ? "the framework is unknown"
                : f->subscriber ? "the framework is subscribed by HTTP"
                : f->connected  ? "the framework is subscribed from another PID"
                                : "the framework is not subscribed");
    return NULL;
}

static struct framework_record *find_completed(struct master *m, struct framework_id id)
{
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        if (framework_id_equal(&f->id, &id))
            return f;
    return NULL;
}

bool frameworks_is_completed(struct master *m, struct framework_id id)
{
    return find_completed(m, id) != NULL;
}

void frameworks_send(struct master *m, struct framework_record *f, const ProtobufCMessage *msg)
{
    framework_metrics_event(f, msg);
    if (f->subscriber)
        scheduler_events_send(f->subscriber, msg);
    else if (f->connected)
        process_send(&m->process, &f->pid, msg);
}

static void send_error(struct master *m, const struct framework_peer *to, const char *why)
{
    Pb__FrameworkErrorMessage message = PB__FRAMEWORK_ERROR_MESSAGE__INIT;

    message.message = why;
    if (to->subscriber) {
        scheduler_events_send(to->subscriber, &message.base);
        event_stream_close(to->subscriber);
    } else {
        process_send(&m->process, to->pid, &message.base);
    }
}

static void refuse(struct master *m, const struct framework_peer *to, const char *why)
{
    char text[PID_TEXT];

    log_warning("framework at %s refused: %s", where(to, text, sizeof text), why);
    send_error(m, to, why);
}

static void confirm(struct master *m, struct framework_record *f, bool again)
{
    Pb__FrameworkRegisteredMessage registered = PB__FRAMEWORK_REGISTERED_MESSAGE__INIT;
    Pb__FrameworkReregisteredMessage reregistered = PB__FRAMEWORK_REREGISTERED_MESSAGE__INIT;

    registered.framework_id = reregistered.framework_id = info_of(f)->id;
    registered.master_info = reregistered.master_info = m->info;
    framework_metrics_call(f, PB_SCHEDULER_V1__CALL__TYPE__SUBSCRIBE);
    frameworks_send(m, f, again ? &reregistered.base : &registered.base);
}

struct framework_record *frameworks_recover(struct master *m, const Pb__FrameworkInfo *info)
{
    struct framework_record *f;
    struct framework_id id;
    struct error err;

    if (framework_info_validate(info, NULL, 0, &err) < 0 ||
        framework_id_parse(info->id ? info->id->value : NULL, &id, &err) < 0) {
        log_warning("framework of an agent not recovered: %s", err.text);
        return NULL;
    }
    f = framework_records_add(m, &id, info, 0, NULL);
    f->recovered = true;
    f->registered = (struct instant){ 0 };
    allocator_deactivate_framework(m->allocator, f->id);
    master_events_framework_added(m, f);
    log_info("framework %s (%s) recovered from an agent", framework_id_text(&f->id),
             info_of(f)->name);
    framework_id_release(&id);
    return f;
}

/* ---- subscription ---- */

static int validate(const struct master *m, const Pb__FrameworkInfo *info, size_t n_suppressed,
                    const char *const *suppressed, struct error *err)
{
    if (framework_info_validate(info, suppressed, n_suppressed, err) < 0)
        return -1;
    if (!m->options.root_submissions && strcmp(info->user, "root") == 0)
        return error_set(
            err, EPERM,
            "User 'root' is not allowed to run frameworks without --root_submissions set");
    return 0;
}

/* From now on it is there, at `from`. */
static void connect_to(struct master *m, struct framework_record *f,
                       const struct framework_peer *from)
{
    process_cancel(&f->failover_timer);
    if (from->subscriber)
        event_stream_ref(from->subscriber);
    framework_records_let_go(f);
    f->subscriber = from->subscriber;
    if (f->subscriber) {
        pid_release(&f->pid);
    } else {
        pid_assign(&f->pid, from->pid);
        process_link(&m->process, from->pid, LINK_RECONNECT);
    }
    f->connected = f->active = true;
    f->recovered = false;
    if (f->registered.ns == 0)
        f->registered = master_wall(m);
    allocator_activate_framework(m->allocator, f->id);
}

static void subscribe_new(struct master *m, const struct framework_peer *from,
                          const struct framework_id *id, const Pb__FrameworkInfo *info, bool again,
                          size_t n_suppressed, const char *const *suppressed)
{
    struct framework_record *f = framework_records_add(m, id, info, n_suppressed, suppressed);
    char text[PID_TEXT];

    if (again) { /* of an earlier master, or its own invention: first it is recovered, then there */
        f->recovered = true;
        f->registered = (struct instant){ 0 };
        master_events_framework_added(m, f);
    }
    connect_to(m, f, from);
    if (again) {
        f->reregistered = master_wall(m);
        master_events_framework_updated(m, f);
    } else {
        master_events_framework_added(m, f);
    }
    confirm(m, f, again);
    log_info("framework %s (%s) subscribed at %s", framework_id_text(&f->id), info->name,
             where(from, text, sizeof text));
}

static bool holds(const struct agent_record *a, const struct framework_record *f)
{
    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->framework == f)
            return true;
    list_each (e, &a->executors, struct executor_record, agent_link)
        if (e->framework == f)
            return true;
    return false;
}

/* Its agents send their executors' messages to its new address. */
static void tell_agents(struct master *m, struct framework_record *f)
{
    Pb__UpdateFrameworkMessage message = PB__UPDATE_FRAMEWORK_MESSAGE__INIT;
    char pid[PID_TEXT];

    message.framework_id = info_of(f)->id;
    message.framework_info = (Pb__FrameworkInfo *)f->info->body;
    message.pid = pid_text(&f->pid, pid, sizeof pid); /* empty: it is reached through us */
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        if (a->connected && holds(a, f))
            process_send(&m->process, &a->pid, &message.base);
}

static bool has_same_roles(const Pb__FrameworkInfo *a, const Pb__FrameworkInfo *b)
{
    if (framework_info_role_count(a) != framework_info_role_count(b))
        return false;
    for (size_t i = 0; i < framework_info_role_count(a); i++)
        if (!framework_info_has_role(b, framework_info_role(a, i)))
            return false;
    return true;
}

static void update_info(struct master *m, struct framework_record *f, const Pb__FrameworkInfo *info,
                        size_t n_suppressed, const char *const *suppressed)
{
    bool same = has_same_roles(info_of(f), info);

    framework_records_set_info(f, info);
    if (!same) { /* what it uses stays charged at its agents */
        allocator_remove_framework(m->allocator, f->id);
        framework_records_tell_allocator(m, f, n_suppressed, suppressed);
        return;
    }
    framework_records_note_suppressed(f, n_suppressed, suppressed);
    allocator_revive(m->allocator, f->id, NULL, 0);
    if (n_suppressed > 0)
        allocator_suppress(m->allocator, f->id, suppressed, n_suppressed);
}

static void subscribe_again(struct master *m, struct framework_record *f,
                            const struct framework_peer *from, const Pb__FrameworkInfo *info,
                            size_t n_suppressed, const char *const *suppressed)
{
    bool moved = !is_at(f, from), was_recovered = f->recovered;
    char text[PID_TEXT];

    allocator_deactivate_framework(m->allocator,
                                   f->id); /* what comes back is not offered to the old one */
    offers_remove_of_framework(m, f, !moved);
    if (moved && f->connected)
        send_error(m, &(struct framework_peer){ &f->pid, f->subscriber }, "Framework failed over");
    update_info(m, f, info, n_suppressed, suppressed);
    connect_to(m, f, from);
    f->reregistered = master_wall(m);
    master_events_framework_updated(m, f);
    confirm(m, f, !moved || was_recovered);
    tell_agents(m, f);
    log_info("framework %s (%s) subscribed again at %s", framework_id_text(&f->id),
             info_of(f)->name, where(from, text, sizeof text));
}

static struct framework_record *find_peer(struct master *m, const struct framework_peer *peer)
{
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        if (f->connected && is_at(f, peer))
            return f;
    return NULL;
}

static void subscribe_without_id(struct master *m, const struct framework_peer *from,
                                 const Pb__FrameworkInfo *info, size_t n_suppressed,
                                 const char *const *suppressed)
{
    struct framework_record *f = find_peer(m, from);
    struct framework_id id;

    if (f) { /* our answer was late or lost */
        confirm(m, f, false);
        return;
    }
    id.text = text_format("%s-%04llu", m->id->bytes, (unsigned long long)m->next_framework++);
    subscribe_new(m, from, &id, info, false, n_suppressed, suppressed);
    framework_id_release(&id);
}

/* Our own driver asks until it hears this: then its TEARDOWN has arrived. */
static void refuse_completed(struct master *m, struct framework_record *f,
                             const struct framework_peer *from)
{
    static const char why[] = "Framework has been removed";

    if (!is_at(f, from)) {
        refuse(m, from, why);
        return;
    }
    log_info("framework %s is told that it has been removed", framework_id_text(&f->id));
    send_error(m, from, why);
}

static void subscribe_with_id(struct master *m, const struct framework_peer *from,
                              const Pb__FrameworkInfo *info, bool force, size_t n_suppressed,
                              const char *const *suppressed)
{
    struct framework_id id;
    struct framework_record *f, *completed;

    CHECK(framework_id_parse(info->id->value, &id, NULL) == 0); /* validated */
    f = frameworks_find(m, id);
    completed = find_completed(m, id);
    if (completed)
        refuse_completed(m, completed, from);
    else if (!f)
        subscribe_new(m, from, &id, info, true, n_suppressed, suppressed);
    else if (!force && !f->recovered && !is_at(f, from))
        refuse(m, from, "Framework failed over");
    else
        subscribe_again(m, f, from, info, n_suppressed, suppressed);
    framework_id_release(&id);
}

void frameworks_subscribe(struct master *m, const struct framework_peer *from,
                          const Pb__FrameworkInfo *info, bool force, size_t n_suppressed,
                          const char *const *suppressed)
{
    struct error err;

    if (!from->subscriber && pid_is_empty(from->pid))
        master_drop(m, "subscription", from->pid, "it has no sender");
    else if (validate(m, info, n_suppressed, suppressed, &err) < 0)
        refuse(m, from, err.text);
    else if (info->id && *info->id->value)
        subscribe_with_id(m, from, info, force, n_suppressed, suppressed);
    else
        subscribe_without_id(m, from, info, n_suppressed, suppressed);
}

/* ---- changed ---- */

static bool is_text_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static int validate_update(const Pb__FrameworkInfo *old, const Pb__FrameworkInfo *info,
                           struct error *err)
{
    const char *fixed = !is_text_equal(old->principal, info->principal) ? "principal"
                        : !is_text_equal(old->user, info->user)         ? "user"
                        : old->checkpoint != info->checkpoint           ? "checkpoint"
                                                                        : NULL;

    if (!fixed)
        return 0;
    return error_set(err, EINVAL, "'FrameworkInfo.%s' of a framework cannot be changed", fixed);
}

int frameworks_update(struct master *m, struct framework_record *f, const Pb__FrameworkInfo *info,
                      size_t n_suppressed, const char *const *suppressed, struct error *err)
{
    if (validate(m, info, n_suppressed, suppressed, err) < 0 ||
        validate_update(info_of(f), info, err) < 0)
        return -1;
    if (!has_same_roles(info_of(f), info)) {
        allocator_deactivate_framework(m->allocator, f->id);
        offers_remove_of_framework(m, f, true);
    }
    update_info(m, f, info, n_suppressed, suppressed);
    if (f->active)
        allocator_activate_framework(m->allocator, f->id);
    master_events_framework_updated(m, f);
    tell_agents(m, f);
    log_info("framework %s (%s) updated", framework_id_text(&f->id), info_of(f)->name);
    return 0;
}

/* ---- suppressed and revived ---- */

static bool has_roles(const struct framework_record *f, size_t n, const char *const *roles)
{
    for (size_t i = 0; i < n; i++)
        if (n > FRAMEWORK_INFO_ROLES_MAX || !framework_info_has_role(info_of(f), roles[i])) {
            log_warning("framework %s has no role '%s': its call is ignored",
                        framework_id_text(&f->id), roles[i]);
            return false;
        }
    return true;
}

void frameworks_suppress(struct master *m, struct framework_record *f, size_t n,
                         const char *const *roles)
{
    master_count(m, MASTER_MESSAGES_SUPPRESS_OFFERS);
    if (!has_roles(f, n, roles))
        return;
    framework_metrics_suppress(f, n, roles);
    allocator_suppress(m->allocator, f->id, roles, n);
}

void frameworks_revive(struct master *m, struct framework_record *f, size_t n,
                       const char *const *roles)
{
    master_count(m, MASTER_MESSAGES_REVIVE_OFFERS);
    if (!has_roles(f, n, roles))
        return;
    framework_metrics_revive(f, n, roles);
    allocator_revive(m->allocator, f->id, roles, n);
}

/* ---- away ---- */

void frameworks_deactivate(struct master *m, struct framework_record *f)
{
    bool news = f->active || !f->connected;

    f->active = false;
    allocator_deactivate_framework(m->allocator, f->id);
    offers_remove_of_framework(m, f, true);
    if (news)
        master_events_framework_updated(m, f);
    log_info("framework %s deactivated", framework_id_text(&f->id));
}

static void disconnect(struct master *m, struct framework_record *f)
{
    f->connected = false;
    framework_records_let_go(f);
    log_info("framework %s disconnected", framework_id_text(&f->id));
    frameworks_deactivate(m, f);
    f->failover_timer = delay(&m->pid, framework_info_failover_timeout(info_of(f)), failover_late,
                              .id = framework_id_dup(&f->id));
}

void frameworks_exited(struct master *m, const struct pid *pid)
{
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        if (f->connected && !f->subscriber && pid_equal(&f->pid, pid))
            disconnect(m, f);
}

void frameworks_left(struct master *m, const struct event_stream *s)
{
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        if (f->subscriber == s) {
            disconnect(m, f);
            return;
        }
}

static void failover_late(struct master *m, struct gone_framework *gone)
{
    struct framework_record *f = frameworks_find(m, gone->id);

    if (f && !f->connected)
        framework_records_remove(m, f, "it did not come back within its failover_timeout");
}

/* ---- the end ---- */

void frameworks_release(struct master *m)
{
    struct framework_record *f, *next;

    HASH_ITER(hh, m->frameworks, f, next)
    {
        HASH_DEL(m->frameworks, f);
        framework_records_destroy(f);
    }
    list_each_safe (done, &m->completed_frameworks, struct framework_record, link)
        framework_records_destroy(done);
}
