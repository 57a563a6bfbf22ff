/* test_host_real_child.c - the real host: children, other OS processes, signals */
#include "tests/process/host_real_place.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct child {
    struct place *place;
    pid_t pid;
    int status;
    bool on_loop;
    struct event_count ended;
};

static void on_ended(void *arg, int status)
{
    struct child *c = arg;

    c->status = status;
    c->on_loop = host_loop_is_current(c->place->loop);
    happened(&c->ended);
}

static void child_start(struct child *c, struct place *p, const struct child_spec *spec)
{
    struct error err;

    *c = (struct child){ .place = p, .ended = { p->host, 0, 0 } };
    if (host_spawn(p->loop, spec, on_ended, c, &c->pid, &err) < 0)
        ck_abort_msg("%s", err.text);
    ck_assert_int_gt(c->pid, 0);
}

static int child_status(struct child *c)
{
    await(&c->ended, 1);
    return c->status;
}

/* Runs a shell script with its output in folder/out; the output, the caller's. */
static char *shell(struct place *p, const char *script, struct child_spec spec)
{
    char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script,
                     NULL };
    char *path = mem_printf("%s/out", p->folder), *out;
    struct child c;
    size_t size;

    spec.path = "sh";
    spec.argv = argv;
    spec.out = CHILD_PATH;
    spec.out_path = path;
    child_start(&c, p, &spec);
    ck_assert_int_eq(child_status(&c), 0);
    ck_assert_int_eq(host_read_file(p->host, path, 100000, &out, &size, NULL), 0);
    ck_assert_int_eq(host_unlink(p->host, path, NULL), 0);
    mem_free(path);
    return out;
}

static void check_shell(struct place *p, const char *script, struct child_spec spec,
                        const char *expected)
{
    char *out = shell(p, script, spec);

    ck_assert_str_eq(out, expected);
    mem_free(out);
}

static struct child_spec sh(char *const argv[])
{
    return (struct child_spec){ .path = "sh", .argv = argv, .in = CHILD_NULL };
}

#define SCRIPT(text)                                                                               \
    (char *const[])                                                                                \
    {                                                                                              \
        (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)(text), NULL        \
    }

/* ---- launching ---- */

START_TEST(the_status_of_a_child_comes_once_on_the_loop_and_leaves_no_zombie)
{
    struct place p;
    struct child c;
    struct child_spec seven = sh(SCRIPT("exit 7")), killed = sh(SCRIPT("kill -9 $$"));

    place_open(&p);
    child_start(&c, &p, &seven);
    child_status(&c);
    ck_assert(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 7 && c.on_loop);
    ck_assert_int_eq(waitpid(c.pid, NULL, WNOHANG), -1);
    child_start(&c, &p, &killed);
    child_status(&c);
    ck_assert(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGKILL);
    place_close(&p);
}
END_TEST

