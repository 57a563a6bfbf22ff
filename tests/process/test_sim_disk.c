/* test_sim_disk.c - the simulated disks: what a crash leaves, and how paths behave */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tests/process/world.h"
#include "tests/unit.h"

static struct file *open_file(struct host *h, const char *path)
{
    struct file *f = NULL;

    ck_assert_int_eq(host_open(h, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0644, &f, NULL), 0);
    return f;
}

/* After the crash, the OS process is started again. */
static void crash_a(struct world *w)
{
    sim_node_crash(w->a);
    host_loop_stop(w->la);
    host_destroy(w->ha);
    w->ha = sim_host_create(w->a, "client");
    w->la = world_loop(w->ha);
}

static void write_all(struct host *h, const char *path, char c, size_t size, bool sync)
{
    struct file *f = open_file(h, path);
    char *bytes = mem_alloc(size);

    memset(bytes, c, size);
    ck_assert_int_eq(file_write(f, 0, bytes, size, NULL), 0);
    if (sync)
        ck_assert_int_eq(file_sync(f, NULL), 0);
    file_close(f);
    mem_free(bytes);
}

/* How many bytes of the file are c; -1 when there is no such file. */
static int count_bytes(struct host *h, const char *path, char c, size_t *ret_size)
{
    char *data;
    int n = 0;
    *ret_size = 0;
    if (host_read_file(h, path, 1 << 20, &data, ret_size, NULL) < 0)
        return -1;
    for (size_t i = 0; i < *ret_size; i++)
        n += data[i] == c;
    mem_free(data);
    return n;
}

START_TEST(what_was_synced_survives_every_crash)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world w = world_start(seed);
        size_t size;
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/d/f", 's', 5000, true);
        ck_assert_int_eq(host_sync_directory(w.ha, "/d", NULL), 0);
        ck_assert_int_eq(host_sync_directory(w.ha, "/", NULL), 0);
        write_all(w.ha, "/d/other", 'o', 3000, false);
        crash_a(&w);
        ck_assert_int_eq(count_bytes(w.ha, "/d/f", 's', &size), 5000);
        ck_assert_uint_eq(size, 5000);
        world_stop(&w);
    }
}
END_TEST

START_TEST(of_unsynced_sectors_any_subset_is_lost)
{
    int all = 0, none = 0, some = 0, holes = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world w = world_start(seed);
        size_t size;
        write_all(w.ha, "/f", 'o', 4096, true);
        host_sync_directory(w.ha, "/", NULL);
        write_all(w.ha, "/f", 'n', 4096, false);
        crash_a(&w);
        int n = count_bytes(w.ha, "/f", 'n', &size);
        int o = count_bytes(w.ha, "/f", 'o', &size);
        ck_assert_uint_eq(size, 4096);
        ck_assert_int_eq(n + o, 4096);
        ck_assert_int_eq(n % 512, 0);
        all += n == 0;
        none += n == 4096;
        some += n > 0 && n < 4096;
        char *data;
        ck_assert_int_eq(host_read_file(w.ha, "/f", 4096, &data, &size, NULL), 0);
        holes += data[0] == 'o' && data[4095] == 'n';
        mem_free(data);
        world_stop(&w);
    }
    ck_assert(all > 0 && none > 0 && some > 0 && holes > 0);
}
END_TEST

START_TEST(a_file_is_gone_when_its_folder_was_not_synced)
{
    int gone = 0, kept = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        write_all(w.ha, "/f", 's', 1000, true);
        crash_a(&w);
        int n = count_bytes(w.ha, "/f", 's', &size);
        ck_assert(n == -1 || n == 1000);
        gone += n == -1;
        kept += n == 1000;
        world_stop(&w);
    }
    ck_assert(gone > 0 && kept > 0);
}
END_TEST

START_TEST(a_rename_is_done_or_not_and_never_in_between)
{
    int was_old = 0, was_new = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world w = world_start(seed);
        struct file_info info;
        size_t size;
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/d/f", 'o', 2000, true);
        host_sync_directory(w.ha, "/d", NULL);
        host_sync_directory(w.ha, "/", NULL);
        write_all(w.ha, "/tmp", 'n', 2000, true);
        if (seed % 2)
            host_sync_directory(w.ha, "/", NULL);
        ck_assert_int_eq(host_rename(w.ha, "/tmp", "/d/f", NULL), 0);
        if (seed % 3 == 0)
            host_sync_directory(w.ha, "/d", NULL);
        crash_a(&w);
        int n = count_bytes(w.ha, "/d/f", 'n', &size);
        ck_assert(n == 0 || n == 2000);
        ck_assert_uint_eq(size, 2000);
        bool tmp = host_stat(w.ha, "/tmp", &info, NULL) == 0;
        ck_assert(!(n == 2000 && tmp));
        ck_assert(!(n == 0 && seed % 3 == 0));
        ck_assert(!(n == 0 && seed % 2 && !tmp));
        was_old += n == 0;
        was_new += n == 2000 && seed % 3 != 0;
        world_stop(&w);
    }
    ck_assert(was_old > 0 && was_new > 0);
}
END_TEST

