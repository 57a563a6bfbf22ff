/* launcher_protocol.h - what the agent and its launcher say to each other
 *
 * Over an AF_UNIX stream, <work_dir>/meta/launcher.sock, of the same user:
 *
 *   agent -> launcher   a launch_request: start this run
 *   launcher -> agent   a launch_answer with the same number: the supervisor
 *                       has written `started` (pid, start time), or why not
 *
 * Each is a frame: uint32 length of what follows, uint32 version, then the
 * fields in the order of the struct, integers in native byte order, texts as
 * uint32 length and bytes.  Pure functions; both ends and the tests use these.
 */
#ifndef LAUNCHER_PROTOCOL_H
#define LAUNCHER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct buffer;
struct error;

#define LAUNCHER_PROTOCOL_VERSION 1
#define LAUNCHER_FRAME_MAX (4 * 1024 * 1024)       /* bytes; more is refused */

struct launch_request {
    uint64_t number;                /* of the agent's choice; comes back */
    char *folder;                   /* of the run (run.h) */
    char *directory;                /* working directory: the sandbox */
    char *program;                  /* looked up in PATH of envp when it has no '/' */
    char **argv, **envp;            /* end with NULL */
    char *out, *err;                /* files, appended */
    bool set_user;
    uint32_t uid, gid;
    uint32_t *groups, n_groups;     /* supplementary ones */
};

struct launch_answer {
    uint64_t number;
    int code;                       /* 0, or an errno value */
    char *text;                     /* the reason, "" */
    pid_t pid;                      /* of the supervisor */
    uint64_t start_time;
};

void launch_request_pack(const struct launch_request *r, struct buffer *out);
void launch_answer_pack(const struct launch_answer *a, struct buffer *out);
/* 1 and the frame consumed; 0: not all there yet; -1: not our protocol. */
int launch_request_unpack(struct buffer *in, struct launch_request *ret_request, struct error *err);
int launch_answer_unpack(struct buffer *in, struct launch_answer *ret_answer, struct error *err);
void launch_request_release(struct launch_request *r);
void launch_answer_release(struct launch_answer *a);

#endif
