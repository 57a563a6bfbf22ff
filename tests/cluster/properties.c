/* properties.c - what must hold in a simulated cluster */
#include "properties.h"

#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "cluster.h"
#include "master/master.h"
#include "master/registry/registry.h"
#include "process/message.h"
#include "process/process.h"
#include "process/runtime.h"
#include "properties_master.h"

enum { CHECK_EVERY = 16, OFFERS_EVERY = 64 };
#define OFFER_NEWS SECONDS(5) /* within it a framework is told that an offer is no more */

/* ---- the books ---- */

static void check_books(struct part *p)
{
    struct cluster *c = p->cluster;
    unsigned every = c->options.check_every ? c->options.check_every : CHECK_EVERY;
    struct error err;
    int r;

    if (!p->actor || p->events < every)
        return;
    p->events = 0;
    r = p->role == ROLE_MASTER ? master_check_invariants(p->actor, &err)
                               : agent_check_invariants(p->actor, &err);
    if (r < 0)
        ledger_violate(c->ledger, "the books of %s are wrong: %s", p->name, err.text);
}

static void check_offer(struct cluster *c, const struct work *w, struct held_offer *h)
{
    const Pb__Offer *o = (const Pb__Offer *)h->offer->body;
    struct instant now = sim_now(c->sim);

    if (properties_master_has_offer(c->master.actor, o->id->value))
        h->unknown = INSTANT_NEVER;
    else if (h->unknown.ns == INSTANT_NEVER.ns)
        h->unknown = now;
    else if (instant_before(instant_add(h->unknown, OFFER_NEWS), now))
        ledger_violate(c->ledger, "framework %u holds offer %s of agent %s, the master does not",
                       w->number, o->id->value, o->agent_id->value);
}

static void check_offers(struct cluster *c)
{
    if (!c->master.actor || c->ticks % OFFERS_EVERY != 0 ||
        instant_before(sim_now(c->sim), c->network_is_true))
        return;
    for (unsigned i = 0; i < c->options.frameworks; i++)
        if (c->frameworks[i].work->is_subscribed)
            list_each (h, &c->frameworks[i].work->held, struct held_offer, link)
                check_offer(c, c->frameworks[i].work, h);
}

void properties_check(struct cluster *c)
{
    check_offers(c);
    check_books(&c->master);
    for (unsigned i = 0; i < c->options.agents; i++)
        check_books(&c->agents[i]);
}

/* ---- what is left over ---- */

static bool is_left_at_agent(const struct part *p, char *what, size_t size)
{
    const struct agent *a = p->actor;

    if (a->state != AGENT_RUNNING)
        return snprintf(what, size, "%s is not registered", p->name);
    if (a->frameworks)
        return snprintf(what, size, "%s has framework %s, %u executors", p->name,
                        a->frameworks->id.text->bytes, HASH_COUNT(a->frameworks->executors));
    return a->streams && snprintf(what, size, "%s has streams of updates", p->name);
}

bool properties_left_over(struct cluster *c, char *what, size_t size)
{
    if (!c->master.actor)
        return snprintf(what, size, "there is no master");
    if (properties_master_left_over(c->master.actor, what, size))
        return true;
    for (unsigned i = 0; i < c->options.agents; i++) {
        if (!c->agents[i].actor)
            return snprintf(what, size, "there is no %s", c->agents[i].name);
        if (is_left_at_agent(&c->agents[i], what, size))
            return true;
    }
    if (c->ledger->supervisors > 0)
        return snprintf(what, size, "%u supervisors live", c->ledger->supervisors);
    return false;
}

/* ---- between the product's functions ---- */

void __real_process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg);
void __wrap_process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg);

void __wrap_process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg)
{
    const Pb__StatusUpdateMessage *update = (const Pb__StatusUpdateMessage *)msg;

    if (msg->descriptor == &pb__status_update_message__descriptor &&
        strcmp(self->class->name, "slave") == 0 && update->update->has_uuid &&
        update->update->uuid.len == 16 && !sim_host_is_dead(runtime_host(self->runtime)) &&
        ledger_is_durable(ledger_current(), update->update->uuid.data))
        ledger_violate(ledger_current(),
                       "an update of task %s is sent, its acknowledgement was recorded before",
                       update->update->status->task_id->value);
    __real_process_send(self, to, msg);
}

struct acknowledged {
    struct host *host;
    uint8_t uuid[16];
};

static void acknowledged(struct process *self UNUSED, struct future *f, void *op)
{
    struct acknowledged *a = op;

    if (future_state(f) == FUTURE_READY && !sim_host_is_dead(a->host))
        ledger_record_durable(ledger_current(), a->uuid);
    mem_free(a);
}

