/* sandbox.c - where a run lives, as whom, and what its environment says
 *
 * Folders are those of FACTS 5.1, so that tools and people find their way; the
 * environment is that of FACTS 5.4.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char *sandbox_path(const struct agent *a, const struct hosted_executor *e)
{
    CLEANUP(mem_free_p) char *folder = agent_folder(a);

    return mem_printf("%s/frameworks/%s/executors/%s/runs/%s", folder,
                      e->framework->id.text->bytes, e->id.text->bytes, e->container.text->bytes);
}

/* The task's own of a built-in executor, which has one task. */
const Pb__CommandInfo *sandbox_command(const struct hosted_executor *e)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;

    if (e->builtin && e->tasks)
        return ((const Pb__TaskInfo *)e->tasks->info->body)->command;
    return info->command;
}

const char *sandbox_user(const struct agent *a, const struct hosted_executor *e)
{
    const Pb__CommandInfo *command = sandbox_command(e);

    if (!a->options.switch_user)
        return NULL;
    if (command && command->user && *command->user)
        return command->user;
    return ((const Pb__FrameworkInfo *)e->framework->info->body)->user;
}

/* 1: ids of another user; 0: ours will do. */
static int find_user(struct agent *a, const struct hosted_executor *e, uint32_t *ret_uid,
                     uint32_t *ret_gid, struct error *err)
{
    struct host *h = runtime_host(a->runtime);
    const char *user = sandbox_user(a, e);
    struct host_facts facts;
    uint32_t uid, gid;

    host_facts(h, &facts);
    if (!user || strcmp(user, facts.user) == 0)
        return 0;
    if (host_user(h, user, &uid, &gid, err) < 0)
        return error_wrap(err, "user '%.60s' of the task", user);
    if (uid == facts.uid)
        return 0;
    if (facts.uid != 0)
        return error_set(err, EPERM, "the task is to run as user '%.60s', but the agent runs as "
                                     "'%.60s': it needs root, or --no-switch_user",
                         user, facts.user);
    *ret_uid = uid;
    *ret_gid = gid;
    return 1;
}

static int make_folder(struct agent *a, const struct hosted_executor *e, int other_user,
                       uint32_t uid, uint32_t gid, struct error *err)
{
    struct host *h = runtime_host(a->runtime);
    CLEANUP(mem_free_p) char *runs = mem_strndup(e->sandbox, strlen(e->sandbox) -
                                                                 e->container.text->length - 1);
    CLEANUP(mem_free_p) char *latest = mem_printf("%s/latest", runs);

    if (host_mkdirs(h, runs, 0755, err) < 0 || host_mkdir(h, e->sandbox, 0750, err) < 0 ||
        host_symlink(h, e->container.text->bytes, latest, err) < 0)
        return -1;
    return other_user ? host_chown(h, e->sandbox, uid, gid, err) : 0;
}

/* <work_dir>/slaves/latest: for people. */
static int link_latest_agent(struct agent *a, struct error *err)
{
    CLEANUP(mem_free_p) char *latest = mem_printf("%s/slaves/latest", a->options.work_dir);

    return host_symlink(runtime_host(a->runtime), agent_id_text(&a->id), latest, err);
}

int sandbox_create(struct agent *a, struct hosted_executor *e, struct error *err)
{
    uint32_t uid = 0, gid = 0;
    int other = find_user(a, e, &uid, &gid, err);

    if (other < 0)
        return -1;
    if (make_folder(a, e, other, uid, gid, err) < 0 || link_latest_agent(a, err) < 0)
        return error_wrap(err, "Failed to create the sandbox");
    if (host_mkdirs(runtime_host(a->runtime), e->run_folder, 0755, err) < 0)
        return error_wrap(err, "Failed to create the run's folder");
    return 0;
}

/* ---- the environment ---- */

/* Later entries of the same name replace earlier ones, in their place. */
struct environment { char **v; size_t n; };

static void put(struct environment *env, const char *name, const char *value)
{
    char *entry = mem_printf("%s=%s", name, value);
    size_t length = strlen(name) + 1;

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], entry, length) == 0) {
            mem_free(env->v[i]);
            env->v[i] = entry;
            return;
        }
    env->v = mem_realloc(env->v, (env->n + 2) * sizeof *env->v);
    env->v[env->n++] = entry;
    env->v[env->n] = NULL;
}

/* Of the agent alone; but executors speak TLS when it does. */
static bool is_ours(const char *entry)
{
    return strncmp(entry, "MESOS_", 6) == 0 ||
           (strncmp(entry, "LIBPROCESS_", 11) == 0 && strncmp(entry, "LIBPROCESS_SSL_", 15) != 0);
}

