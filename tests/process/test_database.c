/* test_database.c - commits that last, in groups, on the real and on the simulated disk */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/database.h"
#include "process/future.h"
#include "process/runtime.h"
#include "process/sim.h"

#define SCHEMA "CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY, s TEXT, b BLOB)"
#define PATIENCE SECONDS(600)

/* ---- a place: a runtime with a database, on one of both hosts ---- */

struct place {
    struct sim *sim;
    struct sim_node *node;
    struct host *host;
    struct runtime *runtime;
    struct database *db;
    char folder[64], path[80];
};

static void place_start(struct place *p)
{
    const struct runtime_options options = { .workers = 2 };
    struct error err = { 0 };

    p->host = p->sim ? sim_host_create(p->node, "db") : host_real_create();
    p->runtime = runtime_create(p->host, &options, &err);
    ck_assert_msg(p->runtime, "%s", err.text);
    if (p->sim) /* that the folders last is the database's business */
        ck_assert_int_eq(host_mkdirs(p->host, p->folder, 0755, NULL), 0);
    ck_assert_msg(database_open(p->runtime, p->path, SCHEMA, &p->db, &err) == 0, "%s", err.text);
}

static void place_stop(struct place *p)
{
    database_close(p->db);
    runtime_destroy(p->runtime);
    host_destroy(p->host);
}

static struct place real_place(void)
{
    struct place p = { .folder = "/tmp/mesos-lite-db-XXXXXX" };

    ck_assert_ptr_nonnull(mkdtemp(p.folder));
    snprintf(p.path, sizeof p.path, "%s/a.db", p.folder);
    place_start(&p);
    return p;
}

static struct place sim_place(uint64_t seed)
{
    struct place p = { .folder = "/var/lib", .path = "/var/lib/a.db" };

    p.sim = sim_create(seed);
    p.node = sim_node_create(p.sim, "one", 0x0a000001);
    place_start(&p);
    return p;
}

static void place_end(struct place *p)
{
    place_stop(p);
    if (p->sim) {
        sim_destroy(p->sim);
        return;
    }
    p->host = host_real_create();
    ck_assert_int_eq(host_remove_tree(p->host, p->folder, NULL), 0);
    host_destroy(p->host);
}

static int insert(struct database *db, void *args, struct error *err)
{
    return database_run(db, err, "INSERT INTO t (i) VALUES (?)", "i", *(int64_t *)args);
}

static struct future *commit(struct place *p, int64_t i)
{
    return database_commit(p->db, insert, mem_dup(&i, sizeof i), mem_free);
}

static void check_ready(struct place *p, struct future *f)
{
    ck_assert(future_wait(f, p->host, PATIENCE));
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_error(f) ? future_error(f)->text : "discarded");
    future_unref(f);
}

static void check_failed(struct place *p, struct future *f, int code, const char *words)
{
    ck_assert(future_wait(f, p->host, PATIENCE));
    ck_assert_int_eq(future_state(f), FUTURE_FAILED);
    ck_assert_msg(future_error(f)->code == code && strstr(future_error(f)->text, words), "%d: %s",
                  future_error(f)->code, future_error(f)->text);
    future_unref(f);
}

/* Rows must be 1, 2, ..., n. */
static int count_row(void *arg, struct database_row *row, struct error *err)
{
    int64_t *n = arg;

    if (database_integer(row, 0) != ++*n)
        return error_set(err, EINVAL, "Row %d is not in its place", (int)database_integer(row, 0));
    return 0;
}

static int64_t count(struct place *p)
{
    struct error err = { 0 };
    int64_t n = 0;

    ck_assert_msg(database_query(p->db, &err, count_row, &n, "SELECT i FROM t ORDER BY i", "") == 0,
                  "%s", err.text);
    return n;
}

/* ---- on both hosts ---- */

static void check_many(struct place *p)
{
    struct future *f[100];

    for (int i = 0; i < 100; i++)
        f[i] = commit(p, i + 1);
    for (int i = 0; i < 100; i++)
        check_ready(p, f[i]);
    place_stop(p);
    place_start(p);
    ck_assert_int_eq(count(p), 100);
}

START_TEST(what_was_committed_is_there_after_a_restart)
{
    struct place real = real_place(), simulated = sim_place(1);

    check_many(&real);
    check_many(&simulated);
    place_end(&real);
    place_end(&simulated);
}
END_TEST

static int refuse_after_insert(struct database *db, void *args, struct error *err)
{
    if (insert(db, args, err) < 0)
        return -1;
    return error_set(err, EPERM, "I do not want to");
}

START_TEST(who_refuses_is_rolled_back_alone)
{
    struct place p = real_place();
    int64_t two = 2;
    struct future *one = commit(&p, 1), *refused;

    refused = database_commit(p.db, refuse_after_insert, &two, NULL);
    struct future *again = commit(&p, 1), *last = commit(&p, 2);

    check_ready(&p, one);
    check_failed(&p, refused, EPERM, "I do not want to");
    check_failed(&p, again, EEXIST, "UNIQUE constraint failed: t.i");
    check_ready(&p, last);
    ck_assert_int_eq(count(&p), 2);
    place_end(&p);
}
END_TEST

