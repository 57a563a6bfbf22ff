/* test_command_executor.c - one command task, with a fake runner and a fake agent */
#include <signal.h>
#include <string.h>

#include "executor/command_executor.h"
#include "process/host.h"
#include "tests/executor/fake_agent.h"
#include "tests/unit.h"

/* ---- a runner that starts, ends and fails when the test says so ---- */

struct fake_runner {
    struct command_runner runner;
    struct world *world;
    struct promise *started, *ended;
    bool is_destroyed;
};

static struct future *runner_start(struct command_runner *runner, const Pb__TaskInfo *task)
{
    struct fake_runner *r = (struct fake_runner *)runner;

    buffer_printf(&r->world->told, "start %s\n", task->command->value);
    return promise_future(r->started);
}

static struct future *runner_wait(struct command_runner *runner)
{
    return promise_future(((struct fake_runner *)runner)->ended);
}

static void runner_signal(struct command_runner *runner, int signo)
{
    struct fake_runner *r = (struct fake_runner *)runner;

    buffer_printf(&r->world->told, "signal %s\n", signo == SIGTERM ? "TERM" : "KILL");
}

static void runner_destroy(struct command_runner *runner)
{
    ((struct fake_runner *)runner)->is_destroyed = true;
}

static const struct command_runner_ops fake_ops = { runner_start, runner_wait, runner_signal,
                                                    runner_destroy };

/* ---- the subject ---- */

struct place {
    struct world w;
    struct fake_runner runner;
    struct command_executor *c;
};

static void place_open(struct place *p)
{
    *p = (struct place){ .runner = { .runner = { &fake_ops }, .world = &p->w } };
    p->runner.started = promise_create(&future_nothing);
    p->runner.ended = command_exit_promise();
    world_start(&p->w);
    p->w.command = "true";
}

/* Registered, nothing launched. */
static void place_create(struct place *p, Pb__TaskState known_state)
{
    struct command_executor_options options = { .executor = world_options(&p->w),
                                                .known_state = known_state };
    struct error err;

    p->c = command_executor_create(p->w.executor_runtime, &options, &p->runner.runner, &err);
    ck_assert(p->c != NULL);
    check_heard(&p->w, "register\n");
}

static void place_close(struct place *p)
{
    command_executor_destroy(p->c);
    ck_assert(p->runner.is_destroyed);
    promise_unref(p->runner.started);
    promise_unref(p->runner.ended);
    world_stop(&p->w);
}

static void start(struct place *p)
{
    promise_set(p->runner.started, &future_nothing, NULL);
}

static void end(struct place *p, int status)
{
    command_exit_set(p->runner.ended, (struct command_exit){ .executed = true, .status = status });
}

#define EXIT(n) ((n) << 8)               /* as waitpid says it */
#define STAGING PB__TASK_STATE__TASK_STAGING
#define T "update t1 TASK_"

static void launch(struct place *p)
{
    place_open(p);
    place_create(p, STAGING);
    agent_run_task(&p->w, "t1");
    check_heard(&p->w, T "STARTING\n");
    check_told(&p->w, "start true\n");
}

static void run(struct place *p)
{
    launch(p);
    start(p);
    check_heard(&p->w, T "RUNNING\n");
}

static void check_silent(struct place *p, struct duration d)
{
    sim_run_for(p->w.sim, d);
    check_told(&p->w, "");
    check_heard(&p->w, "");
}

static void check_over(struct place *p, const char *heard)
{
    check_heard(&p->w, heard);
    check_ended(&p->w, command_executor_pid(p->c));
    check_silent(p, SECONDS(1));
    place_close(p);
}

/* ---- ends by itself ---- */

static const struct { int status; const char *heard; } ends[] = {
    { EXIT(0), T "FINISHED 'Command exited with status 0'\n" },
    { EXIT(3), T "FAILED 'Command exited with status 3'\n" },
    { SIGKILL, T "FAILED 'Command terminated with signal Killed'\n" },
    { SIGTERM, T "FAILED 'Command terminated with signal Terminated'\n" },
    { SIGSEGV | 0x80, T "FAILED 'Command terminated with signal Segmentation fault'\n" },
};

START_TEST(the_end_is_told_in_mesos_words)
{
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct place p;

        run(&p);
        end(&p, ends[i].status);
        check_over(&p, ends[i].heard);
    }
}
END_TEST

