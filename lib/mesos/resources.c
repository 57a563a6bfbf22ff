/* resources.c - sets of resources: text, sums, differences */
#include "mesos/resources.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/text.h"
#include "mesos/role.h"

/* ---- lives ---- */

void resources_release(struct resources *r)
{
    for (size_t i = 0; i < r->n; i++)
        resource_release(&r->v[i]);
    mem_free(r->v);
    *r = (struct resources)RESOURCES_INIT;
}

/* Takes what `one` owns. */
static void append(struct resources *r, struct resource one)
{
    if ((r->n & (r->n - 1)) == 0)                               /* full at each power of two */
        r->v = mem_realloc(r->v, (r->n ? 2 * r->n : 1) * sizeof *r->v);
    r->v[r->n++] = one;
}

static void remove_at(struct resources *r, size_t at)
{
    resource_release(&r->v[at]);
    memmove(&r->v[at], &r->v[at + 1], (r->n - at - 1) * sizeof *r->v);
    if (--r->n == 0)
        resources_release(r);
    else if ((r->n & (r->n - 1)) == 0)                          /* as append expects */
        r->v = mem_realloc(r->v, r->n * sizeof *r->v);
}

struct resources resources_dup(const struct resources *r)
{
    struct resources copy = RESOURCES_INIT;

    for (size_t i = 0; i < r->n; i++)
        append(&copy, resource_dup(&r->v[i]));
    return copy;
}

void resources_assign(struct resources *r, const struct resources *from)
{
    struct resources copy = resources_dup(from);

    resources_release(r);
    *r = copy;
}

/* ---- sums and differences ---- */

static struct resource *find_kind(const struct resources *r, const struct resource *one)
{
    for (size_t i = 0; i < r->n; i++)
        if (resource_is_same_kind(&r->v[i], one))
            return &r->v[i];
    return NULL;
}

/* Takes what `one` owns. */
static void add_taken(struct resources *to, struct resource one)
{
    struct resource *same = NULL;

    if (!value_is_empty(&one.value) && !resource_is_whole(&one))
        same = find_kind(to, &one);
    if (same)
        value_add(&same->value, &one.value);
    if (same || value_is_empty(&one.value))
        resource_release(&one);
    else
        append(to, one);
}

void resources_add_one(struct resources *to, const struct resource *one)
{
    add_taken(to, resource_dup(one));
}

void resources_add(struct resources *to, const struct resources *r)
{
    size_t n = r->n;                                            /* r may be `to` */

    for (size_t i = 0; i < n; i++)
        resources_add_one(to, &r->v[i]);
}

/* How often a whole one occurs. */
static size_t count_whole(const struct resources *r, const struct resource *one)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += resource_equal(&r->v[i], one);
    return n;
}

/* The first of part that r does not contain, or NULL. */
static const struct resource *find_missing(const struct resources *r, const struct resources *part)
{
    for (size_t i = 0; i < part->n; i++) {
        const struct resource *one = &part->v[i], *same;

        if (resource_is_whole(one)) {
            if (count_whole(r, one) < count_whole(part, one))
                return one;
            continue;
        }
        same = find_kind(r, one);
        if (!same || !value_contains(&same->value, &one->value))
            return one;
    }
    return NULL;
}

bool resources_contain(const struct resources *r, const struct resources *part)
{
    return find_missing(r, part) == NULL;
}

static void subtract_one(struct resources *from, const struct resource *one)
{
    for (size_t i = 0; i < from->n; i++) {
        struct resource *r = &from->v[i];

        if (resource_is_whole(one) ? !resource_equal(r, one) : !resource_is_same_kind(r, one))
            continue;
        if (!resource_is_whole(one))
            value_subtract(&r->value, &one->value);
        if (resource_is_whole(one) || value_is_empty(&r->value))
            remove_at(from, i);
        return;
    }
    UNREACHABLE();
}

static int refuse_missing(const struct resources *from, const struct resource *missing,
                          struct error *err)
{
    struct buffer wanted = BUFFER_INIT, there = BUFFER_INIT;

    resource_format(missing, &wanted);
    resources_format(from, &there);
    error_set(err, ENOSPC, "%.80s is not contained in %.90s", buffer_data(&wanted),
              resources_is_empty(from) ? "nothing" : buffer_data(&there));
    buffer_release(&wanted);
    buffer_release(&there);
    return -1;
}

