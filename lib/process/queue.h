/* queue.h - values that somebody puts and somebody else waits for
 *
 * Values come out in the order they went in, and go to those who wait in the
 * order they asked.  A get that is discarded while it waits leaves the queue:
 * the value goes to the next.  May be used on any thread.
 *
 *     FUTURE_TYPE(job, struct job);
 *     struct queue *q = queue_create(&job_type);
 *     queue_put(q, &job_type, &(struct job){ .command = "true" });
 *     f = THEN(queue_get(q), job_came, worker, op);       *job_get(f) is it
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stddef.h>

struct future;
struct future_type;
struct queue;

struct queue *queue_create(const struct future_type *type);
/* Values that nobody got are released; who waits gets DISCARDED.  NULL is fine. */
void queue_destroy(struct queue *q);

/* Moves the value in; CHECKs that the queue is of this type. */
void queue_put(struct queue *q, const struct future_type *type, const void *value);
/* READY with the next value that is nobody else's. */
struct future *queue_get(struct queue *q);
/* How many values nobody has asked for. */
size_t queue_length(struct queue *q);

#endif
