/* test_executor_return.c - HTTP executors whose stream breaks, or whose agent is killed */
#include "executor_scene.h"

#include "tests/unit.h"

#define STATE(name) PB__TASK_STATE__TASK_##name
#define REASON(name) PB__TASK_STATUS__REASON__REASON_##name
#define U1 "AAAAAAAAAAAAAAAAAAAAAQ=="
#define U2 "AAAAAAAAAAAAAAAAAAAAAg=="
#define U3 "AAAAAAAAAAAAAAAAAAAAAw=="

static void check_state(struct scene *s, const char *task, Pb__TaskState state,
                        Pb__TaskStatus__Reason reason)
{
    place_await_state(&s->p, task, state);
    ck_assert_int_eq(place_update(&s->p, task)->status->reason, reason);
}

/* Comes back with these tasks and updates. */
static void subscribe_again(struct scene *s, const char *tasks, const char *updates)
{
    char *body = mem_printf("{\"type\":\"SUBSCRIBE\"," IDS ",\"subscribe\":"
                            "{\"unacknowledged_tasks\":[%s],\"unacknowledged_updates\":[%s]}}",
                            tasks, updates);

    scene_subscribe_with(s, body);
    check_event(s->stream, EVENT("SUBSCRIBED"));
    mem_free(body);
}

static void break_stream(struct scene *s)
{
    browser_close(s->stream);
    s->stream = NULL;
    place_pass(&s->p, SECONDS(1));
}

static bool is_silent(struct scene *s)
{
    place_pass(&s->p, SECONDS(1));
    return buffer_length(&s->stream->got) == 0;
}

#define INFO(id)                                                                                   \
    "{\"name\":\"rec\",\"task_id\":{\"value\":\"" id "\"},\"agent_id\":{\"value\":\"m-S0\"}}"

/* ---- the stream breaks ---- */

START_TEST(an_executor_whose_stream_broke_misses_nothing)
{
    struct scene s;

    scene_with_task(&s, "t");
    check_update("t", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, EVENT("ACKNOWLEDGED"));
    break_stream(&s);
    scene_run(&s, "u");
    place_kill(&s.p, "t");
    place_pass(&s.p, MINUTES(5));
    subscribe_again(&s, "", "");
    check_event(s.stream, EVENT("KILL") ",\"kill\":{\"task_id\":{\"value\":\"t\"}}}");
    check_event(s.stream, EVENT("LAUNCH") ",\"launch\":{\"task\":{\"name\":\"rec\","
                          "\"task_id\":{\"value\":\"u\"}");
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_counts_also_while_the_stream_is_away)
{
    struct scene s;
    char *update = update_text("t", "TASK_RUNNING", U1);

    scene_with_task(&s, "t");
    break_stream(&s);
    check_update("t", "TASK_RUNNING", U1, "202", "");
    place_await_state(&s.p, "t", STATE(RUNNING));
    subscribe_again(&s, INFO("t"), update);
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    ck_assert(is_silent(&s));
    ck_assert_uint_eq(place_updates(&s.p, "t", STATE(RUNNING)), 1);
    mem_free(update);
    scene_stop(&s);
}
END_TEST

