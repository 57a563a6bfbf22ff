/* test_http_writer.c - questions whose body is sent while it is made, on both hosts */
#include <errno.h>
#include <stdio.h>

#include "process/http_writer.h"
#include "tests/process/http_client_stub.h"
#include "tests/unit.h"

enum { PIECES = 20, PIECE = 20 * 1000 };

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" body

static struct future *post(struct client_place *p, struct http_writer *w)
{
    return client_get(p, "/up", .method = "POST", .content_type = "text/x", .writer = w);
}

/* Takes f. */
static void check_written(struct client_place *p, struct future *f)
{
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    future_unref(f);
}

static void check_not_written(struct client_place *p, struct future *f)
{
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_int_eq(future_error(f)->code, EPIPE);
    future_unref(f);
}

CLIENT_TEST(each_write_is_a_chunk_before_while_and_after_it_connects)
{
    struct http_writer *w = http_writer_create();
    struct future *early = http_writer_write(w, "early", 5), *f = post(p, w);
    char *expected = mem_printf("POST /up HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
                                "Accept-Encoding: gzip\r\nContent-Type: text/x\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "5\r\nearly\r\n2\r\non\r\nb\r\nand the end\r\n0\r\n\r\n",
                                p->url + 7);

    stub_does(&p->stub, { .until = "0\r\n\r\n", .say = OK("x") });
    check_written(p, early);
    check_written(p, http_writer_write(w, "on", 2));
    check_written(p, http_writer_write(w, "", 0));
    check_written(p, http_writer_write(w, "and the end", 11));
    ck_assert_int_eq(future_state(f), FUTURE_PENDING);
    http_writer_close(w);
    check_body(p, f, 200, "x");
    stub_check_heard(&p->stub, expected);
    check_not_written(p, http_writer_write(w, "late", 4));
    http_writer_unref(w);
    mem_free(expected);
}

CLIENT_TEST(much_is_written_as_the_server_takes_it_and_the_connection_stays)
{
    char *bytes = mem_alloc(PIECE);
    struct http_writer *w = http_writer_create();
    struct future *f[PIECES], *answer = post(p, w);

    memset(bytes, 'x', PIECE);
    for (int i = 0; i < PIECES; i++)
        f[i] = http_writer_write(w, bytes, PIECE);
    http_writer_close(w);
    http_writer_unref(w); /* it was closed: it goes on */
    stub_does(&p->stub, { .until = "\r\n0\r\n\r\n", .say = OK("x") });
    for (int i = 0; i < PIECES; i++)
        check_written(p, f[i]);
    check_body(p, answer, 200, "x");
    stub_says(&p->stub, OK("y"));
    check_body(p, client_get(p, "/next"), 200, "y");
    ck_assert_uint_eq(stub_accepted(&p->stub), 1);
    mem_free(bytes);
}

CLIENT_TEST(an_answer_before_the_end_ends_the_writing)
{
    struct http_writer *w = http_writer_create();
    struct future *f = post(p, w), *written;

    stub_says(&p->stub, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
    check_body(p, f, 413, "");
    written = http_writer_write(w, "more", 4);
    check_not_written(p, written);
    http_writer_unref(w);
    stub_wait_ended(&p->stub, 1); /* half a question was sent on it */
}

CLIENT_TEST(a_writer_that_ends_unclosed_gives_the_question_up)
{
    struct http_writer *w = http_writer_create();
    struct future *f = post(p, w);

    check_written(p, http_writer_write(w, "half", 4));
    stub_wait_heard(&p->stub, "half");
    http_writer_unref(w);
    client_wait(p, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    stub_wait_ended(&p->stub, 1);
}

CLIENT_TEST(a_writer_belongs_to_one_question)
{
    struct http_writer *w = http_writer_create();
    struct future *f = post(p, w);

    check_failure(p, post(p, w), EINVAL, "another question's");
    stub_does(&p->stub, { .until = "0\r\n\r\n", .say = OK("x") });
    http_writer_close(w);
    check_body(p, f, 200, "x");
    check_failure(p, post(p, w), EINVAL, "another question's");
    http_writer_unref(w);
}

CLIENT_TEST(what_failed_takes_no_more_bytes)
{
    struct http_writer *w = http_writer_create(), *unused = http_writer_create();
    struct future *f = client_get(p, "/up", .method = "GET POST", .writer = unused);
    struct future *pending = http_writer_write(w, "x", 1);

    check_failure(p, f, EINVAL, "no method");
    http_writer_unref(unused);
    stub_does(&p->stub, { .say = "", .closes = true });
    f = post(p, w);
    check_failure(p, f, ECONNRESET, "before it answered");
    client_wait(p, pending);
    future_unref(pending);
    check_not_written(p, http_writer_write(w, "y", 1));
    http_writer_unref(w);
}

UNIT(http_writer, each_write_is_a_chunk_before_while_and_after_it_connects,
     much_is_written_as_the_server_takes_it_and_the_connection_stays,
     an_answer_before_the_end_ends_the_writing, a_writer_that_ends_unclosed_gives_the_question_up,
     a_writer_belongs_to_one_question, what_failed_takes_no_more_bytes);
