/* child_runner.c - the command as a child of this OS process
 *
 * What mesos-lite-executor runs its command with.  The command has a session of
 * its own; what it started stays in its process group and is signalled with it,
 * and is killed with the executor's container at the latest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_runner.h"
#include "process/runtime.h"
#include "process/subprocess.h"

struct child_runner {
    struct command_runner runner;
    struct runtime *rt;
    struct subprocess *child;            /* NULL: not started, or it could not be */
    struct error failure;                /* why it could not */
};

/* ---- the environment: ours, and on top of it the command's ---- */

static bool is_variable(const char *entry, const char *name)
{
    size_t length = strlen(name);

    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static void set_variable(char **envp, const Pb__Environment__Variable *v)
{
    char **at = envp;

    if (v->type != PB__ENVIRONMENT__VARIABLE__TYPE__VALUE || !v->value)
        return;                          /* secrets are resolved by who launches us */
    while (*at && !is_variable(*at, v->name))
        at++;
    mem_free(*at);
    *at = mem_printf("%s=%s", v->name, v->value);
}

static char **make_environment(struct host *h, const Pb__Environment *extra)
{
    char *const *ours = host_environment(h);
    size_t n = 0, n_extra = extra ? extra->n_variables : 0;
    char **envp;

    while (ours[n])
        n++;
    envp = mem_array(n + n_extra + 1, sizeof *envp);
    for (size_t i = 0; i < n; i++)
        envp[i] = mem_strdup(ours[i]);
    for (size_t i = 0; i < n_extra; i++)
        set_variable(envp, extra->variables[i]);
    return envp;
}

static void free_environment(char **envp)
{
    for (size_t i = 0; envp[i]; i++)
        mem_free(envp[i]);
    mem_free(envp);
}

/* ---- the child ---- */

static int spawn_command(struct child_runner *r, const Pb__CommandInfo *command, struct error *err)
{
    char **envp = make_environment(runtime_host(r->rt), command->environment);
    struct child_spec spec = { .in = CHILD_NULL, .new_session = true, .envp = envp };
    char *shell[] = { (char *)"sh", (char *)"-c", (char *)command->value, NULL };
    char **argv = shell;

    spec.path = "sh";
    if (command->has_shell && !command->shell) {
        argv = mem_array(command->n_arguments + 2, sizeof *argv);
        for (size_t i = 0; i < command->n_arguments; i++)
            argv[i] = (char *)command->arguments[i];
        if (command->n_arguments == 0)
            argv[0] = (char *)command->value;
        spec.path = command->value;
    }
    spec.argv = argv;
    r->child = subprocess_spawn(r->rt, &spec, err);
    if (argv != shell)
        mem_free(argv);
    free_environment(envp);
    return r->child ? 0 : -1;
}

/* A command that cannot be executed has run and failed, for the caller. */
static struct future *child_start(struct command_runner *runner, const Pb__TaskInfo *task)
{
    struct child_runner *r = (struct child_runner *)runner;

    if (!task->command->value)
        error_set(&r->failure, EINVAL,
                  "the command has no value: neither a shell command nor a program");
    else
        spawn_command(r, task->command, &r->failure);
    return future_ready(&future_nothing, NULL);
}

static struct future *child_ended(struct process *self UNUSED, struct future *f, void *op UNUSED)
{
    struct command_exit exit = { .executed = true, .status = *subprocess_status_get(f) };

    return command_exit_ready(exit);
}

static struct future *child_wait(struct command_runner *runner)
{
    struct child_runner *r = (struct child_runner *)runner;
    struct command_exit exit = { .executed = false };

    if (r->child)
        return future_then(subprocess_wait(r->child), process_current(), child_ended, r);
    snprintf(exit.reason, sizeof exit.reason, "%s", r->failure.text);
    return command_exit_ready(exit);
}

static void child_signal(struct command_runner *runner, int signo)
{
    struct child_runner *r = (struct child_runner *)runner;
    struct error err;

    if (r->child && subprocess_signal_group(r->child, signo, &err) < 0 && err.code != ESRCH)
        log_warning("command of process %d cannot be sent signal %d: %s",
                    (int)subprocess_pid(r->child), signo, err.text);
}

static void child_destroy(struct command_runner *runner)
{
    struct child_runner *r = (struct child_runner *)runner;

    subprocess_unref(r->child);
    mem_free(r);
}

static const struct command_runner_ops child_ops = { child_start, child_wait, child_signal,
                                                     child_destroy };

struct command_runner *child_runner_create(struct runtime *rt)
{
    struct child_runner *r = mem_alloc(sizeof *r);

    r->runner.ops = &child_ops;
    r->rt = rt;
    return &r->runner;
}
