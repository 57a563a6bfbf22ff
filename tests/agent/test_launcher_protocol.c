/* test_launcher_protocol.c - frames between the agent and its launcher */
#include "agent/launcher_protocol.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tests/unit.h"

static const struct launch_request request = { .number = 77,
                                               .folder = (char *)"/w/meta/runs/1",
                                               .directory = (char *)"/w/s",
                                               .program = (char *)"sh",
                                               .argv = (char *[]){ (char *)"sh", (char *)"-c",
                                                                   (char *)"", NULL },
                                               .envp = (char *[]){ (char *)"PATH=/bin", NULL },
                                               .out = (char *)"/w/s/stdout",
                                               .err = (char *)"/w/s/stderr",
                                               .set_user = true,
                                               .uid = 1,
                                               .gid = 2,
                                               .groups = (uint32_t[]){ 3, 4 },
                                               .n_groups = 2 };

static void check_request(struct launch_request *got)
{
    ck_assert_int_eq(got->number, 77);
    ck_assert_str_eq(got->folder, "/w/meta/runs/1");
    ck_assert_str_eq(got->directory, "/w/s");
    ck_assert_str_eq(got->program, "sh");
    ck_assert_str_eq(got->argv[1], "-c");
    ck_assert_str_eq(got->argv[2], "");
    ck_assert_ptr_null(got->argv[3]);
    ck_assert_str_eq(got->envp[0], "PATH=/bin");
    ck_assert_ptr_null(got->envp[1]);
    ck_assert_str_eq(got->out, "/w/s/stdout");
    ck_assert_str_eq(got->err, "/w/s/stderr");
    ck_assert(got->set_user);
    ck_assert_int_eq(got->uid, 1);
    ck_assert_int_eq(got->gid, 2);
    ck_assert_int_eq(got->n_groups, 2);
    ck_assert_int_eq(got->groups[1], 4);
    launch_request_release(got);
}

START_TEST(a_request_arrives_as_it_was_sent_whatever_the_pieces)
{
    struct buffer whole = BUFFER_INIT, in = BUFFER_INIT;
    struct launch_request got;

    launch_request_pack(&request, &whole);
    for (size_t i = 0; i < buffer_length(&whole); i++) {
        ck_assert_int_eq(launch_request_unpack(&in, &got, NULL), 0);
        buffer_append_char(&in, buffer_data(&whole)[i]);
    }
    ck_assert_int_eq(launch_request_unpack(&in, &got, NULL), 1);
    ck_assert_int_eq(buffer_length(&in), 0);
    check_request(&got);
    buffer_release(&whole);
    buffer_release(&in);
}
END_TEST

START_TEST(answers_come_out_one_by_one)
{
    struct launch_answer one = { .number = 1, .code = EEXIST, .text = (char *)"lives already" };
    struct launch_answer two = { .number = 2, .text = (char *)"", .pid = 4711, .start_time = 99 };
    struct buffer b = BUFFER_INIT;
    struct launch_answer got;

    launch_answer_pack(&one, &b);
    launch_answer_pack(&two, &b);
    ck_assert_int_eq(launch_answer_unpack(&b, &got, NULL), 1);
    ck_assert_int_eq(got.number, 1);
    ck_assert_int_eq(got.code, EEXIST);
    ck_assert_str_eq(got.text, "lives already");
    launch_answer_release(&got);
    ck_assert_int_eq(launch_answer_unpack(&b, &got, NULL), 1);
    ck_assert_int_eq(got.pid, 4711);
    ck_assert_int_eq(got.start_time, 99);
    launch_answer_release(&got);
    ck_assert_int_eq(launch_answer_unpack(&b, &got, NULL), 0);
    buffer_release(&b);
}
END_TEST

/* Cut short, with the length made to fit: the fields are what does not. */
START_TEST(a_frame_cut_anywhere_is_refused)
{
    struct buffer whole = BUFFER_INIT;

    launch_request_pack(&request, &whole);
    for (uint32_t size = 8; size < buffer_length(&whole); size++) {
        struct launch_request got;
        struct buffer in = BUFFER_INIT;
        struct error err;

        buffer_append(&in, &(uint32_t){ size - 4 }, 4);
        buffer_append(&in, buffer_data(&whole) + 4, size - 4);
        ck_assert_int_eq(launch_request_unpack(&in, &got, &err), -1);
        ck_assert_int_eq(err.code, EPROTO);
        buffer_release(&in);
    }
    buffer_release(&whole);
}
END_TEST

static void check_refused(const void *bytes, size_t size, const char *why)
{
    struct buffer in = BUFFER_INIT;
    struct launch_answer got;
    struct error err;

    buffer_append(&in, bytes, size);
    ck_assert_int_eq(launch_answer_unpack(&in, &got, &err), -1);
    ck_assert_str_eq(err.text, why);
    buffer_release(&in);
}

START_TEST(what_is_no_frame_of_ours_is_refused_at_once)
{
    check_refused((uint32_t[]){ LAUNCHER_FRAME_MAX + 1 }, 4, "a frame of 4194305 bytes");
    check_refused((uint32_t[]){ 0 }, 4, "a frame of 0 bytes");
    check_refused((uint32_t[]){ 4, 9 }, 8, "a frame of version 9, known is 1");
    check_refused((uint32_t[]){ 12, 1, 0, 0 }, 16, "a frame whose fields do not fit its length");
}
END_TEST

START_TEST(a_text_with_a_nul_inside_is_refused)
{
    struct launch_answer a = { .number = 1, .text = (char *)"abcdefgh" };
    struct buffer b = BUFFER_INIT;

    launch_answer_pack(&a, &b);
    *(char *)memmem(buffer_data(&b), buffer_length(&b), "cdef", 4) = '\0';
    check_refused(buffer_data(&b), buffer_length(&b), "a frame whose fields do not fit its length");
    buffer_release(&b);
}
END_TEST

UNIT(launcher_protocol, a_request_arrives_as_it_was_sent_whatever_the_pieces,
     answers_come_out_one_by_one, a_frame_cut_anywhere_is_refused,
     what_is_no_frame_of_ours_is_refused_at_once, a_text_with_a_nul_inside_is_refused);
