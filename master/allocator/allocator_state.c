/* allocator_state.c - the books of the allocator */
#include "master/allocator/allocator_state.h"

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

int allocator_state_init(struct allocator_state *s, const char *min_allocatable, struct error *err)
{
    *s = (struct allocator_state){ 0 };
    if (quantities_parse_allocatable(min_allocatable, &s->worth_offering, err) < 0)
        return error_wrap(err, "--min_allocatable_resources");
    s->role_order = sorter_create();
    return 0;
}

void allocator_state_release(struct allocator_state *s)
{
    while (s->agents)
        allocator_state_remove_agent(s, s->agents);
    while (s->frameworks)
        allocator_state_remove_framework(s, s->frameworks);
    sorter_destroy(s->role_order);
    quantities_release(&s->total);
    quantities_release_allocatable(&s->worth_offering);
}

/* ---- roles ---- */

static struct role_share *find_role(struct allocator_state *s, const char *name)
{
    struct role_share *r;

    HASH_FIND(hh, s->roles, name, strlen(name), r);
    return r;
}

static struct role_share *need_role(struct allocator_state *s, struct text *name)
{
    struct role_share *r = find_role(s, name->bytes);

    if (r)
        return r;
    r = mem_alloc(sizeof *r);
    r->name = text_ref(name);
    r->frameworks = sorter_create();
    sorter_set_total(r->frameworks, &s->total);
    HASH_ADD_KEYPTR(hh, s->roles, r->name->bytes, r->name->length, r);
    sorter_add(s->role_order, name->bytes);
    return r;
}

static void drop_role_if_empty(struct allocator_state *s, struct role_share *r)
{
    struct client_framework *f, *next;

    HASH_ITER (hh, s->frameworks, f, next)
        if (sorter_has(r->frameworks, framework_id_text(&f->id)))
            return;
    HASH_DEL(s->roles, r);
    sorter_remove(s->role_order, r->name->bytes);
    sorter_destroy(r->frameworks);
    text_unref(r->name);
    mem_free(r);
}

static void total_changed(struct allocator_state *s)
{
    struct role_share *r, *next;

    sorter_set_total(s->role_order, &s->total);
    HASH_ITER (hh, s->roles, r, next)
        sorter_set_total(r->frameworks, &s->total);
}

/* ---- frameworks ---- */

struct client_framework *allocator_state_framework(struct allocator_state *s,
                                                   struct framework_id id)
{
    struct client_framework *f;

    HASH_FIND(hh, s->frameworks, id.text->bytes, id.text->length, f);
    return f;
}

/* What agents charge to it already: tasks that were there before the framework. */
static void charge_earlier_uses(struct allocator_state *s, struct client_framework *f,
                                struct role_share *r)
{
    struct agent_share *a, *next;

    HASH_ITER (hh, s->agents, a, next)
        list_each(u, &a->uses, struct agent_use, link) {
            struct quantities q;

            if (!framework_id_equal(&u->framework, &f->id) || !text_equal(u->role, r->name))
                continue;
            q = quantities_of(&u->resources);
            sorter_allocate(r->frameworks, framework_id_text(&f->id), &q);
            sorter_allocate(s->role_order, r->name->bytes, &q);
            quantities_release(&q);
        }
}

void allocator_state_add_framework(struct allocator_state *s, struct framework_id id,
                                   struct text *const roles[], size_t n_roles)
{
    struct client_framework *f = mem_alloc(sizeof *f);

    CHECK(!allocator_state_framework(s, id));
    f->id = framework_id_dup(&id);
    f->active = true;
    list_init(&f->refusals);
    f->roles = mem_array(n_roles, sizeof *f->roles);
    f->n_roles = n_roles;
    HASH_ADD_KEYPTR(hh, s->frameworks, f->id.text->bytes, f->id.text->length, f);
    for (size_t i = 0; i < n_roles; i++) {
        struct role_share *r = need_role(s, roles[i]);

        f->roles[i].name = text_ref(roles[i]);
        sorter_add(r->frameworks, framework_id_text(&f->id));
        charge_earlier_uses(s, f, r);
    }
}

/* Its uses stay charged to the agents until they are given back; the shares of
 * its roles forget them with it. */
static void uncharge_role(struct allocator_state *s, struct client_framework *f,
                          struct role_share *r)
{
    struct agent_share *a, *next;

    HASH_ITER (hh, s->agents, a, next)
        list_each(u, &a->uses, struct agent_use, link) {
            struct quantities q;

            if (!framework_id_equal(&u->framework, &f->id) || !text_equal(u->role, r->name))
                continue;
            q = quantities_of(&u->resources);
            sorter_unallocate(s->role_order, r->name->bytes, &q);
            quantities_release(&q);
        }
}

void allocator_state_remove_framework(struct allocator_state *s, struct client_framework *f)
{
    allocator_state_forget_refusals(f, NULL);
    HASH_DEL(s->frameworks, f);
    for (size_t i = 0; i < f->n_roles; i++) {
        struct role_share *r = find_role(s, f->roles[i].name->bytes);

        uncharge_role(s, f, r);
        sorter_remove(r->frameworks, framework_id_text(&f->id));
        drop_role_if_empty(s, r);
        text_unref(f->roles[i].name);
    }
    mem_free(f->roles);
    framework_id_release(&f->id);
    mem_free(f);
}

void allocator_state_set_order(struct allocator_state *s, struct client_framework *f)
{
    for (size_t i = 0; i < f->n_roles; i++)
        sorter_set_active(find_role(s, f->roles[i].name->bytes)->frameworks,
                          framework_id_text(&f->id), f->active && !f->roles[i].suppressed);
}

