/* launcher_place.c - a work directory with the real mesos-lite-launcher, for tests */
#include "tests/agent/launcher_place.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static char *path_of(struct launcher_place *p, const char *name)
{
    return mem_printf("%s/%s", p->dir, name);
}

static void make(struct launcher_place *p, const char *name, bool fifo)
{
    char *path = path_of(p, name);

    ck_assert_int_eq(fifo ? mkfifo(path, 0666) : mkdir(path, 0755), 0);
    ck_assert_int_eq(chmod(path, fifo ? 0666 : 0755), 0);
    mem_free(path);
}

void launcher_place_init(struct launcher_place *p)
{
    *p = (struct launcher_place){ .dir = "/tmp/mesos-lite-launcher.XXXXXX",
                                  .log = -1,
                                  .socket = -1 };
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    ck_assert_int_eq(chmod(p->dir, 0777), 0);
    make(p, "meta", false);
    make(p, "meta/runs", false);
    make(p, "up", true);
    make(p, "go", true);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *f UNUSED)
{
    return remove(path);
}

void launcher_place_release(struct launcher_place *p)
{
    launcher_place_kill(p);
    if (p->socket >= 0)
        close(p->socket);
    if (p->log >= 0)
        close(p->log);
    buffer_release(&p->in);
    nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *launcher_place_program(void)
{
    static char path[4096];
    const char *builddir = getenv("builddir");

    snprintf(path, sizeof path, "%s/agent/mesos-lite-launcher", builddir ? builddir : ".");
    return path;
}

/* Reads the log until it says so; what comes later stays in the pipe. */
static void await_log(struct launcher_place *p, const char *text)
{
    char line[1000];
    size_t n = 0;

    for (;;) {
        ck_assert_int_eq(read(p->log, &line[n], 1), 1);
        if (line[n] != '\n') {
            n += n + 2 < sizeof line;
            continue;
        }
        line[n] = '\0';
        if (strstr(line, text))
            return;
        n = 0;
    }
}

void launcher_place_start(struct launcher_place *p)
{
    char *flag = mem_printf("--work_dir=%s", p->dir);
    int ends[2];

    if (p->log >= 0)
        close(p->log);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    p->launcher = fork();
    if (p->launcher == 0) {
        dup2(ends[1], STDERR_FILENO);
        execl(launcher_place_program(), "mesos-lite-launcher", flag, NULL);
        _exit(127);
    }
    close(ends[1]);
    p->log = ends[0];
    mem_free(flag);
    await_log(p, "launcher started");
}

void launcher_place_kill(struct launcher_place *p)
{
    if (p->launcher > 0) {
        kill(p->launcher, SIGKILL);
        ck_assert_int_eq(waitpid(p->launcher, NULL, 0), p->launcher);
    }
    p->launcher = 0;
}

void launcher_place_connect(struct launcher_place *p)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    if (p->socket >= 0)
        close(p->socket);
    buffer_clear(&p->in);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/meta/launcher.sock", p->dir);
    p->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(p->socket, 0);
    ck_assert_int_eq(connect(p->socket, (struct sockaddr *)&a, sizeof a), 0);
}

static char **texts(const char *const v[], size_t n)
{
    char **copy = mem_array(n + 1, sizeof *copy);

    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(v[i]);
    return copy;
}

struct launch_request launcher_place_request(struct launcher_place *p, const char *id,
                                             const char *script)
{
    static uint64_t number;
    char *folder = mem_printf("%s/meta/runs/%s", p->dir, id);

    mkdir(folder, 0755);
    number++;
    return (struct launch_request){
        .number = number,
        .folder = folder,
        .directory = mem_strdup(p->dir),
        .program = mem_strdup("sh"),
        .argv = texts((const char *[]){ "sh", "-c", script }, 3),
        .envp = texts((const char *[]){ "PATH=/usr/local/bin:/usr/bin:/bin" }, 1),
        .out = path_of(p, "stdout"),
        .err = path_of(p, "stderr"),
    };
}

struct launch_answer launcher_place_ask(struct launcher_place *p, const struct launch_request *r)
{
    struct buffer frame = BUFFER_INIT;
    struct launch_answer a;
    int got;

    launch_request_pack(r, &frame);
    ck_assert_int_eq(send(p->socket, buffer_data(&frame), buffer_length(&frame), MSG_NOSIGNAL),
                     buffer_length(&frame));
    buffer_release(&frame);
    while ((got = launch_answer_unpack(&p->in, &a, NULL)) == 0) {
        ssize_t n = read(p->socket, buffer_reserve(&p->in, 1000), 1000);

        ck_assert_int_gt(n, 0);
        buffer_commit(&p->in, (size_t)n);
    }
    ck_assert_int_eq(got, 1);
    ck_assert(a.number == r->number);
    return a;
}

pid_t launcher_place_run(struct launcher_place *p, const char *id, const char *script)
{
    struct launch_request r = launcher_place_request(p, id, script);
    struct launch_answer a = launcher_place_ask(p, &r);
    pid_t pid = a.pid;

    ck_assert_str_eq(a.text, "");
    ck_assert_int_eq(a.code, 0);
    launch_request_release(&r);
    launch_answer_release(&a);
    return pid;
}

void launcher_place_await(pid_t pid)
{
    int fd = pidfd_open(pid, 0);
    struct pollfd polled = { .fd = fd, .events = POLLIN };

    if (fd < 0) {
        ck_assert_int_eq(errno, ESRCH);
        return;
    }
    ck_assert_int_eq(poll(&polled, 1, -1), 1);
    close(fd);
}

char *launcher_place_read(struct launcher_place *p, const char *name)
{
    char *path = path_of(p, name);
    FILE *f = fopen(path, "re");
    char *text = mem_alloc(10000);

    ck_assert_msg(f != NULL, "%s is missing", path);
    text[fread(text, 1, 9999, f)] = '\0';
    fclose(f);
    mem_free(path);
    return text;
}

struct run_exit launcher_place_exit(struct launcher_place *p, const char *id)
{
    char *name = mem_printf("meta/runs/%s/exit", id);
    char *text = launcher_place_read(p, name);
    struct run_exit end;

    ck_assert_int_eq(run_exit_parse(text, &end, NULL), 0);
    mem_free(name);
    mem_free(text);
    return end;
}

bool launcher_place_is_locked(struct launcher_place *p, const char *id)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *name = mem_printf("%s/meta/runs/%s/lock", p->dir, id);
    int fd = open(name, O_RDWR | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &whole), 0);
    close(fd);
    mem_free(name);
    return whole.l_type != F_UNLCK;
}

pid_t launcher_place_up(struct launcher_place *p)
{
    char *text = launcher_place_read(p, "up");
    long pid = strtol(text, NULL, 10);

    mem_free(text);
    ck_assert_int_gt(pid, 1);
    return (pid_t)pid;
}

void launcher_place_go(struct launcher_place *p, const char *line)
{
    char *path = path_of(p, "go");
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, line, strlen(line)), strlen(line));
    close(fd);
    mem_free(path);
}