START_TEST(closing_waits_for_what_was_asked_for)
{
    struct place p = real_place();
    struct future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = commit(&p, i + 1);
    database_close(p.db);
    p.db = NULL;
    for (int i = 0; i < 20; i++)
        check_ready(&p, f[i]);
    place_stop(&p);
    place_start(&p);
    ck_assert_int_eq(count(&p), 20);
    place_end(&p);
}
END_TEST

START_TEST(a_stopping_runtime_leaves_no_future_pending_and_nothing_unreleased)
{
    struct place p = sim_place(3);
    struct future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = commit(&p, i + 1);
    runtime_destroy(p.runtime);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_ne(future_state(f[i]), FUTURE_PENDING);
        future_unref(f[i]);
    }
    database_close(p.db);
    host_destroy(p.host);
    p.db = NULL;
    place_start(&p);
    place_end(&p);
}
END_TEST

static int insert_values(struct database *db, void *args, struct error *err)
{
    (void)args;
    if (database_run(db, err, "INSERT INTO t VALUES (?, ?, ?)", "isb", INT64_MIN, NULL, "a\0b",
                     (size_t)3) < 0)
        return -1;
    return database_run(db, err, "INSERT INTO t VALUES (?, ?, ?)", "isb", INT64_MAX, "text", NULL,
                        (size_t)0);
}

static int see_values(void *arg, struct database_row *row, struct error *err)
{
    int *rows = arg;
    size_t size;
    const void *blob = database_blob(row, 2, &size);

    (void)err;
    if ((*rows)++ == 0) {
        ck_assert_int_eq(database_integer(row, 0), INT64_MIN);
        ck_assert_ptr_null(database_text(row, 1));
        ck_assert_uint_eq(size, 3);
        ck_assert_mem_eq(blob, "a\0b", 3);
    } else {
        ck_assert_int_eq(database_integer(row, 0), INT64_MAX);
        ck_assert_str_eq(database_text(row, 1), "text");
        ck_assert_uint_eq(size, 0);
    }
    return 0;
}

static int stop_at_once(void *arg, struct database_row *row, struct error *err)
{
    (void)row;
    ++*(int *)arg;
    return error_set(err, ECANCELED, "enough");
}

START_TEST(values_come_back_as_they_went)
{
    struct place p = real_place();
    struct error err = { 0 };
    int rows = 0;

    check_ready(&p, database_commit(p.db, insert_values, NULL, NULL));
    ck_assert_int_eq(
        database_query(p.db, &err, see_values, &rows, "SELECT * FROM t ORDER BY i", ""), 0);
    ck_assert_int_eq(rows, 2);
    ck_assert_int_eq(database_query(p.db, &err, stop_at_once, &rows, "SELECT * FROM t", ""), -1);
    ck_assert_str_eq(err.text, "enough");
    ck_assert_int_eq(rows, 3);
    ck_assert_int_eq(database_run(p.db, &err, "SELECT nowhere", ""), -1);
    ck_assert_msg(strstr(err.text, "no such column"), "%s", err.text);
    place_end(&p);
}
END_TEST

/* ---- who may open what ---- */

START_TEST(a_file_in_use_is_refused)
{
    struct place p = real_place();
    struct database *db;
    struct error err;

    ck_assert_int_eq(database_open(p.runtime, p.path, SCHEMA, &db, &err), -1);
    ck_assert_int_eq(err.code, EAGAIN);
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
    check_ready(&p, commit(&p, 1));
    place_end(&p);
}
END_TEST

