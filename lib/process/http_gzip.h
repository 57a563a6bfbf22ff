/* http_gzip.h - bodies smaller on the wire
 *
 * Pure: any thread.
 */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct error;

/* The body becomes its gzip form; false, and nothing is changed, when that
 * would not be shorter. */
bool http_gzip_deflate(struct buffer *body);

/* Appends what the bytes are the gzip form of.  EFBIG when that is longer than
 * max, of which no more is made; EINVAL when they are no gzip. */
int http_gzip_inflate(const void *data, size_t size, size_t max, struct buffer *out,
                      struct error *err);

#endif
