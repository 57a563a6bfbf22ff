/* test_job_log.c - commands in, what a status says of one, and the lines that come out */
#include "framework/job_log.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "framework/batch_ending.h"
#include "framework/batch_jobs.h"
#include "framework/progress.h"
#include "tests/unit.h"

static void check_line(const struct batch_job *job, const char *wanted)
{
    struct buffer out = BUFFER_INIT;

    job_log_line(job, &out);
    ck_assert_str_eq(buffer_data(&out), wanted);
    buffer_release(&out);
}

START_TEST(a_line_has_the_nine_columns_of_gnu_parallel)
{
    struct batch_job job = { .seq = 7, .command = (char *)"sleep 2",
                             .hostname = (char *)"a.example",
                             .begin = { 1500000000250000000 }, .end = { 1500000002375000000 },
                             .received = 12, .exit_value = 3 };

    ck_assert_str_eq(job_log_header, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\t"
                                     "Signal\tCommand\n");
    check_line(&job, "7\ta.example\t1500000000.250\t     2.125\t0\t12\t3\t0\tsleep 2\n");
}
END_TEST

START_TEST(a_job_that_may_have_run_keeps_the_columns)
{
    struct batch_job job = { .seq = 1, .command = (char *)"x\ty", .exit_value = -1,
                             .signal = -1 };

    check_line(&job, "1\t-\t0.000\t     0.000\t0\t0\t-1\t-1\tx\ty\n");
}
END_TEST

START_TEST(a_host_name_cannot_break_the_columns)
{
    struct batch_job job = { .seq = 1, .command = (char *)"x", .hostname = (char *)"a\tb\nc d" };

    check_line(&job, "1\tabcd\t0.000\t     0.000\t0\t0\t0\t0\tx\n");
}
END_TEST

START_TEST(commands_are_the_lines_that_are_neither_empty_nor_comments)
{
    static const char text[] = "\n# no\necho a\r\n   \n  echo # yes  \n\t\necho b";
    struct batch_jobs jobs;

    ck_assert_int_eq(batch_jobs_parse(text, strlen(text), &jobs, NULL), 0);
    ck_assert_uint_eq(jobs.n, 3);
    ck_assert_uint_eq(jobs.n_waiting, 3);
    ck_assert_str_eq(jobs.v[0].command, "echo a");
    ck_assert_str_eq(jobs.v[1].command, "  echo # yes");
    ck_assert_str_eq(jobs.v[2].command, "echo b");
    ck_assert_uint_eq(jobs.v[2].seq, 3);
    ck_assert_ptr_eq(batch_jobs_next(&jobs), &jobs.v[0]);
    batch_jobs_release(&jobs);
}
END_TEST

START_TEST(bytes_that_no_command_may_hold_are_refused_by_line)
{
    struct batch_jobs jobs;
    struct error err;

    ck_assert_int_eq(batch_jobs_parse("a\nb\0c\n", 6, &jobs, &err), -1);
    ck_assert_str_eq(err.text, "line 2 of the commands holds a NUL byte");
    ck_assert_int_eq(batch_jobs_parse("a\nb\n\xff\n", 6, &jobs, &err), -1);
    ck_assert_str_eq(err.text, "line 3 of the commands is not valid UTF-8");
}
END_TEST

static void check_ending(Pb__TaskState state, const char *message, enum batch_verdict verdict,
                         int exit_value, int signo)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    struct batch_ending e;

    status.state = state;
    status.message = message;
    e = batch_ending_of(&status, true);
    ck_assert_int_eq(e.verdict, verdict);
    ck_assert_int_eq(e.exit_value, exit_value);
    ck_assert_int_eq(e.signal, signo);
}

START_TEST(a_status_says_how_a_command_ended)
{
    check_ending(PB__TASK_STATE__TASK_FINISHED, NULL, BATCH_SUCCEEDED, 0, 0);
    check_ending(PB__TASK_STATE__TASK_FAILED, "Command exited with status 3", BATCH_FAILED, 3, 0);
    check_ending(PB__TASK_STATE__TASK_FAILED, "Command terminated with signal Killed",
                 BATCH_FAILED, 0, 9);
    check_ending(PB__TASK_STATE__TASK_FAILED,
                 "Command terminated with signal Aborted (core dumped)", BATCH_FAILED, 0, 6);
    check_ending(PB__TASK_STATE__TASK_FAILED, "Executor terminated", BATCH_FAILED, 255, 0);
    check_ending(PB__TASK_STATE__TASK_FAILED, "exited with status 999", BATCH_FAILED, 255, 0);
    check_ending(PB__TASK_STATE__TASK_FAILED, NULL, BATCH_FAILED, 255, 0);
    check_ending(PB__TASK_STATE__TASK_KILLED, NULL, BATCH_FAILED, 0, 15);
}
END_TEST

