/* test_http_body.c - what comes in and goes out in bodies: gzip, forms, Accept, slow peers */
#include <stdio.h>

#include "process/http.h"
#include "process/http_gzip.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "tests/process/browser.h"
#include "tests/unit.h"

struct shop {
    struct process process;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/letters", serve_letters, NULL)                                                            \
    AT("/packed", serve_packed, NULL)                                                              \
    AT("/stream", serve_stream, NULL)                                                              \
    AT("/length", serve_length, NULL)                                                              \
    AT("/copy", serve_copy, NULL)                                                                  \
    AT("/form", serve_form, NULL)                                                                  \
    AT("/accepts", serve_accepts, NULL)                                                            \
    AT("/later", serve_later, NULL)
ROUTES(shop, shop_routes, ENDPOINTS);
CLASS(shop, "shop", shop_initialize, shop_exited, shop_finalize);

/* "abcabcabc..." of ?n=. */
static void put_letters(struct http_request *r, struct buffer *out)
{
    size_t n = strtoul(http_request_query(r, "n"), NULL, 10);

    for (size_t i = 0; i < n; i++)
        buffer_append_char(out, "abc"[i % 3]);
}

static void serve_letters(struct shop *s UNUSED, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;

    put_letters(r, &body);
    http_answer_buffer(r, 200, "text/plain", &body);
}

static void serve_packed(struct shop *s UNUSED, struct http_request *r)
{
    http_answer_header(r, "Content-Encoding", "x-mine");
    serve_letters(s, r);
}

static void serve_stream(struct shop *s UNUSED, struct http_request *r)
{
    struct http_stream *stream = http_answer_stream(r, 200, "text/plain");
    struct buffer body = BUFFER_INIT;

    put_letters(r, &body);
    http_stream_write(stream, buffer_data(&body), buffer_length(&body));
    http_stream_close(stream);
    http_stream_unref(stream);
    buffer_release(&body);
}

static void say(struct http_request *r, const char *text)
{
    http_answer(r, 200, "text/plain", text, strlen(text));
}

static void serve_length(struct shop *s UNUSED, struct http_request *r)
{
    char text[60];
    size_t size;
    const char *body = http_request_body(r, &size);

    snprintf(text, sizeof text, "%zu bytes, %.6s.", size, body);
    say(r, text);
}

static void serve_copy(struct shop *s UNUSED, struct http_request *r)
{
    size_t size;
    const char *body = http_request_body(r, &size);

    http_answer(r, 200, http_request_header(r, "Last"), body, size);
}

static void serve_form(struct shop *s UNUSED, struct http_request *r)
{
    const char *value = http_request_form(r, "id");

    say(r, value ? value : "(none)");
}

static void serve_accepts(struct shop *s UNUSED, struct http_request *r)
{
    say(r, http_accepts(r, "application/json") ? "yes" : "no");
}

struct later_args {
    struct http_request *request;
};

static void later_release(struct later_args *a)
{
    http_request_unref(a->request);
}

CALL(shop, answer_later, later_args, later_release);

static void answer_later(struct shop *s UNUSED, struct later_args *a)
{
    say(a->request, "later");
}

static void serve_later(struct shop *s, struct http_request *r)
{
    delay(&s->process.pid, MINUTES(5), answer_later, .request = http_request_ref(r));
}

static void shop_initialize(struct shop *s)
{
    process_route(&s->process, shop_routes);
}
static void shop_exited(struct shop *s UNUSED, const struct pid *peer UNUSED) {}
static void shop_finalize(struct shop *s UNUSED) {}

static struct shop shop;

static void start(struct runtime_options o)
{
    world_start(1, o);
    memset(&shop, 0, sizeof shop);
    ck_assert_int_eq(process_spawn(rt, &shop.process, &shop_class, "shop", NULL, NULL), 0);
}

/* ---- short and long: what has its place with the request, and what has not ---- */

static void say_copy(struct buffer *out, int fields, int type, int size)
{
    buffer_append_text(out, "POST /shop/copy HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < fields; i++)
        buffer_printf(out, "Field-%d: %d\r\n", i, i);
    buffer_printf(out, "Last: t/%0*d\r\nContent-Length: %d\r\n\r\n%0*d", type, type, size,
                  size, size);
}

static void expect_copy(struct browser *b, int type, int size)
{
    CLEANUP(mem_free_p) char *has = mem_printf("Content-Type: t/%0*d\r\nContent-Length: %d\r\n",
                                               type, type, size);
    CLEANUP(mem_free_p) char *body = mem_printf("%0*d", size, size);

    browser_expect_head(b, "200", has, NULL);
    browser_expect(b, body);
}

START_TEST(requests_and_answers_of_every_length_come_whole)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct browser *b;

    start((struct runtime_options){ 0 });
    b = browser_open();
    for (int n = 3; n < 1000; n++) {
        say_copy(&out, n % 40, 3, n);
        say_copy(&out, 0, n, 3);
        browser_send(b, buffer_data(&out), buffer_length(&out));
        expect_copy(b, 3, n);
        expect_copy(b, n, 3);
        buffer_clear(&out);
    }
    browser_close(b);
    world_stop();
}
END_TEST

/* ---- gzip of answers ---- */

#define ZIP(path) "GET " path " HTTP/1.1\r\nAccept-Encoding: deflate, gzip\r\n\r\n"

/* A gzip body of the length that its head tells, inflated. */
static void expect_letters(struct browser *b, size_t n)
{
    char *head = browser_read(b, "\r\n\r\n"), *length = strstr(head, "Content-Length: ");
    struct buffer body = BUFFER_INIT;
    struct error err;
    size_t size, wrong = 0;

    ck_assert_ptr_nonnull(strstr(head, "\r\nContent-Encoding: gzip\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nVary: Accept-Encoding\r\n"));
    ck_assert_ptr_nonnull(length);
    size = strtoul(length + 16, NULL, 10);
    ck_assert_uint_lt(size, n / 4);
    while (buffer_length(&b->got) < size)
        sim_run_for(world, MILLISECONDS(1));
    ck_assert_int_eq(http_gzip_inflate(buffer_data(&b->got), size, n, &body, &err), 0);
    ck_assert_uint_eq(buffer_length(&body), n);
    for (size_t i = 0; i < n; i++)
        wrong += buffer_data(&body)[i] != "abc"[i % 3];
    ck_assert_uint_eq(wrong, 0);
    buffer_consume(&b->got, size);
    buffer_release(&body);
    mem_free(head);
}

START_TEST(long_bodies_are_compressed_for_who_accepts_it)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    browser_say(b, ZIP("/shop/letters?n=1024") ZIP("/shop/letters?n=1000000")
                       ZIP("/shop/letters?n=2000"));
    expect_letters(b, 1024);
    expect_letters(b, 1000000);
    expect_letters(b, 2000);
    browser_say(b, ZIP("/shop/letters?n=1023"));
    browser_expect_head(b, "200", "Content-Length: 1023\r\n", "Content-Encoding");
    browser_close(b);
    world_stop();
}
END_TEST

