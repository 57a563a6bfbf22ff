/* test_launcher.c - the agent's side of its launcher, on the real host
 *
 * With the real program, or with the test itself in its place.
 */
#include "agent/launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "tests/agent/launcher_place.h"
#include "tests/unit.h"

#define PATIENCE MINUTES(5)

struct agent_place {
    struct launcher_place place;
    struct host *host;
    struct runtime *runtime;
    struct launcher *launcher;
};

static void begin(struct agent_place *a, const char *program)
{
    struct runtime_options options = { .workers = 2 };
    struct error err;

    a->host = host_real_create();
    a->runtime = runtime_create(a->host, &options, &err);
    ck_assert_msg(a->runtime != NULL, "%s", err.text);
    a->launcher = launcher_create(a->runtime, a->place.dir, program, &err);
    ck_assert_msg(a->launcher != NULL, "%s", err.text);
}

static void end(struct agent_place *a)
{
    launcher_destroy(a->launcher);
    runtime_destroy(a->runtime);
    host_destroy(a->host);
}

static void await(struct agent_place *a, struct future *f)
{
    ck_assert(future_wait(f, a->host, PATIENCE));
}

static struct run_started start(struct agent_place *a, const char *id, const char *script)
{
    struct launch_request r = launcher_place_request(&a->place, id, script);
    struct future *f = launcher_start(a->launcher, &r);
    struct run_started started;

    await(a, f);
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "");
    started = *run_started_get(f);
    future_unref(f);
    launch_request_release(&r);
    return started;
}

static struct future *follow(struct agent_place *a, const char *id,
                             const struct run_started *started)
{
    char *folder = mem_printf("%s/meta/runs/%s", a->place.dir, id);
    struct future *f = launcher_wait(a->launcher, folder, started);

    mem_free(folder);
    return f;
}

static struct run_exit await_end(struct agent_place *a, struct future *f)
{
    struct run_exit e;

    await(a, f);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    e = *run_exit_get(f);
    future_unref(f);
    return e;
}

static enum run_state inspect(struct agent_place *a, const char *id, const char *boot,
                              struct run_exit *ret_exit)
{
    char *folder = mem_printf("%s/meta/runs/%s", a->place.dir, id);
    struct run_started started;
    enum run_state state;
    struct error err;

    ck_assert_msg(run_inspect(a->host, folder, boot, &state, &started, ret_exit, &err) == 0, "%s",
                  err.text);
    mem_free(folder);
    return state;
}

/* ---- with the real program ---- */

