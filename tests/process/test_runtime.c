/* test_runtime.c - runtimes in the simulated world: their work, and their ends */
#include "process/runtime.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "process/sim.h"
#include "process/typed.h"
#include "tests/process/node.h"
#include "tests/unit.h"

struct counter_state {
    struct process process;
    int begun, ended, ticks;
};

CLASS(counter_state, "counter", counter_begins, counter_exited, counter_ends);
static void counter_begins(struct counter_state *c)
{
    c->begun++;
}
static void counter_exited(struct counter_state *c UNUSED, const struct pid *peer UNUSED) {}
static void counter_ends(struct counter_state *c)
{
    c->ended++;
}

struct tick_args {
    int left;
    int *released;
};

static void tick_release(struct tick_args *a)
{
    ++*a->released;
}

CALL(counter_state, tick, tick_args, tick_release);

static void tick(struct counter_state *c, struct tick_args *a)
{
    c->ticks++;
    if (a->left > 0)
        delay(&c->process.pid, SECONDS(1), tick, .left = a->left - 1, .released = a->released);
}

struct world {
    struct sim *sim;
    struct host *host;
    struct runtime *rt;
};

static struct world world_start(uint64_t seed)
{
    struct runtime_options options = { .bind = { .ip = 0x0a000001, .port = 5050 }, .workers = 2 };
    struct world w = { .sim = sim_create(seed) };
    struct error err;

    w.host = sim_host_create(sim_node_create(w.sim, "one", 0x0a000001), "test");
    w.rt = runtime_create(w.host, &options, &err);
    ck_assert_msg(w.rt != NULL, "no runtime");
    return w;
}

static void world_stop(struct world *w)
{
    runtime_destroy(w->rt);
    host_destroy(w->host);
    sim_destroy(w->sim);
}

START_TEST(hours_pass_in_no_time)
{
    struct world w = world_start(1);
    struct counter_state c = { .ticks = 0 };
    int released = 0;
    struct pid pid;

    ck_assert_int_eq(process_spawn(w.rt, &c.process, &counter_state_class, NULL, &pid, NULL), 0);
    dispatch(&pid, tick, .left = 7200, .released = &released);
    sim_run_for(w.sim, HOURS(2));
    sim_run_for(w.sim, SECONDS(1));
    ck_assert_int_eq(c.ticks, 7201);
    process_terminate(&pid, TERMINATE_NOW);
    ck_assert(process_wait(&pid, SECONDS(1)));
    ck_assert_int_eq(c.ended, 1);
    ck_assert_int_eq(released, 7201);
    pid_release(&pid);
    world_stop(&w);
}
END_TEST

/* ---- timers that are due at once ---- */

struct chain_args {
    int left;
    bool soon;
};

CALL(counter_state, chain, chain_args, NO_RELEASE);

/* After a second, and then at once, in turn. */
static void chain(struct counter_state *c, struct chain_args *a)
{
    c->ticks++;
    if (a->left > 0)
        delay(&c->process.pid, SECONDS(a->soon ? 0 : 1), chain, .left = a->left - 1,
              .soon = !a->soon);
}

START_TEST(a_timer_without_a_delay_needs_nobody_to_wake_its_keeper)
{
    struct world w = world_start(5);
    struct counter_state c = { .ticks = 0 };
    struct pid pid;

    ck_assert_int_eq(process_spawn(w.rt, &c.process, &counter_state_class, NULL, &pid, NULL), 0);
    dispatch(&pid, chain, .left = 100);
    sim_run_for(w.sim, SECONDS(51));
    ck_assert_int_eq(c.ticks, 101);
    pid_release(&pid);
    world_stop(&w);
}
END_TEST

START_TEST(a_timer_without_a_delay_is_due_while_the_clock_stands)
{
    struct node n = node_start(2);
    struct counter_state c = { .ticks = 0 };
    struct pid pid;

    ck_assert_int_eq(process_spawn(n.rt, &c.process, &counter_state_class, NULL, &pid, NULL), 0);
    runtime_clock_pause(n.rt);
    for (int i = 0; i < 20; i++) {
        dispatch(&pid, chain, .left = 1, .soon = true);
        node_settle(&n);
    }
    ck_assert_int_eq(c.ticks, 40);
    pid_release(&pid);
    node_stop(&n);
}
END_TEST

/* Destroyed with a timer and events outstanding; everything is released. */
static void end_in_the_middle(uint64_t seed, bool killed)
{
    struct world w = world_start(seed);
    struct counter_state c = { .ticks = 0 };
    int released = 0, begun = 1;
    struct pid pid;

    ck_assert_int_eq(process_spawn(w.rt, &c.process, &counter_state_class, NULL, &pid, NULL), 0);
    dispatch(&pid, tick, .left = 100, .released = &released);
    sim_run_for(w.sim, MILLISECONDS(5500));
    begun += c.ticks; /* each tick but the last has begun the next */
    if (killed)
        sim_host_kill(w.host);
    dispatch(&pid, tick, .left = 0, .released = &released);
    begun++;
    pid_release(&pid);
    world_stop(&w);
    ck_assert_int_eq(c.ended, 1);
    ck_assert_int_eq(released, begun);
}

START_TEST(a_runtime_in_the_world_ends_and_releases_everything)
{
    end_in_the_middle(2, false);
}
END_TEST

