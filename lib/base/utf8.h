/* utf8.h - is this Unicode?
 *
 * Strict, as in RFC 3629: shortest forms only, no surrogates, nothing above
 * U+10FFFF.  NUL is a character like any other here.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_is_valid(const char *bytes, size_t length);
/* The length of the one character at the start (1 to 4), 0 when there is no
 * valid one within `length` bytes. */
size_t utf8_character(const char *bytes, size_t length);

#endif
