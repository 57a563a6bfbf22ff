/* metrics_text.c - metrics as Prometheus reads them
 *
 *     # HELP master_uptime_secs master/uptime_secs
 *     # TYPE master_uptime_secs gauge
 *     master_uptime_secs 17.25
 *
 * Names are letters, digits, '_' and ':', with no digit in front; all else in a
 * name of ours becomes '_'.  No name may come twice.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/metrics.h"

struct line {
    char *name;
    const struct metrics_sample *sample;
};

static bool is_allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '_';
}

static char *allowed_name(const char *name)
{
    struct buffer out = BUFFER_INIT;

    if (*name >= '0' && *name <= '9')
        buffer_append_char(&out, '_');
    for (const char *p = name; *p; p++)
        buffer_append_char(&out, is_allowed(*p) ? *p : '_');
    return buffer_take(&out, NULL);
}

/* The samples lie in an array: so equal names keep its order. */
static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order ? order : a->sample < b->sample ? -1 : a->sample > b->sample;
}

static void append_help(struct buffer *out, const char *text)
{
    for (; *text; text++)
        if (*text == '\\' || *text == '\n')
            buffer_append_text(out, *text == '\n' ? "\\n" : "\\\\");
        else
            buffer_append_char(out, *text);
}

/* The shortest that reads back the same; whole numbers without an exponent. */
static void append_number(struct buffer *out, double value)
{
    char text[32];

    if (isnan(value) || isinf(value)) {
        buffer_append_text(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        buffer_printf(out, "%.0f", value + 0.0);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_append_text(out, text);
}

static void append_line(struct buffer *out, const struct line *l)
{
    buffer_printf(out, "# HELP %s ", l->name);
    append_help(out, l->sample->name);
    buffer_printf(out, "\n# TYPE %s %s\n%s ", l->name,
                  l->sample->kind == METRICS_COUNTER ? "counter" : "gauge", l->name);
    append_number(out, l->sample->value);
    buffer_append_char(out, '\n');
}

void metrics_write_text(const struct metrics_samples *s, struct buffer *out)
{
    struct line *lines = mem_array(s->n, sizeof *lines);

    for (size_t i = 0; i < s->n; i++)
        lines[i] = (struct line){ allowed_name(s->v[i].name), &s->v[i] };
    if (s->n > 0)
        qsort(lines, s->n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || strcmp(lines[i].name, lines[i - 1].name) != 0)
            append_line(out, &lines[i]);
    for (size_t i = 0; i < s->n; i++)
        mem_free(lines[i].name);
    mem_free(lines);
}
