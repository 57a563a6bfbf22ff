/* test_batch_plan.c - which resources of an offer a task gets */
#include "framework/batch_plan.h"

#include <check.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tests/unit.h"

static struct resources parse(const char *text)
{
    struct resources r;
    struct error err;

    ck_assert_msg(resources_parse(text, "*", &r, &err) == 0, "%s", err.text);
    return r;
}

/* How many tasks fit, and what the last one got. */
static size_t fill(const char *offered, struct batch_need need, const char *last,
                   const char *remains)
{
    struct resources left = parse(offered), task = RESOURCES_INIT, wanted = parse(last),
                     rest = parse(remains);
    struct resources got = RESOURCES_INIT;
    size_t n = 0;

    while (batch_plan_take(&left, &need, &task)) {
        resources_release(&got);
        got = task;
        n++;
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert(resources_equal(&got, &wanted));
    ck_assert(resources_equal(&left, &rest));
    resources_release(&left);
    resources_release(&got);
    resources_release(&wanted);
    resources_release(&rest);
    return n;
}

START_TEST(as_many_tasks_fit_as_the_scarcest_resource_allows)
{
    struct batch_need need = { 500, 100000, 0 };

    ck_assert_uint_eq(fill("cpus:4;mem:350", need, "cpus:0.5;mem:100", "cpus:2.5;mem:50"), 3);
    ck_assert_uint_eq(fill("cpus:1;mem:1000", need, "cpus:0.5;mem:100", "mem:800"), 2);
}
END_TEST

START_TEST(what_does_not_fit_takes_nothing)
{
    struct batch_need need = { 2000, 100000, 1000 };

    ck_assert_uint_eq(fill("cpus:4;mem:1000", need, "", "cpus:4;mem:1000"), 0);
    ck_assert_uint_eq(fill("cpus:1.9;mem:1000;disk:5", need, "", "cpus:1.9;mem:1000;disk:5"), 0);
}
END_TEST

START_TEST(reserved_resources_are_used_up_first)
{
    struct batch_need need = { 1000, 0, 0 };

    ck_assert_uint_eq(fill("cpus:1;cpus(prod):1.5", need, "cpus(prod):0.5;cpus:0.5", "cpus:0.5"),
                      2);
}
END_TEST

START_TEST(other_kinds_are_left_alone)
{
    struct batch_need need = { 1000, 0, 0 };

    ck_assert_uint_eq(fill("cpus:2;gpus:1;ports:[1-9]", need, "cpus:1", "gpus:1;ports:[1-9]"), 2);
}
END_TEST

START_TEST(revocable_resources_are_not_taken)
{
    Pb__Resource pb = PB__RESOURCE__INIT, *one = &pb;
    Pb__Resource__RevocableInfo revocable = PB__RESOURCE__REVOCABLE_INFO__INIT;
    Pb__Value__Scalar amount = PB__VALUE__SCALAR__INIT;
    struct batch_need need = { 1000, 0, 0 };
    struct resources r;
    struct error err;

    amount.value = 8;
    pb.name = "cpus";
    pb.type = PB__VALUE__TYPE__SCALAR;
    pb.scalar = &amount;
    ck_assert_int_eq(resources_from_protobuf(&one, 1, &r, &err), 0);
    ck_assert(batch_plan_fits(&r, &need));
    resources_release(&r);
    pb.revocable = &revocable;
    ck_assert_int_eq(resources_from_protobuf(&one, 1, &r, &err), 0);
    ck_assert(!batch_plan_fits(&r, &need));
    resources_release(&r);
}
END_TEST

UNIT(batch_plan, as_many_tasks_fit_as_the_scarcest_resource_allows,
     what_does_not_fit_takes_nothing, reserved_resources_are_used_up_first,
     other_kinds_are_left_alone, revocable_resources_are_not_taken);
