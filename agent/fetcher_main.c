/* fetcher_main.c - mesos-lite-fetcher: URIs into a sandbox
 *
 * The agent starts it as the task's user; fetcher_info.h says what it is told.
 * Messages go to stderr, the sandbox' own; the first URI that fails ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fetcher_download.h"
#include "agent/fetcher_extract.h"
#include "agent/fetcher_info.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"

struct item {
    const char *uri, *output_file;           /* output_file: NULL or not */
    int executable, extract;
};

/* The folder of path, made where it is missing, without following a link out of
 * the current folder. */
static int open_parent(const char *path, const char **ret_name, struct error *err)
{
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        CLEANUP(mem_free_p) char *part = mem_strndup(path, (size_t)(slash - path));
        int next;

        if (!*part)
            continue;
        if (mkdirat(folder, part, 0755) < 0 && errno != EEXIST)
            next = -1;
        else
            next = openat(folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            error_errno(err, "cannot make the folder '%s'", part);
        close(folder);
        folder = next;
        if (folder < 0)
            return -1;
    }
    if (folder < 0)
        return error_errno(err, "cannot open the sandbox");
    *ret_name = path;
    return folder;
}

/* A new file: what had the name is replaced, never written through. */
static FILE *create(const char *path, struct error *err)
{
    const char *name = NULL;
    int folder = open_parent(path, &name, err), fd;
    FILE *f = NULL;

    if (folder < 0)
        return NULL;
    unlinkat(folder, name, 0);
    fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || !(f = fdopen(fd, "we")))
        error_errno(err, "cannot make '%s'", path);
    close(folder);
    return f;
}

static int copy(const char *uri, FILE *to, struct error *err)
{
    static const char scheme[] = "file://";
    const char *path =
        strncasecmp(uri, scheme, sizeof scheme - 1) == 0 ? uri + sizeof scheme - 1 : uri;
    FILE *from = fopen(path, "re");
    struct stat st;
    char block[64 * 1024];
    size_t n;
    int r = 0;

    if (!from)
        return error_errno(err, "cannot open it");
    if (fstat(fileno(from), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(from);
        return error_set(err, EISDIR, "it is a folder");
    }
    while (r == 0 && (n = fread(block, 1, sizeof block, from)) > 0)
        if (fwrite(block, 1, n, to) != n)
            r = error_errno(err, "cannot write the copy");
    if (r == 0 && ferror(from))
        r = error_errno(err, "cannot read it");
    fclose(from);
    return r;
}

static int get(const struct item *item, enum fetcher_info_kind kind, const char *path,
               struct error *err)
{
    FILE *to = create(path, err);
    int r;

    if (!to)
        return -1;
    r = kind == FETCHER_INFO_COPY ? copy(item->uri, to, err) : fetcher_download(item->uri, to, err);
    if (r == 0 && item->executable && fchmod(fileno(to), 0755) < 0)
        r = error_errno(err, "cannot make it executable");
    if (fclose(to) != 0 && r == 0)
        r = error_errno(err, "cannot write '%s'", path);
    return r;
}

static int fetch(const struct item *item, struct error *err)
{
    enum fetcher_info_kind kind;
    const char *path = item->output_file;

    if (fetcher_info_parse_uri(item->uri, &kind, err) < 0)
        return -1;
    if (path && !fetcher_info_is_below(path))
        return error_set(err, EINVAL, "its output_file '%s' would leave the sandbox", path);
    if (!path && fetcher_info_get_name(item->uri, &path, err) < 0)
        return -1;
    fprintf(stderr, "Fetching '%s' into '%s'\n", item->uri, path);
    if (get(item, kind, path, err) < 0)
        return -1;
    if (item->executable || !item->extract || !fetcher_extract_is_known(path))
        return 0;
    fprintf(stderr, "Extracting '%s'\n", path);
    return fetcher_extract(path, err);
}

/* The last line on stderr, and the one line of the reason file. */
static int report(const char *subject, const struct error *err)
{
    const char *path = getenv(FETCHER_INFO_REASON);
    int fd = path ? open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC) : -1;

    fprintf(stderr, "Failed to fetch '%s': %s\n", subject, err->text);
    if (fd >= 0) {
        dprintf(fd, "%s: %s\n", subject, err->text);
        close(fd);
    }
    return EXIT_FAILURE;
}

static int fetch_item(json_t *json)
{
    struct item item = { .extract = true };
    struct error err;
    json_error_t why;

    if (json_unpack_ex(json, &why, 0, "{s:{s:s, s?b, s?b, s?s}}", "uri", "value", &item.uri,
                       "executable", &item.executable, "extract", &item.extract, "output_file",
                       &item.output_file) < 0) {
        error_set(&err, EINVAL, "an item is not understood: %s", why.text);
        return report(FETCHER_INFO, &err);
    }
    return fetch(&item, &err) < 0 ? report(item.uri, &err) : EXIT_SUCCESS;
}

static int fetch_all(json_t *info)
{
    const char *sandbox;
    json_t *items = NULL, *item;
    json_error_t why;
    struct error err;
    size_t i;

    if (json_unpack_ex(info, &why, 0, "{s:s, s?o}", "sandbox_directory", &sandbox, "items",
                       &items) < 0) {
        error_set(&err, EINVAL, "it is not understood: %s", why.text);
        return report(FETCHER_INFO, &err);
    }
    if (chdir(sandbox) < 0) {
        error_errno(&err, "cannot enter the sandbox");
        return report(sandbox, &err);
    }
    json_array_foreach(items, i, item)
        if (fetch_item(item) != EXIT_SUCCESS)
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

int main(void)
{
    const char *text = getenv(FETCHER_INFO);
    json_error_t why;
    json_t *info;
    int status;

    if (!text) {
        fprintf(
            stderr,
            "usage: %s=JSON mesos-lite-fetcher\n"
            "Fetches a task's URIs into its sandbox, for the agent.\n",
            FETCHER_INFO);
        return EXIT_FAILURE;
    }
    umask(022);
    info = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!info) {
        struct error err;

        error_set(&err, EINVAL, "it is no JSON: %s", why.text);
        return report(FETCHER_INFO, &err);
    }
    status = fetch_all(info);
    json_decref(info);
    return status;
}
