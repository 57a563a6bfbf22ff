/* timers.c - one clock and one heap of timers for a runtime
 *
 * The heap has four children to a node and is ordered by deadline and then by
 * the order of creation.  Its items name their entries in an array, which hold the
 * events that wait to be pushed: 24 bytes for a timer besides its event.
 *
 * Cancelling gives the event back at once and leaves the rest where it is, as a
 * dead timer: most timers are cancelled, and to take one out of the middle of
 * the heap costs more than all else.  The dead go when they come to the top, or
 * all together when they are more than the living.
 *
 * The runtime's clock is the host's, put forward by what tests have advanced
 * it; paused, it stands.  It never goes back: after a pause it goes on from
 * where it stood.
 *
 * While it stands a single process may be ahead of it.  Whoever that one tells
 * something (an event that it pushes: a message, a dispatch, a future's step, its
 * end) is no earlier than it from then on, as if the clock had brought them there.
 * A timer tells nothing: it has its time already.
 */
#include "process/core.h"

#include <uthash.h>

#include "base/check.h"
#include "base/memory.h"

enum { CHILDREN = 4, FEW = 64 };

/* A living one has its event, a dead one NULL, a free one the next that is free. */
union entry {
    struct event *event;
    uintptr_t next_free; /* odd, as no address is: (index + 1) * 2 + 1; 1: there is none */
};

struct item {
    struct instant deadline; /* in the runtime's time */
    uint32_t created;        /* counts up, and round: the order of creation */
    uint32_t entry;
};

/* Of a process that is ahead. */
struct own_time {
    UT_hash_handle hh;
    uint64_t key;
    struct duration ahead;
};

struct timers {
    struct runtime *runtime;
    _Atomic bool touched; /* the clock was paused at some time: ask under the lock */
    pthread_mutex_t lock; /* guards all below; held while events are pushed */
    struct item *heap;
    size_t n, dead; /* items, the dead ones included */
    union entry *entries;
    size_t n_entries, capacity; /* of the heap, too: there are never more items than entries */
    uintptr_t free;             /* as next_free */
    uint32_t created;           /* timers, ever */
    bool paused;
    struct instant stands_at; /* while paused */
    struct duration ahead;    /* of the host's clock, while it runs */
    struct own_time *own;     /* uthash; while paused */
};

/* ---- the clock; with the lock held ---- */

static struct instant now(struct timers *t)
{
    if (t->paused)
        return t->stands_at;
    return instant_add(host_now(t->runtime->host), t->ahead);
}

static uint64_t key_of(uint32_t slot, uint32_t generation)
{
    return (uint64_t)slot << 32 | generation;
}

static struct own_time *own_time_find(struct timers *t, uint64_t key)
{
    struct own_time *own;

    HASH_FIND(hh, t->own, &key, sizeof key, own);
    return own;
}

static struct own_time *own_time_get(struct timers *t, uint64_t key)
{
    struct own_time *own = own_time_find(t, key);

    if (own)
        return own;
    own = mem_alloc(sizeof *own);
    own->key = key;
    HASH_ADD(hh, t->own, key, sizeof own->key, own);
    return own;
}

static struct duration ahead_of(struct timers *t, const struct pid *pid)
{
    struct own_time *own = NULL;

    if (t->own && pid->runtime == t->runtime)
        own = own_time_find(t, key_of(pid->slot, pid->generation));
    return own ? own->ahead : NANOSECONDS(0);
}

/* For the process whose event runs on this thread. */
static struct instant now_here(struct timers *t)
{
    struct process *self = t->own ? process_current() : NULL;

    return self ? instant_add(now(t), ahead_of(t, &self->pid)) : now(t);
}

static void forget_own_times(struct timers *t)
{
    struct own_time *own, *next;

    HASH_ITER(hh, t->own, own, next)
    {
        HASH_DEL(t->own, own);
        mem_free(own);
    }
    atomic_store_explicit(&t->runtime->are_ahead, false, memory_order_relaxed);
}

/* ---- the entries; with the lock held ---- */

static uint32_t entry_take(struct timers *t)
{
    uint32_t i = (uint32_t)(t->free / 2);

    if (i > 0) {
        t->free = t->entries[i - 1].next_free;
        return i - 1;
    }
    if (t->n_entries == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : FEW;
        CHECK(t->capacity < UINT32_MAX);
        t->entries = mem_realloc(t->entries, t->capacity * sizeof *t->entries);
        t->heap = mem_realloc(t->heap, t->capacity * sizeof *t->heap);
    }
    return (uint32_t)t->n_entries++;
}

