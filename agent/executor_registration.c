/* executor_registration.c - executors register, are away, and come back
 *
 *   RegisterExecutorMessage, SUBSCRIBE → where it is is stored → ExecutorRegisteredMessage, and
 *                                        the tasks that wait for it
 *   its connection breaks, or the agent was restarted → it has some time to come back:
 *   ReregisterExecutorMessage, SUBSCRIBE → what it has to say again, and what it has missed
 *
 * A driver is asked to come back, and has executor_reregistration_timeout.  An HTTP executor comes
 * by itself: within the same time after a restart of the agent, within recovery_timeout, which is
 * as long as it tries, after a broken stream.  One that does not is killed.
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__register_executor_message, Pb__RegisterExecutorMessage, on_register)                    \
    ON(pb__reregister_executor_message, Pb__ReregisterExecutorMessage, on_reregister)
HANDLERS(agent, registration_handlers, MESSAGES);

struct waiting { struct container_id container; };
static void waiting_release(struct waiting *w) { container_id_release(&w->container); }
CALL(agent, registration_late, waiting, waiting_release);

struct storing { struct container_id container; };
LAST(agent, peer_stored, storing);

void executor_registration_init(struct agent *a)
{
    process_install(&a->process, registration_handlers);
}

static struct hosted_executor *find_executor(struct agent *a, const Pb__FrameworkID *framework,
                                             const Pb__ExecutorID *executor)
{
    struct hosted_framework *f = hosted_framework_find(a, framework->value);

    return f ? hosted_executor_find(f, executor->value) : NULL;
}

/* ---- what it is told ---- */

static void refuse(struct agent *a, const struct pid *from, const char *executor, const char *why)
{
    Pb__ShutdownExecutorMessage msg = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;

    log_warning("executor %s is refused: %s", executor, why);
    process_send(&a->process, from, &msg.base);
}

/* What HTTP executors hear of us: resources in the form of v1. */
static Pb__AgentInfo *info_for(const struct agent *a, const struct hosted_executor *e,
                               struct arena *arena)
{
    Pb__AgentInfo *info = a->info;

    if (!e->peer.http)
        return info;
    info = arena_dup(arena, info, sizeof *info);
    info->resources = resources_to_protobuf(&a->total, RESOURCE_POST_REFINEMENT, arena,
                                            &info->n_resources);
    return info;
}

static void confirm(struct agent *a, struct hosted_executor *e)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__ExecutorRegisteredMessage msg = PB__EXECUTOR_REGISTERED_MESSAGE__INIT;

    msg.executor_info = (Pb__ExecutorInfo *)e->info->body;
    msg.framework_info = (Pb__FrameworkInfo *)e->framework->info->body;
    msg.framework_id = msg.framework_info->id;
    msg.slave_id = a->info->id;
    msg.slave_info = info_for(a, e, &arena);
    executor_peer_send(a, e, &msg.base);
}

static void confirm_return(struct agent *a, struct hosted_executor *e)
{
    Pb__ExecutorReregisteredMessage msg = PB__EXECUTOR_REREGISTERED_MESSAGE__INIT;

    if (e->peer.http) {                      /* there is one event for both */
        confirm(a, e);
        return;
    }
    msg.slave_id = a->info->id;
    msg.slave_info = a->info;
    executor_peer_send(a, e, &msg.base);
}

/* ---- it is there ---- */

static bool knows_task(const Pb__ReregisterExecutorMessage *msg, const char *task)
{
    for (size_t i = 0; i < msg->n_tasks; i++)
        if (strcmp(msg->tasks[i]->task_id->value, task) == 0)
            return true;
    for (size_t i = 0; i < msg->n_updates; i++)
        if (strcmp(msg->updates[i]->status->task_id->value, task) == 0)
            return true;
    return false;
}

/* Tasks that it was given, and does not have.  What the last start of the agent did not get to it
 * is not given to it now: it may be half there (FACTS 5.1 of Mesos's own recovery). */
