/* test_agent_recovery.c - an agent that dies, and comes back to what it left */
#include "agent_place.h"
#include "tests/unit.h"

#include <string.h>

#include "agent/agent.h"
#include "base/error.h"
#include "tests/cluster/sim_launcher.h"
#include "process/process.h"
#include "process/sim.h"

#define STATE(name) PB__TASK_STATE__TASK_##name
#define REASON(name) PB__TASK_STATUS__REASON__REASON_##name

static void restart(struct agent_place *p)
{
    struct error err;

    ck_assert_msg(place_start_agent(p, &err) == 0, "%s", err.text);
    place_await_registration(p);
}

static void check_message(struct agent_place *p, const char *task, const char *message)
{
    const Pb__TaskStatus *s = place_update(p, task)->status;

    ck_assert_msg(s->message && strstr(s->message, message), "%s: '%s'", task,
                  s->message ? s->message : "");
    place_check(p);
}

START_TEST(a_command_survives_the_death_of_its_agent)
{
    struct agent_place p = { 0 };
    const Pb__ReregisterSlaveMessage *r;

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 100; exit 7" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_pass(&p, SECONDS(1));
    place_kill_agent(&p);
    place_pass(&p, SECONDS(10));
    restart(&p);
    r = place_last(&p, &pb__reregister_slave_message__descriptor);
    ck_assert_uint_eq(r->n_tasks, 1);
    ck_assert_int_eq(r->tasks[0]->state, STATE(RUNNING));
    ck_assert_uint_eq(r->n_frameworks, 1);
    ck_assert_uint_eq(r->n_executor_infos, 0);
    place_await_state(&p, "t", STATE(FAILED));
    check_message(&p, "t", "Command exited with status 7");
    ck_assert_uint_eq(place_starts(&p, "t"), 1);
    ck_assert_uint_eq(place_updates(&p, "t", STATE(RUNNING)), 1);
    place_stop(&p);
}
END_TEST

START_TEST(a_command_that_ended_meanwhile_tells_its_end)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 10" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_kill_agent(&p);
    place_pass(&p, SECONDS(30));
    restart(&p);
    place_await_state(&p, "t", STATE(FINISHED));
    check_message(&p, "t", "Command exited with status 0");
    place_stop(&p);
}
END_TEST

START_TEST(an_update_that_was_not_acknowledged_is_told_again_with_its_uuid)
{
    struct agent_place p = { 0 };
    uint8_t uuid[16];

    place_start(&p);
    place_acknowledge_all(&p, false);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&p, "t", STATE(STARTING));
    memcpy(uuid, place_update(&p, "t")->uuid.data, 16);
    place_kill_agent(&p);
    restart(&p);
    place_pass(&p, SECONDS(1));
    ck_assert_uint_eq(place_updates(&p, "t", STATE(STARTING)), 2);
    ck_assert_mem_eq(place_update(&p, "t")->uuid.data, uuid, 16);
    place_stop(&p);
}
END_TEST

START_TEST(a_recovered_command_can_be_killed)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_kill_agent(&p);
    restart(&p);
    place_kill(&p, "t");
    place_await_state(&p, "t", STATE(KILLED));
    check_message(&p, "t", "Command terminated with signal Terminated");
    place_stop(&p);
}
END_TEST

START_TEST(a_command_that_was_never_started_is_dropped)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1",
                                        .uri = "http://files.example/a" });
    place_pass(&p, MILLISECONDS(500));              /* remembered; being fetched */
    place_kill_agent(&p);
    restart(&p);
    place_await_state(&p, "t", STATE(DROPPED));
    ck_assert_int_eq(place_update(&p, "t")->status->reason, REASON(AGENT_RESTARTED));
    check_message(&p, "t", "Task launched during agent restart");
    ck_assert_uint_eq(place_starts(&p, "t"), 0);
    place_stop(&p);
}
END_TEST

START_TEST(a_machine_that_was_started_again_has_no_tasks_left)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&p, "t", STATE(RUNNING));
    sim_node_crash(p.agent_node);
    place_stop_agent(&p);
    restart(&p);
    place_await_state(&p, "t", STATE(FAILED));
    ck_assert_uint_eq(place_starts(&p, "t"), 1);
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(tasks_of_frameworks_that_do_not_checkpoint_end_with_the_agent)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000", .no_checkpoint = true,
                                        .not_partition_aware = true });
    place_await_state(&p, "t", STATE(RUNNING));
    place_kill_agent(&p);
    restart(&p);
    place_await_state(&p, "t", STATE(LOST));
    check_message(&p, "t", "does not checkpoint");
    place_stop(&p);
}
END_TEST

