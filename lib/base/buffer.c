/* buffer.c - bytes that grow at one end and are consumed at the other
 *
 * Invariant: base is NULL, or head <= tail < capacity and base[tail] is NUL.
 * Data are moved to the front only when that frees at least as much as is
 * moved, so consuming byte by byte stays linear.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 64 };

void buffer_init(struct buffer *b)
{
    *b = (struct buffer)BUFFER_INIT;
}

void buffer_release(struct buffer *b)
{
    if (!b->base)
        return;
    mem_free(b->base);
    buffer_init(b);
}

void buffer_clear(struct buffer *b)
{
    b->head = b->tail = 0;
    if (b->base)
        b->base[0] = '\0';
}

char *buffer_data(const struct buffer *b)
{
    return b->base ? b->base + b->head : (char *)"";
}

static void move_to_front(struct buffer *b)
{
    memmove(b->base, b->base + b->head, buffer_length(b) + 1);
    b->tail -= b->head;
    b->head = 0;
}

static void grow(struct buffer *b, size_t needed)
{
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;

    CHECK(needed <= SIZE_MAX / 4);
    while (capacity < needed)
        capacity *= 2;
    b->base = mem_realloc(b->base, capacity);
    b->capacity = capacity;
    b->base[b->tail] = '\0';
}

/* The rest of buffer_reserve: the memory is used up, or there is none yet. */
char *buffer_make_room(struct buffer *b, size_t size)
{
    CHECK(size <= SIZE_MAX / 4);
    if (b->tail + size + 1 > b->capacity) {
        if (b->head > 0 && b->head >= buffer_length(b))
            move_to_front(b);
        if (b->tail + size + 1 > b->capacity)
            grow(b, b->tail + size + 1);
    }
    return b->base + b->tail;
}

void buffer_commit(struct buffer *b, size_t size)
{
    if (size == 0)
        return;
    CHECK(b->tail + size < b->capacity);
    b->tail += size;
    b->base[b->tail] = '\0';
}

void buffer_append(struct buffer *b, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(buffer_reserve(b, size), data, size);
    buffer_commit(b, size);
}

void buffer_append_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_append_char(struct buffer *b, char c)
{
    *buffer_reserve(b, 1) = c;
    buffer_commit(b, 1);
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    char *room = buffer_reserve(b, FIRST_CAPACITY);
    size_t size = b->capacity - b->tail;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(room, size, fmt, args);
    va_end(args);
    CHECK(n >= 0);
    if ((size_t)n >= size) {
        b->base[b->tail] = '\0';
        room = buffer_reserve(b, (size_t)n);
        va_start(args, fmt);
        vsnprintf(room, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    buffer_commit(b, (size_t)n);
}

void buffer_consume(struct buffer *b, size_t size)
{
    CHECK(size <= buffer_length(b));
    b->head += size;
    if (b->head == b->tail)
        buffer_clear(b);
}

void buffer_truncate(struct buffer *b, size_t length)
{
    CHECK(length <= buffer_length(b));
    if (!b->base)
        return;
    b->tail = b->head + length;
    b->base[b->tail] = '\0';
}

char *buffer_take(struct buffer *b, size_t *ret_length)
{
    char *bytes;

    if (ret_length)
        *ret_length = buffer_length(b);
    if (!b->base)
        return mem_strdup("");
    move_to_front(b);
    bytes = b->base;
    buffer_init(b);
    return bytes;
}
