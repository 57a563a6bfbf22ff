/* task_launch.c - the master wants a task to run, or a group of tasks
 *
 * RunTaskMessage, RunTaskGroupMessage → validate → recognise → an executor's run, or one
 * that is there → remembered (store.h) → launch_steps.c.  What is refused is told as
 * TASK_DROPPED (TASK_LOST), TASK_ERROR or TASK_FAILED, never silently.
 *
 * A group is for one executor, and all or nothing: its tasks are refused, remembered, given to
 * the executor and, until then, killed together.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "mesos/framework_info.h"
#include "process/host.h"
#include "process/runtime.h"

#define MESSAGES(ON)                                                                               \
    ON(pb__run_task_message, Pb__RunTaskMessage, on_run_task)                                      \
    ON(pb__run_task_group_message, Pb__RunTaskGroupMessage, on_run_task_group)
HANDLERS(agent, launch_handlers, MESSAGES);

/* What both messages say. */
struct wish {
    const Pb__FrameworkInfo *framework;
    const char *pid;                     /* of its scheduler; may be NULL */
    size_t n;
    Pb__TaskInfo *const *tasks;
    const Pb__ExecutorInfo *executor;    /* NULL: a command task */
    struct text *group;                  /* its name here; NULL: one task, alone */
    size_t n_versions;
    Pb__ResourceVersionUUID *const *versions;
    bool says_launch_executor, launch_executor;
};

struct tasks_storing { struct container_id container; size_t n; char **tasks; };
LAST(agent, tasks_stored, tasks_storing);

void task_launch_init(struct agent *a)
{
    process_install(&a->process, launch_handlers);
}

/* ---- validate ---- */

static void refuse(struct agent *a, const Pb__FrameworkInfo *framework, const Pb__TaskInfo *task,
                   const Pb__ExecutorInfo *executor, Pb__TaskState state,
                   Pb__TaskStatus__Reason reason, const char *message)
{
    struct refusal r = {
        .framework = framework->id->value, .info = framework, .task = task->task_id->value,
        .executor = executor ? executor->executor_id->value : NULL,
        .partition_aware = framework_info_has(framework, PARTITION_AWARE),
        .state = state, .reason = reason, .message = message,
    };

    status_updates_refuse(a, &r);
}

static void refuse_all(struct agent *a, const struct wish *w, Pb__TaskState state,
                       Pb__TaskStatus__Reason reason, const char *message)
{
    for (size_t i = 0; i < w->n; i++)
        refuse(a, w->framework, w->tasks[i], w->executor, state, reason, message);
}

static int validate_ids(const struct agent *a, const Pb__FrameworkInfo *framework,
                        const Pb__TaskInfo *task, struct error *err)
{
    struct framework_id framework_id;
    struct task_id task_id;

    if (!framework->id)
        return error_set(err, EINVAL, "its framework has no id");
    if (framework_id_parse(framework->id->value, &framework_id, err) < 0)
        return -1;
    framework_id_release(&framework_id);
    if (task_id_parse(task->task_id->value, &task_id, err) < 0)
        return -1;
    task_id_release(&task_id);
    if (!text_is(a->id.text, task->agent_id->value))
        return error_set(err, EINVAL, "it is for agent %.80s", task->agent_id->value);
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(Pb__TaskInfo *const *)a)->task_id->value,
                  (*(Pb__TaskInfo *const *)b)->task_id->value);
}

static int validate_all_ids(const struct agent *a, const struct wish *w, struct error *err)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    Pb__TaskInfo **sorted = arena_dup(&arena, w->tasks, w->n * sizeof *sorted);

    for (size_t i = 0; i < w->n; i++)
        if (validate_ids(a, w->framework, w->tasks[i], err) < 0)
            return -1;
    qsort(sorted, w->n, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < w->n; i++)
        if (compare_ids(&sorted[i - 1], &sorted[i]) == 0)
            return error_set(err, EINVAL, "its group has two tasks of this id");
    return 0;
}

