/* scheduler_api.c - the v1 scheduler API: POST /api/v1/scheduler
 *
 * SUBSCRIBE        -> 200, a stream of events (subscriber.c), which begins with SUBSCRIBED, or
 *                     has one ERROR and ends
 * any other call   -> 202, and what it makes happen comes as events
 * UPDATE_FRAMEWORK -> 200 once it is done
 *
 * Every call but SUBSCRIBE names its framework and the stream that this is subscribed by.  What
 * a request is refused for, in which order and words, is FACTS 3.2.  Behind the checks a call
 * goes the same way as that of a driver (calls.c).
 */
#include "master/http/scheduler_api.h"

#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "master/http/subscriber.h"
#include "master/master_private.h"
#include "mesos/json_protobuf_parse.h"
#include "mesos/scheduler_call.h"
#include "process/proto.h"
#include "proto/scheduler.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"
#define TYPE(name) PB_SCHEDULER_V1__CALL__TYPE__##name

/* clang-format off */
#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1/scheduler", serve_call,                                                            \
       "The v1 scheduler API.\nPOST a Call; SUBSCRIBE is answered by a stream of events.")
/* clang-format on */

ROUTES(master, scheduler_api_routes, ENDPOINTS);

void scheduler_api_init(struct master *m)
{
    process_route(&m->process, scheduler_api_routes);
}

/* ---- from bytes to a valid call; NULL: the request is answered ---- */

static PbSchedulerV1__Call *parse_json(struct http_request *r, struct arena *arena)
{
    struct error err;
    size_t size;
    const char *body = http_request_body(r, &size);
    ProtobufCMessage *call =
        json_protobuf_parse_body(&pb_scheduler_v1__call__descriptor, body, size, arena, NULL, &err);

    if (!call)
        http_answer_error(r, 400, "%s", err.text);
    return (PbSchedulerV1__Call *)call;
}

static PbSchedulerV1__Call *parse_protobuf(struct http_request *r, struct arena *arena)
{
    struct error err;
    size_t size;
    const char *body = http_request_body(r, &size);
    ProtobufCMessage *call =
        proto_parse(&pb_scheduler_v1__call__descriptor, body, size, arena, NULL, &err);

    if (!call) {
        log_info("call of an HTTP scheduler refused: %s", err.text);
        http_answer_error(r, 400, "Failed to parse body into Call protobuf");
    }
    return (PbSchedulerV1__Call *)call;
}

static PbSchedulerV1__Call *parse(struct http_request *r, struct arena *arena)
{
    const char *type = http_request_header(r, "Content-Type");

    if (!type)
        http_answer_error(r, 400, "Expecting 'Content-Type' to be present");
    else if (strcmp(type, JSON) == 0)
        return parse_json(r, arena);
    else if (strcmp(type, PROTOBUF) == 0)
        return parse_protobuf(r, arena);
    else
        http_answer_error(r, 415, "Expecting 'Content-Type' of " JSON " or " PROTOBUF);
    return NULL;
}

static PbSchedulerV1__Call *parse_valid(struct http_request *r, struct arena *arena)
{
    PbSchedulerV1__Call *call = parse(r, arena);
    struct error err;

    if (!call || scheduler_call_validate(call, NULL, &err) == 0)
        return call;
    http_answer_error(r, 400, "Failed to validate scheduler::Call: %s", err.text);
    return NULL;
}

/* ---- SUBSCRIBE ---- */

static void subscribe(struct master *m, struct http_request *r, const PbSchedulerV1__Call *call,
                      struct arena *arena)
{
    enum scheduler_format format = http_accepts(r, JSON) ? SCHEDULER_JSON : SCHEDULER_PROTOBUF;

    if (format == SCHEDULER_PROTOBUF && !http_accepts(r, PROTOBUF)) {
        http_answer_error(r, 406, "Expecting 'Accept' to allow '" PROTOBUF "' or '" JSON "'");
        return;
    }
    if (http_request_header(r, "Mesos-Stream-Id")) {
        http_answer_error(r, 400,
                          "Subscribe calls should not include the 'Mesos-Stream-Id' header");
        return;
    }
    struct subscriber *s = subscriber_create(m, r, format);

    calls_subscribe(m, &(struct framework_peer){ .subscriber = s },
                    scheduler_call_to_v0(call, arena));
    subscriber_unref(s);
}

/* ---- every other call ---- */

/* Its framework, when it comes from where this is subscribed; NULL: the request is answered. */
static struct framework_record *find_caller(struct master *m, struct http_request *r,
                                            const PbSchedulerV1__Call *call)
{
    struct framework_record *f = frameworks_find_text(m, call->framework_id->value);
    const char *id = http_request_header(r, "Mesos-Stream-Id");

    if (!f)
        http_answer_error(r, 400, "Framework cannot be found");
    else if (!f->connected)
        http_answer_error(r, 403, "Framework is not subscribed");
    else if (!f->subscriber)
        http_answer_error(r, 403, "Framework is not connected via HTTP");
    else if (!id)
        http_answer_error(r, 400,
                          "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    else if (strcmp(id, subscriber_id(f->subscriber)) != 0)
        http_answer_error(r, 400,
                          "The stream ID '%s' included in this request didn't match the stream ID "
                          "currently associated with framework ID %s",
                          id, framework_id_text(&f->id));
    else
        return f;
    return NULL;
}

static void update_framework(struct master *m, struct http_request *r, struct framework_record *f,
                             const PbSchedulerV1__Call__UpdateFramework *u)
{
    struct error err;

    if (frameworks_update(m, f, u->framework_info, u->n_suppressed_roles, u->suppressed_roles,
                          &err) < 0)
        http_answer_error(r, 400, "%s", err.text);
    else
        http_answer(r, 200, NULL, NULL, 0);
}

static void run(struct master *m, struct http_request *r, const PbSchedulerV1__Call *call,
                struct arena *arena)
{
    struct framework_record *f = find_caller(m, r, call);

    if (!f)
        return;
    switch (call->type) {
    case TYPE(UPDATE_FRAMEWORK):
        update_framework(m, r, f, call->update_framework);
        return;
    case TYPE(UNKNOWN):
    case TYPE(RECONCILE_OPERATIONS): /* there are no operations to be followed yet */
        http_answer_error(r, 501, NULL);
        return;
    default:
        http_answer(r, 202, NULL, NULL, 0);
        calls_run(m, f, scheduler_call_to_v0(call, arena));
    }
}

static void serve_call(struct master *m, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    PbSchedulerV1__Call *call;

    if (!m->recovered) {
        http_answer_error(r, 503, "Master has not finished recovery");
        return;
    }
    if (!http_require_method(r, "POST"))
        return;
    call = parse_valid(r, &arena);
    if (call && call->type == TYPE(SUBSCRIBE))
        subscribe(m, r, call, &arena);
    else if (call)
        run(m, r, call, &arena);
}
