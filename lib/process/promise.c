/* promise.c - the producers' side: how futures begin, end and follow each other */
#include "process/core.h"
#include "process/future_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

const struct future_type future_nothing = { "nothing", 0, NULL };

/* ---- beginning ---- */

static struct future *create(const struct future_type *type, uint32_t references, size_t extra)
{
    size_t size = sizeof(struct future) + (type ? type->size : extra);
    struct future *f = spares_take(NULL, size);

    memset(f, 0, sizeof *f);
    f->size = size < UINT16_MAX ? (uint16_t)size : UINT16_MAX;
    atomic_init(&f->ref.count, references);
    ref_init(&f->promise.ref);
    atomic_init(&f->state, FUTURE_PENDING);
    atomic_init(&f->discard, false);
    f->type = type;
    f->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    list_init(&f->hooks);
    return f;
}

struct promise *promise_create(const struct future_type *type)
{
    return &create(type, 1, 0)->promise;
}

struct future *future_create(const struct future_type *type, size_t extra)
{
    CHECK(!type || extra == 0);
    return create(type, 2, extra);
}

struct promise *promise_ref(struct promise *p)
{
    ref_get(&p->ref);
    return p;
}

struct future *promise_future(struct promise *p)
{
    return future_ref(promise_owner(p));
}

void promise_unref(struct promise *p)
{
    struct future *f;

    if (!p || !future_put(&p->ref))
        return;
    f = promise_owner(p);
    if (future_state(f) == FUTURE_PENDING) {
        f->abandoned = true;
        promise_discard(p);
    }
    future_unref(f);
}

/* ---- ending ---- */

/* With the lock held: what waits is pushed or becomes work. */
static void let_go(struct future *f, bool only_for_discard, struct list *work)
{
    list_each_safe (h, &f->hooks, struct hook, link) {
        if (only_for_discard && !h->for_discard)
            continue;
        list_remove(&h->link);
        if (h->pushes) {
            h->fire(h, f, work);
        } else {
            h->future = future_ref(f);
            list_append(work, &h->link);
        }
    }
}

/* With the lock held; gives what is upstream, to be let go without the lock. */
static struct future *set_state(struct future *f, enum future_state state, struct list *work)
{
    struct future *upstream = f->upstream;

    f->upstream = NULL;
    /* Release: the value; behind it everybody only reads. */
    atomic_store_explicit(&f->state, state, memory_order_release);
    let_go(f, false, work);
    return upstream;
}

static void move_in(struct future *f, const struct future_type *type, const void *value)
{
    CHECK(!f->type || f->type == type);
    f->value = f->type ? f->room : mem_alloc(type->size);
    f->type = type;
    if (type->size > 0)
        memcpy(f->value, value, type->size);
}

bool future_end(struct future *f, enum future_state state, const struct future_type *type,
                const void *value, const struct error *err, struct list *work)
{
    struct future *upstream = NULL;
    bool first;

    pthread_mutex_lock(&f->lock);
    first = future_state(f) == FUTURE_PENDING;
    if (first) {
        if (state == FUTURE_READY)
            move_in(f, type, value);
        if (state == FUTURE_FAILED)
            f->error = mem_dup(err, sizeof *err);
        upstream = set_state(f, state, work);
    }
    pthread_mutex_unlock(&f->lock);
    future_unref(upstream);
    return first;
}

bool future_end_like(struct future *f, struct future *source, struct list *work)
{
    enum future_state state = future_state(source);
    struct future *origin = source, *upstream = NULL;
    bool first;

    if (source->source) {
        origin = future_ref(source->source);
        future_unref(source);
    }
    pthread_mutex_lock(&f->lock);
    first = future_state(f) == FUTURE_PENDING;
    if (first) {
        f->source = origin;
        upstream = set_state(f, state, work);
    }
    pthread_mutex_unlock(&f->lock);
    future_unref(first ? upstream : origin);
    return first;
}

void future_run_work(struct list *work)
{
    while (!list_is_empty(work)) {
        struct hook *h = list_first(work, struct hook, link);
        struct future *f = h->future;

        list_remove(&h->link);
        h->fire(h, f, work);
        future_unref(f);
    }
}

static bool end(struct promise *p, enum future_state state, const struct future_type *type,
                const void *value, const struct error *err)
{
    struct list work;
    bool first;

    list_init(&work);
    first = future_end(promise_owner(p), state, type, value, err, &work);
    future_run_work(&work);
    return first;
}

bool promise_set(struct promise *p, const struct future_type *type, const void *value)
{
    bool first = end(p, FUTURE_READY, type, value, NULL);

    if (!first && type->release)
        type->release((void *)value);
    return first;
}

bool promise_fail_with(struct promise *p, const struct error *err)
{
    return end(p, FUTURE_FAILED, NULL, NULL, err);
}

static void PRINTF(3, 0) format(struct error *err, int code, const char *fmt, va_list args)
{
    char text[sizeof err->text + 1]; /* one more: error_set then sees that it was cut */

    vsnprintf(text, sizeof text, fmt, args);
    error_set(err, code, "%s", text);
}

bool promise_fail(struct promise *p, int code, const char *fmt, ...)
{
    struct error err;
    va_list args;

    va_start(args, fmt);
    format(&err, code, fmt, args);
    va_end(args);
    return promise_fail_with(p, &err);
}

