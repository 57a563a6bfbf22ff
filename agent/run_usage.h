/* run_usage.h - what runs use: each its first OS process and all that came of it
 *
 * Pure: the processes are those that host_processes has seen.
 */
#ifndef RUN_USAGE_H
#define RUN_USAGE_H

#include "process/host.h"

struct run_usage {
    pid_t pid; /* of the run, with its start time; the rest is filled in */
    uint64_t start_time;
    unsigned processes; /* 0: there is no such process, or not any more */
    struct duration user, system;
    uint64_t resident_bytes;
};

void run_usage_sum(const struct host_process *processes, size_t n, struct run_usage *runs,
                   size_t n_runs);

#endif
