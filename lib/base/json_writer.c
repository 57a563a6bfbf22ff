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

/* What stands between the value that comes and what was written before. */
static void begin_value(struct json_writer *w)
{
    if (w->comma && !w->key)
        buffer_append_char(w->out, ',');
    w->key = false;
    w->comma = true;
}

static uint64_t depth_bit(int depth)
{
    return depth < 64 ? UINT64_C(1) << depth : 0;
}

static void begin(struct json_writer *w, char bracket)
{
    begin_value(w);
    buffer_append_char(w->out, bracket);
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

static void write_escaped(struct buffer *out, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };

    if (c == '"' || c == '\\')
        buffer_append(out, (char[]){ '\\', (char)c }, 2);
    else if (letters[c])
        buffer_append(out, (char[]){ '\\', letters[c] }, 2);
    else
        buffer_printf(out, "\\u%04x", c);
}

/* Runs of bytes that need no care are copied as a whole. */
static void write_string(struct buffer *out, const char *s, size_t n)
{
    size_t clean = 0, i = 0;

    buffer_append_char(out, '"');
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        size_t size = c < 0x80 ? 1 : utf8_character(s + i, n - i);

        if (c >= 0x20 && c != '"' && c != '\\' && size > 0) {
            i += size;
            continue;
        }
        buffer_append(out, s + clean, i - clean);
        if (size > 0)
            write_escaped(out, c);
        else
            buffer_append_text(out, "\xef\xbf\xbd");
        clean = ++i;
    }
    buffer_append(out, s + clean, n - clean);
    buffer_append_char(out, '"');
}

void json_key(struct json_writer *w, const char *key)
{
    CHECK(w->depth > 0 && !w->key);
    begin_value(w);
    write_string(w->out, key, strlen(key));
    buffer_append_char(w->out, ':');
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
    begin_value(w);
    write_string(w->out, s, n);
}

static void write_unsigned(struct buffer *out, uint64_t u)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + u % 10);
    while ((u /= 10) > 0);
    buffer_append(out, digits + at, sizeof digits - at);
}

void json_write_integer(struct json_writer *w, int64_t i)
{
    begin_value(w);
    if (i < 0)
        buffer_append_char(w->out, '-');
    write_unsigned(w->out, i < 0 ? -(uint64_t)i : (uint64_t)i);
}

void json_write_unsigned(struct json_writer *w, uint64_t u)
{
    begin_value(w);
    write_unsigned(w->out, u);
}

/* Nearly all doubles are numbers of at most three decimals: cpus, mem, times.
 * Below 1e12 those are exact in thousandths, and no shorter text reads back
 * the same.  False for all others. */
static bool write_thousandths(struct buffer *out, double d)
{
    double scaled = rint(fabs(d) * 1000);
    uint64_t thousandths, fraction;
    char decimals[3];
    size_t n = 3;

    if (!(scaled < 1e15) || scaled / 1000 != fabs(d))
        return false;
    thousandths = (uint64_t)scaled;
    fraction = thousandths % 1000;
    decimals[0] = (char)('0' + fraction / 100);
    decimals[1] = (char)('0' + fraction / 10 % 10);
    decimals[2] = (char)('0' + fraction % 10);
    while (n > 1 && decimals[n - 1] == '0')
        n--;

    if (signbit(d))
        buffer_append_char(out, '-');
    write_unsigned(out, thousandths / 1000);
    buffer_append_char(out, '.');
    buffer_append(out, decimals, n);
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
    begin_value(w);
    if (write_thousandths(w->out, d))
        return;
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, d);
        if (strtod(digits, NULL) == d)
            break;
    }
    write_digits(w->out, digits);
}

void json_write_bool(struct json_writer *w, bool b)
{
    begin_value(w);
    buffer_append_text(w->out, b ? "true" : "false");
}

void json_write_null(struct json_writer *w)
{
    begin_value(w);
    buffer_append_text(w->out, "null");
}

void json_write_base64(struct json_writer *w, const void *data, size_t size)
{
    begin_value(w);
    buffer_append_char(w->out, '"');
    base64_encode(data, size, w->out);
    buffer_append_char(w->out, '"');
}

void json_write_raw(struct json_writer *w, const char *json, size_t length)
{
    begin_value(w);
    buffer_append(w->out, json, length);
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