static void entry_put(struct timers *t, uint32_t i)
{
    t->entries[i].next_free = t->free;
    t->free = ((uintptr_t)i + 1) * 2 + 1;
}

static bool is_alive(const struct timers *t, uint32_t i)
{
    return t->entries[i].event && t->entries[i].next_free % 2 == 0;
}

/* What users hold: never 0, and another one for the next timer in the entry. */
static uint64_t id_of(const struct timers *t, uint32_t i)
{
    return (uint64_t)t->entries[i].event->created << 32 | (i + UINT64_C(1));
}

static union entry *entry_find(struct timers *t, uint64_t id)
{
    uint32_t i = (uint32_t)id - 1;

    return i < t->n_entries && is_alive(t, i) && id_of(t, i) == id ? &t->entries[i] : NULL;
}

/* ---- the heap; with the lock held ---- */

/* Of two that are due at the same instant, 2^31 others were not created between them. */
static bool before(struct item a, struct item b)
{
    if (a.deadline.ns != b.deadline.ns)
        return a.deadline.ns < b.deadline.ns;
    return (int32_t)(a.created - b.created) < 0;
}

static void rise(struct timers *t, size_t i, struct item item)
{
    while (i > 0 && before(item, t->heap[(i - 1) / CHILDREN])) {
        t->heap[i] = t->heap[(i - 1) / CHILDREN];
        i = (i - 1) / CHILDREN;
    }
    t->heap[i] = item;
}

static void sink(struct timers *t, size_t i, struct item item)
{
    size_t child;

    while ((child = CHILDREN * i + 1) < t->n) {
        size_t end = child + CHILDREN < t->n ? child + CHILDREN : t->n, least = child;

        while (++child < end)
            if (before(t->heap[child], t->heap[least]))
                least = child;
        if (!before(t->heap[least], item))
            break;
        t->heap[i] = t->heap[least];
        i = least;
    }
    t->heap[i] = item;
}

static void pop(struct timers *t)
{
    uint32_t entry = t->heap[0].entry;

    t->n--;
    if (t->n > 0)
        sink(t, 0, t->heap[t->n]);
    entry_put(t, entry);
}

/* The first that lives, or NULL. */
static const struct item *first(struct timers *t)
{
    while (t->n > 0 && !is_alive(t, t->heap[0].entry)) {
        pop(t);
        t->dead--;
    }
    return t->n > 0 ? &t->heap[0] : NULL;
}

static void bury_the_dead(struct timers *t)
{
    size_t living = 0;

    for (size_t i = 0; i < t->n; i++)
        if (is_alive(t, t->heap[i].entry))
            t->heap[living++] = t->heap[i];
        else
            entry_put(t, t->heap[i].entry);
    t->n = living;
    t->dead = 0;
    for (size_t i = living / CHILDREN + 1; i-- > 0;)
        if (i < living)
            sink(t, i, t->heap[i]);
}

static struct event *take_first(struct timers *t)
{
    struct event *event = t->entries[t->heap[0].entry].event;

    pop(t);
    return event;
}

/* ---- timers ---- */

struct timer timers_add(struct runtime *rt, struct duration d, uint32_t slot, uint32_t generation,
                        struct event *event)
{
    struct timers *t = rt->timers;
    struct item item;
    uint64_t id;
    bool is_first;

    event->slot = slot;
    event->generation = generation;
    pthread_mutex_lock(&t->lock);
    item.deadline = instant_add(now_here(t), d);
    item.entry = entry_take(t);
    item.created = event->created = ++t->created;
    t->entries[item.entry].event = event;
    id = id_of(t, item.entry);
    rise(t, t->n++, item);
    is_first = t->heap[0].entry == item.entry && (!t->paused || item.deadline.ns <= now(t).ns);
    pthread_mutex_unlock(&t->lock);
    if (is_first)
        worker_wake_timekeeper(rt);
    return (struct timer){ rt, id };
}

struct event *timers_cancel(struct timers *t, uint64_t id)
{
    struct event *event = NULL;
    union entry *e;

    pthread_mutex_lock(&t->lock);
    e = entry_find(t, id);
    if (e) {
        event = e->event;
        e->event = NULL;
        if (++t->dead > FEW && t->dead > t->n / 2)
            bury_the_dead(t);
    }
    pthread_mutex_unlock(&t->lock);
    return event;
}

