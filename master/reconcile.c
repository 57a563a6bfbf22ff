/* reconcile.c - what does the master know of a task?
 *
 * Explicit: for each named task one answer, from the first row that holds (FACTS
 * 3.7); implicit (nothing named): every task that is known.  While an agent
 * that may have the task has not come back there is no answer, and the
 * framework asks again.
 */
#include "base/log.h"
#include "base/text.h"
#include "master/master_private.h"
#include "mesos/task_state.h"

static void answer_known(struct master *m, struct framework_record *f, const struct task_record *t)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__ExecutorID executor = PB__EXECUTOR_ID__INIT;

    if (!list_is_empty(&t->statuses)) { /* health, labels and the like are the latest ones */
        const struct task_status *last = list_entry(t->statuses.prev, struct task_status, link);
        const Pb__TaskStatus *s = (const Pb__TaskStatus *)last->status->body;

        status.has_healthy = s->has_healthy;
        status.healthy = s->healthy;
        status.check_status = s->check_status;
        status.labels = s->labels;
        status.container_status = s->container_status;
    }
    id.value = t->id.text->bytes;
    agent.value = t->agent_id.text->bytes;
    executor.value = executor_id_text(&t->executor_id);
    status.task_id = &id;
    status.agent_id = &agent;
    status.executor_id = executor_id_is_empty(&t->executor_id) ? NULL : &executor;
    status.state = t->has_status_update ? t->status_update_state : t->state;
    status.has_reason = true;
    status.reason = PB__TASK_STATUS__REASON__REASON_RECONCILIATION;
    status.message = "Reconciliation: Latest task state";
    tasks_tell_status(m, f, &status);
}

static void answer(struct master *m, struct framework_record *f, const Pb__TaskStatus *asked,
                   Pb__TaskState state, const struct instant *since, const char *message)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TimeInfo time = PB__TIME_INFO__INIT;

    status.task_id = asked->task_id;
    status.agent_id = asked->agent_id;
    status.state = state;
    status.has_reason = true;
    status.reason = PB__TASK_STATUS__REASON__REASON_RECONCILIATION;
    status.message = message;
    if (since) {
        time.nanoseconds = since->ns;
        status.unreachable_time = &time;
    }
    tasks_tell_status(m, f, &status);
}

static void answer_by_agent(struct master *m, struct framework_record *f,
                            const Pb__TaskStatus *asked)
{
    struct known_agent *k = NULL;
    struct agent_id id = { text_create(asked->agent_id->value) };

    if (agents_find(m, id))
        answer(m, f, asked, PB__TASK_STATE__TASK_GONE, NULL,
               "Reconciliation: Task is unknown to the agent");
    else if (!(k = agents_find_known(m, id)))
        answer(m, f, asked, PB__TASK_STATE__TASK_UNKNOWN, NULL, "Reconciliation: Task is unknown");
    else if (k->state == REGISTRY_UNREACHABLE)
        answer(m, f, asked, PB__TASK_STATE__TASK_UNREACHABLE, &k->since,
               "Reconciliation: Task is unreachable");
    else if (k->state == REGISTRY_GONE)
        answer(m, f, asked, PB__TASK_STATE__TASK_GONE_BY_OPERATOR, NULL,
               "Reconciliation: Task is gone");
    else
        log_info("framework %s asks for task %s: its agent %s has not come back yet",
                 framework_id_text(&f->id), asked->task_id->value, asked->agent_id->value);
    agent_id_release(&id);
}

static void reconcile_one(struct master *m, struct framework_record *f, const Pb__TaskStatus *asked,
                          bool any_agent_is_away)
{
    struct task_record *t = task_records_find(f, asked->task_id->value);

    if (t)
        answer_known(m, f, t);
    else if (asked->agent_id)
        answer_by_agent(m, f, asked);
    else if (!any_agent_is_away)
        answer(m, f, asked, PB__TASK_STATE__TASK_UNKNOWN, NULL, "Reconciliation: Task is unknown");
}

void reconcile_tasks(struct master *m, struct framework_record *f, size_t n,
                     Pb__TaskStatus *const *statuses)
{
    bool any_agent_is_away = n > 0 && agents_is_any_away(m);

    master_count(m, MASTER_MESSAGES_RECONCILE_TASKS);
    for (size_t i = 0; i < n; i++)
        reconcile_one(m, f, statuses[i], any_agent_is_away);
    if (n > 0)
        return;
    for (struct task_record *t = f->tasks; t; t = t->hh.next)
        answer_known(m, f, t);
}
