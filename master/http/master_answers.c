/* master_answers.c - agents, frameworks, executors, tasks and roles as the operator API has them
 *
 * Messages that the records keep are borrowed; the rest is made in the arena.
 */
#include "base/arena.h"
#include "base/memory.h"
#include "master/http/master_json.h"
#include "master/http/master_operator.h"
#include "master/http/master_resources.h"
#include "master/http/master_roles.h"
#include "proto/master.pb-c.h"

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

static Pb__TimeInfo *make_time(struct instant t, struct arena *arena)
{
    NEW(arena, Pb__TimeInfo, pb__time_info__init, time);

    time->nanoseconds = t.ns;
    return time;
}

/* Takes r. */
static Pb__Resource **make_resources(struct resources r, struct arena *arena, size_t *ret_n)
{
    Pb__Resource **v = master_resources_list(&r, arena, ret_n);

    resources_release(&r);
    return v;
}

/* ---- agents ---- */

/* Mesos shows its resources in the newer form, which says nothing of "*", and as v0 does
 * whether it checkpoints. */
static Pb__AgentInfo *make_agent_info(const struct message *from, struct arena *arena)
{
    Pb__AgentInfo *info = arena_dup(arena, from->body, sizeof *info);
    struct resources r;

    info->has_checkpoint = true;
    if (resources_from_protobuf(info->resources, info->n_resources, &r, NULL) < 0)
        return info;
    info->resources =
        resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, arena, &info->n_resources);
    resources_release(&r);
    return info;
}

PbMaster__Response__GetAgents__Agent *master_answers_agent(const struct agent_record *a,
                                                           struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetAgents__Agent, pb_master__response__get_agents__agent__init,
        agent);

    agent->agent_info = make_agent_info(a->info, arena);
    agent->active = a->active;
    agent->has_deactivated = true;
    agent->version = a->version->bytes;
    agent->pid = a->pid_text->bytes;
    agent->registered_time = make_time(a->registered, arena);
    if (a->reregistered.ns != 0)
        agent->reregistered_time = make_time(a->reregistered, arena);
    agent->total_resources = master_resources_list(&a->total, arena, &agent->n_total_resources);
    agent->allocated_resources =
        make_resources(master_resources_used(a), arena, &agent->n_allocated_resources);
    agent->offered_resources =
        make_resources(master_resources_offered(a), arena, &agent->n_offered_resources);
    agent->capabilities = master_json_agent_capabilities(a, &agent->n_capabilities);
    return agent;
}

PbMaster__Response__GetAgents *master_answers_agents(const struct master *m, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetAgents, pb_master__response__get_agents__init, all);

    all->agents = arena_alloc(arena, HASH_COUNT(m->agents) * sizeof *all->agents);
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        all->agents[all->n_agents++] = master_answers_agent(a, arena);
    all->recovered_agents = arena_alloc(arena, HASH_COUNT(m->known) * sizeof *all->agents);
    for (struct known_agent *k = m->known; k; k = k->hh.next)
        if (k->state == REGISTRY_ADMITTED && k->info)
            all->recovered_agents[all->n_recovered_agents++] =
                make_agent_info(k->info, arena);
    return all;
}

/* ---- tasks ---- */

Pb__Task *master_answers_task(const struct task_record *t, struct arena *arena)
{
    Pb__Task *task = arena_dup(arena, t->info->body, sizeof *task);

    task->state = t->state;
    task->n_statuses = 0;
    list_each (s, &t->statuses, struct task_status, link)
        task->n_statuses++;
    task->statuses = arena_alloc(arena, task->n_statuses * sizeof *task->statuses);
    task->n_statuses = 0;
    list_each (s, &t->statuses, struct task_status, link)
        task->statuses[task->n_statuses++] = (Pb__TaskStatus *)s->status->body;
    task->has_status_update_state = t->has_status_update;
    task->status_update_state = t->status_update_state;
    task->has_status_update_uuid = t->has_status_update;
    task->status_update_uuid.data = (uint8_t *)t->status_update_uuid;
    task->status_update_uuid.len = t->has_status_update ? sizeof t->status_update_uuid : 0;
    return task;
}

