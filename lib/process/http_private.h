/* http_private.h - a request, as the files that serve it know it
 *
 * A request lives in its connection's queue from its arrival until its answer
 * is written, and in the hands of whoever may answer it.  Both keep it; when
 * the last hand lets go of it unanswered, it is answered with 500.
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/ref.h"
#include "process/address.h"
#include "process/http.h"
#include "process/http_parser.h"

struct http_connection;
struct instant;
struct runtime;

struct http_pair {
    char *key, *value;
};

struct http_request {
    struct ref ref;   /* the memory: the queue's, and one for all hands together */
    struct ref hands; /* http_request_ref */
    struct list link; /* the connection's queue; its worker's */
    struct runtime *runtime;
    struct http_connection *connection; /* a reference */
    struct address peer;

    char *raw; /* the bytes of the request, with NULs put behind its parts */
    struct http_parser parser;
    char *path, *rest;      /* decoded; rest: below the process, at first */
    const char *route_rest; /* in rest: what follows the route's path */
    struct http_pair *query;
    size_t n_query;

    _Atomic bool answered;                    /* by the one who may now write the answer */
    bool ready;                               /* the answer is complete; its worker's */
    bool without_body, close, keep_alive_1_0; /* how it is written */
    int status;
    char *content_type;
    struct buffer headers; /* "Name: value\r\n"... */
    struct buffer body;
};

/* Takes raw (NUL-terminated) and the parser, which has seen it.  NULL with the
 * reason when its URL cannot be decoded; all is released then. */
struct http_request *http_request_create(struct runtime *rt, char *raw, struct http_parser *parser,
                                         struct error *err);
/* Without a request's bytes: an answer that is complete from the start. */
struct http_request *http_request_canned(struct runtime *rt, int status, const char *content_type,
                                         const void *body, size_t size);
void http_request_drop_memory(struct http_request *r); /* the queue's reference */

/* The head of an answer, and its end: appended.  date: "Sun, 22 Nov ... GMT". */
void http_format_head(struct buffer *out, const struct http_request *r, const char *date);
#define HTTP_DATE_TEXT 32
void http_format_date(struct instant wall, char text[HTTP_DATE_TEXT]);
void http_standard_body(int status, struct buffer *out); /* "404 Not Found." */

/* http_connection.c: the answer is complete.  Any thread, once. */
void http_connection_answered(struct http_request *r);
/* The connection of a request whose memory ends. */
void http_connection_unref(struct http_connection *c);

#define HTTP_TEXT_PLAIN "text/plain; charset=utf-8"

#endif
