/* instant.c - points in time and lengths of time, in nanoseconds */
#include "base/instant.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"

#define TOO_MANY UINT64_C(1000000000000000000)     /* 1e18: ten times it still fits */

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "ms", 1000000 },
    { "secs", 1000000000 },
    { "mins", 60000000000 },
    { "hrs", 3600000000000 },
    { "days", 86400000000000 },
    { "weeks", 604800000000000 },
};

struct instant instant_add(struct instant t, struct duration d)
{
    if (t.ns == INT64_MAX)
        return t;
    if (__builtin_add_overflow(t.ns, d.ns, &t.ns))
        t.ns = d.ns > 0 ? INT64_MAX : INT64_MIN;
    return t;
}

struct duration instant_since(struct instant later, struct instant earlier)
{
    struct duration d;

    if (__builtin_sub_overflow(later.ns, earlier.ns, &d.ns))
        d.ns = later.ns > earlier.ns ? INT64_MAX : INT64_MIN;
    return d;
}

struct duration duration_from_seconds(double seconds)
{
    double ns = seconds * 1e9;

    if (isnan(ns))
        return NANOSECONDS(INT64_MAX);
    if (ns >= 0x1p63)
        return NANOSECONDS(INT64_MAX);
    if (ns < -0x1p63)
        return NANOSECONDS(INT64_MIN);
    return NANOSECONDS(rint(ns));
}

double duration_seconds(struct duration d)
{
    return (double)d.ns / 1e9;
}

double instant_seconds(struct instant t)
{
    return (double)t.ns / 1e9;
}

struct duration duration_min(struct duration a, struct duration b)
{
    return a.ns < b.ns ? a : b;
}

struct duration duration_times(struct duration d, int64_t factor)
{
    struct duration product;

    if (__builtin_mul_overflow(d.ns, factor, &product.ns))
        product.ns = (d.ns > 0) == (factor > 0) ? INT64_MAX : INT64_MIN;
    return product;
}

/* The unit of d's size, or the next smaller one when only that is whole. */
static const struct unit *unit_for(uint64_t ns)
{
    size_t i = ARRAY_SIZE(units) - 1;

    while (i > 0 && ns < (uint64_t)units[i].ns)
        i--;
    if (i > 0 && ns % (uint64_t)units[i].ns != 0 && ns % (uint64_t)units[i - 1].ns == 0)
        i--;
    return &units[i];
}

const char *duration_format(struct duration d, char text[DURATION_TEXT])
{
    uint64_t ns = d.ns < 0 ? -(uint64_t)d.ns : (uint64_t)d.ns;
    const struct unit *u = unit_for(ns);
    const char *sign = d.ns < 0 ? "-" : "";

    if (ns % (uint64_t)u->ns == 0)
        snprintf(text, DURATION_TEXT, "%s%llu%s", sign,
                 (unsigned long long)(ns / (uint64_t)u->ns), u->name);
    else
        snprintf(text, DURATION_TEXT, "%s%.15g%s", sign, (double)ns / (double)u->ns, u->name);
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number in front of the unit, as whole + part / scale; false when there
 * is none.  Whole stops at a number that is too many of any unit. */
static bool parse_number(const char **p, uint64_t *whole, uint64_t *part, uint64_t *scale)
{
    const char *s = *p;
    bool digits = false;

    *whole = *part = 0;
    *scale = 1;
    for (; is_digit(*s); s++, digits = true)
        *whole = *whole > TOO_MANY ? UINT64_MAX : *whole * 10 + (uint64_t)(*s - '0');
    if (*s == '.')
        for (s++; is_digit(*s); s++, digits = true)
            if (*scale < 1000000000000000000) {
                *part = *part * 10 + (uint64_t)(*s - '0');
                *scale *= 10;
            }
    *p = s;
    return digits;
}

int duration_parse(const char *text, struct duration *ret_d, struct error *err)
{
    uint64_t whole, part, scale;
    const char *end = text;
    unsigned __int128 ns;
    size_t i = 0;

    if (!parse_number(&end, &whole, &part, &scale))
        return error_set(err, EINVAL, "'%s' is no duration: it has to begin with a number", text);
    while (i < ARRAY_SIZE(units) && strcmp(end, units[i].name) != 0)
        i++;
    if (i == ARRAY_SIZE(units))
        return error_set(err, EINVAL,
                         "'%s' is no duration: its unit has to be one of ns, us, ms, secs, mins, "
                         "hrs, days, weeks", text);

    ns = (unsigned __int128)whole * (uint64_t)units[i].ns;
    ns += ((unsigned __int128)part * (uint64_t)units[i].ns + scale / 2) / scale;
    if (ns > INT64_MAX)
        return error_set(err, ERANGE, "the duration '%s' is longer than 292 years", text);
    ret_d->ns = (int64_t)ns;
    return 0;
}
