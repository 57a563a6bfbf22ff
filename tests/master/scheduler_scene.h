/* scheduler_scene.h - a master, an agent of the test's, and schedulers that speak HTTP by hand */
#ifndef SCHEDULER_SCENE_H
#define SCHEDULER_SCENE_H

#include "tests/master/master_place.h"
#include "tests/process/browser.h"

#define API "/api/v1/scheduler"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define JSON_BOTH JSON_TYPE "Accept: application/json\r\n"
#define INFO(more)                                                                                 \
    "{\"user\":\"nobody\",\"name\":\"by hand\",\"roles\":[\"*\"]," more "\"capabilities\":"        \
    "[{\"type\":\"MULTI_ROLE\"},{\"type\":\"PARTITION_AWARE\"}],\"failover_timeout\":60}"
#define MULTI_ROLE "\"capabilities\":[{\"type\":\"MULTI_ROLE\"}],"
#define SUBSCRIBE "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":" INFO("") "}}"

/* A master, an agent of the test's, and a node for the schedulers. */
struct scene {
    struct place w;
    struct player *agent;
    const char *agent_id;
    struct browser *stream; /* the last subscription */
    char *framework, *stream_id, *offer;
};

UNUSED static void scene_start(struct scene *s)
{
    memset(s, 0, sizeof *s);
    place_start(&s->w);
    runtime_set_delegate(s->w.rt, "master");
    s->agent = place_add(&s->w, "slave(1)", 5051);
    s->agent_id = join(&s->w, s->agent);
    world = s->w.sim;
    rt = s->w.rt;
    client_node = sim_node_create(world, "client", CLIENT_IP + 100);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
}

UNUSED static void scene_stop(struct scene *s)
{
    if (s->stream)
        browser_close(s->stream);
    mem_free(s->framework);
    mem_free(s->stream_id);
    mem_free(s->offer);
    host_loop_stop(client_loop);
    host_destroy(client_host);
    place_stop(&s->w);
}

/* ---- requests ---- */

UNUSED static struct browser *post_bytes(const char *headers, const void *body, size_t size)
{
    struct browser *b = browser_open();
    struct buffer head = BUFFER_INIT;

    buffer_printf(&head, "POST " API " HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                  headers, size);
    buffer_append(&head, body, size);
    browser_send(b, buffer_data(&head), buffer_length(&head));
    buffer_release(&head);
    return b;
}

UNUSED static struct browser *post(const char *headers, const char *body)
{
    return post_bytes(headers, body, strlen(body));
}

UNUSED static void check_answered(struct browser *b, const char *status, const char *text)
{
    char *head = browser_read(b, "\r\n\r\n"), length[50];

    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(text));
    ck_assert_msg(strncmp(head + 9, status, 3) == 0, "not %s: %s", status, head);
    if (*text)
        browser_expect(b, text);
    ck_assert_msg(strstr(head, length) != NULL, "no %sin %s", length, head);
    mem_free(head);
    browser_close(b);
}

UNUSED static void check_refused(const char *headers, const char *body, const char *status,
                          const char *text)
{
    check_answered(post(headers, body), status, text);
}

/* A call of the scene's framework, which ends in `rest`. */
UNUSED static struct browser *call(struct scene *s, const char *type, const char *rest)
{
    char *headers = mem_printf(JSON_BOTH "Mesos-Stream-Id: %s\r\n", s->stream_id);
    char *body = mem_printf("{\"type\":\"%s\",\"framework_id\":{\"value\":\"%s\"}%s}", type,
                            s->framework, rest);
    struct browser *b = post(headers, body);

    mem_free(headers);
    mem_free(body);
    return b;
}

UNUSED static void check_taken(struct scene *s, const char *type, const char *rest)
{
    check_answered(call(s, type, rest), "202", "");
}

/* ---- events ---- */

struct bytes_wish {
    struct browser *browser;
    size_t size;
};

UNUSED static bool has_bytes(void *arg)
{
    struct bytes_wish *w = arg;

    return buffer_length(&w->browser->got) >= w->size;
}

/* The next record, which must fill a chunk of its own. */
UNUSED static char *next_record(struct browser *b, size_t *ret_size)
{
    char *chunk = browser_read(b, "\r\n"), *length = browser_read(b, "\n"), *record;
    size_t size = strtoul(length, NULL, 10);
    struct bytes_wish wish = { b, size + 2 };

    ck_assert_uint_eq(strtoul(chunk, NULL, 16), strlen(length) + size);
    ck_assert(sim_run_until(world, has_bytes, &wish, BROWSER_LIMIT));
    record = mem_alloc(size + 1); /* zeroed */
    memcpy(record, buffer_data(&b->got), size);
    ck_assert_int_eq(memcmp(buffer_data(&b->got) + size, "\r\n", 2), 0);
    buffer_consume(&b->got, size + 2);
    mem_free(chunk);
    mem_free(length);
    *ret_size = size;
    return record;
}

