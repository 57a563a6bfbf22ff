/* master_state.c - /state: agents, frameworks, their tasks (FACTS 6.7)
 *
 * Keys and value types are Mesos's, v0 names included: tools depend on them.
 */
#include "master/http/master_state.h"

#include <stdio.h>

#include "base/json_writer.h"
#include "master/master_private.h"
#include "master/master_version.h"
#include "mesos/attributes.h"
#include "mesos/framework_info.h"
#include "mesos/json_protobuf.h"
#include "mesos/task_state.h"

static void put_time(struct json_writer *w, const char *key, struct instant t)
{
    json_put_double(w, key, instant_seconds(t));
}

static void put_time_if_set(struct json_writer *w, const char *key, struct instant t)
{
    if (t.ns != 0)
        put_time(w, key, t);
}

static void put_resources(struct json_writer *w, const char *key, const struct resources *r)
{
    json_key(w, key);
    resources_write(r, w);
}

static void put_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);

    json_write_string(w, v ? v->name : "UNKNOWN");
}

/* ---- agents ---- */

static void write_agent_capabilities(struct json_writer *w, const struct agent_record *a)
{
    const ProtobufCMessage *msg = a->registration ? a->registration->body : NULL;
    Pb__AgentInfo__Capability **v = NULL;
    size_t n = 0;

    if (msg && msg->descriptor == &pb__register_slave_message__descriptor) {
        v = ((const Pb__RegisterSlaveMessage *)msg)->agent_capabilities;
        n = ((const Pb__RegisterSlaveMessage *)msg)->n_agent_capabilities;
    } else if (msg) {
        v = ((const Pb__ReregisterSlaveMessage *)msg)->agent_capabilities;
        n = ((const Pb__ReregisterSlaveMessage *)msg)->n_agent_capabilities;
    }
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        if (v[i]->has_type)
            put_enum(w, &pb__agent_info__capability__type__descriptor, v[i]->type);
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

static void write_agent(struct json_writer *w, const struct agent_record *a)
{
    const Pb__AgentInfo *info = (const Pb__AgentInfo *)a->info->body;
    struct resources unreserved = resources_unreserved(&a->total);

    json_begin_object(w);
    json_put_string(w, "id", agent_id_text(&a->id));
    json_put_string(w, "hostname", info->hostname);
    json_put_integer(w, "port", info->port);
    json_key(w, "attributes");
    attributes_write(info->attributes, info->n_attributes, w);
    json_put_string(w, "pid", a->pid_text->bytes);
    put_time(w, "registered_time", a->registered);
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
    json_end_object(w);
    resources_release(&unreserved);
}

static void write_recovered_agent(struct json_writer *w, const struct known_agent *k)
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
    json_protobuf_put(w, &status->base, "labels");
    json_protobuf_put(w, &status->base, "container_status");
    if (status->has_healthy)
        json_put_bool(w, "healthy", status->healthy);
    json_protobuf_put(w, &status->base, "check_status");
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

static void write_task(struct json_writer *w, const struct task_record *t)
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
    list_each(s, &t->statuses, struct task_status, link)
        write_status(w, (const Pb__TaskStatus *)s->status->body);
    json_end_array(w);
    if (task->user)
        json_put_string(w, "user", task->user);
    json_protobuf_put(w, &task->base, "labels");
    json_protobuf_put(w, &task->base, "discovery");
    json_protobuf_put(w, &task->base, "container");
    json_protobuf_put(w, &task->base, "health_check");
    json_end_object(w);
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
    json_protobuf_put(w, &info->base, "command");
    json_protobuf_put(w, &info->base, "container");
    json_protobuf_put(w, &info->base, "labels");
    json_protobuf_put(w, &info->base, "type");
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

static void write_framework_info(struct json_writer *w, const struct framework_record *f)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;

    json_put_string(w, "id", framework_id_text(&f->id));
    json_put_string(w, "name", info->name);
    if (!pid_is_empty(&f->pid)) {
        char pid[PID_TEXT];

        json_put_string(w, "pid", pid_text(&f->pid, pid, sizeof pid));
    }
    json_key(w, "capabilities");
    json_begin_array(w);
    for (size_t i = 0; i < info->n_capabilities; i++)
        put_enum(w, &pb__framework_info__capability__type__descriptor, info->capabilities[i]->type);
    json_end_array(w);
    json_put_string(w, "hostname", info->hostname ? info->hostname : "");
    json_put_string(w, "webui_url", info->webui_url ? info->webui_url : "");
    json_put_string(w, "user", info->user);
    json_put_double(w, "failover_timeout", info->failover_timeout);
    json_put_bool(w, "checkpoint", info->checkpoint);
    if (info->principal)
        json_put_string(w, "principal", info->principal);
    json_protobuf_put(w, &info->base, "labels");
    write_roles(w, info);
}

static void write_task_list(struct json_writer *w, const char *key, const struct list *tasks)
{
    json_key(w, key);
    json_begin_array(w);
    list_each(t, tasks, struct task_record, link)
        write_task(w, t);
    json_end_array(w);
}

