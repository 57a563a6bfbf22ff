/* registrar.h - what the master has promised to remember
 *
 * An actor before the registry.  It knows which agents are admitted,
 * unreachable or gone; each change is checked, stored, and only then answered,
 * so that what the master tells an agent or a framework on the strength of it
 * survives the master.  A store that fails fails the future; the master then
 * aborts, as Mesos does, rather than go on with half a registry.
 */
#ifndef REGISTRAR_H
#define REGISTRAR_H

#include "master/registry/registry.h"
#include "process/typed.h"

struct error;
struct future;
struct registrar;
struct runtime;

/* Takes the registry, also on failure. */
struct registrar *registrar_create(struct runtime *rt, struct registry *registry,
                                   struct error *err);
void registrar_destroy(struct registrar *r);           /* outside of actors */

/* What was stored, loaded before the master serves anybody: a future of
 * struct registry_snapshot (its memory ends with the future). */
struct registry_snapshot { size_t n; struct registry_agent *agents; };
FUTURE_TYPE(registry_snapshot, struct registry_snapshot);
struct future *registrar_recover(struct registrar *r);

/* Each a future of bool: did it change anything?  false: it was so already. */
FUTURE_TYPE(registrar_changed, bool);
struct future *registrar_admit(struct registrar *r, const Pb__AgentInfo *info); /* with its id */
struct future *registrar_mark_unreachable(struct registrar *r, struct agent_id id);
struct future *registrar_mark_reachable(struct registrar *r,
                                        const Pb__AgentInfo *info); /* unknown ones are admitted */
struct future *registrar_mark_gone(struct registrar *r, struct agent_id id);
struct future *registrar_remove(struct registrar *r, struct agent_id id);

#endif
