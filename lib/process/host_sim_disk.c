/* host_sim_disk.c - files, folders and links of a simulated node, by path
 *
 * As a POSIX file system shows them to root: no permission is refused.  An OS
 * process that is dead, or dies amid work, gets EIO.  What a loss of power
 * leaves is host_sim_inode.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host_sim_inode.h"

#define MAX_LINKS 40
#define DISK_BYTES ((uint64_t)100 << 30)

struct sim_file {
    struct file base;
    struct list link; /* host->files */
    struct sim_host *host;
    struct sim_inode *inode;
    unsigned modes;
};

static const struct file_ops file_ops;

static int fail(struct error *err, int code, const char *doing, const char *path)
{
    errno = code;
    return error_errno(err, "cannot %s %s", doing, path);
}

static bool is_cut_off(struct sim_host *h)
{
    return h->dead || h->budget == 0;
}

/* Before each operation that changes something. */
static int disk_check(struct sim_host *h, bool allocates, struct error *err, const char *doing,
                      const char *path)
{
    if (is_cut_off(h))
        return fail(err, EIO, doing, path);
    if (h->budget > 0)
        h->budget--;
    return allocates && h->node->disk_full ? fail(err, ENOSPC, doing, path) : 0;
}

/* ---- paths ---- */

struct place {                   /* borrowed: valid until the tree changes */
    struct sim_inode *directory; /* NULL: the root itself */
    struct sim_inode *inode;     /* NULL: there is none of that name */
    char name[256];
};

struct walk {
    struct sim_inode *stack[256];
    unsigned depth, links;
};

static int walk_path(struct sim_node *n, struct walk *w, const char *path, bool follow,
                     struct place *p);

static int walk_link(struct sim_node *n, struct walk *w, const struct sim_inode *i, struct place *p)
{
    if (++w->links > MAX_LINKS)
        return ELOOP;
    return walk_path(n, w, i->target, true, p);
}

/* One component, from the directory on top of the stack. */
static int walk_name(struct sim_node *n, struct walk *w, const char *name, size_t length,
                     bool follow, struct place *p)
{
    struct sim_inode *directory = w->stack[w->depth - 1];

    if (length >= sizeof p->name)
        return ENAMETOOLONG;
    if (length == 1 && name[0] == '.')
        return 0;
    if (length == 2 && name[0] == '.' && name[1] == '.') {
        w->depth -= w->depth > 1;
        p->inode = w->stack[w->depth - 1];
        p->directory = w->depth > 1 ? w->stack[w->depth - 2] : NULL;
        return 0;
    }
    snprintf(p->name, sizeof p->name, "%.*s", (int)length, name);
    p->directory = directory;
    p->inode = sim_entry_find(directory->entries, p->name);
    if (p->inode && p->inode->kind == INODE_LINK && follow)
        return walk_link(n, w, p->inode, p);
    if (p->inode && p->inode->kind == INODE_DIRECTORY) {
        if (w->depth == ARRAY_SIZE(w->stack))
            return ENAMETOOLONG;
        w->stack[w->depth++] = p->inode;
    }
    return 0;
}

static int walk_path(struct sim_node *n, struct walk *w, const char *path, bool follow,
                     struct place *p)
{
    if (*path == '/' || w->depth == 0) {
        w->stack[0] = n->root;
        w->depth = 1;
    }
    *p = (struct place){ .inode = w->stack[w->depth - 1],
                         .directory = w->depth > 1 ? w->stack[w->depth - 2] : NULL };
    while (*path != '\0') {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            break;
        if (!p->inode)
            return ENOENT;
        if (p->inode->kind != INODE_DIRECTORY)
            return ENOTDIR;
        bool is_last = path[length + strspn(path + length, "/")] == '\0';
        int code = walk_name(n, w, path, length, follow || !is_last, p);
        if (code != 0)
            return code;
        path += length;
    }
    return 0;
}

static int find_place(struct sim_host *h, const char *path, bool follow, struct place *p,
                      struct error *err, const char *doing)
{
    struct walk w = { .depth = 0 };
    int code = *path == '\0' ? ENOENT : 0;

    if (h->dead)
        return fail(err, EIO, doing, path);
    if (code == 0 && *path != '/' && h->spec.directory)
        code = walk_path(h->node, &w, h->spec.directory, true, p);
    if (code == 0)
        code = walk_path(h->node, &w, path, follow, p);
    return code == 0 ? 0 : fail(err, code, doing, path);
}

