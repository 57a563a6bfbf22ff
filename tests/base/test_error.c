/* test_error.c - a code and a sentence */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "tests/unit.h"

START_TEST(setting_gives_minus_one_the_code_and_the_sentence)
{
    struct error err;

    ck_assert_int_eq(error_set(&err, EINVAL, "no %s at %d", "agent", 3), -1);
    ck_assert_int_eq(err.code, EINVAL);
    ck_assert_str_eq(err.text, "no agent at 3");
}
END_TEST

START_TEST(an_error_that_nobody_wants_is_dropped)
{
    struct error from = { .code = EPERM, .text = "no" };

    errno = ENOENT;
    ck_assert_int_eq(error_set(NULL, EINVAL, "gone"), -1);
    ck_assert_int_eq(error_errno(NULL, "gone"), -1);
    ck_assert_int_eq(error_wrap(NULL, "gone"), -1);
    ck_assert_int_eq(error_copy(NULL, &from), -1);
}
END_TEST

START_TEST(a_text_that_is_too_long_ends_in_dots)
{
    char x[400];
    struct error err;

    memset(x, 'x', sizeof x - 1);
    x[sizeof x - 1] = '\0';
    error_set(&err, EINVAL, "%s", x);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_str_eq(err.text + sizeof err.text - 6, "xx...");
}
END_TEST

START_TEST(a_text_that_just_fits_is_whole)
{
    struct error err;
    char x[sizeof err.text];

    memset(x, 'x', sizeof x - 1);
    x[sizeof x - 1] = '\0';
    error_set(&err, EINVAL, "%s", x);
    ck_assert_str_eq(err.text, x);
}
END_TEST

START_TEST(a_sentence_stays_on_one_line)
{
    struct error err;

    error_set(&err, EINVAL, "one\ntwo\r\nthree");
    ck_assert_str_eq(err.text, "one two  three");
}
END_TEST

START_TEST(errno_gives_the_code_and_its_meaning)
{
    struct error err;

    errno = ENOENT;
    ck_assert_int_eq(error_errno(&err, "cannot open %s", "x"), -1);
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_str_eq(err.text, "cannot open x: No such file or directory");
}
END_TEST

START_TEST(wrapping_puts_the_context_in_front_and_keeps_the_code)
{
    struct error err;

    error_set(&err, E2BIG, "too long");
    ck_assert_int_eq(error_wrap(&err, "field %d", 7), -1);
    ck_assert_int_eq(err.code, E2BIG);
    ck_assert_str_eq(err.text, "field 7: too long");
}
END_TEST

START_TEST(wrapping_a_long_text_ends_in_dots)
{
    struct error err;

    error_set(&err, E2BIG, "%0190d", 0);
    error_wrap(&err, "a context that does not fit any more");
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_str_eq(err.text + sizeof err.text - 4, "...");
}
END_TEST

START_TEST(an_error_may_be_set_from_its_own_text)
{
    struct error err;

    error_set(&err, EINVAL, "inner");
    error_set(&err, EINVAL, "outer of %s", err.text);
    ck_assert_str_eq(err.text, "outer of inner");
}
END_TEST

UNIT(error, setting_gives_minus_one_the_code_and_the_sentence,
     an_error_that_nobody_wants_is_dropped, a_text_that_is_too_long_ends_in_dots,
     a_text_that_just_fits_is_whole, a_sentence_stays_on_one_line,
     errno_gives_the_code_and_its_meaning, wrapping_puts_the_context_in_front_and_keeps_the_code,
     wrapping_a_long_text_ends_in_dots, an_error_may_be_set_from_its_own_text);
