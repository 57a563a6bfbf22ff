/* test_http_client_connection.c - connections: kept ones, one's own, and how they end */
#include <errno.h>
#include <stdio.h>

#include "process/http_writer.h"
#include "tests/process/http_client_stub.h"
#include "tests/unit.h"

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" body
#define OK_CLOSE(body) "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" body

/* ---- kept ones ---- */

CLIENT_TEST(a_connection_is_used_again)
{
    for (int i = 0; i < 5; i++) {
        stub_says(&p->stub, OK("x"));
        check_body(p, client_get(p, "/"), 200, "x");
        ck_assert(runtime_clock_settle(p->client.rt, LONG)); /* it is back */
    }
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
}

CLIENT_TEST(questions_at_the_same_time_have_one_each)
{
    struct future *f[5];

    for (int i = 0; i < 5; i++)
        stub_says(&p->stub, OK("x"));
    for (int i = 0; i < 5; i++)
        f[i] = client_get(p, "/", .method = "POST");
    for (int i = 0; i < 5; i++)
        check_body(p, f[i], 200, "x");
    ck_assert_uint_le(stub_accepted(&p->stub), 5);
}

CLIENT_TEST(a_connection_that_shall_close_is_not_kept)
{
    stub_does(&p->stub, { .say = OK_CLOSE("x") });
    check_body(p, client_get(p, "/"), 200, "x");
    stub_does(&p->stub, { .say = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\ny" });
    check_body(p, client_get(p, "/"), 200, "y");
    stub_does(&p->stub, { .say = OK("z") });
    check_body(p, client_get(p, "/"), 200, "z");
    ck_assert_uint_eq(stub_accepted(&p->stub), 3);
}

/* The server hears the question on the kept connection, and closes instead of answering. */
CLIENT_TEST(what_may_be_asked_twice_is_when_a_kept_connection_was_closed)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };

    for (int i = 0; i < 6; i++) {
        stub_says(&p->stub, OK("x"));
        check_body(p, client_get(p, "/first"), 200, "x");
        ck_assert(runtime_clock_settle(p->client.rt, LONG));
        stub_does(&p->stub, { .say = "", .closes = true });
        stub_does(&p->stub, { .say = "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n" });
        check_body(p, client_get(p, "/again", .method = methods[i]), 204, "");
        stub_forget_steps(&p->stub);
    }
}

CLIENT_TEST(what_may_not_be_asked_twice_fails)
{
    stub_says(&p->stub, OK("x"));
    check_body(p, client_get(p, "/first"), 200, "x");
    ck_assert(runtime_clock_settle(p->client.rt, LONG));
    stub_does(&p->stub, { .say = "", .closes = true });
    stub_says(&p->stub, OK("y"));
    check_failure(p, client_get(p, "/once", .method = "POST"), ECONNRESET, "before it answered");
    ck_assert_uint_eq(stub_next(&p->stub), 2);
}

/* Once, and only before an answer has begun. */
CLIENT_TEST(it_is_asked_again_only_once_and_not_behind_half_an_answer)
{
    stub_says(&p->stub, OK("x"));
    check_body(p, client_get(p, "/first"), 200, "x");
    ck_assert(runtime_clock_settle(p->client.rt, LONG));
    stub_does(&p->stub, { .say = "", .closes = true });
    stub_does(&p->stub, { .say = "", .closes = true });
    check_failure(p, client_get(p, "/again"), ECONNRESET, "before it answered");
    ck_assert_uint_eq(stub_next(&p->stub), 3);
    stub_says(&p->stub, OK("x"));
    check_body(p, client_get(p, "/first"), 200, "x");
    ck_assert(runtime_clock_settle(p->client.rt, LONG));
    stub_does(&p->stub, { .say = "HTTP/1.1 2", .closes = true });
    check_failure(p, client_get(p, "/half"), ECONNRESET, "before its answer was whole");
}

