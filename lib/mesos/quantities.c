/* quantities.c - sums of scalars by name */
#include "mesos/quantities.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "mesos/resources.h"

void quantities_release(struct quantities *q)
{
    for (size_t i = 0; i < q->n; i++)
        text_unref(q->v[i].name);
    mem_free(q->v);
    *q = (struct quantities)QUANTITIES_INIT;
}

struct quantities quantities_dup(const struct quantities *q)
{
    struct quantities copy = QUANTITIES_INIT;

    quantities_add(&copy, q);
    return copy;
}

/* Where it is, or where it would be put in. */
static size_t find_place(const struct quantities *q, const char *name)
{
    size_t i = 0;

    while (i < q->n && strcmp(q->v[i].name->bytes, name) < 0)
        i++;
    return i;
}

static bool is_at(const struct quantities *q, size_t at, const char *name)
{
    return at < q->n && text_is(q->v[at].name, name);
}

int64_t quantities_get(const struct quantities *q, const char *name)
{
    size_t at = find_place(q, name);

    return is_at(q, at, name) ? q->v[at].millis : 0;
}

void quantities_set(struct quantities *q, struct text *name, int64_t millis)
{
    size_t at = find_place(q, name->bytes);
    bool there = is_at(q, at, name->bytes);

    if (millis == 0 && there) {
        text_unref(q->v[at].name);
        memmove(&q->v[at], &q->v[at + 1], (--q->n - at) * sizeof *q->v);
    } else if (millis != 0 && !there) {
        q->v = mem_realloc(q->v, (q->n + 1) * sizeof *q->v);
        memmove(&q->v[at + 1], &q->v[at], (q->n++ - at) * sizeof *q->v);
        q->v[at] = (struct quantity){ text_ref(name), millis };
    } else if (there) {
        q->v[at].millis = millis;
    }
}

static void add_one(struct quantities *to, struct text *name, int64_t millis)
{
    int64_t sum;

    CHECK(!__builtin_add_overflow(quantities_get(to, name->bytes), millis, &sum));
    quantities_set(to, name, sum);
}

void quantities_add(struct quantities *to, const struct quantities *q)
{
    for (size_t i = 0; i < q->n; i++)
        add_one(to, q->v[i].name, q->v[i].millis);
}

void quantities_subtract(struct quantities *from, const struct quantities *q)
{
    for (size_t i = 0; i < q->n; i++) {
        int64_t there = quantities_get(from, q->v[i].name->bytes), taken = q->v[i].millis;

        if (there > 0)
            quantities_set(from, q->v[i].name, there > taken ? there - taken : 0);
    }
}

bool quantities_contain(const struct quantities *q, const struct quantities *part)
{
    for (size_t i = 0; i < part->n; i++)
        if (quantities_get(q, part->v[i].name->bytes) < part->v[i].millis)
            return false;
    return true;
}

struct quantities quantities_of(const struct resources *r)
{
    struct quantities q = QUANTITIES_INIT;

    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].value.type == VALUE_SCALAR)
            add_one(&q, r->v[i].name, r->v[i].value.millis);
    return q;
}

int quantities_parse(const char *text, struct quantities *ret_q, struct error *err)
{
    struct resources r;

    if (resources_parse(text, "*", &r, err) < 0)
        return -1;
    for (size_t i = 0; i < r.n; i++)
        if (r.v[i].value.type != VALUE_SCALAR || r.v[i].role) {
            error_set(err, EINVAL, "Quantity '%.60s' must be a number, without a role",
                      r.v[i].name->bytes);
            resources_release(&r);
            return -1;
        }
    *ret_q = quantities_of(&r);
    resources_release(&r);
    return 0;
}

void quantities_format(const struct quantities *q, struct buffer *out)
{
    for (size_t i = 0; i < q->n; i++) {
        struct value value = { .type = VALUE_SCALAR };

        value.millis = q->v[i].millis;
        buffer_printf(out, "%s%s:", i > 0 ? ";" : "", q->v[i].name->bytes);
        value_format(&value, out);
    }
}

/* ---- what is worth an offer ---- */

int quantities_parse_allocatable(const char *text, struct allocatable *ret_a, struct error *err)
{
    struct allocatable a = { NULL, 0 };

    for (const char *p = text; *p;) {
        size_t length = strcspn(p, "|");
        CLEANUP(mem_free_p) char *one = mem_strndup(p, length);

        a.alternatives = mem_realloc(a.alternatives, (a.n + 1) * sizeof *a.alternatives);
        if (quantities_parse(one, &a.alternatives[a.n], err) < 0) {
            quantities_release_allocatable(&a);
            return -1;
        }
        a.n++;
        p += length + (p[length] == '|');
    }
    *ret_a = a;
    return 0;
}

void quantities_release_allocatable(struct allocatable *a)
{
    for (size_t i = 0; i < a->n; i++)
        quantities_release(&a->alternatives[i]);
    mem_free(a->alternatives);
    *a = (struct allocatable){ NULL, 0 };
}

bool quantities_are_allocatable(const struct quantities *q, const struct allocatable *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (quantities_contain(q, &a->alternatives[i]))
            return true;
    return a->n == 0;
}
