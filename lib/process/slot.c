/* slot.c - a process' place: its mailbox and its turn
 *
 * The mailbox is a queue of many producers and one consumer, linked through
 * the events (the form is Dmitry Vyukov's).  A producer swaps itself in as the
 * tail and then links its predecessor to itself; between the two the consumer
 * sees an end that is none yet, and comes back later.
 *
 * What producers write (struct mailbox) and what the consumer writes (struct slot)
 * are apart, so that each works on cache lines of his own.  Where the consumer is
 * the faster one, he would yet come for each event as it is being pushed, and
 * both would wait for each other's lines; so his worker falls back a little.
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

    /* Acquire: what make_chunk made. */
    return atomic_load_explicit(&rt->slots.chunks[chunk], memory_order_acquire) + offset;
}

/* Four mailboxes share a cache line.  Slots that follow each other, which often work
 * together, have theirs five apart. */
static struct mailbox *mailbox_of(struct runtime *rt, uint32_t index)
{
    uint32_t offset;
    unsigned chunk = chunk_of(index, &offset);
    uint32_t place = offset * 5 & ((SLOT_FIRST_CHUNK << chunk) - 1);

    return atomic_load_explicit(&rt->slots.mailboxes[chunk], memory_order_acquire) + place;
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

static void make_chunk(struct runtime *rt, unsigned chunk)
{
    size_t n = (size_t)SLOT_FIRST_CHUNK << chunk;
    struct mailbox *mailboxes = mem_array(n, sizeof *mailboxes);
    struct slot *slots = mem_array(n, sizeof *slots);

    atomic_store_explicit(&rt->slots.mailboxes[chunk], mailboxes, memory_order_release);
    atomic_store_explicit(&rt->slots.chunks[chunk], slots, memory_order_release);
}

static void init(struct slot *s, struct runtime *rt, uint32_t index)
{
    struct mailbox *b = mailbox_of(rt, index);

    s->runtime = rt;
    s->index = index;
    atomic_init(&s->generation, 1);
    atomic_init(&s->terminate, 0);
    atomic_init(&s->stub.next, NULL);
    s->head = &s->stub;
    atomic_init(&b->tail, &s->stub);
    atomic_init(&b->pending, 0);
    atomic_init(&b->home, 0);
    atomic_init(&b->pusher, 0);
    atomic_init(&b->awaited, false);
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
    CHECK(rt->slots.used < UINT32_MAX / 2);
    index = rt->slots.used++;
    chunk = chunk_of(index, &offset);
    CHECK(chunk < SLOT_CHUNKS);
    if (offset == 0)
        make_chunk(rt, chunk);
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
    for (uint32_t i = 0; i < rt->slots.used; i++)
        CHECK(slot_backlog(rt, i) == 0);
    for (unsigned i = 0; i < SLOT_CHUNKS; i++) {
        mem_free(atomic_load(&rt->slots.chunks[i]));
        mem_free(atomic_load(&rt->slots.mailboxes[i]));
    }
}

/* ---- the mailbox ---- */

/* first to last are linked already. */
static void append(struct mailbox *b, struct event_link *first, struct event_link *last)
{
    struct event_link *before;

    atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
    /* Release: the events' content; acquire: so that the link below is made on
     * an event that its producer has finished. */
    before = atomic_exchange_explicit(&b->tail, last, memory_order_acq_rel);
    atomic_store_explicit(&before->next, first, memory_order_release);
}

static struct event_link *next_of(struct event_link *link)
{
    return atomic_load_explicit(&link->next, memory_order_acquire);
}

/* NULL: the next event is being linked at this moment. */
static struct event *take(struct slot *s, struct mailbox *b)
{
    struct event_link *first = s->head, *next = next_of(first);

    if (first == &s->stub) {
        if (!next)
            return NULL;
        s->head = first = next;
        next = next_of(first);
    }
    if (!next && first == atomic_load_explicit(&b->tail, memory_order_acquire)) {
        append(b, &s->stub, &s->stub); /* so that the last one can be let go */
        next = next_of(first);
    }
    if (!next)
        return NULL;
    s->head = next;
    PREFETCH(next); /* another core made it; so it comes while the first one runs */
    return container_of(first, struct event, link);
}

static uint8_t pusher_name(const struct worker *w)
{
    return w ? (uint8_t)(w->index + 1) : 0;
}

static void push(struct runtime *rt, uint32_t slot, struct event_link *first,
                 struct event_link *last, uint32_t n)
{
    struct mailbox *b = mailbox_of(rt, slot);

