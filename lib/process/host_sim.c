/* host_sim.c - the simulated world: events, chance, nodes, OS processes
 *
 * The world is a heap of events that are due some time and a bag of those that
 * are ready.  A step takes one out of the bag by chance and runs it to its end;
 * when the bag is empty, time moves to the next event.  Nothing else runs, and
 * nothing here asks the real machine for anything, so a seed is a run.
 */
#include "base/check.h"
#include "base/memory.h"
#include "process/host_sim_private.h"

/* So many steps at one instant are not progress but a loop that never rests. */
#define STEPS_WITHOUT_TIME 20000000

/* ---- chance: xoshiro256**, seeded by splitmix64 ---- */

uint64_t sim_split_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t sim_random_next(struct sim *s)
{
    uint64_t *r = s->random;
    uint64_t result = rotate(r[1] * 5, 7) * 9;
    uint64_t t = r[1] << 17;

    r[2] ^= r[0];
    r[3] ^= r[1];
    r[1] ^= r[2];
    r[0] ^= r[3];
    r[2] ^= t;
    r[3] = rotate(r[3], 45);
    return result;
}

uint64_t sim_random_below(struct sim *s, uint64_t n)
{
    CHECK(n > 0);
    uint64_t uneven = -n % n; /* so many of the lowest values would be too many */
    uint64_t x;

    do
        x = sim_random_next(s);
    while (x < uneven);
    return x % n;
}

bool sim_chance(struct sim *s, uint64_t n, uint64_t of)
{
    return sim_random_below(s, of) < n;
}

int64_t sim_pick(struct sim *s, int64_t min, int64_t max)
{
    CHECK(min <= max);
    return min + (int64_t)sim_random_below(s, (uint64_t)(max - min) + 1);
}

/* ---- events ---- */

void sim_event_init(struct sim_event *e, void (*run)(struct sim_event *e))
{
    *e = (struct sim_event){ .run = run };
}

static bool is_earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void heap_put(struct sim *s, size_t i, struct sim_event *e)
{
    s->timed[i] = e;
    e->index = i;
}

static void heap_up(struct sim *s, size_t i, struct sim_event *e)
{
    for (; i > 0 && is_earlier(e, s->timed[(i - 1) / 2]); i = (i - 1) / 2)
        heap_put(s, i, s->timed[(i - 1) / 2]);
    heap_put(s, i, e);
}

static void heap_down(struct sim *s, size_t i, struct sim_event *e)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n_timed)
            break;
        if (child + 1 < s->n_timed && is_earlier(s->timed[child + 1], s->timed[child]))
            child++;
        if (!is_earlier(s->timed[child], e))
            break;
        heap_put(s, i, s->timed[child]);
        i = child;
    }
    heap_put(s, i, e);
}

static void heap_remove(struct sim *s, struct sim_event *e)
{
    struct sim_event *last = s->timed[--s->n_timed];
    size_t i = e->index;

    if (last == e)
        return;
    if (i > 0 && is_earlier(last, s->timed[(i - 1) / 2]))
        heap_up(s, i, last);
    else
        heap_down(s, i, last);
}

static void make_room(struct sim_event ***events, size_t *capacity, size_t n)
{
    if (n < *capacity)
        return;
    *capacity = *capacity > 0 ? *capacity * 2 : 64;
    *events = mem_realloc(*events, *capacity * sizeof **events);
}

void sim_event_cancel(struct sim *s, struct sim_event *e)
{
    if (e->state == SIM_TIMED) {
        heap_remove(s, e);
    } else if (e->state == SIM_READY) {
        struct sim_event *last = s->ready[--s->n_ready];
        s->ready[e->index] = last;
        last->index = e->index;
    }
    e->state = SIM_IDLE;
}

void sim_event_now(struct sim *s, struct sim_event *e)
{
    if (e->state == SIM_READY)
        return;
    sim_event_cancel(s, e);
    make_room(&s->ready, &s->ready_capacity, s->n_ready);
    e->state = SIM_READY;
    e->index = s->n_ready;
    s->ready[s->n_ready++] = e;
}

void sim_event_at(struct sim *s, struct sim_event *e, int64_t at)
{
    if (at <= s->now) {
        sim_event_now(s, e);
        return;
    }
    sim_event_cancel(s, e);
    make_room(&s->timed, &s->timed_capacity, s->n_timed);
    e->at = at;
    e->sequence = s->sequence++;
    e->state = SIM_TIMED;
    heap_up(s, s->n_timed++, e);
}

/* ---- running ---- */

static void collect_due(struct sim *s)
{
    while (s->n_timed > 0 && s->timed[0]->at <= s->now)
        sim_event_now(s, s->timed[0]);
}

/* False when nothing is left to do up to `end`. */
static bool find_ready(struct sim *s, int64_t end)
{
    collect_due(s);
    if (s->n_ready > 0)
        return true;
    if (s->n_timed == 0 || s->timed[0]->at > end)
        return false;
    s->now = s->timed[0]->at;
    s->steps_now = 0;
    collect_due(s);
    return true;
}

static bool sim_step(struct sim *s, int64_t end)
{
    if (s->observe)
        s->observe(s->observe_arg);
    if (!find_ready(s, end))
        return false;

    struct sim_event *e = s->ready[s->n_ready > 1 ? sim_random_below(s, s->n_ready) : 0];
    sim_event_cancel(s, e);
    s->counts.steps++;
    CHECK(++s->steps_now < STEPS_WITHOUT_TIME);
    s->trace = (s->trace ^ (uint64_t)s->now) * 0x100000001b3 ^ s->random[0];
    s->stepping = true;
    e->run(e);
    s->stepping = false;
    return true;
}

