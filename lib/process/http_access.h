/* http_access.h - may this request reach its handler?
 *
 * Between a route that was found and its handler stand, in this order:
 *
 *   the firewall        disabled endpoints: 403
 *   the authenticator   of the route's realm, if one is set: 401, or 403
 *   the authorizer      of the runtime, if one is set: 403
 *
 * The last two may take time.  Handlers of a process still start in the order in
 * which its requests came: while one waits, those behind it wait too.
 *
 * All of it may be set at any time, on any thread; what has begun goes on with
 * what was set before.
 */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "process/typed.h"

struct authenticator;
struct error;
struct http_access;
struct http_request;
struct process_route;
struct runtime;

/* The realms of the built-in processes' routes.  Programs with realms of their own
 * set the same authenticators for these. */
#define HTTP_REALM_READONLY "readonly"
#define HTTP_REALM_READWRITE "readwrite"

/* Takes a; NULL: the realm is open to everybody again. */
void http_access_set_authenticator(struct runtime *rt, const char *realm, struct authenticator *a);

/* Whether who is asking (http_request_principal) may have the route at this path,
 * "/master/state": a future of HTTP_ACCESS_ALLOWED, or NULL: there is nothing to say
 * against it.  Called in the context of the route's process; failed is 500. */
FUTURE_TYPE(http_access_allowed, bool);
typedef struct future *(*http_access_authorize_f)(void *arg, const char *path,
                                                  struct http_request *r);
void http_access_set_authorizer(struct runtime *rt, http_access_authorize_f authorize, void *arg);

/* These endpoints, with all below them, answer 403 from now on, and only these.  -1 when one
 * is no path: nothing changes then. */
int http_access_disable(struct runtime *rt, const char *const paths[], size_t n,
                        struct error *err);

/* ---- for lib/process ---- */

struct http_access *http_access_create(void);
void http_access_destroy(struct http_access *a);
/* In the process' context.  Takes the hand. */
void http_access_serve(struct process *self, const struct process_route *route,
                       struct http_request *r);

#endif
