/* test_master_http.c - the master's endpoints, asked what a real master was asked
 *
 * tests/data/http.json holds the questions and answers of a real Mesos: status, content type and
 * sentences must be the same, and JSON must have its keys with values of its types.
 */
#include <jansson.h>
#include <stdio.h>

#include "mesos/task_state.h"
#include "tests/master/master_place.h"
#include "tests/process/browser.h"
#include "tests/unit.h"

/* An agent, a scheduler, and a client that speaks HTTP. */
struct stage {
    struct place w;
    struct player *agent, *scheduler;
    const char *agent_id, *framework;
};

/* As join, but it says what it is capable of. */
static const char *join_capable(struct place *w, struct player *p)
{
    Pb__RegisterSlaveMessage msg = PB__REGISTER_SLAVE_MESSAGE__INIT;
    Pb__AgentInfo__Capability can = PB__AGENT_INFO__CAPABILITY__INIT, *all = &can;

    can.has_type = true;
    can.type = PB__AGENT_INFO__CAPABILITY__TYPE__MULTI_ROLE;
    msg.slave = make_agent_info(w, NULL);
    msg.version = "1.11.0";
    msg.n_agent_capabilities = 1;
    msg.agent_capabilities = &all;
    say(p, &msg.base);
    return EXPECT(w, p, pb__slave_registered_message, Pb__SlaveRegisteredMessage)->slave_id->value;
}

static void stage_start(struct stage *s)
{
    place_start(&s->w);
    s->agent = place_add(&s->w, "slave(1)", 5051);
    s->agent_id = join_capable(&s->w, s->agent);
    world = s->w.sim;
    rt = s->w.rt;
    runtime_set_delegate(rt, "master"); /* as main() does */
    client_node = sim_node_create(world, "client", 0x0a0000f0u);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
}

static void stage_subscribe(struct stage *s)
{
    s->scheduler = place_add(&s->w, "scheduler-1", 6000);
    s->framework = subscribe_new(&s->w, s->scheduler, true);
}

static void stage_stop(struct stage *s)
{
    host_loop_stop(client_loop);
    host_destroy(client_host);
    place_stop(&s->w);
}

/* Launched with half a core, and said to be in that state. */
static void stage_run(struct stage *s, const char *id, Pb__TaskState state)
{
    const Pb__Offer *offer = next_offer(&s->w, s->scheduler);
    Pb__TaskInfo *task = make_task(&s->w, id, s->agent_id, "cpus:0.5;mem:32");

    say_launch(&s->w, s->scheduler, s->framework, offer->id->value, 1, &task);
    EXPECT(&s->w, s->agent, pb__run_task_message, Pb__RunTaskMessage);
    say_update(&s->w, s->agent, s->framework, s->agent_id, id, state, state, 7);
    EXPECT(&s->w, s->scheduler, pb__status_update_message, Pb__StatusUpdateMessage);
}

/* ---- asking ---- */

struct answer {
    int status;
    char *head, *body;
};

static bool has_bytes(void *arg)
{
    struct browser_wish *w = arg;

    return buffer_length(&w->browser->got) >= w->size;
}

static struct answer ask_for(const char *request)
{
    struct browser *b = browser_open();
    struct answer a = { 0, NULL, NULL };
    struct browser_wish body = { b, NULL, 0 };
    const char *length;

    browser_say(b, request);
    a.head = browser_read(b, "\r\n\r\n");
    ck_assert_int_eq(sscanf(a.head, "HTTP/1.1 %d", &a.status), 1);
    length = strstr(a.head, "Content-Length: ");
    ck_assert_msg(length != NULL, "%s", a.head);
    body.size = strtoul(length + 16, NULL, 10);
    ck_assert(sim_run_until(world, has_bytes, &body, BROWSER_LIMIT));
    a.body = mem_strndup(buffer_data(&b->got), body.size);
    browser_close(b);
    return a;
}

static void answer_release(struct answer *a)
{
    mem_free(a->head);
    mem_free(a->body);
}

static struct answer get(const char *path)
{
    char request[300];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return ask_for(request);
}

static json_t *get_json(const char *path)
{
    struct answer a = get(path);
    json_t *json;

    ck_assert_int_eq(a.status, 200);
    json = json_loads(a.body, 0, NULL);
    ck_assert_msg(json != NULL, "%s", a.body);
    answer_release(&a);
    return json;
}

