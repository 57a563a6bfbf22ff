/* task_state.c - one table of what is known about each state */
#include "mesos/task_state.h"

#include <stddef.h>

#include "base/compiler.h"

enum { TERMINAL = 1, AWARE = 2, AWAY = 4 };

static const unsigned char facts[] = {
    [PB__TASK_STATE__TASK_STAGING] = 0,
    [PB__TASK_STATE__TASK_STARTING] = 0,
    [PB__TASK_STATE__TASK_RUNNING] = 0,
    [PB__TASK_STATE__TASK_KILLING] = 0,
    [PB__TASK_STATE__TASK_FINISHED] = TERMINAL,
    [PB__TASK_STATE__TASK_FAILED] = TERMINAL,
    [PB__TASK_STATE__TASK_KILLED] = TERMINAL,
    [PB__TASK_STATE__TASK_ERROR] = TERMINAL,
    [PB__TASK_STATE__TASK_LOST] = TERMINAL,
    [PB__TASK_STATE__TASK_DROPPED] = TERMINAL | AWARE,
    [PB__TASK_STATE__TASK_UNREACHABLE] = AWARE | AWAY,
    [PB__TASK_STATE__TASK_GONE] = TERMINAL | AWARE,
    [PB__TASK_STATE__TASK_GONE_BY_OPERATOR] = TERMINAL | AWARE,
    [PB__TASK_STATE__TASK_UNKNOWN] = AWARE | AWAY,
};

static bool has(Pb__TaskState state, unsigned fact)
{
    return (unsigned)state < ARRAY_SIZE(facts) && (facts[state] & fact);
}

bool task_state_is_terminal(Pb__TaskState state)
{
    return has(state, TERMINAL);
}

bool task_state_is_active(Pb__TaskState state)
{
    return !has(state, TERMINAL | AWAY);
}

bool task_state_is_partition_aware(Pb__TaskState state)
{
    return has(state, AWARE);
}

Pb__TaskState task_state_as_told(Pb__TaskState state, bool partition_aware)
{
    return has(state, AWARE) && !partition_aware ? PB__TASK_STATE__TASK_LOST : state;
}

/* The descriptors have the names of v1; these differ in v0. */
struct old_name { int number; const char *name; };

static const struct old_name old_reasons[] = {
    { PB__TASK_STATUS__REASON__REASON_AGENT_DISCONNECTED, "REASON_SLAVE_DISCONNECTED" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_DRAINING, "REASON_SLAVE_DRAINING" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED, "REASON_SLAVE_REMOVED" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED_BY_OPERATOR,
      "REASON_SLAVE_REMOVED_BY_OPERATOR" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_REREGISTERED, "REASON_SLAVE_REREGISTERED" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_RESTARTED, "REASON_SLAVE_RESTARTED" },
    { PB__TASK_STATUS__REASON__REASON_AGENT_UNKNOWN, "REASON_SLAVE_UNKNOWN" },
    { 0, NULL },
};
static const struct old_name old_sources[] = {
    { PB__TASK_STATUS__SOURCE__SOURCE_AGENT, "SOURCE_SLAVE" },
    { 0, NULL },
};
static const struct old_name none[] = { { 0, NULL } };

static const char *name_of(const ProtobufCEnumDescriptor *type, int number,
                           const struct old_name *old, const char *unknown)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

    for (; old->name; old++)
        if (old->number == number)
            return old->name;
    return value ? value->name : unknown;
}

const char *task_state_name(Pb__TaskState state)
{
    return name_of(&pb__task_state__descriptor, (int)state, none, "TASK_UNKNOWN");
}

const char *task_state_reason_name(Pb__TaskStatus__Reason reason, enum task_state_api api)
{
    return name_of(&pb__task_status__reason__descriptor, (int)reason,
                   api == TASK_STATE_V0 ? old_reasons : none, "");
}

const char *task_state_source_name(Pb__TaskStatus__Source source, enum task_state_api api)
{
    return name_of(&pb__task_status__source__descriptor, (int)source,
                   api == TASK_STATE_V0 ? old_sources : none, "");
}
