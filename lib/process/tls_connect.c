/* tls_connect.c - TLS to another node, and to the host of a URL */
#include <errno.h>

#include "base/memory.h"
#include "process/host.h"
#include "process/tls_private.h"

static struct tls_stream *make(struct runtime *rt, struct loop *l, struct address to,
                               const struct stream_events *events, void *arg)
{
    struct tls_stream *s = tls_stream_create(runtime_tls(rt), NULL);

    s->stream.peer = to;
    tls_stream_belongs(s, rt, l, events, arg);
    return s;
}

struct stream *tls_connect_node(struct tls *t, struct loop *l, struct address to,
                                const struct stream_events *events, void *arg)
{
    struct tls_stream *s = make(t->runtime, l, to, events, arg);

    s->may_downgrade = t->support_downgrade;
    tls_stream_connect(s);
    return &s->stream;
}

static void refuse(void *arg)
{
    struct tls_stream *s = arg;
    struct error err;

    error_set(&err, EPROTONOSUPPORT, "TLS is not enabled here: set LIBPROCESS_SSL_ENABLED=true");
    if (!s->closed)
        tls_stream_fail(s, &err);
    tls_stream_unref(s);
}

struct stream *tls_connect(struct runtime *rt, struct loop *l, struct address to, const char *name,
                           const struct stream_events *events, void *arg)
{
    struct tls_stream *s = make(rt, l, to, events, arg);

    if (s->tls) {
        s->name = mem_strdup(name);
        tls_stream_connect(s);
    } else {
        tls_stream_ref(s);
        worker_post(s->worker, refuse, s);
    }
    return &s->stream;
}
