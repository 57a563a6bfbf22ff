/* test_tls_options.c - what a runtime makes of tls_options, good ones and bad ones */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "process/tls.h"
#include "tests/process/certificate.h"
#include "tests/process/node.h"
#include "tests/unit.h"

static struct certificate_place certificates;
static struct tls_options good;

static void make_files(void)
{
    certificate_place_open(&certificates);
    certificate_make(&certificates, "authority", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "node", (struct certificate_spec){ .issuer = "authority" });
    certificate_make(&certificates, "other", (struct certificate_spec){ .issuer = "authority" });
    certificate_make(&certificates, "locked",
                     (struct certificate_spec){ .issuer = "authority", .password = "secret" });
    good = (struct tls_options){ .cert_file = certificate_path(&certificates, "node", "pem"),
                                 .key_file = certificate_path(&certificates, "node", "key"),
                                 .ca_file = certificate_path(&certificates, "authority", "pem"),
                                 .verify_server_cert = true };
}

static const char *text_file(const char *name, const char *text)
{
    const char *path = certificate_path(&certificates, name, "txt");
    FILE *f = fopen(path, "w");

    ck_assert(f && fputs(text, f) >= 0);
    fclose(f);
    return path;
}

static void check_good(struct tls_options o)
{
    struct runtime_options options = { .workers = 1, .tls = &o };
    struct host *host = host_real_create();
    struct error err;
    struct runtime *rt = runtime_create(host, &options, &err);

    ck_assert_msg(rt != NULL, "%s", rt ? "" : err.text);
    ck_assert_str_eq(runtime_scheme(rt), "https");
    runtime_destroy(rt);
    host_destroy(host);
}

static void check_refused(struct tls_options o, const char *words)
{
    struct runtime_options options = { .workers = 1, .tls = &o };
    struct host *host = host_real_create();
    struct error err;

    ck_assert_ptr_null(runtime_create(host, &options, &err));
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' is not in '%s'", words, err.text);
    host_destroy(host);
}

START_TEST(a_certificate_its_key_and_an_authority_are_enough)
{
    struct node plain = node_start(1);

    make_files();
    check_good(good);
    good.require_client_cert = good.verify_ip = good.support_downgrade = true;
    good.scheme = TLS_SCHEME_OPENSSL;
    good.curves = "auto";
    good.versions = TLS_1_3;
    check_good(good);
    good.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    good.curves = "P-256:X25519";
    good.versions = TLS_1_2;
    check_good(good);
    ck_assert_str_eq(runtime_scheme(plain.rt), "http");
    node_stop(&plain);
    certificate_place_close(&certificates);
}
END_TEST

START_TEST(authorities_may_lie_in_a_folder_among_other_things)
{
    make_files();
    text_file("notes", "nothing that a certificate would be\n");
    good.ca_file = NULL;
    good.ca_dir = certificates.folder;
    check_good(good);
    certificate_place_close(&certificates);
}
END_TEST

START_TEST(files_that_are_missing_or_wrong_are_named)
{
    struct tls_options o;

    make_files();
    o = good, o.cert_file = NULL;
    check_refused(o, "a certificate and its private key");
    o = good, o.cert_file = "/no/such/node.pem";
    check_refused(o, "/no/such/node.pem");
    o = good, o.key_file = "/no/such/node.key";
    check_refused(o, "/no/such/node.key");
    o = good, o.ca_file = "/no/such/authority.pem";
    check_refused(o, "/no/such/authority.pem");
    o = good, o.ca_file = NULL, o.ca_dir = "/no/such/folder";
    check_refused(o, "/no/such/folder");
    o = good, o.cert_file = text_file("empty", "");
    check_refused(o, "there is no certificate in");
    o = good, o.key_file = o.cert_file;
    check_refused(o, "there is no private key in");
    o = good, o.ca_file = certificate_path(&certificates, "node", "key");
    check_refused(o, "there are no certificates in");
    certificate_place_close(&certificates);
}
END_TEST

START_TEST(a_key_must_fit_and_need_no_password)
{
    struct tls_options o;

    make_files();
    o = good, o.key_file = certificate_path(&certificates, "other", "key");
    check_refused(o, "does not fit the certificate");
    o = good, o.key_file = certificate_path(&certificates, "locked", "key");
    check_refused(o, "encrypted with a password");
    certificate_place_close(&certificates);
}
END_TEST

START_TEST(ciphers_and_curves_that_nobody_has_are_named)
{
    struct tls_options o;

    make_files();
    o = good, o.ciphers = "ROT13";
    check_refused(o, "no cipher can be used of 'ROT13'");
    o = good, o.curves = "flat";
    check_refused(o, "no curve can be used of 'flat'");
    certificate_place_close(&certificates);
}
END_TEST

UNIT(tls_options, a_certificate_its_key_and_an_authority_are_enough,
     authorities_may_lie_in_a_folder_among_other_things,
     files_that_are_missing_or_wrong_are_named, a_key_must_fit_and_need_no_password,
     ciphers_and_curves_that_nobody_has_are_named);
