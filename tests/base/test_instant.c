/* test_instant.c - points in time and lengths of time */
#include "base/instant.h"

#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "tests/unit.h"

START_TEST(sums_and_differences_stop_at_the_ends_of_the_range)
{
    struct instant last = { INT64_MAX - 5 }, first = { INT64_MIN + 5 };

    ck_assert_int_eq(instant_add((struct instant){ 7 }, NANOSECONDS(3)).ns, 10);
    ck_assert_int_eq(instant_add(INSTANT_NEVER, NANOSECONDS(-3)).ns, INT64_MAX);
    ck_assert_int_eq(instant_add(last, SECONDS(1)).ns, INT64_MAX);
    ck_assert_int_eq(instant_add(first, SECONDS(-1)).ns, INT64_MIN);
    ck_assert_int_eq(instant_since(last, first).ns, INT64_MAX);
    ck_assert_int_eq(instant_since(first, last).ns, INT64_MIN);
    ck_assert_int_eq(instant_since((struct instant){ 3 }, (struct instant){ 10 }).ns, -7);
    ck_assert_int_eq(duration_times(SECONDS(3), 4).ns, SECONDS(12).ns);
    ck_assert_int_eq(duration_times(WEEKS(1000), INT64_MAX).ns, INT64_MAX);
    ck_assert_int_eq(duration_times(WEEKS(1000), -INT64_MAX).ns, INT64_MIN);
    ck_assert_int_eq(duration_min(SECONDS(3), SECONDS(2)).ns, SECONDS(2).ns);
    ck_assert(instant_before(first, last));
    ck_assert(!instant_before(last, last));
}
END_TEST

START_TEST(seconds_as_doubles_are_rounded_and_clamped)
{
    ck_assert_int_eq(duration_from_seconds(1.5).ns, 1500000000);
    ck_assert_int_eq(duration_from_seconds(0.1).ns, 100000000);
    ck_assert_int_eq(duration_from_seconds(-2).ns, -2000000000);
    ck_assert_int_eq(duration_from_seconds(1e300).ns, INT64_MAX);
    ck_assert_int_eq(duration_from_seconds(-1e300).ns, INT64_MIN);
    ck_assert_int_eq(duration_from_seconds(NAN).ns, INT64_MAX);
    ck_assert_int_eq(duration_from_seconds(INFINITY).ns, INT64_MAX);
    ck_assert_double_eq(duration_seconds(MILLISECONDS(2500)), 2.5);
    ck_assert_double_eq(instant_seconds((struct instant){ 2500000000 }), 2.5);
}
END_TEST

START_TEST(durations_print_in_the_unit_of_their_size_or_the_next_smaller)
{
    static const struct { struct duration d; const char *text; } cases[] = {
        { { 0 }, "0ns" },
        { { 999 }, "999ns" },
        { { 1000 }, "1us" },
        { { 1500 }, "1500ns" },
        { { 250000 }, "250us" },
        { { 1500000000 }, "1500ms" },
        { { 1000100000 }, "1.0001secs" },
        { { 5000000000 }, "5secs" },
        { { 90000000000 }, "90secs" },
        { { 60000000000 }, "1mins" },
        { { 900000000000 }, "15mins" },
        { { 90500000000 }, "1.50833333333333mins" },
        { { 5400000000000 }, "90mins" },
        { { 864000000000000 }, "10days" },
        { { 604800000000000 }, "1weeks" },
        { { -5000000000 }, "-5secs" },
        { { INT64_MIN }, "-15250.2844524715weeks" },
    };
    char text[DURATION_TEXT];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(duration_format(cases[i].d, text), cases[i].text);
}
END_TEST

START_TEST(durations_parse_exactly)
{
    static const struct { const char *text; int64_t ns; } cases[] = {
        { "0ns", 0 },
        { "5secs", 5000000000 },
        { "1.5mins", 90000000000 },
        { ".5secs", 500000000 },
        { "2.secs", 2000000000 },
        { "0.1ms", 100000 },
        { "10days", 864000000000000 },
        { "1.42857142857142857weeks", 864000000000000 },
        { "0.00000000000000000000000001secs", 0 },
        { "9223372036854775807ns", INT64_MAX },
        { "3us", 3000 },
        { "2hrs", 7200000000000 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct duration d = { -1 };

        ck_assert_int_eq(duration_parse(cases[i].text, &d, NULL), 0);
        ck_assert_int_eq(d.ns, cases[i].ns);
    }
}
END_TEST

START_TEST(what_is_no_duration_is_refused_with_a_reason)
{
    static const char *const cases[] = {
        "", "5", "secs", ".secs", "-5secs", "+5secs", " 5secs", "5 secs", "5sec", "5secs ", "5Secs",
        "1mins30secs", "1e3secs", "0x5secs", "nansecs", "1.2.3secs", "5m", "20000weeks",
        "9223372036854775808ns", "99999999999999999999999999999999ns",
        "184467440737095516160weeks",
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct duration d = { -1 };
        struct error err = { .code = 0 };

        ck_assert_msg(duration_parse(cases[i], &d, &err) < 0, "%s", cases[i]);
        ck_assert_int_eq(d.ns, -1);
        ck_assert_int_ne(err.code, 0);
    }
}
END_TEST

START_TEST(what_is_printed_whole_parses_back)
{
    for (int64_t ns = 1; ns < INT64_MAX / 20; ns = ns * 10 + 7 * (ns % 3)) {
        char text[DURATION_TEXT];
        struct duration d;

        if (strchr(duration_format(NANOSECONDS(ns), text), '.'))
            continue;
        ck_assert_int_eq(duration_parse(text, &d, NULL), 0);
        ck_assert_int_eq(d.ns, ns);
    }
}
END_TEST

UNIT(instant, sums_and_differences_stop_at_the_ends_of_the_range,
     seconds_as_doubles_are_rounded_and_clamped,
     durations_print_in_the_unit_of_their_size_or_the_next_smaller, durations_parse_exactly,
     what_is_no_duration_is_refused_with_a_reason, what_is_printed_whole_parses_back);
