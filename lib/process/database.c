/* database.c - group commit, and the door to sqlite3
 *
 * database_commit → waiting.  With no batch on its way, the waiting ones become
 * one: work on a helper thread (BEGIN, each request in a savepoint of its own,
 * COMMIT, which syncs), then done on a loop settles the futures in order and
 * starts the next.  A request that refuses is rolled back alone; when the
 * commit itself fails, so does all of its batch.
 *
 * The lock guards `batch`, its state, and `waiting`.  The connection belongs
 * to the one who is at work: the batch that runs, or the owner before the first
 * commit.
 */
#include "process/database.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/ref.h"
#include "process/future.h"
#include "process/host.h"
#include "process/runtime_private.h"
#include "process/sqlite_vfs.h"

/* Statements that are kept prepared; an older one gives way. */
enum { KEPT_STATEMENTS = 32 };

struct statement {
    char *sql;
    sqlite3_stmt *handle;
};

struct request {
    struct list link;
    database_work_f work;
    void *args;
    void (*release)(void *args);
    struct promise *promise;
    bool refused; /* and why: */
    struct error error;
};

enum batch_state { BATCH_QUEUED, BATCH_RUNNING, BATCH_RAN };

struct batch {
    struct database *db; /* a reference */
    enum batch_state state;
    struct loop *loop; /* that done comes on */
    struct list requests;
    bool failed; /* as a whole, and why: */
    struct error error;
};

struct database {
    struct ref ref; /* the owner's, and one for a batch on its way */
    struct runtime *runtime;
    char *path;
    struct sqlite_vfs *vfs;
    sqlite3 *sqlite;
    struct statement kept[KEPT_STATEMENTS];
    unsigned next_kept;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a batch has run */
    struct list waiting;
    struct batch *batch; /* on its way; NULL: none */
    bool closed;
};

struct database_row {
    sqlite3_stmt *statement;
};

/* ---- errors ---- */

static int code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EAGAIN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return EUCLEAN;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_CONSTRAINT:
        return EEXIST;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return EIO;
    default:
        return EINVAL;
    }
}

/* SQLite's words, and the host's when it was the disk. */
static int refuse(struct database *db, int sqlite_code, struct error *err)
{
    const struct error *reason = sqlite_vfs_error(db->vfs);
    const char *words = db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(sqlite_code);
    int code = code_of(sqlite_code);

    if (code == EAGAIN)
        return error_set(err, EAGAIN, "Database %s is in use by another OS process (%s)", db->path,
                         words);
    if ((code == EIO || code == ENOSPC) && reason->code)
        return error_set(err, reason->code, "Database %s: %s (%s)", db->path, words, reason->text);
    return error_set(err, code, "Database %s: %s", db->path, words);
}

static int execute(struct database *db, const char *sql, struct error *err)
{
    int code;

    sqlite_vfs_clear_error(db->vfs);
    code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : refuse(db, code, err);
}

/* ---- statements ---- */

static int prepare(struct database *db, const char *sql, sqlite3_stmt **ret_handle,
                   struct error *err)
{
    struct statement *place;
    int code;

    for (unsigned i = 0; i < KEPT_STATEMENTS; i++)
        if (db->kept[i].sql && strcmp(db->kept[i].sql, sql) == 0 &&
            !sqlite3_stmt_busy(db->kept[i].handle)) {
            *ret_handle = db->kept[i].handle;
            return 0;
        }
    code = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_handle, NULL);
    if (code != SQLITE_OK)
        return refuse(db, code, err);
    CHECK(*ret_handle); /* no statement at all */
    do
        place = &db->kept[db->next_kept++ % KEPT_STATEMENTS];
    while (place->handle && sqlite3_stmt_busy(place->handle));
    sqlite3_finalize(place->handle);
    mem_free(place->sql);
    *place = (struct statement){ mem_strdup(sql), *ret_handle };
    return 0;
}

/* What is bound stays the caller's until the statement is reset. */
static int bind(struct database *db, sqlite3_stmt *s, const char *format, va_list args,
                struct error *err)
{
    int code = SQLITE_OK;

