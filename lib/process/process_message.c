/* process_message.c - messages: tables of handlers, send, and what arrives
 *
 * A local message travels as the message itself, one from the wire as its
 * bytes, which are parsed in the receiver's context by the type that it
 * installed under the name.  What nobody has installed, or what cannot be
 * parsed, is dropped and counted.
 */
#include "process/core.h"

#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/message.h"
#include "process/proto.h"

/* ---- tables ---- */

/* Tables are few: an array that ends with NULL. */
static const void *add_table(const void *tables, const void *table)
{
    const void *const *old = tables;
    const void **grown;
    size_t n = 0;

    while (old && old[n])
        n++;
    grown = mem_array(n + 2, sizeof *grown);
    if (n > 0)
        memcpy(grown, old, n * sizeof *grown);
    grown[n] = table;
    mem_free((void *)tables);
    return grown;
}

void process_install(struct process *self, const struct process_handler table[])
{
    CHECK(self == process_current() && !self->slot->finalizing);
    self->handlers = add_table(self->handlers, table);
}

void process_route(struct process *self, const struct process_route table[])
{
    CHECK(self == process_current() && !self->slot->finalizing);
    self->routes = add_table(self->routes, table);
}

static const struct process_handler *find_handler(const struct process *p,
                                                  const ProtobufCMessageDescriptor *type)
{
    for (const struct process_handler *const *t = p->handlers; t && *t; t++)
        for (const struct process_handler *h = *t; h->type; h++)
            if (h->type == type)
                return h;
    return NULL;
}

static const struct process_handler *find_handler_by_name(const struct process *p, const char *name)
{
    for (const struct process_handler *const *t = p->handlers; t && *t; t++)
        for (const struct process_handler *h = *t; h->type; h++)
            if (strcmp(h->type->name, name) == 0)
                return h;
    return NULL;
}

/* ---- a message in one piece ---- */

struct message_event {
    struct event event;
    struct pid from;
    struct message *message;
};

static void free_message_event(struct message_event *e)
{
    pid_release(&e->from);
    message_unref(e->message);
    mem_free(e);
}

static void count_dropped(struct runtime *rt)
{
    struct worker *w = worker_current(rt);

    atomic_fetch_add_explicit(&(w ? w : &rt->workers[0])->dropped, 1, memory_order_relaxed);
}

static void drop_with_reason(struct process *p, const struct pid *from, const char *name,
                             const char *reason)
{
    char text[PID_TEXT];

    count_dropped(p->runtime);
    log_debug("%s from %s dropped: %s", name, pid_text(from, text, sizeof text), reason);
}

/* The sender's type may be another one of the same name: then it goes by its
 * bytes, as it would from elsewhere. */
static struct message *as_installed(const struct process_handler *h, struct message *m,
                                    struct error *err)
{
    struct buffer bytes = BUFFER_INIT;
    struct message *parsed;

    proto_pack(m->body, &bytes);
    parsed = message_parse(h->type, buffer_data(&bytes), buffer_length(&bytes), err);
    buffer_release(&bytes);
    return parsed;
}

static const struct process_handler *match(struct process *p, struct message_event *e)
{
    const char *name = e->message->body->descriptor->name;
    const struct process_handler *h = find_handler(p, e->message->body->descriptor);
    struct message *other;
    struct error err;

    if (h)
        return h;
    h = find_handler_by_name(p, name);
    if (!h) {
        drop_with_reason(p, &e->from, name, "no handler is installed");
        return NULL;
    }
    other = as_installed(h, e->message, &err);
    if (!other) {
        drop_with_reason(p, &e->from, name, err.text);
        return NULL;
    }
    message_unref(e->message);
    e->message = other;
    return h;
}

static void message_run(struct process *self, struct event *event)
{
    struct message_event *e = (struct message_event *)event;
    struct worker *w = worker_of_thread();
    const struct process_handler *h = match(self, e);

    if (h) {
        w->sender = &e->from;
        w->message = e->message;
        w->context.event = h->type->name;
        h->receive(self, &e->from, e->message->body);
        w->sender = NULL;
        w->message = NULL;
    }
    free_message_event(e);
}

static void message_drop(struct runtime *rt, struct event *event)
{
    count_dropped(rt);
    free_message_event((struct message_event *)event);
}

static void message_describe(const struct event *event, struct event_info *info)
{
    const struct message_event *e = (const struct message_event *)event;

    info->from = &e->from;
    info->name = e->message->body->descriptor->name;
    info->message = e->message;
}

static const struct event_type message_event = { EVENT_MESSAGE, message_run, message_drop,
                                                 message_describe };

static struct event *make_message_event(const struct pid *from, struct message *m)
{
    struct message_event *e = mem_alloc(sizeof *e);

    e->event.type = &message_event;
    e->from = pid_dup(from);
    e->message = m;
    return &e->event;
}

/* ---- a message in bytes ---- */

struct bytes_event {
    struct event event;
    struct pid from;
    size_t size;
    const char *name; /* behind the body */
    char body[];
};

