/* master_options.h - the master's flags as a struct
 *
 * Filled by flags.h from master_flags (one table: --help, /flags, man page).
 * Names, defaults and ranges are Mesos's (FACTS 2.9 and 6.11).
 */
#ifndef MASTER_OPTIONS_H
#define MASTER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flags.h"
#include "base/instant.h"

struct master_options {
    char *ip, *hostname, *advertise_ip, *work_dir, *registry, *cluster, *log, *log_format,
        *address_file;
    int64_t port, advertise_port, threads;
    struct duration agent_ping_timeout;            /* 15 s */
    int64_t max_agent_ping_timeouts;               /* 5 */
    struct duration agent_reregister_timeout;      /* 10 min */
    struct duration allocation_interval;           /* 1 s: the fallback only */
    struct duration offer_timeout;                 /* 0: none */
    char *min_allocatable_resources;               /* "cpus:0.01|mem:32" */
    int64_t max_completed_frameworks, max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework;
    bool root_submissions;
    bool version, quiet;
};

extern const struct flag master_flags[];

#endif
