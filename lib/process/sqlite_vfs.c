/* sqlite_vfs.c - SQLite's file operations by those of the host
 *
 * A file that was created here is durable only with its folder: the first sync
 * of such a file syncs the folder too.  That the folder itself stays is seen to
 * when the database is opened.
 */
#include "process/sqlite_vfs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"

enum { PATH_LIMIT = 4096, SECTOR = 4096, PERMISSIONS = 0600 };

struct sqlite_vfs {
    sqlite3_vfs base;
    struct host *host;
    char *name;
    bool hidden;
    struct error error;
};

/* What SQLite allocates for an open file; pMethods NULL means not open. */
struct vfs_file {
    sqlite3_file base;
    struct sqlite_vfs *vfs;
    struct file *file;
    char *path;
    bool locked, is_new, delete_at_end;
};

static struct vfs_file *file_of(sqlite3_file *f)
{
    return (struct vfs_file *)f;
}

static struct sqlite_vfs *vfs_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

/* Remembers the reason; gives SQLite its code for it. */
static int failed(struct sqlite_vfs *v, const struct error *err, int code)
{
    error_copy(&v->error, err);
    return err->code == ENOSPC ? SQLITE_FULL : code;
}

static int sync_folder(struct sqlite_vfs *v, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash > path ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup("/");
    int result = host_sync_directory(v->host, folder, err);

    mem_free(folder);
    return result;
}

/* ---- files ---- */

static int vfs_close(sqlite3_file *base)
{
    struct vfs_file *f = file_of(base);

    if (f->delete_at_end)
        host_unlink(f->vfs->host, f->path, NULL);
    file_close(f->file);
    mem_free(f->path);
    f->base.pMethods = NULL;
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *out, int size, sqlite3_int64 offset)
{
    struct vfs_file *f = file_of(base);
    size_t got = 0, wanted = (size_t)size;

    while (got < wanted) {
        struct error err;
        ssize_t n =
            file_read(f->file, (uint64_t)offset + got, (char *)out + got, wanted - got, &err);

        if (n < 0)
            return failed(f->vfs, &err, SQLITE_IOERR_READ);
        if (n == 0) {
            memset((char *)out + got, 0, wanted - got);
            return SQLITE_IOERR_SHORT_READ;
        }
        got += (size_t)n;
    }
    return SQLITE_OK;
}

static int vfs_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    struct vfs_file *f = file_of(base);
    struct error err;

    if (file_write(f->file, (uint64_t)offset, data, (size_t)size, &err) < 0)
        return failed(f->vfs, &err, SQLITE_IOERR_WRITE);
    return SQLITE_OK;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct vfs_file *f = file_of(base);
    struct error err;

    if (file_truncate(f->file, (uint64_t)size, &err) < 0)
        return failed(f->vfs, &err, SQLITE_IOERR_TRUNCATE);
    return SQLITE_OK;
}

static int vfs_sync(sqlite3_file *base, int flags)
{
    struct vfs_file *f = file_of(base);
    struct error err;

    (void)flags; /* all syncs are full ones */
    if (file_sync(f->file, &err) < 0)
        return failed(f->vfs, &err, SQLITE_IOERR_FSYNC);
    if (f->is_new && sync_folder(f->vfs, f->path, &err) < 0)
        return failed(f->vfs, &err, SQLITE_IOERR_DIR_FSYNC);
    f->is_new = false;
    return SQLITE_OK;
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    struct vfs_file *f = file_of(base);
    struct error err;
    uint64_t size;

    if (file_size(f->file, &size, &err) < 0)
        return failed(f->vfs, &err, SQLITE_IOERR_FSTAT);
    *ret_size = (sqlite3_int64)size;
    return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base, int level)
{
    struct vfs_file *f = file_of(base);
    struct error err;

    if (level == SQLITE_LOCK_NONE || f->locked)
        return SQLITE_OK;
    if (file_lock(f->file, &err) < 0)
        return failed(f->vfs, &err, err.code == EAGAIN ? SQLITE_BUSY : SQLITE_IOERR_LOCK);
    f->locked = true;
    return SQLITE_OK;
}

static int vfs_unlock(sqlite3_file *base, int level)
{
    (void)base, (void)level; /* held until it is closed */
    return SQLITE_OK;
}

