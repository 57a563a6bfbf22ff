/* builtins.c - the processes that every runtime has
 *
 *   /help, /help/<id>, /help/<id>/<name>   from the routes' own tables
 *   /version                               what is known about the build
 *   /__processes__                         who is there, and how much waits for whom
 *   /logging/toggle?level=1&duration=10mins
 *
 * /metrics/snapshot is metrics.c's, /health the roles' own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/help.h"
#include "process/http.h"
#include "process/http_connection.h"
#include "process/logging.h"
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

/* ---- __processes__ ---- */

struct processes {
    struct process process;
};

CLASS(processes, "__processes__", processes_initialize, processes_exited, processes_finalize);

static void write_process(void *arg, const struct pid *pid, size_t events)
{
    struct json_writer *w = arg;

    json_begin_object(w);
    json_key(w, "events"); /* a mailbox is its owner's: what is in it is not looked at */
    json_begin_array(w);
    json_end_array(w);
    json_put_integer(w, "events_queued", (int64_t)events);
    json_put_string(w, "id", pid->id->bytes);
    json_end_object(w);
}

static void serve_processes(struct process *p, struct http_request *r)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w;

    if (!http_require_method(r, "GET"))
        return;
    json_writer_init(&w, &body);
    json_begin_array(&w);
    runtime_each_process(p->runtime, write_process, &w);
    json_end_array(&w);
    http_answer_json(r, &body);
}

static void processes_initialize(struct processes *s)
{
    static const struct process_route routes[] = {
        { "", serve_processes,
          "Lists the processes.\n"
          "Each with its id and with how many events wait for it." },
        { NULL, NULL, NULL },
    };

    process_route(&s->process, routes);
}

static void processes_exited(struct processes *s UNUSED, const struct pid *peer UNUSED) {}

static void processes_finalize(struct processes *s)
{
    mem_free(s);
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
          "`duration=VALUE` (such as 10mins) it is set, and goes back after that time." },
        { NULL, NULL, NULL },
    };

    process_route(&l->process, routes);
}

static void logging_exited(struct logging *l UNUSED, const struct pid *peer UNUSED) {}

static void logging_finalize(struct logging *l)
{
    mem_free(l);
}

int builtins_spawn(struct runtime *rt, struct error *err)
{
    struct version *v = mem_alloc(sizeof *v);
    struct processes *s = mem_alloc(sizeof *s);
    struct logging *l = mem_alloc(sizeof *l);

    if (process_spawn(rt, &v->process, &version_class, "version", NULL, err) < 0) {
        mem_free(v);
        mem_free(s);
        mem_free(l);
        return -1;
    }
    if (process_spawn(rt, &s->process, &processes_class, "__processes__", NULL, err) < 0) {
        mem_free(s);
        mem_free(l);
        return -1;
    }
    if (process_spawn(rt, &l->process, &logging_class, "logging", NULL, err) < 0) {
        mem_free(l);
        return -1;
    }
    if (metrics_spawn(rt, err) < 0 || help_spawn(rt, err) < 0)
        return -1;
    http_server_open(runtime_http_server(rt));
    return 0;
}
