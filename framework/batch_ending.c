/* batch_ending.c - what a TaskStatus says about a command
 *
 * Mesos tells the exit status of a command in the message only: "Command exited
 * with status 3", "Command terminated with signal Killed".
 */
#include "framework/batch_ending.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { NO_STATUS = 255, UNKNOWN = -1 };

static int exit_value_of(const char *message)
{
    static const char words[] = "exited with status ";
    const char *at = message ? strstr(message, words) : NULL;
    char *end;
    long value;

    if (!at)
        return -1;
    at += strlen(words);
    value = strtol(at, &end, 10);
    return end > at && value >= 0 && value <= 255 ? (int)value : -1;
}

/* The longest name wins: "Stopped (signal)" and "Stopped (tty input)". */
static int signal_of(const char *message)
{
    static const char words[] = "terminated with signal ";
    const char *at = message ? strstr(message, words) : NULL;
    size_t longest = 0;
    int found = 0;

    if (!at)
        return 0;
    at += strlen(words);
    for (int signo = 1; signo < NSIG; signo++) {
        const char *name = sigdescr_np(signo);

        if (name && strlen(name) > longest && strncmp(at, name, strlen(name)) == 0) {
            longest = strlen(name);
            found = signo;
        }
    }
    return found;
}

static struct batch_ending failure(const Pb__TaskStatus *status)
{
    struct batch_ending e = { BATCH_FAILED, exit_value_of(status->message),
                              signal_of(status->message) };

    if (e.signal == 0 && e.exit_value < 0 && status->state == PB__TASK_STATE__TASK_KILLED)
        e.signal = SIGTERM;
    if (e.signal > 0)
        e.exit_value = 0;
    else if (e.exit_value <= 0)
        e.exit_value = NO_STATUS;
    return e;
}

static bool never_arrived(const Pb__TaskStatus *status, bool heard)
{
    return !heard && status->state == PB__TASK_STATE__TASK_GONE && status->has_reason &&
           status->reason == PB__TASK_STATUS__REASON__REASON_RECONCILIATION;
}

struct batch_ending batch_ending_of(const Pb__TaskStatus *status, bool heard)
{
    if (never_arrived(status, heard))
        return (struct batch_ending){ BATCH_NOT_STARTED, NO_STATUS, 0 };
    switch (status->state) {
    case PB__TASK_STATE__TASK_FINISHED:
        return (struct batch_ending){ BATCH_SUCCEEDED, 0, 0 };
    case PB__TASK_STATE__TASK_FAILED:
    case PB__TASK_STATE__TASK_KILLED:
        return failure(status);
    case PB__TASK_STATE__TASK_ERROR:
        return (struct batch_ending){ BATCH_INVALID, NO_STATUS, 0 };
    case PB__TASK_STATE__TASK_DROPPED:
        return (struct batch_ending){ BATCH_NOT_STARTED, NO_STATUS, 0 };
    case PB__TASK_STATE__TASK_UNREACHABLE:
        return (struct batch_ending){ BATCH_UNREACHABLE, 0, 0 };
    case PB__TASK_STATE__TASK_LOST:
    case PB__TASK_STATE__TASK_GONE:
    case PB__TASK_STATE__TASK_GONE_BY_OPERATOR:
    case PB__TASK_STATE__TASK_UNKNOWN:
        return (struct batch_ending){ BATCH_MAY_HAVE_RUN, UNKNOWN, UNKNOWN };
    default:
        return (struct batch_ending){ BATCH_ALIVE, 0, 0 };
    }
}
