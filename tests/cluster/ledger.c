/* ledger.c - what really happened in a simulated cluster */
#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

static struct ledger *current;

struct ledger *ledger_create(void)
{
    struct ledger *l = mem_alloc(sizeof *l);

    CHECK(!current);
    list_init(&l->launchers);
    list_init(&l->running);
    current = l;
    return l;
}

void ledger_destroy(struct ledger *l)
{
    struct ledger_task *t, *next_task;
    struct ledger_uuid *u, *next_uuid;
    struct ledger_agent *a, *next_agent;

    if (!l)
        return;
    HASH_ITER(hh, l->tasks, t, next_task)
    {
        HASH_DEL(l->tasks, t);
        mem_free(t->key);
        mem_free(t);
    }
    HASH_ITER(hh, l->durable, u, next_uuid)
    {
        HASH_DEL(l->durable, u);
        mem_free(u);
    }
    HASH_ITER(hh, l->agents, a, next_agent)
    {
        HASH_DEL(l->agents, a);
        mem_free(a->id);
        mem_free(a);
    }
    current = NULL;
    mem_free(l);
}

struct ledger *ledger_current(void)
{
    CHECK(current);
    return current;
}

void ledger_violate(struct ledger *l, const char *fmt, ...)
{
    va_list args;

    if (l->violation[0])
        return;
    va_start(args, fmt);
    vsnprintf(l->violation, sizeof l->violation, fmt, args);
    va_end(args);
}

/* ---- commands ---- */

struct ledger_task *ledger_find(struct ledger *l, const char *framework, const char *task)
{
    CLEANUP(mem_free_p) char *key = mem_printf("%s/%s", framework, task);
    struct ledger_task *t;

    HASH_FIND_STR(l->tasks, key, t);
    return t;
}

struct ledger_task *ledger_start(struct ledger *l, const char *framework, const char *task)
{
    struct ledger_task *t = ledger_find(l, framework, task);

    if (!t) {
        t = mem_alloc(sizeof *t);
        t->key = mem_printf("%s/%s", framework, task);
        HASH_ADD_KEYPTR(hh, l->tasks, t->key, strlen(t->key), t);
    }
    l->starts++;
    if (++t->starts > 1)
        ledger_violate(l, "the command of task %s was started %u times", t->key, t->starts);
    return t;
}

/* ---- acknowledgements ---- */

bool ledger_is_durable(const struct ledger *l, const uint8_t uuid[16])
{
    struct ledger_uuid *u;

    HASH_FIND(hh, l->durable, uuid, 16, u);
    return u != NULL;
}

void ledger_record_durable(struct ledger *l, const uint8_t uuid[16])
{
    struct ledger_uuid *u;

    if (ledger_is_durable(l, uuid))
        return;
    u = mem_alloc(sizeof *u);
    memcpy(u->uuid, uuid, sizeof u->uuid);
    HASH_ADD(hh, l->durable, uuid, sizeof u->uuid, u);
    l->durable_count++;
}

/* ---- the registry ---- */

static struct ledger_agent *registry_agent(struct ledger *l, const char *id)
{
    struct ledger_agent *a;

    HASH_FIND_STR(l->agents, id, a);
    if (a)
        return a;
    a = mem_alloc(sizeof *a);
    a->id = mem_strdup(id);
    a->allowed = 1u << 0;
    HASH_ADD_KEYPTR(hh, l->agents, a->id, strlen(a->id), a);
    return a;
}

void ledger_registry_asked(struct ledger *l, const char *agent, unsigned state_bit)
{
    struct ledger_agent *a = registry_agent(l, agent);

    a->allowed |= state_bit;
    a->asked++;
}

/* Answers come in the order of the questions: the last one decides. */
void ledger_registry_answered(struct ledger *l, const char *agent, unsigned state_bit)
{
    struct ledger_agent *a = registry_agent(l, agent);

    if (a->asked > 0 && --a->asked == 0)
        a->allowed = state_bit;
}

void ledger_registry_found(struct ledger *l, const char *agent, unsigned state_bit)
{
    struct ledger_agent *a = registry_agent(l, agent);

    if (!(a->allowed & state_bit))
        ledger_violate(l, "the registry says %#x of agent %s, what was acknowledged allows %#x",
                       state_bit, agent, a->allowed);
    a->allowed = state_bit;
    a->asked = 0;
}
