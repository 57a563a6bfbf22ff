/* certificate.c - keys and certificates, made for one test */
#include "tests/process/certificate.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"

enum { PATHS = 64 };

/* What was asked for lives until the test's own OS process ends. */
static char *paths[PATHS];
static size_t n_paths;

void certificate_place_open(struct certificate_place *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/certificates.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->folder));
}

void certificate_place_close(struct certificate_place *p)
{
    for (size_t i = 0; i < n_paths; i++) {
        unlink(paths[i]);
        mem_free(paths[i]);
    }
    n_paths = 0;
    ck_assert_int_eq(rmdir(p->folder), 0);
}

const char *certificate_path(const struct certificate_place *p, const char *name, const char *kind)
{
    char *path = mem_printf("%s/%s.%s", p->folder, name, kind);

    for (size_t i = 0; i < n_paths; i++)
        if (strcmp(paths[i], path) == 0) {
            mem_free(path);
            return paths[i];
        }
    ck_assert_uint_lt(n_paths, PATHS);
    paths[n_paths++] = path;
    return path;
}

static EVP_PKEY *read_key(const struct certificate_place *p, const char *name)
{
    FILE *f = fopen(certificate_path(p, name, "key"), "r");
    EVP_PKEY *key;

    ck_assert_ptr_nonnull(f);
    key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(key);
    fclose(f);
    return key;
}

static X509 *read_certificate(const struct certificate_place *p, const char *name)
{
    FILE *f = fopen(certificate_path(p, name, "pem"), "r");
    X509 *x;

    ck_assert_ptr_nonnull(f);
    x = PEM_read_X509(f, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(x);
    fclose(f);
    return x;
}

static void write_files(const struct certificate_place *p, const char *name, X509 *x, EVP_PKEY *key,
                        const char *password)
{
    FILE *f = fopen(certificate_path(p, name, "pem"), "w");

    ck_assert(f && PEM_write_X509(f, x) == 1);
    fclose(f);
    f = fopen(certificate_path(p, name, "key"), "w");
    ck_assert(f && PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                        (void *)(uintptr_t)password) == 1);
    fclose(f);
}

static void extend(X509 *x, int kind, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    ck_assert(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static void fill_in(X509 *x, const char *name, const struct certificate_spec *spec)
{
    static long serial;
    X509_NAME *subject = X509_get_subject_name(x);
    bool authority = !spec->issuer;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), spec->from);
    X509_gmtime_adj(X509_getm_notAfter(x), spec->to ? spec->to : 86400);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)(spec->host ? spec->host : name), -1, -1, 0);
    if (authority) {
        extend(x, NID_basic_constraints, "critical,CA:TRUE");
        extend(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (spec->also)
        extend(x, NID_subject_alt_name, spec->also);
}

void certificate_make(struct certificate_place *p, const char *name, struct certificate_spec spec)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key = key;
    X509 *x = X509_new(), *issuer = x;

    ck_assert(key && x);
    fill_in(x, name, &spec);
    if (spec.issuer) {
        issuer_key = read_key(p, spec.issuer);
        issuer = read_certificate(p, spec.issuer);
    }
    ck_assert(X509_set_pubkey(x, key) == 1);
    ck_assert(X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1);
    ck_assert(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    write_files(p, name, x, key, spec.password);
    if (spec.issuer) {
        EVP_PKEY_free(issuer_key);
        X509_free(issuer);
    }
    EVP_PKEY_free(key);
    X509_free(x);
}