    append(b, first, last);
    atomic_store_explicit(&b->pusher, pusher_name(worker_of_thread()), memory_order_relaxed);
    /* Release: the push is seen by who sees the count; acquire: the turn that
     * was given back is seen by who gives it on. */
    if (atomic_fetch_add_explicit(&b->pending, n, memory_order_acq_rel) == 0)
        worker_enqueue(slot_get(rt, slot));
}

void slot_push(struct runtime *rt, uint32_t slot, uint32_t generation, struct event *e)
{
    if (atomic_load_explicit(&rt->are_ahead, memory_order_relaxed))
        timers_order_here(rt, slot, generation);
    e->generation = generation;
    push(rt, slot, &e->link, &e->link, 1);
}

uint32_t slot_backlog(struct runtime *rt, uint32_t index)
{
    return atomic_load_explicit(&mailbox_of(rt, index)->pending, memory_order_relaxed);
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
    if (b->n > 0)
        push(rt, slot, b->first, b->last, b->n);
    b->n = 0;
}

void slot_each_event(struct slot *s, bool (*see)(void *arg, const struct event *e), void *arg)
{
    for (struct event_link *l = s->head; l; l = next_of(l))
        if (l != &s->stub && !see(arg, container_of(l, struct event, link)))
            return;
}

/* ---- what stands with the mailbox ---- */

void slot_set_home(struct slot *s, const struct worker *w)
{
    atomic_store_explicit(&mailbox_of(s->runtime, s->index)->home, (uint16_t)w->index,
                          memory_order_relaxed);
}

unsigned slot_home(struct slot *s)
{
    return atomic_load_explicit(&mailbox_of(s->runtime, s->index)->home, memory_order_relaxed);
}

void slot_await(struct slot *s)
{
    atomic_store_explicit(&mailbox_of(s->runtime, s->index)->awaited, true, memory_order_seq_cst);
}

bool slot_stop_awaiting(struct slot *s)
{
    struct mailbox *b = mailbox_of(s->runtime, s->index);
    bool is_awaited = atomic_load_explicit(&b->awaited, memory_order_seq_cst);

    if (is_awaited)
        atomic_store_explicit(&b->awaited, false, memory_order_relaxed);
    return is_awaited;
}

/* ---- the turn ---- */

static bool is_to_end(struct slot *s)
{
    return s->process && atomic_load_explicit(&s->terminate, memory_order_acquire) ==
                             atomic_load_explicit(&s->generation, memory_order_relaxed);
}

static bool came_home(struct mailbox *b, const struct worker *w)
{
    return atomic_load_explicit(&b->home, memory_order_relaxed) == w->index;
}

/* Whether another thread has pushed meanwhile, and likely does so now. */
static bool is_being_filled(struct mailbox *b, const struct worker *w)
{
    return atomic_load_explicit(&b->pusher, memory_order_relaxed) != pusher_name(w);
}

unsigned slot_run(struct slot *s, struct worker *w, unsigned max)
{
    struct mailbox *b = mailbox_of(s->runtime, s->index);
    uint32_t available = atomic_load_explicit(&b->pending, memory_order_acquire);
    uint32_t taken = 0;

    if (!came_home(b, w))
        slot_set_home(s, w);
    if (atomic_load_explicit(&s->runtime->is_listed, memory_order_relaxed))
        process_list_look(s);
    while (taken < max && taken < available) {
        struct event *e;

        if (is_to_end(s))
            process_end(w, s);
        e = take(s, b);
        if (!e)
            break;
        taken++;
        process_deliver(w, s, e);
    }
    if (atomic_fetch_sub_explicit(&b->pending, taken, memory_order_acq_rel) == taken) {
        worker_raise(&w->ended);
        return taken;
    }
    w->is_at_heels = taken == available && is_being_filled(b, w);
    worker_requeue(w, s);
    return taken;
}
