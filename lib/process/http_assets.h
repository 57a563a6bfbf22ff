/* http_assets.h - files as endpoints: a page with its pictures and scripts
 *
 *     http_assets_init(&s->page, "/static", "/usr/share/thing/static", NULL);
 *     process_route(&s->process, http_assets_routes(&s->page));
 *
 * serves /<id>/static/a/b.css from that folder; where the second path is a file, the
 * route is that file.  Content-Type goes by the extension.  What is not there, and
 * folders, are 404.  Files are read off the actors' threads, whole.
 */
#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

#include "process/process.h"

/* Embedded in the state of the process, and as it is until the process has ended. */
struct http_assets {
    struct process_route routes[2];
    char *root;
};

/* The texts are copied, but for the realm. */
void http_assets_init(struct http_assets *a, const char *path, const char *root, const char *realm);
void http_assets_release(struct http_assets *a);
const struct process_route *http_assets_routes(const struct http_assets *a);

#endif
