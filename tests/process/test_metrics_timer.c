/* test_metrics_timer.c - how long something takes: windows, percentiles, and where it is shown */
#include "process/metrics_timer.h"

#include <jansson.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/http_client.h"
#include "tests/process/node.h"
#include "tests/unit.h"

struct figure {
    const char *suffix;
    double value;
    bool found;
};

static void see(void *arg, const char *suffix, double value)
{
    struct figure *f = arg;

    if (strcmp(f->suffix, suffix) == 0) {
        f->found = true;
        f->value = value;
    }
}

static bool has(struct metrics_timer *t, const char *suffix)
{
    struct figure f = { .suffix = suffix };

    metrics_timer_each(t, see, &f);
    return f.found;
}

static double figure(struct metrics_timer *t, const char *suffix)
{
    struct figure f = { .suffix = suffix };

    metrics_timer_each(t, see, &f);
    ck_assert_msg(f.found, "%s", suffix);
    return f.value;
}

START_TEST(a_duration_is_that_of_the_runtimes_clock)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));
    struct instant begun;

    runtime_clock_pause(n.rt);
    ck_assert(!has(t, ""));
    begun = metrics_timer_begin(t);
    runtime_clock_advance(n.rt, MICROSECONDS(1500));
    metrics_timer_end(t, begun);
    ck_assert_double_eq(figure(t, ""), 1.5);
    ck_assert_ptr_eq(t, metrics_timer(n.rt, "store", HOURS(1)));
    node_stop(&n);
}
END_TEST

START_TEST(percentiles_lie_between_their_neighbours)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));

    for (int i = 11; i >= 1; i--) /* 11 to 1: place 10 p */
        metrics_timer_add(t, MILLISECONDS(i));
    ck_assert_double_eq(figure(t, ""), 1);
    ck_assert_double_eq(figure(t, "/count"), 11);
    ck_assert_double_eq(figure(t, "/min"), 1);
    ck_assert_double_eq(figure(t, "/max"), 11);
    ck_assert_double_eq_tol(figure(t, "/p50"), 6, 1e-9);
    ck_assert_double_eq_tol(figure(t, "/p90"), 10, 1e-9);
    ck_assert_double_eq_tol(figure(t, "/p95"), 10.5, 1e-9);
    ck_assert_double_eq_tol(figure(t, "/p99"), 10.9, 1e-9);
    ck_assert_double_eq_tol(figure(t, "/p999"), 10.99, 1e-9);
    ck_assert_double_eq_tol(figure(t, "/p9999"), 10.999, 1e-9);
    node_stop(&n);
}
END_TEST

/* registrar/state_store_ms of shared/samples/http.json, a real Mesos. */
START_TEST(the_figures_of_a_real_mesos_come_out)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));

    metrics_timer_add(t, NANOSECONDS(199680));
    metrics_timer_add(t, NANOSECONDS(121856));
    ck_assert_double_eq(figure(t, ""), 0.121856);
    ck_assert_double_eq(figure(t, "/count"), 2);
    ck_assert_double_eq_tol(figure(t, "/p50"), 0.160768, 1e-12);
    ck_assert_double_eq_tol(figure(t, "/p90"), 0.1918976, 1e-12);
    ck_assert_double_eq_tol(figure(t, "/p95"), 0.19578879999999999, 1e-12);
    ck_assert_double_eq_tol(figure(t, "/p99"), 0.19890175999999998, 1e-12);
    ck_assert_double_eq_tol(figure(t, "/p999"), 0.199602176, 1e-12);
    ck_assert_double_eq_tol(figure(t, "/p9999"), 0.19967221759999998, 1e-12);
    node_stop(&n);
}
END_TEST

START_TEST(one_sample_has_no_percentiles)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));

    metrics_timer_add(t, MILLISECONDS(3));
    ck_assert_double_eq(figure(t, ""), 3);
    ck_assert(!has(t, "/count"));
    ck_assert(!has(t, "/p50"));
    node_stop(&n);
}
END_TEST

