/* host_sim_inode.c - the simulated disk: what is seen, and what a loss of power leaves
 *
 * The tree of inodes is the page cache: what every OS process sees.  Beside it
 * is kept what a loss of power may bring back:
 *
 *   of a file       the old bytes of each sector written since its last sync,
 *                   and the old size
 *   of directories  the durable entries, and the list of changes since, in
 *                   their order; a rename is one change of two entries
 *
 * A sync of a file forgets its old sectors.  A sync of a directory makes its
 * changes durable, with what they depend on.  A crash chooses per file which
 * old sectors come back, and which changes are lost: with a lost one go all
 * later ones of the same names or inodes, so that a rename is done or not.
 */
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/host_sim_inode.h"

#define CHANGES_MAX 4096 /* not yet durable */

/* ---- inodes and entries ---- */

struct sim_inode *sim_inode_create(struct sim_node *n, int kind, unsigned mode)
{
    struct sim_inode *i = mem_alloc(sizeof *i);

    i->refs = 1;
    i->kind = kind;
    i->mode = mode;
    i->modified = (struct instant){ n->sim->now };
    list_append(&n->inodes, &i->link);
    return i;
}

static void sectors_forget(struct sim_inode *i)
{
    struct sector *s, *next;

    HASH_ITER(hh, i->sectors, s, next)
    {
        HASH_DEL(i->sectors, s);
        mem_free(s);
    }
}

static void entries_clear(struct entry **entries)
{
    struct entry *e, *next;

    HASH_ITER(hh, *entries, e, next)
    {
        HASH_DEL(*entries, e);
        sim_inode_unref(e->inode);
        mem_free(e->name);
        mem_free(e);
    }
}

void sim_inode_unref(struct sim_inode *i)
{
    if (!i || --i->refs > 0)
        return;
    list_remove(&i->link);
    entries_clear(&i->entries);
    entries_clear(&i->durable);
    sectors_forget(i);
    mem_free(i->target);
    mem_free(i->data);
    mem_free(i);
}

struct sim_inode *sim_inode_ref(struct sim_inode *i)
{
    if (i)
        i->refs++;
    return i;
}

struct sim_inode *sim_entry_find(struct entry *entries, const char *name)
{
    struct entry *e;

    HASH_FIND_STR(entries, name, e);
    return e ? e->inode : NULL;
}

static void entry_set(struct entry **entries, const char *name, struct sim_inode *inode)
{
    struct entry *e;

    sim_inode_ref(inode);
    HASH_FIND_STR(*entries, name, e);
    if (e) {
        HASH_DEL(*entries, e);
        sim_inode_unref(e->inode);
        mem_free(e->name);
        mem_free(e);
    }
    if (!inode)
        return;
    e = mem_alloc(sizeof *e);
    e->name = mem_strdup(name);
    e->inode = inode;
    HASH_ADD_KEYPTR(hh, *entries, e->name, strlen(e->name), e);
}

/* ---- changes of directories ---- */

static void change_end(struct sim_node *n, struct change *c, bool durable)
{
    for (unsigned i = 0; i < c->n; i++) {
        struct edit *e = &c->edits[i];
        if (durable)
            entry_set(&e->directory->durable, e->name, e->inode);
        sim_inode_unref(e->inode);
        sim_inode_unref(e->directory);
        mem_free(e->name);
    }
    n->n_changes--;
    list_remove(&c->link);
    mem_free(c);
}

/* The kernel writes the oldest changes by itself when there are many. */
struct change *sim_change_begin(struct sim_node *n)
{
    struct change *c = mem_alloc(sizeof *c);

    if (n->n_changes >= CHANGES_MAX)
        change_end(n, list_first(&n->changes, struct change, link), true);
    n->n_changes++;
    list_append(&n->changes, &c->link);
    return c;
}

/* Seen at once; durable later, with the whole change. */
void sim_change_add(struct change *c, struct sim_inode *directory, const char *name,
                    struct sim_inode *inode)
{
    struct edit *e = &c->edits[c->n++];
    struct sim_inode *old = sim_entry_find(directory->entries, name);

