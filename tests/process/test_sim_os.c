/* test_sim_os.c - simulated OS processes: programs, kills, signals, waits */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "tests/process/world.h"

START_TEST(a_killed_os_process_ends_its_connections_and_does_nothing_more)
{
    struct world w = world_start((uint64_t)_i);
    struct error err;
    struct file *f;
    struct stream_bytes v = { "x", 1 };

    world_connect(&w);
    world_client_sends(&w, 100);
    ck_assert(sim_run_until(w.sim, world_server_got_all, &w, SECONDS(10)));
    sim_host_kill(w.hb);
    ck_assert(sim_host_is_dead(w.hb));
    ck_assert_int_eq(host_open(w.hb, "/x", FILE_WRITE | FILE_CREATE, 0644, &f, &err), -1);
    ck_assert_int_eq(err.code, EIO);
    ck_assert_int_eq(stream_write(w.server.stream, &v, 1, &err), -1);
    struct peer never = { 0 };
    never.stream = host_connect(w.lb, (struct address){ IP_B, PORT }, &peer_events, &never);
    sim_run_for(w.sim, SECONDS(10));
    ck_assert(w.client.ended || w.client.failure == ECONNRESET);
    ck_assert(!never.connected && never.failure == 0);
    peer_release(&never);
    world_stop(&w);
}
END_TEST

START_TEST(after_a_crash_of_its_node_a_peer_finds_out)
{
    struct world w = world_start((uint64_t)_i);

    world_connect(&w);
    sim_node_crash(w.b);
    world_client_sends(&w, 1);
    ck_assert(sim_run_until(w.sim, world_client_failed, &w, MINUTES(16)));
    ck_assert(w.client.failure == ECONNRESET || w.client.failure == ETIMEDOUT);
    world_stop(&w);
}
END_TEST

struct async_log {
    struct world *w;
    int worked, done;
};

static void async_work(void *arg)
{
    ((struct async_log *)arg)->worked++;
}
static void async_done(void *arg)
{
    ((struct async_log *)arg)->done++;
}

START_TEST(work_is_done_later_and_its_end_is_told_also_after_a_kill)
{
    int left_out = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w = world_start(seed);
        struct async_log lives = { &w, 0, 0 }, killed = { &w, 0, 0 };
        host_async(w.la, async_work, async_done, &lives);
        host_async(w.lb, async_work, async_done, &killed);
        ck_assert_int_eq(lives.worked, 0);
        sim_host_kill(w.hb);
        sim_run_for(w.sim, SECONDS(1));
        ck_assert_int_eq(lives.worked, 1);
        ck_assert_int_eq(lives.done, 1);
        ck_assert_int_eq(killed.done, 0);
        left_out += killed.worked == 0;
        host_loop_stop(w.lb);
        ck_assert_int_eq(killed.done, 1);
        w.lb = world_loop(w.hb);
        world_stop(&w);
    }
    ck_assert_int_gt(left_out, 0);
    ck_assert_int_lt(left_out, 20);
}
END_TEST

struct ticks {
    struct host *host;
    struct loop *loop;
    int n;
    struct instant last;
};

static bool tick(void *arg)
{
    struct ticks *t = arg;

    ck_assert(host_loop_is_current(t->loop));
    t->n++;
    t->last = host_now(t->host);
    if (t->n < 5)
        host_loop_deadline(t->loop, instant_add(t->last, SECONDS(10)));
    return false;
}

static bool five_ticks(void *arg)
{
    return ((struct ticks *)arg)->n == 5;
}

START_TEST(waiting_runs_the_world_and_time_jumps_to_what_is_due)
{
    struct world w = world_start(1);
    struct ticks t = { .host = w.ha };

    t.loop = host_loop_start(w.ha, tick, &t);
    host_loop_wake(t.loop);
    ck_assert(!host_loop_is_current(t.loop));
    ck_assert(!host_wait(w.ha, five_ticks, &t, (struct instant){ SECONDS(15).ns }));
    ck_assert_int_eq(t.n, 2);
    ck_assert_int_eq(host_now(w.ha).ns, SECONDS(15).ns);
    ck_assert(host_wait(w.ha, five_ticks, &t, INSTANT_NEVER));
    ck_assert_int_eq(t.last.ns, SECONDS(40).ns);
    ck_assert_int_eq(host_wall(w.ha).ns - host_now(w.ha).ns, 1767225600 * SECONDS(1).ns);
    host_loop_stop(t.loop);
    world_stop(&w);
}
END_TEST

