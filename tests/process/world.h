/* world.h - two simulated nodes: a client on a, a server on b */
#ifndef WORLD_H
#define WORLD_H

#include "process/sim.h"
#include "tests/process/peer.h"

#define IP_A 0x0a000001u
#define IP_B 0x0a000002u
#define PORT 5050

struct world {
    struct sim *sim;
    struct sim_node *a, *b;
    struct host *ha, *hb;
    struct loop *la, *lb;
    struct listener *listener;
    struct peer client, server;
};

struct world world_start(uint64_t seed);
void world_stop(struct world *w);

/* A loop with nothing of its own to do. */
struct loop *world_loop(struct host *h);

void world_listen_b(struct world *w);
void world_connect_a(struct world *w);
void world_accept(void *arg, struct stream *s); /* what the server does; arg is the world */
void world_connect(struct world *w);            /* both, until they are connected */
void world_stop_b(struct world *w);

void world_client_sends(struct world *w, size_t n);

/* Conditions for sim_run_until(); arg is the world. */
bool world_connected(void *arg);
bool world_client_failed(void *arg);
bool world_server_got_all(void *arg);

#endif