static int validate_executor(const Pb__ExecutorInfo *executor, struct error *err)
{
    struct executor_id id;

    if (executor_id_parse(executor->executor_id->value, &id, err) < 0)
        return -1;
    executor_id_release(&id);
    if (executor->has_type && executor->type == PB__EXECUTOR_INFO__TYPE__DEFAULT)
        return error_set(err, ENOTSUP, "This agent has no default executor");
    if (!executor->command)
        return error_set(err, EINVAL, "The executor has no command");
    return 0;
}

/* Adds what it needs.  In a group a command is the executor's own matter. */
static int validate_task(const struct wish *w, const Pb__TaskInfo *task,
                         struct resources *needed, struct error *err)
{
    CLEANUP(resources_release) struct resources own = RESOURCES_INIT;

    if (!w->group && !task->command == !task->executor)
        return error_set(err, EINVAL, "Task should have at least one (but not both) of CommandInfo "
                                      "or ExecutorInfo present");
    if (task->container && (task->container->type != PB__CONTAINER_INFO__TYPE__MESOS ||
                            (task->container->mesos && task->container->mesos->image)))
        return error_set(err, ENOTSUP, "This agent has no containerizer for the task's container");
    if (resources_from_protobuf(task->resources, task->n_resources, &own, err) < 0)
        return -1;
    resources_add(needed, &own);
    return 0;
}

static int validate(const struct wish *w, struct resources *ret_tasks, struct resources *ret_own,
                    struct error *err)
{
    if (w->executor &&
        (validate_executor(w->executor, err) < 0 ||
         resources_from_protobuf(w->executor->resources, w->executor->n_resources, ret_own,
                                 err) < 0))
        return -1;
    for (size_t i = 0; i < w->n; i++)
        if (validate_task(w, w->tasks[i], ret_tasks, err) < 0)
            return -1;
    return 0;
}

/* The master sent it before it heard that we register anew, over a connection that
 * we took for dead.  It has settled the task since then: it was not on our list. */
static bool is_stale(const struct agent *a, const struct wish *w)
{
    for (size_t i = 0; i < w->n_versions; i++) {
        const Pb__ResourceVersionUUID *v = w->versions[i];

        if (!v->resource_provider_id &&
            (v->uuid->value.len != sizeof a->resource_version ||
             memcmp(v->uuid->value.data, a->resource_version, sizeof a->resource_version) != 0))
            return true;
    }
    return false;
}

/* NULL: it may be given to e (which may be NULL: to a new one). */
static const char *why_executor_will_not_do(const struct hosted_executor *e, const struct wish *w)
{
    bool is_new = w->says_launch_executor && w->launch_executor;

    if (!e)
        return w->says_launch_executor && !is_new ? "The task's executor has ended" : NULL;
    if (!w->executor || e->builtin)
        return "The task's executor id is in use";
    if (e->state == EXECUTOR_TERMINATING || e->state == EXECUTOR_TERMINATED)
        return "The task's executor is ending";
    return is_new ? "The task's executor exists already" : NULL;
}

static Pb__TaskStatus__Reason invalid_reason(const struct wish *w)
{
    return w->group ? PB__TASK_STATUS__REASON__REASON_TASK_GROUP_INVALID
                    : PB__TASK_STATUS__REASON__REASON_TASK_INVALID;
}

/* What must run at the same time must fit. */
static int check_room(const struct agent *a, const struct resources *more, struct error *err)
{
    CLEANUP(resources_release) struct resources needed = agent_used(a);
    CLEANUP(resources_release) struct resources left = resources_dup(&a->total);
    CLEANUP(resources_release) struct resources plain = resources_dup(more);

    resources_allocate(&plain, NULL);
    resources_add(&needed, &plain);
    return resources_subtract(&left, &needed, err);
}

/* ---- a run ---- */

