/* host_sim_listen.c - simulated listeners, connects and names
 *
 * A connect takes a delay, then: refused where nobody listens or the node
 * refuses, tried again for 127 seconds where a cut is in between (either way),
 * ended after 3 where no node has the address.  The listener's end stands when
 * the connect arrives, the connector's when the answer is back.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host_sim_net.h"

#define CONNECT_TIMEOUT (127 * SIM_SECOND)
#define UNREACHABLE_AFTER (3 * SIM_SECOND)
#define LOOPBACK 0x7f000001u

/* ---- listeners ---- */

static void listener_run(struct sim_event *e)
{
    struct sim_listener *ls = container_of(e, struct sim_listener, event);
    struct sim_loop *l = ls->loop;
    struct sim_stream *st = list_first(&ls->queue, struct sim_stream, queued);

    list_remove(&st->queued);
    if (!list_is_empty(&ls->queue))
        sim_event_now(sim_of(ls->host), &ls->event);
    sim_enter(l);
    ls->accepted(ls->arg, &st->base);
    sim_leave(l);
}

static struct sim_listener *listener_new(struct loop *l, stream_accepted_f accepted, void *arg)
{
    struct sim_listener *ls = mem_alloc(sizeof *ls);

    ls->loop = sim_loop(l);
    ls->host = ls->loop->host;
    ls->base.host = &ls->host->base;
    ls->accepted = accepted;
    ls->arg = arg;
    list_init(&ls->queue);
    sim_event_init(&ls->event, listener_run);
    list_append(&ls->host->listeners, &ls->link);
    list_init(&ls->node_link);
    if (!ls->host->dead)
        list_append(&ls->host->node->listeners, &ls->node_link);
    return ls;
}

static bool listener_hears(const struct sim_listener *ls, struct address to)
{
    return !ls->path && ls->at.port == to.port &&
           (ls->at.ip == 0 || to.ip == 0 || ls->at.ip == to.ip);
}

static struct sim_listener *find_listener(struct sim_node *n, struct address to)
{
    list_each (ls, &n->listeners, struct sim_listener, node_link)
        if (listener_hears(ls, to))
            return ls;
    return NULL;
}

static struct sim_listener *find_path_listener(struct sim_node *n, const char *path)
{
    list_each (ls, &n->listeners, struct sim_listener, node_link)
        if (ls->path && strcmp(ls->path, path) == 0)
            return ls;
    return NULL;
}

static uint16_t free_port(struct sim_node *n, uint32_t ip)
{
    do
        n->last_port = n->last_port < 60999 ? n->last_port + 1 : 32768;
    while (find_listener(n, (struct address){ ip, n->last_port }));
    return n->last_port;
}

struct listener *sim_net_listen(struct loop *l, struct address at, stream_accepted_f accepted,
                                void *arg, struct address *ret_bound, struct error *err)
{
    struct sim_host *h = sim_loop(l)->host;

    if (h->dead) {
        error_set(err, EIO, "this OS process is dead");
        return NULL;
    }
    if (at.ip != 0 && at.ip >> 24 != 127 && at.ip != h->node->ip) {
        error_set(err, EADDRNOTAVAIL, "cannot listen: not an address of this node");
        return NULL;
    }
    if (at.port == 0)
        at.port = free_port(h->node, at.ip);
    if (find_listener(h->node, at)) {
        error_set(err, EADDRINUSE, "cannot listen: port %u is in use", at.port);
        return NULL;
    }
    struct sim_listener *ls = listener_new(l, accepted, arg);
    ls->at = at;
    if (ret_bound)
        *ret_bound = at;
    return &ls->base;
}

struct listener *sim_listen_path(struct loop *l, const char *path, stream_accepted_f accepted,
                                 void *arg)
{
    struct sim_host *h = sim_loop(l)->host;

    CHECK(h->dead || !find_path_listener(h->node, path));
    struct sim_listener *ls = listener_new(l, accepted, arg);
    ls->path = mem_strdup(path);
    return &ls->base;
}

/* No more streams; those that wait to be accepted are reset. */
void sim_net_listener_silence(struct sim_listener *ls)
{
    sim_event_cancel(sim_of(ls->host), &ls->event);
    list_remove(&ls->node_link);
    list_each_safe (st, &ls->queue, struct sim_stream, queued) {
        list_remove(&st->queued);
        sim_net_stream_leave(st, SEGMENT_RESET);
        sim_net_stream_free(st);
    }
}

void sim_net_listener_close(struct listener *base)
{
    struct sim_listener *ls = (struct sim_listener *)base;

    sim_net_listener_silence(ls);
    list_remove(&ls->link);
    mem_free(ls->path);
    mem_free(ls);
}

/* ---- connecting ---- */

static void connect_ends(struct sim_stream *st, int failure)
{
    if (failure == ECONNREFUSED)
        sim_of(st->host)->counts.refused++;
    st->state = STREAM_TELL;
    if (failure != 0)
        st->failure = failure; /* else it may have broken meanwhile */
    sim_net_stream_schedule(st);
}

