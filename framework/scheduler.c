/* scheduler.c - the scheduler library: subscribed, and kept so
 *
 * scheduler                                    master
 *    (resolve, link) mesos.scheduler.Call SUBSCRIBE  ->
 *                                   <-  FrameworkRegisteredMessage, FrameworkReregisteredMessage
 *                                   <-  FrameworkErrorMessage: the end
 *                                   <-  ResourceOffersMessage, RescindResourceOfferMessage
 *                                   <-  StatusUpdateMessage, ExecutorToFrameworkMessage
 *                                   <-  LostSlaveMessage, ExitedExecutorMessage
 *
 * No answer: again after a random time in [0, backoff], which doubles to 1 min
 * (FACTS 2.6).  A broken connection: disconnected, and from the start.
 * Leaving: TEARDOWN, and SUBSCRIBE again and again until that is refused.
 */
#include "framework/scheduler_private.h"

#include <errno.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/framework_info.h"
#include "process/host.h"
#include "process/runtime.h"
#include "proto/messages.pb-c.h"

#define BACKOFF_FIRST SECONDS(2)
#define BACKOFF_MAX MINUTES(1)
enum { LEAVE_TRIES = 4 };

#define MESSAGES(ON)                                                                               \
    ON(pb__framework_registered_message, Pb__FrameworkRegisteredMessage, on_registered)            \
    ON(pb__framework_reregistered_message, Pb__FrameworkReregisteredMessage, on_reregistered)      \
    ON(pb__framework_error_message, Pb__FrameworkErrorMessage, on_error)                           \
    ON(pb__resource_offers_message, Pb__ResourceOffersMessage, on_offers)                          \
    ON(pb__rescind_resource_offer_message, Pb__RescindResourceOfferMessage, on_rescind)            \
    ON(pb__status_update_message, Pb__StatusUpdateMessage, on_status_update)                       \
    ON(pb__executor_to_framework_message, Pb__ExecutorToFrameworkMessage, on_executor_message)     \
    ON(pb__lost_slave_message, Pb__LostSlaveMessage, on_lost_agent)                                \
    ON(pb__exited_executor_message, Pb__ExitedExecutorMessage, on_exited_executor)

HANDLERS(scheduler, scheduler_handlers, MESSAGES);

CLASS(scheduler, "scheduler", scheduler_initialize, scheduler_exited, scheduler_finalize);
CALL(scheduler, subscribe_again, nothing, NO_RELEASE);

struct own_status { struct message *status; };
static void own_status_release(struct own_status *a)
{
    message_unref(a->status);
}
CALL(scheduler, deliver_own, own_status, own_status_release);

struct resolution { uint64_t attempt; };
LAST(scheduler, master_resolved, resolution);

static void subscribe(struct scheduler *s);

static void removed(struct scheduler *s)
{
    s->failed = true;
    s->connected = false;
    process_cancel(&s->retry_timer);
    if (s->callbacks.removed)
        s->callbacks.removed(s->arg, s);
}

/* ---- life ---- */

static void scheduler_free(struct scheduler *s)
{
    pid_release(&s->pid);
    text_unref(s->master_name);
    message_unref(s->info);
    text_unref(s->id);
    mem_free(s);
}

static struct text *scheduler_process_id(struct host *h)
{
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT];

    host_uuid(h, uuid);
    return text_format("scheduler-%s", host_uuid_format(uuid, text));
}

struct scheduler *scheduler_create(struct runtime *rt, const struct scheduler_options *options,
                                   const struct scheduler_callbacks *callbacks, void *arg,
                                   struct error *err)
{
    struct scheduler *s = mem_alloc(sizeof *s);
    struct text *id = scheduler_process_id(runtime_host(rt));
    int result;

    s->callbacks = *callbacks;
    s->arg = arg;
    s->master_name = text_create(options->master);
    s->info = message_create(&options->info->base);
    if (options->info->id) {
        s->id = text_create(options->info->id->value);
        s->failover = true;
    }
    s->starts_later = options->starts_later;
    s->explicit_acknowledgements = options->explicit_acknowledgements;
    s->partition_aware = framework_info_has(options->info, PARTITION_AWARE);
    s->backoff_first = options->backoff_max.ns > 0 ? options->backoff_max : BACKOFF_FIRST;
    result = process_spawn(rt, &s->process, &scheduler_class, id->bytes, &s->pid, err);
    text_unref(id);
    if (result < 0) {
        scheduler_free(s);
        return NULL;
    }
    return s;
}

void scheduler_destroy(struct scheduler *s)
{
    if (!s)
        return;
    process_terminate(&s->pid, TERMINATE_NOW);
    process_wait(&s->pid, DAYS(1));
    scheduler_free(s);
}

struct process *scheduler_process(struct scheduler *s)
{
    return &s->process;
}

const struct pid *scheduler_pid(const struct scheduler *s)
{
    return &s->pid;
}

static void scheduler_initialize(struct scheduler *s)
{
    process_install(&s->process, scheduler_handlers);
    s->backoff = s->backoff_first;
    if (!s->starts_later)
        subscribe(s);
}

