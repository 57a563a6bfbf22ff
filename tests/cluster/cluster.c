/* cluster.c - a whole cluster in one OS process, on the simulated host */
#include "cluster.h"

#include <string.h>

#include "agent/agent.h"
#include "base/check.h"
#include "base/context.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "master/master.h"
#include "process/message.h"
#include "process/runtime.h"
#include "properties.h"
#include "proto/scheduler_v0.pb-c.h"
#include "sim_launcher.h"

#define MASTER_ADDRESS "10.0.0.1:5050"
#define RESTART_PAUSE SECONDS(2)
enum { LOOK_EVERY = 256 }; /* steps between two looks at who has ended itself */

/* ---- seeing events ---- */

static const char *call_type_name(const struct event_info *e)
{
    const PbScheduler__Call *call = (const PbScheduler__Call *)e->message->body;
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
        &pb_scheduler__call__type__descriptor, (int)call->type);

    return v ? v->name : "";
}

static bool is_named(const struct event_info *e, const char *name)
{
    const char *dot = strrchr(e->name, '.'), *last = dot ? dot + 1 : e->name;
    const char *slash = strchr(name, '/'), *colon;

    if (slash && (strncmp(e->to->id->bytes, name, (size_t)(slash - name)) != 0 ||
                  e->to->id->length != (size_t)(slash - name)))
        return false;
    name = slash ? slash + 1 : name;
    colon = strchr(name, ':');

    if (!colon)
        return strcmp(last, name) == 0;
    return e->message && strncmp(last, name, (size_t)(colon - name)) == 0 &&
           e->message->body->descriptor == &pb_scheduler__call__descriptor &&
           strcmp(call_type_name(e), colon + 1) == 0;
}

static void trace(struct part *p, const struct event_info *e)
{
    struct cluster *c = p->cluster;
    char *line = c->ring[c->ring_next++ % CLUSTER_RING], from[PID_TEXT];
    int n = snprintf(line, CLUSTER_LINE, "%lld %s %s %s %s %s\n", (long long)sim_now(c->sim).ns,
                     p->name, e->to->id ? e->to->id->bytes : "", event_kind_name(e->kind), e->name,
                     pid_is_empty(e->from) ? "-" : pid_text(e->from, from, sizeof from));

    for (int i = 0; i < n && line[i]; i++)
        c->trace_hash = (c->trace_hash ^ (unsigned char)line[i]) * 0x100000001b3;
    if (c->options.trace)
        fputs(line, c->options.trace);
    c->events++;
}

/* True: it is to be dropped. */
static bool see(struct part *p, const struct event_info *e)
{
    bool drop = false;

    list_each (w, &p->cluster->watches, struct watch_for, link) {
        if (!is_named(e, w->name))
            continue;
        w->seen++;
        if (w->drop > 0) {
            w->drop--;
            drop = true;
        }
        if (w->breaks > 0) {
            w->breaks--;
            w->breaking = p;
            w->peer = e->from->address.ip;
        }
    }
    return drop;
}

static bool on_event(void *arg, const struct event_info *e)
{
    struct part *p = arg;

    if (sim_host_is_dead(p->host))
        return true;
    trace(p, e);
    p->events++;
    return e->kind != EVENT_MESSAGE || list_is_empty(&p->cluster->watches) || !see(p, e);
}

/* ---- roles ---- */

static struct part *part_at(struct cluster *c, unsigned i)
{
    if (i == 0)
        return &c->master;
    if (--i < c->options.agents)
        return &c->agents[i];
    i -= c->options.agents;
    return i < c->options.frameworks ? &c->frameworks[i] : NULL;
}

static void log_line_out(void *arg, const char *line, size_t length)
{
    struct part *p = arg;
    struct cluster *c = p->cluster;

    if (c->options.log)
        fprintf(stderr, "%12.6f %-10s %.*s", (double)sim_now(c->sim).ns / 1e9, p->name, (int)length,
                line);
}

static int start_master(struct part *p, struct error *err)
{
    struct master_options options = { 0 };
    char *words[] = { (char *)"master", (char *)"--work_dir=/var/lib/master", NULL };
    char *none[] = { NULL };
    bool help;

    if (flags_parse(master_flags, &options, 2, words, none, &help, NULL, err) < 0)
        return -1;
    if (host_mkdirs(p->host, options.work_dir, 0755, err) == 0)
        p->actor = master_create(p->rt, &options, err);
    flags_release(master_flags, &options);
    return p->actor ? 0 : -1;
}

static int start_agent(struct part *p, struct error *err)
{
    const char *resources = p->cluster->options.resources;
    CLEANUP(mem_free_p)
    char *offer = mem_printf(
        "--resources=%s", resources ? resources : "cpus:4;mem:4096;disk:10000;ports:[31000-31009]");
    struct agent_options options = { 0 };
    char *words[] = { (char *)"agent", (char *)"--work_dir=/var/lib/agent",
                      (char *)"--master=" MASTER_ADDRESS, offer, NULL };
    char *none[] = { NULL };
    bool help;

    if (flags_parse(agent_flags, &options, 4, words, none, &help, NULL, err) < 0)
        return -1;
    p->actor = agent_create(p->rt, &options, err);
    flags_release(agent_flags, &options);
    return p->actor ? 0 : -1;
}

