/* sim_supervisor.c - a run's supervisor as a simulated OS process
 *
 * One step at a time, with pauses between them in which it may be killed:
 *
 *   CLAIM     the lock, `started` exclusively; answer
 *   EXECUTE   the command begins: the ledger hears of it
 *   ENDED     the command has come to its end (or the custom executor has)
 *   WRITE     exit.new is written and synced
 *   RENAME    it becomes `exit`, the folder is synced; we go
 */
#include "sim_supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/launcher_protocol.h"
#include "agent/run.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "ledger.h"
#include "process/sim.h"
#include "sim_launcher.h"

enum step { STEP_CLAIM, STEP_EXECUTE, STEP_RUNNING, STEP_WRITE, STEP_RENAME, STEP_DONE };

struct supervisor {
    struct list link; /* ledger->running */
    struct host *host;
    struct loop *loop;
    const struct child_spec *spec;
    enum step step;
    struct instant next; /* of the step */
    struct file *lock;
    bool traps_term;
    int status;  /* of the command */
    pid_t child; /* the custom executor */
    uint64_t child_start;
    struct run_exit exit;
    struct ledger_task *task; /* NULL for custom executors */
};

static char *path_of(const struct supervisor *s, const char *name)
{
    return mem_printf("%s/%s", s->spec->argv[3], name);
}

static void pause_until(struct supervisor *s, enum step step, struct duration d)
{
    s->step = step;
    s->next = instant_add(host_now(s->host), d);
    host_loop_deadline(s->loop, s->next);
}

static void pause_some(struct supervisor *s, enum step step)
{
    pause_until(s, step, host_random_duration(s->host, MILLISECONDS(2)));
}

static void leave(struct supervisor *s, int status)
{
    s->step = STEP_DONE;
    sim_program_exit(s->host, status << 8);
}

/* ---- the run is ours, or it is refused ---- */

static int write_started(struct supervisor *s, struct run_started *started, struct error *err)
{
    CLEANUP(mem_free_p) char *path = path_of(s, RUN_STARTED);
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    struct host_facts facts;
    struct file *f;
    int r;

    host_facts(s->host, &facts);
    started->pid = facts.pid;
    snprintf(started->boot_id, sizeof started->boot_id, "%s", facts.boot_id);
    if (host_start_time(s->host, facts.pid, &started->start_time, err) < 0 ||
        host_open(s->host, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f, err) < 0)
        return -1;
    run_started_format(started, &text);
    r = file_write(f, 0, buffer_data(&text), buffer_length(&text), err);
    file_close(f);
    if (r < 0) /* the real one links a finished file: no name, then */
        host_unlink(s->host, path, NULL);
    return r;
}

static int claim(struct supervisor *s, struct run_started *started, struct error *err)
{
    CLEANUP(mem_free_p) char *path = path_of(s, RUN_LOCK);
    struct error why;

    if (host_open(s->host, path, FILE_WRITE | FILE_CREATE, 0600, &s->lock, err) < 0)
        return -1;
    if (file_lock(s->lock, &why) < 0)
        return why.code == EAGAIN ? error_set(err, EEXIST, "the run lives already")
                                  : error_copy(err, &why);
    return write_started(s, started, err);
}

static void step_claim(struct supervisor *s)
{
    struct run_started started = { .pid = 0 };
    struct launch_answer a = { .text = (char *)"" };
    struct error err = { 0 };

    if (claim(s, &started, &err) < 0) {
        a.code = err.code;
        a.text = err.text;
    } else {
        a.pid = started.pid;
        a.start_time = started.start_time;
    }
    sim_supervisor_answer(ledger_current(), strtoull(s->spec->argv[1], NULL, 10),
                          strtoull(s->spec->argv[2], NULL, 10), &a);
    if (a.code)
        leave(s, 1);
    else
        pause_some(s, STEP_EXECUTE);
}

/* ---- the command ---- */

static const char *command_text(const struct supervisor *s)
{
    char *const *argv = s->spec->argv + SUPERVISOR_ARGUMENTS;

    return argv[0] && argv[1] && argv[2] ? argv[2] : "";
}

static void command_ended(struct supervisor *s, int status)
{
    if (s->step != STEP_RUNNING)
        return;
    s->exit.executed = true;
    s->exit.status = status;
    if (s->task) {
        s->task->ended = true;
        s->task->status = status;
    }
    pause_some(s, STEP_WRITE);
}

static void child_ended(void *arg, int status)
{
    struct supervisor *s = arg;

    s->child = 0;
    command_ended(s, status);
    host_loop_wake(s->loop);
}

static void execute_child(struct supervisor *s, const char *program)
{
    struct child_spec spec = { .path = program,
                               .argv = (char *[]){ (char *)program, NULL },
                               .envp = s->spec->envp,
                               .dies_with_parent = true };
    struct error err;

    s->step = STEP_RUNNING;
    if (host_spawn(s->loop, &spec, child_ended, s, &s->child, &err) < 0 ||
        host_start_time(s->host, s->child, &s->child_start, &err) < 0)
        command_ended(s, 127 << 8);
    else
        host_loop_deadline(s->loop, INSTANT_NEVER);
}

