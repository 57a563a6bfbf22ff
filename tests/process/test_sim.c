/* test_sim.c - the simulated world: network, disks, OS processes, and that a seed is a run */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/sim.h"
#include "tests/process/again.h"

#define IP_A 0x0a000001u
#define IP_B 0x0a000002u
#define PORT 5050

/* ---- two nodes, and peers that send a known pattern ---- */

struct peer {
    struct stream *stream;
    size_t sent, to_send;
    struct buffer got;
    bool connected, ended, deaf;
    int failure;
};

struct world {
    struct sim *sim;
    struct sim_node *a, *b;
    struct host *ha, *hb;
    struct loop *la, *lb;
    struct listener *listener;
    struct peer client, server;
};

static char pattern(size_t i)
{
    return (char)(i * 31 ^ i >> 8);
}

static void peer_want(struct peer *p)
{
    bool open = p->failure == 0;

    stream_want(p->stream, open && !p->ended && !p->deaf, open && p->sent < p->to_send);
}

static void peer_connected(void *arg, const struct error *err)
{
    struct peer *p = arg;

    p->connected = err == NULL;
    p->failure = err ? err->code : 0;
    peer_want(p);
}

static void peer_readable(void *arg)
{
    struct peer *p = arg;
    struct error err;
    char bytes[4096];
    ssize_t n = stream_read(p->stream, bytes, sizeof bytes, &err);

    if (n > 0)
        buffer_append(&p->got, bytes, (size_t)n);
    else if (n == 0)
        p->ended = true;
    else if (err.code != EAGAIN)
        p->failure = err.code;
    peer_want(p);
}

static void peer_writable(void *arg)
{
    struct peer *p = arg;
    struct error err;
    char bytes[3000];
    size_t n = p->to_send - p->sent < sizeof bytes ? p->to_send - p->sent : sizeof bytes;

    for (size_t i = 0; i < n; i++)
        bytes[i] = pattern(p->sent + i);
    struct stream_bytes v[] = { { bytes, n / 3 }, { bytes + n / 3, n - n / 3 } };
    ssize_t taken = stream_write(p->stream, v, 2, &err);
    if (taken >= 0)
        p->sent += (size_t)taken;
    else if (err.code != EAGAIN)
        p->failure = err.code;
    peer_want(p);
}

static const struct stream_events peer_events = { peer_connected, peer_readable, peer_writable };

static void accept_peer(void *arg, struct stream *s)
{
    struct world *w = arg;

    stream_close(w->server.stream);
    w->server.stream = s;
    w->server.connected = true;
    stream_attach(s, w->lb, &peer_events, &w->server);
    peer_want(&w->server);
}

static bool no_more(void *arg)
{
    (void)arg;
    return false;
}

static struct loop *loop_of(struct host *h)
{
    return host_loop_start(h, no_more, NULL);
}

static void listen_b(struct world *w)
{
    struct address bound;

    w->listener = host_listen(w->lb, (struct address){ IP_B, PORT }, accept_peer, w, &bound, NULL);
    CHECK(w->listener && bound.port == PORT); /* also outside of check, see workload */
}

static struct world world_start(uint64_t seed)
{
    struct world w = { .sim = sim_create(seed) };

    w.a = sim_node_create(w.sim, "a", IP_A);
    w.b = sim_node_create(w.sim, "b", IP_B);
    w.ha = sim_host_create(w.a, "client");
    w.hb = sim_host_create(w.b, "server");
    w.la = loop_of(w.ha);
    w.lb = loop_of(w.hb);
    return w;
}

static void connect_a(struct world *w)
{
    w->client.stream =
        host_connect(w->la, (struct address){ IP_B, PORT }, &peer_events, &w->client);
}

static void peer_release(struct peer *p)
{
    stream_close(p->stream);
    buffer_release(&p->got);
    *p = (struct peer){ 0 };
}

static void stop_b(struct world *w)
{
    peer_release(&w->server);
    host_listener_close(w->listener);
    w->listener = NULL;
    host_loop_stop(w->lb);
    host_destroy(w->hb);
}

static void world_stop(struct world *w)
{
    peer_release(&w->client);
    stop_b(w);
    host_loop_stop(w->la);
    host_destroy(w->ha);
    sim_destroy(w->sim);
}

static bool both_connected(void *arg)
{
    struct world *w = arg;
    return w->client.connected && w->server.connected;
}

