/* test_http_server.c - a runtime as a client on a socket sees it */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_parser.h"
#include "process/metrics.h"
#include "process/runtime.h"
#include "process/typed.h"
#include "tests/process/line.h"
#include "tests/unit.h"

/* ---- an actor with routes ---- */

struct web {
    struct process process;
    struct http_request *kept; /* by /keep, until /release */
    pthread_mutex_t lock;      /* of `kept`, for the test's own thread */
    bool asked_later;          /* by /later, under the lock too */
};

#define ENDPOINTS(AT)                                                                              \
    AT("", serve_root, "The root.")                                                                \
    AT("/hello", serve_hello, "Says hello.\nTo everybody.")                                        \
    AT("/echo", serve_echo, NULL)                                                                  \
    AT("/files/read", serve_rest, NULL)                                                            \
    AT("/files", serve_files, NULL)                                                                \
    AT("/json", serve_json, NULL)                                                                  \
    AT("/big", serve_big, NULL)                                                                    \
    AT("/post", serve_post, NULL)                                                                  \
    AT("/keep", serve_keep, NULL)                                                                  \
    AT("/release", serve_release, NULL)                                                            \
    AT("/forget", serve_forget, NULL)                                                              \
    AT("/later", serve_later, NULL)
ROUTES(web, web_routes, ENDPOINTS);
CLASS(web, "web", web_initialize, web_exited, web_finalize);

static void say(struct http_request *r, const char *text)
{
    http_answer(r, 200, "text/plain", text, strlen(text));
}

static void serve_root(struct web *w UNUSED, struct http_request *r)
{
    say(r, "root");
}
static void serve_hello(struct web *w UNUSED, struct http_request *r)
{
    say(r, "hello");
}
static void serve_forget(struct web *w UNUSED, struct http_request *r UNUSED) {}
static void serve_files(struct web *w UNUSED, struct http_request *r)
{
    say(r, http_request_rest(r));
}

static void serve_rest(struct web *w UNUSED, struct http_request *r)
{
    say(r, http_request_rest(r));
}

static void serve_echo(struct web *w UNUSED, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;
    const char *a = http_request_query(r, "a"), *agent = http_request_header(r, "x-agent");
    size_t size;
    const char *sent = http_request_body(r, &size);

    buffer_printf(&body, "%s %s a=%s agent=%s body=", http_request_method(r), http_request_path(r),
                  a ? a : "(none)", agent ? agent : "(none)");
    buffer_append(&body, sent, size);
    http_answer_header(r, "X-Sent", "one\r\nInjected: two");
    http_answer_buffer(r, 200, "text/plain", &body);
}

static void serve_json(struct web *w UNUSED, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;

    buffer_append_text(&body, "{}");
    http_answer_json(r, &body);
}

enum { BIG = 3 << 20 };

static void serve_big(struct web *w UNUSED, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;

    memset(buffer_reserve(&body, BIG), 'b', BIG);
    buffer_commit(&body, BIG);
    http_answer_buffer(r, 200, "text/plain", &body);
}

static void serve_post(struct web *w UNUSED, struct http_request *r)
{
    if (http_require_method(r, "POST"))
        say(r, "posted");
}

static void serve_keep(struct web *w, struct http_request *r)
{
    pthread_mutex_lock(&w->lock);
    w->kept = http_request_ref(r);
    pthread_mutex_unlock(&w->lock);
    host_notify(runtime_host(w->process.runtime));
}

static void serve_release(struct web *w, struct http_request *r)
{
    struct http_request *kept;

    pthread_mutex_lock(&w->lock);
    kept = w->kept;
    w->kept = NULL;
    pthread_mutex_unlock(&w->lock);
    say(kept, "kept");
    http_request_unref(kept);
    say(r, "released");
}

struct later_args {
    struct http_request *request;
};

static void later_release(struct later_args *a)
{
    http_request_unref(a->request);
}

CALL(web, answer_later, later_args, later_release);

static void answer_later(struct web *w UNUSED, struct later_args *a)
{
    say(a->request, "later");
}

