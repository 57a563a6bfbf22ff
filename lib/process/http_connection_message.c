/* http_connection_message.c - messages of processes, among the requests of a connection
 *
 *   a request that is a message → delivered: 202, or 404 if there is no such process
 *   one in JSON → its receiver parses it, and answers: 202, or 400 with what is wrong
 *   the head of the last one again → delivered without parsing; nothing else changes
 *
 * A head is kept with what it said: the receiver, the sender and the name.  The
 * same bytes say the same, as long as that receiver lives; when it has gone,
 * the head is forgotten, and the request is parsed like any other.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_connection_private.h"
#include "process/wire.h"

enum { KEPT_BYTES = 2048 }; /* a longer head is none of ours, and not kept */

/* ---- answers ---- */

static void say_standard(struct http_connection *c, int status, bool close)
{
    CLEANUP(buffer_release) struct buffer body = BUFFER_INIT;

    http_standard_body(status, &body);
    http_connection_say(c, status, buffer_data(&body), close);
}

/* n times 202: what almost every message gets, without a detour through the queue if it is
 * empty. */
static void accept_plainly(struct http_connection *c, size_t n)
{
    if (http_connection_may_append(c))
        wire_accept(http_connection_output(c), http_server_date(c->shard), n);
    else
        for (size_t i = 0; i < n; i++)
            http_connection_say(c, 202, NULL, false);
    http_connection_write_later(c);
}

static void accept_parsed(struct http_connection *c, bool close)
{
    if (close || c->parser.minor == 0)
        http_connection_say(c, 202, NULL, close);
    else
        accept_plainly(c, 1);
}

/* ---- backpressure ---- */

struct mark {
    struct http_connection *connection;
};

static void mark_passed(struct process *self UNUSED, void *args UNUSED) {}

/* Handled or dropped: either way nothing is in front of it any more. */
static void mark_release(void *args)
{
    struct mark *m = args;

    worker_post(m->connection->shard->worker, http_connection_resume, m->connection);
}

static void pause_if_over_limit(struct http_connection *c, const struct pid *to)
{
    if (c->paused || process_backlog(c->shard->runtime, to->slot) <
                         http_connection_options(c)->max_mailbox_events)
        return;
    c->paused = true;
    http_connection_ref(c);
    http_server_count(c->shard->runtime, "process/connections_paused");
    struct mark mark = { c };
    process_dispatch(to, mark_passed, &mark, sizeof mark, mark_release);
}

/* ---- the head that is kept ---- */

void http_connection_forget_head(struct http_connection *c)
{
    struct http_kept_head *k = &c->kept;

    buffer_release(&k->text);
    mem_free(k->name);
    k->name = NULL;
    pid_release(&k->to);
    pid_release(&k->from);
}

/* Up to and with the empty line; 0 for one whose next body could come otherwise
 * than in chunks, or that is not to be followed by another. */
static size_t head_to_keep(const struct http_parser *p, const char *data)
{
    const struct http_part *last;
    const char *from, *end;

    if (p->minor == 0 || !p->keep_alive || !http_parser_find(p, data, "Transfer-Encoding"))
        return 0;
    last = &p->fields[p->n_fields - 1].value;
    from = data + last->at + last->length;
    end = memmem(from, (size_t)(data + p->body.at - from), "\r\n\r\n", 4);
    return end && end + 4 - data <= KEPT_BYTES ? (size_t)(end + 4 - data) : 0;
}

/* Takes the name.  A sender of this node is looked up each time: another may
 * have its id by then. */
static void keep_head(struct http_connection *c, const char *data, struct wire_message *m,
                      const struct pid *to, const struct pid *from)
{
    struct http_kept_head *k = &c->kept;
    size_t length = head_to_keep(&c->parser, data);

    if (length == 0 || from->runtime)
        return;
    buffer_clear(&k->text);
    buffer_append(&k->text, data, length);
    mem_free(k->name);
    k->name = m->name;
    m->name = NULL;
    pid_assign(&k->to, to);
    pid_assign(&k->from, from);
}

/* ---- what was received ---- */

/* Where it is asked for, nobody may speak for a process elsewhere. */
static int check_sender(struct runtime *rt, const struct pid *from, struct address peer,
                        struct error *err)
{
    char pid[PID_TEXT], ip[ADDRESS_TEXT];

    if (!runtime_get_options(rt)->require_peer_address_ip_match || from->address.ip == peer.ip)
        return 0;
    return error_set(err, EINVAL,
                     "UPID IP address validation failed: Message from %s was sent from IP %s",
                     pid_text(from, pid, sizeof pid), address_format_ip(peer.ip, ip));
}

