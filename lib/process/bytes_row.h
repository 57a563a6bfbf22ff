/* bytes_row.h - bytes for those who wait for them
 *
 * Whoever reads gets what there is, or waits in a row.  One whose future is
 * discarded leaves it, and what came for him is held for the next.  Reading is
 * for any thread; the rest is for the owner of what the bytes come from, on the
 * one thread where that happens.
 */
#ifndef BYTES_ROW_H
#define BYTES_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "process/bytes.h"

struct future;
struct runtime;
struct waiters;

struct bytes_row {
    struct waiters *waiters;
    struct buffer held;
    bool ended;
    struct error failure; /* code 0: none; why it ended */
};

void bytes_row_init(struct bytes_row *r);
void bytes_row_release(struct bytes_row *r); /* who waits gets DISCARDED */

/* Any thread.  The owner is to be told afterwards, and calls serve. */
struct future *bytes_row_read(struct bytes_row *r);

bool bytes_row_is_wanted(struct bytes_row *r);
void bytes_row_put(struct bytes_row *r, const void *data, size_t size);
/* Behind what was put: size 0 for ever, or the failure. */
void bytes_row_end(struct bytes_row *r, const struct error *err);
/* What can be answered is. */
void bytes_row_serve(struct bytes_row *r);
void bytes_row_discard(struct bytes_row *r); /* the runtime ends */

/* Reads until the end.  `from` is taken: `unref` ends it when the result is there.
 * Longer than the limit: FAILED with EMSGSIZE, after `close`. */
struct bytes_source {
    const char *name; /* "The child's output" */
    struct future *(*read)(void *from);
    void (*close)(void *from);
    void (*unref)(void *from);
};
struct future *bytes_row_gather(struct runtime *rt, const struct bytes_source *source, void *from,
                                size_t limit);

#endif
