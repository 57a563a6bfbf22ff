/* test_master_events.c - the operator event stream of the master */
#include "tests/master/operator_scene.h"
#include "tests/unit.h"

static void with_little_backlog(struct master_options *o)
{
    o->operator_event_stream_backlog = 4096;
}

static void with_two_subscribers(struct master_options *o)
{
    o->max_operator_event_stream_subscribers = 2;
}

static void check_beginning(struct follower *f, size_t agents)
{
    const json_t *event = follower_expect(f, "SUBSCRIBED");

    ck_assert_double_eq(number_at(event, "subscribed.heartbeat_interval_seconds"), 15);
    ck_assert_uint_eq(json_array_size(look(event, "subscribed.get_state.get_agents.agents")),
                      agents);
    ck_assert_uint_eq(
        json_array_size(look(event, "subscribed.get_state.get_frameworks.frameworks")), 0);
    ck_assert_str_eq(text_at(follower_wait(f, SECONDS(1)), "type"), "HEARTBEAT");
}

START_TEST(the_stream_begins_with_the_state_and_beats)
{
    struct follower text, bytes;
    struct scene s;

    scene_start(&s);
    follower_begin(&text, JSON_TYPE);
    check_beginning(&text, 1);
    follower_begin(&bytes, PROTOBUF_TYPE);
    check_beginning(&bytes, 1);
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_null(follower_wait(&bytes, SECONDS(14)));
        ck_assert_str_eq(text_at(follower_wait(&bytes, SECONDS(2)), "type"), "HEARTBEAT");
        ck_assert_str_eq(text_at(follower_wait(&text, SECONDS(2)), "type"), "HEARTBEAT");
    }
    follower_end(&text);
    follower_end(&bytes);
    scene_stop(&s);
}
END_TEST

/* All of them hear it, and the same. */
static const json_t *expect_all(struct follower f[3], const char *type)
{
    for (int i = 0; i < 3; i++) {
        follower_expect(&f[i], type);
        ck_assert_msg(json_equal(f[0].event, f[i].event), "%s differs", type);
    }
    return f[0].event;
}

