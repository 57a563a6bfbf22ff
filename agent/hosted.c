/* hosted.c - the books: frameworks, executors, tasks, and those that are completed
 *
 * What is taken out of the books is taken out of the store, too.  Ids in the
 * store go in the order framework, run, task, and out in the reverse one.
 */
#include <string.h>

#include "agent/agent_private.h"
#include "base/log.h"
#include "base/memory.h"
#include "executor/command_executor.h"
#include "mesos/framework_info.h"
#include "mesos/task_state.h"
#include "process/future.h"
#include "process/host.h"
#include "process/runtime.h"

struct removal { struct agent *agent; char *what, *folder; };
LAST(agent, removal_stored, removal);

/* What stays in the store although it is done costs nothing but room; a
 * restarted agent would find it ended and remove it again. */
static void removal_stored(struct agent *a, struct future *f, struct removal *op)
{
    struct error err;

    if (future_state(f) == FUTURE_FAILED)
        log_error("%s is done, but cannot be removed from the database: %s", op->what,
                  future_error(f)->text);
    else if (future_state(f) == FUTURE_READY && op->folder &&
             host_remove_tree(runtime_host(a->runtime), op->folder, &err) < 0)
        log_warning("folder of %s is left over: %s", op->what, err.text);
    mem_free(op->what);
    mem_free(op->folder);
    mem_free(op);
}

static void expect_removal(struct agent *a, struct future *f, const char *folder, const char *kind,
                           const char *id)
{
    struct removal *op = mem_alloc(sizeof *op);

    op->what = mem_printf("%s %s", kind, id);
    op->folder = folder ? mem_strdup(folder) : NULL;
    FINALLY(f, removal_stored, a, op);
}

/* ---- tasks ---- */

struct hosted_task *hosted_task_find(const struct hosted_framework *f, const char *id)
{
    struct hosted_executor *e;
    struct hosted_task *t = NULL;

    for (e = f->executors; e && !t; e = e->hh.next)
        HASH_FIND(hh, e->tasks, id, strlen(id), t);
    return t;
}

struct hosted_task *hosted_task_add(struct hosted_executor *e, const Pb__TaskInfo *info,
                                    const struct resources *resources, struct text *group)
{
    struct hosted_task *t = mem_alloc(sizeof *t);

    t->id.text = text_create(info->task_id->value);
    t->executor = e;
    t->group = text_ref(group);
    t->info = message_create(&info->base);
    t->resources = resources_dup(resources);
    t->state = PB__TASK_STATE__TASK_STAGING;
    list_init(&t->statuses);
    list_init(&t->link);
    HASH_ADD_KEYPTR(hh, e->tasks, t->id.text->bytes, t->id.text->length, t);
    return t;
}

static void task_destroy(struct hosted_task *t)
{
    list_each_safe(s, &t->statuses, struct task_status, link) {
        message_unref(s->status);
        mem_free(s);
    }
    list_remove(&t->link);
    task_id_release(&t->id);
    message_unref(t->info);
    message_unref(t->kill);
    text_unref(t->group);
    resources_release(&t->resources);
    mem_free(t);
}

/* One for each state, the newest, as the master keeps them. */
void hosted_task_add_status(struct hosted_task *t, const Pb__TaskStatus *status)
{
    Pb__TaskStatus copy = *status;
    struct task_status *s;

    copy.has_data = 0;
    list_each_safe(old, &t->statuses, struct task_status, link) {
        if (((const Pb__TaskStatus *)old->status->body)->state != status->state)
            continue;
        list_remove(&old->link);
        message_unref(old->status);
        mem_free(old);
    }
    s = mem_alloc(sizeof *s);
    s->status = message_create(&copy.base);
    list_append(&t->statuses, &s->link);
}

static bool executor_has_completed(const struct hosted_executor *e, const char *task)
{
    list_each(t, &e->completed_tasks, struct hosted_task, link)
        if (text_is(t->id.text, task))
            return true;
    return false;
}

static bool framework_has_completed(const struct hosted_framework *f, const char *task)
{
    for (const struct hosted_executor *e = f->executors; e; e = e->hh.next)
        if (executor_has_completed(e, task))
            return true;
    list_each(e, &f->completed_executors, struct hosted_executor, link)
        if (executor_has_completed(e, task))
            return true;
    return false;
}

