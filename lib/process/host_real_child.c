/* host_real_child.c - launching OS processes
 *
 * clone(CLONE_VM | CLONE_VFORK): the child borrows our memory, on a stack of
 * its own, until it has called exec or failed, while this thread waits; so a
 * launch costs the same however large we are, and the child leaves the reason
 * of a failure in a struct.  Everything that allocates, looks up or opens is
 * therefore done before (`struct launch`); in the child there are system calls
 * only, made directly: the C library's setuid and its kind concern all threads
 * of the memory they run in.
 *
 * A child that shall die with its parent is told by the kernel when the thread
 * that made it ends.  Such children come from the spawner's thread, which
 * lives as long as the host.
 */
#include "process/host_real.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { STACK_SIZE = 64 * 1024, KERNEL_SIGNALS = 64, MAX_GROUPS = 65536, SHELL_WORDS = 1 };

struct launch {
    const struct child_spec *spec;
    char **candidates; /* paths to try, ends with NULL */
    char **shell_argv; /* for a script without "#!" */
    char *const *envp;
    gid_t *groups; /* of set_user */
    int n_groups;
    bool change_user;
    int stdio[3]; /* -1: inherit */
    pid_t parent, pid;
    const char *failed_step; /* written by the child */
    int failed_code;         /* of the step, or of clone; 0: none */
};

/* ---- in the child ---- */

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

