/* test_scheduler_api.c - the life of a scheduler that speaks HTTP to the master, by hand */
#include "tests/master/scheduler_scene.h"

#include "process/proto.h"
#include "proto/scheduler.pb-c.h"
#include "tests/unit.h"

/* ---- a life ---- */

START_TEST(a_heartbeat_follows_the_subscription_and_then_comes_every_15_seconds)
{
    struct scene s;
    struct instant last;
    size_t size;

    scene_start(&s);
    subscribed(&s, post(JSON_BOTH, SUBSCRIBE));
    char *event = next_record(s.stream, &size);

    ck_assert_str_eq(event, "{\"type\":\"HEARTBEAT\"}");
    mem_free(event);
    last = runtime_now(s.w.rt);
    offered(&s);
    for (int i = 0; i < 3; i++) {
        event = next_record(s.stream, &size);
        ck_assert_str_eq(event, "{\"type\":\"HEARTBEAT\"}");
        mem_free(event);
        struct instant now = runtime_now(s.w.rt);
        double after = (double)(now.ns - last.ns) / 1e9;

        ck_assert_msg(after > 14.5 && after < 15.5, "after %g s", after);
        last = now;
    }
    scene_stop(&s);
}
END_TEST

START_TEST(a_task_is_launched_its_update_arrives_with_a_uuid_and_is_acknowledged)
{
    struct scene s;
    char *event, *uuid, *rest;

    scene_subscribed(&s);
    launch(&s, "one");
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_FINISHED,
               PB__TASK_STATE__TASK_FINISHED, 5);
    event = next_event(s.stream, "UPDATE");
    ck_assert_ptr_nonnull(strstr(event, "\"state\":\"TASK_FINISHED\""));
    ck_assert_ptr_nonnull(strstr(event, s.agent_id));
    uuid = value_behind(event, "\"uuid\":\"");
    rest = mem_printf(",\"acknowledge\":{\"agent_id\":{\"value\":\"%s\"},\"task_id\":{\"value\":"
                      "\"one\"},\"uuid\":\"%s\"}",
                      s.agent_id, uuid);
    check_taken(&s, "ACKNOWLEDGE", rest);
    const Pb__StatusUpdateAcknowledgementMessage *ack =
        EXPECT(&s.w, s.agent, pb__status_update_acknowledgement_message,
               Pb__StatusUpdateAcknowledgementMessage);

    ck_assert_str_eq(ack->task_id->value, "one");
    ck_assert_uint_eq(ack->uuid.len, 16);
    ck_assert_uint_eq(ack->uuid.data[0], 5);
    check_answered(call(&s, "ACKNOWLEDGE",
                        ",\"acknowledge\":{\"agent_id\":{\"value\":\"a\"},"
                        "\"task_id\":{\"value\":\"one\"},\"uuid\":\"AAAA\"}"),
                   "400", "Failed to validate scheduler::Call: Not a valid UUID");
    mem_free(event);
    mem_free(uuid);
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(what_is_declined_is_offered_again_when_the_filter_ends)
{
    struct scene s;
    char *rest, *before;

    scene_subscribed(&s);
    before = mem_strdup(s.offer);
    rest = mem_printf(",\"decline\":{\"offer_ids\":[{\"value\":\"%s\"}],"
                      "\"filters\":{\"refuse_seconds\":0.1}}",
                      s.offer);
    check_taken(&s, "DECLINE", rest);
    offered(&s);
    ck_assert_str_ne(s.offer, before);
    mem_free(rest);
    mem_free(before);
    scene_stop(&s);
}
END_TEST

START_TEST(a_kill_reaches_the_agent_and_reconciliation_answers_without_a_uuid)
{
    struct scene s;
    char *event;

    scene_subscribed(&s);
    launch(&s, "one");
    check_taken(&s, "KILL", ",\"kill\":{\"task_id\":{\"value\":\"one\"}}");
    ck_assert_str_eq(
        EXPECT(&s.w, s.agent, pb__kill_task_message, Pb__KillTaskMessage)->task_id->value, "one");
    check_taken(&s, "RECONCILE", ",\"reconcile\":{\"tasks\":[]}");
    event = next_event(s.stream, "UPDATE");
    ck_assert_ptr_nonnull(strstr(event, "Reconciliation: Latest task state"));
    ck_assert_ptr_null(strstr(event, "uuid"));
    mem_free(event);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{\"tasks\":[{\"task_id\":{\"value\":\"who\"}}]}");
    check_event(s.stream, "UPDATE", "TASK_UNKNOWN");
    scene_stop(&s);
}
END_TEST

