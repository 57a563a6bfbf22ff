/* host_real.c - the real host: Linux
 *
 * The table of operations and what is a call or two: time, chance, waiting,
 * names, users, facts about the machine.  The rest has files of its own, see
 * host_real.h.
 */
#include "process/host_real.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

/* ---- time and chance ---- */

static struct instant read_clock(clockid_t id)
{
    struct timespec t;

    CHECK(clock_gettime(id, &t) == 0);
    return (struct instant){ (int64_t)t.tv_sec * 1000000000 + t.tv_nsec };
}

struct instant host_real_now(struct host *h)
{
    (void)h;
    return read_clock(CLOCK_MONOTONIC);
}

static struct instant real_wall(struct host *h)
{
    (void)h;
    return read_clock(CLOCK_REALTIME);
}

static void real_random(struct host *h, void *out, size_t size)
{
    char *p = out;

    (void)h;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);

        CHECK(n >= 0 || errno == EINTR);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        }
    }
}

static uint32_t real_choose(struct host *h, uint32_t n)
{
    (void)h, (void)n;
    return 0;
}

static unsigned real_turn_events(struct host *h)
{
    (void)h;
    return 256;
}

/* ---- waiting ---- */

bool host_real_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, struct instant deadline)
{
    struct timespec at;

    if (deadline.ns == INSTANT_NEVER.ns)
        return pthread_cond_wait(cond, lock) == 0;
    at.tv_sec = (time_t)(deadline.ns / 1000000000);
    at.tv_nsec = (long)(deadline.ns % 1000000000);
    return pthread_cond_timedwait(cond, lock, &at) != ETIMEDOUT;
}

/* Waits until notified is no longer `seen`; false at the deadline. */
static bool wait_for_notice(struct real_host *r, uint64_t seen, struct instant deadline)
{
    bool in_time = true;

    pthread_mutex_lock(&r->lock);
    while (in_time && r->notified == seen)
        in_time = host_real_wait_until(&r->changed, &r->lock, deadline);
    pthread_mutex_unlock(&r->lock);
    return in_time;
}

/* done is asked without the lock: it may take locks of its own.  A notice
 * that comes between the question and the waiting is seen by its number. */
static bool real_wait(struct host *h, bool (*done)(void *), void *arg, struct instant deadline)
{
    struct real_host *r = real_host(h);
    bool is_done;

    atomic_fetch_add_explicit(&r->waiters, 1, memory_order_acq_rel);
    for (bool in_time = true;;) {
        uint64_t seen;

        pthread_mutex_lock(&r->lock);
        seen = r->notified;
        pthread_mutex_unlock(&r->lock);
        is_done = done(arg);
        if (is_done || !in_time)
            break;
        in_time = wait_for_notice(r, seen, deadline);
    }
    atomic_fetch_sub_explicit(&r->waiters, 1, memory_order_acq_rel);
    return is_done;
}

/* The addition of 0 and a waiter's of 1 have an order: either we see the
 * waiter, or it sees what was done before this call. */
static void real_notify(struct host *h)
{
    struct real_host *r = real_host(h);

    if (atomic_fetch_add_explicit(&r->waiters, 0, memory_order_acq_rel) == 0)
        return;
    pthread_mutex_lock(&r->lock);
    r->notified++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* ---- names ---- */

struct resolution {
    struct loop *loop;
    char *name;
    host_resolved_f resolved;
    void *arg;
    bool failed;
    uint32_t ip;
    struct error error;
};

static void resolve_work(void *arg)
{
    struct resolution *r = arg;
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int status = getaddrinfo(r->name, NULL, &hints, &found);

    r->failed = status != 0;
    if (status != 0) {
        error_set(&r->error, status == EAI_AGAIN ? EAGAIN : ENOENT, "Failed to resolve '%s': %s",
                  r->name, gai_strerror(status));
        return;
    }
    r->ip = ntohl(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(found);
}

static void resolve_done(void *arg)
{
    struct resolution *r = arg;

    if (!atomic_load(&real_loop(r->loop)->stopping))
        r->resolved(r->arg, r->failed ? &r->error : NULL, r->ip);
    mem_free(r->name);
    mem_free(r);
}

static void real_resolve(struct loop *l, const char *name, host_resolved_f resolved, void *arg)
{
    struct resolution *r = mem_alloc(sizeof *r);

    *r = (struct resolution){
        .loop = l, .name = mem_strdup(name), .resolved = resolved, .arg = arg
    };
    host_real_loop_async_on(l, &real_host(l->host)->resolvers, resolve_work, resolve_done, r);
}

/* ---- users ---- */

enum { PASSWD_BYTES = 16 * 1024 };

static int real_user(struct host *h, const char *name, uint32_t *ret_uid, uint32_t *ret_gid,
                     struct error *err)
{
    CLEANUP(mem_free_p) char *bytes = mem_alloc(PASSWD_BYTES);
    struct passwd entry, *found = NULL;
    int code = getpwnam_r(name, &entry, bytes, PASSWD_BYTES, &found);

    (void)h;
    if (found) {
        *ret_uid = found->pw_uid;
        *ret_gid = found->pw_gid;
        return 0;
    }
    if (code == 0 || code == ENOENT || code == ESRCH)
        return error_set(err, ENOENT, "There is no user '%s' on this machine", name);
    errno = code;
    return error_errno(err, "Failed to look up the user '%s'", name);
}

static void put_user_name(uid_t uid, char *out, size_t size)
{
    CLEANUP(mem_free_p) char *bytes = mem_alloc(PASSWD_BYTES);
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, bytes, PASSWD_BYTES, &found) == 0 && found)
        snprintf(out, size, "%s", found->pw_name);
    else
        snprintf(out, size, "%u", (unsigned)uid);
}

