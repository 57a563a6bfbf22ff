/* main.c - mesos-lite-framework: a list of commands, run across the cluster */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/memory.h"
#include "framework/batch.h"
#include "process/host.h"
#include "process/process.h"
#include "process/program.h"
#include "process/runtime.h"

enum { EXIT_USAGE = 2, COMMANDS_MAX = 1 << 30, DEFAULT_WIDTH = 80 };

static const char usage[] =
    "mesos-lite-framework --master=HOST:PORT [--name=value ...] [FILE]\n"
    "Runs the shell commands in FILE, or on standard input, one on each line, across\n"
    "the cluster. Empty lines and lines that begin with '#' are skipped.\n"
    "Exit status: 0 when all succeeded, 1 when some did not, 2 for wrong usage,\n"
    "130 after Ctrl-C.\n"
    "Every flag can also be given as MESOS_<NAME> in the environment.";

static int fail(const struct error *err, int status)
{
    fprintf(stderr, "mesos-lite-framework: %s\n", err->text);
    return status;
}

static void print_help(void)
{
    struct buffer out = BUFFER_INIT;

    flags_help(batch_flags, usage, &out);
    fputs(buffer_data(&out), stdout);
    buffer_release(&out);
}

/* ---- the commands ---- */

static int read_stdin(struct buffer *out, struct error *err)
{
    size_t n;

    if (isatty(STDIN_FILENO))
        fputs("mesos-lite-framework: type commands, one on each line; Ctrl-D ends them\n", stderr);
    while ((n = fread(buffer_reserve(out, 65536), 1, 65536, stdin)) > 0) {
        buffer_commit(out, n);
        if (buffer_length(out) > COMMANDS_MAX)
            return error_set(err, EFBIG, "the commands on standard input are too long");
    }
    return ferror(stdin) ? error_errno(err, "cannot read the commands on standard input") : 0;
}

static int read_commands(struct host *host, char *const *rest, struct batch_jobs *ret_jobs,
                         struct error *err)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    char *data;
    size_t size;

    if (rest[0] && rest[1])
        return error_set(err, EINVAL, "one FILE of commands is enough: '%s' is a second one",
                         rest[1]);
    if (rest[0] && strcmp(rest[0], "-") != 0) {
        if (host_read_file(host, rest[0], COMMANDS_MAX, &data, &size, err) < 0)
            return -1;
        buffer_append(&text, data, size);
        mem_free(data);
    } else if (read_stdin(&text, err) < 0) {
        return -1;
    }
    if (batch_jobs_parse(buffer_data(&text), buffer_length(&text), ret_jobs, err) < 0)
        return -1;
    if (ret_jobs->n == 0) {
        batch_jobs_release(ret_jobs);
        return error_set(err, EINVAL, "there are no commands: give a FILE, or standard input, with "
                                      "one on each line");
    }
    return 0;
}

/* ---- where the user looks ---- */

static int write_stream(void *arg, enum batch_stream stream, const void *data, size_t size)
{
    FILE *to = stream == BATCH_STDOUT ? stdout : stderr;

    (void)arg;
    return fwrite(data, 1, size, to) == size && fflush(to) == 0 ? 0 : -1;
}

static size_t terminal_width(struct host *host)
{
    static const char name[] = "COLUMNS=";

    for (char *const *e = host_environment(host); *e; e++)
        if (strncmp(*e, name, strlen(name)) == 0) {
            long columns = strtol(*e + strlen(name), NULL, 10);

            if (columns > 0 && columns < 10000)
                return (size_t)columns;
        }
    return DEFAULT_WIDTH;
}

/* ---- running ---- */

static void signalled(void *arg, int signo)
{
    batch_interrupt(arg, signo);
}

static int catch_signals(struct runtime *rt, struct batch_handle *handle, struct error *err)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (host_on_signal(runtime_loop(rt), signals[i], signalled, handle, err) < 0)
            return -1;
    return 0;
}

/* The exit status, or -1.  The handle must live as long as the runtime. */
static int run_batch(struct runtime *rt, const struct batch_options *options,
                     struct batch_jobs *jobs, struct batch_handle *handle, struct error *err)
{
    struct batch_sink sink = { write_stream, NULL, isatty(STDERR_FILENO) != 0,
                               terminal_width(runtime_host(rt)) };
    struct batch *b = batch_create(rt, options, jobs, &sink, err);
    int result = -1;

    if (!b)
        return -1;
    *handle = batch_handle_of(b);
    if (catch_signals(rt, handle, err) == 0) {
        process_wait(batch_pid(b), WEEKS(5000));
        result = batch_exit_status(b);
    }
    batch_destroy(b);
    return result;
}

static struct instant wall_of(void *arg)
{
    return host_wall(arg);
}

static int set_log(struct log *log, const struct batch_options *options, struct error *err)
{
    if (strcmp(options->log_format, "json") == 0)
        log_set_form(log, LOG_JSON);
    else if (strcmp(options->log_format, "glog") != 0)
        return error_set(err, EINVAL, "--log_format is '%s'; it can be 'glog' or 'json'",
                         options->log_format);
    if (log_set_levels(log, options->log, err) < 0)
        return error_wrap(err, "--log");
    return 0;
}

static struct runtime *start_runtime(struct host *host, struct log *log,
                                     const struct batch_options *options, struct error *err)
{
    struct program_options program = {
        .ip = options->ip, .port = options->port, .advertise_ip = options->advertise_ip,
    };

    return set_log(log, options, err) < 0 ? NULL : program_runtime(host, log, &program, err);
}

static int run(struct host *host, const struct batch_options *options, struct batch_jobs *jobs)
{
    struct log *log = log_create(NULL, NULL, wall_of, host);
    struct batch_handle handle = { 0 };
    struct error err;
    struct runtime *rt = start_runtime(host, log, options, &err);
    int result = rt ? run_batch(rt, options, jobs, &handle, &err) : -1;

    runtime_destroy(rt);
    pid_release(&handle.pid);
    log_destroy(log);
    return result < 0 ? fail(&err, EXIT_USAGE) : result;
}

static int run_file(struct host *host, const struct batch_options *options, char *const *rest)
{
    struct batch_jobs jobs = { 0 };
    struct error err;
    int result;

    if (!options->master) {
        error_set(&err, EINVAL, "--master=HOST:PORT is needed");
        return fail(&err, EXIT_USAGE);
    }
    if (read_commands(host, rest, &jobs, &err) < 0)
        return fail(&err, EXIT_USAGE);
    result = run(host, options, &jobs);
    batch_jobs_release(&jobs);
    return result;
}

int main(int argc, char **argv)
{
    struct host *host = host_real_create();
    struct batch_options options = { 0 };
    char **rest = NULL;
    struct error err;
    bool help = false;
    int result = EXIT_SUCCESS;

    if (flags_parse(batch_flags, &options, argc, argv, host_environment(host), &help, &rest,
                    &err) < 0)
        result = fail(&err, EXIT_USAGE);
    else if (help)
        print_help();
    else if (options.version)
        puts("mesos-lite " PACKAGE_VERSION);
    else
        result = run_file(host, &options, rest);
    mem_free(rest);
    flags_release(batch_flags, &options);
    host_destroy(host);
    return result;
}