static int start_runtime(struct part *p, struct error *err)
{
    static const uint16_t ports[] = {
        [ROLE_MASTER] = 5050, [ROLE_AGENT] = 5051, [ROLE_FRAMEWORK] = 0
    };
    struct runtime_options options = { .bind = { p->ip, ports[p->role] },
                                       .workers = 1,
                                       .log = p->log };

    p->rt = runtime_create(p->host, &options, err);
    if (!p->rt)
        return -1;
    runtime_set_filter(p->rt, on_event, p);
    if (p->role == ROLE_MASTER)
        return start_master(p, err);
    if (p->role == ROLE_AGENT)
        return start_agent(p, err);
    return work_start(p->work, p->host, p->rt, MASTER_ADDRESS, err);
}

void cluster_start(struct part *p)
{
    struct cluster *c = p->cluster;
    struct context here = { .log = p->log, .actor = p->name, .event = "start", .sender = "" };
    const struct context *before = context_set(&here);
    struct error err;
    int r;

    CHECK(!p->host);
    p->stays_down = false;
    p->restart = INSTANT_NEVER;
    p->host = sim_host_create(p->node, p->name);
    if (p->starts++ > 0)
        c->restarts[p->role]++;
    r = start_runtime(p, &err);
    context_set(before);
    if (r == 0)
        return;
    if (c->options.log)
        fprintf(stderr, "%s does not start: %s\n", p->name, err.text);
    cluster_kill(p);
    p->stays_down = false;
    p->restart = instant_add(sim_now(c->sim), SECONDS(5));
}

/* After kill -9 nothing of it has any effect: then it is taken apart. */
static void take_down(struct part *p)
{
    struct context here = { .log = p->log, .actor = p->name, .event = "end", .sender = "" };
    const struct context *before;

    if (!p->host)
        return;
    before = context_set(&here);
    if (p->role == ROLE_MASTER)
        master_destroy(p->actor);
    else if (p->role == ROLE_AGENT)
        agent_destroy(p->actor);
    else
        work_stop(p->work);
    p->actor = NULL;
    runtime_destroy(p->rt);
    p->rt = NULL;
    context_set(before);
    host_destroy(p->host);
    p->host = NULL;
}

void cluster_kill(struct part *p)
{
    p->stays_down = true;
    p->restart = INSTANT_NEVER;
    if (!p->host)
        return;
    sim_host_kill(p->host);
    take_down(p);
}

void cluster_restart(struct part *p)
{
    cluster_kill(p);
    cluster_start(p);
}

void cluster_crash(struct part *p)
{
    sim_node_crash(p->node);
    p->stays_down = true;
    p->restart = INSTANT_NEVER;
    take_down(p);
}

int cluster_kill_launcher(struct part *agent)
{
    return sim_launcher_kill(agent->cluster->ledger, agent->node);
}

void cluster_partition(struct part *a, struct part *b, bool cut)
{
    sim_cut(a->node, b->node, cut);
    sim_cut(b->node, a->node, cut);
}

/* ---- between steps ---- */

static bool has_ended_itself(const struct part *p)
{
    static const char *const ids[] = { [ROLE_MASTER] = "master", [ROLE_AGENT] = "slave(1)" };
    struct pid found;

    if (p->role == ROLE_FRAMEWORK || !p->host)
        return false;
    if (!runtime_find(p->rt, ids[p->role], &found))
        return true;
    pid_release(&found);
    return false;
}

static void look_after(struct part *p)
{
    struct cluster *c = p->cluster;

    if (has_ended_itself(p)) {
        c->self_ends[p->role]++;
        cluster_kill(p);
        p->stays_down = false;
        p->restart = instant_add(sim_now(c->sim), RESTART_PAUSE);
    }
    if (!p->host && !p->stays_down && !instant_before(sim_now(c->sim), p->restart))
        cluster_start(p);
}

static void break_where_seen(struct cluster *c)
{
    list_each (w, &c->watches, struct watch_for, link) {
        struct part *p, *to = w->breaking;

        if (!to)
            continue;
        w->breaking = NULL;
        for (unsigned i = 0; (p = part_at(c, i)); i++)
            if (p->ip == w->peer && p != to)
                sim_break_connections(p->node, to->node);
    }
}

static void observe(void *arg)
{
    struct cluster *c = arg;
    struct part *p;

    break_where_seen(c);
    properties_check(c);
    if (c->ticks++ % LOOK_EVERY != 0)
        return;
    for (unsigned i = 0; (p = part_at(c, i)); i++)
        look_after(p);
}

/* ---- waiting ---- */

struct waiting {
    struct cluster *cluster;
    bool (*done)(struct cluster *c);
};

static bool is_done(void *arg)
{
    struct waiting *w = arg;

    return w->cluster->ledger->violation[0] || w->done(w->cluster);
}

