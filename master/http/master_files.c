/* master_files.c - which of the master's files are shown: its log
 *
 * /master/log is the file of --external_log_file.  lib/mesos/files.h serves it.
 */
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "master/http/master_operator.h"
#include "master/http/master_state.h"
#include "master/master_private.h"
#include "mesos/files.h"

#define LOG "/master/log"

static const char *log_file(struct process *self)
{
    return container_of(self, struct master, process)->options.external_log_file;
}

static char *find_root(struct process *self, const char *path, const char **ret_rest)
{
    if (!log_file(self) || strcmp(path, LOG) != 0)
        return NULL;
    *ret_rest = "";
    return mem_strdup(log_file(self));
}

static void put_all(struct process *self, struct json_writer *w)
{
    if (log_file(self))
        json_put_string(w, LOG, log_file(self));
}

const struct files master_files = { find_root, put_all };
FILES_ROUTES(files_routes, &master_files, MASTER_REALM_READONLY);

void master_files_init(struct master *m)
{
    process_route(&m->process, files_routes);
}
