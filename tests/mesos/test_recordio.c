/* test_recordio.c - records in a stream, in pieces of any size, and streams that are none */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "mesos/recordio.h"
#include "tests/unit.h"

static void check_record(struct recordio_reader *r, const char *want, size_t want_size)
{
    const char *record;
    size_t size;

    ck_assert_int_eq(recordio_next(r, &record, &size, NULL), 1);
    ck_assert_uint_eq(size, want_size);
    ck_assert_mem_eq(record, want, size);
}

static void check_waits(struct recordio_reader *r, bool complete)
{
    const char *record;
    size_t size;

    ck_assert_int_eq(recordio_next(r, &record, &size, NULL), 0);
    ck_assert(recordio_is_complete(r) == complete);
}

static void check_refuses(const char *stream, const char *why)
{
    struct recordio_reader r;
    struct error err;
    const char *record;
    size_t size;

    recordio_reader_init(&r, 100);
    recordio_feed(&r, stream, strlen(stream));
    ck_assert_int_eq(recordio_next(&r, &record, &size, &err), -1);
    ck_assert_msg(strstr(err.text, why), "%s", err.text);
    recordio_feed(&r, "1\na", 3);
    ck_assert_int_eq(recordio_next(&r, &record, &size, &err), -1);
    ck_assert(!recordio_is_complete(&r));
    recordio_reader_release(&r);
}

START_TEST(a_record_is_its_length_a_newline_and_its_bytes)
{
    struct buffer out = BUFFER_INIT;

    recordio_format(&out, "{}", 2);
    recordio_format(&out, "", 0);
    recordio_format(&out, "\303\251\n\0", 4);
    ck_assert_uint_eq(buffer_length(&out), 4 + 2 + 6);
    ck_assert_mem_eq(buffer_data(&out), "2\n{}0\n4\n\303\251\n\0", 12);
    buffer_release(&out);
}
END_TEST

START_TEST(what_is_appended_between_begin_and_end_is_a_record)
{
    struct buffer out = BUFFER_INIT;

    buffer_append_text(&out, "before:");
    buffer_consume(&out, 3);
    for (int i = 0; i < 2; i++) {
        size_t mark = recordio_begin(&out);

        for (int k = 0; k < 50; k++)
            buffer_append_text(&out, "ab");
        recordio_end(&out, mark);
    }
    recordio_end(&out, recordio_begin(&out));
    ck_assert_uint_eq(buffer_length(&out), 4 + 2 * 104 + 2);
    ck_assert_mem_eq(buffer_data(&out), "ore:100\nabab", 12);
    ck_assert_str_eq(buffer_data(&out) + 4 + 104 + 102, "ab0\n");
    buffer_release(&out);
}
END_TEST

START_TEST(pieces_of_any_size_give_the_same_records)
{
    static const char stream[] = "3\nabc0\n11\n12345678901" "1\n\n";

    for (size_t piece = 1; piece < sizeof stream; piece++) {
        struct recordio_reader r;
        struct buffer got = BUFFER_INIT;
        const char *record;
        size_t size, records = 0;

        recordio_reader_init(&r, 11);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            size_t left = sizeof stream - 1 - at;

            recordio_feed(&r, stream + at, left < piece ? left : piece);
            for (; recordio_next(&r, &record, &size, NULL) == 1; records++) {
                buffer_append(&got, record, size);
                buffer_append_char(&got, '|');
            }
        }
        ck_assert_uint_eq(records, 4);
        ck_assert_str_eq(buffer_data(&got), "abc||12345678901|\n|");
        ck_assert(recordio_is_complete(&r));
        buffer_release(&got);
        recordio_reader_release(&r);
    }
}
END_TEST

START_TEST(a_stream_is_complete_between_two_records_only)
{
    struct recordio_reader r;

    recordio_reader_init(&r, 100);
    check_waits(&r, true);
    recordio_feed(&r, "2", 1);
    check_waits(&r, false);
    recordio_feed(&r, "\na", 2);
    check_waits(&r, false);
    recordio_feed(&r, "b", 1);
    check_record(&r, "ab", 2);
    ck_assert(recordio_is_complete(&r));
    check_waits(&r, true);
    recordio_reader_release(&r);
}
END_TEST

START_TEST(what_is_no_stream_of_records_is_refused_for_good)
{
    check_refuses("\n", "a length is empty");
    check_refuses("-1\na", "no digits");
    check_refuses(" 1\na", "no digits");
    check_refuses("1\r\na", "no digits");
    check_refuses("{\"type\":", "no digits");
    check_refuses("01\na", "begins with 0");
    check_refuses("101", "too long");
    check_refuses("99999999999999999999999999999999", "too long");
    check_refuses("00", "begins with 0");
}
END_TEST

START_TEST(a_record_at_the_limit_is_let_in)
{
    struct recordio_reader r;
    char record[100];

    memset(record, 'x', sizeof record);
    recordio_reader_init(&r, sizeof record);
    recordio_feed(&r, "100\n", 4);
    recordio_feed(&r, record, sizeof record);
    check_record(&r, record, sizeof record);
    recordio_reader_release(&r);
}
END_TEST

START_TEST(ending_what_was_not_begun_aborts)
{
    struct buffer out = BUFFER_INIT;

    recordio_end(&out, 0);
}
END_TEST

UNIT(recordio, a_record_is_its_length_a_newline_and_its_bytes,
     what_is_appended_between_begin_and_end_is_a_record, pieces_of_any_size_give_the_same_records,
     a_stream_is_complete_between_two_records_only,
     what_is_no_stream_of_records_is_refused_for_good, a_record_at_the_limit_is_let_in,
     THESE_ABORT, ending_what_was_not_begun_aborts);
