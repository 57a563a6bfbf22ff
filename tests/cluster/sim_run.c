/* sim_run.c - many simulated clusters, each with its own workload and faults
 *
 *   sim_run --seeds=1-1000 [--jobs=2] [--first]     totals, and what fails
 *   sim_run --seed=7 [--trace=FILE] [--log]
 *
 * Three agents and two frameworks, of which one is PARTITION_AWARE; 50 to 70
 * tasks come during the first minutes; for at least ten virtual minutes faults
 * come at random moments, half of them a few steps after some message was
 * seen.  Then all is mended, and within thirty more minutes nothing may be
 * left to do.  A failing seed prints what was violated and the last events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/flags.h"
#include "base/memory.h"
#include "cluster.h"
#include "faults.h"
#include "properties.h"

enum {
    AGENTS = 3,
    FRAMEWORKS = 2,
    TASKS_MIN = 50,
    TASKS_MORE = 20,
    LAST_EVENTS = 60,
    FAILURES_SHOWN = 3
};
#define WORK_TIME MINUTES(8)
#define FAULT_TIME MINUTES(10)
#define CALM_TIME MINUTES(30)

struct totals {
    uint64_t runs, failures, first_failure, events, steps, tasks, ends[14], losses, virtual_seconds;
    uint64_t faults[FAULT_KIND_COUNT], restarts[3], self_ends[3], starts, durable, lost_sectors;
};

struct run {
    uint64_t seed;
    struct cluster *cluster;
    struct faults *faults;
    unsigned tasks_left, faults_left;
    struct instant next_task, next_fault;
    struct totals *totals;
};

struct options {
    char *seeds, *trace;
    int64_t seed, jobs;
    bool log, first;
};

#define AT(member) offsetof(struct options, member)
static const struct flag flags[] = {
    { .name = "seeds",
      .type = FLAG_STRING,
      .offset = AT(seeds),
      .value = "1-50",
      .help = "First and last seed." },
    { .name = "seed",
      .type = FLAG_INT,
      .offset = AT(seed),
      .value = "0",
      .max = 1e18,
      .help = "Only this one." },
    { .name = "jobs",
      .type = FLAG_INT,
      .offset = AT(jobs),
      .value = "1",
      .min = 1,
      .max = 256,
      .help = "OS processes to divide the seeds among." },
    { .name = "first",
      .type = FLAG_BOOL,
      .offset = AT(first),
      .value = "false",
      .help = "Stop (each job) at the first failing seed." },
    { .name = "trace",
      .type = FLAG_STRING,
      .offset = AT(trace),
      .help = "With --seed: a file for all its events." },
    { .name = "log",
      .type = FLAG_BOOL,
      .offset = AT(log),
      .value = "false",
      .help = "With --seed: the roles' log lines on stderr." },
    { .name = NULL },
};

/* ---- one run ---- */

static struct instant after(struct run *r, struct duration max)
{
    return instant_add(sim_now(r->cluster->sim),
                       NANOSECONDS((int64_t)sim_random_below(r->cluster->sim, (uint64_t)max.ns)));
}

static void add_task(struct run *r)
{
    struct sim *s = r->cluster->sim;
    struct work *w = r->cluster->frameworks[sim_random_below(s, FRAMEWORKS)].work;
    char command[64];

    snprintf(command, sizeof command, "%ssleep %u.%u; exit %u",
             sim_random_below(s, 10) ? "" : "trap '' TERM; ",
             (unsigned)sim_random_below(s, sim_random_below(s, 3) ? 10 : 120),
             (unsigned)sim_random_below(s, 10),
             sim_random_below(s, 5) ? 0 : (unsigned)sim_random_below(s, 4));
    struct work_task *t = work_add(w, command, 0.1 * (double)(1 + sim_random_below(s, 10)),
                                   32.0 * (double)(1 + sim_random_below(s, 8)));
    t->custom = sim_random_below(s, 6) == 0;
    t->http = t->custom && sim_random_below(s, 2) == 0;
    if (!t->custom && sim_random_below(s, 8) == 0)
        t->uri = sim_random_below(s, 4) ? "http://10.9.9.9/data" : "http://10.9.9.9/missing";
    r->totals->tasks++;
}

static void kill_a_task(struct run *r)
{
    struct sim *s = r->cluster->sim;
    struct work *w = r->cluster->frameworks[sim_random_below(s, FRAMEWORKS)].work;
    unsigned n = w->n_tasks ? (unsigned)sim_random_below(s, w->n_tasks) : 0;

    list_each (t, &w->tasks, struct work_task, link)
        if (n-- == 0 && !t->has_end)
            work_kill(t);
}

static void work_a_bit(struct run *r)
{
    struct sim *s = r->cluster->sim;

    if (r->tasks_left == 0 || instant_before(sim_now(s), r->next_task))
        return;
    for (uint64_t n = 1 + sim_random_below(s, 6); n > 0 && r->tasks_left > 0; n--, r->tasks_left--)
        add_task(r);
    if (sim_random_below(s, 3) == 0)
        kill_a_task(r);
    r->next_task = after(r, NANOSECONDS(WORK_TIME.ns / 12));
}

