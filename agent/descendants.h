/* descendants.h - all that came of an OS process
 *
 * Found by the kernel's lists of children (or, where it has none, by looking at
 * every process), so also what has left its session or group.  What was
 * orphaned is found when the root is a child subreaper.
 */
#ifndef DESCENDANTS_H
#define DESCENDANTS_H

#include <sys/types.h>

/* To each of them that is not of process group `except` (0: to each). */
void descendants_signal(pid_t root, pid_t except, int signo);

/* SIGKILL to each.  They are stopped first, so that none that was found has
 * new ones while we look. */
void descendants_kill(pid_t root);

/* SIGKILL to the direct children for which kill_it is true, and to theirs. */
void descendants_kill_children(int (*kill_it)(void *arg, pid_t child), void *arg);

#endif
