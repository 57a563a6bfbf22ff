/* tunnels.h - connections that break anywhere, on whichever host (place.h)
 *
 * Who connects to the entrance of a tunnel has a connection to where it leads.  As long
 * as there are breaks left, each connection ends, both ways, behind some bytes, which may
 * be none; what is on the way is lost.  All happens on a loop of the tunnels' own.
 */
#ifndef TUNNELS_H
#define TUNNELS_H

#include <check.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "process/host.h"
#include "tests/process/place.h"

enum { TUNNELS_MAX = 8, TUNNELS_ON_THE_WAY = 256 * 1024 };

struct tunnels_entrance {
    struct tunnels *tunnels;
    struct listener *listener;
    struct address to;
};

struct tunnels {
    struct host *host;
    struct loop *loop;
    struct tunnels_entrance entrances[TUNNELS_MAX];
    unsigned n_entrances;
    struct list open;
    uint64_t random;
    int breaks;      /* left */
    unsigned budget; /* of bytes: most that a connection carries */
};

struct tunnels_side {
    struct tunnel *tunnel;
    struct stream *stream;
    struct buffer out;
    bool stands;
};

struct tunnel {
    struct list link;
    struct tunnels *all;
    struct tunnels_side sides[2];
    int64_t left; /* of its budget */
};

static inline unsigned tunnels_below(struct tunnels *t, unsigned n)
{
    t->random = t->random * 6364136223846793005 + 1442695040888963407;
    return (unsigned)((t->random >> 33) % n);
}

static inline struct tunnels_side *tunnels_other(struct tunnels_side *s)
{
    return &s->tunnel->sides[s == &s->tunnel->sides[0]];
}

static inline void tunnels_close(struct tunnel *t)
{
    for (int i = 0; i < 2; i++) {
        stream_close(t->sides[i].stream);
        buffer_release(&t->sides[i].out);
    }
    list_remove(&t->link);
    mem_free(t);
}

static inline void tunnels_want(struct tunnels_side *s)
{
    stream_want(s->stream,
                s->stands && buffer_length(&tunnels_other(s)->out) < TUNNELS_ON_THE_WAY,
                buffer_length(&s->out) > 0);
}

static inline void tunnels_pass_on(struct tunnels_side *s)
{
    struct error err;

    while (s->stands && buffer_length(&s->out) > 0) {
        struct stream_bytes v = { buffer_data(&s->out), buffer_length(&s->out) };
        ssize_t n = stream_write(s->stream, &v, 1, &err);

        if (n < 0 && err.code == EAGAIN)
            break;
        if (n < 0) {
            tunnels_close(s->tunnel);
            return;
        }
        buffer_consume(&s->out, (size_t)n);
    }
    tunnels_want(s);
    tunnels_want(tunnels_other(s));
}

static inline bool tunnels_break(struct tunnel *t, size_t n)
{
    t->left -= (int64_t)n;
    if (t->left >= 0 || t->all->breaks == 0)
        return false;
    t->all->breaks--;
    return true;
}

static inline void tunnels_readable(void *arg)
{
    struct tunnels_side *s = arg;
    char bytes[16 * 1024];
    struct error err;
    ssize_t n = stream_read(s->stream, bytes, sizeof bytes, &err);

    if (n < 0 && err.code == EAGAIN)
        return;
    if (n <= 0 || tunnels_break(s->tunnel, (size_t)n)) {
        tunnels_close(s->tunnel);
        return;
    }
    buffer_append(&tunnels_other(s)->out, bytes, (size_t)n);
    tunnels_pass_on(tunnels_other(s));
}

static inline void tunnels_writable(void *arg)
{
    tunnels_pass_on(arg);
}

static inline void tunnels_connected(void *arg, const struct error *err)
{
    struct tunnels_side *s = arg;

    s->stands = !err;
    if (err)
        tunnels_close(s->tunnel);
    else
        tunnels_pass_on(s);
}

static inline void tunnels_enter(void *arg, struct stream *stream)
{
    static const struct stream_events events = { tunnels_connected, tunnels_readable,
                                                 tunnels_writable };
    struct tunnels_entrance *e = arg;
    struct tunnels *all = e->tunnels;
    struct tunnel *t = mem_alloc(sizeof *t);

    t->all = all;
    t->sides[0].tunnel = t->sides[1].tunnel = t;
    t->left = tunnels_below(all, 4) == 0 ? 0 : tunnels_below(all, all->budget);
    list_append(&all->open, &t->link);
    t->sides[0].stream = stream;
    t->sides[0].stands = true;
    stream_attach(stream, all->loop, &events, &t->sides[0]);
    t->sides[1].stream = host_connect(all->loop, e->to, &events, &t->sides[1]);
    tunnels_want(&t->sides[0]);
}

static inline bool tunnels_idle(void *arg UNUSED)
{
    return false;
}

static inline void tunnels_start(struct tunnels *t, uint64_t seed, int breaks, unsigned budget)
{
    *t = (struct tunnels){ .random = seed, .breaks = breaks, .budget = budget };
    list_init(&t->open);
    t->host = place_host();
    t->loop = host_loop_start(t->host, tunnels_idle, NULL);
}

/* The entrance of one that leads there. */
static inline struct address tunnels_add(struct tunnels *t, struct address to)
{
    const struct address any = { INADDR_LOOPBACK, 0 };
    struct tunnels_entrance *e = &t->entrances[t->n_entrances++];
    struct address at;

    ck_assert_uint_le(t->n_entrances, TUNNELS_MAX);
    *e = (struct tunnels_entrance){ .tunnels = t, .to = to };
    e->listener = host_listen(t->loop, any, tunnels_enter, e, &at, NULL);
    ck_assert_ptr_nonnull(e->listener);
    return at;
}

static inline void tunnels_stop(struct tunnels *t)
{
    for (unsigned i = 0; i < t->n_entrances; i++)
        host_listener_close(t->entrances[i].listener);
    host_loop_stop(t->loop);
    list_each_safe (one, &t->open, struct tunnel, link)
        tunnels_close(one);
    place_leave(t->host);
}

#endif
