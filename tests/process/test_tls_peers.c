/* test_tls_peers.c - nodes that speak TLS with each other, or do not */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "process/http_client.h"
#include "process/metrics.h"
#include "process/tls.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/certificate.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { LARGE = 10 << 20 };

/* ---- an actor that sends, and writes down what it hears ---- */

struct talker {
    struct process process;
    pthread_mutex_t lock; /* of the next two */
    pthread_cond_t changed;
    struct buffer heard;
    bool answers;
};

#define MESSAGES(ON) ON(pb__authenticate_message, Pb__AuthenticateMessage, on_text)
HANDLERS(talker, talker_handlers, MESSAGES);
CLASS(talker, "talker", talker_initialize, talker_exited, talker_finalize);

static void note(struct talker *t, const char *text, size_t length)
{
    pthread_mutex_lock(&t->lock);
    if (length > 100)
        buffer_printf(&t->heard, "%zu bytes ", length);
    else
        buffer_printf(&t->heard, "%s ", text);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void send_text(struct talker *t, const struct pid *to, const char *text)
{
    Pb__AuthenticateMessage m = PB__AUTHENTICATE_MESSAGE__INIT;

    m.pid = text;
    process_send(&t->process, to, &m.base);
}

static void on_text(struct talker *t, const struct pid *from, const Pb__AuthenticateMessage *m)
{
    note(t, m->pid, strlen(m->pid));
    if (t->answers)
        send_text(t, from, m->pid);
}

static void talker_initialize(struct talker *t)
{
    process_install(&t->process, talker_handlers);
}

static void talker_exited(struct talker *t, const struct pid *peer UNUSED)
{
    note(t, "exited", 6);
}

static void talker_finalize(struct talker *t UNUSED) {}

struct say_args {
    struct pid to;
    const char *text;
};

static void say_release(struct say_args *a)
{
    pid_release(&a->to);
}

CALL(talker, say, say_args, say_release);
CALL(talker, watch, say_args, say_release);

static void say(struct talker *t, struct say_args *a)
{
    send_text(t, &a->to, a->text);
}

static void watch(struct talker *t, struct say_args *a)
{
    process_link(&t->process, &a->to, LINK_REUSE);
}

/* Waits for it, and takes it. */
static void check_heard(struct talker *t, const char *text)
{
    pthread_mutex_lock(&t->lock);
    while (buffer_length(&t->heard) < strlen(text))
        pthread_cond_wait(&t->changed, &t->lock);
    ck_assert_str_eq(buffer_data(&t->heard), text);
    buffer_release(&t->heard);
    pthread_mutex_unlock(&t->lock);
}

/* ---- two nodes ---- */

struct side {
    struct node node;
    struct talker talker;
    struct pid pid, remote; /* its own, and as the other side knows it */
};

static struct certificate_place certificates;
static struct side here, there;

static void make_certificates(void)
{
    certificate_place_open(&certificates);
    certificate_make(&certificates, "authority", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "stranger", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "node", (struct certificate_spec){
                         .issuer = "authority", .also = "IP:127.0.0.1,DNS:node.example.org" });
    certificate_make(&certificates, "named", (struct certificate_spec){
                         .issuer = "authority", .host = "localhost" });
    certificate_make(&certificates, "elsewhere", (struct certificate_spec){
                         .issuer = "authority", .also = "IP:10.1.2.3,DNS:no-such-host.invalid" });
    certificate_make(&certificates, "old", (struct certificate_spec){
                         .issuer = "authority", .from = -7200, .to = -3600,
                         .also = "IP:127.0.0.1" });
    certificate_make(&certificates, "foreign", (struct certificate_spec){
                         .issuer = "stranger", .also = "IP:127.0.0.1" });
}

/* By the name of its certificate; NULL: without TLS. */
static void side_start(struct side *s, const char *name, const struct tls_options *rules)
{
    struct tls_options tls = *rules;
    struct runtime_options options = { .workers = 2 };
    struct error err;

    if (name) {
        tls.cert_file = certificate_path(&certificates, name, "pem");
        tls.key_file = certificate_path(&certificates, name, "key");
        tls.ca_file = certificate_path(&certificates, "authority", "pem");
        options.tls = &tls;
    }
    memset(&s->talker, 0, sizeof s->talker);
    pthread_mutex_init(&s->talker.lock, NULL);
    pthread_cond_init(&s->talker.changed, NULL);
    s->node.host = host_real_create();
    s->node.rt = runtime_create(s->node.host, &options, &err);
    ck_assert_msg(s->node.rt != NULL, "%s", s->node.rt ? "" : err.text);
    ck_assert_int_eq(process_spawn(s->node.rt, &s->talker.process, &talker_class, "talker",
                                   &s->pid, &err), 0);
    s->remote = pid_create("talker", runtime_address(s->node.rt));
}

static void side_stop(struct side *s)
{
    node_stop(&s->node);
    ck_assert_str_eq(buffer_data(&s->talker.heard), ""); /* nothing that no test has looked at */
    buffer_release(&s->talker.heard);
    pid_release(&s->pid);
    pid_release(&s->remote);
}

static void start(const char *name_here, const char *name_there, struct tls_options rules)
{
    make_certificates();
    side_start(&here, name_here, &rules);
    side_start(&there, name_there, &rules);
    there.talker.answers = true;
}

static void stop(void)
{
    side_stop(&here);
    side_stop(&there);
    certificate_place_close(&certificates);
}

static uint64_t count(struct side *s, const char *name)
{
    char *whole = mem_printf("process/tls_%s", name);
    uint64_t n = counter_value(metrics_counter(s->node.rt, whole));

    mem_free(whole);
    return n;
}

static void check_talk(void)
{
    dispatch(&here.pid, say, .to = pid_dup(&there.remote), .text = "hello");
    check_heard(&there.talker, "hello ");
    check_heard(&here.talker, "hello ");
}

/* At least once: the other side may know of it before it is counted, and what is sent after
 * that tries again. */
static void await_count(struct side *s, const char *name)
{
    while (count(s, name) == 0)
        sched_yield();
}

/* No connection comes to stand: who links is told. */
static void check_no_talk(void)
{
    dispatch(&here.pid, watch, .to = pid_dup(&there.remote));
    dispatch(&here.pid, say, .to = pid_dup(&there.remote), .text = "hello");
    check_heard(&here.talker, "exited ");
}

static const struct tls_options strict = { .require_client_cert = true, .verify_ip = true,
                                           .scheme = TLS_SCHEME_OPENSSL };

START_TEST(messages_go_both_ways)
{
    start("node", "node", strict);
    check_talk();
    check_talk();
    ck_assert_uint_eq(count(&here, "handshakes"), 2);
    ck_assert_uint_eq(count(&there, "handshakes"), 2);
    stop();
}
END_TEST

START_TEST(large_messages_go_both_ways)
{
    char *text = mem_alloc(LARGE + 1);

    memset(text, 'x', LARGE);
    start("node", "node", strict);
    for (int i = 0; i < 3; i++)
        dispatch(&here.pid, say, .to = pid_dup(&there.remote), .text = text);
    check_heard(&there.talker, "10485760 bytes 10485760 bytes 10485760 bytes ");
    check_heard(&here.talker, "10485760 bytes 10485760 bytes 10485760 bytes ");
    check_talk();
    stop();
    mem_free(text);
}
END_TEST

START_TEST(the_end_of_a_node_is_told)
{
    make_certificates();
    side_start(&here, "node", &strict);
    side_start(&there, "node", &strict);
    dispatch(&here.pid, watch, .to = pid_dup(&there.remote));
    dispatch(&here.pid, say, .to = pid_dup(&there.remote), .text = "hello");
    check_heard(&there.talker, "hello ");
    side_stop(&there);
    check_heard(&here.talker, "exited ");
    side_stop(&here);
    certificate_place_close(&certificates);
}
END_TEST

START_TEST(a_node_without_a_good_certificate_is_not_talked_to)
{
    static const char *const bad[] = { "foreign", "old", "elsewhere" };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        start("node", bad[i], strict);
        check_no_talk();
        await_count(&here, "handshakes_failed");
        stop();
    }
}
END_TEST

