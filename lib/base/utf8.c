/* utf8.c - is this Unicode? */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_between(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/* By the table "Well-Formed UTF-8 Byte Sequences" of the Unicode standard: only
 * the second byte's range depends on the first. */
size_t utf8_character(const char *bytes, size_t length)
{
    const unsigned char *s = (const unsigned char *)bytes;
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    if (length == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (is_between(s[0], 0xc2, 0xdf))
        size = 2;
    else if (is_between(s[0], 0xe0, 0xef))
        size = 3;
    else if (is_between(s[0], 0xf0, 0xf4))
        size = 4;
    else
        return 0;

    if (s[0] == 0xe0)
        low = 0xa0;                 /* overlong */
    else if (s[0] == 0xed)
        high = 0x9f;                /* surrogates */
    else if (s[0] == 0xf0)
        low = 0x90;                 /* overlong */
    else if (s[0] == 0xf4)
        high = 0x8f;                /* above U+10FFFF */

    if (length < size || !is_between(s[1], low, high))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (!is_between(s[i], 0x80, 0xbf))
            return 0;
    return size;
}

/* How many bytes from the front are ASCII, by eights. */
static size_t ascii_front(const char *bytes, size_t length)
{
    size_t i = 0;

    for (uint64_t eight; i + sizeof eight <= length; i += sizeof eight) {
        memcpy(&eight, bytes + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool utf8_is_valid(const char *bytes, size_t length)
{
    size_t i = ascii_front(bytes, length);

    while (i < length) {
        size_t size = utf8_character(bytes + i, length - i);

        if (size == 0)
            return false;
        i += size;
    }
    return true;
}
