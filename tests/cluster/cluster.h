/* cluster.h - a whole cluster in one OS process, on the simulated host
 *
 * A node for the master, one for each agent and each framework.  Every role is
 * an OS process of its own (a host, a runtime, and the role's actors), which
 * can be started, killed (kill -9) and started again at any moment between two
 * steps.  A role that ends itself is started again a little later, as an init
 * system would.  What the frameworks want and heard is in work.h, what really
 * happened in ledger.h.
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/instant.h"
#include "base/list.h"
#include "ledger.h"
#include "process/sim.h"
#include "work.h"

struct cluster;
struct runtime;

enum { CLUSTER_AGENTS_MAX = 8, CLUSTER_FRAMEWORKS_MAX = 4, CLUSTER_RING = 400, CLUSTER_LINE = 200 };

enum role { ROLE_MASTER, ROLE_AGENT, ROLE_FRAMEWORK };

/* One role on its node. */
struct part {
    struct cluster *cluster;
    enum role role;
    unsigned index;
    char name[16]; /* "master", "agent1", "framework1" */
    uint32_t ip;
    struct sim_node *node;
    struct host *host; /* NULL: it does not run */
    struct runtime *rt;
    struct log *log;
    void *actor;       /* struct master, agent; NULL for a framework */
    struct work *work; /* of a framework */
    bool stays_down;   /* until the test starts it */
    struct instant restart;
    unsigned starts, events;
};

struct cluster_options {
    uint64_t seed;
    unsigned agents, frameworks; /* 0: one of each */
    const char *resources;       /* of each agent; NULL: "cpus:4;mem:4096;disk:10000" */
    bool not_partition_aware;    /* the frameworks with an even number, from 2 on, are never */
    double failover_timeout;     /* of the frameworks, seconds; 0: a week */
    unsigned check_every;        /* events of a role between two checks of its books; 0: 16 */
    FILE *trace;                 /* all events, one a line; NULL: none */
    bool log;                    /* the roles' log lines to stderr */
};

struct cluster {
    struct cluster_options options;
    struct sim *sim;
    struct ledger *ledger;
    struct part master, agents[CLUSTER_AGENTS_MAX], frameworks[CLUSTER_FRAMEWORKS_MAX];
    struct list watches; /* struct watch_for */
    uint64_t events, trace_hash, ticks;
    struct instant network_is_true; /* from here on no connection is half open (faults.c) */
    unsigned restarts[3], self_ends[3];    /* by role */
    char ring[CLUSTER_RING][CLUSTER_LINE]; /* the last events */
    uint64_t ring_next;
};

struct cluster *cluster_create(const struct cluster_options *options);
void cluster_destroy(struct cluster *c);

/* ---- roles: between steps only ---- */

void cluster_start(struct part *p); /* failing to start: tried again later */
void cluster_kill(struct part *p);  /* kill -9; nothing happens when it is down */
void cluster_restart(struct part *p);
void cluster_crash(struct part *p);            /* its whole node loses power; stays down */
int cluster_kill_launcher(struct part *agent); /* -1: none runs */
void cluster_partition(struct part *a, struct part *b, bool cut); /* both ways */

/* ---- waiting: false when the time is over ---- */

bool cluster_wait(struct cluster *c, bool (*done)(struct cluster *c), struct duration limit);
void cluster_run(struct cluster *c, struct duration d);
bool cluster_all_ended(struct cluster *c); /* each task of each framework that is not out */
bool cluster_is_quiet(struct cluster *c);  /* nothing is left over (properties.h) */

/* ---- seeing messages ----
 *
 * Messages by the last part of their name ("RunTaskMessage"; "Call" of a
 * scheduler also by its type, "Call:ACCEPT"), with the id of the receiving process
 * in front where it matters ("slave(1)/..."), as they are about to be handled. */

struct watch_for {
    struct list link;
    struct cluster *cluster;
    char name[48];
    unsigned seen, drop, breaks; /* so many are still to be dropped, or to break their connection */
    struct part *breaking;
    uint32_t peer;
};

struct watch_for *cluster_watch(struct cluster *c, const char *name);
/* Drops the next n; only of those that have a retry. */
struct watch_for *cluster_drop(struct cluster *c, const char *name, unsigned n);
/* The connections between its sender's and its receiver's node break when it is seen next. */
struct watch_for *cluster_break_at(struct cluster *c, const char *name);
bool cluster_wait_for(struct watch_for *w, unsigned times, struct duration limit);

void cluster_print_last(struct cluster *c, FILE *out, unsigned n);

#endif
