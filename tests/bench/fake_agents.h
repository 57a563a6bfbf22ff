/* fake_agents.h - agents for measurements: registered, with tasks that cost nothing
 *
 * Each is an actor that reregisters with a master as if it had always run its
 * tasks, answers pings, and sends status updates when it is told to.  All tasks
 * are of one framework, FAKE_FRAMEWORK, which the master knows from them.
 */
#ifndef FAKE_AGENTS_H
#define FAKE_AGENTS_H

#include <stddef.h>

struct fake_agents;
struct measure_node;

#define FAKE_FRAMEWORK "bench-framework"

/* Waits until the master ("ip:port") has confirmed all of them. */
struct fake_agents *fake_agents_start(struct measure_node *node, const char *master, size_t agents,
                                      size_t tasks_each);
void fake_agents_stop(struct fake_agents *v);
/* Each sends `n` status updates of its tasks in turn, all new ones. */
void fake_agents_update(struct fake_agents *v, size_t n);
/* The names that they go by. */
#define FAKE_ID 64
void fake_agents_id(size_t agent, char id[FAKE_ID]);
void fake_agents_task_id(size_t agent, size_t task, char id[FAKE_ID]);
/* Waits until they have been sent so many acknowledgements, all together. */
void fake_agents_await_acknowledgements(struct fake_agents *v, size_t n);

#endif
