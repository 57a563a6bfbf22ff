/* test_http_reader.c - answers that are read while they come, on both hosts */
#include <errno.h>
#include <stdio.h>

#include "process/http_reader.h"
#include "tests/process/http_client_stub.h"
#include "tests/unit.h"

enum { BIG = 3 * 1000 * 1000 };

#define HEAD "HTTP/1.1 200 OK\r\nX-Colour: blue\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct future *open_stream(struct client_place *p, struct http_ask ask)
{
    char *url = mem_printf("%s/events", p->url);
    struct future *f;

    ask.url = url;
    f = http_fetch_stream(p->client.rt, &ask);
    mem_free(url);
    return f;
}

/* Takes f; the reader is the caller's. */
static struct http_reader *opened(struct client_place *p, struct future *f)
{
    struct http_reader *r;

    client_wait(p, f);
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
    r = http_reader_ref(http_opened_get(f)->reader);
    future_unref(f);
    return r;
}

static struct http_reader *open_now(struct client_place *p)
{
    return opened(p, open_stream(p, (struct http_ask){ 0 }));
}

static void check_body_of(struct client_place *p, struct future *f, const char *expected)
{
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_str_eq(bytes_get(f)->data, expected);
    future_unref(f);
}

/* In one piece or several. */
static void check_next(struct client_place *p, struct http_reader *r, const char *expected)
{
    struct buffer got = BUFFER_INIT;

    while (buffer_length(&got) < strlen(expected)) {
        struct future *f = http_reader_read(r);

        client_wait(p, f);
        ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                      future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
        ck_assert_uint_gt(bytes_get(f)->size, 0);
        buffer_append_text(&got, bytes_get(f)->data);
        future_unref(f);
    }
    ck_assert_str_eq(buffer_data(&got), expected);
    buffer_release(&got);
}

static void check_end(struct client_place *p, struct http_reader *r)
{
    struct future *f = http_reader_read(r);

    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_uint_eq(bytes_get(f)->size, 0);
    future_unref(f);
}

/* ---- reading ---- */

CLIENT_TEST(an_answer_is_read_while_it_comes)
{
    struct http_reader *r;

    stub_says(&p->stub, HEAD);
    r = open_now(p);
    ck_assert_int_eq(http_reader_status(r), 200);
    ck_assert_str_eq(http_reader_header(r, "x-colour"), "blue");
    ck_assert_ptr_null(http_reader_header(r, "x-size"));
    stub_does(&p->stub, { .until = "", .say = "5\r\nhello\r\n" });
    check_next(p, r, "hello");
    stub_does(&p->stub, { .until = "", .say = "5\r\nthere\r\n5\r\n, yo" });
    check_next(p, r, "there, yo");
    stub_does(&p->stub, { .until = "", .say = "u\r\n0\r\n\r\n" });
    check_next(p, r, "u");
    check_end(p, r);
    check_end(p, r);
    http_reader_unref(r);
    ck_assert(runtime_clock_settle(p->client.rt, LONG));
    stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"); /* on the same one */
    check_body(p, client_get(p, "/"), 200, "x");
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
}

CLIENT_TEST(a_stream_asks_for_no_gzip_and_any_status_is_an_answer)
{
    struct http_reader *r;
    char *expected =
        mem_printf("GET /events HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n", p->url + 7);

    stub_says(&p->stub, "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy");
    r = open_now(p);
    ck_assert_int_eq(http_reader_status(r), 503);
    check_body_of(p, http_reader_read_all(r, 4), "busy");
    stub_check_heard(&p->stub, expected);
    http_reader_unref(r);
    mem_free(expected);
}

