/* endpoint_access.h - who may ask a role's endpoints, by the flags that the roles share
 *
 *   --authenticate_http_readonly    the realm of what only tells
 *   --authenticate_http_readwrite   the realm of what changes things, and of /api/v1
 *   --authenticate_http_frameworks  the realm of /api/v1/scheduler
 *   --credentials                   names and secrets: JSON, or lines of "name secret"
 *   --firewall_rules                endpoints that answer 403, in JSON
 *
 * The last two may be the text itself, or a path to it.
 */
#ifndef ENDPOINT_ACCESS_H
#define ENDPOINT_ACCESS_H

#include <stdbool.h>

struct error;
struct runtime;

#define ENDPOINT_ACCESS_AUTHENTICATORS "basic" /* those there are */

struct endpoint_access {
    const char *readonly_realm, *readwrite_realm;
    const char *frameworks_realm; /* NULL: the role has none */
    bool readonly, readwrite, frameworks;
    const char *authenticators;           /* of the first two realms: "basic" */
    const char *framework_authenticators; /* "basic", or NULL: it must be given with `frameworks` */
    const char *credentials_flag, *credentials; /* its name, for errors; NULL: not given */
    const char *firewall_rules;                 /* NULL: none */
};

/* Sets authenticators and firewall of the runtime; the built-in processes' realms
 * too.  -1 with a sentence that names the flag. */
int endpoint_access_set(struct runtime *rt, const struct endpoint_access *a, struct error *err);

/* A value that is no path is replaced: /flags shows it to everybody. */
void endpoint_access_hide(char **credentials);

#endif
