/* test_operator_events.c - what an operator hears of a cluster is what happens in it
 *
 * Random work, random faults, agents that are marked gone.  Two followers of the event stream,
 * one in JSON, one in protobuf, replay the events over the state that their stream began with.
 * Each event must be a change; and at the end, when nothing happens any more, what was
 * replayed must be what GET_STATE says.  A follower whose master goes away subscribes to the
 * next one.
 */
#include <stdio.h>

#include "cluster.h"
#include "faults.h"
#include "mesos/task_state.h"
#include "properties.h"
#include "tests/master/operator_client.h"
#include "tests/unit.h"

enum { SEEDS = 60, AGENTS = 3, FRAMEWORKS = 3, ROUNDS = 40 };

/* ---- the replayed state ---- */

struct model {
    json_t *agents;     /* id: true when it is here, false when it has not come back yet */
    json_t *frameworks; /* id: what was told of it */
    json_t *tasks;      /* framework/task/agent: [state, state of its last status] */
};

static void model_clear(struct model *m)
{
    json_decref(m->agents);
    json_decref(m->frameworks);
    json_decref(m->tasks);
    *m = (struct model){ NULL, NULL, NULL };
}

static void task_key(const json_t *task, char key[400])
{
    snprintf(key, 400, "%s/%s/%s", text_at(task, "framework_id.value"),
             text_at(task, "task_id.value"), text_at(task, "agent_id.value"));
}

static void put_task(struct model *m, const json_t *task)
{
    const json_t *statuses = look(task, "statuses");
    size_t n = json_array_size(statuses);
    char key[400];

    task_key(task, key);
    json_object_set_new(m->tasks, key,
                        json_pack("[ss]", text_at(task, "state"),
                                  n ? text_at(json_array_get(statuses, n - 1), "state") : ""));
}

/* What changes without an event is left out: offers and resources. */
static void put_framework(struct model *m, const json_t *framework)
{
    json_t *kept = json_object();
    static const char *const keys[] = { "active", "connected", "recovered", "registered_time",
                                        "reregistered_time", "framework_info" };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(kept, keys[i], json_object_get(framework, keys[i]));
    json_object_set_new(m->frameworks, text_at(framework, "framework_info.id.value"), kept);
}

static void model_begin(struct model *m, const json_t *state)
{
    static const char *const lists[] = { "get_tasks.completed_tasks", "get_tasks.unreachable_tasks",
                                         "get_tasks.tasks" };
    json_t *one;
    size_t i;

    model_clear(m);
    m->agents = json_object();
    m->frameworks = json_object();
    m->tasks = json_object();
    json_array_foreach (look(state, "get_agents.agents"), i, one)
        json_object_set_new(m->agents, text_at(one, "agent_info.id.value"), json_true());
    json_array_foreach (look(state, "get_agents.recovered_agents"), i, one)
        json_object_set_new(m->agents, text_at(one, "id.value"), json_false());
    json_array_foreach (look(state, "get_frameworks.frameworks"), i, one)
        put_framework(m, one);
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        json_array_foreach (look(state, lists[k]), i, one)
            put_task(m, one);
}

static bool is_over(const char *state)
{
    return strcmp(state, "TASK_UNREACHABLE") == 0 || strcmp(state, "TASK_FINISHED") == 0 ||
           strcmp(state, "TASK_FAILED") == 0 || strcmp(state, "TASK_KILLED") == 0 ||
           strcmp(state, "TASK_LOST") == 0 || strcmp(state, "TASK_GONE") == 0 ||
           strcmp(state, "TASK_GONE_BY_OPERATOR") == 0 || strcmp(state, "TASK_DROPPED") == 0 ||
           strcmp(state, "TASK_ERROR") == 0;
}

/* New, or back with an agent that was away. */
static void replay_task_added(struct model *m, const json_t *event)
{
    const json_t *task = look(event, "task_added.task"), *known;
    char key[400];

    task_key(task, key);
    known = json_object_get(m->tasks, key);
    ck_assert_msg(!known || is_over(text_at(known, "0")), "%s added in %s", key,
                  known ? text_at(known, "0") : "");
    put_task(m, task);
}

static void replay_task_updated(struct model *m, const json_t *event)
{
    const json_t *known;
    char key[400];

    snprintf(key, sizeof key, "%s/%s/%s", text_at(event, "task_updated.framework_id.value"),
             text_at(event, "task_updated.status.task_id.value"),
             text_at(event, "task_updated.status.agent_id.value"));
    known = json_object_get(m->tasks, key);
    ck_assert_msg(known != NULL, "%s is updated, but was never there", key);
    ck_assert_msg(strcmp(text_at(known, "0"), text_at(event, "task_updated.state")) != 0 ||
                      strcmp(text_at(known, "1"), text_at(event, "task_updated.status.state")) != 0,
                  "%s is updated, but nothing changes: %s", key, text_at(known, "0"));
    json_object_set_new(m->tasks, key,
                        json_pack("[ss]", text_at(event, "task_updated.state"),
                                  text_at(event, "task_updated.status.state")));
}