static void free_bytes_event(struct bytes_event *e)
{
    pid_release(&e->from);
    mem_free(e);
}

/* process_open_bytes makes a message of it before anything else happens. */
static void bytes_run(struct process *self UNUSED, struct event *e UNUSED)
{
    UNREACHABLE();
}

static void bytes_drop(struct runtime *rt, struct event *event)
{
    count_dropped(rt);
    free_bytes_event((struct bytes_event *)event);
}

const struct event_type process_bytes_event = { EVENT_MESSAGE, bytes_run, bytes_drop, NULL };

struct event *process_open_bytes(struct worker *w, struct process *p, struct event *event)
{
    struct bytes_event *e = (struct bytes_event *)event;
    const struct process_handler *h = find_handler_by_name(p, e->name);
    struct message *m = NULL;
    struct error err;

    w->context.event = h ? h->type->name : "a message that is not installed";
    if (!h) {
        drop_with_reason(p, &e->from, e->name, "no handler is installed");
    } else {
        m = message_parse(h->type, e->body, e->size, &err);
        if (!m)
            drop_with_reason(p, &e->from, e->name, err.text);
    }
    event = m ? make_message_event(&e->from, m) : NULL;
    free_bytes_event(e);
    return event;
}

static struct event *make_bytes_event(const struct pid *from, const char *name, const void *body,
                                      size_t size)
{
    size_t length = strlen(name);
    struct bytes_event *e = mem_alloc(sizeof *e + size + length + 1);

    e->event.type = &process_bytes_event;
    e->from = pid_dup(from);
    e->size = size;
    if (size > 0)
        memcpy(e->body, body, size);
    e->name = memcpy(e->body + size, name, length + 1);
    return &e->event;
}

bool process_deliver_bytes_to(const struct pid *to, const struct pid *from, const char *name,
                              const void *body, size_t size)
{
    struct runtime *rt = to->runtime;
    struct worker *w = worker_current(rt);

    if (atomic_load_explicit(&slot_get(rt, to->slot)->generation, memory_order_acquire) !=
        to->generation)
        return false;
    atomic_fetch_add_explicit(&(w ? w : &rt->workers[0])->messages_in, 1, memory_order_relaxed);
    slot_push(rt, to->slot, to->generation, make_bytes_event(from, name, body, size));
    return true;
}

bool process_deliver_bytes(struct runtime *rt, const char *id, const struct pid *from,
                           const char *name, const void *body, size_t size)
{
    struct pid to;
    bool delivered;

    if (!runtime_find(rt, id, &to))
        return false;
    delivered = process_deliver_bytes_to(&to, from, name, body, size);
    pid_release(&to);
    return delivered;
}

/* ---- sending ---- */

bool process_find_slot(struct runtime *rt, const struct pid *pid, uint32_t *ret_slot,
                       uint32_t *ret_generation)
{
    struct pid found;

    if (!rt || pid_is_empty(pid))
        return false;
    if (pid->runtime == rt) {
        *ret_slot = pid->slot;
        *ret_generation = pid->generation;
        return true;
    }
    if (pid->runtime || !address_equal(pid->address, rt->address) ||
        !runtime_find(rt, pid->id->bytes, &found))
        return false;
    *ret_slot = found.slot;
    *ret_generation = found.generation;
    pid_release(&found);
    return true;
}

static bool is_of_this_node(const struct runtime *rt, const struct pid *pid)
{
    return pid->runtime == rt || (!pid->runtime && address_equal(pid->address, rt->address));
}

/* To a process of this node: takes m. */
static void send_here(struct process *self, const struct pid *to, struct message *m)
{
    uint32_t slot, generation;

    if (process_find_slot(self->runtime, to, &slot, &generation)) {
        slot_push(self->runtime, slot, generation, make_message_event(&self->pid, m));
        return;
    }
    count_dropped(self->runtime);
    message_unref(m);
}

static void send_away(struct process *self, const struct pid *to, const ProtobufCMessage *msg)
{
    struct worker *w = worker_of_thread();

    if (!w->loop) { /* the runtime is being destroyed */
        count_dropped(self->runtime);
        return;
    }
    atomic_fetch_add_explicit(&w->messages_out, 1, memory_order_relaxed);
    network_send(self->runtime->network, &self->pid, to, msg);
}

void process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg)
{
    CHECK(self == process_current());
    if (pid_is_empty(to))
        count_dropped(self->runtime);
    else if (is_of_this_node(self->runtime, to))
        send_here(self, to, message_create(msg));
    else
        send_away(self, to, msg);
}

void process_give(struct process *self, const struct pid *to, struct message *m)
{
    CHECK(self == process_current());
    if (!pid_is_empty(to) && is_of_this_node(self->runtime, to)) {
        send_here(self, to, m);
        return;
    }
    if (pid_is_empty(to))
        count_dropped(self->runtime);
    else
        send_away(self, to, m->body);
    message_unref(m);
}

void process_reply(struct process *self, const ProtobufCMessage *msg)
{
    process_send(self, process_sender(self), msg);
}
