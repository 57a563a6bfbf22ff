/* test_http_connection.c - messages that repeat a head, among whatever else a connection carries
 *
 * In the simulated world, by hand: what arrives in one piece is parsed or not,
 * and nobody may see which.
 */
#include <stdio.h>

#include "process/http.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/browser.h"
#include "tests/unit.h"

#define NAME "mesos.internal.AuthenticateMessage"
#define ACCEPTED "Content-Length: 0\r\n\r\n"

/* ---- an actor that writes down what it hears, and from whom ---- */

struct ear {
    struct process process;
    struct buffer heard;
    struct http_request *kept; /* by /keep, until /release */
    uint32_t generation;       /* of the last sender */
};

#define MESSAGES(ON) ON(pb__authenticate_message, Pb__AuthenticateMessage, on_text)
#define ENDPOINTS(AT)                                                                              \
    AT("/hello", serve_hello, NULL)                                                                \
    AT("/keep", serve_keep, NULL)                                                                  \
    AT("/release", serve_release, NULL)
HANDLERS(ear, ear_handlers, MESSAGES);
ROUTES(ear, ear_routes, ENDPOINTS);
CLASS(ear, "ear", ear_initialize, ear_exited, ear_finalize);

static void on_text(struct ear *e, const struct pid *from, const Pb__AuthenticateMessage *m)
{
    buffer_printf(&e->heard, "%s:%s ", pid_is_empty(from) ? "nobody" : from->id->bytes, m->pid);
    e->generation = from->generation;
}

static void serve_hello(struct ear *e UNUSED, struct http_request *r)
{
    http_answer(r, 200, "text/plain", "hello", 5);
}

static void serve_keep(struct ear *e, struct http_request *r)
{
    e->kept = http_request_ref(r);
}

static void serve_release(struct ear *e, struct http_request *r)
{
    http_answer(e->kept, 200, "text/plain", "kept", 4);
    http_request_unref(e->kept);
    http_answer(r, 200, "text/plain", "released", 8);
}

static void ear_initialize(struct ear *e)
{
    process_install(&e->process, ear_handlers);
    process_route(&e->process, ear_routes);
}

static void ear_exited(struct ear *e UNUSED, const struct pid *peer UNUSED) {}
static void ear_finalize(struct ear *e UNUSED) {}

/* ---- messages ---- */

static struct ear ear;
static struct browser *b;

static struct pid spawn_as(struct ear *e, const char *id)
{
    struct error err;
    struct pid pid;

    memset(e, 0, sizeof *e);
    ck_assert_int_eq(process_spawn(rt, &e->process, &ear_class, id, &pid, &err), 0);
    return pid;
}

static struct pid spawn(void)
{
    return spawn_as(&ear, "ear");
}

static struct pid start(struct runtime_options o)
{
    world_start(1, o);
    b = browser_open();
    return spawn();
}

static void stop(struct pid *pid)
{
    browser_close(b);
    world_stop();
    buffer_release(&ear.heard);
    pid_release(pid);
}

static const char *head(const char *from)
{
    static char text[300];

    snprintf(text, sizeof text,
             "POST /ear/" NAME " HTTP/1.1\r\nUser-Agent: libprocess/%s\r\n"
             "Libprocess-From: %s\r\nConnection: Keep-Alive\r\nHost: x\r\n"
             "Transfer-Encoding: chunked\r\n\r\n",
             from, from);
    return text;
}

static void put_message(struct buffer *out, const char *from, const char *text)
{
    size_t size = strlen(text);

    buffer_printf(out, "%s%zx\r\n\n%c%s\r\n0\r\n\r\n", head(from), size + 2, (char)size, text);
}

static void say_message(const char *from, const char *text)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    put_message(&out, from, text);
    browser_send(b, buffer_data(&out), buffer_length(&out));
}

static void expect_accepted(int n)
{
    while (n-- > 0)
        browser_expect_head(b, "202", ACCEPTED, NULL);
}

