/* tls_stream.c - a TLS stream: its life, and what it tells its user
 *
 *   connecting: inner connects → handshake → verify (tls_verify.c) → connected
 *   accepted:   first bytes (tls_accept.c) → handshake → verify → readable, writable
 *
 * What OpenSSL holds of what was received makes no event of the inner stream.
 * As long as there is some, and reading is wanted, the user is told by a post to
 * the worker, which is what "level-triggered" asks for.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/tls_private.h"

static const struct stream_ops tls_stream_ops;

void tls_stream_ref(struct tls_stream *s)
{
    ref_get(&s->ref);
}

void tls_stream_unref(struct tls_stream *s)
{
    if (!ref_put(&s->ref))
        return;
    CHECK(s->closed && !s->inner && !s->ssl);
    buffer_release(&s->out);
    mem_free(s->name);
    mem_free(s);
}

struct tls_stream *tls_stream_create(struct tls *t, struct stream *inner)
{
    struct tls_stream *s = mem_alloc(sizeof *s);

    ref_init(&s->ref);
    s->tls = t;
    s->inner = inner;
    s->stream.ops = &tls_stream_ops;
    if (inner)
        s->stream.peer = inner->peer;
    return s;
}

/* ---- errors ---- */

static bool refuses_certificate(const struct tls_stream *s)
{
    return SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE &&
           SSL_get_verify_result(s->ssl) != X509_V_OK;
}

void tls_stream_explain(struct tls_stream *s, struct error *err)
{
    char peer[ADDRESS_TEXT], reason[TLS_REASON_TEXT];
    bool shaking = s->state == TLS_SHAKING;

    address_format(s->stream.peer, peer);
    if (s->inner_failure.code) {
        *err = s->inner_failure;
    } else if (s->inner_ended) {
        error_set(err, ECONNRESET, "TLS with %s: the peer hung up %s", peer,
                  shaking ? "during the handshake" : "without saying that this is the end");
    } else if (shaking && refuses_certificate(s)) {
        error_set(err, EPROTO, "TLS with %s: the peer's certificate is refused: %s", peer,
                  X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)));
    } else {
        error_set(err, EPROTO, "TLS with %s%s: %s", peer, shaking ? ", handshake" : "",
                  tls_reason(reason, sizeof reason));
    }
    ERR_clear_error();
}

/* ---- telling the user: each may end in a close ---- */

static bool has_news(const struct tls_stream *s)
{
    switch (s->state) {
    case TLS_OPEN:
        return s->may_have_more || s->ended;
    case TLS_PLAIN:
        return s->first_taken < s->n_first;
    case TLS_FAILED:
        return true;
    default:
        return false;
    }
}

/* By one of the user's callbacks. */
static void tell(struct tls_stream *s, void (*callback)(void *arg))
{
    tls_stream_ref(s);
    s->telling = true;
    callback(s->arg);
    s->telling = false;
    if (!s->closed)
        tls_stream_follow(s);
    tls_stream_unref(s);
}

static bool must_tell_readable(const struct tls_stream *s)
{
    return s->want_read && has_news(s);
}

static bool must_tell_writable(const struct tls_stream *s)
{
    return s->want_write && s->state == TLS_FAILED;
}

/* When the loop has stopped there is nobody to be told. */
static void tell_later(void *arg)
{
    struct tls_stream *s = arg;

    s->posted = false;
    if (!s->closed && worker_loop(s->worker)) {
        if (must_tell_readable(s))
            tell(s, s->events->readable);
        else if (must_tell_writable(s))
            tell(s, s->events->writable);
    }
    tls_stream_unref(s);
}

/* What the inner stream is to tell us, by what is wanted and what we are about. */
void tls_stream_follow(struct tls_stream *s)
{
    bool unwritten = buffer_length(&s->out) > 0, read = false, write = unwritten;

    switch (s->state) {
    case TLS_LOOKING:
    case TLS_SHAKING:
        read = true;
        break;
    case TLS_OPEN:
        read = s->want_read && !s->ended && buffer_length(&s->out) < TLS_OUT_BYTES_MAX;
        write = unwritten || s->want_write;
        break;
    case TLS_PLAIN:
        read = s->want_read;
        write = s->want_write;
        break;
    case TLS_NEW:
    case TLS_VERIFYING:
        break;
    case TLS_FAILED:
        write = false;
        break;
    }
    if (s->inner)
        stream_want(s->inner, read, write);
    if (s->posted || s->telling || !(must_tell_readable(s) || must_tell_writable(s)) ||
        !worker_loop(s->worker))
        return;
    s->posted = true;
    tls_stream_ref(s);
    worker_post(s->worker, tell_later, s);
}

