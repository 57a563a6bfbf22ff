/* host.c - the one seam to the outside: forwarding, and what is the same everywhere
 *
 * The first half hands each call to the host's table of operations.  The
 * second is made of these operations, so that both hosts have it: whole files,
 * trees, uuids.  A file or link that is replaced is made under a name that
 * begins with ".tmp-" in the same folder, then renamed; after a crash such a
 * name may be left over and means nothing.
 */
#include "process/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/memory.h"
#include "process/host_ops.h"

/* ---- time and chance ---- */

struct instant host_now(struct host *h)
{
    return h->ops->now(h);
}

struct instant host_wall(struct host *h)
{
    return h->ops->wall(h);
}

void host_random(struct host *h, void *out, size_t size)
{
    h->ops->random(h, out, size);
}

/* Numbers that would make the first values more frequent than the last are drawn again. */
uint64_t host_random_below(struct host *h, uint64_t n)
{
    uint64_t r, surplus;

    CHECK(n > 0);
    surplus = -n % n; /* 2^64 mod n */
    do
        h->ops->random(h, &r, sizeof r);
    while (r < surplus);
    return r % n;
}

struct duration host_random_duration(struct host *h, struct duration max)
{
    CHECK(max.ns >= 0);
    return NANOSECONDS(host_random_below(h, (uint64_t)max.ns + 1));
}

uint32_t host_choose(struct host *h, uint32_t n)
{
    return h->ops->choose(h, n);
}

void host_uuid(struct host *h, uint8_t out[UUID_SIZE])
{
    h->ops->random(h, out, UUID_SIZE);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40); /* version 4 */
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80); /* variant of RFC 4122 */
}

const char *host_uuid_format(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *p = text;

    for (int i = 0; i < UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[uuid[i] >> 4];
        *p++ = digits[uuid[i] & 15];
    }
    *p = '\0';
    return text;
}

/* ---- loops ---- */

struct loop *host_loop_start(struct host *h, loop_turn_f turn, void *arg)
{
    return h->ops->loop_start(h, turn, arg);
}

/* Awake, the loop takes it up before the next callback. */
void host_loop_contexts(struct loop *l, const struct context *callbacks,
                        const struct context *helpers)
{
    atomic_store_explicit(&l->helpers_context, helpers, memory_order_release);
    atomic_store_explicit(&l->context, callbacks, memory_order_release);
    l->host->ops->loop_wake(l);
}

void host_loop_stop(struct loop *l)
{
    l->host->ops->loop_stop(l);
}

void host_loop_wake(struct loop *l)
{
    l->host->ops->loop_wake(l);
}

void host_loop_deadline(struct loop *l, struct instant deadline)
{
    l->host->ops->loop_deadline(l, deadline);
}

bool host_loop_is_current(struct loop *l)
{
    return l->host->ops->loop_is_current(l);
}

unsigned host_turn_events(struct host *h)
{
    return h->ops->turn_events(h);
}

unsigned host_cpus(struct host *h)
{
    struct host_facts facts;

    host_facts(h, &facts);
    return facts.cpus > 0 ? facts.cpus : 1;
}

bool host_wait(struct host *h, bool (*done)(void *arg), void *arg, struct instant deadline)
{
    return h->ops->wait(h, done, arg, deadline);
}

void host_notify(struct host *h)
{
    h->ops->notify(h);
}

/* Work off the loop, counted until its done has run. */
struct help {
    struct loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void help_work(void *arg)
{
    struct help *h = arg;