/* Half of the faults come a few steps after a message of a random type. */
struct moment {
    struct cluster *cluster;
    struct watch_for *watch;
    unsigned seen;
    uint64_t left;
};

static bool is_moment(void *arg)
{
    struct moment *m = arg;

    return m->watch->seen > m->seen && m->left-- == 0;
}

static void wait_for_a_moment(struct run *r)
{
    static const char *const names[] = {
        "RunTaskMessage",
        "StatusUpdateMessage",
        "StatusUpdateAcknowledgementMessage",
        "ResourceOffersMessage",
        "Call:ACCEPT",
        "Call:ACKNOWLEDGE",
        "RegisterSlaveMessage",
        "ReregisterSlaveMessage",
        "SlaveRegisteredMessage",
        "Call:SUBSCRIBE",
        "KillTaskMessage",
        "RegisterExecutorMessage",
    };
    struct sim *s = r->cluster->sim;
    struct watch_for *w = cluster_watch(r->cluster, names[sim_random_below(s, ARRAY_SIZE(names))]);
    struct moment m = { r->cluster, w, 0, sim_random_below(s, 40) };

    sim_run_until(s, is_moment, &m, SECONDS(30));
    list_remove(&w->link);
    mem_free(w);
}

static void one_fault(struct run *r)
{
    struct sim *s = r->cluster->sim;
    enum fault_kind kind = (enum fault_kind)sim_random_below(s, FAULT_KIND_COUNT);

    if (r->faults_left == 0 || instant_before(sim_now(s), r->next_fault))
        return;
    if (sim_random_below(s, 2))
        wait_for_a_moment(r);
    if (faults_begin(r->faults, kind)) {
        r->totals->faults[kind]++;
        r->faults_left--;
    }
    r->next_fault = after(r, SECONDS(sim_random_below(s, 3) ? 120 : 5));
}

static bool is_violated(const struct run *r)
{
    return r->cluster->ledger->violation[0] != '\0';
}

static void faulty_time(struct run *r)
{
    struct sim *s = r->cluster->sim;
    struct instant end = instant_add(sim_now(s), FAULT_TIME);

    while (!is_violated(r) && (instant_before(sim_now(s), end) || r->tasks_left > 0)) {
        cluster_run(r->cluster, NANOSECONDS(1 + (int64_t)sim_random_below(s, 4000000000)));
        faults_tick(r->faults);
        work_a_bit(r);
        one_fault(r);
    }
}

static void say_what_is_left(struct run *r)
{
    struct cluster *c = r->cluster;
    char what[200] = "no more";

    for (unsigned i = 0; i < FRAMEWORKS; i++) {
        struct work *w = c->frameworks[i].work;

        if (w->is_out)
            ledger_violate(c->ledger, "framework %u is out: %s", i + 1, w->error);
        list_each (t, &w->tasks, struct work_task, link)
            if (!t->has_end)
                ledger_violate(c->ledger,
                               "task %s of agent %s never ended; it was last told as %d, %s", t->id,
                               t->agent, (int)t->state, t->launched ? "launched" : "not launched");
    }
    properties_left_over(c, what, sizeof what);
    ledger_violate(c->ledger, "left over: %s", what);
}

static void add_totals(struct run *r)
{
    struct cluster *c = r->cluster;
    struct totals *t = r->totals;
    struct sim_counts counts;

    sim_counts(c->sim, &counts);
    t->runs++;
    t->events += c->events;
    t->steps += counts.steps;
    t->lost_sectors += counts.lost_sectors;
    t->starts += c->ledger->starts;
    t->durable += c->ledger->durable_count;
    t->virtual_seconds += (uint64_t)(sim_now(c->sim).ns / 1000000000);
    for (unsigned i = 0; i < 3; i++) {
        t->restarts[i] += c->restarts[i];
        t->self_ends[i] += c->self_ends[i];
    }
    for (unsigned i = 0; i < FRAMEWORKS; i++) {
        t->losses += c->frameworks[i].work->losses;
        for (unsigned end = 0; end < ARRAY_SIZE(t->ends); end++)
            t->ends[end] += work_count(c->frameworks[i].work, (Pb__TaskState)end);
    }
}

static void tell_failure(struct run *r)
{
    struct totals *t = r->totals;

    if (!t->failures++)
        t->first_failure = r->seed;
    printf("seed %llu: %s\n", (unsigned long long)r->seed, r->cluster->ledger->violation);
    if (t->failures > FAILURES_SHOWN)
        return;
    printf("  at %.6f s; the last events:\n", (double)sim_now(r->cluster->sim).ns / 1e9);
    cluster_print_last(r->cluster, stdout, LAST_EVENTS);
}

