/* executor_options.c - what an agent tells an executor by its environment
 *
 * The variables of FACTS 5.4.  An executor that was started by hand, without
 * them, is told which one is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "executor/executor.h"
#include "process/host.h"

static const char *find(struct host *h, const char *name)
{
    size_t length = strlen(name);

    for (char *const *e = host_environment(h); *e; e++)
        if (strncmp(*e, name, length) == 0 && (*e)[length] == '=')
            return *e + length + 1;
    return NULL;
}

static int require(struct host *h, const char *name, const char **ret_value, struct error *err)
{
    const char *value = find(h, name);

    if (!value || !*value)
        return error_set(
            err, EINVAL,
            "the environment has no %s: an executor is started by an agent, which sets it", name);
    *ret_value = value;
    return 0;
}

static int find_duration(struct host *h, const char *name, struct duration otherwise,
                         struct duration *ret_d, struct error *err)
{
    const char *value = find(h, name);

    *ret_d = otherwise;
    if (!value || !*value)
        return 0;
    if (duration_parse(value, ret_d, err) < 0)
        return error_wrap(err, "environment variable %s", name);
    return 0;
}

int executor_options_from_environment(struct host *h, struct executor_options *ret_options,
                                      struct error *err)
{
    struct executor_options options = { 0 };
    const char *agent = NULL, *checkpoint = find(h, "MESOS_CHECKPOINT");

    if (require(h, "MESOS_SLAVE_PID", &agent, err) < 0 ||
        require(h, "MESOS_FRAMEWORK_ID", &options.framework_id, err) < 0 ||
        require(h, "MESOS_EXECUTOR_ID", &options.executor_id, err) < 0 ||
        find_duration(h, "MESOS_RECOVERY_TIMEOUT", MINUTES(15), &options.recovery_timeout, err) <
            0 ||
        find_duration(h, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", SECONDS(5),
                      &options.shutdown_grace, err) < 0)
        return -1;
    if (pid_parse(agent, &options.agent, err) < 0)
        return error_wrap(err, "environment variable MESOS_SLAVE_PID");
    options.checkpoint = checkpoint && strcmp(checkpoint, "1") == 0;
    *ret_options = options;
    return 0;
}
