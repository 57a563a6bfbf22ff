/* test_http_access.c - firewall, authenticators and authorizers in front of the handlers */
#include <pthread.h>

#include "base/base64.h"
#include "process/authentication.h"
#include "process/http.h"
#include "process/http_access.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "tests/process/both.h"
#include "tests/unit.h"

/* ---- a process that writes down who came, in which order ---- */

struct house {
    struct process process;
    char visits[400];
};

#define ENDPOINTS(AT)                                                                              \
    AT("/open", serve_open, NULL)                                                                  \
    AT("/hall", serve_hall, NULL, "hall")                                                          \
    AT("/cellar", serve_cellar, NULL, "cellar")                                                    \
    AT("/rooms/{name}", serve_room, NULL, "hall")                                                  \
    AT("/visits", serve_visits, NULL)
ROUTES(house, house_routes, ENDPOINTS);
CLASS(house, "house", house_initialize, house_exited, house_finalize);

static void visit(struct house *h, struct http_request *r)
{
    const char *who = http_request_principal(r);
    const char *mark = http_request_query(r, "mark");
    size_t length = strlen(h->visits);
    char *text = mem_printf("hello %s", who ? who : "stranger");

    snprintf(h->visits + length, sizeof h->visits - length, "%s%s", mark ? mark : "",
             mark ? "," : "");
    http_answer(r, 200, "text/plain", text, strlen(text));
    mem_free(text);
}

static void serve_open(struct house *h, struct http_request *r)
{
    visit(h, r);
}

static void serve_hall(struct house *h, struct http_request *r)
{
    visit(h, r);
}

static void serve_cellar(struct house *h, struct http_request *r)
{
    visit(h, r);
}

static void serve_room(struct house *h, struct http_request *r)
{
    visit(h, r);
}

static void serve_visits(struct house *h, struct http_request *r)
{
    http_answer(r, 200, "text/plain", h->visits, strlen(h->visits));
}

static void house_initialize(struct house *h)
{
    process_route(&h->process, house_routes);
}
static void house_exited(struct house *h UNUSED, const struct pid *peer UNUSED) {}
static void house_finalize(struct house *h UNUSED) {}

static struct house house;
static struct pid house_pid;

static void start(void)
{
    struct error err;

    both_start((struct runtime_options){ 0 });
    memset(&house, 0, sizeof house);
    pid_release(&house_pid);
    ck_assert_int_eq(process_spawn(rt, &house.process, &house_class, "house", &house_pid, &err), 0);
}

static void stop(void)
{
    pid_release(&house_pid);
}

static uint64_t counted(const char *name)
{
    return counter_value(metrics_counter(rt, name));
}

/* ---- Basic ---- */

static struct authenticator *basic(const char *realm)
{
    static const struct authentication_credential known[] = { { "ann", "secret" },
                                                              { "bob", "" },
                                                              { "cat", "a:b" },
                                                              { "", "nobody" } };

    return authentication_basic(realm, known, 4);
}

/* The request of who has these words; NULL: none. */
static char *request(const char *path, const char *scheme, const char *words)
{
    struct buffer b = BUFFER_INIT;

    buffer_printf(&b, "GET %s HTTP/1.1\r\nHost: x\r\n", path);
    if (scheme)
        buffer_printf(&b, "Authorization: %s", scheme);
    if (words)
        base64_encode(words, strlen(words), &b);
    buffer_append_text(&b, scheme ? "\r\n\r\n" : "\r\n");
    return buffer_take(&b, NULL);
}

static void expect(const char *path, const char *scheme, const char *words, int status,
                   const char *part)
{
    char *text = request(path, scheme, words);

    both_expect(text, status, part);
    mem_free(text);
}

