/* test_memory.c - memory, arena and buffer */
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/list.h"
#include "tests/unit.h"

START_TEST(memory_is_zeroed_and_never_null)
{
    char *p = mem_alloc(100), *none = mem_alloc(0), *array = mem_array(0, 8);

    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(p[i], 0);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_nonnull(array);
    mem_free(p);
    mem_free(none);
    mem_free(array);
    mem_free(NULL);
}
END_TEST

START_TEST(copies_are_exact)
{
    CLEANUP(mem_free_p) char *whole = mem_strdup("agent");
    CLEANUP(mem_free_p) char *part = mem_strndup("agent", 2);
    CLEANUP(mem_free_p) char *shorter = mem_strndup("ag", 100);
    CLEANUP(mem_free_p) char *printed = mem_printf("%s-%d", "agent", 7);
    CLEANUP(mem_free_p) char *bytes = mem_dup("a\0b", 3);

    ck_assert_str_eq(whole, "agent");
    ck_assert_str_eq(part, "ag");
    ck_assert_str_eq(shorter, "ag");
    ck_assert_str_eq(printed, "agent-7");
    ck_assert_mem_eq(bytes, "a\0b", 3);
}
END_TEST

START_TEST(an_array_whose_size_overflows)
{
    mem_array(SIZE_MAX / 4, 8);
}
END_TEST

START_TEST(an_arena_gives_aligned_memory_that_does_not_overlap)
{
    CLEANUP(arena_release) struct arena a = ARENA_INIT;
    char *pieces[300];

    for (size_t i = 0; i < 300; i++) {
        pieces[i] = arena_alloc(&a, i * 7);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t j = 0; j < i * 7; j++)
            ck_assert_int_eq((unsigned char)pieces[i][j], (int)(i & 255));
}
END_TEST

START_TEST(a_large_piece_gets_a_block_of_its_own_and_the_small_ones_go_on)
{
    CLEANUP(arena_release) struct arena a = ARENA_INIT;
    char *before = arena_alloc(&a, 16), *large, *after;
    size_t allocated = a.allocated;

    large = arena_alloc(&a, 1000000);
    memset(large, 1, 1000000);
    ck_assert_uint_ge(a.allocated, allocated + 1000000);
    after = arena_alloc(&a, 16);
    ck_assert_ptr_eq(after, before + 16);
}
END_TEST

START_TEST(a_large_piece_may_come_first)
{
    CLEANUP(arena_release) struct arena a = ARENA_INIT;

    memset(arena_alloc(&a, 100000), 1, 100000);
    memset(arena_alloc(&a, 10), 2, 10);
    memset(arena_alloc(&a, 2000), 3, 2000);
    arena_release(&a);
    ck_assert_uint_eq(a.allocated, 0);
    ck_assert_str_eq(arena_strdup(&a, "usable again"), "usable again");
}
END_TEST

START_TEST(an_arena_copies_text)
{
    CLEANUP(arena_release) struct arena a = ARENA_INIT;
    char *zeroed = arena_zalloc(&a, 5);

    ck_assert_mem_eq(zeroed, "\0\0\0\0\0", 5);
    ck_assert_str_eq(arena_strndup(&a, "agent", 2), "ag");
    ck_assert_str_eq(arena_strndup(&a, "ag", 9), "ag");
    ck_assert_str_eq(arena_printf(&a, "%s-%d", "agent", 7), "agent-7");
    ck_assert_mem_eq(arena_dup(&a, "a\0b", 3), "a\0b", 3);
}
END_TEST

START_TEST(an_empty_buffer_is_the_empty_string)
{
    struct buffer b = BUFFER_INIT;
    char *taken;
    size_t length = 7;

    ck_assert_str_eq(buffer_data(&b), "");
    ck_assert_uint_eq(buffer_length(&b), 0);
    buffer_append(&b, NULL, 0);
    buffer_consume(&b, 0);
    buffer_truncate(&b, 0);
    taken = buffer_take(&b, &length);
    ck_assert_str_eq(taken, "");
    ck_assert_uint_eq(length, 0);
    mem_free(taken);
    buffer_release(&b);
}
END_TEST

