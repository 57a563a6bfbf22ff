/* test_executor_http.c - executors that speak HTTP, and an agent that is killed at each step
 *
 * A step is an event of an actor: whatever a role does, it does in one.
 */
#include <check.h>
#include <string.h>

#include "cluster.h"
#include "properties.h"
#include "tests/unit.h"

#define CALM MINUTES(30)
#define STEPS_AT_LEAST 100

static struct cluster *start(uint64_t seed)
{
    struct cluster_options options = { .seed = seed, .check_every = 1 };
    struct cluster *c = cluster_create(&options);

    for (unsigned i = 0; i < 4; i++) {
        struct work_task *t =
            work_add(c->frameworks[0].work, i % 2 ? "sleep 2; exit 1" : "sleep 1", 0.5, 64);

        t->custom = t->http = true;
    }
    return c;
}

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

static unsigned count(struct cluster *c, Pb__TaskState state)
{
    return work_count(c->frameworks[0].work, state);
}

static void check_all_ran(struct cluster *c)
{
    ck_assert_uint_eq(count(c, PB__TASK_STATE__TASK_FINISHED), 2);
    ck_assert_uint_eq(count(c, PB__TASK_STATE__TASK_FAILED), 2);
    ck_assert_uint_eq(c->ledger->starts, 4);
}

START_TEST(tasks_run_to_their_ends_over_http)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct cluster *c = start(seed); /* JSON or protobuf, each way, is chance */

        converge(c);
        check_all_ran(c);
        cluster_destroy(c);
    }
}
END_TEST

/* ---- at each step ---- */

static unsigned wanted;

static bool is_at_step(struct cluster *c)
{
    return c->events >= wanted || cluster_is_quiet(c);
}

/* False: all was over before the step came. */
static bool run_to(struct cluster *c, unsigned step)
{
    wanted = step;
    cluster_wait(c, is_at_step, CALM);
    ck_assert(c->events >= STEPS_AT_LEAST || c->events >= step);
    return !cluster_is_quiet(c);
}

/* With the agent killed a task may be dropped that its executor was not given in time; none may
 * run twice, none may be without an end, and each that ran has its own. */
START_TEST(an_agent_may_be_killed_at_any_step)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        for (unsigned step = 1;; step++) {
            struct cluster *c = start(seed);
            bool reached = run_to(c, step);

            if (reached)
                cluster_restart(&c->agents[0]);
            converge(c);
            if (c->ledger->starts == 4 && count(c, PB__TASK_STATE__TASK_DROPPED) == 0)
                check_all_ran(c);
            cluster_destroy(c);
            if (!reached)
                break;
        }
}
END_TEST

START_TEST(the_executors_connections_may_break_at_any_step)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        for (unsigned step = 1;; step++) {
            struct cluster *c = start(seed);
            bool reached = run_to(c, step);

            if (reached)
                sim_break_connections(c->agents[0].node, c->agents[0].node);
            converge(c);
            check_all_ran(c);
            cluster_destroy(c);
            if (!reached)
                break;
        }
}
END_TEST

START_TEST(an_agent_that_is_away_for_a_while_is_told_what_happened)
{
    struct cluster *c = start(1);
    struct work_task *t = work_add(c->frameworks[0].work, "sleep 30", 0.5, 64);

    t->custom = t->http = true;
    cluster_run(c, SECONDS(10));
    ck_assert_int_eq(t->state, PB__TASK_STATE__TASK_RUNNING);
    cluster_kill(&c->agents[0]);
    cluster_run(c, SECONDS(25));
    cluster_start(&c->agents[0]);
    converge(c);
    ck_assert_int_eq(t->end, PB__TASK_STATE__TASK_FINISHED);
    cluster_destroy(c);
}
END_TEST

UNIT(executor_http, tasks_run_to_their_ends_over_http, an_agent_may_be_killed_at_any_step,
     the_executors_connections_may_break_at_any_step,
     an_agent_that_is_away_for_a_while_is_told_what_happened);
