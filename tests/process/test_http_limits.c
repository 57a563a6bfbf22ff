/* test_http_limits.c - how far a client gets: each limit, what it answers, and its counter */
#include "process/future.h"
#include "process/http.h"
#include "process/http_gzip.h"
#include "process/metrics.h"
#include "process/metrics_timer.h"
#include "process/typed.h"
#include "tests/process/both.h"
#include "tests/unit.h"

struct desk {
    struct process process;
    struct http_request *kept[8]; /* long polls */
    size_t n;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/hello", serve_hello, NULL)                                                                \
    AT("/form", serve_form, NULL)                                                                  \
    AT("/keep", serve_keep, NULL)
ROUTES(desk, desk_routes, ENDPOINTS);
CLASS(desk, "desk", desk_initialize, desk_exited, desk_finalize);

static void serve_hello(struct desk *d UNUSED, struct http_request *r)
{
    http_answer(r, 200, "text/plain", "hello", 5);
}

static void serve_form(struct desk *d UNUSED, struct http_request *r)
{
    const char *a = http_request_form(r, "a");

    http_answer(r, 200, "text/plain", a ? a : "no form", strlen(a ? a : "no form"));
}

static void serve_keep(struct desk *d, struct http_request *r)
{
    d->kept[d->n++] = http_request_ref(r);
}

static void desk_initialize(struct desk *d)
{
    process_route(&d->process, desk_routes);
}
static void desk_exited(struct desk *d UNUSED, const struct pid *peer UNUSED) {}

static void desk_finalize(struct desk *d)
{
    while (d->n > 0)
        http_request_unref(d->kept[--d->n]);
}

static struct desk desk;
static struct pid desk_pid;

static void start(struct runtime_options o)
{
    struct error err;

    both_start(o);
    pid_release(&desk_pid);
    memset(&desk, 0, sizeof desk);
    ck_assert_int_eq(process_spawn(rt, &desk.process, &desk_class, "desk", &desk_pid, &err), 0);
}

static uint64_t counted(const char *name)
{
    return counter_value(metrics_counter(rt, name));
}

static char *repeat(const char *text, size_t n)
{
    struct buffer b = BUFFER_INIT;

    while (n-- > 0)
        buffer_append_text(&b, text);
    return buffer_take(&b, NULL);
}

/* "front" text*n "back" */
static char *around(const char *front, const char *text, size_t n, const char *back)
{
    char *middle = repeat(text, n), *all = mem_printf("%s%s%s", front, middle, back);

    mem_free(middle);
    return all;
}

/* What it begins with, and has; the connection is closed behind it. */
static void expect_refused(char *text, int status, const char *part)
{
    struct both_client *c = both_begin(text, strlen(text), 0);
    char *got = both_end(c), *number = mem_printf("HTTP/1.1 %d ", status);

    ck_assert_msg(strncmp(got, number, strlen(number)) == 0 && strstr(got, part), "%s", got);
    mem_free(number);
    mem_free(got);
    mem_free(text);
}

ON_BOTH(heads_are_limited)
{
    start((struct runtime_options){ .max_head_bytes = 1000, .max_headers = 5 });
    expect_refused(around("GET /desk/hello?", "a", 600, " HTTP/1.1\r\n\r\n"), 414, "too long");
    expect_refused(around("GET /desk/hello HTTP/1.1\r\nA: ", "a", 1000, "\r\n\r\n"), 431,
                   "headers are too long");
    expect_refused(around("GET /desk/hello HTTP/1.1\r\n", "A: b\r\n", 6, "\r\n"), 431,
                   "Too many headers");
    char *allowed = around("GET /desk/hello HTTP/1.1\r\n", "A: b\r\n", 5, "\r\n");
    both_expect(allowed, 200, "hello");
    mem_free(allowed);
    ck_assert_uint_eq(counted("process/http_requests_refused_414"), 1);
    ck_assert_uint_eq(counted("process/http_requests_refused_431"), 2);
}

ON_BOTH(bodies_are_limited)
{
    static const char chunked[] = "POST /desk/hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    start((struct runtime_options){ .max_head_bytes = 200, .max_body_bytes = 50 });
    both_expect("POST /desk/hello HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 200, "hello");
    expect_refused(mem_strdup("POST /desk/hello HTTP/1.1\r\nContent-Length: 51\r\n\r\n"), 413,
                   "The body is too long");
    expect_refused(mem_printf("%s33\r\n", chunked), 413, "The body is too long");
    expect_refused(mem_printf("%sffffffffffffffffff\r\n", chunked), 413, "The body is too long");
    expect_refused(around(chunked, "1\r\na\r\n", 49, "5\r\naaaaa\r\n0\r\n\r\n"), 413,
                   "The body is too long");
    expect_refused(around(chunked, "1;extension=longer-than-the-chunk\r\na\r\n", 40, "0\r\n\r\n"),
                   413, "chunks are too small");
    expect_refused(around("POST /desk/hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
                          "a", 300, "\r\na\r\n0\r\n\r\n"),
                   400, "first line is too long");
    expect_refused(around(chunked, "", 0,
                          "0\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                   431, "trailers are too long");
    ck_assert_uint_eq(counted("process/http_requests_refused_413"), 5);
    ck_assert_uint_eq(counted("process/http_requests_refused_400"), 1);
    ck_assert_uint_eq(counted("process/http_requests_refused_431"), 1);
}

ON_BOTH(what_is_inflated_is_limited_like_a_body)
{
    struct buffer packed = BUFFER_INIT, text = BUFFER_INIT;

    memset(buffer_reserve(&packed, 100000), 0, 100000);
    buffer_commit(&packed, 100000);
    ck_assert(http_gzip_deflate(&packed));
    start((struct runtime_options){ .max_body_bytes = 50000 });
    buffer_printf(
        &text, "POST /desk/hello HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
        buffer_length(&packed));
    buffer_append(&text, buffer_data(&packed), buffer_length(&packed));
    buffer_release(&packed);
    char *got = both_end(both_begin(buffer_data(&text), buffer_length(&text), 1));
    ck_assert_msg(strncmp(got, "HTTP/1.1 413 ", 13) == 0, "%s", got);
    ck_assert_uint_eq(counted("process/http_requests_refused_413"), 1);
    mem_free(got);
    buffer_release(&text);
}

ON_BOTH(the_fields_of_queries_and_forms_are_limited)
{
    start((struct runtime_options){ .max_fields = 3 });
    both_expect(BOTH_GET("/desk/hello?a=1&b=2&c=3"), 200, "hello");
    both_expect(BOTH_GET("/desk/hello?a=1&b=2&c=3&d=4"), 400, "more than 3 fields");
    both_expect("POST /desk/form HTTP/1.1\r\nContent-Length: 11\r\n\r\na=1&b=2&c=3", 200, "\r\n1");
    both_expect("POST /desk/form HTTP/1.1\r\nContent-Length: 15\r\n\r\na=1&b=2&c=3&d=4", 200,
                "no form");
    ck_assert_uint_eq(counted("process/http_requests_refused_400"), 1);
}

/* Nothing gets lost: it is only read later. */
ON_BOTH(pipelined_requests_are_read_a_few_at_a_time)
{
    char *text = repeat(BOTH_GET("/desk/hello"), 100), *got;

    start((struct runtime_options){ .max_pipelined = 3 });
    got = both_ask(text, 100);
    ck_assert_uint_ge(counted("process/connections_full_of_requests"), 1);
    mem_free(got);
    mem_free(text);
}

/* One worker: its part is all of it. */
ON_BOTH(unanswered_requests_of_all_connections_are_limited)
{
    struct both_client *a, *b, *c;
    char *got;

    start((struct runtime_options){ .workers = 1, .max_requests = 3 });
    a = both_begin_as(1, BOTH_GET("/desk/keep"));
    b = both_begin_as(2, BOTH_GET("/desk/keep"));
    c = both_begin_as(3, BOTH_GET("/desk/keep"));
    both_expect(BOTH_GET("/desk/hello"), 503, NULL);
    both_expect(BOTH_GET("/nobody"), 503, NULL);
    ck_assert_uint_eq(counted("process/http_requests_refused_open"), 2);
    process_terminate(&desk_pid, TERMINATE_NOW);
    mem_free(both_end(a));
    mem_free(both_end(b));
    mem_free(both_end(c));
    got = both_ask(BOTH_GET("/version") BOTH_GET("/version") BOTH_GET("/version"), 3);
    ck_assert_ptr_null(strstr(got, " 503 "));
    mem_free(got);
    pid_release(&desk_pid);
}

ON_BOTH(connections_are_limited)
{
    struct both_client *a, *b;

    start((struct runtime_options){ .max_connections = 1 });
    a = both_begin_as(1, BOTH_GET("/desk/keep"));
    b = both_begin(BOTH_GET("/desk/hello"), strlen(BOTH_GET("/desk/hello")), 0);
    char *got = both_end(b);
    ck_assert_str_eq(got, "");
    mem_free(got);
    ck_assert_uint_eq(counted("process/http_connections_refused"), 1);
    process_terminate(&desk_pid, TERMINATE_NOW);
    mem_free(both_end(a));
    pid_release(&desk_pid);
}

/* The names beyond the limit can be counted, too: nobody sees them. */
ON_BOTH(the_names_of_metrics_are_limited)
{
    start((struct runtime_options){ .max_metrics = 20 });
    for (int i = 0; i < 30; i++) {
        char *name = mem_printf("test/%d", i);
        counter_add(metrics_counter(rt, name), 1);
        gauge_set(metrics_gauge(rt, name), i);
        metrics_timer_add(metrics_timer(rt, name, SECONDS(0)), SECONDS(1));
        mem_free(name);
    }
    ck_assert_ptr_eq(metrics_counter(rt, "test/0"), metrics_counter(rt, "test/0"));
    both_expect(BOTH_GET("/metrics"), 200, "\nprocess_metrics_refused ");
    char *got = both_ask(BOTH_GET("/metrics/snapshot"), 1);
    ck_assert_ptr_nonnull(strstr(got, "\"test/0\":"));
    ck_assert_ptr_null(strstr(got, "\"test/29\":"));
    mem_free(got);
}

/* 2 in a second: one each 500 ms. */
ON_BOTH(snapshots_of_the_metrics_keep_to_their_rate)
{
    struct both_client *late;

    start((struct runtime_options){ .metrics_rate = { 2, SECONDS(1) } });
    runtime_clock_pause(rt);
    both_expect(BOTH_GET("/metrics/snapshot"), 200, NULL);
    late = both_begin_as(2, BOTH_GET("/metrics/snapshot"));
    both_expect(BOTH_GET("/desk/hello"), 200, NULL);
    ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
    ck_assert(!both_client_is_done(late));
    while (!both_client_is_done(late)) { /* its answer may still be on its way */
        runtime_clock_advance(rt, MILLISECONDS(500));
        ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
        both_expect(BOTH_GET("/desk/hello"), 200, NULL);
    }
    mem_free(both_end(late));
    ck_assert_uint_ge(counted("process/metrics_snapshots_delayed"), 1);
}

UNIT(http_limits, BOTH(heads_are_limited), BOTH(bodies_are_limited),
     BOTH(what_is_inflated_is_limited_like_a_body),
     BOTH(the_fields_of_queries_and_forms_are_limited),
     BOTH(pipelined_requests_are_read_a_few_at_a_time),
     BOTH(unanswered_requests_of_all_connections_are_limited), BOTH(connections_are_limited),
     BOTH(the_names_of_metrics_are_limited), BOTH(snapshots_of_the_metrics_keep_to_their_rate));
