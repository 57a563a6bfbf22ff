/* role.h - for whom resources are: names like "prod" and "prod/web"
 *
 * Roles form a tree by their '/'; what is reserved for a role may be used by
 * the roles below it.  "*" stands for nobody in particular.
 */
#ifndef ROLE_H
#define ROLE_H

#include <stdbool.h>

struct error;

#define ROLE_ANY "*"

int role_validate(const char *role, struct error *err);
static inline bool role_is_any(const char *role) { return role[0] == '*' && !role[1]; }
/* "a/b" is strictly below "a"; nothing is below "*". */
bool role_is_below(const char *role, const char *ancestor);

#endif
