/* value.c - arithmetic, text and protobuf of amounts */
#include "mesos/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- lives ---- */

void value_release(struct value *v)
{
    if (v->type == VALUE_RANGES)
        mem_free(v->ranges);
    if (v->type == VALUE_SET) {
        for (size_t i = 0; i < v->n; i++)
            text_unref(v->items[i]);
        mem_free(v->items);
    }
    if (v->type == VALUE_TEXT)
        text_unref(v->text);
    *v = (struct value){ .type = VALUE_SCALAR };
}

struct value value_dup(const struct value *v)
{
    struct value copy = *v;

    if (v->type == VALUE_RANGES) {
        copy.ranges = mem_array(v->n, sizeof *v->ranges);
        for (size_t i = 0; i < v->n; i++)
            copy.ranges[i] = v->ranges[i];
    } else if (v->type == VALUE_SET) {
        copy.items = mem_array(v->n, sizeof *v->items);
        for (size_t i = 0; i < v->n; i++)
            copy.items[i] = text_ref(v->items[i]);
    } else if (v->type == VALUE_TEXT) {
        text_ref(copy.text);
    }
    return copy;
}

bool value_is_empty(const struct value *v)
{
    if (v->type == VALUE_SCALAR)
        return v->millis == 0;
    if (v->type == VALUE_TEXT)
        return v->text->length == 0;
    return v->n == 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_SCALAR)
        return a->millis == b->millis;
    if (a->type == VALUE_TEXT)
        return text_equal(a->text, b->text);
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->type == VALUE_SET && !text_equal(a->items[i], b->items[i]))
            return false;
        if (a->type == VALUE_RANGES && (a->ranges[i].begin != b->ranges[i].begin ||
                                        a->ranges[i].end != b->ranges[i].end))
            return false;
    }
    return true;
}

/* ---- ranges ---- */

static int compare_ranges(const void *left, const void *right)
{
    const struct value_range *a = left, *b = right;

    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* Sorts, and makes one of those that overlap or touch. */
static void ranges_normalize(struct value *v)
{
    size_t n = 0;

    if (v->n > 1)
        qsort(v->ranges, v->n, sizeof *v->ranges, compare_ranges);
    for (size_t i = 0; i < v->n; i++) {
        struct value_range next = v->ranges[i];
        struct value_range *last = n > 0 ? &v->ranges[n - 1] : NULL;

        if (last && (next.begin <= last->end || next.begin - 1 == last->end))
            last->end = next.end > last->end ? next.end : last->end;
        else
            v->ranges[n++] = next;
    }
    v->n = n;
}

static void ranges_add(struct value *to, const struct value *v)
{
    to->ranges = mem_realloc(to->ranges, (to->n + v->n + 1) * sizeof *to->ranges);
    for (size_t i = 0; i < v->n; i++)
        to->ranges[to->n++] = v->ranges[i];
    ranges_normalize(to);
}

static bool ranges_contain(const struct value *v, const struct value *part)
{
    size_t at = 0;

    for (size_t i = 0; i < part->n; i++) {
        while (at < v->n && v->ranges[at].end < part->ranges[i].begin)
            at++;
        if (at == v->n || v->ranges[at].begin > part->ranges[i].begin ||
            v->ranges[at].end < part->ranges[i].end)
            return false;
    }
    return true;
}

/* Each of v's ranges lies within one of from's; both are sorted. */
static void ranges_subtract(struct value *from, const struct value *v)
{
    struct value_range *left = mem_array(from->n + v->n + 1, sizeof *left);
    size_t n = 0, at = 0;

    for (size_t i = 0; i < from->n; i++) {
        struct value_range rest = from->ranges[i];
        bool gone = false;

        for (; at < v->n && !gone && v->ranges[at].begin <= rest.end; at++) {
            struct value_range cut = v->ranges[at];

            if (cut.begin > rest.begin)
                left[n++] = (struct value_range){ rest.begin, cut.begin - 1 };
            gone = cut.end == rest.end;
            if (!gone)
                rest.begin = cut.end + 1;
        }
        if (!gone)
            left[n++] = rest;
    }
    mem_free(from->ranges);
    from->ranges = left;
    from->n = n;
}

/* ---- sets ---- */

static int compare_items(const void *left, const void *right)
{
    const struct text *const *a = left, *const *b = right;

    return strcmp((*a)->bytes, (*b)->bytes);
}

static void set_normalize(struct value *v)
{
    size_t n = 0;

    if (v->n > 1)
        qsort(v->items, v->n, sizeof *v->items, compare_items);
    for (size_t i = 0; i < v->n; i++) {
        if (n > 0 && text_equal(v->items[n - 1], v->items[i]))
            text_unref(v->items[i]);
        else
            v->items[n++] = v->items[i];
    }
    v->n = n;
}

static void set_add(struct value *to, const struct value *v)
{
    to->items = mem_realloc(to->items, (to->n + v->n + 1) * sizeof *to->items);
    for (size_t i = 0; i < v->n; i++)
        to->items[to->n++] = text_ref(v->items[i]);
    set_normalize(to);
}

static bool set_has(const struct value *v, struct text *item)
{
    return v->n > 0 && bsearch(&item, v->items, v->n, sizeof *v->items, compare_items) != NULL;
}

static void set_subtract(struct value *from, const struct value *v)
{
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++) {
        if (set_has(v, from->items[i]))
            text_unref(from->items[i]);
        else
            from->items[n++] = from->items[i];
    }
    from->n = n;
}

