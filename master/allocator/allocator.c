/* allocator.c - the actor: what the master tells it, and when it allocates
 *
 * Every change makes agents candidates and asks for a run, which is one dispatch
 * to ourselves: so it comes after all that is queued already, and a burst of
 * changes costs one run.  A run goes over the candidates in random order and
 * tells the master once for each framework and role that was given something.
 */
#include "master/allocator/allocator.h"

#include <errno.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/allocator/allocator_state.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/metrics_timer.h"
#include "process/runtime.h"
#include "process/typed.h"

#define REFUSE_MAX DAYS(365)

struct allocator {
    struct process process;
    struct pid pid;                     /* of the process, for those outside */
    struct pid master;
    allocator_offer_f offer;
    struct duration interval;
    struct allocator_state state;
    bool run_asked;
    struct instant run_asked_at;
    struct timer interval_timer;        /* runs while something is free */
    struct counter *runs;
    struct metrics_timer *run_time, *run_latency;
};

/* ---- arguments of the calls ---- */

struct framework_args {
    struct framework_id id;
    struct text **roles;
    size_t n_roles;
    struct text **suppressed;
    size_t n_suppressed;
};

struct use_copy {
    struct framework_id framework;
    struct text *role;
    struct resources resources;
};

struct agent_args {
    struct agent_id id;
    uint64_t incarnation;
    struct resources total;
    struct use_copy *used;
    size_t n_used;
};

struct give_args {
    struct agent_id agent;
    struct use_copy use;
    struct duration refuse;
};

struct refusal_args {
    struct framework_id framework;
    uint64_t number;
};

static void free_texts(struct text **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_unref(v[i]);
    mem_free(v);
}

static struct text **dup_texts(const char *const v[], size_t n)
{
    struct text **texts = mem_array(n, sizeof *texts);

    for (size_t i = 0; i < n; i++)
        texts[i] = text_create(v[i]);
    return texts;
}

static void framework_args_release(struct framework_args *a)
{
    framework_id_release(&a->id);
    free_texts(a->roles, a->n_roles);
    free_texts(a->suppressed, a->n_suppressed);
}

static struct use_copy use_copy_create(struct framework_id framework, const char *role,
                                       const struct resources *r)
{
    struct use_copy use = { framework_id_dup(&framework), text_create(role), resources_dup(r) };

    resources_allocate(&use.resources, NULL);
    return use;
}

static void use_copy_release(struct use_copy *use)
{
    framework_id_release(&use->framework);
    text_unref(use->role);
    resources_release(&use->resources);
}

static void agent_args_release(struct agent_args *a)
{
    agent_id_release(&a->id);
    resources_release(&a->total);
    for (size_t i = 0; i < a->n_used; i++)
        use_copy_release(&a->used[i]);
    mem_free(a->used);
}

static void give_args_release(struct give_args *a)
{
    agent_id_release(&a->agent);
    use_copy_release(&a->use);
}

static void refusal_args_release(struct refusal_args *a)
{
    framework_id_release(&a->framework);
}

CLASS(allocator, "hierarchical-allocator", allocator_initialize, allocator_exited,
      allocator_finalize);
CALL(allocator, add_framework, framework_args, framework_args_release);
CALL(allocator, remove_framework, framework_args, framework_args_release);
CALL(allocator, activate_framework, framework_args, framework_args_release);
CALL(allocator, deactivate_framework, framework_args, framework_args_release);
CALL(allocator, suppress, framework_args, framework_args_release);
CALL(allocator, revive, framework_args, framework_args_release);
CALL(allocator, add_agent, agent_args, agent_args_release);
CALL(allocator, remove_agent, agent_args, agent_args_release);
CALL(allocator, activate_agent, agent_args, agent_args_release);
CALL(allocator, deactivate_agent, agent_args, agent_args_release);
CALL(allocator, charge, give_args, give_args_release);
CALL(allocator, give_back, give_args, give_args_release);
CALL(allocator, refusal_expired, refusal_args, refusal_args_release);
CALL(allocator, run, nothing, NO_RELEASE);
CALL(allocator, interval_passed, nothing, NO_RELEASE);

/* ---- life ---- */

