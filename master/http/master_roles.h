/* master_roles.h - the roles that are in use, for /roles and GET_ROLES
 *
 * Known is a role that a registered framework has, that something is reserved for, or that holds
 * tasks or offers.  Quota and weights are not kept yet: every weight is 1.
 */
#ifndef MASTER_ROLES_H
#define MASTER_ROLES_H

#include "base/arena.h"
#include "master/master_private.h"

struct role_framework {
    const char *id;
    struct role_framework *next;
};

/* The resources say nothing of allocation roles. */
struct role_use {
    const char *name;
    struct resources allocated, offered, reserved;
    struct role_framework *frameworks, **end;
    size_t n_frameworks;
    UT_hash_handle hh;
};

struct master_roles {
    struct arena arena;
    struct role_use *roles;
};

#define MASTER_ROLES_INIT { ARENA_INIT, NULL }

/* Names are borrowed from the master's records. */
void master_roles_gather(struct master_roles *roles, const struct master *m);
void master_roles_release(struct master_roles *roles);

#endif
