/* process_message.c - messages: tables of handlers, send, and what arrives
 *
 * A local message travels as the message itself, one from the wire as its
 * bytes, which are parsed in the receiver's context by the type that it
 * installed under the name.  What cannot be parsed is dropped and counted; what
 * nobody has installed: process_unknown.c.
 */
#include "process/core.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/http.h"
#include "process/message.h"
#include "process/metrics.h"
#include "process/proto.h"

/* ---- tables ---- */

/* Tables are few: an array that ends with NULL. */
static const void *add_table(const void *tables, const void *table, bool in_front)
{
    const void *const *old = tables;
    const void **grown;
    size_t n = 0;

    while (old && old[n])
        n++;
    grown = mem_array(n + 2, sizeof *grown);
    if (n > 0)
        memcpy(grown + in_front, old, n * sizeof *grown);
    grown[in_front ? 0 : n] = table;
    mem_free((void *)tables);
    return grown;
}

void process_install(struct process *self, const struct process_handler table[])
{
    CHECK(self == process_current() && !worker_of_thread()->finalizing);
    self->handlers = add_table(self->handlers, table, true); /* the last one counts */
}

void process_route(struct process *self, const struct process_route table[])
{
    CHECK(self == process_current() && !worker_of_thread()->finalizing);
    self->routes = add_table(self->routes, table, false);
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

static bool is_of_this_node(const struct runtime *rt, const struct pid *pid)
{
    return pid->runtime == rt || (!pid->runtime && address_equal(pid->address, rt->address));
}

/* In the name of `from`, which is of this node or not: takes m. */
static void send_for(struct runtime *rt, const struct pid *from, const struct pid *to,
                     struct message *m);

struct message_event {
    struct event event;
    struct pid from;
    struct message *message;
    size_t memory; /* the size of all */
};

static void free_message_event(struct message_event *e)
{
    text_unref(e->from.id);
    message_unref(e->message);
    spares_put(e, e->memory);
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

/* Its handler, after it was made a message of the handler's type; NULL when it is dropped. */
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
        count_dropped(p->runtime);
        process_note_unknown(p, &e->from, name);
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

/* True when it has gone on to a delegate. */
static bool delegate_message(struct process *p, struct message_event *e)
{
    const ProtobufCMessageDescriptor *type = e->message->body->descriptor;
    const struct pid *to = process_find_delegate(p, type->name);

    if (!to || find_handler(p, type) || find_handler_by_name(p, type->name))
        return false;
    send_for(p->runtime, &e->from, to, e->message);
    e->message = NULL;
    free_message_event(e);
    return true;
}

static void message_run(struct process *self, struct event *event)
{
    struct message_event *e = (struct message_event *)event;
    struct worker *w = worker_of_thread();
    const struct process_handler *h;

    if (self->delegations && delegate_message(self, e))
        return;
    h = match(self, e);
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

static struct message_event *make_event(struct runtime *rt, const struct event_type *type,
                                        const struct pid *from, struct message *m, size_t memory)
{
    struct message_event *e = spares_take(rt, memory);

    e->event.type = type;
    e->from = pid_dup(from);
    e->message = m;
    e->memory = memory;
    return e;
}

static struct event *make_message_event(struct runtime *rt, const struct pid *from,
                                        struct message *m)
{
    return &make_event(rt, &message_event, from, m, sizeof(struct message_event))->event;
}

/* ---- a message in bytes ---- */

/* Becomes an event of the message when that has been made of it. */
struct bytes_event {
    struct message_event head;
    struct http_request *json; /* whose body it is, and who waits to hear; or NULL */
    size_t size;
    const char *name; /* behind the body */
    char body[];
};

enum { KEPT_BYTES = 1000 }; /* a larger one does not outlast its parsing */

static void free_bytes_event(struct bytes_event *e)
{
    http_request_unref(e->json);
    free_message_event(&e->head);
}

/* process_open_bytes makes a message of it before anything else happens. */
static void bytes_run(struct process *self UNUSED, struct event *e UNUSED)
{
    UNREACHABLE();
}

static void bytes_drop(struct runtime *rt, struct event *event)
{
    struct bytes_event *e = (struct bytes_event *)event;

    count_dropped(rt);
    if (e->json)
        http_answer_error(e->json, 404, NULL);
    free_bytes_event(e);
}

const void *process_describe_bytes(const struct event *event, struct event_info *info,
                                   size_t *ret_size)
{
    const struct bytes_event *e = (const struct bytes_event *)event;

    info->from = &e->head.from;
    info->name = e->name;
    if (e->json)
        return http_request_body(e->json, ret_size);
    *ret_size = e->size;
    return e->body;
}

const struct event_type process_bytes_event = { EVENT_MESSAGE, bytes_run, bytes_drop, NULL };

/* NULL when it is dropped. */
static struct message *parse(struct runtime *rt, const struct process_handler *h,
                             struct bytes_event *e, struct error *err)
{
    const struct proto_limits limits = runtime_message_limits(rt);
    struct message *m;

    if (e->json) {
        size_t size;
        const char *body = http_request_body(e->json, &size);
        m = message_parse_json(&limits, h->type, body, size, err);
    } else {
        m = message_parse_within(&limits, h->type, e->body, e->size, err);
    }
    if (!m)
        counter_add(metrics_counter(rt, "process/messages_malformed"), 1);
    return m;
}

/* Who sends JSON sees the answer: a person, or a script. */
static void answer_json(struct http_request *r, const struct process_handler *h,
                        const struct message *m, const struct error *err)
{
    if (m)
        http_answer(r, 202, NULL, NULL, 0);
    else
        http_answer_error(r, h ? 400 : 404, "%s", err->text);
}

static void send_bytes_away(struct runtime *rt, const struct pid *to, struct bytes_event *e)
{
    const char *body = e->body;
    size_t size = e->size;

    if (e->json) {
        body = http_request_body(e->json, &size);
        http_answer(e->json, 202, NULL, NULL, 0); /* what else, we do not hear */
    }
    network_send_bytes(rt->network, &e->head.from, to, e->name, body, size, e->json != NULL);
}

/* What has no handler: on to a delegate, or noted.  True when it went on. */
static bool delegate_bytes(struct process *p, struct bytes_event *e)
{
    const struct pid *to = process_find_delegate(p, e->name);
    uint32_t slot, generation;

    if (!to) {
        process_note_unknown(p, &e->head.from, e->name);
        return false;
    }
    if (process_find_slot(p->runtime, to, &slot, &generation)) {
        slot_push(p->runtime, slot, generation, &e->head.event);
        return true;
    }
    if (is_of_this_node(p->runtime, to) || !worker_of_thread()->loop)
        return false;
    send_bytes_away(p->runtime, to, e);
    free_bytes_event(e);
    return true;
}

/* Takes both. */
static struct event *turn_into_message(struct runtime *rt, struct bytes_event *e, struct message *m)
{
    struct event *event = &e->head.event;

    if (e->head.memory > KEPT_BYTES || e->json) {
        event = make_message_event(rt, &e->head.from, m);
        free_bytes_event(e);
    } else {
        event->type = &message_event;
        e->head.message = m;
    }
    return event;
}

struct event *process_open_bytes(struct worker *w, struct process *p, struct event *event)
{
    struct bytes_event *e = (struct bytes_event *)event;
    const struct process_handler *h = find_handler_by_name(p, e->name);
    struct message *m = NULL;
    struct error err;

    w->context.event = h ? h->type->name : "a message that is not installed";
    if (!h && delegate_bytes(p, e))
        return NULL;
    if (h)
        m = parse(p->runtime, h, e, &err);
    else
        error_set(&err, ENOENT, "%s has no handler for %s", p->pid.id->bytes, e->name);
    if (!m)
        drop_with_reason(p, &e->head.from, e->name, err.text);
    if (e->json)
        answer_json(e->json, h, m, &err);
    if (m)
        return turn_into_message(w->runtime, e, m);
    free_bytes_event(e);
    return NULL;
}

static struct event *make_bytes_event(struct runtime *rt, const struct pid *from, const char *name,
                                      const void *body, size_t size)
{
    size_t length = strlen(name);
    struct bytes_event *e = (struct bytes_event *)make_event(
        rt, &process_bytes_event, from, NULL, sizeof *e + size + length + 1);

    e->json = NULL;
    e->size = size;
    if (size > 0)
        memcpy(e->body, body, size);
    e->name = memcpy(e->body + size, name, length + 1);
    return &e->head.event;
}

bool process_is_there(const struct pid *pid)
{
    return atomic_load_explicit(&slot_get(pid->runtime, pid->slot)->generation,
                                memory_order_acquire) == pid->generation;
}

static void gather(struct event_batch *batch, const struct pid *to, struct event *e)
{
    e->generation = to->generation;
    slot_batch_add(batch, e);
}

void process_gather_bytes(struct event_batch *batch, const struct pid *to, const struct pid *from,
                          const char *name, const void *body, size_t size)
{
    gather(batch, to, make_bytes_event(to->runtime, from, name, body, size));
}

void process_deliver_gathered(struct event_batch *batch, const struct pid *to)
{
    struct runtime *rt = to->runtime;
    struct worker *w = worker_current(rt);

    atomic_fetch_add_explicit(&(w ? w : &rt->workers[0])->messages_in, batch->n,
                              memory_order_relaxed);
    slot_push_batch(rt, to->slot, batch);
}

void process_deliver_json(const struct pid *to, const struct pid *from, const char *name,
                          struct http_request *r)
{
    struct event *e = make_bytes_event(to->runtime, from, name, NULL, 0);
    struct event_batch batch = { 0 };

    ((struct bytes_event *)e)->json = r;
    gather(&batch, to, e);
    process_deliver_gathered(&batch, to);
}

bool process_deliver_bytes(struct runtime *rt, const char *id, const struct pid *from,
                           const char *name, const void *body, size_t size)
{
    struct event_batch batch = { 0 };
    struct pid to;

    if (!runtime_find(rt, id, &to))
        return false;
    process_gather_bytes(&batch, &to, from, name, body, size);
    process_deliver_gathered(&batch, &to);
    pid_release(&to);
    return true;
}

/* ---- counting what waits ---- */

struct kind_count {
    enum event_kind kind;
    size_t n;
};

static bool count_kind(void *arg, const struct event *e)
{
    struct kind_count *c = arg;

    c->n += e->type->kind == c->kind;
    return true;
}

size_t process_count_events(struct process *self, enum event_kind kind)
{
    struct kind_count c = { kind, 0 };

    CHECK(self == process_current());
    slot_each_event(self->slot, count_kind, &c);
    return c.n;
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

/* To a process of this node: takes m. */
static void send_here(struct runtime *rt, const struct pid *from, const struct pid *to,
                      struct message *m)
{
    uint32_t slot, generation;

    if (process_find_slot(rt, to, &slot, &generation)) {
        slot_push(rt, slot, generation, make_message_event(rt, from, m));
        return;
    }
    count_dropped(rt);
    message_unref(m);
}

static void send_away(struct runtime *rt, const struct pid *from, const struct pid *to,
                      const ProtobufCMessage *msg)
{
    struct worker *w = worker_of_thread();

    if (w && !w->loop) { /* the runtime is being destroyed */
        count_dropped(rt);
        return;
    }
    atomic_fetch_add_explicit(&(w ? w : &rt->workers[0])->messages_out, 1, memory_order_relaxed);
    network_send(rt->network, from, to, msg);
}

static void send_for(struct runtime *rt, const struct pid *from, const struct pid *to,
                     struct message *m)
{
    if (!pid_is_empty(to) && is_of_this_node(rt, to)) {
        send_here(rt, from, to, m);
        return;
    }
    if (pid_is_empty(to))
        count_dropped(rt);
    else
        send_away(rt, from, to, m->body);
    message_unref(m);
}

void process_post(struct runtime *rt, const struct pid *from, const struct pid *to,
                  const ProtobufCMessage *msg)
{
    static const struct pid nobody;

    send_for(rt, from ? from : &nobody, to, message_create(msg));
}

void process_send(struct process *self, const struct pid *to, const ProtobufCMessage *msg)
{
    CHECK(self == process_current());
    if (pid_is_empty(to))
        count_dropped(self->runtime);
    else if (is_of_this_node(self->runtime, to))
        send_here(self->runtime, &self->pid, to, message_create(msg));
    else
        send_away(self->runtime, &self->pid, to, msg);
}

void process_give(struct process *self, const struct pid *to, struct message *m)
{
    CHECK(self == process_current());
    send_for(self->runtime, &self->pid, to, m);
}

void process_reply(struct process *self, const ProtobufCMessage *msg)
{
    process_send(self, process_sender(self), msg);
}
