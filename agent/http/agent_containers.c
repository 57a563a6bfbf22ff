/* agent_containers.c - the runs that live, and what they use: /containers,
 * /monitor/statistics, GET_CONTAINERS
 *
 *   asked → the OS processes are counted, off the actors' threads → all who have asked are answered
 *
 * However many ask, one count is under way.  A container is a run that has not ended.
 */
#include <errno.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/http/agent_operator.h"
#include "agent/run_usage.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/mesos_json.h"
#include "mesos/operator_call.h"
#include "process/future.h"
#include "process/host.h"
#include "process/runtime.h"
#include "proto/agent.pb-c.h"

#define ENDPOINTS(AT)                                                                              \
    AT("/containers", serve_containers,                                                            \
       "The containers, and what they use.\n"                                                      \
       "?container_id=, or ?framework_id=, with it executor_id=: only these.",                     \
       AGENT_REALM_READONLY)                                                                       \
    AT("/monitor/statistics", serve_statistics,                                                    \
       "What the containers use.\nA JSON array: CPU time and memory of each.",                     \
       AGENT_REALM_READONLY)
ROUTES(agent, containers_routes, ENDPOINTS);

/* Somebody who waits for the count. */
struct container_question {
    struct http_request *request;
    enum { ASKS_CONTAINERS, ASKS_STATISTICS, ASKS_CALL } what;
    struct list link; /* in agent->container_questions */
};

struct counting {
    struct host *host;
    struct pid agent;
    struct host_process *processes;
    size_t n;
    struct error why;
    bool failed;
};
struct counted {
    struct counting *counting;
};
static void counted_release(struct counted *c)
{
    pid_release(&c->counting->agent);
    mem_free(c->counting->processes);
    mem_free(c->counting);
}
CALL(agent, processes_counted, counted, counted_release);

void agent_containers_init(struct agent *a)
{
    process_route(&a->process, containers_routes);
}

/* ---- one container as a message ---- */

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

static struct resources held_by(const struct hosted_executor *e)
{
    struct resources sum = resources_dup(&e->resources);

    for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
        resources_add(&sum, &t->resources);
    return sum;
}

/* There are no hard limits; what is allotted is what Mesos's posix isolators say, too. */
static void put_limits(Pb__ResourceStatistics *s, const struct hosted_executor *e)
{
    CLEANUP(resources_release) struct resources held = held_by(e);

    s->has_cpus_soft_limit = s->has_mem_limit_bytes = s->has_mem_soft_limit_bytes = true;
    s->cpus_soft_limit = (double)resources_millis(&held, "cpus") / 1000;
    s->mem_limit_bytes = s->mem_soft_limit_bytes =
        (uint64_t)resources_millis(&held, "mem") * 1024 * 1024 / 1000;
}

static Pb__ResourceStatistics *make_statistics(const struct agent *a,
                                               const struct hosted_executor *e,
                                               const struct run_usage *usage, struct arena *arena)
{
    NEW(arena, Pb__ResourceStatistics, pb__resource_statistics__init, s);

    s->timestamp = instant_seconds(runtime_wall(a->runtime));
    put_limits(s, e);
    if (usage->processes == 0)
        return s;
    s->has_cpus_user_time_secs = s->has_cpus_system_time_secs = s->has_mem_rss_bytes = true;
    s->cpus_user_time_secs = duration_seconds(usage->user);
    s->cpus_system_time_secs = duration_seconds(usage->system);
    s->mem_rss_bytes = usage->resident_bytes;
    return s;
}

static Pb__ContainerStatus *make_status(const struct hosted_executor *e, Pb__ContainerID *id,
                                        struct arena *arena)
{
    NEW(arena, Pb__ContainerStatus, pb__container_status__init, status);

    status->container_id = id;
    status->has_executor_pid = e->started.pid > 0;
    status->executor_pid = (uint32_t)e->started.pid;
    return status;
}

/* usage NULL: it could not be found out. */
static PbAgent__Response__GetContainers__Container *
make_container(const struct agent *a, const struct hosted_executor *e,
               const struct run_usage *usage, struct arena *arena)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;
    NEW(arena, PbAgent__Response__GetContainers__Container,
        pb_agent__response__get_containers__container__init, container);
    NEW(arena, Pb__FrameworkID, pb__framework_id__init, framework);
    NEW(arena, Pb__ContainerID, pb__container_id__init, id);

    framework->value = framework_id_text(&e->framework->id);
    id->value = container_id_text(&e->container);
    container->framework_id = framework;
    container->executor_id = info->executor_id;
    container->executor_name = info->name;
    container->container_id = id;
    container->container_status = make_status(e, id, arena);
    if (usage)
        container->resource_statistics = make_statistics(a, e, usage, arena);
    return container;
}

/* ---- all of them ---- */

struct containers {
    size_t n;
    const struct hosted_executor **runs;
    PbAgent__Response__GetContainers__Container **v; /* in the same order */
};

static size_t list_runs(const struct agent *a, const struct hosted_executor **runs)
{
    size_t n = 0;

    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next) {
            if (e->state == EXECUTOR_TERMINATED)
                continue;
            if (runs)
                runs[n] = e;
            n++;
        }
    return n;
}

static struct containers make_containers(const struct agent *a, const struct counting *count,
                                         struct arena *arena)
{
    struct containers all = { .n = list_runs(a, NULL) };
    struct run_usage *usage = arena_zalloc(arena, all.n * sizeof *usage);