static void settle_missing_tasks(struct agent *a, struct hosted_executor *e,
                                 const Pb__ReregisterExecutorMessage *msg)
{
    for (struct hosted_task *t = e->tasks, *next; t; t = next) {
        next = t->hh.next;
        if (!t->sent || t->state != PB__TASK_STATE__TASK_STAGING ||
            knows_task(msg, t->id.text->bytes))
            continue;
        if (e->reconnecting)
            t->sent = false;                 /* it ignores a second one */
        else
            status_updates_generate(a, t, PB__TASK_STATE__TASK_DROPPED,
                                    PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED,
                                    "Task launched during agent restart");
    }
}

static void take_updates(struct agent *a, struct hosted_executor *e,
                         const Pb__ReregisterExecutorMessage *msg)
{
    for (size_t i = 0; i < msg->n_updates; i++)
        executor_messages_update(a, e, msg->updates[i]);
}

static void is_there(struct agent *a, struct hosted_executor *e,
                     const Pb__ReregisterExecutorMessage *msg)
{
    bool again = e->recovered || e->reconnecting;

    log_info("executor %s of framework %s %s", e->id.text->bytes, e->framework->id.text->bytes,
             again ? "came back" : "registered");
    process_cancel(&e->timer);
    e->state = EXECUTOR_RUNNING;
    if (again && msg)
        confirm_return(a, e);
    else
        confirm(a, e);
    if (msg) {
        settle_missing_tasks(a, e, msg);
        take_updates(a, e, msg);
    }
    e->reconnecting = false;
    hosted_executor_send_tasks(a, e);
}

/* Without it a restarted agent cannot find the executor; it will then be killed. */
static void peer_stored(struct agent *a, struct future *f, struct storing *op)
{
    struct hosted_executor *e = future_state(f) == FUTURE_DISCARDED
                                    ? NULL
                                    : hosted_executor_find_run(a, op->container);
    struct message *said;

    container_id_release(&op->container);
    mem_free(op);
    if (!e || e->state != EXECUTOR_REGISTERING)
        return;
    if (future_state(f) == FUTURE_FAILED)
        log_error("executor %s cannot be stored; it will not survive a restart of the agent: %s",
                  e->id.text->bytes, future_error(f)->text);
    e->peer.stored = true;
    said = e->subscription;
    e->subscription = NULL;
    if (executor_peer_is_here(&e->peer))     /* else it is away again, and has time to come back */
        is_there(a, e, said ? (const Pb__ReregisterExecutorMessage *)said->body : NULL);
    message_unref(said);
}

static void store_peer(struct agent *a, struct hosted_executor *e)
{
    struct storing *op = mem_alloc(sizeof *op);
    char text[PID_TEXT];

    op->container = container_id_dup(&e->container);
    FINALLY(store_put_executor_pid(a->store, e->container,
                                   executor_peer_text(&e->peer, text, sizeof text)),
            peer_stored, a, op);
}

/* ---- drivers ---- */

static bool may_register(const struct hosted_executor *e, const struct pid *from)
{
    if (!e || e->framework->terminating || e->state != EXECUTOR_REGISTERING)
        return false;
    if (e->builtin)
        return e->command && pid_equal(from, command_executor_pid(e->command));
    return !executor_peer_is_known(&e->peer) || executor_peer_is_at(&e->peer, from);
}

static void on_register(struct agent *a, const struct pid *from,
                        const Pb__RegisterExecutorMessage *msg)
{
    struct hosted_executor *e = find_executor(a, msg->framework_id, msg->executor_id);

    if (!may_register(e, from)) {
        refuse(a, from, msg->executor_id->value, "it is not expected");
        return;
    }
    if (executor_peer_is_known(&e->peer))
        return;                              /* said twice; being stored */
    pid_assign(&e->peer.pid, from);
    if (e->builtin) {
        is_there(a, e, NULL);
        return;
    }
    process_link(&a->process, from, LINK_REUSE);
    store_peer(a, e);
}

static void on_reregister(struct agent *a, const struct pid *from,
                          const Pb__ReregisterExecutorMessage *msg)
{
    struct hosted_executor *e = find_executor(a, msg->framework_id, msg->executor_id);

    if (!e || e->builtin || !(e->recovered || e->reconnecting) ||
        e->state != EXECUTOR_REGISTERING || e->framework->terminating ||
        !executor_peer_is_at(&e->peer, from)) {
        refuse(a, from, msg->executor_id->value, "it is not expected to come back");
        return;
    }
    is_there(a, e, msg);
}

