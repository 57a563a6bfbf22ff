/* test_trace.c - the same seed is the same run, in any OS process
 *
 * The program runs sim_run twice, each in an address space of its own (which
 * the kernel lays out by chance), and compares the traces byte for byte.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/unit.h"

/* sim_run stands next to this program. */
static char *sim_run_path(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    ck_assert_int_gt(n, 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return mem_printf("%s/sim_run", self);
}

static char *run(unsigned seed, size_t *ret_size)
{
    char trace[] = "/tmp/mesos-lite-trace-XXXXXX", *path = sim_run_path(), *text;
    int fd = mkstemp(trace), status;
    pid_t pid;

    ck_assert_int_ge(fd, 0);
    pid = fork();
    if (pid == 0) {
        char *seed_flag = mem_printf("--seed=%u", seed),
             *trace_flag = mem_printf("--trace=%s", trace);

        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(path, path, seed_flag, trace_flag, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1); /* 1: a seed that fails */
    *ret_size = (size_t)lseek(fd, 0, SEEK_END);
    text = mem_alloc(*ret_size + 1);
    ck_assert_int_eq(pread(fd, text, *ret_size, 0), (ssize_t)*ret_size);
    close(fd);
    unlink(trace);
    mem_free(path);
    return text;
}

START_TEST(two_os_processes_see_the_same_events_of_a_seed)
{
    for (unsigned seed = 1; seed <= 6; seed++) {
        size_t a_size, b_size;
        char *a = run(seed, &a_size), *b = run(seed, &b_size);

        ck_assert_uint_gt(a_size, 100000);
        ck_assert_uint_eq(a_size, b_size);
        ck_assert_int_eq(memcmp(a, b, a_size), 0);
        mem_free(a);
        mem_free(b);
    }
}
END_TEST

START_TEST(two_seeds_are_two_runs)
{
    size_t a_size, b_size;
    char *a = run(1, &a_size), *b = run(2, &b_size);

    ck_assert(a_size != b_size || memcmp(a, b, a_size) != 0);
    mem_free(a);
    mem_free(b);
}
END_TEST

UNIT(trace, two_os_processes_see_the_same_events_of_a_seed, two_seeds_are_two_runs);
