/* test_child_runner.c - commands as children of this OS process, on the real host */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "executor/command_runner.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- the runner's functions are called in the context of an actor ---- */

struct call {
    struct command_runner *runner;
    const Pb__TaskInfo *task;            /* start */
    int signo;                           /* or signal; neither: wait */
};

static struct future *call_runner(struct process *self UNUSED, void *args)
{
    struct call *c = args;

    if (c->task)
        return c->runner->ops->start(c->runner, c->task);
    if (!c->signo)
        return c->runner->ops->wait(c->runner);
    c->runner->ops->signal(c->runner, c->signo);
    return future_ready(&future_nothing, NULL);
}

static struct future *call(struct node *n, struct call c)
{
    struct future *f =
        process_call(&runtime_executor(n->rt)->pid, call_runner, &c, sizeof c, NULL);

    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    return f;
}

static struct command_runner *start(struct node *n, Pb__CommandInfo *command)
{
    struct command_runner *r = child_runner_create(n->rt);
    Pb__TaskInfo task = PB__TASK_INFO__INIT;

    task.command = command;
    future_unref(call(n, (struct call){ .runner = r, .task = &task }));
    return r;
}

static struct command_runner *start_shell(struct node *n, const char *text)
{
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;

    command.value = text;
    return start(n, &command);
}

static void send(struct node *n, struct command_runner *r, int signo)
{
    future_unref(call(n, (struct call){ .runner = r, .signo = signo }));
}

/* Waits, and destroys the runner. */
static void check_exit(struct node *n, struct command_runner *r, const char *words)
{
    struct future *f = call(n, (struct call){ .runner = r });
    char text[300];

    command_exit_describe(command_exit_get(f), text, sizeof text);
    ck_assert_str_eq(text, words);
    future_unref(f);
    r->ops->destroy(r);
}

/* ---- ends ---- */

START_TEST(a_shell_command_ends_with_its_status)
{
    struct node n = node_start(1);

    check_exit(&n, start_shell(&n, "exit 0"), "Command exited with status 0");
    check_exit(&n, start_shell(&n, "(exit 3)"), "Command exited with status 3");
    check_exit(&n, start_shell(&n, "kill -KILL $$"), "Command terminated with signal Killed");
    node_stop(&n);
}
END_TEST

START_TEST(a_program_gets_its_arguments_as_they_are)
{
    struct node n = node_start(1);
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    const char *arguments[] = { "name", "-c", "test \"$0.$1\" = 'a b.c' && exit 5", "a b", "c" };

    command.has_shell = 1;
    command.shell = 0;
    command.value = "sh";
    command.n_arguments = ARRAY_SIZE(arguments);
    command.arguments = arguments;
    check_exit(&n, start(&n, &command), "Command exited with status 5");
    node_stop(&n);
}
END_TEST

START_TEST(what_cannot_be_executed_ends_with_a_reason)
{
    struct node n = node_start(1);
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    struct command_runner *r;
    struct future *f;

    check_exit(&n, start(&n, &command),
               "the command has no value: neither a shell command nor a program");
    command.has_shell = 1;
    command.shell = 0;
    command.value = "/no/such/program";
    r = start(&n, &command);
    send(&n, r, SIGTERM);
    f = call(&n, (struct call){ .runner = r });
    ck_assert(!command_exit_get(f)->executed);
    ck_assert(strstr(command_exit_get(f)->reason, "/no/such/program") != NULL);
    future_unref(f);
    r->ops->destroy(r);
    node_stop(&n);
}
END_TEST

START_TEST(the_commands_environment_goes_before_ours)
{
    Pb__Environment__Variable home = PB__ENVIRONMENT__VARIABLE__INIT,
                              mine = PB__ENVIRONMENT__VARIABLE__INIT,
                              again = PB__ENVIRONMENT__VARIABLE__INIT,
                              secret = PB__ENVIRONMENT__VARIABLE__INIT;
    Pb__Environment__Variable *variables[] = { &home, &mine, &again, &secret };
    Pb__Environment environment = PB__ENVIRONMENT__INIT;
    Pb__CommandInfo command = PB__COMMAND_INFO__INIT;
    struct node n;

    setenv("HOME", "/ours", 1);
    setenv("KEPT", "kept", 1);
    n = node_start(1);
    home.name = "HOME";
    home.value = "/task's";
    mine.name = again.name = "MINE";
    mine.value = "1";
    again.value = "2";
    secret.name = "SECRET";
    secret.value = "no";
    secret.has_type = 1;
    secret.type = PB__ENVIRONMENT__VARIABLE__TYPE__SECRET;
    environment.n_variables = ARRAY_SIZE(variables);
    environment.variables = variables;
    command.environment = &environment;
    command.value = "test \"$HOME $KEPT $MINE $SECRET\" = \"/task's kept 2 \"";
    check_exit(&n, start(&n, &command), "Command exited with status 0");
    node_stop(&n);
}
END_TEST

/* ---- signals ---- */

START_TEST(a_command_is_asked_to_end_and_made_to)
{
    struct node n = node_start(1);
    struct command_runner *r = start_shell(&n, "exec sleep 100000");

    send(&n, r, SIGTERM);
    check_exit(&n, r, "Command terminated with signal Terminated");
    r = start_shell(&n, "trap '' TERM; while :; do sleep 100000; done");
    send(&n, r, SIGKILL);
    check_exit(&n, r, "Command terminated with signal Killed");
    node_stop(&n);
}
END_TEST

START_TEST(what_the_command_has_started_ends_with_it)
{
    struct node n = node_start(1);
    char folder[] = "/tmp/test_child_runner-XXXXXX", path[64], byte, *text;
    struct command_runner *r;
    int fd;

    ck_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    text = mem_printf("sleep 100000 >%s & wait", path);
    r = start_shell(&n, text);
    fd = open(path, O_RDONLY);                      /* waits for the sleeper to open it */
    ck_assert_int_ge(fd, 0);
    send(&n, r, SIGTERM);
    ck_assert_int_eq(read(fd, &byte, 1), 0);        /* waits for the sleeper to end */
    check_exit(&n, r, "Command terminated with signal Terminated");
    close(fd);
    unlink(path);
    rmdir(folder);
    mem_free(text);
    node_stop(&n);
}
END_TEST

START_TEST(a_runner_destroyed_first_leaves_nothing_behind)
{
    struct node n = node_start(1);
    struct command_runner *r = start_shell(&n, "exit 0");

    r->ops->destroy(r);
    node_stop(&n);
}
END_TEST

UNIT(child_runner, a_shell_command_ends_with_its_status, a_program_gets_its_arguments_as_they_are,
     what_cannot_be_executed_ends_with_a_reason, the_commands_environment_goes_before_ours,
     a_command_is_asked_to_end_and_made_to, what_the_command_has_started_ends_with_it,
     a_runner_destroyed_first_leaves_nothing_behind);