static void expect_plain(const char *request, const char *has)
{
    struct browser *b = browser_open();

    browser_say(b, request);
    browser_expect_head(b, "200", has, "gzip");
    browser_close(b);
}

START_TEST(what_must_stay_as_it_is_stays)
{
    start((struct runtime_options){ 0 });
    expect_plain(BROWSER_GET("/shop/letters?n=2000"), "Content-Length: 2000\r\n");
    expect_plain("GET /shop/letters?n=2000 HTTP/1.1\r\nAccept-Encoding: gzip;q=0, *\r\n\r\n",
                 "Content-Length: 2000\r\n");
    expect_plain(ZIP("/shop/packed?n=2000"),
                 "Content-Encoding: x-mine\r\nContent-Length: 2000\r\n");
    expect_plain(ZIP("/shop/stream?n=2000"), "Transfer-Encoding: chunked\r\n");
    world_stop();
}
END_TEST

/* ---- gzip of requests ---- */

static void zip_letters(struct buffer *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buffer_append_char(out, "abc"[i % 3]);
    ck_assert(http_gzip_deflate(out));
}

static void post_zipped(struct browser *b, const void *body, size_t size)
{
    struct buffer request = BUFFER_INIT;

    buffer_printf(&request,
                  "POST /shop/length HTTP/1.1\r\nContent-Encoding: gzip\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  size);
    buffer_append(&request, body, size);
    browser_send(b, buffer_data(&request), buffer_length(&request));
    buffer_release(&request);
}

START_TEST(a_body_that_comes_compressed_is_inflated)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    struct buffer body = BUFFER_INIT;
    zip_letters(&body, 300000);
    post_zipped(b, buffer_data(&body), buffer_length(&body));
    browser_say(b, BROWSER_GET("/shop/length"));
    browser_skip(b, "\r\n\r\n300000 bytes, abcabc.");
    browser_skip(b, "\r\n\r\n0 bytes, .");
    buffer_release(&body);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_bomb_and_what_is_no_gzip_are_refused)
{
    start((struct runtime_options){ .max_body_bytes = 100000 });
    struct browser *b = browser_open();
    struct buffer body = BUFFER_INIT;
    zip_letters(&body, 100001);
    post_zipped(b, buffer_data(&body), buffer_length(&body));
    browser_expect_head(b, "413", NULL, NULL);
    browser_expect(b, "The inflated body is longer than 100000 bytes");
    post_zipped(b, buffer_data(&body), buffer_length(&body) - 20);
    browser_expect_head(b, "400", NULL, NULL);
    browser_expect(b, "The body is no gzip: it is cut");
    post_zipped(b, "nonsense", 8);
    browser_expect_head(b, "400", NULL, NULL);
    browser_skip(b, "The body is no gzip: incorrect header check");
    buffer_clear(&body);
    zip_letters(&body, 100000);
    post_zipped(b, buffer_data(&body), buffer_length(&body));
    browser_skip(b, "\r\n\r\n100000 bytes, abcabc.");
    buffer_release(&body);
    browser_close(b);
    world_stop();
}
END_TEST

