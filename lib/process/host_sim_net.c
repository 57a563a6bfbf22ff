/* host_sim_net.c - the simulated network: connections as TCP carries them
 *
 * A connection has two ends and two ways.  What is written at one end becomes
 * segments on its way, which arrive in order, each after a delay by chance:
 *
 *   DATA   lands in the other end's received bytes; at an end that is closed
 *          it is answered by RESET on the other way
 *   FIN    the end of the stream
 *   RESET  the end breaks with ECONNRESET
 *
 * The sender's window counts what is in flight, what has arrived and cannot be
 * acknowledged, and what the receiver has not read.  While a way is cut its
 * segments wait and are tried again; after 2 minutes without progress the
 * sender gives up with ETIMEDOUT.  An end that has nothing to send finds out as
 * well, by the keep-alives of host.h: it gives up when it has not been answered
 * for 1 to 2 minutes, by the time of its last probe.  Ends do not give up
 * together: in between a connection is half open.
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host_sim_net.h"

#define WINDOW ((size_t)256 * 1024)

static const struct stream_ops stream_ops;

int64_t sim_net_delay(struct sim *s, const struct sim_node *a, const struct sim_node *b)
{
    return a == b ? sim_pick(s, 10000, 100000) : sim_pick(s, s->delay_min, s->delay_max);
}

bool sim_net_is_cut(const struct sim_node *from, const struct sim_node *to)
{
    for (size_t i = 0; i < from->n_cuts; i++)
        if (from->cuts[i] == to)
            return true;
    return false;
}

/* ---- what an end can do, and telling its owner ---- */

static size_t window_left(const struct sim_stream *st)
{
    const struct connection *c = st->connection;
    const struct way *w = &c->way[st->side];
    const struct sim_stream *peer = c->end[!st->side];
    size_t used = w->in_flight + w->unacknowledged + (peer ? buffer_length(&peer->received) : 0);

    return used < WINDOW ? WINDOW - used : 0;
}

static bool is_readable(const struct sim_stream *st)
{
    return buffer_length(&st->received) > 0 || st->finished || st->failure != 0;
}

static bool is_writable(const struct sim_stream *st)
{
    return st->failure != 0 || !st->connection || window_left(st) > 0;
}

static bool has_news(const struct sim_stream *st)
{
    if (st->state == STREAM_CONNECTING)
        return false;
    return st->state == STREAM_TELL || (st->want_read && is_readable(st)) ||
           (st->want_write && is_writable(st));
}

void sim_net_stream_schedule(struct sim_stream *st)
{
    struct sim *s = sim_of(st->host);

    if (!st->closed && !st->busy && st->loop && !st->host->dead && has_news(st))
        sim_event_now(s, &st->event);
    else
        sim_event_cancel(s, &st->event);
}

void sim_net_stream_free(struct sim_stream *st)
{
    struct sim *s = sim_of(st->host);

    sim_event_cancel(s, &st->event);
    sim_event_cancel(s, &st->connect);
    list_remove(&st->link);
    list_remove(&st->queued);
    buffer_release(&st->received);
    mem_free(st->path);
    mem_free(st);
}

static void stream_tell(struct sim_stream *st)
{
    struct sim *s = sim_of(st->host);

    if (st->state == STREAM_TELL) {
        struct error err;
        st->state = STREAM_OPEN;
        if (st->failure != 0) {
            errno = st->failure;
            error_errno(&err, "cannot connect");
        }
        if (st->events.connected)
            st->events.connected(st->arg, st->failure != 0 ? &err : NULL);
        return;
    }
    bool read = st->want_read && is_readable(st);
    bool write = st->want_write && is_writable(st);
    if (read && (!write || sim_chance(s, 1, 2)))
        st->events.readable(st->arg);
    else if (write)
        st->events.writable(st->arg);
}

static void stream_run(struct sim_event *e)
{
    struct sim_stream *st = container_of(e, struct sim_stream, event);
    struct sim_loop *l = st->loop;

    st->busy = true;
    sim_enter(l);
    stream_tell(st);
    sim_leave(l);
    st->busy = false;
    if (st->closed)
        sim_net_stream_free(st);
    else
        sim_net_stream_schedule(st);
}

struct sim_stream *sim_net_stream_new(struct sim_host *h, struct address peer)
{
    struct sim_stream *st = mem_alloc(sizeof *st);

