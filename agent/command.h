/* command.h - from a forked child to the command that was asked for
 *
 * A session of its own, the task's user, its folder, its output files, no
 * inherited signal state; it dies with its parent.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <sys/types.h>

#include "base/compiler.h"

struct launch_request;

/* In the child of fork.  When it cannot become the command, it writes the
 * reason to `report`, a close-on-exec descriptor, and ends. */
void command_exec(const struct launch_request *request, pid_t parent, int report) NORETURN;

#endif
