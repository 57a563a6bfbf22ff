/* test_sim_net.c - the simulated network */
#include <check.h>
#include <errno.h>

#include "base/error.h"
#include "tests/process/world.h"

static bool server_failed(void *arg)
{
    return ((struct world *)arg)->server.failure != 0;
}

static bool server_ended(void *arg)
{
    return ((struct world *)arg)->server.ended;
}

static bool client_sent(void *arg)
{
    struct peer *p = &((struct world *)arg)->client;
    return p->sent == p->to_send;
}

static double seconds(struct world *w)
{
    return instant_seconds(sim_now(w->sim));
}

START_TEST(bytes_arrive_in_order_both_ways)
{
    struct world w = world_start((uint64_t)_i);

    world_connect(&w);
    w.server.to_send = 70000;
    peer_want(&w.server);
    world_client_sends(&w, 1000000);
    ck_assert(sim_run_until(w.sim, world_server_got_all, &w, MINUTES(5)));
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(buffer_length(&w.client.got), 70000);
    peer_check_pattern(&w.server.got);
    peer_check_pattern(&w.client.got);
    ck_assert_uint_eq(stream_peer(w.client.stream).ip, IP_B);
    ck_assert_uint_eq(stream_peer(w.server.stream).ip, IP_A);
    world_stop(&w);
}
END_TEST

START_TEST(a_peer_that_does_not_read_holds_the_writer_back)
{
    struct world w = world_start(7);

    world_connect(&w);
    w.server.deaf = true;
    peer_want(&w.server);
    world_client_sends(&w, 1000000);
    sim_run_for(w.sim, SECONDS(60));
    ck_assert_uint_eq(w.client.sent, 256 * 1024);
    w.server.deaf = false;
    peer_want(&w.server);
    ck_assert(sim_run_until(w.sim, world_server_got_all, &w, MINUTES(5)));
    world_stop(&w);
}
END_TEST

START_TEST(after_a_close_the_peer_reads_the_rest_and_then_the_end)
{
    struct world w = world_start((uint64_t)_i);

    world_connect(&w);
    world_client_sends(&w, 50000);
    ck_assert(sim_run_until(w.sim, client_sent, &w, MINUTES(1)));
    stream_close(w.client.stream);
    w.client.stream = NULL;
    ck_assert(sim_run_until(w.sim, server_ended, &w, MINUTES(1)));
    ck_assert_uint_eq(buffer_length(&w.server.got), 50000);
    ck_assert_int_eq(w.server.failure, 0);
    world_stop(&w);
}
END_TEST

START_TEST(writing_to_a_closed_peer_breaks_the_connection)
{
    struct world w = world_start(3);

    world_connect(&w);
    stream_close(w.server.stream);
    w.server.stream = NULL;
    w.client.ended = true; /* does not look for the end */
    world_client_sends(&w, 1000000);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, MINUTES(1)));
    ck_assert_int_eq(w.client.failure, ECONNRESET);
    world_stop(&w);
}
END_TEST

START_TEST(a_connect_is_refused_without_a_listener_and_by_a_refusing_node)
{
    struct world w = world_start(1);
    struct sim_counts counts;

    world_connect_a(&w);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, SECONDS(1)));
    ck_assert_int_eq(w.client.failure, ECONNREFUSED);
    peer_release(&w.client);
    world_listen_b(&w);
    sim_refuse_connects(w.b, true);
    world_connect_a(&w);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, SECONDS(1)));
    ck_assert_int_eq(w.client.failure, ECONNREFUSED);
    sim_counts(w.sim, &counts);
    ck_assert_uint_eq(counts.refused, 2);
    world_stop(&w);
}
END_TEST

START_TEST(a_connect_across_a_cut_times_out_after_127_seconds)
{
    struct world w = world_start(1);

    world_listen_b(&w);
    if (_i == 0)
        sim_cut(w.a, w.b, true);
    else
        sim_cut(w.b, w.a, true);
    world_connect_a(&w);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, MINUTES(3)));
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_double_eq_tol(seconds(&w), 127, 0.001);
    world_stop(&w);
}
END_TEST

START_TEST(a_break_loses_a_suffix_and_both_ends_see_it)
{
    struct world w = world_start((uint64_t)_i);

    world_connect(&w);
    world_client_sends(&w, 200000);
    sim_run_for(w.sim, MILLISECONDS(2));
    sim_break_connections(w.a, w.b);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, SECONDS(5)));
    ck_assert(sim_run_until(w.sim, server_failed, &w, SECONDS(5)));
    ck_assert_int_eq(w.client.failure, ECONNRESET);
    ck_assert_int_eq(w.server.failure, ECONNRESET);
    ck_assert_uint_le(buffer_length(&w.server.got), w.client.sent);
    peer_check_pattern(&w.server.got);
    ck_assert(!sim_break_one_connection(w.sim)); /* there is none any more */
    world_stop(&w);
}
END_TEST

START_TEST(a_silent_connection_delivers_nothing_and_times_out_after_2_minutes)
{
    struct world w = world_start(11);

    world_connect(&w);
    ck_assert(sim_silence_one_connection(w.sim));
    double start = seconds(&w);
    world_client_sends(&w, 1000);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, HOURS(1)));
    ck_assert(sim_run_until(w.sim, server_failed, &w, SECONDS(1)));
    ck_assert_double_eq_tol(seconds(&w) - start, 120, 0.001);
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_int_eq(w.server.failure, ETIMEDOUT);
    ck_assert_uint_eq(buffer_length(&w.server.got), 0);
    world_stop(&w);
}
END_TEST

