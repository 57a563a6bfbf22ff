/* test_batch.c - a batch of commands against a fake master and agent in the simulated world */
#include "framework/batch.h"

#include <signal.h>

#include "process/http.h"
#include "tests/framework/fake_master.h"
#include "tests/unit.h"

/* ---- a fake agent: /files/download says which path it was asked for ---- */

struct files {
    struct process process;
    unsigned requests;
    bool is_broken;
};

#define ENDPOINTS(AT) AT("/download", serve_download, NULL)
ROUTES(files, files_routes, ENDPOINTS);
CLASS(files, "files", files_initialize, files_exited, files_finalize);

static void files_initialize(struct files *f)
{
    process_route(&f->process, files_routes);
}

static void files_exited(struct files *f UNUSED, const struct pid *peer UNUSED) {}
static void files_finalize(struct files *f UNUSED) {}

static void serve_download(struct files *f, struct http_request *r)
{
    char text[300];

    f->requests++;
    if (f->is_broken) {
        http_answer_error(r, 500, NULL);
        return;
    }
    snprintf(text, sizeof text, "%s\n", http_request_query(r, "path"));
    http_answer(r, 200, NULL, text, strlen(text));
}

/* ---- one batch ---- */

static struct world w;
static struct files files;
static struct batch *batch;
static struct batch_handle handle;
static struct batch_options options;
static struct buffer printed[2];
static bool is_closed;                   /* nobody reads our stdout */

static int write_down(void *arg UNUSED, enum batch_stream stream, const void *data, size_t size)
{
    if (stream == BATCH_STDOUT && is_closed)
        return -1;
    buffer_append(&printed[stream], data, size);
    return 0;
}

static void start_files(void)
{
    struct error err;

    ck_assert_int_eq(process_spawn(w.master_rt, &files.process, &files_class, "files", NULL, &err),
                     0);
}

static void start_world(void)
{
    w = world_start(5);
    world_start_master(&w, false);
    files = (struct files){ 0 };
    start_files();
    is_closed = false;
    options = (struct batch_options){ .master = (char *)"10.0.0.1:5050", .name = (char *)"test",
                                      .role = (char *)"*", .cpus = 1, .mem = 32, .output = true,
                                      .failover_timeout = HOURS(1) };
}

static void start_batch(const char *commands)
{
    struct batch_sink sink = { .write = write_down, .width = 80 };
    struct batch_jobs jobs;
    struct error err;

    ck_assert_int_eq(batch_jobs_parse(commands, strlen(commands), &jobs, &err), 0);
    batch = batch_create(w.rt, &options, &jobs, &sink, &err);
    ck_assert_msg(batch != NULL, "%s", batch ? "" : err.text);
    handle = batch_handle_of(batch);
}

static void start(const char *commands)
{
    start_world();
    start_batch(commands);
    world_await(&w, w.master.subscribes, 1);
}

/* The batch ends, by itself, with this exit status. */
static void check_ends(int status)
{
    ck_assert_msg(process_wait(batch_pid(batch), MINUTES(30)), "printed: %s",
                  buffer_data(&printed[BATCH_STDERR]));
    ck_assert_int_eq(batch_exit_status(batch), status);
}

static void stop(void)
{
    batch_destroy(batch);
    pid_release(&handle.pid);
    world_stop(&w);
    buffer_release(&printed[0]);
    buffer_release(&printed[1]);
}

static void check_says(enum batch_stream stream, const char *words)
{
    ck_assert_msg(strstr(buffer_data(&printed[stream]), words), "printed: %s",
                  buffer_data(&printed[stream]));
}

static void run_task(const char *task, Pb__TaskState end, const char *message)
{
    world_update(&w, task, PB__TASK_STATE__TASK_RUNNING, NULL, true);
    world_update(&w, task, end, message, true);
}