START_TEST(rubbish_is_refused_with_the_words_of_sqlite)
{
    struct place p = real_place();
    struct database *db;
    struct error err;
    char other[100], rubbish[8192];

    memset(rubbish, 'x', sizeof rubbish);
    snprintf(other, sizeof other, "%s/b.db", p.folder);
    ck_assert_int_eq(host_write_file(p.host, other, rubbish, sizeof rubbish, 0600, NULL), 0);
    ck_assert_int_eq(database_open(p.runtime, other, SCHEMA, &db, &err), -1);
    ck_assert_int_eq(err.code, EUCLEAN);
    ck_assert_ptr_nonnull(strstr(err.text, "file is not a database"));
    snprintf(other, sizeof other, "%s/no/b.db", p.folder);
    ck_assert_int_eq(database_open(p.runtime, other, SCHEMA, &db, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    place_end(&p);
}
END_TEST

START_TEST(a_bad_schema_is_refused)
{
    struct place p = real_place();
    struct database *db;
    struct error err;
    char other[100];

    snprintf(other, sizeof other, "%s/b.db", p.folder);
    ck_assert_int_eq(database_open(p.runtime, other, "CREATE TALBE t", &db, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "syntax error"));
    ck_assert_int_eq(database_open(p.runtime, other, SCHEMA, &db, &err), 0);
    database_close(db);
    place_end(&p);
}
END_TEST

/* ---- bad disks ---- */

START_TEST(a_full_disk_fails_commits_until_there_is_room)
{
    struct place p = sim_place(4);

    check_ready(&p, commit(&p, 1));
    sim_disk_full(p.node, true);
    check_failed(&p, commit(&p, 2), ENOSPC, "full");
    sim_disk_full(p.node, false);
    check_ready(&p, commit(&p, 2));
    ck_assert_int_eq(count(&p), 2);
    place_end(&p);
}
END_TEST

START_TEST(a_sync_that_fails_acknowledges_nothing)
{
    struct place p = sim_place(5);
    struct future *a, *b;

    check_ready(&p, commit(&p, 1));
    sim_disk_errors(p.node, true);
    a = commit(&p, 2);
    b = commit(&p, 3);
    check_failed(&p, a, EIO, "disk I/O error");
    check_failed(&p, b, EIO, "disk I/O error");
    sim_disk_errors(p.node, false);
    check_ready(&p, commit(&p, 2));
    sim_node_crash(p.node);
    place_stop(&p);
    place_start(&p);
    ck_assert_int_eq(count(&p), 2);
    place_end(&p);
}
END_TEST

/* Asks for commits in gusts until the node falls, by chance; gives how many
 * were acknowledged, and how many asked for. */
static void run_until_fall(struct place *p, bool crash, int64_t from, int64_t *ret_acknowledged,
                           int64_t *ret_asked)
{
    enum { GUSTS = 12, PER_GUST = 5 };
    unsigned last = (unsigned)sim_random_below(p->sim, GUSTS);
    struct future *f[GUSTS * PER_GUST];
    size_t n = 0, ready = 0;

    for (unsigned gust = 0; gust <= last; gust++) {
        for (int i = 0; i < PER_GUST; i++, n++)
            f[n] = commit(p, from + (int64_t)n + 1);
        sim_run_for(p->sim, NANOSECONDS(sim_random_below(p->sim, 8000000)));
    }
    if (crash)
        sim_node_crash(p->node);
    else
        sim_host_kill(p->host);
    while (ready < n && future_state(f[ready]) == FUTURE_READY)
        ready++;
    for (size_t i = 0; i < n; i++) {
        ck_assert(i < ready || future_state(f[i]) != FUTURE_READY);
        future_unref(f[i]);
    }
    *ret_acknowledged = from + (int64_t)ready;
    *ret_asked = from + (int64_t)n;
}

START_TEST(what_was_acknowledged_survives_every_crash_in_order)
{
    int64_t lost = 0, total = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct place p = sim_place(seed);
        int64_t n = 0;

        for (int round = 0; round < 4; round++) {
            int64_t acknowledged, asked;

            run_until_fall(&p, sim_random_below(p.sim, 3) > 0, n, &acknowledged, &asked);
            place_stop(&p);
            place_start(&p);
            n = count(&p);
            ck_assert_msg(n >= acknowledged && n <= asked, "seed %d: %d acknowledged, %d there",
                          (int)seed, (int)acknowledged, (int)n);
            lost += asked - n;
        }
        total += n;
        place_end(&p);
    }
    ck_assert_int_gt(total, 0); /* the test saw something of both */
    ck_assert_int_gt(lost, 0);
}
END_TEST

/* The bytes of the log, salted by SQLite's own chance, after some commits. */
static uint64_t write_log(uint64_t seed, char **ret_log, size_t *ret_size)
{
    struct place p = sim_place(seed);
    struct future *f[10];
    uint64_t trace;

    for (int i = 0; i < 10; i++)
        f[i] = commit(&p, i + 1);
    for (int i = 0; i < 10; i++)
        check_ready(&p, f[i]);
    ck_assert_int_eq(host_read_file(p.host, "/var/lib/a.db-wal", 1 << 20, ret_log, ret_size, NULL),
                     0);
    trace = sim_trace(p.sim);
    place_end(&p);
    return trace;
}

START_TEST(the_same_seed_writes_the_same_bytes)
{
    size_t size, again_size, other_size;
    char *log, *again, *other;
    uint64_t trace = write_log(7, &log, &size);

    ck_assert_uint_eq(write_log(7, &again, &again_size), trace);
    ck_assert_uint_eq(size, again_size);
    ck_assert_mem_eq(log, again, size);
    write_log(8, &other, &other_size);
    ck_assert(size != other_size || memcmp(log, other, size) != 0);
    mem_free(log);
    mem_free(again);
    mem_free(other);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_committed_is_there_after_a_restart,
        who_refuses_is_rolled_back_alone,
        closing_waits_for_what_was_asked_for,
        a_stopping_runtime_leaves_no_future_pending_and_nothing_unreleased,
        values_come_back_as_they_went,
        a_file_in_use_is_refused,
        rubbish_is_refused_with_the_words_of_sqlite,
        a_bad_schema_is_refused,
        a_full_disk_fails_commits_until_there_is_room,
        a_sync_that_fails_acknowledges_nothing,
        what_was_acknowledged_survives_every_crash_in_order,
        the_same_seed_writes_the_same_bytes,
    };
    Suite *s = suite_create("database");
    TCase *t = tcase_create("database");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 0);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
