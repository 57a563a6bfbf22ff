/* test_host_real.c - the real host: loops, waiting, helper threads, files, chance */
#include "tests/process/host_real_place.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            ck_abort_msg("%s: %s", #call, err.text);                                               \
    } while (0)

/* ---- loops ---- */

struct woken {
    struct host *host;
    struct loop *loop;
    _Atomic int asked, seen;
};

static bool count_wakes(void *arg)
{
    struct woken *w = arg;

    w->seen = w->asked;
    host_notify(w->host);
    return false;
}

static void *ask_often(void *arg)
{
    struct woken *w = arg;

    for (int i = 0; i < 20000; i++) {
        w->asked++;
        host_loop_wake(w->loop);
    }
    return NULL;
}

static bool all_are_seen(void *arg)
{
    struct woken *w = arg;

    return w->seen == 3 * 20000;
}

START_TEST(no_wake_from_another_thread_is_lost)
{
    struct woken w = { .host = host_real_create() };
    pthread_t threads[3];

    w.loop = host_loop_start(w.host, count_wakes, &w);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &w), 0);
    ck_assert(host_wait(w.host, all_are_seen, &w, INSTANT_NEVER));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    host_loop_stop(w.loop);
    host_destroy(w.host);
}
END_TEST

/* Wakes itself ninety-nine times, by wake or by saying that there is more. */
struct chain {
    struct place *place;
    struct event_count end;
    int left;
    bool by_wake;
};

static bool chain_turn(void *arg)
{
    struct chain *c = arg;

    if (!host_loop_is_current(c->place->loop) || c->left == 0)
        return false;
    if (--c->left == 0)
        happened(&c->end);
    else if (c->by_wake)
        host_loop_wake(c->place->loop);
    return c->left > 0 && !c->by_wake;
}

START_TEST(a_turn_that_has_more_or_wakes_its_own_loop_comes_again)
{
    for (int by_wake = 0; by_wake < 2; by_wake++) {
        struct place p = { .host = host_real_create() };
        struct chain c = { .place = &p, .end = { p.host, 0, 0 }, .left = 100, .by_wake = by_wake };
        struct loop *loop = host_loop_start(p.host, chain_turn, &c);

        p.loop = loop;
        host_loop_wake(loop);
        await(&c.end, 1);
        host_loop_stop(loop);
        host_destroy(p.host);
    }
}
END_TEST

/* Three deadlines, each set when the one before has passed; in between it is
 * moved to earlier and to later. */
struct alarm {
    struct host *host;
    struct loop *loop;
    struct event_count rings;
    struct instant next, early;
    bool begun;
};

static bool alarm_turn(void *arg)
{
    struct alarm *a = arg;
    struct instant now = host_now(a->host);

    if (!a->begun) {
        a->begun = true;
        host_loop_deadline(a->loop, instant_add(now, HOURS(5)));
        host_loop_deadline(a->loop, instant_add(now, MILLISECONDS(1)));
        a->next = instant_add(now, MILLISECONDS(3));
        host_loop_deadline(a->loop, a->next);
    } else if (a->next.ns && !instant_before(now, a->next)) {
        happened(&a->rings);
        a->next = a->rings.n < 3 ? instant_add(now, MILLISECONDS(2)) : (struct instant){ 0 };
        host_loop_deadline(a->loop, a->next.ns ? a->next : INSTANT_NEVER);
    }
    return false;
}

START_TEST(the_deadline_gives_a_turn_when_it_has_passed_and_not_without_end)
{
    struct alarm a = { .host = host_real_create() };
    struct loop *loop;

    a.rings.host = a.host;
    loop = a.loop = host_loop_start(a.host, alarm_turn, &a);
    host_loop_wake(loop);
    await(&a.rings, 3);
    host_loop_stop(loop);
    ck_assert_int_eq(a.rings.n, 3);
    host_destroy(a.host);
}
END_TEST

static bool never(void *arg)
{
    (void)arg;
    return false;
}

START_TEST(waiting_ends_at_the_deadline)
{
    struct host *h = host_real_create();
    struct instant deadline = instant_add(host_now(h), MILLISECONDS(5));

    ck_assert(!host_wait(h, never, NULL, deadline));
    ck_assert(!instant_before(host_now(h), deadline));
    host_destroy(h);
}
END_TEST

