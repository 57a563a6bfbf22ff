/* faults.h - what goes wrong in a simulated cluster, by chance
 *
 * One fault at a time is begun; those that last end by themselves after a
 * while.  faults_stop ends all and has everything run again.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "cluster.h"

/* clang-format off */
#define FAULT_KINDS(ON)                                     \
    ON(BREAK,        "connection broken")                   \
    ON(SILENCE,      "connection silent")                   \
    ON(PARTITION,    "partition, two-way")                  \
    ON(PARTITION_1,  "partition, one-way")                  \
    ON(KILL_MASTER,  "kill -9 of the master")               \
    ON(KILL_AGENT,   "kill -9 of an agent")                 \
    ON(KILL_FRAMEWORK, "kill -9 of a framework")            \
    ON(KILL_LAUNCHER, "kill -9 of a launcher")              \
    ON(KILL_SUPERVISOR, "kill -9 of a supervisor")          \
    ON(CRASH_MASTER, "power loss of the master's machine")  \
    ON(CRASH_AGENT,  "power loss of an agent's machine")    \
    ON(DISK_FULL,    "disk full for a while")               \
    ON(REFUSE,       "connects refused for a while")
/* clang-format on */

#define FAULT_ENUM_(kind, text) FAULT_##kind,
enum fault_kind { FAULT_KINDS(FAULT_ENUM_) FAULT_KIND_COUNT };

const char *faults_text(enum fault_kind kind);

struct faults;
struct faults *faults_create(struct cluster *c);
void faults_destroy(struct faults *f);

/* Begins one of this kind; false where it finds nothing to break. */
bool faults_begin(struct faults *f, enum fault_kind kind);
/* Ends what is due; to be called now and then. */
void faults_tick(struct faults *f);
void faults_stop(struct faults *f);

#endif
