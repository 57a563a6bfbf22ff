/* json_rope.h - a long JSON text of which most has been written before
 *
 * A rope is a writer's text with pieces spliced in: values that were written
 * once, are counted, and are shared by all ropes that hold them.  Making a rope
 * costs what is new in it; all bytes are touched only when it is flattened,
 * which any thread may do.
 */
#ifndef JSON_ROPE_H
#define JSON_ROPE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/json_writer.h"

struct json_rope_piece;
struct json_splice;

/* A whole value, copied.  Immutable; any thread. */
struct json_rope_piece *json_rope_piece_create(const struct buffer *json);
struct json_rope_piece *json_rope_piece_ref(struct json_rope_piece *p);
void json_rope_piece_unref(struct json_rope_piece *p); /* NULL is fine */

struct json_rope {
    struct json_writer writer; /* of what is new */
    struct buffer text;
    struct json_splice *splices;
    size_t n, capacity, length; /* length: of all of it but `text` */
};

void json_rope_init(struct json_rope *r); /* may not move: its writer points at its text */
void json_rope_release(struct json_rope *r);
/* The next value of its writer; takes a reference of its own. */
void json_rope_splice(struct json_rope *r, struct json_rope_piece *p);
void json_rope_flatten(const struct json_rope *r, struct buffer *out); /* appended */

#endif
