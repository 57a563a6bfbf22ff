/* test_names.c - ids: who has which, from spawn to end, also when many come and go */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/core.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

struct guest {
    struct process process;
    struct pid host; /* borrowed; empty: nobody to watch */
    bool managed;
};

CLASS(guest, "guest", guest_begins, guest_exited, guest_ends);

static void guest_begins(struct guest *g)
{
    process_link(&g->process, &g->host, LINK_REUSE);
}

/* Who hears of an end may use the id again: it has ended for everybody. */
static void guest_exited(struct guest *g UNUSED, const struct pid *peer)
{
    ck_assert_uint_ne(atomic_load(&slot_get(peer->runtime, peer->slot)->generation),
                      peer->generation);
}

static void guest_ends(struct guest *g)
{
    if (g->managed)
        mem_free(g);
}

static struct pid let_in(struct node *n, struct guest *g, const char *id)
{
    struct pid pid;

    ck_assert_int_eq(process_spawn(n->rt, &g->process, &guest_class, id, &pid, NULL), 0);
    return pid;
}

static void send_away(struct pid *pid)
{
    process_terminate(pid, TERMINATE_NOW);
    ck_assert(process_wait(pid, LONG));
    pid_release(pid);
}

/* ---- finding ---- */

enum { MANY = 5000 };

struct roll {
    struct guest *guests;
    size_t next; /* who must be next */
    size_t seen;
};

/* Those of us who are left are told in the order they came. */
static void see_in_order(void *arg, const struct pid *pid, size_t events UNUSED)
{
    struct roll *r = arg;

    if (strncmp(pid->id->bytes, "guest", 5) != 0)
        return;
    while (r->next < MANY && r->next % 3 == 0)
        r->next++;
    ck_assert_uint_lt(r->next, MANY);
    ck_assert(pid_equal(pid, &r->guests[r->next].process.pid));
    r->next++;
    r->seen++;
}

START_TEST(of_many_each_is_found_and_all_are_told_in_the_order_they_came)
{
    struct node n = node_start(2);
    struct guest *guests = mem_array(MANY, sizeof *guests);
    struct pid *pids = mem_array(MANY, sizeof *pids);
    struct roll roll = { .guests = guests };
    struct pid found;

    for (size_t i = 0; i < MANY; i++)
        pids[i] = let_in(&n, &guests[i], NULL);
    for (size_t i = 0; i < MANY; i += 3)
        process_terminate(&pids[i], TERMINATE_NOW);
    for (size_t i = 0; i < MANY; i += 3)
        ck_assert(process_wait(&pids[i], LONG));
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(runtime_find(n.rt, pids[i].id->bytes, &found), i % 3 != 0);
        if (i % 3 != 0) {
            ck_assert_uint_eq(found.slot, pids[i].slot);
            ck_assert_uint_eq(found.generation, pids[i].generation);
            pid_release(&found);
        }
    }
    runtime_each_process(n.rt, see_in_order, &roll);
    ck_assert_uint_eq(roll.seen, MANY - (MANY + 2) / 3);
    node_stop(&n);
    for (size_t i = 0; i < MANY; i++)
        pid_release(&pids[i]);
    mem_free(pids);
    mem_free(guests);
}
END_TEST

START_TEST(a_number_that_somebody_took_is_left_out)
{
    struct node n = node_start(1);
    struct guest guests[4] = { 0 };
    struct pid taken = let_in(&n, &guests[0], "guest(2)"), first, second, third;

    first = let_in(&n, &guests[1], NULL);
    second = let_in(&n, &guests[2], NULL);
    ck_assert_str_eq(first.id->bytes, "guest(1)");
    ck_assert_str_eq(second.id->bytes, "guest(3)");
    send_away(&taken);
    third = let_in(&n, &guests[3], NULL); /* numbers are not used again */
    ck_assert_str_eq(third.id->bytes, "guest(4)");
    pid_release(&first);
    pid_release(&second);
    pid_release(&third);
    node_stop(&n);
}
END_TEST

/* ---- the end ---- */

enum { ENDS = 5, WATCHERS = 10000 };

/* Watchers make the end a long one. */
static void end_and_begin_again(struct node *n, struct guest *watchers)
{
    struct guest house = { 0 }, next = { 0 };
    struct pid old = let_in(n, &house, "house"), new;
    struct error err;

    for (int i = 0; i < WATCHERS; i++) {
        struct pid pid;

        watchers[i].host = old;
        pid = let_in(n, &watchers[i], NULL);
        pid_release(&pid);
    }
    node_settle(n);
    process_terminate(&old, TERMINATE_NOW);
    while (process_spawn(n->rt, &next.process, &guest_class, "house", &new, &err) < 0)
        ck_assert_int_eq(err.code, EEXIST);
    ck_assert(process_wait(&old, SECONDS(0)));
    pid_release(&old);
    send_away(&new);
    node_settle(n);
}

