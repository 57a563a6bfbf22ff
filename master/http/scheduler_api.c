/* scheduler_api.c - the v1 scheduler API: POST /api/v1/scheduler
 *
 * SUBSCRIBE        -> 200, a stream of events (event_stream.h), which begins with SUBSCRIBED, or
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
#include "base/compiler.h"
#include "base/error.h"
#include "master/http/leading.h"
#include "master/master_private.h"
#include "mesos/api_body.h"
#include "mesos/event_stream.h"
#include "mesos/scheduler_call.h"
#include "proto/scheduler.pb-c.h"
#include "proto/scheduler_v0.pb-c.h"

#define TYPE(name) PB_SCHEDULER_V1__CALL__TYPE__##name

/* clang-format off */
#define ENDPOINTS(AT)                                                                              \
    AT("/api/v1/scheduler", serve_call,                                                            \
       "The v1 scheduler API.\nPOST a Call; SUBSCRIBE is answered by a stream of events.",         \
       MASTER_REALM_SCHEDULER)
/* clang-format on */

LEADING_ROUTES(scheduler_api_routes, ENDPOINTS);

void scheduler_api_init(struct master *m)
{
    process_route(&m->process, scheduler_api_routes);
}

/* ---- from bytes to a valid call; NULL: the request is answered ---- */

static PbSchedulerV1__Call *parse_valid(struct http_request *r, struct arena *arena)
{
    PbSchedulerV1__Call *call =
        (PbSchedulerV1__Call *)api_body_parse(r, &pb_scheduler_v1__call__descriptor, arena);
    struct error err;

    if (!call || scheduler_call_validate(call, http_request_principal(r), &err) == 0)
        return call;
    http_answer_error(r, 400, "Failed to validate scheduler::Call: %s", err.text);
    return NULL;
}

/* ---- SUBSCRIBE ---- */

static void client_left(struct process *self, struct event_stream *s)
{
    frameworks_left(container_of(self, struct master, process), s);
}

static void subscribe(struct master *m, struct http_request *r, const PbSchedulerV1__Call *call,
                      struct arena *arena)
{
    enum event_stream_format format;

    if (!event_stream_negotiate(r, &format))
        return;
    if (http_request_header(r, "Mesos-Stream-Id")) {
        http_answer_error(r, 400,
                          "Subscribe calls should not include the 'Mesos-Stream-Id' header");
        return;
    }
    struct event_stream *s = event_stream_create(&m->process, r, format, true, client_left);

    calls_subscribe(m, &(struct framework_peer){ .subscriber = s },
                    scheduler_call_to_v0(call, arena));
    event_stream_unref(s);
}

/* Who did not say who it is gets the name that it was authenticated by. */
static void fill_in_principal(const struct http_request *r, Pb__FrameworkInfo *info,
                              struct arena *arena)
{
    const char *principal = http_request_principal(r);

    if (principal && !info->principal)
        info->principal = arena_strdup(arena, principal);
}

/* ---- every other call ---- */

static bool is_of_caller(const struct http_request *r, const struct framework_record *f)
{
    const char *principal = http_request_principal(r);
    const char *owner = ((const Pb__FrameworkInfo *)f->info->body)->principal;

    return !principal || (owner && strcmp(owner, principal) == 0);
}

/* Its framework, when it comes from where this is subscribed; NULL: the request is answered. */
static struct framework_record *find_caller(struct master *m, struct http_request *r,
                                            const PbSchedulerV1__Call *call)
{
    struct framework_record *f = frameworks_find_text(m, call->framework_id->value);
    const char *id = http_request_header(r, "Mesos-Stream-Id");

    if (!f)
        http_answer_error(r, 400, "Framework cannot be found");
    else if (!is_of_caller(r, f))
        http_answer_error(r, 400, "Authenticated principal '%s' is not that of the framework",
                          http_request_principal(r));
    else if (!f->connected)
        http_answer_error(r, 403, "Framework is not subscribed");
    else if (!f->subscriber)
        http_answer_error(r, 403, "Framework is not connected via HTTP");
    else if (!id)
        http_answer_error(r, 400,
                          "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    else if (strcmp(id, event_stream_id(f->subscriber)) != 0)
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

    framework_metrics_call(f, (int)TYPE(UPDATE_FRAMEWORK));
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
        fill_in_principal(r, call->update_framework->framework_info, arena);
        update_framework(m, r, f, call->update_framework);
        return;
    case TYPE(UNKNOWN):
        http_answer_error(r, 501, NULL);
        return;
    default:
        http_answer(r, 202, NULL, NULL, 0);
        calls_run(m, f, scheduler_call_to_v0(call, arena));
    }
}

/* Once it was answered with statuses; who does not take them is refused to this day. */
static bool is_acceptable(struct http_request *r, const PbSchedulerV1__Call *call)
{
    enum event_stream_format unused;

    return call->type != TYPE(RECONCILE_OPERATIONS) || event_stream_negotiate(r, &unused);
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
    if (call && call->type == TYPE(SUBSCRIBE)) {
        fill_in_principal(r, call->subscribe->framework_info, &arena);
        subscribe(m, r, call, &arena);
    } else if (call && is_acceptable(r, call)) {
        run(m, r, call, &arena);
    }
}
