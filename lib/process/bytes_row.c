/* bytes_row.c - bytes for those who wait for them */
#include "process/bytes_row.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "process/repeat.h"
#include "process/runtime.h"
#include "process/waiters.h"

static void release_bytes(void *value)
{
    mem_free(((struct bytes *)value)->data);
}

FUTURE_TYPE_DEFINE(bytes, struct bytes, release_bytes);

void bytes_row_init(struct bytes_row *r)
{
    *r = (struct bytes_row){ .waiters = waiters_create(NULL) };
    buffer_init(&r->held);
}

void bytes_row_release(struct bytes_row *r)
{
    bytes_row_discard(r);
    waiters_unref(r->waiters);
    buffer_release(&r->held);
}

void bytes_row_discard(struct bytes_row *r)
{
    waiters_close(r->waiters);
}

struct future *bytes_row_read(struct bytes_row *r)
{
    struct future *f;

    pthread_mutex_lock(&r->waiters->lock);
    f = waiters_add(r->waiters, &bytes_type, 0);
    pthread_mutex_unlock(&r->waiters->lock);
    return f;
}

bool bytes_row_is_wanted(struct bytes_row *r)
{
    bool wanted;

    pthread_mutex_lock(&r->waiters->lock);
    wanted = waiters_first(r->waiters) != NULL;
    pthread_mutex_unlock(&r->waiters->lock);
    return wanted;
}

/* NULL: nobody waits. */
static struct promise *take(struct bytes_row *r)
{
    struct promise *p;

    pthread_mutex_lock(&r->waiters->lock);
    p = waiters_take(waiters_first(r->waiters));
    pthread_mutex_unlock(&r->waiters->lock);
    return p;
}

static void give(struct promise *p, const void *data, size_t size)
{
    struct bytes b = { mem_alloc(size + 1), size };

    if (size > 0)
        memcpy(b.data, data, size);
    bytes_set(p, b);
    promise_unref(p);
}

void bytes_row_put(struct bytes_row *r, const void *data, size_t size)
{
    struct promise *p = buffer_length(&r->held) == 0 ? take(r) : NULL;

    if (p)
        give(p, data, size);
    else
        buffer_append(&r->held, data, size);
}

void bytes_row_serve(struct bytes_row *r)
{
    struct promise *p;

    while ((buffer_length(&r->held) > 0 || r->ended) && (p = take(r)) != NULL) {
        if (buffer_length(&r->held) == 0 && r->failure.code) {
            promise_fail_with(p, &r->failure);
            promise_unref(p);
        } else {
            give(p, buffer_data(&r->held), buffer_length(&r->held));
            buffer_release(&r->held);
        }
    }
}

void bytes_row_end(struct bytes_row *r, const struct error *err)
{
    if (r->ended)
        return;
    r->ended = true;
    if (err)
        r->failure = *err;
    bytes_row_serve(r);
}

/* ---- all of it ---- */

struct gathering {
    const struct bytes_source *source;
    void *from;
    struct buffer got;
    size_t limit;
};

static struct future *next_piece(struct process *executor UNUSED, void *op)
{
    struct gathering *g = op;

    return g->source->read(g->from);
}

static struct future *piece_came(struct process *executor UNUSED, struct future *f, void *op)
{
    struct gathering *g = op;
    const struct bytes *piece = bytes_get(f);
    struct bytes all;

    if (piece->size > g->limit - buffer_length(&g->got)) {
        g->source->close(g->from);
        return future_failed(&bytes_type, EMSGSIZE, "%s is longer than %zu bytes", g->source->name,
                             g->limit);
    }
    if (piece->size > 0) {
        buffer_append(&g->got, piece->data, piece->size);
        return repeat_again();
    }
    all.data = buffer_take(&g->got, &all.size);
    return bytes_ready(all);
}

static void gathered(struct process *executor UNUSED, struct future *f UNUSED, void *op)
{
    struct gathering *g = op;

    g->source->unref(g->from);
    buffer_release(&g->got);
    mem_free(g);
}

struct future *bytes_row_gather(struct runtime *rt, const struct bytes_source *source, void *from,
                                size_t limit)
{
    struct process *executor = runtime_executor(rt);
    struct gathering *g = mem_alloc(sizeof *g);
    struct future *f;

    g->source = source;
    g->from = from;
    g->limit = limit;
    f = repeat(executor, next_piece, piece_came, g);
    future_finally(future_ref(f), executor, gathered, g);
    return f;
}