static struct answer post(const char *path, const char *type, const char *body)
{
    char request[1000];

    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
             path, type, strlen(body), body);
    return ask_for(request);
}

/* A number or text, by path: "tasks.0.id". */
static const json_t *at(const json_t *json, const char *path)
{
    char part[60];
    int n;

    while (*path) {
        ck_assert_int_eq(sscanf(path, "%59[^.]%n", part, &n), 1);
        json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        ck_assert_msg(json != NULL, "there is no %s", part);
        path += n + (path[n] == '.');
    }
    return json;
}

static void check_text(const json_t *json, const char *path, const char *text)
{
    ck_assert_str_eq(json_string_value(at(json, path)), text);
}

static void check_number(const json_t *json, const char *path, double number)
{
    ck_assert_double_eq(json_number_value(at(json, path)), number);
}

/* ---- what a real master said ---- */

static json_t *recordings_load(void)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    json_error_t error;
    json_t *all;

    snprintf(path, sizeof path, "%s/tests/data/http.json", srcdir ? srcdir : ".");
    all = json_load_file(path, 0, &error);
    ck_assert_msg(all != NULL, "%s: %s", path, error.text);
    return all;
}

/* What Mesos says of its build, of features that we have not, and of events that have not been. */
static bool is_excused(const char *key)
{
    static const char *const keys[] = { "reregistered_time", "unregistered_time",
                                        "offer_constraints", "container_status" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static bool is_same_kind(const json_t *a, const json_t *b)
{
    return json_typeof(a) == json_typeof(b) || (json_is_number(a) && json_is_number(b)) ||
           (json_is_boolean(a) && json_is_boolean(b));
}

static void check_shape(const char *where, json_t *golden, json_t *ours)
{
    const char *key;
    json_t *value;

    ck_assert_msg(is_same_kind(golden, ours), "%s is of another type", where);
    if (json_is_array(golden) && json_array_size(golden) > 0 && json_array_size(ours) > 0)
        check_shape(where, json_array_get(golden, 0), json_array_get(ours, 0));
    if (!json_is_object(golden) || strcmp(where, "flags") == 0)
        return;
    json_object_foreach (golden, key, value) {
        if (is_excused(key) || strncmp(key, "ports", 5) == 0 || strcmp(key, "ranges") == 0)
            continue;
        ck_assert_msg(json_object_get(ours, key) != NULL, "%s.%s is missing", where, key);
        check_shape(key, value, json_object_get(ours, key));
    }
}

static void check_recorded(json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_t *golden = json_object_get(entry, "answer");
    json_t *type = json_object_get(json_object_get(golden, "headers"), "content-type");
    json_t *body = json_object_get(golden, "body"), *ours;
    struct answer a = ask_for(json_string_value(json_object_get(entry, "request")));
    char wanted[100];

    ck_assert_msg(strncmp(json_string_value(json_object_get(golden, "status")), a.head,
                          strcspn(a.head, "\r")) == 0,
                  "%s: %s", name, a.head);
    if (type) {
        snprintf(wanted, sizeof wanted, "Content-Type: %s\r\n", json_string_value(type));
        ck_assert_msg(strstr(a.head, wanted) != NULL, "%s: %s", name, a.head);
    } else {
        ck_assert_msg(!strstr(a.head, "Content-Type"), "%s: %s", name, a.head);
    }
    if (json_is_string(body)) {
        if (!type || strncmp(json_string_value(type), "text/", 5) == 0)
            ck_assert_str_eq(a.body, json_string_value(body));
    } else {
        ours = json_loads(a.body, 0, NULL);
        ck_assert_msg(ours != NULL, "%s: %s", name, a.body);
        check_shape(name, body, ours);
        json_decref(ours);
    }
    answer_release(&a);
}

/* Those whose names begin so; how many there were. */
static size_t check_all_recorded(const char *prefix)
{
    json_t *all = recordings_load(), *entry;
    size_t i, n = 0;

    json_array_foreach (all, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));

        if (strncmp(name, prefix, strlen(prefix)) == 0 && !json_object_get(entry, "events")) {
            check_recorded(entry);
            n++;
        }
    }
    json_decref(all);
    return n;
}

