/* agent_return.c - what an agent that comes back brings with it
 *
 * ReregisterSlaveMessage lists its frameworks, executors and tasks.  What the
 * master does not know of them is added; frameworks that have ended are shut
 * down there.  The answer, SlaveReregisteredMessage, lists for each framework
 * the tasks that only the master has: the agent settles them.  Then follow the
 * frameworks' addresses, and the kills that it may have missed.
 */
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/master_private.h"
#include "mesos/task_state.h"

static void shut_down_framework(struct master *m, struct agent_record *a, const char *id)
{
    Pb__ShutdownFrameworkMessage message = PB__SHUTDOWN_FRAMEWORK_MESSAGE__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;

    framework.value = id;
    message.framework_id = &framework;
    log_info("framework %s has ended: agent %s told to shut it down", id, agent_id_text(&a->id));
    process_send(&m->process, &a->pid, &message.base);
}

static void return_framework(struct master *m, struct agent_record *a,
                             const Pb__FrameworkInfo *info)
{
    struct framework_id id = { NULL };
    struct error err;

    if (framework_id_parse(info->id ? info->id->value : NULL, &id, &err) < 0) {
        log_warning("agent %s has a framework that is none: %s", agent_id_text(&a->id), err.text);
        return;
    }
    if (frameworks_is_completed(m, id))
        shut_down_framework(m, a, framework_id_text(&id));
    else if (!frameworks_find(m, id))
        frameworks_recover(m, info);
    framework_id_release(&id);
}

/* What the agent says that runs is charged; it was within the agent's total
 * when it was launched.  Of an active agent the allocator may just have handed
 * out what is free here: then nothing more can be charged. */
static bool fits(const struct agent_record *a, const struct resources *r, bool fresh,
                 const char *what, const char *id)
{
    struct resources all = resources_dup(&a->used);
    bool fit;

    if (!fresh && a->active) {
        resources_release(&all);
        log_warning("%s %s is unknown although agent %s was never away: not added", what, id,
                    agent_id_text(&a->id));
        return false;
    }
    master_sum_add(&all, &a->offered);
    master_sum_add(&all, r);
    fit = resources_contain(&a->total, &all);
    resources_release(&all);
    if (!fit)
        log_warning("%s %s does not fit on agent %s beside the others: not added", what, id,
                    agent_id_text(&a->id));
    return fit;
}

static void charge(struct master *m, struct framework_record *f, struct agent_record *a,
                   const struct resources *r, bool fresh)
{
    if (!fresh && !resources_is_empty(r))
        allocator_charge(m->allocator, a->id, f->id, offers_role_of(f, r), r);
}

static void return_executor(struct master *m, struct agent_record *a, const Pb__ExecutorInfo *info,
                            bool fresh)
{
    struct framework_record *f =
        frameworks_find_text(m, info->framework_id ? info->framework_id->value : NULL);
    struct resources r = RESOURCES_INIT;
    struct executor_id id = { NULL };
    struct error err;

    if (!f || executor_records_find(a, f, info->executor_id->value))
        return;
    if (executor_id_parse(info->executor_id->value, &id, &err) < 0 ||
        resources_from_protobuf(info->resources, info->n_resources, &r, &err) < 0) {
        log_warning("agent %s has an executor that is none: %s", agent_id_text(&a->id), err.text);
        executor_id_release(&id);
        return;
    }
    resources_allocate_rest(&r, f->role->bytes);
    if (fits(a, &r, fresh, "executor", executor_id_text(&id))) {
        executor_records_add(m, f, a, info, &r);
        charge(m, f, a, &r, fresh);
    }
    executor_id_release(&id);
    resources_release(&r);
}

static int parse_task(const Pb__Task *task, const struct framework_record *f,
                      struct resources *ret_r, struct error *err)
{
    struct task_id id;
    struct executor_id executor;

    if (task_id_parse(task->task_id->value, &id, err) < 0)
        return -1;
    task_id_release(&id);
    if (task->executor_id && *task->executor_id->value) {
        if (executor_id_parse(task->executor_id->value, &executor, err) < 0)
            return -1;
        executor_id_release(&executor);
    }
    if (resources_from_protobuf(task->resources, task->n_resources, ret_r, err) < 0)
        return -1;
    resources_allocate_rest(ret_r, f->role->bytes);
    return 0;
}

/* A terminal one that was acknowledged while this message was under way is not
 * let in again: nobody would ever end it.  One that only went with its agent is. */
static bool is_wanted(const struct framework_record *f, const struct agent_record *a,
                      const Pb__Task *task)
{
    const struct task_record *t =
        task_records_find_completed(f, task->task_id->value, agent_id_text(&a->id));

    return !task_state_is_terminal(task->state) || !t || t->may_return;
}

