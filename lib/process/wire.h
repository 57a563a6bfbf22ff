/* wire.h - a message between processes, as HTTP (FACTS 1.4)
 *
 * Pure functions: how a message is written, byte for byte as libprocess does,
 * and how a request is recognised to be one.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct error;
struct http_parser;
struct pid;

/* Appends the request.  from may be empty. */
void wire_format(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                 const void *body, size_t size);
/* The same in two halves, for a body of `size` bytes that the caller puts in
 * between. */
void wire_begin(struct buffer *out, const struct pid *from, const struct pid *to, const char *name,
                size_t size);
void wire_end(struct buffer *out, size_t size);

/* Is this request (its head is complete) a message? */
bool wire_is_message(const struct http_parser *p, const char *data);

/* Who and what.  `from` is text, perhaps of no PID at all; the name may be
 * empty.  On failure *ret_status is the HTTP status of the answer, err its body. */
struct wire_message {
    char *id, *name, *from;
};
int wire_parse(const struct http_parser *p, const char *data, struct wire_message *ret_message,
               int *ret_status, struct error *err);
void wire_release(struct wire_message *m);

#endif
