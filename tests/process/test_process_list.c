/* test_process_list.c - /__processes__: what waits in mailboxes, looked at in their own turns */
#include <jansson.h>
#include <pthread.h>

#include "process/http.h"
#include "process/runtime_private.h"
#include "process/metrics.h"
#include "process/typed.h"
#include "proto/authentication.pb-c.h"
#include "tests/process/both.h"
#include "tests/unit.h"

enum { FILLING = 1000 }; /* more events than a turn has */

/* ---- a process whose mailbox can be filled, and which can be held ---- */

struct box {
    struct process process;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, is_held; /* the lock's */
};

#define MESSAGES(ON) ON(pb__authenticate_message, Pb__AuthenticateMessage, on_message)
#define ENDPOINTS(AT)                                                                              \
    AT("/fill", serve_fill, NULL)                                                                  \
    AT("/nothing", serve_nothing, NULL)
HANDLERS(box, box_handlers, MESSAGES);
ROUTES(box, box_routes, ENDPOINTS);
CLASS(box, "box", box_initialize, box_exited, box_finalize);
CALL(box, do_nothing, nothing, NO_RELEASE);
CALL(box, hold, nothing, NO_RELEASE);

static void on_message(struct box *b UNUSED, const struct pid *from UNUSED,
                       const Pb__AuthenticateMessage *m UNUSED)
{
}

static void do_nothing(struct box *b UNUSED, struct nothing *args UNUSED) {}

static void say_nothing(struct http_request *r)
{
    http_answer(r, 200, "text/plain", "nothing", 7);
}

static void serve_nothing(struct box *b UNUSED, struct http_request *r)
{
    say_nothing(r);
}

/* Every third one is a message. */
static void serve_fill(struct box *b, struct http_request *r)
{
    Pb__AuthenticateMessage m = PB__AUTHENTICATE_MESSAGE__INIT;
    char text[3000];

    memset(text, 'x', sizeof text - 1);
    memcpy(text, "\xc3\xa9", 2);
    text[sizeof text - 1] = '\0';
    m.pid = text;
    for (int i = 0; i < FILLING; i++)
        if (i % 3 == 0)
            process_send(&b->process, &b->process.pid, &m.base);
        else
            dispatch(&b->process.pid, do_nothing, 0);
    say_nothing(r);
}

static void hold(struct box *b, struct nothing *args UNUSED)
{
    pthread_mutex_lock(&b->lock);
    b->is_held = true;
    pthread_cond_broadcast(&b->changed);
    while (b->held)
        pthread_cond_wait(&b->changed, &b->lock);
    b->is_held = false;
    pthread_mutex_unlock(&b->lock);
}

static void box_initialize(struct box *b)
{
    process_install(&b->process, box_handlers);
    process_route(&b->process, box_routes);
}
static void box_exited(struct box *b UNUSED, const struct pid *peer UNUSED) {}
static void box_finalize(struct box *b UNUSED) {}

static struct box box;
static struct pid box_pid;

static void start_with(struct runtime_options o)
{
    struct error err;

    both_start(o);
    memset(&box, 0, sizeof box);
    pthread_mutex_init(&box.lock, NULL);
    pthread_cond_init(&box.changed, NULL);
    pid_release(&box_pid);
    ck_assert_int_eq(process_spawn(rt, &box.process, &box_class, "box", &box_pid, &err), 0);
    ck_assert(runtime_clock_settle(rt, BOTH_PATIENCE));
}

static void start(unsigned workers)
{
    start_with((struct runtime_options){ .workers = workers });
}

static void stop(void)
{
    pid_release(&box_pid);
}

/* Connections are dealt out from the first worker on: the last one of four has none. */
enum { WORKERS = 4 };

static void hold_here(void *arg UNUSED)
{
    dispatch(&box_pid, hold, 0);
}

/* From its event on until let_go. */
static void hold_box(void)
{
    box.held = true;
    worker_post(worker_get(rt, WORKERS - 1), hold_here, NULL);
    pthread_mutex_lock(&box.lock);
    while (!box.is_held)
        pthread_cond_wait(&box.changed, &box.lock);
    pthread_mutex_unlock(&box.lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&box.lock);
    box.held = false;
    pthread_cond_broadcast(&box.changed);
    pthread_mutex_unlock(&box.lock);
}