/* ---- HTTP executors ---- */

/* It is to end: it hears so, and what it still has to say is taken. */
static void send_away(struct agent *a, struct hosted_executor *e, struct event_stream *s,
                      const Pb__ReregisterExecutorMessage *msg)
{
    Pb__ShutdownExecutorMessage end = PB__SHUTDOWN_EXECUTOR_MESSAGE__INIT;

    log_info("executor %s of framework %s is told to end when it subscribes", e->id.text->bytes,
             e->framework->id.text->bytes);
    executor_peer_take(&e->peer, s);
    if (e->state == EXECUTOR_TERMINATING)
        take_updates(a, e, msg);
    executor_peer_send(a, e, &end.base);
    executor_peer_close(&e->peer);
}

void executor_registration_subscribe(struct agent *a, struct hosted_executor *e,
                                     struct event_stream *s,
                                     const Pb__ReregisterExecutorMessage *msg)
{
    bool known = executor_peer_is_known(&e->peer);

    if (a->state == AGENT_TERMINATING || e->framework->terminating ||
        e->state == EXECUTOR_TERMINATING || e->state == EXECUTOR_TERMINATED) {
        send_away(a, e, s, msg);
        return;
    }
    executor_peer_take(&e->peer, s);         /* a newer one wins */
    e->reconnecting = e->reconnecting || e->state == EXECUTOR_RUNNING;
    if (e->peer.stored) {
        is_there(a, e, msg);
        return;
    }
    message_unref(e->subscription);
    e->subscription = message_create(&msg->base);
    if (!known)
        store_peer(a, e);
}

void executor_registration_left(struct agent *a, const struct event_stream *s)
{
    struct hosted_executor *e = hosted_executor_find_stream(a, s);

    if (!e)
        return;                              /* a newer one is there */
    executor_peer_left(&e->peer, s);
    executor_registration_broke(a, e);
}

/* ---- it is away ---- */

/* Its run tells when it has ended: this is only its connection, with what was on its way. */
void executor_registration_broke(struct agent *a, struct hosted_executor *e)
{
    if (e->builtin || e->state != EXECUTOR_RUNNING || e->has_exit)
        return;
    e->state = EXECUTOR_REGISTERING;
    e->reconnecting = true;
    executor_registration_expect_back(a, e);
}

void executor_registration_expect_back(struct agent *a, struct hosted_executor *e)
{
    Pb__ReconnectExecutorMessage msg = PB__RECONNECT_EXECUTOR_MESSAGE__INIT;

    executor_registration_await(a, e, e->peer.http && e->reconnecting
                                          ? a->options.recovery_timeout
                                          : a->options.executor_reregistration_timeout);
    if (pid_is_empty(&e->peer.pid))
        return;                              /* comes by itself; or had not registered */
    process_link(&a->process, &e->peer.pid, LINK_RECONNECT);
    msg.slave_id = a->info->id;
    process_send(&a->process, &e->peer.pid, &msg.base);
}

void executor_registration_await(struct agent *a, struct hosted_executor *e, struct duration d)
{
    process_cancel(&e->timer);
    e->timer = delay(&a->process.pid, d, registration_late,
                     .container = container_id_dup(&e->container));
}

static void registration_late(struct agent *a, struct waiting *args)
{
    struct hosted_executor *e = hosted_executor_find_run(a, args->container);

    if (!e || e->state != EXECUTOR_REGISTERING)
        return;
    if (e->recovered || e->reconnecting)
        hosted_executor_blame(e, PB__TASK_STATE__TASK_GONE,
                              PB__TASK_STATUS__REASON__REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                              e->reconnecting
                                  ? "Executor did not come back after its connection broke"
                                  : "Executor did not come back after a restart of the agent");
    else
        hosted_executor_blame(e, PB__TASK_STATE__TASK_FAILED,
                              PB__TASK_STATUS__REASON__REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                              "Executor did not register within the time-out");
    log_warning("executor %s of framework %s is killed: %s", e->id.text->bytes,
                e->framework->id.text->bytes, e->end_message);
    e->state = EXECUTOR_TERMINATING;
    hosted_executor_kill_run(a, e);
}