static void put_inherited(struct environment *env, struct host *h)
{
    put(env, "PATH", PATH_DEFAULT);
    for (char *const *p = host_environment(h); *p; p++) {
        const char *equals = strchr(*p, '=');

        if (!equals || is_ours(*p))
            continue;
        char *name = mem_strndup(*p, (size_t)(equals - *p));

        put(env, name, equals + 1);
        mem_free(name);
    }
}

/* The role that the run's resources are allocated to. */
static const char *allocation_role(const struct hosted_executor *e)
{
    const struct resources *r = e->builtin && e->tasks ? &e->tasks->resources : &e->resources;

    return r->n && r->v[0].allocation ? r->v[0].allocation->bytes : NULL;
}

static struct duration shutdown_grace(const struct agent *a, const struct hosted_executor *e)
{
    const Pb__ExecutorInfo *info = (const Pb__ExecutorInfo *)e->info->body;

    return info->shutdown_grace_period
               ? NANOSECONDS(info->shutdown_grace_period->nanoseconds)
               : a->options.executor_shutdown_grace_period;
}

static void put_mesos(struct environment *env, struct agent *a, const struct hosted_executor *e)
{
    const Pb__FrameworkInfo *framework = (const Pb__FrameworkInfo *)e->framework->info->body;
    bool checkpoint = framework->has_checkpoint && framework->checkpoint;
    const char *role = allocation_role(e);
    char text[PID_TEXT], duration[DURATION_TEXT];

    put(env, "LIBPROCESS_IP", address_format_ip(a->process.pid.address.ip, text));
    put(env, "LIBPROCESS_PORT", "0");
    put(env, "MESOS_AGENT_ENDPOINT", address_format(a->process.pid.address, text));
    if (role)
        put(env, "MESOS_ALLOCATION_ROLE", role);
    put(env, "MESOS_CHECKPOINT", checkpoint ? "1" : "0");
    put(env, "MESOS_DIRECTORY", e->sandbox);
    put(env, "MESOS_EXECUTOR_ID", e->id.text->bytes);
    put(env, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
        duration_format(shutdown_grace(a, e), duration));
    put(env, "MESOS_FRAMEWORK_ID", e->framework->id.text->bytes);
    put(env, "MESOS_HTTP_COMMAND_EXECUTOR", "0");
    put(env, "MESOS_SANDBOX", e->sandbox);
    put(env, "MESOS_SLAVE_ID", agent_id_text(&a->id));
    put(env, "MESOS_SLAVE_PID", pid_text(&a->process.pid, text, sizeof text));
    if (!checkpoint)
        return;
    put(env, "MESOS_RECOVERY_TIMEOUT", duration_format(a->options.recovery_timeout, duration));
    put(env, "MESOS_SUBSCRIPTION_BACKOFF_MAX",
        duration_format(a->options.executor_reregistration_timeout, duration));
}

static char **make_environment(struct agent *a, const struct hosted_executor *e,
                               const Pb__CommandInfo *command)
{
    struct environment env = { NULL, 0 };

    put_inherited(&env, runtime_host(a->runtime));
    put_mesos(&env, a, e);
    if (!command->environment)
        return env.v;
    for (size_t i = 0; i < command->environment->n_variables; i++) {
        const Pb__Environment__Variable *v = command->environment->variables[i];

        if (v->value)
            put(&env, v->name, v->value);
    }
    return env.v;
}

/* ---- the request to the launcher ---- */

static char **make_argv(const Pb__CommandInfo *command)
{
    bool shell = !command->has_shell || command->shell;
    size_t n = shell ? 3 : command->n_arguments ? command->n_arguments : 1;
    char **argv = mem_array(n + 1, sizeof *argv);

    if (shell) {
        argv[0] = mem_strdup("sh");
        argv[1] = mem_strdup("-c");
        argv[2] = mem_strdup(command->value);
        return argv;
    }
    argv[0] = mem_strdup(command->value);
    for (size_t i = 0; i < command->n_arguments; i++) {
        mem_free(argv[i]);
        argv[i] = mem_strdup(command->arguments[i]);
    }
    return argv;
}

int sandbox_request(struct agent *a, struct hosted_executor *e, struct launch_request *ret_request,
                    struct error *err)
{
    const Pb__CommandInfo *command = sandbox_command(e);
    struct launch_request r = { 0 };
    int other;

    if (!command || !command->value)
        return error_set(err, EINVAL, "the command has no value: neither a shell command nor a "
                                      "program");
    other = find_user(a, e, &r.uid, &r.gid, err);
    if (other < 0)
        return -1;
    r.set_user = other > 0;
    r.folder = mem_strdup(e->run_folder);
    r.directory = mem_strdup(e->sandbox);
    r.program = mem_strdup(!command->has_shell || command->shell ? "sh" : command->value);
    r.argv = make_argv(command);
    r.envp = make_environment(a, e, command);
    r.out = mem_printf("%s/stdout", e->sandbox);
    r.err = mem_printf("%s/stderr", e->sandbox);
    *ret_request = r;
    return 0;
}
