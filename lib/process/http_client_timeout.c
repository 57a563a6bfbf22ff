/* http_client_timeout.c - what takes too long on a connection
 *
 * One timer for each connection, set to the earliest time at which something may
 * be too late.  What moves that time onward, a byte that comes for example, leaves
 * the timer as it is: when it fires early it is set again.
 */
#include <errno.h>

#include "base/error.h"
#include "process/http_client_private.h"

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
    struct http_exchange *first = http_client_first(c);
    struct instant next = INSTANT_NEVER;
    struct duration limit;
    const char *what;

    list_each (e, &c->queue, struct http_exchange, link)
        next = earlier(next, e->deadline);
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
    list_remove(&e->link);
    http_exchange_carry(e, NULL);
    http_exchange_fail(e, &err);
    http_exchange_unref(e);
}

static void check(struct http_client *c, struct instant now)
{
    struct http_exchange *first;
    struct duration limit;
    const char *what;

    list_each_safe (e, &c->queue, struct http_exchange, link) {
        if (!instant_before(now, e->deadline))
            end_exchange(c, e);
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