    CHECK(strlen(format) == (size_t)sqlite3_bind_parameter_count(s));
    for (int i = 0; format[i] && code == SQLITE_OK; i++) {
        if (format[i] == 's') {
            code = sqlite3_bind_text(s, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else if (format[i] == 'i') {
            code = sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
        } else {
            const void *data = va_arg(args, const void *);
            size_t size = va_arg(args, size_t);

            CHECK(format[i] == 'b');
            code = sqlite3_bind_blob64(s, i + 1, size ? data : "", size, SQLITE_STATIC);
        }
    }
    return code == SQLITE_OK ? 0 : refuse(db, code, err);
}

static int step_rows(struct database *db, sqlite3_stmt *s, database_row_f see, void *arg,
                     struct error *err)
{
    struct database_row row = { s };
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        if (see && see(arg, &row, err) < 0)
            return -1;
    return code == SQLITE_DONE ? 0 : refuse(db, code, err);
}

static int run(struct database *db, database_row_f see, void *arg, struct error *err,
               const char *sql, const char *format, va_list args)
{
    sqlite3_stmt *s;
    int result;

    sqlite_vfs_clear_error(db->vfs);
    if (prepare(db, sql, &s, err) < 0)
        return -1;
    result = bind(db, s, format, args, err);
    if (result == 0)
        result = step_rows(db, s, see, arg, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return result;
}

int database_run(struct database *db, struct error *err, const char *sql, const char *format, ...)
{
    va_list args;
    int result;

    va_start(args, format);
    result = run(db, NULL, NULL, err, sql, format, args);
    va_end(args);
    return result;
}

int database_query(struct database *db, struct error *err, database_row_f row, void *arg,
                   const char *sql, const char *format, ...)
{
    va_list args;
    int result;

    va_start(args, format);
    result = run(db, row, arg, err, sql, format, args);
    va_end(args);
    return result;
}

const char *database_text(struct database_row *row, int column)
{
    return (const char *)sqlite3_column_text(row->statement, column);
}

const void *database_blob(struct database_row *row, int column, size_t *ret_size)
{
    const void *data = sqlite3_column_blob(row->statement, column);

    *ret_size = (size_t)sqlite3_column_bytes(row->statement, column);
    return data;
}

int64_t database_integer(struct database_row *row, int column)
{
    return sqlite3_column_int64(row->statement, column);
}

/* ---- a batch ---- */

/* In its own savepoint.  -1: the whole transaction is lost. */
static int run_request(struct database *db, struct request *r, struct error *err)
{
    if (execute(db, "SAVEPOINT request", err) < 0)
        return -1;
    if (r->work(db, r->args, &r->error) < 0) {
        r->refused = true;
        if (sqlite3_get_autocommit(db->sqlite)) /* SQLite has rolled all of it back */
            return error_copy(err, &r->error);
        if (execute(db, "ROLLBACK TO request", err) < 0)
            return -1;
    }
    return execute(db, "RELEASE request", err);
}

static int run_requests(struct batch *b, struct error *err)
{
    if (execute(b->db, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    list_each (r, &b->requests, struct request, link)
        if (run_request(b->db, r, err) < 0)
            return -1;
    return execute(b->db, "COMMIT", err);
}

static void run_batch(struct batch *b)
{
    b->failed = run_requests(b, &b->error) < 0;
    if (b->failed && !sqlite3_get_autocommit(b->db->sqlite))
        sqlite3_exec(b->db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

static struct batch *batch_create(struct database *db, struct loop *loop)
{
    struct batch *b = mem_alloc(sizeof *b);

    ref_get(&db->ref);
    b->db = db;
    b->loop = loop;
    list_init(&b->requests);
    list_splice(&b->requests, &db->waiting);
    return b;
}

static void settle(struct request *r, const struct batch *b)
{
    if (r->release)
        r->release(r->args);
    if (b->state != BATCH_RAN)
        promise_fail(r->promise, ECANCELED, "Database %s: the runtime stops", b->db->path);
    else if (r->refused)
        promise_fail_with(r->promise, &r->error);
    else if (b->failed)
        promise_fail_with(r->promise, &b->error);
    else
        promise_set(r->promise, &future_nothing, NULL);
    promise_unref(r->promise);
    mem_free(r);
}

static void database_unref(struct database *db)
{
    if (!ref_put(&db->ref))
        return;
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->changed);
    mem_free(db->path);
    mem_free(db);
}

static void batch_destroy(struct batch *b)
{
    list_each_safe (r, &b->requests, struct request, link) {
        list_remove(&r->link);
        settle(r, b);
    }
    database_unref(b->db);
    mem_free(b);
}

/* On a helper thread. */
static void batch_work(void *arg)
{
    struct batch *b = arg;
    struct database *db = b->db;

    pthread_mutex_lock(&db->lock);
    if (b->state != BATCH_QUEUED) { /* database_close was there first */
        pthread_mutex_unlock(&db->lock);
        return;
    }
    b->state = BATCH_RUNNING;
    pthread_mutex_unlock(&db->lock);
    run_batch(b);
    pthread_mutex_lock(&db->lock);
    b->state = BATCH_RAN;
    pthread_cond_broadcast(&db->changed);
    pthread_mutex_unlock(&db->lock);
}

/* Goes on with what waits, on the same loop: it lasts while this runs. */
static void batch_done(void *arg)
{
    struct batch *b = arg, *next = NULL;
    struct database *db = b->db;
    struct loop *loop = b->loop;

    pthread_mutex_lock(&db->lock);
    if (!db->closed && !list_is_empty(&db->waiting))
        next = batch_create(db, loop);
    db->batch = next;
    pthread_mutex_unlock(&db->lock);
    batch_destroy(b);
    if (next)
        host_async(loop, batch_work, batch_done, next);
}

/* The loop of this thread, which lasts while its actor runs, or any one. */
static struct loop *find_loop(struct database *db)
{
    struct worker *w = worker_current(db->runtime);

    return worker_loop(w ? w : worker_next(db->runtime));
}

struct future *database_commit(struct database *db, database_work_f work, void *args,
                               void (*release)(void *args))
{
    struct request *r = mem_alloc(sizeof *r);
    struct batch *b = NULL;
    struct future *f;

    *r = (struct request){
        .work = work, .args = args, .release = release, .promise = promise_create(&future_nothing)
    };
    f = promise_future(r->promise);
    pthread_mutex_lock(&db->lock);
    CHECK(!db->closed);
    list_append(&db->waiting, &r->link);
    if (!db->batch)
        b = db->batch = batch_create(db, find_loop(db));
    pthread_mutex_unlock(&db->lock);
    if (b && b->loop)
        host_async(b->loop, batch_work, batch_done, b);
    else if (b)
        batch_done(b); /* the runtime has stopped */
    return f;
}

/* ---- opening and closing ---- */

static int see_mode(void *arg, struct database_row *row, struct error *err)
{
    const char *mode = database_text(row, 0);

    (void)arg;
    if (mode && strcmp(mode, "wal") == 0)
        return 0;
    return error_set(err, EIO, "SQLite did not take up journal_mode=WAL");
}

static int configure(struct database *db, const char *schema, struct error *err)
{
    const char *pragmas = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
                          "PRAGMA mmap_size=0; PRAGMA synchronous=FULL;";

    if (execute(db, pragmas, err) < 0 ||
        database_query(db, err, see_mode, NULL, "PRAGMA journal_mode=WAL", "") < 0 ||
        execute(db, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    if (execute(db, schema, err) < 0)
        return -1;
    return execute(db, "COMMIT", err);
}

/* SQLite's own generator, which salts the log, is seeded by chance of ours: the
 * same seed of a simulation then writes the same bytes. */
static void seed(struct host *h)
{
    int number = 1 + (int)host_random_below(h, INT32_MAX - 1);

    sqlite3_initialize();
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, number, NULL);
}

static int connect_file(struct database *db, struct error *err)
{
    char at[ADDRESS_TEXT];
    char *name = mem_printf("%s@%s", db->path, address_format(runtime_address(db->runtime), at));
    int code;

    db->vfs = sqlite_vfs_create(runtime_host(db->runtime), name);
    if (!db->vfs) {
        mem_free(name);
        return error_set(err, ENOMEM, "SQLite refuses our VFS");
    }
    code =
        sqlite3_open_v2(db->path, &db->sqlite,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, name);
    sqlite_vfs_hide(db->vfs);
    mem_free(name);
    return code == SQLITE_OK ? 0 : refuse(db, code, err);
}

/* The folder may have been made for us a moment ago; without it our file is lost
 * however well it was synced. */
static int make_folder_last(struct database *db, struct error *err)
{
    const char *path = sqlite3_db_filename(db->sqlite, "main"), *slash = strrchr(path, '/');
    char *folder = slash > path ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup("/");
    int result = host_sync_path(runtime_host(db->runtime), folder, err);

    mem_free(folder);
    return result == 0 ? 0 : error_wrap(err, "Database %s", db->path);
}

/* The connection ends; the struct lives as long as its batch. */
static void disconnect(struct database *db)
{
    for (unsigned i = 0; i < KEPT_STATEMENTS; i++) {
        sqlite3_finalize(db->kept[i].handle);
        mem_free(db->kept[i].sql);
    }
    CHECK(sqlite3_close(db->sqlite) == SQLITE_OK);
    sqlite_vfs_destroy(db->vfs);
    db->sqlite = NULL;
    db->vfs = NULL;
}

int database_open(struct runtime *rt, const char *path, const char *schema,
                  struct database **ret_db, struct error *err)
{
    struct database *db = mem_alloc(sizeof *db);

    ref_init(&db->ref);
    db->runtime = rt;
    db->path = mem_strdup(path);
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->changed, NULL);
    list_init(&db->waiting);
    seed(runtime_host(rt));
    if (connect_file(db, err) < 0 || configure(db, schema, err) < 0 ||
        make_folder_last(db, err) < 0) {
        disconnect(db);
        database_unref(db);
        return -1;
    }
    *ret_db = db;
    return 0;
}

/* Takes the place of the helper thread for what was asked for and has not begun. */
void database_close(struct database *db)
{
    struct batch *rest = NULL;

    if (!db)
        return;
    pthread_mutex_lock(&db->lock);
    db->closed = true;
    while (db->batch && db->batch->state == BATCH_RUNNING)
        pthread_cond_wait(&db->changed, &db->lock);
    if (db->batch && db->batch->state == BATCH_QUEUED) {
        run_batch(db->batch);
        db->batch->state = BATCH_RAN;
    }
    if (!list_is_empty(&db->waiting)) {
        rest = batch_create(db, NULL);
        run_batch(rest);
        rest->state = BATCH_RAN;
    }
    pthread_mutex_unlock(&db->lock);
    if (rest)
        batch_destroy(rest);
    disconnect(db);
    database_unref(db);
}
