/* task_records.c - what the master keeps of a task, from its launch to its end
 *
 * A record is in the map of its framework and the list of its agent, and is
 * charged there until its state is terminal; removed, it goes to the framework's
 * completed or unreachable ones, of which the oldest are forgotten.
 */
#include <string.h>

#include "base/check.h"
#include "base/json_rope.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "master/http/master_events.h"
#include "master/master_private.h"
#include "mesos/task_state.h"

struct task_record *task_records_find(struct framework_record *f, const char *id)
{
    struct task_record *t = NULL;

    if (id)
        HASH_FIND(hh, f->tasks, id, strlen(id), t);
    return t;
}

/* Whatever a reader is told of a task changes only in this file. */
static void forget_json(struct task_record *t)
{
    json_rope_piece_unref(t->json);
    t->json = NULL;
}

static void charge(struct task_record *t)
{
    t->charged = true;
    master_sum_add(&t->agent->used, &t->resources);
    master_sum_add(&t->framework->used, &t->resources);
}

static void discharge(struct master *m, struct task_record *t)
{
    if (!t->charged)
        return;
    t->charged = false;
    master_sum_subtract(&t->agent->used, &t->resources);
    master_sum_subtract(&t->framework->used, &t->resources);
    offers_give_back(m, t->framework, t->agent, &t->resources, SECONDS(0));
}

struct task_record *task_records_add(struct master *m, struct framework_record *f,
                                     struct agent_record *a, const Pb__Task *task,
                                     const struct resources *resources)
{
    struct task_record *t = mem_alloc(sizeof *t);

    CHECK(task_id_parse(task->task_id->value, &t->id, NULL) == 0);
    if (task->executor_id && *task->executor_id->value)
        CHECK(executor_id_parse(task->executor_id->value, &t->executor_id, NULL) == 0);
    t->framework = f;
    t->agent = a;
    t->agent_id = agent_id_dup(&a->id);
    t->info = message_create(&task->base);
    t->resources = resources_dup(resources);
    t->state = task->state;
    list_init(&t->statuses);
    list_init(&t->link);
    for (size_t i = 0; i < task->n_statuses; i++)
        task_records_add_status(t, task->statuses[i]);
    list_append(&a->tasks, &t->agent_link);
    HASH_ADD_KEYPTR(hh, f->tasks, t->id.text->bytes, t->id.text->length, t);
    if (!task_state_is_terminal(t->state))
        charge(t);
    master_events_task_added(m, t);
    return t;
}

static void status_destroy(struct task_status *s)
{
    list_remove(&s->link);
    message_unref(s->status);
    mem_free(s);
}

/* One of each state, the latest; what the executor sent as data is not kept. */
void task_records_add_status(struct task_record *t, const Pb__TaskStatus *status)
{
    Pb__TaskStatus without = *status;
    struct task_status *s = mem_alloc(sizeof *s);

    forget_json(t);
    list_each_safe (old, &t->statuses, struct task_status, link)
        if (((const Pb__TaskStatus *)old->status->body)->state == status->state)
            status_destroy(old);
    without.has_data = false;
    without.data = (ProtobufCBinaryData){ 0, NULL };
    s->status = message_create(&without.base);
    list_append(&t->statuses, &s->link);
}

static void count_end(struct master *m, Pb__TaskState state)
{
    static const struct {
        Pb__TaskState state;
        enum master_metric metric;
    } table[] = {
        { PB__TASK_STATE__TASK_FINISHED, MASTER_TASKS_FINISHED },
        { PB__TASK_STATE__TASK_FAILED, MASTER_TASKS_FAILED },
        { PB__TASK_STATE__TASK_KILLED, MASTER_TASKS_KILLED },
        { PB__TASK_STATE__TASK_LOST, MASTER_TASKS_LOST },
        { PB__TASK_STATE__TASK_ERROR, MASTER_TASKS_ERROR },
        { PB__TASK_STATE__TASK_DROPPED, MASTER_TASKS_DROPPED },
        { PB__TASK_STATE__TASK_GONE, MASTER_TASKS_GONE },
        { PB__TASK_STATE__TASK_GONE_BY_OPERATOR, MASTER_TASKS_GONE_BY_OPERATOR },
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].state == state)
            master_count(m, table[i].metric);
}

