/* test_allocator.c - what is offered to whom, and when
 *
 * The allocator on the simulated host, with an actor in the master's place that
 * keeps the offers it is handed.
 */
#include "master/allocator/allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "process/metrics.h"
#include "process/metrics_timer.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "process/typed.h"
#include "tests/unit.h"

#define MANY 64

struct offered {
    char framework[40], role[40], agent[40];
    struct resources resources;
    struct instant at;
};

struct listener_state {
    struct process process;
    struct offered v[MANY];
    size_t n;
};

CLASS(listener_state, "master", listener_begins, listener_exited, listener_ends);
static void listener_begins(struct listener_state *l) { (void)l; }
static void listener_exited(struct listener_state *l, const struct pid *p) { (void)l, (void)p; }
static void listener_ends(struct listener_state *l) { (void)l; }

static void hear(struct process *self, const struct allocations *a)
{
    struct listener_state *l = container_of(self, struct listener_state, process);

    for (size_t i = 0; i < a->n; i++) {
        struct offered *o = &l->v[l->n++];

        ck_assert_uint_lt(l->n, MANY);
        snprintf(o->framework, sizeof o->framework, "%s", framework_id_text(&a->framework));
        snprintf(o->role, sizeof o->role, "%s", a->role);
        snprintf(o->agent, sizeof o->agent, "%s", agent_id_text(&a->v[i].agent));
        o->resources = resources_dup(&a->v[i].resources);
        o->at = runtime_now(self->runtime);
    }
}

struct world {
    struct sim *sim;
    struct host *host;
    struct runtime *rt;
    struct listener_state master;
    struct pid pid;
    struct allocator *allocator;
};

static struct world *start(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct runtime_options options = { .bind = { .ip = 0x0a000001, .port = 5050 } };
    struct allocator_options a = { .allocation_interval = SECONDS(1),
                                   .min_allocatable_resources = "cpus:0.01|mem:32" };
    struct error err;

    w->sim = sim_create(1);
    w->host = sim_host_create(sim_node_create(w->sim, "m", 0x0a000001), "master");
    w->rt = runtime_create(w->host, &options, &err);
    ck_assert_msg(w->rt != NULL, "runtime");
    ck_assert_int_eq(process_spawn(w->rt, &w->master.process, &listener_state_class, "master",
                                   &w->pid, &err), 0);
    w->allocator = allocator_create(w->rt, &a, &w->pid, hear, &err);
    ck_assert_msg(w->allocator != NULL, "allocator");
    return w;
}

static void stop(struct world *w)
{
    allocator_destroy(w->allocator);
    runtime_destroy(w->rt);
    host_destroy(w->host);
    sim_destroy(w->sim);
    for (size_t i = 0; i < w->master.n; i++)
        resources_release(&w->master.v[i].resources);
    pid_release(&w->pid);
    free(w);
}

static struct resources amount(const char *text)
{
    struct resources r;
    struct error err;

    ck_assert_msg(resources_parse(text, "*", &r, &err) == 0, "%s", text);
    return r;
}

static struct framework_id framework(const char *text)
{
    struct framework_id id;

    ck_assert_int_eq(framework_id_parse(text, &id, NULL), 0);
    return id;
}

static struct agent_id agent(const char *text)
{
    struct agent_id id;

    ck_assert_int_eq(agent_id_parse(text, &id, NULL), 0);
    return id;
}

static void add_framework(struct world *w, const char *name, const char *role)
{
    struct framework_id id = framework(name);

    allocator_add_framework(w->allocator, id, &role, 1, NULL, 0);
    framework_id_release(&id);
}

static void add_agent(struct world *w, const char *name, const char *total)
{
    struct agent_id id = agent(name);
    struct resources r = amount(total);

    allocator_add_agent(w->allocator, id, 1, &r, NULL, 0);
    agent_id_release(&id);
    resources_release(&r);
}

static void recover(struct world *w, const char *f, const char *a, const char *what,
                    struct duration refuse)
{
    struct framework_id fid = framework(f);
    struct agent_id aid = agent(a);
    struct resources r = amount(what);

    allocator_recover(w->allocator, fid, "*", aid, &r, refuse);
    framework_id_release(&fid);
    agent_id_release(&aid);
    resources_release(&r);
}

static void settle(struct world *w)
{
    sim_run_for(w->sim, MILLISECONDS(1));
}

