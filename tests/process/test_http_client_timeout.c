/* test_http_client_timeout.c - what takes too long, in virtual time */
#include <errno.h>

#include "process/http_writer.h"
#include "tests/process/http_client_stub.h"
#include "tests/unit.h"

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" body

/* Between these seconds, and not by luck: by several seeds. */
static void check_late(struct client_place *p, struct future *f, int seconds, const char *words)
{
    struct instant before = sim_now(p->sim);
    double passed;

    check_failure(p, f, ETIMEDOUT, words);
    passed = duration_seconds(instant_since(sim_now(p->sim), before));
    ck_assert_msg(passed >= seconds - 0.1 && passed < seconds + 0.1, "%g s for %s", passed, words);
}

CLIENT_TIME_TEST(a_connect_has_its_time)
{
    struct sim_node *one = sim_host_node(p->stub.host), *two = sim_host_node(p->client.host);

    sim_cut(two, one, true);
    check_late(p, client_get(p, "/"), 10, "no connection within 10 s");
    check_late(p, client_get(p, "/", .connect_timeout = SECONDS(3)), 3, "no connection within 3 s");
    check_late(p, client_get(p, "/", .timeout = SECONDS(4)), 4, "no whole answer within 4 s");
    sim_cut(two, one, false);
}

CLIENT_TIME_TEST(a_head_has_its_time_however_slowly_it_drips)
{
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-");
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-");
    check_late(p, client_get(p, "/"), 60, "no answer within 60 s");
    check_late(p, client_get(p, "/", .head_timeout = SECONDS(2)), 2, "no answer within 2 s");
    check_late(p, client_get(p, "/", .timeout = SECONDS(3)), 3, "no whole answer within 3 s");
}

CLIENT_TIME_TEST(a_body_that_stops_has_its_time)
{
    const char *half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";

    stub_says(&p->stub, half);
    stub_says(&p->stub, half);
    check_late(p, client_get(p, "/"), 60, "no more of the answer within 60 s");
    check_late(p, client_get(p, "/", .idle_timeout = SECONDS(2), .head_timeout = SECONDS(1)), 2,
               "no more of the answer within 2 s");
}

/* Each step a second after the other. */
static void drip(struct client_place *p, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        sim_run_for(p->sim, SECONDS(1));
        stub_does(&p->stub, { .until = "", .say = text });
    }
}

CLIENT_TIME_TEST(a_body_that_goes_on_may_take_longer_but_not_than_the_whole)
{
    struct future *f = client_get(p, "/", .idle_timeout = SECONDS(2));

    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    drip(p, 5, "x");
    check_body(p, f, 200, "xxxxx");
    stub_forget_steps(&p->stub);
    f = client_get(p, "/", .idle_timeout = SECONDS(2), .timeout = SECONDS(4));
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
    drip(p, 6, "x");
    check_failure(p, f, ETIMEDOUT, "no whole answer within 4 s");
}

CLIENT_TIME_TEST(the_time_of_a_head_begins_when_it_is_its_turn)
{
    struct http_client *c = http_connect(p->client.rt, p->url, SECONDS(0), NULL);
    const struct http_ask first = { .url = "/0" },
                          second = { .url = "/1", .head_timeout = SECONDS(3) };
    struct future *f[2] = { http_client_send(c, &first), http_client_send(c, &second) };

    stub_wait_heard(&p->stub, "GET /1");
    sim_run_for(p->sim, SECONDS(30));
    ck_assert_int_eq(future_state(f[1]), FUTURE_PENDING);
    stub_says(&p->stub, OK("0"));
    check_body(p, f[0], 200, "0");
    check_late(p, f[1], 3, "no answer within 3 s");
    http_client_unref(c);
}

