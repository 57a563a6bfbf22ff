/* process_link.c - who wants to hear of whose end
 *
 * Links between processes of one node are made by events: the peer's slot notes
 * the linker in its own turn, or, when the peer is gone and the event is
 * dropped, the linker hears EXITED at once.  So nothing is shared.  Links to
 * other nodes are connections, which network.c keeps.
 */
#include "process/core.h"

#include <uthash.h>

#include "base/check.h"
#include "base/memory.h"

/* A set of PIDs by slot and generation, in the order in which they came. */
struct local_link {
    UT_hash_handle hh;
    uint64_t key;
    struct pid pid;
};

/* Of one process, once it has any. */
struct links {
    struct local_link *linkers, *linked; /* who watches it, whom it watches; local ones */
    bool remote;                         /* it watches somebody elsewhere, too */
};

static struct links *links_of(struct process *p)
{
    struct slot *s = p->slot;

    if (!s->links)
        s->links = mem_alloc(sizeof *s->links);
    return s->links;
}

static uint64_t key_of(const struct pid *pid)
{
    return (uint64_t)pid->slot << 32 | pid->generation;
}

static bool add(struct local_link **set, const struct pid *pid)
{
    uint64_t key = key_of(pid);
    struct local_link *l;

    HASH_FIND(hh, *set, &key, sizeof key, l);
    if (l)
        return false;
    l = mem_alloc(sizeof *l);
    l->key = key;
    l->pid = pid_dup(pid);
    HASH_ADD(hh, *set, key, sizeof key, l);
    return true;
}

static void discard(struct local_link **set, struct local_link *l)
{
    HASH_DEL(*set, l);
    pid_release(&l->pid);
    mem_free(l);
}

static void remove_key(struct local_link **set, const struct pid *pid)
{
    uint64_t key = key_of(pid);
    struct local_link *l;

    HASH_FIND(hh, *set, &key, sizeof key, l);
    if (l)
        discard(set, l);
}

/* ---- events between the two ---- */

struct link_event {
    struct event event;
    struct pid linker, peer;
};

static void push(const struct event_type *type, const struct pid *to, const struct pid *linker,
                 const struct pid *peer)
{
    struct link_event *e = mem_alloc(sizeof *e);

    e->event.type = type;
    e->linker = pid_dup(linker);
    e->peer = pid_dup(peer);
    slot_push(to->runtime, to->slot, to->generation, &e->event);
}

static void free_event(struct event *event)
{
    struct link_event *e = (struct link_event *)event;

    pid_release(&e->linker);
    pid_release(&e->peer);
    mem_free(e);
}

static void link_run(struct process *self, struct event *event)
{
    add(&links_of(self)->linkers, &((struct link_event *)event)->linker);
    free_event(event);
}

static void link_drop(struct runtime *rt UNUSED, struct event *event)
{
    struct link_event *e = (struct link_event *)event;

    process_deliver_exited(&e->linker, &e->peer);
    free_event(event);
}

static void unlink_run(struct process *self, struct event *event)
{
    remove_key(&links_of(self)->linkers, &((struct link_event *)event)->linker);
    free_event(event);
}

static void unlink_drop(struct runtime *rt UNUSED, struct event *event)
{
    free_event(event);
}

static void exited_run(struct process *self, struct event *event)
{
    struct link_event *e = (struct link_event *)event;

    if (e->peer.runtime == self->runtime)
        remove_key(&links_of(self)->linked, &e->peer);
    if (self->class->exited)
        self->class->exited(self, &e->peer);
    free_event(event);
}

static void exited_describe(const struct event *event, struct event_info *info)
{
    info->from = &((const struct link_event *)event)->peer;
}

static const struct event_type link_event = { EVENT_DISPATCH, link_run, link_drop, NULL };
static const struct event_type unlink_event = { EVENT_DISPATCH, unlink_run, unlink_drop, NULL };
static const struct event_type exited_event = { EVENT_EXITED, exited_run, unlink_drop,
                                                exited_describe };

void process_deliver_exited(const struct pid *linker, const struct pid *peer)
{
    CHECK(linker->runtime);
    if (atomic_load_explicit(&linker->runtime->are_ahead, memory_order_relaxed))
        timers_order(linker->runtime, peer, linker);
    push(&exited_event, linker, linker, peer);
}

/* ---- asking for it, and the end ---- */

static void link_here(struct process *self, const struct pid *peer)
{
    struct runtime *rt = self->runtime;
    struct pid local = *peer; /* borrows the id */
    uint32_t slot;

    if (!process_find_slot(rt, peer, &slot, &local.generation)) {
        process_deliver_exited(&self->pid, peer);
        return;
    }
    local.runtime = rt;
    local.slot = slot;
    if (add(&links_of(self)->linked, &local))
        push(&link_event, &local, &self->pid, &local);
}

void process_link(struct process *self, const struct pid *peer, enum link_mode mode)
{
    struct runtime *rt = self->runtime;

    CHECK(self == process_current());
    if (pid_is_empty(peer))
        return;
    if (peer->runtime == rt || (!peer->runtime && address_equal(peer->address, rt->address))) {
        link_here(self, peer);
    } else if (!worker_of_thread()->loop) { /* the runtime is being destroyed */
        process_deliver_exited(&self->pid, peer);
    } else {
        links_of(self)->remote = true;
        network_link(rt->network, &self->pid, peer, mode);
    }
}

void process_links_end(struct slot *s, const struct pid *pid)
{
    struct links *links = s->links;
    struct local_link *l, *next;

    HASH_ITER(hh, links->linkers, l, next)
    {
        process_deliver_exited(&l->pid, pid);
        discard(&links->linkers, l);
    }
    HASH_ITER(hh, links->linked, l, next)
    {
        push(&unlink_event, &l->pid, pid, &l->pid);
        discard(&links->linked, l);
    }
    if (links->remote && !atomic_load(&s->runtime->stopping))
        network_unlink_all(s->runtime->network, pid);
    mem_free(links);
    s->links = NULL;
}