START_TEST(a_command_that_cannot_be_executed_fails_with_the_reason)
{
    struct place p;

    run(&p);
    command_exit_set(p.runner.ended, (struct command_exit){ .reason = "no such program" });
    check_over(&p, T "FAILED 'no such program'\n");
}
END_TEST

START_TEST(a_runner_that_cannot_start_fails_the_task)
{
    struct place p;

    launch(&p);
    promise_fail(p.runner.started, 1, "no launcher");
    check_over(&p, T "FAILED REASON_CONTAINER_LAUNCH_FAILED 'no launcher'\n");
}
END_TEST

START_TEST(a_runner_that_loses_its_command_fails_the_task)
{
    struct place p;

    run(&p);
    promise_fail(p.runner.ended, 1, "the exit file is damaged");
    check_over(&p, T "FAILED 'the exit file is damaged'\n");
}
END_TEST

START_TEST(a_task_without_a_command_fails)
{
    struct place p;

    place_open(&p);
    p.w.command = NULL;
    place_create(&p, STAGING);
    agent_run_task(&p.w, "t1");
    check_over(&p, T "FAILED 'The task has no command to run'\n");
}
END_TEST

START_TEST(a_second_task_is_refused_and_the_first_goes_on)
{
    struct place p;

    run(&p);
    agent_run_task(&p.w, "t1");
    agent_run_task(&p.w, "t2");
    check_heard(&p.w, "update t2 TASK_FAILED "
                      "'Attempted to run multiple tasks using a \"command\" executor'\n");
    end(&p, EXIT(0));
    check_over(&p, T "FINISHED 'Command exited with status 0'\n");
}
END_TEST

/* ---- kills ---- */

START_TEST(a_kill_asks_and_after_the_grace_forces)
{
    struct place p;

    run(&p);
    agent_kill_task(&p.w, "t1", -1);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(2));
    check_told(&p.w, "signal KILL\n");
    end(&p, SIGKILL);
    check_over(&p, T "KILLED 'Command terminated with signal Killed'\n");
}
END_TEST

START_TEST(a_command_that_ends_at_a_kill_is_not_killed_again)
{
    struct place p;

    run(&p);
    agent_kill_task(&p.w, "t1", 1);
    check_told(&p.w, "signal TERM\n");
    p.w.acknowledges = false;
    end(&p, EXIT(0));
    check_heard(&p.w, T "KILLED 'Command exited with status 0'\n");
    check_silent(&p, SECONDS(3));
    check_over(&p, "");
}
END_TEST

static void run_with_grace(struct place *p, int64_t seconds)
{
    place_open(p);
    p->w.grace = seconds;
    place_create(p, STAGING);
    agent_run_task(&p->w, "t1");
    check_told(&p->w, "start true\n");
    start(p);
    check_heard(&p->w, T "STARTING\n" T "RUNNING\n");
}

static void check_forced(struct place *p)
{
    sim_run_for(p->w.sim, MILLISECONDS(1500));
    ck_assert_str_eq(buffer_data(&p->w.told), "signal KILL\n");     /* now, not later */
    buffer_clear(&p->w.told);
    end(p, SIGKILL);
    check_over(p, T "KILLED 'Command terminated with signal Killed'\n");
}

START_TEST(the_kills_grace_goes_before_the_tasks)
{
    struct place p;

    run_with_grace(&p, 20);
    agent_kill_task(&p.w, "t1", 10);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(9));
    check_forced(&p);
    run_with_grace(&p, 20);
    agent_kill_task(&p.w, "t1", -1);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(19));
    check_forced(&p);
}
END_TEST

START_TEST(a_later_kill_shortens_the_grace_and_never_makes_it_longer)
{
    struct place p;

    run_with_grace(&p, 20);
    agent_kill_task(&p.w, "t1", -1);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(10));
    agent_kill_task(&p.w, "t1", 60);
    check_silent(&p, SECONDS(9));
    check_forced(&p);
    run_with_grace(&p, 20);
    agent_kill_task(&p.w, "t1", -1);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(10));
    agent_kill_task(&p.w, "t1", 1);
    check_forced(&p);
}
END_TEST

