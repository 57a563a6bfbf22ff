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
#include "base/compiler.h"
#include "base/memory.h"
#include "process/process_list.h"

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

struct slot *slot_numbered(struct runtime *rt, uint32_t number)
{
    return number > 0 ? slot_get(rt, number - 1) : NULL;
}

struct pid slot_pid(const struct slot *s)
{
    return (struct pid){
        .runtime = s->runtime,
        .slot = s->index,
        .generation = atomic_load_explicit(&s->generation, memory_order_relaxed),
        .address = s->runtime->address,
        .id = s->id,
    };
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
        rt->free_slots = slot_numbered(rt, s->next);
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
    s->next = slot_number(s->runtime->free_slots);
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

/* first to last are linked already. */
static void append_all(struct slot *s, struct event_link *first, struct event_link *last)
{
    struct event_link *before;

    atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
    /* Release: the events' content; acquire: so that the link below is made on
     * an event that its producer has finished. */
    before = atomic_exchange_explicit(&s->tail, last, memory_order_acq_rel);
    atomic_store_explicit(&before->next, first, memory_order_release);
}

static void append(struct slot *s, struct event_link *link)
{
    append_all(s, link, link);
}

static struct event_link *next_of(struct event_link *link)
{
    return atomic_load_explicit(&link->next, memory_order_acquire);
}

/* NULL: the next event is being linked at this moment. */
static struct event *take(struct slot *s)
{
    struct event_link *first = s->head, *next = next_of(first);

    if (first == &s->stub) {
        if (!next)
            return NULL;
        s->head = first = next;
        next = next_of(first);
    }
    if (!next && first == atomic_load_explicit(&s->tail, memory_order_acquire)) {
        append(s, &s->stub); /* so that the last one can be let go */
        next = next_of(first);
    }
    if (!next)
        return NULL;
    s->head = next;
    return container_of(first, struct event, link);
}

static void raise_pending(struct slot *s, uint32_t n)
{
    /* Release: the push is seen by who sees the count; acquire: the turn that
     * was given back is seen by who gives it on. */
    if (atomic_fetch_add_explicit(&s->pending, n, memory_order_acq_rel) == 0)
        worker_enqueue(s);
}

void slot_push(struct runtime *rt, uint32_t slot, uint32_t generation, struct event *e)
{
    struct slot *s = slot_get(rt, slot);

    e->generation = generation;
    append(s, &e->link);
    raise_pending(s, 1);
}

void slot_batch_add(struct event_batch *b, struct event *e)
{
    if (b->n++ == 0)
        b->first = &e->link;
    else
        atomic_store_explicit(&b->last->next, &e->link, memory_order_relaxed);
    b->last = &e->link;
}

void slot_push_batch(struct runtime *rt, uint32_t slot, struct event_batch *b)
{
    struct slot *s = slot_get(rt, slot);

    if (b->n == 0)
        return;
    append_all(s, b->first, b->last);
    raise_pending(s, b->n);
    b->n = 0;
}

void slot_each_event(struct slot *s, bool (*see)(void *arg, const struct event *e), void *arg)
{
    for (struct event_link *l = s->head; l; l = next_of(l))
        if (l != &s->stub && !see(arg, container_of(l, struct event, link)))
            return;
}

/* ---- the turn ---- */

static bool is_to_end(struct slot *s)
{
    return s->process && atomic_load_explicit(&s->terminate, memory_order_acquire) ==
                             atomic_load_explicit(&s->generation, memory_order_relaxed);
}

unsigned slot_run(struct slot *s, struct worker *w, unsigned max)
{
    uint32_t available = atomic_load_explicit(&s->pending, memory_order_acquire);
    uint32_t taken = 0;

    atomic_store_explicit(&s->home, (uint16_t)w->index, memory_order_relaxed);
    if (atomic_load_explicit(&s->runtime->is_listed, memory_order_relaxed))
        process_list_look(s);
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
        worker_raise(&w->ended);
    return taken;
}