/* ---- reading the list ---- */

/* The array at the end of the answers. */
static json_t *load(const char *answers)
{
    const char *head = strstr(answers, "application/json");
    const char *body = head ? strstr(head, "\r\n\r\n") : NULL;
    json_error_t error;
    json_t *list;

    ck_assert_msg(body != NULL, "%s", answers);
    if (!body)
        return NULL;
    list = json_loads(body + 4, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
    ck_assert_msg(json_is_array(list), "%s: %.1000s", error.text, body);
    return list;
}

static json_t *find(json_t *list, const char *id)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
        if (strcmp(json_string_value(json_object_get(row, "id")), id) == 0)
            return row;
    return NULL;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    ck_assert_msg(text != NULL, "no %s", key);
    return text;
}

static json_int_t queued(json_t *row)
{
    return json_integer_value(json_object_get(row, "events_queued"));
}

/* How many of this type; each has what belongs to it. */
static unsigned count(json_t *row, const char *type)
{
    json_t *event;
    unsigned n = 0;
    size_t i;

    json_array_foreach(json_object_get(row, "events"), i, event)
        n += strcmp(text_of(event, "type"), type) == 0;
    return n;
}

static json_t *first(json_t *row, const char *type)
{
    json_t *event;
    size_t i;

    json_array_foreach(json_object_get(row, "events"), i, event)
        if (strcmp(text_of(event, "type"), type) == 0)
            return event;
    return NULL;
}

/* ---- both hosts: the box is full when it is looked at ---- */

static void check_message(json_t *event)
{
    char text[PID_TEXT];
    size_t size;

    pid_text(&box_pid, text, sizeof text);
    ck_assert_str_eq(text_of(event, "name"), "mesos.internal.AuthenticateMessage");
    ck_assert_str_eq(text_of(event, "from"), text);
    ck_assert_str_eq(text_of(event, "to"), text);
    /* field 1, a text of 2999 bytes, of which each is a character: 0xc3 is not 0xe9 */
    ck_assert_int_eq(strncmp(text_of(event, "body"),
                             "\n\xc2\xb7\x17\xc3\x83\xc2\xa9xxx", 10), 0);
    size = json_string_length(json_object_get(event, "body"));
    ck_assert_uint_eq(size, 1024 + 3); /* three bytes were over 0x7f */
}

static unsigned full; /* so often it was */

ON_BOTH(what_waits_is_told_up_to_a_limit)
{
    char *got;
    json_t *list, *row;

    start(1);
    got = both_ask(BOTH_GET("/box/fill") BOTH_GET("/__processes__"), 2);
    list = load(got);
    row = find(list, "box");
    ck_assert_ptr_nonnull(row);
    ck_assert_int_le(queued(row), FILLING);
    ck_assert_uint_le(json_array_size(json_object_get(row, "events")), 100);
    if (first(row, "MESSAGE") || !both_seed) { /* simulated it is chance who has a turn */
        check_message(first(row, "MESSAGE"));
        ck_assert_uint_ge(count(row, "DISPATCH"), 10);
        ck_assert_int_gt(queued(row), 100);
        full++;
    }
    if (both_seed == BOTH_SEEDS)
        ck_assert_uint_ge(full, 3);
    ck_assert_ptr_nonnull(find(list, "__processes__"));
    ck_assert_ptr_nonnull(find(list, "help"));
    ck_assert_int_eq(queued(find(list, "help")), 0);
    json_decref(list);
    mem_free(got);
    stop();
}

static size_t events_told(struct runtime_options o, json_t **ret_list)
{
    char *got;

    o.workers = 1;
    start_with(o);
    got = both_ask(BOTH_GET("/box/fill") BOTH_GET("/__processes__"), 2);
    *ret_list = load(got);
    mem_free(got);
    return json_array_size(json_object_get(find(*ret_list, "box"), "events"));
}

static uint64_t cut_off(void)
{
    return counter_value(metrics_counter(rt, "process/mailboxes_not_listed_wholly"));
}