    st->base.ops = &stream_ops;
    st->base.peer = peer;
    st->host = h;
    list_init(&st->queued);
    list_append(&h->streams, &st->link);
    sim_event_init(&st->event, stream_run);
    return st;
}

/* ---- connections ---- */

void sim_net_segment_drop(struct way *w, struct segment *g)
{
    w->in_flight -= g->size;
    list_remove(&g->link);
    mem_free(g);
}

void sim_net_connection_free_unused(struct connection *c)
{
    if (c->end[0] || c->end[1])
        return;
    for (int i = 0; i < 2; i++) {
        sim_event_cancel(c->sim, &c->way[i].event);
        sim_event_cancel(c->sim, &c->way[i].idle);
        list_each_safe (g, &c->way[i].segments, struct segment, link)
            sim_net_segment_drop(&c->way[i], g);
    }
    list_remove(&c->link);
    mem_free(c);
}

void sim_net_end_detach(struct sim_stream *st, int failure)
{
    struct connection *c = st->connection;

    if (c) {
        c->end[st->side] = NULL;
        st->connection = NULL;
    }
    if (st->failure == 0)
        st->failure = failure;
    sim_net_stream_schedule(st);
}

void sim_net_way_schedule(struct way *w)
{
    struct connection *c = w->connection;
    struct sim *s = c->sim;
    struct segment *first = list_first(&w->segments, struct segment, link);

    if (c->silent) {
        sim_event_cancel(s, &w->event);
    } else if (w->stuck_since >= 0 && !(first && first->forced)) {
        int64_t next = s->now + sim_pick(s, SIM_SECOND / 5, SIM_SECOND),
                end = w->stuck_since + SIM_GIVE_UP;
        sim_event_at(s, &w->event, next < end ? next : end);
    } else if (first) {
        sim_event_at(s, &w->event, first->due);
    }
}

void sim_net_way_send(struct way *w, enum segment_kind kind, const void *bytes, size_t size)
{
    struct connection *c = w->connection;
    struct segment *g = mem_alloc(sizeof *g + size);
    int64_t due = c->sim->now + sim_net_delay(c->sim, c->node[0], c->node[1]);

    g->kind = kind;
    g->due = due > w->last_due ? due : w->last_due;
    g->size = size;
    if (size > 0)
        memcpy(g->bytes, bytes, size);
    w->last_due = g->due;
    w->in_flight += size;
    list_append(&w->segments, &g->link);
    if (w->event.state == SIM_IDLE)
        sim_net_way_schedule(w);
}

static void segment_arrive(struct way *w, struct segment *g, bool acknowledged)
{
    struct connection *c = w->connection;
    struct sim_stream *to = c->end[!w->side];

    if (!acknowledged && to)
        w->unacknowledged += g->size;
    if (!to) {
        struct way *back = &c->way[!w->side];
        if (g->kind == SEGMENT_DATA && c->end[w->side] && !back->broken) {
            back->broken = true;
            sim_net_way_send(back, SEGMENT_RESET, NULL, 0);
        }
    } else if (g->kind == SEGMENT_DATA) {
        buffer_append(&to->received, g->bytes, g->size);
        c->sim->counts.bytes += g->size;
        sim_net_stream_schedule(to);
    } else if (g->kind == SEGMENT_FIN) {
        to->finished = true;
        sim_net_stream_schedule(to);
    } else {
        sim_net_end_detach(to, ECONNRESET);
    }
    sim_net_segment_drop(w, g);
    if (c->end[w->side])
        sim_net_stream_schedule(c->end[w->side]);
}

void sim_net_way_unheard(struct way *w, int64_t ns)
{
    struct connection *c = w->connection;

    if (c->end[w->side] && !c->is_path && w->idle.state == SIM_IDLE)
        sim_event_at(c->sim, &w->idle, c->sim->now + ns);
}

void sim_net_way_heard(struct way *w)
{
    struct connection *c = w->connection;
    const struct list *coming = &c->way[!w->side].segments;
    bool ends = !list_is_empty(coming) &&
                list_entry(coming->prev, struct segment, link)->kind != SEGMENT_DATA;

    if (!c->silent && (c->end[!w->side] || ends))
        sim_event_cancel(c->sim, &w->idle);
}

/* The sender hears of it now, the receiver when it is not answered. */
static void way_give_up(struct way *w)
{
    struct connection *c = w->connection;

    list_each_safe (g, &w->segments, struct segment, link) {
        c->sim->counts.lost_bytes += g->size;
        sim_net_segment_drop(w, g);
    }
    w->unacknowledged = 0;
    w->stuck_since = -1;
    if (c->end[w->side])
        sim_net_end_detach(c->end[w->side], ETIMEDOUT);
    sim_net_way_unheard(&c->way[!w->side], SIM_GIVE_UP);
    sim_net_connection_free_unused(c);
}

