/* bench_peers.c - what others that have actors do in the same time
 *
 * A peer's program is told the workload and prints two numbers: the figure, and
 * nanoseconds of CPU for each operation.  It measures itself, so that neither
 * its start nor its end counts.
 */
#include "tests/bench/bench_peers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/json_writer.h"
#include "tests/bench/measure.h"

enum { PATIENCE = 120, PATH_SIZE = 4096 };

struct peer {
    const char *name;
    const char *file;     /* in the peers' folder */
    const char *workloads; /* that it knows, each between blanks */
};

static const struct peer peers[BENCH_PEERS] = {
    { "Erlang", "peer_erlang.beam", " dispatch ping-pong ring senders spawn idle timers " },
    { "CAF", "peer_caf", " dispatch ping-pong ring senders spawn idle " },
    { "Go", "peer_go", " dispatch ping-pong ring senders spawn idle timers " },
};

static const char *folder(char out[PATH_SIZE])
{
    const char *builddir = getenv("builddir");

    snprintf(out, PATH_SIZE, "%s/tests/bench/peers", builddir ? builddir : ".");
    return out;
}

static bool is_here(const struct peer *p)
{
    char in[PATH_SIZE], path[PATH_SIZE + 32];

    snprintf(path, sizeof path, "%s/%s", folder(in), p->file);
    return access(path, R_OK) == 0;
}

static bool knows(const struct peer *p, const char *workload)
{
    char word[64];

    snprintf(word, sizeof word, " %s ", workload);
    return strstr(p->workloads, word) != NULL;
}

/* In the child. */
static void become(const struct peer *p, const char *workload, int out)
{
    char in[PATH_SIZE], path[PATH_SIZE + 32];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(PATIENCE);
    dup2(out, STDOUT_FILENO);
    snprintf(path, sizeof path, "%s/%s", folder(in), p->file);
    if (strstr(p->file, ".beam"))
        execlp("erl", "erl", "-noshell", "+P", "2000000", "-pa", in, "-run", "peer_erlang", "main",
               workload, (char *)NULL);
    else
        execl(path, path, workload, (char *)NULL);
    _exit(127);
}

static bool run(const struct peer *p, const char *workload, double *ret_figure, double *ret_cpu)
{
    char line[200] = "";
    int pipes[2];
    ssize_t n;
    pid_t pid;

    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        become(p, workload, pipes[1]);
    close(pipes[1]);
    for (size_t at = 0; at + 1 < sizeof line; at += (size_t)n) {
        n = read(pipes[0], line + at, sizeof line - 1 - at);
        if (n <= 0)
            break;
    }
    close(pipes[0]);
    CHECK(waitpid(pid, NULL, 0) == pid);
    return sscanf(line, "%lf %lf", ret_figure, ret_cpu) == 2;
}

void bench_peers_run(struct peer_rounds *v, const char *workload, double ours)
{
    for (int i = 0; i < BENCH_PEERS; i++) {
        struct peer_rounds *r = &v[i];

        if (r->n == BENCH_PEERS_ROUNDS || !is_here(&peers[i]) || !knows(&peers[i], workload) ||
            !run(&peers[i], workload, &r->figure[r->n], &r->cpu[r->n]))
            continue;
        r->ratio[r->n] = ours / r->figure[r->n];
        r->n++;
    }
}

void bench_peers_print(const struct peer_rounds *v, const char *unit)
{
    for (int i = 0; i < BENCH_PEERS; i++) {
        const struct peer_rounds *r = &v[i];
        char spread[40];
        double figure, cpu;

        if (r->n == 0)
            continue;
        figure = measure_median(r->figure, r->n);
        cpu = measure_median(r->cpu, r->n);
        snprintf(spread, sizeof spread, "(%.2f-%.2f)", measure_least(r->ratio, r->n),
                 measure_most(r->ratio, r->n));
        printf("    to %-13s %10.*f %-5s", peers[i].name, figure < 100 ? 2 : 0, figure, unit);
        if (cpu > 0)
            printf(" %6.0f ns", cpu);
        else
            printf(" %9s", "-");
        printf("  %7.2f %s\n", measure_median(r->ratio, r->n), spread);
    }
}

void bench_peers_write(struct json_writer *w, const struct peer_rounds *v)
{
    json_key(w, "peers");
    json_begin_array(w);
    for (int i = 0; i < BENCH_PEERS; i++) {
        const struct peer_rounds *r = &v[i];

        if (r->n == 0)
            continue;
        json_begin_object(w);
        json_put_string(w, "name", peers[i].name);
        json_key(w, "figure");
        json_write_double(w, measure_median(r->figure, r->n));
        json_key(w, "cpu_ns_per_operation");
        json_write_double(w, measure_median(r->cpu, r->n));
        json_key(w, "ratio");
        json_write_double(w, measure_median(r->ratio, r->n));
        json_end_object(w);
    }
    json_end_array(w);
}