void scheduler_start(struct scheduler *s)
{
    CHECK(process_current() == &s->process && s->starts_later);
    s->starts_later = false;
    subscribe(s);
}

static void scheduler_finalize(struct scheduler *s)
{
    process_cancel(&s->retry_timer);
    pid_release(&s->master);
}

/* ---- subscription ---- */

/* Resolves, links, asks; and once more when nothing has come of it. */
static void subscribe(struct scheduler *s)
{
    struct resolution *op = mem_alloc(sizeof *op);
    struct text *name = text_format("master@%s", s->master_name->bytes);
    struct duration wait = host_random_duration(runtime_host(s->process.runtime), s->backoff);

    op->attempt = ++s->attempt;
    FINALLY(runtime_resolve_pid(s->process.runtime, name->bytes), master_resolved, s, op);
    text_unref(name);
    process_cancel(&s->retry_timer);
    s->retry_timer = delay(&s->process.pid, wait, subscribe_again);
    s->backoff = duration_min(duration_times(s->backoff, 2), BACKOFF_MAX);
}

static void subscribe_again(struct scheduler *s, struct nothing *unused)
{
    (void)unused;
    if ((!s->connected || s->leaving) && !s->failed)
        subscribe(s);
}

static void send_subscribe(struct scheduler *s)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Subscribe body = PB_SCHEDULER__CALL__SUBSCRIBE__INIT;
    Pb__FrameworkInfo info = *(const Pb__FrameworkInfo *)s->info->body;
    Pb__FrameworkID id = PB__FRAMEWORK_ID__INIT;

    if (s->id) {
        id.value = s->id->bytes;
        info.id = &id;
    }
    body.framework_info = &info;
    if (s->failover)
        body.has_force = body.force = 1;
    call.subscribe = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__SUBSCRIBE);
}

static void master_resolved(struct scheduler *s, struct future *f, struct resolution *op)
{
    bool current = op->attempt == s->attempt;

    mem_free(op);
    if (!current || (s->connected && !s->leaving) || s->failed ||
        future_state(f) == FUTURE_DISCARDED)
        return;
    if (future_state(f) == FUTURE_FAILED) {
        log_warning("master %s cannot be found, trying again: %s", s->master_name->bytes,
                    future_error(f)->text);
        if (s->callbacks.no_master)
            s->callbacks.no_master(s->arg, s, future_error(f)->text);
        return;
    }
    pid_assign(&s->master, future_value(f, &runtime_pid_type));
    process_link(&s->process, &s->master, LINK_RECONNECT);
    s->link_broke = false;
    send_subscribe(s);
}

/* A master knows a torn down framework for a while, and refuses it: that answer
 * says that the TEARDOWN before has arrived.  Is it lost, we get in again, and
 * tear down again. */
static void leave(struct scheduler *s)
{
    bool last = ++s->leave_tries >= LEAVE_TRIES;

    scheduler_calls_send_teardown(s);
    if (last) {
        log_warning("master %s does not remember frameworks that have ended: whether it has heard "
                    "of the end of %s is not known", s->master_name->bytes, s->id->bytes);
        removed(s);
        return;
    }
    send_subscribe(s);
    process_cancel(&s->retry_timer);
    s->retry_timer = delay(&s->process.pid, s->backoff_first, subscribe_again);
}

void scheduler_leave(struct scheduler *s)
{
    if (s->leaving || s->failed)
        return;
    s->leaving = true;
    if (s->connected)
        leave(s);
}

static bool from_master(struct scheduler *s, const struct pid *from, const char *what)
{
    char sender[PID_TEXT], ours[PID_TEXT];

    if (pid_equal(from, &s->master))
        return true;
    log_warning("%s from %s is ignored: our master is %s; if they are the same, give us the "
                "address that the master advertises",
                what, pid_text(from, sender, sizeof sender),
                pid_text(&s->master, ours, sizeof ours));
    return false;
}

static void connected(struct scheduler *s, const char *id, const Pb__MasterInfo *master)
{
    bool failover = s->was_registered || s->failover;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;

    if ((s->connected && !s->leaving) || s->failed)
        return;                                     /* our first SUBSCRIBE was slow, not lost */
    if (!s->id)
        s->id = text_create(id);
    if (s->link_broke)                              /* after SUBSCRIBE, before this answer */
        process_link(&s->process, &s->master, LINK_REUSE);
    s->link_broke = false;
    s->connected = s->was_registered = true;
    s->failover = false;
    s->backoff = s->backoff_first;
    process_cancel(&s->retry_timer);
    if (s->leaving) {
        leave(s);
        return;
    }
    log_info("framework %s subscribed with master %s", s->id->bytes, s->master_name->bytes);
    framework.value = s->id->bytes;
    if (s->callbacks.registered)
        s->callbacks.registered(s->arg, s, &framework, master, failover);
}

static void on_registered(struct scheduler *s, const struct pid *from,
                          const Pb__FrameworkRegisteredMessage *msg)
{
    if (from_master(s, from, "FrameworkRegisteredMessage"))
        connected(s, msg->framework_id->value, msg->master_info);
}

