/* master_json.c - agents, frameworks and their tasks as JSON (FACTS 6.7)
 *
 * Keys and value types are Mesos's, v0 names included: tools depend on them.
 */
#include "master/http/master_json.h"

#include "base/json_rope.h"
#include "mesos/attributes.h"
#include "mesos/framework_info.h"
#include "mesos/mesos_json.h"
#include "mesos/task_state.h"

void master_json_put_time(struct json_writer *w, const char *key, struct instant t)
{
    json_put_double(w, key, instant_seconds(t));
}

static void put_time_if_set(struct json_writer *w, const char *key, struct instant t)
{
    if (t.ns != 0)
        master_json_put_time(w, key, t);
}

static void put_resources(struct json_writer *w, const char *key, const struct resources *r)
{
    json_key(w, key);
    resources_write(r, w);
}

void master_json_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);

    json_write_string(w, v ? v->name : "UNKNOWN");
}

/* ---- agents ---- */

Pb__AgentInfo__Capability **master_json_agent_capabilities(const struct agent_record *a,
                                                           size_t *ret_n)
{
    const ProtobufCMessage *msg = a->registration ? a->registration->body : NULL;

    *ret_n = 0;
    if (!msg)
        return NULL;
    if (msg->descriptor == &pb__register_slave_message__descriptor) {
        *ret_n = ((const Pb__RegisterSlaveMessage *)msg)->n_agent_capabilities;
        return ((const Pb__RegisterSlaveMessage *)msg)->agent_capabilities;
    }
    *ret_n = ((const Pb__ReregisterSlaveMessage *)msg)->n_agent_capabilities;
    return ((const Pb__ReregisterSlaveMessage *)msg)->agent_capabilities;
}

static void write_agent_capabilities(struct json_writer *w, const struct agent_record *a)
{
    size_t n;
    Pb__AgentInfo__Capability **v = master_json_agent_capabilities(a, &n);

    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        if (v[i]->has_type)
            master_json_enum(w, &pb__agent_info__capability__type__descriptor, v[i]->type);
    json_end_array(w);
}

/* The first resource that is reserved for its role: each role is written once. */
static bool begins_role(const struct resources *r, size_t i)
{
    if (!r->v[i].role)
        return false;
    for (size_t k = 0; k < i; k++)
        if (r->v[k].role && text_equal(r->v[k].role, r->v[i].role))
            return false;
    return true;
}

static void write_reserved(struct json_writer *w, const struct resources *total)
{
    json_begin_object(w);
    for (size_t i = 0; i < total->n; i++) {
        struct resources of_role;

        if (!begins_role(total, i))
            continue;
        of_role = resources_reserved_for(total, total->v[i].role->bytes);
        put_resources(w, total->v[i].role->bytes, &of_role);
        resources_release(&of_role);
    }
    json_end_object(w);
}

void master_json_agent_parts(struct json_writer *w, const struct agent_record *a)
{
    const Pb__AgentInfo *info = (const Pb__AgentInfo *)a->info->body;
    struct resources unreserved = resources_unreserved(&a->total);

    json_put_string(w, "id", agent_id_text(&a->id));
    json_put_string(w, "hostname", info->hostname);
    json_put_integer(w, "port", info->port);
    json_key(w, "attributes");
    attributes_write(info->attributes, info->n_attributes, w);
    json_put_string(w, "pid", a->pid_text->bytes);
    master_json_put_time(w, "registered_time", a->registered);
    put_time_if_set(w, "reregistered_time", a->reregistered);
    put_resources(w, "resources", &a->total);
    put_resources(w, "used_resources", &a->used);
    put_resources(w, "offered_resources", &a->offered);
    json_key(w, "reserved_resources");
    write_reserved(w, &a->total);
    put_resources(w, "unreserved_resources", &unreserved);
    json_put_bool(w, "active", a->active);
    json_put_bool(w, "deactivated", false);
    json_put_string(w, "version", a->version->bytes);
    json_key(w, "capabilities");
    write_agent_capabilities(w, a);
    resources_release(&unreserved);
}

