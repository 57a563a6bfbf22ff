/* http_client_ask.c - a question in bytes, from what the user gave; headers as texts
 *
 * What the user gave is checked before anything is sent, so that nothing of it can
 * change where a request ends.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"
#include "process/http_client_private.h"

enum {
    HEAD_BYTES = 64 * 1024,
    BODY_BYTES = 64 * 1024 * 1024,
    CONNECT_SECONDS = 10,
    SECONDS_OF = 60
};

/* ---- checks ---- */

static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", *text))
            return false;
    return true;
}

static int check_value(const char *name, const char *value, struct error *err)
{
    for (const char *p = value; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return error_set(err, EINVAL, "The header '%.60s' has a control character", name);
    return 0;
}

static int check_header(const struct http_header *h, struct error *err)
{
    static const char *const ours[] = { "Host",       "Content-Length", "Transfer-Encoding",
                                        "Connection", "Content-Type",   "Expect" };

    if (!is_token(h->name))
        return error_set(err, EINVAL, "'%.60s' is no name of a header", h->name);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcasecmp(h->name, ours[i]) == 0)
            return error_set(err, EINVAL, "The header '%s' is not given, it is made", ours[i]);
    return check_value(h->name, h->value, err);
}

static int check(const struct http_ask *ask, struct error *err)
{
    if (ask->method && (!is_token(ask->method) || strcmp(ask->method, "CONNECT") == 0))
        return error_set(err, EINVAL, "'%.60s' is no method to ask with", ask->method);
    if (ask->writer && ask->body_size > 0)
        return error_set(err, EINVAL, "Both a body and a writer are given");
    for (const struct http_header *h = ask->headers; h && h->name; h++)
        if (check_header(h, err) < 0)
            return -1;
    return ask->content_type ? check_value("Content-Type", ask->content_type, err) : 0;
}

/* ---- filling in ---- */

/* On a connection of one's own the path alone will do. */
static int take_url(struct http_exchange *e, const char *url, const struct http_url *origin,
                    struct error *err)
{
    if (origin && url[0] == '/') {
        if (http_url_check_target(url, err) < 0)
            return -1;
        e->url = *origin;
        e->url.authority = mem_strdup(origin->authority);
        e->url.host = mem_strdup(origin->host);
        e->url.target = mem_strdup(url);
        return 0;
    }
    if (http_url_parse(url, &e->url, err) < 0)
        return -1;
    if (origin && !http_url_same_origin(origin, &e->url))
        return error_set(err, EINVAL, "'%.100s' is not on this connection, which is to %.60s", url,
                         origin->authority);
    return 0;
}

static struct duration or_else(struct duration given, struct duration otherwise)
{
    return given.ns > 0 ? given : otherwise;
}

static void take_limits(struct http_exchange *e, const struct http_ask *ask)
{
    const struct duration whole = ask->timeout;

    e->max_head = ask->max_head_bytes ? ask->max_head_bytes : HEAD_BYTES;
    e->max_body = ask->max_body_bytes ? ask->max_body_bytes : e->streams ? SIZE_MAX : BODY_BYTES;
    e->timeout = whole;
    e->connect_timeout = or_else(ask->connect_timeout, or_else(whole, SECONDS(CONNECT_SECONDS)));
    e->head_timeout = or_else(ask->head_timeout, or_else(whole, SECONDS(SECONDS_OF)));
    e->idle_timeout = ask->idle_timeout;
    if (!e->streams)
        e->idle_timeout = or_else(e->idle_timeout, or_else(whole, SECONDS(SECONDS_OF)));
    e->deadline = whole.ns > 0 ? instant_add(runtime_now(e->runtime), whole) : INSTANT_NEVER;
}

static bool is_one_of(const char *method, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(method, *list) == 0)
            return true;
    return false;
}

static void put_head(struct http_exchange *e, const struct http_ask *ask)
{
    static const char *const with_body[] = { "POST", "PUT", "PATCH", NULL };
    struct buffer *b = &e->request;

    buffer_printf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", e->method, e->url.target, e->url.authority);
    if (!http_client_ask_find(ask->headers, "Accept"))
        buffer_append_text(b, "Accept: */*\r\n");
    if (e->wants_gzip)
        buffer_append_text(b, "Accept-Encoding: gzip\r\n");
    for (const struct http_header *h = ask->headers; h && h->name; h++)
        buffer_printf(b, "%s: %s\r\n", h->name, h->value);
    if (ask->content_type)
        buffer_printf(b, "Content-Type: %s\r\n", ask->content_type);
    if (ask->writer)
        buffer_append_text(b, "Transfer-Encoding: chunked\r\n");
    else if (ask->body_size > 0 || is_one_of(e->method, with_body))
        buffer_printf(b, "Content-Length: %zu\r\n", ask->body_size);
    buffer_append_text(b, "\r\n");
}

int http_client_ask_fill(struct http_exchange *e, const struct http_ask *ask,
                         const struct http_url *origin, struct error *err)
{
    static const char *const idempotent[] = { "GET",     "HEAD",  "PUT", "DELETE",
                                              "OPTIONS", "TRACE", NULL };

    if (check(ask, err) < 0 || take_url(e, ask->url, origin, err) < 0)
        return -1;
    e->method = mem_strdup(ask->method ? ask->method : "GET");
    e->is_head = strcmp(e->method, "HEAD") == 0;
    e->is_idempotent = is_one_of(e->method, idempotent);
    e->wants_gzip = !e->streams && !http_client_ask_find(ask->headers, "Accept-Encoding");
    take_limits(e, ask);
    put_head(e, ask);
    if (ask->body_size > 0)
        buffer_append(&e->request, ask->body, ask->body_size);
    if (ask->writer) {
        if (http_writer_attach(ask->writer, e, err) < 0)
            return -1;
        e->writer = ask->writer;
    }
    return 0;
}

/* ---- headers of an answer ---- */

static char *put_text(char *at, const char *data, struct http_part part, const char **ret_text)
{
    memcpy(at, data + part.at, part.length);
    at[part.length] = '\0';
    *ret_text = at;
    return at + part.length + 1;
}

struct http_header *http_client_ask_headers(const struct http_parser *p, const char *data,
                                            char **ret_text)
{
    struct http_header *headers = mem_array(p->n_fields + 1, sizeof *headers);
    size_t size = 1;
    char *at;

    for (size_t i = 0; i < p->n_fields; i++)
        size += p->fields[i].name.length + p->fields[i].value.length + 2;
    *ret_text = at = mem_alloc(size);
    for (size_t i = 0; i < p->n_fields; i++) {
        at = put_text(at, data, p->fields[i].name, &headers[i].name);
        at = put_text(at, data, p->fields[i].value, &headers[i].value);
    }
    return headers;
}

const char *http_client_ask_find(const struct http_header *headers, const char *name)
{
    const char *found = NULL;

    for (const struct http_header *h = headers; h && h->name; h++)
        if (strcasecmp(h->name, name) == 0)
            found = h->value;
    return found;
}
