/* text.c - immutable, counted text */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

uint32_t text_hash_bytes(const char *bytes, size_t length)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
    return hash;
}

static struct text *allocate(size_t length)
{
    struct text *t;

    CHECK(length < UINT32_MAX);
    t = mem_alloc(sizeof *t + length + 1);
    ref_init(&t->ref);
    t->length = (uint32_t)length;
    return t;
}

struct text *text_create(const char *bytes)
{
    return text_create_n(bytes, strlen(bytes));
}

struct text *text_create_n(const char *bytes, size_t length)
{
    struct text *t = allocate(length);

    if (length > 0)
        memcpy(t->bytes, bytes, length);
    CHECK(strlen(t->bytes) == length);
    t->hash = text_hash_bytes(t->bytes, length);
    return t;
}

struct text *text_format(const char *fmt, ...)
{
    struct text *t;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(n >= 0);
    t = allocate((size_t)n);
    va_start(args, fmt);
    vsnprintf(t->bytes, (size_t)n + 1, fmt, args);
    va_end(args);
    CHECK(strlen(t->bytes) == (size_t)n);
    t->hash = text_hash_bytes(t->bytes, t->length);
    return t;
}

struct text *text_ref(struct text *t)
{
    if (t)
        ref_get(&t->ref);
    return t;
}

void text_unref(struct text *t)
{
    if (t && ref_put(&t->ref))
        mem_free(t);
}

bool text_equal(const struct text *a, const struct text *b)
{
    if (a == b)
        return true;
    return a && b && a->hash == b->hash && a->length == b->length &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool text_is(const struct text *a, const char *bytes)
{
    return a && strcmp(a->bytes, bytes) == 0;
}
