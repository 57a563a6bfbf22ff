/* test_scheduler.c - the scheduler library against a fake master in the simulated world */
#include "framework/scheduler.h"

#include "tests/framework/fake_master.h"
#include "tests/unit.h"

/* ---- a framework that writes down what it hears ---- */

struct listener_state {
    struct scheduler *scheduler;
    unsigned registered, failovers, disconnected, offers, rescinded, statuses, errors, removed,
        no_master, messages;
    char id[64], error[128];
    Pb__TaskState state;
    bool has_uuid;
};

static void on_registered(void *arg, struct scheduler *s UNUSED, const Pb__FrameworkID *id,
                          const Pb__MasterInfo *master UNUSED, bool failover)
{
    struct listener_state *l = arg;

    l->registered++;
    l->failovers += failover;
    snprintf(l->id, sizeof l->id, "%s", id->value);
}

static void on_disconnected(void *arg, struct scheduler *s UNUSED, const char *why UNUSED)
{
    ((struct listener_state *)arg)->disconnected++;
}

static void on_offers(void *arg, struct scheduler *s UNUSED, size_t n,
                      Pb__Offer *const *offers UNUSED)
{
    ((struct listener_state *)arg)->offers += (unsigned)n;
}

static void on_rescinded(void *arg, struct scheduler *s UNUSED, const Pb__OfferID *id UNUSED)
{
    ((struct listener_state *)arg)->rescinded++;
}

static void on_status(void *arg, struct scheduler *s UNUSED, const Pb__TaskStatus *status)
{
    struct listener_state *l = arg;

    l->statuses++;
    l->state = status->state;
    l->has_uuid = status->has_uuid;
}

static void on_error(void *arg, struct scheduler *s UNUSED, const char *why)
{
    struct listener_state *l = arg;

    l->errors++;
    snprintf(l->error, sizeof l->error, "%s", why);
}

static void on_no_master(void *arg, struct scheduler *s UNUSED, const char *why UNUSED)
{
    ((struct listener_state *)arg)->no_master++;
}

static void on_removed(void *arg, struct scheduler *s UNUSED)
{
    ((struct listener_state *)arg)->removed++;
}

static const struct scheduler_callbacks callbacks = {
    .registered = on_registered, .disconnected = on_disconnected, .offers = on_offers,
    .rescinded = on_rescinded,   .status = on_status,             .error = on_error,
    .no_master = on_no_master,   .removed = on_removed,
};

static struct world w;
static struct listener_state l;

static void start_framework(const char *master, const char *id, bool explicit_acknowledgements)
{
    Pb__FrameworkInfo info = PB__FRAMEWORK_INFO__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;
    Pb__FrameworkInfo__Capability aware = PB__FRAMEWORK_INFO__CAPABILITY__INIT, *one = &aware;
    struct scheduler_options options = { .master = master, .info = &info,
                                         .explicit_acknowledgements = explicit_acknowledgements };
    struct error err;

    aware.has_type = 1;
    aware.type = PB__FRAMEWORK_INFO__CAPABILITY__TYPE__PARTITION_AWARE;
    info.user = "root";
    info.name = "test";
    info.n_capabilities = 1;
    info.capabilities = &one;
    framework.value = id;
    if (id)
        info.id = &framework;
    l = (struct listener_state){ 0 };
    l.scheduler = scheduler_create(w.rt, &options, &callbacks, &l, &err);
    ck_assert_ptr_nonnull(l.scheduler);
}

static void start(void)
{
    w = world_start(3);
    world_start_master(&w, false);
    start_framework("10.0.0.1:5050", NULL, false);
    world_await(&w, l.registered, 1);
}

static void stop(void)
{
    scheduler_destroy(l.scheduler);
    world_stop(&w);
}

/* Runs fn in the scheduler's context. */
static void in_scheduler(process_call_f fn)
{
    process_dispatch(scheduler_pid(l.scheduler), fn, "", 1, NULL);
}

START_TEST(it_subscribes_and_is_told_its_id)
{
    start();
    ck_assert_str_eq(l.id, "F-0");
    ck_assert_uint_eq(l.failovers, 0);
    ck_assert(!w.master.force);
    stop();
}
END_TEST

START_TEST(an_id_of_before_is_a_failover_that_takes_over_by_force)
{
    w = world_start(3);
    world_start_master(&w, false);
    start_framework("10.0.0.1:5050", "F-7", false);
    world_await(&w, l.registered, 1);
    ck_assert_str_eq(w.master.last_id, "F-7");
    ck_assert(w.master.force);
    ck_assert_uint_eq(l.failovers, 1);
    stop();
}
END_TEST

