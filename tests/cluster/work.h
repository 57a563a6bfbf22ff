/* work.h - what a framework of the simulated cluster wants, and what it was told
 *
 * A list of tasks that outlives the framework's OS process, as a job log on a
 * disk would.  It takes offers while tasks wait, declines and suppresses when
 * none does, asks for those that are not known to have ended (reconciliation)
 * after each subscription and every half minute, and says kills again until
 * they worked.  Every end that it is told is compared with the first one.
 */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/list.h"
#include "proto/mesos.pb-c.h"

struct error;
struct host;
struct ledger;
struct message;
struct runtime;
struct work;
struct work_run;

struct work_task {
    struct list link;
    struct work *work;
    char id[48];
    char command[64]; /* sim_launcher.h */
    bool custom;      /* run by the custom executor */
    bool http;        /* ... that speaks HTTP */
    const char *uri;  /* to be fetched before it starts; with "missing" in it that fails */
    double cpus, mem;
    bool launched, kill;
    char agent[96];      /* its id, once launched */
    Pb__TaskState state; /* the last that was told */
    unsigned told_end;
    bool has_end, has_uuid_end; /* any end; one with a uuid, which is the agent's */
    Pb__TaskState end, uuid_end;
    uint8_t uuid[16];
    char message[120]; /* of the last status */
};

/* The driver believes in it until it answers, or is told otherwise. */
struct held_offer {
    struct list link;
    struct message *offer; /* Pb__Offer */
    struct instant unknown; /* since when the master does not have it, as far as we see */
};

struct work {
    struct ledger *ledger;
    unsigned number;
    bool partition_aware, explicit_acknowledgements, checkpoint;
    double failover_timeout;
    char id[96]; /* of the framework, "" until it has one */
    struct list tasks;
    struct list held; /* struct held_offer: neither used nor declined yet */
    unsigned n_tasks, offers_seen, offers_declined, rescinds, losses;
    bool is_subscribed, is_out; /* out: the master refused it */
    bool declines_all;          /* for tests: with refuse_seconds 1 */
    char error[160];
    struct work_run *run; /* its OS process now; NULL: none */
};

struct work *work_create(struct ledger *l, unsigned number);
void work_destroy(struct work *w);

struct work_task *work_add(struct work *w, const char *command, double cpus, double mem);
void work_kill(struct work_task *t); /* from outside, at any time */
void work_teardown(struct work *w);
bool work_has_ended(const struct work *w); /* every task */
unsigned work_count(const struct work *w, Pb__TaskState end);

/* The framework's OS process. */
int work_start(struct work *w, struct host *h, struct runtime *rt, const char *master,
               struct error *err);
void work_stop(struct work *w);

#endif