ON_BOTH(a_route_of_a_realm_wants_a_name_and_its_secret)
{
    start();
    http_access_set_authenticator(rt, "hall", basic("the hall"));
    expect("/house/hall", NULL, NULL, 401, "\r\nWWW-Authenticate: Basic realm=\"the hall\"\r\n");
    expect("/house/hall", NULL, NULL, 401, "\r\n\r\n401 Unauthorized.");
    expect("/house/hall", "Basic ", "ann:secret", 200, "hello ann");
    expect("/house/hall", "bAsIc  ", "ann:secret", 200, "hello ann");
    expect("/house/hall", "Basic ", "bob:", 200, "hello bob");
    expect("/house/hall", "Basic ", ":nobody", 200, "hello ");
    expect("/house/hall", "Basic ", "ann:secre", 401, NULL);
    expect("/house/hall", "Basic ", "ann:secrets", 401, NULL);
    expect("/house/hall", "Basic ", "ann:", 401, NULL);
    expect("/house/hall", "Basic ", "bob:secret", 401, NULL);
    expect("/house/hall", "Basic ", "dan:secret", 401, NULL);
    expect("/house/rooms/blue", NULL, NULL, 401, NULL);
    expect("/house/hall/below", NULL, NULL, 401, NULL);
    expect("/house/hall.json", NULL, NULL, 401, NULL);
    expect("/house/%68all", NULL, NULL, 401, NULL);
    ck_assert_uint_eq(counted("process/http_requests_refused_authentication"), 11);
    stop();
}

ON_BOTH(what_is_no_name_and_secret_is_refused)
{
    start();
    http_access_set_authenticator(rt, "hall", basic("hall"));
    expect("/house/hall", "Basic ", "ann", 401, NULL);
    expect("/house/hall", "Basic ", "cat:a:b", 401, NULL); /* three parts */
    expect("/house/hall", "Basic ", "", 401, NULL);
    expect("/house/hall", "Basic", NULL, 401, NULL);
    expect("/house/hall", "Basic ann:secret", NULL, 401, NULL);
    expect("/house/hall", "Basic YW5uOnNlY3JldA", NULL, 401, NULL); /* its padding is missing */
    expect("/house/hall", "Bearer ", "ann:secret", 401, NULL);
    stop();
}

ON_BOTH(only_realms_with_an_authenticator_are_closed)
{
    start();
    expect("/house/hall", NULL, NULL, 200, "hello stranger");
    http_access_set_authenticator(rt, "hall", basic("hall"));
    expect("/house/open", NULL, NULL, 200, "hello stranger");
    expect("/house/open", "Basic ", "ann:secret", 200, "hello stranger");
    expect("/house/cellar", NULL, NULL, 200, "hello stranger");
    http_access_set_authenticator(rt, "cellar", basic("cellar"));
    expect("/house/cellar", NULL, NULL, 401, "realm=\"cellar\"");
    http_access_set_authenticator(rt, "cellar", basic("another"));
    expect("/house/cellar", NULL, NULL, 401, "realm=\"another\"");
    http_access_set_authenticator(rt, "cellar", NULL);
    http_access_set_authenticator(rt, "cellar", NULL);
    expect("/house/cellar", NULL, NULL, 200, "hello stranger");
    expect("/house/hall", NULL, NULL, 401, NULL);
    stop();
}

/* ---- an authenticator that takes its time ---- */

struct slow {
    struct authenticator authenticator;
    pthread_mutex_t lock;
    struct promise *promises[20];
    unsigned asked; /* under the lock, as the promises */
};

static struct future *slow_authenticate(struct authenticator *a, struct http_request *r)
{
    struct slow *s = (struct slow *)a;
    struct future *f;

    ck_assert_str_ne(http_request_path(r), "/house/open");
    pthread_mutex_lock(&s->lock);
    s->promises[s->asked] = promise_create(&authentication_type);
    f = promise_future(s->promises[s->asked++]);
    pthread_mutex_unlock(&s->lock);
    host_notify(both_host);
    return f;
}

