/* host_sim_inode.h - the simulated disk's own: inodes and changes of directories
 *
 * Two counted trees over the same inodes, the seen one and the durable one.
 * Used by host_sim_disk.c only, which finds paths and has the operations.
 */
#ifndef HOST_SIM_INODE_H
#define HOST_SIM_INODE_H

#include <uthash.h>

#include "process/host_sim_private.h"

#define SIM_SECTOR 512

struct entry {
    char *name;
    struct sim_inode *inode;
    UT_hash_handle hh;
};

struct sector { /* as it was at the last sync */
    uint64_t number;
    char old[SIM_SECTOR];
    UT_hash_handle hh;
};

struct sim_inode {
    struct list link; /* node->inodes */
    unsigned refs;    /* entries of both kinds, changes, open files */
    enum { INODE_FILE, INODE_DIRECTORY, INODE_LINK } kind;
    uint32_t mode, uid, gid;
    struct instant modified;
    struct entry *entries, *durable; /* of a directory */
    char *target;                    /* of a link */
    char *data;                      /* of a file; zero behind its size */
    uint64_t size, capacity, durable_size;
    struct sector *sectors;
    struct sim_file *locker;
    unsigned names; /* entries that are seen */
    bool lost;      /* amid a crash: a change of it was lost */
};

/* One entry of a directory becomes this inode, or nothing. */
struct edit {
    struct sim_inode *directory;
    char *name;
    struct sim_inode *inode;
};

struct change {
    struct list link; /* node->changes */
    struct edit edits[2];
    unsigned n;
    bool chosen; /* to become durable now, or lost */
};

struct sim_inode *sim_inode_create(struct sim_node *n, int kind, unsigned mode); /* one reference */
struct sim_inode *sim_inode_ref(struct sim_inode *i); /* NULL gives NULL */
void sim_inode_unref(struct sim_inode *i);            /* NULL is fine */

void sim_inode_write(struct sim_inode *i, uint64_t offset, const void *data, size_t size);
void sim_inode_truncate(struct sim_inode *i, uint64_t size);
void sim_inode_sync(struct sim_inode *i);

struct sim_inode *sim_entry_find(struct entry *entries, const char *name); /* borrowed */
/* A change is seen entry by entry, and becomes durable, or is lost, as a whole. */
struct change *sim_change_begin(struct sim_node *n);
void sim_change_add(struct change *c, struct sim_inode *directory, const char *name,
                    struct sim_inode *inode);
void sim_changes_make_durable(struct sim_node *n, struct sim_inode *directory);

#endif
