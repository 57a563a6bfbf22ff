/* bench.c - make bench: how fast we are, next to the least that the work needs
 *
 * Each row runs its reference and ours in turn, ROUNDS times, every measurement
 * in an OS process of its own, and gives the median of our figures and of the
 * rounds' ratios with their spread.  So what slows the machine for a while
 * slows both.  A table goes to standard output, and the same as JSON into the
 * file that BENCH_JSON names.
 *
 *     bench                   all rows
 *     bench dispatch json     rows whose name begins so
 *     bench --ours dispatch   one measurement, in this process: for perf
 */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "tests/bench/bench_cluster.h"
#include "tests/bench/bench_peers.h"
#include "tests/bench/measure.h"

enum { ROUNDS = BENCH_PEERS_ROUNDS, PATIENCE = 300 };

/* rounds 0: ROUNDS.  A row without a reference has no ratio. */
struct row {
    const char *name, *unit;
    measure_f ours, reference;
    const char *against;
    int rounds;
    const char *workload; /* as the peers know it; NULL: they have nothing like it */
};

/* clang-format off */
static const struct row rows[] = {
    { "dispatch", "1/s", bench_local_dispatch, bench_bare_queue, "bare queue",
      .workload = "dispatch" },
    { "give, local", "1/s", bench_local_give, bench_bare_mailbox, "bare mailbox" },
    { "send, local, 100 B", "1/s", bench_local_send, bench_bare_copies, "mailbox, pack, unpack" },
    { "ping-pong", "1/s", bench_actors_ping_pong, bench_bare_round_trips, "bare closures",
      .workload = "ping-pong" },
    { "ring of 1000", "1/s", bench_actors_ring, bench_bare_closures, "bare closures",
      .workload = "ring" },
    { "100 senders to 1", "1/s", bench_actors_fan_in, bench_bare_mailbox, "bare mailbox",
      .workload = "senders" },
    { "spawn, end, wait", "1/s", bench_actors_lives, bench_bare_threads, "pthread create, join",
      .workload = "spawn" },
    { "the same, outside", "1/s", bench_local_spawn_many, bench_bare_threads,
      "pthread create, join" },
    { "the same, one by one", "1/s", bench_local_spawn, bench_bare_threads,
      "pthread create, join" },
    { "idle process", "B", bench_actors_idle, NULL, NULL, 1, .workload = "idle" },
    { "timer, cancelled", "1/s", bench_local_timers, bench_bare_timers, "libevent",
      .workload = "timers" },
    { "timer of a million", "1/s", bench_local_timers_million, bench_bare_timers_million,
      "libevent" },
    { "waiting timer", "B", bench_local_timer_memory, NULL, NULL, 1 },
    { "future step", "1/s", bench_local_then, bench_bare_closures, "bare closures" },
    { "remote, 100 B", "1/s", bench_remote_messages, bench_socket_stream, "same bytes, TCP" },
    { "remote round trip", "us", bench_remote_round_trip, bench_socket_round_trip, "bare TCP" },
    { "HTTP answer", "1/s", bench_http_ours, bench_http_bare, "bare epoll loop" },
    { "JSON written", "MB/s", bench_json_ours, bench_json_jansson, "jansson" },
    { "launch, reap, 10 MB", "1/s", bench_child_ours_small, bench_child_bare_small, "vfork, wait" },
    { "launch, reap, 1 GB", "1/s", bench_child_ours_large, bench_child_bare_large, "vfork, wait" },
    { "task, finished", "1/s", bench_tasks_ours, bench_tasks_bare, "vfork sh -c true" },
    { "API events, protobuf", "1/s", bench_api_events_protobuf, NULL, NULL },
    { "API events, JSON", "1/s", bench_api_events_json, NULL, NULL },
    { "API calls, protobuf", "1/s", bench_api_calls_protobuf, NULL, NULL },
    { "API calls, JSON", "1/s", bench_api_calls_json, NULL, NULL },
    { "API /state", "MB/s", bench_api_state, NULL, NULL },
    { "API /health p99", "us", bench_api_delay_loaded, bench_api_delay_quiet, "without /state" },
    { "1000 schedulers, CPU", "ms/s", bench_api_schedulers_cpu, NULL, NULL, 1 },
    { "1000 schedulers, each", "KB", bench_api_schedulers_memory, NULL, NULL, 1 },
    { "idle master, memory", "MB", bench_idle_master_memory, NULL, NULL, 1 },
    { "idle agent, memory", "MB", bench_idle_agent_memory, NULL, NULL, 1 },
    { "idle master, CPU", "ms/s", bench_idle_master_cpu, NULL, NULL, 1 },
    { "idle agent, CPU", "ms/s", bench_idle_agent_cpu, NULL, NULL, 1 },
    { "idle master, wakes", "1/s", bench_idle_master_wakes, NULL, NULL, 1 },
    { "idle agent, wakes", "1/s", bench_idle_agent_wakes, NULL, NULL, 1 },
};
/* clang-format on */

