/* batch.c - a list of commands, run across the cluster: subscribing, ticking, ending
 *
 * WORKING    offers become tasks (batch_launch.c), updates end them (batch_updates.c)
 * STOPPING   interrupted: kills were sent, waits for terminal updates
 * LEAVING    TEARDOWN was sent, waits until the master has heard it
 * OVER       the process ends
 *
 * After each re-subscription all tasks are reconciled explicitly: a command is
 * run again only after a terminal answer about its last attempt.
 */
#include "framework/batch_private.h"

#include <errno.h>
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "mesos/role.h"
#include "process/host.h"
#include "process/runtime.h"

#define TICK_TERMINAL MILLISECONDS(200)
#define TICK SECONDS(1)
#define TEARDOWN_TIMEOUT SECONDS(30)
#define TEARDOWN_TIMEOUT_HURRY SECONDS(1)

static void tick(struct process *self, void *args);
static void leave(struct batch *b, struct duration limit);

struct instant batch_now(const struct batch *b)
{
    return runtime_now(b->runtime);
}

struct timer batch_delay(struct batch *b, struct duration d, process_call_f fn)
{
    struct batch_self args = { b };

    return process_delay(&b->pid, d, fn, &args, sizeof args, NULL);
}

/* ---- ending ---- */

static void finish(struct batch *b)
{
    if (b->phase == BATCH_OVER)
        return;
    b->phase = BATCH_OVER;
    process_cancel(&b->tick_timer);
    process_cancel(&b->reconcile_timer);
    process_cancel(&b->end_timer);
    batch_output_print_rest(b);
    batch_report_summary(b);
    process_terminate(&b->pid, TERMINATE_NOW);
}

static void teardown_is_late(struct process *self UNUSED, void *args)
{
    struct batch *b = ((struct batch_self *)args)->b;

    batch_report_line(b, "the master has not confirmed the end of framework %s; what is left of "
                         "it ends %.0f s after the master has lost sight of us",
                      b->framework_id, duration_seconds(b->options->failover_timeout));
    finish(b);
}

/* Tears the framework down, and waits until the master has heard it. */
static void leave(struct batch *b, struct duration limit)
{
    if (b->phase == BATCH_OVER)
        return;
    b->phase = BATCH_LEAVING;
    if (!b->framework_id) { /* the master has never heard of us */
        finish(b);
        return;
    }
    process_cancel(&b->end_timer);
    b->end_timer = batch_delay(b, limit, teardown_is_late);
    scheduler_teardown(b->scheduler);
}

void batch_check_end(struct batch *b)
{
    bool all_ended = batch_jobs_ended(&b->jobs) == b->jobs.n;
    bool stopped = b->phase == BATCH_STOPPING && b->n_collecting == 0 &&
                   batch_updates_reachable(b) == 0;

    if ((b->phase == BATCH_WORKING && all_ended) || stopped)
        leave(b, TEARDOWN_TIMEOUT);
}

void batch_stop(struct batch *b)
{
    size_t running = b->jobs.n_running;

    if (b->phase != BATCH_WORKING)
        return;
    b->phase = BATCH_STOPPING;
    if (!b->framework_id)
        batch_report_line(b, "interrupted before the master has accepted us");
    else if (running > 0)
        batch_report_line(b, "interrupted: killing %zu running task%s; once more to end at once",
                          running, running == 1 ? "" : "s");
    else
        batch_report_line(b, "interrupted");
    batch_updates_kill_all(b);
    batch_launch_update_interest(b);
    batch_check_end(b);
}

struct interrupt_args { struct batch *b; int signo; };

static void interrupted(struct process *self UNUSED, void *args)
{
    struct interrupt_args *a = args;
    struct batch *b = a->b;

    if (b->signo == 0) {
        b->signo = a->signo;
        batch_stop(b);
    } else if (b->phase != BATCH_LEAVING) {
        batch_report_line(b, "ending at once");
        leave(b, TEARDOWN_TIMEOUT_HURRY);
    } else {
        finish(b);
    }
}

struct batch_handle batch_handle_of(struct batch *b)
{
    return (struct batch_handle){ b, pid_dup(&b->pid) };
}

void batch_interrupt(const struct batch_handle *h, int signo)
{
    struct interrupt_args args = { h->batch, signo };

    process_dispatch(&h->pid, interrupted, &args, sizeof args, NULL);
}

static void give_up(struct batch *b)
{
    b->gave_up = true;
    finish(b);
}

/* ---- the clock ---- */

static void tick(struct process *self UNUSED, void *args)
{
    struct batch *b = ((struct batch_self *)args)->b;
    struct duration alone = instant_since(batch_now(b), b->since);

    b->tick_timer = batch_delay(b, b->sink.is_terminal ? TICK_TERMINAL : TICK, tick);
    if (!b->subscribed && b->options->timeout.ns > 0 && alone.ns >= b->options->timeout.ns &&
        b->phase != BATCH_LEAVING) {
        batch_report_line(b, "giving up: master %s has not answered for %.0f s%s%s%s",
                          b->options->master, duration_seconds(alone), b->trouble ? ": " : "",
                          b->trouble ? b->trouble : "",
                          b->jobs.n_running > 0 ? "; tasks that run go on for a while" : "");
        give_up(b);
        return;
    }
    batch_report_tick(b);
}

/* ---- what the scheduler library tells ---- */

