/* wire.h - a message between processes, as HTTP (FACTS 1.4)
 *
 * Pure functions: how a message is written, byte for byte as libprocess does,
 * and how a request is recognised to be one.  Who talks, mostly says more of the
 * same: so a writer and a reader may keep the last head, and spend nothing on it
 * when it comes again.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "process/pid.h"

struct error;
struct http_parser;

/* Appends the request.  from may be empty. */
void wire_format(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                 const void *body, size_t size);
/* The same with a body of JSON, which libprocess does not know: a field of the
 * head says so. */
void wire_format_json(struct buffer *out, const struct pid *from, const struct pid *to,
                      const char *name, const void *body, size_t size);
/* The first in two halves, for a body of `size` bytes that the caller puts in
 * between. */
void wire_begin(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                size_t size);
void wire_end(struct buffer *out, size_t size);

/* As wire_begin, with the head that was written last; all zeros: none. */
struct wire_head {
    struct pid from, to;
    const char *name; /* of a descriptor: it lives */
    struct buffer text;
};
void wire_begin_again(struct buffer *out, struct wire_head *last, const struct pid *from,
                      const struct pid *to, const char *name, size_t size);
void wire_head_release(struct wire_head *h);

/* The answer to a message, n times, and how a sender finds it at the front of its input
 * without a parser: its size, or 0 when it is not exactly ours, or not all there.
 * date: of the header field. */
void wire_accept(struct buffer *out, const char *date, size_t n);
size_t wire_accepted(const char *data, size_t length);

/* The whole of a message whose head is `head`, the last one up to and with its
 * empty line, chunked, and whose body is one chunk: its size, or 0 when it is
 * anything else or not all there. */
size_t wire_repeats(const char *data, size_t length, const char *head, size_t head_length,
                    const char **ret_body, size_t *ret_size);

/* Is this request (its head is complete) a message? */
bool wire_is_message(const struct http_parser *p, const char *data);

/* Is its body JSON?  By its Content-Type. */
bool wire_is_json(const struct http_parser *p, const char *data);

/* Who and what.  `from` is text, perhaps of no PID at all; the name may be
 * empty.  On failure *ret_status is the HTTP status of the answer, err its body. */
struct wire_message {
    char *id, *name, *from;
};
int wire_parse(const struct http_parser *p, const char *data, struct wire_message *ret_message,
               int *ret_status, struct error *err);
void wire_release(struct wire_message *m);

#endif
