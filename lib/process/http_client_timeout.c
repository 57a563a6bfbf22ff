/* http_client_timeout.c - what takes too long on a connection
 *
 * One timer for each connection, set to the earliest time at which something may
 * be too late.  What moves that time onward, a byte that comes for example, leaves
 * the timer as it is: when it fires early it is set again.
 *
 * Thousands may wait in the queue of one connection: those with a deadline are in a
 * heap, by deadline and then as they were asked.
 */
#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"

/* ---- deadlines ---- */

static bool is_before(const struct http_exchange *a, const struct http_exchange *b)
{
    if (a->deadline.ns != b->deadline.ns)
        return a->deadline.ns < b->deadline.ns;
    return a->number < b->number;
}

static void place(struct http_client *c, size_t at, struct http_exchange *e)
{
    c->late[at] = e;
    e->late_at = at;
}

static void rise(struct http_client *c, size_t at, struct http_exchange *e)
{
    for (; at > 1 && is_before(e, c->late[at / 2]); at /= 2)
        place(c, at, c->late[at / 2]);
    place(c, at, e);
}

static void sink(struct http_client *c, size_t at, struct http_exchange *e)
{
    size_t child;

    while ((child = 2 * at) <= c->n_late) {
        if (child < c->n_late && is_before(c->late[child + 1], c->late[child]))
            child++;
        if (!is_before(c->late[child], e))
            break;
        place(c, at, c->late[child]);
        at = child;
    }
    place(c, at, e);
}

void http_client_timeout_add(struct http_client *c, struct http_exchange *e)
{
    if (e->deadline.ns == INSTANT_NEVER.ns)
        return;
    if (++c->n_late >= c->late_capacity) {
        c->late_capacity = c->late_capacity ? 2 * c->late_capacity : 8;
        c->late = mem_realloc(c->late, c->late_capacity * sizeof *c->late);
    }
    rise(c, c->n_late, e);
}

void http_client_timeout_remove(struct http_client *c, struct http_exchange *e)
{
    size_t at = e->late_at;
    struct http_exchange *last;

    if (at == 0)
        return;
    e->late_at = 0;
    last = c->late[c->n_late--];
    if (last == e)
        return;
    if (is_before(last, e))
        rise(c, at, last);
    else
        sink(c, at, last);
}

static struct http_exchange *first_late(struct http_client *c)
{
    return c->n_late > 0 ? c->late[1] : NULL;
}

/* ---- what may be too late ---- */

static struct instant earlier(struct instant a, struct instant b)
{
    return instant_before(a, b) ? a : b;
}

/* While its writer has nothing to send it is us who are late. */
static bool waits_for_writer(struct http_client *c, const struct http_exchange *e)
{
    return !e->is_sent && !http_client_has_unsent(c);
}

/* When the first of the queue is too late, by its turn; `what` is too late then. */
static struct instant turn_ends(struct http_client *c, const struct http_exchange *e,
                                const char **ret_what, struct duration *ret_limit)
{
    if (e->status == 0) {
        *ret_what = "no answer";
        *ret_limit = e->head_timeout;
        return waits_for_writer(c, e) ? INSTANT_NEVER : instant_add(c->sent, e->head_timeout);
    }
    *ret_what = "no more of the answer";
    *ret_limit = e->idle_timeout;
    if (e->idle_timeout.ns == 0 || http_exchange_is_full((struct http_exchange *)e))
        return INSTANT_NEVER;
    return instant_add(c->heard, e->idle_timeout);
}

static struct duration connect_limit(struct http_client *c)
{
    struct http_exchange *first = http_client_first(c);

    return first ? first->connect_timeout : c->connect_timeout;
}

static struct instant next_deadline(struct http_client *c)
{
    struct http_exchange *first = http_client_first(c), *late = first_late(c);
    struct instant next = late ? late->deadline : INSTANT_NEVER;
    struct duration limit;
    const char *what;

    if (!c->connected)
        next = earlier(next, instant_add(c->began, connect_limit(c)));
    else if (first)
        next = earlier(next, turn_ends(c, first, &what, &limit));
    return next;
}

/* ---- too late ---- */

static void end_late(struct http_client *c, const char *what, struct duration limit)
{
    struct error err;

    error_set(&err, ETIMEDOUT, "%s within %.3g s", what, duration_seconds(limit));
    http_client_end(c, &err, HTTP_CLIENT_OURS);
}

/* A question that was not sent leaves alone; else the connection ends with it. */
static void end_exchange(struct http_client *c, struct http_exchange *e)
{
    struct error err;

    if (http_exchange_has_begun(e)) {
        end_late(c, "no whole answer", e->timeout);
        return;
    }
    error_set(&err, ETIMEDOUT, "no whole answer within %.3g s", duration_seconds(e->timeout));
    http_client_take_out(c, e);
    http_exchange_fail(e, &err);
    http_exchange_carry(e, NULL);
    http_exchange_unref(e);
}

static void check(struct http_client *c, struct instant now)
{
    struct http_exchange *first, *late;
    struct duration limit;
    const char *what;

    while ((late = first_late(c)) != NULL && !instant_before(now, late->deadline)) {
        end_exchange(c, late);
        if (c->ended)
            return;
    }
    first = http_client_first(c);
    if (!c->connected) {
        if (!instant_before(now, instant_add(c->began, connect_limit(c))))
            end_late(c, "no connection", connect_limit(c));
    } else if (first && !instant_before(now, turn_ends(c, first, &what, &limit))) {
        end_late(c, what, limit);
    }
}

/* ---- the timer ---- */

struct alarm {
    struct http_client *connection; /* a reference */
};

static void due(void *arg)
{
    struct http_client *c = arg;

    c->armed = INSTANT_NEVER;
    if (!c->ended)
        check(c, runtime_now(c->runtime));
    http_client_look(c);
}

static void rings(struct process *executor UNUSED, void *args)
{
    http_client_post(((struct alarm *)args)->connection, due);
}

static void release_alarm(void *args)
{
    http_client_drop(((struct alarm *)args)->connection);
}

void http_client_timeout_cancel(struct http_client *c)
{
    process_cancel(&c->timer);
    c->armed = INSTANT_NEVER;
}

void http_client_timeout_arm(struct http_client *c)
{
    struct instant next = next_deadline(c), now;
    struct alarm a = { c };

    if (!instant_before(next, c->armed))
        return;
    http_client_timeout_cancel(c);
    now = runtime_now(c->runtime);
    ref_get(&c->ref);
    c->armed = next;
    c->timer = process_delay(&runtime_executor(c->runtime)->pid,
                             instant_before(now, next) ? instant_since(next, now) : NANOSECONDS(0),
                             rings, &a, sizeof a, release_alarm);
}
