/* http_client_pool.c - connections that are kept, to be used again
 *
 * One actor for each runtime, which is spawned when it is first needed.  A
 * connection is lent to one question at a time; when it has answered, and both
 * sides want to go on, it comes back, and is closed when nobody needed it for a
 * while.  The newest goes first, so that those too many get old.
 */
#include <errno.h>

#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"

enum { MAX_IDLE = 64, MAX_IDLE_OF_ORIGIN = 8, IDLE_SECONDS = 30 };

struct kept {
    struct list link; /* the oldest first */
    struct http_client *client;
    struct instant since;
};

struct pool {
    struct process process;
    struct list idle;
    size_t n_idle;
    struct timer sweeper;
};

struct question {
    struct http_exchange *exchange;
};

struct returned {
    struct http_client *client;
};

static void release_question(struct question *q);
static void release_returned(struct returned *r);

CLASS(pool, "http-client", pool_initialize, pool_exited, pool_finalize);
CALL(pool, ask_one, question, release_question);
CALL(pool, keep, returned, release_returned);
CALL(pool, sweep, nothing, NO_RELEASE);

static void release_question(struct question *q)
{
    if (!q->exchange)
        return;
    http_exchange_discard(q->exchange); /* the pool has gone, with its runtime */
    http_exchange_unref(q->exchange);
}

static void release_returned(struct returned *r)
{
    http_client_unref(r->client);
}

/* ---- lending ---- */

static struct http_client *take_out(struct pool *p, struct kept *k)
{
    struct http_client *c = k->client;

    list_remove(&k->link);
    p->n_idle--;
    mem_free(k);
    return c;
}

static struct http_client *find(struct pool *p, const struct http_url *url)
{
    struct kept *newest = NULL;

    list_each (k, &p->idle, struct kept, link)
        if (!k->client->ended && http_url_same_origin(&k->client->url, url))
            newest = k;
    return newest ? take_out(p, newest) : NULL;
}

static void lend(struct http_client *c, const struct pid *pool, struct http_exchange *e)
{
    if (!c) {
        c = http_client_create(e->runtime, &e->url, e->connect_timeout);
        c->is_pooled = true;
        c->pool = pid_dup(pool);
    }
    e->is_pooled = true;
    http_client_submit(c, e);
}

static void ask_one(struct pool *p, struct question *q)
{
    lend(find(p, &q->exchange->url), &p->process.pid, q->exchange);
    q->exchange = NULL;
}

void http_client_pool_again(struct http_client *c, struct http_exchange *e)
{
    lend(NULL, &c->pool, e);
}

/* ---- keeping ---- */

static size_t count(const struct pool *p, const struct http_url *url)
{
    size_t n = 0;

    list_each (k, &p->idle, struct kept, link)
        n += http_url_same_origin(&k->client->url, url);
    return n;
}

static void arm(struct pool *p)
{
    process_cancel(&p->sweeper);
    if (!list_is_empty(&p->idle))
        p->sweeper = delay(&p->process.pid, SECONDS(IDLE_SECONDS), sweep);
}

static void keep(struct pool *p, struct returned *r)
{
    struct kept *k;

    if (r->client->ended || count(p, &r->client->url) >= MAX_IDLE_OF_ORIGIN)
        return; /* its release closes it */
    if (p->n_idle == MAX_IDLE)
        http_client_unref(take_out(p, list_first(&p->idle, struct kept, link)));
    k = mem_alloc(sizeof *k);
    k->client = http_client_ref(r->client);
    k->since = runtime_now(p->process.runtime);
    list_append(&p->idle, &k->link);
    if (p->n_idle++ == 0)
        arm(p);
}

void http_client_pool_keep(struct http_client *c)
{
    c->is_lent = false;
    dispatch(&c->pool, keep, .client = c);
}

/* At most twice IDLE_SECONDS late. */
static void sweep(struct pool *p, struct nothing *unused UNUSED)
{
    struct instant now = runtime_now(p->process.runtime);

    list_each_safe (k, &p->idle, struct kept, link)
        if (k->client->ended || instant_since(now, k->since).ns >= SECONDS(IDLE_SECONDS).ns)
            http_client_unref(take_out(p, k));
    arm(p);
}

/* ---- life ---- */

static void pool_initialize(struct pool *p UNUSED) {}

static void pool_exited(struct pool *p UNUSED, const struct pid *peer UNUSED) {}

static void pool_finalize(struct pool *p)
{
    process_cancel(&p->sweeper);
    list_each_safe (k, &p->idle, struct kept, link)
        http_client_unref(take_out(p, k));
    mem_free(p);
}

/* Two who need the first one at the same time: the second finds that of the first. */
static int find_pool(struct runtime *rt, struct pid *ret_pid, struct error *err)
{
    struct pool *p;

    if (runtime_find(rt, pool_class.name, ret_pid))
        return 0;
    p = mem_alloc(sizeof *p);
    list_init(&p->idle);
    if (process_spawn(rt, &p->process, &pool_class, pool_class.name, ret_pid, err) == 0)
        return 0;
    mem_free(p);
    return runtime_find(rt, pool_class.name, ret_pid) ? 0 : -1;
}

void http_client_pool_send(struct runtime *rt, struct http_exchange *e)
{
    struct error err;
    struct pid pool;

    if (find_pool(rt, &pool, &err) == 0) {
        dispatch(&pool, ask_one, .exchange = e);
        pid_release(&pool);
        return;
    }
    http_exchange_fail(e, &err);
    http_exchange_unref(e);
}
