/* queue.c - values that somebody puts and somebody else waits for
 *
 * There are values, or there are waiters, or neither; never both.
 */
#include "process/queue.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/waiters.h"

struct item {
    struct list link;
    _Alignas(16) char value[];
};

struct queue {
    const struct future_type *type;
    struct waiters *waiters; /* its lock guards the items, too */
    struct list items;
    size_t n;
};

struct queue *queue_create(const struct future_type *type)
{
    struct queue *q = mem_alloc(sizeof *q);

    q->type = type;
    q->waiters = waiters_create(NULL);
    list_init(&q->items);
    return q;
}

void queue_destroy(struct queue *q)
{
    if (!q)
        return;
    waiters_close(q->waiters);
    list_each_safe (i, &q->items, struct item, link) {
        if (q->type->release)
            q->type->release(i->value);
        mem_free(i);
    }
    waiters_unref(q->waiters);
    mem_free(q);
}

static void append(struct queue *q, const void *value)
{
    struct item *i = mem_alloc(sizeof *i + q->type->size);

    if (q->type->size > 0)
        memcpy(i->value, value, q->type->size);
    list_append(&q->items, &i->link);
    q->n++;
}

void queue_put(struct queue *q, const struct future_type *type, const void *value)
{
    struct promise *p;

    CHECK(type == q->type);
    pthread_mutex_lock(&q->waiters->lock);
    p = waiters_take(waiters_first(q->waiters));
    if (!p)
        append(q, value);
    pthread_mutex_unlock(&q->waiters->lock);
    if (p)
        promise_set(p, type, value);
    promise_unref(p);
}

struct future *queue_get(struct queue *q)
{
    struct future *f = NULL;
    struct item *i;

    pthread_mutex_lock(&q->waiters->lock);
    i = list_first(&q->items, struct item, link);
    if (i) {
        list_remove(&i->link);
        q->n--;
    } else {
        f = waiters_add(q->waiters, q->type, 0);
    }
    pthread_mutex_unlock(&q->waiters->lock);
    if (i)
        f = future_ready(q->type, i->value);
    mem_free(i);
    return f;
}

size_t queue_length(struct queue *q)
{
    size_t n;

    pthread_mutex_lock(&q->waiters->lock);
    n = q->n;
    pthread_mutex_unlock(&q->waiters->lock);
    return n;
}
