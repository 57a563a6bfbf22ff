/* test_http_client_body.c - bodies in pieces: whole ones, and what is none */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/http_client_body.h"
#include "tests/unit.h"

enum { LINE = 100 };

/* Feeds the text in pieces of n bytes, keeping what was not taken; the body. */
static struct buffer feed(struct http_client_body *b, const char *text, size_t n)
{
    struct buffer kept = BUFFER_INIT, body = BUFFER_INIT;
    size_t size = strlen(text);

    for (size_t at = 0; at < size; at += n) {
        struct http_part piece;
        size_t taken;

        buffer_append(&kept, text + at, size - at < n ? size - at : n);
        while ((taken = http_client_body_take(b, buffer_data(&kept), buffer_length(&kept),
                                              &piece)) > 0) {
            buffer_append(&body, buffer_data(&kept) + piece.at, piece.length);
            buffer_consume(&kept, taken);
        }
    }
    buffer_append_char(&body, '|'); /* and what is behind the body */
    buffer_append(&body, buffer_data(&kept), buffer_length(&kept));
    buffer_release(&kept);
    return body;
}

static void check_chunked(const char *text, enum http_client_body_end end, const char *result)
{
    for (size_t n = 1; n <= strlen(text); n++) {
        struct http_client_body b;
        struct buffer body;

        http_client_body_begin(&b, HTTP_CLIENT_BODY_CHUNKED, 0, LINE, 60);
        body = feed(&b, text, n);
        ck_assert_msg(b.end == end, "'%s' by %zu: %d", text, n, (int)b.end);
        if (end == HTTP_CLIENT_BODY_BAD)
            ck_assert_msg(strstr(b.reason, result), "'%s': %s", text, b.reason);
        else
            ck_assert_str_eq(buffer_data(&body), result);
        buffer_release(&body);
    }
}

START_TEST(chunks_are_put_together_however_they_come)
{
    check_chunked("5\r\nhello\r\n1;a=b\r\n \r\n00A\t;x\r\n0123456789\r\n0\r\n\r\nrest",
                  HTTP_CLIENT_BODY_WHOLE, "hello 0123456789|rest");
    check_chunked("0\r\n\r\n", HTTP_CLIENT_BODY_WHOLE, "|");
    check_chunked("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", HTTP_CLIENT_BODY_WHOLE, "x|");
    check_chunked("5\r\nhel", HTTP_CLIENT_BODY_MORE, "hel|");
}
END_TEST

START_TEST(what_is_no_chunk_is_refused)
{
    check_chunked("\r\nhello", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("x\r\n", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("-1\r\n", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("0x5\r\n", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("5 5\r\n", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("1000000000000000\r\n", HTTP_CLIENT_BODY_BAD, "a chunk's size is none");
    check_chunked("5\nhello", HTTP_CLIENT_BODY_BAD, "does not end with CR LF");
    check_chunked("5;\x01\r\n", HTTP_CLIENT_BODY_BAD, "control character");
    check_chunked("2\r\nabc\r\n", HTTP_CLIENT_BODY_BAD, "longer than its size says");
    check_chunked("2\r\nab\rc", HTTP_CLIENT_BODY_BAD, "longer than its size says");
    check_chunked("0\r\nno header\r\n\r\n", HTTP_CLIENT_BODY_BAD, "a trailer is no header");
    check_chunked("0\r\n: x\r\n\r\n", HTTP_CLIENT_BODY_BAD, "a trailer is no header");
}
END_TEST

/* The beginning, and then n times the piece; the caller's. */
static char *repeat_text(const char *beginning, const char *piece, int n)
{
    struct buffer b = BUFFER_INIT;

    buffer_append_text(&b, beginning);
    while (n-- > 0)
        buffer_append_text(&b, piece);
    return buffer_take(&b, NULL);
}

static void check_repeated(const char *beginning, const char *piece, int n, const char *reason)
{
    char *text = repeat_text(beginning, piece, n);

    check_chunked(text, HTTP_CLIENT_BODY_BAD, reason);
    mem_free(text);
}

START_TEST(what_is_no_body_has_its_limits)
{
    check_repeated("", "1\r\nx\r\n", 30, "chunks are too small");
    check_repeated("1;", "x", LINE, "too long");
    check_repeated("0\r\n", "A: b\r\n", 20, "too");
}
END_TEST

/* Without a limit of framing, as streams are, trailers still end. */
START_TEST(trailers_are_limited_where_chunks_are_not)
{
    char *text = repeat_text("0\r\n", "A: b\r\n", 40);
    struct http_client_body b;
    struct buffer body;

    http_client_body_begin(&b, HTTP_CLIENT_BODY_CHUNKED, 0, LINE, 0);
    body = feed(&b, text, 7);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_BAD);
    ck_assert_str_eq(b.reason, "its trailers are too long");
    buffer_release(&body);
    mem_free(text);
}
END_TEST

START_TEST(a_length_is_kept_to_and_the_end_ends_the_rest)
{
    struct http_client_body b;
    struct buffer body;

    http_client_body_begin(&b, HTTP_CLIENT_BODY_LENGTH, 5, LINE, 0);
    body = feed(&b, "hello more", 3);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_WHOLE);
    ck_assert_str_eq(buffer_data(&body), "hello| more");
    buffer_release(&body);

    http_client_body_begin(&b, HTTP_CLIENT_BODY_LENGTH, 50, LINE, 0);
    body = feed(&b, "hello", 5);
    http_client_body_close(&b);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_BAD);
    buffer_release(&body);

    http_client_body_begin(&b, HTTP_CLIENT_BODY_TO_CLOSE, 0, LINE, 0);
    body = feed(&b, "hello", 2);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_MORE);
    http_client_body_close(&b);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_WHOLE);
    ck_assert_str_eq(buffer_data(&body), "hello|");
    buffer_release(&body);

    http_client_body_begin(&b, HTTP_CLIENT_BODY_NONE, 0, LINE, 0);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_WHOLE);
    http_client_body_begin(&b, HTTP_CLIENT_BODY_LENGTH, 0, LINE, 0);
    ck_assert_int_eq(b.end, HTTP_CLIENT_BODY_WHOLE);
}
END_TEST

UNIT(http_client_body, chunks_are_put_together_however_they_come, what_is_no_chunk_is_refused,
     what_is_no_body_has_its_limits, trailers_are_limited_where_chunks_are_not,
     a_length_is_kept_to_and_the_end_ends_the_rest);
