/* http_client_stub.h - a server that does what it is told, and a client, on either host
 *
 * The stub takes one step for each question: when a connection has brought what
 * the step waits for, it says its text, and stays or closes.  It runs on a loop of
 * its own; what it has heard is asked for under its lock.
 *
 *     CLIENT_TEST(an_answer_in_chunks_is_put_together)
 *     {
 *         stub_does(&p->stub, { .say = "HTTP/1.1 200 OK\r\n..." });
 *         ...
 *     }
 *
 * is a test on both hosts, on the simulated one by several seeds.
 */
#ifndef HTTP_CLIENT_STUB_H
#define HTTP_CLIENT_STUB_H

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "process/http_client.h"
#include "process/sim.h"
#include "tests/process/node.h"
#include "tests/process/place.h"

enum { STUB_STEPS = 16 };

struct stub_step {
    const char *until; /* default "\r\n\r\n": the end of a head */
    const char *say;   /* NULL: nothing */
    size_t size;       /* of say; 0: it is a text */
    bool closes;       /* behind what it says */
    bool at_once;      /* as soon as somebody connects, without a question */
};

struct stub {
    struct host *host;
    struct loop *loop;
    struct listener *listener;
    struct address address;
    pthread_mutex_t lock;
    struct stub_step steps[STUB_STEPS];
    size_t n_steps, next, n_accepted, n_ended; /* ended: closed by the client */
    struct buffer heard;
    struct list connections;
};

struct stub_connection {
    struct list link;
    struct stub *stub;
    struct stream *stream;
    struct buffer in, out;
    size_t seen; /* of `in`: what the next step waits for does not begin before */
    bool closes;
};

static inline void stub_end(struct stub_connection *c)
{
    stream_close(c->stream);
    list_remove(&c->link);
    buffer_release(&c->in);
    buffer_release(&c->out);
    mem_free(c);
}

/* False when it has ended. */
static inline bool stub_write(struct stub_connection *c)
{
    while (buffer_length(&c->out) > 0) {
        struct stream_bytes v = { buffer_data(&c->out), buffer_length(&c->out) };
        struct error err;
        ssize_t n = stream_write(c->stream, &v, 1, &err);

        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0) {
            stub_end(c);
            return false;
        }
        buffer_consume(&c->out, (size_t)n);
    }
    if (c->closes && buffer_length(&c->out) == 0) {
        stub_end(c);
        return false;
    }
    stream_want(c->stream, true, buffer_length(&c->out) > 0);
    return true;
}

/* The step that is next, if what it waits for is there; under the lock. */
static inline bool stub_steps(struct stub_connection *c, bool at_once)
{
    struct stub *s = c->stub;
    struct stub_step *step = &s->steps[s->next];
    const char *until = step->until ? step->until : "\r\n\r\n", *found;

    if (s->next == s->n_steps || step->at_once != at_once || c->closes)
        return false;
    found = at_once ? "" : strstr(buffer_data(&c->in) + c->seen, until);
    if (!found) {
        size_t length = buffer_length(&c->in);

        c->seen = length > strlen(until) ? length - strlen(until) : 0;
        return false;
    }
    if (!at_once)
        buffer_consume(&c->in, (size_t)(found - buffer_data(&c->in)) + strlen(until));
    c->seen = 0;
    if (step->say)
        buffer_append(&c->out, step->say, step->size ? step->size : strlen(step->say));
    c->closes = step->closes;
    s->next++;
    return true;
}

static inline void stub_look(struct stub_connection *c)
{
    pthread_mutex_lock(&c->stub->lock);
    while (stub_steps(c, false))
        ;
    pthread_mutex_unlock(&c->stub->lock);
    stub_write(c);
}

static inline void stub_reads(void *arg)
{
    struct stub_connection *c = arg;
    struct error err;
    char bytes[4096];
    ssize_t n = stream_read(c->stream, bytes, sizeof bytes, &err);

    if (n < 0 && err.code == EAGAIN)
        return;
    pthread_mutex_lock(&c->stub->lock);
    if (n > 0)
        buffer_append(&c->stub->heard, bytes, (size_t)n);
    else
        c->stub->n_ended++;
    pthread_mutex_unlock(&c->stub->lock);
    host_notify(c->stub->host);
    if (n <= 0) {
        stub_end(c);
        return;
    }
    buffer_append(&c->in, bytes, (size_t)n);
    stub_look(c);
}

