/* fake_master.h - a master that does what a test tells it, in the simulated world
 *
 * Two nodes: "one" with the fake master at 10.0.0.1:5050, "two" for what is
 * tested.  The fake takes down every call; it answers SUBSCRIBE by itself.
 */
#ifndef FAKE_MASTER_H
#define FAKE_MASTER_H

#include <check.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/message.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "proto/messages.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

enum { FAKE_TASKS = 64 };

struct fake_task { char id[64]; };

struct fake_master {
    struct process process;
    struct pid framework;                /* who subscribed last */
    unsigned subscribes, accepts, declines, revives, suppresses, kills, acknowledges, reconciles,
        teardowns, messages;
    char last_id[64];                    /* of the last SUBSCRIBE's FrameworkInfo; "" none */
    bool force;
    bool is_silent;                      /* does not answer SUBSCRIBE */
    bool was_torn_down;                  /* a SUBSCRIBE is refused */
    const char *refusal;                 /* so is it with these words */
    double refuse_seconds;
    size_t n_launched, n_in_last_accept;
    struct fake_task launched[FAKE_TASKS];
    size_t n_reconciled;                 /* tasks in the last RECONCILE */
};

#define FAKE_MESSAGES(ON) ON(pb_scheduler__call, PbScheduler__Call, on_call)
HANDLERS(fake_master, fake_handlers, FAKE_MESSAGES);
CLASS(fake_master, "master", fake_initialize, fake_exited, fake_finalize);

static void fake_initialize(struct fake_master *m)
{
    process_install(&m->process, fake_handlers);
}

static void fake_exited(struct fake_master *m UNUSED, const struct pid *peer UNUSED) {}

static void fake_finalize(struct fake_master *m)
{
    pid_release(&m->framework);
}

static void fake_answer_subscribe(struct fake_master *m)
{
    Pb__FrameworkID id = PB__FRAMEWORK_ID__INIT;
    Pb__MasterInfo info = PB__MASTER_INFO__INIT;
    Pb__FrameworkErrorMessage error = PB__FRAMEWORK_ERROR_MESSAGE__INIT;
    Pb__FrameworkRegisteredMessage first = PB__FRAMEWORK_REGISTERED_MESSAGE__INIT;
    Pb__FrameworkReregisteredMessage again = PB__FRAMEWORK_REREGISTERED_MESSAGE__INIT;

    if (m->was_torn_down || m->refusal) {
        error.message = m->refusal ? m->refusal : "Framework has been removed";
        process_send(&m->process, &m->framework, &error.base);
        return;
    }
    id.value = m->last_id[0] ? m->last_id : "F-0";
    info.id = "M";
    info.port = 5050;
    first.framework_id = again.framework_id = &id;
    first.master_info = again.master_info = &info;
    process_send(&m->process, &m->framework, m->last_id[0] ? &again.base : &first.base);
}

static void fake_take_accept(struct fake_master *m, const PbScheduler__Call__Accept *accept)
{
    m->accepts++;
    m->n_in_last_accept = 0;
    m->refuse_seconds = accept->filters->refuse_seconds;
    for (size_t i = 0; i < accept->n_operations; i++)
        for (size_t k = 0; k < accept->operations[i]->launch->n_task_infos; k++) {
            ck_assert_uint_lt(m->n_launched, FAKE_TASKS);
            snprintf(m->launched[m->n_launched++].id, 64, "%s",
                     accept->operations[i]->launch->task_infos[k]->task_id->value);
            m->n_in_last_accept++;
        }
}

static void on_call(struct fake_master *m, const struct pid *from, const PbScheduler__Call *call)
{
    switch (call->type) {
    case PB_SCHEDULER__CALL__TYPE__SUBSCRIBE:
        m->subscribes++;
        pid_assign(&m->framework, from);
        snprintf(m->last_id, sizeof m->last_id, "%s",
                 call->subscribe->framework_info->id ? call->subscribe->framework_info->id->value
                                                     : "");
        m->force = call->subscribe->force;
        if (!m->is_silent)
            fake_answer_subscribe(m);
        break;
    case PB_SCHEDULER__CALL__TYPE__ACCEPT: fake_take_accept(m, call->accept); break;
    case PB_SCHEDULER__CALL__TYPE__DECLINE:
        m->declines++;
        m->refuse_seconds = call->decline->filters->refuse_seconds;
        break;
    case PB_SCHEDULER__CALL__TYPE__REVIVE: m->revives++; break;
    case PB_SCHEDULER__CALL__TYPE__SUPPRESS: m->suppresses++; break;
    case PB_SCHEDULER__CALL__TYPE__KILL: m->kills++; break;
    case PB_SCHEDULER__CALL__TYPE__ACKNOWLEDGE: m->acknowledges++; break;
    case PB_SCHEDULER__CALL__TYPE__RECONCILE:
        m->reconciles++;
        m->n_reconciled = call->reconcile->n_tasks;
        break;
    case PB_SCHEDULER__CALL__TYPE__MESSAGE: m->messages++; break;
    case PB_SCHEDULER__CALL__TYPE__TEARDOWN:
        m->teardowns++;
        m->was_torn_down = true;
        break;
    default: ck_abort_msg("an unexpected call of type %d", (int)call->type);
    }
}

