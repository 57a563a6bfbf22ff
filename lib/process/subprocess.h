/* subprocess.h - another program, and a future of how it ends
 *
 * What host_spawn starts, for code in actors: the exit status is a future, which
 * may be asked for any number of times, errors of exec are errors of the call,
 * and what goes through CHILD_PIPE (host.h) comes as futures, too.  A subprocess
 * whose last reference ends goes on running; its pipes are closed behind what
 * was asked of them before.
 *
 *     char *argv[] = { "sort", NULL };
 *     struct child_spec spec = { .path = "sort", .argv = argv,
 *                                .in = CHILD_PIPE, .out = CHILD_PIPE };
 *     struct subprocess *s = subprocess_spawn(rt, &spec, &err);
 *     future_unref(subprocess_write(s, text, size));
 *     subprocess_close(s, SUBPROCESS_IN);
 *     f = THEN(subprocess_read_all(s, SUBPROCESS_OUT, 1 << 20), sorted, self, op);
 */
#ifndef SUBPROCESS_H
#define SUBPROCESS_H

#include <sys/types.h>

#include "process/bytes.h"
#include "process/host.h"
#include "process/typed.h"

struct error;
struct runtime;
struct subprocess;

FUTURE_TYPE(subprocess_status, int);     /* waitpid's */

/* NULL with the reason.  spec.pipes is not looked at. */
struct subprocess *subprocess_spawn(struct runtime *rt, const struct child_spec *spec,
                                    struct error *err);
struct subprocess *subprocess_ref(struct subprocess *s);
void subprocess_unref(struct subprocess *s);                   /* NULL is fine */

pid_t subprocess_pid(const struct subprocess *s);
struct future *subprocess_wait(struct subprocess *s);          /* of subprocess_status */
/* To the process, or to its process group (of new_session).  ESRCH when it has ended. */
int subprocess_signal(struct subprocess *s, int signo, struct error *err);
int subprocess_signal_group(struct subprocess *s, int signo, struct error *err);

/* ---- its pipes: those of CHILD_PIPE; any thread ---- */

enum subprocess_end { SUBPROCESS_IN, SUBPROCESS_OUT, SUBPROCESS_ERR };

/* Of bytes: what has come, up to 64 KiB; nothing (size 0) at the end,
 * however often one asks.  Nothing is read ahead: a child whose output nobody
 * asks for waits.  One that waits for bytes may be discarded, and takes none. */
struct future *subprocess_read(struct subprocess *s, enum subprocess_end from);
/* All up to its end.  FAILED with EMSGSIZE when that is longer than the limit; the
 * pipe is closed then, and the child gets SIGPIPE or EPIPE. */
struct future *subprocess_read_all(struct subprocess *s, enum subprocess_end from, size_t limit);
/* Copies the bytes.  READY with nothing when the kernel has taken them all: whoever
 * has much to write waits for that.  FAILED with EPIPE when the child does not read
 * any more. */
struct future *subprocess_write(struct subprocess *s, const void *data, size_t size);
/* Of SUBPROCESS_IN: the child sees the end behind what was written before. */
void subprocess_close(struct subprocess *s, enum subprocess_end end);

#endif
