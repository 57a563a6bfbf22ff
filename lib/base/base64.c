/* base64.c - bytes as text (RFC 4648, section 4) */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t size, struct buffer *out)
{
    const unsigned char *in = data;
    char *text = buffer_reserve(out, (size / 3 + 1) * 4);
    char *p = text;
    size_t i = 0;

    for (; i + 3 <= size; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 63];
        *p++ = alphabet[bits >> 6 & 63];
        *p++ = alphabet[bits & 63];
    }
    if (i < size) {
        uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < size ? (uint32_t)in[i + 1] << 8 : 0);

        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 63];
        *p++ = i + 1 < size ? alphabet[bits >> 6 & 63] : '=';
        *p++ = '=';
    }
    buffer_commit(out, (size_t)(p - text));
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes four characters, the last `padding` of them '='.  Gives the number
 * of bytes, or -1. */
static int decode_group(const char *text, int padding, unsigned char bytes[3])
{
    uint32_t bits = 0;

    for (int i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
    }
    if (bits & ((UINT32_C(1) << 8 * padding) - 1))
        return -1;                              /* bits behind the end */
    bytes[0] = (unsigned char)(bits >> 16);
    bytes[1] = (unsigned char)(bits >> 8);
    bytes[2] = (unsigned char)bits;
    return 3 - padding;
}

int base64_decode(const char *text, size_t length, struct buffer *out, struct error *err)
{
    size_t before = buffer_length(out);

    if (length % 4 != 0)
        return error_set(err, EINVAL, "base64 text of %zu characters is no multiple of 4", length);
    for (size_t i = 0; i < length; i += 4) {
        int padding = 0;
        unsigned char bytes[3];
        int n;

        if (i + 4 == length && text[i + 3] == '=')
            padding = text[i + 2] == '=' ? 2 : 1;
        n = decode_group(text + i, padding, bytes);
        if (n < 0) {
            buffer_truncate(out, before);
            return error_set(err, EINVAL, "characters %zu to %zu are no base64", i + 1, i + 4);
        }
        buffer_append(out, bytes, (size_t)n);
    }
    return 0;
}
