/* test_agent_operator.c - the operator API of an agent, its containers and what they use */
#define OPERATOR_API "/slave(1)/api/v1"

#include <stdio.h>

#include "agent/run_usage.h"
#include "agent_place.h"
#include "proto/agent.pb-c.h"
#include "tests/master/operator_client.h"
#include "tests/unit.h"

#define RUNS "/frameworks/m-0001/executors/t/runs/latest"

/* An agent with a task that runs, and an operator. */
struct scene {
    struct agent_place p;
};

static void scene_start(struct scene *s)
{
    *s = (struct scene){ .p = { .flags = { "--external_log_file=/log" } } };
    place_start(&s->p);
    place_run(&s->p, &(struct place_task){ .id = "t", .command = "sleep 1000" });
    place_await_state(&s->p, "t", PB__TASK_STATE__TASK_RUNNING);
    client_start(s->p.sim, s->p.agent_rt);
}

static void scene_stop(struct scene *s)
{
    client_stop();
    place_stop(&s->p);
}

static void make_file(struct scene *s, const char *path, const char *text)
{
    struct error err;

    ck_assert_msg(host_write_file(s->p.agent_host, path, text, strlen(text), 0644, &err) == 0, "%s",
                  err.text);
}

/* ---- asking ---- */

static struct reply call(const char *media, const char *json)
{
    return call_as(&pb_agent__call__descriptor, media, json);
}

static void check_reply(struct reply a, int status, const char *body)
{
    ck_assert_msg(a.status == status, "%d, not %d: %s", a.status, status, a.body);
    if (body)
        ck_assert_str_eq(a.body, body);
    reply_release(&a);
}

static void check_call(const char *json, int status, const char *body)
{
    check_reply(call(JSON_TYPE, json), status, body);
    check_reply(call(PROTOBUF_TYPE, json), status, body);
}

/* The answer, which both media have alike. */
static json_t *read_both(const char *json)
{
    struct reply text = call(JSON_TYPE, json), bytes = call(PROTOBUF_TYPE, json);
    json_t *a = json_of(&text), *b;

    ck_assert_msg(bytes.status == 200, "%s", bytes.body);
    b = json_of_bytes(&pb_agent__response__descriptor, bytes.body, bytes.size);
    json_object_del(look(a, "get_containers.containers.0.resource_statistics"), "timestamp");
    json_object_del(look(b, "get_containers.containers.0.resource_statistics"), "timestamp");
    ck_assert_msg(json_equal(a, b), "%s", json);
    json_decref(b);
    reply_release(&bytes);
    return a;
}

static struct reply question(const char *method, const char *type, const char *accept,
                             const char *body)
{
    return reply_read(ask_begin(method, OPERATOR_API, type, accept, body, strlen(body)));
}

/* ---- refusals ---- */

#define HEALTH "{\"type\":\"GET_HEALTH\"}"
#define MEDIA "application/json or application/x-protobuf or application/recordio"