START_TEST(a_partition_that_heals_in_time_delays_the_bytes)
{
    struct world w = world_start((uint64_t)_i);

    world_connect(&w);
    sim_cut(w.a, w.b, true);
    world_client_sends(&w, 100000);
    sim_run_for(w.sim, SECONDS(59));
    ck_assert_uint_eq(buffer_length(&w.server.got), 0);
    sim_cut(w.a, w.b, false);
    ck_assert(sim_run_until(w.sim, world_server_got_all, &w, SECONDS(30)));
    peer_check_pattern(&w.server.got);
    ck_assert_int_eq(w.client.failure, 0);
    world_stop(&w);
}
END_TEST

/* The sender for want of acknowledgements, the idle end for want of answers to its
 * probes; which of them is the first is chance. */
START_TEST(a_partition_that_lasts_fails_both_ends_within_2_minutes)
{
    struct world w = world_start((uint64_t)_i);
    bool one_way = _i % 2 == 1; /* then bytes arrive, only the acknowledgements do not */

    world_connect(&w);
    double start = seconds(&w);
    sim_cut(one_way ? w.b : w.a, one_way ? w.a : w.b, true);
    world_client_sends(&w, 1000);
    sim_run_for(w.sim, SECONDS(59));
    ck_assert_int_eq(w.client.failure, 0);
    ck_assert_int_eq(w.server.failure, 0);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, MINUTES(2)));
    ck_assert(sim_run_until(w.sim, server_failed, &w, MINUTES(2)));
    ck_assert_double_le(seconds(&w) - start, 120.001);
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_int_eq(w.server.failure, ETIMEDOUT);
    ck_assert_uint_eq(buffer_length(&w.server.got), one_way ? 1000 : 0);
    world_stop(&w);
}
END_TEST

static bool one_has_failed(void *arg)
{
    return world_client_failed(arg) || server_failed(arg);
}

START_TEST(an_end_that_a_partition_leaves_alone_finds_out_by_writing_or_by_waiting)
{
    struct world w = world_start((uint64_t)_i);
    bool writes = _i % 2 == 1;

    world_connect(&w);
    sim_cut(w.a, w.b, true);
    ck_assert(sim_run_until(w.sim, one_has_failed, &w, MINUTES(2)));
    struct peer *left = w.client.failure ? &w.server : &w.client;
    ck_assert_int_eq(left->failure, 0);
    sim_cut(w.a, w.b, false);
    if (writes) {
        left->to_send = 1;
        peer_want(left);
    }
    double start = seconds(&w);
    ck_assert(sim_run_until(w.sim, left == &w.client ? world_client_failed : server_failed, &w,
                            writes ? SECONDS(10) : MINUTES(3)));
    ck_assert_int_eq(left->failure, writes ? ECONNRESET : ETIMEDOUT);
    ck_assert_double_le(seconds(&w) - start, 120.001);
    world_stop(&w);
}
END_TEST

START_TEST(a_path_connects_two_os_processes_of_a_node)
{
    struct world w = world_start(5);
    struct host *other = sim_host_create(w.b, "other");
    struct loop *l = world_loop(other);

    w.listener = sim_listen_path(w.lb, "/run/agent.sock", world_accept, &w);
    w.client.stream = host_connect_path(l, "/run/agent.sock", &peer_events, &w.client);
    ck_assert(sim_run_until(w.sim, world_connected, &w, SECONDS(1)));
    world_client_sends(&w, 5000);
    ck_assert(sim_run_until(w.sim, world_server_got_all, &w, SECONDS(1)));
    peer_release(&w.client);
    w.client.stream = host_connect_path(l, "/nobody", &peer_events, &w.client);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, SECONDS(1)));
    ck_assert_int_eq(w.client.failure, ENOENT);
    peer_release(&w.client);
    host_loop_stop(l);
    host_destroy(other);
    world_stop(&w);
}
END_TEST

static void name_resolved(void *arg, const struct error *err, uint32_t ip)
{
    *(uint32_t *)arg = err ? 1 : ip;
}

START_TEST(names_of_nodes_are_resolved)
{
    struct world w = world_start(5);
    uint32_t known = 0, unknown = 0;

    host_resolve(w.la, "b", name_resolved, &known);
    host_resolve(w.la, "nowhere", name_resolved, &unknown);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_uint_eq(known, IP_B);
    ck_assert_uint_eq(unknown, 1);
    world_stop(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_net");
    TCase *tcase = tcase_create("sim_net");

    tcase_add_loop_test(tcase, bytes_arrive_in_order_both_ways, 0, 5);
    tcase_add_test(tcase, a_peer_that_does_not_read_holds_the_writer_back);
    tcase_add_loop_test(tcase, after_a_close_the_peer_reads_the_rest_and_then_the_end, 0, 5);
    tcase_add_test(tcase, writing_to_a_closed_peer_breaks_the_connection);
    tcase_add_test(tcase, a_connect_is_refused_without_a_listener_and_by_a_refusing_node);
    tcase_add_loop_test(tcase, a_connect_across_a_cut_times_out_after_127_seconds, 0, 2);
    tcase_add_loop_test(tcase, a_break_loses_a_suffix_and_both_ends_see_it, 0, 10);
    tcase_add_test(tcase, a_silent_connection_delivers_nothing_and_times_out_after_2_minutes);
    tcase_add_loop_test(tcase, a_partition_that_heals_in_time_delays_the_bytes, 0, 3);
    tcase_add_loop_test(tcase, a_partition_that_lasts_fails_both_ends_within_2_minutes, 0, 4);
    tcase_add_loop_test(
        tcase, an_end_that_a_partition_leaves_alone_finds_out_by_writing_or_by_waiting, 0, 8);
    tcase_add_test(tcase, a_path_connects_two_os_processes_of_a_node);
    tcase_add_test(tcase, names_of_nodes_are_resolved);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