START_TEST(every_change_is_told_once_and_in_its_order)
{
    struct follower f[3];
    const json_t *event;
    struct scene s;

    scene_begin(&s);
    for (int i = 0; i < 3; i++) {
        follower_begin(&f[i], i == 1 ? PROTOBUF_TYPE : JSON_TYPE);
        check_beginning(&f[i], 0);
    }
    s.agent = place_add(&s.w, "slave(1)", 5051);
    s.agent_id = join(&s.w, s.agent);
    event = expect_all(f, "AGENT_ADDED");
    ck_assert_str_eq(text_at(event, "agent_added.agent.agent_info.id.value"), s.agent_id);
    scene_subscribe(&s, true);
    event = expect_all(f, "FRAMEWORK_ADDED");
    ck_assert(json_is_true(look(event, "framework_added.framework.connected")));
    scene_launch(&s, "one");
    event = expect_all(f, "TASK_ADDED");
    ck_assert_str_eq(text_at(event, "task_added.task.state"), "TASK_STAGING");
    ck_assert_ptr_null(look(event, "task_added.task.statuses"));
    scene_update(&s, "one", PB__TASK_STATE__TASK_RUNNING, 1);
    check_task_updated(expect_all(f, "TASK_UPDATED"), "TASK_RUNNING");
    scene_update(&s, "one", PB__TASK_STATE__TASK_RUNNING, 1); /* a retry */
    scene_update(&s, "one", PB__TASK_STATE__TASK_FINISHED, 2);
    check_task_updated(expect_all(f, "TASK_UPDATED"), "TASK_FINISHED");
    say_acknowledge(&s.w, s.scheduler, s.framework, s.agent_id, "one", 2);
    player_end(s.scheduler);
    event = expect_all(f, "FRAMEWORK_UPDATED");
    ck_assert(json_is_false(look(event, "framework_updated.framework.connected")));
    event = expect_all(f, "FRAMEWORK_REMOVED"); /* its failover_timeout has passed */
    ck_assert_str_eq(text_at(event, "framework_removed.framework_info.id.value"), s.framework);
    player_end(s.agent);
    event = expect_all(f, "AGENT_REMOVED"); /* its agent_reregister_timeout has passed */
    ck_assert_str_eq(text_at(event, "agent_removed.agent_id.value"), s.agent_id);
    for (int i = 0; i < 3; i++) {
        follower_expect_silence(&f[i]);
        follower_end(&f[i]);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(tasks_end_with_their_framework_before_it)
{
    struct follower f;
    const json_t *event;
    struct scene s;
    char json[200];

    scene_start(&s);
    scene_subscribe(&s, true);
    scene_launch(&s, "one");
    follower_begin(&f, JSON_TYPE);
    event = follower_expect(&f, "SUBSCRIBED");
    ck_assert_str_eq(text_at(event, "subscribed.get_state.get_tasks.tasks.0.state"),
                     "TASK_STAGING");
    snprintf(json, sizeof json,
             "{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"%s\"}}}",
             s.framework);
    check_reply(call(json), 200, NULL);
    event = follower_expect(&f, "TASK_UPDATED");
    check_task_updated(event, "TASK_KILLED");
    ck_assert_str_eq(text_at(event, "task_updated.status.reason"), "REASON_FRAMEWORK_REMOVED");
    follower_expect(&f, "FRAMEWORK_REMOVED");
    follower_expect_silence(&f);
    follower_end(&f);
    scene_stop(&s);
}
END_TEST

START_TEST(a_framework_that_comes_with_an_id_is_recovered_first)
{
    struct follower f;
    const json_t *event;
    struct scene s;

    scene_start(&s);
    s.scheduler = place_add(&s.w, "scheduler-1", 6000);
    follower_begin(&f, JSON_TYPE);
    follower_expect(&f, "SUBSCRIBED");
    say_subscribe(&s.w, s.scheduler, make_framework_info(&s.w, "made-up", 60, true), true);
    event = follower_expect(&f, "FRAMEWORK_ADDED");
    ck_assert(json_is_true(look(event, "framework_added.framework.recovered")));
    ck_assert(json_is_false(look(event, "framework_added.framework.active")));
    event = follower_expect(&f, "FRAMEWORK_UPDATED");
    ck_assert(json_is_false(look(event, "framework_updated.framework.recovered")));
    ck_assert(json_is_true(look(event, "framework_updated.framework.active")));
    follower_expect_silence(&f);
    follower_end(&f);
    scene_stop(&s);
}
END_TEST

static double metric(const char *name)
{
    json_t *json = get_json("/metrics/snapshot");
    json_t *value = json_object_get(json, name);
    double number;

    ck_assert_msg(json_is_number(value), "there is no %s", name);
    number = json_number_value(value);
    json_decref(json);
    return number;
}

static bool is_ended(void *arg)
{
    struct follower *f = arg;

    return f->browser->ended || f->browser->broken;
}

START_TEST(a_subscriber_that_does_not_read_is_disconnected)
{
    struct follower deaf, quick;
    struct scene s;
    struct error err;

    scene_begin_with(&s, 7, with_little_backlog);
    s.scheduler = place_add(&s.w, "scheduler-1", 6000);
    follower_begin(&quick, JSON_TYPE);
    follower_begin(&deaf, JSON_TYPE);
    deaf.browser->deaf = true;
    browser_want(deaf.browser);
    for (int i = 0; metric("master/operator_event_stream_subscribers") == 2; i++) {
        char id[20];

        ck_assert_int_lt(i, 10000);
        snprintf(id, sizeof id, "framework-%d", i);
        say_subscribe(&s.w, s.scheduler, make_framework_info(&s.w, id, 60, true), true);
        EXPECT(&s.w, s.scheduler, pb__framework_reregistered_message,
               Pb__FrameworkReregisteredMessage);
        while (follower_wait(&quick, SECONDS(0)))
            ;
    }
    ck_assert_double_eq(metric("master/operator_event_stream_dropped"), 1);
    deaf.browser->deaf = false;
    browser_want(deaf.browser);
    ck_assert(sim_run_until(world, is_ended, &deaf, MINUTES(5)));
    ck_assert(!is_ended(&quick));
    ck_assert_int_eq(master_check_invariants(s.w.master, &err), 0);
    follower_end(&deaf);
    follower_end(&quick);
    scene_stop(&s);
}
END_TEST

START_TEST(one_subscriber_too_many_costs_the_oldest_one)
{
    struct follower f[3];
    struct scene s;

    scene_begin_with(&s, 7, with_two_subscribers);
    for (int i = 0; i < 3; i++) {
        follower_begin(&f[i], JSON_TYPE);
        check_beginning(&f[i], 0);
    }
    browser_expect(f[0].browser, "0\r\n\r\n");
    ck_assert_double_eq(metric("master/operator_event_stream_subscribers"), 2);
    browser_close(f[1].browser);
    sim_run_for(s.w.sim, MINUTES(1));
    ck_assert_double_eq(metric("master/operator_event_stream_subscribers"), 1);
    json_decref(f[1].event);
    follower_end(&f[0]);
    follower_end(&f[2]);
    scene_stop(&s);
}
END_TEST

UNIT(master_events, the_stream_begins_with_the_state_and_beats,
     every_change_is_told_once_and_in_its_order, tasks_end_with_their_framework_before_it,
     a_framework_that_comes_with_an_id_is_recovered_first,
     a_subscriber_that_does_not_read_is_disconnected,
     one_subscriber_too_many_costs_the_oldest_one);
