/* tls.c - a node's certificate, authorities and rules, as OpenSSL wants them
 *
 * Every file is read by the host and handed to OpenSSL as bytes, once, at the
 * start: what is wrong with one is said with its name, and later nothing is
 * opened behind the host's back.  Sessions are not resumed: connections between
 * nodes last, and each has had its whole handshake.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/host.h"
#include "process/metrics.h"
#include "process/tls_private.h"

#define QUIET SECONDS(10)
enum { FILE_BYTES_MAX = 4 << 20, DEPTH_DEFAULT = 4, READ_BYTES = 64 * 1024 };

const char *tls_reason(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    int number = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

    if (reason)
        snprintf(text, size, "%s%s", number >= SSL_AD_REASON_OFFSET ? "the peer says: " : "",
                 number == SSL_R_WRONG_VERSION_NUMBER ? "the peer does not speak TLS" : reason);
    else if (code)
        ERR_error_string_n(code, text, size);
    else
        snprintf(text, size, "OpenSSL gives no reason");
    ERR_clear_error();
    return text;
}

static int fail(struct error *err, const char *what, const char *which)
{
    char reason[TLS_REASON_TEXT];

    return error_set(err, EINVAL, "%s '%s': %s", what, which, tls_reason(reason, sizeof reason));
}

/* ---- files ---- */

/* Its bytes as a source for OpenSSL; NULL with the reason. */
static BIO *open_file(struct host *h, const char *path, struct error *err)
{
    char *data;
    size_t size;
    BIO *bio;

    if (host_read_file(h, path, FILE_BYTES_MAX, &data, &size, err) < 0)
        return NULL;
    bio = BIO_new(BIO_s_mem());
    CHECK(bio && BIO_write(bio, data, (int)size) == (int)size);
    BIO_set_mem_eof_return(bio, 0);
    mem_free(data);
    return bio;
}

/* OpenSSL would ask on the terminal. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing;
    *(bool *)arg = true;
    return -1;
}

static int use_key(SSL_CTX *ctx, struct host *h, const char *path, struct error *err)
{
    BIO *bio = open_file(h, path, err);
    bool asked = false;
    EVP_PKEY *key;
    int status;

    if (!bio)
        return -1;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
    BIO_free(bio);
    if (!key && asked) {
        ERR_clear_error();
        return error_set(err, EINVAL,
                         "the key in '%s' is encrypted with a password; it must be "
                         "readable without one",
                         path);
    }
    if (!key)
        return fail(err, "there is no private key in", path);
    status = SSL_CTX_use_PrivateKey(ctx, key) == 1
                 ? 0
                 : fail(err, "this private key does not fit the certificate:", path);
    EVP_PKEY_free(key);
    return status;
}

/* The node's own, then those that lead from it to an authority. */
static int use_certificates(SSL_CTX *ctx, struct host *h, const char *path, struct error *err)
{
    BIO *bio = open_file(h, path, err);
    bool asked = false, first = true;
    X509 *cert;
    int status = 0;

    if (!bio)
        return -1;
    while (status == 0 && (cert = PEM_read_bio_X509(bio, NULL, no_password, &asked))) {
        if ((first ? SSL_CTX_use_certificate(ctx, cert) : SSL_CTX_add1_chain_cert(ctx, cert)) != 1)
            status = fail(err, "this certificate cannot be used:", path);
        first = false;
        X509_free(cert);
    }
    BIO_free(bio);
    if (status == 0 && first)
        return fail(err, "there is no certificate in", path);
    ERR_clear_error(); /* that the file has an end */
    return status;
}