START_TEST(what_is_appended_is_consumed_in_order)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;

    buffer_append_text(&b, "hello ");
    buffer_append(&b, "world", 5);
    buffer_append_char(&b, '!');
    buffer_printf(&b, " %d", 42);
    ck_assert_str_eq(buffer_data(&b), "hello world! 42");
    buffer_consume(&b, 6);
    ck_assert_str_eq(buffer_data(&b), "world! 42");
    buffer_truncate(&b, 5);
    ck_assert_str_eq(buffer_data(&b), "world");
    buffer_append_char(&b, '?');
    ck_assert_str_eq(buffer_data(&b), "world?");
    buffer_clear(&b);
    ck_assert_str_eq(buffer_data(&b), "");
}
END_TEST

START_TEST(printing_what_does_not_fit_at_first_is_whole)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;

    for (int width = 1; width < 400; width++) {
        size_t before = buffer_length(&b);

        buffer_printf(&b, "%0*d", width, 7);
        ck_assert_uint_eq(buffer_length(&b), before + (size_t)width);
        ck_assert_uint_eq(strlen(buffer_data(&b)), buffer_length(&b));
    }
}
END_TEST

START_TEST(a_buffer_that_is_consumed_as_fast_as_it_fills_does_not_grow)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;
    unsigned char in = 0, out = 0;

    for (int i = 0; i < 100; i++)
        buffer_append_char(&b, (char)in++);
    for (int i = 0; i < 100000; i++) {
        buffer_append_char(&b, (char)in++);
        ck_assert_int_eq((unsigned char)*buffer_data(&b), out++);
        buffer_consume(&b, 1);
    }
    ck_assert_uint_le(b.capacity, 512);
}
END_TEST

START_TEST(reserved_room_is_filled_in_place)
{
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;

    memcpy(buffer_reserve(&b, 1000), "abc", 3);
    buffer_commit(&b, 3);
    memcpy(buffer_reserve(&b, 2000), "def", 3);
    buffer_commit(&b, 3);
    ck_assert_str_eq(buffer_data(&b), "abcdef");
}
END_TEST

START_TEST(taking_gives_the_bytes_that_are_left)
{
    struct buffer b = BUFFER_INIT;
    char *taken;
    size_t length;

    buffer_append_text(&b, "hello world");
    buffer_consume(&b, 6);
    taken = buffer_take(&b, &length);
    ck_assert_str_eq(taken, "world");
    ck_assert_uint_eq(length, 5);
    ck_assert_uint_eq(buffer_length(&b), 0);
    mem_free(taken);
}
END_TEST

START_TEST(consuming_more_than_there_is)
{
    struct buffer b = BUFFER_INIT;

    buffer_append_text(&b, "abc");
    buffer_consume(&b, 4);
}
END_TEST

struct item { int value; struct list link; };

START_TEST(a_list_keeps_its_order_and_may_lose_elements_while_it_is_walked)
{
    struct list head = LIST_INIT(head), other = LIST_INIT(other);
    struct item items[] = { { .value = 1 }, { .value = 2 }, { .value = 3 }, { .value = 4 } };
    int text = 0;

    list_append(&head, &items[1].link);
    list_append(&head, &items[2].link);
    list_prepend(&head, &items[0].link);
    list_append(&other, &items[3].link);
    list_splice(&head, &other);
    ck_assert(list_is_empty(&other));
    list_each(p, &head, struct item, link)
        text = text * 10 + p->value;
    ck_assert_int_eq(text, 1234);

    list_each_safe(p, &head, struct item, link)
        if (p->value % 2 == 0)
            list_remove(&p->link);
    list_remove(&items[1].link);        /* twice does no harm */
    text = 0;
    list_each(p, &head, struct item, link)
        text = text * 10 + p->value;
    ck_assert_int_eq(text, 13);
    ck_assert_ptr_eq(list_first(&head, struct item, link), &items[0]);
    ck_assert_ptr_null(list_first(&other, struct item, link));
}
END_TEST

UNIT(memory, memory_is_zeroed_and_never_null, copies_are_exact,
     an_arena_gives_aligned_memory_that_does_not_overlap,
     a_large_piece_gets_a_block_of_its_own_and_the_small_ones_go_on, a_large_piece_may_come_first,
     an_arena_copies_text, an_empty_buffer_is_the_empty_string,
     what_is_appended_is_consumed_in_order, printing_what_does_not_fit_at_first_is_whole,
     a_buffer_that_is_consumed_as_fast_as_it_fills_does_not_grow, reserved_room_is_filled_in_place,
     taking_gives_the_bytes_that_are_left,
     a_list_keeps_its_order_and_may_lose_elements_while_it_is_walked,
     THESE_ABORT, an_array_whose_size_overflows, consuming_more_than_there_is);
