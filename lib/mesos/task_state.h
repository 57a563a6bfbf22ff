/* task_state.h - what the states of a task mean, and their names
 *
 * The APIs of v0 and v1 name some sources and reasons differently (slave and
 * agent), with the same numbers; the state endpoints and metrics use v0.
 */
#ifndef TASK_STATE_H
#define TASK_STATE_H

#include <stdbool.h>

#include "proto/mesos.pb-c.h"

enum task_state_api { TASK_STATE_V0, TASK_STATE_V1 };

/* Nothing comes after it. */
bool task_state_is_terminal(Pb__TaskState state);
/* It holds resources of a reachable agent: neither terminal, nor UNREACHABLE or UNKNOWN. */
bool task_state_is_active(Pb__TaskState state);
/* Known only to frameworks with the capability PARTITION_AWARE. */
bool task_state_is_partition_aware(Pb__TaskState state);
/* The state that a framework is told: TASK_LOST in place of one it does not know. */
Pb__TaskState task_state_as_told(Pb__TaskState state, bool partition_aware);

/* "TASK_RUNNING", "REASON_SLAVE_RESTARTED", "SOURCE_SLAVE".  A number without a
 * name gives "TASK_UNKNOWN" and, for the others, "". */
const char *task_state_name(Pb__TaskState state);
const char *task_state_reason_name(Pb__TaskStatus__Reason reason, enum task_state_api api);
const char *task_state_source_name(Pb__TaskStatus__Source source, enum task_state_api api);

#endif
