/* agent.c - the agent's birth and end, and what its parts share
 *
 *   registration.c        find the master, register, pings, told to shut down
 *   task_launch.c         RunTaskMessage: accepted, remembered
 *   launch_steps.c        ... sandbox, fetch, start
 *   task_kill.c           KillTaskMessage, frameworks that end or change
 *   executor_registration.c  executors register, and come back
 *   executor_peer.c       ... as drivers, or by HTTP
 *   hosted_executors.c    executors get their tasks, and end; their runs end
 *   executor_messages.c   status updates and messages of executors
 *   status_updates.c      each task's stream: stored, forwarded, acknowledged
 *   agent_recovery.c      what the last start of the agent has left
 *   hosted.c              the books
 *   agent_gc.c, agent_metrics.c, http/
 *
 * Order of birth: the lock on the work directory, what the machine has, the
 * database and what is in it, the launcher, the actor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/task_state.h"
#include "process/host.h"
#include "process/runtime.h"

CLASS(agent, "slave", agent_initialize, agent_exited, agent_finalize);
CALL(agent, unregister_agent, nothing, NO_RELEASE);
CALL(agent, end_agent, nothing, NO_RELEASE);

struct forgetting { char unused; };
LAST(agent, agent_forgotten, forgetting);

/* ---- birth ---- */

static void copy_text(char **text)
{
    *text = *text ? mem_strdup(*text) : NULL;
}

static struct agent_options copy_options(const struct agent_options *from)
{
    struct agent_options o = *from;

    copy_text(&o.master);
    copy_text(&o.ip);
    copy_text(&o.hostname);
    copy_text(&o.advertise_ip);
    copy_text(&o.work_dir);
    copy_text(&o.resources);
    copy_text(&o.attributes);
    copy_text(&o.default_role);
    copy_text(&o.log);
    copy_text(&o.log_format);
    copy_text(&o.address_file);
    copy_text(&o.launcher_dir);
    copy_text(&o.http_credentials);
    copy_text(&o.http_authenticators);
    copy_text(&o.firewall_rules);
    copy_text(&o.external_log_file);
    return o;
}

/* Two agents on one work directory would both think that its tasks are theirs. */
static int lock_work_dir(struct agent *a, struct error *err)
{
    struct host *h = runtime_host(a->runtime);
    const char *dir = a->options.work_dir;
    CLEANUP(mem_free_p) char *runs = mem_printf("%s/meta/runs", dir);
    CLEANUP(mem_free_p) char *path = mem_printf("%s/meta/agent.lock", dir);

    if (host_mkdirs(h, runs, 0755, err) < 0 ||
        host_open(h, path, FILE_WRITE | FILE_CREATE, 0600, &a->lock, err) < 0)
        return error_wrap(err, "--work_dir=%.100s cannot be written to", dir);
    if (file_lock(a->lock, err) == 0)
        return 0;
    if (err && err->code == EAGAIN)
        return error_set(err, EAGAIN, "--work_dir=%.100s is in use by another agent", dir);
    return error_wrap(err, "--work_dir=%.100s cannot be locked", dir);
}

/* Field 7, `checkpoint`, is only in the v0 message: a master keeps the tasks of
 * an agent that restarts only when it says so. */
static void add_checkpoint(struct agent *a)
{
    ProtobufCMessageUnknownField *field = arena_alloc(&a->arena, sizeof *field);

    field->tag = 7;
    field->wire_type = PROTOBUF_C_WIRE_TYPE_VARINT;
    field->len = 1;
    field->data = arena_dup(&a->arena, "\1", 1);
    a->info->base.n_unknown_fields = 1;
    a->info->base.unknown_fields = field;
}

