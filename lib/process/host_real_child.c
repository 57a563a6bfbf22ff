/* host_real_child.c - launching OS processes
 *
 * clone(CLONE_VM | CLONE_VFORK): the child borrows our memory, on a stack of
 * its own, until it has called exec or failed, while this thread waits; so a
 * launch costs the same however large we are, and the child leaves the reason
 * of a failure in a struct.  Everything that allocates, looks up or opens is
 * therefore done before (`struct launch`); what the child does is
 * host_real_exec.c.
 *
 * With hooks the thread does not wait in clone: the child, which still borrows
 * our memory, waits at a socket until the hooks have run.  The two share this
 * thread's errno, so never more than one of them moves: the other waits at its
 * end of the socket.  A clone function may give the child memory of its own: what
 * has to be said goes through that socket, too.
 *
 * A child that shall die with its parent is told by the kernel when the thread
 * that made it ends.  Such children come from the spawner's thread, which
 * lives as long as the host; the hooks run there, too, for the sake of errno.
 */
#include "process/host_real.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host_real_launch.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

enum { STACK_SIZE = 64 * 1024, MAX_GROUPS = 65536, SHELL_WORDS = 1 };

/* ---- before the child ---- */

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
    words = mem_array(n + SHELL_WORDS + 2, sizeof *words);
    words[0] = (char *)(uintptr_t) "sh"; /* words[SHELL_WORDS] is the script */
    for (size_t i = 1; i < n; i++)
        words[SHELL_WORDS + i] = argv[i];
    return words;
}

/* Above the three, so that taking one place of stdio destroys no other. */
static int duplicate_high(int fd, const char *what, struct error *err)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (high < 0)
        error_errno(err, "Failed to open '%s'", what);
    return high;
}

static int open_high(const char *path, int flags, struct error *err)
{
    int low = open(path, flags | O_CLOEXEC | O_NOCTTY, 0644);
    int high;

    if (low < 0)
        return error_errno(err, "Failed to open '%s'", path);
    if (low > 2)
        return low;
    high = duplicate_high(low, path, err);
    close(low);
    return high;
}

/* One of the three. */
struct stdio {
    enum child_stdio kind;
    const char *path;
    int fd;
    struct stream **ret_ours;
};

static int open_stdio(struct launch *l, int i, struct stdio s, struct error *err)
{
    const int flags = i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND;
    char name[32];

    switch (s.kind) {
    case CHILD_INHERIT:
        return 0;
    case CHILD_NULL:
        l->stdio[i] = open_high("/dev/null", flags, err);
        break;
    case CHILD_PATH:
        l->stdio[i] = open_high(s.path, flags, err);
        break;
    case CHILD_FD:
        snprintf(name, sizeof name, "descriptor %d", s.fd);
        l->stdio[i] = duplicate_high(s.fd, name, err);
        break;
    case CHILD_PIPE:
        *s.ret_ours = host_real_pipe_open(i != 0, &l->stdio[i], err);
        break;
    }
    return l->stdio[i] < 0 ? -1 : 0;
}

static int open_all_stdio(struct launch *l, struct child_pipes *pipes, struct error *err)
{
    const struct child_spec *spec = l->spec;
    const struct stdio in = { spec->in, spec->in_path, spec->in_fd, &pipes->in };
    const struct stdio out = { spec->out, spec->out_path, spec->out_fd, &pipes->out };
    const struct stdio error = { spec->err, spec->err_path, spec->err_fd, &pipes->err };

    return open_stdio(l, 0, in, err) < 0 || open_stdio(l, 1, out, err) < 0 ||
                   open_stdio(l, 2, error, err) < 0
               ? -1
               : 0;
}

/* The child's end above the three, which it takes before. */
static int open_link(struct launch *l, struct error *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(err, "Failed to make a pair of sockets");
    l->link = ends[0];
    l->child_link = duplicate_high(ends[1], "a socket", err);
    l->is_child_link_open = l->child_link >= 0;
    close(ends[1]);
    return l->child_link < 0 ? -1 : 0;
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
                       struct child_pipes *pipes, struct error *err)
{
    const char *path;