/* ---- forms and Accept ---- */

static void expect_answer(const char *request, const char *text)
{
    struct browser *b = browser_open();

    browser_say(b, request);
    browser_expect_head(b, "200", NULL, NULL);
    browser_expect(b, text);
    browser_close(b);
}

#define FORM(headers, length, body)                                                                \
    "POST /shop/form HTTP/1.1\r\n" headers "Content-Length: " length "\r\n\r\n" body
#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded"

START_TEST(a_form_is_read_field_by_field)
{
    start((struct runtime_options){ 0 });
    expect_answer(FORM(FORM_TYPE "\r\n", "15", "id=1&x=y&id=a+b"), "a b");
    expect_answer(FORM(FORM_TYPE "; charset=utf-8\r\n", "6", "id=%41"), "A");
    expect_answer(FORM("", "4", "id=1"), "1");
    expect_answer(FORM("Content-Type: text/plain\r\n", "4", "id=1"), "(none)");
    expect_answer(FORM(FORM_TYPE "\r\n", "10", "id=1&x=%zz"), "(none)");
    expect_answer(BROWSER_GET("/shop/form?id=1"), "(none)");
    world_stop();
}
END_TEST

START_TEST(the_most_specific_range_of_accept_decides)
{
    static const struct {
        const char *accept, *answer;
    } cases[] = {
        { "", "yes" },
        { "application/json", "yes" },
        { "Application/JSON; charset=utf-8", "yes" },
        { "application/x-protobuf", "no" },
        { "application/jso", "no" },
        { "application/*", "yes" },
        { "text/*", "no" },
        { "*/*", "yes" },
        { "*/*;q=0", "no" },
        { "text/html , application/json;q=0.1", "yes" },
        { "*/*, application/json;q=0", "no" },
        { "application/json ; q=0.000, */*", "no" },
        { "application/*;q=0, application/json;q=0.001", "yes" },
        { "text/html\r\nAccept: application/json", "yes" },
    };

    start((struct runtime_options){ 0 });
    expect_answer(BROWSER_GET("/shop/accepts"), "yes");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *request =
            mem_printf("GET /shop/accepts HTTP/1.1\r\nAccept: %s\r\n\r\n", cases[i].accept);
        expect_answer(request, cases[i].answer);
        mem_free(request);
    }
    world_stop();
}
END_TEST

