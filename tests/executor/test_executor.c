/* test_executor.c - the executor library against a fake agent, on the simulated host */
#include <string.h>

#include "process/host.h"
#include "tests/executor/fake_agent.h"
#include "tests/unit.h"

/* ---- a user that writes down what it is told ---- */

struct user { struct world w; struct executor *e; bool stops_at_shutdown; };

static void on_registered(void *arg, struct executor *e UNUSED, const Pb__ExecutorInfo *executor,
                          const Pb__FrameworkInfo *framework, const Pb__AgentInfo *agent)
{
    struct user *u = arg;

    buffer_printf(&u->w.told, "registered %s %s %s\n", executor->executor_id->value,
                  framework->name, agent->hostname);
}

static void on_reregistered(void *arg, struct executor *e UNUSED, const Pb__AgentInfo *agent)
{
    buffer_printf(&((struct user *)arg)->w.told, "reregistered %s\n", agent->hostname);
}

static void on_disconnected(void *arg, struct executor *e UNUSED)
{
    buffer_printf(&((struct user *)arg)->w.told, "disconnected\n");
}

static void on_launch(void *arg, struct executor *e UNUSED, const Pb__TaskInfo *task)
{
    buffer_printf(&((struct user *)arg)->w.told, "launch %s\n", task->task_id->value);
}

static void on_kill(void *arg, struct executor *e UNUSED, const Pb__TaskID *task,
                    const Pb__KillPolicy *policy)
{
    buffer_printf(&((struct user *)arg)->w.told, "kill %s %s\n", task->value,
                  policy ? "policy" : "-");
}

static void on_message(void *arg, struct executor *e, const void *data, size_t size)
{
    buffer_printf(&((struct user *)arg)->w.told, "message %.*s\n", (int)size, (const char *)data);
    executor_send(e, "heard", 5);
}

static void on_shutdown(void *arg, struct executor *e)
{
    struct user *u = arg;

    buffer_printf(&u->w.told, "shutdown\n");
    if (u->stops_at_shutdown)
        executor_stop(e);
}

static void on_acknowledged(void *arg, struct executor *e UNUSED, const Pb__TaskID *task)
{
    buffer_printf(&((struct user *)arg)->w.told, "acknowledged %s\n", task->value);
}

static const struct executor_callbacks callbacks = {
    on_registered, on_reregistered, on_disconnected, on_launch,
    on_kill,       on_message,      on_shutdown,     on_acknowledged,
};

/* ---- what the user does, in the executor's context ---- */

struct deed { struct user *user; char task[32]; Pb__TaskState state; };

static void call_update(struct process *self UNUSED, void *args)
{
    struct deed *d = args;
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    id.value = d->task;
    status.task_id = &id;
    status.state = d->state;
    executor_update(d->user->e, &status);
}

static void call_stop(struct process *self UNUSED, void *args)
{
    executor_stop(((struct deed *)args)->user->e);
}

static void update(struct user *u, const char *task, Pb__TaskState state)
{
    struct deed d = { .user = u, .state = state };

    memcpy(d.task, task, strlen(task) + 1);
    process_dispatch(executor_pid(u->e), call_update, &d, sizeof d, NULL);
}

#define RUNNING PB__TASK_STATE__TASK_RUNNING
#define STARTING PB__TASK_STATE__TASK_STARTING
#define FINISHED PB__TASK_STATE__TASK_FINISHED

static void stop(struct user *u)
{
    struct deed d = { .user = u };

    process_dispatch(executor_pid(u->e), call_stop, &d, sizeof d, NULL);
}

static void user_create(struct user *u, bool checkpoint)
{
    struct executor_options options = world_options(&u->w);
    struct error err;

    options.checkpoint = checkpoint;
    u->e = executor_create(u->w.executor_runtime, &options, &callbacks, u, &err);
    ck_assert(u->e != NULL);
}