static void check_offer(struct world *w, size_t i, const char *f, const char *a, const char *what)
{
    struct resources want = amount(what);

    ck_assert_uint_lt(i, w->master.n);
    ck_assert_str_eq(w->master.v[i].framework, f);
    ck_assert_str_eq(w->master.v[i].agent, a);
    ck_assert(resources_equal(&w->master.v[i].resources, &want));
    resources_release(&want);
}

START_TEST(all_of_a_new_agent_is_offered_at_once)
{
    struct world *w = start();

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    ck_assert_uint_eq(w->master.n, 1);
    check_offer(w, 0, "f", "a", "cpus:4;mem:1024");
    stop(w);
}
END_TEST

static void see_figure(void *arg, const char *suffix, double value)
{
    if (strcmp(suffix, "/count") == 0)
        *(double *)arg = value;
}

START_TEST(each_run_is_timed)
{
    struct world *w = start();
    double count = 0;

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    recover(w, "f", "a", "cpus:1;mem:100", SECONDS(0));
    settle(w);
    metrics_timer_each(metrics_timer(w->rt, "allocator/mesos/allocation_run", HOURS(1)), see_figure,
                       &count);
    ck_assert_double_eq(count,
                        counter_value(metrics_counter(w->rt, "allocator/mesos/allocation_runs")));
    ck_assert_double_ge(count, 2);
    stop(w);
}
END_TEST

START_TEST(what_is_given_back_is_offered_again_at_once)
{
    struct world *w = start();

    add_agent(w, "a", "cpus:4;mem:1024");
    add_framework(w, "f", "*");
    settle(w);
    recover(w, "f", "a", "cpus:1;mem:100", SECONDS(0));
    settle(w);
    ck_assert_uint_eq(w->master.n, 2);
    check_offer(w, 1, "f", "a", "cpus:1;mem:100");
    stop(w);
}
END_TEST

START_TEST(the_framework_with_the_smaller_share_is_next)
{
    struct world *w = start();

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    add_framework(w, "g", "*");
    recover(w, "f", "a", "cpus:1;mem:100", SECONDS(0));
    settle(w);
    check_offer(w, 1, "g", "a", "cpus:1;mem:100");
    stop(w);
}
END_TEST

START_TEST(a_refusal_lasts_its_time_for_that_framework_only)
{
    struct world *w = start();
    struct instant refused;

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    refused = runtime_now(w->rt);
    recover(w, "f", "a", "cpus:4;mem:1024", SECONDS(60));
    sim_run_for(w->sim, SECONDS(59));
    ck_assert_uint_eq(w->master.n, 1);
    sim_run_for(w->sim, SECONDS(2));
    ck_assert_uint_eq(w->master.n, 2);
    ck_assert_int_ge(w->master.v[1].at.ns, refused.ns + SECONDS(60).ns);

    recover(w, "f", "a", "cpus:4;mem:1024", SECONDS(60));
    add_framework(w, "g", "*");
    settle(w);
    check_offer(w, 2, "g", "a", "cpus:4;mem:1024");
    stop(w);
}
END_TEST

START_TEST(more_than_was_refused_is_offered)
{
    struct world *w = start();

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    recover(w, "f", "a", "cpus:1;mem:100", SECONDS(60));
    settle(w);
    ck_assert_uint_eq(w->master.n, 1);
    recover(w, "f", "a", "cpus:1;mem:100", SECONDS(0));
    settle(w);
    check_offer(w, 1, "f", "a", "cpus:2;mem:200");
    stop(w);
}
END_TEST

START_TEST(suppressed_is_silent_and_revived_is_not)
{
    struct world *w = start();
    struct framework_id f = framework("f");

    add_framework(w, "f", "*");
    allocator_suppress(w->allocator, f, NULL, 0);
    add_agent(w, "a", "cpus:4;mem:1024");
    sim_run_for(w->sim, MINUTES(1));
    ck_assert_uint_eq(w->master.n, 0);
    allocator_revive(w->allocator, f, NULL, 0);
    settle(w);
    ck_assert_uint_eq(w->master.n, 1);
    framework_id_release(&f);
    stop(w);
}
END_TEST

START_TEST(reviving_forgets_refusals)
{
    struct world *w = start();
    struct framework_id f = framework("f");

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    recover(w, "f", "a", "cpus:4;mem:1024", HOURS(1));
    settle(w);
    allocator_revive(w->allocator, f, NULL, 0);
    settle(w);
    ck_assert_uint_eq(w->master.n, 2);
    framework_id_release(&f);
    stop(w);
}
END_TEST

