/* test_master_gone.c - MARK_AGENT_GONE: agents that will never come back */
#include "tests/master/operator_scene.h"
#include "tests/unit.h"

static void with_sqlite(struct master_options *o)
{
    o->registry = (char *)"sqlite";
}

static const char *gone_call(struct scene *s)
{
    return arena_printf(&s->w.arena,
                        "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":"
                        "{\"value\":\"%s\"}}}",
                        s->agent_id);
}

static void expect_gone(struct scene *s, bool aware)
{
    const Pb__StatusUpdateMessage *msg =
        EXPECT(&s->w, s->scheduler, pb__status_update_message, Pb__StatusUpdateMessage);
    const Pb__TaskStatus *status = msg->update->status;

    ck_assert_int_eq(status->state, aware ? PB__TASK_STATE__TASK_GONE_BY_OPERATOR
                                          : PB__TASK_STATE__TASK_LOST);
    ck_assert_int_eq(status->reason,
                     aware ? PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED_BY_OPERATOR
                           : PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED);
    ck_assert_str_eq(status->message, "Agent has been marked gone");
    ck_assert(!status->has_uuid);
}

static void expect_shutdown(struct scene *s)
{
    const Pb__ShutdownMessage *msg =
        EXPECT(&s->w, s->agent, pb__shutdown_message, Pb__ShutdownMessage);

    ck_assert_str_eq(msg->message, "Agent has been marked gone");
}

static void mark_gone(bool aware)
{
    struct follower f;
    struct scene s;

    scene_start(&s);
    scene_subscribe(&s, aware);
    scene_launch(&s, "one");
    scene_update(&s, "one", PB__TASK_STATE__TASK_RUNNING, 1);
    follower_begin(&f, JSON_TYPE);
    follower_expect(&f, "SUBSCRIBED");
    check_reply(call(gone_call(&s)), 200, NULL);
    expect_shutdown(&s);
    expect_gone(&s, aware);
    EXPECT(&s.w, s.scheduler, pb__lost_slave_message, Pb__LostSlaveMessage);
    check_task_updated(follower_expect(&f, "TASK_UPDATED"),
                       aware ? "TASK_GONE_BY_OPERATOR" : "TASK_LOST");
    follower_expect(&f, "AGENT_REMOVED");
    say_reregister(&s.w, s.agent, s.agent_id, 0, NULL, NULL);
    expect_shutdown(&s);
    follower_expect_silence(&f);
    check_call(gone_call(&s), 200, NULL); /* it is so already */
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    ck_assert_int_eq(EXPECT(&s.w, s.scheduler, pb__status_update_message, Pb__StatusUpdateMessage)
                         ->update->status->state,
                     aware ? PB__TASK_STATE__TASK_GONE_BY_OPERATOR : PB__TASK_STATE__TASK_LOST);
    follower_end(&f);
    scene_stop(&s);
}

START_TEST(an_agent_that_is_marked_gone_never_comes_back)
{
    mark_gone(true);
}
END_TEST

START_TEST(who_knows_no_partitions_hears_that_its_tasks_are_lost)
{
    mark_gone(false);
}
END_TEST

START_TEST(a_restarted_master_still_knows_who_is_gone)
{
    struct scene s;

    scene_begin_with(&s, 7, with_sqlite);
    scene_join(&s);
    check_reply(call(gone_call(&s)), 200, NULL);
    expect_shutdown(&s);
    scene_restart_master(&s);
    say_reregister(&s.w, s.agent, s.agent_id, 0, NULL, NULL);
    expect_shutdown(&s);
    check_call(gone_call(&s), 200, NULL);
    scene_stop(&s);
}
END_TEST

START_TEST(an_agent_that_has_not_come_back_yet_can_be_gone)
{
    struct follower f;
    struct scene s;

    scene_begin_with(&s, 7, with_sqlite);
    scene_join(&s);
    scene_restart_master(&s);
    follower_begin(&f, JSON_TYPE);
    ck_assert_str_eq(text_at(follower_expect(&f, "SUBSCRIBED"),
                             "subscribed.get_state.get_agents.recovered_agents.0.id.value"),
                     s.agent_id);
    check_reply(call(gone_call(&s)), 200, NULL);
    follower_expect(&f, "AGENT_REMOVED");
    say_reregister(&s.w, s.agent, s.agent_id, 0, NULL, NULL);
    expect_shutdown(&s);
    follower_expect_silence(&f);
    follower_end(&f);
    scene_stop(&s);
}
END_TEST

