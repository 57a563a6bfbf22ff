/* http_access.c - may this request reach its handler?
 *
 *   firewall → authenticator → authorizer → handler
 *
 * A request that passes at once goes to its handler at once.  The first one that
 * must wait makes a gate for its process; it and all that come behind it stand
 * there in their order.  Each time the first of them has passed or was refused, an
 * event of the process lets through whoever may go; behind the last one the
 * gate is taken down.  If the process ends before, that event is dropped, and
 * with it end the requests that still stand there, unanswered: 500.
 */
#include "process/http_access.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/authentication.h"
#include "process/http_connection.h"
#include "process/runtime_private.h"

FUTURE_TYPE_DEFINE(http_access_allowed, bool, NULL);

struct realm {
    UT_hash_handle hh;
    struct authenticator *authenticator;
    char name[];
};

struct gate {
    UT_hash_handle hh;
    uint32_t slot, generation; /* whose it is */
    struct list passages;      /* in the order of arrival */
    bool opens;                /* the event is on its way */
};

struct http_access {
    pthread_mutex_t lock;
    _Atomic bool is_set;      /* any of the next four: a hint, for who has nothing to do here */
    struct realm *realms;     /* uthash */
    struct gate *gates;       /* uthash, by slot; what is in one is its process' */
    char **disabled;
    size_t n_disabled;
    http_access_authorize_f authorize;
    void *authorize_arg;
};

/* A request on its way. */
struct passage {
    struct list link; /* the gate's */
    struct process *process;
    const struct process_route *route;
    struct http_request *request; /* the hand */
    struct future *future;        /* what it waits for */
    enum { AT_AUTHENTICATION, AT_AUTHORIZATION, PASSED, REFUSED } stage;
};

/* ---- life ---- */

struct http_access *http_access_create(void)
{
    struct http_access *a = mem_alloc(sizeof *a);

    pthread_mutex_init(&a->lock, NULL);
    return a;
}

static void forget_disabled(struct http_access *a)
{
    for (size_t i = 0; i < a->n_disabled; i++)
        mem_free(a->disabled[i]);
    mem_free(a->disabled);
    a->disabled = NULL;
    a->n_disabled = 0;
}

