/* endpoint_access.c - who may ask a role's endpoints, by the flags that the roles share */
#include "mesos/endpoint_access.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/authentication.h"
#include "process/host.h"
#include "process/http_access.h"
#include "process/json_protobuf_parse.h"
#include "process/runtime.h"
#include "proto/flags.pb-c.h"
#include "proto/mesos.pb-c.h"

enum { FILE_BYTES = 1 << 20, OTHERS_MAY = 07 };

struct credentials {
    struct arena arena;
    size_t n, capacity;
    struct authentication_credential *v; /* the texts are in the arena */
};

/* ---- text, or a path to it ---- */

/* JSON begins with a brace, and a line of credentials has a blank in it. */
static bool is_path(const char *value)
{
    return value[0] == '/' || (value[0] != '{' && !strpbrk(value, " \t\n"));
}

static char *load(struct host *h, const char *flag, const char *value, struct error *err)
{
    char *text;
    size_t size;

    if (!is_path(value))
        return mem_strdup(value);
    if (host_read_file(h, value, FILE_BYTES, &text, &size, err) == 0) {
        if (strlen(text) == size)
            return text;
        mem_free(text);
        error_set(err, EINVAL, "%s has a NUL in it", value);
    }
    error_wrap(err, "%s", flag);
    return NULL;
}

static void warn_of_readers(struct host *h, const char *path)
{
    struct file_info info;
    struct error err;

    if (is_path(path) && host_stat(h, path, &info, &err) == 0 && (info.mode & OTHERS_MAY))
        log_warning("credentials file %s may be read by everybody on this machine", path);
}

/* ---- credentials ---- */

static void add(struct credentials *c, const char *principal, const char *secret)
{
    if (c->n == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 16;
        c->v = mem_realloc(c->v, c->capacity * sizeof *c->v);
    }
    c->v[c->n++] = (struct authentication_credential){ principal, secret };
}

static int parse_json(const char *text, struct credentials *c, struct error *err)
{
    const Pb__Credentials *all = (const Pb__Credentials *)json_protobuf_parse(
        &pb__credentials__descriptor, text, strlen(text), &c->arena, NULL, err);

    if (!all)
        return -1;
    for (size_t i = 0; i < all->n_credentials; i++)
        add(c, all->credentials[i]->principal,
            all->credentials[i]->secret ? all->credentials[i]->secret : "");
    return 0;
}

/* "name secret", one a line. */
static int parse_lines(char *text, struct credentials *c, struct error *err)
{
    char *line, *rest, *principal, *secret;
    int number = 0;

    while ((line = strsep(&text, "\n"))) {
        number++;
        principal = strtok_r(line, " \t\r", &rest);
        if (!principal)
            continue;
        secret = strtok_r(NULL, " \t\r", &rest);
        if (!secret || strtok_r(NULL, " \t\r", &rest))
            return error_set(err, EINVAL, "line %d is not a name and a secret", number);
        add(c, arena_strdup(&c->arena, principal), arena_strdup(&c->arena, secret));
    }
    return 0;
}

static int load_credentials(struct host *h, const struct endpoint_access *a, struct credentials *c,
                            struct error *err)
{
    CLEANUP(mem_free_p) char *text = load(h, a->credentials_flag, a->credentials, err);
    int result;

    if (!text)
        return -1;
    warn_of_readers(h, a->credentials);
    result = text[strspn(text, " \t\r\n")] == '{' ? parse_json(text, c, err)
                                                  : parse_lines(text, c, err);
    return result < 0 ? error_wrap(err, "%s", a->credentials_flag) : 0;
}

/* ---- realms ---- */

static int close_realm(struct runtime *rt, const struct endpoint_access *a,
                       const struct credentials *c, const char *flag, const char *realm,
                       const char *builtin, struct error *err)
{
    struct authenticator *authenticator;

    if (!a->credentials)
        return error_set(err, EINVAL, "%s needs %s", flag, a->credentials_flag);
    authenticator = authentication_basic(realm, c->v, c->n);
    if (builtin)
        http_access_set_authenticator(rt, builtin, authentication_ref(authenticator));
    http_access_set_authenticator(rt, realm, authenticator);
    return 0;
}

static int check_authenticators(const char *flag, const char *value, struct error *err)
{
    if (value && strcmp(value, ENDPOINT_ACCESS_AUTHENTICATORS) == 0)
        return 0;
    return error_set(err, EINVAL, "%s is %s; it can be '%s'", flag, value ? value : "not given",
                     ENDPOINT_ACCESS_AUTHENTICATORS);
}

static int close_realms(struct runtime *rt, const struct endpoint_access *a,
                        const struct credentials *c, struct error *err)
{
    if ((a->readonly || a->readwrite) &&
        check_authenticators("--http_authenticators", a->authenticators, err) < 0)
        return -1;
    if (a->readonly && close_realm(rt, a, c, "--authenticate_http_readonly", a->readonly_realm,
                                   HTTP_REALM_READONLY, err) < 0)
        return -1;
    if (a->readwrite && close_realm(rt, a, c, "--authenticate_http_readwrite", a->readwrite_realm,
                                    HTTP_REALM_READWRITE, err) < 0)
        return -1;
    if (!a->frameworks)
        return 0;
    if (check_authenticators("--http_framework_authenticators", a->framework_authenticators, err) <
        0)
        return -1;
    return close_realm(rt, a, c, "--authenticate_http_frameworks", a->frameworks_realm, NULL, err);
}

/* ---- the firewall ---- */

static int close_endpoints(struct runtime *rt, const char *rules, struct error *err)
{
    CLEANUP(mem_free_p) char *text = load(runtime_host(rt), "--firewall_rules", rules, err);
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const Pb__Firewall__DisabledEndpointsRule *rule;
    const Pb__Firewall *firewall;

    if (!text)
        return -1;
    firewall = (const Pb__Firewall *)json_protobuf_parse(&pb__firewall__descriptor, text,
                                                         strlen(text), &arena, NULL, err);
    if (!firewall)
        return error_wrap(err, "--firewall_rules");
    rule = firewall->disabled_endpoints;
    if (rule && http_access_disable(rt, (const char *const *)rule->paths, rule->n_paths, err) < 0)
        return error_wrap(err, "--firewall_rules");
    return 0;
}

int endpoint_access_set(struct runtime *rt, const struct endpoint_access *a, struct error *err)
{
    struct credentials c = { .arena = ARENA_INIT };
    int result = 0;

    if (a->firewall_rules)
        result = close_endpoints(rt, a->firewall_rules, err);
    if (result == 0 && a->credentials)
        result = load_credentials(runtime_host(rt), a, &c, err);
    if (result == 0)
        result = close_realms(rt, a, &c, err);
    mem_free(c.v);
    arena_release(&c.arena);
    return result;
}

void endpoint_access_hide(char **credentials)
{
    if (!*credentials || is_path(*credentials))
        return;
    mem_free(*credentials);
    *credentials = mem_strdup("(given as text)");
}
