/* recordio.c - records in a stream of bytes */
#include "mesos/recordio.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"

/* The digits of the largest length, and the newline. */
enum { DIGITS_MAX = 20, HEADER_MAX = DIGITS_MAX + 1 };

/* Writing */

void recordio_format(struct buffer *out, const void *record, size_t size)
{
    buffer_printf(out, "%zu\n", size);
    buffer_append(out, record, size);
}

/* Room for the longest header is left; what of it was not needed is closed at the end. */
size_t recordio_begin(struct buffer *out)
{
    size_t mark = buffer_length(out);

    buffer_reserve(out, HEADER_MAX);
    buffer_commit(out, HEADER_MAX);
    return mark;
}

void recordio_end(struct buffer *out, size_t mark)
{
    char header[HEADER_MAX + 1];

    CHECK(buffer_length(out) >= mark + HEADER_MAX);
    size_t size = buffer_length(out) - mark - HEADER_MAX;
    size_t n = (size_t)snprintf(header, sizeof header, "%zu\n", size);
    char *at = buffer_data(out) + mark;

    memcpy(at, header, n);
    memmove(at + n, at + HEADER_MAX, size);
    buffer_truncate(out, mark + n + size);
}

/* Reading */

void recordio_reader_init(struct recordio_reader *r, size_t limit)
{
    CHECK(limit <= SIZE_MAX / 16);
    *r = (struct recordio_reader){ .in = BUFFER_INIT, .limit = limit };
}

void recordio_reader_release(struct recordio_reader *r)
{
    buffer_release(&r->in);
    *r = (struct recordio_reader){ .in = BUFFER_INIT, .limit = r->limit };
}

static void drop_taken(struct recordio_reader *r)
{
    buffer_consume(&r->in, r->taken);
    r->taken = 0;
}

void recordio_feed(struct recordio_reader *r, const void *bytes, size_t size)
{
    drop_taken(r);
    if (!r->failed)
        buffer_append(&r->in, bytes, size);
}

static int refuse(struct recordio_reader *r, struct error *err, const char *why)
{
    r->failed = true;
    buffer_release(&r->in);
    return error_set(err, EBADMSG, "not a stream of records: %s", why);
}

/* The bytes of the header, 0 when it is not all there yet, -1 when it is none.  Digits without a
 * leading zero, then the newline. */
static int header_read(struct recordio_reader *r, size_t *ret_size, struct error *err)
{
    const char *text = buffer_data(&r->in);
    size_t length = buffer_length(&r->in), size = 0, at = 0;

    for (; at < length && text[at] != '\n'; at++) {
        size_t digit = (size_t)(unsigned char)text[at] - '0';

        if (digit > 9)
            return refuse(r, err, "a length has characters that are no digits");
        if (at > 0 && text[0] == '0')
            return refuse(r, err, "a length begins with 0");
        size = size * 10 + digit;
        if (size > r->limit)
            return refuse(r, err, "a record is too long");
    }
    if (at == length)
        return 0;
    if (at == 0)
        return refuse(r, err, "a length is empty");
    *ret_size = size;
    return (int)at + 1;
}

int recordio_next(struct recordio_reader *r, const char **ret_record, size_t *ret_size,
                  struct error *err)
{
    size_t size = 0;
    int header;

    drop_taken(r);
    if (r->failed)
        return error_set(err, EBADMSG, "not a stream of records");
    header = header_read(r, &size, err);
    if (header <= 0 || buffer_length(&r->in) - (size_t)header < size)
        return header < 0 ? -1 : 0;
    *ret_record = buffer_data(&r->in) + header;
    *ret_size = size;
    r->taken = (size_t)header + size;
    return 1;
}

bool recordio_is_complete(const struct recordio_reader *r)
{
    return !r->failed && buffer_length(&r->in) == r->taken;
}
