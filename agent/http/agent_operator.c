/* agent_operator.c - POST /api/v1: the operator API (FACTS 3.10)
 *
 * A read fills its part of a Response; a table says which.  Calls that are not in it get 501.
 */
#include "agent/http/agent_operator.h"

#include "agent/agent_private.h"
#include "base/memory.h"
#include "mesos/operator_call.h"
#include "process/logging.h"
#include "proto/agent.pb-c.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1", serve_operator,                                                                  \
       "The operator API of v1.\n"                                                                 \
       "POST a mesos.v1.agent.Call, as JSON or protobuf.")

ROUTES(agent, operator_routes, ENDPOINTS);

struct measuring {
    struct http_request *request;
};
LAST(agent, metrics_measured, measuring);

void agent_operator_init(struct agent *a)
{
    process_route(&a->process, operator_routes);
}

#define CALL_TYPE(name) PB_AGENT__CALL__TYPE__##name
#define ANSWER_TYPE(name) PB_AGENT__RESPONSE__TYPE__##name

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

/* ---- reads: each fills its part ---- */

typedef void (*read_f)(const struct agent *a, PbAgent__Response *to, struct arena *arena);

static void get_health(const struct agent *a UNUSED, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetHealth, pb_agent__response__get_health__init, health);

    health->healthy = true;
    to->get_health = health;
}

static void get_flags(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetFlags, pb_agent__response__get_flags__init, flags);

    flags->flags = operator_call_flags(agent_flags, &a->options, arena, &flags->n_flags);
    to->get_flags = flags;
}

static void get_version(const struct agent *a UNUSED, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetVersion, pb_agent__response__get_version__init, version);
    NEW(arena, Pb__VersionInfo, pb__version_info__init, info);

    info->version = AGENT_API_VERSION;
    version->version_info = info;
    to->get_version = version;
}

static void get_logging_level(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetLoggingLevel, pb_agent__response__get_logging_level__init,
        level);

    level->level = logging_level(a->runtime);
    to->get_logging_level = level;
}

static void get_state(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetState, pb_agent__response__get_state__init, state);

    state->get_tasks = agent_answers_tasks(a, arena);
    state->get_executors = agent_answers_executors(a, arena);
    state->get_frameworks = agent_answers_frameworks(a, arena);
    to->get_state = state;
}

/* Mesos leaves the part out when there is none. */
static void get_containers(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    PbAgent__Response__GetContainers *all = agent_answers_containers(a, arena);

    to->get_containers = all->n_containers > 0 ? all : NULL;
}

static void get_frameworks(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    to->get_frameworks = agent_answers_frameworks(a, arena);
}

static void get_executors(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    to->get_executors = agent_answers_executors(a, arena);
}

static void get_tasks(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    to->get_tasks = agent_answers_tasks(a, arena);
}

static void get_agent(const struct agent *a, PbAgent__Response *to, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetAgent, pb_agent__response__get_agent__init, part);
    Pb__AgentInfo *info = arena_dup(arena, a->info, sizeof *info);

    info->resources = resources_to_protobuf(&a->total, RESOURCE_POST_REFINEMENT, arena,
                                            &info->n_resources);
    part->agent_info = info;
    to->get_agent = part;
}

/* No operation is tracked, and there are no resource providers. */
static void get_operations(const struct agent *a UNUSED, PbAgent__Response *to,
                           struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetOperations, pb_agent__response__get_operations__init, none);

    to->get_operations = none;
}

static void get_resource_providers(const struct agent *a UNUSED, PbAgent__Response *to,
                                   struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetResourceProviders,
        pb_agent__response__get_resource_providers__init, none);

    to->get_resource_providers = none;
}

#define READS(READ)                                                                                \
    READ(GET_HEALTH, get_health)                                                                   \
    READ(GET_FLAGS, get_flags)                                                                     \
    READ(GET_VERSION, get_version)                                                                 \
    READ(GET_LOGGING_LEVEL, get_logging_level)                                                     \
    READ(GET_STATE, get_state)                                                                     \
    READ(GET_CONTAINERS, get_containers)                                                           \
    READ(GET_FRAMEWORKS, get_frameworks)                                                           \
    READ(GET_EXECUTORS, get_executors)                                                             \
    READ(GET_OPERATIONS, get_operations)                                                           \
    READ(GET_TASKS, get_tasks)                                                                     \
    READ(GET_AGENT, get_agent)                                                                     \
    READ(GET_RESOURCE_PROVIDERS, get_resource_providers)

#define READ_ROW(name, fill) { CALL_TYPE(name), ANSWER_TYPE(name), fill },

static const struct read {
    PbAgent__Call__Type call;
    PbAgent__Response__Type answer; /* of the same name, with another number */
    read_f fill;
} reads[] = { READS(READ_ROW) };

static bool answer_read(const struct agent *a, struct http_request *r, const PbAgent__Call *call,
                        struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        PbAgent__Response response = PB_AGENT__RESPONSE__INIT;

        if (reads[i].call != call->type)
            continue;
        response.has_type = true;
        response.type = reads[i].answer;
        reads[i].fill(a, &response, arena);
        operator_call_answer(r, &response.base);
        return true;
    }
    return false;
}

/* ---- metrics: others are asked first ---- */

static void measure(struct agent *a, struct http_request *r, const PbAgent__Call__GetMetrics *get)
{
    struct measuring *op = mem_alloc(sizeof *op);
    struct duration limit = { get->timeout ? get->timeout->nanoseconds : -1 };

    op->request = http_request_ref(r);
    FINALLY(metrics_snapshot(a->runtime, limit), metrics_measured, a, op);
}

static void metrics_measured(struct agent *a UNUSED, struct future *f, struct measuring *op)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbAgent__Response response = PB_AGENT__RESPONSE__INIT;
    PbAgent__Response__GetMetrics part = PB_AGENT__RESPONSE__GET_METRICS__INIT;

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

/* ---- the call ---- */

static void set_logging_level(struct agent *a, struct http_request *r,
                              const PbAgent__Call__SetLoggingLevel *set)
{
    struct duration d = { set->duration->nanoseconds };

    if (d.ns < 0) {
        http_answer_error(r, 400, "The duration is negative");
        return;
    }
    logging_toggle(a->runtime, set->level, d);
    operator_call_done(r);
}

static void serve_operator(struct agent *a, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const PbAgent__Call *call;

    if (*http_request_rest(r)) { /* another API's */
        http_answer_error(r, 404, NULL);
        return;
    }
    if (a->state == AGENT_RECOVERING) {
        http_answer_error(r, 503, "Agent has not finished recovery");
        return;
    }
    call = (const PbAgent__Call *)operator_call_receive(r, &pb_agent__call__descriptor,
                                                        "agent::Call", &arena);
    if (!call || answer_read(a, r, call, &arena))
        return;
    if (call->type == CALL_TYPE(GET_METRICS))
        measure(a, r, call->get_metrics);
    else if (call->type == CALL_TYPE(SET_LOGGING_LEVEL))
        set_logging_level(a, r, call->set_logging_level);
    else
        operator_call_refuse(r, &call->base);
}