CLIENT_TEST(several_reads_are_answered_in_their_order_and_one_may_be_discarded)
{
    struct http_reader *r;
    struct future *f[3];

    stub_says(&p->stub, HEAD);
    r = open_now(p);
    for (int i = 0; i < 3; i++)
        f[i] = http_reader_read(r);
    future_discard(f[0]);
    client_wait(p, f[0]);
    ck_assert_int_eq(future_state(f[0]), FUTURE_DISCARDED);
    stub_does(&p->stub, { .until = "", .say = "1\r\nx\r\n" });
    client_wait(p, f[1]);
    ck_assert_str_eq(bytes_get(f[1])->data, "x");
    ck_assert_int_eq(future_state(f[2]), FUTURE_PENDING);
    stub_does(&p->stub, { .until = "", .say = "0\r\n\r\n" });
    client_wait(p, f[2]);
    ck_assert_uint_eq(bytes_get(f[2])->size, 0);
    for (int i = 0; i < 3; i++)
        future_unref(f[i]);
    http_reader_unref(r);
}

/* ---- how a stream ends early ---- */

CLIENT_TEST(a_stream_that_breaks_gives_what_came_and_then_the_reason)
{
    struct http_reader *r;

    stub_does(&p->stub, { .say = HEAD "4\r\nlast\r\n", .closes = true });
    r = open_now(p);
    check_next(p, r, "last");
    check_failure(p, http_reader_read(r), ECONNRESET, "before its answer was whole");
    check_failure(p, http_reader_read(r), ECONNRESET, "/events: the server closed");
    http_reader_unref(r);
}

CLIENT_TEST(a_stream_that_is_no_http_says_so)
{
    struct http_reader *r;

    stub_says(&p->stub, HEAD "1\r\nx\r\nzz\r\n");
    r = open_now(p);
    check_next(p, r, "x");
    check_failure(p, http_reader_read(r), EPROTO, "a chunk's size is none");
    http_reader_unref(r);
}

CLIENT_TEST(a_stream_without_an_answer_is_a_failure)
{
    stub_does(&p->stub, { .say = "", .closes = true });
    check_failure(p, open_stream(p, (struct http_ask){ 0 }), ECONNRESET, "before it answered");
}

CLIENT_TEST(limits_of_streams_are_those_that_were_given)
{
    struct http_reader *r;

    stub_says(&p->stub, HEAD "5\r\n12345\r\n5\r\n67890\r\n");
    stub_says(&p->stub, HEAD "5\r\n12345\r\n5\r\n67890\r\n");
    r = opened(p, open_stream(p, (struct http_ask){ .max_body_bytes = 7 }));
    check_failure(p, http_reader_read_all(r, 100), EMSGSIZE, "longer than 7 bytes");
    http_reader_unref(r);
    r = open_now(p);
    check_failure(p, http_reader_read_all(r, 9), EMSGSIZE, "The answer is longer than 9 bytes");
    stub_wait_ended(&p->stub, 2); /* given up: it may have no end */
    http_reader_unref(r);
}

CLIENT_TEST(a_reader_that_ends_gives_the_question_up)
{
    struct http_reader *r;

    stub_says(&p->stub, HEAD "1\r\nx\r\n");
    r = open_now(p);
    check_next(p, r, "x");
    http_reader_unref(r);
    stub_wait_ended(&p->stub, 1);
}

CLIENT_TEST(so_does_a_future_that_nobody_takes_the_reader_from)
{
    struct future *f;

    stub_says(&p->stub, HEAD "1\r\nx\r\n");
    f = open_stream(p, (struct http_ask){ 0 });
    client_wait(p, f);
    future_unref(f);
    stub_wait_ended(&p->stub, 1);
    f = open_stream(p, (struct http_ask){ 0 });
    stub_wait_heard(&p->stub, "\r\n\r\nGET"); /* the second question */
    future_discard(f);
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    stub_wait_ended(&p->stub, 2);
}