/* Registered, nothing launched. */
static void user_start(struct user *u, bool checkpoint)
{
    *u = (struct user){ .stops_at_shutdown = true };
    world_start(&u->w);
    user_create(u, checkpoint);
    check_heard(&u->w, "register\n");
    check_told(&u->w, "registered executor-1 nobody agent\n");
}

static void user_stop(struct user *u)
{
    executor_destroy(u->e);
    world_stop(&u->w);
}

static void launch(struct user *u, const char *task, const char *told)
{
    agent_run_task(&u->w, task);
    check_told(&u->w, told);
}

/* ---- registration ---- */

START_TEST(a_registration_is_tried_again_after_a_connection_that_broke)
{
    struct user u = { .stops_at_shutdown = true };

    world_start(&u.w);
    world_kill_agent(&u.w);
    user_create(&u, false);
    sim_run_for(u.w.sim, SECONDS(10));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    world_start_agent(&u.w);
    check_heard(&u.w, "register\n");
    check_told(&u.w, "registered executor-1 nobody agent\n");
    user_stop(&u);
}
END_TEST

START_TEST(a_registration_whose_answer_was_lost_is_said_again)
{
    struct user u = { .stops_at_shutdown = true };

    world_start(&u.w);
    u.w.refuses_to_answer = true;
    user_create(&u, false);
    check_heard(&u.w, "register\n");
    u.w.refuses_to_answer = false;
    sim_break_connections(u.w.agent_node, u.w.executor_node);
    check_heard(&u.w, "register\n");
    check_told(&u.w, "registered executor-1 nobody agent\n");
    sim_run_for(u.w.sim, MINUTES(1));
    check_heard(&u.w, "");
    user_stop(&u);
}
END_TEST

START_TEST(an_executor_that_cannot_register_for_a_minute_ends)
{
    struct user u = { .stops_at_shutdown = true };

    world_start(&u.w);
    world_kill_agent(&u.w);
    user_create(&u, true);
    check_ended(&u.w, executor_pid(u.e));
    check_told(&u.w, "shutdown\n");
    user_stop(&u);
}
END_TEST

/* ---- tasks and updates ---- */

START_TEST(tasks_kills_and_messages_reach_the_user)
{
    struct user u;

    user_start(&u, false);
    launch(&u, "t1", "launch t1\n");
    agent_kill_task(&u.w, "t1", -1);
    check_told(&u.w, "kill t1 -\n");
    agent_kill_task(&u.w, "t1", 3);
    check_told(&u.w, "kill t1 policy\n");
    agent_send(&u.w, "hello");
    check_told(&u.w, "message hello\n");
    check_heard(&u.w, "message heard\n");
    user_stop(&u);
}
END_TEST

START_TEST(a_task_is_launched_once_until_the_acknowledgement_of_its_end)
{
    struct user u;

    user_start(&u, false);
    launch(&u, "t1", "launch t1\n");
    agent_run_task(&u.w, "t1");
    sim_run_for(u.w.sim, SECONDS(1));
    check_told(&u.w, "");
    update(&u, "t1", RUNNING);
    check_told(&u.w, "acknowledged t1\n");
    agent_run_task(&u.w, "t1");
    sim_run_for(u.w.sim, SECONDS(1));
    check_told(&u.w, "");
    update(&u, "t1", FINISHED);
    check_told(&u.w, "acknowledged t1\n");
    launch(&u, "t1", "launch t1\n");
    user_stop(&u);
}
END_TEST

START_TEST(the_user_hears_when_the_last_update_of_a_task_is_acknowledged_once)
{
    struct user u;

    user_start(&u, false);
    u.w.acknowledges = false;
    launch(&u, "t1", "launch t1\n");
    update(&u, "t1", STARTING);
    update(&u, "t1", RUNNING);
    check_heard(&u.w, "update t1 TASK_STARTING\nupdate t1 TASK_RUNNING\n");
    agent_acknowledge_again(&u.w);
    agent_acknowledge_again(&u.w);
    check_told(&u.w, "");
    agent_acknowledge(&u.w);
    check_told(&u.w, "");
    agent_acknowledge_again(&u.w);
    agent_acknowledge_again(&u.w);
    check_told(&u.w, "acknowledged t1\n");
    user_stop(&u);
}
END_TEST

