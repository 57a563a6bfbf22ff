/* registry.h - where what must survive the master is kept
 *
 * One interface, several stores, the same tests for each: sqlite_registry.c
 * (default), memory_registry.c (--registry=in_memory), later ZooKeeper.  The
 * registrar is its only user and hands changes over in order.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <stddef.h>

#include "base/instant.h"
#include "mesos/ids.h"
#include "proto/mesos.pb-c.h"

struct error;
struct future;
struct message;
struct registry;
struct runtime;

enum registry_agent_state { REGISTRY_ADMITTED, REGISTRY_UNREACHABLE, REGISTRY_GONE };

struct registry_agent {
    struct agent_id id;
    enum registry_agent_state state;
    struct message *info;                 /* AgentInfo; NULL for GONE */
    struct instant since;                 /* wall; of UNREACHABLE and GONE */
};

struct registry_ops {
    /* All agents, in the order of their admission; called once, at the start.
     * Also the next number of an agent id, so that ids of an earlier master are
     * not given again. */
    int (*load)(struct registry *r, int (*see)(void *arg, const struct registry_agent *agent),
                void *arg, struct error *err);
    /* The agent as it is now; a future of nothing, READY when it is durable. */
    struct future *(*put)(struct registry *r, const struct registry_agent *agent);
    struct future *(*remove)(struct registry *r, struct agent_id id);
    void (*destroy)(struct registry *r);
};
struct registry { const struct registry_ops *ops; };

struct registry *sqlite_registry_open(struct runtime *rt, const char *path, struct error *err);
struct registry *memory_registry_create(void);

#endif