START_TEST(when_an_id_is_free_the_process_that_had_it_has_ended)
{
    struct guest *watchers = mem_array(ENDS * WATCHERS, sizeof *watchers);
    struct node n;

    if (!place_is_simulated()) { /* it takes two threads */
        n = node_start(2);
        for (int i = 0; i < ENDS; i++)
            end_and_begin_again(&n, watchers + i * WATCHERS);
        node_stop(&n);
    }
    mem_free(watchers);
}
END_TEST

START_TEST(waiting_for_an_end_ends_at_the_time_out)
{
    struct node n = node_start(1);
    struct guest g = { 0 };
    struct pid pid = let_in(&n, &g, NULL);

    ck_assert(!process_wait(&pid, SECONDS(0)));
    ck_assert(!process_wait(&pid, MILLISECONDS(1)));
    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&pid, LONG));
    ck_assert(process_wait(&pid, SECONDS(0)));
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

struct vigil {
    struct pid pid;
    pthread_t thread;
};

static void *keep_vigil(void *arg)
{
    struct vigil *v = arg;

    ck_assert(process_wait(&v->pid, LONG));
    return NULL;
}

START_TEST(all_who_wait_for_an_end_hear_of_it)
{
    struct node n = node_start(2);
    struct vigil vigils[4];
    struct guest g = { 0 };
    struct pid pid = let_in(&n, &g, NULL);

    if (!place_is_simulated()) {
        for (size_t i = 0; i < 4; i++) {
            vigils[i].pid = pid;
            ck_assert_int_eq(pthread_create(&vigils[i].thread, NULL, keep_vigil, &vigils[i]), 0);
        }
        process_terminate(&pid, TERMINATE_NOW);
        for (size_t i = 0; i < 4; i++)
            pthread_join(vigils[i].thread, NULL);
    }
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* ---- many at once ---- */

enum { ROOMS = 8, CROWD = 4, VISITS = 3000 };

struct inn {
    struct node n;
    _Atomic int visits, found;
};

static void name_room(char out[16], int room)
{
    snprintf(out, 16, "room-%d", room);
}

/* Takes a room if it is free, and sends away whoever is in another. */
static void visit(struct inn *inn, unsigned turn)
{
    struct guest *g = mem_alloc(sizeof *g);
    struct pid pid;
    char room[16];

    g->managed = true;
    name_room(room, (int)(turn % ROOMS));
    if (process_spawn(inn->n.rt, &g->process, &guest_class, turn % 5 ? room : NULL, &pid, NULL) ==
        0) {
        atomic_fetch_add(&inn->visits, 1);
        if (turn % 5 == 0)
            process_terminate(&pid, TERMINATE_AFTER_QUEUED);
        pid_release(&pid);
    } else {
        mem_free(g);
    }
    name_room(room, (int)(turn / 7 % ROOMS));
    if (!runtime_find(inn->n.rt, room, &pid))
        return;
    ck_assert_str_eq(pid.id->bytes, room);
    atomic_fetch_add(&inn->found, 1);
    process_terminate(&pid, TERMINATE_NOW);
    if (turn % 3 == 0)
        ck_assert(process_wait(&pid, LONG));
    pid_release(&pid);
}

static void *visit_often(void *arg)
{
    for (unsigned i = 0; i < VISITS; i++)
        visit(arg, i * 2654435761u >> 8);
    return NULL;
}

static void count_rooms(void *arg, const struct pid *pid, size_t events UNUSED)
{
    *(int *)arg += strncmp(pid->id->bytes, "room-", 5) == 0;
}

START_TEST(ids_are_taken_found_and_freed_by_many_threads_at_once)
{
    struct inn inn = { .n = node_start(4) };
    pthread_t crowd[CROWD];
    int left = 0;

    if (place_is_simulated()) {
        visit_often(&inn);
    } else {
        for (int i = 0; i < CROWD; i++)
            ck_assert_int_eq(pthread_create(&crowd[i], NULL, visit_often, &inn), 0);
        for (int i = 0; i < CROWD; i++)
            pthread_join(crowd[i], NULL);
    }
    node_settle(&inn.n);
    runtime_each_process(inn.n.rt, count_rooms, &left);
    ck_assert_int_le(left, ROOMS);
    ck_assert_int_gt(atomic_load(&inn.visits), 0);
    ck_assert_int_gt(atomic_load(&inn.found), 0);
    node_stop(&inn.n);
}
END_TEST

UNIT(names, of_many_each_is_found_and_all_are_told_in_the_order_they_came,
     a_number_that_somebody_took_is_left_out,
     when_an_id_is_free_the_process_that_had_it_has_ended, waiting_for_an_end_ends_at_the_time_out,
     all_who_wait_for_an_end_hear_of_it, ids_are_taken_found_and_freed_by_many_threads_at_once);