static void on_registered(void *arg, struct scheduler *s UNUSED, const Pb__FrameworkID *id,
                          const Pb__MasterInfo *master UNUSED, bool failover)
{
    struct batch *b = arg;

    if (!b->framework_id)
        b->framework_id = mem_strdup(id->value);
    if (b->told_trouble || failover)
        batch_report_line(b, "subscribed with master %s as framework %s", b->options->master,
                          b->framework_id);
    b->subscribed = true;
    b->suppressed = false; /* a subscription takes that back */
    b->told_trouble = false;
    b->since = batch_now(b);
    b->next_word = instant_add(b->since, SECONDS(10));
    batch_updates_reconcile_all(b);
    if (b->phase == BATCH_STOPPING)
        batch_updates_kill_all(b);
    batch_launch_update_interest(b);
    batch_check_end(b);
}

static void on_disconnected(void *arg, struct scheduler *s UNUSED, const char *why)
{
    struct batch *b = arg;

    b->subscribed = false;
    b->since = batch_now(b);
    b->told_trouble = true;
    b->next_word = instant_add(b->since, SECONDS(10));
    batch_report_line(b, "%s; trying again (running tasks go on)", why);
}

static void on_no_master(void *arg, struct scheduler *s UNUSED, const char *why)
{
    struct batch *b = arg;

    if (b->phase == BATCH_LEAVING)
        return;
    mem_free(b->trouble);
    b->trouble = mem_strdup(why);
    if (b->told_trouble)
        return;
    b->told_trouble = true;
    b->next_word = instant_add(batch_now(b), SECONDS(10));
    batch_report_line(b, "no answer from master %s yet: %s; trying again", b->options->master,
                      why);
}

static void on_offers(void *arg, struct scheduler *s UNUSED, size_t n, Pb__Offer *const *offers)
{
    batch_launch_offers(arg, n, offers);
}

static void on_status(void *arg, struct scheduler *s UNUSED, const Pb__TaskStatus *status)
{
    batch_updates_status(arg, status);
}

static void on_error(void *arg, struct scheduler *s UNUSED, const char *why)
{
    struct batch *b = arg;

    b->subscribed = false;
    batch_report_line(b, "master %s refuses us: %s", b->options->master, why);
    give_up(b);
}

static void on_removed(void *arg, struct scheduler *s UNUSED)
{
    struct batch *b = arg;

    b->subscribed = false;
    finish(b);
}

static const struct scheduler_callbacks callbacks = {
    .registered = on_registered, .disconnected = on_disconnected, .offers = on_offers,
    .status = on_status,         .error = on_error,               .no_master = on_no_master,
    .removed = on_removed,
};

/* ---- life ---- */

static void begin(struct process *self UNUSED, void *args)
{
    struct batch *b = ((struct batch_self *)args)->b;

    scheduler_start(b->scheduler);
    b->tick_timer = batch_delay(b, b->sink.is_terminal ? TICK_TERMINAL : TICK, tick);
}

static struct scheduler *create_scheduler(struct batch *b, struct error *err)
{
    Pb__FrameworkInfo info = PB__FRAMEWORK_INFO__INIT;
    Pb__FrameworkInfo__Capability aware = PB__FRAMEWORK_INFO__CAPABILITY__INIT, many = aware;
    Pb__FrameworkInfo__Capability *capabilities[] = { &aware, &many };
    struct scheduler_options options = { .master = b->options->master, .info = &info,
                                         .starts_later = true };
    const char *roles[] = { b->options->role };
    struct host_facts facts;

    host_facts(runtime_host(b->runtime), &facts);
    aware.has_type = many.has_type = 1;
    aware.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    many.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__MULTI_ROLE;
    info.user = b->options->user ? b->options->user : facts.user;
    info.name = b->options->name;
    info.hostname = facts.hostname;
    info.has_failover_timeout = info.has_checkpoint = 1;
    info.failover_timeout = duration_seconds(b->options->failover_timeout);
    info.checkpoint = 1;
    info.n_roles = 1;
    info.roles = roles;
    info.n_capabilities = ARRAY_SIZE(capabilities);
    info.capabilities = capabilities;
    return scheduler_create(b->runtime, &options, &callbacks, b, err);
}

static void batch_free(struct batch *b)
{
    batch_output_release(b);
    batch_jobs_release(&b->jobs);
    resources_release(&b->largest);
    pid_release(&b->pid);
    mem_free(b->framework_id);
    mem_free(b->trouble);
    mem_free(b);
}

struct batch *batch_create(struct runtime *rt, const struct batch_options *options,
                           struct batch_jobs *jobs, const struct batch_sink *sink,
                           struct error *err)
{
    struct batch *b = mem_alloc(sizeof *b);
    struct batch_self args = { b };

    b->runtime = rt;
    b->options = options;
    b->sink = *sink;
    b->need = (struct batch_need){ llround(options->cpus * 1000), llround(options->mem * 1000),
                                   llround(options->disk * 1000) };
    b->since = batch_now(b);
    b->next_word = instant_add(b->since, SECONDS(10));
    list_init(&b->fetches);
    if (batch_output_open(b, err) < 0) {
        batch_free(b);
        return NULL;
    }
    batch_jobs_move(&b->jobs, jobs);
    b->scheduler = create_scheduler(b, err);
    if (!b->scheduler) {
        batch_jobs_move(jobs, &b->jobs);
        batch_free(b);
        return NULL;
    }
    b->pid = pid_dup(scheduler_pid(b->scheduler));
    process_dispatch(&b->pid, begin, &args, sizeof args, NULL);
    return b;
}

void batch_destroy(struct batch *b)
{
    if (!b)
        return;
    scheduler_destroy(b->scheduler);
    batch_free(b);
}

const struct pid *batch_pid(const struct batch *b)
{
    return &b->pid;
}

int batch_exit_status(const struct batch *b)
{
    if (b->signo != 0)
        return 128 + b->signo;
    return b->gave_up || b->lost_outputs > 0 || b->sink_is_broken ||
                   b->jobs.n_succeeded < b->jobs.n
               ? 1
               : 0;
}
