/* test_registrar.c - what the master has promised to remember, in every store */
#include "master/registry/registrar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "process/message.h"
#include "process/metrics_timer.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "tests/unit.h"

#define PATH "/registry.db"

struct world {
    struct sim *sim;
    struct sim_node *node;
    struct host *host;
    struct runtime *rt;
    struct registrar *registrar;
};

static void boot(struct world *w)
{
    struct runtime_options options = { .bind = { .ip = 0x0a000001, .port = 5050 } };
    struct registry *registry;
    struct error err;

    w->host = sim_host_create(w->node, "master");
    w->rt = runtime_create(w->host, &options, &err);
    ck_assert_msg(w->rt != NULL, "runtime");
    registry = sqlite_registry_open(w->rt, PATH, &err);
    ck_assert_msg(registry != NULL, "%s", registry ? "" : err.text);
    w->registrar = registrar_create(w->rt, registry, &err);
    ck_assert_msg(w->registrar != NULL, "registrar");
}

static void shut(struct world *w)
{
    registrar_destroy(w->registrar);
    runtime_destroy(w->rt);
    host_destroy(w->host);
}

static struct world start(uint64_t seed)
{
    struct world w = { .sim = sim_create(seed) };

    w.node = sim_node_create(w.sim, "m", 0x0a000001);
    boot(&w);
    return w;
}

static void stop(struct world *w)
{
    shut(w);
    sim_destroy(w->sim);
}

static struct future *settled(struct world *w, struct future *f)
{
    ck_assert(future_wait(f, w->host, MINUTES(1)));
    return f;
}

/* 1: changed; 0: was so; -1: refused or failed. */
static int outcome(struct world *w, struct future *f)
{
    int result;

    settled(w, f);
    result = future_state(f) == FUTURE_READY ? *registrar_changed_get(f) : -1;
    future_unref(f);
    return result;
}

static struct future *admit(struct world *w, const char *id)
{
    Pb__AgentID agent = PB__AGENT_ID__INIT;
    Pb__AgentInfo info = PB__AGENT_INFO__INIT;

    agent.value = id;
    info.id = &agent;
    info.hostname = "host";
    return registrar_admit(w->registrar, &info);
}

static struct agent_id id_of(const char *text)
{
    struct agent_id id;

    ck_assert_int_eq(agent_id_parse(text, &id, NULL), 0);
    return id;
}

static int mark(struct world *w, struct future *(*how)(struct registrar *, struct agent_id),
                const char *text)
{
    struct agent_id id = id_of(text);
    int result = outcome(w, how(w->registrar, id));

    agent_id_release(&id);
    return result;
}

/* All agents and their states: "a:0 b:2". */
static void check_known(struct world *w, const char *want)
{
    struct future *f = settled(w, registrar_recover(w->registrar));
    const struct registry_snapshot *s;
    struct buffer got = BUFFER_INIT;

    ck_assert_int_eq(future_state(f), FUTURE_READY);
    s = registry_snapshot_get(f);
    for (size_t i = 0; i < s->n; i++) {
        buffer_printf(&got, "%s%s:%d", i ? " " : "", agent_id_text(&s->agents[i].id),
                      (int)s->agents[i].state);
    }
    ck_assert_str_eq(buffer_data(&got), want);
    buffer_release(&got);
    future_unref(f);
}

START_TEST(what_was_admitted_is_there_after_a_crash)
{
    struct world w = start(1);

    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 1);
    ck_assert_int_eq(outcome(&w, admit(&w, "b")), 1);
    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 0);
    sim_node_crash(w.node);
    shut(&w);
    boot(&w);
    check_known(&w, "a:0 b:0");
    stop(&w);
}
END_TEST

