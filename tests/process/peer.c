/* peer.c - one end of a connection between two simulated OS processes */
#include "tests/process/peer.h"

#include <check.h>
#include <errno.h>

#include "base/error.h"

static char pattern(size_t i)
{
    return (char)(i * 31 ^ i >> 8);
}

void peer_want(struct peer *p)
{
    bool open = p->failure == 0;

    stream_want(p->stream, open && !p->ended && !p->deaf, open && p->sent < p->to_send);
}

static void peer_connected(void *arg, const struct error *err)
{
    struct peer *p = arg;

    p->connected = err == NULL;
    p->failure = err ? err->code : 0;
    peer_want(p);
}

static void peer_readable(void *arg)
{
    struct peer *p = arg;
    struct error err;
    char bytes[4096];
    ssize_t n = stream_read(p->stream, bytes, sizeof bytes, &err);

    if (n > 0)
        buffer_append(&p->got, bytes, (size_t)n);
    else if (n == 0)
        p->ended = true;
    else if (err.code != EAGAIN)
        p->failure = err.code;
    peer_want(p);
}

static void peer_writable(void *arg)
{
    struct peer *p = arg;
    struct error err;
    char bytes[3000];
    size_t n = p->to_send - p->sent < sizeof bytes ? p->to_send - p->sent : sizeof bytes;

    for (size_t i = 0; i < n; i++)
        bytes[i] = pattern(p->sent + i);
    struct stream_bytes v[] = { { bytes, n / 3 }, { bytes + n / 3, n - n / 3 } };
    ssize_t taken = stream_write(p->stream, v, 2, &err);
    if (taken >= 0)
        p->sent += (size_t)taken;
    else if (err.code != EAGAIN)
        p->failure = err.code;
    peer_want(p);
}

const struct stream_events peer_events = { peer_connected, peer_readable, peer_writable };

void peer_release(struct peer *p)
{
    stream_close(p->stream);
    buffer_release(&p->got);
    *p = (struct peer){ 0 };
}

void peer_check_pattern(const struct buffer *b)
{
    for (size_t i = 0; i < buffer_length(b); i++)
        if (buffer_data(b)[i] != pattern(i))
            ck_abort_msg("byte %zu is not what was sent", i);
}
