/* agent_resources.c - what this machine offers and says about itself
 *
 * --resources and --attributes as texts; what is not named of cpus, mem, disk
 * and ports is found out (FACTS 5.9).  After a restart the agent may have more
 * of both than before, not less: tasks and offers rely on it.
 */
#include <errno.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/attributes.h"
#include "mesos/role.h"
#include "process/host.h"
#include "process/proto.h"
#include "process/runtime.h"

enum { MEGABYTE = 1024 * 1024 };

static bool is_named(const struct resources *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (resource_is_named(&r->v[i], name))
            return true;
    return false;
}

/* Mesos leaves some for the machine itself. */
static uint64_t offered_megabytes(uint64_t bytes, uint64_t reserve, uint64_t otherwise)
{
    uint64_t megabytes = bytes / MEGABYTE;

    if (megabytes == 0)
        return otherwise;
    return megabytes < 2 * reserve ? megabytes / 2 : megabytes - reserve;
}

/* The text of what --resources does not name. */
static void detect_rest(struct agent *a, const struct resources *given, struct buffer *out)
{
    struct host *h = runtime_host(a->runtime);
    struct host_facts facts;
    struct error why;
    uint64_t size = 0, free_bytes;

    host_facts(h, &facts);
    if (!is_named(given, "cpus"))
        buffer_printf(out, "cpus:%u;", facts.cpus ? facts.cpus : 1);
    if (!is_named(given, "mem"))
        buffer_printf(out, "mem:%llu;", (unsigned long long)offered_megabytes(
                                            facts.memory_bytes, 1024, 1024));
    if (!is_named(given, "disk")) {
        if (host_disk(h, a->options.work_dir, &size, &free_bytes, &why) < 0)
            log_warning("the size of the disk is not known, offering 10 GB: %s", why.text);
        buffer_printf(out, "disk:%llu;",
                      (unsigned long long)offered_megabytes(size, 5 * 1024, 10 * 1024));
    }
    if (!is_named(given, "ports"))
        buffer_printf(out, "ports:[31000-32000];");
}

static int detect_total(struct agent *a, struct error *err)
{
    const char *role = a->options.default_role ? a->options.default_role : ROLE_ANY;
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    struct resources rest;

    if (role_validate(role, err) < 0)
        return error_wrap(err, "--default_role");
    if (resources_parse(a->options.resources ? a->options.resources : "", role, &a->total, err) < 0)
        return error_wrap(err, "--resources");
    detect_rest(a, &a->total, &text);
    if (resources_parse(buffer_data(&text), role, &rest, err) < 0)
        return error_wrap(err, "the machine's resources");
    resources_add(&a->total, &rest);
    resources_release(&rest);
    return 0;
}

int agent_detect_resources(struct agent *a, struct error *err)
{
    const char *attributes = a->options.attributes ? a->options.attributes : "";

    if (detect_total(a, err) < 0)
        return -1;
    a->info->resources = resources_to_protobuf(&a->total, RESOURCE_PRE_REFINEMENT, &a->arena,
                                               &a->info->n_resources);
    if (attributes_parse(attributes, &a->arena, &a->info->attributes, &a->info->n_attributes,
                         err) < 0)
        return error_wrap(err, "--attributes");
    return 0;
}

/* ---- a restart with other resources or attributes ---- */

static int compare_resources(const Pb__AgentInfo *before, const Pb__AgentInfo *now,
                             struct error *err)
{
    CLEANUP(resources_release) struct resources old = RESOURCES_INIT;
    CLEANUP(resources_release) struct resources new = RESOURCES_INIT;
    struct error why;

    if (resources_from_protobuf(before->resources, before->n_resources, &old, err) < 0 ||
        resources_from_protobuf(now->resources, now->n_resources, &new, err) < 0)
        return -1;
    if (resources_subtract(&new, &old, &why) < 0)
        return error_set(err, EINVAL, "it has less resources than before (%s)", why.text);
    return 0;
}

static int compare_attributes(const Pb__AgentInfo *before, const Pb__AgentInfo *now,
                              struct error *err)
{
    for (size_t i = 0; i < before->n_attributes; i++) {
        size_t j = 0;

        while (j < now->n_attributes &&
               !proto_equal(&before->attributes[i]->base, &now->attributes[j]->base))
            j++;
        if (j == now->n_attributes)
            return error_set(err, EINVAL, "its attribute '%.40s' is gone or another",
                             before->attributes[i]->name);
    }
    return 0;
}

int agent_compare_info(const Pb__AgentInfo *before, const Pb__AgentInfo *now, struct error *err)
{
    if (strcmp(before->hostname, now->hostname) != 0)
        return error_set(err, EINVAL, "its hostname was '%.60s' and is '%.60s'", before->hostname,
                         now->hostname);
    if (compare_resources(before, now, err) < 0)
        return -1;
    return compare_attributes(before, now, err);
}
