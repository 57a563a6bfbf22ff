/* test_cluster.c - scenarios of a whole cluster, on the simulated host */
#include <check.h>
#include <string.h>

#include "cluster.h"
#include "properties.h"
#include "tests/unit.h"

#define SOON SECONDS(30)
#define CALM MINUTES(30)

static struct work *work_of(struct cluster *c, unsigned i)
{
    return c->frameworks[i].work;
}

static struct cluster *start(struct cluster_options options)
{
    if (!options.seed)
        options.seed = 1;
    options.check_every = 1;
    return cluster_create(&options);
}

static void add_many(struct cluster *c, unsigned n, const char *command)
{
    for (unsigned i = 0; i < n; i++)
        work_add(work_of(c, 0), command, 0.5, 64);
}

static bool never(struct cluster *c)
{
    (void)c;
    return false;
}

/* Everything ended, as it was told once and for all, and nothing is left. */
static void converge(struct cluster *c)
{
    char what[200] = "";
    bool quiet = cluster_wait(c, cluster_is_quiet, CALM);

    ck_assert_msg(!c->ledger->violation[0], "%s", c->ledger->violation);
    if (!quiet && !cluster_all_ended(c))
        snprintf(what, sizeof what, "tasks that have not ended");
    else if (!quiet)
        properties_left_over(c, what, sizeof what);
    ck_assert_msg(quiet, "left over: %s", what);
}

static void finish(struct cluster *c)
{
    converge(c);
    cluster_destroy(c);
}

static bool is_registered(struct cluster *c)
{
    char what[200];

    return work_of(c, 0)->is_subscribed && !properties_left_over(c, what, sizeof what);
}

static bool some_run(struct cluster *c)
{
    return c->ledger->starts >= 4;
}

/* ---- tasks ---- */

START_TEST(agents_and_frameworks_register)
{
    struct cluster *c = start((struct cluster_options){ .agents = 3, .frameworks = 2 });

    ck_assert(cluster_wait(c, is_registered, SOON));
    ck_assert_str_ne(work_of(c, 0)->id, work_of(c, 1)->id);
    finish(c);
}
END_TEST

START_TEST(tasks_run_to_their_ends)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });

    add_many(c, 20, "sleep 3");
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 20);
    ck_assert_uint_eq(c->ledger->starts, 20);
    finish(c);
}
END_TEST

START_TEST(a_task_whose_command_fails_is_failed_with_its_status)
{
    struct cluster *c = start((struct cluster_options){ 0 });
    struct work_task *t = work_add(work_of(c, 0), "sleep 1; exit 3", 1, 64);

    converge(c);
    ck_assert_int_eq(t->uuid_end, PB__TASK_STATE__TASK_FAILED);
    ck_assert_str_eq(t->message, "Command exited with status 3");
    finish(c);
}
END_TEST

START_TEST(a_killed_task_is_killed)
{
    struct cluster *c = start((struct cluster_options){ 0 });
    struct work_task *t = work_add(work_of(c, 0), "sleep 1000", 1, 64);
    struct work_task *deaf = work_add(work_of(c, 0), "trap '' TERM; sleep 1000", 1, 64);

    cluster_run(c, SOON);
    ck_assert_int_eq(t->state, PB__TASK_STATE__TASK_RUNNING);
    work_kill(t);
    work_kill(deaf);
    converge(c);
    ck_assert_int_eq(t->uuid_end, PB__TASK_STATE__TASK_KILLED);
    ck_assert_int_eq(deaf->uuid_end, PB__TASK_STATE__TASK_KILLED);
    finish(c);
}
END_TEST

START_TEST(a_task_that_no_agent_has_room_for_waits)
{
    struct cluster *c = start((struct cluster_options){ .resources = "cpus:1;mem:512;disk:100" });
    struct work_task *big = work_add(work_of(c, 0), "sleep 1", 2, 64);
    struct work_task *small = work_add(work_of(c, 0), "sleep 1", 1, 64);

    cluster_run(c, MINUTES(2));
    ck_assert(!big->launched);
    ck_assert(small->has_end);
    ck_assert_uint_gt(work_of(c, 0)->offers_declined, 1);
    ck_assert_str_eq(c->ledger->violation, "");
    cluster_destroy(c);
}
END_TEST

START_TEST(a_declined_offer_is_made_again)
{
    struct cluster *c = start((struct cluster_options){ 0 });

    work_of(c, 0)->declines_all = true;
    work_add(work_of(c, 0), "sleep 1", 1, 64);
    cluster_run(c, MINUTES(1));
    ck_assert_uint_gt(work_of(c, 0)->offers_declined, 5);
    work_of(c, 0)->declines_all = false;
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 1);
    finish(c);
}
END_TEST

