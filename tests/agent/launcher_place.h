/* launcher_place.h - a work directory with the real mesos-lite-launcher, for tests
 *
 * A test speaks to it by the raw socket, or lets the agent's side do that.  All
 * waits are for an event: a line of its log, an answer, an end (pidfd), bytes
 * in a FIFO.
 */
#ifndef LAUNCHER_PLACE_H
#define LAUNCHER_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/launcher_protocol.h"
#include "agent/run.h"
#include "base/buffer.h"

struct launcher_place {
    char dir[64]; /* the work directory, with meta/runs and the FIFOs `up` and `go` */
    pid_t launcher;                   /* 0: none */
    int log;                          /* its stderr */
    int socket;
    struct buffer in;
};

void launcher_place_init(struct launcher_place *p);
void launcher_place_release(struct launcher_place *p); /* kills the launcher, removes the folder */
const char *launcher_place_program(void);

/* Starts it and waits until it listens. */
void launcher_place_start(struct launcher_place *p);
void launcher_place_kill(struct launcher_place *p);          /* kill -9, reaped */
void launcher_place_connect(struct launcher_place *p);
/* A request for `sh -c script` in meta/runs/<id>, whose folder is made. */
struct launch_request launcher_place_request(struct launcher_place *p, const char *id,
                                             const char *script);
struct launch_answer launcher_place_ask(struct launcher_place *p, const struct launch_request *r);
/* Both, and it must stand; the supervisor's pid. */
pid_t launcher_place_run(struct launcher_place *p, const char *id, const char *script);

void launcher_place_await(pid_t pid);                        /* until that process has ended */
struct run_exit launcher_place_exit(struct launcher_place *p, const char *id);
bool launcher_place_is_locked(struct launcher_place *p, const char *id);
/* A file below the work directory: caller frees. */
char *launcher_place_read(struct launcher_place *p, const char *name);
/* From FIFO `up`: a number; to FIFO `go`: a line. */
pid_t launcher_place_up(struct launcher_place *p);
void launcher_place_go(struct launcher_place *p, const char *line);

#endif
