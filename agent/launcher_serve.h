/* launcher_serve.h - the launcher's work: agents ask, supervisors are forked */
#ifndef LAUNCHER_SERVE_H
#define LAUNCHER_SERVE_H

struct launcher_serve;

/* signals: a signalfd of SIGCHLD, SIGTERM and SIGINT, which are blocked.
 * listener: a listening socket that does not block, at `socket_name` of the
 * current folder.  lock: the descriptor of the launcher's lock.  All three are
 * taken, boot_id is borrowed. */
struct launcher_serve *launcher_serve_create(int signals, int listener, const char *socket_name,
                                             int lock, const char *boot_id);
void launcher_serve_destroy(struct launcher_serve *s);

/* Returns when there is nothing left to do: nobody is connected and no run lives
 * for a while, or it was told to stop and no run lives. */
void launcher_serve_run(struct launcher_serve *s);

#endif
