/* http_executor_program.c - tests/cluster/http_executor.h as a real program
 *
 *   http_executor_program json|protobuf json|protobuf     what it says, what it hears
 *
 * It prints what happens to it, a line each.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "process/host.h"
#include "process/host_real.h"
#include "tests/cluster/http_executor.h"

struct program {
    struct host *host;
    atomic_bool over;
};

static void say(const char *what, const char *of)
{
    printf("%s %s\n", what, of);
    fflush(stdout);
}

static void started(void *arg UNUSED, const char *framework UNUSED, const char *task)
{
    say("started", task);
}

static void ended(void *arg UNUSED, const char *framework UNUSED, const char *task,
                  int status UNUSED)
{
    say("ended", task);
}

static void acknowledged(void *arg UNUSED, const uint8_t uuid[16])
{
    char text[UUID_TEXT];

    say("acknowledged", host_uuid_format(uuid, text));
}

static void wrong(void *arg UNUSED, const char *what)
{
    say("wrong:", what);
}

static void left(void *arg)
{
    struct program *p = arg;

    atomic_store(&p->over, true);
    host_notify(p->host);
}

static bool is_over(void *arg)
{
    return atomic_load(&((struct program *)arg)->over);
}

int main(int argc, char **argv)
{
    static const struct http_executor_hooks hooks = { started, ended, acknowledged, wrong, left };
    struct http_executor_options options = {
        .json_calls = argc > 1 && strcmp(argv[1], "json") == 0,
        .json_events = argc > 2 && strcmp(argv[2], "json") == 0,
        .idle = MINUTES(10),
    };
    struct program p = { .host = host_real_create() };
    struct http_executor *x;
    struct error err;

    x = http_executor_start(p.host, &options, &hooks, &p, &err);
    if (!x) {
        fprintf(stderr, "http_executor_program: %s\n", err.text);
        host_destroy(p.host);
        return EXIT_FAILURE;
    }
    host_wait(p.host, is_over, &p, INSTANT_NEVER);
    http_executor_stop(x);
    host_destroy(p.host);
    return EXIT_SUCCESS;
}
