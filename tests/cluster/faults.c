/* faults.c - what goes wrong in a simulated cluster, by chance */
#include "faults.h"

#include "base/check.h"
#include "base/memory.h"
#include "sim_supervisor.h"

#define HALF_OPEN MINUTES(5)

/* A fault that lasts, and when it ends. */
struct lasting {
    struct list link;
    enum fault_kind kind;
    struct part *a, *b;
    struct instant end;
};

struct faults {
    struct cluster *cluster;
    struct list lasting;
};

const char *faults_text(enum fault_kind kind)
{
#define FAULT_TEXT_(name, text) text,
    static const char *const texts[] = { FAULT_KINDS(FAULT_TEXT_) };

    return texts[kind];
}

struct faults *faults_create(struct cluster *c)
{
    struct faults *f = mem_alloc(sizeof *f);

    f->cluster = c;
    list_init(&f->lasting);
    return f;
}

/* Some faults leave a peer that thinks all stands: until the keep-alives have failed,
 * or, where only the connection towards it broke, until it says something. */
static void mistrust_network(struct cluster *c, enum fault_kind kind)
{
    if (kind == FAULT_BREAK || kind == FAULT_SILENCE || kind == FAULT_PARTITION ||
        kind == FAULT_PARTITION_1 || kind == FAULT_CRASH_MASTER)
        c->network_is_true = instant_add(sim_now(c->sim), HALF_OPEN);
}

static void end(struct faults *f, struct lasting *l)
{
    mistrust_network(f->cluster, l->kind);
    switch (l->kind) {
    case FAULT_PARTITION:
    case FAULT_PARTITION_1:
        sim_cut(l->a->node, l->b->node, false);
        sim_cut(l->b->node, l->a->node, false);
        break;
    case FAULT_DISK_FULL:
        sim_disk_full(l->a->node, false);
        break;
    case FAULT_REFUSE:
        sim_refuse_connects(l->a->node, false);
        break;
    default:
        if (!l->a->host)
            cluster_start(l->a);
        break;
    }
    list_remove(&l->link);
    mem_free(l);
}

static void last(struct faults *f, enum fault_kind kind, struct part *a, struct part *b,
                 struct duration min, struct duration max)
{
    struct lasting *l = mem_alloc(sizeof *l);
    struct sim *s = f->cluster->sim;
    int64_t extra = (int64_t)sim_random_below(s, (uint64_t)(max.ns - min.ns));

    l->kind = kind;
    l->a = a;
    l->b = b;
    l->end = instant_add(sim_now(s), NANOSECONDS(min.ns + extra));
    list_append(&f->lasting, &l->link);
}

static struct part *any_agent(struct cluster *c)
{
    return &c->agents[sim_random_below(c->sim, c->options.agents)];
}

static struct part *any_framework(struct cluster *c)
{
    return &c->frameworks[sim_random_below(c->sim, c->options.frameworks)];
}

static bool kill_for_a_while(struct faults *f, enum fault_kind kind, struct part *p)
{
    if (!p->host)
        return false;
    cluster_kill(p);
    last(f, kind, p, NULL, MILLISECONDS(1),
         SECONDS(sim_random_below(f->cluster->sim, 3) ? 5 : 120));
    return true;
}

static bool crash_for_a_while(struct faults *f, enum fault_kind kind, struct part *p)
{
    if (!p->host)
        return false;
    cluster_crash(p);
    last(f, kind, p, NULL, SECONDS(1), SECONDS(sim_random_below(f->cluster->sim, 3) ? 30 : 180));
    return true;
}

/* Between the master and another; short ones heal before anybody is given up. */
static bool partition(struct faults *f, bool both_ways)
{
    struct cluster *c = f->cluster;
    struct part *m = &c->master, *p = sim_random_below(c->sim, 3) ? any_agent(c) : any_framework(c);
    bool towards = sim_random_below(c->sim, 2);

    if (both_ways || towards)
        sim_cut(m->node, p->node, true);
    if (both_ways || !towards)
        sim_cut(p->node, m->node, true);
    last(f, both_ways ? FAULT_PARTITION : FAULT_PARTITION_1, m, p, SECONDS(1),
         SECONDS(sim_random_below(c->sim, 2) ? 60 : 240));
    return true;
}

static bool fill_disk(struct faults *f)
{
    struct cluster *c = f->cluster;
    struct part *p = sim_random_below(c->sim, 4) ? any_agent(c) : &c->master;

    sim_disk_full(p->node, true);
    last(f, FAULT_DISK_FULL, p, NULL, SECONDS(1), SECONDS(60));
    return true;
}

static bool refuse(struct faults *f)
{
    struct part *p =
        sim_random_below(f->cluster->sim, 2) ? any_agent(f->cluster) : &f->cluster->master;

    sim_refuse_connects(p->node, true);
    last(f, FAULT_REFUSE, p, NULL, SECONDS(1), SECONDS(60));
    return true;
}

bool faults_begin(struct faults *f, enum fault_kind kind)
{
    struct cluster *c = f->cluster;

    mistrust_network(c, kind);
    switch (kind) {
    case FAULT_BREAK:
        return sim_break_one_connection(c->sim);
    case FAULT_SILENCE:
        return sim_silence_one_connection(c->sim);
    case FAULT_PARTITION:
        return partition(f, true);
    case FAULT_PARTITION_1:
        return partition(f, false);
    case FAULT_KILL_MASTER:
        return kill_for_a_while(f, kind, &c->master);
    case FAULT_KILL_AGENT:
        return kill_for_a_while(f, kind, any_agent(c));
    case FAULT_KILL_FRAMEWORK:
        return kill_for_a_while(f, kind, any_framework(c));
    case FAULT_KILL_LAUNCHER:
        return cluster_kill_launcher(any_agent(c)) == 0;
    case FAULT_CRASH_MASTER:
        return crash_for_a_while(f, kind, &c->master);
    case FAULT_CRASH_AGENT:
        return crash_for_a_while(f, kind, any_agent(c));
    case FAULT_KILL_SUPERVISOR:
        return sim_supervisor_kill_one(c->ledger, c->sim) == 0;
    case FAULT_DISK_FULL:
        return fill_disk(f);
    case FAULT_REFUSE:
        return refuse(f);
    case FAULT_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

void faults_tick(struct faults *f)
{
    struct instant now = sim_now(f->cluster->sim);

    list_each_safe (l, &f->lasting, struct lasting, link)
        if (!instant_before(now, l->end))
            end(f, l);
}

void faults_stop(struct faults *f)
{
    list_each_safe (l, &f->lasting, struct lasting, link)
        end(f, l);
}

void faults_destroy(struct faults *f)
{
    if (!f)
        return;
    list_each_safe (l, &f->lasting, struct lasting, link) {
        list_remove(&l->link);
        mem_free(l);
    }
    mem_free(f);
}
