/* supervisor.h - what the launcher forks for each run
 *
 * run.h tells what it does.  It is the forked launcher itself, without an exec:
 * that is what makes a run cheap.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

struct error;
struct launch_request;

/* What it writes to the pipe, once, when `started` stands or cannot be made.
 * One write, shorter than PIPE_BUF; both ends are the same program. */
struct supervisor_answer { int code; pid_t pid; uint64_t start_time; char text[200]; };

/* In the child of fork, all signals blocked.  answer: the pipe's end; every
 * other descriptor above 2 is closed. */
void supervisor_run(const struct launch_request *request, const char *boot_id, int answer) NORETURN;

/* Opens (makes) a file of the folder and takes its lock, of the kind that
 * file_lock of host.h takes; the descriptor, or -1 with EAGAIN when another
 * holds it. */
int supervisor_lock(int folder, const char *name, struct error *err);

#endif