struct result {
    double figure, cpu; /* medians */
    double reference, reference_cpu;
    double ratio, least, most; /* of the rounds' figures, ours to the reference's */
    double cpu_ratio;
    struct peer_rounds peers[BENCH_PEERS];
    char why[160]; /* not measured */
};

/* ---- measuring ---- */

/* In a process of its own, which ends with us, and by itself when it hangs. */
static struct measure measure_apart(measure_f measure)
{
    struct measure *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct measure m;
    int status;
    pid_t pid;

    CHECK(shared != MAP_FAILED);
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(PATIENCE);
        _exit(measure(shared) < 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        measure_fail(shared, "the measurement was ended by a signal");
    m = *shared;
    munmap(shared, sizeof *shared);
    return m;
}

struct rounds {
    double figure[ROUNDS], cpu[ROUNDS], reference[ROUNDS], reference_cpu[ROUNDS];
    double ratio[ROUNDS], cpu_ratio[ROUNDS];
};

static void sum_up(struct result *r, const struct rounds *v, int n, bool has_reference)
{
    r->figure = measure_median(v->figure, n);
    r->cpu = measure_median(v->cpu, n);
    r->ratio = r->cpu_ratio = r->reference = r->reference_cpu = MEASURE_NAN;
    if (!has_reference)
        return;
    r->reference = measure_median(v->reference, n);
    r->reference_cpu = measure_median(v->reference_cpu, n);
    r->ratio = measure_median(v->ratio, n);
    r->cpu_ratio = measure_median(v->cpu_ratio, n);
    r->least = measure_least(v->ratio, n);
    r->most = measure_most(v->ratio, n);
}

static struct result run_row(const struct row *row)
{
    struct result r = { .figure = MEASURE_NAN };
    int n = row->rounds ? row->rounds : ROUNDS;
    struct rounds v;