/* Both requests come with one read, so the box is full when it is looked at. */
START_TEST(how_much_is_told_is_an_option)
{
    json_t *list, *message;

    both_seed = 0;
    ck_assert_uint_eq(events_told((struct runtime_options){ .max_listed_events = 3 }, &list), 3);
    ck_assert_uint_eq(cut_off(), 1);
    json_decref(list);
    both_stop();
    stop();

    ck_assert_uint_le(events_told((struct runtime_options){ .max_listed_bytes = 10 }, &list), 2);
    ck_assert_uint_eq(cut_off(), 1);
    json_decref(list);
    both_stop();
    stop();

    events_told((struct runtime_options){ .max_listed_body = 5 }, &list);
    message = first(find(list, "box"), "MESSAGE");
    ck_assert_str_eq(text_of(message, "body"), "\n\xc2\xb7\x17\xc3\x83\xc2\xa9");
    json_decref(list);
    both_stop();
    stop();
}
END_TEST

ON_BOTH(an_empty_mailbox_is_an_empty_array)
{
    char *got;
    json_t *list, *row;
    size_t i;

    start(2);
    got = both_ask(BOTH_GET("/__processes__"), 1);
    list = load(got);
    ck_assert_ptr_nonnull(find(list, "box"));
    json_array_foreach(list, i, row)
        ck_assert_uint_eq(json_array_size(json_object_get(row, "events")), 0);
    json_decref(list);
    mem_free(got);
    stop();
}

ON_BOTH(a_runtime_ends_while_a_list_is_made)
{
    static const char text[] = BOTH_GET("/box/fill") BOTH_GET("/__processes__")
        BOTH_GET("/__processes__");
    struct both_client *c;

    start(1);
    c = both_begin(text, strlen(text), 0);
    both_wait_requests(2);
    process_terminate(&box_pid, TERMINATE_AFTER_QUEUED);
    ck_assert(process_wait(&box_pid, BOTH_PATIENCE));
    runtime_destroy(rt);
    mem_free(both_end(c));
    rt = runtime_create(both_host, &(struct runtime_options){ .bind.ip = both_seed ? BOTH_SERVER_IP
                                                                                   : 0 },
                        NULL); /* for both_stop */
    stop();
}

/* ---- the real host only: an actor that blocks ---- */

static atomic_uint listings; /* asked for */

static bool see(void *arg UNUSED, const struct event_info *event)
{
    if (event->kind == EVENT_HTTP && strcmp(event->to->id->bytes, "__processes__") == 0) {
        atomic_fetch_add(&listings, 1);
        host_notify(both_host);
    }
    return true;
}

static bool are_asked(void *arg)
{
    return atomic_load(&listings) >= *(unsigned *)arg;
}

static void start_to_hold(void)
{
    both_seed = 0;
    start(WORKERS);
    atomic_store(&listings, 0);
    runtime_set_filter(rt, see, NULL);
}

static struct future *say_so(struct process *self UNUSED, void *args UNUSED)
{
    return future_ready(&future_nothing, NULL);
}

/* The n-th of all; when its listing is on its way. */
static struct both_client *begin_list(unsigned n)
{
    struct both_client *c =
        both_begin(BOTH_GET("/__processes__"), strlen(BOTH_GET("/__processes__")), 1);
    struct future *f;
    struct pid list;

    both_wait(are_asked, &n);
    ck_assert(runtime_find(rt, "__processes__", &list));
    f = process_call(&list, say_so, "", 0, NULL);
    ck_assert(future_wait(f, both_host, BOTH_PATIENCE));
    future_unref(f);
    pid_release(&list);
    return c;
}

START_TEST(a_process_that_is_busy_is_told_with_its_number_of_events)
{
    struct both_client *c;
    json_t *list;
    char *got;

    start_to_hold();
    runtime_clock_pause(rt);
    hold_box();
    dispatch(&box_pid, do_nothing, 0);
    dispatch(&box_pid, do_nothing, 0);
    c = begin_list(1);
    runtime_clock_advance(rt, SECONDS(1));
    got = both_end(c);
    list = load(got);
    ck_assert_uint_eq(json_array_size(json_object_get(find(list, "box"), "events")), 0);
    ck_assert_int_eq(queued(find(list, "box")), 3); /* with the one that runs */
    json_decref(list);
    mem_free(got);
    let_go();
    both_stop();
    stop();
}
END_TEST