/* ---- facts ---- */

static unsigned count_cpus(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static void put_memory(struct host_facts *facts)
{
    struct sysinfo info;

    if (sysinfo(&info) < 0)
        return;
    facts->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    facts->memory_free_bytes = (uint64_t)info.freeram * info.mem_unit;
}

static void real_facts(struct host *h, struct host_facts *ret_facts)
{
    struct host_facts facts = {
        .cpus = count_cpus(), .pid = getpid(), .uid = getuid(), .gid = getgid()
    };
    double load[3] = { 0, 0, 0 };
    struct utsname names;

    (void)h;
    if (uname(&names) == 0)
        snprintf(facts.hostname, sizeof facts.hostname, "%s", names.nodename);
    put_memory(&facts);
    if (getloadavg(load, 3) == 3) {
        facts.load_1min = load[0];
        facts.load_5min = load[1];
        facts.load_15min = load[2];
    }
    if (host_real_file_read_small("/proc/sys/kernel/random/boot_id", facts.boot_id,
                                  sizeof facts.boot_id, NULL) == 0)
        facts.boot_id[strcspn(facts.boot_id, "\n")] = '\0';
    put_user_name(getuid(), facts.user, sizeof facts.user);
    *ret_facts = facts;
}

static char *const *real_environment(struct host *h)
{
    return real_host(h)->environment;
}

static const char *real_working_directory(struct host *h)
{
    return real_host(h)->working_directory;
}

static const char *real_program_directory(struct host *h)
{
    return real_host(h)->program_directory;
}

/* ---- making and ending ---- */

static char **copy_environment(void)
{
    size_t n = 0;
    char **copy;

    while (environ && environ[n])
        n++;
    copy = mem_array(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(environ[i]);
    return copy;
}

static char *find_program_directory(struct host *h)
{
    char *path, *slash;

    if (host_real_file_readlink(h, "/proc/self/exe", &path, NULL) < 0)
        return mem_strdup("/");
    slash = strrchr(path, '/');
    if (slash)
        slash[slash == path ? 1 : 0] = '\0';
    return path;
}

static char *find_working_directory(void)
{
    char *got = getcwd(NULL, 0);
    char *directory = mem_strdup(got ? got : "/");

    free(got);
    return directory;
}

/* Stops the loops that are left. */
static void real_destroy(struct host *h)
{
    struct real_host *r = real_host(h);

    list_each (l, &r->loops, struct real_loop, of_host)
        host_real_loop_stop(&l->loop);
    host_real_pool_release(&r->helpers);
    host_real_pool_release(&r->resolvers);
    host_real_pool_release(&r->spawner);
    list_each_safe (l, &r->loops, struct real_loop, of_host)
        host_real_loop_destroy(l);
    host_real_watch_forget(r);
    host_real_child_release(r);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    for (size_t i = 0; r->environment[i]; i++)
        mem_free(r->environment[i]);
    mem_free(r->environment);
    mem_free(r->working_directory);
    mem_free(r->program_directory);
    mem_free(r);
}

static const struct host_ops real_ops = {
    .now = host_real_now,
    .wall = real_wall,
    .random = real_random,
    .choose = real_choose,
    .turn_events = real_turn_events,
    .loop_start = host_real_loop_start,
    .loop_stop = host_real_loop_stop,
    .loop_wake = host_real_loop_wake,
    .loop_deadline = host_real_loop_deadline,
    .loop_is_current = host_real_loop_is_current,
    .wait = real_wait,
    .notify = real_notify,
    .async = host_real_loop_async,
    .connect = host_real_stream_connect,
    .connect_path = host_real_stream_connect_path,
    .listen = host_real_stream_listen,
    .listener_close = host_real_stream_listener_close,
    .resolve = real_resolve,
    .open = host_real_file_open,
    .is_locked = host_real_file_is_locked,
    .stat = host_real_file_stat,
    .mkdir = host_real_file_mkdir,
    .rename = host_real_file_rename,
    .symlink = host_real_file_symlink,
    .readlink = host_real_file_readlink,
    .unlink = host_real_file_unlink,
    .sync_directory = host_real_file_sync_directory,
    .chown = host_real_file_chown,
    .chmod = host_real_file_chmod,
    .list = host_real_file_list,
    .remove_tree = host_real_tree_remove,
    .spawn = host_real_child_spawn,
    .watch = host_real_watch_open,
    .watch_close = host_real_watch_close,
    .signal = host_real_watch_signal,
    .start_time = host_real_watch_start_time,
    .processes = host_real_processes_list,
    .on_signal = host_real_watch_on_signal,
    .facts = real_facts,
    .disk = host_real_file_disk,
    .environment = real_environment,
    .user = real_user,
    .working_directory = real_working_directory,
    .program_directory = real_program_directory,
    .destroy = real_destroy,
};

struct host *host_real_create(void)
{
    struct real_host *r = mem_alloc(sizeof *r);
    pthread_condattr_t monotonic;

    r->host.ops = &real_ops;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored by who started us, the kernel would reap for us */
    host_real_pool_init(&r->helpers, POOL_THREADS);
    host_real_pool_init(&r->resolvers, 2);
    host_real_pool_init(&r->spawner, 1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    list_init(&r->loops);
    list_init(&r->orphans);
    r->environment = copy_environment();
    r->working_directory = find_working_directory();
    r->program_directory = find_program_directory(&r->host);
    return &r->host;
}