START_TEST(a_task_that_its_agent_has_never_heard_of_was_not_started)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    status.state = PB__TASK_STATE__TASK_GONE;
    ck_assert_int_eq(batch_ending_of(&status, false).verdict, BATCH_MAY_HAVE_RUN);
    status.has_reason = 1;
    status.reason = PB__TASK_STATUS__REASON__REASON_RECONCILIATION;
    ck_assert_int_eq(batch_ending_of(&status, true).verdict, BATCH_MAY_HAVE_RUN);
    ck_assert_int_eq(batch_ending_of(&status, false).verdict, BATCH_NOT_STARTED);
    status.state = PB__TASK_STATE__TASK_LOST;
    ck_assert_int_eq(batch_ending_of(&status, false).verdict, BATCH_MAY_HAVE_RUN);
}
END_TEST

START_TEST(a_status_says_whether_a_command_may_have_run)
{
    check_ending(PB__TASK_STATE__TASK_ERROR, NULL, BATCH_INVALID, 255, 0);
    check_ending(PB__TASK_STATE__TASK_DROPPED, NULL, BATCH_NOT_STARTED, 255, 0);
    check_ending(PB__TASK_STATE__TASK_UNREACHABLE, NULL, BATCH_UNREACHABLE, 0, 0);
    check_ending(PB__TASK_STATE__TASK_GONE, NULL, BATCH_MAY_HAVE_RUN, -1, -1);
    check_ending(PB__TASK_STATE__TASK_GONE_BY_OPERATOR, NULL, BATCH_MAY_HAVE_RUN, -1, -1);
    check_ending(PB__TASK_STATE__TASK_LOST, NULL, BATCH_MAY_HAVE_RUN, -1, -1);
    check_ending(PB__TASK_STATE__TASK_UNKNOWN, NULL, BATCH_MAY_HAVE_RUN, -1, -1);
    check_ending(PB__TASK_STATE__TASK_STAGING, NULL, BATCH_ALIVE, 0, 0);
    check_ending(PB__TASK_STATE__TASK_KILLING, NULL, BATCH_ALIVE, 0, 0);
}
END_TEST

START_TEST(the_bar_shows_the_share_and_fits_the_width)
{
    struct progress p = { .total = 200, .succeeded = 95, .failed = 5, .running = 8,
                          .elapsed = SECONDS(10) };
    struct buffer out = BUFFER_INIT;

    progress_bar(&p, 80, &out);
    ck_assert_str_eq(buffer_data(&out), "[##########..........]  50%  100/200 done, 5 failed, "
                                        "8 running, 10.0/s, ETA 0:10");
    for (size_t width = 1; width < 120; width++) {
        buffer_clear(&out);
        progress_bar(&p, width, &out);
        ck_assert_uint_le(buffer_length(&out), width);
    }
    buffer_release(&out);
}
END_TEST

START_TEST(the_summary_counts)
{
    struct progress p = { .total = 4, .succeeded = 2, .failed = 1, .retried = 3,
                          .elapsed = MILLISECONDS(1500) };
    struct buffer out = BUFFER_INIT;

    progress_summary(&p, &out);
    ck_assert_str_eq(buffer_data(&out), "4 jobs: 2 succeeded, 1 failed, 1 not run to their end, "
                                        "3 retried; 1.5 s, 2.0 tasks/s");
    buffer_release(&out);
}
END_TEST

UNIT(job_log, a_line_has_the_nine_columns_of_gnu_parallel,
     a_job_that_may_have_run_keeps_the_columns, a_host_name_cannot_break_the_columns,
     commands_are_the_lines_that_are_neither_empty_nor_comments,
     bytes_that_no_command_may_hold_are_refused_by_line, a_status_says_how_a_command_ended,
     a_task_that_its_agent_has_never_heard_of_was_not_started,
     a_status_says_whether_a_command_may_have_run, the_bar_shows_the_share_and_fits_the_width,
     the_summary_counts);
