/* base64.h - bytes as text (RFC 4648, section 4) */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

struct buffer;
struct error;

/* Both append to out.  Decoding is strict: whole groups of four with their
 * padding, no white space, no bits behind the end. */
void base64_encode(const void *data, size_t size, struct buffer *out);
int base64_decode(const char *text, size_t length, struct buffer *out, struct error *err);

#endif
