/* http_accept.c - what a client says it can read: Accept and Accept-Encoding
 *
 * A header is a list of ranges, each with a quality: "text/html;q=0.5, *;q=0".
 * The most specific range that covers a thing decides; q=0 excludes it.
 */
#include <string.h>
#include <strings.h>

#include "process/http_private.h"

enum { NO_MATCH, ANY, ANY_OF_TYPE, EXACT };

struct verdict {
    int precision; /* of the best range so far */
    bool accepted;
    bool has_header; /* one that says something */
};

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

static const char *find(const char *p, const char *end, char c)
{
    while (p < end && *p != c)
        p++;
    return p;
}

static size_t trimmed(const char *from, const char *end)
{
    while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (size_t)(end - from);
}

/* "q=0", "q=0.000" among the parameters. */
static bool is_excluded(const char *p, const char *end)
{
    while (p < end) {
        const char *stop = find(p, end, ';'), *q = skip_blanks(p, stop);
        size_t length = trimmed(q, stop);

        if (length >= 3 && (q[0] == 'q' || q[0] == 'Q') && q[1] == '=')
            return q[2] == '0' && strspn(q + 3, ".0") >= length - 3;
        p = stop < end ? stop + 1 : end;
    }
    return false;
}

static int precision_of(const char *range, size_t length, const char *thing)
{
    const char *slash = strchr(thing, '/');
    size_t type = slash ? (size_t)(slash - thing) + 1 : 0; /* "text/" */

    if (length == strlen(thing) && strncasecmp(range, thing, length) == 0)
        return EXACT;
    if (type > 0 && length == type + 1 && range[type] == '*' &&
        strncasecmp(range, thing, type) == 0)
        return ANY_OF_TYPE;
    if ((length == 3 && memcmp(range, "*/*", 3) == 0) || (length == 1 && *range == '*'))
        return ANY;
    return NO_MATCH;
}

static void weigh(struct verdict *v, const char *p, const char *end, const char *thing)
{
    while (p < end) {
        const char *stop = find(p, end, ','), *range = skip_blanks(p, stop);
        const char *range_end = find(range, stop, ';');
        size_t length = trimmed(range, range_end);
        int precision = precision_of(range, length, thing);

        v->has_header = v->has_header || length > 0;
        if (precision > v->precision) {
            v->precision = precision;
            v->accepted = !is_excluded(range_end, stop);
        }
        p = stop < end ? stop + 1 : end;
    }
}

/* All fields of the name are one list. */
static struct verdict judge(const struct http_request *r, const char *name, const char *thing)
{
    struct verdict v = { NO_MATCH, false, false };

    for (size_t i = 0; i < r->parser.n_fields; i++) {
        const struct http_field *f = &r->parser.fields[i];
        const char *value = r->raw + f->value.at;

        if (f->name.length == strlen(name) &&
            strncasecmp(r->raw + f->name.at, name, f->name.length) == 0)
            weigh(&v, value, value + f->value.length, thing);
    }
    return v;
}

bool http_accepts(const struct http_request *r, const char *media_type)
{
    struct verdict v = judge(r, "Accept", media_type);

    return !v.has_header || v.accepted;
}

/* Here no header means no: who can inflate says so. */
bool http_accepts_encoding(const struct http_request *r, const char *encoding)
{
    return judge(r, "Accept-Encoding", encoding).accepted;
}
