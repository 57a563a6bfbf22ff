/* process_list.c - /__processes__: who is there, and what waits for whom
 *
 *   GET → a listing with a row for each process; whose mailbox is empty is done with
 *       → the others get an event that does nothing, so that they have a turn
 *       → in its turn each looks what it has (process_list_look) and writes its row
 *       → the last one, or the time-out, tells the process __processes__, which answers
 *
 * There is one listing at a time; who asks meanwhile waits for the next one.  How
 * much is told of an event, of a process and of all together is limited: what is
 * left out is still in "events_queued".
 */
#include "process/process_list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "process/core.h"
#include "process/http.h"
#include "process/http_connection.h"
#include "process/message.h"
#include "process/proto.h"
#include "process/typed.h"

#define PATIENCE SECONDS(1)

struct row {
    struct pid pid;
    size_t order, queued; /* order: of spawning; queued: how many events, then */
    bool is_seen, is_gone;
    struct buffer events; /* the elements of its array */
};

struct listing {
    struct ref ref; /* its process', and one of each nudge */
    pthread_mutex_t lock;
    struct pid server;
    uint64_t number;
    bool is_over; /* the rows are the server's alone */
    size_t n, missing, bytes;
    struct row *rows; /* by slot */
};

struct process_list {
    struct runtime *runtime;
    pthread_mutex_t lock;
    struct listing *current; /* the lock's */
};

/* ---- a listing ---- */

static void listing_unref(struct listing *l)
{
    if (!ref_put(&l->ref))
        return;
    for (size_t i = 0; i < l->n; i++) {
        pid_release(&l->rows[i].pid);
        buffer_release(&l->rows[i].events);
    }
    pthread_mutex_destroy(&l->lock);
    pid_release(&l->server);
    mem_free(l->rows);
    mem_free(l);
}

struct growing {
    struct listing *listing;
    size_t capacity;
};

static void add_row(void *arg, const struct pid *pid, size_t events)
{
    struct growing *g = arg;
    struct listing *l = g->listing;

    if (l->n == g->capacity) {
        g->capacity = g->capacity ? 2 * g->capacity : 64;
        l->rows = mem_realloc(l->rows, g->capacity * sizeof *l->rows);
    }
    l->rows[l->n] = (struct row){
        .pid = pid_dup(pid), .order = l->n, .queued = events, .is_seen = events == 0
    };
    l->missing += events > 0;
    l->n++;
}

static int by_slot(const void *left, const void *right)
{
    uint32_t a = ((const struct row *)left)->pid.slot, b = ((const struct row *)right)->pid.slot;

    return a < b ? -1 : a > b;
}

static int by_order(const void *left, const void *right)
{
    size_t a = ((const struct row *)left)->order, b = ((const struct row *)right)->order;

    return a < b ? -1 : a > b;
}

static struct listing *listing_create(struct runtime *rt, const struct pid *server)
{
    struct listing *l = mem_alloc(sizeof *l);
    struct growing g = { l, 0 };

    ref_init(&l->ref);
    pthread_mutex_init(&l->lock, NULL);
    l->server = pid_dup(server);
    runtime_each_process(rt, add_row, &g);
    if (l->n > 0)
        qsort(l->rows, l->n, sizeof *l->rows, by_slot);
    return l;
}

static struct row *find_row(struct listing *l, uint32_t slot, uint32_t generation)
{
    struct row key = { .pid.slot = slot };
    struct row *row = l->n > 0 ? bsearch(&key, l->rows, l->n, sizeof key, by_slot) : NULL;

    return row && row->pid.generation == generation ? row : NULL;
}

/* ---- one event as JSON; the keys in the order in which Mesos sorts them ---- */