static void serve_later(struct web *w, struct http_request *r)
{
    delay(&w->process.pid, HOURS(1), answer_later, .request = http_request_ref(r));
    pthread_mutex_lock(&w->lock);
    w->asked_later = true;
    pthread_mutex_unlock(&w->lock);
    host_notify(runtime_host(w->process.runtime));
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

/* ---- a node with it, and a client ---- */

static struct host *host;
static struct runtime *rt;
static struct web web;

static void start(struct runtime_options o)
{
    struct error err;

    host = place_host();
    if (!o.workers)
        o.workers = 2;
    rt = runtime_create(host, &o, &err);
    ck_assert_msg(rt != NULL, "%s", err.text);
    memset(&web, 0, sizeof web);
    pthread_mutex_init(&web.lock, NULL);
    ck_assert_int_eq(process_spawn(rt, &web.process, &web_class, "web", NULL, &err), 0);
}

static void stop(void)
{
    runtime_destroy(rt);
    place_leave(host);
}

static bool has_kept(void *arg UNUSED)
{
    bool has;

    pthread_mutex_lock(&web.lock);
    has = web.kept != NULL;
    pthread_mutex_unlock(&web.lock);
    return has;
}

static bool was_asked_later(void *arg UNUSED)
{
    bool asked;

    pthread_mutex_lock(&web.lock);
    asked = web.asked_later;
    pthread_mutex_unlock(&web.lock);
    return asked;
}

static struct line *client(void)
{
    return line_open(runtime_address(rt));
}

/* One answer: head and body, apart. */
struct answer {
    int status;
    char *head, *body;
    size_t body_size;
};

static struct buffer unread; /* of the one connection that is read */

static struct answer get_answer(struct line *l, bool head_only)
{
    static const struct http_parser_limits limits = { 1000, 100000, 1 << 24 };
    enum http_parser_result result;
    struct http_parser p;

    http_parser_init(&p, HTTP_PARSER_RESPONSE, &limits);
    if (head_only)
        http_parser_expect_no_body(&p);
    while ((result = http_parser_run(&p, buffer_data(&unread), buffer_length(&unread))) ==
           HTTP_PARSER_MORE)
        if (!line_more(l, &unread)) {
            result = http_parser_end(&p, buffer_length(&unread));
            break;
        }
    ck_assert_msg(result == HTTP_PARSER_DONE, "no answer");
    struct answer a = { p.response_status, mem_strndup(buffer_data(&unread), p.body.at),
                        mem_strndup(buffer_data(&unread) + p.body.at, p.body.length),
                        p.body.length };
    buffer_consume(&unread, p.consumed);
    http_parser_release(&p);
    return a;
}

static void release(struct answer *a)
{
    mem_free(a->head);
    mem_free(a->body);
}

static void check_answer(struct line *l, int status, const char *body)
{
    struct answer a = get_answer(l, false);

    ck_assert_str_eq(a.body, body);
    ck_assert_int_eq(a.status, status);
    release(&a);
}

static void hang_up(struct line *l)
{
    ck_assert_uint_eq(buffer_length(&unread), 0);
    buffer_release(&unread);
    line_close(l);
}

static void check_closed(struct line *l)
{
    ck_assert(!line_more(l, &unread));
    hang_up(l);
}

#define VERSIONS                                                                                   \
    "\"mesos_lite_version\":\"" PACKAGE_VERSION "\",\"version\":\"" PACKAGE_VERSION "\"}"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void check_get(const char *path, int status, const char *body)
{
    char request[500];
    struct line *l = client();

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    line_put(l, request);
    check_answer(l, status, body);
    hang_up(l);
}

static void check_get_has(const char *path, const char *part)
{
    char request[200];
    struct line *l = client();

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nUser-Agent: curl/8\r\n\r\n", path);
    line_put(l, request);
    struct answer a = get_answer(l, false);
    ck_assert_int_eq(a.status, 200);
    ck_assert_msg(strstr(a.body, part) != NULL, "%s: %s", path, a.body);
    release(&a);
    hang_up(l);
}

START_TEST(a_route_answers_with_the_headers_of_a_mesos)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/hello"));
    struct answer a = get_answer(l, false);
    ck_assert_int_eq(strncmp(a.head, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    ck_assert_ptr_nonnull(
        strstr(a.head, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"));
    ck_assert_str_eq(a.body, "hello");
    release(&a);
    hang_up(l);
    stop();
}
END_TEST

START_TEST(paths_find_the_longest_route)
{
    start((struct runtime_options){ 0 });
    check_get("/web", 200, "root");
    check_get("/web/", 200, "root");
    check_get("/web/hello/", 200, "hello");
    check_get("/web/hello.json", 200, "hello");
    check_get("/web/nothing", 200, "root");
    check_get("/%77eb/hel%6co", 200, "hello");
    check_get("/web/files/read/a/b", 200, "/a/b");
    check_get("/web/files/read", 200, "");
    check_get("/web/files/other", 200, "/other");
    check_get("/web/filesystem", 200, "root");
    check_get("http://elsewhere/web/hello", 200, "hello");
    stop();
}
END_TEST

START_TEST(unknown_paths_are_not_found)
{
    start((struct runtime_options){ 0 });
    check_get("/nobody/state", 404, "404 Not Found.");
    check_get("/", 404, "404 Not Found.");
    check_get("/web/../web/hello", 404, "404 Not Found.");
    check_get("/web/%2e%2e/hello", 404, "404 Not Found.");
    check_get_has("/version/nothing", VERSIONS);
    check_get("/logging/nothing", 404, "404 Not Found.");
    stop();
}
END_TEST

START_TEST(the_delegate_gets_what_names_nobody)
{
    start((struct runtime_options){ 0 });
    runtime_set_delegate(rt, "web");
    check_get("/", 200, "root");
    check_get("/hello", 200, "hello");
    check_get("/files/x", 200, "/x");
    check_get_has("/version?x", VERSIONS);
    stop();
}
END_TEST

START_TEST(a_handler_sees_the_request)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(
        l,
        "PUT /web/e%63ho?a=1&b&a=%41+x HTTP/1.1\r\nX-Agent:  me \r\nContent-Length: 4\r\n\r\nbody"
        "PUT /web/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n");
    struct answer a = get_answer(l, false);
    ck_assert_str_eq(a.body, "PUT /web/echo a=A x agent=me body=body");
    ck_assert_ptr_nonnull(strstr(a.head, "\r\nX-Sent: oneInjected: two\r\n"));
    release(&a);
    check_answer(l, 200, "PUT /web/echo a=(none) agent=(none) body=body");
    hang_up(l);
    check_get("/web/json?jsonp=f", 200, "f({})");
    check_get("/web/echo?a=%4", 400, "malformed % escape at character 1");
    stop();
}
END_TEST

START_TEST(a_method_that_is_not_allowed_is_told_which_is)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/post"));
    struct answer a = get_answer(l, false);
    ck_assert_int_eq(a.status, 405);
    ck_assert_str_eq(a.body,
                     "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.");
    ck_assert_ptr_nonnull(strstr(a.head, "\r\nAllow: POST\r\n"));
    release(&a);
    hang_up(l);
    stop();
}
END_TEST

START_TEST(answers_leave_in_the_order_of_the_requests)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/keep") GET("/web/hello") GET("/nobody") GET("/web/release") GET("/web"));
    check_answer(l, 200, "kept");
    check_answer(l, 200, "hello");
    check_answer(l, 404, "404 Not Found.");
    check_answer(l, 200, "released");
    check_answer(l, 200, "root");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(more_requests_than_are_read_at_once_are_all_answered)
{
    start((struct runtime_options){ 0 });
    struct buffer requests = BUFFER_INIT;
    struct line *l = client();
    for (int i = 0; i < 1000; i++)
        buffer_append_text(&requests, i == 500 ? GET("/web/keep") : GET("/web/hello"));
    line_put(l, buffer_data(&requests));
    for (int i = 0; i < 500; i++)
        check_answer(l, 200, "hello");

    place_until(host, has_kept, NULL);
    pthread_mutex_lock(&web.lock);
    struct http_request *kept = web.kept;
    web.kept = NULL;
    pthread_mutex_unlock(&web.lock);
    say(kept, "from another thread");
    http_request_unref(kept);

    check_answer(l, 200, "from another thread");
    for (int i = 501; i < 1000; i++)
        check_answer(l, 200, "hello");
    buffer_release(&requests);
    hang_up(l);
    stop();
}
END_TEST

START_TEST(a_large_answer_arrives_whole)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/big") GET("/web/hello"));
    struct answer a = get_answer(l, false);
    ck_assert_uint_eq(a.body_size, BIG);
    release(&a);
    check_answer(l, 200, "hello");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(a_head_request_gets_the_head_only)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, "HEAD /web/hello HTTP/1.1\r\n\r\n");
    struct answer a = get_answer(l, true);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Length: 5\r\n"));
    release(&a);
    line_put(l, GET("/web"));
    check_answer(l, 200, "root");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(a_connection_is_closed_when_the_peer_asks)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, "GET /web/hello HTTP/1.1\r\nConnection: close\r\n\r\n" GET("/web"));
    struct answer a = get_answer(l, false);
    ck_assert_ptr_nonnull(strstr(a.head, "\r\nConnection: close\r\n"));
    release(&a);
    check_closed(l);

    l = client();
    line_put(l, "GET /web/hello HTTP/1.0\r\n\r\n");
    check_answer(l, 200, "hello");
    check_closed(l);

    l = client();
    line_put(l, "GET /web/hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    a = get_answer(l, false);
    ck_assert_ptr_nonnull(strstr(a.head, "\r\nConnection: Keep-Alive\r\n"));
    release(&a);
    line_put(l, GET("/web"));
    check_answer(l, 200, "root");
    hang_up(l);
    stop();
}
END_TEST

