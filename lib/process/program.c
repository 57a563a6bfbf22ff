/* program.c - what every main has in common */
#include "process/program.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

/* Told by other threads than main's: a signal by a loop, the process' end by an
 * actor that is linked to it.  Release and acquire are enough: each is one flag. */
struct program_wait {
    struct host *host;
    atomic_int signo;                    /* the first signal */
    atomic_bool ended;
};

static const int asks_us_to_end[] = { SIGTERM, SIGINT, SIGHUP };

static struct instant wall_of(void *arg)
{
    return host_wall(arg);
}

static void signalled(void *arg, int signo)
{
    struct program_wait *w = arg;
    int none = 0;

    atomic_compare_exchange_strong_explicit(&w->signo, &none, signo, memory_order_release,
                                            memory_order_relaxed);
    host_notify(w->host);
}

static int start_log(struct program *p, const struct program_options *options, struct error *err)
{
    const char *form = options->log_format ? options->log_format : "glog";

    p->log = log_create(NULL, NULL, wall_of, p->host);
    if (strcmp(form, "json") == 0)
        log_set_form(p->log, LOG_JSON);
    else if (strcmp(form, "glog") != 0)
        return error_set(err, EINVAL, "--log_format is '%s'; it can be 'glog' or 'json'", form);
    if (options->log && log_set_levels(p->log, options->log, err) < 0)
        return error_wrap(err, "--log");
    return 0;
}

static int check_port(const char *flag, int64_t port, struct error *err)
{
    if (port < 0 || port > 65535)
        return error_set(err, EINVAL, "%s is %lld; it can be 0 to 65535", flag, (long long)port);
    return 0;
}

static int start_runtime(struct program *p, const struct program_options *options,
                         struct error *err)
{
    struct runtime_options r = { .log = p->log, .version = options->version };

    if (options->ip && address_parse_ip(options->ip, &r.bind.ip, err) < 0)
        return error_wrap(err, "--ip");
    if (options->advertise_ip && address_parse_ip(options->advertise_ip, &r.advertise.ip, err) < 0)
        return error_wrap(err, "--advertise_ip");
    if (options->advertise_ip && r.advertise.ip == 0)
        return error_set(err, EINVAL, "--advertise_ip is 0.0.0.0, by which nobody can reach us");
    r.bind_any = options->ip && r.bind.ip == 0;
    if (r.bind_any && r.advertise.ip == 0)
        return error_set(err, EINVAL, "--ip is 0.0.0.0, which says where to listen, but not by "
                         "which address others reach us: set --advertise_ip, too");
    if (check_port("--port", options->port, err) < 0 ||
        check_port("--advertise_port", options->advertise_port, err) < 0)
        return -1;
    r.bind.port = (uint16_t)options->port;
    r.advertise.port = (uint16_t)options->advertise_port;
    r.workers = (unsigned)options->threads;
    p->runtime = runtime_create(p->host, &r, err);
    return p->runtime ? 0 : -1;
}

static int start_signals(struct program *p, struct error *err)
{
    p->wait = mem_alloc(sizeof *p->wait);
    p->wait->host = p->host;
    for (size_t i = 0; i < ARRAY_SIZE(asks_us_to_end); i++)
        if (host_on_signal(runtime_loop(p->runtime), asks_us_to_end[i], signalled, p->wait, err) <
            0)
            return -1;
    return 0;
}

int program_start(struct program *p, struct host *host, const struct program_options *options,
                  struct error *err)
{
    *p = (struct program){ .host = host };
    if (start_log(p, options, err) < 0 || start_runtime(p, options, err) < 0 ||
        start_signals(p, err) < 0) {
        program_stop(p);
        return -1;
    }
    return 0;
}

int program_write_address(struct program *p, const char *path, struct error *err)
{
    char address[ADDRESS_TEXT], line[ADDRESS_TEXT + 1];

    snprintf(line, sizeof line, "%s\n", address_format(runtime_address(p->runtime), address));
    return host_write_file(p->host, path, line, strlen(line), 0644, err);
}

/* ---- waiting: a link hears of the end ---- */

struct watcher {
    struct process process;
    struct program_wait *wait;
    const struct pid *watched;
};

CLASS(watcher, "__program__", watcher_initialize, watcher_exited, watcher_finalize);

static void watcher_initialize(struct watcher *w)
{
    process_link(&w->process, w->watched, LINK_REUSE);
}

static void watcher_exited(struct watcher *w, const struct pid *peer UNUSED)
{
    atomic_store_explicit(&w->wait->ended, true, memory_order_release);
    host_notify(w->wait->host);
}

static void watcher_finalize(struct watcher *w UNUSED)
{
}

static bool is_over(void *arg)
{
    struct program_wait *w = arg;

    return atomic_load_explicit(&w->signo, memory_order_acquire) != 0 ||
           atomic_load_explicit(&w->ended, memory_order_acquire);
}

int program_wait(struct program *p, const struct pid *pid)
{
    struct watcher watcher = { .wait = p->wait, .watched = pid };
    struct pid self;
    int spawned;

    atomic_store_explicit(&p->wait->ended, false, memory_order_relaxed);
    spawned = process_spawn(p->runtime, &watcher.process, &watcher_class, NULL, &self, NULL);
    CHECK(spawned == 0);                 /* a name that is made unique is never taken */
    host_wait(p->host, is_over, p->wait, INSTANT_NEVER);
    process_terminate(&self, TERMINATE_NOW);
    process_wait(&self, DAYS(1));
    pid_release(&self);
    return atomic_load_explicit(&p->wait->signo, memory_order_acquire);
}

void program_stop(struct program *p)
{
    if (p->runtime)
        runtime_destroy(p->runtime);
    if (p->host)
        host_destroy(p->host);
    if (p->log)
        log_destroy(p->log);
    mem_free(p->wait);
    *p = (struct program){ 0 };
}