struct future *__real_store_acknowledge(struct store *s, struct framework_id framework,
                                        struct task_id task, const ProtobufCBinaryData *uuid);
struct future *__wrap_store_acknowledge(struct store *s, struct framework_id framework,
                                        struct task_id task, const ProtobufCBinaryData *uuid);

struct future *__wrap_store_acknowledge(struct store *s, struct framework_id framework,
                                        struct task_id task, const ProtobufCBinaryData *uuid)
{
    struct future *f = __real_store_acknowledge(s, framework, task, uuid);
    struct process *self = process_current();
    struct acknowledged *a;

    if (!self || uuid->len != sizeof a->uuid)
        return f;
    a = mem_alloc(sizeof *a);
    a->host = runtime_host(self->runtime);
    memcpy(a->uuid, uuid->data, sizeof a->uuid);
    future_finally(future_ref(f), self, acknowledged, a);
    return f;
}

/* ---- the registry: what it acknowledged stays ---- */

struct seen_registry {
    struct registry registry;
    struct registry *real;
};

struct commit {
    struct host *host;
    char *id;
    unsigned bit;
};

enum { REMOVED_BIT = 1 };

static unsigned bit_of(enum registry_agent_state state)
{
    return 2u << state;
}

static void committed(struct process *self UNUSED, struct future *f, void *op)
{
    struct commit *c = op;

    if (future_state(f) == FUTURE_READY && !sim_host_is_dead(c->host))
        ledger_registry_answered(ledger_current(), c->id, c->bit);
    mem_free(c->id);
    mem_free(c);
}

static struct future *commit(struct future *f, const char *id, unsigned bit)
{
    struct process *self = process_current();
    struct commit *c = mem_alloc(sizeof *c);

    c->host = runtime_host(self->runtime);
    c->id = mem_strdup(id);
    c->bit = bit;
    ledger_registry_asked(ledger_current(), id, bit);
    future_finally(future_ref(f), self, committed, c);
    return f;
}

struct loading {
    int (*see)(void *arg, const struct registry_agent *agent);
    void *arg;
    unsigned n;
    char *ids[64];
};

static int see_loaded(void *arg, const struct registry_agent *agent)
{
    struct loading *l = arg;

    ledger_registry_found(ledger_current(), agent->id.text->bytes, bit_of(agent->state));
    if (l->n < ARRAY_SIZE(l->ids))
        l->ids[l->n++] = mem_strdup(agent->id.text->bytes);
    return l->see(l->arg, agent);
}

static bool was_loaded(const struct loading *l, const char *id)
{
    for (unsigned i = 0; i < l->n; i++)
        if (strcmp(l->ids[i], id) == 0)
            return true;
    return false;
}

static int seen_load(struct registry *r, int (*see)(void *arg, const struct registry_agent *agent),
                     void *arg, struct error *err)
{
    struct seen_registry *s = (struct seen_registry *)r;
    struct loading l = { .see = see, .arg = arg };
    int result = s->real->ops->load(s->real, see_loaded, &l, err);

    for (struct ledger_agent *a = ledger_current()->agents; result == 0 && a; a = a->hh.next)
        if (!was_loaded(&l, a->id))
            ledger_registry_found(ledger_current(), a->id, REMOVED_BIT);
    for (unsigned i = 0; i < l.n; i++)
        mem_free(l.ids[i]);
    return result;
}

static struct future *seen_put(struct registry *r, const struct registry_agent *agent)
{
    struct seen_registry *s = (struct seen_registry *)r;

    return commit(s->real->ops->put(s->real, agent), agent->id.text->bytes, bit_of(agent->state));
}

static struct future *seen_remove(struct registry *r, struct agent_id id)
{
    struct seen_registry *s = (struct seen_registry *)r;

    return commit(s->real->ops->remove(s->real, id), id.text->bytes, REMOVED_BIT);
}

static void seen_destroy(struct registry *r)
{
    struct seen_registry *s = (struct seen_registry *)r;

    s->real->ops->destroy(s->real);
    mem_free(s);
}

struct registry *__real_sqlite_registry_open(struct runtime *rt, const char *path,
                                             struct error *err);
struct registry *__wrap_sqlite_registry_open(struct runtime *rt, const char *path,
                                             struct error *err);

struct registry *__wrap_sqlite_registry_open(struct runtime *rt, const char *path,
                                             struct error *err)
{
    static const struct registry_ops ops = { seen_load, seen_put, seen_remove, seen_destroy };
    struct registry *real = __real_sqlite_registry_open(rt, path, err);
    struct seen_registry *s;

    if (!real)
        return NULL;
    s = mem_alloc(sizeof *s);
    s->registry.ops = &ops;
    s->real = real;
    return &s->registry;
}