static bool heard_enough(void *size)
{
    return buffer_length(&ear.heard) >= *(size_t *)size;
}

static void check_heard(const char *text)
{
    size_t size = strlen(text);

    sim_run_until(world, heard_enough, &size, BROWSER_LIMIT);
    ck_assert_str_eq(buffer_data(&ear.heard), text);
    buffer_release(&ear.heard);
}

/* The first one is parsed, and its head kept. */
static void say_first(void)
{
    say_message("a(1)@9.9.9.9:9", "first");
    expect_accepted(1);
    check_heard("a(1):first ");
}

/* ---- tests ---- */

START_TEST(a_head_that_comes_again_brings_another_body)
{
    struct pid pid = start((struct runtime_options){ 0 });
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    say_first();
    put_message(&out, "a(1)@9.9.9.9:9", "second");
    put_message(&out, "a(1)@9.9.9.9:9", "");
    put_message(&out, "a(1)@9.9.9.9:9", "the fourth");
    browser_send(b, buffer_data(&out), buffer_length(&out));
    expect_accepted(3);
    check_heard("a(1):second a(1): a(1):the fourth ");
    ck_assert_uint_eq(buffer_length(&b->got), 0);
    stop(&pid);
}
END_TEST

START_TEST(a_repeated_message_may_be_cut_at_every_byte)
{
    struct pid pid = start((struct runtime_options){ 0 });
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    say_first();
    put_message(&out, "a(1)@9.9.9.9:9", "one");
    put_message(&out, "a(1)@9.9.9.9:9", "two");
    for (size_t i = 1; i < buffer_length(&out); i++) {
        browser_send(b, buffer_data(&out), i);
        sim_run_for(world, SECONDS(1));
        ck_assert_ptr_null(strstr(buffer_data(&ear.heard), "two"));
        browser_send(b, buffer_data(&out) + i, buffer_length(&out) - i);
        expect_accepted(2);
        check_heard("a(1):one a(1):two ");
    }
    stop(&pid);
}
END_TEST

START_TEST(a_head_that_differs_in_one_byte_is_read_anew)
{
    struct pid pid = start((struct runtime_options){ 0 });

    say_first();
    say_message("b(1)@9.9.9.9:9", "other");
    say_message("a(2)@9.9.9.9:9", "other");
    say_message("a(1)@9.9.9.9:9", "same");
    expect_accepted(3);
    check_heard("b(1):other a(2):other a(1):same ");
    /* The last byte of a head: no line ends so. */
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    put_message(&out, "a(1)@9.9.9.9:9", "never");
    ((char *)memmem(buffer_data(&out), buffer_length(&out), "\r\n\r\n", 4))[3] = '\r';
    browser_send(b, buffer_data(&out), buffer_length(&out));
    browser_expect_head(b, "400", NULL, NULL);
    check_heard("");
    stop(&pid);
}
END_TEST

START_TEST(bodies_in_several_chunks_are_not_taken_for_one)
{
    static const char tail[] = "\r\n0\r\n\r\n";
    struct pid pid = start((struct runtime_options){ 0 });
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    say_first();
    /* When it is put together in place, the bytes look like a message of one chunk. */
    buffer_printf(&out, "%s3\r\n\n\010x\r\n7\r\n%s\r\n", head("a(1)@9.9.9.9:9"), tail);
    browser_send(b, buffer_data(&out), buffer_length(&out));
    sim_run_for(world, SECONDS(1));
    ck_assert_uint_eq(buffer_length(&b->got), 0);
    browser_say(b, "0\r\n\r\n");
    expect_accepted(1);
    check_heard("a(1):x\r\n0\r\n\r\n ");
    say_message("a(1)@9.9.9.9:9", "next");
    expect_accepted(1);
    check_heard("a(1):next ");
    stop(&pid);
}
END_TEST