bool sim_run_until(struct sim *s, bool (*done)(void *arg), void *arg, struct duration limit)
{
    struct instant end = instant_add((struct instant){ s->now }, limit);

    CHECK(!s->stepping);
    for (;;) {
        if (done && done(arg))
            return true;
        if (sim_step(s, end.ns))
            continue;
        if (end.ns != INSTANT_NEVER.ns && end.ns > s->now) {
            s->now = end.ns;
            s->steps_now = 0;
        }
        return done ? done(arg) : false;
    }
}

void sim_run_for(struct sim *s, struct duration d)
{
    sim_run_until(s, NULL, NULL, d);
}

struct instant sim_now(struct sim *s)
{
    return (struct instant){ s->now };
}

uint64_t sim_trace(const struct sim *s)
{
    return s->trace;
}

void sim_set_observer(struct sim *s, void (*observe)(void *arg), void *arg)
{
    s->observe = observe;
    s->observe_arg = arg;
}

void sim_counts(const struct sim *s, struct sim_counts *ret_counts)
{
    *ret_counts = s->counts;
}

struct sim *sim_create(uint64_t seed)
{
    struct sim *s = mem_alloc(sizeof *s);

    for (int i = 0; i < 4; i++)
        s->random[i] = sim_split_mix(&seed);
    s->environment[0] = mem_strdup("PATH=/usr/bin:/bin");
    s->environment[1] = mem_strdup("HOME=/root");
    list_init(&s->nodes);
    list_init(&s->programs);
    list_init(&s->connections);
    list_init(&s->signals);
    sim_delay(s, MICROSECONDS(100), MILLISECONDS(2));
    return s;
}

void sim_destroy(struct sim *s)
{
    if (!s)
        return;
    CHECK(!s->stepping);
    list_each (n, &s->nodes, struct sim_node, link)
        list_each_safe (h, &n->hosts, struct sim_host, link) {
            CHECK(h->program); /* others are destroyed by who made them */
            sim_host_cease(h, 0, false);
            sim_child_stop_program(h);
        }
    sim_child_forget(s);
    CHECK(list_is_empty(&s->connections));
    list_each_safe (n, &s->nodes, struct sim_node, link) {
        sim_disk_destroy(n);
        mem_free(n->cuts);
        mem_free(n->name);
        mem_free(n);
    }
    mem_free(s->environment[0]);
    mem_free(s->environment[1]);
    mem_free(s->timed);
    mem_free(s->ready);
    mem_free(s);
}

/* ---- nodes and OS processes ---- */

struct sim_node *sim_node_create(struct sim *s, const char *hostname, uint32_t ip)
{
    struct sim_node *n = mem_alloc(sizeof *n);

    n->sim = s;
    n->name = mem_strdup(hostname);
    n->ip = ip;
    n->last_pid = 299;
    n->last_port = 32767;
    n->boots = 1;
    n->booted = s->now;
    list_init(&n->hosts);
    list_init(&n->listeners);
    list_init(&n->watches);
    list_append(&s->nodes, &n->link);
    sim_disk_create(n);
    return n;
}

void sim_node_crash(struct sim_node *n)
{
    struct sim *s = n->sim;

    CHECK(!s->stepping);
    s->counts.crashes++;
    sim_net_crash(n);
    list_each (h, &n->hosts, struct sim_host, link)
        sim_host_cease(h, SIM_STATUS_KILLED, true);
    sim_disk_crash(n);
    n->boots++;
    n->booted = s->now;
    n->last_pid = 299;
}

const char *sim_node_name(const struct sim_node *n)
{
    return n->name;
}

static bool is_pid_used(struct sim_node *n, pid_t pid)
{
    list_each (h, &n->hosts, struct sim_host, link)
        if (h->pid == pid)
            return true;
    return false;
}

struct sim_host *sim_host_new(struct sim_node *n, const char *name)
{
    struct sim_host *h = mem_alloc(sizeof *h);

    h->base.ops = &sim_loop_ops;
    h->node = n;
    h->name = mem_strdup(name);
    h->budget = -1;
    do
        n->last_pid = n->last_pid < 32767 ? n->last_pid + 1 : 300;
    while (is_pid_used(n, n->last_pid));
    h->pid = n->last_pid;
    h->start_time = (uint64_t)(n->sim->now - n->booted) / 10000000 + 1000;
    list_init(&h->loops);
    list_init(&h->streams);
    list_init(&h->files);
    list_init(&h->listeners);
    list_init(&h->handlers);
    list_append(&n->hosts, &h->link);
    return h;
}

struct host *sim_host_create(struct sim_node *n, const char *name)
{
    return &sim_host_new(n, name)->base;
}

void sim_host_cease(struct sim_host *h, int status, bool amid_work)
{
    if (h->dead)
        return;
    if (amid_work)
        sim_loop_work_in_part(h);
    h->dead = true;
    sim_loop_cease(h);
    sim_net_cease(h);
    sim_disk_cease(h);
    sim_child_cease(h, status);
}

void sim_host_kill(struct host *host)
{
    struct sim_host *h = sim_host(host);

    CHECK(!sim_of(h)->stepping);
    if (h->dead)
        return;
    sim_of(h)->counts.kills++;
    sim_host_cease(h, SIM_STATUS_KILLED, true);
}

bool sim_host_is_dead(const struct host *h)
{
    return ((const struct sim_host *)h)->dead;
}

struct sim_node *sim_host_node(const struct host *h)
{
    return ((const struct sim_host *)h)->node;
}

void sim_host_free(struct sim_host *h)
{
    sim_host_cease(h, 0, false);
    CHECK(list_is_empty(&h->loops));
    sim_net_free(h);
    sim_disk_free(h);
    sim_child_free(h);
    list_remove(&h->link);
    mem_free(h->name);
    mem_free(h);
}
