/* test_host_real_processes.c - the OS processes of the machine, as the real host sees them */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "tests/unit.h"

static struct host_process see(struct host *h, pid_t pid)
{
    struct host_process *all, found = { 0 };
    struct error err;
    size_t n;

    ck_assert_msg(host_processes(h, &all, &n, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        if (all[i].pid == pid)
            found = all[i];
    mem_free(all);
    return found;
}

START_TEST(we_are_among_them)
{
    struct host *h = host_real_create();
    struct host_process us = see(h, getpid());
    struct error err;
    uint64_t start;

    ck_assert_int_eq(us.pid, getpid());
    ck_assert_int_eq(us.parent, getppid());
    ck_assert_int_eq(host_start_time(h, getpid(), &start, &err), 0);
    ck_assert_uint_eq(us.start_time, start);
    ck_assert_uint_ge(us.resident_bytes, 64 * 1024);
    host_destroy(h);
}
END_TEST

START_TEST(what_one_uses_grows)
{
    struct host *h = host_real_create();
    int64_t before = see(h, getpid()).user.ns;
    volatile uint64_t work = 0;

    while (see(h, getpid()).user.ns == before)
        for (int i = 0; i < 1000000; i++)
            work += (uint64_t)i;
    ck_assert_uint_gt(work, 0);
    ck_assert_int_gt(see(h, getpid()).user.ns, before);
    host_destroy(h);
}
END_TEST

START_TEST(a_child_has_its_parent_and_goes)
{
    struct host *h = host_real_create();
    pid_t child = fork();
    int status;

    if (child == 0)
        for (;;)
            pause();
    ck_assert_int_eq(see(h, child).parent, getpid());
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(see(h, child).pid, 0);
    host_destroy(h);
}
END_TEST

UNIT(host_real_processes, we_are_among_them, what_one_uses_grows, a_child_has_its_parent_and_goes);
