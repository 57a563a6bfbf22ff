/* buffer.h - bytes that grow at one end and are consumed at the other
 *
 * Output is appended, input is consumed; the free space before and behind is
 * reused.  `buffer_data` is NUL-terminated behind its length for the reader's
 * convenience.  What is appended may not lie inside the buffer itself.  Not
 * thread-safe.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

#include "base/compiler.h"

struct buffer { char *base; size_t head, tail, capacity; };

#define BUFFER_INIT { NULL, 0, 0, 0 }

void buffer_init(struct buffer *b);
void buffer_release(struct buffer *b);             /* frees; usable again */
void buffer_clear(struct buffer *b);               /* keeps the memory */

static inline size_t buffer_length(const struct buffer *b) { return b->tail - b->head; }
char *buffer_data(const struct buffer *b);         /* "" when empty */

void buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_append_text(struct buffer *b, const char *text);
void buffer_append_char(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *fmt, ...) PRINTF(2, 3);
void buffer_consume(struct buffer *b, size_t size);    /* from the front; CHECKs size <= length */
void buffer_truncate(struct buffer *b, size_t length); /* from the back */

/* In place: room for at least `size` bytes; then say how many were written. */
char *buffer_make_room(struct buffer *b, size_t size);     /* when there is none yet */
static inline char *buffer_reserve(struct buffer *b, size_t size)
{
    return size < b->capacity - b->tail ? b->base + b->tail : buffer_make_room(b, size);
}
void buffer_commit(struct buffer *b, size_t size);

/* The bytes as a NUL-terminated string of the caller's; b is empty then. */
char *buffer_take(struct buffer *b, size_t *ret_length);

#endif
