/* both.h - a node, and clients that speak HTTP to it by hand, on the real and the simulated host
 *
 *     ON_BOTH(a_route_answers)
 *     {
 *         both_start((struct runtime_options){ 0 });
 *         char *got = both_ask(BOTH_GET("/web/hello"), 1);
 *         ...
 *     }
 *
 * makes two tests, a_route_answers_real and a_route_answers_simulated (with several
 * seeds); the body starts the node, which is stopped behind it.
 */
#ifndef BOTH_H
#define BOTH_H

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/http_parser.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "tests/process/place.h"

#define BOTH_GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define BOTH_PATIENCE MINUTES(10)

enum { BOTH_SERVER_IP = 0x0a000001, BOTH_CLIENT_IP = 0x0a000002, BOTH_SEEDS = 10 };

static uint64_t both_seed; /* 0: the real host */
static struct sim *both_world;
static struct host *both_host, *both_client_host;
static struct runtime *rt;

/* ---- requests that have reached their process; from both_start on ---- */

static atomic_uint both_requests;

static inline bool both_see(void *arg, const struct event_info *event)
{
    (void)arg;
    if (event->kind == EVENT_HTTP) {
        atomic_fetch_add(&both_requests, 1);
        host_notify(both_host);
    }
    return true;
}

static inline bool both_have_arrived(void *arg)
{
    return atomic_load(&both_requests) >= *(unsigned *)arg;
}

static inline void both_start(struct runtime_options o)
{
    struct error err;

    if (both_seed) {
        both_world = sim_create(both_seed);
        both_host =
            sim_host_create(sim_node_create(both_world, "server", BOTH_SERVER_IP), "server");
        both_client_host =
            sim_host_create(sim_node_create(both_world, "client", BOTH_CLIENT_IP), "client");
        o.bind.ip = BOTH_SERVER_IP;
    } else {
        both_host = both_client_host = host_real_create();
    }
    o.workers = o.workers ? o.workers : 2;
    rt = runtime_create(both_host, &o, &err);
    ck_assert_msg(rt != NULL, "%s", rt ? "" : err.text);
    atomic_store(&both_requests, 0);
    runtime_set_filter(rt, both_see, NULL);
}

static inline void both_stop(void)
{
    runtime_destroy(rt);
    if (both_client_host != both_host)
        host_destroy(both_client_host);
    host_destroy(both_host);
    if (both_seed)
        sim_destroy(both_world);
}

/* ---- a client: says something, and reads so many answers, or up to the end ---- */

struct both_client {
    struct loop *loop;
    struct address to;
    struct stream *stream;
    struct buffer out, got;
    struct http_parser parser;
    size_t parsed;
    unsigned answers; /* still to come; 0: up to the end */
    bool to_the_end, ended;
    atomic_bool done;
};

static inline void both_is_done(struct both_client *c)
{
    atomic_store(&c->done, true);
    host_notify(both_client_host);
}

static inline void both_parse(struct both_client *c)
{
    while (c->answers > 0 &&
           http_parser_run(&c->parser, buffer_data(&c->got) + c->parsed,
                           buffer_length(&c->got) - c->parsed) == HTTP_PARSER_DONE) {
        c->parsed += c->parser.consumed;
        if (c->parser.response_status >= 200)
            c->answers--;
        http_parser_restart(&c->parser);
    }
    if (c->ended || (c->answers == 0 && !c->to_the_end))
        both_is_done(c);
}

static inline void both_want(struct both_client *c)
{
    if (c->ended || atomic_load(&c->done)) {
        stream_close(c->stream);
        c->stream = NULL;
    } else {
        stream_want(c->stream, true, buffer_length(&c->out) > 0);
    }
}

static inline void both_connected(void *arg, const struct error *err)
{
    struct both_client *c = arg;

    c->ended = err != NULL;
    both_parse(c);
    both_want(c);
}

static inline void both_reads(void *arg)
{
    struct both_client *c = arg;
    struct error err;
    char bytes[4096];
    ssize_t n = stream_read(c->stream, bytes, sizeof bytes, &err);

    if (n > 0)
        buffer_append(&c->got, bytes, (size_t)n);
    c->ended = n == 0 || (n < 0 && err.code != EAGAIN);
    both_parse(c);
    both_want(c);
}