START_TEST(a_runtime_whose_os_process_was_killed_ends_too)
{
    end_in_the_middle(3, true);
}
END_TEST

/* ---- lines of the log that are written outside of turns ---- */

struct speaker {
    struct host *host;
    struct runtime *rt;
    struct stream *stream;
    char lines[4000];
    size_t length;
    _Atomic int heard;
};

static void keep_line(void *arg, const char *line, size_t length)
{
    struct speaker *s = arg;

    ck_assert_uint_lt(s->length + length, sizeof s->lines);
    memcpy(s->lines + s->length, line, length);
    s->length += length;
}

static struct instant eleven(void *arg UNUSED)
{
    return (struct instant){ HOURS(11).ns };
}

static void speak(struct speaker *s, const char *what)
{
    ck_assert_ptr_null(process_current());
    log_info("%s", what);
    s->heard++;
    host_notify(s->host);
}

static void on_work(void *arg)
{
    speak(arg, "working");
}
static void on_done(void *arg)
{
    speak(arg, "done");
}
static void on_resolved(void *arg, const struct error *err UNUSED, uint32_t ip UNUSED)
{
    speak(arg, "resolved");
}
static void on_connected(void *arg, const struct error *err)
{
    struct speaker *s = arg;

    ck_assert_ptr_nonnull(err);
    stream_close(s->stream);
    speak(s, "connected");
}

static void ask_everything(void *arg)
{
    static const struct stream_events events = { .connected = on_connected };
    struct speaker *s = arg;
    struct loop *l = runtime_loop(s->rt);

    host_async(l, on_work, on_done, s);
    host_resolve(l, "localhost", on_resolved, s);
    s->stream = host_connect_path(l, "/no/such/socket", &events, s);
}

static bool four_heard(void *arg)
{
    return ((struct speaker *)arg)->heard == 4;
}

static void check_speaker(struct host *h, uint32_t ip)
{
    struct speaker s = { .host = h };
    struct log *log = log_create(keep_line, &s, eleven, NULL);
    struct runtime_options o = { .bind = { .ip = ip }, .workers = 1, .log = log };
    struct error err;

    s.rt = runtime_create(h, &o, &err);
    ck_assert_msg(s.rt != NULL, "%s", s.rt ? "" : err.text);
    runtime_on_loop(s.rt, runtime_loop(s.rt), ask_everything, &s);
    ck_assert(host_wait(h, four_heard, &s, INSTANT_NEVER));
    runtime_destroy(s.rt);
    host_destroy(h);
    for (const char *const *what =
             (const char *const[]){ "working", "done", "resolved", "connected", NULL };
         *what; what++)
        ck_assert_msg(strstr(s.lines, *what) != NULL, "%s is missing in: %s", *what, s.lines);
    ck_assert_int_eq(strncmp(s.lines, "I0101 11:00:00.000000", 21), 0);
    log_destroy(log);
}

START_TEST(callbacks_of_a_loop_write_into_the_log_of_their_node)
{
    check_speaker(host_real_create(), 0x7f000001);
}
END_TEST

START_TEST(callbacks_write_into_the_log_of_their_node_in_the_world_too)
{
    struct sim *sim = sim_create(4);

    check_speaker(sim_host_create(sim_node_create(sim, "one", 0x0a000001), "test"), 0x0a000001);
    sim_destroy(sim);
}
END_TEST

START_TEST(a_port_that_is_taken_is_an_error_with_a_reason)
{
    struct node n = node_start(1);
    struct runtime_options options = { .bind = runtime_address(n.rt) };
    struct error err = { 0 };

    ck_assert_ptr_null(runtime_create(n.host, &options, &err));
    ck_assert_int_gt(err.code, 0);
    node_stop(&n);
}
END_TEST

START_TEST(numeric_pids_resolve_at_once_and_names_by_the_host)
{
    struct node n = node_start(1);
    struct future *f = runtime_resolve_pid(n.rt, "master@127.0.0.1:5050");
    struct future *wrong = runtime_resolve_pid(n.rt, "master");
    struct future *named = runtime_resolve_pid(n.rt, "master@localhost:5050");
    const struct pid *pid;

    pid = future_value(f, &runtime_pid_type);
    ck_assert_str_eq(pid->id->bytes, "master");
    ck_assert_int_eq(future_state(wrong), FUTURE_FAILED);
    ck_assert(future_wait(named, n.host, LONG));
    ck_assert(pid_equal(pid, future_value(named, &runtime_pid_type)));
    future_unref(f);
    future_unref(wrong);
    future_unref(named);
    node_stop(&n);
}
END_TEST

UNIT(runtime, hours_pass_in_no_time, a_timer_without_a_delay_needs_nobody_to_wake_its_keeper,
     a_timer_without_a_delay_is_due_while_the_clock_stands,
     a_runtime_in_the_world_ends_and_releases_everything,
     a_runtime_whose_os_process_was_killed_ends_too,
     callbacks_of_a_loop_write_into_the_log_of_their_node,
     callbacks_write_into_the_log_of_their_node_in_the_world_too,
     a_port_that_is_taken_is_an_error_with_a_reason,
     numeric_pids_resolve_at_once_and_names_by_the_host);
