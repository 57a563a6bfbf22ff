/* future_get.c - a value, for code outside of actors that can do nothing before it is there */
#include "process/future.h"

#include <errno.h>

#include "base/buffer.h"
#include "base/error.h"
#include "process/host.h"
#include "process/process.h"

static int refuse_timeout(struct duration timeout, struct error *err)
{
    char text[DURATION_TEXT];

    return error_set(err, ETIMEDOUT, "not settled after %s", duration_format(timeout, text));
}

int future_get(struct future *f, struct host *host, struct duration timeout,
               const struct future_type *type, const void **ret_value, struct error *err)
{
    const struct process *self = process_current();

    if (self)
        return error_set(err, EDEADLK, "%s is an actor and may not wait: use a step (THEN)",
                         self->pid.id->bytes);
    if (!future_wait(f, host, timeout))
        return refuse_timeout(timeout, err);
    if (future_state(f) == FUTURE_FAILED) {
        error_copy(err, future_error(f));
        return -1;
    }
    if (future_state(f) == FUTURE_DISCARDED)
        return error_set(err, ECANCELED, future_is_abandoned(f) ? "nobody will settle it any more"
                                                                : "discarded");
    if (ret_value)
        *ret_value = future_value(f, type);
    return 0;
}