static void replay_framework(struct model *m, const json_t *framework, bool added)
{
    const char *id = text_at(framework, "framework_info.id.value");

    ck_assert_msg(!json_object_get(m->frameworks, id) == added, "framework %s", id);
    put_framework(m, framework); /* subscribed twice in one instant it may be the same */
}

static void replay(struct model *m, const json_t *event)
{
    const char *type = text_at(event, "type"), *id;

    if (strcmp(type, "SUBSCRIBED") == 0) {
        model_begin(m, look(event, "subscribed.get_state"));
    } else if (strcmp(type, "TASK_ADDED") == 0) {
        replay_task_added(m, event);
    } else if (strcmp(type, "TASK_UPDATED") == 0) {
        replay_task_updated(m, event);
    } else if (strcmp(type, "AGENT_ADDED") == 0) {
        id = text_at(event, "agent_added.agent.agent_info.id.value");
        ck_assert_msg(!json_is_true(json_object_get(m->agents, id)), "agent %s added again", id);
        json_object_set_new(m->agents, id, json_true());
    } else if (strcmp(type, "AGENT_REMOVED") == 0) {
        ck_assert_int_eq(json_object_del(m->agents, text_at(event, "agent_removed.agent_id.value")),
                         0);
    } else if (strcmp(type, "FRAMEWORK_ADDED") == 0) {
        replay_framework(m, look(event, "framework_added.framework"), true);
    } else if (strcmp(type, "FRAMEWORK_UPDATED") == 0) {
        replay_framework(m, look(event, "framework_updated.framework"), false);
    } else if (strcmp(type, "FRAMEWORK_REMOVED") == 0) {
        id = text_at(event, "framework_removed.framework_info.id.value");
        ck_assert_int_eq(json_object_del(m->frameworks, id), 0);
    } else {
        ck_assert_str_eq(type, "HEARTBEAT");
    }
}

/* ---- one who follows and replays ---- */

struct observer {
    const char *media;
    struct follower f;
    struct model model;
    bool open, begun;
    struct instant heard; /* when the last event came */
    uint64_t events, streams;
};

static void observer_close(struct observer *o)
{
    if (o->open)
        follower_end(&o->f);
    o->open = o->begun = false;
}

static bool has_head(struct observer *o)
{
    struct buffer *got = &o->f.browser->got;
    char *end = memmem(buffer_data(got), buffer_length(got), "\r\n\r\n", 4);

    if (!end || strncmp(buffer_data(got), "HTTP/1.1 200", 12) != 0)
        return false;
    buffer_consume(got, (size_t)(end - buffer_data(got)) + 4);
    return true;
}

/* Without a HEARTBEAT for so long a client gives its connection up. */
static bool is_silent(const struct observer *o, const struct cluster *c)
{
    return instant_before(instant_add(o->heard, MINUTES(3)), sim_now(c->sim));
}

/* What has come by now; a stream that has ended, or was refused, is begun anew. */
static void observer_look(struct observer *o, struct cluster *c)
{
    if (o->open && !o->begun)
        o->begun = has_head(o);
    while (o->begun && take_chunk(&o->f)) {
        replay(&o->model, o->f.event);
        o->events++;
        o->heard = sim_now(c->sim);
    }
    if (o->open && (o->f.browser->ended || o->f.browser->broken || is_silent(o, c) ||
                    (!o->begun && buffer_length(&o->f.browser->got) > 0)))
        observer_close(o);
    if (!o->open && c->master.rt) {
        rt = c->master.rt;
        follower_open(&o->f, o->media);
        o->open = true;
        o->heard = sim_now(c->sim);
        o->streams++;
    }
}

/* ---- one world ---- */

struct run {
    struct cluster *c;
    struct faults *faults;
    struct observer observers[2];
    unsigned gone;
};

static void pass(struct run *r, struct duration d)
{
    cluster_run(r->c, d);
    for (int i = 0; i < 2; i++)
        observer_look(&r->observers[i], r->c);
}

static void add_work(struct run *r)
{
    struct sim *s = r->c->sim;
    struct work *w = r->c->frameworks[sim_random_below(s, FRAMEWORKS)].work;
    char command[64];
    struct work_task *t;

    snprintf(command, sizeof command, "sleep %u.%u; exit %u",
             (unsigned)sim_random_below(s, sim_random_below(s, 3) ? 10 : 120),
             (unsigned)sim_random_below(s, 10),
             sim_random_below(s, 4) ? 0 : (unsigned)sim_random_below(s, 3));
    t = work_add(w, command, 0.1 * (double)(1 + sim_random_below(s, 10)), 64);
    t->custom = sim_random_below(s, 6) == 0;
    if (sim_random_below(s, 6) == 0)
        work_kill(t);
}

