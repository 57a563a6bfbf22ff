/* master_resources.h - an agent's resources with all that is said of them
 *
 * What is used and offered says for which role; the sums of agent_record do not.
 */
#ifndef MASTER_RESOURCES_H
#define MASTER_RESOURCES_H

#include "master/master_private.h"

struct arena;
struct json_writer;

struct resources master_resources_used(const struct agent_record *a);    /* the caller's */
struct resources master_resources_offered(const struct agent_record *a); /* the caller's */
/* In the arena, as the v1 API writes them. */
Pb__Resource **master_resources_list(const struct resources *r, struct arena *arena,
                                     size_t *ret_n);

/* Keys: the lists of /slaves. */
void master_resources_write_full(struct json_writer *w, const struct agent_record *a);

#endif
