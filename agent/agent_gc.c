/* agent_gc.c - sandboxes go gc_delay after their run has ended
 *
 * Now and then all run folders below slaves/ are looked at, off the actors'
 * threads.  One that belongs to no run in the books and was not modified for
 * gc_delay is removed; the end of a run counts as a modification.  What is in
 * the books, and what came after the look began, is never touched.
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"

#define LOOK_LAST HOURS(1)
#define LOOK_FIRST SECONDS(1)
#define SLACK SECONDS(1)                 /* file times are a little behind the clock */

/* A look: its own copy of all it needs, for another thread. */
struct collection {
    struct host *host;
    struct pid agent;
    char *root;                          /* <work_dir>/slaves */
    char **live;                         /* containers in the books */
    size_t n_live;
    struct instant before;               /* wall */
    unsigned removed, failed, pending;
};
struct collected {
    struct collection *collection;
};
static void collected_release(struct collected *args)
{
    struct collection *c = args->collection;

    for (size_t i = 0; i < c->n_live; i++)
        mem_free(c->live[i]);
    mem_free(c->live);
    mem_free(c->root);
    pid_release(&c->agent);
    mem_free(c);
}
CALL(agent, collected, collected, collected_release);
CALL(agent, collect, nothing, NO_RELEASE);

static bool is_live(const struct collection *c, const char *container)
{
    for (size_t i = 0; i < c->n_live; i++)
        if (strcmp(c->live[i], container) == 0)
            return true;
    return false;
}

static void look_at_run(struct collection *c, const char *path, const char *name)
{
    struct file_info info;
    struct error err;

    if (is_live(c, name) || host_stat(c->host, path, &info, &err) < 0 || !info.is_directory)
        return;
    if (!instant_before(info.modified, c->before))
        c->pending++;
    else if (host_remove_tree(c->host, path, &err) == 0)
        c->removed++;
    else
        c->failed++;
}

/* slaves/ID/frameworks/ID/executors/ID/runs/ID: a folder at each level, those
 * of even depth named by what is in them. */
static const char *const levels[] = { NULL, "frameworks", NULL, "executors", NULL, "runs", NULL };

static void look_below(struct collection *c, const char *path, size_t level)
{
    struct error err;
    char **names;
    size_t n;

    if (host_list(c->host, path, &names, &n, &err) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        char *below = mem_printf("%s/%s", path, names[i]);
        struct file_info info;

        if (levels[level] && strcmp(levels[level], names[i]) != 0)
            ;
        else if (host_stat(c->host, below, &info, &err) < 0 || !info.is_directory)
            ;
        else if (level + 1 == ARRAY_SIZE(levels))
            look_at_run(c, below, names[i]);
        else
            look_below(c, below, level + 1);
        mem_free(below);
    }
    host_free_names(names, n);
}

static void collection_work(void *args)
{
    struct collection *c = args;

    look_below(c, c->root, 0);
}

/* In the executor's context, so that it comes after the work also when the agent ends first. */
static void collection_done(struct process *executor UNUSED, struct future *f UNUSED, void *op)
{
    struct collection *c = op;

    dispatch(&c->agent, collected, c);
}

static void collected(struct agent *a, struct collected *args)
{
    const struct collection *c = args->collection;

    agent_metrics_removal(a, c->removed, c->failed, c->pending);
    if (c->removed)
        log_info("%u old sandboxes removed", c->removed);
    if (c->failed)
        log_warning("%u old sandboxes cannot be removed", c->failed);
    a->gc_runs = false;
    agent_gc_start(a);
}

static void add_live(struct agent *a, struct collection *c)
{
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next) {
            c->live = mem_realloc(c->live, (c->n_live + 1) * sizeof *c->live);
            c->live[c->n_live++] = mem_strdup(e->container.text->bytes);
        }
}

static void collect(struct agent *a, struct nothing *unused UNUSED)
{
    struct collection *c = mem_alloc(sizeof *c);
    int64_t age = a->options.gc_delay.ns + SLACK.ns;

    c->host = runtime_host(a->runtime);
    c->agent = pid_dup(&a->pid);
    c->root = mem_printf("%s/slaves", a->options.work_dir);
    c->before = instant_add(runtime_wall(a->runtime), NANOSECONDS(-age));
    add_live(a, c);
    a->gc_runs = true;
    future_finally(process_async(a->runtime, collection_work, c), runtime_executor(a->runtime),
                   collection_done, c);
}

/* A tenth of the delay late at most, and not all the time. */
void agent_gc_start(struct agent *a)
{
    struct duration d = duration_min(NANOSECONDS(a->options.gc_delay.ns / 10), LOOK_LAST);

    if (a->gc_runs)
        return;
    if (d.ns < LOOK_FIRST.ns)
        d = LOOK_FIRST;
    a->gc_timer = delay(&a->process.pid, d, collect, .unused = 0);
}

/* The delay counts from now: making and removing an entry modifies the folder. */
void agent_gc_mark_end(struct agent *a, const struct hosted_executor *e)
{
    struct host *h = runtime_host(a->runtime);
    CLEANUP(mem_free_p) char *path = mem_printf("%s/.ended", e->sandbox);
    struct file *file;
    struct error err;

    if (host_open(h, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &file, &err) < 0)
        return;
    file_close(file);
    if (host_unlink(h, path, &err) < 0)
        log_warning("%s is left over: %s", path, err.text);
}