static int make_info(struct agent *a, struct error *err)
{
    struct host *h = runtime_host(a->runtime);
    struct host_facts facts;

    host_facts(h, &facts);
    snprintf(a->boot_id, sizeof a->boot_id, "%s", facts.boot_id);
    host_uuid(h, a->resource_version);
    a->info = arena_alloc(&a->arena, sizeof *a->info);
    pb__agent_info__init(a->info);
    a->info->hostname = arena_strdup(&a->arena, a->options.hostname && *a->options.hostname
                                                    ? a->options.hostname
                                                    : facts.hostname);
    a->info->has_port = 1;
    a->info->port = runtime_address(a->runtime).port;
    add_checkpoint(a);
    return agent_detect_resources(a, err);
}

static int open_store(struct agent *a, struct error *err)
{
    CLEANUP(mem_free_p) char *path = mem_printf("%s/meta/agent.db", a->options.work_dir);

    if (store_open(a->runtime, path, &a->store, err) < 0)
        return error_wrap(err, "%.100s", path);
    return agent_recover(a, err);
}

static int open_launcher(struct agent *a, struct error *err)
{
    const char *dir = a->options.launcher_dir && *a->options.launcher_dir
                          ? a->options.launcher_dir
                          : host_program_directory(runtime_host(a->runtime));
    CLEANUP(mem_free_p) char *program = mem_printf("%s/mesos-lite-launcher", dir);

    a->fetcher_program = mem_printf("%s/mesos-lite-fetcher", dir);
    a->launcher = launcher_create(a->runtime, a->options.work_dir, program, err);
    return a->launcher ? 0 : -1;
}

static int check_options(const struct agent_options *o, struct error *err)
{
    if (!o->work_dir || !*o->work_dir)
        return error_set(err, EINVAL, "the flag --work_dir is required");
    if (o->work_dir[0] != '/')
        return error_set(err, EINVAL, "--work_dir=%.100s must be an absolute path", o->work_dir);
    if (!o->master || !*o->master)
        return error_set(err, EINVAL, "the flag --master is required");
    if (strstr(o->master, "://"))
        return error_set(err, EINVAL, "--master=%.100s: only host:port is supported", o->master);
    return 0;
}

static void release(struct agent *a);

struct agent *agent_create(struct runtime *rt, const struct agent_options *options,
                           struct error *err)
{
    struct agent *a = mem_alloc(sizeof *a);

    a->runtime = rt;
    a->options = copy_options(options);
    a->started = runtime_wall(rt);
    a->born = runtime_now(rt);
    a->ping_timeout = SECONDS(75);
    list_init(&a->completed_frameworks);
    list_init(&a->held);
    list_init(&a->container_questions);
    if (check_options(&a->options, err) < 0 || lock_work_dir(a, err) < 0 ||
        make_info(a, err) < 0 || open_store(a, err) < 0 || open_launcher(a, err) < 0 ||
        process_spawn(rt, &a->process, &agent_class, NULL, &a->pid, err) < 0) {
        release(a);
        return NULL;
    }
    return a;
}

static void agent_initialize(struct agent *a)
{
    registration_init(a);
    task_launch_init(a);
    task_kill_init(a);
    executor_registration_init(a);
    executor_messages_init(a);
    status_updates_init(a);
    agent_state_init(a);
    agent_files_init(a);
    executor_api_init(a);
    agent_containers_init(a);
    agent_metrics_init(a);
    agent_recover_runs(a);
    a->recovery_time = instant_since(runtime_now(a->runtime), a->born);
    a->state = AGENT_DISCONNECTED;
    agent_gc_start(a);
    registration_start(a);
}

static void agent_exited(struct agent *a, const struct pid *peer)
{
    registration_exited(a, peer);
    hosted_executors_exited(a, peer);
}

/* ---- end ---- */

static void agent_finalize(struct agent *a)
{
    agent_containers_release(a);
    process_cancel(&a->register_timer);
    process_cancel(&a->ping_timer);
    process_cancel(&a->list_timer);
    process_cancel(&a->gc_timer);
}

static void release(struct agent *a)
{
    registration_release(a);
    status_updates_release(a);
    hosted_release(a);
    launcher_destroy(a->launcher);
    store_close(a->store);
    file_close(a->lock);
    agent_metrics_release(a);
    resources_release(&a->total);
    arena_release(&a->arena);
    agent_id_release(&a->id);
    pid_release(&a->master);
    pid_release(&a->pid);
    text_unref(a->master_hostname);
    mem_free(a->fetcher_program);
    flags_release(agent_flags, &a->options);
    mem_free(a);
}

