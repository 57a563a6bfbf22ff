/* test_wire.c - messages as a real Mesos wrote them
 *
 * tests/data/wire.json is a recording: what each side of each connection of a
 * master, an agent and a scheduler sent.
 */
#include "process/wire.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/http_parser.h"
#include "process/pid.h"
#include "tests/unit.h"

static const struct http_parser_limits limits = { 4096, 65536, 1 << 20 };

static struct pid pid_of(const char *text)
{
    struct pid pid = { 0 };
    struct error err;

    ck_assert_msg(pid_parse(text, &pid, &err) == 0, "%s: %s", text, err.text);
    return pid;
}

/* The receiver's address is in the Host header only. */
static struct pid receiver_of(const struct http_parser *p, const char *data, const char *id)
{
    const struct http_part *host = http_parser_find(p, data, "Host");
    char text[200];

    snprintf(text, sizeof text, "%s@%.*s", id, (int)host->length, data + host->at);
    return pid_of(text);
}

/* One recorded request: read it, write it again. */
static void check_same_again(const struct http_parser *p, const char *data)
{
    CLEANUP(buffer_release) struct buffer again = BUFFER_INIT;
    struct wire_message m;
    struct error err;
    int status;

    ck_assert(wire_is_message(p, data));
    ck_assert_int_eq(wire_parse(p, data, &m, &status, &err), 0);
    struct pid from = pid_of(m.from), to = receiver_of(p, data, m.id);
    wire_format(&again, &from, &to, m.name, data + p->body.at, p->body.length);
    ck_assert_uint_eq(buffer_length(&again), p->consumed);
    ck_assert_mem_eq(buffer_data(&again), data, p->consumed);
    pid_release(&from);
    pid_release(&to);
    wire_release(&m);
}

/* All messages of one direction of a connection; how many there were. */
static size_t check_direction(struct buffer *bytes)
{
    bool requests = strncmp(buffer_data(bytes), "POST ", 5) == 0;
    struct http_parser p;
    size_t n = 0;

    http_parser_init(&p, requests ? HTTP_PARSER_REQUEST : HTTP_PARSER_RESPONSE, &limits);
    while (buffer_length(bytes) > 0) {
        ck_assert_int_eq(http_parser_run(&p, buffer_data(bytes), buffer_length(bytes)),
                         HTTP_PARSER_DONE);
        if (requests)
            check_same_again(&p, buffer_data(bytes));
        else
            ck_assert_int_eq(p.response_status, 202);
        buffer_consume(bytes, p.consumed);
        http_parser_restart(&p);
        n++;
    }
    http_parser_release(&p);
    return n;
}

START_TEST(every_recorded_message_is_read_and_written_again_byte_for_byte)
{
    char path[1000];
    size_t i, messages = 0;
    json_t *entry;

    snprintf(path, sizeof path, "%s/tests/data/wire.json",
             getenv("srcdir") ? getenv("srcdir") : ".");
    json_t *recording = json_load_file(path, 0, NULL);
    ck_assert_msg(recording != NULL, "cannot read %s", path);
    json_array_foreach(recording, i, entry)
    {
        const char *text = json_string_value(json_object_get(entry, "bytes"));
        struct buffer bytes = BUFFER_INIT;
        ck_assert_int_eq(base64_decode(text, strlen(text), &bytes, NULL), 0);
        messages += check_direction(&bytes);
        buffer_release(&bytes);
    }
    ck_assert_uint_gt(messages, 40);
    json_decref(recording);
}
END_TEST

START_TEST(an_empty_body_has_no_length)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct pid from = pid_of("a(1)@127.0.0.1:1"), to = pid_of("b@10.0.0.2:5050");

    wire_format(&out, &from, &to, "ping", NULL, 0);
    ck_assert_str_eq(buffer_data(&out), "POST /b/ping HTTP/1.1\r\n"
                                        "User-Agent: libprocess/a(1)@127.0.0.1:1\r\n"
                                        "Libprocess-From: a(1)@127.0.0.1:1\r\n"
                                        "Connection: Keep-Alive\r\n"
                                        "Host: 10.0.0.2:5050\r\n\r\n");
    pid_release(&from);
    pid_release(&to);
}
END_TEST

START_TEST(a_body_of_json_says_so_in_the_head)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct pid from = pid_of("a@127.0.0.1:1"), to = pid_of("b@10.0.0.2:5050");
    struct http_parser p;

    wire_format_json(&out, &from, &to, "ping", "{}", 2);
    ck_assert_str_eq(buffer_data(&out), "POST /b/ping HTTP/1.1\r\n"
                                        "User-Agent: libprocess/a@127.0.0.1:1\r\n"
                                        "Libprocess-From: a@127.0.0.1:1\r\n"
                                        "Connection: Keep-Alive\r\n"
                                        "Host: 10.0.0.2:5050\r\n"
                                        "Content-Type: application/json\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n"
                                        "2\r\n{}\r\n0\r\n\r\n");
    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, buffer_data(&out), buffer_length(&out)), HTTP_PARSER_DONE);
    ck_assert(wire_is_message(&p, buffer_data(&out)));
    ck_assert(wire_is_json(&p, buffer_data(&out)));
    http_parser_release(&p);
    pid_release(&from);
    pid_release(&to);
}
END_TEST

