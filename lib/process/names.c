/* names.c - which process has which id
 *
 * Ids are found by hash: chains of slots, linked by their numbers, so that an
 * idle process pays few bytes for being found.  The order of spawning is a list
 * of its own, for those who look at all processes; nothing goes by addresses.
 */
#include "process/core.h"

#include <string.h>
#include <uthash.h>

#include "base/check.h"
#include "base/memory.h"

enum { FEW = 64 };

static uint32_t *chain_of(struct names *n, uint32_t hash)
{
    return &n->chains[hash & (n->n_chains - 1)];
}

/* ---- the table ---- */

static void grow(struct runtime *rt)
{
    struct names *n = &rt->names;
    struct slot *s;

    mem_free(n->chains);
    n->n_chains = n->n_chains ? n->n_chains * 2 : FEW;
    n->chains = mem_array(n->n_chains, sizeof *n->chains);
    for (uint32_t i = n->oldest; (s = slot_numbered(rt, i)); i = s->younger) {
        uint32_t *chain = chain_of(n, s->id->hash);

        s->next = *chain;
        *chain = i;
    }
}

void names_add(struct runtime *rt, struct slot *s, struct text *id)
{
    struct names *n = &rt->names;
    struct slot *youngest = slot_numbered(rt, n->youngest);
    uint32_t number = slot_number(s), *chain;

    if (n->n == n->n_chains)
        grow(rt);
    n->n++;
    s->id = id;
    chain = chain_of(n, id->hash);
    s->next = *chain;
    *chain = number;
    s->older = n->youngest;
    s->younger = 0;
    *(youngest ? &youngest->younger : &n->oldest) = number;
    n->youngest = number;
}

struct text *names_remove(struct slot *s)
{
    struct runtime *rt = s->runtime;
    struct names *n = &rt->names;
    struct slot *older = slot_numbered(rt, s->older), *younger = slot_numbered(rt, s->younger);
    uint32_t *link = chain_of(n, s->id->hash);
    struct text *id = s->id;

    while (*link != slot_number(s))
        link = &slot_numbered(rt, *link)->next;
    *link = s->next;
    *(older ? &older->younger : &n->oldest) = s->younger;
    *(younger ? &younger->older : &n->youngest) = s->older;
    n->n--;
    s->id = NULL;
    return id;
}

static bool has_id(const struct slot *s, const char *id, size_t length, uint32_t hash)
{
    return s->id->hash == hash && s->id->length == length && memcmp(s->id->bytes, id, length) == 0;
}

struct slot *names_find(struct runtime *rt, const char *id, size_t length, uint32_t hash)
{
    struct slot *s = NULL;

    if (rt->names.n > 0)
        s = slot_numbered(rt, *chain_of(&rt->names, hash));
    while (s && !has_id(s, id, length, hash))
        s = slot_numbered(rt, s->next);
    return s;
}

/* ---- the next free number ---- */

struct id_counter {
    UT_hash_handle hh;
    uint64_t n;
    size_t length;
    char prefix[];
};

static struct id_counter *counter_of(struct names *n, const char *prefix)
{
    struct id_counter *c = n->recent;

    if (c && strcmp(c->prefix, prefix) == 0)
        return c;
    HASH_FIND_STR(n->counters, prefix, c);
    if (!c) {
        size_t length = strlen(prefix);

        c = mem_alloc(sizeof *c + length + 1);
        c->length = length;
        memcpy(c->prefix, prefix, length + 1);
        HASH_ADD_KEYPTR(hh, n->counters, c->prefix, length, c);
    }
    n->recent = c;
    return c;
}

/* "prefix(n)", by hand: vsnprintf would take as long as all else in a spawn. */
static struct text *numbered_id(const struct id_counter *c)
{
    char id[PID_TEXT], digits[20];
    size_t length = c->length;
    uint64_t n = c->n;
    int i = 0;

    CHECK(length + sizeof digits + 2 < sizeof id);
    memcpy(id, c->prefix, length);
    id[length++] = '(';
    do
        digits[i++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (i > 0)
        id[length++] = digits[--i];
    id[length++] = ')';
    return text_create_n(id, length);
}

struct text *names_unique(struct runtime *rt, const char *prefix)
{
    struct id_counter *c = counter_of(&rt->names, prefix);

    for (;;) {
        struct text *id;

        c->n++;
        id = numbered_id(c);
        if (!names_find(rt, id->bytes, id->length, id->hash))
            return id;
        text_unref(id);
    }
}

void names_release(struct runtime *rt)
{
    struct id_counter *c, *next;

    HASH_ITER(hh, rt->names.counters, c, next)
    {
        HASH_DEL(rt->names.counters, c);
        mem_free(c);
    }
    mem_free(rt->names.chains);
}
