/* builtins.c - the processes that every runtime has
 *
 *   /help, /help/<id>, /help/<id>/<name>   from the routes' own tables
 *   /version                               what is known about the build
 *   /logging/toggle?level=1&duration=10mins
 *   /system/stats.json                     load and memory of the machine
 *
 * /metrics/snapshot is metrics.c's, /__processes__ process_list.c's, /health the roles' own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/build_info.h"
#include "process/help.h"
#include "process/host.h"
#include "process/http.h"
#include "process/http_access.h"
#include "process/logging.h"
#include "process/process_list.h"
#include "process/runtime_private.h"
#include "process/typed.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* ---- version ---- */

struct version {
    struct process process;
};

CLASS(version, "version", version_initialize, version_exited, version_finalize);

static void serve_version(struct process *p, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_put_string(&w, "build_date", BUILD_INFO_DATE);
    json_put_double(&w, "build_time", BUILD_INFO_TIME);
    json_put_string(&w, "build_user", BUILD_INFO_USER);
    json_put_string(&w, "mesos_lite_version", PACKAGE_VERSION);
    json_put_string(&w, "version", runtime_get_options(p->runtime)->version);
    json_end_object(&w);
    http_answer_json(r, &body);
}

static void version_initialize(struct version *v)
{
    static const struct process_route routes[] = {
        { "", serve_version,
          "Provides version information.\n"
          "The version of the Mesos API that is spoken, and that of mesos-lite." },
        { NULL, NULL, NULL },
    };

    process_route(&v->process, routes);
}

static void version_exited(struct version *v UNUSED, const struct pid *peer UNUSED) {}

static void version_finalize(struct version *v)
{
    mem_free(v);
}

/* ---- logging ---- */

struct logging {
    struct process process;
    bool toggled;
    enum log_level original; /* while toggled */
    struct timer timer;
};

CLASS(logging, "logging", logging_initialize, logging_exited, logging_finalize);
CALL(logging, logging_revert, nothing, NO_RELEASE);
struct toggle_args { long level; struct duration time; };
CALL(logging, logging_set, toggle_args, NO_RELEASE);

/* Levels of glog's VLOG: 0 is our info, anything more is debug. */
static int verbosity(enum log_level level)
{
    return level == LOG_DEBUG ? 1 : 0;
}

static void logging_revert(struct logging *l, struct nothing *args UNUSED)
{
    log_set_level(runtime_log(l->process.runtime), l->original);
    l->toggled = false;
}