/* Bytes that are no text: each is the character of its number. */
static void put_bytes(struct json_writer *w, const char *key, const void *data, size_t size,
                      size_t max)
{
    CLEANUP(buffer_release) struct buffer text = BUFFER_INIT;
    const unsigned char *bytes = data;

    if (size > max)
        size = max;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x80) {
            buffer_append_char(&text, (char)bytes[i]);
        } else {
            buffer_append_char(&text, (char)(0xc0 | bytes[i] >> 6));
            buffer_append_char(&text, (char)(0x80 | (bytes[i] & 0x3f)));
        }
    json_key(w, key);
    json_write_string_n(w, buffer_data(&text), buffer_length(&text));
}

static void put_pid(struct json_writer *w, const char *key, const struct pid *pid)
{
    char text[PID_TEXT];

    json_put_string(w, key, pid_is_empty(pid) ? "" : pid_text(pid, text, sizeof text));
}

static void put_message(struct json_writer *w, const struct event *e, const struct pid *to,
                        size_t max)
{
    static const struct pid nobody;
    CLEANUP(buffer_release) struct buffer packed = BUFFER_INIT;
    struct event_info info = { .kind = e->type->kind, .to = to, .from = &nobody, .name = "" };
    const void *body = "";
    size_t size = 0;

    if (e->type == &process_bytes_event) {
        body = process_describe_bytes(e, &info, &size);
    } else if (e->type->describe) {
        e->type->describe(e, &info);
        if (info.message)
            proto_pack(info.message->body, &packed);
        body = buffer_data(&packed);
        size = buffer_length(&packed);
    }
    put_bytes(w, "body", body, size, max);
    put_pid(w, "from", info.from);
    json_put_string(w, "name", info.name);
    put_pid(w, "to", to);
}

static void put_request(struct json_writer *w, const struct event *e, size_t max)
{
    CLEANUP(buffer_release) struct buffer target = BUFFER_INIT;
    const struct http_request *r = http_route_queued(e);

    http_request_target(r, &target);
    json_put_string(w, "method", http_request_method(r));
    json_key(w, "type");
    json_write_string(w, "HTTP");
    json_key(w, "url");
    json_write_string_n(w, buffer_data(&target),
                        buffer_length(&target) < max ? buffer_length(&target) : max);
}

static void put_event(struct json_writer *w, const struct event *e, const struct pid *to,
                      size_t max)
{
    enum event_kind kind = e->type->kind;

    json_begin_object(w);
    if (kind == EVENT_HTTP && http_route_queued(e)) {
        put_request(w, e, max);
    } else {
        if (kind == EVENT_MESSAGE)
            put_message(w, e, to, max);
        /* A future's callback is what libprocess dispatches. */
        json_put_string(w, "type", event_kind_name(kind == EVENT_FUTURE ? EVENT_DISPATCH : kind));
    }
    json_end_object(w);
}

/* ---- in the slots' turns ---- */

static void tell(struct listing *l);
static const struct event_type nudge_event;

struct look {
    const struct runtime_options *options;
    struct listing *listing;
    struct row *row;
    struct json_writer writer;
    size_t events;
    bool is_cut; /* there are more */
};

static bool see(void *arg, const struct event *e)
{
    struct look *look = arg;

    if (e->type == &nudge_event || e->generation != look->row->pid.generation)
        return true;
    look->is_cut = look->events == look->options->max_listed_events ||
                   look->listing->bytes + buffer_length(&look->row->events) >
                       look->options->max_listed_bytes;
    if (look->is_cut)
        return false;
    look->events++;
    put_event(&look->writer, e, &look->row->pid, look->options->max_listed_body);
    return true;
}

/* With the listing's lock held. */
static void finish_row(struct listing *l, struct row *row)
{
    row->is_seen = true;
    if (--l->missing == 0)
        tell(l);
}

/* With the listing's lock held, in the turn of the slot. */
static void look_into(struct listing *l, struct slot *s)
{
    uint32_t generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    struct row *row = l->is_over ? NULL : find_row(l, s->index, generation);
    struct look look = { &s->runtime->options, l, row, .events = 0 };

    if (!row || row->is_seen)
        return;
    json_writer_init(&look.writer, &row->events);
    json_begin_array(&look.writer);
    slot_each_event(s, see, &look);
    json_end_array(&look.writer);
    if (look.is_cut)
        http_server_count(s->runtime, "process/mailboxes_not_listed_wholly");
    else
        row->queued = look.events;
    l->bytes += buffer_length(&row->events);
    finish_row(l, row);
}

