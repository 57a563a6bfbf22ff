/* test_http_client.c - asking another node over HTTP, on the real and on the simulated host */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "process/http.h"
#include "process/http_client.h"
#include "process/sim.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { BIG = 3 * 1000 * 1000 };

/* ---- an actor that answers ---- */

struct web {
    struct process process;
    struct http_request *kept;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/hello", serve_hello, NULL)                                                                \
    AT("/empty", serve_empty, NULL)                                                                \
    AT("/big", serve_big, NULL)                                                                    \
    AT("/query", serve_query, NULL)                                                                \
    AT("/keep", serve_keep, NULL)
ROUTES(web, web_routes, ENDPOINTS);
CLASS(web, "web", web_initialize, web_exited, web_finalize);

static void serve_hello(struct web *w UNUSED, struct http_request *r)
{
    http_answer(r, 200, "text/plain", "hello", 5);
}

static void serve_empty(struct web *w UNUSED, struct http_request *r)
{
    http_answer(r, 200, NULL, "", 0);
}

static char big_byte(size_t i)
{
    return (char)(i * 7 ^ i >> 9);
}

static void serve_big(struct web *w UNUSED, struct http_request *r)
{
    char *bytes = mem_alloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        bytes[i] = big_byte(i);
    http_answer(r, 200, "application/octet-stream", bytes, BIG);
    mem_free(bytes);
}

static void serve_query(struct web *w UNUSED, struct http_request *r)
{
    const char *path = http_request_query(r, "path");

    http_answer(r, 200, "text/plain", path, strlen(path));
}

static void serve_keep(struct web *w, struct http_request *r)
{
    if (w->kept)
        http_request_unref(w->kept);
    w->kept = http_request_ref(r);
}

static void web_initialize(struct web *w)
{
    process_route(&w->process, web_routes);
}

static void web_exited(struct web *w UNUSED, const struct pid *peer UNUSED) {}

static void web_finalize(struct web *w)
{
    if (w->kept)
        http_request_unref(w->kept);
    w->kept = NULL;
}

/* ---- one server, one client ---- */

static struct web web;
static struct node server, client;
static struct sim *sim;

static void start_web(void)
{
    struct error err;

    ck_assert_msg(process_spawn(server.rt, &web.process, &web_class, "web", NULL, &err) == 0, "%s",
                  err.text);
}

static void start_real(void)
{
    server = node_start(2);
    client = node_start(2);
    start_web();
}

static void start_simulated(void)
{
    struct sim_node *one, *two;
    struct runtime_options o1 = { .bind = { 0x0a000001, 5050 } };
    struct runtime_options o2 = { .bind = { 0x0a000002, 5050 } };
    struct error err;

    sim = sim_create(place_seed(11));
    one = sim_node_create(sim, "one", 0x0a000001);
    two = sim_node_create(sim, "two", 0x0a000002);
    server.host = sim_host_create(one, "server");
    client.host = sim_host_create(two, "client");
    server.rt = runtime_create(server.host, &o1, &err);
    client.rt = runtime_create(client.host, &o2, &err);
    start_web();
}

static void stop(void)
{
    node_stop(&client);
    node_stop(&server);
    if (sim)
        sim_destroy(sim);
    sim = NULL;
}

static struct future *get(const char *path, size_t max_body, struct duration timeout)
{
    char address[ADDRESS_TEXT];
    char *url =
        mem_printf("http://%s%s", address_format(runtime_address(server.rt), address), path);
    struct future *f = http_get(client.rt, url, max_body, timeout);