    h->work(h->arg);
}

static void help_done(void *arg)
{
    struct help *h = arg;
    struct loop *l = h->loop;

    h->done(h->arg);
    mem_free(h);
    /* Release: who sees that it is done sees what it did. */
    atomic_fetch_sub_explicit(&l->helping, 1, memory_order_release);
}

void host_async(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct help *h = mem_alloc(sizeof *h);

    *h = (struct help){ .loop = l, .work = work, .done = done, .arg = arg };
    atomic_fetch_add_explicit(&l->helping, 1, memory_order_relaxed);
    l->host->ops->async(l, help_work, help_done, h);
}

bool host_loop_has_helpers(struct loop *l)
{
    return atomic_load_explicit(&l->helping, memory_order_acquire) > 0;
}

/* ---- streams ---- */

struct stream *host_connect(struct loop *l, struct address to, const struct stream_events *events,
                            void *arg)
{
    return l->host->ops->connect(l, to, events, arg);
}

struct stream *host_connect_path(struct loop *l, const char *path,
                                 const struct stream_events *events, void *arg)
{
    return l->host->ops->connect_path(l, path, events, arg);
}

ssize_t stream_read(struct stream *s, void *out, size_t size, struct error *err)
{
    return s->ops->read(s, out, size, err);
}

ssize_t stream_write(struct stream *s, const struct stream_bytes v[], unsigned n, struct error *err)
{
    return s->ops->write(s, v, n, err);
}

void stream_want(struct stream *s, bool readable, bool writable)
{
    s->ops->want(s, readable, writable);
}

void stream_close(struct stream *s)
{
    if (s)
        s->ops->close(s);
}

struct address stream_peer(const struct stream *s)
{
    return s->peer;
}

void stream_attach(struct stream *s, struct loop *l, const struct stream_events *events, void *arg)
{
    s->ops->attach(s, l, events, arg);
}

struct listener *host_listen(struct loop *l, struct address at, stream_accepted_f accepted,
                             void *arg, struct address *ret_bound, struct error *err)
{
    return l->host->ops->listen(l, at, accepted, arg, ret_bound, err);
}

void host_listener_close(struct listener *l)
{
    if (l)
        l->host->ops->listener_close(l);
}

void host_resolve(struct loop *l, const char *name, host_resolved_f resolved, void *arg)
{
    l->host->ops->resolve(l, name, resolved, arg);
}

/* ---- files ---- */

int host_open(struct host *h, const char *path, unsigned modes, unsigned permissions,
              struct file **ret_file, struct error *err)
{
    return h->ops->open(h, path, modes, permissions, ret_file, err);
}

void file_close(struct file *f)
{
    if (f)
        f->ops->close(f);
}

ssize_t file_read(struct file *f, uint64_t offset, void *out, size_t size, struct error *err)
{
    return f->ops->read(f, offset, out, size, err);
}

int file_write(struct file *f, uint64_t offset, const void *data, size_t size, struct error *err)
{
    return f->ops->write(f, offset, data, size, err);
}

int file_sync(struct file *f, struct error *err)
{
    return f->ops->sync(f, err);
}

int file_truncate(struct file *f, uint64_t size, struct error *err)
{
    return f->ops->truncate(f, size, err);
}

int file_size(struct file *f, uint64_t *ret_size, struct error *err)
{
    return f->ops->size(f, ret_size, err);
}

int file_lock(struct file *f, struct error *err)
{
    return f->ops->lock(f, err);
}

int host_is_locked(struct host *h, const char *path, struct error *err)
{
    return h->ops->is_locked(h, path, err);
}

int host_stat(struct host *h, const char *path, struct file_info *ret_info, struct error *err)
{
    return h->ops->stat(h, path, ret_info, err);
}

int host_mkdir(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    return h->ops->mkdir(h, path, permissions, err);
}

int host_rename(struct host *h, const char *from, const char *to, struct error *err)
{
    return h->ops->rename(h, from, to, err);
}

int host_readlink(struct host *h, const char *path, char **ret_target, struct error *err)
{
    return h->ops->readlink(h, path, ret_target, err);
}

int host_unlink(struct host *h, const char *path, struct error *err)
{
    return h->ops->unlink(h, path, err);
}

int host_sync_directory(struct host *h, const char *path, struct error *err)
{
    return h->ops->sync_directory(h, path, err);
}

int host_chown(struct host *h, const char *path, uint32_t uid, uint32_t gid, struct error *err)
{
    return h->ops->chown(h, path, uid, gid, err);
}

int host_chmod(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    return h->ops->chmod(h, path, permissions, err);
}

int host_list(struct host *h, const char *path, char ***ret_names, size_t *ret_n, struct error *err)
{
    return h->ops->list(h, path, ret_names, ret_n, err);
}

/* ---- children and other OS processes ---- */

static char *flag_as_word(const struct flag *flag, const void *values)
{
    struct buffer b = BUFFER_INIT;

    buffer_printf(&b, "--%s=", flag->name);
    if (flags_format(flag, values, &b))
        return buffer_take(&b, NULL);
    buffer_release(&b);
    return NULL;
}

/* argv and the flags that are set; the words from *ret_first on, and the array, are the
 * caller's. */
static char **argv_with_flags(const struct child_spec *spec, size_t *ret_first)
{
    size_t n = 0, room = 1;
    char **argv;

    while (spec->argv[n])
        n++;
    for (const struct flag *f = spec->flags; f->name; f++)
        room++;
    argv = mem_array(n + room, sizeof *argv);
    memcpy(argv, spec->argv, n * sizeof *argv);
    *ret_first = n;
    for (const struct flag *f = spec->flags; f->name; f++) {
        argv[n] = flag_as_word(f, spec->flag_values);
        n += argv[n] != NULL;
    }
    return argv;
}

int host_spawn(struct loop *l, const struct child_spec *spec, child_ended_f ended, void *arg,
               pid_t *ret_pid, struct error *err)
{
    struct child_spec whole = *spec;
    char **argv = NULL;
    size_t first = 0;
    int status;

    CHECK(spec->path && spec->argv && spec->argv[0]);
    CHECK(spec->pipes || (spec->in != CHILD_PIPE && spec->out != CHILD_PIPE &&
                          spec->err != CHILD_PIPE));
    if (spec->flags) {
        whole.argv = argv = argv_with_flags(spec, &first);
        whole.flags = NULL;
    }
    status = l->host->ops->spawn(l, &whole, ended, arg, ret_pid, err);
    for (char **word = argv ? argv + first : NULL; word && *word; word++)
        mem_free(*word);
    mem_free(argv);
    return status;
}

struct watch *host_watch(struct loop *l, pid_t pid, uint64_t start_time, void (*ended)(void *arg),
                         void *arg)
{
    return l->host->ops->watch(l, pid, start_time, ended, arg);
}

void host_watch_close(struct watch *w)
{
    if (w)
        w->host->ops->watch_close(w);
}

int host_signal(struct host *h, pid_t pid, uint64_t start_time, int signo, struct error *err)
{
    return h->ops->signal(h, pid, start_time, signo, err);
}

int host_start_time(struct host *h, pid_t pid, uint64_t *ret_start_time, struct error *err)
{
    return h->ops->start_time(h, pid, ret_start_time, err);
}

int host_processes(struct host *h, struct host_process **ret_processes, size_t *ret_n,
                   struct error *err)
{
    return h->ops->processes(h, ret_processes, ret_n, err);
}

int host_on_signal(struct loop *l, int signo, void (*received)(void *arg, int signo), void *arg,
                   struct error *err)
{
    return l->host->ops->on_signal(l, signo, received, arg, err);
}

/* ---- facts ---- */

void host_facts(struct host *h, struct host_facts *ret_facts)
{
    h->ops->facts(h, ret_facts);
}

int host_disk(struct host *h, const char *path, uint64_t *ret_size, uint64_t *ret_free,
              struct error *err)
{
    return h->ops->disk(h, path, ret_size, ret_free, err);
}

char *const *host_environment(struct host *h)
{
    return h->ops->environment(h);
}

int host_user(struct host *h, const char *name, uint32_t *ret_uid, uint32_t *ret_gid,
              struct error *err)
{
    return h->ops->user(h, name, ret_uid, ret_gid, err);
}

const char *host_working_directory(struct host *h)
{
    return h->ops->working_directory(h);
}

const char *host_program_directory(struct host *h)
{
    return h->ops->program_directory(h);
}

void host_destroy(struct host *h)
{
    if (h)
        h->ops->destroy(h);
}

/* ---- what is made of these ---- */

void host_free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(names[i]);
    mem_free(names);
}

