/* command_executor.c - one command: started, watched, killed, told about
 *
 *   launch  ->  TASK_STARTING, the runner starts the command, TASK_RUNNING
 *   end     ->  TASK_FINISHED, TASK_FAILED or TASK_KILLED, then we stop
 *   kill    ->  (TASK_KILLING), SIGTERM, after the grace SIGKILL; a command that
 *               is being started is killed when it has been, and its grace
 *               begins then
 *
 * A recovered run is not told about again from the start: what the agent has
 * stored already is left out (known_state), a terminal state is the last word.
 */
#include "executor/command_executor.h"

#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "mesos/framework_info.h"
#include "mesos/task_state.h"
#include "process/message.h"
#include "process/runtime.h"

#define KILL_GRACE SECONDS(3)            /* FACTS 5.5, when neither task nor call says */
#define SHUTDOWN_RESERVE SECONDS(1)      /* of its grace: to kill, and to tell the agent */

struct command_executor {
    struct executor *outside;  /* for create, destroy and pid; the context's own is below */
    struct executor *executor; /* in whose context all below is touched; set by the launch */
    struct command_runner *runner;
    bool task_killing_state;
    Pb__TaskState known_state;
    struct duration shutdown_grace;

    struct text *killed_early;           /* the task of a kill that came before its launch */
    struct message *task;                /* Pb__TaskInfo; NULL before the launch */
    bool started, killed, late, told_end;
    struct duration kill_grace;          /* killed, not started: what it will have */
    struct instant kill_deadline;        /* killed and started */
    struct timer kill_timer, completion_timer;
};

/* The steps run in the executor's process, whose struct is not ours: the plain
 * functions of future.h, with the command executor as `op`. */
static struct future *command_started(struct process *self, struct future *f, void *op);
static void command_ended(struct process *self, struct future *f, void *op);
static void call_kill_now(struct process *self, void *args);
static void call_too_late(struct process *self, void *args);

struct self_args { struct command_executor *c; };

static Pb__TaskInfo *task_info(struct command_executor *c)
{
    return (Pb__TaskInfo *)c->task->body;
}

static bool is_our_task(struct command_executor *c, const char *id)
{
    return c->task && strcmp(id, task_info(c)->task_id->value) == 0;
}

static void tell(struct executor *e, const char *id, Pb__TaskState state, const char *message)
{
    Pb__TaskID task = PB__TASK_ID__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    task.value = id;
    status.task_id = &task;
    status.state = state;
    status.message = message;
    executor_update(e, &status);
}

static void tell_state(struct command_executor *c, Pb__TaskState state)
{
    tell(c->executor, task_info(c)->task_id->value, state, NULL);
}

/* The last update, once; reason NULL: none. */
static void end_with(struct command_executor *c, Pb__TaskState state,
                     const Pb__TaskStatus__Reason *reason, const char *message)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    if (c->told_end)
        return;
    c->told_end = true;
    process_cancel(&c->kill_timer);
    process_cancel(&c->completion_timer);
    if (!task_state_is_terminal(c->known_state)) {
        status.task_id = task_info(c)->task_id;
        status.state = state;
        status.message = message;
        status.has_reason = reason != NULL;
        status.reason = reason ? *reason : 0;
        executor_update(c->executor, &status);
    }
    executor_stop(c->executor);
}

static struct timer delay_self(struct command_executor *c, struct duration d, process_call_f fn)
{
    struct self_args args = { c };

    return process_delay(executor_pid(c->executor), d, fn, &args, sizeof args, NULL);
}

static struct duration grace_of(const Pb__KillPolicy *policy, struct duration otherwise)
{
    return policy && policy->grace_period ? NANOSECONDS(policy->grace_period->nanoseconds)
                                          : otherwise;
}

/* ---- launch ---- */

static void on_registered(void *arg, struct executor *e UNUSED,
                          const Pb__ExecutorInfo *executor UNUSED,
                          const Pb__FrameworkInfo *framework, const Pb__AgentInfo *agent UNUSED)
{
    struct command_executor *c = arg;

    c->task_killing_state |= framework_info_has(framework, TASK_KILLING_STATE);
}

