/* main.c - mesos-lite-agent
 *
 * SIGTERM, SIGINT, SIGHUP: the agent ends, its tasks live on and are taken over
 * by its next start.  SIGUSR1: it says good-bye and its tasks end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/endpoint_access.h"
#include "process/host.h"
#include "process/program.h"
#include "process/runtime.h"

static const char usage[] = "mesos-lite-agent --master=HOST:PORT --work_dir=FOLDER [...]";

static int fail(const struct error *err)
{
    fprintf(stderr, "mesos-lite-agent: %s\n", err->text);
    return EXIT_FAILURE;
}

static void on_usr1(void *arg, int signo)
{
    (void)signo;
    agent_unregister(arg);
}

static bool has_launcher(struct host *host, const char *folder)
{
    CLEANUP(mem_free_p) char *launcher = mem_printf("%s/mesos-lite-launcher", folder);
    struct file_info info;
    struct error err;

    return host_stat(host, launcher, &info, &err) == 0 && !info.is_directory;
}

/* Beside our own binary, or below it in agent/ (a build tree), else where the
 * helper programs were installed. */
static void choose_launcher_dir(struct agent_options *options, struct host *host)
{
    const char *own = host_program_directory(host);
    CLEANUP(mem_free_p) char *below = mem_printf("%s/agent", own);

    if (options->launcher_dir && *options->launcher_dir)
        return;
    mem_free(options->launcher_dir);
    options->launcher_dir = mem_strdup(has_launcher(host, own)     ? own
                                       : has_launcher(host, below) ? below
                                                                   : PKGLIBEXECDIR);
}

/* Tasks run elsewhere: their folders must be found from anywhere. */
static void make_work_dir_absolute(struct agent_options *options, struct host *host)
{
    char *given = options->work_dir;

    if (!given || *given == '/' || !*given)
        return;
    options->work_dir = mem_printf("%s/%s", host_working_directory(host), given);
    mem_free(given);
}

static int serve(struct program *p, struct agent *agent, const struct agent_options *options,
                 struct error *err)
{
    runtime_set_delegate(p->runtime, agent_pid(agent)->id->bytes);
    if (host_on_signal(runtime_loop(p->runtime), SIGUSR1, on_usr1, agent, err) < 0)
        return -1;
    if (options->address_file && *options->address_file &&
        program_write_address(p, options->address_file, err) < 0)
        return error_wrap(err, "--address_file");
    program_wait(p, agent_pid(agent));
    if (*agent_failure(agent))
        return error_set(err, 0, "%s", agent_failure(agent));
    return 0;
}

/* Before anybody is answered. */
static int close_endpoints(struct runtime *rt, void *arg, struct error *err)
{
    struct agent_options *options = arg;
    const struct endpoint_access access = {
        .readonly_realm = AGENT_REALM_READONLY,
        .readwrite_realm = AGENT_REALM_READWRITE,
        .readonly = options->authenticate_http_readonly,
        .readwrite = options->authenticate_http_readwrite,
        .authenticators = options->http_authenticators,
        .credentials_flag = "--http_credentials",
        .credentials = options->http_credentials,
        .firewall_rules = options->firewall_rules,
    };

    if (endpoint_access_set(rt, &access, err) < 0)
        return -1;
    endpoint_access_hide(&options->http_credentials);
    return 0;
}

static int run(struct agent_options *options, struct host *host)
{
    struct program_options program = {
        .ip = options->ip, .port = options->port, .advertise_ip = options->advertise_ip,
        .advertise_port = options->advertise_port, .threads = options->threads,
        .log = options->log, .log_format = options->log_format, .version = AGENT_API_VERSION,
        .prepare = close_endpoints, .prepare_arg = options,
    };
    struct program p;
    struct agent *agent;
    struct error err;
    int result;

    choose_launcher_dir(options, host);
    make_work_dir_absolute(options, host);
    if (program_start(&p, host, &program, &err) < 0)
        return fail(&err);
    agent = agent_create(p.runtime, options, &err);
    result = agent ? serve(&p, agent, options, &err) : -1;
    agent_destroy(agent);
    program_stop(&p);
    return result < 0 ? fail(&err) : EXIT_SUCCESS;
}

static int print_help(void)
{
    struct buffer help = BUFFER_INIT;

    flags_help(agent_flags, usage, &help);
    fputs(buffer_data(&help), stdout);
    buffer_release(&help);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct host *host;
    struct agent_options options = { 0 };
    struct error err;
    bool help = false;
    int result;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {   /* without the required flags */
        puts("mesos-lite-agent " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    host = host_real_create();
    if (flags_parse(agent_flags, &options, argc, argv, host_environment(host), &help, NULL,
                    &err) < 0) {
        host_destroy(host);
        return fail(&err);
    }
    if (help) {
        host_destroy(host);
        result = print_help();
    } else {
        result = run(&options, host);
    }
    flags_release(agent_flags, &options);
    return result;
}
