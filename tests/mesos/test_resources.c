/* test_resources.c - text, protobuf and arithmetic of resources */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "mesos/quantities.h"
#include "mesos/resources.h"
#include "process/proto.h"

static struct resources parse(const char *text)
{
    struct resources r = RESOURCES_INIT;
    struct error err = { 0 };

    ck_assert_msg(resources_parse(text, "*", &r, &err) == 0, "%s", err.text);
    return r;
}

static void check_resources(const struct resources *r, const char *want)
{
    struct buffer text = BUFFER_INIT;

    resources_format(r, &text);
    ck_assert_str_eq(buffer_data(&text), want);
    buffer_release(&text);
}

static void check_parse(const char *text, const char *want)
{
    struct resources r = parse(text);

    check_resources(&r, want);
    resources_release(&r);
}

static void check_refused(const char *text, const char *reason)
{
    struct resources r;
    struct error err;

    ck_assert_int_eq(resources_parse(text, "*", &r, &err), -1);
    ck_assert_msg(strstr(err.text, reason), "'%s' lacks '%s'", err.text, reason);
}

START_TEST(text_is_read_and_written)
{
    check_parse("cpus:4;mem:1024;disk(prod):100;ports:[31000-32000,33000-33010];set:{b,a}",
                "cpus:4; mem:1024; disk(prod):100; ports:[31000-32000, 33000-33010]; set:{a, b}");
    check_parse(" cpus : 0.5 ;\n mem:1e3; ", "cpus:0.5; mem:1000");
    check_parse("", "");
    check_parse("cpus:0;ports:[];set:{}", "");
}
END_TEST

START_TEST(what_lacks_a_role_gets_the_default_one)
{
    struct resources r;

    ck_assert_int_eq(resources_parse("cpus:1;mem(*):2;disk(b):3", "a/x", &r, NULL), 0);
    check_resources(&r, "cpus(a/x):1; mem:2; disk(b):3");
    resources_release(&r);
}
END_TEST

START_TEST(scalars_are_rounded_to_three_digits_and_add_up_exactly)
{
    struct resources sum = RESOURCES_INIT, tenth = parse("cpus:0.1"), ten = parse("cpus:10");

    check_parse("cpus:0.0004;mem:1.0006;disk:0.12345", "mem:1.001; disk:0.123");
    for (int i = 0; i < 100; i++)
        resources_add(&sum, &tenth);
    ck_assert(resources_equal(&sum, &ten));
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(resources_subtract(&sum, &tenth, NULL), 0);
    ck_assert(resources_is_empty(&sum));
    resources_release(&sum);
    resources_release(&tenth);
    resources_release(&ten);
}
END_TEST

START_TEST(ranges_that_overlap_or_touch_become_one)
{
    check_parse("p:[5-7,1-2,3-3,6-9]", "p:[1-3, 5-9]");
    check_parse("p:[0-18446744073709551615,4-5]", "p:[0-18446744073709551615]");
    check_parse("p:[1-2];p:[2-4];p:[9-9]", "p:[1-4, 9-9]");
}
END_TEST

START_TEST(malformed_text_is_refused_with_place_and_remedy)
{
    check_refused("cpus", "no ':'");
    check_refused("cpus:4;mem", "'mem'");
    check_refused("cpus:", "'cpus': A value is missing");
    check_refused(":4", "no name");
    check_refused("cpus:four", "'four' is neither a number");
    check_refused("cpus:0x10", "neither a number");
    check_refused("cpus:nan", "neither a number");
    check_refused("cpus:inf", "neither a number");
    check_refused("cpus:-1", "negative");
    check_refused("cpus:1e300", "too large");
    check_refused("cpus:1e999", "A number is wanted");
    check_refused("p:[2-1]", "'2-1'");
    check_refused("p:[1]", "<begin>-<end>");
    check_refused("p:[1-2", "[<begin>-<end>,...]");
    check_refused("p:[1-99999999999999999999]", "whole numbers");
    check_refused("s:{a,,b}", "Item");
    check_refused("s:{a", "{<name>,...}");
    check_refused("cpus(prod:4", "<name>(<role>):<value>");
    check_refused("cpus(a b):4", "whitespace");
    check_refused("cpus():4", "role is empty");
    check_refused("cp us:4", "blank");
}
END_TEST

