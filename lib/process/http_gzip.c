/* http_gzip.c - bodies smaller on the wire, and back: the door of zlib */
#include "process/http_gzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"

enum {
    GZIP = 16 + MAX_WBITS,  /* as zlib is told to speak gzip */
    MEMORY_LEVEL = 8,       /* zlib's usual */
    MAX_DEFLATED = 1 << 30, /* longer ones go as they are: zlib counts in int */
    PIECE = 64 * 1024       /* of output, as it is made */
};

/* Speed before size: JSON becomes a tenth at any level. */
bool http_gzip_deflate(struct buffer *body)
{
    size_t size = buffer_length(body);
    struct buffer out = BUFFER_INIT;
    z_stream z = { 0 };
    uLong bound;
    int status;

    if (size > MAX_DEFLATED)
        return false;
    CHECK(deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) ==
          Z_OK);
    bound = deflateBound(&z, size);
    z.next_in = (Bytef *)buffer_data(body);
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)buffer_reserve(&out, bound);
    z.avail_out = (uInt)bound;
    status = deflate(&z, Z_FINISH);
    CHECK(status == Z_STREAM_END);
    buffer_commit(&out, z.total_out);
    deflateEnd(&z);
    if (buffer_length(&out) >= size) {
        buffer_release(&out);
        return false;
    }
    buffer_release(body);
    buffer_append(body, buffer_data(&out), buffer_length(&out)); /* without the spare room */
    buffer_release(&out);
    return true;
}

/* Room for one byte more than may be: who fills it is too long. */
static void make_room(z_stream *z, struct buffer *out, size_t left)
{
    size_t room = left < PIECE ? left + 1 : PIECE;

    z->next_out = (Bytef *)buffer_reserve(out, room);
    z->avail_out = (uInt)room;
}

/* One step; 1 when the gzip form is complete. */
static int inflate_piece(z_stream *z, size_t max, struct buffer *out, struct error *err)
{
    size_t left = max - buffer_length(out), room;
    int status;

    make_room(z, out, left);
    room = z->avail_out;
    status = inflate(z, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END)
        return error_set(err, EINVAL, "The body is no gzip: %s", z->msg ? z->msg : "it is cut");
    if (room - z->avail_out > left)
        return error_set(err, EFBIG, "The inflated body is longer than %zu bytes", max);
    buffer_commit(out, room - z->avail_out);
    if (status == Z_STREAM_END && z->avail_in > 0) /* several, one behind the other, are one */
        CHECK(inflateReset(z) == Z_OK);
    return status == Z_STREAM_END && z->avail_in == 0;
}

int http_gzip_inflate(const void *data, size_t size, size_t max, struct buffer *out,
                      struct error *err)
{
    z_stream z = { 0 };
    int status;

    if (size > UINT_MAX)
        return error_set(err, EFBIG, "The body is too long");
    CHECK(inflateInit2(&z, GZIP) == Z_OK);
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)size;
    do
        status = inflate_piece(&z, max, out, err);
    while (status == 0);
    inflateEnd(&z);
    return status < 0 ? -1 : 0;
}
