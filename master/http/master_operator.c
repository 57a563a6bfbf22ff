/* master_operator.c - POST /api/v1: the master's operator API (FACTS 3.10)
 *
 * lib/mesos/operator_api.h serves it by the table of calls below.  SUBSCRIBE is
 * master_events.c's, MARK_AGENT_GONE is answered when the registry has it.
 */
#include "master/http/master_operator.h"

#include <errno.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "master/http/leading.h"
#include "master/http/master_events.h"
#include "master/master_private.h"
#include "master/master_version.h"
#include "mesos/operator_api.h"
#include "mesos/operator_call.h"
#include "proto/master.pb-c.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1", serve_operator,                                                                  \
       "The operator API of v1.\n"                                                                 \
       "POST a mesos.v1.master.Call, as JSON or protobuf.",                                        \
       MASTER_REALM_READWRITE)

LEADING_ROUTES(operator_routes, ENDPOINTS);

void master_operator_init(struct master *m)
{
    process_route(&m->process, operator_routes);
}

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

/* ---- reads ---- */

/* No operation is tracked. */
static PbMaster__Response__GetOperations *get_operations(const struct master *m UNUSED,
                                                         struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetOperations, pb_master__response__get_operations__init, none);

    return none;
}

/* Mesos leaves the part out when no weight was set. */
static PbMaster__Response__GetWeights *get_weights(const struct master *m UNUSED,
                                                   struct arena *arena UNUSED)
{
    return NULL;
}

static PbMaster__Response__GetMaster *get_master(const struct master *m, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaster, pb_master__response__get_master__init, master);

    master->master_info = m->info;
    master->has_start_time = master->has_elected_time = true;
    master->start_time = instant_seconds(m->started);
    master->elected_time = instant_seconds(m->elected);
    return master;
}

static PbMaster__Response__GetMaintenanceStatus *
get_maintenance_status(const struct master *m UNUSED, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaintenanceStatus,
        pb_master__response__get_maintenance_status__init, part);
    NEW(arena, Pb__ClusterStatus, pb__cluster_status__init, none);

    part->status = none;
    return part;
}

static PbMaster__Response__GetMaintenanceSchedule *
get_maintenance_schedule(const struct master *m UNUSED, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaintenanceSchedule,
        pb_master__response__get_maintenance_schedule__init, part);
    NEW(arena, Pb__Schedule, pb__schedule__init, none);

    part->schedule = none;
    return part;
}

static PbMaster__Response__GetQuota *get_quota(const struct master *m UNUSED, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetQuota, pb_master__response__get_quota__init, part);
    NEW(arena, Pb__QuotaStatus, pb__quota_status__init, none);

    part->status = none;
    return part;
}

/* ---- acts ---- */

static void teardown(struct master *m, struct http_request *r, const PbMaster__Call__Teardown *call)
{
    struct framework_record *f = frameworks_find_text(m, call->framework_id->value);

    if (!f) {
        http_answer_error(r, 400, "No framework found with specified ID");
        return;
    }
    framework_records_remove(m, f, "torn down by an operator");
    operator_call_done(r);
}

struct going {
    struct http_request *request;
};
LAST(master, marked_gone, going);

static void mark_agent_gone(struct master *m, struct http_request *r,
                            const PbMaster__Call__MarkAgentGone *call)
{
    struct going *op;
    struct future *f;
    struct error err;

    f = agent_departures_mark_gone(m, call->agent_id->value, &err);
    if (!f) {
        http_answer_error(r, err.code == ENOENT ? 404 : 503, "%s", err.text);
        return;
    }
    op = mem_alloc(sizeof *op);
    op->request = http_request_ref(r);
    FINALLY(f, marked_gone, m, op);
}

/* A registry that fails ends the master; whoever asked asks the next one. */
static void marked_gone(struct master *m UNUSED, struct future *f, struct going *op)
{
    if (future_state(f) == FUTURE_READY)
        operator_call_done(op->request);
    else
        http_answer_error(op->request, 503, "The registry could not be written");
    http_request_unref(op->request);
    mem_free(op);
}

/* ---- the calls ---- */

/* clang-format off */
#define READS(READ)                                                                                \
    READ(GET_STATE, master_answers_state)                                                          \
    READ(GET_AGENTS, master_answers_agents)                                                        \
    READ(GET_FRAMEWORKS, master_answers_frameworks)                                                \
    READ(GET_EXECUTORS, master_answers_executors)                                                  \
    READ(GET_OPERATIONS, get_operations)                                                           \
    READ(GET_TASKS, master_answers_tasks)                                                          \
    READ(GET_ROLES, master_answers_roles)                                                          \
    READ(GET_WEIGHTS, get_weights)                                                                 \
    READ(GET_MASTER, get_master)                                                                   \
    READ(GET_MAINTENANCE_STATUS, get_maintenance_status)                                           \
    READ(GET_MAINTENANCE_SCHEDULE, get_maintenance_schedule)                                       \
    READ(GET_QUOTA, get_quota)
#define ACTS(ACT)                                                                                  \
    ACT(SUBSCRIBE, master_events_subscribe, ProtobufCMessage)                                      \
    ACT(TEARDOWN, teardown, PbMaster__Call__Teardown)                                              \
    ACT(MARK_AGENT_GONE, mark_agent_gone, PbMaster__Call__MarkAgentGone)
/* clang-format on */
OPERATOR_ROWS(master, operator_rows, READS, ACTS);

static const struct operator_api api = {
    .name = "master::Call",
    .call = &pb_master__call__descriptor,
    .response = &pb_master__response__descriptor,
    .rows = operator_rows,
    .flags = master_flags,
    .version = MASTER_API_VERSION,
    .files = &master_files,
};

static void serve_operator(struct master *m, struct http_request *r)
{
    if (*http_request_rest(r)) /* another API's */
        http_answer_error(r, 404, NULL);
    else if (!m->recovered)
        http_answer_error(r, 503, "Master has not finished recovery");
    else
        operator_api_serve(&api, &m->process, &m->options, r);
}