static void return_task(struct master *m, struct agent_record *a, const Pb__Task *task, bool fresh)
{
    struct framework_record *f = frameworks_find_text(m, task->framework_id->value);
    struct resources r = RESOURCES_INIT;
    struct error err;

    if (!f || task_records_find(f, task->task_id->value) || !is_wanted(f, a, task))
        return;
    if (parse_task(task, f, &r, &err) < 0) {
        log_warning("agent %s has a task that is none: %s", agent_id_text(&a->id), err.text);
        return;
    }
    if (task_state_is_terminal(task->state) || fits(a, &r, fresh, "task", task->task_id->value)) {
        struct task_record *t = task_records_add(m, f, a, task, &r);

        task_records_take_back(f, task->task_id->value);
        if (t->charged)
            charge(m, f, a, &r, fresh);
        log_info("task %s of framework %s found on agent %s in %s", task_id_text(&t->id),
                 framework_id_text(&f->id), agent_id_text(&a->id), task_state_name(t->state));
    }
    resources_release(&r);
}

static void add_to_allocator(struct master *m, struct agent_record *a)
{
    struct allocator_use *uses;
    size_t n = 0;

    list_each (t, &a->tasks, struct task_record, agent_link)
        n++;
    list_each (e, &a->executors, struct executor_record, agent_link)
        n++;
    uses = mem_array(n, sizeof *uses);
    n = 0;
    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->charged)
            uses[n++] =
                (struct allocator_use){ t->framework->id,
                                        offers_role_of(t->framework, &t->resources), t->resources };
    list_each (e, &a->executors, struct executor_record, agent_link)
        uses[n++] =
            (struct allocator_use){ e->framework->id, offers_role_of(e->framework, &e->resources),
                                    e->resources };
    allocator_add_agent(m->allocator, a->id, a->incarnation, &a->total, uses, n);
    mem_free(uses);
}

static bool is_executor_listed(const struct executor_record *e,
                               const Pb__ReregisterSlaveMessage *msg)
{
    for (size_t i = 0; i < msg->n_executor_infos; i++) {
        const Pb__ExecutorInfo *info = msg->executor_infos[i];

        if (info->framework_id && text_is(e->framework->id.text, info->framework_id->value) &&
            text_is(e->id.text, info->executor_id->value))
            return true;
    }
    return false;
}

static bool is_task_listed(const struct task_record *t, const Pb__ReregisterSlaveMessage *msg)
{
    for (size_t i = 0; i < msg->n_tasks; i++)
        if (text_is(t->id.text, msg->tasks[i]->task_id->value) &&
            text_is(t->framework->id.text, msg->tasks[i]->framework_id->value))
            return true;
    return false;
}

static bool is_awaited(const struct executor_record *e, const Pb__ReregisterSlaveMessage *msg)
{
    list_each (t, &e->agent->tasks, struct task_record, agent_link)
        if (t->framework == e->framework && executor_id_equal(&t->executor_id, &e->id) &&
            !task_state_is_terminal(t->state) && !is_task_listed(t, msg))
            return true;
    return false;
}

/* Executors that only the master has: the word of their end was lost.  Those
 * whose launch the agent has not heard of are settled with their tasks. */
static void forget_executors(struct master *m, struct agent_record *a,
                             const Pb__ReregisterSlaveMessage *msg)
{
    list_each_safe (e, &a->executors, struct executor_record, agent_link)
        if (!is_executor_listed(e, msg) && !is_awaited(e, msg))
            executor_records_remove(m, e);
}

void agent_return_tasks(struct master *m, struct agent_record *a,
                        const Pb__ReregisterSlaveMessage *msg, bool fresh)
{
    for (size_t i = 0; i < msg->n_frameworks; i++)
        return_framework(m, a, msg->frameworks[i]);
    for (size_t i = 0; i < msg->n_executor_infos; i++)
        return_executor(m, a, msg->executor_infos[i], fresh);
    for (size_t i = 0; i < msg->n_tasks; i++)
        return_task(m, a, msg->tasks[i], fresh);
    forget_executors(m, a, msg);
    if (fresh)
        add_to_allocator(m, a);
}

/* ---- the answer ---- */

struct listing {
    char *key;
    UT_hash_handle hh;
};

static char *listing_key(const char *framework, const char *task, size_t *ret_length)
{
    char *key = mem_printf("%s/%s", framework, task); /* no id holds a '/' */

    *ret_length = strlen(key);
    return key;
}

static struct listing *list_tasks(const Pb__ReregisterSlaveMessage *msg)
{
    struct listing *all = NULL, *one;

    for (size_t i = 0; i < msg->n_tasks; i++) {
        size_t length;
        char *key =
            listing_key(msg->tasks[i]->framework_id->value, msg->tasks[i]->task_id->value, &length);

        HASH_FIND(hh, all, key, length, one);
        if (one) {
            mem_free(key);
            continue;
        }
        one = mem_alloc(sizeof *one);
        one->key = key;
        HASH_ADD_KEYPTR(hh, all, one->key, length, one);
    }
    return all;
}

static void listing_release(struct listing *all)
{
    struct listing *one, *next;

    HASH_ITER(hh, all, one, next)
    {
        HASH_DEL(all, one);
        mem_free(one->key);
        mem_free(one);
    }
}

