/* counter.c - a first actor: it counts what it is told, and tells the sum
 *
 * Shows the life of a process, dispatch, ask and delay.
 */
#include <stdio.h>

#include "base/error.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

FUTURE_TYPE(total, long);
FUTURE_TYPE_DEFINE(total, long, NULL);

/* The state.  Only the events of this process touch it. */
struct counter {
    struct process process;
    long sum;
};

struct add_args {
    long n;
};

CLASS(counter, "counter", counter_initialize, counter_exited, counter_finalize);
CALL(counter, add, add_args, NO_RELEASE);
ASK(counter, sum, nothing, NO_RELEASE);

static void counter_initialize(struct counter *c)
{
    c->sum = 0;
}

static void counter_exited(struct counter *c UNUSED, const struct pid *peer UNUSED)
{
}

static void counter_finalize(struct counter *c)
{
    printf("the counter ends at %ld\n", c->sum);
}

static void add(struct counter *c, struct add_args *args)
{
    c->sum += args->n;
}

static struct future *sum(struct counter *c, struct nothing *args UNUSED)
{
    return total_ready(c->sum);
}

/* Until the future is settled: for code outside of actors. */
static long wait_for(struct host *host, struct future *f)
{
    long n;

    if (!future_wait(f, host, SECONDS(60)) || future_state(f) != FUTURE_READY)
        return -1;
    n = *total_get(f);
    future_unref(f);
    return n;
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 2 };
    struct counter counter;
    struct runtime *rt;
    struct error err;
    struct timer never;
    struct pid pid;

    rt = runtime_create(host, &options, &err);
    if (!rt || process_spawn(rt, &counter.process, &counter_class, NULL, &pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("its name is %s\n", pid.id->bytes);

    dispatch(&pid, add, .n = 40);
    dispatch(&pid, add, .n = 2);
    printf("the sum is %ld\n", wait_for(host, ask(&pid, sum)));

    never = delay(&pid, HOURS(1), add, .n = 1000);
    if (process_cancel(&never))
        printf("it will not be a thousand more\n");

    process_terminate(&pid, TERMINATE_AFTER_QUEUED);
    process_wait(&pid, SECONDS(60));
    pid_release(&pid);
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
