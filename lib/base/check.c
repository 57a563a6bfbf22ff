/* check.c - the last words of a program that broke its own promise */
#include "base/check.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/context.h"

enum { FRAMES = 64 };

/* No allocation and no stdio stream: the heap may be what is broken. */
static void say(const char *text, int length)
{
    while (length > 0) {
        ssize_t n = write(STDERR_FILENO, text, (size_t)length);

        if (n <= 0)
            return;
        text += n;
        length -= (int)n;
    }
}

static int clip(int length, int size)
{
    return length < size ? length : size - 1;
}

void check_failed(const char *file, int line, const char *what)
{
    const struct context *c = context_current();
    void *frames[FRAMES];
    const char *actor, *sender;
    char text[1000], made_actor[300], made[300];
    int n;

    n = snprintf(text, sizeof text, "%s:%d: %s failed\n", file, line, what);
    say(text, clip(n, sizeof text));
    if (c) {
        actor = context_actor(c, made_actor, sizeof made_actor);
        sender = context_sender(c, made, sizeof made);
        n = snprintf(text, sizeof text, "    actor %s, event %s, sender %s\n",
                     actor[0] ? actor : "-", c->event ? c->event : "-",
                     sender[0] ? sender : "-");
        say(text, clip(n, sizeof text));
    }
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
    abort();
}