START_TEST(who_asks_meanwhile_gets_the_next_list)
{
    struct both_client *a, *b, *c;
    json_t *list;
    char *got;

    start_to_hold();
    runtime_clock_pause(rt);
    hold_box();
    a = begin_list(1);
    b = begin_list(2);
    c = begin_list(3);
    runtime_clock_advance(rt, SECONDS(1));
    mem_free(both_end(a));
    let_go(); /* b's and c's listing is on its way, and needs no time */
    got = both_end(b);
    list = load(got);
    ck_assert_int_eq(queued(find(list, "box")), 0);
    json_decref(list);
    mem_free(got);
    mem_free(both_end(c));
    both_stop();
    stop();
}
END_TEST

START_TEST(a_process_that_ends_meanwhile_is_left_out)
{
    struct both_client *c;
    json_t *list;
    char *got;

    start_to_hold();
    runtime_clock_pause(rt);
    hold_box();
    c = begin_list(1);
    process_terminate(&box_pid, TERMINATE_NOW);
    let_go();
    got = both_end(c);
    list = load(got);
    ck_assert_ptr_null(find(list, "box"));
    ck_assert_ptr_nonnull(find(list, "help"));
    json_decref(list);
    mem_free(got);
    both_stop();
    stop();
}
END_TEST

START_TEST(requests_and_messages_from_the_wire_are_told_too)
{
    static const char text[] =
        "POST /box/some.Message HTTP/1.1\r\nLibprocess-From: a@10.0.0.9:1\r\n"
        "Content-Length: 4\r\n\r\nb\x01\xffy" BOTH_GET("/box/nothing?a=b")
            BOTH_GET("/__processes__");
    struct both_client *c, *d;
    json_t *list, *row;
    char *got;

    both_seed = 0;
    start(1); /* what one read brings is there before the next turn */
    c = both_begin(text, sizeof text - 1, 3);
    got = both_end(c);
    list = load(got);
    row = find(list, "box");
    if (count(row, "MESSAGE") == 1) { /* the order of the turns is not ours to say */
        ck_assert_str_eq(text_of(first(row, "MESSAGE"), "body"), "b\x01\xc3\xbfy");
        ck_assert_str_eq(text_of(first(row, "MESSAGE"), "from"), "a@10.0.0.9:1");
        ck_assert_str_eq(text_of(first(row, "HTTP"), "url"), "/box/nothing?a=b");
        ck_assert_str_eq(text_of(first(row, "HTTP"), "method"), "GET");
    }
    json_decref(list);
    mem_free(got);
    d = both_begin(BOTH_GET("/box/nothing"), strlen(BOTH_GET("/box/nothing")), 1);
    mem_free(both_end(d));
    both_stop();
    stop();
}
END_TEST

/* ---- processes come and go while they are listed ---- */

static void *spawn_and_end(void *arg UNUSED)
{
    static const struct process_class class = { "guest", NULL, NULL, NULL };

    for (int i = 0; i < 300; i++) {
        struct process p;
        struct pid pid;
        int spawned = process_spawn(rt, &p, &class, NULL, &pid, NULL);

        ck_assert_int_eq(spawned, 0);
        for (int j = 0; j < 20; j++)
            dispatch(&box_pid, do_nothing, 0);
        process_terminate(&pid, i % 2 ? TERMINATE_NOW : TERMINATE_AFTER_QUEUED);
        ck_assert(process_wait(&pid, BOTH_PATIENCE));
        pid_release(&pid);
    }
    return NULL;
}

START_TEST(a_list_may_be_had_at_any_time)
{
    pthread_t threads[3];
    json_t *list;
    char *got;

    both_seed = 0;
    start(2);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, spawn_and_end, NULL);
    for (int i = 0; i < 50; i++) {
        got = both_ask(BOTH_GET("/__processes__"), 1);
        list = load(got);
        ck_assert_ptr_nonnull(find(list, "box"));
        json_decref(list);
        mem_free(got);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    both_stop();
    stop();
}
END_TEST

UNIT(process_list, how_much_is_told_is_an_option, BOTH(what_waits_is_told_up_to_a_limit),
     BOTH(an_empty_mailbox_is_an_empty_array),
     BOTH(a_runtime_ends_while_a_list_is_made),
     a_process_that_is_busy_is_told_with_its_number_of_events,
     who_asks_meanwhile_gets_the_next_list, a_process_that_ends_meanwhile_is_left_out,
     requests_and_messages_from_the_wire_are_told_too, a_list_may_be_had_at_any_time);
