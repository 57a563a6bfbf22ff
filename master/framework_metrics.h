/* framework_metrics.h - what is counted of one framework
 *
 * Shown as master/frameworks/<name>/<id>/... as long as the framework is there, unless
 * --no-publish_per_framework_metrics.  Part of struct framework_record: it begins zeroed.
 */
#ifndef FRAMEWORK_METRICS_H
#define FRAMEWORK_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mesos.pb-c.h"

struct framework_record;
struct master;
struct text;

enum framework_count {
    FRAMEWORK_OFFERS_SENT,
    FRAMEWORK_OFFERS_ACCEPTED,
    FRAMEWORK_OFFERS_DECLINED,
    FRAMEWORK_OFFERS_RESCINDED,
    FRAMEWORK_COUNTS
};

/* By the numbers of the enums; the largest is 17. */
enum { FRAMEWORK_TYPES = 20 };

struct framework_metrics {
    uint64_t counts[FRAMEWORK_COUNTS];
    uint64_t calls[FRAMEWORK_TYPES], events[FRAMEWORK_TYPES], operations[FRAMEWORK_TYPES];
    uint64_t ended[FRAMEWORK_TYPES]; /* tasks, by their terminal state */
    struct text **suppressed;        /* roles */
    size_t n_suppressed;
};

void framework_metrics_init(struct master *m);
void framework_metrics_release(struct framework_metrics *f);

void framework_metrics_count(struct framework_record *f, enum framework_count which);
void framework_metrics_call(struct framework_record *f, int type);      /* of scheduler.Call */
void framework_metrics_operation(struct framework_record *f, int type); /* of Offer.Operation */
void framework_metrics_ended(struct framework_record *f, Pb__TaskState state);
/* A message to it, by the event that it is. */
void framework_metrics_event(struct framework_record *f, const ProtobufCMessage *msg);
/* n 0: all of its roles. */
void framework_metrics_suppress(struct framework_record *f, size_t n, const char *const *roles);
void framework_metrics_revive(struct framework_record *f, size_t n, const char *const *roles);

#endif
