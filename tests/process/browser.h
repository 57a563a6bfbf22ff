/* browser.h - a node of the simulated world, and clients that speak HTTP to it by hand
 *
 * Everything happens inside browser_expect and the like, which run the world
 * until what was named is there.
 */
#ifndef BROWSER_H
#define BROWSER_H

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/sim.h"
#include "tests/process/place.h"

#define BROWSER_GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define BROWSER_LIMIT HOURS(1)

enum { SERVER_IP = 0x0a000001, CLIENT_IP = 0x0a000002 };

static struct sim *world;
static struct sim_node *server_node, *client_node;
static struct host *server_host, *client_host;
static struct loop *client_loop;
static struct runtime *rt;

static bool browser_idle(void *arg)
{
    (void)arg;
    return false;
}

static inline void world_start(uint64_t seed, struct runtime_options o)
{
    struct error err;

    world = sim_create(place_seed(seed));
    server_node = sim_node_create(world, "server", SERVER_IP);
    client_node = sim_node_create(world, "client", CLIENT_IP);
    server_host = sim_host_create(server_node, "server");
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
    o.bind.ip = SERVER_IP;
    o.workers = o.workers ? o.workers : 2;
    rt = runtime_create(server_host, &o, &err);
    ck_assert_msg(rt != NULL, "%s", rt ? "" : err.text);
}

static inline void world_stop(void)
{
    runtime_destroy(rt);
    host_loop_stop(client_loop);
    host_destroy(client_host);
    host_destroy(server_host);
    sim_destroy(world);
}

struct browser {
    struct stream *stream;
    struct buffer out, got;
    bool connected, ended, broken;
    bool deaf; /* does not read */
};

static inline void browser_want(struct browser *b)
{
    stream_want(b->stream, b->connected && !b->deaf && !b->ended && !b->broken,
                b->connected && !b->broken && buffer_length(&b->out) > 0);
}

static inline void browser_connected(void *arg, const struct error *err)
{
    struct browser *b = arg;

    b->broken = err != NULL;
    b->connected = !err;
    browser_want(b);
}

static inline void browser_reads(void *arg)
{
    struct browser *b = arg;
    struct error err;
    char bytes[4096];
    ssize_t n = stream_read(b->stream, bytes, sizeof bytes, &err);

    if (n > 0)
        buffer_append(&b->got, bytes, (size_t)n);
    b->ended = b->ended || n == 0;
    b->broken = b->broken || (n < 0 && err.code != EAGAIN);
    browser_want(b);
}

static inline void browser_writes(void *arg)
{
    struct browser *b = arg;
    struct stream_bytes v = { buffer_data(&b->out), buffer_length(&b->out) };
    struct error err;
    ssize_t n = stream_write(b->stream, &v, 1, &err);

    if (n > 0)
        buffer_consume(&b->out, (size_t)n);
    b->broken = b->broken || (n < 0 && err.code != EAGAIN);
    browser_want(b);
}

static inline struct browser *browser_open(void)
{
    static const struct stream_events events = { browser_connected, browser_reads, browser_writes };
    struct browser *b = mem_alloc(sizeof *b);

    b->stream = host_connect(client_loop, runtime_address(rt), &events, b);
    return b;
}

static inline void browser_close(struct browser *b)
{
    stream_close(b->stream);
    buffer_release(&b->out);
    buffer_release(&b->got);
    mem_free(b);
}

static inline void browser_send(struct browser *b, const void *bytes, size_t size)
{
    buffer_append(&b->out, bytes, size);
    browser_want(b);
}

static inline void browser_say(struct browser *b, const char *text)
{
    browser_send(b, text, strlen(text));
}

struct browser_wish {
    struct browser *browser;
    const char *text; /* NULL: the end */
    size_t size;
};

static inline bool browser_has(void *arg)
{
    struct browser_wish *w = arg;
    struct browser *b = w->browser;

    if (!w->text)
        return b->ended || b->broken;
    return buffer_length(&b->got) > 0 &&
           memmem(buffer_data(&b->got), buffer_length(&b->got), w->text, w->size) != NULL;
}

/* Everything up to and with the text; the caller's. */
static inline char *browser_read(struct browser *b, const char *text)
{
    struct browser_wish w = { b, text, strlen(text) };
    char *read;
    size_t n;

    ck_assert_msg(sim_run_until(world, browser_has, &w, BROWSER_LIMIT),
                  "\"%s\" does not come behind \"%s\"", text, buffer_data(&b->got));
    n = (size_t)((char *)memmem(buffer_data(&b->got), buffer_length(&b->got), text, w.size) -
                 buffer_data(&b->got)) +
        w.size;
    read = mem_strndup(buffer_data(&b->got), n);
    buffer_consume(&b->got, n);
    return read;
}

static inline void browser_skip(struct browser *b, const char *text)
{
    mem_free(browser_read(b, text));
}

/* Exactly this comes next. */
static inline void browser_expect(struct browser *b, const char *text)
{
    char *read = browser_read(b, text);

    ck_assert_str_eq(read, text);
    mem_free(read);
}

static inline void browser_expect_end(struct browser *b)
{
    struct browser_wish w = { b, NULL, 0 };

    ck_assert(sim_run_until(world, browser_has, &w, BROWSER_LIMIT));
    ck_assert_str_eq(buffer_data(&b->got), "");
    browser_close(b);
}

/* The head of an answer has this; what is left is its body. */
static inline void browser_expect_head(struct browser *b, const char *status, const char *has,
                                       const char *has_not)
{
    char *head = browser_read(b, "\r\n\r\n");

    ck_assert_msg(strncmp(head, "HTTP/1.1 ", 9) == 0 && strncmp(head + 9, status, 3) == 0, "%s",
                  head);
    ck_assert_msg(!has || strstr(head, has), "no %s in %s", has, head);
    ck_assert_msg(!has_not || !strstr(head, has_not), "%s in %s", has_not, head);
    mem_free(head);
}

#endif