/* ---- arithmetic ---- */

void value_add(struct value *to, const struct value *v)
{
    CHECK(to->type == v->type && to->type != VALUE_TEXT);
    if (to->type == VALUE_SCALAR)
        CHECK(!__builtin_add_overflow(to->millis, v->millis, &to->millis));
    else if (to->type == VALUE_RANGES)
        ranges_add(to, v);
    else
        set_add(to, v);
}

bool value_contains(const struct value *v, const struct value *part)
{
    CHECK(v->type == part->type && v->type != VALUE_TEXT);
    if (v->type == VALUE_SCALAR)
        return part->millis <= v->millis;
    if (v->type == VALUE_RANGES)
        return ranges_contain(v, part);
    for (size_t i = 0; i < part->n; i++)
        if (!set_has(v, part->items[i]))
            return false;
    return true;
}

void value_subtract(struct value *from, const struct value *v)
{
    CHECK(from->type == VALUE_SCALAR || value_contains(from, v));
    if (from->type == VALUE_SCALAR)
        CHECK(!__builtin_sub_overflow(from->millis, v->millis, &from->millis));
    else if (from->type == VALUE_RANGES)
        ranges_subtract(from, v);
    else
        set_subtract(from, v);
}

/* ---- text ---- */

int value_millis(double number, int64_t *ret_millis, struct error *err)
{
    if (!isfinite(number))
        return error_set(err, EINVAL, "A number is wanted, not %f", number);
    if (fabs(number) > VALUE_MAX)
        return error_set(err, ERANGE, "%g is too large: at most %.0f is allowed", number,
                         VALUE_MAX);
    *ret_millis = llround(number * 1000);
    return 0;
}

/* True when all of the text is a decimal number. */
static bool parse_number(const char *text, size_t length, double *ret_number)
{
    char copy[64], *end;

    if (length == 0 || length >= sizeof copy || strcspn(text, "0123456789") >= length)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "0123456789.eE+-") != length)
        return false;
    *ret_number = strtod(copy, &end);
    return *end == '\0';
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && strchr(" \t", (*text)[0])) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && strchr(" \t", (*text)[*length - 1]))
        (*length)--;
}

static int refuse(struct error *err, const char *what, const char *text, size_t length,
                  const char *wanted)
{
    return error_set(err, EINVAL, "%s '%.*s' is malformed: %s is wanted", what,
                     (int)(length < 60 ? length : 60), text, wanted);
}

static bool parse_digits(const char **text, const char *end, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *p = *text;

    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
            return false;
    if (p == *text)
        return false;
    *text = p;
    *ret_number = number;
    return true;
}

static int parse_range(const char *text, size_t length, struct value_range *ret_range,
                       struct error *err)
{
    const char *p = text, *end = text + length;

    if (!parse_digits(&p, end, &ret_range->begin) || p == end || *p++ != '-' ||
        !parse_digits(&p, end, &ret_range->end) || p != end)
        return refuse(err, "Range", text, length, "<begin>-<end> with whole numbers");
    if (ret_range->begin > ret_range->end)
        return refuse(err, "Range", text, length, "a begin that is not after the end");
    return 0;
}

