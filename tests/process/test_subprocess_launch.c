/* test_subprocess_launch.c - children of the real host: how they are started
 *
 * Everything is spawned with a pipe for its output, and said by what comes out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/flags.h"
#include "base/memory.h"
#include "process/subprocess.h"
#include "tests/process/node.h"
#include "tests/unit.h"

#define SCRIPT(text)                                                                               \
    (char *const[])                                                                                \
    {                                                                                              \
        (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)(text), NULL        \
    }

static struct child_spec script(char *const argv[])
{
    return (struct child_spec){ .path = "sh", .argv = argv, .in = CHILD_NULL, .out = CHILD_PIPE };
}

static int status_of(struct node *n, struct subprocess *s)
{
    struct future *f = subprocess_wait(s);
    int status;

    ck_assert(future_wait(f, n->host, LONG));
    status = *subprocess_status_get(f);
    future_unref(f);
    return status;
}

/* What it wrote to its output, until its end with status 0. */
static void check_output(struct node *n, const struct child_spec *spec, const char *expected)
{
    struct error err;
    struct subprocess *s = subprocess_spawn(n->rt, spec, &err);
    struct future *f;

    ck_assert_msg(s != NULL, "%s", s ? "" : err.text);
    f = subprocess_read_all(s, SUBPROCESS_OUT, 1 << 20);
    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_str_eq(bytes_get(f)->data, expected);
    ck_assert_int_eq(status_of(n, s), 0);
    future_unref(f);
    subprocess_unref(s);
}

static void check_refused(struct node *n, const struct child_spec *spec, int code,
                          const char *words)
{
    struct error err;

    ck_assert_ptr_null(subprocess_spawn(n->rt, spec, &err));
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, words), "%s", err.text);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
    ck_assert_int_eq(errno, ECHILD);
}

/* ---- parameters ---- */

struct options {
    char *name;
    bool loud, quiet;
    int64_t times;
    struct duration pause;
    char *unset;
};

static const struct flag options_flags[] = {
    { .name = "name", .type = FLAG_STRING, .offset = offsetof(struct options, name) },
    { .name = "loud", .type = FLAG_BOOL, .offset = offsetof(struct options, loud) },
    { .name = "quiet",
      .type = FLAG_BOOL,
      .offset = offsetof(struct options, quiet),
      .value = "true" },
    { .name = "times", .type = FLAG_INT, .offset = offsetof(struct options, times) },
    { .name = "pause", .type = FLAG_DURATION, .offset = offsetof(struct options, pause) },
    { .name = "unset", .type = FLAG_STRING, .offset = offsetof(struct options, unset) },
    { .name = NULL },
};

START_TEST(the_flags_that_are_set_follow_the_words)
{
    struct node n = node_start(1);
    char name[] = "two words";
    struct options o = { .name = name, .loud = true, .times = 3, .pause = SECONDS(90) };
    char *const argv[] = { (char *)(uintptr_t) "sh",
                           (char *)(uintptr_t) "-c",
                           (char *)(uintptr_t) "for w; do echo \"$w\"; done",
                           (char *)(uintptr_t) "sh",
                           (char *)(uintptr_t) "word",
                           NULL };
    struct child_spec spec = script(argv);

    spec.flags = options_flags;
    spec.flag_values = &o;
    check_output(&n, &spec,
                 "word\n--name=two words\n--loud=true\n--quiet=false\n--times=3\n--pause=90secs\n");
    node_stop(&n);
}
END_TEST

