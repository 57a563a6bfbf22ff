/* log.c - log lines in the glog form that Mesos's operators know
 *
 * A line is composed on the caller's thread and handed over whole, under the
 * log's lock: lines of a node never mix, and a writer need not be thread-safe
 * (but must not log itself).  The thread's number in a glog line is always 1:
 * what matters here is the actor, and the same run gives the same log.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/context.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/memory.h"

struct log {
    log_write_f write;
    void *write_arg;
    log_clock_f clock;
    void *clock_arg;
    /* Read by every thread before it takes the lock; a line more or less at the
     * moment of a change does not matter, so relaxed is enough. */
    _Atomic enum log_level level;
    _Atomic bool has_modules;
    pthread_mutex_t mutex;          /* for what follows, and for write */
    enum log_form form;
    char *modules;                  /* ",registrar,agents,": these log at debug; or NULL */
};

static const struct { const char *name; char letter; } levels[] = {
    [LOG_ERROR] = { "error", 'E' },
    [LOG_WARNING] = { "warning", 'W' },
    [LOG_INFO] = { "info", 'I' },
    [LOG_DEBUG] = { "debug", 'D' },
};

static void write_stderr(void *arg UNUSED, const char *line, size_t length)
{
    fwrite(line, 1, length, stderr);
}

struct log *log_create(log_write_f write, void *write_arg, log_clock_f clock, void *clock_arg)
{
    struct log *l = mem_alloc(sizeof *l);

    l->write = write ? write : write_stderr;
    l->write_arg = write_arg;
    l->clock = clock;
    l->clock_arg = clock_arg;
    atomic_init(&l->level, LOG_INFO);
    atomic_init(&l->has_modules, false);
    l->form = LOG_GLOG;
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void log_destroy(struct log *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->mutex);
    mem_free(l->modules);
    mem_free(l);
}

void log_set_form(struct log *l, enum log_form form)
{
    pthread_mutex_lock(&l->mutex);
    l->form = form;
    pthread_mutex_unlock(&l->mutex);
}

/* takes modules */
static void set(struct log *l, enum log_level level, char *modules)
{
    pthread_mutex_lock(&l->mutex);
    mem_free(l->modules);
    l->modules = modules;
    atomic_store_explicit(&l->has_modules, modules != NULL, memory_order_relaxed);
    atomic_store_explicit(&l->level, level, memory_order_relaxed);
    pthread_mutex_unlock(&l->mutex);
}

void log_set_level(struct log *l, enum log_level level)
{
    set(l, level, NULL);
}

enum log_level log_get_level(const struct log *l)
{
    return atomic_load_explicit(&l->level, memory_order_relaxed);
}

int log_set_levels(struct log *l, const char *text, struct error *err)
{
    static const char debug_of[] = "debug:";

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(text, levels[i].name) == 0) {
            log_set_level(l, (enum log_level)i);
            return 0;
        }
    if (strncmp(text, debug_of, strlen(debug_of)) == 0 && text[strlen(debug_of)]) {
        set(l, LOG_INFO, mem_printf(",%s,", text + strlen(debug_of)));
        return 0;
    }
    return error_set(err, EINVAL,
                     "'%s' is no log level: it has to be error, warning, info, debug, or "
                     "debug: and names of modules with commas between (debug:registrar,agents)",
                     text);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Is "registrar" of ".../registrar.c" in ",registrar,agents,"? */
static bool has_module(const char *modules, const char *file)
{
    const char *name = file_name(file);
    size_t length = strcspn(name, ".");

    for (const char *p = modules; p && p[1]; p = strchr(p + 1, ','))
        if (strncmp(p + 1, name, length) == 0 && p[1 + length] == ',')
            return true;
    return false;
}

static struct log *current_log(void)
{
    const struct context *c = context_current();

    return c ? c->log : NULL;
}

bool log_is_on(enum log_level level, const char *file)
{
    struct log *l = current_log();
    bool on;

    if (!l)
        return level <= LOG_INFO;
    if (level <= log_get_level(l))
        return true;
    if (!atomic_load_explicit(&l->has_modules, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&l->mutex);
    on = has_module(l->modules, file);
    pthread_mutex_unlock(&l->mutex);
    return on;
}

/* Seconds and microseconds of the wall clock, in UTC. */
static long split_time(struct instant now, struct tm *ret_tm)
{
    int64_t us = now.ns / 1000 - (now.ns % 1000 < 0);
    time_t seconds = us / 1000000 - (us % 1000000 < 0);

    gmtime_r(&seconds, ret_tm);
    return (long)(us - (int64_t)seconds * 1000000);
}

/* A stranger's text in a message cannot begin a line of its own. */
static void flatten(char *message)
{
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

struct line {
    enum log_level level;
    const char *file;
    int number;
    bool has_time;
    struct instant time;
    const char *message;
};

static void compose_glog(struct buffer *out, const struct line *line)
{
    struct tm tm;

    buffer_append_char(out, levels[line->level].letter);
    if (line->has_time) {
        long us = split_time(line->time, &tm);

        buffer_printf(out, "%02d%02d %02d:%02d:%02d.%06ld     1", tm.tm_mon + 1, tm.tm_mday,
                      tm.tm_hour, tm.tm_min, tm.tm_sec, us);
    }
    buffer_printf(out, " %s:%d] %s\n", file_name(line->file), line->number, line->message);
}

static void compose_json(struct buffer *out, const struct line *line)
{
    const struct context *c = context_current();
    struct json_writer w;
    char time[64], made[300];
    struct tm tm;

    json_writer_init(&w, out);
    json_begin_object(&w);
    if (line->has_time) {
        long us = split_time(line->time, &tm);
        size_t n = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);

        snprintf(time + n, sizeof time - n, ".%06ldZ", us);
        json_put_string(&w, "time", time);
    }
    json_put_string(&w, "level", levels[line->level].name);
    json_put_string(&w, "file", file_name(line->file));
    json_put_integer(&w, "line", line->number);
    if (c)
        json_put_string(&w, "actor", context_actor(c, made, sizeof made));
    json_put_string(&w, "message", line->message);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

static void write_line(struct log *l, struct line *line)
{
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;

    if (!l) {
        compose_glog(&out, line);
        write_stderr(NULL, buffer_data(&out), buffer_length(&out));
        return;
    }
    pthread_mutex_lock(&l->mutex);
    if (l->clock) {
        line->has_time = true;
        line->time = l->clock(l->clock_arg);
    }
    if (l->form == LOG_JSON)
        compose_json(&out, line);
    else
        compose_glog(&out, line);
    l->write(l->write_arg, buffer_data(&out), buffer_length(&out));
    pthread_mutex_unlock(&l->mutex);
}

void log_line(enum log_level level, const char *file, int number, const char *fmt, ...)
{
    struct line line = { .level = level, .file = file, .number = number };
    char *message;
    va_list args;

    if (!log_is_on(level, file))
        return;
    va_start(args, fmt);
    message = mem_vprintf(fmt, args);
    va_end(args);
    flatten(message);
    line.message = message;
    write_line(current_log(), &line);
    mem_free(message);
}
