/* test_master_operator.c - the operator API of the master: refusals, reads, files */
#include "tests/master/operator_scene.h"
#include "tests/unit.h"

static struct reply question(const char *method, const char *type, const char *accept,
                             const char *body)
{
    return reply_read(ask_begin(method, "/api/v1", type, accept, body, strlen(body)));
}

#define HEALTH "{\"type\":\"GET_HEALTH\"}"
#define HEALTH_BYTES "\x08\x01"

START_TEST(what_is_no_call_is_refused_with_its_reason)
{
    struct scene s;
    struct reply a;

    scene_start(&s);
    a = question("PUT", JSON_TYPE, NULL, HEALTH);
    ck_assert_ptr_nonnull(strstr(a.head, "Allow: POST\r\n"));
    check_reply(a, 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'PUT'.");
    check_reply(question("POST", NULL, NULL, HEALTH), 400,
                "Expecting 'Content-Type' to be present");
    check_reply(question("POST", JSON_TYPE, NULL, "{\"type\":"), 400,
                "Failed to parse body into JSON: syntax error at line 1 near: ");
    check_reply(question("POST", PROTOBUF_TYPE, NULL, "\xff\xff\xff"), 400,
                "Failed to parse body into Call protobuf");
    check_reply(question("POST", "text/plain", NULL, HEALTH), 415,
                "Expecting 'Content-Type' of application/json or application/x-protobuf");
    check_reply(question("POST", JSON_TYPE "; charset=utf-8", NULL, HEALTH), 415, NULL);
    check_reply(question("POST", JSON_TYPE, "text/html", HEALTH), 406,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
    check_reply(question("POST", PROTOBUF_TYPE, "text/html", HEALTH_BYTES), 406, NULL);
    check_reply(question("POST", JSON_TYPE, "text/html", "{\"type\":\"SUBSCRIBE\"}"), 406, NULL);
    scene_stop(&s);
}
END_TEST

START_TEST(a_call_without_its_parts_is_refused)
{
    struct scene s;

    scene_start(&s);
    check_call("{}", 400, "Failed to validate master::Call: Expecting 'type' to be present");
    check_call("{\"type\":\"MARK_AGENT_GONE\"}", 400,
               "Failed to validate master::Call: Expecting 'mark_agent_gone' to be present");
    check_call("{\"type\":\"READ_FILE\"}", 400,
               "Failed to validate master::Call: Expecting 'read_file' to be present");
    check_reply(call("{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"/x\"}}"), 400, "Failed to "
                "convert JSON into Call protobuf: Missing required fields: read_file.offset");
    check_call("{\"type\":\"SET_LOGGING_LEVEL\",\"set_logging_level\":{\"level\":1,\"duration\":"
               "{\"nanoseconds\":-1}}}",
               400, "The duration is negative");
    check_call("{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"nobody\"}}}",
               400, "No framework found with specified ID");
    check_call("{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":"
               "{\"value\":\"nobody\"}}}",
               404, "Agent 'nobody' is not known");
    scene_stop(&s);
}
END_TEST

START_TEST(what_is_still_to_come_is_refused_by_name)
{
    static const char *const calls[] = {
        "UPDATE_WEIGHTS\",\"update_weights\":{}",
        "START_MAINTENANCE\",\"start_maintenance\":{}",
        "STOP_MAINTENANCE\",\"stop_maintenance\":{}",
        "UPDATE_QUOTA\",\"update_quota\":{}",
        "REMOVE_QUOTA\",\"remove_quota\":{\"role\":\"r\"}",
        "DRAIN_AGENT\",\"drain_agent\":{\"agent_id\":{\"value\":\"a\"}}",
        "DEACTIVATE_AGENT\",\"deactivate_agent\":{\"agent_id\":{\"value\":\"a\"}}",
        "REACTIVATE_AGENT\",\"reactivate_agent\":{\"agent_id\":{\"value\":\"a\"}}",
        "RESERVE_RESOURCES\",\"reserve_resources\":{\"agent_id\":{\"value\":\"a\"}}",
    };
    struct scene s;

    scene_start(&s);
    check_call("{\"type\":\"UNKNOWN\"}", 501, "501 Not Implemented.");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char json[200], sentence[200];

        snprintf(json, sizeof json, "{\"type\":\"%s}", calls[i]);
        snprintf(sentence, sizeof sentence,
                 "mesos-lite cannot serve the call %.*s yet: what it is for is still to come",
                 (int)strcspn(calls[i], "\""), calls[i]);
        check_call(json, 501, sentence);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(a_read_says_the_same_in_both_media)
{
    static const char *const types[] = { "GET_HEALTH", "GET_FLAGS", "GET_VERSION",
                                         "GET_LOGGING_LEVEL", "GET_STATE", "GET_AGENTS",
                                         "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS",
                                         "GET_TASKS", "GET_ROLES", "GET_WEIGHTS", "GET_MASTER",
                                         "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE",
                                         "GET_QUOTA" };
    struct scene s;

    scene_start(&s);
    scene_subscribe(&s, true);
    scene_launch(&s, "one");
    scene_update(&s, "one", PB__TASK_STATE__TASK_RUNNING, 1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char json[100];
        struct reply text, bytes;
        json_t *a, *b;

        snprintf(json, sizeof json, "{\"type\":\"%s\"}", types[i]);
        text = call_as(&pb_master__call__descriptor, JSON_TYPE, json);
        bytes = call_as(&pb_master__call__descriptor, PROTOBUF_TYPE, json);
        ck_assert_ptr_nonnull(strstr(bytes.head, "Content-Type: " PROTOBUF_TYPE "\r\n"));
        a = json_of(&text);
        b = json_of_bytes(&pb_master__response__descriptor, bytes.body, bytes.size);
        ck_assert_str_eq(text_at(a, "type"), types[i]);
        ck_assert_msg(json_equal(a, b), "%s", types[i]);
        json_decref(a);
        json_decref(b);
        reply_release(&bytes);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(an_agent_is_shown_with_what_v0_says_of_it)
{
    struct scene s;
    struct reply a;
    json_t *json;

    scene_start(&s);
    a = call("{\"type\":\"GET_AGENTS\"}");
    json = json_of(&a);
    ck_assert(json_is_false(look(json, "get_agents.agents.0.agent_info.checkpoint")));
    json_decref(json);
    scene_stop(&s);
}
END_TEST

START_TEST(metrics_and_the_logging_level_are_served)
{
    struct scene s;
    struct reply a;
    json_t *json;

    scene_start(&s);
    a = call(
        "{\"type\":\"GET_METRICS\",\"get_metrics\":{\"timeout\":{\"nanoseconds\":5000000000}}}");
    json = json_of(&a);
    ck_assert_uint_gt(json_array_size(look(json, "get_metrics.metrics")), 50);
    json_decref(json);
    a = call("{\"type\":\"SET_LOGGING_LEVEL\",\"set_logging_level\":{\"level\":1,\"duration\":"
             "{\"nanoseconds\":60000000000}}}");
    check_reply(a, 200, NULL);
    a = call("{\"type\":\"GET_LOGGING_LEVEL\"}");
    json = json_of(&a);
    ck_assert_double_eq(number_at(json, "get_logging_level.level"), 1);
    json_decref(json);
    sim_run_for(s.w.sim, MINUTES(2));
    a = call("{\"type\":\"GET_LOGGING_LEVEL\"}");
    json = json_of(&a);
    ck_assert_double_eq(number_at(json, "get_logging_level.level"), 0);
    json_decref(json);
    scene_stop(&s);
}
END_TEST

START_TEST(the_state_endpoints_answer_jsonp)
{
    static const char *const paths[] = { "/state",  "/state-summary", "/slaves", "/frameworks",
                                         "/tasks",  "/roles",         "/flags",  "/version",
                                         "/files/debug", "/metrics/snapshot" };
    struct scene s;

    scene_start(&s);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[60];
        struct reply a;

        snprintf(path, sizeof path, "%s?jsonp=cb", paths[i]);
        a = get(path);
        ck_assert_int_eq(a.status, 200);
        ck_assert_msg(strstr(a.head, "Content-Type: text/javascript\r\n") != NULL, "%s", path);
        ck_assert_msg(strncmp(a.body, "cb({", 4) == 0, "%s: %s", path, a.body);
        ck_assert_str_eq(a.body + a.size - 2, "})");
        reply_release(&a);
    }
    scene_stop(&s);
}
END_TEST

/* ---- files ---- */

static void with_log(struct master_options *o)
{
    o->external_log_file = (char *)"/log";
}

#define LIST(path) "{\"type\":\"LIST_FILES\",\"list_files\":{\"path\":\"" path "\"}}"
#define READ(path, more) "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"" path "\"" more "}}"

START_TEST(the_log_is_read_under_its_virtual_path)
{
    struct scene s;
    struct error err;
    struct reply a;
    json_t *json;

    scene_begin_with(&s, 7, with_log);
    ck_assert_int_eq(host_write_file(s.w.host, "/log", "0123456789", 10, 0644, &err), 0);
    a = call(READ("/master/log", ",\"offset\":4,\"length\":3"));
    json = json_of(&a);
    ck_assert_double_eq(number_at(json, "read_file.size"), 10);
    ck_assert_str_eq(text_at(json, "read_file.data"), "NDU2");
    json_decref(json);
    a = call(READ("/master/log", ",\"offset\":8"));
    json = json_of(&a);
    ck_assert_str_eq(text_at(json, "read_file.data"), "ODk=");
    json_decref(json);
    a = call(READ("/master/log", ",\"offset\":10"));
    json = json_of(&a);
    ck_assert_str_eq(text_at(json, "read_file.data"), "");
    json_decref(json);
    check_reply(get("/files/read?path=/master/log&offset=1&length=2"), 200,
                "{\"offset\":1,\"data\":\"12\"}");
    check_reply(get("/files/debug"), 200, "{\"/master/log\":\"/log\"}");
    check_reply(get("/files/download?path=/master/log"), 200, "0123456789");
    check_call(LIST("/master/log"), 404, "");
    check_call(READ("/master/log/..", ",\"offset\":0"), 404, "");
    scene_stop(&s);
}
END_TEST

START_TEST(nothing_else_of_the_disk_is_shown)
{
    struct scene s;

    scene_start(&s);
    check_call(LIST("/"), 404, "");
    check_call(READ("/var/lib/mesos/registry.db", ",\"offset\":0"), 404, "");
    check_reply(get("/files/browse"), 400, "Expecting 'path=value' in query.\n");
    check_reply(get("/files/browse?path=/master/log"), 404, "");
    check_reply(get("/files/download?path=/nonexistent"), 404, "404 Not Found.");
    check_reply(get("/files/debug.json"), 200, "{}");
    scene_stop(&s);
}
END_TEST

UNIT(master_operator, what_is_no_call_is_refused_with_its_reason,
     a_call_without_its_parts_is_refused, what_is_still_to_come_is_refused_by_name,
     a_read_says_the_same_in_both_media, an_agent_is_shown_with_what_v0_says_of_it,
     metrics_and_the_logging_level_are_served, the_state_endpoints_answer_jsonp,
     the_log_is_read_under_its_virtual_path, nothing_else_of_the_disk_is_shown);
