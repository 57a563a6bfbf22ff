/* test_http_client_answer.c - what is asked and what counts as an answer, on both hosts */
#include <errno.h>
#include <stdio.h>

#include "process/http_gzip.h"
#include "process/http_writer.h"
#include "tests/process/http_client_stub.h"
#include "tests/unit.h"

/* ---- questions ---- */

CLIENT_TEST(a_get_says_what_it_must)
{
    char *expected = mem_printf("GET /a/b?c=%%20d HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
                                "Accept-Encoding: gzip\r\n\r\n",
                                p->url + 7);

    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    check_body(p, client_get(p, "/a/b?c=%20d"), 200, "ok");
    stub_check_heard(&p->stub, expected);
    mem_free(expected);
}

CLIENT_TEST(a_post_has_its_body_and_headers)
{
    const struct http_header headers[] = { { "X-Colour", "blue" },
                                           { "Accept", "text/plain" },
                                           { 0 } };
    char *expected = mem_printf("POST / HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n"
                                "X-Colour: blue\r\nAccept: text/plain\r\nContent-Type: text/x\r\n"
                                "Content-Length: 5\r\n\r\nhello",
                                p->url + 7);

    stub_does(&p->stub,
              { .until = "hello", .say = "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n" });
    check_body(p,
               client_get(p, "", .method = "POST", .headers = headers, .content_type = "text/x",
                          .body = "hello", .body_size = 5),
               201, "");
    stub_check_heard(&p->stub, expected);
    mem_free(expected);
}