static bool is_missing(const struct task_record *t, const struct listing *listed)
{
    const struct listing *one;
    size_t length;
    char *key = listing_key(framework_id_text(&t->framework->id), task_id_text(&t->id), &length);

    HASH_FIND(hh, listed, key, length, one);
    mem_free(key);
    return !one;
}

static Pb__TaskStatus *status_of(const struct task_record *t, struct arena *arena)
{
    Pb__TaskStatus *status = arena_alloc(arena, sizeof *status);

    pb__task_status__init(status);
    status->task_id = arena_alloc(arena, sizeof *status->task_id);
    pb__task_id__init(status->task_id);
    status->task_id->value = t->id.text->bytes;
    status->agent_id = arena_alloc(arena, sizeof *status->agent_id);
    pb__agent_id__init(status->agent_id);
    status->agent_id->value = t->agent_id.text->bytes;
    if (!executor_id_is_empty(&t->executor_id)) {
        status->executor_id = arena_alloc(arena, sizeof *status->executor_id);
        pb__executor_id__init(status->executor_id);
        status->executor_id->value = t->executor_id.text->bytes;
    }
    status->state = t->state;
    return status;
}

/* NULL when the agent has all of that framework's. */
static Pb__ReconcileTasksMessage *reconciliation(const struct framework_record *f,
                                                 struct agent_record *a,
                                                 const struct listing *listed, struct arena *arena)
{
    Pb__ReconcileTasksMessage *r = arena_alloc(arena, sizeof *r);
    size_t n = 0;

    pb__reconcile_tasks_message__init(r);
    list_each (t, &a->tasks, struct task_record, agent_link)
        n += t->framework == f && is_missing(t, listed);
    if (n == 0)
        return NULL;
    r->statuses = arena_alloc(arena, n * sizeof *r->statuses);
    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->framework == f && is_missing(t, listed))
            r->statuses[r->n_statuses++] = status_of(t, arena);
    r->framework = (Pb__FrameworkInfo *)f->info->body;
    r->framework_id = r->framework->id;
    return r;
}

/* Ends that the agent does not list were acknowledged: there is nothing to settle. */
static void forget_ended(struct master *m, struct agent_record *a, const struct listing *listed)
{
    list_each_safe (t, &a->tasks, struct task_record, agent_link)
        if (task_state_is_terminal(t->state) && is_missing(t, listed))
            task_records_remove(m, t);
}

static void confirm(struct master *m, struct agent_record *a, const Pb__ReregisterSlaveMessage *msg)
{
    Pb__SlaveReregisteredMessage answer = PB__SLAVE_REREGISTERED_MESSAGE__INIT;
    Pb__MasterSlaveConnection connection = PB__MASTER_SLAVE_CONNECTION__INIT;
    Pb__AgentID id = PB__AGENT_ID__INIT;
    struct listing *listed = list_tasks(msg);
    struct arena arena = ARENA_INIT;

    forget_ended(m, a, listed);
    id.value = a->id.text->bytes;
    connection.has_total_ping_timeout_seconds = true;
    connection.total_ping_timeout_seconds = duration_seconds(
        duration_times(m->options.agent_ping_timeout, m->options.max_agent_ping_timeouts));
    answer.slave_id = &id;
    answer.connection = &connection;
    answer.reconciliations =
        arena_alloc(&arena, (HASH_COUNT(m->frameworks) + 1) * sizeof *answer.reconciliations);
    for (struct framework_record *f = m->frameworks; f; f = f->hh.next) {
        Pb__ReconcileTasksMessage *r = reconciliation(f, a, listed, &arena);

        if (r)
            answer.reconciliations[answer.n_reconciliations++] = r;
    }
    process_send(&m->process, &a->pid, &answer.base);
    listing_release(listed);
    arena_release(&arena);
}

static void send_framework(struct master *m, struct agent_record *a,
                           const struct framework_record *f)
{
    Pb__UpdateFrameworkMessage message = PB__UPDATE_FRAMEWORK_MESSAGE__INIT;
    char pid[PID_TEXT];

    message.framework_info = (Pb__FrameworkInfo *)f->info->body;
    message.framework_id = message.framework_info->id;
    message.pid = pid_text(&f->pid, pid, sizeof pid);
    process_send(&m->process, &a->pid, &message.base);
}

void agent_return_confirm(struct master *m, struct agent_record *a,
                          const Pb__ReregisterSlaveMessage *msg)
{
    confirm(m, a, msg);
    for (size_t i = 0; i < msg->n_frameworks; i++) {
        const Pb__FrameworkInfo *info = msg->frameworks[i];
        struct framework_record *f = info->id ? frameworks_find_text(m, info->id->value) : NULL;

        if (f && f->connected)
            send_framework(m, a, f);
    }
    list_each (t, &a->tasks, struct task_record, agent_link)
        if (t->kill && !task_state_is_terminal(t->state))
            process_send(&m->process, &a->pid, t->kill->body);
}
