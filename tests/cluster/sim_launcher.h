/* sim_launcher.h - the agent's helper programs, in the simulated world
 *
 * mesos-lite-launcher   listens at <work_dir>/meta/launcher.sock and starts a
 *                       supervisor for each request (launcher_protocol.h)
 * mesos-lite-run        a supervisor: follows agent/run.h step by step, with a
 *                       command that is understood, not executed
 * mesos-lite-fetcher    succeeds after a second, fails where the URIs say so
 *
 * Commands: "sleep 2.5; exit 3" runs for 2.5 virtual seconds and exits with 3;
 * with "trap '' TERM;" in front it does not heed SIGTERM; "exec sim-executor"
 * starts the custom executor of sim_executor.h as a child, "exec sim-http-executor" that of
 * sim_http_executor.h.
 */
#ifndef SIM_LAUNCHER_H
#define SIM_LAUNCHER_H

struct host;
struct sim;
struct sim_node;

void sim_launcher_add_programs(struct sim *s);

/* kill -9 of the launcher of this node; false when none runs. */
struct ledger;
int sim_launcher_kill(struct ledger *l, struct sim_node *n);

/* A variable of an environment, or NULL. */
const char *sim_launcher_variable(char *const *envp, const char *name);

#endif