START_TEST(what_is_taken_must_be_there)
{
    struct resources r = parse("cpus:4;disk(prod):10;p:[1-10];s:{a,b}");
    struct resources part = parse("cpus:1.5;p:[3-4,10-10];s:{b}"), role = parse("disk:1");
    struct error err;

    ck_assert(resources_contain(&r, &part));
    ck_assert_int_eq(resources_subtract(&r, &part, &err), 0);
    check_resources(&r, "cpus:2.5; disk(prod):10; p:[1-2, 5-9]; s:{a}");
    ck_assert(!resources_contain(&r, &part));
    ck_assert_int_eq(resources_subtract(&r, &part, &err), -1);
    ck_assert_int_eq(err.code, ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.text, "p:[3-4, 10-10] is not contained in cpus:2.5"));
    check_resources(&r, "cpus:2.5; disk(prod):10; p:[1-2, 5-9]; s:{a}");
    ck_assert_int_eq(resources_subtract(&r, &role, &err), -1);      /* reserved for another */
    resources_add(&r, &part);
    check_resources(&r, "cpus:4; disk(prod):10; p:[1-10]; s:{a, b}");
    ck_assert_int_eq(resources_subtract(&r, &r, &err), 0);
    ck_assert(resources_is_empty(&r));
    resources_release(&r);
    resources_release(&part);
    resources_release(&role);
}
END_TEST

/* Every subset of 0..15 as ranges, against bits. */
START_TEST(differences_of_ranges_agree_with_those_of_bits)
{
    for (unsigned a = 0; a < 512; a += 3) {
        for (unsigned b = 0; b < 512; b++) {
            struct value v = { .type = VALUE_RANGES }, w = v;
            struct value one = { .type = VALUE_RANGES, .n = 1 };
            unsigned left = 0;

            for (unsigned i = 0; i < 9; i++) {
                struct value_range bit = { i, i };

                one.ranges = &bit;
                if (a & 1u << i)
                    value_add(&v, &one);
                if (b & 1u << i)
                    value_add(&w, &one);
            }
            ck_assert_int_eq(value_contains(&v, &w), (a & b) == b);
            if ((a & b) == b) {
                value_subtract(&v, &w);
                for (size_t i = 0; i < v.n; i++)
                    for (uint64_t x = v.ranges[i].begin; x <= v.ranges[i].end; x++)
                        left |= 1u << x;
                ck_assert_uint_eq(left, a & ~b);
            }
            value_release(&v);
            value_release(&w);
        }
    }
}
END_TEST

START_TEST(allocation_tells_kinds_apart_until_it_is_taken_away)
{
    struct resources r = parse("cpus:4"), used = parse("cpus:1");

    resources_allocate(&used, "prod");
    check_resources(&used, "cpus(allocated: prod):1");
    ck_assert(!resources_contain(&r, &used));
    resources_add(&r, &used);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_int_eq(resources_millis(&r, "cpus"), 5000);
    resources_allocate_rest(&r, "dev");
    check_resources(&r, "cpus(allocated: dev):4; cpus(allocated: prod):1");
    resources_allocate(&r, NULL);
    check_resources(&r, "cpus:5");
    resources_release(&r);
    resources_release(&used);
}
END_TEST

START_TEST(a_role_may_use_what_is_reserved_for_it_or_above)
{
    struct resources r = parse("cpus:1;cpus(a):2;cpus(a/b):3;cpus(c):4");
    struct resources usable = resources_usable_by(&r, "a/b"), top = resources_usable_by(&r, "a");
    struct resources none = resources_unreserved(&r), own = resources_reserved_for(&r, "a");

    check_resources(&usable, "cpus:1; cpus(a):2; cpus(a/b):3");
    check_resources(&top, "cpus:1; cpus(a):2");
    check_resources(&none, "cpus:1");
    check_resources(&own, "cpus(a):2");
    resources_release(&r);
    resources_release(&usable);
    resources_release(&top);
    resources_release(&none);
    resources_release(&own);
}
END_TEST

