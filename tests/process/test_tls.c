/* test_tls.c - what a node with TLS does with those who connect to it
 *
 * The guest is a bare socket with OpenSSL on it, on the test's own thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/http.h"
#include "process/metrics.h"
#include "process/tls.h"
#include "process/typed.h"
#include "tests/process/certificate.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { LARGE = 10 << 20 };

/* ---- an actor that answers ---- */

struct web { struct process process; };

#define ENDPOINTS(AT) AT("/hello", serve_hello, NULL) AT("/echo", serve_echo, NULL)
ROUTES(web, web_routes, ENDPOINTS);
CLASS(web, "web", web_initialize, web_exited, web_finalize);

static void serve_hello(struct web *w UNUSED, struct http_request *r)
{
    http_answer(r, 200, "text/plain", "hello", 5);
}

static void serve_echo(struct web *w UNUSED, struct http_request *r)
{
    size_t size;
    const void *body = http_request_body(r, &size);

    http_answer(r, 200, "application/octet-stream", body, size);
}

static void web_initialize(struct web *w)
{
    process_route(&w->process, web_routes);
}

static void web_exited(struct web *w UNUSED, const struct pid *peer UNUSED) {}
static void web_finalize(struct web *w UNUSED) {}

/* ---- a node with TLS ---- */

static struct certificate_place certificates;
static struct node node;
static struct web web;
static struct pid web_pid;

static void make_certificates(void)
{
    certificate_place_open(&certificates);
    certificate_make(&certificates, "authority", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "stranger", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "node", (struct certificate_spec){ .issuer = "authority" });
    certificate_make(&certificates, "guest", (struct certificate_spec){ .issuer = "authority" });
    certificate_make(&certificates, "old", (struct certificate_spec){
                                               .issuer = "authority", .from = -7200, .to = -3600 });
    certificate_make(&certificates, "foreign", (struct certificate_spec){ .issuer = "stranger" });
}

static const char *pem(const char *name)
{
    return certificate_path(&certificates, name, "pem");
}

static const char *key(const char *name)
{
    return certificate_path(&certificates, name, "key");
}

static void start(struct tls_options tls)
{
    struct runtime_options options = { .workers = 2, .tls = &tls };
    struct error err;

    signal(SIGPIPE, SIG_IGN); /* the guest's, whose OpenSSL writes without MSG_NOSIGNAL */
    make_certificates();
    tls.cert_file = pem("node");
    tls.key_file = key("node");
    tls.ca_file = pem("authority");
    tls.scheme = TLS_SCHEME_OPENSSL;
    node.host = host_real_create();
    node.rt = runtime_create(node.host, &options, &err);
    ck_assert_msg(node.rt != NULL, "%s", node.rt ? "" : err.text);
    ck_assert_int_eq(process_spawn(node.rt, &web.process, &web_class, "web", &web_pid, &err), 0);
}

static void stop(void)
{
    node_stop(&node);
    pid_release(&web_pid);
    certificate_place_close(&certificates);
}

static uint64_t count(const char *name)
{
    char *whole = mem_printf("process/tls_%s", name);
    uint64_t n = counter_value(metrics_counter(node.rt, whole));

    mem_free(whole);
    return n;
}

static void await_count(const char *name, uint64_t n)
{
    while (count(name) < n)
        sched_yield();
    ck_assert_uint_eq(count(name), n);
}

/* ---- the guest ---- */

struct guest {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct guest guest_open(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(runtime_address(node.rt).port) };
    struct guest g = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
    int small = 8192;

