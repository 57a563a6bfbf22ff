/* test_metrics.c - counters, gauges, and what /metrics/snapshot makes of them */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/runtime.h"
#include "process/typed.h"

#define PATIENCE SECONDS(600)

static struct host *host;
static struct runtime *runtime;

static void start(void)
{
    const struct runtime_options options = { .workers = 1 };
    struct error err = { 0 };

    host = host_real_create();
    runtime = runtime_create(host, &options, &err);
    ck_assert_msg(runtime, "%s", err.text);
}

static void stop(void)
{
    runtime_destroy(runtime);
    host_destroy(host);
}

/* GET path: the status, and the body. */
static int get(const char *path, struct buffer *body)
{
    struct address at = runtime_address(runtime);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(at.port),
                              .sin_addr.s_addr = htonl(at.ip) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), status;
    struct buffer request = BUFFER_INIT;
    const char *end;
    ssize_t n;

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    buffer_printf(&request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    ck_assert_int_eq(write(fd, buffer_data(&request), buffer_length(&request)),
                     (ssize_t)buffer_length(&request));
    while ((n = read(fd, buffer_reserve(body, 4096), 4096)) > 0)
        buffer_commit(body, (size_t)n);
    close(fd);
    buffer_release(&request);
    ck_assert_int_eq(sscanf(buffer_data(body), "HTTP/1.1 %d", &status), 1);
    end = strstr(buffer_data(body), "\r\n\r\n");
    ck_assert_ptr_nonnull(end);
    buffer_consume(body, (size_t)(end + 4 - buffer_data(body)));
    return status;
}

static json_t *snapshot(const char *path)
{
    struct buffer body = BUFFER_INIT;
    json_t *json;

    ck_assert_int_eq(get(path, &body), 200);
    json = json_loads(buffer_data(&body), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json_is_object(json), "%s", buffer_data(&body));
    buffer_release(&body);
    return json;
}

static double number(json_t *json, const char *name)
{
    json_t *value = json_object_get(json, name);

    ck_assert_msg(json_is_number(value), "%s", name);
    return json_number_value(value);
}

/* ---- a process with pulled gauges, and one that is late ---- */

struct worker_process { struct process process; double x; };

CLASS(worker_process, "worker", worker_initialize, worker_exited, worker_finalize);

static double pull_x(struct process *p)
{
    struct worker_process *w = container_of(p, struct worker_process, process);

    ck_assert_ptr_eq(process_current(), p);
    return w->x++;
}

static double pull_two(struct process *p UNUSED)
{
    return 2;
}

static void worker_initialize(struct worker_process *w)
{
    static const struct metrics_pull table[] = {
        { "worker/x", pull_x }, { "worker/two", pull_two }, { NULL, NULL },
    };

    metrics_pull(&w->process, table);
}

static void worker_exited(struct worker_process *w UNUSED, const struct pid *peer UNUSED)
{
}

static void worker_finalize(struct worker_process *w UNUSED)
{
}

/* Its mailbox never has fewer events than this, each of which puts itself in
 * again: whoever asks it something has to wait for several turns. */
enum { CROWD = 5000 };

struct late_process { struct process process; _Atomic bool *until; };
struct late_args { bool first; };

CLASS(late_process, "late", late_initialize, late_exited, late_finalize);
CALL(late_process, late_again, late_args, NO_RELEASE);

static double pull_late(struct process *p UNUSED)
{
    return 1;
}

/* In the context of another process, before the late one has its turn. */
static double pull_advance(struct process *p)
{
    runtime_clock_advance(p->runtime, SECONDS(5));
    return 1;
}

static void late_again(struct late_process *l, struct late_args *args)
{
    for (int i = 0; args->first && i < CROWD; i++)
        dispatch(&l->process.pid, late_again, .first = false);
    if (!args->first && !*l->until)
        dispatch(&l->process.pid, late_again, .first = false);
}

static void late_initialize(struct late_process *l)
{
    static const struct metrics_pull table[] = { { "late/x", pull_late }, { NULL, NULL } };

    metrics_pull(&l->process, table);
}

static void late_exited(struct late_process *l UNUSED, const struct pid *peer UNUSED)
{
}

static void late_finalize(struct late_process *l UNUSED)
{
}

