/* metrics_timer.c - how long something takes
 *
 * Samples stand in the order of their times.  Those older than the window go;
 * when all the room is taken, so does every second one, which keeps the shape
 * of what was measured.
 */
#include "process/metrics_timer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "process/runtime.h"

struct timed {
    struct instant when;
    double ms;
};

struct metrics_timer {
    struct runtime *runtime;
    struct duration window;
    pthread_mutex_t lock; /* guards all below */
    double last;
    bool any;
    struct timed *v;
    size_t n;
};

struct metrics_timer *metrics_timer_create(struct runtime *rt, struct duration window)
{
    struct metrics_timer *t = mem_alloc(sizeof *t);

    t->runtime = rt;
    t->window = window;
    pthread_mutex_init(&t->lock, NULL);
    t->v = mem_array(METRICS_TIMER_SAMPLES, sizeof *t->v);
    return t;
}

void metrics_timer_destroy(struct metrics_timer *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    mem_free(t->v);
    mem_free(t);
}

/* ---- measuring ---- */

static void forget_old(struct metrics_timer *t, struct instant now)
{
    size_t old = 0;

    while (old < t->n && instant_since(now, t->v[old].when).ns > t->window.ns)
        old++;
    if (old > 0)
        memmove(t->v, t->v + old, (t->n - old) * sizeof *t->v);
    t->n -= old;
}

static void thin_out(struct metrics_timer *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n; i += 2)
        t->v[kept++] = t->v[i];
    t->n = kept;
}

void metrics_timer_add(struct metrics_timer *t, struct duration took)
{
    struct timed sample = { .ms = (double)took.ns / 1e6 };

    pthread_mutex_lock(&t->lock);
    sample.when = runtime_now(t->runtime);
    forget_old(t, sample.when);
    if (t->n == METRICS_TIMER_SAMPLES)
        thin_out(t);
    t->v[t->n++] = sample;
    t->last = sample.ms;
    t->any = true;
    pthread_mutex_unlock(&t->lock);
}

struct instant metrics_timer_begin(const struct metrics_timer *t)
{
    return runtime_now(t->runtime);
}

void metrics_timer_end(struct metrics_timer *t, struct instant begun)
{
    metrics_timer_add(t, instant_since(runtime_now(t->runtime), begun));
}

/* ---- telling ---- */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Of n sorted values, n > 0: between the two whose places are nearest. */
static double percentile(const double *v, size_t n, double p)
{
    double place = p * (double)(n - 1);
    size_t below = (size_t)place;

    if (below + 1 >= n)
        return v[n - 1];
    return v[below] + (place - (double)below) * (v[below + 1] - v[below]);
}

/* The values within the window, sorted; the caller's. */
static double *take_values(struct metrics_timer *t, size_t *ret_n, double *ret_last, bool *ret_any)
{
    double *v;

    pthread_mutex_lock(&t->lock);
    forget_old(t, runtime_now(t->runtime));
    *ret_n = t->n;
    *ret_last = t->last;
    *ret_any = t->any;
    v = mem_array(t->n, sizeof *v);
    for (size_t i = 0; i < t->n; i++)
        v[i] = t->v[i].ms;
    pthread_mutex_unlock(&t->lock);
    qsort(v, *ret_n, sizeof *v, compare);
    return v;
}

void metrics_timer_each(struct metrics_timer *t,
                        void (*see)(void *arg, const char *suffix, double value), void *arg)
{
    static const struct {
        const char *suffix;
        double p;
    } percentiles[] = {
        { "/min", 0 },    { "/max", 1 },    { "/p50", 0.50 },   { "/p90", 0.90 },
        { "/p95", 0.95 }, { "/p99", 0.99 }, { "/p999", 0.999 }, { "/p9999", 0.9999 },
    };
    double last;
    size_t n;
    bool any;
    double *v = take_values(t, &n, &last, &any);

    if (any)
        see(arg, "", last);
    if (n >= 2) {
        see(arg, "/count", (double)n);
        for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++)
            see(arg, percentiles[i].suffix, percentile(v, n, percentiles[i].p));
    }
    mem_free(v);
}
