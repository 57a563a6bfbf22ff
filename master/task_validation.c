/* task_validation.c - may this task be launched with what the offers hold? */
#include "master/task_validation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "mesos/resource.h"
#include "process/proto.h"

/* Each step has this form: 0, or -1 with the sentence in `why`. */
struct check {
    struct framework_record *f;
    struct agent_record *a;
    const char *role;
    const Pb__TaskInfo *task;
    const Pb__ExecutorInfo *executor; /* the task's, or the group's; NULL: none */
    const struct resources *pool;
    bool in_group;
    bool executor_is_paid; /* by a task of the group before this one */
    struct task_validation *v;
    struct buffer *why;
};

#define REFUSE(c, ...) (buffer_printf((c)->why, __VA_ARGS__), -1)

/* ---- names ---- */

static int check_id(const struct check *c, const char *id)
{
    if (!*id)
        return REFUSE(c, "ID must not be empty");
    if (strlen(id) > 255)
        return REFUSE(c, "ID must not be longer than 255 bytes");
    if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
        return REFUSE(c, "'%s' is not allowed as an ID", id);
    for (const char *p = id; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/' || *p == '\\')
            return REFUSE(c, "'%s' contains invalid characters", id);
    return 0;
}

static int check_unique(const struct check *c)
{
    const char *id = c->task->task_id->value;

    if (task_records_find(c->f, id))
        return REFUSE(c, "Task has duplicate ID: %s", id);
    list_each (t, &c->f->unreachable_tasks, struct task_record, link)
        if (text_is(t->id.text, id))
            return REFUSE(c, "Task has duplicate ID: %s", id);
    return 0;
}

static int check_names(const struct check *c)
{
    if (check_id(c, c->task->task_id->value) < 0 || check_unique(c) < 0)
        return -1;
    if (strcmp(c->task->agent_id->value, agent_id_text(&c->a->id)) != 0)
        return REFUSE(c, "Task uses invalid agent %s while agent %s is expected",
                      c->task->agent_id->value, agent_id_text(&c->a->id));
    if (!c->in_group && !c->task->command == !c->task->executor)
        return REFUSE(
            c,
            "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present");
    return 0;
}

/* ---- times and checks ---- */

static bool is_time(bool has, double seconds)
{
    return !has || (!isnan(seconds) && seconds >= 0);
}

static int check_times(const struct check *c)
{
    const Pb__TaskInfo *t = c->task;

    if (t->kill_policy && t->kill_policy->grace_period &&
        t->kill_policy->grace_period->nanoseconds < 0)
        return REFUSE(c, "Task's 'kill_policy.grace_period' must be non-negative");
    if (t->max_completion_time && t->max_completion_time->nanoseconds < 0)
        return REFUSE(c, "Task's 'max_completion_time' must be non-negative");
    return 0;
}

static int check_command(const struct check *c, const Pb__CommandInfo *command, const char *what)
{
    bool shell = !command->has_shell || command->shell;

    if (shell && !command->value)
        return REFUSE(c, "%s: a shell command needs 'value'", what);
    return 0;
}

static int check_port(const struct check *c, uint32_t port, const char *what)
{
    return port >= 1 && port <= 65535 ? 0 : REFUSE(c, "%s: the port %u is none", what, port);
}

static int check_path(const struct check *c, const char *path, const char *what)
{
    return !path || *path == '/' ? 0
                                 : REFUSE(c, "%s: the path '%s' must start with '/'", what, path);
}

static int check_health_check(const struct check *c)
{
    static const char what[] = "Task uses invalid health check";
    const Pb__HealthCheck *h = c->task->health_check;

    if (!h)
        return 0;
    if (!h->has_type && !h->command && !h->http && !h->tcp)
        return REFUSE(c, "%s: it says neither 'type' nor what to do", what);
    if (h->has_type && h->type == PB__HEALTH_CHECK__TYPE__COMMAND && !h->command)
        return REFUSE(c, "%s: 'command' must be set", what);
    if (h->has_type && h->type == PB__HEALTH_CHECK__TYPE__HTTP && !h->http)
        return REFUSE(c, "%s: 'http' must be set", what);
    if (h->has_type && h->type == PB__HEALTH_CHECK__TYPE__TCP && !h->tcp)
        return REFUSE(c, "%s: 'tcp' must be set", what);
    if (h->command && check_command(c, h->command, what) < 0)
        return -1;
    if (h->http &&
        (check_port(c, h->http->port, what) < 0 || check_path(c, h->http->path, what) < 0))
        return -1;
    if (h->http && h->http->scheme && strcmp(h->http->scheme, "http") != 0 &&
        strcmp(h->http->scheme, "https") != 0)
        return REFUSE(c, "%s: the scheme '%s' is neither http nor https", what, h->http->scheme);
    if (h->tcp && check_port(c, h->tcp->port, what) < 0)
        return -1;
    if (!is_time(h->has_delay_seconds, h->delay_seconds) ||
        !is_time(h->has_interval_seconds, h->interval_seconds) ||
        !is_time(h->has_timeout_seconds, h->timeout_seconds) ||
        !is_time(h->has_grace_period_seconds, h->grace_period_seconds))
        return REFUSE(c, "%s: its times must be non-negative", what);
    return 0;
}

static int check_check(const struct check *c)
{
    static const char what[] = "Task uses invalid check";
    const Pb__CheckInfo *k = c->task->check;

    if (!k)
        return 0;
    if (!k->has_type)
        return REFUSE(c, "%s: 'type' must be set", what);
    if (k->type == PB__CHECK_INFO__TYPE__COMMAND && !k->command)
        return REFUSE(c, "%s: 'command' must be set", what);
    if (k->type == PB__CHECK_INFO__TYPE__HTTP && !k->http)
        return REFUSE(c, "%s: 'http' must be set", what);
    if (k->type == PB__CHECK_INFO__TYPE__TCP && !k->tcp)
        return REFUSE(c, "%s: 'tcp' must be set", what);
    if (k->command && check_command(c, k->command->command, what) < 0)
        return -1;
    if (k->http &&
        (check_port(c, k->http->port, what) < 0 || check_path(c, k->http->path, what) < 0))
        return -1;
    if (k->tcp && check_port(c, k->tcp->port, what) < 0)
        return -1;
    if (!is_time(k->has_delay_seconds, k->delay_seconds) ||
        !is_time(k->has_interval_seconds, k->interval_seconds) ||
        !is_time(k->has_timeout_seconds, k->timeout_seconds))
        return REFUSE(c, "%s: its times must be non-negative", what);
    return 0;
}

/* ---- resources ---- */

static int check_volumes(const struct check *c, const struct resources *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t j = 0; j < i; j++) {
            const Pb__Resource__DiskInfo *a = resource_disk(&r->v[i]), *b = resource_disk(&r->v[j]);

            if (a && b && a->persistence && b->persistence &&
                strcmp(a->persistence->id, b->persistence->id) == 0)
                return REFUSE(c, "Task uses duplicate persistence ID: %s", a->persistence->id);
        }
    return 0;
}

