/* host_sim_loop.c - an OS process of the simulated world as its host sees it
 *
 * The table of what a simulated host can do, and here of it: time, chance,
 * loops and their turns, waiting, the work of helper threads, and the facts of
 * a machine that is always the same.  Work runs at one moment and its end is
 * told at a later one; an OS process that is killed may be amid it: then the
 * file operations of the work stop having an effect after some of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host_sim_private.h"

/* Wall time at the start of every world: 2026-01-01T00:00:00Z. */
#define WALL_START ((int64_t)1767225600 * 1000000000)

struct sim_async {
    struct list link; /* loop->asyncs */
    struct sim_loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    bool worked;
    struct sim_event event;
};

/* ---- time and chance of a host ---- */

static struct instant host_time(struct host *h)
{
    return (struct instant){ sim_of(sim_host(h))->now };
}

static struct instant host_wall_time(struct host *h)
{
    return (struct instant){ sim_of(sim_host(h))->now + WALL_START };
}

static void host_fill_random(struct host *h, void *out, size_t size)
{
    struct sim *s = sim_of(sim_host(h));

    for (size_t i = 0; i < size; i += 8) {
        uint64_t x = sim_random_next(s);
        memcpy((char *)out + i, &x, size - i < 8 ? size - i : 8);
    }
}

static uint32_t host_choose_one(struct host *h, uint32_t n)
{
    return n > 1 ? (uint32_t)sim_random_below(sim_of(sim_host(h)), n) : 0;
}

static unsigned host_one_event(struct host *h UNUSED)
{
    return 1;
}

/* ---- loops ---- */

static void loop_schedule(struct sim_loop *l)
{
    struct sim *s = sim_of(l->host);

    if (l->host->dead)
        return;
    if (l->woken)
        sim_event_now(s, &l->event);
    else if (l->deadline != INSTANT_NEVER.ns)
        sim_event_at(s, &l->event, l->deadline);
    else
        sim_event_cancel(s, &l->event);
}

void sim_enter(struct sim_loop *l)
{
    sim_of(l->host)->current = l;
    l->before = context_set(l->base.context);
}

void sim_leave(struct sim_loop *l)
{
    context_set(l->before);
    sim_of(l->host)->current = NULL;
    l->woken = true;
    loop_schedule(l);
}

static void loop_run(struct sim_event *e)
{
    struct sim_loop *l = container_of(e, struct sim_loop, event);
    struct sim *s = sim_of(l->host);

    l->woken = false;
    if (l->deadline <= s->now)
        l->deadline = INSTANT_NEVER.ns;
    s->current = l;
    if (l->turn(l->arg))
        l->woken = true;
    s->current = NULL;
    loop_schedule(l);
}

static struct loop *loop_start(struct host *h, loop_turn_f turn, void *arg)
{
    struct sim_loop *l = mem_alloc(sizeof *l);

    l->base.host = h;
    l->host = sim_host(h);
    l->turn = turn;
    l->arg = arg;
    l->deadline = INSTANT_NEVER.ns;
    list_init(&l->asyncs);
    list_init(&l->resolves);
    list_init(&l->children);
    sim_event_init(&l->event, loop_run);
    list_append(&l->host->loops, &l->link);
    return &l->base;
}

static void loop_stop(struct loop *loop)
{
    struct sim_loop *l = sim_loop(loop);
    struct sim *s = sim_of(l->host);

    CHECK(s->current != l);
    sim_event_cancel(s, &l->event);
    sim_net_loop_stopped(l);
    sim_child_loop_stopped(l);
    while (!list_is_empty(&l->asyncs)) {
        struct sim_async *a = list_first(&l->asyncs, struct sim_async, link);
        sim_event_cancel(s, &a->event);
        list_remove(&a->link);
        a->done(a->arg);
        mem_free(a);
    }
    sim_event_cancel(s, &l->event); /* a done may have woken it */
    list_remove(&l->link);
    mem_free(l);
}

