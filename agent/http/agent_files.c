/* agent_files.c - which of the agent's files are shown: sandboxes, and its log
 *
 * Paths are the sandboxes' own, or /frameworks/F/executors/E/runs/R[/...], R
 * being a container id or "latest" (FACTS 5.1); /slave/log is the file of
 * --external_log_file.  lib/mesos/files.h serves them.
 */
#include <string.h>

#include "agent/agent_private.h"
#include "agent/http/agent_operator.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "mesos/files.h"
#include "mesos/inside.h"
#include "process/host.h"
#include "process/runtime.h"

#define LOG "/slave/log"

/* <folder>/latest → the name it stands for, the caller's; NULL if none. */
static char *latest_run(struct host *h, const char *runs)
{
    CLEANUP(mem_free_p) char *link = mem_printf("%s/latest", runs);
    char *target;
    struct error err;

    if (host_readlink(h, link, &target, &err) < 0)
        return NULL;
    if (inside_is_name(target, strlen(target)))
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
        size_t length = inside_next(&path, &name);
        char *latest;

        if (!inside_is_name(name, length) ||
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

/* By either kind of path. */
static char *find_root(struct process *self, const char *path, const char **ret_rest)
{
    const struct agent *a = container_of(self, struct agent, process);
    struct host *h = runtime_host(a->runtime);
    CLEANUP(mem_free_p) char *own = agent_folder(a);
    CLEANUP(mem_free_p) char *slaves = mem_printf("%s/slaves/", a->options.work_dir);
    CLEANUP(mem_free_p) char *base = NULL;
    const char *name;
    size_t length;

    if (a->options.external_log_file && strcmp(path, LOG) == 0) {
        *ret_rest = "";
        return mem_strdup(a->options.external_log_file);
    }
    if (strncmp(path, "/frameworks/", 12) == 0)
        return find_run_folder(h, own, path, ret_rest);
    if (strncmp(path, slaves, strlen(slaves)) != 0)
        return NULL;
    path += strlen(slaves);
    length = inside_next(&path, &name);
    if (!inside_is_name(name, length))
        return NULL;
    base = mem_printf("%s%.*s", slaves, (int)length, name);
    return find_run_folder(h, base, path, ret_rest);
}

/* ---- for /files/debug ---- */

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

static void put_all(struct process *self, struct json_writer *w)
{
    const struct agent *a = container_of(self, struct agent, process);

    if (a->options.external_log_file)
        json_put_string(w, LOG, a->options.external_log_file);
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        put_runs(w, f);
    list_each(f, &a->completed_frameworks, struct hosted_framework, link)
        put_runs(w, f);
}

const struct files agent_files = { find_root, put_all };
FILES_ROUTES(files_routes, &agent_files, AGENT_REALM_READONLY);

void agent_files_init(struct agent *a)
{
    process_route(&a->process, files_routes);
}
