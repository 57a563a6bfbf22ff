/* spares.c - memory for what comes and goes, kept for the next
 *
 * An event is made on one thread and ended on another, which is what malloc is
 * slowest at: for every one the two would meet in one arena.  So a worker keeps
 * the blocks of the events and futures that it has ended for those that it
 * makes, and what is too many or too few goes in bundles to or from the
 * runtime's depot.  A thread that is no worker takes single blocks from the
 * depot, and gives none.
 *
 * The blocks are malloc's, each by itself: what is too many for the depot, too,
 * is given back, so a flood leaves little behind.  The address sanitizer sees
 * nothing of what is kept; then nothing is.
 */
#include "process/core.h"

#include "base/memory.h"

enum {
    BUNDLE = 64,
    BUNDLES_MAX = 256, /* of the smallest size: a megabyte */
#ifdef __SANITIZE_ADDRESS__
    KEEPS = 0,
#else
    KEEPS = 1,
#endif
};

struct spare {
    struct spare *next;
    struct spare *next_bundle; /* of the first in a bundle, in the depot */
};

/* Each is a block of malloc's of a power of 2. */
static size_t size_of(unsigned class)
{
    return ((size_t)64 << class) - 8;
}

/* SPARES_CLASSES: it is larger than what is kept. */
static unsigned class_of(size_t size)
{
    unsigned class = 0;

    while (class < SPARES_CLASSES && size > size_of(class))
        class++;
    return class;
}

static struct spare *pop(struct spare **list)
{
    struct spare *spare = *list;

    *list = spare->next;
    return spare;
}

static void free_all(struct spare *list)
{
    while (list)
        mem_free(pop(&list));
}

/* ---- the depot ---- */

static struct spare *take_bundle_locked(struct spares_depot *d, unsigned class)
{
    struct spare *bundle = d->bundles[class];

    if (bundle) {
        d->bundles[class] = bundle->next_bundle;
        atomic_fetch_sub_explicit(&d->n[class], 1, memory_order_relaxed);
    }
    return bundle;
}

static struct spare *take_bundle(struct spares_depot *d, unsigned class)
{
    struct spare *bundle;

    if (atomic_load_explicit(&d->n[class], memory_order_relaxed) == 0)
        return NULL;
    pthread_mutex_lock(&d->lock);
    bundle = take_bundle_locked(d, class);
    pthread_mutex_unlock(&d->lock);
    return bundle;
}

static void put_bundle(struct spares_depot *d, unsigned class, struct spare *bundle)
{
    bool fits;

    pthread_mutex_lock(&d->lock);
    fits = atomic_load_explicit(&d->n[class], memory_order_relaxed) < (size_t)BUNDLES_MAX >> class;
    if (fits) {
        bundle->next_bundle = d->bundles[class];
        d->bundles[class] = bundle;
        atomic_fetch_add_explicit(&d->n[class], 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&d->lock);
    if (!fits)
        free_all(bundle);
}

static struct spare *take_one(struct spares_depot *d, unsigned class)
{
    struct spare *spare = NULL;

    pthread_mutex_lock(&d->lock);
    if (!d->open[class])
        d->open[class] = take_bundle_locked(d, class);
    if (d->open[class])
        spare = pop(&d->open[class]);
    pthread_mutex_unlock(&d->lock);
    return spare;
}

void spares_depot_init(struct spares_depot *d)
{
    pthread_mutex_init(&d->lock, NULL);
}

void spares_depot_release(struct spares_depot *d)
{
    for (unsigned class = 0; class < SPARES_CLASSES; class++) {
        struct spare *bundle;

        while ((bundle = take_bundle(d, class)))
            free_all(bundle);
        free_all(d->open[class]);
    }
    pthread_mutex_destroy(&d->lock);
}

/* ---- a worker's ---- */

static struct spare *take_own(struct worker *w, unsigned class)
{
    struct spares *s = &w->spares[class];

    if (!s->open) {
        s->open = s->full ? s->full : take_bundle(&w->runtime->spares, class);
        s->full = NULL;
        s->n_open = s->open ? BUNDLE : 0;
    }
    if (!s->open)
        return NULL;
    s->n_open--;
    return pop(&s->open);
}

static void put_own(struct worker *w, unsigned class, struct spare *spare)
{
    struct spares *s = &w->spares[class];

    if (s->n_open == BUNDLE) {
        if (s->full)
            put_bundle(&w->runtime->spares, class, s->full);
        s->full = s->open;
        s->open = NULL;
        s->n_open = 0;
    }
    spare->next = s->open;
    s->open = spare;
    s->n_open++;
}

void *spares_take(struct runtime *rt, size_t size)
{
    struct worker *w = worker_of_thread();
    unsigned class = class_of(size);
    void *spare = NULL;

    if (!KEEPS || class == SPARES_CLASSES)
        return mem_alloc(size);
    if (w)
        spare = take_own(w, class);
    else if (rt)
        spare = take_one(&rt->spares, class);
    return spare ? spare : mem_alloc(size_of(class));
}

void spares_put(void *spare, size_t size)
{
    struct worker *w = worker_of_thread();
    unsigned class = class_of(size);

    if (KEEPS && w && class < SPARES_CLASSES)
        put_own(w, class, spare);
    else
        mem_free(spare);
}

void spares_release(struct worker *w)
{
    for (unsigned class = 0; class < SPARES_CLASSES; class++) {
        free_all(w->spares[class].open);
        free_all(w->spares[class].full);
    }
}
