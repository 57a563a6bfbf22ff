/* agent_flags.c - the agent's command line, environment, /flags and man page in one table */
#include "agent/agent_options.h"

#include <stddef.h>

#define AT(member) offsetof(struct agent_options, member)

/* clang-format off */
const struct flag agent_flags[] = {
    { "master", FLAG_STRING, AT(master), NULL,
      "The master, as host:port. A host name is resolved anew at each attempt to register.", true },
    { "work_dir", FLAG_STRING, AT(work_dir), NULL,
      "Folder for sandboxes and for what the agent must remember. It is kept between starts: an "
      "agent that finds its tasks there takes them over again.", true },
    { "ip", FLAG_STRING, AT(ip), NULL,
      "IP address to listen on; 0.0.0.0 for all. Default: LIBPROCESS_IP, else 127.0.0.1." },
    { "port", FLAG_INT, AT(port), "5051",
      "Port to listen on; 0 for a free one.", .max = 65535 },
    { "advertise_ip", FLAG_STRING, AT(advertise_ip), NULL,
      "IP address that others reach this agent at, when it is not the one it listens on." },
    { "advertise_port", FLAG_INT, AT(advertise_port), "0",
      "Port that others reach this agent at; 0: the one it listens on.", .max = 65535 },
    { "hostname", FLAG_STRING, AT(hostname), NULL,
      "Name of this machine for masters, offers and people. Default: the system's." },
    { "resources", FLAG_STRING, AT(resources), NULL,
      "What to offer, as 'cpus:4;mem:1024;disk(role):100;ports:[31000-32000]'. Of cpus, mem, disk "
      "and ports that are not named here the machine's are offered." },
    { "attributes", FLAG_STRING, AT(attributes), NULL,
      "What to say about this machine, as 'rack:abc;level:10'." },
    { "default_role", FLAG_STRING, AT(default_role), "*",
      "Role that resources without one in --resources are reserved for." },
    { "registration_backoff_factor", FLAG_DURATION, AT(registration_backoff_factor), "1secs",
      "The first registration comes after a random time up to this; later ones after longer "
      "ones, up to 1 minute.", .max = 60 },
    { "executor_registration_timeout", FLAG_DURATION, AT(executor_registration_timeout), "1mins",
      "An executor that has not registered after this time is killed.", .min = 0.001, .max = 1e9 },
    { "executor_reregistration_timeout", FLAG_DURATION, AT(executor_reregistration_timeout),
      "2secs", "After a restart of the agent an executor that has not come back after this time "
      "is killed; at most 15secs.", .min = 0.001, .max = 15 },
    { "executor_shutdown_grace_period", FLAG_DURATION, AT(executor_shutdown_grace_period), "5secs",
      "Time for an executor to end by itself when it was told to.", .max = 1e9 },
    { "recovery_timeout", FLAG_DURATION, AT(recovery_timeout), "15mins",
      "Executors of checkpointing frameworks wait this long for their agent to come back.",
      .max = 1e9 },
    { "gc_delay", FLAG_DURATION, AT(gc_delay), "1weeks",
      "Sandboxes are removed this long after their executor has ended.", .max = 1e9 },
    { "switch_user", FLAG_BOOL, AT(switch_user), "true",
      "Run tasks as the user that their framework wants; needs root unless that is the agent's "
      "own. With --no-switch_user they run as the agent's user." },
    { "launcher_dir", FLAG_STRING, AT(launcher_dir), NULL,
      "Folder of the helper programs (mesos-lite-launcher, mesos-lite-fetcher). Default: that of "
      "the agent's own binary when they are there, else where they were installed." },
    { "authenticate_http_readonly", FLAG_BOOL, AT(authenticate_http_readonly), "false",
      "Whether who asks an endpoint that only tells (/state, /metrics, /files, ...) must be one of "
      "--http_credentials." },
    { "authenticate_http_readwrite", FLAG_BOOL, AT(authenticate_http_readwrite), "false",
      "The same for endpoints that change something, and for the operator API." },
    { "http_credentials", FLAG_STRING, AT(http_credentials), NULL,
      "File of names and secrets: JSON {\"credentials\": [{\"principal\": ..., \"secret\": "
      "...}]}, or lines of a name and a secret." },
    { "http_authenticators", FLAG_STRING, AT(http_authenticators), "basic",
      "How operators say who they are: 'basic' is HTTP's Basic." },
    { "firewall_rules", FLAG_STRING, AT(firewall_rules), NULL,
      "Endpoints that answer 403, with all below them: JSON {\"disabled_endpoints\": {\"paths\": "
      "[\"/files/browse\", ...]}}, or a file of it." },
    { "address_file", FLAG_STRING, AT(address_file), NULL,
      "File to write ip:port to when the agent listens." },
    { "threads", FLAG_INT, AT(threads), "0",
      "Worker threads; 0: one for each CPU.", .max = 1024 },
    { "log", FLAG_STRING, AT(log), "info",
      "Least level of log lines: error, warning, info or debug; debug:a,b for files a.c and b.c." },
    { "log_format", FLAG_STRING, AT(log_format), "glog",
      "Form of log lines: glog, or json for machines." },
    { "external_log_file", FLAG_STRING, AT(external_log_file), NULL,
      "File that somebody else writes what the agent logs to; /files and READ_FILE show it as "
      "/slave/log." },
    { "version", FLAG_BOOL, AT(version), "false", "Print the version and exit." },
    { NULL },
};
/* clang-format on */
