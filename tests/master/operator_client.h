/* operator_client.h - an operator of the simulated world, who speaks HTTP to a master
 *
 * Questions have one answer; a follower has subscribed to the event stream.
 */
#ifndef OPERATOR_CLIENT_H
#define OPERATOR_CLIENT_H

#include <jansson.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "mesos/mesos_json.h"
#include "mesos/recordio.h"
#include "process/json_protobuf_parse.h"
#include "process/proto.h"
#include "proto/master.pb-c.h"
#include "tests/process/browser.h"

#ifndef OPERATOR_API
#define OPERATOR_API "/master/api/v1"
#endif
#define JSON_TYPE "application/json"
#define PROTOBUF_TYPE "application/x-protobuf"

/* ---- the client's node ---- */

UNUSED static void client_start(struct sim *sim, struct runtime *server)
{
    world = sim;
    rt = server;
    client_node = sim_node_create(world, "client", 0x0a0000f0u);
    client_host = sim_host_create(client_node, "client");
    client_loop = host_loop_start(client_host, browser_idle, NULL);
}

UNUSED static void client_stop(void)
{
    host_loop_stop(client_loop);
    host_destroy(client_host);
}

/* ---- questions ---- */

struct reply {
    int status;
    char *head, *body;
    size_t size;
};

static bool has_bytes(void *arg)
{
    struct browser_wish *w = arg;

    return buffer_length(&w->browser->got) >= w->size;
}

UNUSED static struct reply reply_read(struct browser *b)
{
    struct reply a = { 0, NULL, NULL, 0 };
    struct browser_wish body = { b, NULL, 0 };
    const char *length;

    a.head = browser_read(b, "\r\n\r\n");
    ck_assert_int_eq(sscanf(a.head, "HTTP/1.1 %d", &a.status), 1);
    length = strstr(a.head, "Content-Length: ");
    ck_assert_msg(length != NULL, "%s", a.head);
    body.size = strtoul(length + 16, NULL, 10);
    ck_assert(sim_run_until(world, has_bytes, &body, BROWSER_LIMIT));
    a.body = mem_alloc(body.size + 1); /* it may hold NULs */
    memcpy(a.body, buffer_data(&b->got), body.size);
    a.size = body.size;
    browser_close(b);
    return a;
}

UNUSED static void reply_release(struct reply *a)
{
    mem_free(a->head);
    mem_free(a->body);
}

