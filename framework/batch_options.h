/* batch_options.h - what the user of mesos-lite-framework may choose, as a struct */
#ifndef BATCH_OPTIONS_H
#define BATCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flags.h"
#include "base/instant.h"

struct batch_options {
    char *master, *name, *user, *role, *joblog, *results, *ip, *advertise_ip, *log, *log_format;
    double cpus, mem, disk;                  /* of each task; MB */
    int64_t retries, jobs, port;
    struct duration failover_timeout, timeout;
    bool keep_order, output, version;
};

extern const struct flag batch_flags[];

#endif