void allocator_state_forget_refusals(struct client_framework *f, const char *role)
{
    list_each_safe(r, &f->refusals, struct refusal, link)
        if (!role || text_is(r->role, role))
            refusal_destroy(r);
}

/* ---- agents ---- */

struct agent_share *allocator_state_agent(struct allocator_state *s, struct agent_id id)
{
    struct agent_share *a;

    HASH_FIND(hh, s->agents, id.text->bytes, id.text->length, a);
    return a;
}

struct agent_share *allocator_state_add_agent(struct allocator_state *s, struct agent_id id,
                                              const struct resources *total)
{
    struct agent_share *a = mem_alloc(sizeof *a);
    struct quantities q = quantities_of(total);

    CHECK(!allocator_state_agent(s, id));
    a->id = agent_id_dup(&id);
    a->active = true;
    a->total = resources_dup(total);
    list_init(&a->uses);
    HASH_ADD_KEYPTR(hh, s->agents, a->id.text->bytes, a->id.text->length, a);
    quantities_add(&s->total, &q);
    quantities_release(&q);
    total_changed(s);
    return a;
}

static void use_destroy(struct agent_use *u)
{
    list_remove(&u->link);
    framework_id_release(&u->framework);
    text_unref(u->role);
    resources_release(&u->resources);
    mem_free(u);
}

void allocator_state_remove_agent(struct allocator_state *s, struct agent_share *a)
{
    struct quantities q = quantities_of(&a->total);

    while (!list_is_empty(&a->uses)) {
        struct agent_use *u = list_first(&a->uses, struct agent_use, link);
        struct resources all = resources_dup(&u->resources);
        struct framework_id framework = framework_id_dup(&u->framework);
        struct text *role = text_ref(u->role);

        allocator_state_give_back(s, a, framework, role->bytes, &all);
        resources_release(&all);
        framework_id_release(&framework);
        text_unref(role);
    }
    HASH_DEL(s->agents, a);
    quantities_subtract(&s->total, &q);
    quantities_release(&q);
    total_changed(s);
    agent_id_release(&a->id);
    resources_release(&a->total);
    resources_release(&a->allocated);
    mem_free(a);
}

/* ---- uses ---- */

static struct agent_use *find_use(struct agent_share *a, const struct framework_id *framework,
                                  const char *role)
{
    list_each(u, &a->uses, struct agent_use, link)
        if (framework_id_equal(&u->framework, framework) && text_is(u->role, role))
            return u;
    return NULL;
}

/* The sorters only know frameworks that are there. */
static struct sorter *sorter_of(struct allocator_state *s, struct framework_id framework,
                                const char *role)
{
    struct role_share *r = find_role(s, role);

    return r && sorter_has(r->frameworks, framework_id_text(&framework)) ? r->frameworks : NULL;
}

void allocator_state_charge(struct allocator_state *s, struct agent_share *a,
                            struct framework_id framework, const char *role,
                            const struct resources *r)
{
    struct agent_use *u = find_use(a, &framework, role);
    struct sorter *frameworks = sorter_of(s, framework, role);
    struct quantities q = quantities_of(r);

    if (!u) {
        u = mem_alloc(sizeof *u);
        u->framework = framework_id_dup(&framework);
        u->role = text_create(role);
        list_append(&a->uses, &u->link);
    }
    resources_add(&u->resources, r);
    resources_add(&a->allocated, r);
    if (frameworks) {
        sorter_allocate(frameworks, framework_id_text(&framework), &q);
        sorter_allocate(s->role_order, role, &q);
    }
    quantities_release(&q);
}

void allocator_state_give_back(struct allocator_state *s, struct agent_share *a,
                               struct framework_id framework, const char *role,
                               const struct resources *r)
{
    struct agent_use *u = find_use(a, &framework, role);
    struct sorter *frameworks = sorter_of(s, framework, role);
    struct quantities q = quantities_of(r);

    CHECK(u);
    CHECK(resources_subtract(&u->resources, r, NULL) == 0);
    CHECK(resources_subtract(&a->allocated, r, NULL) == 0);
    if (resources_is_empty(&u->resources))
        use_destroy(u);
    if (frameworks) {
        sorter_unallocate(frameworks, framework_id_text(&framework), &q);
        sorter_unallocate(s->role_order, role, &q);
    }
    quantities_release(&q);
}

/* ---- refusals ---- */

struct refusal *allocator_state_refuse(struct allocator_state *s, struct client_framework *f,
                                       const char *role, struct agent_id agent,
                                       const struct resources *resources)
{
    struct refusal *r = mem_alloc(sizeof *r);

    r->number = ++s->next_refusal;
    r->framework = f;
    r->agent = agent_id_dup(&agent);
    r->role = text_create(role);
    r->resources = resources_dup(resources);
    list_append(&f->refusals, &r->link);
    return r;
}

void refusal_destroy(struct refusal *r)
{
    list_remove(&r->link);
    agent_id_release(&r->agent);
    text_unref(r->role);
    resources_release(&r->resources);
    mem_free(r);
}

bool allocator_state_is_refused(const struct client_framework *f, const char *role,
                                struct agent_id agent, const struct resources *resources)
{
    list_each(r, &f->refusals, struct refusal, link)
        if (agent_id_equal(&r->agent, &agent) && text_is(r->role, role) &&
            resources_contain(&r->resources, resources))
            return true;
    return false;
}