    setsockopt(g.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert_int_eq(connect(g.fd, (struct sockaddr *)&in, sizeof in), 0);
    return g;
}

/* What SSL_connect gives.  name NULL: without a certificate. */
static int guest_shake(struct guest *g, const char *name, int version)
{
    g->ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_int_eq(SSL_CTX_load_verify_locations(g->ctx, pem("authority"), NULL), 1);
    SSL_CTX_set_verify(g->ctx, SSL_VERIFY_PEER, NULL);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(g->ctx, "ALL:@SECLEVEL=0"), 1);
    SSL_CTX_set_min_proto_version(g->ctx, version ? version : TLS1_2_VERSION);
    if (version)
        SSL_CTX_set_max_proto_version(g->ctx, version);
    if (name) {
        ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(g->ctx, pem(name)), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(g->ctx, key(name), SSL_FILETYPE_PEM), 1);
    }
    g->ssl = SSL_new(g->ctx);
    SSL_set_fd(g->ssl, g->fd);
    ERR_clear_error();
    return SSL_connect(g->ssl);
}

static void guest_close(struct guest *g)
{
    SSL_free(g->ssl);
    SSL_CTX_free(g->ctx);
    close(g->fd);
}

static struct guest guest_enter(void)
{
    struct guest g = guest_open();

    ck_assert_int_eq(guest_shake(&g, NULL, 0), 1);
    return g;
}

static void guest_say(struct guest *g, const void *bytes, size_t size)
{
    ck_assert_int_eq(SSL_write(g->ssl, bytes, (int)size), (int)size);
}

/* Until this many bytes are there. */
static void guest_read(struct guest *g, struct buffer *in, size_t size)
{
    while (buffer_length(in) < size) {
        int n = SSL_read(g->ssl, buffer_reserve(in, 65536), 65536);

        ck_assert_int_gt(n, 0);
        buffer_commit(in, (size_t)n);
    }
}

/* The body of the answer that comes next. */
static void guest_expect(struct guest *g, const char *body, size_t size)
{
    CLEANUP(buffer_release) struct buffer in = BUFFER_INIT;
    char *end;

    do
        guest_read(g, &in, buffer_length(&in) + 1);
    while (!(end = strstr(buffer_data(&in), "\r\n\r\n")));
    ck_assert(strncmp(buffer_data(&in), "HTTP/1.1 200 ", 13) == 0);
    buffer_consume(&in, (size_t)(end + 4 - buffer_data(&in)));
    guest_read(g, &in, size);
    ck_assert_uint_eq(buffer_length(&in), size);
    ck_assert(memcmp(buffer_data(&in), body, size) == 0);
}

static const char hello[] = "GET /web/hello HTTP/1.1\r\nHost: x\r\n\r\n";

static void guest_says_hello(struct guest *g)
{
    guest_say(g, hello, strlen(hello));
    guest_expect(g, "hello", 5);
}

/* It was let in, or thought so, and is told to go. */
static void check_refused(struct guest *g, int shaken, const char *reason)
{
    char byte;
    int n = shaken == 1 ? SSL_read(g->ssl, &byte, 1) : shaken;
    const char *said = ERR_reason_error_string(ERR_peek_error());

    ck_assert_int_le(n, 0);
    ck_assert_msg(said && strstr(said, reason), "'%s' is not in '%s'", reason, said ? said : "");
}

/* ---- who is let in ---- */

START_TEST(a_guest_with_tls_is_served_again_and_again)
{
    struct guest g;

    start((struct tls_options){ 0 });
    g = guest_enter();
    for (int i = 0; i < 10; i++)
        guest_says_hello(&g);
    await_count("handshakes", 1);
    guest_close(&g);
    stop();
}
END_TEST

START_TEST(the_goodbye_is_answered)
{
    struct guest g;

    start((struct tls_options){ 0 });
    g = guest_enter();
    guest_says_hello(&g);
    ck_assert_int_eq(SSL_shutdown(g.ssl), 0);
    ck_assert_int_eq(SSL_shutdown(g.ssl), 1);
    guest_close(&g);
    stop();
}
END_TEST

