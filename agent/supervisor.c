/* supervisor.c - keeps one run's record, from `started` to `exit`
 *
 * All signals stay blocked and are taken one by one: SIGCHLD, SIGTERM (stop) and
 * SIGUSR1 (kill).  Being a child subreaper, it has no descendants left when it
 * has no children left.
 */
#include "agent/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/descendants.h"
#include "agent/launcher_protocol.h"
#include "agent/run.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

struct supervisor {
    const struct launch_request *request;
    int folder;                   /* of the run */
    pid_t command;
    int report;                   /* why it could not be executed, if so */
};

static int write_all(int fd, const struct buffer *b, struct error *err)
{
    const char *data = buffer_data(b);
    size_t done = 0;

    while (done < buffer_length(b)) {
        ssize_t n = write(fd, data + done, buffer_length(b) - done);

        if (n < 0 && errno != EINTR)
            return error_errno(err, "cannot write");
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

/* A new file with this content; the lock makes its name ours. */
static int write_file(int folder, const char *name, const struct buffer *content, bool sync,
                      struct error *err)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return error_errno(err, "cannot make '%s'", name);
    r = write_all(fd, content, err);
    if (r == 0 && sync && fsync(fd) < 0)
        r = error_errno(err, "cannot sync '%s'", name);
    close(fd);
    return r;
}

int supervisor_lock(int folder, const char *name, struct error *err)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, "cannot open '%s'", name);
    if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
        if (errno == EACCES)
            errno = EAGAIN;
        error_errno(err, "cannot lock '%s'", name);
        close(fd);
        return -1;
    }
    return fd;
}

/* Field 22 of our own stat; the name in field 2 may hold anything. */
static int read_start_time(uint64_t *ret_start_time, struct error *err)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *at;

    if (n < 0)
        return error_errno(err, "cannot read /proc/self/stat");
    close(fd);
    text[n] = '\0';
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%" SCNu64, ret_start_time) != 1)
        return error_set(err, EBADMSG, "cannot understand /proc/self/stat");
    return 0;
}

/* Exclusive, and never seen half written: a link to the finished file. */
static int link_started(int folder, const struct run_started *started, struct error *err)
{
    static const char unfinished[] = RUN_STARTED ".new";
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    int r = 0;

    run_started_format(started, &text);
    if (write_file(folder, unfinished, &text, false, err) < 0)
        return -1;
    if (linkat(folder, unfinished, folder, RUN_STARTED, 0) < 0)
        r = errno == EEXIST ? error_set(err, EEXIST, "the run has been started before")
                            : error_errno(err, "cannot make '%s'", RUN_STARTED);
    unlinkat(folder, unfinished, 0);
    return r;
}

/* The run is ours from here to our end, or it is refused. */
static int claim(struct supervisor *s, const char *boot_id, struct run_started *ret_started,
                 struct error *err)
{
    struct error why;

    s->folder = open(s->request->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0)
        return error_errno(err, "cannot open the run's folder '%s'", s->request->folder);
    if (supervisor_lock(s->folder, RUN_LOCK, &why) < 0)
        return why.code == EAGAIN ? error_set(err, EEXIST, "the run lives already")
                                  : error_copy(err, &why);
    *ret_started = (struct run_started){ .pid = getpid() };
    snprintf(ret_started->boot_id, sizeof ret_started->boot_id, "%s", boot_id);
    if (read_start_time(&ret_started->start_time, err) < 0)
        return -1;
    return link_started(s->folder, ret_started, err);
}

/* False when nobody is told (the launcher died) or the run is not ours. */
static bool begin(struct supervisor *s, const char *boot_id, int answer)
{
    struct run_started started = { .pid = 0 };
    struct supervisor_answer a = { .code = 0 };
    struct error err;
    bool ours = claim(s, boot_id, &started, &err) == 0;

    if (ours) {
        a.pid = started.pid;
        a.start_time = started.start_time;
    } else {
        a.code = err.code;
        snprintf(a.text, sizeof a.text, "%s", err.text);
    }
    if (write(answer, &a, sizeof a) != sizeof a)
        log_warning("the launcher has gone before it heard of run %s", s->request->folder);
    close(answer);
    return ours;
}

static int start_command(struct supervisor *s, struct error *err)
{
    pid_t self = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    s->command = fork();
    if (s->command == 0)
        command_exec(s->request, self, ends[1]);
    if (s->command < 0) {
        error_errno(err, "cannot fork");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    close(ends[1]);
    s->report = ends[0];
    return 0;
}

/* Whatever has ended; true when the command was among it. */
static bool reap(const struct supervisor *s, int *ret_status)
{
    bool ended = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == s->command) {
            *ret_status = status;
            ended = true;
        }
    return ended;
}

static int follow_command(const struct supervisor *s)
{
    sigset_t set;
    int status = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, RUN_SIGNAL_STOP);
    sigaddset(&set, RUN_SIGNAL_KILL);
    for (;;)
        switch (sigwaitinfo(&set, NULL)) {
        case SIGCHLD:
            if (reap(s, &status))
                return status;
            break;
        case RUN_SIGNAL_STOP:
            kill(-s->command, RUN_SIGNAL_STOP);
            descendants_signal(getpid(), s->command, RUN_SIGNAL_STOP);
            break;
        case RUN_SIGNAL_KILL:
            descendants_kill(getpid());
            break;
        }
}

/* Until there is no child: then nothing is left of the run. */
static void end_the_rest(void)
{
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR) {
        descendants_kill(getpid());
        while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static struct run_exit run_command(struct supervisor *s)
{
    struct run_exit end = { .executed = false };
    struct error err;
    ssize_t n;

    if (start_command(s, &err) < 0) {
        snprintf(end.reason, sizeof end.reason, "%s", err.text);
        return end;
    }
    end.status = follow_command(s);
    n = read(s->report, end.reason, sizeof end.reason - 1);     /* its other end is closed */
    end.executed = n <= 0;
    end_the_rest();
    return end;
}

static int record_end(const struct supervisor *s, const struct run_exit *end, struct error *err)
{
    static const char unfinished[] = RUN_EXIT ".new";
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;

    run_exit_format(end, &text);
    if (write_file(s->folder, unfinished, &text, true, err) < 0)
        return -1;
    if (renameat(s->folder, unfinished, s->folder, RUN_EXIT) < 0)
        return error_errno(err, "cannot rename '%s'", unfinished);
    if (fsync(s->folder) < 0)
        return error_errno(err, "cannot sync the folder");
    return 0;
}

void supervisor_run(const struct launch_request *request, const char *boot_id, int answer)
{
    enum { ANSWER = 3 };
    struct supervisor s = { .request = request };
    struct run_exit end;
    struct error err;

    dup2(answer, ANSWER);
    close_range(ANSWER + 1, ~0U, 0);
    setsid();
    prctl(PR_SET_NAME, "mesos-lite-run");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!begin(&s, boot_id, ANSWER))
        _exit(EXIT_FAILURE);
    end = run_command(&s);
    if (record_end(&s, &end, &err) < 0) {
        log_error("the end of run %s is not recorded: %s", request->folder, err.text);
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}