static inline void stub_writes(void *arg)
{
    stub_write(arg);
}

static inline void stub_accepts(void *arg, struct stream *stream)
{
    static const struct stream_events events = { .readable = stub_reads, .writable = stub_writes };
    struct stub_connection *c = mem_alloc(sizeof *c);
    struct stub *s = arg;

    c->stub = s;
    c->stream = stream;
    pthread_mutex_lock(&s->lock);
    s->n_accepted++;
    list_append(&s->connections, &c->link);
    while (stub_steps(c, true))
        ;
    pthread_mutex_unlock(&s->lock);
    stream_attach(stream, s->loop, &events, c);
    stub_write(c);
}

/* There are new steps. */
static inline bool stub_turn(void *arg)
{
    struct stub *s = arg;

    list_each_safe (c, &s->connections, struct stub_connection, link) {
        c->seen = 0;
        stub_look(c);
    }
    return false;
}

static inline void stub_start(struct stub *s, struct host *host, struct address at)
{
    struct error err;

    s->host = host;
    pthread_mutex_init(&s->lock, NULL);
    list_init(&s->connections);
    buffer_init(&s->heard);
    s->loop = host_loop_start(host, stub_turn, s);
    s->listener = host_listen(s->loop, at, stub_accepts, s, &s->address, &err);
    ck_assert_msg(s->listener != NULL, "%s", s->listener ? "" : err.text);
}

static inline void stub_stop(struct stub *s)
{
    host_listener_close(s->listener);
    host_loop_stop(s->loop);
    list_each_safe (c, &s->connections, struct stub_connection, link)
        stub_end(c);
    buffer_release(&s->heard);
    pthread_mutex_destroy(&s->lock);
    host_destroy(s->host);
}

static inline void stub_add(struct stub *s, struct stub_step step)
{
    pthread_mutex_lock(&s->lock);
    ck_assert_uint_lt(s->n_steps, STUB_STEPS);
    s->steps[s->n_steps++] = step;
    pthread_mutex_unlock(&s->lock);
    host_loop_wake(s->loop);
}

static inline void stub_forget_steps(struct stub *s)
{
    pthread_mutex_lock(&s->lock);
    s->n_steps = s->next = 0;
    pthread_mutex_unlock(&s->lock);
}

#define stub_does(s, ...) stub_add((s), (struct stub_step)__VA_ARGS__)
#define stub_says(s, text) stub_does((s), { .say = (text) })

static inline void stub_check_heard(struct stub *s, const char *expected)
{
    pthread_mutex_lock(&s->lock);
    ck_assert_str_eq(buffer_data(&s->heard), expected);
    buffer_clear(&s->heard);
    pthread_mutex_unlock(&s->lock);
}

