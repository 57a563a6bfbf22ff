/* test_agent_tasks.c - launches, kills, updates and their acknowledgements */
#include "agent_place.h"
#include "tests/unit.h"

#include <string.h>

#include "agent/agent.h"
#include "base/error.h"
#include "tests/cluster/ledger.h"
#include "process/process.h"
#include "process/sim.h"

#define STATE(name) PB__TASK_STATE__TASK_##name
#define REASON(name) PB__TASK_STATUS__REASON__REASON_##name

static void check_end(struct agent_place *p, const char *task, Pb__TaskState state,
                      const char *message)
{
    const Pb__TaskStatus *s;

    place_await_state(p, task, state);
    s = place_update(p, task)->status;
    ck_assert_int_eq(s->state, state);
    ck_assert_msg(s->message && strstr(s->message, message), "%s: '%s'", task,
                  s->message ? s->message : "");
    place_check(p);
}

START_TEST(an_agent_registers_says_what_it_has_and_answers_pings)
{
    struct agent_place p = { 0 };
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;
    const Pb__RegisterSlaveMessage *r;

    p.flags[0] = "--resources=cpus:4;mem:4096;disk:1000;ports:[31000-31009]";
    p.flags[1] = "--attributes=rack:r1";
    place_start(&p);
    r = place_last(&p, &pb__register_slave_message__descriptor);
    ck_assert_str_eq(r->slave->hostname, "agent.example");
    ck_assert_int_eq(r->slave->port, 5051);
    ck_assert_uint_eq(r->slave->n_resources, 4);
    ck_assert_str_eq(r->slave->resources[0]->role, "*");
    ck_assert_str_eq(r->slave->attributes[0]->name, "rack");
    ck_assert_ptr_null(r->slave->id);
    ck_assert(r->slave->has_checkpoint && r->slave->checkpoint);
    ck_assert_uint_eq(r->resource_version_uuid->value.len, 16);
    ping.connected = 1;
    place_send(&p, &ping.base);
    place_await_count(&p, &pb__pong_slave_message__descriptor, 1);
    place_stop(&p);
}
END_TEST

START_TEST(an_agent_that_is_thought_disconnected_registers_again_with_its_id)
{
    struct agent_place p = { 0 };
    Pb__PingSlaveMessage ping = PB__PING_SLAVE_MESSAGE__INIT;
    const Pb__ReregisterSlaveMessage *r;

    place_start(&p);
    ping.connected = 0;
    place_send(&p, &ping.base);
    place_await_registration(&p);
    r = place_last(&p, &pb__reregister_slave_message__descriptor);
    ck_assert_str_eq(r->slave->id->value, PLACE_AGENT);
    place_stop(&p);
}
END_TEST

START_TEST(an_agent_without_pings_registers_again)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_pass(&p, SECONDS(80));
    ck_assert_uint_eq(place_count(&p, &pb__reregister_slave_message__descriptor), 1);
    place_stop(&p);
}
END_TEST

START_TEST(a_command_starts_runs_and_finishes_in_this_order)
{
    struct agent_place p = { 0 };
    const Pb__StatusUpdate *u;

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 10" });
    check_end(&p, "t", STATE(FINISHED), "Command exited with status 0");
    u = place_update(&p, "t");
    ck_assert_int_eq(u->status->source, PB__TASK_STATUS__SOURCE__SOURCE_EXECUTOR);
    ck_assert_str_eq(u->status->executor_id->value, "t");
    ck_assert_str_eq(u->status->agent_id->value, PLACE_AGENT);
    ck_assert_int_eq(u->latest_state, STATE(FINISHED));
    ck_assert_str_eq(
        u->status->container_status->network_infos[0]->ip_addresses[0]->ip_address, "10.0.0.2");
    ck_assert(u->status->container_status->has_executor_pid);
    ck_assert_uint_eq(place_count(&p, &pb__status_update_message__descriptor), 3);
    ck_assert_uint_eq(place_updates(&p, "t", STATE(STARTING)), 1);
    ck_assert_uint_eq(place_updates(&p, "t", STATE(RUNNING)), 1);
    ck_assert_uint_eq(place_count(&p, &pb__exited_executor_message__descriptor), 0);
    place_stop(&p);
}
END_TEST