/* The event was lost with the stream: the executor says that it does not have the task. */
START_TEST(a_launch_that_was_lost_with_the_stream_is_said_again)
{
    struct scene s;

    scene_with_task(&s, "t");
    break_stream(&s);
    subscribe_again(&s, "", "");
    check_event(s.stream, EVENT("LAUNCH"));
    break_stream(&s);
    subscribe_again(&s, INFO("t"), "");
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(a_newer_subscription_wins)
{
    struct scene s;
    struct browser *older;

    scene_with_task(&s, "t");
    older = s.stream;
    s.stream = NULL;
    subscribe_again(&s, INFO("t"), "");
    check_end(older);
    check_update("t", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    scene_stop(&s);
}
END_TEST

START_TEST(an_executor_that_stays_away_is_ended)
{
    struct scene s;

    scene_with_task(&s, "t");
    break_stream(&s);
    place_pass(&s.p, MINUTES(14));
    ck_assert_ptr_null(place_update(&s.p, "t"));
    check_state(&s, "t", STATE(GONE), REASON(EXECUTOR_REREGISTRATION_TIMEOUT));
    place_pass(&s.p, MINUTES(1));
    check_refused(JSON_BOTH, SUBSCRIBE, "400", "Framework cannot be found");
    scene_stop(&s);
}
END_TEST

/* ---- the agent is killed ---- */

START_TEST(an_executor_comes_back_to_an_agent_that_was_killed)
{
    struct scene s;
    char *running = update_text("t", "TASK_RUNNING", U1);
    char *finished = update_text("t", "TASK_FINISHED", U2);
    char *both = mem_printf("%s,%s", running, finished);

    scene_with_task(&s, "t");
    place_acknowledge_all(&s.p, false);
    check_update("t", "TASK_RUNNING", U1, "202", "");
    check_event(s.stream, EVENT("ACKNOWLEDGED"));
    scene_restart_agent(&s);
    check_update("t", "TASK_FINISHED", U2, "403", "Executor is not subscribed");
    place_acknowledge_all(&s.p, true);
    subscribe_again(&s, "", both); /* the first was acknowledged, but that was lost */
    check_event(s.stream, ACKNOWLEDGED("t", U1));
    check_event(s.stream, ACKNOWLEDGED("t", U2));
    place_await_state(&s.p, "t", STATE(FINISHED));
    ck_assert_uint_eq(place_updates(&s.p, "t", STATE(FINISHED)), 1);
    mem_free(running);
    mem_free(finished);
    mem_free(both);
    scene_stop(&s);
}
END_TEST

START_TEST(a_task_that_its_executor_does_not_know_after_a_restart_is_dropped)
{
    struct scene s;

    scene_with_task(&s, "t");
    scene_run(&s, "u");
    check_event(s.stream, EVENT("LAUNCH"));
    scene_restart_agent(&s);
    subscribe_again(&s, INFO("u"), "");
    check_state(&s, "t", STATE(DROPPED), REASON(AGENT_RESTARTED));
    ck_assert_str_eq(place_update(&s.p, "t")->status->message,
                     "Task launched during agent restart");
    ck_assert_ptr_null(place_update(&s.p, "u"));
    ck_assert(is_silent(&s));
    scene_stop(&s);
}
END_TEST

START_TEST(an_executor_that_had_not_subscribed_is_given_its_tasks_after_a_restart)
{
    struct scene s;

    scene_start(&s);
    scene_run(&s, "t");
    place_pass(&s.p, SECONDS(1));
    scene_restart_agent(&s);
    subscribe_again(&s, "", "");
    check_event(s.stream, EVENT("LAUNCH"));
    scene_stop(&s);
}
END_TEST

START_TEST(an_executor_that_does_not_come_back_after_a_restart_is_ended)
{
    struct scene s;

    scene_with_task(&s, "t");
    scene_restart_agent(&s);
    check_state(&s, "t", STATE(GONE), REASON(EXECUTOR_REREGISTRATION_TIMEOUT));
    place_await_count(&s.p, &pb__exited_executor_message__descriptor, 1);
    scene_stop(&s);
}
END_TEST

START_TEST(the_executor_of_a_framework_that_does_not_checkpoint_ends_with_the_agent)
{
    struct scene s;

    scene_start(&s);
    scene_run_framework(&s, "t", false);
    place_pass(&s.p, SECONDS(1));
    scene_subscribe_with(&s, SUBSCRIBE);
    check_event(s.stream, EVENT("SUBSCRIBED"));
    check_event(s.stream, EVENT("LAUNCH"));
    scene_restart_agent(&s);
    check_state(&s, "t", STATE(FAILED), REASON(AGENT_RESTARTED));
    scene_stop(&s);
}
END_TEST

START_TEST(the_id_of_an_executor_is_in_use_until_its_last_update_is_delivered)
{
    struct scene s;

    scene_with_task(&s, "t");
    place_acknowledge_all(&s.p, false);
    check_update("t", "TASK_FINISHED", U3, "202", "");
    check_event(s.stream, ACKNOWLEDGED("t", U3));
    scene_send(&s, &pb__shutdown_executor_message__descriptor, "{" IDS "}");
    check_event(s.stream, EVENT("SHUTDOWN") "}");
    check_end(s.stream);
    s.stream = NULL;
    place_await_count(&s.p, &pb__exited_executor_message__descriptor, 1);
    check_update("t", "TASK_FINISHED", U3, "202", "");
    scene_run(&s, "u");
    check_state(&s, "u", STATE(DROPPED), REASON(EXECUTOR_TERMINATED));
    place_acknowledge(&s.p, place_update(&s.p, "t"));
    place_pass(&s.p, SECONDS(1));
    check_update("t", "TASK_FINISHED", U3, "400", "Framework cannot be found");
    scene_stop(&s);
}
END_TEST

UNIT(executor_return, an_executor_whose_stream_broke_misses_nothing,
     an_update_counts_also_while_the_stream_is_away,
     a_launch_that_was_lost_with_the_stream_is_said_again, a_newer_subscription_wins,
     an_executor_that_stays_away_is_ended, an_executor_comes_back_to_an_agent_that_was_killed,
     a_task_that_its_executor_does_not_know_after_a_restart_is_dropped,
     an_executor_that_had_not_subscribed_is_given_its_tasks_after_a_restart,
     an_executor_that_does_not_come_back_after_a_restart_is_ended,
     the_executor_of_a_framework_that_does_not_checkpoint_ends_with_the_agent,
     the_id_of_an_executor_is_in_use_until_its_last_update_is_delivered);