struct allocator *allocator_create(struct runtime *rt, const struct allocator_options *options,
                                   const struct pid *master, allocator_offer_f offer,
                                   struct error *err)
{
    struct allocator *a = mem_alloc(sizeof *a);

    if (allocator_state_init(&a->state, options->min_allocatable_resources, err) < 0) {
        mem_free(a);
        return NULL;
    }
    a->master = pid_dup(master);
    a->offer = offer;
    a->interval = options->allocation_interval;
    a->runs = metrics_counter(rt, "allocator/mesos/allocation_runs");
    a->run_time = metrics_timer(rt, "allocator/mesos/allocation_run", HOURS(1));
    a->run_latency = metrics_timer(rt, "allocator/mesos/allocation_run_latency", HOURS(1));
    if (process_spawn(rt, &a->process, &allocator_class, NULL, &a->pid, err) < 0) {
        allocator_state_release(&a->state);
        pid_release(&a->master);
        mem_free(a);
        return NULL;
    }
    return a;
}

void allocator_destroy(struct allocator *a)
{
    if (!a)
        return;
    process_terminate(&a->pid, TERMINATE_NOW);
    process_wait(&a->pid, DAYS(1));
    allocator_state_release(&a->state);
    pid_release(&a->master);
    pid_release(&a->pid);
    mem_free(a);
}

/* ---- metrics ---- */

static double pull_dispatches(struct process *self)
{
    return (double)(process_count_events(self, EVENT_DISPATCH) +
                    process_count_events(self, EVENT_FUTURE));
}

static double total_of(struct process *self, const char *name)
{
    return (double)quantities_get(&STATE_(allocator, self)->state.total, name) / 1000;
}

/* Offered or in use: from here the same. */
static double given_of(struct process *self, const char *name)
{
    struct agent_share *agent, *next;
    int64_t millis = 0;

    HASH_ITER (hh, STATE_(allocator, self)->state.agents, agent, next)
        millis += resources_millis(&agent->allocated, name);
    return (double)millis / 1000;
}