    *l = (struct launch){
        .spec = spec, .stdio = { -1, -1, -1 }, .link = -1, .child_link = -1, .pid = -1, .pidfd = -1
    };
    l->envp = spec->envp ? spec->envp : host_environment(h);
    path = environment_get(l->envp, "PATH");
    l->candidates = find_candidates(spec->path, path ? path : "/usr/local/bin:/usr/bin:/bin");
    l->shell_argv = make_shell_argv(spec->argv);
    if (open_all_stdio(l, pipes, err) < 0)
        return -1;
    if ((spec->clone || spec->n_hooks > 0) && open_link(l, err) < 0)
        return -1;
    return find_groups(l, err);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The child may look at its number still. */
static void close_child_link(struct launch *l)
{
    if (l->is_child_link_open)
        close(l->child_link);
    l->is_child_link_open = false;
}

/* Mapped once rather than for each: giving one back stops all our threads for a moment. */
static char *take_stack(struct real_host *h)
{
    char *spare = atomic_exchange(&h->spare_stack, NULL);

    if (spare)
        return spare;
    return mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
}

static void give_stack(struct real_host *h, char *stack)
{
    char *surplus = atomic_exchange(&h->spare_stack, stack);

    if (surplus)
        munmap(surplus, STACK_SIZE);
}

void host_real_child_release(struct real_host *h)
{
    give_stack(h, NULL);
}

static void launch_release(struct launch *l, struct real_host *h)
{
    for (char **p = l->candidates; *p; p++)
        mem_free(*p);
    mem_free(l->candidates);
    mem_free(l->shell_argv);
    mem_free(l->groups);
    for (int i = 0; i < 3; i++)
        close_fd(&l->stdio[i]);
    close_fd(&l->link);
    close_child_link(l);
    close_fd(&l->pidfd);
    if (l->stack)
        give_stack(h, l->stack);
}

/* ---- making the child ---- */

#if defined(__SANITIZE_THREAD__)
/* The sanitizer's clone takes every child for one with memory of its own. */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define CLONE __clone
#else
#define CLONE clone
#endif

static int could_not_clone(struct launch *l)
{
    l->failure = (struct launch_failure){ LAUNCH_CLONE, errno };
    return -1;
}

/* Kernels without pidfds take no notice of that flag, sandboxes may refuse it. */
static pid_t clone_borrowing(struct launch *l)
{
    const int flags = CLONE_VM | (l->child_link < 0 ? CLONE_VFORK : 0) | SIGCHLD;
    pid_t pid =
        CLONE(host_real_exec_child, l->stack + STACK_SIZE, flags | CLONE_PIDFD, l, &l->pidfd);

    if (pid < 0 && errno == EINVAL)
        pid = CLONE(host_real_exec_child, l->stack + STACK_SIZE, flags, l);
    return pid;
}

/* On the thread that is to be the parent: blocks signals, whose handlers must
 * not run in the child, which lets them in when it has none of ours. */
static int clone_child(struct launch *l, struct real_host *h)
{
    const struct child_spec *spec = l->spec;
    sigset_t all, before;

    if (!spec->clone) {
        char *stack = take_stack(h);

        if (stack == MAP_FAILED)
            return could_not_clone(l);
        l->stack = stack;
    }
    l->parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    l->pid =
        spec->clone ? spec->clone(spec->clone_arg, host_real_exec_child, l) : clone_borrowing(l);
    if (l->pid < 0)
        could_not_clone(l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->pid < 0 ? -1 : 0;
}

/* ---- with the child ---- */

static void reap(struct launch *l)
{
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int run_hooks(struct launch *l, struct error *err)
{
    for (size_t i = 0; i < l->spec->n_hooks; i++) {
        const struct child_hook *hook = &l->spec->hooks[i];

        if (hook->run(hook->arg, l->pid, err) < 0)
            return error_wrap(err, "Failed to launch '%s'", l->spec->path);
    }
    return 0;
}

/* Until the child waits for us, or its program runs, or it says why not. */
static int hear(struct launch *l)
{
    struct launch_failure failure;
    ssize_t n;

    do /* whatever errno says, which may be the child's: the end will come */
        n = recv(l->link, &failure, sizeof failure, MSG_WAITALL);
    while (n < 0);
    if (n == sizeof failure)
        l->failure = failure;
    return l->failure.code ? -1 : 0;
}

struct launching {
    struct launch *launch;
    struct real_host *host;
    int status;
    struct error error;
};

/* On the thread that is to be the parent. */
static void run_launch(void *arg)
{
    struct launching *of = arg;
    struct launch *l = of->launch;

    of->status = clone_child(l, of->host);
    if (of->status < 0 || l->link < 0)
        return;
    close_child_link(l);
    if (hear(l) < 0)
        return;
    of->status = run_hooks(l, &of->error);
    if (of->status < 0) {
        kill(l->pid, SIGKILL);
        return;
    }
    send(l->link, "", 1, MSG_NOSIGNAL); /* it may have ended meanwhile */
    hear(l);
}

static int launch_failed(struct launching *of, struct error *err)
{
    /* clang-format off */
    static const char *const deeds[] = {
        [LAUNCH_CLONE] = "make an OS process", [LAUNCH_STDIO] = "set up its input and output",
        [LAUNCH_SESSION] = "start a session", [LAUNCH_USER] = "become its user",
        [LAUNCH_DIRECTORY] = "enter its folder", [LAUNCH_TIE] = "tie it to its parent",
        [LAUNCH_SIGNALS] = "reset its signals", [LAUNCH_EXEC] = "run it",
    };
    /* clang-format on */
    const struct launch *l = of->launch;
    const char *folder = l->failure.step == LAUNCH_DIRECTORY ? l->spec->directory : NULL;

    if (l->failure.code == 0)
        return error_copy(err, &of->error); /* a hook's */
    errno = l->failure.code;
    return error_errno(err, "Failed to launch '%s': could not %s%s%s%s", l->spec->path,
                       deeds[l->failure.step], folder ? " '" : "", folder ? folder : "",
                       folder ? "'" : "");
}

static int launch_run(struct launch *l, struct host *h, struct error *err)
{
    struct launching of = { .launch = l, .host = real_host(h) };

    if (l->spec->dies_with_parent)
        host_real_pool_call(&real_host(h)->spawner, run_launch, &of);
    else
        run_launch(&of);
    if (of.status == 0 && l->failure.code == 0)
        return 0;
    if (l->pid > 0)
        reap(l);
    return launch_failed(&of, err);
}

int host_real_child_spawn(struct loop *loop, const struct child_spec *spec, child_ended_f ended,
                          void *arg, pid_t *ret_pid, struct error *err)
{
    struct child_pipes pipes = { NULL, NULL, NULL };
    struct launch l;
    int status = launch_init(&l, loop->host, spec, &pipes, err);

    if (status == 0)
        status = launch_run(&l, loop->host, err);
    if (status == 0) {
        if (spec->pipes)
            *spec->pipes = pipes;
        if (ret_pid)
            *ret_pid = l.pid; /* before `ended`, which may come on another thread */
        host_real_watch_child(loop, l.pid, l.pidfd, ended, arg);
        l.pidfd = -1;
    } else {
        stream_close(pipes.in);
        stream_close(pipes.out);
        stream_close(pipes.err);
    }
    launch_release(&l, real_host(loop->host));
    return status;
}