static void run_seed(uint64_t seed, const struct options *o, struct totals *totals)
{
    struct cluster_options options = {
        .seed = seed, .agents = AGENTS, .frameworks = FRAMEWORKS, .log = o->seed && o->log
    };
    struct run r = { .seed = seed, .totals = totals };

    if (o->seed && o->trace)
        options.trace = fopen(o->trace, "w");
    r.cluster = cluster_create(&options);
    r.faults = faults_create(r.cluster);
    r.tasks_left = TASKS_MIN + (unsigned)sim_random_below(r.cluster->sim, TASKS_MORE);
    r.faults_left = 3 + (unsigned)sim_random_below(r.cluster->sim, 7);
    r.next_fault = after(&r, SECONDS(60));
    faulty_time(&r);
    faults_stop(r.faults);
    if (!is_violated(&r) && !cluster_wait(r.cluster, cluster_is_quiet, CALM_TIME))
        say_what_is_left(&r);
    add_totals(&r);
    if (is_violated(&r))
        tell_failure(&r);
    if (o->seed)
        printf("seed %llu: %llu events, trace %016llx\n", (unsigned long long)seed,
               (unsigned long long)r.cluster->events, (unsigned long long)r.cluster->trace_hash);
    faults_destroy(r.faults);
    cluster_destroy(r.cluster);
    if (options.trace)
        fclose(options.trace);
}

/* ---- many ---- */

static void print_totals(const struct totals *t)
{
    static const char *const roles[] = { "master", "agent", "framework" };

    printf("%llu runs, %llu failed; %llu events, %llu steps, %llu virtual minutes\n",
           (unsigned long long)t->runs, (unsigned long long)t->failures,
           (unsigned long long)t->events, (unsigned long long)t->steps,
           (unsigned long long)t->virtual_seconds / 60);
    printf("tasks: %llu, commands started %llu; ended", (unsigned long long)t->tasks,
           (unsigned long long)t->starts);
    for (unsigned i = 0; i < ARRAY_SIZE(t->ends); i++) {
        const ProtobufCEnumValue *v =
            protobuf_c_enum_descriptor_get_value(&pb__task_state__descriptor, (int)i);

        if (t->ends[i])
            printf(" %s %llu", v->name + strlen("TASK_"), (unsigned long long)t->ends[i]);
    }
    printf("; losses told by the master %llu; durable acknowledgements %llu; sectors lost %llu\n",
           (unsigned long long)t->losses, (unsigned long long)t->durable,
           (unsigned long long)t->lost_sectors);
    for (unsigned i = 0; i < 3; i++)
        printf("restarts of %s: %llu, of them it ended itself %llu\n", roles[i],
               (unsigned long long)t->restarts[i], (unsigned long long)t->self_ends[i]);
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        printf("%8llu  %s\n", (unsigned long long)t->faults[i], faults_text((enum fault_kind)i));
}

static void add(struct totals *to, const struct totals *t)
{
    uint64_t first = to->failures ? to->first_failure : t->first_failure;
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *more = (const uint64_t *)t;

    if (t->failures && t->first_failure < first)
        first = t->first_failure;
    for (size_t i = 0; i < sizeof *t / sizeof *sum; i++)
        sum[i] += more[i];
    to->first_failure = first;
}

static void run_share(uint64_t from, uint64_t to, uint64_t step, const struct options *o,
                      struct totals *totals)
{
    for (uint64_t seed = from; seed <= to; seed += step) {
        run_seed(seed, o, totals);
        fflush(stdout);
        if (o->first && totals->failures)
            return;
    }
}

/* Each job takes every n-th seed and sends its totals through a pipe. */
static int run_jobs(uint64_t from, uint64_t to, const struct options *o, struct totals *totals)
{
    unsigned jobs = (unsigned)o->jobs;
    int *ends = mem_array(jobs, sizeof *ends);
    int bad = 0, status;

    for (unsigned i = 0; i < jobs; i++) {
        int pair[2];

        if (pipe(pair) < 0)
            return -1;
        fflush(stdout);
        if (fork() == 0) {
            struct totals own = { 0 };

            run_share(from + i, to, jobs, o, &own);
            _exit(write(pair[1], &own, sizeof own) == sizeof own ? 0 : 1);
        }
        close(pair[1]);
        ends[i] = pair[0];
    }
    for (unsigned i = 0; i < jobs; i++) {
        struct totals own;

        if (read(ends[i], &own, sizeof own) == sizeof own)
            add(totals, &own);
        else
            bad = -1;
        close(ends[i]);
        wait(&status);
    }
    mem_free(ends);
    return bad;
}

int main(int argc, char **argv)
{
    struct options o;
    struct totals totals = { 0 };
    struct error err;
    unsigned long long from, to;
    bool help;
    int bad = 0;

    if (flags_parse(flags, &o, argc, argv, NULL, &help, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    if (o.seed) {
        from = to = (unsigned long long)o.seed;
        o.jobs = 1;
    } else if (sscanf(o.seeds, "%llu-%llu", &from, &to) != 2) {
        fprintf(stderr, "--seeds must be FROM-TO\n");
        return 2;
    }
    if (o.jobs > 1)
        bad = run_jobs(from, to, &o, &totals);
    else
        run_share(from, to, 1, &o, &totals);
    print_totals(&totals);
    flags_release(flags, &o);
    if (bad)
        fprintf(stderr, "a job ended badly\n");
    return totals.failures || bad ? 1 : 0;
}
