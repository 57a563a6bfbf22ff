/* builtin_runner.c - a built-in executor's command, parented by the launcher
 *
 * It lives in the context of the built-in executor's process: all it needs of
 * the agent is given to it at its creation.  Start asks the launcher, or, for a
 * recovered run, only says that it has started: a run is never started twice.
 */
#include <signal.h>
#include <stdio.h>

#include "agent/agent_private.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_runner.h"
#include "process/future.h"

struct builtin_runner {
    struct command_runner runner;
    struct launcher *launcher;
    struct pid agent;
    struct container_id container;
    struct launch_request request;       /* of fresh ones */
    char *folder;
    bool adopted, has_exit;
    struct run_started started;          /* pid 0: not started */
    struct run_exit exit;
};

static struct future *run_has_started(struct process *self UNUSED, struct future *f, void *op)
{
    struct builtin_runner *r = op;

    r->started = *run_started_get(f);
    hosted_executors_tell_started(&r->agent, r->container, &r->started);
    return future_ready(&future_nothing, NULL);
}

static struct future *runner_start(struct command_runner *runner, const Pb__TaskInfo *task UNUSED)
{
    struct builtin_runner *r = (struct builtin_runner *)runner;

    if (r->adopted)
        return future_ready(&future_nothing, NULL);
    return future_then(launcher_start(r->launcher, &r->request), process_current(),
                       run_has_started, r);
}

static struct command_exit exit_of(const struct run_exit *from)
{
    struct command_exit exit = { .executed = from->executed, .status = from->status };

    snprintf(exit.reason, sizeof exit.reason, "%s", from->reason);
    return exit;
}

static struct future *run_has_ended(struct process *self UNUSED, struct future *f, void *op UNUSED)
{
    return command_exit_ready(exit_of(run_exit_get(f)));
}

static struct future *runner_wait(struct command_runner *runner)
{
    struct builtin_runner *r = (struct builtin_runner *)runner;

    if (r->has_exit)
        return command_exit_ready(exit_of(&r->exit));
    return future_then(launcher_wait(r->launcher, r->folder, &r->started), process_current(),
                       run_has_ended, r);
}

static void signal_failed(struct process *self UNUSED, struct future *f, void *op UNUSED)
{
    if (future_state(f) == FUTURE_FAILED)
        log_warning("a command cannot be sent a signal: %s", future_error(f)->text);
}

static void runner_signal(struct command_runner *runner, int signo)
{
    struct builtin_runner *r = (struct builtin_runner *)runner;
    int what = signo == SIGKILL ? RUN_SIGNAL_KILL : RUN_SIGNAL_STOP;

    if (r->has_exit)
        return;
    future_finally(launcher_signal(r->launcher, &r->started, what), process_current(),
                   signal_failed, NULL);
}

static void runner_destroy(struct command_runner *runner)
{
    struct builtin_runner *r = (struct builtin_runner *)runner;

    pid_release(&r->agent);
    container_id_release(&r->container);
    launch_request_release(&r->request);
    mem_free(r->folder);
    mem_free(r);
}

static const struct command_runner_ops builtin_ops = { runner_start, runner_wait, runner_signal,
                                                       runner_destroy };

struct command_runner *builtin_runner_create(struct agent *a, struct hosted_executor *e,
                                             struct error *err)
{
    struct builtin_runner *r = mem_alloc(sizeof *r);

    if (!e->recovered && sandbox_request(a, e, &r->request, err) < 0) {
        mem_free(r);
        return NULL;
    }
    r->runner.ops = &builtin_ops;
    r->launcher = a->launcher;
    r->agent = pid_dup(&a->process.pid);
    r->container = container_id_dup(&e->container);
    r->folder = mem_strdup(e->run_folder);
    r->adopted = e->recovered;
    r->started = e->started;
    r->has_exit = e->has_exit;
    r->exit = e->exit;
    return &r->runner;
}