/* Pushed with the lock held: a timer that is later can not overtake. */
static void fire_due(struct timers *t)
{
    const struct item *next = first(t);
    struct instant present;

    if (!next)
        return;
    present = now(t);
    for (; next && next->deadline.ns <= present.ns; next = first(t)) {
        struct event *e = take_first(t);
        struct event_batch one = { 0 };

        slot_batch_add(&one, e);
        slot_push_batch(t->runtime, e->slot, &one);
    }
}

void timers_fire(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
    fire_due(t);
    pthread_mutex_unlock(&t->lock);
}

/* While the clock stands: at once or not at all. */
struct instant timers_next(struct timers *t)
{
    struct instant next = INSTANT_NEVER;
    const struct item *item;

    pthread_mutex_lock(&t->lock);
    item = first(t);
    if (item && t->paused && item->deadline.ns <= t->stands_at.ns)
        next = host_now(t->runtime->host);
    else if (item && !t->paused && item->deadline.ns != INSTANT_NEVER.ns)
        next.ns = item->deadline.ns - t->ahead.ns;
    pthread_mutex_unlock(&t->lock);
    return next;
}

bool timers_has_due(struct timers *t)
{
    const struct item *item;
    bool due;

    pthread_mutex_lock(&t->lock);
    item = first(t);
    due = item && item->deadline.ns <= now(t).ns;
    pthread_mutex_unlock(&t->lock);
    return due;
}

/* ---- the clock ---- */

struct instant timers_now(struct timers *t)
{
    struct instant present;

    if (!atomic_load_explicit(&t->touched, memory_order_acquire))
        return host_now(t->runtime->host);
    pthread_mutex_lock(&t->lock);
    present = now_here(t);
    pthread_mutex_unlock(&t->lock);
    return present;
}

void timers_pause(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
    if (!t->paused) {
        t->stands_at = now(t);
        t->paused = true;
        atomic_store_explicit(&t->touched, true, memory_order_release);
    }
    pthread_mutex_unlock(&t->lock);
}

void timers_advance(struct timers *t, struct duration d)
{
    CHECK(d.ns >= 0);
    pthread_mutex_lock(&t->lock);
    CHECK(t->paused);
    t->stands_at = instant_add(t->stands_at, d);
    fire_due(t);
    pthread_mutex_unlock(&t->lock);
}

void timers_advance_of(struct timers *t, const struct pid *pid, struct duration d)
{
    CHECK(d.ns >= 0);
    pthread_mutex_lock(&t->lock);
    CHECK(t->paused);
    own_time_get(t, key_of(pid->slot, pid->generation))->ahead.ns += d.ns;
    /* Relaxed: who hears of it, by an event that comes after this, sees it. */
    atomic_store_explicit(&t->runtime->are_ahead, true, memory_order_relaxed);
    pthread_mutex_unlock(&t->lock);
}

static void order(struct timers *t, const struct pid *from, uint64_t to)
{
    struct duration ahead;

    pthread_mutex_lock(&t->lock);
    ahead = ahead_of(t, from);
    if (ahead.ns > 0) {
        struct own_time *own = own_time_get(t, to);

        if (own->ahead.ns < ahead.ns)
            own->ahead = ahead;
    }
    pthread_mutex_unlock(&t->lock);
}

void timers_order_here(struct runtime *rt, uint32_t slot, uint32_t generation)
{
    struct process *self = process_current();

    if (self)
        order(rt->timers, &self->pid, key_of(slot, generation));
}

void timers_order(struct runtime *rt, const struct pid *from, const struct pid *to)
{
    order(rt->timers, from, key_of(to->slot, to->generation));
}

void timers_resume(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
    forget_own_times(t);
    if (t->paused) {
        t->ahead = instant_since(t->stands_at, host_now(t->runtime->host));
        t->paused = false;
    }
    pthread_mutex_unlock(&t->lock);
    worker_wake_timekeeper(t->runtime);
}

/* ---- life ---- */

struct timers *timers_create(struct runtime *rt)
{
    struct timers *t = mem_alloc(sizeof *t);

    t->runtime = rt;
    t->free = 1;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void timers_drop_all(struct timers *t)
{
    for (;;) {
        struct event *e = NULL;

        pthread_mutex_lock(&t->lock);
        if (first(t))
            e = take_first(t);
        pthread_mutex_unlock(&t->lock);
        if (!e)
            return;
        e->type->drop(t->runtime, e);
    }
}

void timers_destroy(struct timers *t)
{
    CHECK(t->n == 0);
    forget_own_times(t);
    mem_free(t->heap);
    mem_free(t->entries);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}
