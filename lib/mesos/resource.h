/* resource.h - one resource: an amount of something, and whose it is
 *
 * `cpus(prod):4` is an amount with a name, a role that it is reserved for, and,
 * while it is offered or used, the role that it is allocated to.  All else that
 * a protobuf Resource may say (dynamic reservations, revocable, disk, shared,
 * provider, fields that we do not know) is kept in `extra`, as it came, and two
 * resources are of one kind only when that is the same too.  So nothing is
 * lost and nothing rich is taken for plain.
 *
 * Reservations are kept in one form, whichever of the two of FACTS 3.8 they
 * came in; the writer chooses the form that its reader knows.
 */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdbool.h>

#include "mesos/value.h"

struct arena;
struct buffer;
struct error;
struct message;
struct text;

struct resource {
    struct text *name;              /* "cpus" */
    struct text *role;              /* reserved for it; NULL: unreserved */
    struct text *allocation;        /* allocated to it; NULL: to nobody */
    struct message *extra;          /* a Pb__Resource with the rest; NULL: plain */
    struct value value;             /* no TEXT */
};

/* How reservations are written: `role` and `reservation`, which cannot express
 * a refined one (it is then written in the other form), or `reservations`. */
enum resource_form { RESOURCE_PRE_REFINEMENT, RESOURCE_POST_REFINEMENT };

struct resource resource_dup(const struct resource *r);
void resource_release(struct resource *r);

/* Refuses what no Resource may be: no name, a TEXT, a negative or missing
 * value, a bad role, reservations that contradict each other. */
int resource_from_protobuf(const Pb__Resource *pb, struct resource *ret_r, struct error *err);
Pb__Resource *resource_to_protobuf(const struct resource *r, enum resource_form form,
                                   struct arena *arena);
/* "cpus:4", "disk(prod, volume db1, revocable):100": for people and, when plain,
 * for resources_parse. */
void resource_format(const struct resource *r, struct buffer *out);

/* All but the amount is the same.  Amounts of a kind add up, unless the kind
 * is whole: a persistent volume, a mounted or block disk, a shared resource. */
bool resource_is_same_kind(const struct resource *a, const struct resource *b);
bool resource_is_whole(const struct resource *r);
bool resource_equal(const struct resource *a, const struct resource *b);

bool resource_is_named(const struct resource *r, const char *name);
bool resource_is_reserved(const struct resource *r);
bool resource_is_revocable(const struct resource *r);
bool resource_is_shared(const struct resource *r);
bool resource_is_refined(const struct resource *r);              /* two or more reservations */
bool resource_is_dynamically_reserved(const struct resource *r); /* its last reservation is */
/* Unreserved, or reserved for the role or for one above it. */
bool resource_is_usable_by(const struct resource *r, const char *role);
/* Borrowed; NULL if none. */
const Pb__Resource__DiskInfo *resource_disk(const struct resource *r);

#endif
