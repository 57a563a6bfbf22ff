/* world.c - two simulated nodes: a client on a, a server on b */
#include "tests/process/world.h"

#include <check.h>

#include "base/check.h"

void world_accept(void *arg, struct stream *s)
{
    struct world *w = arg;

    stream_close(w->server.stream);
    w->server.stream = s;
    w->server.connected = true;
    stream_attach(s, w->lb, &peer_events, &w->server);
    peer_want(&w->server);
}

static bool no_more(void *arg)
{
    (void)arg;
    return false;
}

struct loop *world_loop(struct host *h)
{
    return host_loop_start(h, no_more, NULL);
}

void world_listen_b(struct world *w)
{
    struct address bound;

    w->listener = host_listen(w->lb, (struct address){ IP_B, PORT }, world_accept, w, &bound, NULL);
    CHECK(w->listener && bound.port == PORT); /* also outside of check, see workload */
}

struct world world_start(uint64_t seed)
{
    struct world w = { .sim = sim_create(seed) };

    w.a = sim_node_create(w.sim, "a", IP_A);
    w.b = sim_node_create(w.sim, "b", IP_B);
    w.ha = sim_host_create(w.a, "client");
    w.hb = sim_host_create(w.b, "server");
    w.la = world_loop(w.ha);
    w.lb = world_loop(w.hb);
    return w;
}

void world_connect_a(struct world *w)
{
    w->client.stream =
        host_connect(w->la, (struct address){ IP_B, PORT }, &peer_events, &w->client);
}

void world_stop_b(struct world *w)
{
    peer_release(&w->server);
    host_listener_close(w->listener);
    w->listener = NULL;
    host_loop_stop(w->lb);
    host_destroy(w->hb);
}

void world_stop(struct world *w)
{
    peer_release(&w->client);
    world_stop_b(w);
    host_loop_stop(w->la);
    host_destroy(w->ha);
    sim_destroy(w->sim);
}

bool world_connected(void *arg)
{
    struct world *w = arg;
    return w->client.connected && w->server.connected;
}

bool world_client_failed(void *arg)
{
    return ((struct world *)arg)->client.failure != 0;
}

bool world_server_got_all(void *arg)
{
    struct world *w = arg;
    return buffer_length(&w->server.got) == w->client.to_send;
}

void world_connect(struct world *w)
{
    world_listen_b(w);
    world_connect_a(w);
    ck_assert(sim_run_until(w->sim, world_connected, w, SECONDS(10)));
}

void world_client_sends(struct world *w, size_t n)
{
    w->client.to_send += n;
    peer_want(&w->client);
}
