/* host_sim_fault.c - what goes wrong in the simulated network
 *
 * Breaks, silence, cuts, refusals, delays, and what a loss of power does to the
 * connections of a node.
 */
#include "base/check.h"
#include "base/memory.h"
#include "process/host_sim_net.h"

/* Of what is in flight any suffix is lost. */
static void way_lose_suffix(struct way *w)
{
    struct sim *s = w->connection->sim;
    size_t keep = (size_t)sim_random_below(s, w->in_flight + 1), lost = w->in_flight - keep;

    s->counts.lost_bytes += lost;
    list_each_safe (g, &w->segments, struct segment, link) {
        size_t stays = g->size < keep ? g->size : keep;
        keep -= stays;
        w->in_flight -= g->size - stays;
        g->size = stays;
        if (stays == 0)
            sim_net_segment_drop(w, g);
    }
}

static void connection_break(struct connection *c)
{
    struct sim *s = c->sim;

    s->counts.breaks++;
    c->silent = false;
    for (unsigned i = 0; i < 2; i++) {
        struct way *w = &c->way[i];
        sim_event_cancel(s, &w->idle);
        way_lose_suffix(w);
        w->broken = true;
        w->stuck_since = -1;
        w->unacknowledged = 0;
        sim_net_way_send(w, SEGMENT_RESET, NULL, 0);
        list_each (g, &w->segments, struct segment, link)
            g->forced = true;
        sim_net_way_schedule(w);
    }
}

static bool is_breakable(const struct connection *c)
{
    return !c->is_path && !c->silent && c->end[0] && c->end[1] && !c->way[0].broken &&
           !c->way[1].broken;
}

static void connection_silence(struct connection *c)
{
    c->sim->counts.silences++;
    c->silent = true;
    for (unsigned i = 0; i < 2; i++) {
        sim_net_way_schedule(&c->way[i]);
        sim_net_way_unheard(&c->way[i], SIM_GIVE_UP);
    }
}

static struct connection *any_connection(struct sim *s)
{
    uint64_t n = 0;

    list_each (c, &s->connections, struct connection, link)
        n += is_breakable(c);
    if (n == 0)
        return NULL;
    n = sim_random_below(s, n);
    list_each (c, &s->connections, struct connection, link)
        if (is_breakable(c) && n-- == 0)
            return c;
    UNREACHABLE();
}

bool sim_break_one_connection(struct sim *s)
{
    struct connection *c = any_connection(s);

    if (c)
        connection_break(c);
    return c != NULL;
}

bool sim_silence_one_connection(struct sim *s)
{
    struct connection *c = any_connection(s);

    if (c)
        connection_silence(c);
    return c != NULL;
}

void sim_break_connections(struct sim_node *a, struct sim_node *b)
{
    list_each (c, &a->sim->connections, struct connection, link)
        if (is_breakable(c) &&
            ((c->node[0] == a && c->node[1] == b) || (c->node[0] == b && c->node[1] == a)))
            connection_break(c);
}

/* A node without power sends no more; its peers find out by a reset, or when
 * they are not answered. */
static void connection_lose_node(struct connection *c, unsigned side)
{
    struct sim *s = c->sim;
    struct sim_stream *st = c->end[side];

    way_lose_suffix(&c->way[side]);
    if (sim_chance(s, 1, 2) && !c->way[side].broken) {
        sim_net_way_send(&c->way[side], SEGMENT_RESET, NULL, 0);
        c->way[side].broken = true;
    } else {
        sim_net_way_unheard(&c->way[!side], SIM_GIVE_UP);
    }
    sim_net_end_detach(st, 0);
}

void sim_net_crash(struct sim_node *n)
{
    list_each_safe (c, &n->sim->connections, struct connection, link) {
        for (unsigned i = 0; i < 2; i++)
            if (c->end[i] && c->node[i] == n)
                connection_lose_node(c, i);
        sim_net_connection_free_unused(c);
    }
}

void sim_delay(struct sim *s, struct duration min, struct duration max)
{
    CHECK(min.ns >= 0 && min.ns <= max.ns);
    s->delay_min = min.ns;
    s->delay_max = max.ns;
}

/* Probes and their answers need both directions.  The last probe that was
 * answered is up to a minute ago. */
static void probe_connections(struct sim_node *a, struct sim_node *b, bool cut)
{
    list_each (c, &a->sim->connections, struct connection, link) {
        if (!(c->node[0] == a && c->node[1] == b) && !(c->node[0] == b && c->node[1] == a))
            continue;
        for (unsigned i = 0; i < 2; i++)
            if (cut)
                sim_net_way_unheard(&c->way[i], sim_pick(a->sim, SIM_GIVE_UP / 2, SIM_GIVE_UP));
            else
                sim_net_way_heard(&c->way[i]);
    }
}

void sim_cut(struct sim_node *a, struct sim_node *b, bool cut)
{
    for (size_t i = 0; i < a->n_cuts; i++)
        if (a->cuts[i] == b)
            a->cuts[i--] = a->cuts[--a->n_cuts];
    if (cut) {
        a->cuts = mem_realloc(a->cuts, (a->n_cuts + 1) * sizeof(struct sim_node *));
        a->cuts[a->n_cuts++] = b;
    }
    probe_connections(a, b, cut || sim_net_is_cut(b, a));
}

void sim_refuse_connects(struct sim_node *to, bool refuse)
{
    to->refusing = refuse;
}