/* ---- slow peers ---- */

static const char *letters(size_t n)
{
    static char bytes[100000];

    memset(bytes, 'a', sizeof bytes);
    ck_assert_uint_lt(n, sizeof bytes);
    bytes[n] = '\0';
    return bytes;
}

START_TEST(a_slow_upload_that_goes_on_is_not_cut)
{
    start((struct runtime_options){ .head_timeout = SECONDS(10) });
    struct browser *b = browser_open();
    browser_say(b, "POST /shop/length HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        sim_run_for(world, SECONDS(9));
        browser_say(b, letters(20000));
    }
    browser_skip(b, "\r\n\r\n200000 bytes, aaaaaa.");
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(an_upload_that_comes_in_drops_is)
{
    start((struct runtime_options){ .head_timeout = SECONDS(10) });
    struct browser *b = browser_open();
    browser_say(b, "POST /shop/length HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        sim_run_for(world, SECONDS(9));
        browser_say(b, letters(2000));
    }
    browser_expect_head(b, "408", NULL, NULL);
    browser_expect(b, "The request did not arrive in time");
    browser_expect_end(b);
    world_stop();
}
END_TEST

static uint64_t count_of(const char *name)
{
    return counter_value(metrics_counter(rt, name));
}

START_TEST(a_refused_peer_that_never_reads_is_let_go)
{
    static const char not_reading[] = "process/http_connections_not_reading";

    start((struct runtime_options){ .head_timeout = SECONDS(10) });
    struct browser *b = browser_open();
    b->deaf = true;
    browser_say(b, BROWSER_GET("/shop/letters?n=3000000") "nonsense\r\n\r\n");
    sim_run_for(world, SECONDS(9));
    b->deaf = false; /* it takes some of it, and has the time anew */
    browser_want(b);
    while (buffer_length(&b->got) < 200000)
        sim_run_for(world, MICROSECONDS(100));
    b->deaf = true;
    browser_want(b);
    sim_run_for(world, SECONDS(9));
    ck_assert_uint_eq(count_of(not_reading), 0);
    sim_run_for(world, SECONDS(22)); /* it is noticed a time-out late at most, twice */
    ck_assert_uint_eq(count_of(not_reading), 1);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_refused_peer_whose_answer_takes_time_is_not_hurried)
{
    start((struct runtime_options){ .head_timeout = SECONDS(10) });
    struct browser *b = browser_open();
    browser_say(b, BROWSER_GET("/shop/later") "nonsense\r\n\r\n");
    browser_skip(b, "\r\n\r\nlater");
    browser_expect_head(b, "400", NULL, NULL);
    browser_close(b);
    world_stop();
}
END_TEST

UNIT(http_body, requests_and_answers_of_every_length_come_whole,
     long_bodies_are_compressed_for_who_accepts_it, what_must_stay_as_it_is_stays,
     a_body_that_comes_compressed_is_inflated, a_bomb_and_what_is_no_gzip_are_refused,
     a_form_is_read_field_by_field, the_most_specific_range_of_accept_decides,
     a_slow_upload_that_goes_on_is_not_cut, an_upload_that_comes_in_drops_is,
     a_refused_peer_that_never_reads_is_let_go,
     a_refused_peer_whose_answer_takes_time_is_not_hurried);