static bool client_failed(void *arg)
{
    return ((struct world *)arg)->client.failure != 0;
}
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
static bool server_got_all(void *arg)
{
    struct world *w = arg;
    return buffer_length(&w->server.got) == w->client.to_send;
}

static void connect_both(struct world *w)
{
    listen_b(w);
    connect_a(w);
    ck_assert(sim_run_until(w->sim, both_connected, w, SECONDS(10)));
}

static void client_sends(struct world *w, size_t n)
{
    w->client.to_send += n;
    peer_want(&w->client);
}

static void check_pattern(const struct buffer *b)
{
    for (size_t i = 0; i < buffer_length(b); i++)
        if (buffer_data(b)[i] != pattern(i))
            ck_abort_msg("byte %zu is not what was sent", i);
}

static double seconds(struct world *w)
{
    return instant_seconds(sim_now(w->sim));
}

/* ---- the network ---- */

START_TEST(bytes_arrive_in_order_both_ways)
{
    struct world w = world_start((uint64_t)_i);

    connect_both(&w);
    w.server.to_send = 70000;
    peer_want(&w.server);
    client_sends(&w, 1000000);
    ck_assert(sim_run_until(w.sim, server_got_all, &w, MINUTES(5)));
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(buffer_length(&w.client.got), 70000);
    check_pattern(&w.server.got);
    check_pattern(&w.client.got);
    ck_assert_uint_eq(stream_peer(w.client.stream).ip, IP_B);
    ck_assert_uint_eq(stream_peer(w.server.stream).ip, IP_A);
    world_stop(&w);
}
END_TEST

START_TEST(a_peer_that_does_not_read_holds_the_writer_back)
{
    struct world w = world_start(7);

    connect_both(&w);
    w.server.deaf = true;
    peer_want(&w.server);
    client_sends(&w, 1000000);
    sim_run_for(w.sim, SECONDS(60));
    ck_assert_uint_eq(w.client.sent, 256 * 1024);
    w.server.deaf = false;
    peer_want(&w.server);
    ck_assert(sim_run_until(w.sim, server_got_all, &w, MINUTES(5)));
    world_stop(&w);
}
END_TEST

START_TEST(after_a_close_the_peer_reads_the_rest_and_then_the_end)
{
    struct world w = world_start((uint64_t)_i);

    connect_both(&w);
    client_sends(&w, 50000);
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

    connect_both(&w);
    stream_close(w.server.stream);
    w.server.stream = NULL;
    w.client.ended = true; /* does not look for the end */
    client_sends(&w, 1000000);
    ck_assert(sim_run_until(w.sim, client_failed, &w, MINUTES(1)));
    ck_assert_int_eq(w.client.failure, ECONNRESET);
    world_stop(&w);
}
END_TEST

START_TEST(a_connect_is_refused_without_a_listener_and_by_a_refusing_node)
{
    struct world w = world_start(1);
    struct sim_counts counts;

    connect_a(&w);
    ck_assert(sim_run_until(w.sim, client_failed, &w, SECONDS(1)));
    ck_assert_int_eq(w.client.failure, ECONNREFUSED);
    peer_release(&w.client);
    listen_b(&w);
    sim_refuse_connects(w.b, true);
    connect_a(&w);
    ck_assert(sim_run_until(w.sim, client_failed, &w, SECONDS(1)));
    ck_assert_int_eq(w.client.failure, ECONNREFUSED);
    sim_counts(w.sim, &counts);
    ck_assert_uint_eq(counts.refused, 2);
    world_stop(&w);
}
END_TEST

START_TEST(a_connect_across_a_cut_times_out_after_127_seconds)
{
    struct world w = world_start(1);

    listen_b(&w);
    if (_i == 0)
        sim_cut(w.a, w.b, true);
    else
        sim_cut(w.b, w.a, true);
    connect_a(&w);
    ck_assert(sim_run_until(w.sim, client_failed, &w, MINUTES(3)));
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_double_eq_tol(seconds(&w), 127, 0.001);
    world_stop(&w);
}
END_TEST

