/* test_owned.c - references to things that know how to end */
#include "base/owned.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/compiler.h"
#include "tests/unit.h"

enum { THREADS = 4, ROUNDS = 2000 };

static void count(void *thing)
{
    atomic_fetch_add((_Atomic int *)thing, 1);
}

START_TEST(an_owned_thing_ends_once_with_its_last_owner)
{
    _Atomic int ends = 0;
    struct owned a = owned_create(&ends, count), b = owned_move(&a);

    ck_assert_ptr_null(owned_get(&a));
    ck_assert_ptr_eq(owned_get(&b), &ends);
    owned_reset(&a);
    ck_assert_int_eq(ends, 0);
    owned_reset(&b);
    owned_reset(&b);
    ck_assert_int_eq(ends, 1);
}
END_TEST

START_TEST(what_is_taken_out_does_not_end)
{
    _Atomic int ends = 0;
    struct owned o = owned_create(&ends, count);

    ck_assert_ptr_eq(owned_take(&o), &ends);
    owned_reset(&o);
    ck_assert_int_eq(ends, 0);
}
END_TEST

START_TEST(a_shared_thing_ends_with_the_last_of_its_owners)
{
    _Atomic int ends = 0;
    struct owned o = owned_create(&ends, count);
    struct shared a = shared_from_owned(&o), b = shared_dup(&a);

    ck_assert_ptr_null(owned_get(&o));
    ck_assert_uint_eq(shared_use_count(&a), 2);
    shared_reset(&a);
    shared_reset(&a);
    ck_assert_ptr_null(shared_get(&a));
    ck_assert_uint_eq(shared_use_count(&a), 0);
    ck_assert_ptr_eq(shared_get(&b), &ends);
    ck_assert_int_eq(ends, 0);
    shared_reset(&b);
    ck_assert_int_eq(ends, 1);
}
END_TEST

START_TEST(empty_references_share_nothing)
{
    struct shared none = { 0 }, copy = shared_dup(&none);
    struct weak w = weak_create(&none);
    struct shared seen = weak_get(&w);
    struct owned o = shared_own(&none), empty = { 0 };

    ck_assert_ptr_null(shared_get(&copy));
    ck_assert_ptr_null(shared_get(&seen));
    ck_assert_ptr_null(owned_get(&o));
    copy = shared_from_owned(&empty);
    ck_assert_uint_eq(shared_use_count(&copy), 0);
    shared_reset(&copy);
    weak_reset(&w);
    owned_reset(&empty);
}
END_TEST

START_TEST(a_weak_reference_sees_the_thing_until_it_ends)
{
    _Atomic int ends = 0;
    struct shared a = shared_create(&ends, count), b;
    struct weak w = weak_create(&a);

    b = weak_get(&w);
    ck_assert_uint_eq(shared_use_count(&a), 2);
    shared_reset(&a);
    ck_assert_int_eq(ends, 0);
    shared_reset(&b);
    ck_assert_int_eq(ends, 1);
    b = weak_get(&w);
    ck_assert_ptr_null(shared_get(&b));
    weak_reset(&w);
    weak_reset(&w);
    ck_assert_int_eq(ends, 1);
}
END_TEST

START_TEST(only_a_single_owner_becomes_unique_again)
{
    _Atomic int ends = 0;
    struct shared a = shared_create(&ends, count), b = shared_dup(&a);
    struct weak w = weak_create(&a);
    struct owned o = shared_own(&a);
    struct shared seen;

    ck_assert_ptr_null(owned_get(&o));
    ck_assert_ptr_eq(shared_get(&a), &ends);
    shared_reset(&b);
    o = shared_own(&a);
    ck_assert_ptr_eq(owned_get(&o), &ends);
    ck_assert_ptr_null(shared_get(&a));
    seen = weak_get(&w);
    ck_assert_ptr_null(shared_get(&seen));
    ck_assert_int_eq(ends, 0);
    owned_reset(&o);
    weak_reset(&w);
    ck_assert_int_eq(ends, 1);
}
END_TEST