START_TEST(nor_does_it_get_in)
{
    static const char *const bad[] = { "foreign", "old" };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct tls_options lax = { .scheme = TLS_SCHEME_OPENSSL };

        make_certificates();
        side_start(&here, bad[i], &lax);
        side_start(&there, "node", &strict);
        check_no_talk();
        await_count(&there, "handshakes_failed");
        ck_assert_uint_eq(count(&there, "handshakes"), 0);
        stop();
    }
}
END_TEST

START_TEST(nobody_is_verified_who_need_not_be)
{
    start("foreign", "old", (struct tls_options){ 0 });
    check_talk();
    stop();
}
END_TEST

START_TEST(by_the_legacy_scheme_a_name_must_resolve_to_the_peer)
{
    struct tls_options rules = { .require_client_cert = true };

    start("named", "named", rules); /* localhost */
    check_talk();
    stop();
    start("node", "elsewhere", rules);
    check_no_talk();
    stop();
    start("node", "node", rules); /* its address does not count without verify_ip */
    check_no_talk();
    stop();
    rules.verify_ip = true;
    start("named", "node", rules);
    check_talk();
    stop();
}
END_TEST

/* ---- with peers that speak no TLS ---- */

START_TEST(plain_and_tls_do_not_mix)
{
    struct tls_options rules = { .scheme = TLS_SCHEME_OPENSSL };

    start("node", NULL, rules);
    check_no_talk();
    stop();
    start(NULL, "node", rules);
    check_no_talk();
    await_count(&there, "plain_refused");
    stop();
}
END_TEST

START_TEST(with_downgrade_they_do)
{
    struct tls_options rules = { .scheme = TLS_SCHEME_OPENSSL, .support_downgrade = true };

    start("node", NULL, rules);
    check_talk();
    ck_assert_uint_eq(count(&here, "downgrades"), 2); /* one for each way */
    stop();
    start(NULL, "node", rules);
    check_talk();
    ck_assert_uint_eq(count(&there, "downgrades"), 2);
    stop();
    start("node", "node", rules);
    check_talk();
    ck_assert_uint_eq(count(&here, "downgrades"), 0);
    stop();
}
END_TEST