START_TEST(it_asks_again_until_the_master_answers)
{
    w = world_start(3);
    world_start_master(&w, true);
    start_framework("10.0.0.1:5050", NULL, false);
    world_await(&w, w.master.subscribes, 4);
    ck_assert_uint_eq(l.registered, 0);
    w.master.is_silent = false;
    world_await(&w, l.registered, 1);
    sim_run_for(w.sim, MINUTES(10));
    ck_assert_uint_eq(l.registered, 1);
    stop();
}
END_TEST

START_TEST(it_waits_for_a_master_that_is_not_there_yet_and_says_so)
{
    w = world_start(3);
    start_framework("one:5050", NULL, false);
    world_await(&w, l.no_master, 3);
    world_start_master(&w, false);
    world_await(&w, l.registered, 1);
    stop();
}
END_TEST

START_TEST(a_lost_master_is_told_and_found_again_with_the_same_id)
{
    start();
    world_stop_master(&w);
    world_await(&w, l.disconnected, 1);
    sim_run_for(w.sim, SECONDS(20));
    world_start_master(&w, false);
    world_await(&w, l.registered, 2);
    ck_assert_uint_eq(l.disconnected, 1);
    ck_assert_uint_eq(l.failovers, 1);
    ck_assert_str_eq(w.master.last_id, "F-0");
    stop();
}
END_TEST

START_TEST(a_broken_connection_is_a_lost_master_too)
{
    start();
    sim_break_connections(w.one, w.two);
    world_await(&w, l.disconnected, 1);
    world_await(&w, l.registered, 2);
    stop();
}
END_TEST

START_TEST(a_refusal_is_told_once_and_ends_all_tries)
{
    unsigned subscribes;

    w = world_start(3);
    world_start_master(&w, true);
    w.master.is_silent = false;
    w.master.refusal = "not with that role";
    start_framework("10.0.0.1:5050", NULL, false);
    world_await(&w, l.errors, 1);
    ck_assert_str_eq(l.error, "not with that role");
    subscribes = w.master.subscribes;
    sim_run_for(w.sim, MINUTES(10));
    ck_assert_uint_eq(w.master.subscribes, subscribes);
    ck_assert_uint_eq(l.errors, 1);
    stop();
}
END_TEST

START_TEST(offers_and_their_end_are_told)
{
    Pb__RescindResourceOfferMessage m = PB__RESCIND_RESOURCE_OFFER_MESSAGE__INIT;
    Pb__OfferID id = PB__OFFER_ID__INIT;

    start();
    world_offer(&w, "O-1", 1, 32);
    world_await(&w, l.offers, 1);
    id.value = "O-1";
    m.offer_id = &id;
    world_tell(&w, &m.base);
    world_await(&w, l.rescinded, 1);
    stop();
}
END_TEST

START_TEST(an_agents_update_is_acknowledged_and_the_masters_is_not)
{
    start();
    world_update(&w, "T", PB__TASK_STATE__TASK_RUNNING, NULL, true);
    world_await(&w, w.master.acknowledges, 1);
    ck_assert(l.has_uuid);
    world_update(&w, "T", PB__TASK_STATE__TASK_LOST, NULL, false);
    world_await(&w, l.statuses, 2);
    ck_assert(!l.has_uuid);
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(w.master.acknowledges, 1);
    stop();
}
END_TEST

START_TEST(with_explicit_acknowledgements_it_sends_none_by_itself)
{
    w = world_start(3);
    world_start_master(&w, false);
    start_framework("10.0.0.1:5050", NULL, true);
    world_await(&w, l.registered, 1);
    world_update(&w, "T", PB__TASK_STATE__TASK_RUNNING, NULL, true);
    world_await(&w, l.statuses, 1);
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(w.master.acknowledges, 0);
    stop();
}
END_TEST

START_TEST(an_update_with_a_uuid_but_of_no_agent_is_told_and_not_acknowledged)
{
    Pb__StatusUpdateMessage m = PB__STATUS_UPDATE_MESSAGE__INIT;
    Pb__StatusUpdate update = PB__STATUS_UPDATE__INIT;
    Pb__TaskStatus status = PB__TASK_STATUS__INIT;
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__FrameworkID framework = PB__FRAMEWORK_ID__INIT;

    start();
    id.value = "T";
    framework.value = "F-0";
    status.task_id = &id;
    status.state = PB__TASK_STATE__TASK_RUNNING;
    update.framework_id = &framework;
    update.status = &status;
    update.has_uuid = 1;
    update.uuid = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
    m.update = &update;
    m.pid = "slave(1)@10.0.0.3:5051";
    world_tell(&w, &m.base);
    world_await(&w, l.statuses, 1);
    ck_assert(!l.has_uuid);
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(w.master.acknowledges, 0);
    stop();
}
END_TEST

