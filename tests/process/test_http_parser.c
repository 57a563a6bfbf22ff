/* test_http_parser.c - HTTP/1 from strangers' bytes */
#include "process/http_parser.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "tests/unit.h"

static const struct http_parser_limits limits = { 100, 400, 64 };

/* What became of one message. */
struct outcome {
    enum http_parser_result result;
    int status, minor, response_status;
    size_t consumed, n_fields;
    bool keep_alive;
    char target[128], path[128], query[128], body[128];
};

static void copy_part(char out[128], const char *data, struct http_part part)
{
    ck_assert_uint_lt(part.length, 128);
    memcpy(out, data + part.at, part.length);
    out[part.length] = '\0';
}

/* The bytes come in pieces of `step`, each time in a new place. */
static struct outcome parse_in_steps(enum http_parser_kind kind, const char *text, size_t size,
                                     size_t step)
{
    struct http_parser p;
    struct outcome o = { .result = HTTP_PARSER_MORE };
    char *data = NULL;
    size_t have = 0;

    http_parser_init(&p, kind, &limits);
    while (o.result == HTTP_PARSER_MORE && have < size) {
        size_t n = size - have < step ? size - have : step;
        char *moved = malloc(have + n);
        if (have)
            memcpy(moved, data, have);
        memcpy(moved + have, text + have, n);
        free(data);
        data = moved;
        have += n;
        o.result = http_parser_run(&p, data, have);
    }
    o.status = p.status;
    o.minor = p.minor;
    o.response_status = p.response_status;
    o.n_fields = p.n_fields;
    o.keep_alive = p.keep_alive;
    if (o.result == HTTP_PARSER_DONE) {
        o.consumed = p.consumed;
        copy_part(o.target, data, p.target);
        copy_part(o.path, data, p.path);
        copy_part(o.query, data, p.query);
        copy_part(o.body, data, p.body);
    } else if (o.result == HTTP_PARSER_REFUSED) {
        ck_assert_ptr_nonnull(p.reason);
        ck_assert_int_eq(http_parser_run(&p, data, have), HTTP_PARSER_REFUSED);
    }
    http_parser_release(&p);
    free(data);
    return o;
}

/* Split at every byte or not at all: the same. */
static struct outcome parse_bytes(enum http_parser_kind kind, const char *text, size_t size)
{
    struct outcome whole = parse_in_steps(kind, text, size, size);

    for (size_t step = 1; step < size; step++) {
        struct outcome o = parse_in_steps(kind, text, size, step);
        ck_assert_int_eq(o.result, whole.result);
        ck_assert_int_eq(o.status, whole.status);
        if (o.result != HTTP_PARSER_DONE)
            continue;
        ck_assert_uint_eq(o.consumed, whole.consumed);
        ck_assert_str_eq(o.body, whole.body);
        ck_assert_str_eq(o.path, whole.path);
    }
    return whole;
}

static struct outcome parse(const char *text)
{
    return parse_bytes(HTTP_PARSER_REQUEST, text, strlen(text));
}

static void check_refused(const char *text, int status)
{
    struct outcome o = parse(text);

    ck_assert_msg(o.result == HTTP_PARSER_REFUSED, "not refused: %s", text);
    ck_assert_msg(o.status == status, "%d instead of %d: %s", o.status, status, text);
}

static void check_body(const char *text, const char *body)
{
    struct outcome o = parse(text);

    ck_assert_msg(o.result == HTTP_PARSER_DONE, "not taken (%d): %s", o.status, text);
    ck_assert_str_eq(o.body, body);
    ck_assert_uint_eq(o.consumed, strlen(text));
}

START_TEST(a_request_has_its_parts)
{
    struct outcome o =
        parse("GET /master/state?a=1&b=2 HTTP/1.1\r\nHost: x\r\nAccept:  */* \t\r\n\r\nGET");

    ck_assert_int_eq(o.result, HTTP_PARSER_DONE);
    ck_assert_str_eq(o.path, "/master/state");
    ck_assert_str_eq(o.query, "a=1&b=2");
    ck_assert_str_eq(o.body, "");
    ck_assert_uint_eq(o.n_fields, 2);
    ck_assert_int_eq(o.minor, 1);
    ck_assert(o.keep_alive);
}
END_TEST

START_TEST(what_follows_a_message_is_not_consumed)
{
    const char *first = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    char text[200];

    snprintf(text, sizeof text, "%sGET / HTTP/1.1\r\n\r\n", first);
    struct outcome o = parse(text);
    ck_assert_uint_eq(o.consumed, strlen(first));
    ck_assert_str_eq(o.body, "abc");
}
END_TEST