static bool is_there(struct host *h, const char *path)
{
    struct file_info info;

    return host_stat(h, path, &info, NULL) == 0;
}

START_TEST(a_file_that_was_renamed_often_has_one_name_after_a_crash)
{
    int names[4] = { 0 };

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world w = world_start(seed);
        ck_assert_int_eq(host_mkdir(w.ha, "/d", 0755, NULL), 0);
        write_all(w.ha, "/one", 'x', 100, true);
        host_sync_directory(w.ha, "/", NULL);
        host_rename(w.ha, "/one", "/two", NULL);
        host_rename(w.ha, "/two", "/d/three", NULL);
        if (seed % 4 == 0)
            host_sync_directory(w.ha, "/d", NULL);
        host_rename(w.ha, "/d/three", "/four", NULL);
        crash_a(&w);
        int found[] = { is_there(w.ha, "/one"), is_there(w.ha, "/two"), is_there(w.ha, "/d/three"),
                        is_there(w.ha, "/four") };
        ck_assert_int_eq(found[0] + found[1] + found[2] + found[3], 1);
        ck_assert(seed % 4 != 0 || found[2] || found[3]);
        for (int i = 0; i < 4; i++)
            names[i] += found[i];
        world_stop(&w);
    }
    ck_assert(names[0] > 0 && names[1] > 0 && names[2] > 0 && names[3] > 0);
}
END_TEST

START_TEST(a_whole_file_is_written_durably_or_not_at_all)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        ck_assert_int_eq(host_write_file(w.ha, "/f", "first", 5, 0600, NULL), 0);
        ck_assert_int_eq(host_write_file(w.ha, "/f", "second", 6, 0600, NULL), 0);
        crash_a(&w);
        ck_assert_int_eq(count_bytes(w.ha, "/f", 'c', &size), 1);
        ck_assert_uint_eq(size, 6);
        world_stop(&w);
    }
}
END_TEST

START_TEST(a_kill_keeps_what_was_written_and_releases_locks)
{
    struct world w = world_start(4);
    struct host *first = sim_host_create(w.a, "first");
    struct file *f = open_file(first, "/lock"), *g = open_file(w.ha, "/lock");
    struct error err;
    size_t size;

    write_all(first, "/f", 'x', 100, false);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 0);
    ck_assert_int_eq(host_is_locked(w.ha, "/absent", NULL), 0);
    ck_assert_int_eq(file_lock(f, NULL), 0);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 1);
    ck_assert_int_eq(file_lock(g, &err), -1);
    ck_assert_int_eq(err.code, EAGAIN);
    sim_host_kill(first);
    ck_assert_int_eq(host_is_locked(w.ha, "/lock", NULL), 0);
    ck_assert_int_eq(file_lock(g, NULL), 0);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), -1);
    ck_assert_int_eq(err.code, EIO);
    ck_assert_int_eq(count_bytes(w.ha, "/f", 'x', &size), 100);
    file_close(f);
    file_close(g);
    host_destroy(first);
    world_stop(&w);
}
END_TEST

START_TEST(a_full_disk_and_a_failing_one_say_so)
{
    struct world w = world_start(4);
    struct file *f = open_file(w.ha, "/f"), *g;
    struct error err;
    uint64_t size, left;

    sim_disk_full(w.a, true);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), -1);
    ck_assert_int_eq(err.code, ENOSPC);
    ck_assert_int_eq(host_open(w.ha, "/g", FILE_WRITE | FILE_CREATE, 0644, &g, &err), -1);
    ck_assert_int_eq(host_disk(w.ha, "/", &size, &left, NULL), 0);
    ck_assert_uint_eq(left, 0);
    sim_disk_full(w.a, false);
    ck_assert_int_eq(file_write(f, 0, "x", 1, &err), 0);
    sim_disk_errors(w.a, true);
    ck_assert_int_eq(file_sync(f, &err), -1);
    ck_assert_int_eq(err.code, EIO);
    sim_disk_errors(w.a, false);
    ck_assert_int_eq(file_sync(f, &err), 0);
    file_close(f);
    world_stop(&w);
}
END_TEST

