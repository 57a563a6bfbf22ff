/* properties_master.h - the part of properties.h that knows the insides of a master
 *
 * The private headers of master and agent do not go into one file.
 */
#ifndef PROPERTIES_MASTER_H
#define PROPERTIES_MASTER_H

#include <stdbool.h>
#include <stddef.h>

struct master;

bool properties_master_has_offer(const struct master *m, const char *id);
/* Are there tasks, executors or offers?  Then `what` says which. */
bool properties_master_left_over(const struct master *m, char *what, size_t size);

#endif
