/* command_exit.h - how a command ended, and what Mesos says about it */
#ifndef COMMAND_EXIT_H
#define COMMAND_EXIT_H

#include <stdbool.h>
#include <stddef.h>

#include "process/typed.h"

/* waitpid's status, or why it could not be executed. */
struct command_exit { bool executed; int status; char reason[200]; };
FUTURE_TYPE(command_exit, struct command_exit);

bool command_exit_is_success(const struct command_exit *exit);
/* "Command exited with status 3", "Command terminated with signal Killed". */
void command_exit_describe(const struct command_exit *exit, char *text, size_t size);

#endif