/* Content type or Accept NULL: without that header. */
UNUSED static struct browser *ask_begin(const char *method, const char *path, const char *type,
                                        const char *accept, const void *body, size_t size)
{
    struct browser *b = browser_open();
    struct buffer out = BUFFER_INIT;

    buffer_printf(&out, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n", method, path, size);
    if (type)
        buffer_printf(&out, "Content-Type: %s\r\n", type);
    if (accept)
        buffer_printf(&out, "Accept: %s\r\n", accept);
    buffer_append_text(&out, "\r\n");
    buffer_append(&out, body, size);
    browser_send(b, buffer_data(&out), buffer_length(&out));
    buffer_release(&out);
    return b;
}

UNUSED static struct reply get(const char *path)
{
    return reply_read(ask_begin("GET", path, NULL, NULL, "", 0));
}

/* The JSON as packed protobuf. */
UNUSED static void pack_call(const ProtobufCMessageDescriptor *type, const char *json,
                             struct buffer *out)
{
    struct arena arena = ARENA_INIT;
    struct error err;
    ProtobufCMessage *call =
        json_protobuf_parse_body(type, json, strlen(json), &arena, NULL, &err);

    ck_assert_msg(call != NULL, "%s: %s", json, err.text);
    proto_pack(call, out);
    arena_release(&arena);
}

/* The call of this type, given as JSON, sent as JSON or as protobuf; an error is the same. */
UNUSED static struct reply call_as(const ProtobufCMessageDescriptor *type, const char *media,
                                   const char *json)
{
    struct buffer packed = BUFFER_INIT;
    struct reply a;

    if (strcmp(media, JSON_TYPE) == 0) {
        buffer_append_text(&packed, json);
    } else {
        pack_call(type, json, &packed);
    }
    a = reply_read(ask_begin("POST", OPERATOR_API, media, media, buffer_data(&packed),
                             buffer_length(&packed)));
    buffer_release(&packed);
    return a;
}

UNUSED static json_t *json_of(struct reply *a)
{
    json_t *json;

    ck_assert_msg(a->status == 200, "%s%s", a->head, a->body);
    json = json_loadb(a->body, a->size, 0, NULL);
    ck_assert_msg(json != NULL, "%s", a->body);
    reply_release(a);
    return json;
}

UNUSED static json_t *get_json(const char *path)
{
    struct reply a = get(path);

    return json_of(&a);
}

/* A message's bytes as JSON. */
UNUSED static json_t *json_of_bytes(const ProtobufCMessageDescriptor *type, const void *bytes,
                                    size_t size)
{
    struct arena arena = ARENA_INIT;
    struct buffer text = BUFFER_INIT;
    struct json_writer w;
    struct error err;
    ProtobufCMessage *msg = proto_parse(type, bytes, size, &arena, NULL, &err);
    json_t *json;

    ck_assert_msg(msg != NULL, "%s", err.text);
    json_writer_init(&w, &text);
    mesos_json_write(&w, msg);
    json = json_loads(buffer_data(&text), 0, NULL);
    ck_assert_ptr_nonnull(json);
    buffer_release(&text);
    arena_release(&arena);
    return json;
}

/* By path: "tasks.0.id"; NULL: there is none. */
UNUSED static json_t *look(const json_t *json, const char *path)
{
    char part[60];
    int n;

    while (json && *path) {
        ck_assert_int_eq(sscanf(path, "%59[^.]%n", part, &n), 1);
        json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        path += n + (path[n] == '.');
    }
    return (json_t *)json;
}

UNUSED static const char *text_at(const json_t *json, const char *path)
{
    json_t *value = look(json, path);

    ck_assert_msg(json_is_string(value), "there is no %s", path);
    return json_string_value(value);
}

UNUSED static double number_at(const json_t *json, const char *path)
{
    json_t *value = look(json, path);

    ck_assert_msg(json_is_number(value), "there is no %s", path);
    return json_number_value(value);
}

/* ---- followers ---- */

struct follower {
    struct browser *browser;
    bool protobuf;
    json_t *event; /* the last one */
};

UNUSED static void follower_open(struct follower *f, const char *media)
{
    const char *call = "{\"type\":\"SUBSCRIBE\"}";

    *f = (struct follower){ .protobuf = strcmp(media, PROTOBUF_TYPE) == 0 };
    f->browser = ask_begin("POST", OPERATOR_API, JSON_TYPE, media, call, strlen(call));
}

UNUSED static void follower_begin(struct follower *f, const char *media)
{
    char *head;

    follower_open(f, media);
    head = browser_read(f->browser, "\r\n\r\n");
    ck_assert_msg(strncmp(head, "HTTP/1.1 200", 12) == 0, "%s", head);
    ck_assert_ptr_nonnull(strstr(head, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_null(strstr(head, "Mesos-Stream-Id"));
    ck_assert_ptr_nonnull(strstr(head, media));
    mem_free(head);
}

UNUSED static void follower_end(struct follower *f)
{
    json_decref(f->event);
    browser_close(f->browser);
}

/* One chunk, one record. */
static bool take_chunk(struct follower *f)
{
    struct buffer *got = &f->browser->got;
    char *end, *line = memmem(buffer_data(got), buffer_length(got), "\r\n", 2), *record;
    size_t size, length;

    if (!line)
        return false;
    size = strtoul(buffer_data(got), &end, 16);
    ck_assert_ptr_eq(end, line);
    if (buffer_length(got) < (size_t)(line - buffer_data(got)) + 2 + size + 2)
        return false;
    length = strtoul(line + 2, &record, 10);
    ck_assert_int_eq(*record++, '\n');
    ck_assert_uint_eq((size_t)(record - (line + 2)) + length, size);
    json_decref(f->event);
    f->event = f->protobuf ? json_of_bytes(&pb_master__event__descriptor, record, length)
                           : json_loadb(record, length, 0, NULL);
    ck_assert_ptr_nonnull(f->event);
    buffer_consume(got, (size_t)(line - buffer_data(got)) + 2 + size + 2);
    return true;
}

static bool follower_has(void *arg)
{
    return take_chunk(arg);
}

/* The next event; NULL: none within the limit. */
UNUSED static const json_t *follower_wait(struct follower *f, struct duration limit)
{
    return sim_run_until(world, follower_has, f, limit) ? f->event : NULL;
}

/* The next event that is not a HEARTBEAT must be of this type. */
UNUSED static const json_t *follower_expect(struct follower *f, const char *type)
{
    do {
        ck_assert_msg(follower_wait(f, HOURS(1)) != NULL, "no %s", type);
    } while (strcmp(type, "HEARTBEAT") != 0 &&
             strcmp(text_at(f->event, "type"), "HEARTBEAT") == 0);
    ck_assert_str_eq(text_at(f->event, "type"), type);
    return f->event;
}

/* Nothing but heartbeats for a while. */
UNUSED static void follower_expect_silence(struct follower *f)
{
    while (follower_wait(f, SECONDS(5)))
        ck_assert_str_eq(text_at(f->event, "type"), "HEARTBEAT");
}

#endif