/* After the change of user, which would undo it. */
static long die_with_parent(const struct launch *l)
{
    if (!l->spec->dies_with_parent)
        return 0;
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -1;
    if (syscall(SYS_getppid) != l->parent)
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

/* Where close_range is refused: all ours are close-on-exec anyway, this is for
 * those of libraries. */
static long close_others(void)
{
    struct rlimit files = { 1024, 1024 };

    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return 0;
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files);
    for (rlim_t fd = 3; fd < files.rlim_cur && fd < 65536; fd++)
        syscall(SYS_close, (int)fd);
    return 0;
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

static long change_directory(const struct launch *l)
{
    return l->spec->directory ? syscall(SYS_chdir, l->spec->directory) : 0;
}

static const char *prepare_child(const struct launch *l)
{
    if (l->spec->new_session && syscall(SYS_setsid) < 0)
        return "start a session";
    if (take_stdio(l) < 0)
        return "set up its input and output";
    if (become_user(l) < 0)
        return "become its user";
    if (change_directory(l) < 0)
        return "enter its folder";
    if (die_with_parent(l) < 0)
        return "tie it to its parent";
    if (close_others() < 0 || reset_signals() < 0)
        return "reset its signals";
    return NULL;
}

static int child_main(void *arg)
{
    struct launch *l = arg;

    l->failed_step = prepare_child(l);
    if (!l->failed_step) {
        l->failed_step = "run it";
        try_candidates(l);
    }
    l->failed_code = errno;
    syscall(SYS_exit_group, 127);
    return 127;
}

/* ---- around the child ---- */

static const char *environment_get(char *const *envp, const char *name)
{
    size_t length = strlen(name);

    for (; *envp; envp++)
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return *envp + length + 1;
    return NULL;
}

static char **find_candidates(const char *program, const char *path)
{
    size_t n = 0, room = 2;
    char **found;

    for (const char *p = path; *p; p++)
        room += *p == ':';
    found = mem_array(room, sizeof *found);
    if (strchr(program, '/')) {
        found[0] = mem_strdup(program);
        return found;
    }
    for (const char *p = path;; p++) {
        size_t length = strcspn(p, ":");

        found[n++] = mem_printf("%.*s%s%s", (int)length, p, length ? "/" : "./", program);
        p += length;
        if (!*p)
            break;
    }
    return found;
}

static char **make_shell_argv(char *const *argv)
{
    size_t n = 0;
    char **words;

    while (argv[n])
        n++;
    words = mem_array(n + 2, sizeof *words);
    words[0] = (char *)(uintptr_t) "sh"; /* words[SHELL_WORDS] is the script */
    for (size_t i = 1; i < n; i++)
        words[SHELL_WORDS + i] = argv[i];
    return words;
}

/* Above the three, so that taking one place of stdio destroys no other. */
static int open_high(const char *path, int flags, struct error *err)
{
    int low = open(path, flags | O_CLOEXEC | O_NOCTTY, 0644);
    int high;

    if (low < 0)
        return error_errno(err, "Failed to open '%s'", path);
    if (low > 2)
        return low;
    high = fcntl(low, F_DUPFD_CLOEXEC, 3);
    if (high < 0)
        error_errno(err, "Failed to open '%s'", path);
    close(low);
    return high;
}

static int open_stdio(struct launch *l, int i, enum child_stdio kind, const char *path,
                      struct error *err)
{
    const int flags = i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND;

    if (kind == CHILD_INHERIT)
        return 0;
    l->stdio[i] = open_high(kind == CHILD_NULL ? "/dev/null" : path, flags, err);
    return l->stdio[i] < 0 ? -1 : 0;
}

/* Nothing to change when we are that user already. */
static int find_groups(struct launch *l, struct error *err)
{
    const struct child_spec *spec = l->spec;

    if (!spec->set_user || (spec->uid == geteuid() && spec->gid == getegid()))
        return 0;
    l->change_user = true;
    l->n_groups = 64;
    for (;;) {
        int room = l->n_groups;

        l->groups = mem_realloc(l->groups, (size_t)room * sizeof *l->groups);
        if (!spec->user) {
            l->groups[0] = spec->gid;
            l->n_groups = 1;
            return 0;
        }
        if (getgrouplist(spec->user, spec->gid, l->groups, &l->n_groups) >= 0)
            return 0;
        l->n_groups = l->n_groups > room ? l->n_groups : room * 2;
        if (l->n_groups > MAX_GROUPS)
            return error_set(err, EOVERFLOW, "The user '%s' is in too many groups", spec->user);
    }
}

static int launch_init(struct launch *l, struct host *h, const struct child_spec *spec,
                       struct error *err)
{
    const char *path;

    *l = (struct launch){ .spec = spec, .stdio = { -1, -1, -1 } };
    l->envp = spec->envp ? spec->envp : host_environment(h);
    path = environment_get(l->envp, "PATH");
    l->candidates = find_candidates(spec->path, path ? path : "/usr/local/bin:/usr/bin:/bin");
    l->shell_argv = make_shell_argv(spec->argv);
    if (open_stdio(l, 0, spec->in, spec->in_path, err) < 0 ||
        open_stdio(l, 1, spec->out, spec->out_path, err) < 0 ||
        open_stdio(l, 2, spec->err, spec->err_path, err) < 0)
        return -1;
    return find_groups(l, err);
}

static void launch_release(struct launch *l)
{
    for (char **p = l->candidates; *p; p++)
        mem_free(*p);
    mem_free(l->candidates);
    mem_free(l->shell_argv);
    mem_free(l->groups);
    for (int i = 0; i < 3; i++)
        if (l->stdio[i] >= 0)
            close(l->stdio[i]);
}

#if defined(__SANITIZE_THREAD__)
/* The sanitizer's clone takes every child for one with memory of its own. */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define CLONE __clone
#else
#define CLONE clone
#endif

/* On the thread that is to be the parent: blocks signals, whose handlers must
 * not run in the child, until the child has our memory no more. */
static void clone_child(void *arg)
{
    struct launch *l = arg;
    sigset_t all, before;
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED) {
        l->failed_step = "get a stack";
        l->failed_code = errno;
        return;
    }
    l->parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    l->pid = CLONE(child_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
    if (l->pid < 0) {
        l->failed_step = "make an OS process";
        l->failed_code = errno;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_SIZE);
}

static int launch_failed(const struct launch *l, struct error *err)
{
    if (l->pid > 0)
        while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    errno = l->failed_code;
    return error_errno(err, "Failed to launch '%s': could not %s", l->spec->path, l->failed_step);
}

int host_real_child_spawn(struct loop *loop, const struct child_spec *spec, child_ended_f ended,
                          void *arg, pid_t *ret_pid, struct error *err)
{
    struct launch l;
    int status = launch_init(&l, loop->host, spec, err);

    if (status == 0 && spec->dies_with_parent)
        host_real_pool_call(&real_host(loop->host)->spawner, clone_child, &l);
    else if (status == 0)
        clone_child(&l);
    if (status == 0 && l.failed_code)
        status = launch_failed(&l, err);
    launch_release(&l);
    if (status < 0)
        return -1;
    if (ret_pid)
        *ret_pid = l.pid; /* before `ended`, which may come on another thread */
    host_real_watch_child(loop, l.pid, ended, arg);
    return 0;
}