START_TEST(descriptors_of_ours_may_change_places)
{
    struct node n = node_start(1);
    struct child_spec spec = script(SCRIPT("cat; echo out; echo err >&2"));
    int in[2], out[2], err[2];
    struct subprocess *s;
    char got[100];

    ck_assert(pipe(in) == 0 && pipe(out) == 0 && pipe(err) == 0);
    ck_assert_int_eq(write(in[1], "in\n", 3), 3);
    close(in[1]);
    ck_assert(dup2(out[1], 2) == 2 && dup2(err[1], 1) == 1 && dup2(in[0], 0) == 0);
    spec.in = spec.out = spec.err = CHILD_FD;
    spec.in_fd = 0;
    spec.out_fd = 2;
    spec.err_fd = 1;
    s = subprocess_spawn(n.rt, &spec, NULL);
    ck_assert_int_eq(status_of(&n, s), 0);
    ck_assert_int_eq(read(out[0], got, sizeof got), 7);
    ck_assert_mem_eq(got, "in\nout\n", 7);
    ck_assert_int_eq(read(err[0], got, sizeof got), 4);
    ck_assert_mem_eq(got, "err\n", 4);
    ck_assert_int_eq(write(2, "!", 1), 1); /* they stayed ours */
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

static int do_nothing(void *arg UNUSED, pid_t pid UNUSED, struct error *err UNUSED)
{
    return 0;
}

static pid_t clone_by_fork(void *arg, int (*run)(void *), void *run_arg)
{
    pid_t pid = fork();

    if (arg)
        *(pid_t *)arg = pid;
    if (pid == 0)
        _exit(run(run_arg));
    return pid;
}

/* 3 is what lists the others. */
START_TEST(a_child_has_three_descriptors_however_it_was_made)
{
    struct node n = node_start(1);
    struct child_spec spec = script(SCRIPT("cd /proc/$$/fd && echo *"));
    const struct child_hook hook = { do_nothing, NULL };

    ck_assert(fcntl(2, F_DUPFD, 4) > 3 && dup2(2, 100) == 100 && dup2(2, 900) == 900);
    spec.err = CHILD_PIPE;
    check_output(&n, &spec, "0 1 2 3\n");
    spec.hooks = &hook;
    spec.n_hooks = 1;
    check_output(&n, &spec, "0 1 2 3\n");
    spec.clone = clone_by_fork;
    check_output(&n, &spec, "0 1 2 3\n");
    node_stop(&n);
}
END_TEST

static size_t count_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(launches_that_succeed_or_fail_leave_us_no_descriptor)
{
    struct node n = node_start(1);
    struct child_spec good = script(SCRIPT("echo x")), bad = script(SCRIPT("echo x"));
    const struct child_hook hook = { do_nothing, NULL };
    size_t before;

    bad.path = "/no/such/program";
    good.in = good.err = bad.in = bad.err = CHILD_PIPE;
    check_output(&n, &good, "x\n"); /* what the host needs is there */
    node_settle(&n);
    before = count_descriptors();
    for (int i = 0; i < 4; i++) {
        good.hooks = bad.hooks = i % 2 ? &hook : NULL;
        good.n_hooks = bad.n_hooks = i % 2;
        check_output(&n, &good, "x\n");
        check_refused(&n, &bad, ENOENT, "/no/such/program");
    }
    node_settle(&n);
    ck_assert_uint_eq(count_descriptors(), before);
    node_stop(&n);
}
END_TEST

/* ---- what cannot be started ---- */

static void check_exec_errors(struct node *n, struct child_spec spec)
{
    char *long_word = mem_alloc(3 << 20);
    char *const too_long[] = { (char *)(uintptr_t) "sh", long_word, NULL };

    memset(long_word, 'x', (3 << 20) - 1);
    spec.path = "/no/such/program";
    check_refused(n, &spec, ENOENT,
                  "Failed to launch '/no/such/program': could not run it: No such file");
    spec.path = "/etc/passwd";
    check_refused(n, &spec, EACCES, "Failed to launch '/etc/passwd': could not run it: Permission");
    spec.path = "sh";
    spec.directory = "/no/such/folder";
    check_refused(n, &spec, ENOENT, "could not enter its folder '/no/such/folder': No such file");
    spec.directory = NULL;
    spec.argv = too_long;
    check_refused(n, &spec, E2BIG, "could not run it: Argument list too long");
    spec.out = CHILD_PATH;
    spec.out_path = "/no/such/folder/out";
    check_refused(n, &spec, ENOENT, "Failed to open '/no/such/folder/out'");
    spec.out = CHILD_FD;
    spec.out_fd = 1000;
    check_refused(n, &spec, EBADF, "Failed to open 'descriptor 1000'");
    mem_free(long_word);
}

START_TEST(what_cannot_be_run_is_an_error_of_the_call_however_it_was_made)
{
    struct node n = node_start(1);
    struct child_spec spec = script(SCRIPT("exit 0"));
    const struct child_hook hook = { do_nothing, NULL };

    check_exec_errors(&n, spec);
    spec.dies_with_parent = true;
    check_exec_errors(&n, spec);
    spec.hooks = &hook;
    spec.n_hooks = 1;
    check_exec_errors(&n, spec);
    spec.clone = clone_by_fork;
    check_exec_errors(&n, spec);
    node_stop(&n);
}
END_TEST

/* ---- hooks and clone functions ---- */

struct trail {
    int marks[4], n;
    pid_t pid;
    bool waited;
};

/* What runs in the pid is this program still. */
static int leave_mark(void *arg, pid_t pid, struct error *err UNUSED)
{
    struct trail *t = arg;
    char path[40], exe[200] = "", ours[200] = "";

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ck_assert(readlink(path, exe, sizeof exe - 1) > 0);
    ck_assert(readlink("/proc/self/exe", ours, sizeof ours - 1) > 0);
    t->waited = strcmp(exe, ours) == 0;
    t->pid = pid;
    t->marks[t->n++] = 1;
    return 0;
}

static int leave_second_mark(void *arg, pid_t pid UNUSED, struct error *err UNUSED)
{
    struct trail *t = arg;

    t->marks[t->n++] = 2;
    return 0;
}

START_TEST(a_child_waits_until_the_hooks_have_run_in_their_order)
{
    struct node n = node_start(1);
    struct child_spec spec = script(SCRIPT("echo $$"));
    struct trail t = { .n = 0 };
    const struct child_hook hooks[] = { { leave_mark, &t }, { leave_second_mark, &t } };
    struct subprocess *s;

    spec.hooks = hooks;
    spec.n_hooks = 2;
    for (int tied = 0; tied < 2; tied++) {
        t = (struct trail){ .n = 0 };
        spec.dies_with_parent = tied;
        s = subprocess_spawn(n.rt, &spec, NULL);
        ck_assert_ptr_nonnull(s);
        ck_assert(t.n == 2 && t.marks[0] == 1 && t.marks[1] == 2);
        ck_assert(t.waited);
        ck_assert_int_eq(t.pid, subprocess_pid(s));
        ck_assert_int_eq(status_of(&n, s), 0);
        subprocess_unref(s);
    }
    node_stop(&n);
}
END_TEST

static int refuse(void *arg UNUSED, pid_t pid UNUSED, struct error *err)
{
    return error_set(err, EXDEV, "the moon is not full");
}

START_TEST(a_hook_that_fails_ends_the_child_before_its_program_ran)
{
    struct node n = node_start(1);
    char folder[] = "/tmp/test_launch-XXXXXX", *command;
    struct trail t = { .n = 0 };
    const struct child_hook hooks[] = { { leave_mark, &t }, { refuse, NULL }, { leave_mark, &t } };

    ck_assert_ptr_nonnull(mkdtemp(folder));
    command = mem_printf("echo > %s/ran", folder);
    struct child_spec spec = script(SCRIPT(command));
    spec.hooks = hooks;
    spec.n_hooks = 3;
    for (int i = 0; i < 4; i++) {
        t = (struct trail){ .n = 0 };
        spec.dies_with_parent = i & 1;
        spec.clone = i & 2 ? clone_by_fork : NULL;
        check_refused(&n, &spec, EXDEV, "Failed to launch 'sh': the moon is not full");
        ck_assert_int_eq(t.n, 1);
        ck_assert_int_eq(kill(t.pid, 0), -1);
    }
    ck_assert_int_eq(rmdir(folder), 0); /* it is empty */
    mem_free(command);
    node_stop(&n);
}
END_TEST

static pid_t clone_not(void *arg UNUSED, int (*run)(void *) UNUSED, void *run_arg UNUSED)
{
    errno = EAGAIN;
    return -1;
}

START_TEST(a_clone_function_makes_the_os_process)
{
    struct node n = node_start(1);
    struct child_spec spec = script(SCRIPT("exit 7"));
    pid_t made = 0;
    struct subprocess *s;

    spec.clone = clone_by_fork;
    spec.clone_arg = &made;
    s = subprocess_spawn(n.rt, &spec, NULL);
    ck_assert_int_eq(status_of(&n, s), 7 << 8);
    ck_assert_int_eq(subprocess_pid(s), made);
    subprocess_unref(s);
    spec.clone = clone_not;
    check_refused(&n, &spec, EAGAIN, "Failed to launch 'sh': could not make an OS process");
    node_stop(&n);
}
END_TEST

/* ---- many ---- */

enum { MANY = 200 };

START_TEST(two_hundred_children_live_at_once_and_leave_no_zombie)
{
    struct node n = node_start(2);
    const struct child_hook hook = { do_nothing, NULL };
    struct subprocess *s[MANY];

    for (int i = 0; i < MANY; i++) {
        char *command = mem_printf("read line; exit %d", i % 100);
        struct child_spec spec = script(SCRIPT(command));

        spec.in = CHILD_PIPE;
        spec.out = CHILD_INHERIT;
        spec.dies_with_parent = i % 2;
        spec.hooks = i % 3 ? NULL : &hook;
        spec.n_hooks = i % 3 ? 0 : 1;
        s[i] = subprocess_spawn(n.rt, &spec, NULL);
        ck_assert_ptr_nonnull(s[i]);
        mem_free(command);
    }
    for (int i = 0; i < MANY; i++)
        subprocess_close(s[i], SUBPROCESS_IN);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(status_of(&n, s[i]), (i % 100) << 8);
        subprocess_unref(s[i]);
    }
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    node_stop(&n);
}
END_TEST

