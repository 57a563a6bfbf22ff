/* framework_info.h - what a FrameworkInfo says: capabilities and roles
 *
 * With MULTI_ROLE a framework has the list `roles` (it may be empty), without
 * it the one `role`, "*" unless set.
 */
#ifndef FRAMEWORK_INFO_H
#define FRAMEWORK_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"
#include "proto/mesos.pb-c.h"

struct error;

/* Every question goes through all of them: who has more is refused.  (Mesos has no such limits.) */
enum { FRAMEWORK_INFO_ROLES_MAX = 1000, FRAMEWORK_INFO_CAPABILITIES_MAX = 100 };

/* framework_info_has(info, PARTITION_AWARE) */
#define framework_info_has(info, capability)                                                       \
    framework_info_has_capability((info), PB__FRAMEWORK_INFO__CAPABILITY__TYPE__##capability)
bool framework_info_has_capability(const Pb__FrameworkInfo *info,
                                   Pb__FrameworkInfo__Capability__Type capability);

size_t framework_info_role_count(const Pb__FrameworkInfo *info);
const char *framework_info_role(const Pb__FrameworkInfo *info, size_t i);   /* borrowed */
bool framework_info_has_role(const Pb__FrameworkInfo *info, const char *role);

/* Of a valid one; 0 unless set. */
struct duration framework_info_failover_timeout(const Pb__FrameworkInfo *info);

/* What a subscription must satisfy (FACTS 3.3), except what depends on flags. */
int framework_info_validate(const Pb__FrameworkInfo *info, const char *const suppressed_roles[],
                            size_t n_suppressed, struct error *err);

#endif