START_TEST(a_part_of_a_message_waits_for_more)
{
    const char *text =
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    for (size_t n = 1; n < strlen(text); n++)
        ck_assert_int_eq(parse_in_steps(HTTP_PARSER_REQUEST, text, n, n).result, HTTP_PARSER_MORE);
    ck_assert_int_eq(parse(text).result, HTTP_PARSER_DONE);
}
END_TEST

START_TEST(fields_are_found_in_any_case)
{
    char text[] = "GET / HTTP/1.1\r\nUser-Agent: curl/8\r\nEmpty:\r\n\r\n";
    struct http_parser p;
    const struct http_part *part;

    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, text, strlen(text)), HTTP_PARSER_DONE);
    part = http_parser_find(&p, text, "USER-agent");
    ck_assert_ptr_nonnull(part);
    ck_assert_int_eq(strncmp(text + part->at, "curl/8", part->length), 0);
    ck_assert_uint_eq(http_parser_find(&p, text, "empty")->length, 0);
    ck_assert_ptr_null(http_parser_find(&p, text, "User"));
    http_parser_release(&p);
}
END_TEST

START_TEST(a_body_comes_by_length_or_in_chunks)
{
    check_body("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "hello");
    check_body("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "");
    check_body("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "hi");
    check_body("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
               "hello");
    check_body(
        "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nhel\r\n02\r\nlo\r\n0\r\n\r\n",
        "hello");
    check_body("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "");
    check_body(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n0;last\r\n"
        "Trailer: value\r\n\r\n",
        "0123456789");
}
END_TEST

START_TEST(a_body_in_one_chunk_is_not_moved)
{
    char text[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         before[sizeof text];
    struct http_parser p;

    memcpy(before, text, sizeof text);
    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, text, strlen(text)), HTTP_PARSER_DONE);
    ck_assert_mem_eq(text, before, sizeof text);
    ck_assert_ptr_eq(text + p.body.at, strstr(text, "hello"));
    http_parser_release(&p);
}
END_TEST

START_TEST(two_ways_to_say_the_length_are_refused)
{
    check_refused(
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    check_refused(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400);
    check_refused("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400);
    check_refused(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}
END_TEST

START_TEST(lengths_that_are_no_numbers_are_refused)
{
    static const char *const lengths[] = { "", "-1", "+1", "1a", "0x5", "5, 5", "5 5", "1e1" };
    char text[200];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\nhello",
                 lengths[i]);
        check_refused(text, 400);
    }
    check_refused("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 413);
    check_refused("POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n", 413);
}
END_TEST

START_TEST(other_transfer_encodings_are_not_implemented)
{
    check_refused("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
    check_refused("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", 501);
    check_refused("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", 501);
    check_refused("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", 501);
}
END_TEST

START_TEST(malformed_chunks_are_refused)
{
#define CHUNKED "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    check_refused(CHUNKED "x\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "5 5\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "5\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "4\r\nhello\r\n0\r\n\r\n", 400);
    check_refused(CHUNKED "5\r\nhello0\r\n\r\n", 400);
    check_refused(CHUNKED "5\r\nhello\r0\r\n\r\n", 400);
    check_refused(CHUNKED "5;a\x01"
                          "b\r\nhello\r\n0\r\n\r\n",
                  400);
    check_refused(CHUNKED "0\r\nno colon\r\n\r\n", 400);
    check_refused(CHUNKED "fffffffffffffffff\r\n", 413);
    check_refused(CHUNKED "ffffffffffffffff\r\n", 413);
    check_refused(CHUNKED "41\r\n", 413);
}
END_TEST

START_TEST(chunks_together_are_limited_like_a_body)
{
    struct buffer text = BUFFER_INIT;

    buffer_append_text(&text, CHUNKED);
    for (int i = 0; i < 65; i++)
        buffer_append_text(&text, "1\r\nx\r\n");
    check_refused(buffer_data(&text), 413);
    buffer_clear(&text);

    buffer_append_text(&text, CHUNKED);
    for (int i = 0; i < 40; i++)
        buffer_append_text(&text, "1;an-extension-that-is-much-longer-than-its-chunk\r\nx\r\n");
    check_refused(buffer_data(&text), 413);
    buffer_clear(&text);

    buffer_append_text(&text, CHUNKED "1;");
    for (int i = 0; i < 500; i++)
        buffer_append_char(&text, 'x');
    struct outcome o =
        parse_in_steps(HTTP_PARSER_REQUEST, buffer_data(&text), buffer_length(&text), 7);
    ck_assert_int_eq(o.status, 400);
    buffer_clear(&text);

    buffer_append_text(&text, CHUNKED "0\r\n");
    for (int i = 0; i < 60; i++)
        buffer_append_text(&text, "T: a trailer\r\n");
    check_refused(buffer_data(&text), 431);
    buffer_release(&text);
}
END_TEST

START_TEST(lines_end_with_cr_lf_and_nothing_else)
{
    check_refused("GET / HTTP/1.1\nHost: x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: x\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: x\r\n\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 400);
    check_refused("\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400);
    ck_assert_int_eq(parse("\r\nGET / HTTP/1.1\r\n\r\n").result, HTTP_PARSER_DONE);
}
END_TEST

START_TEST(malformed_headers_are_refused)
{
    check_refused("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n: x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nA: x\r\n folded\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n leading: x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nA(b): x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nA\xc3\xa4: x\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nA: x\x01y\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nA: x\x7fy\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    ck_assert_int_eq(parse("GET / HTTP/1.1\r\nA: \xc3\xa4\tb\r\n\r\n").result, HTTP_PARSER_DONE);
}
END_TEST

START_TEST(a_nul_is_refused_wherever_it_stands)
{
    static const char text[] =
        "GET /a HTTP/1.1\r\nAbc: def\r\nTransfer-Encoding: chunked\r\n\r\n0;ab\r\nT: v\r\n\r\n";
    size_t body = (size_t)(strstr(text, "\r\n\r\n") - text) + 4;

    for (size_t i = 0; i < sizeof text - 1; i++) {
        char bad[sizeof text];
        memcpy(bad, text, sizeof text);
        bad[i] = '\0';
        struct outcome o = parse_in_steps(HTTP_PARSER_REQUEST, bad, sizeof text - 1, 1);
        /* A line's end that is none leaves the message unfinished at the latest. */
        ck_assert_msg(o.result != HTTP_PARSER_DONE, "a NUL at %zu (body at %zu) was taken", i,
                      body);
    }
}
END_TEST

START_TEST(malformed_request_lines_are_refused)
{
    check_refused("GET\r\n\r\n", 400);
    check_refused("GET /\r\n\r\n", 400);
    check_refused("GET  / HTTP/1.1\r\n\r\n", 400);
    check_refused(" GET / HTTP/1.1\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1 \r\n\r\n", 400);
    check_refused("GET / x HTTP/1.1\r\n\r\n", 400);
    check_refused("G(T / HTTP/1.1\r\n\r\n", 400);
    check_refused("GET /\tx HTTP/1.1\r\n\r\n", 400);
    check_refused("GET /#x HTTP/1.1\r\n\r\n", 400);
    check_refused("GET / http/1.1\r\n\r\n", 400);
    check_refused("GET / HTTP/1.10\r\n\r\n", 400);
    check_refused("GET / HTTP/2.0\r\n\r\n", 505);
    check_refused("GET / HTTP/1.2\r\n\r\n", 505);
    check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    check_refused("AVERYLONGMETHODTHATNOBODYHASEVERSEEN / HTTP/1.1\r\n\r\n", 400);
}
END_TEST

START_TEST(what_is_too_long_is_refused_with_its_own_status)
{
    struct buffer text = BUFFER_INIT;

    buffer_append_text(&text, "GET /");
    for (int i = 0; i < 100; i++)
        buffer_append_char(&text, 'a');
    buffer_append_text(&text, " HTTP/1.1\r\n\r\n");
    check_refused(buffer_data(&text), 414);
    buffer_clear(&text);

    buffer_append_text(&text, "GET /");
    for (int i = 0; i < 200; i++)
        buffer_append_char(&text, 'a'); /* no end of the line at all */
    check_refused(buffer_data(&text), 414);
    buffer_clear(&text);

    buffer_append_text(&text, "GET / HTTP/1.1\r\nA: ");
    for (int i = 0; i < 500; i++)
        buffer_append_char(&text, 'a');
    check_refused(buffer_data(&text), 431);
    buffer_clear(&text);

    buffer_append_text(&text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 100; i++)
        buffer_append_text(&text, "A: b\r\n");
    buffer_append_text(&text, "\r\n");
    check_refused(buffer_data(&text), 431);
    buffer_release(&text);

    check_refused("POST / HTTP/1.1\r\nContent-Length: 65\r\n\r\n", 413);
}
END_TEST

START_TEST(headers_are_counted_too)
{
    static const struct http_parser_limits wide = { 100, 65536, 64 };
    struct buffer text = BUFFER_INIT;
    struct http_parser p;

    buffer_append_text(&text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < HTTP_PARSER_FIELDS + 1; i++)
        buffer_append_text(&text, "a:\r\n");
    http_parser_init(&p, HTTP_PARSER_REQUEST, &wide);
    ck_assert_int_eq(http_parser_run(&p, buffer_data(&text), buffer_length(&text)),
                     HTTP_PARSER_REFUSED);
    ck_assert_int_eq(p.status, 431);
    http_parser_release(&p);
    buffer_release(&text);
}
END_TEST

START_TEST(a_target_may_be_absolute)
{
    struct outcome o = parse("GET http://10.0.0.1:5050/state?x HTTP/1.1\r\n\r\n");

    ck_assert_str_eq(o.path, "/state");
    ck_assert_str_eq(o.query, "x");
    ck_assert_str_eq(parse("GET HTTP://a HTTP/1.1\r\n\r\n").path, "/");
    o = parse("GET https://a?b/c HTTP/1.1\r\n\r\n");
    ck_assert_str_eq(o.path, "/");
    ck_assert_str_eq(o.query, "b/c");
    ck_assert_str_eq(parse("OPTIONS * HTTP/1.1\r\n\r\n").path, "*");
}
END_TEST

START_TEST(connections_are_kept_as_their_version_says)
{
    ck_assert(parse("GET / HTTP/1.1\r\n\r\n").keep_alive);
    ck_assert(!parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep_alive);
    ck_assert(!parse("GET / HTTP/1.1\r\nConnection: foo , Close\r\n\r\n").keep_alive);
    ck_assert(!parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
    ck_assert(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    ck_assert(!parse("GET / HTTP/1.0\r\nConnection: keep-alive-not\r\n\r\n").keep_alive);
}
END_TEST

START_TEST(responses_are_read_too)
{
    const char *text = "HTTP/1.1 202 Accepted\r\nDate: x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 ";
    struct outcome o = parse_bytes(HTTP_PARSER_RESPONSE, text, strlen(text));

    ck_assert_int_eq(o.result, HTTP_PARSER_DONE);
    ck_assert_int_eq(o.response_status, 202);
    ck_assert_uint_eq(o.consumed, strlen(text) - 9);

    text = "HTTP/1.1 204\r\n\r\n";
    ck_assert_int_eq(parse_bytes(HTTP_PARSER_RESPONSE, text, strlen(text)).result,
                     HTTP_PARSER_DONE);
    text = "HTTP/1.1 20x OK\r\n\r\n";
    ck_assert_int_eq(parse_bytes(HTTP_PARSER_RESPONSE, text, strlen(text)).result,
                     HTTP_PARSER_REFUSED);
    text = "HTTP/1.1 2000 OK\r\n\r\n";
    ck_assert_int_eq(parse_bytes(HTTP_PARSER_RESPONSE, text, strlen(text)).result,
                     HTTP_PARSER_REFUSED);
}
END_TEST

START_TEST(a_response_without_a_length_ends_with_its_connection)
{
    char text[] = "HTTP/1.0 200 OK\r\n\r\nhello";
    struct http_parser p;

    http_parser_init(&p, HTTP_PARSER_RESPONSE, &limits);
    ck_assert_int_eq(http_parser_run(&p, text, strlen(text)), HTTP_PARSER_MORE);
    ck_assert_int_eq(http_parser_end(&p, strlen(text)), HTTP_PARSER_DONE);
    ck_assert_uint_eq(p.body.length, 5);

    http_parser_restart(&p);
    ck_assert_int_eq(http_parser_end(&p, 0), HTTP_PARSER_MORE);
    ck_assert_int_eq(http_parser_run(&p, text, 10), HTTP_PARSER_MORE);
    ck_assert_int_eq(http_parser_end(&p, 10), HTTP_PARSER_REFUSED);

    char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    http_parser_restart(&p);
    http_parser_expect_no_body(&p);
    ck_assert_int_eq(http_parser_run(&p, head, strlen(head)), HTTP_PARSER_DONE);
    http_parser_release(&p);
}
END_TEST

UNIT(http_parser, a_request_has_its_parts, what_follows_a_message_is_not_consumed,
     a_part_of_a_message_waits_for_more, fields_are_found_in_any_case,
     a_body_comes_by_length_or_in_chunks, a_body_in_one_chunk_is_not_moved,
     two_ways_to_say_the_length_are_refused, lengths_that_are_no_numbers_are_refused,
     other_transfer_encodings_are_not_implemented, malformed_chunks_are_refused,
     chunks_together_are_limited_like_a_body, lines_end_with_cr_lf_and_nothing_else,
     malformed_headers_are_refused, a_nul_is_refused_wherever_it_stands,
     malformed_request_lines_are_refused, what_is_too_long_is_refused_with_its_own_status,
     headers_are_counted_too, a_target_may_be_absolute, connections_are_kept_as_their_version_says,
     responses_are_read_too, a_response_without_a_length_ends_with_its_connection);
