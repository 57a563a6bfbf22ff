/* sim_supervisor.h - a run's supervisor as a simulated OS process (agent/run.h) */
#ifndef SIM_SUPERVISOR_H
#define SIM_SUPERVISOR_H

#include <stdint.h>

struct launch_answer;
struct ledger;
struct sim_program;

/* argv: name, number of the launcher, number of the start, the run's folder, the
 * working directory; then the command's. */
enum { SUPERVISOR_ARGUMENTS = 5 };
extern const struct sim_program sim_supervisor_program;

/* What it has to say to its launcher, if that one lives. */
void sim_supervisor_answer(struct ledger *ledger, uint64_t launcher, uint64_t number,
                           const struct launch_answer *a);

#endif