    for (int i = 0; i < n; i++) {
        struct measure theirs = { .figure = MEASURE_NAN }, ours;

        if (row->reference)
            theirs = measure_apart(row->reference);
        ours = measure_apart(row->ours);
        if (*theirs.why || *ours.why) {
            memcpy(r.why, *ours.why ? ours.why : theirs.why, sizeof r.why);
            return r;
        }
        v.figure[i] = ours.figure;
        v.cpu[i] = ours.cpu;
        v.reference[i] = theirs.figure;
        v.reference_cpu[i] = theirs.cpu;
        v.ratio[i] = ours.figure / theirs.figure;
        v.cpu_ratio[i] = ours.cpu / theirs.cpu;
        if (row->workload)
            bench_peers_run(r.peers, row->workload, ours.figure);
    }
    sum_up(&r, &v, n, row->reference != NULL);
    return r;
}

/* ---- telling ---- */

static void print_cpu(double ns)
{
    if (isnan(ns))
        printf(" %9s", "-");
    else if (ns < 10000)
        printf(" %6.0f ns", ns);
    else
        printf(" %6.1f us", ns / 1000);
}

static void print_head(void)
{
    printf("%-20s %10s %-5s %9s  %7s %-15s %6s  %s\n", "", "figure", "unit", "CPU/op", "ratio",
           "(spread)", "CPU", "to the reference's figure, CPU/op");
}

static void print_row(const struct row *row, const struct result *r)
{
    char spread[40];

    if (*r->why) {
        printf("%-20s not measured: %s\n", row->name, r->why);
        return;
    }
    printf("%-20s %10.*f %-5s", row->name, r->figure < 100 ? 2 : 0, r->figure, row->unit);
    print_cpu(r->cpu);
    if (row->reference) {
        snprintf(spread, sizeof spread, "(%.2f-%.2f)", r->least, r->most);
        printf("  %7.2f %-15s %6.2f  %s: %.*f", r->ratio, spread, r->cpu_ratio, row->against,
               r->reference < 100 ? 2 : 0, r->reference);
        print_cpu(r->reference_cpu);
    }
    printf("\n");
    bench_peers_print(r->peers, row->unit);
    fflush(stdout);
}

static void put_double(struct json_writer *w, const char *key, double d)
{
    if (isnan(d))
        return;
    json_key(w, key);
    json_write_double(w, d);
}

static void write_row(struct json_writer *w, const struct row *row, const struct result *r)
{
    json_begin_object(w);
    json_put_string(w, "name", row->name);
    json_put_string(w, "unit", row->unit);
    if (*r->why) {
        json_put_string(w, "not_measured", r->why);
    } else {
        put_double(w, "figure", r->figure);
        put_double(w, "cpu_ns_per_operation", r->cpu);
        if (row->reference) {
            json_put_string(w, "reference", row->against);
            put_double(w, "reference_figure", r->reference);
            put_double(w, "reference_cpu_ns_per_operation", r->reference_cpu);
            put_double(w, "ratio", r->ratio);
            put_double(w, "ratio_least", r->least);
            put_double(w, "ratio_most", r->most);
            put_double(w, "cpu_ratio", r->cpu_ratio);
        }
        if (row->workload)
            bench_peers_write(w, r->peers);
    }
    json_end_object(w);
}

static int write_file(const char *path, struct buffer *json)
{
    FILE *f = fopen(path, "w");
    bool written;

    buffer_append_char(json, '\n');
    written = f && fwrite(buffer_data(json), buffer_length(json), 1, f) == 1;
    if (f && fclose(f) != 0)
        written = false;
    if (!written)
        fprintf(stderr, "bench: cannot write %s\n", path);
    return written ? 0 : -1;
}

/* ---- choosing ---- */

static bool is_chosen(const struct row *row, int n, char **prefixes)
{
    for (int i = 0; i < n; i++)
        if (strncmp(row->name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return n == 0;
}

static int run_rows(int n, char **prefixes)
{
    struct buffer out = BUFFER_INIT;
    struct json_writer w;
    int result = 0;

    json_writer_init(&w, &out);
    json_begin_array(&w);
    print_head();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct result r;

        if (!is_chosen(&rows[i], n, prefixes))
            continue;
        r = run_row(&rows[i]);
        print_row(&rows[i], &r);
        write_row(&w, &rows[i], &r);
    }
    json_end_array(&w);
    if (getenv("BENCH_JSON"))
        result = write_file(getenv("BENCH_JSON"), &out);
    buffer_release(&out);
    return result;
}

static int run_one(bool ours, char *prefix)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct measure m = { .figure = MEASURE_NAN };
        measure_f f = ours ? rows[i].ours : rows[i].reference;

        if (!is_chosen(&rows[i], 1, &prefix) || !f)
            continue;
        if (f(&m) < 0) {
            fprintf(stderr, "bench: %s\n", m.why);
            return -1;
        }
        printf("%s: %.2f %s, %.0f ns\n", rows[i].name, m.figure, rows[i].unit, m.cpu);
        return 0;
    }
    fprintf(stderr, "bench: no row begins with '%s'\n", prefix);
    return -1;
}

int main(int argc, char **argv)
{
    bool ours = argc == 3 && strcmp(argv[1], "--ours") == 0;
    bool reference = argc == 3 && strcmp(argv[1], "--reference") == 0;
    char folder[BENCH_CLUSTER_PATH];
    int result;

    signal(SIGPIPE, SIG_IGN);
    bench_cluster_folder(folder);
    setenv("TMPDIR", folder, 1);
    result = ours || reference ? run_one(ours, argv[2]) : run_rows(argc - 1, argv + 1);
    bench_cluster_remove(folder);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
