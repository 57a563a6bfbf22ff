/* http_route.c - from a request's path to the function that answers it
 *
 *   /<id>/<rest>   → the process of that id; else the delegate, with the whole path
 *   <rest>         → in the process' context: the route it fits to (http_path.c), and
 *                    whether who asks may have it (http_access.c)
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_access.h"
#include "process/http_connection.h"
#include "process/runtime_private.h"

enum { ID_TEXT = 64 }; /* a longer id is fine, and takes a little longer */

/* ---- in the process ---- */

static struct http_request *request_of(const struct event *e)
{
    return container_of(e, struct http_request, event);
}

static void http_event_run(struct process *self, struct event *e)
{
    struct http_request *r = request_of(e);
    const char *path = r->raw + r->below.at;
    size_t matched;
    const struct process_route *route =
        http_path_find(self->routes, path, r->below.length, !r->decoded_path, &matched);

    if (!route) {
        http_answer_error(r, 404, NULL);
        http_request_unref(r);
        return;
    }
    if (matched < r->below.length)
        r->rest = http_decode(path + matched, r->below.length - matched, NULL);
    r->route = route;
    r->n_variables = http_path_variables(route->path, path, matched, &r->variables);
    http_access_serve(self, route, r);
}

/* Letting go of it unanswered answers 500. */
static void http_event_drop(struct runtime *rt UNUSED, struct event *e)
{
    http_request_unref(request_of(e));
}

static void http_event_describe(const struct event *e, struct event_info *info)
{
    info->name = request_of(e)->path;
}

static const struct event_type http_event_type = { EVENT_HTTP, http_event_run, http_event_drop,
                                                   http_event_describe };

const struct http_request *http_route_queued(const struct event *e)
{
    return e->type == &http_event_type ? request_of(e) : NULL;
}

/* ---- on the connection's worker ---- */

/* The first segment is decoded by itself: an id may hold an escaped slash. */
static bool find_by_id(struct http_request *r, const char *text, size_t length,
                       struct pid *ret_pid)
{
    CLEANUP(buffer_release) struct buffer decoded = BUFFER_INIT;
    char id[ID_TEXT];

    if (length >= sizeof id || r->decoded_path) {
        percent_decode(text, length, &decoded, NULL);
        return buffer_length(&decoded) > 0 &&
               runtime_find(r->runtime, buffer_data(&decoded), ret_pid);
    }
    memcpy(id, text, length);
    id[length] = '\0';
    return length > 0 && runtime_find(r->runtime, id, ret_pid);
}

static bool find_process(struct http_request *r, struct pid *ret_pid)
{
    size_t at = r->parser.path.at, end = at + r->parser.path.length, id_end = at + 1;

    while (id_end < end && r->raw[id_end] != '/')
        id_end++;
    if (find_by_id(r, r->raw + at + 1, id_end - at - 1, ret_pid))
        at = id_end;
    else if (!runtime_get_delegate(r->runtime, ret_pid))
        return false;
    while (end > at && r->raw[end - 1] == '/')
        end--;
    r->below = (struct http_part){ at, end - at };
    return true;
}

void http_route_request(struct http_request *r)
{
    struct pid to = { 0 };

    if (strstr(r->path, "/..") || !find_process(r, &to)) {
        http_answer_error(r, 404, NULL);
        http_request_unref(r);
        return;
    }
    if (process_backlog(r->runtime, to.slot) >=
        runtime_get_options(r->runtime)->max_mailbox_events) {
        http_server_count(r->runtime, "process/http_requests_refused_busy");
        http_answer_error(r, 503, NULL);
        http_request_unref(r);
    } else {
        r->event.type = &http_event_type;
        slot_push(r->runtime, to.slot, to.generation, &r->event);
    }
    pid_release(&to);
}
