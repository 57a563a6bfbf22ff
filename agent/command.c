/* command.c - from a forked child to the command that was asked for
 *
 * In this order: signals first, so that a stop reaches us from here on; the
 * user before the folder and the files, so that those are his; the death signal
 * after the user, because a change of user clears it.
 */
#include "agent/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/launcher_protocol.h"
#include "base/error.h"

enum { EXIT_NOT_EXECUTED = 127, SIGSET_BYTES = 8 };

/* Does the C library keep this signal for itself, and catch it?  (The handler is the
 * first word of the kernel's struct.) */
static bool library_catches(int signo)
{
    unsigned long action[8] = { 0 };

    return signo > SIGSYS && signo < SIGRTMIN &&
           syscall(SYS_rt_sigaction, signo, NULL, action, SIGSET_BYTES) == 0 &&
           action[0] > (unsigned long)SIG_IGN;
}

/* All, also those that are ignored, by the kernel's own call: the C library keeps two for itself,
 * and would leave them ignored where whoever started us ignores them.  If it catches
 * them it still needs them, should there be a second thread when the user changes (a
 * sanitizer's); what is caught ends with the exec.  The kernel's struct is all zeros
 * for the default action, and not longer than this. */
static void reset_signals(void)
{
    const unsigned long action[8] = { 0 };
    sigset_t none;

    for (int signo = 1; signo <= SIGRTMAX; signo++)
        if (!library_catches(signo))
            syscall(SYS_rt_sigaction, signo, action, NULL, SIGSET_BYTES); /* not SIGKILL, SIGSTOP */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int become_user(const struct launch_request *r, struct error *err)
{
    if (!r->set_user)
        return 0;
    if (setgroups(r->n_groups, r->groups) < 0)
        return error_errno(err, "cannot take the supplementary groups of user %u", r->uid);
    if (setresgid(r->gid, r->gid, r->gid) < 0)
        return error_errno(err, "cannot become group %u", r->gid);
    if (setresuid(r->uid, r->uid, r->uid) < 0)
        return error_errno(err, "cannot become user %u", r->uid);
    return 0;
}

static int open_as(int fd, const char *path, int flags, struct error *err)
{
    int opened = open(path, flags | O_NOCTTY | O_CLOEXEC, 0644);

    if (opened < 0 || dup2(opened, fd) < 0)
        return error_errno(err, "cannot open '%s'", path);
    return 0;
}

static int open_stdio(const struct launch_request *r, struct error *err)
{
    const int append = O_WRONLY | O_CREAT | O_APPEND;

    if (open_as(STDIN_FILENO, "/dev/null", O_RDONLY, err) < 0 ||
        open_as(STDOUT_FILENO, r->out, append, err) < 0 ||
        open_as(STDERR_FILENO, r->err, append, err) < 0)
        return -1;
    return 0;
}

static int become(const struct launch_request *r, pid_t parent, struct error *err)
{
    reset_signals();
    if (setsid() < 0)
        return error_errno(err, "cannot make a session");
    umask(022);
    if (become_user(r, err) < 0)
        return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, "cannot ask for a signal at the supervisor's death");
    if (getppid() != parent)                     /* it died before that */
        _exit(EXIT_NOT_EXECUTED);
    if (chdir(r->directory) < 0)
        return error_errno(err, "cannot enter '%s'", r->directory);
    if (open_stdio(r, err) < 0)
        return -1;
    environ = r->envp;                           /* execvpe looks for PATH here */
    execvpe(r->program, r->argv, r->envp);
    return error_errno(err, "cannot execute '%s'", r->program);
}

void command_exec(const struct launch_request *request, pid_t parent, int report)
{
    struct error err;
    ssize_t written;

    become(request, parent, &err);
    written = write(report, err.text, strlen(err.text));
    _exit(written < 0 ? errno : EXIT_NOT_EXECUTED);
}
