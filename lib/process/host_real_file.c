/* host_real_file.c - files of the real host
 *
 * Locks are those of an open file description (F_OFD_SETLK): unlike the
 * classic ones they are not lost when another descriptor of the same file is
 * closed.
 */
#include "process/host_real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

struct real_file {
    struct file file;
    int fd;
    char *path; /* for sentences */
};

/* ---- open files ---- */

static int write_failed(const char *path, struct error *err)
{
    if (errno == ENOSPC)
        return error_set(err, ENOSPC, "Failed to write '%s': the file system is full", path);
    if (errno == EDQUOT)
        return error_set(err, EDQUOT, "Failed to write '%s': the disk quota is used up", path);
    return error_errno(err, "Failed to write '%s'", path);
}

static ssize_t real_read(struct file *file, uint64_t offset, void *out, size_t size,
                         struct error *err)
{
    struct real_file *f = (struct real_file *)file;
    ssize_t n;

    do
        n = pread(f->fd, out, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? error_errno(err, "Failed to read '%s'", f->path) : n;
}

static int real_write(struct file *file, uint64_t offset, const void *data, size_t size,
                      struct error *err)
{
    struct real_file *f = (struct real_file *)file;
    const char *p = data;

    while (size > 0) {
        ssize_t n = pwrite(f->fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_failed(f->path, err);
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static int real_sync(struct file *file, struct error *err)
{
    struct real_file *f = (struct real_file *)file;

    if (fsync(f->fd) < 0)
        return error_errno(err, "Failed to sync '%s'", f->path);
    return 0;
}

static int real_truncate(struct file *file, uint64_t size, struct error *err)
{
    struct real_file *f = (struct real_file *)file;
    int status;

    do
        status = ftruncate(f->fd, (off_t)size);
    while (status < 0 && errno == EINTR);
    return status < 0 ? write_failed(f->path, err) : 0;
}

static int real_size(struct file *file, uint64_t *ret_size, struct error *err)
{
    struct real_file *f = (struct real_file *)file;
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return error_errno(err, "Failed to look at '%s'", f->path);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int real_lock(struct file *file, struct error *err)
{
    struct real_file *f = (struct real_file *)file;
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(f->fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return error_set(err, EAGAIN, "'%s' is locked by another OS process", f->path);
    return error_errno(err, "Failed to lock '%s'", f->path);
}

static void real_close(struct file *file)
{
    struct real_file *f = (struct real_file *)file;

    close(f->fd);
    mem_free(f->path);
    mem_free(f);
}

static const struct file_ops real_file_ops = {
    .read = real_read,
    .write = real_write,
    .sync = real_sync,
    .truncate = real_truncate,
    .size = real_size,
    .lock = real_lock,
    .close = real_close,
};

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Non-blocking, so that a pipe somebody left among the files holds nobody up. */
int host_real_file_open(struct host *h, const char *path, unsigned modes, unsigned permissions,
                        struct file **ret_file, struct error *err)
{
    int flags = O_NONBLOCK;
    struct real_file *f;
    int fd;

    (void)h;
    if (modes & FILE_WRITE)
        flags |= modes & FILE_READ ? O_RDWR : O_WRONLY;
    flags |= modes & FILE_CREATE ? O_CREAT : 0;
    flags |= modes & FILE_EXCLUSIVE ? O_EXCL : 0;
    flags |= modes & FILE_TRUNCATE ? O_TRUNC : 0;
    fd = open_retrying(path, flags, permissions);
    if (fd < 0)
        return error_errno(err, "Failed to open '%s'", path);
    f = mem_alloc(sizeof *f);
    *f = (struct real_file){ { &real_file_ops }, fd, mem_strdup(path) };
    *ret_file = &f->file;
    return 0;
}

int host_real_file_is_locked(struct host *h, const char *path, struct error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open_retrying(path, O_RDONLY | O_NONBLOCK, 0);
    int status;

    (void)h;
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, "Failed to open '%s'", path);
    status = fcntl(fd, F_OFD_GETLK, &lock);
    if (status < 0)
        error_errno(err, "Failed to look at the lock of '%s'", path);
    close(fd);
    if (status < 0)
        return -1;
    return lock.l_type != F_UNLCK;
}

int host_real_file_read_small(const char *path, char *out, size_t size, struct error *err)
{
    int fd = open_retrying(path, O_RDONLY, 0);
    size_t used = 0;
    ssize_t n = 1;

    if (fd < 0)
        return error_errno(err, "Failed to open '%s'", path);
    while (used < size - 1 && n != 0) {
        n = read(fd, out + used, size - 1 - used);
        if (n < 0 && errno != EINTR)
            break;
        used += n > 0 ? (size_t)n : 0;
    }
    out[used] = '\0';
    if (n < 0)
        error_errno(err, "Failed to read '%s'", path);
    close(fd);
    return n < 0 ? -1 : 0;
}

/* ---- names ---- */

int host_real_file_stat(struct host *h, const char *path, struct file_info *ret_info,
                        struct error *err)
{
    struct stat st;

    (void)h;
    if (lstat(path, &st) < 0)
        return error_errno(err, "Failed to look at '%s'", path);
    *ret_info = (struct file_info){
        .is_directory = S_ISDIR(st.st_mode),
        .is_link = S_ISLNK(st.st_mode),
        .mode = st.st_mode,
        .links = (uint32_t)st.st_nlink,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .size = (uint64_t)st.st_size,
        .modified = { (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec },
    };
    return 0;
}

int host_real_file_mkdir(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    (void)h;
    return mkdir(path, permissions) < 0 ? error_errno(err, "Failed to make the folder '%s'", path)
                                        : 0;
}

int host_real_file_rename(struct host *h, const char *from, const char *to, struct error *err)
{
    (void)h;
    return rename(from, to) < 0 ? error_errno(err, "Failed to rename '%s' to '%s'", from, to) : 0;
}

int host_real_file_symlink(struct host *h, const char *target, const char *path, struct error *err)
{
    (void)h;
    return symlink(target, path) < 0 ? error_errno(err, "Failed to make the link '%s'", path) : 0;
}

int host_real_file_readlink(struct host *h, const char *path, char **ret_target, struct error *err)
{
    char target[4096];
    ssize_t n = readlink(path, target, sizeof target);

    (void)h;
    if (n < 0)
        return error_errno(err, "Failed to read the link '%s'", path);
    *ret_target = mem_strndup(target, (size_t)n);
    return 0;
}

int host_real_file_unlink(struct host *h, const char *path, struct error *err)
{
    (void)h;
    return remove(path) < 0 ? error_errno(err, "Failed to remove '%s'", path) : 0;
}

int host_real_file_sync_directory(struct host *h, const char *path, struct error *err)
{
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY, 0);
    int status;

    (void)h;
    if (fd < 0)
        return error_errno(err, "Failed to open the folder '%s'", path);
    status = fsync(fd);
    if (status < 0)
        error_errno(err, "Failed to sync the folder '%s'", path);
    close(fd);
    return status;
}

int host_real_file_chown(struct host *h, const char *path, uint32_t uid, uint32_t gid,
                         struct error *err)
{
    (void)h;
    return lchown(path, uid, gid) < 0 ? error_errno(err, "Failed to change the owner of '%s'", path)
                                      : 0;
}

int host_real_file_chmod(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    (void)h;
    return chmod(path, permissions) < 0
               ? error_errno(err, "Failed to change the mode of '%s'", path)
               : 0;
}

/* ---- folders ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of an open folder into a growing array; the errno of a failure, or 0. */
static int read_names(DIR *dir, char ***ret_names, size_t *ret_n)
{
    size_t n = 0, room = 16;
    char **names = mem_array(room, sizeof *names);

    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (n == room)
            names = mem_realloc(names, (room *= 2) * sizeof *names);
        names[n++] = mem_strdup(entry->d_name);
    }
    *ret_names = names;
    *ret_n = n;
    return errno;
}

int host_real_file_list(struct host *h, const char *path, char ***ret_names, size_t *ret_n,
                        struct error *err)
{
    DIR *dir = opendir(path);
    char **names;
    size_t n;
    int code;

    (void)h;
    if (!dir)
        return error_errno(err, "Failed to list '%s'", path);
    code = read_names(dir, &names, &n);
    closedir(dir);
    if (code) {
        host_free_names(names, n);
        errno = code;
        return error_errno(err, "Failed to list '%s'", path);
    }
    qsort(names, n, sizeof *names, compare_names);
    *ret_names = names;
    *ret_n = n;
    return 0;
}

int host_real_file_disk(struct host *h, const char *path, uint64_t *ret_size, uint64_t *ret_free,
                        struct error *err)
{
    struct statvfs st;

    (void)h;
    if (statvfs(path, &st) < 0)
        return error_errno(err, "Failed to look at the disk of '%s'", path);
    *ret_size = (uint64_t)st.f_blocks * st.f_frsize;
    *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}
