/* shared_future.c - a shared thing that becomes one's own, when the others have let go */
#include "process/shared_future.h"

#include <errno.h>

static void release(void *value)
{
    owned_reset(value);
}

FUTURE_TYPE_DEFINE(shared_future, struct owned, release);

/* On the last other owner's thread. */
static void inherit(void *arg, struct owned o)
{
    struct promise *p = arg;

    shared_future_set(p, o); /* released when it was discarded meanwhile */
    promise_unref(p);
}

struct future *shared_future_own(struct shared *s)
{
    struct promise *p = shared_future_promise();
    struct future *f = promise_future(p);

    if (!shared_bequeath(s, inherit, p)) {
        promise_fail(p, EBUSY, "somebody else is to own it");
        promise_unref(p);
        shared_reset(s);
    }
    return f;
}

struct owned shared_future_take(struct future *f)
{
    return owned_move((struct owned *)shared_future_get(f));
}
