/* agent_files.c - sandboxes over HTTP: /files/browse, /files/read, /files/download
 *
 * Paths are the sandboxes' own, or /frameworks/F/executors/E/runs/R[/...], R
 * being a container id or "latest" (FACTS 5.1).  What is asked for is walked
 * link by link before it is opened: a path that leaves the sandbox it names,
 * by ".." or by a link that a task has made, is not found.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"

enum { READ_MAX = 16 * 4096, LINKS_MAX = 40 };

enum { DOWNLOAD_MAX = 256 * 1024 * 1024 };

#define ENDPOINTS(AT)                                                                              \
    AT("/files/browse", serve_browse,                                                              \
       "A folder's files\n\n?path= names a folder in a sandbox.")                                  \
    AT("/files/read", serve_read,                                                                  \
       "A piece of a file\n\n?path=&offset=&length=; at most 64 KiB; without an offset only the "  \
       "file's size.")                                                                             \
    AT("/files/download", serve_download,                                                          \
       "A whole file\n\n?path= names a file in a sandbox.")                                        \
    AT("/files/debug", serve_debug,                                                                \
       "Which paths are served\n\nJSON: {virtual path: folder}.")
ROUTES(agent, files_routes, ENDPOINTS);

struct download {
    struct http_request *request;
    struct host *host;
    char *path, *data;
    size_t size;
    struct error why;
    int failed;
};
LAST(agent, downloaded, download);

void agent_files_init(struct agent *a)
{
    process_route(&a->process, files_routes);
}

/* ---- from what is asked for to a file ---- */

static bool is_plain_name(const char *name, size_t length)
{
    return length > 0 && !(length <= 2 && name[0] == '.' && name[length - 1] == '.') &&
           !memchr(name, '/', length);
}

/* The next component of *path, which moves behind it; its length, 0 at the end. */
static size_t next_component(const char **path, const char **ret_name)
{
    while (**path == '/')
        ++*path;
    *ret_name = *path;
    *path += strcspn(*path, "/");
    return (size_t)(*path - *ret_name);
}

/* <folder>/latest → the name it stands for, the caller's; NULL if none. */
static char *latest_run(struct host *h, const char *runs)
{
    CLEANUP(mem_free_p) char *link = mem_printf("%s/latest", runs);
    char *target;
    struct error err;

    if (host_readlink(h, link, &target, &err) < 0)
        return NULL;
    if (is_plain_name(target, strlen(target)))
        return target;
    mem_free(target);
    return NULL;
}

/* frameworks/F/executors/E/runs/R below base: the run's folder, the caller's,
 * and the rest of the path; NULL when it is not of that form. */
static char *find_run_folder(struct host *h, const char *base, const char *path,
                             const char **ret_rest)
{
    static const char *const form[] = { "frameworks", NULL, "executors", NULL, "runs", NULL };
    CLEANUP(buffer_release) struct buffer folder = BUFFER_INIT;

    buffer_append_text(&folder, base);
    for (size_t i = 0; i < ARRAY_SIZE(form); i++) {
        const char *name;
        size_t length = next_component(&path, &name);
        char *latest;

        if (!is_plain_name(name, length) ||
            (form[i] && (strlen(form[i]) != length || strncmp(form[i], name, length) != 0)))
            return NULL;
        if (i + 1 == ARRAY_SIZE(form) && length == 6 && strncmp(name, "latest", 6) == 0) {
            latest = latest_run(h, buffer_data(&folder));
            if (!latest)
                return NULL;
            buffer_printf(&folder, "/%s", latest);
            mem_free(latest);
        } else {
            buffer_append_char(&folder, '/');
            buffer_append(&folder, name, length);
        }
    }
    *ret_rest = path;
    return buffer_take(&folder, NULL);
}

/* The run's folder and the rest, by either kind of path. */
static char *split_path(struct agent *a, const char *path, const char **ret_rest)
{
    struct host *h = runtime_host(a->runtime);
    CLEANUP(mem_free_p) char *own = agent_folder(a);
    CLEANUP(mem_free_p) char *slaves = mem_printf("%s/slaves/", a->options.work_dir);
    CLEANUP(mem_free_p) char *base = NULL;
    const char *name;
    size_t length;

    if (strncmp(path, "/frameworks/", 12) == 0)
        return find_run_folder(h, own, path, ret_rest);
    if (strncmp(path, slaves, strlen(slaves)) != 0)
        return NULL;
    path += strlen(slaves);
    length = next_component(&path, &name);
    if (!is_plain_name(name, length))
        return NULL;
    base = mem_printf("%s%.*s", slaves, (int)length, name);
    return find_run_folder(h, base, path, ret_rest);
}

/* What a link says, followed by what came behind it; NULL when it leads out of
 * root.  *ret_absolute: from root on. */
