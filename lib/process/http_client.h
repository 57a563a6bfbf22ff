/* http_client.h - asking another node over HTTP
 *
 * http_get, http_post and http_fetch ask and give a future of the whole answer;
 * http_fetch_stream gives a reader (http_reader.h) as soon as the answer's head
 * is there, for answers that are long or have no end.  Connections are kept and
 * used again.  http_connect gives a connection of one's own, which carries
 * several questions at a time (pipelining).
 *
 * Any status is an answer; a future FAILS when there is none, with a sentence
 * that says what was asked and what went wrong.  One whose future is discarded
 * is given up.  Any thread, while the runtime lives; references may end later.
 *
 * Limits and time-outs are the ask's.  A question is sent again, once, only when
 * a kept connection turns out to have been closed by the server before it
 * answered anything, and only when that is safe: GET, HEAD, PUT, DELETE, OPTIONS
 * and TRACE, or when nothing of it was sent.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"
#include "process/typed.h"

struct error;
struct http_reader;
struct http_writer;
struct runtime;

struct http_header { const char *name, *value; };

/* Its texts end with the future.  The headers, in the order they came, end with a
 * NULL name; those of framing are among them.  A body that came as gzip has been
 * inflated. */
struct http_response {
    int status;
    char *content_type; /* NULL: none */
    char *body;         /* a NUL is behind it */
    size_t size;
    struct http_header *headers;
};
FUTURE_TYPE(http_response, struct http_response);

/* The last one with this name, in any case; NULL: none. */
const char *http_response_header(const struct http_response *r, const char *name);

/* What is asked; all of it is copied.  Zero means the default of each. */
struct http_ask {
    const char *method;     /* "GET" */
    const char *url;        /* http://host:port/path?query, or https:// (tls.h); percent-encoded */
    const struct http_header *headers; /* a row without a name ends them; none of framing */
    const char *content_type;
    const void *body;       /* Content-Length is body_size */
    size_t body_size;
    struct http_writer *writer; /* instead of a body: it follows, in chunks (http_writer.h) */

    size_t max_head_bytes;  /* 64 KiB */
    size_t max_body_bytes;  /* also inflated; 64 MiB; of streams: as many as there are */

    /* Until connected; 10 s.  From then, or from when the last byte was sent or the
     * answer before ours was whole, until the head has come; 60 s.  For the next
     * byte of the body, while we want one; 60 s, of streams none.  From the ask to
     * the end of the answer; none: where this alone is given the others are the same. */
    struct duration connect_timeout, head_timeout, idle_timeout, timeout;
};

struct future *http_get(struct runtime *rt, const char *url, size_t max_body,
                        struct duration timeout);
struct future *http_post(struct runtime *rt, const char *url, const char *content_type,
                         const void *body, size_t size, size_t max_body, struct duration timeout);
struct future *http_fetch(struct runtime *rt, const struct http_ask *ask); /* of http_response */
struct future *http_fetch_stream(struct runtime *rt, const struct http_ask *ask); /* http_opened */

/* ---- a connection of one's own ----
 *
 * Counted.  It begins to connect at once; what is asked before it stands waits.
 * Questions are sent in their order without waiting for answers, which come in
 * that order.  When the last reference ends it closes behind what was asked.  It
 * does not come back: whoever needs another one makes it. */
struct http_client;

/* Only the URL's scheme, host and port matter.  connect_timeout zero: 10 s. */
struct http_client *http_connect(struct runtime *rt, const char *url,
                                 struct duration connect_timeout, struct error *err);
struct http_client *http_client_ref(struct http_client *c);
void http_client_unref(struct http_client *c); /* NULL is fine */
/* ask->url: of the same scheme, host and port, or only "/path?query".  Giving up a
 * question that was sent already leaves those behind it alone: its answer is read
 * over; but a stream's answer may have no end, and the connection ends with it. */
struct future *http_client_send(struct http_client *c, const struct http_ask *ask);
struct future *http_client_send_stream(struct http_client *c, const struct http_ask *ask);
/* At once: what has not been answered FAILS. */
void http_client_disconnect(struct http_client *c);
/* READY when it has ended by our wish, or was closed by the server with nothing
 * asked; FAILED with the reason when it never stood, or broke. */
struct future *http_client_disconnected(struct http_client *c);

#endif