START_TEST(a_command_that_fails_says_how)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1; exit 3" });
    check_end(&p, "t", STATE(FAILED), "Command exited with status 3");
    place_stop(&p);
}
END_TEST

START_TEST(a_task_is_launched_once_however_often_it_is_said)
{
    struct agent_place p = { 0 };

    place_start(&p);
    for (int i = 0; i < 3; i++)
        place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 10" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 10" });
    check_end(&p, "t", STATE(FINISHED), "status 0");
    ck_assert_uint_eq(place_starts(&p, "t"), 1);
    place_stop(&p);
}
END_TEST

START_TEST(a_running_task_is_killed)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_kill(&p, "t");
    check_end(&p, "t", STATE(KILLED), "Command terminated with signal Terminated");
    place_stop(&p);
}
END_TEST

START_TEST(a_task_that_does_not_heed_is_killed_the_hard_way)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "trap '' TERM; sleep 1000" });
    place_await_state(&p, "t", STATE(RUNNING));
    place_kill(&p, "t");
    check_end(&p, "t", STATE(KILLED), "Killed");
    place_stop(&p);
}
END_TEST

START_TEST(a_task_that_is_killed_while_its_files_are_fetched_never_starts)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000",
                                        .uri = "http://files.example/a" });
    place_kill(&p, "t");
    place_await_state(&p, "t", STATE(KILLED));
    ck_assert_int_eq(place_update(&p, "t")->status->reason, REASON(TASK_KILLED_DURING_LAUNCH));
    place_pass(&p, MINUTES(1));
    ck_assert_uint_eq(place_starts(&p, "t"), 0);
    place_run(&p, &(struct place_task){ .id = "u", .command = "sleep 1", .cpus = "4" });
    check_end(&p, "u", STATE(FINISHED), "status 0");
    place_stop(&p);
}
END_TEST

START_TEST(a_task_whose_files_are_not_there_fails)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1",
                                        .uri = "http://files.example/missing" });
    check_end(&p, "t", STATE(FAILED), "Failed to launch container: ");
    ck_assert_int_eq(place_update(&p, "t")->status->reason, REASON(CONTAINER_LAUNCH_FAILED));
    ck_assert_int_eq(place_update(&p, "t")->status->source,
                     PB__TASK_STATUS__SOURCE__SOURCE_AGENT);
    place_stop(&p);
}
END_TEST

START_TEST(a_kill_of_an_unknown_task_is_answered)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_kill(&p, "nobody");
    place_await_state(&p, "nobody", STATE(LOST));   /* the framework is not known to be aware */
    place_stop(&p);
}
END_TEST

START_TEST(more_than_there_is_is_refused)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "a", .command = "sleep 100", .cpus = "3" });
    place_run(&p, &(struct place_task){ .id = "b", .command = "sleep 100", .cpus = "2" });
    place_await_state(&p, "b", STATE(ERROR));
    place_await_state(&p, "a", STATE(RUNNING));
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(an_update_is_sent_again_until_it_is_acknowledged_and_the_next_one_waits)
{
    struct agent_place p = { 0 };
    unsigned sent;

    place_start(&p);
    place_acknowledge_all(&p, false);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1" });
    place_await_state(&p, "t", STATE(STARTING));
    place_pass(&p, SECONDS(65));                    /* after 10, 20 and 40 more, not all of it */
    sent = place_updates(&p, "t", STATE(STARTING));
    ck_assert_uint_eq(sent, 3);
    ck_assert_uint_eq(place_updates(&p, "t", STATE(RUNNING)), 0);
    ck_assert_int_eq(place_update(&p, "t")->latest_state, STATE(FINISHED));
    place_acknowledge(&p, place_update(&p, "t"));
    place_await_state(&p, "t", STATE(RUNNING));
    place_check(&p);
    place_acknowledge(&p, place_update(&p, "t"));
    place_await_state(&p, "t", STATE(FINISHED));
    place_acknowledge(&p, place_update(&p, "t"));
    place_pass(&p, MINUTES(30));
    ck_assert_uint_eq(place_updates(&p, "t", STATE(FINISHED)), 1);
    place_stop(&p);
}
END_TEST