int resources_subtract(struct resources *from, const struct resources *r, struct error *err)
{
    const struct resource *missing = find_missing(from, r);

    if (missing)
        return refuse_missing(from, missing, err);
    if (from == r) {
        resources_release(from);
        return 0;
    }
    for (size_t i = 0; i < r->n; i++)
        subtract_one(from, &r->v[i]);
    return 0;
}

bool resources_is_empty(const struct resources *r)
{
    return r->n == 0;
}

bool resources_equal(const struct resources *a, const struct resources *b)
{
    return a->n == b->n && resources_contain(a, b) && resources_contain(b, a);
}

int64_t resources_millis(const struct resources *r, const char *name)
{
    int64_t sum = 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].value.type == VALUE_SCALAR && resource_is_named(&r->v[i], name))
            CHECK(!__builtin_add_overflow(sum, r->v[i].value.millis, &sum));
    return sum;
}

/* ---- whose ---- */

static void allocate(struct resources *r, const char *role, bool only_rest)
{
    struct text *name = role ? text_create(role) : NULL;
    struct resources old = *r;

    *r = (struct resources)RESOURCES_INIT;                      /* kinds may become the same */
    for (size_t i = 0; i < old.n; i++) {
        if (!only_rest || !old.v[i].allocation) {
            text_unref(old.v[i].allocation);
            old.v[i].allocation = text_ref(name);
        }
        add_taken(r, old.v[i]);
    }
    mem_free(old.v);
    text_unref(name);
}

void resources_allocate(struct resources *r, const char *role)
{
    allocate(r, role, false);
}

void resources_allocate_rest(struct resources *r, const char *role)
{
    allocate(r, role, true);
}

struct resources resources_filter(const struct resources *r, resources_test_f test, const void *arg)
{
    struct resources passed = RESOURCES_INIT;

    for (size_t i = 0; i < r->n; i++)
        if (test(&r->v[i], arg))
            append(&passed, resource_dup(&r->v[i]));
    return passed;
}

static bool test_unreserved(const struct resource *r, const void *arg UNUSED)
{
    return !resource_is_reserved(r);
}

static bool test_usable(const struct resource *r, const void *role)
{
    return resource_is_usable_by(r, role);
}

static bool test_reserved(const struct resource *r, const void *role)
{
    return r->role && text_is(r->role, role);
}

struct resources resources_unreserved(const struct resources *r)
{
    return resources_filter(r, test_unreserved, NULL);
}

struct resources resources_usable_by(const struct resources *r, const char *role)
{
    return resources_filter(r, test_usable, role);
}

struct resources resources_reserved_for(const struct resources *r, const char *role)
{
    return resources_filter(r, test_reserved, role);
}

/* ---- text ---- */

static char *trimmed(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    while (length > 0 && strchr(" \t\r\n", *text)) {
        text++;
        length--;
    }
    return mem_strndup(text, length);
}

/* "disk(prod)" or "disk". */
static int parse_name(const char *text, size_t length, const char *default_role, char **ret_name,
                      char **ret_role, struct error *err)
{
    CLEANUP(mem_free_p) char *all = trimmed(text, length);
    char *open = strchr(all, '('), *end = all + strlen(all);

    if (open && (end[-1] != ')' || strchr(open + 1, '(')))
        return error_set(err, EINVAL, "Resource '%.60s': <name>(<role>):<value> is wanted", all);
    *ret_name = trimmed(all, open ? (size_t)(open - all) : strlen(all));
    *ret_role = open ? trimmed(open + 1, (size_t)(end - 1 - (open + 1))) : mem_strdup(default_role);
    return 0;
}

static int fill(struct arena *arena, const struct value *value, const char *name, const char *role,
                struct resource *ret_one, struct error *err)
{
    struct value_fields fields = value_to_fields(value, arena);
    Pb__Resource pb = PB__RESOURCE__INIT;

    pb.name = name;
    pb.role = role;
    pb.type = fields.type;
    pb.scalar = fields.scalar;
    pb.ranges = fields.ranges;
    pb.set = fields.set;
    if (role_validate(role, err) < 0)
        return error_wrap(err, "Resource '%.60s'", name);
    return resource_from_protobuf(&pb, ret_one, err);
}

/* One "name(role):value", which goes the way of all resources. */
static int parse_one(const char *text, size_t length, const char *default_role,
                     struct resource *ret_one, struct error *err)
{
    CLEANUP(mem_free_p) char *name = NULL;
    CLEANUP(mem_free_p) char *role = NULL;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const char *colon = memchr(text, ':', length);
    struct value value;

