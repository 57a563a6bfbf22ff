/* sorter.c - clients by dominant share, sorted when somebody looks */
#include "master/allocator/sorter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

struct client {
    struct text *name;
    bool active;
    uint64_t times;                      /* how often it was given something */
    struct quantities has;
    double share;
    UT_hash_handle hh;
};

struct sorter {
    struct client *clients;
    struct quantities total;
    bool dirty;
    struct client **sorted;              /* all of them */
    const char **order;                  /* the active ones' names */
    size_t n_order;
};

struct sorter *sorter_create(void)
{
    return mem_alloc(sizeof(struct sorter));
}

static void client_destroy(struct sorter *s, struct client *c)
{
    HASH_DEL(s->clients, c);
    text_unref(c->name);
    quantities_release(&c->has);
    mem_free(c);
}

void sorter_destroy(struct sorter *s)
{
    struct client *c, *next;

    if (!s)
        return;
    HASH_ITER (hh, s->clients, c, next)
        client_destroy(s, c);
    quantities_release(&s->total);
    mem_free(s->sorted);
    mem_free(s->order);
    mem_free(s);
}

static struct client *find(const struct sorter *s, const char *name)
{
    struct client *c;

    HASH_FIND(hh, s->clients, name, strlen(name), c);
    return c;
}

static struct client *get(const struct sorter *s, const char *name)
{
    struct client *c = find(s, name);

    CHECK(c);
    return c;
}

static double share_of(const struct sorter *s, const struct client *c)
{
    double share = 0;

    for (size_t i = 0; i < c->has.n; i++) {
        int64_t total = quantities_get(&s->total, c->has.v[i].name->bytes);
        double part = total > 0 ? (double)c->has.v[i].millis / (double)total : 0;

        if (part > share)
            share = part;
    }
    return share;
}

void sorter_add(struct sorter *s, const char *name)
{
    struct client *c = find(s, name);

    if (c)
        return;
    c = mem_alloc(sizeof *c);
    c->name = text_create(name);
    c->active = true;
    HASH_ADD_KEYPTR(hh, s->clients, c->name->bytes, c->name->length, c);
    s->dirty = true;
}

void sorter_remove(struct sorter *s, const char *name)
{
    client_destroy(s, get(s, name));
    s->dirty = true;
}

bool sorter_has(const struct sorter *s, const char *name)
{
    return find(s, name) != NULL;
}

void sorter_set_active(struct sorter *s, const char *name, bool active)
{
    get(s, name)->active = active;
    s->dirty = true;
}

void sorter_set_total(struct sorter *s, const struct quantities *total)
{
    struct client *c, *next;

    quantities_release(&s->total);
    s->total = quantities_dup(total);
    HASH_ITER (hh, s->clients, c, next)
        c->share = share_of(s, c);
    s->dirty = true;
}

void sorter_allocate(struct sorter *s, const char *name, const struct quantities *q)
{
    struct client *c = get(s, name);

    quantities_add(&c->has, q);
    c->times++;
    c->share = share_of(s, c);
    s->dirty = true;
}

void sorter_unallocate(struct sorter *s, const char *name, const struct quantities *q)
{
    struct client *c = get(s, name);

    quantities_subtract(&c->has, q);
    c->share = share_of(s, c);
    s->dirty = true;
}

double sorter_share(const struct sorter *s, const char *name)
{
    return get(s, name)->share;
}

static int compare(const void *a, const void *b)
{
    const struct client *x = *(struct client *const *)a, *y = *(struct client *const *)b;

    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    if (x->times != y->times)
        return x->times < y->times ? -1 : 1;
    return strcmp(x->name->bytes, y->name->bytes);
}

static void sort(struct sorter *s)
{
    struct client *c, *next;
    size_t n = HASH_COUNT(s->clients), i = 0;

    s->sorted = mem_realloc(s->sorted, (n + 1) * sizeof(struct client *));
    s->order = mem_realloc(s->order, (n + 1) * sizeof(const char *));
    HASH_ITER (hh, s->clients, c, next)
        if (c->active)
            s->sorted[i++] = c;
    qsort(s->sorted, i, sizeof(struct client *), compare);
    for (size_t k = 0; k < i; k++)
        s->order[k] = s->sorted[k]->name->bytes;
    s->n_order = i;
    s->dirty = false;
}

const char *const *sorter_order(struct sorter *s, size_t *ret_n)
{
    if (s->dirty || !s->order)
        sort(s);
    *ret_n = s->n_order;
    return s->order;
}