/* Of something that must be there. */
static struct sim_inode *find_inode(struct sim_host *h, const char *path, bool follow,
                                    struct error *err, const char *doing)
{
    struct place p;

    if (find_place(h, path, follow, &p, err, doing) < 0)
        return NULL;
    if (!p.inode)
        fail(err, ENOENT, doing, path);
    return p.inode;
}

static void touch(struct sim_host *h, struct sim_inode *i)
{
    i->modified = (struct instant){ sim_of(h)->now };
}

static void put_new(struct sim_host *h, struct place *p, struct sim_inode *i)
{
    sim_change_add(sim_change_begin(h->node), p->directory, p->name, i);
    touch(h, p->directory);
    sim_inode_unref(i);
}

/* ---- open files ---- */

static ssize_t file_read_some(struct file *base, uint64_t offset, void *out, size_t size,
                              struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;
    struct sim_inode *i = f->inode;

    if (is_cut_off(f->host))
        return fail(err, EIO, "read", "a file");
    if (!(f->modes & FILE_READ))
        return fail(err, EBADF, "read", "a file");
    if (offset >= i->size)
        return 0;
    if (size > i->size - offset)
        size = i->size - offset;
    memcpy(out, i->data + offset, size);
    return (ssize_t)size;
}

static int file_check(struct sim_file *f, bool allocates, struct error *err, const char *doing)
{
    if (disk_check(f->host, allocates, err, doing, "a file") < 0)
        return -1;
    return f->modes & FILE_WRITE ? 0 : fail(err, EBADF, doing, "a file");
}

static int file_write_all(struct file *base, uint64_t offset, const void *data, size_t size,
                          struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;

    if (file_check(f, true, err, "write") < 0)
        return -1;
    if (offset + size < offset || offset + size > DISK_BYTES)
        return fail(err, EFBIG, "write", "a file");
    if (size > 0)
        sim_inode_write(f->inode, offset, data, size);
    touch(f->host, f->inode);
    return 0;
}

static int file_sync_all(struct file *base, struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;

    if (disk_check(f->host, false, err, "sync", "a file") < 0)
        return -1;
    if (f->host->node->sync_fails)
        return fail(err, EIO, "sync", "a file");
    sim_inode_sync(f->inode);
    return 0;
}

static int file_set_size(struct file *base, uint64_t size, struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;

    if (file_check(f, size > f->inode->size, err, "truncate") < 0)
        return -1;
    if (size > DISK_BYTES)
        return fail(err, EFBIG, "truncate", "a file");
    sim_inode_truncate(f->inode, size);
    touch(f->host, f->inode);
    return 0;
}

static int file_get_size(struct file *base, uint64_t *ret_size, struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;

    if (is_cut_off(f->host))
        return fail(err, EIO, "stat", "a file");
    *ret_size = f->inode->size;
    return 0;
}

static int file_take_lock(struct file *base, struct error *err)
{
    struct sim_file *f = (struct sim_file *)base;

    if (is_cut_off(f->host))
        return fail(err, EIO, "lock", "a file");
    if (f->inode->locker && f->inode->locker != f)
        return error_set(err, EAGAIN, "another holds the lock of this file");
    f->inode->locker = f;
    return 0;
}

static void file_unlock(struct sim_file *f)
{
    if (f->inode->locker == f)
        f->inode->locker = NULL;
}

static void file_end(struct file *base)
{
    struct sim_file *f = (struct sim_file *)base;

    file_unlock(f);
    sim_inode_unref(f->inode);
    list_remove(&f->link);
    mem_free(f);
}

static const struct file_ops file_ops = {
    .read = file_read_some,
    .write = file_write_all,
    .sync = file_sync_all,
    .truncate = file_set_size,
    .size = file_get_size,
    .lock = file_take_lock,
    .close = file_end,
};

/* ---- operations by path ---- */

static int open_check(const struct place *p, unsigned modes, const char *path, struct error *err)
{
    if (!p->inode && !(modes & FILE_CREATE))
        return fail(err, ENOENT, "open", path);
    if (p->inode && (modes & FILE_CREATE) && (modes & FILE_EXCLUSIVE))
        return fail(err, EEXIST, "open", path);
    if (p->inode && p->inode->kind == INODE_DIRECTORY)
        return fail(err, EISDIR, "open", path);
    return 0;
}

