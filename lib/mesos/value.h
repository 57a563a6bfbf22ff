/* value.h - how much: a scalar, ranges of numbers, a set of names, or a text
 *
 * What resources and attributes have in common.  Scalars are fixed point with
 * three decimal digits, as in Mesos: 1.5 is 1500 millis; sums are exact.
 * Ranges are kept sorted, disjoint and merged where they touch; sets sorted,
 * without repetitions.  A struct value owns what it points at: dup and release.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mesos.pb-c.h"

struct arena;
struct buffer;
struct error;
struct text;

enum value_type { VALUE_SCALAR, VALUE_RANGES, VALUE_SET, VALUE_TEXT };

struct value_range { uint64_t begin, end; };        /* both ends included */

struct value {
    enum value_type type;
    size_t n;                                       /* of ranges and items */
    union {
        int64_t millis;
        struct value_range *ranges;
        struct text **items;
        struct text *text;
    };
};

/* The largest scalar that one value may bring: sums over 90000 agents fit. */
#define VALUE_MAX 1e11

void value_release(struct value *v);                /* a scalar 0 afterwards */
struct value value_dup(const struct value *v);
bool value_equal(const struct value *a, const struct value *b);
bool value_is_empty(const struct value *v);         /* 0, no ranges, no items, no text */

/* "1.5", "[1-2,5-5]", "{a,b}", and all else a text.  Scalars may be negative. */
int value_parse(const char *text, size_t length, struct value *ret_v, struct error *err);
void value_format(const struct value *v, struct buffer *out);
/* NaN, infinities and what is too large are refused. */
int value_millis(double number, int64_t *ret_millis, struct error *err);

/* Of two values of the same type, which is not TEXT (CHECKed).  Subtract wants
 * that `from` contains v, except that scalars may go below zero. */
void value_add(struct value *to, const struct value *v);
bool value_contains(const struct value *v, const struct value *part);
void value_subtract(struct value *from, const struct value *v);

/* The fields that Resource and Attribute share.  Parsing wants the one that
 * belongs to the type and ignores the others, as Mesos does. */
struct value_fields {
    Pb__Value__Type type;
    Pb__Value__Scalar *scalar;
    Pb__Value__Ranges *ranges;
    Pb__Value__Set *set;
    Pb__Value__Text *text;
};
int value_from_fields(const struct value_fields *fields, struct value *ret_v, struct error *err);
struct value_fields value_to_fields(const struct value *v, struct arena *arena);

#endif
