/* test_master.c - the master among agents and schedulers that the test plays */
#include "tests/master/master_place.h"
#include "mesos/task_state.h"
#include "tests/unit.h"

/* An agent, a scheduler, and the first offer between them. */
struct stage {
    struct place w;
    struct player *agent, *scheduler;
    const char *agent_id, *framework;
    const Pb__Offer *offer;
};

static void stage_start(struct stage *s, bool aware)
{
    place_start(&s->w);
    s->agent = place_add(&s->w, "slave(1)", 5051);
    s->scheduler = place_add(&s->w, "scheduler-1", 6000);
    s->agent_id = join(&s->w, s->agent);
    s->framework = subscribe_new(&s->w, s->scheduler, aware);
    s->offer = next_offer(&s->w, s->scheduler);
}

static void launch(struct stage *s, const char *id, const char *resources)
{
    Pb__TaskInfo *task = make_task(&s->w, id, s->agent_id, resources);

    say_launch(&s->w, s->scheduler, s->framework, s->offer->id->value, 1, &task);
}

static const Pb__StatusUpdate *next_update(struct stage *s)
{
    return EXPECT(&s->w, s->scheduler, pb__status_update_message, Pb__StatusUpdateMessage)->update;
}

static void check_told(struct stage *s, const char *task, Pb__TaskState state,
                       Pb__TaskStatus__Reason reason, const char *message)
{
    const Pb__StatusUpdate *update = next_update(s);

    ck_assert_str_eq(update->status->task_id->value, task);
    ck_assert_str_eq(task_state_name(update->status->state), task_state_name(state));
    ck_assert_int_eq(update->status->source, PB__TASK_STATUS__SOURCE__SOURCE_MASTER);
    ck_assert_int_eq(update->status->reason, reason);
    ck_assert_str_eq(update->status->message, message);
    ck_assert(!update->has_uuid && !update->status->has_uuid);
}

static void launched(struct stage *s, const char *id)
{
    launch(s, id, "cpus:1;mem:64");
    EXPECT(&s->w, s->agent, pb__run_task_message, Pb__RunTaskMessage);
}

static void check_millis(Pb__Resource *const *v, size_t n, const char *name, int64_t millis)
{
    struct resources r;

    ck_assert_int_eq(resources_from_protobuf(v, n, &r, NULL), 0);
    ck_assert_int_eq(resources_millis(&r, name), millis);
    resources_release(&r);
}

START_TEST(an_agent_registers_once_however_often_it_asks)
{
    struct place w;
    struct player *agent;
    const char *id;

    place_start(&w);
    agent = place_add(&w, "slave(1)", 5051);
    id = join(&w, agent);
    ck_assert_str_eq(id + strlen(id) - 3, "-S0");
    say_register(&w, agent);
    ck_assert_str_eq(EXPECT(&w, agent, pb__slave_registered_message, Pb__SlaveRegisteredMessage)
                         ->slave_id->value,
                     id);
    say_register(&w, agent);
    const Pb__SlaveRegisteredMessage *again =
        EXPECT(&w, agent, pb__slave_registered_message, Pb__SlaveRegisteredMessage);
    ck_assert_str_eq(again->slave_id->value, id);
    ck_assert(again->connection->total_ping_timeout_seconds == 75.0);
    place_stop(&w);
}
END_TEST

START_TEST(an_agent_of_an_old_version_is_not_answered)
{
    struct place w;
    Pb__RegisterSlaveMessage msg = PB__REGISTER_SLAVE_MESSAGE__INIT;

    place_start(&w);
    struct player *agent = place_add(&w, "slave(1)", 5051);

    msg.slave = make_agent_info(&w, NULL);
    msg.version = "0.28.2";
    say(agent, &msg.base);
    EXPECT_NONE(&w, agent, pb__slave_registered_message);
    place_stop(&w);
}
END_TEST