struct ahead_process { struct process process; };

CLASS(ahead_process, "ahead", ahead_initialize, ahead_exited, ahead_finalize);

static void ahead_initialize(struct ahead_process *a)
{
    static const struct metrics_pull table[] = { { "ahead/x", pull_advance }, { NULL, NULL } };

    metrics_pull(&a->process, table);
}

static void ahead_exited(struct ahead_process *a UNUSED, const struct pid *peer UNUSED)
{
}

static void ahead_finalize(struct ahead_process *a UNUSED)
{
}

/* One value is settled by the test, one fails, and each of the others is there at once. */

struct slow_process { struct process process; struct promise *promise; };

CLASS(slow_process, "slow", slow_initialize, slow_exited, slow_finalize);

static struct future *ask_slow(struct process *p)
{
    struct slow_process *s = container_of(p, struct slow_process, process);

    ck_assert_ptr_eq(process_current(), p);
    return promise_future(s->promise);
}

static struct future *ask_broken(struct process *p UNUSED)
{
    return future_failed(&metrics_value_type, ESRCH, "not now");
}

static struct future *ask_quick(struct process *p UNUSED)
{
    double value = 3;

    return future_ready(&metrics_value_type, &value);
}

static void slow_initialize(struct slow_process *s)
{
    static const struct metrics_later table[] = {
        { "slow/broken", ask_broken }, { "slow/slow", ask_slow }, { "slow/quick", ask_quick },
        { NULL, NULL },
    };

    metrics_pull_later(&s->process, table);
}

static void slow_exited(struct slow_process *s UNUSED, const struct pid *peer UNUSED)
{
}

static void slow_finalize(struct slow_process *s UNUSED)
{
}

/* ---- */

START_TEST(counters_and_gauges_are_one_per_name)
{
    struct counter *c = metrics_counter(runtime, "a/b");

    counter_add(c, 2);
    counter_add(metrics_counter(runtime, "a/b"), 3);
    ck_assert_uint_eq(counter_value(c), 5);
    ck_assert_uint_eq(counter_value(metrics_counter(runtime, "a/c")), 0);
    ck_assert_ptr_eq(metrics_gauge(runtime, "g"), metrics_gauge(runtime, "g"));
}
END_TEST

START_TEST(a_snapshot_has_all_kinds_and_the_machine)
{
    struct worker_process w = { .x = 7 };
    struct pid pid;
    json_t *json;

    ck_assert_int_eq(process_spawn(runtime, &w.process, &worker_process_class, NULL, &pid,
                                   NULL), 0);
    counter_add(metrics_counter(runtime, "master/messages"), 3);
    gauge_set(metrics_gauge(runtime, "master/elected"), 0.5);
    json = snapshot("/metrics/snapshot");
    ck_assert_double_eq(number(json, "master/messages"), 3);
    ck_assert_double_eq(number(json, "master/elected"), 0.5);
    ck_assert_double_eq(number(json, "worker/x"), 7);
    ck_assert_double_eq(number(json, "worker/two"), 2);
    ck_assert_double_ge(number(json, "system/cpus_total"), 1);
    ck_assert_double_gt(number(json, "system/mem_total_bytes"), 1e6);
    ck_assert_double_gt(number(json, "system/mem_free_bytes"), 0);
    number(json, "system/load_1min");
    number(json, "system/load_5min");
    number(json, "system/load_15min");
    json_decref(json);
    json = snapshot("/metrics/snapshot?timeout=5mins");
    ck_assert_double_eq(number(json, "worker/x"), 8);
    json_decref(json);
    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&pid, PATIENCE));
    pid_release(&pid);
}
END_TEST

START_TEST(a_snapshot_is_sorted_by_name)
{
    struct buffer body = BUFFER_INIT;
    const char *a, *b, *c;

    counter_add(metrics_counter(runtime, "z"), 1);
    counter_add(metrics_counter(runtime, "b"), 1);
    gauge_set(metrics_gauge(runtime, "c"), 1);
    ck_assert_int_eq(get("/metrics/snapshot", &body), 200);
    a = strstr(buffer_data(&body), "\"b\":1.0");
    b = strstr(buffer_data(&body), "\"c\":1.0");
    c = strstr(buffer_data(&body), "\"z\":1.0");
    ck_assert(a && b && c && a < b && b < c);
    buffer_release(&body);
}
END_TEST