START_TEST(a_body_of_known_length_is_not_read_as_chunks)
{
    /* A field that is unknown, and 'z': it looks like a chunk of two bytes. */
    static const char message[] = "POST /ear/" NAME " HTTP/1.1\r\nLibprocess-From: c@9.9.9.9:9\r\n"
                                  "Content-Length: 18\r\n\r\n2\r\nXY\r\n0\r\n\r\nabc\n\001z";
    struct pid pid = start((struct runtime_options){ 0 });

    for (int i = 0; i < 3; i++)
        browser_say(b, message);
    expect_accepted(3);
    check_heard("c:z c:z c:z ");
    stop(&pid);
}
END_TEST

START_TEST(a_receiver_that_has_ended_is_not_found_and_its_successor_is)
{
    struct pid pid = start((struct runtime_options){ 0 }), next;

    say_first();
    process_terminate(&pid, TERMINATE_NOW);
    sim_run_for(world, SECONDS(1));
    buffer_release(&ear.heard);
    for (int i = 0; i < 2; i++) {
        say_message("a(1)@9.9.9.9:9", "lost");
        browser_expect_head(b, "404", NULL, NULL);
        browser_expect(b, "404 Not Found.");
    }
    next = spawn();
    for (int i = 0; i < 2; i++) {
        say_message("a(1)@9.9.9.9:9", "found");
        expect_accepted(1);
    }
    check_heard("a(1):found a(1):found ");
    process_terminate(&next, TERMINATE_NOW);
    sim_run_for(world, SECONDS(1));
    pid_release(&next);
    next = spawn(); /* nothing came in between */
    say_message("a(1)@9.9.9.9:9", "again");
    expect_accepted(1);
    check_heard("a(1):again ");
    pid_release(&next);
    stop(&pid);
}
END_TEST

START_TEST(a_body_over_the_limit_is_refused_behind_a_kept_head_too)
{
    struct pid pid = start((struct runtime_options){ .max_body_bytes = 12 });

    say_first();
    say_message("a(1)@9.9.9.9:9", "just right");
    say_message("a(1)@9.9.9.9:9", "just too big");
    say_message("a(1)@9.9.9.9:9", "behind");
    expect_accepted(1);
    browser_expect_head(b, "413", NULL, NULL);
    browser_expect(b, "The body is too long");
    check_heard("a(1):just right ");
    stop(&pid);
}
END_TEST

START_TEST(repeated_messages_and_requests_are_answered_in_their_order)
{
    struct pid pid = start((struct runtime_options){ 0 });

    say_first();
    browser_say(b, BROWSER_GET("/ear/keep"));
    say_message("a(1)@9.9.9.9:9", "one");
    say_message("a(1)@9.9.9.9:9", "two");
    browser_say(b, BROWSER_GET("/ear/hello"));
    say_message("a(1)@9.9.9.9:9", "three");
    check_heard("a(1):one a(1):two a(1):three ");
    sim_run_for(world, SECONDS(1));
    ck_assert_uint_eq(buffer_length(&b->got), 0); /* all wait for the first */
    browser_say(b, BROWSER_GET("/ear/release"));
    browser_skip(b, "\r\n\r\nkept");
    expect_accepted(2);
    browser_skip(b, "\r\n\r\nhello");
    expect_accepted(1);
    browser_skip(b, "\r\n\r\nreleased");
    stop(&pid);
}
END_TEST

/* Behind /keep every 202 waits in the queue: 128 of them, and reading stops. */
START_TEST(repeated_messages_are_read_only_as_long_as_few_are_unanswered)
{
    struct pid pid = start((struct runtime_options){ 0 });
    struct browser *other = browser_open();
    int heard = 0;

    say_first();
    browser_say(b, BROWSER_GET("/ear/keep"));
    for (int i = 0; i < 200; i++)
        say_message("a(1)@9.9.9.9:9", "m");
    sim_run_for(world, SECONDS(1));
    for (const char *p = buffer_data(&ear.heard); (p = strstr(p, "a(1):m ")); p++)
        heard++;
    ck_assert_int_eq(heard, 127);
    browser_say(other, BROWSER_GET("/ear/release"));
    browser_skip(b, "\r\n\r\nkept");
    expect_accepted(200);
    ck_assert_uint_eq(buffer_length(&ear.heard), 200 * strlen("a(1):m "));
    browser_close(other);
    stop(&pid);
}
END_TEST