/* The simulated network has no connections that are closed one way. */
START_TEST(a_peer_that_sends_nothing_more_still_gets_its_answers)
{
    if (place_is_simulated())
        return;
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/keep") GET("/web/release"));
    shutdown(l->fd, SHUT_WR);
    check_answer(l, 200, "kept");
    check_answer(l, 200, "released");
    check_closed(l);
    stop();
}
END_TEST

START_TEST(what_is_no_http_is_refused_and_closed)
{
    start((struct runtime_options){ .max_body_bytes = 10, .max_head_bytes = 200 });
    struct line *l = client();
    line_put(l, GET("/web/hello") "POST / HTTP/1.1\r\nContent-Length: 1\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n");
    check_answer(l, 200, "hello");
    check_answer(l, 400, "Both Content-Length and Transfer-Encoding");
    check_closed(l);

    l = client();
    line_put(l, "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n");
    check_answer(l, 413, "The body is too long");
    check_closed(l);

    struct buffer long_head = BUFFER_INIT;
    buffer_append_text(&long_head, "GET / HTTP/1.1\r\nA: ");
    for (int i = 0; i < 300; i++)
        buffer_append_char(&long_head, 'a');
    l = client();
    line_put(l, buffer_data(&long_head));
    check_answer(l, 431, "The request's headers are too long");
    check_closed(l);
    buffer_release(&long_head);
    stop();
}
END_TEST

