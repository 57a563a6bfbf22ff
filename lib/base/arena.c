/* arena.c - memory that ends all at once
 *
 * The newest block is the one that is filled.  Blocks double in size up to a
 * limit, so a small message costs one small block and a large one few of them;
 * what is larger than a block gets a block of its own, behind the newest.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

/* The first block, with its head, is of a size that malloc keeps at hand for each thread. */
enum { ALIGNMENT = 16, FIRST_BLOCK = 976, LAST_BLOCK = 64 * 1024 };

struct arena_block {
    _Alignas(16) struct arena_block *older;
    size_t size;                        /* of bytes */
    _Alignas(16) char bytes[];
};

void arena_release(struct arena *a)
{
    struct arena_block *b = a->blocks;

    while (b) {
        struct arena_block *older = b->older;

        mem_free(b);
        b = older;
    }
    *a = (struct arena)ARENA_INIT;
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
    /* Not mem_alloc: that would clear what the caller fills anyway. */
    struct arena_block *b = mem_realloc(NULL, sizeof *b + size);

    b->older = NULL;
    b->size = size;
    a->allocated += sizeof *b + size;
    return b;
}

/* For one allocation that would waste most of a shared block. */
static void *alloc_alone(struct arena *a, size_t size)
{
    struct arena_block *b = add_block(a, size);

    if (a->blocks) {
        b->older = a->blocks->older;
        a->blocks->older = b;
    } else {
        a->blocks = b;
        a->next = a->end = b->bytes + size;
    }
    return b->bytes;
}

static void start_block(struct arena *a)
{
    size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;
    struct arena_block *b;

    if (size < FIRST_BLOCK)
        size = FIRST_BLOCK;
    if (size > LAST_BLOCK)
        size = LAST_BLOCK;
    b = add_block(a, size);
    b->older = a->blocks;
    a->blocks = b;
    a->next = b->bytes;
    a->end = b->bytes + size;
}

void *arena_alloc(struct arena *a, size_t size)
{
    char *p;

    CHECK(size <= SIZE_MAX / 2);
    size = size ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (size > (size_t)(a->end - a->next)) {
        if (size > FIRST_BLOCK / 2)
            return alloc_alone(a, size);
        start_block(a);
    }
    p = a->next;
    a->next += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_dup(a, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = arena_alloc(a, length + 1);

    memcpy(copy, s, length);
    copy[length] = '\0';
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(n >= 0);
    text = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

void *arena_dup(struct arena *a, const void *p, size_t size)
{
    void *copy = arena_alloc(a, size);

    if (size > 0)
        memcpy(copy, p, size);
    return copy;
}