static bool is_json(const char *type)
{
    char *request = mem_printf("GET / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n\r\n", type);
    struct http_parser p;
    bool json;

    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, request, strlen(request)), HTTP_PARSER_DONE);
    json = wire_is_json(&p, request);
    http_parser_release(&p);
    mem_free(request);
    return json;
}

START_TEST(json_is_what_the_content_type_says)
{
    ck_assert(is_json("application/json"));
    ck_assert(is_json("Application/JSON;charset=utf-8"));
    ck_assert(is_json("application/json ; x=y"));
    ck_assert(!is_json("application/jsonp"));
    ck_assert(!is_json("application/x-protobuf"));
    ck_assert(!is_json("text/plain; application/json"));
}
END_TEST

START_TEST(nobody_may_send)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct pid nobody = { 0 }, to = pid_of("b@10.0.0.2:5050");
    struct wire_message m;
    struct http_parser p;
    int status;

    wire_format(&out, &nobody, &to, "ping", "x", 1);
    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, buffer_data(&out), buffer_length(&out)), HTTP_PARSER_DONE);
    ck_assert(wire_is_message(&p, buffer_data(&out)));
    ck_assert_int_eq(wire_parse(&p, buffer_data(&out), &m, &status, NULL), 0);
    ck_assert_str_eq(m.from, "");
    wire_release(&m);
    http_parser_release(&p);
    pid_release(&to);
}
END_TEST

START_TEST(a_head_that_is_kept_gives_the_same_bytes)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT, fresh = BUFFER_INIT;
    struct pid pids[] = { pid_of("a(1)@127.0.0.1:1"), pid_of("b@10.0.0.2:5050"),
                          pid_of("b@10.0.0.3:5050"), { 0 } };
    static const char *const names[] = { "ping", "pong" };
    struct wire_head head = { .name = NULL };

    for (size_t i = 0; i < 64; i++) {
        const struct pid *from = &pids[i / 2 % 4], *to = &pids[i / 8 % 3];
        const char *name = names[i / 32];

        wire_begin_again(&out, &head, from, to, name, i % 2 * 0x1a2b);
        wire_begin(&fresh, from, to, name, i % 2 * 0x1a2b);
    }
    ck_assert_str_eq(buffer_data(&out), buffer_data(&fresh));
    ck_assert_ptr_nonnull(strstr(buffer_data(&out), "\r\n\r\n1a2b\r\n"));
    wire_head_release(&head);
    for (size_t i = 0; i < 4; i++)
        pid_release(&pids[i]);
}
END_TEST

START_TEST(our_own_answer_is_found_without_a_parser)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;
    struct http_parser p;

    wire_accept(&b, "Thu, 01 Jan 2026 00:00:00 GMT", 1);
    size_t size = buffer_length(&b);
    http_parser_init(&p, HTTP_PARSER_RESPONSE, &limits);
    ck_assert_int_eq(http_parser_run(&p, buffer_data(&b), size), HTTP_PARSER_DONE);
    ck_assert_int_eq(p.response_status, 202);
    ck_assert_uint_eq(p.consumed, size);
    http_parser_release(&p);
    wire_accept(&b, "Fri, 02 Jan 2026 00:00:00 GMT", 2);
    ck_assert_uint_eq(buffer_length(&b), 3 * size);
    for (size_t at = 0; at < 3 * size; at += size)
        ck_assert_uint_eq(wire_accepted(buffer_data(&b) + at, 3 * size - at), size);
    ck_assert(strstr(buffer_data(&b) + 2 * size, "Fri, 02") != NULL);
    buffer_truncate(&b, size);
    buffer_append_text(&b, "more");
    ck_assert_uint_eq(wire_accepted(buffer_data(&b), size + 4), size);
    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(wire_accepted(buffer_data(&b), i), 0);
        char *c = buffer_data(&b) + i, was = *c;
        *c = '\r';
        ck_assert(was == '\r' || wire_accepted(buffer_data(&b), size) == 0);
        *c = was;
    }
}
END_TEST