/* All for the offers' role, and not of two kinds of reliability under one name. */
static int check_kinds(const struct check *c, const struct resources *r, const char *whose)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->v[i].allocation->bytes, c->role) != 0)
            return REFUSE(
                c, "%s resources are allocated to role '%s', those of the offers to role '%s'",
                whose, r->v[i].allocation->bytes, c->role);
        for (size_t j = 0; j < i; j++)
            if (text_equal(r->v[i].name, r->v[j].name) &&
                resource_is_revocable(&r->v[i]) != resource_is_revocable(&r->v[j]))
                return REFUSE(c, "%s resources mix revocable and non-revocable '%s'", whose,
                              r->v[i].name->bytes);
    }
    return check_volumes(c, r);
}

static int parse(const struct check *c, Pb__Resource *const *v, size_t n, const char *whose,
                 struct resources *ret_r)
{
    struct error err;

    if (resources_from_protobuf(v, n, ret_r, &err) < 0)
        return REFUSE(c, "%s uses invalid resources: %s", whose, err.text);
    resources_allocate_rest(ret_r, c->role);
    return check_kinds(c, ret_r, whose);
}

static int check_resources(const struct check *c)
{
    if (parse(c, c->task->resources, c->task->n_resources, "Task", &c->v->task) < 0)
        return -1;
    return resources_is_empty(&c->v->task) ? REFUSE(c, "Task uses no resources") : 0;
}

static bool has_limits(const ProtobufCMessage *registration)
{
    Pb__AgentInfo__Capability *const *v = NULL;
    size_t n = 0;

    if (registration->descriptor == &pb__register_slave_message__descriptor) {
        v = ((const Pb__RegisterSlaveMessage *)registration)->agent_capabilities;
        n = ((const Pb__RegisterSlaveMessage *)registration)->n_agent_capabilities;
    } else {
        v = ((const Pb__ReregisterSlaveMessage *)registration)->agent_capabilities;
        n = ((const Pb__ReregisterSlaveMessage *)registration)->n_agent_capabilities;
    }
    for (size_t i = 0; i < n; i++)
        if (v[i]->has_type && v[i]->type == PB__AGENT_INFO__CAPABILITY__TYPE__TASK_RESOURCE_LIMITS)
            return true;
    return false;
}

