/* http_writer.c - a request's body that is sent while it is made
 *
 * The user's side puts pieces into a list and pokes the exchange, whose connection
 * takes them out one at a time, when it has sent the one before.
 */
#include "process/http_writer.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"

struct piece {
    struct list link;
    struct promise *promise;
    size_t size;
    char data[];
};

struct http_writer *http_writer_create(void)
{
    struct http_writer *w = mem_alloc(sizeof *w);

    ref_init(&w->ref);
    ref_init(&w->users);
    pthread_mutex_init(&w->lock, NULL);
    list_init(&w->pieces);
    return w;
}

struct http_writer *http_writer_ref(struct http_writer *w)
{
    ref_get(&w->users);
    return w;
}

static void drop(struct http_writer *w)
{
    if (!ref_put(&w->ref))
        return;
    list_each_safe (p, &w->pieces, struct piece, link) {
        promise_unref(p->promise);
        mem_free(p);
    }
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

void http_writer_unref(struct http_writer *w)
{
    if (!w || !ref_put(&w->users))
        return;
    pthread_mutex_lock(&w->lock);
    if (!w->closed && w->exchange)
        http_exchange_give_up(w->exchange);
    w->dead = w->dead || !w->closed;
    pthread_mutex_unlock(&w->lock);
    drop(w);
}

struct future *http_writer_write(struct http_writer *w, const void *data, size_t size)
{
    struct piece *p;
    struct future *f = NULL;

    if (size == 0)
        return future_ready(&future_nothing, NULL);
    pthread_mutex_lock(&w->lock);
    if (w->dead || w->closed) {
        f = future_failed(&future_nothing, EPIPE, "The request's body takes no more bytes");
    } else {
        p = mem_alloc(sizeof *p + size);
        p->promise = promise_create(&future_nothing);
        p->size = size;
        memcpy(p->data, data, size);
        f = promise_future(p->promise);
        list_append(&w->pieces, &p->link);
        if (w->exchange)
            http_exchange_poke(w->exchange);
    }
    pthread_mutex_unlock(&w->lock);
    return f;
}

void http_writer_close(struct http_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    if (w->exchange)
        http_exchange_poke(w->exchange);
    pthread_mutex_unlock(&w->lock);
}

/* ---- the exchange's side ---- */

int http_writer_attach(struct http_writer *w, struct http_exchange *e, struct error *err)
{
    int status = 0;

    pthread_mutex_lock(&w->lock);
    if (w->exchange || w->dead) {
        status = error_set(err, EINVAL, "The writer is another question's");
    } else {
        w->exchange = e;
        ref_get(&w->ref);
    }
    pthread_mutex_unlock(&w->lock);
    return status;
}

bool http_writer_next(struct http_writer *w, struct buffer *out, struct promise **ret_told,
                      bool *ret_last)
{
    struct piece *p;
    bool closed;

    pthread_mutex_lock(&w->lock);
    p = list_first(&w->pieces, struct piece, link);
    if (p)
        list_remove(&p->link);
    closed = w->closed;
    pthread_mutex_unlock(&w->lock);
    if (!p) {
        if (closed)
            buffer_append_text(out, "0\r\n\r\n");
        *ret_last = closed;
        return closed;
    }
    buffer_printf(out, "%zx\r\n", p->size);
    buffer_append(out, p->data, p->size);
    buffer_append_text(out, "\r\n");
    *ret_told = p->promise;
    mem_free(p);
    return true;
}

void http_writer_die(struct http_writer *w)
{
    struct list left;

    list_init(&left);
    pthread_mutex_lock(&w->lock);
    w->dead = true;
    w->exchange = NULL;
    list_splice(&left, &w->pieces);
    pthread_mutex_unlock(&w->lock);
    list_each_safe (p, &left, struct piece, link) {
        promise_fail(p->promise, EPIPE, "The question has been answered, or has failed, before");
        promise_unref(p->promise);
        mem_free(p);
    }
    drop(w);
}
