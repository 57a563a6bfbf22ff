/* bakery.c - an operation of several steps, inside an actor
 *
 * order -> ask the mill -> order_ground -> order_done.  A failure skips the
 * steps and arrives at the last, which says what became of the order.
 */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

FUTURE_TYPE(grams, int);
FUTURE_TYPE_DEFINE(grams, int, NULL);

/* ---- the mill ---- */

struct mill {
    struct process process;
    int grain;
};

struct grind_args {
    int grams;
};

CLASS(mill, "mill", mill_initialize, mill_exited, mill_finalize);
ASK(mill, grind, grind_args, NO_RELEASE);

static void mill_initialize(struct mill *m)
{
    m->grain = 2000;
}

static void mill_exited(struct mill *m UNUSED, const struct pid *peer UNUSED)
{
}

static void mill_finalize(struct mill *m UNUSED)
{
}

static struct future *grind(struct mill *m, struct grind_args *args)
{
    if (args->grams > m->grain)
        return future_failed(&grams_type, ENOENT, "the mill has grain for %d g", m->grain);
    m->grain -= args->grams;
    return grams_ready(args->grams);
}

/* ---- the baker ---- */

struct baker {
    struct process process;
    struct pid mill; /* borrowed */
};

/* An order on its way: all that its steps share.  Freed by order_done. */
struct order {
    int loaves, flour;
};

struct order_args {
    int loaves;
};

CLASS(baker, "baker", baker_initialize, baker_exited, baker_finalize);
CALL(baker, order, order_args, NO_RELEASE);
STEP(baker, order_late, order);
STEP(baker, order_ground, order);
LAST(baker, order_done, order);

static void baker_initialize(struct baker *b UNUSED)
{
}

static void baker_exited(struct baker *b UNUSED, const struct pid *peer UNUSED)
{
}

static void baker_finalize(struct baker *b UNUSED)
{
}

static void order(struct baker *b, struct order_args *args)
{
    struct order *op = mem_alloc(sizeof *op);
    struct future *f = ask(&b->mill, grind, .grams = args->loaves * 500);

    op->loaves = args->loaves;
    f = AFTER(f, SECONDS(10), order_late, b, op);
    f = THEN(f, order_ground, b, op);
    FINALLY(f, order_done, b, op);
}

static struct future *order_late(struct baker *b UNUSED, struct future *f,
                                 struct order *op UNUSED)
{
    future_discard(f);
    return future_failed(&grams_type, ETIMEDOUT, "the mill is late");
}

static struct future *order_ground(struct baker *b UNUSED, struct future *f, struct order *op)
{
    op->flour = *grams_get(f);
    return future_ready(&future_nothing, NULL);
}

static void order_done(struct baker *b UNUSED, struct future *f, struct order *op)
{
    if (future_state(f) == FUTURE_READY)
        printf("%d loaves of %d g flour\n", op->loaves, op->flour);
    else if (future_state(f) == FUTURE_FAILED)
        printf("no %d loaves: %s\n", op->loaves, future_error(f)->text);
    mem_free(op);
}

/* ---- the program ---- */

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 2 };
    struct error err = { 0, "" };
    struct runtime *rt = runtime_create(host, &options, &err);
    struct pid baker_pid, mill_pid;
    struct baker baker;
    struct mill mill;

    if (!rt || process_spawn(rt, &mill.process, &mill_class, NULL, &mill_pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    baker.mill = mill_pid;
    if (process_spawn(rt, &baker.process, &baker_class, NULL, &baker_pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    dispatch(&baker_pid, order, .loaves = 2);
    dispatch(&baker_pid, order, .loaves = 3);
    runtime_clock_settle(rt, SECONDS(60)); /* until nobody has anything to do */
    runtime_destroy(rt);
    pid_release(&baker_pid);
    pid_release(&mill_pid);
    host_destroy(host);
    return 0;
}
