/* runtime_names.c - finding processes: by id, by the text of a PID, by host name */
#include "process/core.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/future.h"

/* ---- by id ---- */

static bool find_locked(struct runtime *rt, const char *id, struct pid *ret_pid)
{
    size_t length = strlen(id);
    struct slot *s = names_find(rt, id, length, text_hash_bytes(id, length));

    if (s) {
        *ret_pid = slot_pid(s);
        text_ref(s->id);
    }
    return s != NULL;
}

bool runtime_find(struct runtime *rt, const char *id, struct pid *ret_pid)
{
    bool found;

    pthread_mutex_lock(&rt->names_lock);
    found = find_locked(rt, id, ret_pid);
    pthread_mutex_unlock(&rt->names_lock);
    return found;
}

void runtime_each_process(struct runtime *rt,
                          void (*see)(void *arg, const struct pid *pid, size_t events), void *arg)
{
    struct slot *s;

    pthread_mutex_lock(&rt->names_lock);
    for (uint32_t i = rt->names.oldest; (s = slot_numbered(rt, i)); i = s->younger) {
        struct pid pid = slot_pid(s);

        see(arg, &pid, process_backlog(rt, s->index));
    }
    pthread_mutex_unlock(&rt->names_lock);
}

/* The delegate is kept as an id: it may be spawned later. */
void runtime_set_delegate(struct runtime *rt, const char *id)
{
    pthread_mutex_lock(&rt->names_lock);
    pid_release(&rt->delegate);
    rt->delegate = pid_create(id, rt->address);
    pthread_mutex_unlock(&rt->names_lock);
}

bool runtime_get_delegate(struct runtime *rt, struct pid *ret_pid)
{
    bool found;

    pthread_mutex_lock(&rt->names_lock);
    found = !pid_is_empty(&rt->delegate) && find_locked(rt, rt->delegate.id->bytes, ret_pid);
    pthread_mutex_unlock(&rt->names_lock);
    return found;
}

/* ---- by text ---- */

static void find_slot(struct runtime *rt, struct pid *pid)
{
    struct pid local;

    if (address_equal(pid->address, rt->address) && runtime_find(rt, pid->id->bytes, &local)) {
        pid_release(pid);
        *pid = local;
    }
}

int runtime_parse_pid(struct runtime *rt, const char *text, struct pid *ret_pid, struct error *err)
{
    struct pid pid;

    if (pid_parse(text, &pid, err) < 0)
        return -1;
    find_slot(rt, &pid);
    *ret_pid = pid;
    return 0;
}

/* ---- by host name ---- */

static void release_pid(void *value)
{
    pid_release(value);
}

const struct future_type runtime_pid_type = { "pid", sizeof(struct pid), release_pid };

struct resolution {
    struct list link; /* under the names lock */
    struct runtime *runtime;
    struct worker *worker;
    struct promise *promise;
    char *id, *name, *port;
};

static void resolution_free(struct resolution *r)
{
    promise_unref(r->promise);
    mem_free(r->id);
    mem_free(r->name);
    mem_free(r->port);
    mem_free(r);
}

static void settle(struct promise *p, struct runtime *rt, const char *text)
{
    struct error err;
    struct pid pid;

    if (runtime_parse_pid(rt, text, &pid, &err) < 0)
        promise_fail_with(p, &err);
    else
        promise_set(p, &runtime_pid_type, &pid);
}

static void resolved(void *arg, const struct error *err, uint32_t ip)
{
    struct resolution *r = arg;
    char address[ADDRESS_TEXT];

    pthread_mutex_lock(&r->runtime->names_lock);
    list_remove(&r->link);
    pthread_mutex_unlock(&r->runtime->names_lock);
    if (err) {
        promise_fail(r->promise, err->code, "'%s': %s", r->name, err->text);
    } else {
        char *text = mem_printf("%s@%s:%s", r->id, address_format_ip(ip, address), r->port);

        settle(r->promise, r->runtime, text);
        mem_free(text);
    }
    resolution_free(r);
}

static void resolve(void *arg)
{
    struct resolution *r = arg;
    struct loop *loop = worker_loop(r->worker);

    if (loop)
        host_resolve(loop, r->name, resolved, r); /* else runtime_names_stop ends it */
}

static bool is_numeric(const char *name, size_t length)
{
    return strspn(name, "0123456789.") >= length;
}

static struct future *resolve_name(struct runtime *rt, const char *text, const char *at,
                                   const char *colon)
{
    struct resolution *r = mem_alloc(sizeof *r);
    struct future *f;

    list_init(&r->link);
    r->runtime = rt;
    r->worker = worker_next(rt);
    r->promise = promise_create(&runtime_pid_type);
    r->id = mem_strndup(text, (size_t)(at - text));
    r->name = mem_strndup(at + 1, (size_t)(colon - at - 1));
    r->port = mem_strdup(colon + 1);
    f = promise_future(r->promise);
    pthread_mutex_lock(&rt->names_lock);
    list_append(&rt->resolutions, &r->link);
    pthread_mutex_unlock(&rt->names_lock);
    worker_post(r->worker, resolve, r);
    return f;
}

struct future *runtime_resolve_pid(struct runtime *rt, const char *text)
{
    const char *at = strchr(text, '@');
    const char *colon = at ? strrchr(at, ':') : NULL;
    struct promise *p;
    struct future *f;

    if (colon && colon > at + 1 && !is_numeric(at + 1, (size_t)(colon - at - 1)))
        return resolve_name(rt, text, at, colon);
    p = promise_create(&runtime_pid_type);
    f = promise_future(p);
    settle(p, rt, text);
    promise_unref(p);
    return f;
}

void runtime_names_stop(struct runtime *rt)
{
    struct list left;

    list_init(&left);
    pthread_mutex_lock(&rt->names_lock);
    list_splice(&left, &rt->resolutions);
    pthread_mutex_unlock(&rt->names_lock);
    while (!list_is_empty(&left)) {
        struct resolution *r = list_first(&left, struct resolution, link);

        list_remove(&r->link);
        resolution_free(r);
    }
}

void runtime_names_release(struct runtime *rt)
{
    names_release(rt);
    pid_release(&rt->delegate);
}