static void step_execute(struct supervisor *s)
{
    const char *text = command_text(s), *sleep = strstr(text, "sleep "),
               *exit = strstr(text, "exit ");
    const char *framework = sim_launcher_variable(s->spec->envp, "MESOS_FRAMEWORK_ID");
    const char *executor = sim_launcher_variable(s->spec->envp, "MESOS_EXECUTOR_ID");

    if (strstr(text, "sim-executor") || strstr(text, "sim-http-executor")) {
        execute_child(s, strstr(text, "sim-"));
        return;
    }
    if (framework && executor)
        s->task = ledger_start(ledger_current(), framework, executor);
    s->traps_term = strstr(text, "trap") != NULL;
    s->status = exit ? (int)strtol(exit + strlen("exit "), NULL, 10) << 8 : 0;
    pause_until(s, STEP_RUNNING,
                duration_from_seconds(sleep ? strtod(sleep + strlen("sleep "), NULL) : 0));
}

/* ---- its record ---- */

static void step_write(struct supervisor *s)
{
    CLEANUP(mem_free_p) char *path = path_of(s, RUN_EXIT ".new");
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    struct error err;
    struct file *f;
    int r;

    run_exit_format(&s->exit, &text);
    if (host_open(s->host, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0600, &f, &err) < 0) {
        leave(s, 1);
        return;
    }
    r = file_write(f, 0, buffer_data(&text), buffer_length(&text), &err);
    if (r == 0)
        r = file_sync(f, &err);
    file_close(f);
    if (r < 0)
        leave(s, 1);
    else
        pause_some(s, STEP_RENAME);
}

static void step_rename(struct supervisor *s)
{
    CLEANUP(mem_free_p) char *from = path_of(s, RUN_EXIT ".new");
    CLEANUP(mem_free_p) char *to = path_of(s, RUN_EXIT);
    bool ok = host_rename(s->host, from, to, NULL) == 0 &&
              host_sync_directory(s->host, s->spec->argv[3], NULL) == 0;

    leave(s, ok ? 0 : 1);
}

static bool turn(void *arg)
{
    struct supervisor *s = arg;

    if (s->step == STEP_DONE || (s->step == STEP_RUNNING && s->next.ns == INSTANT_NEVER.ns))
        return false;
    if (instant_before(host_now(s->host), s->next)) {
        host_loop_deadline(s->loop, s->next);
        return false;
    }
    s->next = INSTANT_NEVER;
    switch (s->step) {
    case STEP_CLAIM:
        step_claim(s);
        break;
    case STEP_EXECUTE:
        step_execute(s);
        break;
    case STEP_RUNNING:
        command_ended(s, s->status);
        break;
    case STEP_WRITE:
        step_write(s);
        break;
    case STEP_RENAME:
        step_rename(s);
        break;
    case STEP_DONE:
        break;
    }
    return false;
}

/* ---- life ---- */

static void *supervisor_start(struct host *h, const struct child_spec *spec)
{
    struct supervisor *s = mem_alloc(sizeof *s);

    s->host = h;
    s->spec = spec;
    s->loop = host_loop_start(h, turn, s);
    ledger_current()->supervisors++;
    list_append(&ledger_current()->running, &s->link);
    pause_some(s, STEP_CLAIM);
    return s;
}

static void supervisor_signalled(void *state, int signo)
{
    struct supervisor *s = state;

    if (s->step != STEP_RUNNING || (signo != RUN_SIGNAL_STOP && signo != RUN_SIGNAL_KILL))
        return;
    if (s->child)
        host_signal(s->host, s->child, s->child_start, signo == RUN_SIGNAL_KILL ? SIGKILL : SIGTERM,
                    NULL);
    else if (signo == RUN_SIGNAL_KILL || !s->traps_term)
        command_ended(s, signo == RUN_SIGNAL_KILL ? SIGKILL : SIGTERM);
}

static void supervisor_stop(void *state)
{
    struct supervisor *s = state;

    ledger_current()->supervisors--;
    list_remove(&s->link);
    file_close(s->lock);
    host_loop_stop(s->loop);
    mem_free(s);
}

int sim_supervisor_kill_one(struct ledger *ledger, struct sim *sim)
{
    uint64_t n = 0;

    list_each (s, &ledger->running, struct supervisor, link)
        n += !sim_host_is_dead(s->host);
    if (n == 0)
        return -1;
    n = sim_random_below(sim, n);
    list_each (s, &ledger->running, struct supervisor, link)
        if (!sim_host_is_dead(s->host) && n-- == 0) {
            sim_host_kill(s->host);
            break;
        }
    return 0;
}

const struct sim_program sim_supervisor_program = { "mesos-lite-run", supervisor_start,
                                                    supervisor_signalled, supervisor_stop };
