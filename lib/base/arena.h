/* arena.h - memory that ends all at once
 *
 * A chain of blocks; what was allocated lives until arena_release.  Messages
 * are unpacked into one, which ends with the handler.  Not thread-safe.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

#include "base/compiler.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    char *next, *end;
    size_t allocated;     /* bytes of all blocks, for limits */
};

#define ARENA_INIT { NULL, NULL, NULL, 0 }

void arena_release(struct arena *a);                   /* usable again afterwards */
void *arena_alloc(struct arena *a, size_t size);       /* 16-byte aligned, not zeroed */
void *arena_zalloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void *arena_dup(struct arena *a, const void *p, size_t size);

#endif
