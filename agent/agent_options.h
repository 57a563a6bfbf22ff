/* agent_options.h - the agent's flags as a struct
 *
 * Filled by flags.h from agent_flags (one table: --help, /flags, man page).
 * Names, defaults and ranges are Mesos's (FACTS 2.9, 5).
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flags.h"
#include "base/instant.h"

/* Realms of the endpoints: what only tells, and what changes things. */
#define AGENT_REALM_READONLY "mesos-agent-readonly"
#define AGENT_REALM_READWRITE "mesos-agent-readwrite"

struct agent_options {
    char *master, *ip, *hostname, *advertise_ip, *work_dir, *resources, *attributes, *default_role,
        *log, *log_format, *address_file, *launcher_dir, *external_log_file;
    int64_t port, advertise_port, threads;
    struct duration registration_backoff_factor;         /* 1 s */
    struct duration executor_registration_timeout;       /* 1 min */
    struct duration executor_reregistration_timeout;     /* 2 s, at most 15 s */
    struct duration executor_shutdown_grace_period;      /* 5 s */
    struct duration recovery_timeout;                    /* 15 min */
    struct duration gc_delay;                            /* 1 week */
    bool switch_user;                                    /* true */
    char *http_credentials, *http_authenticators, *firewall_rules;
    bool authenticate_http_readonly, authenticate_http_readwrite;
    bool version;
};

extern const struct flag agent_flags[];

#endif
