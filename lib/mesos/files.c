/* files.c - files over HTTP, for master and agent */
#include "mesos/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "mesos/inside.h"
#include "process/future.h"
#include "process/host.h"
#include "process/http.h"
#include "process/runtime.h"
#include "proto/mesos.pb-c.h"

enum { READ_MAX = 16 * 4096, DOWNLOAD_MAX = 256 * 1024 * 1024 };

/* Types in the mode that a FileInfo says, as stat has them. */
enum { MODE_FOLDER = 0040000, MODE_FILE = 0100000, MODE_LINK = 0120000 };

#define NEW(arena, Type, init, name)                                                               \
    Type *name = arena_alloc((arena), sizeof *name);                                               \
    init(name)

/* ---- finding ---- */

static char *find(const struct files *f, struct process *self, const char *path,
                  struct file_info *ret_info, struct error *err)
{
    const char *rest;
    CLEANUP(mem_free_p) char *root = f->find(self, path, &rest);
    char *found = root ? inside_find(runtime_host(self->runtime), root, rest, ret_info) : NULL;

    if (!found)
        error_set(err, ENOENT, "%s", "");
    return found;
}

void files_refuse(struct http_request *r, const struct error *err)
{
    int status = err->code == ENOENT ? 404 : err->code == EINVAL ? 400 : 500;

    if (*err->text)
        http_answer_error(r, status, "%s\n", err->text);
    else
        http_answer(r, status, "text/plain; charset=utf-8", "", 0);
}

/* What ?path= asks for; NULL: answered already. */
static const char *asked_path(struct http_request *r)
{
    const char *path = http_request_query(r, "path");

    if (path && *path)
        return path;
    http_answer_error(r, 400, "Expecting 'path=value' in query.\n");
    return NULL;
}

/* ---- a folder ---- */

static char *owner_name(struct arena *arena, uint32_t id, uint32_t own, const char *own_name)
{
    if (id == 0)
        return arena_strdup(arena, "root");
    return id == own ? arena_strdup(arena, own_name) : arena_printf(arena, "%u", id);
}

static Pb__FileInfo *make_info(struct host *h, const char *path, const struct file_info *info,
                               struct arena *arena)
{
    struct host_facts facts;
    NEW(arena, Pb__FileInfo, pb__file_info__init, file);
    NEW(arena, Pb__TimeInfo, pb__time_info__init, modified);

    host_facts(h, &facts);
    modified->nanoseconds = info->modified.ns / 1000000000 * 1000000000;
    file->path = path;
    file->has_nlink = file->has_size = file->has_mode = true;
    file->nlink = (int32_t)info->links;
    file->size = info->size;
    file->mtime = modified;
    file->mode = info->mode | (info->is_directory ? MODE_FOLDER
                               : info->is_link    ? MODE_LINK
                                                  : MODE_FILE);
    file->uid = owner_name(arena, info->uid, facts.uid, facts.user);
    file->gid = owner_name(arena, info->gid, facts.gid, facts.user);
    return file;
}

/* As it was asked for, without slashes at the end. */
static const char *shown_path(const char *path, struct arena *arena)
{
    size_t n = strlen(path);

    while (n > 0 && path[n - 1] == '/')
        n--;
    return arena_strndup(arena, path, n);
}

int files_list(const struct files *f, struct process *self, const char *path, struct arena *arena,
               Pb__FileInfo ***ret_list, size_t *ret_n, struct error *err)
{
    struct host *h = runtime_host(self->runtime);
    struct file_info info;
    CLEANUP(mem_free_p) char *folder = find(f, self, path, &info, err);
    const char *shown = shown_path(path, arena);
    size_t n, listed = 0;
    char **names;

    if (!folder)
        return -1;
    if (!info.is_directory || host_list(h, folder, &names, &n, err) < 0)
        return error_set(err, ENOENT, "%s", "");
    *ret_list = arena_alloc(arena, n * sizeof **ret_list);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(mem_free_p) char *file = mem_printf("%s/%s", folder, names[i]);

        if (host_stat(h, file, &info, err) == 0) /* else it has gone meanwhile */
            (*ret_list)[listed++] =
                make_info(h, arena_printf(arena, "%s/%s", shown, names[i]), &info, arena);
    }
    host_free_names(names, n);
    *ret_n = listed;
    return 0;
}

static void put_mode(struct json_writer *w, uint32_t bits)
{
    static const char letters[] = "rwxrwxrwx";
    char mode[11];

    mode[0] = "-dl"[(bits & MODE_LINK) == MODE_LINK ? 2 : bits & MODE_FOLDER ? 1 : 0];
    for (int i = 0; i < 9; i++)
        mode[i + 1] = bits & (0400u >> i) ? letters[i] : '-';
    mode[10] = '\0';
    json_put_string(w, "mode", mode);
}

static void put_file(struct json_writer *w, const Pb__FileInfo *file)
{
    json_begin_object(w);
    json_put_string(w, "path", file->path);
    json_put_integer(w, "nlink", file->nlink);
    json_put_integer(w, "size", (int64_t)file->size);
    json_put_double(w, "mtime", (double)(file->mtime->nanoseconds / 1000000000));
    put_mode(w, file->mode);
    json_put_string(w, "uid", file->uid);
    json_put_string(w, "gid", file->gid);
    json_end_object(w);
}