void master_json_recovered_agent(struct json_writer *w, const struct known_agent *k)
{
    const Pb__AgentInfo *info = k->info ? (const Pb__AgentInfo *)k->info->body : NULL;

    json_begin_object(w);
    json_put_string(w, "id", agent_id_text(&k->id));
    if (info) {
        json_put_string(w, "hostname", info->hostname);
        json_put_integer(w, "port", info->port);
        json_key(w, "attributes");
        attributes_write(info->attributes, info->n_attributes, w);
    }
    json_end_object(w);
}

/* ---- tasks and executors ---- */

static void write_status(struct json_writer *w, const Pb__TaskStatus *status)
{
    json_begin_object(w);
    json_put_string(w, "state", task_state_name(status->state));
    json_put_double(w, "timestamp", status->timestamp);
    mesos_json_put(w, &status->base, "labels");
    mesos_json_put_container_status(w, status);
    if (status->has_healthy)
        json_put_bool(w, "healthy", status->healthy);
    mesos_json_put(w, &status->base, "check_status");
    json_end_object(w);
}

static const char *role_of(const struct task_record *t)
{
    const Pb__Task *task = (const Pb__Task *)t->info->body;

    if (task->n_resources > 0 && task->resources[0]->allocation_info &&
        task->resources[0]->allocation_info->role)
        return task->resources[0]->allocation_info->role;
    return t->framework->role->bytes;
}

void master_json_task(struct json_writer *w, const struct task_record *t)
{
    const Pb__Task *task = (const Pb__Task *)t->info->body;

    json_begin_object(w);
    json_put_string(w, "id", task_id_text(&t->id));
    json_put_string(w, "name", task->name);
    json_put_string(w, "framework_id", framework_id_text(&t->framework->id));
    json_put_string(w, "executor_id", executor_id_text(&t->executor_id));
    json_put_string(w, "slave_id", agent_id_text(&t->agent_id));
    json_put_string(w, "state", task_state_name(t->state));
    put_resources(w, "resources", &t->resources);
    json_put_string(w, "role", role_of(t));
    json_key(w, "statuses");
    json_begin_array(w);
    list_each (s, &t->statuses, struct task_status, link)
        write_status(w, (const Pb__TaskStatus *)s->status->body);
    json_end_array(w);
    if (task->user)
        json_put_string(w, "user", task->user);
    mesos_json_put(w, &task->base, "labels");
    mesos_json_put(w, &task->base, "discovery");
    mesos_json_put(w, &task->base, "container");
    mesos_json_put(w, &task->base, "health_check");
    json_end_object(w);
}

/* Written once for each change, however often it is asked for. */
static void splice_task(struct json_rope *rope, struct task_record *t)
{
    if (!t->json) {
        CLEANUP(buffer_release) struct buffer json = BUFFER_INIT;
        struct json_writer w;

        json_writer_init(&w, &json);
        master_json_task(&w, t);
        t->json = json_rope_piece_create(&json);
    }
    json_rope_splice(rope, t->json);
}

static void write_executor(struct json_writer *w, const struct executor_record *e)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;

    json_begin_object(w);
    json_put_string(w, "executor_id", executor_id_text(&e->id));
    json_put_string(w, "name", info->name ? info->name : "");
    json_put_string(w, "framework_id", framework_id_text(&e->framework->id));
    json_put_string(w, "slave_id", agent_id_text(&e->agent->id));
    put_resources(w, "resources", &e->resources);
    mesos_json_put(w, &info->base, "command");
    mesos_json_put(w, &info->base, "container");
    mesos_json_put(w, &info->base, "labels");
    mesos_json_put(w, &info->base, "type");
    json_put_string(w, "source", info->source ? info->source : "");
    json_end_object(w);
}

/* ---- frameworks ---- */

static void write_offer(struct json_writer *w, const struct offer *o)
{
    json_begin_object(w);
    json_put_string(w, "id", offer_id_text(&o->id));
    json_put_string(w, "framework_id", framework_id_text(&o->framework->id));
    json_put_string(w, "slave_id", agent_id_text(&o->agent->id));
    json_key(w, "allocation_info");
    json_begin_object(w);
    json_put_string(w, "role", o->role->bytes);
    json_end_object(w);
    put_resources(w, "resources", &o->resources);
    json_end_object(w);
}