START_TEST(what_is_older_than_the_window_does_not_count)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));

    runtime_clock_pause(n.rt);
    metrics_timer_add(t, SECONDS(9));
    runtime_clock_advance(n.rt, MINUTES(30));
    metrics_timer_add(t, SECONDS(1));
    metrics_timer_add(t, SECONDS(2));
    ck_assert_double_eq(figure(t, "/max"), 9000);
    runtime_clock_advance(n.rt, MINUTES(31));
    ck_assert_double_eq(figure(t, "/max"), 2000);
    ck_assert_double_eq(figure(t, "/count"), 2);
    runtime_clock_advance(n.rt, MINUTES(31));
    ck_assert(!has(t, "/count"));
    ck_assert_double_eq(figure(t, ""), 2000); /* the last is told for ever */
    node_stop(&n);
}
END_TEST

START_TEST(of_many_samples_the_shape_stays)
{
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));

    for (int i = 0; i < 10 * METRICS_TIMER_SAMPLES; i++)
        metrics_timer_add(t, MICROSECONDS(i % 100));
    ck_assert_double_le(figure(t, "/count"), METRICS_TIMER_SAMPLES);
    ck_assert_double_ge(figure(t, "/count"), METRICS_TIMER_SAMPLES / 2.0);
    ck_assert_double_eq_tol(figure(t, "/p50"), 0.050, 0.005);
    ck_assert_double_eq_tol(figure(t, "/p90"), 0.090, 0.005);
    node_stop(&n);
}
END_TEST

/* ---- where it is shown ---- */

static void get(struct node *n, const char *path, struct buffer *out)
{
    char address[ADDRESS_TEXT];
    char *url = mem_printf("http://%s%s", address_format(runtime_address(n->rt), address), path);
    struct future *f = http_get(n->rt, url, 1 << 20, LONG);
    const struct http_response *r;

    ck_assert(future_wait(f, n->host, LONG));
    r = http_response_get(f);
    ck_assert_int_eq(r->status, 200);
    buffer_append(out, r->body, r->size);
    future_unref(f);
    mem_free(url);
}

START_TEST(it_is_shown_as_mesos_names_it)
{
    static const char *const keys[] = { "store_ms",     "store_ms/count", "store_ms/max",
                                        "store_ms/min", "store_ms/p50",   "store_ms/p90",
                                        "store_ms/p95", "store_ms/p99",   "store_ms/p999",
                                        "store_ms/p9999" };
    struct node n = node_start(1);
    struct metrics_timer *t = metrics_timer(n.rt, "store", HOURS(1));
    struct buffer body = BUFFER_INIT;
    json_t *json;

    for (int i = 1; i <= 3; i++)
        metrics_timer_add(t, MILLISECONDS(i));
    get(&n, "/metrics/snapshot", &body);
    json = json_loads(buffer_data(&body), JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        ck_assert_msg(json_is_number(json_object_get(json, keys[i])), "%s", keys[i]);
    ck_assert_double_eq(json_number_value(json_object_get(json, "store_ms/p50")), 2);
    json_decref(json);
    buffer_clear(&body);
    get(&n, "/metrics", &body);
    ck_assert_ptr_nonnull(strstr(buffer_data(&body), "store_ms 3\n"));
    ck_assert_ptr_nonnull(strstr(buffer_data(&body), "\nstore_ms_p50 2\n"));
    buffer_release(&body);
    node_stop(&n);
}
END_TEST

UNIT(metrics_timer, a_duration_is_that_of_the_runtimes_clock,
     percentiles_lie_between_their_neighbours, the_figures_of_a_real_mesos_come_out,
     one_sample_has_no_percentiles, what_is_older_than_the_window_does_not_count,
     of_many_samples_the_shape_stays, it_is_shown_as_mesos_names_it);
