/* mesos_json.c - Mesos's messages as JSON, as Mesos writes them */
#include "mesos/mesos_json.h"

#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "process/json_protobuf.h"

struct pair {
    const char *type, *field;
};

/* Deprecated, therefore not written unless set.  protobuf-c would make the
 * option in the .proto a warning at every use. */
static const struct pair deprecated[] = {
    { "mesos.v1.FrameworkInfo", "role" },
    { "mesos.v1.Resource", "role" },
};

/* Mesos writes these lists even when they are empty. */
static const struct pair always[] = {
    { "mesos.v1.agent.Response.GetExecutors", "completed_executors" },
    { "mesos.v1.agent.Response.GetExecutors", "executors" },
    { "mesos.v1.agent.Response.GetFrameworks", "completed_frameworks" },
    { "mesos.v1.agent.Response.GetFrameworks", "frameworks" },
    { "mesos.v1.agent.Response.GetTasks", "completed_tasks" },
    { "mesos.v1.agent.Response.GetTasks", "launched_tasks" },
    { "mesos.v1.agent.Response.GetTasks", "pending_tasks" },
    { "mesos.v1.agent.Response.GetTasks", "queued_tasks" },
    { "mesos.v1.agent.Response.GetTasks", "terminated_tasks" },
    { "mesos.v1.master.Response.GetAgents", "agents" },
    { "mesos.v1.master.Response.GetAgents", "recovered_agents" },
    { "mesos.v1.master.Response.GetExecutors", "executors" },
    { "mesos.v1.master.Response.GetFrameworks", "completed_frameworks" },
    { "mesos.v1.master.Response.GetFrameworks", "frameworks" },
    { "mesos.v1.master.Response.GetTasks", "completed_tasks" },
    { "mesos.v1.master.Response.GetTasks", "tasks" },
    { "mesos.v1.master.Response.GetTasks", "unreachable_tasks" },
};

static bool has_pair(const struct pair *table, size_t n, const ProtobufCMessage *msg,
                     const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(field->name, table[i].field) == 0 &&
            strcmp(msg->descriptor->name, table[i].type) == 0)
            return true;
    return false;
}

/* Whether a field is written that is not set.  Most messages are of mesos.v1 itself, which has
 * none of `always`. */
static bool is_written_unset(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
    if (field->default_value)
        return !has_pair(deprecated, ARRAY_SIZE(deprecated), msg, field);
    return field->label == PROTOBUF_C_LABEL_REPEATED &&
           strcmp(msg->descriptor->package_name, "mesos.v1") != 0 &&
           has_pair(always, ARRAY_SIZE(always), msg, field);
}

void mesos_json_write(struct json_writer *w, const ProtobufCMessage *msg)
{
    json_protobuf_write_with(w, msg, is_written_unset);
}

void mesos_json_put(struct json_writer *w, const ProtobufCMessage *msg, const char *field)
{
    json_protobuf_put_with(w, msg, field, is_written_unset);
}

void mesos_json_put_container_status(struct json_writer *w, const Pb__TaskStatus *status)
{
    Pb__TaskStatus shown = *status;
    Pb__ContainerStatus container;

    if (status->container_status) {
        container = *status->container_status;
        container.has_executor_pid = false;
        shown.container_status = &container;
    }
    mesos_json_put(w, &shown.base, "container_status");
}