static bool parse_level(const char *text, long *ret_level)
{
    char *end;

    errno = 0;
    *ret_level = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static void toggle(struct logging *l, long level, struct duration d)
{
    struct log *log = runtime_log(l->process.runtime);

    if (l->toggled)
        process_cancel(&l->timer);
    else
        l->original = log_get_level(log);
    l->toggled = true;
    log_set_level(log, level > 0 ? LOG_DEBUG : l->original);
    l->timer = delay(&l->process.pid, d, logging_revert, 0);
}

static void logging_set(struct logging *l, struct toggle_args *args)
{
    toggle(l, args->level, args->time);
}

unsigned logging_level(struct runtime *rt)
{
    return (unsigned)verbosity(log_get_level(runtime_log(rt)));
}

void logging_toggle(struct runtime *rt, unsigned level, struct duration d)
{
    struct pid pid;

    if (!runtime_find(rt, "logging", &pid))
        return;
    dispatch(&pid, logging_set, .level = (long)level, .time = d);
    pid_release(&pid);
}

static void serve_toggle(struct process *p, struct http_request *r)
{
    struct logging *l = container_of(p, struct logging, process);
    const char *level_text = http_request_query(r, "level"),
               *duration_text = http_request_query(r, "duration");
    enum log_level now = log_get_level(runtime_log(p->runtime));
    int original = verbosity(l->toggled ? l->original : now);
    struct duration d;
    struct error err;
    long level;

    if (!level_text && !duration_text) {
        http_answer(r, 200, TEXT_PLAIN, verbosity(now) ? "1\n" : "0\n", 2);
        return;
    }
    if (!level_text || !duration_text)
        http_answer_error(r, 400, "Expecting '%s=value' in query.\n",
                          level_text ? "duration" : "level");
    else if (!parse_level(level_text, &level))
        http_answer_error(r, 400, "Invalid level '%s': it is no number.\n", level_text);
    else if (level < 0)
        http_answer_error(r, 400, "Invalid level '%s': it is negative.\n", level_text);
    else if (level < original)
        http_answer_error(r, 400, "'%s' < original level '%d'.\n", level_text, original);
    else if (duration_parse(duration_text, &d, &err) < 0)
        http_answer_error(r, 400, "%s.\n", err.text);
    else if (d.ns < 0)
        http_answer_error(r, 400, "Invalid duration '%s': it is negative.\n", duration_text);
    else {
        toggle(l, level, d);
        http_answer(r, 200, NULL, "", 0);
    }
}

static void logging_initialize(struct logging *l)
{
    static const struct process_route routes[] = {
        { "/toggle", serve_toggle,
          "Sets the logging verbosity level for a specified duration.\n"
          "Without arguments: the level that is set, 0 or 1 (debug).  With `level=VALUE` and\n"
          "`duration=VALUE` (such as 10mins) it is set, and goes back after that time.",
          HTTP_REALM_READWRITE },
        { NULL, NULL, NULL, NULL },
    };

    process_route(&l->process, routes);
}

static void logging_exited(struct logging *l UNUSED, const struct pid *peer UNUSED) {}

static void logging_finalize(struct logging *l)
{
    mem_free(l);
}

/* ---- system ---- */

struct system {
    struct process process;
};

CLASS(system, "system", system_initialize, system_exited, system_finalize);

static void serve_stats(struct process *p, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;
    struct host_facts facts;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    host_facts(runtime_host(p->runtime), &facts);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_put_double(&w, "avg_load_15min", facts.load_15min);
    json_put_double(&w, "avg_load_1min", facts.load_1min);
    json_put_double(&w, "avg_load_5min", facts.load_5min);
    json_put_integer(&w, "cpus_total", facts.cpus);
    json_put_integer(&w, "mem_free_bytes", (int64_t)facts.memory_free_bytes);
    json_put_integer(&w, "mem_total_bytes", (int64_t)facts.memory_bytes);
    json_end_object(&w);
    http_answer_json(r, &body);
}

static void system_initialize(struct system *s)
{
    static const struct process_route routes[] = {
        { "/stats.json", serve_stats,
          "Shows the load and the memory of the machine.\n"
          "The load averages of 1, 5 and 15 minutes, the CPUs, and the memory in bytes.", NULL },
        { NULL, NULL, NULL, NULL },
    };

    process_route(&s->process, routes);
}

static void system_exited(struct system *s UNUSED, const struct pid *peer UNUSED) {}

static void system_finalize(struct system *s)
{
    mem_free(s);
}

/* ---- all of them ---- */

#define SPAWN(kind, id)                                                                            \
    static int spawn_##kind(struct runtime *rt, struct error *err)                                 \
    {                                                                                              \
        struct kind *p = mem_alloc(sizeof *p);                                                     \
                                                                                                   \
        if (process_spawn(rt, &p->process, &kind##_class, id, NULL, err) == 0)                     \
            return 0;                                                                              \
        mem_free(p);                                                                               \
        return -1;                                                                                 \
    }                                                                                              \
    struct kind

SPAWN(version, "version");
SPAWN(logging, "logging");
SPAWN(system, "system");

int builtins_spawn(struct runtime *rt, struct error *err)
{
    if (spawn_version(rt, err) < 0 || process_list_spawn(rt, err) < 0 ||
        spawn_logging(rt, err) < 0 || spawn_system(rt, err) < 0 || metrics_spawn(rt, err) < 0)
        return -1;
    return help_spawn(rt, err);
}
