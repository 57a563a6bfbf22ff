/* program_environment.c - what the environment says about a node: LIBPROCESS_* */
#include "process/program_environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

#define AT(member) offsetof(struct program_environment, member)
#define SSL "LIBPROCESS_SSL_"

/* clang-format off */
const struct program_variable program_variables[] = {
    { "LIBPROCESS_IP", VARIABLE_TEXT, AT(ip), "127.0.0.1",
      "IPv4 address to listen on. The flag --ip wins." },
    { "LIBPROCESS_PORT", VARIABLE_INT, AT(port), "0",
      "Port to listen on; 0 for a free one. A flag --port that is not 0 wins, which it is by "
      "default for a master and an agent.", .max = 65535 },
    { "LIBPROCESS_ADVERTISE_IP", VARIABLE_TEXT, AT(advertise_ip), NULL,
      "IPv4 address that others reach the program at, when it is not the one it listens on. The "
      "flag --advertise_ip wins." },
    { "LIBPROCESS_ADVERTISE_PORT", VARIABLE_INT, AT(advertise_port), "0",
      "Port that others reach the program at; 0: the one it listens on. The flag --advertise_port "
      "wins.", .max = 65535 },
    { "LIBPROCESS_NUM_WORKER_THREADS", VARIABLE_INT, AT(threads), NULL,
      "Worker threads; unset: one for each CPU. The flag --threads wins.", .min = 1, .max = 1024 },
    { "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH", VARIABLE_BOOL, AT(require_peer_address_ip_match),
      "false",
      "Refuse messages that say they come from another address than their connection does." },
    { "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT", VARIABLE_RATE, AT(metrics_rate), NULL,
      "How often /metrics/snapshot is answered, as in 2/1secs; unset: as often as it is asked." },
    { SSL "ENABLED", VARIABLE_BOOL, AT(ssl_enabled), "false",
      "Speak TLS, with everybody, on the same port. Without it none of the following is looked "
      "at." },
    { SSL "SUPPORT_DOWNGRADE", VARIABLE_BOOL, AT(tls.support_downgrade), "false",
      "Serve those, too, who speak no TLS, and speak without it to who does not understand it: "
      "while a cluster changes over. It protects nobody from an attacker on the way." },
    { SSL "CERT_FILE", VARIABLE_TEXT, AT(tls.cert_file), NULL,
      "The program's certificate, PEM; behind it those that lead to the authority's. Required." },
    { SSL "KEY_FILE", VARIABLE_TEXT, AT(tls.key_file), NULL,
      "The certificate's private key, PEM, without a password. Required." },
    { SSL "VERIFY_SERVER_CERT", VARIABLE_BOOL, AT(tls.verify_server_cert), "false",
      "Connect only to who shows a certificate of a known authority.",
      .alias = SSL "VERIFY_CERT" },
    { SSL "REQUIRE_CLIENT_CERT", VARIABLE_BOOL, AT(tls.require_client_cert), "false",
      "Let in only who shows a certificate of a known authority, browsers and tools included; and "
      "verify servers' certificates.", .alias = SSL "REQUIRE_CERT" },
    { SSL "VERIFY_IPADD", VARIABLE_BOOL, AT(tls.verify_ip), "false",
      "A certificate is a peer's when it has the peer's IP address as an alternative name." },
    { SSL "VERIFY_DEPTH", VARIABLE_UNSIGNED, AT(tls.verify_depth), "4",
      "How many certificates may be between the peer's and its authority's.",
      .min = 1, .max = 100 },
    { SSL "CA_DIR", VARIABLE_TEXT, AT(tls.ca_dir), NULL,
      "A folder with certificates of authorities, PEM, in files of any name. With neither this nor "
      "the next: the system's." },
    { SSL "CA_FILE", VARIABLE_TEXT, AT(tls.ca_file), NULL,
      "A file with certificates of authorities, PEM." },
    { SSL "CIPHERS", VARIABLE_TEXT, AT(tls.ciphers), NULL,
      "The ciphers of TLS 1.2 and below, in the form of openssl-ciphers(1); unset: OpenSSL's." },
    { SSL "ECDH_CURVES", VARIABLE_TEXT, AT(tls.curves), "auto",
      "The curves of the key exchange, as in P-256:X25519; auto: OpenSSL's." },
    { SSL "HOSTNAME_VALIDATION_SCHEME", VARIABLE_SCHEME, AT(tls.scheme), "legacy",
      "Whose is the certificate of a peer that is known by its address? By the scheme legacy a "
      "name in it must resolve to the address; by openssl any certificate of a known authority is "
      "good. VERIFY_IPADD adds the address itself to the one, and asks for it in the other." },
    { SSL "ENABLE_SSL_V3", VARIABLE_BOOL, AT(ssl_v3), "false",
      "Cannot be enabled: it is broken." },
    { SSL "ENABLE_TLS_V1_0", VARIABLE_BOOL, AT(tls_v1_0), "false",
      "TLS 1.0; OpenSSL also wants SECLEVEL=0 among the ciphers for it." },
    { SSL "ENABLE_TLS_V1_1", VARIABLE_BOOL, AT(tls_v1_1), "false", "TLS 1.1; likewise." },
    { SSL "ENABLE_TLS_V1_2", VARIABLE_BOOL, AT(tls_v1_2), "true", "TLS 1.2." },
    { SSL "ENABLE_TLS_V1_3", VARIABLE_BOOL, AT(tls_v1_3), "true", "TLS 1.3." },
    { NULL },
};
/* clang-format on */

/* ---- what is set ---- */