START_TEST(a_break_loses_a_suffix_and_both_ends_see_it)
{
    struct world w = world_start((uint64_t)_i);

    connect_both(&w);
    client_sends(&w, 200000);
    sim_run_for(w.sim, MILLISECONDS(2));
    sim_break_connections(w.a, w.b);
    ck_assert(sim_run_until(w.sim, client_failed, &w, SECONDS(5)));
    ck_assert(sim_run_until(w.sim, server_failed, &w, SECONDS(5)));
    ck_assert_int_eq(w.client.failure, ECONNRESET);
    ck_assert_int_eq(w.server.failure, ECONNRESET);
    ck_assert_uint_le(buffer_length(&w.server.got), w.client.sent);
    check_pattern(&w.server.got);
    ck_assert(!sim_break_one_connection(w.sim)); /* there is none any more */
    world_stop(&w);
}
END_TEST

START_TEST(a_silent_connection_delivers_nothing_and_times_out_after_15_minutes)
{
    struct world w = world_start(11);

    connect_both(&w);
    ck_assert(sim_silence_one_connection(w.sim));
    double start = seconds(&w);
    client_sends(&w, 1000);
    ck_assert(sim_run_until(w.sim, client_failed, &w, HOURS(1)));
    ck_assert(sim_run_until(w.sim, server_failed, &w, SECONDS(1)));
    ck_assert_double_eq_tol(seconds(&w) - start, 900, 0.001);
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_int_eq(w.server.failure, ETIMEDOUT);
    ck_assert_uint_eq(buffer_length(&w.server.got), 0);
    world_stop(&w);
}
END_TEST

START_TEST(a_partition_that_heals_in_time_delays_the_bytes)
{
    struct world w = world_start((uint64_t)_i);

    connect_both(&w);
    sim_cut(w.a, w.b, true);
    client_sends(&w, 100000);
    sim_run_for(w.sim, MINUTES(14));
    ck_assert_uint_eq(buffer_length(&w.server.got), 0);
    sim_cut(w.a, w.b, false);
    ck_assert(sim_run_until(w.sim, server_got_all, &w, SECONDS(30)));
    check_pattern(&w.server.got);
    ck_assert_int_eq(w.client.failure, 0);
    world_stop(&w);
}
END_TEST

START_TEST(a_partition_that_lasts_fails_the_side_with_unacknowledged_bytes)
{
    struct world w = world_start((uint64_t)_i);
    bool one_way = _i % 2 == 1; /* then bytes arrive, only the acknowledgements do not */

    connect_both(&w);
    sim_cut(one_way ? w.b : w.a, one_way ? w.a : w.b, true);
    client_sends(&w, 1000);
    ck_assert(sim_run_until(w.sim, client_failed, &w, MINUTES(16)));
    ck_assert_int_eq(w.client.failure, ETIMEDOUT);
    ck_assert_double_ge(seconds(&w), 900);
    ck_assert_uint_eq(buffer_length(&w.server.got), one_way ? 1000 : 0);
    ck_assert_int_eq(w.server.failure, 0); /* it knows of nothing, until it writes */
    sim_cut(w.a, w.b, false);
    sim_cut(w.b, w.a, false);
    w.server.to_send = 1;
    peer_want(&w.server);
    ck_assert(sim_run_until(w.sim, server_failed, &w, SECONDS(10)));
    ck_assert_int_eq(w.server.failure, ECONNRESET);
    world_stop(&w);
}
END_TEST