START_TEST(tasks_of_an_unreachable_agent_end_when_it_is_gone)
{
    struct follower f;
    const json_t *event;
    struct scene s;

    scene_start(&s);
    scene_subscribe(&s, true);
    scene_launch(&s, "one");
    scene_update(&s, "one", PB__TASK_STATE__TASK_RUNNING, 1);
    s.agent->mute = true;
    ck_assert_int_eq(EXPECT(&s.w, s.scheduler, pb__status_update_message, Pb__StatusUpdateMessage)
                         ->update->status->state,
                     PB__TASK_STATE__TASK_UNREACHABLE);
    follower_begin(&f, JSON_TYPE);
    event = follower_expect(&f, "SUBSCRIBED");
    ck_assert_str_eq(text_at(event, "subscribed.get_state.get_tasks.unreachable_tasks.0.state"),
                     "TASK_UNREACHABLE");
    check_reply(call(gone_call(&s)), 200, NULL);
    expect_gone(&s, true);
    check_task_updated(follower_expect(&f, "TASK_UPDATED"), "TASK_GONE_BY_OPERATOR");
    follower_expect_silence(&f);
    follower_end(&f);
    scene_stop(&s);
}
END_TEST

/* Whether the registry is faster than the second question is the world's choice: over some
 * worlds both must have been seen. */
START_TEST(of_two_changes_of_an_agent_the_second_has_to_wait)
{
    unsigned waited = 0, done = 0;

    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct scene s;
        struct browser *asked[2];
        struct reply a;
        unsigned good = 0;

        scene_begin_with(&s, seed, with_sqlite);
        scene_join(&s);
        for (int i = 0; i < 2; i++)
            asked[i] = ask_begin("POST", "/api/v1", JSON_TYPE, JSON_TYPE, gone_call(&s),
                                 strlen(gone_call(&s)));
        for (int i = 0; i < 2; i++) {
            a = reply_read(asked[i]);
            ck_assert_msg(a.status == 200 || a.status == 503, "%d", a.status);
            good += a.status == 200;
            reply_release(&a);
        }
        ck_assert_uint_ge(good, 1);
        *(good == 2 ? &done : &waited) += 1;
        expect_shutdown(&s);
        EXPECT_NONE(&s.w, s.agent, pb__shutdown_message);
        check_reply(call(gone_call(&s)), 200, NULL);
        scene_stop(&s);
    }
    ck_assert_uint_gt(waited, 0);
    ck_assert_uint_gt(done, 0);
}
END_TEST

START_TEST(an_agent_that_unregisters_meanwhile_is_not_gone_twice)
{
    Pb__UnregisterSlaveMessage msg = PB__UNREGISTER_SLAVE_MESSAGE__INIT;
    unsigned seen[3] = { 0, 0, 0 };

    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct scene s;
        struct reply a;

        scene_begin_with(&s, seed, with_sqlite);
        scene_join(&s);
        msg.slave_id = make_agent_id(&s.w, s.agent_id);
        say(s.agent, &msg.base);
        a = call(gone_call(&s));
        ck_assert_msg(a.status == 200 || a.status == 404 || a.status == 503, "%d", a.status);
        seen[a.status == 200 ? 0 : a.status == 404 ? 1 : 2]++;
        reply_release(&a);
        scene_stop(&s);
    }
    ck_assert_uint_gt(seen[2], 0);
}
END_TEST

UNIT(master_gone, an_agent_that_is_marked_gone_never_comes_back,
     who_knows_no_partitions_hears_that_its_tasks_are_lost,
     a_restarted_master_still_knows_who_is_gone, an_agent_that_has_not_come_back_yet_can_be_gone,
     tasks_of_an_unreachable_agent_end_when_it_is_gone,
     of_two_changes_of_an_agent_the_second_has_to_wait,
     an_agent_that_unregisters_meanwhile_is_not_gone_twice);
