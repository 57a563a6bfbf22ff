/* process.c - the life of a process: spawn, events one at a time, the end
 *
 * spawn gives a slot and a name and pushes the slot's first event, which makes
 * the process the slot's and calls initialize.  The end goes: lasts of futures,
 * finalize, the name and with it the generation, EXITED to those who are linked,
 * and whoever waits.  So who finds an id finds a process that has not ended, and
 * who hears of an end may use the id again.  Events that were pushed for an ended
 * generation are dropped when their turn comes.
 */
#include "process/core.h"

#include <errno.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

struct process *process_current(void)
{
    struct worker *w = worker_of_thread();

    return w && w->slot ? w->slot->process : NULL;
}

const struct pid *process_sender(struct process *self)
{
    static const struct pid nobody;
    struct worker *w = worker_of_thread();

    CHECK(self == process_current());
    return w->sender ? w->sender : &nobody;
}

struct message *process_message(struct process *self)
{
    CHECK(self == process_current());
    return worker_of_thread()->message;
}

size_t process_backlog(struct runtime *rt, uint32_t slot)
{
    return slot_backlog(rt, slot);
}

/* ---- spawn ---- */

struct birth {
    struct event event;
    struct process *process;
};

static void birth_run(struct process *self UNUSED, struct event *e)
{
    struct process *p = ((struct birth *)e)->process;

    spares_put(e, sizeof(struct birth));
    p->slot->process = p;
    worker_of_thread()->context.event = "initialize";
    if (p->class->initialize)
        p->class->initialize(p);
}

/* Nobody but spawn knows a generation that is not born yet. */
static void birth_drop(struct runtime *rt UNUSED, struct event *e UNUSED)
{
    UNREACHABLE();
}

static const struct event_type birth_event = { EVENT_DISPATCH, birth_run, birth_drop, NULL };

static struct event *make_birth(struct runtime *rt, struct process *p)
{
    struct birth *birth = spares_take(rt, sizeof *birth);

    birth->event.type = &birth_event;
    birth->process = p;
    return &birth->event;
}

static void prepare(struct process *p, struct slot *s, const struct process_class *class)
{
    p->pid = slot_pid(s);
    p->runtime = s->runtime;
    p->class = class;
    p->slot = s;
    p->handlers = NULL;
    p->routes = NULL;
    p->delegations = NULL;
    list_init(&p->pending);
}

static bool is_taken(struct runtime *rt, const char *id)
{
    size_t length = strlen(id);

    return names_find(rt, id, length, text_hash_bytes(id, length)) != NULL;
}

int process_spawn(struct runtime *rt, struct process *p, const struct process_class *class,
                  const char *id, struct pid *ret_pid, struct error *err)
{
    bool from_outside = !worker_current(rt);
    struct event *birth;
    struct slot *s;

    if (id && !pid_is_id(id, strlen(id)))
        return error_set(err, EINVAL, "'%.60s' is not a process id", id);
    birth = make_birth(rt, p);
    pthread_mutex_lock(&rt->names_lock);
    if (id && is_taken(rt, id)) {
        pthread_mutex_unlock(&rt->names_lock);
        spares_put(birth, sizeof(struct birth));
        return error_set(err, EEXIST, "there is a process '%.60s' already", id);
    }
    s = slot_take_free(rt);
    names_add(rt, s, id ? text_create(id) : names_unique(rt, class->name));
    prepare(p, s, class);
    if (ret_pid)
        *ret_pid = pid_dup(&p->pid);
    if (from_outside)
        slot_set_home(s, worker_next(rt));
    /* With the lock, so that nobody finds the name before this first event is queued. */
    slot_push(rt, s->index, p->pid.generation, birth);
    pthread_mutex_unlock(&rt->names_lock);
    return 0;
}

/* ---- an event ---- */

static bool passes_filter(struct worker *w, struct process *p, struct event *e)
{
    struct runtime *rt = w->runtime;
    static const struct pid nobody;
    struct event_info info = {
        .runtime = rt, .kind = e->type->kind, .to = &p->pid, .from = &nobody, .name = ""
    };
    bool pass = true;

    e->type->describe(e, &info);
    pthread_mutex_lock(&rt->filter_lock);
    if (rt->filter)
        pass = rt->filter(rt->filter_arg, &info);
    pthread_mutex_unlock(&rt->filter_lock);
    /* A step of a future or an end that got lost would be a process that hangs. */
    return pass || info.kind == EVENT_FUTURE || info.kind == EVENT_TERMINATE;
}

static void leave(struct worker *w)
{
    w->slot = NULL;
    w->sender = NULL;
    w->message = NULL;
    w->context.event = "";
}

static void run(struct worker *w, struct process *p, struct event *e)
{
    if (e->type == &process_bytes_event)
        e = process_open_bytes(w, p, e);
    if (!e)
        return;
    if (e->type->describe && atomic_load_explicit(&w->runtime->has_filter, memory_order_acquire) &&
        !passes_filter(w, p, e)) {
        e->type->drop(w->runtime, e);
        return;
    }
    if (e->type->kind == EVENT_HTTP)
        atomic_fetch_add_explicit(&w->http_requests, 1, memory_order_relaxed);
    e->type->run(p, e);
}

