/* test_subprocess_pipe.c - what goes into children and comes out, on both hosts */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/sim.h"
#include "process/subprocess.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { BIG = 10 * 1000 * 1000, WRITES = 100 };

static struct subprocess *start(struct node *n, const char *command)
{
    char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                           (char *)(uintptr_t)command, NULL };
    struct child_spec spec = {
        .path = "sh", .argv = argv, .in = CHILD_PIPE, .out = CHILD_PIPE, .err = CHILD_PIPE
    };
    struct error err;
    struct subprocess *s = subprocess_spawn(n->rt, &spec, &err);

    ck_assert_msg(s != NULL, "%s", s ? "" : err.text);
    return s;
}

static int status_of(struct node *n, struct subprocess *s)
{
    struct future *f = subprocess_wait(s);
    int status;

    ck_assert(future_wait(f, n->host, LONG));
    status = *subprocess_status_get(f);
    future_unref(f);
    return status;
}

/* Takes f. */
static void check_bytes(struct node *n, struct future *f, const char *expected)
{
    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
    ck_assert_str_eq(bytes_get(f)->data, expected);
    ck_assert_uint_eq(bytes_get(f)->size, strlen(expected));
    future_unref(f);
}

/* They may come in pieces; f, which is taken, is a read that was asked for already. */
static void check_next(struct node *n, struct subprocess *s, struct future *f, const char *expected)
{
    struct buffer got = BUFFER_INIT;

    for (;;) {
        ck_assert(future_wait(f, n->host, LONG));
        buffer_append_text(&got, bytes_get(f)->data);
        future_unref(f);
        if (buffer_length(&got) >= strlen(expected))
            break;
        f = subprocess_read(s, SUBPROCESS_OUT);
    }
    ck_assert_str_eq(buffer_data(&got), expected);
    buffer_release(&got);
}

static void check_fails(struct node *n, struct future *f, int code, const char *words)
{
    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_int_eq(future_error(f)->code, code);
    ck_assert_msg(strstr(future_error(f)->text, words), "%s", future_error(f)->text);
    future_unref(f);
}

static void check_written(struct node *n, struct future *f)
{
    ck_assert(future_wait(f, n->host, LONG));
    ck_assert_int_eq(future_state(f), FUTURE_READY);
    future_unref(f);
}

static char pattern(size_t i)
{
    return (char)(i * 31 ^ i >> 8);
}

/* ---- on both hosts: they are given a child that echoes ---- */

static void write_big(struct subprocess *s, size_t size, struct future *writes[WRITES])
{
    char *bytes = mem_alloc(size / WRITES);

    for (size_t w = 0; w < WRITES; w++) {
        for (size_t i = 0; i < size / WRITES; i++)
            bytes[i] = pattern(w * (size / WRITES) + i);
        writes[w] = subprocess_write(s, bytes, size / WRITES);
    }
    mem_free(bytes);
}

static void check_big_both_ways(struct node *n, struct subprocess *s, size_t size)
{
    struct future *writes[WRITES], *all = subprocess_read_all(s, SUBPROCESS_OUT, size);
    const struct bytes *got;

    write_big(s, size, writes);
    subprocess_close(s, SUBPROCESS_IN);
    ck_assert(future_wait(all, n->host, LONG));
    ck_assert_msg(future_state(all) == FUTURE_READY, "%s",
                  future_state(all) == FUTURE_FAILED ? future_error(all)->text : "discarded");
    got = bytes_get(all);
    ck_assert_uint_eq(got->size, size);
    for (size_t i = 0; i < size; i++)
        if (got->data[i] != pattern(i))
            ck_abort_msg("byte %zu differs", i);
    for (size_t w = 0; w < WRITES; w++)
        check_written(n, writes[w]);
    ck_assert_int_eq(status_of(n, s), 0);
    future_unref(all);
}