START_TEST(tasks_of_one_offer_go_in_one_accept_and_success_is_status_0)
{
    start("a\nb\nc\n");
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.suppresses, 1);
    ck_assert_uint_eq(w.master.accepts, 1);
    ck_assert_uint_eq(w.master.n_in_last_accept, 3);
    for (size_t i = 0; i < 3; i++)
        run_task(w.master.launched[i].id, PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    ck_assert_uint_eq(w.master.teardowns, 1);
    ck_assert_uint_eq(w.master.acknowledges, 6);
    ck_assert_uint_eq(files.requests, 6);
    check_says(BATCH_STDOUT, "/frameworks/F-0/executors/job-1-1/runs/latest/stdout\n");
    check_says(BATCH_STDERR, "/frameworks/F-0/executors/job-3-1/runs/latest/stderr\n");
    check_says(BATCH_STDERR, "3 jobs: 3 succeeded, 0 failed");
    stop();
}
END_TEST

START_TEST(an_offer_that_fits_no_task_is_declined_for_long_and_the_user_is_told)
{
    start("a\n");
    world_offer(&w, "O-1", 0.5, 1024);
    world_await(&w, w.master.declines, 1);
    ck_assert(w.master.refuse_seconds >= 600);
    ck_assert_uint_eq(w.master.accepts, 0);
    sim_run_for(w.sim, SECONDS(15));
    check_says(BATCH_STDERR, "the largest offer had cpus:0.5; mem:1024");
    stop();
}
END_TEST

START_TEST(no_offer_at_all_is_told)
{
    start("a\n");
    sim_run_for(w.sim, SECONDS(15));
    check_says(BATCH_STDERR, "still no offer from master 10.0.0.1:5050");
    stop();
}
END_TEST

START_TEST(a_failure_is_status_1_and_names_the_command)
{
    start("good\nbad\n");
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    run_task("job-2-1", PB__TASK_STATE__TASK_FAILED, "Command exited with status 3");
    check_ends(1);
    check_says(BATCH_STDERR, "job 2 failed on three: Command exited with status 3: bad\n");
    stop();
}
END_TEST

START_TEST(a_failure_is_tried_again_with_a_fresh_task_id)
{
    start_world();
    options.retries = 1;
    start_batch("bad\n");
    world_await(&w, w.master.subscribes, 1);
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.suppresses, 1);
    run_task("job-1-1", PB__TASK_STATE__TASK_FAILED, "Command exited with status 3");
    world_await(&w, w.master.revives, 1);
    world_offer(&w, "O-2", 8, 1024);
    world_await(&w, w.master.accepts, 2);
    ck_assert_str_eq(w.master.launched[1].id, "job-1-2");
    run_task("job-1-2", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    check_says(BATCH_STDERR, "1 succeeded, 0 failed, 1 retried");
    stop();
}
END_TEST

START_TEST(a_task_that_was_not_started_is_launched_again_without_retries)
{
    start("a\n");
    for (unsigned i = 1; i <= 3; i++) {
        char id[32];

        world_offer(&w, "O", 8, 1024);
        world_await(&w, w.master.accepts, i);
        snprintf(id, sizeof id, "job-1-%u", i);
        ck_assert_str_eq(w.master.launched[i - 1].id, id);
        if (i < 3)
            world_update(&w, id, PB__TASK_STATE__TASK_DROPPED, NULL, false);
        else
            run_task(id, PB__TASK_STATE__TASK_FINISHED, NULL);
    }
    check_ends(0);
    stop();
}
END_TEST

START_TEST(a_task_of_a_gone_agent_may_have_run_and_is_not_run_again_without_retries)
{
    char *log;
    size_t size;

    start_world();
    options.joblog = (char *)"/joblog";
    start_batch("a\n");
    world_await(&w, w.master.subscribes, 1);
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    world_update(&w, "job-1-1", PB__TASK_STATE__TASK_RUNNING, NULL, true);
    world_update(&w, "job-1-1", PB__TASK_STATE__TASK_GONE, NULL, false);
    check_ends(1);
    check_says(BATCH_STDERR, "job 1 is lost, and may have run, on three: TASK_GONE: a");
    ck_assert_int_eq(host_read_file(w.host, "/joblog", 1000, &log, &size, NULL), 0);
    ck_assert_msg(strstr(log, "\t-1\t-1\ta\n"), "%s", log);
    mem_free(log);
    stop();
}
END_TEST

