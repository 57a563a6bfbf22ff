/* host.h - the one seam to the outside
 *
 * Everything that is not pure computation goes through a host: time, chance,
 * streams, names, files, children, signals, facts about the machine, work off
 * the actors' threads, and which runnable actor goes next.  Two exist:
 * host_real.c is libevent and Linux; host_sim.c (sim.h) is a world in memory
 * that makes every choice from one seed.  Nothing else in the tree imports
 * clock_gettime, socket, open, fork, pthread_create or getrandom: `make check`
 * holds that by nm.
 *
 * A host is one OS process as the world sees it.  Callbacks come on the thread
 * of the loop they belong to, never from inside the call that asked for them.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/instant.h"
#include "process/address.h"

struct context;
struct error;
struct file;
struct flag;
struct host;
struct loop;
struct stream;
struct listener;

/* ---- time and chance: any thread ---- */

struct instant host_now(struct host *h);              /* monotonic */
struct instant host_wall(struct host *h);             /* since 1970, UTC */
void host_random(struct host *h, void *out, size_t size);
uint64_t host_random_below(struct host *h, uint64_t n);           /* uniform in [0, n) */
struct duration host_random_duration(struct host *h, struct duration max);  /* in [0, max] */
/* Which of n runnable actors goes next: 0 on the real host, any on the simulated one. */
uint32_t host_choose(struct host *h, uint32_t n);

#define UUID_SIZE 16
#define UUID_TEXT 37
void host_uuid(struct host *h, uint8_t out[UUID_SIZE]);           /* RFC 4122, version 4 */
const char *host_uuid_format(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT]);

/* ---- loops: one thread (or one simulated turn-taker) each ---- */

/* Runs what is runnable, a bounded batch; true while there is more. */
typedef bool (*loop_turn_f)(void *arg);

/* The host calls `turn` after a wake, after I/O callbacks, when the deadline
 * has passed, and again while it returns true.  Stop waits for the thread to
 * end; not from the loop's own thread. */
struct loop *host_loop_start(struct host *h, loop_turn_f turn, void *arg);
void host_loop_stop(struct loop *l);
/* In which contexts (base/context.h) callbacks come, and the work of host_async is
 * done on helper threads; they live until the loop has stopped.  Set before anything
 * is asked of it. */
void host_loop_contexts(struct loop *l, const struct context *callbacks,
                        const struct context *helpers);
void host_loop_wake(struct loop *l);                               /* any thread */
void host_loop_deadline(struct loop *l,
                        struct instant deadline); /* own thread; INSTANT_NEVER: none */
bool host_loop_is_current(struct loop *l);
/* How many events of actors a turn should run: more on the real host, one on
 * the simulated one, whose every interleaving is a choice. */
unsigned host_turn_events(struct host *h);
unsigned host_cpus(struct host *h);

/* For a thread outside the loops: waits until done(arg) or the deadline; false
 * at the deadline.  The simulated host runs the simulation meanwhile.  Whoever
 * makes done true calls host_notify afterwards. */
bool host_wait(struct host *h, bool (*done)(void *arg), void *arg, struct instant deadline);
void host_notify(struct host *h);

/* Runs work(arg) on a helper thread, then done(arg) on the loop.  When the
 * loop stops or the host dies first, work may be left out; done still runs. */
void host_async(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);
bool host_loop_has_helpers(struct loop *l); /* some of it is not done yet; any thread */

/* ---- streams: connected, ordered bytes; on their loop's thread only ----
 *
 * Nobody waits for ever for a peer that is gone without a word (its power, or the
 * network between): the kernel asks it after 60 s without a byte, then every 10 s,
 * and a stream fails with ETIMEDOUT after the sixth question, or when what was
 * written is not acknowledged for 120 s.  It costs no wake-up of ours. */

struct stream_events {
    void (*connected)(void *arg,
                      const struct error *err); /* err NULL: it stands; NULL for accepted ones */
    void (*readable)(void *arg);
    void (*writable)(void *arg);
};

struct stream_bytes { const void *data; size_t size; };

struct stream *host_connect(struct loop *l, struct address to, const struct stream_events *events,
                            void *arg); /* never NULL; failure by connected */
struct stream *host_connect_path(struct loop *l,
                                 const char *path, /* an AF_UNIX socket; any length */
                                 const struct stream_events *events, void *arg);
/* Bytes read; 0 at the end; -1 with err->code EAGAIN, or the reason it broke. */
ssize_t stream_read(struct stream *s, void *out, size_t size, struct error *err);
/* Bytes taken, may be fewer than given; -1 with err->code EAGAIN or the reason.  What
 * was not taken begins the next write. */