static void check_in_turns(struct node *n, struct subprocess *s)
{
    struct future *early = subprocess_read(s, SUBPROCESS_OUT);

    check_written(n, subprocess_write(s, "one", 3));
    check_next(n, s, early, "one");
    check_written(n, subprocess_write(s, "two", 3));
    check_written(n, subprocess_write(s, "", 0));
    check_next(n, s, subprocess_read(s, SUBPROCESS_OUT), "two");
    subprocess_close(s, SUBPROCESS_IN);
    check_bytes(n, subprocess_read(s, SUBPROCESS_OUT), "");
    check_bytes(n, subprocess_read(s, SUBPROCESS_OUT), "");
    check_bytes(n, subprocess_read_all(s, SUBPROCESS_OUT, 0), "");
    check_fails(n, subprocess_write(s, "late", 4), EPIPE, "We have closed");
    ck_assert_int_eq(status_of(n, s), 0);
}

static void check_discarded_read(struct node *n, struct subprocess *s)
{
    struct future *never = subprocess_read(s, SUBPROCESS_OUT);
    struct future *next = subprocess_read(s, SUBPROCESS_OUT);

    future_discard(never);
    ck_assert(future_wait(never, n->host, LONG));
    ck_assert_int_eq(future_state(never), FUTURE_DISCARDED);
    future_unref(never);
    check_written(n, subprocess_write(s, "kept", 4));
    check_next(n, s, next, "kept");
    subprocess_close(s, SUBPROCESS_IN);
    ck_assert_int_eq(status_of(n, s), 0);
}

/* Its input ends with the handle; what was asked before is still answered. */
static void check_unref_closes(struct node *n, struct subprocess *s)
{
    struct future *written = subprocess_write(s, "goodbye", 7);
    struct future *all = subprocess_read_all(s, SUBPROCESS_OUT, 100), *status = subprocess_wait(s);

    subprocess_unref(s);
    check_written(n, written);
    check_bytes(n, all, "goodbye");
    ck_assert(future_wait(status, n->host, LONG));
    ck_assert_int_eq(*subprocess_status_get(status), 0);
    future_unref(status);
}

/* So is what takes longer: a read that nothing has come for, and more than a pipe holds. */
static void check_unref_waits(struct node *n, struct subprocess *s, size_t big)
{
    struct future *read = subprocess_read(s, SUBPROCESS_OUT), *status = subprocess_wait(s);
    struct future *writes[WRITES];

    node_settle(n); /* the read waits */
    write_big(s, big, writes);
    subprocess_unref(s);
    ck_assert(future_wait(read, n->host, LONG));
    ck_assert_int_eq(future_state(read), FUTURE_READY);
    ck_assert_uint_gt(bytes_get(read)->size, 0);
    ck_assert(future_wait(status, n->host, LONG)); /* its output goes to nobody */
    for (size_t w = 0; w < WRITES; w++) {
        ck_assert(future_wait(writes[w], n->host, LONG));
        future_unref(writes[w]);
    }
    future_unref(read);
    future_unref(status);
}

static void check_all(struct node *n, struct subprocess *(*echo)(struct node *n), size_t big)
{
    struct subprocess *s;

    s = echo(n);
    check_big_both_ways(n, s, big);
    subprocess_unref(s);
    s = echo(n);
    check_in_turns(n, s);
    subprocess_unref(s);
    s = echo(n);
    check_discarded_read(n, s);
    subprocess_unref(s);
    check_unref_closes(n, echo(n));
    check_unref_waits(n, echo(n), big);
}

static struct subprocess *start_cat(struct node *n)
{
    return start(n, "exec cat");
}

START_TEST(what_goes_in_comes_out)
{
    struct node n = node_start(2);

    check_all(&n, start_cat, BIG);
    node_stop(&n);
}
END_TEST

/* ---- the same in the simulated world, whose cat is this ---- */

struct cat {
    struct host *host;
    struct loop *loop;
    struct child_pipes pipes;
    struct buffer kept;
    bool ended;
};

static bool idle(void *arg UNUSED)
{
    return false;
}

static void cat_want(struct cat *c)
{
    bool full = buffer_length(&c->kept) > 0;

    if (c->ended && !full)
        sim_program_exit(c->host, 0);
    else
        stream_want(c->pipes.in, !full && !c->ended, false);
    stream_want(c->pipes.out, false, full);
}

static void cat_reads(void *arg)
{
    struct cat *c = arg;
    char bytes[10000];
    struct error err;
    ssize_t n = stream_read(c->pipes.in, bytes, sizeof bytes, &err);

    if (n > 0)
        buffer_append(&c->kept, bytes, (size_t)n);
    c->ended = n == 0;
    cat_want(c);
}

