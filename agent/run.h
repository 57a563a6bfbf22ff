/* run.h - the record that a run leaves, and what it means after a restart
 *
 * A run is one start of one OS process on behalf of a task or an executor: the
 * command, under a supervisor that the launcher forked for it.  Its folder is
 * <work_dir>/meta/runs/<run id>, the run id being the container's UUID.  The
 * contract, which nobody may go around (DESIGN.md section 5):
 *
 *   agent        commits "run id, intent" to meta/agent.db, makes the folder,
 *                asks the launcher
 *   supervisor   takes the lock on `lock` and holds it while it lives
 *                creates `started` exclusively (a second start of the run ends
 *                here) and writes {boot id, pid, start time} of itself
 *                forks and execs the command in a session of its own
 *                waits for it, ends what the command left behind
 *                writes, syncs and renames `exit`; ends
 *
 *   recovery     `exit` is there               the run has ended so
 *                `lock` is held                the run lives: adopt it by boot
 *                                              id, pid and start time
 *                `started`, but neither        the supervisor was killed: the
 *                                              run failed; never a second start
 *                none, same boot               never started, never will be
 *                none, another boot            unknown: it may have run
 *
 * The command dies with its supervisor (PR_SET_PDEATHSIG).  Signals go to the
 * supervisor: SIGTERM is passed on to the command's session, SIGUSR1 kills it
 * and all that came of it.  Both programs are of one boot and one machine, so
 * formats are text lines of fixed order with a version in front; a reader
 * refuses what it does not know.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct buffer;
struct error;
struct host;

#define RUN_STARTED "started"
#define RUN_LOCK "lock"
#define RUN_EXIT "exit"
#define RUN_SIGNAL_STOP SIGTERM        /* to the supervisor: ask the command to end */
#define RUN_SIGNAL_KILL SIGUSR1        /* kill the command and its descendants */

struct run_started { char boot_id[64]; pid_t pid; uint64_t start_time; };

/* How it ended: waitpid's status of the command, or why it could not be executed. */
struct run_exit { bool executed; int status; char reason[200]; };

/* Formats, shared with the supervisor (which uses no host). */
void run_started_format(const struct run_started *s, struct buffer *out);
int run_started_parse(const char *text, struct run_started *ret_started, struct error *err);
void run_exit_format(const struct run_exit *e, struct buffer *out);
int run_exit_parse(const char *text, struct run_exit *ret_exit, struct error *err);

enum run_state { RUN_ENDED, RUN_LIVES, RUN_FAILED, RUN_NEVER_STARTED, RUN_UNKNOWN };

/* What has become of the run in this folder: the table above.  boot_id_at_intent
 * is the boot that the intent was committed in. */
int run_inspect(struct host *h, const char *folder, const char *boot_id_at_intent,
                enum run_state *ret_state, struct run_started *ret_started,
                struct run_exit *ret_exit, struct error *err);

#endif