/* ---- the agent comes and goes ---- */

START_TEST(a_restarted_agent_is_told_unacknowledged_tasks_and_updates_in_order)
{
    struct user u;

    user_start(&u, true);
    u.w.acknowledges = false;
    launch(&u, "t1", "launch t1\n");
    launch(&u, "t2", "launch t2\n");
    launch(&u, "t3", "launch t3\n");
    update(&u, "t2", STARTING);
    update(&u, "t1", STARTING);
    update(&u, "t2", RUNNING);
    check_heard(&u.w, "update t2 TASK_STARTING\nupdate t1 TASK_STARTING\nupdate t2 TASK_RUNNING\n");
    agent_acknowledge(&u.w);
    world_kill_agent(&u.w);
    check_told(&u.w, "disconnected\n");
    update(&u, "t1", FINISHED);
    sim_run_for(u.w.sim, MINUTES(10));
    world_start_agent(&u.w);
    agent_reconnect(&u.w, "agent-1");
    check_heard(&u.w, "reregister t1 t3 t1:TASK_STARTING t2:TASK_RUNNING t1:TASK_FINISHED\n");
    check_told(&u.w, "reregistered agent\n");
    while (u.w.n_unacknowledged > 0)
        agent_acknowledge(&u.w);
    check_told(&u.w, "acknowledged t2\nacknowledged t1\n");
    sim_run_for(u.w.sim, MINUTES(30));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    user_stop(&u);
}
END_TEST

START_TEST(another_agent_cannot_take_the_executor_over)
{
    struct user u;

    user_start(&u, true);
    agent_reconnect(&u.w, "agent-2");
    sim_run_for(u.w.sim, SECONDS(5));
    check_heard(&u.w, "");
    user_stop(&u);
}
END_TEST

START_TEST(an_agent_that_stays_away_ends_a_checkpointing_executor_after_the_recovery_timeout)
{
    struct user u;

    user_start(&u, true);
    world_kill_agent(&u.w);
    check_told(&u.w, "disconnected\n");
    sim_run_for(u.w.sim, MINUTES(14));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    check_told(&u.w, "shutdown\n");
    check_ended(&u.w, executor_pid(u.e));
    user_stop(&u);
}
END_TEST

START_TEST(without_checkpoint_the_end_of_the_agent_is_the_executors)
{
    struct user u;

    user_start(&u, false);
    launch(&u, "t1", "launch t1\n");
    update(&u, "t1", RUNNING);
    check_told(&u.w, "acknowledged t1\n");
    u.w.acknowledges = false;
    update(&u, "t1", FINISHED);
    check_heard(&u.w, "update t1 TASK_RUNNING\nupdate t1 TASK_FINISHED\n");
    world_kill_agent(&u.w);
    check_told(&u.w, "disconnected\nshutdown\n");
    sim_run_for(u.w.sim, SECONDS(1));
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    user_stop(&u);
}
END_TEST

/* ---- the end ---- */

START_TEST(a_shutdown_that_the_user_does_not_finish_ends_after_the_grace)
{
    struct user u;

    user_start(&u, false);
    u.stops_at_shutdown = false;
    agent_shut_down(&u.w);
    agent_shut_down(&u.w);
    check_told(&u.w, "shutdown\n");
    agent_run_task(&u.w, "t1");
    sim_run_for(u.w.sim, SECONDS(4));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    sim_run_for(u.w.sim, SECONDS(2));
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    check_told(&u.w, "");
    user_stop(&u);
}
END_TEST

