/* appointed.h - an election whose leader the test appoints */
#ifndef APPOINTED_H
#define APPOINTED_H

#include "base/memory.h"
#include "master/election.h"
#include "process/message.h"
#include "proto/mesos.pb-c.h"

struct appointed {
    struct election election;
    struct message *candidate; /* once it stands */
};

static inline void appointed_stand(struct election *e, struct message *candidate)
{
    ((struct appointed *)e)->candidate = message_ref(candidate);
    election_tell(e, NULL);
}

static inline void appointed_destroy(struct election *e)
{
    message_unref(((struct appointed *)e)->candidate);
    mem_free(e);
}

/* Its master's, which ends it. */
static inline struct appointed *appointed_create(void)
{
    static const struct election_ops ops = { appointed_stand, appointed_destroy };
    struct appointed *a = mem_alloc(sizeof *a);

    a->election.ops = &ops;
    return a;
}

/* Another master leads. */
static inline void appoint_other(struct appointed *a, const char *hostname, int port)
{
    Pb__MasterInfo info = PB__MASTER_INFO__INIT;
    struct message *leader;

    info.id = "another";
    info.hostname = hostname;
    info.port = port;
    leader = message_create(&info.base);
    election_tell(&a->election, leader);
    message_unref(leader);
}

static inline void appoint_nobody(struct appointed *a)
{
    election_tell(&a->election, NULL);
}

/* The one that stands. */
static inline void appoint_candidate(struct appointed *a)
{
    election_tell(&a->election, a->candidate);
}

#endif
