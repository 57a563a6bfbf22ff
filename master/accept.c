/* accept.c - a framework accepts offers and says what to do with them
 *
 * ACCEPT -> all offers known, its own, of one agent and one role; else the good
 *           ones are given up too, and each task is TASK_DROPPED (LOST)
 *        -> LAUNCH: valid tasks are charged and go out as RunTaskMessage, the
 *           others are TASK_ERROR
 *        -> LAUNCH_GROUP: all of its tasks are, and go out as RunTaskGroupMessage,
 *           or none
 *        -> what is left goes back with the filter, as if declined
 *
 * Operations other than LAUNCH are not carried out by this master: the tasks
 * of a LAUNCH_GROUP are TASK_ERROR, the rest is skipped and logged.
 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/master_private.h"
#include "master/task_validation.h"

#define TYPE(name) PB__OFFER__OPERATION__TYPE__##name

/* ---- the offers ---- */

static int check_offers(struct master *m, const struct framework_record *f, size_t n,
                        Pb__OfferID *const *ids, struct error *err)
{
    const struct offer *first = NULL;

    if (n == 0)
        return error_set(err, EINVAL, "No offers specified");
    for (size_t i = 0; i < n; i++) {
        const struct offer *o = offers_find_text(m, ids[i]->value);

        if (!o || o->framework != f) /* another's is not to be learnt of */
            return error_set(err, EINVAL, "Offer %s is no longer valid", ids[i]->value);
        first = first ? first : o;
        if (o->agent != first->agent)
            return error_set(err, EINVAL, "Offer %s is of another agent than the others",
                             ids[i]->value);
        if (!text_equal(o->role, first->role))
            return error_set(err, EINVAL, "Offer %s is for another role than the others",
                             ids[i]->value);
        for (size_t j = 0; j < i; j++)
            if (strcmp(ids[i]->value, ids[j]->value) == 0)
                return error_set(err, EINVAL, "Offer %s occurs twice", ids[i]->value);
    }
    return 0;
}

static void tell_tasks(struct master *m, struct framework_record *f, size_t n,
                       Pb__TaskInfo *const *tasks, Pb__TaskState state,
                       Pb__TaskStatus__Reason reason, const char *message)
{
    for (size_t i = 0; i < n; i++)
        tasks_tell(m, f, tasks[i]->task_id->value, tasks[i]->agent_id->value, state, reason,
                   message);
}

static void drop_operation(struct master *m, struct framework_record *f,
                           const Pb__Offer__Operation *op, const char *message)
{
    const Pb__TaskStatus__Reason reason = PB__TASK_STATUS__REASON__REASON_INVALID_OFFERS;

    if (op->type == TYPE(LAUNCH) && op->launch)
        tell_tasks(m, f, op->launch->n_task_infos, op->launch->task_infos,
                   PB__TASK_STATE__TASK_DROPPED, reason, message);
    else if (op->type == TYPE(LAUNCH_GROUP) && op->launch_group)
        tell_tasks(m, f, op->launch_group->task_group->n_tasks, op->launch_group->task_group->tasks,
                   PB__TASK_STATE__TASK_DROPPED, reason, message);
    else
        operations_refuse(m, f, op, message);
}

static void drop(struct master *m, struct framework_record *f, size_t n_offers,
                 Pb__OfferID *const *offers, size_t n_operations,
                 Pb__Offer__Operation *const *operations, const char *why)
{
    char *message = mem_printf("Task launched with invalid offers: %s", why);

    log_warning("framework %s accepts offers that are invalid: %s", framework_id_text(&f->id), why);
    for (size_t i = 0; i < n_offers; i++) {
        struct offer *o = offers_find_text(m, offers[i]->value);

        if (o && o->framework == f)
            offers_remove(m, o, false, SECONDS(0));
    }
    for (size_t i = 0; i < n_operations; i++)
        drop_operation(m, f, operations[i], message);
    mem_free(message);
}

/* ---- a launch ---- */

struct launch {
    struct framework_record *f;
    struct agent_record *a;
    struct text *role;
    struct resources pool; /* what the offers still hold */
};

#define COPY(arena, from) arena_dup(arena, from, sizeof *(from))

/* Every agent since 1.4 reads it. */
#define FORM RESOURCE_POST_REFINEMENT

static Pb__HealthCheck *with_type(const Pb__HealthCheck *check, struct arena *arena)
{
    Pb__HealthCheck *h = COPY(arena, check);

    if (!h->has_type && (h->command || h->http || h->tcp)) {
        h->has_type = true;
        h->type = h->command ? PB__HEALTH_CHECK__TYPE__COMMAND
                  : h->http  ? PB__HEALTH_CHECK__TYPE__HTTP
                             : PB__HEALTH_CHECK__TYPE__TCP;
    }
    return h;
}