bool promise_discard(struct promise *p)
{
    return end(p, FUTURE_DISCARDED, NULL, NULL, NULL);
}

/* ---- settled from the start: without a lock, as nobody sees them yet, nor a promise ---- */

struct future *future_ready(const struct future_type *type, const void *value)
{
    struct future *f = create(type, 1, 0);

    move_in(f, type, value);
    atomic_init(&f->state, FUTURE_READY);
    return f;
}

struct future *future_failed_with(const struct future_type *type, const struct error *err)
{
    struct future *f = create(type, 1, 0);

    f->error = mem_dup(err, sizeof *err);
    atomic_init(&f->state, FUTURE_FAILED);
    return f;
}

struct future *future_failed(const struct future_type *type, int code, const char *fmt, ...)
{
    struct error err;
    va_list args;

    va_start(args, fmt);
    format(&err, code, fmt, args);
    va_end(args);
    return future_failed_with(type, &err);
}

/* ---- discards, which travel against the stream ---- */

/* Gives what is upstream, or NULL. */
static struct future *ask_to_discard(struct future *f, struct list *work)
{
    struct future *upstream = NULL;

    pthread_mutex_lock(&f->lock);
    if (future_state(f) == FUTURE_PENDING && !future_has_discard(f)) {
        atomic_store_explicit(&f->discard, true, memory_order_release);
        let_go(f, true, work);
        upstream = f->upstream ? future_ref(f->upstream) : NULL;
    }
    pthread_mutex_unlock(&f->lock);
    return upstream;
}

void future_discard_into(struct future *f, struct list *work)
{
    struct future *next = ask_to_discard(f, work);

    while ((f = next)) {
        next = ask_to_discard(f, work);
        future_unref(f);
    }
}

void future_discard(struct future *f)
{
    struct list work;

    list_init(&work);
    future_discard_into(f, &work);
    future_run_work(&work);
}

/* ---- hooks ---- */

void future_hook(struct future *f, struct hook *h, struct list *work)
{
    pthread_mutex_lock(&f->lock);
    list_append(&f->hooks, &h->link);
    if (future_state(f) != FUTURE_PENDING)
        let_go(f, false, work);
    else if (h->for_discard && future_has_discard(f))
        let_go(f, true, work);
    pthread_mutex_unlock(&f->lock);
}

bool future_unhook(struct future *f, struct hook *h)
{
    bool waits;

    pthread_mutex_lock(&f->lock);
    waits = future_state(f) == FUTURE_PENDING && !(h->for_discard && future_has_discard(f));
    if (waits)
        list_remove(&h->link);
    pthread_mutex_unlock(&f->lock);
    return waits;
}

/* ---- following ---- */

struct follower {
    struct hook hook;
    struct promise *promise;
};
struct canceller {
    struct hook hook;
    struct future *source;
};

static void source_ended(struct hook *h, struct future *source, struct list *work)
{
    struct follower *follower = (struct follower *)h;

    future_end_like(promise_owner(follower->promise), future_ref(source), work);
    promise_unref(follower->promise);
    mem_free(follower);
}

static void follower_discarded(struct hook *h, struct future *f, struct list *work)
{
    struct canceller *c = (struct canceller *)h;

    if (future_has_discard(f))
        future_discard_into(c->source, work);
    future_unref(c->source);
    mem_free(c);
}

static void add_canceller(struct future *f, struct future *source, struct list *work)
{
    struct canceller *c = mem_alloc(sizeof *c);

    c->hook.for_discard = true;
    c->hook.fire = follower_discarded;
    c->source = future_ref(source);
    future_hook(f, &c->hook, work);
}

/* Most futures have one other upstream at a time: what was before is settled. */
static bool set_upstream(struct future *f, struct future *source)
{
    struct future *old = NULL;
    bool set;

    pthread_mutex_lock(&f->lock);
    set = future_state(f) == FUTURE_PENDING && !future_has_discard(f) &&
          (!f->upstream || future_state(f->upstream) != FUTURE_PENDING);
    if (set) {
        old = f->upstream;
        f->upstream = future_ref(source);
    }
    pthread_mutex_unlock(&f->lock);
    future_unref(old);
    return set;
}

static void pass_discards(struct future *f, struct future *source, struct list *work)
{
    if (!set_upstream(f, source))
        add_canceller(f, source, work);
}

void future_discard_with(struct future *source, struct promise *p)
{
    promise_owner(p)->upstream = future_ref(source);
}

static void follow(struct promise *p, struct future *source, struct list *work)
{
    struct follower *follower;

    CHECK(source && source != promise_owner(p));
    if (future_state(source) != FUTURE_PENDING) { /* most often, and needs no hooks */
        future_end_like(promise_owner(p), source, work);
        return;
    }
    pass_discards(promise_owner(p), source, work);
    follower = mem_alloc(sizeof *follower);
    follower->hook.fire = source_ended;
    follower->promise = promise_ref(p);
    future_hook(source, &follower->hook, work);
    future_unref(source);
}

void promise_follow(struct promise *p, struct future *source)
{
    struct list work;

    list_init(&work);
    follow(p, source, &work);
    future_run_work(&work);
}
