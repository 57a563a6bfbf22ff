/* offers.c - what the allocator hands out becomes offers, until they are used or given up
 *
 * allocator -> offers_make        -> ResourceOffersMessage, with the agents' PIDs beside
 * DECLINE, offer_timeout          -> back to the allocator, with a filter if one was asked for
 * agent or framework goes away    -> RescindResourceOfferMessage, back to the allocator
 *
 * A hand-out that was overtaken (its agent or framework is not active any more)
 * goes back at once.
 */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/master_private.h"
#include "mesos/framework_info.h"
#include "process/runtime.h"

struct expiry {
    struct offer_id id;
};
static void expiry_release(struct expiry *e)
{
    offer_id_release(&e->id);
}
CALL(master, offer_expired, expiry, expiry_release);

struct offer *offers_find_text(struct master *m, const char *id)
{
    struct offer *o;

    HASH_FIND(hh, m->offers, id, strlen(id), o);
    return o;
}

/* ---- back ---- */

const char *offers_role_of(const struct framework_record *f, const struct resources *r)
{
    return r->n > 0 && r->v[0].allocation ? r->v[0].allocation->bytes : f->role->bytes;
}

void offers_give_back(struct master *m, const struct framework_record *f,
                      const struct agent_record *a, const struct resources *r,
                      struct duration refuse)
{
    if (!resources_is_empty(r))
        allocator_recover(m->allocator, f->id, offers_role_of(f, r), a->id, r, refuse);
}

struct duration offers_refusal(const Pb__Filters *filters)
{
    double seconds = filters && filters->has_refuse_seconds ? filters->refuse_seconds : 5.0;

    if (isnan(seconds) || seconds < 0)
        seconds = 5.0;
    return duration_min(duration_from_seconds(seconds), DAYS(365));
}

static void offer_destroy(struct offer *o)
{
    process_cancel(&o->timer);
    offer_id_release(&o->id);
    text_unref(o->role);
    resources_release(&o->resources);
    mem_free(o);
}

struct resources offers_take(struct master *m, struct offer *o)
{
    struct resources r = o->resources;

    o->resources = (struct resources)RESOURCES_INIT;
    master_sum_subtract(&o->agent->offered, &r);
    list_remove(&o->agent_link);
    list_remove(&o->framework_link);
    HASH_DEL(m->offers, o);
    offer_destroy(o);
    return r;
}

void offers_remove(struct master *m, struct offer *o, bool told, struct duration refuse)
{
    struct framework_record *f = o->framework;
    struct agent_record *a = o->agent;

    if (told) {
        framework_metrics_count(f, FRAMEWORK_OFFERS_RESCINDED);
        Pb__RescindResourceOfferMessage message = PB__RESCIND_RESOURCE_OFFER_MESSAGE__INIT;
        Pb__OfferID id = PB__OFFER_ID__INIT;

        id.value = o->id.text->bytes;
        message.offer_id = &id;
        frameworks_send(m, f, &message.base);
        log_info("offer %s of agent %s to framework %s rescinded", id.value, agent_id_text(&a->id),
                 framework_id_text(&f->id));
    }
    struct resources r = offers_take(m, o);

    offers_give_back(m, f, a, &r, refuse);
    resources_release(&r);
}

void offers_remove_of_agent(struct master *m, struct agent_record *a, bool told)
{
    list_each_safe (o, &a->offers, struct offer, agent_link)
        offers_remove(m, o, told, SECONDS(0));
}

void offers_remove_of_framework(struct master *m, struct framework_record *f, bool told)
{
    list_each_safe (o, &f->offers, struct offer, framework_link)
        offers_remove(m, o, told, SECONDS(0));
}

void offers_decline(struct master *m, struct framework_record *f, size_t n_offers,
                    Pb__OfferID *const *offers, const Pb__Filters *filters)
{
    master_count(m, MASTER_MESSAGES_DECLINE_OFFERS);
    for (size_t i = 0; i < n_offers; i++) {
        struct offer *o = offers_find_text(m, offers[i]->value);

        if (!o || o->framework != f) {
            log_info("framework %s declines offer %s, which it does not have",
                     framework_id_text(&f->id), offers[i]->value);
            continue;
        }
        log_debug("framework %s declines offer %s", framework_id_text(&f->id),
                  offer_id_text(&o->id));
        framework_metrics_count(f, FRAMEWORK_OFFERS_DECLINED);
        offers_remove(m, o, false, offers_refusal(filters));
    }
}

static void offer_expired(struct master *m, struct expiry *e)
{
    struct offer *o = offers_find_text(m, offer_id_text(&e->id));

    if (o)
        offers_remove(m, o, true, SECONDS(0));
}

void offers_release(struct master *m)
{
    struct offer *o, *next;

    HASH_ITER(hh, m->offers, o, next)
    {
        HASH_DEL(m->offers, o);
        offer_destroy(o);
    }
}

/* ---- out ---- */

static bool is_usable(const struct framework_record *f, const struct agent_record *a,
                      const struct resources *r)
{
    struct resources all;
    bool fit;

    if (!f || !f->active || !f->connected || !a || !a->active || a->removing)
        return false;
    all = resources_dup(&a->used);
    master_sum_add(&all, &a->offered);
    master_sum_add(&all, r);
    fit = resources_contain(&a->total, &all);
    resources_release(&all);
    return fit;
}

