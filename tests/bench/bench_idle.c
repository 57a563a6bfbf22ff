/* bench_idle.c - what a master and an agent cost that have nothing to do
 *
 * One agent is registered; after SETTLE seconds, for the timers of the start,
 * they are watched for WATCH seconds.  Every row is a run of its own.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/bench/bench_cluster.h"
#include "tests/bench/bench_idle.h"
#include "tests/bench/measure.h"

enum { SETTLE = 2, WATCH = 5 };

/* The number behind `key` in a file of /proc, 0 if there is none. */
static double number_of(const char *path, const char *key)
{
    char line[300];
    FILE *f = fopen(path, "r");
    double number = 0;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) {
            number = strtod(line + strlen(key), NULL);
            break;
        }
    if (f)
        fclose(f);
    return number;
}

/* Of all threads. */
static double sum_of_threads(pid_t pid, const char *file, const char *key)
{
    char folder[64], path[400];
    struct dirent *entry;
    double sum = 0;
    DIR *dir;

    snprintf(folder, sizeof folder, "/proc/%d/task", (int)pid);
    dir = opendir(folder);
    CHECK(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", folder, entry->d_name, file);
        sum += number_of(path, key);
    }
    closedir(dir);
    return sum;
}

/* schedstat's first number: nanoseconds on a CPU, of which utime and stime are
 * the same sum in ticks of 10 ms. */
double bench_idle_ms_of(pid_t pid)
{
    return sum_of_threads(pid, "schedstat", "") / 1e6;
}

static double wakes(pid_t pid)
{
    return sum_of_threads(pid, "status", "voluntary_ctxt_switches:");
}

double bench_idle_memory_of(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return number_of(path, "VmRSS:") / 1024;
}

/* A level (seconds 0), or by how much something has grown a second. */
static int look(struct measure *m, int of_agent, double (*at)(pid_t pid), unsigned seconds)
{
    struct bench_cluster c;
    double before;
    pid_t pid;

    if (bench_cluster_start(&c, m) < 0)
        return -1;
    sleep(SETTLE);
    pid = of_agent ? c.agent : c.master;
    before = at(pid);
    m->figure = before;
    if (seconds > 0) {
        sleep(seconds);
        m->figure = (at(pid) - before) / seconds;
    }
    m->cpu = MEASURE_NAN;
    bench_cluster_stop(&c);
    return 0;
}

int bench_idle_master_memory(struct measure *m)
{
    return look(m, 0, bench_idle_memory_of, 0);
}
int bench_idle_agent_memory(struct measure *m)
{
    return look(m, 1, bench_idle_memory_of, 0);
}
int bench_idle_master_cpu(struct measure *m)
{
    return look(m, 0, bench_idle_ms_of, WATCH);
}
int bench_idle_agent_cpu(struct measure *m)
{
    return look(m, 1, bench_idle_ms_of, WATCH);
}
int bench_idle_master_wakes(struct measure *m)
{
    return look(m, 0, wakes, WATCH);
}
int bench_idle_agent_wakes(struct measure *m)
{
    return look(m, 1, wakes, WATCH);
}
