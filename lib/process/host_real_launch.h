/* host_real_launch.h - a launch, as its parent (host_real_child.c) and the new OS
 * process (host_real_exec.c) know it
 */
#ifndef HOST_REAL_LAUNCH_H
#define HOST_REAL_LAUNCH_H

#include <sys/types.h>

#include "process/host.h"

/* What a new OS process does, and what may fail. */
enum launch_step {
    LAUNCH_CLONE,
    LAUNCH_STDIO,
    LAUNCH_SESSION,
    LAUNCH_USER,
    LAUNCH_DIRECTORY,
    LAUNCH_TIE,
    LAUNCH_SIGNALS,
    LAUNCH_EXEC
};

struct launch_failure {
    enum launch_step step;
    int code; /* an errno value; 0: none */
};

struct launch {
    const struct child_spec *spec;
    char **candidates; /* paths to try, ends with NULL */
    char **shell_argv; /* for a script without "#!" */
    char *const *envp;
    gid_t *groups; /* of set_user */
    int n_groups;
    bool change_user;
    int stdio[3]; /* -1: inherit; above 2 */
    /* For a child that waits for its parent's hooks, a socket.  It says "no failure"
     * when it begins to wait; one byte means go, an end without it that the parent
     * has gone.  Then comes the failure, or the end when the program runs.  -1:
     * such a launch is told in memory, while the parent's thread is suspended. */
    int link;                /* the parent's end; closed with the launch */
    int child_link;          /* above 2 */
    bool is_child_link_open; /* here */
    char *stack;             /* NULL: the OS process has one from elsewhere */
    pid_t parent, pid;
    int pidfd;                     /* -1: not known yet */
    struct launch_failure failure; /* written by the child, or by who could not make it */
};

/* In the child: execs, or tells why not and exits.  arg is the launch. */
int host_real_exec_child(void *arg);

#endif
