/* authentication_basic.c - a name and a secret with each request (RFC 7617)
 *
 * How long it takes does not tell how much of a secret was right, nor whether
 * the name is known: all credentials are compared, each byte of them.
 */
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "process/authentication.h"
#include "process/http.h"

struct basic {
    struct authenticator authenticator;
    char *challenge;
    size_t n;
    struct authentication_credential *credentials; /* owns the texts */
};

/* As long as `given` is, whatever `known` is. */
static unsigned differs(const char *given, size_t n_given, const char *known, size_t n_known)
{
    volatile unsigned difference = n_given != n_known;

    for (size_t i = 0; i < n_given; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)(i < n_known ? known[i] : 0);
    return difference;
}

/* The known name that belongs to both, or NULL. */
static const char *find_principal(const struct basic *b, const char *name, size_t n_name,
                                  const char *secret, size_t n_secret)
{
    const char *found = NULL;

    for (size_t i = 0; i < b->n; i++) {
        const struct authentication_credential *c = &b->credentials[i];
        unsigned difference = differs(name, n_name, c->principal, strlen(c->principal));

        difference |= differs(secret, n_secret, c->secret, strlen(c->secret));
        if (difference == 0)
            found = c->principal;
    }
    return found;
}

static const char *check(const struct basic *b, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length), *secret;

    if (!colon)
        return NULL;
    secret = colon + 1;
    length -= (size_t)(secret - text);
    if (memchr(secret, ':', length))
        return NULL;
    return find_principal(b, text, (size_t)(colon - text), secret, length);
}

static struct future *basic_authenticate(struct authenticator *a, struct http_request *r)
{
    static const char scheme[] = "Basic ";
    CLEANUP(buffer_release) struct buffer decoded = BUFFER_INIT;
    const char *header = http_request_header(r, "Authorization"), *principal = NULL;
    struct basic *b = (struct basic *)a;

    if (header && strncasecmp(header, scheme, sizeof scheme - 1) == 0) {
        header += sizeof scheme - 1;
        header += strspn(header, " ");
        if (base64_decode(header, strlen(header), &decoded, NULL) == 0)
            principal = check(b, buffer_data(&decoded), buffer_length(&decoded));
    }
    return principal ? authentication_accept(principal) : authentication_challenge(b->challenge);
}

static void basic_destroy(struct authenticator *a)
{
    struct basic *b = (struct basic *)a;

    for (size_t i = 0; i < b->n; i++) {
        mem_free((char *)b->credentials[i].principal);
        mem_free((char *)b->credentials[i].secret);
    }
    mem_free(b->credentials);
    mem_free(b->challenge);
    mem_free(b);
}

struct authenticator *authentication_basic(const char *realm,
                                           const struct authentication_credential v[], size_t n)
{
    static const struct authenticator_class class = { "Basic", basic_authenticate, basic_destroy };
    struct basic *b = mem_alloc(sizeof *b);

    authentication_init(&b->authenticator, &class);
    b->challenge = mem_printf("Basic realm=\"%s\"", realm);
    b->n = n;
    b->credentials = mem_array(n, sizeof *b->credentials);
    for (size_t i = 0; i < n; i++)
        b->credentials[i] = (struct authentication_credential){ mem_strdup(v[i].principal),
                                                                mem_strdup(v[i].secret) };
    return &b->authenticator;
}
