/* sim.h - the simulated world: nodes, their disks, and the network between them
 *
 * One thread, virtual time, and one random source that makes every choice: the
 * same seed and the same calls give the same run, event for event.  A node is
 * a machine with a disk; on it run any number of OS processes, each a host
 * with a runtime of its own.  An OS process can be killed (kill -9): its
 * effects cease at once, the page cache stays.  A node can crash: all its OS
 * processes are killed and its disk loses any subset of unsynced sectors.
 *
 * The network carries connections as TCP does: bytes in order within one.  Its
 * faults are those of DESIGN.md section 3: delay; refused connects; breaks that
 * lose any suffix of what was in flight, either way; silence until a time-out;
 * partitions, one-way and two-way, which time out alike.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "process/host.h"

struct sim;
struct sim_node;

struct sim *sim_create(uint64_t seed);
void sim_destroy(struct sim *s); /* its hosts are destroyed before */

/* ---- running: all of it happens inside these ---- */

/* Until done(arg), or `limit` of virtual time has passed: then false. */
bool sim_run_until(struct sim *s, bool (*done)(void *arg), void *arg, struct duration limit);
void sim_run_for(struct sim *s, struct duration d);
struct instant sim_now(struct sim *s);
uint64_t sim_random_below(struct sim *s, uint64_t n); /* for test code; part of the seed */
/* Called before each step, from outside of all actors: where faults are
 * injected and invariants checked. */
void sim_set_observer(struct sim *s, void (*observe)(void *arg), void *arg);

/* ---- nodes and OS processes ---- */

struct sim_node *sim_node_create(struct sim *s, const char *hostname, uint32_t ip);
void sim_node_crash(struct sim_node *n); /* power loss; OS processes started again by the caller */
const char *sim_node_name(const struct sim_node *n);

/* An OS process.  `name` is for traces.  Killing makes the host dead: whatever
 * its runtime still does has no effect; the caller destroys the runtime, then
 * the host (host_destroy), before it starts the next. */
struct host *sim_host_create(struct sim_node *n, const char *name);
void sim_host_kill(struct host *h);
bool sim_host_is_dead(const struct host *h);
struct sim_node *sim_host_node(const struct host *h);

/* Programs that host_spawn finds by the base name of their path.  start is
 * called in a new OS process with its host and the spec; it builds what it
 * needs (a runtime with processes) and returns its state; exit is by
 * sim_program_exit(host, status), after which, or when it is killed, stop frees
 * that state (and destroys the runtime).  The host is destroyed by the world.
 * The program's own ends of pipes, which belong to no loop yet, are in
 * spec->pipes; what it does not close ends with it. */
struct sim_program {
    const char *name;
    void *(*start)(struct host *h, const struct child_spec *spec);
    void (*signalled)(void *state, int signo); /* NULL: signals kill */
    void (*stop)(void *state);
};
void sim_program_add(struct sim *s, const struct sim_program *program); /* borrowed */
void sim_program_exit(struct host *h, int status);                      /* waitpid status */

/* ---- the network ---- */

void sim_delay(struct sim *s, struct duration min, struct duration max); /* default 0.1 to 2 ms */
/* Messages from a to b (and connects) do not pass while cut; both ways: call twice. */
void sim_cut(struct sim_node *a, struct sim_node *b, bool cut);
void sim_break_connections(struct sim_node *a, struct sim_node *b); /* now, all between them */
bool sim_break_one_connection(struct sim *s); /* any, by chance; false if none */
/* Any: it delivers nothing more, and fails at both ends after 2 minutes. */
bool sim_silence_one_connection(struct sim *s);
void sim_refuse_connects(struct sim_node *to, bool refuse);

/* An AF_UNIX socket at a path of the loop's node, for host_connect_path. */
struct listener *sim_listen_path(struct loop *l, const char *path, stream_accepted_f accepted,
                                 void *arg);

/* ---- disks ---- */

void sim_disk_full(struct sim_node *n, bool full);        /* writes fail with ENOSPC */
void sim_disk_errors(struct sim_node *n, bool fail_sync); /* syncs fail with EIO */

/* What happened so far, for a run's totals. */
struct sim_counts {
    uint64_t steps, bytes, connections, breaks, silences, refused, kills, crashes;
    uint64_t lost_sectors, lost_bytes;
};
void sim_counts(const struct sim *s, struct sim_counts *ret_counts);
/* A figure made of every step so far: two runs that agree here were the same. */
uint64_t sim_trace(const struct sim *s);

#endif
