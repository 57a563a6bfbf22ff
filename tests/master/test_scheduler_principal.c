/* test_scheduler_principal.c - frameworks of the v1 API that must say who they are */
#include "tests/master/scheduler_scene.h"

#include "process/authentication.h"
#include "process/http_access.h"
#include "tests/unit.h"

#define ANN "Authorization: Basic YW5uOmE=\r\n" /* ann:a */
#define BOB "Authorization: Basic Ym9iOmI=\r\n" /* bob:b */
#define AS(who, more)                                                                              \
    "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":" INFO("\"principal\":\"" who       \
                                                                      "\"," more) "}}"

static void start(struct scene *s)
{
    static const struct authentication_credential known[] = { { "ann", "a" }, { "bob", "b" } };

    scene_start(s);
    http_access_set_authenticator(rt, MASTER_REALM_SCHEDULER,
                                  authentication_basic(MASTER_REALM_SCHEDULER, known, 2));
}

START_TEST(who_is_unknown_cannot_subscribe)
{
    struct scene s;
    struct browser *b;

    start(&s);
    b = post(JSON_BOTH, SUBSCRIBE);
    browser_expect_head(b, "401", "WWW-Authenticate: Basic realm=\"mesos-master-scheduler\"\r\n",
                        NULL);
    browser_close(b);
    scene_stop(&s);
}
END_TEST

START_TEST(a_framework_gets_the_principal_that_it_was_authenticated_by)
{
    struct scene s;
    struct browser *b;

    start(&s);
    subscribed(&s, post(JSON_BOTH ANN, SUBSCRIBE));
    b = browser_open();
    browser_say(b, BROWSER_GET("/frameworks"));
    browser_skip(b, "\"principal\":\"ann\"");
    browser_close(b);
    scene_stop(&s);
}
END_TEST

START_TEST(a_framework_cannot_claim_to_be_another)
{
    struct scene s;

    start(&s);
    check_refused(JSON_BOTH ANN, AS("bob", ""), "400",
                  "Failed to validate scheduler::Call: Authenticated principal 'ann' does not "
                  "match principal 'bob' set in `FrameworkInfo`");
    subscribed(&s, post(JSON_BOTH ANN, AS("ann", "")));
    scene_stop(&s);
}
END_TEST

START_TEST(calls_must_come_from_who_subscribed)
{
    struct scene s;
    char *body, *headers;

    start(&s);
    subscribed(&s, post(JSON_BOTH ANN, SUBSCRIBE));
    body = mem_printf("{\"type\":\"SUPPRESS\",\"framework_id\":{\"value\":\"%s\"}}", s.framework);
    headers = mem_printf(JSON_BOTH BOB "Mesos-Stream-Id: %s\r\n", s.stream_id);
    check_refused(headers, body, "400",
                  "Authenticated principal 'bob' is not that of the framework");
    mem_free(headers);
    headers = mem_printf(JSON_BOTH ANN "Mesos-Stream-Id: %s\r\n", s.stream_id);
    check_refused(headers, body, "202", "");
    mem_free(headers);
    mem_free(body);
    scene_stop(&s);
}
END_TEST

UNIT(scheduler_principal, who_is_unknown_cannot_subscribe,
     a_framework_gets_the_principal_that_it_was_authenticated_by,
     a_framework_cannot_claim_to_be_another, calls_must_come_from_who_subscribed);
