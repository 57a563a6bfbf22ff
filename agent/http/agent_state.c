/* agent_state.c - /state with Mesos's keys (FACTS 5.10), /flags, /health */
#include "agent/agent_private.h"
#include "agent/http/agent_operator.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "mesos/attributes.h"
#include "mesos/framework_info.h"
#include "mesos/mesos_json.h"
#include "mesos/task_state.h"
#include "process/build_info.h"
#include "process/host.h"
#include "process/runtime.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/state", serve_state, "The agent's state\n\nJSON: resources, frameworks, executors, "      \
                              "tasks, flags; also those that are completed.",                      \
       AGENT_REALM_READONLY)                                                                       \
    AT("/flags", serve_flags, "The agent's flags\n\nJSON: {\"flags\": {name: value}}.",            \
       AGENT_REALM_READONLY)                                                                       \
    AT("/health", serve_health, "Is the agent healthy?\n\n200 when it is.")
ROUTES(agent, state_routes, ENDPOINTS);

void agent_state_init(struct agent *a)
{
    process_route(&a->process, state_routes);
    agent_operator_init(a);
}

/* ---- resources ---- */

static void put_resources(struct json_writer *w, const char *key, const struct resources *r)
{
    json_key(w, key);
    resources_write(r, w);
}

static void put_full(struct json_writer *w, const char *key, const struct resources *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    size_t n;
    Pb__Resource **v = resources_to_protobuf(r, RESOURCE_PRE_REFINEMENT, &arena, &n);

    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        mesos_json_write(w, &v[i]->base);
    json_end_array(w);
}

static bool is_first_of_role(const struct resources *r, size_t i)
{
    if (!r->v[i].role)
        return false;
    for (size_t j = 0; j < i; j++)
        if (r->v[j].role && text_equal(r->v[j].role, r->v[i].role))
            return false;
    return true;
}

static void put_reserved(struct json_writer *w, const char *key, const struct resources *r,
                         bool full)
{
    json_key(w, key);
    json_begin_object(w);
    for (size_t i = 0; i < r->n; i++) {
        CLEANUP(resources_release) struct resources part = RESOURCES_INIT;

        if (!is_first_of_role(r, i))
            continue;
        part = resources_reserved_for(r, r->v[i].role->bytes);
        if (full)
            put_full(w, r->v[i].role->bytes, &part);
        else
            put_resources(w, r->v[i].role->bytes, &part);
    }
    json_end_object(w);
}

static void put_all_resources(struct json_writer *w, const struct agent *a)
{
    CLEANUP(resources_release) struct resources used = agent_used(a);
    CLEANUP(resources_release) struct resources free_total = resources_unreserved(&a->total);
    CLEANUP(resources_release) struct resources free_used = resources_unreserved(&used);

    put_resources(w, "resources", &a->total);
    put_reserved(w, "reserved_resources", &a->total, false);
    put_resources(w, "unreserved_resources", &free_total);
    put_reserved(w, "reserved_resources_full", &a->total, true);
    put_full(w, "unreserved_resources_full", &free_total);
    put_reserved(w, "reserved_resources_allocated", &used, false);
    put_resources(w, "unreserved_resources_allocated", &free_used);
}

/* ---- frameworks, executors, tasks ---- */

static void put_status(struct json_writer *w, const Pb__TaskStatus *s)
{
    json_begin_object(w);
    json_put_string(w, "state", task_state_name(s->state));
    json_put_double(w, "timestamp", s->timestamp);
    mesos_json_put(w, &s->base, "labels");
    mesos_json_put_container_status(w, s);
    if (s->has_healthy)
        json_put_bool(w, "healthy", s->healthy);
    json_end_object(w);
}

static const char *allocated_to(const struct resources *r)
{
    return r->n && r->v[0].allocation ? r->v[0].allocation->bytes : "*";
}

static void put_task(struct json_writer *w, const struct hosted_task *t)
{
    const Pb__TaskInfo *info = (const Pb__TaskInfo *)t->info->body;

    json_begin_object(w);
    json_put_string(w, "id", t->id.text->bytes);
    json_put_string(w, "name", info->name);
    json_put_string(w, "framework_id", t->executor->framework->id.text->bytes);
    json_put_string(w, "executor_id", t->executor->builtin ? "" : t->executor->id.text->bytes);
    json_put_string(w, "slave_id", info->agent_id->value);
    json_put_string(w, "state", task_state_name(t->state));
    put_resources(w, "resources", &t->resources);
    json_put_string(w, "role", allocated_to(&t->resources));
    json_key(w, "statuses");
    json_begin_array(w);
    list_each(s, &t->statuses, struct task_status, link)
        put_status(w, (const Pb__TaskStatus *)s->status->body);
    json_end_array(w);
    mesos_json_put(w, &info->base, "labels");
    mesos_json_put(w, &info->base, "discovery");
    mesos_json_put(w, &info->base, "container");
    mesos_json_put(w, &info->base, "health_check");
    json_end_object(w);
}