START_TEST(the_launcher_is_started_and_a_run_followed_to_its_end)
{
    struct agent_place a;
    struct run_started started;
    struct run_exit e;

    launcher_place_init(&a.place);
    begin(&a, launcher_place_program());
    started = start(&a, "1", "exit 5");
    e = await_end(&a, follow(&a, "1", &started));
    ck_assert(e.executed);
    ck_assert_int_eq(e.status, 5 << 8);
    e = await_end(&a, follow(&a, "1", &started));           /* asked after its end */
    ck_assert_int_eq(e.status, 5 << 8);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_run_may_be_signalled_also_when_it_has_ended)
{
    struct agent_place a;
    struct run_started started;
    struct future *f, *ended;

    launcher_place_init(&a.place);
    begin(&a, launcher_place_program());
    started = start(&a, "1", "echo $$ > up; read x < go");
    launcher_place_up(&a.place);
    ended = follow(&a, "1", &started);
    for (int i = 0; i < 2; i++) {
        f = launcher_signal(a.launcher, &started, RUN_SIGNAL_KILL);
        await(&a, f);
        ck_assert_int_eq(future_state(f), FUTURE_READY);
        future_unref(f);
        if (i == 0)
            ck_assert_int_eq(await_end(&a, ended).status, SIGKILL);
    }
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_run_whose_supervisor_was_killed_has_ended_so)
{
    struct agent_place a;
    struct run_started started;
    struct run_exit e;
    struct future *f;

    launcher_place_init(&a.place);
    begin(&a, launcher_place_program());
    started = start(&a, "1", "echo $$ > up; read x < go");
    launcher_place_up(&a.place);
    f = follow(&a, "1", &started);
    kill(started.pid, SIGKILL);
    e = await_end(&a, f);
    ck_assert(!e.executed);
    ck_assert_str_eq(e.reason, "the run's supervisor was killed");
    ck_assert_int_eq(inspect(&a, "1", started.boot_id, &e), RUN_FAILED);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_discard_only_stops_following)
{
    struct agent_place a;
    struct run_started started;
    struct future *f;

    launcher_place_init(&a.place);
    begin(&a, launcher_place_program());
    started = start(&a, "1", "read x < go; exit $x");
    f = follow(&a, "1", &started);
    future_discard(f);
    await(&a, f);
    ck_assert_int_eq(future_state(f), FUTURE_DISCARDED);
    future_unref(f);
    f = follow(&a, "1", &started);
    launcher_place_go(&a.place, "6\n");
    ck_assert_int_eq(await_end(&a, f).status, 6 << 8);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_launcher_that_dies_is_started_again_and_runs_go_on)
{
    struct agent_place a;
    struct run_started one, two;
    struct future *f;

    launcher_place_init(&a.place);
    launcher_place_start(&a.place);                      /* one that is there already is used */
    begin(&a, launcher_place_program());
    one = start(&a, "1", "read x < go; exit $x");
    launcher_place_kill(&a.place);
    two = start(&a, "2", "exit 4");
    ck_assert_int_eq(await_end(&a, follow(&a, "2", &two)).status, 4 << 8);
    f = follow(&a, "1", &one);
    launcher_place_go(&a.place, "7\n");
    ck_assert_int_eq(await_end(&a, f).status, 7 << 8);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_run_is_recovered_from_its_record)
{
    struct agent_place a;
    struct run_started started;
    struct run_exit e;
    struct launch_request r;
    struct future *f;
    char *boot;

    launcher_place_init(&a.place);
    begin(&a, launcher_place_program());
    started = start(&a, "1", "read x < go; exit $x");
    boot = started.boot_id;
    end(&a);                                             /* the agent goes and comes again */
    begin(&a, launcher_place_program());
    ck_assert_int_eq(inspect(&a, "1", boot, &e), RUN_LIVES);
    f = follow(&a, "1", &started);
    launcher_place_go(&a.place, "8\n");
    ck_assert_int_eq(await_end(&a, f).status, 8 << 8);
    ck_assert_int_eq(inspect(&a, "1", boot, &e), RUN_ENDED);
    ck_assert_int_eq(e.status, 8 << 8);

    r = launcher_place_request(&a.place, "2", "true");
    ck_assert_int_eq(inspect(&a, "2", "another boot", &e), RUN_UNKNOWN);
    ck_assert_int_eq(inspect(&a, "2", boot, &e), RUN_NEVER_STARTED);
    ck_assert_int_eq(inspect(&a, "2", boot, &e), RUN_NEVER_STARTED);
    ck_assert_int_eq(inspect(&a, "no folder", boot, &e), RUN_NEVER_STARTED);
    f = launcher_start(a.launcher, &r);                  /* and never will be */
    await(&a, f);
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_str_eq(future_error(f)->text,
                     "The run was not started: the run has been started before");
    future_unref(f);
    launch_request_release(&r);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(without_a_launcher_a_start_fails_in_the_end)
{
    struct agent_place a;
    struct launch_request r;
    struct future *f;

    launcher_place_init(&a.place);
    begin(&a, "/no/such/launcher");
    r = launcher_place_request(&a.place, "1", "true");
    f = launcher_start(a.launcher, &r);
    runtime_clock_pause(a.runtime);
    while (future_state(f) == FUTURE_PENDING) {
        ck_assert(runtime_clock_settle(a.runtime, PATIENCE));
        runtime_clock_advance(a.runtime, SECONDS(1));
    }
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_msg(strstr(future_error(f)->text, "The launcher cannot be reached (") != NULL, "%s",
                  future_error(f)->text);
    ck_assert_msg(strstr(future_error(f)->text, "meta/launcher.log") != NULL, "%s",
                  future_error(f)->text);
    runtime_clock_resume(a.runtime);
    future_unref(f);
    launch_request_release(&r);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

/* ---- with the test in the program's place ---- */

static int listen_at(struct launcher_place *p)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s/meta/launcher.sock", p->dir);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

static uint64_t receive(int fd)
{
    struct buffer in = BUFFER_INIT;
    struct launch_request r;
    uint64_t number;
    int got;

    while ((got = launch_request_unpack(&in, &r, NULL)) == 0) {
        ssize_t n = read(fd, buffer_reserve(&in, 1000), 1000);

        ck_assert_int_gt(n, 0);
        buffer_commit(&in, (size_t)n);
    }
    ck_assert_int_eq(got, 1);
    number = r.number;
    launch_request_release(&r);
    buffer_release(&in);
    return number;
}

static void answer(int fd, uint64_t number, int code)
{
    struct launch_answer a = { .number = number, .code = code, .text = (char *)"" };
    struct buffer out = BUFFER_INIT;

    launch_answer_pack(&a, &out);
    ck_assert_int_eq(write(fd, buffer_data(&out), buffer_length(&out)), buffer_length(&out));
    buffer_release(&out);
}

static void write_started(struct launcher_place *p, const char *id)
{
    struct run_started s = { .boot_id = "b", .pid = 1234, .start_time = 5678 };
    char *path = mem_printf("%s/meta/runs/%s/started", p->dir, id),
         *unfinished = mem_printf("%s.new", path);
    struct buffer text = BUFFER_INIT;
    FILE *f = fopen(unfinished, "we");

    run_started_format(&s, &text);
    fputs(buffer_data(&text), f);
    fclose(f);
    ck_assert_int_eq(rename(unfinished, path), 0);
    buffer_release(&text);
    mem_free(path);
    mem_free(unfinished);
}

START_TEST(a_start_without_an_answer_is_asked_for_again_and_looked_up)
{
    struct agent_place a;
    struct launch_request r;
    struct future *f;
    int listener, fd;
    uint64_t number;

    launcher_place_init(&a.place);
    listener = listen_at(&a.place);
    begin(&a, "/no/such/launcher");
    r = launcher_place_request(&a.place, "1", "true");
    f = launcher_start(a.launcher, &r);

    fd = accept(listener, NULL, NULL);
    number = receive(fd);
    close(fd);                                           /* no answer: it is sent again */
    fd = accept(listener, NULL, NULL);
    ck_assert_int_eq(receive(fd), number);
    answer(fd, number, EEXIST);                          /* no record yet: once more */
    ck_assert_int_eq(receive(fd), number);
    write_started(&a.place, "1");
    answer(fd, number, EEXIST);
    await(&a, f);
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    ck_assert_int_eq(run_started_get(f)->pid, 1234);
    ck_assert_int_eq(run_started_get(f)->start_time, 5678);
    future_unref(f);
    close(fd);
    close(listener);
    launch_request_release(&r);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

START_TEST(a_run_that_exists_at_the_first_asking_is_refused)
{
    struct agent_place a;
    struct launch_request r;
    struct future *f;
    int listener, fd;

    launcher_place_init(&a.place);
    listener = listen_at(&a.place);
    begin(&a, "/no/such/launcher");
    r = launcher_place_request(&a.place, "1", "true");
    f = launcher_start(a.launcher, &r);
    fd = accept(listener, NULL, NULL);
    write_started(&a.place, "1");
    answer(fd, receive(fd), EEXIST);
    await(&a, f);
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_int_eq(future_error(f)->code, EEXIST);
    future_unref(f);
    close(fd);
    close(listener);
    launch_request_release(&r);
    end(&a);
    launcher_place_release(&a.place);
}
END_TEST

UNIT(launcher, the_launcher_is_started_and_a_run_followed_to_its_end,
     a_run_may_be_signalled_also_when_it_has_ended, a_run_whose_supervisor_was_killed_has_ended_so,
     a_discard_only_stops_following, a_launcher_that_dies_is_started_again_and_runs_go_on,
     a_run_is_recovered_from_its_record, without_a_launcher_a_start_fails_in_the_end,
     a_start_without_an_answer_is_asked_for_again_and_looked_up,
     a_run_that_exists_at_the_first_asking_is_refused);
