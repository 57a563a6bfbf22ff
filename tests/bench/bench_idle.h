/* bench_idle.h - what an OS process costs, as the kernel tells it */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include <sys/types.h>

double bench_idle_ms_of(pid_t pid);     /* of CPU, of all its threads, since its start */
double bench_idle_memory_of(pid_t pid); /* resident, in MB */

#endif
