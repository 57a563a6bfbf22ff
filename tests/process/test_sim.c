/* test_sim.c - a seed is a run of the simulated world, with all its faults */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/sim.h"
#include "tests/process/again.h"
#include "tests/process/world.h"

static void nothing_done(void *arg)
{
    (void)arg;
}

static void write_some(void *arg)
{
    struct world *w = arg;
    struct file *f;

    if (host_open(w->hb, "/log", FILE_WRITE | FILE_CREATE, 0644, &f, NULL) < 0)
        return;
    file_write(f, host_random_below(w->hb, 5000), "some bytes", 10, NULL);
    if (host_random_below(w->hb, 3) == 0)
        file_sync(f, NULL);
    file_close(f);
}

static void fault(struct world *w)
{
    switch (sim_random_below(w->sim, 60)) {
    case 0:
    case 1:
    case 2:
        sim_break_one_connection(w->sim);
        break;
    case 3:
        sim_silence_one_connection(w->sim);
        break;
    case 4:
    case 5:
        sim_cut(w->a, w->b, sim_random_below(w->sim, 4) == 0);
        break;
    case 6:
    case 7:
        sim_refuse_connects(w->b, sim_random_below(w->sim, 4) == 0);
        break;
    case 8:
    case 9:
        if (sim_random_below(w->sim, 2))
            sim_node_crash(w->b);
        else
            sim_host_kill(w->hb);
        world_stop_b(w);
        w->hb = sim_host_create(w->b, "server");
        w->lb = world_loop(w->hb);
        world_listen_b(w);
        break;
    default:
        host_async(w->lb, write_some, nothing_done, w);
    }
}

static void workload(uint64_t seed, char *out, size_t size)
{
    struct world w = world_start(seed);
    struct sim_counts c;

    world_listen_b(&w);
    for (int i = 0; i < 300; i++) {
        if (!w.client.stream || w.client.failure != 0 || w.client.ended) {
            peer_release(&w.client);
            world_connect_a(&w);
        }
        w.client.to_send += sim_random_below(w.sim, 20000);
        if (w.client.connected)
            peer_want(&w.client);
        w.server.to_send += sim_random_below(w.sim, 20000);
        if (w.server.stream)
            peer_want(&w.server);
        fault(&w);
        sim_run_for(w.sim, MILLISECONDS(sim_random_below(w.sim, 5000)));
    }
    sim_counts(w.sim, &c);
    snprintf(out, size,
             "%016llx steps %llu bytes %llu connections %llu breaks %llu silences %llu refused %llu"
             " kills %llu crashes %llu sectors %llu lost %llu",
             (unsigned long long)sim_trace(w.sim), (unsigned long long)c.steps,
             (unsigned long long)c.bytes, (unsigned long long)c.connections,
             (unsigned long long)c.breaks, (unsigned long long)c.silences,
             (unsigned long long)c.refused, (unsigned long long)c.kills,
             (unsigned long long)c.crashes, (unsigned long long)c.lost_sectors,
             (unsigned long long)c.lost_bytes);
    world_stop(&w);
}

START_TEST(the_same_seed_is_the_same_run_in_another_os_process)
{
    char number[12], here[512], there[512], other[512];

    for (int seed = 0; seed < 3; seed++) {
        snprintf(number, sizeof number, "%d", seed);
        workload((uint64_t)seed, here, sizeof here);
        run_again("workload", number, there, sizeof there);
        ck_assert_str_eq(here, there);
        workload((uint64_t)seed + 100, other, sizeof other);
        ck_assert_str_ne(here, other);
    }
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "workload") == 0) {
        char text[512];
        workload(strtoull(argv[2], NULL, 10), text, sizeof text);
        fputs(text, stdout);
        return 0;
    }
    Suite *suite = suite_create("sim");
    TCase *tcase = tcase_create("seed");

    tcase_add_test(tcase, the_same_seed_is_the_same_run_in_another_os_process);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