static void start_command(struct command_executor *c, struct process *self)
{
    struct future *f;

    if (c->known_state == PB__TASK_STATE__TASK_STAGING)
        tell_state(c, PB__TASK_STATE__TASK_STARTING);
    if (c->known_state == PB__TASK_STATE__TASK_KILLING) {    /* the grace begins anew */
        c->killed = true;
        c->kill_grace = grace_of(task_info(c)->kill_policy, KILL_GRACE);
    }
    f = c->runner->ops->start(c->runner, task_info(c));
    f = future_then(f, self, command_started, c);
    future_finally(f, self, command_ended, c);
}

static void on_launch(void *arg, struct executor *e, const Pb__TaskInfo *task)
{
    struct command_executor *c = arg;

    if (is_our_task(c, task->task_id->value))
        return;                                     /* the agent said it twice */
    if (c->task) {
        tell(e, task->task_id->value, PB__TASK_STATE__TASK_FAILED,
             "Attempted to run multiple tasks using a \"command\" executor");
        return;
    }
    c->executor = e;
    c->task = message_create(&task->base);
    if (!task->command)
        end_with(c, PB__TASK_STATE__TASK_FAILED, NULL, "The task has no command to run");
    else if (c->killed_early && text_is(c->killed_early, task->task_id->value))
        end_with(c, PB__TASK_STATE__TASK_KILLED, NULL, "Killed before the command was started");
    else
        start_command(c, executor_process(e));
}

/* ---- the end ---- */

static void end_as(struct command_executor *c, const struct command_exit *exit)
{
    static const Pb__TaskStatus__Reason too_late =
        PB__TASK_STATUS__REASON__REASON_MAX_COMPLETION_TIME_REACHED;
    char text[300];

    command_exit_describe(exit, text, sizeof text);
    if (c->late)
        end_with(c, PB__TASK_STATE__TASK_FAILED, &too_late, text);
    else if (c->killed)
        end_with(c, PB__TASK_STATE__TASK_KILLED, NULL, text);
    else if (command_exit_is_success(exit))
        end_with(c, PB__TASK_STATE__TASK_FINISHED, NULL, text);
    else
        end_with(c, PB__TASK_STATE__TASK_FAILED, NULL, text);
}

static void end_with_failure(struct command_executor *c, const struct error *why)
{
    static const Pb__TaskStatus__Reason not_launched =
        PB__TASK_STATUS__REASON__REASON_CONTAINER_LAUNCH_FAILED;

    if (c->killed)
        end_with(c, PB__TASK_STATE__TASK_KILLED, NULL, why->text);
    else
        end_with(c, PB__TASK_STATE__TASK_FAILED, c->started ? NULL : &not_launched, why->text);
}

static void command_ended(struct process *self UNUSED, struct future *f, void *op)
{
    struct command_executor *c = op;

    switch (future_state(f)) {
    case FUTURE_READY:
        end_as(c, command_exit_get(f));
        break;
    case FUTURE_FAILED:
        end_with_failure(c, future_error(f));
        break;
    default:             /* we or the runner end first: the run goes on, and is recovered */
        process_cancel(&c->kill_timer);
        process_cancel(&c->completion_timer);
        break;
    }
}

/* ---- kill ---- */

/* A later kill may only shorten what is left of the grace. */
static void escalate_after(struct command_executor *c, struct duration grace)
{
    struct instant deadline =
        instant_add(runtime_now(executor_process(c->executor)->runtime), grace);

    if (c->kill_timer.id != 0 && !instant_before(deadline, c->kill_deadline))
        return;
    process_cancel(&c->kill_timer);
    c->kill_deadline = deadline;
    c->kill_timer = delay_self(c, grace, call_kill_now);
}

static void stop_command(struct command_executor *c, struct duration grace)
{
    bool again = c->killed;

    if (c->told_end)
        return;
    c->killed = true;
    process_cancel(&c->completion_timer);
    if (!c->started) {
        c->kill_grace = again ? duration_min(grace, c->kill_grace) : grace;
        return;
    }
    if (!again)
        c->runner->ops->signal(c->runner, SIGTERM);
    escalate_after(c, grace);
}