START_TEST(stop_waits_for_the_last_acknowledgement)
{
    struct user u;

    user_start(&u, false);
    u.w.acknowledges = false;
    launch(&u, "t1", "launch t1\n");
    update(&u, "t1", FINISHED);
    stop(&u);
    check_heard(&u.w, "update t1 TASK_FINISHED\n");
    sim_run_for(u.w.sim, SECONDS(1));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    agent_acknowledge(&u.w);
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    user_stop(&u);
}
END_TEST

START_TEST(stop_without_an_acknowledgement_ends_after_the_grace)
{
    struct user u;

    user_start(&u, false);
    u.w.acknowledges = false;
    update(&u, "t1", FINISHED);
    stop(&u);
    sim_run_for(u.w.sim, SECONDS(4));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    sim_run_for(u.w.sim, SECONDS(2));
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    user_stop(&u);
}
END_TEST

START_TEST(stop_waits_for_an_agent_that_is_away_and_its_acknowledgement)
{
    struct user u;

    user_start(&u, true);
    u.w.acknowledges = false;
    launch(&u, "t1", "launch t1\n");
    world_kill_agent(&u.w);
    check_told(&u.w, "disconnected\n");
    update(&u, "t1", FINISHED);
    stop(&u);
    sim_run_for(u.w.sim, MINUTES(10));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    world_start_agent(&u.w);
    agent_reconnect(&u.w, "agent-1");
    check_heard(&u.w, "reregister t1 t1:TASK_FINISHED\n");
    agent_acknowledge(&u.w);
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    user_stop(&u);
}
END_TEST

START_TEST(an_agent_that_goes_while_we_stop_has_the_recovery_timeout_to_come_back)
{
    struct user u;

    user_start(&u, true);
    u.w.acknowledges = false;
    update(&u, "t1", FINISHED);
    stop(&u);
    check_heard(&u.w, "update t1 TASK_FINISHED\n");
    world_kill_agent(&u.w);
    sim_run_for(u.w.sim, MINUTES(14));
    ck_assert(!has_ended(&u.w, executor_pid(u.e)));
    sim_run_for(u.w.sim, MINUTES(2));
    ck_assert(has_ended(&u.w, executor_pid(u.e)));
    check_told(&u.w, "");
    user_stop(&u);
}
END_TEST

START_TEST(an_executor_destroyed_with_updates_and_timers_leaves_nothing)
{
    struct user u;

    user_start(&u, true);
    u.w.acknowledges = false;
    launch(&u, "t1", "launch t1\n");
    update(&u, "t1", RUNNING);
    check_heard(&u.w, "update t1 TASK_RUNNING\n");
    world_kill_agent(&u.w);
    check_told(&u.w, "disconnected\n");
    executor_destroy(u.e);
    sim_run_for(u.w.sim, MINUTES(30));
    world_stop(&u.w);
}
END_TEST

UNIT(executor, a_registration_is_tried_again_after_a_connection_that_broke,
     a_registration_whose_answer_was_lost_is_said_again,
     an_executor_that_cannot_register_for_a_minute_ends, tasks_kills_and_messages_reach_the_user,
     a_task_is_launched_once_until_the_acknowledgement_of_its_end,
     the_user_hears_when_the_last_update_of_a_task_is_acknowledged_once,
     a_restarted_agent_is_told_unacknowledged_tasks_and_updates_in_order,
     another_agent_cannot_take_the_executor_over,
     an_agent_that_stays_away_ends_a_checkpointing_executor_after_the_recovery_timeout,
     without_checkpoint_the_end_of_the_agent_is_the_executors,
     a_shutdown_that_the_user_does_not_finish_ends_after_the_grace,
     stop_waits_for_the_last_acknowledgement, stop_without_an_acknowledgement_ends_after_the_grace,
     stop_waits_for_an_agent_that_is_away_and_its_acknowledgement,
     an_agent_that_goes_while_we_stop_has_the_recovery_timeout_to_come_back,
     an_executor_destroyed_with_updates_and_timers_leaves_nothing);
