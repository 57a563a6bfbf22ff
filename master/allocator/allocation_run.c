/* allocation_run.c - one agent's free resources, to whose turn it is
 *
 * Roles in the order of their shares, in each its frameworks in the order of
 * theirs; the first that may and wants to have what is free gets all of it that
 * its role may use (FACTS 4.3, stage 2).  Fairness is between agents and runs.
 */
#include "base/check.h"
#include "base/memory.h"
#include "master/allocator/allocator_state.h"

struct turn {
    struct allocator_state *state;
    struct agent_share *agent;
    struct resources free;
    allocation_give_f give;
    void *arg;
};

static bool is_worth_offering(const struct allocator_state *s, const struct resources *r)
{
    struct quantities q = quantities_of(r);
    bool worth = quantities_are_allocatable(&q, &s->worth_offering);

    quantities_release(&q);
    return worth;
}

/* True when the framework was given it. */
static bool offer_to(struct turn *t, const char *framework, const char *role,
                     const struct resources *usable)
{
    struct allocator_state *s = t->state;
    struct client_framework *f;

    HASH_FIND(hh, s->frameworks, framework, strlen(framework), f);
    CHECK(f);
    if (allocator_state_is_refused(f, role, t->agent->id, usable))
        return false;
    allocator_state_charge(s, t->agent, f->id, role, usable);
    CHECK(resources_subtract(&t->free, usable, NULL) == 0);
    t->give(t->arg, f, role, t->agent, usable);
    return true;
}

/* Giving changes the order, so the names are copied first. */
static char **dup_order(struct sorter *sorter, size_t *ret_n)
{
    const char *const *order = sorter_order(sorter, ret_n);
    char **names = mem_array(*ret_n + 1, sizeof *names);

    for (size_t i = 0; i < *ret_n; i++)
        names[i] = mem_strdup(order[i]);
    return names;
}

static void free_order(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(names[i]);
    mem_free(names);
}

static void offer_in_role(struct turn *t, const char *role)
{
    struct resources usable = resources_usable_by(&t->free, role);
    struct role_share *r;
    char **frameworks;
    size_t n;

    if (is_worth_offering(t->state, &usable)) {
        HASH_FIND(hh, t->state->roles, role, strlen(role), r);
        CHECK(r);
        frameworks = dup_order(r->frameworks, &n);
        for (size_t i = 0; i < n; i++)
            if (offer_to(t, frameworks[i], role, &usable))
                break;
        free_order(frameworks, n);
    }
    resources_release(&usable);
}

bool allocation_run_agent(struct allocator_state *s, struct agent_share *a, allocation_give_f give,
                          void *arg)
{
    struct turn t = { .state = s, .agent = a, .give = give, .arg = arg };
    bool more = false;
    char **roles;
    size_t n;

    if (!a->active)
        return false;
    t.free = resources_dup(&a->total);
    CHECK(resources_subtract(&t.free, &a->allocated, NULL) == 0);
    if (is_worth_offering(s, &t.free)) {
        roles = dup_order(s->role_order, &n);
        for (size_t i = 0; i < n; i++)
            offer_in_role(&t, roles[i]);
        free_order(roles, n);
        more = is_worth_offering(s, &t.free);
    }
    resources_release(&t.free);
    return more;
}