/* ---- the end of a handshake ---- */

static void end_timer(struct tls_stream *s)
{
    if (s->has_timer)
        process_cancel(&s->timer);
    s->has_timer = false;
}

void tls_stream_open(struct tls_stream *s, enum tls_state state)
{
    end_timer(s);
    s->state = state;
    s->may_have_more = s->ssl && SSL_has_pending(s->ssl);
    counter_add(state == TLS_OPEN ? s->tls->handshakes : s->tls->downgrades, 1);
    tls_stream_ref(s);
    if (!s->is_server)
        s->events->connected(s->arg, NULL);
    if (!s->closed)
        tls_stream_follow(s);
    tls_stream_unref(s);
}

static void release_ssl(struct tls_stream *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    s->n_first = s->first_taken = 0;
    s->inner_ended = false;
    s->inner_failure.code = 0;
    buffer_release(&s->out);
}

/* The peer listens, but speaks no TLS that we understand: once more, plainly. */
static void downgrade(struct tls_stream *s)
{
    end_timer(s);
    release_ssl(s);
    stream_close(s->inner);
    s->may_downgrade = false;
    s->downgraded = true;
    s->state = TLS_NEW;
    tls_stream_connect(s);
}

/* Not yet told of: a connection that was to be made. */
void tls_stream_fail(struct tls_stream *s, const struct error *why)
{
    bool connecting = !s->is_server && s->state != TLS_OPEN && s->state != TLS_PLAIN;

    end_timer(s);
    s->state = TLS_FAILED;
    s->failure = *why;
    tls_stream_ref(s);
    if (connecting)
        s->events->connected(s->arg, &s->failure);
    if (!s->closed)
        tls_stream_follow(s);
    tls_stream_unref(s);
}

/* ---- the handshake ---- */

/* It speaks TLS, but is not who it should be: that is not to be had plainly, either. */
void tls_stream_refuse(struct tls_stream *s, const struct error *why)
{
    counter_add(s->tls->failed, 1);
    if (!s->name) /* else it is the answer to who asked for that URL */
        tls_complain(s->tls, TLS_OF_HANDSHAKE, why);
    tls_stream_fail(s, why);
}

static void give_up(struct tls_stream *s, const struct error *why)
{
    if (!s->may_downgrade) {
        tls_stream_refuse(s, why);
        return;
    }
    counter_add(s->tls->failed, 1);
    downgrade(s);
}

static void handshake_failed(struct tls_stream *s)
{
    bool refused = refuses_certificate(s);
    struct error err;

    tls_stream_explain(s, &err);
    tls_transfer_flush(s); /* the peer is told why, if it can be */
    if (refused)
        tls_stream_refuse(s, &err);
    else
        give_up(s, &err);
}

static void shake(struct tls_stream *s)
{
    int status;

    ERR_clear_error();
    status = SSL_do_handshake(s->ssl);
    if (status != 1 && SSL_get_error(s->ssl, status) != SSL_ERROR_WANT_READ) {
        handshake_failed(s);
        return;
    }
    if (!tls_transfer_flush(s)) {
        handshake_failed(s);
        return;
    }
    if (status == 1) {
        s->state = TLS_VERIFYING;
        tls_verify_peer(s);
    } else {
        tls_stream_follow(s);
    }
}