START_TEST(a_custom_executor_runs_many_tasks_over_the_wire)
{
    struct cluster *c = start((struct cluster_options){ 0 });

    for (unsigned i = 0; i < 6; i++)
        work_add(work_of(c, 0), i % 2 ? "sleep 5; exit 1" : "sleep 4", 0.5, 64)->custom = true;
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 3);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FAILED), 3);
    finish(c);
}
END_TEST

/* ---- frameworks that go ---- */

START_TEST(a_framework_fails_over_and_keeps_its_tasks)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });
    char id[96];

    add_many(c, 8, "sleep 60");
    ck_assert(cluster_wait(c, some_run, SOON));
    snprintf(id, sizeof id, "%s", work_of(c, 0)->id);
    cluster_kill(&c->frameworks[0]);
    cluster_run(c, MINUTES(2));
    cluster_start(&c->frameworks[0]);
    converge(c);
    ck_assert_str_eq(work_of(c, 0)->id, id);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 8);
    ck_assert_uint_eq(c->ledger->starts, 8);
    finish(c);
}
END_TEST

static bool nothing_lives(struct cluster *c)
{
    char what[200];

    return !properties_left_over(c, what, sizeof what);
}

START_TEST(the_tasks_of_a_framework_that_does_not_come_back_are_ended)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2, .failover_timeout = 60 });

    add_many(c, 6, "sleep 100000");
    ck_assert(cluster_wait(c, some_run, SOON));
    cluster_kill(&c->frameworks[0]);
    cluster_run(c, SECONDS(50));
    ck_assert(!nothing_lives(c));
    ck_assert(cluster_wait(c, nothing_lives, MINUTES(5)));
    ck_assert_str_eq(c->ledger->violation, "");
    cluster_destroy(c);
}
END_TEST

START_TEST(a_teardown_ends_all_tasks)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });

    add_many(c, 6, "sleep 100000");
    ck_assert(cluster_wait(c, some_run, SOON));
    work_teardown(work_of(c, 0));
    ck_assert(cluster_wait(c, nothing_lives, MINUTES(5)));
    cluster_destroy(c);
}
END_TEST

/* ---- roles that are killed ---- */

START_TEST(tasks_survive_the_restarts_of_the_master)
{
    struct cluster *c = start((struct cluster_options){ .agents = 3 });

    add_many(c, 30, "sleep 20");
    for (int i = 0; i < 5; i++) {
        cluster_run(c, SECONDS(9));
        cluster_restart(&c->master);
    }
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 30);
    finish(c);
}
END_TEST

START_TEST(fifty_tasks_survive_the_restarts_of_their_agent)
{
    struct cluster *c = start((struct cluster_options){ .resources = "cpus:30;mem:8192;disk:100" });

    add_many(c, 25, "sleep 15");
    add_many(c, 25, "sleep 40; exit 2");
    for (int i = 0; i < 10; i++) {
        cluster_run(c, MILLISECONDS(2000 + 331 * i));
        cluster_restart(&c->agents[0]);
    }
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 25);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FAILED), 25);
    ck_assert_uint_eq(c->ledger->starts, 50);
    finish(c);
}
END_TEST

START_TEST(the_tasks_of_a_machine_that_lost_power_have_an_end)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });

    add_many(c, 8, "sleep 100");
    ck_assert(cluster_wait(c, some_run, SOON));
    cluster_run(c, SECONDS(3));
    cluster_crash(&c->agents[0]);
    cluster_run(c, SECONDS(20));
    cluster_start(&c->agents[0]);
    finish(c);
}
END_TEST

START_TEST(tasks_survive_the_death_of_their_launcher)
{
    struct cluster *c = start((struct cluster_options){ 0 });

    add_many(c, 16, "sleep 20");
    ck_assert(cluster_wait(c, some_run, MINUTES(2)));
    ck_assert_int_eq(cluster_kill_launcher(&c->agents[0]), 0);
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 16);
    finish(c);
}
END_TEST

START_TEST(a_master_knows_its_agents_after_a_power_loss)
{
    struct cluster *c = start((struct cluster_options){ .agents = 3 });
    struct watch_for *again;

    ck_assert(cluster_wait(c, is_registered, SOON));
    again = cluster_watch(c, "RegisterSlaveMessage");
    cluster_crash(&c->master);
    cluster_run(c, SECONDS(5));
    cluster_start(&c->master);
    add_many(c, 12, "sleep 1");
    converge(c);
    ck_assert_uint_eq(again->seen, 0); /* all came back by their ids */
    finish(c);
}
END_TEST

/* ---- partitions ---- */

START_TEST(a_short_partition_harms_no_task)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });

    add_many(c, 8, "sleep 100");
    ck_assert(cluster_wait(c, some_run, SOON));
    cluster_partition(&c->master, &c->agents[0], true);
    cluster_run(c, SECONDS(40));
    cluster_partition(&c->master, &c->agents[0], false);
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 8);
    finish(c);
}
END_TEST

