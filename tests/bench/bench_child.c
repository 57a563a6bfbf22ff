/* bench_child.c - launch and reap /bin/true, one after the other, however large we are
 *
 * Ours is an actor: each child's status starts the next.  The reference is what
 * cannot be cheaper: vfork, exec and wait in a loop.  Both have the same memory
 * resident, in small pages: what copies page tables shows there.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/subprocess.h"
#include "tests/bench/measure.h"

enum { LAUNCHES = 1500, WARM_UP = 50, PAGE = 4096 };

#define MEGABYTES(n) ((size_t)(n) << 20)

/* Never given back: the measurement ends with its OS process. */
static void become_large(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += PAGE)
        memory[at] = 1;
}

/* ---- ours ---- */

struct launcher {
    struct process process;
    size_t left;
    struct promise *done;
};

struct round {
    size_t n;
    struct promise *done;
};

CLASS(launcher, "launcher", launcher_initialize, launcher_exited, launcher_finalize);
LAST(launcher, child_ended, subprocess);
CALL(launcher, launch_many, round, NO_RELEASE);

static void launch(struct launcher *l)
{
    char *const argv[] = { (char *)(uintptr_t) "true", NULL };
    struct child_spec spec = { .path = "/bin/true", .argv = argv };
    struct subprocess *s = subprocess_spawn(l->process.runtime, &spec, NULL);

    CHECK(s);
    FINALLY(subprocess_wait(s), child_ended, l, s);
}

static void child_ended(struct launcher *l, struct future *status, struct subprocess *s)
{
    CHECK(*subprocess_status_get(status) == 0);
    subprocess_unref(s);
    if (--l->left > 0)
        launch(l);
    else
        promise_set(l->done, &future_nothing, NULL);
}

static void launch_many(struct launcher *l, struct round *round)
{
    l->left = round->n;
    l->done = round->done;
    launch(l);
}

static void launcher_initialize(struct launcher *l UNUSED) {}

static void launcher_exited(struct launcher *l UNUSED, const struct pid *peer UNUSED) {}

static void launcher_finalize(struct launcher *l UNUSED) {}

static void run_round(struct measure_node *n, struct launcher *l, size_t launches)
{
    struct promise *done = promise_create(&future_nothing);
    struct future *f = promise_future(done);

    dispatch(&l->process.pid, launch_many, .n = launches, .done = done);
    CHECK(future_wait(f, n->host, MINUTES(10)));
    future_unref(f);
    promise_unref(done);
}

static int measure_ours(struct measure *m, size_t resident)
{
    struct measure_node n = measure_node_start();
    struct launcher l = { .left = 0 };
    struct stopwatch watch;

    become_large(resident);
    CHECK(process_spawn(n.runtime, &l.process, &launcher_class, NULL, NULL, NULL) == 0);
    run_round(&n, &l, WARM_UP);
    watch = measure_start();
    run_round(&n, &l, LAUNCHES);
    measure_finish(m, &watch, LAUNCHES);
    measure_node_stop(&n);
    return 0;
}

int bench_child_ours_small(struct measure *m)
{
    return measure_ours(m, MEGABYTES(10));
}

int bench_child_ours_large(struct measure *m)
{
    return measure_ours(m, MEGABYTES(1024));
}

/* ---- the reference ---- */

static void launch_bare(void)
{
    pid_t pid = vfork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int measure_bare(struct measure *m, size_t resident)
{
    struct stopwatch watch;

    become_large(resident);
    for (size_t i = 0; i < WARM_UP; i++)
        launch_bare();
    watch = measure_start();
    for (size_t i = 0; i < LAUNCHES; i++)
        launch_bare();
    return measure_finish(m, &watch, LAUNCHES);
}

int bench_child_bare_small(struct measure *m)
{
    return measure_bare(m, MEGABYTES(10));
}

int bench_child_bare_large(struct measure *m)
{
    return measure_bare(m, MEGABYTES(1024));
}
