/* worker.c - loops that give slots their turns
 *
 * Each worker has a queue of runnable slots.  What an actor or a connection
 * makes runnable goes to the queue of the worker on whose thread that happens,
 * and runs there at once; what comes from outside goes where the slot ran last.
 *
 * The queue's first place is the worker's own, and costs neither a lock nor a
 * thief; it is all that a token going round needs.  What waits behind is the
 * backlog, a ring under a mutex, which is nearly always free: only thieves and
 * threads from outside come by.  The host chooses which slot goes next; it
 * changes places with the first.
 *
 * A worker that has nothing to do steals half of another's backlog; but to wake
 * a core, and to move the work's memory there, takes longer than many small
 * events do.  So a worker measures how long a slot of its backlog keeps it, and
 * only a backlog that is longer than that is worth a thief.
 *
 * Worker 0 keeps the time: it fires the runtime's timers.
 */
#include "process/core.h"

#include "base/check.h"
#include "base/memory.h"

enum {
    SLOT_EVENTS = 32,    /* a slot's turn, so that a busy one does not keep others waiting */
    STEAL_MAX = 32,
    WORTH_A_THIEF = 50000, /* ns */
    FALL_BACK = 100        /* pauses, of 10 to 50 ns */
};

/* ---- which worker ---- */

struct worker *worker_current(struct runtime *rt)
{
    struct worker *w = worker_of_thread();

    if (!w || w->runtime != rt)
        return NULL;
    /* Callbacks that come while the loops end: there are no turns behind them. */
    if (context_current() == &w->callbacks &&
        atomic_load_explicit(&rt->stopping, memory_order_acquire))
        return NULL;
    return w;
}

struct worker *worker_next(struct runtime *rt)
{
    unsigned n = atomic_fetch_add_explicit(&rt->next_worker, 1, memory_order_relaxed);

    return &rt->workers[n % rt->n_workers];
}

struct loop *worker_loop(struct worker *w)
{
    return w->loop;
}

unsigned worker_count(const struct runtime *rt)
{
    return rt->n_workers;
}

unsigned worker_index(const struct worker *w)
{
    return w->index;
}

struct worker *worker_get(struct runtime *rt, unsigned i)
{
    CHECK(i < rt->n_workers);
    return &rt->workers[i];
}

/* ---- the backlog; all with the lock held ---- */

static struct slot **place(struct worker *w, size_t i)
{
    return &w->backlog[(w->head + i) & (w->capacity - 1)];
}

static void grow(struct worker *w)
{
    size_t n = atomic_load_explicit(&w->length, memory_order_relaxed);
    size_t capacity = w->capacity ? w->capacity * 2 : 64;
    struct slot **backlog = mem_array(capacity, sizeof(struct slot *));

    for (size_t i = 0; i < n; i++)
        backlog[i] = *place(w, i);
    mem_free(w->backlog);
    w->backlog = backlog;
    w->capacity = capacity;
    w->head = 0;
}

static void put(struct worker *w, struct slot *s)
{
    size_t n = atomic_load_explicit(&w->length, memory_order_relaxed);

    if (n == w->capacity)
        grow(w);
    *place(w, n) = s;
    atomic_store_explicit(&w->length, n + 1, memory_order_seq_cst);
}

static struct slot *take_at(struct worker *w, size_t i)
{
    size_t n = atomic_load_explicit(&w->length, memory_order_relaxed);
    struct slot *s = *place(w, i);

    *place(w, i) = *place(w, 0);
    w->head = (w->head + 1) & (w->capacity - 1);
    atomic_store_explicit(&w->length, n - 1, memory_order_seq_cst);
    return s;
}

static void wake_locked(struct worker *w)
{
    if (!w->stopped)
        host_loop_wake(w->loop);
}

/* ---- making runnable ---- */

