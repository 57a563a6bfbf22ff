/* future_private.h - the insides of a future, for future*.c and promise.c
 *
 * A hook waits in a future for its end, or for a discard to be asked for.  It
 * is taken out once and fired once, also when its future ended without a
 * discard.  Hooks of processes only push an event; they are fired with the
 * future's lock held, so that they arrive in the order they were asked for.  The
 * others do something at once, after the lock is given back: they go onto a
 * list of work, and what they settle adds to that list, so that a long chain
 * of futures settles without recursion.
 */
#ifndef FUTURE_PRIVATE_H
#define FUTURE_PRIVATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/ref.h"
#include "process/future.h"

struct hook {
    struct list link;
    bool for_discard;
    bool pushes;           /* fired with the lock held */
    struct future *future; /* while on a list of work: a reference */
    /* Consumes the hook; f is settled, or (for_discard) asked to be discarded. */
    void (*fire)(struct hook *h, struct future *f, struct list *work);
};

struct promise {
    struct ref ref;
};

struct future {
    struct ref ref;
    struct promise promise;          /* holds one reference to the future while it lives */
    _Atomic enum future_state state; /* written under the lock, last */
    _Atomic bool discard;
    bool abandoned;                 /* written before the state */
    uint16_t size;                  /* of all with the room, at most, in spares */
    const struct future_type *type; /* NULL: known when it is READY */
    void *value;                    /* READY */
    struct error *error;            /* FAILED */
    struct future *source;          /* has value or error instead */
    pthread_mutex_t lock;
    struct list hooks;
    struct future *upstream; /* PENDING: of which a discard is asked, too; or NULL */
    alignas(16) char room[]; /* for a value of the type, or what future_create was asked for */
};

/* PENDING, with a reference for its promise and one for the caller.  extra: how
 * many bytes of room for the caller's own purposes; then the type is not known yet. */
struct future *future_create(const struct future_type *type, size_t extra);

/* Adds the hook, or fires it when there is nothing to wait for. */
void future_hook(struct future *f, struct hook *h, struct list *work);
/* Takes it out again; false when it was taken out to be fired. */
bool future_unhook(struct future *f, struct hook *h);
void future_run_work(struct list *work);
void future_discard_into(struct future *f, struct list *work);
/* A discard asked of p's future, which nobody else has seen yet, is asked of
 * source too. */
void future_discard_with(struct future *source, struct promise *p);

/* How a future ends: all false when it has ended already.  end_like takes source,
 * which has ended. */
bool future_end_like(struct future *f, struct future *source, struct list *work);
bool future_end(struct future *f, enum future_state state, const struct future_type *type,
                const void *value, const struct error *err, struct list *work);

/* As ref_put, and cheaper for the only owner; there are no weak references. */
static inline bool future_put(struct ref *r)
{
    return atomic_load_explicit(&r->count, memory_order_acquire) == 1 || ref_put(r);
}

static inline struct future *promise_owner(struct promise *p)
{
    return (struct future *)((char *)p - offsetof(struct future, promise));
}

#endif
