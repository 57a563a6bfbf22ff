/* files.h - files over HTTP: /files/browse, read, download and debug, LIST_FILES and READ_FILE
 *
 * Master and agent show parts of their disks under virtual paths; a struct files says which.
 * Errors are ENOENT (404, also for what leaves its root), EINVAL (400), anything else 500.
 * A read without an offset tells the file's size only; it gives at most 64 KiB at a time.
 */
#ifndef FILES_H
#define FILES_H

#include <stdint.h>

#include "process/process.h"

struct arena;
struct error;
struct json_writer;
typedef struct Pb__FileInfo Pb__FileInfo;

struct files {
    /* The real root that this path is in, the caller's, and what of it is behind the root, in
     * `path`; NULL: there is none. */
    char *(*find)(struct process *self, const char *path, const char **ret_rest);
    /* Keys and texts for /files/debug: virtual path, real path. */
    void (*each)(struct process *self, struct json_writer *w);
};

/* FILES_ROUTES(files_routes, &agent_files, AGENT_REALM_READONLY);  is a table for process_route. */
#define FILES_ROUTES(table, files, realm)                                                          \
    FILES_THUNK_(files_browse, files)                                                              \
    FILES_THUNK_(files_read, files)                                                                \
    FILES_THUNK_(files_download, files)                                                            \
    FILES_THUNK_(files_debug, files)                                                               \
    static const struct process_route table[] = {                                                  \
        { "/files/browse", files_browse__serve,                                                    \
          "A folder's files.\n?path= names a folder, or what is above files.", realm },            \
        { "/files/read", files_read__serve,                                                        \
          "A piece of a file.\n?path=&offset=&length=; at most 64 KiB; without an offset only "    \
          "the file's size.", realm },                                                             \
        { "/files/download", files_download__serve, "A whole file.\n?path= names a file.",         \
          realm },                                                                                 \
        { "/files/debug", files_debug__serve,                                                      \
          "Which paths are served.\nJSON: {virtual path: real path}.", realm },                    \
        { NULL, NULL, NULL, NULL },                                                                \
    }
#define FILES_THUNK_(fn, files)                                                                    \
    static void fn##__serve(struct process *self, struct http_request *r)                          \
    {                                                                                              \
        fn(files, self, r);                                                                        \
    }

void files_browse(const struct files *f, struct process *self, struct http_request *r);
void files_read(const struct files *f, struct process *self, struct http_request *r);
void files_download(const struct files *f, struct process *self, struct http_request *r);
void files_debug(const struct files *f, struct process *self, struct http_request *r);

/* In the arena. */
int files_list(const struct files *f, struct process *self, const char *path, struct arena *arena,
               Pb__FileInfo ***ret_list, size_t *ret_n, struct error *err);
struct files_piece {
    uint64_t size; /* of the file */
    size_t n;
    char *data;
};
/* length UINT64_MAX: as much as there may be. */
int files_get(const struct files *f, struct process *self, const char *path, uint64_t offset,
              uint64_t length, struct arena *arena, struct files_piece *ret_piece,
              struct error *err);
void files_refuse(struct http_request *r, const struct error *err);

#endif