/* Mesos's three. */
#define RESOURCES(ON) ON(cpus) ON(disk) ON(mem)
#define PULL_RESOURCE(name)                                                                        \
    static double pull_##name##_total(struct process *self)                                        \
    {                                                                                              \
        return total_of(self, #name);                                                              \
    }                                                                                              \
    static double pull_##name##_given(struct process *self)                                        \
    {                                                                                              \
        return given_of(self, #name);                                                              \
    }
RESOURCES(PULL_RESOURCE)

#define RESOURCE_ROWS(name)                                                                        \
    { "allocator/mesos/resources/" #name "/total", pull_##name##_total },                          \
    { "allocator/mesos/resources/" #name "/offered_or_allocated", pull_##name##_given },

static const struct metrics_pull gauges[] = {
    { "allocator/event_queue_dispatches", pull_dispatches }, /* the older name */
    { "allocator/mesos/event_queue_dispatches", pull_dispatches },
    RESOURCES(RESOURCE_ROWS)
    { NULL, NULL },
};

static void allocator_initialize(struct allocator *a)
{
    metrics_pull(&a->process, gauges);
}

static void allocator_exited(struct allocator *a, const struct pid *peer)
{
    (void)a;
    (void)peer;
}

static void allocator_finalize(struct allocator *a)
{
    process_cancel(&a->interval_timer);
}

/* ---- runs ---- */

static void ask_for_run(struct allocator *a)
{
    if (a->run_asked)
        return;
    a->run_asked = true;
    a->run_asked_at = metrics_timer_begin(a->run_latency);
    dispatch(&a->pid, run);
}

static void make_candidate(struct allocator *a, struct agent_share *agent)
{
    agent->candidate = true;
    ask_for_run(a);
}

static void make_all_candidates(struct allocator *a)
{
    struct agent_share *agent, *next;

    HASH_ITER (hh, a->state.agents, agent, next)
        make_candidate(a, agent);
}

/* What one framework was given in one of its roles, in this run. */
struct portion {
    struct framework_id framework;
    struct text *role;
    struct allocation *v;
    size_t n, capacity;
    struct list link;
};

static struct portion *portion_of(struct list *portions, struct client_framework *f,
                                  const char *role)
{
    struct portion *p;

    list_each(known, portions, struct portion, link)
        if (framework_id_equal(&known->framework, &f->id) && text_is(known->role, role))
            return known;
    p = mem_alloc(sizeof *p);
    p->framework = framework_id_dup(&f->id);
    p->role = text_create(role);
    list_append(portions, &p->link);
    return p;
}

static void give(void *arg, struct client_framework *f, const char *role,
                 struct agent_share *agent, const struct resources *r)
{
    struct portion *p = portion_of(arg, f, role);

    if (p->n == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 8;
        p->v = mem_realloc(p->v, p->capacity * sizeof *p->v);
    }
    p->v[p->n++] = (struct allocation){ agent_id_dup(&agent->id), agent->incarnation,
                                        resources_dup(r) };
}

/* The portion travels to the master's process and ends there. */
struct offer_args {
    allocator_offer_f offer;
    struct portion *portion;
};

static void offer_release(void *args)
{
    struct portion *p = ((struct offer_args *)args)->portion;

    for (size_t i = 0; i < p->n; i++) {
        agent_id_release(&p->v[i].agent);
        resources_release(&p->v[i].resources);
    }
    mem_free(p->v);
    framework_id_release(&p->framework);
    text_unref(p->role);
    mem_free(p);
}

static void offer_in_master(struct process *master, void *args)
{
    struct offer_args *o = args;
    struct allocations all = { .framework = o->portion->framework, .role = o->portion->role->bytes,
                               .n = o->portion->n, .v = o->portion->v };

    o->offer(master, &all);
}

static size_t take_candidates(struct allocator *a, struct agent_share **candidates)
{
    struct agent_share *agent, *next;
    size_t n = 0;

    HASH_ITER (hh, a->state.agents, agent, next) {
        if (agent->candidate)
            candidates[n++] = agent;
        agent->candidate = false;
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = host_random_below(runtime_host(a->process.runtime), i);
        struct agent_share *other = candidates[i - 1];

        candidates[i - 1] = candidates[k];
        candidates[k] = other;
    }
    return n;
}

static void run(struct allocator *a, struct nothing *unused)
{
    struct agent_share **candidates =
        mem_array(HASH_COUNT(a->state.agents) + 1, sizeof *candidates);
    struct list portions = LIST_INIT(portions);
    struct instant begun = metrics_timer_begin(a->run_time);
    bool more = false;
    size_t n = take_candidates(a, candidates);

    (void)unused;
    a->run_asked = false;
    metrics_timer_end(a->run_latency, a->run_asked_at);
    counter_add(a->runs, 1);
    for (size_t i = 0; i < n; i++)
        if (allocation_run_agent(&a->state, candidates[i], give, &portions))
            more = true;
    mem_free(candidates);
    while (!list_is_empty(&portions)) {
        struct offer_args args = { a->offer, list_first(&portions, struct portion, link) };

        list_remove(&args.portion->link);
        process_dispatch(&a->master, offer_in_master, &args, sizeof args, offer_release);
    }
    metrics_timer_end(a->run_time, begun);
    if (more && a->interval_timer.id == 0 && a->state.frameworks)
        a->interval_timer = delay(&a->pid, a->interval, interval_passed);
}

static bool has_active_framework(const struct allocator *a)
{
    struct client_framework *f, *next;

    HASH_ITER (hh, a->state.frameworks, f, next)
        if (f->active)
            for (size_t i = 0; i < f->n_roles; i++)
                if (!f->roles[i].suppressed)
                    return true;
    return false;
}

static void interval_passed(struct allocator *a, struct nothing *unused)
{
    (void)unused;
    a->interval_timer = (struct timer){ 0 };
    if (has_active_framework(a))
        make_all_candidates(a);
}

/* ---- frameworks ---- */

static void add_framework(struct allocator *a, struct framework_args *args)
{
    struct client_framework *f;

    allocator_state_add_framework(&a->state, args->id, args->roles, args->n_roles);
    f = allocator_state_framework(&a->state, args->id);
    for (size_t i = 0; i < f->n_roles; i++)
        for (size_t k = 0; k < args->n_suppressed; k++)
            if (text_equal(f->roles[i].name, args->suppressed[k]))
                f->roles[i].suppressed = true;
    allocator_state_set_order(&a->state, f);
    make_all_candidates(a);
}

static void remove_framework(struct allocator *a, struct framework_args *args)
{
    struct client_framework *f = allocator_state_framework(&a->state, args->id);

    if (f)
        allocator_state_remove_framework(&a->state, f);
}

static void set_active(struct allocator *a, struct framework_id id, bool active)
{
    struct client_framework *f = allocator_state_framework(&a->state, id);

    if (!f)
        return;
    f->active = active;
    if (!active)
        allocator_state_forget_refusals(f, NULL);
    allocator_state_set_order(&a->state, f);
    if (active)
        make_all_candidates(a);
}

static void activate_framework(struct allocator *a, struct framework_args *args)
{
    set_active(a, args->id, true);
}

static void deactivate_framework(struct allocator *a, struct framework_args *args)
{
    set_active(a, args->id, false);
}

static bool is_among(const struct text *role, struct text *const roles[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_equal(role, roles[i]))
            return true;
    return n == 0;
}

static struct client_framework *set_suppressed(struct allocator *a, struct framework_args *args,
                                               bool suppressed)
{
    struct client_framework *f = allocator_state_framework(&a->state, args->id);

    for (size_t i = 0; f && i < f->n_roles; i++)
        if (is_among(f->roles[i].name, args->roles, args->n_roles)) {
            f->roles[i].suppressed = suppressed;
            if (!suppressed)
                allocator_state_forget_refusals(f, f->roles[i].name->bytes);
        }
    if (f)
        allocator_state_set_order(&a->state, f);
    return f;
}

static void suppress(struct allocator *a, struct framework_args *args)
{
    set_suppressed(a, args, true);
}

static void revive(struct allocator *a, struct framework_args *args)
{
    if (set_suppressed(a, args, false))
        make_all_candidates(a);
}

/* ---- agents ---- */

static void charge_copy(struct allocator *a, struct agent_share *agent, const struct use_copy *use)
{
    struct resources sum = resources_dup(&agent->allocated);

    resources_add(&sum, &use->resources);
    CHECK(resources_contain(&agent->total, &sum));
    resources_release(&sum);
    allocator_state_charge(&a->state, agent, use->framework, use->role->bytes, &use->resources);
}

static void add_agent(struct allocator *a, struct agent_args *args)
{
    struct agent_share *agent = allocator_state_add_agent(&a->state, args->id, &args->total);

    agent->incarnation = args->incarnation;
    for (size_t i = 0; i < args->n_used; i++)
        charge_copy(a, agent, &args->used[i]);
    make_candidate(a, agent);
}

static void remove_agent(struct allocator *a, struct agent_args *args)
{
    struct agent_share *agent = allocator_state_agent(&a->state, args->id);

    if (agent)
        allocator_state_remove_agent(&a->state, agent);
}

static void activate_agent(struct allocator *a, struct agent_args *args)
{
    struct agent_share *agent = allocator_state_agent(&a->state, args->id);

    if (!agent)
        return;
    agent->active = true;
    make_candidate(a, agent);
}

static void deactivate_agent(struct allocator *a, struct agent_args *args)
{
    struct agent_share *agent = allocator_state_agent(&a->state, args->id);

    if (agent)
        agent->active = false;
}

static void charge(struct allocator *a, struct give_args *args)
{
    struct agent_share *agent = allocator_state_agent(&a->state, args->agent);

    if (agent)
        charge_copy(a, agent, &args->use);
}

static void refuse(struct allocator *a, struct client_framework *f, const struct give_args *args)
{
    struct duration d = duration_min(args->refuse, REFUSE_MAX);
    struct refusal *r = allocator_state_refuse(&a->state, f, args->use.role->bytes, args->agent,
                                               &args->use.resources);

    if (d.ns < a->interval.ns)
        d = a->interval;
    delay(&a->pid, d, refusal_expired, .framework = framework_id_dup(&f->id), .number = r->number);
}

static void give_back(struct allocator *a, struct give_args *args)
{
    struct agent_share *agent = allocator_state_agent(&a->state, args->agent);
    struct client_framework *f = allocator_state_framework(&a->state, args->use.framework);

    if (!agent)
        return;                                     /* it took its books with it */
    allocator_state_give_back(&a->state, agent, args->use.framework, args->use.role->bytes,
                              &args->use.resources);
    if (f && f->active && args->refuse.ns > 0 && !resources_is_empty(&args->use.resources))
        refuse(a, f, args);
    make_candidate(a, agent);
}

static void refusal_expired(struct allocator *a, struct refusal_args *args)
{
    struct client_framework *f = allocator_state_framework(&a->state, args->framework);
    struct agent_share *agent;

    if (!f)
        return;
    list_each_safe(r, &f->refusals, struct refusal, link) {
        if (r->number != args->number)
            continue;
        agent = allocator_state_agent(&a->state, r->agent);
        refusal_destroy(r);
        if (agent)
            make_candidate(a, agent);
        return;
    }
}

/* ---- the calls ---- */

void allocator_add_framework(struct allocator *a, struct framework_id id, const char *const roles[],
                             size_t n_roles, const char *const suppressed[], size_t n_suppressed)
{
    dispatch(&a->pid, add_framework, .id = framework_id_dup(&id),
             .roles = dup_texts(roles, n_roles), .n_roles = n_roles,
             .suppressed = dup_texts(suppressed, n_suppressed), .n_suppressed = n_suppressed);
}

void allocator_remove_framework(struct allocator *a, struct framework_id id)
{
    dispatch(&a->pid, remove_framework, .id = framework_id_dup(&id));
}

void allocator_activate_framework(struct allocator *a, struct framework_id id)
{
    dispatch(&a->pid, activate_framework, .id = framework_id_dup(&id));
}

void allocator_deactivate_framework(struct allocator *a, struct framework_id id)
{
    dispatch(&a->pid, deactivate_framework, .id = framework_id_dup(&id));
}

void allocator_suppress(struct allocator *a, struct framework_id id, const char *const roles[],
                        size_t n_roles)
{
    dispatch(&a->pid, suppress, .id = framework_id_dup(&id), .roles = dup_texts(roles, n_roles),
             .n_roles = n_roles);
}

void allocator_revive(struct allocator *a, struct framework_id id, const char *const roles[],
                      size_t n_roles)
{
    dispatch(&a->pid, revive, .id = framework_id_dup(&id), .roles = dup_texts(roles, n_roles),
             .n_roles = n_roles);
}

void allocator_add_agent(struct allocator *a, struct agent_id id, uint64_t incarnation,
                         const struct resources *total, const struct allocator_use used[],
                         size_t n_used)
{
    struct use_copy *copies = mem_array(n_used, sizeof *copies);
    struct resources plain = resources_dup(total);

    resources_allocate(&plain, NULL);
    for (size_t i = 0; i < n_used; i++)
        copies[i] = use_copy_create(used[i].framework, used[i].role, &used[i].resources);
    dispatch(&a->pid, add_agent, .id = agent_id_dup(&id), .incarnation = incarnation,
             .total = plain, .used = copies, .n_used = n_used);
}

void allocator_remove_agent(struct allocator *a, struct agent_id id)
{
    dispatch(&a->pid, remove_agent, .id = agent_id_dup(&id));
}

void allocator_activate_agent(struct allocator *a, struct agent_id id)
{
    dispatch(&a->pid, activate_agent, .id = agent_id_dup(&id));
}

void allocator_deactivate_agent(struct allocator *a, struct agent_id id)
{
    dispatch(&a->pid, deactivate_agent, .id = agent_id_dup(&id));
}

void allocator_charge(struct allocator *a, struct agent_id agent, struct framework_id framework,
                      const char *role, const struct resources *r)
{
    dispatch(&a->pid, charge, .agent = agent_id_dup(&agent),
             .use = use_copy_create(framework, role, r));
}

void allocator_recover(struct allocator *a, struct framework_id framework, const char *role,
                       struct agent_id agent, const struct resources *r, struct duration refusal)
{
    dispatch(&a->pid, give_back, .agent = agent_id_dup(&agent),
             .use = use_copy_create(framework, role, r), .refuse = refusal);
}
