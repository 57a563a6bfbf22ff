/* election.h - who leads, as one master takes part in it
 *
 * A master stands as the MasterInfo it gives, and hears of every change of the leader.  Whom
 * it hears of leads; when that is itself it recovers and serves, else it sends clients there.
 * One that led and does not any more ends itself: another may lead already.
 *
 * Kinds: standalone, where who stands leads; tests have one whose leader they appoint
 * (tests/master/appointed.h).  A kind embeds struct election and fills in its ops.
 */
#ifndef ELECTION_H
#define ELECTION_H

struct election;
struct message;
struct pid;

struct election_ops {
    /* Once; `candidate` is a Pb__MasterInfo.  From now on every change is told. */
    void (*stand)(struct election *e, struct message *candidate);
    void (*destroy)(struct election *e);
};

/* On any thread; leader NULL: nobody leads.  The message stays the caller's. */
typedef void (*election_tell_f)(const struct pid *to, struct message *leader);

struct election {
    const struct election_ops *ops;
    const struct pid *voter; /* who is told, and how; both from election_stand */
    election_tell_f tell;
};

/* `voter` must live until election_destroy. */
void election_stand(struct election *e, const struct pid *voter, election_tell_f tell,
                    struct message *candidate);
void election_destroy(struct election *e); /* NULL is fine */

/* For the kinds: who leads now. */
void election_tell(struct election *e, struct message *leader);

struct election *election_standalone(void);

#endif
