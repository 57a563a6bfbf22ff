/* test_tls_stream.c - a TLS stream around one that takes and gives as little as the test wants
 *
 * All of it happens on a loop of a node: what is "wired" below is the other end
 * of the inner stream, with OpenSSL on it.
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "process/tls_private.h"
#include "tests/process/certificate.h"
#include "tests/process/node.h"
#include "tests/unit.h"

/* ---- the inner stream ---- */

struct inner {
    struct stream stream;
    struct buffer in, out;
    size_t room; /* that writes still have */
    bool want_read, want_write;
    const struct stream_events *events;
    void *arg;
};

static ssize_t inner_read(struct stream *stream, void *out, size_t size, struct error *err)
{
    struct inner *i = (struct inner *)stream;
    size_t n = buffer_length(&i->in) < size ? buffer_length(&i->in) : size;

    if (n == 0)
        return error_set(err, EAGAIN, "nothing there");
    memcpy(out, buffer_data(&i->in), n);
    buffer_consume(&i->in, n);
    return (ssize_t)n;
}

static ssize_t inner_write(struct stream *stream, const struct stream_bytes v[], unsigned n,
                           struct error *err)
{
    struct inner *i = (struct inner *)stream;
    size_t taken = v[0].size < i->room ? v[0].size : i->room;

    ck_assert_uint_eq(n, 1);
    if (taken == 0)
        return error_set(err, EAGAIN, "no room");
    buffer_append(&i->out, v[0].data, taken);
    i->room -= taken;
    return (ssize_t)taken;
}

static void inner_want(struct stream *stream, bool readable, bool writable)
{
    struct inner *i = (struct inner *)stream;

    i->want_read = readable;
    i->want_write = writable;
}

static void inner_attach(struct stream *stream, struct loop *l UNUSED,
                         const struct stream_events *events, void *arg)
{
    struct inner *i = (struct inner *)stream;

    i->events = events;
    i->arg = arg;
}

static void inner_close(struct stream *stream)
{
    struct inner *i = (struct inner *)stream;

    buffer_release(&i->in);
    buffer_release(&i->out);
}

static const struct stream_ops inner_ops = { inner_read, inner_write, inner_want, inner_attach,
                                             inner_close };

/* ---- its user, and the other end ---- */

struct wired {
    struct node node;
    struct loop *loop;
    struct inner inner;
    struct stream *stream;
    struct buffer got;
    unsigned writable; /* how often it was said */
    SSL_CTX *ctx;
    SSL *ssl;
    const char *pem, *key; /* its own; NULL: none */
    void (*deed)(struct wired *w);
    _Atomic bool done;
};

static void user_readable(void *arg)
{
    struct wired *w = arg;
    struct error err;
    char bytes[1000];
    ssize_t n;

    while ((n = stream_read(w->stream, bytes, sizeof bytes, &err)) > 0)
        buffer_append(&w->got, bytes, (size_t)n);
    ck_assert(n < 0 && err.code == EAGAIN);
}

static void user_writable(void *arg)
{
    ((struct wired *)arg)->writable++;
}

/* What the other end has said goes in, what there is for it comes out. */
static void pump(struct wired *w)
{
    char bytes[4096];
    int n;

    while ((n = BIO_read(SSL_get_wbio(w->ssl), bytes, sizeof bytes)) > 0)
        buffer_append(&w->inner.in, bytes, (size_t)n);
    if (w->inner.want_read && buffer_length(&w->inner.in) > 0)
        w->inner.events->readable(w->inner.arg);
    if (w->inner.want_write && w->inner.room > 0)
        w->inner.events->writable(w->inner.arg);
    if (buffer_length(&w->inner.out) > 0)
        BIO_write(SSL_get_rbio(w->ssl), buffer_data(&w->inner.out),
                  (int)buffer_length(&w->inner.out));
    buffer_clear(&w->inner.out);
}

static void wire(struct wired *w)
{
    static const struct stream_events events = { NULL, user_readable, user_writable };

    w->inner = (struct inner){ .stream = { &inner_ops, { 0x7f000001, 1 } }, .room = SIZE_MAX };
    w->stream = tls_accept(runtime_tls(w->node.rt), &w->inner.stream);
    stream_attach(w->stream, w->loop, &events, w);
    stream_want(w->stream, true, false);
    w->ctx = SSL_CTX_new(TLS_client_method());
    if (w->pem) {
        ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(w->ctx, w->pem), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(w->ctx, w->key, SSL_FILETYPE_PEM), 1);
    }
    w->ssl = SSL_new(w->ctx);
    SSL_set_bio(w->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    while (SSL_connect(w->ssl) != 1)
        pump(w);
    pump(w);
}

static void run_on_loop(void *arg)
{
    struct wired *w = arg;

    wire(w);
    w->deed(w);
    stream_close(w->stream);
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    buffer_release(&w->got);
    w->done = true;
    host_notify(w->node.host);
}

static bool is_done(void *arg)
{
    return ((struct wired *)arg)->done;
}