START_TEST(a_task_that_cannot_be_remembered_is_dropped_and_nothing_starts)
{
    struct agent_place p = { 0 };

    place_start(&p);
    sim_disk_full(p.agent_node, true);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1" });
    check_end(&p, "t", STATE(DROPPED), "cannot write to its database");
    sim_disk_full(p.agent_node, false);
    ck_assert_uint_eq(place_starts(&p, "t"), 0);
    place_run(&p, &(struct place_task){ .id = "u", .command = "sleep 1", .cpus = "4" });
    check_end(&p, "u", STATE(FINISHED), "status 0");
    place_stop(&p);
}
END_TEST

START_TEST(an_update_that_cannot_be_stored_is_told_when_it_can)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 10", .executor = "e" });
    place_await_state(&p, "t", STATE(RUNNING));
    sim_disk_errors(p.agent_node, true);
    place_pass(&p, SECONDS(20));
    ck_assert_uint_eq(place_updates(&p, "t", STATE(FINISHED)), 0);
    sim_disk_errors(p.agent_node, false);
    place_await_state(&p, "t", STATE(FINISHED));
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(tasks_of_a_framework_that_ends_end_untold)
{
    struct agent_place p = { 0 };
    Pb__ShutdownFrameworkMessage msg = PB__SHUTDOWN_FRAMEWORK_MESSAGE__INIT;
    Pb__FrameworkID id = PB__FRAMEWORK_ID__INIT;

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000", .cpus = "4" });
    place_await_state(&p, "t", STATE(RUNNING));
    id.value = PLACE_FRAMEWORK;
    msg.framework_id = &id;
    place_send(&p, &msg.base);
    place_pass(&p, SECONDS(10));
    ck_assert_int_eq(place_update(&p, "t")->status->state, STATE(RUNNING));
    place_run(&p, &(struct place_task){ .id = "u", .command = "sleep 1", .cpus = "4" });
    check_end(&p, "u", STATE(FINISHED), "status 0");
    place_stop(&p);
}
END_TEST

START_TEST(a_custom_executor_runs_two_tasks_and_its_end_is_told)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "a", .command = "sleep 5", .executor = "e" });
    place_run(&p, &(struct place_task){ .id = "b", .command = "sleep 9; exit 1",
                                        .executor = "e" });
    place_await_state(&p, "a", STATE(FINISHED));
    place_await_state(&p, "b", STATE(FAILED));
    place_await_count(&p, &pb__exited_executor_message__descriptor, 1);
    place_check(&p);
    place_stop(&p);
}
END_TEST

START_TEST(an_agent_that_unregisters_ends_its_tasks_and_itself)
{
    struct agent_place p = { 0 };

    place_start(&p);
    place_run(&p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&p, "t", STATE(RUNNING));
    agent_unregister(p.agent);
    ck_assert(process_wait(agent_pid(p.agent), MINUTES(1)));
    ck_assert_str_eq(agent_failure(p.agent), "");
    ck_assert_uint_eq(place_count(&p, &pb__unregister_slave_message__descriptor), 1);
    ck_assert_uint_eq(p.ledger->supervisors, 0);
    place_stop(&p);
}
END_TEST

UNIT(agent_tasks, an_agent_registers_says_what_it_has_and_answers_pings,
     an_agent_that_is_thought_disconnected_registers_again_with_its_id,
     an_agent_without_pings_registers_again,
     a_command_starts_runs_and_finishes_in_this_order, a_command_that_fails_says_how,
     a_task_is_launched_once_however_often_it_is_said, a_running_task_is_killed,
     a_task_that_does_not_heed_is_killed_the_hard_way,
     a_task_that_is_killed_while_its_files_are_fetched_never_starts,
     a_task_whose_files_are_not_there_fails, a_kill_of_an_unknown_task_is_answered,
     more_than_there_is_is_refused,
     an_update_is_sent_again_until_it_is_acknowledged_and_the_next_one_waits,
     a_task_that_cannot_be_remembered_is_dropped_and_nothing_starts,
     an_update_that_cannot_be_stored_is_told_when_it_can,
     tasks_of_a_framework_that_ends_end_untold,
     a_custom_executor_runs_two_tasks_and_its_end_is_told,
     an_agent_that_unregisters_ends_its_tasks_and_itself);