static char *follow_link(const char *root, const char *target, const char *rest,
                         bool *ret_absolute)
{
    size_t length = strlen(root);

    *ret_absolute = target[0] == '/';
    if (!*ret_absolute)
        return mem_printf("%s/%s", target, rest);
    if (strncmp(target, root, length) != 0 || (target[length] && target[length] != '/'))
        return NULL;
    return mem_printf("%s/%s", target + length, rest);
}

static void drop_last(struct buffer *path)
{
    size_t length = buffer_length(path);

    while (buffer_data(path)[--length] != '/')
        ;
    buffer_truncate(path, length);
}

/* Walks from root; the real path, the caller's, or NULL. */
static char *walk(struct host *h, const char *root, const char *rest, struct file_info *ret_info)
{
    CLEANUP(buffer_release) struct buffer at = BUFFER_INIT;
    CLEANUP(mem_free_p) char *todo = mem_strdup(rest);
    const char *p = todo, *name;
    struct file_info info;
    struct error err;
    int links = 0;
    size_t length;

    buffer_append_text(&at, root);
    if (host_stat(h, root, &info, &err) < 0 || !info.is_directory)
        return NULL;
    while ((length = next_component(&p, &name)) > 0) {
        if (length == 1 && name[0] == '.')
            continue;
        if (length == 2 && name[0] == '.' && name[1] == '.') {
            if (buffer_length(&at) == strlen(root))
                return NULL;
            drop_last(&at);
            continue;
        }
        buffer_append_char(&at, '/');
        buffer_append(&at, name, length);
        if (host_stat(h, buffer_data(&at), &info, &err) < 0)
            return NULL;
        if (info.is_link) {
            CLEANUP(mem_free_p) char *target = NULL;
            bool absolute;
            char *next;

            if (++links > LINKS_MAX || host_readlink(h, buffer_data(&at), &target, &err) < 0)
                return NULL;
            next = follow_link(root, target, p, &absolute);
            if (!next)
                return NULL;
            drop_last(&at);
            if (absolute)
                buffer_truncate(&at, strlen(root));
            mem_free(todo);
            p = todo = next;
        }
    }
    if (host_stat(h, buffer_data(&at), ret_info, &err) < 0)
        return NULL;
    return buffer_take(&at, NULL);
}

static void not_found(struct http_request *request)
{
    http_answer(request, 404, "text/plain; charset=utf-8", "", 0);
}

/* The file that ?path= asks for; NULL: answered already. */
static char *find_file(struct agent *a, struct http_request *request, struct file_info *ret_info)
{
    const char *path = http_request_query(request, "path"), *rest;
    CLEANUP(mem_free_p) char *root = NULL;
    char *found;

    if (!path || !*path) {
        http_answer_error(request, 400, "Expecting 'path=value' in query.\n");
        return NULL;
    }
    root = split_path(a, path, &rest);
    found = root ? walk(runtime_host(a->runtime), root, rest, ret_info) : NULL;
    if (!found)
        not_found(request);
    return found;
}

/* ---- browse ---- */

static void put_mode(struct json_writer *w, const struct file_info *info)
{
    static const char letters[] = "rwxrwxrwx";
    char mode[11];

    mode[0] = info->is_directory ? 'd' : info->is_link ? 'l' : '-';
    for (int i = 0; i < 9; i++)
        mode[i + 1] = info->mode & (0400u >> i) ? letters[i] : '-';
    mode[10] = '\0';
    json_put_string(w, "mode", mode);
}

static void put_owner(struct json_writer *w, const char *key, uint32_t id, uint32_t own,
                      const char *own_name)
{
    char text[16];

    snprintf(text, sizeof text, "%u", id);
    json_put_string(w, key, id == 0 ? "root" : id == own ? own_name : text);
}

static void put_file(struct json_writer *w, struct host *h, const char *path, const char *shown,
                     const char *name)
{
    CLEANUP(mem_free_p) char *file = mem_printf("%s/%s", path, name);
    CLEANUP(mem_free_p) char *virtual = mem_printf("%s/%s", shown, name);
    struct host_facts facts;
    struct file_info info;
    struct error err;

    if (host_stat(h, file, &info, &err) < 0)
        return;                              /* gone meanwhile */
    host_facts(h, &facts);
    json_begin_object(w);
    json_put_string(w, "path", virtual);
    json_put_integer(w, "nlink", info.links);
    json_put_integer(w, "size", (int64_t)info.size);
    json_put_double(w, "mtime", (double)(info.modified.ns / 1000000000));
    put_mode(w, &info);
    put_owner(w, "uid", info.uid, facts.uid, facts.user);
    put_owner(w, "gid", info.gid, facts.gid, facts.user);
    json_end_object(w);
}

