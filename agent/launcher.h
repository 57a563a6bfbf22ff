/* launcher.h - the agent's side of its launcher
 *
 * The launcher is a small program that outlives the agent and parents the
 * supervisors (run.h).  This actor finds the one of its work directory, or
 * starts it, and asks it to start runs; it follows runs to their end by pidfd,
 * whether it had them started or recovered them, so that there is one way.
 *
 * A launcher that dies is started again; the runs it had go on under their
 * supervisors.  A start that was asked for and not answered when the connection
 * broke is asked for again: the supervisor's exclusive `started` makes that
 * safe, and EEXIST is then looked up in the record.
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include "agent/launcher_protocol.h"
#include "agent/run.h"
#include "process/typed.h"

struct launcher;
struct runtime;

/* Spawns the actor.  program: path of mesos-lite-launcher. */
struct launcher *launcher_create(struct runtime *rt, const char *work_dir, const char *program,
                                 struct error *err);
void launcher_destroy(struct launcher *l);           /* runs and the launcher program live on */

/* A future of struct run_started: the supervisor stands and has written
 * `started`.  The request is copied; number is set inside. */
FUTURE_TYPE(run_started, struct run_started);
struct future *launcher_start(struct launcher *l, const struct launch_request *request);

/* A future of struct run_exit: READY when the supervisor has ended, with what
 * `exit` says, or "supervisor was killed" when there is none.  A discard only
 * stops following. */
FUTURE_TYPE(run_exit, struct run_exit);
struct future *launcher_wait(struct launcher *l, const char *folder,
                             const struct run_started *started);

/* A future of nothing; READY also when the run has ended already. */
struct future *launcher_signal(struct launcher *l, const struct run_started *started, int signo);

#endif