static void wake(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

static bool is_worth_a_thief(struct worker *w)
{
    uint64_t length = atomic_load_explicit(&w->length, memory_order_seq_cst);

    return length * atomic_load_explicit(&w->slot_ns, memory_order_relaxed) >= WORTH_A_THIEF;
}

static void wake_a_thief(struct worker *of)
{
    struct runtime *rt = of->runtime;

    for (unsigned i = 1; i < rt->n_workers; i++) {
        struct worker *w = &rt->workers[(of->index + i) % rt->n_workers];

        if (atomic_load_explicit(&w->idle, memory_order_seq_cst) &&
            atomic_exchange_explicit(&w->idle, false, memory_order_seq_cst)) {
            wake(w);
            return;
        }
    }
}

static void put_in_backlog(struct worker *w, struct slot *s)
{
    pthread_mutex_lock(&w->lock);
    put(w, s);
    pthread_mutex_unlock(&w->lock);
    if (w->runtime->n_workers > 1 && is_worth_a_thief(w))
        wake_a_thief(w);
}

/* On the worker's own thread. */
static void enqueue(struct worker *w, struct slot *s)
{
    if (!w->next && atomic_load_explicit(&w->length, memory_order_relaxed) == 0)
        w->next = s;
    else
        put_in_backlog(w, s);
}

static void enqueue_from_outside(struct worker *w, struct slot *s)
{
    pthread_mutex_lock(&w->lock);
    worker_raise(&w->sent);
    put(w, s);
    wake_locked(w);
    pthread_mutex_unlock(&w->lock);
    if (w->runtime->n_workers > 1 && is_worth_a_thief(w))
        wake_a_thief(w);
}

void worker_enqueue(struct slot *s)
{
    struct runtime *rt = s->runtime;
    struct worker *here = worker_current(rt);

    if (here) {
        worker_raise(&here->begun);
        enqueue(here, s);
    } else {
        enqueue_from_outside(&rt->workers[slot_home(s)], s);
    }
}

void worker_requeue(struct worker *w, struct slot *s)
{
    enqueue(w, s);
}

void worker_post(struct worker *w, void (*fn)(void *arg), void *arg)
{
    struct post *p = mem_alloc(sizeof *p);

    p->fn = fn;
    p->arg = arg;
    pthread_mutex_lock(&w->lock);
    worker_raise(&w->sent);
    list_append(&w->posts, &p->link);
    atomic_store_explicit(&w->has_posts, true, memory_order_relaxed);
    if (worker_of_thread() != w)
        wake_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void worker_at_turn_end(struct worker *w, struct turn_hook *hook)
{
    if (list_is_empty(&hook->link))
        list_append(&w->hooks, &hook->link);
}

void worker_wake_timekeeper(struct runtime *rt)
{
    if (worker_of_thread() != &rt->workers[0])
        wake(&rt->workers[0]);
}

/* ---- a turn ---- */

static void run_posts(struct worker *w)
{
    struct list posts;

    if (!atomic_load_explicit(&w->has_posts, memory_order_relaxed))
        return;
    list_init(&posts);
    pthread_mutex_lock(&w->lock);
    list_splice(&posts, &w->posts);
    atomic_store_explicit(&w->has_posts, false, memory_order_relaxed);
    pthread_mutex_unlock(&w->lock);
    while (!list_is_empty(&posts)) {
        struct post *p = list_first(&posts, struct post, link);

        list_remove(&p->link);
        p->fn(p->arg);
        mem_free(p);
        worker_raise(&w->ended);
    }
}

static struct slot *take_next(struct worker *w)
{
    struct slot *s = w->next;

    w->next = NULL;
    return s;
}

static struct slot *take(struct worker *w)
{
    size_t length = atomic_load_explicit(&w->length, memory_order_relaxed);
    size_t own = w->next ? 1 : 0, n = length + own, i = 0;
    struct slot *s = NULL;

    if (n > 1)
        i = host_choose(w->runtime->host, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
    if (i < own || length == 0)
        return take_next(w);
    pthread_mutex_lock(&w->lock);
    length = atomic_load_explicit(&w->length, memory_order_relaxed); /* less, after a thief */
    if (length > 0)
        s = take_at(w, i - own < length ? i - own : 0);
    pthread_mutex_unlock(&w->lock);
    return s ? s : take_next(w);
}

/* Half of another's backlog; the first of it is returned, to be run. */
static struct slot *steal_from(struct worker *w, struct worker *other)
{
    struct slot *loot[STEAL_MAX];
    size_t n = 0, half;

    pthread_mutex_lock(&other->lock);
    half = (atomic_load_explicit(&other->length, memory_order_relaxed) + 1) / 2;
    while (n < half && n < STEAL_MAX)
        loot[n++] = take_at(other, 0);
    pthread_mutex_unlock(&other->lock);
    for (size_t i = 1; i < n; i++)
        enqueue(w, loot[i]);
    return n > 0 ? loot[0] : NULL;
}

static struct slot *steal(struct worker *w)
{
    struct runtime *rt = w->runtime;

    for (unsigned i = 1; i < rt->n_workers; i++) {
        struct worker *other = &rt->workers[(w->index + i) % rt->n_workers];
        struct slot *s = is_worth_a_thief(other) ? steal_from(w, other) : NULL;

        if (s)
            return s;
    }
    return NULL;
}

static bool anyone_is_worth_a_thief(struct runtime *rt)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        if (is_worth_a_thief(&rt->workers[i]))
            return true;
    return false;
}

/* Where time stands during a turn, as in the simulated world, a slot stays worth
 * a thief. */
static void learn_slot_ns(struct worker *w, struct instant began, unsigned slots)
{
    uint32_t before = atomic_load_explicit(&w->slot_ns, memory_order_relaxed);
    int64_t ns = instant_since(host_now(w->runtime->host), began).ns / slots;

    if (ns > 0) {
        if (ns > WORTH_A_THIEF)
            ns = WORTH_A_THIEF;
        atomic_store_explicit(&w->slot_ns, (3 * before + (uint32_t)ns + 3) / 4,
                              memory_order_relaxed);
    }
    if (w->runtime->n_workers > 1 && is_worth_a_thief(w))
        wake_a_thief(w);
}

/* Who takes each event as it comes makes each cost more: both then work on the same
 * cache lines, and wait for them by turns.  So if there is nothing else to do, let
 * the other one get ahead. */
static void fall_back(struct worker *w)
{
    w->is_at_heels = false;
    if (!w->next || atomic_load_explicit(&w->length, memory_order_relaxed) > 0)
        return;
    for (unsigned i = 0; i < FALL_BACK; i++)
        CPU_RELAX();
}

/* How many it ran. */
static unsigned run_slots(struct worker *w)
{
    unsigned left = host_turn_events(w->runtime->host), slots = 0;

    while (left > 0) {
        struct slot *s = take(w);
        unsigned n;

        if (!s)
            s = steal(w);
        if (!s)
            break;
        n = slot_run(s, w, left < SLOT_EVENTS ? left : SLOT_EVENTS);
        left -= n > 0 ? n : 1; /* 0: its next event is being linked just now */
        slots++;
        if (w->is_at_heels)
            fall_back(w);
    }
    return slots;
}

static void run_backlog(struct worker *w)
{
    bool is_backlog = atomic_load_explicit(&w->length, memory_order_relaxed) > 0;
    struct instant began = is_backlog ? host_now(w->runtime->host) : INSTANT_NEVER;
    unsigned slots = run_slots(w);

    if (is_backlog && slots > 0)
        learn_slot_ns(w, began, slots);
}

static void run_hooks(struct worker *w)
{
    struct list hooks;

    list_init(&hooks);
    list_splice(&hooks, &w->hooks);
    while (!list_is_empty(&hooks)) {
        struct turn_hook *hook = list_entry(hooks.next, struct turn_hook, link);

        list_remove(&hook->link);
        hook->fn(hook);
    }
}

static bool has_work(struct worker *w)
{
    return w->next || atomic_load_explicit(&w->length, memory_order_relaxed) > 0 ||
           atomic_load_explicit(&w->has_posts, memory_order_relaxed) || !list_is_empty(&w->hooks);
}

static void keep_time(struct worker *w)
{
    struct instant next = timers_next(w->runtime->timers);

    /* A deadline that has passed is the loop's no more: it is told again. */
    if (next.ns == w->deadline.ns &&
        (next.ns == INSTANT_NEVER.ns || instant_before(host_now(w->runtime->host), next)))
        return;
    w->deadline = next;
    host_loop_deadline(w->loop, next);
}

static bool turn(void *arg)
{
    struct worker *w = arg;
    struct runtime *rt = w->runtime;
    const struct context *before;
    bool more;

    if (atomic_load_explicit(&rt->stopping, memory_order_acquire))
        return false;
    before = context_set(&w->context);
    atomic_store_explicit(&w->idle, false, memory_order_relaxed);
    if (w->index == 0)
        timers_fire(rt->timers);
    run_posts(w);
    run_backlog(w);
    run_hooks(w);
    if (w->index == 0)
        keep_time(w);
    more = has_work(w);
    if (!more) {
        /* First say that we sleep, then look once more: who queues after that wakes us. */
        atomic_store_explicit(&w->idle, true, memory_order_seq_cst);
        more = has_work(w) || (rt->n_workers > 1 && anyone_is_worth_a_thief(rt));
    }
    context_set(before);
    if (!more)
        runtime_changed(rt);
    return more;
}

bool worker_all_still(struct runtime *rt, uint64_t *ret_deeds)
{
    uint64_t begun = 0, ended = 0;

    /* Ended first, and whose end is seen of that the beginning is seen, too: so what
     * begins between the two sums makes them differ. */
    for (unsigned i = 0; i < rt->n_workers; i++)
        ended += atomic_load_explicit(&rt->workers[i].ended, memory_order_acquire);
    for (unsigned i = 0; i < rt->n_workers; i++) {
        begun += atomic_load_explicit(&rt->workers[i].begun, memory_order_acquire);
        begun += atomic_load_explicit(&rt->workers[i].sent, memory_order_acquire);
    }
    *ret_deeds = begun;
    return begun == ended;
}

bool worker_has_helpers(struct runtime *rt)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        if (host_loop_has_helpers(rt->workers[i].loop))
            return true;
    return false;
}

/* ---- life ---- */

static const char *format_actor(const struct context *c, char *out, size_t size)
{
    const struct worker *w = c->worker;
    struct pid pid = { 0 };

    if (w->slot)
        pid = slot_pid(w->slot);
    return pid_text(&pid, out, size);
}

static const char *format_sender(const struct context *c, char *out, size_t size)
{
    const struct worker *w = c->worker;

    return w->sender ? pid_text(w->sender, out, size) : "";
}

static void init(struct worker *w, struct runtime *rt, unsigned index)
{
    w->runtime = rt;
    w->index = index;
    w->deadline = INSTANT_NEVER;
    atomic_init(&w->slot_ns, WORTH_A_THIEF);
    w->context = (struct context){ .log = runtime_log(rt),
                                   .event = "",
                                   .format_actor = format_actor,
                                   .format_sender = format_sender,
                                   .worker = w };
    w->helpers = (struct context){ .log = runtime_log(rt), .actor = "", .event = "" };
    w->callbacks = w->helpers;
    w->callbacks.worker = w;
    list_init(&w->hooks);
    list_init(&w->posts);
    pthread_mutex_init(&w->lock, NULL);
}

void worker_start_all(struct runtime *rt, unsigned n)
{
    CHECK(n <= UINT16_MAX); /* a slot's home */
    rt->workers = mem_array(n, sizeof *rt->workers);
    for (unsigned i = 0; i < n; i++)
        init(&rt->workers[i], rt, i);
    rt->n_workers = n;
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = &rt->workers[i];
        struct loop *loop = host_loop_start(rt->host, turn, w);

        host_loop_contexts(loop, &w->callbacks, &w->helpers);
        pthread_mutex_lock(&w->lock);
        w->loop = loop;
        pthread_mutex_unlock(&w->lock);
    }
}

void worker_stop_all(struct runtime *rt)
{
    atomic_store_explicit(&rt->stopping, true, memory_order_release);
    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct worker *w = &rt->workers[i];

        pthread_mutex_lock(&w->lock);
        w->stopped = true;
        pthread_mutex_unlock(&w->lock);
    }
    for (unsigned i = 0; i < rt->n_workers; i++)
        host_loop_stop(rt->workers[i].loop);
    for (unsigned i = 0; i < rt->n_workers; i++)
        rt->workers[i].loop = NULL;
}

bool worker_run_stopped(struct runtime *rt)
{
    bool more = false;

    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct worker *w = &rt->workers[i];
        const struct context *before = context_set(&w->context);

        run_posts(w);
        run_slots(w);
        run_hooks(w);
        context_set(before);
    }
    for (unsigned i = 0; i < rt->n_workers; i++)
        more = more || has_work(&rt->workers[i]);
    return more;
}

void worker_free_all(struct runtime *rt)
{
    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct worker *w = &rt->workers[i];

        CHECK(!has_work(w));
        mem_free(w->backlog);
        spares_release(w);
        pthread_mutex_destroy(&w->lock);
    }
    mem_free(rt->workers);
    rt->workers = NULL;
    rt->n_workers = 0;
}
