/* recordio.h - records in a stream of bytes
 *
 * The framing of the v1 API's streams: "<length in decimal>\n<bytes>", one record after the other,
 * with nothing between.  The reader takes the stream in pieces of any size; it is strict, and
 * refuses a record beyond its limit as soon as the length is there, before its bytes are.
 */
#ifndef RECORDIO_H
#define RECORDIO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct error;

/* Writing, behind what the buffer holds.  Between begin and end anything may be appended: the
 * record; its length is put in front. */
void recordio_format(struct buffer *out, const void *record, size_t size);
size_t recordio_begin(struct buffer *out);             /* gives the mark for end */
void recordio_end(struct buffer *out, size_t mark);

struct recordio_reader {
    struct buffer in;
    size_t limit;           /* bytes of a record */
    size_t taken;           /* of `in`: the record that was given last */
    bool failed;
};

void recordio_reader_init(struct recordio_reader *r, size_t limit);
void recordio_reader_release(struct recordio_reader *r);

void recordio_feed(struct recordio_reader *r, const void *bytes, size_t size);

/* 1: a record, valid until the next call on this reader, not followed by a NUL; 0: more bytes are
 * needed; -1: this is no such stream, now and ever after. */
int recordio_next(struct recordio_reader *r, const char **ret_record, size_t *ret_size,
                  struct error *err);

/* Whether a stream may end here: between two records. */
bool recordio_is_complete(const struct recordio_reader *r);

#endif
