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

/* Realms of the endpoints: what only tells, what changes things, and frameworks. */
#define MASTER_REALM_READONLY "mesos-master-readonly"
#define MASTER_REALM_READWRITE "mesos-master-readwrite"
#define MASTER_REALM_SCHEDULER "mesos-master-scheduler"

struct master_options {
    char *ip, *hostname, *advertise_ip, *work_dir, *registry, *cluster, *log, *log_format,
        *address_file, *external_log_file;
    int64_t port, advertise_port, threads;
    struct duration agent_ping_timeout;            /* 15 s */
    int64_t max_agent_ping_timeouts;               /* 5 */
    struct duration agent_reregister_timeout;      /* 10 min */
    struct duration allocation_interval;           /* 1 s: the fallback only */
    struct duration offer_timeout;                 /* 0: none */
    char *min_allocatable_resources;               /* "cpus:0.01|mem:32" */
    int64_t max_completed_frameworks, max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework;
    int64_t max_operator_event_stream_subscribers; /* 1000 */
    int64_t operator_event_stream_backlog;         /* bytes; 16 MiB */
    bool root_submissions, publish_per_framework_metrics;
    char *credentials, *http_authenticators, *http_framework_authenticators, *firewall_rules;
    bool authenticate_http_readonly, authenticate_http_readwrite, authenticate_http_frameworks;
    bool version, quiet;
};

extern const struct flag master_flags[];

#endif
