/* http_connection_message.c - messages of processes, among the requests of a connection
 *
 *   a request that is a message → delivered: 202, or 404 if there is no such process
 *   the head of the last one again → delivered without parsing; nothing else changes
 *
 * A head is kept with what it said: the receiver, the sender and the name.  The
 * same bytes say the same, as long as that receiver lives; when it has gone,
 * the head is forgotten, and the request is parsed like any other.
 */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
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

/* 202: what almost every message gets, without a detour through the queue if it is empty. */
static void accept_plainly(struct http_connection *c, const char *date)
{
    if (!http_connection_may_append(c)) {
        http_connection_say(c, 202, NULL, false);
        return;
    }
    wire_accept(&c->out, date);
    http_connection_write_later(c);
}

static void accept_parsed(struct http_connection *c, bool close)
{
    if (close || c->parser.minor == 0)
        http_connection_say(c, 202, NULL, close);
    else
        accept_plainly(c, http_server_date(c->shard));
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

void http_connection_receive_message(struct http_connection *c, const char *data)
{
    struct runtime *rt = c->shard->runtime;
    const struct http_part *body = &c->parser.body;
    bool close = !c->parser.keep_alive;
    struct wire_message m;
    struct pid to = { 0 }, from = { 0 };
    struct error err;
    int status;

    if (wire_parse(&c->parser, data, &m, &status, &err) < 0) {
        http_connection_say(c, status, err.text, close);
        return;
    }
    runtime_parse_pid(rt, m.from, &from, NULL); /* what is no PID is delivered as from nobody */
    if (runtime_find(rt, m.id, &to) &&
        process_deliver_bytes_to(&to, &from, m.name, data + body->at, body->length)) {
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

size_t http_connection_take_repeats(struct http_connection *c, const char *data, size_t size)
{
    struct http_kept_head *k = &c->kept;
    const char *date = NULL, *body;
    size_t taken = 0, length, n;

    while ((n = find_repeat(c, data + taken, size - taken, &body, &length)) > 0) {
        if (!process_deliver_bytes_to(&k->to, &k->from, k->name, body, length)) {
            http_connection_forget_head(c);
            break;
        }
        taken += n;
        list_remove(&c->waiting);
        if (!date)
            date = http_server_date(c->shard);
        accept_plainly(c, date);
        pause_if_over_limit(c, &k->to);
    }
    return taken;
}
