/* tls_verify.c - whose certificate is it?
 *
 * That an authority stands behind the certificate is OpenSSL's to say, in the
 * handshake.  Here is asked whether it is that of the peer we mean:
 *
 *   the host's name is known (a URL):  it must be in the certificate
 *   its address is known (a PID's, or a URL's): with verify_ip it may be in the
 *     certificate; else
 *     legacy:   a name in the certificate must resolve to the address.  (libprocess
 *               asks the other way round, which name the address has; who owns an
 *               address can answer to that what he likes.)
 *     openssl:  verify_ip decides: it must, or need not, be the address
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "process/future.h"
#include "process/tls_private.h"

enum { NAMES_MAX = 16, NAME_BYTES_MAX = 253 };

/* Names of one certificate, asked for one after the other. */
struct inquiry {
    struct tls_stream *stream; /* a reference */
    char *names[NAMES_MAX];
    unsigned n, next;
    bool found;
};

/* ---- verdicts ---- */

static void accept_peer(struct tls_stream *s)
{
    tls_stream_open(s, TLS_OPEN);
}

static void refuse_peer(struct tls_stream *s, const char *expected)
{
    char peer[ADDRESS_TEXT];
    struct error err;

    error_set(&err, EPROTO, "TLS with %s: the peer's certificate is refused: it is not for %.100s",
              address_format(s->stream.peer, peer), expected);
    tls_stream_refuse(s, &err);
}

/* ---- by the address ---- */

static bool has_address(X509 *cert, uint32_t ip)
{
    const unsigned char bytes[] = { (unsigned char)(ip >> 24), (unsigned char)(ip >> 16),
                                    (unsigned char)(ip >> 8), (unsigned char)ip };

    return X509_check_ip(cert, bytes, sizeof bytes, 0) == 1;
}

/* Only what can be a host's; no "*.example.org", which does not resolve. */
static void add_name(struct inquiry *q, const unsigned char *name, int length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    char *text;

    if (q->n == NAMES_MAX || length <= 0 || length > NAME_BYTES_MAX)
        return;
    text = mem_strndup((const char *)name, (size_t)length);
    if (strspn(text, allowed) == (size_t)length && strspn(text, "0123456789.") < (size_t)length)
        q->names[q->n++] = text;
    else
        mem_free(text);
}

static void add_common_name(struct inquiry *q, X509 *cert)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    ASN1_STRING *name = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));

    if (name)
        add_name(q, ASN1_STRING_get0_data(name), ASN1_STRING_length(name));
}

static void collect_names(struct inquiry *q, X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

        if (name->type == GEN_DNS)
            add_name(q, ASN1_STRING_get0_data(name->d.dNSName),
                     ASN1_STRING_length(name->d.dNSName));
    }
    GENERAL_NAMES_free(all);
    add_common_name(q, cert);
}

static void inquiry_free(struct inquiry *q)
{
    tls_stream_unref(q->stream);
    for (unsigned i = 0; i < q->n; i++)
        mem_free(q->names[i]);
    mem_free(q);
}

static void ask_next(struct inquiry *q);

/* On the stream's worker. */
static void answered(void *arg)
{
    struct inquiry *q = arg;
    struct tls_stream *s = q->stream;
    char ip[ADDRESS_TEXT];

    if (s->closed || s->state != TLS_VERIFYING) {
        inquiry_free(q);
    } else if (!q->found && q->next < q->n) {
        ask_next(q);
    } else {
        if (q->found)
            accept_peer(s);
        else
            refuse_peer(s, address_format_ip(s->stream.peer.ip, ip));
        inquiry_free(q);
    }
}

/* In the runtime's executor process. */
static void resolved(struct process *self UNUSED, struct future *f, void *op)
{
    struct inquiry *q = op;

    if (future_state(f) == FUTURE_READY) {
        const struct pid *at = future_value(f, &runtime_pid_type);

        q->found = at->address.ip == q->stream->stream.peer.ip;
    }
    worker_post(q->stream->worker, answered, q);
}

static void ask_next(struct inquiry *q)
{
    struct runtime *rt = q->stream->tls->runtime;
    CLEANUP(mem_free_p) char *name = mem_printf("x@%s:1", q->names[q->next++]);

    future_finally(runtime_resolve_pid(rt, name), runtime_executor(rt), resolved, q);
}

static void verify_by_names(struct tls_stream *s, X509 *cert)
{
    struct inquiry *q = mem_alloc(sizeof *q);
    char ip[ADDRESS_TEXT];

    q->stream = s;
    tls_stream_ref(s);
    collect_names(q, cert);
    if (q->n > 0) {
        ask_next(q);
        tls_stream_follow(s); /* nothing is read until it is answered */
        return;
    }
    inquiry_free(q);
    refuse_peer(s, address_format_ip(s->stream.peer.ip, ip));
}

static void verify_by_address(struct tls_stream *s, X509 *cert)
{
    const struct tls *t = s->tls;
    char ip[ADDRESS_TEXT];

    if (t->verify_ip && has_address(cert, s->stream.peer.ip))
        accept_peer(s);
    else if (t->scheme == TLS_SCHEME_LEGACY)
        verify_by_names(s, cert);
    else if (t->verify_ip && !s->is_server)
        refuse_peer(s, address_format_ip(s->stream.peer.ip, ip));
    else
        accept_peer(s);
}

/* ---- by the name ---- */

static bool is_address(const char *name)
{
    uint32_t ip;

    return address_parse_ip(name, &ip, NULL) == 0;
}

void tls_verify_peer(struct tls_stream *s)
{
    bool must = s->is_server ? s->tls->require_client_cert : s->tls->verify_server_cert;
    X509 *cert = must ? SSL_get1_peer_certificate(s->ssl) : NULL;

    CHECK(!must || cert); /* without one there is no handshake */
    if (!must)
        accept_peer(s);
    else if (!s->name || is_address(s->name))
        verify_by_address(s, cert);
    else if (X509_check_host(cert, s->name, 0, 0, NULL) == 1)
        accept_peer(s);
    else
        refuse_peer(s, s->name);
    X509_free(cert);
}