/* An ACCEPT with one task, and a KILL. */
static void accept_and_kill(struct process *self UNUSED, void *args UNUSED)
{
    Pb__Offer__Operation operation = PB__OFFER__OPERATION__INIT, *operations[] = { &operation };
    Pb__Offer__Operation__Launch launch = PB__OFFER__OPERATION__LAUNCH__INIT;
    Pb__TaskInfo task = PB__TASK_INFO__INIT, *tasks[] = { &task };
    Pb__TaskID id = PB__TASK_ID__INIT;
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__OfferID offer = PB__OFFER_ID__INIT, *offers[] = { &offer };

    offer.value = "O-1";
    id.value = "T-1";
    agent.value = "A-1";
    task.name = "t";
    task.task_id = &id;
    task.agent_id = &agent;
    launch.n_task_infos = 1;
    launch.task_infos = tasks;
    operation.has_type = 1;
    operation.type = PB__OFFER__OPERATION__TYPE__LAUNCH;
    operation.launch = &launch;
    scheduler_accept(l.scheduler, 1, offers, 1, operations, 5);
    scheduler_kill(l.scheduler, &id, &agent);
}

START_TEST(calls_reach_the_master)
{
    start();
    in_scheduler(accept_and_kill);
    world_await(&w, w.master.kills, 1);
    ck_assert_uint_eq(w.master.accepts, 1);
    ck_assert_str_eq(w.master.launched[0].id, "T-1");
    ck_assert(w.master.refuse_seconds == 5);
    stop();
}
END_TEST

START_TEST(calls_while_disconnected_are_dropped_and_launches_answered)
{
    start();
    world_stop_master(&w);
    world_await(&w, l.disconnected, 1);
    in_scheduler(accept_and_kill);
    world_await(&w, l.statuses, 1);
    ck_assert_int_eq(l.state, PB__TASK_STATE__TASK_DROPPED);
    ck_assert(!l.has_uuid);
    world_start_master(&w, false);
    world_await(&w, l.registered, 2);
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(w.master.accepts + w.master.kills, 0);
    stop();
}
END_TEST

START_TEST(what_a_stranger_says_is_ignored)
{
    struct fake_master stranger = { 0 };
    struct pid stranger_pid;
    struct error err;
    Pb__FrameworkErrorMessage m = PB__FRAMEWORK_ERROR_MESSAGE__INIT;

    start();
    ck_assert_int_eq(process_spawn(w.master_rt, &stranger.process, &fake_master_class, "stranger",
                                   &stranger_pid, &err), 0);
    pid_assign(&stranger.framework, &w.master.framework);
    m.message = "go away";
    dispatch(&stranger_pid, fake_send, .message = message_create(&m.base));
    sim_run_for(w.sim, MINUTES(1));
    ck_assert_uint_eq(l.errors, 0);
    world_offer(&w, "O-1", 1, 32);
    world_await(&w, l.offers, 1);
    process_terminate(&stranger_pid, TERMINATE_NOW);
    ck_assert(process_wait(&stranger_pid, MINUTES(1)));
    pid_release(&stranger_pid);
    stop();
}
END_TEST

static void tear_down(struct process *self UNUSED, void *args UNUSED)
{
    scheduler_teardown(l.scheduler);
}

START_TEST(a_teardown_is_confirmed)
{
    start();
    in_scheduler(tear_down);
    world_await(&w, l.removed, 1);
    ck_assert_uint_eq(w.master.teardowns, 1);
    sim_run_for(w.sim, MINUTES(10));
    ck_assert_uint_eq(l.removed, 1);
    ck_assert_uint_eq(l.errors, 0);
    stop();
}
END_TEST

START_TEST(a_teardown_that_is_lost_with_the_connection_is_said_again)
{
    start();
    world_stop_master(&w); /* knows nothing when it comes back */
    in_scheduler(tear_down);
    sim_run_for(w.sim, SECONDS(5));
    world_start_master(&w, false);
    world_await(&w, l.removed, 1);
    ck_assert_uint_ge(w.master.teardowns, 1);
    ck_assert_uint_eq(l.registered, 1);
    stop();
}
END_TEST

UNIT(scheduler, it_subscribes_and_is_told_its_id,
     an_id_of_before_is_a_failover_that_takes_over_by_force,
     it_asks_again_until_the_master_answers,
     it_waits_for_a_master_that_is_not_there_yet_and_says_so,
     a_lost_master_is_told_and_found_again_with_the_same_id,
     a_broken_connection_is_a_lost_master_too, a_refusal_is_told_once_and_ends_all_tries,
     offers_and_their_end_are_told, an_agents_update_is_acknowledged_and_the_masters_is_not,
     with_explicit_acknowledgements_it_sends_none_by_itself,
     an_update_with_a_uuid_but_of_no_agent_is_told_and_not_acknowledged, calls_reach_the_master,
     calls_while_disconnected_are_dropped_and_launches_answered,
     what_a_stranger_says_is_ignored, a_teardown_is_confirmed,
     a_teardown_that_is_lost_with_the_connection_is_said_again);
