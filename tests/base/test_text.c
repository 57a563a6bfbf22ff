/* test_text.c - counted text, and the encodings of text */
#include "base/text.h"

#include <pthread.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/percent.h"
#include "base/utf8.h"
#include "tests/unit.h"

START_TEST(equal_bytes_are_equal_texts)
{
    struct text *a = text_create("agent"), *b = text_format("%s%c", "agen", 't');
    struct text *c = text_create_n("agents", 5), *d = text_create("Agent"), *e = text_create("");

    ck_assert(text_equal(a, b));
    ck_assert(text_equal(a, c));
    ck_assert(!text_equal(a, d));
    ck_assert(!text_equal(a, NULL));
    ck_assert(text_equal(NULL, NULL));
    ck_assert_uint_eq(a->hash, c->hash);
    ck_assert_uint_eq(a->length, 5);
    ck_assert(text_is(b, "agent"));
    ck_assert(!text_is(b, "agents"));
    ck_assert(!text_is(NULL, ""));
    ck_assert(text_is(e, ""));
    text_unref(a);
    text_unref(b);
    text_unref(c);
    text_unref(d);
    text_unref(e);
    text_unref(NULL);
    ck_assert_ptr_null(text_ref(NULL));
}
END_TEST

START_TEST(the_hash_is_fnv_1a)
{
    ck_assert_uint_eq(text_hash_bytes("", 0), 0x811c9dc5);
    ck_assert_uint_eq(text_hash_bytes("a", 1), 0xe40c292c);
    ck_assert_uint_eq(text_hash_bytes("foobar", 6), 0xbf9cf968);
}
END_TEST

static void *take_and_give_back(void *arg)
{
    struct text *t = arg;

    for (int i = 0; i < 20000; i++)
        text_unref(text_ref(t));
    text_unref(t);
    return NULL;
}

START_TEST(a_text_is_shared_by_threads_and_freed_by_the_last)
{
    struct text *t = text_create("shared");
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_and_give_back, text_ref(t));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(ref_count(&t->ref), 1);
    text_unref(t);
}
END_TEST

START_TEST(a_text_with_a_nul_inside)
{
    text_create_n("a\0b", 3);
}
END_TEST

START_TEST(utf8_is_taken_in_its_shortest_form_only)
{
    static const struct { const char *bytes; bool valid; } cases[] = {
        { "", true }, { "agent", true }, { "\xc3\xa4", true }, { "\xe2\x82\xac", true },
        { "\xf0\x9f\x98\x80", true }, { "\xed\x9f\xbf", true }, { "\xee\x80\x80", true },
        { "\xf4\x8f\xbf\xbf", true },
        { "\x80", false }, { "\xc3", false }, { "\xc3(", false }, { "\xe2\x82", false },
        { "\xc0\xaf", false }, { "\xc1\xbf", false }, { "\xe0\x9f\xbf", false },
        { "\xf0\x8f\xbf\xbf", false }, { "\xed\xa0\x80", false }, { "\xed\xbf\xbf", false },
        { "\xf4\x90\x80\x80", false }, { "\xf5\x80\x80\x80", false }, { "\xff", false },
        { "good\xe2\x82\xac" "bad\xfe", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_msg(utf8_is_valid(cases[i].bytes, strlen(cases[i].bytes)) == cases[i].valid,
                      "case %zu", i);
    ck_assert(utf8_is_valid("a\0b", 3));
    ck_assert_uint_eq(utf8_character("\xe2\x82\xac", 3), 3);
    ck_assert_uint_eq(utf8_character("\xe2\x82\xac", 2), 0);
}
END_TEST

static void check_base64(const char *plain, const char *encoded)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    CLEANUP(buffer_release) struct buffer back = BUFFER_INIT;

    base64_encode(plain, strlen(plain), &out);
    ck_assert_str_eq(buffer_data(&out), encoded);
    ck_assert_int_eq(base64_decode(encoded, strlen(encoded), &back, NULL), 0);
    ck_assert_str_eq(buffer_data(&back), plain);
}

START_TEST(base64_is_that_of_the_rfc)
{
    check_base64("", "");
    check_base64("f", "Zg==");
    check_base64("fo", "Zm8=");
    check_base64("foo", "Zm9v");
    check_base64("foob", "Zm9vYg==");
    check_base64("fooba", "Zm9vYmE=");
    check_base64("foobar", "Zm9vYmFy");
    check_base64("\xfb\xff\xfe", "+//+");
}
END_TEST

START_TEST(base64_that_is_not_exact_is_refused_and_leaves_nothing)
{
    static const char *const cases[] = {
        "Z", "Zg", "Zg=", "Zm9vZg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9-",
        "Zm9\n", "Zg=a", "Zm9vZm9\xc3",
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
        struct error err = { .code = 0 };

        buffer_append_text(&out, "before");
        ck_assert_msg(base64_decode(cases[i], strlen(cases[i]), &out, &err) < 0, "%s", cases[i]);
        ck_assert_str_eq(buffer_data(&out), "before");
        ck_assert_int_ne(err.code, 0);
    }
}
END_TEST

START_TEST(percent_escapes_what_libprocess_escapes)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    CLEANUP(buffer_release) struct buffer back = BUFFER_INIT;
    const char *text = "slave(1) a/b?c=d&e+f%g\"<>#{}|\\^~[]`$,:;@!*'-_.0Z\x01\x7f\xc3\xa4";

    percent_encode(text, strlen(text), &out);
    ck_assert_str_eq(buffer_data(&out), "slave(1)%20a%2Fb%3Fc%3Dd%26e%2Bf%25g%22%3C%3E%23%7B%7D%7C"
                     "%5C%5E%7E%5B%5D%60%24%2C%3A%3B%40!*'-_.0Z%01%7F%C3%A4");
    ck_assert_int_eq(percent_decode(buffer_data(&out), buffer_length(&out), &back, NULL), 0);
    ck_assert_str_eq(buffer_data(&back), text);
}
END_TEST

START_TEST(a_plus_decodes_to_a_space_and_hex_is_of_either_case)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    ck_assert_int_eq(percent_decode("a+b%2f%2F", 9, &out, NULL), 0);
    ck_assert_str_eq(buffer_data(&out), "a b//");
}
END_TEST

START_TEST(malformed_escapes_are_refused_and_leave_nothing)
{
    static const char *const cases[] = { "%", "ab%2", "%zz", "%2g", "%g2", "a%00b", "%%20" };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

        ck_assert_msg(percent_decode(cases[i], strlen(cases[i]), &out, NULL) < 0, "%s", cases[i]);
        ck_assert_str_eq(buffer_data(&out), "");
    }
}
END_TEST

UNIT(text, equal_bytes_are_equal_texts, the_hash_is_fnv_1a,
     a_text_is_shared_by_threads_and_freed_by_the_last, utf8_is_taken_in_its_shortest_form_only,
     base64_is_that_of_the_rfc, base64_that_is_not_exact_is_refused_and_leaves_nothing,
     percent_escapes_what_libprocess_escapes, a_plus_decodes_to_a_space_and_hex_is_of_either_case,
     malformed_escapes_are_refused_and_leave_nothing, THESE_ABORT, a_text_with_a_nul_inside);