    if (!colon)
        return error_set(err, EINVAL, "Resource '%.*s' has no ':'; <name>:<value> is wanted",
                         (int)(length < 60 ? length : 60), text);
    if (parse_name(text, (size_t)(colon - text), default_role, &name, &role, err) < 0)
        return -1;
    if (value_parse(colon + 1, length - (size_t)(colon + 1 - text), &value, err) < 0)
        return error_wrap(err, "Resource '%.60s'", name);
    if (value.type == VALUE_TEXT)
        error_set(err, EINVAL, "Resource '%.60s': '%.60s' is neither a number, nor [ranges], nor "
                  "{a set}", name, value.text->bytes);

    int result = value.type == VALUE_TEXT ? -1 : fill(&arena, &value, name, role, ret_one, err);

    value_release(&value);
    return result;
}

int resources_parse(const char *text, const char *default_role, struct resources *ret_r,
                    struct error *err)
{
    struct resources all = RESOURCES_INIT;

    for (const char *p = text; *p;) {
        size_t length = strcspn(p, ";\n");
        struct resource one;

        if (strspn(p, " \t\r") < length) {                      /* not just ";;" or the end */
            if (parse_one(p, length, default_role, &one, err) < 0) {
                resources_release(&all);
                return -1;
            }
            add_taken(&all, one);
        }
        p += length + (p[length] != '\0');
    }
    *ret_r = all;
    return 0;
}

void resources_format(const struct resources *r, struct buffer *out)
{
    for (size_t i = 0; i < r->n; i++) {
        if (i > 0)
            buffer_append_text(out, "; ");
        resource_format(&r->v[i], out);
    }
}

/* ---- protobuf and JSON ---- */

int resources_from_protobuf(Pb__Resource *const *v, size_t n, struct resources *ret_r,
                            struct error *err)
{
    struct resources all = RESOURCES_INIT;

    for (size_t i = 0; i < n; i++) {
        struct resource one;

        if (resource_from_protobuf(v[i], &one, err) < 0) {
            resources_release(&all);
            return -1;
        }
        add_taken(&all, one);
    }
    *ret_r = all;
    return 0;
}

Pb__Resource **resources_to_protobuf(const struct resources *r, enum resource_form form,
                                     struct arena *arena, size_t *ret_n)
{
    Pb__Resource **v = arena_alloc(arena, r->n * sizeof *v);

    for (size_t i = 0; i < r->n; i++)
        v[i] = resource_to_protobuf(&r->v[i], form, arena);
    *ret_n = r->n;
    return v;
}

static bool is_listed(const struct resource *r, const char *name, bool revocable)
{
    return resource_is_named(r, name) && resource_is_revocable(r) == revocable;
}

/* All of one name and type, added up. */
static struct value sum_of(const struct resources *r, const char *name, enum value_type type,
                           bool revocable)
{
    struct value sum = { .type = type };

    sum.ranges = NULL;
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].value.type == type && is_listed(&r->v[i], name, revocable))
            value_add(&sum, &r->v[i].value);
    return sum;
}

static void write_sum(const struct resources *r, const char *name, enum value_type type,
                      bool revocable, struct json_writer *w)
{
    struct value sum = sum_of(r, name, type, revocable);
    struct buffer text = BUFFER_INIT;

    buffer_printf(&text, "%s%s", name, revocable ? "_revocable" : "");
    json_key(w, buffer_data(&text));
    if (type == VALUE_SCALAR) {
        json_write_double(w, (double)sum.millis / 1000);
    } else {
        buffer_clear(&text);
        value_format(&sum, &text);
        json_write_string(w, buffer_data(&text));
    }
    buffer_release(&text);
    value_release(&sum);
}

static const char *const always[] = { "cpus", "disk", "gpus", "mem" };

/* Is it the first of its name, and not one of those that stand there always? */
static bool is_first(const struct resources *r, size_t at, bool revocable)
{
    const char *name = r->v[at].name->bytes;

    for (size_t i = 0; !revocable && i < ARRAY_SIZE(always); i++)
        if (strcmp(name, always[i]) == 0)
            return false;
    for (size_t i = 0; i < at; i++)
        if (is_listed(&r->v[i], name, revocable))
            return false;
    return true;
}

void resources_write(const struct resources *r, struct json_writer *w)
{
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        write_sum(r, always[i], VALUE_SCALAR, false, w);
    for (size_t i = 0; i < r->n; i++) {
        bool revocable = resource_is_revocable(&r->v[i]);

        if (is_first(r, i, revocable))
            write_sum(r, r->v[i].name->bytes, r->v[i].value.type, revocable, w);
    }
    json_end_object(w);
}
