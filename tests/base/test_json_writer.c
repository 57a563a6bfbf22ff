/* test_json_writer.c - JSON straight into a buffer */
#include "base/json_writer.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "tests/unit.h"

START_TEST(commas_and_colons_stand_where_they_belong)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_string(&w, "id", "a/b");
    json_put_string(&w, "none", NULL);
    json_put_integer(&w, "min", INT64_MIN);
    json_key(&w, "max");
    json_write_unsigned(&w, UINT64_MAX);
    json_put_double(&w, "cpus", 1.5);
    json_put_bool(&w, "yes", true);
    json_key(&w, "empty");
    json_begin_array(&w);
    json_end_array(&w);
    json_key(&w, "list");
    json_begin_array(&w);
    json_write_integer(&w, 0);
    json_begin_object(&w);
    json_end_object(&w);
    json_begin_array(&w);
    json_write_null(&w);
    json_write_bool(&w, false);
    json_end_array(&w);
    json_write_raw(&w, "{\"x\":1}", 7);
    json_write_base64(&w, "foob", 4);
    json_end_array(&w);
    json_end_object(&w);
    ck_assert_str_eq(buffer_data(&out),
                     "{\"id\":\"a/b\",\"none\":null,\"min\":-9223372036854775808,"
                     "\"max\":18446744073709551615,\"cpus\":1.5,\"yes\":true,\"empty\":[],"
                     "\"list\":[0,{},[null,false],{\"x\":1},\"Zm9vYg==\"]}");
}
END_TEST

static void check_string(const char *s, size_t n, const char *expected)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_write_string_n(&w, s, n);
    ck_assert_str_eq(buffer_data(&out), expected);
}

START_TEST(strings_are_escaped_where_the_rfc_demands_it)
{
    check_string("", 0, "\"\"");
    check_string("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    check_string("\b\f\n\r\t\x01\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    check_string("a\0b", 3, "\"a\\u0000b\"");
    check_string("\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_become_the_replacement_character)
{
    check_string("a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"");
    check_string("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_string("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

/* What the escapes are, said once more and slowly. */
static void append_plainly(struct buffer *out, const char *s, size_t n)
{
    static const char *const named[128] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t",
    };

    buffer_append_char(out, '"');
    for (size_t i = 0, size; i < n; i += size) {
        unsigned char c = (unsigned char)s[i];

        size = utf8_character(s + i, n - i);
        if (size == 0) {
            buffer_append_text(out, "\xef\xbf\xbd");
            size = 1;
        } else if (c < 128 && named[c]) {
            buffer_append_text(out, named[c]);
        } else if (c < 0x20) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_append(out, s + i, size);
        }
    }
    buffer_append_char(out, '"');
}

static void check_as_plainly(const char *s, size_t n)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT, expected = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_write_string_n(&w, s, n);
    append_plainly(&expected, s, n);
    ck_assert_uint_eq(buffer_length(&out), buffer_length(&expected));
    ck_assert_mem_eq(buffer_data(&out), buffer_data(&expected), buffer_length(&out));
    buffer_release(&expected);
}

START_TEST(what_needs_care_is_found_at_every_place_of_every_length)
{
    static const char *const special[] = { "\"", "\\", "\x01", "\x1f", "\xc3\xa4",
                                           "\xf0\x9f\x98\x80", "\xff", "\xe2\x82" };
    char text[80];

    for (size_t n = 0; n < 50; n++)
        for (size_t at = 0; at <= n; at++)
            for (size_t k = 0; k < ARRAY_SIZE(special); k++) {
                memset(text, 'x', sizeof text);
                memcpy(text + at, special[k], strlen(special[k]));
                check_as_plainly(text, n);
            }
}
END_TEST

START_TEST(a_long_string_may_need_care_everywhere)
{
    static char text[100000];
    uint64_t bits = 88172645463325252u;

    memset(text, '\x01', sizeof text);
    check_as_plainly(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        text[i] = (char)(i < sizeof text / 2 ? bits : bits % 96 + 32);
    }
    check_as_plainly(text, sizeof text);
}
END_TEST

static const char *double_text(struct buffer *out, double d)
{
    struct json_writer w;

    buffer_clear(out);
    json_writer_init(&w, out);
    json_write_double(&w, d);
    return buffer_data(out);
}

START_TEST(doubles_are_the_shortest_that_read_back)
{
    static const struct { double d; const char *text; } cases[] = {
        { 0, "0.0" }, { -0.0, "-0.0" }, { 15, "15.0" }, { 1.5, "1.5" }, { -0.25, "-0.25" },
        { 0.001, "0.001" }, { 0.1, "0.1" }, { 1234567.891, "1234567.891" }, { 0.3, "0.3" },
        { 0.1 + 0.2, "0.30000000000000004" }, { 1.0 / 3, "0.3333333333333333" },
        { 0.0001, "0.0001" }, { 1e11, "100000000000.0" }, { 999999999999.0, "999999999999.0" },
        { 1e14, "100000000000000.0" }, { 1e15, "1e+15" }, { 1e300, "1e+300" },
        { 5e-324, "4.94065645841247e-324" },
        { 1766000000.123456, "1766000000.123456" },
    };
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(double_text(&out, cases[i].d), cases[i].text);
    ck_assert_str_eq(double_text(&out, NAN), "null");
    ck_assert_str_eq(double_text(&out, INFINITY), "null");
    ck_assert_str_eq(double_text(&out, -INFINITY), "null");
}
END_TEST

START_TEST(every_double_reads_back_the_same_and_is_json)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    uint64_t bits = 88172645463325252u;

    for (int i = 0; i < 20000; i++) {
        json_t *json;
        double d;

        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d))
            continue;
        if (i % 2)
            d = (double)(int64_t)bits / 1e9;
        ck_assert(strtod(double_text(&out, d), NULL) == d);
        json = json_loads(buffer_data(&out), JSON_DECODE_ANY, NULL);
        ck_assert_msg(json_is_real(json), "%s", buffer_data(&out));
        json_decref(json);
    }
}
END_TEST

START_TEST(an_end_without_its_begin)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_end_object(&w);
}
END_TEST

START_TEST(an_array_that_ends_as_an_object)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_array(&w);
    json_end_object(&w);
}
END_TEST

START_TEST(a_key_without_its_value)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "id");
    json_end_object(&w);
}
END_TEST

UNIT(json_writer, commas_and_colons_stand_where_they_belong,
     strings_are_escaped_where_the_rfc_demands_it,
     bytes_that_are_no_utf8_become_the_replacement_character,
     what_needs_care_is_found_at_every_place_of_every_length,
     a_long_string_may_need_care_everywhere,
     doubles_are_the_shortest_that_read_back, every_double_reads_back_the_same_and_is_json,
     THESE_ABORT, an_end_without_its_begin, an_array_that_ends_as_an_object,
     a_key_without_its_value);