void process_list_look(struct slot *s)
{
    struct process_list *list = s->runtime->process_list;
    struct listing *l;

    pthread_mutex_lock(&list->lock);
    l = list->current;
    if (l) {
        pthread_mutex_lock(&l->lock);
        look_into(l, s);
        pthread_mutex_unlock(&l->lock);
    }
    pthread_mutex_unlock(&list->lock);
}

/* ---- nudges: that a slot with events has a turn ---- */

struct nudge {
    struct event event;
    uint32_t slot;
    struct listing *listing; /* a reference */
};

static void nudge_end(struct event *e)
{
    struct nudge *n = container_of(e, struct nudge, event);

    listing_unref(n->listing);
    mem_free(n);
}

/* The turn had begun before the list was wanted: then this is the time to look. */
static void nudge_run(struct process *self, struct event *e)
{
    struct listing *l = container_of(e, struct nudge, event)->listing;

    pthread_mutex_lock(&l->lock);
    look_into(l, self->slot);
    pthread_mutex_unlock(&l->lock);
    nudge_end(e);
}

/* The process has gone. */
static void nudge_drop(struct runtime *rt UNUSED, struct event *e)
{
    struct nudge *n = container_of(e, struct nudge, event);
    struct listing *l = n->listing;
    struct row *row;

    pthread_mutex_lock(&l->lock);
    row = l->is_over ? NULL : find_row(l, n->slot, e->generation);
    if (row)
        row->is_gone = true;
    if (row && !row->is_seen)
        finish_row(l, row);
    pthread_mutex_unlock(&l->lock);
    nudge_end(e);
}

static const struct event_type nudge_event = { EVENT_DISPATCH, nudge_run, nudge_drop, NULL };

static void nudge(struct runtime *rt, struct listing *l, const struct pid *pid)
{
    struct nudge *n = mem_alloc(sizeof *n);

    n->event.type = &nudge_event;
    n->slot = pid->slot;
    n->listing = l;
    ref_get(&l->ref);
    slot_push(rt, pid->slot, pid->generation, &n->event);
}

/* ---- the process that serves it ---- */

struct asking {
    struct list link;
    struct http_request *request;
};

struct process_server {
    struct process process;
    struct listing *listing; /* NULL: none is made */
    uint64_t listings;
    struct list asking, next; /* who waits for this listing, and for the one behind it */
    struct timer timer;
};

CLASS(process_server, "__processes__", server_initialize, server_exited, server_finalize);
struct end_args { uint64_t number; };
CALL(process_server, listing_ends, end_args, NO_RELEASE);

static void tell(struct listing *l)
{
    dispatch(&l->server, listing_ends, .number = l->number);
}

static void write_row(struct json_writer *w, const struct row *row)
{
    json_begin_object(w);
    json_key(w, "events");
    if (buffer_length(&row->events) > 0)
        json_write_raw(w, buffer_data(&row->events), buffer_length(&row->events));
    else
        json_write_raw(w, "[]", 2);
    json_put_integer(w, "events_queued", (int64_t)row->queued);
    json_put_string(w, "id", row->pid.id->bytes);
    json_end_object(w);
}

static void write_listing(struct listing *l, struct buffer *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_begin_array(&w);
    for (size_t i = 0; i < l->n; i++)
        if (!l->rows[i].is_gone)
            write_row(&w, &l->rows[i]);
    json_end_array(&w);
}

static void publish(struct process_list *list, struct listing *l)
{
    pthread_mutex_lock(&list->lock);
    list->current = l;
    /* Relaxed: a turn that does not see it yet is followed by one that the nudge makes. */
    atomic_store_explicit(&list->runtime->is_listed, l != NULL, memory_order_relaxed);
    pthread_mutex_unlock(&list->lock);
}