START_TEST(a_path_connects_two_os_processes_of_a_node)
{
    struct world w = world_start(5);
    struct host *other = sim_host_create(w.b, "other");
    struct loop *l = loop_of(other);

    w.listener = sim_listen_path(w.lb, "/run/agent.sock", accept_peer, &w);
    w.client.stream = host_connect_path(l, "/run/agent.sock", &peer_events, &w.client);
    ck_assert(sim_run_until(w.sim, both_connected, &w, SECONDS(1)));
    client_sends(&w, 5000);
    ck_assert(sim_run_until(w.sim, server_got_all, &w, SECONDS(1)));
    peer_release(&w.client);
    w.client.stream = host_connect_path(l, "/nobody", &peer_events, &w.client);
    ck_assert(sim_run_until(w.sim, client_failed, &w, SECONDS(1)));
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

/* ---- OS processes ---- */

START_TEST(a_killed_os_process_ends_its_connections_and_does_nothing_more)
{
    struct world w = world_start((uint64_t)_i);
    struct error err;
    struct file *f;
    struct stream_bytes v = { "x", 1 };

    connect_both(&w);
    client_sends(&w, 100);
    ck_assert(sim_run_until(w.sim, server_got_all, &w, SECONDS(10)));
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

    connect_both(&w);
    sim_node_crash(w.b);
    client_sends(&w, 1);
    ck_assert(sim_run_until(w.sim, client_failed, &w, MINUTES(16)));
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
        w.lb = loop_of(w.hb);
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
    struct loop *l = loop_of(other);
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

/* ---- disks ---- */

static struct file *open_file(struct host *h, const char *path)
{
    struct file *f = NULL;

    ck_assert_int_eq(host_open(h, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0644, &f, NULL), 0);
    return f;
}

/* After the crash, the OS process is started again. */
static void crash_a(struct world *w)
{
    sim_node_crash(w->a);
    host_loop_stop(w->la);
    host_destroy(w->ha);
    w->ha = sim_host_create(w->a, "client");
    w->la = loop_of(w->ha);
}

static void write_all(struct host *h, const char *path, char c, size_t size, bool sync)
{
    struct file *f = open_file(h, path);
    char *bytes = mem_alloc(size);

    memset(bytes, c, size);
    ck_assert_int_eq(file_write(f, 0, bytes, size, NULL), 0);
    if (sync)
        ck_assert_int_eq(file_sync(f, NULL), 0);
    file_close(f);
    mem_free(bytes);
}

/* How many bytes of the file are c; -1 when there is no such file. */
static int count_bytes(struct host *h, const char *path, char c, size_t *ret_size)
{
    char *data;
    int n = 0;
    *ret_size = 0;
    if (host_read_file(h, path, 1 << 20, &data, ret_size, NULL) < 0)
        return -1;
    for (size_t i = 0; i < *ret_size; i++)
        n += data[i] == c;
    mem_free(data);
    return n;
}

START_TEST(what_was_synced_survives_every_crash)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world w = world_start(seed);
        size_t size;
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/d/f", 's', 5000, true);
        ck_assert_int_eq(host_sync_directory(w.ha, "/d", NULL), 0);
        ck_assert_int_eq(host_sync_directory(w.ha, "/", NULL), 0);
        write_all(w.ha, "/d/other", 'o', 3000, false);
        crash_a(&w);
        ck_assert_int_eq(count_bytes(w.ha, "/d/f", 's', &size), 5000);
        ck_assert_uint_eq(size, 5000);
        world_stop(&w);
    }
}
END_TEST

START_TEST(of_unsynced_sectors_any_subset_is_lost)
{
    int all = 0, none = 0, some = 0, holes = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world w = world_start(seed);
        size_t size;
        write_all(w.ha, "/f", 'o', 4096, true);
        host_sync_directory(w.ha, "/", NULL);
        write_all(w.ha, "/f", 'n', 4096, false);
        crash_a(&w);
        int n = count_bytes(w.ha, "/f", 'n', &size);
        int o = count_bytes(w.ha, "/f", 'o', &size);
        ck_assert_uint_eq(size, 4096);
        ck_assert_int_eq(n + o, 4096);
        ck_assert_int_eq(n % 512, 0);
        all += n == 0;
        none += n == 4096;
        some += n > 0 && n < 4096;
        char *data;
        ck_assert_int_eq(host_read_file(w.ha, "/f", 4096, &data, &size, NULL), 0);
        holes += data[0] == 'o' && data[4095] == 'n';
        mem_free(data);
        world_stop(&w);
    }
    ck_assert(all > 0 && none > 0 && some > 0 && holes > 0);
}
END_TEST

START_TEST(a_file_is_gone_when_its_folder_was_not_synced)
{
    int gone = 0, kept = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        write_all(w.ha, "/f", 's', 1000, true);
        crash_a(&w);
        int n = count_bytes(w.ha, "/f", 's', &size);
        ck_assert(n == -1 || n == 1000);
        gone += n == -1;
        kept += n == 1000;
        world_stop(&w);
    }
    ck_assert(gone > 0 && kept > 0);
}
END_TEST

