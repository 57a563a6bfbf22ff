/* http.h - what a route's handler sees, and how it answers
 *
 * A request is counted.  The handler borrows it; to answer later it keeps it
 * by http_request_ref and answers from an event of its process.  It is answered
 * exactly once: a second answer is a CHECK, and a request whose last reference
 * ends unanswered gets 500.  Answers leave a connection in the order of its
 * requests.  Requests may be answered on any thread.
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
/* What follows the route's path: "/sub" for /master/state/sub, else "". */
const char *http_request_rest(const struct http_request *r);
const char *http_request_header(const struct http_request *r,
                                const char *name); /* NULL if absent */
const char *http_request_query(const struct http_request *r,
                               const char *key); /* decoded; NULL if absent */
const char *http_request_body(const struct http_request *r, size_t *ret_size); /* NUL-terminated */
struct address http_request_peer(const struct http_request *r);

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

const char *http_status_text(int status); /* "Not Found", FACTS 1.6's peculiarities */

#endif