/* "sh -c '<value>'" or "[value, arg, ...]", over 15 characters cut (FACTS 5.5). */
static void describe_command(const Pb__CommandInfo *command, struct buffer *out)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    bool shell = !command->has_shell || command->shell;

    if (command->value)
        buffer_append_text(&text, command->value);
    for (size_t i = 0; !shell && i < command->n_arguments; i++)
        buffer_printf(&text, ", %s", command->arguments[i]);
    if (buffer_length(&text) > 15) {
        buffer_truncate(&text, 12);
        buffer_append_text(&text, "...");
    }
    buffer_printf(out, shell ? "sh -c '%s'" : "[%s]", buffer_data(&text));
}

static struct message *builtin_info(const Pb__FrameworkInfo *framework, const Pb__TaskInfo *task)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    CLEANUP(buffer_release) struct buffer name = BUFFER_INIT;
    CLEANUP(resources_release) struct resources overhead = RESOURCES_INIT;
    Pb__ExecutorInfo info = PB__EXECUTOR_INFO__INIT;
    Pb__ExecutorID id = PB__EXECUTOR_ID__INIT;
    struct error err;

    buffer_printf(&name, "Command Executor (Task: %s) (Command: ", task->task_id->value);
    describe_command(task->command, &name);
    buffer_append_char(&name, ')');
    id.value = task->task_id->value;
    info.executor_id = &id;
    info.framework_id = framework->id;
    info.name = buffer_data(&name);
    info.source = task->task_id->value;
    if (resources_parse("cpus:0.1;mem:32", "*", &overhead, &err) == 0) {
        if (task->n_resources && task->resources[0]->allocation_info &&
            task->resources[0]->allocation_info->role)
            resources_allocate(&overhead, task->resources[0]->allocation_info->role);
        info.resources = resources_to_protobuf(&overhead, RESOURCE_POST_REFINEMENT, &arena,
                                               &info.n_resources);
    }
    return message_create(&info.base);
}

static struct message *custom_info(const Pb__FrameworkInfo *framework,
                                   const Pb__ExecutorInfo *executor)
{
    Pb__ExecutorInfo info = *executor;

    info.framework_id = framework->id;
    return message_create(&info.base);
}

static struct text *make_uuid(struct agent *a)
{
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT];

    host_uuid(runtime_host(a->runtime), uuid);
    return text_create(host_uuid_format(uuid, text));
}

static struct hosted_executor *add_run(struct agent *a, struct hosted_framework *f,
                                       const struct wish *w, const struct resources *own)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;
    struct container_id container = { make_uuid(a) };
    struct hosted_executor *e =
        hosted_executor_add(a, f, container,
                            w->executor ? custom_info(info, w->executor)
                                        : builtin_info(info, w->tasks[0]),
                            !w->executor);

    e->resources = resources_dup(own);
    e->sandbox = sandbox_path(a, e);
    container_id_release(&container);
    return e;
}

static struct store_tasks to_store(const struct wish *w)
{
    return (struct store_tasks){ w->n, w->tasks, w->group ? w->group->bytes : NULL };
}

static struct future *remember_run(struct agent *a, const struct hosted_executor *e,
                                   const struct wish *w)
{
    struct store_tasks tasks = to_store(w);
    char pid[PID_TEXT];
    struct store_run run = {
        .id = e->container, .framework = e->framework->id, .executor = e->id,
        .builtin = e->builtin, .sandbox = e->sandbox, .boot_id = e->intent_boot_id,
        .info = (const Pb__ExecutorInfo *)e->info->body, .pid = "",
    };

    return store_put_intent(a->store, (const Pb__FrameworkInfo *)e->framework->info->body,
                            pid_text(&e->framework->pid, pid, sizeof pid), &run, &tasks);
}

/* ---- more tasks for a custom executor ---- */