START_TEST(an_offer_says_all_that_a_real_master_says)
{
    struct stage s;

    stage_start(&s, true);
    ck_assert_str_eq(s.offer->agent_id->value, s.agent_id);
    ck_assert_str_eq(s.offer->framework_id->value, s.framework);
    ck_assert_str_eq(s.offer->hostname, "agent.example");
    ck_assert_str_eq(s.offer->url->scheme, "http");
    ck_assert_str_eq(s.offer->url->address->ip, "10.0.0.2");
    ck_assert_int_eq(s.offer->url->address->port, 5051);
    ck_assert_str_eq(s.offer->url->path, "/slave(1)");
    ck_assert_str_eq(s.offer->allocation_info->role, "*");
    ck_assert_str_eq(s.offer->resources[0]->allocation_info->role, "*");
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 4000);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_task_runs_and_what_it_leaves_is_offered_again)
{
    struct stage s;

    stage_start(&s, true);
    launch(&s, "one", "cpus:1;mem:64");
    const Pb__RunTaskMessage *run = EXPECT(&s.w, s.agent, pb__run_task_message, Pb__RunTaskMessage);

    ck_assert_str_eq(run->task->task_id->value, "one");
    ck_assert_str_eq(run->framework->id->value, s.framework);
    ck_assert_str_eq(run->task->resources[0]->allocation_info->role, "*");
    ck_assert(run->has_launch_executor && run->launch_executor);
    ck_assert_ptr_nonnull(strstr(run->pid, "scheduler-1@10.0.0.3:6000"));
    s.offer = next_offer(&s.w, s.scheduler);
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 3000);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_terminal_latest_state_frees_at_once_and_its_acknowledgement_ends_the_task)
{
    struct stage s;

    stage_start(&s, true);
    launched(&s, "one");
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_RUNNING,
               PB__TASK_STATE__TASK_FINISHED, 1);
    ck_assert_int_eq(next_update(&s)->status->state, PB__TASK_STATE__TASK_RUNNING);
    s.offer = next_offer(&s.w, s.scheduler); /* before anything was acknowledged */
    say_acknowledge(&s.w, s.scheduler, s.framework, s.agent_id, "one", 1);
    EXPECT(&s.w, s.agent, pb__status_update_acknowledgement_message,
           Pb__StatusUpdateAcknowledgementMessage);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    check_told(&s, "one", PB__TASK_STATE__TASK_RUNNING,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION, "Reconciliation: Latest task state");
    say_update(&s.w, s.agent, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_FINISHED,
               PB__TASK_STATE__TASK_FINISHED, 2);
    ck_assert_int_eq(next_update(&s)->status->state, PB__TASK_STATE__TASK_FINISHED);
    say_acknowledge(&s.w, s.scheduler, s.framework, s.agent_id, "one", 2);
    EXPECT(&s.w, s.agent, pb__status_update_acknowledgement_message,
           Pb__StatusUpdateAcknowledgementMessage);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    check_told(&s, "one", PB__TASK_STATE__TASK_GONE, PB__TASK_STATUS__REASON__REASON_RECONCILIATION,
               "Reconciliation: Task is unknown to the agent");
    place_stop(&s.w);
}
END_TEST

START_TEST(an_acknowledgement_before_any_update_stays_here)
{
    struct stage s;

    stage_start(&s, true);
    launched(&s, "one");
    say_acknowledge(&s.w, s.scheduler, s.framework, s.agent_id, "one", 1);
    EXPECT_NONE(&s.w, s.agent, pb__status_update_acknowledgement_message);
    place_stop(&s.w);
}
END_TEST

START_TEST(an_offer_is_accepted_only_once)
{
    struct stage s;
    char message[200];

    stage_start(&s, true);
    launched(&s, "one");
    launch(&s, "two", "cpus:1;mem:64");
    snprintf(message, sizeof message,
             "Task launched with invalid offers: Offer %s is no longer valid", s.offer->id->value);
    check_told(&s, "two", PB__TASK_STATE__TASK_DROPPED,
               PB__TASK_STATUS__REASON__REASON_INVALID_OFFERS, message);
    EXPECT_NONE(&s.w, s.agent, pb__run_task_message);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_framework_that_knows_no_dropped_tasks_hears_of_lost_ones)
{
    struct stage s;
    Pb__TaskInfo *task;

    stage_start(&s, false);
    task = make_task(&s.w, "one", s.agent_id, "cpus:1");
    say_launch(&s.w, s.scheduler, s.framework, "never-made", 1, &task);
    check_told(&s, "one", PB__TASK_STATE__TASK_LOST, PB__TASK_STATUS__REASON__REASON_INVALID_OFFERS,
               "Task launched with invalid offers: Offer never-made is no longer valid");
    place_stop(&s.w);
}
END_TEST