/* A connection that is closed while nobody asks is not offered. */
CLIENT_TEST(a_kept_connection_that_the_server_closed_is_not_used)
{
    struct future *f;

    stub_does(&p->stub, { .say = OK("x"), .closes = true });
    check_body(p, client_get(p, "/"), 200, "x");
    stub_says(&p->stub, OK("y"));
    f = client_get(p, "/", .method = "POST"); /* may be asked while the close is on its way */
    client_wait(p, f);
    if (future_state(f) == FUTURE_FAILED) {
        ck_assert(p->sim != NULL || future_error(f)->code != 0);
        ck_assert_int_ne(future_error(f)->code, ETIMEDOUT);
    } else {
        ck_assert_str_eq(http_response_get(f)->body, "y");
    }
    future_unref(f);
}

/* ---- one's own ---- */

static struct http_client *connect_to(struct client_place *p)
{
    struct error err;
    struct http_client *c = http_connect(p->client.rt, p->url, SECONDS(0), &err);

    ck_assert_msg(c != NULL, "%s", c ? "" : err.text);
    return c;
}

#define ask_on(c, ...) http_client_send((c), &(struct http_ask){ __VA_ARGS__ })

CLIENT_TEST(questions_go_out_without_waiting_for_answers)
{
    struct http_client *c = connect_to(p);
    struct future *f[3];

    /* All answers come when the third question is there. */
    stub_does(&p->stub, { .until = "GET /2 HTTP/1.1", .say = "" });
    stub_does(&p->stub,
              { .say = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"
                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2" });
    f[0] = ask_on(c, .url = "/0");
    f[1] = ask_on(c, .url = "/1", .method = "POST", .body = "b", .body_size = 1);
    f[2] = ask_on(c, .url = "/2");
    check_body(p, f[0], 200, "0");
    check_body(p, f[1], 200, "1");
    check_body(p, f[2], 200, "2");
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
    http_client_unref(c);
}

/* ---- thousands of questions: the work for each does not grow with those that wait ---- */

#define MANY place_many(20000)

static struct future **ask_many(struct http_client *c, struct duration timeout,
                                struct duration more)
{
    struct future **f = mem_array(MANY, sizeof *f);

    for (int i = 0; i < MANY; i++) {
        char *url = mem_printf("/%d", i);

        f[i] = ask_on(c, .url = url, .timeout = timeout);
        timeout.ns += more.ns;
        mem_free(url);
    }
    return f;
}

static void say_many(struct client_place *p, struct buffer *answers)
{
    static char last[40];

    for (int i = 0; i < MANY; i++)
        buffer_append_text(answers, OK("x"));
    snprintf(last, sizeof last, "GET /%d HTTP/1.1", MANY - 1);
    stub_does(&p->stub, { .until = last, .say = buffer_data(answers) });
}

CLIENT_FEW_TEST(of_thousands_of_questions_each_is_answered)
{
    struct http_client *c = connect_to(p);
    struct buffer answers = BUFFER_INIT;
    struct future **f = ask_many(c, HOURS(2), MILLISECONDS(-1)); /* the last is due first */

    say_many(p, &answers);
    for (int i = 0; i < MANY; i++)
        check_body(p, f[i], 200, "x");
    http_client_unref(c);
    buffer_release(&answers);
    mem_free(f);
}

CLIENT_FEW_TEST(of_thousands_of_questions_each_may_be_given_up)
{
    struct http_client *c = connect_to(p);
    struct buffer answers = BUFFER_INIT;
    struct future **f = ask_many(c, SECONDS(0), SECONDS(0));

    for (int i = 0; i < MANY - 1; i++) {
        future_discard(f[i]);
        client_wait(p, f[i]);
        ck_assert_int_eq(future_state(f[i]), FUTURE_DISCARDED);
        future_unref(f[i]);
    }
    say_many(p, &answers); /* also to those that were sent before they were given up */
    client_wait(p, f[MANY - 1]);
    future_unref(f[MANY - 1]);
    http_client_unref(c);
    buffer_release(&answers);
    mem_free(f);
}

/* Nothing comes back, so nothing is sent. */
CLIENT_FEW_TIME_TEST(of_thousands_of_questions_each_has_its_own_time)
{
    struct http_client *c = connect_to(p);
    struct future **f = mem_array(MANY, sizeof *f);

    sim_cut(sim_host_node(p->stub.host), sim_host_node(p->client.host), true);
    for (int i = 0; i < MANY; i++)
        f[i] = ask_on(c, .url = "/", .connect_timeout = HOURS(2), .timeout = MILLISECONDS(i + 1));
    for (int i = 0; i < MANY; i++)
        check_failure(p, f[i], ETIMEDOUT, "no whole answer within");
    http_client_unref(c);
    mem_free(f);
}

CLIENT_TEST(a_question_for_elsewhere_is_refused)
{
    struct http_client *c = connect_to(p);
    struct error err;

    check_failure(p, ask_on(c, .url = "http://elsewhere/"), EINVAL, "is not on this connection");
    check_failure(p, ask_on(c, .url = "/a b"), EINVAL, "no path");
    ck_assert_ptr_null(http_connect(p->client.rt, "gopher://x", SECONDS(1), &err));
    ck_assert_int_eq(err.code, EINVAL);
    http_client_unref(c);
}

CLIENT_TEST(a_disconnect_fails_what_is_not_answered)
{
    struct http_client *c = connect_to(p);
    struct future *end = http_client_disconnected(c), *f[2];

    stub_says(&p->stub, OK("x"));
    check_body(p, ask_on(c, .url = "/"), 200, "x");
    f[0] = ask_on(c, .url = "/");
    f[1] = ask_on(c, .url = "/");
    http_client_disconnect(c);
    check_failure(p, f[0], ECONNABORTED, "the connection has ended");
    check_failure(p, f[1], ECONNABORTED, "the connection has ended");
    client_wait(p, end);
    ck_assert_int_eq(future_state(end), FUTURE_READY);
    future_unref(end);
    check_failure(p, ask_on(c, .url = "/late"), ECONNABORTED, "the connection has ended");
    http_client_unref(c);
}

CLIENT_TEST(a_connection_whose_last_reference_ends_still_answers)
{
    struct http_client *c = connect_to(p);
    struct future *end = http_client_disconnected(c), *f = ask_on(c, .url = "/");

    http_client_unref(c);
    stub_says(&p->stub, OK("x"));
    check_body(p, f, 200, "x");
    client_wait(p, end);
    ck_assert_int_eq(future_state(end), FUTURE_READY);
    future_unref(end);
}

CLIENT_TEST(the_end_of_a_connection_is_told)
{
    struct http_client *c = connect_to(p);
    struct future *end = http_client_disconnected(c), *f = ask_on(c, .url = "/");

    stub_does(&p->stub, { .say = OK("x"), .closes = true });
    check_body(p, f, 200, "x");
    client_wait(p, end); /* nothing was asked: READY; else it may be a reset */
    future_unref(end);
    http_client_unref(c);
}

CLIENT_TEST(what_is_behind_an_answer_that_closes_fails)
{
    struct http_client *c = connect_to(p);
    struct future *f[2] = { ask_on(c, .url = "/0"), ask_on(c, .url = "/1") };

    stub_does(&p->stub, { .until = "GET /1", .say = OK_CLOSE("x") });
    check_body(p, f[0], 200, "x");
    check_failure(p, f[1], ECONNABORTED, "closed the connection behind an answer before");
    http_client_unref(c);
}

CLIENT_TEST(a_server_that_speaks_without_being_asked_is_left)
{
    struct http_client *c;
    struct future *end;

    stub_does(&p->stub, { .at_once = true, .say = OK("x") });
    c = connect_to(p);
    end = http_client_disconnected(c);
    check_failure(p, end, EPROTO, "spoke without being asked");
    http_client_unref(c);
}

CLIENT_TEST(where_nobody_listens_every_question_fails)
{
    struct error err;
    struct http_client *c = http_connect(p->client.rt, "http://127.0.0.1:1", SECONDS(0), &err);
    struct future *f = ask_on(c, .url = "/");

    check_failure(p, http_client_disconnected(c), ECONNREFUSED, "onnect");
    check_failure(p, f, ECONNREFUSED, "GET http://127.0.0.1:1/: ");
    http_client_unref(c);
}

/* ---- giving up ---- */

CLIENT_TEST(a_question_that_was_not_sent_leaves_alone)
{
    struct http_client *c = connect_to(p);
    struct future *first = ask_on(c, .url = "/0"), *f = ask_on(c, .url = "/1"), *last;

    future_discard(f); /* before the connection stands, or else its answer is read over */
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    last = ask_on(c, .url = "/2");
    stub_wait_heard(&p->stub, "GET /2");
    stub_says(&p->stub, OK("0"));
    stub_says(&p->stub, OK("1"));
    stub_says(&p->stub, OK("2"));
    check_body(p, first, 200, "0");
    client_wait(p, last);
    ck_assert_str_eq(http_response_get(last)->body, stub_next(&p->stub) == 2 ? "1" : "2");
    future_unref(last);
    http_client_unref(c);
}

CLIENT_TEST(a_question_that_was_sent_is_read_over)
{
    struct http_client *c = connect_to(p);
    struct future *f[3];

    stub_does(&p->stub, { .until = "GET /2", .say = "" });
    for (int i = 0; i < 3; i++)
        f[i] = ask_on(c, .url = i == 0 ? "/0" : i == 1 ? "/1" : "/2");
    stub_wait_heard(&p->stub, "GET /2");
    future_discard(f[1]);
    client_wait(p, f[1]);
    ck_assert_int_eq(future_state(f[1]), FUTURE_DISCARDED);
    stub_does(&p->stub, { .say = OK("0") OK("1") OK("2") });
    check_body(p, f[0], 200, "0");
    check_body(p, f[2], 200, "2");
    future_unref(f[1]);
    http_client_unref(c);
}

CLIENT_TEST(a_discarded_fetch_closes_its_connection)
{
    struct future *f;

    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe beginning");
    f = client_get(p, "/");
    stub_wait_heard(&p->stub, "\r\n\r\n");
    future_discard(f);
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    stub_wait_ended(&p->stub, 1);
}

CLIENT_TEST(a_fetch_that_is_discarded_at_once_is_discarded)
{
    struct future *f = client_get(p, "/");

    future_discard(f);
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
}

START_TEST(a_runtime_that_ends_discards_what_is_asked_in_each_state)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct client_place place, *p = &place;
        struct http_client *c;
        struct future *f[5];

        client_place_open(p, seed);
        stub_says(&p->stub, OK("x"));
        check_body(p, client_get(p, "/"), 200, "x"); /* one is kept */
        stub_does(&p->stub, { .say = "" });
        stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nso far");
        f[0] = client_get(p, "/silent", .method = "POST");
        stub_wait_heard(&p->stub, "POST /silent");
        f[1] = client_get(p, "/half", .method = "POST");
        stub_wait_heard(&p->stub, "POST /half");
        c = connect_to(p);
        f[2] = http_client_send(c, &(struct http_ask){ .url = "/" });
        f[3] = http_client_disconnected(c);
        f[4] = client_get(p, "/last");
        client_place_close(p);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(future_state(f[i]), FUTURE_DISCARDED);
            future_unref(f[i]);
        }
        http_client_unref(c);
    }
}
END_TEST

UNIT(http_client_connection, a_connection_is_used_again, questions_at_the_same_time_have_one_each,
     a_connection_that_shall_close_is_not_kept,
     what_may_be_asked_twice_is_when_a_kept_connection_was_closed,
     what_may_not_be_asked_twice_fails, it_is_asked_again_only_once_and_not_behind_half_an_answer,
     a_kept_connection_that_the_server_closed_is_not_used,
     questions_go_out_without_waiting_for_answers, of_thousands_of_questions_each_is_answered,
     of_thousands_of_questions_each_may_be_given_up,
     of_thousands_of_questions_each_has_its_own_time, a_question_for_elsewhere_is_refused,
     a_disconnect_fails_what_is_not_answered, a_connection_whose_last_reference_ends_still_answers,
     the_end_of_a_connection_is_told, what_is_behind_an_answer_that_closes_fails,
     a_server_that_speaks_without_being_asked_is_left, where_nobody_listens_every_question_fails,
     a_question_that_was_not_sent_leaves_alone, a_question_that_was_sent_is_read_over,
     a_discarded_fetch_closes_its_connection, a_fetch_that_is_discarded_at_once_is_discarded,
     a_runtime_that_ends_discards_what_is_asked_in_each_state);