static int check_limits(const struct check *c)
{
    if (c->task->n_limits > 0 && (!c->a->registration || !has_limits(c->a->registration->body)))
        return REFUSE(c, "Task has resource limits, which agent %s cannot enforce",
                      agent_id_text(&c->a->id));
    for (size_t i = 0; i < c->task->n_limits; i++) {
        const Pb__TaskInfo__LimitsEntry *limit = c->task->limits[i];
        double value = limit->value ? limit->value->value : NAN;

        if (!limit->key || (strcmp(limit->key, "cpus") != 0 && strcmp(limit->key, "mem") != 0))
            return REFUSE(c, "Task's 'limits' may only be of cpus and mem");
        if (!(value * 1000 + 0.5 >= (double)resources_millis(&c->v->task, limit->key)))
            return REFUSE(c, "Task's limit of %s is below what it requests", limit->key);
    }
    return 0;
}

/* ---- the executor ---- */

static bool is_same_executor(const struct framework_record *f,
                             const struct executor_record *running, const Pb__ExecutorInfo *info,
                             const struct resources *r)
{
    Pb__ExecutorInfo a = *(const Pb__ExecutorInfo *)running->info->body, b = *info;

    a.n_resources = b.n_resources = 0;
    a.framework_id = b.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    return resources_equal(&running->resources, r) && proto_equal(&a.base, &b.base);
}

static bool is_default(const Pb__ExecutorInfo *e)
{
    return e->has_type && e->type == PB__EXECUTOR_INFO__TYPE__DEFAULT;
}

static int check_executor_info(const struct check *c, const Pb__ExecutorInfo *e)
{
    if (check_id(c, e->executor_id->value) < 0)
        return -1;
    if (!c->in_group && e->has_type && e->type != PB__EXECUTOR_INFO__TYPE__CUSTOM)
        return REFUSE(c, "'ExecutorInfo.type' must be 'CUSTOM'");
    if (is_default(e) && e->command)
        return REFUSE(c, "'ExecutorInfo.command' must not be set for 'DEFAULT' executor");
    if (!is_default(e) && !e->command)
        return REFUSE(c, "'ExecutorInfo.command' must be set for 'CUSTOM' executor");
    if (e->framework_id && strcmp(e->framework_id->value, framework_id_text(&c->f->id)) != 0)
        return REFUSE(c, "ExecutorInfo has an invalid FrameworkID (Actual: %s vs Expected: %s)",
                      e->framework_id->value, framework_id_text(&c->f->id));
    if (e->shutdown_grace_period && e->shutdown_grace_period->nanoseconds < 0)
        return REFUSE(c, "ExecutorInfo's 'shutdown_grace_period' must be non-negative");
    return 0;
}

static int check_executor(const struct check *c)
{
    const Pb__ExecutorInfo *e = c->executor;

    if (c->task->command && check_command(c, c->task->command, "Task's command") < 0)
        return -1;
    if (!e)
        return 0;
    if (check_executor_info(c, e) < 0 ||
        parse(c, e->resources, e->n_resources, "Executor", &c->v->executor) < 0)
        return -1;
    for (size_t i = 0; i < c->v->executor.n; i++)
        if (resource_is_shared(&c->v->executor.v[i]))
            return REFUSE(c, "Executor resources must not be shared");
    c->v->running = executor_records_find(c->a, c->f, e->executor_id->value);
    if (c->v->running && !is_same_executor(c->f, c->v->running, e, &c->v->executor))
        return REFUSE(
            c, "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.");
    return 0;
}

static int check_total(const struct check *c)
{
    struct resources total = resources_dup(&c->v->task);
    bool fits;

    if (!c->v->running && !c->executor_is_paid)
        resources_add(&total, &c->v->executor);
    fits = resources_contain(c->pool, &total);
    if (!fits) {
        buffer_append_text(c->why, "Total resources ");
        resources_format(&total, c->why);
        buffer_append_text(c->why, " required by task and its executor is more than available ");
        resources_format(c->pool, c->why);
    }
    resources_release(&total);
    return fits ? 0 : -1;
}

static int check_all(const struct check *c)
{
    static int (*const steps[])(const struct check *) = {
        check_names,     check_times,  check_check,    check_health_check,
        check_resources, check_limits, check_executor, check_total,
    };

    *c->v = (struct task_validation){ RESOURCES_INIT, RESOURCES_INIT, NULL };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i](c) < 0) {
            task_validation_release(c->v);
            return -1;
        }
    return 0;
}