static void check_failure(int status, const struct error *err, int code)
{
    ck_assert_int_eq(status, -1);
    ck_assert_int_eq(err->code, code);
}

START_TEST(paths_behave_as_on_a_posix_file_system)
{
    struct world w = world_start(4);
    struct host *h = w.ha;
    struct file_info info;
    struct error err;
    struct file *f;
    char **names, *target;
    size_t n;

    ck_assert_int_eq(host_mkdirs(h, "/a/b/c", 0755, NULL), 0);
    write_all(h, "/a/b/f", 'x', 10, false);
    ck_assert_int_eq(host_symlink(h, "../b", "/a/b/link", NULL), 0);
    ck_assert_int_eq(host_stat(h, "/a/b/link/link/../b/f", &info, NULL), 0);
    ck_assert_uint_eq(info.size, 10);
    ck_assert_int_eq(host_stat(h, "/a/b/link", &info, NULL), 0);
    ck_assert(info.is_link);
    ck_assert_int_eq(host_symlink(h, "/loop", "/loop", NULL), 0);
    check_failure(host_open(h, "/loop", FILE_READ, 0, &f, &err), &err, ELOOP);
    ck_assert_int_eq(host_symlink(h, "c", "/a/b/link", NULL), 0);
    ck_assert_int_eq(host_readlink(h, "/a/b/link", &target, NULL), 0);
    ck_assert_str_eq(target, "c");
    mem_free(target);
    ck_assert_int_eq(host_list(h, "/a/b", &names, &n, NULL), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(names[0], "c");
    ck_assert_str_eq(names[2], "link");
    host_free_names(names, n);
    check_failure(host_mkdir(h, "/a", 0755, &err), &err, EEXIST);
    check_failure(host_mkdir(h, "/x/y", 0755, &err), &err, ENOENT);
    check_failure(host_mkdir(h, "/a/b/f/y", 0755, &err), &err, ENOTDIR);
    check_failure(host_unlink(h, "/a", &err), &err, ENOTEMPTY);
    check_failure(host_rename(h, "/a", "/a/b/c/d", &err), &err, EINVAL);
    check_failure(host_rename(h, "/a/b/f", "/a/b/c", &err), &err, EISDIR);
    check_failure(host_open(h, "/a", FILE_READ, 0, &f, &err), &err, EISDIR);
    check_failure(host_open(h, "/a/b/f", FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0, &f, &err),
                  &err, EEXIST);
    ck_assert_int_eq(host_rename(h, "/a/b", "/moved", NULL), 0);
    ck_assert_int_eq(host_stat(h, "/moved/f", &info, NULL), 0);
    ck_assert_int_eq(host_remove_tree(h, "/moved", NULL), 0);
    check_failure(host_stat(h, "/moved", &info, &err), &err, ENOENT);
    world_stop(&w);
}
END_TEST

static void half_written(void *arg)
{
    struct file *f;

    if (host_open(arg, "/db", FILE_WRITE, 0, &f, NULL) < 0)
        return;
    for (uint64_t i = 0; i < 8; i++)
        file_write(f, i, "w", 1, NULL);
    file_close(f);
}

static void nothing_done(void *arg)
{
    (void)arg;
}

START_TEST(a_kill_may_come_amid_the_work_of_a_helper_thread)
{
    int none = 0, part = 0, all = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world w = world_start(seed);
        size_t size;
        file_close(open_file(w.ha, "/db"));
        host_async(w.la, half_written, nothing_done, w.ha);
        sim_host_kill(w.ha);
        host_loop_stop(w.la);
        host_destroy(w.ha);
        w.ha = sim_host_create(w.a, "client");
        w.la = world_loop(w.ha);
        count_bytes(w.ha, "/db", 'w', &size);
        none += size == 0;
        part += size > 0 && size < 8;
        all += size == 8;
        world_stop(&w);
    }
    ck_assert(none > 0 && part > 0 && all > 0);
}
END_TEST

UNIT(sim_disk, what_was_synced_survives_every_crash, of_unsynced_sectors_any_subset_is_lost,
     a_file_is_gone_when_its_folder_was_not_synced, a_rename_is_done_or_not_and_never_in_between,
     a_file_that_was_renamed_often_has_one_name_after_a_crash,
     a_whole_file_is_written_durably_or_not_at_all,
     a_kill_keeps_what_was_written_and_releases_locks, a_full_disk_and_a_failing_one_say_so,
     paths_behave_as_on_a_posix_file_system, a_kill_may_come_amid_the_work_of_a_helper_thread);
