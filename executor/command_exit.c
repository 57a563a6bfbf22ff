/* command_exit.c - how a command ended, in the words of Mesos's command executor */
#include "executor/command_exit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

FUTURE_TYPE_DEFINE(command_exit, struct command_exit, NULL);

bool command_exit_is_success(const struct command_exit *exit)
{
    return exit->executed && WIFEXITED(exit->status) && WEXITSTATUS(exit->status) == 0;
}

/* What strsignal says in the C locale; that of a real-time signal is not constant. */
static const char *signal_name(int signo)
{
    const char *name = sigdescr_np(signo);

    return name ? name : "unknown";
}

void command_exit_describe(const struct command_exit *exit, char *text, size_t size)
{
    if (!exit->executed)
        snprintf(text, size, "%s", exit->reason);
    else if (WIFEXITED(exit->status))
        snprintf(text, size, "Command exited with status %d", WEXITSTATUS(exit->status));
    else
        snprintf(text, size, "Command terminated with signal %s",
                 signal_name(WTERMSIG(exit->status)));
}