int task_validation_check(struct framework_record *f, struct agent_record *a, const char *role,
                          const Pb__TaskInfo *task, const struct resources *pool,
                          struct task_validation *ret_v, struct buffer *why)
{
    struct check c = { .f = f, .a = a, .role = role, .task = task, .executor = task->executor,
                       .pool = pool, .v = ret_v, .why = why };

    return check_all(&c);
}

/* ---- groups ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_group_ids(const struct check *c, const Pb__TaskGroupInfo *tasks)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    const char **ids = arena_alloc(&arena, tasks->n_tasks * sizeof *ids);

    for (size_t i = 0; i < tasks->n_tasks; i++)
        ids[i] = tasks->tasks[i]->task_id->value;
    qsort(ids, tasks->n_tasks, sizeof *ids, compare_ids);
    for (size_t i = 1; i < tasks->n_tasks; i++)
        if (strcmp(ids[i - 1], ids[i]) == 0)
            return REFUSE(c, "Task group has two tasks of ID '%s'", ids[i]);
    return 0;
}

static int check_group(const struct check *c, const Pb__Offer__Operation__LaunchGroup *group)
{
    const Pb__TaskGroupInfo *tasks = group->task_group;

    if (tasks->n_tasks == 0)
        return REFUSE(c, "Task group has no tasks");
    if (!c->executor->has_type || c->executor->type == PB__EXECUTOR_INFO__TYPE__UNKNOWN)
        return REFUSE(c, "'ExecutorInfo.type' must be 'DEFAULT' or 'CUSTOM'");
    if (c->executor->container && c->executor->container->type == PB__CONTAINER_INFO__TYPE__DOCKER)
        return REFUSE(c, "Docker ContainerInfo is not supported on the executor");
    return check_group_ids(c, tasks);
}

static int check_group_task(const struct check *c)
{
    const Pb__TaskInfo *t = c->task;

    if (t->executor && !proto_equal(&t->executor->base, &c->executor->base))
        return REFUSE(c, "The `ExecutorInfo` of task '%s' is different from executor '%s'",
                      t->task_id->value, c->executor->executor_id->value);
    if (t->container && t->container->type == PB__CONTAINER_INFO__TYPE__DOCKER)
        return REFUSE(c, "Docker ContainerInfo is not supported on the task");
    return check_all(c);
}

static int check_group_executor(const struct check *c)
{
    const struct resources *r = &c->v->executor;

    if (resources_millis(r, "cpus") < 10)
        return REFUSE(c, "Executor '%s' uses less CPUs than the minimum required (0.01)",
                      c->executor->executor_id->value);
    if (resources_millis(r, "mem") < 32 * 1000)
        return REFUSE(c, "Executor '%s' uses less memory than the minimum required (32MB)",
                      c->executor->executor_id->value);
    if (resources_millis(r, "disk") <= 0)
        return REFUSE(c, "Executor '%s' uses no disk", c->executor->executor_id->value);
    return 0;
}

/* One task after the other, each with what those before it leave. */
static int check_tasks_in_turn(const struct check *of_group, const Pb__TaskGroupInfo *tasks,
                               struct task_validation *v, size_t *ret_done)
{
    CLEANUP(resources_release) struct resources left = resources_dup(of_group->pool);
    struct check c = *of_group;

    c.pool = &left;
    for (*ret_done = 0; *ret_done < tasks->n_tasks; ++*ret_done) {
        c.task = tasks->tasks[*ret_done];
        c.v = &v[*ret_done];
        if (check_group_task(&c) < 0)
            return -1;
        CHECK(resources_subtract(&left, &c.v->task, NULL) == 0);
        if (!c.executor_is_paid && !c.v->running)
            CHECK(resources_subtract(&left, &c.v->executor, NULL) == 0);
        c.executor_is_paid = true;
    }
    return check_group_executor(&c);
}

int task_validation_check_group(struct framework_record *f, struct agent_record *a,
                                const char *role, const Pb__Offer__Operation__LaunchGroup *group,
                                const struct resources *pool, struct task_validation ret_v[],
                                struct buffer *why)
{
    struct check c = { .f = f, .a = a, .role = role, .executor = group->executor, .pool = pool,
                       .in_group = true, .why = why };
    size_t done = 0;

    if (check_group(&c, group) == 0 &&
        check_tasks_in_turn(&c, group->task_group, ret_v, &done) == 0)
        return 0;
    while (done > 0)
        task_validation_release(&ret_v[--done]);
    return -1;
}

void task_validation_release(struct task_validation *v)
{
    resources_release(&v->task);
    resources_release(&v->executor);
    v->running = NULL;
}