START_TEST(a_cluster_without_frameworks_looks_as_a_real_one)
{
    static const char *const names[] = {
        "master GET /state",  "master GET /slaves", "master GET /frameworks",
        "master GET /tasks",  "master GET /roles",  "master GET /weights",
        "master GET /quota",  "master GET /health", "master GET /maintenance",
        "master GET /master", "master GET /flags",  "master GET /teardown",
        "tasks limit",        "POST /state",        "PUT /health",
    };
    struct stage s;

    stage_start(&s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *all = recordings_load(), *entry;
        size_t k, n = 0;

        json_array_foreach (all, k, entry) {
            const char *name = json_string_value(json_object_get(entry, "name"));

            if (strncmp(name, names[i], strlen(names[i])) == 0 && !strstr(name, "with")) {
                check_recorded(entry);
                n++;
            }
        }
        ck_assert_msg(n > 0, "%s was not recorded", names[i]);
        json_decref(all);
    }
    stage_stop(&s);
}
END_TEST

START_TEST(a_running_task_is_shown_as_a_real_master_shows_it)
{
    struct stage s;

    stage_start(&s);
    stage_subscribe(&s);
    stage_run(&s, "one", PB__TASK_STATE__TASK_RUNNING);
    ck_assert_uint_eq(check_all_recorded("master GET /tasks with tasks"), 1);
    stage_stop(&s);
}
END_TEST

START_TEST(the_operator_api_answers_and_refuses_as_a_real_master)
{
    struct stage s;

    stage_start(&s);
    ck_assert_uint_eq(check_all_recorded("master operator "), 20);
    ck_assert_uint_eq(check_all_recorded("operator "), 5);
    stage_stop(&s);
}
END_TEST

START_TEST(tasks_come_newest_first_and_a_page_at_a_time)
{
    struct stage s;
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    stage_run(&s, "one", PB__TASK_STATE__TASK_RUNNING);
    stage_run(&s, "two", PB__TASK_STATE__TASK_FINISHED);
    json = get_json("/tasks?limit=1&order=asc");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "tasks")), 1);
    check_text(json, "tasks.0.id", "one");
    json_decref(json);
    json = get_json("/tasks?task_id=two");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "tasks")), 1);
    check_text(json, "tasks.0.state", "TASK_FINISHED");
    json_decref(json);
    json = get_json("/tasks?offset=2");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "tasks")), 0);
    json_decref(json);
    json = get_json("/tasks?framework_id=nobody&limit=many");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "tasks")), 0);
    json_decref(json);
    stage_stop(&s);
}
END_TEST

START_TEST(the_summary_counts_tasks_where_they_are_and_whose)
{
    struct stage s;
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    stage_run(&s, "one", PB__TASK_STATE__TASK_RUNNING);
    stage_run(&s, "two", PB__TASK_STATE__TASK_FINISHED);
    json = get_json("/state-summary");
    check_number(json, "slaves.0.TASK_RUNNING", 1);
    check_number(json, "slaves.0.TASK_FINISHED", 1);
    check_number(json, "slaves.0.TASK_LOST", 0);
    check_text(json, "slaves.0.framework_ids.0", s.framework);
    check_number(json, "frameworks.0.TASK_RUNNING", 1);
    check_text(json, "frameworks.0.slave_ids.0", s.agent_id);
    ck_assert_uint_eq(json_array_size(at(json, "frameworks.0.slave_ids")), 1);
    json_decref(json);
    stage_stop(&s);
}
END_TEST

START_TEST(a_role_has_its_frameworks_and_what_they_hold)
{
    struct stage s;
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    stage_run(&s, "one", PB__TASK_STATE__TASK_RUNNING);
    json = get_json("/roles");
    check_text(json, "roles.0.name", "*");
    check_number(json, "roles.0.weight", 1);
    check_number(json, "roles.0.allocated.cpus", 0.5);
    check_number(json, "roles.0.quota.consumed.mem", 32);
    check_text(json, "roles.0.frameworks.0", s.framework);
    json_decref(json);
    stage_stop(&s);
}
END_TEST

START_TEST(one_agent_or_framework_can_be_asked_for)
{
    struct stage s;
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    json = get_json("/slaves?slave_id=nobody");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "slaves")), 0);
    json_decref(json);
    json = get_json("/frameworks?framework_id=nobody");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "frameworks")), 0);
    json_decref(json);
    json = get_json("/frameworks");
    check_text(json, "frameworks.0.id", s.framework);
    json_decref(json);
    stage_stop(&s);
}
END_TEST

