/* program.h - what every main has in common: a host, a log, a runtime, an end
 *
 * Start binds and logs; wait returns when a process has ended or somebody asks
 * us to (SIGTERM, SIGINT, SIGHUP); stop takes everything down.  On stderr goes
 * the log; an error of the start is for main to print, and names the flag.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>

#include "process/pid.h"

struct error;
struct host;
struct log;
struct runtime;

/* What is NULL or 0 is taken from the environment (program_environment.h), else
 * as said here. */
struct program_options {
    const char *ip;                /* bind; else 127.0.0.1; 0.0.0.0 needs an advertise_ip */
    int64_t port;                  /* else a free one */
    const char *advertise_ip;      /* else as bound */
    int64_t advertise_port;        /* else as bound */
    int64_t threads;               /* else as many as CPUs */
    const char *log;               /* levels, log.h; NULL: info */
    const char *log_format;        /* "glog" or "json"; NULL: glog */
    const char *version;           /* of /version; NULL: PACKAGE_VERSION */
    /* runtime.h: called before anybody outside is heard */
    int (*prepare)(struct runtime *rt, void *arg, struct error *err);
    void *prepare_arg;
};

struct program {
    struct host *host;
    struct log *log;
    struct runtime *runtime;
    struct program_wait *wait;     /* program.c */
};

/* Takes the host, on failure too: then there is nothing to stop. */
int program_start(struct program *p, struct host *host, const struct program_options *options,
                  struct error *err);
/* Only the runtime, by the options above `log` and by the environment, for a main
 * that has a host, a log and signals of its own; NULL with the reason. */
struct runtime *program_runtime(struct host *host, struct log *log,
                                const struct program_options *options, struct error *err);
/* Writes "ip:port\n" into the file, atomically: the program is up. */
int program_write_address(struct program *p, const char *path, struct error *err);
/* The number of the signal, or 0 when the process has ended. */
int program_wait(struct program *p, const struct pid *pid);
void program_stop(struct program *p);          /* the host too */

#endif