START_TEST(crumbs_are_not_offered)
{
    struct world *w = start();

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:0.009;mem:31;disk:1000");
    sim_run_for(w->sim, MINUTES(1));
    ck_assert_uint_eq(w->master.n, 0);
    stop(w);
}
END_TEST

START_TEST(what_is_reserved_goes_to_its_role)
{
    struct world *w = start();

    add_framework(w, "f", "*");
    add_framework(w, "g", "prod");
    add_agent(w, "a", "cpus(prod):2;mem(prod):100");
    settle(w);
    ck_assert_uint_eq(w->master.n, 1);
    check_offer(w, 0, "g", "a", "cpus(prod):2;mem(prod):100");
    ck_assert_str_eq(w->master.v[0].role, "prod");
    stop(w);
}
END_TEST

START_TEST(what_tasks_use_already_is_not_offered)
{
    struct world *w = start();
    struct agent_id a = agent("a");
    struct resources total = amount("cpus:4;mem:1024"), used = amount("cpus:3;mem:1000");
    struct allocator_use use = { framework("f"), "*", used };

    allocator_add_agent(w->allocator, a, 1, &total, &use, 1);
    add_framework(w, "f", "*");
    add_framework(w, "g", "*");
    settle(w);
    check_offer(w, 0, "g", "a", "cpus:1;mem:24");          /* f has a share already */
    recover(w, "f", "a", "cpus:3;mem:1000", SECONDS(0));
    settle(w);
    check_offer(w, 1, "f", "a", "cpus:3;mem:1000");
    agent_id_release(&a);
    framework_id_release(&use.framework);
    resources_release(&total);
    resources_release(&used);
    stop(w);
}
END_TEST

START_TEST(an_inactive_agent_is_not_offered_until_it_is_active)
{
    struct world *w = start();
    struct agent_id a = agent("a");

    add_agent(w, "a", "cpus:4;mem:1024");
    allocator_deactivate_agent(w->allocator, a);
    add_framework(w, "f", "*");
    sim_run_for(w->sim, MINUTES(1));
    ck_assert_uint_eq(w->master.n, 0);
    allocator_activate_agent(w->allocator, a);
    settle(w);
    ck_assert_uint_eq(w->master.n, 1);
    agent_id_release(&a);
    stop(w);
}
END_TEST

START_TEST(the_order_of_ends_does_not_matter)
{
    struct world *w = start();
    struct framework_id f = framework("f");
    struct agent_id a = agent("a"), b = agent("b");

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    add_agent(w, "b", "cpus:4;mem:1024");
    settle(w);
    ck_assert_uint_eq(w->master.n, 2);
    allocator_remove_agent(w->allocator, a);               /* the agent before its offers ... */
    recover(w, "f", "a", "cpus:4;mem:1024", SECONDS(5));
    allocator_remove_framework(w->allocator, f);           /* ... the framework before its */
    recover(w, "f", "b", "cpus:4;mem:1024", SECONDS(5));
    add_framework(w, "g", "*");
    settle(w);
    ck_assert_uint_eq(w->master.n, 3);
    check_offer(w, 2, "g", "b", "cpus:4;mem:1024");
    framework_id_release(&f);
    agent_id_release(&a);
    agent_id_release(&b);
    stop(w);
}
END_TEST

START_TEST(with_nothing_to_do_it_does_not_wake_up)
{
    struct world *w = start();
    struct sim_counts before, after;

    add_framework(w, "f", "*");
    add_agent(w, "a", "cpus:4;mem:1024");
    settle(w);
    sim_counts(w->sim, &before);
    sim_run_for(w->sim, HOURS(1));
    sim_counts(w->sim, &after);
    ck_assert_uint_le(after.steps - before.steps, 2);
    stop(w);
}
END_TEST

UNIT(allocator, all_of_a_new_agent_is_offered_at_once, each_run_is_timed,
     what_is_given_back_is_offered_again_at_once, the_framework_with_the_smaller_share_is_next,
     a_refusal_lasts_its_time_for_that_framework_only,
     more_than_was_refused_is_offered, suppressed_is_silent_and_revived_is_not,
     reviving_forgets_refusals, crumbs_are_not_offered, what_is_reserved_goes_to_its_role,
     what_tasks_use_already_is_not_offered, an_inactive_agent_is_not_offered_until_it_is_active,
     the_order_of_ends_does_not_matter, with_nothing_to_do_it_does_not_wake_up);
