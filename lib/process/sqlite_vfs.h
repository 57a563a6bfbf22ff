/* sqlite_vfs.h - the host's disk as SQLite wants to see it
 *
 * For database.c only.  No shared memory and no mmap: SQLite then keeps the
 * index of the write-ahead log in its own memory, which wants one connection
 * with locking_mode=EXCLUSIVE.  The first lock that SQLite asks for becomes the
 * host's lock of the file against all others, and is held until it is closed.
 */
#ifndef SQLITE_VFS_H
#define SQLITE_VFS_H

#include <sqlite3.h>

struct error;
struct host;
struct sqlite_vfs;

/* Known to SQLite by this name until hidden; files that are open go on. */
struct sqlite_vfs *sqlite_vfs_create(struct host *h, const char *name);
void sqlite_vfs_hide(struct sqlite_vfs *v);
void sqlite_vfs_destroy(struct sqlite_vfs *v);           /* all files are closed; NULL is fine */

/* Why the host refused last; its code is 0 when it did not. */
const struct error *sqlite_vfs_error(const struct sqlite_vfs *v);
void sqlite_vfs_clear_error(struct sqlite_vfs *v);

#endif
