/* fetcher_extract.c - the door to libarchive
 *
 * Entries (and the targets of hard links) that are absolute or have a ".." are
 * refused, and nothing is written through a symbolic link, so an archive
 * cannot leave the folder.  Owners are not restored.
 */
#include "agent/fetcher_extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "agent/fetcher_info.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"

enum { BLOCK_BYTES = 128 * 1024 };

/* The longer ending before the shorter one that it contains. */
static const struct ending { const char *text; bool single; } endings[] = {
    { ".tar.gz", false },  { ".tgz", false },     { ".tar.bz2", false }, { ".tbz2", false },
    { ".tar.xz", false },  { ".txz", false },     { ".tar", false },     { ".zip", false },
    { ".gz", true },
};

static const struct ending *find_ending(const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t n = strlen(endings[i].text);

        if (length > n && strcmp(path + length - n, endings[i].text) == 0)
            return &endings[i];
    }
    return NULL;
}

bool fetcher_extract_is_known(const char *path)
{
    return find_ending(path) != NULL;
}

static int fail(struct archive *a, struct error *err)
{
    const char *why = archive_error_string(a);

    return error_set(err, EIO, "cannot extract it: %s", why ? why : "no reason is known");
}

static int check_entry(struct archive_entry *e, struct error *err)
{
    const char *name = archive_entry_pathname(e), *link = archive_entry_hardlink(e);
    CLEANUP(mem_free_p) char *trimmed = mem_strdup(name ? name : "");

    for (size_t n = strlen(trimmed); n > 1 && trimmed[n - 1] == '/'; n--)
        trimmed[n - 1] = '\0';                       /* folders */
    if (strcmp(trimmed, ".") != 0 && !fetcher_info_is_below(trimmed))
        return error_set(err, EPERM, "cannot extract it: '%s' would leave the sandbox", trimmed);
    if (link && !fetcher_info_is_below(link))
        return error_set(err, EPERM, "cannot extract it: '%s' links out of the sandbox", trimmed);
    return 0;
}

static int copy_data(struct archive *from, struct archive *to, struct error *err)
{
    const void *data;
    size_t size;
    la_int64_t offset;
    int r;

    while ((r = archive_read_data_block(from, &data, &size, &offset)) == ARCHIVE_OK)
        if (archive_write_data_block(to, data, size, offset) < ARCHIVE_OK)
            return fail(to, err);
    return r == ARCHIVE_EOF ? 0 : fail(from, err);
}

/* single: the name of the only entry, or NULL. */
static int copy_entries(struct archive *from, struct archive *to, const char *single,
                        struct error *err)
{
    struct archive_entry *e;
    int r;

    while ((r = archive_read_next_header(from, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        if (single)
            archive_entry_set_pathname(e, single);
        if (check_entry(e, err) < 0)
            return -1;
        if (archive_write_header(to, e) < ARCHIVE_OK)
            return fail(to, err);
        if (copy_data(from, to, err) < 0)
            return -1;
        if (archive_write_finish_entry(to) < ARCHIVE_OK)
            return fail(to, err);
    }
    return r == ARCHIVE_EOF ? 0 : fail(from, err);
}

static void support(struct archive *a, bool single)
{
    archive_read_support_filter_gzip(a);
    if (single) {
        archive_read_support_format_raw(a);
        archive_read_support_format_empty(a);
        return;
    }
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip(a);
}

int fetcher_extract(const char *path, struct error *err)
{
    const struct ending *ending = find_ending(path);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    CLEANUP(mem_free_p) char *single = NULL;
    struct archive *from, *to;
    int r;

    if (!ending)
        return error_set(err, EINVAL, "cannot extract it: the ending of its name is not known");
    if (ending->single)
        single = mem_strndup(name, strlen(name) - strlen(ending->text));
    from = archive_read_new();
    to = archive_write_disk_new();
    support(from, ending->single);
    archive_write_disk_set_options(to, ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                       ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                       ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    r = archive_read_open_filename(from, path, BLOCK_BYTES) == ARCHIVE_OK
            ? copy_entries(from, to, single, err)
            : fail(from, err);
    if (archive_write_close(to) < ARCHIVE_OK && r == 0)
        r = fail(to, err);
    archive_read_free(from);
    archive_write_free(to);
    return r;
}
