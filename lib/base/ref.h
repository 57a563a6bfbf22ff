/* ref.h - counted ownership: the one counter of the project
 *
 * An object embeds a `struct ref`.  It is created with one reference; the last
 * unref runs the destructor, once.  A weak reference keeps the counter's block
 * alive, not the object, and can be tried for a strong one.  Counts are atomic:
 * references may be taken and given back on any thread.
 */
#ifndef REF_H
#define REF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct ref { _Atomic uint32_t count; };

static inline void ref_init(struct ref *r) { atomic_init(&r->count, 1); }

/* Relaxed: who takes a reference has one already. */
static inline void ref_get(struct ref *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* True for the one caller that must destroy the object.  Release, so that what
 * others did to the object is seen by that caller; acquire, so that it is. */
static inline bool ref_put(struct ref *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

/* Gives back the only reference, or none: true when there was just this one. */
static inline bool ref_put_only(struct ref *r)
{
    uint32_t one = 1;

    return atomic_compare_exchange_strong_explicit(&r->count, &one, 0, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* For weak references: false when the count has reached zero. */
static inline bool ref_try(struct ref *r)
{
    uint32_t n = atomic_load_explicit(&r->count, memory_order_relaxed);

    while (n > 0)
        if (atomic_compare_exchange_weak_explicit(&r->count, &n, n + 1, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static inline uint32_t ref_count(const struct ref *r)
{
    return atomic_load_explicit(&r->count, memory_order_relaxed);
}

#endif