/* A scalar "disk" to be made rich. */
struct rich { Pb__Resource pb; Pb__Value__Scalar scalar; };

static void rich_init(struct rich *r, double amount)
{
    pb__resource__init(&r->pb);
    pb__value__scalar__init(&r->scalar);
    r->pb.name = "disk";
    r->pb.scalar = &r->scalar;
    r->scalar.value = amount;
}

static struct resources of(Pb__Resource *pb, int times)
{
    Pb__Resource *v[] = { pb, pb, pb };
    struct resources r;
    struct error err = { 0 };

    ck_assert_msg(resources_from_protobuf(v, (size_t)times, &r, &err) == 0, "%s", err.text);
    return r;
}

START_TEST(rich_resources_are_no_plain_ones_and_come_back_as_they_were)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__Resource__RevocableInfo revocable = PB__RESOURCE__REVOCABLE_INFO__INIT;
    uint8_t bytes[] = "what";
    ProtobufCMessageUnknownField unknown = { 777, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, 5, bytes };
    struct rich rich;
    size_t n;

    bytes[0] = 4;                                       /* its length on the wire */
    rich_init(&rich, 5);
    rich.pb.revocable = &revocable;
    rich.pb.base.n_unknown_fields = 1;
    rich.pb.base.unknown_fields = &unknown;

    struct resources r = of(&rich.pb, 2), plain = parse("disk:1");
    Pb__Resource **out = resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, &arena, &n);

    ck_assert_uint_eq(n, 1);
    check_resources(&r, "disk(revocable):10");
    ck_assert(!resources_contain(&r, &plain));
    rich.scalar.value = 10;
    ck_assert(proto_equal(&out[0]->base, &rich.pb.base));
    resources_release(&r);
    resources_release(&plain);
}
END_TEST

START_TEST(a_volume_is_taken_whole_or_not_at_all)
{
    Pb__Resource__DiskInfo disk = PB__RESOURCE__DISK_INFO__INIT;
    Pb__Resource__DiskInfo__Persistence persistence = PB__RESOURCE__DISK_INFO__PERSISTENCE__INIT;
    struct rich rich;
    struct error err;

    rich_init(&rich, 5);
    rich.pb.role = "prod";
    rich.pb.disk = &disk;
    disk.persistence = &persistence;
    persistence.id = "db";

    struct resources r = of(&rich.pb, 2), one = of(&rich.pb, 1);

    rich.scalar.value = 3;

    struct resources part = of(&rich.pb, 1);

    check_resources(&r, "disk(prod, volume db):5; disk(prod, volume db):5");
    ck_assert(!resources_contain(&r, &part));
    ck_assert(resources_contain(&r, &r));
    ck_assert(!resources_contain(&one, &r));
    ck_assert_int_eq(resources_subtract(&r, &one, &err), 0);
    ck_assert(resources_equal(&r, &one));
    ck_assert_int_eq(resources_subtract(&r, &one, &err), 0);
    ck_assert_int_eq(resources_subtract(&r, &one, &err), -1);
    resources_release(&r);
    resources_release(&one);
    resources_release(&part);
}
END_TEST

START_TEST(a_dynamic_reservation_is_the_same_in_both_forms)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__Resource__ReservationInfo old = PB__RESOURCE__RESERVATION_INFO__INIT, new = old;
    Pb__Resource__ReservationInfo *stack = &new;
    struct rich a, b;
    size_t n;

    rich_init(&a, 5);
    a.pb.role = "prod";
    a.pb.reservation = &old;
    old.principal = "ops";
    rich_init(&b, 5);
    b.pb.n_reservations = 1;
    b.pb.reservations = &stack;
    new.has_type = true;
    new.type = PB__RESOURCE__RESERVATION_INFO__TYPE__DYNAMIC;
    new.role = "prod";
    new.principal = "ops";

    struct resources r = of(&a.pb, 1), s = of(&b.pb, 1);
    Pb__Resource **pre = resources_to_protobuf(&s, RESOURCE_PRE_REFINEMENT, &arena, &n);
    Pb__Resource **post = resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, &arena, &n);

    ck_assert(resources_equal(&r, &s));
    check_resources(&r, "disk(prod, dynamic):5");
    ck_assert(proto_equal(&pre[0]->base, &a.pb.base));
    ck_assert(proto_equal(&post[0]->base, &b.pb.base));
    resources_release(&r);
    resources_release(&s);
}
END_TEST

