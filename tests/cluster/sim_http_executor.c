/* sim_http_executor.c - http_executor.h as a simulated OS process */
#include "sim_http_executor.h"

#include "base/error.h"
#include "base/memory.h"
#include "http_executor.h"
#include "ledger.h"
#include "process/host.h"
#include "process/sim.h"

struct program {
    struct host *host;
    struct http_executor *executor;
};

static void started(void *arg, const char *framework, const char *task)
{
    struct program *p = arg;

    if (!sim_host_is_dead(p->host))
        ledger_start(ledger_current(), framework, task);
}

static void ended(void *arg, const char *framework, const char *task, int status)
{
    struct program *p = arg;
    struct ledger_task *t = ledger_find(ledger_current(), framework, task);

    if (t && !sim_host_is_dead(p->host)) {
        t->ended = true;
        t->status = status;
    }
}

static void wrong(void *arg, const char *what)
{
    struct program *p = arg;

    if (!sim_host_is_dead(p->host))
        ledger_violate(ledger_current(), "%s", what);
}

static void left(void *arg)
{
    sim_program_exit(((struct program *)arg)->host, 0);
}

static void *start_program(struct host *h, const struct child_spec *spec UNUSED)
{
    static const struct http_executor_hooks hooks = { .started = started, .ended = ended,
                                                      .wrong = wrong, .left = left };
    struct http_executor_options options = { .json_calls = host_random_below(h, 2) == 0,
                                             .json_events = host_random_below(h, 2) == 0,
                                             .idle = SECONDS(30) };
    struct program *p = mem_alloc(sizeof *p);
    struct error err;

    p->host = h;
    p->executor = http_executor_start(h, &options, &hooks, p, &err);
    if (!p->executor)
        sim_program_exit(h, 1 << 8);
    return p;
}

static void stop_program(void *state)
{
    struct program *p = state;

    http_executor_stop(p->executor);
    mem_free(p);
}

const struct sim_program sim_http_executor_program = { "sim-http-executor", start_program, NULL,
                                                       stop_program };
