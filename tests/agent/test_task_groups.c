/* test_task_groups.c - tasks that are launched, refused and killed together */
#include "executor_scene.h"

#include "tests/unit.h"

#define STATE(name) PB__TASK_STATE__TASK_##name
#define REASON(name) PB__TASK_STATUS__REASON__REASON_##name
#define U1 "AAAAAAAAAAAAAAAAAAAAAQ=="
#define GROUP                                                                                      \
    EVENT("LAUNCH_GROUP") ",\"launch_group\":{\"task_group\":{\"tasks\":[{\"name\":\"rec\","       \
                          "\"task_id\":{\"value\":\"a\"}"

static void check_state(struct scene *s, const char *task, Pb__TaskState state,
                        Pb__TaskStatus__Reason reason)
{
    place_await_state(&s->p, task, state);
    ck_assert_int_eq(place_update(&s->p, task)->status->reason, reason);
}

static void subscribe(struct scene *s)
{
    place_pass(&s->p, SECONDS(1));
    scene_subscribe_with(s, SUBSCRIBE);
    check_event(s->stream, EVENT("SUBSCRIBED"));
}

static void check_group(struct scene *s)
{
    size_t size;
    char *record = next_record(s->stream, &size);

    ck_assert_msg(strncmp(record, GROUP, strlen(GROUP)) == 0, "%s", record);
    ck_assert_ptr_nonnull(strstr(record, "\"task_id\":{\"value\":\"b\"}"));
    mem_free(record);
}

static bool is_silent(struct scene *s)
{
    place_pass(&s->p, SECONDS(1));
    return buffer_length(&s->stream->got) == 0;
}

START_TEST(a_group_is_one_event)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "a", "b");
    subscribe(&s);
    check_group(&s);
    ck_assert(is_silent(&s));
    check_update("b", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, ACKNOWLEDGED("b", U1));
    place_await_state(&s.p, "b", STATE(RUNNING));
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_with_two_tasks_of_one_id_is_ignored)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "a", "a");
    place_pass(&s.p, SECONDS(1));
    check_refused(JSON_BOTH, SUBSCRIBE, "400", "Framework cannot be found");
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_joins_an_executor_that_runs)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "x", "y");
    subscribe(&s);
    check_event(s.stream, EVENT("LAUNCH_GROUP"));
    scene_run_group(&s, "CUSTOM", "a", "b");
    check_group(&s);
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(a_driver_gets_the_tasks_of_a_group_one_by_one)
{
    struct scene s;

    scene_start(&s);
    place_run(&s.p, &(struct place_task){ .id = "d", .executor = "e", .command = "sleep 1000" });
    place_await_state(&s.p, "d", STATE(RUNNING));
    scene_run_group(&s, "CUSTOM", "a", "b");
    place_await_state(&s.p, "a", STATE(RUNNING));
    place_await_state(&s.p, "b", STATE(RUNNING));
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_that_was_not_sent_is_killed_as_one)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "a", "b");
    place_kill(&s.p, "b");
    check_state(&s, "a", STATE(KILLED), REASON(TASK_KILLED_DURING_LAUNCH));
    check_state(&s, "b", STATE(KILLED), REASON(TASK_KILLED_DURING_LAUNCH));
    place_await_count(&s.p, &pb__exited_executor_message__descriptor, 1);
    scene_stop(&s);
}
END_TEST

START_TEST(in_a_group_that_was_sent_only_the_task_is_killed)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "a", "b");
    subscribe(&s);
    check_group(&s);
    place_kill(&s.p, "b");
    check_event(s.stream, EVENT("KILL") ",\"kill\":{\"task_id\":{\"value\":\"b\"}}}");
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_stays_one_when_the_agent_is_killed)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "a", "b");
    place_pass(&s.p, SECONDS(1));
    scene_restart_agent(&s);
    subscribe(&s);
    check_group(&s);
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_for_which_there_is_no_room_is_refused_as_one)
{
    struct scene s;

    memset(&s, 0, sizeof s);
    s.p.flags[0] = "--resources=cpus:0.25;mem:4096";
    scene_start_at(&s);
    scene_run_group(&s, "CUSTOM", "a", "b"); /* 0.1 each, and 0.1 for the executor */
    check_state(&s, "a", STATE(ERROR), REASON(TASK_GROUP_INVALID));
    check_state(&s, "b", STATE(ERROR), REASON(TASK_GROUP_INVALID));
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_for_the_default_executor_is_refused)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "DEFAULT", "a", "b");
    check_state(&s, "a", STATE(ERROR), REASON(TASK_GROUP_INVALID));
    check_state(&s, "b", STATE(ERROR), REASON(TASK_GROUP_INVALID));
    ck_assert_str_eq(place_update(&s.p, "b")->status->message,
                     "This agent has no default executor");
    scene_stop(&s);
}
END_TEST

START_TEST(a_group_that_cannot_be_stored_is_dropped_as_one)
{
    struct scene s;

    scene_start(&s);
    scene_run_group(&s, "CUSTOM", "x", "y");
    subscribe(&s);
    check_event(s.stream, EVENT("LAUNCH_GROUP"));
    sim_disk_full(s.p.agent_node, true);
    scene_run_group(&s, "CUSTOM", "a", "b");
    place_await_state(&s.p, "a", STATE(DROPPED));
    place_await_state(&s.p, "b", STATE(DROPPED));
    ck_assert(is_silent(&s));
    sim_disk_full(s.p.agent_node, false);
    scene_stop(&s);
}
END_TEST

UNIT(task_groups, a_group_is_one_event, a_group_with_two_tasks_of_one_id_is_ignored,
     a_group_joins_an_executor_that_runs,
     a_driver_gets_the_tasks_of_a_group_one_by_one, a_group_that_was_not_sent_is_killed_as_one,
     in_a_group_that_was_sent_only_the_task_is_killed,
     a_group_stays_one_when_the_agent_is_killed,
     a_group_for_which_there_is_no_room_is_refused_as_one,
     a_group_for_the_default_executor_is_refused, a_group_that_cannot_be_stored_is_dropped_as_one);