struct task_counts {
    size_t running, unreachable, completed;
};

static void count_tasks(const struct framework_record *f, struct task_counts *n)
{
    n->running += HASH_COUNT(f->tasks);
    n->unreachable += f->n_unreachable_tasks;
    n->completed += f->n_completed_tasks;
}

static void add_tasks(PbMaster__Response__GetTasks *all, const struct framework_record *f,
                      struct arena *arena)
{
    for (struct task_record *t = f->tasks; t; t = t->hh.next)
        all->tasks[all->n_tasks++] = master_answers_task(t, arena);
    list_each (t, &f->unreachable_tasks, struct task_record, link)
        all->unreachable_tasks[all->n_unreachable_tasks++] = master_answers_task(t, arena);
    list_each (t, &f->completed_tasks, struct task_record, link)
        all->completed_tasks[all->n_completed_tasks++] = master_answers_task(t, arena);
}

PbMaster__Response__GetTasks *master_answers_tasks(const struct master *m, struct arena *arena)
{
    struct task_counts n = { 0, 0, 0 };
    NEW(arena, PbMaster__Response__GetTasks, pb_master__response__get_tasks__init, all);

    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        count_tasks(f, &n);
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        count_tasks(f, &n);
    all->tasks = arena_alloc(arena, n.running * sizeof *all->tasks);
    all->unreachable_tasks = arena_alloc(arena, n.unreachable * sizeof *all->tasks);
    all->completed_tasks = arena_alloc(arena, n.completed * sizeof *all->tasks);
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        add_tasks(all, f, arena);
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        add_tasks(all, f, arena);
    return all;
}

/* ---- frameworks ---- */

static Pb__AgentID *make_agent_id(const struct agent_id *id, struct arena *arena)
{
    NEW(arena, Pb__AgentID, pb__agent_id__init, message);

    message->value = agent_id_text(id);
    return message;
}

static Pb__Offer *make_offer(const struct offer *o, struct arena *arena)
{
    const Pb__AgentInfo *agent = (const Pb__AgentInfo *)o->agent->info->body;
    const Pb__FrameworkInfo *framework = (const Pb__FrameworkInfo *)o->framework->info->body;
    NEW(arena, Pb__Offer, pb__offer__init, offer);
    NEW(arena, Pb__OfferID, pb__offer_id__init, id);
    NEW(arena, Pb__Resource__AllocationInfo, pb__resource__allocation_info__init, allocation);

    id->value = offer_id_text(&o->id);
    allocation->role = o->role->bytes;
    offer->id = id;
    offer->framework_id = framework->id;
    offer->agent_id = make_agent_id(&o->agent->id, arena);
    offer->hostname = agent->hostname;
    offer->n_attributes = agent->n_attributes;
    offer->attributes = agent->attributes;
    offer->allocation_info = allocation;
    offer->resources = master_resources_list(&o->resources, arena, &offer->n_resources);
    return offer;
}

static struct resources sum_used(const struct framework_record *f)
{
    struct resources sum = RESOURCES_INIT;

    for (struct task_record *t = f->tasks; t; t = t->hh.next)
        if (t->charged)
            resources_add(&sum, &t->resources);
    list_each (e, &f->executors, struct executor_record, framework_link)
        resources_add(&sum, &e->resources);
    return sum;
}

static void add_offers(PbMaster__Response__GetFrameworks__Framework *framework,
                       const struct framework_record *f, struct arena *arena)
{
    struct resources offered = RESOURCES_INIT;
    size_t n = 0;

    list_each (o, &f->offers, struct offer, framework_link)
        n++;
    framework->offers = arena_alloc(arena, n * sizeof *framework->offers);
    list_each (o, &f->offers, struct offer, framework_link) {
        framework->offers[framework->n_offers++] = make_offer(o, arena);
        resources_add(&offered, &o->resources);
    }
    framework->offered_resources =
        make_resources(offered, arena, &framework->n_offered_resources);
}

