/* process_unknown.c - messages that a process has no handler for
 *
 *   somebody was named for them (process_delegate) → go on to it as they came
 *   nobody was → dropped and counted; logged the first time
 *
 * Who sends unknown names may send very many: only so many are remembered, and
 * what comes then is not logged.
 */
#include "process/core.h"

#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "process/metrics.h"

enum { MOST_LOGGED = 100 };

/* ---- to somebody else ---- */

struct delegation {
    struct delegation *next;
    struct pid to;
    char name[];
};

static struct delegation *find(const struct process *p, const char *name)
{
    struct delegation *d = p->delegations;

    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    return d;
}

void process_delegate(struct process *self, const char *name, const struct pid *to)
{
    struct delegation *d = find(self, name);
    size_t size = strlen(name) + 1;

    CHECK(self == process_current() && !worker_of_thread()->finalizing);
    if (!d) {
        d = mem_alloc(sizeof *d + size);
        memcpy(d->name, name, size);
        d->next = self->delegations;
        self->delegations = d;
    }
    pid_assign(&d->to, to);
}

const struct pid *process_find_delegate(const struct process *p, const char *name)
{
    const struct delegation *d = find(p, name);

    return d ? &d->to : NULL;
}

void process_delegations_release(struct process *p)
{
    struct delegation *d;

    while ((d = p->delegations)) {
        p->delegations = d->next;
        pid_release(&d->to);
        mem_free(d);
    }
}

/* ---- to nobody ---- */

/* One that was logged: by the class of its receiver and its own name. */
struct unknown_name {
    UT_hash_handle hh;
    char key[];
};

/* With the names lock held. */
static bool remember(struct runtime *rt, const char *key, size_t length)
{
    struct unknown_name *u;

    HASH_FIND(hh, rt->unknown, key, length, u);
    if (u || HASH_COUNT(rt->unknown) >= MOST_LOGGED)
        return false;
    u = mem_alloc(sizeof *u + length + 1);
    memcpy(u->key, key, length);
    HASH_ADD_KEYPTR(hh, rt->unknown, u->key, length, u);
    return true;
}

void process_note_unknown(struct process *p, const struct pid *from, const char *name)
{
    struct runtime *rt = p->runtime;
    char *key = mem_printf("%s %s", p->class->name, name), sender[PID_TEXT];

    pthread_mutex_lock(&rt->names_lock);
    bool is_new = remember(rt, key, strlen(key));
    pthread_mutex_unlock(&rt->names_lock);
    mem_free(key);
    counter_add(metrics_counter(rt, "process/messages_unknown"), 1);
    if (is_new)
        log_warning("%s has no handler for %s from %s: dropped, from now on silently",
                    p->pid.id->bytes, name,
                    pid_is_empty(from) ? "somebody" : pid_text(from, sender, sizeof sender));
}

void process_unknown_release(struct runtime *rt)
{
    struct unknown_name *u, *next;

    HASH_ITER(hh, rt->unknown, u, next)
    {
        HASH_DEL(rt->unknown, u);
        mem_free(u);
    }
}