START_TEST(who_shows_a_bad_certificate_is_not_tried_plainly)
{
    struct tls_options rules = strict;

    rules.support_downgrade = true;
    start("node", "foreign", rules);
    check_no_talk();
    ck_assert_uint_eq(count(&here, "downgrades"), 0);
    stop();
}
END_TEST

/* ---- by name, as in URLs ---- */

struct visit {
    struct host *host;
    struct runtime *rt;
    struct loop *loop;
    struct address to;
    const char *name;
    struct stream *stream;
    struct error error; /* code 0: it stands */
    _Atomic bool over;
};

static void visit_ends(void *arg, const struct error *err)
{
    struct visit *v = arg;

    v->error = err ? *err : (struct error){ 0 };
    stream_close(v->stream);
    v->over = true;
    host_notify(v->host);
}

static void visit_begins(void *arg)
{
    static const struct stream_events events = { visit_ends, NULL, NULL };
    struct visit *v = arg;

    v->stream = tls_connect(v->rt, v->loop, v->to, v->name, &events, v);
}

static bool visit_is_over(void *arg)
{
    return ((struct visit *)arg)->over;
}

/* words NULL: it succeeds. */
static void check_visit(const char *name, const char *words)
{
    struct visit v = { .host = here.node.host,
                       .rt = here.node.rt,
                       .loop = runtime_loop(here.node.rt),
                       .to = runtime_address(there.node.rt),
                       .name = name };

    runtime_on_loop(v.rt, v.loop, visit_begins, &v);
    ck_assert(host_wait(v.host, visit_is_over, &v, INSTANT_NEVER));
    if (words)
        ck_assert_msg(strstr(v.error.text, words) != NULL, "'%s' is not in '%s'", words,
                      v.error.code ? v.error.text : "");
    else
        ck_assert_msg(v.error.code == 0, "%s", v.error.text);
}

START_TEST(a_url_s_host_must_be_in_the_certificate)
{
    start("node", "node", (struct tls_options){ .verify_server_cert = true, .verify_ip = true });
    check_visit("node.example.org", NULL);
    check_visit("127.0.0.1", NULL);
    check_visit("other.example.org", "it is not for other.example.org");
    stop();
    start("node", "foreign", (struct tls_options){ .verify_server_cert = true });
    check_visit("127.0.0.1", "certificate is refused: unable to get local issuer certificate");
    stop();
    start("node", "old", (struct tls_options){ .verify_server_cert = true });
    check_visit("127.0.0.1", "certificate is refused: certificate has expired");
    stop();
    start("node", "old", (struct tls_options){ 0 });
    check_visit("other.example.org", NULL); /* nobody asked for more */
    stop();
}
END_TEST

START_TEST(what_cannot_be_reached_says_why)
{
    start("node", NULL, (struct tls_options){ .support_downgrade = true });
    check_visit("127.0.0.1", "the peer does not speak TLS"); /* https:// is never had plainly */
    stop();
    start(NULL, "node", (struct tls_options){ 0 });
    check_visit("127.0.0.1", "TLS is not enabled here");
    stop();
}
END_TEST

/* What it says, or its error. */
static void check_get(const char *scheme, const char *words)
{
    char address[ADDRESS_TEXT];
    char *url = mem_printf("%s://%s/version", scheme,
                           address_format(runtime_address(there.node.rt), address));
    struct future *f = http_get(here.node.rt, url, 1000, LONG);
    char text[300];

    ck_assert(future_wait(f, here.node.host, LONG));
    if (future_state(f) == FUTURE_READY)
        snprintf(text, sizeof text, "status %d", http_response_get(f)->status);
    else
        snprintf(text, sizeof text, "%s", future_error(f)->text);
    ck_assert_msg(strstr(text, words) != NULL, "'%s' is not in '%s'", words, text);
    future_unref(f);
    mem_free(url);
}

START_TEST(a_url_with_https_is_had_with_tls)
{
    start("node", "node", strict);
    check_get("https", "status 200");
    stop();
    start("node", "foreign", strict);
    check_get("https", "certificate is refused");
    stop();
    start("node", NULL, strict);
    check_get("http", "status 200");
    check_get("https", "the peer does not speak TLS");
    stop();
    start(NULL, "node", strict);
    check_get("https", "TLS is not enabled here");
    stop();
}
END_TEST

UNIT(tls_peers, messages_go_both_ways, large_messages_go_both_ways, the_end_of_a_node_is_told,
     a_node_without_a_good_certificate_is_not_talked_to, nor_does_it_get_in,
     nobody_is_verified_who_need_not_be, by_the_legacy_scheme_a_name_must_resolve_to_the_peer,
     plain_and_tls_do_not_mix, with_downgrade_they_do,
     who_shows_a_bad_certificate_is_not_tried_plainly, a_url_s_host_must_be_in_the_certificate,
     what_cannot_be_reached_says_why, a_url_with_https_is_had_with_tls);
