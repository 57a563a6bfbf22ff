/* certificate.h - keys and certificates, made for one test
 *
 * Each is a pair of files, NAME.pem and NAME.key, in the place's folder; nothing
 * of them is kept in the tree.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

struct certificate_place { char folder[64]; };

struct certificate_spec {
    const char *issuer;     /* the name of another one here; NULL: itself, an authority */
    const char *host;       /* the common name; NULL: the certificate's own name */
    const char *also;       /* "DNS:localhost,IP:127.0.0.1", as OpenSSL wants it */
    long from, to;          /* seconds from now that it is good for; both 0: a day */
    const char *password;   /* of the key; NULL: none */
};

void certificate_place_open(struct certificate_place *p);
void certificate_place_close(struct certificate_place *p);
void certificate_make(struct certificate_place *p, const char *name, struct certificate_spec spec);
/* "FOLDER/NAME.pem" or ".key"; lives as long as the place, and is the same text each time. */
const char *certificate_path(const struct certificate_place *p, const char *name, const char *kind);

#endif
