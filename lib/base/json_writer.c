/* json_writer.c - JSON straight into a buffer */
#include "base/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/utf8.h"

void json_writer_init(struct json_writer *w, struct buffer *out)
{
    *w = (struct json_writer){ .out = out };
}

/* What stands between the value that comes and what was written before; room
 * for `size` bytes of it follows.  Written is what finish_value is told. */
static char *begin_value(struct json_writer *w, size_t size)
{
    char *p = buffer_reserve(w->out, size + 1);

    if (w->comma && !w->key)
        *p++ = ',';
    w->key = false;
    w->comma = true;
    return p;
}

static void finish_value(struct json_writer *w, const char *end)
{
    buffer_commit(w->out, (size_t)(end - buffer_reserve(w->out, 0)));
}

static void write_word(struct json_writer *w, const char *word, size_t length)
{
    char *p = begin_value(w, length);

    memcpy(p, word, length);
    finish_value(w, p + length);
}

static uint64_t depth_bit(int depth)
{
    return depth < 64 ? UINT64_C(1) << depth : 0;
}

static void begin(struct json_writer *w, char bracket)
{
    write_word(w, &bracket, 1);
    w->comma = false;
    if (bracket == '{')
        w->objects |= depth_bit(w->depth);
    else
        w->objects &= ~depth_bit(w->depth);
    w->depth++;
}

static void end(struct json_writer *w, char bracket)
{
    CHECK(w->depth > 0 && !w->key);
    w->depth--;
    if (bracket == '}')
        CHECK((w->objects & depth_bit(w->depth)) == depth_bit(w->depth));
    else
        CHECK(!(w->objects & depth_bit(w->depth)));
    buffer_append_char(w->out, bracket);
    w->comma = true;
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

/* Text is copied and looked at sixteen bytes at a time: the vectors are the
 * compiler's, on whatever machine. */
enum { BLOCK = 16, LONGEST_ESCAPE = 6 };
typedef signed char block __attribute__((vector_size(BLOCK)));

/* How many bytes at its front need no care: all but control characters, quotes,
 * backslashes, and what is not ASCII (negative, as signed bytes). */
static unsigned copy_plain(char *to, const char *from)
{
    block b;
    uint64_t halves[2];

    memcpy(&b, from, BLOCK);
    memcpy(to, &b, BLOCK);
    b = (b < 0x20) | (b == '"') | (b == '\\');
    memcpy(halves, &b, BLOCK);
    if ((halves[0] | halves[1]) == 0)
        return BLOCK;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    halves[0] = __builtin_bswap64(halves[0]);
    halves[1] = __builtin_bswap64(halves[1]);
#endif
    return (unsigned)(halves[0] ? __builtin_ctzll(halves[0]) : 64 + __builtin_ctzll(halves[1])) / 8;
}

static char *escape(char *to, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    static const char digits[] = "0123456789abcdef";

    *to++ = '\\';
    if (c >= 0x20) {
        *to++ = (char)c;
    } else if (letters[c]) {
        *to++ = letters[c];
    } else {
        memcpy(to, "u00", 3);
        to[3] = digits[c >> 4];
        to[4] = digits[c & 15];
        to += 5;
    }
    return to;
}

/* The character at s, which needs care; says how many of its bytes are done. */
static char *copy_special(char *to, const char *s, size_t n, size_t *ret_size)
{
    unsigned char c = (unsigned char)*s;
    size_t size = c < 0x80 ? 1 : utf8_character(s, n);

    *ret_size = size > 0 ? size : 1;
    if (c < 0x80)
        return escape(to, c);
    if (size == 0) {
        s = "\xef\xbf\xbd";
        size = 3;
    }
    memcpy(to, s, size);
    return to + size;
}

/* A string, quoted, and the text behind it. */
static void write_quoted(struct json_writer *w, const char *s, size_t n, const char *after)
{
    enum { SLACK = BLOCK + LONGEST_ESCAPE + 4 }; /* a block, a character, the quote, the text */
    char *p = begin_value(w, n + SLACK), *limit = p + n;
    size_t i = 0;

    *p++ = '"';
    while (i < n) {
        char tail[BLOCK] = "                ";
        const char *from = s + i;
        size_t left = n - i, done;

        if (p + left > limit + 1) {         /* escapes have used up the room */
            finish_value(w, p);
            p = buffer_reserve(w->out, left + left / 8 + SLACK);
            limit = p + left + left / 8;
        }
        if (left < BLOCK)
            from = memcpy(tail, from, left);
        done = copy_plain(p, from);
        if (done > left)
            done = left;
        p += done;
        i += done;
        if (done < BLOCK && i < n) {
            p = copy_special(p, s + i, n - i, &done);
            i += done;
        }
    }
    *p++ = '"';
    while (*after)
        *p++ = *after++;
    finish_value(w, p);
}

void json_key(struct json_writer *w, const char *key)
{
    CHECK(w->depth > 0 && !w->key);
    write_quoted(w, key, strlen(key), ":");
    w->key = true;
}

void json_write_string(struct json_writer *w, const char *s)
{
    if (s)
        json_write_string_n(w, s, strlen(s));
    else
        json_write_null(w);
}

void json_write_string_n(struct json_writer *w, const char *s, size_t n)
{
    write_quoted(w, s, n, "");
}

enum { NUMBER = 32 };                   /* the longest that the functions below write */

static char *write_unsigned(char *p, uint64_t u)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;

    for (; u >= 100; u /= 100)
        memcpy(digits + (at -= 2), pairs + u % 100 * 2, 2);
    if (u >= 10)
        memcpy(digits + (at -= 2), pairs + u * 2, 2);
    else
        digits[--at] = (char)('0' + u);
    memcpy(p, digits + at, sizeof digits - at);
    return p + sizeof digits - at;
}

