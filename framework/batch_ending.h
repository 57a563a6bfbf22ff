/* batch_ending.h - what a TaskStatus says about a command: pure */
#ifndef BATCH_ENDING_H
#define BATCH_ENDING_H

#include <stdbool.h>

#include "proto/mesos.pb-c.h"

enum batch_verdict {
    BATCH_ALIVE,             /* staging, starting, running, being killed */
    BATCH_UNREACHABLE,       /* its agent is; it may come back */
    BATCH_SUCCEEDED,
    BATCH_FAILED,            /* ended, not well */
    BATCH_NOT_STARTED,       /* certainly: it can be launched again without harm */
    BATCH_INVALID,           /* the master refuses it: trying again is of no use */
    BATCH_MAY_HAVE_RUN,      /* its agent is gone, nobody knows */
};

struct batch_ending { enum batch_verdict verdict; int exit_value, signal; };

/* exit_value and signal are those of the job log: of a command that was ended
 * by a signal 0 and its number; 255 and 0 for a failure that has no status; both
 * -1 for BATCH_MAY_HAVE_RUN. */
/* heard: the agent has spoken of the task before.  If it has not, and is there
 * and does not know the task when the master asks (TASK_GONE at reconciliation),
 * the task has never reached it: what an agent accepts it remembers before it
 * acts, until its end is acknowledged, and it takes no launch of a master that
 * it has left since. */
struct batch_ending batch_ending_of(const Pb__TaskStatus *status, bool heard);

#endif