void agent_destroy(struct agent *a)
{
    if (!a)
        return;
    process_terminate(&a->pid, TERMINATE_NOW);
    process_wait(&a->pid, DAYS(1));
    release(a);
}

const struct pid *agent_pid(const struct agent *a)
{
    return &a->pid;
}

const char *agent_failure(const struct agent *a)
{
    return a->failure;
}

void agent_fail(struct agent *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(a->failure, sizeof a->failure, fmt, args);
    va_end(args);
    log_error("agent ends: %s", a->failure);
    a->state = AGENT_TERMINATING;
    process_terminate(&a->process.pid, TERMINATE_NOW);
}

static void agent_forgotten(struct agent *a, struct future *f, struct forgetting *op)
{
    mem_free(op);
    if (future_state(f) == FUTURE_DISCARDED)
        return;
    if (future_state(f) == FUTURE_FAILED)
        log_error("agent's identity cannot be removed from the database, its next start keeps it: "
                  "%s", future_error(f)->text);
    process_terminate(&a->process.pid, TERMINATE_AFTER_QUEUED);
}

static void end_agent(struct agent *a, struct nothing *unused UNUSED)
{
    FINALLY(store_forget(a->store), agent_forgotten, a,
            (struct forgetting *)mem_alloc(sizeof(struct forgetting)));
}

void agent_check_shutdown(struct agent *a)
{
    if (a->state == AGENT_TERMINATING && !a->frameworks)
        dispatch(&a->process.pid, end_agent, .unused = 0);
}

void agent_shut_down(struct agent *a, const char *why)
{
    struct hosted_framework *f, *next;

    if (a->state == AGENT_TERMINATING)
        return;
    log_info("agent shuts down: %s", why);
    a->state = AGENT_TERMINATING;
    HASH_ITER(hh, a->frameworks, f, next)
        task_kill_framework(a, f);
    agent_check_shutdown(a);
}

static void unregister_agent(struct agent *a, struct nothing *unused UNUSED)
{
    registration_unregister(a);
    agent_shut_down(a, "asked to unregister");
}

void agent_unregister(struct agent *a)
{
    dispatch(&a->pid, unregister_agent, .unused = 0);
}

/* ---- shared ---- */

bool agent_is_master(const struct agent *a, const struct pid *from, const char *what)
{
    char text[PID_TEXT];

    if (!pid_is_empty(&a->master) && pid_equal(from, &a->master))
        return a->state != AGENT_TERMINATING;
    log_warning("%s of %s ignored: it is not the master", what, pid_text(from, text, sizeof text));
    return false;
}

char *agent_folder(const struct agent *a)
{
    return mem_printf("%s/slaves/%s", a->options.work_dir, agent_id_text(&a->id));
}

struct resources agent_used(const struct agent *a)
{
    struct resources used = RESOURCES_INIT;

    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next) {
            if (!e->builtin && e->state != EXECUTOR_TERMINATED)
                resources_add(&used, &e->resources);
            for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
                if (!task_state_is_terminal(t->state))
                    resources_add(&used, &t->resources);
        }
    resources_allocate(&used, NULL);
    return used;
}

int agent_check_invariants(const struct agent *a, struct error *err)
{
    CLEANUP(resources_release) struct resources used = agent_used(a);
    CLEANUP(resources_release) struct resources left = resources_dup(&a->total);

    if (resources_subtract(&left, &used, err) < 0)
        return error_wrap(err, "what runs does not fit the agent");
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            for (struct hosted_task *t = e->tasks; t; t = t->hh.next)
                if (t->executor != e || e->framework != f ||
                    hosted_task_find(f, t->id.text->bytes) != t)
                    return error_set(err, EINVAL, "task %s belongs to more than one executor",
                                     t->id.text->bytes);
    return status_updates_check(a, err);
}