START_TEST(states_survive_and_gone_is_for_ever)
{
    struct world w = start(2);
    struct future *recovered = settled(&w, registrar_recover(w.registrar));

    future_unref(recovered);
    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 1);
    ck_assert_int_eq(outcome(&w, admit(&w, "b")), 1);
    ck_assert_int_eq(mark(&w, registrar_mark_unreachable, "a"), 1);
    ck_assert_int_eq(mark(&w, registrar_mark_unreachable, "a"), 0);
    ck_assert_int_eq(mark(&w, registrar_mark_gone, "b"), 1);
    ck_assert_int_eq(outcome(&w, admit(&w, "b")), -1);
    ck_assert_int_eq(mark(&w, registrar_mark_unreachable, "nobody"), -1);
    shut(&w);
    boot(&w);
    check_known(&w, "a:1 b:2");
    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 1);
    ck_assert_int_eq(mark(&w, registrar_remove, "b"), 1);
    shut(&w);
    boot(&w);
    check_known(&w, "a:0");
    stop(&w);
}
END_TEST

START_TEST(what_was_answered_survives_whenever_power_fails)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world w = start(seed);
        struct future *f[8];
        char id[8];
        unsigned answered = 0;
        struct registry_snapshot snapshot;

        future_unref(settled(&w, registrar_recover(w.registrar)));
        for (unsigned i = 0; i < 8; i++) {
            snprintf(id, sizeof id, "a%u", i);
            f[i] = admit(&w, id);
        }
        sim_run_for(w.sim, MICROSECONDS(sim_random_below(w.sim, 20000)));
        for (unsigned i = 0; i < 8; i++)
            answered += future_state(f[i]) == FUTURE_READY;
        sim_node_crash(w.node);
        shut(&w);
        for (unsigned i = 0; i < 8; i++)
            future_unref(f[i]);
        boot(&w);
        f[0] = settled(&w, registrar_recover(w.registrar));
        snapshot = *registry_snapshot_get(f[0]);
        ck_assert_msg(snapshot.n >= answered, "seed %u: %u answered, %u there", (unsigned)seed,
                      answered, (unsigned)snapshot.n);
        future_unref(f[0]);
        stop(&w);
    }
}
END_TEST

START_TEST(a_full_disk_is_a_failure_that_says_so)
{
    struct world w = start(3);
    struct future *f;

    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 1);
    sim_disk_full(w.node, true);
    f = settled(&w, admit(&w, "b"));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_ptr_nonnull(strstr(future_error(f)->text, "full"));
    future_unref(f);
    stop(&w);
}
END_TEST

START_TEST(the_registry_in_memory_forgets)
{
    struct world w = start(4);
    struct error err;

    registrar_destroy(w.registrar);
    w.registrar = registrar_create(w.rt, memory_registry_create(), &err);
    future_unref(settled(&w, registrar_recover(w.registrar)));
    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 1);
    ck_assert_int_eq(outcome(&w, admit(&w, "a")), 0);
    registrar_destroy(w.registrar);
    w.registrar = registrar_create(w.rt, memory_registry_create(), &err);
    check_known(&w, "");
    stop(&w);
}
END_TEST

static void see_figure(void *arg, const char *suffix, double value)
{
    if (strcmp(suffix, "/count") == 0)
        *(double *)arg = value;
}

START_TEST(each_store_is_timed)
{
    struct world w = start(5);
    struct metrics_timer *t = metrics_timer(w.rt, "registrar/state_store", DAYS(1));
    double count = 0;

    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(outcome(&w, admit(&w, "a")), 0);
    ck_assert(runtime_clock_settle(w.rt, MINUTES(1)));
    metrics_timer_each(t, see_figure, &count);
    ck_assert_double_eq(count, 3);
    stop(&w);
}
END_TEST

UNIT(registrar, what_was_admitted_is_there_after_a_crash, states_survive_and_gone_is_for_ever,
     what_was_answered_survives_whenever_power_fails, a_full_disk_is_a_failure_that_says_so,
     the_registry_in_memory_forgets, each_store_is_timed);