struct fake_send_args { struct message *message; };
static void fake_send_release(struct fake_send_args *a)
{
    message_unref(a->message);
}
CALL(fake_master, fake_send, fake_send_args, fake_send_release);
static void fake_send(struct fake_master *m, struct fake_send_args *a)
{
    process_send(&m->process, &m->framework, a->message->body);
}

/* ---- the world ---- */

struct world {
    struct sim *sim;
    struct sim_node *one, *two;
    struct host *master_host, *host;
    struct runtime *master_rt, *rt;
    struct fake_master master;
    struct pid master_pid;
};

UNUSED static void world_start_master(struct world *w, bool silent)
{
    struct runtime_options o = { .bind = { 0x0a000001, 5050 } };
    struct error err;

    memset(&w->master, 0, sizeof w->master);
    w->master.is_silent = silent;
    w->master_host = sim_host_create(w->one, "master");
    w->master_rt = runtime_create(w->master_host, &o, &err);
    ck_assert_ptr_nonnull(w->master_rt);
    ck_assert_int_eq(process_spawn(w->master_rt, &w->master.process, &fake_master_class, "master",
                                   &w->master_pid, &err), 0);
}

UNUSED static void world_stop_master(struct world *w)
{
    sim_host_kill(w->master_host);
    runtime_destroy(w->master_rt);
    host_destroy(w->master_host);
    pid_release(&w->master_pid);
    w->master_host = NULL;
}

UNUSED static struct world world_start(uint64_t seed)
{
    struct world w = { .sim = sim_create(seed) };
    struct runtime_options o = { .bind = { 0x0a000002, 6000 } };
    struct error err;

    w.one = sim_node_create(w.sim, "one", 0x0a000001);
    w.two = sim_node_create(w.sim, "two", 0x0a000002);
    w.host = sim_host_create(w.two, "framework");
    w.rt = runtime_create(w.host, &o, &err);
    ck_assert_ptr_nonnull(w.rt);
    return w;
}

/* What is tested has been destroyed. */
UNUSED static void world_stop(struct world *w)
{
    runtime_destroy(w->rt);
    host_destroy(w->host);
    if (w->master_host)
        world_stop_master(w);
    sim_destroy(w->sim);
}

/* To the framework. */
UNUSED static void world_tell(struct world *w, const ProtobufCMessage *message)
{
    dispatch(&w->master_pid, fake_send, .message = message_create(message));
}

struct at_least { const unsigned *count; unsigned n; };
UNUSED static bool is_at_least(void *arg)
{
    const struct at_least *a = arg;

    return *a->count >= a->n;
}

/* Runs the world until the count is n; fails when that does not come. */
#define world_await(w, what, at)                                                                   \
    do {                                                                                           \
        struct at_least wanted = { &(what), (at) };                                                \
        ck_assert_msg(sim_run_until((w)->sim, is_at_least, &wanted, MINUTES(10)), #what " is %u",  \
                      (unsigned)(what));                                                           \
    } while (0)

/* ---- messages ---- */

/* One offer of agent A-1. */
UNUSED static void world_offer(struct world *w, const char *id, double cpus, double mem)
{
    Pb__ResourceOffersMessage m = PB__RESOURCE_OFFERS_MESSAGE__INIT;
    Pb__Offer offer = PB__OFFER__INIT, *offers[] = { &offer };
    Pb__OfferID offer_id = PB__OFFER_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__Resource r[2], *resources[] = { &r[0], &r[1] };
    Pb__Value__Scalar amount[2];
    Pb__URL url = PB__URL__INIT;
    Pb__Address address = PB__ADDRESS__INIT;
    const double amounts[] = { cpus, mem };
    const char *names[] = { "cpus", "mem" };

    for (int i = 0; i < 2; i++) {
        pb__resource__init(&r[i]);
        pb__value__scalar__init(&amount[i]);
        amount[i].value = amounts[i];
        r[i].name = names[i];
        r[i].type = PB__VALUE__TYPE__SCALAR;
        r[i].scalar = &amount[i];
    }
    offer_id.value = id;
    framework.value = "F-0";
    agent.value = "A-1";
    offer.id = &offer_id;
    offer.framework_id = &framework;
    offer.agent_id = &agent;
    offer.hostname = "three";
    address.ip = "10.0.0.1"; /* the fake agent lives beside the master */
    address.port = 5050;
    url.scheme = "http";
    url.address = &address;
    offer.url = &url;
    offer.n_resources = 2;
    offer.resources = resources;
    m.n_offers = 1;
    m.offers = offers;
    world_tell(w, &m.base);
}

/* With a uuid as from an agent, or, as the master's own, without. */
UNUSED static void world_update(struct world *w, const char *task, Pb__TaskState state,
                         const char *message, bool from_agent)
{
    Pb__StatusUpdateMessage m = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;

    id.value = task;
    framework.value = "F-0";
    agent.value = "A-1";
    status.task_id = &id;
    status.state = state;
    status.message = message;
    status.agent_id = &agent;
    update.framework_id = &framework;
    update.slave_id = &agent;
    update.status = &status;
    update.timestamp = 1;
    if (from_agent) {
        update.has_uuid = 1;
        update.uuid = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
        m.pid = "slave(1)@10.0.0.3:5051";
    }
    m.update = &update;
    world_tell(w, &m.base);
}

#endif