START_TEST(more_than_the_offer_is_an_error_and_the_offer_comes_back_after_the_filter)
{
    struct stage s;
    const Pb__StatusUpdate *update;

    stage_start(&s, true);
    launch(&s, "big", "cpus:1000;mem:32");
    update = next_update(&s);
    ck_assert_int_eq(update->status->state, PB__TASK_STATE__TASK_ERROR);
    ck_assert_ptr_nonnull(strstr(update->status->message,
                                 "required by task and its executor is more than available"));
    EXPECT_NONE(&s.w, s.scheduler, pb__resource_offers_message); /* refused for 5 s */
    s.offer = next_offer(&s.w, s.scheduler);
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 4000);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_kill_reaches_the_agent_and_again_when_it_was_away)
{
    struct stage s;
    Pb__Task task = PB__TASK__INIT, *tasks[] = { &task };

    stage_start(&s, true);
    launched(&s, "one");
    say_kill(&s.w, s.scheduler, s.framework, "one");
    ck_assert_str_eq(
        EXPECT(&s.w, s.agent, pb__kill_task_message, Pb__KillTaskMessage)->task_id->value, "one");
    sim_break_connections(s.w.node, s.agent->node);
    sim_run_for(s.w.sim, SECONDS(1));
    task.name = "one";
    task.task_id = make_task_id(&s.w, "one");
    task.framework_id = make_framework_id(&s.w, s.framework);
    task.agent_id = make_agent_id(&s.w, s.agent_id);
    task.state = PB__TASK_STATE__TASK_RUNNING;
    say_reregister(&s.w, s.agent, s.agent_id, 1, tasks, NULL);
    ck_assert_uint_eq(
        EXPECT(&s.w, s.agent, pb__slave_reregistered_message, Pb__SlaveReregisteredMessage)
            ->n_reconciliations,
        0);
    EXPECT(&s.w, s.agent, pb__kill_task_message, Pb__KillTaskMessage);
    place_stop(&s.w);
}
END_TEST

START_TEST(an_unknown_task_that_is_to_be_killed_is_reconciled)
{
    struct stage s;

    stage_start(&s, true);
    say_kill(&s.w, s.scheduler, s.framework, "who");
    check_told(&s, "who", PB__TASK_STATE__TASK_UNKNOWN,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION, "Reconciliation: Task is unknown");
    place_stop(&s.w);
}
END_TEST

START_TEST(an_agent_that_comes_back_without_a_task_is_asked_about_it)
{
    struct stage s;
    const Pb__SlaveReregisteredMessage *answer;

    stage_start(&s, true);
    launched(&s, "one");
    say_reregister(&s.w, s.agent, s.agent_id, 0, NULL, NULL);
    answer = EXPECT(&s.w, s.agent, pb__slave_reregistered_message, Pb__SlaveReregisteredMessage);
    ck_assert_uint_eq(answer->n_reconciliations, 1);
    ck_assert_uint_eq(answer->reconciliations[0]->n_statuses, 1);
    ck_assert_str_eq(answer->reconciliations[0]->statuses[0]->task_id->value, "one");
    place_stop(&s.w);
}
END_TEST

START_TEST(an_agent_that_does_not_answer_pings_is_unreachable_and_comes_back)
{
    struct stage s;
    Pb__Task task = PB__TASK__INIT, *tasks[] = { &task };
    size_t n;

    stage_start(&s, true);
    launched(&s, "one");
    s.agent->mute = true;
    check_told(&s, "one", PB__TASK_STATE__TASK_UNREACHABLE,
               PB__TASK_STATUS__REASON__REASON_AGENT_REMOVED,
               "Agent agent.example is unreachable: health check timed out");
    EXPECT(&s.w, s.scheduler, pb__lost_slave_message, Pb__LostSlaveMessage);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    check_told(&s, "one", PB__TASK_STATE__TASK_UNREACHABLE,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION,
               "Reconciliation: Task is unreachable");
    task.name = "one";
    task.task_id = make_task_id(&s.w, "one");
    task.framework_id = make_framework_id(&s.w, s.framework);
    task.agent_id = make_agent_id(&s.w, s.agent_id);
    task.state = PB__TASK_STATE__TASK_RUNNING;
    task.resources = make_resources(&s.w, "cpus:1;mem:64", &n);
    task.n_resources = n;
    s.agent->mute = false;
    say_reregister(&s.w, s.agent, s.agent_id, 1, tasks,
                   make_framework_info(&s.w, s.framework, 3600, true));
    EXPECT(&s.w, s.agent, pb__slave_reregistered_message, Pb__SlaveReregisteredMessage);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    check_told(&s, "one", PB__TASK_STATE__TASK_RUNNING,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION, "Reconciliation: Latest task state");
    place_stop(&s.w);
}
END_TEST

