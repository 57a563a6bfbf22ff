/* allocator_state.h - what the allocator knows, as plain data
 *
 * Frameworks, agents, who uses what, who refused what.  No events and no clock:
 * allocator.c drives it, allocation_run.c decides on it, tests look at it.
 */
#ifndef ALLOCATOR_STATE_H
#define ALLOCATOR_STATE_H

#include <uthash.h>

#include "base/list.h"
#include "master/allocator/allocator.h"
#include "master/allocator/sorter.h"

struct client_role {                     /* a framework in one of its roles */
    struct text *name;
    bool suppressed;
};

struct client_framework {
    struct framework_id id;
    bool active;
    struct client_role *roles;
    size_t n_roles;
    struct list refusals;
    UT_hash_handle hh;
};

/* These resources of this agent are not offered to this framework in this role
 * before its timer fires. */
struct refusal {
    uint64_t number;
    struct client_framework *framework;
    struct agent_id agent;
    struct text *role;
    struct resources resources;
    struct list link;
};

/* Who uses what of an agent: offered or accepted is the same here. */
struct agent_use {
    struct framework_id framework;
    struct text *role;
    struct resources resources;
    struct list link;
};

struct agent_share {
    struct agent_id id;
    uint64_t incarnation;
    bool active;
    bool candidate;                      /* something about it changed since the last run */
    struct resources total, allocated;
    struct list uses;
    UT_hash_handle hh;
};

struct role_share {                      /* the frameworks of a role, in order */
    struct text *name;
    struct sorter *frameworks;
    UT_hash_handle hh;
};

struct allocator_state {
    struct client_framework *frameworks;
    struct agent_share *agents;
    struct role_share *roles;
    struct sorter *role_order;
    struct quantities total;
    struct allocatable worth_offering;
    uint64_t next_refusal;
};

int allocator_state_init(struct allocator_state *s, const char *min_allocatable, struct error *err);
void allocator_state_release(struct allocator_state *s);

struct client_framework *allocator_state_framework(struct allocator_state *s,
                                                   struct framework_id id);
struct agent_share *allocator_state_agent(struct allocator_state *s, struct agent_id id);

void allocator_state_add_framework(struct allocator_state *s, struct framework_id id,
                                   struct text *const roles[], size_t n_roles);
void allocator_state_remove_framework(struct allocator_state *s, struct client_framework *f);
/* By `active` and each role's `suppressed`: who stands in the order. */
void allocator_state_set_order(struct allocator_state *s, struct client_framework *f);
void allocator_state_forget_refusals(struct client_framework *f, const char *role); /* NULL: all */

struct agent_share *allocator_state_add_agent(struct allocator_state *s, struct agent_id id,
                                              const struct resources *total);
void allocator_state_remove_agent(struct allocator_state *s, struct agent_share *a);

/* Charge and give back; the agent's books and the shares together.  Giving back
 * what is not charged is a CHECK. */
void allocator_state_charge(struct allocator_state *s, struct agent_share *a,
                            struct framework_id framework, const char *role,
                            const struct resources *r);
void allocator_state_give_back(struct allocator_state *s, struct agent_share *a,
                               struct framework_id framework, const char *role,
                               const struct resources *r);

struct refusal *allocator_state_refuse(struct allocator_state *s, struct client_framework *f,
                                       const char *role, struct agent_id agent,
                                       const struct resources *r);
void refusal_destroy(struct refusal *r);
bool allocator_state_is_refused(const struct client_framework *f, const char *role,
                                struct agent_id agent, const struct resources *r);

/* allocation_run.c: one agent's free resources to whose turn it is; each portion
 * is charged and handed to give.  True when some of them are still free though
 * worth offering. */
typedef void (*allocation_give_f)(void *arg, struct client_framework *f, const char *role,
                                  struct agent_share *a, const struct resources *r);
bool allocation_run_agent(struct allocator_state *s, struct agent_share *a, allocation_give_f give,
                          void *arg);

#endif