/* What the framework may leave out, the agent is told. */
static Pb__TaskInfo *complete(const struct launch *l, const Pb__TaskInfo *task,
                              const struct task_validation *v, struct arena *arena)
{
    Pb__TaskInfo *t = COPY(arena, task);

    t->resources = resources_to_protobuf(&v->task, FORM, arena, &t->n_resources);
    if (t->health_check)
        t->health_check = with_type(t->health_check, arena);
    if (t->executor) {
        t->executor = COPY(arena, t->executor);
        t->executor->framework_id = ((const Pb__FrameworkInfo *)l->f->info->body)->id;
        t->executor->resources =
            resources_to_protobuf(&v->executor, FORM, arena, &t->executor->n_resources);
    }
    return t;
}

/* The one that the task itself asks for; else NULL: it runs as the framework's. */
static const char *user_of(const Pb__TaskInfo *t)
{
    const Pb__CommandInfo *command = t->command || !t->executor ? t->command : t->executor->command;

    return command ? command->user : NULL;
}

static void copy_limits(Pb__Task *record, const Pb__TaskInfo *t, struct arena *arena)
{
    record->limits = arena_alloc(arena, (t->n_limits + 1) * sizeof *record->limits);
    for (size_t i = 0; i < t->n_limits; i++) {
        Pb__Task__LimitsEntry *entry = arena_alloc(arena, sizeof *entry);

        pb__task__limits_entry__init(entry);
        entry->key = t->limits[i]->key;
        entry->value = t->limits[i]->value;
        record->limits[record->n_limits++] = entry;
    }
}

static struct task_record *add_task(struct master *m, const struct launch *l, Pb__TaskInfo *t,
                                    const struct resources *r, struct arena *arena)
{
    Pb__Task record = PB__TASK__INIT;

    record.name = t->name;
    record.task_id = t->task_id;
    record.framework_id = ((const Pb__FrameworkInfo *)l->f->info->body)->id;
    record.executor_id = t->executor ? t->executor->executor_id : NULL;
    record.agent_id = t->agent_id;
    record.state = PB__TASK_STATE__TASK_STAGING;
    record.resources = t->resources;
    record.n_resources = t->n_resources;
    record.labels = t->labels;
    record.discovery = t->discovery;
    record.container = t->container;
    record.health_check = t->health_check;
    record.kill_policy = t->kill_policy;
    record.user = user_of(t);
    copy_limits(&record, t, arena);
    return task_records_add(m, l->f, l->a, &record, r);
}

/* Which registration of the agent the launch is meant for; none if it did not say. */
static Pb__ResourceVersionUUID **versions_of(const struct launch *l, struct arena *arena,
                                             size_t *ret_n)
{
    Pb__ResourceVersionUUID **v = arena_alloc(arena, sizeof *v);

    *ret_n = l->a->has_resource_version;
    v[0] = arena_alloc(arena, sizeof **v);
    pb__resource_version_uuid__init(v[0]);
    v[0]->uuid = arena_alloc(arena, sizeof *v[0]->uuid);
    pb__uuid__init(v[0]->uuid);
    v[0]->uuid->value =
        (ProtobufCBinaryData){ sizeof l->a->resource_version, l->a->resource_version };
    return v;
}

static void send_task(struct master *m, const struct launch *l, Pb__TaskInfo *task,
                      bool launch_executor, struct arena *arena)
{
    Pb__RunTaskMessage message = PB__RUN_TASK_MESSAGE__INIT;
    char pid[PID_TEXT];

    message.framework = (Pb__FrameworkInfo *)l->f->info->body;
    message.task = task;
    message.pid = pid_text(&l->f->pid, pid, sizeof pid);
    message.has_launch_executor = true;
    message.launch_executor = launch_executor;
    message.resource_version_uuids = versions_of(l, arena, &message.n_resource_version_uuids);
    process_send(&m->process, &l->a->pid, &message.base);
}

static void send_group(struct master *m, const struct launch *l, Pb__TaskGroupInfo *group,
                       bool launch_executor, struct arena *arena)
{
    Pb__RunTaskGroupMessage message = PB__RUN_TASK_GROUP_MESSAGE__INIT;

    message.framework = (Pb__FrameworkInfo *)l->f->info->body;
    message.executor = group->tasks[0]->executor;
    message.task_group = group;
    message.has_launch_executor = true;
    message.launch_executor = launch_executor;
    message.resource_version_uuids = versions_of(l, arena, &message.n_resource_version_uuids);
    process_send(&m->process, &l->a->pid, &message.base);
}

static void take(struct resources *pool, const struct resources *r)
{
    CHECK(resources_subtract(pool, r, NULL) == 0); /* validated */
}

static void launch_task(struct master *m, struct launch *l, const Pb__TaskInfo *task)
{
    CLEANUP(buffer_release) struct buffer why = BUFFER_INIT;
    struct arena arena = ARENA_INIT;
    struct task_validation v;

    if (task_validation_check(l->f, l->a, l->role->bytes, task, &l->pool, &v, &why) < 0) {
        tasks_tell(m, l->f, task->task_id->value, task->agent_id->value, PB__TASK_STATE__TASK_ERROR,
                   PB__TASK_STATUS__REASON__REASON_TASK_INVALID, buffer_data(&why));
        return;
    }
    Pb__TaskInfo *whole = complete(l, task, &v, &arena);

    take(&l->pool, &v.task);
    if (task->executor && !v.running) {
        take(&l->pool, &v.executor);
        executor_records_add(m, l->f, l->a, whole->executor, &v.executor);
    }
    add_task(m, l, whole, &v.task, &arena);
    send_task(m, l, whole, !v.running, &arena);
    log_info("task %s of framework %s launched on agent %s", task->task_id->value,
             framework_id_text(&l->f->id), agent_id_text(&l->a->id));
    task_validation_release(&v);
    arena_release(&arena);
}