START_TEST(an_unreachable_agent_is_waited_for)
{
    start("a\n");
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    world_update(&w, "job-1-1", PB__TASK_STATE__TASK_UNREACHABLE, NULL, false);
    sim_run_for(w.sim, HOURS(2));
    ck_assert_uint_eq(w.master.accepts, 1);
    ck_assert_uint_eq(w.master.teardowns, 0);
    ck_assert_uint_ge(w.master.reconciles, 10);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    stop();
}
END_TEST

START_TEST(at_most_so_many_jobs_run_at_a_time)
{
    start_world();
    options.jobs = 2;
    start_batch("a\nb\nc\n");
    world_await(&w, w.master.subscribes, 1);
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.suppresses, 1);
    ck_assert_uint_eq(w.master.n_launched, 2);
    run_task("job-2-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    world_await(&w, w.master.revives, 1);
    world_offer(&w, "O-2", 8, 1024);
    world_await(&w, w.master.accepts, 2);
    ck_assert_str_eq(w.master.launched[2].id, "job-3-1");
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    run_task("job-3-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    stop();
}
END_TEST

START_TEST(with_keep_order_outputs_wait_for_their_turn)
{
    const char *first, *second;

    start_world();
    options.keep_order = true;
    start_batch("a\nb\n");
    world_await(&w, w.master.subscribes, 1);
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    run_task("job-2-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    world_await(&w, files.requests, 2);
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(buffer_length(&printed[BATCH_STDOUT]), 0);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    first = strstr(buffer_data(&printed[BATCH_STDOUT]), "job-1-1");
    second = strstr(buffer_data(&printed[BATCH_STDOUT]), "job-2-1");
    ck_assert(first && second && first < second);
    stop();
}
END_TEST

START_TEST(results_are_kept_also_of_a_failure)
{
    char *data;
    size_t size;

    start_world();
    options.results = (char *)"/results";
    options.output = false;
    start_batch("bad\n");
    world_await(&w, w.master.subscribes, 1);
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    run_task("job-1-1", PB__TASK_STATE__TASK_FAILED, "Command exited with status 1");
    check_ends(1);
    ck_assert_int_eq(host_read_file(w.host, "/results/1/stderr", 1000, &data, &size, NULL), 0);
    ck_assert_str_eq(data, "/frameworks/F-0/executors/job-1-1/runs/latest/stderr\n");
    mem_free(data);
    ck_assert_uint_eq(buffer_length(&printed[BATCH_STDOUT]), 0);
    stop();
}
END_TEST

START_TEST(an_output_that_cannot_be_fetched_is_told_and_is_status_1)
{
    start("a\n");
    files.is_broken = true;
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(1);
    check_says(BATCH_STDERR, "the stdout of job 1 cannot be fetched from http://10.0.0.1:5050/");
    check_says(BATCH_STDERR, "HTTP status 500");
    check_says(BATCH_STDERR, "2 outputs could not be fetched or kept");
    stop();
}
END_TEST

START_TEST(after_a_lost_master_all_tasks_are_reconciled_until_answered)
{
    start("a\nb\n");
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    world_stop_master(&w);
    sim_run_for(w.sim, SECONDS(30));
    check_says(BATCH_STDERR, "the connection to the master broke; trying again");
    world_start_master(&w, false);
    start_files();
    world_await(&w, w.master.reconciles, 1);
    ck_assert_uint_eq(w.master.n_reconciled, 2);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    world_await(&w, w.master.reconciles, 3);
    ck_assert_uint_eq(w.master.n_reconciled, 1);
    ck_assert_uint_eq(w.master.accepts, 0);
    world_update(&w, "job-2-1", PB__TASK_STATE__TASK_RUNNING, NULL, false);
    sim_run_for(w.sim, MINUTES(5));
    ck_assert_uint_eq(w.master.n_reconciled, 1);
    run_task("job-2-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    check_ends(0);
    stop();
}
END_TEST

START_TEST(an_interrupt_kills_what_runs_and_waits_for_it)
{
    start("a\nb\nc\n");
    world_offer(&w, "O-1", 2, 1024);
    world_await(&w, w.master.accepts, 1);
    world_update(&w, "job-1-1", PB__TASK_STATE__TASK_RUNNING, NULL, true);
    batch_interrupt(&handle, SIGINT);
    world_await(&w, w.master.kills, 2);
    sim_run_for(w.sim, SECONDS(3));
    ck_assert_uint_eq(w.master.teardowns, 0);
    world_update(&w, "job-1-1", PB__TASK_STATE__TASK_KILLED, NULL, true);
    world_update(&w, "job-2-1", PB__TASK_STATE__TASK_KILLED, NULL, true);
    check_ends(130);
    ck_assert_uint_eq(w.master.n_launched, 2);
    check_says(BATCH_STDERR, "interrupted: killing 2 running tasks");
    check_says(BATCH_STDERR, "1 not run to their end");
    stop();
}
END_TEST

START_TEST(a_second_interrupt_ends_at_once)
{
    start("a\n");
    world_offer(&w, "O-1", 2, 1024);
    world_await(&w, w.master.accepts, 1);
    batch_interrupt(&handle, SIGTERM);
    batch_interrupt(&handle, SIGTERM);
    check_ends(143);
    ck_assert_uint_eq(w.master.teardowns, 1);
    check_says(BATCH_STDERR, "ending at once");
    stop();
}
END_TEST

START_TEST(a_refusal_by_the_master_is_told_and_is_status_1)
{
    start_world();
    w.master.refusal = "no such role";
    start_batch("a\n");
    check_ends(1);
    check_says(BATCH_STDERR, "master 10.0.0.1:5050 refuses us: no such role");
    stop();
}
END_TEST

START_TEST(a_master_that_does_not_answer_is_given_up_after_the_time_out)
{
    start_world();
    world_stop_master(&w);
    options.timeout = MINUTES(1);
    start_batch("a\n");
    check_ends(1);
    check_says(BATCH_STDERR, "no answer from master 10.0.0.1:5050 yet");
    check_says(BATCH_STDERR, "giving up: master 10.0.0.1:5050 has not answered for 60 s");
    stop();
}
END_TEST

START_TEST(a_closed_standard_output_stops_the_batch)
{
    start("a\nb\n");
    is_closed = true;
    world_offer(&w, "O-1", 8, 1024);
    world_await(&w, w.master.accepts, 1);
    run_task("job-1-1", PB__TASK_STATE__TASK_FINISHED, NULL);
    world_await(&w, w.master.kills, 1);
    world_update(&w, "job-2-1", PB__TASK_STATE__TASK_KILLED, NULL, true);
    check_ends(1);
    check_says(BATCH_STDERR, "nobody reads our output any more");
    stop();
}
END_TEST

UNIT(batch, tasks_of_one_offer_go_in_one_accept_and_success_is_status_0,
     an_offer_that_fits_no_task_is_declined_for_long_and_the_user_is_told,
     no_offer_at_all_is_told, a_failure_is_status_1_and_names_the_command,
     a_failure_is_tried_again_with_a_fresh_task_id,
     a_task_that_was_not_started_is_launched_again_without_retries,
     a_task_of_a_gone_agent_may_have_run_and_is_not_run_again_without_retries,
     an_unreachable_agent_is_waited_for, at_most_so_many_jobs_run_at_a_time,
     with_keep_order_outputs_wait_for_their_turn, results_are_kept_also_of_a_failure,
     an_output_that_cannot_be_fetched_is_told_and_is_status_1,
     after_a_lost_master_all_tasks_are_reconciled_until_answered,
     an_interrupt_kills_what_runs_and_waits_for_it, a_second_interrupt_ends_at_once,
     a_refusal_by_the_master_is_told_and_is_status_1,
     a_master_that_does_not_answer_is_given_up_after_the_time_out,
     a_closed_standard_output_stops_the_batch);