static void on_reregistered(struct scheduler *s, const struct pid *from,
                            const Pb__FrameworkReregisteredMessage *msg)
{
    if (from_master(s, from, "FrameworkReregisteredMessage"))
        connected(s, msg->framework_id->value, msg->master_info);
}

static void on_error(struct scheduler *s, const struct pid *from,
                     const Pb__FrameworkErrorMessage *msg)
{
    if (!from_master(s, from, "FrameworkErrorMessage") || s->failed)
        return;
    if (s->leaving) {
        removed(s);
        return;
    }
    s->failed = true;
    s->connected = false;
    process_cancel(&s->retry_timer);
    log_error("master %s refuses the framework: %s", s->master_name->bytes, msg->message);
    if (s->callbacks.error)
        s->callbacks.error(s->arg, s, msg->message);
}

static void scheduler_exited(struct scheduler *s, const struct pid *peer)
{
    if (!pid_equal(peer, &s->master) || s->failed)
        return;
    s->link_broke = true;
    if (s->connected) {
        s->connected = false;
        log_warning("master %s is gone, subscribing again", s->master_name->bytes);
        if (s->callbacks.disconnected && !s->leaving)
            s->callbacks.disconnected(s->arg, s, "the connection to the master broke");
        s->backoff = s->backoff_first;
        process_cancel(&s->retry_timer);
        s->retry_timer =
            delay(&s->process.pid,
                  host_random_duration(runtime_host(s->process.runtime), MILLISECONDS(500)),
                  subscribe_again);
    } else if (s->callbacks.no_master) { /* the retry timer of the attempt runs */
        s->callbacks.no_master(s->arg, s, "it cannot be connected to, or broke off");
    }
}

/* ---- what the master tells ---- */

static bool is_subscribed(const struct scheduler *s)
{
    return s->connected && !s->leaving;
}

static void on_offers(struct scheduler *s, const struct pid *from,
                      const Pb__ResourceOffersMessage *msg)
{
    if (from_master(s, from, "ResourceOffersMessage") && is_subscribed(s) && s->callbacks.offers)
        s->callbacks.offers(s->arg, s, msg->n_offers, msg->offers);
}

static void on_rescind(struct scheduler *s, const struct pid *from,
                       const Pb__RescindResourceOfferMessage *msg)
{
    if (from_master(s, from, "RescindResourceOfferMessage") && is_subscribed(s) &&
        s->callbacks.rescinded)
        s->callbacks.rescinded(s->arg, s, msg->offer_id);
}

/* Only an agent's update has a uuid and a pid; the master's own must not be
 * acknowledged (FACTS 2.7). */
static void on_status_update(struct scheduler *s, const struct pid *from,
                             const Pb__StatusUpdateMessage *msg)
{
    Pb__TaskStatus status = *msg->update->status;
    bool acknowledged;

    if (!from_master(s, from, "StatusUpdateMessage") || !is_subscribed(s))
        return;
    if (!status.agent_id)
        status.agent_id = msg->update->slave_id;
    acknowledged = msg->update->has_uuid && msg->update->uuid.len > 0 && msg->pid && *msg->pid &&
                   status.agent_id;
    status.has_uuid = acknowledged;
    if (acknowledged)
        status.uuid = msg->update->uuid;
    if (!status.has_timestamp) {
        status.has_timestamp = 1;
        status.timestamp = msg->update->timestamp;
    }
    if (s->callbacks.status)
        s->callbacks.status(s->arg, s, &status);
    if (acknowledged && !s->explicit_acknowledgements)
        scheduler_acknowledge(s, &status);
}

void scheduler_deliver_own(struct scheduler *s, const Pb__TaskStatus *status)
{
    dispatch(&s->process.pid, deliver_own, .status = message_create(&status->base));
}

static void deliver_own(struct scheduler *s, struct own_status *a)
{
    if (s->callbacks.status)
        s->callbacks.status(s->arg, s, (const Pb__TaskStatus *)a->status->body);
}

static void on_executor_message(struct scheduler *s, const struct pid *from,
                                const Pb__ExecutorToFrameworkMessage *msg)
{
    (void)from; /* from the master, or directly from the agent */
    if (is_subscribed(s) && s->callbacks.message)
        s->callbacks.message(s->arg, s, msg->slave_id, msg->executor_id, msg->data.data,
                             msg->data.len);
}

static void on_lost_agent(struct scheduler *s, const struct pid *from,
                          const Pb__LostSlaveMessage *msg)
{
    if (from_master(s, from, "LostSlaveMessage") && is_subscribed(s) && s->callbacks.agent_lost)
        s->callbacks.agent_lost(s->arg, s, msg->slave_id);
}

static void on_exited_executor(struct scheduler *s, const struct pid *from,
                               const Pb__ExitedExecutorMessage *msg)
{
    if (from_master(s, from, "ExitedExecutorMessage") && is_subscribed(s) &&
        s->callbacks.executor_lost)
        s->callbacks.executor_lost(s->arg, s, msg->slave_id, msg->executor_id, msg->status);
}
