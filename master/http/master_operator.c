/* master_operator.c - POST /api/v1: the operator API (FACTS 3.10)
 *
 * A read fills its part of a Response; a table says which.  Calls that are not in it get 501.
 */
#include "master/http/master_operator.h"

#include "base/arena.h"
#include "base/memory.h"
#include "master/master_private.h"
#include "master/master_version.h"
#include "mesos/operator_call.h"
#include "process/logging.h"
#include "proto/master.pb-c.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1", serve_operator,                                                                  \
       "The operator API of v1.\n"                                                                 \
       "POST a mesos.v1.master.Call, as JSON or protobuf.")

ROUTES(master, operator_routes, ENDPOINTS);

struct measuring {
    struct http_request *request;
};
LAST(master, metrics_measured, measuring);

void master_operator_init(struct master *m)
{
    process_route(&m->process, operator_routes);
}

#define CALL_TYPE(name) PB_MASTER__CALL__TYPE__##name
#define ANSWER_TYPE(name) PB_MASTER__RESPONSE__TYPE__##name

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

/* ---- reads: each fills its part ---- */

typedef void (*read_f)(const struct master *m, PbMaster__Response *to, struct arena *arena);

static void get_health(const struct master *m UNUSED, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetHealth, pb_master__response__get_health__init, health);

    health->healthy = true;
    to->get_health = health;
}

static void get_flags(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetFlags, pb_master__response__get_flags__init, flags);

    flags->flags = operator_call_flags(master_flags, &m->options, arena, &flags->n_flags);
    to->get_flags = flags;
}

static void get_version(const struct master *m UNUSED, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetVersion, pb_master__response__get_version__init, version);
    NEW(arena, Pb__VersionInfo, pb__version_info__init, info);

    info->version = MASTER_API_VERSION;
    version->version_info = info;
    to->get_version = version;
}

static void get_logging_level(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetLoggingLevel, pb_master__response__get_logging_level__init,
        level);

    level->level = logging_level(m->runtime);
    to->get_logging_level = level;
}

static void get_agents(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    to->get_agents = master_answers_agents(m, arena);
}

static void get_frameworks(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    to->get_frameworks = master_answers_frameworks(m, arena);
}

static void get_executors(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    to->get_executors = master_answers_executors(m, arena);
}

static void get_tasks(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    to->get_tasks = master_answers_tasks(m, arena);
}

static void get_roles(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    to->get_roles = master_answers_roles(m, arena);
}

static void get_state(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetState, pb_master__response__get_state__init, state);

    state->get_tasks = master_answers_tasks(m, arena);
    state->get_executors = master_answers_executors(m, arena);
    state->get_frameworks = master_answers_frameworks(m, arena);
    state->get_agents = master_answers_agents(m, arena);
    to->get_state = state;
}

/* No operation is tracked. */
static void get_operations(const struct master *m UNUSED, PbMaster__Response *to,
                           struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetOperations, pb_master__response__get_operations__init, none);

    to->get_operations = none;
}

/* Mesos leaves the part out when no weight was set. */
static void get_weights(const struct master *m UNUSED, PbMaster__Response *to UNUSED,
                        struct arena *arena UNUSED)
{
}

static void get_master(const struct master *m, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaster, pb_master__response__get_master__init, master);

    master->master_info = m->info;
    master->has_start_time = master->has_elected_time = true;
    master->start_time = master->elected_time = instant_seconds(m->started);
    to->get_master = master;
}

static void get_maintenance_status(const struct master *m UNUSED, PbMaster__Response *to,
                                   struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaintenanceStatus,
        pb_master__response__get_maintenance_status__init, part);
    NEW(arena, Pb__ClusterStatus, pb__cluster_status__init, none);

    part->status = none;
    to->get_maintenance_status = part;
}

static void get_maintenance_schedule(const struct master *m UNUSED, PbMaster__Response *to,
                                     struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetMaintenanceSchedule,
        pb_master__response__get_maintenance_schedule__init, part);
    NEW(arena, Pb__Schedule, pb__schedule__init, none);

    part->schedule = none;
    to->get_maintenance_schedule = part;
}

static void get_quota(const struct master *m UNUSED, PbMaster__Response *to, struct arena *arena)
{
    NEW(arena, PbMaster__Response__GetQuota, pb_master__response__get_quota__init, part);
    NEW(arena, Pb__QuotaStatus, pb__quota_status__init, none);

    part->status = none;
    to->get_quota = part;
}