static void put_tasks(struct json_writer *w, const struct hosted_executor *e)
{
    json_key(w, "tasks");
    json_begin_array(w);
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (t->sent)
            put_task(w, t);
    json_end_array(w);
    json_key(w, "queued_tasks");
    json_begin_array(w);
    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        if (!t->sent)
            put_task(w, t);
    json_end_array(w);
    json_key(w, "completed_tasks");
    json_begin_array(w);
    list_each(t, &e->completed_tasks, struct hosted_task, link)
        put_task(w, t);
    json_end_array(w);
}

static void put_executor(struct json_writer *w, const struct hosted_executor *e)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;

    json_begin_object(w);
    json_put_string(w, "id", e->id.text->bytes);
    json_put_string(w, "name", info->name ? info->name : "");
    json_put_string(w, "source", info->source ? info->source : "");
    json_put_string(w, "container", e->container.text->bytes);
    json_put_string(w, "directory", e->sandbox);
    put_resources(w, "resources", &e->resources);
    json_put_string(w, "role", allocated_to(&e->resources));
    mesos_json_put(w, &info->base, "labels");
    if (info->has_type)
        mesos_json_put(w, &info->base, "type");
    put_tasks(w, e);
    json_end_object(w);
}

static void put_framework(struct json_writer *w, const struct hosted_framework *f)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;

    json_begin_object(w);
    json_put_string(w, "id", f->id.text->bytes);
    json_put_string(w, "name", info->name);
    json_put_string(w, "user", info->user);
    json_put_double(w, "failover_timeout",
                    duration_seconds(framework_info_failover_timeout(info)));
    json_put_bool(w, "checkpoint", info->has_checkpoint && info->checkpoint);
    json_put_string(w, "hostname", info->hostname ? info->hostname : "");
    if (info->principal)
        json_put_string(w, "principal", info->principal);
    if (framework_info_has(info, MULTI_ROLE)) {
        json_key(w, "roles");
        json_begin_array(w);
        for (size_t i = 0; i < framework_info_role_count(info); i++)
            json_write_string(w, framework_info_role(info, i));
        json_end_array(w);
    } else {
        json_put_string(w, "role", framework_info_role(info, 0));
    }
    json_key(w, "executors");
    json_begin_array(w);
    for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
        put_executor(w, e);
    json_end_array(w);
    json_key(w, "completed_executors");
    json_begin_array(w);
    list_each(e, &f->completed_executors, struct hosted_executor, link)
        put_executor(w, e);
    json_end_array(w);
    json_end_object(w);
}

/* ---- the endpoints ---- */

static void put_flags(struct json_writer *w, const struct agent *a)
{
    json_key(w, "flags");
    json_begin_object(w);
    for (const struct flag *row = agent_flags; row->name; row++) {
        CLEANUP(buffer_release) struct buffer value = BUFFER_INIT;

        if (flags_format(row, &a->options, &value))
            json_put_string(w, row->name, buffer_data(&value));
    }
    json_end_object(w);
}

static void put_identity(struct json_writer *w, const struct agent *a)
{
    static const char *const can[] = { "MULTI_ROLE", "HIERARCHICAL_ROLE",
                                       "RESERVATION_REFINEMENT" };
    char pid[PID_TEXT];

    json_put_string(w, "version", AGENT_API_VERSION);
    json_put_string(w, "build_date", BUILD_INFO_DATE);
    json_put_double(w, "build_time", BUILD_INFO_TIME);
    json_put_string(w, "build_user", BUILD_INFO_USER);
    json_put_double(w, "start_time", instant_seconds(a->started));
    json_put_string(w, "id", agent_id_text(&a->id));
    json_put_string(w, "pid", pid_text(&a->process.pid, pid, sizeof pid));
    json_put_string(w, "hostname", a->info->hostname);
    json_key(w, "capabilities");
    json_begin_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(can); i++)
        json_write_string(w, can[i]);
    json_end_array(w);
    json_key(w, "attributes");
    attributes_write(a->info->attributes, a->info->n_attributes, w);
    if (a->master_hostname)
        json_put_string(w, "master_hostname", a->master_hostname->bytes);
}

static void serve_state(struct agent *a, struct http_request *request)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    put_identity(&w, a);
    put_all_resources(&w, a);
    put_flags(&w, a);
    json_key(&w, "resource_providers");
    json_begin_array(&w);
    json_end_array(&w);
    json_key(&w, "frameworks");
    json_begin_array(&w);
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        put_framework(&w, f);
    json_end_array(&w);
    json_key(&w, "completed_frameworks");
    json_begin_array(&w);
    list_each(f, &a->completed_frameworks, struct hosted_framework, link)
        put_framework(&w, f);
    json_end_array(&w);
    json_end_object(&w);
    http_answer_json(request, &body);
}

static void serve_flags(struct agent *a, struct http_request *request)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    put_flags(&w, a);
    json_end_object(&w);
    http_answer_json(request, &body);
}

static void serve_health(struct agent *a UNUSED, struct http_request *request)
{
    http_answer(request, 200, NULL, "", 0);
}