/* Nothing comes after a terminal state. */
void task_records_set_state(struct master *m, struct task_record *t, Pb__TaskState state)
{
    if (t->state == state || task_state_is_terminal(t->state))
        return;
    forget_json(t);
    t->state = state;
    log_info("task %s of framework %s on agent %s is %s", task_id_text(&t->id),
             framework_id_text(&t->framework->id), agent_id_text(&t->agent_id),
             task_state_name(state));
    if (!task_state_is_terminal(state))
        return;
    count_end(m, state);
    framework_metrics_ended(t->framework, state);
    discharge(m, t);
}

/* A state that was not the last one told, or the news of a check. */
static bool is_news(const struct task_record *t, const Pb__TaskStatus *status, Pb__TaskState state)
{
    const struct task_status *last = list_entry(t->statuses.prev, struct task_status, link);

    if (list_is_empty(&t->statuses) || (t->state != state && !task_state_is_terminal(t->state)))
        return true;
    return ((const Pb__TaskStatus *)last->status->body)->state != status->state ||
           (status->has_reason &&
            (status->reason == PB__TASK_STATUS__REASON__REASON_TASK_CHECK_STATUS_UPDATED ||
             status->reason == PB__TASK_STATUS__REASON__REASON_TASK_HEALTH_CHECK_STATUS_UPDATED));
}

void task_records_update(struct master *m, struct task_record *t, const Pb__TaskStatus *status,
                         Pb__TaskState state)
{
    bool news = is_news(t, status, state);

    task_records_add_status(t, status);
    task_records_set_state(m, t, state);
    if (news)
        master_events_task_updated(m, t, status, t->state);
}

/* ---- ends ---- */

static void take_out(struct master *m, struct task_record *t)
{
    discharge(m, t);
    list_remove(&t->agent_link);
    HASH_DEL(t->framework->tasks, t);
    t->agent = NULL;
    message_unref(t->kill);
    t->kill = NULL;
}

static void shelve(struct task_record *t, struct list *shelf, size_t *n, int64_t max)
{
    list_append(shelf, &t->link);
    ++*n;
    while ((int64_t)*n > max) {
        struct task_record *oldest = list_first(shelf, struct task_record, link);

        list_remove(&oldest->link);
        task_records_destroy(oldest);
        --*n;
    }
}

void task_records_remove(struct master *m, struct task_record *t)
{
    struct framework_record *f = t->framework;

    take_out(m, t);
    shelve(t, &f->completed_tasks, &f->n_completed_tasks,
           m->options.max_completed_tasks_per_framework);
}

void task_records_remove_unreachable(struct master *m, struct task_record *t)
{
    struct framework_record *f = t->framework;

    forget_json(t);
    t->state = task_state_as_told(PB__TASK_STATE__TASK_UNREACHABLE, f->partition_aware);
    t->unreachable_time = master_wall(m);
    take_out(m, t);
    log_info("task %s of framework %s on agent %s is %s", task_id_text(&t->id),
             framework_id_text(&f->id), agent_id_text(&t->agent_id), task_state_name(t->state));
    count_end(m, t->state);
    shelve(t, &f->unreachable_tasks, &f->n_unreachable_tasks,
           m->options.max_unreachable_tasks_per_framework);
}

void task_records_complete_unreachable(struct master *m, struct task_record *t)
{
    struct framework_record *f = t->framework;

    list_remove(&t->link);
    f->n_unreachable_tasks--;
    shelve(t, &f->completed_tasks, &f->n_completed_tasks,
           m->options.max_completed_tasks_per_framework);
}

struct task_record *task_records_find_completed(const struct framework_record *f, const char *id,
                                                const char *agent)
{
    list_each (t, &f->completed_tasks, struct task_record, link)
        if (text_is(t->id.text, id) && text_is(t->agent_id.text, agent))
            return t;
    return NULL;
}

static void unshelve(struct task_record *t, size_t *n)
{
    list_remove(&t->link);
    --*n;
    task_records_destroy(t);
}

void task_records_take_back(struct framework_record *f, const char *id)
{
    list_each_safe (t, &f->unreachable_tasks, struct task_record, link)
        if (text_is(t->id.text, id))
            unshelve(t, &f->n_unreachable_tasks);
    list_each_safe (t, &f->completed_tasks, struct task_record, link)
        if (t->may_return && text_is(t->id.text, id))
            unshelve(t, &f->n_completed_tasks);
}

void task_records_destroy(struct task_record *t)
{
    if (!t)
        return;
    list_each_safe (s, &t->statuses, struct task_status, link)
        status_destroy(s);
    forget_json(t);
    task_id_release(&t->id);
    agent_id_release(&t->agent_id);
    executor_id_release(&t->executor_id);
    message_unref(t->info);
    message_unref(t->kill);
    resources_release(&t->resources);
    mem_free(t);
}
