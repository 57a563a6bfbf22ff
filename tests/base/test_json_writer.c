/* test_json_writer.c - JSON straight into a buffer */
#include "base/json_writer.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
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
     doubles_are_the_shortest_that_read_back, every_double_reads_back_the_same_and_is_json,
     THESE_ABORT, an_end_without_its_begin, an_array_that_ends_as_an_object,
     a_key_without_its_value);
