/* bench_cluster.c - a master and an agent as OS processes, for measurements
 *
 * Both listen on free ports and say which in a file.  What they print goes to
 * files in the run's folder, of which the end is shown when one dies early.
 */
#include "tests/bench/bench_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/compiler.h"
#include "tests/bench/measure.h"

enum { PATIENCE_MS = 30000, GRACE_MS = 10000 };

static void pause_ms(int ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };

    nanosleep(&t, NULL);
}

/* ---- programs ---- */

const char *bench_cluster_program(const char *name, char path[BENCH_CLUSTER_PATH])
{
    const char *builddir = getenv("builddir");

    snprintf(path, BENCH_CLUSTER_PATH, "%s/%s", builddir ? builddir : ".", name);
    return access(path, X_OK) == 0 ? path : NULL;
}

static void redirect(int to, const char *path, int modes)
{
    int fd = open(path, modes, 0644);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(126);
}

pid_t bench_cluster_run(const char *path, const char *const argv[], const char *in, const char *log)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(STDIN_FILENO, in ? in : "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND);
    redirect(STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND);
    execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* ---- files ---- */

static bool read_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "r");
    bool got = f && fgets(line, (int)size, f) != NULL;

    if (f)
        fclose(f);
    if (got)
        line[strcspn(line, "\n")] = '\0';
    return got;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
    return remove(path);
}

void bench_cluster_folder(char path[BENCH_CLUSTER_PATH])
{
    const char *parent = getenv("TMPDIR");

    snprintf(path, BENCH_CLUSTER_PATH, "%s/mesos-lite-bench-XXXXXX", parent ? parent : "/tmp");
    CHECK(mkdtemp(path));
}

void bench_cluster_remove(const char *path)
{
    nftw(path, remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* The last line of a log is most often why. */
static int fail_with_log(struct measure *m, const char *what, const char *log)
{
    char line[1000] = "", last[100] = "it said nothing", why[sizeof m->why];
    FILE *f = fopen(log, "r");

    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(last, sizeof last, "%.*s", (int)sizeof last - 1, line);
    }
    if (f)
        fclose(f);
    snprintf(why, sizeof why, "%.40s has failed: %s", what, last);
    return measure_fail(m, why);
}

/* ---- the two ---- */

/* Until the file is there; false when the process has ended or takes too long. */
static bool await_address(pid_t pid, const char *path, char *line, size_t size)
{
    for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
        siginfo_t ended = { .si_pid = 0 };

        if (read_line(path, line, size))
            return true;
        if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid)
            return false;
        pause_ms(5);
    }
    return false;
}

static int start_master(struct bench_cluster *c, const char *path, struct measure *m)
{
    char work[400], file[400], file_flag[450], log[400];
    const char *argv[] = { path, "--port=0", "--log=error", work, file_flag, NULL };

    snprintf(work, sizeof work, "--work_dir=%s/master", c->dir);
    snprintf(file, sizeof file, "%s/master.address", c->dir);
    snprintf(file_flag, sizeof file_flag, "--address_file=%s", file);
    snprintf(log, sizeof log, "%s/master.log", c->dir);
    c->master = bench_cluster_run(path, argv, NULL, log);
    if (!await_address(c->master, file, c->master_address, sizeof c->master_address))
        return fail_with_log(m, "mesos-lite-master", log);
    return 0;
}

unsigned short bench_cluster_master_port(const struct bench_cluster *c)
{
    const char *port = strrchr(c->master_address, ':');

    CHECK(port);
    return (unsigned short)strtoul(port + 1, NULL, 10);
}

