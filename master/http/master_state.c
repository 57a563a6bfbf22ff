/* master_state.c - /state, and its lists by themselves: /slaves, /frameworks
 *
 * As in Mesos they answer whatever the method.
 */
#include "master/http/master_state.h"

#include <string.h>

#include "base/flags.h"
#include "base/json_writer.h"
#include "master/http/json_answer.h"
#include "master/http/leading.h"
#include "master/http/master_json.h"
#include "master/http/master_resources.h"
#include "master/master_version.h"
#include "process/build_info.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/state", serve_state,                                                                      \
       "All that the master knows of agents, frameworks and tasks.\n"                              \
       "A JSON object. It is large in a large cluster: do not poll it often.",                     \
       MASTER_REALM_READONLY)                                                                      \
    AT("/slaves", serve_slaves,                                                                    \
       "The agents, with their resources in full.\n"                                               \
       "?slave_id= only this one.",                                                                \
       MASTER_REALM_READONLY)                                                                      \
    AT("/frameworks", serve_frameworks,                                                            \
       "The frameworks with their tasks, also those that have ended.\n"                            \
       "?framework_id= only this one.",                                                            \
       MASTER_REALM_READONLY)

LEADING_ROUTES(state_routes, ENDPOINTS);

void master_state_init(struct master *m)
{
    process_route(&m->process, state_routes);
}

void master_state_write_flags(struct json_writer *w, const struct master *m)
{
    CLEANUP(buffer_release) struct buffer value = BUFFER_INIT;

    json_begin_object(w);
    for (const struct flag *row = master_flags; row->name; row++) {
        buffer_clear(&value);
        if (flags_format(row, &m->options, &value))
            json_put_string(w, row->name, buffer_data(&value));
    }
    json_end_object(w);
}

/* No text wanted: any will do. */
static bool is_wanted(const char *wanted, const char *id)
{
    return !wanted || strcmp(wanted, id) == 0;
}

static void write_counts(struct json_writer *w, const struct master *m)
{
    struct agent_record *a, *next_a;
    struct known_agent *k, *next_k;
    int64_t active = 0, inactive = 0, unreachable = 0;

    HASH_ITER (hh, m->agents, a, next_a)
        *(a->active ? &active : &inactive) += 1;
    HASH_ITER (hh, m->known, k, next_k)
        unreachable += k->state == REGISTRY_UNREACHABLE;
    json_put_double(w, "activated_slaves", (double)active);
    json_put_double(w, "deactivated_slaves", (double)inactive);
    json_put_double(w, "unreachable_slaves", (double)unreachable);
}

static void write_master(struct json_writer *w, const struct master *m)
{
    json_put_string(w, "version", MASTER_API_VERSION);
    json_put_string(w, "build_date", BUILD_INFO_DATE);
    json_put_double(w, "build_time", BUILD_INFO_TIME);
    json_put_string(w, "build_user", BUILD_INFO_USER);
    master_json_put_time(w, "start_time", m->started);
    master_json_put_time(w, "elected_time", m->elected);
    json_put_string(w, "id", m->id->bytes);
    json_put_string(w, "pid", m->info->pid);
    json_put_string(w, "hostname", m->hostname->bytes);
    json_key(w, "capabilities");
    json_begin_array(w);
    for (size_t i = 0; i < m->info->n_capabilities; i++)
        master_json_enum(w, &pb__master_info__capability__type__descriptor,
                         m->info->capabilities[i]->type);
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

/* ---- lists ---- */

static void write_agent(struct json_writer *w, const struct agent_record *a, bool full)
{
    json_begin_object(w);
    master_json_agent_parts(w, a);
    if (full)
        master_resources_write_full(w, a);
    json_end_object(w);
}

static void write_agents(struct json_writer *w, const struct master *m, const char *wanted,
                         bool full)
{
    json_key(w, "slaves");
    json_begin_array(w);
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        if (is_wanted(wanted, agent_id_text(&a->id)))
            write_agent(w, a, full);
    json_end_array(w);
    json_key(w, "recovered_slaves");
    json_begin_array(w);
    for (struct known_agent *k = m->known; k; k = k->hh.next)
        if (k->state == REGISTRY_ADMITTED && is_wanted(wanted, agent_id_text(&k->id)))
            master_json_recovered_agent(w, k);
    json_end_array(w);
}

/* For who still asks for lists that Mesos has given up filling. */
static void write_nothing(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_begin_array(w);
    json_end_array(w);
}

static void write_frameworks(struct json_rope *rope, const struct master *m, const char *wanted)
{
    struct json_writer *w = &rope->writer;

    json_key(w, "frameworks");
    json_begin_array(w);
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        if (is_wanted(wanted, framework_id_text(&f->id)))
            master_json_framework(rope, f);
    json_end_array(w);
    json_key(w, "completed_frameworks");
    json_begin_array(w);
    list_each (f, &m->completed_frameworks, struct framework_record, link)
        if (is_wanted(wanted, framework_id_text(&f->id)))
            master_json_framework(rope, f);
    json_end_array(w);
    write_nothing(w, "unregistered_frameworks");
}

/* ---- the endpoints ---- */

static void serve_state(struct master *m, struct http_request *r)
{
    struct json_answer *a = json_answer_begin(r);
    struct json_writer *w = &a->rope.writer;

    json_begin_object(w);
    write_master(w, m);
    write_counts(w, m);
    write_agents(w, m, NULL, false);
    write_frameworks(&a->rope, m, NULL);
    write_nothing(w, "orphan_tasks");
    json_end_object(w);
    json_answer_send(m->runtime, a);
}

static void serve_slaves(struct master *m, struct http_request *r)
{
    struct json_answer *a = json_answer_begin(r);
    struct json_writer *w = &a->rope.writer;

    json_begin_object(w);
    write_agents(w, m, http_request_query(r, "slave_id"), true);
    json_end_object(w);
    json_answer_send(m->runtime, a);
}

static void serve_frameworks(struct master *m, struct http_request *r)
{
    struct json_answer *a = json_answer_begin(r);
    struct json_writer *w = &a->rope.writer;

    json_begin_object(w);
    write_frameworks(&a->rope, m, http_request_query(r, "framework_id"));
    json_end_object(w);
    json_answer_send(m->runtime, a);
}
