/* metrics_timer.h - how long something takes, at /metrics/snapshot
 *
 * The last duration is shown as <name>_ms; once there are two within the
 * window, also <name>_ms/count, /min, /max, /p50, /p90, /p95, /p99, /p999 and
 * /p9999 of those within it.  Percentiles between two samples are interpolated.
 * A window keeps at most METRICS_TIMER_SAMPLES, evenly thinned when there are
 * more.  Time is the runtime's clock; any thread.
 *
 *     a->runs = metrics_timer(rt, "allocator/mesos/allocation_run", HOURS(1));
 *     struct instant begun = metrics_timer_begin(a->runs);
 *     ...
 *     metrics_timer_end(a->runs, begun);
 */
#ifndef METRICS_TIMER_H
#define METRICS_TIMER_H

#include "base/instant.h"

struct metrics_timer;
struct runtime;

enum { METRICS_TIMER_SAMPLES = 1000 };

/* Lives as long as the runtime; asking for a name again gives the same one. */
struct metrics_timer *metrics_timer(struct runtime *rt, const char *name, struct duration window);

struct instant metrics_timer_begin(const struct metrics_timer *t);
void metrics_timer_end(struct metrics_timer *t, struct instant begun);
void metrics_timer_add(struct metrics_timer *t, struct duration took);

/* For metrics.c: one call for each figure, with what follows <name>_ms. */
struct metrics_timer *metrics_timer_create(struct runtime *rt, struct duration window);
void metrics_timer_destroy(struct metrics_timer *t);
void metrics_timer_each(struct metrics_timer *t,
                        void (*see)(void *arg, const char *suffix, double value), void *arg);

#endif