static SSL *make_ssl(struct tls_stream *s)
{
    SSL *ssl = SSL_new(s->is_server ? s->tls->server : s->tls->client);
    BIO *bio = BIO_new(s->tls->pipe);

    CHECK(ssl && bio);
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    if (s->is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    if (s->name && strspn(s->name, "0123456789.") < strlen(s->name))
        SSL_set_tlsext_host_name(ssl, s->name);
    return ssl;
}

void tls_stream_begin(struct tls_stream *s)
{
    s->state = TLS_SHAKING;
    s->ssl = make_ssl(s);
    shake(s);
}

/* ---- its time-out ---- */

struct alarm {
    struct tls_stream *stream; /* a reference */
};

static void alarm_release(void *args)
{
    struct alarm *a = args;

    tls_stream_unref(a->stream);
}

static void be_late(void *arg)
{
    struct tls_stream *s = arg;
    char peer[ADDRESS_TEXT];
    struct error err;

    if (!s->closed && s->has_timer) {
        s->has_timer = false;
        error_set(&err, ETIMEDOUT, "TLS with %s: the handshake was not done in time",
                  address_format(s->stream.peer, peer));
        if (s->state == TLS_VERIFYING)
            tls_stream_refuse(s, &err);
        else
            give_up(s, &err);
    }
    tls_stream_unref(s);
}

static void alarm_rings(struct process *self UNUSED, void *args)
{
    struct alarm *a = args;

    tls_stream_ref(a->stream);
    worker_post(a->stream->worker, be_late, a->stream);
}

void tls_stream_set_timer(struct tls_stream *s)
{
    struct runtime *rt = s->tls->runtime;
    struct alarm a = { s };

    if (s->has_timer)
        return;
    tls_stream_ref(s);
    s->has_timer = true;
    s->timer = process_delay(&runtime_executor(rt)->pid, runtime_get_options(rt)->head_timeout,
                             alarm_rings, &a, sizeof a, alarm_release);
}

/* ---- what the inner stream says ---- */

static void on_connected(void *arg, const struct error *err)
{
    struct tls_stream *s = arg;

    if (err) {
        s->state = TLS_NEW;
        tls_stream_fail(s, err);
    } else if (s->downgraded) {
        tls_stream_open(s, TLS_PLAIN);
    } else {
        tls_stream_set_timer(s);
        tls_stream_begin(s);
    }
}

static void on_readable(void *arg)
{
    struct tls_stream *s = arg;

    if (s->state == TLS_LOOKING) {
        tls_accept_look(s);
    } else if (s->state == TLS_SHAKING) {
        shake(s);
    } else if (s->want_read && (s->state == TLS_OPEN || s->state == TLS_PLAIN)) {
        tell(s, s->events->readable);
    }
}

static void broken(struct tls_stream *s)
{
    struct error err;

    tls_stream_explain(s, &err);
    tls_stream_fail(s, &err);
}

static void on_writable(void *arg)
{
    struct tls_stream *s = arg;

    if (!tls_transfer_flush(s)) {
        if (s->state == TLS_SHAKING)
            handshake_failed(s);
        else
            broken(s);
        return;
    }
    if (s->want_write && buffer_length(&s->out) == 0 &&
        (s->state == TLS_OPEN || s->state == TLS_PLAIN))
        tell(s, s->events->writable);
    else
        tls_stream_follow(s);
}

static const struct stream_events inner_events = { on_connected, on_readable, on_writable };

void tls_stream_connect(struct tls_stream *s)
{
    s->inner = host_connect(worker_loop(s->worker), s->stream.peer, &inner_events, s);
}

/* ---- the rest of a stream ---- */

static void tls_want(struct stream *stream, bool readable, bool writable)
{
    struct tls_stream *s = (struct tls_stream *)stream;

    s->want_read = readable;
    s->want_write = writable;
    if (s->worker)
        tls_stream_follow(s);
}

void tls_stream_belongs(struct tls_stream *s, struct runtime *rt, struct loop *l,
                        const struct stream_events *events, void *arg)
{
    unsigned i = 0;

    while (i < worker_count(rt) && worker_loop(worker_get(rt, i)) != l)
        i++;
    CHECK(i < worker_count(rt));
    s->worker = worker_get(rt, i);
    s->events = events;
    s->arg = arg;
}

static void tls_attach(struct stream *stream, struct loop *l, const struct stream_events *events,
                       void *arg)
{
    struct tls_stream *s = (struct tls_stream *)stream;

    tls_stream_belongs(s, s->tls->runtime, l, events, arg);
    stream_attach(s->inner, l, &inner_events, s);
    if (!s->tls->support_downgrade) /* else a plain one may say nothing for a long time */
        tls_stream_set_timer(s);
    tls_stream_follow(s);
}

/* That this is the end is said if it can be at once. */
static void tls_close(struct stream *stream)
{
    struct tls_stream *s = (struct tls_stream *)stream;

    end_timer(s);
    if (s->state == TLS_OPEN && s->worker && worker_loop(s->worker)) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
        tls_transfer_flush(s);
        ERR_clear_error();
    }
    stream_close(s->inner);
    s->inner = NULL;
    s->closed = true;
    release_ssl(s);
    tls_stream_unref(s);
}

static const struct stream_ops tls_stream_ops = {
    .read = tls_transfer_read,
    .write = tls_transfer_write,
    .want = tls_want,
    .attach = tls_attach,
    .close = tls_close,
};
