/* fetcher.c - a task's URIs into its sandbox: the agent's side
 *
 * One actor per fetch, which ends with it.  The reason of a failure comes by a
 * file next to the sandbox, made by us and given to the user: the folder is not
 * his, so he cannot put something else there.
 */
#include "agent/fetcher.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/fetcher_info.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/subprocess.h"
#include "process/typed.h"

enum { REASON_LIMIT = 64 * 1024 };

struct fetching {
    struct process process;
    struct host *host;
    char *container_id, *sandbox, *program, *user, *info, *reason_path;
    struct promise *promise;
    struct subprocess *child;
    bool discarded;
};

CLASS(fetching, "fetcher", fetching_initialize, fetching_exited, fetching_finalize);
LAST(fetching, fetch_ended, nothing);

int fetcher_validate(const struct fetch *fetch, struct error *err)
{
    for (size_t i = 0; i < fetch->n_uris; i++) {
        const Pb__CommandInfo__URI *uri = fetch->uris[i];
        const char *output = uri->output_file, *name;
        enum fetcher_info_kind kind;

        if (fetcher_info_parse_uri(uri->value, &kind, err) < 0)
            return error_wrap(err, "URI '%s' cannot be fetched", uri->value);
        if (output && *output && !fetcher_info_is_below(output))
            return error_set(err, EINVAL,
                             "The output_file '%s' of URI '%s' would leave the sandbox", output,
                             uri->value);
        if (!(output && *output) && fetcher_info_get_name(uri->value, &name, err) < 0)
            return error_wrap(err, "URI '%s' cannot be fetched", uri->value);
    }
    return 0;
}

/* ---- what the program is told ---- */

static void put_uri(struct json_writer *w, const Pb__CommandInfo__URI *uri)
{
    json_begin_object(w);
    json_put_string(w, "action", "BYPASS_CACHE");
    json_key(w, "uri");
    json_begin_object(w);
    json_put_string(w, "value", uri->value);
    json_put_bool(w, "executable", uri->has_executable && uri->executable);
    json_put_bool(w, "extract", !uri->has_extract || uri->extract);
    if (uri->output_file && *uri->output_file)
        json_put_string(w, "output_file", uri->output_file);
    json_end_object(w);
    json_end_object(w);
}

static char *format_info(const struct fetch *fetch)
{
    struct buffer text = BUFFER_INIT;
    struct json_writer w;

    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_put_string(&w, "sandbox_directory", fetch->sandbox);
    json_key(&w, "items");
    json_begin_array(&w);
    for (size_t i = 0; i < fetch->n_uris; i++)
        put_uri(&w, fetch->uris[i]);
    json_end_array(&w);
    if (fetch->user)
        json_put_string(&w, "user", fetch->user);
    json_end_object(&w);
    return buffer_take(&text, NULL);
}

static bool is_ours(const char *variable)
{
    return strncmp(variable, FETCHER_INFO "=", sizeof FETCHER_INFO) == 0 ||
           strncmp(variable, FETCHER_INFO_REASON "=", sizeof FETCHER_INFO_REASON) == 0;
}

/* The agent's environment and our two; only these two are the caller's. */
static char **make_environment(const struct fetching *f)
{
    char *const *inherited = host_environment(f->host);
    size_t n = 0, kept = 2;
    char **envp;

    while (inherited[n])
        n++;
    envp = mem_array(n + 3, sizeof *envp);
    envp[0] = mem_printf("%s=%s", FETCHER_INFO, f->info);
    envp[1] = mem_printf("%s=%s", FETCHER_INFO_REASON, f->reason_path);
    for (size_t i = 0; i < n; i++)
        if (!is_ours(inherited[i]))
            envp[kept++] = inherited[i];
    return envp;
}

static void free_environment(char **envp)
{
    mem_free(envp[0]);
    mem_free(envp[1]);
    mem_free(envp);
}

/* ---- the fetch ---- */

static int make_reason_file(struct fetching *f, const struct child_spec *spec, struct error *err)
{
    struct file *file;

    if (host_open(f->host, f->reason_path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0600, &file,
                  err) < 0)
        return -1;
    file_close(file);
    return spec->set_user ? host_chown(f->host, f->reason_path, spec->uid, spec->gid, err) : 0;
}