CLIENT_TEST(post_and_any_other_method_are_asked)
{
    char *url = mem_printf("%s/x", p->url);

    stub_does(&p->stub,
              { .until = "body", .say = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" });
    check_body(p, http_post(p->client.rt, url, "text/plain", "body", 4, 100, MINUTES(1)), 200, "1");
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    check_body(p, client_get(p, "/x", .method = "PROPFIND"), 200, "2");
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
    check_body(p, http_post(p->client.rt, url, NULL, NULL, 0, 100, MINUTES(1)), 200, "3");
    mem_free(url);
}

static void check_not_asked(struct client_place *p, struct http_ask ask, const char *words)
{
    check_failure(p, client_ask(p, "/", ask), EINVAL, words);
    ck_assert_uint_eq(stub_accepted(&p->stub), 0);
}

CLIENT_TEST(what_would_change_the_request_is_not_asked)
{
    const struct http_header length[] = { { "content-length", "5" }, { 0 } };
    const struct http_header name[] = { { "A b", "c" }, { 0 } };
    const struct http_header value[] = { { "A", "b\r\nC: d" }, { 0 } };
    struct http_writer *w = http_writer_create();

    check_not_asked(p, (struct http_ask){ .method = "GET /" }, "'GET /' is no method");
    check_not_asked(p, (struct http_ask){ .method = "" }, "'' is no method");
    check_not_asked(p, (struct http_ask){ .method = "CONNECT" }, "is no method");
    check_not_asked(p, (struct http_ask){ .headers = length }, "'Content-Length' is not given");
    check_not_asked(p, (struct http_ask){ .headers = name }, "'A b' is no name");
    check_not_asked(p, (struct http_ask){ .headers = value }, "control character");
    check_not_asked(p, (struct http_ask){ .content_type = "a\nb" }, "control character");
    check_not_asked(p, (struct http_ask){ .writer = w, .body = "x", .body_size = 1 }, "Both");
    http_writer_unref(w);
}

/* ---- answers ---- */

static void check_answer(struct client_place *p, const char *said, bool closes, int status,
                         const char *body)
{
    stub_does(&p->stub, { .say = said, .closes = closes });
    check_body(p, client_get(p, "/"), status, body);
}

CLIENT_TEST(a_body_ends_as_its_head_says)
{
    check_answer(p, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, 200, "abc");
    check_answer(
        p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        false, 200, "abc");
    check_answer(p, "HTTP/1.1 200 OK\r\n\r\nto the end", true, 200, "to the end");
    check_answer(p, "HTTP/1.0 200 OK\r\n\r\nold", true, 200, "old");
    check_answer(p, "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "");
    check_answer(p, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", false, 304, "");
    check_answer(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, 404, "");
    check_answer(p,
                 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                 false, 200, "x");
}

CLIENT_TEST(an_answer_to_head_has_no_body)
{
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    check_body(p, client_get(p, "/", .method = "HEAD"), 200, "");
    check_answer(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok");
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
}

CLIENT_TEST(the_headers_of_an_answer_are_there)
{
    struct future *f;
    const struct http_response *r;

    stub_says(&p->stub,
              "HTTP/1.1 200 OK\r\nX-Colour: red\r\nContent-Type: text/x\r\nx-colour: blue\r\n"
              "Empty:\r\nContent-Length: 0\r\n\r\n");
    f = client_get(p, "/");
    client_wait(p, f);
    r = http_response_get(f);
    ck_assert_str_eq(r->content_type, "text/x");
    ck_assert_str_eq(http_response_header(r, "X-COLOUR"), "blue");
    ck_assert_str_eq(http_response_header(r, "Empty"), "");
    ck_assert_ptr_null(http_response_header(r, "Server"));
    ck_assert_str_eq(r->headers[0].value, "red");
    future_unref(f);
    stub_does(&p->stub, { .say = "HTTP/1.1 200 OK\r\n\r\n", .closes = true });
    f = client_get(p, "/");
    client_wait(p, f);
    ck_assert_ptr_null(http_response_get(f)->content_type);
    ck_assert_ptr_null(http_response_get(f)->headers[0].name);
    future_unref(f);
}

static void check_refused(struct client_place *p, const char *said, bool closes, int code,
                          const char *words)
{
    stub_does(&p->stub, { .say = said, .closes = closes });
    check_failure(p, client_get(p, "/q", .max_body_bytes = 10, .max_head_bytes = 200), code, words);
}

CLIENT_TEST(what_is_no_answer_is_a_failure_that_says_why)
{
    char line[300];

    check_refused(p, "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, EPROTO, "no HTTP: Malformed");
    check_refused(p, "HTTP/2.0 200 OK\r\n\r\n", false, EPROTO, "no HTTP");
    check_refused(p, "HTTP/1.1 200 OK\nA: b\n\n", false, EPROTO, "no HTTP");
    check_refused(p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false,
                  EPROTO, "differ");
    check_refused(p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                  false, EPROTO, "Both");
    check_refused(p, "HTTP/1.1 101 Switching\r\n\r\n", false, EPROTO, "no HTTP");
    check_refused(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", false,
                  EPROTO, "a chunk's size is none");
    check_refused(p, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true, ECONNRESET,
                  "before its answer was whole");
    check_refused(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", true,
                  ECONNRESET, "before its answer was whole");
    check_refused(p, "HTTP/1.1 200 OK\r\nConte", true, ECONNRESET, "before its answer was whole");
    check_refused(p, "", true, ECONNRESET, "before it answered");
    snprintf(line, sizeof line, "HTTP/1.1 200 OK\r\nA: %0250d\r\n\r\n", 0);
    check_refused(p, line, false, EMSGSIZE, "the answer's head is longer than 200 bytes");
}

CLIENT_TEST(an_answer_beyond_its_limit_is_a_failure)
{
    const char *words = "the answer is longer than 10 bytes";

    check_refused(p, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", false, EMSGSIZE, words);
    check_refused(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n",
                  false, EMSGSIZE, words);
    check_refused(p, "HTTP/1.1 200 OK\r\n\r\n0123456789a", true, EMSGSIZE, words);
}

CLIENT_TEST(a_failure_says_what_was_asked)
{
    struct future *f;
    char *expected = mem_printf("POST %s/some/path?x=y: the server closed the connection before it "
                                "answered",
                                p->url);

    stub_does(&p->stub, { .say = "", .closes = true });
    f = client_get(p, "/some/path?x=y", .method = "POST");
    client_wait(p, f);
    ck_assert_str_eq(future_error(f)->text, expected);
    future_unref(f);
    mem_free(expected);
}

/* ---- gzip ---- */

static void say_gzip(struct client_place *p, const char *data, size_t size)
{
    char head[100];
    struct buffer b = BUFFER_INIT;
    char *said;
    size_t n;

    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", size);
    buffer_append_text(&b, head);
    buffer_append(&b, data, size);
    said = buffer_take(&b, &n);
    stub_does(&p->stub, { .say = said, .size = n });
}

CLIENT_TEST(a_body_that_came_as_gzip_is_inflated_up_to_its_limit)
{
    struct buffer b = BUFFER_INIT;
    char text[10001];

    memset(text, 'x', 10000);
    text[10000] = '\0';
    buffer_append_text(&b, text);
    ck_assert(http_gzip_deflate(&b));
    for (int i = 0; i < 3; i++)
        say_gzip(p, buffer_data(&b), i == 2 ? 10 : buffer_length(&b));
    check_body(p, client_get(p, "/", .max_body_bytes = 10000), 200, text);
    check_failure(p, client_get(p, "/", .max_body_bytes = 9999), EMSGSIZE,
                  "longer than 9999 bytes");
    check_failure(p, client_get(p, "/"), EINVAL, "no gzip");
    for (int i = 0; i < 3; i++)
        mem_free((void *)(uintptr_t)p->stub.steps[i].say);
    buffer_release(&b);
}

UNIT(http_client_answer, a_get_says_what_it_must, a_post_has_its_body_and_headers,
     post_and_any_other_method_are_asked, what_would_change_the_request_is_not_asked,
     a_body_ends_as_its_head_says, an_answer_to_head_has_no_body,
     the_headers_of_an_answer_are_there, what_is_no_answer_is_a_failure_that_says_why,
     an_answer_beyond_its_limit_is_a_failure, a_failure_says_what_was_asked,
     a_body_that_came_as_gzip_is_inflated_up_to_its_limit);