    all.runs = arena_alloc(arena, all.n * sizeof *all.runs);
    all.v = arena_alloc(arena, all.n * sizeof *all.v);
    list_runs(a, all.runs);
    for (size_t i = 0; i < all.n; i++) {
        usage[i].pid = all.runs[i]->started.pid;
        usage[i].start_time = all.runs[i]->started.start_time;
    }
    run_usage_sum(count->processes, count->n, usage, all.n);
    for (size_t i = 0; i < all.n; i++)
        all.v[i] = make_container(a, all.runs[i], count->failed ? NULL : &usage[i], arena);
    return all;
}

/* ---- answers ---- */

static bool is_wanted(const struct http_request *r, const struct hosted_executor *e)
{
    const char *container = http_request_query(r, "container_id"),
               *framework = http_request_query(r, "framework_id"),
               *executor = http_request_query(r, "executor_id");

    return (!container || text_is(e->container.text, container)) &&
           (!framework || text_is(e->framework->id.text, framework)) &&
           (!executor || text_is(e->id.text, executor));
}

static void put_container(struct json_writer *w, const struct hosted_executor *e,
                          const PbAgent__Response__GetContainers__Container *c, bool whole)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;

    json_begin_object(w);
    if (whole)
        json_put_string(w, "container_id", container_id_text(&e->container));
    json_put_string(w, "executor_id", executor_id_text(&e->id));
    json_put_string(w, "executor_name", info->name ? info->name : "");
    json_put_string(w, "framework_id", framework_id_text(&e->framework->id));
    json_put_string(w, "source", info->source ? info->source : "");
    if (c->resource_statistics) {
        json_key(w, "statistics");
        mesos_json_write(w, &c->resource_statistics->base);
    }
    if (whole) {
        json_key(w, "status");
        mesos_json_write(w, &c->container_status->base);
    }
    json_end_object(w);
}

static void answer_json(struct http_request *r, const struct containers *all, bool whole)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_array(&w);
    for (size_t i = 0; i < all->n; i++)
        if (!whole || is_wanted(r, all->runs[i]))
            put_container(&w, all->runs[i], all->v[i], whole);
    json_end_array(&w);
    http_answer_json(r, &body);
}

/* Mesos leaves the part out when there is none. */
static void answer_call(struct http_request *r, const struct containers *all)
{
    PbAgent__Response response = PB_AGENT__RESPONSE__INIT;
    PbAgent__Response__GetContainers part = PB_AGENT__RESPONSE__GET_CONTAINERS__INIT;

    part.n_containers = all->n;
    part.containers = all->v;
    response.has_type = true;
    response.type = PB_AGENT__RESPONSE__TYPE__GET_CONTAINERS;
    response.get_containers = all->n > 0 ? &part : NULL;
    operator_call_answer(r, &response.base);
}

static void answer(const struct container_question *q, const struct containers *all)
{
    if (q->what == ASKS_CALL)
        answer_call(q->request, all);
    else
        answer_json(q->request, all, q->what == ASKS_CONTAINERS);
}

/* ---- counting ---- */

static void question_destroy(struct container_question *q)
{
    list_remove(&q->link);
    http_request_unref(q->request);
    mem_free(q);
}

void agent_containers_release(struct agent *a)
{
    list_each_safe(q, &a->container_questions, struct container_question, link)
        question_destroy(q);
}

static void count_work(void *args)
{
    struct counting *c = args;

    c->failed = host_processes(c->host, &c->processes, &c->n, &c->why) < 0;
}

/* In the executor's context, so that it comes after the work also when the agent ends first. */
static void count_done(struct process *executor UNUSED, struct future *f UNUSED, void *op)
{
    struct counting *c = op;

    dispatch(&c->agent, processes_counted, c);
}

static void processes_counted(struct agent *a, struct counted *counted)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const struct counting *c = counted->counting;
    struct containers all;

    a->counts_processes = false;
    if (c->failed)
        log_warning("what containers use cannot be told: %s", c->why.text);
    all = make_containers(a, c, &arena);
    list_each_safe(q, &a->container_questions, struct container_question, link) {
        answer(q, &all);
        question_destroy(q);
    }
}

static void begin(struct agent *a, struct http_request *r, int what)
{
    struct container_question *q = mem_alloc(sizeof *q);
    struct counting *c;

    q->request = http_request_ref(r);
    q->what = what;
    list_append(&a->container_questions, &q->link);
    if (a->counts_processes)
        return;
    a->counts_processes = true;
    c = mem_alloc(sizeof *c);
    c->host = runtime_host(a->runtime);
    c->agent = pid_dup(&a->pid);
    error_set(&c->why, ECANCELED, "there was no time for it");
    c->failed = true;
    future_finally(process_async(a->runtime, count_work, c), runtime_executor(a->runtime),
                   count_done, c);
}

static void serve_containers(struct agent *a, struct http_request *r)
{
    bool container = http_request_query(r, "container_id"),
         framework = http_request_query(r, "framework_id"),
         executor = http_request_query(r, "executor_id");

    if (executor ? !framework || container : container && framework)
        http_answer_error(r, 400, "Expecting 'container_id', or 'framework_id', or 'framework_id' "
                                  "and 'executor_id' in query.\n");
    else
        begin(a, r, ASKS_CONTAINERS);
}

static void serve_statistics(struct agent *a, struct http_request *r)
{
    begin(a, r, ASKS_STATISTICS);
}

void agent_containers_get(struct agent *a, struct http_request *r,
                          const PbAgent__Call__GetContainers *call UNUSED)
{
    begin(a, r, ASKS_CALL);
}