void json_write_integer(struct json_writer *w, int64_t i)
{
    char *p = begin_value(w, NUMBER);

    if (i < 0)
        *p++ = '-';
    finish_value(w, write_unsigned(p, i < 0 ? -(uint64_t)i : (uint64_t)i));
}

void json_write_unsigned(struct json_writer *w, uint64_t u)
{
    finish_value(w, write_unsigned(begin_value(w, NUMBER), u));
}

/* Nearly all doubles are numbers of at most three decimals: cpus, mem, times.
 * Below 1e12 those are exact in thousandths, and no shorter text reads back
 * the same.  False for all others. */
static bool write_thousandths(struct json_writer *w, double d)
{
    double size = fabs(d);
    uint64_t thousandths;
    unsigned fraction;
    char *p;

    if (!(size < 1e12))
        return false;
    thousandths = (uint64_t)(size * 1000 + 0.5);
    if ((double)thousandths / 1000 != size)
        return false;
    fraction = (unsigned)(thousandths % 1000);

    p = begin_value(w, NUMBER);
    if (signbit(d))
        *p++ = '-';
    p = write_unsigned(p, thousandths / 1000);
    *p++ = '.';
    *p++ = (char)('0' + fraction / 100);
    if (fraction % 100 > 0)
        *p++ = (char)('0' + fraction / 10 % 10);
    if (fraction % 10 > 0)
        *p++ = (char)('0' + fraction % 10);
    finish_value(w, p);
    return true;
}

/* Whatever the locale calls a decimal point becomes '.'. */
static void write_digits(struct buffer *out, const char *digits)
{
    bool foreign = false, plain = true;

    for (const char *p = digits; *p; p++) {
        if (strchr("+-0123456789e", *p)) {
            buffer_append_char(out, *p);
            plain = plain && *p != 'e';
            foreign = false;
        } else if (!foreign) {
            buffer_append_char(out, '.');
            foreign = true;
            plain = false;
        }
    }
    if (plain)
        buffer_append_text(out, ".0");
}

void json_write_double(struct json_writer *w, double d)
{
    char digits[64];

    if (!isfinite(d)) {
        json_write_null(w);
        return;
    }
    if (write_thousandths(w, d))
        return;
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, d);
        if (strtod(digits, NULL) == d)
            break;
    }
    finish_value(w, begin_value(w, 0));
    write_digits(w->out, digits);
}

void json_write_bool(struct json_writer *w, bool b)
{
    write_word(w, b ? "true" : "false", b ? 4 : 5);
}

void json_write_null(struct json_writer *w)
{
    write_word(w, "null", 4);
}

void json_write_base64(struct json_writer *w, const void *data, size_t size)
{
    write_word(w, "\"", 1);
    base64_encode(data, size, w->out);
    buffer_append_char(w->out, '"');
}

void json_write_raw(struct json_writer *w, const char *json, size_t length)
{
    write_word(w, json, length);
}

void json_put_string(struct json_writer *w, const char *key, const char *s)
{
    json_key(w, key);
    json_write_string(w, s);
}

void json_put_integer(struct json_writer *w, const char *key, int64_t i)
{
    json_key(w, key);
    json_write_integer(w, i);
}

void json_put_double(struct json_writer *w, const char *key, double d)
{
    json_key(w, key);
    json_write_double(w, d);
}

void json_put_bool(struct json_writer *w, const char *key, bool b)
{
    json_key(w, key);
    json_write_bool(w, b);
}