static void remember_tasks(struct agent *a, const struct hosted_executor *e, const struct wish *w)
{
    struct store_tasks tasks = to_store(w);
    struct tasks_storing *op = mem_alloc(sizeof *op);

    op->container = container_id_dup(&e->container);
    op->tasks = mem_array(w->n, sizeof *op->tasks);
    for (; op->n < w->n; op->n++)
        op->tasks[op->n] = mem_strdup(w->tasks[op->n]->task_id->value);
    FINALLY(store_put_tasks(a->store, e->framework->id, e->container, &tasks), tasks_stored, a, op);
}

static void tasks_storing_destroy(struct tasks_storing *op)
{
    for (size_t i = 0; i < op->n; i++)
        mem_free(op->tasks[i]);
    mem_free(op->tasks);
    container_id_release(&op->container);
    mem_free(op);
}

static void give_up_task(struct agent *a, struct hosted_task *t, const struct error *why)
{
    CLEANUP(mem_free_p) char *message =
        mem_printf("The agent cannot write to its database: %s", why->text);
    struct message *info = message_ref(t->info);
    struct message *executor = message_ref(t->executor->info);
    struct message *framework = message_ref(t->executor->framework->info);

    log_error("task %s is not launched, the database cannot be written: %s", t->id.text->bytes,
              why->text);
    hosted_task_complete(a, t);
    refuse(a, (const Pb__FrameworkInfo *)framework->body, (const Pb__TaskInfo *)info->body,
           (const Pb__ExecutorInfo *)executor->body, PB__TASK_STATE__TASK_DROPPED,
           PB__TASK_STATUS__REASON__REASON_CONTAINER_LAUNCH_FAILED, message);
    message_unref(framework);
    message_unref(executor);
    message_unref(info);
}

/* The first pass: a group is sent once all of it is stored. */
static void mark_stored(struct hosted_executor *e, const struct tasks_storing *op)
{
    struct hosted_task *t;

    for (size_t i = 0; i < op->n; i++) {
        HASH_FIND(hh, e->tasks, op->tasks[i], strlen(op->tasks[i]), t);
        if (t)
            t->stored = true;
    }
}

static void tasks_stored(struct agent *a, struct future *f, struct tasks_storing *op)
{
    bool failed = future_state(f) == FUTURE_FAILED;
    struct hosted_executor *e = future_state(f) == FUTURE_DISCARDED
                                    ? NULL
                                    : hosted_executor_find_run(a, op->container);
    struct hosted_task *t;

    if (e && !failed)
        mark_stored(e, op);
    if (e && !failed && e->state == EXECUTOR_TERMINATED) {
        hosted_executor_ended(a, e);
        e = NULL;
    }
    for (size_t i = 0; e && i < op->n; i++) {
        HASH_FIND(hh, e->tasks, op->tasks[i], strlen(op->tasks[i]), t);
        if (t && failed) {
            give_up_task(a, t, future_error(f));
            e = hosted_executor_find_run(a, op->container);   /* with its last task it may go */
        } else if (t) {
            hosted_executor_send_task(a, t);
        }
    }
    tasks_storing_destroy(op);
}

/* ---- the messages ---- */

static void add_tasks(struct hosted_executor *e, const struct wish *w)
{
    for (size_t i = 0; i < w->n; i++) {
        CLEANUP(resources_release) struct resources r = RESOURCES_INIT;
        const Pb__TaskInfo *task = w->tasks[i];

        CHECK(resources_from_protobuf(task->resources, task->n_resources, &r, NULL) == 0);
        hosted_task_add(e, task, &r, w->group);
        log_info("task %s of framework %s is to be launched", task->task_id->value,
                 e->framework->id.text->bytes);
    }
}