/* ---- helper threads ---- */

struct work {
    struct place *place;
    struct event_count *done;
    _Atomic bool on_loop, worked;
};

static void work_off(void *arg)
{
    struct work *w = arg;

    w->worked = !host_loop_is_current(w->place->loop);
}

static void work_done(void *arg)
{
    struct work *w = arg;

    w->on_loop = host_loop_is_current(w->place->loop);
    happened(w->done);
}

START_TEST(work_runs_off_the_loop_and_its_end_is_told_on_it)
{
    struct place p;
    struct work works[50];
    struct event_count done;

    place_open(&p);
    done = (struct event_count){ p.host, 0, 0 };
    for (int i = 0; i < 50; i++) {
        works[i] = (struct work){ &p, &done, false, false };
        host_async(p.loop, work_off, work_done, &works[i]);
    }
    await(&done, 50);
    for (int i = 0; i < 50; i++)
        ck_assert(works[i].worked && works[i].on_loop);
    place_close(&p);
}
END_TEST

START_TEST(a_loop_that_stops_tells_the_end_of_all_work_all_the_same)
{
    struct place p;
    struct work works[200];
    struct event_count done;

    place_open(&p);
    done = (struct event_count){ p.host, 0, 0 };
    for (int i = 0; i < 200; i++) {
        works[i] = (struct work){ &p, &done, false, false };
        host_async(p.loop, work_off, work_done, &works[i]);
    }
    host_loop_stop(p.loop);
    ck_assert_int_eq(done.n, 200);
    place_close(&p);
}
END_TEST

/* ---- files ---- */

