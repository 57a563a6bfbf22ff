/* http_path.c - which route a path is for
 *
 * A path is taken as it came, segment by segment: each is decoded by itself, so
 * that an escaped slash is a character like any other.  A route answers for its
 * path and all below it, and with ".json" behind it.  Of those that fit
 *
 *   the one with the most segments, then
 *   the one that says a segment in full where the other has a variable, the
 *   first such segment decides, then
 *   the one that needs no ".json" to be cut off, then the first in the tables.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/percent.h"
#include "process/http_private.h"
#include "process/process.h"

/* What stands between two slashes. */
struct segment {
    const char *text;
    size_t length;
};

/* The segment behind the slash at *p; false at the end. */
static bool next_segment(const char **p, const char *end, struct segment *ret)
{
    const char *slash;

    if (*p == end)
        return false;
    ret->text = *p + 1;
    slash = memchr(ret->text, '/', (size_t)(end - ret->text));
    *p = slash ? slash : end;
    ret->length = (size_t)(*p - ret->text);
    return true;
}

/* "{id}" */
static bool is_variable(const struct segment *s)
{
    return s->length > 2 && s->text[0] == '{' && s->text[s->length - 1] == '}';
}

/* How much of it the text stands for: all, all but ".json", or nothing. */
enum fit { NO_FIT, FITS_WITHOUT_JSON, FITS };

static enum fit compare(const char *text, size_t length, const struct segment *literal)
{
    static const char json[] = ".json";
    size_t n = literal->length;

    if (length < n || memcmp(text, literal->text, n) != 0)
        return NO_FIT;
    if (length == n)
        return FITS;
    return length == n + sizeof json - 1 && memcmp(text + n, json, sizeof json - 1) == 0
               ? FITS_WITHOUT_JSON
               : NO_FIT;
}

static enum fit compare_decoded(const struct segment *s, const struct segment *literal)
{
    CLEANUP(buffer_release) struct buffer decoded = BUFFER_INIT;

    if (http_is_plain(s->text, s->length))
        return compare(s->text, s->length, literal);
    if (percent_decode(s->text, s->length, &decoded, NULL) < 0)
        return NO_FIT;
    return compare(buffer_data(&decoded), buffer_length(&decoded), literal);
}

/* How the path, or its front, fits to the route; only the last segment may have
 * a ".json" more. */
static enum fit match(const char *route, const char *path, size_t length, bool is_plain,
                      size_t *ret_matched)
{
    const char *p = path, *route_end = route + strlen(route), *end = path + length;
    struct segment wanted, s;
    enum fit fit = FITS;

    while (next_segment(&route, route_end, &wanted)) {
        if (!next_segment(&p, end, &s))
            return NO_FIT;
        if (is_variable(&wanted))
            fit = s.length > 0 ? FITS : NO_FIT;
        else if (is_plain)
            fit = compare(s.text, s.length, &wanted);
        else
            fit = compare_decoded(&s, &wanted);
        if (fit == NO_FIT || (fit == FITS_WITHOUT_JSON && route != route_end))
            return NO_FIT;
    }
    *ret_matched = (size_t)(p - path);
    return fit;
}

/* Both fit to the same segments. */
static bool is_more_exact(const char *a, const char *b)
{
    const char *a_end = a + strlen(a), *b_end = b + strlen(b);
    struct segment of_a, of_b;

    while (next_segment(&a, a_end, &of_a) && next_segment(&b, b_end, &of_b))
        if (is_variable(&of_a) != is_variable(&of_b))
            return is_variable(&of_b);
    return false;
}

const struct process_route *http_path_find(const struct process_route *const *tables,
                                           const char *path, size_t length, bool is_plain,
                                           size_t *ret_matched)
{
    const struct process_route *best = NULL;
    enum fit best_fit = NO_FIT;
    size_t best_matched = 0, matched;

    for (; tables && *tables; tables++)
        for (const struct process_route *row = *tables; row->serve; row++) {
            enum fit fit = match(row->path, path, length, is_plain, &matched);
            if (fit == NO_FIT || (best && matched < best_matched))
                continue;
            if (best && matched == best_matched && !is_more_exact(row->path, best->path) &&
                (is_more_exact(best->path, row->path) || fit <= best_fit))
                continue;
            best = row;
            best_fit = fit;
            best_matched = matched;
        }
    *ret_matched = best_matched;
    return best;
}

size_t http_path_variables(const char *route, const char *path, size_t length,
                           struct http_pair **ret_pairs)
{
    const char *route_end = route + strlen(route), *end = path + length;
    struct segment name, value;
    size_t n = 0;

    *ret_pairs = NULL;
    if (!strchr(route, '{'))
        return 0;
    while (next_segment(&route, route_end, &name) && next_segment(&path, end, &value)) {
        if (!is_variable(&name))
            continue;
        *ret_pairs = mem_realloc(*ret_pairs, (n + 1) * sizeof **ret_pairs);
        (*ret_pairs)[n].key = mem_strndup(name.text + 1, name.length - 2);
        (*ret_pairs)[n++].value = http_decode(value.text, value.length, NULL);
    }
    return n;
}