void files_browse(const struct files *f, struct process *self, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct buffer body = BUFFER_INIT;
    const char *path = asked_path(r);
    struct json_writer w;
    Pb__FileInfo **list;
    struct error err;
    size_t n;

    if (!path)
        return;
    if (files_list(f, self, path, &arena, &list, &n, &err) < 0) {
        files_refuse(r, &err);
        return;
    }
    json_writer_init(&w, &body);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        put_file(&w, list[i]);
    json_end_array(&w);
    http_answer_json(r, &body);
}

/* ---- a piece ---- */

static int read_at(struct host *h, const char *path, uint64_t offset, struct files_piece *piece,
                   struct error *err)
{
    struct file *file;
    ssize_t n;

    if (host_open(h, path, FILE_READ, 0, &file, err) < 0)
        return -1;
    n = file_read(file, offset, piece->data, piece->n, err);
    file_close(file);
    if (n < 0)
        return -1;
    piece->n = (size_t)n;
    return 0;
}

int files_get(const struct files *f, struct process *self, const char *path, uint64_t offset,
              uint64_t length, struct arena *arena, struct files_piece *ret_piece,
              struct error *err)
{
    struct file_info info;
    CLEANUP(mem_free_p) char *real = find(f, self, path, &info, err);
    struct files_piece piece;
    uint64_t left;

    if (!real)
        return -1;
    if (info.is_directory)
        return error_set(err, EINVAL, "Cannot read a directory.");
    left = offset < info.size ? info.size - offset : 0;
    piece.size = info.size;
    piece.n = length < left ? length : left;
    if (piece.n > READ_MAX)
        piece.n = READ_MAX;
    piece.data = arena_alloc(arena, piece.n + 1);
    if (piece.n > 0 && read_at(runtime_host(self->runtime), real, offset, &piece, err) < 0)
        return error_set(err, EIO, "%s", err->text);
    *ret_piece = piece;
    return 0;
}

/* -1 when absent; false: answered already. */
static bool query_number(struct http_request *r, const char *key, int64_t *ret_number)
{
    const char *text = http_request_query(r, key);
    char *end;

    *ret_number = -1;
    if (!text)
        return true;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    if (!errno && end != text && !*end && *ret_number >= -1)
        return true;
    http_answer_error(r, 400, "Failed to parse %s: '%.40s' is not a number.\n", key, text);
    return false;
}

static void answer_piece(struct http_request *r, int64_t offset, const struct files_piece *piece)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_put_integer(&w, "offset", offset);
    json_key(&w, "data");
    json_write_string_n(&w, piece->data, piece->n);
    json_end_object(&w);
    http_answer_json(r, &body);
}

void files_read(const struct files *f, struct process *self, struct http_request *r)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const char *path = asked_path(r);
    struct files_piece piece;
    int64_t offset, length;
    struct error err;

    if (!path || !query_number(r, "offset", &offset) || !query_number(r, "length", &length))
        return;
    if (files_get(f, self, path, (uint64_t)offset, (uint64_t)length, &arena, &piece, &err) < 0)
        files_refuse(r, &err);
    else
        answer_piece(r, offset < 0 ? (int64_t)piece.size : offset, &piece);
}

/* ---- a whole file: off the actors' threads, it may be long ---- */

struct download {
    struct http_request *request;
    struct host *host;
    char *path, *data;
    size_t size;
    struct error why;
    int failed;
};

static void download_work(void *args)
{
    struct download *d = args;

    d->failed = host_read_file(d->host, d->path, DOWNLOAD_MAX, &d->data, &d->size, &d->why);
}

/* In the executor's context, so that it comes after the work also when our process ends first. */
static void downloaded(struct process *executor UNUSED, struct future *f, void *op)
{
    struct download *d = op;
    CLEANUP(mem_free_p) char *name = NULL;

    if (future_state(f) != FUTURE_READY || d->failed) {
        http_answer_error(d->request, 500, "%s\n", d->failed ? d->why.text : "the process ends");
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

void files_download(const struct files *f, struct process *self, struct http_request *r)
{
    const char *path = asked_path(r);
    struct file_info info;
    struct download *d;
    struct error err;
    char *real;

    if (!path)
        return;
    real = find(f, self, path, &info, &err);
    if (!real || info.is_directory) {
        http_answer_error(r, real ? 400 : 404, real ? "Cannot download a directory.\n" : NULL);
        mem_free(real);
        return;
    }
    d = mem_alloc(sizeof *d);
    d->request = http_request_ref(r);
    d->host = runtime_host(self->runtime);
    d->path = real;
    future_finally(process_async(self->runtime, download_work, d),
                   runtime_executor(self->runtime), downloaded, d);
}

/* ---- what there is ---- */

void files_debug(const struct files *f, struct process *self, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &body);
    json_begin_object(&w);
    f->each(self, &w);
    json_end_object(&w);
    http_answer_json(r, &body);
}
