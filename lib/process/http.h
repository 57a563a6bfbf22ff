/* http.h - what a route's handler sees, and how it answers
 *
 * A request is counted.  The handler borrows it; to answer later it keeps it
 * by http_request_ref and answers from an event of its process.  It is answered
 * exactly once: a second answer is a CHECK, and a request whose last reference
 * ends unanswered gets 500.  Answers leave a connection in the order of its
 * requests.  Requests may be answered, and streams written, on any thread, as
 * long as the runtime lives.
 *
 * Bodies of 1024 bytes and more are compressed for who accepts gzip, off the
 * actor's thread; what came as gzip is given to the handler inflated, unless
 * that is longer than max_body_bytes (413).
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "process/address.h"

struct buffer;
struct error;
struct future;
struct http_request;
struct process;

struct http_request *http_request_ref(struct http_request *r);
void http_request_unref(struct http_request *r);

const char *http_request_method(const struct http_request *r);     /* "GET" */
const char *
http_request_path(const struct http_request *r); /* decoded, as asked: "/master/state" */
/* Appends path and query as they came, not decoded: "/state?jsonp=f". */
void http_request_target(const struct http_request *r, struct buffer *out);
/* What follows the route's path: "/sub" for /master/state/sub, else "". */
const char *http_request_rest(const struct http_request *r);
/* What stands for {name} in the route's path: decoded, not empty; NULL if it has none. */
const char *http_request_variable(const struct http_request *r, const char *name);
/* Who asks, as the authenticator of the route's realm found; NULL: it has none. */
const char *http_request_principal(const struct http_request *r);
const char *http_request_header(const struct http_request *r,
                                const char *name); /* NULL if absent */
const char *http_request_query(const struct http_request *r,
                               const char *key); /* decoded; NULL if absent */
const char *http_request_body(const struct http_request *r, size_t *ret_size); /* NUL-terminated */
/* A field of a form: of a POST whose Content-Type is application/x-www-form-urlencoded
 * or absent.  Decoded; NULL if absent, and when the body is no form. */
const char *http_request_form(struct http_request *r, const char *key);
struct address http_request_peer(const struct http_request *r);
/* Does its Accept allow "application/json"?  The most specific range decides;
 * q=0 excludes; none or an empty one allows everything. */
bool http_accepts(const struct http_request *r, const char *media_type);

/* READY when the client has gone before it was answered (it sends nothing more,
 * or its connection broke), DISCARDED when it was answered first.  For long polls:
 *     FINALLY(http_request_closed(r), poll_ended, self, poll);
 * runs poll_ended once, whatever happens.  An answer to who has gone is fine. */
struct future *http_request_closed(struct http_request *r);

/* Answers.  content_type NULL: no Content-Type.  Body bytes are copied, or taken
 * from the buffer, which is empty afterwards. */
void http_answer(struct http_request *r, int status, const char *content_type, const void *body,
                 size_t size);
void http_answer_buffer(struct http_request *r, int status, const char *content_type,
                        struct buffer *body);
/* Plain text; the status' standard sentence when fmt is NULL ("404 Not Found."). */
void http_answer_error(struct http_request *r, int status, const char *fmt, ...) PRINTF(3, 4);
/* 200 application/json; with ?jsonp=f text/javascript "f(...)". */
void http_answer_json(struct http_request *r, struct buffer *json);
/* Adds a header to the answer that will follow. */
void http_answer_header(struct http_request *r, const char *name, const char *value);
/* 405 with Allow unless the method is this one; false when it has answered. */
bool http_require_method(struct http_request *r, const char *method);

/* ---- streams: answers whose end is not known when they begin ----
 *
 * A stream is counted; it gives a reference to the caller.  Each write leaves as
 * exactly one HTTP chunk (to HTTP/1.0 as it is, up to the connection's end);
 * nothing is written for size 0.  Close ends the answer; fail, or letting go of
 * the last reference unclosed, drops the connection behind what was written, so
 * that the client sees that it is not whole.  Requests behind it on the
 * connection wait for its end.  What is written after the end, or to a client
 * that has gone, is thrown away.  Never compressed. */
struct http_stream;

struct http_stream *http_answer_stream(struct http_request *r, int status,
                                       const char *content_type) MUST_USE;
struct http_stream *http_stream_ref(struct http_stream *s);
void http_stream_unref(struct http_stream *s); /* NULL is fine */
void http_stream_write(struct http_stream *s, const void *data, size_t size);
void http_stream_close(struct http_stream *s);
void http_stream_fail(struct http_stream *s);
/* Disconnects the client now, what it has not read is thrown away. */
void http_stream_drop(struct http_stream *s);
/* Bytes written that the kernel has not taken yet, with their framing.  A write
 * that would bring it over max_output_bytes (runtime.h) disconnects the client
 * instead; whoever can wait, or leave something out, looks here before. */
size_t http_stream_backlog(struct http_stream *s);
/* READY when the client has gone, DISCARDED when we ended it first:
 *     FINALLY(http_stream_closed(s), subscriber_left, self, subscriber); */
struct future *http_stream_closed(struct http_stream *s);

const char *http_status_text(int status); /* "Not Found", FACTS 1.6's peculiarities */

#endif
