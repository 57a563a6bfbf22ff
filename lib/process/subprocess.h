/* subprocess.h - another program, and a future of how it ends
 *
 * What host_spawn starts, for code in actors: the exit status is a future, which
 * may be asked for any number of times, and errors of exec are errors of the
 * call.  A subprocess whose last reference ends goes on running.
 */
#ifndef SUBPROCESS_H
#define SUBPROCESS_H

#include <sys/types.h>

#include "process/host.h"
#include "process/typed.h"

struct error;
struct runtime;
struct subprocess;

FUTURE_TYPE(subprocess_status, int);     /* waitpid's */

/* On an actor's thread. NULL with the reason. */
struct subprocess *subprocess_spawn(struct runtime *rt, const struct child_spec *spec,
                                    struct error *err);
struct subprocess *subprocess_ref(struct subprocess *s);
void subprocess_unref(struct subprocess *s);                   /* NULL is fine */

pid_t subprocess_pid(const struct subprocess *s);
struct future *subprocess_wait(struct subprocess *s);          /* of subprocess_status */
/* To the process, or to its process group (of new_session).  ESRCH when it has ended. */
int subprocess_signal(struct subprocess *s, int signo, struct error *err);
int subprocess_signal_group(struct subprocess *s, int signo, struct error *err);

#endif
