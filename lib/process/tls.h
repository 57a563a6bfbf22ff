/* tls.h - encrypted connections, on the same port as plain ones
 *
 * A runtime that is given tls_options (runtime.h) speaks TLS with its peers: it
 * presents its certificate to whom it connects to and to who connects to it.
 * Who connects without TLS is refused, or served as before when downgrade is
 * supported.  Names and meanings are libprocess's (FACTS 1.9); the variables
 * that fill the options in are in program_environment.c.
 *
 * A TLS stream is a stream of host.h around another one, so it works on every
 * host, and whoever uses streams notices no difference.  These files are the
 * only ones that know OpenSSL.
 */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>

#include "process/address.h"

struct error;
struct loop;
struct runtime;
struct stream;
struct stream_events;
struct tls;

enum tls_version { TLS_1_0 = 1, TLS_1_1 = 2, TLS_1_2 = 4, TLS_1_3 = 8 };

/* How the name in a peer's certificate is compared, when the peer is known by
 * its address only (as PIDs are).  With verify_ip the address itself may be in
 * the certificate; else
 * legacy:  a name in it must resolve to the peer's address; also those of
 *          clients, where their certificates are required
 * openssl: any certificate of the authority is good; with verify_ip the address
 *          must be in it */
enum tls_scheme { TLS_SCHEME_LEGACY, TLS_SCHEME_OPENSSL };

/* Zero means the default of each. */
struct tls_options {
    const char *cert_file, *key_file; /* PEM; the certificate, then those between it and the root */
    const char *ca_file, *ca_dir;     /* PEM; neither: the authorities of the system */
    const char *ciphers;              /* of TLS 1.2 and below; OpenSSL's list and its default */
    const char *curves;               /* "auto", or OpenSSL's list */
    bool support_downgrade;           /* plain peers, too: both ways */
    bool verify_server_cert;
    bool require_client_cert;         /* and verify_server_cert */
    bool verify_ip;
    unsigned verify_depth;            /* default 4 */
    enum tls_scheme scheme;
    unsigned versions;                /* a sum of enum tls_version; default 1.2 and 1.3 */
};

/* A stream to an https:// URL's host: `connected` comes when the handshake is done,
 * and the certificate is good for `name`, the host as the URL has it; or with
 * the reason why not.  Never NULL.  On the loop's thread, which is one of the
 * runtime's.  The runtime may have no TLS: then that is the reason. */
struct stream *tls_connect(struct runtime *rt, struct loop *l, struct address to, const char *name,
                           const struct stream_events *events, void *arg);

#endif
