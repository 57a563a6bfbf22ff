/* resources.h - a set of resources, and the arithmetic of giving and taking
 *
 * A value: initialize with RESOURCES_INIT, copy by dup, end by release.  The
 * entries are of different kinds (resource.h), in the order they came, except
 * that whole ones (volumes, shared resources) stand for themselves and may
 * occur more than once.  No entry is empty: taking all of a kind removes it.
 * Readers may walk `v`; only this file changes it.
 */
#ifndef RESOURCES_H
#define RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "mesos/resource.h"

struct json_writer;

struct resources { struct resource *v; size_t n; };

#define RESOURCES_INIT { NULL, 0 }

void resources_release(struct resources *r);               /* empty afterwards */
struct resources resources_dup(const struct resources *r);
void resources_assign(struct resources *r, const struct resources *from);

/* "cpus:4;mem:1024;disk(prod):100;ports:[31000-32000,33000-33010];set:{a,b}".
 * What has no role in its text is reserved for default_role ("*": for nobody). */
int resources_parse(const char *text, const char *default_role, struct resources *ret_r,
                    struct error *err);
void resources_format(const struct resources *r, struct buffer *out);       /* "cpus:4; mem:1024" */

/* Validates every one; amounts of 0 are left out. */
int resources_from_protobuf(Pb__Resource *const *v, size_t n, struct resources *ret_r,
                            struct error *err);
Pb__Resource **resources_to_protobuf(const struct resources *r, enum resource_form form,
                                     struct arena *arena, size_t *ret_n);
/* The object of the state endpoints: cpus, disk, gpus and mem always, in
 * numbers, others as they come; revocable ones with the suffix _revocable. */
void resources_write(const struct resources *r, struct json_writer *w);

void resources_add(struct resources *to, const struct resources *r);
void resources_add_one(struct resources *to, const struct resource *one);
bool resources_contain(const struct resources *r, const struct resources *part);
/* Refuses, and changes nothing, unless `from` contains r; says what is missing. */
int resources_subtract(struct resources *from, const struct resources *r,
                       struct error *err) MUST_USE;
bool resources_is_empty(const struct resources *r);
bool resources_equal(const struct resources *a, const struct resources *b); /* in any order */

/* The sum of all scalars of that name, whatever their kind; 0 if none. */
int64_t resources_millis(const struct resources *r, const char *name);

/* Says of all for which role they are (allocation_info); NULL takes it away. */
void resources_allocate(struct resources *r, const char *role);
/* Only of those that say no role yet: what the master does to tasks. */
void resources_allocate_rest(struct resources *r, const char *role);

/* Those that pass, as a new set. */
typedef bool (*resources_test_f)(const struct resource *r, const void *arg);
struct resources resources_filter(const struct resources *r, resources_test_f test,
                                  const void *arg);
struct resources resources_unreserved(const struct resources *r);
struct resources resources_usable_by(const struct resources *r, const char *role);
/* For exactly this role. */
struct resources resources_reserved_for(const struct resources *r, const char *role);

#endif