static void slow_destroy(struct authenticator *a)
{
    struct slow *s = (struct slow *)a;

    for (unsigned i = 0; i < s->asked; i++)
        promise_unref(s->promises[i]);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static struct slow *slow_create(void)
{
    static const struct authenticator_class class = { "slow", slow_authenticate, slow_destroy };
    struct slow *s = mem_alloc(sizeof *s);

    authentication_init(&s->authenticator, &class);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

struct asked {
    struct slow *slow;
    unsigned n;
};

static bool has_asked(void *arg)
{
    struct asked *a = arg;
    bool enough;

    pthread_mutex_lock(&a->slow->lock);
    enough = a->slow->asked >= a->n;
    pthread_mutex_unlock(&a->slow->lock);
    return enough;
}

static void wait_until_asked(struct slow *s, unsigned n)
{
    both_wait(has_asked, &(struct asked){ s, n });
}

static void decide(struct slow *s, unsigned i, struct future *f)
{
    pthread_mutex_lock(&s->lock);
    promise_follow(s->promises[i], f);
    promise_unref(s->promises[i]);
    s->promises[i] = NULL;
    pthread_mutex_unlock(&s->lock);
}

static void end(struct both_client *c, const char *status, const char *part)
{
    char *got = both_end(c);

    ck_assert_msg(strncmp(got + 9, status, 3) == 0 && strstr(got, part), "%s", got);
    mem_free(got);
}

ON_BOTH(handlers_start_in_the_order_in_which_requests_came)
{
    struct slow *s = slow_create();
    struct both_client *a, *b, *c, *d, *e;

    start();
    http_access_set_authenticator(rt, "hall", &s->authenticator);
    http_access_set_authenticator(rt, "cellar", basic("cellar"));
    a = both_begin_as(1, BOTH_GET("/house/hall?mark=a"));
    b = both_begin_as(2, BOTH_GET("/house/open?mark=b"));
    c = both_begin_as(3, BOTH_GET("/house/hall?mark=c"));
    d = both_begin_as(4, "GET /house/cellar?mark=d HTTP/1.1\r\n"
                    "Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n");
    e = both_begin_as(5, BOTH_GET("/house/cellar?mark=e"));
    wait_until_asked(s, 2);
    end(e, "401", "Basic");           /* who is refused need not wait for others */
    decide(s, 1, authentication_accept("cid"));
    ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
    ck_assert_str_eq(house.visits, "");
    decide(s, 0, authentication_accept("abe"));
    end(a, "200", "hello abe");
    end(b, "200", "hello stranger");
    end(c, "200", "hello cid");
    end(d, "200", "hello ann");
    both_expect(BOTH_GET("/house/visits"), 200, "\r\n\r\na,b,c,d,");
    stop();
}

ON_BOTH(who_is_known_but_has_no_name_is_refused)
{
    struct slow *s = slow_create();
    struct both_client *a;

    start();
    http_access_set_authenticator(rt, "hall", &s->authenticator);
    a = both_begin_as(1, BOTH_GET("/house/hall"));
    wait_until_asked(s, 1);
    decide(s, 0, authentication_accept(NULL));
    end(a, "403", "not by a name");
    expect("/house/visits", NULL, NULL, 200, "\r\n\r\n");
    ck_assert_uint_eq(counted("process/http_requests_refused_authentication"), 1);
    stop();
}

ON_BOTH(one_that_is_refused_lets_the_others_through)
{
    struct slow *s = slow_create();
    struct both_client *a, *b, *c, *d;

    start();
    http_access_set_authenticator(rt, "hall", &s->authenticator);
    a = both_begin_as(1, BOTH_GET("/house/hall?mark=a"));
    b = both_begin_as(2, BOTH_GET("/house/open?mark=b"));
    c = both_begin_as(3, BOTH_GET("/house/hall?mark=c"));
    d = both_begin_as(4, BOTH_GET("/house/hall?mark=d"));
    wait_until_asked(s, 3);
    decide(s, 0, authentication_forbid("Not you"));
    end(a, "403", "Not you");
    end(b, "200", "hello stranger");
    decide(s, 1, future_failed(&authentication_type, EIO, "the directory does not answer"));
    end(c, "500", "the directory does not answer");
    promise_discard(s->promises[2]);
    end(d, "500", "discarded future");
    both_expect(BOTH_GET("/house/visits"), 200, "\r\n\r\nb,");
    stop();
}

ON_BOTH(a_process_that_ends_answers_those_that_wait)
{
    struct slow *s = slow_create();
    struct both_client *a, *b, *c;

    start();
    http_access_set_authenticator(rt, "hall", &s->authenticator);
    a = both_begin_as(1, BOTH_GET("/house/hall?mark=a"));
    b = both_begin_as(2, BOTH_GET("/house/open?mark=b"));
    c = both_begin_as(3, BOTH_GET("/house/hall?mark=c"));
    wait_until_asked(s, 2);
    decide(s, 1, authentication_accept("cid"));
    process_terminate(&house_pid, TERMINATE_NOW);
    end(a, "500", "500 Internal Server Error.");
    end(b, "500", "500 Internal Server Error.");
    end(c, "500", "500 Internal Server Error.");
    ck_assert(process_wait(&house_pid, BOTH_PATIENCE));
    ck_assert_str_eq(house.visits, "");
    decide(s, 0, authentication_accept("abe"));
    both_expect(BOTH_GET("/house/hall"), 404, NULL);
    stop();
}

ON_BOTH(a_runtime_ends_while_requests_wait)
{
    struct slow *s = slow_create();
    struct both_client *a, *b;

    start();
    http_access_set_authenticator(rt, "hall", &s->authenticator);
    a = both_begin(BOTH_GET("/house/hall"), strlen(BOTH_GET("/house/hall")), 0);
    b = both_begin(BOTH_GET("/house/open") BOTH_GET("/house/hall"),
                   strlen(BOTH_GET("/house/open") BOTH_GET("/house/hall")), 0);
    wait_until_asked(s, 2);
    ck_assert_str_eq(house.visits, "");
    process_terminate(&house_pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&house_pid, BOTH_PATIENCE));
    runtime_destroy(rt);
    mem_free(both_end(a));
    mem_free(both_end(b));
    rt = runtime_create(both_host, &(struct runtime_options){ .bind.ip = both_seed ? BOTH_SERVER_IP
                                                                                   : 0 },
                        NULL); /* for both_stop */
    stop();
}

/* ---- several in turn ---- */

static struct future *never_authenticate(struct authenticator *a UNUSED,
                                         struct http_request *r UNUSED)
{
    return authentication_forbid("Never");
}

static void never_destroy(struct authenticator *a)
{
    mem_free(a);
}

static struct authenticator *never_create(void)
{
    static const struct authenticator_class class = { "never", never_authenticate, never_destroy };
    struct authenticator *a = mem_alloc(sizeof *a);

    authentication_init(a, &class);
    return a;
}

ON_BOTH(of_several_the_first_that_accepts_decides)
{
    static const struct authentication_credential other = { "zoe", "z" };

    start();
    http_access_set_authenticator(
        rt, "hall",
        authentication_combine((struct authenticator *[]){ never_create(), basic("one"),
                                                           authentication_basic("two", &other, 1) },
                               3));
    expect("/house/hall", NULL, NULL, 401,
           "\r\nWWW-Authenticate: Basic realm=\"one\", Basic realm=\"two\"\r\n");
    expect("/house/hall", "Basic ", "zoe:z", 200, "hello zoe");
    expect("/house/hall", "Basic ", "ann:secret", 200, "hello ann");
    http_access_set_authenticator(
        rt, "cellar",
        authentication_combine((struct authenticator *[]){ never_create(), never_create() }, 2));
    expect("/house/cellar", NULL, NULL, 403, "\r\n\r\nNever");
    http_access_set_authenticator(rt, "cellar", authentication_combine(NULL, 0));
    expect("/house/cellar", NULL, NULL, 403, "403 Forbidden.");
    stop();
}

ON_BOTH(several_may_take_their_time)
{
    struct slow *s = slow_create(), *t = slow_create();
    struct both_client *a, *b;

    start();
    http_access_set_authenticator(
        rt, "hall",
        authentication_combine(
            (struct authenticator *[]){ &s->authenticator, &t->authenticator, basic("late") }, 3));
    a = both_begin_as(1, BOTH_GET("/house/hall?mark=a"));
    wait_until_asked(s, 1);
    decide(s, 0, authentication_challenge("Slow"));
    wait_until_asked(t, 1);
    decide(t, 0, authentication_accept("tom"));
    end(a, "200", "hello tom");
    b = both_begin_as(2, BOTH_GET("/house/hall?mark=b"));
    wait_until_asked(s, 2);
    decide(s, 1, authentication_challenge("Slow"));
    wait_until_asked(t, 2);
    decide(t, 1, authentication_forbid(NULL));
    end(b, "401", "\r\nWWW-Authenticate: Slow, Basic realm=\"late\"\r\n");
    stop();
}

/* ---- the authorizer ---- */

/* Ann may have everything but the cellar; nothing is said about /house/open; the rest fails. */
static struct future *authorize(void *arg, const char *path, struct http_request *r)
{
    const char *who = http_request_principal(r);

    ck_assert_str_eq(arg, "arg");
    if (strcmp(path, "/house/open") == 0)
        return NULL;
    if (!who)
        return future_failed(&http_access_allowed_type, EIO, "nobody asked");
    return http_access_allowed_ready(strcmp(who, "ann") == 0 && strcmp(path, "/house/cellar") != 0);
}

ON_BOTH(an_authorizer_has_the_last_word)
{
    static char arg[] = "arg";

    start();
    http_access_set_authenticator(rt, "hall", basic("hall"));
    http_access_set_authorizer(rt, authorize, arg);
    expect("/house/open", NULL, NULL, 200, "hello stranger");
    expect("/house/hall", NULL, NULL, 401, NULL);
    expect("/house/hall/below", "Basic ", "ann:secret", 200, "hello ann");
    expect("/house/rooms/blue", "Basic ", "bob:", 403, "\r\n\r\n403 Forbidden.");
    expect("/house/cellar", NULL, NULL, 500, "nobody asked");
    http_access_set_authenticator(rt, "cellar", basic("cellar"));
    expect("/house/cellar", "Basic ", "ann:secret", 403, NULL);
    ck_assert_uint_eq(counted("process/http_requests_refused_authorization"), 2);
    http_access_set_authorizer(rt, NULL, NULL);
    expect("/house/cellar", "Basic ", "bob:", 200, "hello bob");
    stop();
}

static struct promise *verdict;
static atomic_bool is_asked;

static struct future *authorize_later(void *arg UNUSED, const char *path UNUSED,
                                      struct http_request *r)
{
    struct future *f;

    if (!http_request_query(r, "slow"))
        return NULL;
    f = promise_future(verdict);
    atomic_store(&is_asked, true);
    host_notify(both_host);
    return f;
}

static bool was_asked(void *arg UNUSED)
{
    return atomic_load(&is_asked);
}

ON_BOTH(an_authorizer_may_take_its_time_too)
{
    struct both_client *a, *b;

    start();
    atomic_store(&is_asked, false);
    verdict = promise_create(&http_access_allowed_type);
    http_access_set_authorizer(rt, authorize_later, NULL);
    a = both_begin_as(1, BOTH_GET("/house/open?slow&mark=a"));
    both_wait(was_asked, NULL);
    b = both_begin_as(2, BOTH_GET("/house/open?mark=b"));
    ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
    ck_assert_str_eq(house.visits, "");
    http_access_allowed_set(verdict, true);
    end(a, "200", "hello stranger");
    end(b, "200", "hello stranger");
    ck_assert_str_eq(house.visits, "a,b,");
    promise_unref(verdict);
    stop();
}

/* ---- the firewall ---- */

ON_BOTH(disabled_endpoints_answer_403)
{
    static const char *const paths[] = { "/house/hall", "/house/rooms/blue", "/help" };

    start();
    ck_assert_int_eq(http_access_disable(rt, paths, 3, NULL), 0);
    expect("/house/hall", NULL, NULL, 403, "\r\n\r\nEndpoint '/house/hall' is disabled");
    expect("/house/hall/below/", NULL, NULL, 403, "Endpoint '/house/hall/below' is disabled");
    expect("/house/hall.json", NULL, NULL, 403, NULL);
    expect("/house/%68all?x", NULL, NULL, 403, NULL);
    expect("/house/rooms/blue", NULL, NULL, 403, NULL);
    expect("/house/rooms/red", NULL, NULL, 200, NULL);
    expect("/help/house", NULL, NULL, 403, NULL);
    expect("/house/open", NULL, NULL, 200, NULL);
    expect("/nobody/hall", NULL, NULL, 404, NULL);
    runtime_set_delegate(rt, "house");
    expect("/hall", NULL, NULL, 403, "Endpoint '/house/hall' is disabled");
    ck_assert_uint_eq(counted("process/http_requests_refused_disabled"), 7);
    both_expect("POST /house/hall HTTP/1.1\r\nLibprocess-From: a@10.0.0.9:1\r\n\r\n", 202, NULL);
    ck_assert_int_eq(http_access_disable(rt, paths, 0, NULL), 0);
    expect("/house/hall", NULL, NULL, 200, NULL);
    stop();
}

ON_BOTH(what_is_no_endpoint_cannot_be_disabled)
{
    static const char *const bad[] = { "house/hall", "/", "/house/", "" };
    static const char *const good[] = { "/house/open" };
    struct error err;

    start();
    ck_assert_int_eq(http_access_disable(rt, good, 1, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(http_access_disable(rt, &bad[i], 1, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "is no endpoint"));
    }
    expect("/house/open", NULL, NULL, 403, NULL);
    stop();
}

/* ---- before anybody is heard ---- */

static struct both_client *early;

/* Whoever comes while it is decided what is open waits for it. */
static int close_version(struct runtime *runtime, void *arg, struct error *err)
{
    static const char *const paths[] = { "/version" };

    ck_assert_str_eq(arg, "arg");
    rt = runtime;
    early = both_begin(BOTH_GET("/version"), strlen(BOTH_GET("/version")), 1);
    if (both_seed)
        ck_assert(!host_wait(both_client_host, both_client_is_done, early,
                             instant_add(host_now(both_client_host), HOURS(1))));
    return http_access_disable(runtime, paths, 1, err);
}

ON_BOTH(what_is_set_in_time_counts_for_the_first_request)
{
    static char arg[] = "arg";

    both_start((struct runtime_options){ .prepare = close_version, .prepare_arg = arg });
    end(early, "403", "Endpoint '/version' is disabled");
}

static int be_unprepared(struct runtime *runtime UNUSED, void *arg UNUSED, struct error *err)
{
    return error_set(err, EINVAL, "not prepared");
}

START_TEST(what_cannot_be_prepared_does_not_start)
{
    struct runtime_options o = { .prepare = be_unprepared };
    struct host *host = place_host();
    struct error err;

    ck_assert_ptr_null(runtime_create(host, &o, &err));
    ck_assert_str_eq(err.text, "not prepared");
    place_leave(host);
}
END_TEST

UNIT(http_access, BOTH(who_is_known_but_has_no_name_is_refused),
     BOTH(what_is_set_in_time_counts_for_the_first_request), what_cannot_be_prepared_does_not_start,
     BOTH(a_route_of_a_realm_wants_a_name_and_its_secret),
     BOTH(what_is_no_name_and_secret_is_refused),
     BOTH(only_realms_with_an_authenticator_are_closed),
     BOTH(handlers_start_in_the_order_in_which_requests_came),
     BOTH(one_that_is_refused_lets_the_others_through),
     BOTH(a_process_that_ends_answers_those_that_wait), BOTH(a_runtime_ends_while_requests_wait),
     BOTH(of_several_the_first_that_accepts_decides), BOTH(several_may_take_their_time),
     BOTH(an_authorizer_has_the_last_word), BOTH(an_authorizer_may_take_its_time_too),
     BOTH(disabled_endpoints_answer_403), BOTH(what_is_no_endpoint_cannot_be_disabled));