/* Before it stands: alone; afterwards with the connection. */
CLIENT_TIME_TEST(a_question_whose_time_is_over_leaves)
{
    struct sim_node *one = sim_host_node(p->stub.host), *two = sim_host_node(p->client.host);
    const struct http_ask quick = { .url = "/0",
                                    .timeout = SECONDS(1),
                                    .connect_timeout = SECONDS(50) };
    const struct http_ask slow = { .url = "/1", .connect_timeout = SECONDS(50) };
    struct http_client *c;
    struct future *f[2];

    sim_cut(two, one, true);
    c = http_connect(p->client.rt, p->url, SECONDS(50), NULL);
    f[0] = http_client_send(c, &quick);
    f[1] = http_client_send(c, &slow);
    check_late(p, f[0], 1, "no whole answer within 1 s");
    sim_cut(two, one, false);
    stub_says(&p->stub, OK("1"));
    check_body(p, f[1], 200, "1");
    f[0] = http_client_send(c, &quick);
    f[1] = http_client_send(c, &slow);
    stub_wait_heard(&p->stub, "GET /1 HTTP/1.1");
    check_failure(p, f[0], ETIMEDOUT, "no whole answer within 1 s");
    check_failure(p, f[1], ETIMEDOUT, "no whole answer within 1 s");
    http_client_unref(c);
}

CLIENT_TIME_TEST(a_writer_that_has_nothing_to_say_is_not_the_servers_fault)
{
    struct http_writer *w = http_writer_create();
    struct future *f =
        client_get(p, "/", .method = "POST", .writer = w, .head_timeout = SECONDS(2));

    sim_run_for(p->sim, SECONDS(30));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    future_unref(http_writer_write(w, "hello", 5));
    http_writer_close(w);
    check_late(p, f, 2, "no answer within 2 s");
    http_writer_unref(w);
}

CLIENT_TIME_TEST(what_is_kept_is_closed_after_a_while)
{
    stub_says(&p->stub, OK("x"));
    check_body(p, client_get(p, "/"), 200, "x");
    sim_run_for(p->sim, SECONDS(20));
    stub_wait_ended(&p->stub, 0);
    stub_says(&p->stub, OK("y"));
    check_body(p, client_get(p, "/"), 200, "y");
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
    sim_run_for(p->sim, SECONDS(61));
    stub_wait_ended(&p->stub, 1);
    stub_says(&p->stub, OK("z"));
    check_body(p, client_get(p, "/"), 200, "z");
    ck_assert_uint_eq(stub_accepted(&p->stub), 2);
}

/* A break is found where it is: while connecting, asking, waiting, reading, or kept. */
CLIENT_TIME_TEST(a_connection_may_break_at_any_moment)
{
    struct sim_node *one = sim_host_node(p->stub.host), *two = sim_host_node(p->client.host);

    for (int ms = 0; ms < 12; ms++) {
        struct future *f =
            client_get(p, "/", .method = ms % 2 ? "POST" : "GET", .timeout = SECONDS(9));

        stub_says(&p->stub, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
        stub_does(&p->stub, { .until = "", .say = "0\r\n\r\n" });
        sim_run_for(p->sim, MILLISECONDS(ms));
        sim_break_connections(one, two);
        client_wait(p, f);
        if (future_state(f) == FUTURE_READY)
            ck_assert_str_eq(http_response_get(f)->body, "x");
        else
            ck_assert_int_eq(future_state(f), FUTURE_FAILED);
        future_unref(f);
        stub_forget_steps(&p->stub);
    }
}

UNIT(http_client_timeout, a_connect_has_its_time, a_head_has_its_time_however_slowly_it_drips,
     a_body_that_stops_has_its_time, a_body_that_goes_on_may_take_longer_but_not_than_the_whole,
     the_time_of_a_head_begins_when_it_is_its_turn, a_question_whose_time_is_over_leaves,
     a_writer_that_has_nothing_to_say_is_not_the_servers_fault,
     what_is_kept_is_closed_after_a_while, a_connection_may_break_at_any_moment);