int sim_disk_open(struct host *host, const char *path, unsigned modes, unsigned permissions,
                  struct file **ret_file, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct place p;

    if (is_cut_off(h))
        return fail(err, EIO, "open", path);
    if (find_place(h, path, !(modes & FILE_EXCLUSIVE), &p, err, "open") < 0 ||
        open_check(&p, modes, path, err) < 0)
        return -1;
    if (!p.inode || (modes & FILE_TRUNCATE))
        if (disk_check(h, !p.inode, err, "open", path) < 0)
            return -1;
    if (!p.inode) {
        p.inode = sim_inode_create(h->node, INODE_FILE, permissions);
        put_new(h, &p, p.inode);
    } else if (modes & FILE_TRUNCATE) {
        sim_inode_truncate(p.inode, 0);
    }
    struct sim_file *f = mem_alloc(sizeof *f);
    f->base.ops = &file_ops;
    f->host = h;
    f->inode = sim_inode_ref(p.inode);
    f->modes = modes;
    list_append(&h->files, &f->link);
    *ret_file = &f->base;
    return 0;
}

int sim_disk_is_locked(struct host *host, const char *path, struct error *err)
{
    struct place p;

    if (is_cut_off(sim_host(host)))
        return fail(err, EIO, "look at", path);
    if (find_place(sim_host(host), path, true, &p, NULL, "look at") < 0)
        return 0;
    return p.inode && p.inode->locker ? 1 : 0;
}

int sim_disk_stat(struct host *host, const char *path, struct file_info *ret_info,
                  struct error *err)
{
    struct sim_inode *i = find_inode(sim_host(host), path, false, err, "stat");
    int64_t start = host->ops->wall(host).ns - host->ops->now(host).ns;

    if (!i)
        return -1;
    *ret_info = (struct file_info){
        .is_directory = i->kind == INODE_DIRECTORY,
        .is_link = i->kind == INODE_LINK,
        .mode = i->mode,
        .links = i->names,
        .uid = i->uid,
        .gid = i->gid,
        .size = i->kind == INODE_LINK ? strlen(i->target) : i->size,
        .modified = { i->modified.ns + start },
    };
    return 0;
}

int sim_disk_mkdir(struct host *host, const char *path, unsigned permissions, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct place p;

    if (find_place(h, path, false, &p, err, "make") < 0)
        return -1;
    if (p.inode)
        return fail(err, EEXIST, "make", path);
    if (disk_check(h, true, err, "make", path) < 0)
        return -1;
    put_new(h, &p, sim_inode_create(h->node, INODE_DIRECTORY, permissions));
    return 0;
}

static bool is_below(const struct sim_inode *i, const struct sim_inode *directory)
{
    struct entry *e, *next;

    if (i == directory)
        return true;
    HASH_ITER(hh, directory->entries, e, next)
    if (e->inode->kind == INODE_DIRECTORY && is_below(i, e->inode))
        return true;
    return false;
}

static int rename_check(const struct place *from, const struct place *to)
{
    if (!from->inode)
        return ENOENT;
    if (!from->directory || !to->directory)
        return EBUSY;
    if (from->inode->kind == INODE_DIRECTORY) {
        if (to->inode && to->inode->kind != INODE_DIRECTORY)
            return ENOTDIR;
        if (to->inode && to->inode != from->inode && to->inode->entries)
            return ENOTEMPTY;
        return is_below(to->directory, from->inode) ? EINVAL : 0;
    }
    return to->inode && to->inode->kind == INODE_DIRECTORY ? EISDIR : 0;
}

int sim_disk_rename(struct host *host, const char *from, const char *to, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct place a, b;

    if (find_place(h, from, false, &a, err, "rename") < 0 ||
        find_place(h, to, false, &b, err, "rename") < 0)
        return -1;
    int code = rename_check(&a, &b);
    if (code != 0)
        return fail(err, code, "rename", from);
    if (disk_check(h, false, err, "rename", from) < 0)
        return -1;
    if (a.inode == b.inode)
        return 0;
    struct change *c = sim_change_begin(h->node);
    sim_change_add(c, b.directory, b.name, a.inode);
    sim_change_add(c, a.directory, a.name, NULL);
    touch(h, a.directory);
    touch(h, b.directory);
    return 0;
}

