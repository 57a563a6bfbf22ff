/* metrics.h - numbers about a node, at /metrics/snapshot
 *
 * A counter only grows, a gauge is set; both belong to the runtime and may be
 * changed on any thread.  A pulled gauge is asked for, in its process' own
 * context, when somebody looks.  Names are Mesos's ("master/uptime_secs").
 * Counters and gauges live as long as the runtime; asking for a name again
 * gives the same one.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

struct counter;
struct future;
struct gauge;
struct process;
struct runtime;

struct counter *metrics_counter(struct runtime *rt, const char *name);
void counter_add(struct counter *c, uint64_t n);
uint64_t counter_value(const struct counter *c);

struct gauge *metrics_gauge(struct runtime *rt, const char *name);
void gauge_set(struct gauge *g, double value);

/* Rows end with a NULL name.  From the process' own events; they end with it. */
typedef double (*metrics_pull_f)(struct process *self);
struct metrics_pull { const char *name; metrics_pull_f pull; };
void metrics_pull(struct process *self, const struct metrics_pull table[]);

/* What /metrics/snapshot says, by name: a future of METRICS_SAMPLES.  What cannot be had
 * within the time-out is left out; a negative one: none. */
struct metrics_sample { char *name; double value; };
struct metrics_samples { struct metrics_sample *v; size_t n, capacity; };
struct future *metrics_snapshot(struct runtime *rt, struct duration timeout);
extern const struct future_type metrics_samples_type;

#endif