START_TEST(a_kill_during_the_start_has_its_whole_grace_afterwards)
{
    struct place p;

    launch(&p);
    agent_kill_task(&p.w, "t1", 60);
    agent_kill_task(&p.w, "t1", 5);
    agent_kill_task(&p.w, "t1", 50);
    check_silent(&p, MINUTES(2));
    start(&p);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(4));
    check_told(&p.w, "signal KILL\n");
    end(&p, SIGKILL);
    check_over(&p, T "KILLED 'Command terminated with signal Killed'\n");
}
END_TEST

START_TEST(a_kill_during_a_start_that_fails_is_a_kill)
{
    struct place p;

    launch(&p);
    agent_kill_task(&p.w, "t1", -1);
    sim_run_for(p.w.sim, SECONDS(1));
    promise_fail(p.runner.started, 1, "no launcher");
    check_over(&p, T "KILLED 'no launcher'\n");
}
END_TEST

START_TEST(a_kill_that_overtakes_the_launch_prevents_it)
{
    struct place p;

    place_open(&p);
    place_create(&p, STAGING);
    agent_kill_task(&p.w, "t1", -1);
    check_silent(&p, SECONDS(1));
    agent_run_task(&p.w, "t1");
    check_over(&p, T "KILLED 'Killed before the command was started'\n");
}
END_TEST

START_TEST(a_kill_of_another_task_does_nothing)
{
    struct place p;

    run(&p);
    agent_kill_task(&p.w, "t2", -1);
    check_silent(&p, SECONDS(10));
    end(&p, EXIT(0));
    check_over(&p, T "FINISHED 'Command exited with status 0'\n");
}
END_TEST

START_TEST(a_framework_that_knows_killing_is_told_once)
{
    struct place p;

    place_open(&p);
    p.w.task_killing_state = true;
    place_create(&p, STAGING);
    agent_run_task(&p.w, "t1");
    check_told(&p.w, "start true\n");
    start(&p);
    check_heard(&p.w, T "STARTING\n" T "RUNNING\n");
    agent_kill_task(&p.w, "t1", -1);
    agent_kill_task(&p.w, "t1", -1);
    check_told(&p.w, "signal TERM\n");
    check_heard(&p.w, T "KILLING\n");
    end(&p, SIGTERM);
    check_over(&p, T "KILLED 'Command terminated with signal Terminated'\n");
}
END_TEST

/* ---- too late ---- */

static void run_for_a_minute(struct place *p)
{
    place_open(p);
    p->w.max_completion = 60;
    place_create(p, STAGING);
    agent_run_task(&p->w, "t1");
    check_told(&p->w, "start true\n");
    start(p);
    check_heard(&p->w, T "STARTING\n" T "RUNNING\n");
}

START_TEST(a_command_that_takes_too_long_is_stopped_and_fails)
{
    struct place p;

    run_for_a_minute(&p);
    check_silent(&p, SECONDS(59));
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(2));
    check_told(&p.w, "signal KILL\n");
    end(&p, SIGKILL);
    check_over(&p, T "FAILED REASON_MAX_COMPLETION_TIME_REACHED "
                     "'Command terminated with signal Killed'\n");
}
END_TEST

START_TEST(a_killed_command_is_not_too_late)
{
    struct place p;

    run_for_a_minute(&p);
    agent_kill_task(&p.w, "t1", 120);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(100));
    end(&p, SIGTERM);
    check_over(&p, T "KILLED 'Command terminated with signal Terminated'\n");
}
END_TEST

/* ---- shutdown ---- */

START_TEST(a_shutdown_before_the_launch_ends_at_once)
{
    struct place p;

    place_open(&p);
    place_create(&p, STAGING);
    agent_shut_down(&p.w);
    check_over(&p, "");
}
END_TEST

START_TEST(a_shutdown_kills_within_its_own_grace)
{
    struct place p;

    run_with_grace(&p, 60);
    agent_shut_down(&p.w);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(3));
    check_told(&p.w, "signal KILL\n");
    end(&p, SIGKILL);
    check_over(&p, T "KILLED 'Command terminated with signal Killed'\n");
}
END_TEST

START_TEST(a_shutdown_during_the_start_ends_after_the_grace)
{
    struct place p;

    launch(&p);
    agent_shut_down(&p.w);
    check_silent(&p, SECONDS(4));
    check_over(&p, "");
}
END_TEST