static void cat_writes(void *arg)
{
    struct cat *c = arg;
    struct stream_bytes v = { buffer_data(&c->kept), buffer_length(&c->kept) };
    struct error err;
    ssize_t n = stream_write(c->pipes.out, &v, 1, &err);

    if (n < 0 && err.code != EAGAIN) {
        sim_program_exit(c->host, 1); /* as SIGPIPE would end it */
        return;
    }
    if (n > 0)
        buffer_consume(&c->kept, (size_t)n);
    cat_want(c);
}

static void *cat_start(struct host *h, const struct child_spec *spec)
{
    static const struct stream_events in = { .readable = cat_reads };
    static const struct stream_events out = { .writable = cat_writes };
    struct cat *c = mem_alloc(sizeof *c);

    c->host = h;
    c->loop = host_loop_start(h, idle, NULL);
    c->pipes = *spec->pipes;
    stream_attach(c->pipes.in, c->loop, &in, c);
    stream_attach(c->pipes.out, c->loop, &out, c);
    cat_want(c);
    return c;
}

static void cat_stop(void *state)
{
    struct cat *c = state;

    buffer_release(&c->kept);
    host_loop_stop(c->loop);
    mem_free(c);
}

static const struct sim_program cat_program = { "sh", cat_start, NULL, cat_stop };

struct sim_place {
    struct sim *sim;
    struct node node;
};

static struct sim_place sim_place_open(uint64_t seed)
{
    struct sim_place p = { .sim = sim_create(seed) };
    struct runtime_options options = { .bind = { 0x0a000001, 5050 } };
    struct error err;

    sim_program_add(p.sim, &cat_program);
    p.node.host = sim_host_create(sim_node_create(p.sim, "one", 0x0a000001), "parent");
    p.node.rt = runtime_create(p.node.host, &options, &err);
    ck_assert_ptr_nonnull(p.node.rt);
    return p;
}

static void sim_place_close(struct sim_place *p)
{
    node_stop(&p->node);
    sim_destroy(p->sim);
}

START_TEST(it_is_the_same_in_the_simulated_world)
{
    for (uint64_t seed = 1; seed < 10; seed++) {
        struct sim_place p = sim_place_open(seed);

        check_all(&p.node, start_cat, BIG / 10);
        sim_place_close(&p);
    }
}
END_TEST

START_TEST(a_simulated_child_that_is_killed_ends_its_pipes)
{
    struct sim_place p = sim_place_open(3);
    struct subprocess *s = start(&p.node, "");
    struct future *all = subprocess_read_all(s, SUBPROCESS_OUT, 100);

    check_written(&p.node, subprocess_write(s, "so far", 6));
    sim_run_for(p.sim, SECONDS(1));
    ck_assert_int_eq(subprocess_signal(s, SIGKILL, NULL), 0);
    check_bytes(&p.node, all, "so far");
    ck_assert_int_eq(status_of(&p.node, s), SIGKILL);
    sim_run_for(p.sim, SECONDS(1));
    future_unref(subprocess_write(s, "x", 1)); /* may still seem to pass */
    sim_run_for(p.sim, SECONDS(1));
    check_fails(&p.node, subprocess_write(s, "y", 1), EPIPE, "does not read");
    subprocess_unref(s);
    sim_place_close(&p);
}
END_TEST

static int refuse(void *arg UNUSED, pid_t pid UNUSED, struct error *err)
{
    return error_set(err, EXDEV, "the moon is not full");
}

START_TEST(the_simulated_world_runs_hooks_and_says_what_it_does_not_have)
{
    struct sim_place p = sim_place_open(3);
    char *const argv[] = { (char *)(uintptr_t) "sh", NULL };
    const struct child_hook hook = { refuse, NULL };
    struct child_spec spec = { .path = "sh", .argv = argv, .hooks = &hook, .n_hooks = 1 };
    struct error err;

    ck_assert_ptr_null(subprocess_spawn(p.node.rt, &spec, &err));
    ck_assert_str_eq(err.text, "cannot start sh: the moon is not full");
    spec.n_hooks = 0;
    spec.out = CHILD_FD;
    ck_assert_ptr_null(subprocess_spawn(p.node.rt, &spec, &err));
    ck_assert_int_eq(err.code, ENOTSUP);
    sim_place_close(&p);
}
END_TEST

