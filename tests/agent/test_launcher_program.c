/* test_launcher_program.c - the real mesos-lite-launcher and its supervisors */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/agent/launcher_place.h"
#include "tests/unit.h"

static void begin(struct launcher_place *p)
{
    launcher_place_init(p);
    launcher_place_start(p);
    launcher_place_connect(p);
}

static void check_ends(struct launcher_place *p, const char *id, const char *script, int status)
{
    struct run_exit end;

    launcher_place_await(launcher_place_run(p, id, script));
    end = launcher_place_exit(p, id);
    ck_assert_str_eq(end.reason, "");
    ck_assert(end.executed);
    ck_assert_int_eq(end.status, status);
    ck_assert(!launcher_place_is_locked(p, id));
}

START_TEST(a_run_leaves_how_it_ended)
{
    struct launcher_place p;

    begin(&p);
    check_ends(&p, "ok", "true", 0);
    check_ends(&p, "status", "exit 7", 7 << 8);
    check_ends(&p, "signal", "kill -9 $$", SIGKILL);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_run_has_its_folder_its_output_files_and_nothing_inherited)
{
    struct launcher_place p;
    char *out, *want;

    begin(&p);
    check_ends(&p, "1",
               "pwd; umask; cat; for i in 3 4 5 6 7 8 9 10 11 12; do"
               " [ -e /proc/$$/fd/$i ] && echo $i; done; echo $HOME", 0);
    /* Of ourselves: a shell blocks signals for a moment while it forks. */
    check_ends(&p, "2",
               "cut -d' ' -f6 /proc/$$/stat | grep -xc $$;"
               "exec grep -E 'Sig(Blk|Ign)' /proc/self/status >&2", 0);
    out = launcher_place_read(&p, "stdout");
    want = mem_printf("%s\n0022\n\n1\n", p.dir);
    ck_assert_str_eq(out, want);
    mem_free(out);
    mem_free(want);
    out = launcher_place_read(&p, "stderr");
    ck_assert_str_eq(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    mem_free(out);
    launcher_place_release(&p);
}
END_TEST

static void check_reason(struct launcher_place *p, const char *id, const char *program,
                         const char *directory, const char *out, const char *reason)
{
    struct launch_request r = launcher_place_request(p, id, "true");
    struct launch_answer a;
    struct run_exit end;

    mem_free(r.program);
    r.program = mem_strdup(program);
    if (directory) {
        mem_free(r.directory);
        r.directory = mem_strdup(directory);
    }
    if (out) {
        mem_free(r.out);
        r.out = mem_strdup(out);
    }
    a = launcher_place_ask(p, &r);
    ck_assert_int_eq(a.code, 0);
    launcher_place_await(a.pid);
    end = launcher_place_exit(p, id);
    ck_assert(!end.executed);
    ck_assert_str_eq(end.reason, reason);
    launch_answer_release(&a);
    launch_request_release(&r);
}

START_TEST(what_cannot_be_executed_says_why)
{
    struct launcher_place p;

    begin(&p);
    check_reason(&p, "1", "no-such-program", NULL, NULL,
                 "cannot execute 'no-such-program': No such file or directory");
    check_reason(&p, "2", "/etc/passwd", NULL, NULL,
                 "cannot execute '/etc/passwd': Permission denied");
    check_reason(&p, "3", "sh", "/nowhere", NULL,
                 "cannot enter '/nowhere': No such file or directory");
    check_reason(&p, "4", "sh", NULL, "/nowhere/out",
                 "cannot open '/nowhere/out': No such file or directory");
    launcher_place_release(&p);
}
END_TEST

static void check_refused(struct launcher_place *p, struct launch_request *r, int code,
                          const char *why)
{
    struct launch_answer a = launcher_place_ask(p, r);

    ck_assert_int_eq(a.code, code);
    ck_assert_str_eq(a.text, why);
    launch_answer_release(&a);
}

START_TEST(a_run_is_never_started_twice)
{
    struct launcher_place p;
    struct launch_request r;
    pid_t supervisor;
    char *out;

    begin(&p);
    supervisor = launcher_place_run(&p, "1", "echo once; read x < go");
    r = launcher_place_request(&p, "1", "echo twice");
    check_refused(&p, &r, EEXIST, "the run lives already");
    launcher_place_go(&p, "\n");
    launcher_place_await(supervisor);
    check_refused(&p, &r, EEXIST, "the run has been started before");
    out = launcher_place_read(&p, "stdout");
    ck_assert_str_eq(out, "once\n");
    mem_free(out);
    launch_request_release(&r);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_request_that_makes_no_sense_is_refused)
{
    struct launcher_place p;
    struct launch_request r;
    char *folder;

    begin(&p);
    r = launcher_place_request(&p, "1", "true");
    folder = r.folder;
    r.folder = (char *)"meta/runs/1";
    check_refused(&p, &r, EINVAL, "the folders of a run must be absolute paths");
    r.folder = (char *)"/no/such/folder";
    check_refused(&p, &r, ENOENT,
                  "cannot open the run's folder '/no/such/folder': No such file or directory");
    r.folder = folder;
    r.program[0] = '\0';
    check_refused(&p, &r, EINVAL, "a run needs a program and its name as the first argument");
    launch_request_release(&r);
    launcher_place_release(&p);
}
END_TEST

START_TEST(many_runs_may_be_asked_for_at_once)
{
    enum { RUNS = 200 };
    struct launcher_place p;
    struct buffer frames = BUFFER_INIT;
    pid_t supervisors[RUNS];
    int answered = 0;

    begin(&p);
    for (int i = 0; i < RUNS; i++) {
        char id[20];
        struct launch_request r;

        snprintf(id, sizeof id, "%d", i);
        r = launcher_place_request(&p, id, "exit 3");
        launch_request_pack(&r, &frames);
        launch_request_release(&r);
    }
    ck_assert_int_eq(send(p.socket, buffer_data(&frames), buffer_length(&frames), 0),
                     buffer_length(&frames));
    while (answered < RUNS) {
        struct launch_answer a;
        ssize_t n = read(p.socket, buffer_reserve(&p.in, 1000), 1000);

        ck_assert_int_gt(n, 0);
        buffer_commit(&p.in, (size_t)n);
        while (launch_answer_unpack(&p.in, &a, NULL) == 1) {
            ck_assert_int_eq(a.code, 0);
            supervisors[answered++] = a.pid;
            launch_answer_release(&a);
        }
    }
    for (int i = 0; i < RUNS; i++)
        launcher_place_await(supervisors[i]);
    for (int i = 0; i < RUNS; i++) {
        char id[20];

        snprintf(id, sizeof id, "%d", i);
        ck_assert_int_eq(launcher_place_exit(&p, id).status, 3 << 8);
    }
    buffer_release(&frames);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_run_outlives_its_launcher)
{
    struct launcher_place p;
    pid_t supervisor;

    begin(&p);
    supervisor = launcher_place_run(&p, "1", "echo $$ > up; read x < go; exit $x");
    launcher_place_up(&p);
    launcher_place_kill(&p);
    ck_assert(launcher_place_is_locked(&p, "1"));
    launcher_place_start(&p);
    launcher_place_connect(&p);
    check_ends(&p, "2", "true", 0);
    launcher_place_go(&p, "5\n");
    launcher_place_await(supervisor);
    ck_assert_int_eq(launcher_place_exit(&p, "1").status, 5 << 8);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_command_and_what_came_of_it_die_with_their_supervisor)
{
    struct launcher_place p;
    pid_t supervisor, grandchild;
    char *command;
    struct stat st;
    char *end;

    begin(&p);
    supervisor = launcher_place_run(
        &p, "1", "echo $$ > pid; setsid sh -c 'echo $$ > up; read x < go'; exit 0");
    grandchild = launcher_place_up(&p);
    command = launcher_place_read(&p, "pid");
    kill(supervisor, SIGKILL);
    launcher_place_await((pid_t)strtol(command, NULL, 10));
    launcher_place_await(grandchild);
    end = mem_printf("%s/meta/runs/1/exit", p.dir);
    ck_assert_int_eq(stat(end, &st), -1);
    mem_free(end);
    mem_free(command);
    launcher_place_release(&p);
}
END_TEST

START_TEST(what_a_command_leaves_behind_in_a_session_of_its_own_is_ended)
{
    struct launcher_place p;
    pid_t supervisor, left;

    begin(&p);
    supervisor = launcher_place_run(&p, "1",
                                    "setsid sh -c 'trap \"\" TERM; echo $$ > up; read x < never' & "
                                    "mkfifo never; read x < go; exit $x");
    left = launcher_place_up(&p);
    launcher_place_go(&p, "3\n");
    launcher_place_await(supervisor);
    ck_assert_int_eq(kill(left, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_int_eq(launcher_place_exit(&p, "1").status, 3 << 8);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_stop_reaches_the_command_and_other_sessions_below_it)
{
    struct launcher_place p;
    pid_t supervisor;
    char *out;

    begin(&p);
    supervisor = launcher_place_run(
        &p, "1",
        "trap 'wait $!; exit 9' TERM;"
        "setsid sh -c 'trap \"echo heard; exit\" TERM; echo $$ > up; read x < go' & wait");
    launcher_place_up(&p);
    ck_assert_int_eq(kill(supervisor, RUN_SIGNAL_STOP), 0);
    launcher_place_await(supervisor);
    ck_assert_int_eq(launcher_place_exit(&p, "1").status, 9 << 8);
    out = launcher_place_read(&p, "stdout");
    ck_assert_str_eq(out, "heard\n");
    mem_free(out);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_kill_ends_what_does_not_listen)
{
    struct launcher_place p;
    pid_t supervisor;

    begin(&p);
    supervisor = launcher_place_run(&p, "1", "trap '' TERM; echo $$ > up; read x < go");
    launcher_place_up(&p);
    ck_assert_int_eq(kill(supervisor, RUN_SIGNAL_STOP), 0);
    ck_assert_int_eq(kill(supervisor, RUN_SIGNAL_KILL), 0);
    launcher_place_await(supervisor);
    ck_assert_int_eq(launcher_place_exit(&p, "1").status, SIGKILL);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_second_launcher_of_a_work_directory_goes_away)
{
    struct launcher_place p;
    char *command;

    begin(&p);
    command = mem_printf("%s --work_dir=%s 2>&1 | grep -q 'another launcher serves'",
                         launcher_place_program(), p.dir);
    ck_assert_int_eq(system(command), 0);
    check_ends(&p, "1", "true", 0);
    mem_free(command);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_launcher_told_to_stop_makes_room_and_ends_with_its_last_run)
{
    struct launcher_place p;
    pid_t first, supervisor;
    int status;
    char byte;

    begin(&p);
    first = p.launcher;
    supervisor = launcher_place_run(&p, "1", "read x < go; exit $x");
    kill(first, SIGTERM);
    ck_assert_int_eq(read(p.socket, &byte, 1), 0);       /* it hung up: its place is free */
    launcher_place_start(&p);
    launcher_place_connect(&p);
    check_ends(&p, "2", "true", 0);
    ck_assert_int_eq(waitpid(first, &status, WNOHANG), 0);
    launcher_place_go(&p, "4\n");
    ck_assert_int_eq(waitpid(first, &status, 0), first);
    ck_assert_int_eq(status, 0);
    launcher_place_await(supervisor);
    ck_assert_int_eq(launcher_place_exit(&p, "1").status, 4 << 8);
    launcher_place_release(&p);
}
END_TEST

START_TEST(who_speaks_another_protocol_is_hung_up_on)
{
    struct launcher_place p;
    char byte;

    begin(&p);
    ck_assert_int_eq(send(p.socket, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    ck_assert_int_le(read(p.socket, &byte, 1), 0);
    launcher_place_connect(&p);
    check_ends(&p, "1", "true", 0);
    launcher_place_release(&p);
}
END_TEST

START_TEST(a_run_may_be_of_another_user)
{
    struct launcher_place p;
    struct launch_request r;
    struct launch_answer a;
    struct stat st;
    char *out;

    begin(&p);
    r = launcher_place_request(&p, "1", "id -u; id -G; read x < go");
    r.set_user = true;
    r.uid = r.gid = 65534;
    r.groups = mem_alloc(sizeof *r.groups);
    r.groups[0] = 12345;
    r.n_groups = 1;
    a = launcher_place_ask(&p, &r);
    ck_assert_int_eq(a.code, 0);
    if (getuid() == 0) {
        launcher_place_go(&p, "\n");
        launcher_place_await(a.pid);
        ck_assert_int_eq(stat(r.out, &st), 0);
        ck_assert_int_eq(st.st_uid, 65534);
        out = launcher_place_read(&p, "stdout");
        ck_assert_str_eq(out, "65534\n65534 12345\n");
        mem_free(out);
    } else {
        launcher_place_await(a.pid);
        ck_assert_str_eq(
            launcher_place_exit(&p, "1").reason,
            "cannot take the supplementary groups of user 65534: Operation not permitted");
    }
    launch_answer_release(&a);
    launch_request_release(&r);
    launcher_place_release(&p);
}
END_TEST

/* The death signal is lost by a change of user, unless it is asked for after that. */
START_TEST(a_command_of_another_user_dies_with_its_supervisor)
{
    struct launcher_place p;
    struct launch_request r;
    struct launch_answer a;
    pid_t command;

    begin(&p);
    r = launcher_place_request(&p, "1", "echo $$ > up; read x < go");
    r.set_user = getuid() == 0;
    r.uid = r.gid = 65534;
    a = launcher_place_ask(&p, &r);
    command = launcher_place_up(&p);
    launcher_place_kill(&p);                             /* nobody else will kill it */
    kill(a.pid, SIGKILL);
    launcher_place_await(command);
    launch_answer_release(&a);
    launch_request_release(&r);
    launcher_place_release(&p);
}
END_TEST

UNIT(launcher_program, a_run_leaves_how_it_ended,
     a_run_has_its_folder_its_output_files_and_nothing_inherited, what_cannot_be_executed_says_why,
     a_run_is_never_started_twice, a_request_that_makes_no_sense_is_refused,
     many_runs_may_be_asked_for_at_once, a_run_outlives_its_launcher,
     a_command_and_what_came_of_it_die_with_their_supervisor,
     what_a_command_leaves_behind_in_a_session_of_its_own_is_ended,
     a_stop_reaches_the_command_and_other_sessions_below_it, a_kill_ends_what_does_not_listen,
     a_second_launcher_of_a_work_directory_goes_away,
     a_launcher_told_to_stop_makes_room_and_ends_with_its_last_run,
     who_speaks_another_protocol_is_hung_up_on, a_run_may_be_of_another_user,
     a_command_of_another_user_dies_with_its_supervisor);
