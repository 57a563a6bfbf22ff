/* subprocess_pipe.h - a child's input or output, as futures
 *
 * What subprocess.c has of each CHILD_PIPE.  All of it on any thread.
 */
#ifndef SUBPROCESS_PIPE_H
#define SUBPROCESS_PIPE_H

#include <stdbool.h>
#include <stddef.h>

struct future;
struct runtime;
struct stream;
struct subprocess_pipe;
struct worker;

/* Takes the stream, which belongs to no loop yet. */
struct subprocess_pipe *subprocess_pipe_create(struct runtime *rt, struct worker *w,
                                               struct stream *stream, bool we_write);
/* When the last user has gone: it is closed behind what was asked before. */
void subprocess_pipe_unref(struct subprocess_pipe *p); /* NULL is fine */

struct future *subprocess_pipe_read(struct subprocess_pipe *p);
struct future *subprocess_pipe_read_all(struct subprocess_pipe *p, size_t limit);
struct future *subprocess_pipe_write(struct subprocess_pipe *p, const void *data, size_t size);
void subprocess_pipe_close(struct subprocess_pipe *p);

#endif
