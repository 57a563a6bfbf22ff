/* test_http_stream.c - answers that take their time: streams and long polls
 *
 * In the simulated world, and once more with threads and sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "process/http.h"
#include "process/typed.h"
#include "tests/process/browser.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- an actor with a feed of events ---- */

struct feed {
    struct process process;
    struct http_stream *stream; /* of the last /subscribe */
    int opened;                 /* subscriptions */
    struct list polls;
    int n_events;
    unsigned next_poll;
    int left, ended;         /* subscribers that went; that we ended */
    int polls_left;          /* clients of polls that went */
    _Atomic bool subscribed; /* all below for tests with threads */
    _Atomic int gone;
};

#define ENDPOINTS(AT)                                                                              \
    AT("/subscribe", serve_subscribe, NULL)                                                        \
    AT("/say", serve_say, NULL)                                                                    \
    AT("/close", serve_close, NULL)                                                                \
    AT("/fail", serve_fail, NULL)                                                                  \
    AT("/drop", serve_drop, NULL)                                                                  \
    AT("/events", serve_events, NULL)                                                              \
    AT("/add", serve_add, NULL)
ROUTES(feed, feed_routes, ENDPOINTS);
CLASS(feed, "feed", feed_initialize, feed_exited, feed_finalize);

LAST(feed, subscriber_left, http_stream);

static void serve_subscribe(struct feed *f, struct http_request *r)
{
    struct http_stream *s = http_answer_stream(r, 200, "application/json");

    http_stream_unref(f->stream);
    f->stream = s;
    f->opened++;
    FINALLY(http_stream_closed(s), subscriber_left, f, http_stream_ref(s));
    atomic_store(&f->subscribed, true);
    host_notify(runtime_host(f->process.runtime));
}

static void subscriber_left(struct feed *f, struct future *closed, struct http_stream *s)
{
    if (future_state(closed) == FUTURE_READY) {
        f->left++;
        atomic_fetch_add(&f->gone, 1);
    } else {
        f->ended++;
    }
    http_stream_unref(s);
}

static void ok(struct http_request *r)
{
    http_answer(r, 200, NULL, "ok", 2);
}

static void serve_say(struct feed *f, struct http_request *r)
{
    const char *text = http_request_query(r, "text"), *bytes = http_request_query(r, "bytes");

    if (text && f->stream)
        http_stream_write(f->stream, text, strlen(text));
    if (bytes && f->stream) {
        size_t n = strtoul(bytes, NULL, 10);
        char *data = mem_alloc(n);
        http_stream_write(f->stream, data, n);
        mem_free(data);
    }
    ok(r);
}

static void serve_close(struct feed *f, struct http_request *r)
{
    if (f->stream) {
        http_stream_close(f->stream);
        http_stream_write(f->stream, "late", 4);
        http_stream_close(f->stream);
    }
    ok(r);
}

static void serve_fail(struct feed *f, struct http_request *r)
{
    if (f->stream)
        http_stream_fail(f->stream);
    ok(r);
}

static void serve_drop(struct feed *f, struct http_request *r)
{
    http_stream_unref(f->stream);
    f->stream = NULL;
    ok(r);
}

/* ---- long polling: /events?since=N&timeout=30secs ---- */

struct poll {
    struct list link;
    unsigned id;
    struct http_request *request;
    struct timer timer;
};

LAST(feed, poll_ended, poll);
struct poll_args {
    unsigned id;
};
CALL(feed, poll_late, poll_args, NO_RELEASE);

static void answer_count(struct feed *f, struct http_request *r)
{
    char text[20];

    http_answer(r, 200, "text/plain", text,
                (size_t)snprintf(text, sizeof text, "%d events", f->n_events));
}