START_TEST(a_rename_is_done_or_not_and_never_in_between)
{
    int was_old = 0, was_new = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world w = world_start(seed);
        struct file_info info;
        size_t size;
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/d/f", 'o', 2000, true);
        host_sync_directory(w.ha, "/d", NULL);
        host_sync_directory(w.ha, "/", NULL);
        write_all(w.ha, "/tmp", 'n', 2000, true);
        if (seed % 2)
            host_sync_directory(w.ha, "/", NULL);
        ck_assert_int_eq(host_rename(w.ha, "/tmp", "/d/f", NULL), 0);
        if (seed % 3 == 0)
            host_sync_directory(w.ha, "/d", NULL);
        crash_a(&w);
        int n = count_bytes(w.ha, "/d/f", 'n', &size);
        ck_assert(n == 0 || n == 2000);
        ck_assert_uint_eq(size, 2000);
        bool tmp = host_stat(w.ha, "/tmp", &info, NULL) == 0;
        ck_assert(!(n == 2000 && tmp));
        ck_assert(!(n == 0 && seed % 3 == 0));
        ck_assert(!(n == 0 && seed % 2 && !tmp));
        was_old += n == 0;
        was_new += n == 2000 && seed % 3 != 0;
        world_stop(&w);
    }
    ck_assert(was_old > 0 && was_new > 0);
}
END_TEST

static bool is_there(struct host *h, const char *path)
{
    struct file_info info;

    return host_stat(h, path, &info, NULL) == 0;
}

START_TEST(a_file_that_was_renamed_often_has_one_name_after_a_crash)
{
    int names[4] = { 0 };

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world w = world_start(seed);
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/one", 'x', 100, true);
        host_sync_directory(w.ha, "/", NULL);
        host_rename(w.ha, "/one", "/two", NULL);
        host_rename(w.ha, "/two", "/d/three", NULL);
        if (seed % 4 == 0)
            host_sync_directory(w.ha, "/d", NULL);
        host_rename(w.ha, "/d/three", "/four", NULL);
        crash_a(&w);
        int found[] = { is_there(w.ha, "/one"), is_there(w.ha, "/two"), is_there(w.ha, "/d/three"),
                        is_there(w.ha, "/four") };
        ck_assert_int_eq(found[0] + found[1] + found[2] + found[3], 1);
        ck_assert(seed % 4 != 0 || found[2] || found[3]);
        for (int i = 0; i < 4; i++)
            names[i] += found[i];
        world_stop(&w);
    }
    ck_assert(names[0] > 0 && names[1] > 0 && names[2] > 0 && names[3] > 0);
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

    connect_both(&w);
    client_sends(&w, 1000);
    sim_set_observer(w.sim, kill_b, &w);
    ck_assert(!host_wait(w.hb, never, NULL, INSTANT_NEVER));
    ck_assert(sim_host_is_dead(w.hb));
    world_stop(&w);
}
END_TEST

START_TEST(a_whole_file_is_written_durably_or_not_at_all)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        ck_assert_int_eq(host_write_file(w.ha, "/f", "first", 5, 0600, NULL), 0);
        ck_assert_int_eq(host_write_file(w.ha, "/f", "second", 6, 0600, NULL), 0);
        crash_a(&w);
        ck_assert_int_eq(count_bytes(w.ha, "/f", 'c', &size), 1);
        ck_assert_uint_eq(size, 6);
        world_stop(&w);
    }
}
END_TEST

START_TEST(a_kill_keeps_what_was_written_and_releases_locks)
{
    struct world w = world_start(4);
    struct host *first = sim_host_create(w.a, "first");
    struct file *f = open_file(first, "/lock"), *g = open_file(w.ha, "/lock");
    struct error err;
    size_t size;

    write_all(first, "/f", 'x', 100, false);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 0);
    ck_assert_int_eq(host_is_locked(w.ha, "/absent", NULL), 0);
    ck_assert_int_eq(file_lock(f, NULL), 0);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 1);
    ck_assert_int_eq(file_lock(g, &err), -1);
    ck_assert_int_eq(err.code, EAGAIN);
    sim_host_kill(first);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 0);
    ck_assert_int_eq(file_lock(g, NULL), 0);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), -1);
    ck_assert_int_eq(err.code, EIO);
    ck_assert_int_eq(count_bytes(w.ha, "/f", 'x', &size), 100);
    file_close(f);
    file_close(g);
    host_destroy(first);
    world_stop(&w);
}
END_TEST

