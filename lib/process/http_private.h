/* http_private.h - a request, as the files that serve it know it
 *
 * A request lives in its connection's queue from its arrival until its answer
 * is written, and in the hands of whoever may answer it.  Both keep it; when
 * the last hand lets go of it unanswered, it is answered with 500.
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/ref.h"
#include "process/address.h"
#include "process/http.h"
#include "process/http_parser.h"
#include "process/runtime_private.h"

struct http_connection;
struct instant;
struct process_route;
struct promise;
struct runtime;

struct http_pair {
    char *key, *value;
};

/* What has become of a request, as http_request_closed tells it; awaited is an open one
 * of which somebody wants to know. */
enum http_request_end {
    HTTP_REQUEST_OPEN,
    HTTP_REQUEST_AWAITED,
    HTTP_REQUEST_GONE,
    HTTP_REQUEST_DONE
};

/* A request, and what is short of it and its answer: the largest block that spares.c keeps. */
enum { HTTP_REQUEST_BLOCK = 1016 };

struct http_request {
    struct ref ref;   /* the memory: the queue's, and one for all hands together */
    struct ref hands; /* http_request_ref */
    struct list link; /* the connection's queue; its worker's */
    struct runtime *runtime;
    struct http_connection *connection; /* a reference */
    struct address peer;

    char *raw; /* the bytes of the request, with NULs put behind its parts */
    bool is_message;        /* of a process, in JSON: it goes to its mailbox */
    struct event event;     /* in the mailbox of its process */
    const char *path;       /* decoded: in raw, or */
    char *decoded_path;     /* if there was something to decode */
    struct http_part below; /* of raw: the path below the process */
    char *rest;             /* decoded: what follows the route's path; NULL: nothing */
    const struct process_route *route; /* that it is for */
    char *principal;        /* NULL: not known */
    struct http_pair *variables; /* of the route's path */
    size_t n_variables;
    struct http_pair *query;
    size_t n_query;
    struct buffer inflated; /* the body, when it came as gzip */
    bool was_inflated;

    _Atomic enum http_request_end end; /* set under the lock, unless nobody waits for it */
    struct promise *closed;            /* as long as it is awaited; the lock's, as the next: */
    bool has_form;                     /* decoded into `form` */
    struct http_pair *form;
    size_t n_form;

    _Atomic bool answered;                    /* by the one who may now write the answer */
    bool ready;                               /* the answer may be written; its worker's */
    bool without_body, close, keep_alive_1_0; /* how it is written */
    bool encoded;                             /* the answer has a Content-Encoding */
    int status;
    char *content_type;         /* NULL: none */
    struct buffer headers;      /* "Name: value\r\n"... */
    const char *short_body;     /* in `room`, or */
    struct buffer body;         /* if it did not fit there */
    struct http_stream *stream; /* instead of a body */
    uint32_t short_size, used;  /* of `room` */

    /* All above is zero at first. */
    struct http_parser parser;
    pthread_mutex_t lock; /* also the stream's */
    _Alignas(8) char room[]; /* the block's rest, for what is needed up to the request's end */
};

/* A streamed answer.  It lives in its request; the handles hold one hand. */
struct http_stream {
    struct ref ref; /* the handles */
    struct http_request *request;
    size_t limit; /* of unsent bytes */
    bool chunked;

    struct buffer queue; /* chunks, not yet the connection's; the request's lock, as all below */
    size_t moved;        /* bytes that the connection has and has not written */
    bool ended, failed;
    bool dead; /* nothing will be written any more */
    bool overflowed;
    bool told; /* the connection's worker will come and look */

    size_t held; /* of the queue, as the connection counts it; its worker's, as the next */
    bool begun;  /* the head is written */
};

enum http_stream_state { HTTP_STREAM_OPEN, HTTP_STREAM_ENDED, HTTP_STREAM_FAILED };

/* What the parser has found in data.  It is copied, unless the bytes are in memory of
 * their own, which is taken.  NULL with the reason when its URL cannot be decoded. */
struct http_request *http_request_create(struct runtime *rt, const char *data, char *own,
                                         const struct http_parser *parser, struct error *err);
/* Without a request's bytes: an answer that is complete from the start. */
struct http_request *http_request_canned(struct runtime *rt, int status, const char *content_type,
                                         const void *body, size_t size);
void http_request_drop_memory(struct http_request *r); /* the queue's reference */
/* Who has asked is told, once. */
void http_request_ends(struct http_request *r, enum http_request_end end);
/* Whoever passes here answers; a second one broke the rule. */
void http_request_begin_answer(struct http_request *r, int status, const char *content_type);
/* http_path.c: the route of a path below its process, as it came: how many bytes of
 * it the route stands for.  NULL: none.  is_plain: there is nothing in it to decode. */
const struct process_route *http_path_find(const struct process_route *const *tables,
                                           const char *path, size_t length, bool is_plain,
                                           size_t *ret_matched);
/* What its variables stand for; the caller's. */
size_t http_path_variables(const char *route, const char *path, size_t length,
                           struct http_pair **ret_pairs);

/* Escapes resolved; the caller's, NULL when there is a wrong one. */
char *http_decode(const char *text, size_t length, struct error *err);
/* "a=1&b=2", at most max of them: -1 with the reason, and what was decoded so far. */
int http_decode_pairs(const char *text, size_t length, size_t max, struct http_pair **ret_pairs,
                      size_t *ret_n, struct error *err);
void http_release_pairs(struct http_pair *pairs, size_t n);
bool http_accepts_encoding(const struct http_request *r, const char *encoding);

static inline bool http_is_plain(const char *text, size_t length) /* nothing to decode */
{
    return !memchr(text, '%', length) && !memchr(text, '+', length);
}

/* Of the answer's body, whatever of it is written. */
static inline size_t http_answer_size(const struct http_request *r)
{
    return r->short_size + buffer_length(&r->body);
}

/* http_stream.c, for the connection; on its worker. */
void http_stream_release(struct http_stream *s);
/* There is something new: how much waits in the queue.  False: it is over the limit. */
bool http_stream_look(struct http_stream *s, size_t *ret_queued);
enum http_stream_state http_stream_take(struct http_stream *s, struct buffer *out);
void http_stream_written(struct http_stream *s, size_t unsent); /* of `out` */
void http_stream_die(struct http_stream *s);

/* The head of an answer, and its end: appended.  date: "Sun, 22 Nov ... GMT". */
void http_format_head(struct buffer *out, const struct http_request *r, const char *date);
#define HTTP_DATE_TEXT 32
void http_format_date(struct instant wall, char text[HTTP_DATE_TEXT]);
void http_standard_body(int status, struct buffer *out); /* "404 Not Found." */

/* http_connection_output.c: the answer may be written.  Any thread, once. */
void http_connection_answered(struct http_request *r);
void http_connection_stream_changed(struct http_request *r); /* any thread */
/* The connection of a request whose memory ends. */
void http_connection_unref(struct http_connection *c);

#define HTTP_TEXT_PLAIN "text/plain; charset=utf-8"

#endif