    e->directory = sim_inode_ref(directory);
    e->name = mem_strdup(name);
    e->inode = sim_inode_ref(inode);
    if (old)
        old->names--;
    if (inode)
        inode->names++;
    entry_set(&directory->entries, name, inode);
}

/* From the last to the first: a chosen rename draws in its other directory,
 * whose earlier changes must be durable before it. */
static void choose_changes_of(struct sim_node *n, struct sim_inode *directory)
{
    directory->lost = true;
    for (struct list *l = n->changes.prev; l != &n->changes; l = l->prev) {
        struct change *c = list_entry(l, struct change, link);
        c->chosen = false;
        for (unsigned i = 0; i < c->n; i++)
            c->chosen = c->chosen || c->edits[i].directory->lost;
        for (unsigned i = 0; c->chosen && i < c->n; i++)
            c->edits[i].directory->lost = true;
    }
    list_each (i, &n->inodes, struct sim_inode, link)
        i->lost = false;
}

void sim_changes_make_durable(struct sim_node *n, struct sim_inode *directory)
{
    choose_changes_of(n, directory);
    list_each_safe (c, &n->changes, struct change, link)
        if (c->chosen)
            change_end(n, c, true);
}

/* ---- bytes of a file ---- */

/* Keeps the bytes of a sector as they were at the last sync. */
static void sector_save(struct sim_inode *i, uint64_t number)
{
    struct sector *s;

    HASH_FIND(hh, i->sectors, &number, sizeof number, s);
    if (s)
        return;
    s = mem_alloc(sizeof *s);
    s->number = number;
    if (number * SIM_SECTOR < i->capacity)
        memcpy(s->old, i->data + number * SIM_SECTOR, SIM_SECTOR);
    HASH_ADD(hh, i->sectors, number, sizeof s->number, s);
}

/* Capacity is a number of whole sectors. */
static void inode_reserve(struct sim_inode *i, uint64_t size)
{
    uint64_t capacity = i->capacity > 0 ? i->capacity : SIM_SECTOR;

    if (size <= i->capacity)
        return;
    while (capacity < size)
        capacity *= 2;
    i->data = mem_realloc(i->data, capacity);
    memset(i->data + i->capacity, 0, capacity - i->capacity);
    i->capacity = capacity;
}

void sim_inode_write(struct sim_inode *i, uint64_t offset, const void *data, size_t size)
{
    inode_reserve(i, offset + size);
    for (uint64_t n = offset / SIM_SECTOR; n * SIM_SECTOR < offset + size; n++)
        sector_save(i, n);
    memcpy(i->data + offset, data, size);
    if (offset + size > i->size)
        i->size = offset + size;
}

void sim_inode_truncate(struct sim_inode *i, uint64_t size)
{
    if (size < i->size) {
        for (uint64_t n = size / SIM_SECTOR; n * SIM_SECTOR < i->size; n++)
            sector_save(i, n);
        memset(i->data + size, 0, i->size - size);
    }
    inode_reserve(i, size);
    i->size = size;
}

void sim_inode_sync(struct sim_inode *i)
{
    sectors_forget(i);
    i->durable_size = i->size;
}

/* ---- loss of power ---- */

/* Any of the sizes that the file may have on the disk. */
static uint64_t crash_size(struct sim *s, const struct sim_inode *i)
{
    uint64_t low = i->size < i->durable_size ? i->size : i->durable_size;
    uint64_t high = i->size < i->durable_size ? i->durable_size : i->size;

    switch (sim_random_below(s, 3)) {
    case 0:
        return i->size;
    case 1:
        return i->durable_size;
    default:
        return low + sim_random_below(s, (high - low) / SIM_SECTOR + 1) * SIM_SECTOR;
    }
}

static void sector_restore(struct sim_inode *i, const struct sector *c)
{
    inode_reserve(i, (c->number + 1) * SIM_SECTOR);
    memcpy(i->data + c->number * SIM_SECTOR, c->old, SIM_SECTOR);
}

