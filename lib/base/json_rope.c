/* json_rope.c - a long JSON text of which most has been written before */
#include "base/json_rope.h"

#include <string.h>

#include "base/memory.h"
#include "base/ref.h"

struct json_rope_piece {
    struct ref ref;
    size_t length;
    char bytes[];
};

/* A piece stands in front of the text's byte `at`. */
struct json_splice {
    size_t at;
    struct json_rope_piece *piece;
};

struct json_rope_piece *json_rope_piece_create(const struct buffer *json)
{
    size_t length = buffer_length(json);
    struct json_rope_piece *p = mem_alloc(sizeof *p + length);

    ref_init(&p->ref);
    p->length = length;
    memcpy(p->bytes, buffer_data(json), length);
    return p;
}

struct json_rope_piece *json_rope_piece_ref(struct json_rope_piece *p)
{
    ref_get(&p->ref);
    return p;
}

void json_rope_piece_unref(struct json_rope_piece *p)
{
    if (p && ref_put(&p->ref))
        mem_free(p);
}

void json_rope_init(struct json_rope *r)
{
    *r = (struct json_rope){ .splices = NULL };
    json_writer_init(&r->writer, &r->text);
}

void json_rope_release(struct json_rope *r)
{
    for (size_t i = 0; i < r->n; i++)
        json_rope_piece_unref(r->splices[i].piece);
    mem_free(r->splices);
    buffer_release(&r->text);
    r->splices = NULL;
    r->n = r->capacity = r->length = 0;
}

void json_rope_splice(struct json_rope *r, struct json_rope_piece *p)
{
    json_write_raw(&r->writer, "", 0); /* its comma */
    if (r->n == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->splices = mem_realloc(r->splices, r->capacity * sizeof *r->splices);
    }
    r->splices[r->n++] = (struct json_splice){ buffer_length(&r->text), json_rope_piece_ref(p) };
    r->length += p->length;
}

void json_rope_flatten(const struct json_rope *r, struct buffer *out)
{
    const char *text = buffer_data(&r->text);
    size_t done = 0;

    buffer_reserve(out, r->length + buffer_length(&r->text));
    for (size_t i = 0; i < r->n; i++) {
        const struct json_splice *s = &r->splices[i];

        buffer_append(out, text + done, s->at - done);
        buffer_append(out, s->piece->bytes, s->piece->length);
        done = s->at;
    }
    buffer_append(out, text + done, buffer_length(&r->text) - done);
}