/* The next event that is no heartbeat; the caller's. */
UNUSED static char *next_event(struct browser *b, const char *type)
{
    char *wanted = mem_printf("\"type\":\"%s\"", type), *event;
    size_t size;

    for (;;) {
        event = next_record(b, &size);
        if (strcmp(event, "{\"type\":\"HEARTBEAT\"}") != 0)
            break;
        mem_free(event);
    }
    ck_assert_msg(strstr(event, wanted) != NULL, "no %s: %s", type, event);
    ck_assert_ptr_null(strchr(event, '\n'));
    mem_free(wanted);
    return event;
}

UNUSED static void check_event(struct browser *b, const char *type, const char *has)
{
    char *event = next_event(b, type);

    ck_assert_msg(strstr(event, has) != NULL, "no %s in %s", has, event);
    mem_free(event);
}

/* What follows `key` up to the quote. */
UNUSED static char *value_behind(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    ck_assert_msg(at != NULL, "no %s in %s", key, text);
    at += strlen(key);
    return mem_strndup(at, strcspn(at, "\"\r"));
}

UNUSED static void replace(char **to, char *value)
{
    mem_free(*to);
    *to = value;
}

UNUSED static void check_end(struct browser *b)
{
    browser_expect(b, "0\r\n\r\n");
    browser_close(b);
}

/* Reads what answers a SUBSCRIBE up to SUBSCRIBED. */
UNUSED static void subscribed(struct scene *s, struct browser *b)
{
    char *head = browser_read(b, "\r\n\r\n"), *event;

    ck_assert_msg(strncmp(head, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", head);
    ck_assert_ptr_nonnull(strstr(head, "Content-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_null(strstr(head, "Content-Length"));
    replace(&s->stream_id, value_behind(head, "Mesos-Stream-Id: "));
    event = next_event(b, "SUBSCRIBED");
    replace(&s->framework, value_behind(event, "\"framework_id\":{\"value\":\""));
    ck_assert_ptr_nonnull(strstr(event, "\"heartbeat_interval_seconds\":15.0"));
    ck_assert_ptr_nonnull(strstr(event, "\"master_info\":{"));
    mem_free(event);
    mem_free(head);
    s->stream = b;
}

UNUSED static void offered(struct scene *s)
{
    char *event = next_event(s->stream, "OFFERS");

    replace(&s->offer, value_behind(event, "\"offers\":[{\"id\":{\"value\":\""));
    ck_assert_ptr_null(strstr(event, "pids"));
    mem_free(event);
}

UNUSED static void scene_subscribed(struct scene *s)
{
    scene_start(s);
    subscribed(s, post(JSON_BOTH, SUBSCRIBE));
    offered(s);
}

UNUSED static void launch(struct scene *s, const char *task)
{
    char *rest = mem_printf(
        ",\"accept\":{\"offer_ids\":[{\"value\":\"%s\"}],\"operations\":[{\"type\":\"LAUNCH\","
        "\"launch\":{\"task_infos\":[{\"name\":\"t\",\"task_id\":{\"value\":\"%s\"},"
        "\"agent_id\":{\"value\":\"%s\"},\"command\":{\"value\":\"true\"},\"resources\":"
        "[{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":1}},{\"name\":\"mem\","
        "\"type\":\"SCALAR\",\"scalar\":{\"value\":64}}]}]}}],"
        "\"filters\":{\"refuse_seconds\":3600}}",
        s->offer, task, s->agent_id);

    check_taken(s, "ACCEPT", rest);
    mem_free(rest);
    const Pb__RunTaskMessage *run =
        EXPECT(&s->w, s->agent, pb__run_task_message, Pb__RunTaskMessage);
    ck_assert_str_eq(run->task->task_id->value, task);
    ck_assert_str_eq(run->pid ? run->pid : "", ""); /* its executors are to speak through us */
}

/* Subscribes again by its id, from another connection. */
UNUSED static struct browser *subscribe_again(struct scene *s)
{
    char *body =
        mem_printf("{\"type\":\"SUBSCRIBE\",\"framework_id\":{\"value\":\"%s\"},"
                   "\"subscribe\":{\"framework_info\":" INFO("\"id\":{\"value\":\"%s\"},") "}}",
                   s->framework, s->framework);
    struct browser *b = post(JSON_BOTH, body);

    mem_free(body);
    return b;
}

#endif
