/* agent_place.h - one agent on a simulated node, and a master that does as the test says
 *
 * The helper programs are those of tests/cluster/sim_launcher.h.  The fake
 * master registers the agent as "m-S0", keeps all that it is told, and
 * acknowledges updates at once unless it is told not to.
 */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/list.h"
#include "proto/messages.pb-c.h"

struct agent;
struct fake_master;
struct host;
struct ledger;
struct message;
struct runtime;
struct sim;
struct sim_node;

#define PLACE_AGENT "m-S0"
#define PLACE_FRAMEWORK "m-0001"

/* Something that the master was told; the newest last. */
struct told { struct list link; struct message *message; };

struct agent_place {
    struct sim *sim;
    struct ledger *ledger;
    struct sim_node *master_node, *agent_node;
    struct host *master_host, *agent_host;
    struct runtime *master_rt, *agent_rt;
    struct fake_master *master;
    struct agent *agent;
    const char *flags[4];              /* more flags of the agent */
    uint16_t agent_port;               /* 0: 5051 */
};

void place_start(struct agent_place *p);       /* the master, and an agent that has registered */
void place_stop(struct agent_place *p);
/* 0, or -1 and why. */
int place_start_agent(struct agent_place *p, struct error *err);
void place_stop_agent(struct agent_place *p);  /* in order */
void place_kill_agent(struct agent_place *p);  /* kill -9 */

/* ---- the master ---- */

void place_send(struct agent_place *p, const ProtobufCMessage *msg);     /* to the agent */
void place_acknowledge_all(struct agent_place *p, bool on);              /* from now on */
void place_acknowledge(struct agent_place *p, const Pb__StatusUpdate *update);
struct list *place_told(struct agent_place *p);                          /* of struct told */
/* How many messages of this type it was told; the last of them (NULL: none). */
unsigned place_count(struct agent_place *p, const ProtobufCMessageDescriptor *type);
const void *place_last(struct agent_place *p, const ProtobufCMessageDescriptor *type);

/* ---- tasks ---- */

struct place_task {
    const char *id, *command, *executor;   /* executor: a custom one's id; NULL: a command task */
    bool no_checkpoint, not_partition_aware;
    const char *cpus, *uri;                /* cpus: "1" unless given */
};
void place_run(struct agent_place *p, const struct place_task *task);
void place_kill(struct agent_place *p, const char *task);
/* The last update about the task that the master was told; NULL: none. */
const Pb__StatusUpdate *place_update(struct agent_place *p, const char *task);
unsigned place_updates(struct agent_place *p, const char *task, Pb__TaskState state);

/* Runs until the master was told so, or until nothing is left; fails the test after
 * ten virtual minutes. */
void place_await_state(struct agent_place *p, const char *task, Pb__TaskState state);
void place_await_registration(struct agent_place *p);
void place_await_count(struct agent_place *p, const ProtobufCMessageDescriptor *type, unsigned n);
void place_pass(struct agent_place *p, struct duration d);
unsigned place_starts(struct agent_place *p, const char *task);          /* of its command */
/* Whatever the test did, the agent's books are right. */
void place_check(struct agent_place *p);

#endif
