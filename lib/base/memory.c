/* memory.c - memory that never runs out politely */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { LARGE = 1024 };

static void *must_have(void *p)
{
    if (!p)
        check_failed(__FILE__, __LINE__, "out of memory: allocation");
    return p;
}

/* calloc goes past malloc's cache of the thread: it pays only for memory that the
 * kernel may have zeroed already. */
void *mem_alloc(size_t size)
{
    if (size > LARGE)
        return must_have(calloc(1, size));
    return memset(must_have(malloc(size ? size : 1)), 0, size);
}

void *mem_realloc(void *p, size_t size)
{
    return must_have(realloc(p, size ? size : 1));
}

void *mem_array(size_t n, size_t size)
{
    size_t total;

    CHECK(!__builtin_mul_overflow(n, size, &total));
    return mem_alloc(total);
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

char *mem_strndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = must_have(malloc(length + 1));

    memcpy(copy, s, length);
    copy[length] = '\0';
    return copy;
}

void *mem_dup(const void *p, size_t size)
{
    void *copy = must_have(malloc(size ? size : 1));

    if (size > 0)
        memcpy(copy, p, size);
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = mem_vprintf(fmt, args);
    va_end(args);
    return text;
}

char *mem_vprintf(const char *fmt, va_list args)
{
    char *text;

    if (vasprintf(&text, fmt, args) < 0)
        check_failed(__FILE__, __LINE__, "out of memory: mem_vprintf");
    return text;
}

void mem_free_p(void *pp)
{
    void *p;

    memcpy(&p, pp, sizeof p);       /* pp is the address of a pointer of any type */
    free(p);
}
