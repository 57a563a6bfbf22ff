/* framework_info.c - questions to a FrameworkInfo, and what makes it valid */
#include "mesos/framework_info.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "mesos/ids.h"
#include "mesos/role.h"

/* The largest number of seconds that nanoseconds in 64 bits hold. */
#define SECONDS_MAX 9223372036.0

bool framework_info_has_capability(const Pb__FrameworkInfo *info,
                                   Pb__FrameworkInfo__Capability__Type capability)
{
    for (size_t i = 0; i < info->n_capabilities; i++)
        if (info->capabilities[i]->has_type && info->capabilities[i]->type == capability)
            return true;
    return false;
}

size_t framework_info_role_count(const Pb__FrameworkInfo *info)
{
    return framework_info_has(info, MULTI_ROLE) ? info->n_roles : 1;
}

const char *framework_info_role(const Pb__FrameworkInfo *info, size_t i)
{
    if (framework_info_has(info, MULTI_ROLE))
        return info->roles[i];
    return info->role ? info->role : ROLE_ANY;
}

bool framework_info_has_role(const Pb__FrameworkInfo *info, const char *role)
{
    for (size_t i = 0; i < framework_info_role_count(info); i++)
        if (strcmp(framework_info_role(info, i), role) == 0)
            return true;
    return false;
}

struct duration framework_info_failover_timeout(const Pb__FrameworkInfo *info)
{
    return duration_from_seconds(info->has_failover_timeout ? info->failover_timeout : 0);
}

/* As Mesos names the field that is wrong. */
static int validate_role(const char *role, bool many, struct error *err)
{
    if (role_validate(role, err) == 0)
        return 0;
    return error_wrap(err, many ? "'FrameworkInfo.roles' contains invalid role"
                                : "'FrameworkInfo.role' is not a valid role");
}

static int validate_roles(const Pb__FrameworkInfo *info, struct error *err)
{
    bool many = framework_info_has(info, MULTI_ROLE);
    bool has_role = info->role && info->role != pb__framework_info__role__default_value;

    if (many && has_role)
        return error_set(err, EINVAL,
                         "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE "
                         "capable");
    if (!many && info->n_roles > 0)
        return error_set(err, EINVAL,
                         "'FrameworkInfo.roles' must not be set when the framework is not "
                         "MULTI_ROLE capable");
    for (size_t i = 0; i < framework_info_role_count(info); i++) {
        const char *role = framework_info_role(info, i);

        if (validate_role(role, many, err) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(role, framework_info_role(info, j)) == 0)
                return error_set(err, EINVAL,
                                 "'FrameworkInfo.roles' contains duplicate items: { %.80s }", role);
    }
    return 0;
}

static int check_size(const char *what, size_t n, size_t max, struct error *err)
{
    return n <= max ? 0 : error_set(err, E2BIG, "There are %zu %s; at most %zu are taken", n, what,
                                    max);
}

static int check_sizes(const Pb__FrameworkInfo *info, size_t n_suppressed, struct error *err)
{
    if (check_size("FrameworkInfo.roles", info->n_roles, FRAMEWORK_INFO_ROLES_MAX, err) < 0 ||
        check_size("suppressed roles", n_suppressed, FRAMEWORK_INFO_ROLES_MAX, err) < 0)
        return -1;
    return check_size("FrameworkInfo.capabilities", info->n_capabilities,
                      FRAMEWORK_INFO_CAPABILITIES_MAX, err);
}

int framework_info_validate(const Pb__FrameworkInfo *info, const char *const suppressed_roles[],
                            size_t n_suppressed, struct error *err)
{
    double timeout = info->has_failover_timeout ? info->failover_timeout : 0;
    struct text *id;

    if (check_sizes(info, n_suppressed, err) < 0 || validate_roles(info, err) < 0)
        return -1;
    for (size_t i = 0; i < n_suppressed; i++)
        if (!framework_info_has_role(info, suppressed_roles[i]))
            return error_set(err, EINVAL, "The suppressed role '%.100s' is not one of the "
                             "framework's roles", suppressed_roles[i]);
    if (info->id && *info->id->value) {                 /* an empty one asks for a new one */
        if (ids_parse(info->id->value, "framework id", &id, err) < 0)
            return -1;
        text_unref(id);
    }
    if (isnan(timeout) || timeout < 0 || timeout >= SECONDS_MAX)
        return error_set(err, EINVAL, "The framework failover_timeout (%g) is invalid", timeout);
    return 0;
}
