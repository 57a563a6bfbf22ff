/* test_http_strict.c - a connection with what is no clear HTTP, and with all that is
 *
 * Whatever can be read in two ways is refused, and nothing behind it is read: so
 * nobody in front of us can be made to take a part of a body for a request.
 */
#include "process/http.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "tests/process/both.h"
#include "tests/unit.h"

struct desk {
    struct process process;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/echo", serve_echo, NULL)                                                                  \
    AT("/stolen", serve_stolen, NULL)
ROUTES(desk, desk_routes, ENDPOINTS);
CLASS(desk, "desk", desk_initialize, desk_exited, desk_finalize);

static atomic_uint stolen; /* so often it was asked for */

static void serve_echo(struct desk *d UNUSED, struct http_request *r)
{
    size_t size;
    const char *body = http_request_body(r, &size);
    struct buffer b = BUFFER_INIT;

    buffer_printf(&b, "%s %s [", http_request_method(r), http_request_path(r));
    buffer_append(&b, body, size);
    buffer_append_char(&b, ']');
    http_answer_buffer(r, 200, "text/plain", &b);
}

static void serve_stolen(struct desk *d UNUSED, struct http_request *r)
{
    atomic_fetch_add(&stolen, 1);
    http_answer(r, 200, "text/plain", "stolen", 6);
}

static void desk_initialize(struct desk *d)
{
    process_route(&d->process, desk_routes);
}
static void desk_exited(struct desk *d UNUSED, const struct pid *peer UNUSED) {}
static void desk_finalize(struct desk *d UNUSED) {}

static struct desk desk;

static void start(void)
{
    struct error err;

    both_start((struct runtime_options){ .head_timeout = SECONDS(10) });
    atomic_store(&stolen, 0);
    memset(&desk, 0, sizeof desk);
    ck_assert_int_eq(process_spawn(rt, &desk.process, &desk_class, "desk", NULL, &err), 0);
}

/* All that comes up to the end of the connection. */
static char *all_of(const char *text, size_t size)
{
    return both_end(both_begin(text, size, 0));
}

#define HEAD "POST /desk/echo HTTP/1.1\r\nHost: x\r\n"
#define STOLEN BOTH_GET("/desk/stolen")

/* One answer, a refusal, and the end; nothing behind it has been read. */
static void expect_refused(const char *text, size_t size, int status)
{
    char *got = all_of(text, size), *number = mem_printf("HTTP/1.1 %d ", status);

    ck_assert_msg(strncmp(got, number, strlen(number)) == 0, "%s: %s", text, got);
    ck_assert_msg(strstr(got, "\r\nConnection: close\r\n") != NULL, "%s: %s", text, got);
    ck_assert_msg(strstr(strstr(got, "\r\nDate: ") + 2, "\r\nDate: ") == NULL, "%s: %s", text, got);
    ck_assert_uint_eq(atomic_load(&stolen), 0);
    mem_free(number);
    mem_free(got);
}

#define REFUSED(status, text) expect_refused(text, sizeof(text) - 1, status)

ON_BOTH(a_body_of_two_lengths_hides_no_request)
{
    start();
    REFUSED(400, HEAD "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Content-Length: 0, 44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Content-Length: +44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Content-Length: 0x2\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Content-Length : 44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(501, HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(501, HEAD "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Transfer-Encoding: \x0b"
                      "chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" STOLEN);
    REFUSED(400, "POST /desk/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(501, HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "A: b\nContent-Length: 44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "A: b\rContent-Length: 44\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "A: b\0\r\nContent-Length: 44\r\n\r\n" STOLEN);
    REFUSED(400, "GET /desk/echo\0 HTTP/1.1\r\n\r\n" STOLEN);
    REFUSED(400, HEAD "Host: y\r\n\r\n" STOLEN);
}

ON_BOTH(a_bad_chunk_hides_no_request)
{
    start();
#define CHUNKS HEAD "Transfer-Encoding: chunked\r\n\r\n"
    REFUSED(400, CHUNKS "2\r\nabc\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "2\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "2\r\nab\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "-2\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "0x2\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "2 2\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "2;a\nb\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "2;a\0b\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(413, CHUNKS "10000000000000002\r\nab\r\n0\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "0\r\nContent-Length\r\n\r\n" STOLEN);
    REFUSED(400, CHUNKS "0\r\n\n" STOLEN);
}

ON_BOTH(what_is_clear_is_served)
{
    start();
    both_expect(CHUNKS "2;a=\"b\"\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\n\r\n", 200, "[abc]");
    both_expect(HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 200, "[ab]");
    both_expect(HEAD "cOnTeNt-LeNgTh:2 \t\r\n\r\nab", 200, "[ab]");
    both_expect("\r\nGET /desk/echo HTTP/1.1\r\n\r\n", 200, "GET /desk/echo []");
    both_expect("GET http://10.9.9.9:1/desk/echo?a HTTP/1.1\r\nHost: y\r\n\r\n", 200,
                "GET /desk/echo []");
    both_expect("CONNECT 10.9.9.9:443 HTTP/1.1\r\n\r\n", 400, "must start with '/'");
    both_expect("OPTIONS * HTTP/1.1\r\n\r\n", 400, "must start with '/'");
    both_expect("BREW /desk/echo HTTP/1.1\r\n\r\n", 200, "BREW /desk/echo []");
}

ON_BOTH(other_versions_are_not_spoken)
{
    start();
    REFUSED(505, "GET /desk/echo HTTP/2.0\r\n\r\n" STOLEN);
    REFUSED(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    REFUSED(400, "GET /desk/echo\r\n" STOLEN);
    REFUSED(400, "GET /desk/echo HTTPS/1.1\r\n\r\n" STOLEN);
    REFUSED(400, "\x16\x03\x01\x02\r\n\x01\xfc\x03\x03 TLS, it seems\r\n\r\n");
}

ON_BOTH(http_1_0_ends_with_its_answer_unless_it_asks)
{
    char *got;

    start();
    got = all_of("GET /desk/echo HTTP/1.0\r\n\r\n" STOLEN,
                 sizeof "GET /desk/echo HTTP/1.0\r\n\r\n" STOLEN - 1);
    ck_assert_ptr_nonnull(strstr(got, "GET /desk/echo []"));
    ck_assert_ptr_null(strstr(got, "stolen"));
    mem_free(got);
    got = both_ask("GET /desk/echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" STOLEN, 2);
    ck_assert_ptr_nonnull(strstr(got, "\r\nConnection: Keep-Alive\r\n"));
    ck_assert_ptr_nonnull(strstr(got, "stolen"));
    mem_free(got);
}

ON_BOTH(behind_connection_close_nothing_is_read)
{
    static const char text[] = "GET /desk/echo HTTP/1.1\r\nConnection: x, CLOSE\r\n\r\n" STOLEN;
    char *got;

    start();
    got = all_of(text, sizeof text - 1);
    ck_assert_ptr_nonnull(strstr(got, "\r\nConnection: close\r\n"));
    ck_assert_ptr_null(strstr(got, "stolen"));
    ck_assert_uint_eq(atomic_load(&stolen), 0);
    mem_free(got);
}

ON_BOTH(pipelined_requests_are_answered_in_their_order)
{
    char *got, *at;

    start();
    got = both_ask(HEAD "Content-Length: 1\r\n\r\n1" CHUNKS
                        "1\r\n2\r\n0\r\n\r\n" BOTH_GET("/nobody") HEAD "Content-Length: 1\r\n\r\n4",
                   4);
    at = strstr(got, "[1]");
    ck_assert_ptr_nonnull(at);
    at = strstr(at, "[2]");
    ck_assert_ptr_nonnull(at);
    at = strstr(at, "404 Not Found");
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_nonnull(strstr(at, "[4]"));
    mem_free(got);
}

/* Nobody sends the body before he was told to; who sends it anyway is served, too. */
ON_BOTH(who_expects_to_be_told_is_told_to_go_on)
{
    char *got;

    start();
    got = both_ask(HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", 1);
    ck_assert_ptr_nonnull(strstr(got, "[ab]"));
    mem_free(got);
    both_expect("POST /desk/echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
                200, "[ab]");
    REFUSED(413, HEAD "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n" STOLEN);
}

ON_BOTH(a_head_that_does_not_come_to_its_end_is_given_up)
{
    static const char half[] = "GET /desk/stolen HTTP/1.1\r\nHo";
    struct both_client *c;
    char *got;

    start();
    runtime_clock_pause(rt);
    c = both_begin(half, sizeof half - 1, 0);
    while (!both_client_is_done(c)) { /* it may still have been on its way */
        both_expect(BOTH_GET("/desk/echo"), 200, NULL);
        runtime_clock_advance(rt, SECONDS(20));
        ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
    }
    got = both_end(c);
    ck_assert_msg(strncmp(got, "HTTP/1.1 408 ", 13) == 0, "%s", got);
    ck_assert_uint_eq(counter_value(metrics_counter(rt, "process/http_requests_timed_out")), 1);
    ck_assert_uint_eq(atomic_load(&stolen), 0);
    mem_free(got);
}

UNIT(http_strict, BOTH(a_body_of_two_lengths_hides_no_request), BOTH(a_bad_chunk_hides_no_request),
     BOTH(what_is_clear_is_served), BOTH(other_versions_are_not_spoken),
     BOTH(http_1_0_ends_with_its_answer_unless_it_asks),
     BOTH(behind_connection_close_nothing_is_read),
     BOTH(pipelined_requests_are_answered_in_their_order),
     BOTH(who_expects_to_be_told_is_told_to_go_on),
     BOTH(a_head_that_does_not_come_to_its_end_is_given_up));
