/* test_json_rope.c - a long JSON text of which most has been written before */
#include "base/json_rope.h"

#include <string.h>

#include "tests/unit.h"

static struct json_rope_piece *piece(const char *json)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;

    buffer_append_text(&b, json);
    return json_rope_piece_create(&b);
}

static void check_text(const struct json_rope *r, const char *expected)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    json_rope_flatten(r, &out);
    ck_assert_str_eq(buffer_data(&out), expected);
}

START_TEST(pieces_stand_where_values_are_with_their_commas)
{
    struct json_rope_piece *one = piece("{\"id\":1}"), *two = piece("2.5");
    struct json_rope r;

    json_rope_init(&r);
    json_begin_object(&r.writer);
    json_put_string(&r.writer, "name", "x");
    json_key(&r.writer, "list");
    json_begin_array(&r.writer);
    json_rope_splice(&r, one);
    json_rope_splice(&r, two);
    json_write_null(&r.writer);
    json_rope_splice(&r, one);
    json_end_array(&r.writer);
    json_key(&r.writer, "last");
    json_rope_splice(&r, two);
    json_end_object(&r.writer);
    json_rope_piece_unref(one);
    json_rope_piece_unref(two);
    check_text(&r, "{\"name\":\"x\",\"list\":[{\"id\":1},2.5,null,{\"id\":1}],\"last\":2.5}");
    json_rope_release(&r);
}
END_TEST

START_TEST(a_rope_without_pieces_is_its_text)
{
    struct json_rope r;

    json_rope_init(&r);
    check_text(&r, "");
    json_write_integer(&r.writer, 7);
    check_text(&r, "7");
    json_rope_release(&r);
}
END_TEST

START_TEST(a_rope_may_hold_very_many_pieces)
{
    CLEANUP(buffer_release) struct buffer expected = BUFFER_INIT;
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct json_rope_piece *p = piece("[]");
    struct json_rope r;

    json_rope_init(&r);
    json_begin_array(&r.writer);
    buffer_append_char(&expected, '[');
    for (size_t i = 0; i < 1000; i++) {
        json_rope_splice(&r, p);
        buffer_append_text(&expected, i > 0 ? ",[]" : "[]");
    }
    json_end_array(&r.writer);
    buffer_append_char(&expected, ']');
    json_rope_piece_unref(p);
    json_rope_flatten(&r, &out);
    ck_assert_str_eq(buffer_data(&out), buffer_data(&expected));
    json_rope_release(&r);
}
END_TEST

UNIT(json_rope, pieces_stand_where_values_are_with_their_commas,
     a_rope_without_pieces_is_its_text, a_rope_may_hold_very_many_pieces);