struct resources master_json_offered(const struct list *offers_of_framework)
{
    struct resources sum = RESOURCES_INIT;

    list_each (o, offers_of_framework, struct offer, framework_link)
        master_sum_add(&sum, &o->resources);
    return sum;
}

static void write_roles(struct json_writer *w, const Pb__FrameworkInfo *info)
{
    if (!framework_info_has(info, MULTI_ROLE)) {
        json_put_string(w, "role", framework_info_role(info, 0));
        return;
    }
    json_key(w, "roles");
    json_begin_array(w);
    for (size_t i = 0; i < framework_info_role_count(info); i++)
        json_write_string(w, framework_info_role(info, i));
    json_end_array(w);
}

void master_json_framework_summary(struct json_writer *w, const struct framework_record *f)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;
    struct resources offered = master_json_offered(&f->offers);
    char pid[PID_TEXT];

    json_put_string(w, "id", framework_id_text(&f->id));
    json_put_string(w, "name", info->name);
    if (!pid_is_empty(&f->pid))
        json_put_string(w, "pid", pid_text(&f->pid, pid, sizeof pid));
    put_resources(w, "used_resources", &f->used);
    put_resources(w, "offered_resources", &offered);
    json_key(w, "capabilities");
    json_begin_array(w);
    for (size_t i = 0; i < info->n_capabilities; i++)
        master_json_enum(w, &pb__framework_info__capability__type__descriptor,
                         info->capabilities[i]->type);
    json_end_array(w);
    json_put_string(w, "hostname", info->hostname ? info->hostname : "");
    json_put_string(w, "webui_url", info->webui_url ? info->webui_url : "");
    json_put_bool(w, "active", f->active);
    json_put_bool(w, "connected", f->connected);
    json_put_bool(w, "recovered", f->recovered);
    resources_release(&offered);
}

/* What the summary does not say. */
static void write_framework_rest(struct json_writer *w, const struct framework_record *f)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;
    struct resources all = master_json_offered(&f->offers);

    resources_add(&all, &f->used);
    json_put_string(w, "user", info->user);
    json_put_double(w, "failover_timeout", info->failover_timeout);
    json_put_bool(w, "checkpoint", info->checkpoint);
    json_key(w, "offer_constraints"); /* none are in force: offers are not filtered by them */
    json_begin_object(w);
    json_end_object(w);
    master_json_put_time(w, "registered_time", f->registered);
    master_json_put_time(w, "unregistered_time", f->unregistered);
    put_time_if_set(w, "reregistered_time", f->reregistered);
    if (info->principal)
        json_put_string(w, "principal", info->principal);
    put_resources(w, "resources", &all);
    write_roles(w, info);
    mesos_json_put(w, &info->base, "labels");
    resources_release(&all);
}

static void write_task_list(struct json_rope *rope, const char *key, const struct list *tasks)
{
    json_key(&rope->writer, key);
    json_begin_array(&rope->writer);
    list_each (t, tasks, struct task_record, link)
        splice_task(rope, t);
    json_end_array(&rope->writer);
}

static void write_framework_lists(struct json_rope *rope, const struct framework_record *f)
{
    struct json_writer *w = &rope->writer;
    struct task_record *t, *next;

    json_key(w, "tasks");
    json_begin_array(w);
    HASH_ITER (hh, f->tasks, t, next)
        splice_task(rope, t);
    json_end_array(w);
    write_task_list(rope, "unreachable_tasks", &f->unreachable_tasks);
    write_task_list(rope, "completed_tasks", &f->completed_tasks);
    json_key(w, "offers");
    json_begin_array(w);
    list_each (o, &f->offers, struct offer, framework_link)
        write_offer(w, o);
    json_end_array(w);
    json_key(w, "executors");
    json_begin_array(w);
    list_each (e, &f->executors, struct executor_record, framework_link)
        write_executor(w, e);
    json_end_array(w);
}

void master_json_framework(struct json_rope *rope, const struct framework_record *f)
{
    struct json_writer *w = &rope->writer;

    json_begin_object(w);
    master_json_framework_summary(w, f);
    write_framework_rest(w, f);
    write_framework_lists(rope, f);
    json_end_object(w);
}