struct program_log {
    int started, stopped, signals, ended, status, watched;
    struct host *host;
};
static struct program_log *program_log; /* of the test that runs */

static void *program_start(struct host *h, const struct child_spec *spec)
{
    program_log->started++;
    program_log->host = h;
    if (strcmp(spec->argv[1], "exit") == 0)
        sim_program_exit(h, 3 << 8);
    return program_log;
}

static void program_signalled(void *state, int signo)
{
    struct program_log *log = state;

    log->signals += signo;
    sim_program_exit(log->host, 7 << 8);
}

static void program_stop(void *state)
{
    ((struct program_log *)state)->stopped++;
}

static void program_ended(void *arg, int status)
{
    ((struct program_log *)arg)->ended++;
    ((struct program_log *)arg)->status = status;
}

static void program_watched(void *arg)
{
    ((struct program_log *)arg)->watched++;
}

static const struct sim_program program = { "job", program_start, program_signalled, program_stop };

static pid_t spawn(struct loop *l, const char *what, bool dies, struct program_log *log)
{
    char name[] = "job", copy[16];
    char *argv[] = { name, copy, NULL };
    pid_t pid;

    snprintf(copy, sizeof copy, "%s", what);
    memset(log, 0, sizeof *log);
    program_log = log;
    struct child_spec spec = { .path = "/usr/bin/job",
                               .argv = argv,
                               .out = CHILD_PATH,
                               .out_path = "/out",
                               .dies_with_parent = dies };
    ck_assert_int_eq(host_spawn(l, &spec, program_ended, log, &pid, NULL), 0);
    return pid;
}

