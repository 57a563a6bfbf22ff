/* launcher_main.c - mesos-lite-launcher: the parent of an agent's runs
 *
 * One for each work directory; the agent starts it, and it outlives the agent.
 * It is linked statically and stays small, because each run costs two forks of
 * it.  launcher.h is the agent's side, launcher_protocol.h what both say, run.h
 * what a run leaves behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/launcher_serve.h"
#include "agent/supervisor.h"
#include "base/context.h"
#include "base/error.h"
#include "base/log.h"

#define LOCK_NAME "launcher.lock"
#define SOCKET_NAME "launcher.sock"

static struct instant read_clock(void *arg UNUSED)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct instant){ (int64_t)t.tv_sec * 1000000000 + t.tv_nsec };
}

/* So that no descriptor of ours gets the number of one of the three. */
static void open_stdio(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

static int read_boot_id(char *out, size_t size, struct error *err)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    FILE *f = fopen(path, "re");
    char *line;

    if (!f)
        return error_errno(err, "cannot open %s", path);
    line = fgets(out, (int)size, f);
    fclose(f);
    if (!line || strlen(out) < 2)
        return error_set(err, EBADMSG, "cannot read %s", path);
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

/* In the current folder, so that the work directory's path may be of any length. */
static int listen_here(struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_NAME };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(err, "cannot make a socket");
    unlink(SOCKET_NAME); /* of a launcher that was killed: the lock is ours */
    umask(0177);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0) {
        error_errno(err, "cannot listen on '%s'", SOCKET_NAME);
        close(fd);
        return -1;
    }
    return fd;
}

static int open_signals(struct error *err)
{
    sigset_t all, ours;
    int fd;

    sigfillset(&all);                            /* supervisors begin with all of them blocked */
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? error_errno(err, "cannot make a signalfd") : fd;
}

static int serve(int lock, struct error *err)
{
    struct launcher_serve *s;
    char boot_id[64];
    int signals, listener;

    if (read_boot_id(boot_id, sizeof boot_id, err) < 0)
        return -1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signals = open_signals(err);
    listener = signals < 0 ? -1 : listen_here(err);
    if (listener < 0)
        return -1;
    s = launcher_serve_create(signals, listener, SOCKET_NAME, lock, boot_id);
    log_info("launcher started");
    launcher_serve_run(s);
    log_info("launcher ends: nothing is left to do");
    launcher_serve_destroy(s);
    return 0;
}

static int run(const char *work_dir)
{
    struct error err;
    int lock;

    if (chdir(work_dir) < 0 || chdir("meta") < 0) {
        error_errno(&err, "cannot enter '%s/meta'", work_dir);
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    lock = supervisor_lock(AT_FDCWD, LOCK_NAME, &err);
    if (lock < 0 && err.code == EAGAIN) {
        log_info("another launcher serves '%s'", work_dir);
        return EXIT_SUCCESS;
    }
    if (lock < 0 || serve(lock, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const char flag[] = "--work_dir=";
    struct context context = { .actor = "launcher", .event = "", .sender = "" };
    int status;

    open_stdio();
    if (argc != 2 || strncmp(argv[1], flag, sizeof flag - 1) != 0 || !argv[1][sizeof flag - 1]) {
        fprintf(stderr,
                "usage: mesos-lite-launcher --work_dir=DIR\n"
                "The parent of the runs of the agent with this work directory, which starts it.\n");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    context.log = log_create(NULL, NULL, read_clock, NULL);
    context_set(&context);
    status = run(argv[1] + sizeof flag - 1);
    context_set(NULL);
    log_destroy(context.log);
    return status;
}
