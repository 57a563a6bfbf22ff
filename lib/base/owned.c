/* owned.c - references to things that know how to end
 *
 * A shared thing has a block with two counters: its owners, and those who need
 * the block.  All owners together count as one of the latter, so the block
 * outlives the thing as long as a weak reference looks at it.
 */
#include "base/owned.h"

#include "base/memory.h"
#include "base/ref.h"

struct heir {
    shared_heir_f heir;
    void *arg;
};

struct shared_block {
    struct ref owners, watchers;
    void *thing;
    release_f release;
    _Atomic(struct heir *) heir; /* set by one owner, read when there is none */
};

static void release_thing(void *thing, release_f release)
{
    if (thing && release)
        release(thing);
}

struct owned owned_create(void *thing, release_f release)
{
    return (struct owned){ thing, release };
}

void *owned_get(const struct owned *o)
{
    return o->thing;
}

struct owned owned_move(struct owned *o)
{
    struct owned moved = *o;

    *o = (struct owned){ 0 };
    return moved;
}

void *owned_take(struct owned *o)
{
    return owned_move(o).thing;
}

void owned_reset(struct owned *o)
{
    struct owned last = owned_move(o);          /* empty before release can look at it */

    release_thing(last.thing, last.release);
}

struct shared shared_create(void *thing, release_f release)
{
    struct shared_block *b;

    if (!thing)
        return (struct shared){ NULL };
    b = mem_alloc(sizeof *b);
    ref_init(&b->owners);
    ref_init(&b->watchers);
    b->thing = thing;
    b->release = release;
    return (struct shared){ b };
}

struct shared shared_from_owned(struct owned *o)
{
    struct owned moved = owned_move(o);

    return shared_create(moved.thing, moved.release);
}

void *shared_get(const struct shared *s)
{
    return s->block ? s->block->thing : NULL;
}

struct shared shared_dup(const struct shared *s)
{
    if (s->block)
        ref_get(&s->block->owners);
    return *s;
}

static void stop_watching(struct shared_block *b)
{
    if (ref_put(&b->watchers))
        mem_free(b);
}

/* Nobody owns it any more; ref_put's acquire makes all that owners did seen here. */
static void end_sharing(struct shared_block *b)
{
    struct heir *h = atomic_load_explicit(&b->heir, memory_order_acquire);

    if (h)
        h->heir(h->arg, owned_create(b->thing, b->release));
    else
        release_thing(b->thing, b->release);
    mem_free(h);
}

void shared_reset(struct shared *s)
{
    struct shared_block *b = s->block;

    s->block = NULL;
    if (!b || !ref_put(&b->owners))
        return;
    end_sharing(b);
    stop_watching(b);
}

bool shared_bequeath(struct shared *s, shared_heir_f heir, void *arg)
{
    struct heir *h, *none = NULL;

    if (!s->block)
        return false;
    h = mem_alloc(sizeof *h);
    *h = (struct heir){ heir, arg };
    /* Release: what it holds; acquire for nothing, as the loser does not look at the other. */
    if (!atomic_compare_exchange_strong_explicit(&s->block->heir, &none, h, memory_order_release,
                                                 memory_order_relaxed)) {
        mem_free(h);
        return false;
    }
    shared_reset(s);
    return true;
}

uint32_t shared_use_count(const struct shared *s)
{
    return s->block ? ref_count(&s->block->owners) : 0;
}

struct owned shared_own(struct shared *s)
{
    struct shared_block *b = s->block;
    struct owned o = { 0 };

    if (!b || !ref_put_only(&b->owners))
        return o;
    s->block = NULL;
    if (atomic_load_explicit(&b->heir, memory_order_acquire))
        end_sharing(b);
    else
        o = owned_create(b->thing, b->release);
    stop_watching(b);
    return o;
}

struct weak weak_create(const struct shared *s)
{
    if (s->block)
        ref_get(&s->block->watchers);
    return (struct weak){ s->block };
}

struct shared weak_get(const struct weak *w)
{
    if (w->block && ref_try(&w->block->owners))
        return (struct shared){ w->block };
    return (struct shared){ NULL };
}

void weak_reset(struct weak *w)
{
    struct shared_block *b = w->block;

    w->block = NULL;
    if (b)
        stop_watching(b);
}