static void way_run(struct sim_event *e)
{
    struct way *w = container_of(e, struct way, event);
    struct connection *c = w->connection;
    struct sim *s = c->sim;
    struct segment *first = list_first(&w->segments, struct segment, link);
    bool due = first && first->due <= s->now;
    bool passes = !sim_net_is_cut(c->node[w->side], c->node[!w->side]);
    bool acknowledged = passes && !sim_net_is_cut(c->node[!w->side], c->node[w->side]);

    if (due && (passes || first->forced))
        segment_arrive(w, first, acknowledged || first->forced);
    if (acknowledged) {
        w->unacknowledged = 0;
        w->stuck_since = -1;
        if (c->end[w->side])
            sim_net_stream_schedule(c->end[w->side]);
    } else if (w->stuck_since < 0 && (due || w->unacknowledged > 0)) {
        w->stuck_since = s->now;
    } else if (w->stuck_since >= 0 && s->now - w->stuck_since >= SIM_GIVE_UP) {
        way_give_up(w);
        return;
    }
    if (list_is_empty(&w->segments) && w->unacknowledged == 0)
        w->stuck_since = -1;
    sim_net_way_schedule(w);
    sim_net_connection_free_unused(c);
}

static void idle_run(struct sim_event *e)
{
    way_give_up(container_of(e, struct way, idle));
}

static void end_attach(struct connection *c, unsigned side, struct sim_stream *st)
{
    c->end[side] = st;
    c->node[side] = st->host->node;
    st->connection = c;
    st->side = side;
}

void sim_net_connection_create(struct sim *s, struct sim_stream *from, struct sim_stream *to)
{
    struct connection *c = mem_alloc(sizeof *c);

    c->sim = s;
    c->is_path = from->path != NULL;
    end_attach(c, 0, from);
    end_attach(c, 1, to);
    for (unsigned i = 0; i < 2; i++) {
        c->way[i].connection = c;
        c->way[i].side = i;
        c->way[i].stuck_since = -1;
        list_init(&c->way[i].segments);
        sim_event_init(&c->way[i].event, way_run);
        sim_event_init(&c->way[i].idle, idle_run);
    }
    list_append(&s->connections, &c->link);
    s->counts.connections++;
}

/* ---- streams ---- */

static int stream_error(const struct sim_stream *st, struct error *err)
{
    errno = st->failure != 0 ? st->failure : EAGAIN;
    return error_errno(err, "connection");
}

static ssize_t stream_read_some(struct stream *base, void *out, size_t size, struct error *err)
{
    struct sim_stream *st = (struct sim_stream *)base;
    struct sim *s = sim_of(st->host);
    size_t n = buffer_length(&st->received);

    if (st->host->dead || st->state != STREAM_OPEN)
        return error_set(err, EAGAIN, "nothing to read yet");
    if (n == 0)
        return st->finished ? 0 : stream_error(st, err);
    if (n > size)
        n = size;
    if (n > 1 && sim_chance(s, 1, 4))
        n = 1 + (size_t)sim_random_below(s, n);
    memcpy(out, buffer_data(&st->received), n);
    buffer_consume(&st->received, n);
    if (st->connection && st->connection->end[!st->side])
        sim_net_stream_schedule(st->connection->end[!st->side]);
    sim_net_stream_schedule(st);
    return (ssize_t)n;
}

/* The bytes go out as one segment or, by chance, as two. */
static void stream_send(struct sim_stream *st, const char *bytes, size_t n)
{
    struct sim *s = sim_of(st->host);
    struct way *w = &st->connection->way[st->side];
    size_t first = n > 1 && sim_chance(s, 1, 4) ? 1 + (size_t)sim_random_below(s, n - 1) : n;

    if (w->broken) {
        s->counts.lost_bytes += n;
        return;
    }
    sim_net_way_send(w, SEGMENT_DATA, bytes, first);
    if (first < n)
        sim_net_way_send(w, SEGMENT_DATA, bytes + first, n - first);
}

