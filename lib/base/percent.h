/* percent.h - text inside URLs and forms, as libprocess reads and writes it */
#ifndef PERCENT_H
#define PERCENT_H

#include <stddef.h>

struct buffer;
struct error;

/* Both append to out.  Encoding escapes what is reserved, unsafe, a control
 * character or not ASCII.  Decoding turns '+' into a space and refuses a '%'
 * without two hexadecimal digits, and %00: decoded text is C text. */
void percent_encode(const char *text, size_t length, struct buffer *out);
int percent_decode(const char *text, size_t length, struct buffer *out, struct error *err);

#endif
