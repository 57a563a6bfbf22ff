/* host_sim_private.h - what the files of the simulated host know of each other
 *
 * host_sim.c runs the world: events, time, chance, nodes, OS processes;
 * host_sim_loop.c runs loops and has the host's table; host_sim_net.c carries
 * bytes, _listen.c connects, _fault.c breaks; host_sim_disk.c and _inode.c keep
 * bytes; host_sim_child.c starts programs.  All on one thread.
 *
 * A dead OS process (struct sim_host with dead set) keeps its memory until the
 * caller destroys it, but nothing of it is reachable from the world any more:
 * its events are cancelled, its streams cut loose, its locks released.
 */
#ifndef HOST_SIM_PRIVATE_H
#define HOST_SIM_PRIVATE_H

#include "base/list.h"
#include "process/host_ops.h"
#include "process/sim.h"

struct sim_inode;

#define SIM_STATUS_KILLED 9 /* waitpid's, of SIGKILL */

/* ---- events: embedded in what they are about ---- */

struct sim_event {
    int64_t at;
    uint64_t sequence; /* the order of asking, for those due at the same time */
    size_t index;      /* its place in the heap, or among the ready ones */
    enum { SIM_IDLE, SIM_TIMED, SIM_READY } state;
    void (*run)(struct sim_event *e);
};

void sim_event_init(struct sim_event *e, void (*run)(struct sim_event *e));
void sim_event_at(struct sim *s, struct sim_event *e,
                  int64_t at); /* moves it when it is set already */
void sim_event_now(struct sim *s, struct sim_event *e);
void sim_event_cancel(struct sim *s, struct sim_event *e);

/* ---- the world ---- */

struct sim {
    uint64_t random[4];
    int64_t now;
    uint64_t sequence, trace;
    struct sim_event **timed, **ready; /* a binary heap; a bag */
    size_t n_timed, n_ready, timed_capacity, ready_capacity;
    uint64_t steps_now; /* since the time last moved */
    bool stepping;
    struct sim_loop *current;
    void (*observe)(void *arg);
    void *observe_arg;
    struct list nodes, programs, connections, signals;
    int64_t delay_min, delay_max;
    char *environment[3]; /* of hosts without one of their own */
    struct sim_counts counts;
};

struct sim_node {
    struct list link;
    struct sim *sim;
    char *name;
    uint32_t ip;
    unsigned boots;
    int64_t booted;
    pid_t last_pid;
    uint16_t last_port;
    bool refusing, disk_full, sync_fails;
    struct list hosts, listeners, watches;
    struct sim_node **cuts; /* nodes that nothing of ours reaches */
    size_t n_cuts;
    struct sim_inode *root;
    struct list inodes;  /* all, in the order they were made */
    struct list changes; /* of directories, not yet durable */
    unsigned n_changes;
};

struct sim_host {
    struct host base;
    struct list link; /* node->hosts */
    struct sim_node *node;
    char *name;
    pid_t pid;
    uint64_t start_time;
    bool dead;
    int budget; /* file operations before it dies amid work; -1: no end */
    struct list loops, streams, files, listeners, handlers;
    /* of those that host_spawn started */
    struct sim_host *parent;
    struct sim_child *child; /* what tells the parent; NULL: nobody asks */
    const struct sim_program *program;
    struct child_spec spec; /* our copy */
    void *state;            /* what program->start returned */
    bool started;
    struct sim_event start, stop;
};

struct sim_loop {
    struct loop base;
    struct list link; /* host->loops */
    struct sim_host *host;
    loop_turn_f turn;
    void *arg;
    const struct context *before; /* of the thread, while a callback runs */
    bool woken;
    int64_t deadline;
    struct sim_event event;
    struct list asyncs, resolves, children;
};

static inline struct sim_host *sim_host(struct host *h)
{
    return (struct sim_host *)h;
}
static inline struct sim_loop *sim_loop(struct loop *l)
{
    return (struct sim_loop *)l;
}
static inline struct sim *sim_of(const struct sim_host *h)
{
    return h->node->sim;
}

/* True n times out of `of`. */
bool sim_chance(struct sim *s, uint64_t n, uint64_t of);
int64_t sim_pick(struct sim *s, int64_t min, int64_t max); /* both included */
/* Around callbacks of a loop; after them it gets a turn. */
void sim_enter(struct sim_loop *l);
void sim_leave(struct sim_loop *l);

