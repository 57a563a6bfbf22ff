/* sorter.h - whose turn is it to be offered resources?
 *
 * Orders clients (roles, or the frameworks of one role) by dominant share: the
 * largest part that a client has of any one resource of the cluster.  Equal
 * shares: who was given less often, then by name (FACTS 4.2).  Pure data: no
 * events, no clock; the allocator calls it from its own process.
 */
#ifndef SORTER_H
#define SORTER_H

#include <stdbool.h>
#include <stddef.h>

#include "mesos/quantities.h"

struct sorter;

struct sorter *sorter_create(void);
void sorter_destroy(struct sorter *s);          /* NULL is fine */

/* Clients.  A name is copied; adding one that is there changes nothing.
 * Inactive ones keep what they have, and come in no order. */
void sorter_add(struct sorter *s, const char *client);
void sorter_remove(struct sorter *s, const char *client);
bool sorter_has(const struct sorter *s, const char *client);
void sorter_set_active(struct sorter *s, const char *client, bool active);

/* Of what the shares are parts. */
void sorter_set_total(struct sorter *s, const struct quantities *total);
void sorter_allocate(struct sorter *s, const char *client, const struct quantities *q);
void sorter_unallocate(struct sorter *s, const char *client, const struct quantities *q);
double sorter_share(const struct sorter *s, const char *client);

/* The active clients, smallest share first; valid until the next change. */
const char *const *sorter_order(struct sorter *s, size_t *ret_n);

#endif