START_TEST(a_request_that_comes_too_slowly_is_told_so)
{
    start((struct runtime_options){ .head_timeout = SECONDS(10) });
    runtime_clock_pause(rt);
    struct line *idle = client(), *l = client();
    line_put(l, GET("/web/hello") "GET /web/hello HTTP/1.1\r\nHo");
    check_answer(l, 200, "hello");
    while (!line_has_input(l)) { /* what has come is still to be read, at first */
        ck_assert(runtime_clock_settle(rt, SECONDS(30)));
        runtime_clock_advance(rt, SECONDS(20));
    }
    check_answer(l, 408, "The request did not arrive in time");
    check_closed(l);
    line_put(idle, GET("/web/hello")); /* without a byte there is nothing to be late with */
    check_answer(idle, 200, "hello");
    hang_up(idle);
    stop();
}
END_TEST

START_TEST(a_client_that_asks_may_go_on_with_its_body)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, "POST /web/echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct answer a = get_answer(l, false);
    ck_assert_int_eq(a.status, 100);
    release(&a);
    line_put(l, "hi");
    check_answer(l, 200, "POST /web/echo a=(none) agent=(none) body=hi");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(a_request_that_nobody_answers_gets_500)
{
    start((struct runtime_options){ 0 });
    check_get("/web/forget", 500, "500 Internal Server Error.");

    struct line *l = client();
    line_put(l, GET("/web/keep"));
    place_until(host, has_kept, NULL);
    struct pid pid;
    ck_assert(runtime_find(rt, "web", &pid));
    process_terminate(&pid, TERMINATE_NOW);
    check_answer(l, 500, "500 Internal Server Error.");
    ck_assert(process_wait(&pid, SECONDS(30)));
    line_put(l, GET("/web/hello"));
    check_answer(l, 404, "404 Not Found.");
    pid_release(&pid);
    hang_up(l);
    stop();
}
END_TEST