START_TEST(a_scheduler_that_fails_over_has_its_tasks_and_the_old_one_is_told)
{
    struct stage s;
    struct player *second;

    stage_start(&s, true);
    launched(&s, "one");
    second = place_add(&s.w, "scheduler-2", 6001);
    say_subscribe(&s.w, second, make_framework_info(&s.w, s.framework, 3600, true), true);
    ck_assert_str_eq(
        EXPECT(&s.w, second, pb__framework_registered_message, Pb__FrameworkRegisteredMessage)
            ->framework_id->value,
        s.framework);
    ck_assert_str_eq(
        EXPECT(&s.w, s.scheduler, pb__framework_error_message, Pb__FrameworkErrorMessage)->message,
        "Framework failed over");
    ck_assert_ptr_nonnull(
        strstr(EXPECT(&s.w, s.agent, pb__update_framework_message, Pb__UpdateFrameworkMessage)->pid,
               "scheduler-2@"));
    say_kill(&s.w, s.scheduler, s.framework, "one"); /* the old one has no say any more */
    EXPECT_NONE(&s.w, s.agent, pb__kill_task_message);
    say_kill(&s.w, second, s.framework, "one");
    EXPECT(&s.w, s.agent, pb__kill_task_message, Pb__KillTaskMessage);
    place_stop(&s.w);
}
END_TEST

START_TEST(without_force_another_scheduler_is_refused)
{
    struct stage s;
    struct player *second;

    stage_start(&s, true);
    second = place_add(&s.w, "scheduler-2", 6001);
    say_subscribe(&s.w, second, make_framework_info(&s.w, s.framework, 3600, true), false);
    EXPECT(&s.w, second, pb__framework_error_message, Pb__FrameworkErrorMessage);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_scheduler_that_is_gone_for_good_is_shut_down_and_stays_removed)
{
    struct place w;
    struct player *agent, *scheduler, *second;
    const char *framework;

    place_start(&w);
    agent = place_add(&w, "slave(1)", 5051);
    scheduler = place_add(&w, "scheduler-1", 6000);
    join(&w, agent);
    say_subscribe(&w, scheduler, make_framework_info(&w, NULL, 10, true), false);
    framework =
        EXPECT(&w, scheduler, pb__framework_registered_message, Pb__FrameworkRegisteredMessage)
            ->framework_id->value;
    next_offer(&w, scheduler);
    player_end(scheduler);
    ck_assert_str_eq(EXPECT(&w, agent, pb__shutdown_framework_message, Pb__ShutdownFrameworkMessage)
                         ->framework_id->value,
                     framework);
    second = place_add(&w, "scheduler-2", 6001);
    say_subscribe(&w, second, make_framework_info(&w, framework, 10, true), true);
    ck_assert_str_eq(
        EXPECT(&w, second, pb__framework_error_message, Pb__FrameworkErrorMessage)->message,
        "Framework has been removed");
    place_stop(&w);
}
END_TEST

START_TEST(a_broken_link_to_an_agent_rescinds_its_offers)
{
    struct stage s;

    stage_start(&s, true);
    player_end(s.agent);
    ck_assert_str_eq(EXPECT(&s.w, s.scheduler, pb__rescind_resource_offer_message,
                            Pb__RescindResourceOfferMessage)
                         ->offer_id->value,
                     s.offer->id->value);
    EXPECT(&s.w, s.scheduler, pb__lost_slave_message,
           Pb__LostSlaveMessage); /* it never came back */
    place_stop(&s.w);
}
END_TEST

START_TEST(an_offer_that_is_not_answered_in_time_is_rescinded)
{
    struct place w;
    struct player *agent, *scheduler;
    const Pb__Offer *offer;

    place_start(&w);
    master_destroy(w.master);
    w.options.offer_timeout = SECONDS(30);
    w.master = master_create(w.rt, &w.options, NULL);
    agent = place_add(&w, "slave(1)", 5051);
    scheduler = place_add(&w, "scheduler-1", 6000);
    join(&w, agent);
    subscribe_new(&w, scheduler, true);
    offer = next_offer(&w, scheduler);
    ck_assert_str_eq(
        EXPECT(&w, scheduler, pb__rescind_resource_offer_message, Pb__RescindResourceOfferMessage)
            ->offer_id->value,
        offer->id->value);
    next_offer(&w, scheduler);
    place_stop(&w);
}
END_TEST