    mem_free(url);
    ck_assert(future_wait(f, client.host, MINUTES(20)));
    return f;
}

static void check_answer(const char *path, int status, const char *body)
{
    struct future *f = get(path, 1000, LONG);
    const struct http_response *r;

    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
    r = http_response_get(f);
    ck_assert_int_eq(r->status, status);
    ck_assert_str_eq(r->body, body);
    ck_assert_uint_eq(r->size, strlen(body));
    future_unref(f);
}

static void check_fails(struct future *f, int code, const char *words)
{
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_int_eq(future_error(f)->code, code);
    ck_assert_msg(strstr(future_error(f)->text, words), "%s", future_error(f)->text);
    future_unref(f);
}

static void check_big(void)
{
    struct future *f = get("/web/big", BIG, LONG);
    const struct http_response *r = http_response_get(f);

    ck_assert_uint_eq(r->size, BIG);
    for (size_t i = 0; i < BIG; i++)
        if (r->body[i] != big_byte(i))
            ck_abort_msg("byte %zu differs", i);
    future_unref(f);
}

static void check_all(void)
{
    check_answer("/web/hello", 200, "hello");
    check_answer("/web/empty", 200, "");
    check_answer("/web/query?path=%2Fa%20b", 200, "/a b");
    check_big();
    check_fails(get("/web/big", BIG - 1, LONG), EMSGSIZE, "longer than 2999999 bytes");
}

START_TEST(an_answer_comes_whole_and_within_its_limit)
{
    start_real();
    check_all();
    stop();
}
END_TEST

START_TEST(it_is_the_same_in_the_simulated_world)
{
    start_simulated();
    check_all();
    stop();
}
END_TEST

START_TEST(an_error_status_is_an_answer)
{
    struct future *f;

    start_real();
    f = get("/web/nothing-here", 1000, LONG);
    ck_assert_int_eq(http_response_get(f)->status, 404);
    future_unref(f);
    stop();
}
END_TEST

START_TEST(an_answer_that_does_not_come_fails_at_the_time_out)
{
    struct instant before;

    start_simulated();
    before = sim_now(sim);
    check_fails(get("/web/keep", 1000, SECONDS(30)), ETIMEDOUT, "no whole answer within 30 s");
    ck_assert_int_ge(instant_since(sim_now(sim), before).ns, SECONDS(30).ns);
    stop();
}
END_TEST

START_TEST(a_peer_that_breaks_off_is_a_failure)
{
    struct future *f;
    char url[100], address[ADDRESS_TEXT];

    start_simulated();
    snprintf(url, sizeof url, "http://%s/web/keep",
             address_format(runtime_address(server.rt), address));
    f = http_get(client.rt, url, 1000, MINUTES(1));
    sim_run_for(sim, SECONDS(1));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    sim_break_connections(sim_host_node(server.host), sim_host_node(client.host));
    ck_assert(future_wait(f, client.host, SECONDS(10)));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    future_unref(f);
    stop();
}
END_TEST

START_TEST(where_nobody_listens_is_a_failure)
{
    struct future *f;

    start_simulated();
    f = http_get(client.rt, "http://10.0.0.1:9/x", 1000, MINUTES(1));
    ck_assert(future_wait(f, client.host, MINUTES(2)));
    check_fails(f, ECONNREFUSED, "GET http://10.0.0.1:9/x: ");
    stop();
}
END_TEST

START_TEST(a_host_name_is_resolved_or_the_failure_names_it)
{
    struct future *f;

    start_simulated();
    f = http_get(client.rt, "http://one:5050/web/hello", 1000, MINUTES(1));
    ck_assert(future_wait(f, client.host, MINUTES(2)));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_str_eq(http_response_get(f)->body, "hello");
    future_unref(f);
    f = http_get(client.rt, "http://nowhere:5050/web/hello", 1000, MINUTES(1));
    ck_assert(future_wait(f, client.host, MINUTES(2)));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_ptr_nonnull(strstr(future_error(f)->text, "nowhere"));
    future_unref(f);
    stop();
}
END_TEST

START_TEST(what_is_no_url_is_refused_at_once)
{
    static const char *const urls[] = { "",           "ftp://a/",       "http://",
                                        "http:///x",  "http://a:0/",    "http://a:65536/",
                                        "http://a:/", "http://a b/",    "http://u@a/",
                                        "http://a/#", "http://a/\r\nx", "http://[::1]/" };

    start_simulated();
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
        check_fails(http_get(client.rt, urls[i], 1000, LONG), EINVAL, urls[i][0] ? "http" : "URL");
    stop();
}
END_TEST

START_TEST(a_runtime_that_ends_discards_what_is_asked)
{
    struct future *f;
    char url[100], address[ADDRESS_TEXT];

    start_real();
    snprintf(url, sizeof url, "http://%s/web/keep",
             address_format(runtime_address(server.rt), address));
    f = http_get(client.rt, url, 1000, LONG);
    stop();
    ck_assert_int_ne(future_state(f), FUTURE_PENDING);
    ck_assert_int_ne(future_state(f), FUTURE_READY);
    future_unref(f);
}
END_TEST

UNIT(http_client, an_answer_comes_whole_and_within_its_limit,
     it_is_the_same_in_the_simulated_world, an_error_status_is_an_answer,
     an_answer_that_does_not_come_fails_at_the_time_out, a_peer_that_breaks_off_is_a_failure,
     where_nobody_listens_is_a_failure, a_host_name_is_resolved_or_the_failure_names_it,
     what_is_no_url_is_refused_at_once, a_runtime_that_ends_discards_what_is_asked);
