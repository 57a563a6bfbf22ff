/* test_run.c - the record that a run leaves */
#include "agent/run.h"

#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tests/unit.h"

START_TEST(a_start_reads_back_as_it_was_written)
{
    struct run_started s = { .boot_id = "0a1b-2c", .pid = 4711, .start_time = UINT64_MAX }, got;
    struct buffer text = BUFFER_INIT;

    run_started_format(&s, &text);
    ck_assert_str_eq(buffer_data(&text),
                     "version 1\nboot_id 0a1b-2c\npid 4711\nstart_time 18446744073709551615\n");
    ck_assert_int_eq(run_started_parse(buffer_data(&text), &got, NULL), 0);
    ck_assert_str_eq(got.boot_id, "0a1b-2c");
    ck_assert_int_eq(got.pid, 4711);
    ck_assert(got.start_time == UINT64_MAX);
    buffer_release(&text);
}
END_TEST

START_TEST(an_end_reads_back_as_it_was_written)
{
    struct run_exit e = { .executed = true, .status = 7 << 8 }, got;
    struct buffer text = BUFFER_INIT;

    run_exit_format(&e, &text);
    ck_assert_str_eq(buffer_data(&text), "version 1\nexecuted 1\nstatus 1792\nreason \n");
    ck_assert_int_eq(run_exit_parse(buffer_data(&text), &got, NULL), 0);
    ck_assert(got.executed);
    ck_assert_int_eq(got.status, 1792);
    ck_assert_str_eq(got.reason, "");
    buffer_release(&text);
}
END_TEST

START_TEST(a_reason_stays_on_one_line)
{
    struct run_exit e = { .executed = false, .reason = "cannot execute 'a\nb': No such file" }, got;
    struct buffer text = BUFFER_INIT;

    run_exit_format(&e, &text);
    ck_assert_int_eq(run_exit_parse(buffer_data(&text), &got, NULL), 0);
    ck_assert(!got.executed);
    ck_assert_str_eq(got.reason, "cannot execute 'a b': No such file");
    buffer_release(&text);
}
END_TEST

static const char *start_error(const char *text)
{
    static struct error err;
    struct run_started got;

    ck_assert_int_eq(run_started_parse(text, &got, &err), -1);
    return err.text;
}

START_TEST(a_record_of_a_start_that_is_not_understood_is_refused)
{
    ck_assert_str_eq(start_error(""), "the record of a run's start has no proper line 'version'");
    ck_assert_str_eq(start_error("version 2\nboot_id a\npid 1\nstart_time 1\n"),
                     "the record of a run's start is of version 2, known is 1");
    ck_assert_str_eq(start_error("version 1\nboot_id a\npid -1\nstart_time 1\n"),
                     "the record of a run's start has '-1' for its pid");
    ck_assert_str_eq(start_error("version 1\nboot_id a\npid 0\nstart_time 1\n"),
                     "the record of a run's start names no process");
    ck_assert_str_eq(start_error("version 1\nboot_id a\npid 1\nstart_time 18446744073709551616\n"),
                     "the record of a run's start has '18446744073709551616' for its start_time");
    ck_assert_str_eq(start_error("version 1\nboot_id a\npid 1\nstart_time 1"),
                     "the record of a run's start has no proper line 'start_time'");
    ck_assert_str_eq(start_error("version 1\nboot_id a\npid 1\nstart_time 1\nmore 1\n"),
                     "the record of a run's start goes on after its end");
    ck_assert_str_eq(start_error("version 1\nboot_id\npid 1\nstart_time 1\n"),
                     "the record of a run's start has no proper line 'boot_id'");
}
END_TEST

START_TEST(a_record_of_an_end_that_is_not_understood_is_refused)
{
    char text[400] = "version 1\nexecuted 0\nstatus 0\nreason ";
    struct run_exit got = { .status = 42 };
    struct error err;
    size_t n = strlen(text);

    ck_assert_int_eq(run_exit_parse("version 1\nexecuted 2\nstatus 0\nreason \n", &got, &err), -1);
    ck_assert_str_eq(err.text, "the record of a run's end has '2' for its executed");
    memset(text + n, 'x', 200);
    memcpy(text + n + 200, "\n", 2);
    ck_assert_int_eq(run_exit_parse(text, &got, &err), -1);
    ck_assert_str_eq(err.text, "the record of a run's end has too long a reason");
    ck_assert_int_eq(got.status, 42);
}
END_TEST

UNIT(run, a_start_reads_back_as_it_was_written, an_end_reads_back_as_it_was_written,
     a_reason_stays_on_one_line, a_record_of_a_start_that_is_not_understood_is_refused,
     a_record_of_an_end_that_is_not_understood_is_refused);