static void accept(struct agent *a, const struct wish *w, const struct resources *tasks,
                   const struct resources *own)
{
    struct hosted_framework *f = hosted_framework_find(a, w->framework->id->value);
    const char *executor =
        w->executor ? w->executor->executor_id->value : w->tasks[0]->task_id->value;
    struct hosted_executor *e = f ? hosted_executor_find(f, executor) : NULL;
    const char *unfit = why_executor_will_not_do(e, w);
    CLEANUP(resources_release) struct resources all = RESOURCES_INIT;
    struct error err;

    if (unfit) {
        refuse_all(a, w, PB__TASK_STATE__TASK_DROPPED,
                   PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED, unfit);
        return;
    }
    resources_add(&all, tasks);
    if (!e)
        resources_add(&all, own);
    if (check_room(a, &all, &err) < 0) {
        refuse_all(a, w, PB__TASK_STATE__TASK_ERROR, invalid_reason(w), err.text);
        return;
    }
    if (!f)
        f = hosted_framework_add(a, w->framework, w->pid);
    if (e) {
        add_tasks(e, w);
        remember_tasks(a, e, w);
        return;
    }
    e = add_run(a, f, w, own);
    add_tasks(e, w);
    launch_begin(a, e, remember_run(a, e, w));
}

/* Why nothing is to be done, and nobody to be told; NULL: it is new. */
static const char *why_ignored(struct agent *a, const struct wish *w)
{
    struct hosted_framework *f = hosted_framework_find(a, w->framework->id->value);

    for (size_t i = 0; f && i < w->n; i++)
        if (hosted_task_find(f, w->tasks[i]->task_id->value))
            return "it is here already";
    if (f && f->terminating)
        return "its framework is ending";
    if (is_stale(a, w))
        return "it was launched before we registered again";
    for (size_t i = 0; i < w->n; i++)
        if (status_updates_has_stream(a, w->framework->id->value, w->tasks[i]->task_id->value))
            return "one of this id has just been refused";
    return NULL;
}

static void consider(struct agent *a, const struct wish *w)
{
    CLEANUP(resources_release) struct resources tasks = RESOURCES_INIT;
    CLEANUP(resources_release) struct resources own = RESOURCES_INIT;
    const char *ignored;
    struct error err;

    if (validate_all_ids(a, w, &err) < 0) {
        log_warning("task %.80s ignored: %s", w->tasks[0]->task_id->value, err.text);
        return;
    }
    if (validate(w, &tasks, &own, &err) < 0) {
        refuse_all(a, w, PB__TASK_STATE__TASK_ERROR, invalid_reason(w), err.text);
        return;
    }
    ignored = why_ignored(a, w);
    if (ignored)
        log_warning("task %s of framework %s ignored: %s", w->tasks[0]->task_id->value,
                    w->framework->id->value, ignored);
    else
        accept(a, w, &tasks, &own);
}

static void on_run_task(struct agent *a, const struct pid *from, const Pb__RunTaskMessage *msg)
{
    struct wish w = { .framework = msg->framework, .pid = msg->pid, .n = 1, .tasks = &msg->task,
                      .executor = msg->task->executor,
                      .n_versions = msg->n_resource_version_uuids,
                      .versions = msg->resource_version_uuids,
                      .says_launch_executor = msg->has_launch_executor,
                      .launch_executor = msg->launch_executor };

    if (agent_is_master(a, from, "task") && !registration_hold(a, from, on_run_task__receive))
        consider(a, &w);
}

static void on_run_task_group(struct agent *a, const struct pid *from,
                              const Pb__RunTaskGroupMessage *msg)
{
    struct wish w = { .framework = msg->framework, .n = msg->task_group->n_tasks,
                      .tasks = msg->task_group->tasks, .executor = msg->executor,
                      .n_versions = msg->n_resource_version_uuids,
                      .versions = msg->resource_version_uuids,
                      .says_launch_executor = msg->has_launch_executor,
                      .launch_executor = msg->launch_executor };

    if (!agent_is_master(a, from, "task group") ||
        registration_hold(a, from, on_run_task_group__receive) || w.n == 0)
        return;
    w.group = make_uuid(a);
    consider(a, &w);
    text_unref(w.group);
}