/* ---- ends that come early ---- */

START_TEST(a_child_that_reads_no_more_is_a_failure_and_no_death_of_ours)
{
    struct node n = node_start(1);
    struct subprocess *s = start(&n, "exec 0<&-; echo closed; exec sleep 100000");

    check_bytes(&n, subprocess_read(s, SUBPROCESS_OUT), "closed\n");
    check_fails(&n, subprocess_write(s, "x", 1), EPIPE, "does not read its input any more");
    check_fails(&n, subprocess_write(s, "y", 1), EPIPE, "does not read its input any more");
    ck_assert_int_eq(subprocess_signal(s, SIGKILL, NULL), 0);
    ck_assert_int_eq(status_of(&n, s), SIGKILL);
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(output_beyond_the_limit_is_a_failure_and_ends_the_pipe)
{
    struct node n = node_start(1);
    struct subprocess *s = start(&n, "exec yes");

    check_fails(&n, subprocess_read_all(s, SUBPROCESS_OUT, 1000000), EMSGSIZE,
                "longer than 1000000 bytes");
    ck_assert_int_eq(status_of(&n, s), SIGPIPE); /* as it is for others: not ignored */
    check_fails(&n, subprocess_read(s, SUBPROCESS_OUT), EPIPE, "closed");
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(output_and_error_are_two)
{
    struct node n = node_start(1);
    struct subprocess *s = start(&n, "echo good; echo bad >&2");
    struct future *bad = subprocess_read_all(s, SUBPROCESS_ERR, 100);

    check_bytes(&n, subprocess_read_all(s, SUBPROCESS_OUT, 5), "good\n");
    check_bytes(&n, bad, "bad\n");
    check_fails(&n, subprocess_read(s, SUBPROCESS_IN), EINVAL, "input is not read");
    ck_assert_int_eq(status_of(&n, s), 0);
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(without_a_pipe_there_is_nothing_to_read)
{
    struct node n = node_start(1);
    char *const argv[] = { (char *)(uintptr_t) "true", NULL };
    struct child_spec spec = { .path = "true", .argv = argv };
    struct subprocess *s = subprocess_spawn(n.rt, &spec, NULL);

    check_fails(&n, subprocess_read(s, SUBPROCESS_OUT), EINVAL, "without a pipe");
    check_fails(&n, subprocess_read_all(s, SUBPROCESS_ERR, 1), EINVAL, "without a pipe");
    check_fails(&n, subprocess_write(s, "", 0), EINVAL, "without a pipe");
    subprocess_close(s, SUBPROCESS_IN);
    ck_assert_int_eq(status_of(&n, s), 0);
    subprocess_unref(s);
    node_stop(&n);
}
END_TEST

START_TEST(a_runtime_that_ends_discards_what_is_asked_and_closes)
{
    struct node n = node_start(2);
    struct subprocess *s = start(&n, "exec cat"), *unread = start(&n, "exec yes");
    struct future *f[4] = { subprocess_read(s, SUBPROCESS_OUT),
                            subprocess_read_all(s, SUBPROCESS_ERR, 100), subprocess_wait(unread),
                            NULL };
    char *much = mem_alloc(BIG);

    f[3] = subprocess_write(unread, much, BIG);
    mem_free(much);
    node_stop(&n); /* while children run, wait for us, and are waited for */
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(future_state(f[i]), FUTURE_DISCARDED);
        future_unref(f[i]);
    }
    subprocess_unref(s);
    subprocess_unref(unread);
}
END_TEST

UNIT(subprocess_pipe, what_goes_in_comes_out, it_is_the_same_in_the_simulated_world,
     a_simulated_child_that_is_killed_ends_its_pipes,
     the_simulated_world_runs_hooks_and_says_what_it_does_not_have,
     a_child_that_reads_no_more_is_a_failure_and_no_death_of_ours,
     output_beyond_the_limit_is_a_failure_and_ends_the_pipe, output_and_error_are_two,
     without_a_pipe_there_is_nothing_to_read,
     a_runtime_that_ends_discards_what_is_asked_and_closes);