START_TEST(versions_are_1_2_and_1_3_unless_said_otherwise)
{
    static const int versions[] = { TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
    static const struct { unsigned allowed; int works[3]; } rows[] = {
        { 0, { 0, 1, 1 } }, { TLS_1_2, { 0, 1, 0 } }, { TLS_1_3, { 0, 0, 1 } }
    };

    for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
        start((struct tls_options){ .versions = rows[row].allowed });
        for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
            struct guest g = guest_open();
            int status = guest_shake(&g, NULL, versions[i]);

            ck_assert_msg((status == 1) == rows[row].works[i], "row %zu, version %zu", row, i);
            if (status == 1)
                guest_says_hello(&g);
            guest_close(&g);
        }
        stop();
    }
}
END_TEST

START_TEST(a_certificate_is_required_where_the_node_says_so)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct guest g;

    start((struct tls_options){ .require_client_cert = true });
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        g = guest_open();
        check_refused(&g, guest_shake(&g, NULL, versions[i]),
                      versions[i] == TLS1_3_VERSION ? "certificate required" : "handshake failure");
        guest_close(&g);
        g = guest_open();
        check_refused(&g, guest_shake(&g, "foreign", versions[i]), "unknown ca");
        guest_close(&g);
        g = guest_open();
        check_refused(&g, guest_shake(&g, "old", versions[i]), "certificate expired");
        guest_close(&g);
    }
    await_count("handshakes_failed", 6);
    g = guest_open();
    ck_assert_int_eq(guest_shake(&g, "guest", 0), 1);
    guest_says_hello(&g);
    guest_close(&g);
    stop();
}
END_TEST

/* ---- who speaks no TLS ---- */

/* The node closes; nothing was said before. */
static void check_closed(struct guest *g)
{
    char byte;
    ssize_t n = recv(g->fd, &byte, 1, 0);

    ck_assert(n == 0 || (n < 0 && errno == ECONNRESET));
}

START_TEST(a_plain_request_is_refused)
{
    static const struct { const char *bytes; size_t size; } no_tls[] = {
        { hello, sizeof hello - 1 }, { "x", 1 },
        { "\x16\x02", 2 },           { "\x16\x03\x01\x00\x05\x02", 6 },
        { "\x80\x00\x02", 3 },       { "\0", 1 },
    };

    start((struct tls_options){ 0 });
    for (size_t i = 0; i < ARRAY_SIZE(no_tls); i++) {
        struct guest g = guest_open();

        ck_assert_int_eq(send(g.fd, no_tls[i].bytes, no_tls[i].size, 0), (int)no_tls[i].size);
        check_closed(&g);
        guest_close(&g);
    }
    ck_assert_uint_eq(count("plain_refused"), ARRAY_SIZE(no_tls));
    stop();
}
END_TEST

static void check_plain_hello(struct guest *g, size_t piece)
{
    CLEANUP(buffer_release) struct buffer in = BUFFER_INIT;

    for (size_t i = 0; i < strlen(hello); i += piece) {
        size_t left = strlen(hello) - i;

        ck_assert_int_gt(send(g->fd, hello + i, left < piece ? left : piece, 0), 0);
    }
    while (!strstr(buffer_data(&in), "\r\n\r\nhello")) {
        ssize_t n = recv(g->fd, buffer_reserve(&in, 1000), 1000, 0);

        ck_assert_int_gt(n, 0);
        buffer_commit(&in, (size_t)n);
    }
}

START_TEST(with_downgrade_both_kinds_are_served)
{
    start((struct tls_options){ .support_downgrade = true });
    for (size_t piece = 1; piece < 100; piece += 3) {
        struct guest g = guest_open();

        check_plain_hello(&g, piece);
        check_plain_hello(&g, piece);
        guest_close(&g);
        g = guest_enter();
        guest_says_hello(&g);
        guest_close(&g);
    }
    ck_assert_uint_eq(count("plain_refused"), 0);
    ck_assert_uint_eq(count("downgrades"), 33);
    ck_assert_uint_eq(count("handshakes"), 33);
    stop();
}
END_TEST

