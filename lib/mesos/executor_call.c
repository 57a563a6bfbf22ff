/* executor_call.c - a call of the v1 executor API: is it whole, and what is it to the agent? */
#include "mesos/executor_call.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/executor.pb-c.h"
#include "proto/messages.pb-c.h"

enum { UUID_SIZE = 16 };

#define TYPE(name) PB_EXECUTOR__CALL__TYPE__##name

static int missing(const char *field, struct error *err)
{
    return error_set(err, EINVAL, "Expecting '%s' to be present", field);
}

/* ---- updates ---- */

static int missing_check(const char *field, const char *kind, struct error *err)
{
    return error_set(err, EINVAL, "Expecting '%s' to be set for %s check's status", field, kind);
}

static int check_check_status(const Pb__CheckStatusInfo *s, struct error *err)
{
    if (!s)
        return 0;
    if (!s->has_type)
        return error_set(err, EINVAL, "CheckStatusInfo must specify 'type'");
    switch (s->type) {
    case PB__CHECK_INFO__TYPE__COMMAND:
        return s->command ? 0 : missing_check("command", "COMMAND", err);
    case PB__CHECK_INFO__TYPE__HTTP:
        return s->http ? 0 : missing_check("http", "HTTP", err);
    case PB__CHECK_INFO__TYPE__TCP:
        return s->tcp ? 0 : missing_check("tcp", "TCP", err);
    default:
        return error_set(err, EINVAL, "'UNKNOWN' is not a valid check's status type");
    }
}

static bool is_of(const Pb__TaskStatus *s, const PbExecutor__Call *call)
{
    return !s->executor_id || strcmp(s->executor_id->value, call->executor_id->value) == 0;
}

static int check_update(const PbExecutor__Call *call, struct error *err)
{
    const char *executor = call->executor_id->value, *framework = call->framework_id->value;
    const Pb__TaskStatus *s;

    if (!call->update)
        return missing("update", err);
    s = call->update->status;
    if (!s->has_uuid)
        return missing("uuid", err);
    if (s->uuid.len != UUID_SIZE)
        return error_set(err, EINVAL, "Not a valid UUID");
    if (!is_of(s, call))
        return error_set(err, EINVAL, "ExecutorID in Call: %s does not match ExecutorID in "
                         "TaskStatus: %s", executor, s->executor_id->value);
    if (!s->has_source || s->source != PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR)
        return error_set(err, EINVAL, "Received Call from executor %s of framework %s with invalid "
                         "source, expecting 'SOURCE_EXECUTOR'", executor, framework);
    if (s->state == PB__TASK_STATE__TASK_STAGING)
        return error_set(err, EINVAL, "Received TASK_STAGING from executor %s of framework %s "
                         "which is not allowed", executor, framework);
    return check_check_status(s->check_status, err);
}

/* ---- the call ---- */

int executor_call_validate(const PbExecutor__Call *call, struct error *err)
{
    if (!call->has_type)
        return missing("type", err);
    switch (call->type) {
    case TYPE(SUBSCRIBE):
        return call->subscribe ? 0 : missing("subscribe", err);
    case TYPE(UPDATE):
        return check_update(call, err);
    case TYPE(MESSAGE):
        return call->message ? 0 : missing("message", err);
    default:
        return 0;
    }
}

/* ---- in the classic form ---- */

static Pb__StatusUpdate *update_of(const PbExecutor__Call *call, const Pb__TaskStatus *status,
                                   struct arena *arena)
{
    Pb__StatusUpdate *u = arena_alloc(arena, sizeof *u);

    pb__status_update__init(u);
    u->framework_id = call->framework_id;
    u->executor_id = call->executor_id;
    u->status = (Pb__TaskStatus *)status;
    u->timestamp = status->timestamp;
    u->has_uuid = status->has_uuid;
    u->uuid = status->uuid;
    return u;
}

Pb__StatusUpdate *executor_call_to_update(const PbExecutor__Call *call, struct arena *arena)
{
    return update_of(call, call->update->status, arena);
}

Pb__ReregisterExecutorMessage *executor_call_to_reregistration(const PbExecutor__Call *call,
                                                               struct arena *arena)
{
    const PbExecutor__Call__Subscribe *s = call->subscribe;
    Pb__ReregisterExecutorMessage *m = arena_alloc(arena, sizeof *m);

    pb__reregister_executor_message__init(m);
    m->executor_id = call->executor_id;
    m->framework_id = call->framework_id;
    m->n_tasks = s->n_unacknowledged_tasks;
    m->tasks = s->unacknowledged_tasks;
    m->updates = arena_alloc(arena, (s->n_unacknowledged_updates + 1) * sizeof *m->updates);
    for (size_t i = 0; i < s->n_unacknowledged_updates; i++)
        m->updates[m->n_updates++] =
            update_of(call, s->unacknowledged_updates[i]->status, arena);
    return m;
}

Pb__ExecutorToFrameworkMessage *executor_call_to_message(const PbExecutor__Call *call,
                                                         const char *agent, struct arena *arena)
{
    Pb__ExecutorToFrameworkMessage *m = arena_alloc(arena, sizeof *m);

    pb__executor_to_framework_message__init(m);
    m->slave_id = arena_alloc(arena, sizeof *m->slave_id);
    pb__agent_id__init(m->slave_id);
    m->slave_id->value = agent;
    m->framework_id = call->framework_id;
    m->executor_id = call->executor_id;
    m->data = call->message->data;
    return m;
}