/* The task's state, and of how many states there is a status. */
static void check_task(const char *state, size_t statuses)
{
    json_t *json = get_json("/state");

    check_text(json, "frameworks.0.tasks.0.state", state);
    ck_assert_uint_eq(json_array_size(at(json, "frameworks.0.tasks.0.statuses")), statuses);
    json_decref(json);
}

START_TEST(every_change_of_a_task_is_seen_by_the_next_who_asks)
{
    struct stage s;

    stage_start(&s);
    stage_subscribe(&s);
    stage_run(&s, "one", PB__TASK_STATE__TASK_STARTING);
    check_task("TASK_STARTING", 1);
    check_task("TASK_STARTING", 1);
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_RUNNING,
               PB__TASK_STATE__TASK_RUNNING, 8);
    EXPECT(&s.w, s.scheduler, pb__status_update_message, Pb__StatusUpdateMessage);
    check_task("TASK_RUNNING", 2);
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_FAILED,
               PB__TASK_STATE__TASK_FAILED, 9);
    EXPECT(&s.w, s.scheduler, pb__status_update_message, Pb__StatusUpdateMessage);
    check_task("TASK_FAILED", 3);
    stage_stop(&s);
}
END_TEST

START_TEST(a_long_state_is_whole)
{
    enum { TASKS = 300 };
    struct stage s;
    struct answer a;
    char id[20];
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    for (int i = 0; i < TASKS; i++) {
        snprintf(id, sizeof id, "task-%d", i);
        stage_run(&s, id, PB__TASK_STATE__TASK_FINISHED);
    }
    a = get("/state");
    ck_assert_uint_gt(strlen(a.body), 64 * 1024);
    answer_release(&a);
    json = get_json("/state");
    ck_assert_uint_eq(json_array_size(at(json, "frameworks.0.tasks")), TASKS);
    check_text(json, "frameworks.0.tasks.299.id", "task-299");
    json_decref(json);
    stage_stop(&s);
}
END_TEST

static void check_answer(struct answer a, int status, const char *body)
{
    ck_assert_int_eq(a.status, status);
    if (body)
        ck_assert_str_eq(a.body, body);
    answer_release(&a);
}

START_TEST(an_operator_tears_a_framework_down)
{
    struct stage s;
    char form[100], call[200];
    json_t *json;

    stage_start(&s);
    stage_subscribe(&s);
    check_answer(post("/teardown", "application/x-www-form-urlencoded", "frameworkId=nobody"), 400,
                 "No framework found with specified ID");
    check_answer(post("/teardown", "application/x-www-form-urlencoded", "a=b"), 400,
                 "Missing 'frameworkId' query parameter in the request body");
    snprintf(form, sizeof form, "frameworkId=%s", s.framework);
    check_answer(post("/master/teardown", "application/x-www-form-urlencoded", form), 200, "");
    json = get_json("/frameworks");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "frameworks")), 0);
    check_text(json, "completed_frameworks.0.id", s.framework);
    json_decref(json);
    snprintf(call, sizeof call,
             "{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"%s\"}}}",
             s.framework);
    check_answer(post("/api/v1", "application/json", call), 400,
                 "No framework found with specified ID");
    stage_stop(&s);
}
END_TEST

START_TEST(what_cannot_be_set_yet_is_not_implemented)
{
    struct stage s;

    stage_start(&s);
    check_answer(post("/weights", "application/json", "[]"), 501,
                 "mesos-lite cannot change weights yet");
    check_answer(post("/api/v1", "application/json", "{\"type\":\"UNKNOWN\"}"), 501, NULL);
    check_answer(post("/api/v1/nothing", "application/json", "{}"), 404, "404 Not Found.");
    check_answer(get("/redirect/state"), 404, "404 Not Found.");
    stage_stop(&s);
}
END_TEST

UNIT(master_http, a_cluster_without_frameworks_looks_as_a_real_one,
     a_running_task_is_shown_as_a_real_master_shows_it,
     the_operator_api_answers_and_refuses_as_a_real_master,
     tasks_come_newest_first_and_a_page_at_a_time,
     the_summary_counts_tasks_where_they_are_and_whose,
     a_role_has_its_frameworks_and_what_they_hold, one_agent_or_framework_can_be_asked_for,
     every_change_of_a_task_is_seen_by_the_next_who_asks, a_long_state_is_whole,
     an_operator_tears_a_framework_down, what_cannot_be_set_yet_is_not_implemented);