static void serve_browse(struct agent *a, struct http_request *request)
{
    struct host *h = runtime_host(a->runtime);
    struct file_info info;
    CLEANUP(mem_free_p) char *path = find_file(a, request, &info);
    CLEANUP(mem_free_p) char *shown = NULL;
    struct buffer body = BUFFER_INIT;
    struct json_writer w;
    struct error err;
    char **names;
    size_t n, length;

    if (!path)
        return;
    if (!info.is_directory || host_list(h, path, &names, &n, &err) < 0) {
        not_found(request);
        return;
    }
    shown = mem_strdup(http_request_query(request, "path"));
    for (length = strlen(shown); length > 0 && shown[length - 1] == '/';)
        shown[--length] = '\0';
    json_writer_init(&w, &body);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        put_file(&w, h, path, shown, names[i]);
    json_end_array(&w);
    host_free_names(names, n);
    http_answer_json(request, &body);
}

/* ---- read ---- */

/* -1 when absent; false: answered already. */
static bool query_number(struct http_request *request, const char *key, int64_t *ret_number)
{
    const char *text = http_request_query(request, key);
    char *end;

    *ret_number = -1;
    if (!text)
        return true;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    if (!errno && end != text && !*end && *ret_number >= -1)
        return true;
    http_answer_error(request, 400, "Failed to parse %s: '%.40s' is not a number.\n", key, text);
    return false;
}

static void answer_piece(struct http_request *request, int64_t offset, const char *data,
                         size_t size)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_put_integer(&w, "offset", offset);
    json_key(&w, "data");
    json_write_string_n(&w, data, size);
    json_end_object(&w);
    http_answer_json(request, &body);
}

static void serve_read(struct agent *a, struct http_request *request)
{
    struct file_info info;
    CLEANUP(mem_free_p) char *path = find_file(a, request, &info);
    CLEANUP(mem_free_p) char *data = NULL;
    int64_t offset, length;
    struct file *file;
    struct error err;
    ssize_t n;

    if (!path)
        return;
    if (info.is_directory) {
        http_answer_error(request, 400, "Cannot read a directory.\n");
        return;
    }
    if (!query_number(request, "offset", &offset) || !query_number(request, "length", &length))
        return;
    if (offset < 0) {
        answer_piece(request, (int64_t)info.size, "", 0);
        return;
    }
    if (length < 0 || length > READ_MAX)
        length = READ_MAX;
    if (host_open(runtime_host(a->runtime), path, FILE_READ, 0, &file, &err) < 0) {
        http_answer_error(request, 500, "%s\n", err.text);
        return;
    }
    data = mem_alloc((size_t)length + 1);
    n = length ? file_read(file, (uint64_t)offset, data, (size_t)length, &err) : 0;
    file_close(file);
    if (n < 0)
        http_answer_error(request, 500, "%s\n", err.text);
    else
        answer_piece(request, offset, data, (size_t)n);
}

/* ---- download: off the actors' threads, it may be long ---- */

static void download_work(void *args)
{
    struct download *d = args;

    d->failed = host_read_file(d->host, d->path, DOWNLOAD_MAX, &d->data, &d->size, &d->why);
}

static void downloaded(struct agent *a UNUSED, struct future *f, struct download *d)
{
    CLEANUP(mem_free_p) char *name = NULL;

    if (future_state(f) != FUTURE_READY || d->failed) {
        http_answer_error(d->request, 500, "%s\n", d->failed ? d->why.text : "the agent ends");
    } else {
        name = mem_printf("attachment; filename=%s", strrchr(d->path, '/') + 1);
        http_answer_header(d->request, "Content-Disposition", name);
        http_answer(d->request, 200, "application/octet-stream", d->data, d->size);
        mem_free(d->data);
    }
    http_request_unref(d->request);
    mem_free(d->path);
    mem_free(d);
}

static void serve_download(struct agent *a, struct http_request *request)
{
    struct file_info info;
    char *path = find_file(a, request, &info);
    struct download *d;

    if (!path)
        return;
    if (info.is_directory) {
        http_answer_error(request, 400, "Cannot download a directory.\n");
        mem_free(path);
        return;
    }
    d = mem_alloc(sizeof *d);
    d->request = http_request_ref(request);
    d->host = runtime_host(a->runtime);
    d->path = path;
    FINALLY(process_async(a->runtime, download_work, d), downloaded, a, d);
}

/* ---- debug ---- */

static void put_run(struct json_writer *w, const struct hosted_framework *f,
                    const struct hosted_executor *e)
{
    CLEANUP(mem_free_p) char *path =
        mem_printf("/frameworks/%s/executors/%s/runs/%s", f->id.text->bytes, e->id.text->bytes,
                   e->container.text->bytes);

    json_put_string(w, path, e->sandbox);
}

static void put_runs(struct json_writer *w, const struct hosted_framework *f)
{
    for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
        put_run(w, f, e);
    list_each(e, &f->completed_executors, struct hosted_executor, link)
        put_run(w, f, e);
}

static void serve_debug(struct agent *a, struct http_request *request)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        put_runs(&w, f);
    list_each(f, &a->completed_frameworks, struct hosted_framework, link)
        put_runs(&w, f);
    json_end_object(&w);
    http_answer_json(request, &body);
}