static int parse_item(const char *text, size_t length, struct text **ret_item, struct error *err)
{
    if (length == 0)
        return refuse(err, "Item", text, length, "a name");
    *ret_item = text_create_n(text, length);
    return 0;
}

/* The parts between the brackets, by commas. */
static int parse_list(const char *text, size_t length, struct value *v, struct error *err)
{
    const char *end = text + length;

    trim(&text, &length);
    if (length == 0)
        return 0;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *part = text;
        size_t size = (size_t)((comma ? comma : end) - text);
        int result;

        trim(&part, &size);
        if (v->type == VALUE_RANGES) {
            v->ranges = mem_realloc(v->ranges, (v->n + 1) * sizeof *v->ranges);
            result = parse_range(part, size, &v->ranges[v->n], err);
        } else {
            v->items = mem_realloc(v->items, (v->n + 1) * sizeof *v->items);
            result = parse_item(part, size, &v->items[v->n], err);
        }
        if (result < 0)
            return -1;
        v->n++;
        if (!comma)
            return 0;
        text = comma + 1;
    }
}

static int parse_brackets(enum value_type type, const char *text, size_t length,
                          struct value *ret_v, struct error *err)
{
    struct value v = { .type = type };

    v.ranges = NULL;
    if (length < 2 || text[length - 1] != (type == VALUE_RANGES ? ']' : '}'))
        return refuse(err, "Value", text, length,
                      type == VALUE_RANGES ? "[<begin>-<end>,...]" : "{<name>,...}");
    if (parse_list(text + 1, length - 2, &v, err) < 0) {
        value_release(&v);
        return -1;
    }
    if (type == VALUE_RANGES)
        ranges_normalize(&v);
    else
        set_normalize(&v);
    *ret_v = v;
    return 0;
}

int value_parse(const char *text, size_t length, struct value *ret_v, struct error *err)
{
    double number;
    int64_t millis;

    trim(&text, &length);
    if (length == 0)
        return error_set(err, EINVAL, "A value is missing");
    if (text[0] == '[')
        return parse_brackets(VALUE_RANGES, text, length, ret_v, err);
    if (text[0] == '{')
        return parse_brackets(VALUE_SET, text, length, ret_v, err);
    if (!parse_number(text, length, &number)) {
        *ret_v = (struct value){ .type = VALUE_TEXT };
        ret_v->text = text_create_n(text, length);
        return 0;
    }
    if (value_millis(number, &millis, err) < 0)
        return -1;
    *ret_v = (struct value){ .type = VALUE_SCALAR };
    ret_v->millis = millis;
    return 0;
}

static void format_millis(int64_t millis, struct buffer *out)
{
    uint64_t size = millis < 0 ? 0 - (uint64_t)millis : (uint64_t)millis;
    unsigned part = (unsigned)(size % 1000);

    buffer_printf(out, "%s%" PRIu64, millis < 0 ? "-" : "", size / 1000);
    if (part == 0)
        return;
    buffer_printf(out, ".%03u", part);
    while (buffer_data(out)[buffer_length(out) - 1] == '0')
        buffer_truncate(out, buffer_length(out) - 1);
}

void value_format(const struct value *v, struct buffer *out)
{
    if (v->type == VALUE_SCALAR) {
        format_millis(v->millis, out);
    } else if (v->type == VALUE_TEXT) {
        buffer_append_text(out, v->text->bytes);
    } else if (v->type == VALUE_RANGES) {
        buffer_append_char(out, '[');
        for (size_t i = 0; i < v->n; i++)
            buffer_printf(out, "%s%" PRIu64 "-%" PRIu64, i > 0 ? ", " : "", v->ranges[i].begin,
                          v->ranges[i].end);
        buffer_append_char(out, ']');
    } else {
        buffer_append_char(out, '{');
        for (size_t i = 0; i < v->n; i++)
            buffer_printf(out, "%s%s", i > 0 ? ", " : "", v->items[i]->bytes);
        buffer_append_char(out, '}');
    }
}

/* ---- protobuf ---- */