START_TEST(a_program_that_cannot_run_is_an_error_of_the_call)
{
    struct place p;
    struct error err;
    struct child_spec spec = sh(SCRIPT("exit 0"));
    char *plain;

    place_open(&p);
    spec.path = "no-such-program-anywhere";
    ck_assert_int_eq(host_spawn(p.loop, &spec, on_ended, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_str_eq(err.text, "Failed to launch 'no-such-program-anywhere': could not run it: "
                               "No such file or directory");
    spec.path = plain = mem_printf("%s/plain", p.folder);
    ck_assert_int_eq(host_write_file(p.host, plain, "x", 1, 0644, NULL), 0);
    ck_assert_int_eq(host_spawn(p.loop, &spec, on_ended, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.code, EACCES);
    spec.path = "sh";
    spec.directory = "/nowhere/at/all";
    ck_assert_int_eq(host_spawn(p.loop, &spec, on_ended, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "enter its folder"));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
    ck_assert_int_eq(errno, ECHILD);
    mem_free(plain);
    place_close(&p);
}
END_TEST

START_TEST(input_and_output_go_where_the_spec_says)
{
    struct place p;
    char *in, *err_path, *got;
    size_t size;

    place_open(&p);
    in = mem_printf("%s/in", p.folder);
    err_path = mem_printf("%s/err", p.folder);
    ck_assert_int_eq(host_write_file(p.host, in, "from a file\n", 12, 0600, NULL), 0);
    ck_assert_int_eq(host_write_file(p.host, err_path, "before\n", 7, 0600, NULL), 0);
    check_shell(&p, "cat; echo bad >&2",
                (struct child_spec){
                    .in = CHILD_PATH, .in_path = in, .err = CHILD_PATH, .err_path = err_path },
                "from a file\n");
    ck_assert_int_eq(host_read_file(p.host, err_path, 100, &got, &size, NULL), 0);
    ck_assert_str_eq(got, "before\nbad\n");
    mem_free(got);
    check_shell(&p, "cat; readlink /proc/self/fd/2",
                (struct child_spec){ .in = CHILD_NULL, .err = CHILD_NULL }, "/dev/null\n");
    char *expected = NULL, link[4096] = "";
    ck_assert_int_gt(readlink("/proc/self/fd/2", link, sizeof link - 1), 0);
    expected = mem_printf("%s\n", link);
    check_shell(&p, "readlink /proc/self/fd/2", (struct child_spec){ .err = CHILD_INHERIT },
                expected);
    mem_free(expected);
    mem_free(in);
    mem_free(err_path);
    place_close(&p);
}
END_TEST

START_TEST(environment_folder_and_session_are_as_wanted)
{
    struct place p;
    char *environment[] = { (char *)(uintptr_t) "COLOUR=blue",
                            (char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL };
    char *expected;

    place_open(&p);
    expected = mem_printf("blue %s\n", p.folder);
    check_shell(&p, "echo $COLOUR $(pwd)",
                (struct child_spec){ .envp = environment, .directory = p.folder }, expected);
    check_shell(&p, "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leads",
                (struct child_spec){ .new_session = true }, "leads\n");
    check_shell(&p, "test $(cut -d' ' -f6 /proc/$$/stat) = $$ || echo follows",
                (struct child_spec){ 0 }, "follows\n");
    mem_free(expected);
    place_close(&p);
}
END_TEST

/* Descriptor 100 stays here, signals are as at birth: none ignored, none blocked. */
START_TEST(a_child_gets_no_descriptor_of_ours_and_no_signal_settings)
{
    struct place p;
    sigset_t usr1;

    place_open(&p);
    ck_assert_int_eq(dup2(2, 100), 100);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    check_shell(&p,
                "sed -n 's/^\\(Sig[BI][lg][kn]:\\)[[:space:]]*/\\1/p' /proc/self/status;"
                "ls /proc/$$/fd | grep 100 || :",
                (struct child_spec){ 0 }, "SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
    place_close(&p);
}
END_TEST

START_TEST(a_script_without_an_interpreter_is_run_by_the_shell)
{
    struct place p;
    struct child c;
    char *path;

    place_open(&p);
    path = mem_printf("%s/script", p.folder);
    ck_assert_int_eq(host_write_file(p.host, path, "exit $1\n", 8, 0755, NULL), 0);
    char *argv[] = { (char *)(uintptr_t) "script", (char *)(uintptr_t) "5", NULL };
    struct child_spec spec = { .path = path, .argv = argv };
    child_start(&c, &p, &spec);
    ck_assert_int_eq(WEXITSTATUS(child_status(&c)), 5);
    mem_free(path);
    place_close(&p);
}
END_TEST

START_TEST(a_child_becomes_its_user_with_the_groups_of_that_user)
{
    struct place p;
    const gid_t ours = 4711; /* not to be seen in the child */
    uint32_t uid, gid;
    char *expected;

    if (geteuid() != 0 || setgroups(1, &ours) < 0)
        return;
    place_open(&p);
    ck_assert_int_eq(host_user(p.host, "nobody", &uid, &gid, NULL), 0);
    expected = mem_printf("%u %u %u\n", uid, gid, gid);
    check_shell(&p, "echo $(id -u) $(id -g) $(id -G)",
                (struct child_spec){ .set_user = true, .uid = uid, .gid = gid, .user = "nobody" },
                expected);
    mem_free(expected);
    place_close(&p);
}
END_TEST

/* The parent spawns a shell that reads a pipe for ever and tells us its pid;
 * when the parent is killed, the shell must go as well. */
static void run_parent(int say, int input)
{
    struct host *h = host_real_create();
    struct place p = { .host = h };
    struct child_spec spec = sh(SCRIPT("while read line; do :; done"));
    pid_t pid;

    p.loop = host_loop_start(h, place_turn, &p);
    if (dup2(input, 0) < 0)
        _exit(1);
    spec.in = CHILD_INHERIT;
    spec.dies_with_parent = true;
    if (host_spawn(p.loop, &spec, NULL, NULL, &pid, NULL) < 0 || write(say, &pid, sizeof pid) < 0)
        _exit(1);
    for (;;)
        pause();
}

static void on_gone(void *arg)
{
    happened(arg);
}

START_TEST(a_tied_child_dies_with_its_parent)
{
    struct place p;
    struct event_count gone;
    struct watch *w;
    int say[2], input[2]; /* the input never ends: we have the other end too */
    pid_t parent, child;
    uint64_t start_time;

    ck_assert_int_eq(pipe(say), 0);
    ck_assert_int_eq(pipe(input), 0);
    parent = fork();
    if (parent == 0)
        run_parent(say[1], input[0]);
    ck_assert_int_eq(read(say[0], &child, sizeof child), sizeof child);
    place_open(&p);
    gone = (struct event_count){ p.host, 0, 0 };
    ck_assert_int_eq(host_start_time(p.host, child, &start_time, NULL), 0);
    w = host_watch(p.loop, child, start_time, on_gone, &gone);
    kill(parent, SIGKILL);
    await(&gone, 1); /* also: the watch of one that is no child */
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    host_watch_close(w);
    place_close(&p);
}
END_TEST

START_TEST(many_children_at_once_all_tell_their_own_status)
{
    struct place p;
    struct child c[60];

    place_open(&p);
    for (int i = 0; i < 60; i++) {
        char *script = mem_printf("exit %d", i);
        struct child_spec spec = sh(SCRIPT(script));

        spec.dies_with_parent = i % 2;
        child_start(&c[i], &p, &spec);
        mem_free(script);
    }
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(WEXITSTATUS(child_status(&c[i])), i);
    place_close(&p);
}
END_TEST

/* ---- other OS processes ---- */

START_TEST(one_that_is_gone_or_another_by_now_is_told_at_once)
{
    struct place p;
    struct event_count gone;
    struct watch *w, *closed;
    uint64_t start_time;

    place_open(&p);
    gone = (struct event_count){ p.host, 0, 0 };
    ck_assert_int_eq(host_start_time(p.host, getpid(), &start_time, NULL), 0);
    closed = host_watch(p.loop, getpid(), start_time, on_gone, &gone);
    host_watch_close(closed);
    w = host_watch(p.loop, getpid(), start_time + 1, on_gone, &gone);
    await(&gone, 1);
    host_watch_close(w);
    place_close(&p);
    ck_assert_int_eq(gone.n, 1);
}
END_TEST

static void look(void *arg)
{
    (void)arg;
}

static void limit_descriptors(rlim_t soft)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Without a free descriptor /proc cannot be asked, nor a pidfd be opened. */
START_TEST(one_of_whom_nothing_can_be_known_is_not_said_to_be_gone)
{
    struct place p;
    struct event_count gone;
    struct child c;
    struct child_spec spec = sh(SCRIPT("read line"));
    struct watch *w;
    uint64_t start_time;
    int input[2];

    place_open(&p);
    gone = (struct event_count){ p.host, 0, 0 };
    ck_assert_int_eq(pipe(input), 0);
    ck_assert_int_eq(dup2(input[0], 0), 0);
    spec.in = CHILD_INHERIT;
    child_start(&c, &p, &spec);
    ck_assert_int_eq(host_start_time(p.host, c.pid, &start_time, NULL), 0);
    limit_descriptors(3);
    w = host_watch(p.loop, c.pid, start_time, on_gone, &gone);
    for (int i = 0; i < 4; i++)
        place_do(&p, look, NULL); /* the loop has come by the watch since */
    ck_assert_int_eq(gone.n, 0);
    limit_descriptors(RLIM_INFINITY);
    kill(c.pid, SIGKILL);
    await(&gone, 1);
    ck_assert_int_eq(WTERMSIG(child_status(&c)), SIGKILL);
    host_watch_close(w);
    place_close(&p);
}
END_TEST

START_TEST(a_signal_reaches_only_the_one_that_was_meant)
{
    struct place p;
    struct child c;
    struct error err;
    uint64_t start_time;
    int pipe_fds[2];
    struct child_spec spec = sh(SCRIPT("while read line; do :; done"));

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(dup2(pipe_fds[0], 0), 0);
    spec.in = CHILD_INHERIT;
    place_open(&p);
    child_start(&c, &p, &spec);
    ck_assert_int_eq(host_start_time(p.host, c.pid, &start_time, &err), 0);
    ck_assert_int_eq(host_signal(p.host, c.pid, start_time + 1, SIGKILL, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    ck_assert_int_eq(host_signal(p.host, 0, start_time, SIGKILL, &err), -1);
    ck_assert_int_eq(host_signal(p.host, c.pid, start_time, SIGTERM, &err), 0);
    child_status(&c);
    ck_assert(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGTERM);
    ck_assert_int_eq(host_signal(p.host, c.pid, start_time, SIGTERM, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    ck_assert_int_eq(host_signal(p.host, -1, start_time, 0, &err), -1);
    ck_assert_int_eq(err.code, ESRCH);
    place_close(&p);
}
END_TEST

START_TEST(a_signal_to_a_group_reaches_its_leader_s_children)
{
    struct place p;
    struct child c;
    struct error err;
    uint64_t start_time;
    int pipe_fds[2], end[2];
    char byte;
    struct child_spec spec = sh(SCRIPT("cat <&0 & cat"));

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(dup2(pipe_fds[0], 0), 0);
    ck_assert_int_eq(pipe(end), 0);
    ck_assert_int_eq(dup2(end[1], 1), 1); /* read from end[0]: the end of all who have it */
    close(end[1]);
    spec.in = CHILD_INHERIT;
    spec.new_session = true;
    place_open(&p);
    child_start(&c, &p, &spec);
    ck_assert_int_eq(dup2(2, 1), 1);
    ck_assert_int_eq(host_start_time(p.host, c.pid, &start_time, &err), 0);
    ck_assert_int_eq(host_signal(p.host, -c.pid, start_time + 1, SIGKILL, &err), -1);
    ck_assert_int_eq(host_signal(p.host, -c.pid, start_time, SIGKILL, &err), 0);
    ck_assert_int_eq(read(end[0], &byte, 1), 0);
    child_status(&c);
    ck_assert(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGKILL);
    place_close(&p);
}
END_TEST

START_TEST(a_name_with_blanks_and_parentheses_hides_no_start_time)
{
    struct place p;
    struct child c, plain;
    struct error err;
    char *path, *sh_path;
    uint64_t odd_time, plain_time;
    struct child_spec spec = sh(SCRIPT("while read line; do :; done"));
    int pipe_fds[2];

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(dup2(pipe_fds[0], 0), 0);
    spec.in = CHILD_INHERIT;
    place_open(&p);
    path = mem_printf("%s/a) R 1 (b", p.folder);
    sh_path = realpath("/bin/sh", NULL);
    ck_assert_int_eq(host_symlink(p.host, sh_path, path, NULL), 0);
    child_start(&plain, &p, &spec);
    spec.path = path;
    child_start(&c, &p, &spec);
    ck_assert_int_eq(host_start_time(p.host, plain.pid, &plain_time, &err), 0);
    ck_assert_int_eq(host_start_time(p.host, c.pid, &odd_time, &err), 0);
    ck_assert(odd_time >= plain_time && odd_time < plain_time + 6000); /* ticks: a minute */
    ck_assert_int_eq(host_signal(p.host, c.pid, odd_time, SIGKILL, &err), 0);
    ck_assert_int_eq(host_signal(p.host, plain.pid, plain_time, SIGKILL, &err), 0);
    child_status(&c);
    child_status(&plain);
    free(sh_path);
    mem_free(path);
    place_close(&p);
}
END_TEST

/* ---- signals to ourselves ---- */

struct receipt {
    struct place *place;
    struct event_count came;
    int signo;
    bool on_loop;
};

static void on_received(void *arg, int signo)
{
    struct receipt *r = arg;

    r->signo = signo;
    r->on_loop = host_loop_is_current(r->place->loop);
    happened(&r->came);
}

START_TEST(a_signal_to_us_comes_on_the_loop)
{
    struct place p;
    struct receipt r = { .place = &p };
    struct error err;

    place_open(&p);
    r.came.host = p.host;
    ck_assert_int_eq(host_on_signal(p.loop, SIGTERM, on_received, &r, &err), 0);
    ck_assert_int_eq(host_on_signal(p.loop, SIGTERM, on_received, &r, &err), -1);
    ck_assert_int_eq(err.code, EEXIST);
    kill(getpid(), SIGTERM);
    await(&r.came, 1);
    ck_assert(r.signo == SIGTERM && r.on_loop);
    place_close(&p);
}
END_TEST

/* libevent gives the signals of an OS process to one base only. */
START_TEST(signals_to_us_come_on_whichever_loop_asked_for_them)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGUSR1 };
    struct place places[3];
    struct receipt r[3];

    place_open(&places[0]);
    for (int i = 0; i < 3; i++) {
        if (i > 0) {
            places[i] = (struct place){ .host = places[0].host };
            places[i].loop = host_loop_start(places[i].host, place_turn, &places[i]);
        }
        r[i] = (struct receipt){ .place = &places[i], .came.host = places[0].host };
        ck_assert_int_eq(host_on_signal(places[i].loop, signals[i], on_received, &r[i], NULL), 0);
    }
    ck_assert_int_eq(host_on_signal(places[0].loop, SIGINT, on_received, &r[0], NULL), -1);
    for (int i = 0; i < 3; i++) {
        kill(getpid(), signals[i]);
        await(&r[i].came, 1);
        ck_assert(r[i].signo == signals[i] && r[i].on_loop);
    }
    host_loop_stop(places[1].loop);
    kill(getpid(), SIGUSR1);
    await(&r[2].came, 2);
    host_loop_stop(places[2].loop);
    place_close(&places[0]);
}
END_TEST

UNIT(host_real_child, the_status_of_a_child_comes_once_on_the_loop_and_leaves_no_zombie,
     a_program_that_cannot_run_is_an_error_of_the_call, input_and_output_go_where_the_spec_says,
     environment_folder_and_session_are_as_wanted,
     a_child_gets_no_descriptor_of_ours_and_no_signal_settings,
     a_script_without_an_interpreter_is_run_by_the_shell,
     a_child_becomes_its_user_with_the_groups_of_that_user, a_tied_child_dies_with_its_parent,
     many_children_at_once_all_tell_their_own_status,
     one_that_is_gone_or_another_by_now_is_told_at_once,
     one_of_whom_nothing_can_be_known_is_not_said_to_be_gone,
     a_signal_reaches_only_the_one_that_was_meant,
     a_signal_to_a_group_reaches_its_leader_s_children,
     a_name_with_blanks_and_parentheses_hides_no_start_time, a_signal_to_us_comes_on_the_loop,
     signals_to_us_come_on_whichever_loop_asked_for_them);
