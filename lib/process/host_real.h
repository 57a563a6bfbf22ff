/* host_real.h - what the files of the real host know of each other
 *
 * host_real.c         making and ending a host; time, chance, facts, users
 * host_real_loop.c    loops: a thread and a libevent base each
 * host_real_pool.c    helper threads
 * host_real_stream.c  streams and listeners
 * host_real_file.c    files
 * host_real_tree.c    removing a tree
 * host_real_pipe.c    our ends of children's input and output
 * host_real_child.c   launching children (host_real_exec.c: inside the new ones)
 * host_real_watch.c   the ends of children and others, signals
 *
 * An event base is touched by its loop's thread only.  What others want of it
 * they post to the loop.
 */
#ifndef HOST_REAL_H
#define HOST_REAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "process/host_ops.h"

struct event;
struct event_base;

/* ---- helper threads ---- */

enum { POOL_THREADS = 4 };

/* A deed for another thread.  A post is run by its loop, a job by its pool. */
struct real_post {
    struct list link;
    void (*run)(void *arg);
    void *arg;
};

/* Threads are started when there is work and none is idle, up to the limit,
 * and live until the pool ends. */
struct real_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list jobs; /* of struct real_post */
    unsigned limit, threads, idle, queued;
    bool stopping;
    pthread_t ids[POOL_THREADS];
};

void host_real_pool_init(struct real_pool *p, unsigned limit);
void host_real_pool_release(struct real_pool *p); /* does what is queued, joins the threads */
/* job is the caller's memory until it runs. */
void host_real_pool_add(struct real_pool *p, struct real_post *job);
/* Runs fn(arg) on a thread of the pool and waits for its end. */
void host_real_pool_call(struct real_pool *p, void (*fn)(void *arg), void *arg);

/* ---- the host ---- */

struct real_host {
    struct host host;
    struct real_pool helpers;   /* host_async */
    struct real_pool resolvers; /* apart: name servers may take long */
    struct real_pool spawner;   /* one thread, parent of children that die with us */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* host_notify */
    uint64_t notified;
    _Atomic unsigned waiters;      /* so that host_notify costs nothing without one */
    struct list loops;             /* struct real_loop.of_host */
    struct list orphans;           /* children whose loop has stopped: struct real_child.link */
    struct real_loop *signal_loop; /* which receives them all; NULL: none yet */
    _Atomic(char *) spare_stack;   /* of the last launch, for the next; NULL: none */

    char **environment;
    char *working_directory, *program_directory;
};

static inline struct real_host *real_host(struct host *h)
{
    return (struct real_host *)h;
}

struct instant host_real_now(struct host *h);
/* As pthread_cond_timedwait, with the host's monotonic time: false at the deadline. */
bool host_real_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, struct instant deadline);

/* ---- loops ---- */

/* Awake: the loop will look at its queues before it sleeps. */
enum loop_state { LOOP_AWAKE, LOOP_ASLEEP, LOOP_NOTIFIED };

struct real_loop {
    struct loop loop;
    struct list of_host;
    loop_turn_f turn;
    void *arg;
    struct event_base *base; /* NULL once stopped */
    pthread_t thread;
    int wake_fd, timer_fd;
    struct event *wake_event, *timer_event;
    struct instant deadline, armed; /* what is wanted; what the timer is set to, never later */
    bool more;                      /* own thread: the next poll must not block */
    bool lingers;                   /* own thread: its last sleep was cut short by others */
    _Atomic int state;              /* enum loop_state */
    _Atomic bool stopping;

    pthread_mutex_t lock; /* of the fields below */
    pthread_cond_t changed;
    struct list posts; /* struct real_post */
    unsigned asyncs;   /* not done yet */
    bool started, finished;

    struct list streams, pipes, listeners, watches, children, signals; /* own thread */
};

static inline struct real_loop *real_loop(struct loop *l)
{
    return (struct real_loop *)l;
}

struct loop *host_real_loop_start(struct host *h, loop_turn_f turn, void *arg);
void host_real_loop_stop(struct loop *l);
void host_real_loop_destroy(struct real_loop *l); /* stopped */
void host_real_loop_wake(struct loop *l);
void host_real_loop_deadline(struct loop *l, struct instant deadline);
bool host_real_loop_is_current(struct loop *l);
void host_real_loop_async(struct loop *l, void (*work)(void *), void (*done)(void *), void *arg);
/* As async, on the given pool. */
void host_real_loop_async_on(struct loop *l, struct real_pool *pool, void (*work)(void *),
                             void (*done)(void *), void *arg);