/* One GET on a connection of its own; whether the answer contains `text`. */
static bool master_says(const struct bench_cluster *c, const char *path, const char *text)
{
    static const char form[] = "GET %s HTTP/1.1\r\nHost: master\r\nConnection: close\r\n\r\n";
    char bytes[65536];
    size_t got = 0;
    ssize_t n;
    int fd;

    fd = measure_connect(bench_cluster_master_port(c));
    snprintf(bytes, sizeof bytes, form, path);
    measure_write(fd, bytes, strlen(bytes));
    while (got < sizeof bytes - 1 && (n = read(fd, bytes + got, sizeof bytes - 1 - got)) > 0)
        got += (size_t)n;
    bytes[got] = '\0';
    close(fd);
    return strstr(bytes, text) != NULL;
}

static int start_agent(struct bench_cluster *c, const char *path, struct measure *m)
{
    char work[400], file[400], file_flag[450], log[400], master[100], address[64], helpers[400];
    const char *builddir = getenv("builddir");
    const char *argv[] = { path,
                           "--port=0",
                           "--log=error",
                           "--registration_backoff_factor=10ms",
                           "--resources=cpus:64;mem:65536;disk:65536",
                           "--no-switch_user",
                           master,
                           work,
                           file_flag,
                           helpers,
                           NULL };

    snprintf(master, sizeof master, "--master=%s", c->master_address);
    snprintf(helpers, sizeof helpers, "--launcher_dir=%s/agent", builddir ? builddir : ".");
    snprintf(work, sizeof work, "--work_dir=%s/agent", c->dir);
    snprintf(file, sizeof file, "%s/agent.address", c->dir);
    snprintf(file_flag, sizeof file_flag, "--address_file=%s", file);
    snprintf(log, sizeof log, "%s/agent.log", c->dir);
    c->agent = bench_cluster_run(path, argv, NULL, log);
    if (!await_address(c->agent, file, address, sizeof address))
        return fail_with_log(m, "mesos-lite-agent", log);
    for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
        if (master_says(c, "/state", "\"activated_slaves\":1"))
            return 0;
        pause_ms(10);
    }
    return fail_with_log(m, "the agent's registration", log);
}

int bench_cluster_start_master(struct bench_cluster *c, struct measure *m)
{
    char master[BENCH_CLUSTER_PATH];

    *c = (struct bench_cluster){ .master = 0 };
    if (!bench_cluster_program("mesos-lite-master", master))
        return measure_fail(m, "mesos-lite-master is not built");
    /* Orphans come to us: their time counts, and none stays. */
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    bench_cluster_folder(c->dir);
    if (start_master(c, master, m) == 0)
        return 0;
    bench_cluster_stop(c);
    return -1;
}

int bench_cluster_start(struct bench_cluster *c, struct measure *m)
{
    char agent[BENCH_CLUSTER_PATH];

    if (!bench_cluster_program("mesos-lite-agent", agent))
        return measure_fail(m, "mesos-lite-agent is not built");
    if (bench_cluster_start_master(c, m) < 0)
        return -1;
    if (start_agent(c, agent, m) == 0)
        return 0;
    bench_cluster_stop(c);
    return -1;
}

/* ---- the end ---- */

/* Waits for children until `last` of them is gone, or all (last 0); false when
 * that takes too long. */
static bool reap(pid_t last)
{
    for (int ms = 0; ms < GRACE_MS; ms += 5) {
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            if (pid == last)
                return true;
        if (pid < 0 && errno == ECHILD)
            return true;
        pause_ms(5);
    }
    return false;
}

static void kill_children(void)
{
    char path[64], line[4096];
    char *next = line, *end;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    if (!read_line(path, line, sizeof line))
        return;
    for (long pid; (pid = strtol(next, &end, 10)) > 0 && end != next; next = end)
        kill((pid_t)pid, SIGKILL);
}

static void end(pid_t pid)
{
    if (pid <= 0 || waitpid(pid, NULL, WNOHANG) != 0) /* not started, or has ended */
        return;
    kill(pid, SIGTERM);
    reap(pid);
}

/* The agent's launcher outlives it, by design. */
void bench_cluster_stop(struct bench_cluster *c)
{
    end(c->agent);
    end(c->master);
    do
        kill_children();
    while (!reap(0));
}