static void serve_events(struct feed *f, struct http_request *r)
{
    const char *since = http_request_query(r, "since"), *timeout = http_request_query(r, "timeout");
    struct duration patience;
    struct poll *p;

    if (!since || !timeout || duration_parse(timeout, &patience, NULL) < 0) {
        http_answer_error(r, 400, NULL);
        return;
    }
    if (f->n_events > strtol(since, NULL, 10)) {
        answer_count(f, r);
        return;
    }
    p = mem_alloc(sizeof *p);
    p->id = f->next_poll++;
    p->request = http_request_ref(r);
    p->timer = delay(&f->process.pid, patience, poll_late, .id = p->id);
    list_append(&f->polls, &p->link);
    FINALLY(http_request_closed(r), poll_ended, f, p);
}

/* Answered, or its client has gone. */
static void poll_ended(struct feed *f, struct future *closed, struct poll *p)
{
    if (future_state(closed) == FUTURE_READY)
        f->polls_left++;
    process_cancel(&p->timer);
    list_remove(&p->link);
    http_request_unref(p->request);
    mem_free(p);
}

static void poll_late(struct feed *f, struct poll_args *a)
{
    list_each_safe (p, &f->polls, struct poll, link)
        if (p->id == a->id) {
            list_remove(&p->link);
            answer_count(f, p->request);
        }
}

static void serve_add(struct feed *f, struct http_request *r)
{
    f->n_events++;
    list_each_safe (p, &f->polls, struct poll, link) {
        list_remove(&p->link);
        answer_count(f, p->request);
    }
    ok(r);
}

static void feed_initialize(struct feed *f)
{
    list_init(&f->polls);
    process_route(&f->process, feed_routes);
}
static void feed_exited(struct feed *f UNUSED, const struct pid *peer UNUSED) {}

static void feed_finalize(struct feed *f)
{
    http_stream_unref(f->stream);
    f->stream = NULL;
}

/* ---- in the simulated world ---- */

static struct feed feed;

static void spawn(void)
{
    memset(&feed, 0, sizeof feed);
    ck_assert_int_eq(process_spawn(rt, &feed.process, &feed_class, "feed", NULL, NULL), 0);
}

static void start(struct runtime_options o)
{
    world_start(1, o);
    spawn();
}

/* By a client of its own; its answer says that the actor has done it. */
static void tell(const char *path)
{
    struct browser *b = browser_open();
    char *request = mem_printf("GET %s HTTP/1.1\r\n\r\n", path);

    browser_say(b, request);
    browser_skip(b, "\r\n\r\nok");
    browser_close(b);
    mem_free(request);
}

static struct browser *subscribe(const char *request)
{
    struct browser *b = browser_open();

    browser_say(b, request);
    browser_expect_head(b, "200", "Content-Type: application/json\r\n", "Content-Length");
    return b;
}

static bool is_at(void *arg)
{
    return *(int *)arg > 0;
}

static void await(int *n)
{
    ck_assert(sim_run_until(world, is_at, n, BROWSER_LIMIT));
    sim_run_for(world, SECONDS(10));
    ck_assert_int_eq(*n, 1);
}

START_TEST(each_write_leaves_as_one_chunk)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    browser_say(b, BROWSER_GET("/feed/subscribe"));
    browser_expect_head(b, "200", "\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length");
    tell("/feed/say?text=17%0a{%22type%22:%22X%22}");
    browser_expect(b, "f\r\n17\n{\"type\":\"X\"}\r\n");
    tell("/feed/say?text=");
    tell("/feed/say?text=a");
    tell("/feed/say?text=bc");
    browser_expect(b, "1\r\na\r\n2\r\nbc\r\n");
    ck_assert_uint_eq(http_stream_backlog(feed.stream), 0);
    tell("/feed/close");
    browser_expect(b, "0\r\n\r\n");
    await(&feed.ended);
    ck_assert_int_eq(feed.left, 0);
    browser_say(b, BROWSER_GET("/feed/add"));
    browser_skip(b, "\r\n\r\nok");
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(requests_behind_a_stream_wait_for_its_end)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe") BROWSER_GET("/feed/add")
                                      BROWSER_GET("/feed/say?text=x"));
    browser_expect(b, "1\r\nx\r\n");
    sim_run_for(world, SECONDS(10));
    ck_assert_uint_eq(buffer_length(&b->got), 0);
    tell("/feed/close");
    browser_expect(b, "0\r\n\r\n");
    browser_expect_head(b, "200", "Content-Length: 2\r\n", NULL);
    browser_expect(b, "ok");
    browser_skip(b, "\r\n\r\nok");
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(an_old_client_gets_a_stream_without_chunks)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    browser_say(b, "GET /feed/subscribe HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    browser_expect_head(b, "200", "Connection: close\r\n", "Transfer-Encoding");
    tell("/feed/say?text=one");
    tell("/feed/say?text=two");
    browser_expect(b, "onetwo");
    tell("/feed/close");
    browser_expect_end(b);
    world_stop();
}
END_TEST

