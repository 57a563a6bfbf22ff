/* main.c - mesos-lite-executor: the command executor as an OS process of its own
 *
 * Started by an agent, which tells it all by its environment (FACTS 5.4); runs
 * one command task and ends when the agent has stored the last update.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "executor/command_executor.h"
#include "process/host.h"
#include "process/program.h"
#include "process/runtime.h"

static const char usage[] =
    "usage: mesos-lite-executor\n"
    "Runs one command task for the agent that started it; not for use by hand.\n"
    "The agent sets MESOS_SLAVE_PID, MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID and others.\n";

static int run(struct program *p, const struct command_executor_options *options, struct error *err)
{
    struct command_executor *executor =
        command_executor_create(p->runtime, options, child_runner_create(p->runtime), err);

    if (!executor)
        return -1;
    program_wait(p, command_executor_pid(executor));
    command_executor_destroy(executor);
    return 0;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "mesos-lite-executor: %s\n", err->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct command_executor_options options = { .known_state = PB__TASK_STATE__TASK_STAGING };
    struct program_options program = { .threads = 1 };
    struct program p;
    struct host *host;
    struct error err;
    char ip[ADDRESS_TEXT];
    int result;

    if (argc > 1) {
        fputs(usage, strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    host = host_real_create();
    if (executor_options_from_environment(host, &options.executor, &err) < 0) {
        host_destroy(host);
        return fail(&err);
    }
    program.ip =
        address_format_ip(options.executor.agent.address.ip, ip); /* the agent's: same machine */
    result = program_start(&p, host, &program, &err);
    if (result == 0) {
        result = run(&p, &options, &err);
        program_stop(&p);
    }
    pid_release(&options.executor.agent);
    return result < 0 ? fail(&err) : EXIT_SUCCESS;
}