PbMaster__Response__GetFrameworks__Framework *
master_answers_framework(const struct framework_record *f, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetFrameworks__Framework,
        pb_master__response__get_frameworks__framework__init, framework);

    framework->framework_info = (Pb__FrameworkInfo *)f->info->body;
    framework->active = f->active;
    framework->connected = f->connected;
    framework->recovered = f->recovered;
    framework->registered_time = make_time(f->registered, arena);
    framework->reregistered_time =
        make_time(f->reregistered.ns ? f->reregistered : f->registered, arena);
    framework->unregistered_time = make_time(f->unregistered, arena);
    framework->allocated_resources =
        make_resources(sum_used(f), arena, &framework->n_allocated_resources);
    add_offers(framework, f, arena);
    return framework;
}

PbMaster__Response__GetFrameworks *master_answers_frameworks(const struct master *m,
                                                             struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetFrameworks, pb_master__response__get_frameworks__init, all);

    all->frameworks = arena_alloc(arena, HASH_COUNT(m->frameworks) * sizeof *all->frameworks);
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        all->frameworks[all->n_frameworks++] = master_answers_framework(f, arena);
    all->completed_frameworks =
        arena_alloc(arena, m->n_completed_frameworks * sizeof *all->frameworks);
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        all->completed_frameworks[all->n_completed_frameworks++] =
            master_answers_framework(f, arena);
    return all;
}

/* ---- executors, roles ---- */

static PbMaster__Response__GetExecutors__Executor *make_executor(const struct executor_record *e,
                                                                 struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetExecutors__Executor,
        pb_master__response__get_executors__executor__init, executor);

    executor->executor_info = (Pb__ExecutorInfo *)e->info->body;
    executor->agent_id = make_agent_id(&e->agent->id, arena);
    return executor;
}

PbMaster__Response__GetExecutors *master_answers_executors(const struct master *m,
                                                           struct arena *arena)
{
    size_t n = 0;
    NEW(arena, PbMaster__Response__GetExecutors, pb_master__response__get_executors__init, all);

    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        list_each (e, &a->executors, struct executor_record, agent_link)
            n++;
    all->executors = arena_alloc(arena, n * sizeof *all->executors);
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        list_each (e, &a->executors, struct executor_record, agent_link)
            all->executors[all->n_executors++] = make_executor(e, arena);
    return all;
}

static Pb__Role *make_role(const struct role_use *use, struct arena *arena)
{
    struct resources sum = resources_dup(&use->allocated);
    NEW(arena, Pb__Role, pb__role__init, role);

    resources_add(&sum, &use->offered);
    role->name = use->name;
    role->weight = 1;
    role->resources = make_resources(sum, arena, &role->n_resources);
    role->frameworks = arena_alloc(arena, use->n_frameworks * sizeof *role->frameworks);
    for (const struct role_framework *f = use->frameworks; f; f = f->next) {
        NEW(arena, Pb__FrameworkID, pb__framework_id__init, id);
        id->value = f->id;
        role->frameworks[role->n_frameworks++] = id;
    }
    return role;
}

PbMaster__Response__GetRoles *master_answers_roles(const struct master *m, struct arena *arena)
{
    struct master_roles roles = MASTER_ROLES_INIT;
    NEW(arena, PbMaster__Response__GetRoles, pb_master__response__get_roles__init, all);

    master_roles_gather(&roles, m);
    all->roles = arena_alloc(arena, HASH_COUNT(roles.roles) * sizeof *all->roles);
    for (const struct role_use *use = roles.roles; use; use = use->hh.next)
        all->roles[all->n_roles++] = make_role(use, arena);
    master_roles_release(&roles);
    return all;
}

/* ---- all of it ---- */

PbMaster__Response__GetState *master_answers_state(const struct master *m, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetState, pb_master__response__get_state__init, state);

    state->get_tasks = master_answers_tasks(m, arena);
    state->get_executors = master_answers_executors(m, arena);
    state->get_frameworks = master_answers_frameworks(m, arena);
    state->get_agents = master_answers_agents(m, arena);
    return state;
}