START_TEST(a_stream_that_fails_drops_its_connection)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe") BROWSER_GET("/feed/add"));
    tell("/feed/say?text=x");
    tell("/feed/fail");
    browser_expect(b, "1\r\nx\r\n");
    browser_expect_end(b);
    await(&feed.ended);
    world_stop();
}
END_TEST

START_TEST(a_stream_that_is_let_go_of_unclosed_fails)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe"));
    struct pid pid;
    tell("/feed/say?text=x");
    browser_expect(b, "1\r\nx\r\n");
    ck_assert(runtime_find(rt, "feed", &pid));
    process_terminate(&pid, TERMINATE_NOW);
    browser_expect_end(b);
    pid_release(&pid);
    ck_assert_int_eq(feed.left + feed.ended, 1);
    world_stop();
}
END_TEST

START_TEST(the_head_of_a_stream_is_all_that_head_gets)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe("HEAD /feed/subscribe HTTP/1.1\r\n\r\n");
    browser_say(b, BROWSER_GET("/feed/say?text=x"));
    browser_expect_head(b, "200", "Content-Length: 2\r\n", NULL);
    browser_expect(b, "ok");
    await(&feed.left);
    browser_close(b);
    world_stop();
}
END_TEST

static void leave_and_await(const char *request)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(request);
    sim_run_for(world, SECONDS(10));
    ck_assert_int_eq(feed.left, 0);
    browser_close(b);
    await(&feed.left);
    tell("/feed/say?text=nobody");
    tell("/feed/close");
    ck_assert_int_eq(feed.ended, 0);
    world_stop();
}

START_TEST(who_serves_a_stream_is_told_once_that_its_client_has_gone)
{
    leave_and_await(BROWSER_GET("/feed/subscribe"));
    leave_and_await("GET /feed/subscribe HTTP/1.1\r\nConnection: close\r\n\r\n");
    leave_and_await("GET /feed/subscribe HTTP/1.0\r\n\r\n");
}
END_TEST

START_TEST(a_broken_connection_is_a_client_that_has_gone)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe"));
    sim_break_connections(client_node, server_node);
    await(&feed.left);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_client_that_does_not_read_a_stream_is_disconnected_at_the_limit)
{
    start((struct runtime_options){ .max_output_bytes = 1 << 20 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe"));
    b->deaf = true;
    browser_want(b);
    tell("/feed/say?bytes=900000");
    sim_run_for(world, SECONDS(10));
    size_t backlog = http_stream_backlog(feed.stream);
    ck_assert_uint_gt(backlog, 100000);
    ck_assert_uint_lt(backlog, 900020);
    tell("/feed/say?bytes=1000");
    ck_assert_uint_eq(http_stream_backlog(feed.stream), backlog + 1000 + 3 + 4);
    ck_assert_int_eq(feed.left, 0);
    tell("/feed/say?bytes=900000");
    await(&feed.left);
    ck_assert_uint_eq(http_stream_backlog(feed.stream), 0);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_client_that_reads_again_gets_all_of_it)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe"));
    b->deaf = true;
    browser_want(b);
    for (int i = 0; i < 10; i++)
        tell("/feed/say?bytes=100000");
    ck_assert_uint_gt(http_stream_backlog(feed.stream), 0);
    b->deaf = false;
    browser_want(b);
    tell("/feed/close");
    browser_skip(b, "\r\n0\r\n\r\n");
    ck_assert_uint_eq(http_stream_backlog(feed.stream), 0);
    browser_close(b);
    world_stop();
}
END_TEST

START_TEST(a_long_poll_waits_for_news_or_its_time)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    browser_say(b, BROWSER_GET("/feed/events?since=0&timeout=30secs"));
    sim_run_for(world, SECONDS(20));
    ck_assert_uint_eq(buffer_length(&b->got), 0);
    tell("/feed/add");
    browser_skip(b, "\r\n\r\n1 events");
    browser_say(b, BROWSER_GET("/feed/events?since=0&timeout=30secs"));
    browser_skip(b, "\r\n\r\n1 events");
    struct instant before = sim_now(world);
    browser_say(b, BROWSER_GET("/feed/events?since=1&timeout=30secs"));
    browser_skip(b, "\r\n\r\n1 events");
    struct duration waited = instant_since(sim_now(world), before);
    ck_assert(waited.ns >= SECONDS(30).ns && waited.ns < SECONDS(31).ns);
    browser_close(b);
    sim_run_for(world, SECONDS(60));
    ck_assert_int_eq(feed.polls_left, 0);
    world_stop();
}
END_TEST