struct spawning {
    struct node *node;
    int failures;
};

static void spawn_some(void *arg)
{
    struct spawning *of = arg;
    const struct child_hook hook = { do_nothing, NULL };

    for (int i = 0; i < 20; i++) {
        struct child_spec spec = script(SCRIPT("exit 0"));
        struct error err;
        struct subprocess *s;

        spec.path = i % 2 ? "sh" : "/no/such/program";
        spec.out = CHILD_NULL;
        spec.hooks = i % 4 ? NULL : &hook;
        spec.n_hooks = i % 4 ? 0 : 1;
        s = subprocess_spawn(of->node->rt, &spec, &err);
        of->failures += !s && err.code == ENOENT;
        subprocess_unref(s);
    }
}

/* Each thread has its own failures, also when they launch at the same time. */
START_TEST(threads_may_launch_at_once)
{
    struct node n = node_start(2);
    struct spawning of[4];
    struct future *f[4];

    for (int i = 0; i < 4; i++) {
        of[i] = (struct spawning){ &n, 0 };
        f[i] = process_async(n.rt, spawn_some, &of[i]);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert(future_wait(f[i], n.host, LONG));
        ck_assert_int_eq(of[i].failures, 10);
        future_unref(f[i]);
    }
    node_stop(&n);
}
END_TEST

UNIT(subprocess_launch, the_flags_that_are_set_follow_the_words,
     descriptors_of_ours_may_change_places, a_child_has_three_descriptors_however_it_was_made,
     launches_that_succeed_or_fail_leave_us_no_descriptor,
     what_cannot_be_run_is_an_error_of_the_call_however_it_was_made,
     a_child_waits_until_the_hooks_have_run_in_their_order,
     a_hook_that_fails_ends_the_child_before_its_program_ran, a_clone_function_makes_the_os_process,
     two_hundred_children_live_at_once_and_leave_no_zombie, threads_may_launch_at_once);
