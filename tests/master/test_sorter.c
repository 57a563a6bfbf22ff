/* test_sorter.c - whose turn it is */
#include "master/allocator/sorter.h"

#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tests/unit.h"

static struct quantities amount(const char *text)
{
    struct quantities q;
    struct error err;

    ck_assert_msg(quantities_parse(text, &q, &err) == 0, "%s", text);
    return q;
}

static void total(struct sorter *s, const char *text)
{
    struct quantities q = amount(text);

    sorter_set_total(s, &q);
    quantities_release(&q);
}

static void give(struct sorter *s, const char *client, const char *text)
{
    struct quantities q = amount(text);

    sorter_allocate(s, client, &q);
    quantities_release(&q);
}

static void take(struct sorter *s, const char *client, const char *text)
{
    struct quantities q = amount(text);

    sorter_unallocate(s, client, &q);
    quantities_release(&q);
}

/* The order as one word: "a b c". */
static void check_order(struct sorter *s, const char *want)
{
    struct buffer got = BUFFER_INIT;
    const char *const *order;
    size_t n;

    order = sorter_order(s, &n);
    for (size_t i = 0; i < n; i++)
        buffer_printf(&got, "%s%s", i ? " " : "", order[i]);
    ck_assert_str_eq(buffer_data(&got), want);
    buffer_release(&got);
}

static struct sorter *three(void)
{
    struct sorter *s = sorter_create();

    sorter_add(s, "c");
    sorter_add(s, "a");
    sorter_add(s, "b");
    total(s, "cpus:10;mem:1000");
    return s;
}

START_TEST(who_has_nothing_comes_by_name)
{
    struct sorter *s = three();

    check_order(s, "a b c");
    sorter_destroy(s);
}
END_TEST

START_TEST(the_smallest_dominant_share_comes_first)
{
    struct sorter *s = three();

    give(s, "a", "cpus:1;mem:500");          /* half of all memory */
    give(s, "b", "cpus:4;mem:100");          /* two fifths of the cpus */
    check_order(s, "c b a");
    ck_assert(sorter_share(s, "a") == 0.5);
    take(s, "a", "mem:400");
    check_order(s, "c a b");
    sorter_destroy(s);
}
END_TEST

START_TEST(of_equal_shares_who_was_given_less_often_comes_first)
{
    struct sorter *s = three();

    give(s, "a", "cpus:1");
    take(s, "a", "cpus:1");
    check_order(s, "b c a");
    sorter_destroy(s);
}
END_TEST

START_TEST(shares_follow_the_total)
{
    struct sorter *s = three();

    give(s, "a", "cpus:4");                  /* 0.4 */
    give(s, "b", "mem:500");                 /* 0.5 */
    check_order(s, "c a b");
    total(s, "cpus:5;mem:1000");             /* a: 0.8 */
    check_order(s, "c b a");
    sorter_destroy(s);
}
END_TEST

START_TEST(inactive_clients_keep_what_they_have_and_are_in_no_order)
{
    struct sorter *s = three();

    give(s, "b", "cpus:5");
    sorter_set_active(s, "b", false);
    check_order(s, "a c");
    sorter_set_active(s, "b", true);
    check_order(s, "a c b");
    sorter_remove(s, "c");
    check_order(s, "a b");
    ck_assert(!sorter_has(s, "c"));
    sorter_destroy(s);
}
END_TEST

START_TEST(what_the_cluster_has_nothing_of_counts_for_no_share)
{
    struct sorter *s = three();

    give(s, "a", "gpus:4");
    ck_assert(sorter_share(s, "a") == 0);
    sorter_destroy(s);
}
END_TEST

UNIT(sorter, who_has_nothing_comes_by_name, the_smallest_dominant_share_comes_first,
     of_equal_shares_who_was_given_less_often_comes_first, shares_follow_the_total,
     inactive_clients_keep_what_they_have_and_are_in_no_order,
     what_the_cluster_has_nothing_of_counts_for_no_share);