static int start(struct fetching *f, struct error *err)
{
    CLEANUP(mem_free_p) char *out = mem_printf("%s/stdout", f->sandbox);
    CLEANUP(mem_free_p) char *errors = mem_printf("%s/stderr", f->sandbox);
    struct child_spec spec = {
        .path = f->program,
        .argv = (char *[]){ (char *)"mesos-lite-fetcher", NULL },
        .in = CHILD_NULL, .out = CHILD_PATH, .err = CHILD_PATH, .out_path = out, .err_path = errors,
        .new_session = true, .dies_with_parent = true,
        .set_user = f->user != NULL, .user = f->user,
    };
    char **envp;

    if (f->user && host_user(f->host, f->user, &spec.uid, &spec.gid, err) < 0)
        return -1;
    if (make_reason_file(f, &spec, err) < 0)
        return -1;
    envp = make_environment(f);
    spec.envp = envp;
    f->child = subprocess_spawn(f->process.runtime, &spec, err);
    free_environment(envp);
    return f->child ? 0 : -1;
}

static void fail(struct fetching *f, const char *why)
{
    log_info("container %s: its URIs were not fetched: %s", f->container_id, why);
    promise_fail(f->promise, EIO, "Failed to fetch all URIs for container '%s': %s",
                 f->container_id, why);
}

/* Settled when it has ended: then nothing is written into the sandbox any more. */
static void discarded(struct process *self, struct future *asked UNUSED, void *op UNUSED)
{
    struct fetching *f = container_of(self, struct fetching, process);

    f->discarded = true;
    subprocess_signal_group(f->child, SIGKILL, NULL);
}

static void fetching_initialize(struct fetching *f)
{
    struct future *result;
    struct error err;

    if (start(f, &err) < 0) {
        fail(f, err.text);
        process_terminate(&f->process.pid, TERMINATE_NOW);
        return;
    }
    result = promise_future(f->promise);
    future_on_discard(result, &f->process, discarded, NULL);
    future_unref(result);
    FINALLY(subprocess_wait(f->child), fetch_ended, f, NULL);
}

static void fail_with_reason(struct fetching *f, int status)
{
    CLEANUP(mem_free_p) char *data = NULL;
    char text[80];
    size_t size;

    if (host_read_file(f->host, f->reason_path, REASON_LIMIT, &data, &size, NULL) == 0 &&
        size > 0) {
        CLEANUP(mem_free_p) char *line = mem_strndup(data, size);

        line[strcspn(line, "\n")] = '\0';
        fail(f, line);
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "the fetcher was ended by signal %d", WTERMSIG(status));
    else
        snprintf(text, sizeof text, "the fetcher exited with status %d", WEXITSTATUS(status));
    fail(f, text);
}

/* Also runs, with the future discarded, when we end first. */
static void fetch_ended(struct fetching *f, struct future *ended, struct nothing *op UNUSED)
{
    if (future_state(ended) != FUTURE_READY) {
        subprocess_signal_group(f->child, SIGKILL, NULL);
        return;
    }
    if (f->discarded)
        promise_discard(f->promise);
    else if (*subprocess_status_get(ended) == 0)
        promise_set(f->promise, &future_nothing, NULL);
    else
        fail_with_reason(f, *subprocess_status_get(ended));
    process_terminate(&f->process.pid, TERMINATE_NOW);
}

static void fetching_exited(struct fetching *f UNUSED, const struct pid *peer UNUSED) {}

static void fetching_free(struct fetching *f)
{
    subprocess_unref(f->child);
    promise_unref(f->promise);
    mem_free(f->container_id);
    mem_free(f->sandbox);
    mem_free(f->program);
    mem_free(f->user);
    mem_free(f->info);
    mem_free(f->reason_path);
    mem_free(f);
}

static void fetching_finalize(struct fetching *f)
{
    host_unlink(f->host, f->reason_path, NULL);
    fetching_free(f);
}

struct future *fetcher_fetch(struct runtime *rt, const struct fetch *fetch)
{
    struct fetching *f;
    struct future *result;
    struct error err;

    if (fetch->n_uris == 0)
        return future_ready(&future_nothing, NULL);
    if (fetcher_validate(fetch, &err) < 0)
        return future_failed(&future_nothing, err.code,
                             "Failed to fetch all URIs for container '%s': %s", fetch->container_id,
                             err.text);
    f = mem_alloc(sizeof *f);
    f->host = runtime_host(rt);
    f->container_id = mem_strdup(fetch->container_id);
    f->sandbox = mem_strdup(fetch->sandbox);
    f->program = mem_strdup(fetch->program);
    f->user = fetch->user ? mem_strdup(fetch->user) : NULL;
    f->info = format_info(fetch);
    f->reason_path = mem_printf("%s.fetch", fetch->sandbox);
    f->promise = promise_create(&future_nothing);
    result = promise_future(f->promise);
    if (process_spawn(rt, &f->process, &fetching_class, NULL, NULL, &err) < 0) {
        promise_fail_with(f->promise, &err);
        fetching_free(f);
    }
    return result;
}