START_TEST(a_static_role_is_the_same_in_both_forms)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct resources r = parse("disk(prod):5");
    size_t n;
    Pb__Resource **post = resources_to_protobuf(&r, RESOURCE_POST_REFINEMENT, &arena, &n);
    struct resources s = of(post[0], 1);

    ck_assert_uint_eq(post[0]->n_reservations, 1);
    ck_assert_str_eq(post[0]->reservations[0]->role, "prod");
    ck_assert(resources_equal(&r, &s));
    ck_assert(!s.v[0].extra);
    resources_release(&r);
    resources_release(&s);
}
END_TEST

static void check_bad(Pb__Resource *pb, const char *reason)
{
    struct resources r;
    struct error err = { 0 };

    ck_assert_int_eq(resources_from_protobuf(&pb, 1, &r, &err), -1);
    ck_assert_msg(strstr(err.text, reason), "'%s' lacks '%s'", err.text, reason);
}

START_TEST(bad_protobuf_resources_are_refused_with_a_reason)
{
    Pb__Resource__ReservationInfo info = PB__RESOURCE__RESERVATION_INFO__INIT, two = info;
    Pb__Resource__ReservationInfo *stack[] = { &info, &two };
    struct rich r;

    rich_init(&r, -1);
    check_bad(&r.pb, "'disk': Its amount -1 is negative");
    rich_init(&r, NAN);
    check_bad(&r.pb, "A number is wanted");
    rich_init(&r, INFINITY);
    check_bad(&r.pb, "A number is wanted");
    rich_init(&r, 1);
    r.pb.type = PB__VALUE__TYPE__RANGES;
    check_bad(&r.pb, "missing");
    r.pb.type = PB__VALUE__TYPE__TEXT;
    check_bad(&r.pb, "TEXT");
    rich_init(&r, 1);
    r.pb.name = "";
    check_bad(&r.pb, "no name");
    rich_init(&r, 1);
    r.pb.reservation = &info;
    check_bad(&r.pb, "needs a role");
    rich_init(&r, 1);
    r.pb.role = "a/../b";
    check_bad(&r.pb, "'..'");
    rich_init(&r, 1);
    r.pb.reservations = stack;
    r.pb.n_reservations = 2;
    check_bad(&r.pb, "Reservation 1 has no role");
    info.has_type = two.has_type = true;
    info.type = two.type = PB__RESOURCE__RESERVATION_INFO__TYPE__DYNAMIC;
    info.role = "a";
    two.role = "b";
    check_bad(&r.pb, "not below");
    two.role = "a/b";
    two.type = PB__RESOURCE__RESERVATION_INFO__TYPE__STATIC;
    check_bad(&r.pb, "Only the first");
    two.type = PB__RESOURCE__RESERVATION_INFO__TYPE__DYNAMIC;
    r.pb.role = "a";
    check_bad(&r.pb, "excludes");
}
END_TEST

START_TEST(the_state_shows_four_numbers_always)
{
    Pb__Resource__RevocableInfo revocable = PB__RESOURCE__REVOCABLE_INFO__INIT;
    struct resources r = parse("ports:[1-2];cpus:1.5;cpus(a):1;x:3;ports(a):[5-5]");
    struct buffer text = BUFFER_INIT;
    struct json_writer w;
    struct rich rich;

    rich_init(&rich, 7);
    rich.pb.revocable = &revocable;

    struct resources more = of(&rich.pb, 1);

    resources_add(&r, &more);
    json_writer_init(&w, &text);
    resources_write(&r, &w);
    ck_assert_str_eq(buffer_data(&text),
                     "{\"cpus\":2.5,\"disk\":0.0,\"gpus\":0.0,\"mem\":0.0,"
                     "\"ports\":\"[1-2, 5-5]\",\"x\":3.0,\"disk_revocable\":7.0}");
    buffer_release(&text);
    resources_release(&r);
    resources_release(&more);
}
END_TEST

