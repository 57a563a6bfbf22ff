/* database.h - one SQLite file of a node, through the host's disk
 *
 * The door to sqlite3.  Statements run only inside database_commit's function,
 * off the actors' threads, in one transaction: it returns 0 to commit or -1 to
 * roll back.  Group commit: what is asked for while a commit is on its way
 * goes into the next one, and each future is settled after the sync.  Order of
 * commits is the order they were asked for in.
 *
 * The file is opened with one connection, locking_mode=EXCLUSIVE before
 * journal_mode=WAL, synchronous=FULL, no mmap, through a VFS over the host's
 * files.  A file that another OS process holds is refused with EAGAIN, a
 * damaged one with EUCLEAN and SQLite's words.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct database;
struct error;
struct future;
struct runtime;

/* Synchronous: for initialization and recovery.  `schema` is idempotent SQL
 * (CREATE TABLE IF NOT EXISTS ...; the user_version pragma is the caller's). */
int database_open(struct runtime *rt, const char *path, const char *schema,
                  struct database **ret_db, struct error *err);
/* Waits for commits under way. NULL is fine. */
void database_close(struct database *db);

/* A future of nothing: READY after the sync.  Once a commit has failed with an
 * I/O error, it and all that waited with it are FAILED; later ones are tried anew.
 * release (may be NULL) ends args, once, when the future is about to be settled. */
typedef int (*database_work_f)(struct database *db, void *args, struct error *err);
struct future *database_commit(struct database *db, database_work_f work, void *args,
                               void (*release)(void *args));

/* Inside work, and synchronously before the first commit or during recovery.
 * Parameters by format: s text (NULL gives NULL), b blob (const void *, size_t),
 * i int64_t.  Example: database_run(db, err, "INSERT INTO t VALUES(?,?)", "si", id, n). */
int database_run(struct database *db, struct error *err, const char *sql, const char *format, ...);

/* Rows: for each, row(arg, statement) returns 0 to go on. */
struct database_row;
typedef int (*database_row_f)(void *arg, struct database_row *row, struct error *err);
int database_query(struct database *db, struct error *err, database_row_f row, void *arg,
                   const char *sql, const char *format, ...);
const char *database_text(struct database_row *row, int column);                 /* NULL if null */
const void *database_blob(struct database_row *row, int column, size_t *ret_size);
int64_t database_integer(struct database_row *row, int column);

#endif
