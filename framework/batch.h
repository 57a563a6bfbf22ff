/* batch.h - a list of commands, run across the cluster: a framework
 *
 * It lives in the context of its scheduler's process, which ends when the batch
 * has: all commands are through (or it was interrupted, refused, or gave up)
 * and the master has heard that the framework is no more.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/batch_jobs.h"
#include "framework/batch_options.h"
#include "process/pid.h"

struct batch;
struct error;
struct runtime;

enum batch_stream { BATCH_STDOUT, BATCH_STDERR };

/* Where the user looks.  write: -1 when nobody reads there any more; it is
 * called in the batch's own context. */
struct batch_sink {
    int (*write)(void *arg, enum batch_stream stream, const void *data, size_t size);
    void *arg;
    bool is_terminal;                /* stderr is: a bar that is drawn over and over */
    size_t width;                    /* its columns */
};

/* options are borrowed until batch_destroy.  jobs is taken, and empty
 * afterwards, unless this fails. */
struct batch *batch_create(struct runtime *rt, const struct batch_options *options,
                           struct batch_jobs *jobs, const struct batch_sink *sink,
                           struct error *err);
/* From outside of actors; after the process has ended, or to end it. */
void batch_destroy(struct batch *b);

const struct pid *batch_pid(const struct batch *b);
/* Ctrl-C and the like; any thread.  The first kills what runs and waits for it,
 * the second ends the batch at once.  A handle may be used after the batch's end
 * (while its runtime lives): signals come at any time. */
struct batch_handle { struct batch *batch; struct pid pid; };
struct batch_handle batch_handle_of(struct batch *b);       /* ends by pid_release of pid */
void batch_interrupt(const struct batch_handle *h, int signo);
/* When the process has ended: 0 all succeeded, 1 not, 128 + signo. */
int batch_exit_status(const struct batch *b);

#endif
