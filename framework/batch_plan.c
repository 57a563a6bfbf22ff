/* batch_plan.c - which resources of an offer a task gets */
#include "framework/batch_plan.h"

#include "base/check.h"

static bool is_usable(const struct resource *r, const char *name)
{
    return resource_is_named(r, name) && r->value.type == VALUE_SCALAR && !resource_is_whole(r) &&
           !resource_is_revocable(r) && !resource_is_shared(r) && !resource_disk(r);
}

/* Adds to *task up to `millis` of name from the entries that are, or are not,
 * reserved; returns what is still missing. */
static int64_t pick(const struct resources *from, const char *name, bool reserved, int64_t millis,
                    struct resources *task)
{
    for (size_t i = 0; i < from->n && millis > 0; i++) {
        const struct resource *r = &from->v[i];
        struct resource part;

        if (!is_usable(r, name) || resource_is_reserved(r) != reserved)
            continue;
        part = resource_dup(r);
        if (part.value.millis > millis)
            part.value.millis = millis;
        millis -= part.value.millis;
        resources_add_one(task, &part);
        resource_release(&part);
    }
    return millis;
}

static bool pick_all(const struct resources *from, const char *name, int64_t millis,
                     struct resources *task)
{
    return pick(from, name, false, pick(from, name, true, millis, task), task) <= 0;
}

bool batch_plan_take(struct resources *left, const struct batch_need *need,
                     struct resources *ret_task)
{
    struct resources task = RESOURCES_INIT;

    if (!pick_all(left, "cpus", need->cpus, &task) || !pick_all(left, "mem", need->mem, &task) ||
        !pick_all(left, "disk", need->disk, &task)) {
        resources_release(&task);
        return false;
    }
    CHECK(resources_subtract(left, &task, NULL) == 0);
    *ret_task = task;
    return true;
}

bool batch_plan_fits(const struct resources *offered, const struct batch_need *need)
{
    struct resources left = resources_dup(offered), task = RESOURCES_INIT;
    bool fits = batch_plan_take(&left, need, &task);

    resources_release(&task);
    resources_release(&left);
    return fits;
}
