/* test_pid.c - PIDs and addresses as text and back */
#include "process/pid.h"

#include <string.h>

#include "base/error.h"
#include "tests/unit.h"

static const struct address local = { 0x7f000001, 5050 };

START_TEST(a_pid_is_id_at_ip_and_port)
{
    struct pid pid = pid_create("slave(1)", local);
    struct text *text = pid_format(&pid);
    char out[PID_TEXT];

    ck_assert_str_eq(text->bytes, "slave(1)@127.0.0.1:5050");
    ck_assert_str_eq(pid_text(&pid, out, sizeof out), text->bytes);
    text_unref(text);
    pid_release(&pid);
    ck_assert(pid_is_empty(&pid));
}
END_TEST

START_TEST(the_empty_pid_is_the_empty_text)
{
    struct pid pid = { 0 };
    struct text *text = pid_format(&pid);

    ck_assert_str_eq(text->bytes, "");
    text_unref(text);
    pid_release(&pid);
}
END_TEST

START_TEST(a_text_is_cut_to_the_room_there_is)
{
    struct pid pid = pid_create("master", local);
    char out[7];

    ck_assert_str_eq(pid_text(&pid, out, sizeof out), "master");
    pid_release(&pid);
}
END_TEST

START_TEST(what_was_formatted_parses_to_an_equal_pid)
{
    struct pid pid = pid_create("scheduler-1.2_3", local), parsed;
    char out[PID_TEXT];

    ck_assert_int_eq(pid_parse(pid_text(&pid, out, sizeof out), &parsed, NULL), 0);
    ck_assert(pid_equal(&pid, &parsed));
    ck_assert_ptr_null(parsed.runtime);
    pid_release(&pid);
    pid_release(&parsed);
}
END_TEST

START_TEST(pids_differ_by_id_ip_and_port)
{
    struct pid a = pid_create("a", local), b = pid_create("b", local);
    struct pid c = pid_create("a", (struct address){ 0x7f000002, 5050 });
    struct pid d = pid_create("a", (struct address){ 0x7f000001, 5051 });

    ck_assert(pid_equal(&a, &a));
    ck_assert(!pid_equal(&a, &b));
    ck_assert(!pid_equal(&a, &c));
    ck_assert(!pid_equal(&a, &d));
    pid_release(&a);
    pid_release(&b);
    pid_release(&c);
    pid_release(&d);
}
END_TEST

START_TEST(assigning_a_pid_to_itself_keeps_it)
{
    struct pid a = pid_create("a", local), b = pid_create("b", local);

    pid_assign(&a, &a);
    ck_assert(text_is(a.id, "a"));
    pid_assign(&a, &b);
    ck_assert(text_is(a.id, "b"));
    pid_release(&a);
    pid_release(&b);
}
END_TEST

START_TEST(what_is_no_pid_is_refused_with_the_reason)
{
    static const char *const wrong[] = {
        "",
        "@",
        "master",
        "master@",
        "@127.0.0.1:5050",
        "a b@127.0.0.1:5050",
        "a/b@127.0.0.1:5050",
        "a@b@127.0.0.1:5050",
        "a\t@127.0.0.1:5050",
        "a@127.0.0.1",
        "a@127.0.0.1:",
        "a@127.0.0.1:0",
        "a@127.0.0.1:65536",
        "a@127.0.0.1:99999999999999",
        "a@127.0.0.1:-1",
        "a@127.0.0.1:+1",
        "a@127.0.0.1:05050",
        "a@127.0.0.256:1",
        "a@127.0.0:1",
        "a@127.0.0.0.1:1",
        "a@localhost:5050",
        "a@[::1]:5050",
        "a@127.0.0.1:5050 ",
        "a@ 127.0.0.1:5050",
        "a@127.0.0.01:5050",
    };
    struct pid pid = { .slot = 7 };
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        err.text[0] = '\0';
        ck_assert_msg(pid_parse(wrong[i], &pid, &err) < 0, "'%s' was taken", wrong[i]);
        ck_assert(strlen(err.text) > 0);
    }
    ck_assert_uint_eq(pid.slot, 7);
}
END_TEST

START_TEST(an_id_has_at_most_255_bytes)
{
    char text[300];
    struct pid pid;

    memset(text, 'x', sizeof text);
    memcpy(text + 255, "@1.2.3.4:5", 11);
    ck_assert_int_eq(pid_parse(text, &pid, NULL), 0);
    pid_release(&pid);
    memcpy(text + 255, "x@1.2.3.4:5", 12);
    ck_assert_int_lt(pid_parse(text, &pid, NULL), 0);
}
END_TEST

START_TEST(addresses_format_and_parse)
{
    char text[ADDRESS_TEXT];
    struct address a;
    uint32_t ip;

    ck_assert_str_eq(address_format((struct address){ 0xffffffff, 65535 }, text),
                     "255.255.255.255:65535");
    ck_assert_int_eq(address_parse(text, &a, NULL), 0);
    ck_assert(a.ip == 0xffffffff && a.port == 65535);
    ck_assert_int_eq(address_parse_ip("10.0.0.1", &ip, NULL), 0);
    ck_assert_uint_eq(ip, 0x0a000001);
    ck_assert_str_eq(address_format_ip(ip, text), "10.0.0.1");
    ck_assert_int_lt(address_parse_ip("10.0.0.1:5", &ip, NULL), 0);
}
END_TEST

UNIT(pid, a_pid_is_id_at_ip_and_port, the_empty_pid_is_the_empty_text,
     a_text_is_cut_to_the_room_there_is, what_was_formatted_parses_to_an_equal_pid,
     pids_differ_by_id_ip_and_port, assigning_a_pid_to_itself_keeps_it,
     what_is_no_pid_is_refused_with_the_reason, an_id_has_at_most_255_bytes,
     addresses_format_and_parse);
