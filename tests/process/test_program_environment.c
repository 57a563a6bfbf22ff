/* test_program_environment.c - LIBPROCESS_*: what it means, or an error that says what can be */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/program.h"
#include "process/program_environment.h"
#include "tests/process/node.h"
#include "tests/unit.h"

#define ENVIRONMENT(...) ((const char *[]){ __VA_ARGS__, NULL })
#define WITH_TLS                                                                                   \
    "LIBPROCESS_SSL_ENABLED=true", "LIBPROCESS_SSL_CERT_FILE=/c", "LIBPROCESS_SSL_KEY_FILE=/k"

/* environ is an array of char *, though nobody writes there. */
static char *const *as_environ(const char **envp)
{
    return (char *const *)(uintptr_t)envp;
}

static struct program_environment parse(const char **envp)
{
    struct program_environment e;
    struct error err;

    ck_assert_msg(program_environment_parse(as_environ(envp), &e, &err) == 0, "%s", err.text);
    return e;
}

static void check_refused(const char **envp, const char *words)
{
    struct program_environment e;
    struct error err;

    ck_assert_int_eq(program_environment_parse(as_environ(envp), &e, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' is not in '%s'", words, err.text);
}

START_TEST(an_environment_without_them_says_nothing)
{
    struct program_environment e = parse(ENVIRONMENT(
        "HOME=/", "LIBPROCESS_IPX=1", "XLIBPROCESS_IP=1", "LIBPROCESS_IP=", "LIBPROCESS_PORT="));

    ck_assert(!e.ip && !e.advertise_ip && !e.ssl_enabled && !e.require_peer_address_ip_match);
    ck_assert(e.port == 0 && e.advertise_port == 0 && e.threads == 0);
    ck_assert_uint_eq(e.metrics_rate.permits, 0);
}
END_TEST

START_TEST(addresses_threads_and_rules_are_taken)
{
    struct program_environment e = parse(ENVIRONMENT(
        "LIBPROCESS_IP=10.0.0.1", "LIBPROCESS_PORT=65535", "LIBPROCESS_ADVERTISE_IP=10.0.0.2",
        "LIBPROCESS_ADVERTISE_PORT=7", "LIBPROCESS_NUM_WORKER_THREADS=1024",
        "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH=1",
        "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT=2/1secs"));

    ck_assert_str_eq(e.ip, "10.0.0.1");
    ck_assert_str_eq(e.advertise_ip, "10.0.0.2");
    ck_assert(e.port == 65535 && e.advertise_port == 7 && e.threads == 1024);
    ck_assert(e.require_peer_address_ip_match);
    ck_assert_uint_eq(e.metrics_rate.permits, 2);
    ck_assert_int_eq(e.metrics_rate.per.ns, SECONDS(1).ns);
}
END_TEST

START_TEST(tls_takes_all_of_its_own)
{
    struct program_environment e = parse(ENVIRONMENT(
        WITH_TLS, "LIBPROCESS_SSL_SUPPORT_DOWNGRADE=true", "LIBPROCESS_SSL_VERIFY_SERVER_CERT=1",
        "LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=true", "LIBPROCESS_SSL_VERIFY_IPADD=true",
        "LIBPROCESS_SSL_VERIFY_DEPTH=9", "LIBPROCESS_SSL_CA_DIR=/d", "LIBPROCESS_SSL_CA_FILE=/f",
        "LIBPROCESS_SSL_CIPHERS=A:B", "LIBPROCESS_SSL_ECDH_CURVES=P-256",
        "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=openssl", "LIBPROCESS_SSL_ENABLE_SSL_V3=false",
        "LIBPROCESS_SSL_ENABLE_TLS_V1_0=true", "LIBPROCESS_SSL_ENABLE_TLS_V1_1=1",
        "LIBPROCESS_SSL_ENABLE_TLS_V1_2=false", "LIBPROCESS_SSL_ENABLE_TLS_V1_3=0"));
    const struct tls_options *t = &e.tls;

    ck_assert(e.ssl_enabled && t->support_downgrade && t->verify_server_cert);
    ck_assert(t->require_client_cert && t->verify_ip && t->verify_depth == 9);
    ck_assert_str_eq(t->cert_file, "/c");
    ck_assert_str_eq(t->key_file, "/k");
    ck_assert_str_eq(t->ca_dir, "/d");
    ck_assert_str_eq(t->ca_file, "/f");
    ck_assert_str_eq(t->ciphers, "A:B");
    ck_assert_str_eq(t->curves, "P-256");
    ck_assert_int_eq(t->scheme, TLS_SCHEME_OPENSSL);
    ck_assert_uint_eq(t->versions, TLS_1_0 | TLS_1_1);
    ck_assert_uint_eq(parse(ENVIRONMENT(WITH_TLS)).tls.versions, TLS_1_2 | TLS_1_3);
    ck_assert_int_eq(parse(ENVIRONMENT(WITH_TLS)).tls.scheme, TLS_SCHEME_LEGACY);
}
END_TEST

START_TEST(legacy_names_count_where_the_new_ones_are_not_set)
{
    struct program_environment e = parse(ENVIRONMENT(
        "SSL_ENABLED=1", "SSL_CERT_FILE=/old", "SSL_KEY_FILE=/k", "SSL_REQUIRE_CERT=true",
        "LIBPROCESS_SSL_VERIFY_CERT=true", "SSL_VERIFY_SERVER_CERT=false",
        "LIBPROCESS_SSL_CERT_FILE=/new"));

    ck_assert(e.ssl_enabled && e.tls.verify_server_cert && e.tls.require_client_cert);
    ck_assert_str_eq(e.tls.cert_file, "/new");
    ck_assert_str_eq(e.tls.key_file, "/k");
}
END_TEST

START_TEST(without_tls_its_variables_are_not_looked_at)
{
    struct program_environment e = parse(ENVIRONMENT("SSL_CERT_FILE=/etc/ssl/cert.pem",
                                                     "LIBPROCESS_SSL_VERIFY_DEPTH=deep"));

    ck_assert(!e.ssl_enabled && !e.tls.cert_file);
}
END_TEST

START_TEST(what_is_wrong_is_named_with_what_can_be)
{
    check_refused(ENVIRONMENT("LIBPROCESS_PORT=x"), "LIBPROCESS_PORT is 'x'; it can be 0 to 65535");
    check_refused(ENVIRONMENT("LIBPROCESS_PORT=65536"), "0 to 65535");
    check_refused(ENVIRONMENT("LIBPROCESS_PORT=1 "), "0 to 65535");
    check_refused(ENVIRONMENT("LIBPROCESS_NUM_WORKER_THREADS=0"), "1 to 1024");
    check_refused(ENVIRONMENT("LIBPROCESS_NUM_WORKER_THREADS=1025"), "1 to 1024");
    check_refused(ENVIRONMENT("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH=yes"), "true or 1");
    check_refused(ENVIRONMENT("LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT=2"), "a duration");
    check_refused(ENVIRONMENT("LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT=0/1secs"),
                  "a duration");
    check_refused(ENVIRONMENT("LIBPROCESS_SSL_ENABLED=on"), "LIBPROCESS_SSL_ENABLED is 'on'");
    check_refused(ENVIRONMENT("SSL_ENABLED=on"), "SSL_ENABLED is 'on'");
    check_refused(ENVIRONMENT("SSL_ENABLED=1"), "LIBPROCESS_SSL_CERT_FILE is not set");
    check_refused(ENVIRONMENT("SSL_ENABLED=1", "SSL_CERT_FILE=/c"), "_KEY_FILE is not set");
    check_refused(ENVIRONMENT(WITH_TLS, "LIBPROCESS_SSL_ENABLE_SSL_V3=true"), "SSL 3 is broken");
    check_refused(ENVIRONMENT(WITH_TLS, "LIBPROCESS_SSL_VERIFY_DEPTH=0"), "1 to 100");
    check_refused(ENVIRONMENT(WITH_TLS, "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=dns"),
                  "legacy or openssl");
    check_refused(ENVIRONMENT(WITH_TLS, "LIBPROCESS_SSL_ENABLE_TLS_V1_2=0",
                              "LIBPROCESS_SSL_ENABLE_TLS_V1_3=0"), "all versions of TLS");
}
END_TEST

/* ---- in a program: flags win ---- */

static struct program start(struct program_options options)
{
    struct program p;
    struct error err;

    options.log = "error";
    ck_assert_msg(program_start(&p, host_real_create(), &options, &err) == 0, "%s", err.text);
    return p;
}

static void check_start_refused(struct program_options options, const char *words)
{
    struct program p;
    struct error err;

    ck_assert_int_eq(program_start(&p, host_real_create(), &options, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' is not in '%s'", words, err.text);
}

START_TEST(a_program_goes_by_its_flags_and_then_by_the_environment)
{
    struct program p;

    setenv("LIBPROCESS_IP", "127.0.0.2", 1);
    setenv("LIBPROCESS_ADVERTISE_PORT", "4711", 1);
    setenv("LIBPROCESS_NUM_WORKER_THREADS", "2", 1);
    p = start((struct program_options){ 0 });
    ck_assert_uint_eq(runtime_address(p.runtime).ip, 0x7f000002);
    ck_assert_uint_eq(runtime_address(p.runtime).port, 4711);
    program_stop(&p);
    p = start((struct program_options){ .ip = "127.0.0.3", .advertise_ip = "10.1.2.3",
                                        .advertise_port = 4712 });
    ck_assert_uint_eq(runtime_address(p.runtime).ip, 0x0a010203);
    ck_assert_uint_eq(runtime_address(p.runtime).port, 4712);
    program_stop(&p);
}
END_TEST

START_TEST(an_error_names_what_was_given)
{
    setenv("LIBPROCESS_IP", "localhost", 1);
    check_start_refused((struct program_options){ 0 }, "LIBPROCESS_IP: 'localhost'");
    setenv("LIBPROCESS_IP", "0.0.0.0", 1);
    check_start_refused((struct program_options){ 0 }, "set LIBPROCESS_ADVERTISE_IP");
    setenv("LIBPROCESS_ADVERTISE_IP", "0.0.0.0", 1);
    check_start_refused((struct program_options){ 0 }, "LIBPROCESS_ADVERTISE_IP is 0.0.0.0");
    setenv("LIBPROCESS_ADVERTISE_IP", "127.0.0.1", 1);
    setenv("LIBPROCESS_SSL_ENABLED", "1", 1);
    setenv("LIBPROCESS_SSL_CERT_FILE", "/no/such/certificate", 1);
    setenv("LIBPROCESS_SSL_KEY_FILE", "/no/such/key", 1);
    check_start_refused((struct program_options){ 0 }, "TLS: ");
    check_start_refused((struct program_options){ 0 }, "/no/such/certificate");
}
END_TEST

/* ---- who speaks for whom ---- */

/* The answer to a message that says it comes from there. */
static void check_message(struct program *p, const char *from, const char *more, const char *answer)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(runtime_address(p->runtime).port) };
    char text[2000];
    int fd = socket(AF_INET, SOCK_STREAM, 0), length;
    size_t got = 0;
    ssize_t n;

    length = snprintf(text, sizeof text,
                      "POST /version/x.Y HTTP/1.1\r\nHost: x\r\nLibprocess-From: %s\r\n%s"
                      "Connection: close\r\n\r\n%s", from, more, *more ? "{}" : "");
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(write(fd, text, (size_t)length), length);
    while ((n = read(fd, text + got, sizeof text - 1 - got)) > 0)
        got += (size_t)n;
    text[got] = '\0';
    close(fd);
    ck_assert_msg(strstr(text, answer) != NULL, "'%s' is not in '%s'", answer, text);
}

START_TEST(where_addresses_must_match_nobody_speaks_for_others)
{
    static const char json[] = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    static const char refusal[] = "UPID IP address validation failed: Message from a@127.0.0.2:1 "
                                  "was sent from IP 127.0.0.1";
    struct program p = start((struct program_options){ 0 });

    check_message(&p, "a@127.0.0.2:1", "", "HTTP/1.1 202");
    program_stop(&p);
    setenv("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH", "true", 1);
    p = start((struct program_options){ 0 });
    check_message(&p, "a@127.0.0.1:1", "", "HTTP/1.1 202");
    check_message(&p, "a@127.0.0.2:1", "", "HTTP/1.1 400");
    check_message(&p, "a@127.0.0.2:1", "", refusal);
    check_message(&p, "a@127.0.0.2:1", json, refusal);
    check_message(&p, "nobody", "", "HTTP/1.1 400");
    program_stop(&p);
}
END_TEST

UNIT(program_environment, an_environment_without_them_says_nothing,
     addresses_threads_and_rules_are_taken, tls_takes_all_of_its_own,
     legacy_names_count_where_the_new_ones_are_not_set, without_tls_its_variables_are_not_looked_at,
     what_is_wrong_is_named_with_what_can_be,
     a_program_goes_by_its_flags_and_then_by_the_environment, an_error_names_what_was_given,
     where_addresses_must_match_nobody_speaks_for_others);
