/* sim_supervisor.h - a run's supervisor as a simulated OS process (agent/run.h) */
#ifndef SIM_SUPERVISOR_H
#define SIM_SUPERVISOR_H

#include <stdint.h>

struct launch_answer;
struct ledger;
struct sim;
struct sim_program;

/* argv: name, number of the launcher, number of the start, the run's folder, the
 * working directory; then the command's. */
enum { SUPERVISOR_ARGUMENTS = 5 };
extern const struct sim_program sim_supervisor_program;

/* kill -9 of one of them, any, and of the command with it; -1: none runs. */
int sim_supervisor_kill_one(struct ledger *ledger, struct sim *s);

/* What it has to say to its launcher, if that one lives. */
void sim_supervisor_answer(struct ledger *ledger, uint64_t launcher, uint64_t number,
                           const struct launch_answer *a);

#endif