/* One that the first observer knows. */
static void mark_an_agent_gone(struct run *r)
{
    struct observer *o = &r->observers[0];
    size_t n = json_object_size(o->model.agents);
    void *at = n ? json_object_iter(o->model.agents) : NULL;
    struct browser *b;
    char json[300];

    if (!at || !r->c->master.rt)
        return;
    for (uint64_t i = sim_random_below(r->c->sim, n); i > 0; i--)
        at = json_object_iter_next(o->model.agents, at);
    snprintf(json, sizeof json,
             "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":"
             "{\"value\":\"%s\"}}}",
             json_object_iter_key(at));
    rt = r->c->master.rt;
    b = ask_begin("POST", OPERATOR_API, JSON_TYPE, NULL, json, strlen(json));
    pass(r, SECONDS(1));
    browser_close(b);
    r->gone++;
}

static void busy_time(struct run *r)
{
    struct sim *s = r->c->sim;

    for (int i = 0; i < ROUNDS; i++) {
        pass(r, NANOSECONDS(1 + (int64_t)sim_random_below(s, 8000000000)));
        for (uint64_t n = sim_random_below(s, 3); n > 0; n--)
            add_work(r);
        faults_tick(r->faults);
        if (sim_random_below(s, 6) == 0)
            faults_begin(r->faults, (enum fault_kind)sim_random_below(s, FAULT_KIND_COUNT));
        if (sim_random_below(s, 20) == 0)
            mark_an_agent_gone(r);
        if (sim_random_below(s, 40) == 0)
            work_teardown(r->c->frameworks[sim_random_below(s, FRAMEWORKS)].work);
    }
}

static void calm_time(struct run *r)
{
    faults_stop(r->faults);
    for (int i = 0; i < 60; i++)
        pass(r, MINUTES(1));
}

static void check_same(const char *what, const json_t *replayed, const json_t *now)
{
    char *a, *b;

    if (json_equal(replayed, now))
        return;
    a = json_dumps(replayed, JSON_INDENT(1) | JSON_SORT_KEYS);
    b = json_dumps(now, JSON_INDENT(1) | JSON_SORT_KEYS);
    ck_abort_msg("%s: replayed %s\nbut there are %s", what, a, b);
}

static void check_replayed(struct run *r)
{
    struct model now = { NULL, NULL, NULL };
    struct reply a;
    json_t *state;

    rt = r->c->master.rt;
    a = call_as(&pb_master__call__descriptor, JSON_TYPE, "{\"type\":\"GET_STATE\"}");
    state = json_of(&a);
    model_begin(&now, look(state, "get_state"));
    for (int i = 0; i < 2; i++) {
        struct observer *o = &r->observers[i];

        observer_look(o, r->c);
        check_same("agents", o->model.agents, now.agents);
        check_same("frameworks", o->model.frameworks, now.frameworks);
        check_same("tasks", o->model.tasks, now.tasks);
    }
    model_clear(&now);
    json_decref(state);
}

static void run_seed(uint64_t seed, uint64_t ret_sum[3])
{
    struct cluster_options options = { .seed = seed, .agents = AGENTS, .frameworks = FRAMEWORKS,
                                       .failover_timeout = 120 };
    struct run r = { .observers = { { .media = JSON_TYPE }, { .media = PROTOBUF_TYPE } } };

    r.c = cluster_create(&options);
    r.faults = faults_create(r.c);
    client_start(r.c->sim, r.c->master.rt);
    busy_time(&r);
    calm_time(&r);
    check_replayed(&r);
    if (r.gone == 0)
        ck_assert_msg(!r.c->ledger->violation[0], "%s", r.c->ledger->violation);
    for (int i = 0; i < 2; i++) {
        ret_sum[0] += r.observers[i].events;
        ret_sum[1] += r.observers[i].streams;
        observer_close(&r.observers[i]);
        model_clear(&r.observers[i].model);
    }
    ret_sum[2] += r.gone;
    client_stop();
    faults_destroy(r.faults);
    cluster_destroy(r.c);
}

START_TEST(replayed_events_are_the_state)
{
    uint64_t sum[3] = { 0, 0, 0 };

    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, sum);
    /* The worlds were no idle ones. */
    ck_assert_uint_gt(sum[0], 100 * SEEDS);
    ck_assert_uint_gt(sum[1], 2 * SEEDS);
    ck_assert_uint_gt(sum[2], SEEDS / 2);
}
END_TEST

UNIT(operator_events, replayed_events_are_the_state);