START_TEST(messages_pass_both_ways_and_the_loss_of_an_agent_is_a_failure)
{
    struct scene s;
    Pb__ExecutorToFrameworkMessage msg = PB__EXECUTOR_TO_FRAMEWORK_MESSAGE__INIT;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"message\":{\"agent_id\":{\"value\":\"%s\"},\"executor_id\":"
                      "{\"value\":\"e\"},\"data\":\"aGk=\"}",
                      s.agent_id);
    check_taken(&s, "MESSAGE", rest);
    mem_free(rest);
    const Pb__FrameworkToExecutorMessage *there =
        EXPECT(&s.w, s.agent, pb__framework_to_executor_message, Pb__FrameworkToExecutorMessage);
    ck_assert_int_eq(memcmp(there->data.data, "hi", 2), 0);

    msg.slave_id = make_agent_id(&s.w, s.agent_id);
    msg.framework_id = make_framework_id(&s.w, s.framework);
    msg.executor_id = make_executor_id(&s.w, "e");
    msg.data = (ProtobufCBinaryData){ 2, (uint8_t *)"ho" };
    say(s.agent, &msg.base);
    check_event(s.stream, "MESSAGE", "\"data\":\"aG8=\"");

    s.agent->mute = true;
    check_event(s.stream, "RESCIND", s.offer);
    check_event(s.stream, "FAILURE", s.agent_id);
    scene_stop(&s);
}
END_TEST

/* ---- failover, disconnection, the end ---- */

START_TEST(another_subscription_wins_and_the_old_stream_ends_with_an_error)
{
    struct scene s;
    struct browser *old;
    char *stream_id;

    scene_subscribed(&s);
    launch(&s, "one");
    old = s.stream;
    stream_id = mem_strdup(s.stream_id);
    subscribed(&s, subscribe_again(&s));
    ck_assert_str_ne(s.stream_id, stream_id);
    check_event(old, "ERROR", "Framework failed over");
    check_end(old);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{}");
    offered(&s);
    check_event(s.stream, "UPDATE", "\"one\"");
    mem_free(stream_id);
    scene_stop(&s);
}
END_TEST

START_TEST(a_driver_takes_over_from_an_http_scheduler_and_back)
{
    struct scene s;
    struct player *driver;
    Pb__FrameworkInfo *info;

    scene_subscribed(&s);
    driver = place_add(&s.w, "scheduler-1", 6000);
    info = make_framework_info(&s.w, s.framework, 60, true);
    say_subscribe(&s.w, driver, info, true);
    EXPECT(&s.w, driver, pb__framework_registered_message, Pb__FrameworkRegisteredMessage);
    check_event(s.stream, "ERROR", "Framework failed over");
    check_end(s.stream);
    subscribed(&s, subscribe_again(&s));
    EXPECT(&s.w, driver, pb__framework_error_message, Pb__FrameworkErrorMessage);
    offered(&s);
    player_end(driver); /* whose link does not concern us any more */
    check_taken(&s, "KILL", ",\"kill\":{\"task_id\":{\"value\":\"who\"}}");
    check_event(s.stream, "UPDATE", "TASK_UNKNOWN");
    scene_stop(&s);
}
END_TEST

static bool is_refused_as_not_subscribed(struct scene *s)
{
    struct browser *b = call(s, "SUPPRESS", "");
    char *head = browser_read(b, "\r\n\r\n");
    bool refused = strncmp(head + 9, "403", 3) == 0;

    mem_free(head);
    browser_close(b);
    return refused;
}

START_TEST(a_client_that_goes_is_disconnected_and_removed_after_its_failover_timeout)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    browser_close(s.stream);
    s.stream = NULL;
    sim_run_for(world, SECONDS(5));
    ck_assert(is_refused_as_not_subscribed(&s));
    EXPECT_NONE(&s.w, s.agent, pb__shutdown_framework_message);
    EXPECT(&s.w, s.agent, pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage);
    struct browser *b = subscribe_again(&s);

    browser_expect_head(b, "200", "Mesos-Stream-Id: ", NULL);
    check_event(b, "ERROR", "Framework has been removed");
    check_end(b);
    scene_stop(&s);
}
END_TEST

START_TEST(a_client_that_comes_back_in_time_keeps_its_tasks)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    browser_close(s.stream);
    sim_run_for(world, SECONDS(5));
    subscribed(&s, subscribe_again(&s));
    offered(&s);
    check_taken(&s, "RECONCILE", ",\"reconcile\":{}");
    check_event(s.stream, "UPDATE", "\"one\"");
    EXPECT_NONE(&s.w, s.agent, pb__shutdown_framework_message);
    scene_stop(&s);
}
END_TEST

START_TEST(a_teardown_ends_the_stream_and_the_framework)
{
    struct scene s;

    scene_subscribed(&s);
    launch(&s, "one");
    check_taken(&s, "TEARDOWN", "");
    check_end(s.stream);
    s.stream = NULL;
    EXPECT(&s.w, s.agent, pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage);
    check_answered(call(&s, "SUPPRESS", ""), "400", "Framework cannot be found");
    scene_stop(&s);
}
END_TEST