START_TEST(a_message_with_the_same_head_is_found_whole_or_not_at_all)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;
    struct pid from = pid_of("a(1)@127.0.0.1:1"), to = pid_of("b@10.0.0.2:5050");
    const char *body;
    size_t size;

    wire_format(&b, &from, &to, "ping", "sixteen letters!", 16);
    const char *head = buffer_data(&b);
    size_t head_length = (size_t)(strstr(head, "\r\n\r\n") + 4 - head), length = buffer_length(&b);
    ck_assert_uint_eq(wire_repeats(head, length, head, head_length, &body, &size), length);
    ck_assert_uint_eq(size, 16);
    ck_assert_int_eq(memcmp(body, "sixteen letters!", 16), 0);
    for (size_t i = 0; i < length; i++) {
        char *other = mem_dup(head, length);
        ck_assert_uint_eq(wire_repeats(head, i, head, head_length, &body, &size), 0);
        other[i] ^= 0x40;
        bool in_body = i >= head_length + 4 && i < head_length + 20;
        ck_assert_uint_eq(wire_repeats(other, length, head, head_length, &body, &size),
                          in_body ? length : 0);
        mem_free(other);
    }
    pid_release(&from);
    pid_release(&to);
}
END_TEST

/* -1: no message; 0: a message; else the status of the refusal. */
static int read_message(const char *text, struct wire_message *ret, struct error *err)
{
    char data[500];
    struct http_parser p;
    int status = -1;

    memcpy(data, text, strlen(text) + 1);
    http_parser_init(&p, HTTP_PARSER_REQUEST, &limits);
    ck_assert_int_eq(http_parser_run(&p, data, strlen(data)), HTTP_PARSER_DONE);
    if (wire_is_message(&p, data) && wire_parse(&p, data, ret, &status, err) == 0)
        status = 0;
    http_parser_release(&p);
    return status;
}

static void check_message(const char *text, const char *id, const char *name, const char *from)
{
    struct wire_message m;

    ck_assert_int_eq(read_message(text, &m, NULL), 0);
    ck_assert_str_eq(m.id, id);
    ck_assert_str_eq(m.name, name);
    ck_assert_str_eq(m.from, from);
    wire_release(&m);
}

START_TEST(the_sender_is_in_its_own_header_or_in_the_user_agent)
{
    check_message("POST /a/b HTTP/1.1\r\nUser-Agent: libprocess/x@1.2.3.4:5\r\n\r\n", "a", "b",
                  "x@1.2.3.4:5");
    check_message("POST /a/b HTTP/1.1\r\nLibprocess-From: y@1.2.3.4:5\r\n"
                  "User-Agent: libprocess/x@1.2.3.4:5\r\n\r\n",
                  "a", "b", "y@1.2.3.4:5");
    check_message("POST /a/b HTTP/1.1\r\nUser-Agent: curl/8\r\nLibprocess-From: y\r\n\r\n", "a",
                  "b", "y");
}
END_TEST

START_TEST(other_requests_are_no_messages)
{
    struct wire_message m;

    ck_assert_int_eq(read_message("GET /a/b HTTP/1.1\r\nLibprocess-From: y\r\n\r\n", &m, NULL), -1);
    ck_assert_int_eq(
        read_message("POST /a/b HTTP/1.1\r\nUser-Agent: curl libprocess/\r\n\r\n", &m, NULL), -1);
    ck_assert_int_eq(read_message("POST /a/b HTTP/1.1\r\n\r\n", &m, NULL), -1);
    ck_assert_int_eq(read_message("post /a/b HTTP/1.1\r\nLibprocess-From: y\r\n\r\n", &m, NULL),
                     -1);
}
END_TEST

START_TEST(the_id_is_percent_decoded_and_the_name_is_the_rest)
{
#define FROM " HTTP/1.1\r\nLibprocess-From: y\r\n\r\n"
    check_message("POST /slave%281%29/mesos.internal.PingSlaveMessage" FROM, "slave(1)",
                  "mesos.internal.PingSlaveMessage", "y");
    check_message("POST /slave(1)/a/b%20c" FROM, "slave(1)", "a/b%20c", "y");
    check_message("POST /id" FROM, "id", "", "y");
    check_message("POST /id/" FROM, "id", "", "y");
    check_message("POST //name" FROM, "", "name", "y");
    check_message("POST /" FROM, "", "", "y");
}
END_TEST

START_TEST(what_cannot_be_a_message_is_refused_as_libprocess_does)
{
    struct wire_message m;
    struct error err;

    ck_assert_int_eq(read_message("POST a/b" FROM, &m, &err), 400);
    ck_assert_str_eq(err.text, "Request URL path must start with '/'");
    ck_assert_int_eq(read_message("POST /a%2/b" FROM, &m, &err), 500);
    ck_assert_int_eq(read_message("POST /a%00/b" FROM, &m, &err), 500);
}
END_TEST

UNIT(wire, every_recorded_message_is_read_and_written_again_byte_for_byte,
     an_empty_body_has_no_length, a_body_of_json_says_so_in_the_head,
     json_is_what_the_content_type_says, nobody_may_send, a_head_that_is_kept_gives_the_same_bytes,
     our_own_answer_is_found_without_a_parser,
     a_message_with_the_same_head_is_found_whole_or_not_at_all,
     the_sender_is_in_its_own_header_or_in_the_user_agent, other_requests_are_no_messages,
     the_id_is_percent_decoded_and_the_name_is_the_rest,
     what_cannot_be_a_message_is_refused_as_libprocess_does);
