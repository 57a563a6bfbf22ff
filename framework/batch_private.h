/* batch_private.h - the batch's state, for its files
 *
 * batch.c          life: subscribed, ticking, ending
 * batch_launch.c   offers into tasks
 * batch_updates.c  what became of tasks; reconciliation; killing
 * batch_output.c   outputs fetched, kept, printed
 * batch_report.c   what the user is told
 */
#ifndef BATCH_PRIVATE_H
#define BATCH_PRIVATE_H

#include "base/buffer.h"
#include "framework/batch.h"
#include "framework/batch_plan.h"
#include "framework/progress.h"
#include "framework/scheduler.h"
#include "process/process.h"

enum batch_phase { BATCH_WORKING, BATCH_STOPPING, BATCH_LEAVING, BATCH_OVER };

struct batch {
    struct runtime *runtime;
    const struct batch_options *options;
    struct batch_sink sink;
    struct scheduler *scheduler;
    struct pid pid;                          /* the scheduler's process */
    struct batch_jobs jobs;
    struct batch_need need;

    enum batch_phase phase;
    char *framework_id;                      /* NULL until subscribed */
    bool subscribed, suppressed;
    bool gave_up;                            /* refused, or the master did not come */
    int signo;                               /* interrupted by; 0 */
    struct instant since;                    /* (un)subscribed */
    struct instant first_launch, last_end;   /* monotonic; 0 ns: none */
    struct timer tick_timer, reconcile_timer, end_timer;
    struct duration reconcile_wait;

    struct resources largest;                /* offer seen, by cpus and then mem */
    bool has_offer;

    struct list fetches;                     /* that wait for their turn */
    size_t n_fetching, n_collecting, lost_outputs;
    size_t next_to_print;                    /* --keep_order: index */
    struct file *joblog;
    uint64_t joblog_size;

    char *trouble;                           /* why the master is not there */
    bool told_trouble, bar_is_drawn, sink_is_broken;
    struct instant next_word;                /* when to speak again, unasked */
};

/* Runs fn(process, {b}) in the batch's context after d. */
struct batch_self { struct batch *b; };
struct timer batch_delay(struct batch *b, struct duration d, process_call_f fn);
struct instant batch_now(const struct batch *b);
/* Looks whether all is done. */
void batch_check_end(struct batch *b);
void batch_stop(struct batch *b);

/* ---- batch_launch.c ---- */
void batch_launch_offers(struct batch *b, size_t n, Pb__Offer *const *offers);
/* SUPPRESS or REVIVE, when what we want has changed. */
void batch_launch_update_interest(struct batch *b);

/* ---- batch_updates.c ---- */
void batch_updates_status(struct batch *b, const Pb__TaskStatus *status);
void batch_updates_reconcile_all(struct batch *b);
void batch_updates_kill_all(struct batch *b);
size_t batch_updates_reachable(const struct batch *b);     /* running, on agents that are there */

/* ---- batch_output.c ---- */
int batch_output_open(struct batch *b, struct error *err);
void batch_output_release(struct batch *b);
/* The job's last attempt has ended: fetches, keeps and prints its outputs, writes
 * the job log, ends the job. */
void batch_output_collect(struct batch *b, struct batch_job *job, bool succeeded);
void batch_output_log(struct batch *b, const struct batch_job *job);
void batch_output_print_rest(struct batch *b);

/* ---- batch_report.c ---- */
/* A line of ours on stderr, behind the program's name. */
void batch_report_line(struct batch *b, const char *fmt, ...) PRINTF(2, 3);
void batch_report_output(struct batch *b, enum batch_stream stream, const char *data, size_t size);
void batch_report_tick(struct batch *b);
void batch_report_summary(struct batch *b);

#endif
