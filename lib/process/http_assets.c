/* http_assets.c - files as endpoints
 *
 *   GET → the route's root and what follows its path → read on a helper thread → 200, or 404
 *
 * A path cannot lead out of its folder: one with "/.." never gets here
 * (http_route.c).  Links in the folder are followed: who put them there meant it.
 */
#include "process/http_assets.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_private.h"
#include "process/runtime_private.h"

/* A file on its way. */
struct asset {
    struct http_request *request;
    struct host *host;
    size_t limit;
    char *path, *data;
    size_t size;
    bool is_read;
    struct error why_not;
};

static const char *content_type(const char *path)
{
    static const struct { const char *extension, *type; } types[] = {
        { "css", "text/css" },
        { "gif", "image/gif" },
        { "htm", "text/html" },
        { "html", "text/html" },
        { "ico", "image/x-icon" },
        { "jpeg", "image/jpeg" },
        { "jpg", "image/jpeg" },
        { "js", "application/javascript" },
        { "json", "application/json" },
        { "map", "application/json" },
        { "pdf", "application/pdf" },
        { "png", "image/png" },
        { "svg", "image/svg+xml" },
        { "ttf", "font/ttf" },
        { "txt", "text/plain; charset=utf-8" },
        { "woff", "font/woff" },
        { "woff2", "font/woff2" },
        { "xml", "application/xml" },
    };
    const char *name = strrchr(path, '/'), *dot = strrchr(name ? name : path, '.');

    for (size_t i = 0; dot && i < ARRAY_SIZE(types); i++)
        if (strcasecmp(dot + 1, types[i].extension) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static void read_asset(void *arg)
{
    struct asset *a = arg;

    a->is_read =
        host_read_file(a->host, a->path, a->limit, &a->data, &a->size, &a->why_not) == 0;
}

static bool is_absent(const struct error *err)
{
    return err->code == ENOENT || err->code == ENOTDIR || err->code == EISDIR ||
           err->code == ENAMETOOLONG || err->code == EACCES;
}

static void asset_read(struct process *self UNUSED, struct future *f, void *op)
{
    struct asset *a = op;

    if (future_state(f) != FUTURE_READY)
        http_answer_error(a->request, 503, NULL); /* the runtime ends */
    else if (a->is_read)
        http_answer(a->request, 200, content_type(a->path), a->data, a->size);
    else if (is_absent(&a->why_not))
        http_answer_error(a->request, 404, NULL);
    else
        http_answer_error(a->request, 500, "%s", a->why_not.text);
    http_request_unref(a->request);
    mem_free(a->path);
    mem_free(a->data);
    mem_free(a);
}

static void serve(struct process *self, struct http_request *r)
{
    const struct http_assets *assets = container_of(r->route, struct http_assets, routes[0]);
    struct asset *a;

    if (!http_require_method(r, "GET"))
        return;
    a = mem_alloc(sizeof *a);
    a->request = http_request_ref(r);
    a->host = runtime_host(self->runtime);
    a->limit = runtime_get_options(self->runtime)->max_output_bytes / 2;
    a->path = mem_printf("%s%s", assets->root, http_request_rest(r));
    /* The executor outlives the helper thread's work; the process may not. */
    future_finally(process_async(self->runtime, read_asset, a), runtime_executor(self->runtime),
                   asset_read, a);
}

void http_assets_init(struct http_assets *a, const char *path, const char *root, const char *realm)
{
    a->routes[0] = (struct process_route){
        mem_strdup(path), serve, "Files.\nWhat follows the path is the name of a file.", realm
    };
    a->routes[1] = (struct process_route){ NULL, NULL, NULL, NULL };
    a->root = mem_strdup(root);
}

void http_assets_release(struct http_assets *a)
{
    mem_free((char *)a->routes[0].path);
    mem_free(a->root);
}

const struct process_route *http_assets_routes(const struct http_assets *a)
{
    return a->routes;
}