void process_deliver(struct worker *w, struct slot *s, struct event *e)
{
    if (e->generation != atomic_load_explicit(&s->generation, memory_order_relaxed)) {
        e->type->drop(w->runtime, e);
        return;
    }
    w->slot = s;
    w->context.event = event_kind_name(e->type->kind);
    worker_raise(&w->events);
    run(w, s->process, e);
    leave(w);
}

/* ---- the end ---- */

static void finalize(struct worker *w, struct slot *s)
{
    struct process *p = s->process;
    void *handlers, *routes;

    w->slot = s;
    w->sender = NULL;
    w->message = NULL;
    w->context.event = "finalize";
    future_end_process(p);
    process_delegations_release(p);
    handlers = (void *)p->handlers;
    routes = (void *)p->routes;
    w->finalizing = true;
    if (p->class->finalize)
        p->class->finalize(p); /* p may be no more */
    w->finalizing = false;
    s->process = NULL;
    leave(w);
    mem_free(handlers);
    mem_free(routes);
}

static void next_generation(struct slot *s)
{
    uint32_t next = atomic_load_explicit(&s->generation, memory_order_relaxed) + 1;

    next = next ? next : 1;
    /* A mark of the same number, of 2^32 lives ago, is none of the next one's; that one
     * nobody knows yet, so nobody marks it now. */
    if (atomic_load_explicit(&s->terminate, memory_order_relaxed) == next)
        atomic_store_explicit(&s->terminate, 0, memory_order_relaxed);
    /* Sequentially consistent, as is `awaited`: either we see that somebody waits, or he
     * sees the next generation. */
    atomic_store_explicit(&s->generation, next, memory_order_seq_cst);
}

static void free_slot(struct slot *s)
{
    pthread_mutex_lock(&s->runtime->names_lock);
    slot_put_free(s);
    pthread_mutex_unlock(&s->runtime->names_lock);
}

void process_end(struct worker *w, struct slot *s)
{
    struct runtime *rt = s->runtime;
    struct pid pid = slot_pid(s);
    bool has_links, is_awaited;

    finalize(w, s);
    has_links = s->links != NULL;
    pthread_mutex_lock(&rt->names_lock);
    names_remove(s); /* pid has the id now */
    next_generation(s);
    is_awaited = slot_stop_awaiting(s);
    if (!has_links)
        slot_put_free(s);
    pthread_mutex_unlock(&rt->names_lock);
    if (has_links) {
        process_links_end(s, &pid);
        free_slot(s);
    }
    if (is_awaited)
        host_notify(rt->host);
    pid_release(&pid);
}

static void terminate_run(struct process *self, struct event *e)
{
    spares_put(e, sizeof *e);
    process_end(worker_of_thread(), self->slot);
}

static void terminate_drop(struct runtime *rt UNUSED, struct event *e)
{
    spares_put(e, sizeof *e);
}

static void terminate_describe(const struct event *e UNUSED, struct event_info *info UNUSED) {}

static const struct event_type terminate_event = { EVENT_TERMINATE, terminate_run, terminate_drop,
                                                   terminate_describe };

/* The mark is of the generation that lives, or of one that has gone, or 0.  Who comes
 * late must not take away the mark of a later generation, which would then end behind
 * its queue.  So it is changed only if it is still what it was before we saw ours alive:
 * that was no later one's, for who marks has seen his alive, and with his mark we see
 * that, too; and no mark comes again within 2^32 lives. */
static void mark(struct slot *s, uint32_t generation)
{
    uint32_t before = atomic_load_explicit(&s->terminate, memory_order_acquire);

    while (atomic_load_explicit(&s->generation, memory_order_acquire) == generation &&
           !atomic_compare_exchange_weak_explicit(&s->terminate, &before, generation,
                                                  memory_order_acq_rel, memory_order_acquire))
        ;
}

void process_terminate(const struct pid *pid, enum terminate when)
{
    uint32_t index, generation;
    struct event *e;
    struct slot *s;

    if (!process_find_slot(pid->runtime, pid, &index, &generation))
        return;
    s = slot_get(pid->runtime, index);
    if (atomic_load_explicit(&s->generation, memory_order_acquire) != generation)
        return;
    if (when == TERMINATE_NOW)
        mark(s, generation);
    e = spares_take(pid->runtime, sizeof *e); /* also what brings the slot to its turn */
    e->type = &terminate_event;
    slot_push(pid->runtime, index, generation, e);
}

/* ---- wait ---- */

static bool is_gone(void *arg)
{
    const struct pid *pid = arg;
    struct slot *s = slot_get(pid->runtime, pid->slot);

    return atomic_load_explicit(&s->generation, memory_order_seq_cst) != pid->generation;
}

bool process_wait(const struct pid *pid, struct duration timeout)
{
    struct pid waited = *pid; /* borrowed: pid may be inside the process that ends */
    struct runtime *rt = pid->runtime;

    CHECK(!process_current());
    if (!rt || is_gone(&waited))
        return true;
    slot_await(slot_get(rt, pid->slot));
    return host_wait(rt->host, is_gone, &waited, instant_add(host_now(rt->host), timeout));
}
