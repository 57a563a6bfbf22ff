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
 * is given back, so a flood leaves little behind.  A bundle lists them from
 * outside: a list through the blocks would be read and written on both threads,
 * and each time the block's cache line changes hands.  The address sanitizer
 * sees nothing of what is kept; then nothing is.
 */
#include "process/core.h"

#include "base/memory.h"

enum {
    BUNDLE = 62,       /* with it, a bundle is 512 bytes */
    BUNDLES_MAX = 256, /* of the smallest size: a megabyte */
    AHEAD = 4,         /* how many blocks before its turn one is fetched from another core */
#ifdef __SANITIZE_ADDRESS__
    KEEPS = 0,
#else
    KEEPS = 1,
#endif
};

struct bundle {
    struct bundle *next; /* in the depot */
    size_t n;
    void *blocks[BUNDLE];
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

static void free_bundle(struct bundle *b)
{
    if (!b)
        return;
    while (b->n > 0)
        mem_free(b->blocks[--b->n]);
    mem_free(b);
}

/* ---- the depot ---- */

static struct bundle *take_bundle(struct spares_depot *d, unsigned class)
{
    struct bundle *b;

    if (atomic_load_explicit(&d->n[class], memory_order_relaxed) == 0)
        return NULL;
    pthread_mutex_lock(&d->lock);
    b = d->bundles[class];
    if (b) {
        d->bundles[class] = b->next;
        atomic_fetch_sub_explicit(&d->n[class], 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&d->lock);
    return b;
}

static void put_bundle(struct spares_depot *d, unsigned class, struct bundle *b)
{
    bool fits;

    pthread_mutex_lock(&d->lock);
    fits = atomic_load_explicit(&d->n[class], memory_order_relaxed) < (size_t)BUNDLES_MAX >> class;
    if (fits) {
        b->next = d->bundles[class];
        d->bundles[class] = b;
        atomic_fetch_add_explicit(&d->n[class], 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&d->lock);
    if (!fits)
        free_bundle(b);
}

static void *take_from(struct bundle **open, struct spares_depot *d, unsigned class)
{
    if (!*open || (*open)->n == 0) {
        struct bundle *b = take_bundle(d, class);

        if (!b)
            return NULL;
        free_bundle(*open);
        *open = b;
    }
    if ((*open)->n > AHEAD)
        PREFETCH_TO_WRITE((*open)->blocks[(*open)->n - 1 - AHEAD]);
    return (*open)->blocks[--(*open)->n];
}

/* Who finds another thread here does without. */
static void *take_outside(struct spares_depot *d, unsigned class)
{
    void *block;

    if (atomic_exchange_explicit(&d->outside.is_taken, true, memory_order_acquire))
        return NULL;
    block = take_from(&d->outside.open[class], d, class);
    atomic_store_explicit(&d->outside.is_taken, false, memory_order_release);
    return block;
}

void spares_depot_init(struct spares_depot *d)
{
    pthread_mutex_init(&d->lock, NULL);
}

void spares_depot_release(struct spares_depot *d)
{
    for (unsigned class = 0; class < SPARES_CLASSES; class++) {
        struct bundle *b;

        while ((b = take_bundle(d, class)))
            free_bundle(b);
        free_bundle(d->outside.open[class]);
    }
    pthread_mutex_destroy(&d->lock);
}

/* ---- a worker's ---- */

static void change_places(struct spares *s)
{
    struct bundle *open = s->open;

    s->open = s->other;
    s->other = open;
}

static void *take_own(struct worker *w, unsigned class)
{
    struct spares *s = &w->spares[class];

    if (!s->open || s->open->n == 0)
        change_places(s);
    return take_from(&s->open, &w->runtime->spares, class);
}

static void put_own(struct worker *w, unsigned class, void *block)
{
    struct spares *s = &w->spares[class];

    if (s->open && s->open->n == BUNDLE)
        change_places(s);
    if (s->open && s->open->n == BUNDLE) {
        put_bundle(&w->runtime->spares, class, s->open);
        s->open = NULL;
    }
    if (!s->open)
        s->open = mem_alloc(sizeof *s->open);
    s->open->blocks[s->open->n++] = block;
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
        spare = take_outside(&rt->spares, class);
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
        free_bundle(w->spares[class].open);
        free_bundle(w->spares[class].other);
    }
}