START_TEST(a_custom_executor_comes_back_with_its_task)
{
    struct agent_place p = { 0 };
    const Pb__ReregisterSlaveMessage *r;

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 60", .executor = "e" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_pass(&p, SECONDS(1));
    place_kill_agent(&p);
    place_pass(&p, SECONDS(5));
    restart(&p);
    r = place_last(&p, &pb__reregister_slave_message__descriptor);
    ck_assert_uint_eq(r->n_executor_infos, 1);
    place_await_state(&p, "t", STATE(FINISHED));
    ck_assert_uint_eq(place_starts(&p, "t"), 1);
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(a_launcher_that_dies_takes_no_task_with_it)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 60" });
    place_await_state(&p, "t", STATE(RUNNING));
    ck_assert_int_eq(sim_launcher_kill(p.ledger, p.agent_node), 0);
    place_run(&p, &(struct place_task){ .id = "u", .command = "sleep 1" });
    place_await_state(&p, "u", STATE(FINISHED));
    place_await_state(&p, "t", STATE(FINISHED));
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(a_second_agent_on_the_same_work_directory_is_refused)
{
    struct agent_place p = { 0 }, second;
    struct error err;

    place_start(&p);
    second = p;
    second.agent_port = 5052;
    ck_assert_int_eq(place_start_agent(&second, &err), -1);
    ck_assert_str_eq(err.text, "--work_dir=/var/lib/agent is in use by another agent");
    place_stop(&p);
}
END_TEST

START_TEST(more_resources_are_fine_and_less_are_refused_in_clear_words)
{
    struct agent_place p = { 0 };
    struct error err;

    place_start(&p);
    place_stop_agent(&p);
    p.flags[0] = "--resources=cpus:2;mem:4096;disk:1000;ports:[31000-31009]";
    ck_assert_int_eq(place_start_agent(&p, &err), -1);
    ck_assert_msg(strstr(err.text, "less resources than before") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "remove meta/agent.db") != NULL, "%s", err.text);
    p.flags[0] = "--resources=cpus:8;mem:4096;disk:1000;ports:[31000-31009]";
    restart(&p);
    place_stop(&p);
}
END_TEST

/* At any moment: killed again and again while a task is launched, runs and ends. */
START_TEST(whenever_the_agent_dies_a_task_starts_once_at_most_and_its_end_is_told)
{
    for (int step = 0; step < 150; step++) {
        struct agent_place p = { 0 };
        const Pb__StatusUpdate *u;

        place_start(&p);
        place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 0.02; exit 3" });
        place_pass(&p, MICROSECONDS(300 * step));
        place_kill_agent(&p);
        restart(&p);
        place_pass(&p, MINUTES(1));
        u = place_update(&p, "t");
        ck_assert_uint_le(place_starts(&p, "t"), 1);
        if (place_starts(&p, "t") == 1) {
            ck_assert_ptr_nonnull(u);
            ck_assert_msg(u->status->state == STATE(FAILED), "at step %d: state %d",
                          step, u->status->state);
        } else if (u) {
            ck_assert_int_eq(u->status->state, STATE(DROPPED));
        }
        place_check(&p);
        place_stop(&p);
    }
}
END_TEST

UNIT(agent_recovery, a_command_survives_the_death_of_its_agent,
     a_command_that_ended_meanwhile_tells_its_end,
     an_update_that_was_not_acknowledged_is_told_again_with_its_uuid,
     a_recovered_command_can_be_killed, a_command_that_was_never_started_is_dropped,
     a_machine_that_was_started_again_has_no_tasks_left,
     tasks_of_frameworks_that_do_not_checkpoint_end_with_the_agent,
     a_custom_executor_comes_back_with_its_task, a_launcher_that_dies_takes_no_task_with_it,
     a_second_agent_on_the_same_work_directory_is_refused,
     more_resources_are_fine_and_less_are_refused_in_clear_words,
     whenever_the_agent_dies_a_task_starts_once_at_most_and_its_end_is_told);
