/* metrics.h - numbers about a node, at /metrics/snapshot
 *
 * A counter only grows, a gauge is set; both belong to the runtime and may be
 * changed on any thread.  A pulled gauge is asked for, in its process' own
 * context, when somebody looks.  Names are Mesos's ("master/uptime_secs").
 * Counters and gauges live as long as the runtime; asking for a name again
 * gives the same one.  Beyond max_metrics names (runtime.h) one gets a counter, gauge or
 * timer that nobody sees, and that is counted as process/metrics_refused.
 *
 * A value that is no finite number is left out of the JSON, as what has failed is.
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

/* Those whose value takes time: `begin` gives a future of METRICS_VALUE (double).  What has failed,
 * or is not there at the snapshot's time-out, is left out. */
typedef struct future *(*metrics_begin_f)(struct process *self);
struct metrics_later { const char *name; metrics_begin_f begin; };
void metrics_pull_later(struct process *self, const struct metrics_later table[]);
extern const struct future_type metrics_value_type;

/* What /metrics/snapshot says, by name: a future of METRICS_SAMPLES.  What cannot be had
 * within the time-out is left out; a negative one: none. */
enum metrics_kind { METRICS_GAUGE, METRICS_COUNTER };
struct metrics_sample { char *name; double value; enum metrics_kind kind; };
struct metrics_samples { struct metrics_sample *v; size_t n, capacity; };

/* For names that come and go: `tell` is called as pulled gauges are, and says them. */
typedef void (*metrics_tell_f)(struct process *self, struct metrics_samples *to);
void metrics_tell(struct process *self, metrics_tell_f tell);
void metrics_say(struct metrics_samples *to, const char *name, double value,
                 enum metrics_kind kind);

struct future *metrics_snapshot(struct runtime *rt, struct duration timeout);
extern const struct future_type metrics_samples_type;

/* As Prometheus reads them (text format 0.0.4), appended: "master/uptime_secs" is
 * master_uptime_secs; of names that become the same the first counts. */
struct buffer;
void metrics_write_text(const struct metrics_samples *s, struct buffer *out);

#endif