static void inode_crash(struct sim *s, struct sim_inode *i)
{
    uint64_t lost_of_4 = sim_random_below(s, 5); /* none, some, all */
    uint64_t size;
    struct sector *c, *next;

    if (!i->sectors && i->size == i->durable_size)
        return;
    size = lost_of_4 == 0 ? i->size : lost_of_4 == 4 ? i->durable_size : crash_size(s, i);
    HASH_ITER(hh, i->sectors, c, next)
    {
        if (!sim_chance(s, lost_of_4, 4))
            continue;
        sector_restore(i, c);
        s->counts.lost_sectors++;
    }
    inode_reserve(i, size);
    if (i->capacity > size)
        memset(i->data + size, 0, i->capacity - size);
    i->size = size;
    sim_inode_sync(i);
}

static bool is_same_entry(const struct edit *a, const struct edit *b)
{
    return a->directory == b->directory && strcmp(a->name, b->name) == 0;
}

static bool depends_on(const struct change *later, const struct change *earlier)
{
    for (unsigned i = 0; i < later->n; i++)
        for (unsigned j = 0; j < earlier->n; j++)
            if (is_same_entry(&later->edits[i], &earlier->edits[j]))
                return true;
    return false;
}

/* Lost are some by chance, and what depends on a lost one. */
static bool is_change_lost(struct sim_node *n, struct change *c, bool chance)
{
    bool lost = chance;

    for (unsigned i = 0; i < c->n; i++)
        lost = lost || (c->edits[i].inode && c->edits[i].inode->lost);
    list_each (earlier, &n->changes, struct change, link) {
        if (lost || earlier == c)
            break;
        lost = earlier->chosen && depends_on(c, earlier);
    }
    for (unsigned i = 0; lost && i < c->n; i++)
        if (c->edits[i].inode)
            c->edits[i].inode->lost = true;
    return lost;
}

static void changes_crash(struct sim_node *n)
{
    struct sim *s = n->sim;
    uint64_t lost_of_4 = sim_random_below(s, 5);
    bool is_suffix = sim_chance(s, 1, 2), lost = false;

    list_each (c, &n->changes, struct change, link) {
        lost = is_suffix && lost ? true : sim_chance(s, lost_of_4, 4);
        c->chosen = is_change_lost(n, c, lost);
    }
    list_each_safe (c, &n->changes, struct change, link)
        change_end(n, c, !c->chosen);
}

/* What is seen becomes what is durable. */
static void entries_restore(struct sim_inode *i)
{
    struct entry *e, *next;

    entries_clear(&i->entries);
    HASH_ITER(hh, i->durable, e, next)
    {
        entry_set(&i->entries, e->name, e->inode);
        e->inode->names++;
    }
}

/* Gives back the references of the walk. */
static void drop_unreachable(struct sim_node *n)
{
    struct list walked;

    list_init(&walked);
    list_splice(&walked, &n->inodes);
    while (!list_is_empty(&walked)) {
        struct sim_inode *i = list_first(&walked, struct sim_inode, link);
        list_remove(&i->link);
        list_append(&n->inodes, &i->link);
        sim_inode_unref(i);
    }
}

void sim_disk_crash(struct sim_node *n)
{
    list_each (i, &n->inodes, struct sim_inode, link) {
        i->lost = false;
        i->names = 0;
    }
    changes_crash(n);
    n->root->names = 1;
    list_each (i, &n->inodes, struct sim_inode, link) {
        i->lost = false;
        inode_crash(n->sim, i);
    }
    list_each (i, &n->inodes, struct sim_inode, link)
        sim_inode_ref(i); /* none may end amid the walk */
    list_each (i, &n->inodes, struct sim_inode, link)
        if (i->kind == INODE_DIRECTORY)
            entries_restore(i);
    drop_unreachable(n);
}

void sim_disk_create(struct sim_node *n)
{
    list_init(&n->inodes);
    list_init(&n->changes);
    n->root = sim_inode_create(n, INODE_DIRECTORY, 0755);
    n->root->names = 1;
}

void sim_disk_destroy(struct sim_node *n)
{
    list_each_safe (c, &n->changes, struct change, link)
        change_end(n, c, false);
    sim_inode_unref(n->root);
    CHECK(list_is_empty(&n->inodes));
}