/* ---- operations ---- */

static void refuse_group(struct master *m, struct launch *l, const Pb__TaskGroupInfo *tasks,
                         const char *why)
{
    tell_tasks(m, l->f, tasks->n_tasks, tasks->tasks, PB__TASK_STATE__TASK_ERROR,
               PB__TASK_STATUS__REASON__REASON_TASK_GROUP_INVALID, why);
}

/* All of them are valid; the executor is charged with the first. */
static void run_group(struct master *m, struct launch *l,
                      const Pb__Offer__Operation__LaunchGroup *group,
                      const struct task_validation *v, struct arena *arena)
{
    Pb__TaskGroupInfo whole = PB__TASK_GROUP_INFO__INIT;

    whole.n_tasks = group->task_group->n_tasks;
    whole.tasks = arena_alloc(arena, whole.n_tasks * sizeof *whole.tasks);
    for (size_t i = 0; i < whole.n_tasks; i++) {
        Pb__TaskInfo task = *group->task_group->tasks[i];

        task.executor = group->executor;
        whole.tasks[i] = complete(l, &task, &v[i], arena);
        take(&l->pool, &v[i].task);
    }
    if (!v[0].running) {
        take(&l->pool, &v[0].executor);
        executor_records_add(m, l->f, l->a, whole.tasks[0]->executor, &v[0].executor);
    }
    for (size_t i = 0; i < whole.n_tasks; i++) {
        add_task(m, l, whole.tasks[i], &v[i].task, arena);
        log_info("task %s of framework %s launched in a group on agent %s",
                 whole.tasks[i]->task_id->value, framework_id_text(&l->f->id),
                 agent_id_text(&l->a->id));
    }
    send_group(m, l, &whole, !v[0].running, arena);
}

static void launch_group(struct master *m, struct launch *l,
                         const Pb__Offer__Operation__LaunchGroup *group)
{
    CLEANUP(buffer_release) struct buffer why = BUFFER_INIT;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    size_t n = group->task_group->n_tasks;
    struct task_validation *v = arena_alloc(&arena, (n + 1) * sizeof *v);

    if (task_validation_check_group(l->f, l->a, l->role->bytes, group, &l->pool, v, &why) < 0) {
        refuse_group(m, l, group->task_group, buffer_data(&why));
        return;
    }
    run_group(m, l, group, v, &arena);
    for (size_t i = 0; i < n; i++)
        task_validation_release(&v[i]);
}

static void apply(struct master *m, struct launch *l, const Pb__Offer__Operation *op)
{
    framework_metrics_operation(l->f, (int)op->type);
    if (op->type == TYPE(LAUNCH) && op->launch && op->id)
        tell_tasks(m, l->f, op->launch->n_task_infos, op->launch->task_infos,
                   PB__TASK_STATE__TASK_ERROR, PB__TASK_STATUS__REASON__REASON_TASK_INVALID,
                   "A LAUNCH operation must not have an 'id'");
    else if (op->type == TYPE(LAUNCH) && op->launch)
        for (size_t i = 0; i < op->launch->n_task_infos; i++)
            launch_task(m, l, op->launch->task_infos[i]);
    else if (op->type == TYPE(LAUNCH_GROUP) && op->launch_group && op->id)
        refuse_group(m, l, op->launch_group->task_group,
                     "A LAUNCH_GROUP operation must not have an 'id'");
    else if (op->type == TYPE(LAUNCH_GROUP) && op->launch_group)
        launch_group(m, l, op->launch_group);
    else
        operations_refuse(m, l->f, op, "This master does not carry out operations of this type");
}

void accept_offers(struct master *m, struct framework_record *f, size_t n_offers,
                   Pb__OfferID *const *offers, size_t n_operations,
                   Pb__Offer__Operation *const *operations, const Pb__Filters *filters)
{
    struct launch l = { .f = f, .pool = RESOURCES_INIT };
    struct error err;

    if (check_offers(m, f, n_offers, offers, &err) < 0) {
        drop(m, f, n_offers, offers, n_operations, operations, err.text);
        return;
    }
    for (size_t i = 0; i < n_offers; i++) {
        struct offer *o = offers_find_text(m, offers[i]->value);

        l.a = o->agent;
        text_unref(l.role);
        l.role = text_ref(o->role);
        struct resources r = offers_take(m, o);

        framework_metrics_count(f, FRAMEWORK_OFFERS_ACCEPTED);
        resources_add(&l.pool, &r);
        resources_release(&r);
    }
    for (size_t i = 0; i < n_operations; i++)
        apply(m, &l, operations[i]);
    offers_give_back(m, f, l.a, &l.pool, offers_refusal(filters));
    resources_release(&l.pool);
    text_unref(l.role);
}