static bool one_is_unreachable(struct cluster *c)
{
    list_each (t, &work_of(c, 0)->tasks, struct work_task, link)
        if (t->state == PB__TASK_STATE__TASK_UNREACHABLE)
            return true;
    return false;
}

static bool all_twelve_run(struct cluster *c)
{
    return c->ledger->starts >= 12;
}

START_TEST(tasks_behind_a_long_partition_are_unreachable_and_come_back)
{
    struct cluster *c = start((struct cluster_options){ .agents = 2 });

    add_many(c, 12, "sleep 300"); /* more than one agent has room for */
    ck_assert(cluster_wait(c, all_twelve_run, MINUTES(2)));
    cluster_run(c, SECONDS(3));
    cluster_partition(&c->master, &c->agents[0], true);
    ck_assert(!cluster_wait(c, one_is_unreachable, SECONDS(60)));
    ck_assert(cluster_wait(c, one_is_unreachable, SECONDS(60)));
    cluster_run(c, SECONDS(60));
    cluster_partition(&c->master, &c->agents[0], false);
    converge(c);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 12);
    finish(c);
}
END_TEST

/* ---- one step after the other ---- */

static const char *const steps[] = {
    "RegisterSlaveMessage",
    "SlaveRegisteredMessage",
    "UpdateSlaveMessage",
    "Call:SUBSCRIBE",
    "FrameworkRegisteredMessage",
    "ResourceOffersMessage",
    "Call:ACCEPT",
    "Call:SUPPRESS",
    "RunTaskMessage",
    "StatusUpdateMessage",
    "Call:ACKNOWLEDGE",
    "StatusUpdateAcknowledgementMessage",
    "PingSlaveMessage",
    "PongSlaveMessage",
    "RegisterExecutorMessage",
    "ExecutorRegisteredMessage",
    "ExitedExecutorMessage",
    "Call:KILL",
    "KillTaskMessage",
    "Call:RECONCILE",
};

START_TEST(a_connection_may_break_at_any_step)
{
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct cluster *c = start((struct cluster_options){ .seed = seed });
            struct watch_for *w = cluster_break_at(c, steps[i]);

            add_many(c, 3, "sleep 40");
            work_kill(work_add(work_of(c, 0), "sleep 1000", 0.1, 32));
            work_add(work_of(c, 0), "sleep 2", 0.1, 32)->custom = true;
            converge(c);
            ck_assert_msg(w->seen > 0, "%s was never seen", steps[i]);
            cluster_destroy(c);
        }
}
END_TEST

START_TEST(updates_and_acknowledgements_that_are_lost_are_said_again)
{
    struct cluster *c = start((struct cluster_options){ 0 });
    struct watch_for *update = cluster_drop(c, "master/StatusUpdateMessage", 4);
    struct watch_for *ack = cluster_drop(c, "slave(1)/StatusUpdateAcknowledgementMessage", 4);

    add_many(c, 4, "sleep 5");
    converge(c);
    ck_assert_uint_eq(update->drop, 0);
    ck_assert_uint_eq(ack->drop, 0);
    ck_assert_uint_eq(work_count(work_of(c, 0), PB__TASK_STATE__TASK_FINISHED), 4);
    finish(c);
}
END_TEST

START_TEST(a_disk_that_is_full_for_a_while_loses_nothing)
{
    struct cluster *c = start((struct cluster_options){ .agents = 1 });

    add_many(c, 4, "sleep 30");
    ck_assert(cluster_wait(c, some_run, SOON));
    sim_disk_full(c->agents[0].node, true);
    add_many(c, 4, "sleep 1");
    ck_assert(!cluster_wait(c, never, SECONDS(20)));
    sim_disk_full(c->agents[0].node, false);
    finish(c);
}
END_TEST

UNIT(cluster, agents_and_frameworks_register, tasks_run_to_their_ends,
     a_task_whose_command_fails_is_failed_with_its_status, a_killed_task_is_killed,
     a_task_that_no_agent_has_room_for_waits, a_declined_offer_is_made_again,
     a_custom_executor_runs_many_tasks_over_the_wire, a_framework_fails_over_and_keeps_its_tasks,
     the_tasks_of_a_framework_that_does_not_come_back_are_ended, a_teardown_ends_all_tasks,
     tasks_survive_the_restarts_of_the_master, fifty_tasks_survive_the_restarts_of_their_agent,
     the_tasks_of_a_machine_that_lost_power_have_an_end, tasks_survive_the_death_of_their_launcher,
     a_master_knows_its_agents_after_a_power_loss, a_short_partition_harms_no_task,
     tasks_behind_a_long_partition_are_unreachable_and_come_back,
     a_connection_may_break_at_any_step, updates_and_acknowledgements_that_are_lost_are_said_again,
     a_disk_that_is_full_for_a_while_loses_nothing);