static void write_framework_parts(struct json_writer *w, const struct framework_record *f)
{
    struct task_record *t, *next;

    json_key(w, "tasks");
    json_begin_array(w);
    HASH_ITER (hh, f->tasks, t, next)
        write_task(w, t);
    json_end_array(w);
    write_task_list(w, "unreachable_tasks", &f->unreachable_tasks);
    write_task_list(w, "completed_tasks", &f->completed_tasks);
    json_key(w, "offers");
    json_begin_array(w);
    list_each(o, &f->offers, struct offer, framework_link)
        write_offer(w, o);
    json_end_array(w);
    json_key(w, "executors");
    json_begin_array(w);
    list_each(e, &f->executors, struct executor_record, framework_link)
        write_executor(w, e);
    json_end_array(w);
}

static void write_framework(struct json_writer *w, const struct framework_record *f)
{
    struct resources offered = RESOURCES_INIT, all = resources_dup(&f->used);

    list_each(o, &f->offers, struct offer, framework_link)
        master_sum_add(&offered, &o->resources);
    resources_add(&all, &offered);
    json_begin_object(w);
    write_framework_info(w, f);
    put_resources(w, "used_resources", &f->used);
    put_resources(w, "offered_resources", &offered);
    put_resources(w, "resources", &all);
    json_put_bool(w, "active", f->active);
    json_put_bool(w, "connected", f->connected);
    json_put_bool(w, "recovered", f->recovered);
    put_time(w, "registered_time", f->registered);
    put_time(w, "unregistered_time", f->unregistered);
    put_time_if_set(w, "reregistered_time", f->reregistered);
    write_framework_parts(w, f);
    json_end_object(w);
    resources_release(&offered);
    resources_release(&all);
}

/* ---- the whole ---- */

static void write_counts(struct json_writer *w, const struct master *m)
{
    struct agent_record *a, *next_a;
    struct known_agent *k, *next_k;
    int64_t active = 0, inactive = 0, unreachable = 0;

    HASH_ITER (hh, m->agents, a, next_a)
        *(a->active ? &active : &inactive) += 1;
    HASH_ITER (hh, m->known, k, next_k)
        unreachable += k->state == REGISTRY_UNREACHABLE;
    json_put_integer(w, "activated_slaves", active);
    json_put_integer(w, "deactivated_slaves", inactive);
    json_put_integer(w, "unreachable_slaves", unreachable);
}

static void write_master(struct json_writer *w, const struct master *m)
{
    json_put_string(w, "version", MASTER_API_VERSION);
    put_time(w, "start_time", m->started);
    put_time(w, "elected_time", m->started);
    json_put_string(w, "id", m->id->bytes);
    json_put_string(w, "pid", m->info->pid);
    json_put_string(w, "hostname", m->hostname->bytes);
    json_key(w, "capabilities");
    json_begin_array(w);
    for (size_t i = 0; i < m->info->n_capabilities; i++)
        put_enum(w, &pb__master_info__capability__type__descriptor, m->info->capabilities[i]->type);
    json_end_array(w);
    if (m->options.cluster)
        json_put_string(w, "cluster", m->options.cluster);
    json_put_string(w, "leader", m->info->pid);
    json_key(w, "leader_info");
    json_begin_object(w);
    json_put_string(w, "id", m->id->bytes);
    json_put_string(w, "pid", m->info->pid);
    json_put_integer(w, "port", m->info->port);
    json_put_string(w, "hostname", m->hostname->bytes);
    json_end_object(w);
    json_key(w, "flags");
    master_state_write_flags(w, m);
}

static void write_agents(struct json_writer *w, const struct master *m)
{
    struct agent_record *a, *next_a;
    struct known_agent *k, *next_k;

    json_key(w, "slaves");
    json_begin_array(w);
    HASH_ITER (hh, m->agents, a, next_a)
        write_agent(w, a);
    json_end_array(w);
    json_key(w, "recovered_slaves");
    json_begin_array(w);
    HASH_ITER (hh, m->known, k, next_k)
        if (k->state == REGISTRY_ADMITTED)
            write_recovered_agent(w, k);
    json_end_array(w);
}

void master_state_write(struct json_writer *w, const struct master *m)
{
    static const char *const always_empty[] = { "orphan_tasks", "unregistered_frameworks" };
    struct framework_record *f, *next;

    json_begin_object(w);
    write_master(w, m);
    write_counts(w, m);
    write_agents(w, m);
    json_key(w, "frameworks");
    json_begin_array(w);
    HASH_ITER (hh, m->frameworks, f, next)
        write_framework(w, f);
    json_end_array(w);
    json_key(w, "completed_frameworks");
    json_begin_array(w);
    list_each(completed, &m->completed_frameworks, struct framework_record, link)
        write_framework(w, completed);
    json_end_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(always_empty); i++) {
        json_key(w, always_empty[i]);
        json_begin_array(w);
        json_end_array(w);
    }
    json_end_object(w);
}
