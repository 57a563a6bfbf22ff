/* test_election.c - masters that stand by, come to lead, and do not lead any more */
#include "tests/master/appointed.h"
#include "tests/master/master_place.h"
#include "tests/process/browser.h"

#include "tests/unit.h"

struct stage {
    struct place w;
    struct appointed *election;
};

static void stage_start(struct stage *s)
{
    s->election = appointed_create();
    place_start_candidate(&s->w, 7, &s->election->election);
    runtime_set_delegate(s->w.rt, "master");
    world = s->w.sim;
    rt = s->w.rt;
    client_node = sim_node_create(world, "client", CLIENT_IP + 100);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
    sim_run_for(world, SECONDS(1));
    ck_assert_ptr_nonnull(s->election->candidate);
}

static void stage_stop(struct stage *s)
{
    host_loop_stop(client_loop);
    host_destroy(client_host);
    place_stop(&s->w);
}

/* The answer has each of the lines, and this body. */
static void check_get(const char *request, const char *status, const char *line, const char *body)
{
    struct browser *b = browser_open();
    char *head;

    browser_say(b, request);
    head = browser_read(b, "\r\n\r\n");
    ck_assert_msg(strncmp(head + 9, status, 3) == 0, "%s: not %s: %s", request, status, head);
    ck_assert_msg(strstr(head, line) != NULL, "%s: no '%s' in %s", request, line, head);
    if (*body)
        browser_skip(b, body);
    mem_free(head);
    browser_close(b);
}

#define POST(path)                                                                                 \
    "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"                     \
    "Content-Length: 2\r\n\r\n{}"

START_TEST(while_nobody_leads_clients_are_told_so)
{
    static const char *const requests[] = {
        POST("/api/v1/scheduler"), POST("/api/v1"), BROWSER_GET("/state"), BROWSER_GET("/redirect"),
    };
    struct stage s;

    stage_start(&s);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        check_get(requests[i], "503", "Content-Length: 17\r\n", "No leader elected");
    stage_stop(&s);
}
END_TEST

START_TEST(a_master_that_stands_by_sends_clients_to_the_leader)
{
    static const struct {
        const char *request, *location;
    } asked[] = {
        { POST("/api/v1/scheduler"), "//lead.example:5051/master/api/v1/scheduler" },
        { POST("/master/api/v1/scheduler"), "//lead.example:5051/master/api/v1/scheduler" },
        { BROWSER_GET("/api/v1/scheduler"), "//lead.example:5051/master/api/v1/scheduler" },
        { POST("/api/v1"), "//lead.example:5051/master/api/v1" },
        { BROWSER_GET("/redirect"), "//lead.example:5051" },
        { BROWSER_GET("/master/redirect"), "//lead.example:5051" },
        { BROWSER_GET("/state"), "//lead.example:5051/master/state" },
        { BROWSER_GET("/master/state"), "//lead.example:5051/master/state" },
        { BROWSER_GET("/state.json"), "//lead.example:5051/master/state.json" },
        { BROWSER_GET("/state?jsonp=a%20b&c=d"),
          "//lead.example:5051/master/state?jsonp=a%20b&c=d" },
        { BROWSER_GET("/state-summary"), "//lead.example:5051/master/state-summary" },
        { BROWSER_GET("/slaves"), "//lead.example:5051/master/slaves" },
        { BROWSER_GET("/frameworks"), "//lead.example:5051/master/frameworks" },
        { BROWSER_GET("/tasks?limit=1"), "//lead.example:5051/master/tasks?limit=1" },
        { BROWSER_GET("/roles"), "//lead.example:5051/master/roles" },
        { POST("/teardown"), "//lead.example:5051/master/teardown" },
        { BROWSER_GET("/weights"), "//lead.example:5051/master/weights" },
        { BROWSER_GET("/quota"), "//lead.example:5051/master/quota" },
        { BROWSER_GET("/maintenance/schedule"), "//lead.example:5051/master/maintenance/schedule" },
        { BROWSER_GET("/maintenance/status"), "//lead.example:5051/master/maintenance/status" },
    };
    struct stage s;

    stage_start(&s);
    appoint_other(s.election, "lead.example", 5051);
    sim_run_for(world, SECONDS(1));
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        char *line = mem_printf("Location: %s\r\n", asked[i].location);

        check_get(asked[i].request, "307", line, "");
        mem_free(line);
    }
    check_get(BROWSER_GET("/redirect/redirect"), "404", "", "");
    stage_stop(&s);
}
END_TEST

START_TEST(what_is_of_the_node_itself_every_master_answers)
{
    struct stage s;

    stage_start(&s);
    appoint_other(s.election, "lead.example", 5051);
    sim_run_for(world, SECONDS(1));
    check_get(BROWSER_GET("/health"), "200", "", "");
    check_get(BROWSER_GET("/version"), "200", "", "");
    check_get(BROWSER_GET("/flags"), "200", "", "\"flags\"");
    check_get(BROWSER_GET("/metrics/snapshot"), "200", "", "\"master/elected\":0.0");
    stage_stop(&s);
}
END_TEST

START_TEST(a_master_that_stands_by_takes_no_registrations_until_it_is_elected)
{
    struct stage s;
    struct player *agent, *scheduler;

    stage_start(&s);
    agent = place_add(&s.w, "slave(1)", 5051);
    scheduler = place_add(&s.w, "scheduler-1", 6000);
    say_register(&s.w, agent);
    say_subscribe(&s.w, scheduler, make_framework_info(&s.w, NULL, 60, true), false);
    EXPECT_NONE(&s.w, agent, pb__slave_registered_message);
    EXPECT_NONE(&s.w, scheduler, pb__framework_registered_message);
    appoint_candidate(s.election);
    sim_run_for(world, SECONDS(1));
    join(&s.w, agent);
    subscribe_new(&s.w, scheduler, true);
    check_get(BROWSER_GET("/metrics/snapshot"), "200", "", "\"master/elected\":1.0");
    check_get(BROWSER_GET("/state"), "200", "", "\"elected_time\":");
    stage_stop(&s);
}
END_TEST

static bool has_failed(void *arg)
{
    return *master_failure(arg) != '\0';
}

START_TEST(a_master_that_does_not_lead_any_more_ends_itself)
{
    struct stage s;

    for (int other = 0; other < 2; other++) {
        stage_start(&s);
        appoint_candidate(s.election);
        sim_run_for(world, SECONDS(1));
        ck_assert_str_eq(master_failure(s.w.master), "");
        if (other)
            appoint_other(s.election, "lead.example", 5051);
        else
            appoint_nobody(s.election);
        ck_assert(sim_run_until(world, has_failed, s.w.master, MINUTES(1)));
        ck_assert_str_eq(master_failure(s.w.master),
                         other ? "it does not lead any more: another leads"
                               : "it does not lead any more: nobody leads");
        stage_stop(&s);
    }
}
END_TEST

UNIT(election, while_nobody_leads_clients_are_told_so,
     a_master_that_stands_by_sends_clients_to_the_leader,
     what_is_of_the_node_itself_every_master_answers,
     a_master_that_stands_by_takes_no_registrations_until_it_is_elected,
     a_master_that_does_not_lead_any_more_ends_itself);