static inline void both_writes(void *arg)
{
    struct both_client *c = arg;
    struct stream_bytes v = { buffer_data(&c->out), buffer_length(&c->out) };
    struct error err;
    ssize_t n = stream_write(c->stream, &v, 1, &err);

    if (n > 0)
        buffer_consume(&c->out, (size_t)n);
    if (n < 0 && err.code != EAGAIN)
        buffer_clear(&c->out); /* it has closed; what it said before is still to be read */
    both_want(c);
}

static inline bool both_turn(void *arg)
{
    static const struct stream_events events = { both_connected, both_reads, both_writes };
    struct both_client *c = arg;

    if (!c->stream && !c->ended && !atomic_load(&c->done))
        c->stream = host_connect(c->loop, c->to, &events, c);
    return false;
}

/* answers 0: all up to the end of the connection. */
static inline struct both_client *both_begin(const char *text, size_t size, unsigned answers)
{
    static const struct http_parser_limits limits = { 1000, 100000, 1 << 26 };
    struct both_client *c = mem_alloc(sizeof *c);

    buffer_append(&c->out, text, size);
    c->to = runtime_address(rt);
    c->answers = answers;
    c->to_the_end = answers == 0;
    http_parser_init(&c->parser, HTTP_PARSER_RESPONSE, &limits);
    c->loop = host_loop_start(both_client_host, both_turn, c);
    host_loop_wake(c->loop);
    return c;
}

static inline bool both_client_is_done(void *arg)
{
    return atomic_load(&((struct both_client *)arg)->done);
}

/* All that came; the caller's. */
static inline char *both_end(struct both_client *c)
{
    char *got;

    ck_assert_msg(host_wait(both_client_host, both_client_is_done, c,
                            instant_add(host_now(both_client_host), BOTH_PATIENCE)),
                  "%u answers are missing behind: %s", c->answers, buffer_data(&c->got));
    host_loop_stop(c->loop);
    stream_close(c->stream);
    ck_assert_msg(c->answers == 0, "%u answers are missing behind: %s", c->answers,
                  buffer_data(&c->got));
    got = buffer_take(&c->got, NULL);
    buffer_release(&c->out);
    http_parser_release(&c->parser);
    mem_free(c);
    return got;
}

static inline char *both_ask(const char *text, unsigned answers)
{
    return both_end(both_begin(text, strlen(text), answers));
}

/* The answer begins with this status, and has this in it (NULL: whatever). */
static inline void both_expect(const char *text, int status, const char *part)
{
    char *got = both_ask(text, 1), *number = mem_printf("HTTP/1.1 %d ", status);

    ck_assert_msg(strncmp(got, number, strlen(number)) == 0, "%s: %s", text, got);
    ck_assert_msg(!part || strstr(got, part), "%s: no '%s' in %s", text, part ? part : "", got);
    mem_free(number);
    mem_free(got);
}

static inline void both_wait(bool (*condition)(void *arg), void *arg)
{
    ck_assert(host_wait(both_host, condition, arg,
                        instant_add(host_now(both_host), BOTH_PATIENCE)));
}

static inline void both_wait_requests(unsigned n)
{
    both_wait(both_have_arrived, &n);
}

/* The n-th of all, when it has arrived. */
static inline struct both_client *both_begin_as(unsigned n, const char *text)
{
    struct both_client *c = both_begin(text, strlen(text), 1);

    both_wait_requests(n);
    return c;
}

#define ON_BOTH(name)                                                                              \
    static void name(void);                                                                        \
    START_TEST(name##_real)                                                                        \
    {                                                                                              \
        if (place_is_simulated())                                                                  \
            return;                                                                                \
        both_seed = 0;                                                                             \
        name();                                                                                    \
        both_stop();                                                                               \
    }                                                                                              \
    END_TEST                                                                                       \
    START_TEST(name##_simulated)                                                                   \
    {                                                                                              \
        uint64_t last = place_seed(BOTH_SEEDS);                                                    \
        for (both_seed = place_seed(1); both_seed <= last; both_seed++) {                          \
            name();                                                                                \
            both_stop();                                                                           \
        }                                                                                          \
    }                                                                                              \
    END_TEST                                                                                       \
    static void name(void)
#define BOTH(name) name##_real, name##_simulated

#endif