ssize_t stream_write(struct stream *s, const struct stream_bytes v[], unsigned n,
                     struct error *err);
/* Level-triggered: the callback repeats while its condition and want last. */
void stream_want(struct stream *s, bool readable, bool writable);
void stream_close(struct stream *s);                               /* frees; NULL is fine */
struct address stream_peer(const struct stream *s);

/* Accepted streams belong to no loop until they are attached on a loop's own
 * thread.  Port 0 takes a free one; ret_bound says which. */
typedef void (*stream_accepted_f)(void *arg, struct stream *s);
struct listener *host_listen(struct loop *l, struct address at, stream_accepted_f accepted,
                             void *arg, struct address *ret_bound, struct error *err);
void host_listener_close(struct listener *l);                      /* NULL is fine */
void stream_attach(struct stream *s, struct loop *l, const struct stream_events *events, void *arg);

/* Name resolution; the callback comes on the loop, once, unless it stops. */
typedef void (*host_resolved_f)(void *arg, const struct error *err, uint32_t ip);
void host_resolve(struct loop *l, const char *name, host_resolved_f resolved, void *arg);

/* ---- files: synchronous; what reads or writes much, or syncs, belongs into
 * work of host_async (process_async) ---- */

enum file_mode {
    FILE_READ = 1, FILE_WRITE = 2, FILE_CREATE = 4, FILE_EXCLUSIVE = 8, FILE_TRUNCATE = 16
};

struct file_info {
    bool is_directory, is_link;
    uint32_t mode, links, uid, gid;
    uint64_t size;
    struct instant modified;        /* wall */
};

int host_open(struct host *h, const char *path, unsigned modes, unsigned permissions,
              struct file **ret_file, struct error *err);
void file_close(struct file *f); /* NULL is fine; drops its lock */
ssize_t file_read(struct file *f, uint64_t offset, void *out, size_t size, struct error *err);
int file_write(struct file *f, uint64_t offset, const void *data, size_t size,
               struct error *err); /* all or error */
int file_sync(struct file *f, struct error *err);
int file_truncate(struct file *f, uint64_t size, struct error *err);
int file_size(struct file *f, uint64_t *ret_size, struct error *err);
/* A lock of this open file against all others, also of other OS processes;
 * held until it is closed or its OS process ends.  EAGAIN: another holds it. */
int file_lock(struct file *f, struct error *err);
/* Does some OS process hold the lock on this file?  1, 0, or -1 (absent: 0). */
int host_is_locked(struct host *h, const char *path, struct error *err);

int host_stat(struct host *h, const char *path, struct file_info *ret_info,
              struct error *err); /* of a link itself */
int host_mkdir(struct host *h, const char *path, unsigned permissions, struct error *err);
int host_mkdirs(struct host *h, const char *path, unsigned permissions,
                struct error *err); /* and parents; exists: fine */
int host_rename(struct host *h, const char *from, const char *to, struct error *err);
int host_symlink(struct host *h, const char *target, const char *path,
                 struct error *err); /* replaces a link */
int host_readlink(struct host *h, const char *path, char **ret_target, struct error *err);
int host_unlink(struct host *h, const char *path, struct error *err);
int host_remove_tree(struct host *h, const char *path,
                     struct error *err); /* absent: fine; follows no link */
int host_sync_directory(struct host *h, const char *path, struct error *err);
/* That a folder which was made, perhaps with parents, lasts: syncs it and all
 * folders above it.  host_mkdirs alone does not outlast a loss of power. */
int host_sync_path(struct host *h, const char *path, struct error *err);
int host_chown(struct host *h, const char *path, uint32_t uid, uint32_t gid, struct error *err);
int host_chmod(struct host *h, const char *path, unsigned permissions, struct error *err);
/* Names without . and .., sorted by bytes; caller frees each and the array. */
int host_list(struct host *h, const char *path, char ***ret_names, size_t *ret_n,
              struct error *err);
/* Whole files.  Write goes to a temporary name, syncs, renames, syncs the folder. */
int host_read_file(struct host *h, const char *path, size_t limit, char **ret_data,
                   size_t *ret_size, struct error *err);
int host_write_file(struct host *h, const char *path, const void *data, size_t size,
                    unsigned permissions, struct error *err);
void host_free_names(char **names, size_t n);

/* ---- children and other OS processes ---- */

/* Where a child's input, output or error goes.  PATH: out and err append to the
 * file, which is made with mode 0644.  FD: a descriptor of our OS process, which
 * stays ours; the child has a duplicate.  PIPE: our end is a stream. */
enum child_stdio { CHILD_INHERIT, CHILD_NULL, CHILD_PATH, CHILD_FD, CHILD_PIPE };

