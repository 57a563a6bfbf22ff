/* tls_accept.c - TLS or plain?  The first bytes of an accepted connection tell
 *
 * A handshake begins with the record type 22 (handshake), the version 3.x, a
 * length, and the message type 1 (hello); that of SSL 2 with a length that has
 * its first bit set, then message type 1.  No HTTP request begins so.
 */
#include <errno.h>

#include "process/host.h"
#include "process/metrics.h"
#include "process/tls_private.h"

enum kind { KIND_UNKNOWN, KIND_TLS, KIND_PLAIN };

static enum kind kind_of(const char *bytes, unsigned n)
{
    const unsigned char *b = (const unsigned char *)bytes;

    if (n == 0)
        return KIND_UNKNOWN;
    if (b[0] & 0x80)
        return n < 3 ? KIND_UNKNOWN : b[2] == 1 ? KIND_TLS : KIND_PLAIN;
    if (b[0] != 0x16 || (n > 1 && b[1] != 3))
        return KIND_PLAIN;
    return n < TLS_FIRST_BYTES ? KIND_UNKNOWN : b[5] == 1 ? KIND_TLS : KIND_PLAIN;
}

static void be_plain(struct tls_stream *s)
{
    char peer[ADDRESS_TEXT];
    struct error err;

    if (s->tls->support_downgrade) {
        tls_stream_open(s, TLS_PLAIN);
        return;
    }
    error_set(&err, EPROTO, "connection from %s refused: it does not speak TLS",
              address_format(s->stream.peer, peer));
    if (s->n_first > 0) { /* one that has said nothing is no attempt */
        counter_add(s->tls->refused, 1);
        tls_complain(s->tls, TLS_OF_PLAIN, &err);
    }
    tls_stream_fail(s, &err);
}

void tls_accept_look(struct tls_stream *s)
{
    struct error err;
    enum kind kind;
    ssize_t n;

    do {
        n = stream_read(s->inner, s->first + s->n_first, TLS_FIRST_BYTES - s->n_first, &err);
        if (n > 0)
            s->n_first += (unsigned)n;
        kind = kind_of(s->first, s->n_first);
    } while (n > 0 && kind == KIND_UNKNOWN);
    if (s->n_first > 0 && kind != KIND_PLAIN)
        tls_stream_set_timer(s);
    if (kind == KIND_UNKNOWN && n < 0 && err.code == EAGAIN)
        return;
    if (kind == KIND_TLS)
        tls_stream_begin(s);
    else if (n < 0 && err.code != EAGAIN)
        tls_stream_fail(s, &err);
    else
        be_plain(s);
}

struct stream *tls_accept(struct tls *t, struct stream *plain)
{
    struct tls_stream *s = tls_stream_create(t, plain);

    s->is_server = true;
    s->state = TLS_LOOKING;
    return &s->stream;
}