/* Without an underscore behind the last one: "LIBPROCESS_SSL_X" is not "..._SSL_XY". */
static const char *look_up(char *const envp[], const char *name)
{
    size_t length = strlen(name);

    for (; *envp; envp++)
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return (*envp)[length + 1] ? *envp + length + 1 : NULL;
    return NULL;
}

static const char *legacy_name(const char *name)
{
    return strncmp(name, SSL, strlen(SSL)) == 0 ? name + strlen("LIBPROCESS_") : NULL;
}

/* By its own name, an old one, and both without the prefix; NULL: unset. */
static const char *find(char *const envp[], const struct program_variable *v, const char **ret_name)
{
    const char *names[] = { v->name, v->alias, legacy_name(v->name),
                            v->alias ? legacy_name(v->alias) : NULL };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *text = names[i] ? look_up(envp, names[i]) : NULL;

        *ret_name = names[i];
        if (text)
            return text;
    }
    return NULL;
}

/* ---- what it means ---- */

static int parse_bool(const char *name, const char *text, bool *ret, struct error *err)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
        *ret = true;
    else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
        *ret = false;
    else
        return error_set(err, EINVAL, "%s is '%.60s'; it can be true or 1, false or 0", name, text);
    return 0;
}

static int parse_int(const struct program_variable *v, const char *name, const char *text,
                     int64_t *ret, struct error *err)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < v->min || n > v->max)
        return error_set(err, EINVAL, "%s is '%.60s'; it can be %lld to %lld", name, text,
                         (long long)v->min, (long long)v->max);
    *ret = n;
    return 0;
}

static int parse_scheme(const char *name, const char *text, enum tls_scheme *ret, struct error *err)
{
    if (strcmp(text, "legacy") == 0)
        *ret = TLS_SCHEME_LEGACY;
    else if (strcmp(text, "openssl") == 0)
        *ret = TLS_SCHEME_OPENSSL;
    else
        return error_set(err, EINVAL, "%s is '%.60s'; it can be legacy or openssl", name, text);
    return 0;
}

/* "2/1secs" */
static int parse_rate(const char *name, const char *text, struct program_environment *e,
                      struct error *err)
{
    char *end;
    long permits;
    struct duration per;

    errno = 0;
    permits = strtol(text, &end, 10);
    if (errno || end == text || *end != '/' || permits < 1 || permits > 1000000 ||
        duration_parse(end + 1, &per, NULL) < 0 || per.ns <= 0)
        return error_set(err, EINVAL,
                         "%s is '%.60s'; it can be a number, '/' and a duration, as in 2/1secs",
                         name, text);
    e->metrics_rate.permits = (unsigned)permits;
    e->metrics_rate.per = per;
    return 0;
}

static int parse_value(const struct program_variable *v, const char *name, const char *text,
                       struct program_environment *e, struct error *err)
{
    void *at = (char *)e + v->offset;
    int64_t n;

    switch (v->type) {
    case VARIABLE_TEXT:
        *(const char **)at = text;
        return 0;
    case VARIABLE_BOOL:
        return parse_bool(name, text, at, err);
    case VARIABLE_INT:
        return parse_int(v, name, text, at, err);
    case VARIABLE_UNSIGNED:
        if (parse_int(v, name, text, &n, err) < 0)
            return -1;
        *(unsigned *)at = (unsigned)n;
        return 0;
    case VARIABLE_SCHEME:
        return parse_scheme(name, text, at, err);
    case VARIABLE_RATE:
        return parse_rate(name, text, e, err);
    }
    UNREACHABLE();
}

/* ---- what belongs together ---- */

static int check_tls(struct program_environment *e, struct error *err)
{
    if (!e->tls.cert_file)
        return error_set(err, EINVAL, "%sENABLED is true, but %sCERT_FILE is not set", SSL, SSL);
    if (!e->tls.key_file)
        return error_set(err, EINVAL, "%sENABLED is true, but %sKEY_FILE is not set", SSL, SSL);
    if (e->ssl_v3)
        return error_set(err, EINVAL, "%sENABLE_SSL_V3 is true, but SSL 3 is broken and not spoken "
                         "here: leave it out", SSL);
    e->tls.versions = (e->tls_v1_0 ? TLS_1_0 : 0u) | (e->tls_v1_1 ? TLS_1_1 : 0u) |
                      (e->tls_v1_2 ? TLS_1_2 : 0u) | (e->tls_v1_3 ? TLS_1_3 : 0u);
    if (e->tls.versions == 0)
        return error_set(err, EINVAL, "all versions of TLS are disabled: leave one of %sENABLE_"
                         "TLS_V1_2 and %sENABLE_TLS_V1_3 true", SSL, SSL);
    return 0;
}

int program_environment_parse(char *const envp[], struct program_environment *ret_environment,
                              struct error *err)
{
    struct program_environment e = { .tls_v1_2 = true, .tls_v1_3 = true };

    for (const struct program_variable *v = program_variables; v->name; v++) {
        const char *name, *text = find(envp, v, &name);
        bool is_enabled = e.ssl_enabled || v->offset <= AT(ssl_enabled); /* those are first */

        if (text && is_enabled && parse_value(v, name, text, &e, err) < 0)
            return -1;
    }
    if (e.ssl_enabled && check_tls(&e, err) < 0)
        return -1;
    *ret_environment = e;
    return 0;
}

/* ---- for people ---- */

void program_environment_manual(struct buffer *out)
{
    for (const struct program_variable *v = program_variables; v->name; v++) {
        buffer_printf(out, ".It Ev %s", v->name);
        if (v->alias)
            buffer_printf(out, " , %s", v->alias);
        buffer_printf(out, "\n%s\n", v->help);
        if (v->value)
            buffer_printf(out, "Default:\n.Ql %s .\n", v->value);
    }
}
