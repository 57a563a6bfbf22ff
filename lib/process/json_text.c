/* json_text.c - a tree of JSON from text that a stranger wrote */
#include "process/json_text.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/utf8.h"
#include "process/proto.h"

/* More of a bad line than an error has room for is not collected. */
enum { LINE_ENOUGH = 256 };

static const char *string_end(const char *at, const char *end)
{
    for (; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

/* A message takes at most two levels of JSON: its own, and that of the list or map it is in. */
static int measure(const char *at, size_t size, const struct proto_limits *limits,
                   struct error *err)
{
    const char *end = at + size;
    size_t depth = 0, count = 0;

    if (size > limits->size)
        return error_set(err, EMSGSIZE, "the text is longer than %zu bytes", limits->size);
    while (at < end) {
        switch (*at++) {
        case '"':
            at = string_end(at, end);
            break;
        case '{':
        case '[':
            if (++depth > 2 * limits->depth)
                return error_set(err, EMSGSIZE, "the text is nested too deeply");
            count++;
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case ',':
            count++;
            break;
        }
    }
    if (count > limits->count)
        return error_set(err, EMSGSIZE, "too many elements in the text");
    return 0;
}

static bool is_in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Long is an integer of more digits than any of 60 bits has. */
static const char *number_end(const char *at, const char *end, bool *ret_long)
{
    size_t digits = 0, others = 0;

    for (at += *at == '-'; at < end && is_in_number(*at); at++)
        *(*at >= '0' && *at <= '9' ? &digits : &others) += 1;
    *ret_long = others == 0 && digits >= 19;
    return at;
}

/* Integers that jansson may find too large are put in quotes, as one may write them: there they may
 * have all of 64 bits, or be doubles.  (A string field takes them, too, then.) */
static void quote_long(const char *at, size_t size, struct buffer *to)
{
    const char *end = at + size;

    while (at < end) {
        const char *start = at;
        bool is_long = false;

        if (*at == '"')
            at = string_end(at + 1, end);
        else if (is_in_number(*at))
            at = number_end(at, end, &is_long);
        else
            at++;
        if (is_long)
            buffer_append_char(to, '"');
        buffer_append(to, start, (size_t)(at - start));
        if (is_long)
            buffer_append_char(to, '"');
    }
}

static json_t *load(const char *json, size_t size, json_error_t *where)
{
    CLEANUP(buffer_release) struct buffer quoted = BUFFER_INIT;
    json_t *tree = json_loadb(size > 0 ? json : "", size, JSON_DECODE_ANY, where);

    if (tree || json_error_code(where) != json_error_numeric_overflow)
        return tree;
    quote_long(json, size, &quoted);
    return json_loadb(buffer_data(&quoted), buffer_length(&quoted), JSON_DECODE_ANY, where);
}

/* "syntax error at line 2 near: " and the rest of that line. */
static int refuse_text(const char *json, size_t size, const json_error_t *where, struct error *err)
{
    CLEANUP(buffer_release) struct buffer near = BUFFER_INIT;
    size_t at = where->position > 0 ? (size_t)where->position : 0, n;

    switch (json_error_code(where)) {
    case json_error_out_of_memory:
        UNREACHABLE();
    case json_error_invalid_utf8:
        return error_set(err, EBADMSG, "invalid UTF-8 at line %d", where->line);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return error_set(err, EBADMSG, "NUL in a string at line %d", where->line);
    case json_error_numeric_overflow:
        return error_set(err, EBADMSG, "a number at line %d is out of range", where->line);
    default:
        break;
    }
    for (; at < size && buffer_length(&near) < LINE_ENOUGH; at += n) {
        n = utf8_character(json + at, size - at);
        if (n == 0 || (unsigned char)json[at] < ' ')
            break;
        buffer_append(&near, json + at, n);
    }
    return error_set(err, EBADMSG, "syntax error at line %d near: %s", where->line,
                     buffer_data(&near));
}

json_t *json_text_load(const char *json, size_t size, const struct proto_limits *limits,
                       struct error *err)
{
    json_error_t where;
    json_t *tree;

    if (measure(json, size, limits, err) < 0)
        return NULL;
    tree = load(json, size, &where);
    if (!tree)
        refuse_text(json, size, &where, err);
    return tree;
}
