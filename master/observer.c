/* observer.c - one actor per agent that pings it
 *
 * PingSlaveMessage each agent_ping_timeout, the first at once; PongSlaveMessage
 * is the answer.  After max_agent_ping_timeouts intervals without one the
 * master is asked to mark the agent unreachable.  `connected` tells the agent
 * whether the master still has a link to it: an agent that thinks so and is
 * told no registers again.
 */
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/master_private.h"

struct observer {
    struct process process;
    struct pid master_pid, agent_pid;
    struct agent_id agent;
    struct duration interval;
    int64_t max_timeouts, timeouts;
    bool connected, answered;
    struct timer timer;
};

CLASS(observer, "slave-observer", observer_initialize, observer_exited, observer_finalize);

#define MESSAGES(ON) ON(pb__pong_slave_message, Pb__PongSlaveMessage, on_pong)
HANDLERS(observer, observer_handlers, MESSAGES);

CALL(observer, ping_late, nothing, NO_RELEASE);

struct observer_change {
    struct pid pid;
    bool connected;
};
static void observer_change_release(struct observer_change *c)
{
    pid_release(&c->pid);
}
CALL(observer, change_target, observer_change, observer_change_release);

struct late_agent {
    struct agent_id id;
};
static void late_agent_release(struct late_agent *l)
{
    agent_id_release(&l->id);
}
CALL(master, agent_late, late_agent, late_agent_release);

static void ping(struct observer *o)
{
    Pb__PingSlaveMessage message = PB__PING_SLAVE_MESSAGE__INIT;

    o->answered = false;
    message.connected = o->connected;
    process_send(&o->process, &o->agent_pid, &message.base);
    o->timer = delay(&o->process.pid, o->interval, ping_late, 0);
}

static void observer_initialize(struct observer *o)
{
    process_install(&o->process, observer_handlers);
    ping(o);
}

static void observer_exited(struct observer *o, const struct pid *peer)
{
    (void)o;
    (void)peer;
}

static void observer_finalize(struct observer *o)
{
    process_cancel(&o->timer);
    pid_release(&o->master_pid);
    pid_release(&o->agent_pid);
    agent_id_release(&o->agent);
    mem_free(o);
}

static void on_pong(struct observer *o, const struct pid *from, const Pb__PongSlaveMessage *msg)
{
    (void)msg;
    if (!pid_equal(from, &o->agent_pid))
        return;
    o->answered = true;
    o->timeouts = 0;
}

static void ping_late(struct observer *o, struct nothing *none)
{
    (void)none;
    if (!o->answered && ++o->timeouts >= o->max_timeouts) {
        o->timeouts = 0; /* should the master keep it: from the start */
        dispatch(&o->master_pid, agent_late, .id = agent_id_dup(&o->agent));
    }
    ping(o);
}

static void change_target(struct observer *o, struct observer_change *c)
{
    pid_assign(&o->agent_pid, &c->pid);
    o->connected = c->connected;
    o->timeouts = 0;
}

static void agent_late(struct master *m, struct late_agent *late)
{
    agent_departures_mark_unreachable(m, late->id, "health check timed out");
}

struct pid observer_start(struct master *m, const struct agent_record *a)
{
    struct observer *o = mem_alloc(sizeof *o);
    struct pid pid = { 0 };
    struct error err;

    o->master_pid = pid_dup(&m->pid);
    o->agent_pid = pid_dup(&a->pid);
    o->agent = agent_id_dup(&a->id);
    o->interval = m->options.agent_ping_timeout;
    o->max_timeouts = m->options.max_agent_ping_timeouts;
    o->connected = true;
    CHECK(process_spawn(m->runtime, &o->process, &observer_class, NULL, &pid, &err) == 0);
    return pid;
}

void observer_update(const struct agent_record *a)
{
    dispatch(&a->observer, change_target, .pid = pid_dup(&a->pid), .connected = a->connected);
}

void observer_stop(const struct pid *observer)
{
    if (!pid_is_empty(observer))
        process_terminate(observer, TERMINATE_NOW);
}