START_TEST(what_a_process_took_along_is_left_out)
{
    struct worker_process w = { .x = 7 };
    struct pid pid;
    json_t *json;

    ck_assert_int_eq(process_spawn(runtime, &w.process, &worker_process_class, NULL, &pid,
                                   NULL), 0);
    json = snapshot("/metrics/snapshot");
    number(json, "worker/x");
    json_decref(json);
    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&pid, PATIENCE));
    for (int i = 0; i < 2; i++) {
        json = snapshot("/metrics/snapshot");
        ck_assert_ptr_null(json_object_get(json, "worker/x"));
        number(json, "system/cpus_total");
        json_decref(json);
    }
    pid_release(&pid);
}
END_TEST

static void end(struct pid *pid)
{
    process_terminate(pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(pid, PATIENCE));
    pid_release(pid);
}

START_TEST(at_the_timeout_a_late_process_is_left_out)
{
    _Atomic bool enough = false;
    struct late_process late = { .until = &enough };
    struct ahead_process ahead;
    struct pid pid, pid_ahead;
    json_t *json;

    ck_assert_int_eq(process_spawn(runtime, &late.process, &late_process_class, NULL, &pid,
                                   NULL), 0);
    ck_assert_int_eq(process_spawn(runtime, &ahead.process, &ahead_process_class, NULL, &pid_ahead,
                                   NULL), 0);
    runtime_clock_pause(runtime);
    dispatch(&pid, late_again, .first = true);
    json = snapshot("/metrics/snapshot?timeout=5secs");
    ck_assert_ptr_null(json_object_get(json, "late/x"));
    number(json, "ahead/x");
    number(json, "system/cpus_total");
    json_decref(json);
    json = snapshot("/metrics/snapshot?timeout=6secs");
    number(json, "late/x");
    json_decref(json);
    enough = true;
    end(&pid);
    end(&pid_ahead);
}
END_TEST

START_TEST(a_gauge_may_take_its_time)
{
    struct slow_process slow = { .promise = promise_create(&metrics_value_type) };
    struct ahead_process ahead;
    struct pid pid, pid_ahead;
    double value = 4;
    json_t *json;

    ck_assert_int_eq(process_spawn(runtime, &slow.process, &slow_process_class, NULL, &pid, NULL),
                     0);
    ck_assert_int_eq(process_spawn(runtime, &ahead.process, &ahead_process_class, NULL, &pid_ahead,
                                   NULL), 0);
    runtime_clock_pause(runtime);
    for (int i = 0; i < 2; i++) {
        json = snapshot("/metrics/snapshot?timeout=5secs");
        ck_assert_ptr_null(json_object_get(json, "slow/slow"));
        ck_assert_ptr_null(json_object_get(json, "slow/broken"));
        ck_assert_double_eq(number(json, "slow/quick"), 3);
        number(json, "system/cpus_total");
        json_decref(json);
    }
    ck_assert(promise_set(slow.promise, &metrics_value_type, &value));
    json = snapshot("/metrics/snapshot");
    ck_assert_double_eq(number(json, "slow/slow"), 4);
    json_decref(json);
    end(&pid);
    end(&pid_ahead);
    json = snapshot("/metrics/snapshot");
    ck_assert_ptr_null(json_object_get(json, "slow/quick"));
    json_decref(json);
    promise_unref(slow.promise);
}
END_TEST

START_TEST(a_bad_timeout_is_a_bad_request)
{
    const char *bad[] = { "5", "5parsecs", "", "-5secs", "x" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buffer path = BUFFER_INIT, body = BUFFER_INIT;

        buffer_printf(&path, "/metrics/snapshot?timeout=%s", bad[i]);
        ck_assert_msg(get(buffer_data(&path), &body) == 400, "'%s'", bad[i]);
        buffer_release(&path);
        buffer_release(&body);
    }
}
END_TEST

