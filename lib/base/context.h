/* context.h - who runs on this thread now
 *
 * The one thread-local of the project.  The runtime points it at the actor
 * whose event runs; log lines take their node, time and actor from it and
 * CHECK prints it.  Outside of actors it is NULL.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stddef.h>

struct log;

struct context {
    struct log *log;      /* where the lines of this node go; never NULL */
    const char *actor;    /* "master@127.0.0.1:5050", or "" */
    const char *event;    /* "mesos.internal.PingSlaveMessage", "dispatch", ... */
    const char *sender;   /* text of the sender's PID, or "" */
    /* Instead of `actor` and `sender`, which are NULL then: made only when somebody looks. */
    const char *(*format_actor)(const struct context *c, char *out, size_t size);
    const char *(*format_sender)(const struct context *c, char *out, size_t size);
    void *worker;         /* the runtime's own, of lib/process; NULL: not on one of its threads */
};

extern __thread const struct context *context_running; /* for context_current only */

static inline const struct context *context_current(void)
{
    return context_running;
}
/* Returns the one before, which the caller puts back. */
const struct context *context_set(const struct context *context);
/* The actor's and the sender's text, "" for none; out is used when it has to be made. */
const char *context_actor(const struct context *context, char *out, size_t size);
const char *context_sender(const struct context *context, char *out, size_t size);

#endif
