/* text.h - immutable, counted text
 *
 * What ids, names and the ids of PIDs are made of: copying one takes a
 * reference, and the same text may be held by any number of owners on any
 * thread.  Bytes are NUL-terminated and hold no NUL.  Equal means the same
 * pointer, or else the same hash, length and bytes; there is no global table.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ref.h"

struct text {
    struct ref ref;
    uint32_t hash;        /* FNV-1a of the bytes: the same on every run */
    uint32_t length;
    char bytes[];
};

struct text *text_create(const char *bytes);
struct text *text_create_n(const char *bytes, size_t length);
struct text *text_format(const char *fmt, ...) PRINTF(1, 2);
struct text *text_ref(struct text *t);      /* NULL gives NULL */
void text_unref(struct text *t);            /* NULL is fine */
bool text_equal(const struct text *a, const struct text *b);
bool text_is(const struct text *a, const char *bytes);
uint32_t text_hash_bytes(const char *bytes, size_t length);

#endif
