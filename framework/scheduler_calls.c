/* scheduler_calls.c - what a framework may say: each call a function */
#include "base/check.h"
#include "base/log.h"
#include "framework/scheduler_private.h"
#include "process/runtime.h"

void scheduler_calls_send(struct scheduler *s, PbScheduler__Call *call,
                          PbScheduler__Call__Type type)
{
    Pb__FrameworkID id = PB__FRAMEWORK_ID__INIT;

    CHECK(process_current() == &s->process);
    if (!s->connected && type != PB_SCHEDULER__CALL__TYPE__SUBSCRIBE) {
        log_debug("a call of type %d is dropped: not subscribed", (int)type);
        return;
    }
    if (s->id) {
        id.value = s->id->bytes;
        call->framework_id = &id; /* cppcheck-suppress autoVariables ; it is packed below */
    }
    call->has_type = 1;
    call->type = type;
    process_send(&s->process, &s->master, &call->base);
}

/* What a driver answers when it cannot ask the master (FACTS 3.8 and the header). */
static void refuse_launch(struct scheduler *s, const Pb__TaskInfo *task)
{
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;

    status.task_id = task->task_id;
    status.state = s->partition_aware ? PB__TASK_STATE__TASK_DROPPED : PB__TASK_STATE__TASK_LOST;
    status.message = "Not launched: the scheduler is not connected to a master";
    status.has_source = 1;
    status.source = PB__TASK_STATUS__SOURCE__SOURCE_MASTER;
    status.has_reason = 1;
    status.reason = PB__TASK_STATUS__REASON__REASON_MASTER_DISCONNECTED;
    status.agent_id = task->agent_id;
    status.has_timestamp = 1;
    status.timestamp = instant_seconds(runtime_wall(s->process.runtime));
    scheduler_deliver_own(s, &status);
}

static void refuse_operation(struct scheduler *s, const Pb__Offer__Operation *o)
{
    const Pb__TaskGroupInfo *group = o->launch_group ? o->launch_group->task_group : NULL;

    for (size_t i = 0; o->launch && i < o->launch->n_task_infos; i++)
        refuse_launch(s, o->launch->task_infos[i]);
    for (size_t i = 0; group && i < group->n_tasks; i++)
        refuse_launch(s, group->tasks[i]);
}

void scheduler_accept(struct scheduler *s, size_t n_offers, Pb__OfferID *const *offers,
                      size_t n_operations, Pb__Offer__Operation *const *operations,
                      double refuse_seconds)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Accept body = PB_SCHEDULER__CALL__ACCEPT__INIT;
    Pb__Filters filters = PB__FILTERS__INIT;

    if (!s->connected) {
        for (size_t i = 0; i < n_operations; i++)
            refuse_operation(s, operations[i]);
        return;
    }
    filters.has_refuse_seconds = 1;
    filters.refuse_seconds = refuse_seconds;
    body.n_offer_ids = n_offers;
    body.offer_ids = (Pb__OfferID **)offers;
    body.n_operations = n_operations;
    body.operations = (Pb__Offer__Operation **)operations;
    body.filters = &filters;
    call.accept = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__ACCEPT);
}

void scheduler_decline(struct scheduler *s, size_t n_offers, Pb__OfferID *const *offers,
                       double refuse_seconds)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Decline body = PB_SCHEDULER__CALL__DECLINE__INIT;
    Pb__Filters filters = PB__FILTERS__INIT;

    filters.has_refuse_seconds = 1;
    filters.refuse_seconds = refuse_seconds;
    body.n_offer_ids = n_offers;
    body.offer_ids = (Pb__OfferID **)offers;
    body.filters = &filters;
    call.decline = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__DECLINE);
}

void scheduler_revive(struct scheduler *s)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Revive body = PB_SCHEDULER__CALL__REVIVE__INIT;

    call.revive = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__REVIVE);
}

void scheduler_suppress(struct scheduler *s)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Suppress body = PB_SCHEDULER__CALL__SUPPRESS__INIT;

    call.suppress = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__SUPPRESS);
}

void scheduler_kill(struct scheduler *s, const Pb__TaskID *task, const Pb__AgentID *agent)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Kill body = PB_SCHEDULER__CALL__KILL__INIT;

    body.task_id = (Pb__TaskID *)task;
    body.agent_id = (Pb__AgentID *)agent;
    call.kill = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__KILL);
}

void scheduler_acknowledge(struct scheduler *s, const Pb__TaskStatus *status)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Acknowledge body = PB_SCHEDULER__CALL__ACKNOWLEDGE__INIT;

    CHECK(status->has_uuid && status->agent_id);
    body.task_id = status->task_id;
    body.agent_id = status->agent_id;
    body.uuid = status->uuid;
    call.acknowledge = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__ACKNOWLEDGE);
}

void scheduler_reconcile(struct scheduler *s, size_t n, const struct scheduler_task tasks[])
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Reconcile body = PB_SCHEDULER__CALL__RECONCILE__INIT;
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;

    body.n_tasks = n;
    body.tasks = arena_alloc(&arena, n * sizeof *body.tasks);
    for (size_t i = 0; i < n; i++) {
        PbScheduler__Call__Reconcile__Task *task = arena_alloc(&arena, sizeof *task);

        pb_scheduler__call__reconcile__task__init(task);
        task->task_id = arena_alloc(&arena, sizeof *task->task_id);
        pb__task_id__init(task->task_id);
        task->task_id->value = tasks[i].task_id;
        if (tasks[i].agent_id) {
            task->agent_id = arena_alloc(&arena, sizeof *task->agent_id);
            pb__agent_id__init(task->agent_id);
            task->agent_id->value = tasks[i].agent_id;
        }
        body.tasks[i] = task;
    }
    call.reconcile = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__RECONCILE);
}

void scheduler_send(struct scheduler *s, const Pb__AgentID *agent, const Pb__ExecutorID *executor,
                    const void *data, size_t size)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;
    PbScheduler__Call__Message body = PB_SCHEDULER__CALL__MESSAGE__INIT;

    body.agent_id = (Pb__AgentID *)agent;
    body.executor_id = (Pb__ExecutorID *)executor;
    body.data = (ProtobufCBinaryData){ size, (uint8_t *)data };
    call.message = &body;
    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__MESSAGE);
}

void scheduler_calls_send_teardown(struct scheduler *s)
{
    PbScheduler__Call call = PB_SCHEDULER__CALL__INIT;

    scheduler_calls_send(s, &call, PB_SCHEDULER__CALL__TYPE__TEARDOWN);
}

void scheduler_teardown(struct scheduler *s)
{
    CHECK(process_current() == &s->process);
    scheduler_leave(s);
}
