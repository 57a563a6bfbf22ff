/* http_client.c - asking another node over HTTP: what a user calls */
#include "process/http_client.h"

#include "base/error.h"
#include "process/http_client_private.h"

const char *http_response_header(const struct http_response *r, const char *name)
{
    return http_client_ask_find(r->headers, name);
}

static const struct future_type *result_type(bool streams)
{
    return streams ? &http_opened_type : &http_response_type;
}

/* ---- on connections that are kept ---- */

static struct future *fetch(struct runtime *rt, const struct http_ask *ask, bool streams)
{
    struct error err;
    struct http_exchange *e = http_exchange_create(rt, ask, NULL, streams, &err);
    struct future *f;

    if (!e)
        return future_failed_with(result_type(streams), &err);
    f = http_exchange_future(e);
    http_client_pool_send(rt, e);
    return f;
}

struct future *http_fetch(struct runtime *rt, const struct http_ask *ask)
{
    return fetch(rt, ask, false);
}

struct future *http_fetch_stream(struct runtime *rt, const struct http_ask *ask)
{
    return fetch(rt, ask, true);
}

struct future *http_get(struct runtime *rt, const char *url, size_t max_body,
                        struct duration timeout)
{
    const struct http_ask ask = { .url = url, .max_body_bytes = max_body, .timeout = timeout };

    return http_fetch(rt, &ask);
}

struct future *http_post(struct runtime *rt, const char *url, const char *content_type,
                         const void *body, size_t size, size_t max_body, struct duration timeout)
{
    const struct http_ask ask = { .method = "POST",
                                  .url = url,
                                  .content_type = content_type,
                                  .body = body,
                                  .body_size = size,
                                  .max_body_bytes = max_body,
                                  .timeout = timeout };

    return http_fetch(rt, &ask);
}

/* ---- on one's own ---- */

struct http_client *http_connect(struct runtime *rt, const char *url,
                                 struct duration connect_timeout, struct error *err)
{
    struct http_client *c;
    struct http_url parts;

    if (http_url_parse(url, &parts, err) < 0)
        return NULL;
    c = http_client_create(rt, &parts, connect_timeout);
    http_client_post(c, http_client_look); /* the time that it may take begins */
    http_url_release(&parts);
    return c;
}

static struct future *send_on(struct http_client *c, const struct http_ask *ask, bool streams)
{
    struct error err;
    struct http_exchange *e = http_exchange_create(c->runtime, ask, &c->url, streams, &err);
    struct future *f;

    if (!e)
        return future_failed_with(result_type(streams), &err);
    f = http_exchange_future(e);
    http_client_submit(c, e);
    return f;
}

struct future *http_client_send(struct http_client *c, const struct http_ask *ask)
{
    return send_on(c, ask, false);
}

struct future *http_client_send_stream(struct http_client *c, const struct http_ask *ask)
{
    return send_on(c, ask, true);
}
