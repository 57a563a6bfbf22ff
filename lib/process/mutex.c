/* mutex.c - one at a time, for deeds that take several events */
#include "process/mutex.h"

#include "base/memory.h"
#include "process/waiters.h"

struct mutex {
    struct waiters *waiters;
};

struct mutex *mutex_create(void)
{
    struct mutex *m = mem_alloc(sizeof *m);

    m->waiters = waiters_create(NULL);
    return m;
}

void mutex_destroy(struct mutex *m)
{
    if (!m)
        return;
    waiters_close(m->waiters);
    waiters_unref(m->waiters);
    mem_free(m);
}

struct future *mutex_lock(struct mutex *m)
{
    return waiters_lock(m->waiters);
}

void mutex_unlock(struct mutex *m)
{
    waiters_unlock(m->waiters);
}