static ssize_t stream_write_some(struct stream *base, const struct stream_bytes v[],
                                 unsigned n_bytes, struct error *err)
{
    struct sim_stream *st = (struct sim_stream *)base;
    CLEANUP(buffer_release) struct buffer b = BUFFER_INIT;
    size_t left, total = 0;

    if (st->host->dead || st->state != STREAM_OPEN)
        return error_set(err, EAGAIN, "not connected yet");
    if (!st->connection)
        return stream_error(st, err);
    for (unsigned i = 0; i < n_bytes; i++)
        total += v[i].size;
    if (total == 0)
        return 0;
    left = window_left(st);
    if (left == 0)
        return error_set(err, EAGAIN, "the peer does not read fast enough");
    if (left > total)
        left = total;
    if (left > 1 && sim_chance(sim_of(st->host), 1, 8))
        left = 1 + (size_t)sim_random_below(sim_of(st->host), left);
    for (unsigned i = 0; i < n_bytes && buffer_length(&b) < left; i++) {
        size_t room = left - buffer_length(&b);
        buffer_append(&b, v[i].data, v[i].size < room ? v[i].size : room);
    }
    stream_send(st, buffer_data(&b), left);
    sim_net_stream_schedule(st);
    return (ssize_t)left;
}

static void stream_set_want(struct stream *base, bool readable, bool writable)
{
    struct sim_stream *st = (struct sim_stream *)base;

    st->want_read = readable;
    st->want_write = writable;
    sim_net_stream_schedule(st);
}

static void stream_attach_to(struct stream *base, struct loop *l,
                             const struct stream_events *events, void *arg)
{
    struct sim_stream *st = (struct sim_stream *)base;

    st->loop = sim_loop(l);
    st->events = *events;
    st->arg = arg;
    sim_net_stream_schedule(st);
}

void sim_net_stream_leave(struct sim_stream *st, enum segment_kind last)
{
    struct connection *c = st->connection;

    if (!c)
        return;
    struct way *w = &c->way[st->side];
    if (c->end[!st->side] && !w->broken)
        sim_net_way_send(w, last, NULL, 0);
    w->broken = w->broken || last == SEGMENT_RESET;
    sim_net_end_detach(st, 0);
    sim_net_connection_free_unused(c);
}

static void stream_end(struct stream *base)
{
    struct sim_stream *st = (struct sim_stream *)base;

    sim_net_stream_leave(st, SEGMENT_FIN);
    st->closed = true;
    sim_net_stream_schedule(st);
    if (!st->busy)
        sim_net_stream_free(st);
}

static const struct stream_ops stream_ops = {
    .read = stream_read_some,
    .write = stream_write_some,
    .want = stream_set_want,
    .attach = stream_attach_to,
    .close = stream_end,
};

/* ---- ends of loops, OS processes and nodes ---- */

void sim_net_loop_stopped(struct sim_loop *l)
{
    list_each (st, &l->host->streams, struct sim_stream, link)
        if (st->loop == l) {
            st->loop = NULL;
            sim_event_cancel(sim_of(l->host), &st->connect);
            sim_net_stream_schedule(st);
        }
    list_each (ls, &l->host->listeners, struct sim_listener, link)
        if (ls->loop == l)
            sim_net_listener_silence(ls);
    list_each_safe (r, &l->resolves, struct sim_resolve, link)
        sim_net_resolve_free(r);
}

static bool is_pipe(const struct sim_stream *st)
{
    return st->path && !*st->path;
}

/* The kernel closes what the OS process had open: with a FIN, or with a RESET
 * where something was left unread; pipes just end. */
void sim_net_cease(struct sim_host *h)
{
    struct sim *s = sim_of(h);

    list_each (ls, &h->listeners, struct sim_listener, link)
        sim_net_listener_silence(ls);
    list_each (st, &h->streams, struct sim_stream, link) {
        sim_event_cancel(s, &st->connect);
        sim_net_stream_leave(st, !is_pipe(st) && (buffer_length(&st->received) > 0 ||
                                                  sim_chance(s, 1, 3))
                                     ? SEGMENT_RESET
                                     : SEGMENT_FIN);
        sim_net_stream_schedule(st);
    }
    list_each (l, &h->loops, struct sim_loop, link)
        list_each (r, &l->resolves, struct sim_resolve, link)
            sim_event_cancel(s, &r->event);
}

void sim_net_free(struct sim_host *h)
{
    list_each_safe (ls, &h->listeners, struct sim_listener, link)
        sim_net_listener_close(&ls->base);
    list_each_safe (st, &h->streams, struct sim_stream, link)
        stream_end(&st->base);
}
