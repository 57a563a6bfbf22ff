/* allocator.h - who is offered what
 *
 * An actor.  The master tells it what exists and what is used, it tells the
 * master what to offer.  Inside it offered and used are one: what it hands out
 * is allocated until recovered.  Offers are event-driven: what was freed is
 * offered again at once, after the events that are queued already; an expiring
 * filter is an event too, and the allocation interval only a fallback while
 * something is free.
 *
 * Invariant: per agent, allocated never exceeds total.
 *
 * The policy is one file (sorter.c): fair shares by dominant resource between
 * roles, then between the frameworks of a role.  Quota, weights and refined
 * reservations come behind this same interface.
 *
 * Calls are dispatches and arrive in the order they were made; arguments are
 * copied.  Resources have no allocation_info here: it is taken away from what
 * is given, and the master adds it to what it offers.
 */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include "base/instant.h"
#include "mesos/ids.h"
#include "mesos/resources.h"

struct allocator;
struct error;
struct pid;
struct process;
struct runtime;

/* One framework's share, for one of its roles, of one run.  The callback runs in
 * the context of `master`; what it is given is borrowed. */
struct allocation {
    struct agent_id agent;
    uint64_t incarnation;           /* as it was added; another one's resources are not ours */
    struct resources resources;
};
struct allocations {
    struct framework_id framework;
    const char *role;
    size_t n;
    struct allocation *v;
};
typedef void (*allocator_offer_f)(struct process *master, const struct allocations *a);

struct allocator_options {
    struct duration allocation_interval;
    const char *min_allocatable_resources; /* alternatives by '|', quantities by ';' */
};

struct allocator *allocator_create(struct runtime *rt, const struct allocator_options *options,
                                   const struct pid *master, allocator_offer_f offer,
                                   struct error *err);
void allocator_destroy(struct allocator *a); /* outside of actors; NULL is fine */

/* Frameworks.  Inactive ones are offered nothing and lose their filters; what
 * they use stays charged. */
void allocator_add_framework(struct allocator *a, struct framework_id id, const char *const roles[],
                             size_t n_roles, const char *const suppressed[], size_t n_suppressed);
void allocator_remove_framework(struct allocator *a, struct framework_id id);
void allocator_activate_framework(struct allocator *a, struct framework_id id);
void allocator_deactivate_framework(struct allocator *a, struct framework_id id);
/* No roles: all of the framework's.  Reviving forgets its filters as well. */
void allocator_suppress(struct allocator *a, struct framework_id id, const char *const roles[],
                        size_t n_roles);
void allocator_revive(struct allocator *a, struct framework_id id, const char *const roles[],
                      size_t n_roles);

/* Agents.  used: what tasks hold there already (a re-registration).  incarnation
 * tells an agent that was removed from the one added under its id again: what
 * was handed out of the former, and is on its way still, means nothing. */
struct allocator_use {
    struct framework_id framework;
    const char *role;
    struct resources resources;
};
void allocator_add_agent(struct allocator *a, struct agent_id id, uint64_t incarnation,
                         const struct resources *total, const struct allocator_use used[],
                         size_t n_used);
void allocator_remove_agent(struct allocator *a, struct agent_id id);
void allocator_activate_agent(struct allocator *a, struct agent_id id);
void allocator_deactivate_agent(struct allocator *a, struct agent_id id);

/* Charges what no offer handed out: a task that was found on its agent. */
void allocator_charge(struct allocator *a, struct agent_id agent, struct framework_id framework,
                      const char *role, const struct resources *r);
/* Gives back; agent and framework may be gone.  refuse > 0: the same will not be
 * offered to this framework for so long, at least one allocation interval and at
 * most 365 days. */
void allocator_recover(struct allocator *a, struct framework_id framework, const char *role,
                       struct agent_id agent, const struct resources *r, struct duration refuse);

#endif
