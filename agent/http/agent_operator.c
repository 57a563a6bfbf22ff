/* agent_operator.c - POST /api/v1: the agent's operator API (FACTS 3.10)
 *
 * lib/mesos/operator_api.h serves it by the table of calls below.
 */
#include "agent/http/agent_operator.h"

#include "agent/agent_private.h"
#include "mesos/operator_api.h"
#include "proto/agent.pb-c.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1", serve_operator,                                                                  \
       "The operator API of v1.\n"                                                                 \
       "POST a mesos.v1.agent.Call, as JSON or protobuf.",                                         \
       AGENT_REALM_READWRITE)
ROUTES(agent, operator_routes, ENDPOINTS);

void agent_operator_init(struct agent *a)
{
    process_route(&a->process, operator_routes);
}

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

static PbAgent__Response__GetState *get_state(const struct agent *a, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetState, pb_agent__response__get_state__init, state);

    state->get_tasks = agent_answers_tasks(a, arena);
    state->get_executors = agent_answers_executors(a, arena);
    state->get_frameworks = agent_answers_frameworks(a, arena);
    return state;
}

static PbAgent__Response__GetAgent *get_agent(const struct agent *a, struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetAgent, pb_agent__response__get_agent__init, part);
    Pb__AgentInfo *info = arena_dup(arena, a->info, sizeof *info);

    info->base.n_unknown_fields = 0; /* what only v0 says of itself */
    info->resources = resources_to_protobuf(&a->total, RESOURCE_POST_REFINEMENT, arena,
                                            &info->n_resources);
    part->agent_info = info;
    return part;
}

/* No operation is tracked, and there are no resource providers. */
static PbAgent__Response__GetOperations *get_operations(const struct agent *a UNUSED,
                                                        struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetOperations, pb_agent__response__get_operations__init, none);

    return none;
}

static PbAgent__Response__GetResourceProviders *get_resource_providers(const struct agent *a UNUSED,
                                                                       struct arena *arena)
{
    NEW(arena, PbAgent__Response__GetResourceProviders,
        pb_agent__response__get_resource_providers__init, none);

    return none;
}

/* clang-format off */
#define READS(READ)                                                                                \
    READ(GET_STATE, get_state)                                                                     \
    READ(GET_FRAMEWORKS, agent_answers_frameworks)                                                 \
    READ(GET_EXECUTORS, agent_answers_executors)                                                   \
    READ(GET_OPERATIONS, get_operations)                                                           \
    READ(GET_TASKS, agent_answers_tasks)                                                           \
    READ(GET_AGENT, get_agent)                                                                     \
    READ(GET_RESOURCE_PROVIDERS, get_resource_providers)
#define ACTS(ACT)                                                                                  \
    ACT(GET_CONTAINERS, agent_containers_get, PbAgent__Call__GetContainers)
/* clang-format on */
OPERATOR_ROWS(agent, operator_rows, READS, ACTS);

static const struct operator_api api = {
    .name = "agent::Call",
    .call = &pb_agent__call__descriptor,
    .response = &pb_agent__response__descriptor,
    .rows = operator_rows,
    .flags = agent_flags,
    .version = AGENT_API_VERSION,
    .files = &agent_files,
    .streams = true,
};

static void serve_operator(struct agent *a, struct http_request *r)
{
    if (*http_request_rest(r)) /* another API's */
        http_answer_error(r, 404, NULL);
    else if (a->state == AGENT_RECOVERING)
        http_answer_error(r, 503, "Agent has not finished recovery");
    else
        operator_api_serve(&api, &a->process, &a->options, r);
}
