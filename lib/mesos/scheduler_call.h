/* scheduler_call.h - a call of the v1 scheduler API: is it whole, and what is it to the master?
 *
 * Pure functions.  The master serves drivers (v0) and HTTP schedulers (v1) with the same handlers,
 * which take the call of v0: as bytes the two are the same but for Subscribe.
 */
#ifndef SCHEDULER_CALL_H
#define SCHEDULER_CALL_H

struct arena;
struct error;
typedef struct PbScheduler__Call PbScheduler__Call;
typedef struct PbSchedulerV1__Call PbSchedulerV1__Call;

/* `principal` is that of the authenticated request, or NULL.  The sentence on failure is Mesos's,
 * what follows "Failed to validate scheduler::Call: ".  A call of type UNKNOWN is valid. */
int scheduler_call_validate(const PbSchedulerV1__Call *call, const char *principal,
                            struct error *err);

/* The same call as a driver would send it, a deep copy in the arena.  A subscription of v1 always
 * wins over an older one: `force` is set. */
PbScheduler__Call *scheduler_call_to_v0(const PbSchedulerV1__Call *call, struct arena *arena);

#endif
