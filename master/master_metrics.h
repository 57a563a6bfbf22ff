/* master_metrics.h - what the master counts
 *
 * One table: the counter's name here, its key at /metrics/snapshot (FACTS 6.8),
 * in the order of their lists there.  master_metrics.c makes the counters of
 * it and the pulled gauges.
 */
#ifndef MASTER_METRICS_H
#define MASTER_METRICS_H

#include <stdbool.h>

#include "proto/mesos.pb-c.h"

struct master;

/* clang-format off */
#define MASTER_COUNTERS(ON)                                                                        \
    ON(DROPPED_MESSAGES, "master/dropped_messages")                                                \
    ON(TASKS_FINISHED, "master/tasks_finished")                                                    \
    ON(TASKS_FAILED, "master/tasks_failed")                                                        \
    ON(TASKS_KILLED, "master/tasks_killed")                                                        \
    ON(TASKS_LOST, "master/tasks_lost")                                                            \
    ON(TASKS_ERROR, "master/tasks_error")                                                          \
    ON(TASKS_DROPPED, "master/tasks_dropped")                                                      \
    ON(TASKS_GONE, "master/tasks_gone")                                                            \
    ON(TASKS_GONE_BY_OPERATOR, "master/tasks_gone_by_operator")                                    \
    ON(MESSAGES_REGISTER_FRAMEWORK, "master/messages_register_framework")                          \
    ON(MESSAGES_REREGISTER_FRAMEWORK, "master/messages_reregister_framework")                      \
    ON(MESSAGES_UNREGISTER_FRAMEWORK, "master/messages_unregister_framework")                      \
    ON(MESSAGES_DEACTIVATE_FRAMEWORK, "master/messages_deactivate_framework")                      \
    ON(MESSAGES_KILL_TASK, "master/messages_kill_task")                                            \
    ON(MESSAGES_STATUS_UPDATE_ACKNOWLEDGEMENT, "master/messages_status_update_acknowledgement")    \
    ON(MESSAGES_OPERATION_STATUS_UPDATE_ACKNOWLEDGEMENT,                                           \
       "master/messages_operation_status_update_acknowledgement")                                  \
    ON(MESSAGES_RESOURCE_REQUEST, "master/messages_resource_request")                              \
    ON(MESSAGES_LAUNCH_TASKS, "master/messages_launch_tasks")                                      \
    ON(MESSAGES_DECLINE_OFFERS, "master/messages_decline_offers")                                  \
    ON(MESSAGES_REVIVE_OFFERS, "master/messages_revive_offers")                                    \
    ON(MESSAGES_SUPPRESS_OFFERS, "master/messages_suppress_offers")                                \
    ON(MESSAGES_RECONCILE_TASKS, "master/messages_reconcile_tasks")                                \
    ON(MESSAGES_RECONCILE_OPERATIONS, "master/messages_reconcile_operations")                      \
    ON(MESSAGES_FRAMEWORK_TO_EXECUTOR, "master/messages_framework_to_executor")                    \
    ON(MESSAGES_EXECUTOR_TO_FRAMEWORK, "master/messages_executor_to_framework")                    \
    ON(MESSAGES_REGISTER_SLAVE, "master/messages_register_slave")                                  \
    ON(MESSAGES_REREGISTER_SLAVE, "master/messages_reregister_slave")                              \
    ON(MESSAGES_UNREGISTER_SLAVE, "master/messages_unregister_slave")                              \
    ON(MESSAGES_STATUS_UPDATE, "master/messages_status_update")                                    \
    ON(MESSAGES_EXITED_EXECUTOR, "master/messages_exited_executor")                                \
    ON(MESSAGES_UPDATE_SLAVE, "master/messages_update_slave")                                      \
    ON(MESSAGES_AUTHENTICATE, "master/messages_authenticate")                                      \
    ON(VALID_STATUS_UPDATES, "master/valid_status_updates")                                        \
    ON(INVALID_STATUS_UPDATES, "master/invalid_status_updates")                                    \
    ON(VALID_STATUS_UPDATE_ACKNOWLEDGEMENTS, "master/valid_status_update_acknowledgements")        \
    ON(INVALID_STATUS_UPDATE_ACKNOWLEDGEMENTS, "master/invalid_status_update_acknowledgements")    \
    ON(INVALID_OPERATION_STATUS_UPDATE_ACKNOWLEDGEMENTS,                                           \
       "master/invalid_operation_status_update_acknowledgements")                                  \
    ON(VALID_FRAMEWORK_TO_EXECUTOR_MESSAGES, "master/valid_framework_to_executor_messages")        \
    ON(INVALID_FRAMEWORK_TO_EXECUTOR_MESSAGES, "master/invalid_framework_to_executor_messages")    \
    ON(VALID_EXECUTOR_TO_FRAMEWORK_MESSAGES, "master/valid_executor_to_framework_messages")        \
    ON(INVALID_EXECUTOR_TO_FRAMEWORK_MESSAGES, "master/invalid_executor_to_framework_messages")    \
    ON(SLAVE_REGISTRATIONS, "master/slave_registrations")                                          \
    ON(SLAVE_REREGISTRATIONS, "master/slave_reregistrations")                                      \
    ON(SLAVE_REMOVALS, "master/slave_removals")                                                    \
    ON(SLAVE_REMOVALS_REASON_UNHEALTHY, "master/slave_removals/reason_unhealthy")                  \
    ON(SLAVE_REMOVALS_REASON_UNREGISTERED, "master/slave_removals/reason_unregistered")            \
    ON(SLAVE_REMOVALS_REASON_REGISTERED, "master/slave_removals/reason_registered")                \
    ON(SLAVE_UNREACHABLE_SCHEDULED, "master/slave_unreachable_scheduled")                          \
    ON(SLAVE_UNREACHABLE_COMPLETED, "master/slave_unreachable_completed")                          \
    ON(SLAVE_UNREACHABLE_CANCELED, "master/slave_unreachable_canceled")                            \
    ON(RECOVERY_SLAVE_REMOVALS, "master/recovery_slave_removals")                                  \
    ON(OPERATOR_EVENT_STREAM_DROPPED, "master/operator_event_stream_dropped")
/* clang-format on */

#define MASTER_METRIC_(name, key) MASTER_##name,
enum master_metric { MASTER_COUNTERS(MASTER_METRIC_) MASTER_METRICS };
#undef MASTER_METRIC_

/* master_metrics.c.  Counters are there before any event of the master. */
void master_metrics_init(struct master *m);
void master_metrics_release(struct master *m);
void master_metrics_count(struct master *m, enum master_metric which);
/* master/task_<state>/source_<source>/reason_<reason>, made when first counted. */
void master_metrics_count_task(struct master *m, Pb__TaskState state, Pb__TaskStatus__Source source,
                               Pb__TaskStatus__Reason reason);

static inline void master_count(struct master *m, enum master_metric which)
{
    master_metrics_count(m, which);
}

#endif