int sim_disk_symlink(struct host *host, const char *target, const char *path, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct place p;

    if (find_place(h, path, false, &p, err, "link") < 0)
        return -1;
    if (p.inode && p.inode->kind != INODE_LINK)
        return fail(err, EEXIST, "link", path);
    if (disk_check(h, true, err, "link", path) < 0)
        return -1;
    struct sim_inode *i = sim_inode_create(h->node, INODE_LINK, 0777);
    i->target = mem_strdup(target);
    put_new(h, &p, i);
    return 0;
}

int sim_disk_readlink(struct host *host, const char *path, char **ret_target, struct error *err)
{
    struct sim_inode *i = find_inode(sim_host(host), path, false, err, "read the link");

    if (!i)
        return -1;
    if (i->kind != INODE_LINK)
        return fail(err, EINVAL, "read the link", path);
    *ret_target = mem_strdup(i->target);
    return 0;
}

int sim_disk_unlink(struct host *host, const char *path, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct place p;

    if (find_place(h, path, false, &p, err, "remove") < 0)
        return -1;
    if (!p.inode)
        return fail(err, ENOENT, "remove", path);
    if (!p.directory)
        return fail(err, EBUSY, "remove", path);
    if (p.inode->entries)
        return fail(err, ENOTEMPTY, "remove", path);
    if (disk_check(h, false, err, "remove", path) < 0)
        return -1;
    sim_change_add(sim_change_begin(h->node), p.directory, p.name, NULL);
    touch(h, p.directory);
    return 0;
}

int sim_disk_sync_directory(struct host *host, const char *path, struct error *err)
{
    struct sim_host *h = sim_host(host);
    struct sim_inode *i = find_inode(h, path, true, err, "sync");

    if (!i || disk_check(h, false, err, "sync", path) < 0)
        return -1;
    if (i->kind != INODE_DIRECTORY)
        return fail(err, ENOTDIR, "sync", path);
    if (h->node->sync_fails)
        return fail(err, EIO, "sync", path);
    sim_changes_make_durable(h->node, i);
    return 0;
}

int sim_disk_chown(struct host *host, const char *path, uint32_t uid, uint32_t gid,
                   struct error *err)
{
    struct sim_inode *i = find_inode(sim_host(host), path, false, err, "chown");

    if (!i || disk_check(sim_host(host), false, err, "chown", path) < 0)
        return -1;
    i->uid = uid;
    i->gid = gid;
    return 0;
}

int sim_disk_chmod(struct host *host, const char *path, unsigned permissions, struct error *err)
{
    struct sim_inode *i = find_inode(sim_host(host), path, true, err, "chmod");

    if (!i || disk_check(sim_host(host), false, err, "chmod", path) < 0)
        return -1;
    i->mode = permissions;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int sim_disk_list(struct host *host, const char *path, char ***ret_names, size_t *ret_n,
                  struct error *err)
{
    struct sim_inode *i = find_inode(sim_host(host), path, true, err, "list");
    struct entry *e, *next;
    size_t n = 0;

    if (!i)
        return -1;
    if (i->kind != INODE_DIRECTORY)
        return fail(err, ENOTDIR, "list", path);
    char **names = mem_array(HASH_COUNT(i->entries) + 1, sizeof *names);
    HASH_ITER(hh, i->entries, e, next)
    names[n++] = mem_strdup(e->name);
    qsort(names, n, sizeof *names, by_bytes);
    *ret_names = names;
    *ret_n = n;
    return 0;
}

int sim_disk_space(struct host *host, const char *path, uint64_t *ret_size, uint64_t *ret_free,
                   struct error *err)
{
    struct sim_host *h = sim_host(host);
    uint64_t used = 0;

    if (!find_inode(h, path, true, err, "look at"))
        return -1;
    list_each (i, &h->node->inodes, struct sim_inode, link)
        used += i->size;
    *ret_size = DISK_BYTES;
    *ret_free = h->node->disk_full || used > DISK_BYTES ? 0 : DISK_BYTES - used;
    return 0;
}

/* ---- ends, and faults ---- */

void sim_disk_cease(struct sim_host *h)
{
    list_each (f, &h->files, struct sim_file, link)
        file_unlock(f);
}

void sim_disk_free(struct sim_host *h)
{
    list_each_safe (f, &h->files, struct sim_file, link)
        file_end(&f->base);
}

void sim_disk_full(struct sim_node *n, bool full)
{
    n->disk_full = full;
}

void sim_disk_errors(struct sim_node *n, bool fail_sync)
{
    n->sync_fails = fail_sync;
}
