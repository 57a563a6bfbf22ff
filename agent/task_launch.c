/* task_launch.c - the master wants a task to run
 *
 * RunTaskMessage → validate → recognise → an executor's run, or one that is
 * there → remembered (store.h) → launch_steps.c.  What is refused is told as
 * TASK_DROPPED (TASK_LOST), TASK_ERROR or TASK_FAILED, never silently.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent_private.h"
#include "base/buffer.h"
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

struct task_storing { struct container_id container; char *task; };
LAST(agent, task_stored, task_storing);

void task_launch_init(struct agent *a)
{
    process_install(&a->process, launch_handlers);
}

/* ---- validate ---- */

static void refuse(struct agent *a, const Pb__FrameworkInfo *framework, const Pb__TaskInfo *task,
                   Pb__TaskState state, Pb__TaskStatus__Reason reason, const char *message)
{
    struct refusal r = {
        .framework = framework->id->value, .info = framework, .task = task->task_id->value,
        .executor = task->executor ? task->executor->executor_id->value : NULL,
        .partition_aware = framework_info_has(framework, PARTITION_AWARE),
        .state = state, .reason = reason, .message = message,
    };

    status_updates_refuse(a, &r);
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

static int validate_task(const Pb__TaskInfo *task, struct resources *ret_resources,
                         struct error *err)
{
    struct executor_id id;

    if (!task->command == !task->executor)
        return error_set(err, EINVAL, "Task should have at least one (but not both) of CommandInfo "
                                      "or ExecutorInfo present");
    if (task->executor) {
        if (executor_id_parse(task->executor->executor_id->value, &id, err) < 0)
            return -1;
        executor_id_release(&id);
        if (task->executor->has_type &&
            task->executor->type == PB__EXECUTOR_INFO__TYPE__DEFAULT)
            return error_set(err, ENOTSUP, "This agent has no default executor");
        if (!task->executor->command)
            return error_set(err, EINVAL, "The executor has no command");
    }
    if (task->container && (task->container->type != PB__CONTAINER_INFO__TYPE__MESOS ||
                            (task->container->mesos && task->container->mesos->image)))
        return error_set(err, ENOTSUP, "This agent has no containerizer for the task's container");
    return resources_from_protobuf(task->resources, task->n_resources, ret_resources, err);
}

/* The master sent it before it heard that we register anew, over a connection that
 * we took for dead.  It has settled the task since then: it was not on our list. */
static bool is_stale(const struct agent *a, const Pb__RunTaskMessage *msg)
{
    for (size_t i = 0; i < msg->n_resource_version_uuids; i++) {
        const Pb__ResourceVersionUUID *v = msg->resource_version_uuids[i];

        if (!v->resource_provider_id &&
            (v->uuid->value.len != sizeof a->resource_version ||
             memcmp(v->uuid->value.data, a->resource_version, sizeof a->resource_version) != 0))
            return true;
    }
    return false;
}

/* NULL: it may be given to e (which may be NULL: to a new one). */
static const char *why_executor_will_not_do(const struct hosted_executor *e,
                                            const Pb__RunTaskMessage *msg)
{
    if (!e)
        return msg->has_launch_executor && !msg->launch_executor
                   ? "The task's executor has ended"
                   : NULL;
    if (msg->task->command || e->builtin)
        return "The task's executor id is in use";
    if (e->state == EXECUTOR_TERMINATING || e->state == EXECUTOR_TERMINATED)
        return "The task's executor is ending";
    if (msg->has_launch_executor && msg->launch_executor)
        return "The task's executor exists already";
    return NULL;
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

static struct message *custom_info(const Pb__FrameworkInfo *framework, const Pb__TaskInfo *task)
{
    Pb__ExecutorInfo info = *task->executor;

    info.framework_id = framework->id;
    return message_create(&info.base);
}

static struct container_id make_container(struct agent *a)
{
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT];

    host_uuid(runtime_host(a->runtime), uuid);
    return (struct container_id){ text_create(host_uuid_format(uuid, text)) };
}

static struct hosted_executor *add_run(struct agent *a, struct hosted_framework *f,
                                       const Pb__TaskInfo *task, const struct resources *own)
{
    const Pb__FrameworkInfo *info = (const Pb__FrameworkInfo *)f->info->body;
    struct container_id container = make_container(a);
    struct hosted_executor *e =
        hosted_executor_add(a, f, container,
                            task->command ? builtin_info(info, task) : custom_info(info, task),
                            task->command != NULL);

    e->resources = resources_dup(own);
    e->sandbox = sandbox_path(a, e);
    container_id_release(&container);
    return e;
}

static struct future *remember_run(struct agent *a, const struct hosted_executor *e,
                                   const Pb__TaskInfo *task)
{
    char pid[PID_TEXT];
    struct store_run run = {
        .id = e->container, .framework = e->framework->id, .executor = e->id,
        .builtin = e->builtin, .sandbox = e->sandbox, .boot_id = e->intent_boot_id,
        .info = (const Pb__ExecutorInfo *)e->info->body, .pid = "",
    };

    return store_put_intent(a->store, (const Pb__FrameworkInfo *)e->framework->info->body,
                            pid_text(&e->framework->pid, pid, sizeof pid), &run, task);
}

/* ---- one more task for a custom executor ---- */

static void remember_task(struct agent *a, struct hosted_task *t)
{
    struct hosted_executor *e = t->executor;
    struct task_storing *op = mem_alloc(sizeof *op);

    op->container = container_id_dup(&e->container);
    op->task = mem_strdup(t->id.text->bytes);
    FINALLY(store_put_task(a->store, e->framework->id, e->container,
                           (const Pb__TaskInfo *)t->info->body),
            task_stored, a, op);
}

static void give_up_task(struct agent *a, struct hosted_task *t, const struct error *why)
{
    CLEANUP(mem_free_p) char *message =
        mem_printf("The agent cannot write to its database: %s", why->text);
    struct message *info = message_ref(t->info);
    struct message *framework = message_ref(t->executor->framework->info);

    log_error("task %s is not launched, the database cannot be written: %s", t->id.text->bytes,
              why->text);
    hosted_task_complete(a, t);
    refuse(a, (const Pb__FrameworkInfo *)framework->body, (const Pb__TaskInfo *)info->body,
           PB__TASK_STATE__TASK_DROPPED, PB__TASK_STATUS__REASON__REASON_CONTAINER_LAUNCH_FAILED,
           message);
    message_unref(framework);
    message_unref(info);
}

static void task_stored(struct agent *a, struct future *f, struct task_storing *op)
{
    struct hosted_executor *e = future_state(f) == FUTURE_DISCARDED
                                    ? NULL
                                    : hosted_executor_find_run(a, op->container);
    struct hosted_task *t = NULL;

    if (e)
        HASH_FIND(hh, e->tasks, op->task, strlen(op->task), t);
    if (t && future_state(f) == FUTURE_FAILED) {
        give_up_task(a, t, future_error(f));
    } else if (t) {
        t->stored = true;
        if (e->state == EXECUTOR_TERMINATED)
            hosted_executor_ended(a, e);
        else
            hosted_executor_send_task(a, t);
    }
    container_id_release(&op->container);
    mem_free(op->task);
    mem_free(op);
}

/* ---- the messages ---- */

/* 0: accepted; else told why not. */
static int accept_task(struct agent *a, const Pb__RunTaskMessage *msg, struct resources *task,
                       struct resources *own)
{
    struct hosted_framework *f = hosted_framework_find(a, msg->framework->id->value);
    const char *executor = msg->task->executor ? msg->task->executor->executor_id->value
                                               : msg->task->task_id->value;
    struct hosted_executor *e = f ? hosted_executor_find(f, executor) : NULL;
    const char *unfit = why_executor_will_not_do(e, msg);
    CLEANUP(resources_release) struct resources all = RESOURCES_INIT;
    struct hosted_task *t;
    struct error err;

    if (unfit) {
        refuse(a, msg->framework, msg->task, PB__TASK_STATE__TASK_DROPPED,
               PB__TASK_STATUS__REASON__REASON_EXECUTOR_TERMINATED, unfit);
        return -1;
    }
    resources_add(&all, task);
    if (!e)
        resources_add(&all, own);
    if (check_room(a, &all, &err) < 0) {
        refuse(a, msg->framework, msg->task, PB__TASK_STATE__TASK_ERROR,
               PB__TASK_STATUS__REASON__REASON_TASK_INVALID, err.text);
        return -1;
    }
    if (!f)
        f = hosted_framework_add(a, msg->framework, msg->pid);
    log_info("task %s of framework %s is to be launched", msg->task->task_id->value,
             f->id.text->bytes);
    if (e) {
        t = hosted_task_add(e, msg->task, task);
        remember_task(a, t);
        return 0;
    }
    e = add_run(a, f, msg->task, own);
    hosted_task_add(e, msg->task, task);
    launch_begin(a, e, remember_run(a, e, msg->task));
    return 0;
}

static void on_run_task(struct agent *a, const struct pid *from, const Pb__RunTaskMessage *msg)
{
    CLEANUP(resources_release) struct resources task = RESOURCES_INIT;
    CLEANUP(resources_release) struct resources own = RESOURCES_INIT;
    const Pb__ExecutorInfo *executor = msg->task->executor;
    struct hosted_framework *f;
    struct error err;

    if (!agent_is_master(a, from, "task") || registration_hold(a, from, on_run_task__receive))
        return;
    if (validate_ids(a, msg->framework, msg->task, &err) < 0) {
        log_warning("task %.80s ignored: %s", msg->task->task_id->value, err.text);
        return;
    }
    if (validate_task(msg->task, &task, &err) < 0 ||
        (executor && resources_from_protobuf(executor->resources, executor->n_resources, &own,
                                             &err) < 0)) {
        refuse(a, msg->framework, msg->task, PB__TASK_STATE__TASK_ERROR,
               PB__TASK_STATUS__REASON__REASON_TASK_INVALID, err.text);
        return;
    }
    f = hosted_framework_find(a, msg->framework->id->value);
    if (f && hosted_task_find(f, msg->task->task_id->value)) {
        log_info("task %s of framework %s is here already", msg->task->task_id->value,
                 f->id.text->bytes);
        return;
    }
    if (f && f->terminating) {
        log_warning("task %s ignored: its framework %s is ending", msg->task->task_id->value,
                    f->id.text->bytes);
        return;
    }
    if (is_stale(a, msg)) {
        log_warning("task %s of framework %s ignored: it was launched before we registered again",
                    msg->task->task_id->value, msg->framework->id->value);
        return;
    }
    if (status_updates_has_stream(a, msg->framework->id->value, msg->task->task_id->value)) {
        log_warning("task %s of framework %s ignored: one of this id has just been refused",
                    msg->task->task_id->value, msg->framework->id->value);
        return;
    }
    accept_task(a, msg, &task, &own);
}

static void on_run_task_group(struct agent *a, const struct pid *from,
                              const Pb__RunTaskGroupMessage *msg)
{
    struct error err;

    if (!agent_is_master(a, from, "task group") ||
        registration_hold(a, from, on_run_task_group__receive))
        return;
    for (size_t i = 0; i < msg->task_group->n_tasks; i++) {
        const Pb__TaskInfo *task = msg->task_group->tasks[i];

        if (validate_ids(a, msg->framework, task, &err) < 0)
            log_warning("task %.80s ignored: %s", task->task_id->value, err.text);
        else
            refuse(a, msg->framework, task, PB__TASK_STATE__TASK_ERROR,
                   PB__TASK_STATUS__REASON__REASON_TASK_GROUP_INVALID,
                   "This agent cannot run task groups: it has no default executor");
    }
}