START_TEST(prometheus_gets_names_that_it_knows)
{
    struct buffer body = BUFFER_INIT;

    counter_add(metrics_counter(runtime, "9/task-a.b"), 12);
    ck_assert_int_eq(get("/metrics", &body), 200);
    ck_assert_ptr_nonnull(strstr(buffer_data(&body), "# HELP _9_task_a_b 9/task-a.b\n"
                                                     "# TYPE _9_task_a_b counter\n"
                                                     "_9_task_a_b 12\n"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&body), "\n# TYPE system_cpus_total gauge\n"
                                                     "system_cpus_total "));
    buffer_release(&body);
}
END_TEST

static void check_text(double value, const char *text)
{
    struct metrics_sample sample = { (char *)"a", value, METRICS_GAUGE };
    struct metrics_samples samples = { &sample, 1, 1 };
    struct buffer out = BUFFER_INIT, wanted = BUFFER_INIT;

    buffer_printf(&wanted, "# HELP a a\n# TYPE a gauge\na %s\n", text);
    metrics_write_text(&samples, &out);
    ck_assert_str_eq(buffer_data(&out), buffer_data(&wanted));
    buffer_release(&out);
    buffer_release(&wanted);
}

START_TEST(prometheus_gets_numbers_that_it_knows)
{
    check_text(0, "0");
    check_text(-17, "-17");
    check_text(123456789012345, "123456789012345");
    check_text(1e20, "1e+20");
    check_text(0.1, "0.1");
    check_text(1 / 3.0, "0.3333333333333333");
    check_text(17.25, "17.25");
    check_text(NAN, "NaN");
    check_text(INFINITY, "+Inf");
    check_text(-INFINITY, "-Inf");
}
END_TEST

START_TEST(prometheus_gets_each_name_once)
{
    struct metrics_sample v[] = { { (char *)"a-b", 1, METRICS_GAUGE },
                                  { (char *)"a/b", 2, METRICS_COUNTER },
                                  { (char *)"a/c\\\n", 3, METRICS_COUNTER } };
    struct metrics_samples samples = { v, 3, 3 };
    struct buffer out = BUFFER_INIT;

    metrics_write_text(&samples, &out);
    ck_assert_str_eq(buffer_data(&out),
                     "# HELP a_b a-b\n# TYPE a_b gauge\na_b 1\n"
                     "# HELP a_c__ a/c\\\\\\n\n# TYPE a_c__ counter\na_c__ 3\n");
    buffer_release(&out);
    samples.n = 0;
    metrics_write_text(&samples, &out);
    ck_assert_str_eq(buffer_data(&out), "");
    buffer_release(&out);
}
END_TEST

START_TEST(what_is_no_number_is_left_out)
{
    json_t *json;

    gauge_set(metrics_gauge(runtime, "test/bad"), NAN);
    gauge_set(metrics_gauge(runtime, "test/endless"), INFINITY);
    gauge_set(metrics_gauge(runtime, "test/good"), 1);
    json = snapshot("/metrics/snapshot");
    ck_assert_ptr_null(json_object_get(json, "test/bad"));
    ck_assert_ptr_null(json_object_get(json, "test/endless"));
    ck_assert_double_eq(number(json, "test/good"), 1);
    json_decref(json);
}
END_TEST

START_TEST(the_machine_is_told_as_mesos_tells_it)
{
    static const char *const keys[] = { "avg_load_1min", "avg_load_5min",   "avg_load_15min",
                                        "cpus_total",    "mem_total_bytes", "mem_free_bytes" };
    json_t *json = snapshot("/system/stats.json");

    ck_assert_uint_eq(json_object_size(json), ARRAY_SIZE(keys));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        ck_assert_double_ge(number(json, keys[i]), 0);
    ck_assert_double_ge(number(json, "cpus_total"), 1);
    ck_assert(json_is_integer(json_object_get(json, "mem_total_bytes")));
    json_decref(json);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        counters_and_gauges_are_one_per_name,
        a_snapshot_has_all_kinds_and_the_machine,
        a_snapshot_is_sorted_by_name,
        what_a_process_took_along_is_left_out,
        at_the_timeout_a_late_process_is_left_out,
        a_gauge_may_take_its_time,
        a_bad_timeout_is_a_bad_request,
        prometheus_gets_names_that_it_knows,
        prometheus_gets_numbers_that_it_knows,
        prometheus_gets_each_name_once,
        what_is_no_number_is_left_out,
        the_machine_is_told_as_mesos_tells_it,
    };
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, start, stop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