START_TEST(a_whole_file_is_written_replaced_and_read_within_its_limit)
{
    struct place p;
    struct error err;
    char *data, **names;
    size_t size, n;

    place_open(&p);
    char *path = mem_printf("%s/f", p.folder);

    OK(host_write_file(p.host, path, "first", 5, 0600, &err));
    OK(host_write_file(p.host, path, "sec\0nd", 6, 0600, &err));
    OK(host_read_file(p.host, path, 6, &data, &size, &err));
    ck_assert_uint_eq(size, 6);
    ck_assert_mem_eq(data, "sec\0nd", 7);
    mem_free(data);
    ck_assert_int_eq(host_read_file(p.host, path, 5, &data, &size, &err), -1);
    ck_assert_int_eq(err.code, EFBIG);
    char *taken = mem_printf("%s/taken", p.folder);
    OK(host_mkdir(p.host, taken, 0700, &err));
    ck_assert_int_eq(host_write_file(p.host, taken, "x", 1, 0600, &err), -1);
    ck_assert_int_eq(err.code, EISDIR);
    OK(host_unlink(p.host, taken, &err));
    mem_free(taken);
    OK(host_list(p.host, p.folder, &names, &n, &err));
    ck_assert_uint_eq(n, 1); /* no temporary is left */
    ck_assert_str_eq(names[0], "f");
    host_free_names(names, n);
    mem_free(path);
    path = mem_printf("%s/absent/f", p.folder);
    ck_assert_int_eq(host_write_file(p.host, path, "x", 1, 0600, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    mem_free(path);
    place_close(&p);
}
END_TEST

START_TEST(an_open_file_is_written_at_offsets_cut_and_measured)
{
    struct place p;
    struct error err;
    struct file *f;
    uint64_t size;
    char out[8] = "";

    place_open(&p);
    char *path = mem_printf("%s/f", p.folder);

    OK(host_open(p.host, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f,
                 &err));
    OK(file_write(f, 4, "tail", 4, &err));
    OK(file_write(f, 0, "head", 4, &err));
    OK(file_sync(f, &err));
    ck_assert_int_eq(file_read(f, 2, out, 4, &err), 4);
    ck_assert_mem_eq(out, "adta", 4);
    OK(file_truncate(f, 6, &err));
    OK(file_size(f, &size, &err));
    ck_assert_uint_eq(size, 6);
    ck_assert_int_eq(file_read(f, 6, out, 4, &err), 0);
    file_close(f);
    ck_assert_int_eq(
        host_open(p.host, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f, &err), -1);
    ck_assert_int_eq(err.code, EEXIST);
    mem_free(path);
    place_close(&p);
}
END_TEST

START_TEST(a_full_disk_is_said_in_words)
{
    struct host *h = host_real_create();
    struct error err;
    struct file *f;

    OK(host_open(h, "/dev/full", FILE_WRITE, 0, &f, &err));
    if (file_write(f, 0, "x", 1, &err) == 0)
        ck_abort_msg("/dev/full took a byte");
    ck_assert_int_eq(err.code, ENOSPC);
    ck_assert_str_eq(err.text, "Failed to write '/dev/full': the file system is full");
    file_close(f);
    host_destroy(h);
}
END_TEST

START_TEST(a_link_is_replaced_and_anything_else_is_not)
{
    struct place p;
    struct error err;
    struct file_info info;
    char *target;

    place_open(&p);
    char *path = mem_printf("%s/latest", p.folder), *file = mem_printf("%s/file", p.folder);

    OK(host_symlink(p.host, "one", path, &err));
    OK(host_symlink(p.host, "two", path, &err));
    OK(host_readlink(p.host, path, &target, &err));
    ck_assert_str_eq(target, "two");
    mem_free(target);
    OK(host_stat(p.host, path, &info, &err));
    ck_assert(info.is_link && !info.is_directory);
    OK(host_write_file(p.host, file, "", 0, 0600, &err));
    ck_assert_int_eq(host_symlink(p.host, "one", file, &err), -1);
    ck_assert_int_eq(err.code, EEXIST);
    mem_free(path);
    mem_free(file);
    place_close(&p);
}
END_TEST

START_TEST(folders_are_made_with_their_parents_unless_a_file_is_in_the_way)
{
    struct place p;
    struct error err;
    struct file_info info;

    place_open(&p);
    char *deep = mem_printf("%s/a//b/c/", p.folder), *file = mem_printf("%s/a/f", p.folder);
    char *below = mem_printf("%s/a/f/g", p.folder);

    OK(host_mkdirs(p.host, deep, 0755, &err));
    OK(host_mkdirs(p.host, deep, 0755, &err));
    OK(host_stat(p.host, deep, &info, &err));
    ck_assert(info.is_directory);
    OK(host_write_file(p.host, file, "", 0, 0600, &err));
    ck_assert_int_eq(host_mkdirs(p.host, below, 0755, &err), -1);
    ck_assert_int_eq(err.code, ENOTDIR);
    mem_free(deep);
    mem_free(file);
    mem_free(below);
    place_close(&p);
}
END_TEST

START_TEST(removing_a_tree_follows_no_link_and_goes_as_deep_as_it_must)
{
    struct place p;
    struct error err;
    struct file_info info;

    place_open(&p);
    char *kept = mem_printf("%s/kept", p.folder), *tree = mem_printf("%s/tree", p.folder);
    char *link = mem_printf("%s/tree/link", p.folder);
    const struct rlimit few = { 100, 100 };
    int here = open(".", O_RDONLY | O_DIRECTORY);

    OK(host_mkdir(p.host, kept, 0755, &err));
    OK(host_mkdir(p.host, tree, 0755, &err));
    OK(host_symlink(p.host, kept, link, &err));
    ck_assert_int_eq(chdir(tree), 0);
    for (int i = 0; i < 300; i++) { /* 300 * 20 bytes: more than a path may have */
        ck_assert_int_eq(mkdir("aaaaaaaaaaaaaaaaaaa", 0755), 0);
        ck_assert_int_eq(chdir("aaaaaaaaaaaaaaaaaaa"), 0);
    }
    ck_assert_int_eq(chmod(".", 0555), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0); /* fewer descriptors than levels */
    ck_assert_int_eq(fchdir(here), 0);
    close(here);
    OK(host_remove_tree(p.host, tree, &err));
    OK(host_remove_tree(p.host, tree, &err)); /* absent is fine */
    OK(host_stat(p.host, kept, &info, &err));
    mem_free(kept);
    mem_free(tree);
    mem_free(link);
    place_close(&p);
}
END_TEST

/* ---- locks ---- */

static int try_lock(const char *path)
{
    struct host *h = host_real_create();
    struct error err;
    struct file *f;
    int code;

    if (host_open(h, path, FILE_WRITE | FILE_CREATE, 0600, &f, &err) < 0)
        return err.code;
    code = file_lock(f, &err) < 0 ? err.code : 0;
    file_close(f);
    host_destroy(h);
    return code;
}

static int try_lock_elsewhere(const char *path)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(try_lock(path));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_lock_keeps_others_out_until_the_file_is_closed)
{
    struct host *h = host_real_create();
    struct error err;
    struct file *f, *other;
    char path[] = "/tmp/host_real_lock.XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(host_is_locked(h, path, &err), 0);
    OK(host_open(h, path, FILE_WRITE, 0, &f, &err));
    OK(file_lock(f, &err));
    ck_assert_int_eq(host_is_locked(h, path, &err), 1);
    ck_assert_int_eq(try_lock_elsewhere(path), EAGAIN);
    OK(host_open(h, path, FILE_WRITE, 0, &other, &err));
    file_close(other); /* loses nothing */
    ck_assert_int_eq(try_lock_elsewhere(path), EAGAIN);
    file_close(f);
    ck_assert_int_eq(host_is_locked(h, path, &err), 0);
    ck_assert_int_eq(try_lock_elsewhere(path), 0);
    unlink(path);
    ck_assert_int_eq(host_is_locked(h, path, &err), 0);
    host_destroy(h);
}
END_TEST

/* ---- chance and facts ---- */

START_TEST(chance_stays_in_its_range_and_reaches_every_value)
{
    struct host *h = host_real_create();
    bool seen[7] = { false };
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT];

    for (int i = 0; i < 1000; i++)
        seen[host_random_below(h, 7)] = true; /* all but certain: (6/7)^1000 */
    for (int i = 0; i < 7; i++)
        ck_assert(seen[i]);
    ck_assert_int_eq(host_random_duration(h, NANOSECONDS(0)).ns, 0);
    host_uuid(h, uuid);
    host_uuid_format(uuid, text);
    ck_assert_uint_eq(strlen(text), 36);
    ck_assert_int_eq(text[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", text[19]));
    host_destroy(h);
}
END_TEST

START_TEST(the_machine_and_its_users_are_known)
{
    struct host *h = host_real_create();
    struct host_facts facts;
    struct error err;
    uint32_t uid, gid;
    uint64_t size, free_bytes;

    host_facts(h, &facts);
    ck_assert_int_eq(facts.pid, getpid());
    ck_assert(facts.hostname[0] && facts.boot_id[0] && facts.user[0]);
    ck_assert(facts.cpus >= 1 && facts.memory_bytes > facts.memory_free_bytes);
    OK(host_user(h, "root", &uid, &gid, &err));
    ck_assert_uint_eq(uid, 0);
    ck_assert_int_eq(host_user(h, "no such user", &uid, &gid, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    OK(host_disk(h, "/", &size, &free_bytes, &err));
    ck_assert(size >= free_bytes);
    char *program = mem_printf("%s/x", host_program_directory(h));
    ck_assert_int_eq(program[0], '/');
    mem_free(program);
    host_destroy(h);
}
END_TEST

UNIT(host_real, no_wake_from_another_thread_is_lost,
     a_turn_that_has_more_or_wakes_its_own_loop_comes_again,
     the_deadline_gives_a_turn_when_it_has_passed_and_not_without_end, waiting_ends_at_the_deadline,
     work_runs_off_the_loop_and_its_end_is_told_on_it,
     a_loop_that_stops_tells_the_end_of_all_work_all_the_same,
     a_whole_file_is_written_replaced_and_read_within_its_limit,
     an_open_file_is_written_at_offsets_cut_and_measured, a_full_disk_is_said_in_words,
     a_link_is_replaced_and_anything_else_is_not,
     folders_are_made_with_their_parents_unless_a_file_is_in_the_way,
     removing_a_tree_follows_no_link_and_goes_as_deep_as_it_must,
     a_lock_keeps_others_out_until_the_file_is_closed,
     chance_stays_in_its_range_and_reaches_every_value, the_machine_and_its_users_are_known);