START_TEST(an_end_of_the_executor_leaves_the_command_running)
{
    struct place p;

    run(&p);
    check_told(&p.w, "");
    agent_kill_task(&p.w, "t1", 600);
    check_told(&p.w, "signal TERM\n");
    process_terminate(command_executor_pid(p.c), TERMINATE_NOW);
    check_ended(&p.w, command_executor_pid(p.c));
    check_silent(&p, MINUTES(20));
    end(&p, EXIT(0));
    check_silent(&p, MINUTES(1));
    place_close(&p);
}
END_TEST

/* ---- recovered runs ---- */

static void recover(struct place *p, Pb__TaskState known_state)
{
    place_open(p);
    place_create(p, known_state);
    agent_run_task(&p->w, "t1");
    check_told(&p->w, "start true\n");
}

START_TEST(a_recovered_command_is_not_told_about_again)
{
    struct place p;

    recover(&p, PB__TASK_STATE__TASK_RUNNING);
    start(&p);
    check_silent(&p, SECONDS(1));
    end(&p, EXIT(0));
    check_over(&p, T "FINISHED 'Command exited with status 0'\n");
}
END_TEST

START_TEST(a_command_recovered_as_starting_runs)
{
    struct place p;

    recover(&p, PB__TASK_STATE__TASK_STARTING);
    start(&p);
    check_heard(&p.w, T "RUNNING\n");
    end(&p, EXIT(1));
    check_over(&p, T "FAILED 'Command exited with status 1'\n");
}
END_TEST

START_TEST(a_recovered_kill_goes_on)
{
    struct place p;

    recover(&p, PB__TASK_STATE__TASK_KILLING);
    start(&p);
    check_told(&p.w, "signal TERM\n");
    check_silent(&p, SECONDS(2));
    check_told(&p.w, "signal KILL\n");
    end(&p, SIGKILL);
    check_over(&p, T "KILLED 'Command terminated with signal Killed'\n");
}
END_TEST

START_TEST(a_recovered_command_that_cannot_be_found_fails)
{
    struct place p;

    recover(&p, PB__TASK_STATE__TASK_RUNNING);
    promise_fail(p.runner.started, 1, "the run was lost");
    check_over(&p, T "FAILED REASON_CONTAINER_LAUNCH_FAILED 'the run was lost'\n");
}
END_TEST

START_TEST(a_terminal_state_is_the_last_word)
{
    struct place p;

    recover(&p, PB__TASK_STATE__TASK_FINISHED);
    start(&p);
    end(&p, EXIT(1));
    check_over(&p, "");
    recover(&p, PB__TASK_STATE__TASK_FAILED);
    promise_fail(p.runner.started, 1, "the run was lost");
    check_over(&p, "");
}
END_TEST

UNIT(command_executor, the_end_is_told_in_mesos_words,
     a_command_that_cannot_be_executed_fails_with_the_reason,
     a_runner_that_cannot_start_fails_the_task, a_runner_that_loses_its_command_fails_the_task,
     a_task_without_a_command_fails, a_second_task_is_refused_and_the_first_goes_on,
     a_kill_asks_and_after_the_grace_forces, a_command_that_ends_at_a_kill_is_not_killed_again,
     the_kills_grace_goes_before_the_tasks,
     a_later_kill_shortens_the_grace_and_never_makes_it_longer,
     a_kill_during_the_start_has_its_whole_grace_afterwards,
     a_kill_during_a_start_that_fails_is_a_kill, a_kill_that_overtakes_the_launch_prevents_it,
     a_kill_of_another_task_does_nothing, a_framework_that_knows_killing_is_told_once,
     a_command_that_takes_too_long_is_stopped_and_fails, a_killed_command_is_not_too_late,
     a_shutdown_before_the_launch_ends_at_once, a_shutdown_kills_within_its_own_grace,
     a_shutdown_during_the_start_ends_after_the_grace,
     an_end_of_the_executor_leaves_the_command_running,
     a_recovered_command_is_not_told_about_again, a_command_recovered_as_starting_runs,
     a_recovered_kill_goes_on, a_recovered_command_that_cannot_be_found_fails,
     a_terminal_state_is_the_last_word);
