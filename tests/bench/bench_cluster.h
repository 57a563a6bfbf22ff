/* bench_cluster.h - a master and an agent as OS processes, for measurements */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct measure;

#define BENCH_CLUSTER_PATH 300

struct bench_cluster {
    char dir[BENCH_CLUSTER_PATH]; /* of this run */
    char master_address[64];
    pid_t master, agent;
};

/* Waits until the agent is registered.  -1: a program is missing or has ended; m
 * says which, and nothing is left. */
int bench_cluster_start(struct bench_cluster *c, struct measure *m);
/* Only a master; what a run leaves of files is removed at the end of everything. */
int bench_cluster_start_master(struct bench_cluster *c, struct measure *m);
unsigned short bench_cluster_master_port(const struct bench_cluster *c);
/* Ends and waits for all children and their children, so that their CPU time
 * counts as ours. */
void bench_cluster_stop(struct bench_cluster *c);

/* A new folder below $TMPDIR.  All are removed at the end of everything: ext4 does
 * not reuse inodes just freed, and the search for others would be in the next run's
 * time. */
void bench_cluster_folder(char path[BENCH_CLUSTER_PATH]);
void bench_cluster_remove(const char *path);

/* A program of the build folder, or NULL: not built. */
const char *bench_cluster_program(const char *name, char path[BENCH_CLUSTER_PATH]);
/* Starts it; in (may be NULL) is the file for its standard input. */
pid_t bench_cluster_run(const char *path, const char *const argv[], const char *in,
                        const char *log);

#endif
