/* sorter.c - another program as a helper: sort, with a pipe at each end
 *
 * sort_lines -> sort runs -> lines_sorted -> sort_ended.  The hook is where one
 * would put the child into a cgroup before its program runs.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/subprocess.h"
#include "process/typed.h"

struct sorter {
    struct process process;
    struct promise *done;
};

/* A sort under way: all that its steps share.  Freed by sort_ended. */
struct sorting {
    struct subprocess *child;
};

CLASS(sorter, "sorter", sorter_initialize, sorter_exited, sorter_finalize);
CALL(sorter, sort_lines, nothing, NO_RELEASE);
STEP(sorter, lines_sorted, sorting);
LAST(sorter, sort_ended, sorting);

static int before_it_runs(void *arg UNUSED, pid_t pid UNUSED, struct error *err UNUSED)
{
    printf("it waits for us\n");
    return 0; /* or error_set(err, ...): then there is no child */
}

static void sort_lines(struct sorter *s, struct nothing *args UNUSED)
{
    static const char lines[] = "pears\napples\nplums\n";
    char *const argv[] = { (char *)"sort", (char *)"-r", NULL };
    const struct child_hook hook = { before_it_runs, NULL };
    struct child_spec spec = { .path = "sort",
                               .argv = argv,
                               .in = CHILD_PIPE,
                               .out = CHILD_PIPE,
                               .dies_with_parent = true,
                               .hooks = &hook,
                               .n_hooks = 1 };
    struct subprocess *child;
    struct sorting *op;
    struct error err;
    struct future *f;

    child = subprocess_spawn(s->process.runtime, &spec, &err);
    if (!child) {
        printf("%s\n", err.text); /* "Failed to launch 'sort': ..." */
        promise_set(s->done, &future_nothing, NULL);
        return;
    }
    op = mem_alloc(sizeof *op);
    op->child = child;
    future_unref(subprocess_write(child, lines, strlen(lines)));
    subprocess_close(child, SUBPROCESS_IN); /* behind what was written */
    f = THEN(subprocess_read_all(child, SUBPROCESS_OUT, 1000), lines_sorted, s, op);
    FINALLY(f, sort_ended, s, op);
}

static struct future *lines_sorted(struct sorter *s UNUSED, struct future *f, struct sorting *op)
{
    printf("%s", bytes_get(f)->data);
    return subprocess_wait(op->child);
}

static void sort_ended(struct sorter *s, struct future *f, struct sorting *op)
{
    if (future_state(f) == FUTURE_READY)
        printf("its status is %d\n", WEXITSTATUS(*subprocess_status_get(f)));
    else if (future_state(f) == FUTURE_FAILED)
        printf("not sorted: %s\n", future_error(f)->text);
    subprocess_unref(op->child);
    mem_free(op);
    promise_set(s->done, &future_nothing, NULL);
}

static void sorter_initialize(struct sorter *s UNUSED) {}

static void sorter_exited(struct sorter *s UNUSED, const struct pid *peer UNUSED) {}

static void sorter_finalize(struct sorter *s)
{
    promise_unref(s->done);
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 1 };
    struct runtime *rt = runtime_create(host, &options, NULL);
    struct sorter s = { .done = promise_create(&future_nothing) };
    struct future *done = promise_future(s.done);

    if (!rt || process_spawn(rt, &s.process, &sorter_class, NULL, NULL, NULL) < 0)
        return 1;
    dispatch(&s.process.pid, sort_lines);
    future_wait(done, host, SECONDS(60));
    future_unref(done);
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
