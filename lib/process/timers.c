/* timers.c - one clock and one heap of timers for a runtime
 *
 * The heap is ordered by deadline and then by the order of creation.  A timer
 * is an event that waits to be pushed; cancelling gives it back.
 *
 * The runtime's clock is the host's, put forward by what tests have advanced
 * it; paused, it stands.  It never goes back: after a pause it goes on from
 * where it stood.
 */
#include "process/core.h"

#include "base/check.h"
#include "base/memory.h"

struct entry {
    struct instant deadline; /* in the runtime's time */
    uint64_t id;             /* counts up: the order of creation */
    size_t place;            /* in the heap */
    struct event *event;
    uint32_t slot, generation;
    UT_hash_handle hh;
};

struct timers {
    struct runtime *runtime;
    _Atomic bool touched; /* the clock was paused at some time: ask under the lock */
    pthread_mutex_t lock; /* guards all below; held while events are pushed */
    struct entry **heap;
    size_t n, capacity;
    struct entry *by_id;
    uint64_t next_id;
    bool paused;
    struct instant stands_at; /* while paused */
    struct duration ahead;    /* of the host's clock, while it runs */
};

/* ---- the clock; with the lock held ---- */

static struct instant now(struct timers *t)
{
    if (t->paused)
        return t->stands_at;
    return instant_add(host_now(t->runtime->host), t->ahead);
}

/* ---- the heap; with the lock held ---- */

static bool before(const struct entry *a, const struct entry *b)
{
    return a->deadline.ns != b->deadline.ns ? a->deadline.ns < b->deadline.ns : a->id < b->id;
}

static void place(struct timers *t, size_t i, struct entry *e)
{
    t->heap[i] = e;
    e->place = i;
}

static void rise(struct timers *t, struct entry *e)
{
    size_t i = e->place;

    while (i > 0 && before(e, t->heap[(i - 1) / 2])) {
        place(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(t, i, e);
}

static void sink(struct timers *t, struct entry *e)
{
    size_t i = e->place, child;

    while ((child = 2 * i + 1) < t->n) {
        if (child + 1 < t->n && before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!before(t->heap[child], e))
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, e);
}

static void insert(struct timers *t, struct entry *e)
{
    if (t->n == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 64;
        t->heap = mem_realloc(t->heap, t->capacity * sizeof *t->heap);
    }
    place(t, t->n++, e);
    rise(t, e);
    HASH_ADD(hh, t->by_id, id, sizeof e->id, e);
}

/* Takes it out and frees it; the event is the caller's. */
static struct event *take_out(struct timers *t, struct entry *e)
{
    struct entry *last = t->heap[--t->n];
    struct event *event = e->event;

    HASH_DEL(t->by_id, e);
    if (last != e) {
        place(t, e->place, last);
        rise(t, last);
        sink(t, last);
    }
    mem_free(e);
    return event;
}

static bool is_due(struct timers *t, const struct entry *e)
{
    return e->deadline.ns <= now(t).ns;
}

/* ---- timers ---- */

struct timer timers_add(struct runtime *rt, struct duration d, uint32_t slot, uint32_t generation,
                        struct event *event)
{
    struct timers *t = rt->timers;
    struct entry *e = mem_alloc(sizeof *e);
    struct timer handle;
    bool first;

    e->event = event;
    e->slot = slot;
    e->generation = generation;
    pthread_mutex_lock(&t->lock);
    e->deadline = instant_add(now(t), d);
    e->id = ++t->next_id;
    handle = (struct timer){ rt, e->id };
    insert(t, e);
    first = t->heap[0] == e && (!t->paused || is_due(t, e));
    pthread_mutex_unlock(&t->lock);
    if (first)
        worker_wake_timekeeper(rt);
    return handle;
}

struct event *timers_cancel(struct timers *t, uint64_t id)
{
    struct event *event = NULL;
    struct entry *e;

    pthread_mutex_lock(&t->lock);
    HASH_FIND(hh, t->by_id, &id, sizeof id, e);
    if (e)
        event = take_out(t, e);
    pthread_mutex_unlock(&t->lock);
    return event;
}

/* Pushed with the lock held: a timer that is later can not overtake. */
static void fire_due(struct timers *t)
{
    struct instant present;

    if (t->n == 0)
        return;
    present = now(t);
    while (t->n > 0 && t->heap[0]->deadline.ns <= present.ns) {
        struct entry *e = t->heap[0];
        uint32_t slot = e->slot, generation = e->generation;

        slot_push(t->runtime, slot, generation, take_out(t, e));
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

    pthread_mutex_lock(&t->lock);
    if (t->n > 0 && t->paused && is_due(t, t->heap[0]))
        next = host_now(t->runtime->host);
    else if (t->n > 0 && !t->paused && t->heap[0]->deadline.ns != INSTANT_NEVER.ns)
        next.ns = t->heap[0]->deadline.ns - t->ahead.ns;
    pthread_mutex_unlock(&t->lock);
    return next;
}

bool timers_has_due(struct timers *t)
{
    bool due;

    pthread_mutex_lock(&t->lock);
    due = t->n > 0 && is_due(t, t->heap[0]);
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
    present = now(t);
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

void timers_resume(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
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
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void timers_drop_all(struct timers *t)
{
    for (;;) {
        struct event *e = NULL;

        pthread_mutex_lock(&t->lock);
        if (t->n > 0)
            e = take_out(t, t->heap[0]);
        pthread_mutex_unlock(&t->lock);
        if (!e)
            return;
        e->type->drop(t->runtime, e);
    }
}

void timers_destroy(struct timers *t)
{
    CHECK(t->n == 0);
    mem_free(t->heap);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}
