/* slot.c - a process' place: its mailbox and its turn
 *
 * The mailbox is a queue of many producers and one consumer, linked through
 * the events (the form is Dmitry Vyukov's).  A producer swaps itself in as the
 * tail and then links its predecessor to itself; between the two the consumer
 * sees an end that is none yet, and comes back later.
 *
 * `pending` counts the events.  It is raised behind the push: so the consumer,
 * which takes no more events than it has seen counted, never takes one whose
 * producer still has to count it, and the one who raised it from zero knows
 * that the slot is on nobody's queue.
 */
#include "process/core.h"

#include "base/check.h"
#include "base/memory.h"

/* ---- the table ---- */

static unsigned chunk_of(uint32_t index, uint32_t *ret_offset)
{
    uint32_t n = index / SLOT_FIRST_CHUNK + 1;
    unsigned chunk = 31 - (unsigned)__builtin_clz(n);

    *ret_offset = index - SLOT_FIRST_CHUNK * ((1u << chunk) - 1);
    return chunk;
}

struct slot *slot_get(struct runtime *rt, uint32_t index)
{
    uint32_t offset;
    unsigned chunk = chunk_of(index, &offset);

    /* Acquire: what slot_take_free made of the chunk. */
    return atomic_load_explicit(&rt->chunks[chunk], memory_order_acquire) + offset;
}

static void init(struct slot *s, struct runtime *rt, uint32_t index)
{
    s->runtime = rt;
    s->index = index;
    atomic_init(&s->generation, 1);
    atomic_init(&s->terminate, 0);
    atomic_init(&s->pending, 0);
    atomic_init(&s->home, 0);
    atomic_init(&s->stub.next, NULL);
    s->head = &s->stub;
    atomic_init(&s->tail, &s->stub);
}

struct slot *slot_take_free(struct runtime *rt)
{
    struct slot *s = rt->free_slots;
    uint32_t index, offset;
    unsigned chunk;

    if (s) {
        rt->free_slots = s->next_free;
        s->next_free = NULL;
        return s;
    }
    CHECK(rt->slots_used < UINT32_MAX / 2);
    index = rt->slots_used++;
    chunk = chunk_of(index, &offset);
    CHECK(chunk < SLOT_CHUNKS);
    if (offset == 0)
        atomic_store_explicit(&rt->chunks[chunk],
                              mem_array((size_t)SLOT_FIRST_CHUNK << chunk, sizeof *s),
                              memory_order_release);
    s = slot_get(rt, index);
    init(s, rt, index);
    return s;
}

void slot_put_free(struct slot *s)
{
    s->next_free = s->runtime->free_slots;
    s->runtime->free_slots = s;
}

void slot_release_all(struct runtime *rt)
{
    for (uint32_t i = 0; i < rt->slots_used; i++)
        CHECK(atomic_load(&slot_get(rt, i)->pending) == 0);
    for (unsigned i = 0; i < SLOT_CHUNKS; i++)
        mem_free(atomic_load(&rt->chunks[i]));
}

/* ---- the mailbox ---- */

static void append(struct slot *s, struct event *e)
{
    struct event *before;

    atomic_store_explicit(&e->next, NULL, memory_order_relaxed);
    /* Release: the event's content; acquire: so that the link below is made on
     * an event that its producer has finished. */
    before = atomic_exchange_explicit(&s->tail, e, memory_order_acq_rel);
    atomic_store_explicit(&before->next, e, memory_order_release);
}

static struct event *next_of(struct event *e)
{
    return atomic_load_explicit(&e->next, memory_order_acquire);
}

/* NULL: the next event is being linked at this moment. */
static struct event *take(struct slot *s)
{
    struct event *e = s->head, *next = next_of(e);

    if (e == &s->stub) {
        if (!next)
            return NULL;
        s->head = e = next;
        next = next_of(e);
    }
    if (!next && e == atomic_load_explicit(&s->tail, memory_order_acquire)) {
        append(s, &s->stub); /* so that e, the last one, can be let go */
        next = next_of(e);
    }
    if (!next)
        return NULL;
    s->head = next;
    return e;
}

void slot_push(struct runtime *rt, uint32_t slot, uint32_t generation, struct event *e)
{
    struct slot *s = slot_get(rt, slot);

    e->generation = generation;
    append(s, e);
    /* Release: the push is seen by who sees the count; acquire: the turn that
     * was given back is seen by who gives it on. */
    if (atomic_fetch_add_explicit(&s->pending, 1, memory_order_acq_rel) == 0)
        worker_enqueue(s);
}

/* ---- the turn ---- */

static bool is_to_end(struct slot *s)
{
    return s->process && atomic_load_explicit(&s->terminate, memory_order_acquire) ==
                             atomic_load_explicit(&s->generation, memory_order_relaxed);
}

unsigned slot_run(struct slot *s, struct worker *w, unsigned max)
{
    size_t available = atomic_load_explicit(&s->pending, memory_order_acquire);
    size_t taken = 0;

    atomic_store_explicit(&s->home, w->index, memory_order_relaxed);
    while (taken < max && taken < available) {
        struct event *e;

        if (is_to_end(s))
            process_end(w, s);
        e = take(s);
        if (!e)
            break;
        taken++;
        process_deliver(w, s, e);
    }
    if (atomic_fetch_sub_explicit(&s->pending, taken, memory_order_acq_rel) > taken)
        worker_requeue(w, s);
    else
        atomic_fetch_add_explicit(&w->ended, 1, memory_order_release);
    return (unsigned)taken;
}
