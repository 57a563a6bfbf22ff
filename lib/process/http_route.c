/* http_route.c - from a request's path to the function that answers it
 *
 *   /<id>/<rest>   → the process of that id; else the delegate, with the whole path
 *   <rest>         → in the process' context: the longest route that it begins with
 *
 * A route answers below its path too ("/files" serves "/files/read" unless
 * there is a longer one), and with ".json" behind it.
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_connection.h"
#include "process/runtime_private.h"

struct http_event {
    struct event event;
    struct http_request *request;
};

/* ---- in the process ---- */

static const struct process_route *route_with_path(struct process *self, const char *path,
                                                   size_t length)
{
    for (const struct process_route *const *table = self->routes; table && *table; table++)
        for (const struct process_route *row = *table; row->serve; row++)
            if (strlen(row->path) == length && memcmp(row->path, path, length) == 0)
                return row;
    return NULL;
}

static const struct process_route *route_find(struct process *self, const char *path,
                                              size_t *ret_length)
{
    static const char suffix[] = ".json";
    size_t length = strlen(path), n = sizeof suffix - 1;

    for (;;) {
        const struct process_route *row = route_with_path(self, path, length);
        if (!row && length > n && memcmp(path + length - n, suffix, n) == 0)
            row = route_with_path(self, path, length - n);
        *ret_length = length;
        if (row || length == 0)
            return row;
        do
            length--;
        while (length > 0 && path[length] != '/');
    }
}

static void http_event_run(struct process *self, struct event *e)
{
    struct http_event *h = container_of(e, struct http_event, event);
    struct http_request *r = h->request;
    size_t length;
    const struct process_route *route = route_find(self, r->rest, &length);

    mem_free(h);
    if (route) {
        r->route_rest = r->rest + length;
        route->serve(self, r);
    } else {
        http_answer_error(r, 404, NULL);
    }
    http_request_unref(r);
}

/* Letting go of it unanswered answers 500. */
static void http_event_drop(struct runtime *rt UNUSED, struct event *e)
{
    struct http_event *h = container_of(e, struct http_event, event);

    http_request_unref(h->request);
    mem_free(h);
}

static void http_event_describe(const struct event *e, struct event_info *info)
{
    const struct http_event *h = container_of(e, struct http_event, event);

    info->name = h->request->path;
}

static const struct event_type http_event_type = { EVENT_HTTP, http_event_run, http_event_drop,
                                                   http_event_describe };

/* ---- on the connection's worker ---- */

static char *decode(const char *text, size_t length)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    return percent_decode(text, length, &out, NULL) < 0 ? NULL : buffer_take(&out, NULL);
}

static void trim_slashes(char *path)
{
    size_t length = strlen(path);

    while (length > 0 && path[length - 1] == '/')
        path[--length] = '\0';
}

/* The first segment is decoded by itself: an id may hold an escaped slash. */
static bool find_process(struct http_request *r, struct pid *ret_pid)
{
    const char *path = r->raw + r->parser.path.at + 1, *end = path + r->parser.path.length - 1;
    const char *slash = memchr(path, '/', (size_t)(end - path)), *id_end = slash ? slash : end;
    char *id = decode(path, (size_t)(id_end - path));
    bool found = *id && runtime_find(r->runtime, id, ret_pid);

    mem_free(id);
    if (found)
        r->rest = decode(id_end, (size_t)(end - id_end));
    else if (runtime_get_delegate(r->runtime, ret_pid))
        r->rest = mem_strdup(r->path);
    else
        return false;
    trim_slashes(r->rest);
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
        struct http_event *h = mem_alloc(sizeof *h);
        h->event.type = &http_event_type;
        h->request = r;
        slot_push(r->runtime, to.slot, to.generation, &h->event);
    }
    pid_release(&to);
}