static int ranges_from_fields(const Pb__Value__Ranges *ranges, struct value *ret_v,
                              struct error *err)
{
    struct value v = { .type = VALUE_RANGES };

    for (size_t i = 0; i < ranges->n_range; i++)
        if (ranges->range[i]->begin > ranges->range[i]->end)
            return error_set(err, EINVAL, "The range %" PRIu64 "-%" PRIu64 " ends before it begins",
                             ranges->range[i]->begin, ranges->range[i]->end);
    v.n = ranges->n_range;
    v.ranges = mem_array(v.n, sizeof *v.ranges);
    for (size_t i = 0; i < v.n; i++)
        v.ranges[i] = (struct value_range){ ranges->range[i]->begin, ranges->range[i]->end };
    ranges_normalize(&v);
    *ret_v = v;
    return 0;
}

static void set_from_fields(const Pb__Value__Set *set, struct value *ret_v)
{
    struct value v = { .type = VALUE_SET, .n = set->n_item };

    v.items = mem_array(v.n, sizeof *v.items);
    for (size_t i = 0; i < v.n; i++)
        v.items[i] = text_create(set->item[i]);
    set_normalize(&v);
    *ret_v = v;
}

int value_from_fields(const struct value_fields *f, struct value *ret_v, struct error *err)
{
    int64_t millis;

    if (f->type == PB__VALUE__TYPE__SCALAR && f->scalar) {
        if (value_millis(f->scalar->value, &millis, err) < 0)
            return -1;
        *ret_v = (struct value){ .type = VALUE_SCALAR };
        ret_v->millis = millis;
        return 0;
    }
    if (f->type == PB__VALUE__TYPE__RANGES && f->ranges)
        return ranges_from_fields(f->ranges, ret_v, err);
    if (f->type == PB__VALUE__TYPE__SET && f->set) {
        set_from_fields(f->set, ret_v);
        return 0;
    }
    if (f->type == PB__VALUE__TYPE__TEXT && f->text) {
        *ret_v = (struct value){ .type = VALUE_TEXT };
        ret_v->text = text_create(f->text->value);
        return 0;
    }
    return error_set(err, EINVAL, "The value that belongs to its type is missing");
}

static Pb__Value__Ranges *ranges_to_fields(const struct value *v, struct arena *arena)
{
    Pb__Value__Ranges *ranges = arena_alloc(arena, sizeof *ranges);
    Pb__Value__Range *all = arena_alloc(arena, v->n * sizeof *all);

    pb__value__ranges__init(ranges);
    ranges->n_range = v->n;
    ranges->range = arena_alloc(arena, v->n * sizeof *ranges->range);
    for (size_t i = 0; i < v->n; i++) {
        pb__value__range__init(&all[i]);
        all[i].begin = v->ranges[i].begin;
        all[i].end = v->ranges[i].end;
        ranges->range[i] = &all[i];
    }
    return ranges;
}

static Pb__Value__Set *set_to_fields(const struct value *v, struct arena *arena)
{
    Pb__Value__Set *set = arena_alloc(arena, sizeof *set);

    pb__value__set__init(set);
    set->n_item = v->n;
    set->item = arena_alloc(arena, v->n * sizeof *set->item);
    for (size_t i = 0; i < v->n; i++)
        set->item[i] = arena_strdup(arena, v->items[i]->bytes);
    return set;
}

struct value_fields value_to_fields(const struct value *v, struct arena *arena)
{
    struct value_fields f = { .type = PB__VALUE__TYPE__SCALAR };

    if (v->type == VALUE_SCALAR) {
        f.scalar = arena_alloc(arena, sizeof *f.scalar);
        pb__value__scalar__init(f.scalar);
        f.scalar->value = (double)v->millis / 1000;
    } else if (v->type == VALUE_RANGES) {
        f.type = PB__VALUE__TYPE__RANGES;
        f.ranges = ranges_to_fields(v, arena);
    } else if (v->type == VALUE_SET) {
        f.type = PB__VALUE__TYPE__SET;
        f.set = set_to_fields(v, arena);
    } else {
        f.type = PB__VALUE__TYPE__TEXT;
        f.text = arena_alloc(arena, sizeof *f.text);
        pb__value__text__init(f.text);
        f.text->value = arena_strdup(arena, v->text->bytes);
    }
    return f;
}
