/* main.c - mesos-lite-master: flags, the runtime, the actor, and waiting for the end */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "master/master.h"
#include "master/master_version.h"
#include "mesos/endpoint_access.h"
#include "process/host.h"
#include "process/program.h"
#include "process/runtime.h"

static const char usage[] =
    "mesos-lite-master [--name=value ...]\n"
    "The master of a cluster: agents and frameworks register with it.\n"
    "Every flag can also be given as MESOS_<NAME> in the environment.";

static int fail(const struct error *err)
{
    fprintf(stderr, "mesos-lite-master: %s\n", err->text);
    return EXIT_FAILURE;
}

static void print_help(void)
{
    struct buffer out = BUFFER_INIT;

    flags_help(master_flags, usage, &out);
    fputs(buffer_data(&out), stdout);
    buffer_release(&out);
}

/* Before anybody is answered. */
static int close_endpoints(struct runtime *rt, void *arg, struct error *err)
{
    struct master_options *options = arg;
    const struct endpoint_access access = {
        .readonly_realm = MASTER_REALM_READONLY,
        .readwrite_realm = MASTER_REALM_READWRITE,
        .frameworks_realm = MASTER_REALM_SCHEDULER,
        .readonly = options->authenticate_http_readonly,
        .readwrite = options->authenticate_http_readwrite,
        .frameworks = options->authenticate_http_frameworks,
        .authenticators = options->http_authenticators,
        .framework_authenticators = options->http_framework_authenticators,
        .credentials_flag = "--credentials",
        .credentials = options->credentials,
        .firewall_rules = options->firewall_rules,
    };

    if (endpoint_access_set(rt, &access, err) < 0)
        return -1;
    endpoint_access_hide(&options->credentials);
    return 0;
}

static int serve(struct program *p, struct master_options *options, struct error *err)
{
    struct master *m;
    int result;

    if (options->work_dir && host_mkdirs(p->host, options->work_dir, 0755, err) < 0)
        return error_wrap(err, "--work_dir");
    m = master_create(p->runtime, options, err);
    if (!m)
        return -1;
    runtime_set_delegate(p->runtime, "master");
    if (options->address_file && program_write_address(p, options->address_file, err) < 0) {
        master_destroy(m);
        return error_wrap(err, "--address_file");
    }
    program_wait(p, master_pid(m));
    result = *master_failure(m) ? error_set(err, EIO, "%s", master_failure(m)) : 0;
    master_destroy(m);
    return result;
}

static int run(struct host *host, struct master_options *options)
{
    struct program_options program = {
        .ip = options->ip, .port = options->port, .advertise_ip = options->advertise_ip,
        .advertise_port = options->advertise_port, .threads = options->threads,
        .log = options->quiet ? "error" : options->log, .log_format = options->log_format,
        .version = MASTER_API_VERSION, .prepare = close_endpoints, .prepare_arg = options,
    };
    struct program p;
    struct error err;
    int result;

    if (program_start(&p, host, &program, &err) < 0)
        return fail(&err);
    result = serve(&p, options, &err);
    program_stop(&p);
    return result < 0 ? fail(&err) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct host *host = host_real_create();
    struct master_options options = { 0 };
    struct error err;
    bool help = false;
    int result = EXIT_SUCCESS;

    if (flags_parse(master_flags, &options, argc, argv, host_environment(host), &help, NULL, &err) <
        0) {
        host_destroy(host);
        return fail(&err);
    }
    if (help || options.version) {
        if (help)
            print_help();
        else
            puts("mesos-lite " PACKAGE_VERSION);
        host_destroy(host);
    } else {
        result = run(host, &options);
    }
    flags_release(master_flags, &options);
    return result;
}
