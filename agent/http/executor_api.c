/* executor_api.c - the v1 executor API: POST /api/v1/executor
 *
 * SUBSCRIBE       -> 200, a stream of events, which begins with SUBSCRIBED, or has one SHUTDOWN
 *                    and ends when the executor is to end
 * UPDATE, MESSAGE -> 202, and what it makes happen comes as events
 * HEARTBEAT       -> 202
 *
 * What a request is refused for, in which order and words, is FACTS 3.9.  Behind the checks a call
 * goes the same way as the classic message of a driver.  Executors that have registered as drivers
 * have nothing to say here: nobody else may speak for them.
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "mesos/api_body.h"
#include "mesos/event_stream.h"
#include "mesos/executor_call.h"
#include "proto/executor.pb-c.h"

#define TYPE(name) PB_EXECUTOR__CALL__TYPE__##name

/* clang-format off */
#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1/executor", serve_call,                                                             \
       "The v1 executor API.\nPOST a Call; SUBSCRIBE is answered by a stream of events.")
/* clang-format on */

ROUTES(agent, executor_api_routes, ENDPOINTS);

void executor_api_init(struct agent *a)
{
    process_route(&a->process, executor_api_routes);
}

/* Valid; NULL: the request is answered. */
static const PbExecutor__Call *parse(struct http_request *r, struct arena *arena)
{
    const PbExecutor__Call *call =
        (const PbExecutor__Call *)api_body_parse(r, &pb_executor__call__descriptor, arena);
    struct error err;

    if (!call || executor_call_validate(call, &err) == 0)
        return call;
    http_answer_error(r, 400, "Failed to validate Executor::Call: %s", err.text);
    return NULL;
}

static bool is_driver(const struct hosted_executor *e)
{
    return e->builtin || (executor_peer_is_known(&e->peer) && !e->peer.http);
}

static bool is_subscribed(const struct hosted_executor *e)
{
    return e->peer.http && (e->state != EXECUTOR_REGISTERING || e->reconnecting);
}

/* The executor of the call, when it may say this; NULL: the request is answered. */
static struct hosted_executor *find_caller(struct agent *a, struct http_request *r,
                                           const PbExecutor__Call *call)
{
    struct hosted_framework *f = hosted_framework_find(a, call->framework_id->value);
    struct hosted_executor *e = f ? hosted_executor_find(f, call->executor_id->value) : NULL;

    if (!f)
        http_answer_error(r, 400, "Framework cannot be found");
    else if (!e)
        http_answer_error(r, 400, "Executor cannot be found");
    else if (is_driver(e))
        http_answer_error(r, 403, "Executor is not connected via HTTP");
    else if (call->type != TYPE(SUBSCRIBE) && !is_subscribed(e))
        http_answer_error(r, 403, "Executor is not subscribed");
    else
        return e;
    return NULL;
}

static void client_left(struct process *self, struct event_stream *s)
{
    executor_registration_left(container_of(self, struct agent, process), s);
}

static void subscribe(struct agent *a, struct http_request *r, struct hosted_executor *e,
                      const PbExecutor__Call *call, struct arena *arena)
{
    enum event_stream_format format;
    struct event_stream *s;

    if (!event_stream_negotiate(r, &format))
        return;
    s = event_stream_create(&a->process, r, format, false, client_left);
    executor_registration_subscribe(a, e, s, executor_call_to_reregistration(call, arena));
    event_stream_unref(s);
}

static void run(struct agent *a, struct http_request *r, struct hosted_executor *e,
                const PbExecutor__Call *call, struct arena *arena)
{
    switch (call->type) {
    case TYPE(SUBSCRIBE):
        subscribe(a, r, e, call, arena);
        return;
    case TYPE(UPDATE):
        http_answer(r, 202, NULL, NULL, 0);
        executor_messages_update(a, e, executor_call_to_update(call, arena));
        return;
    case TYPE(MESSAGE):
        http_answer(r, 202, NULL, NULL, 0);
        executor_messages_forward(
            a, e, executor_call_to_message(call, agent_id_text(&a->id), arena));
        return;
    default:
        http_answer_error(r, 501, NULL);
    }
}

static void serve_call(struct agent *a, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const PbExecutor__Call *call;
    struct hosted_executor *e;

    if (a->state == AGENT_RECOVERING) {
        http_answer_error(r, 503, "Agent has not finished recovery");
        return;
    }
    if (!http_require_method(r, "POST"))
        return;
    call = parse(r, &arena);
    if (!call)
        return;
    if (call->type == TYPE(HEARTBEAT)) {
        http_answer(r, 202, NULL, NULL, 0);
        return;
    }
    e = find_caller(a, r, call);
    if (e)
        run(a, r, e, call, &arena);
}