static void loop_wake(struct loop *loop)
{
    struct sim_loop *l = sim_loop(loop);

    l->woken = true;
    loop_schedule(l);
}

static void loop_set_deadline(struct loop *loop, struct instant deadline)
{
    struct sim_loop *l = sim_loop(loop);

    l->deadline = deadline.ns;
    loop_schedule(l);
}

static bool loop_is_current(struct loop *loop)
{
    struct sim_loop *l = sim_loop(loop);

    return sim_of(l->host)->current == l;
}

struct wait {
    struct sim_host *host;
    bool (*done)(void *arg);
    void *arg;
};

/* The dead still take their own turns while somebody takes them down, so that
 * their processes end one by one; it has no effect on the world. */
static void run_the_dead(struct wait *w)
{
    bool more = true;

    while (more && !w->done(w->arg)) {
        more = false;
        list_each (l, &w->host->loops, struct sim_loop, link) {
            l->woken = false;
            sim_of(w->host)->current = l;
            more = l->turn(l->arg) || l->woken || more;
            sim_of(w->host)->current = NULL;
        }
    }
}

static bool is_over(void *arg)
{
    struct wait *w = arg;

    return w->host->dead || w->done(w->arg);
}

static bool wait_until(struct host *h, bool (*done)(void *), void *arg, struct instant deadline)
{
    struct sim *s = sim_of(sim_host(h));
    struct wait w = { sim_host(h), done, arg };
    int64_t limit = deadline.ns > s->now ? deadline.ns - s->now : 0;

    if (deadline.ns == INSTANT_NEVER.ns)
        limit = INT64_MAX;
    if (!is_over(&w))
        sim_run_until(s, is_over, &w, NANOSECONDS(limit));
    if (w.host->dead)
        run_the_dead(&w);
    return done(arg);
}

static void notify(struct host *h UNUSED)
{
    /* wait_until asks before every step */
}

/* ---- work of helper threads ---- */

static int64_t async_delay(struct sim *s)
{
    return sim_chance(s, 1, 50) ? sim_pick(s, 5000000, 200000000) : sim_pick(s, 20000, 5000000);
}

static void async_run(struct sim_event *e)
{
    struct sim_async *a = container_of(e, struct sim_async, event);
    struct sim_loop *l = a->loop;
    struct sim *s = sim_of(l->host);

    if (!a->worked) {
        const struct context *before = context_set(l->base.helpers_context);

        a->worked = true;
        a->work(a->arg);
        context_set(before);
        if (!l->host->dead)
            sim_event_at(s, &a->event, s->now + async_delay(s) / 8);
        return;
    }
    list_remove(&a->link);
    sim_enter(l);
    a->done(a->arg);
    mem_free(a);
    sim_leave(l);
}

static void async(struct loop *loop, void (*work)(void *), void (*done)(void *), void *arg)
{
    struct sim_async *a = mem_alloc(sizeof *a);
    struct sim *s = sim_of(sim_loop(loop)->host);

    a->loop = sim_loop(loop);
    a->work = work;
    a->done = done;
    a->arg = arg;
    sim_event_init(&a->event, async_run);
    list_append(&a->loop->asyncs, &a->link);
    if (!a->loop->host->dead)
        sim_event_at(s, &a->event, s->now + async_delay(s));
}

/* What helper threads are at when the end comes is done up to some point. */
void sim_loop_work_in_part(struct sim_host *h)
{
    struct sim *s = sim_of(h);

    list_each (l, &h->loops, struct sim_loop, link)
        list_each (a, &l->asyncs, struct sim_async, link) {
            if (a->worked || !sim_chance(s, 1, 2))
                continue;
            a->worked = true;
            h->budget = (int)sim_random_below(s, 24);
            a->work(a->arg);
            h->budget = -1;
        }
}

void sim_loop_cease(struct sim_host *h)
{
    struct sim *s = sim_of(h);

    list_each (l, &h->loops, struct sim_loop, link) {
        sim_event_cancel(s, &l->event);
        list_each (a, &l->asyncs, struct sim_async, link)
            sim_event_cancel(s, &a->event);
    }
}

