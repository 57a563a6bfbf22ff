/* sim_executor.h - a custom executor, written with executor/executor.h, as a simulated OS process
 *
 * It runs any number of tasks at once; a task's `data` is its command
 * (sim_launcher.h).  It ends when it is told to, or after 30 s without a task.
 */
#ifndef SIM_EXECUTOR_H
#define SIM_EXECUTOR_H

struct sim_program;

extern const struct sim_program sim_executor_program;

#endif
