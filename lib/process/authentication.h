/* authentication.h - who sends a request: authenticators
 *
 * An authenticator looks at a request and says who sent it, or how to say it
 * better.  It is set for a realm (http_access.h); requests for routes of that
 * realm pass it before their handler sees them.  It is counted, and asked on
 * any thread, in the context of the process that the request is for: what takes
 * time is a future.
 */
#ifndef AUTHENTICATION_H
#define AUTHENTICATION_H

#include "base/ref.h"
#include "process/typed.h"

struct authenticator;
struct http_request;

enum authentication_verdict {
    AUTHENTICATION_ACCEPTED,
    AUTHENTICATION_CHALLENGED, /* 401, with the challenge as WWW-Authenticate */
    AUTHENTICATION_FORBIDDEN   /* 403 */
};

struct authentication {
    enum authentication_verdict verdict;
    char *principal; /* of ACCEPTED; owned, as the next two */
    char *challenge; /* of CHALLENGED: Basic realm="..." */
    char *text;      /* the body of 401 or 403; NULL: the status' standard sentence */
};

FUTURE_TYPE(authentication, struct authentication);

struct authenticator_class {
    const char *scheme; /* "Basic" */
    /* A future of AUTHENTICATION; failed is 500.  Keeps the request by http_request_ref, and
     * does not answer it. */
    struct future *(*authenticate)(struct authenticator *a, struct http_request *r);
    void (*destroy)(struct authenticator *a);
};

/* First member of every authenticator. */
struct authenticator {
    struct ref ref;
    const struct authenticator_class *class;
};

void authentication_init(struct authenticator *a, const struct authenticator_class *class);
struct authenticator *authentication_ref(struct authenticator *a);
void authentication_unref(struct authenticator *a); /* NULL is fine */

/* Ready results. */
struct future *authentication_accept(const char *principal); /* NULL: it has no name; 403 then */
struct future *authentication_challenge(const char *challenge);
struct future *authentication_forbid(const char *text); /* NULL: the standard sentence */

/* ---- Basic (RFC 7617) ---- */

struct authentication_credential {
    const char *principal, *secret;
};

/* Copies the credentials.  As in libprocess a secret with a colon matches nothing: name and
 * secret are split at each colon, and must be two. */
struct authenticator *authentication_basic(const char *realm,
                                           const struct authentication_credential v[], size_t n);

/* ---- several in turn ---- */

/* The first one that accepts decides; else 401 with the challenges of all that have one, else
 * the 403 of the first.  Takes each; the array is the caller's. */
struct authenticator *authentication_combine(struct authenticator *const v[], size_t n);

#endif
