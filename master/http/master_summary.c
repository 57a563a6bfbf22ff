/* master_summary.c - /state-summary: how many tasks are in which state, where and of whom
 *
 * One walk over all tasks fills a tally for each agent and for each framework.
 */
#include <uthash.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "master/http/leading.h"
#include "master/http/master_json.h"
#include "master/http/master_state.h"
#include "mesos/task_state.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/state-summary", serve_summary,                                                            \
       "Agents and frameworks, with their tasks counted by state.\n"                               \
       "Much smaller than /state.",                                                                \
       MASTER_REALM_READONLY)

LEADING_ROUTES(summary_routes, ENDPOINTS);

void master_summary_init(struct master *m)
{
    process_route(&m->process, summary_routes);
}

/* Those that are counted; in the order of Mesos. */
static const Pb__TaskState counted[] = {
    PB__TASK_STATE__TASK_STAGING,  PB__TASK_STATE__TASK_STARTING, PB__TASK_STATE__TASK_RUNNING,
    PB__TASK_STATE__TASK_KILLING,  PB__TASK_STATE__TASK_FINISHED, PB__TASK_STATE__TASK_KILLED,
    PB__TASK_STATE__TASK_FAILED,   PB__TASK_STATE__TASK_LOST,     PB__TASK_STATE__TASK_ERROR,
    PB__TASK_STATE__TASK_UNREACHABLE,
};

struct other {
    const char *id;
    struct other *next;
};

/* Of an agent or a framework; in the arena. */
struct tally {
    const char *id;
    int64_t of[ARRAY_SIZE(counted)];
    struct other *others;        /* frameworks of an agent, agents of a framework */
    struct other **end;
    const struct tally *latest;  /* of an agent: the framework that it was listed with last */
    UT_hash_handle hh;           /* in agents or frameworks of the summary */
};

struct summary {
    struct arena arena;
    struct tally *agents, *frameworks;
};

static struct tally *tally_create(struct summary *s, const char *id)
{
    struct tally *t = arena_zalloc(&s->arena, sizeof *t);

    t->id = id;
    t->end = &t->others;
    return t;
}

static void tally_list(struct summary *s, struct tally *t, const char *id)
{
    struct other *o = arena_zalloc(&s->arena, sizeof *o);

    o->id = id;
    *t->end = o;
    t->end = &o->next;
}

static void tally_count(struct tally *t, Pb__TaskState state)
{
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
        t->of[i] += counted[i] == state;
}

static void count_task(struct summary *s, struct tally *framework, const struct task_record *t)
{
    const char *id = agent_id_text(&t->agent_id);
    struct tally *agent;

    HASH_FIND_STR(s->agents, id, agent);
    if (!agent) {
        agent = tally_create(s, id);
        HASH_ADD_KEYPTR(hh, s->agents, agent->id, strlen(agent->id), agent);
    }
    if (agent->latest != framework) {
        agent->latest = framework;
        tally_list(s, agent, framework->id);
        tally_list(s, framework, id);
    }
    tally_count(agent, t->state);
    tally_count(framework, t->state);
}

static void count_framework(struct summary *s, const struct framework_record *f)
{
    struct tally *tally = tally_create(s, framework_id_text(&f->id));

    HASH_ADD_KEYPTR(hh, s->frameworks, tally->id, strlen(tally->id), tally);
    for (struct task_record *t = f->tasks; t; t = t->hh.next)
        count_task(s, tally, t);
    list_each (t, &f->unreachable_tasks, struct task_record, link)
        count_task(s, tally, t);
    list_each (t, &f->completed_tasks, struct task_record, link)
        count_task(s, tally, t);
}

static void write_tally(struct json_writer *w, const struct tally *t, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
        json_put_integer(w, task_state_name(counted[i]), t ? t->of[i] : 0);
    json_key(w, key);
    json_begin_array(w);
    for (const struct other *o = t ? t->others : NULL; o; o = o->next)
        json_write_string(w, o->id);
    json_end_array(w);
}

static void write_agent(struct json_writer *w, const struct summary *s,
                        const struct agent_record *a)
{
    const struct tally *t;

    HASH_FIND_STR(s->agents, agent_id_text(&a->id), t);
    json_begin_object(w);
    master_json_agent_parts(w, a);
    write_tally(w, t, "framework_ids");
    json_end_object(w);
}

static void write_framework(struct json_writer *w, const struct summary *s,
                            const struct framework_record *f)
{
    const struct tally *t;

    HASH_FIND_STR(s->frameworks, framework_id_text(&f->id), t);
    json_begin_object(w);
    master_json_framework_summary(w, f);
    write_tally(w, t, "slave_ids");
    json_end_object(w);
}

static void write_summary(struct json_writer *w, const struct master *m, const struct summary *s)
{
    json_begin_object(w);
    json_put_string(w, "hostname", m->hostname->bytes);
    if (m->options.cluster)
        json_put_string(w, "cluster", m->options.cluster);
    json_key(w, "slaves");
    json_begin_array(w);
    for (struct agent_record *a = m->agents; a; a = a->hh.next)
        write_agent(w, s, a);
    json_end_array(w);
    json_key(w, "frameworks");
    json_begin_array(w);
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        write_framework(w, s, f);
    json_end_array(w);
    json_end_object(w);
}

static void serve_summary(struct master *m, struct http_request *r)
{
    struct summary s = { ARENA_INIT, NULL, NULL };
    struct buffer out = BUFFER_INIT;
    struct json_writer w;

    for (struct framework_record *f = m->frameworks; f; f = f->hh.next)
        count_framework(&s, f);
    json_writer_init(&w, &out);
    write_summary(&w, m, &s);
    HASH_CLEAR(hh, s.agents);
    HASH_CLEAR(hh, s.frameworks);
    arena_release(&s.arena);
    http_answer_json(r, &out);
    buffer_release(&out);
}