/* Our ends of CHILD_PIPE, else NULL: `in` is written, the others are read.  They
 * belong to no loop until they are attached, like accepted streams.  A write to
 * a child that reads no more fails with EPIPE. */
struct child_pipes { struct stream *in, *out, *err; };

/* What the parent does for a child that waits for it, before its program runs:
 * 0, or -1 with the reason, and the child is killed and reaped.  Whoever asked
 * for the child waits meanwhile; a hook may run on another thread than his. */
struct child_hook {
    int (*run)(void *arg, pid_t pid, struct error *err);
    void *arg;
};

/* Makes an OS process, our child, which calls run(arg), in new namespaces for
 * example; run does not return.  Its memory may be ours, or a copy.  The pid, or
 * -1 and errno. */
typedef pid_t (*child_clone_f)(void *clone_arg, int (*run)(void *arg), void *arg);

struct child_spec {
    const char *path;                   /* looked up in PATH when it has no '/' */
    char *const *argv;                  /* ends with NULL */
    const struct flag *flags;           /* NULL, or a table: what is set in flag_values follows */
    const void *flag_values;            /* argv as --name=value, in the order of the table */
    char *const *envp;                  /* NULL: inherit */
    const char *directory;              /* NULL: inherit */
    enum child_stdio in, out, err;
    const char *in_path, *out_path, *err_path;    /* of CHILD_PATH */
    int in_fd, out_fd, err_fd;                    /* of CHILD_FD */
    struct child_pipes *pipes;          /* of CHILD_PIPE: set when the child was made */
    bool new_session;
    bool dies_with_parent;              /* the watchdog of libprocess; not with a worker thread */
    bool set_user;
    uint32_t uid, gid;                  /* of set_user; supplementary groups are the user's */
    const char *user;
    child_clone_f clone;                /* NULL: the host's way; the real host's only */
    void *clone_arg;
    const struct child_hook *hooks;     /* n_hooks of them, run in their order */
    size_t n_hooks;
};

/* status is waitpid's.  Errors of exec, of a folder that cannot be entered and the
 * like come back here, with the path in the sentence, not as a status.  The child
 * gets none of our descriptors, and no signal settings of ours. */
typedef void (*child_ended_f)(void *arg, int status);
int host_spawn(struct loop *l, const struct child_spec *spec, child_ended_f ended, void *arg,
               pid_t *ret_pid, struct error *err);

/* Any OS process, child or not, named by its pid and start time (clock ticks
 * since boot, /proc/<pid>/stat field 22), so that a reused pid is not taken for
 * it.  `ended` comes once, also at once when it is gone already. */
struct watch;
struct watch *host_watch(struct loop *l, pid_t pid, uint64_t start_time, void (*ended)(void *arg),
                         void *arg);
void host_watch_close(struct watch *w); /* NULL is fine; no callback any more */
/* pid negative: the process group that the process -pid leads. */
int host_signal(struct host *h, pid_t pid, uint64_t start_time, int signo, struct error *err);
int host_start_time(struct host *h, pid_t pid, uint64_t *ret_start_time, struct error *err);

/* All OS processes of the machine that can be seen; the array is the caller's.  One that is
 * reading long: work for host_async.  Times are those of the process itself. */
struct host_process {
    pid_t pid, parent;
    uint64_t start_time;
    struct duration user, system;
    uint64_t resident_bytes;
};
int host_processes(struct host *h, struct host_process **ret_processes, size_t *ret_n,
                   struct error *err);

/* Signals to ourselves (SIGTERM, ...), on the loop; one handler for each. */
int host_on_signal(struct loop *l, int signo, void (*received)(void *arg, int signo), void *arg,
                   struct error *err);

/* ---- facts about the machine, the OS process and users ---- */

struct host_facts {
    char hostname[256];
    unsigned cpus;
    uint64_t memory_bytes, memory_free_bytes;
    double load_1min, load_5min, load_15min;
    pid_t pid;
    uint32_t uid, gid;
    char boot_id[64];
    char user[64];
};

void host_facts(struct host *h, struct host_facts *ret_facts);
/* Size and free bytes of the file system below path. */
int host_disk(struct host *h, const char *path, uint64_t *ret_size, uint64_t *ret_free,
              struct error *err);
char *const *host_environment(struct host *h);                     /* ends with NULL */
int host_user(struct host *h, const char *name, uint32_t *ret_uid, uint32_t *ret_gid,
              struct error *err);
const char *host_working_directory(struct host *h);
/* The folder of our own binary, where its helper programs are found first. */
const char *host_program_directory(struct host *h);

/* ---- making a host ---- */

struct host *host_real_create(void);
void host_destroy(struct host *h);                                 /* its loops are stopped */

#endif
