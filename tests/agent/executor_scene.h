/* executor_scene.h - an agent, and an executor that speaks HTTP to it, by hand
 *
 * The executor's run is a command that does nothing: what it says is said by the test, from
 * another node.  Framework m-0001, executor e, tasks as the test likes.
 */
#ifndef EXECUTOR_SCENE_H
#define EXECUTOR_SCENE_H

#include "agent_place.h"
#include "tests/process/browser.h"

#include "agent/agent.h"
#include "base/arena.h"
#include "process/json_protobuf_parse.h"

#define API "/slave(1)/api/v1/executor"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define JSON_BOTH JSON_TYPE "Accept: application/json\r\n"
#define IDS "\"framework_id\":{\"value\":\"m-0001\"},\"executor_id\":{\"value\":\"e\"}"
#define SUBSCRIBE "{\"type\":\"SUBSCRIBE\"," IDS ",\"subscribe\":{}}"
#define HEARTBEAT "{\"type\":\"HEARTBEAT\"}"

struct scene {
    struct agent_place p;
    struct browser *stream; /* the last subscription */
};

/* The flags are those that the test has set. */
static inline void scene_start_at(struct scene *s)
{
    place_start(&s->p);
    world = s->p.sim;
    rt = s->p.agent_rt;
    client_node = sim_node_create(world, "client", CLIENT_IP + 100);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
}

static inline void scene_start(struct scene *s)
{
    memset(s, 0, sizeof *s);
    scene_start_at(s);
}

static inline void scene_stop(struct scene *s)
{
    if (s->stream)
        browser_close(s->stream);
    place_check(&s->p);
    host_loop_stop(client_loop);
    host_destroy(client_host);
    place_stop(&s->p);
}

static inline void scene_restart_agent(struct scene *s)
{
    struct error err;

    place_kill_agent(&s->p);
    ck_assert_msg(place_start_agent(&s->p, &err) == 0, "%s", err.text);
    rt = s->p.agent_rt;
    place_await_registration(&s->p);
}

/* ---- the master ---- */

static inline void scene_send(struct scene *s, const ProtobufCMessageDescriptor *type,
                              const char *json)
{
    CLEANUP(arena_release) struct arena arena = ARENA_INIT;
    struct error err;
    ProtobufCMessage *m = json_protobuf_parse(type, json, strlen(json), &arena, NULL, &err);

    ck_assert_msg(m != NULL, "%s: %s", err.text, json);
    place_send(&s->p, m);
}

#define FRAMEWORK(more)                                                                            \
    "\"framework\":{\"user\":\"root\",\"name\":\"rec\",\"id\":{\"value\":\"m-0001\"},"             \
    "\"failover_timeout\":100.0,\"capabilities\":[{\"type\":\"PARTITION_AWARE\"}]," more "}"
#define CPUS(n)                                                                                    \
    "{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":" n "},"                         \
    "\"allocation_info\":{\"role\":\"*\"}},"                                                       \
    "{\"name\":\"mem\",\"type\":\"SCALAR\",\"scalar\":{\"value\":32.0},"                           \
    "\"allocation_info\":{\"role\":\"*\"}}"
#define EXECUTOR(type, command)                                                                    \
    "\"executor\":{" type "\"executor_id\":{\"value\":\"e\"},\"framework_id\":{\"value\":"         \
    "\"m-0001\"},\"command\":{\"shell\":true,\"value\":\"" command "\"},\"resources\":["           \
    CPUS("0.1") "],\"name\":\"recorder\"}"
#define TASK(executor)                                                                             \
    "{\"name\":\"rec\",\"task_id\":{\"value\":\"%s\"},\"agent_id\":{\"value\":\"m-S0\"},"          \
    "\"resources\":[" CPUS("0.1") "]," executor "\"data\":\"cGF5bG9hZA==\"}"

static inline void scene_run_framework(struct scene *s, const char *task, bool checkpoint)
{
    char *json = mem_printf("{" FRAMEWORK("\"checkpoint\":%s") ",\"task\":" TASK(
                                EXECUTOR("", "sleep 100000") ",") "}",
                            checkpoint ? "true" : "false", task);

    scene_send(s, &pb__run_task_message__descriptor, json);
    mem_free(json);
}

static inline void scene_run(struct scene *s, const char *task)
{
    scene_run_framework(s, task, true);
}