START_TEST(who_answers_later_is_told_that_the_client_has_gone)
{
    start((struct runtime_options){ 0 });
    struct browser *b = browser_open();
    browser_say(b, BROWSER_GET("/feed/events?since=0&timeout=1hrs"));
    sim_run_for(world, SECONDS(20));
    ck_assert_int_eq(feed.polls_left, 0);
    browser_close(b);
    await(&feed.polls_left);
    tell("/feed/add");
    world_stop();
}
END_TEST

START_TEST(a_runtime_ends_with_streams_and_polls_open)
{
    start((struct runtime_options){ 0 });
    struct browser *b = subscribe(BROWSER_GET("/feed/subscribe")), *c = browser_open();
    browser_say(c, BROWSER_GET("/feed/events?since=0&timeout=1hrs"));
    sim_run_for(world, SECONDS(20));
    browser_close(b);
    browser_close(c);
    world_stop();
    ck_assert_int_eq(feed.ended + feed.left, 1);
}
END_TEST

static void bad_network(uint64_t seed)
{
    static const char *const paths[] = { "/feed/say?bytes=100000",
                                         "/feed/say?text=x",
                                         "/feed/close",
                                         "/feed/fail",
                                         "/feed/drop",
                                         "/feed/add" };
    struct browser *crowd[20];

    world_start(seed, (struct runtime_options){ .max_output_bytes = 400000 });
    spawn();
    for (size_t i = 0; i < ARRAY_SIZE(crowd); i++) {
        crowd[i] = browser_open();
        browser_say(crowd[i], BROWSER_GET("/feed/events?since=0&timeout=1secs"));
        browser_say(crowd[i], BROWSER_GET("/feed/subscribe"));
        crowd[i]->deaf = sim_random_below(world, 3) == 0;
        char *request = mem_printf("GET %s HTTP/1.1\r\n\r\n",
                                   paths[sim_random_below(world, ARRAY_SIZE(paths))]);
        browser_say(crowd[sim_random_below(world, i + 1)], request);
        mem_free(request);
        sim_run_for(world, MILLISECONDS(sim_random_below(world, 1000)));
        if (sim_random_below(world, 2) == 0)
            sim_break_one_connection(world);
    }
    sim_run_for(world, SECONDS(10));
    for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
        browser_close(crowd[i]);
    world_stop();
    ck_assert_int_gt(feed.opened, 0);
    ck_assert_int_eq(feed.left + feed.ended, feed.opened);
}

/* What becomes of a subscription is told exactly once, whatever happens to it. */
START_TEST(every_stream_ends_once_in_a_bad_network)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        bad_network(seed);
}
END_TEST

/* ---- with threads and sockets ---- */