START_TEST(a_full_disk_and_a_failing_one_say_so)
{
    struct world w = world_start(4);
    struct file *f = open_file(w.ha, "/f"), *g;
    struct error err;
    uint64_t size, left;

    sim_disk_full(w.a, true);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), -1);
    ck_assert_int_eq(err.code, ENOSPC);
    ck_assert_int_eq(host_open(w.ha, "/g", FILE_WRITE | FILE_CREATE, 0644, &g, &err), -1);
    ck_assert_int_eq(host_disk(w.ha, "/", &size, &left, NULL), 0);
    ck_assert_uint_eq(left, 0);
    sim_disk_full(w.a, false);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), 0);
    sim_disk_errors(w.a, true);
    ck_assert_int_eq(file_sync(f, &err), -1);
    ck_assert_int_eq(err.code, EIO);
    sim_disk_errors(w.a, false);
    ck_assert_int_eq(file_sync(f, &err), 0);
    file_close(f);
    world_stop(&w);
}
END_TEST

static void check_failure(int status, const struct error *err, int code)
{
    ck_assert_int_eq(status, -1);
    ck_assert_int_eq(err->code, code);
}

START_TEST(paths_behave_as_on_a_posix_file_system)
{
    struct world w = world_start(4);
    struct host *h = w.ha;
    struct file_info info;
    struct error err;
    struct file *f;
    char **names, *target;
    size_t n;

    ck_assert_int_eq(host_mkdirs(h, "/a/b/c", 0755, NULL), 0);
    write_all(h, "/a/b/f", 'x', 10, false);
    ck_assert_int_eq(host_symlink(h, "../b", "/a/b/link", NULL), 0);
    ck_assert_int_eq(host_stat(h, "/a/b/link/link/../b/f", &info, NULL), 0);
    ck_assert_uint_eq(info.size, 10);
    ck_assert_int_eq(host_stat(h, "/a/b/link", &info, NULL), 0);
    ck_assert(info.is_link);
    ck_assert_int_eq(host_symlink(h, "/loop", "/loop", NULL), 0);
    check_failure(host_open(h, "/loop", FILE_READ, 0, &f, &err), &err, ELOOP);
    ck_assert_int_eq(host_symlink(h, "c", "/a/b/link", NULL), 0);
    ck_assert_int_eq(host_readlink(h, "/a/b/link", &target, NULL), 0);
    ck_assert_str_eq(target, "c");
    mem_free(target);
    ck_assert_int_eq(host_list(h, "/a/b", &names, &n, NULL), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(names[0], "c");
    ck_assert_str_eq(names[2], "link");
    host_free_names(names, n);
    check_failure(host_mkdir(h, "/a", 0755, &err), &err, EEXIST);
    check_failure(host_mkdir(h, "/x/y", 0755, &err), &err, ENOENT);
    check_failure(host_mkdir(h, "/a/b/f/y", 0755, &err), &err, ENOTDIR);
    check_failure(host_unlink(h, "/a", &err), &err, ENOTEMPTY);
    check_failure(host_rename(h, "/a", "/a/b/c/d", &err), &err, EINVAL);
    check_failure(host_rename(h, "/a/b/f", "/a/b/c", &err), &err, EISDIR);
    check_failure(host_open(h, "/a", FILE_READ, 0, &f, &err), &err, EISDIR);
    check_failure(host_open(h, "/a/b/f", FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0, &f, &err),
                  &err, EEXIST);
    ck_assert_int_eq(host_rename(h, "/a/b", "/moved", NULL), 0);
    ck_assert_int_eq(host_stat(h, "/moved/f", &info, NULL), 0);
    ck_assert_int_eq(host_remove_tree(h, "/moved", NULL), 0);
    check_failure(host_stat(h, "/moved", &info, &err), &err, ENOENT);
    world_stop(&w);
}
END_TEST

static void half_written(void *arg)
{
    struct file *f;

    if (host_open(arg, "/db", FILE_WRITE, 0, &f, NULL) < 0)
        return;
    for (uint64_t i = 0; i < 8; i++)
        file_write(f, i, "w", 1, NULL);
    file_close(f);
}

static void nothing_done(void *arg)
{
    (void)arg;
}

START_TEST(a_kill_may_come_amid_the_work_of_a_helper_thread)
{
    int none = 0, part = 0, all = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        file_close(open_file(w.ha, "/db"));
        host_async(w.la, half_written, nothing_done, w.ha);
        sim_host_kill(w.ha);
        host_loop_stop(w.la);
        host_destroy(w.ha);
        w.ha = sim_host_create(w.a, "client");
        w.la = loop_of(w.ha);
        count_bytes(w.ha, "/db", 'w', &size);
        none += size == 0;
        part += size > 0 && size < 8;
        all += size == 8;
        world_stop(&w);
    }
    ck_assert(none > 0 && part > 0 && all > 0);
}
END_TEST