void http_connection_receive_message(struct http_connection *c, const char *data)
{
    struct runtime *rt = c->shard->runtime;
    const struct http_part *body = &c->parser.body;
    bool close = !c->parser.keep_alive;
    struct event_batch batch = { 0 };
    struct wire_message m;
    struct pid to = { 0 }, from = { 0 };
    struct error err;
    int status;

    if (wire_parse(&c->parser, data, &m, &status, &err) < 0) {
        http_connection_say(c, status, err.text, close);
        return;
    }
    runtime_parse_pid(rt, m.from, &from, NULL); /* what is no PID is delivered as from nobody */
    if (check_sender(rt, &from, stream_peer(c->stream), &err) < 0) {
        http_connection_say(c, 400, err.text, close);
    } else if (runtime_find(rt, m.id, &to)) {
        process_gather_bytes(&batch, &to, &from, m.name, data + body->at, body->length);
        process_deliver_gathered(&batch, &to);
        accept_parsed(c, close);
        pause_if_over_limit(c, &to);
        keep_head(c, data, &m, &to, &from);
    } else {
        say_standard(c, 404, close);
    }
    pid_release(&to);
    pid_release(&from);
    wire_release(&m);
}

static void deliver_json_to(struct http_request *r, const struct wire_message *m,
                            const struct pid *to)
{
    struct runtime *rt = r->runtime;
    struct pid from = { 0 };
    struct error err;

    if (process_backlog(rt, to->slot) >= runtime_get_options(rt)->max_mailbox_events) {
        http_server_count(rt, "process/http_requests_refused_busy");
        http_answer_error(r, 503, NULL);
        http_request_unref(r);
        return;
    }
    if (runtime_parse_pid(rt, m->from, &from, NULL) == 0)
        pid_set_json(&from, true); /* it shall be able to read the reply */
    if (check_sender(rt, &from, r->peer, &err) == 0) {
        process_deliver_json(to, &from, m->name, r);
    } else {
        http_answer_error(r, 400, "%s", err.text);
        http_request_unref(r);
    }
    pid_release(&from);
}

void http_connection_deliver_json(struct http_request *r)
{
    struct wire_message m;
    struct pid to = { 0 };
    struct error err;
    int status;

    if (wire_parse(&r->parser, r->raw, &m, &status, &err) < 0) {
        http_answer_error(r, status, "%s", err.text);
        http_request_unref(r);
        return;
    }
    if (runtime_find(r->runtime, m.id, &to)) {
        deliver_json_to(r, &m, &to);
    } else {
        http_answer_error(r, 404, NULL);
        http_request_unref(r);
    }
    pid_release(&to);
    wire_release(&m);
}

/* The size of the message that comes first, if it has the kept head. */
static size_t find_repeat(const struct http_connection *c, const char *data, size_t size,
                          const char **ret_body, size_t *ret_length)
{
    const struct http_kept_head *k = &c->kept;
    size_t n;

    if (!k->name || c->begun || !http_connection_may_take(c))
        return 0;
    n = wire_repeats(data, size, buffer_data(&k->text), buffer_length(&k->text), ret_body,
                     ret_length);
    return n > 0 && *ret_length <= http_connection_options(c)->max_body_bytes ? n : 0;
}

/* How many more may come, answers that must wait among them; one at least, behind which
 * the connection pauses. */
static size_t room_for(const struct http_connection *c, const struct pid *to)
{
    const struct runtime_options *o = http_connection_options(c);
    size_t waiting = process_backlog(c->shard->runtime, to->slot);
    size_t room = waiting < o->max_mailbox_events ? o->max_mailbox_events - waiting : 1;
    size_t answers = c->n_requests < o->max_pipelined ? o->max_pipelined - c->n_requests : 1;

    return http_connection_may_append(c) || room < answers ? room : answers;
}

/* As many as there is room for; false: there are no more now. */
static bool take_some(struct http_connection *c, const char *data, size_t size, size_t *taken)
{
    struct http_kept_head *k = &c->kept;
    struct event_batch batch = { 0 };
    size_t room = room_for(c, &k->to), length, n;
    const char *body;

    while (batch.n < room &&
           (n = find_repeat(c, data + *taken, size - *taken, &body, &length)) > 0) {
        process_gather_bytes(&batch, &k->to, &k->from, k->name, body, length);
        *taken += n;
    }
    if (batch.n == 0)
        return false;
    list_remove(&c->waiting);
    accept_plainly(c, batch.n);
    process_deliver_gathered(&batch, &k->to);
    pause_if_over_limit(c, &k->to);
    return true;
}

size_t http_connection_take_repeats(struct http_connection *c, const char *data, size_t size)
{
    struct http_kept_head *k = &c->kept;
    size_t taken = 0;

    do {
        if (k->name && !process_is_there(&k->to))
            http_connection_forget_head(c);
    } while (k->name && take_some(c, data, size, &taken));
    return taken;
}