/* What it has not got rid of; simulated. */
static inline size_t stub_unsent(struct stub *s)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    list_each (c, &s->connections, struct stub_connection, link)
        n += buffer_length(&c->out);
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* How many steps it has done. */
static inline size_t stub_next(struct stub *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->next;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static inline size_t stub_accepted(struct stub *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n_accepted;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---- waiting for it ---- */

struct stub_wish {
    struct stub *stub;
    const char *text; /* heard */
    size_t n_ended;
};

static inline bool stub_grants(void *arg)
{
    struct stub_wish *w = arg;
    bool granted;

    pthread_mutex_lock(&w->stub->lock);
    granted = w->stub->n_ended >= w->n_ended &&
              (!w->text || strstr(buffer_data(&w->stub->heard), w->text) != NULL);
    pthread_mutex_unlock(&w->stub->lock);
    return granted;
}

static inline void stub_wait_heard(struct stub *s, const char *text)
{
    struct stub_wish w = { s, text, 0 };

    ck_assert(host_wait(s->host, stub_grants, &w, INSTANT_NEVER));
}

/* That many connections were ended by the client. */
static inline void stub_wait_ended(struct stub *s, size_t n)
{
    struct stub_wish w = { s, NULL, n };

    ck_assert(host_wait(s->host, stub_grants, &w, INSTANT_NEVER));
}

/* ---- the stub and a client, in one place ---- */

struct client_place {
    struct sim *sim; /* NULL: the real host */
    struct stub stub;
    struct node client;
    char url[64]; /* of the stub, without a path */
};

static inline void client_place_open(struct client_place *p, uint64_t seed)
{
    struct runtime_options options = { .workers = 2 };
    char address[ADDRESS_TEXT];
    struct error err;

    *p = (struct client_place){ .sim = seed ? sim_create(seed) : NULL };
    if (p->sim) {
        p->client.host = sim_host_create(sim_node_create(p->sim, "two", 0x0a000002), "client");
        options.bind = (struct address){ 0x0a000002, 5050 };
        stub_start(&p->stub, sim_host_create(sim_node_create(p->sim, "one", 0x0a000001), "stub"),
                   (struct address){ 0x0a000001, 80 });
    } else {
        p->client.host = host_real_create();
        stub_start(&p->stub, host_real_create(), (struct address){ 0x7f000001, 0 });
    }
    p->client.rt = runtime_create(p->client.host, &options, &err);
    ck_assert_msg(p->client.rt != NULL, "%s", p->client.rt ? "" : err.text);
    snprintf(p->url, sizeof p->url, "http://%s", address_format(p->stub.address, address));
}

static inline void client_place_close(struct client_place *p)
{
    runtime_destroy(p->client.rt);
    stub_stop(&p->stub);
    host_destroy(p->client.host);
    if (p->sim)
        sim_destroy(p->sim);
}

static inline void client_wait(struct client_place *p, struct future *f)
{
    ck_assert(future_wait(f, p->client.host, LONG));
}

/* Takes f. */
static inline void check_body(struct client_place *p, struct future *f, int status,
                              const char *body)
{
    client_wait(p, f);
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
    ck_assert_int_eq(http_response_get(f)->status, status);
    ck_assert_str_eq(http_response_get(f)->body, body);
    ck_assert_uint_eq(http_response_get(f)->size, strlen(body));
    future_unref(f);
}

static inline void check_failure(struct client_place *p, struct future *f, int code,
                                 const char *words)
{
    client_wait(p, f);
    ck_assert_msg(future_state(f) == FUTURE_FAILED, "state %d", (int)future_state(f));
    ck_assert_msg(strstr(future_error(f)->text, words), "%s", future_error(f)->text);
    ck_assert_msg(future_error(f)->code == code, "code %d: %s", future_error(f)->code,
                  future_error(f)->text);
    future_unref(f);
}

static inline struct future *client_ask(struct client_place *p, const char *path,
                                        struct http_ask ask)
{
    char *url = mem_printf("%s%s", p->url, path);
    struct future *f;

    ask.url = url;
    f = http_fetch(p->client.rt, &ask);
    mem_free(url);
    return f;
}

#define client_get(p, path, ...) client_ask((p), (path), (struct http_ask){ __VA_ARGS__ })

/* Once for each seed, 0 is the real host; with TEST_SEED (place.h) for that one only. */
static inline void client_run(void (*test)(struct client_place *p), uint64_t first, uint64_t last)
{
    if (place_is_simulated())
        first = last = place_seed(0);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct client_place place;

        client_place_open(&place, seed);
        test(&place);
        client_place_close(&place);
    }
}

/* A test on the real host, and on the simulated one by several seeds. */
enum { CLIENT_SEEDS = 8 };
#define CLIENT_TEST(name) CLIENT_RUN_(name, 0, CLIENT_SEEDS)
/* In virtual time only. */
#define CLIENT_TIME_TEST(name) CLIENT_RUN_(name, 1, CLIENT_SEEDS)
/* The same for much work: by one seed. */
#define CLIENT_FEW_TEST(name) CLIENT_RUN_(name, 0, 1)
#define CLIENT_FEW_TIME_TEST(name) CLIENT_RUN_(name, 1, 1)
#define CLIENT_RUN_(name, first, last)                                                             \
    static void name##_in(struct client_place *p);                                                 \
    START_TEST(name)                                                                               \
    {                                                                                              \
        client_run(name##_in, first, last);                                                        \
    }                                                                                              \
    END_TEST                                                                                       \
    static void name##_in(struct client_place *p)

#endif
