/* host_real_exec.c - a new OS process, up to its exec
 *
 * Nearly always it runs in its parent's memory (host_real_child.c).  So there are
 * system calls only here, made directly: the C library's setuid and its kind
 * concern all threads of the memory they run in, and its locks may be held by
 * threads that do not exist here.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/host_real_launch.h"

enum { KERNEL_SIGNALS = 64, LINK = 3, SHELL_WORDS = 1 };

/* As the kernel takes it: all zero is SIG_DFL, whatever the order of its fields. */
struct kernel_action {
    unsigned long words[8];
};

/* Handlers first: ours must not run in the child, where our memory is shared. */
static long reset_signals(void)
{
    const struct kernel_action by_default = { { 0 } };
    const uint64_t none = 0;

    for (int i = 1; i <= KERNEL_SIGNALS; i++)
        syscall(SYS_rt_sigaction, i, &by_default, NULL, sizeof none);
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

static long become_user(const struct launch *l)
{
    if (!l->change_user)
        return 0;
    if (syscall(SYS_setgroups, l->n_groups, l->groups) < 0 ||
        syscall(SYS_setresgid, l->spec->gid, l->spec->gid, l->spec->gid) < 0)
        return -1;
    return syscall(SYS_setresuid, l->spec->uid, l->spec->uid, l->spec->uid);
}

/* After the change of user, which would undo it.  In a pid namespace of its own
 * a child cannot see its parent: 0. */
static long die_with_parent(const struct launch *l)
{
    long parent;

    if (!l->spec->dies_with_parent)
        return 0;
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -1;
    parent = syscall(SYS_getppid);
    if (parent != l->parent && parent != 0)
        syscall(SYS_exit_group, 128 + SIGKILL); /* it went before we could ask */
    return 0;
}

static long take_stdio(const struct launch *l)
{
    for (int i = 0; i < 3; i++)
        if (l->stdio[i] >= 0 && syscall(SYS_dup3, l->stdio[i], i, 0) < 0)
            return -1;
    return 0;
}

/* The link's end becomes LINK, which the exec closes. */
static long take_link(const struct launch *l)
{
    if (l->child_link < 0 || l->child_link == LINK)
        return 0;
    return syscall(SYS_dup3, l->child_link, LINK, O_CLOEXEC);
}

/* Where close_range is refused: all ours are close-on-exec anyway, this is for
 * those of libraries. */
static long close_others(const struct launch *l)
{
    const unsigned from = l->child_link < 0 ? LINK : LINK + 1;
    struct rlimit files = { 1024, 1024 };

    if (syscall(SYS_close_range, from, ~0U, 0U) == 0)
        return 0;
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files);
    for (rlim_t fd = from; fd < files.rlim_cur && fd < 65536; fd++)
        syscall(SYS_close, (int)fd);
    return 0;
}

/* Our signals are blocked still, and the parent's end is the parent's only: every
 * child closes what it has of others before it waits. */
static void await_hooks(const struct launch *l)
{
    const struct launch_failure none = { LAUNCH_STDIO, 0 };
    char go;

    if (l->child_link < 0)
        return;
    syscall(SYS_write, LINK, &none, sizeof none);
    if (syscall(SYS_read, LINK, &go, (size_t)1) != 1)
        syscall(SYS_exit_group, 128 + SIGKILL); /* the parent has gone */
}

static long change_directory(const struct launch *l)
{
    return l->spec->directory ? syscall(SYS_chdir, l->spec->directory) : 0;
}

/* As the shell does: the next in PATH when it is not there; the answer "not
 * permitted" is remembered, but others may follow. */
static void try_candidates(struct launch *l)
{
    bool refused = false;

    for (char **path = l->candidates; *path; path++) {
        syscall(SYS_execve, *path, l->spec->argv, l->envp);
        if (errno == ENOEXEC) {
            l->shell_argv[SHELL_WORDS] = *path;
            syscall(SYS_execve, "/bin/sh", l->shell_argv, l->envp);
        }
        refused = refused || errno == EACCES;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            return;
    }
    if (refused)
        errno = EACCES;
}

/* The first that fails. */
static enum launch_step prepare(const struct launch *l)
{
    if (take_stdio(l) < 0 || take_link(l) < 0 || close_others(l) < 0)
        return LAUNCH_STDIO;
    await_hooks(l);
    if (l->spec->new_session && syscall(SYS_setsid) < 0)
        return LAUNCH_SESSION;
    if (become_user(l) < 0)
        return LAUNCH_USER;
    if (change_directory(l) < 0)
        return LAUNCH_DIRECTORY;
    if (die_with_parent(l) < 0)
        return LAUNCH_TIE;
    if (reset_signals() < 0)
        return LAUNCH_SIGNALS;
    return LAUNCH_EXEC;
}

int host_real_exec_child(void *arg)
{
    struct launch *l = arg;
    struct launch_failure failure = { prepare(l), 0 };

    if (failure.step == LAUNCH_EXEC)
        try_candidates(l);
    failure.code = errno;
    if (l->child_link < 0)
        l->failure = failure;
    else
        syscall(SYS_write, failure.step == LAUNCH_STDIO ? l->child_link : LINK, &failure,
                sizeof failure);
    syscall(SYS_exit_group, 127);
    return 127;
}