/* How many there are; -1 when the file cannot be read. */
static int add_authorities(X509_STORE *store, struct host *h, const char *path, struct error *err)
{
    BIO *bio = open_file(h, path, err);
    bool asked = false;
    X509 *cert;
    int n = 0;

    if (!bio)
        return -1;
    while ((cert = PEM_read_bio_X509_AUX(bio, NULL, no_password, &asked))) {
        n += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    return n;
}

/* Whatever lies there that is no certificate is passed by. */
static int add_folder(X509_STORE *store, struct host *h, const char *folder, struct error *err)
{
    char **names;
    size_t n_names;
    int n = 0;

    if (host_list(h, folder, &names, &n_names, err) < 0)
        return -1;
    for (size_t i = 0; i < n_names; i++) {
        CLEANUP(mem_free_p) char *path = mem_printf("%s/%s", folder, names[i]);
        int added = add_authorities(store, h, path, NULL);

        n += added > 0 ? added : 0;
    }
    host_free_names(names, n_names);
    if (n == 0)
        return error_set(err, EINVAL, "there are no certificates in the folder '%s'", folder);
    return 0;
}

static int fill_store(X509_STORE *store, struct host *h, const struct tls_options *o,
                      struct error *err)
{
    const char *folder = o->ca_dir ? o->ca_dir : o->ca_file ? NULL : X509_get_default_cert_dir();

    if (o->ca_file) {
        int n = add_authorities(store, h, o->ca_file, err);

        if (n < 0)
            return -1;
        if (n == 0)
            return error_set(err, EINVAL, "there are no certificates in '%s'", o->ca_file);
    }
    return folder ? add_folder(store, h, folder, err) : 0;
}

/* ---- a context for each side ---- */

static int set_versions(SSL_CTX *ctx, unsigned versions, struct error *err)
{
    static const struct {
        unsigned version;
        int number;
        uint64_t off;
    } all[] = {
        { TLS_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1 },
        { TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
        { TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
        { TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
    };
    int lowest = 0;

    if (versions == 0)
        versions = TLS_1_2 | TLS_1_3;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (!(versions & all[i].version))
            SSL_CTX_set_options(ctx, all[i].off);
        else if (lowest == 0)
            lowest = all[i].number;
    }
    if (SSL_CTX_set_min_proto_version(ctx, lowest) != 1) /* the system's own may be higher */
        return error_set(err, EINVAL, "OpenSSL does not have these versions of TLS");
    return 0;
}

static int set_ciphers(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    if (o->ciphers && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
        return fail(err, "no cipher can be used of", o->ciphers);
    if (o->curves && strcmp(o->curves, "auto") != 0 &&
        SSL_CTX_set1_groups_list(ctx, o->curves) != 1)
        return fail(err, "no curve can be used of", o->curves);
    return 0;
}

static int set_up(SSL_CTX *ctx, struct host *h, const struct tls_options *o, struct error *err)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_read_ahead(ctx, 1); /* one read for many records */
    SSL_CTX_set_default_read_buffer_len(ctx, READ_BYTES);
    SSL_CTX_set_verify_depth(ctx, o->verify_depth ? (int)o->verify_depth : DEPTH_DEFAULT);
    if (set_versions(ctx, o->versions, err) < 0 || set_ciphers(ctx, o, err) < 0 ||
        use_certificates(ctx, h, o->cert_file, err) < 0 || use_key(ctx, h, o->key_file, err) < 0)
        return -1;
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail(err, "this private key does not fit the certificate:", o->key_file);
    return 0;
}

static int set_verification(struct tls *t, struct host *h, const struct tls_options *o,
                            struct error *err)
{
    X509_STORE *store;
    int status;

    if (!t->verify_server_cert)
        return 0;
    store = X509_STORE_new();
    CHECK(store != NULL);
    status = fill_store(store, h, o, err);
    SSL_CTX_set1_cert_store(t->client, store);
    SSL_CTX_set1_cert_store(t->server, store);
    X509_STORE_free(store);
    SSL_CTX_set_verify(t->client, SSL_VERIFY_PEER, NULL);
    if (t->require_client_cert)
        SSL_CTX_set_verify(t->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return status;
}

/* ---- the pipe between an SSL and its stream ---- */

/* Everything that OpenSSL has to say finds room; tls_transfer.c writes it. */
static int pipe_write(BIO *bio, const char *data, int size)
{
    struct tls_stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buffer_append(&s->out, data, (size_t)size);
    return size;
}

static int pipe_read(BIO *bio, char *out, int size)
{
    struct tls_stream *s = BIO_get_data(bio);
    unsigned left = s->n_first - s->first_taken;
    struct error err;
    ssize_t n;

    BIO_clear_retry_flags(bio);
    if (left > 0) {
        n = (unsigned)size < left ? size : (int)left;
        memcpy(out, s->first + s->first_taken, (size_t)n);
        s->first_taken += (unsigned)n;
        return (int)n;
    }
    n = stream_read(s->inner, out, (size_t)size, &err);
    if (n < 0 && err.code == EAGAIN)
        BIO_set_retry_read(bio);
    else if (n < 0)
        s->inner_failure = err;
    else if (n == 0)
        s->inner_ended = true;
    return (int)n;
}

static long pipe_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_stream *s = BIO_get_data(bio);

    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return s->inner_ended;
    default:
        return 0;
    }
}

static BIO_METHOD *make_pipe(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

    CHECK(m != NULL);
    BIO_meth_set_write(m, pipe_write);
    BIO_meth_set_read(m, pipe_read);
    BIO_meth_set_ctrl(m, pipe_control);
    return m;
}

/* ---- life ---- */

static void take_rules(struct tls *t, struct runtime *rt, const struct tls_options *o)
{
    t->runtime = rt;
    t->support_downgrade = o->support_downgrade;
    t->require_client_cert = o->require_client_cert;
    t->verify_server_cert = o->verify_server_cert || o->require_client_cert;
    t->verify_ip = o->verify_ip;
    t->scheme = o->scheme;
    t->handshakes = metrics_counter(rt, "process/tls_handshakes");
    t->failed = metrics_counter(rt, "process/tls_handshakes_failed");
    t->downgrades = metrics_counter(rt, "process/tls_downgrades");
    t->refused = metrics_counter(rt, "process/tls_plain_refused");
    CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
}

struct tls *tls_create(struct runtime *rt, const struct tls_options *o, struct error *err)
{
    struct host *h = runtime_host(rt);
    struct tls *t;

    if (!o->cert_file || !o->key_file) {
        error_set(err, EINVAL, "TLS needs a certificate and its private key, each in a file");
        return NULL;
    }
    t = mem_alloc(sizeof *t);
    take_rules(t, rt, o);
    t->pipe = make_pipe();
    t->server = SSL_CTX_new(TLS_server_method());
    t->client = SSL_CTX_new(TLS_client_method());
    CHECK(t->server && t->client);
    if (set_up(t->server, h, o, err) < 0 || set_up(t->client, h, o, err) < 0 ||
        set_verification(t, h, o, err) < 0) {
        tls_destroy(t);
        return NULL;
    }
    return t;
}

void tls_destroy(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->server);
    SSL_CTX_free(t->client);
    BIO_meth_free(t->pipe);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

/* ---- complaints ---- */

void tls_complain(struct tls *t, enum tls_complaint about, const struct error *what)
{
    struct instant now = runtime_now(t->runtime);
    unsigned more;

    CHECK(pthread_mutex_lock(&t->lock) == 0);
    bool quiet = instant_before(now, t->complaints[about].quiet_until);
    more = t->complaints[about].unsaid;
    t->complaints[about].unsaid = quiet ? more + 1 : 0;
    if (!quiet)
        t->complaints[about].quiet_until = instant_add(now, QUIET);
    CHECK(pthread_mutex_unlock(&t->lock) == 0);
    if (quiet)
        return;
    if (more > 0)
        log_warning("%s (and %u more that were not logged)", what->text, more);
    else
        log_warning("%s", what->text);
}
