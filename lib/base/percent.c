/* percent.c - text inside URLs and forms, as libprocess reads and writes it */
#include "base/percent.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"

static bool needs_escape(unsigned char c)
{
    return c <= 0x20 || c >= 0x7f || strchr("$&+,/:;=?@\"<>#%{}|\\^~[]`", c);
}

void percent_encode(const char *text, size_t length, struct buffer *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t clean = 0;           /* start of what needs no escape */

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!needs_escape(c))
            continue;
        buffer_append(out, text + clean, i - clean);
        buffer_append(out, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
        clean = i + 1;
    }
    buffer_append(out, text + clean, length - clean);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int percent_decode(const char *text, size_t length, struct buffer *out, struct error *err)
{
    size_t before = buffer_length(out);

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < length ? hex_value(text[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text[i + 2]) : -1;

            if (low < 0 || high * 16 + low == 0) {
                buffer_truncate(out, before);
                return error_set(err, EINVAL, "malformed %% escape at character %zu", i + 1);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        buffer_append_char(out, c);
    }
    return 0;
}
