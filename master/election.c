/* election.c - what all kinds of election share, and the one without rivals */
#include "master/election.h"

#include "base/memory.h"

void election_stand(struct election *e, const struct pid *voter, election_tell_f tell,
                    struct message *candidate)
{
    e->voter = voter;
    e->tell = tell;
    e->ops->stand(e, candidate);
}

void election_tell(struct election *e, struct message *leader)
{
    e->tell(e->voter, leader);
}

void election_destroy(struct election *e)
{
    if (e)
        e->ops->destroy(e);
}

/* ---- standalone: who stands leads ---- */

static void standalone_destroy(struct election *e)
{
    mem_free(e);
}

struct election *election_standalone(void)
{
    static const struct election_ops ops = { election_tell, standalone_destroy };
    struct election *e = mem_alloc(sizeof *e);

    e->ops = &ops;
    return e;
}