static void begin_listing(struct process_server *s)
{
    struct runtime *rt = s->process.runtime;
    struct listing *l = listing_create(rt, &s->process.pid);

    s->listing = l;
    l->number = ++s->listings;
    list_splice(&s->asking, &s->next);
    s->timer = delay(&s->process.pid, PATIENCE, listing_ends, .number = l->number);
    publish(rt->process_list, l);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n; i++)
        if (!l->rows[i].is_seen && l->rows[i].pid.slot != s->process.pid.slot)
            nudge(rt, l, &l->rows[i].pid);
    look_into(l, s->process.slot);
    pthread_mutex_unlock(&l->lock);
}

/* Nobody looks any more; what has been seen stays as it is. */
static void end_listing(struct process_server *s)
{
    publish(s->process.runtime->process_list, NULL);
    pthread_mutex_lock(&s->listing->lock);
    s->listing->is_over = true;
    pthread_mutex_unlock(&s->listing->lock);
    process_cancel(&s->timer);
}

static void answer(struct asking *a, const char *json, size_t size)
{
    struct buffer body = BUFFER_INIT;

    buffer_append(&body, json, size);
    http_answer_json(a->request, &body);
    list_remove(&a->link);
    http_request_unref(a->request);
    mem_free(a);
}

/* By the last who was looked at, or by the time; of a listing that is over it says nothing. */
static void listing_ends(struct process_server *s, struct end_args *args)
{
    CLEANUP(buffer_release) struct buffer json = BUFFER_INIT;

    if (!s->listing || s->listing->number != args->number)
        return;
    end_listing(s);
    qsort(s->listing->rows, s->listing->n, sizeof *s->listing->rows, by_order);
    write_listing(s->listing, &json);
    listing_unref(s->listing);
    s->listing = NULL;
    list_each_safe (a, &s->asking, struct asking, link)
        answer(a, buffer_data(&json), buffer_length(&json));
    if (!list_is_empty(&s->next))
        begin_listing(s);
}

static void serve_processes(struct process *p, struct http_request *r)
{
    struct process_server *s = container_of(p, struct process_server, process);
    struct asking *a;

    if (!http_require_method(r, "GET"))
        return;
    a = mem_alloc(sizeof *a);
    a->request = http_request_ref(r);
    list_append(&s->next, &a->link);
    if (!s->listing)
        begin_listing(s);
}

static void server_initialize(struct process_server *s)
{
    static const struct process_route routes[] = {
        { "", serve_processes,
          "Lists the processes.\n"
          "Each with its id and the events that wait for it: type, and of messages name, from,\n"
          "to and body, of requests method and url.  At most 100 events of a process, and 1024\n"
          "bytes of a body; events_queued is how many there are." },
        { NULL, NULL, NULL, NULL },
    };

    list_init(&s->asking);
    list_init(&s->next);
    process_route(&s->process, routes);
}

static void server_exited(struct process_server *s UNUSED, const struct pid *peer UNUSED) {}

static void drop_all(struct list *asking)
{
    list_each_safe (a, asking, struct asking, link) {
        list_remove(&a->link);
        http_request_unref(a->request);
        mem_free(a);
    }
}

static void server_finalize(struct process_server *s)
{
    if (s->listing) {
        end_listing(s);
        listing_unref(s->listing);
    }
    drop_all(&s->asking);
    drop_all(&s->next);
    mem_free(s);
}

/* ---- life ---- */

struct process_list *process_list_create(struct runtime *rt)
{
    struct process_list *l = mem_alloc(sizeof *l);

    l->runtime = rt;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void process_list_destroy(struct process_list *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

int process_list_spawn(struct runtime *rt, struct error *err)
{
    struct process_server *s = mem_alloc(sizeof *s);

    if (process_spawn(rt, &s->process, &process_server_class, "__processes__", NULL, err) == 0)
        return 0;
    mem_free(s);
    return -1;
}