START_TEST(silence_is_a_failure_only_where_a_limit_was_given)
{
    struct client_place place, *p = &place;
    struct http_reader *r;
    struct future *f;

    client_place_open(p, 5);
    stub_says(&p->stub, HEAD);
    stub_says(&p->stub, HEAD);
    r = open_now(p);
    f = http_reader_read(r);
    sim_run_for(p->sim, HOURS(1));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    future_unref(f);
    http_reader_unref(r);
    r = opened(p, open_stream(p, (struct http_ask){ .idle_timeout = SECONDS(20) }));
    check_failure(p, http_reader_read(r), ETIMEDOUT, "no more of the answer within 20 s");
    http_reader_unref(r);
    client_place_close(p);
}
END_TEST

START_TEST(a_runtime_that_ends_discards_what_is_read)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct client_place place, *p = &place;
        struct http_reader *r;
        struct future *f[2];

        client_place_open(p, seed);
        stub_says(&p->stub, HEAD);
        r = open_now(p);
        f[0] = http_reader_read(r);
        f[1] = http_reader_read_all(r, 10);
        client_place_close(p);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(future_state(f[i]), FUTURE_DISCARDED);
            future_unref(f[i]);
        }
        http_reader_unref(r);
    }
}
END_TEST

/* Settled at once: there is nobody who could do it later. */
static void check_settled(struct http_reader *r, enum future_state state, const char *text)
{
    struct future *f = http_reader_read(r);

    ck_assert_int_eq(future_state(f), state);
    if (state == FUTURE_READY)
        ck_assert_str_eq(bytes_get(f)->data, text);
    future_unref(f);
}

START_TEST(behind_the_end_of_its_runtime_a_reader_has_what_came)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct client_place place, *p = &place;
        struct http_reader *whole, *half;
        struct http_client *c;
        struct future *f;

        client_place_open(p, seed);
        c = http_connect(p->client.rt, p->url, SECONDS(0), NULL);
        stub_says(&p->stub, HEAD "5\r\nhello\r\n0\r\n\r\n");
        stub_says(&p->stub, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
        f = http_client_send_stream(c, &(struct http_ask){ .url = "/" });
        check_body(p, http_client_send(c, &(struct http_ask){ .url = "/" }), 200, "next");
        whole = opened(p, f); /* the next one has come, so it has */
        stub_says(&p->stub, HEAD "5\r\nhello\r\n");
        half = open_now(p);
        check_next(p, half, "hello");
        client_place_close(p);
        check_settled(whole, FUTURE_READY, "hello");
        check_settled(whole, FUTURE_READY, "");
        check_settled(whole, FUTURE_READY, "");
        check_settled(half, FUTURE_DISCARDED, NULL);
        ck_assert_int_eq(http_reader_status(half), 200);
        http_client_unref(c);
        http_reader_unref(whole);
        http_reader_unref(half);
    }
}
END_TEST

/* ---- backpressure ---- */

static char *big_answer(size_t *ret_size)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
    char *answer = mem_alloc(sizeof head + BIG);

    memcpy(answer, head, sizeof head - 1);
    for (size_t i = 0; i < BIG; i++)
        answer[sizeof head - 1 + i] = (char)(i * 31 ^ i >> 8);
    *ret_size = sizeof head - 1 + BIG;
    return answer;
}

static void check_big(struct client_place *p, struct http_reader *r)
{
    struct future *f = http_reader_read_all(r, BIG);

    client_wait(p, f);
    ck_assert_uint_eq(bytes_get(f)->size, BIG);
    for (size_t i = 0; i < BIG; i++)
        if (bytes_get(f)->data[i] != (char)(i * 31 ^ i >> 8))
            ck_abort_msg("byte %zu differs", i);
    future_unref(f);
}

static void check_backpressure(struct client_place *p)
{
    struct http_reader *r;
    size_t size;
    char *answer = big_answer(&size);

    stub_does(&p->stub, { .say = answer, .size = size });
    r = opened(p, open_stream(p, (struct http_ask){ .idle_timeout = SECONDS(20) }));
    if (p->sim) {
        sim_run_for(p->sim, MINUTES(1)); /* it is us who make it wait */
        ck_assert_uint_gt(stub_unsent(&p->stub), BIG - 1000000);
    }
    check_big(p, r);
    http_reader_unref(r);
    stub_forget_steps(&p->stub);
    mem_free(answer);
}

