/* attributes.c - attributes of agents: text, protobuf, JSON */
#include "mesos/attributes.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "mesos/value.h"

static int parse_one(const char *text, size_t length, struct arena *arena, Pb__Attribute **ret_one,
                     struct error *err)
{
    const char *colon = memchr(text, ':', length);
    Pb__Attribute *one = arena_alloc(arena, sizeof *one);
    struct value_fields fields;
    struct value value;

    while (length > 0 && strchr(" \t", *text)) {
        text++;
        length--;
    }
    if (!colon || colon == text)
        return error_set(err, EINVAL, "Attribute '%.*s' is malformed: <name>:<value> is wanted",
                         (int)(length < 60 ? length : 60), text);
    pb__attribute__init(one);
    one->name = arena_strndup(arena, text, (size_t)(colon - text));
    if (value_parse(colon + 1, length - (size_t)(colon + 1 - text), &value, err) < 0)
        return error_wrap(err, "Attribute '%.60s'", one->name);
    fields = value_to_fields(&value, arena);
    value_release(&value);
    one->type = fields.type;
    one->scalar = fields.scalar;
    one->ranges = fields.ranges;
    one->set = fields.set;
    one->text = fields.text;
    *ret_one = one;
    return 0;
}

int attributes_parse(const char *text, struct arena *arena, Pb__Attribute ***ret_v, size_t *ret_n,
                     struct error *err)
{
    Pb__Attribute **v;
    size_t n = 0, parts = 1;

    for (const char *p = text; *p; p++)
        parts += *p == ';' || *p == '\n';
    v = arena_alloc(arena, parts * sizeof *v);
    for (const char *p = text; *p;) {
        size_t length = strcspn(p, ";\n");

        if (strspn(p, " \t") < length && parse_one(p, length, arena, &v[n++], err) < 0)
            return -1;
        p += length + (p[length] != '\0');
    }
    *ret_v = v;
    *ret_n = n;
    return 0;
}

static int value_of(const Pb__Attribute *a, struct value *ret_value, struct error *err)
{
    struct value_fields fields = { a->type, a->scalar, a->ranges, a->set, a->text };

    return value_from_fields(&fields, ret_value, err);
}

int attributes_validate(Pb__Attribute *const *v, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct value value;

        if (!*v[i]->name)
            return error_set(err, EINVAL, "Attribute %zu has no name", i + 1);
        if (value_of(v[i], &value, err) < 0)
            return error_wrap(err, "Attribute '%.60s'", v[i]->name);
        value_release(&value);
    }
    return 0;
}

void attributes_format(Pb__Attribute *const *v, size_t n, struct buffer *out)
{
    for (size_t i = 0; i < n; i++) {
        struct value value;

        if (value_of(v[i], &value, NULL) < 0)
            continue;
        buffer_printf(out, "%s%s:", i > 0 ? ";" : "", v[i]->name);
        value_format(&value, out);
        value_release(&value);
    }
}

void attributes_write(Pb__Attribute *const *v, size_t n, struct json_writer *w)
{
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        struct buffer text = BUFFER_INIT;
        struct value value;

        if (value_of(v[i], &value, NULL) < 0)
            continue;
        value_format(&value, &text);
        if (value.type == VALUE_SCALAR)
            json_put_double(w, v[i]->name, (double)value.millis / 1000);
        else
            json_put_string(w, v[i]->name, buffer_data(&text));
        buffer_release(&text);
        value_release(&value);
    }
    json_end_object(w);
}