/* The timer's end, which answers, comes when the processes are gone. */
START_TEST(a_request_that_a_timer_holds_ends_with_the_runtime)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/web/later"));
    place_until(host, was_asked_later, NULL);
    stop();
    check_answer(l, 500, "500 Internal Server Error.");
    check_closed(l);
}
END_TEST

START_TEST(messages_from_the_wire_get_202_or_404)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
#define MESSAGE(path) "POST " path " HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:9\r\n\r\n"
    line_put(l, MESSAGE("/web/some.Message") MESSAGE("/nobody/some.Message") MESSAGE("/w%65b/")
                    GET("/web/hello") MESSAGE("/%zz/m") MESSAGE("web") MESSAGE("/web/m"));
    struct answer a = get_answer(l, false);
    ck_assert_int_eq(a.status, 202);
    ck_assert_ptr_null(strstr(a.head, "Content-Type"));
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Length: 0\r\n"));
    release(&a);
    check_answer(l, 404, "404 Not Found.");
    check_answer(l, 202, "");
    check_answer(l, 200, "hello");
    a = get_answer(l, false);
    ck_assert_int_eq(a.status, 500);
    release(&a);
    check_answer(l, 400, "Request URL path must start with '/'");
    check_answer(l, 202, "");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(more_connections_than_allowed_are_closed_at_once)
{
    start((struct runtime_options){ .max_connections = 2 });
    struct line *first = client(), *second = client();
    line_put(first, GET("/web/hello"));
    check_answer(first, 200, "hello");
    line_put(second, GET("/web/hello"));
    check_answer(second, 200, "hello");
    check_closed(client());
    hang_up(first);
    hang_up(second);
    stop();
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_closed)
{
    start((struct runtime_options){ .max_output_bytes = 1 << 20 });
    struct line *l = client();
    for (int i = 0; i < 20; i++)
        line_put(l, GET("/web/big"));
    while (line_more(l, &unread))
        ;
    ck_assert_uint_lt(buffer_length(&unread), (size_t)20 * BIG);
    buffer_release(&unread);
    line_close(l);
    stop();
}
END_TEST

START_TEST(the_help_is_made_from_the_routes)
{
    start((struct runtime_options){ 0 });
    check_get_has("/help", "* [/web](/help/web)\n");
    check_get_has("/help/web", "* [/web/hello](/help/web/hello)\n");
    check_get_has("/help/web/hello",
                  "### USAGE ###\n>        /web/hello\n\n### TL;DR; ###\nSays hello.\n"
                  "\n### DESCRIPTION ###\nTo everybody.\n");
    check_get_has("/help?format=json", "{\"name\":\"/hello\",\"text\":\"### USAGE ###");
    check_get_has("/help/logging/toggle", "\n### AUTHENTICATION ###\n");
    check_get_has("/help/logging/toggle", "`readwrite`");
    check_get_has("/help/logging/toggle", "\n### AUTHORIZATION ###\n");
    check_get("/help/nobody", 404, "No help page for '/nobody'.\n");
    check_get_has("/__processes__", "\"id\":\"web\"}");
    stop();
}
END_TEST

START_TEST(a_browser_gets_the_help_as_a_page)
{
    start((struct runtime_options){ 0 });
    struct line *l = client();
    line_put(l, GET("/help/web/hello") GET("/help"));
    struct answer a = get_answer(l, false);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: text/html; charset=utf-8\r\n"));
    ck_assert_str_eq(strstr(a.body, "<body>"),
                     "<body>\n<h3>USAGE</h3>\n<pre>/web/hello\n</pre>\n<h3>TL;DR;</h3>\n"
                     "<p>Says hello.\n</p>\n<h3>DESCRIPTION</h3>\n<p>To everybody.\n</p>\n"
                     "</body></html>\n");
    release(&a);
    a = get_answer(l, false);
    ck_assert_ptr_nonnull(strstr(a.body, "\n<ul>\n<li><a href=\"/help/"));
    ck_assert_ptr_nonnull(strstr(a.body, "<li><a href=\"/help/web\">/web</a></li>\n"));
    release(&a);
    line_put(l, "GET /help/web HTTP/1.1\r\nUser-Agent: HTTPie/3.2\r\n\r\n");
    a = get_answer(l, false);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: text/x-markdown\r\n"));
    release(&a);
    hang_up(l);
    stop();
}
END_TEST

