/* tls_private.h - what the files of TLS know of each other, and the runtime of them
 *
 *   tls.c          a node's certificates, authorities and rules, as OpenSSL wants them
 *   tls_stream.c   the stream: its life, the handshake, what it tells its user
 *   tls_transfer.c bytes through it
 *   tls_connect.c  to whom, by name or by address
 *   tls_accept.c   what kind of stream an accepted one is
 *   tls_verify.c   whose certificate is it?
 */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <pthread.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ref.h"
#include "process/host_ops.h"
#include "process/runtime_private.h"
#include "process/tls.h"

struct counter;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX, SSL, X509 and BIO_METHOD */
struct ssl_st;
struct x509_st;
struct bio_method_st;

/* ---- a node's rules; constant but for what the lock guards ---- */

enum tls_complaint { TLS_OF_PLAIN, TLS_OF_HANDSHAKE, TLS_OF_STREAM, TLS_COMPLAINTS };

struct tls {
    struct runtime *runtime;
    struct ssl_ctx_st *server, *client;
    struct bio_method_st *pipe; /* between an SSL and its stream */
    bool support_downgrade, verify_server_cert, require_client_cert, verify_ip;
    enum tls_scheme scheme;
    struct counter *handshakes, *failed, *downgrades, *refused;

    pthread_mutex_t lock;
    struct {
        struct instant quiet_until; /* one of its kind in a while */
        unsigned unsaid;
    } complaints[TLS_COMPLAINTS];
};

/* Reads the files that the options name, by the runtime's host.  The options are
 * not needed afterwards. */
struct tls *tls_create(struct runtime *rt, const struct tls_options *options, struct error *err);
void tls_destroy(struct tls *t); /* NULL is fine; its streams are closed */
/* To the log, but not again and again. */
void tls_complain(struct tls *t, enum tls_complaint about, const struct error *what);
/* The oldest of OpenSSL's reasons, as words; forgets all of them. */
const char *tls_reason(char *text, size_t size);
enum { TLS_REASON_TEXT = 160 };

/* ---- streams ---- */

/* Around an accepted stream: takes it.  Its first bytes decide. */
struct stream *tls_accept(struct tls *t, struct stream *plain);
/* To another node.  When downgrade is supported, and it speaks no TLS, a plain one. */
struct stream *tls_connect_node(struct tls *t, struct loop *l, struct address to,
                                const struct stream_events *events, void *arg);

enum tls_state {
    TLS_NEW,       /* nothing has been said */
    TLS_LOOKING,   /* accepted: which kind is it? */
    TLS_SHAKING,   /* the handshake */
    TLS_VERIFYING, /* the handshake is done: whose is the certificate? */
    TLS_OPEN,
    TLS_PLAIN, /* no TLS at all: bytes pass */
    TLS_FAILED
};

enum { TLS_FIRST_BYTES = 6 };

/* Counted: the user's until it is closed, and each post and timer under way. */
struct tls_stream {
    struct stream stream;
    struct ref ref;
    struct tls *tls;
    struct worker *worker;
    struct stream *inner; /* all below belongs to the worker's thread */
    bool closed;
    const struct stream_events *events;
    void *arg;
    enum tls_state state;
    bool is_server;
    bool may_downgrade; /* connecting: a plain stream will do */
    bool downgraded;
    char *name;         /* that the server's certificate must have; NULL: by address */
    struct timer timer; /* of the handshake */
    bool has_timer;

    bool want_read, want_write;
    bool may_have_more;   /* inside of OpenSSL, of what has been received */
    bool ended;           /* the peer sends nothing more, and said so */
    bool posted, telling; /* tell_later is under way; the user is being told */
    struct error failure; /* of TLS_FAILED */

    char first[TLS_FIRST_BYTES]; /* received to see what it is */
    unsigned n_first, first_taken;

    struct ssl_st *ssl; /* from TLS_SHAKING on */
    bool inner_ended;
    struct error inner_failure; /* code 0: none */
    struct buffer out;          /* encrypted, to be written */
    size_t owed;                /* encrypted in `out`, and not yet said to be taken */
};

/* tls_stream.c, for tls_accept.c and tls_verify.c; on the worker's thread. */
struct tls_stream *tls_stream_create(struct tls *t, struct stream *inner);
void tls_stream_ref(struct tls_stream *s);
void tls_stream_unref(struct tls_stream *s);
void tls_stream_belongs(struct tls_stream *s, struct runtime *rt, struct loop *l,
                        const struct stream_events *events, void *arg); /* to a loop and a user */
void tls_stream_connect(struct tls_stream *s);
void tls_stream_begin(struct tls_stream *s); /* the handshake */
void tls_stream_set_timer(struct tls_stream *s);
/* The user is told; may close it. */
void tls_stream_open(struct tls_stream *s, enum tls_state state);
void tls_stream_fail(struct tls_stream *s, const struct error *why);
void tls_stream_refuse(struct tls_stream *s, const struct error *why); /* counts, and says so */
void tls_stream_follow(struct tls_stream *s); /* asks the inner one for what is needed now */

void tls_stream_explain(struct tls_stream *s, struct error *err); /* why OpenSSL has failed */

/* tls_transfer.c.  Flush: as much as goes; false when the inner stream is broken. */
enum { TLS_OUT_BYTES_MAX = 256 * 1024 }; /* answers to who does not read: then we do not either */
bool tls_transfer_flush(struct tls_stream *s);
ssize_t tls_transfer_read(struct stream *stream, void *out, size_t size, struct error *err);
ssize_t tls_transfer_write(struct stream *stream, const struct stream_bytes v[], unsigned n,
                           struct error *err);

/* tls_accept.c.  The inner stream is readable. */
void tls_accept_look(struct tls_stream *s);

/* tls_verify.c.  Ends in tls_stream_open or tls_stream_fail, at once or later. */
void tls_verify_peer(struct tls_stream *s);

#endif