static struct offer *offer_add(struct master *m, struct framework_record *f, struct agent_record *a,
                               const char *role, const struct resources *r)
{
    struct offer *o = mem_alloc(sizeof *o);

    o->id.text = text_format("%s-O%llu", m->id->bytes, (unsigned long long)m->next_offer++);
    o->framework = f;
    o->agent = a;
    o->role = text_create(role);
    o->resources = resources_dup(r);
    resources_allocate(&o->resources, role);
    list_append(&a->offers, &o->agent_link);
    list_append(&f->offers, &o->framework_link);
    HASH_ADD_KEYPTR(hh, m->offers, o->id.text->bytes, o->id.text->length, o);
    master_sum_add(&a->offered, r);
    if (m->options.offer_timeout.ns > 0)
        o->timer =
            delay(&m->pid, m->options.offer_timeout, offer_expired, .id = offer_id_dup(&o->id));
    return o;
}

#define NEW(arena, variable, Type, init)                                                           \
    Type *variable = arena_alloc(arena, sizeof *variable);                                         \
    init(variable)

/* As the master speaks, so do its agents. */
static Pb__URL *url_of(const struct master *m, const struct agent_record *a, struct arena *arena)
{
    char ip[ADDRESS_TEXT];
    NEW(arena, url, Pb__URL, pb__url__init);
    NEW(arena, address, Pb__Address, pb__address__init);

    address->hostname = ((const Pb__AgentInfo *)a->info->body)->hostname;
    address->ip = arena_strdup(arena, address_format_ip(a->pid.address.ip, ip));
    address->port = a->pid.address.port;
    url->scheme = runtime_scheme(m->process.runtime);
    url->address = address;
    url->path = arena_printf(arena, "/%s", a->pid.id->bytes);
    return url;
}

static void add_executors(Pb__Offer *offer, const struct offer *o, struct arena *arena)
{
    size_t n = 0;

    list_each (e, &o->agent->executors, struct executor_record, agent_link)
        n += e->framework == o->framework;
    offer->executor_ids = arena_alloc(arena, (n + 1) * sizeof *offer->executor_ids);
    list_each (e, &o->agent->executors, struct executor_record, agent_link) {
        if (e->framework != o->framework)
            continue;
        NEW(arena, id, Pb__ExecutorID, pb__executor_id__init);
        id->value = e->id.text->bytes;
        offer->executor_ids[offer->n_executor_ids++] = id;
    }
}

static Pb__Offer *offer_message(const struct master *m, const struct offer *o, struct arena *arena)
{
    const Pb__FrameworkInfo *framework = (const Pb__FrameworkInfo *)o->framework->info->body;
    const Pb__AgentInfo *agent = (const Pb__AgentInfo *)o->agent->info->body;
    enum resource_form form = framework_info_has(framework, RESERVATION_REFINEMENT)
                                  ? RESOURCE_POST_REFINEMENT
                                  : RESOURCE_PRE_REFINEMENT;
    NEW(arena, offer, Pb__Offer, pb__offer__init);
    NEW(arena, id, Pb__OfferID, pb__offer_id__init);
    NEW(arena, allocation, Pb__Resource__AllocationInfo, pb__resource__allocation_info__init);

    id->value = o->id.text->bytes;
    allocation->role = o->role->bytes;
    offer->id = id;
    offer->framework_id = framework->id;
    offer->agent_id = agent->id;
    offer->hostname = agent->hostname;
    offer->url = url_of(m, o->agent, arena);
    offer->resources = resources_to_protobuf(&o->resources, form, arena, &offer->n_resources);
    offer->attributes = agent->attributes;
    offer->n_attributes = agent->n_attributes;
    offer->allocation_info = allocation;
    add_executors(offer, o, arena);
    return offer;
}

void offers_make(struct process *self, const struct allocations *all)
{
    struct master *m = STATE_(master, self);
    struct framework_record *f = frameworks_find(m, all->framework);
    Pb__ResourceOffersMessage message = PB__RESOURCE_OFFERS_MESSAGE__INIT;
    struct arena arena = ARENA_INIT;

    message.offers = arena_alloc(&arena, (all->n + 1) * sizeof *message.offers);
    message.pids = arena_alloc(&arena, (all->n + 1) * sizeof *message.pids);
    for (size_t i = 0; i < all->n; i++) {
        struct agent_record *a = agents_find(m, all->v[i].agent);
        const struct resources *r = &all->v[i].resources;

        if (a && a->incarnation != all->v[i].incarnation)
            continue; /* it was removed since, and its books with it */
        if (!is_usable(f, a, r)) {
            allocator_recover(m->allocator, all->framework, all->role, all->v[i].agent, r,
                              SECONDS(0));
            continue;
        }
        struct offer *o = offer_add(m, f, a, all->role, r);

        framework_metrics_count(f, FRAMEWORK_OFFERS_SENT);
        message.offers[message.n_offers++] = offer_message(m, o, &arena);
        message.pids[message.n_pids++] = a->pid_text->bytes;
    }
    if (message.n_offers > 0) {
        log_info("%zu offers sent to framework %s", message.n_offers, framework_id_text(&f->id));
        frameworks_send(m, f, &message.base);
    }
    arena_release(&arena);
}
