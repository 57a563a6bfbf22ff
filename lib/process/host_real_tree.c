/* host_real_tree.c - removing what somebody else may still be writing
 *
 * A sandbox belongs to the task's user, who may put a link in the place of a
 * folder at any moment: so everything goes by descriptors of folders, never by
 * a path again, and no link is followed.  He may also nest folders deeper than
 * we have descriptors or stack: what lies too deep is moved up into the
 * topmost folder and found there in the next pass.  Another file system that is
 * mounted inside is left alone, and said.
 */
#include "process/host_real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { MAX_DEPTH = 32, MAX_PASSES = 65536 };

struct removal {
    const char *path;
    int top; /* descriptor of the topmost folder */
    dev_t device;
    unsigned moved; /* folders moved up, for their names */
};

static int remove_at(struct removal *r, int at, const char *name, int depth, struct error *err);

static int failed_at(const struct removal *r, const char *name, struct error *err)
{
    return error_errno(err, "Failed to remove '%s' below '%s'", name, r->path);
}

static int move_up(struct removal *r, int at, const char *name, struct error *err)
{
    char higher[32];

    do {
        snprintf(higher, sizeof higher, ".tmp-deep-%u", r->moved++);
        if (renameat(at, name, r->top, higher) == 0 || errno == ENOENT)
            return 0;
    } while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
    return failed_at(r, name, err);
}

static int remove_entries(struct removal *r, DIR *dir, int depth, struct error *err)
{
    struct dirent *entry;

    rewinddir(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (remove_at(r, dirfd(dir), entry->d_name, depth + 1, err) < 0)
            return -1;
    }
    return 0;
}

/* Again when somebody put something in meanwhile, we moved something up, or the
 * file system forgot to list what we had not seen yet. */
static int remove_folder(struct removal *r, DIR *dir, int at, const char *name, int depth,
                         struct error *err)
{
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        if (remove_entries(r, dir, depth, err) < 0)
            return -1;
        if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
    }
    return failed_at(r, name, err);
}

/* Takes fd. */
static int remove_opened(struct removal *r, int fd, int at, const char *name, int depth,
                         struct error *err)
{
    struct stat st = { 0 };
    DIR *dir;
    int status;

    fstat(fd, &st);
    if (depth == 0) {
        r->top = fd;
        r->device = st.st_dev;
    } else if (st.st_dev != r->device) {
        close(fd);
        return error_set(err, EXDEV,
                         "Failed to remove '%s' below '%s': another file system is mounted there",
                         name, r->path);
    }
    fchmod(fd, 0700); /* its owner may have made it read-only */
    dir = fdopendir(fd);
    if (!dir) {
        failed_at(r, name, err);
        close(fd);
        return -1;
    }
    status = remove_folder(r, dir, at, name, depth, err);
    closedir(dir);
    return status;
}

static int remove_at(struct removal *r, int at, const char *name, int depth, struct error *err)
{
    int fd;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return failed_at(r, name, err);
    if (depth > MAX_DEPTH)
        return move_up(r, at, name, err);
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : failed_at(r, name, err);
    return remove_opened(r, fd, at, name, depth, err);
}

int host_real_tree_remove(struct host *h, const char *path, struct error *err)
{
    struct removal r = { .path = path, .top = -1 };

    (void)h;
    return remove_at(&r, AT_FDCWD, path, 0, err);
}