START_TEST(what_is_no_call_is_refused_with_its_reason)
{
    struct scene s;
    struct reply a;

    scene_start(&s);
    a = question("GET", JSON_TYPE, NULL, "");
    ck_assert_ptr_nonnull(strstr(a.head, "Allow: POST\r\n"));
    check_reply(a, 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.");
    check_reply(question("POST", NULL, NULL, HEALTH), 400,
                "Expecting 'Content-Type' to be present");
    check_reply(question("POST", JSON_TYPE, NULL, "{\"type\":"), 400,
                "Failed to parse body into JSON: syntax error at line 1 near: ");
    check_reply(question("POST", PROTOBUF_TYPE, NULL, "\xff\xff\xff"), 400,
                "Failed to parse body into Call protobuf");
    check_reply(question("POST", "text/plain", NULL, HEALTH), 415,
                "Expecting 'Content-Type' of " MEDIA);
    check_reply(question("POST", JSON_TYPE, "text/html", HEALTH), 406,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'");
    check_reply(question("POST", PROTOBUF_TYPE, "text/html", "\x08\x01"), 406, NULL);
    check_call("{}", 400, "Failed to validate agent::Call: Expecting 'type' to be present");
    check_call("{\"type\":\"KILL_CONTAINER\"}", 400,
               "Failed to validate agent::Call: Expecting 'kill_container' to be present");
    scene_stop(&s);
}
END_TEST

/* A request with the header, and one record. */
static struct reply stream(const char *message_type, const char *accept, const char *record)
{
    struct browser *b = browser_open();
    struct buffer out = BUFFER_INIT, body = BUFFER_INIT;

    recordio_format(&body, record, strlen(record));
    buffer_printf(&out, "POST " OPERATOR_API " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                        "Content-Type: application/recordio\r\n",
                  buffer_length(&body));
    if (message_type)
        buffer_printf(&out, "Message-Content-Type: %s\r\n", message_type);
    if (accept)
        buffer_printf(&out, "Accept: %s\r\n", accept);
    buffer_append_text(&out, "\r\n");
    buffer_append(&out, buffer_data(&body), buffer_length(&body));
    browser_send(b, buffer_data(&out), buffer_length(&out));
    buffer_release(&out);
    buffer_release(&body);
    return reply_read(b);
}

#define INPUT                                                                                      \
    "{\"type\":\"ATTACH_CONTAINER_INPUT\",\"attach_container_input\":{\"type\":\"CONTAINER_ID\","  \
    "\"container_id\":{\"value\":\"c\"}}}"

START_TEST(streams_are_for_those_who_attach)
{
    struct scene s;

    scene_start(&s);
    check_reply(stream(NULL, NULL, INPUT), 400, "Expecting 'Message-Content-Type' to be present");
    check_reply(stream("text/plain", NULL, INPUT), 415,
                "Expecting 'Message-Content-Type' of application/json or application/x-protobuf");
    check_reply(stream(JSON_TYPE, NULL, "{"), 400, NULL);
    check_reply(stream(JSON_TYPE, NULL, HEALTH), 415,
                "Streams of application/recordio are for ATTACH_CONTAINER_INPUT, not for "
                "GET_HEALTH");
    check_reply(stream(JSON_TYPE, NULL, INPUT), 501, NULL);
    check_reply(question("POST", "application/recordio", NULL, "no stream"), 400, NULL);
    check_reply(question("POST", JSON_TYPE, "application/recordio", HEALTH), 406, NULL);
    check_reply(question("POST", JSON_TYPE, "application/recordio",
                         "{\"type\":\"ATTACH_CONTAINER_OUTPUT\",\"attach_container_output\":"
                         "{\"container_id\":{\"value\":\"c\"}}}"),
                501, NULL);
    scene_stop(&s);
}
END_TEST

START_TEST(what_is_still_to_come_is_refused_by_name)
{
#define ID "{\"container_id\":{\"value\":\"c\"}}"
    static const char *const calls[] = {
        "LAUNCH_CONTAINER\",\"launch_container\":" ID,
        "WAIT_CONTAINER\",\"wait_container\":" ID,
        "KILL_CONTAINER\",\"kill_container\":" ID,
        "REMOVE_CONTAINER\",\"remove_container\":" ID,
        "LAUNCH_NESTED_CONTAINER\",\"launch_nested_container\":" ID,
        "WAIT_NESTED_CONTAINER\",\"wait_nested_container\":" ID,
        "KILL_NESTED_CONTAINER\",\"kill_nested_container\":" ID,
        "REMOVE_NESTED_CONTAINER\",\"remove_nested_container\":" ID,
        "LAUNCH_NESTED_CONTAINER_SESSION\",\"launch_nested_container_session\":" ID,
        "ATTACH_CONTAINER_OUTPUT\",\"attach_container_output\":" ID,
        "REMOVE_RESOURCE_PROVIDER_CONFIG\",\"remove_resource_provider_config\":{\"type\":\"t\","
        "\"name\":\"n\"}",
        "MARK_RESOURCE_PROVIDER_GONE\",\"mark_resource_provider_gone\":{\"resource_provider_id\":"
        "{\"value\":\"r\"}}",
        "PRUNE_IMAGES\"",
    };
    struct scene s;

    scene_start(&s);
    check_call("{\"type\":\"UNKNOWN\"}", 501, "501 Not Implemented.");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char json[300], sentence[200];

        snprintf(json, sizeof json, "{\"type\":\"%s}", calls[i]);
        snprintf(sentence, sizeof sentence,
                 "mesos-lite cannot serve the call %.*s yet: what it is for is still to come",
                 (int)strcspn(calls[i], "\""), calls[i]);
        check_call(json, 501, sentence);
    }
    scene_stop(&s);
}
END_TEST

/* ---- reads ---- */

START_TEST(a_read_says_the_same_in_both_media)
{
    static const char *const types[] = { "GET_HEALTH", "GET_FLAGS", "GET_VERSION",
                                         "GET_LOGGING_LEVEL", "GET_STATE", "GET_FRAMEWORKS",
                                         "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS",
                                         "GET_AGENT", "GET_RESOURCE_PROVIDERS" };
    struct scene s;

    scene_start(&s);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char json[100];
        json_t *answer;

        snprintf(json, sizeof json, "{\"type\":\"%s\"}", types[i]);
        answer = read_both(json);
        ck_assert_str_eq(text_at(answer, "type"), types[i]);
        json_decref(answer);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(tasks_executors_and_the_agent_are_shown)
{
    struct scene s;
    json_t *json;

    scene_start(&s);
    json = read_both("{\"type\":\"GET_STATE\"}");
    ck_assert_str_eq(text_at(json, "get_state.get_tasks.launched_tasks.0.task_id.value"), "t");
    ck_assert_str_eq(text_at(json, "get_state.get_tasks.launched_tasks.0.state"), "TASK_RUNNING");
    ck_assert_str_eq(
        text_at(json, "get_state.get_executors.executors.0.executor_info.executor_id.value"), "t");
    ck_assert_str_eq(
        text_at(json, "get_state.get_frameworks.frameworks.0.framework_info.id.value"),
        PLACE_FRAMEWORK);
    json_decref(json);
    json = read_both("{\"type\":\"GET_AGENT\"}");
    ck_assert_str_eq(text_at(json, "get_agent.agent_info.id.value"), PLACE_AGENT);
    ck_assert_ptr_null(look(json, "get_agent.agent_info.checkpoint"));
    json_decref(json);
    scene_stop(&s);
}
END_TEST

START_TEST(metrics_and_the_logging_level_are_served)
{
    struct scene s;
    json_t *json;
    struct reply a;

    scene_start(&s);
    a = call(
        JSON_TYPE,
        "{\"type\":\"GET_METRICS\",\"get_metrics\":{\"timeout\":{\"nanoseconds\":1000000000}}}");
    json = json_of(&a);
    ck_assert_uint_gt(json_array_size(look(json, "get_metrics.metrics")), 20);
    json_decref(json);
    check_call("{\"type\":\"SET_LOGGING_LEVEL\",\"set_logging_level\":{\"level\":1,\"duration\":"
               "{\"nanoseconds\":-5}}}",
               400, "The duration is negative");
    check_call("{\"type\":\"SET_LOGGING_LEVEL\",\"set_logging_level\":{\"level\":1,\"duration\":"
               "{\"nanoseconds\":60000000000}}}",
               200, "");
    json = read_both("{\"type\":\"GET_LOGGING_LEVEL\"}");
    ck_assert_double_eq(number_at(json, "get_logging_level.level"), 1);
    json_decref(json);
    place_pass(&s.p, MINUTES(2));
    json = read_both("{\"type\":\"GET_LOGGING_LEVEL\"}");
    ck_assert_double_eq(number_at(json, "get_logging_level.level"), 0);
    json_decref(json);
    scene_stop(&s);
}
END_TEST

START_TEST(the_endpoints_answer_jsonp)
{
    static const char *const paths[] = { "/state", "/flags", "/containers", "/monitor/statistics",
                                         "/monitor/statistics.json", "/files/debug" };
    struct scene s;

    scene_start(&s);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[60];
        struct reply a;

        snprintf(path, sizeof path, "/slave(1)%s?jsonp=cb", paths[i]);
        a = get(path);
        ck_assert_int_eq(a.status, 200);
        ck_assert_msg(strstr(a.head, "Content-Type: text/javascript\r\n") != NULL, "%s", path);
        ck_assert_msg(strncmp(a.body, "cb(", 3) == 0 && a.body[a.size - 1] == ')', "%s", a.body);
        reply_release(&a);
    }
    scene_stop(&s);
}
END_TEST

/* ---- files ---- */

#define LIST(path) "{\"type\":\"LIST_FILES\",\"list_files\":{\"path\":\"" path "\"}}"
#define READ(path, more) "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"" path "\"" more "}}"

static void check_read(const char *json, double size, const char *base64)
{
    json_t *answer = read_both(json);

    ck_assert_double_eq(number_at(answer, "read_file.size"), size);
    ck_assert_str_eq(text_at(answer, "read_file.data"), base64);
    json_decref(answer);
}

START_TEST(sandboxes_are_listed_and_read)
{
    struct scene s;
    struct reply a;
    json_t *json;
    char *path;

    scene_start(&s);
    a = get("/slave(1)/files/debug");
    json = json_of(&a);
    ck_assert_uint_eq(json_object_size(json), 2); /* the log and the sandbox */
    ck_assert_str_eq(json_string_value(json_object_get(json, "/slave/log")), "/log");
    json_object_del(json, "/slave/log");
    path = mem_printf("%s/out", json_string_value(json_object_iter_value(json_object_iter(json))));
    make_file(&s, path, "0123456789");
    mem_free(path);
    json_decref(json);
    json = read_both(LIST(RUNS));
    ck_assert_str_eq(text_at(json, "list_files.file_infos.0.path"), RUNS "/out");
    ck_assert_double_eq(number_at(json, "list_files.file_infos.0.size"), 10);
    ck_assert_double_eq(number_at(json, "list_files.file_infos.0.mode"), 0100644);
    json_decref(json);
    check_read(READ(RUNS "/out", ",\"offset\":4,\"length\":3"), 10, "NDU2");
    check_read(READ(RUNS "/out", ",\"offset\":8"), 10, "ODk=");
    check_read(READ(RUNS "/out", ",\"offset\":0,\"length\":0"), 10, "");
    check_read(READ(RUNS "/out", ",\"offset\":18446744073709551615"), 10, "");
    check_call(READ(RUNS, ",\"offset\":0"), 400, "Cannot read a directory.\n");
    check_call(READ(RUNS "/no", ",\"offset\":0"), 404, "");
    check_call(LIST(RUNS "/out"), 404, "");
    check_call(LIST(RUNS "/../.."), 404, "");
    check_call(LIST("/"), 404, "");
    scene_stop(&s);
}
END_TEST

START_TEST(the_log_is_read_under_its_virtual_path)
{
    struct scene s;

    scene_start(&s);
    check_call(READ("/slave/log", ",\"offset\":0"), 404, ""); /* nobody has written one yet */
    make_file(&s, "/log", "0123456789");
    check_read(READ("/slave/log", ",\"offset\":4,\"length\":3"), 10, "NDU2");
    check_reply(get("/slave(1)/files/read?path=/slave/log&offset=9"), 200,
                "{\"offset\":9,\"data\":\"9\"}");
    scene_stop(&s);
}
END_TEST

/* ---- containers ---- */

START_TEST(a_container_is_shown_with_what_it_uses)
{
    struct scene s;
    struct reply a;
    json_t *json;

    scene_start(&s);
    a = get("/slave(1)/containers");
    json = json_of(&a);
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert_str_eq(text_at(json, "0.executor_id"), "t");
    ck_assert_str_eq(text_at(json, "0.framework_id"), PLACE_FRAMEWORK);
    ck_assert_str_eq(text_at(json, "0.container_id"),
                     text_at(json, "0.status.container_id.value"));
    ck_assert_double_gt(number_at(json, "0.status.executor_pid"), 0);
    ck_assert_double_eq(number_at(json, "0.statistics.cpus_soft_limit"), 1);
    ck_assert_double_eq(number_at(json, "0.statistics.mem_limit_bytes"), 32 << 20);
    ck_assert_double_eq(number_at(json, "0.statistics.mem_rss_bytes"), 0); /* as it is simulated */
    ck_assert_ptr_nonnull(look(json, "0.statistics.timestamp"));
    json_decref(json);
    a = get("/slave(1)/monitor/statistics");
    json = json_of(&a);
    ck_assert_str_eq(text_at(json, "0.executor_id"), "t");
    ck_assert_ptr_null(look(json, "0.container_id"));
    ck_assert_ptr_nonnull(look(json, "0.statistics.cpus_user_time_secs"));
    json_decref(json);
    json = read_both("{\"type\":\"GET_CONTAINERS\",\"get_containers\":{\"show_nested\":true}}");
    ck_assert_str_eq(text_at(json, "get_containers.containers.0.executor_id.value"), "t");
    ck_assert_double_eq(
        number_at(json, "get_containers.containers.0.resource_statistics.cpus_soft_limit"), 1);
    json_decref(json);
    scene_stop(&s);
}
END_TEST

START_TEST(containers_can_be_asked_for_by_id)
{
    struct scene s;
    struct reply a;
    json_t *json;
    char path[200];

    scene_start(&s);
    a = get("/slave(1)/containers");
    json = json_of(&a);
    snprintf(path, sizeof path, "/slave(1)/containers?container_id=%s",
             text_at(json, "0.container_id"));
    json_decref(json);
    a = get(path);
    json = json_of(&a);
    ck_assert_uint_eq(json_array_size(json), 1);
    json_decref(json);
    check_reply(get("/slave(1)/containers?container_id=no"), 200, "[]");
    check_reply(get("/slave(1)/containers?framework_id=no"), 200, "[]");
    check_reply(get("/slave(1)/containers?framework_id=m-0001&executor_id=no"), 200, "[]");
    a = get("/slave(1)/containers?framework_id=m-0001&executor_id=t");
    json = json_of(&a);
    ck_assert_uint_eq(json_array_size(json), 1);
    json_decref(json);
    check_reply(get("/slave(1)/containers?executor_id=t"), 400, NULL);
    check_reply(get("/slave(1)/containers?container_id=c&framework_id=m-0001"), 400, NULL);
    check_reply(get("/slave(1)/containers?container_id=c&framework_id=f&executor_id=t"), 400, NULL);
    scene_stop(&s);
}
END_TEST

START_TEST(when_nothing_runs_there_are_no_containers)
{
    struct scene s;

    scene_start(&s);
    place_kill(&s.p, "t");
    place_await_state(&s.p, "t", PB__TASK_STATE__TASK_KILLED);
    place_pass(&s.p, MINUTES(1));
    check_reply(get("/slave(1)/containers"), 200, "[]");
    check_reply(get("/slave(1)/monitor/statistics"), 200, "[]");
    check_reply(call(JSON_TYPE, "{\"type\":\"GET_CONTAINERS\"}"), 200,
                "{\"type\":\"GET_CONTAINERS\"}");
    scene_stop(&s);
}
END_TEST

START_TEST(a_run_that_has_ended_is_no_container_though_its_end_is_not_acknowledged)
{
    struct scene s;

    scene_start(&s);
    place_acknowledge_all(&s.p, false);
    place_kill(&s.p, "t");
    place_await_state(&s.p, "t", PB__TASK_STATE__TASK_KILLED);
    place_pass(&s.p, SECONDS(5));
    check_reply(get("/slave(1)/containers"), 200, "[]");
    scene_stop(&s);
}
END_TEST

START_TEST(many_who_ask_at_once_are_all_answered)
{
    enum { MANY = 20 };
    struct browser *asked[MANY];
    struct scene s;

    scene_start(&s);
    for (int i = 0; i < MANY; i++)
        asked[i] = ask_begin("GET", i % 2 ? "/slave(1)/containers" : "/slave(1)/monitor/statistics",
                             NULL, NULL, "", 0);
    for (int i = 0; i < MANY; i++) {
        struct reply a = reply_read(asked[i]);
        json_t *json = json_of(&a);

        ck_assert_uint_eq(json_array_size(json), 1);
        json_decref(json);
    }
    scene_stop(&s);
}
END_TEST

START_TEST(who_asks_an_agent_that_is_killed_waits_in_vain)
{
    struct scene s;
    struct browser *b;

    scene_start(&s);
    for (int i = 0; i < 20; i++) {
        b = ask_begin("GET", "/slave(1)/containers", NULL, NULL, "", 0);
        place_pass(&s.p, NANOSECONDS(50000 * (i + 1)));
        place_kill_agent(&s.p);
        browser_close(b);
        ck_assert_int_eq(place_start_agent(&s.p, NULL), 0);
        rt = s.p.agent_rt;
        place_pass(&s.p, SECONDS(30));
    }
    scene_stop(&s);
}
END_TEST

/* ---- sums ---- */

#define MS(n) { (n) * 1000000 }

START_TEST(a_run_uses_what_all_use_that_came_of_it)
{
    static const struct host_process processes[] = {
        { 1, 0, 1, MS(1000), MS(1000), 1000 },  { 10, 1, 5, MS(1), MS(2), 100 },
        { 11, 10, 6, MS(10), MS(20), 200 },     { 12, 11, 7, MS(100), MS(200), 300 },
        { 20, 1, 8, MS(5), MS(5), 50 },         { 21, 99, 9, MS(7), MS(7), 70 },
        { 30, 31, 9, MS(7), MS(7), 70 },        { 31, 30, 9, MS(7), MS(7), 70 },
    };
    struct run_usage runs[] = {
        { .pid = 10, .start_time = 5 },
        { .pid = 20, .start_time = 7 }, /* its number belongs to another by now */
        { .pid = 0 },
    };

    run_usage_sum(processes, sizeof processes / sizeof *processes, runs, 3);
    ck_assert_uint_eq(runs[0].processes, 3);
    ck_assert_int_eq(runs[0].user.ns, 111000000);
    ck_assert_int_eq(runs[0].system.ns, 222000000);
    ck_assert_uint_eq(runs[0].resident_bytes, 600);
    ck_assert_uint_eq(runs[1].processes, 0);
    ck_assert_uint_eq(runs[2].processes, 0);
}
END_TEST

START_TEST(of_two_runs_the_nearer_one_counts)
{
    static const struct host_process processes[] = {
        { 12, 11, 7, MS(100), MS(200), 300 },
        { 11, 10, 6, MS(10), MS(20), 200 },
        { 10, 1, 5, MS(1), MS(2), 100 },
    };
    struct run_usage runs[] = { { .pid = 10, .start_time = 5 }, { .pid = 11, .start_time = 6 } };

    run_usage_sum(processes, 3, runs, 2);
    ck_assert_uint_eq(runs[0].processes, 1);
    ck_assert_uint_eq(runs[1].processes, 2);
    ck_assert_uint_eq(runs[1].resident_bytes, 500);
}
END_TEST

UNIT(agent_operator, what_is_no_call_is_refused_with_its_reason, streams_are_for_those_who_attach,
     what_is_still_to_come_is_refused_by_name, a_read_says_the_same_in_both_media,
     tasks_executors_and_the_agent_are_shown, metrics_and_the_logging_level_are_served,
     the_endpoints_answer_jsonp, sandboxes_are_listed_and_read,
     the_log_is_read_under_its_virtual_path, a_container_is_shown_with_what_it_uses,
     containers_can_be_asked_for_by_id, when_nothing_runs_there_are_no_containers,
     a_run_that_has_ended_is_no_container_though_its_end_is_not_acknowledged,
     many_who_ask_at_once_are_all_answered, who_asks_an_agent_that_is_killed_waits_in_vain,
     a_run_uses_what_all_use_that_came_of_it, of_two_runs_the_nearer_one_counts);