struct sim_host *sim_host_new(struct sim_node *n, const char *name);
/* The end of an OS process: its effects cease.  amid_work: work that helper
 * threads are at may be done in part.  Status is waitpid's. */
void sim_host_cease(struct sim_host *h, int status, bool amid_work);
void sim_host_free(struct sim_host *h);

uint64_t sim_random_next(struct sim *s);
uint64_t sim_split_mix(uint64_t *state);

/* ---- host_sim_loop.c ---- */

extern const struct host_ops sim_loop_ops;
void sim_loop_cease(struct sim_host *h);
/* What helper threads are at when the end comes is done up to some point. */
void sim_loop_work_in_part(struct sim_host *h);

/* ---- host_sim_net.c, host_sim_listen.c, host_sim_fault.c ---- */

struct stream *sim_net_connect(struct loop *l, struct address to,
                               const struct stream_events *events, void *arg);
struct stream *sim_net_connect_path(struct loop *l, const char *path,
                                    const struct stream_events *events, void *arg);
struct listener *sim_net_listen(struct loop *l, struct address at, stream_accepted_f accepted,
                                void *arg, struct address *ret_bound, struct error *err);
void sim_net_listener_close(struct listener *l);
void sim_net_resolve(struct loop *l, const char *name, host_resolved_f resolved, void *arg);
void sim_net_loop_stopped(struct sim_loop *l);
void sim_net_cease(struct sim_host *h); /* kill -9, or the end of a program */
void sim_net_crash(struct sim_node *n); /* before its OS processes cease */
void sim_net_free(struct sim_host *h);  /* handles that nobody closed */

/* ---- host_sim_disk.c, host_sim_inode.c ---- */

void sim_disk_create(struct sim_node *n);
void sim_disk_crash(struct sim_node *n); /* after its OS processes have ceased */
void sim_disk_destroy(struct sim_node *n);
void sim_disk_cease(struct sim_host *h);
void sim_disk_free(struct sim_host *h);
int sim_disk_open(struct host *h, const char *path, unsigned modes, unsigned permissions,
                  struct file **ret_file, struct error *err);
int sim_disk_is_locked(struct host *h, const char *path, struct error *err);
int sim_disk_stat(struct host *h, const char *path, struct file_info *ret_info, struct error *err);
int sim_disk_mkdir(struct host *h, const char *path, unsigned permissions, struct error *err);
int sim_disk_rename(struct host *h, const char *from, const char *to, struct error *err);
int sim_disk_symlink(struct host *h, const char *target, const char *path, struct error *err);
int sim_disk_readlink(struct host *h, const char *path, char **ret_target, struct error *err);
int sim_disk_unlink(struct host *h, const char *path, struct error *err);
int sim_disk_sync_directory(struct host *h, const char *path, struct error *err);
int sim_disk_chown(struct host *h, const char *path, uint32_t uid, uint32_t gid, struct error *err);
int sim_disk_chmod(struct host *h, const char *path, unsigned permissions, struct error *err);
int sim_disk_list(struct host *h, const char *path, char ***ret_names, size_t *ret_n,
                  struct error *err);
int sim_disk_space(struct host *h, const char *path, uint64_t *ret_size, uint64_t *ret_free,
                   struct error *err);

/* ---- host_sim_child.c ---- */

int sim_child_spawn(struct loop *l, const struct child_spec *spec, child_ended_f ended, void *arg,
                    pid_t *ret_pid, struct error *err);
struct watch *sim_child_watch(struct loop *l, pid_t pid, uint64_t start_time, void (*ended)(void *),
                              void *arg);
void sim_child_watch_close(struct watch *w);
int sim_child_signal(struct host *h, pid_t pid, uint64_t start_time, int signo, struct error *err);
int sim_child_start_time(struct host *h, pid_t pid, uint64_t *ret_start_time, struct error *err);
int sim_child_processes(struct host *h, struct host_process **ret_processes, size_t *ret_n,
                        struct error *err);
int sim_child_on_signal(struct loop *l, int signo, void (*received)(void *, int), void *arg,
                        struct error *err);
void sim_child_loop_stopped(struct sim_loop *l);
void sim_child_cease(struct sim_host *h, int status); /* tells parent, watchers and children */
void sim_child_free(struct sim_host *h);
void sim_child_stop_program(struct sim_host *h); /* frees its state and the host */
void sim_child_forget(struct sim *s);            /* at the end of the world */

#endif