bool hosted_task_is_completed(const struct agent *a, const char *framework, const char *task)
{
    for (const struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        if (text_is(f->id.text, framework) && framework_has_completed(f, task))
            return true;
    list_each(f, &a->completed_frameworks, struct hosted_framework, link)
        if (text_is(f->id.text, framework) && framework_has_completed(f, task))
            return true;
    return false;
}

void hosted_task_complete(struct agent *a, struct hosted_task *t)
{
    struct hosted_executor *e = t->executor;
    size_t n = 0;

    if (a->state == AGENT_DISCONNECTED || t->end_listed)
        registration_list_is_old(a);
    if (t->stored)
        expect_removal(a, store_remove_task(a->store, e->framework->id, t->id), NULL, "task",
                       t->id.text->bytes);
    HASH_DEL(e->tasks, t);
    list_append(&e->completed_tasks, &t->link);
    list_each(c, &e->completed_tasks, struct hosted_task, link)
        n++;
    if (n > AGENT_MAX_COMPLETED_TASKS)
        task_destroy(list_first(&e->completed_tasks, struct hosted_task, link));
    hosted_executor_remove_if_done(a, e);
}

/* The same entries, as another type. */
static void copy_limits(const Pb__TaskInfo *info, Pb__Task *task, struct arena *arena)
{
    task->n_limits = info->n_limits;
    task->limits = arena_alloc(arena, (info->n_limits + 1) * sizeof *task->limits);
    for (size_t i = 0; i < info->n_limits; i++) {
        task->limits[i] = arena_alloc(arena, sizeof *task->limits[i]);
        pb__task__limits_entry__init(task->limits[i]);
        task->limits[i]->key = info->limits[i]->key;
        task->limits[i]->value = info->limits[i]->value;
    }
}

Pb__Task *hosted_task_to_protobuf(const struct hosted_task *t, struct arena *arena)
{
    const Pb__TaskInfo *info = (const Pb__TaskInfo *)t->info->body;
    const Pb__ExecutorInfo *executor = (const Pb__ExecutorInfo *)t->executor->info->body;
    Pb__Task *task = arena_alloc(arena, sizeof *task);
    Pb__FrameworkID *framework = arena_alloc(arena, sizeof *framework);

    pb__task__init(task);
    pb__framework_id__init(framework);
    framework->value = t->executor->framework->id.text->bytes;
    task->name = info->name;
    task->task_id = info->task_id;
    task->framework_id = framework;
    if (!t->executor->builtin)
        task->executor_id = executor->executor_id;
    task->agent_id = info->agent_id;
    task->state = t->state;
    task->resources = info->resources;
    task->n_resources = info->n_resources;
    task->labels = info->labels;
    task->discovery = info->discovery;
    task->container = info->container;
    task->health_check = info->health_check;
    task->kill_policy = info->kill_policy;
    copy_limits(info, task, arena);
    task->user = info->command ? info->command->user : NULL;
    list_each(s, &t->statuses, struct task_status, link)
        task->n_statuses++;
    task->statuses = arena_alloc(arena, (task->n_statuses + 1) * sizeof *task->statuses);
    task->n_statuses = 0;
    list_each(s, &t->statuses, struct task_status, link)
        task->statuses[task->n_statuses++] = (Pb__TaskStatus *)s->status->body;
    return task;
}

/* ---- executors ---- */

struct hosted_executor *hosted_executor_find(const struct hosted_framework *f, const char *id)
{
    struct hosted_executor *e;

    HASH_FIND(hh, f->executors, id, strlen(id), e);
    return e;
}

struct hosted_executor *hosted_executor_find_run(struct agent *a, struct container_id container)
{
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            if (container_id_equal(&e->container, &container))
                return e;
    return NULL;
}

struct hosted_executor *hosted_executor_find_pid(struct agent *a, const struct pid *pid)
{
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            if (pid_equal(e->command ? command_executor_pid(e->command) : &e->peer.pid, pid))
                return e;
    return NULL;
}

struct hosted_executor *hosted_executor_find_stream(struct agent *a, const struct event_stream *s)
{
    for (struct hosted_framework *f = a->frameworks; f; f = f->hh.next)
        for (struct hosted_executor *e = f->executors; e; e = e->hh.next)
            if (e->peer.stream == s)
                return e;
    return NULL;
}

struct hosted_executor *hosted_executor_add(struct agent *a, struct hosted_framework *f,
                                            struct container_id container, struct message *info,
                                            bool builtin)
{
    struct hosted_executor *e = mem_alloc(sizeof *e);

    e->id.text = text_create(((const Pb__ExecutorInfo *)info->body)->executor_id->value);
    e->container = container_id_dup(&container);
    e->framework = f;
    e->info = info;
    e->state = EXECUTOR_REGISTERING;
    e->builtin = builtin;
    e->run_folder = mem_printf("%s/meta/runs/%s", a->options.work_dir, container.text->bytes);
    memcpy(e->intent_boot_id, a->boot_id, sizeof e->intent_boot_id);
    list_init(&e->completed_tasks);
    list_init(&e->link);
    HASH_ADD_KEYPTR(hh, f->executors, e->id.text->bytes, e->id.text->length, e);
    return e;
}

static void executor_destroy_record(struct hosted_executor *e)
{
    struct hosted_task *t, *next;

    HASH_ITER(hh, e->tasks, t, next) {
        HASH_DEL(e->tasks, t);
        task_destroy(t);
    }
    list_each_safe(c, &e->completed_tasks, struct hosted_task, link)
        task_destroy(c);
    list_remove(&e->link);
    command_executor_destroy(e->command);
    process_cancel(&e->timer);
    future_unref(e->fetching);
    executor_id_release(&e->id);
    container_id_release(&e->container);
    message_unref(e->info);
    resources_release(&e->resources);
    executor_peer_release(&e->peer);
    pid_release(&e->peer.pid);
    message_unref(e->subscription);
    mem_free(e->sandbox);
    mem_free(e->run_folder);
    mem_free(e->end_message);
    mem_free(e);
}

void hosted_executor_remove_if_done(struct agent *a, struct hosted_executor *e)
{
    struct hosted_framework *f = e->framework;
    size_t n = 0;

    if (e->state != EXECUTOR_TERMINATED || e->tasks || e->command)
        return;
    process_cancel(&e->timer);
    if (e->stored)
        expect_removal(a, store_remove_run(a->store, e->container), e->run_folder, "run",
                       e->container.text->bytes);
    agent_gc_mark_end(a, e);
    HASH_DEL(f->executors, e);
    list_append(&f->completed_executors, &e->link);
    list_each(c, &f->completed_executors, struct hosted_executor, link)
        n++;
    if (n > AGENT_MAX_COMPLETED_EXECUTORS)
        executor_destroy_record(
            list_first(&f->completed_executors, struct hosted_executor, link));
    if (!f->executors)
        hosted_framework_remove(a, f);
    agent_check_shutdown(a);
}

/* ---- frameworks ---- */

bool hosted_is_partition_aware(const struct hosted_framework *f)
{
    return framework_info_has((const Pb__FrameworkInfo *)f->info->body, PARTITION_AWARE);
}

struct hosted_framework *hosted_framework_find(struct agent *a, const char *id)
{
    struct hosted_framework *f = NULL;

    if (id)
        HASH_FIND(hh, a->frameworks, id, strlen(id), f);
    return f;
}

/* A completed one comes back with its history. */
static struct hosted_framework *take_completed(struct agent *a, const char *id)
{
    list_each_safe(f, &a->completed_frameworks, struct hosted_framework, link)
        if (text_is(f->id.text, id)) {
            list_remove(&f->link);
            return f;
        }
    return NULL;
}

struct hosted_framework *hosted_framework_add(struct agent *a, const Pb__FrameworkInfo *info,
                                              const char *pid)
{
    struct hosted_framework *f = take_completed(a, info->id->value);
    struct error err;

    if (!f) {
        f = mem_alloc(sizeof *f);
        f->id.text = text_create(info->id->value);
        list_init(&f->completed_executors);
        list_init(&f->link);
    }
    f->terminating = false;
    message_unref(f->info);
    f->info = message_create(&info->base);
    pid_release(&f->pid);
    if (pid && *pid && runtime_parse_pid(a->runtime, pid, &f->pid, &err) < 0)
        log_warning("framework %s has no usable PID: %s", f->id.text->bytes, err.text);
    HASH_ADD_KEYPTR(hh, a->frameworks, f->id.text->bytes, f->id.text->length, f);
    return f;
}

static void framework_destroy(struct hosted_framework *f)
{
    struct hosted_executor *e, *next;

    HASH_ITER(hh, f->executors, e, next) {
        HASH_DEL(f->executors, e);
        executor_destroy_record(e);
    }
    list_each_safe(c, &f->completed_executors, struct hosted_executor, link)
        executor_destroy_record(c);
    list_remove(&f->link);
    framework_id_release(&f->id);
    message_unref(f->info);
    pid_release(&f->pid);
    mem_free(f);
}

void hosted_framework_remove(struct agent *a, struct hosted_framework *f)
{
    size_t n = 0;

    expect_removal(a, store_remove_framework(a->store, f->id), NULL, "framework",
                   f->id.text->bytes);
    HASH_DEL(a->frameworks, f);
    list_append(&a->completed_frameworks, &f->link);
    list_each(c, &a->completed_frameworks, struct hosted_framework, link)
        n++;
    if (n > AGENT_MAX_COMPLETED_FRAMEWORKS)
        framework_destroy(list_first(&a->completed_frameworks, struct hosted_framework, link));
}

void hosted_release(struct agent *a)
{
    struct hosted_framework *f, *next;

    HASH_ITER(hh, a->frameworks, f, next) {
        HASH_DEL(a->frameworks, f);
        framework_destroy(f);
    }
    list_each_safe(c, &a->completed_frameworks, struct hosted_framework, link)
        framework_destroy(c);
}