START_TEST(the_log_level_is_toggled_for_a_time)
{
    start((struct runtime_options){ 0 });
    runtime_clock_pause(rt);
    check_get("/logging/toggle", 200, "0\n");
    check_get("/logging/toggle?level=1", 400, "Expecting 'duration=value' in query.\n");
    check_get("/logging/toggle?duration=1secs", 400, "Expecting 'level=value' in query.\n");
    check_get("/logging/toggle?level=-1&duration=1secs", 400,
              "Invalid level '-1': it is negative.\n");
    check_get("/logging/toggle?level=1&duration=10mins", 200, "");
    check_get("/logging/toggle", 200, "1\n");
    runtime_clock_advance(rt, MINUTES(11));
    ck_assert(runtime_clock_settle(rt, MINUTES(1)));
    check_get("/logging/toggle", 200, "0\n");
    stop();
}
END_TEST

/* One worker: what one read brings is queued before the actor runs; of a hundred requests
 * one read brings two at least. */
START_TEST(a_request_to_a_busy_actor_gets_503)
{
    start((struct runtime_options){ .workers = 1, .max_mailbox_events = 1 });
    ck_assert(runtime_clock_settle(rt, SECONDS(30)));
    struct line *l = client();
    struct buffer requests = BUFFER_INIT;
    int served = 0, refused = 0;
    for (int i = 0; i < 100; i++)
        buffer_append_text(&requests, GET("/web/hello"));
    line_put(l, buffer_data(&requests));
    for (int i = 0; i < 100; i++) {
        struct answer a = get_answer(l, false);
        served += a.status == 200;
        refused += a.status == 503 && strcmp(a.body, "503 Service Unavailable.") == 0;
        release(&a);
    }
    ck_assert_int_gt(served, 0);
    ck_assert_int_gt(refused, 0);
    ck_assert_int_eq(served + refused, 100);
    buffer_release(&requests);
    line_put(l, GET("/web/hello"));
    check_answer(l, 200, "hello");
    hang_up(l);
    stop();
}
END_TEST

START_TEST(a_connection_waits_until_its_receiver_has_caught_up)
{
    start((struct runtime_options){ .workers = 1, .max_mailbox_events = 1 });
    ck_assert(runtime_clock_settle(rt, SECONDS(30)));
    struct buffer messages = BUFFER_INIT;
    struct line *l = client();
    for (int i = 0; i < 100; i++)
        buffer_append_text(&messages, MESSAGE("/web/some.Message"));
    line_put(l, buffer_data(&messages));
    for (int i = 0; i < 100; i++)
        check_answer(l, 202, "");
    ck_assert_uint_eq(counter_value(metrics_counter(rt, "process/connections_paused")), 100);
    line_put(l, GET("/web/hello"));
    check_answer(l, 200, "hello");
    buffer_release(&messages);
    hang_up(l);
    stop();
}
END_TEST

UNIT(http_server, a_route_answers_with_the_headers_of_a_mesos, paths_find_the_longest_route,
     unknown_paths_are_not_found, the_delegate_gets_what_names_nobody, a_handler_sees_the_request,
     a_method_that_is_not_allowed_is_told_which_is, answers_leave_in_the_order_of_the_requests,
     more_requests_than_are_read_at_once_are_all_answered, a_large_answer_arrives_whole,
     a_head_request_gets_the_head_only, a_connection_is_closed_when_the_peer_asks,
     a_peer_that_sends_nothing_more_still_gets_its_answers, what_is_no_http_is_refused_and_closed,
     a_request_that_comes_too_slowly_is_told_so, a_client_that_asks_may_go_on_with_its_body,
     a_request_that_nobody_answers_gets_500, a_request_that_a_timer_holds_ends_with_the_runtime,
     messages_from_the_wire_get_202_or_404, more_connections_than_allowed_are_closed_at_once,
     a_peer_that_does_not_read_is_closed, the_help_is_made_from_the_routes,
     a_browser_gets_the_help_as_a_page, the_log_level_is_toggled_for_a_time,
     a_request_to_a_busy_actor_gets_503, a_connection_waits_until_its_receiver_has_caught_up);