/* verifies: the other end, too, has the node's certificate, and must. */
static void run_with(bool verifies, void (*deed)(struct wired *w))
{
    struct certificate_place certificates;
    struct tls_options tls = { .require_client_cert = verifies };
    struct runtime_options options = { .workers = 1, .tls = &tls };
    struct wired w = { .deed = deed, .node.host = host_real_create() };

    certificate_place_open(&certificates);
    certificate_make(&certificates, "authority", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "node",
                     (struct certificate_spec){ .issuer = "authority", .host = "localhost" });
    tls.cert_file = certificate_path(&certificates, "node", "pem");
    tls.key_file = certificate_path(&certificates, "node", "key");
    tls.ca_file = certificate_path(&certificates, "authority", "pem");
    w.pem = verifies ? tls.cert_file : NULL;
    w.key = tls.key_file;
    w.node.rt = runtime_create(w.node.host, &options, NULL);
    ck_assert_ptr_nonnull(w.node.rt);
    w.loop = runtime_loop(w.node.rt);
    runtime_on_loop(w.node.rt, w.loop, run_on_loop, &w);
    ck_assert(host_wait(w.node.host, is_done, &w, INSTANT_NEVER));
    node_stop(&w.node);
    certificate_place_close(&certificates);
}

static void run(void (*deed)(struct wired *w))
{
    run_with(false, deed);
}

static void expect_hello(struct wired *w)
{
    ck_assert_int_eq(SSL_write(w->ssl, "hello", 5), 5);
    for (int i = 0; i < 1000 && buffer_length(&w->got) < 5; i++)
        pump(w);
    ck_assert_str_eq(buffer_data(&w->got), "hello");
    buffer_clear(&w->got);
}

/* ---- tests ---- */

static void ask_for_keys(struct wired *w)
{
    struct tls_stream *s = (struct tls_stream *)w->stream;

    expect_hello(w);
    w->inner.room = 0;
    while (w->inner.want_read) {
        ck_assert_int_eq(SSL_key_update(w->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(w->ssl), 1);
        pump(w);
        ck_assert_uint_lt(buffer_length(&s->out), TLS_OUT_BYTES_MAX + 1000);
    }
    ck_assert_uint_ge(buffer_length(&s->out), TLS_OUT_BYTES_MAX);
    ck_assert(w->inner.want_write);
    w->inner.room = SIZE_MAX;
    pump(w);
    ck_assert_uint_eq(buffer_length(&s->out), 0);
    ck_assert(w->inner.want_read && !w->inner.want_write);
    expect_hello(w);
}

/* Each question for new keys must be answered; who does not read the answers is not
 * read any more, until it does. */
START_TEST(who_asks_for_new_keys_and_does_not_read_waits_for_itself)
{
    run(ask_for_keys);
}
END_TEST

enum { MUCH = 300 * 1000 };

static void write_in_pieces(struct wired *w)
{
    static const size_t rooms[] = { 0, 1, 21, 22, 23, 1000, 16384, 17000, 66000, 200000 };
    CLEANUP(mem_free_p) char *bytes = mem_alloc(MUCH), *read = mem_alloc(MUCH);
    size_t written = 0, got = 0;
    struct error err;

    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)(i * 7 ^ i >> 9);
    for (unsigned round = 0; written < MUCH || got < MUCH; round++) {
        size_t left = MUCH - written, first = left < 100 ? left : 100;
        struct stream_bytes v[] = { { bytes + written, first },
                                    { bytes + written + first, left - first } };
        ssize_t n;
        int m;

        w->inner.room = rooms[round % ARRAY_SIZE(rooms)];
        n = stream_write(w->stream, v, 2, &err);
        ck_assert(n >= 0 || err.code == EAGAIN);
        written += n > 0 ? (size_t)n : 0;
        stream_want(w->stream, true, written < MUCH);
        w->inner.room += rooms[(round + 3) % ARRAY_SIZE(rooms)];
        pump(w);
        while (got < MUCH && (m = SSL_read(w->ssl, read + got, (int)(MUCH - got))) > 0)
            got += (size_t)m;
        ck_assert_uint_ge(got, written); /* what was said to be taken is on its way already */
    }
    ck_assert(memcmp(bytes, read, MUCH) == 0);
    ck_assert_uint_gt(w->writable, 0);
}

START_TEST(what_is_taken_has_left_however_little_fits)
{
    run(write_in_pieces);
}
END_TEST

static void stop_wanting(struct wired *w)
{
    stream_want(w->stream, false, false);
    ck_assert(!w->inner.want_read && !w->inner.want_write);
    ck_assert_int_eq(SSL_write(w->ssl, "hello", 5), 5);
    pump(w);
    ck_assert_uint_eq(buffer_length(&w->got), 0);
    stream_want(w->stream, true, false);
    pump(w);
    ck_assert_str_eq(buffer_data(&w->got), "hello");
}

START_TEST(nothing_is_read_that_nobody_wants)
{
    run(stop_wanting);
}
END_TEST

/* The name in the certificate is being resolved, which can take its time. */
static void speak_before_we_know_who(struct wired *w)
{
    struct tls_stream *s = (struct tls_stream *)w->stream;

    ck_assert_int_eq(s->state, TLS_VERIFYING);
    ck_assert_int_eq(SSL_write(w->ssl, "hello", 5), 5);
    pump(w);
    ck_assert(!w->inner.want_read); /* the loop would tell us again and again */
    ck_assert_uint_eq(buffer_length(&w->got), 0);
}

START_TEST(who_is_not_known_yet_is_not_read)
{
    run_with(true, speak_before_we_know_who);
}
END_TEST

UNIT(tls_stream, who_asks_for_new_keys_and_does_not_read_waits_for_itself,
     what_is_taken_has_left_however_little_fits, nothing_is_read_that_nobody_wants,
     who_is_not_known_yet_is_not_read);
