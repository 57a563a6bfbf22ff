/* ledger.h - what really happened in a simulated cluster
 *
 * Kept outside of all simulated memories and disks, so that nothing that dies
 * in the simulation can forget it: which commands were started and how they
 * ended, which acknowledgements are durable, what the registry has promised.
 * What contradicts a promise of the product is a violation; the first one
 * stays.  Of one OS process there is one ledger, which the simulated programs
 * find by ledger_current.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "base/compiler.h"
#include "base/list.h"

struct host;
struct launcher_instance;

#define LEDGER_VIOLATION 400

/* One task of one framework, as the machines saw it. */
struct ledger_task {
    char *key; /* "<framework id>/<task id>" */
    unsigned starts;
    bool ended, killed_by_us; /* ended: its command came to an end by itself or a signal */
    int status;               /* waitpid's */
    UT_hash_handle hh;
};

/* An update whose acknowledgement an agent has recorded durably. */
struct ledger_uuid {
    uint8_t uuid[16];
    UT_hash_handle hh;
};

/* What the registry may say of an agent after any crash: a bit for each state. */
struct ledger_agent {
    char *id;
    unsigned allowed, asked; /* asked: changes that were not answered yet */
    UT_hash_handle hh;
};

struct ledger {
    struct ledger_task *tasks;
    struct ledger_uuid *durable;
    struct ledger_agent *agents;
    struct list launchers; /* struct launcher_instance, those that run */
    struct list running;   /* struct supervisor, those that run */
    uint64_t next_launcher;
    unsigned supervisors; /* OS processes that run on behalf of tasks */
    uint64_t starts, durable_count;
    char violation[LEDGER_VIOLATION]; /* "" while all is well */
};

struct ledger *ledger_create(void); /* and makes it the current one */
void ledger_destroy(struct ledger *l);
struct ledger *ledger_current(void);

void ledger_violate(struct ledger *l, const char *fmt, ...) PRINTF(2, 3);
/* The first start of a task's command is fine, another is a violation. */
struct ledger_task *ledger_start(struct ledger *l, const char *framework, const char *task);
struct ledger_task *ledger_find(struct ledger *l, const char *framework, const char *task);

void ledger_record_durable(struct ledger *l, const uint8_t uuid[16]);
bool ledger_is_durable(const struct ledger *l, const uint8_t uuid[16]);

/* Registry: asked for, answered; and what was found at a recovery (0: nothing). */
void ledger_registry_asked(struct ledger *l, const char *agent, unsigned state_bit);
void ledger_registry_answered(struct ledger *l, const char *agent, unsigned state_bit);
void ledger_registry_found(struct ledger *l, const char *agent, unsigned state_bit);

#endif