START_TEST(a_full_mailbox_pauses_repeated_messages_too)
{
    struct pid pid = start((struct runtime_options){ .workers = 1, .max_mailbox_events = 1 });
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct counter *paused = metrics_counter(rt, "process/connections_paused");
    uint64_t before;

    say_first();
    sim_run_for(world, SECONDS(1));
    before = counter_value(paused);
    for (int i = 0; i < 20; i++)
        put_message(&out, "a(1)@9.9.9.9:9", "m");
    browser_send(b, buffer_data(&out), buffer_length(&out));
    expect_accepted(20);
    ck_assert_uint_eq(counter_value(paused) - before, 20);
    browser_say(b, BROWSER_GET("/ear/hello"));
    browser_skip(b, "\r\n\r\nhello");
    ck_assert_uint_eq(buffer_length(&ear.heard), 20 * strlen("a(1):m "));
    stop(&pid);
}
END_TEST

START_TEST(a_part_of_a_repeated_head_must_go_on_in_time)
{
    struct pid pid = start((struct runtime_options){ .head_timeout = SECONDS(10) });

    say_first();
    sim_run_for(world, SECONDS(100)); /* idle is not late */
    say_message("a(1)@9.9.9.9:9", "whole");
    expect_accepted(1);
    browser_send(b, head("a(1)@9.9.9.9:9"), 50);
    sim_run_for(world, SECONDS(9));
    ck_assert_uint_eq(buffer_length(&b->got), 0);
    sim_run_for(world, SECONDS(12));
    browser_expect_head(b, "408", NULL, NULL);
    stop(&pid);
}
END_TEST

START_TEST(a_sender_of_this_node_is_the_one_that_lives_now)
{
    struct pid pid = start((struct runtime_options){ 0 });
    char text[PID_TEXT];
    struct ear mouth;

    for (int i = 0; i < 3; i++) {
        struct pid sender = spawn_as(&mouth, "mouth");
        say_message(pid_text(&sender, text, sizeof text), "x");
        say_message(text, "y");
        expect_accepted(2);
        check_heard("mouth:x mouth:y ");
        ck_assert_uint_eq(ear.generation, sender.generation);
        process_terminate(&sender, TERMINATE_NOW);
        sim_run_for(world, SECONDS(1));
        pid_release(&sender);
    }
    stop(&pid);
}
END_TEST

START_TEST(who_is_no_pid_stays_nobody)
{
    struct pid pid = start((struct runtime_options){ 0 });

    for (int i = 0; i < 3; i++)
        say_message("somebody", "x");
    expect_accepted(3);
    check_heard("nobody:x nobody:x nobody:x ");
    stop(&pid);
}
END_TEST

UNIT(http_connection, a_head_that_comes_again_brings_another_body,
     a_repeated_message_may_be_cut_at_every_byte, a_head_that_differs_in_one_byte_is_read_anew,
     bodies_in_several_chunks_are_not_taken_for_one, a_body_of_known_length_is_not_read_as_chunks,
     a_receiver_that_has_ended_is_not_found_and_its_successor_is,
     a_body_over_the_limit_is_refused_behind_a_kept_head_too,
     repeated_messages_and_requests_are_answered_in_their_order,
     repeated_messages_are_read_only_as_long_as_few_are_unanswered,
     a_full_mailbox_pauses_repeated_messages_too, a_part_of_a_repeated_head_must_go_on_in_time,
     a_sender_of_this_node_is_the_one_that_lives_now, who_is_no_pid_stays_nobody);