static inline void scene_run_group(struct scene *s, const char *type, const char *a, const char *b)
{
    char *json = mem_printf("{" FRAMEWORK("\"checkpoint\":true") "," EXECUTOR(
                                "\"type\":\"%s\",", "sleep 100000") ",\"task_group\":{\"tasks\":["
                                TASK("") "," TASK("") "]}}", type, a, b);

    scene_send(s, &pb__run_task_group_message__descriptor, json);
    mem_free(json);
}

/* ---- requests ---- */

static inline struct browser *post_bytes(const char *headers, const void *body, size_t size)
{
    struct browser *b = browser_open();
    CLEANUP(buffer_release) struct buffer head = BUFFER_INIT;

    buffer_printf(&head, "POST " API " HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                  headers, size);
    buffer_append(&head, body, size);
    browser_send(b, buffer_data(&head), buffer_length(&head));
    return b;
}

static inline struct browser *post(const char *headers, const char *body)
{
    return post_bytes(headers, body, strlen(body));
}

static inline void check_answered(struct browser *b, const char *status, const char *text)
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

static inline void check_refused(const char *headers, const char *body, const char *status,
                                 const char *text)
{
    check_answered(post(headers, body), status, text);
}

static inline char *update_text(const char *task, const char *state, const char *uuid)
{
    return mem_printf("{\"status\":{\"task_id\":{\"value\":\"%s\"},\"state\":\"%s\","
                      "\"source\":\"SOURCE_EXECUTOR\",\"uuid\":\"%s\"}}", task, state, uuid);
}

static inline void check_update(const char *task, const char *state, const char *uuid,
                                const char *status, const char *answer)
{
    char *update = update_text(task, state, uuid);
    char *body = mem_printf("{\"type\":\"UPDATE\"," IDS ",\"update\":%s}", update);

    check_refused(JSON_TYPE, body, status, answer);
    mem_free(update);
    mem_free(body);
}

/* ---- events ---- */

struct bytes_wish { struct browser *browser; size_t size; };

static inline bool has_bytes(void *arg)
{
    struct bytes_wish *w = arg;

    return buffer_length(&w->browser->got) >= w->size;
}

/* The next record, which must fill a chunk of its own. */
static inline char *next_record(struct browser *b, size_t *ret_size)
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

static inline void check_event(struct browser *b, const char *event)
{
    size_t size;
    char *record = next_record(b, &size);

    ck_assert_msg(strstr(record, event) != NULL, "no %s: %s", event, record);
    ck_assert_ptr_null(strchr(record, '\n'));
    mem_free(record);
}

#define EVENT(type) "{\"type\":\"" type "\""
#define ACKNOWLEDGED(task, uuid)                                                                   \
    EVENT("ACKNOWLEDGED") ",\"acknowledged\":{\"task_id\":{\"value\":\"" task "\"},"               \
    "\"uuid\":\"" uuid "\"}}"

static inline void check_end(struct browser *b)
{
    browser_expect(b, "0\r\n\r\n");
    browser_close(b);
}

/* The head of a stream; what follows are events. */
static inline void check_stream(struct browser *b, const char *type)
{
    char *head = browser_read(b, "\r\n\r\n"), *line = mem_printf("Content-Type: %s\r\n", type);

    ck_assert_msg(strncmp(head, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", head);
    ck_assert_ptr_nonnull(strstr(head, line));
    ck_assert_ptr_nonnull(strstr(head, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_null(strstr(head, "Content-Length"));
    ck_assert_ptr_null(strstr(head, "Mesos-Stream-Id"));
    mem_free(head);
    mem_free(line);
}

/* Its stream is the scene's then. */
static inline void scene_subscribe_with(struct scene *s, const char *body)
{
    if (s->stream)
        browser_close(s->stream);
    s->stream = post(JSON_BOTH, body);
    check_stream(s->stream, "application/json");
}

/* A task is launched, its executor has subscribed, and has been given it. */
static inline void scene_with_task(struct scene *s, const char *task)
{
    scene_start(s);
    scene_run(s, task);
    place_pass(&s->p, SECONDS(1));
    scene_subscribe_with(s, SUBSCRIBE);
    check_event(s->stream, EVENT("SUBSCRIBED"));
    check_event(s->stream, EVENT("LAUNCH"));
}

#endif