/* ---- facts ---- */

static void facts(struct host *host, struct host_facts *f)
{
    struct sim_host *h = sim_host(host);
    uint64_t seed = (uint64_t)h->node->ip << 32 | h->node->boots;
    uint64_t a = sim_split_mix(&seed), b = sim_split_mix(&seed);

    *f = (struct host_facts){ .cpus = 4,
                              .memory_bytes = 16ull << 30,
                              .memory_free_bytes = 12ull << 30,
                              .load_1min = 0.25,
                              .load_5min = 0.5,
                              .load_15min = 0.75,
                              .pid = h->pid,
                              .uid = h->spec.set_user ? h->spec.uid : 0,
                              .gid = h->spec.set_user ? h->spec.gid : 0 };
    snprintf(f->hostname, sizeof f->hostname, "%s", h->node->name);
    snprintf(f->user, sizeof f->user, "%s", h->spec.user ? h->spec.user : "root");
    snprintf(f->boot_id, sizeof f->boot_id, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b & 0xfff),
             (unsigned long long)(b >> 16));
}

static char *const *environment(struct host *h)
{
    struct sim_host *s = sim_host(h);

    return s->spec.envp ? s->spec.envp : sim_of(s)->environment;
}

static int find_user(struct host *h UNUSED, const char *name, uint32_t *ret_uid, uint32_t *ret_gid,
                     struct error *err)
{
    static const struct {
        const char *name;
        uint32_t id;
    } users[] = {
        { "root", 0 },
        { "user", 1000 },
        { "guest", 1001 },
        { "nobody", 65534 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        if (strcmp(users[i].name, name) == 0) {
            *ret_uid = *ret_gid = users[i].id;
            return 0;
        }
    return error_set(err, ENOENT, "there is no user %s", name);
}

static const char *working_directory(struct host *h)
{
    return sim_host(h)->spec.directory ? sim_host(h)->spec.directory : "/";
}

static const char *program_directory(struct host *h UNUSED)
{
    return "/usr/libexec/mesos-lite";
}

static void host_free(struct host *h)
{
    CHECK(!sim_host(h)->program); /* the world's own to destroy */
    sim_host_free(sim_host(h));
}

const struct host_ops sim_loop_ops = {
    .now = host_time,
    .wall = host_wall_time,
    .random = host_fill_random,
    .choose = host_choose_one,
    .turn_events = host_one_event,
    .loop_start = loop_start,
    .loop_stop = loop_stop,
    .loop_wake = loop_wake,
    .loop_deadline = loop_set_deadline,
    .loop_is_current = loop_is_current,
    .wait = wait_until,
    .notify = notify,
    .async = async,
    .connect = sim_net_connect,
    .connect_path = sim_net_connect_path,
    .listen = sim_net_listen,
    .listener_close = sim_net_listener_close,
    .resolve = sim_net_resolve,
    .open = sim_disk_open,
    .is_locked = sim_disk_is_locked,
    .stat = sim_disk_stat,
    .mkdir = sim_disk_mkdir,
    .rename = sim_disk_rename,
    .symlink = sim_disk_symlink,
    .readlink = sim_disk_readlink,
    .unlink = sim_disk_unlink,
    .sync_directory = sim_disk_sync_directory,
    .chown = sim_disk_chown,
    .chmod = sim_disk_chmod,
    .list = sim_disk_list,
    .spawn = sim_child_spawn,
    .watch = sim_child_watch,
    .watch_close = sim_child_watch_close,
    .signal = sim_child_signal,
    .start_time = sim_child_start_time,
    .processes = sim_child_processes,
    .on_signal = sim_child_on_signal,
    .facts = facts,
    .disk = sim_disk_space,
    .environment = environment,
    .user = find_user,
    .working_directory = working_directory,
    .program_directory = program_directory,
    .destroy = host_free,
};
