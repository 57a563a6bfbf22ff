/* test_http_client_tls.c - questions through TLS, which has more of them than it says
 *
 * The server holds its first answer back, and so reads no more when enough is asked;
 * then bytes of a question that was not taken lie encrypted in the stream.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "process/http.h"
#include "process/http_client.h"
#include "process/tls.h"
#include "process/typed.h"
#include "tests/process/certificate.h"
#include "tests/process/node.h"
#include "tests/unit.h"

enum { QUESTIONS = 500, BODY = 40000 }; /* one batch of encryption each; more than sockets hold */

/* ---- an actor that answers late ---- */

struct holder {
    struct process process;
    struct http_request *held;
};

#define ENDPOINTS(AT) AT("/held", serve_held, NULL) AT("/size", serve_size, NULL)
ROUTES(holder, holder_routes, ENDPOINTS);
CLASS(holder, "holder", holder_initialize, holder_exited, holder_finalize);
CALL(holder, let_go, nothing, NO_RELEASE);

static void answer_size(struct http_request *r)
{
    char text[32];
    size_t size;

    http_request_body(r, &size);
    http_answer(r, 200, "text/plain", text, (size_t)snprintf(text, sizeof text, "%zu", size));
}

static void serve_held(struct holder *h, struct http_request *r)
{
    h->held = http_request_ref(r);
}

static void serve_size(struct holder *h UNUSED, struct http_request *r)
{
    answer_size(r);
}

static void let_go(struct holder *h, struct nothing *unused UNUSED)
{
    answer_size(h->held);
    http_request_unref(h->held);
    h->held = NULL;
}

static void holder_initialize(struct holder *h)
{
    process_route(&h->process, holder_routes);
}

static void holder_exited(struct holder *h UNUSED, const struct pid *peer UNUSED) {}
static void holder_finalize(struct holder *h UNUSED) {}

/* ---- a node that asks itself ---- */

static struct certificate_place certificates;
static struct node node;
static struct holder holder;
static struct pid pid;

static void start(void)
{
    struct tls_options tls = { .verify_server_cert = true, .verify_ip = true };
    struct runtime_options options = { .workers = 2, .tls = &tls };
    struct error err;

    certificate_place_open(&certificates);
    certificate_make(&certificates, "authority", (struct certificate_spec){ 0 });
    certificate_make(&certificates, "node",
                     (struct certificate_spec){ .issuer = "authority", .also = "IP:127.0.0.1" });
    tls.cert_file = certificate_path(&certificates, "node", "pem");
    tls.key_file = certificate_path(&certificates, "node", "key");
    tls.ca_file = certificate_path(&certificates, "authority", "pem");
    node = node_start_with(options);
    ck_assert_int_eq(process_spawn(node.rt, &holder.process, &holder_class, "holder", &pid, &err),
                     0);
}

static void stop(void)
{
    node_stop(&node);
    pid_release(&pid);
    certificate_place_close(&certificates);
}

static struct http_client *connect_to_it(void)
{
    char address[ADDRESS_TEXT];
    char *url = mem_printf("https://%s/", address_format(runtime_address(node.rt), address));
    struct error err;
    struct http_client *c = http_connect(node.rt, url, LONG, &err);

    ck_assert_msg(c != NULL, "%s", c ? "" : err.text);
    mem_free(url);
    return c;
}

static struct future *post(struct http_client *c, const char *path, const void *body, size_t size)
{
    const struct http_ask ask = { .method = "POST", .url = path, .body = body, .body_size = size,
                                  .timeout = LONG };

    return http_client_send(c, &ask);
}

/* Takes f. */
static void check_size(struct future *f, const char *size)
{
    ck_assert(future_wait(f, node.host, LONG));
    ck_assert_msg(future_state(f) == FUTURE_READY, "%s",
                  future_state(f) == FUTURE_FAILED ? future_error(f)->text : "discarded");
    ck_assert_int_eq(http_response_get(f)->status, 200);
    ck_assert_str_eq(http_response_get(f)->body, size);
    future_unref(f);
}

/* Of those that are given up some were not sent, and one is on its way although the
 * stream took nothing of it: the next question must not be sent into the middle of it. */
START_TEST(a_question_that_tls_has_begun_is_not_taken_back)
{
    struct future *held, *given_up[QUESTIONS], *next;
    char *body = mem_alloc(BODY);
    struct http_client *c;

    memset(body, 'x', BODY);
    start();
    c = connect_to_it();
    check_size(post(c, "/holder/size", "", 0), "0");
    held = post(c, "/holder/held", "", 0);
    for (int i = 0; i < QUESTIONS; i++)
        given_up[i] = post(c, "/holder/size", body, BODY);
    for (int i = 0; i < QUESTIONS; i++)
        future_discard(given_up[i]);
    for (int i = 0; i < QUESTIONS; i++) {
        ck_assert(future_wait(given_up[i], node.host, LONG));
        ck_assert_int_ne(future_state(given_up[i]), FUTURE_READY);
        future_unref(given_up[i]);
    }
    next = post(c, "/holder/size", "abc", 3);
    dispatch(&pid, let_go);
    ck_assert(future_wait(held, node.host, LONG));
    ck_assert(future_wait(next, node.host, LONG));
    if (future_state(next) == FUTURE_READY) /* the end of one question was the end of a batch */
        ck_assert_str_eq(http_response_get(next)->body, "3");
    else
        ck_assert_int_eq(future_state(held), FUTURE_FAILED);
    future_unref(held);
    future_unref(next);
    http_client_unref(c);
    mem_free(body);
    stop();
}
END_TEST

UNIT(http_client_tls, a_question_that_tls_has_begun_is_not_taken_back);