START_TEST(a_program_runs_and_its_parent_and_watchers_hear_of_its_end)
{
    struct world w = world_start((uint64_t)_i);
    struct program_log log;
    struct error err;
    struct file_info info;
    uint64_t start;
    pid_t pid;

    sim_program_add(w.sim, &program);
    pid = spawn(w.la, "exit", false, &log);
    ck_assert_int_eq(host_stat(w.ha, "/out", &info, NULL), 0);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(log.started, 1);
    ck_assert_int_eq(log.stopped, 1);
    ck_assert_int_eq(log.ended, 1);
    ck_assert_int_eq(log.status, 3 << 8);
    ck_assert_int_eq(host_start_time(w.ha, pid, &start, &err), -1);

    pid = spawn(w.la, "stay", false, &log);
    ck_assert_int_eq(host_start_time(w.ha, pid, &start, NULL), 0);
    ck_assert_int_eq(host_start_time(w.hb, pid, &start, NULL), -1);
    struct host *other = sim_host_create(w.a, "other");
    struct loop *l = world_loop(other);
    struct watch *right = host_watch(l, pid, start, program_watched, &log);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(log.watched, 0);
    struct watch *wrong = host_watch(l, pid, start + 1, program_watched, &log);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(log.watched, 1);
    ck_assert_int_eq(host_signal(other, pid, start + 1, SIGTERM, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    ck_assert_int_eq(host_signal(other, pid, start, SIGTERM, NULL), 0);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(log.signals, SIGTERM);
    ck_assert_int_eq(log.status, 7 << 8);
    ck_assert_int_eq(log.watched, 2);
    host_watch_close(right);
    host_watch_close(wrong);
    host_loop_stop(l);
    host_destroy(other);
    world_stop(&w);
}
END_TEST

START_TEST(a_process_group_is_the_process_that_leads_it)
{
    struct world w = world_start(3);
    struct program_log log;
    uint64_t start;
    pid_t pid;

    sim_program_add(w.sim, &program);
    pid = spawn(w.la, "stay", false, &log);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(host_start_time(w.ha, pid, &start, NULL), 0);
    ck_assert_int_eq(host_signal(w.ha, -pid, start, SIGTERM, NULL), 0);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(log.signals, SIGTERM);
    ck_assert_int_eq(host_signal(w.ha, -1, start, SIGTERM, NULL), -1);
    world_stop(&w);
}
END_TEST

START_TEST(an_unknown_program_is_an_error_of_the_spawn)
{
    struct world w = world_start(1);
    char name[] = "unknown";
    char *argv[] = { name, NULL };
    struct child_spec spec = { .path = "unknown", .argv = argv };
    struct error err;
    pid_t pid;

    ck_assert_int_eq(host_spawn(w.la, &spec, program_ended, NULL, &pid, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    world_stop(&w);
}
END_TEST

START_TEST(children_outlive_their_parent_unless_they_die_with_it)
{
    struct world w = world_start(2);
    struct program_log lives, dies;

    sim_program_add(w.sim, &program);
    spawn(w.lb, "stay", false, &lives);
    sim_run_for(w.sim, SECONDS(1));
    spawn(w.lb, "stay", true, &dies);
    sim_run_for(w.sim, SECONDS(1));
    sim_host_kill(w.hb);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(lives.stopped, 0);
    ck_assert_int_eq(dies.stopped, 1);
    world_stop(&w);
    ck_assert_int_eq(lives.stopped, 1); /* with the world */
    ck_assert_int_eq(lives.ended, 0);
}
END_TEST

static void count_signal(void *arg, int signo)
{
    *(int *)arg += signo;
}

START_TEST(a_signal_reaches_its_handler_or_ends_the_os_process)
{
    struct world w = world_start(2);
    struct host_facts facts;
    uint64_t start;
    int got = 0;

    host_facts(w.ha, &facts);
    ck_assert_str_eq(facts.hostname, "a");
    ck_assert_int_eq(host_start_time(w.ha, facts.pid, &start, NULL), 0);
    ck_assert_int_eq(host_on_signal(w.la, SIGTERM, count_signal, &got, NULL), 0);
    ck_assert_int_eq(host_signal(w.ha, facts.pid, start, SIGTERM, NULL), 0);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(got, SIGTERM);
    ck_assert_int_eq(host_signal(w.ha, facts.pid, start, SIGINT, NULL), 0);
    sim_run_for(w.sim, SECONDS(1));
    ck_assert(sim_host_is_dead(w.ha));
    world_stop(&w);
}
END_TEST

static void kill_b(void *arg)
{
    sim_host_kill(((struct world *)arg)->hb);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

START_TEST(a_wait_ends_with_its_os_process)
{
    struct world w = world_start(1);

    world_connect(&w);
    world_client_sends(&w, 1000);
    sim_set_observer(w.sim, kill_b, &w);
    ck_assert(!host_wait(w.hb, never, NULL, INSTANT_NEVER));
    ck_assert(sim_host_is_dead(w.hb));
    world_stop(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_os");
    TCase *tcase = tcase_create("sim_os");

    tcase_add_loop_test(tcase, a_killed_os_process_ends_its_connections_and_does_nothing_more, 0,
                        5);
    tcase_add_loop_test(tcase, after_a_crash_of_its_node_a_peer_finds_out, 0, 5);
    tcase_add_test(tcase, work_is_done_later_and_its_end_is_told_also_after_a_kill);
    tcase_add_test(tcase, waiting_runs_the_world_and_time_jumps_to_what_is_due);
    tcase_add_test(tcase, a_wait_ends_with_its_os_process);
    tcase_add_loop_test(tcase, a_program_runs_and_its_parent_and_watchers_hear_of_its_end, 0, 5);
    tcase_add_test(tcase, a_process_group_is_the_process_that_leads_it);
    tcase_add_test(tcase, an_unknown_program_is_an_error_of_the_spawn);
    tcase_add_test(tcase, children_outlive_their_parent_unless_they_die_with_it);
    tcase_add_test(tcase, a_signal_reaches_its_handler_or_ends_the_os_process);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