static struct future *command_started(struct process *self UNUSED, struct future *f UNUSED,
                                      void *op)
{
    struct command_executor *c = op;
    Pb__TaskInfo *task = task_info(c);
    bool untold = c->known_state == PB__TASK_STATE__TASK_STAGING ||
                  c->known_state == PB__TASK_STATE__TASK_STARTING;

    c->started = true;
    if (c->killed) {
        c->runner->ops->signal(c->runner, SIGTERM);
        escalate_after(c, c->kill_grace);
        return c->runner->ops->wait(c->runner);
    }
    if (untold)
        tell_state(c, PB__TASK_STATE__TASK_RUNNING);
    if (task->max_completion_time)
        c->completion_timer =
            delay_self(c, NANOSECONDS(task->max_completion_time->nanoseconds), call_too_late);
    return c->runner->ops->wait(c->runner);
}

static void on_kill(void *arg, struct executor *e UNUSED, const Pb__TaskID *task,
                    const Pb__KillPolicy *policy)
{
    struct command_executor *c = arg;

    if (!c->task) {
        text_unref(c->killed_early);
        c->killed_early = text_create(task->value);
        return;
    }
    if (!is_our_task(c, task->value) || c->told_end)
        return;
    if (!c->killed && c->task_killing_state)
        tell_state(c, PB__TASK_STATE__TASK_KILLING);
    stop_command(c, grace_of(policy, grace_of(task_info(c)->kill_policy, KILL_GRACE)));
}

static void call_kill_now(struct process *self UNUSED, void *args)
{
    struct command_executor *c = ((struct self_args *)args)->c;

    c->kill_timer = (struct timer){ 0 };
    if (!c->told_end)
        c->runner->ops->signal(c->runner, SIGKILL);
}

static void call_too_late(struct process *self UNUSED, void *args)
{
    struct command_executor *c = ((struct self_args *)args)->c;

    c->completion_timer = (struct timer){ 0 };
    if (c->told_end || c->killed)
        return;
    c->late = true;
    stop_command(c, grace_of(task_info(c)->kill_policy, KILL_GRACE));
}

/* Within the grace of the shutdown, so that the end is known and told before it
 * has passed. */
static void on_shutdown(void *arg, struct executor *e)
{
    struct command_executor *c = arg;
    struct duration grace;
    int64_t most = c->shutdown_grace.ns - SHUTDOWN_RESERVE.ns;

    if (!c->task || c->told_end) {
        executor_stop(e);
        return;
    }
    grace = grace_of(task_info(c)->kill_policy, KILL_GRACE);
    stop_command(c, duration_min(grace, NANOSECONDS(most > 0 ? most : 0)));
}

/* ---- life ---- */

static const struct executor_callbacks callbacks = {
    .registered = on_registered,
    .launch = on_launch,
    .kill = on_kill,
    .shutdown = on_shutdown,
};

struct command_executor *command_executor_create(struct runtime *rt,
                                                 const struct command_executor_options *options,
                                                 struct command_runner *runner, struct error *err)
{
    struct command_executor *c = mem_alloc(sizeof *c);

    c->runner = runner;
    c->task_killing_state = options->task_killing_state;
    c->known_state = options->known_state;
    c->shutdown_grace = options->executor.shutdown_grace;
    c->outside = executor_create(rt, &options->executor, &callbacks, c, err);
    if (!c->outside) {
        runner->ops->destroy(runner);
        mem_free(c);
        return NULL;
    }
    return c;
}

static void release(struct command_executor *c)
{
    c->runner->ops->destroy(c->runner);
    text_unref(c->killed_early);
    message_unref(c->task);
    mem_free(c);
}

void command_executor_destroy(struct command_executor *c)
{
    if (!c)
        return;
    executor_destroy(c->outside);
    release(c);
}

void command_executor_release(struct command_executor *c)
{
    executor_release(c->outside);
    release(c);
}

const struct pid *command_executor_pid(const struct command_executor *c)
{
    return executor_pid(c->outside);
}