/* ---- a seed is a run ---- */

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
        stop_b(w);
        w->hb = sim_host_create(w->b, "server");
        w->lb = loop_of(w->hb);
        listen_b(w);
        break;
    default:
        host_async(w->lb, write_some, nothing_done, w);
    }
}

static void workload(uint64_t seed, char *out, size_t size)
{
    struct world w = world_start(seed);
    struct sim_counts c;

    listen_b(&w);
    for (int i = 0; i < 300; i++) {
        if (!w.client.stream || w.client.failure != 0 || w.client.ended) {
            peer_release(&w.client);
            connect_a(&w);
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

static Suite *sim_suite(void)
{
    Suite *s = suite_create("sim");
    TCase *net = tcase_create("network"), *os = tcase_create("os processes"),
          *disk = tcase_create("disks");
    TCase *seed = tcase_create("seed");

    tcase_add_loop_test(net, bytes_arrive_in_order_both_ways, 0, 5);
    tcase_add_test(net, a_peer_that_does_not_read_holds_the_writer_back);
    tcase_add_loop_test(net, after_a_close_the_peer_reads_the_rest_and_then_the_end, 0, 5);
    tcase_add_test(net, writing_to_a_closed_peer_breaks_the_connection);
    tcase_add_test(net, a_connect_is_refused_without_a_listener_and_by_a_refusing_node);
    tcase_add_loop_test(net, a_connect_across_a_cut_times_out_after_127_seconds, 0, 2);
    tcase_add_loop_test(net, a_break_loses_a_suffix_and_both_ends_see_it, 0, 10);
    tcase_add_test(net, a_silent_connection_delivers_nothing_and_times_out_after_15_minutes);
    tcase_add_loop_test(net, a_partition_that_heals_in_time_delays_the_bytes, 0, 3);
    tcase_add_loop_test(net, a_partition_that_lasts_fails_the_side_with_unacknowledged_bytes, 0, 4);
    tcase_add_test(net, a_path_connects_two_os_processes_of_a_node);
    tcase_add_test(net, names_of_nodes_are_resolved);
    tcase_add_loop_test(os, a_killed_os_process_ends_its_connections_and_does_nothing_more, 0, 5);
    tcase_add_loop_test(os, after_a_crash_of_its_node_a_peer_finds_out, 0, 5);
    tcase_add_test(os, work_is_done_later_and_its_end_is_told_also_after_a_kill);
    tcase_add_test(os, waiting_runs_the_world_and_time_jumps_to_what_is_due);
    tcase_add_test(os, a_wait_ends_with_its_os_process);
    tcase_add_loop_test(os, a_program_runs_and_its_parent_and_watchers_hear_of_its_end, 0, 5);
    tcase_add_test(os, a_process_group_is_the_process_that_leads_it);
    tcase_add_test(os, an_unknown_program_is_an_error_of_the_spawn);
    tcase_add_test(os, children_outlive_their_parent_unless_they_die_with_it);
    tcase_add_test(os, a_signal_reaches_its_handler_or_ends_the_os_process);
    tcase_add_test(disk, what_was_synced_survives_every_crash);
    tcase_add_test(disk, of_unsynced_sectors_any_subset_is_lost);
    tcase_add_test(disk, a_file_is_gone_when_its_folder_was_not_synced);
    tcase_add_test(disk, a_rename_is_done_or_not_and_never_in_between);
    tcase_add_test(disk, a_file_that_was_renamed_often_has_one_name_after_a_crash);
    tcase_add_test(disk, a_whole_file_is_written_durably_or_not_at_all);
    tcase_add_test(disk, a_kill_keeps_what_was_written_and_releases_locks);
    tcase_add_test(disk, a_full_disk_and_a_failing_one_say_so);
    tcase_add_test(disk, paths_behave_as_on_a_posix_file_system);
    tcase_add_test(disk, a_kill_may_come_amid_the_work_of_a_helper_thread);
    tcase_add_test(seed, the_same_seed_is_the_same_run_in_another_os_process);
    suite_add_tcase(s, net);
    suite_add_tcase(s, os);
    suite_add_tcase(s, disk);
    suite_add_tcase(s, seed);
    return s;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "workload") == 0) {
        char text[512];
        workload(strtoull(argv[2], NULL, 10), text, sizeof text);
        fputs(text, stdout);
        return 0;
    }
    SRunner *runner = srunner_create(sim_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