/* One thread's references to a thing that all threads share. */
struct hand {
    struct shared shared;
    struct weak weak;
    int last_seen;
};

static void *juggle(void *arg)
{
    struct hand *h = arg;

    for (int i = 0; i < 50; i++) {
        struct shared copy = shared_dup(&h->shared);
        struct shared seen = weak_get(&h->weak);

        shared_reset(&copy);
        shared_reset(&seen);
    }
    shared_reset(&h->shared);
    for (int i = 0; i < 50; i++) {
        struct shared seen = weak_get(&h->weak);

        h->last_seen += shared_get(&seen) != NULL;
        shared_reset(&seen);
    }
    weak_reset(&h->weak);
    return NULL;
}

START_TEST(a_thing_shared_by_threads_ends_exactly_once)
{
    for (int round = 0; round < ROUNDS / 10; round++) {
        _Atomic int ends = 0;
        struct shared s = shared_create(&ends, count);
        struct hand hands[THREADS];
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++)
            hands[i] = (struct hand){ shared_dup(&s), weak_create(&s), 0 };
        shared_reset(&s);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, juggle, &hands[i]);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        ck_assert_int_eq(ends, 1);
    }
}
END_TEST

static void inherit(void *arg, struct owned o)
{
    ck_assert_ptr_null(owned_get(arg));
    *(struct owned *)arg = o;
}

START_TEST(an_heir_gets_the_thing_when_the_last_owner_lets_go_and_there_is_one_heir)
{
    _Atomic int ends = 0;
    struct shared a = shared_create(&ends, count), b = shared_dup(&a), c = shared_dup(&a), none;
    struct owned first = { 0 }, second = { 0 };

    ck_assert(shared_bequeath(&a, inherit, &first));
    ck_assert_ptr_null(shared_get(&a));
    ck_assert(!shared_bequeath(&b, inherit, &second));
    ck_assert_ptr_eq(shared_get(&b), &ends);
    shared_reset(&b);
    ck_assert_ptr_null(owned_get(&first));
    second = shared_own(&c); /* the last owner may not keep it */
    ck_assert_ptr_null(owned_get(&second));
    ck_assert_ptr_null(shared_get(&c));
    ck_assert_ptr_eq(owned_get(&first), &ends);
    ck_assert_int_eq(ends, 0);
    owned_reset(&first);
    ck_assert_int_eq(ends, 1);
    none = (struct shared){ 0 };
    ck_assert(!shared_bequeath(&none, inherit, &second));
}
END_TEST

static void *own_it(void *arg)
{
    struct shared *s = arg;
    struct owned o = { 0 };

    while (shared_get(s) && !owned_get(&o)) {
        o = shared_own(s);
        if (!owned_get(&o))
            shared_reset(s);
    }
    owned_reset(&o);
    return NULL;
}

START_TEST(of_two_threads_that_want_to_own_at_most_one_does_and_it_ends_once)
{
    for (int round = 0; round < ROUNDS / 10; round++) {
        _Atomic int ends = 0;
        struct shared a = shared_create(&ends, count), b = shared_dup(&a);
        pthread_t threads[2];

        pthread_create(&threads[0], NULL, own_it, &a);
        pthread_create(&threads[1], NULL, own_it, &b);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        ck_assert_int_eq(ends, 1);
    }
}
END_TEST

UNIT(owned, an_owned_thing_ends_once_with_its_last_owner, what_is_taken_out_does_not_end,
     a_shared_thing_ends_with_the_last_of_its_owners, empty_references_share_nothing,
     a_weak_reference_sees_the_thing_until_it_ends, only_a_single_owner_becomes_unique_again,
     an_heir_gets_the_thing_when_the_last_owner_lets_go_and_there_is_one_heir,
     a_thing_shared_by_threads_ends_exactly_once,
     of_two_threads_that_want_to_own_at_most_one_does_and_it_ends_once);