static struct sim_node *find_node(struct sim_stream *st)
{
    if (st->path || st->base.peer.ip >> 24 == 127)
        return st->host->node;
    list_each (n, &sim_of(st->host)->nodes, struct sim_node, link)
        if (n->ip == st->base.peer.ip)
            return n;
    return NULL;
}

static void connect_answered(struct sim_event *e)
{
    connect_ends(container_of(e, struct sim_stream, connect), 0);
}

static void connect_reach(struct sim_stream *st, struct sim_node *n)
{
    struct sim *s = n->sim;
    struct sim_listener *ls =
        st->path ? find_path_listener(n, st->path) : find_listener(n, st->base.peer);

    if (!ls || (n->refusing && !st->path)) {
        connect_ends(st, ls || !st->path ? ECONNREFUSED : ENOENT);
        return;
    }
    uint16_t port = st->path ? 0 : (uint16_t)sim_pick(s, 32768, 60999);
    uint32_t ip = n != st->host->node ? st->host->node->ip : st->path ? 0 : st->base.peer.ip;
    struct sim_stream *accepted = sim_net_stream_new(ls->host, (struct address){ ip, port });
    accepted->state = STREAM_OPEN;
    sim_net_connection_create(s, st, accepted);
    list_append(&ls->queue, &accepted->queued);
    sim_event_now(s, &ls->event);
    st->connect.run = connect_answered;
    sim_event_at(s, &st->connect, s->now + sim_net_delay(s, st->host->node, n));
}

static void connect_try(struct sim_event *e)
{
    struct sim_stream *st = container_of(e, struct sim_stream, connect);
    struct sim *s = sim_of(st->host);
    struct sim_node *n = find_node(st);
    int64_t end = st->connect_started + (n ? CONNECT_TIMEOUT : UNREACHABLE_AFTER);

    if (n && !sim_net_is_cut(st->host->node, n) && !sim_net_is_cut(n, st->host->node)) {
        connect_reach(st, n);
    } else if (s->now >= end) {
        connect_ends(st, n ? ETIMEDOUT : EHOSTUNREACH);
    } else {
        int64_t next = s->now + sim_pick(s, SIM_SECOND / 2, 2 * SIM_SECOND);
        sim_event_at(s, &st->connect, next < end ? next : end);
    }
}

static struct sim_stream *connect_start(struct loop *l, struct address to, const char *path,
                                        const struct stream_events *events, void *arg)
{
    struct sim_host *h = sim_loop(l)->host;
    struct sim *s = sim_of(h);
    struct sim_stream *st = sim_net_stream_new(h, to);

    sim_event_init(&st->connect, connect_try);
    st->path = path ? mem_strdup(path) : NULL;
    st->loop = sim_loop(l);
    st->events = *events;
    st->arg = arg;
    st->connect_started = s->now;
    if (!h->dead)
        sim_event_at(s, &st->connect, s->now + sim_net_delay(s, h->node, find_node(st)));
    return st;
}

struct stream *sim_net_connect(struct loop *l, struct address to,
                               const struct stream_events *events, void *arg)
{
    return &connect_start(l, to, NULL, events, arg)->base;
}

struct stream *sim_net_connect_path(struct loop *l, const char *path,
                                    const struct stream_events *events, void *arg)
{
    return &connect_start(l, (struct address){ 0, 0 }, path, events, arg)->base;
}

/* ---- names ---- */

static int find_name(struct sim *s, const char *name, uint32_t *ret_ip, struct error *err)
{
    if (strcmp(name, "localhost") == 0) {
        *ret_ip = LOOPBACK;
        return 0;
    }
    list_each (n, &s->nodes, struct sim_node, link)
        if (strcmp(n->name, name) == 0) {
            *ret_ip = n->ip;
            return 0;
        }
    if (address_parse_ip(name, ret_ip, NULL) == 0)
        return 0;
    return error_set(err, ENOENT, "cannot resolve %s: no such host", name);
}

void sim_net_resolve_free(struct sim_resolve *r)
{
    sim_event_cancel(sim_of(r->loop->host), &r->event);
    list_remove(&r->link);
    mem_free(r->name);
    mem_free(r);
}

static void resolve_run(struct sim_event *e)
{
    struct sim_resolve *r = container_of(e, struct sim_resolve, event);
    struct sim_loop *l = r->loop;
    struct error err;
    uint32_t ip = 0;
    bool found = find_name(sim_of(l->host), r->name, &ip, &err) == 0;

    sim_enter(l);
    r->resolved(r->arg, found ? NULL : &err, ip);
    sim_leave(l);
    sim_net_resolve_free(r);
}

void sim_net_resolve(struct loop *loop, const char *name, host_resolved_f resolved, void *arg)
{
    struct sim_loop *l = sim_loop(loop);
    struct sim *s = sim_of(l->host);
    struct sim_resolve *r = mem_alloc(sizeof *r);

    r->loop = l;
    r->name = mem_strdup(name);
    r->resolved = resolved;
    r->arg = arg;
    sim_event_init(&r->event, resolve_run);
    list_append(&l->resolves, &r->link);
    if (!l->host->dead)
        sim_event_at(s, &r->event, s->now + sim_pick(s, s->delay_min, s->delay_max));
}