/* Runs fn(arg) on the loop's thread and waits for its end; at once when this is
 * that thread, or when the loop has stopped. */
void host_real_loop_call(struct real_loop *l, void (*fn)(void *arg), void *arg);
/* Runs p on the loop's thread, soon; before this returns when this is that
 * thread, or when the loop has stopped.  p is the caller's memory. */
void host_real_loop_post(struct real_loop *l, struct real_post *p);
/* May l's base be touched here?  Its own thread, or it has none any more. */
bool host_real_loop_is_mine(struct real_loop *l);

/* A loop stops, on its thread: what is left on it is cut off from the base. */
void host_real_stream_detach_all(struct real_loop *l);
void host_real_pipe_detach_all(struct real_loop *l);
void host_real_watch_detach_all(struct real_loop *l);
void host_real_watch_forget(struct real_host *h); /* children that nobody waits for */

/* ---- streams ---- */

struct stream *host_real_stream_connect(struct loop *l, struct address to,
                                        const struct stream_events *events, void *arg);
struct stream *host_real_stream_connect_path(struct loop *l, const char *path,
                                             const struct stream_events *events, void *arg);
struct listener *host_real_stream_listen(struct loop *l, struct address at,
                                         stream_accepted_f accepted, void *arg,
                                         struct address *ret_bound, struct error *err);
void host_real_stream_listener_close(struct listener *l);

/* A pipe: our end, a stream, and the child's, a descriptor above the three standard ones. */
struct stream *host_real_pipe_open(bool we_read, int *ret_theirs, struct error *err);

/* ---- files ---- */

int host_real_file_open(struct host *h, const char *path, unsigned modes, unsigned permissions,
                        struct file **ret_file, struct error *err);
int host_real_file_is_locked(struct host *h, const char *path, struct error *err);
int host_real_file_stat(struct host *h, const char *path, struct file_info *ret_info,
                        struct error *err);
int host_real_file_mkdir(struct host *h, const char *path, unsigned permissions, struct error *err);
int host_real_file_rename(struct host *h, const char *from, const char *to, struct error *err);
int host_real_file_symlink(struct host *h, const char *target, const char *path, struct error *err);
int host_real_file_readlink(struct host *h, const char *path, char **ret_target, struct error *err);
int host_real_file_unlink(struct host *h, const char *path, struct error *err);
int host_real_file_sync_directory(struct host *h, const char *path, struct error *err);
int host_real_file_chown(struct host *h, const char *path, uint32_t uid, uint32_t gid,
                         struct error *err);
int host_real_file_chmod(struct host *h, const char *path, unsigned permissions, struct error *err);
int host_real_file_list(struct host *h, const char *path, char ***ret_names, size_t *ret_n,
                        struct error *err);
int host_real_file_disk(struct host *h, const char *path, uint64_t *ret_size, uint64_t *ret_free,
                        struct error *err);
int host_real_tree_remove(struct host *h, const char *path, struct error *err);
/* A small file of /proc as text, cut at size - 1. */
int host_real_file_read_small(const char *path, char *out, size_t size, struct error *err);

/* ---- children and others ---- */

int host_real_child_spawn(struct loop *l, const struct child_spec *spec, child_ended_f ended,
                          void *arg, pid_t *ret_pid, struct error *err);

void host_real_child_release(struct real_host *h);

/* Reaps the child when it ends and tells.  Takes its pidfd; -1: there is none yet. */
void host_real_watch_child(struct loop *l, pid_t pid, int pidfd, child_ended_f ended, void *arg);
struct watch *host_real_watch_open(struct loop *l, pid_t pid, uint64_t start_time,
                                   void (*ended)(void *arg), void *arg);
void host_real_watch_close(struct watch *w);
int host_real_watch_signal(struct host *h, pid_t pid, uint64_t start_time, int signo,
                           struct error *err);
int host_real_watch_start_time(struct host *h, pid_t pid, uint64_t *ret_start_time,
                               struct error *err);
int host_real_watch_on_signal(struct loop *l, int signo, void (*received)(void *arg, int signo),
                              void *arg, struct error *err);

/* host_real_processes.c */
int host_real_processes_list(struct host *h, struct host_process **ret_processes, size_t *ret_n,
                             struct error *err);

#endif
