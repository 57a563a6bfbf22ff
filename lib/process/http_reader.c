/* http_reader.c - an answer that is read while it comes */
#include "process/http_reader.h"

#include "base/memory.h"
#include "process/http_client_private.h"
#include "process/repeat.h"

static void release_reader(void *value)
{
    http_reader_unref(((struct http_opened *)value)->reader);
}

FUTURE_TYPE_DEFINE(http_opened, struct http_opened, release_reader);

struct http_reader *http_reader_ref(struct http_reader *r)
{
    ref_get(&r->users);
    return r;
}

/* The reader is a part of its exchange. */
void http_reader_unref(struct http_reader *r)
{
    if (!r || !ref_put(&r->users))
        return;
    http_exchange_give_up(r->exchange);
    http_exchange_unref(r->exchange);
}

int http_reader_status(const struct http_reader *r)
{
    return r->exchange->status;
}

const char *http_reader_header(const struct http_reader *r, const char *name)
{
    return http_client_ask_find(r->exchange->headers, name);
}

struct future *http_reader_read(struct http_reader *r)
{
    return http_exchange_read(r->exchange);
}

/* ---- all of it ---- */

static struct future *read_next(void *from)
{
    return http_reader_read(from);
}

static void give_up(void *from)
{
    http_exchange_give_up(((struct http_reader *)from)->exchange);
}

static void unref(void *from)
{
    http_reader_unref(from);
}

struct future *http_reader_read_all(struct http_reader *r, size_t limit)
{
    static const struct bytes_source answer = { "The answer", read_next, give_up, unref };

    return bytes_row_gather(r->exchange->runtime, &answer, http_reader_ref(r), limit);
}

/* ---- piece by piece ---- */

struct reading {
    struct http_reader *reader;
    http_reader_f fn;
    void *op;
};

static struct future *next_piece(struct process *self UNUSED, void *op)
{
    return http_reader_read(((struct reading *)op)->reader);
}

static struct future *piece_came(struct process *self, struct future *f, void *op)
{
    struct reading *r = op;
    const struct bytes *piece = bytes_get(f);

    if (piece->size == 0)
        return future_ready(&future_nothing, NULL);
    r->fn(self, piece, r->op);
    return repeat_again();
}

static void reading_ended(struct process *self UNUSED, struct future *f UNUSED, void *op)
{
    struct reading *r = op;

    http_reader_unref(r->reader);
    mem_free(r);
}

struct future *http_reader_each(struct http_reader *r, struct process *self, http_reader_f fn,
                                void *op)
{
    struct reading *reading = mem_alloc(sizeof *reading);
    struct future *f;

    reading->reader = http_reader_ref(r);
    reading->fn = fn;
    reading->op = op;
    f = repeat(self, next_piece, piece_came, reading);
    future_finally(future_ref(f), self, reading_ended, reading);
    return f;
}
