/* scheduler_private.h - the scheduler library's state, for its two files */
#ifndef SCHEDULER_PRIVATE_H
#define SCHEDULER_PRIVATE_H

#include "framework/scheduler.h"
#include "process/message.h"
#include "process/typed.h"
#include "proto/scheduler_v0.pb-c.h"

struct scheduler {
    struct process process;
    struct pid pid;                          /* of the process, for those outside */
    struct scheduler_callbacks callbacks;
    void *arg;

    struct text *master_name;                /* as the user gave it */
    struct message *info;                    /* Pb__FrameworkInfo as given */
    struct text *id;                         /* NULL until we have one */
    bool explicit_acknowledgements, partition_aware;

    struct pid master;                       /* empty until resolved */
    bool connected;                          /* subscribed with the master that we are linked to */
    bool failover; /* the next SUBSCRIBE takes the id over from another scheduler */
    bool link_broke; /* since it was made: we would not hear of the master's end */
    bool was_registered;
    bool starts_later;
    bool leaving;                            /* TEARDOWN, until the master has heard it */
    unsigned leave_tries;
    bool failed;                             /* the master refused us for good, or we have left */
    uint64_t attempt;                        /* of subscriptions; tells late answers apart */
    struct duration backoff_first, backoff;
    struct timer retry_timer;
};

/* scheduler_calls.c: to the master, with our id filled in. */
void scheduler_calls_send(struct scheduler *s, PbScheduler__Call *call,
                          PbScheduler__Call__Type type);
void scheduler_calls_send_teardown(struct scheduler *s);
/* scheduler.c: tears down until the master has heard it. */
void scheduler_leave(struct scheduler *s);
/* scheduler.c: a status of our own making, delivered as an event of its own. */
void scheduler_deliver_own(struct scheduler *s, const Pb__TaskStatus *status);

#endif
