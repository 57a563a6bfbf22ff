/* bench_tasks.c - commands from their launch to their end, by the real programs
 *
 * The reference starts the same commands one after the other, as the cheapest
 * loop does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/bench/bench_cluster.h"
#include "tests/bench/measure.h"

enum { TASKS = 300, BARE = 1000 };

static void write_commands(const char *path)
{
    FILE *f = fopen(path, "w");

    CHECK(f);
    for (size_t i = 0; i < TASKS; i++)
        fputs("true\n", f);
    fclose(f);
}

static int run_framework(struct measure *m, const struct bench_cluster *c, const char *path,
                         const struct stopwatch *watch)
{
    char commands[400], log[400], master[100], why[100];
    const char *argv[] = { path, master, "--log=error", "--no-output", NULL };
    int status;
    pid_t pid;

    snprintf(commands, sizeof commands, "%s/commands", c->dir);
    snprintf(log, sizeof log, "%s/framework.log", c->dir);
    snprintf(master, sizeof master, "--master=%s", c->master_address);
    write_commands(commands);
    pid = bench_cluster_run(path, argv, commands, log);
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return measure_finish(m, watch, TASKS);
    snprintf(why, sizeof why, "mesos-lite-framework ended with status %d", WEXITSTATUS(status));
    return measure_fail(m, why);
}

int bench_tasks_ours(struct measure *m)
{
    char path[BENCH_CLUSTER_PATH];
    struct bench_cluster c;
    struct stopwatch watch;
    int result;

    if (!bench_cluster_program("mesos-lite-framework", path))
        return measure_fail(m, "mesos-lite-framework is not built");
    if (bench_cluster_start(&c, m) < 0)
        return -1;
    watch = measure_start();
    result = run_framework(m, &c, path, &watch);
    bench_cluster_stop(&c);
    return result < 0 ? -1 : measure_finish_cpu(m, &watch, TASKS);
}

int bench_tasks_bare(struct measure *m)
{
    struct stopwatch watch = measure_start();

    for (size_t i = 0; i < BARE; i++) {
        pid_t pid = vfork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0) {
            execl("/bin/sh", "sh", "-c", "true", (char *)NULL);
            _exit(127);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    return measure_finish(m, &watch, BARE);
}
