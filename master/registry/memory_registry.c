/* memory_registry.c - a registry that forgets with its OS process
 *
 * --registry=in_memory: for trying things out.  Agents of an earlier master are
 * unknown to the next one and are admitted as they come.
 */
#include "base/memory.h"
#include "master/registry/registry.h"
#include "process/future.h"

static int memory_load(struct registry *r,
                       int (*see)(void *arg, const struct registry_agent *agent), void *arg,
                       struct error *err)
{
    (void)r;
    (void)see;
    (void)arg;
    (void)err;
    return 0;
}

static struct future *memory_put(struct registry *r, const struct registry_agent *agent)
{
    (void)r;
    (void)agent;
    return future_ready(&future_nothing, NULL);
}

static struct future *memory_remove(struct registry *r, struct agent_id id)
{
    (void)r;
    (void)id;
    return future_ready(&future_nothing, NULL);
}

static void memory_destroy(struct registry *r)
{
    mem_free(r);
}

static const struct registry_ops memory_ops = { memory_load, memory_put, memory_remove,
                                                memory_destroy };

struct registry *memory_registry_create(void)
{
    struct registry *r = mem_alloc(sizeof *r);

    r->ops = &memory_ops;
    return r;
}
