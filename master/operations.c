/* operations.c - operations on resources (RESERVE, CREATE, ...), of which none is carried out yet
 *
 * accepted, with an id  -> UPDATE_OPERATION_STATUS: OPERATION_ERROR, with the reason
 * RECONCILE_OPERATIONS  -> UPDATE_OPERATION_STATUS for each one that is asked about: what is
 *                          known of an operation by its agent alone
 * ACKNOWLEDGE_OPERATION_STATUS -> counted: what is sent here has no uuid to be acknowledged
 *
 * A driver cannot be told of operations; only HTTP schedulers are.
 */
#include "base/log.h"
#include "base/text.h"
#include "master/master_private.h"
#include "proto/scheduler_v0.pb-c.h"

static void tell(struct master *m, struct framework_record *f, const Pb__OperationStatus *status)
{
    Pb__UpdateOperationStatusMessage message = PB__UPDATE_OPERATION_STATUS_MESSAGE__INIT;

    message.framework_id = ((const Pb__FrameworkInfo *)f->info->body)->id;
    message.status = (Pb__OperationStatus *)status;
    if (f->subscriber)
        frameworks_send(m, f, &message.base);
}

void operations_refuse(struct master *m, struct framework_record *f, const Pb__Offer__Operation *op,
                       const char *why)
{
    Pb__OperationStatus status = PB__OPERATION_STATUS__INIT;

    log_warning("operation %s of type %d of framework %s refused: %s",
                op->id ? op->id->value : "without an id", (int)op->type, framework_id_text(&f->id),
                why);
    if (!op->id)
        return;
    status.operation_id = op->id;
    status.state = PB__OPERATION_STATE__OPERATION_ERROR;
    status.message = why;
    tell(m, f, &status);
}

/* ---- reconciliation ---- */

struct verdict {
    Pb__OperationState state;
    const char *message;
};

static const struct verdict unknown = { PB__OPERATION_STATE__OPERATION_UNKNOWN,
                                        "Reconciliation: Operation is unknown" };
static const struct verdict recovering = { PB__OPERATION_STATE__OPERATION_RECOVERING,
                                           "Reconciliation: Agent has not come back yet" };

static struct verdict judge_by_agent(struct master *m, const char *agent)
{
    struct agent_id id = { text_create(agent) };
    struct known_agent *k = agents_find(m, id) ? NULL : agents_find_known(m, id);

    agent_id_release(&id);
    if (!k)
        return unknown;
    switch (k->state) {
    case REGISTRY_ADMITTED:
        return recovering;
    case REGISTRY_UNREACHABLE:
        return (struct verdict){ PB__OPERATION_STATE__OPERATION_UNREACHABLE,
                                 "Reconciliation: Agent is unreachable" };
    case REGISTRY_GONE:
        return (struct verdict){ PB__OPERATION_STATE__OPERATION_GONE_BY_OPERATOR,
                                 "Reconciliation: Agent is gone" };
    }
    return unknown;
}

void operations_reconcile(struct master *m, struct framework_record *f,
                          const PbScheduler__Call__ReconcileOperations *r)
{
    const struct verdict without_agent = agents_is_any_away(m) ? recovering : unknown;

    master_count(m, MASTER_MESSAGES_RECONCILE_OPERATIONS);
    for (size_t i = 0; i < r->n_operations; i++) {
        const Pb__AgentID *agent = r->operations[i]->agent_id;
        struct verdict v = agent ? judge_by_agent(m, agent->value) : without_agent;
        Pb__OperationStatus status = PB__OPERATION_STATUS__INIT;

        status.operation_id = r->operations[i]->operation_id;
        status.agent_id = r->operations[i]->agent_id;
        status.resource_provider_id = r->operations[i]->resource_provider_id;
        status.state = v.state;
        status.message = v.message;
        tell(m, f, &status);
    }
}

void operations_acknowledge(struct master *m, struct framework_record *f,
                            const PbScheduler__Call__AcknowledgeOperationStatus *a)
{
    master_count(m, MASTER_MESSAGES_OPERATION_STATUS_UPDATE_ACKNOWLEDGEMENT);
    master_count(m, MASTER_INVALID_OPERATION_STATUS_UPDATE_ACKNOWLEDGEMENTS);
    log_warning("framework %s acknowledges an update of operation %s, which is not followed",
                framework_id_text(&f->id), a->operation_id->value);
}