START_TEST(copies_live_on_their_own)
{
    struct resources r = parse("cpus:1;s:{a};p:[1-2]"), copy = resources_dup(&r);
    struct resources other = parse("x:1");

    resources_add(&copy, &other);
    check_resources(&r, "cpus:1; s:{a}; p:[1-2]");
    resources_assign(&r, &copy);
    resources_release(&copy);
    check_resources(&r, "cpus:1; s:{a}; p:[1-2]; x:1");
    resources_release(&r);
    resources_release(&other);
}
END_TEST

START_TEST(quantities_are_sums_by_name)
{
    struct resources r = parse("mem:10;cpus:1;cpus(a):0.5;p:[1-2]");
    struct quantities q = quantities_of(&r), part;
    struct buffer text = BUFFER_INIT;
    struct error err;

    quantities_format(&q, &text);
    ck_assert_str_eq(buffer_data(&text), "cpus:1.5;mem:10");
    ck_assert_int_eq(quantities_parse("cpus:1;mem:20", &part, NULL), 0);
    ck_assert(!quantities_contain(&q, &part));
    quantities_subtract(&q, &part);
    ck_assert_int_eq(quantities_get(&q, "cpus"), 500);
    ck_assert_int_eq(quantities_get(&q, "mem"), 0);
    ck_assert_uint_eq(q.n, 1);
    quantities_release(&part);
    ck_assert_int_eq(quantities_parse("cpus(a):1", &part, &err), -1);
    ck_assert_int_eq(quantities_parse("p:[1-2]", &part, &err), -1);
    buffer_release(&text);
    quantities_release(&q);
    resources_release(&r);
}
END_TEST

START_TEST(one_alternative_is_enough_to_be_allocatable)
{
    const struct { const char *resources, *minimum; bool is; } cases[] = {
        { "cpus:0.01", "cpus:0.01|mem:32", true },
        { "mem:32;cpus:0.001", "cpus:0.01|mem:32", true },
        { "cpus:0.009;mem:31.9", "cpus:0.01|mem:32", false }, { "disk:9", "cpus:1|mem:1", false },
        { "cpus:1", "cpus:1;mem:1", false }, { "cpus:1;mem:1", "cpus:1;mem:1", true },
        { "disk:1", "", true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resources r = parse(cases[i].resources);
        struct quantities q = quantities_of(&r);
        struct allocatable a;

        ck_assert_int_eq(quantities_parse_allocatable(cases[i].minimum, &a, NULL), 0);
        ck_assert_msg(quantities_are_allocatable(&q, &a) == cases[i].is, "case %zu", i);
        quantities_release_allocatable(&a);
        quantities_release(&q);
        resources_release(&r);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        text_is_read_and_written,
        what_lacks_a_role_gets_the_default_one,
        scalars_are_rounded_to_three_digits_and_add_up_exactly,
        ranges_that_overlap_or_touch_become_one,
        malformed_text_is_refused_with_place_and_remedy,
        what_is_taken_must_be_there,
        differences_of_ranges_agree_with_those_of_bits,
        allocation_tells_kinds_apart_until_it_is_taken_away,
        a_role_may_use_what_is_reserved_for_it_or_above,
        rich_resources_are_no_plain_ones_and_come_back_as_they_were,
        a_volume_is_taken_whole_or_not_at_all,
        a_dynamic_reservation_is_the_same_in_both_forms,
        a_static_role_is_the_same_in_both_forms,
        bad_protobuf_resources_are_refused_with_a_reason,
        the_state_shows_four_numbers_always,
        copies_live_on_their_own,
        quantities_are_sums_by_name,
        one_alternative_is_enough_to_be_allocatable,
    };
    Suite *s = suite_create("resources");
    TCase *t = tcase_create("resources");
    SRunner *r = srunner_create(s);
    int failed;

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
