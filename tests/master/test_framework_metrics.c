/* test_framework_metrics.c - what is counted of one framework, as /metrics/snapshot tells it */
#include "tests/master/scheduler_scene.h"

#include "tests/unit.h"

static char *snapshot(void)
{
    struct browser *b = browser_open();
    char *head, *body;

    browser_say(b, "GET /metrics/snapshot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    head = browser_read(b, "\r\n\r\n");
    body = browser_read(b, "}");
    mem_free(head);
    browser_close(b);
    return body;
}

/* Of the scene's framework, whose name is "by hand". */
static bool tells(const struct scene *s, const char *json, const char *what, const char *value)
{
    char *line = mem_printf("\"master/frameworks/by%%20hand/%s/%s\":%s", s->framework, what, value);
    bool found = strstr(json, line) != NULL;

    mem_free(line);
    return found;
}

#define check_tells(s, json, what, value)                                                          \
    ck_assert_msg(tells((s), (json), (what), (value)), "no %s: %s in %s", (what), (value), (json))

static void finish(struct scene *s, const char *task)
{
    char *event;

    say_update(&s->w, s->agent, s->framework, s->agent_id, task, PB__TASK_STATE__TASK_FINISHED,
               PB__TASK_STATE__TASK_FINISHED, 5);
    event = next_event(s->stream, "UPDATE");
    mem_free(event);
}

START_TEST(calls_events_offers_and_tasks_are_counted)
{
    struct scene s;
    char *rest, *json;

    scene_subscribed(&s);
    rest = mem_printf(",\"decline\":{\"offer_ids\":[{\"value\":\"%s\"}],"
                      "\"filters\":{\"refuse_seconds\":0.1}}",
                      s.offer);
    check_taken(&s, "DECLINE", rest);
    offered(&s);
    launch(&s, "one");
    json = snapshot();
    check_tells(&s, json, "subscribed", "1.0");
    check_tells(&s, json, "calls", "3.0");
    check_tells(&s, json, "calls/subscribe", "1.0");
    check_tells(&s, json, "calls/decline", "1.0");
    check_tells(&s, json, "calls/accept", "1.0");
    check_tells(&s, json, "events", "3.0");
    check_tells(&s, json, "events/subscribed", "1.0");
    check_tells(&s, json, "events/offers", "2.0");
    check_tells(&s, json, "operations", "1.0");
    check_tells(&s, json, "operations/launch", "1.0");
    check_tells(&s, json, "offers/sent", "2.0");
    check_tells(&s, json, "offers/accepted", "1.0");
    check_tells(&s, json, "offers/declined", "1.0");
    check_tells(&s, json, "offers/rescinded", "0.0");
    check_tells(&s, json, "tasks/active/task_staging", "1.0");
    check_tells(&s, json, "tasks/terminal/task_finished", "0.0");
    mem_free(json);
    finish(&s, "one");
    json = snapshot();
    check_tells(&s, json, "events/update", "1.0");
    check_tells(&s, json, "tasks/active/task_staging", "0.0");
    check_tells(&s, json, "tasks/terminal/task_finished", "1.0");
    mem_free(json);
    mem_free(rest);
    scene_stop(&s);
}
END_TEST

START_TEST(a_role_is_suppressed_until_it_is_revived)
{
    struct scene s;
    char *json;

    scene_subscribed(&s);
    json = snapshot();
    check_tells(&s, json, "roles/*/suppressed", "0.0");
    mem_free(json);
    check_taken(&s, "SUPPRESS", "");
    json = snapshot();
    check_tells(&s, json, "roles/*/suppressed", "1.0");
    mem_free(json);
    check_taken(&s, "REVIVE", ",\"revive\":{\"roles\":[\"*\"]}");
    json = snapshot();
    check_tells(&s, json, "roles/*/suppressed", "0.0");
    mem_free(json);
    scene_stop(&s);
}
END_TEST

START_TEST(the_numbers_of_a_framework_go_with_it)
{
    struct scene s;
    char *json;

    scene_subscribed(&s);
    check_taken(&s, "TEARDOWN", "");
    check_end(s.stream);
    s.stream = NULL;
    json = snapshot();
    ck_assert_ptr_null(strstr(json, "master/frameworks/"));
    ck_assert_ptr_nonnull(strstr(json, "\"master/messages_unregister_framework\":1.0"));
    mem_free(json);
    scene_stop(&s);
}
END_TEST

START_TEST(they_are_not_told_when_the_flag_says_so)
{
    struct scene s;
    char *json;

    scene_start(&s);
    place_kill_master(&s.w);
    s.w.options.publish_per_framework_metrics = false;
    place_start_master(&s.w);
    runtime_set_delegate(s.w.rt, "master");
    rt = s.w.rt;
    subscribed(&s, post(JSON_BOTH, SUBSCRIBE));
    json = snapshot();
    ck_assert_ptr_null(strstr(json, "master/frameworks/"));
    ck_assert_ptr_nonnull(strstr(json, "\"master/frameworks_connected\":1.0"));
    mem_free(json);
    scene_stop(&s);
}
END_TEST

UNIT(framework_metrics, calls_events_offers_and_tasks_are_counted,
     a_role_is_suppressed_until_it_is_revived, the_numbers_of_a_framework_go_with_it,
     they_are_not_told_when_the_flag_says_so);