static int vfs_check_reserved_lock(sqlite3_file *base, int *ret_is)
{
    (void)base;
    *ret_is = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int op, void *arg)
{
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

/* We promise nothing: a lost sector may take its neighbours along. */
static int vfs_characteristics(sqlite3_file *base)
{
    (void)base;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved_lock,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
};

/* ---- names ---- */

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    struct sqlite_vfs *v = vfs_of(base);
    struct vfs_file *f = file_of(file);
    struct file_info info;
    struct error err;
    unsigned modes = FILE_READ;

    *f = (struct vfs_file){ .vfs = v };
    if (!path) /* temporary files live in memory */
        return SQLITE_CANTOPEN;
    if (flags & SQLITE_OPEN_READWRITE)
        modes |= FILE_WRITE;
    if (flags & SQLITE_OPEN_CREATE)
        modes |= FILE_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE)
        modes |= FILE_EXCLUSIVE;
    f->is_new = (modes & FILE_CREATE) && host_stat(v->host, path, &info, NULL) < 0;
    if (host_open(v->host, path, modes, PERMISSIONS, &f->file, &err) < 0)
        return failed(v, &err, SQLITE_CANTOPEN);
    f->path = mem_strdup(path);
    f->delete_at_end = flags & SQLITE_OPEN_DELETEONCLOSE;
    f->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_it)
{
    struct sqlite_vfs *v = vfs_of(base);
    struct error err;

    if (host_unlink(v->host, path, &err) < 0)
        return err.code == ENOENT ? SQLITE_IOERR_DELETE_NOENT
                                  : failed(v, &err, SQLITE_IOERR_DELETE);
    if (sync_it && sync_folder(v, path, &err) < 0)
        return failed(v, &err, SQLITE_IOERR_DIR_FSYNC);
    return SQLITE_OK;
}

/* An empty file counts as absent: that is how SQLite takes a journal left empty. */
static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *ret_is)
{
    struct sqlite_vfs *v = vfs_of(base);
    struct file_info info;
    struct error err;

    *ret_is = 0;
    if (host_stat(v->host, path, &info, &err) < 0)
        return err.code == ENOENT ? SQLITE_OK : failed(v, &err, SQLITE_IOERR_ACCESS);
    *ret_is = flags != SQLITE_ACCESS_EXISTS || info.size > 0;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int size, char *out)
{
    struct sqlite_vfs *v = vfs_of(base);
    const char *folder = path[0] == '/' ? "" : host_working_directory(v->host);
    int n = snprintf(out, (size_t)size, "%s%s%s", folder, *folder ? "/" : "", path);

    return n < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* ---- the rest of the world ---- */

static int vfs_randomness(sqlite3_vfs *base, int size, char *out)
{
    host_random(vfs_of(base)->host, out, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *base, int microseconds)
{
    (void)base; /* nobody to wait for: one connection */
    return microseconds;
}

/* Milliseconds since noon of 24 November 4714 BC in Greenwich. */
static int vfs_time64(sqlite3_vfs *base, sqlite3_int64 *ret_time)
{
    *ret_time = 210866760000000 + host_wall(vfs_of(base)->host).ns / 1000000;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *base, double *ret_days)
{
    sqlite3_int64 time;

    vfs_time64(base, &time);
    *ret_days = (double)time / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int size, char *out)
{
    struct sqlite_vfs *v = vfs_of(base);

    if (out && size > 0)
        snprintf(out, (size_t)size, "%s", v->error.text);
    return v->error.code;
}

struct sqlite_vfs *sqlite_vfs_create(struct host *h, const char *name)
{
    struct sqlite_vfs *v = mem_alloc(sizeof *v);

    v->host = h;
    v->name = mem_strdup(name);
    v->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = PATH_LIMIT,
        .zName = v->name,
        .pAppData = v,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time64,
    };
    if (sqlite3_vfs_register(&v->base, 0) == SQLITE_OK)
        return v;
    v->hidden = true;
    sqlite_vfs_destroy(v);
    return NULL;
}

void sqlite_vfs_hide(struct sqlite_vfs *v)
{
    if (!v->hidden)
        sqlite3_vfs_unregister(&v->base);
    v->hidden = true;
}

void sqlite_vfs_destroy(struct sqlite_vfs *v)
{
    if (!v)
        return;
    sqlite_vfs_hide(v);
    mem_free(v->name);
    mem_free(v);
}

const struct error *sqlite_vfs_error(const struct sqlite_vfs *v)
{
    return &v->error;
}

void sqlite_vfs_clear_error(struct sqlite_vfs *v)
{
    v->error = (struct error){ 0 };
}