/* ---- much, and all at once ---- */

static char *pattern(size_t size)
{
    char *bytes = mem_alloc(size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 ^ i >> 9);
    return bytes;
}

START_TEST(large_bodies_go_both_ways)
{
    struct guest g;
    char *bytes = pattern(LARGE);
    char *head = mem_printf("POST /web/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                            LARGE);

    start((struct tls_options){ 0 });
    g = guest_enter();
    for (int i = 0; i < 2; i++) {
        guest_say(&g, head, strlen(head));
        guest_say(&g, bytes, LARGE);
        guest_expect(&g, bytes, LARGE);
    }
    guest_says_hello(&g);
    guest_close(&g);
    stop();
    mem_free(head);
    mem_free(bytes);
}
END_TEST

/* More than the node takes at once: what OpenSSL holds back makes no event of the socket. */
START_TEST(requests_that_came_in_one_record_are_all_answered)
{
    enum { REQUESTS = 400 }; /* in one record of 16 KiB at most */
    CLEANUP(buffer_release) struct buffer out = BUFFER_INIT;
    struct guest g;

    start((struct tls_options){ 0 });
    g = guest_enter();
    for (int round = 0; round < 5; round++) {
        buffer_clear(&out);
        for (int i = 0; i < REQUESTS; i++)
            buffer_append_text(&out, hello);
        guest_say(&g, buffer_data(&out), buffer_length(&out));
        CLEANUP(buffer_release) struct buffer in = BUFFER_INIT;
        for (int answers = 0; answers < REQUESTS;) {
            char *end;

            guest_read(&g, &in, buffer_length(&in) + 1);
            while ((end = strstr(buffer_data(&in), "\r\n\r\nhello"))) {
                buffer_consume(&in, (size_t)(end + 9 - buffer_data(&in)));
                answers++;
            }
        }
        ck_assert_uint_eq(buffer_length(&in), 0);
    }
    guest_close(&g);
    stop();
}
END_TEST

START_TEST(new_keys_may_be_asked_for_at_any_time)
{
    struct guest g = { 0 };

    start((struct tls_options){ 0 });
    g = guest_open();
    ck_assert_int_eq(guest_shake(&g, NULL, TLS1_3_VERSION), 1);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(SSL_key_update(g.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        guest_says_hello(&g);
    }
    guest_close(&g);
    stop();
}
END_TEST

/* ---- who does not finish ---- */

/* The first message of a handshake; the caller's. */
static char *client_hello(size_t *ret_size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char *bytes = mem_alloc(4096);
    int n;

    SSL_set_bio(ssl, in, out);
    ck_assert_int_le(SSL_connect(ssl), 0);
    n = BIO_read(out, bytes, 4096);
    ck_assert_int_gt(n, 100);
    *ret_size = (size_t)n;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return bytes;
}

static bool is_closed(struct guest *g)
{
    char byte;
    ssize_t n = recv(g->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

START_TEST(half_a_handshake_ends_with_its_time)
{
    size_t size, parts[] = { 0, 1, 5, 50, 0 };
    char *bytes = client_hello(&size);

    parts[4] = size; /* all of it, and then nothing */
    start((struct tls_options){ 0 });
    runtime_clock_pause(node.rt);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct guest g = guest_open();
        char rest[4096];

        ck_assert_int_eq(send(g.fd, bytes, parts[i], 0), (int)parts[i]);
        if (parts[i] == size) /* the node's part of the handshake */
            ck_assert_int_gt(recv(g.fd, rest, sizeof rest, 0), 100);
        while (!is_closed(&g)) {
            runtime_clock_advance(node.rt, SECONDS(60));
            recv(g.fd, rest, sizeof rest, MSG_DONTWAIT);
            sched_yield();
        }
        guest_close(&g);
    }
    await_count("handshakes_failed", ARRAY_SIZE(parts));
    stop();
    mem_free(bytes);
}
END_TEST

START_TEST(a_handshake_byte_by_byte_has_no_more_time)
{
    size_t size, i = 0;
    char *bytes = client_hello(&size);
    struct guest g;

    start((struct tls_options){ 0 });
    runtime_clock_pause(node.rt);
    g = guest_open();
    for (; i < size - 1 && !is_closed(&g); i++) {
        ck_assert_int_eq(send(g.fd, bytes + i, 1, MSG_NOSIGNAL) == 1 || errno != 0, 1);
        ck_assert(runtime_clock_settle(node.rt, LONG));
        runtime_clock_advance(node.rt, SECONDS(2));
        ck_assert(runtime_clock_settle(node.rt, LONG));
    }
    while (!is_closed(&g)) /* the node may have been slower than the guest */
        runtime_clock_advance(node.rt, SECONDS(2));
    await_count("handshakes_failed", 1);
    guest_close(&g);
    stop();
    mem_free(bytes);
}
END_TEST

START_TEST(with_downgrade_a_silent_peer_may_take_its_time)
{
    struct guest g, busy;

    start((struct tls_options){ .support_downgrade = true });
    g = guest_open();
    busy = guest_enter(); /* so that the first was accepted */
    guest_says_hello(&busy);
    runtime_clock_pause(node.rt);
    for (int i = 0; i < 10; i++) {
        ck_assert(runtime_clock_settle(node.rt, LONG));
        runtime_clock_advance(node.rt, HOURS(1));
    }
    check_plain_hello(&g, 100);
    guest_close(&g);
    guest_close(&busy);
    stop();
}
END_TEST

START_TEST(broken_handshakes_break_nothing_else)
{
    size_t size;
    char *bytes = client_hello(&size);
    unsigned n = 1;
    struct guest g;

    start((struct tls_options){ 0 });
    for (int round = 0; round < 300; round++) {
        CLEANUP(mem_free_p) char *wrong = mem_dup(bytes, size);
        char rest[4096];

        for (int i = 0; i < 1 + round % 20; i++) {
            n = n * 1103515245 + 12345;
            wrong[6 + (n >> 8) % (size - 6)] = (char)(n >> 16);
        }
        g = guest_open();
        ck_assert_int_gt(send(g.fd, wrong, size, MSG_NOSIGNAL), 0);
        shutdown(g.fd, SHUT_WR);
        while (recv(g.fd, rest, sizeof rest, 0) > 0)
            ;
        guest_close(&g);
    }
    ck_assert_uint_eq(count("handshakes"), 0);
    g = guest_enter();
    guest_says_hello(&g);
    guest_close(&g);
    stop();
    mem_free(bytes);
}
END_TEST

START_TEST(guests_that_vanish_leave_nothing_behind)
{
    start((struct tls_options){ 0 });
    for (int i = 0; i < 50; i++) {
        struct guest g = guest_enter();
        struct linger at_once = { 1, 0 };

        guest_say(&g, hello, strlen(hello) - (size_t)(i % 2));
        setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        guest_close(&g);
    }
    stop();
}
END_TEST

UNIT(tls, a_guest_with_tls_is_served_again_and_again, the_goodbye_is_answered,
     versions_are_1_2_and_1_3_unless_said_otherwise,
     a_certificate_is_required_where_the_node_says_so, a_plain_request_is_refused,
     with_downgrade_both_kinds_are_served, large_bodies_go_both_ways,
     requests_that_came_in_one_record_are_all_answered, new_keys_may_be_asked_for_at_any_time,
     half_a_handshake_ends_with_its_time, a_handshake_byte_by_byte_has_no_more_time,
     with_downgrade_a_silent_peer_may_take_its_time, broken_handshakes_break_nothing_else,
     guests_that_vanish_leave_nothing_behind);