/* The folder of a path: "a/b" gives "a", "/b" gives "/", "b" gives ".". */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static char *temporary_beside(struct host *h, const char *path)
{
    CLEANUP(mem_free_p) char *parent = parent_of(path);
    uint64_t chance;

    host_random(h, &chance, sizeof chance);
    return mem_printf("%s/.tmp-%016" PRIx64, parent, chance);
}

/* One folder of a path; fine when it is there already. */
static int make_folder(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    struct error failure;
    struct file_info info;

    if (host_mkdir(h, path, permissions, &failure) == 0)
        return 0;
    if (failure.code == EEXIST && host_stat(h, path, &info, NULL) == 0) {
        if (info.is_directory || info.is_link)
            return 0;
        return error_set(err, ENOTDIR,
                         "Failed to make the folder '%s': something else has its name", path);
    }
    return error_copy(err, &failure);
}

int host_mkdirs(struct host *h, const char *path, unsigned permissions, struct error *err)
{
    CLEANUP(mem_free_p) char *part = mem_strdup(path);
    struct file_info info;

    if (host_stat(h, path, &info, NULL) == 0 && info.is_directory)
        return 0;
    for (char *slash = part; (slash = strchr(slash + 1, '/')) != NULL;) {
        if (slash[-1] == '/')
            continue;
        *slash = '\0';
        if (make_folder(h, part, permissions, err) < 0)
            return -1;
        *slash = '/';
    }
    return make_folder(h, path, permissions, err);
}

/* In a folder above that we may not read, or that lies on what is never written,
 * we have made nothing. */
static int sync_parent(struct host *h, const char *path, struct error *err)
{
    struct error failure;

    if (host_sync_directory(h, path, &failure) == 0 || failure.code == EACCES ||
        failure.code == EPERM || failure.code == EROFS || failure.code == EINVAL)
        return 0;
    return error_copy(err, &failure);
}