START_TEST(a_strangers_update_is_not_believed)
{
    struct stage s;
    struct player *stranger;

    stage_start(&s, true);
    launched(&s, "one");
    stranger = place_add(&s.w, "slave(1)", 5052);
    say_update(&s.w, stranger, s.framework, s.agent_id, "one", PB__TASK_STATE__TASK_FAILED,
               PB__TASK_STATE__TASK_FAILED, 9);
    EXPECT_NONE(&s.w, s.scheduler, pb__status_update_message);
    place_stop(&s.w);
}
END_TEST

START_TEST(a_new_master_hears_of_agents_tasks_and_frameworks_from_those_that_come_back)
{
    struct stage s;
    Pb__Task task = PB__TASK__INIT, *tasks[] = { &task };

    stage_start(&s, true);
    launched(&s, "one");
    master_destroy(s.w.master);
    s.w.master = master_create(s.w.rt, &s.w.options, NULL);
    ck_assert_ptr_nonnull(s.w.master);
    task.name = "one";
    task.task_id = make_task_id(&s.w, "one");
    task.framework_id = make_framework_id(&s.w, s.framework);
    task.agent_id = make_agent_id(&s.w, s.agent_id);
    task.state = PB__TASK_STATE__TASK_RUNNING;
    task.resources = make_resources(&s.w, "cpus:1;mem:64", &task.n_resources);
    sim_run_for(s.w.sim, SECONDS(1));
    say_reregister(&s.w, s.agent, s.agent_id, 1, tasks,
                   make_framework_info(&s.w, s.framework, 3600, true));
    EXPECT(&s.w, s.agent, pb__slave_reregistered_message, Pb__SlaveReregisteredMessage);
    say_subscribe(&s.w, s.scheduler, make_framework_info(&s.w, s.framework, 3600, true), true);
    s.offer = next_offer(&s.w, s.scheduler);
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 3000);
    say_reconcile(&s.w, s.scheduler, s.framework, NULL, NULL);
    check_told(&s, "one", PB__TASK_STATE__TASK_RUNNING,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION, "Reconciliation: Latest task state");
    place_stop(&s.w);
}
END_TEST

/* ---- executors of their own ---- */

static Pb__ExecutorInfo *make_executor(struct place *w, const char *id)
{
    MAKE(w, Pb__ExecutorInfo, pb__executor_info__init, executor);
    MAKE(w, Pb__CommandInfo, pb__command_info__init, command);
    command->value = "./executor";
    executor->executor_id = make_executor_id(w, id);
    executor->command = command;
    executor->resources = make_resources(w, "cpus:0.5;mem:32", &executor->n_resources);
    return executor;
}

static Pb__TaskInfo *make_task_of(struct stage *s, const char *id, const char *executor)
{
    Pb__TaskInfo *task = make_task(&s->w, id, s->agent_id, "cpus:1;mem:64");

    task->command = NULL;
    task->executor = make_executor(&s->w, executor);
    return task;
}

START_TEST(an_executor_is_charged_once_and_freed_when_it_ends)
{
    struct stage s;
    Pb__ExitedExecutorMessage ended = PB__EXITED_EXECUTOR_MESSAGE__INIT;

    stage_start(&s, true);
    Pb__TaskInfo *tasks[] = { make_task_of(&s, "one", "e"), make_task_of(&s, "two", "e") };

    say_launch(&s.w, s.scheduler, s.framework, s.offer->id->value, 2, tasks);
    const Pb__RunTaskMessage *run = EXPECT(&s.w, s.agent, pb__run_task_message, Pb__RunTaskMessage);

    ck_assert(run->launch_executor);
    ck_assert_str_eq(run->task->executor->framework_id->value, s.framework);
    ck_assert(!EXPECT(&s.w, s.agent, pb__run_task_message, Pb__RunTaskMessage)->launch_executor);
    s.offer = next_offer(&s.w, s.scheduler);
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 1500);
    ck_assert_uint_eq(s.offer->n_executor_ids, 1);
    ended.slave_id = make_agent_id(&s.w, s.agent_id);
    ended.framework_id = make_framework_id(&s.w, s.framework);
    ended.executor_id = make_executor_id(&s.w, "e");
    ended.status = 256;
    say(s.agent, &ended.base);
    ck_assert_int_eq(
        EXPECT(&s.w, s.scheduler, pb__exited_executor_message, Pb__ExitedExecutorMessage)->status,
        256);
    s.offer = next_offer(&s.w, s.scheduler);
    check_millis(s.offer->resources, s.offer->n_resources, "cpus", 500);
    place_stop(&s.w);
}
END_TEST