#define READS(READ)                                                                                \
    READ(GET_HEALTH, get_health)                                                                   \
    READ(GET_FLAGS, get_flags)                                                                     \
    READ(GET_VERSION, get_version)                                                                 \
    READ(GET_LOGGING_LEVEL, get_logging_level)                                                     \
    READ(GET_STATE, get_state)                                                                     \
    READ(GET_AGENTS, get_agents)                                                                   \
    READ(GET_FRAMEWORKS, get_frameworks)                                                           \
    READ(GET_EXECUTORS, get_executors)                                                             \
    READ(GET_OPERATIONS, get_operations)                                                           \
    READ(GET_TASKS, get_tasks)                                                                     \
    READ(GET_ROLES, get_roles)                                                                     \
    READ(GET_WEIGHTS, get_weights)                                                                 \
    READ(GET_MASTER, get_master)                                                                   \
    READ(GET_MAINTENANCE_STATUS, get_maintenance_status)                                           \
    READ(GET_MAINTENANCE_SCHEDULE, get_maintenance_schedule)                                       \
    READ(GET_QUOTA, get_quota)

#define READ_ROW(name, fill) { CALL_TYPE(name), ANSWER_TYPE(name), fill },

static const struct read {
    PbMaster__Call__Type call;
    PbMaster__Response__Type answer; /* of the same name, with another number */
    read_f fill;
} reads[] = { READS(READ_ROW) };

static bool answer_read(const struct master *m, struct http_request *r,
                        const PbMaster__Call *call, struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        PbMaster__Response response = PB_MASTER__RESPONSE__INIT;

        if (reads[i].call != call->type)
            continue;
        response.has_type = true;
        response.type = reads[i].answer;
        reads[i].fill(m, &response, arena);
        operator_call_answer(r, &response.base);
        return true;
    }
    return false;
}

/* ---- metrics: others are asked first ---- */

static void measure(struct master *m, struct http_request *r,
                    const PbMaster__Call__GetMetrics *get)
{
    struct measuring *op = mem_alloc(sizeof *op);
    struct duration limit = { get->timeout ? get->timeout->nanoseconds : -1 };

    op->request = http_request_ref(r);
    FINALLY(metrics_snapshot(m->runtime, limit), metrics_measured, m, op);
}

static void metrics_measured(struct master *m UNUSED, struct future *f, struct measuring *op)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbMaster__Response response = PB_MASTER__RESPONSE__INIT;
    PbMaster__Response__GetMetrics part = PB_MASTER__RESPONSE__GET_METRICS__INIT;

    if (future_state(f) == FUTURE_READY) {
        part.metrics = operator_call_metrics(f, &arena, &part.n_metrics);
        response.has_type = true;
        response.type = ANSWER_TYPE(GET_METRICS);
        response.get_metrics = &part;
        operator_call_answer(op->request, &response.base);
    } else {
        http_answer_error(op->request, 503, NULL);
    }
    http_request_unref(op->request);
    mem_free(op);
}

/* ---- changes ---- */

static void set_logging_level(struct master *m, struct http_request *r,
                              const PbMaster__Call__SetLoggingLevel *set)
{
    struct duration d = { set->duration->nanoseconds };

    if (d.ns < 0) {
        http_answer_error(r, 400, "The duration is negative");
        return;
    }
    logging_toggle(m->runtime, set->level, d);
    operator_call_done(r);
}

static void teardown(struct master *m, struct http_request *r, const PbMaster__Call__Teardown *call)
{
    struct framework_record *f = frameworks_find_text(m, call->framework_id->value);

    if (!f) {
        http_answer_error(r, 400, "No framework found with specified ID");
        return;
    }
    frameworks_remove(m, f, "torn down by an operator");
    operator_call_done(r);
}

static void serve_operator(struct master *m, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const PbMaster__Call *call;

    if (*http_request_rest(r)) { /* another API's */
        http_answer_error(r, 404, NULL);
        return;
    }
    if (!m->recovered) {
        http_answer_error(r, 503, "Master has not finished recovery");
        return;
    }
    call = (const PbMaster__Call *)operator_call_receive(r, &pb_master__call__descriptor,
                                                         "master::Call", &arena);
    if (!call || answer_read(m, r, call, &arena))
        return;
    if (call->type == CALL_TYPE(GET_METRICS))
        measure(m, r, call->get_metrics);
    else if (call->type == CALL_TYPE(SET_LOGGING_LEVEL))
        set_logging_level(m, r, call->set_logging_level);
    else if (call->type == CALL_TYPE(TEARDOWN))
        teardown(m, r, call->teardown);
    else
        operator_call_refuse(r, &call->base);
}
