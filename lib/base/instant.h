/* instant.h - points in time and lengths of time, in nanoseconds
 *
 * Two types, so that one cannot be passed for the other; never doubles.  An
 * instant is either monotonic (the clock's, for deadlines) or wall (since
 * 1970-01-01T00:00:00Z, for people and for the wire); which one is said where
 * it is handed out.  Durations print and parse in Mesos's form: a decimal
 * number and one of ns us ms secs mins hrs days weeks ("5secs", "1.5mins").
 */
#ifndef INSTANT_H
#define INSTANT_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct instant { int64_t ns; };
struct duration { int64_t ns; };

#define NANOSECONDS(n) ((struct duration){ (int64_t)(n) })
#define MICROSECONDS(n) ((struct duration){ (int64_t)(n) * 1000 })
#define MILLISECONDS(n) ((struct duration){ (int64_t)(n) * 1000000 })
#define SECONDS(n) ((struct duration){ (int64_t)(n) * 1000000000 })
#define MINUTES(n) SECONDS((int64_t)(n) * 60)
#define HOURS(n) MINUTES((int64_t)(n) * 60)
#define DAYS(n) HOURS((int64_t)(n) * 24)
#define WEEKS(n) DAYS((int64_t)(n) * 7)
#define INSTANT_NEVER ((struct instant){ INT64_MAX })

/* Saturating: never + anything is never. */
struct instant instant_add(struct instant t, struct duration d);
struct duration instant_since(struct instant later, struct instant earlier);
static inline bool instant_before(struct instant a, struct instant b) { return a.ns < b.ns; }

/* NaN and what does not fit become the nearest end of the range. */
struct duration duration_from_seconds(double seconds);
double duration_seconds(struct duration d);
double instant_seconds(struct instant t);
struct duration duration_min(struct duration a, struct duration b);
struct duration duration_times(struct duration d, int64_t factor);

/* "15mins", "90secs": the largest unit of its bucket that gives a whole number
 * (FACTS 5.4).  At most DURATION_TEXT bytes with the NUL. */
#define DURATION_TEXT 32
const char *duration_format(struct duration d, char text[DURATION_TEXT]);
int duration_parse(const char *text, struct duration *ret_d, struct error *err);

#endif