START_TEST(what_is_not_read_stays_with_the_server)
{
    client_run(check_backpressure, 0, 2);
}
END_TEST

/* ---- piece by piece, in an actor ---- */

struct follower {
    struct process process;
    struct http_reader *reader;
    struct buffer got;
    struct promise *done;
};

CLASS(follower, "follower", follower_initialize, follower_exited, follower_finalize);

static void piece_came(struct process *self, const struct bytes *piece, void *op)
{
    struct follower *f = op;

    ck_assert_ptr_eq(self, &f->process);
    ck_assert_ptr_eq(process_current(), self);
    buffer_append(&f->got, piece->data, piece->size);
}

static void follower_initialize(struct follower *f)
{
    struct future *end = http_reader_each(f->reader, &f->process, piece_came, f);

    http_reader_unref(f->reader);
    promise_follow(f->done, end);
}

static void follower_exited(struct follower *f UNUSED, const struct pid *peer UNUSED) {}

static void follower_finalize(struct follower *f UNUSED) {}

static struct future *follow(struct client_place *p, struct follower *f, struct pid *ret_pid)
{
    *f = (struct follower){ .reader = open_now(p), .done = promise_create(&future_nothing) };
    ck_assert_int_eq(process_spawn(p->client.rt, &f->process, &follower_class, NULL, ret_pid, NULL),
                     0);
    return promise_future(f->done);
}

CLIENT_TEST(each_piece_is_an_event_of_the_process_that_asked)
{
    struct follower follower;
    struct future *end;
    struct pid pid;

    stub_says(&p->stub, HEAD "3\r\none\r\n");
    end = follow(p, &follower, &pid);
    stub_does(&p->stub, { .until = "", .say = "3\r\ntwo\r\n" });
    stub_does(&p->stub, { .until = "", .say = "0\r\n\r\n" });
    client_wait(p, end);
    ck_assert_int_eq(future_state(end), FUTURE_READY);
    ck_assert_str_eq(buffer_data(&follower.got), "onetwo");
    future_unref(end);
    promise_unref(follower.done);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    pid_release(&pid);
    buffer_release(&follower.got);
}

CLIENT_TEST(a_process_that_ends_stops_reading)
{
    struct follower follower;
    struct future *end;
    struct pid pid;

    stub_says(&p->stub, HEAD "3\r\none\r\n");
    end = follow(p, &follower, &pid);
    ck_assert(runtime_clock_settle(p->client.rt, LONG));
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, LONG));
    client_wait(p, end);
    ck_assert_int_eq(future_state(end), FUTURE_DISCARDED);
    stub_wait_ended(&p->stub, 1);
    future_unref(end);
    promise_unref(follower.done);
    pid_release(&pid);
    buffer_release(&follower.got);
}

UNIT(http_reader, an_answer_is_read_while_it_comes,
     a_stream_asks_for_no_gzip_and_any_status_is_an_answer,
     several_reads_are_answered_in_their_order_and_one_may_be_discarded,
     a_stream_that_breaks_gives_what_came_and_then_the_reason, a_stream_that_is_no_http_says_so,
     a_stream_without_an_answer_is_a_failure, limits_of_streams_are_those_that_were_given,
     a_reader_that_ends_gives_the_question_up, so_does_a_future_that_nobody_takes_the_reader_from,
     silence_is_a_failure_only_where_a_limit_was_given, a_runtime_that_ends_discards_what_is_read,
     behind_the_end_of_its_runtime_a_reader_has_what_came,
     what_is_not_read_stays_with_the_server, each_piece_is_an_event_of_the_process_that_asked,
     a_process_that_ends_stops_reading);