bool cluster_wait(struct cluster *c, bool (*done)(struct cluster *c), struct duration limit)
{
    struct waiting w = { c, done };

    return sim_run_until(c->sim, is_done, &w, limit) && done(c);
}

void cluster_run(struct cluster *c, struct duration d)
{
    sim_run_for(c->sim, d);
}

bool cluster_all_ended(struct cluster *c)
{
    for (unsigned i = 0; i < c->options.frameworks; i++)
        if (!c->frameworks[i].work->is_out && !work_has_ended(c->frameworks[i].work))
            return false;
    return true;
}

bool cluster_is_quiet(struct cluster *c)
{
    char what[200];

    return cluster_all_ended(c) && !properties_left_over(c, what, sizeof what);
}

struct seeing {
    struct watch_for *watch;
    unsigned times;
};

static bool is_seen(void *arg)
{
    struct seeing *s = arg;

    return s->watch->seen >= s->times;
}

bool cluster_wait_for(struct watch_for *w, unsigned times, struct duration limit)
{
    struct seeing s = { w, times };

    return sim_run_until(w->cluster->sim, is_seen, &s, limit);
}

struct watch_for *cluster_watch(struct cluster *c, const char *name)
{
    struct watch_for *w = mem_alloc(sizeof *w);

    w->cluster = c;
    snprintf(w->name, sizeof w->name, "%s", name);
    list_append(&c->watches, &w->link);
    return w;
}

struct watch_for *cluster_drop(struct cluster *c, const char *name, unsigned n)
{
    struct watch_for *w = cluster_watch(c, name);

    w->drop = n;
    return w;
}

struct watch_for *cluster_break_at(struct cluster *c, const char *name)
{
    struct watch_for *w = cluster_watch(c, name);

    w->breaks = 1;
    return w;
}

void cluster_print_last(struct cluster *c, FILE *out, unsigned n)
{
    uint64_t first = c->ring_next > n ? c->ring_next - n : 0;

    if (c->ring_next > CLUSTER_RING && first < c->ring_next - CLUSTER_RING)
        first = c->ring_next - CLUSTER_RING;
    for (uint64_t i = first; i < c->ring_next; i++)
        fprintf(out, "    %s", c->ring[i % CLUSTER_RING]);
}

/* ---- life ---- */

static void part_init(struct cluster *c, struct part *p, enum role role, unsigned index)
{
    static const char *const names[] = { "master", "agent", "framework" };

    p->cluster = c;
    p->role = role;
    p->index = index;
    p->ip = 0x0a000001u + ((uint32_t)role << 8) + index;
    p->restart = INSTANT_NEVER;
    if (role == ROLE_MASTER)
        snprintf(p->name, sizeof p->name, "%s", names[role]);
    else
        snprintf(p->name, sizeof p->name, "%s%u", names[role], index + 1);
    p->node = sim_node_create(c->sim, p->name, p->ip);
    p->log = log_create(log_line_out, p, NULL, NULL);
    log_set_level(p->log, c->options.log ? LOG_INFO : LOG_ERROR);
    if (role != ROLE_FRAMEWORK)
        return;
    p->work = work_create(c->ledger, index + 1);
    p->work->partition_aware = !c->options.not_partition_aware && index % 2 == 0;
    p->work->explicit_acknowledgements = index % 2 == 1;
    if (c->options.failover_timeout > 0)
        p->work->failover_timeout = c->options.failover_timeout;
}

struct cluster *cluster_create(const struct cluster_options *options)
{
    struct cluster *c = mem_alloc(sizeof *c);
    struct part *p;

    c->options = *options;
    if (!c->options.agents)
        c->options.agents = 1;
    if (!c->options.frameworks)
        c->options.frameworks = 1;
    CHECK(c->options.agents <= CLUSTER_AGENTS_MAX &&
          c->options.frameworks <= CLUSTER_FRAMEWORKS_MAX);
    c->sim = sim_create(options->seed);
    c->ledger = ledger_create();
    list_init(&c->watches);
    sim_launcher_add_programs(c->sim);
    part_init(c, &c->master, ROLE_MASTER, 0);
    for (unsigned i = 0; i < c->options.agents; i++)
        part_init(c, &c->agents[i], ROLE_AGENT, i);
    for (unsigned i = 0; i < c->options.frameworks; i++)
        part_init(c, &c->frameworks[i], ROLE_FRAMEWORK, i);
    sim_set_observer(c->sim, observe, c);
    for (unsigned i = 0; (p = part_at(c, i)); i++)
        cluster_start(p);
    return c;
}

void cluster_destroy(struct cluster *c)
{
    struct part *p;

    if (!c)
        return;
    sim_set_observer(c->sim, NULL, NULL);
    for (unsigned i = 0; (p = part_at(c, i)); i++)
        cluster_kill(p);
    sim_destroy(c->sim);
    for (unsigned i = 0; (p = part_at(c, i)); i++) {
        work_destroy(p->work);
        log_destroy(p->log);
    }
    list_each_safe (w, &c->watches, struct watch_for, link)
        mem_free(w);
    ledger_destroy(c->ledger);
    mem_free(c);
}