static int connect_to(struct runtime *to)
{
    struct address a = runtime_address(to);
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(a.port),
                              .sin_addr.s_addr = htonl(a.ip) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_gt(send(fd, BROWSER_GET("/feed/subscribe"),
                          strlen(BROWSER_GET("/feed/subscribe")), MSG_NOSIGNAL),
                     0);
    return fd;
}

static bool is_subscribed(void *arg UNUSED)
{
    return atomic_load(&feed.subscribed);
}

static bool has_gone(void *arg UNUSED)
{
    return atomic_load(&feed.gone) > 0;
}

enum { WRITERS = 4, WRITES = 2000, RECORD = 100 };

static void *write_records(void *arg)
{
    char record[RECORD];

    memset(record, *(char *)arg, sizeof record);
    for (int i = 0; i < WRITES; i++)
        http_stream_write(feed.stream, record, sizeof record);
    return NULL;
}

/* Every chunk is whole, and each writer's are all there. */
static void check_chunks(const struct buffer *got)
{
    const char *p = strstr(buffer_data(got), "\r\n\r\n") + 4, *end;
    int counts[WRITERS] = { 0 };

    for (end = p + (size_t)WRITERS * WRITES * (RECORD + 6); p < end; p += RECORD + 6) {
        ck_assert_int_eq(strncmp(p, "64\r\n", 4), 0);
        for (int i = 1; i < RECORD; i++)
            ck_assert_int_eq(p[4 + i], p[4]);
        counts[p[4] - 'a']++;
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(counts[i], WRITES);
    ck_assert_str_eq(p, "0\r\n\r\n");
}

START_TEST(many_threads_write_one_stream)
{
    if (place_is_simulated()) /* where there is one */
        return;
    struct node n = node_start(2);
    struct buffer got = BUFFER_INIT;
    pthread_t threads[WRITERS];
    char letters[WRITERS] = "abcd";

    rt = n.rt;
    spawn();
    int fd = connect_to(rt);
    ck_assert(host_wait(n.host, is_subscribed, NULL, INSTANT_NEVER));
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_records, &letters[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    http_stream_close(feed.stream);
    shutdown(fd, SHUT_WR);
    for (;;) {
        ssize_t size = read(fd, buffer_reserve(&got, 65536), 65536);
        if (size <= 0)
            break;
        buffer_commit(&got, (size_t)size);
    }
    check_chunks(&got);
    buffer_release(&got);
    close(fd);
    node_stop(&n);
}
END_TEST

START_TEST(a_flood_to_who_does_not_read_ends_at_the_limit)
{
    if (place_is_simulated())
        return;
    struct host *host = host_real_create();
    char *data = mem_alloc(65536);

    rt = runtime_create(host, &(struct runtime_options){ .max_output_bytes = 1 << 20 }, NULL);
    spawn();
    int fd = connect_to(rt);
    ck_assert(host_wait(host, is_subscribed, NULL, INSTANT_NEVER));
    while (!has_gone(NULL)) {
        http_stream_write(feed.stream, data, 65536);
        ck_assert_uint_le(http_stream_backlog(feed.stream), 1 << 20);
    }
    close(fd);
    mem_free(data);
    runtime_destroy(rt);
    host_destroy(host);
}
END_TEST

UNIT(http_stream, each_write_leaves_as_one_chunk, requests_behind_a_stream_wait_for_its_end,
     an_old_client_gets_a_stream_without_chunks, a_stream_that_fails_drops_its_connection,
     a_stream_that_is_let_go_of_unclosed_fails, the_head_of_a_stream_is_all_that_head_gets,
     who_serves_a_stream_is_told_once_that_its_client_has_gone,
     a_broken_connection_is_a_client_that_has_gone,
     a_client_that_does_not_read_a_stream_is_disconnected_at_the_limit,
     a_client_that_reads_again_gets_all_of_it, a_long_poll_waits_for_news_or_its_time,
     who_answers_later_is_told_that_the_client_has_gone, a_runtime_ends_with_streams_and_polls_open,
     every_stream_ends_once_in_a_bad_network, many_threads_write_one_stream,
     a_flood_to_who_does_not_read_ends_at_the_limit);