START_TEST(tasks_of_a_framework_that_does_not_checkpoint_end_with_the_link)
{
    struct stage s;
    Pb__FrameworkInfo *info;

    place_start(&s.w);
    s.agent = place_add(&s.w, "slave(1)", 5051);
    s.scheduler = place_add(&s.w, "scheduler-1", 6000);
    s.agent_id = join(&s.w, s.agent);
    info = make_framework_info(&s.w, NULL, 3600, true);
    info->checkpoint = false;
    say_subscribe(&s.w, s.scheduler, info, false);
    s.framework =
        EXPECT(&s.w, s.scheduler, pb__framework_registered_message, Pb__FrameworkRegisteredMessage)
            ->framework_id->value;
    s.offer = next_offer(&s.w, s.scheduler);
    launched(&s, "one");
    player_end(s.agent);
    check_told(&s, "one", PB__TASK_STATE__TASK_LOST,
               PB__TASK_STATUS__REASON__REASON_AGENT_DISCONNECTED,
               "Agent agent.example disconnected");
    place_stop(&s.w);
}
END_TEST

/* ---- a master that was killed ---- */

START_TEST(a_killed_master_remembers_its_agents_and_waits_for_them)
{
    struct stage s;

    place_start(&s.w);
    master_destroy(s.w.master);
    s.w.options.registry = (char *)"sqlite";
    s.w.master = NULL;
    ck_assert_int_eq(host_mkdirs(s.w.host, s.w.options.work_dir, 0755, NULL), 0);
    s.w.master = master_create(s.w.rt, &s.w.options, NULL);
    ck_assert_ptr_nonnull(s.w.master);
    s.agent = place_add(&s.w, "slave(1)", 5051);
    s.agent_id = join(&s.w, s.agent);
    place_kill_master(&s.w);
    place_start_master(&s.w);
    player_end(s.agent);
    sim_run_for(s.w.sim, SECONDS(1));
    s.scheduler = place_add(&s.w, "scheduler-1", 6000);
    s.framework = subscribe_new(&s.w, s.scheduler, true);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    EXPECT_NONE(&s.w, s.scheduler, pb__status_update_message); /* it may come back */
    EXPECT(&s.w, s.scheduler, pb__lost_slave_message, Pb__LostSlaveMessage);
    say_reconcile(&s.w, s.scheduler, s.framework, "one", s.agent_id);
    check_told(&s, "one", PB__TASK_STATE__TASK_UNREACHABLE,
               PB__TASK_STATUS__REASON__REASON_RECONCILIATION,
               "Reconciliation: Task is unreachable");
    place_stop(&s.w);
}
END_TEST

UNIT(master, an_executor_is_charged_once_and_freed_when_it_ends,
     tasks_of_a_framework_that_does_not_checkpoint_end_with_the_link,
     a_killed_master_remembers_its_agents_and_waits_for_them,
     an_agent_registers_once_however_often_it_asks, an_agent_of_an_old_version_is_not_answered,
     an_offer_says_all_that_a_real_master_says, a_task_runs_and_what_it_leaves_is_offered_again,
     a_terminal_latest_state_frees_at_once_and_its_acknowledgement_ends_the_task,
     an_acknowledgement_before_any_update_stays_here, an_offer_is_accepted_only_once,
     a_framework_that_knows_no_dropped_tasks_hears_of_lost_ones,
     more_than_the_offer_is_an_error_and_the_offer_comes_back_after_the_filter,
     a_kill_reaches_the_agent_and_again_when_it_was_away,
     an_unknown_task_that_is_to_be_killed_is_reconciled,
     an_agent_that_comes_back_without_a_task_is_asked_about_it,
     an_agent_that_does_not_answer_pings_is_unreachable_and_comes_back,
     a_scheduler_that_fails_over_has_its_tasks_and_the_old_one_is_told,
     without_force_another_scheduler_is_refused,
     a_scheduler_that_is_gone_for_good_is_shut_down_and_stays_removed,
     a_broken_link_to_an_agent_rescinds_its_offers,
     an_offer_that_is_not_answered_in_time_is_rescinded, a_strangers_update_is_not_believed,
     a_new_master_hears_of_agents_tasks_and_frameworks_from_those_that_come_back);