START_TEST(an_update_of_a_framework_is_done_when_it_is_answered_and_keeps_what_is_fixed)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":" INFO(
                          "\"hostname\":\"new\",\"id\":{\"value\":\"%s\"},") "}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "200", "");
    mem_free(rest);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":" INFO(
                          "\"checkpoint\":true,\"id\":{\"value\":\"%s\"},") "}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "400",
                   "'FrameworkInfo.checkpoint' of a framework cannot be changed");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(another_role_of_a_framework_rescinds_its_offers_and_brings_those_of_that_role)
{
    struct scene s;
    char *rest;

    scene_subscribed(&s);
    rest = mem_printf(",\"update_framework\":{\"framework_info\":{\"user\":\"nobody\",\"name\":"
                      "\"x\",\"id\":{\"value\":\"%s\"},\"roles\":[\"other\"],"
                      "\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]}}",
                      s.framework);
    check_answered(call(&s, "UPDATE_FRAMEWORK", rest), "200", "");
    check_event(s.stream, "RESCIND", s.offer);
    check_event(s.stream, "OFFERS", "\"allocation_info\":{\"role\":\"other\"}");
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(a_master_that_ends_drops_its_streams)
{
    struct scene s;

    scene_subscribed(&s);
    master_destroy(s.w.master);
    s.w.master = NULL;
    struct browser_wish end = { s.stream, NULL, 0 };
    ck_assert(sim_run_until(world, browser_has, &end, BROWSER_LIMIT));
    scene_stop(&s);
}
END_TEST

/* ---- protobuf ---- */

static PbSchedulerV1__Event *next_message(struct scene *s, struct browser *b)
{
    size_t size;
    char *record = next_record(b, &size);
    struct error err = { 0, "" };
    ProtobufCMessage *event =
        proto_parse(&pb_scheduler_v1__event__descriptor, record, size, &s->w.arena, NULL, &err);

    ck_assert_msg(event != NULL, "%s", err.text);
    mem_free(record);
    return (PbSchedulerV1__Event *)event;
}

START_TEST(a_scheduler_of_protobuf_has_its_events_in_protobuf)
{
    struct scene s;
    PbSchedulerV1__Call subscribe = PB_SCHEDULER_V1__CALL__INIT;
    PbSchedulerV1__Call__Subscribe part = PB_SCHEDULER_V1__CALL__SUBSCRIBE__INIT;
    struct buffer bytes = BUFFER_INIT;
    PbSchedulerV1__Event *event;

    scene_start(&s);
    subscribe.has_type = true;
    subscribe.type = PB_SCHEDULER_V1__CALL__TYPE__SUBSCRIBE;
    subscribe.subscribe = &part;
    part.framework_info = make_framework_info(&s.w, NULL, 60, true);
    proto_pack(&subscribe.base, &bytes);
    s.stream = post_bytes("Content-Type: application/x-protobuf\r\n"
                          "Accept: application/x-protobuf\r\n",
                          buffer_data(&bytes), buffer_length(&bytes));
    buffer_release(&bytes);
    browser_expect_head(s.stream, "200", "Content-Type: application/x-protobuf\r\n", NULL);
    event = next_message(&s, s.stream);
    ck_assert_int_eq(event->type, PB_SCHEDULER_V1__EVENT__TYPE__SUBSCRIBED);
    ck_assert(event->subscribed->heartbeat_interval_seconds == 15.0);
    ck_assert_int_eq(next_message(&s, s.stream)->type, PB_SCHEDULER_V1__EVENT__TYPE__HEARTBEAT);
    event = next_message(&s, s.stream);
    ck_assert_int_eq(event->type, PB_SCHEDULER_V1__EVENT__TYPE__OFFERS);
    ck_assert_str_eq(event->offers->offers[0]->agent_id->value, s.agent_id);
    scene_stop(&s);
}
END_TEST

UNIT(scheduler_api, a_heartbeat_follows_the_subscription_and_then_comes_every_15_seconds,
     a_task_is_launched_its_update_arrives_with_a_uuid_and_is_acknowledged,
     what_is_declined_is_offered_again_when_the_filter_ends,
     a_kill_reaches_the_agent_and_reconciliation_answers_without_a_uuid,
     messages_pass_both_ways_and_the_loss_of_an_agent_is_a_failure,
     another_subscription_wins_and_the_old_stream_ends_with_an_error,
     a_driver_takes_over_from_an_http_scheduler_and_back,
     a_client_that_goes_is_disconnected_and_removed_after_its_failover_timeout,
     a_client_that_comes_back_in_time_keeps_its_tasks, a_teardown_ends_the_stream_and_the_framework,
     an_update_of_a_framework_is_done_when_it_is_answered_and_keeps_what_is_fixed,
     another_role_of_a_framework_rescinds_its_offers_and_brings_those_of_that_role,
     a_master_that_ends_drops_its_streams, a_scheduler_of_protobuf_has_its_events_in_protobuf);