int host_sync_path(struct host *h, const char *path, struct error *err)
{
    CLEANUP(mem_free_p) char *part = mem_strdup(path);
    char *slash;

    if (host_sync_directory(h, path, err) < 0)
        return -1;
    while ((slash = strrchr(part, '/')) != NULL) {
        bool at_root = slash == part;

        slash[at_root] = '\0'; /* the root keeps its slash */
        if (sync_parent(h, part, err) < 0)
            return -1;
        if (at_root)
            return 0;
    }
    return sync_parent(h, ".", err);
}

int host_symlink(struct host *h, const char *target, const char *path, struct error *err)
{
    CLEANUP(mem_free_p) char *temporary = NULL;
    struct error failure;
    struct file_info info;

    if (h->ops->symlink(h, target, path, &failure) == 0)
        return 0;
    if (failure.code != EEXIST || host_stat(h, path, &info, NULL) < 0 || !info.is_link)
        return error_copy(err, &failure);
    temporary = temporary_beside(h, path);
    if (h->ops->symlink(h, target, temporary, err) < 0)
        return -1;
    if (host_rename(h, temporary, path, err) == 0)
        return 0;
    host_unlink(h, temporary, NULL);
    return -1;
}

/* What somebody else removed meanwhile is removed. */
static int remove_one(struct host *h, const char *path, struct error *err)
{
    struct error failure;

    if (host_unlink(h, path, &failure) == 0 || failure.code == ENOENT)
        return 0;
    return error_copy(err, &failure);
}

static int remove_children(struct host *h, const char *path, struct error *err)
{
    char **names;
    size_t n;
    int status = 0;

    if (host_list(h, path, &names, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && status == 0; i++) {
        CLEANUP(mem_free_p) char *child = mem_printf("%s/%s", path, names[i]);

        status = host_remove_tree(h, child, err);
    }
    host_free_names(names, n);
    return status;
}

int host_remove_tree(struct host *h, const char *path, struct error *err)
{
    struct error failure;
    struct file_info info;

    if (h->ops->remove_tree)
        return h->ops->remove_tree(h, path, err);
    if (host_stat(h, path, &info, &failure) < 0)
        return failure.code == ENOENT ? 0 : error_copy(err, &failure);
    if (info.is_directory && remove_children(h, path, err) < 0)
        return -1;
    return remove_one(h, path, err);
}

/* Up to limit + 1 bytes and a NUL; -1 when reading fails. */
static ssize_t read_up_to(struct file *f, size_t limit, char **ret_data, struct error *err)
{
    size_t used = 0, room = 4096;
    char *data = mem_alloc(room + 1);

    for (;;) {
        size_t wanted = room - used <= limit - used ? room - used : limit - used + 1;
        ssize_t n = file_read(f, used, data + used, wanted, err);

        if (n < 0) {
            mem_free(data);
            return -1;
        }
        used += (size_t)n;
        if (n == 0 || used > limit)
            break;
        if (used == room)
            data = mem_realloc(data, (room *= 2) + 1);
    }
    data[used] = '\0';
    *ret_data = data;
    return (ssize_t)used;
}

int host_read_file(struct host *h, const char *path, size_t limit, char **ret_data,
                   size_t *ret_size, struct error *err)
{
    struct file *f;
    char *data = NULL;
    ssize_t n;

    if (host_open(h, path, FILE_READ, 0, &f, err) < 0)
        return -1;
    n = read_up_to(f, limit, &data, err);
    file_close(f);
    if (n < 0)
        return -1;
    if ((size_t)n > limit) {
        mem_free(data);
        return error_set(err, EFBIG, "'%s' is larger than %zu bytes", path, limit);
    }
    *ret_data = data;
    *ret_size = (size_t)n;
    return 0;
}

static int write_new_file(struct host *h, const char *path, const void *data, size_t size,
                          unsigned permissions, struct error *err)
{
    struct file *f;
    int status;

    if (host_open(h, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, permissions, &f, err) < 0)
        return -1;
    status = file_write(f, 0, data, size, err);
    if (status == 0)
        status = file_sync(f, err);
    file_close(f);
    return status;
}

int host_write_file(struct host *h, const char *path, const void *data, size_t size,
                    unsigned permissions, struct error *err)
{
    CLEANUP(mem_free_p) char *temporary = temporary_beside(h, path);
    CLEANUP(mem_free_p) char *parent = parent_of(path);

    if (write_new_file(h, temporary, data, size, permissions, err) < 0 ||
        host_rename(h, temporary, path, err) < 0) {
        host_unlink(h, temporary, NULL);
        return error_wrap(err, "Failed to write '%s'", path);
    }
    return host_sync_directory(h, parent, err);
}
