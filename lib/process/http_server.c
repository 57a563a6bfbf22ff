/* http_server.c - accepted connections: where they come from and where they go
 *
 * One listener, on the first worker's loop.  Connections are dealt out to the
 * workers in turn; from then on all about them is their worker's
 * (http_connection.c).  The time-out for slow requests is one timer per worker
 * that has any, not one per connection.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_connection.h"
#include "process/metrics.h"
#include "process/runtime_private.h"
#include "process/tls_private.h"

struct http_server {
    struct runtime *runtime;
    struct listener *listener;
    bool is_open;                 /* the listener's worker's, as the next two */
    struct list early;            /* arrivals before the runtime is whole */
    unsigned next;                /* the listener's worker's */
    _Atomic size_t n_connections; /* opened and closed on different workers */
    unsigned n_shards;
    struct http_shard shards[];
};

/* Limits that were reached are rare: looking the counter up is fine. */
void http_server_count(struct runtime *rt, const char *counter)
{
    counter_add(metrics_counter(rt, counter), 1);
}

struct arrival {
    struct list link;
    struct http_shard *shard;
    struct stream *stream;
};

static void arrive(void *arg)
{
    struct arrival *a = arg;
    struct tls *tls = runtime_tls(a->shard->runtime);

    if (worker_loop(a->shard->worker)) {
        http_connection_open(a->shard, tls ? tls_accept(tls, a->stream) : a->stream);
    } else { /* the end has come meanwhile */
        stream_close(a->stream);
        http_server_closed(a->shard->server);
    }
    mem_free(a);
}

static void accepted(void *arg, struct stream *stream)
{
    struct http_server *s = arg;

    if (atomic_load_explicit(&s->n_connections, memory_order_relaxed) >=
        runtime_get_options(s->runtime)->max_connections) {
        http_server_count(s->runtime, "process/http_connections_refused");
        stream_close(stream);
        return;
    }
    atomic_fetch_add_explicit(&s->n_connections, 1, memory_order_relaxed);
    struct arrival *a = mem_alloc(sizeof *a);
    *a = (struct arrival){ .shard = &s->shards[s->next++ % s->n_shards], .stream = stream };
    if (s->is_open) {
        worker_post(a->shard->worker, arrive, a);
    } else {
        list_append(&s->early, &a->link);
    }
}

static void open_on_worker(void *arg)
{
    struct http_server *s = arg;

    s->is_open = true;
    list_each_safe (a, &s->early, struct arrival, link) {
        list_remove(&a->link);
        worker_post(a->shard->worker, arrive, a);
    }
}

void http_server_open(struct http_server *s)
{
    worker_post(worker_get(s->runtime, 0), open_on_worker, s);
}

void http_server_closed(struct http_server *s)
{
    atomic_fetch_sub_explicit(&s->n_connections, 1, memory_order_relaxed);
}

const char *http_server_date(struct http_shard *shard)
{
    if (shard->date_is_known)
        return shard->date;
    struct instant wall = runtime_wall(shard->runtime);
    int64_t second = wall.ns / 1000000000;

    shard->date_is_known = true;
    if (second != shard->date_second) {
        shard->date_second = second;
        http_format_date(wall, shard->date);
    }
    return shard->date;
}

/* ---- the time-out ---- */

struct alarm {
    struct http_shard *shard;
};

static void alarm_on_worker(void *arg)
{
    struct http_shard *shard = arg;

    shard->alarm_is_set = false;
    http_connection_expire(shard);
}

static void alarm_rings(struct process *self UNUSED, void *args)
{
    struct alarm *a = args;

    worker_post(a->shard->worker, alarm_on_worker, a->shard);
}

/* At worst it comes one time-out late. */
void http_server_set_alarm(struct http_shard *shard)
{
    struct alarm a = { shard };

    if (shard->alarm_is_set)
        return;
    shard->alarm_is_set = true;
    process_delay(&runtime_executor(shard->runtime)->pid,
                  runtime_get_options(shard->runtime)->head_timeout, alarm_rings, &a, sizeof a,
                  NULL);
}

/* ---- life ---- */

struct http_server *http_server_create(struct runtime *rt, struct address bind,
                                       struct address *ret_bound, struct error *err)
{
    unsigned n = worker_count(rt);
    struct http_server *s = mem_alloc(sizeof *s + n * sizeof s->shards[0]);

    s->runtime = rt;
    s->n_shards = n;
    list_init(&s->early);
    for (unsigned i = 0; i < n; i++) {
        struct http_shard *shard = &s->shards[i];
        shard->server = s;
        shard->runtime = rt;
        shard->worker = worker_get(rt, i);
        shard->max_requests = (runtime_get_options(rt)->max_requests + n - 1) / n;
        list_init(&shard->connections);
        list_init(&shard->waiting);
        list_init(&shard->writing);
        list_init(&shard->turn_end.link);
        shard->turn_end.fn = http_connection_write_all;
    }
    s->listener = host_listen(worker_loop(worker_get(rt, 0)), bind, accepted, s, ret_bound, err);
    if (!s->listener) {
        mem_free(s);
        return NULL;
    }
    return s;
}

void http_server_destroy(struct http_server *s)
{
    if (!s)
        return;
    host_listener_close(s->listener);
    list_each_safe (a, &s->early, struct arrival, link) {
        stream_close(a->stream);
        mem_free(a);
    }
    for (unsigned i = 0; i < s->n_shards; i++) {
        http_connection_close_all(&s->shards[i]);
        buffer_release(&s->shards[i].output);
    }
    mem_free(s);
}
