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
#include "process/program_environment.h"
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

/* ---- the runtime: by a flag, or else by the environment ---- */

/* What it is called where it was given. */
struct choice {
    const char *name, *value;
};

static struct choice choose(const char *flag, const char *given, const char *variable,
                            const char *found)
{
    return given ? (struct choice){ flag, given } : (struct choice){ variable, found };
}

static int take_ip(struct choice c, uint32_t *ip, struct error *err)
{
    if (c.value && address_parse_ip(c.value, ip, err) < 0)
        return error_wrap(err, "%s", c.name);
    return 0;
}

static int take_ips(const struct program_options *o, const struct program_environment *e,
                    struct runtime_options *r, struct error *err)
{
    struct choice ip = choose("--ip", o->ip, "LIBPROCESS_IP", e->ip);
    struct choice advertise = choose("--advertise_ip", o->advertise_ip, "LIBPROCESS_ADVERTISE_IP",
                                     e->advertise_ip);

    if (take_ip(ip, &r->bind.ip, err) < 0 || take_ip(advertise, &r->advertise.ip, err) < 0)
        return -1;
    if (advertise.value && r->advertise.ip == 0)
        return error_set(err, EINVAL, "%s is 0.0.0.0, by which nobody can reach us",
                         advertise.name);
    r->bind_any = ip.value && r->bind.ip == 0;
    if (r->bind_any && r->advertise.ip == 0)
        return error_set(err, EINVAL, "%s is 0.0.0.0, which says where to listen, but not by "
                         "which address others reach us: set %s, too", ip.name,
                         o->ip ? "--advertise_ip" : "LIBPROCESS_ADVERTISE_IP");
    return 0;
}

static int take_port(const char *flag, int64_t given, int64_t found, uint16_t *ret_port,
                     struct error *err)
{
    if (given < 0 || given > 65535)
        return error_set(err, EINVAL, "%s is %lld; it can be 0 to 65535", flag, (long long)given);
    *ret_port = (uint16_t)(given ? given : found);
    return 0;
}

struct runtime *program_runtime(struct host *host, struct log *log,
                                const struct program_options *o, struct error *err)
{
    struct runtime_options r = { .log = log, .version = o->version, .prepare = o->prepare,
                                 .prepare_arg = o->prepare_arg };
    struct program_environment e;

    if (program_environment_parse(host_environment(host), &e, err) < 0 ||
        take_ips(o, &e, &r, err) < 0 ||
        take_port("--port", o->port, e.port, &r.bind.port, err) < 0 ||
        take_port("--advertise_port", o->advertise_port, e.advertise_port, &r.advertise.port,
                  err) < 0)
        return NULL;
    r.workers = (unsigned)(o->threads ? o->threads : e.threads);
    r.require_peer_address_ip_match = e.require_peer_address_ip_match;
    r.metrics_rate.permits = e.metrics_rate.permits;
    r.metrics_rate.per = e.metrics_rate.per;
    r.tls = e.ssl_enabled ? &e.tls : NULL;
    return runtime_create(host, &r, err);
}

static int start_runtime(struct program *p, const struct program_options *options,
                         struct error *err)
{
    p->runtime = program_runtime(p->host, p->log, options, err);
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