void http_access_destroy(struct http_access *a)
{
    struct realm *realm, *next;

    if (!a)
        return;
    CHECK(!a->gates);
    HASH_ITER (hh, a->realms, realm, next) {
        HASH_DEL(a->realms, realm);
        authentication_unref(realm->authenticator);
        mem_free(realm);
    }
    forget_disabled(a);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

/* ---- what is set ---- */

static void lock(struct http_access *a)
{
    pthread_mutex_lock(&a->lock);
}

/* Relaxed: who has just set something waits for no one to notice it sooner. */
static void unlock(struct http_access *a)
{
    atomic_store_explicit(&a->is_set, a->realms || a->gates || a->n_disabled > 0 || a->authorize,
                          memory_order_relaxed);
    pthread_mutex_unlock(&a->lock);
}

void http_access_set_authenticator(struct runtime *rt, const char *name,
                                   struct authenticator *authenticator)
{
    struct http_access *a = runtime_http_access(rt);
    struct realm *realm;
    struct authenticator *old = NULL;

    lock(a);
    HASH_FIND_STR(a->realms, name, realm);
    if (!realm && authenticator) {
        realm = mem_alloc(sizeof *realm + strlen(name) + 1);
        memcpy(realm->name, name, strlen(name) + 1);
        HASH_ADD_STR(a->realms, name, realm);
    }
    if (realm) {
        old = realm->authenticator;
        realm->authenticator = authenticator;
    }
    if (realm && !authenticator) {
        HASH_DEL(a->realms, realm);
        mem_free(realm);
    }
    unlock(a);
    authentication_unref(old);
}

void http_access_set_authorizer(struct runtime *rt, http_access_authorize_f authorize, void *arg)
{
    struct http_access *a = runtime_http_access(rt);

    lock(a);
    a->authorize = authorize;
    a->authorize_arg = arg;
    unlock(a);
}

int http_access_disable(struct runtime *rt, const char *const paths[], size_t n, struct error *err)
{
    struct http_access *a = runtime_http_access(rt);

    for (size_t i = 0; i < n; i++)
        if (paths[i][0] != '/' || strlen(paths[i]) < 2 || paths[i][strlen(paths[i]) - 1] == '/')
            return error_set(err, EINVAL,
                             "'%.60s' is no endpoint: '/', a process' id, and a path without a "
                             "'/' at its end",
                             paths[i]);
    lock(a);
    forget_disabled(a);
    a->disabled = mem_array(n, sizeof *a->disabled);
    a->n_disabled = n;
    for (size_t i = 0; i < n; i++)
        a->disabled[i] = mem_strdup(paths[i]);
    unlock(a);
    return 0;
}

static struct authenticator *authenticator_of(struct http_access *a, const char *name)
{
    struct authenticator *found = NULL;
    struct realm *realm;

    if (!name)
        return NULL;
    pthread_mutex_lock(&a->lock);
    HASH_FIND_STR(a->realms, name, realm);
    if (realm)
        found = authentication_ref(realm->authenticator);
    pthread_mutex_unlock(&a->lock);
    return found;
}

/* ---- the firewall ---- */

static bool is_below(const char *path, const char *endpoint)
{
    size_t n = strlen(endpoint);

    return strncmp(path, endpoint, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* `route`: as it is written in the table; `asked`: as it came. */
static bool is_disabled(struct http_access *a, const char *route, const char *asked)
{
    bool found = false;

    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->n_disabled && !found; i++)
        found = is_below(route, a->disabled[i]) || is_below(asked, a->disabled[i]);
    pthread_mutex_unlock(&a->lock);
    return found;
}

static char *path_of_route(const struct passage *p)
{
    return mem_printf("/%s%s", p->process->pid.id->bytes, p->route->path);
}

/* True when it has been answered. */
static bool is_stopped(struct http_access *a, struct passage *p)
{
    CLEANUP(mem_free_p) char *route = path_of_route(p);
    CLEANUP(buffer_release) struct buffer asked = BUFFER_INIT;
    struct http_request *r = p->request;

    buffer_printf(&asked, "/%s", p->process->pid.id->bytes);
    percent_decode(r->raw + r->below.at, r->below.length, &asked, NULL);
    if (!is_disabled(a, route, buffer_data(&asked)))
        return false;
    http_server_count(p->process->runtime, "process/http_requests_refused_disabled");
    http_answer_error(r, 403, "Endpoint '%s' is disabled", buffer_data(&asked));
    return true;
}

/* ---- one request ---- */

static void passage_destroy(struct passage *p)
{
    list_remove(&p->link);
    future_unref(p->future);
    http_request_unref(p->request);
    mem_free(p);
}

static void refuse(struct passage *p, int status, const char *text)
{
    p->stage = REFUSED;
    if (text)
        http_answer_error(p->request, status, "%s", text);
    else
        http_answer_error(p->request, status, NULL);
}

/* It should have said something, and did not. */
static void refuse_without_result(struct passage *p, const struct future *f)
{
    refuse(p, 500, future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded future");
}

static void take_authentication(struct passage *p, const struct future *f)
{
    struct runtime *rt = p->process->runtime;
    const struct authentication *a;

    if (future_state(f) != FUTURE_READY) {
        refuse_without_result(p, f);
        return;
    }
    a = authentication_get(f);
    if (a->verdict == AUTHENTICATION_ACCEPTED && a->principal) {
        p->request->principal = mem_strdup(a->principal);
        p->stage = AT_AUTHORIZATION;
        return;
    }
    http_server_count(rt, "process/http_requests_refused_authentication");
    if (a->verdict == AUTHENTICATION_CHALLENGED && a->challenge)
        http_answer_header(p->request, "WWW-Authenticate", a->challenge);
    if (a->verdict == AUTHENTICATION_ACCEPTED)
        refuse(p, 403, "Who has sent the request is known, but not by a name");
    else
        refuse(p, a->verdict == AUTHENTICATION_CHALLENGED ? 401 : 403, a->text);
}

static void take_authorization(struct passage *p, const struct future *f)
{
    if (future_state(f) != FUTURE_READY) {
        refuse_without_result(p, f);
    } else if (*http_access_allowed_get(f)) {
        p->stage = PASSED;
    } else {
        http_server_count(p->process->runtime, "process/http_requests_refused_authorization");
        refuse(p, 403, NULL);
    }
}

/* What the stage depends on; NULL: on nothing. */
static struct future *question(struct http_access *a, struct passage *p)
{
    struct authenticator *authenticator;
    http_access_authorize_f authorize;
    struct future *f = NULL;
    void *arg;

    if (p->stage == AT_AUTHENTICATION) {
        authenticator = authenticator_of(a, p->route->realm);
        if (authenticator)
            f = authenticator->class->authenticate(authenticator, p->request);
        authentication_unref(authenticator);
        return f;
    }
    pthread_mutex_lock(&a->lock);
    authorize = a->authorize;
    arg = a->authorize_arg;
    pthread_mutex_unlock(&a->lock);
    if (authorize) {
        CLEANUP(mem_free_p) char *path = path_of_route(p);
        f = authorize(arg, path, p->request);
    }
    return f;
}

static void take(struct passage *p)
{
    struct future *f = p->future;

    p->future = NULL;
    if (p->stage == AT_AUTHENTICATION)
        take_authentication(p, f);
    else
        take_authorization(p, f);
    future_unref(f);
}

/* As far as it gets without waiting: false when it waits. */
static bool go_on(struct http_access *a, struct passage *p)
{
    while (p->stage == AT_AUTHENTICATION || p->stage == AT_AUTHORIZATION) {
        if (!p->future && !(p->future = question(a, p))) {
            p->stage = p->stage == AT_AUTHENTICATION ? AT_AUTHORIZATION : PASSED;
            continue;
        }
        if (future_state(p->future) == FUTURE_PENDING)
            return false;
        take(p);
    }
    return true;
}

/* ---- the gate of a process ---- */

static struct gate *gate_of(struct http_access *a, const struct process *self)
{
    uint32_t slot = self->pid.slot;
    struct gate *g;

    pthread_mutex_lock(&a->lock);
    HASH_FIND(hh, a->gates, &slot, sizeof slot, g);
    pthread_mutex_unlock(&a->lock);
    CHECK(!g || g->generation == self->pid.generation);
    return g;
}

static struct gate *gate_create(struct http_access *a, const struct process *self)
{
    struct gate *g = mem_alloc(sizeof *g);

    g->slot = self->pid.slot;
    g->generation = self->pid.generation;
    list_init(&g->passages);
    lock(a);
    HASH_ADD(hh, a->gates, slot, sizeof g->slot, g);
    unlock(a);
    return g;
}

static void gate_destroy(struct http_access *a, struct gate *g)
{
    lock(a);
    HASH_DEL(a->gates, g);
    unlock(a);
    list_each_safe (p, &g->passages, struct passage, link)
        passage_destroy(p);
    mem_free(g);
}

static void serve(struct passage *p)
{
    if (p->stage == PASSED)
        p->route->serve(p->process, p->request);
    passage_destroy(p);
}

struct opening {
    struct http_access *access;
    struct gate *gate; /* NULL: it still stands, or is gone */
};

static bool is_through(const struct passage *p)
{
    return p && (p->stage == PASSED || p->stage == REFUSED);
}

static void open_gate(struct process *self UNUSED, void *args)
{
    struct opening *o = args;
    struct gate *g = o->gate;
    struct passage *p;

    while (is_through(p = list_first(&g->passages, struct passage, link)))
        serve(p);
    g->opens = false;
    if (!list_is_empty(&g->passages))
        o->gate = NULL;
}

/* Nobody stands there, or the process has ended. */
static void opening_release(void *args)
{
    struct opening *o = args;

    if (o->gate)
        gate_destroy(o->access, o->gate);
}

static void open_later(struct http_access *a, struct gate *g)
{
    struct passage *first = list_first(&g->passages, struct passage, link);

    if (g->opens || !is_through(first))
        return;
    g->opens = true;
    process_dispatch(&first->process->pid, open_gate, &(struct opening){ a, g },
                     sizeof(struct opening), opening_release);
}

/* ---- waiting ---- */

static void wait_here(struct passage *p);

static void is_settled(struct process *self, struct future *f UNUSED, void *op)
{
    struct passage *p = op;
    struct http_access *a = runtime_http_access(self->runtime);

    /* The process' end comes before its future's: then there is nothing to go on with. */
    if (future_state(p->future) == FUTURE_PENDING)
        refuse(p, 500, NULL);
    else if (!go_on(a, p))
        wait_here(p);
    open_later(a, gate_of(a, self));
}

static void wait_here(struct passage *p)
{
    future_finally(future_ref(p->future), p->process, is_settled, p);
}

void http_access_serve(struct process *self, const struct process_route *route,
                       struct http_request *r)
{
    struct http_access *a = runtime_http_access(self->runtime);
    struct passage *p;
    struct gate *g;
    bool waits;

    if (!atomic_load_explicit(&a->is_set, memory_order_relaxed)) {
        route->serve(self, r);
        http_request_unref(r);
        return;
    }
    p = mem_alloc(sizeof *p);
    *p = (struct passage){ .process = self, .route = route, .request = r };
    list_init(&p->link);
    if (is_stopped(a, p))
        p->stage = REFUSED;
    waits = !go_on(a, p);
    g = gate_of(a, self);
    if (!waits && !g) {
        serve(p);
        return;
    }
    if (!g)
        g = gate_create(a, self);
    list_append(&g->passages, &p->link);
    if (waits)
        wait_here(p);
}
