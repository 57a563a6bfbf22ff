/* master_http.c - the master's endpoints: the small ones here, the rest in files of their own
 *
 *   master_state.c     /state, /slaves, /frameworks
 *   master_tasks.c     /tasks
 *   master_summary.c   /state-summary
 *   master_roles.c     /roles
 *   master_operator.c  /api/v1, with master_events.c for SUBSCRIBE
 *   master_files.c     /files
 */
#include <string.h>

#include "base/json_writer.h"
#include "master/http/leading.h"
#include "master/http/master_operator.h"
#include "master/http/master_state.h"
#include "master/master_private.h"

/* clang-format off */
#define ENDPOINTS(AT)                                                                              \
    AT("/flags", serve_flags, "The master's flags.\nA JSON object of texts.",                      \
       MASTER_REALM_READONLY)                                                                      \
    AT("/health", serve_health,                                                                    \
       "Whether the master answers.\n200 with an empty body while it does.")                       \
    AT("/redirect", serve_redirect,                                                                \
       "The leading master.\n307 with its address as Location.")

#define LEADERS_ENDPOINTS(AT)                                                                      \
    AT("/teardown", serve_teardown,                                                                \
       "Ends a framework with all its tasks.\nPOST a form with frameworkId=.",                     \
       MASTER_REALM_READWRITE)                                                                     \
    AT("/weights", serve_weights,                                                                  \
       "The weights of roles.\nNone can be set yet: an empty JSON array.",                         \
       MASTER_REALM_READWRITE)                                                                     \
    AT("/quota", serve_quota,                                                                      \
       "The quota of roles.\nNone can be set yet: an empty JSON object.",                          \
       MASTER_REALM_READWRITE)                                                                     \
    AT("/maintenance/schedule", serve_schedule,                                                    \
       "The maintenance schedule.\nNone can be set yet: an empty JSON object.",                    \
       MASTER_REALM_READWRITE)                                                                     \
    AT("/maintenance/status", serve_status,                                                        \
       "Machines in maintenance.\nThere are none yet: an empty JSON object.",                      \
       MASTER_REALM_READWRITE)
/* clang-format on */

ROUTES(master, master_routes, ENDPOINTS);
LEADING_ROUTES(leaders_routes, LEADERS_ENDPOINTS);

void master_http_init(struct master *m)
{
    process_route(&m->process, master_routes);
    process_route(&m->process, leaders_routes);
    master_state_init(m);
    master_tasks_init(m);
    master_summary_init(m);
    master_roles_init(m);
    master_operator_init(m);
    master_files_init(m);
}

static void serve_flags(struct master *m, struct http_request *r)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "flags");
    master_state_write_flags(&w, m);
    json_end_object(&w);
    http_answer_json(r, &out);
    buffer_release(&out);
}

static void serve_health(struct master *m UNUSED, struct http_request *r)
{
    http_answer(r, 200, NULL, NULL, 0);
}

static void serve_redirect(struct master *m, struct http_request *r)
{
    CLEANUP(buffer_release) struct buffer location = BUFFER_INIT;

    if (*http_request_rest(r)) {
        http_answer_error(r, 404, NULL);
        return;
    }
    if (!leading_address(m, r, &location))
        return;
    http_answer_header(r, "Location", buffer_data(&location));
    http_answer(r, 307, NULL, NULL, 0);
}

static void serve_teardown(struct master *m, struct http_request *r)
{
    struct framework_record *f;
    const char *id;

    if (!http_require_method(r, "POST"))
        return;
    id = http_request_form(r, "frameworkId");
    if (!id) {
        http_answer_error(r, 400, "Missing 'frameworkId' query parameter in the request body");
        return;
    }
    f = frameworks_find_text(m, id);
    if (!f) {
        http_answer_error(r, 400, "No framework found with specified ID");
        return;
    }
    framework_records_remove(m, f, "torn down by an operator");
    http_answer(r, 200, NULL, NULL, 0);
}

/* ---- what cannot be set yet: reads say that there is nothing, which is true ---- */

static void answer_nothing(struct http_request *r, const char *what, const char *nothing)
{
    if (strcmp(http_request_method(r), "GET") == 0 || strcmp(http_request_method(r), "HEAD") == 0)
        http_answer(r, 200, "application/json", nothing, strlen(nothing));
    else
        http_answer_error(r, 501, "mesos-lite cannot change %s yet", what);
}

static void serve_weights(struct master *m UNUSED, struct http_request *r)
{
    answer_nothing(r, "weights", "[]");
}

static void serve_quota(struct master *m UNUSED, struct http_request *r)
{
    answer_nothing(r, "quota", "{}");
}

static void serve_schedule(struct master *m UNUSED, struct http_request *r)
{
    answer_nothing(r, "the maintenance schedule", "{}");
}

static void serve_status(struct master *m UNUSED, struct http_request *r)
{
    answer_nothing(r, "machines in maintenance", "{}");
}
